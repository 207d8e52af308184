//! One line an event, for grep and awk.

use super::{
    Format, Palette, TimeStyle, Values, escape_quotes, push_int, push_label, push_process,
};
use crate::model::event::{Event, EventType};
use crate::text::clock::Clock;
use crate::text::escape;

/// The line format: time, process, event, then `key=value`.
pub struct Line {
    values: Values,
    palette: Palette,
    time: TimeStyle,
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
                string_limit: None,
            },
            palette,
            time: TimeStyle::Full,
        }
    }

    /// The same with times in this style, and values cut after so many characters.
    #[must_use]
    pub fn with(mut self, time: TimeStyle, string_limit: Option<usize>) -> Self {
        self.time = time;
        self.values.string_limit = string_limit;
        self
    }
}

impl Format for Line {
    fn event(&mut self, event: &Event<'_>, out: &mut Vec<u8>) -> usize {
        let time_at = out.len();
        match event.time {
            Some(time) => self.time.push(out, &mut self.values.clock, time),
            // As many columns as always.
            None if self.time.stage().is_none() => {
                out.extend_from_slice(&b"- -"[..(2 * self.time.columns()).saturating_sub(1)]);
            }
            None => {}
        }
        if self.time.columns() > 0 {
            out.push(b' ');
        }
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
