//! Where events go.

use std::fs::File;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;

use crate::escape;
use crate::exit::{Exit, reason, warn};

/// Where events go.
#[derive(Debug)]
pub enum Output {
    /// Standard output.
    Stdout(io::Stdout),
    /// A file, and its name.
    File(File, String),
}

impl Output {
    /// A new file at `path`; what was in it is gone.
    ///
    /// # Errors
    /// Those of open(2).
    pub fn create(path: &Path) -> io::Result<Output> {
        Ok(Output::File(File::create(path)?, escape::name(path)))
    }

    /// Whether a person reads it, and a terminal acts on control characters in it.
    pub fn is_terminal(&self) -> bool {
        matches!(self, Output::Stdout(stdout) if stdout.is_terminal())
    }

    /// What it is called in a message.
    pub fn name(&self) -> &str {
        match self {
            Output::Stdout(_) => "standard output",
            Output::File(_, name) => name,
        }
    }

    /// Writes all of `bytes`.
    ///
    /// # Errors
    /// Those of write(2).
    pub fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Output::Stdout(stdout) => stdout.write_all(bytes).and_then(|()| stdout.flush()),
            Output::File(file, _) => file.write_all(bytes),
        }
    }

    /// The exit status when writing has failed: that the reader has gone is no failure.
    pub fn failed(&self, error: &io::Error, exit: Exit) -> Exit {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return exit;
        }
        warn(format_args!("{}: {}", self.name(), reason(error)));
        Exit::Failed
    }
}
