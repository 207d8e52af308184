//! Finds the beginnings and ends of objects in a text, and the places where objects are broken.
//!
//! A walk takes a text in pieces of any size and looks at each byte once: what it finds depends on the bytes alone.
//!
//! Within an object the grammar of JSON is checked as strictly as [`crate::text::json::Scanner`] does. At the first
//! error the object is broken. If a brace stands there, the text was cut and the next object begins; it also begins if
//! a string with a brace as its last character has just ended: `"path":"\/usr\/b{"time":…`. Otherwise the object goes
//! on until its brackets are closed, but not beyond a line that can't be a part of it: one that begins an object and is
//! indented no deeper, or one that begins, without indentation, as no line of JSON does.

use std::ops::Range;

use memchr::{memchr2, memchr3};

use crate::text::json::plain_bytes;

/// The maximum depth of nested brackets in an object, the same as the scanner's.
const MAX_DEPTH: usize = 128;

/// The error of an object with deeper brackets. What is within it may be whole.
const TOO_DEEP: &str = "nested too deep";

/// The smallest object that can be a message, in bytes: `{"event":{"x":{}}}`.
const SMALLEST: usize = 18;

/// A finding of the walk.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Text that isn't an object, within a line.
    Text(Range<usize>),
    /// An object.
    Object(Range<usize>),
    /// An object that is broken.
    Broken(Broken),
    /// The end of a line, outside of objects.
    LineEnd,
    /// More text than may be kept, outside of objects or in one.
    Limit,
    /// An object within one that was split.
    Inner(Range<usize>),
    /// The end of an object that was split.
    SplitEnd,
}

/// An object that is broken.
#[derive(Debug, PartialEq, Eq)]
pub struct Broken {
    /// The range of the object.
    pub range: Range<usize>,
    /// The place of the error.
    pub at: usize,
    /// A description of the error.
    pub what: &'static str,
    /// The whole objects in it, without those within others.
    pub inner: Vec<Range<usize>>,
}

/// The place of a walk in the grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Outside of objects.
    Outside,
    /// In text that isn't an object.
    Text,
    /// Before a value.
    Value,
    /// Before the first value of an array, or its end.
    FirstValue,
    /// Before a key.
    Key,
    /// Before the first key of an object, or its end.
    FirstKey,
    /// After a key.
    Colon,
    /// After a value.
    Next,
    /// In a string.
    String,
    /// After a backslash.
    Escape,
    /// Before this many digits of an escape.
    Hex(u8),
    /// In `true`, `false` or `null`, before this rest of it.
    Word(&'static [u8]),
    /// After the minus of a number.
    Minus,
    /// After a zero that a number begins with.
    Zero,
    /// In the digits of a number.
    Integer,
    /// After the point of a number.
    Point,
    /// In the digits after the point.
    Fraction,
    /// After the `e` of a number.
    Exponent,
    /// After the sign of an exponent.
    Sign,
    /// In the digits of an exponent.
    Power,
    /// In an object that is broken.
    Loose,
    /// In a string of a broken object.
    LooseString,
    /// After a backslash in a string of a broken object.
    LooseEscape,
}

/// An object that is open or closed within another.
#[derive(Clone, Debug)]
struct Inner {
    start: usize,
    end: usize,
    /// The number of open brackets around it.
    depth: usize,
}

/// The part of the open object that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kept {
    /// All of it.
    All,
    /// Nothing: it was split, because it is too large.
    Nothing,
    /// An object in it, with this many open brackets around it.
    Inner(usize),
}

