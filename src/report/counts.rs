//! Small counters.

use crate::model::event::Timestamp;

/// The number of occurrences of each kind; kinds are small numbers.
#[derive(Clone, Debug, Default)]
pub struct Counts(Vec<(u32, u64)>);

impl Counts {
    /// Counts one occurrence of a kind.
    pub fn add(&mut self, kind: u32) {
        if let Some((_, count)) = self.0.iter_mut().find(|(own, _)| *own == kind) {
            *count += 1;
        } else {
            // There are many counters, and most have few kinds.
            self.0.reserve_exact(1);
            self.0.push((kind, 1));
        }
    }

    /// The kinds, in the order in which they first came, with their counts.
    pub fn iter(&self) -> impl Iterator<Item = (u32, u64)> {
        self.0.iter().copied()
    }
}

/// The first and the last of some times.
#[derive(Clone, Copy, Debug, Default)]
pub struct Times(Option<(Timestamp, Timestamp)>);

impl Times {
    /// Includes another time.
    pub fn add(&mut self, time: Option<Timestamp>) {
        if let Some(time) = time {
            let (first, last) = self.0.unwrap_or((time, time));
            self.0 = Some((first.min(time), last.max(time)));
        }
    }

    /// The earliest.
    pub fn first(&self) -> Option<Timestamp> {
        self.0.map(|(first, _)| first)
    }

    /// The latest.
    pub fn last(&self) -> Option<Timestamp> {
        self.0.map(|(_, last)| last)
    }
}
