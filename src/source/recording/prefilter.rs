//! Rejects lines that can't hold a selected event, without parsing them.
//!
//! A line is rejected only if it has no `"event":{"NAME"` with a selected name, or nowhere the last name of
//! a selected path. What is left is decoded and filtered as if there were no prefilter. Two things follow:
//! damage within a rejected line isn't noticed, and keys are taken to be written without escapes, as every
//! JSON writer does.

use std::ops::Range;

use aho_corasick::AhoCorasick;
use memchr::{memchr, memmem, memrchr};

use crate::model::catalogue::{self, Row};
use crate::select::{Need, Tree};

/// With more names than these, looking for them costs as much as parsing.
const MAX_NAMES: usize = 48;

/// What must be in a line.
#[derive(Debug)]
pub struct Prefilter {
    names: Option<AhoCorasick>,
    images: Option<AhoCorasick>,
}

impl Prefilter {
    /// The prefilter that rejects nothing that is needed.
    pub fn new(need: &Need) -> Prefilter {
        let names = need.events.names().filter(|names| names.len() <= MAX_NAMES);
        let names = names.and_then(|names| {
            AhoCorasick::new(names.iter().map(|name| format!("\"{name}\""))).ok()
        });
        let needles: Option<Vec<_>> = need.images.iter().map(Tree::needles).collect();
        let images = needles
            .map(|needles| needles.concat())
            .filter(|needles| !needles.is_empty())
            .and_then(|needles| AhoCorasick::new(needles).ok());
        Prefilter { names, images }
    }

    /// Whether there is anything that it rejects.
    pub fn rejects(&self) -> bool {
        self.names.is_some() || self.images.is_some()
    }

    /// The first line from `start` on of a selected event, and whether it may have a selected path.
    pub fn next_line(&self, text: &[u8], start: usize) -> Option<(Range<usize>, bool)> {
        let hit = match &self.names {
            Some(names) => next_event(names, text, start)?,
            None if start < text.len() => start,
            None => return None,
        };
        let line = line_around(text, start, hit);
        let images = self.images.as_ref();
        let is_wanted = images.is_none_or(|images| images.is_match(&text[line.clone()]));
        Some((line, is_wanted))
    }
}

/// Where the next `"event":{"NAME"` has its name.
fn next_event(names: &AhoCorasick, text: &[u8], start: usize) -> Option<usize> {
    let is_event = |at: &usize| {
        let before = |text: &[u8], end: &[u8]| -> Option<usize> {
            let text = text.trim_ascii_end();
            text.ends_with(end).then(|| text.len() - end.len())
        };
        before(&text[..*at], b"{")
            .and_then(|end| before(&text[..end], b":"))
            .and_then(|end| before(&text[..end], b"\"event\""))
            .is_some()
    };
    names
        .find_iter(&text[start..])
        .map(|hit| start + hit.start())
        .find(is_event)
}

/// What counts the message of a line.
pub struct Numbers {
    pub row: &'static Row,
    /// True if the message asks for an answer.
    pub is_auth: bool,
    pub seq_num: u64,
    pub global_seq_num: u64,
}

/// The numbers of a line that is one message, found without parsing it; none where that isn't plain.
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
        std::str::from_utf8(&value[..length]).ok()?.parse().ok()
    };
    let name = value("\"event\":{\"")?;
    let row = catalogue::by_name(&name[..memchr(b'"', name)?])?;
    let event_type: u64 = number("\"event_type\":")?;
    // A message whose number isn't that of its name is complained of where it is read.
    let [is_notify, is_auth] =
        [Some(row.number), row.auth].map(|own| own.map(u64::from) == Some(event_type));
    (is_notify || is_auth).then_some(())?;
    Some(Numbers {
        row,
        is_auth,
        seq_num: number("\"seq_num\":")?,
        global_seq_num: number("\"global_seq_num\":")?,
    })
}

fn line_around(text: &[u8], start: usize, at: usize) -> Range<usize> {
    let begin = memrchr(b'\n', &text[start..at]).map_or(start, |newline| start + newline + 1);
    let end = memchr(b'\n', &text[at..]).map_or(text.len(), |newline| at + newline + 1);
    begin..end
}
