//! Stages, which look at the events in their order.

use super::fact::{Asks, Fact};
use super::loss::Missing;

/// The events that a stage has to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Needs {
    /// The events that are shown.
    Shown,
    /// The events that are shown, and those that begin and end processes: every fork, exec and exit.
    Lives,
    /// Every event.
    All,
}

/// The verdict of a stage on an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is shown.
    Show,
    /// It isn't shown.
    Hide,
    /// It counts as shown, but its text isn't written: the stage writes something else.
    Replace,
}

/// Looks at all events in their order. Decides whether an event's text is written, and may write before it and at the
/// end.
pub trait Stage: Send {
    /// The parts of facts that it looks at.
    fn asks(&self) -> Asks {
        Asks::empty()
    }

    /// The events that it has to see.
    fn needs(&self) -> Needs {
        Needs::Lives
    }

    /// Returns true if it takes the place of the events, which then need not be formatted.
    fn replaces_events(&self) -> bool {
        false
    }

    /// Writes what comes before everything else.
    fn begin(&mut self, _out: &mut Vec<u8>) {}

    /// Looks at the next event. `shown` is true if everything before this stage shows it.
    fn event(&mut self, fact: &Fact<'_>, shown: bool, out: &mut Vec<u8>) -> Verdict;

    /// Looks at the events that are missing so far in all streams, whenever their number has changed before the next
    /// event. A piece of the stream is looked at as a whole: the gap can also be among the next events.
    fn missing(&mut self, _missing: &Missing, _out: &mut Vec<u8>) {}

    /// Returns true if it can report while the trace goes on.
    fn reports(&self) -> bool {
        false
    }

    /// Writes a report on the trace so far, when one is requested.
    fn report(&mut self, _missing: &Missing, _out: &mut Vec<u8>) {}

    /// Writes what comes after everything else.
    fn end(&mut self, _missing: &Missing, _out: &mut Vec<u8>) {}

    /// Returns true if it wants no more events: the source is stopped.
    fn is_over(&self) -> bool {
        false
    }
}
