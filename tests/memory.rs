//! Memory stays bounded, whatever a recording holds: small files that unpack to much, and texts that are remembered.

#![cfg(target_os = "linux")]

mod common;

use std::fs::File;
use std::io::Write as _;
use std::process::Stdio;
use std::time::Duration;

use common::proctracer;

/// The limit, in MiB. Remembering all long texts of a recording would take more.
const LIMIT: u64 = 56;

/// The number of messages in each recording.
const MESSAGES: usize = 60;

/// The length of the long text in each message, in bytes.
const LONG: usize = 1 << 20;

/// The process and the event of a message, by its number.
type Message<'m> = &'m dyn Fn(usize) -> (String, String);

/// The peak memory of a run, in MiB.
fn peak(args: &[&str]) -> u64 {
    let mut child = proctracer()
        .args(args)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    // Once it has ended the file has no such row.
    while let Some(kib) = std::fs::read_to_string(&status).ok().and_then(|status| {
        let row = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))?;
        row.trim().strip_suffix(" kB")?.parse::<u64>().ok()
    }) {
        peak = kib >> 10;
        std::thread::sleep(Duration::from_millis(2));
    }
    let status = child.wait().expect("it can be waited for");
    // 1 stands for damage in what was read.
    assert!(matches!(status.code(), Some(0 | 1)), "{args:?}: {status}");
    assert!(peak > 0);
    peak
}

#[test]
fn long_texts_are_not_remembered() {
    let folder = tempfile::tempdir().expect("a folder");
    let long = "x".repeat(LONG);
    let process = |at: usize, path: &str, more: &str| {
        format!(
            r#"{{"audit_token":{{"pid":{at},"pidversion":{at}}},"executable":{{"path":"{path}"}}{more}}}"#
        )
    };
    let small = |at: usize| process(at, "/bin/x", "");
    let exit = r#"{"exit":{"stat":0}}"#;
    let names = |at| (small(at), format!(r#"{{"e{at}{long}":{{}}}}"#));
    let identifiers = |at| {
        let process = process(at, "/bin/x", &format!(r#","signing_id":"{at}{long}""#));
        (process, exit.to_owned())
    };
    let images = |at| (process(at, &format!("/{at}{long}"), ""), exit.to_owned());
    let files = |at| {
        let event = format!(r#"{{"unlink":{{"target":{{"path":"/{at}{long}"}}}}}}"#);
        (small(1), event)
    };
    let commands = |at| {
        let target = small(at);
        let event = format!(r#"{{"exec":{{"target":{target},"args":["x","{at}{long}"]}}}}"#);
        (target, event)
    };
    let recordings: [(&str, Message<'_>, &[&[&str]]); 5] = [
        ("names", &names, &[&[], &["-c"]]),
        ("identifiers", &identifiers, &[&[]]),
        (
            "images",
            &images,
            &[&["-c"], &["--tree"], &["-F", "chrome"]],
        ),
        ("files", &files, &[&["-c"]]),
        ("commands", &commands, &[&["--tree"], &["-F", "perfetto"]]),
    ];
    for (name, message, formats) in recordings {
        let path = folder.path().join(name);
        let file = File::create(&path).expect("the file can be created");
        let mut file = zstd::Encoder::new(file, 1)
            .expect("an encoder")
            .auto_finish();
        for at in 1..=MESSAGES {
            let (process, event) = message(at);
            let time = format!("2026-01-01T00:00:{at:02}.0Z");
            writeln!(
                file,
                r#"{{"time":"{time}","seq_num":{at},"process":{process},"event":{event}}}"#
            )
            .expect("it can be written");
        }
        drop(file);
        assert!(path.metadata().expect("it is there").len() < 100_000);
        let path = path.to_str().expect("UTF-8");
        for format in formats {
            let peak = peak(&[&["-r", path], *format].concat());
            assert!(peak < LIMIT, "{name} {format:?}: {peak} MiB");
        }
    }
}

#[test]
fn a_large_object_is_held_a_few_times_at_most() {
    // Nearly the largest object that is read as a whole.
    const SIZE: usize = 7_500_000;
    let folder = tempfile::tempdir().expect("a folder");
    let process = |members: &str| {
        format!(r#"{{{members}"audit_token":{{"pid":7}},"executable":{{"path":"/bin/x"}}}}"#)
    };
    let message = |process: &str, event: &str, members: &str| {
        format!(r#"{{"process":{process},"event":{{"{event}":{{{members}}}}}}}"#)
    };
    let exit = |members: &str| message(&process(""), "exit", &format!(r#"{members}"stat":0"#));
    let exec = |member: &str, elements: &str| {
        let target = process("");
        let members = format!(r#""target":{target},"{member}":[{elements}]"#);
        message(&target, "exec", &members)
    };
    let repeated = |text: &str| {
        let all = format!("{text},").repeat(SIZE / (text.len() + 1));
        all.trim_end_matches(',').to_owned()
    };
    let in_long = |member: &str| {
        let name = "x".repeat(SIZE / 2);
        let members = format!("{member},").repeat(SIZE / 2 / (member.len() + 1));
        let own = format!(r#""{name}":{{{members}"audit_token":{{"pid":1}}}},"#);
        message(&process(&own), "exit", r#""stat":0"#)
    };
    let wrong = format!("{},", repeated(r#""ppid":"x""#));
    let near = format!(
        r#""{}":{{{},"path":"/x"}},"#,
        // Each is printed as four bytes, before the name of each member.
        "\x7f".repeat(100),
        repeated(r#""":1"#)
    );
    let all: &[&str] = &["text", "line", "json", "perfetto", "chrome"];
    let recordings = [
        // Each byte is printed as four.
        (
            "escaped",
            exec("args", &format!("\"{}\"", "\x7f".repeat(SIZE))),
            all,
        ),
        ("arguments", exec("args", &repeated("\"\"")), &["perfetto"]),
        (
            "members",
            exit(&format!("{},", repeated(r#""":1"#))),
            &["text", "chrome"],
        ),
        (
            "repeated members",
            exit(&format!("{},", repeated(r#""stat":0"#))),
            &["text"],
        ),
        (
            "numbers",
            exit(&format!(r#""new":[{}],"#, repeated("1"))),
            &["chrome"],
        ),
        (
            "elements",
            exec("fds", &repeated(r#"{"fd":1}"#)),
            &["text", "perfetto"],
        ),
        (
            "wrong elements",
            exec("fds", &repeated(r#"{"fd":"x"}"#)),
            &["line"],
        ),
        (
            "wrong members",
            message(&process(&wrong), "exit", r#""stat":0"#),
            &["text"],
        ),
        ("members in a long name", in_long(r#""a":1"#), &["text"]),
        ("members in a name", exit(&near), all),
    ];
    for (name, message, formats) in recordings {
        assert!((7_000_000..8_000_000).contains(&message.len()), "{name}");
        let path = folder.path().join(name);
        std::fs::write(&path, format!("{message}\n{message}\n")).expect("it can be written");
        let path = path.to_str().expect("UTF-8");
        for format in formats {
            let peak = peak(&["-r", path, "-F", format]);
            assert!(peak < 150, "{name} {format}: {peak} MiB");
        }
        std::fs::remove_file(path).expect("it can be removed");
    }
}
