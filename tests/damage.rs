//! Damaged input: nothing good is lost, and what is lost is reported.

mod common;

use common::{Run, message, read, run, run_with_input};

/// Reads text from standard input.
fn given(input: impl AsRef<[u8]>) -> Run {
    run_with_input(&["-F", "line", "-r", "-"], input.as_ref())
}

fn events(run: &Run) -> Vec<&str> {
    run.out
        .lines()
        .map(|line| line.split(' ').nth(3).expect("four columns"))
        .collect()
}

fn warnings(run: &Run) -> Vec<&str> {
    run.err
        .lines()
        .map(|line| {
            line.strip_prefix("proctracer: standard input")
                .expect("where it is")
        })
        .collect()
}

#[test]
fn a_line_that_was_cut_costs_itself_only() {
    let [open, close, exit] = ["open", "close", "exit"].map(message);
    // Anywhere: within a string, a number, after a colon, a comma, a brace.
    for cut in (1..close.len() - 1).step_by(7) {
        if !close.is_char_boundary(cut) {
            continue;
        }
        let run = given(format!("{open}\n{}\n{exit}\n", &close[..cut]));
        assert_eq!(events(&run), ["open", "exit"], "cut at {cut}");
        assert_eq!(run.status, 1, "cut at {cut}");
        assert!(
            warnings(&run)[0].starts_with(":2: "),
            "cut at {cut}: {}",
            run.err
        );
        assert_eq!(
            warnings(&run).last(),
            Some(&": 1 damaged, 1 of them skipped"),
            "cut at {cut}: {}",
            run.err
        );
    }
}

#[test]
fn a_line_whose_newline_was_cut_too_is_reported_and_the_next_is_kept() {
    let [open, close] = ["open", "close"].map(message);
    for cut in [1, 30, open.len() / 2, open.len() - 2] {
        let run = given(format!("{}{close}\n{close}\n", &open[..cut]));
        assert_eq!(
            (events(&run), run.status),
            (vec!["close", "close"], 1),
            "cut at {cut}: {}",
            run.err
        );
        assert!(warnings(&run)[0].starts_with(":1: "), "{}", run.err);
    }
}

#[test]
fn the_last_line_may_be_cut_or_lack_its_newline() {
    let [open, close] = ["open", "close"].map(message);
    let whole = given(format!("{open}\n{close}"));
    assert_eq!(
        (events(&whole), whole.err.as_str(), whole.status),
        (vec!["open", "close"], "", 0)
    );
    let cut = given(format!("{open}\n{}", &close[..close.len() - 9]));
    assert_eq!((events(&cut), cut.status), (vec!["open"], 1));
    assert!(warnings(&cut)[0].starts_with(":2: "), "{}", cut.err);
}

#[test]
fn what_is_not_json_is_counted() {
    let open = message("open");
    let run = given(format!(
        "hello\n{open}\n\u{0}\u{1}\u{2}\n{{}}\n{{\"a\":1}}\n{open}\n"
    ));
    assert_eq!((events(&run), run.status), (vec!["open", "open"], 1));
    assert_eq!(
        warnings(&run),
        [
            ":1: no JSON object",
            ":3: no JSON object",
            ":4: the object has no member \"event\" (column 1)",
            ":5: the object has no member \"event\" (column 1)",
            ": 4 damaged, 4 of them skipped",
        ]
    );
    let passwd = run_file("Cargo.toml");
    assert_eq!((passwd.out.as_str(), passwd.status), ("", 1));
    assert!(
        passwd
            .err
            .starts_with("proctracer: Cargo.toml: not a recording: no message in it (line 1: "),
        "{}",
        passwd.err
    );
    let many = given("junk\n".repeat(80) + &open);
    assert_eq!(warnings(&many).len(), 52);
    assert_eq!(
        warnings(&many)[50..],
        [
            ": further warnings are only counted",
            ": 80 damaged, 80 of them skipped"
        ]
    );
}

#[test]
fn further_warnings_are_announced_only_where_there_are_some() {
    let lines = |count: usize| given("junk\n".repeat(count) + &message("open")).err;
    let expected = |count: usize| -> String {
        let warnings = (1..=count.min(50))
            .map(|line| format!("proctracer: standard input:{line}: no JSON object\n"));
        let further = "proctracer: standard input: further warnings are only counted\n";
        let sum = format!("proctracer: standard input: {count} damaged, {count} of them skipped\n");
        let further = if count > 50 { further } else { "" };
        warnings.collect::<String>() + further + &sum
    };
    // The last ones fill more than one chunk.
    for count in [49, 50, 51, 120, 500_000] {
        assert_eq!(lines(count), expected(count));
    }
}

