//! The parts of a message around its event: parts that are missing, and the decision.

mod common;

use common::{message, prints, run, run_with_input};
use serde_json::{Value, json};

/// Prints a recording, one line an event.
fn lines(recording: &str) -> common::Run {
    run_with_input(&["-F", "line", "-r", "-"], recording.as_bytes())
}

#[test]
fn what_is_missing_or_null_has_no_row() {
    let file = "tests/data/absent.jsonl";
    prints(&["-r", file], "tests/data/absent.text");
}

#[test]
fn what_is_missing_or_null_has_no_key_and_the_columns_stay() {
    let file = "tests/data/absent.jsonl";
    prints(&["-F", "line", "-r", file], "tests/data/absent.line");
    for line in common::read("tests/data/absent.line").lines() {
        assert!(line.split(' ').count() >= 4, "{line}");
    }
}

#[test]
fn a_part_of_the_frame_costs_itself_only() {
    let message: Value = serde_json::from_str(&message("exec")).expect("JSON");
    // Members whose values aren't decoded.
    let skipped = |path: &str| path.contains("/stat") || path.contains("/cdhash");
    let mut paths = Vec::new();
    for part in [
        "",
        "/process",
        "/process/audit_token",
        "/process/executable",
    ] {
        let members = message.pointer(part).and_then(Value::as_object);
        let names = members.expect("an object").keys();
        paths.extend(names.map(|name| format!("{part}/{name}")));
    }
    paths.push("/thread/thread_id".to_owned());
    paths.push("/action/result".to_owned());
    paths.push("/action/result/result".to_owned());
    paths.push("/action/result/result/auth".to_owned());
    paths.retain(|path| path != "/event" && !skipped(path));
    assert!(paths.len() > 30);
    for path in paths {
        let (outer, name) = path.rsplit_once('/').expect("a path");
        let mut removed = message.clone();
        let members = removed.pointer_mut(outer).and_then(Value::as_object_mut);
        members.expect("an object").remove(name);
        let with = |value: Value| {
            let mut message = message.clone();
            *message.pointer_mut(&path).expect("the member") = value;
            message.to_string()
        };
        let missing = lines(&removed.to_string());
        assert_eq!((missing.err.as_str(), missing.status), ("", 0), "{path}");
        assert_eq!(missing.out.lines().count(), 1, "{path}");
        assert_eq!(lines(&with(Value::Null)), missing, "{path}");
        // The program doesn't look at members that it doesn't show.
        if ["/schema_version", "/version", "/mach_time"].contains(&path.as_str())
            || ["parent_audit_token", "responsible_audit_token"].contains(&name)
            || name == "cs_validation_category"
        {
            continue;
        }
        for wrong in [json!([{}]), json!([1, 2])] {
            let other = lines(&with(wrong));
            assert_eq!((&other.out, other.status), (&missing.out, 1), "{path}");
            let member = path[1..].replace('/', ".");
            let complaint = format!("proctracer: standard input:1: member \"{member}\": ");
            let warnings: Vec<_> = other.err.lines().collect();
            assert_eq!(warnings.len(), 2, "{path}: {}", other.err);
            assert!(warnings[0].starts_with(&complaint), "{path}: {}", other.err);
            assert_eq!(
                warnings[1],
                "proctracer: standard input: 1 damaged, 0 of them skipped"
            );
        }
    }
}

#[test]
fn each_member_of_another_type_is_reported() {
    let exit = message("exit")
        .replace("\"ppid\":", "\"ppid\":1.5,\"x\":")
        .replace("\"auid\":501", "\"auid\":99999999999")
        .replace("\"seq_num\":", "\"seq_num\":\"1\",\"y\":");
    let run = lines(&exit);
    assert_eq!((run.out.lines().count(), run.status), (1, 1));
    for complaint in [
        "member \"process.ppid\": expected an integer of 64 bits",
        "member \"process.audit_token.auid\": the number is out of range",
        "member \"seq_num\": expected an integer",
        "3 damaged, 0 of them skipped",
    ] {
        assert!(run.err.contains(complaint), "{complaint}: {}", run.err);
    }
}

#[test]
fn labels_of_unknown_members_say_where_they_are() {
    let with = |event: &str, path: &str, value: Value| {
        let mut message: Value = serde_json::from_str(&message(event)).expect("JSON");
        let outer = message.pointer_mut(path).expect("the place");
        outer["new one"] = value;
        let run = lines(&message.to_string());
        assert_eq!((run.err.as_str(), run.status), ("", 0), "{path}");
        run.out
    };
    for (event, path, label) in [
        ("open", "", "message"),
        ("open", "/thread", "thread"),
        ("open", "/action", "action"),
        ("open", "/action/result", "action.result"),
        ("open", "/action/result/result", "action.result.result"),
        ("open", "/process", "process"),
        ("open", "/process/executable", "process.executable"),
        ("open", "/process/audit_token", "process.audit_token"),
        ("unlink", "/process/tty", "process.tty"),
        ("open", "/event/open", ""),
        ("open", "/event/open/file", "file"),
        ("fork", "/event/fork/child", "child"),
        ("exec", "/event/exec/target/executable", "target.executable"),
        ("mount", "/event/mount/statfs", "statfs"),
        ("create", "/event/create/destination", "destination"),
        (
            "create",
            "/event/create/destination/new_path",
            "destination.new_path",
        ),
        (
            "create",
            "/event/create/destination/new_path/dir",
            "destination.new_path.dir",
        ),
        (
            "authentication",
            "/event/authentication/data/od/instigator",
            "data.od.instigator",
        ),
    ] {
        let label = if label.is_empty() {
            String::new()
        } else {
            format!("{label}.")
        };
        let out = with(event, path, json!({ "a": [1] }));
        let key = format!(" {label}new\\x20one=\"{{\\\"a\\\":[1]}}\"");
        assert!(out.contains(&key), "{key}: {out}");
        // A value that looks like a file or a process is shown as one, including new members in it.
        let process = json!({ "audit_token": { "pid": 7 }, "executable": { "path": "/x", "b": 1 }, "c": null, "d": 2 });
        let out = with(event, path, process);
        for key in [
            format!("{label}new\\x20one=/x[7]"),
            format!("{label}new\\x20one.executable.b=1"),
            format!("{label}new\\x20one.d=2"),
        ] {
            let mut words = out.split_whitespace();
            assert!(words.any(|word| word == key), "{key}: {out}");
        }
        assert!(!out.contains("one.c="), "{out}");
    }
}

