//! `--follow-file`: a recording that grows.

mod common;

use std::fs::{File, OpenOptions, rename};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use common::{message, proctracer, run, run_with_input};

/// Far longer than anything here takes; only to end a test that hangs.
const PATIENCE: Duration = Duration::from_secs(30);

struct Following {
    child: Child,
    lines: Receiver<String>,
}

impl Following {
    fn new(args: &[&str], path: &Path) -> Following {
        let mut command = proctracer();
        command
            .args(["-F", "line", "--follow-file"])
            .args(args)
            .arg("-r")
            .arg(path)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            let mut lines = stdout.lines().map_while(Result::ok);
            lines.try_for_each(|line| sender.send(line))
        });
        Following { child, lines }
    }

    /// The event that is printed next.
    fn next(&self) -> String {
        let line = self.lines.recv_timeout(PATIENCE).expect("the line");
        line.split(' ').nth(3).expect("four columns").to_owned()
    }

    /// What is said after Ctrl-C.
    fn end(mut self) -> (String, Option<i32>) {
        let pid = self.child.id().to_string();
        let kill = Command::new("kill").args(["-s", "INT", &pid]).status();
        assert!(kill.expect("kill runs").success());
        let mut said = String::new();
        let mut stderr = self.child.stderr.take().expect("a pipe");
        stderr.read_to_string(&mut said).expect("UTF-8");
        (said, self.child.wait().expect("it ends").code())
    }
}

fn append(path: &Path, text: &str) {
    let mut file = OpenOptions::new()
        .append(true)
        .open(path)
        .expect("the file");
    file.write_all(text.as_bytes()).expect("it can be written");
}

fn line(event: &str) -> String {
    message(event) + "\n"
}

#[test]
fn events_come_as_the_file_grows() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.jsonl");
    std::fs::write(&path, "").expect("the file can be written");
    let following = Following::new(&[], &path);
    append(&path, &line("open"));
    assert_eq!(following.next(), "open");
    let close = line("close");
    append(&path, &close[..100]);
    append(&path, &close[100..]);
    assert_eq!(following.next(), "close");
    assert_eq!(following.end(), (String::new(), Some(0)));
}

#[test]
fn what_takes_the_place_of_the_file_is_followed() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.jsonl");
    std::fs::write(&path, line("open")).expect("the file can be written");
    let following = Following::new(&[], &path);
    assert_eq!(following.next(), "open");
    // Moved away, and still written to until there is a new one.
    let moved = folder.path().join("a.jsonl.0");
    rename(&path, &moved).expect("it can be moved");
    append(&moved, &line("close"));
    assert_eq!(following.next(), "close");
    append(&moved, &line("exit"));
    std::fs::write(&path, line("fork")).expect("the file can be written");
    assert_eq!(following.next(), "exit");
    assert_eq!(following.next(), "fork");
    // Emptied; it can be told while it is shorter than it was.
    assert!(line("exit").len() + 2 < line("fork").len());
    File::create(&path).expect("the file can be written");
    append(&path, "x\n");
    append(&path, &line("exit"));
    assert_eq!(following.next(), "exit");
    let (said, status) = following.end();
    let name = path.display();
    assert_eq!(
        said,
        format!(
            "proctracer: {name}:1: no JSON object\n\
             proctracer: {name}: 1 damaged, 1 of them skipped\n"
        )
    );
    assert_eq!(status, Some(1));
}

#[test]
fn losses_are_told_as_they_happen_and_at_the_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.jsonl");
    let mut value: serde_json::Value = serde_json::from_str(&message("open")).expect("JSON");
    std::fs::write(&path, format!("{value}\n")).expect("the file can be written");
    let following = Following::new(&["--fail-on-drop"], &path);
    assert_eq!(following.next(), "open");
    value["seq_num"] = 3.into();
    value["global_seq_num"] = 100.into();
    append(&path, &format!("{value}\n"));
    assert_eq!(following.next(), "open");
    let name = path.display();
    let said = format!(
        "proctracer: {name}: 2 events are missing so far: open 2\n\
         proctracer: {name}: 2 of 4 events are missing, dropped by macOS or left out of the recording: open 2\n"
    );
    assert_eq!(following.end(), (said, Some(3)));
}

#[test]
fn only_the_last_file_is_followed() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.jsonl");
    std::fs::write(&path, line("close")).expect("the file can be written");
    let following = Following::new(&["-r", "tests/data/seed.jsonl", "-e", "close"], &path);
    let events: Vec<_> = (0..3).map(|_| following.next()).collect();
    assert_eq!(events, ["close"; 3]);
    append(&path, &line("close"));
    assert_eq!(following.next(), "close");
    assert_eq!(following.end(), (String::new(), Some(0)));
}

#[test]
fn what_cannot_be_followed_is_refused() {
    let stdin = run_with_input(&["-r", "-", "--follow-file"], b"");
    assert_eq!(
        (stdin.err.as_str(), stdin.status),
        (
            "proctracer: --follow-file takes a file: standard input is read as it comes anyway\n",
            2
        )
    );
    assert_eq!(run(&["--follow-file"]).status, 2);
    let missing = run(&["-r", "/nonexistent", "--follow-file"]);
    assert_eq!(
        (missing.err.as_str(), missing.status),
        ("proctracer: /nonexistent: No such file or directory\n", 1)
    );
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.gz");
    std::fs::write(&path, b"\x1f\x8b\x08\x00").expect("the file can be written");
    let path = path.to_str().expect("UTF-8");
    let compressed = run(&["-r", path, "--follow-file"]);
    assert_eq!(
        (compressed.err, compressed.status),
        (
            format!("proctracer: {path}: it is compressed: only a plain file can be followed\n"),
            1
        )
    );
}
