//! The end of a live trace: at a terminal, with a reader that doesn't read, with signals that are ignored.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod common;

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::fd::{FromRawFd as _, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use common::{Run, read, wait};
use tempfile::TempDir;

/// Far longer than anything here takes; it only ends a test that hangs.
const PATIENCE: Duration = Duration::from_secs(60);

const HOUR: &str = "samples/developers-hour.jsonl";

fn kill(child: &Child, signal: i32) {
    // SAFETY: the child isn't waited for yet, so that the number is still its own.
    unsafe { libc::kill(child.id().cast_signed(), signal) };
}

/// A trace on a terminal whose screen nobody has read yet.
struct OnTerminal {
    child: Child,
    screen: File,
    err: Receiver<String>,
    _folder: TempDir,
}

impl OnTerminal {
    fn new(run: Run) -> OnTerminal {
        let (mut main, mut other) = (0, 0);
        let null = std::ptr::null_mut();
        // SAFETY: variables of our own, which are descriptors of nobody else's then.
        let (screen, other) = unsafe {
            let result = libc::openpty(
                &raw mut main,
                &raw mut other,
                null,
                null.cast(),
                null.cast(),
            );
            assert_eq!(result, 0);
            (File::from_raw_fd(main), OwnedFd::from_raw_fd(other))
        };
        let (mut command, folder) = run.command();
        let mut child = command
            .stdout(other)
            .stderr(Stdio::piped())
            .spawn()
            .expect("macsim starts");
        drop(command); // it holds the terminal
        let stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        let (sender, err) = channel();
        thread::spawn(move || {
            let mut lines = stderr.lines().map_while(Result::ok);
            lines.try_for_each(|line| sender.send(line))
        });
        OnTerminal {
            child,
            screen,
            err,
            _folder: folder,
        }
    }

    /// Waits for a line on standard error that begins like this.
    fn says(&self, start: &str) {
        loop {
            let line = self.err.recv_timeout(PATIENCE).expect("the line");
            if line.starts_with(start) {
                return;
            }
        }
    }

    /// Reads the screen to the end of the trace. Returns its text, what else was printed, and the status.
    fn end(mut self) -> (String, String, i32) {
        let mut text = Vec::new();
        // Reading a terminal that nobody has open any more is an error.
        _ = self.screen.read_to_end(&mut text);
        let status = wait(self.child).status;
        let own = |line: &String| !line.starts_with("macsim: ");
        let err: Vec<_> = self.err.iter().filter(own).collect();
        let text = String::from_utf8(text).expect("UTF-8");
        (text, err.join("\n"), status)
    }
}

/// The number of events that are reported as not shown; 0 if nothing is reported.
fn unshown(err: &str) -> usize {
    let Some(rest) = err.strip_prefix("proctracer: interrupted: ") else {
        assert_eq!(err, "");
        return 0;
    };
    let (number, rest) = rest.split_once(' ').expect("a number");
    assert_eq!(rest, "events that had not been printed yet are not shown");
    number.replace(',', "").parse().expect("a number")
}

fn native(args: &[&str]) -> Run {
    Run::new(&[&["--source", "native"], args].concat())
        .events(HOUR)
        .env("MACSIM_END", "none")
        .env("MACSIM_MACOS", "27.0")
}

#[test]
fn ctrl_c_on_a_terminal_drops_what_is_not_printed_yet_and_says_how_many() {
    let events = read(HOUR).lines().count();
    for args in [
        &["-F", "line"][..],
        &["-F", "line", "-p", "/usr/bin"],
        &["-F", "line", "--name", "*", "-f"],
    ] {
        let all = native(args).option("--end=int").run();
        let all = all.out.lines().count();
        assert!(all > 10);
        let trace = OnTerminal::new(native(args).option("--repeat=20"));
        trace.says("macsim: all delivered: ");
        kill(&trace.child, libc::SIGINT);
        thread::sleep(Duration::from_millis(300));
        let (text, err, status) = trace.end();
        let shown = text.lines().count();
        assert_eq!(status, 0, "{err}");
        assert!(shown < all * 20 / 2, "{shown} of {}", all * 20);
        assert_eq!(
            shown + unshown(&err),
            all * 20,
            "{args:?} of {}",
            events * 20
        );
    }
}

#[test]
fn whatever_is_not_ctrl_c_on_a_terminal_drops_nothing() {
    let events = read(HOUR).lines().count();
    // SIGTERM, which doesn't come from a user at the terminal.
    let trace = OnTerminal::new(native(&["-F", "line"]));
    trace.says("macsim: all delivered: ");
    kill(&trace.child, libc::SIGTERM);
    thread::sleep(Duration::from_millis(300));
    let (text, err, status) = trace.end();
    assert_eq!(
        (text.lines().count(), err.as_str(), status),
        (events, "", 0)
    );
    // The same for a recording.
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("hour.jsonl");
    let path = path.to_str().expect("UTF-8");
    let trace = OnTerminal::new(native(&["-F", "line", "-w", path]));
    trace.says("macsim: all delivered: ");
    kill(&trace.child, libc::SIGINT);
    thread::sleep(Duration::from_millis(300));
    let (text, err, status) = trace.end();
    assert_eq!(
        (text.lines().count(), err.as_str(), status),
        (events, "", 0)
    );
    let recorded = std::fs::read_to_string(path).expect("the file");
    assert_eq!(recorded.lines().count(), events);
}

/// The programs that show the trace write each line to a terminal again: tmux, screen, script(1), a terminal with a log.
#[test]
fn on_a_terminal_what_the_processes_above_do_to_terminals_is_left_out() {
    let hour = read(HOUR);
    let write = hour
        .lines()
        .find(|line| line.contains("\"event\":{\"write\""));
    let write: serde_json::Value = serde_json::from_str(write.expect("a write")).expect("JSON");
    // This test starts the program: it is above it.
    let own = std::process::id();
    let messages: Vec<_> = [
        (own, "/dev/ttys003"),
        (own, "/private/tmp/log"),
        (1, "/dev/ttys003"),
    ]
    .into_iter()
    .enumerate()
    .map(|(number, (pid, path))| {
        let mut message = write.clone();
        message["process"]["audit_token"]["pid"] = pid.into();
        message["event"]["write"]["target"]["path"] = path.into();
        message["seq_num"] = number.into();
        message["global_seq_num"] = number.into();
        message.to_string()
    })
    .collect();
    let messages = messages.join("\n");
    let above = format!("[{own}] write target=");
    let (to_terminal, to_file) = (
        format!("{above}/dev/tty"),
        format!("{above}/private/tmp/log"),
    );
    for source in ["native", "eslogger"] {
        let run = |args: &[&str]| {
            let args = [&["--source", source, "-F", "line", "-e", "write"], args].concat();
            let run = Run::new(&args).env("NO_COLOR", "1");
            match source {
                "native" => run.events(&messages).env("MACSIM_END", "none"),
                _ => run.eslogger(&messages),
            }
        };
        let on_terminal = |args: &[&str]| {
            let trace = OnTerminal::new(run(args));
            thread::sleep(Duration::from_millis(1500));
            kill(&trace.child, libc::SIGTERM);
            let (text, err, status) = trace.end();
            assert_eq!(status, 0, "{source}: {err}");
            text
        };
        let text = on_terminal(&[]);
        assert!(!text.contains(&to_terminal), "{source}: {text}");
        assert!(text.contains(&to_file), "{source}: {text}");
        assert_eq!(text.lines().count(), 2, "{source}: {text}");
        let text = on_terminal(&["--include-self"]);
        assert!(text.contains(&to_terminal), "{source}: {text}");
        assert_eq!(text.lines().count(), 3, "{source}: {text}");
        // In a pipe or a file, nothing of it is printed again.
        let output = match source {
            "native" => run(&[]).option("--end=int").run(),
            _ => run(&[]).env("MACSIM_ESLOGGER_END", "0").run(),
        };
        assert!(output.out.contains(&to_terminal), "{source}: {output:?}");
        assert_eq!(output.out.lines().count(), 3, "{source}: {output:?}");
    }
}

/// A run whose output nobody reads, and a thread that reads it when it is joined.
fn unread(run: Run) -> (Child, JoinHandle<Vec<u8>>, TempDir) {
    let (mut command, folder) = run.command();
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("macsim starts");
    let mut stdout = child.stdout.take().expect("a pipe");
    let (mut some, mut rest) = (vec![0; 100], Vec::new());
    stdout.read_exact(&mut some).expect("text");
    let reader = thread::spawn(move || {
        thread::park();
        _ = stdout.read_to_end(&mut rest);
        some.append(&mut rest);
        some
    });
    (child, reader, folder)
}

#[test]
fn the_second_signal_ends_a_trace_whose_reader_does_not_read() {
    let eslogger = Run::new(&["--source", "eslogger"]).eslogger(HOUR);
    for run in [native(&[]).option("--repeat=100"), eslogger] {
        let (child, reader, _folder) = unread(run.env("MACSIM_CHECK", "0"));
        thread::sleep(Duration::from_millis(500));
        kill(&child, libc::SIGINT);
        thread::sleep(Duration::from_millis(500));
        kill(&child, libc::SIGTERM);
        let ended = wait(child);
        assert_eq!((ended.status, ended.err.as_str()), (1, ""));
        reader.thread().unpark();
        reader.join().expect("text");
    }
}

#[test]
fn a_reader_that_reads_late_gets_all() {
    let (child, reader, _folder) = unread(native(&["-F", "line"]).option("--repeat=3"));
    thread::sleep(Duration::from_millis(300));
    kill(&child, libc::SIGINT);
    thread::sleep(Duration::from_millis(300));
    reader.thread().unpark();
    let text = reader.join().expect("text");
    let ended = wait(child);
    assert_eq!((ended.status, ended.err.as_str()), (0, ""));
    let text = String::from_utf8(text).expect("UTF-8");
    assert_eq!(text.lines().count(), read(HOUR).lines().count() * 3);
}

/// A run that a shell starts with a script.
fn by_shell(run: Run, script: &str) -> (Child, TempDir) {
    let (program, folder) = run.command();
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", script])
        .arg(program.get_program())
        .args(program.get_args());
    for (name, value) in program.get_envs() {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a shell");
    (child, folder)
}

/// As nohup(1) starts it.
#[test]
fn a_signal_that_was_ignored_at_the_start_stays_so() {
    let run = native(&["-F", "line"]);
    let (mut child, _folder) = by_shell(run, "trap '' HUP; exec \"$0\" \"$@\"");
    let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut line = String::new();
    stdout.read_line(&mut line).expect("a line");
    kill(&child, libc::SIGHUP);
    thread::sleep(Duration::from_millis(300));
    assert_eq!(child.try_wait().expect("a child"), None);
    kill(&child, libc::SIGTERM);
    let reader = thread::spawn(move || stdout.lines().count());
    let ended = wait(child);
    assert_eq!((ended.status, ended.err.as_str()), (0, ""));
    let lines = reader.join().expect("lines");
    assert_eq!(lines + 1, read(HOUR).lines().count());
}

#[test]
fn a_trace_that_nobody_can_see_is_a_failure() {
    for run in [
        native(&["-F", "line"]),
        Run::new(&["--version"]),
        Run::new(&["--doctor"]),
    ] {
        let (child, _folder) = by_shell(run, "exec \"$0\" \"$@\" >&-");
        let ended = wait(child);
        let said = "proctracer: standard output: Bad file descriptor\n";
        assert_eq!((ended.err.as_str(), ended.status), (said, 1));
    }
}
