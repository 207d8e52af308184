//! The macOS program reads recordings as it does on any other system.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod common;

use common::{Run, read};

const EVENTS: &str = "tests/data/events.jsonl";

#[track_caller]
fn prints(args: &[&str], expected: &str) {
    let path = common::file(EVENTS);
    let args = [args, &["-r", path.to_str().expect("UTF-8")]].concat();
    let run = Run::new(&args).run();
    assert_eq!((run.err.as_str(), run.status), ("", 0));
    assert!(
        run.out == read(expected),
        "{args:?} prints something else than {expected}"
    );
}

#[test]
fn as_text() {
    prints(&["--env"], "tests/data/events.text");
}

#[test]
fn as_lines() {
    prints(&["--env", "-F", "line"], "tests/data/events.line");
}

#[test]
fn as_json() {
    prints(&["-F", "json"], EVENTS);
}