/// A walk through a text.
#[derive(Debug)]
pub struct Walk {
    state: State,
    /// The number of bytes that have been taken.
    at: usize,
    /// The place where it stops, because more has come than may be kept.
    limit: usize,
    /// The maximum size of an object.
    largest: usize,
    /// The beginning of the object, or of the text that isn't one; in an object that was split, of the inner object
    /// that is kept.
    start: usize,
    kept: Kept,
    /// The open brackets, the innermost in the lowest bit: 1 for an object, 0 for an array.
    brackets: u128,
    depth: usize,
    /// True if the string is a key.
    is_key: bool,
    /// The open objects.
    open: Vec<Inner>,
    /// The closed objects that are inside open ones.
    closed: Vec<Inner>,
    /// The error in the object, with its place.
    wrong: Option<(usize, &'static str)>,
    /// The end of the last token.
    token_end: usize,
    /// The beginning of the line.
    line: usize,
    /// True if the line has only had white space so far.
    is_blank: bool,
    /// The indentation of the object.
    indent: usize,
    /// The last byte that was taken.
    last: u8,
    /// True if a string that ends with a brace has just ended.
    brace_in_string: bool,
}

/// White space, the brackets and commas of an array of objects, the record separators of RFC 7464, a byte-order mark,
/// and the rest of the `^D\b\b` that a terminal echoes before eslogger's first line: these may stand between objects
/// without any harm.
pub fn is_harmless(byte: u8) -> bool {
    matches!(
        byte,
        b' ' | b'\t' | b'\r' | b'\n' | b'[' | b',' | b']' | 0x04 | 0x08 | 0x1e | 0xef | 0xbb | 0xbf
    )
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

impl Walk {
    /// Creates a walk that begins at the beginning of a line. It stops in an object that is larger than `largest`, and
    /// after as much text without an object.
    pub fn new(largest: usize) -> Walk {
        Walk {
            state: State::Outside,
            at: 0,
            limit: largest,
            largest,
            start: 0,
            kept: Kept::All,
            brackets: 0,
            depth: 0,
            is_key: false,
            open: Vec::new(),
            closed: Vec::new(),
            wrong: None,
            token_end: 0,
            line: 0,
            is_blank: true,
            indent: 0,
            last: 0,
            brace_in_string: false,
        }
    }

    /// Begins another text.
    pub fn restart(&mut self) {
        self.leave(State::Outside);
        (self.at, self.limit) = (0, self.largest);
        self.new_line();
        (self.last, self.brace_in_string) = (0, false);
    }

    /// Returns true if no object is open.
    pub fn is_outside(&self) -> bool {
        matches!(self.state, State::Outside | State::Text)
    }

    /// Returns true if it is in text that isn't an object.
    pub fn is_in_text(&self) -> bool {
        self.state == State::Text
    }

    /// Returns true if the open object has an error.
    pub fn is_broken(&self) -> bool {
        self.wrong.is_some()
    }

    /// The number of bytes that have been taken.
    pub fn at(&self) -> usize {
        self.at
    }

    /// The first byte that must be kept: the beginning of the open object.
    pub fn start(&self) -> usize {
        match self.kept {
            Kept::Nothing => self.at,
            Kept::All | Kept::Inner(_) => self.start,
        }
    }

    /// Returns true if the open object was split.
    pub fn is_split(&self) -> bool {
        self.kept != Kept::All
    }

    /// Splits the open object. An object within it that began in the newer half, and is still open, is kept: this way
    /// little is kept twice.
    pub fn split(&mut self) {
        let middle = self.start + self.largest / 2;
        self.closed.clear();
        let inner = self.open.iter().find(|inner| inner.start > middle);
        match inner.map(|inner| (inner.start, inner.depth)) {
            Some((start, depth)) => self.keep(start, depth),
            None => self.keep_nothing(),
        }
    }

    fn keep(&mut self, start: usize, depth: usize) {
        self.start = start;
        self.kept = Kept::Inner(depth);
        self.limit = start.saturating_add(self.largest);
    }

    fn keep_nothing(&mut self) {
        self.closed.clear();
        self.kept = Kept::Nothing;
        self.limit = usize::MAX;
    }

    /// Goes on in text that isn't an object.
    pub fn give_up(&mut self) {
        self.leave(State::Text);
        self.start = self.at;
    }

    /// Takes bytes of the next piece until something is found; returns the number of bytes.
    pub fn take(&mut self, piece: &[u8]) -> (usize, Option<Step>) {
        let before = self.at;
        let mut found = None;
        while found.is_none() && self.at - before < piece.len() {
            let end = piece.len().min(self.limit - before);
            if self.at - before == end {
                found = Some(Step::Limit);
                break;
            }
            found = self.step(&piece[..end], self.at - before);
        }
        let taken = self.at - before;
        super::work::add(taken);
        if let Some(last) = taken.checked_sub(1) {
            self.last = piece[last];
        }
        (taken, found)
    }

    /// Ends the text.
    pub fn end(&mut self) -> Option<Step> {
        match self.state {
            State::Outside => None,
            State::Text => Some(self.text()),
            _ if self.is_split() => {
                self.leave(State::Outside);
                Some(Step::SplitEnd)
            }
            _ => {
                if self.wrong.is_none() {
                    let what = match self.state {
                        State::String | State::Escape => "the text ends within a string",
                        _ => self.expected(),
                    };
                    self.wrong = Some((self.token_end, what));
                }
                Some(self.broken(self.at))
            }
        }
    }

    fn text(&mut self) -> Step {
        self.state = State::Outside;
        Step::Text(self.start..self.at)
    }

    /// Leaves the object.
    fn leave(&mut self, state: State) {
        self.state = state;
        (self.brackets, self.depth) = (0, 0);
        self.open.clear();
        self.closed.clear();
        self.wrong = None;
        self.kept = Kept::All;
        self.limit = self.at.saturating_add(self.largest);
    }

    /// Ends a broken object here.
    fn broken(&mut self, end: usize) -> Step {
        let (at, what) = self.wrong.unwrap_or((self.at, "damaged"));
        let inner = self.closed.drain(..).map(|inner| inner.start..inner.end);
        let inner = inner.collect();
        let range = self.start..end;
        self.leave(State::Outside);
        Step::Broken(Broken {
            range,
            at,
            what,
            inner,
        })
    }

    /// Begins an object at this offset.
    fn begin(&mut self, start: usize) {
        self.leave(State::FirstKey);
        self.start = start;
        self.limit = start.saturating_add(self.largest);
        self.indent = if self.is_blank { start - self.line } else { 0 };
        self.is_blank = false;
        self.enter(start, true);
    }

    fn enter(&mut self, at: usize, is_object: bool) {
        if is_object && self.depth < MAX_DEPTH {
            self.open.push(Inner {
                start: at,
                end: at,
                depth: self.depth,
            });
            if self.kept == Kept::Nothing {
                self.keep(at, self.depth);
            }
        }
        self.brackets = self.brackets << 1 | u128::from(is_object);
        self.depth += 1;
    }

    /// Closes the innermost bracket, before this offset; returns true if it was the object's own.
    fn exit(&mut self, end: usize) -> bool {
        self.brackets >>= 1;
        self.depth = self.depth.saturating_sub(1);
        let depth = self.depth;
        let closing = self.open.pop_if(|inner| inner.depth >= depth);
        match (&self.wrong, &closing) {
            (None, _) => while self.closed.pop_if(|inner| inner.depth > depth).is_some() {},
            // It isn't whole: the error is in it. Those in it that are whole may be messages of their own.
            (Some((at, what)), Some(closing)) if closing.start < *at && *what != TOO_DEEP => {
                return depth == 0;
            }
            (Some(_), Some(closing)) => {
                while self
                    .closed
                    .pop_if(|inner| inner.start > closing.start)
                    .is_some()
                {}
            }
            (Some(_), None) => {}
        }
        if let Some(mut inner) = closing
            && depth > 0
            && end - inner.start >= SMALLEST
        {
            inner.end = end;
            inner.depth = depth;
            self.closed.push(inner);
        }
        depth == 0
    }

    fn is_in_object(&self) -> bool {
        self.brackets & 1 == 1
    }

    /// The error if anything unexpected comes.
    fn expected(&self) -> &'static str {
        match self.state {
            State::Key | State::FirstKey => "expected a key",
            State::Colon => "expected ':'",
            State::String => "control character in a string",
            State::Escape | State::Hex(_) => "wrong escape in a string",
            State::Point | State::Exponent | State::Sign => "expected a digit",
            State::Next | State::Zero | State::Integer | State::Fraction | State::Power => {
                if self.is_in_object() {
                    "expected ',' or '}'"
                } else {
                    "expected ',' or ']'"
                }
            }
            _ => "expected a value",
        }
    }

    /// Takes the byte at `index` of the piece, and the bytes like it that follow.
    fn step(&mut self, piece: &[u8], index: usize) -> Option<Step> {
        let byte = piece[index];
        match self.state {
            State::Outside => return self.outside(piece, index),
            State::Text => {
                let length = memchr2(b'\n', b'{', &piece[index..]);
                self.at += length.unwrap_or(piece.len() - index);
                return length.map(|_| self.text());
            }
            State::String => return self.string(piece, index),
            State::Loose | State::LooseString | State::LooseEscape => {
                return self.loose(piece, index);
            }
            State::Escape => match byte {
                b'u' => self.state = State::Hex(4),
                b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {
                    self.state = State::String
                }
                _ => return self.wrong(byte, self.expected()),
            },
            State::Hex(digits) => match byte {
                b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F' if digits > 1 => {
                    self.state = State::Hex(digits - 1)
                }
                b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F' => self.state = State::String,
                _ => return self.wrong(byte, self.expected()),
            },
            State::Word(rest) => match rest.split_first() {
                Some((first, rest)) if *first == byte => {
                    self.state = if rest.is_empty() {
                        State::Next
                    } else {
                        State::Word(rest)
                    };
                    self.token_end = self.at + 1;
                }
                _ => return self.wrong(byte, self.expected()),
            },
            State::Minus
            | State::Zero
            | State::Integer
            | State::Point
            | State::Fraction
            | State::Exponent
            | State::Sign
            | State::Power => return self.number(byte),
            State::Value
            | State::FirstValue
            | State::Key
            | State::FirstKey
            | State::Colon
            | State::Next => return self.token(byte),
        }
        self.at += 1;
        None
    }

