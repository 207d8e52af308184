//! The selection of events, and the resulting demands on the source.

mod conditions;
mod events;
mod follow;
mod need;
mod pipeline;
mod place;
mod span;

pub use conditions::{Alternative, Conditions, Excluded, Kind, Who};
pub use events::{Selection, named};
pub use follow::{Follow, Link, Running};
pub use need::{Need, Needles, asks, needs};
pub use pipeline::OwnPipeline;
pub use place::{Compare, Pattern, Place, Tree};
pub use span::{Limit, Point, Span, duration_of};

use crate::model::event::{Event, Process};
use crate::order::fact::Chosen;

/// The conditions under which an event is shown.
#[derive(Clone, Debug)]
pub struct Filter {
    /// `-e`
    pub selection: Selection,
    /// The conditions on the event and its processes.
    pub conditions: Conditions,
    /// The pipeline that a live trace prints into, which is excluded.
    pub own: OwnPipeline,
    /// The processes (pids) above this one, if it prints to a terminal. What they do to terminals is excluded, since
    /// each printed line may make them write another one (tmux, screen, `script`).
    pub excluded_writers: Vec<i32>,
}

impl Filter {
    /// Returns true if the event is shown, unless something that looks at events in their order decides otherwise.
    pub fn passes(&self, event: &Event<'_>) -> bool {
        self.selects(event) && !self.chooses(event).is_empty()
    }

    /// Returns true if the conditions on the event hold.
    pub fn selects(&self, event: &Event<'_>) -> bool {
        self.asks_for(event) && !self.is_own(event) && !self.is_echo(event)
    }

    /// Returns true if the event would be shown, but is excluded because its process has joined the own pipeline since
    /// the trace started.
    pub fn hides(&self, event: &Event<'_>) -> bool {
        let is_known = |process: &Process<'_>| {
            let pid = process.audit_token.pid();
            pid.is_some_and(|pid| self.own.has_process(pid, process.ppid.unwrap_or(0)))
        };
        self.is_own(event)
            && !event.process.as_ref().is_some_and(is_known)
            && self.asks_for(event)
            && !self.is_echo(event)
    }

    fn asks_for(&self, event: &Event<'_>) -> bool {
        self.selection.contains(event.event_type) && self.conditions.select(event)
    }

    /// The processes of the event that meet the conditions on processes.
    pub fn chooses(&self, event: &Event<'_>) -> Chosen {
        self.conditions.choose(event)
    }

    /// Returns true if the process of the event is in a group of the own pipeline.
    fn is_own(&self, event: &Event<'_>) -> bool {
        let group = event.process.as_ref().and_then(|process| process.group_id);
        group.is_some_and(|group| self.own.has_group(group))
    }

    /// Returns true if a process above this one does something to a terminal.
    fn is_echo(&self, event: &Event<'_>) -> bool {
        let process = event.process.as_ref();
        let pid = process.and_then(|process| process.audit_token.pid());
        pid.is_some_and(|pid| self.excluded_writers.contains(&pid)) && concerns_terminal(event)
    }
}

/// Returns true if a file of the event is a terminal.
fn concerns_terminal(event: &Event<'_>) -> bool {
    let mut any = false;
    event.paths(&mut |_, path| any |= path.bytes().starts_with(b"/dev/tty"));
    any
}
