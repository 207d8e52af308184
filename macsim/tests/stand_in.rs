//! The stand-in for eslogger.

mod common;

use std::ffi::OsString;
use std::io::Read as _;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::{Output, Run, file, read, wait};

const EVENTS: &str = "tests/data/events.jsonl";

fn eslogger(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_macsim"));
    command
        .arg("eslogger")
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
        .env("MACSIM_ESLOGGER_FILE", file(EVENTS))
        .env("MACSIM_MACOS", "27.0");
    command
}

fn ended(mut command: Command) -> Output {
    wait(command.spawn().expect("macsim starts"))
}

/// The project's lines of an event.
fn lines(event: &str) -> String {
    let text = read(EVENTS);
    let is = |line: &&str| line.contains(&format!(r#""event":{{"{event}":"#));
    text.split_inclusive('\n').filter(is).collect()
}

#[test]
fn the_events_of_the_system_are_listed() {
    let mut command = eslogger(&["--list-events"]);
    command.env("MACSIM_MACOS", "13.0");
    let run = ended(command);
    assert_eq!((run.err.as_str(), run.status), ("", 0));
    let names: Vec<_> = run.out.lines().collect();
    assert!(
        names.contains(&"btm_launch_item_remove")
            && !names.contains(&"sudo")
            && !names.contains(&"reserved_0")
    );
    let all = ended(eslogger(&["--list-events"])).out.lines().count();
    let events = include_str!("../../tests/data/events.tsv");
    assert_eq!(all, events.lines().skip(1).count());
}

#[test]
fn the_lines_of_the_named_events_are_printed() {
    let mut command = eslogger(&["exec", "--format", "json", "exit"]);
    command.env("MACSIM_ESLOGGER_END", "0");
    let run = ended(command);
    assert_eq!((run.err.as_str(), run.status), ("", 0));
    let count = lines("exec").lines().count() + lines("exit").lines().count();
    assert_eq!(run.out.lines().count(), count);
    let mut command = eslogger(&["exit"]);
    command
        .env("MACSIM_ESLOGGER_END", "3")
        .env("MACSIM_ESLOGGER_REPEAT", "2");
    let run = ended(command);
    assert_eq!((run.out, run.status), (lines("exit").repeat(2), 3));
}

#[test]
fn it_refuses_as_the_real_one() {
    for (name, word) in [
        ("permitted", "NOT_PERMITTED"),
        ("privileged", "NOT_PRIVILEGED"),
        ("entitled", "NOT_ENTITLED"),
    ] {
        let mut command = eslogger(&["exec"]);
        command.env("MACSIM_ESLOGGER_REFUSE", name);
        let run = ended(command);
        assert_eq!((run.out.as_str(), run.status), ("", 1));
        assert!(
            run.err
                .contains(&format!("ES_NEW_CLIENT_RESULT_ERR_{word}")),
            "{run:#?}"
        );
    }
    let mut command = eslogger(&["exec"]);
    command.env("MACSIM_EUID", "501");
    assert!(ended(command).err.contains("NOT_PRIVILEGED"));
    let mut command = eslogger(&["sudo"]);
    command.env("MACSIM_MACOS", "13.0");
    let run = ended(command);
    assert!(run.err.contains("sudo") && run.status == 1, "{run:#?}");
}

#[test]
fn it_writes_in_blocks_and_lives_on() {
    let mut child = eslogger(&["exec"]).spawn().expect("macsim starts");
    std::thread::sleep(Duration::from_millis(300));
    assert!(child.try_wait().expect("a child").is_none(), "it ended");
    child.kill().expect("killed");
    let run = wait(child);
    let whole = lines("exec").len();
    assert!(
        (8192..65536).contains(&whole),
        "more than a block, less than a pipe holds"
    );
    assert_eq!(run.out.len(), whole / 8192 * 8192);
    assert_eq!(run.status, 128 + 9);
}

#[test]
fn it_dies_in_the_middle_of_a_line() {
    let mut command = eslogger(&["exit"]);
    command.env("MACSIM_ESLOGGER_CUT", "2");
    let run = ended(command);
    let text = lines("exit");
    let (first, second) = (
        text.lines().next().expect("a line"),
        text.lines().nth(1).expect("a line"),
    );
    assert_eq!(run.out, format!("{first}\n{}", &second[..second.len() / 2]));
    assert_eq!(run.status, 128 + 9);
}

#[test]
fn it_leaves_its_own_group_out() {
    let mut command = eslogger(&["exit"]);
    command.env("MACSIM_ESLOGGER_END", "0").process_group(0);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("events.jsonl");
    let line = |group: u32| {
        format!("{{\"process\":{{\"group_id\":{group}}},\"event\":{{\"exit\":{{\"stat\":0}}}}}}\n")
    };
    // Its group is its pid, which is known only when it runs, so the file has all numbers near it.
    std::fs::write(&path, (1..40_000).map(line).collect::<String>()).expect("written");
    command
        .env("MACSIM_ESLOGGER_FILE", &path)
        .env("MACSIM_REAL_GROUPS", "1");
    let child = command.spawn().expect("macsim starts");
    let pid = child.id();
    let run = wait(child);
    if pid < 40_000 {
        assert_eq!(run.out.lines().count(), 39_998);
        assert!(!run.out.contains(&line(pid)));
    }
}

/// A pseudo-terminal in raw mode: the end for reading, and the end that programs write to.
fn raw_terminal() -> (std::fs::File, OwnedFd) {
    let (mut main, mut other) = (0, 0);
    // SAFETY: variables of our own.
    unsafe {
        let null = std::ptr::null_mut();
        assert_eq!(
            libc::openpty(
                &raw mut main,
                &raw mut other,
                null,
                std::ptr::null(),
                std::ptr::null()
            ),
            0
        );
        let mut termios = std::mem::zeroed();
        libc::tcgetattr(other, &raw mut termios);
        libc::cfmakeraw(&raw mut termios);
        libc::tcsetattr(other, libc::TCSANOW, &raw const termios);
        (
            std::fs::File::from_raw_fd(main),
            OwnedFd::from_raw_fd(other),
        )
    }
}

#[test]
fn on_a_terminal_it_writes_line_by_line() {
    let (mut main, other) = raw_terminal();
    let mut command = eslogger(&["settime"]);
    command.env("MACSIM_ESLOGGER_ECHO", "1").stdout(other);
    let mut child = command.spawn().expect("macsim starts");
    drop(command);
    let expected = format!("^D\x08\x08{}", lines("settime"));
    let mut found = vec![0; expected.len()];
    main.read_exact(&mut found).expect("lines");
    assert_eq!(String::from_utf8_lossy(&found), expected);
    child.kill().expect("killed");
    child.wait().expect("its end");
}

/// A line of a file, with its numbers.
fn numbered(event: &str, seq_num: u64, global_seq_num: u64) -> String {
    format!(
        "{{\"seq_num\":{seq_num},\"event\":{{\"{event}\":{{}}}},\"global_seq_num\":{global_seq_num}}}\n"
    )
}

/// Its output for these lines until it ends, on a terminal or not.
fn printed(lines: &str, args: &[&str], on_terminal: bool, set: &[(&str, &str)]) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("lines.jsonl");
    std::fs::write(&path, lines).expect("written");
    let mut command = eslogger(args);
    command.env("MACSIM_ESLOGGER_FILE", &path);
    command.env("MACSIM_ESLOGGER_END", "0");
    command.envs(set.iter().copied());
    if !on_terminal {
        return ended(command).out;
    }
    let (mut main, other) = raw_terminal();
    let mut child = command.stdout(other).spawn().expect("macsim starts");
    drop(command);
    let mut out = Vec::new();
    let mut buffer = [0; 4096];
    // Its end closes the terminal, which is an error for the reader.
    while let Ok(count) = main.read(&mut buffer) {
        out.extend_from_slice(&buffer[..count]);
    }
    child.wait().expect("its end");
    String::from_utf8(out).expect("UTF-8")
}

#[test]
fn what_it_writes_to_a_terminal_takes_numbers() {
    let lines = [
        numbered("open", 0, 0),
        numbered("write", 0, 1),
        numbered("write", 1, 2),
    ];
    let shifted = [
        numbered("open", 0, 0),
        numbered("write", 1, 2),
        numbered("write", 3, 4),
    ];
    let lines = lines.concat();
    let with =
        |args: &[&str], on_terminal, set: &[(&str, &str)]| printed(&lines, args, on_terminal, set);
    assert_eq!(with(&["open", "write"], true, &[]), shifted.concat());
    assert_eq!(with(&["open", "write"], false, &[]), lines);
    let off = [("MACSIM_ESLOGGER_OWN_WRITES", "0")];
    assert_eq!(with(&["open", "write"], true, &off), lines);
    // Without `write` it isn't subscribed to its own writes.
    assert_eq!(with(&["open"], true, &[]), numbered("open", 0, 0));
    // A file that is printed again is another stream.
    let again = [("MACSIM_ESLOGGER_REPEAT", "2")];
    assert_eq!(
        with(&["open", "write"], true, &again),
        shifted.concat().repeat(2)
    );
}

#[test]
fn what_happens_before_it_is_ready_is_lost_without_a_sign() {
    let lines: String = (0..10).map(|n| numbered("open", n, n)).collect();
    let late = [
        ("MACSIM_ESLOGGER_RATE", "100"),
        ("MACSIM_ESLOGGER_READY_MS", "45"),
    ];
    // The fifth is the first one that is printed.
    let expected: String = (0..6).map(|n| numbered("open", n, n)).collect();
    assert_eq!(printed(&lines, &["open"], false, &late), expected);
}

#[test]
fn it_can_be_silent_or_die_before_it_is_ready() {
    let silent = [("MACSIM_ESLOGGER_SILENT", "1")];
    let lines = numbered("open", 0, 0);
    assert_eq!(printed(&lines, &["open"], false, &silent), "");
    let mut command = eslogger(&["exit"]);
    command.env("MACSIM_ESLOGGER_DIE", "7");
    let run = ended(command);
    assert_eq!(
        (run.out.as_str(), run.err.as_str(), run.status),
        ("", "", 7)
    );
}

#[test]
fn in_the_background_only_sigterm_ends_it() {
    let mut child = eslogger(&["exit"])
        .process_group(0)
        .spawn()
        .expect("starts");
    let pid = child.id().cast_signed();
    // It ignores SIGINT as soon as its own code runs.
    let status = format!("/proc/{pid}/status");
    let ignores = |status: &str| {
        let mask = status
            .lines()
            .find_map(|line| line.strip_prefix("SigIgn:\t"));
        u64::from_str_radix(mask.expect("a mask"), 16).expect("a number")
            & (1 << (libc::SIGINT - 1))
    };
    let began = Instant::now();
    while ignores(&std::fs::read_to_string(&status).expect("it runs")) == 0 {
        assert!(began.elapsed() < Duration::from_secs(60), "not ignored");
        std::thread::sleep(Duration::from_millis(5));
    }
    // SAFETY: a child that isn't waited for yet.
    unsafe {
        libc::kill(pid, libc::SIGINT);
        assert!(child.try_wait().expect("a child").is_none());
        libc::kill(pid, libc::SIGTERM);
    }
    assert_eq!(wait(child).status, 128 + libc::SIGTERM);
}

/// A macOS program runs a shell, which runs eslogger with its standard output on a terminal and then this script. The
/// script continues when the folder has a file `go`. Returns what eslogger prints until `is_enough` accepts it.
fn live(
    events: &str,
    set: &[(&str, &str)],
    start: &str,
    script: &str,
    is_enough: impl Fn(&str, &Path) -> bool,
) -> String {
    let (mut main, other) = raw_terminal();
    let folder = tempfile::tempdir().expect("a folder");
    let eslogger = folder.path().join("eslogger");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_macsim"), &eslogger).expect("a link");
    let terminal = std::fs::read_link(format!("/proc/self/fd/{}", other.as_raw_fd()));
    let script = format!(
        "cd {}; {start} ./eslogger {events} >{} & {script}; kill $!; wait",
        folder.path().display(),
        terminal.expect("a name").display(),
    );
    let run = Run::check(&["command", "/bin/sh", "-c", &script]).macos("27.0");
    let run = set
        .iter()
        .fold(run, |run, (name, value)| run.env(name, value));
    let (mut command, _folder) = run.command();
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().expect("macsim starts");
    let waiter = std::thread::spawn(move || wait(child));
    let mut out = String::new();
    let mut buffer = vec![0; 65536];
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is_enough(&out, folder.path()) && Instant::now() < deadline {
        let mut ready = libc::pollfd {
            fd: main.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        // SAFETY: one descriptor.
        if unsafe { libc::poll(&raw mut ready, 1, 50) } == 1 {
            let count = main.read(&mut buffer).expect("lines");
            out += std::str::from_utf8(&buffer[..count]).expect("UTF-8");
        }
    }
    std::fs::write(folder.path().join("done"), "").expect("written");
    let run = waiter.join().expect("no panic");
    drop(other);
    assert_eq!(
        (run.out.as_str(), run.err.as_str(), run.status),
        ("Ok(Some(0))\n", "", 0)
    );
    out
}

/// Runs a probe again and again until the test has seen one, then a command, and waits for the test.
const PROBE: &str = "while [ ! -e go ]; do /bin/true probe; sleep 0.02; done; \
                     /bin/true wanted; while [ ! -e done ]; do sleep 0.02; done";

/// Lets the script continue when a probe has been seen; returns true when the command has come.
fn probed(out: &str, folder: &Path) -> bool {
    if out.contains("\"probe\"") {
        std::fs::write(folder.join("go"), "").expect("written");
    }
    out.contains("\"wanted\"") && out.ends_with('\n')
}

/// The `global_seq_num` of each line.
fn numbers(out: &str) -> Vec<u64> {
    let number = |line: &str| -> u64 {
        let value: serde_json::Value = serde_json::from_str(line).expect("JSON");
        value["global_seq_num"].as_u64().expect("a number")
    };
    out.lines().map(number).collect()
}

#[test]
fn what_real_processes_do_is_printed() {
    let out = live("exec exit", &[], "setsid", PROBE, probed);
    let numbers = numbers(&out);
    let expected: Vec<u64> = (0..numbers.len() as u64).collect();
    assert_eq!(numbers, expected, "{out}");
    // On a terminal, its own writes are numbered, too.
    let out = live("exec exit write", &[], "setsid", PROBE, probed);
    let numbers = self::numbers(&out);
    let expected: Vec<u64> = (0..numbers.len() as u64).map(|number| 2 * number).collect();
    assert_eq!(numbers, expected, "{out}");
}

#[test]
fn what_happens_before_it_is_ready_does_not_come_later() {
    let late = [("MACSIM_ESLOGGER_READY_MS", "400")];
    let script = format!("/bin/true early; {PROBE}");
    let out = live("exec", &late, "setsid", &script, probed);
    assert_eq!(numbers(&out)[0], 0, "{out}");
    assert!(!out.contains("\"early\""), "{out}");
}

#[test]
fn of_its_own_group_nothing_is_printed_but_numbered() {
    // The shell is in the same group as eslogger. Only processes started by `setsid` aren't.
    let script = "while [ ! -e go ]; do /bin/true own; setsid /bin/true probe; sleep 0.02; done; \
                  setsid /bin/true wanted; while [ ! -e done ]; do sleep 0.02; done";
    let out = live("exec", &[], "", script, probed);
    assert!(!out.contains("\"own\""), "{out}");
    let numbers = numbers(&out);
    assert!(
        numbers.windows(2).any(|pair| pair[1] > pair[0] + 1),
        "{numbers:?}"
    );
}

#[test]
fn a_silent_one_prints_nothing_of_real_processes() {
    let silent = [("MACSIM_ESLOGGER_SILENT", "1")];
    let script = "for n in 1 2 3; do /bin/true probe; done; touch go; \
                  while [ ! -e done ]; do sleep 0.02; done";
    let is_over = |_: &str, folder: &Path| folder.join("go").exists();
    assert_eq!(live("exec", &silent, "setsid", script, is_over), "");
}

#[test]
fn a_program_finds_it_under_the_root() {
    let run = Run::check(&["command", "/usr/bin/eslogger", "exit"])
        .eslogger(EVENTS)
        .env("MACSIM_ESLOGGER_END", "0")
        .run();
    assert_eq!(run.out, lines("exit") + "Ok(Some(0))\n");
    let run = Run::check(&["command", "/usr/bin/eslogger", "--list-events"])
        .eslogger("")
        .macos("13.0")
        .run();
    assert!(
        run.out.contains("authentication\n") && !run.out.contains("sudo\n"),
        "{run:#?}"
    );
    let run = Run::check(&["command", "/usr/bin/eslogger"]).run();
    assert_eq!(run.out, "Err(NotFound)\n");
}

#[test]
fn universal_binaries_are_joined_and_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("checks");
    let args: [OsString; 3] = [
        "universal".into(),
        out.clone().into(),
        common::built("checks").into(),
    ];
    let status = Command::new(env!("CARGO_BIN_EXE_macsim"))
        .args(args)
        .status()
        .expect("macsim starts");
    assert!(status.success());
    let run = Run::of(out, &["time"]).env("TZ", "XYZ-3").run();
    assert_eq!((run.err.as_str(), run.status), ("", 0));
}