    fn outside(&mut self, piece: &[u8], index: usize) -> Option<Step> {
        let rest = &piece[index..];
        let harmless = rest
            .iter()
            .take_while(|byte| is_harmless(**byte) && **byte != b'\n')
            .count();
        let spaces = rest[..harmless].iter().take_while(|byte| is_space(**byte));
        self.is_blank &= spaces.count() == harmless;
        self.at += harmless;
        match rest.get(harmless)? {
            b'\n' => {
                self.at += 1;
                self.new_line();
                Some(Step::LineEnd)
            }
            b'{' => self.brace(piece, index + harmless),
            _ => {
                self.is_blank = false;
                self.start = self.at;
                self.state = State::Text;
                None
            }
        }
    }

    /// Takes a brace that begins an object. Of several in a row, only the last can begin one: the text before it is
    /// broken.
    fn brace(&mut self, piece: &[u8], index: usize) -> Option<Step> {
        self.begin(self.at);
        let braces = piece[index..].iter().take_while(|byte| **byte == b'{');
        let braces = braces.count();
        self.at += 1;
        if braces == 1 {
            return None;
        }
        self.wrong = Some((self.at, self.expected()));
        self.at += braces - 2;
        Some(self.broken(self.at))
    }

    fn new_line(&mut self) {
        self.line = self.at;
        self.is_blank = true;
    }