fn run_file(name: &str) -> Run {
    run(&["-r", name])
}

#[test]
fn wrong_json_is_reported_with_its_place() {
    let exit = message("exit");
    for (wrong, reason) in [
        (exit.replace("\"stat\":", "\"stat\""), "expected ':'"),
        (
            exit.replace("\"stat\":139", "\"stat\":1390x"),
            "expected ',' or '}'",
        ),
        (
            exit.replace("\"stat\":139", "\"stat\":01"),
            "a number begins with 0",
        ),
        (
            exit.replace("\"stat\":139", "\"stat\":"),
            "expected a value",
        ),
        (
            exit.replace("\"stat\":139", "\"stat\":\"\\q\""),
            "wrong escape in a string",
        ),
        (
            exit.replace("\"stat\":139", "\"stat\":\"\t\""),
            "control character in a string",
        ),
        (
            exit.replace(
                "\"stat\":139",
                &format!("\"stat\":{}1{}", "[".repeat(200), "]".repeat(200)),
            ),
            "nested too deep",
        ),
    ] {
        assert_ne!(wrong, exit, "{reason}");
        let run = given(format!("{wrong}\n{exit}\n"));
        assert_eq!(
            (events(&run), run.status),
            (vec!["exit"], 1),
            "{reason}: {}",
            run.err
        );
        let said = warnings(&run)[0].to_owned();
        assert!(
            said.starts_with(&format!(":1: {reason} (column ")),
            "{said}"
        );
    }
}

