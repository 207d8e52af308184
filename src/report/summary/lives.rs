//! The number of processes that began and ended in a trace, by how they ended.

use super::super::figures::counted;
use super::super::processes::Processes;
use super::Met;
use crate::model::wait::Wait;
use crate::order::loss::Count;

/// The numbers of processes that began and ended.
#[derive(Default)]
pub(super) struct Lives {
    pub(super) seen: u64,
    pub(super) started: u64,
    pub(super) ended: u64,
    pub(super) with_zero: u64,
    pub(super) with_status: u64,
    pub(super) by_signal: u64,
    pub(super) unknown: u64,
}

impl Lives {
    /// Counts the processes that were seen.
    pub(super) fn of(processes: &Processes<Met>) -> Lives {
        let mut lives = Lives::default();
        for process in processes.iter().filter(|process| process.is_seen) {
            lives.seen += 1;
            lives.started += u64::from(process.is_forked);
            if let Some(end) = process.end {
                lives.ended += 1;
                *match end.status.map(Wait::from) {
                    Some(Wait::Exited(0)) => &mut lives.with_zero,
                    Some(Wait::Exited(_)) => &mut lives.with_status,
                    Some(Wait::Killed { .. }) => &mut lives.by_signal,
                    Some(Wait::Other) | None => &mut lives.unknown,
                } += 1;
            }
        }
        lives
    }

    /// `61 processes started, 61 ended: 42 with 0, 14 with another status, 5 by a signal`; None if there were none.
    pub(super) fn line(&self) -> Option<String> {
        if self.started + self.ended == 0 {
            return None;
        }
        let ended = match self.ended {
            0 => "none".to_owned(),
            ended => Count(ended).to_string(),
        };
        let how = [
            (self.with_zero, "with 0"),
            (self.with_status, "with another status"),
            (self.by_signal, "by a signal"),
            (self.unknown, "with an unknown status"),
        ];
        let how = how.iter().filter(|(count, _)| *count > 0);
        let how: Vec<_> = how
            .map(|(count, how)| format!("{} {how}", Count(*count)))
            .collect();
        Some(format!(
            "{} started, {ended} ended{}{}",
            counted(self.started, "process", "processes"),
            if how.is_empty() { "" } else { ": " },
            how.join(", ")
        ))
    }
}
