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

/// The fate of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is shown.
    Shown,
    /// It would be shown, but its process has joined the own pipeline, which is left out.
    Hidden,
    /// It isn't shown, or that is decided in order.
    Other,
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

    /// Appends the event to the printed and the recorded text, and leaves a fact if a stage needs it.
    pub(super) fn event(
        &mut self,
        event: &Event<'_>,
        text: &mut Vec<u8>,
        record: &mut Vec<u8>,
        facts: &mut Facts,
    ) -> Fate {
        let Some(ordered) = &self.ordered else {
            if self.filter.passes(event) {
                self.write(event, text, record);
                return Fate::Shown;
            }
            if self.filter.hides(event) && !self.filter.chooses(event).is_empty() {
                return Fate::Hidden;
            }
            return Fate::Other;
        };
        if !ordered.events.contains(event.event_type) {
            return Fate::Other;
        }
        let (asks, follows) = (ordered.asks, ordered.follows);
        let selected = self.filter.selects(event);
        let hidden = !selected && self.filter.hides(event);
        let concerns_stages = !ordered.shown_only && (ordered.sees_all || event.is_life());
        if !selected && !hidden && !concerns_stages {
            return Fate::Other;
        }
        let chosen = self.filter.chooses(event);
        let may_belong = follows || !chosen.is_empty();
        if !may_belong && ordered.shown_only {
            return Fate::Other;
        }
        let may_be_shown = selected && may_belong;
        let start = text.len();
        let time_at = if may_be_shown {
            self.write(event, text, record)
        } else {
            start
        };
        let written = Written {
            selected,
            hidden,
            chosen,
            time_at: time_at - start,
            text_end: text.len(),
            record_end: record.len(),
        };
        facts.push(event, asks, written);
        Fate::Other
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
