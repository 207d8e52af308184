//! Summaries and trees of live traces: they equal those of recordings, at the end and on request before that.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod common;

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use common::{Output, Run, read};

const HOUR: &str = "samples/developers-hour.jsonl";

const REPORTS: [&[&str]; 5] = [
    &["-c"],
    &["--tree"],
    &["--tree", "--tree-by", "launched", "-c"],
    &[
        "-F",
        "json",
        "-c",
        "--summary-by",
        "process,folder,user,team,class",
    ],
    &["-F", "json", "--tree=events"],
];

fn native(args: &[&str]) -> Run {
    let run = Run::new(&[&["--source", "native"], args].concat());
    run.events(HOUR).env("MACSIM_MACOS", "27.0")
}

fn by_eslogger(args: &[&str]) -> Run {
    let run = Run::new(&[&["--source", "eslogger"], args].concat());
    run.macos("27.0").env("MACSIM_MACOS", "27.0").eslogger(HOUR)
}

fn recorded(args: &[&str]) -> Output {
    let run = Run::new(&[args, &["-r", "-"]].concat());
    run.input(read(HOUR)).run()
}

#[test]
fn reports_are_the_same_whichever_the_source() {
    for args in REPORTS {
        let recorded = recorded(args);
        assert_eq!((recorded.err.as_str(), recorded.status), ("", 0));
        let run = native(args).run();
        assert_eq!(run.out, recorded.out, "{args:?}");
        assert_eq!((run.err.as_str(), run.status), ("", 0));
        // If eslogger ends on its own, that is a failure, but what it printed until then counts.
        let run = by_eslogger(args).env("MACSIM_ESLOGGER_END", "0").run();
        assert_eq!((&run.out, run.status), (&recorded.out, 1), "{args:?}");
    }
    // The lives of processes are subscribed to even if they aren't selected.
    let args = ["--tree", "-c", "-e", "open"];
    assert_eq!(native(&args).run().out, recorded(&args).out);
}

/// The output on standard error that `signal` requests before Ctrl-C, and the output at the end.
fn interrupted(run: Run, signal: &str) -> (String, Output) {
    let (mut command, _folder) = run.env("MACSIM_LINGER_MS", "60000").command();
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("macsim starts");
    let pid = child.id().to_string();
    let kill = |signal: &str| {
        let status = Command::new("kill").args(["-s", signal, &pid]).status();
        assert!(status.expect("kill runs").success());
    };
    // The first report comes on its own, when the trace has begun. Then one report has everything that was delivered,
    // although nothing more comes.
    let mut reports = BufReader::new(child.stderr.take().expect("a pipe")).lines();
    let mut report = |is_first: bool| loop {
        let line = reports.next().expect("a line").expect("UTF-8");
        if line.starts_with("{\"events\":499,") || is_first && line.starts_with("{\"events\":") {
            return line;
        }
        if !is_first {
            kill(signal);
        }
    };
    report(true);
    kill(signal);
    let report = report(false);
    kill("INT");
    let mut output = common::wait(child);
    output.err = reports.map(|line| line.expect("UTF-8") + "\n").collect();
    (report, output)
}

#[test]
fn ctrl_t_and_ctrl_c() {
    let args = ["-F", "json", "-c", "--summary-every", "100ms"];
    let expected = recorded(&["-F", "json", "-c"]).out;
    // macsim has SIGINFO for Linux's PWR.
    for signal in ["USR1", "PWR"] {
        for run in [native(&args), by_eslogger(&args)] {
            let (report, output) = interrupted(run, signal);
            assert_eq!(report + "\n", expected);
            assert_eq!((output.out.as_str(), output.status), (expected.as_str(), 0));
        }
    }
}

#[test]
fn nothing_is_formatted_that_is_not_shown() {
    // Messages come faster than text could be written.
    let run = native(&["-c", "--summary-by", "event", "--top", "1"])
        .option("--repeat=2000")
        .run();
    assert_eq!((run.err.as_str(), run.status), ("", 0));
    let head = run.out.lines().next().expect("a head");
    assert!(head.starts_with("998,000 events of 71 types, "), "{head}");
    assert!(head.ends_with("; none missing"), "{head}");
}
