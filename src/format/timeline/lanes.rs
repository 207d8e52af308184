//! Lanes: the places where processes are drawn, each below that of its parent.
//!
//! A lane is used again as soon as its process and all processes below it have ended. A shell that ran a thousand
//! commands has only as many lanes below it as it had commands at the same time.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::sheet::{FIRST_LANE, Moment};

/// The maximum depth of nested lanes. Perfetto's trace processor refuses deeper trees, and nobody could read them;
/// children below that depth are drawn beside their parent.
const MAX_DEPTH: usize = 8;

/// The number of free lanes that are tried one after the other.
const MAX_TRIED: usize = 16;

/// All lanes that can still be used.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    lanes: HashMap<u64, Lane>,
    /// The lanes at the top that are free to be used again, by name.
    free: HashMap<String, Free>,
    count: u64,
}

#[derive(Debug, Default)]
struct Lane {
    parent: Option<u64>,
    depth: usize,
    /// The name of the processes that share this lane one after the other, if it is a shared lane at the top.
    shared: Option<String>,
    children: Vec<u64>,
    free: Free,
    /// The number of its children that are not free.
    busy: usize,
    is_used: bool,
    /// The time at which its last process ended. Times can go back, and processes that overlap can't be drawn on one
    /// lane.
    until: Moment,
}

/// Lanes that are free to be used again.
#[derive(Debug, Default)]
struct Free {
    /// The time at which the last process of each lane ended.
    until: BTreeMap<u64, Moment>,
    by_time: BTreeSet<(Moment, u64)>,
}

impl Free {
    fn insert(&mut self, lane: u64, until: Moment) {
        self.until.insert(lane, until);
        self.by_time.insert((until, lane));
    }

    /// Removes a lane whose last process had ended by that time: the first one, unless in a recording whose times go
    /// back too many of the first don't fit.
    fn take(&mut self, begin: Moment) -> Option<u64> {
        let has_ended = |(_, until): &(&u64, &Moment)| **until <= begin;
        let first = self.until.iter().take(MAX_TRIED).find(has_ended);
        let (lane, until) = if let Some((lane, until)) = first {
            (*lane, *until)
        } else {
            let (until, lane) = self.by_time.first().filter(|(until, _)| *until <= begin)?;
            (*lane, *until)
        };
        self.until.remove(&lane);
        self.by_time.remove(&(until, lane));
        Some(lane)
    }
}

/// A lane that was taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Taken {
    pub(super) lane: u64,
    /// The lane that it is drawn below.
    pub(super) parent: Option<u64>,
    pub(super) is_new: bool,
}

impl Lanes {
    /// Takes a lane below another, which is in use, for a process that began at that time.
    pub(super) fn take_below(&mut self, lane: u64, begin: Moment) -> Taken {
        let parent = match self.lanes.get(&lane) {
            Some(Lane {
                depth: MAX_DEPTH..,
                parent: Some(parent),
                ..
            }) => *parent,
            _ => lane,
        };
        let Some(above) = self.lanes.get_mut(&parent) else {
            return self.take_own();
        };
        let depth = above.depth + 1;
        above.busy += 1;
        if let Some(lane) = above.free.take(begin) {
            return self.take(lane, Some(parent));
        }
        let lane = self.insert(Lane {
            parent: Some(parent),
            depth,
            is_used: true,
            ..Lane::default()
        });
        if let Some(above) = self.lanes.get_mut(&parent) {
            above.children.push(lane);
        }
        Taken {
            lane,
            parent: Some(parent),
            is_new: true,
        }
    }

    /// Takes a lane at the top that no other process will use.
    pub(super) fn take_own(&mut self) -> Taken {
        self.take_at_top(None)
    }

    /// Takes a lane at the top that processes of this name use one after the other, for one that began at that time.
    pub(super) fn take_shared(&mut self, name: &str, begin: Moment) -> Taken {
        match self.free.get_mut(name).and_then(|free| free.take(begin)) {
            Some(lane) => self.take(lane, None),
            None => self.take_at_top(Some(name.to_owned())),
        }
    }

    fn take(&mut self, lane: u64, parent: Option<u64>) -> Taken {
        if let Some(lane) = self.lanes.get_mut(&lane) {
            lane.is_used = true;
        }
        Taken {
            lane,
            parent,
            is_new: false,
        }
    }

    fn take_at_top(&mut self, shared: Option<String>) -> Taken {
        let lane = self.insert(Lane {
            shared,
            is_used: true,
            ..Lane::default()
        });
        Taken {
            lane,
            parent: None,
            is_new: true,
        }
    }

