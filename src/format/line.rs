//! One line per event, for grep and awk.

use super::{
    Format, Palette, Style, TimeStyle, Values, escape_quotes, image_of, message_details, push_int,
    push_label, push_process,
};
use crate::model::event::{Event, EventType, Value, Word};
use crate::model::tables;
use crate::text::escape::{self, push_fmt};

/// The line format: time, process, event, then `key=value`.
pub struct Line {
    values: Values,
    palette: Palette,
    time: TimeStyle,
    verbose: bool,
}

impl Line {
    /// The line format in this style.
    pub fn new(style: Style) -> Self {
        Line {
            values: style.line_values(),
            palette: style.palette,
            time: style.time,
            verbose: style.verbose,
        }
    }

    /// Appends the fields that only `-v` shows, after the event's own.
    fn push_verbose(&mut self, out: &mut Vec<u8>, event: &Event<'_>) {
        for (name, number) in message_details(event) {
            if let Some(number) = number {
                push_fmt(out, format_args!(" {name}={number}"));
            }
        }
        let Some(process) = &event.process else {
            return;
        };
        let token = &process.audit_token;
        for (name, word) in [
            ("pidversion", Word::PidVersion),
            ("AUID", Word::Auid),
            ("ASID", Word::Asid),
        ] {
            if let Some(value) = token.get(word) {
                push_fmt(out, format_args!(" process.{name}={value}"));
            }
        }
        for (name, token) in [
            (" process.parent=", process.parent_audit_token),
            (" process.responsible=", process.responsible_audit_token),
        ] {
            if let Some(token) = token {
                push_value(out, name, |out| self.values.push(out, &image_of(token)));
            }
        }
        if let Some(cdhash) = process.cdhash {
            push_value(out, " process.cdhash=", |out| escape::push(out, cdhash));
        }
        if let Some(category) = process.cs_validation_category {
            let category = Value::Enum(&tables::CS_VALIDATION_CATEGORY, category.into());
            push_value(out, " process.validation=", |out| {
                self.values.push(out, &category)
            });
        }
    }
}

/// Appends ` KEY=` and a value.
fn push_value(out: &mut Vec<u8>, key: &str, push: impl FnOnce(&mut Vec<u8>)) {
    out.extend_from_slice(key.as_bytes());
    let start = out.len();
    push(out);
    quote(out, start);
}

impl Format for Line {
    fn event(&mut self, event: &Event<'_>, out: &mut Vec<u8>) -> usize {
        let time_at = out.len();
        match event.time {
            Some(time) => self.time.push(out, &mut self.values.clock, time),
            // The time takes the same number of columns as always.
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
                    if name.bytes().is_empty() {
                        out.extend_from_slice(b"\"\"");
                    }
                    push_word(out, |out| escape::push(out, name));
                    if let Some(number) = number {
                        out.push(b'(');
                        push_int(out, number);
                        out.push(b')');
                    }
                }
            });
        for field in &event.fields {
            if !self.verbose && field.is_detail(&event.fields) {
                continue;
            }
            out.push(b' ');
            push_word(out, |out| push_label(out, field.label));
            out.push(b'=');
            let start = out.len();
            self.values.push(out, &field.value);
            quote(out, start);
        }
        if self.verbose {
            self.push_verbose(out, event);
        }
        out.push(b'\n');
        time_at
    }
}

/// Appends what `push` writes as a single word, with spaces as `\x20` as lsof writes them, so that columns can be
/// counted.
fn push_word(out: &mut Vec<u8>, push: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    push(out);
    if memchr::memchr2(b' ', b'=', &out[start..]).is_some() {
        let word = out.split_off(start);
        for byte in word {
            match byte {
                b' ' | b'=' => push_fmt(out, format_args!("\\x{byte:02x}")),
                byte => out.push(byte),
            }
        }
    }
}

/// Puts everything from `start` on in double quotes if it is empty or contains a space or a quote.
fn quote(out: &mut Vec<u8>, start: usize) {
    if out.len() > start && memchr::memchr2(b' ', b'"', &out[start..]).is_none() {
        return;
    }
    escape_quotes(out, start);
    out.insert(start, b'"');
    out.push(b'"');
}
