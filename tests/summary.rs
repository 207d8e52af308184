//! `-c` and `-C`: whole summaries of the sample and of streams made for it.

mod common;

use common::story::{Actor, actor, line, open, time};
use common::{assert_same, read, run, run_with_input};
use serde_json::{Value, json};

const HOUR: &str = "samples/developers-hour.jsonl";

/// The output for a stream, in UTC.
#[track_caller]
fn summary(args: &[&str], messages: &[String]) -> String {
    let run = run_with_input(&[args, &["-r", "-"]].concat(), messages.concat().as_bytes());
    assert_eq!((run.err.as_str(), run.status), ("", 0));
    run.out
}

#[track_caller]
fn summary_json(args: &[&str], messages: &[String]) -> Value {
    let text = summary(&[&["-c", "-F", "json"], args].concat(), messages);
    assert_eq!(text.matches('\n').count(), 1, "one line");
    serde_json::from_str(&text).expect("JSON")
}

/// The lines of the table with this head.
fn table(text: &str, head: &str) -> Vec<String> {
    let is_head = |line: &&str| line.trim_end().ends_with(head);
    let lines = text.lines().skip_while(|line| !is_head(line)).skip(1);
    let lines = lines.take_while(|line| !line.is_empty());
    lines.map(str::to_owned).collect()
}

fn zsh() -> Actor {
    actor(10, 0, 1, "/bin/zsh")
}

#[test]
fn the_sample_on_a_terminal() {
    let shown = common::run_on_terminal(100, &["-r", HOUR, "-c"]);
    common::expected("tests/data/hour.summary", &shown);
}

#[test]
fn the_sample_in_a_pipe() {
    let run = run(&["-r", HOUR, "-c"]);
    assert_eq!((run.err.as_str(), run.status), ("", 0));
    // Paths and the events of files are shown in full at any width; everything else is the same.
    for line in [
        "     20   4.0      1         /System/Library/Frameworks/CoreServices.framework/Versions/A/Frameworks\
         /Metadata.framework/Versions/A/Support/mds_stores",
        "      8      1  /Users/test/Downloads/Example Updater 2.1.dmg.lumendownload  \
         [write 3, setextattr 2, close 1, …]",
    ] {
        assert!(run.out.lines().any(|own| own == line), "{line}");
    }
    let first = |text: &str| text.lines().take(16).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(first(&run.out), first(&read("tests/data/hour.summary")));
}

#[test]
fn all_tables_of_the_sample() {
    let by = "class,user,team,folder,process,event,program,file";
    let run = run(&["-r", HOUR, "-c", "--top", "3", "--summary-by", by]);
    assert_eq!((run.err.as_str(), run.status), ("", 0));
    assert_same(
        &run.out,
        "\
499 events of 71 types, 80 processes, in 59:01 (2026-03-14 09:00:02 to 09:59:03), 0.14 a second; none missing
61 processes started, 61 ended: 42 with 0, 14 with another status, 5 by a signal

 EVENTS     %  PROCS  CLASS
    245  49.1     49  file
    209  41.9     67  process
     14   2.8      7  auth
     31   6.2         10 more

 EVENTS     %  PROCS FAILED  USER
    369  73.9     56     15  501
    128  25.7     31      4  0
      1   0.2      1         266
      1   0.2                1 more

 EVENTS     %  PROCS FAILED  TEAM
    466  93.4     76     18  -
     25   5.0      3      1  XMPL4BRWSR
      7   1.4      1         UPDTXMPL55
      1   0.2                1 more

 EVENTS  FILES  PROCS  FOLDER
     30      7      6  /Users/test/Documents
     30      3     10  /Users/test/src/hello/src
     20      5     20  /Library/Developer/CommandLineTools/usr/bin
                       61 more

 EVENTS     %    PID    EXIT  COMMAND
     41   8.2  21844  SIGHUP  -zsh
     20   4.0    388       ·  /System/Library/Frameworks/CoreServices.framework/Versions/A/Frameworks\
/Metadata.framework/Versions/A/Support/mds_stores
     18   3.6    733       ·  /Applications/Lumen.app/Contents/MacOS/Lumen
    420  84.2                 77 more

 EVENTS     %  PROCS  FIRST     LAST      EVENT
     74  14.8     60  09:00:02  09:57:27  exec
     61  12.2     61  09:00:08  09:59:03  exit
     61  12.2     27  09:00:02  09:57:27  fork
    303  60.7                             68 more

 EVENTS     %  PROCS FAILED  PROGRAM
     58  11.6     21      1  /bin/zsh
     53  10.6     14      4  /Library/Developer/CommandLineTools/usr/bin/clang
     24   4.8      5      1  /Users/test/.rustup/toolchains/stable-aarch64-apple-darwin/bin/rustc
    364  72.9                61 more

 EVENTS  PROCS  FILE
     16      6  /Users/test/src/hello/src/main.rs  [close 5, open 5, lookup 2, …]
     11     11  /Library/Developer/CommandLineTools/usr/bin/clang  [exec 11]
     11      4  /Users/test/Downloads/Example Updater 2.1.dmg  [close 2, getextattr 2, open 2, …]
                126 more
",
    );
}

