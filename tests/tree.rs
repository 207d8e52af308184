//! `--tree`: whole trees of the sample and of streams made for it.

mod common;

use common::story::{Actor, actor, line, open, time};
use common::{assert_same, run, run_with_input};
use serde_json::{Value, json};

const HOUR: &str = "samples/developers-hour.jsonl";

const HEAD: &str = "    PID   UID  STARTED     TIME    EXIT EVENTS  COMMAND\n";

#[track_caller]
fn printed(args: &[&str], messages: &[String]) -> String {
    let run = run_with_input(&[args, &["-r", "-"]].concat(), messages.concat().as_bytes());
    assert_eq!((run.err.as_str(), run.status), ("", 0));
    run.out
}

/// `--tree`, unless it is already given with a value.
fn option(args: &[&str]) -> Vec<&'static str> {
    let is_given = args.iter().any(|arg| arg.starts_with("--tree="));
    if is_given { vec![] } else { vec!["--tree"] }
}

/// The rows of a tree.
#[track_caller]
fn tree(args: &[&str], messages: &[String]) -> String {
    let printed = printed(&[args, &option(args)].concat(), messages);
    let (_, rows) = printed.split_once("  COMMAND\n").expect("the head");
    rows.to_owned()
}

/// The PIDs of a tree with what precedes them, and the commands.
#[track_caller]
fn shape(args: &[&str], messages: &[String]) -> String {
    let indent = HEAD.find("COMMAND").expect("a column");
    let rows = tree(args, messages);
    let cell = |row: &str| {
        format!(
            "{} {}\n",
            row[..7].trim(),
            row.chars().skip(indent).collect::<String>()
        )
    };
    rows.lines().map(cell).collect()
}

