//! Cuts a recording into chunks that can be decoded by themselves.
//!
//! eslogger writes one object per line. In a line that begins and ends like an object nothing else is looked at, unless
//! the text after it shows that the object goes on: such lines are plain. Anything else is walked through (see
//! [`super::walk`]) up to the beginning of the next line at which no object is open. Both depend on the bytes alone,
//! never on the pieces in which they come. No byte is looked at more than a few times, so damage costs no more time
//! than anything else.

use std::io::{self, Read};
use std::ops::Range;

use memchr::{memchr, memchr_iter};

use super::buffer::Text;
use super::walk::{Step, Walk};
use crate::pipeline::Buffers;
use crate::text::json::Scanner;

/// The largest object that is kept as a whole, in bytes. The arguments and the environment of an exec take at most 1
/// MiB on macOS, and six times that with every byte escaped.
pub const MAX_OBJECT: usize = 8 << 20;

/// The length of a line, in bytes, beyond which its end isn't waited for.
const LONG_LINE: usize = 512 << 10;

/// The number of bytes after which a line with several objects is cut between them.
const CUT: usize = 64 << 10;

/// A piece of a recording that can be decoded by itself.
#[derive(Debug, PartialEq, Eq)]
pub struct Chunk {
    /// The text.
    pub text: Text,
    /// The number of its first line, counted from 1.
    pub first_line: u64,
    /// The shape of the text.
    pub shape: Shape,
    /// True if it begins in a line for which it has been reported that there is no object in it, or a broken one.
    pub is_reported: bool,
}

/// The shape of a chunk.
#[derive(Debug, PartialEq, Eq)]
pub enum Shape {
    /// Plain lines, with these stretches of anything else between them.
    Lines(Vec<Range<usize>>),
    /// The part of an object that is too large, from the beginning of an object on.
    Part,
    /// An object inside one that is too large.
    Inner,
}

/// Cuts the text of a recording into chunks.
#[derive(Debug)]
pub struct Framer {
    /// The text that has come and hasn't been handed on.
    text: Text,
    /// The number of the line that the text begins in.
    line: u64,
    /// The number of bytes in it that have been looked at.
    at: usize,
    /// The number of plain lines that have been looked at since text was last handed on.
    plain: u64,
    /// The stretches in it that aren't plain lines.
    odd: Vec<Range<usize>>,
    walk: Walk,
    /// The beginning of the stretch that is being walked through; None at the beginning of a line.
    begun: Option<usize>,
    /// The end of the line that begins at `at`, if it is known.
    line_end: Option<usize>,
    /// The end of the text that has been searched for it, or for what follows it.
    searched: usize,
    is_reported: bool,
    buffers: Buffers,
}

/// The kind of a line.
enum Line {
    /// A plain line, or an empty one, and its end.
    Plain(usize),
    /// Anything else.
    Odd,
    /// The kind depends on what follows.
    Unknown,
}

impl Framer {
    /// Begins a recording, whose text is put into `buffers`.
    pub fn new(buffers: &Buffers) -> Self {
        Framer {
            text: Text::new(Vec::new(), &[]),
            line: 1,
            at: 0,
            plain: 0,
            odd: Vec::new(),
            walk: Walk::new(MAX_OBJECT),
            begun: None,
            line_end: None,
            searched: 0,
            is_reported: false,
            buffers: buffers.clone(),
        }
    }

    /// Takes what a single read returns. Returns false at the end of `reader`.
    ///
    /// # Errors
    /// Those of `reader`.
    pub fn read(
        &mut self,
        reader: &mut impl Read,
        emit: &mut impl FnMut(Chunk),
    ) -> io::Result<bool> {
        if self.text.read(reader)? == 0 {
            return Ok(false);
        }
        self.look(false, emit);
        self.hand_on(emit);
        Ok(true)
    }

    /// Ends the recording.
    pub fn end(&mut self, emit: &mut impl FnMut(Chunk)) {
        self.look(true, emit);
        self.hand_on(emit);
        // The rest has no end.
        self.at = self.text.len();
        if let Some(begun) = self.begun.take() {
            self.odd.push(begun.min(self.at)..self.at);
        }
        self.emit_lines(self.at, emit);
    }

