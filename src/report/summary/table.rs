//! Counters by name, as many as memory is meant for.

use std::cmp::Reverse;

use hashbrown::{HashMap, HashSet};

use super::super::counts::{Counts, Times};
use crate::model::event::Timestamp;

/// How many names a table counts one by one. Beyond that the rarest are folded together.
pub const LIMIT: usize = 100_000;

/// What is counted of a name.
#[derive(Clone, Debug)]
pub struct Row {
    /// Stands for the name; unique among the rows of all tables that share a [`Ids`].
    pub id: u32,
    /// The processes that its events are of.
    pub processes: u32,
    /// The processes that failed.
    pub failed: u32,
    /// Its events.
    pub events: u64,
    /// When they happened, where that is asked for.
    times: Option<Box<Times>>,
    /// How many of each event, where that is asked for.
    pub counts: Counts,
}

impl Row {
    /// Takes the time of another event in.
    pub fn add_time(&mut self, time: Option<Timestamp>) {
        self.times.get_or_insert_default().add(time);
    }

    /// When its events happened, where that was asked for.
    pub fn times(&self) -> Times {
        self.times.as_deref().copied().unwrap_or_default()
    }
}

/// Gives rows their ids.
#[derive(Debug, Default)]
pub struct Ids(u32);

impl Ids {
    fn next(&mut self) -> u32 {
        // After four billion names one may be taken for another of long ago, and one process too few be counted.
        self.0 = self.0.wrapping_add(1);
        self.0
    }
}

/// What was folded together.
#[derive(Clone, Copy, Debug, Default)]
pub struct Folded {
    /// The number of names, one that came again after it was folded counted each time.
    pub names: u64,
    /// Their events.
    pub events: u64,
    /// By how many events the count of a name can be too low, because it was folded before.
    pub error: u64,
}

/// Counters by name.
#[derive(Debug, Default)]
pub struct Table {
    rows: HashMap<Vec<u8>, Row>,
    folded: Folded,
}

impl Table {
    /// The row of a name.
    pub fn row(&mut self, name: &[u8], ids: &mut Ids) -> &mut Row {
        self.rows.entry_ref(name).or_insert_with(|| Row {
            id: ids.next(),
            processes: 0,
            failed: 0,
            events: 0,
            times: None,
            counts: Counts::default(),
        })
    }

    /// The row of a name that is counted already.
    pub fn known(&mut self, name: &[u8]) -> Option<&mut Row> {
        self.rows.get_mut(name)
    }

    /// Returns true if there are more names than are counted one by one.
    pub fn is_full(&self) -> bool {
        self.rows.len() > LIMIT
    }

    /// Folds the rarest quarter of the names together, the newest first where they are equally rare, and returns their
    /// ids.
    pub fn fold(&mut self) -> HashSet<u32> {
        let rarity = |row: &Row| (row.events, Reverse(row.id));
        let mut rarities: Vec<_> = self.rows.values().map(rarity).collect();
        let (_, bound, _) = rarities.select_nth_unstable(LIMIT / 4);
        let bound = *bound;
        let mut ids = HashSet::new();
        self.folded.error += bound.0;
        let folded = &mut self.folded;
        self.rows.retain(|_, row| {
            let stays = rarity(row) > bound;
            if !stays {
                folded.names += 1;
                folded.events += row.events;
                ids.insert(row.id);
            }
            stays
        });
        ids
    }

    /// What was folded together.
    pub fn folded(&self) -> Folded {
        self.folded
    }

    /// The names and their rows, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &Row)> {
        self.rows.iter().map(|(name, row)| (name.as_slice(), row))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost_by_folding() {
        let (mut table, mut ids) = (Table::default(), Ids::default());
        let mut total = 0;
        for number in 0..3 * LIMIT {
            let name = number.to_string();
            // Every tenth comes again and again.
            for _ in 0..if number % 10 == 0 { 3 } else { 1 } {
                table.row(name.as_bytes(), &mut ids).events += 1;
                total += 1;
            }
            table.row(b"often", &mut ids).events += 1;
            total += 1;
            if table.is_full() {
                let names = table.iter().count();
                let gone = table.fold();
                assert_eq!(table.iter().count(), names - gone.len());
                assert!(table.iter().all(|(_, row)| !gone.contains(&row.id)));
            }
        }
        let folded = table.folded();
        let kept: u64 = table.iter().map(|(_, row)| row.events).sum();
        assert_eq!(kept + folded.events, total);
        assert_eq!(
            table.iter().count() as u64 + folded.names,
            3 * LIMIT as u64 + 1
        );
        // What is frequent stays, and those that are left are counted to the last.
        assert_eq!(
            table.known(b"often").map(|row| row.events),
            Some(3 * LIMIT as u64)
        );
        assert_eq!(table.known(b"0").map(|row| row.events), Some(3));
    }
}