#[test]
fn rows_are_sorted_as_asked() {
    let zsh = zsh();
    let (ls, cat) = (actor(11, 1, 10, "/bin/ls"), actor(12, 5, 10, "/bin/cat"));
    let messages = [
        zsh.opened(3, "/a"),
        zsh.opened(4, "/a"),
        zsh.opened(5, "/a"),
        ls.opened(1, "/b"),
        ls.exited(2, 256),
        cat.opened(9, "/b"),
        actor(13, 6, 10, "/bin/cat").opened(6, "/a"),
    ];
    let order = |key| {
        let text = summary(&["-c", "--summary-by", "program", "-S", key], &messages);
        let lines = table(&text, "PROGRAM");
        let names = lines
            .iter()
            .map(|line| line.trim().rsplit(' ').next().expect("a name").to_owned());
        names.collect::<Vec<_>>()
    };
    for (key, names) in [
        ("events", ["/bin/zsh", "/bin/cat", "/bin/ls"]),
        ("procs", ["/bin/cat", "/bin/ls", "/bin/zsh"]),
        ("failed", ["/bin/ls", "/bin/cat", "/bin/zsh"]),
        ("first", ["/bin/ls", "/bin/zsh", "/bin/cat"]),
        ("last", ["/bin/cat", "/bin/zsh", "/bin/ls"]),
        ("name", ["/bin/cat", "/bin/ls", "/bin/zsh"]),
    ] {
        assert_eq!(order(key), names, "{key}");
    }
}

#[test]
fn no_event_and_one_event() {
    assert_eq!(summary(&["-c"], &[]), "no events; none missing\n");
    assert_eq!(
        summary_json(&[], &[]),
        json!({
            "events": 0, "types": 0,
            "processes": {"seen": 0, "started": 0, "ended": 0, "status": 0, "signal": 0},
            "missing": {}, "by_event": [], "by_program": [], "by_file": [],
        })
    );
    assert_eq!(
        summary(&["-c"], &[zsh().opened(5, "/a")]),
        "\
1 event of 1 type, 1 process, at 2026-03-14 12:00:05; none missing

 EVENTS     %  PROCS  FIRST     LAST      EVENT
      1 100.0      1  12:00:05  12:00:05  open

 EVENTS     %  PROCS FAILED  PROGRAM
      1 100.0      1         /bin/zsh

 EVENTS  PROCS  FILE
      1      1  /a  [open 1]
"
    );
}

#[test]
fn what_is_missing_is_in_the_head() {
    let run = run(&["-r", "tests/data/gaps.jsonl", "-c", "--top", "1"]);
    assert_eq!(run.status, 0);
    assert_eq!(
        run.out.lines().next(),
        Some(
            "4 events of 2 types, 1 process, in 54 ns (2021-02-20 19:53:54 to 19:53:54), 74,074,074 a second; \
             1,281 missing: open 1,199, close 82"
        )
    );
    let json = run_json(&["-r", "tests/data/gaps.jsonl", "-c", "-F", "json"]);
    assert_eq!(json["missing"], json!({"open": 1199, "close": 82}));
}

fn run_json(args: &[&str]) -> Value {
    serde_json::from_str(&run(args).out).expect("JSON")
}

