//! What becomes of an event: whether it is shown, how it looks, and whether it is recorded.

use super::Run;
use crate::format::{Format, Json};
use crate::model::event::Event;
use crate::order::fact::{Asks, Facts, Written};
use crate::select::{Filter, Selection, asks};

/// Shows and records the events that pass; each thread has its own.
pub(super) struct Printer {
    filter: Filter,
    format: Box<dyn Format>,
    /// How events are recorded, if they are.
    recorder: Option<Json>,
    ordered: Option<Ordered>,
}

/// What the stages need.
struct Ordered {
    /// The events that they look at.
    events: Selection,
    asks: Asks,
    /// True if a stage decides which events belong to the trace.
    chooses: bool,
}

impl Printer {
    pub(super) fn new(run: &Run) -> Printer {
        let stages = &run.stages;
        let ordered = (!stages.is_empty()).then(|| Ordered {
            events: run.filter.need(stages).events,
            asks: asks(stages),
            chooses: stages.iter().any(|stage| stage.chooses()),
        });
        Printer {
            filter: run.filter.clone(),
            format: run.style.format(),
            recorder: run.outputs.is_recording().then(|| run.style.recorder()),
            ordered,
        }
    }

    /// Appends the event to what is printed and to what is recorded, and leaves a fact where a stage asks for it.
    pub(super) fn event(
        &mut self,
        event: &Event<'_>,
        text: &mut Vec<u8>,
        record: &mut Vec<u8>,
        facts: &mut Facts,
    ) {
        let Some(ordered) = &self.ordered else {
            if self.filter.passes(event) {
                self.write(event, text, record);
            }
            return;
        };
        if !ordered.events.contains(event.event_type) {
            return;
        }
        let (asks, chooses) = (ordered.asks, ordered.chooses);
        let selected = self.filter.selects(event);
        let chosen = self.filter.chooses(event);
        let start = text.len();
        let time_at = if selected && (chosen || chooses) {
            self.write(event, text, record)
        } else {
            start
        };
        let written = Written {
            selected,
            chosen,
            time_at: time_at - start,
            text_end: text.len(),
            record_end: record.len(),
        };
        facts.push(event, asks, written);
    }

    /// Appends the event, and returns where its time is.
    fn write(&mut self, event: &Event<'_>, text: &mut Vec<u8>, record: &mut Vec<u8>) -> usize {
        let time_at = self.format.event(event, text);
        if let Some(recorder) = &mut self.recorder {
            recorder.event(event, record);
        }
        time_at
    }
}
