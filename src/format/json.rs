//! One object a line, in eslogger's schema.

use super::Format;
use crate::model::event::Event;
use crate::text::escape;
use crate::text::redact;

/// The JSON format: a recording's objects pass through as they came.
pub struct Json {
    /// True if a terminal reads the output, which then must contain nothing that a terminal acts on.
    pub terminal: bool,
    /// True if the values of environment variables are replaced.
    pub redact: bool,
}

impl Format for Json {
    fn event(&mut self, event: &Event<'_>, out: &mut Vec<u8>) -> usize {
        let start = out.len();
        let mut redacted = Vec::new();
        let json = if self.redact {
            // The object was parsed before, so this can't fail. If it did, the object wouldn't be shown.
            if redact::push_json(&mut redacted, event.json).is_err() {
                return start;
            }
            &redacted
        } else {
            event.json
        };
        if self.terminal {
            escape::push_json_for_terminal(out, json);
        } else if memchr::memchr2(b'\n', b'\r', json).is_some() {
            crate::text::json::push_on_one_line(out, json);
        } else {
            out.extend_from_slice(json);
        }
        out.push(b'\n');
        start
    }
}
