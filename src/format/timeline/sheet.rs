//! The parts of a timeline, in terms that all its formats share.

/// The place where a part of a timeline is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The lane. Processes that follow one another can share it. See [`super::lanes`].
    pub(super) lane: u64,
    /// The process, by a number that no other process has: the pid, with a multiple of [`PIDS`] added if the pid is
    /// used again.
    pub(super) process: i64,
}

/// More than any pid of macOS: `PID_MAX` is 99,999 (xnu, `bsd/sys/proc_internal.h`).
pub(super) const PIDS: i64 = 100_000;

/// The place of events whose process isn't known. Like the other places that are not processes, it has the number of a
/// second pid 0, which is the kernel's and never used again.
pub(super) const UNKNOWN: Place = Place {
    lane: 1,
    process: PIDS,
};

/// The place of missing events.
pub(super) const MISSING: Place = Place {
    lane: 2,
    process: 2 * PIDS,
};

/// The place of counters.
pub(super) const COUNTERS: Place = Place {
    lane: 3,
    process: 3 * PIDS,
};

/// The lane that all processes are drawn below.
pub(super) const PROCESSES: u64 = 4;

/// The first lane of a process.
pub(super) const FIRST_LANE: u64 = 1000;

/// Nanoseconds since 1970-01-01T00:00:00Z.
pub(super) type Moment = u64;

/// A detail with its name.
#[derive(Clone, Debug)]
pub(super) struct Detail {
    pub(super) name: &'static str,
    pub(super) value: Content,
}

/// The value of a detail.
#[derive(Clone, Debug)]
pub(super) enum Content {
    Int(i64),
    /// Text, escaped like everything that is printed.
    Text(String),
}

impl Detail {
    pub(super) fn text(name: &'static str, text: impl Into<String>) -> Detail {
        let value = Content::Text(text.into());
        Detail { name, value }
    }

    pub(super) fn int(name: &'static str, int: impl Into<i64>) -> Detail {
        let value = Content::Int(int.into());
        Detail { name, value }
    }
}

/// Something with a beginning: the time that a process spends as one image.
#[derive(Clone, Debug)]
pub(super) struct Span {
    pub(super) begin: Moment,
    /// The last component of the image, escaped.
    pub(super) name: String,
    pub(super) details: Vec<Detail>,
}

/// The subject of a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counter {
    /// Events per second.
    Events,
    /// Events of a class per second: the class's place and name.
    Class(usize, &'static str),
    /// Events that are missing so far.
    Missing,
}

/// A format of timelines. Each function appends to the output. The output so far can be read at any time.
pub(super) trait Sheet: Send {
    /// The earliest time that can be shown in a trace that begins with `first`.
    fn earliest(&self, first: Moment) -> Moment;

    /// Writes the beginning of the file.
    fn header(&mut self, out: &mut Vec<u8>);

    /// Writes what can be written as soon as the first time is known.
    fn begin(&mut self, first: Moment, out: &mut Vec<u8>);

    /// Introduces a lane, below another or at the top.
    fn lane(&mut self, lane: u64, parent: Option<u64>, name: &str, out: &mut Vec<u8>);

    /// Begins a span. If there is an arrow, it leads to the span.
    fn span(&mut self, place: Place, span: &Span, arrow: Option<u64>, out: &mut Vec<u8>);

    /// Ends the span of a place.
    fn span_end(&mut self, place: Place, time: Moment, details: &[Detail], out: &mut Vec<u8>);

    /// Shows an event, for which a worker has written `text`. If there is an arrow, it begins here.
    fn event(
        &mut self,
        place: Place,
        time: Moment,
        text: &[u8],
        arrow: Option<u64>,
        details: &[Detail],
        out: &mut Vec<u8>,
    );

    /// Hides an event, for which a worker has written `text`.
    fn hide(&mut self, text: &[u8], out: &mut Vec<u8>);

    /// Shows something that isn't an event.
    fn mark(
        &mut self,
        place: Place,
        time: Moment,
        name: &str,
        category: &str,
        details: &[Detail],
        out: &mut Vec<u8>,
    );

    /// Sets a counter.
    fn count(&mut self, counter: Counter, time: Moment, value: u64, out: &mut Vec<u8>);

    /// Returns true if spans without an end are shown as such.
    fn has_open_ends(&self) -> bool;

    /// Writes the end of the file.
    fn footer(&mut self, out: &mut Vec<u8>);
}
