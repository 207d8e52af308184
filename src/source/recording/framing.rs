//! Where objects begin and end.
//!
//! eslogger writes an object a line. Recordings that went through other tools have objects that go over
//! several lines, several objects in a line, or lines that were cut. Framing looks at no more of a line
//! than its first and last byte while each line is an object. An object that goes over several lines is
//! collected. Where it was cut, the next whole message shows it: it ends, and began a line, while the object
//! before it was still open. No text is looked at twice, so that damage costs no more time than anything else.

use memchr::{memchr, memchr_iter, memchr3};

use super::{is_harmless, is_message};

/// The largest object, in bytes. Arguments and environment of an exec are at most 1 MiB on macOS, and six
/// times that with every byte escaped.
pub const MAX_OBJECT: usize = 8 << 20;

/// An object of this size, in bytes, isn't copied to go with others.
const LARGE: usize = 64 << 10;

/// How deep the brackets of an object may be nested while it is collected.
const MAX_DEPTH: usize = 128;

/// How often as much as has been collected may be looked at to find messages in it.
const MAX_LOOKS: usize = 16;

/// A piece of a recording that can be decoded by itself.
#[derive(Debug, PartialEq, Eq)]
pub struct Chunk {
    /// The text.
    pub text: Vec<u8>,
    /// The number of its first line, counted from 1.
    pub first_line: u64,
    /// What it consists of.
    pub shape: Shape,
}

/// What a chunk consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Lines, each of which is empty or begins and ends like an object.
    Regular,
    /// Lines of all sorts.
    Mixed,
    /// An object that goes over several lines.
    Object,
    /// Several lines that an object began on, without its end.
    Cut,
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
    /// Where lines begin with an object that has not ended: parts of this object, or such as come after it
    /// if it was cut.
    starts: Vec<Start>,
    /// How much has come, in bytes.
    seen: usize,
    /// How much of it was looked at to find messages in it.
    looked_at: usize,
}

/// Where an object seems to begin within another one.
#[derive(Clone, Copy, Debug)]
struct Start {
    offset: usize,
    line: u64,
    /// How many brackets are open before it.
    depth: usize,
}

