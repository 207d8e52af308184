//! `-w` and `--redact`.

mod common;

use std::path::Path;

use common::{Run, assert_same, message, read, run, run_with_input};

const EVENTS: &str = "tests/data/events.jsonl";

/// Runs with `-w`; returns the recorded text, too.
fn recorded(args: &[&str]) -> (Run, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("out.jsonl");
    let run = run(&[args, &["-w", path.to_str().expect("UTF-8")]].concat());
    let record = std::fs::read_to_string(path).expect("the recording is UTF-8");
    (run, record)
}

#[test]
fn what_is_shown_is_recorded_as_it_came() {
    let (run, record) = recorded(&["--env", "-r", EVENTS]);
    assert_eq!((run.err.as_str(), run.status), ("", 0));
    assert_same(&run.out, &read("tests/data/events.text"));
    assert_same(&record, &read(EVENTS));
}

#[test]
fn only_what_is_shown_is_recorded() {
    let args = [
        "-r",
        "samples/developers-hour.jsonl",
        "-e",
        "exec,exit",
        "-p",
        "/bin",
    ];
    let json = run(&[&args[..], &["-F", "json"]].concat()).out;
    assert!(json.lines().count() > 3);
    for format in ["text", "line", "json"] {
        let (_, record) = recorded(&[&args[..], &["-F", format]].concat());
        assert_same(&record, &json);
    }
}

#[test]
fn an_object_over_several_lines_is_recorded_as_one() {
    let value: serde_json::Value = serde_json::from_str(&message("fork")).expect("JSON");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("out.jsonl");
    let pretty = serde_json::to_string_pretty(&value).expect("JSON");
    let args = ["-r", "-", "-w", path.to_str().expect("UTF-8")];
    run_with_input(&args, pretty.as_bytes());
    let record = std::fs::read_to_string(path).expect("the recording");
    assert_eq!(record.lines().count(), 1);
    let again: serde_json::Value = serde_json::from_str(&record).expect("JSON");
    assert_eq!(again, value);
}

#[test]
fn nothing_that_is_read_is_overwritten() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    let (input, link, output) = (path("in"), path("link"), path("out"));
    let (new, same_new) = (path("new"), path("./new"));
    std::fs::write(&input, message("open")).expect("the file can be written");
    std::os::unix::fs::symlink(&input, &link).expect("the link can be made");
    std::fs::write(&output, "").expect("the file can be written");
    for (args, said) in [
        (
            ["-o", "/dev/null", "-w", &link],
            format!("-w {link} would overwrite -r {input}"),
        ),
        (
            ["--color", "auto", "-o", &link],
            format!("-o {link} would overwrite -r {input}"),
        ),
        (
            ["-o", &output, "-w", &output],
            format!("-o {output} and -w {output} are the same file"),
        ),
        (
            ["-o", &new, "-w", &same_new],
            format!("-o {new} and -w {same_new} are the same file"),
        ),
        (
            ["--color", "auto", "-w", "-"],
            "-w - makes no sense: -F json prints the events as they are recorded".to_owned(),
        ),
        (
            ["--color", "auto", "-w", "/nonexistent/a"],
            "-w /nonexistent/a: No such file or directory".to_owned(),
        ),
    ] {
        let run = run(&[&["-r", &input], &args[..]].concat());
        assert_eq!((run.err, run.status), (format!("proctracer: {said}\n"), 2));
        assert_eq!(
            std::fs::read_to_string(&input).expect("it is there"),
            message("open")
        );
        assert!(!Path::new(&new).exists());
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_reported() {
    let full = run(&["-r", EVENTS, "-w", "/dev/full", "-o", "/dev/null"]);
    assert_eq!(
        (full.err.as_str(), full.status),
        (
            "proctracer: /dev/full: No space left on device; 0 events kept\n",
            1
        )
    );
}

#[test]
fn values_of_variables_are_replaced_everywhere() {
    let plain = [
        "PATH=/opt/homebrew/bin:/usr/bin:/bin",
        "HOME=/Users/test",
        "API_TOKEN=example-not-a-secret",
    ];
    let redacted =
        "  env : PATH=<redacted> HOME=<redacted> SHELL=<redacted> API_TOKEN=<redacted>\n";
    let (text, record) = recorded(&["--env", "--redact", "-r", EVENTS]);
    assert!(text.out.contains(redacted), "{}", text.out);
    let line = run(&["--env", "--redact", "-F", "line", "-r", EVENTS]).out;
    assert!(line.contains(
        " env=\"PATH=<redacted> HOME=<redacted> SHELL=<redacted> API_TOKEN=<redacted>\" "
    ));
    let json = run(&["--redact", "-F", "json", "-r", EVENTS]).out;
    assert_same(&json, &record);
    assert!(json.contains(
        r#""env":["PATH=<redacted>","HOME=<redacted>","SHELL=<redacted>","API_TOKEN=<redacted>"]"#
    ));
    for secret in plain {
        for out in [&text.out, &line, &record] {
            assert!(
                !out.contains(secret) && !out.contains(&secret.replace('/', "\\/")),
                "{secret}"
            );
        }
    }
    // Everything else is unchanged.
    let expected: String = read(EVENTS)
        .lines()
        .map(|line| redact(line) + "\n")
        .collect();
    assert_same(&json, &expected);
}

/// The same in another way: every string in an array that is called `env` is replaced.
fn redact(line: &str) -> String {
    let Some(start) = line.find("\"env\":[\"") else {
        return line.to_owned();
    };
    let start = start + "\"env\":[".len();
    let end = start + line[start..].find("\"]").expect("the array ends") + 1;
    let variables = line[start..end].split("\",\"").map(|variable| {
        let name = variable.trim_matches('"').split_once('=');
        name.map_or_else(
            || "\"<redacted>\"".to_owned(),
            |(name, _)| format!("\"{name}=<redacted>\""),
        )
    });
    let variables: Vec<_> = variables.collect();
    format!("{}{}{}", &line[..start], variables.join(","), &line[end..])
}

#[test]
fn an_environment_of_the_wrong_type_is_not_shown_either() {
    let mut value: serde_json::Value = serde_json::from_str(&message("exec")).expect("JSON");
    value["event"]["exec"]["env"] = serde_json::json!({ "TOKEN": "secret" });
    for format in ["text", "line", "json"] {
        let args = ["--env", "--redact", "-F", format, "-r", "-"];
        let run = run_with_input(&args, value.to_string().as_bytes());
        assert!(
            run.out.contains("<redacted>") && !run.out.contains("secret"),
            "{}",
            run.out
        );
        assert_eq!(run.status, 1);
    }
}
