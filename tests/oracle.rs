//! The selection agrees with an oracle: hundreds of random options on random streams of processes.
//!
//! A failure prints the options and the file of the stream. `PROCTRACER_SETS` sets the number of options to try
//! (600).

mod common;
#[path = "common/processes/mod.rs"]
mod processes;

use std::path::{Path, PathBuf};
use std::thread;

use common::proctracer;
use processes::Random;
use processes::options::Options;
use processes::oracle;
use processes::stream::Stream;

/// The number of messages in a stream, and the number of options that are tried on it.
const LENGTH: usize = 500;
const SETS_A_STREAM: u64 = 50;

/// The numbers of the messages that are shown.
fn shown(file: &Path, options: &Options) -> Result<Vec<u64>, String> {
    let mut command = proctracer();
    command.args(["--utc", "-F", "json"]).args(options.args());
    let output = command.arg("-r").arg(file).output().expect("it starts");
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success() || err.lines().any(|line| !line.starts_with("proctracer: ")) {
        return Err(err);
    }
    let out = String::from_utf8(output.stdout).expect("UTF-8");
    let number = |line: &str| -> serde_json::Result<u64> {
        let message: serde_json::Value = serde_json::from_str(line)?;
        Ok(message["global_seq_num"].as_u64().unwrap_or(u64::MAX))
    };
    Ok(out
        .lines()
        .map(|line| number(line).expect("JSON"))
        .collect())
}

/// Tries options on the stream of a seed. Returns the failures, and the number of events that were shown.
fn try_stream(seed: u64, sets: u64) -> (Vec<String>, usize) {
    let stream = Stream::new(seed, LENGTH);
    let name = format!("processes-{seed}.jsonl");
    let file: PathBuf = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&file, stream.lines()).expect("the file can be written");
    let mut random = Random::new(seed ^ 0xf00d);
    let (mut failures, mut count) = (Vec::new(), 0);
    for _ in 0..sets {
        let options = Options::random(&mut random, &stream, false);
        let expected = oracle::shown(&stream, &options);
        let got = shown(&file, &options);
        count += expected.len();
        if got.as_ref() != Ok(&expected) {
            failures.push(difference(&file, &options, &expected, got));
        }
    }
    (failures, count)
}

fn difference(
    file: &Path,
    options: &Options,
    expected: &[u64],
    got: Result<Vec<u64>, String>,
) -> String {
    let what = match got {
        Err(error) => error,
        Ok(got) => {
            let only = |these: &[u64], those: &[u64]| {
                let only = these.iter().filter(|number| !those.contains(number));
                only.take(8).copied().collect::<Vec<_>>()
            };
            format!(
                "{} instead of {} events; left out {:?}, wrongly shown {:?}",
                got.len(),
                expected.len(),
                only(expected, &got),
                only(&got, expected)
            )
        }
    };
    format!("-r {} {options}\n  {what}", file.display())
}

#[test]
fn what_is_shown_agrees_with_the_oracle() {
    let sets = std::env::var("PROCTRACER_SETS")
        .ok()
        .and_then(|sets| sets.parse().ok());
    let streams = sets.unwrap_or(600_u64).div_ceil(SETS_A_STREAM);
    let threads: Vec<_> = (0..2)
        .map(|first| {
            let seeds = (first..streams).step_by(2);
            thread::spawn(move || {
                seeds
                    .map(|seed| try_stream(seed, SETS_A_STREAM))
                    .collect::<Vec<_>>()
            })
        })
        .collect();
    let results: Vec<_> = threads
        .into_iter()
        .flat_map(|thread| thread.join().expect("no panic"))
        .collect();
    let failures: Vec<_> = results
        .iter()
        .flat_map(|(failures, _)| failures)
        .cloned()
        .collect();
    assert!(
        failures.is_empty(),
        "{} sets of options show something else:\n{}",
        failures.len(),
        failures
            .iter()
            .take(20)
            .cloned()
            .collect::<Vec<_>>()
            .join("\n")
    );
    let shown: usize = results.iter().map(|(_, count)| count).sum();
    assert!(
        shown as u64 > 10 * streams * SETS_A_STREAM,
        "the options select too little to prove anything"
    );
}
