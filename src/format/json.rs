//! One object a line, in eslogger's schema.

use super::Format;
use crate::escape;
use crate::event::Event;

/// The JSON format: a recording's objects pass through as they came.
pub struct Json {
    /// Whether a terminal reads it: then nothing may be in it that a terminal acts on.
    pub terminal: bool,
}

impl Format for Json {
    fn event(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        let start = out.len();
        if memchr::memchr2(b'\n', b'\r', event.json).is_some() {
            crate::source::push_json_on_one_line(out, event.json);
        } else {
            out.extend_from_slice(event.json);
        }
        if self.terminal {
            let object = out.split_off(start);
            escape::push_json_for_terminal(out, &object);
        }
        out.push(b'\n');
    }
}
