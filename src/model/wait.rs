//! The status that wait(2) returns, as `<sys/wait.h>` of macOS defines it.

use super::tables;

/// The end of a process, as its wait status says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// By itself, with this exit status.
    Exited(i128),
    /// By a signal.
    Killed {
        /// The name of the signal.
        signal: &'static str,
        /// True if it left a core dump.
        has_core: bool,
    },
    /// A number that wait(2) doesn't return for a process that has ended.
    Other,
}

impl From<i128> for Wait {
    fn from(status: i128) -> Self {
        const CORE: i128 = 0x80;
        let signal = status & 0x7f;
        if signal == 0 && (0..=0xffff).contains(&status) && status & CORE == 0 {
            return Wait::Exited(status >> 8);
        }
        match tables::SIGNAL.name(signal) {
            Some(signal) if (0..=0xff).contains(&status) => Wait::Killed {
                signal,
                has_core: status & CORE != 0,
            },
            _ => Wait::Other,
        }
    }
}
