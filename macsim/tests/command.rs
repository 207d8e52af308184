//! `proctracer COMMAND`: a command and everything it starts, with each source.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod common;
#[path = "common/strace.rs"]
mod strace;

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::{FromRawFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use common::{Output, Run, by_shell, read, wait};
use tempfile::TempDir;

/// The macOS versions that proctracer traces natively on, and eslogger.
const SOURCES: [&str; 5] = ["13.0", "15.4", "26.0", "27.0", "eslogger"];

/// Far longer than anything here takes; it only ends a test that hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// A trace of a command; options and command are as typed.
fn trace(source: &str, args: &[&str]) -> Run {
    if source == "eslogger" {
        return Run::new(&[&["--source", "eslogger"], args].concat()).eslogger("");
    }
    Run::new(&[&["--source", "native"], args].concat())
        .option(format!("--macos={source}"))
        .option("--end=none")
}

/// A trace into a file, which is returned, too.
fn recorded(
    source: &str,
    options: &[&str],
    command: &[&str],
    with: impl FnOnce(Run) -> Run,
) -> (String, Output) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("trace");
    let out = ["-o", path.to_str().expect("UTF-8")];
    let output = with(trace(source, &[options, &out, &["--"], command].concat())).run();
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    (text, output)
}

/// Messages of unrelated processes: no process on Linux has their pids.
fn noise() -> &'static Path {
    static NOISE: OnceLock<std::path::PathBuf> = OnceLock::new();
    NOISE.get_or_init(|| {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("noise.jsonl");
        let mut text = String::new();
        for line in read("samples/developers-hour.jsonl").lines() {
            let mut rest = line;
            while let Some(at) = rest.find("pid\":") {
                let (head, tail) = rest.split_at(at + 5);
                let digits = tail.bytes().take_while(u8::is_ascii_digit).count();
                text += head;
                match tail[..digits].parse::<u64>() {
                    Ok(pid) if pid > 1 => text += &(pid + 5_000_000).to_string(),
                    _ => text += &tail[..digits],
                }
                rest = &tail[digits..];
            }
            text += rest;
            text.push('\n');
        }
        std::fs::write(&path, text).expect("the file can be written");
        path
    })
}

/// Sends two hundred and fifty of them before every message of a real process.
fn with_noise(run: Run) -> Run {
    run.option("--noise")
        .option(noise())
        .option("--noise-each=250")
}

/// A pipeline, jobs in the background, subshells, a chain of execs, statuses and signals.
const SCRIPT: &str = "
    exec 2>/dev/null
    /bin/echo a | cat | tr a b
    (exit 3)
    (/bin/true; (/bin/false; exit 4))
    sleep 0.1 &
    sh -c 'exec env X=1 sh -c \"exec /bin/echo chain\"' &
    sh -c 'kill -TERM $$'
    sh -c 'kill -KILL $$; exit 1' | cat
    wait
    exit 7";

/// The tree of the script, as strace shows it.
const TREE: &str = "\
[sh/3] exited 7
  [] exited 3
  [] exited 4
    [false/1] exited 1
    [true/1] exited 0
  [cat/1] exited 0
  [cat/1] exited 0
  [echo/2] exited 0
  [sh/3 > env/5 > sh/3 > echo/2] exited 0
  [sh/3] SIGKILL
  [sh/3] SIGTERM
  [sleep/2] exited 0
  [tr/3] exited 0
";

#[test]
fn a_tree_is_what_strace_says_it_is() {
    let command = ["sh", "-c", SCRIPT];
    if let Some(tree) = strace::by_strace(&command, Path::new("/")) {
        assert_eq!(
            tree, TREE,
            "what is written down here isn't what strace says"
        );
    }
    for source in SOURCES {
        let options = ["-F", "json", "-e", "fork,exec,exit", "--fail-on-drop"];
        let (text, output) = recorded(source, &options, &command, with_noise);
        assert_eq!((output.err.as_str(), output.status), ("", 7), "{source}");
        assert!(output.out.contains("chain\n"), "{source}");
        assert_eq!(strace::of_json(&text), TREE, "{source}");
        let last = text.lines().last().expect("an event");
        assert!(
            last.contains("\"exit\":{\"stat\":1792}"),
            "{source}: {last}"
        );
        // Processes that launchd starts meanwhile, reused pids and clocks that jump change nothing.
        let faults = |run: Run| {
            let run = with_noise(run).option("--launchd").option("--reuse-pids");
            run.option("--jitter-us=500")
        };
        let (text, output) = recorded(source, &options, &command, faults);
        assert_eq!((output.err.as_str(), output.status), ("", 7), "{source}");
        assert_eq!(strace::of_json(&text), TREE, "{source} with faults");
    }
}

