//! Sequence numbers: missing events are reported by event, and events that were left out on purpose aren't.

mod common;

use common::{message, run, run_with_input};

/// A message of the event with these numbers.
fn numbered(event: &str, seq_num: u64, global_seq_num: u64) -> String {
    let mut value: serde_json::Value = serde_json::from_str(&message(event)).expect("JSON");
    value["seq_num"] = seq_num.into();
    value["global_seq_num"] = global_seq_num.into();
    format!("{value}\n")
}

fn recording(numbers: &[(&str, u64, u64)]) -> String {
    let messages = numbers.iter();
    messages
        .map(|(event, seq_num, global)| numbered(event, *seq_num, *global))
        .collect()
}

/// The text on standard error for a recording in a file, and the exit status.
fn said(recording: &str, args: &[&str]) -> (String, i32) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.jsonl");
    std::fs::write(&path, recording).expect("the file can be written");
    let path = path.to_str().expect("UTF-8");
    let run = run(&[&["-r", path], args].concat());
    (run.err.replace(path, "a.jsonl"), run.status)
}

fn gaps() -> String {
    recording(&[
        ("open", 10, 20),
        ("close", 3, 21),
        ("open", 111, 122),
        ("exec", 0, 123),
        ("close", 1024, 1144),
    ])
}

#[test]
fn gaps_are_reported_by_event() {
    let report = "proctracer: a.jsonl: 1,120 of 1,125 events are missing, dropped by macOS or left out of the \
                recording: close 1,020, open 100\n";
    assert_eq!(said(&gaps(), &[]), (report.to_owned(), 0));
    assert_eq!(said(&gaps(), &["--fail-on-drop"]), (report.to_owned(), 3));
    // The same whatever is shown of it.
    for args in [
        &["-p", "/nowhere"][..],
        &["-e", "%file", "-p", "/nowhere"],
        &["-F", "json"],
    ] {
        let (err, _) = said(&gaps(), args);
        let losses = err.lines().find(|line| line.contains("are missing"));
        let counts = losses.and_then(|line| line.rsplit(": ").next());
        assert_eq!(counts, Some("close 1,020, open 100"), "{args:?}");
    }
    // Counts only the events that are selected.
    let report = "proctracer: a.jsonl: 100 of 102 events are missing, dropped by macOS or left out of the \
                recording: open 100\n";
    assert_eq!(said(&gaps(), &["-e", "open"]), (report.to_owned(), 0));
    assert_eq!(
        said(&gaps(), &["-e", "exec", "--fail-on-drop"]),
        (String::new(), 0)
    );
}

#[test]
fn a_recording_of_some_events_lacks_nothing() {
    let some = recording(&[
        ("open", 10, 20),
        ("open", 11, 300),
        ("close", 7, 301),
        ("open", 12, 350),
    ]);
    assert_eq!(said(&some, &["--fail-on-drop"]), (String::new(), 0));
}

#[test]
fn the_numbers_of_another_stream_start_again() {
    let two = [
        recording(&[("open", 10, 20), ("close", 3, 21)]),
        recording(&[("close", 90, 5), ("open", 40, 6)]),
    ];
    assert_eq!(said(&two.concat(), &["--fail-on-drop"]), (String::new(), 0));
}

#[test]
fn each_recording_is_reported_separately() {
    let run = run_with_input(
        &[
            "-F",
            "line",
            "-r",
            "tests/data/seed.jsonl",
            "-r",
            "-",
            "-r",
            "tests/data/seed.jsonl",
        ],
        gaps().as_bytes(),
    );
    let lines: Vec<_> = run.err.lines().collect();
    assert_eq!(
        lines.last(),
        Some(
            &"proctracer: standard input: 1,120 of 1,125 events are missing, dropped by macOS or left out of the \
              recording: close 1,020, open 100"
        )
    );
    // Reported as it happens, because somebody may be waiting for the next event.
    assert!(
        lines[0].starts_with("proctracer: standard input: ")
            && lines[0].contains(" events are missing so far: "),
        "{}",
        run.err
    );
    assert_eq!((lines.len(), run.status), (2, 0));
}

#[test]
fn damage_fails_more_than_losses() {
    let (err, status) = said(&format!("{}junk\n", gaps()), &["--fail-on-drop"]);
    assert_eq!((err.lines().count(), status), (3, 1), "{err}");
}

#[test]
fn lines_may_have_been_put_into_another_order() {
    let whole: Vec<_> = (0..40)
        .map(|number| (["open", "close"][usize::from(number % 3 == 0)], number))
        .scan([0, 0], |of_type, (event, global)| {
            let number = &mut of_type[usize::from(event == "close")];
            *number += 1;
            Some((event, *number - 1, global))
        })
        .collect();
    let reversed: Vec<_> = whole.iter().copied().rev().collect();
    let shuffled: Vec<_> = (0..40).map(|at| whole[at * 7 % 40]).collect();
    let mut sorted = whole.clone();
    sorted.sort_unstable();
    let mut twice = whole.clone();
    twice.insert(20, whole[19]);
    twice.insert(10, whole[3]);
    for numbers in [&whole, &reversed, &shuffled, &sorted, &twice] {
        for args in [
            &["--fail-on-drop"][..],
            &["--fail-on-drop", "-p", "/nowhere"],
        ] {
            let (err, status) = said(&recording(numbers), args);
            let err = err.replace("proctracer: -p /nowhere matched nothing\n", "");
            assert_eq!((err.as_str(), status), ("", 0), "{numbers:?}");
        }
    }
    let gap: Vec<_> = shuffled
        .iter()
        .copied()
        .filter(|(_, _, global)| *global != 11)
        .collect();
    let (err, status) = said(&recording(&gap), &["--fail-on-drop"]);
    assert!(err.contains(": 1 of 40 events is missing"), "{err}");
    assert_eq!(status, 3);
}
