//! `--follow-file`: a recording that grows.

mod common;

use std::fs::{File, OpenOptions, rename};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use common::{message, proctracer, run, run_with_input};

/// Far longer than anything here takes; it only ends a test that hangs.
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

    /// The next event that is printed.
    fn next(&self) -> String {
        let line = self.lines.recv_timeout(PATIENCE).expect("the line");
        line.split(' ').nth(3).expect("four columns").to_owned()
    }

    /// The text that is printed after Ctrl-C, and the exit status.
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
    // Moved away, and still written to until a new file exists.
    let moved = folder.path().join("a.jsonl.0");
    rename(&path, &moved).expect("it can be moved");
    append(&moved, &line("close"));
    assert_eq!(following.next(), "close");
    append(&moved, &line("exit"));
    std::fs::write(&path, line("fork")).expect("the file can be written");
    assert_eq!(following.next(), "exit");
    assert_eq!(following.next(), "fork");
    // Emptied; this can be detected while it is shorter than before.
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

/// The file that takes its place can't always be read; the next one may be.
#[test]
fn what_cannot_be_read_is_reported_once_and_waited_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.jsonl");
    let name = path.display();
    let gzip = |text: String| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text.as_bytes()).expect("memory");
        encoder.finish().expect("memory")
    };
    let other = folder.path().join("other");
    let place: [(&dyn Fn(), &str); 5] = [
        (&|| {}, ""),
        (
            &|| std::fs::create_dir(&path).expect("a folder"),
            "is a directory",
        ),
        (
            &|| std::fs::write(&path, gzip(line("open"))).expect("it can be written"),
            "it is compressed: only a plain file can be followed",
        ),
        (
            &|| {
                std::fs::write(&other, zstd::encode_all(&b"x"[..], 1).expect("memory"))
                    .expect("it can be written");
                rename(&other, &path).expect("it can be moved");
            },
            "it is compressed: only a plain file can be followed",
        ),
        (
            &|| std::os::unix::fs::symlink("a.jsonl", &path).expect("a link"),
            "",
        ),
    ];
    for (takes_the_place, said) in place {
        std::fs::write(&path, line("open")).expect("the file can be written");
        let following = Following::new(&[], &path);
        assert_eq!(following.next(), "open");
        std::fs::remove_file(&path).expect("it can be removed");
        takes_the_place();
        // Long enough for several checks of the file.
        std::thread::sleep(Duration::from_millis(200));
        if path.is_dir() {
            std::fs::remove_dir(&path).expect("it can be removed");
        } else if path.is_symlink() || path.exists() {
            std::fs::remove_file(&path).expect("it can be removed");
        }
        std::fs::write(&path, line("close")).expect("the file can be written");
        assert_eq!(following.next(), "close");
        let (err, status) = following.end();
        if said.is_empty() {
            assert_eq!((err.as_str(), status), ("", Some(0)));
        } else {
            assert_eq!(
                (err, status),
                (format!("proctracer: {name}: {said}\n"), Some(1))
            );
        }
        std::fs::remove_file(&path).expect("it can be removed");
    }
}

/// The file is gone or another one at every check.
#[test]
fn a_file_that_is_renamed_all_the_time_is_followed() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("a"), line("open")).expect("the file can be written");
    let following = Following::new(&[], &path("a"));
    assert_eq!(following.next(), "open");
    for _ in 0..3000 {
        std::fs::write(path("new"), line("close")).expect("the file can be written");
        rename(path("new"), path("a")).expect("it can be moved");
        rename(path("a"), path("old")).expect("it can be moved");
    }
    std::fs::write(path("a"), line("fork")).expect("the file can be written");
    let mut event = following.next();
    while event == "close" {
        event = following.next();
    }
    assert_eq!(event, "fork");
    // The next file may well get the inode number of one that is gone.
    for _ in 0..20 {
        std::fs::remove_file(path("a")).expect("it can be removed");
        std::fs::write(path("a"), line("exit")).expect("the file can be written");
        assert_eq!(following.next(), "exit");
    }
    assert_eq!(following.end(), (String::new(), Some(0)));
}

#[test]
fn a_file_that_is_emptied_and_grows_beyond_what_it_was_is_read_from_its_beginning() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.jsonl");
    std::fs::write(&path, line("exit")).expect("the file can be written");
    let following = Following::new(&[], &path);
    assert_eq!(following.next(), "exit");
    for _ in 0..3 {
        File::create(&path).expect("the file can be written");
        // Long enough for the file to be seen.
        std::thread::sleep(Duration::from_millis(200));
        append(&path, &line("open"));
        append(&path, &line("exec"));
        assert_eq!(following.next(), "open");
        assert_eq!(following.next(), "exec");
    }
    assert_eq!(following.end(), (String::new(), Some(0)));
}

#[test]
fn losses_are_reported_as_they_happen_and_at_the_end() {
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
