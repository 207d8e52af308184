//! Counters by name, as many as fit into a limited memory.

use std::cmp::Reverse;
use std::hash::BuildHasher as _;

use hashbrown::{DefaultHashBuilder, HashSet, HashTable};

use super::super::counts::{Counts, Times};
use crate::model::event::Timestamp;

/// The number of names that a table counts one by one. Beyond that, the rarest are folded together.
pub const LIMIT: usize = 100_000;

/// The counts for a name.
#[derive(Clone, Debug)]
pub struct Row {
    /// The name.
    pub name: Box<[u8]>,
    /// Stands for the name; unique among the rows of all tables that share a [`Ids`].
    pub id: u32,
    /// The number of processes with its events.
    pub processes: u32,
    /// The number of these processes that failed.
    pub failed: u32,
    /// The number of its events.
    pub events: u64,
    /// The times of its events, if requested.
    times: Option<Box<Times>>,
    /// The number of each event, if requested.
    pub counts: Counts,
}

impl Row {
    fn new(name: &[u8], ids: &mut Ids) -> Row {
        Row {
            name: name.into(),
            id: ids.next(),
            processes: 0,
            failed: 0,
            events: 0,
            times: None,
            counts: Counts::default(),
        }
    }

    /// Includes the time of another event.
    pub fn add_time(&mut self, time: Option<Timestamp>) {
        self.times.get_or_insert_default().add(time);
    }

    /// The times of its events, if requested.
    pub fn times(&self) -> Times {
        self.times.as_deref().copied().unwrap_or_default()
    }
}

/// Assigns ids to rows.
#[derive(Debug, Default)]
pub struct Ids(u32);

impl Ids {
    fn next(&mut self) -> u32 {
        // After four billion names, one may be mistaken for a much earlier one, and one process too few be counted.
        self.0 = self.0.wrapping_add(1);
        self.0
    }
}

/// The counts for the names that were folded together.
#[derive(Clone, Copy, Debug, Default)]
pub struct Folded {
    /// The number of names. A name that came again after it was folded counts each time.
    pub names: u64,
    /// Their events.
    pub events: u64,
    /// The number of events by which the count of a name can be too low, because it was folded before.
    pub error: u64,
}

/// Counters by name.
#[derive(Debug, Default)]
pub struct Table {
    rows: Vec<Row>,
    /// The places of the rows by their names.
    places: HashTable<u32>,
    hasher: DefaultHashBuilder,
    folded: Folded,
}

impl Table {
    /// The row of a name. A caller that passes the `hint` from the last time for the same name saves the search.
    pub fn row(&mut self, name: &[u8], hint: &mut u32, ids: &mut Ids) -> &mut Row {
        let is_it = |rows: &[Row], place: u32| {
            let row = rows.get(place as usize);
            row.is_some_and(|row| *row.name == *name)
        };
        if !is_it(&self.rows, *hint) {
            let hash = self.hasher.hash_one(name);
            let rehash = |place: &u32| self.hasher.hash_one(&*self.rows[*place as usize].name);
            let next = u32::try_from(self.rows.len()).unwrap_or(u32::MAX);
            let entry = self
                .places
                .entry(hash, |place| is_it(&self.rows, *place), rehash);
            *hint = *entry.or_insert(next).get();
            if *hint == next {
                self.rows.push(Row::new(name, ids));
            }
        }
        &mut self.rows[*hint as usize]
    }

    /// The row of a name that is counted already.
    pub fn known(&mut self, name: &[u8]) -> Option<&mut Row> {
        let hash = self.hasher.hash_one(name);
        let is_it = |place: &u32| *self.rows[*place as usize].name == *name;
        let place = *self.places.find(hash, is_it)?;
        self.rows.get_mut(place as usize)
    }

    /// Returns true if there are more names than are counted one by one.
    pub fn is_full(&self) -> bool {
        self.rows.len() > LIMIT
    }

    /// Folds the rarest quarter of the names together, the newest first if they are equally rare, and returns their
    /// ids.
    pub fn fold(&mut self) -> HashSet<u32> {
        let rarity = |row: &Row| (row.events, Reverse(row.id));
        let mut rarities: Vec<_> = self.rows.iter().map(rarity).collect();
        let (_, bound, _) = rarities.select_nth_unstable(LIMIT / 4);
        let bound = *bound;
        let mut ids = HashSet::new();
        self.folded.error += bound.0;
        let folded = &mut self.folded;
        self.rows.retain(|row| {
            let stays = rarity(row) > bound;
            if !stays {
                folded.names += 1;
                folded.events += row.events;
                ids.insert(row.id);
            }
            stays
        });
        self.places.clear();
        let hash = |row: &Row| self.hasher.hash_one(&*row.name);
        for (place, row) in (0..).zip(&self.rows) {
            let rehash = |place: &u32| hash(&self.rows[*place as usize]);
            self.places.insert_unique(hash(row), place, rehash);
        }
        ids
    }

    /// The counts for the names that were folded together.
    pub fn folded(&self) -> Folded {
        self.folded
    }

    /// The rows, in no particular order.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost_by_folding() {
        let (mut table, mut ids) = (Table::default(), Ids::default());
        let (mut total, mut hint) = (0, 0);
        for number in 0..3 * LIMIT {
            let name = number.to_string();
            // Every tenth name comes again and again.
            for _ in 0..if number % 10 == 0 { 3 } else { 1 } {
                table.row(name.as_bytes(), &mut 0, &mut ids).events += 1;
                total += 1;
            }
            table.row(b"often", &mut hint, &mut ids).events += 1;
            total += 1;
            if table.is_full() {
                let names = table.rows().len();
                let gone = table.fold();
                assert_eq!(table.rows().len(), names - gone.len());
                assert!(table.rows().iter().all(|row| !gone.contains(&row.id)));
            }
        }
        let folded = table.folded();
        let kept: u64 = table.rows().iter().map(|row| row.events).sum();
        assert_eq!(kept + folded.events, total);
        assert_eq!(
            table.rows().len() as u64 + folded.names,
            3 * LIMIT as u64 + 1
        );
        // Frequent names stay, and their counts are exact.
        assert_eq!(
            table.known(b"often").map(|row| row.events),
            Some(3 * LIMIT as u64)
        );
        assert_eq!(table.known(b"0").map(|row| row.events), Some(3));
    }
}
