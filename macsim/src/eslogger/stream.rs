//! The output: what real processes do, and the lines of a file.

use std::fs::File;
use std::io::{self, IsTerminal as _, Write as _};
use std::os::fd::FromRawFd as _;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use super::numbers::{Line, Numbers};
use super::{number, ready_after, variable};
use crate::live::{News, Watch};

/// Standard output, buffered as stdio does it: by lines on a terminal, otherwise in blocks.
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

/// The output so far, and where the rest comes from.
struct Stream<'a> {
    names: &'a [String],
    output: Output,
    numbers: Numbers,
    /// The events of real processes, from the moment it was ready.
    live: Receiver<Vec<u8>>,
    /// Its own process group.
    group: i32,
    numbers_own_writes: bool,
}

/// Prints the lines of the named events; returns at the end of the file if an end is set.
pub fn print(names: &[String]) -> io::Result<()> {
    let text = match variable("MACSIM_ESLOGGER_FILE") {
        Some(path) => std::fs::read(path)?,
        None => Vec::new(),
    };
    let mut output = Output::new();
    if output.terminal && variable("MACSIM_ESLOGGER_ECHO").is_some() {
        output.write(&[b"^D\x08\x08"])?;
    }
    let numbers_own_writes = output.terminal
        && names.iter().any(|name| name == "write")
        && number("MACSIM_ESLOGGER_OWN_WRITES") != Some(0);
    let mut stream = Stream {
        names,
        output,
        numbers: Numbers::default(),
        live: listen()?,
        // SAFETY: always possible.
        group: unsafe { libc::getpgrp() },
        numbers_own_writes,
    };
    let ends = variable("MACSIM_ESLOGGER_END").is_some();
    if variable("MACSIM_ESLOGGER_SILENT").is_none() {
        stream.file(&text)?;
        if !ends {
            stream.wait(None)?;
        }
    }
    if ends {
        return stream.output.flush();
    }
    // What isn't flushed stays in the buffer, as with stdio.
    loop {
        std::thread::park();
    }
}

/// Returns a channel of what real processes do from now on.
fn listen() -> io::Result<Receiver<Vec<u8>>> {
    let (sender, receiver) = channel();
    if let Some(mut watch) = Watch::open()? {
        std::thread::spawn(move || {
            while let Ok(Some(news)) = watch.next() {
                if let News::Message { json, .. } = news
                    && sender.send(json).is_err()
                {
                    break;
                }
            }
        });
    }
    Ok(receiver)
}

impl Stream<'_> {
    /// Prints a file as often as is set, and what real processes do meanwhile.
    fn file(&mut self, text: &[u8]) -> io::Result<()> {
        // Otherwise a group of the file only happens to have the number of this one.
        let real_groups = number("MACSIM_REAL_GROUPS") == Some(1);
        let lines = text.split(|&byte| byte == b'\n');
        let lines: Vec<_> = lines
            .filter_map(|line| Line::new(line, self.names))
            .filter(|line| !real_groups || !line.is_of(self.group))
            .collect();
        let rate = number("MACSIM_ESLOGGER_RATE").unwrap_or(0);
        let cut = number("MACSIM_ESLOGGER_CUT");
        let (began, ready) = (Instant::now(), ready_after());
        let (mut happened, mut count): (u64, u64) = (0, 0);
        for _ in 0..number("MACSIM_ESLOGGER_REPEAT").unwrap_or(1) {
            self.numbers.restart();
            for line in &lines {
                happened += 1;
                let mut due = Duration::ZERO;
                if let Some(nanoseconds) = (happened * 1_000_000_000).checked_div(rate) {
                    let Some(rest) = Duration::from_nanos(nanoseconds).checked_sub(ready) else {
                        self.numbers.lose(line);
                        continue;
                    };
                    due = rest;
                }
                self.wait(Some(began + due))?;
                let numbered = self.numbers.file(line);
                count += 1;
                if cut == Some(count) {
                    self.output.write(&[&numbered[..numbered.len() / 2]])?;
                    self.output.flush()?;
                    // SAFETY: ends the process.
                    unsafe { libc::raise(libc::SIGKILL) };
                }
                self.output.write(&[&numbered, b"\n"])?;
                self.written();
            }
        }
        Ok(())
    }

    /// Prints what real processes do until the given time, or forever.
    fn wait(&mut self, until: Option<Instant>) -> io::Result<()> {
        loop {
            let next = match until {
                Some(until) => {
                    let rest = until.saturating_duration_since(Instant::now());
                    self.live.recv_timeout(rest)
                }
                None => self.live.recv().map_err(RecvTimeoutError::from),
            };
            match (next, until) {
                (Ok(json), _) => self.live(json)?,
                (Err(RecvTimeoutError::Timeout), _) | (_, None) => return Ok(()),
                (Err(RecvTimeoutError::Disconnected), Some(until)) => {
                    std::thread::sleep(until.saturating_duration_since(Instant::now()));
                    return Ok(());
                }
            }
        }
    }

    /// Prints what a real process did, unless it is in the same process group.
    fn live(&mut self, json: Vec<u8>) -> io::Result<()> {
        let Some(line) = Line::new(json, self.names) else {
            return Ok(());
        };
        let numbered = self.numbers.live(&line);
        let is_lost = |name: String| line.is_event(&name);
        if line.is_of(self.group) || variable("MACSIM_ESLOGGER_LOSE").is_some_and(is_lost) {
            return Ok(());
        }
        self.output.write(&[&numbered, b"\n"])?;
        self.written();
        Ok(())
    }

    /// Counts the event of a line that was written.
    fn written(&mut self) {
        if self.numbers_own_writes {
            self.numbers.own("write");
        }
    }
}