#[track_caller]
fn tree_json(args: &[&str], messages: &[String]) -> Vec<Value> {
    let text = printed(&[args, &["-F", "json"], &option(args)].concat(), messages);
    text.lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

fn launchd() -> Actor {
    let start = Some("1970-01-01T00:00:05.918203Z".to_owned());
    Actor {
        start,
        euid: 0,
        ..actor(1, 0, 0, "/sbin/launchd")
    }
}

fn zsh() -> Actor {
    actor(10, 0, 1, "/bin/zsh")
}

#[test]
fn the_sample_on_a_terminal() {
    let shown = common::run_on_terminal(100, &["-r", HOUR, "--tree", "--color", "never"]);
    common::expected("tests/data/hour.tree", &shown);
    assert_eq!(shown.lines().count(), 81);
    for width in [1, 60, 72, 130] {
        let args = ["-r", HOUR, "--tree", "--color", "never"];
        let shown = common::run_on_terminal(width, &args);
        let widest = shown.lines().map(|line| line.chars().count()).max();
        assert_eq!(widest, Some(usize::from(width.max(60))), "{width}");
        assert_eq!(shown.lines().count(), 81);
    }
}

#[test]
fn the_sample_in_a_pipe() {
    let run = run(&["-r", HOUR, "--tree"]);
    assert_eq!((run.err.as_str(), run.status), ("", 0));
    common::expected("tests/data/hour.whole.tree", &run.out);
}

#[test]
fn the_sample_as_json() {
    let run = run(&["-r", HOUR, "--tree", "-F", "json"]);
    let rows: Vec<Value> = run
        .out
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(rows.len(), 80);
    let crashed = rows
        .iter()
        .find(|row| row["pid"] == 21877)
        .expect("the process");
    assert_eq!(
        crashed,
        &json!({
            "pid": 21877, "ppid": 21874, "depth": 6, "euid": 501,
            "start": "2026-03-14T09:10:12.920393000Z", "end": "2026-03-14T09:10:12.941186110Z", "stat": 139,
            "args": ["/Library/Developer/CommandLineTools/usr/bin/clang", "-cc1", "-triple", "arm64-apple-macosx26.0.0",
                "-emit-obj", "-O2", "-D", "NAME=\"hello world\"", "-o", "build/größe.o", "-x", "c", "src/größe.c"],
            "executable": "/Library/Developer/CommandLineTools/usr/bin/clang",
            "events": 7, "classes": {"file": 4, "memory": 1},
        })
    );
    let events: u64 = rows.iter().filter_map(|row| row["events"].as_u64()).sum();
    assert_eq!(events, 499);
}

#[test]
fn no_event_and_one_event() {
    assert_eq!(printed(&["--tree"], &[]), HEAD);
    assert_eq!(printed(&["--tree", "-F", "json"], &[]), "");
    assert_eq!(
        tree(&[], &[zsh().opened(5, "/a")]),
        "     10   501 12:00:00    5.0 s       ·      1  /bin/zsh  [file 1]\n"
    );
}

#[test]
fn lives_are_shown() {
    let zsh = zsh();
    let (builder, ls) = (
        actor(11, 2, 10, "/bin/zsh"),
        actor(12, 3, 11, "/usr/bin/make"),
    );
    let made = builder.became("/usr/bin/make");
    let messages = [
        launchd().opened(1, "/a"),
        zsh.forked(2, &builder),
        builder.executed(2, &made, &["make", "all of it"]),
        made.forked(3, &ls),
        ls.executed(3, &ls.became("/bin/ls"), &["/bin/ls", "-l"]),
        // A chain: the last exec counts.
        ls.became("/bin/ls")
            .executed(4, &ls.became("/bin/ls2"), &["ls2"]),
        ls.became("/bin/ls2").opened(4, "/a"),
        ls.became("/bin/ls2").did(5, &json!({"setuid": {"uid": 0}})),
        ls.became("/bin/ls2").exited(6, 3 << 8),
        made.exited(66, 9),
        zsh.did(70, &json!({"setuid": {"uid": 0}})),
    ];
    assert_eq!(
        tree(&[], &messages),
        "      1     0     boot                ·      1  /sbin/launchd  [file 1]\n     \
              10   501 12:00:00     1:10       ·      2  └─ /bin/zsh  [creds 1]\n     \
              11   501 12:00:02     1:04 SIGKILL      3     └─ make 'all of it'\n     \
              12   501 12:00:03    3.0 s       3      5        └─ ls2  [file 1, creds 1]\n"
    );
    assert_eq!(
        tree(&["--tree=events"], &messages[6..8]),
        "     12   501 12:00:03    2.0 s       ·      2  /bin/ls2  [open 1, setuid 1]\n"
    );
    assert_eq!(
        tree_json(&["--tree=events"], &messages)[3],
        json!({
            "pid": 12, "ppid": 11, "depth": 3, "euid": 501, "start": time(3), "end": time(6), "stat": 768,
            "args": ["ls2"], "executable": "/bin/ls2", "events": 5, "by_event": {"open": 1, "setuid": 1},
        })
    );
}

#[test]
fn ancestors_of_what_is_shown_are_shown() {
    let zsh = zsh();
    let (child, grandchild) = (actor(11, 2, 10, "/bin/a"), actor(12, 3, 11, "/bin/a"));
    let other = actor(13, 4, 10, "/bin/zsh");
    let messages = [
        launchd().opened(1, "/a"),
        zsh.forked(2, &child),
        child.forked(3, &grandchild),
        zsh.forked(4, &other),
        other.exited(5, 0),
        grandchild.executed(6, &grandchild.became("/bin/b"), &["b"]),
        grandchild
            .became("/bin/b")
            .did(7, &json!({"setuid": {"uid": 0}})),
        grandchild.became("/bin/b").exited(8, 256),
    ];
    let expected = "     10   501 12:00:00    8.0 s       ·      0  /bin/zsh\n     \
                         11   501 12:00:02    6.0 s       ·      0  └─ /bin/a\n     \
                         12   501 12:00:03    5.0 s       1      1     └─ b  [creds 1]\n";
    assert_eq!(tree(&["-e", "setuid"], &messages), expected);
    // Dim text has no other colour.
    let coloured = tree(&["-e", "setuid", "--color", "always"], &messages);
    let bare = ["\x1b[0m", "\x1b[2m", "\x1b[31m", "\x1b[32m"]
        .iter()
        .fold(coloured.clone(), |text, code| text.replace(code, ""));
    assert_eq!(bare, expected);
    assert_eq!(
        coloured,
        "\x1b[2m     10   501 12:00:00    8.0 s       ·      0  /bin/zsh\x1b[0m\n\
         \x1b[2m     11   501 12:00:02    6.0 s       ·      0  └─ /bin/a\x1b[0m\n     \
         \x1b[32m12\x1b[0m   501 12:00:03    5.0 s       \x1b[31m1\x1b[0m      1     └─ b  \x1b[2m[creds 1]\x1b[0m\n"
    );
    // If a fork is shown, so is the child.
    assert_eq!(
        shape(&["-e", "fork", "--name", "zsh"], &messages),
        "10 /bin/zsh\n11 ├─ /bin/a\n13 └─ /bin/zsh\n"
    );
}

#[test]
fn forks_that_are_missing() {
    let zsh = zsh();
    let late = actor(9, 50, 1, "/bin/late");
    let messages = [
        // The child comes before its parent; of another process's parent, only the number is known.
        actor(12, 3, 10, "/bin/child").opened(4, "/a"),
        zsh.opened(5, "/a"),
        actor(13, 4, 999, "/bin/orphan").opened(6, "/a"),
        // Its parent had the number earlier; the process that has it now began later.
        actor(14, 7, 9, "/bin/other").opened(8, "/a"),
        late.opened(51, "/a"),
        actor(15, 60, 9, "/bin/of-late").opened(61, "/a"),
        // Its parent had exited before it began.
        zsh.exited(70, 0),
        actor(16, 80, 10, "/bin/after").opened(81, "/a"),
    ];
    assert_eq!(
        shape(&[], &messages),
        "10 /bin/zsh  [file 1]\n12 └─ /bin/child  [file 1]\n13 /bin/orphan  [file 1]\n14 /bin/other  [file 1]\n\
         9 /bin/late  [file 1]\n15 └─ /bin/of-late  [file 1]\n16 /bin/after  [file 1]\n"
    );
}

#[test]
fn numbers_that_are_used_again() {
    let zsh = zsh();
    let (first, second) = (actor(11, 1, 10, "/bin/zsh"), actor(11, 20, 10, "/bin/zsh"));
    let (became, then) = (first.became("/bin/a"), second.became("/bin/b"));
    let below = actor(12, 21, 11, "/bin/b");
    let messages = [
        zsh.forked(1, &first),
        first.executed(2, &became, &["a"]),
        became.exited(3, 0),
        zsh.forked(20, &second),
        second.executed(20, &then, &["b"]),
        below.opened(22, "/a"),
        // A late event of the first process.
        became.opened(23, "/a"),
        then.exited(24, 256),
    ];
    assert_eq!(
        shape(&[], &messages),
        "10 /bin/zsh\n11 ├─ a  [file 1]\n11 └─ b\n12    └─ /bin/b  [file 1]\n"
    );
    // Without start times, exit and image distinguish them.
    let old = |actor: &Actor| Actor {
        start: None,
        ..actor.clone()
    };
    let old_zsh = old(&zsh);
    let second = Actor {
        version: 500,
        ..old(&second)
    };
    let messages = [
        old_zsh.forked(1, &old(&first)),
        old(&first).exited(3, 0),
        old_zsh.forked(20, &second),
        second.opened(21, "/a"),
    ];
    assert_eq!(
        tree(&[], &messages),
        "     10   501                         ·      2  /bin/zsh\n     \
              11   501 12:00:01    2.0 s       0      1  ├─ /bin/zsh\n     \
              11   501 12:00:20    1.0 s       ·      1  └─ /bin/zsh  [file 1]\n"
    );
}

#[test]
fn an_exec_that_is_missing_leaves_the_image() {
    let zsh = zsh();
    let messages = [
        zsh.executed(1, &zsh.became("/bin/a"), &["a", "-x"]),
        zsh.became("/bin/b").opened(2, "/a"),
    ];
    assert_eq!(shape(&[], &messages), "10 /bin/b  [file 1]\n");
}

#[test]
fn whatever_is_absent_or_unknown() {
    let messages = [
        line(&json!({"event": {"open": {}}})),
        line(
            &json!({"time": time(1), "event": {"quantum\u{1b}": {}}, "process": {"audit_token": {"pid": 5}}}),
        ),
        line(
            &json!({"time": time(3), "event": {"exit": {}}, "process": {"audit_token": {"pid": 5}}}),
        ),
        line(
            &json!({"event": {"fork": {"child": {"audit_token": {"pid": 6}}}}, "process": {"audit_token": {"pid": 5}}}),
        ),
        line(&json!({"event": {"exec": {"target": {}}}, "process": {"audit_token": {"pid": 6}}})),
        line(&json!({"event": {"exit": {"stat": 99_999}}, "process": {"audit_token": {"pid": 6}}})),
    ];
    assert_eq!(
        tree(&["--tree=events"], &messages),
        "      5                               ?      3  -  [quantum\\x1b 1]\n      \
               6                         0x1869f      2  └─ -\n"
    );
}

#[test]
fn clocks_that_were_set_back() {
    let (child, zsh) = (actor(11, 50, 10, "/bin/a"), zsh());
    let messages = [
        zsh.opened(100, "/a"),
        zsh.forked(50, &child),
        child.exited(40, 0),
    ];
    // No time is invented; a child still stands below its parent.
    assert_eq!(
        tree(&[], &messages),
        "     10   501 12:00:00     1:40       ·      2  /bin/zsh  [file 1]\n     \
              11   501 12:00:50                0      1  └─ /bin/a\n"
    );
}

#[test]
fn days_and_years() {
    let at = |pid, start: &str| Actor {
        start: Some(start.to_owned()),
        ..actor(pid, 0, 1, "/a")
    };
    let messages = [
        at(10, "2026-03-13T11:00:00Z").opened(1, "/a"),
        at(11, "2024-12-31T23:59:59Z").opened(1, "/a"),
        at(12, "2026-03-14T11:00:00Z").opened(1, "/a"),
    ];
    assert_eq!(
        tree(&[], &messages),
        "     11   501 Dec 2024 10500:00:02       ·      1  /a  [file 1]\n     \
              10   501   Mar 13    25:00:01       ·      1  /a  [file 1]\n     \
              12   501 11:00:00     1:00:01       ·      1  /a  [file 1]\n"
    );
}

#[test]
fn circles_are_opened() {
    let of = |pid: i32, ppid| Actor {
        start: None,
        ..actor(pid, 0, ppid, "/a")
    };
    let messages = [
        of(10, 11).opened(1, "/a"),
        of(11, 12).opened(1, "/a"),
        of(12, 10).opened(1, "/a"),
        of(13, 13).opened(1, "/a"),
    ];
    assert_eq!(tree_json(&[], &messages).len(), 4);
    // A process that is its own parent.
    let own = zsh();
    assert_eq!(shape(&[], &[own.forked(1, &own)]), "10 /bin/zsh\n");
}

#[test]
fn a_chain_as_long_as_it_likes() {
    let link = |at: i32| Actor {
        start: None,
        ..actor(100 + at, 0, 99 + at, "/a")
    };
    let messages: Vec<_> = (0..3000)
        .map(|at| link(at).forked(1, &link(at + 1)))
        .collect();
    let rows = tree(&[], &messages);
    assert_eq!(rows.lines().count(), 3001);
    let widest = rows.lines().map(|line| line.chars().count()).max();
    assert!(widest.is_some_and(|widest| widest < 400), "{widest:?}");
    assert_eq!(tree_json(&[], &messages)[3000]["depth"], 3000);
    {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("chain.jsonl");
        std::fs::write(&path, messages.concat()).expect("a file");
        let args = [
            "-r",
            path.to_str().expect("UTF-8"),
            "--tree",
            "--color",
            "never",
        ];
        let shown = common::run_on_terminal(80, &args);
        assert!(shown.lines().all(|line| line.chars().count() <= 80));
        let last = shown.lines().last().expect("a row");
        assert!(last.contains(" …    ") && last.ends_with("└─ /a"), "{last}");
    }
}

#[test]
fn rows_are_cut_by_cells() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("wide.jsonl");
    let zsh = zsh();
    let messages = [
        zsh.executed(1, &zsh.became("/a"), &["/bin/日本語日本語日本語", "x"]),
        zsh.became("/a").opened(2, "/a"),
        actor(11, 1, 9, "/bin/\u{1b}[2J-a-name-that-is-long").opened(3, "/a"),
    ];
    std::fs::write(&path, messages.concat()).expect("a file");
    let args = [
        "-r",
        path.to_str().expect("UTF-8"),
        "--tree",
        "--color",
        "never",
    ];
    let shown = |width| {
        let shown = common::run_on_terminal(width, &args);
        let rows = shown.strip_prefix(HEAD).expect("the head");
        rows.lines()
            .map(|row| row.chars().skip(48).collect::<String>())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        shown(100),
        [
            "/bin/日本語日本語日本語 x  [file 1]",
            "/bin/\\x1b[2J-a-name-that-is-long  [file 1]"
        ]
    );
    assert_eq!(
        shown(80),
        [
            "日本語日本語日本語 x  [file 1]",
            "/bin/\\x1b[2J-a-name-t…  [file 1]"
        ]
    );
    assert_eq!(
        shown(70),
        ["日本語日本…  [file 1]", "/bin/\\x1b[2…  [file 1]"]
    );
    // Eight cells of the command are worth more than the brackets.
    assert_eq!(shown(66), ["日本語日本語日本…", "/bin/\\x…  [file 1]"]);
}

