//! Stages: what looks at the events in their order.

use super::fact::{Asks, Fact};
use super::loss::Missing;

/// The events that a stage has to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Needs {
    /// Those that are shown.
    Shown,
    /// Those, and what begins and ends processes: every fork, exec and exit.
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

/// Looks at all events in their order. Says whether an event's text goes out, and may write before it and at the end.
pub trait Stage: Send {
    /// The parts of facts that it looks at.
    fn asks(&self) -> Asks {
        Asks::empty()
    }

    /// The events that it has to see.
    fn needs(&self) -> Needs {
        Needs::Lives
    }

    /// True if it takes the place of the events, which then need not be formatted.
    fn replaces_events(&self) -> bool {
        false
    }

    /// Writes what stands before all else.
    fn begin(&mut self, _out: &mut Vec<u8>) {}

    /// Looks at the next event. `shown` says whether it is shown by what comes before this stage.
    fn event(&mut self, fact: &Fact<'_>, shown: bool, out: &mut Vec<u8>) -> Verdict;

    /// Looks at what is missing so far, in all streams, where more (or less) of it is known before the next event than
    /// before. A piece of the stream is looked at as a whole: the gap can also be within the next events.
    fn missing(&mut self, _missing: &Missing, _out: &mut Vec<u8>) {}

    /// True if it has something to say meanwhile.
    fn reports(&self) -> bool {
        false
    }

    /// Writes what it has to say so far, for somebody who asks meanwhile.
    fn report(&mut self, _missing: &Missing, _out: &mut Vec<u8>) {}

    /// Writes what stands after all else.
    fn end(&mut self, _missing: &Missing, _out: &mut Vec<u8>) {}

    /// True if nothing more is wanted: the source is stopped.
    fn is_over(&self) -> bool {
        false
    }
}