#[test]
fn a_process_is_a_pid_and_its_start() {
    let first = actor(10, 0, 1, "/bin/a");
    let second = actor(10, 100, 1, "/bin/a");
    let text = summary(
        &["-c", "--summary-by", "program"],
        &[
            first.opened(1, "/x"),
            first.executed(2, &first.became("/bin/b"), &["b"]),
            first.became("/bin/b").opened(3, "/x"),
            first.became("/bin/b").exited(4, 0),
            second.opened(101, "/x"),
            // A late event of the first process.
            first.became("/bin/b").opened(102, "/x"),
        ],
    );
    assert_eq!(
        text,
        "\
6 events of 3 types, 2 processes, in 1:41 (2026-03-14 12:00:01 to 12:01:42), 0.059 a second; none missing
no processes started, 1 ended: 1 with 0

 EVENTS     %  PROCS FAILED  PROGRAM
      3  50.0      2         /bin/a
      3  50.0      1         /bin/b
"
    );
    // Without start times, an exited process and another image with its pid are two processes.
    let old = |actor: &Actor, version| Actor {
        start: None,
        version,
        ..actor.clone()
    };
    let text = summary(
        &["-c", "--summary-by", "program"],
        &[
            old(&first, 1).opened(1, "/x"),
            old(&first, 2).opened(2, "/x"),
            old(&first, 2).exited(3, 0),
            old(&first, 2).opened(4, "/x"),
            old(&first, 3).opened(5, "/x"),
        ],
    );
    assert_eq!(
        table(&text, "PROGRAM"),
        ["      5 100.0      2         /bin/a"]
    );
}

#[test]
fn processes_that_fail_count_for_the_image_that_they_had() {
    let zsh = zsh();
    let (child, other) = (actor(11, 1, 10, "/bin/zsh"), actor(12, 3, 10, "/bin/zsh"));
    let made = child.became("/usr/bin/make");
    let messages = [
        zsh.forked(1, &child),
        child.executed(2, &made, &["make"]),
        made.exited(3, 2 << 8),
        zsh.forked(3, &other),
        other.exited(4, 139),
        // An exit with an unknown status, and one without a process.
        zsh.did(5, &json!({"exit": {}})),
        line(&json!({"time": time(6), "event": {"exit": {"stat": 256}}})),
    ];
    let text = summary(&["-c", "--summary-by", "program,user"], &messages);
    assert_eq!(
        text,
        "\
7 events of 3 types, 3 processes, in 5.0 s (2026-03-14 12:00:01 to 12:00:06), 1.4 a second; none missing
2 processes started, 3 ended: 1 with another status, 1 by a signal, 1 with an unknown status

 EVENTS     %  PROCS FAILED  PROGRAM
      5  71.4      3      1  /bin/zsh
      1  14.3      1      1  /usr/bin/make

 EVENTS     %  PROCS FAILED  USER
      6  85.7      3      2  501
"
    );
    // Lives are read even if their events aren't selected, but only events that are shown are counted.
    let text = summary(&["-c", "-e", "fork", "--summary-by", "program"], &messages);
    assert_eq!(
        text,
        "\
2 events of 1 type, 3 processes, in 2.0 s (2026-03-14 12:00:01 to 12:00:03), 1.0 a second; none missing
2 processes started, 3 ended: 1 with another status, 1 by a signal, 1 with an unknown status

 EVENTS     %  PROCS FAILED  PROGRAM
      2 100.0      1         /bin/zsh
"
    );
    assert_eq!(
        summary(&["-c", "-e", "open"], &messages),
        "no events; none missing\n"
    );
}

#[test]
fn a_file_counts_once_an_event() {
    let zsh = zsh();
    let file = |path: &str| json!({"path": path, "path_truncated": false});
    let messages = [
        // Both ends are the same file; then two files, one given by its folder and its name.
        zsh.did(1, &json!({"clone": {"source": file("/d/a"), "target_dir": file("/d"), "target_name": "a"}})),
        zsh.did(
            2,
            &json!({"rename": {
                "source": file("/d/a"),
                "destination_type": 1,
                "destination": {"new_path": {"dir": file("/d"), "filename": "b"}},
            }}),
        ),
        zsh.executed(3, &zsh.became("/d/b"), &["b"]),
    ];
    let text = summary(&["-c", "--summary-by", "file,folder"], &messages);
    assert_eq!(
        table(&text, "FILE"),
        [
            "      2      1  /d/a  [clone 1, rename 1]",
            "      2      1  /d/b  [exec 1, rename 1]",
        ]
    );
    assert_eq!(table(&text, "FOLDER"), ["      3      2      1  /d"]);
    // The files of folders are counted even if their table isn't requested.
    let text = summary(&["-c", "--summary-by", "folder"], &messages);
    assert_eq!(table(&text, "FOLDER"), ["      3      2      1  /d"]);
}