#[test]
fn who_is_behind_what_launchd_started() {
    let launchd = launchd();
    let app = actor(20, 1, 1, "/Applications/App");
    let behind = |actor: Actor, pid| Actor {
        responsible: Some(pid),
        ..actor
    };
    let helper = behind(actor(21, 5, 1, "/usr/libexec/xpcproxy"), 20);
    let helper_then = helper.became("/usr/libexec/helper");
    let own = behind(actor(22, 6, 1, "/usr/libexec/own"), 22);
    let unknown = behind(actor(23, 7, 1, "/usr/libexec/unknown"), 999);
    let child = behind(actor(24, 8, 21, "/usr/libexec/helper"), 20);
    let messages = [
        app.opened(2, "/a"),
        launchd.forked(5, &helper),
        helper.executed_in(
            5,
            &helper_then,
            &["/usr/libexec/helper"],
            &["A=1", "XPC_SERVICE_NAME=com.example.\u{1b}helper"],
        ),
        own.executed_in(
            6,
            &own.became("/usr/libexec/own"),
            &["own"],
            &["XPC_SERVICE_NAME=com.example.own"],
        ),
        unknown.executed_in(7, &unknown.became("/u"), &["u"], &["XPC_SERVICE_NAME=0"]),
        helper_then.forked(8, &child),
        child.executed_in(
            8,
            &child.became("/c"),
            &["c"],
            &["XPC_SERVICE_NAME=com.example.helper"],
        ),
    ];
    assert_eq!(
        shape(&["--tree-by", "launched"], &messages),
        "1 /sbin/launchd\n20 ├─ /Applications/App  [file 1]\n\
         21 │  └─ /usr/libexec/helper [com.example.\\x1bhelper]\n24 │     └─ c\n\
         22 ├─ own [com.example.own]\n23 └─ u\n"
    );
    assert_eq!(
        shape(&[], &messages),
        "1 /sbin/launchd\n20 ├─ /Applications/App  [file 1]\n21 ├─ /usr/libexec/helper\n24 │  └─ c\n22 ├─ own\n23 └─ u\n"
    );
    let json = tree_json(&["--tree-by", "launched"], &messages);
    assert_eq!(
        (&json[2]["job"], &json[2]["depth"]),
        (&json!("com.example.\u{1b}helper"), &json!(2))
    );
    // The environment is read only for the label, and isn't shown.
    assert!(
        !printed(
            &["--tree", "--tree-by", "launched", "-F", "json"],
            &messages
        )
        .contains("A=1")
    );
}

#[test]
fn a_tree_and_a_summary() {
    let messages = [zsh().opened(1, "/a")];
    let tree = printed(&["--tree"], &messages);
    let summary = printed(&["-c"], &messages);
    assert_same(
        &printed(&["--tree", "-c"], &messages),
        &[tree.clone(), summary.clone()].join("\n"),
    );
    let events = printed(&["-F", "line"], &messages);
    assert_same(
        &printed(&["--tree", "-C", "-F", "line"], &messages),
        &[events, tree, summary].join("\n"),
    );
    let json = |args: &[&str]| printed(&[&["-F", "json"], args].concat(), &messages);
    assert_eq!(json(&["--tree", "-c"]), json(&["--tree"]) + &json(&["-c"]));
}

#[test]
fn files_do_not_matter() {
    // An event without a process has no row.
    assert_eq!(
        tree(
            &[],
            &[line(
                &json!({"time": time(1), "event": open("/a"), "process": null})
            )]
        ),
        ""
    );
}
