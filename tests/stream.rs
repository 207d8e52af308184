//! Pipes, compressed recordings, readers that go away, disks that are full, signals.

mod common;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use common::{assert_same, is_simulated, message, proctracer, read, run, run_with_input};

/// Far longer than anything here takes; it only ends a test that hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// The program with pipes to and from it, and the lines that it prints.
fn piped(args: &[&str]) -> (Child, ChildStdin, Receiver<String>) {
    let mut command = proctracer();
    command
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    let stdin = child.stdin.take().expect("a pipe");
    let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        stdout
            .lines()
            .map_while(Result::ok)
            .try_for_each(|line| sender.send(line))
    });
    (child, stdin, lines)
}

#[test]
fn a_stream_that_another_program_made_non_blocking_is_waited_for() {
    if is_simulated() {
        return;
    }
    let recording = read("samples/developers-hour.jsonl");
    let (from, mut to_it) = std::io::pipe().expect("a pipe");
    let (mut from_it, to) = std::io::pipe().expect("a pipe");
    for pipe in [from.as_fd(), to.as_fd()] {
        rustix::io::ioctl_fionbio(pipe, true).expect("it can be set");
    }
    let mut command = proctracer();
    command
        .args(["-r", "-", "-F", "json"])
        .stdin(from)
        .stdout(to)
        .stderr(Stdio::piped());
    let child = command.spawn().expect("the program starts");
    drop(command);
    // There is nothing to read at first, and then no room to write.
    std::thread::sleep(Duration::from_millis(100));
    let text = recording.clone();
    let writer = std::thread::spawn(move || to_it.write_all(text.as_bytes()));
    std::thread::sleep(Duration::from_millis(100));
    let mut out = String::new();
    from_it.read_to_string(&mut out).expect("UTF-8");
    writer.join().expect("no panic").expect("it is read");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
    assert_same(&out, &recording);
}

#[test]
fn an_event_comes_as_soon_as_its_line_is_there() {
    let (mut child, mut stdin, lines) = piped(&["-F", "line", "-r", "-"]);
    for event in ["open", "close", "exec", "exit"] {
        let message = message(event);
        let (start, end) = message.as_bytes().split_at(message.len() / 2);
        stdin.write_all(start).expect("the program reads");
        stdin.write_all(end).expect("the program reads");
        stdin.write_all(b"\n").expect("the program reads");
        let line = lines.recv_timeout(PATIENCE).expect("the line");
        assert_eq!(line.split(' ').nth(3), Some(event));
    }
    // Pretty-printed: as soon as the last brace is there.
    let value: serde_json::Value = serde_json::from_str(&message("fork")).expect("JSON");
    writeln!(
        stdin,
        "{}",
        serde_json::to_string_pretty(&value).expect("JSON")
    )
    .expect("the program reads");
    assert!(
        lines
            .recv_timeout(PATIENCE)
            .expect("the line")
            .contains(" fork child=")
    );
    drop(stdin);
    assert!(child.wait().expect("the program ends").success());
}

#[test]
fn compressed_recordings_are_read() {
    let hour = read("samples/developers-hour.jsonl").into_bytes();
    let plain = run(&["-r", "samples/developers-hour.jsonl"]);
    let gzip = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(bytes).expect("memory");
        encoder.finish().expect("memory")
    };
    let zstd = |bytes: &[u8]| zstd::encode_all(bytes, 3).expect("memory");
    let (first, second) = hour.split_at(hour.len() / 3);
    for (way, bytes) in [
        ("gzip", gzip(&hour)),
        ("zstd", zstd(&hour)),
        ("gzip, two members", [gzip(first), gzip(second)].concat()),
        ("zstd, two frames", [zstd(first), zstd(second)].concat()),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("recording");
        std::fs::write(&path, &bytes).expect("the file can be written");
        let from_file = run(&["-r", path.to_str().expect("UTF-8")]);
        assert_eq!((from_file.err.as_str(), from_file.status), ("", 0), "{way}");
        assert_same(&from_file.out, &plain.out);
        assert_same(&run_with_input(&["-r", "-"], &bytes).out, &plain.out);
        // When the input is cut, everything before the cut is printed, and the cut is reported.
        let cut = run_with_input(&["-r", "-"], &bytes[..bytes.len() * 2 / 3]);
        assert!(
            plain.out.starts_with(&cut.out) && cut.out.len() > plain.out.len() / 4,
            "{way}: {}",
            cut.out.len()
        );
        assert_eq!(cut.status, 1, "{way}");
        let last = cut.err.lines().last().unwrap_or_default();
        assert!(
            last.starts_with("proctracer: standard input: "),
            "{way}: {}",
            cut.err
        );
        assert!(
            last.contains("incomplete") || last.contains("deflate"),
            "{way}: {last}"
        );
    }
}

#[test]
fn a_reader_that_goes_away_ends_the_program_quietly() {
    let hour = common::file("samples/developers-hour.jsonl");
    let inputs: Vec<_> = (0..200)
        .flat_map(|_| ["-r".as_ref(), hour.as_os_str()])
        .collect();
    for format in ["text", "line", "json"] {
        let mut command = proctracer();
        command
            .args(["-F", format])
            .args(&inputs)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let mut some = [0; 1000];
        child
            .stdout
            .take()
            .expect("a pipe")
            .read_exact(&mut some)
            .expect("some output");
        let output = child.wait_with_output().expect("the program ends");
        assert_eq!(
            (output.status.code(), output.stderr.as_slice()),
            (Some(0), &b""[..]),
            "{format}"
        );
    }
}

#[test]
fn closed_pipes_of_other_output_are_quiet_too() {
    for args in [&["--list-events"][..], &["--explain", "exec"], &[]] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let output = proctracer()
            .args(args)
            .stdout(writer)
            .stderr(Stdio::piped())
            .output()
            .expect("the program starts");
        assert_eq!(
            (output.status.code(), output.stderr.as_slice()),
            (Some(0), &b""[..]),
            "{args:?}"
        );
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_reported() {
    for args in [
        &["-r", "samples/developers-hour.jsonl"][..],
        &["--list-events"],
    ] {
        let full = std::fs::File::options()
            .write(true)
            .open("/dev/full")
            .expect("the device");
        let output = proctracer()
            .args(args)
            .stdout(full)
            .output()
            .expect("the program starts");
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(
            said, "proctracer: standard output: No space left on device\n",
            "{args:?}"
        );
    }
    let to_file = run(&["-r", "samples/developers-hour.jsonl", "-o", "/dev/full"]);
    assert_eq!(
        (to_file.err.as_str(), to_file.status),
        ("proctracer: /dev/full: No space left on device\n", 1)
    );
}

#[cfg(unix)]
#[test]
fn a_signal_ends_the_program_in_good_order() {
    for signal in ["INT", "TERM"] {
        let (mut child, mut stdin, lines) = piped(&["-F", "line", "-r", "-"]);
        writeln!(stdin, "{}", message("open")).expect("the program reads");
        assert!(
            lines
                .recv_timeout(PATIENCE)
                .expect("the line")
                .contains(" open fflag=")
        );
        let kill = Command::new("kill")
            .args(["-s", signal, &child.id().to_string()])
            .status();
        assert!(kill.expect("kill runs").success());
        assert_eq!(
            child.wait().expect("the program ends").code(),
            Some(0),
            "{signal}"
        );
        drop(stdin);
    }
}
