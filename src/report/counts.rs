//! Small counters.

use crate::model::event::Timestamp;

/// How many of each kind are counted, by small numbers.
#[derive(Clone, Debug, Default)]
pub struct Counts(Vec<(u32, u64)>);

impl Counts {
    /// Counts one of a kind.
    pub fn add(&mut self, kind: u32) {
        if let Some((_, count)) = self.0.iter_mut().find(|(own, _)| *own == kind) {
            *count += 1;
        } else {
            // Most have few kinds, and there are many of them.
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
    /// Takes another time in.
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
