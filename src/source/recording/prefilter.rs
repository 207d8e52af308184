//! Rejects lines that can't hold a selected event, without parsing them.
//!
//! A line is rejected only if nothing in it can be a selected event, however its JSON was written:
//!
//! - A name of an event consists of letters, digits and `_`, and so does `event`. Any writer may escape them, but only
//!   in one way: as `\u0065`. Lines with an escape of a character of ASCII that is no control character are never
//!   rejected.
//! - In all others the name stands literally. In a message it is a key in the object that is the value of `event`: the
//!   first, as in `"event":{"NAME"`, or one after others that are null, as in `null,"NAME"`. In a message within a
//!   string it is followed by a backslash, `\"NAME\"`.
//! - What an event must have to meet a condition stands literally, too, as far as it has no character that JSON must
//!   escape or that could be written in another Unicode normalisation ([`Need::needles`]).
//!
//! The rest is decoded and filtered as if there were no prefilter. Damage within a rejected line isn't noticed.

use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::AhoCorasick;
use memchr::memmem::{self, Finder};
use memchr::{memchr, memrchr};

use super::time;
use crate::model::catalogue::{self, Row};
use crate::model::event::Timestamp;
use crate::select::{Need, Needles};

/// The maximum number of names: with more, searching for them costs as much as parsing.
const MAX_NAMES: usize = 48;

/// Finds escapes that may stand for a character of ASCII.
static ESCAPE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\\u00"));

/// The conditions that a line must meet.
#[derive(Debug)]
pub struct Prefilter {
    names: Option<Names>,
    /// For each kind of condition, texts one of which must be there.
    needles: Vec<AhoCorasick>,
}

/// The names of events.
#[derive(Debug)]
struct Names {
    names: Vec<&'static str>,
    /// Finds each name after a quote.
    finder: AhoCorasick,
}

impl Prefilter {
    /// Creates a prefilter that rejects nothing that is needed.
    pub fn new(need: &Need) -> Prefilter {
        let names = need.events.names().filter(|names| names.len() <= MAX_NAMES);
        let names = names.and_then(|names| {
            let finder = AhoCorasick::new(names.iter().map(|name| format!("\"{name}"))).ok()?;
            Some(Names { names, finder })
        });
        let finder = |needles: &Needles| {
            let mut builder = AhoCorasick::builder();
            let builder = builder.ascii_case_insensitive(needles.any_case);
            builder.build(&needles.texts).ok()
        };
        Prefilter {
            names,
            needles: need.needles.iter().filter_map(finder).collect(),
        }
    }

    /// Returns true if it rejects anything.
    pub fn rejects(&self) -> bool {
        self.names.is_some() || !self.needles.is_empty()
    }

    /// The lines of a text that may hold a selected event, each with true if it may meet the conditions.
    pub fn lines<'p, 't>(&'p self, text: &'t [u8]) -> Lines<'p, 't> {
        Lines {
            prefilter: self,
            text,
            at: 0,
            escape: next_escape(text, 0),
        }
    }
}

/// The lines of a text that aren't rejected.
pub struct Lines<'p, 't> {
    prefilter: &'p Prefilter,
    text: &'t [u8],
    at: usize,
    /// The place of the next escape.
    escape: Option<usize>,
}

impl Iterator for Lines<'_, '_> {
    type Item = (Range<usize>, bool);

    fn next(&mut self) -> Option<Self::Item> {
        let (text, start) = (self.text, self.at);
        if self.escape.is_some_and(|escape| escape < start) {
            self.escape = next_escape(text, start);
        }
        let hit = match &self.prefilter.names {
            Some(names) => {
                // No further than the beginning of a line that isn't rejected anyway.
                let end = self.escape.unwrap_or(text.len());
                names.next_event(text, start, end).or(self.escape)?
            }
            None if start < text.len() => start,
            None => return None,
        };
        let line = line_around(text, start, hit);
        self.at = line.end;
        let needles = &self.prefilter.needles;
        let is_wanted = self.escape.is_some_and(|escape| line.contains(&escape))
            || needles
                .iter()
                .all(|needles| needles.is_match(&text[line.clone()]));
        Some((line, is_wanted))
    }
}

