//! A live trace: the choice of its source, and the explanation if macOS refuses.

#[cfg(target_os = "macos")]
mod command;
#[cfg(any(target_os = "macos", test))]
mod doctor;
#[cfg(target_os = "macos")]
mod macos;

use clap::ValueEnum;

#[cfg(target_os = "macos")]
pub use command::command;
#[cfg(target_os = "macos")]
pub use macos::{ASKING, doctor, ignored_signals, trace};

/// The source of a live trace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Choice {
    /// native; eslogger where macOS refuses that because the program isn't entitled
    #[default]
    Auto,
    /// A client of EndpointSecurity: needs root, Apple's entitlement and Full Disk Access
    Native,
    /// macOS's own eslogger: needs root and Full Disk Access
    Eslogger,
}

#[cfg(not(target_os = "macos"))]
mod elsewhere {
    use std::ffi::OsString;

    use super::Choice;
    use crate::exit::{Exit, warn};
    use crate::pipeline::Run;
    use crate::pipeline::signals::HANDLED;

    /// The signals that request a report before the end.
    pub const ASKING: &[i32] = &[signal_hook::consts::SIGUSR1];

    /// Shows events as they happen; `include_self` keeps the actions of the program itself and of its pipeline.
    pub fn trace(_: Choice, _: bool, _: Run) -> Exit {
        refuse()
    }

    /// Checks what a live trace needs and returns a report.
    ///
    /// # Errors
    /// There can be none here.
    pub fn doctor() -> Result<(String, Exit), Exit> {
        Err(refuse())
    }

    /// The signals that request the end and that were ignored when the program started, from proc(5); none if that
    /// isn't there.
    pub fn ignored_signals() -> Vec<i32> {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mask = status
            .lines()
            .find_map(|line| line.strip_prefix("SigIgn:"))
            .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
            .unwrap_or(0);
        let is_ignored = |signal: &i32| mask >> (signal - 1) & 1 == 1;
        HANDLED.into_iter().filter(is_ignored).collect()
    }

    /// Traces a command that runs as `user`, and returns its exit status.
    pub fn command(_: Choice, _: &[OsString], _: Option<&str>, _: Run) -> Exit {
        refuse()
    }

    fn refuse() -> Exit {
        warn(format_args!(
            "a live trace needs macOS; here, read a recording with -r FILE, or pipe eslogger into -r -"
        ));
        Exit::Failed
    }
}
#[cfg(not(target_os = "macos"))]
pub use elsewhere::{ASKING, command, doctor, ignored_signals, trace};
