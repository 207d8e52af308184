//! Reports that are requested during a run: by a signal, or at intervals.

mod common;

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use common::proctracer;
use common::story::actor;

/// Far longer than anything here takes; it only ends a test that hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// The signals that request a report. Ctrl-T sends the second, for which macsim uses Linux's PWR.
fn signals() -> &'static [&'static str] {
    if common::is_simulated() {
        &["USR1", "PWR"]
    } else if cfg!(target_os = "macos") {
        &["USR1", "INFO"]
    } else {
        &["USR1"]
    }
}

/// A run that reads a pipe.
struct Reading {
    child: Child,
    input: Option<ChildStdin>,
    out: Receiver<String>,
    err: Receiver<String>,
}

/// The lines of a pipe, as they arrive.
fn lines(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        let mut lines = BufReader::new(pipe).lines().map_while(Result::ok);
        lines.try_for_each(|line| sender.send(line))
    });
    lines
}

impl Reading {
    fn new(args: &[&str]) -> Reading {
        let mut command = proctracer();
        command
            .args(args)
            .args(["-r", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        Reading {
            input: child.stdin.take(),
            out: lines(child.stdout.take().expect("a pipe")),
            err: lines(child.stderr.take().expect("a pipe")),
            child,
        }
    }

    fn write(&mut self, message: &str) {
        let input = self.input.as_mut().expect("a pipe");
        input.write_all(message.as_bytes()).expect("it reads");
        input.flush().expect("it reads");
    }

    fn ask(&self, signal: &str) {
        let pid = self.child.id().to_string();
        let status = Command::new("kill").args(["-s", signal, &pid]).status();
        assert!(status.expect("kill runs").success());
    }

    /// The next lines of a report, this many.
    fn report(&self, count: usize) -> String {
        let line = |_| self.err.recv_timeout(PATIENCE).expect("a line") + "\n";
        (0..count).map(line).collect()
    }

    /// Closes the input; returns the output that follows, and the rest of standard error.
    fn end(mut self) -> (String, String) {
        drop(self.input.take());
        let all =
            |lines: Receiver<String>| lines.iter().map(|line| line + "\n").collect::<String>();
        let texts = (all(self.out), all(self.err));
        assert_eq!(self.child.wait().expect("it ends").code(), Some(0));
        texts
    }
}

#[test]
fn who_asks_gets_the_summary_so_far_at_once() {
    let mut reading = Reading::new(&["-C", "-F", "line", "--summary-by", "event"]);
    let zsh = actor(10, 0, 1, "/bin/zsh");
    let signals = signals();
    for second in 1..4 {
        reading.write(&zsh.opened(second, "/a"));
        // The line shows that the event has been read; nothing else is printed before a report is requested.
        let line = reading.out.recv_timeout(PATIENCE).expect("a line");
        assert!(line.contains(" open "), "{line}");
        reading.ask(signals[second as usize % signals.len()]);
        let head = reading.report(1);
        let events = if second == 1 {
            "1 event".to_owned()
        } else {
            format!("{second} events")
        };
        assert!(
            head.starts_with(&format!("{events} of 1 type, 1 process, ")),
            "{head}"
        );
        assert_eq!(
            reading.report(4),
            format!(
                "\n EVENTS     %  PROCS  FIRST     LAST      EVENT\n      \
                 {second} 100.0      1  12:00:01  12:00:0{second}  open\n\n"
            )
        );
    }
    let (out, err) = reading.end();
    assert!(out.starts_with("\n3 events of 1 type, "), "{out}");
    assert_eq!(err, "");
}

#[test]
fn a_tree_is_printed_as_it_is() {
    let mut reading = Reading::new(&["--tree", "-C", "-F", "line", "--summary-by", "event"]);
    reading.write(&actor(10, 0, 1, "/bin/zsh").opened(2, "/a"));
    reading.out.recv_timeout(PATIENCE).expect("a line");
    reading.ask("USR1");
    let report = reading.report(8);
    let (out, err) = reading.end();
    assert_eq!(report, out["\n".len()..].to_owned() + "\n");
    assert!(
        report.starts_with(
            "    PID   UID  STARTED     TIME    EXIT EVENTS  COMMAND\n     \
             10   501 12:00:00    2.0 s       ·      1  /bin/zsh  [file 1]\n\n1 event of "
        ),
        "{out}"
    );
    assert_eq!(err, "");
}

#[test]
fn reports_come_every_so_often() {
    let mut reading = Reading::new(&[
        "-c",
        "-F",
        "json",
        "--summary-every",
        "50ms",
        "--summary-by",
        "event",
    ]);
    // Before any event has come, and several times.
    for _ in 0..3 {
        let report = reading.report(1);
        assert!(report.starts_with("{\"events\":0,"), "{report}");
    }
    reading.write(&actor(10, 0, 1, "/bin/zsh").opened(2, "/a"));
    while !reading.report(1).starts_with("{\"events\":1,") {}
    let (out, _) = reading.end();
    assert!(out.starts_with("{\"events\":1,"), "{out}");
    assert_eq!(out.lines().count(), 1);
}
