//! Signals: the first one ends a run in good order, the second one at once.

mod common;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::{file, is_simulated, message, proctracer};

/// Far longer than anything here takes; it only ends a test that hangs.
const PATIENCE: Duration = Duration::from_secs(30);

fn kill(child: &Child, signal: &str) {
    let pid = child.id().to_string();
    let status = Command::new("kill").args(["-s", signal, &pid]).status();
    assert!(status.expect("kill runs").success());
}

/// The exit status; a program that takes too long is killed.
fn status(child: &mut Child) -> Option<i32> {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        if let Some(status) = child.try_wait().expect("a child") {
            return status.code();
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().expect("it is killed");
    panic!("no end");
}

/// Starts the program with far more input than fits into pipes, and with output into a pipe that nobody reads.
fn stuck(args: &[&str]) -> Child {
    let hour = file("samples/developers-hour.jsonl");
    let inputs = (0..50).flat_map(|_| ["-r".as_ref(), hour.as_os_str()]);
    let mut child = proctracer()
        .args(args)
        .args(inputs)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    // Some text shows that it runs; the pipe is full soon after.
    let mut some = [0; 100];
    let stdout = child.stdout.as_mut().expect("a pipe");
    stdout.read_exact(&mut some).expect("text");
    std::thread::sleep(Duration::from_millis(300));
    child
}

#[test]
fn the_second_signal_ends_a_run_whose_reader_does_not_read() {
    for format in ["text", "json"] {
        for signals in [["INT", "INT"], ["TERM", "TERM"], ["HUP", "INT"]] {
            let mut child = stuck(&["-F", format]);
            kill(&child, signals[0]);
            // Several signals of the same kind at the same time count as one.
            std::thread::sleep(Duration::from_millis(300));
            assert_eq!(child.try_wait().expect("a child"), None, "{signals:?}");
            kill(&child, signals[1]);
            assert_eq!(status(&mut child), Some(1), "{signals:?}");
        }
    }
}

#[test]
fn what_was_read_before_the_signal_is_written() {
    let mut child = stuck(&["-F", "line"]);
    kill(&child, "TERM");
    let mut rest = Vec::new();
    let stdout = child.stdout.as_mut().expect("a pipe");
    stdout.read_to_end(&mut rest).expect("text");
    assert_eq!(status(&mut child), Some(0));
    assert!(rest.ends_with(b"\n"));
    let mut err = String::new();
    let stderr = child.stderr.as_mut().expect("a pipe");
    stderr.read_to_string(&mut err).expect("text");
    assert_eq!(err, "");
}

/// A run that a shell starts after `trap`, and its output.
fn after_trap(trap: &str) -> (Child, BufReader<std::process::ChildStdout>) {
    let program = proctracer();
    let mut child = Command::new("/bin/sh")
        .args(["-c", &format!("{trap}; exec \"$0\" \"$@\"")])
        .arg(program.get_program())
        .args(["-F", "line", "-r", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the shell starts");
    let stdout = child.stdout.take().expect("a pipe");
    (child, BufReader::new(stdout))
}

/// As nohup(1) starts it, or a shell without job control in the background.
#[test]
fn a_signal_that_was_ignored_at_the_start_stays_so() {
    if is_simulated() {
        return;
    }
    let line = message("open") + "\n";
    for signal in ["HUP", "INT"] {
        let (mut child, mut out) = after_trap(&format!("trap '' {signal}"));
        let mut stdin = child.stdin.take().expect("a pipe");
        let mut printed = String::new();
        for _ in 0..2 {
            stdin.write_all(line.as_bytes()).expect("it reads");
            out.read_line(&mut printed).expect("a line");
            kill(&child, signal);
        }
        assert_eq!(printed.lines().count(), 2, "{signal}");
        drop(stdin);
        assert_eq!(status(&mut child), Some(0), "{signal}");
    }
}
