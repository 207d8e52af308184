//! Which events are shown, and what is asked of the source for it.

mod events;
mod need;
mod place;

pub use events::{Selection, named};
pub use need::{Need, asks};
pub use place::Tree;

use crate::model::event::{Event, EventType, Value};

/// What an event must be to be shown: each kind of condition holds, by any of its alternatives.
#[derive(Clone, Debug)]
pub struct Filter {
    /// `-e`
    pub selection: Selection,
    /// `-p`: where the image of the process lies. None: anywhere.
    pub images: Vec<Tree>,
    /// The process groups of the pipeline that a live trace prints into, which it leaves out.
    pub left_out: Vec<i32>,
}

impl Filter {
    /// Returns true if the event is shown, where no stage decides otherwise.
    pub fn passes(&self, event: &Event<'_>) -> bool {
        self.selects(event) && self.chooses(event)
    }

    /// Returns true if the conditions on the event hold.
    pub fn selects(&self, event: &Event<'_>) -> bool {
        self.selection.contains(event.event_type) && !self.is_left_out(event)
    }

    /// Returns true if the conditions on its processes hold.
    pub fn chooses(&self, event: &Event<'_>) -> bool {
        self.images.is_empty() || self.has_image(event)
    }

    fn is_left_out(&self, event: &Event<'_>) -> bool {
        let is_in_group = |group| self.left_out.contains(&group);
        event
            .process
            .as_ref()
            .and_then(|process| process.group_id)
            .is_some_and(is_in_group)
    }

    /// An exec is selected by the image that it comes from and by the one that it goes to.
    fn has_image(&self, event: &Event<'_>) -> bool {
        let selects = |file| self.images.iter().any(|tree| tree.contains(file));
        event
            .process
            .as_ref()
            .and_then(|process| process.executable)
            .is_some_and(selects)
            || matches!(event.event_type, EventType::Known(row) if row.name == "exec")
                && event.fields.iter().any(|field| match &field.value {
                    Value::Process(target) => target.executable.is_some_and(selects),
                    _ => false,
                })
    }
}
