//! Timelines as Chrome's trace-event JSON, which nearly every other viewer of timelines reads.
//!
//! This is the array form, one event per line: viewers accept it without its end. Each process is a process in Chrome's
//! terms, with one thread of the same number.

use super::super::{Format, Values, push_event_type, push_int, push_label};
use super::sheet::{
    COUNTERS, Content, Counter, Detail, MISSING, Moment, Place, Sheet, Span, UNKNOWN,
};
use super::{categories, release};
use crate::model::event::{Event, Value};
use crate::text::escape::push_fmt;

const SECOND: u64 = 1_000_000_000;

/// The largest integer that every JSON reader represents exactly.
const MAX_INT: i128 = 1 << 53;

/// Appends a JSON string. Text that is escaped for printing has no control characters, so only quotes and backslashes
/// need an escape here. Perfetto shows the text as it was printed.
fn push_string(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    let mut rest = text;
    while let Some(at) = memchr::memchr2(b'"', b'\\', rest) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(&[b'\\', rest[at]]);
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

/// Writes the contents of events as members of an object; each worker has its own.
pub struct Events {
    values: Values,
    scratch: Vec<u8>,
}

impl Events {
    pub(in super::super) fn new(values: Values) -> Events {
        Events {
            values,
            scratch: Vec::new(),
        }
    }

    fn value(&mut self, value: &Value<'_>, out: &mut Vec<u8>) {
        match value {
            Value::Bool(bool) => out.extend_from_slice(if *bool { b"true" } else { b"false" }),
            Value::Int(int) if (-MAX_INT..=MAX_INT).contains(int) => push_int(out, *int),
            _ => {
                self.scratch.clear();
                self.values.push(&mut self.scratch, value);
                push_string(out, &self.scratch);
                release(&mut self.scratch);
            }
        }
    }
}

impl Format for Events {
    fn event(&mut self, event: &Event<'_>, out: &mut Vec<u8>) -> usize {
        let start = out.len();
        out.extend_from_slice(b"\"name\":");
        self.scratch.clear();
        push_event_type(&mut self.scratch, event.event_type);
        push_string(out, &self.scratch);
        out.extend_from_slice(b",\"cat\":\"");
        for (at, category) in categories(event.event_type).iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            out.extend_from_slice(category.as_bytes());
        }
        out.extend_from_slice(b"\",\"args\":{");
        let mut separator: &[u8] = b"";
        for field in &event.fields {
            out.extend_from_slice(separator);
            separator = b",";
            self.scratch.clear();
            push_label(&mut self.scratch, field.label);
            push_string(out, &self.scratch);
            out.push(b':');
            self.value(&field.value, out);
        }
        if let Some(thread) = event.thread_id {
            out.extend_from_slice(separator);
            out.extend_from_slice(b"\"thread\":");
            self.value(&Value::Int(thread.into()), out);
        }
        start
    }
}

/// The part of this format that runs on the ordered side.
#[derive(Default)]
pub(super) struct Chrome {
    origin: Moment,
    has_begun: bool,
    /// The places other than processes that have been named.
    known: Vec<Place>,
}

impl Chrome {
    /// Appends the beginning of an object: the phase, the place and the time.
    fn open(&mut self, phase: &str, place: Place, time: Moment, out: &mut Vec<u8>) {
        out.extend_from_slice(if self.has_begun { b",\n" } else { b"" });
        self.has_begun = true;
        let time = time.saturating_sub(self.origin);
        push_fmt(
            out,
            format_args!(
                "{{\"ph\":\"{phase}\",\"ts\":{}.{:03},\"pid\":{},\"tid\":{}",
                time / 1000,
                time % 1000,
                place.process,
                place.process,
            ),
        );
    }

    fn name_process(&mut self, place: Place, name: &str, out: &mut Vec<u8>) {
        self.open("M", place, self.origin, out);
        out.extend_from_slice(b",\"name\":\"process_name\",\"args\":{\"name\":");
        push_string(out, name.as_bytes());
        out.extend_from_slice(b"}}");
    }

    /// Names a place that isn't a process, unless it has been named already.
    fn introduce(&mut self, place: Place, out: &mut Vec<u8>) {
        let name = match place {
            UNKNOWN => "unknown process",
            MISSING => "missing events",
            COUNTERS => "events/s",
            _ => return,
        };
        if !self.known.contains(&place) {
            self.known.push(place);
            self.name_process(place, name, out);
        }
    }

