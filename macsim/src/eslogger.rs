//! A stand-in for `/usr/bin/eslogger`: `macsim eslogger EVENT...`, or macsim under the name `eslogger` in a folder that
//! `--root` names.
//!
//! It behaves as Apple's does: writes in blocks unless standard output is a terminal, leaves out the events of its own
//! process group, goes on living when there is nothing to print, and refuses without Full Disk Access. It is told by
//! environment variables, which the program that starts it passes on:
//!
//! | variable | what it sets |
//! |---|---|
//! | `MACSIM_ESLOGGER_FILE` | the lines that can be printed; those of the named events are |
//! | `MACSIM_ESLOGGER_REPEAT` | print the file so many times (1) |
//! | `MACSIM_ESLOGGER_RATE` | lines a second (as fast as they are taken) |
//! | `MACSIM_ESLOGGER_CUT` | die in the middle of the Nth line |
//! | `MACSIM_ESLOGGER_REFUSE` | `permitted`, `privileged` or `entitled`: refuse as not being that |
//! | `MACSIM_ESLOGGER_END` | end at the file's end: the exit status; without it, live until a signal |
//! | `MACSIM_ESLOGGER_ECHO` | on a terminal, write `^D` and two backspaces before the first line |
//! | `MACSIM_MACOS` | the macOS whose events there are (15.4) |
//! | `MACSIM_EUID` | who it runs as; refuses unless 0 |

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, IsTerminal as _, Write as _};
use std::os::fd::FromRawFd as _;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::json::{self, Json};
use crate::versions::{EVENT_TYPES, EventType, Version};

const DEFAULT_MACOS: &str = "15.4";

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn number(name: &str) -> Option<u64> {
    variable(name)?.parse().ok()
}

/// What eslogger was asked for.
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
    match print(&names) {
        Ok(()) => end(),
        Err(error) => failed(&error.to_string()),
    }
}

fn failed(reason: &str) -> ExitCode {
    eprintln!("eslogger: {reason}");
    ExitCode::FAILURE
}

/// What comes when there are no more events.
fn end() -> ExitCode {
    match number("MACSIM_ESLOGGER_END") {
        Some(status) => ExitCode::from(status as u8),
        None => loop {
            std::thread::park();
        },
    }
}

/// Standard output as stdio has it: by lines on a terminal, else in blocks.
struct Output {
    file: File,
    terminal: bool,
    buffer: Vec<u8>,
}

const BLOCK: usize = 8192;

impl Output {
    fn new() -> Self {
        Output {
            // SAFETY: standard output, which nothing else here writes to from now on.
            file: unsafe { File::from_raw_fd(libc::STDOUT_FILENO) },
            terminal: io::stdout().is_terminal(),
            buffer: Vec::new(),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.buffer.extend_from_slice(bytes);
        let ready = if self.terminal {
            self.buffer.len()
        } else {
            self.buffer.len() / BLOCK * BLOCK
        };
        self.file.write_all(&self.buffer[..ready])?;
        self.buffer.drain(..ready);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.write_all(&std::mem::take(&mut self.buffer))
    }
}

fn print(names: &[String]) -> io::Result<()> {
    let Some(path) = variable("MACSIM_ESLOGGER_FILE") else {
        return Ok(());
    };
    let text = std::fs::read(path)?;
    // SAFETY: always possible.
    let group = i128::from(unsafe { libc::getpgrp() });
    let wanted = |line: &&[u8]| {
        let Some(Ok((_, value))) = json::values(line).next() else {
            return !line.trim_ascii().is_empty(); // damage is passed on
        };
        let own = value
            .get("process")
            .and_then(|process| process.get("group_id"))
            .and_then(Json::int);
        match value.get("event") {
            Some(Json::Object(members)) => {
                own != Some(group) && members.iter().any(|(name, _)| names.contains(name))
            }
            _ => true,
        }
    };
    let lines: Vec<&[u8]> = text.split(|&byte| byte == b'\n').filter(wanted).collect();

    let mut output = Output::new();
    if output.terminal && variable("MACSIM_ESLOGGER_ECHO").is_some() {
        output.write(b"^D\x08\x08")?;
    }
    let (rate, cut) = (
        number("MACSIM_ESLOGGER_RATE").unwrap_or(0),
        number("MACSIM_ESLOGGER_CUT"),
    );
    let began = Instant::now();
    let mut count: u64 = 0;
    for _ in 0..number("MACSIM_ESLOGGER_REPEAT").unwrap_or(1) {
        for line in &lines {
            count += 1;
            if let Some(due) = (count * 1_000_000_000).checked_div(rate) {
                let due = Duration::from_nanos(due);
                std::thread::sleep(due.saturating_sub(began.elapsed()));
            }
            if cut == Some(count) {
                output.write(&line[..line.len() / 2])?;
                output.flush()?;
                // SAFETY: ends the process.
                unsafe { libc::raise(libc::SIGKILL) };
            }
            output.write(line)?;
            output.write(b"\n")?;
        }
    }
    if variable("MACSIM_ESLOGGER_END").is_some() {
        output.flush()?;
    }
    std::mem::forget(output); // what isn't flushed stays where stdio would have it
    Ok(())
}