    fn insert(&mut self, lane: Lane) -> u64 {
        let number = FIRST_LANE + self.count;
        self.count += 1;
        self.lanes.insert(number, lane);
        number
    }

    /// Notes that the process of a lane has ended.
    pub(super) fn leave(&mut self, number: u64, end: Moment) {
        if let Some(lane) = self.lanes.get_mut(&number) {
            lane.is_used = false;
            lane.until = end;
        }
        let mut next = Some(number);
        while let Some(number) = next {
            next = match self.lanes.get_mut(&number) {
                Some(lane) if !lane.is_used && lane.busy == 0 => self.free(number),
                _ => None,
            };
        }
    }

    /// Marks a lane as free to be used again, and returns the lane above it.
    fn free(&mut self, number: u64) -> Option<u64> {
        let lane = self.lanes.get(&number)?;
        let until = lane.until;
        let Some(parent) = lane.parent else {
            match lane.shared.clone() {
                Some(name) => {
                    self.free.entry(name).or_default().insert(number, until);
                }
                None => self.forget(number),
            }
            return None;
        };
        let above = self.lanes.get_mut(&parent)?;
        above.busy -= 1;
        above.free.insert(number, until);
        Some(parent)
    }

    fn forget(&mut self, number: u64) {
        let mut numbers = vec![number];
        while let Some(number) = numbers.pop() {
            let lane = self.lanes.remove(&number);
            numbers.extend(lane.into_iter().flat_map(|lane| lane.children));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_is_used_again_when_all_below_it_has_ended() {
        let mut lanes = Lanes::default();
        let shell = lanes.take_own().lane;
        let make = lanes.take_below(shell, 5).lane;
        let clang = lanes.take_below(make, 5).lane;
        lanes.leave(make, 5);
        let other = lanes.take_below(shell, 5);
        assert!(other.is_new, "make's child still runs");
        lanes.leave(clang, 5);
        let again = Taken {
            lane: make,
            parent: Some(shell),
            is_new: false,
        };
        assert_eq!(lanes.take_below(shell, 5), again);
        assert_eq!(lanes.take_below(make, 5).lane, clang);
    }

    #[test]
    fn lanes_at_the_top_are_shared_by_name() {
        let mut lanes = Lanes::default();
        let worker = lanes.take_shared("worker", 5);
        assert_ne!(lanes.take_shared("worker", 5).lane, worker.lane);
        lanes.leave(worker.lane, 5);
        assert_ne!(lanes.take_shared("other", 5).lane, worker.lane);
        assert_eq!(lanes.take_shared("worker", 5).lane, worker.lane);
    }

    #[test]
    fn what_overlaps_has_lanes_of_its_own() {
        let mut lanes = Lanes::default();
        let shell = lanes.take_own().lane;
        let late = lanes.take_below(shell, 20).lane;
        lanes.leave(late, 30);
        assert!(lanes.take_below(shell, 29).is_new, "times went back");
        assert_eq!(lanes.take_below(shell, 30).lane, late);
    }

    #[test]
    fn a_lane_that_fits_is_found_among_any_number() {
        const COUNT: u64 = 100_000;
        let mut lanes = Lanes::default();
        let shell = lanes.take_own().lane;
        // Each process begins earlier than the one before it ended.
        let mut all = Vec::new();
        for earlier in 0..COUNT {
            let taken = lanes.take_below(shell, COUNT - earlier);
            assert!(taken.is_new);
            lanes.leave(taken.lane, 2 * COUNT - earlier);
            all.push(taken.lane);
        }
        for (later, lane) in (1..).zip(all.iter().rev()) {
            assert_eq!(lanes.take_below(shell, COUNT + later).lane, *lane);
        }
        assert!(lanes.take_below(shell, 3 * COUNT).is_new);
    }

    #[test]
    fn what_is_not_used_again_is_forgotten() {
        let mut lanes = Lanes::default();
        for _ in 0..10 {
            let top = lanes.take_own().lane;
            let below = lanes.take_below(top, 5).lane;
            lanes.leave(top, 5);
            lanes.leave(below, 5);
        }
        assert_eq!(lanes.lanes.len(), 0);
    }

    #[test]
    fn deep_trees_are_cut() {
        let mut lanes = Lanes::default();
        let mut lane = lanes.take_own().lane;
        for _ in 0..100 {
            lane = lanes.take_below(lane, 5).lane;
        }
        let deepest = lanes.lanes.values().map(|lane| lane.depth).max();
        assert_eq!(deepest, Some(MAX_DEPTH));
    }
}
