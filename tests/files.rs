//! Input and output files: named pipes, one file for two purposes, streams that are closed.

mod common;

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;

use common::{is_simulated, message, proctracer, read, run};
use tempfile::TempDir;

const HOUR: &str = "samples/developers-hour.jsonl";

/// A folder, and a function that returns the path of a name in it.
fn folder() -> (TempDir, impl Fn(&str) -> PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().to_owned();
    (folder, move |name: &str| path.join(name))
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

fn fifo(path: &Path) {
    let made = Command::new("mkfifo").arg(path).status();
    assert!(made.expect("mkfifo runs").success());
}

/// The program, started by a shell that closes streams.
fn closed(args: &[&str], streams: &str) -> (String, Option<i32>) {
    let program = proctracer();
    let output = Command::new("/bin/sh")
        .args(["-c", &format!("exec \"$0\" \"$@\" {streams}")])
        .arg(program.get_program())
        .args(args)
        .stdin(Stdio::null())
        .output();
    ended(&output.expect("the shell starts"))
}

fn ended(output: &Output) -> (String, Option<i32>) {
    let err = String::from_utf8(output.stderr.clone()).expect("UTF-8");
    (err, output.status.code())
}

#[test]
fn a_pipe_with_a_name_is_written_as_a_file() {
    let plain = run(&["-r", HOUR, "-F", "json"]).out;
    for option in ["-o", "-w"] {
        let (_folder, path) = folder();
        let pipe = path("pipe");
        fifo(&pipe);
        let reader = {
            let pipe = pipe.clone();
            thread::spawn(move || std::fs::read_to_string(pipe).expect("text"))
        };
        let written = run(&["-r", HOUR, "-F", "json", option, text(&pipe)]);
        assert_eq!((written.err.as_str(), written.status), ("", 0), "{option}");
        assert!(reader.join().expect("text") == plain, "{option}");
    }
}

#[test]
fn a_pipe_with_a_name_is_read_as_a_file() {
    let plain = run(&["-r", HOUR, "-F", "line"]).out;
    let hour = read(HOUR);
    for _ in 0..20 {
        let (_folder, path) = folder();
        let (pipe, out) = (path("pipe"), path("out"));
        fifo(&pipe);
        let writer = {
            let (pipe, hour) = (pipe.clone(), hour.clone());
            thread::spawn(move || std::fs::write(pipe, hour))
        };
        let args = ["-r", text(&pipe), "-F", "line", "-o", text(&out)];
        let run = run(&args);
        assert_eq!((run.err.as_str(), run.status), ("", 0));
        writer.join().expect("a writer").expect("all is read");
        assert!(std::fs::read_to_string(out).expect("text") == plain);
    }
}

#[test]
fn a_file_is_not_written_while_it_is_read() {
    let (_folder, path) = folder();
    let (hour, link, other) = (path("hour"), path("link"), path("other"));
    std::fs::write(&hour, read(HOUR)).expect("the file can be written");
    std::fs::hard_link(&hour, &link).expect("a link");
    let (hour, link, other) = (text(&hour), text(&link), text(&other));
    std::fs::write(other, "").expect("the file can be written");
    let would = |output: &str, input: &str| format!("{output} would overwrite {input}");
    for (args, input, output, said) in [
        (
            &["-r", hour, "-o", hour][..],
            "",
            "",
            would(&format!("-o {hour}"), &format!("-r {hour}")),
        ),
        (
            &["-r", hour, "-w", link],
            "",
            "",
            would(&format!("-w {link}"), &format!("-r {hour}")),
        ),
        (
            &["-r", "-", "-o", hour],
            hour,
            "",
            would(&format!("-o {hour}"), "standard input"),
        ),
        (
            &["-r", "-", "-w", link],
            hour,
            "",
            would(&format!("-w {link}"), "standard input"),
        ),
        (
            &["-r", hour],
            "",
            hour,
            would("standard output", &format!("-r {hour}")),
        ),
        (
            &["-r", link, "-F", "json"],
            "",
            hour,
            would("standard output", &format!("-r {link}")),
        ),
        (
            &["-r", "-"],
            hour,
            link,
            would("standard output", "standard input"),
        ),
        (
            &["-r", HOUR, "-w", hour],
            "",
            hour,
            format!("standard output and -w {hour} are the same file"),
        ),
        (
            &["-r", HOUR, "-w", hour, "-o", link],
            "",
            "",
            format!("-o {link} and -w {hour} are the same file"),
        ),
        (
            &["-r", hour, "-r", other, "-o", other],
            "",
            "",
            would(&format!("-o {other}"), &format!("-r {other}")),
        ),
    ] {
        let mut command = proctracer();
        command.args(args);
        if !input.is_empty() {
            command.stdin(File::open(input).expect("the file"));
        }
        if !output.is_empty() {
            let file = File::options().append(true).open(output);
            command.stdout(file.expect("the file"));
        }
        let ended = ended(&command.output().expect("the program starts"));
        assert_eq!(
            ended,
            (format!("proctracer: {said}\n"), Some(2)),
            "{args:?}"
        );
        assert!(std::fs::read_to_string(hour).expect("text") == read(HOUR));
    }
    // One stream may be another if nothing is lost by it.
    let null = || {
        File::options()
            .read(true)
            .write(true)
            .open("/dev/null")
            .expect("the device")
    };
    let mut command = proctracer();
    let command = command.args(["-r", "-"]).stdin(null()).stdout(null());
    let ended = ended(&command.output().expect("the program starts"));
    assert_eq!(ended, (String::new(), Some(0)));
    let null = run(&["-r", "/dev/null", "-o", "/dev/null", "-w", "/dev/null"]);
    assert_eq!((null.err.as_str(), null.status), ("", 0));
}

#[test]
fn a_dash_is_standard_output() {
    let (folder, _) = folder();
    let args = [
        "-r",
        &common::file(HOUR).display().to_string(),
        "-F",
        "line",
    ];
    let dash = proctracer()
        .args(args)
        .args(["-o", "-"])
        .current_dir(&folder)
        .output();
    let dash = dash.expect("the program starts");
    assert_eq!(ended(&dash), (String::new(), Some(0)));
    assert_eq!(String::from_utf8_lossy(&dash.stdout), run(&args).out);
    assert_eq!(folder.path().read_dir().expect("a folder").count(), 0);
}

#[test]
fn a_closed_stream_is_a_failure_where_it_is_needed() {
    if is_simulated() {
        return;
    }
    let failure = "proctracer: standard output: Bad file descriptor\n";
    for args in [
        &["--help"][..],
        &["-h"],
        &["--version"],
        &["--list-events"],
        &["--explain", "exec"],
        &[],
        &["-r", "tests/data/seed.jsonl"],
        &[
            "-r",
            "tests/data/seed.jsonl",
            "-F",
            "json",
            "-w",
            "/dev/null",
        ],
    ] {
        assert_eq!(
            closed(args, ">&-"),
            (failure.to_owned(), Some(1)),
            "{args:?}"
        );
    }
    let args = ["-r", "tests/data/seed.jsonl", "-o", "/dev/null"];
    for streams in [">&-", "<&- >&- 2>&-"] {
        assert_eq!(closed(&args, streams), (String::new(), Some(0)));
    }
    let failure = "proctracer: standard input: Bad file descriptor\n";
    assert_eq!(closed(&["-r", "-"], "<&-"), (failure.to_owned(), Some(1)));
    // By any other name, too.
    for (args, streams, status) in [
        (["-r", "/dev/stdin"], "<&-", 1),
        (["-r", "/dev/fd/0"], "<&-", 1),
        (["-o", "/dev/stdout"], ">&-", 2),
        (["-o", "/dev/fd/1"], ">&-", 2),
        (["-w", "/dev/stdout"], ">&-", 2),
        (["-w", "/dev/stdin"], "<&-", 2),
    ] {
        let [option, path] = args;
        let (before, shown) = match option {
            "-r" => (&[][..], path.to_owned()),
            "-o" => (&["-r", "tests/data/seed.jsonl"][..], format!("-o {path}")),
            _ => (
                &["-r", "tests/data/seed.jsonl", "-o", "/dev/null"][..],
                format!("-w {path}"),
            ),
        };
        let failure = format!("proctracer: {shown}: Bad file descriptor\n");
        assert_eq!(
            closed(&[before, &args].concat(), streams),
            (failure, Some(status)),
            "{args:?}"
        );
    }
    let args = ["-r", "tests/data/seed.jsonl", "-o", "/dev/stderr"];
    assert_eq!(closed(&args, "2>&-"), (String::new(), Some(2)));
    // A run that can't show anything creates nothing.
    let (_folder, path) = folder();
    let record = path("record");
    let args = ["-r", "tests/data/seed.jsonl", "-w", text(&record)];
    assert_eq!(closed(&args, ">&-").1, Some(1));
    assert!(!record.exists());
}

#[test]
fn a_removed_working_folder_is_said_as_other_errors_are() {
    if is_simulated() {
        return;
    }
    let (_folder, path) = folder();
    let gone = path("gone");
    std::fs::create_dir(&gone).expect("the folder");
    let program = proctracer();
    let output = Command::new("/bin/sh")
        .args(["-c", "cd \"$1\" && rmdir \"$1\" && exec \"$0\" -r - -P x"])
        .arg(program.get_program())
        .arg(&gone)
        .stdin(Stdio::null())
        .output();
    let said = "proctracer: -P x: No such file or directory\n";
    let output = output.expect("the shell starts");
    assert_eq!(ended(&output), (said.to_owned(), Some(2)));
}

#[test]
fn what_was_typed_is_safe_to_print_in_errors_of_usage() {
    let typed = "\x1b]0;title\x07\nproctracer: ok";
    let safe = "\\x1b]0;title\\x07\\nproctracer: ok";
    for args in [
        &[format!("--{typed}")][..],
        &["-F".to_owned(), typed.to_owned()],
        &["--color".to_owned(), typed.to_owned()],
        &["--source".to_owned(), format!("nativ{typed}")],
        &[format!("--utc={typed}")],
        &[format!("-X{typed}")],
        &["-e".to_owned(), typed.to_owned()],
        &["--explain".to_owned(), typed.to_owned()],
        &[
            "-r".to_owned(),
            typed.to_owned(),
            "-o".to_owned(),
            typed.to_owned(),
        ],
        &[
            "-r".to_owned(),
            HOUR.to_owned(),
            "-o".to_owned(),
            format!("/nonexistent/{typed}"),
        ],
    ] {
        let output = proctracer()
            .args(args)
            .output()
            .expect("the program starts");
        let (err, status) = ended(&output);
        assert!(!err.contains(['\x1b', '\x07']), "{args:?}: {err}");
        assert!(!err.contains("\nproctracer: ok"), "{args:?}: {err}");
        assert!(
            err.contains(safe) || err.contains("\'-\\x1b") || err.contains("-X"),
            "{args:?}: {err}"
        );
        assert!(matches!(status, Some(1 | 2)), "{args:?}");
    }
}

#[test]
fn a_stream_that_is_compressed_may_be_followed_by_other_bytes() {
    let hour = read(HOUR);
    let plain = run(&["-r", HOUR]).out;
    let gzip = |text: &str| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text.as_bytes()).expect("memory");
        encoder.finish().expect("memory")
    };
    let zstd = |text: &str| zstd::encode_all(text.as_bytes(), 1).expect("memory");
    let cut = hour.len() / 2;
    let (first, second) = hour.split_at(cut);
    let skippable = b"\x50\x2a\x4d\x18\x03\0\0\0abc";
    let ignored = "ignored the data after the compressed data";
    let padded = "ignored the data after the padding";
    let (_folder, path) = folder();
    let recording = path("recording");
    for (whole, halves) in [
        (gzip(&hour), [gzip(first), gzip(second)]),
        (zstd(&hour), [zstd(first), zstd(second)]),
    ] {
        let [first, second] = halves;
        for (way, (bytes, said)) in [
            ([&whole[..], b"\0"].concat(), ""),
            ([&whole[..], &vec![0; 100_000]].concat(), ""),
            ([&whole[..], b"\n"].concat(), ignored),
            ([&whole[..], b"trailing"].concat(), ignored),
            ([&whole[..], b"{}\n", &whole].concat(), ignored),
            ([&whole[..], &vec![0; 70_000], b"x"].concat(), padded),
            ([&first[..], &second, b"\x1f"].concat(), ignored),
            ([&first[..], &[0; 512], &second].concat(), ""),
            ([&first[..], &zstd(""), &gzip(""), &second].concat(), ""),
            ([&first[..], skippable, &second, skippable].concat(), ""),
            ([&skippable[..], &first, &second].concat(), ""),
        ]
        .into_iter()
        .enumerate()
        {
            std::fs::write(&recording, bytes).expect("the file can be written");
            let run = run(&["-r", text(&recording)]);
            let said = if said.is_empty() {
                String::new()
            } else {
                format!("proctracer: {}: {said}\n", recording.display())
            };
            assert_eq!((run.err, run.status), (said, 0), "{way}");
            assert!(run.out == plain, "{way}");
        }
    }
}

/// A pipe is no file that could have shrunk or be opened again.
#[test]
fn a_pipe_with_a_name_can_be_followed() {
    let (_folder, path) = folder();
    let pipe = path("pipe");
    fifo(&pipe);
    let mut child = proctracer()
        .args(["-F", "line", "--follow-file", "-r", text(&pipe)])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let line = message("open") + "\n";
    let mut stdout = child.stdout.take().expect("a pipe");
    let mut next = || {
        let mut line = Vec::new();
        let mut byte = [0];
        while line.last() != Some(&b'\n') {
            stdout.read_exact(&mut byte).expect("a line");
            line.push(byte[0]);
        }
        String::from_utf8(line).expect("UTF-8")
    };
    // Two writers, one after the other.
    for _ in 0..2 {
        let mut writer = File::options().write(true).open(&pipe).expect("a reader");
        for _ in 0..3 {
            writer.write_all(line.as_bytes()).expect("it reads");
            assert!(next().contains(" open "));
        }
    }
    child.kill().expect("it is ended");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(String::from_utf8(output.stderr).expect("UTF-8"), "");
}
