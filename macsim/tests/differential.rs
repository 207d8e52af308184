//! The same messages, once as a recording and once through EndpointSecurity, print the same bytes.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod common;

use common::{Run, read};

/// The project's messages, without those that a recording knows more of than a client can: what no header has.
fn messages() -> String {
    let future = [
        "quantum_entangle",
        "reserved_4",
        "resolved_flags",
        "es_future",
    ];
    let text = read("tests/data/events.jsonl");
    let known = |line: &&str| !future.iter().any(|name| line.contains(name));
    text.split_inclusive('\n').filter(known).collect()
}

#[track_caller]
fn prints_the_same(args: &[&str]) {
    let messages = messages();
    let recorded = Run::new(&[args, &["-r", "-"]].concat())
        .input(messages.as_str())
        .run();
    let native = ["--source", "native", "-e", "all"];
    let native = Run::new(&[args, &native].concat())
        .events(&messages)
        .macos("27.0")
        .run();
    assert_eq!(
        (native.err.as_str(), native.status),
        ("", 0),
        "{}",
        native.said
    );
    let differs = |(recorded, native): (&str, &str)| recorded != native;
    let lines = || recorded.out.lines().zip(native.out.lines());
    if let Some(line) = lines().position(differs) {
        let around = |text: &str| {
            let around = text.lines().skip(line.saturating_sub(5)).take(12);
            around.collect::<Vec<_>>().join("\n")
        };
        panic!(
            "line {}:\nrecorded\n{}\nnative\n{}",
            line + 1,
            around(&recorded.out),
            around(&native.out)
        );
    }
    assert_eq!(recorded.out.len(), native.out.len());
    assert!(recorded.out.lines().count() > 200);
}

#[test]
fn as_text() {
    prints_the_same(&["--env"]);
}

#[test]
fn as_lines() {
    prints_the_same(&["--env", "-F", "line"]);
}

/// Events that a system lacks must not be asked for; the simulation tells, and the run fails.
#[test]
fn on_older_systems() {
    for version in ["13.0", "14.0", "15.0", "15.4", "26.5"] {
        let native = ["--source", "native", "-e", "all", "-F", "line"];
        let run = Run::new(&native).events(&messages()).macos(version).run();
        assert_eq!(
            (run.err.as_str(), run.status),
            ("", 0),
            "{version}: {}",
            run.said
        );
        assert!(run.out.contains(" open "), "{version}");
    }
}