/// The place of the next escape, from `start` on, that may stand for a character of ASCII other than a control
/// character.
fn next_escape(text: &[u8], start: usize) -> Option<usize> {
    let is_printable = |at: &usize| matches!(text.get(start + at + 4), Some(b'2'..=b'7') | None);
    let at = ESCAPE.find_iter(&text[start..]).find(is_printable)?;
    Some(start + at)
}

impl Names {
    /// The place of the next name of an event, from `start` on, that may be one of these.
    fn next_event(&self, text: &[u8], start: usize, end: usize) -> Option<usize> {
        let is_event = |at: &usize| {
            let name = &text[at + 1..];
            let is_of_name = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'_';
            let length = name.iter().take_while(is_of_name).count();
            let is_selected = || {
                self.names
                    .iter()
                    .any(|selected| selected.as_bytes() == &name[..length])
            };
            match name.get(length) {
                Some(b'"') => is_selected() && may_name_an_event(&text[..*at]),
                Some(b'\\') => is_selected(),
                _ => false,
            }
        };
        self.finder
            .find_iter(&text[start..end])
            .map(|hit| start + hit.start())
            .find(is_event)
    }
}

/// Returns true if the key after this text may be the name of an event: `"event":{`, or `null,`.
fn may_name_an_event(text: &[u8]) -> bool {
    let before = |text: &'_ [u8], end: &[u8]| {
        let text = text.trim_ascii_end();
        text.ends_with(end).then(|| text.len() - end.len())
    };
    if let Some(end) = before(text, b",") {
        return before(&text[..end], b"null").is_some();
    }
    before(text, b"{")
        .and_then(|end| before(&text[..end], b":"))
        .and_then(|end| before(&text[..end], b"\"event\""))
        .is_some()
}

/// The numbers that count the message of a line.
pub struct Numbers {
    pub row: &'static Row,
    /// True if the message asks for an answer.
    pub is_auth: bool,
    pub seq_num: u64,
    pub global_seq_num: u64,
    pub time: Option<Timestamp>,
}

/// The numbers of a line that is one message, found without parsing it; None if they can't be found easily.
pub fn numbers(line: &[u8]) -> Option<Numbers> {
    let value = |key: &str| {
        let mut places = memmem::find_iter(line, key);
        let at = places.next()? + key.len();
        places.next().is_none().then(|| &line[at..])
    };
    let number = |key| {
        let value = value(key)?;
        let digits = value.iter().take_while(|byte| byte.is_ascii_digit());
        let length = digits.count();
        // A fraction or an exponent may follow.
        let is_whole = matches!(value.get(length), Some(b',' | b'}'));
        let digits = std::str::from_utf8(&value[..length]).ok()?;
        is_whole.then(|| digits.parse().ok())?
    };
    let event = value("\"event\":{\"")?;
    let name = &event[..memchr(b'"', event)?];
    // A null event is no event.
    event[name.len()..].strip_prefix(b"\":{")?;
    let row = catalogue::by_name(name)?;
    let event_type: u64 = number("\"event_type\":")?;
    // A message whose number doesn't fit its name is reported when it is read.
    let [is_notify, is_auth] =
        [Some(row.number), row.auth].map(|own| own.map(u64::from) == Some(event_type));
    (is_notify || is_auth).then_some(())?;
    Some(Numbers {
        row,
        is_auth,
        seq_num: number("\"seq_num\":")?,
        global_seq_num: number("\"global_seq_num\":")?,
        time: {
            let text = value("\"time\":\"")?;
            time::parse(&text[..memchr(b'"', text)?])
        },
    })
}

fn line_around(text: &[u8], start: usize, at: usize) -> Range<usize> {
    let begin = memrchr(b'\n', &text[start..at]).map_or(start, |newline| start + newline + 1);
    let end = memchr(b'\n', &text[at..]).map_or(text.len(), |newline| at + newline + 1);
    begin..end
}