    fn look(&mut self, is_end: bool, emit: &mut impl FnMut(Chunk)) {
        while self.at < self.text.len() {
            if self.begun.is_some() {
                self.walk_on(emit);
                continue;
            }
            // The rest of the last piece has been looked at.
            if self.searched == 0 {
                self.pass_plain_lines();
            }
            if self.at == self.text.len() {
                return;
            }
            match self.next_line(is_end) {
                Line::Plain(end) => {
                    self.plain += u64::from(self.text[end - 1] == b'\n');
                    self.at = end;
                }
                Line::Odd => {
                    self.walk.restart();
                    self.begun = Some(self.at);
                }
                Line::Unknown => return,
            }
            (self.line_end, self.searched) = (None, 0);
        }
    }

    /// Passes lines as eslogger writes them, if another one follows.
    fn pass_plain_lines(&mut self) {
        let start = self.at;
        for newline in memchr_iter(b'\n', &self.text[start..]) {
            let (line, next) = self.text[self.at..].split_at(start + newline - self.at);
            let is_plain = matches!(line, [b'{', .., b'}']) && next.get(1) == Some(&b'{');
            if !is_plain || line.len() >= LONG_LINE {
                return;
            }
            super::work::add(line.len() + 1);
            self.at = start + newline + 1;
            self.plain += 1;
        }
    }

    /// The kind of the line at `at`.
    fn next_line(&mut self, is_end: bool) -> Line {
        let text = &self.text;
        let end = self.line_end.or_else(|| {
            let from = self.at.max(self.searched);
            let newline = memchr(b'\n', &text[from..]);
            super::work::add(newline.unwrap_or(text.len() - from));
            newline.map(|newline| from + newline + 1)
        });
        let end = match end {
            Some(end) => end,
            None if text.len() - self.at > LONG_LINE => return Line::Odd,
            None if is_end => text.len(),
            None => {
                self.searched = text.len();
                return Line::Unknown;
            }
        };
        let line = &text[self.at..end];
        if !looks_whole(line) || line.len() > LONG_LINE {
            return if line.trim_ascii().is_empty() {
                Line::Plain(end)
            } else {
                Line::Odd
            };
        }
        // Only these can follow if an object goes on after a closing brace.
        let from = self.searched.max(end);
        let to = text.len().min(end + LONG_LINE);
        let next = text[from..to]
            .iter()
            .position(|byte| !byte.is_ascii_whitespace());
        super::work::add(next.unwrap_or(to - from));
        let next = next.map(|next| text[from + next]);
        let is_plain = match next {
            Some(b',' | b'}' | b']') => is_object(line),
            Some(_) => true,
            None if is_end || to == end + LONG_LINE => true,
            // An event doesn't wait for the text after it.
            None if self.line_end.is_none() && is_object(line) => true,
            None => {
                (self.line_end, self.searched) = (Some(end), to);
                return Line::Unknown;
            }
        };
        if is_plain {
            Line::Plain(end)
        } else {
            Line::Odd
        }
    }

    fn walk_on(&mut self, emit: &mut impl FnMut(Chunk)) {
        let Some(begun) = self.begun else { return };
        let (taken, found) = self.walk.take(&self.text[self.at..]);
        self.at += taken;
        match found {
            None | Some(Step::Text(_)) => {}
            Some(Step::LineEnd) => {
                self.odd.push(begun..self.at);
                self.begun = None;
            }
            Some(Step::Object(_)) => {
                if self.at - begun >= CUT {
                    self.cut(false, emit);
                }
            }
            Some(Step::Broken(broken)) => {
                let end = self.place(broken.range.end);
                if end - begun >= CUT {
                    self.at = end;
                    self.cut(true, emit);
                }
            }
            Some(Step::Limit) if self.walk.is_outside() => {
                let is_reported = self.walk.is_in_text();
                self.cut(is_reported, emit);
            }
            Some(Step::Limit) if self.walk.is_broken() => self.cut(true, emit),
            Some(Step::Limit) => self.split(emit),
            Some(Step::Inner(range)) => {
                self.drop_before(self.place(range.start));
                self.emit_text(self.at, lines(&self.text[..self.at]), Shape::Inner, emit);
            }
            Some(Step::SplitEnd) => {
                self.drop_before(self.at);
                self.walk.restart();
                self.begun = Some(self.at);
            }
        }
    }

