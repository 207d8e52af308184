//! `--tree`: the processes, each below the one that started it, and what they did.

mod places;
mod print;

use std::collections::HashMap;

use clap::ValueEnum;

use super::counts::{Counts, Times};
use super::page::{Look, Page};
use super::processes::Processes;
use super::words::{class_of, event_name, shown};
use crate::model::event::{EventType, Timestamp};
use crate::order::fact::{Asks, Fact};
use crate::order::loss::Missing;
use crate::order::stage::{Stage, Verdict};
use places::Rows;
use print::View;

/// The attribute that the events of a process are counted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum CountBy {
    /// The first class of each
    #[default]
    Classes,
    /// Each event
    Events,
}

/// The process that another one is shown below.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum NestBy {
    /// The process that forked it
    #[default]
    Parent,
    /// The process that is responsible for it, if launchd started it; otherwise the one that forked it
    Launched,
}

/// The number of names that events are counted by; the rest are counted together.
const MAX_KINDS: usize = 1000;

/// The counts for a process.
#[derive(Debug, Default)]
struct Counted {
    events: u64,
    /// The counts without its own fork, exec and exit, which its row shows otherwise.
    counts: Counts,
}

/// The tree.
pub struct Tree {
    count_by: CountBy,
    nest_by: NestBy,
    with_events: bool,
    look: Look,
    processes: Processes<Counted>,
    times: Times,
    /// The time of the first event.
    begin: Option<Timestamp>,
    has_shown: bool,
    kinds: Vec<String>,
    kind_of: HashMap<Box<[u8]>, u32>,
}

impl Tree {
    /// Creates an empty tree. If `with_events`, the events are shown, too.
    pub fn new(count_by: CountBy, nest_by: NestBy, with_events: bool, look: Look) -> Tree {
        Tree {
            count_by,
            nest_by,
            with_events,
            look,
            processes: Processes::new(usize::MAX),
            times: Times::default(),
            begin: None,
            has_shown: false,
            kinds: Vec::new(),
            kind_of: HashMap::new(),
        }
    }

    /// The number of the kind that an event is counted as.
    fn kind(&mut self, event: &EventType<'_>) -> u32 {
        let name = match self.count_by {
            CountBy::Classes => class_of(event).as_bytes().into(),
            CountBy::Events => event_name(event),
        };
        if let Some(kind) = self.kind_of.get(&*name) {
            return *kind;
        }
        let is_full = self.kinds.len() >= MAX_KINDS;
        let name = if is_full { b"others" } else { &*name };
        let kinds = &mut self.kinds;
        *self.kind_of.entry(name.into()).or_insert_with(|| {
            kinds.push(shown(name));
            u32::try_from(kinds.len() - 1).unwrap_or(u32::MAX)
        })
    }

    fn write(&self, page: Page, out: &mut Vec<u8>) {
        let rows = Rows::of(&self.processes, self.nest_by);
        let view = View::new(self, page);
        if self.look.json {
            let start = out.len();
            view.push_json(&rows, out);
            page.make_json_safe(out, start);
        } else {
            view.push_text(&rows, out);
        }
    }
}

impl Stage for Tree {
    fn asks(&self) -> Asks {
        match self.nest_by {
            NestBy::Parent => Asks::IMAGE | Asks::COMMAND,
            NestBy::Launched => Asks::IMAGE | Asks::COMMAND | Asks::JOB | Asks::LINEAGE,
        }
    }

    fn replaces_events(&self) -> bool {
        !self.with_events
    }

    fn event(&mut self, fact: &Fact<'_>, shown: bool, _: &mut Vec<u8>) -> Verdict {
        let process = self.processes.observe(fact, shown);
        self.times.add(fact.time);
        self.begin = self.begin.or(fact.time);
        if !shown {
            return Verdict::Hide;
        }
        self.has_shown = true;
        let is_life = matches!(fact.event, EventType::Known(row) if ["fork", "exec", "exit"].contains(&row.name));
        let kind = (!is_life).then(|| self.kind(&fact.event));
        if let Some(process) = process.and_then(|place| self.processes.get_mut(place)) {
            process.data.events += 1;
            if let Some(kind) = kind {
                process.data.counts.add(kind);
            }
        }
        if self.with_events {
            Verdict::Show
        } else {
            Verdict::Replace
        }
    }

    fn reports(&self) -> bool {
        true
    }

    fn report(&mut self, _: &Missing, out: &mut Vec<u8>) {
        self.write(self.look.meanwhile, out);
        self.look.push_end(out);
    }

    fn end(&mut self, _: &Missing, out: &mut Vec<u8>) {
        self.look.push_gap(out, self.has_shown);
        self.write(self.look.end, out);
    }
}