#[test]
fn whatever_is_absent_or_unknown_is_counted() {
    let messages = [
        line(&json!({"event": {"open": {}}})),
        line(
            &json!({"time": time(1), "event": {"quantum\u{1b}": {"x": 1}}, "event_type": 200, "process": null}),
        ),
        line(
            &json!({"time": time(2), "event": open("/a"), "process": {"executable": {"path": "/bin/a", "path_truncated": false}}}),
        ),
        line(
            &json!({"time": time(2), "event": {"exit": {"stat": 0}}, "process": {"audit_token": {"pid": 5}}}),
        ),
    ];
    let by = "event,program,file,process,folder,user,team,class";
    assert_eq!(
        summary(&["-c", "--summary-by", by], &messages),
        "\
4 events of 3 types, 1 process, in 1.0 s (2026-03-14 12:00:01 to 12:00:02), 4.0 a second; none missing
no processes started, 1 ended: 1 with 0

 EVENTS     %  PROCS  FIRST     LAST      EVENT
      2  50.0      0  12:00:02  12:00:02  open
      1  25.0      1  12:00:02  12:00:02  exit
      1  25.0      0  12:00:01  12:00:01  quantum\\x1b

 EVENTS     %  PROCS FAILED  PROGRAM
      1  25.0      0         /bin/a

 EVENTS  PROCS  FILE
      1      0  /a  [open 1]

 EVENTS     %    PID    EXIT  COMMAND
      1  25.0      5       0  -

 EVENTS  FILES  PROCS  FOLDER
      1      1      0  /

 EVENTS     %  PROCS FAILED  TEAM
      1  25.0      1         -

 EVENTS     %  PROCS  CLASS
      2  50.0      0  file
      1  25.0      1  process
      1  25.0      0  unknown
"
    );
    // Without a time.
    assert_eq!(
        summary(&["-c", "--summary-by", "event"], &messages[..1]),
        "1 event of 1 type, no processes; none missing\n\
         \n EVENTS     %  PROCS  FIRST     LAST      EVENT\n      1 100.0      0                      open\n"
    );
}

#[test]
fn times_run_backwards_and_over_days() {
    let zsh = zsh();
    let backwards = [
        zsh.opened(50, "/a"),
        zsh.opened(10, "/b"),
        zsh.opened(30, "/a"),
    ];
    let text = summary(&["-c", "--summary-by", "event"], &backwards);
    assert_eq!(
        text,
        "\
3 events of 1 type, 1 process, in 40.0 s (2026-03-14 12:00:10 to 12:00:50), 0.075 a second; none missing

 EVENTS     %  PROCS  FIRST     LAST      EVENT
      3 100.0      1  12:00:10  12:00:50  open
"
    );
    let at = |time: &str| line(&json!({"time": time, "process": zsh.json(), "event": open("/a")}));
    let days = [at("2026-03-14T23:30:00Z"), at("2026-03-16T01:00:00Z")];
    let text = summary(&["-c", "--summary-by", "event"], &days);
    assert_eq!(
        text,
        "\
2 events of 1 type, 1 process, in 25:30:00 (2026-03-14 23:30:00 to 2026-03-16 01:00:00), 0.000022 a second; \
none missing

 EVENTS     %  PROCS  FIRST                LAST                 EVENT
      2 100.0      1  2026-03-14 23:30:00  2026-03-16 01:00:00  open
"
    );
    // Past midnight, but less than a day.
    let night = [at("2026-03-14T23:30:00Z"), at("2026-03-15T01:00:00Z")];
    let text = summary(&["-c", "--summary-by", "event"], &night);
    assert_eq!(
        table(&text, "EVENT"),
        ["      2 100.0      1  23:30:00  01:00:00  open"]
    );
    assert!(
        text.contains("(2026-03-14 23:30:00 to 2026-03-15 01:00:00)"),
        "{text}"
    );
}

#[test]
fn large_numbers_widen_their_columns() {
    let zsh = zsh();
    let messages: Vec<_> = (0..1200).map(|_| zsh.opened(1, "/a")).collect();
    let text = summary(&["-c", "--summary-by", "event,file"], &messages);
    assert_eq!(
        table(&text, "EVENT"),
        ["  1,200 100.0      1  12:00:01  12:00:01  open"]
    );
    assert_eq!(table(&text, "FILE"), ["  1,200      1  /a  [open 1,200]"]);
}