#[test]
fn each_run_of_true_has_one_exec_and_one_exit() {
    for run in 0..200 {
        let source = SOURCES[run % SOURCES.len()];
        let options = ["-F", "json", "-e", "fork,exec,exit"];
        let (text, output) = recorded(source, &options, &["true"], |run| run);
        assert_eq!((output.err.as_str(), output.status), ("", 0), "{source}");
        assert_eq!(strace::of_json(&text), "[true/1] exited 0\n", "{source}");
        assert_eq!(text.lines().count(), 2, "{source}: {text}");
    }
}

/// A program made of two files, with a library and a rule that fails.
const MAKEFILE: &str = "
all: hello
\t./hello
\t-/bin/false

hello: main.o libgreet.a
\t$(CC) -o $@ main.o libgreet.a

libgreet.a: greet.o
\tar rcs $@ greet.o

%.o: %.c
\t$(CC) -c -o $@ $<
";

fn project() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in [
        ("Makefile", MAKEFILE),
        ("greet.c", "int greet(void) { return 0; }\n"),
        (
            "main.c",
            "int greet(void);\nint main(void) { return greet(); }\n",
        ),
    ] {
        std::fs::write(folder.path().join(name), text).expect("the file can be written");
    }
    folder
}

#[test]
fn a_build_is_what_strace_says_it_is() {
    fn make(folder: &TempDir) -> [&str; 4] {
        ["make", "-s", "-C", folder.path().to_str().expect("UTF-8")]
    }
    let there = project();
    let by_strace = strace::by_strace(&make(&there), Path::new("/"));
    for source in ["15.4", "27.0", "eslogger"] {
        let folder = project();
        let options = ["-F", "json", "-e", "fork,exec,exit", "--fail-on-drop"];
        let (text, output) = recorded(source, &options, &make(&folder), |run| run);
        assert_eq!(output.status, 0, "{source}: {output:?}");
        let tree = strace::of_json(&text);
        assert!(tree.starts_with("[make/4] exited 0\n"), "{source}: {tree}");
        for part in ["hello/1", "false/1", "ar/4", "cc1/", "as/", "ld/"] {
            assert!(tree.contains(part), "{source}: {part}: {tree}");
        }
        if let Some(by_strace) = &by_strace {
            assert_eq!(&tree, by_strace, "{source}");
        }
        // The tree that a person reads has a line for each process.
        let folder = project();
        let (text, output) = recorded(source, &["--tree"], &make(&folder), |run| run);
        assert_eq!(output.status, 0, "{source}: {output:?}");
        let named = |name: &str| text.matches(name).count() > 0;
        assert!(
            ["make", "ar", "hello", "false"].into_iter().all(named),
            "{text}"
        );
    }
}

#[test]
fn the_exit_status_is_the_commands() {
    for source in SOURCES {
        for (command, status) in [
            ("exit 0", 0),
            ("exit 42", 42),
            ("kill -TERM $$", 143),
            ("kill -KILL $$", 137),
        ] {
            let options = ["-e", "%process"];
            let (_, output) = recorded(source, &options, &["sh", "-c", command], |run| run);
            assert_eq!(
                (output.err.as_str(), output.status),
                ("", status),
                "{source} {command}"
            );
        }
    }
}

#[test]
fn the_trace_goes_to_standard_error_and_arguments_arrive_as_they_are() {
    for source in SOURCES {
        let command = [
            "-F",
            "line",
            "-e",
            "exec,exit",
            "printf",
            "%s|",
            "",
            "a b",
            "-x",
            "é\n",
        ];
        let output = trace(source, &command).run();
        assert_eq!(
            (output.out.as_str(), output.status),
            ("|a b|-x|é\n|", 0),
            "{source}"
        );
        let lines: Vec<_> = output.err.lines().collect();
        assert_eq!(lines.len(), 2, "{source}: {output:?}");
        assert!(lines[0].contains(r"] exec args="), "{source}: {output:?}");
        assert!(
            lines[1].ends_with(r#"] exit stat="exited 0""#),
            "{source}: {output:?}"
        );
        let together = trace(source, &[&["-o", "-"], &command[..]].concat()).run();
        assert_eq!(together.err, "", "{source}");
        assert!(
            together.out.contains("|a b|-x|é\n|"),
            "{source}: {together:?}"
        );
        assert!(
            together.out.contains(r#"] exit stat="exited 0""#),
            "{source}: {together:?}"
        );
    }
}

#[test]
fn what_can_not_run_says_why() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("script");
    let script = path.to_str().expect("UTF-8");
    let not_found = "proctracer: no-such-command: command not found\n";
    for (command, said, status) in [
        ("no-such-command", not_found, 127),
        (
            "./no-such-command",
            "proctracer: ./no-such-command: No such file or directory\n",
            127,
        ),
        ("/tmp", "proctracer: /tmp: is a directory\n", 126),
        ("-x", "proctracer: -x: command not found\n", 127),
    ] {
        let (_, output) = recorded("15.4", &[], &[command], |run| run);
        assert_eq!(
            (output.err.as_str(), output.status),
            (said, status),
            "{command}"
        );
    }
    // A script without #! is run by the shell, whichever messages a failed spawn causes.
    std::fs::write(&path, "echo \"$0\" \"$@\"; exit 5\n").expect("the file can be written");
    let (_, output) = recorded("15.4", &[], &[script], |run| run);
    let said = format!("proctracer: {script}: Permission denied\n");
    assert_eq!((output.err, output.status), (said, 126));
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&path, mode).expect("it can be changed");
    for failed in ["fork", "exit", "none"] {
        for (source, user) in [("15.4", &[][..]), ("27.0", &[]), ("15.4", &["-u", "test"])] {
            let options = [&["-F", "json", "-e", "fork,exec,exit"], user].concat();
            let with = |run: Run| run.option(format!("--failed-spawn={failed}"));
            let (text, output) = recorded(source, &options, &[script, "a"], with);
            assert_eq!(
                output.out,
                format!("{script} a\n"),
                "{failed} {source} {output:?}"
            );
            assert_eq!((output.err.as_str(), output.status), ("", 5), "{failed}");
            assert_eq!(strace::of_json(&text), "[sh/3] exited 5\n", "{failed}");
        }
    }
}

