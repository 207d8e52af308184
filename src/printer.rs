//! What becomes of an event: whether it is let through, how it is shown, and whether it is recorded.

use crate::event::Event;
use crate::filter::Filter;
use crate::format::{Format, Json};

/// Shows and records the events that are let through; each thread has its own.
pub struct Printer {
    /// What is let through.
    pub filter: Filter,
    /// How it looks.
    pub format: Box<dyn Format>,
    /// How it is recorded, if it is.
    pub recorder: Option<Json>,
}

impl Printer {
    /// Appends the event to what is printed and to what is recorded.
    pub fn event(&mut self, event: &Event<'_>, text: &mut Vec<u8>, record: &mut Vec<u8>) {
        if self.filter.passes(event) {
            self.format.event(event, text);
            if let Some(recorder) = &mut self.recorder {
                recorder.event(event, record);
            }
        }
    }
}
