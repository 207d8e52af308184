//! The output with the options that select events by their processes, files, time and number.

mod common;

use std::io::Read as _;
use std::path::PathBuf;
use std::process::Stdio;

use common::{Run, assert_same, file, message, proctracer, read, run, run_with_input};
use serde_json::{Value, json};

const HOUR: &str = "samples/developers-hour.jsonl";
const EXPECTED: &str = "tests/data/select.console";

/// Runs the program on the sample, with `-F line`.
fn of_hour(args: &[&str]) -> Run {
    run(&[&["-r", HOUR, "-F", "line", "--utc"], args].concat())
}

/// The words of a command; those in `'…'` may have spaces in them.
fn words(command: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = command.trim();
    while !rest.is_empty() {
        let (word, after) = match rest.strip_prefix('\'') {
            Some(quoted) => quoted.split_once('\'').expect("the quote is closed"),
            None => rest.split_once(' ').unwrap_or((rest, "")),
        };
        words.push(word);
        rest = after.trim_start();
    }
    words
}

#[test]
fn the_sample_is_selected_as_expected() {
    let expected = read(EXPECTED);
    let mut actual = String::new();
    let mut commands = 0;
    for line in expected.lines() {
        if line.starts_with('#') {
            actual += line;
            actual += "\n\n";
        } else if let Some(command) = line.strip_prefix("$ proctracer ") {
            let run = of_hour(&words(command));
            assert_eq!(run.status, 0, "{command}: {}", run.err);
            actual += &[line, "\n", &run.out, &run.err, "\n"].concat();
            commands += 1;
        }
    }
    assert!(commands > 25);
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        let actual = actual.trim_end().to_owned() + "\n";
        std::fs::write(file(EXPECTED), actual).expect("the file can be written");
    }
    assert_same(&actual, &(read(EXPECTED) + "\n"));
}

/// The first `open` of the fixtures, by a process with this image, of this file.
fn open(image: &str, path: &str) -> Value {
    let mut message: Value = serde_json::from_str(&message("open")).expect("JSON");
    message["process"]["executable"]["path"] = image.into();
    message["event"]["open"]["file"]["path"] = path.into();
    message
}

/// An event of a process of the fixtures.
fn with(event: &str, members: Value) -> Value {
    let mut message: Value = serde_json::from_str(&message("open")).expect("JSON");
    message["event"] = Value::Object(std::iter::once((event.to_owned(), members)).collect());
    message
        .as_object_mut()
        .expect("an object")
        .remove("event_type");
    message
}

/// An exec of the fixtures: from one image to another, with a script.
fn exec(image: &str, target: &str, script: Option<&str>) -> Value {
    let mut message: Value = serde_json::from_str(&message("exec")).expect("JSON");
    let script = script.map(|path| json!({"path": path, "path_truncated": false}));
    message["process"]["executable"]["path"] = image.into();
    message["event"]["exec"]["target"]["executable"]["path"] = target.into();
    message["event"]["exec"]["script"] = script.into();
    message
}

/// A recording whose file is removed when this is dropped.
struct Recording {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

impl Recording {
    fn of(messages: &[Value]) -> Recording {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.jsonl");
        let lines: Vec<_> = messages.iter().map(Value::to_string).collect();
        std::fs::write(&path, lines.join("\n") + "\n").expect("the file can be written");
        Recording {
            _folder: folder,
            path,
        }
    }

