//! The number of events per second.

use std::sync::LazyLock;

use super::sheet::{Counter, Moment};
use crate::model::catalogue::Class;
use crate::model::event::EventType;

const SECOND: u64 = 1_000_000_000;

/// The number of seconds by which an event may be earlier than the latest one and still count in the latest one's
/// second. Events of different processors are a little out of order.
const TOLERANCE: u64 = 2;

/// The number of counters: one for each class, and one for all events.
const COUNTERS: usize = Class::all().bits().count_ones() as usize + 1;

/// The names of the classes, in the order of their bits.
static NAMES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let names = Class::all()
        .iter_names()
        .map(|(name, _)| name.to_ascii_lowercase());
    names.collect()
});

/// A counter, the time of its change, and its value from then on.
pub(super) type Change = (Counter, Moment, u64);

/// Counts events by the second.
#[derive(Default)]
pub(super) struct Rates {
    /// The second that is being counted.
    second: Option<u64>,
    counts: [u64; COUNTERS],
    /// The values that were reported last.
    reported: [u64; COUNTERS],
}

impl Rates {
    /// Counts an event, and returns the changes that are now known for the seconds before.
    pub(super) fn count(&mut self, event: EventType<'_>, time: Moment) -> Vec<Change> {
        let second = time / SECOND;
        let mut changes = Vec::new();
        let is_new = self
            .second
            .is_none_or(|current| second > current || second + TOLERANCE < current);
        if is_new {
            changes = self.finish(Some(second));
            self.second = Some(second);
        }
        self.counts[COUNTERS - 1] += 1;
        if let EventType::Known(row) = event {
            let bits = row.classes.bits();
            for (at, count) in self.counts[..COUNTERS - 1].iter_mut().enumerate() {
                *count += u64::from(bits >> at & 1);
            }
        }
        changes
    }

    /// Returns the changes that remain at the end.
    pub(super) fn end(&mut self) -> Vec<Change> {
        self.finish(None)
    }

    fn finish(&mut self, next: Option<u64>) -> Vec<Change> {
        let Some(second) = self.second else {
            return Vec::new();
        };
        let mut changes = Vec::new();
        let counts = std::mem::take(&mut self.counts);
        self.report(second, counts, &mut changes);
        if next != Some(second + 1) {
            self.report(second + 1, [0; COUNTERS], &mut changes);
        }
        changes
    }

    fn report(&mut self, second: u64, counts: [u64; COUNTERS], changes: &mut Vec<Change>) {
        for (at, (count, reported)) in counts.iter().zip(&mut self.reported).enumerate().rev() {
            if count != reported {
                *reported = *count;
                let counter = match NAMES.get(at) {
                    Some(name) => Counter::Class(at, name),
                    None => Counter::Events,
                };
                changes.push((counter, second.saturating_mul(SECOND), *count));
            }
        }
    }
}
