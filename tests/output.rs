//! Whole outputs: messages in, the exact bytes out, in each format.
//!
//! `tests/data/events.jsonl` has every event of the catalogue with all its members, in the order of their numbers,
//! then the arms of unions, older message versions, values without names, and names that are meant to do harm. With
//! `UPDATE_EXPECTED=1` the expected outputs are rewritten; read the difference.

mod common;

use common::{assert_same, message, prints, read, run, run_with_input};

const EVENTS: &str = "tests/data/events.jsonl";

#[test]
fn the_example_of_the_description_is_reproduced() {
    prints(&["-r", "tests/data/seed.jsonl"], "tests/data/seed.text");
}

#[test]
fn every_event_as_text() {
    prints(&["--env", "-r", EVENTS], "tests/data/events.text");
}

#[test]
fn every_event_as_a_line() {
    prints(
        &["--env", "-F", "line", "-r", EVENTS],
        "tests/data/events.line",
    );
}

#[test]
fn every_event_as_a_line_with_its_details() {
    prints(
        &["-v", "--env", "-F", "line", "-r", EVENTS],
        "tests/data/events.verbose.line",
    );
}

#[test]
fn a_line_without_details_has_a_part_of_the_line_with_them() {
    let [short, long] = ["events.line", "events.verbose.line"].map(|file| {
        let text = read(&format!("tests/data/{file}"));
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    });
    assert_eq!(short.len(), long.len());
    for (short, long) in short.iter().zip(&long) {
        let mut rest = long.as_str();
        for word in short.split(' ') {
            let at = rest.find(word);
            rest = &rest[at.unwrap_or_else(|| panic!("{word}: {long}"))..];
        }
    }
}

#[test]
fn blocks_with_everything() {
    let file = "tests/data/decided.jsonl";
    prints(&["-v", "-r", file], "tests/data/decided.verbose.text");
}

#[test]
fn what_is_missing_has_no_row_among_the_details_either() {
    let run = run(&["-v", "-r", "tests/data/absent.jsonl"]);
    assert_eq!((run.err.as_str(), run.status), ("", 0));
    let event = run.out.split("\n\n").nth(6).expect("an event");
    let rows = "event : close\n  time: (null)\n  modified : true\n";
    assert!(event.starts_with(rows), "{event}");
    assert!(event.ends_with("\n process: (null)"), "{event}");
    // A process is shown with the members that it has, here only its pid.
    let event = run.out.split("\n\n").nth(1).expect("an event");
    let rows = " process:\n        PID : 7338\n   threadid : 7316056";
    assert!(event.ends_with(rows), "{event}");
}

#[test]
fn every_event_as_json_passes_through() {
    prints(&["-F", "json", "-r", EVENTS], EVENTS);
}

#[test]
fn the_fixtures_have_every_event() {
    let list = run(&["--list-events"]).out;
    let names: Vec<_> = list
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    let text = read("tests/data/events.text");
    let printed: Vec<_> = text
        .lines()
        .filter_map(|line| line.strip_prefix("event : "))
        .collect();
    assert_eq!(printed[..names.len()], names);
    assert_eq!(printed.len(), read(EVENTS).lines().count());
    for (line, name) in read("tests/data/events.line").lines().zip(names) {
        assert_eq!(line.split(' ').nth(3), Some(name), "{line}");
    }
}

#[test]
fn the_environment_is_shown_on_request_only() {
    let exec = message("exec");
    let row = |run: common::Run| {
        run.out
            .lines()
            .find(|line| line.starts_with("  env : "))
            .map(str::to_owned)
    };
    assert_eq!(row(run_with_input(&["-r", "-"], exec.as_bytes())), None);
    let env = row(run_with_input(&["--env", "-r", "-"], exec.as_bytes())).expect("the row");
    assert!(env.contains(" HOME=/Users/test "), "{env}");
}

