//! Measures how fast proctracer prints what EndpointSecurity sends it. The macOS program runs on macsim, beside a
//! program that writes the same bytes from a ready buffer.
//!
//! `make bench-native` builds what is needed and runs it. The simulation delivers messages that were made beforehand,
//! as fast as the handler takes them, so that only the program is measured.

#![allow(
    clippy::cast_precision_loss,
    reason = "numbers of messages are far below 2^53"
)]

#[path = "../../benches/generate/mod.rs"]
mod generate;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Instant;

/// The amount of JSON that the messages are made of, in megabytes: as many messages as fit into a processor's cache,
/// through which a kernel's messages come, too.
const MEGABYTES: usize = 1;

/// The number of times that the messages are delivered in a run.
const REPEAT: usize = 10_000;

/// The number of runs that a median is taken of.
const RUNS: usize = 5;

/// Messages a second, the number of seconds, and the number of messages that the kernel has room for.
const SUSTAINED: (usize, usize, usize) = (200_000, 20, 10_000);

fn main() -> std::io::Result<()> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let events = folder.join("native.jsonl");
    generate::recording(&events, MEGABYTES)?;
    let count = std::fs::read_to_string(&events)?.lines().count() * REPEAT;

    let ready = folder.join("native.text");
    let printed = macsim(&events, &[], &[])
        .stdout(File::create(&ready)?)
        .status()?;
    assert!(printed.success(), "proctracer prints the messages");
    let size = std::fs::metadata(&ready)?.len() as f64 * REPEAT as f64;
    println!(
        "{count} messages, {:.0} bytes of text each, medians of {RUNS} runs\n",
        size / count as f64
    );

    let repeat = format!("--repeat={REPEAT}");
    let options = ["--static", "--linger-ms=0", &repeat];
    println!("| | events/s | MB/s of text |\n|---|---|---|");
    let row = |what: &str, seconds: f64| {
        println!(
            "| {what} | {:.0} | {:.0} |",
            count as f64 / seconds,
            size / 1e6 / seconds
        );
    };
    // In turn, so that all run under the same conditions.
    let mut seconds: [Vec<f64>; 4] = Default::default();
    for _ in 0..RUNS {
        let null = || Ok(Stdio::null());
        seconds[0].push(timed(macsim(&events, &options, &[]), null)?.0);
        seconds[1].push(timed(ready_made(&ready), null)?.0);
        seconds[2].push(timed(macsim(&events, &options, &[]), cat)?.0);
        seconds[3].push(timed(ready_made(&ready), cat)?.0);
    }
    let [to_null, ready_to_null, to_cat, ready_to_cat] = seconds.map(median);
    row("proctracer to /dev/null", to_null);
    row("ready-made bytes to /dev/null", ready_to_null);
    row("proctracer through a pipe into cat", to_cat);
    row("ready-made bytes through a pipe into cat", ready_to_cat);
    println!(
        "\nthrough the pipe it takes {:.2} times as long as the ready-made bytes",
        to_cat / ready_to_cat
    );
    // Reading the clock twice costs as much as the handler, so this is a run of its own.
    let options = [&options[..], &["--time-handler"]].concat();
    let (_, output) = timed(macsim(&events, &options, &[]), || Ok(Stdio::null()))?;
    println!("{}", line(&output, "macsim: handler"));

    let (rate, for_seconds, queue) = SUSTAINED;
    let repeat = rate * for_seconds * REPEAT / count + 1;
    let options = [
        format!("--rate={rate}"),
        format!("--queue={queue}"),
        format!("--repeat={repeat}"),
        "--check".to_owned(),
    ];
    let options: Vec<_> = options.iter().map(String::as_str).collect();
    let output = macsim(&events, &options, &[])
        .stdout(Stdio::null())
        .output()?;
    println!("\n{rate} a second with a queue of {queue}:");
    println!(
        "{}\n{}",
        line(&output, "macsim: all delivered"),
        line(&output, "macsim: delivered")
    );
    Ok(())
}

fn target() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    target.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"))
}

/// proctracer as a client that receives these messages.
fn macsim(events: &Path, options: &[&str], args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_macsim"));
    command
        .args(["run", "--macos=27.0", "--events"])
        .arg(events)
        .args(options);
    command.arg(target().join("x86_64-apple-darwin/release/proctracer"));
    command.args(["--source=native", "--utc"]).args(args);
    command
}

/// The program that writes a file's bytes the same number of times.
fn ready_made(file: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_macsim"));
    command
        .arg("run")
        .arg(target().join("x86_64-apple-darwin/release/checks"));
    command.arg("ready").arg(file).arg(REPEAT.to_string());
    command
}

fn cat() -> std::io::Result<Stdio> {
    let mut cat = Command::new("cat")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()?;
    Ok(cat.stdin.take().map_or_else(Stdio::null, Stdio::from))
}

/// Runs a command with its output going to `destination`. Returns the time that it took, in seconds.
fn timed(
    mut command: Command,
    destination: impl FnOnce() -> std::io::Result<Stdio>,
) -> std::io::Result<(f64, Output)> {
    command.stdout(destination()?).stderr(Stdio::piped());
    let began = Instant::now();
    let output = command.spawn()?.wait_with_output()?;
    let seconds = began.elapsed().as_secs_f64();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok((seconds, output))
}

fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

fn line(output: &Output, start: &str) -> String {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let mut lines = said.lines().filter(|line| line.starts_with(start));
    lines.next_back().unwrap_or_default().to_owned()
}