#[test]
fn a_member_of_the_wrong_type_is_shown_as_it_is() {
    let open = message("open").replace("\"fflag\":16777477", "\"fflag\":{\"new\":[1, 2]}");
    let run = given(&open);
    assert_eq!((events(&run), run.status), (vec!["open"], 1));
    assert!(
        run.out.contains(r#" fflag="{\"new\":[1,2]}" filename="#),
        "{}",
        run.out
    );
    assert_eq!(
        warnings(&run),
        [
            ":1: member \"fflag\": expected an integer",
            ": 1 damaged, 0 of them skipped"
        ]
    );
}

/// An exit with these members before its own.
fn exit_with(members: &str) -> String {
    let exit = message("exit");
    let with = exit.replace(r#""exit":{"#, &format!(r#""exit":{{{members},"#));
    assert_ne!(with, exit);
    with
}

#[test]
fn a_member_that_is_repeated_is_shown_but_means_nothing() {
    let run = given(exit_with(r#""stat":256"#));
    assert_eq!((run.err.as_str(), run.status), ("", 0));
    let expected = " exit stat=\"exited 1\" stat=139\n";
    assert!(run.out.ends_with(expected), "{}", run.out);
}

/// Each of these takes more than a minute if the time grows with the square of the length.
#[test]
fn members_that_are_repeated_over_and_over_take_little_time() {
    let message = |event: &str, repeated: &str, last: &str| {
        let members = format!("{repeated},").repeat(200_000);
        format!(r#"{{"process":{{}},"event":{{"{event}":{{{members}{last}}}}}}}"#)
    };
    let count = r#""result_count":1"#;
    let directory = r#""dir":{"path":"/x"}"#;
    // The members that each flag might be about come first.
    let others = r#""x":1,"#.repeat(200_000);
    let flag = r#""has_error_code":false"#;
    for (input, args) in [
        (
            message("authorization_judgement", count, count),
            &["-Fline"],
        ),
        (message("rename", directory, directory), &["-c"]),
        (
            message("od_group_add", flag, flag).replacen(flag, &format!("{others}{flag}"), 1),
            &["-Fline"],
        ),
    ] {
        let run = run_with_input(&[&args[..], &["-r", "-"]].concat(), input.as_bytes());
        assert!(!run.out.is_empty(), "{}", run.err);
    }
}

#[test]
fn a_message_with_too_many_members_is_shown_without_the_rest() {
    let members: Vec<_> = (0..20_000).map(|at| format!("\"a{at}\":{at}")).collect();
    let exit = exit_with(&members.join(","));
    let run = given(&exit);
    assert_eq!(run.out.matches(" a").count(), 16_384);
    assert!(run.out.contains(" a16383=16383 ") && !run.out.contains("a16384"));
    assert!(run.out.contains(" stat=\"SIGSEGV core dumped\""));
    let expected = [
        ":1: member \"event\": more than 16384 members; the rest are left out",
        ": 1 damaged, 0 of them skipped",
    ];
    assert_eq!((warnings(&run), run.status), (expected.to_vec(), 1));
    // Nothing is left out here.
    let run = run_with_input(&["-F", "json", "-r", "-"], exit.as_bytes());
    assert_eq!(run.out.trim_end(), exit.trim_end());
}

#[test]
fn a_list_that_is_too_long_is_shown_as_json() {
    let elements = vec![r#"{"fd":1}"#; 20_000].join(",");
    let exec = message("exec");
    let (before, after) = exec.split_once("\"fds\":[").expect("a list");
    let (_, after) = after.split_once(']').expect("its end");
    let run = given(format!("{before}\"fds\":[{elements}]{after}"));
    let json = format!("fds=\"[{}]\"", elements.replace('"', "\\\""));
    assert!(run.out.contains(&json));
    let expected = [
        ":1: member \"fds\": more than 16384 elements; shown as JSON",
        ": 1 damaged, 0 of them skipped",
    ];
    assert_eq!((warnings(&run), run.status), (expected.to_vec(), 1));
}

#[test]
fn a_long_name_is_not_repeated_before_the_names_of_members() {
    let long = "x".repeat(150);
    let object = r#"{"path":"/x","a":1,"b":2}"#;
    let json = r#""{\"a\":1,\"b\":2,\"path\":\"/x\"}""#;
    for (name, expected) in [
        ("new", " exit new=/x new.a=1 new.b=2 stat=".to_owned()),
        (&long, format!("{long}={json}\n")),
        // Only an object has members.
        (
            &format!("{long}\":\"text\",\"new"),
            format!(" {long}=text\n"),
        ),
    ] {
        let run = given(exit_with(&format!("\"{name}\":{object}")));
        assert_eq!((run.err.as_str(), run.status), ("", 0));
        assert!(run.out.contains(&expected), "{}", run.out);
    }
}

#[test]
fn an_object_without_an_event_or_with_two_is_no_message() {
    let exit = message("exit");
    for (wrong, reason) in [
        (
            exit.replace("\"event\":", "\"evnt\":"),
            "the object has no member \"event\"",
        ),
        (
            exit.replace("{\"exit\":", "{\"fork\":{},\"exit\":"),
            "the message has more than one event",
        ),
        (
            r#"{"event":{"kind":{"a":1}},"host":"mac"}"#.to_owned(),
            "the object is no message",
        ),
    ] {
        let run = given(&wrong);
        assert_eq!((run.out.as_str(), run.status), ("", 1), "{reason}");
        assert!(run.err.contains(reason), "{}", run.err);
    }
}

#[test]
fn objects_may_be_written_in_other_ways() {
    let [open, close, fork] = ["open", "close", "fork"].map(message);
    let values = [&open, &close, &fork]
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
    let pretty = values
        .each_ref()
        .map(|value| serde_json::to_string_pretty(value).expect("JSON"));
    let array = serde_json::to_string(&values).expect("JSON");
    for (way, text) in [
        ("concatenated", format!("{open}{close}{fork}")),
        ("with \\r\\n", format!("{open}\r\n{close}\r\n{fork}\r\n")),
        (
            "after ^D\\b\\b",
            format!("^D\u{8}\u{8}{open}\n{close}\n{fork}\n"),
        ),
        (
            "after \\x04\\b\\b",
            format!("\u{4}\u{8}\u{8}{open}\n{close}\n{fork}\n"),
        ),
        (
            "after a byte-order mark",
            format!("\u{feff}{open}\n{close}\n{fork}\n"),
        ),
        (
            "with empty lines",
            format!("\n\n{open}\n \t\n{close}\n\n{fork}\n\n"),
        ),
        ("indented", format!("  {open}\n\t{close}\n {fork}  \n")),
        ("pretty-printed", pretty.join("\n")),
        ("pretty-printed and concatenated", pretty.concat()),
        (
            "pretty-printed with \\r\\n",
            pretty.join("\n").replace('\n', "\r\n"),
        ),
        (
            "pretty-printed and not",
            format!("{}\n{close}\n{}", pretty[0], pretty[2]),
        ),
        ("as an array", array.clone()),
        (
            "as a pretty-printed array",
            serde_json::to_string_pretty(&values).expect("JSON"),
        ),
        (
            "as an array with an object a line",
            array.replace("},{\"action\"", "},\n{\"action\""),
        ),
    ] {
        for list in ["all", "open,close,fork"] {
            let run = run_with_input(&["-F", "line", "-e", list, "-r", "-"], text.as_bytes());
            assert_eq!((run.err.as_str(), run.status), ("", 0), "{way}");
            assert_eq!(events(&run), ["open", "close", "fork"], "{way}");
        }
    }
}

#[test]
fn empty_lines_double_nothing() {
    let open = message("open");
    let text = format!("\n\n{open}\n\n \n{open}\n");
    for args in [
        &["-p", "/System"][..],
        &["-e", "open", "-p", "/System"],
        &[],
    ] {
        let args = [&["-F", "line", "-r", "-"], args].concat();
        assert_eq!(
            run_with_input(&args, text.as_bytes()).out.lines().count(),
            2
        );
    }
}

#[test]
fn a_pretty_printed_object_that_was_cut_costs_itself_only() {
    let [open, close] = ["open", "close"].map(message);
    let value: serde_json::Value = serde_json::from_str(&open).expect("JSON");
    let pretty = serde_json::to_string_pretty(&value).expect("JSON");
    for cut in (2..pretty.len()).step_by(101) {
        let run = given(format!("{close}\n{}\n{close}\n", &pretty[..cut]));
        assert_eq!(
            (events(&run), run.status),
            (vec!["close", "close"], 1),
            "cut at {cut}: {}",
            run.err
        );
        let run = given(format!("{}\n{pretty}\n", &pretty[..cut]));
        assert_eq!(
            events(&run).last(),
            Some(&"open"),
            "cut at {cut}: {}",
            run.err
        );
    }
}

#[test]
fn an_object_that_was_cut_takes_nothing_with_it_that_follows() {
    let pretty = |event: &str| {
        let value: serde_json::Value = serde_json::from_str(&message(event)).expect("JSON");
        serde_json::to_string_pretty(&value).expect("JSON")
    };
    let [open, exec, fork] = ["open", "exec", "fork"].map(pretty);
    // The cut isn't within a string, so nothing is wrong until the end is missing.
    let cut: String = open.split_inclusive('\n').take(20).collect();
    assert!(cut.ends_with(",\n") || cut.ends_with("{\n"), "{cut}");
    let column = cut.lines().last().expect("a line").len() + 1;
    // More than the size of the largest object.
    let count = (9 << 20) / (exec.len() + fork.len());
    let whole = format!("{exec}\n{fork}\n").repeat(count);
    let expected = given(&whole);
    assert_eq!((expected.err.as_str(), expected.status), ("", 0));
    for damaged in [format!("{cut}{whole}"), format!("{cut}{cut}{cut}{whole}")] {
        let cuts = damaged.matches(&cut).count();
        let run = given(&damaged);
        common::assert_same(&run.out, &expected.out);
        let mut said: Vec<_> = (1..=cuts)
            .map(|cut| format!(":{}: expected a key (column {column})", cut * 20))
            .collect();
        said.push(format!(": {cuts} damaged, {cuts} of them skipped"));
        assert_eq!(
            (warnings(&run), run.status),
            (said.iter().map(String::as_str).collect(), 1)
        );
    }
}

#[test]
fn lines_that_were_cut_one_after_the_other_are_counted_each() {
    let [open, exit] = ["open", "exit"].map(message);
    let run = given(format!(
        "{open}\n{}{exit}\n{exit}\n",
        "{\"a\":1,\n".repeat(3)
    ));
    assert_eq!(
        (events(&run), run.status),
        (vec!["open", "exit", "exit"], 1)
    );
    assert_eq!(
        warnings(&run),
        [
            ":2: expected a key (column 8)",
            ":3: expected a key (column 8)",
            ":4: expected a key (column 8)",
            ": 3 damaged, 3 of them skipped",
        ]
    );
}

#[test]
fn messages_within_another_object_are_found() {
    let [open, exit] = ["open", "exit"].map(message);
    let value: serde_json::Value = serde_json::from_str(&open).expect("JSON");
    let run = given(format!(
        "{{\"records\": [\n{exit},\n{value:#},\n{exit}\n]}}\n"
    ));
    assert_eq!(
        (events(&run), run.err.as_str(), run.status),
        (vec!["exit", "open", "exit"], "", 0)
    );
}

#[test]
fn strings_may_hold_bytes_that_are_not_utf8() {
    let open = message("open").replace("state.db", "\u{1}");
    let (before, after) = open.split_once('\u{1}').expect("the place");
    let raw = [before.as_bytes(), b"\xff\xc3(\xe2\x80", after.as_bytes()].concat();
    let run = given(raw);
    assert_eq!((run.err.as_str(), run.status), ("", 0));
    assert!(run.out.contains(r"/T/\xff\xc3(\xe2\x80"), "{}", run.out);
}

#[test]
fn a_line_without_end_is_given_up() {
    let open = message("open");
    let endless = format!("{open}\n{{\"a\":\"{}\"\n{open}\n", "x".repeat(20 << 20));
    let run = given(endless);
    assert_eq!((events(&run), run.status), (vec!["open", "open"], 1));
}

#[test]
fn objects_without_any_newline_are_read_piece_by_piece() {
    let [open, exec] = ["open", "exec"].map(message);
    let large = exec.replace("\"--color=auto\"", &format!("\"{}\"", "{}".repeat(700_000)));
    let objects: Vec<_> = (0..1500)
        .map(|at| if at % 500 == 77 { &large } else { &open })
        .collect();
    let lines = given(
        objects
            .iter()
            .fold(String::new(), |all, one| all + one + "\n"),
    );
    assert_eq!((lines.err.as_str(), lines.status), ("", 0));
    let run = given(objects.iter().fold(String::new(), |all, one| all + one));
    assert_eq!((run.err.as_str(), run.status), ("", 0));
    common::assert_same(&run.out, &lines.out);
}

#[test]
fn a_large_object_is_read() {
    let exec = message("exec").replace(
        "\"--color=auto\"",
        &format!("\"{}\"", "\\/x".repeat(1 << 20)),
    );
    let run = given(format!("{exec}\n{exec}\n"));
    assert_eq!(
        (events(&run), run.err.as_str(), run.status),
        (vec!["exec", "exec"], "", 0)
    );
    assert!(run.out.len() > 4 << 20);
}

#[test]
fn files_that_cannot_be_read_are_reported_and_the_others_are_read() {
    let missing = run(&["-r", "nothing.jsonl", "-r", "tests/data/seed.jsonl"]);
    assert_eq!(missing.status, 1);
    assert_eq!(
        missing.err,
        "proctracer: nothing.jsonl: No such file or directory\n"
    );
    assert_eq!(missing.out, read("tests/data/seed.text"));
    let folder = run(&["-r", "tests"]);
    assert_eq!(
        (folder.err.as_str(), folder.status),
        ("proctracer: tests: Is a directory\n", 1)
    );
    let empty = given("");
    assert_eq!(
        (empty.out.as_str(), empty.err.as_str(), empty.status),
        ("", "", 0)
    );
}

#[test]
fn a_name_in_a_warning_is_made_safe() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a\x1b[2J\nb");
    std::fs::write(&path, "x\n".to_owned() + &message("open")).expect("the file can be written");
    let run = run(&["-r", path.to_str().expect("UTF-8")]);
    assert!(
        run.err.contains(r"/a\x1b[2J\nb:1: no JSON object"),
        "{}",
        run.err
    );
}

#[test]
fn an_object_that_is_cut_takes_no_message_after_it_along_whatever_closes_it() {
    let good =
        |number: usize| format!("{{\"event\":{{\"exit\":{{\"stat\":0}}}},\"seq_num\":{number}}}\n");
    for cut in [
        "{\"time\":\"2026-03-14T02:03:03Z\",\"process\":\n",
        "{\"time\":\"2026-03-14T02:03:03Z\",\"process\":{\"group_id\":\n",
        "{\"time\":\"2026-03-14T02:03:03Z\",\"process\":[\n",
    ] {
        for rest in ["\"alse\"}\n", "[1]alse}}\n", "}{]\"}}\n", "1}]}}\n"] {
            let text = [cut, &good(0), rest, &good(1)].concat();
            let run = run_with_input(&["-F", "json", "-r", "-"], text.as_bytes());
            assert_eq!(run.out, [good(0), good(1)].concat(), "{text}{}", run.err);
            assert_eq!(run.status, 1, "{text}");
        }
    }
}

#[test]
fn an_object_that_is_cut_deep_inside_takes_no_message_after_it_along() {
    let good = "{\"event\":{\"exit\":{\"stat\":0}}}\n";
    for depth in [10, 126, 127, 128, 129, 1000] {
        let cut = "{\"a\":".repeat(depth);
        for between in ["", "\n", "{\n"] {
            let text = [&cut, between, "\n", good, good].concat();
            let run = run_with_input(&["-F", "json", "-r", "-"], text.as_bytes());
            assert_eq!(run.out, good.repeat(2), "{depth} {between:?}: {}", run.err);
            assert_eq!(run.status, 1);
        }
    }
}