    /// The place in the text of an offset in the walk.
    fn place(&self, offset: usize) -> usize {
        self.at - (self.walk.at() - offset)
    }

    /// Hands on everything that has been looked at, in the middle of a line.
    fn cut(&mut self, is_reported: bool, emit: &mut impl FnMut(Chunk)) {
        self.odd.extend(self.begun.map(|begun| begun..self.at));
        self.emit_lines(self.at, emit);
        self.is_reported = is_reported;
        self.walk.restart();
        self.begun = Some(self.at);
    }

    /// Hands on a part of an object that has become too large.
    fn split(&mut self, emit: &mut impl FnMut(Chunk)) {
        let start = self.place(self.walk.start());
        if let Some(begun) = self.begun.filter(|begun| *begun < start) {
            self.odd.push(begun..start);
        }
        self.emit_lines(start, emit);
        self.walk.split();
        let end = self.place(self.walk.start());
        self.emit_text(end, lines(&self.text[..end]), Shape::Part, emit);
    }

    /// Hands on everything that is complete.
    fn hand_on(&mut self, emit: &mut impl FnMut(Chunk)) {
        match self.begun {
            Some(_) if self.walk.is_split() => self.drop_before(self.place(self.walk.start())),
            Some(begun) => self.emit_lines(begun, emit),
            None => self.emit_lines(self.at, emit),
        }
    }

    fn emit_lines(&mut self, end: usize, emit: &mut impl FnMut(Chunk)) {
        if end > 0 {
            let odd = std::mem::take(&mut self.odd);
            let lines = if odd.is_empty() {
                self.plain
            } else {
                lines(&self.text[..end])
            };
            self.emit_text(end, lines, Shape::Lines(odd), emit);
        }
    }

    /// Hands on the text before `end`.
    fn emit_text(&mut self, end: usize, lines: u64, shape: Shape, emit: &mut impl FnMut(Chunk)) {
        let first_line = self.line;
        self.line += lines;
        let text = self.take_before(end);
        emit(Chunk {
            text,
            first_line,
            shape,
            is_reported: std::mem::take(&mut self.is_reported),
        });
    }

    fn drop_before(&mut self, end: usize) {
        if end > 0 {
            let text = self.take_before(end);
            self.line += lines(&text);
            self.buffers.give(text.into_buffer());
        }
    }

    fn take_before(&mut self, end: usize) -> Text {
        let rest = Text::new(self.buffers.take_used(), &self.text[end..]);
        self.text.truncate(end);
        let text = std::mem::replace(&mut self.text, rest);
        let gone = |place: &mut usize| *place = place.saturating_sub(end);
        gone(&mut self.at);
        gone(&mut self.searched);
        self.begun.iter_mut().for_each(gone);
        self.line_end.iter_mut().for_each(gone);
        self.plain = 0;
        text
    }
}

/// The number of lines that end in a text.
fn lines(text: &[u8]) -> u64 {
    memchr_iter(b'\n', text).count() as u64
}

/// Returns true if a line begins and ends like an object.
fn looks_whole(line: &[u8]) -> bool {
    if let [b'{', .., b'}', b'\n'] = line {
        return true;
    }
    let line = line.trim_ascii();
    line.starts_with(b"{") && line.ends_with(b"}")
}

/// Returns true if a line is an object, and nothing else.
fn is_object(line: &[u8]) -> bool {
    let mut scanner = Scanner::new(line, 0);
    scanner.skip().is_ok() && scanner.peek() == 0 && scanner.at() == line.len()
}