#[test]
fn strace_habits() {
    for source in ["15.4", "eslogger"] {
        let (text, output) = recorded(
            source,
            &["-f", "-F", "line", "-e", "exit"],
            &["true"],
            |run| run,
        );
        assert_eq!((output.err.as_str(), output.status), ("", 0), "{source}");
        assert_eq!(text.lines().count(), 1);
    }
    let (_, output) = recorded("15.4", &["-p", "123"], &["true"], |run| run);
    assert_eq!(output.status, 2);
    assert!(output.err.contains("--pid 123"), "{output:?}");
}

#[test]
fn under_sudo_it_runs_as_the_user_who_called_it() {
    let script = "echo $HOME $USER $LOGNAME $SHELL ${SUDO_UID-none} $KEPT";
    for (options, sudo, said) in [
        (&[][..], "501", "/Users/test test test /bin/zsh none kept\n"),
        (
            &["-u", "root"],
            "501",
            "/var/root root root /bin/sh none kept\n",
        ),
        (
            &["-u", "501"],
            "0",
            "/Users/test test test /bin/zsh none kept\n",
        ),
    ] {
        for source in SOURCES {
            let as_sudo = |run: Run| {
                let run = run
                    .env("SUDO_UID", sudo)
                    .env("SUDO_USER", "x")
                    .env("KEPT", "kept");
                run.env("HOME", "/h")
                    .env("USER", "root")
                    .env("LOGNAME", "root")
                    .env("SHELL", "/s")
            };
            let options = [options, &["-F", "json", "-e", "fork,exec,exit"]].concat();
            let (text, output) = recorded(source, &options, &["sh", "-c", script], as_sudo);
            assert_eq!((output.err.as_str(), output.status), ("", 0), "{source}");
            assert_eq!(output.out, said, "{source}");
            // Nothing is shown of how it became the user.
            assert_eq!(strace::of_json(&text), "[sh/3] exited 0\n", "{source}");
            let is_root = options.contains(&"root");
            let euid = if is_root {
                "\"euid\":0"
            } else {
                "\"euid\":501"
            };
            assert!(
                text.lines().last().expect("an exit").contains(euid),
                "{source}: {text}"
            );
        }
    }
    let wrong = |options: &[&str], euid: &str| {
        let with = |run: Run| run.option(format!("--euid={euid}"));
        let (_, output) = recorded("27.0", options, &["true"], with);
        (output.err, output.status)
    };
    let refused = ("proctracer: -u needs root: use sudo\n".to_owned(), 2);
    assert_eq!(wrong(&["-u", "test"], "501"), refused);
    let unknown = ("proctracer: -u nobody-here: no such user\n".to_owned(), 2);
    assert_eq!(wrong(&["-u", "nobody-here"], "0"), unknown);
}

/// A command that creates a file when it runs.
fn marks(folder: &TempDir) -> (std::path::PathBuf, String) {
    let mark = folder.path().join("has-run");
    let script = format!("echo > {}", mark.display());
    (mark, script)
}