    /// Takes a byte between the tokens of an object, or the first byte of a token.
    fn token(&mut self, byte: u8) -> Option<Step> {
        let after_string = std::mem::take(&mut self.brace_in_string);
        if is_space(byte) {
            self.at += 1;
            if byte == b'\n' {
                self.new_line();
            }
            return None;
        }
        let next = match (self.state, byte) {
            (State::Key | State::FirstKey, b'"') => {
                self.is_key = true;
                State::String
            }
            (State::Value | State::FirstValue, b'"') => {
                self.is_key = false;
                State::String
            }
            (State::Next, b',') if self.is_in_object() => State::Key,
            (State::Colon, b':') | (State::Next, b',') => State::Value,
            (State::Value | State::FirstValue, b'{' | b'[') => {
                if self.depth == MAX_DEPTH {
                    // At the beginning of a line it may be the next object.
                    let byte = if self.is_blank { byte } else { 0 };
                    return self.wrong(byte, TOO_DEEP);
                }
                self.enter(self.at, byte == b'{');
                if byte == b'{' {
                    State::FirstKey
                } else {
                    State::FirstValue
                }
            }
            (State::FirstKey | State::Next, b'}') if self.is_in_object() => {
                return self.close();
            }
            (State::FirstValue | State::Next, b']') if !self.is_in_object() => {
                return self.close();
            }
            (State::Value | State::FirstValue, _) => match byte {
                b't' => State::Word(b"rue"),
                b'f' => State::Word(b"alse"),
                b'n' => State::Word(b"ull"),
                b'-' => State::Minus,
                b'0' => State::Zero,
                b'1'..=b'9' => State::Integer,
                _ => return self.wrong_after(byte, after_string),
            },
            _ => return self.wrong_after(byte, after_string),
        };
        self.state = next;
        self.is_blank = false;
        self.at += 1;
        self.token_end = self.at;
        None
    }

    fn close(&mut self) -> Option<Step> {
        self.at += 1;
        self.token_end = self.at;
        self.is_blank = false;
        let range = self.start..self.at;
        if self.exit(self.at) {
            let is_split = self.is_split();
            self.leave(State::Outside);
            return Some(if is_split {
                Step::SplitEnd
            } else {
                Step::Object(range)
            });
        }
        self.state = State::Next;
        if self.kept == Kept::Inner(self.depth) {
            self.keep_nothing();
            return Some(Step::Inner(range));
        }
        None
    }

