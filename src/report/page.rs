//! The page that a report is printed on.

use std::io;

use rustix::termios::tcgetwinsize;

use crate::format::Palette;
use crate::text::escape;

/// The minimum width that a terminal is assumed to have: lines wrap on a narrower one.
const NARROWEST: usize = 60;

/// The width that is assumed for a terminal that doesn't report one.
const USUAL: usize = 80;

/// The look of reports.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// True for JSON instead of text.
    pub json: bool,
    /// True for times in UTC.
    pub utc: bool,
    /// True if an empty line separates the events from the first report.
    pub is_set_off: bool,
    /// The page for the report at the end.
    pub end: Page,
    /// The page for reports before the end.
    pub meanwhile: Page,
}

impl Look {
    /// Appends an empty line before a report, if another report or events come before it.
    pub fn push_gap(&self, out: &mut Vec<u8>, after_events: bool) {
        if !self.json && (!out.is_empty() || after_events && self.is_set_off) {
            out.push(b'\n');
        }
    }

    /// Appends an empty line after a report before the end.
    pub fn push_end(&self, out: &mut Vec<u8>) {
        if !self.json {
            out.push(b'\n');
        }
    }
}

/// The terminal that shows a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Terminal {
    /// The terminal of standard output.
    Stdout,
    /// The terminal of standard error.
    Stderr,
}

/// The page that a report is printed on.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// The terminal; None for a pipe or a file, which gets whole lines.
    pub terminal: Option<Terminal>,
    /// The colours.
    pub palette: Palette,
}

impl Page {
    /// The maximum width of a line, in cells: `COLUMNS`, otherwise the width of the window. None: no limit.
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

    /// On a terminal, removes anything that a terminal acts on from the JSON from `start` on.
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