#[test]
fn without_events_the_command_does_not_run() {
    type With = fn(Run) -> Run;
    let silent = "proctracer: no events come from the source, so the command was not started\n";
    let needs_root = "a live trace needs root";
    let cases: [(&str, With, &str, i32); 8] = [
        (
            "eslogger",
            |run| run.env("MACSIM_ESLOGGER_SILENT", "1"),
            silent,
            1,
        ),
        (
            "eslogger",
            |run| run.env("MACSIM_ESLOGGER_DIE", "3"),
            "eslogger has ended",
            1,
        ),
        (
            "eslogger",
            |run| run.env("MACSIM_ESLOGGER_REFUSE", "permitted"),
            "Full Disk Access",
            4,
        ),
        ("eslogger", |run| run.option("--euid=501"), needs_root, 4),
        ("15.4", |run| run.option("--euid=501"), needs_root, 4),
        (
            "15.4",
            |run| run.option("--new-client=4"),
            "Full Disk Access",
            4,
        ),
        (
            "27.0",
            |run| run.option("--signature=ad-hoc"),
            "not entitled",
            4,
        ),
        ("15.4", |run| run.option("--no-live"), silent, 1),
    ];
    for (source, with, said, status) in cases {
        let folder = tempfile::tempdir().expect("a folder");
        let (mark, script) = marks(&folder);
        let (_, output) = recorded(source, &[], &["sh", "-c", &script], with);
        assert_eq!(output.status, status, "{source}: {output:?}");
        assert!(output.err.contains(said), "{source}: {output:?}");
        assert!(!mark.exists(), "{source}: {output:?}");
    }
    // A file that can't be created.
    for source in SOURCES {
        let folder = tempfile::tempdir().expect("a folder");
        let (mark, script) = marks(&folder);
        let output = trace(source, &["-o", "/no/such/folder", "sh", "-c", &script]).run();
        assert_eq!(output.status, 2, "{source}: {output:?}");
        assert!(!mark.exists(), "{source}");
    }
}

#[test]
fn with_the_entitlement_macos_27_needs_no_root() {
    let with = |run: Run| run.option("--euid=501");
    let (text, output) = recorded("27.0", &["-F", "line", "-e", "%process"], &["true"], with);
    assert_eq!((output.err.as_str(), output.status), ("", 0));
    assert_eq!(text.lines().count(), 2, "{text}");
    let auto = ["--source", "auto", "-e", "exit", "-F", "line", "true"];
    let output = Run::new(&auto[..])
        .option("--macos=27.0")
        .option("--euid=501")
        .run();
    assert_eq!(
        (output.err.lines().count(), output.status),
        (1, 0),
        "{output:?}"
    );
}

#[test]
fn a_source_that_is_late_is_waited_for() {
    let late = |run: Run| run.env("MACSIM_ESLOGGER_READY_MS", "1500");
    let (text, output) = recorded(
        "eslogger",
        &["-F", "json", "-e", "exec,exit,fork"],
        &["true"],
        late,
    );
    assert_eq!((output.err.as_str(), output.status), ("", 0));
    assert_eq!(strace::of_json(&text), "[true/1] exited 0\n");
    for source in SOURCES {
        let late = |run: Run| run.option("--exec-delay-ms=300");
        let options = ["-F", "json", "-e", "fork,exec,exit"];
        let command = ["sh", "-c", "/bin/true; exit 3"];
        let (text, output) = recorded(source, &options, &command, late);
        assert_eq!((output.err.as_str(), output.status), ("", 3), "{source}");
        let tree = "[sh/3] exited 3\n  [true/1] exited 0\n";
        assert_eq!(strace::of_json(&text), tree, "{source}");
    }
}

#[test]
fn what_was_lost_is_made_up_for_where_that_is_possible() {
    let command = ["sh", "-c", "/bin/true; sh -c '/bin/false; exit 2'; exit 3"];
    let exits = ["-F", "line", "-e", "exit"];
    let lost = |drop: &'static str| move |run: Run| run.option(format!("--drop={drop}"));
    for source in ["13.0", "15.4", "27.0"] {
        // Without forks, a process is found by its parent.
        let (text, output) = recorded(source, &exits, &command, lost("fork:1"));
        assert_eq!(text.lines().count(), 4, "{source}: {text}");
        let said = "fork events are missing: 3 processes were recognised by their parents";
        assert!(output.err.contains(said), "{source}: {output:?}");
        assert_eq!(output.status, 3, "{source}");
        // Without its exec, a command is found by its pid.
        let (text, output) = recorded(source, &exits, &command, lost("exec:1"));
        assert_eq!(text.lines().count(), 4, "{source}: {text}");
        assert!(output.err.contains("macOS dropped"), "{source}: {output:?}");
        // Without its exit, it still has ended.
        let (_, output) = recorded(source, &exits, &["true"], lost("exit:2"));
        assert!(
            !output.err.contains("still running"),
            "{source}: {output:?}"
        );
        let fails = ["-F", "line", "-e", "exit", "--fail-on-drop"];
        let (_, output) = recorded(source, &fails, &["true"], lost("exit:2"));
        assert_eq!(output.status, 3, "{source}");
        let (_, output) = recorded(source, &fails, &["false"], lost("exit:2"));
        assert_eq!(output.status, 1, "{source}");
    }
}

