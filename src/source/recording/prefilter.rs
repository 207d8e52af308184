//! Rejects lines that can't hold a selected event, without parsing them.
//!
//! A line is rejected only if it has no `"event":{"NAME"` with a selected name, or nowhere the last name of
//! a selected path. What is left is decoded and filtered as if there were no prefilter. Two things follow:
//! damage within a rejected line isn't noticed, and keys are taken to be written without escapes, as every
//! JSON writer does.

use std::ops::Range;

use aho_corasick::AhoCorasick;
use memchr::{memchr, memrchr};

use crate::filter::{Filter, Tree};

/// With more names than these, looking for them costs as much as parsing.
const MAX_NAMES: usize = 48;

/// What must be in a line.
#[derive(Debug)]
pub struct Prefilter {
    names: Option<AhoCorasick>,
    images: Option<AhoCorasick>,
}

impl Prefilter {
    /// The prefilter that rejects nothing which `filter` lets through.
    pub fn new(filter: &Filter) -> Prefilter {
        let names = filter
            .selection
            .names()
            .filter(|names| names.len() <= MAX_NAMES);
        let names = names.and_then(|names| {
            AhoCorasick::new(names.iter().map(|name| format!("\"{name}\""))).ok()
        });
        let needles: Option<Vec<_>> = filter.images.iter().map(Tree::needles).collect();
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

    /// The first line from `start` on that isn't rejected.
    pub fn next_line(&self, text: &[u8], start: usize) -> Option<Range<usize>> {
        let mut at = start;
        loop {
            let hit = match (&self.names, &self.images) {
                (Some(names), _) => next_event(names, text, at)?,
                (None, Some(images)) => at + images.find(&text[at..])?.start(),
                (None, None) => return (at < text.len()).then_some(at..text.len()),
            };
            let line = line_around(text, at, hit);
            let is_wanted = match (&self.names, &self.images) {
                (Some(_), Some(images)) => images.is_match(&text[line.clone()]),
                _ => true,
            };
            if is_wanted {
                return Some(line);
            }
            at = line.end;
        }
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

fn line_around(text: &[u8], start: usize, at: usize) -> Range<usize> {
    let begin = memrchr(b'\n', &text[start..at]).map_or(start, |newline| start + newline + 1);
    let end = memchr(b'\n', &text[at..]).map_or(text.len(), |newline| at + newline + 1);
    begin..end
}
