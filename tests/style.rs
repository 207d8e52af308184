//! `--time`, `-s`, `-n`: the form in which events are shown, and the number of them.

mod common;

use common::{run, run_with_input};

const HOUR: &str = "samples/developers-hour.jsonl";

#[track_caller]
fn lines(args: &[&str]) -> Vec<String> {
    let run = run(&[&["-r", HOUR, "-F", "line", "-e", "exit"], args].concat());
    assert_eq!((run.err.as_str(), run.status), ("", 0));
    run.out.lines().map(str::to_owned).collect()
}

#[test]
fn times_are_shown_in_every_style() {
    for (style, first, second) in [
        (
            "full",
            "2026-03-14 09:00:08.175835239 ls[21847] exit stat=\"exited 0\"",
            "2026-03-14 09:00:12.209211517 cat[21849] exit stat=\"exited 1\"",
        ),
        (
            "clock",
            "09:00:08.175835239 ls[21847] exit stat=\"exited 0\"",
            "09:00:12.209211517 cat[21849] exit stat=\"exited 1\"",
        ),
        (
            "epoch",
            "1773478808.175835239 ls[21847] exit stat=\"exited 0\"",
            "1773478812.209211517 cat[21849] exit stat=\"exited 1\"",
        ),
        (
            "start",
            "0.000000000 ls[21847] exit stat=\"exited 0\"",
            "4.033376278 cat[21849] exit stat=\"exited 1\"",
        ),
        (
            "none",
            "ls[21847] exit stat=\"exited 0\"",
            "cat[21849] exit stat=\"exited 1\"",
        ),
    ] {
        let lines = lines(&["--time", style, "-n", "2"]);
        assert_eq!(lines, [first, second], "{style}");
    }
}

#[test]
fn the_time_since_the_event_before_is_of_those_that_are_shown() {
    let since_start = lines(&["--time", "start", "-Z"]);
    let since_before = lines(&["--time", "delta", "-Z"]);
    let seconds = |line: &String| -> f64 {
        let column = line.split(' ').next().expect("a column");
        column.parse().expect("a number")
    };
    let mut sum = 0.0;
    assert!(since_before.len() > 5);
    for (start, before) in since_start.iter().zip(&since_before) {
        sum += seconds(before);
        assert!((seconds(start) - sum).abs() < 1e-6, "{start} {before}");
    }
}

#[test]
fn the_text_layout_takes_the_same_styles() {
    let text = |style: &str| {
        let run = run(&["-r", HOUR, "-e", "exit", "-n", "1", "--time", style]);
        assert_eq!((run.err.as_str(), run.status), ("", 0));
        run.out.lines().take(3).collect::<Vec<_>>().join("|")
    };
    assert_eq!(
        text("clock"),
        "event : exit|  time: 09:00:08.175835239|  stat : exited 0 (0)"
    );
    assert_eq!(
        text("start"),
        "event : exit|  time: 0.000000000|  stat : exited 0 (0)"
    );
    assert_eq!(text("none"), "event : exit|  stat : exited 0 (0)| process:");
}

/// Times that run backwards, and one that is missing.
#[test]
fn strange_times_are_shown_as_they_are() {
    let message =
        |time: &str| format!("{{{time}\"process\":null,\"event\":{{\"settime\":{{}}}}}}\n");
    let input = message("\"time\":\"2026-01-01T00:00:01.5Z\",")
        + &message("\"time\":\"2026-01-01T00:00:00.25Z\",")
        + &message("")
        + &message("\"time\":\"2026-01-01T00:00:02Z\",");
    let out = |style: &str| {
        let args = ["-r", "-", "-F", "line", "--time", style];
        let run = run_with_input(&args, input.as_bytes());
        assert_eq!((run.err.as_str(), run.status), ("", 0));
        run.out
    };
    assert_eq!(
        out("delta"),
        "0.000000000 - settime\n-1.250000000 - settime\n- - settime\n1.750000000 - settime\n"
    );
    assert_eq!(
        out("start"),
        "0.000000000 - settime\n-1.250000000 - settime\n- - settime\n0.500000000 - settime\n"
    );
    assert_eq!(out("none"), "- settime\n".repeat(4));
    assert!(out("clock").contains("\n- - settime\n"));
}

#[test]
fn long_values_are_cut_and_what_is_left_out_is_counted() {
    let args = ["-r", HOUR, "-F", "line", "-e", "exec", "-n", "1", "-s", "8"];
    let run = run(&args);
    assert_eq!((run.err.as_str(), run.status), ("", 0));
    let value = |label: &str| {
        let words = run.out.split(' ');
        let label = format!("{label}=");
        let mut found = words.filter_map(|word| word.strip_prefix(&label).map(str::to_owned));
        found.next().expect("the label is there").trim().to_owned()
    };
    assert_eq!(value("cwd"), "/Users/t…(+3)");
    let message = r#"{"time":"2026-01-01T00:00:00.0Z","event":{"exec":{"args":["a","bcdefghij","it's äöü long"],"target":null}}}"#;
    let cut = |limit: &str| {
        let args = ["-r", "-", "-e", "exec", "-s", limit];
        let run = run_with_input(&args, message.as_bytes());
        let line = run.out.lines().find(|line| line.starts_with("  args"));
        line.expect("arguments").to_owned()
    };
    assert_eq!(cut("7"), "  args : a bcdefgh…(+2) $'it\\'s äö'…(+6)");
    assert_eq!(cut("0"), "  args : ''…(+1) ''…(+9) ''…(+13)");
    assert!(cut("100").ends_with("long'"));
}

#[test]
fn a_limit_ends_the_run() {
    assert_eq!(lines(&["-n", "3"]).len(), 3);
    assert_eq!(lines(&["-n", "3"]), lines(&[])[..3]);
    assert_eq!(lines(&["-n", "0"]).len(), 0);
    assert_eq!(lines(&["-n", "100000"]), lines(&[]));
}