#[test]
fn more_files_than_are_counted_one_by_one() {
    let zsh = zsh();
    let mut messages = vec![zsh.opened(0, "/often"), zsh.opened(0, "/often")];
    messages.extend((0..100_000).map(|number| zsh.opened(1, &format!("/once/{number}"))));
    messages.extend([zsh.opened(2, "/often"), zsh.opened(2, "/often")]);
    let args = ["-c", "--summary-by", "event,file", "--top", "1"];
    let text = summary(&args, &messages);
    assert_eq!(
        text,
        "\
100,004 events of 1 type, 1 process, in 2.0 s (2026-03-14 12:00:00 to 12:00:02), 50,002 a second; none missing
more than 100,000 files: the rarest are only in \"more\", and a count may be too low by 1

  EVENTS     %  PROCS  FIRST     LAST      EVENT
 100,004 100.0      1  12:00:00  12:00:02  open

 EVENTS  PROCS  FILE
      4      1  /often  [open 4]
                100,000 more
"
    );
    let json = summary_json(&["--summary-by", "file", "--top", "1"], &messages);
    assert_eq!(
        json["by_file"],
        json!([{"file": "/often", "events": 4, "processes": 1, "by_event": {"open": 4}}])
    );
    assert_eq!(
        json["folded_file"],
        json!({"names": 25_001, "events": 25_001, "error": 1})
    );
}

#[test]
fn several_recordings_are_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    let (a, b) = (path("a"), path("b"));
    std::fs::write(&a, zsh().opened(1, "/x")).expect("a file");
    std::fs::write(&b, zsh().opened(2, "/x") + &zsh().exited(3, 0)).expect("a file");
    let run = run(&[
        "-c",
        "--summary-by",
        "file",
        "-r",
        &a,
        "-r",
        &b,
        "-r",
        "tests/data/gaps.jsonl",
    ]);
    assert_eq!(run.status, 0);
    let head = run.out.lines().next().expect("a head");
    assert!(
        head.starts_with("7 events of 3 types, 2 processes, in "),
        "{head}"
    );
    assert!(
        head.ends_with("; 1,281 missing: open 1,199, close 82"),
        "{head}"
    );
    assert_eq!(table(&run.out, "FILE")[1], "      2      1  /x  [open 2]");
}

#[test]
fn damage_is_reported_as_always() {
    let run = run(&[
        "-r",
        "tests/data/damaged.jsonl",
        "-c",
        "--summary-by",
        "event",
    ]);
    assert_eq!(run.status, 1);
    assert!(
        run.out.starts_with("3 events of 2 types, 2 processes, "),
        "{}",
        run.out
    );
    assert_eq!(run.err.lines().count(), 4, "{}", run.err);
}

#[test]
fn the_events_come_first_with_a_capital() {
    let messages = [zsh().opened(1, "/a")];
    let brief = ["--summary-by", "event"];
    let only = summary(&[&["-c"], &brief[..]].concat(), &messages);
    let line = summary(&["-F", "line"], &messages);
    assert_eq!(
        summary(&[&["-C", "-F", "line"], &brief[..]].concat(), &messages),
        line + "\n" + &only
    );
    let text = summary(&[], &messages);
    assert_eq!(
        summary(&[&["-C"], &brief[..]].concat(), &messages),
        text + &only
    );
    let json = summary(&["-F", "json"], &messages);
    let only = summary(&["-F", "json", "-c"], &messages);
    assert_eq!(summary(&["-F", "json", "-C"], &messages), json + &only);
}

#[test]
fn events_are_recorded_also_where_a_summary_takes_their_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("kept.jsonl");
    let messages = [zsh().opened(1, "/a"), zsh().exited(2, 0)];
    let kept = path.to_str().expect("UTF-8");
    let text = summary(
        &["-c", "-e", "open", "--summary-by", "event", "-w", kept],
        &messages,
    );
    assert!(
        text.starts_with("1 event of 1 type, 1 process, at "),
        "{text}"
    );
    assert_eq!(
        std::fs::read_to_string(&path).expect("the file"),
        messages[0]
    );
}

#[test]
fn selectors_and_limits_come_before_the_summary() {
    let head = |args: &[&str]| {
        let run = run(&[&["-r", HOUR, "-c"], args].concat());
        assert_eq!((run.err.as_str(), run.status), ("", 0));
        run.out.lines().next().expect("a head").to_owned()
    };
    assert!(head(&["-n", "7"]).starts_with("7 events of 6 types, 3 processes, "));
    assert!(head(&["-e", "open,close"]).starts_with("102 events of 2 types, 36 processes, "));
    assert!(head(&["-f", "--name", "make"]).starts_with("81 events of 11 types, 13 processes, "));
}

