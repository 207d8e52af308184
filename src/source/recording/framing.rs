//! Where objects begin and end.
//!
//! eslogger writes an object a line. Recordings that went through other tools have objects that go over
//! several lines, several objects in a line, or lines that were cut. Framing looks at no more of a line
//! than its first and last byte while each line is an object. An object that goes over several lines is
//! collected; where that leads nowhere, because its first line was cut, only that line is given up, and
//! the lines after it are looked at again, in case an object begins among them.

use memchr::{memchr, memchr_iter};

use super::{is_harmless, is_message};

/// The largest object, in bytes. Arguments and environment of an exec are at most 1 MiB on macOS, and six
/// times that with every byte escaped.
pub const MAX_OBJECT: usize = 8 << 20;

/// How deep the brackets of an object may be nested while it is collected.
const MAX_DEPTH: usize = 128;

/// A piece of a recording that can be decoded by itself.
#[derive(Debug, PartialEq, Eq)]
pub struct Chunk {
    /// The text.
    pub text: Vec<u8>,
    /// The number of its first line, counted from 1.
    pub first_line: u64,
    /// Whether every line that isn't empty begins and ends like an object.
    pub is_regular: bool,
    /// Whether it is an object that goes over several lines.
    pub is_one_object: bool,
}

/// Cuts the lines of a recording into chunks.
#[derive(Debug)]
pub struct Framer {
    line: u64,
    run: Option<Chunk>,
    open: Option<Open>,
}

/// An object whose end has not come yet.
#[derive(Debug)]
struct Open {
    text: Vec<u8>,
    first_line: u64,
    depth: usize,
    in_string: bool,
    escaped: bool,
}

/// What has become of an object with another line.
enum Progress {
    /// Its end is still to come.
    Open,
    /// It ends before this offset in the line.
    Done(usize),
    /// A line of it was cut: it has a newline in a string.
    Cut,
    /// It is larger or deeper than an object may be.
    Endless,
}

impl Framer {
    /// Begins a recording.
    pub fn new() -> Self {
        Framer {
            line: 1,
            run: None,
            open: None,
        }
    }

    /// Takes whole lines. While each is an object the text goes on as it is, and is gone from `text`.
    pub fn push_buffer(&mut self, text: &mut Vec<u8>, emit: &mut impl FnMut(Chunk)) {
        let mut at = 0;
        let mut lines = 0;
        let is_regular = self.open.is_none()
            && memchr_iter(b'\n', text).all(|newline| {
                let look = Look::of(&text[at..=newline]);
                at = newline + 1;
                lines += 1;
                matches!(look, Look::Whole | Look::Empty)
            });
        if is_regular && at == text.len() {
            emit(Chunk {
                text: std::mem::take(text),
                first_line: self.line,
                is_regular,
                is_one_object: false,
            });
            self.line += lines;
        } else {
            self.push(text, emit);
        }
    }

    /// Takes whole lines, and the last piece of a recording even if no newline ends it.
    pub fn push(&mut self, text: &[u8], emit: &mut impl FnMut(Chunk)) {
        self.lines(text, emit);
        self.emit_run(emit);
    }

    /// Ends the recording.
    pub fn end(&mut self, emit: &mut impl FnMut(Chunk)) {
        while self.open.is_some() {
            self.give_up(emit);
        }
        self.emit_run(emit);
    }