    /// The indexes of the messages that are shown, and standard error.
    fn shown(&self, messages: &[Value], args: &[&str]) -> (Vec<usize>, String) {
        let path = self.path.to_str().expect("UTF-8");
        let run = run(&[&["-F", "json", "-r", path], args].concat());
        assert_eq!(run.status, 0, "{args:?}: {}", run.err);
        let place = |line: &str| {
            let shown: Value = serde_json::from_str(line).expect("JSON");
            messages
                .iter()
                .position(|message| *message == shown)
                .expect("it is one of them")
        };
        (run.out.lines().map(place).collect(), run.err)
    }
}

/// Checks that the options show the messages with these indexes, and print no message.
#[track_caller]
fn show(messages: &[Value], args: &[&str], places: &[usize]) {
    let shown = Recording::of(messages).shown(messages, args);
    assert_eq!(shown, (places.to_vec(), String::new()), "{args:?}");
}

/// Checks that the options show nothing, and that the one that matched nothing is reported.
#[track_caller]
fn show_nothing(messages: &[Value], args: &[&str]) {
    let said = format!("proctracer: {} {} matched nothing\n", args[0], args[1]);
    let shown = Recording::of(messages).shown(messages, args);
    assert_eq!(shown, (vec![], said), "{args:?}");
}

/// Numbers messages as one source does, each at a second of its own.
fn in_order(mut messages: Vec<Value>) -> Vec<Value> {
    let mut of_type = std::collections::HashMap::<String, u64>::new();
    for (number, message) in messages.iter_mut().enumerate() {
        let event = message["event"]
            .as_object()
            .expect("an object")
            .keys()
            .next();
        let of_type = of_type.entry(event.expect("a name").clone()).or_default();
        message["global_seq_num"] = number.into();
        message["seq_num"] = (*of_type).into();
        message["time"] = format!("2026-05-01T10:00:{number:02}.000000000Z").into();
        *of_type += 1;
    }
    messages
}

/// Turns the process of a message into the one with this pid, which another one forked at this second.
fn becomes(process: &mut Value, pid: i32, parent: i32, second: u32) {
    process["audit_token"]["pid"] = pid.into();
    process["audit_token"]["pidversion"] = (pid * 10).into();
    process["ppid"] = parent.into();
    process["original_ppid"] = parent.into();
    process["parent_audit_token"]["pid"] = parent.into();
    process["start_time"] = format!("2026-05-01T10:00:{second:02}.000000Z").into();
}

#[test]
fn links_that_every_mac_has_are_followed() {
    let safari = "/System/Volumes/Preboot/Cryptexes/App/System/Applications/Safari.app/Contents/MacOS/Safari";
    let images = [
        safari,
        "/Users/test/bin/tool",
        "/System/Volumes/Data/Users/test/bin/tool",
        "/private/tmp/a.out",
        "/System/Volumes/Data/private/var/x",
        "/System/Volumes/Preboot/Cryptexes/OS/usr/bin/x",
        "/System/Library/x",
        "/usr/local/bin/x",
    ];
    let expected: [(&str, &[usize]); 16] = [
        ("/Applications/Safari.app", &[0]),
        ("/System/Cryptexes/App/System/Applications/Safari.app", &[0]),
        ("/System/Cryptexes", &[0, 5]),
        ("/System/Cryptexes/OS", &[5]),
        ("/Applications", &[0]),
        ("/System/Volumes/Data/Users/test/bin", &[1, 2]),
        ("/Users/test/bin", &[1, 2]),
        ("/Users/test/bin/", &[1, 2]),
        ("/Users/other/../test/./bin", &[1, 2]),
        ("/tmp", &[3]),
        ("/private/tmp", &[3]),
        ("/var", &[4]),
        ("/System/Volumes/Data", &[0, 1, 2, 3, 4, 7]),
        // The data volume is mounted there but isn't included; a path that says it lies there is.
        ("/System", &[0, 2, 4, 5, 6]),
        ("/System/Volumes/Data/usr/local", &[7]),
        ("/", &[0, 1, 2, 3, 4, 5, 6, 7]),
    ];
    let by_image: Vec<_> = images
        .iter()
        .map(|image| open(image, "/dev/null"))
        .collect();
    let by_file: Vec<_> = images.iter().map(|path| open("/bin/cat", path)).collect();
    for (path, places) in expected {
        show(&by_image, &["-p", path], places);
        show(&by_file, &["-P", path], places);
        let not = |is: &[usize]| {
            (0..images.len())
                .filter(|place| !is.contains(place))
                .collect::<Vec<_>>()
        };
        show(&by_image, &["--not-path", path], &not(places));
        show(&by_file, &["--not-target", path], &not(places));
    }
    for (pattern, places) in [
        ("/Applications/*/Contents/**", &[0][..]),
        ("/tmp/*.out", &[3]),
        ("/System/Volumes/Data/Users/**", &[1, 2]),
        ("/Users/*/bin/tool", &[1, 2]),
        ("/usr/**", &[7]),
        ("**/bin/*", &[1, 2, 5, 7]),
    ] {
        show(&by_file, &["-P", pattern], places);
    }
    show_nothing(&by_file, &["-P", "/Users/test/bi"]);
    show_nothing(&by_image, &["-p", "/tmp/a"]);
}

#[test]
fn paths_are_compared_as_apfs_does() {
    let (composed, apart) = ("/Users/test/Caf\u{e9}", "/Users/test/Cafe\u{301}");
    let (hangul, jamo) = (
        "/Users/test/\u{d55c}",
        "/Users/test/\u{1112}\u{1161}\u{11ab}",
    );
    let under = |path: &str| format!("{path}/a");
    let images = [
        composed,
        apart,
        hangul,
        jamo,
        "/Users/test/Cafe",
        "/Users/test/cafE\u{301}",
    ];
    let by_image: Vec<_> = images
        .iter()
        .map(|image| open(&under(image), "/dev/null"))
        .collect();
    let by_file: Vec<_> = images
        .iter()
        .map(|path| open("/bin/cat", &under(path)))
        .collect();
    for (path, places) in [
        (composed, &[0, 1][..]),
        (apart, &[0, 1]),
        (hangul, &[2, 3]),
        (jamo, &[2, 3]),
        ("/Users/test/Cafe", &[4]),
        // Nothing has exactly this name, so case doesn't count.
        ("/Users/test/CAF\u{c9}", &[0, 1, 5]),
        ("/users/TEST/cafe", &[4]),
        ("/USERS", &[0, 1, 2, 3, 4, 5]),
    ] {
        show(&by_image, &["-p", path], places);
        show(&by_file, &["-P", path], places);
    }
    show(&by_file, &["-P", "/Users/*/Caf\u{e9}/**"], &[0, 1]);
    show(&by_file, &["-P", "/users/*/CAF\u{c9}/**"], &[0, 1, 5]);
    let names: Vec<_> = images
        .iter()
        .map(|image| open(image, "/dev/null"))
        .collect();
    show(&names, &["--name", "Caf\u{e9}"], &[0, 1]);
    // A name is always compared with case: it isn't a path.
    show_nothing(&names, &["--name", "CAF\u{c9}"]);
    // If one path matches exactly, case counts for the others, too.
    let two = Recording::of(&by_file).shown(&by_file, &["-P", composed, "-P", "/USERS"]);
    assert_eq!(
        two,
        (vec![0, 1], "proctracer: -P /USERS matched nothing\n".into())
    );
}

#[test]
fn a_script_counts_as_an_image() {
    let mut messages = in_order(vec![
        exec("/bin/zsh", "/bin/sh", Some("/Users/test/run.sh")),
        exec("/bin/zsh", "/bin/sh", Some("/private/tmp/run.sh")),
        exec("/bin/zsh", "/bin/sh", None),
        open("/bin/sh", "/Users/test/run.sh"),
    ]);
    for message in &mut messages {
        becomes(&mut message["process"], 10, 1, 0);
        if message["event"]["exec"].is_object() {
            becomes(&mut message["event"]["exec"]["target"], 10, 1, 0);
        }
    }
    show(&messages, &["-e", "exec", "-p", "/Users/test/run.sh"], &[0]);
    show(&messages, &["-p", "/Users/test"], &[0]);
    show(&messages, &["-p", "/tmp/run.sh"], &[1]);
    show(
        &messages,
        &["-p", "/Users/test", "-p", "/private/tmp"],
        &[0, 1],
    );
    // From then on it is followed, whatever its image.
    show(
        &messages,
        &["-f", "-p", "/Users/test/run.sh"],
        &[0, 1, 2, 3],
    );
    show(&messages, &["-P", "[r]un.sh"], &[0, 1, 3]);
    // An exclusion goes by the image.
    show(&messages, &["--not-path", "/Users/test"], &[0, 1, 2, 3]);
    show(&messages, &["--not-path", "/bin/zsh"], &[0, 1, 2, 3]);
    show(&messages, &["--not-path", "/bin"], &[]);
}

#[test]
fn every_file_of_an_event_counts_and_no_directory_that_only_locates_a_name() {
    let file = |path: &str| json!({"path": path, "path_truncated": false});
    let messages = [
        with(
            "create",
            json!({"destination_type": 1, "destination": {"new_path": {"dir": file("/a/b"), "filename": "c", "mode": 0}}}),
        ),
        with(
            "rename",
            json!({"source": file("/a/x"), "destination_type": 0, "destination": {"existing_file": file("/d/e")}}),
        ),
        with(
            "unlink",
            json!({"target": file("/h/g"), "parent_dir": file("/a/b")}),
        ),
        with(
            "clone",
            json!({"source": file("/s"), "target_dir": file("/a/b"), "target_name": "t"}),
        ),
        with(
            "lookup",
            json!({"source_dir": file("/a/b"), "relative_target": "c"}),
        ),
        with(
            "lookup",
            json!({"source_dir": file("/a/b"), "relative_target": "/d/e"}),
        ),
        with(
            "lookup",
            json!({"source_dir": file("/"), "relative_target": "a"}),
        ),
        with(
            "uipc_bind",
            json!({"dir": file("/a/b"), "filename": "s", "mode": 0}),
        ),
        with(
            "file_provider_update",
            json!({"source": file("/s"), "target_path": "/d/e"}),
        ),
        exec("/a/b", "/d/e", Some("/s")),
        with("chdir", json!({"target": file("/a/b")})),
    ];
    let cwd = messages[9]["event"]["exec"]["cwd"]["path"]
        .as_str()
        .expect("a path");
    for (place, places) in [
        ("/a/b", &[0, 3, 4, 7, 10][..]),
        ("/a/b/c", &[0, 4]),
        ("/a/b/t", &[3]),
        ("/a/b/s", &[7]),
        ("/a", &[0, 1, 3, 4, 6, 7, 10]),
        ("/a/b/c/", &[0, 4]),
        ("/d", &[1, 5, 8, 9]),
        ("/s", &[3, 8, 9]),
        ("/h/g", &[2]),
        (cwd, &[9]),
        // A pattern of a directory matches only the directory itself.
        ("/a/[b]", &[10]),
        ("/a/b/*", &[0, 3, 4, 7]),
        ("[sb]", &[3, 7, 8, 9, 10]),
    ] {
        show(&messages, &["-P", place], places);
    }
    show(
        &messages,
        &["-P", "/a/b", "--not-target", "[c]"],
        &[3, 7, 10],
    );
    show_nothing(&messages, &["-P", "/b"]);
}

#[test]
fn what_daemons_do_belongs_to_whom_they_do_it_for() {
    let mut create_user: Value = serde_json::from_str(&message("od_create_user")).expect("JSON");
    becomes(&mut create_user["process"], 100, 1, 0);
    becomes(
        &mut create_user["event"]["od_create_user"]["instigator"],
        200,
        150,
        1,
    );
    create_user["event"]["od_create_user"]["instigator"]["executable"]["path"] =
        "/usr/sbin/sysadminctl".into();
    create_user["event"]["od_create_user"]["instigator_token"] =
        create_user["event"]["od_create_user"]["instigator"]["audit_token"].clone();
    // The same after its exit.
    let mut late = create_user.clone();
    late["event"]["od_create_user"]["instigator"] = Value::Null;
    let mut other = late.clone();
    other["event"]["od_create_user"]["instigator_token"]["pid"] = 201.into();
    other["event"]["od_create_user"]["instigator_token"]["euid"] = 77.into();
    let mut exit: Value = serde_json::from_str(&message("exit")).expect("JSON");
    becomes(&mut exit["process"], 200, 150, 1);
    let messages = in_order(vec![create_user, exit, late, other]);
    show(&messages, &["--pid", "200"], &[0, 1, 2]);
    show(&messages, &["--name", "sysadminctl"], &[0]);
    show(&messages, &["-f", "--name", "sysadminctl"], &[0, 1, 2]);
    show(&messages, &["-p", "/usr/sbin/sysadminctl"], &[0]);
    show(&messages, &["--user", "77"], &[3]);
    // Of a process with only a token, nothing else is known.
    let team = Recording::of(&messages).shown(&messages, &["--pid", "201", "--team", ""]);
    assert_eq!(
        team,
        (
            vec![],
            "proctracer: --team '' matched nothing that the other options select\n".into()
        )
    );
    // The events belong to the daemon, too.
    show(&messages, &["--pid", "100"], &[0, 2, 3]);
    show(&messages, &["--not-pid", "200"], &[0, 2, 3]);
    show(&messages, &["--not-pid", "100"], &[1]);
}

#[test]
fn a_tree_is_followed() {
    let fork = |pid, ppid, child, second| {
        let mut fork: Value = serde_json::from_str(&message("fork")).expect("JSON");
        becomes(&mut fork["process"], pid, ppid, 0);
        becomes(&mut fork["event"]["fork"]["child"], child, pid, second);
        fork
    };
    let by = |mut message: Value, pid, ppid, second| {
        becomes(&mut message["process"], pid, ppid, second);
        if message["event"]["exec"].is_object() {
            becomes(&mut message["event"]["exec"]["target"], pid, ppid, second);
            message["event"]["exec"]["target"]["audit_token"]["pidversion"] = (pid * 10 + 1).into();
        }
        message
    };
    let exit = || serde_json::from_str::<Value>(&message("exit")).expect("JSON");
    let messages = in_order(vec![
        by(open("/bin/zsh", "/a"), 10, 1, 0), // 0: before it is make
        fork(10, 1, 11, 1),                   // 1: a child from before
        by(exec("/bin/zsh", "/usr/bin/make", None), 10, 1, 0), // 2
        by(open("/bin/zsh", "/a"), 11, 10, 1), // 3: isn't one of make
        fork(10, 1, 12, 4),                   // 4
        by(exec("/usr/bin/make", "/usr/bin/cc", None), 12, 10, 4), // 5
        by(open("/usr/bin/ld", "/a"), 13, 12, 6), // 6: its fork is missing
        by(exit(), 12, 1, 4),                 // 7
        by(open("/usr/bin/ld", "/b"), 13, 1, 6), // 8: it is launchd's now
        by(open("/bin/x", "/b"), 12, 1, 9),   // 9: another process of this pid
        by(exec("/usr/bin/make", "/usr/bin/other", None), 10, 1, 0), // 10
        by(open("/usr/bin/other", "/b"), 10, 1, 0), // 11
        by(exit(), 10, 1, 0),                 // 12
        by(open("/bin/x", "/c"), 10, 1, 13),  // 13: another process of this pid
    ]);
    let recording = Recording::of(&messages);
    let said = "proctracer: fork events are missing: 1 process was recognised by its parent, others may be missing\n";
    for (args, places, said) in [
        (
            &["-f", "--name", "make"][..],
            &[2, 4, 5, 6, 7, 8, 10, 11, 12][..],
            said,
        ),
        (&["-f", "--name", "make", "-e", "open"], &[6, 8, 11], said),
        // Of events that aren't selected, only the lives of processes are read.
        (
            &["-f", "--name", "make", "-e", "exec", "--not-name", "make"],
            &[2, 5, 10],
            "",
        ),
        (
            &["-f", "--name", "make", "--not-name", "ld", "-P", "/b"],
            &[11],
            "",
        ),
        (&["-f", "--name", "cc"], &[5, 6, 7, 8], said),
        (&["-f", "--name", "make", "-n", "2"], &[2, 4], ""),
    ] {
        let shown = recording.shown(&messages, args);
        assert_eq!(shown, (places.to_vec(), said.to_owned()), "{args:?}");
    }
    show(&messages, &["-f", "--pid", "11"], &[1, 3]);
    show(&messages, &["--name", "make"], &[2, 5, 10]);
}

#[test]
fn a_late_message_of_a_process_of_before_does_not_end_the_tree() {
    let mut messages = vec![
        open("/bin/make", "/a"),
        open("/bin/sh", "/a"),
        open("/bin/cat", "/a"),
    ];
    becomes(&mut messages[0]["process"], 10, 1, 5);
    becomes(&mut messages[1]["process"], 10, 1, 1);
    becomes(&mut messages[2]["process"], 10, 1, 5);
    let messages = in_order(messages);
    show(&messages, &["-f", "--name", "make"], &[0, 2]);
}

#[test]
fn failures_are_selected() {
    let mut denied = open("/bin/cat", "/a");
    denied["action"] = json!({"result": {"result_type": 0, "result": {"auth": 1}}});
    let messages = [
        with("exit", json!({"stat": 0})),
        with("exit", json!({"stat": 256})),
        with("exit", json!({"stat": 9})),
        with("sudo", json!({"success": false})),
        with("sudo", json!({"success": true})),
        with("openssh_login", json!({"success": true, "result_type": 2})),
        with("openssh_login", json!({"success": true, "result_type": 4})),
        denied,
        open("/bin/cat", "/a"),
    ];
    show(&messages, &["-Z"], &[1, 2, 3, 6, 7]);
    show(&messages, &["-Z", "-e", "exit"], &[1, 2]);
}

/// Checks that the options are refused with status 2 and this line.
#[track_caller]
fn refused(args: &[&str], said: &str) {
    let run = of_hour(args);
    assert_eq!(
        (run.out.as_str(), run.err.lines().next(), run.status),
        ("", Some(said), 2),
        "{args:?}"
    );
}

#[test]
fn wrong_options_are_refused_and_say_why() {
    for (args, said) in [
        (
            &["-f"][..],
            "proctracer: -f follows what a selected process starts: select one, as with --pid, --name or -p",
        ),
        (
            &["-f", "-P", "/a", "-Z"],
            "proctracer: -f follows what a selected process starts: select one, as with --pid, --name or -p",
        ),
        (
            &["-f", "--not-name", "a"],
            "proctracer: -f follows what a selected process starts: select one, as with --pid, --name or -p",
        ),
        (
            &["-p", "123"],
            "proctracer: -p 123: -p takes the path of an executable; --pid 123 selects a process",
        ),
        (
            &["--user", "no-such-user"],
            "proctracer: --user no-such-user: no such user here; give the number of the user",
        ),
        (
            &["--user", ""],
            "proctracer: --user '': no such user here; give the number of the user",
        ),
        (
            &["-P", "/é/[ab"],
            "proctracer: -P /é/[ab: unclosed character class; missing ']' (column 4)",
        ),
        (
            &["--name", "a{b"],
            "proctracer: --name a{b: unclosed alternate group; missing '}' (maybe escape '{' with '[{]'?) (column 2)",
        ),
        (
            &["--not-target", "/\x1b[*"],
            "proctracer: --not-target /\\x1b[*: unclosed character class; missing ']' (column 3)",
        ),
        (
            &["--since", "soon"],
            "proctracer: --since soon: expected HH:MM[:SS], YYYY-MM-DD [HH:MM[:SS]], or +90s after the first event",
        ),
        (
            &["--until", "+9x"],
            "proctracer: --until +9x: expected a duration such as 30s, 5m or 1.5h",
        ),
        (
            &["--duration", "5s"],
            "proctracer: --duration is for live traces; --until ends what is shown of a recording",
        ),
        (
            &["-e", "NOTIFY_EXEK"],
            "proctracer: unknown event 'NOTIFY_EXEK': did you mean 'exec'? (--list-events prints them all)",
        ),
    ] {
        refused(args, said);
    }
    for args in [
        &["--pid", "a"][..],
        &["--limit", "x"],
        &["--pid", ""],
        &["--platform", "--no-platform"],
    ] {
        let run = of_hour(args);
        assert_eq!((run.out.as_str(), run.status), ("", 2), "{args:?}");
        assert!(run.err.contains(args[0]), "{args:?}: {}", run.err);
    }
    let live = run(&["--since", "10:00"]);
    assert_eq!(live.status, 2, "{}", live.err);
    assert!(
        live.err.contains("--since and --until are for recordings"),
        "{}",
        live.err
    );
}

#[test]
fn what_never_matched_is_named() {
    let matched_nothing = |args: &[&str]| {
        let run = of_hour(args);
        assert_eq!((run.out.as_str(), run.status), ("", 0), "{args:?}");
        run.err
    };
    let said = |names: &[&str]| {
        let line = |name: &&str| format!("proctracer: {name} matched nothing\n");
        names.iter().map(line).collect::<String>()
    };
    for option in [
        "-p",
        "-P",
        "--name",
        "--signing-id",
        "--team",
        "--pid",
        "--user",
    ] {
        let value = if matches!(option, "--pid" | "--user") {
            "98765"
        } else {
            "/none\x1b"
        };
        let name = format!("{option} {}", value.replace('\x1b', "\\x1b"));
        assert_eq!(matched_nothing(&[option, value]), said(&[&name]));
    }
    // After the first option that matched nothing, no other is reported.
    for (args, which) in [
        (&["--pid", "98765", "--name", "zsh"][..], "--pid 98765"),
        (&["--name", "zsh", "-P", "/none"], "-P /none"),
        (
            &["--name", "kmutil", "-P", "/Users/test/Downloads"],
            "-P /Users/test/Downloads",
        ),
        (&["--name", "kmutil", "--user", "501"], "--name kmutil"),
        (&["-Z", "-P", "/etc"], "-P /etc"),
    ] {
        let said = format!("proctracer: {which} matched nothing that the other options select\n");
        assert_eq!(matched_nothing(args), said);
    }
    assert_eq!(
        matched_nothing(&["--name", "zsh", "--not-path", "/bin", "-e", "-exec"]),
        ""
    );
    assert_eq!(
        of_hour(&["--name", "zsh,none", "-n", "1"]).err,
        "",
        "it may have come later"
    );
    assert_eq!(
        of_hour(&["--name", "kmutil,none"]).err,
        said(&["--name none"])
    );
    assert_eq!(of_hour(&["--not-name", "none", "-e", "settime"]).err, "");
}

#[test]
fn an_empty_recording_is_well() {
    for args in [
        &["-n", "1"][..],
        &["--since", "+90s"],
        &["--since", "10:00", "--until", "11:00"],
        &["-f", "--name", "make", "-Z"],
        &["-P", "*.plist", "-e", "%change"],
    ] {
        let run = run_with_input(&[&["-r", "-"], args].concat(), b"");
        let is_well = run.err.is_empty()
            || run.err.contains(" matched nothing") && run.err.lines().count() == 1;
        assert!(
            is_well && run.out.is_empty() && run.status == 0,
            "{args:?}: {run:?}"
        );
    }
}

#[test]
fn a_limit_ends_the_run() {
    // Standard input stays open: the run ends on its own.
    let mut command = proctracer();
    command.args(["-r", "-", "-n", "2", "-F", "json", "-e", "open"]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    let line = open("/bin/cat", "/a").to_string() + "\n";
    std::io::Write::write_all(&mut stdin, line.repeat(3).as_bytes()).expect("it is read");
    let mut out = String::new();
    child
        .stdout
        .take()
        .expect("a pipe")
        .read_to_string(&mut out)
        .expect("UTF-8");
    assert_eq!(out, line.repeat(2));
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    drop(stdin);
    assert_eq!(
        of_hour(&["-n", "0"]),
        Run {
            out: String::new(),
            err: String::new(),
            status: 0
        }
    );
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    for args in [
        &["-f", "--name", "zsh"][..],
        &["-P", "/"],
        &["--since", "+1s"],
        &["-n", "400"],
    ] {
        let mut command = proctracer();
        command
            .args(["-r", HOUR])
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.current_dir(file("")).spawn().expect("it starts");
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("it ends");
        assert_eq!(
            (
                String::from_utf8_lossy(&output.stderr).as_ref(),
                output.status.code()
            ),
            ("", Some(0)),
            "{args:?}"
        );
    }
}

#[test]
fn times_are_those_of_the_first_event() {
    let events = |times: &[&str]| {
        let mut messages: Vec<_> = (0..times.len()).map(|_| open("/bin/cat", "/a")).collect();
        for (message, time) in messages.iter_mut().zip(times) {
            message["time"] = (*time).into();
        }
        in_order_of_numbers(messages)
    };
    let messages = events(&[
        "2026-05-01T23:58:00.500000000Z",
        "2026-05-01T23:59:30.499999999Z",
        "2026-05-01T23:59:30.500000000Z",
        "2026-05-02T00:00:00.000000000Z",
        "2026-05-02T23:58:00.000000000Z",
    ]);
    for (args, places) in [
        (&["--since", "+90s"][..], &[2, 3, 4][..]),
        (&["--since", "+1.5m"], &[2, 3, 4]),
        (&["--until", "+90s"], &[0, 1, 2]),
        (&["--since", "23:59"], &[1, 2, 3, 4]),
        (&["--until", "23:59:30.5"], &[0, 1, 2]),
        (&["--since", "2026-05-02"], &[3, 4]),
        (&["--since", "2026-05-02T00:00:01"], &[4]),
        (
            &["--since", "23:59", "--until", "2026-05-02 00:00"],
            &[1, 2, 3],
        ),
        (&["--since", "00:00"], &[0, 1, 2, 3, 4]),
        (&["--since", "+1d"], &[]),
        (&["--since", "+90s", "-n", "1"], &[2]),
        (&["--since", "23:59", "-e", "exec"], &[]),
    ] {
        show(&messages, &[&["--utc"], args].concat(), places);
    }
    // In local time: 23:59:30 UTC is 01:59:30 there, on the next day.
    let path = Recording::of(&messages);
    let args = [
        "-F",
        "json",
        "--since",
        "01:59:30",
        "--until",
        "2026-05-02 02:00",
        "-r",
    ];
    let output = proctracer()
        .env("TZ", "EET-2")
        .args(args)
        .arg(&path.path)
        .output()
        .expect("it starts");
    let lines = String::from_utf8(output.stdout).expect("UTF-8");
    let shown: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(shown, messages[1..4]);
}

/// Sets the numbers of messages.
fn in_order_of_numbers(mut messages: Vec<Value>) -> Vec<Value> {
    for (number, message) in messages.iter_mut().enumerate() {
        message["global_seq_num"] = number.into();
        message["seq_num"] = number.into();
    }
    messages
}
