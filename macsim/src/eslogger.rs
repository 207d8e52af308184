//! A stand-in for `/usr/bin/eslogger`: `macsim eslogger EVENT...`, or macsim under the name `eslogger` in a folder that
//! `--root` names.
//!
//! It behaves as Apple's does:
//! - it says nothing when it is ready, and what happens before is lost;
//! - it writes in blocks unless standard output is a terminal. There each line that it writes is a `write` event of its
//!   own, which takes sequence numbers and is left out;
//! - it leaves out the events of its own process group;
//! - it goes on living when there is nothing to print, and ignores SIGINT in the background;
//! - it refuses without root and without Full Disk Access.
//!
//! Environment variables set the rest, which the program that starts it passes on:
//!
//! | variable | what it sets |
//! |---|---|
//! | `MACSIM_ESLOGGER_FILE` | the lines that can be printed; those of the named events are |
//! | `MACSIM_ESLOGGER_REPEAT` | print the file so many times (1) |
//! | `MACSIM_ESLOGGER_RATE` | lines a second (as fast as they are taken) |
//! | `MACSIM_ESLOGGER_READY_MS` | be ready after so long (0); with a rate, the file's first lines happen before that |
//! | `MACSIM_ESLOGGER_SILENT` | print nothing, ever |
//! | `MACSIM_ESLOGGER_DIE` | instead of becoming ready, end: the exit status |
//! | `MACSIM_ESLOGGER_CUT` | die in the middle of the Nth line |
//! | `MACSIM_ESLOGGER_REFUSE` | `permitted`, `privileged` or `entitled`: refuse as not being that |
//! | `MACSIM_ESLOGGER_END` | end at the file's end: the exit status; without it, live until a signal |
//! | `MACSIM_ESLOGGER_ECHO` | on a terminal, write `^D` and two backspaces before the first line |
//! | `MACSIM_ESLOGGER_OWN_WRITES` | 0: what it writes isn't numbered |
//! | `MACSIM_MACOS` | the macOS whose events there are (15.4) |
//! | `MACSIM_EUID` | who it runs as; refuses unless 0 |

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, IsTerminal as _, Write as _};
use std::ops::Range;
use std::os::fd::{AsRawFd as _, FromRawFd as _};
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
    if is_in_background() {
        // SAFETY: changes what a signal does, nothing else.
        unsafe { libc::signal(libc::SIGINT, libc::SIG_IGN) };
    }
    std::thread::sleep(ready_after());
    if let Some(status) = number("MACSIM_ESLOGGER_DIE") {
        return ExitCode::from(status as u8);
    }
    match print(&names) {
        Ok(()) => end(),
        Err(error) => failed(&error.to_string()),
    }
}

/// How long after its start it is ready.
fn ready_after() -> Duration {
    Duration::from_millis(number("MACSIM_ESLOGGER_READY_MS").unwrap_or(0))
}

/// Returns true if the terminal is another process group's, or there is none.
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

    /// Writes the parts of a line; on a terminal, with one call.
    fn write(&mut self, parts: &[&[u8]]) -> io::Result<()> {
        for part in parts {
            self.buffer.extend_from_slice(part);
        }
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

/// A line of the file.
struct Line<'a> {
    bytes: &'a [u8],
    /// The name of its event; nothing where it has none.
    event: String,
    /// The number among those of its type, and where it is.
    of_type: Option<(Range<usize>, u64)>,
    /// The number among all.
    of_all: Option<(Range<usize>, u64)>,
}

impl<'a> Line<'a> {
    /// Reads a line; `None` where it isn't printed, because it is of another event or of this process group.
    fn new(bytes: &'a [u8], names: &[String], group: i128) -> Option<Self> {
        let value = json::values(bytes).next().and_then(Result::ok);
        let own = value.as_ref().and_then(|(_, value)| {
            value
                .get("process")
                .and_then(|process| process.get("group_id"))
                .and_then(Json::int)
        });
        let event = match value.as_ref().and_then(|(_, value)| value.get("event")) {
            Some(Json::Object(members)) => {
                if own == Some(group) {
                    return None;
                }
                Some(members.iter().find(|(name, _)| names.contains(name))?)
            }
            _ if bytes.trim_ascii().is_empty() => return None,
            _ => None, // damage is passed on
        };
        Some(Line {
            bytes,
            event: event.map(|(name, _)| name.clone()).unwrap_or_default(),
            of_type: number_behind(bytes, b"\"seq_num\":"),
            of_all: number_behind(bytes, b"\"global_seq_num\":"),
        })
    }
}