    fn number(&mut self, byte: u8) -> Option<Step> {
        self.state = match (self.state, byte) {
            (State::Minus, b'0') => State::Zero,
            (State::Zero, b'0'..=b'9') => return self.wrong(byte, "a number begins with 0"),
            (State::Minus | State::Integer, b'0'..=b'9') => State::Integer,
            (State::Zero | State::Integer, b'.') => State::Point,
            (State::Point | State::Fraction, b'0'..=b'9') => State::Fraction,
            (State::Zero | State::Integer | State::Fraction, b'e' | b'E') => State::Exponent,
            (State::Exponent, b'+' | b'-') => State::Sign,
            (State::Exponent | State::Sign | State::Power, b'0'..=b'9') => State::Power,
            (State::Zero | State::Integer | State::Fraction | State::Power, _) => {
                self.state = State::Next;
                return self.token(byte);
            }
            _ => return self.wrong(byte, self.expected()),
        };
        self.at += 1;
        self.token_end = self.at;
        None
    }

    fn string(&mut self, piece: &[u8], index: usize) -> Option<Step> {
        let length = plain_bytes(&piece[index..]);
        self.at += length;
        self.token_end = self.at;
        let byte = piece.get(index + length)?;
        match byte {
            b'"' => {
                let before = match index + length {
                    0 => self.last,
                    end => piece[end - 1],
                };
                self.brace_in_string = before == b'{';
                self.state = if self.is_key {
                    State::Colon
                } else {
                    State::Next
                };
                self.at += 1;
                self.token_end = self.at;
            }
            b'\\' => {
                self.state = State::Escape;
                self.at += 1;
            }
            byte => return self.wrong(*byte, self.expected()),
        }
        None
    }

    /// Takes an unexpected byte, which may come after a string that ends with a brace.
    fn wrong_after(&mut self, byte: u8, after_string: bool) -> Option<Step> {
        // The text was cut within a string, which ended with the first quote of the next object.
        if after_string && byte != b'{' && !self.is_split() && self.at - 2 > self.start {
            self.wrong = Some((self.at, self.expected()));
            let start = self.at - 2;
            let found = self.broken(start);
            self.begin(start);
            self.state = State::String;
            self.is_key = true;
            return Some(found);
        }
        self.wrong(byte, self.expected())
    }

    /// Handles an error at the next byte.
    fn wrong(&mut self, byte: u8, what: &'static str) -> Option<Step> {
        if self.is_split() {
            self.give_up();
            return None;
        }
        let at = if self.is_blank {
            self.token_end
        } else {
            self.at
        };
        self.wrong = Some((at, what));
        let in_string = matches!(self.state, State::String | State::Escape | State::Hex(_));
        if byte == b'{' && (!self.is_blank || self.at - self.line <= self.indent) {
            let end = if self.is_blank { self.line } else { self.at };
            return Some(self.broken(end));
        }
        self.state = if in_string {
            State::LooseString
        } else {
            State::Loose
        };
        None
    }

    /// Takes a byte of a broken object, in which only brackets, strings and the beginnings of lines count.
    fn loose(&mut self, piece: &[u8], index: usize) -> Option<Step> {
        let byte = piece[index];
        if byte == b'\n' {
            self.at += 1;
            self.new_line();
            self.state = State::Loose;
            return None;
        }
        match self.state {
            State::LooseEscape => {
                self.state = State::LooseString;
                self.at += 1;
            }
            State::LooseString => {
                let length = memchr3(b'"', b'\\', b'\n', &piece[index..]);
                self.at += length.unwrap_or(piece.len() - index);
                match length.map(|length| piece[index + length]) {
                    Some(b'"') => self.state = State::Loose,
                    Some(b'\\') => self.state = State::LooseEscape,
                    _ => return None,
                }
                self.at += 1;
            }
            _ => return self.loose_token(byte),
        }
        None
    }

    fn loose_token(&mut self, byte: u8) -> Option<Step> {
        if self.is_blank && !is_space(byte) {
            let indent = self.at - self.line;
            let is_object = byte == b'{' && indent <= self.indent;
            if is_object || indent == 0 && !b"\"}],:{[".contains(&byte) {
                return Some(self.broken(self.line));
            }
            self.is_blank = false;
        }
        self.at += 1;
        match byte {
            b'"' => self.state = State::LooseString,
            b'{' | b'[' => self.enter(self.at - 1, byte == b'{'),
            b'}' | b']' if self.exit(self.at) => return Some(self.broken(self.at)),
            _ => {}
        }
        None
    }
}
