//! The fate of an event: whether it is shown, its look, and whether it is recorded.

use super::{Buffers, Control, Run};
use crate::format::{Format, Json};
use crate::model::event::Event;
use crate::order::fact::{Asks, Facts, Written};
use crate::order::stage::Needs;
use crate::select::{Filter, Selection, asks, needs};

/// Shows and records the events that pass; each thread has its own.
pub(super) struct Printer {
    filter: Filter,
    /// The format in which events are shown, if they are.
    format: Option<Box<dyn Format>>,
    /// The format in which events are recorded, if they are.
    recorder: Option<Json>,
    ordered: Option<Ordered>,
    control: Control,
}

/// The needs of the stages.
struct Ordered {
    /// The events that they look at.
    events: Selection,
    asks: Asks,
    /// True if only events that are shown matter.
    shown_only: bool,
    /// True if every event matters. Otherwise, events that aren't selected matter only as parts of the lives of
    /// processes: a source need not give others.
    sees_all: bool,
    /// True if the ordered side decides which events belong to the trace.
    follows: bool,
}

impl Printer {
    pub(super) fn new(run: &Run, control: Control) -> Printer {
        let (stages, follows) = (&run.stages, run.follow.is_some());
        let ordered = run.is_ordered().then(|| Ordered {
            events: run.need().events,
            asks: asks(stages),
            shown_only: needs(stages, follows) == Needs::Shown,
            sees_all: needs(stages, follows) == Needs::All,
            follows,
        });
        Printer {
            filter: run.filter.clone(),
            format: run.formats().then(|| run.style.format()),
            recorder: run.outputs.is_recording().then(|| run.style.recorder()),
            ordered,
            control,
        }
    }

    /// A buffer for the printed text of a piece.
    pub(super) fn buffer(&self, buffers: &Buffers) -> Vec<u8> {
        match self.format {
            Some(_) => buffers.take(),
            None => Vec::new(),
        }
    }

    /// Appends the event to the printed and the recorded text, and leaves a fact if a stage needs it. Returns true if
    /// it passes the filter, provided that nothing is decided in order.
    pub(super) fn event(
        &mut self,
        event: &Event<'_>,
        text: &mut Vec<u8>,
        record: &mut Vec<u8>,
        facts: &mut Facts,
    ) -> bool {
        let Some(ordered) = &self.ordered else {
            let passes = self.filter.passes(event);
            if passes {
                self.write(event, text, record);
            }
            return passes;
        };
        if !ordered.events.contains(event.event_type) {
            return false;
        }
        let (asks, follows) = (ordered.asks, ordered.follows);
        let selected = self.filter.selects(event);
        if !selected && ordered.shown_only {
            return false;
        }
        if !selected && !ordered.sees_all && !event.is_life() {
            return false;
        }
        let chosen = self.filter.chooses(event);
        let may_be_shown = selected && (follows || !chosen.is_empty());
        if !may_be_shown && ordered.shown_only {
            return false;
        }
        let start = text.len();
        let time_at = if may_be_shown {
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
        false
    }

    /// Appends the event, unless nothing is formatted any more, and returns the position of its time.
    fn write(&mut self, event: &Event<'_>, text: &mut Vec<u8>, record: &mut Vec<u8>) -> usize {
        if self.control.hurries() {
            return text.len();
        }
        let time_at = match &mut self.format {
            Some(format) => format.event(event, text),
            None => text.len(),
        };
        if let Some(recorder) = &mut self.recorder {
            recorder.event(event, record);
        }
        time_at
    }
}