#[test]
fn times_are_local_or_utc() {
    let time = |zone: &str, args: &[&str]| {
        let output = common::proctracer()
            .env("TZ", zone)
            .args(["-r", "tests/data/seed.jsonl"])
            .args(args)
            .output();
        let out = String::from_utf8(output.expect("the program starts").stdout).expect("UTF-8");
        let row = |start: &str| {
            out.lines()
                .find(|line| line.starts_with(start))
                .map(str::to_owned)
        };
        (
            row("  time: ").expect("a time"),
            row("    started : ").expect("a start"),
        )
    };
    let rows = |time: &str, started: &str| {
        (
            format!("  time: {time}"),
            format!("    started : {started}"),
        )
    };
    let utc = rows("2021-02-20 19:53:54.423783425", "2021-02-20 17:06:15");
    assert_eq!(time("UTC", &[]), utc);
    assert_eq!(time("America/Los_Angeles", &["--utc"]), utc);
    assert_eq!(
        time("PST8PDT,M3.2.0,M11.1.0", &[]),
        rows("2021-02-20 11:53:54.423783425", "2021-02-20 09:06:15")
    );
    assert_eq!(
        time("XST-5:30", &[]),
        rows("2021-02-21 01:23:54.423783425", "2021-02-20 22:36:15")
    );
}

/// Anybody can set `TZ`, and a tracer that hangs doesn't trace.
#[cfg(unix)]
#[test]
fn what_is_no_time_zone_is_not_opened() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    let fifo = path("fifo");
    let made = std::process::Command::new("mkfifo").arg(&fifo).status();
    assert!(made.expect("mkfifo runs").success());
    // Version 1 of a file that describes a time zone: no changes, and one local time of UTC+5:30.
    let mut zone = b"TZif\0".to_vec();
    zone.resize(20, 0);
    for count in [0, 0, 0, 0, 1, 4_u32] {
        zone.extend(count.to_be_bytes());
    }
    zone.extend(19_800_u32.to_be_bytes());
    zone.extend(b"\0\0IST\0");
    std::fs::write(path("zone"), zone).expect("the file can be written");
    std::fs::write(path("empty"), "").expect("the file can be written");
    let utc = "  time: 2021-02-20 19:53:54.423783425";
    let india = "  time: 2021-02-21 01:23:54.423783425";
    let up = "../".repeat(20);
    for (zone, expected) in [
        (fifo.clone(), utc),
        (format!(":{fifo}"), utc),
        (format!("{up}{fifo}"), utc),
        (path(""), utc),
        (path("missing"), utc),
        (path("empty"), utc),
        ("/dev/zero".to_owned(), utc),
        (String::new(), utc),
        ("\x1b".to_owned(), utc),
        (path("zone"), india),
        (format!(":{}", path("zone")), india),
    ] {
        let output = common::proctracer()
            .env("TZ", &zone)
            .args(["-r", "tests/data/seed.jsonl"])
            .output()
            .expect("the program starts");
        let out = String::from_utf8(output.stdout).expect("UTF-8");
        assert_eq!(out.lines().nth(1), Some(expected), "{zone:?}");
        assert_eq!(
            (output.stderr.as_slice(), output.status.code()),
            (&b""[..], Some(0))
        );
    }
}

#[test]
fn colour_comes_only_when_it_is_wanted() {
    let exit = message("exit");
    let out = |args: &[&str]| run_with_input(&[args, &["-r", "-"]].concat(), exit.as_bytes()).out;
    assert!(!out(&[]).contains('\x1b'));
    assert!(!out(&["--color", "never"]).contains('\x1b'));
    assert!(out(&["--color", "always"]).contains("event : \x1b[1;36mexit\x1b[0m\n"));
    assert!(out(&["--color", "always", "-F", "line"]).contains(" \x1b[1;36mexit\x1b[0m stat="));
    assert!(!out(&["--color", "always", "-F", "json"]).contains('\x1b'));
}

#[test]
fn json_goes_on_one_line_whatever_it_came_in() {
    let fork = message("fork");
    let value: serde_json::Value = serde_json::from_str(&fork).expect("JSON");
    let pretty = serde_json::to_string_pretty(&value).expect("JSON");
    let run = run_with_input(&["-F", "json", "-r", "-"], pretty.as_bytes());
    assert_eq!((run.err.as_str(), run.status), ("", 0));
    assert_eq!(run.out.lines().count(), 1);
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&run.out).expect("JSON"),
        value
    );
}

#[test]
fn what_is_printed_reads_back_the_same() {
    let json = run(&["-F", "json", "-r", EVENTS]).out;
    let again = run_with_input(&["--env", "-r", "-"], json.as_bytes());
    assert_same(&again.out, &read("tests/data/events.text"));
}