#[test]
fn an_eslogger_that_dies_leaves_the_command_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mark, script) = marks(&folder);
    let script = format!("sleep 2; {script}; exit $STATUS");
    for (options, status, expected) in [
        (&[][..], "0", 1),
        (&["--fail-on-drop"], "0", 3),
        (&[], "6", 6),
    ] {
        let dies = |run: Run| {
            let file = noise().to_str().expect("UTF-8");
            let run = run.env("MACSIM_ESLOGGER_FILE", file).env("STATUS", status);
            run.env("MACSIM_ESLOGGER_RATE", "20")
                .env("MACSIM_ESLOGGER_CUT", "20")
        };
        let options = [&["-F", "line"], options].concat();
        let (_, output) = recorded("eslogger", &options, &["sh", "-c", &script], dies);
        assert_eq!(output.status, expected, "{output:?}");
        let said = "proctracer: eslogger has ended: SIGKILL\n\
                    proctracer: the command is no longer traced; waiting for its end\n";
        assert!(output.err.ends_with(said), "{output:?}");
        assert!(mark.exists(), "{output:?}");
        std::fs::remove_file(&mark).expect("it was there");
    }
}

#[test]
fn what_outlives_the_command_is_mentioned_and_left_alone() {
    for source in SOURCES {
        let folder = tempfile::tempdir().expect("a folder");
        let (mark, script) = marks(&folder);
        // Twice forked, in a session of its own.
        let daemon =
            format!("(setsid sh -c 'sleep 1; {script}' >/dev/null 2>&1 &); sleep 0.3; exit 4");
        let (_, output) = recorded(source, &[], &["sh", "-c", &daemon], |run| run);
        let said = "proctracer: 2 processes that the command started are still running\n";
        let err = output.err.lines().last().map(|line| format!("{line}\n"));
        assert_eq!(
            (err.as_deref(), output.status),
            (Some(said), 4),
            "{source}: {output:?}"
        );
        wait_until(|| mark.exists());
    }
}

#[test]
fn a_trace_can_end_before_its_command() {
    for source in SOURCES {
        let script = "echo a; sleep 0.3; echo b; exit 7";
        let (text, output) = recorded(
            source,
            &["-F", "line", "-n", "1"],
            &["sh", "-c", script],
            |run| run,
        );
        assert_eq!(
            (output.err.as_str(), output.out.as_str()),
            ("", "a\nb\n"),
            "{source}"
        );
        assert_eq!((text.lines().count(), output.status), (1, 7), "{source}");
        // Nobody reads the trace: as with 2>&1 | head.
        let script = "for i in 1 2 3 4 5 6 7 8 9; do /bin/true; done; exit 6";
        let (mut command, _folder) = trace(source, &["sh", "-c", script]).command();
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        drop(child.stderr.take());
        let status = child.wait().expect("it ends").code();
        assert_eq!(status, Some(6), "{source}");
    }
}

#[test]
fn streams_that_are_closed_and_signals_that_are_ignored() {
    for source in SOURCES {
        for (start, status) in [
            ("\"$@\" <&- >&-", 5),
            ("\"$@\" <&- >&- 2>&-", 5),
            ("trap '' CHLD; exec \"$@\"", 5),
        ] {
            let run = trace(source, &["-F", "line", "-e", "exit", "sh", "-c", "exit 5"]);
            let (output, _) = run.started_by("sh", start);
            assert_eq!(output.status, status, "{source} {start}: {output:?}");
        }
        // As nohup(1) starts it.
        let script = "kill -HUP $$; kill -HUP $PPID; sleep 0.3; exit 5";
        let run = trace(source, &["-F", "line", "-e", "exit", "sh", "-c", script]);
        let (output, _) = run.started_by("sh", "trap '' HUP; exec \"$@\"");
        assert_eq!(output.status, 5, "{source}: {output:?}");
    }
}

fn kill(child: &Child, signal: i32) {
    // SAFETY: the child isn't waited for yet, so that the number is still its own.
    unsafe { libc::kill(child.id().cast_signed(), signal) };
}

/// Waits until a condition holds.
#[track_caller]
fn wait_until(mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "it takes too long");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Starts a trace whose command creates a file when it is ready for a signal.
fn started(source: &str, script: &str, with: impl FnOnce(Run) -> Run) -> (Child, [TempDir; 2]) {
    let (child, ready, folders) = starting(source, script, with);
    wait_until(|| ready.exists());
    (child, folders)
}

