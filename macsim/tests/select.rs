//! The selection agrees with an oracle natively and through eslogger, as it does on recordings (`tests/oracle.rs`).
//!
//! A failure prints the options and the file of the stream.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod common;
#[path = "../../tests/common/processes/mod.rs"]
mod processes;

use std::path::Path;

use common::{Output, Run};
use processes::Random;
use processes::options::Options;
use processes::oracle;
use processes::stream::Stream;

/// The number of messages in a stream.
const LENGTH: usize = 300;

/// The messages that are shown. `mach_time` stands for their numbers, which change if the source sends only some of
/// them.
fn numbers(output: &Output) -> Vec<u64> {
    let number = |line: &str| {
        let message: serde_json::Value = serde_json::from_str(line).expect("JSON");
        message["mach_time"].as_u64().expect("a number")
    };
    output.out.lines().map(number).collect()
}

/// Tries this number of sets of options on each of some streams.
#[track_caller]
fn agree(streams: std::ops::Range<u64>, sets: usize, run: impl Fn(&[&str], &str) -> Output) {
    let mut failures = Vec::new();
    let mut shown = 0;
    for seed in streams {
        let stream = Stream::new(seed, LENGTH);
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("processes-{seed}.jsonl"));
        std::fs::write(&file, stream.lines()).expect("the file can be written");
        let mut random = Random::new(seed ^ 0xf00d);
        for _ in 0..sets {
            let mut options = Options::random(&mut random, &stream, true);
            while options.ends() {
                // Such pids must be running, which those of a stream aren't: tests/command.rs has real ones.
                options = Options::random(&mut random, &stream, true);
            }
            let args = [vec!["-F".into(), "json".into()], options.args()].concat();
            let args: Vec<_> = args.iter().map(String::as_str).collect();
            let output = run(&args, file.to_str().expect("UTF-8"));
            let expected = oracle::shown(&stream, &options);
            shown += expected.len();
            // A trace fails if its eslogger ends on its own.
            let is_well =
                output.status == 0 || output.err.ends_with("eslogger has ended: exit status 0\n");
            if !is_well || numbers(&output) != expected {
                let got = numbers(&output);
                let only = |these: &[u64], those: &[u64]| {
                    let only = these.iter().filter(|number| !those.contains(number));
                    only.take(8).copied().collect::<Vec<_>>()
                };
                failures.push(format!(
                    "{} {options}\n  left out {:?}, wrongly shown {:?}, status {}: {}{}",
                    file.display(),
                    only(&expected, &got),
                    only(&got, &expected),
                    output.status,
                    output.err,
                    output.said
                ));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(
        shown > 200,
        "the options select too little to prove anything"
    );
}

#[test]
fn what_is_shown_natively_agrees_with_the_oracle() {
    agree(100..104, 15, |args, file| {
        Run::new(&[&["--source", "native"], args].concat())
            .option("--events")
            .option(file)
            .macos("27.0")
            .run()
    });
}

#[test]
fn what_is_shown_through_eslogger_agrees_with_the_oracle() {
    agree(200..202, 10, |args, file| {
        let lines = std::fs::read_to_string(file).expect("the file can be read");
        Run::new(&[&["--source", "eslogger"], args].concat())
            .macos("27.0")
            .env("MACSIM_MACOS", "27.0")
            .env("MACSIM_ESLOGGER_END", "0")
            .eslogger(&lines)
            .run()
    });
}
