//! One line an event, for grep and awk.

use super::{Format, Palette, Values, escape_quotes, push_int, push_label, push_process};
use crate::model::event::{Event, EventType};
use crate::text::clock::Clock;
use crate::text::escape;

/// The line format: time, process, event, then `key=value`.
pub struct Line {
    values: Values,
    palette: Palette,
}

impl Line {
    /// The line format, with times as `clock` writes them; `redact` replaces the values of environment variables.
    pub fn new(clock: Clock, palette: Palette, redact: bool) -> Self {
        Line {
            values: Values {
                clock,
                redact,
                numbers: false,
                separator: b",",
            },
            palette,
        }
    }
}

impl Format for Line {
    fn event(&mut self, event: &Event<'_>, out: &mut Vec<u8>) -> usize {
        let time_at = out.len();
        match event.time {
            Some(time) => self.values.clock.push_exact(out, time),
            // A column for the date and one for the time of day, as always.
            None => out.extend_from_slice(b"- -"),
        }
        out.push(b' ');
        self.palette
            .paint(out, Palette::PROCESS, |out| match &event.process {
                Some(process) => push_process(out, process, |out, image| {
                    push_word(out, |out| escape::push(out, image.path.file_name()))
                }),
                None => out.push(b'-'),
            });
        out.push(b' ');
        self.palette
            .paint(out, Palette::EVENT, |out| match event.event_type {
                EventType::Known(row) => out.extend_from_slice(row.name.as_bytes()),
                EventType::Unknown { number, name } => {
                    push_word(out, |out| escape::push(out, name));
                    if let Some(number) = number {
                        out.push(b'(');
                        push_int(out, number);
                        out.push(b')');
                    }
                }
            });
        for field in &event.fields {
            out.push(b' ');
            push_word(out, |out| push_label(out, field.label));
            out.push(b'=');
            let start = out.len();
            self.values.push(out, &field.value);
            quote(out, start);
        }
        out.push(b'\n');
        time_at
    }
}

/// Appends what `push` appends as one word, so that the columns can be counted: spaces as `\x20`, as lsof
/// writes them.
fn push_word(out: &mut Vec<u8>, push: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    push(out);
    if memchr::memchr2(b' ', b'=', &out[start..]).is_some() {
        let word = out.split_off(start);
        for byte in word {
            match byte {
                b' ' | b'=' => escape::push_fmt(out, format_args!("\\x{byte:02x}")),
                byte => out.push(byte),
            }
        }
    }
}

/// Puts what was appended from `start` on into double quotes, if it is empty or has a space or a quote.
fn quote(out: &mut Vec<u8>, start: usize) {
    if out.len() > start && memchr::memchr2(b' ', b'"', &out[start..]).is_none() {
        return;
    }
    escape_quotes(out, start);
    out.insert(start, b'"');
    out.push(b'"');
}
