//! eslogger as the source: proctracer with macsim's stand-in for it.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod common;

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::thread;
use std::time::{Duration, Instant};

use common::{Output, Run, by_shell, own_group, read};
use tempfile::TempDir;

/// Far longer than anything here takes; it only ends a test that hangs.
const PATIENCE: Duration = Duration::from_secs(60);

const HOUR: &str = "samples/developers-hour.jsonl";

const GOES_ON: &str =
    "proctracer: not entitled to use EndpointSecurity directly; falling back to eslogger\n";

/// The first message of an event among the fixtures, with these numbers.
fn message(event: &str, seq_num: u64, global_seq_num: u64) -> String {
    let events = read("tests/data/events.jsonl");
    let is_it = |line: &&str| line.contains(&format!("\"event\":{{\"{event}\":"));
    let line = events.lines().find(is_it).expect("a message");
    let line = with_number(line, "\"seq_num\":", seq_num);
    with_number(&line, "\"global_seq_num\":", global_seq_num) + "\n"
}

fn with_number(line: &str, key: &str, number: u64) -> String {
    let start = line.find(key).expect("the key") + key.len();
    let rest = line[start..].trim_start_matches(|c: char| c.is_ascii_digit());
    format!("{}{number}{rest}", &line[..start])
}

/// This number of `open` messages, each with its number as its flags.
fn opens(count: u64) -> String {
    let mut lines = String::new();
    for number in 0..count {
        let line = with_number(&message("open", number, number), "\"fflag\":", number);
        _ = write!(lines, "{line}");
    }
    lines
}

/// proctracer with an eslogger that prints these lines and then ends.
fn traced(args: &[&str], lines: &str) -> Run {
    Run::new(&[&["--source", "eslogger"], args].concat())
        .macos("27.0")
        .env("MACSIM_MACOS", "27.0")
        .eslogger(lines)
}

/// The output for a recording of the same lines.
fn recorded(args: &[&str], lines: &str) -> Output {
    let run = Run::new(&[args, &["-r", "-"]].concat());
    run.input(lines).run()
}

/// A run that continues, and the lines that it prints.
struct Running {
    child: Child,
    lines: Receiver<String>,
    _folder: TempDir,
}

impl Running {
    fn new(run: Run) -> Running {
        let (command, folder) = run.command();
        Running::of(command, folder)
    }

    fn of(mut command: Command, folder: TempDir) -> Running {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.process_group(0);
        let mut child = command.spawn().expect("macsim starts");
        let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let (sender, lines) = channel();
        thread::spawn(move || {
            let mut lines = stdout.lines().map_while(Result::ok);
            lines.try_for_each(|line| sender.send(line))
        });
        Running {
            child,
            lines,
            _folder: folder,
        }
    }

    fn line(&self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("a line")
    }

    /// The process ids of its children, with their names.
    fn children(&self) -> Vec<(u32, String)> {
        let processes = std::fs::read_dir("/proc").expect("the folder");
        let pids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        let child = |pid| {
            let process = Process::of(pid)?;
            (process.parent == self.child.id()).then_some((pid, process.name))
        };
        pids.filter_map(child).collect()
    }

    fn eslogger(&self) -> u32 {
        let mut children = self.children().into_iter();
        let eslogger = children.find(|(_, name)| name == "eslogger");
        eslogger.expect("eslogger runs").0
    }

    /// Kills it and everything in its process group.
    fn kill_group(&self) {
        let kill = Command::new("kill")
            .args(["-s", "KILL", "--", &format!("-{}", self.child.id())])
            .status();
        assert!(kill.expect("kill runs").success());
    }

    fn signal(&self, signal: &str) {
        kill(signal, &[self.child.id()]);
    }

    /// Waits for its end; returns the rest of its standard error, and its exit status.
    fn end(mut self) -> (String, Option<i32>) {
        let mut said = String::new();
        let mut stderr = self.child.stderr.take().expect("a pipe");
        stderr.read_to_string(&mut said).expect("UTF-8");
        let lines = said.split_inclusive('\n');
        let said = lines.filter(|line| !line.starts_with("macsim: ")).collect();
        (said, self.child.wait().expect("it ends").code())
    }
}

/// A process that hasn't ended.
struct Process {
    name: String,
    parent: u32,
}

