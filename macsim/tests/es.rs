//! The simulation of libEndpointSecurity, as a client sees it.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod common;

use common::{Output, Run, read};

const EVENTS: &str = "tests/data/events.jsonl";

/// A message of an event type, from a process.
fn message(event: &str, path: &str, pid: i32) -> String {
    format!(
        r#"{{"version":11,"time":"2026-01-01T00:00:00Z","process":{{"audit_token":[501,501,20,501,20,{pid},100,1],"executable":{{"path":"{path}"}}}},"event":{{{event}}}}}"#
    ) + "\n"
}

fn write(target: &str) -> String {
    format!(r#""write":{{"target":{{"path":"{target}"}}}}"#)
}

const WRITE: &str = "subscribe=33";

fn client(args: &[&str], events: &str) -> Output {
    let args = [&["es"], args].concat();
    Run::check(&args).events(events).run()
}

#[track_caller]
fn counts(run: &Output, messages: u32) {
    assert!(
        run.out.ends_with(&format!("{messages} messages\n")),
        "{run:#?}"
    );
}

#[test]
fn every_message_of_the_project_is_delivered_and_nothing_is_left() {
    let types = read("macsim/data/events.tsv").lines().skip(1).count();
    let all = (0..types)
        .map(|event| event.to_string())
        .collect::<Vec<_>>()
        .join(",");
    let subscribe = format!("subscribe={all}");
    let run = Run::check(&["es", "new", "unmute", &subscribe, "wait", "delete"])
        .events(EVENTS)
        .macos("27.0")
        .run();
    let lines = read(EVENTS).lines().count();
    counts(&run, lines as u32);
    assert!(
        run.said.ends_with(&format!(
            "macsim: delivered {lines} dropped 0 unreleased 0 misused 0\n"
        )),
        "{run:#?}"
    );
    assert_eq!((run.err.as_str(), run.status), ("", 0));
    for part in [
        " thread 3252238 NULL\n",
        " thread NULL /sbin/launchd[1]\n",
        "170 v11 0/",
        "arg=\\xff\\xfe",
        "entitlements=1{com.apple.security.get-task-allow:true,}",
        "acl !#acl 1\\nuser:ABCDEFAB",
    ] {
        assert!(run.out.contains(part), "{part} is not in {}", run.out);
    }
}

#[test]
fn a_client_is_refused() {
    for result in 1..=6 {
        let run = Run::check(&["es", "new"])
            .option("--new-client")
            .option(result.to_string())
            .run();
        assert_eq!((run.out, run.status), (format!("no client: {result}\n"), 1));
    }
    for (options, new, descendants) in [
        (&["--euid=501"][..], 5, 0),
        (&["--signature=ad-hoc"], 3, 3),
        (&["--signature=none"], 3, 3),
        (&["--signature=ad-hoc", "--euid=501"], 5, 3),
        (
            &[
                "--signature=ad-hoc",
                "--euid=501",
                "--refuse-first=entitlement",
            ],
            3,
            3,
        ),
        (&["--euid=501", "--refuse-first=entitlement"], 5, 0),
        (&["--new-client=3"], 3, 3),
        (&["--new-client=4"], 4, 0),
        (&["--new-descendants-client=6"], 0, 6),
    ] {
        for (way, result) in [("new", new), ("new-descendants", descendants)] {
            let run = options.iter().fold(Run::check(&["es", way]), Run::option);
            let run = run.macos("27.0").run();
            let expected = match result {
                0 => "0 messages\n".to_owned(),
                refused => format!("no client: {refused}\n"),
            };
            assert_eq!(run.out, expected, "{options:?} {way}");
        }
    }
}

#[test]
fn clients_are_limited() {
    let run = client(&["new", "clients=48", "delete", "clients=2"], "");
    let results = vec!["0"; 47].join(", ");
    assert_eq!(
        run.out,
        format!("clients [{results}, 6]\ndelete 0\nclients [0, 6]\n0 messages\n")
    );
    // Descendants clients have a limit of their own.
    let run = Run::check(&["es", "clients=4", "descendants-clients=3"])
        .option("--clients=3")
        .option("--descendants-clients=2")
        .macos("27.0")
        .run();
    assert_eq!(
        run.out,
        "clients [0, 0, 0, 6]\ndescendants-clients [0, 0, 6]\n0 messages\n"
    );
}

#[test]
fn the_kernel_knows_the_entitlements() {
    for (signature, expected) in [
        (
            "entitled",
            "csops 4: 34 [] false\ncsops 8: 34 [0, 0, 1, 6] false\ncsops 4096: 0 [0, 0, 1, 6] true\n",
        ),
        (
            "ad-hoc",
            "csops 4: 34 [] false\ncsops 8: 0 [0, 0, 0, 0] false\ncsops 4096: 0 [0, 0, 0, 0] false\n",
        ),
        (
            "none",
            "csops 4: 22 [] false\ncsops 8: 22 [0, 0, 0, 0] false\ncsops 4096: 22 [0, 0, 0, 0] false\n",
        ),
    ] {
        let run = Run::check(&["es", "signature"])
            .option("--signature")
            .option(signature)
            .run();
        assert_eq!(run.out, format!("{expected}0 messages\n"), "{signature}");
    }
}

#[test]
fn older_systems_lack_types_and_functions() {
    let args = [
        "es",
        "new",
        "subscribe=147",
        "has=es_new_descendants_client",
        "has=es_new_client",
        "subscribe=146",
    ];
    let run = Run::check(&args).macos("15.0").run();
    assert_eq!(
        run.out,
        "subscribe 1\nes_new_descendants_client false\nes_new_client true\n0 messages\n"
    );
    assert_eq!(run.status, 125, "{run:#?}");
    assert!(
        run.said
            .contains("macOS 15.0 has no event type 147 (tcc_modify)"),
        "{run:#?}"
    );
    // macOS 27 ignores unknown event types.
    let run = Run::check(&["es", "new", "subscribe=33,900", "wait", "delete"])
        .events(&message(&write("/a"), "/bin/x", 9))
        .macos("27.0")
        .run();
    counts(&run, 1);
    assert_eq!((run.err.as_str(), run.status), ("", 0), "{run:#?}");
    // A strong import that isn't there.
    let run = Run::check(&["es", "new"]).macos("12.6").run();
    assert!(
        run.err.starts_with("dyld: Symbol not found: _es_"),
        "{run:#?}"
    );
    assert_eq!(run.status, 134);
    let run = Run::check(&["es", "has=es_new_descendants_client", "new-descendants"])
        .macos("27.0")
        .run();
    assert_eq!(
        (run.out.as_str(), run.status),
        ("es_new_descendants_client true\n0 messages\n", 0)
    );
}

#[test]
fn numbers_are_counted_dropped_ones_included() {
    let events: String = (0..6).map(|_| message(&write("/a"), "/bin/x", 9)).collect();
    let run = Run::check(&["es", "new", WRITE, "wait", "delete"])
        .events(&events)
        .option("--drop")
        .option("3")
        .run();
    let numbers: Vec<_> = run
        .out
        .lines()
        .filter_map(|line| line.split(' ').nth(2))
        .collect();
    assert_eq!(numbers[..4], ["0/0", "1/1", "3/3", "4/4"], "{run:#?}");
    assert!(run.said.contains("delivered 4 dropped 2 "), "{run:#?}");
    let run = Run::check(&["es", "new", WRITE, "quiet", "wait", "delete"])
        .events(&events)
        .option("--repeat=2")
        .option("--rate=100")
        .run();
    counts(&run, 12);
}

#[test]
fn a_slow_handler_fills_the_queue() {
    let events = message(&write("/a"), "/bin/x", 9);
    let run = Run::check(&["es", "new", "slow", WRITE, "wait", "delete"])
        .events(&events)
        .option("--repeat=100")
        .option("--rate=10000")
        .option("--queue=10")
        .run();
    assert!(
        run.said.contains(" dropped ") && !run.said.contains(" dropped 0 "),
        "{run:#?}"
    );
}

#[test]
fn misuse_is_found() {
    let events: String = (0..3).map(|_| message(&write("/a"), "/bin/x", 9)).collect();
    let run = client(&["new", "leak", WRITE, "wait", "delete"], &events);
    assert!(
        run.said
            .ends_with("delivered 3 dropped 0 unreleased 3 misused 0\n"),
        "{run:#?}"
    );
    assert_eq!(run.status, 125);
    let run = client(
        &["new", "release-too-often", WRITE, "wait", "delete"],
        &events,
    );
    assert!(
        run.said
            .ends_with("delivered 3 dropped 0 unreleased 0 misused 1\n"),
        "{run:#?}"
    );
    assert_eq!(run.status, 125);
    let run = client(&["new", "delete", "unmute"], &events);
    assert_eq!(
        (
            run.status,
            run.said
                .contains("es_unmute_all_paths: this is no client, or it was deleted")
        ),
        (125, true),
        "{run:#?}"
    );
    let run = client(
        &["new", "read-after-release", WRITE, "wait", "delete"],
        &events,
    );
    assert!(run.out.contains("released type 0xdddddddd\n"), "{run:#?}");
}

#[test]
fn paths_and_processes_are_muted() {
    let events = message(&write("/a/b"), "/bin/x", 9) + &message(&write("/c"), "/bin/y", 10);
    let count = |args: &[&str], messages: u32| {
        let args = [&["new"], args, &[WRITE, "quiet", "wait", "delete"]].concat();
        counts(&client(&args, &events), messages);
    };
    count(&[], 2);
    count(&["mute=0:/bin/x"], 1);
    count(&["mute=0:/bin"], 0);
    count(&["mute=1:/bin"], 2);
    count(&["mute=0:/bin", "unmute-path=0:/bin"], 2);
    count(&["mute-events=0:/bin:12"], 2);
    count(&["mute-events=0:/bin:33"], 0);
    count(&["mute=2:/a"], 1);
    count(&["mute-token=501,501,20,501,20,9,100,1"], 1);
    count(&["unmute", "mute=1:/bin/x", "invert=1"], 1);
    count(&["unmute", "mute=2:/c", "invert=2"], 1);
    count(&["mute-token=501,501,20,501,20,9,100,1", "invert=0"], 1);
}

#[test]
fn events_without_a_target_pass_an_inverted_filter_on_targets() {
    let events = message(&write("/a/b"), "/bin/x", 9)
        + &message(&write("/c"), "/bin/x", 9)
        + &message(r#""exit":{"stat":0}"#, "/bin/x", 9);
    let run = client(
        &[
            "new",
            "unmute",
            "mute=2:/a",
            "invert=2",
            "subscribe=15,33",
            "wait",
            "delete",
        ],
        &events,
    );
    let types: Vec<_> = run.out.lines().map(|line| line.split(' ').next()).collect();
    // In between are the results that `mute` and `invert` print.
    assert_eq!(types[3..], [Some("33"), Some("15"), Some("2")], "{run:#?}");
}

#[test]
fn a_new_client_has_muted_paths() {
    let events = message(&write("/a"), "/usr/libexec/trustd", 9)
        + &message(&write("/dev/null"), "/bin/x", 10);
    counts(
        &client(&["new", WRITE, "quiet", "wait", "delete"], &events),
        0,
    );
    counts(
        &client(
            &["new", "unmute", WRITE, "quiet", "wait", "delete"],
            &events,
        ),
        2,
    );
    let run = client(
        &[
            "new",
            "list",
            "unmute",
            "mute-token=0,0,0,0,0,77,0,0",
            "mute-events=3:/x:33,12",
            "list",
        ],
        "",
    );
    assert!(
        run.out.contains("muted 1 /usr/libexec/trustd for 148\n"),
        "{run:#?}"
    );
    assert!(
        run.out
            .ends_with("muted 3 /x for 2\nmuted process 77 for 148\n0 messages\n"),
        "{run:#?}"
    );
}

#[test]
fn a_client_of_27_is_synchronized() {
    let events: String = (0..3).map(|_| message(&write("/a"), "/bin/x", 9)).collect();
    let run = Run::check(&["es", "new", WRITE, "quiet", "wait", "sync", "delete"])
        .events(&events)
        .macos("27.0")
        .run();
    assert!(run.out.contains("synchronized after 3\n"), "{run:#?}");
}

/// A check of a client on 27.0 with real children.
fn live(args: &[&str], options: &[&str]) -> Output {
    let args = [&["es"], args].concat();
    let run = options.iter().fold(Run::check(&args), Run::option);
    run.macos("27.0").run()
}

const LIVE: &str = "subscribe=9,11,15";

#[test]
fn synchronizing_hands_over_what_waits() {
    // A fork, an exec and an exit wait for a batch that never fills up.
    let late = ["--batch=100", "--batch-ms=100000"];
    let args = [
        "new",
        "unmute",
        LIVE,
        "quiet",
        "run=exit 0",
        "count",
        "sync",
        "delete",
    ];
    let run = live(&args, &late);
    assert!(
        run.out
            .ends_with("\n0 so far\nsync 0\nsynchronized after 3\ndelete 0\n3 messages\n")
            || run
                .out
                .ends_with("\n0 so far\nsynchronized after 3\nsync 0\ndelete 0\n3 messages\n"),
        "{run:#?}"
    );
    // Without `sync` they are lost with the client.
    let args = ["new", "unmute", LIVE, "run=exit 0", "pause", "delete"];
    let run = live(&args, &late);
    counts(&run, 0);
    assert_eq!((run.err.as_str(), run.status), ("", 0), "{run:#?}");
    // A full batch doesn't wait.
    let run = live(&args, &["--batch=3", "--batch-ms=100000"]);
    counts(&run, 3);
    counts(&live(&args, &[]), 3);
}

#[test]
fn blocks_are_called_without_a_client_and_at_its_end() {
    let run = live(&["sync-null"], &[]);
    assert_eq!(run.out, "synchronized after 0\nsync-null 0\n0 messages\n");
    // The handler is at its first message when the client is deleted; the others are lost.
    let run = live(
        &[
            "new",
            "unmute",
            LIVE,
            "stuck",
            "quiet",
            "run=exit 0",
            "entered",
            "sync-late",
            "delete",
        ],
        &[],
    );
    let end = "sync-late 0\nsynchronized after 1\ndelete 0\n1 messages\n";
    assert!(run.out.ends_with(end), "{run:#?}");
    assert_eq!((run.err.as_str(), run.status), ("", 0), "{run:#?}");
}

#[test]
fn a_handler_must_not_synchronize() {
    let run = live(
        &[
            "new",
            "unmute",
            "subscribe=15",
            "quiet",
            "sync-in-handler",
            "run=exit 0",
            "sync",
            "delete",
        ],
        &[],
    );
    assert!(run.out.contains("in the handler: 1\n"), "{run:#?}");
    assert!(
        run.said
            .contains("es_sync_client: called by the client's handler"),
        "{run:#?}"
    );
    assert_eq!(run.status, 125);
}

#[test]
fn messages_can_be_asked_for_before_their_client_is_deleted() {
    let args = [
        "new",
        "unmute",
        LIVE,
        "leak",
        "run=exit 0",
        "sync",
        "delete",
    ];
    let run = live(&args, &["--check-deleted"]);
    assert!(
        run.said
            .contains("es_delete_client: the program still has messages"),
        "{run:#?}"
    );
    assert!(
        run.said
            .ends_with("delivered 3 dropped 0 unreleased 3 misused 1\n"),
        "{run:#?}"
    );
}

/// The events of a run's processes, without the numbers of the messages.
fn events(run: &Output) -> Vec<String> {
    let lines = run.out.lines().filter(|line| line.contains(" v11 "));
    lines
        .map(|line| {
            let event = line.split(' ').next().expect("a type");
            let process = line.split(' ').find(|part| part.contains('['));
            format!("{event} {}", process.expect("a process"))
        })
        .collect()
}

#[test]
fn a_descendants_client_sees_the_program_and_what_is_below_it() {
    // A process that is older than the client is seen, too.
    let run = live(
        &[
            "child",
            "new-descendants",
            "unmute",
            LIVE,
            "continue",
            "run=/bin/true & wait",
            "pause",
            "sync",
            "delete",
        ],
        &[],
    );
    assert_eq!((run.err.as_str(), run.status), ("", 0), "{run:#?}");
    let events = events(&run);
    let child = run.out.lines().find_map(|line| line.strip_prefix("child "));
    let child = format!("[{}]", child.expect("a line"));
    let (of_child, others): (Vec<_>, Vec<_>) =
        events.iter().partition(|line| line.ends_with(&child));
    let image = |path: &str| {
        let path = std::fs::canonicalize(path).expect("a program");
        path.to_string_lossy().into_owned()
    };
    let (sh, command) = (image("/bin/sh"), image("/bin/true"));
    let own = image(common::built("checks").to_str().expect("UTF-8"));
    let shown = |lines: Vec<&String>| -> Vec<String> {
        let line = |line: &String| line.split('[').next().expect("text").to_owned();
        lines.into_iter().map(line).collect()
    };
    assert_eq!(shown(of_child), [format!("15 {sh}")]);
    let expected = [
        format!("11 {own}"),
        format!("9 {own}"),
        format!("11 {sh}"),
        format!("9 {sh}"),
        format!("15 {command}"),
        format!("15 {sh}"),
    ];
    assert_eq!(shown(others), expected);
}

/// Another program runs beside this one, below the same shell.
#[test]
fn a_descendants_client_does_not_see_others() {
    let with = |client: &str| {
        let folder = tempfile::tempdir().expect("a folder");
        let script = format!(
            "cd {}; {} run --macos 27.0 {} es {client} unmute {LIVE} \
             run='touch ready; while [ ! -e done ]; do sleep 0.01; done' sync delete >out & \
             while [ ! -e ready ]; do sleep 0.01; done; /bin/true foreign; touch done; wait; cat out",
            folder.path().display(),
            env!("CARGO_BIN_EXE_macsim"),
            common::built("checks").display(),
        );
        let run = Run::check(&["command", "/bin/sh", "-c", &script])
            .macos("27.0")
            .env("MACSIM_CHECK", "")
            .run();
        assert_eq!((run.err.as_str(), run.status), ("", 0), "{run:#?}");
        assert!(run.out.contains(" arg=touch arg=ready"), "{run:#?}");
        run.out.contains(" arg=/bin/true arg=foreign")
    };
    assert!(with("new"));
    assert!(!with("new-descendants"));
}

#[test]
fn what_is_done_on_behalf_of_a_descendant_is_seen() {
    let look_up = |instigator: i32| {
        message(
            &format!(
                r#""bootstrap_look_up":{{"instigator_token":[501,501,20,501,20,{instigator},100,1],"service_name":"x"}}"#
            ),
            "/sbin/launchd",
            1,
        )
    };
    let events = look_up(9) + &look_up(4242) + &message(&write("/a"), "/bin/x", 9);
    for (client, count) in [("new", 3), ("new-descendants", 1)] {
        let run = Run::check(&[
            "es",
            client,
            "subscribe=33,161",
            "child",
            "continue",
            "wait",
            "delete",
        ])
        .events(&events)
        .option("--child-pid=4242")
        .macos("27.0")
        .run();
        counts(&run, count);
    }
}

#[test]
fn a_descendants_client_mutes_descendants_only() {
    let args = [
        "new-descendants",
        "unmute",
        LIVE,
        "run=exit 0",
        "sync",
        // It has ended.
        "mute-child",
        "mute-token=0,0,0,0,0,1,0,1",
        "mute-own",
        "run=exit 0",
        "sync",
        "delete",
    ];
    let run = live(&args, &[]);
    for result in ["mute-child 1\n", "mute-token 1\n", "mute-own 1\n"] {
        assert!(run.out.contains(result), "{result}: {run:#?}");
    }
    counts(&run, 6);
    // The program's own forks are muted; what it starts isn't.
    let run = live(&args, &["--descendants-mute-own"]);
    assert!(run.out.contains("mute-own 0\n"), "{run:#?}");
    counts(&run, 5);
    // A client for all processes may mute any process.
    let args = ["new", "mute-token=0,0,0,0,0,1,0,1", "mute-own", "delete"];
    let run = live(&args, &[]);
    assert_eq!(run.out, "mute-token 0\nmute-own 0\ndelete 0\n0 messages\n");
}

#[test]
fn entitlements_are_xpc_objects() {
    let exec = |entitlements: &str| {
        message(
            &format!(r#""exec":{{"args":["a"],"entitlements":{entitlements}}}"#),
            "/bin/x",
            9,
        )
    };
    let events = exec(
        r#"{"z":true,"a":[1,"two",null,[]],"u":18446744073709551615,"n":-5,"f":0.5,"d":{"$data":"00FF"},"t":{"$date":7},"e":{}}"#,
    ) + &exec("null")
        + &exec("{}").replace(r#""version":11"#, r#""version":10"#);
    let run = Run::check(&["es", "new", "subscribe=9", "wait", "delete"])
        .events(&events)
        .macos("27.0")
        .run();
    let entitlements: Vec<_> = run
        .out
        .lines()
        .filter_map(|line| line.split_once("entitlements="))
        .map(|(_, text)| text)
        .collect();
    assert_eq!(
        entitlements,
        [
            "8{z:true,a:[1,two,null,[],],u:u18446744073709551615,n:-5,f:0.5,d:[00, ff],t:@7,e:0{},}",
            "NULL",
            "NULL"
        ],
        "{run:#?}"
    );
}

#[test]
fn entitlements_have_to_be_released() {
    let exec = message(
        r#""exec":{"args":["a"],"entitlements":{"a":true}}"#,
        "/bin/x",
        9,
    );
    for (what, left, misused) in [
        ("once", 0, 0),
        ("leak", 2, 0),
        ("retain", 2, 0),
        ("release-twice", 0, 2),
        ("release-part", 0, 2),
    ] {
        let with = format!("entitlements={what}");
        let args = ["es", "new", &with, "subscribe=9", "wait", "delete"];
        let run = Run::check(&args).events(&exec.repeat(2)).macos("27.0");
        let run = run.run();
        let end = format!("delivered 2 dropped 0 unreleased {left} misused {misused}\n");
        assert!(run.said.ends_with(&end), "{what}: {run:#?}");
        let status = if left + misused > 0 { 125 } else { 0 };
        assert_eq!(run.status, status, "{what}: {run:#?}");
    }
}

#[test]
fn the_handlers_time_is_measured() {
    let events: String = (0..100)
        .map(|_| message(&write("/a"), "/bin/x", 9))
        .collect();
    let run = Run::check(&["es", "new", "quiet", WRITE, "wait", "delete"])
        .events(&events)
        .option("--time-handler")
        .option("--static")
        .run();
    assert!(run.said.contains("macsim: handler median "), "{run:#?}");
    assert!(run.said.contains(" ns, 99th percentile "), "{run:#?}");
}

#[test]
fn a_pid_can_stand_for_the_programs_child() {
    let events = message(&write("/a"), "/bin/x", 4242) + &message(&write("/b"), "/bin/y", 9);
    let args = [
        "es", "new", WRITE, "child", "pause", "continue", "wait", "delete",
    ];
    let run = Run::check(&args)
        .events(&events)
        .option("--child-pid=4242")
        .run();
    let child = run
        .out
        .lines()
        .find_map(|line| line.strip_prefix("child "))
        .expect("a line");
    assert!(run.out.contains("before 0\n"), "{run:#?}");
    assert!(run.out.contains(&format!(" /bin/x[{child}]\n")), "{run:#?}");
    assert!(run.out.contains(" /bin/y[9]\n"), "{run:#?}");
}
