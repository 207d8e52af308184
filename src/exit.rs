//! How a run ends, and what is said on standard error.

use std::fmt::Arguments;
use std::io::{self, Write as _};
use std::process::{ExitCode, Termination};

/// The exit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// All that was asked for was done.
    Done,
    /// Something failed, or the input was damaged.
    Failed,
    /// The options are wrong.
    Usage,
    /// Events are missing, and `--fail-on-drop` was given.
    Dropped,
    /// macOS doesn't permit a live trace.
    #[cfg(any(target_os = "macos", test))]
    NotPermitted,
    /// That of the command that was traced.
    Command(u8),
}

impl Exit {
    /// The number of it.
    pub fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Dropped => 3,
            #[cfg(any(target_os = "macos", test))]
            Exit::NotPermitted => 4,
            Exit::Command(code) => code,
        }
    }
}

impl Termination for Exit {
    fn report(self) -> ExitCode {
        ExitCode::from(self.code())
    }
}

/// Says something on standard error. That this fails is nothing that could be told anybody.
pub fn warn(message: Arguments<'_>) {
    // In one piece: others write there, too.
    let line = format!("proctracer: {message}\n");
    let _ = io::stderr().write_all(line.as_bytes());
}

/// What an error of the system says, without its number.
pub fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((text, _)) => text.to_owned(),
        None => text,
    }
}