impl Process {
    fn of(pid: u32) -> Option<Process> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (name, rest) = stat.split_once('(')?.1.rsplit_once(") ")?;
        let mut rest = rest.split(' ');
        (rest.next()? != "Z").then_some(Process {
            name: name.to_owned(),
            parent: rest.next()?.parse().ok()?,
        })
    }
}

fn kill(signal: &str, pids: &[u32]) {
    let pids = pids.iter().map(ToString::to_string);
    let kill = Command::new("kill")
        .args(["-s", signal])
        .args(pids)
        .status();
    assert!(kill.expect("kill runs").success());
}

/// Waits until a process is gone.
#[track_caller]
fn is_gone(pid: u32) {
    let began = Instant::now();
    while Process::of(pid).is_some() {
        assert!(began.elapsed() < PATIENCE, "it goes on");
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn its_own_pipeline_is_left_out_unless_it_is_asked_for() {
    let of_group = |group: u32, number| {
        let line = message("exit", number, number);
        let line = with_number(&line, "\"group_id\":", group.into());
        // A process that is there from the start: this one.
        line.replace("\"pid\":2140", &format!("\"pid\":{}", std::process::id()))
    };
    let events = [(4_000_000, 0), (own_group(), 1), (4_000_000, 2)];
    let events = events.map(|(group, number)| of_group(group, number));
    for (args, count) in [
        (&["-F", "line"][..], 2),
        (&["-F", "line", "--include-self"], 3),
    ] {
        let traced = || traced(args, &events.concat()).env("MACSIM_ESLOGGER_END", "0");
        // A group that only happens to have the same number isn't its own.
        assert_eq!(traced().run().out.lines().count(), 3);
        let run = traced().real_groups().run();
        assert_eq!(run.out.lines().count(), count, "{run:?}");
        // Neither what is left out nor what eslogger itself writes is reported as missing.
        let said = "proctracer: 2 missing write events are not counted: they can be the lines that eslogger itself wrote\n\
                    proctracer: eslogger has ended: exit status 0\n";
        assert_eq!(run.err, said);
    }
}

#[test]
fn without_the_entitlement_it_falls_back_to_eslogger() {
    let events = opens(3);
    let run = Run::new(&["-e", "exec,open"])
        .option("--new-client=3")
        .eslogger(&events)
        .env("MACSIM_ESLOGGER_END", "0")
        .run();
    assert_eq!(run.out, recorded(&[], &events).out);
    let ended = "proctracer: eslogger has ended: exit status 0\n";
    assert_eq!((run.err, run.status), (format!("{GOES_ON}{ended}"), 1));
}

/// The result of `es_new_client` for a program that isn't entitled isn't documented.
#[test]
fn a_copy_without_the_entitlement_falls_back_at_any_refusal_that_eslogger_can_outlive() {
    let events = opens(3);
    for (result, reason) in [
        ("1", "EndpointSecurity: invalid argument (1)"),
        ("2", "EndpointSecurity: internal error (2)"),
        ("4", "not entitled to use EndpointSecurity directly"),
        ("5", "not entitled to use EndpointSecurity directly"),
    ] {
        let run = Run::new(&["-e", "exec,open"])
            .option("--new-client")
            .option(result)
            .option("--signature=none")
            .eslogger(&events)
            .env("MACSIM_ESLOGGER_END", "0")
            .run();
        assert_eq!(run.out, recorded(&[], &events).out, "{result}");
        let said = format!("proctracer: {reason}; falling back to eslogger\n");
        assert!(run.err.starts_with(&said), "{}", run.err);
    }
}

#[test]
fn other_refusals_end_it_whichever_source_met_them() {
    for (result, by_eslogger, says) in [
        ("4", "permitted", "a live trace needs Full Disk Access for "),
        ("5", "privileged", "a live trace needs root: use sudo"),
        ("6", "", "EndpointSecurity has no room for another client"),
    ] {
        let native = Run::new(&["-e", "open"]).option("--new-client");
        let refused = native.option(result).eslogger(&opens(1)).run();
        assert_eq!((refused.out.as_str(), refused.status), ("", 4), "{result}");
        let said = refused.err.strip_prefix("proctracer: ").expect("a message");
        assert!(
            said.starts_with(says) && said.lines().count() == 1 + usize::from(result == "4"),
            "{said}"
        );
        if !by_eslogger.is_empty() {
            let run = traced(&["-e", "open"], "").env("MACSIM_ESLOGGER_REFUSE", by_eslogger);
            assert_eq!(run.run(), refused);
        }
    }
    // The condition that macOS checks first makes no difference.
    for (args, first) in [
        (&["-e", "open"][..], "root"),
        (&["-e", "open"], "entitlement"),
        (&["-e", "open", "--source", "eslogger"], "root"),
    ] {
        let not_root = Run::new(args)
            .option("--euid=501")
            .option("--signature=ad-hoc")
            .option(format!("--refuse-first={first}"));
        let not_root = not_root.eslogger("").run();
        assert_eq!(
            (not_root.err.as_str(), not_root.status),
            ("proctracer: a live trace needs root: use sudo\n", 4)
        );
    }
}

#[test]
fn without_the_entitlement_and_eslogger_it_says_what_to_do() {
    let forced = Run::new(&["-e", "open", "--source", "native"])
        .option("--new-client=3")
        .eslogger("");
    for run in [forced, Run::new(&["-e", "open"]).option("--new-client=3")] {
        let refused = run.run();
        assert_eq!((refused.out.as_str(), refused.status), ("", 4));
        assert_eq!(
            refused.err,
            "proctracer: this copy is not entitled to use EndpointSecurity directly \
             (com.apple.developer.endpoint-security.client, which Apple grants to developers); use --source eslogger\n"
        );
    }
}

#[test]
fn an_event_is_printed_before_the_next_one_comes() {
    let running = Running::new(
        traced(&["-F", "line", "-e", "open"], &opens(4)).env("MACSIM_ESLOGGER_RATE", "2"),
    );
    running.line();
    let first = Instant::now();
    assert_eq!(running.lines.try_recv(), Err(TryRecvError::Empty));
    running.line();
    // If they were held back, they would come together.
    assert!(first.elapsed() > Duration::from_millis(250));
    running.signal("INT");
    assert_eq!(running.end().1, Some(0));
}

#[test]
fn objects_pass_through_whatever_their_length() {
    let exec = message("exec", 0, 0);
    let long = exec.replace("\"ls\",", &format!("\"ls\",\"{}\",", "x".repeat(40_000)));
    assert!(long.len() > 40_000);
    let lines = long + &message("exec", 1, 1);
    for echo in ["", "1"] {
        let run = traced(&["-F", "json", "-e", "exec"], &lines)
            .env("MACSIM_ESLOGGER_ECHO", echo)
            .env("MACSIM_ESLOGGER_END", "0")
            .run();
        assert!(run.out == lines, "{}", run.out.len());
        assert_eq!(
            (run.err.as_str(), run.status),
            ("proctracer: eslogger has ended: exit status 0\n", 1)
        );
    }
}

#[test]
fn when_eslogger_is_killed_what_it_wrote_is_printed() {
    let lines = opens(5);
    let run = traced(&["-e", "open"], &lines)
        .env("MACSIM_ESLOGGER_CUT", "3")
        .run();
    let whole: String = lines.split_inclusive('\n').take(2).collect();
    assert_eq!(run.out, recorded(&[], &whole).out);
    let said: Vec<_> = run.err.lines().collect();
    assert!(said[0].starts_with("proctracer: eslogger:3: "), "{said:?}");
    assert_eq!(
        said[1..],
        [
            "proctracer: eslogger: 1 damaged, 1 of them skipped",
            "proctracer: eslogger has ended: SIGKILL",
        ]
    );
    assert_eq!(run.status, 1);
}

#[test]
fn a_signal_ends_both_in_good_order() {
    for signal in ["INT", "TERM", "HUP"] {
        let running = Running::new(traced(&["-F", "line", "-e", "open"], &opens(3)));
        for _ in 0..3 {
            running.line();
        }
        let children = running.children();
        assert_eq!(children.len(), 2, "{children:?}");
        running.signal(signal);
        assert_eq!(running.end(), (String::new(), Some(0)), "{signal}");
        for (pid, name) in children {
            let is_there = std::fs::exists(format!("/proc/{pid}")).expect("it can be looked");
            assert!(!is_there, "{name} was not ended and waited for");
        }
    }
}

#[test]
fn a_line_that_is_cut_by_the_end_is_no_damage() {
    for _ in 0..5 {
        let run = traced(&["-F", "line", "-e", "open"], &opens(20))
            .env("MACSIM_ESLOGGER_REPEAT", "1000000");
        let running = Running::new(run);
        for _ in 0..200 {
            running.line();
        }
        // eslogger first, in the middle of a line.
        kill("TERM", &[running.eslogger()]);
        running.signal("INT");
        while running.lines.recv_timeout(PATIENCE).is_ok() {}
        assert_eq!(running.end(), (String::new(), Some(0)));
    }
}

#[test]
fn a_reader_that_goes_away_ends_both_quietly() {
    let run =
        traced(&["-F", "line", "-e", "open"], &opens(20)).env("MACSIM_ESLOGGER_REPEAT", "1000000");
    let (mut command, _folder) = run.command();
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("macsim starts");
    let mut some = [0; 1000];
    let mut stdout = child.stdout.take().expect("a pipe");
    stdout.read_exact(&mut some).expect("some output");
    drop(stdout);
    let output = common::wait(child);
    assert_eq!((output.err.as_str(), output.status), ("", 0));
}

#[test]
fn eslogger_does_not_outlive_a_program_that_is_killed() {
    for repeat in ["1", "1000000"] {
        let run = traced(&["-F", "line", "-e", "open"], &opens(20))
            .env("MACSIM_ESLOGGER_REPEAT", repeat)
            .env("MACSIM_ESLOGGER_RATE", "1000");
        let running = Running::new(run);
        for _ in 0..20 {
            running.line();
        }
        let children = running.children();
        assert_eq!(children.len(), 2, "{children:?}");
        running.kill_group();
        for (pid, _) in children {
            is_gone(pid);
        }
    }
}

#[test]
fn missing_events_are_reported() {
    let lines = [
        message("open", 0, 0),
        message("close", 2, 4),
        message("open", 8, 11),
    ]
    .concat();
    let run = traced(&["-e", "open,close", "--fail-on-drop"], &lines);
    let running = Running::new(run);
    let mut events = Vec::new();
    while events.len() < 3 {
        let line = running.line();
        events.extend(line.strip_prefix("event : ").map(str::to_owned));
    }
    running.signal("INT");
    let (said, status) = running.end();
    let totals = "proctracer: in all, 9 of 12 events are missing, dropped by macOS, or eslogger's own, which it \
                  leaves out: open 7, close 2\n";
    assert!(said.ends_with(totals), "{said}");
    assert!(said.contains(" events are missing so far: "), "{said}");
    assert_eq!(status, Some(3));
}

/// Each line that eslogger writes to the terminal is a `write` event that takes numbers and never comes.
#[test]
fn what_eslogger_writes_itself_is_not_reported_as_missing() {
    let lines = |gap: u64| {
        [
            message("open", 0, 0),
            message("write", gap, 1 + gap),
            message("open", 1, 2 + gap),
        ]
        .concat()
    };
    let said = |gap: u64, events: &str| {
        let run = traced(&["-F", "line", "-e", events, "--fail-on-drop"], &lines(gap));
        let running = Running::new(run);
        let count = if events == "open" { 2 } else { 3 };
        for _ in 0..count {
            running.line();
        }
        running.signal("INT");
        let (said, status) = running.end();
        let last = said
            .lines()
            .map(|line| format!("{line}\n"))
            .collect::<Vec<_>>();
        let so_far = |line: &&String| !line.contains(" so far: ");
        (
            last.iter().filter(so_far).cloned().collect::<String>(),
            status,
        )
    };
    let own = |count: u64| {
        format!(
            "proctracer: {count} missing write events are not counted: they can be the lines that eslogger itself wrote\n"
        )
    };
    assert_eq!(said(0, "open,write"), (own(2), Some(0)));
    // Three lines explain no more than three missing events; the first write has the numbers of the first line and of
    // ten lost events.
    let lost = "proctracer: in all, 9 of 12 events are missing, dropped by macOS, or eslogger's own, which it leaves out: \
                write 8, not known which 1\n";
    assert_eq!(said(10, "open,write"), (own(3) + lost, Some(3)));
    // Without `write`, eslogger's lines are no events for it, and explain nothing.
    let lost = "proctracer: in all, 11 of 13 events are missing, dropped by macOS, or eslogger's own, which it leaves out: \
                not known which 11\n";
    assert_eq!(said(10, "open"), (lost.to_owned(), Some(3)));
}

#[test]
fn events_that_this_macos_does_not_have_are_left_out() {
    let named = Run::new(&[
        "--source",
        "eslogger",
        "-F",
        "line",
        "-e",
        "bootstrap_look_up,open,%process",
    ])
    .env("MACSIM_MACOS", "13.0")
    .env("MACSIM_ESLOGGER_END", "0")
    .eslogger(&opens(1))
    .run();
    assert_eq!(named.out.lines().count(), 1);
    assert_eq!(
        named.err,
        "proctracer: this macOS has no event 'bootstrap_look_up', which comes with macOS 27.0\n\
         proctracer: eslogger has ended: exit status 0\n"
    );
    // Reported only once, even if two sources are tried.
    let tried = Run::new(&["-F", "line", "-e", "bootstrap_look_up,open,%process"])
        .env("MACSIM_MACOS", "13.0")
        .env("MACSIM_ESLOGGER_END", "0")
        .option("--new-client=3")
        .eslogger(&opens(1))
        .run();
    assert_eq!(tried.err, format!("{GOES_ON}{}", named.err));
    let none = Run::new(&["--source", "eslogger", "-e", "bootstrap_look_up"])
        .env("MACSIM_MACOS", "13.0")
        .eslogger("")
        .run();
    assert_eq!(
        none.err.lines().last(),
        Some("proctracer: this macOS has none of the selected events")
    );
    assert_eq!(none.status, 1);
}

#[test]
fn what_eslogger_says_otherwise_is_passed_on() {
    let run = traced(&[], HOUR)
        .env("MACSIM_ESLOGGER_FILE", "/nonexistent")
        .run();
    assert_eq!(
        (run.err.as_str(), run.status),
        (
            "proctracer: eslogger: No such file or directory (os error 2)\n\
             proctracer: eslogger has ended: exit status 1\n",
            1
        )
    );
}

#[test]
fn nothing_is_lost_of_100_megabytes() {
    let hour = read(HOUR);
    let times = 100_000_000 / hour.len() + 1;
    let run = traced(&["-F", "json"], HOUR)
        .env("MACSIM_ESLOGGER_REPEAT", &times.to_string())
        .env("MACSIM_ESLOGGER_OWN_WRITES", "0")
        .env("MACSIM_ESLOGGER_END", "0")
        .run();
    assert!(run.out.len() > 100_000_000);
    assert!(run.out == hour.repeat(times), "{}", run.out.len());
    assert_eq!(
        (run.err.as_str(), run.status),
        ("proctracer: eslogger has ended: exit status 0\n", 1)
    );
}

#[test]
fn eslogger_and_its_guard_inherit_nothing() {
    let run = traced(&["-F", "line"], HOUR).env("A_SECRET", "of the caller");
    let (program, folder) = run.command();
    let file = folder.path().join("of-the-caller");
    let script = format!("exec 7> {}; exec \"$@\"", file.display());
    let mut command = by_shell("sh", &script, &program);
    command.stdin(Stdio::null());
    let running = Running::of(command, folder);
    running.line();
    let links = |pid: u32| {
        let folder = std::fs::read_dir(format!("/proc/{pid}/fd")).expect("it runs");
        let links = folder
            .flatten()
            .map(|entry| std::fs::read_link(entry.path()));
        links.filter_map(Result::ok).collect::<Vec<_>>()
    };
    let variables =
        |pid: u32| std::fs::read_to_string(format!("/proc/{pid}/environ")).expect("it runs");
    let own = running.child.id();
    assert!(links(own).contains(&file) && variables(own).contains("A_SECRET"));
    let children = running.children();
    assert_eq!(children.len(), 2, "{children:?}");
    for (pid, name) in children {
        assert!(!links(pid).contains(&file), "{name}: {:?}", links(pid));
        let all = variables(pid);
        // The simulation's own settings are those of the kernel.
        let others = all
            .split_terminator('\0')
            .filter(|variable| !variable.starts_with("MACSIM_"));
        assert_eq!(others.collect::<Vec<_>>(), [""; 0], "{name}");
    }
    running.signal("TERM");
    assert_eq!(running.end().1, Some(0));
}