/// Starts a trace. Returns the file that its command may create, and the folders that are needed until its end.
fn starting(
    source: &str,
    script: &str,
    with: impl FnOnce(Run) -> Run,
) -> (Child, std::path::PathBuf, [TempDir; 2]) {
    let files = tempfile::tempdir().expect("a folder");
    let ready = files.path().join("ready");
    let path = ready.to_str().expect("UTF-8");
    let run = with(trace(
        source,
        &["-F", "line", "-e", "exit", "sh", "-c", script],
    ));
    let (mut command, folder) = run.env("READY", path).env("MACSIM_CHECK", "0").command();
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    (child, ready, [files, folder])
}

#[test]
fn sigterm_and_sighup_are_passed_on() {
    let script = "trap 'echo term; exit 5' TERM; trap 'echo hup; exit 6' HUP; : > $READY; while :; do sleep 0.05; done";
    for source in SOURCES {
        for (signal, said, status) in [(libc::SIGTERM, "term\n", 5), (libc::SIGHUP, "hup\n", 6)] {
            let (child, _files) = started(source, script, |run| run);
            kill(&child, signal);
            let output = wait(child);
            assert_eq!(
                (output.out.as_str(), output.status),
                (said, status),
                "{source}: {output:?}"
            );
            let exit = format!("exit stat=\"exited {status}\"");
            assert!(
                output.err.lines().any(|line| line.ends_with(&exit)),
                "{source}: {output:?}"
            );
        }
        // Ctrl-C is for the command, which gets it directly from the terminal.
        let (child, _files) = started(source, ": > $READY; sleep 0.5; exit 8", |run| run);
        kill(&child, libc::SIGINT);
        kill(&child, libc::SIGQUIT);
        assert_eq!(wait(child).status, 8, "{source}");
    }
}

#[test]
fn a_command_that_does_not_end_is_not_waited_for_for_ever() {
    let script =
        "trap '' TERM; : > $READY; i=0; while [ $i -lt 300 ]; do sleep 0.05; i=$((i+1)); done";
    for (source, is_asked_twice) in [
        ("15.4", false),
        ("15.4", true),
        ("27.0", true),
        ("eslogger", true),
    ] {
        let (mut child, _files) = started(source, script, |run| run);
        kill(&child, libc::SIGTERM);
        if is_asked_twice {
            std::thread::sleep(Duration::from_millis(200));
            kill(&child, libc::SIGTERM);
        }
        // Its pipes belong to the command, too: only the end of the program itself is waited for.
        let mut err = child.stderr.take().expect("a pipe");
        assert_eq!(child.wait().expect("it ends").code(), Some(143), "{source}");
        if !is_asked_twice {
            let mut text = vec![0; 1 << 16];
            let count = err.read(&mut text).expect("text");
            let text = String::from_utf8_lossy(&text[..count]);
            assert!(
                text.contains("proctracer: the command is still running\n"),
                "{text}"
            );
        }
    }
}

/// The processes that have this in their environment, except the program itself.
fn holders(mark: &Path) -> Vec<i32> {
    let mark = mark.to_str().expect("UTF-8").as_bytes();
    let processes = std::fs::read_dir("/proc").expect("the folder").flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let holds = |pid: &i32| {
        let read = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let is_zombie = std::fs::read_to_string(format!("/proc/{pid}/stat"))
            .is_ok_and(|stat| stat.contains(") Z "));
        !is_zombie && read.windows(mark.len()).any(|part| part == mark)
    };
    pids.filter(holds).collect()
}

#[test]
fn a_command_that_does_not_run_yet_dies_with_us() {
    for source in ["13.0", "15.4", "27.0", "eslogger"] {
        for hangs in [false, true] {
            for signal in [libc::SIGKILL, libc::SIGTERM] {
                let late = |run: Run| {
                    let run = run.option("--exec-delay-ms=1500");
                    if hangs {
                        run.option("--kill-hangs")
                    } else {
                        run
                    }
                };
                let (child, ready, _files) = starting(source, ": > $READY; exit 5", late);
                // The probe, the shell that guards the command, and the command, each of which is late.
                let is_suspended = |pid: &i32| {
                    let stat = std::fs::read_to_string(format!("/proc/{pid}/status"));
                    let stat = stat.unwrap_or_default();
                    let parent = format!("PPid:\t{}\n", child.id());
                    let args = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
                    stat.contains(&parent) && args.starts_with(b"sh\0-c\0: > $READY")
                };
                wait_until(|| holders(&ready).iter().any(is_suspended));
                // The guard must have learned of it.
                std::thread::sleep(Duration::from_millis(300));
                kill(&child, signal);
                _ = wait(child);
                wait_until(|| holders(&ready).is_empty());
                assert!(!ready.exists(), "{source} {signal}");
            }
        }
    }
}

