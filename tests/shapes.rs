//! Recordings rewritten by other tools: they are read as the originals.

mod common;

use std::io::Read as _;

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

/// The output for a recording that has nothing wrong with it.
#[track_caller]
fn printed(input: impl AsRef<[u8]>) -> String {
    let run = given(&[], input);
    assert_eq!((run.err.as_str(), run.status), ("", 0));
    run.out
}

/// Checks that a changed message is printed as before.
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
    // A program's entitlements are chosen by its author.
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
    // All numbers.
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
    // A value that could be anything is no time.
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

/// Runs the program on a file with this name and content; the file's folder is removed from the output.
fn read_file(name: &str, content: &[u8], args: &[&str]) -> Run {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    std::fs::write(&path, content).expect("the file can be written");
    let path = path.to_str().expect("UTF-8");
    let mut run = common::run(&[&["-F", "line", "--utc", "-r", path], args].concat());
    run.err = run
        .err
        .replace(&format!("{}/", folder.path().display()), "");
    run
}

#[test]
fn utf_16_is_read_in_either_order() {
    let open = message("open").replace("state.db", "\u{e9}\u{1f600}.db");
    let text = format!("{open}\r\n{open}\r\n");
    let expected = printed(&text);
    assert!(expected.contains("\u{e9}\u{1f600}.db"), "{expected}");
    let [little, big] = [u16::to_le_bytes, u16::to_be_bytes].map(|bytes| {
        let marked = format!("\u{feff}{text}");
        marked.encode_utf16().flat_map(bytes).collect::<Vec<u8>>()
    });
    for (what, bytes) in [
        ("little", &little[..]),
        ("big", &big[..]),
        ("little without a mark", &little[2..]),
        ("big without a mark", &big[2..]),
        (
            "UTF-8 with a mark",
            &[b"\xef\xbb\xbf", text.as_bytes()].concat(),
        ),
    ] {
        is_the_same(what, bytes, &expected);
        let run = read_file("a.jsonl", bytes, &[]);
        assert_eq!(
            (run.out.as_str(), run.err.as_str(), run.status),
            (expected.as_str(), "", 0),
            "{what}"
        );
        let zstd = zstd::encode_all(bytes, 0).expect("compressed");
        is_the_same(what, zstd, &expected);
    }
}

fn bzip2(text: &[u8]) -> Vec<u8> {
    let mut compressed = Vec::new();
    bzip2::read::BzEncoder::new(text, bzip2::Compression::fast())
        .read_to_end(&mut compressed)
        .expect("compressed");
    compressed
}

#[test]
fn bzip2_is_read() {
    let [open, exec] = ["open", "exec"].map(message);
    let expected = printed(format!("{open}\n{exec}\n"));
    let [first, second] = [&open, &exec].map(|line| bzip2(format!("{line}\n").as_bytes()));
    is_the_same(
        "one stream",
        bzip2(format!("{open}\n{exec}\n").as_bytes()),
        &expected,
    );
    is_the_same(
        "two streams",
        [first.clone(), second.clone()].concat(),
        &expected,
    );
    // The contents of a cut file are read.
    let many = bzip2(format!("{open}\n").repeat(2000).as_bytes());
    let run = given(&[], &many[..many.len() - 10]);
    assert_eq!(run.status, 1);
    assert!(
        run.err.starts_with("proctracer: standard input: "),
        "{}",
        run.err
    );
    let trailing = given(&[], [&first[..], b"junk"].concat());
    assert!(
        trailing
            .err
            .contains("ignored the data after the compressed data"),
        "{}",
        trailing.err
    );
}

