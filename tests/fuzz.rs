//! Runs the targets in `fuzz/` on random bytes for a few seconds: `PROCTRACER_FUZZ_SECONDS` for each, from
//! `PROCTRACER_FUZZ_SEED` on. An input that fails is kept, and its file is named.

#[path = "fuzz/targets.rs"]
mod targets;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

fn setting(name: &str, default: u64) -> u64 {
    let value = std::env::var(name).ok();
    value.map_or(default, |value| value.parse().expect("a number"))
}

/// Runs a target on random bytes until the time is up.
fn run(name: &str, target: fn(&[u8]), size: usize) {
    let time = Duration::from_secs(setting("PROCTRACER_FUZZ_SECONDS", 4));
    let mut seed = setting("PROCTRACER_FUZZ_SEED", 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut random = move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    let begin = Instant::now();
    let mut count = 0;
    while count == 0 || begin.elapsed() < time {
        let length = usize::try_from(random() >> 33).expect("31 bits") % size;
        let bytes: Vec<u8> = (0..length).map(|_| (random() >> 56) as u8).collect();
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| target(&bytes))) {
            let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz-{name}-{count}"));
            std::fs::write(&file, &bytes).expect("the file can be written");
            eprintln!("input {count}: {}", file.display());
            resume_unwind(panic);
        }
        count += 1;
    }
    eprintln!("{name}: {count} inputs");
}

/// Runs a target on the file that `PROCTRACER_FUZZ_INPUT` names, if it does.
fn run_on_file(target: fn(&[u8])) -> bool {
    let Some(file) = std::env::var_os("PROCTRACER_FUZZ_INPUT") else {
        return false;
    };
    target(&std::fs::read(file).expect("the file can be read"));
    true
}

#[test]
fn any_bytes_are_read() {
    if !run_on_file(targets::reader) {
        run("reader", targets::reader, 400);
    }
}

#[test]
fn messages_survive_their_neighbours() {
    if !run_on_file(targets::messages) {
        run("messages", targets::messages, 800);
    }
}

#[test]
fn options_are_read_or_refused() {
    if !run_on_file(targets::options) {
        run("options", targets::options, 60);
    }
}
