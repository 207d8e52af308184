//! What a report is printed on.

use std::io;

use rustix::termios::tcgetwinsize;

use crate::format::Palette;
use crate::text::escape;

/// How wide a terminal is taken to be at least: what is narrower wraps.
const NARROWEST: usize = 60;

/// How wide a terminal is that doesn't say.
const USUAL: usize = 80;

/// How reports look.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// True for JSON instead of text.
    pub json: bool,
    /// True for times in UTC.
    pub utc: bool,
    /// True if a line is left free between the events and the first report.
    pub is_set_off: bool,
    /// What the report at the end is printed on.
    pub end: Page,
    /// What a report is printed on for somebody who asks meanwhile.
    pub meanwhile: Page,
}

impl Look {
    /// Leaves a line free before a report, where another one or events come before it.
    pub fn push_gap(&self, out: &mut Vec<u8>, after_events: bool) {
        if !self.json && (!out.is_empty() || after_events && self.is_set_off) {
            out.push(b'\n');
        }
    }

    /// Leaves a line free after a report that was printed meanwhile.
    pub fn push_end(&self, out: &mut Vec<u8>) {
        if !self.json {
            out.push(b'\n');
        }
    }
}

/// Which terminal reads a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Terminal {
    /// That of standard output.
    Stdout,
    /// That of standard error.
    Stderr,
}

/// What a report is printed on.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// The terminal; None for a pipe or a file, which gets whole lines.
    pub terminal: Option<Terminal>,
    /// The colours.
    pub palette: Palette,
}

impl Page {
    /// How many cells a line may have: `COLUMNS`, else the width of the window. None: any.
    pub fn width(self) -> Option<usize> {
        let terminal = self.terminal?;
        let columns = std::env::var("COLUMNS").ok();
        let columns = columns.and_then(|columns| columns.parse().ok());
        let window = || {
            let size = match terminal {
                Terminal::Stdout => tcgetwinsize(io::stdout()),
                Terminal::Stderr => tcgetwinsize(io::stderr()),
            };
            let columns = size.ok().map(|size| usize::from(size.ws_col));
            columns.filter(|columns| *columns > 0)
        };
        let width = columns.filter(|columns| *columns > 0).or_else(window);
        Some(width.unwrap_or(USUAL).max(NARROWEST))
    }

    /// On a terminal, leaves nothing in the JSON from `start` on that a terminal acts on.
    pub fn make_json_safe(self, out: &mut Vec<u8>, start: usize) {
        if self.terminal.is_some() {
            let json = out.split_off(start);
            for line in json.split_inclusive(|byte| *byte == b'\n') {
                let (object, end) = line.split_at(line.len() - usize::from(line.ends_with(b"\n")));
                escape::push_json_for_terminal(out, object);
                out.extend_from_slice(end);
            }
        }
    }
}