#[test]
fn other_compressions_are_named_with_the_command_to_use() {
    for (beginning, name, command) in [
        (&b"\xfd7zXZ\0"[..], "xz", "xz -dc"),
        (b"\x04\x22\x4d\x18", "lz4", "lz4 -dc"),
        (b"\x02\x21\x4c\x18", "lz4", "lz4 -dc"),
        (b"PK\x03\x04", "zip", "unzip -p"),
        (b"7z\xbc\xaf\x27\x1c", "7-Zip", "7z x -so"),
        (b"LZIP", "lzip", "lzip -dc"),
        (b"\x1f\x9d", "compress", "uncompress -c"),
        (b"bvx2", "LZFSE", "compression_tool -decode -i"),
    ] {
        let content = [beginning, b"\x01\x00{}\n\x00{"].concat();
        let run = read_file("a b.x", &content, &[]);
        assert_eq!((run.out.as_str(), run.status), ("", 1), "{name}");
        assert_eq!(run.err.lines().count(), 1, "{}", run.err);
        assert!(
            run.err.starts_with(&format!(
                "proctracer: a b.x: it is compressed with {name}: {command} "
            )),
            "{}",
            run.err
        );
        assert!(
            run.err.ends_with("a b.x' | proctracer -r -\n"),
            "{}",
            run.err
        );
        let piped = given(&[], &content);
        assert_eq!(
            (piped.err.as_str(), piped.status),
            (format!("proctracer: standard input: it is compressed with {name}: decompress it with {command}\n").as_str(), 1)
        );
    }
    // Text whose beginning is in part that of a compressed file.
    let open = message("open");
    for text in ["B", "BZ", "P", "PK", "7z", "LZ", "LZI", "b", "bvx", "R*M"] {
        assert_eq!(
            given(&[], format!("{text}\n{open}\n")).out,
            printed(&open),
            "{text}"
        );
    }
}

#[test]
fn zstd_frames_to_skip_may_come_first() {
    let open = message("open");
    let expected = printed(format!("{open}\n{open}\n"));
    let frame = zstd::encode_all(format!("{open}\n").as_bytes(), 0).expect("compressed");
    let skip = |number: u8, content: &[u8]| {
        [
            &[0x50 + number, 0x2a, 0x4d, 0x18][..],
            &u32::try_from(content.len()).expect("small").to_le_bytes(),
            content,
        ]
        .concat()
    };
    let [empty, large] = [skip(0, b""), skip(15, "x".repeat(100_000).as_bytes())];
    for frames in [
        vec![&empty, &frame, &frame],
        vec![&large, &empty, &frame, &large, &frame, &empty],
    ] {
        let frames: Vec<u8> = frames.into_iter().flatten().copied().collect();
        is_the_same("skippable frames", frames, &expected);
    }
}

#[test]
fn a_file_that_is_no_recording_is_reported_in_one_line() {
    for (name, content) in [
        ("a.png", &b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0{\0\n{\n}{\n\x1b[2J\n"[..]),
        ("a.out", b"\xcf\xfa\xed\xfe\x07\0\0\x01\x03\0\0\0\n\n\x0b\0__TEXT\n"),
        ("passwd", b"root:*:0:0::/:/bin/sh\ndaemon:*:1:1::/:/bin/sh\nx\ny\nz\n"),
        ("one", b"hello\n"),
        ("a.c", b"int main(void) {\n  if (1) {\n    return 0;\n  }\n}\nint f(void) {\n}\nint g;\n int h {}\nint i;\n"),
        ("a.plist", b"bplist00\xd1\x01\x02_\x10\x0f\n{"),
        ("a.json", b"{\"a\":1}\n{\"a\":2}\n{\"a\":3}\n{\"a\":4}\n"),
        ("a.csv", b"time,event\n2026-05-01,open\n"),
    ] {
        // Lines that look like objects and can't match the selection are skipped.
        let selections = [&[][..], &["-e", "exec"], &["-p", "/bin"]];
        let count = if content.starts_with(b"{") { 1 } else { 3 };
        for args in &selections[..count] {
            let run = read_file(name, content, args);
            let lines: Vec<_> = run.err.lines().filter(|line| !line.ends_with("matched nothing")).collect();
            assert_eq!((lines.len(), run.out.as_str(), run.status), (1, "", 1), "{name}: {}", run.err);
            assert!(lines[0].starts_with(&format!("proctracer: {name}: not a recording: no message in it (line ")), "{}", run.err);
        }
    }
    // A damaged recording is still a recording, even if none of its events is selected.
    let exit = message("exit");
    let junk = "junk\n".repeat(5);
    for args in [&[][..], &["-e", "exec"], &["-p", "/nowhere"]] {
        for text in [format!("{junk}{exit}\n"), format!("{exit}\n{junk}")] {
            let run = given(args, text);
            assert!(
                run.err.contains("5 damaged, 5 of them skipped"),
                "{args:?}: {}",
                run.err
            );
        }
    }
    assert!(
        given(&[], &exit[..exit.len() - 9])
            .err
            .contains("1 damaged, 1 of them skipped")
    );
}