/// A shell on a terminal, as a user has it.
struct Terminal {
    child: Child,
    screen: File,
    said: String,
    /// The end of the text that was waited for and has come.
    seen: usize,
}

impl Terminal {
    /// Starts a shell with job control that runs `"$@"`, a trace into a file; the file is returned, too.
    fn new(source: &str, args: &[&str], script: &str) -> (Terminal, TempDir, TempDir) {
        let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
        let mut name = [0; 128];
        // SAFETY: a variable of our own, and descriptors that are new.
        let (screen, other) = unsafe {
            let main = libc::posix_openpt(flags);
            assert!(main >= 0);
            assert_eq!((libc::grantpt(main), libc::unlockpt(main)), (0, 0));
            assert_eq!(libc::ptsname_r(main, name.as_mut_ptr(), name.len()), 0);
            let other = libc::open(name.as_ptr(), flags);
            assert!(other >= 0);
            (File::from_raw_fd(main), OwnedFd::from_raw_fd(other))
        };
        let files = tempfile::tempdir().expect("a folder");
        let path = files.path().join("trace");
        let out = [
            "-F",
            "line",
            "-e",
            "%process",
            "-o",
            path.to_str().expect("UTF-8"),
            "--",
        ];
        let (program, folder) = trace(source, &[&out, args].concat()).command();
        let mut command = by_shell("/bin/sh", script, &program);
        command.env("PS1", "prompt ").env_remove("ENV");
        let copy = || other.try_clone().expect("a copy");
        command.stdin(copy()).stdout(copy()).stderr(copy());
        // SAFETY: nothing is done between fork and exec but this.
        unsafe {
            command.pre_exec(|| {
                for signal in [libc::SIGHUP, libc::SIGINT, libc::SIGTERM] {
                    libc::signal(signal, libc::SIG_DFL);
                }
                if libc::setsid() == -1 || libc::ioctl(0, libc::TIOCSCTTY, 0) == -1 {
                    return Err(std::io::Error::last_os_error());
                }
                Ok(())
            });
        }
        let child = command.spawn().expect("a shell");
        let terminal = Terminal {
            child,
            screen,
            said: String::new(),
            seen: 0,
        };
        (terminal, files, folder)
    }

    fn types(&mut self, keys: &str) {
        self.screen.write_all(keys.as_bytes()).expect("typed");
    }

    /// Reads until this text has come.
    #[track_caller]
    fn sees(&mut self, text: &str) {
        let mut buffer = [0; 4096];
        let began = Instant::now();
        let found = loop {
            if let Some(at) = self.said[self.seen..].find(text) {
                break at;
            }
            let mut polled = libc::pollfd {
                fd: std::os::fd::AsRawFd::as_raw_fd(&self.screen),
                events: libc::POLLIN,
                revents: 0,
            };
            // SAFETY: a variable of our own.
            unsafe { libc::poll(&raw mut polled, 1, 1000) };
            let count = if polled.revents == 0 {
                0
            } else {
                self.screen.read(&mut buffer).unwrap_or(0)
            };
            self.said += &String::from_utf8_lossy(&buffer[..count]);
            let is_late = began.elapsed() > PATIENCE;
            assert!(!is_late, "{text:?} has not come: {:?}", self.said);
        };
        self.seen += found + text.len();
    }

    fn end(mut self) -> (String, i32) {
        let mut rest = Vec::new();
        // Reading a terminal that nobody has open any more is an error.
        _ = self.screen.read_to_end(&mut rest);
        self.said += &String::from_utf8_lossy(&rest);
        let status = self.child.wait().expect("it ends").code();
        (self.said, status.unwrap_or(-1))
    }
}

const JOB: &str = "set -m; \"$@\"; echo status $?";

#[test]
fn ctrl_c_is_for_the_command() {
    for source in SOURCES {
        let (mut terminal, files, _folder) = Terminal::new(source, &["cat"], JOB);
        terminal.types("hello\n");
        terminal.sees("hello\r\nhello\r\n");
        terminal.types("\x03");
        terminal.sees("status 130");
        terminal.end();
        let text = std::fs::read_to_string(files.path().join("trace")).expect("the trace");
        assert!(
            text.trim_end().ends_with("exit stat=SIGINT"),
            "{source}: {text}"
        );
        // A process that continues is traced to its end.
        let loops = [
            "sh",
            "-c",
            "trap 'echo caught' INT; echo go; read x; echo got $x; exit 9",
        ];
        let (mut terminal, files, _folder) = Terminal::new(source, &loops, JOB);
        terminal.sees("go\r\n");
        terminal.types("\x03");
        terminal.sees("caught");
        terminal.types("more\n");
        terminal.sees("status ");
        terminal.end();
        let text = std::fs::read_to_string(files.path().join("trace")).expect("the trace");
        assert!(text.trim_end().contains("exit stat="), "{source}: {text}");
    }
}

