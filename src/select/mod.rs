//! The selection of events, and the resulting demands on the source.

mod conditions;
mod events;
mod follow;
mod need;
mod place;
mod span;

pub use conditions::{Alternative, Conditions, Excluded, Kind, Who};
pub use events::{Selection, named};
pub use follow::{Follow, Link, Running};
pub use need::{Need, Needles, asks, needs};
pub use place::{Compare, Pattern, Place, Tree};
pub use span::{Limit, Point, Span, duration_of};

use crate::model::event::Event;
use crate::order::fact::Chosen;

/// The conditions under which an event is shown.
#[derive(Clone, Debug)]
pub struct Filter {
    /// `-e`
    pub selection: Selection,
    /// The conditions on the event and its processes.
    pub conditions: Conditions,
    /// The process groups of the pipeline that a live trace prints into, which are excluded.
    pub excluded_groups: Vec<i32>,
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
        self.selection.contains(event.event_type)
            && self.conditions.select(event)
            && !self.is_excluded(event)
    }

    /// The processes of the event that meet the conditions on processes.
    pub fn chooses(&self, event: &Event<'_>) -> Chosen {
        self.conditions.choose(event)
    }

    fn is_excluded(&self, event: &Event<'_>) -> bool {
        let Some(process) = &event.process else {
            return false;
        };
        let is_in_group = |group| self.excluded_groups.contains(&group);
        let is_writer = |pid| self.excluded_writers.contains(&pid);
        process.group_id.is_some_and(is_in_group)
            || process.audit_token.pid().is_some_and(is_writer) && concerns_terminal(event)
    }
}

/// Returns true if a file of the event is a terminal.
fn concerns_terminal(event: &Event<'_>) -> bool {
    let mut any = false;
    event.paths(&mut |_, path| any |= path.bytes().starts_with(b"/dev/tty"));
    any
}