/// The number behind a key, and where it is.
fn number_behind(line: &[u8], key: &[u8]) -> Option<(Range<usize>, u64)> {
    let at = line.windows(key.len()).position(|part| part == key)? + key.len();
    let digits = line[at..].iter().take_while(|byte| byte.is_ascii_digit());
    let place = at..at + digits.count();
    let number = std::str::from_utf8(&line[place.clone()])
        .ok()?
        .parse()
        .ok()?;
    Some((place, number))
}

/// What is added to the file's sequence numbers and taken from them.
#[derive(Default)]
struct Numbers<'a> {
    /// `write` events of its own, which the file doesn't have.
    own_writes: u64,
    /// So many of all, and of a type, happened before it was ready.
    lost: u64,
    lost_of: HashMap<&'a str, u64>,
}

impl<'a> Numbers<'a> {
    /// A line happens before it is ready, so that its numbers are given to later ones.
    fn lose(&mut self, line: &'a Line) {
        self.lost = line.of_all.as_ref().map_or(0, |(_, number)| number + 1);
        let next = line.of_type.as_ref().map_or(0, |(_, number)| number + 1);
        self.lost_of.insert(&line.event, next);
    }

    /// The line with its numbers.
    fn put(&self, line: &Line<'a>) -> Cow<'a, [u8]> {
        let own = if line.event == "write" {
            self.own_writes
        } else {
            0
        };
        let lost = self.lost_of.get(line.event.as_str()).copied().unwrap_or(0);
        let mut changes = vec![
            (&line.of_type, own, lost),
            (&line.of_all, self.own_writes, self.lost),
        ];
        changes.retain(|(_, more, less)| more != less);
        // The place that comes later first, so that the other one stays where it is.
        changes.sort_by_key(|(number, ..)| number.as_ref().map(|(place, _)| Reverse(place.start)));
        let mut bytes = Cow::Borrowed(line.bytes);
        for (number, more, less) in changes {
            if let Some((place, number)) = number {
                let number = (number + more).saturating_sub(less).to_string();
                bytes.to_mut().splice(place.clone(), number.into_bytes());
            }
        }
        bytes
    }
}

fn print(names: &[String]) -> io::Result<()> {
    let Some(path) = variable("MACSIM_ESLOGGER_FILE") else {
        return Ok(());
    };
    let text = std::fs::read(path)?;
    if variable("MACSIM_ESLOGGER_SILENT").is_some() {
        return Ok(());
    }
    // SAFETY: always possible.
    let group = i128::from(unsafe { libc::getpgrp() });
    let lines = text.split(|&byte| byte == b'\n');
    let lines: Vec<_> = lines
        .filter_map(|line| Line::new(line, names, group))
        .collect();

    let mut output = Output::new();
    if output.terminal && variable("MACSIM_ESLOGGER_ECHO").is_some() {
        output.write(&[b"^D\x08\x08"])?;
    }
    let numbers_own_writes = output.terminal
        && names.iter().any(|name| name == "write")
        && number("MACSIM_ESLOGGER_OWN_WRITES") != Some(0);
    let (rate, cut) = (
        number("MACSIM_ESLOGGER_RATE").unwrap_or(0),
        number("MACSIM_ESLOGGER_CUT"),
    );
    let (began, ready) = (Instant::now(), ready_after());
    let mut count: u64 = 0;
    let mut numbers = Numbers::default();
    for _ in 0..number("MACSIM_ESLOGGER_REPEAT").unwrap_or(1) {
        numbers.own_writes = 0; // the file's numbers begin again, too
        for line in &lines {
            count += 1;
            if let Some(due) = (count * 1_000_000_000).checked_div(rate) {
                let Some(due) = Duration::from_nanos(due).checked_sub(ready) else {
                    numbers.lose(line);
                    continue;
                };
                std::thread::sleep(due.saturating_sub(began.elapsed()));
            }
            let line = numbers.put(line);
            if cut == Some(count) {
                output.write(&[&line[..line.len() / 2]])?;
                output.flush()?;
                // SAFETY: ends the process.
                unsafe { libc::raise(libc::SIGKILL) };
            }
            output.write(&[&line, b"\n"])?;
            numbers.own_writes += u64::from(numbers_own_writes);
        }
    }
    if variable("MACSIM_ESLOGGER_END").is_some() {
        output.flush()?;
    }
    std::mem::forget(output); // what isn't flushed stays where stdio would have it
    Ok(())
}
