//! Long recordings: compressed, in several files, cut, on a full disk; who may read them.

mod common;

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::{Run, assert_same, is_simulated, proctracer, read, run};
use tempfile::TempDir;

const EVENTS: &str = "tests/data/events.jsonl";

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// Records the events of all kinds with further options.
fn record(path: &Path, more: &[&str]) -> Run {
    run(&[&["-r", EVENTS, "-o", "/dev/null", "-w", text(path)], more].concat())
}

/// The files in a folder, by name.
fn names(folder: &TempDir) -> Vec<String> {
    let entry = |entry: std::io::Result<fs::DirEntry>| {
        entry
            .expect("an entry")
            .file_name()
            .into_string()
            .expect("UTF-8")
    };
    let mut names: Vec<_> = fs::read_dir(folder)
        .expect("the folder")
        .map(entry)
        .collect();
    names.sort();
    names
}

/// The contents of several recordings, one after the other.
fn read_back(files: &[PathBuf]) -> String {
    let inputs = files.iter().flat_map(|path| ["-r", text(path)]);
    let run = run(&inputs.chain(["-F", "json"]).collect::<Vec<_>>());
    assert_eq!((run.err.as_str(), run.status), ("", 0));
    run.out
}

#[test]
fn new_files_are_for_their_owner_only_and_old_ones_stay_as_they_are() {
    let folder = folder();
    let (new, shown, old) = (
        folder.path().join("new.jsonl"),
        folder.path().join("shown"),
        folder.path().join("old"),
    );
    fs::write(&old, "x".repeat(1 << 20)).expect("the file can be written");
    fs::set_permissions(&old, fs::Permissions::from_mode(0o640)).expect("its mode");
    let shown_in = ["-o", text(&shown)];
    for path in [&new, &old] {
        let run = run(&[&["-r", EVENTS, "-w", text(path)], &shown_in[..]].concat());
        assert_eq!((run.err.as_str(), run.status), ("", 0));
        assert_same(&fs::read_to_string(path).expect("UTF-8"), &read(EVENTS));
    }
    let mode = |path| {
        fs::metadata(path)
            .expect("it is there")
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!(
        (mode(&new), mode(&shown), mode(&old)),
        (0o600, 0o600, 0o640)
    );
}

#[test]
fn the_name_says_how_a_recording_is_compressed() {
    let folder = folder();
    for (name, magic, max) in [
        ("a.jsonl", &b"{"[..], usize::MAX),
        ("a.jsonl.gz", b"\x1f\x8b", 50),
        ("a.jsonl.zst", b"\x28\xb5\x2f\xfd", 50),
        ("zst", b"{", usize::MAX),
    ] {
        let path = folder.path().join(name);
        let run = record(&path, &[]);
        assert_eq!((run.err.as_str(), run.status), ("", 0));
        let bytes = fs::read(&path).expect("the recording");
        assert!(bytes.starts_with(magic), "{name}");
        assert!(
            bytes.len() < read(EVENTS).len().saturating_mul(max) / 100,
            "{name}"
        );
        assert_same(&read_back(&[path]), &read(EVENTS));
    }
}

#[test]
fn a_compressed_recording_is_readable_while_it_is_written() {
    if is_simulated() {
        return; // the time that the simulation takes is another
    }
    for name in ["a.jsonl.gz", "a.jsonl.zst"] {
        let folder = folder();
        let path = folder.path().join(name);
        let mut child = proctracer()
            .args(["-r", "-", "-w", text(&path)])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        // Nobody reads its other output, so that it soon waits there.
        let mut input = child.stdin.take().expect("a pipe");
        let lines = read(EVENTS);
        let first: String = lines.split_inclusive('\n').take(3).collect();
        input.write_all(first.as_bytes()).expect("it reads");
        let begin = Instant::now();
        loop {
            let partial = run(&["-r", text(&path), "-F", "json"]);
            if partial.out == first {
                break;
            }
            assert!(begin.elapsed() < Duration::from_secs(60), "{partial:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
        child.kill().expect("it runs");
        child.wait().expect("it has ended");
        let cut = run(&["-r", text(&path), "-F", "json"]);
        assert_eq!(cut.out, first);
        assert!(cut.err.contains(name), "{}", cut.err);
        assert_eq!(cut.status, 1);
    }
}

#[test]
fn the_files_of_a_rotated_recording_give_the_one_stream() {
    let size = read(EVENTS).len();
    for (name, second, rotate, count) in [
        ("hour.jsonl", "hour.1.jsonl", "100KB", size / 100_000 + 1),
        (
            "hour.jsonl",
            "hour.1.jsonl",
            "1B",
            read(EVENTS).lines().count(),
        ),
        ("hour.jsonl.zst", "hour.1.jsonl.zst", "1B", 2),
        ("hour.gz", "hour.1.gz", "1B", 2),
    ] {
        let folder = folder();
        let path = folder.path().join(name);
        let run = record(&path, &["--rotate", rotate]);
        assert_eq!((run.err.as_str(), run.status), ("", 0));
        let names = names(&folder);
        assert!(names.len() >= count, "{names:?}");
        assert!(names.iter().any(|name| name == second), "{names:?}");
        let numbered = (1..names.len()).map(|number| {
            folder
                .path()
                .join(second.replacen(".1", &format!(".{number}"), 1))
        });
        let files: Vec<_> = [path].into_iter().chain(numbered).collect();
        assert_same(&read_back(&files), &read(EVENTS));
        if rotate == "100KB" {
            let size = |path| fs::metadata(path).expect("it is there").len();
            assert!(files.iter().all(|path| size(path) <= 100_000));
        }
    }
}

#[test]
fn a_recording_is_rotated_by_time() {
    let folder = folder();
    let path = folder.path().join("hour.jsonl");
    let mut child = proctracer()
        .args(["-r", "-", "-w", text(&path), "--rotate", "50ms"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("the program starts");
    let mut input = child.stdin.take().expect("a pipe");
    let lines = read(EVENTS);
    for line in lines.split_inclusive('\n').take(3) {
        input.write_all(line.as_bytes()).expect("it reads");
        std::thread::sleep(Duration::from_millis(300));
    }
    drop(input);
    assert!(child.wait().expect("it ends").success());
    assert_eq!(
        names(&folder),
        ["hour.1.jsonl", "hour.2.jsonl", "hour.jsonl"]
    );
}

#[test]
fn only_the_newest_files_are_kept() {
    let folder = folder();
    let path = folder.path().join("hour.jsonl");
    fs::write(folder.path().join("hour.0.jsonl"), "another file").expect("it can be written");
    let run = record(&path, &["--rotate", "1B", "--keep", "2"]);
    assert_eq!((run.err.as_str(), run.status), ("", 0));
    let lines = read(EVENTS);
    let last: Vec<_> = lines.lines().rev().take(2).collect();
    let count = lines.lines().count();
    let name = |number| format!("hour.{number}.jsonl");
    let mut expected = vec!["hour.0.jsonl".to_owned(), name(count - 2), name(count - 1)];
    expected.sort();
    assert_eq!(names(&folder), expected);
    for (number, line) in [(count - 1, last[0]), (count - 2, last[1])] {
        let recorded = fs::read_to_string(folder.path().join(name(number))).expect("UTF-8");
        assert_eq!(recorded.trim_end(), line);
    }
}

#[test]
fn a_later_file_overwrites_nothing_that_is_read() {
    let folder = folder();
    let (first, second) = (
        folder.path().join("a.jsonl"),
        folder.path().join("a.1.jsonl"),
    );
    fs::write(&second, read(EVENTS)).expect("the file can be written");
    let args = [
        "-r",
        text(&second),
        "-o",
        "/dev/null",
        "-w",
        text(&first),
        "--rotate",
        "1KB",
    ];
    let run = run(&args);
    let said = format!(
        "proctracer: {}: a file that is already being read or written; 1 event kept\n",
        text(&second)
    );
    assert_eq!((run.err, run.status), (said, 1));
    assert_same(&fs::read_to_string(&second).expect("UTF-8"), &read(EVENTS));
}

#[test]
fn only_regular_files_are_rotated() {
    // --keep would remove a device, and later files would lie among devices.
    let folder = folder();
    let (first, second) = (
        folder.path().join("a.jsonl"),
        folder.path().join("a.1.jsonl"),
    );
    let fifo = |path| {
        let made = Command::new("mkfifo").arg(path).status();
        assert!(made.expect("mkfifo runs").success());
    };
    let refused = |path, kept| {
        let path = text(path);
        format!("proctracer: {path}: not a regular file, as --rotate needs{kept}\n")
    };
    let rotate = ["--rotate", "1KB", "--keep", "1"];
    // Opening it would wait for a reader.
    fifo(&second);
    let run = record(&first, &rotate);
    let said = refused(&second, "; 1 event kept");
    assert_eq!((run.err, run.status), (said, 1));
    fs::remove_file(&first).expect("it is there");
    fifo(&first);
    let run = record(&first, &rotate);
    let said = refused(&first, "").replace(": /", ": -w /");
    assert_eq!((run.err, run.status), (said, 2));
    assert_eq!(names(&folder), ["a.1.jsonl", "a.jsonl"]);
}

#[test]
fn a_full_disk_leaves_whole_lines_and_a_count() {
    if is_simulated() {
        return; // limits are those of Linux
    }
    for (name, is_compressed, ignores) in [
        ("a.jsonl", false, "trap '' XFSZ; "),
        ("a.jsonl", false, ""),
        ("a.jsonl.gz", true, "trap '' XFSZ; "),
        ("a.jsonl.zst", true, ""),
    ] {
        let folder = folder();
        let path = folder.path().join(name);
        // A file that can't grow any more fails as a full disk does, but for the reason.
        let output = Command::new("sh")
            .args(["-c", &format!("{ignores}ulimit -f 40; exec \"$@\""), "sh"])
            .arg(env!("CARGO_BIN_EXE_proctracer"))
            .args(["-r", EVENTS, "-o", "/dev/null", "-w", text(&path)])
            .output()
            .expect("sh runs");
        let err = String::from_utf8(output.stderr).expect("UTF-8");
        let kept = err
            .strip_prefix(&format!("proctracer: {}: File too large; ", text(&path)))
            .and_then(|rest| rest.strip_suffix(" events kept\n"))
            .unwrap_or_else(|| panic!("{err}"));
        assert_eq!(output.status.code(), Some(1));
        let mut bytes = Vec::new();
        fs::File::open(&path)
            .expect("the file")
            .read_to_end(&mut bytes)
            .expect("its bytes");
        if is_compressed {
            // What was flushed before is there, and possibly more.
            let events = run(&["-r", text(&path), "-F", "json"]).out;
            let kept: usize = kept.parse().expect("a number");
            assert!(read(EVENTS).starts_with(&events) && events.lines().count() >= kept);
        } else {
            let recorded = String::from_utf8(bytes).expect("UTF-8");
            assert!(read(EVENTS).starts_with(&recorded) && recorded.ends_with('\n'));
            assert_eq!(kept, recorded.lines().count().to_string());
        }
    }
}

#[test]
fn a_refused_run_leaves_both_files_as_they_were() {
    let folder = folder();
    let (old, nowhere) = (folder.path().join("old"), folder.path().join("nowhere/x"));
    fs::write(&old, "precious").expect("the file can be written");
    for options in [["-o", "-w"], ["-w", "-o"]] {
        let args = [options[0], text(&old), options[1], text(&nowhere)];
        let run = run(&[&["-r", EVENTS], &args[..]].concat());
        let said = format!(
            "proctracer: {} {}: No such file or directory\n",
            options[1],
            text(&nowhere)
        );
        assert_eq!((run.err, run.status), (said, 2));
        assert_eq!(fs::read_to_string(&old).expect("UTF-8"), "precious");
    }
}

#[test]
fn wrong_options_of_recordings_are_refused() {
    for (args, said) in [
        (
            &["-w", "x", "--rotate", "500"][..],
            "--rotate 500: expected a size such as 500MB or a time such as 1h",
        ),
        (
            &["-w", "x", "--rotate", "0MB"],
            "--rotate 0MB: expected more than 0",
        ),
    ] {
        let run = run(&[&["-r", EVENTS], args].concat());
        assert_eq!((run.err, run.status), (format!("proctracer: {said}\n"), 2));
        assert!(!Path::new("x").exists());
    }
    for args in [
        &["--rotate", "1MB"][..],
        &["-w", "x", "--keep", "3"],
        &["-w", "x", "--rotate", "1MB", "--keep", "0"],
    ] {
        let run = run(&[&["-r", EVENTS], args].concat());
        assert_eq!((run.out.as_str(), run.status), ("", 2), "{}", run.err);
    }
}
