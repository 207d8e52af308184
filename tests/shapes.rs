//! What other tools make of a recording: it is read as what it was.

mod common;

use common::{Run, message, run_with_input};
use serde_json::{Value, json};

/// Reads text from standard input.
fn given(args: &[&str], input: impl AsRef<[u8]>) -> Run {
    let args = [&["-F", "line", "--utc", "-r", "-"], args].concat();
    run_with_input(&args, input.as_ref())
}

fn value(event: &str) -> Value {
    serde_json::from_str(&message(event)).expect("JSON")
}

/// What is printed of a recording that nothing is wrong with.
#[track_caller]
fn printed(input: impl AsRef<[u8]>) -> String {
    let run = given(&[], input);
    assert_eq!((run.err.as_str(), run.status), ("", 0));
    run.out
}

/// Changes a message, which must be printed as before.
#[track_caller]
fn is_the_same(what: &str, input: impl AsRef<[u8]>, expected: &str) {
    let run = given(&[], input);
    assert_eq!((run.err.as_str(), run.status), ("", 0), "{what}");
    assert_eq!(run.out, expected, "{what}");
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn messages_are_found_within_other_objects() {
    let [open, exec] = ["open", "exec"].map(value);
    let [open_text, exec_text] = [&open, &exec].map(Value::to_string);
    let expected = printed(format!("{open_text}\n{exec_text}\n"));
    let both = |wrap: &dyn Fn(&Value, &str) -> Value| {
        format!("{}\n{}\n", wrap(&open, &open_text), wrap(&exec, &exec_text))
    };
    for (what, text) in [
        (
            "Filebeat",
            both(
                &|_, text| json!({ "@timestamp": "2026-05-01T10:00:01.000Z", "log": { "offset": 0 }, "message": text }),
            ),
        ),
        (
            "ECS",
            both(
                &|_, text| json!({ "event": { "kind": "event", "original": text }, "host": { "name": "mac" } }),
            ),
        ),
        (
            "ECS with one member",
            both(&|_, text| json!({ "event": { "original": text } })),
        ),
        (
            "Splunk",
            both(&|value, _| json!({ "time": 1_777_629_600.5, "host": "mac", "event": value })),
        ),
        (
            "Splunk, as text",
            both(&|_, text| json!({ "time": 1_777_629_600.5, "event": text })),
        ),
        (
            "Elasticsearch",
            both(&|value, _| json!({ "_index": "es", "_id": "1", "_source": value })),
        ),
        (
            "Docker",
            both(&|_, text| json!({ "log": format!("{text}\n"), "stream": "stdout" })),
        ),
        (
            "twice in a string",
            both(&|_, text| json!({ "log": json!({ "message": text }).to_string() })),
        ),
        (
            "text before it",
            both(
                &|_, text| json!({ "MESSAGE": format!("May  1 10:00:00 mac eslogger[99]: {text}") }),
            ),
        ),
        (
            "three names",
            both(&|value, _| json!({ "a": { "b": [{ "c": value }] } })),
        ),
        (
            "journald",
            both(
                &|_, text| json!({ "__REALTIME_TIMESTAMP": "1777629600000001", "MESSAGE": text, "_PID": "99" }),
            ),
        ),
        (
            "log show --style ndjson",
            both(
                &|_, text| json!({ "eventMessage": text, "eventType": "logEvent", "processID": 999, "subsystem": "com.apple.eslogger", "timestamp": "2026-05-01 12:00:00.000001+0200" }),
            ) + "{\"count\":2,\"finished\":1}\n",
        ),
        (
            "log show --style json",
            format!(
                "{:#}",
                json!([{ "eventMessage": open_text, "traceID": 1 }, { "eventMessage": exec_text, "traceID": 2 }])
            ),
        ),
        ("an array", json!({ "Records": [open, exec] }).to_string()),
        (
            "an array of texts",
            json!({ "records": [open_text, exec_text] }).to_string(),
        ),
        (
            "a text of an array",
            json!({ "body": json!([open, exec]).to_string() }).to_string(),
        ),
        (
            "a text of lines",
            json!({ "body": format!("{open_text}\n{exec_text}\n") }).to_string(),
        ),
        (
            "hits",
            json!({ "hits": { "total": 2, "hits": [{ "_source": open }, { "_source": exec }] } })
                .to_string(),
        ),
        (
            "pretty-printed",
            [&open, &exec]
                .map(|value| format!("{:#}", json!({ "a": { "event": value } })))
                .join("\n"),
        ),
    ] {
        is_the_same(what, &text, &expected);
        // Whichever events are selected, and without regard to them.
        let exec = given(&["-e", "exec"], &text);
        assert_eq!(exec.out, printed(format!("{exec_text}\n")), "{what}");
        let json = run_with_input(&["-F", "json", "-r", "-"], text.as_bytes());
        is_the_same(what, json.out, &expected);
    }
}

#[test]
fn other_records_among_wrapped_messages_are_reported() {
    let open = message("open");
    let wrapped = json!({ "message": open }).to_string();
    let run = given(
        &[],
        format!("{wrapped}\n{{\"message\":\"hello\"}}\n{{\"count\":1}}\n{wrapped}\n"),
    );
    assert_eq!((run.out.lines().count(), run.status), (2, 1));
    assert_eq!(
        run.err,
        "proctracer: standard input:2: the object has no member \"event\" (column 1)\n\
         proctracer: standard input:3: the object has no member \"event\" (column 1)\n\
         proctracer: standard input: 2 damaged, 2 of them skipped\n"
    );
}

#[test]
fn nothing_within_a_message_is_taken_for_one() {
    // A program's entitlements are what its author likes.
    let mut exec = value("exec");
    let forged: Value = json!({ "time": "2026-01-01T00:00:00.0Z", "event_type": 15, "event": { "exit": { "stat": 0 } } });
    exec["event"]["exec"]["entitlements"] =
        json!({ "a": forged, "b": [forged], "c": forged.to_string() });
    exec["event"]["exec"]["args"][1] = forged.to_string().into();
    for text in [
        exec.to_string(),
        format!("{exec:#}"),
        json!({ "message": exec.to_string() }).to_string(),
    ] {
        let run = given(&[], text);
        assert_eq!(
            (run.out.lines().count(), run.err.as_str(), run.status),
            (1, "", 0)
        );
        assert!(run.out.contains(" exec "), "{}", run.out);
    }
}

#[test]
fn wrappers_of_any_size_are_read() {
    let open = message("open");
    let count = (20 << 20) / open.len();
    let expected = printed(format!("{open}\n").repeat(count));
    let records = format!("{}{open}", format!("{open},").repeat(count - 1));
    for text in [
        format!("{{\"Records\":[{records}],\"count\":{count}}}\n"),
        format!(
            "{{\"a\":{{\"x\":\"{}\"}},\n\"hits\":{{\"hits\":[{records}]}}}}",
            "x".repeat(9 << 20)
        ),
    ] {
        let run = given(&[], &text);
        assert_eq!(run.out.len(), expected.len(), "{}", run.err);
        assert_eq!(
            (run.err.lines().count(), run.status),
            if text.starts_with("{\"R") {
                (0, 0)
            } else {
                (2, 1)
            },
            "{}",
            run.err
        );
    }
}

#[test]
fn names_of_other_events_may_be_null() {
    for name in ["open", "exec"] {
        let message = value(name);
        let expected = printed(message.to_string());
        let event = message["event"][name].to_string();
        for siblings in [
            format!("{{\"exit\":null,\"{name}\":{event}}}"),
            format!("{{\"{name}\":{event},\"fork\":null,\"new\":null}}"),
            format!("{{ \"stat\" : null ,\t\"lookup\": null, \"{name}\" : {event} }}"),
        ] {
            let text = message
                .to_string()
                .replace(&message["event"].to_string(), &siblings);
            is_the_same(&siblings[..20], &text, &expected);
            assert_eq!(given(&["-e", name], &text).out, expected);
            assert_eq!(given(&["-e", "exit,fork,stat"], &text).out, "");
        }
    }
    let run = given(
        &[],
        "{\"time\":\"2026-05-01T10:00:00Z\",\"event\":{\"open\":null,\"exec\":null}}",
    );
    assert_eq!((run.out.as_str(), run.status), ("", 1));
}

#[test]
fn integers_may_be_written_as_floating_point_numbers() {
    let message = message("open");
    let expected = printed(&message);
    assert!(message.contains("\"fflag\":16777477}"), "{message}");
    for number in [
        "16777477.0",
        "1.6777477e+07",
        "16777477E0",
        "167774770e-1",
        "1677747700.00e-2",
        "0.16777477e8",
    ] {
        is_the_same(
            number,
            message.replace("16777477}", &format!("{number}}}")),
            &expected,
        );
    }
    // All of them.
    let floats: String = message
        .split_inclusive(',')
        .map(|member| {
            let is_number =
                |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            match member
                .strip_suffix(',')
                .and_then(|member| member.rsplit_once(':'))
            {
                Some((name, number)) if is_number(number) => format!("{name}:{number}.0,"),
                _ => member.to_owned(),
            }
        })
        .collect();
    assert_ne!(floats, message);
    is_the_same("floats", floats, &expected);
    for (number, shown) in [
        ("16777477.5", "16777477.5"),
        ("1e20", "1e20"),
        ("1e-1", "1e-1"),
        ("18446744073709551616.0", "18446744073709551616.0"),
    ] {
        let run = given(&[], message.replace("16777477}", &format!("{number}}}")));
        assert_eq!(run.status, 1, "{number}");
        assert!(run.out.contains(&format!("fflag={shown} ")), "{}", run.out);
    }
}

#[test]
fn times_of_databases_are_read() {
    let mut message = value("open");
    message["time"] = "2026-05-01T10:00:00.000001000Z".into();
    message["process"]["start_time"] = "2026-05-01T09:59:00.000001Z".into();
    let text =
        |message: &Value| run_with_input(&["--utc", "-r", "-"], message.to_string().as_bytes());
    let expected = text(&message);
    assert!(
        expected.out.contains("started : 2026-05-01 09:59:00\n"),
        "{}",
        expected.out
    );
    for (time, start_time) in [
        (
            json!("2026-05-01 10:00:00.000001"),
            json!("2026-05-01 09:59:00.000001"),
        ),
        (
            json!("2026-05-01 12:00:00.000001+02"),
            json!("2026-05-01T09:59:00"),
        ),
        (json!("2026-05-01T10:00:00.000001"), json!(1_777_629_540)),
        (
            json!(1_777_629_600_000_001_000_i64),
            json!(1_777_629_540_000_i64),
        ),
        (json!("1777629600000001"), json!(1_777_629_540.0)),
    ] {
        message["time"] = time;
        message["process"]["start_time"] = start_time;
        let run = text(&message);
        assert_eq!((run.err.as_str(), run.status), ("", 0), "{message}");
        assert_eq!(run.out, expected.out, "{message}");
    }
    // What could be anything is no time.
    message["time"] = 12.into();
    assert_eq!(text(&message).status, 1);
}

#[test]
fn unions_may_be_written_as_they_are_in_c() {
    let mut login = value("openssh_login");
    login["event"]["openssh_login"]["uid"] = 501.into();
    let expected = printed(login.to_string());
    assert!(expected.contains(" uid=501 "), "{expected}");
    login["event"]["openssh_login"]["has_uid"] = true.into();
    login["event"]["openssh_login"]["uid"] = json!({ "uid": 501 });
    is_the_same("has_uid", login.to_string(), &expected);
    login["event"]["openssh_login"]["has_uid"] = false.into();
    let none = printed(login.to_string());
    assert_eq!(none, expected.replace("uid=501 ", ""));
    let mut su = value("su");
    su["event"]["su"]["to_uid"] = 0.into();
    let expected = printed(su.to_string());
    su["event"]["su"]["has_to_uid"] = true.into();
    su["event"]["su"]["to_uid"] = json!({ "uid": 0 });
    is_the_same("has_to_uid", su.to_string(), &expected);

    for (event, label) in [("rename", " filename="), ("create", " target_name=")] {
        let mut message = value(event);
        let new_path = json!({ "dir": { "path": "/Users/test" }, "filename": "b" });
        message["event"][event]["destination_type"] = 1.into();
        message["event"][event]["destination"] = json!({ "new_path": new_path });
        let expected = printed(message.to_string());
        assert!(expected.contains(label), "{expected}");
        message["event"][event]["destination"] = new_path.clone();
        is_the_same("destination.filename", message.to_string(), &expected);
        message["event"][event]
            .as_object_mut()
            .expect("an object")
            .remove("destination");
        message["event"][event]["new_path"] = new_path;
        is_the_same("new_path", message.to_string(), &expected);
        message["event"][event]
            .as_object_mut()
            .expect("an object")
            .remove("new_path");
        message["event"][event]["destination_type"] = 0.into();
        message["event"][event]["existing_file"] = json!({ "path": "/Users/test/b" });
        assert!(printed(message.to_string()).contains("existing_file=/Users/test/b"));
    }
}

#[test]
fn keys_and_names_may_be_written_with_escapes() {
    let message = message("exec");
    let expected = printed(&message);
    for (plain, escaped) in [
        ("\"event\":", r#""\u0065vent":"#),
        ("{\"exec\":", r#"{"\u0065x\u0065c":"#),
        ("\"path\":", r#""pat\u0068":"#),
        ("\"audit_token\":", r#""audit\u005Ftoken":"#),
        ("\"time\":", r#""\u0074\u0069\u006d\u0065":"#),
    ] {
        let text = message.replace(plain, escaped);
        assert_ne!(text, message, "{plain}");
        is_the_same(plain, &text, &expected);
        assert_eq!(given(&["-e", "exec"], &text).out, expected, "{plain}");
        let secret = text.replace("\"env\":", "\"\\u0065nv\":");
        let run = run_with_input(&["-F", "json", "--redact", "-r", "-"], secret.as_bytes());
        assert!(
            run.out.contains("=<redacted>") && run.status == 0,
            "{plain}: {}",
            run.out
        );
    }
}

#[test]
fn record_separators_stand_between_objects() {
    let [open, exec] = ["open", "exec"].map(message);
    let expected = printed(format!("{open}\n{exec}\n"));
    for text in [
        format!("\u{1e}{open}\n\u{1e}{exec}\n"),
        format!("\u{1e}{open}\u{1e}{exec}"),
        format!("\u{1e}\u{1e}{open}\n\u{1e}\n{exec}\n\u{1e}"),
    ] {
        is_the_same("RFC 7464", &text, &expected);
        is_the_same("RFC 7464", text.replace("},", "},\n"), &expected);
    }
}

#[test]
fn text_beside_an_object_costs_no_event() {
    let open = message("open");
    for before in [
        "hour.jsonl:12:",
        "May  1 10:00:00 mac eslogger[99]: ",
        "2026-05-01T10:00:00Z stdout F ",
        "{not json} ",
        "<14>1 - - - - - - ",
    ] {
        let run = given(
            &["--fail-on-drop"],
            format!("{before}{open}\n{before}{open}\n"),
        );
        assert_eq!((run.out.lines().count(), run.status), (2, 1), "{before}");
        let is_broken = before.starts_with('{');
        let sum = if is_broken {
            "2 damaged, 2 of them skipped"
        } else {
            "2 damaged, 0 of them skipped"
        };
        assert!(
            run.err.ends_with(&format!("standard input: {sum}\n")),
            "{before}: {}",
            run.err
        );
        assert_eq!(run.err.lines().count(), 3, "{}", run.err);
    }
    let run = given(&[], format!("{open} trailing\n"));
    assert_eq!(
        run.err,
        "proctracer: standard input:1: text after an object\nproctracer: standard input: 1 damaged, 0 of them skipped\n"
    );
    let pretty = format!("log: {:#}\n", value("open"));
    assert!(
        given(&[], pretty)
            .err
            .ends_with("1 damaged, 0 of them skipped\n")
    );
}

#[test]
fn no_environment_is_shown_where_it_is_redacted() {
    let known = message("exec").replace("\"env\":[", "\"env\":[\"TOKEN=hunter2\",");
    assert!(known.contains("hunter2"));
    let frame = |event: &str| {
        format!(
            "{{\"time\":\"2026-01-01T00:00:00.0Z\",\"process\":{{\"audit_token\":{{\"pid\":7}},\"env\":[\"A=hunter2\"]}},\"event\":{event}}}"
        )
    };
    let deep = format!(
        "{}{{\"env\":[\"A=hunter2\"]}}{}",
        "{\"path\":\"x\",\"a\":".repeat(120),
        "}".repeat(120)
    );
    for text in [
        known.clone(),
        known.replace("\"env\":", "\"\\u0065n\\u0076\":"),
        json!({ "message": known }).to_string(),
        format!("{:#}", value("exec")).replace("\"env\": [", "\"env\": [\"TOKEN=hunter2\","),
        frame(r#"{"exec_v2":{"env":["TOKEN=hunter2"],"args":["x"]}}"#),
        frame(r#"{"exec_v2":{"info":{"env":["TOKEN=hunter2"]}}}"#),
        frame(
            r#"{"exec_v2":{"list":[{"env":["TOKEN=hunter2","hunter2"]}],"env":{"TOKEN":"hunter2"}}}"#,
        ),
        frame(r#"{"exec_v2":{"env":"TOKEN=hunter2"}}"#),
        frame(
            r#"{"open":{"fflag":{"env":["TOKEN=hunter2"]},"file":{"path":"/x","env":["TOKEN=hunter2"]}}}"#,
        ),
        frame(
            r#"{"exec":{"fds":[{"fd":1,"env":["TOKEN=hunter2"]}],"env":[["TOKEN=hunter2"]],"cwd":{"path":"/","b":{"env":["A=hunter2"]}}}}"#,
        ),
        frame(&format!("{{\"exec_v2\":{{\"a\":{deep}}}}}")),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let record = folder.path().join("w.jsonl");
        for format in ["text", "line", "json"] {
            for env in [&["--env"][..], &["--env", "-v"]] {
                let record = record.to_str().expect("UTF-8");
                let args = [&["--redact", "-F", format, "-r", "-", "-w", record], env].concat();
                let run = run_with_input(&args, text.as_bytes());
                assert!(!run.out.contains("hunter2"), "{format}: {}", run.out);
                // Shown, or reported.
                assert_eq!(
                    run.out.is_empty(),
                    run.err.contains("1 of them skipped"),
                    "{}{}",
                    run.out,
                    run.err
                );
                let recorded = std::fs::read_to_string(record).expect("text");
                assert!(!recorded.contains("hunter2"), "{recorded}");
                assert_eq!(recorded.is_empty(), run.out.is_empty());
            }
        }
    }
}

#[test]
fn what_mac_monitor_adds_is_shown_with_v_only() {
    let mut exec = value("exec");
    let expected = printed(exec.to_string());
    let text = |message: &Value, args: &[&str]| {
        run_with_input(
            &[&["--utc", "-r", "-"], args].concat(),
            message.to_string().as_bytes(),
        )
    };
    let expected_text = text(&exec, &[]).out;
    for (name, value) in [
        ("telemetry_version", json!("1.0.0")),
        ("action_type_string", json!("ES_ACTION_TYPE_NOTIFY")),
        ("context", json!("/bin/ls -la")),
        ("es_event_type", json!("ES_EVENT_TYPE_NOTIFY_EXEC")),
        ("macOS", json!("27.0 (Build 26A1)")),
        ("sensor_id", json!("00000000-0000-0000-0000-000000000000")),
        ("target_path", json!("/bin/ls")),
    ] {
        exec[name] = value;
    }
    exec["action"]["result"]["result_type_human"] = "ES_RESULT_TYPE_AUTH".into();
    exec["process"]["pid"] = 700.into();
    exec["process"]["command_line"] = "zsh".into();
    exec["process"]["executable"]["name"] = "zsh".into();
    exec["event"]["exec"]["command_line"] = "ls -la".into();
    exec["event"]["exec"]["target"]["cs_type"] = json!({ "a": [1] });
    is_the_same("an export", exec.to_string(), &expected);
    is_the_same("a pretty export", format!("{exec:#}"), &expected);
    assert_eq!(text(&exec, &[]).out, expected_text);
    let verbose = text(&exec, &["-v"]).out;
    for addition in [
        "message.context : /bin/ls -la",
        "process.executable.name : zsh",
        "message.telemetry_version : 1.0.0",
        "  command_line : ls -la",
    ] {
        assert!(verbose.contains(addition), "{addition}: {verbose}");
    }
    let mut judgement = value("authorization_judgement");
    let expected = printed(judgement.to_string());
    judgement["telemetry_version"] = "1.0.0".into();
    for result in judgement["event"]["authorization_judgement"]["results"]
        .as_array_mut()
        .expect("a list")
    {
        result["id"] = "0".into();
        result["rule_class_string"] = "ES_AUTHORIZATION_RULE_CLASS_USER".into();
    }
    is_the_same("a list", judgement.to_string(), &expected);
}
