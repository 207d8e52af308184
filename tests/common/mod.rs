//! Code that the tests of the program share.

#![allow(dead_code, reason = "each test program uses a part of it")]

pub mod story;

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Once};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag::register_conditional_default;

/// Keeps started programs from inheriting ignored signals, of which there are some when the tests run in the
/// background. A child doesn't inherit a handler, and the handlers here do what happens without one.
fn reset_signals() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        for signal in [SIGHUP, SIGINT, SIGTERM] {
            register_conditional_default(signal, Arc::new(AtomicBool::new(true)))
                .expect("a handler can be set");
        }
    });
}

/// The program, in UTC and without colours.
pub fn proctracer() -> Command {
    reset_signals();
    let mut command = Command::new(env!("CARGO_BIN_EXE_proctracer"));
    command
        .env("TZ", "UTC")
        .env_remove("NO_COLOR")
        .stdin(Stdio::null());
    command
}

/// Returns true if programs for macOS run on Linux: the shells there are Linux's, which can't start them.
pub fn is_simulated() -> bool {
    cfg!(target_os = "macos") && Path::new("/proc/self").exists()
}

/// A file of the project.
pub fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The contents of a file of the project.
pub fn read(name: &str) -> String {
    std::fs::read_to_string(file(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The result of a run.
#[derive(Debug, PartialEq, Eq)]
pub struct Run {
    pub out: String,
    pub err: String,
    pub status: i32,
}

/// Runs the program to its end.
pub fn run(args: &[&str]) -> Run {
    ended(
        &proctracer()
            .args(args)
            .output()
            .expect("the program starts"),
    )
}

/// Runs the program with something on standard input.
pub fn run_with_input(args: &[&str], input: &[u8]) -> Run {
    let mut command = proctracer();
    command
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    let input = input.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().expect("the program ends");
    // A program that refuses its input closes the pipe early.
    let _ = writer.join().expect("the writer ends");
    ended(&output)
}

/// Runs the program to its end on a terminal of this width, and returns the text that it shows.
pub fn run_on_terminal(width: u16, args: &[&str]) -> String {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    use rustix::termios::{OptionalActions, Winsize, tcgetattr, tcsetattr, tcsetwinsize};

    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
    grantpt(&terminal).expect("it is ours");
    unlockpt(&terminal).expect("it is unlocked");
    let name = ptsname(&terminal, Vec::new()).expect("it has a name");
    let mut options = std::fs::File::options();
    let name = name.to_str().expect("UTF-8");
    let inside = options.read(true).write(true).open(name).expect("it opens");
    let size = Winsize {
        ws_row: 24,
        ws_col: width,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(&inside, size).expect("a size");
    let mut attributes = tcgetattr(&inside).expect("attributes");
    attributes.make_raw();
    tcsetattr(&inside, OptionalActions::Now, &attributes).expect("attributes");
    let mut command = proctracer();
    command.args(args).env_remove("COLUMNS").stdout(inside);
    let mut child = command.spawn().expect("the program starts");
    // The child holds the last handle of the terminal's inside, so that reading ends with the child.
    drop(command);
    let mut out = Vec::new();
    let mut buffer = [0; 4096];
    let mut terminal = std::fs::File::from(terminal);
    while let Ok(count @ 1..) = terminal.read(&mut buffer) {
        out.extend_from_slice(&buffer[..count]);
    }
    assert!(child.wait().expect("it ends").success());
    String::from_utf8(out).expect("what is printed is UTF-8")
}

fn ended(output: &Output) -> Run {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("what is printed is UTF-8");
    Run {
        out: text(&output.stdout),
        err: text(&output.stderr),
        status: output.status.code().expect("no signal ended it"),
    }
}

/// Compares text with a file of the project; with `UPDATE_EXPECTED=1` the file is written instead.
#[track_caller]
pub fn expected(name: &str, actual: &str) {
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        std::fs::write(file(name), actual).expect("the file can be written");
    }
    assert_same(actual, &read(name));
}

/// Compares text line by line, so that a difference can be read.
#[track_caller]
pub fn assert_same(actual: &str, expected: &str) {
    for (at, (actual, expected)) in actual.lines().zip(expected.lines()).enumerate() {
        assert_eq!(actual, expected, "line {}", at + 1);
    }
    assert_eq!(
        actual.len(),
        expected.len(),
        "one goes on after the other has ended"
    );
}

/// A message of the fixtures: the first of the event.
pub fn message(event: &str) -> String {
    let events = read("tests/data/events.jsonl");
    let is_it = |line: &&str| line.contains(&format!("\"event\":{{\"{event}\":"));
    events
        .lines()
        .find(is_it)
        .unwrap_or_else(|| panic!("no {event}"))
        .to_owned()
}

/// Runs the program, which must print the contents of the file `expected` and nothing on standard error. With
/// `UPDATE_EXPECTED=1` the file is rewritten.
#[track_caller]
pub fn prints(args: &[&str], expected: &str) {
    let run = run(args);
    assert_eq!((run.err.as_str(), run.status), ("", 0));
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        std::fs::write(file(expected), &run.out).expect("the file can be written");
    }
    assert_same(&run.out, &read(expected));
}