#[test]
fn json_has_all_rows() {
    let json = run_json(&["-r", HOUR, "-c", "-F", "json"]);
    assert_eq!(json["by_event"].as_array().map(Vec::len), Some(71));
    assert_eq!(json["by_program"].as_array().map(Vec::len), Some(64));
    assert_eq!(json["by_file"].as_array().map(Vec::len), Some(129));
    assert_eq!(
        json["by_event"][0],
        json!({
            "event": "exec", "events": 74, "processes": 60,
            "first": "2026-03-14T09:00:02.122611275Z", "last": "2026-03-14T09:57:27.360847089Z",
        })
    );
    assert_eq!(
        json["by_program"][0],
        json!({"program": "/bin/zsh", "events": 58, "processes": 21, "failed": 1})
    );
    assert_eq!(json["seconds"].to_string(), "3541.545577905");
    assert_eq!(
        json["processes"],
        json!({"seen": 80, "started": 61, "ended": 61, "status": 14, "signal": 5})
    );
    let by = "process,user,team,class,folder";
    let json = run_json(&[
        "-r",
        HOUR,
        "-c",
        "-F",
        "json",
        "--top",
        "1",
        "--summary-by",
        by,
    ]);
    assert_eq!(
        json["by_process"],
        json!([{
            "pid": 21844, "euid": 501, "start": "2026-03-14T09:00:02.126642000Z",
            "end": "2026-03-14T09:59:03.661906746Z", "stat": 1, "args": ["-zsh"], "executable": "/bin/zsh", "events": 41,
        }])
    );
    assert_eq!(
        json["by_user"],
        json!([{"euid": 501, "events": 369, "processes": 56, "failed": 15}])
    );
    assert_eq!(
        json["by_team"],
        json!([{"team": null, "events": 466, "processes": 76, "failed": 18}])
    );
    assert_eq!(
        json["by_class"],
        json!([{"class": "file", "events": 245, "processes": 49}])
    );
    assert_eq!(
        json["by_folder"],
        json!([{"folder": "/Users/test/Documents", "events": 30, "files": 7, "processes": 6}])
    );
    assert!(json.get("by_event").is_none());
}

#[test]
fn names_never_act_on_a_terminal() {
    let evil = actor(10, 0, 1, "/bin/\u{1b}[2Jevil\n");
    let messages = [
        evil.executed(1, &evil.became("/x\u{202e}"), &["\u{1b}]0;x\u{7}", "日本"]),
        evil.opened(2, "/\u{1b}[31m/\\"),
    ];
    let text = summary(
        &["-c", "--summary-by", "program,file,process,folder"],
        &messages,
    );
    assert_eq!(
        table(&text, "PROGRAM"),
        ["      2 100.0      1         /bin/\\x1b[2Jevil\\n"]
    );
    assert_eq!(
        table(&text, "FILE"),
        [
            "      1      1  /\\x1b[31m/\\\\  [open 1]",
            "      1      1  /x\\u{202e}  [exec 1]",
        ]
    );
    let json = summary_json(&["--summary-by", "program"], &messages);
    assert_eq!(json["by_program"][0]["program"], "/bin/\u{1b}[2Jevil\n");
}

#[test]
fn wrong_usage_is_refused() {
    for (args, said) in [
        (&["-c", "-C"][..], "cannot be used with"),
        (&["--top", "3"], "--summary-only|--summary"),
        (&["--summary-by", "event"], "--summary-only|--summary"),
        (&["-S", "name"], "--summary-only|--summary"),
        (&["--summary-every", "1s"], "--tree"),
        (&["-c", "--summary-by", "colour"], "invalid value 'colour'"),
        (
            &["-c", "--summary-every", "0"],
            "--summary-every 0: expected a duration above 0",
        ),
        (
            &["-c", "--summary-every", "soon"],
            "--summary-every soon: expected a duration such as",
        ),
        (&["-c", "--top", "-1"], "unexpected argument '-1'"),
        (&["--tree=colour"], "invalid value 'colour'"),
        (&["--tree-by", "launched"], "--tree"),
    ] {
        let run = run(&[&["-r", HOUR], args].concat());
        assert_eq!((run.out.as_str(), run.status), ("", 2), "{args:?}");
        assert!(run.err.contains(said), "{args:?}: {}", run.err);
    }
}