#[test]
fn a_name_never_adds_a_column() {
    let open = message("open");
    let path = "\"executable\":{\"path\":\"";
    let at = open.find(path).expect("the path") + path.len();
    let end = at + open[at..].find('"').expect("its end");
    for c in ['\u{20}', '\u{a0}', '\u{3000}', '\u{2800}', '\u{200b}', '='] {
        let named = format!("{}/bin/a{c}b{}", &open[..at], &open[end..]);
        let run = lines(&named);
        let name = run.out.split(' ').nth(2).expect("the process");
        assert!(
            name.starts_with("a\\") && name.ends_with("b[377]"),
            "{name}"
        );
        assert_eq!(run.out.split_whitespace().nth(3), Some("open"));
    }
}

#[test]
fn unset_words_of_a_token_are_the_same_in_both_signs() {
    let token = |auid: i64| {
        let token = json!({ "pid": 7, "auid": auid });
        let event = json!({ "event": { "tcc_modify": { "instigator_token": token } } });
        lines(&event.to_string()).out
    };
    assert_eq!(
        token(-1),
        "- - - tcc_modify instigator_token={pid=7,auid=4294967295}\n"
    );
    assert_eq!(token(u32::MAX.into()), token(-1));
}

#[test]
fn an_event_that_is_no_object_is_an_event_without_members() {
    let run = lines(r#"{"time":"2026-03-14T02:00:00Z","event":{"open":5}}"#);
    assert_eq!(
        (run.out.as_str(), run.status),
        ("2026-03-14 02:00:00.000000000 - open\n", 1)
    );
    assert!(
        run.err.contains("member \"open\": expected an object"),
        "{}",
        run.err
    );
}

#[test]
fn what_was_not_fully_allowed_has_a_result() {
    let file = "tests/data/decided.jsonl";
    prints(&["-r", file], "tests/data/decided.text");
    prints(&["-F", "line", "-r", file], "tests/data/decided.line");
}

#[test]
fn denials_are_failures() {
    let run = run(&["-Z", "-F", "line", "-r", "tests/data/decided.jsonl"]);
    let failed: Vec<_> = run
        .out
        .lines()
        .map(|line| line.split(' ').nth(3).unwrap_or_default())
        .collect();
    assert_eq!(failed, ["exec", "open", "open", "unlink", "settime"]);
}

#[test]
fn messages_that_ask_for_an_answer_are_marked_and_counted_apart() {
    let file = "tests/data/asked.jsonl";
    prints(&["-r", file], "tests/data/asked.text");
    prints(
        &["--fail-on-drop", "-F", "line", "-r", file],
        "tests/data/asked.line",
    );
    // The same if the lines of other events are only skimmed.
    let run = run(&["--fail-on-drop", "-e", "unlink", "-r", file]);
    assert_eq!((run.err.as_str(), run.status), ("", 0));
}

#[test]
fn a_number_of_another_event_is_reported() {
    let exit = message("exit");
    assert!(exit.contains("\"event_type\":15"));
    for number in ["9", "0", "170", "-1"] {
        let wrong = exit.replace("\"event_type\":15", &format!("\"event_type\":{number}"));
        for (args, shown) in [(&["-F", "line"][..], 1), (&["-p", "/nothing"], 0)] {
            let run = run_with_input(&[args, &["-r", "-"]].concat(), wrong.as_bytes());
            assert_eq!((run.out.lines().count(), run.status), (shown, 1));
            assert!(
                run.err
                    .contains(":1: member \"event_type\": the number of another event\n"),
                "{}",
                run.err
            );
        }
    }
    let future = |number: u32| {
        lines(&format!(
            r#"{{"event_type":{number},"event":{{"future":{{}}}}}}"#
        ))
    };
    assert_eq!(future(170).status, 0);
    assert_eq!(future(9).status, 1);
}

#[test]
fn an_event_without_a_name_has_a_column_nevertheless() {
    let line = r#"{"event":{"":{"a":1}},"process":{"audit_token":{"pid":1}}}"#;
    for (args, expected) in [
        (&["-F", "line"][..], "- - -[1] \"\" a=1\n"),
        (&["-F", "json"], &format!("{line}\n")),
    ] {
        let run = run_with_input(&[args, &["-r", "-"]].concat(), line.as_bytes());
        assert_eq!(
            (run.out.as_str(), run.err.as_str(), run.status),
            (expected, "", 0)
        );
    }
    for args in [&["-c"][..], &["--tree=events"]] {
        let run = run_with_input(&[args, &["-r", "-"]].concat(), line.as_bytes());
        assert!(run.out.contains("\"\""), "{}", run.out);
    }
}
