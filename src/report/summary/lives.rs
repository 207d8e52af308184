//! The number of processes that began and ended in a trace, by how they ended.

use super::super::figures::counted;
use super::super::processes::Process;
use super::Met;
use crate::model::wait::Wait;
use crate::order::loss::Count;

/// The numbers of processes that began and ended.
#[derive(Clone, Copy, Default)]
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
    /// Counts a process if it was seen.
    pub(super) fn add(&mut self, process: &Process<Met>) {
        if !process.is_seen {
            return;
        }
        self.seen += 1;
        self.started += u64::from(process.is_forked);
        if let Some(end) = process.end {
            self.ended += 1;
            *match end.status.map(Wait::from) {
                Some(Wait::Exited(0)) => &mut self.with_zero,
                Some(Wait::Exited(_)) => &mut self.with_status,
                Some(Wait::Killed { .. }) => &mut self.by_signal,
                Some(Wait::Other) | None => &mut self.unknown,
            } += 1;
        }
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