#[test]
fn ctrl_z_stops_us_and_fg_goes_on() {
    for source in SOURCES {
        // A shell with job control in which the trace is a job.
        let jobs = "set -m; \"$@\"; echo stopped $?; fg; echo status $?";
        let (mut terminal, files, _folder) = Terminal::new(source, &["cat"], jobs);
        terminal.types("one\n");
        terminal.sees("one\r\none\r\n");
        terminal.types("\x1a");
        // The shell prints what it takes to the foreground.
        terminal.sees("stopped ");
        terminal.sees("\"$");
        terminal.types("two\n");
        terminal.sees("two\r\ntwo\r\n");
        terminal.types("\x04");
        terminal.sees("status 0");
        terminal.end();
        let text = std::fs::read_to_string(files.path().join("trace")).expect("the trace");
        assert!(
            text.trim_end().ends_with("exit stat=\"exited 0\""),
            "{source}: {text}"
        );
        assert_eq!(text.lines().count(), 2, "{source}: {text}");
    }
}

#[test]
fn a_traced_shell_has_its_jobs() {
    for source in SOURCES {
        let (mut terminal, files, _folder) = Terminal::new(source, &["sh", "-i"], JOB);
        terminal.sees("prompt ");
        terminal.types("cat\n");
        terminal.types("one\n");
        terminal.sees("one\r\none\r\n");
        terminal.types("\x1a");
        terminal.sees("prompt ");
        terminal.types("fg\n");
        terminal.sees("cat");
        terminal.types("two\n");
        terminal.sees("two\r\ntwo\r\n");
        terminal.types("\x03");
        terminal.sees("prompt ");
        terminal.types("exit 3\n");
        terminal.sees("status 3");
        terminal.end();
        let text = std::fs::read_to_string(files.path().join("trace")).expect("the trace");
        assert!(text.contains("exit stat=SIGINT"), "{source}: {text}");
        assert!(
            text.trim_end().ends_with("exit stat=\"exited 3\""),
            "{source}: {text}"
        );
    }
}

#[test]
fn a_terminal_that_stops_the_background_does_not_stop_us() {
    for source in SOURCES {
        let script = "set -m; stty tostop; shift 0; \"$@\"; echo status $?";
        let (mut terminal, _files, _folder) =
            Terminal::new(source, &["sh", "-c", "echo said; exit 2"], script);
        terminal.sees("said");
        terminal.sees("status 2");
        terminal.end();
    }
}

/// A process runs, with a child; both continue until the trace sees them. Then the process is followed to its end.
const RUNNING: &str = r#"
    export GO=$TRACE.go
    setsid sh -c '
        sh -c "until [ -e $GO ]; do sleep 0.01; done; exit 6" &
        until [ -e $GO ]; do /bin/true; done
        /bin/false
        wait
        exit 4' &
    pid=$!
    (until [ -s $TRACE ]; do sleep 0.01; done; : > $GO) &
    "$@" -F line -e exit -o $TRACE -f --pid $pid"#;

#[test]
fn what_is_running_already_is_followed_with_pid() {
    for source in SOURCES {
        let files = tempfile::tempdir().expect("a folder");
        let path = files.path().join("trace");
        let (inner, _folder) = trace(source, &[]).command();
        let inner = [inner.get_program()].into_iter().chain(inner.get_args());
        let inner: Vec<_> = inner.map(|arg| arg.to_str().expect("UTF-8")).collect();
        let command = [&["sh", "-c", RUNNING, "sh"][..], &inner].concat();
        // The outer trace is only there for a simulation in which both are.
        let outer = |run: Run| run.env("TRACE", path.to_str().expect("UTF-8"));
        let outer = |run: Run| outer(run.env("MACSIM_ESLOGGER_FILE", "/dev/null"));
        let (_, output) = recorded("15.4", &[], &command, outer);
        assert_eq!((output.err.as_str(), output.status), ("", 0), "{source}");
        let text = std::fs::read_to_string(&path).expect("the trace");
        let ends = |end: &str| {
            let end = format!("exit stat=\"exited {end}\"");
            text.lines().filter(|line| line.ends_with(&end)).count()
        };
        assert_eq!(
            (ends("1"), ends("6"), ends("4")),
            (1, 1, 1),
            "{source}: {text}"
        );
        assert!(
            text.trim_end().ends_with("\"exited 4\""),
            "{source}: {text}"
        );
        assert!(!text.contains("] fork"), "{source}: {text}");
    }
    for source in SOURCES {
        let output = trace(source, &["-f", "--pid", "99999999"]).run();
        let said = "proctracer: --pid 99999999: there is no such process\n";
        assert_eq!((output.err.as_str(), output.status), (said, 1), "{source}");
    }
}