/// What has become of an object with another line.
enum Progress {
    /// Its end is still to come.
    Open,
    /// It ends before this offset in the line.
    Done(usize),
    /// It was cut: a whole message begins at the start and ends before this offset in the line.
    Overtaken(Start, usize),
    /// It was cut: there is a newline in a string.
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
                shape: Shape::Regular,
            });
            self.line += lines;
        } else {
            self.push(text, emit);
        }
    }

    /// Whether this piece of a line may be pushed before the rest of the line is there.
    pub fn takes_piece(&self, piece: &[u8]) -> bool {
        let is_object = || piece.iter().find(|byte| !is_harmless(**byte)) == Some(&b'{');
        self.open.is_some() || is_object()
    }

    /// Takes whole lines, pieces of a line that is long, and the last line even if no newline ends it.
    pub fn push(&mut self, text: &[u8], emit: &mut impl FnMut(Chunk)) {
        let mut at = 0;
        while at < text.len() {
            let end = end_of_line(text, at);
            self.push_line(&text[at..end], emit);
            self.line += u64::from(text[end - 1] == b'\n');
            at = end;
        }
        self.emit_run(emit);
    }

    /// Ends the recording.
    pub fn end(&mut self, emit: &mut impl FnMut(Chunk)) {
        if let Some(open) = self.open.take() {
            self.give_up(&open, open.text.len(), emit);
        }
        self.emit_run(emit);
    }

    fn push_line(&mut self, line: &[u8], emit: &mut impl FnMut(Chunk)) {
        // Several objects may begin in it. How it ends is looked at once; the end of a piece says nothing.
        let mut rest = line;
        let last = line.iter().rposition(|byte| !is_harmless(*byte));
        let ends_like_an_object =
            line.ends_with(b"\n") && last.is_some_and(|last| line[last] == b'}');
        while !rest.is_empty() {
            let Some(mut open) = self.open.take() else {
                match Look::of_beginning(rest, ends_like_an_object) {
                    Look::Begins(offset) => {
                        self.open = Some(Open::new(self.line));
                        rest = &rest[offset..];
                    }
                    look => {
                        return self.add_to_run(rest, self.line, &look);
                    }
                }
                continue;
            };
            match open.push(rest, self.line) {
                Progress::Open => {
                    self.open = Some(open);
                    return;
                }
                Progress::Done(length) => {
                    if open.first_line == self.line && open.text.len() < LARGE {
                        // Of several in a line.
                        self.add_to_run(&open.text, self.line, &Look::Whole);
                    } else {
                        self.emit_object(open.text, open.first_line, emit);
                    }
                    rest = &rest[length..];
                }
                Progress::Overtaken(start, length) => {
                    self.give_up(&open, start.offset, emit);
                    self.emit_object(open.text.split_off(start.offset), start.line, emit);
                    rest = &rest[length..];
                }
                Progress::Cut => return self.give_up(&open, open.text.len(), emit),
                Progress::Endless => {
                    let kept = open.start_to_keep();
                    self.give_up(
                        &open,
                        kept.map_or(open.text.len(), |start| start.offset),
                        emit,
                    );
                    self.open = kept.map(|start| open.since(start));
                    return;
                }
            }
        }
    }

    /// Lines that are not part of an object over several lines.
    fn add_to_run(&mut self, text: &[u8], first_line: u64, look: &Look) {
        if self.run.is_none() && *look == Look::Empty {
            return;
        }
        let run = self.run.get_or_insert_with(|| Chunk {
            text: Vec::new(),
            first_line,
            shape: Shape::Regular,
        });
        run.text.extend_from_slice(text);
        if !matches!(look, Look::Whole | Look::Empty) {
            run.shape = Shape::Mixed;
        }
    }

    fn emit_run(&mut self, emit: &mut impl FnMut(Chunk)) {
        if let Some(run) = self.run.take() {
            emit(run);
        }
    }

    fn emit_object(&mut self, text: Vec<u8>, first_line: u64, emit: &mut impl FnMut(Chunk)) {
        self.emit_run(emit);
        emit(Chunk {
            text,
            first_line,
            shape: Shape::Object,
        });
    }

    /// What has been collected before the offset will never be an object: nor will those that began in it.
    fn give_up(&mut self, open: &Open, until: usize, emit: &mut impl FnMut(Chunk)) {
        let mut at = 0;
        let mut first_line = open.first_line;
        let starts = open.starts.iter().map(|start| (start.offset, start.line));
        let starts = starts.take_while(|(offset, _)| *offset < until);
        for (end, line) in starts.chain([(until, 0)]) {
            let text = &open.text[at..end];
            // A line that was cut goes with the other lines.
            if text[end_of_line(text, 0)..]
                .iter()
                .copied()
                .all(is_harmless)
            {
                self.add_to_run(text, first_line, &Look::Other);
            } else {
                self.emit_run(emit);
                emit(Chunk {
                    text: text.to_vec(),
                    first_line,
                    shape: Shape::Cut,
                });
            }
            (at, first_line) = (end, line);
        }
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
            starts: Vec::new(),
            seen: 0,
            looked_at: 0,
        }
    }

    /// Takes a line, or what is left of one.
    fn push(&mut self, line: &[u8], number: u64) -> Progress {
        let is_line = self.depth > 0 && !self.in_string;
        let first = line.iter().position(|byte| !is_harmless(*byte));
        let start = first.filter(|first| is_line && line[*first] == b'{');
        let mut taken = 0;
        let mut at = 0;
        self.seen += line.len();
        while at < line.len() {
            if self.in_string {
                match memchr3(b'"', b'\\', b'\n', &line[at..]) {
                    Some(0) if self.escaped && line[at] != b'\n' => {}
                    Some(skipped) => {
                        at += skipped;
                        match line[at] {
                            b'"' => self.in_string = false,
                            b'\\' => {
                                self.escaped = true;
                                at += 1;
                                continue;
                            }
                            _ => {
                                self.text.extend_from_slice(&line[taken..]);
                                return Progress::Cut;
                            }
                        }
                    }
                    None => at = line.len() - 1,
                }
                self.escaped = false;
                at += 1;
                continue;
            }
            match line[at] {
                b'"' => self.in_string = true,
                b'{' | b'[' => {
                    if start == Some(at) {
                        self.starts.push(Start {
                            offset: self.text.len() + at - taken,
                            line: number,
                            depth: self.depth,
                        });
                    }
                    self.depth += 1;
                }
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    let start = self.starts.pop_if(|start| start.depth >= self.depth);
                    if self.depth == 0 || start.is_some() {
                        self.text.extend_from_slice(&line[taken..=at]);
                        taken = at + 1;
                    }
                    if self.depth == 0 {
                        return Progress::Done(taken);
                    }
                    if let Some(start) = start
                        && self.is_message(start)
                    {
                        return Progress::Overtaken(start, taken);
                    }
                }
                _ => {}
            }
            at += 1;
        }
        self.text.extend_from_slice(&line[taken..]);
        if self.is_too_deep() || self.is_too_large() {
            Progress::Endless
        } else {
            Progress::Open
        }
    }

    /// Whether what has come from the start on is a message.
    fn is_message(&mut self, start: Start) -> bool {
        let text = &self.text[start.offset..];
        self.looked_at += text.len();
        self.looked_at <= MAX_LOOKS * self.seen && is_message(text)
    }

    fn is_too_deep(&self) -> bool {
        self.depth > MAX_DEPTH
    }

    fn is_too_large(&self) -> bool {
        self.text.len() > MAX_OBJECT
    }

    /// Where something begins that may still end, once this object can't: in the newer half of it, so that
    /// little is copied often.
    fn start_to_keep(&self) -> Option<Start> {
        let is_new = |start: &&Start| {
            (!self.is_too_large() || start.offset >= MAX_OBJECT / 2)
                && (!self.is_too_deep() || start.depth >= MAX_DEPTH / 2)
        };
        self.starts.iter().find(is_new).copied()
    }

    /// What is left when all before the start is given up.
    fn since(&self, start: Start) -> Open {
        let starts = self
            .starts
            .iter()
            .filter(|later| later.offset > start.offset);
        Open {
            text: self.text[start.offset..].to_vec(),
            first_line: start.line,
            depth: self.depth - start.depth,
            starts: starts
                .map(|later| Start {
                    offset: later.offset - start.offset,
                    line: later.line,
                    depth: later.depth - start.depth,
                })
                .collect(),
            ..*self
        }
    }
}

/// The offset after the newline that ends the line which `at` is in.
fn end_of_line(text: &[u8], at: usize) -> usize {
    memchr(b'\n', &text[at..]).map_or(text.len(), |newline| at + newline + 1)
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
        let last = line.iter().rposition(|byte| !is_harmless(*byte));
        Look::of_beginning(line, last.is_some_and(|last| line[last] == b'}'))
    }

    fn of_beginning(line: &[u8], ends_like_an_object: bool) -> Look {
        match line.iter().position(|byte| !is_harmless(*byte)) {
            None => Look::Empty,
            Some(start) if line[start] != b'{' => Look::Other,
            Some(_) if ends_like_an_object => Look::Whole,
            Some(start) => Look::Begins(start),
        }
    }
}