    fn lines(&mut self, text: &[u8], emit: &mut impl FnMut(Chunk)) {
        let mut at = 0;
        while at < text.len() {
            let end = memchr(b'\n', &text[at..]).map_or(text.len(), |newline| at + newline + 1);
            let line = &text[at..end];
            let look = Look::of(line);
            match (&mut self.open, look) {
                (None, Look::Begins(offset)) => {
                    self.open = Some(Open::new(self.line));
                    at += offset;
                    continue;
                }
                (None, look) => self.add_to_run(line, self.line, look != Look::Other),
                (Some(_), Look::Whole) if is_message(line) => {
                    // A message by itself: the object that seemed to go on was cut.
                    self.give_up(emit);
                    continue;
                }
                (Some(open), _) => match open.push(line) {
                    Progress::Open => {}
                    Progress::Done(length) => {
                        self.emit_open(emit);
                        at += length;
                        continue;
                    }
                    Progress::Cut => {
                        at = end;
                        self.line += 1;
                        self.give_up(emit);
                        continue;
                    }
                    Progress::Endless => {
                        if let Some(open) = self.open.take() {
                            self.add_to_run(&open.text, open.first_line, false);
                        }
                    }
                },
            }
            at = end;
            self.line += u64::from(line.ends_with(b"\n"));
        }
    }

    /// Lines that are not part of an object over several lines.
    fn add_to_run(&mut self, text: &[u8], first_line: u64, is_regular: bool) {
        let run = self.run.get_or_insert_with(|| Chunk {
            text: Vec::new(),
            first_line,
            is_regular: true,
            is_one_object: false,
        });
        run.text.extend_from_slice(text);
        run.is_regular &= is_regular;
    }

    fn emit_run(&mut self, emit: &mut impl FnMut(Chunk)) {
        if let Some(run) = self.run.take() {
            emit(run);
        }
    }

    /// The object that is open is complete.
    fn emit_open(&mut self, emit: &mut impl FnMut(Chunk)) {
        self.emit_run(emit);
        if let Some(open) = self.open.take() {
            emit(Chunk {
                text: open.text,
                first_line: open.first_line,
                is_regular: false,
                is_one_object: true,
            });
        }
    }

    /// The object that is open will never be one: gives up its first line and looks again at the others.
    fn give_up(&mut self, emit: &mut impl FnMut(Chunk)) {
        let Some(Open {
            text, first_line, ..
        }) = self.open.take()
        else {
            return;
        };
        let rest = memchr(b'\n', &text).map_or(text.len(), |newline| newline + 1);
        self.add_to_run(&text[..rest], first_line, false);
        let line = std::mem::replace(&mut self.line, first_line + 1);
        self.lines(&text[rest..], emit);
        self.line = line;
    }
}

impl Open {
    fn new(first_line: u64) -> Self {
        Open {
            text: Vec::new(),
            first_line,
            depth: 0,
            in_string: false,
            escaped: false,
        }
    }

    fn push(&mut self, line: &[u8]) -> Progress {
        for (at, byte) in line.iter().enumerate() {
            if self.in_string {
                if *byte == b'\n' {
                    self.text.extend_from_slice(line);
                    return Progress::Cut;
                }
                self.in_string = self.escaped || *byte != b'"';
                self.escaped = !self.escaped && *byte == b'\\';
                continue;
            }
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
            if self.depth == 0 {
                self.text.extend_from_slice(&line[..=at]);
                return Progress::Done(at + 1);
            }
        }
        self.text.extend_from_slice(line);
        if self.depth > MAX_DEPTH || self.text.len() > MAX_OBJECT {
            Progress::Endless
        } else {
            Progress::Open
        }
    }
}

/// What a line looks like from its ends.
#[derive(PartialEq, Eq)]
enum Look {
    /// Nothing in it.
    Empty,
    /// An object, or several.
    Whole,
    /// An object that begins at this offset and doesn't end.
    Begins(usize),
    /// Something else.
    Other,
}

impl Look {
    fn of(line: &[u8]) -> Look {
        if let [b'{', .., b'}', b'\n'] = line {
            return Look::Whole;
        }
        let Some(start) = line.iter().position(|byte| !is_harmless(*byte)) else {
            return Look::Empty;
        };
        let end = line.iter().rposition(|byte| !is_harmless(*byte));
        match (line[start], end.map(|end| line[end])) {
            (b'{', Some(b'}')) => Look::Whole,
            (b'{', _) => Look::Begins(start),
            _ => Look::Other,
        }
    }
}
