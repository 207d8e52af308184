//! The places of processes in a tree.

use std::collections::HashMap;

use super::super::processes::{Process, Processes};
use super::{Counted, NestBy};

/// The processes that have a row, in the order of the rows.
pub(super) struct Rows(pub(super) Vec<Place>);

/// The place of a process in the tree.
pub(super) struct Place {
    /// The index of the process among all processes.
    pub(super) process: usize,
    /// The number of processes above it.
    pub(super) depth: usize,
    /// True if no other process with the same parent follows.
    pub(super) is_last: bool,
}

impl Rows {
    /// Finds the places of all processes that have one.
    pub(super) fn of(processes: &Processes<Counted>, nest_by: NestBy) -> Rows {
        let parents = parents(processes, nest_by);
        // A process is shown if it was seen, or if one below it was.
        let mut is_shown = vec![false; parents.len()];
        for (place, process) in processes.iter().enumerate() {
            let mut next = process.is_seen.then_some(place);
            while let Some(place) = next.filter(|place| !is_shown[*place]) {
                is_shown[place] = true;
                next = parents[place];
            }
        }
        let mut order: Vec<_> = (0..parents.len())
            .filter(|place| is_shown[*place])
            .collect();
        order.sort_by_key(|place| processes.get(*place).and_then(Process::appeared));
        let mut children: HashMap<Option<usize>, Vec<usize>> = HashMap::new();
        for place in order {
            children.entry(parents[place]).or_default().push(place);
        }
        let mut rows = Vec::new();
        let mut open = Vec::new();
        let mut push_children = |open: &mut Vec<Place>, parent, depth| {
            let below = children.remove(&parent).unwrap_or_default();
            let places = below.into_iter().rev().enumerate();
            open.extend(places.map(|(at, process)| Place {
                process,
                depth,
                is_last: at == 0,
            }));
        };
        push_children(&mut open, None, 0);
        while let Some(place) = open.pop() {
            push_children(&mut open, Some(place.process), place.depth + 1);
            rows.push(place);
        }
        Rows(rows)
    }
}

/// The parent that each process is shown below.
fn parents(processes: &Processes<Counted>, nest_by: NestBy) -> Vec<Option<usize>> {
    let mut of_pid: HashMap<i32, Vec<usize>> = HashMap::new();
    for (place, process) in processes.iter().enumerate() {
        of_pid.entry(process.pid).or_default().push(place);
    }
    let started = |place: usize| processes.get(place).and_then(Process::started);
    for places in of_pid.values_mut() {
        places.sort_by_key(|place| started(*place));
    }
    // The process that had a pid when another one started.
    let then = |pid: Option<i32>, process: &Process<Counted>, own: usize| -> Option<usize> {
        let places = of_pid.get(&pid?)?;
        let time = process.appeared();
        let before = places.partition_point(|place| started(*place) <= time);
        let place = *places[..before].iter().rfind(|place| **place != own)?;
        let end = processes.get(place)?.end.and_then(|end| end.time);
        (end.is_none() || end >= time).then_some(place)
    };
    let mut parents: Vec<_> = processes
        .iter()
        .enumerate()
        .map(|(place, process)| {
            let parent = process
                .parent()
                .or_else(|| then(process.ppid, process, place));
            if nest_by == NestBy::Launched && is_launched(process) {
                then(process.responsible, process, place).or(parent)
            } else {
                parent
            }
        })
        .collect();
    open_circles(&mut parents);
    parents
}

/// Returns true if launchd started the process.
pub(super) fn is_launched<T>(process: &Process<T>) -> bool {
    process.ppid == Some(1)
}

/// Removes the parent of one process in every cycle: a recording may claim the impossible.
fn open_circles(parents: &mut [Option<usize>]) {
    let mut walk_of = vec![0_usize; parents.len()];
    for start in 0..parents.len() {
        let walk = start + 1;
        let mut place = start;
        while walk_of[place] == 0 {
            walk_of[place] = walk;
            match parents[place] {
                Some(parent) if walk_of[parent] == walk => parents[place] = None,
                Some(parent) => place = parent,
                None => {}
            }
        }
    }
}
