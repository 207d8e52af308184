//! Wording that reports share.

use std::borrow::Cow;
use std::cmp::Reverse;

use super::counts::Times;
use super::figures::nanos_between;
use super::processes::{End, Process};
use crate::model::event::{EventType, Timestamp};
use crate::order::loss::{Count, Missing};
use crate::text::clock::Clock;
use crate::text::escape;
use crate::text::json::Writer;

/// The class that is shown for an event unknown to this build.
const UNKNOWN: &str = "unknown";

/// The exit that is shown for a process that is still running.
const RUNNING: &str = "·";

/// A name, escaped.
pub fn shown(name: &[u8]) -> String {
    let mut out = Vec::new();
    escape::push_bytes(&mut out, name);
    // Bytes that aren't UTF-8 have been escaped.
    String::from_utf8_lossy(&out).into_owned()
}

/// The name of an event. An event unknown to this build has the name that it came with, or `""` if that is empty.
pub fn event_name<'e>(event: &'e EventType<'_>) -> Cow<'e, [u8]> {
    match event {
        EventType::Known(row) => row.name.as_bytes().into(),
        EventType::Unknown { name, .. } if name.bytes().is_empty() => b"\"\"".into(),
        EventType::Unknown { name, .. } => name.bytes(),
    }
}

/// The first class of an event.
pub fn class_of(event: &EventType<'_>) -> &'static str {
    match event {
        EventType::Known(row) => row.classes.first_name().unwrap_or(UNKNOWN),
        EventType::Unknown { .. } => UNKNOWN,
    }
}

/// `2026-03-14 09:00:02`
pub fn second(clock: &mut Clock, time: Timestamp) -> String {
    let mut out = Vec::new();
    clock.push_second(&mut out, time);
    // Digits are UTF-8.
    String::from_utf8(out).unwrap_or_default()
}

/// The end of a process: its exit status, the name of its signal, or a mark that it is still running.
pub fn exit_of<T>(process: &Process<T>) -> String {
    let end = process.end.as_ref();
    end.map_or_else(|| RUNNING.to_owned(), End::name)
}

/// `none missing`, or `1,281 missing: open 1,199, close 82`.
pub fn missing_of(missing: &Missing) -> String {
    let total = missing.total();
    if total == 0 {
        return "none missing".to_owned();
    }
    let mut by_event: Vec<_> = missing.by_event.iter().collect();
    by_event.sort_by_key(|(_, count)| Reverse(*count));
    let mut parts: Vec<_> = by_event
        .iter()
        .map(|(name, count)| format!("{name} {}", Count(*count)))
        .collect();
    if missing.of_unknown_type > 0 {
        parts.push(format!(
            "not known which {}",
            Count(missing.of_unknown_type)
        ));
    }
    format!("{} missing: {}", Count(total), parts.join(", "))
}

/// Appends a member that is a time, as eslogger writes times; the clock is one for UTC.
pub fn push_time(json: &mut Writer<'_>, key: &str, time: Option<Timestamp>, clock: &mut Clock) {
    let Some(time) = time else {
        return;
    };
    let mut text = Vec::new();
    clock.push_exact(&mut text, time);
    if let Some(space) = memchr::memchr(b' ', &text) {
        text[space] = b'T';
        text.push(b'Z');
    }
    json.string(key, &text);
}

/// Appends the first and the last of some times as members.
pub fn push_times(json: &mut Writer<'_>, times: &Times, clock: &mut Clock) {
    push_time(json, "first", times.first(), clock);
    push_time(json, "last", times.last(), clock);
}

/// Appends a member that is a span of time in seconds.
pub fn push_seconds(json: &mut Writer<'_>, key: &str, from: Timestamp, to: Timestamp) {
    let nanos = nanos_between(from, to);
    let (sign, nanos) = (if nanos < 0 { "-" } else { "" }, nanos.unsigned_abs());
    let (seconds, nanos) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
    json.number(key, format_args!("{sign}{seconds}.{nanos:09}"));
}

/// Appends the members that describe a process: who it is, when it ran, how it ended, what it runs.
pub fn push_process<T>(json: &mut Writer<'_>, process: &Process<T>, clock: &mut Clock) {
    if let Some(euid) = process.euid {
        json.number("euid", euid);
    }
    push_time(json, "start", process.started(), clock);
    if let Some(end) = &process.end {
        push_time(json, "end", end.time, clock);
        if let Some(status) = end.status {
            json.number("stat", status);
        }
    }
    if let Some(arguments) = &process.arguments {
        json.key("args");
        json.array(|json| {
            for argument in arguments.iter() {
                json.element();
                json.text(argument);
            }
        });
    }
    if !process.image.is_empty() {
        json.string("executable", &process.image);
    }
    if let Some(job) = &process.job {
        json.string("job", job);
    }
}