    fn arrow(&mut self, phase: &str, place: Place, time: Moment, arrow: u64, out: &mut Vec<u8>) {
        self.open(phase, place, time, out);
        let bound = if phase == "f" { ",\"bp\":\"e\"" } else { "" };
        push_fmt(
            out,
            format_args!(",\"name\":\"fork\",\"cat\":\"process\",\"id\":{arrow}{bound}}}"),
        );
    }
}

fn push_details(out: &mut Vec<u8>, details: &[Detail], is_first: bool) {
    for (at, detail) in details.iter().enumerate() {
        if at > 0 || !is_first {
            out.push(b',');
        }
        push_string(out, detail.name.as_bytes());
        out.push(b':');
        match &detail.value {
            Content::Int(int) => push_int(out, *int),
            Content::Text(text) => push_string(out, text.as_bytes()),
        }
    }
}

/// Appends the name, the category and the details of an object, and its end.
fn close(name: &str, category: &str, details: &[Detail], out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"name\":");
    push_string(out, name.as_bytes());
    push_fmt(out, format_args!(",\"cat\":\"{category}\",\"args\":{{"));
    push_details(out, details, true);
    out.extend_from_slice(b"}}");
}

impl Sheet for Chrome {
    /// Times are relative, because times since 1970 are not exact to the nanosecond as floating-point numbers. They are
    /// relative to the second before the first event, so that an event that is a little earlier is exact, too.
    fn earliest(&self, first: Moment) -> Moment {
        (first - first % SECOND).saturating_sub(SECOND)
    }

    fn header(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"[\n");
        // Perfetto doesn't recognise an array that has no object.
        self.introduce(COUNTERS, out);
    }

    fn begin(&mut self, first: Moment, _out: &mut Vec<u8>) {
        self.origin = self.earliest(first);
    }

    fn lane(&mut self, _lane: u64, _parent: Option<u64>, _name: &str, _out: &mut Vec<u8>) {}

    fn span(&mut self, place: Place, span: &Span, arrow: Option<u64>, out: &mut Vec<u8>) {
        self.name_process(place, &span.name, out);
        self.open("B", place, span.begin, out);
        close(&span.name, "process", &span.details, out);
        if let Some(arrow) = arrow {
            self.arrow("f", place, span.begin, arrow, out);
        }
    }

    fn span_end(&mut self, place: Place, time: Moment, details: &[Detail], out: &mut Vec<u8>) {
        self.open("E", place, time, out);
        out.extend_from_slice(b",\"args\":{");
        push_details(out, details, true);
        out.extend_from_slice(b"}}");
    }

    fn event(
        &mut self,
        place: Place,
        time: Moment,
        text: &[u8],
        arrow: Option<u64>,
        details: &[Detail],
        out: &mut Vec<u8>,
    ) {
        self.introduce(place, out);
        self.open("i", place, time, out);
        out.extend_from_slice(b",\"s\":\"t\",");
        out.extend_from_slice(text);
        push_details(out, details, text.ends_with(b"{"));
        out.extend_from_slice(b"}}");
        if let Some(arrow) = arrow {
            self.arrow("s", place, time, arrow, out);
        }
    }

    fn hide(&mut self, _text: &[u8], _out: &mut Vec<u8>) {}

    fn mark(
        &mut self,
        place: Place,
        time: Moment,
        name: &str,
        category: &str,
        details: &[Detail],
        out: &mut Vec<u8>,
    ) {
        self.introduce(place, out);
        self.open("i", place, time, out);
        let scope = if place == MISSING { "g" } else { "t" };
        push_fmt(out, format_args!(",\"s\":\"{scope}\""));
        close(name, category, details, out);
    }

    fn count(&mut self, counter: Counter, time: Moment, value: u64, out: &mut Vec<u8>) {
        let (place, name, class) = match counter {
            Counter::Events => (COUNTERS, "events/s", ""),
            Counter::Class(_, class) => (COUNTERS, "events/s %", class),
            Counter::Missing => (MISSING, "missing", ""),
        };
        self.introduce(place, out);
        self.open("C", place, time, out);
        push_fmt(
            out,
            format_args!(",\"name\":\"{name}{class}\",\"args\":{{\"value\":{value}}}}}"),
        );
    }

    fn has_open_ends(&self) -> bool {
        false
    }

    fn footer(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\n]\n");
    }
}
