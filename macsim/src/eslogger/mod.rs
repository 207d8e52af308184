//! A stand-in for `/usr/bin/eslogger`: `macsim eslogger EVENT...`, or macsim under the name `eslogger` in a folder that
//! `--root` names.
//!
//! It behaves as Apple's does:
//! - it prints nothing when it is ready, and what happens before that is lost;
//! - it prints what the real processes around it do, see [`crate::live`], and the lines of a file between that;
//! - it writes in blocks unless standard output is a terminal. There each line that it writes is a `write` event of its
//!   own, which takes sequence numbers and is left out;
//! - it leaves out the events of its own process group, which take numbers all the same;
//! - it goes on living when there is nothing to print, and ignores SIGINT in the background;
//! - it refuses without root and without Full Disk Access.
//!
//! Environment variables set the rest, which the program that starts it passes on:
//!
//! | variable | meaning |
//! |---|---|
//! | `MACSIM_ESLOGGER_FILE` | the lines that can be printed; those of the named events are |
//! | `MACSIM_ESLOGGER_REPEAT` | the number of times that the file is printed (1) |
//! | `MACSIM_ESLOGGER_RATE` | lines a second (as fast as they are taken) |
//! | `MACSIM_ESLOGGER_READY_MS` | the milliseconds until it is ready (0); with a rate, the file's first lines happen before that |
//! | `MACSIM_ESLOGGER_SILENT` | print nothing, ever |
//! | `MACSIM_ESLOGGER_DIE` | instead of becoming ready, end: the exit status |
//! | `MACSIM_ESLOGGER_CUT` | die in the middle of the Nth line |
//! | `MACSIM_ESLOGGER_LOSE` | an event of which it loses all messages of real processes, although they have numbers |
//! | `MACSIM_ESLOGGER_REFUSE` | `permitted`, `privileged` or `entitled`: refuse as not being that |
//! | `MACSIM_ESLOGGER_END` | end at the file's end: the exit status; without it, live until a signal |
//! | `MACSIM_ESLOGGER_ECHO` | on a terminal, write `^D` and two backspaces before the first line |
//! | `MACSIM_ESLOGGER_OWN_WRITES` | 0: its own writes aren't numbered |
//! | `MACSIM_REAL_GROUPS` | 1: the process groups in the file are real ones; lines of its own are left out |
//! | `MACSIM_MACOS` | the macOS whose events there are (15.4) |
//! | `MACSIM_EUID` | the user that it runs as; refuses unless 0 |

mod numbers;
mod stream;

use std::ffi::OsString;
use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::process::ExitCode;
use std::time::Duration;

use crate::versions::{EVENT_TYPES, EventType, Version};

const DEFAULT_MACOS: &str = "15.4";

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn number(name: &str) -> Option<u64> {
    variable(name)?.parse().ok()
}

/// Runs the stand-in with eslogger's arguments.
pub fn main(args: Vec<OsString>) -> ExitCode {
    // SAFETY: Rust ignores SIGPIPE from the start; eslogger dies of it.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    let macos = variable("MACSIM_MACOS").unwrap_or_else(|| DEFAULT_MACOS.into());
    let Ok(macos) = macos.parse::<Version>() else {
        return failed("MACSIM_MACOS: not a version");
    };
    let known = || {
        EVENT_TYPES
            .iter()
            .filter(|row| row.kind == "NOTIFY" && row.since <= macos)
    };
    let args: Vec<String> = args
        .into_iter()
        .map(|arg| arg.to_string_lossy().into_owned())
        .collect();
    if args.iter().any(|arg| arg == "--list-events") {
        for EventType { name, .. } in known() {
            println!("{name}");
        }
        return ExitCode::SUCCESS;
    }
    let mut names = Vec::new();
    let mut args = args.into_iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--format" | "--select" | "--oslog-subsystem" | "--oslog-category" => _ = args.next(),
            option if option.starts_with('-') => {}
            _ => names.push(arg),
        }
    }
    if names.is_empty() {
        return failed("Missing events; see eslogger --list-events");
    }
    if let Some(name) = names
        .iter()
        .find(|name| known().all(|row| row.name != **name))
    {
        return failed(&format!("Unrecognized event: {name}"));
    }
    let refused = match variable("MACSIM_ESLOGGER_REFUSE").as_deref() {
        Some("permitted") => Some("ES_NEW_CLIENT_RESULT_ERR_NOT_PERMITTED"),
        Some("entitled") => Some("ES_NEW_CLIENT_RESULT_ERR_NOT_ENTITLED"),
        Some("privileged") => Some("ES_NEW_CLIENT_RESULT_ERR_NOT_PRIVILEGED"),
        _ if number("MACSIM_EUID").unwrap_or(0) != 0 => {
            Some("ES_NEW_CLIENT_RESULT_ERR_NOT_PRIVILEGED")
        }
        _ => None,
    };
    if let Some(refused) = refused {
        return failed(&format!("Failed to create client: {refused}"));
    }
    if is_in_background() {
        // SAFETY: changes what a signal does, nothing else.
        unsafe { libc::signal(libc::SIGINT, libc::SIG_IGN) };
    }
    std::thread::sleep(ready_after());
    if let Some(status) = number("MACSIM_ESLOGGER_DIE") {
        return ExitCode::from(status as u8);
    }
    match stream::print(&names) {
        Ok(()) => ExitCode::from(number("MACSIM_ESLOGGER_END").unwrap_or(0) as u8),
        Err(error) => failed(&error.to_string()),
    }
}

/// The delay between its start and the moment it is ready.
fn ready_after() -> Duration {
    Duration::from_millis(number("MACSIM_ESLOGGER_READY_MS").unwrap_or(0))
}

/// Returns true if the terminal belongs to another process group, or there is none.
fn is_in_background() -> bool {
    let Ok(terminal) = File::open("/dev/tty") else {
        return true;
    };
    // SAFETY: a descriptor of our own.
    unsafe { libc::tcgetpgrp(terminal.as_raw_fd()) != libc::getpgrp() }
}

fn failed(reason: &str) -> ExitCode {
    eprintln!("eslogger: {reason}");
    ExitCode::FAILURE
}
