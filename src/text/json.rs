//! A pull scanner for JSON: the caller asks for what it wants next and skips the rest.
//!
//! Strings stay as they are written, including escapes, until somebody prints them. Skipped values are checked as
//! strictly as those that are read, except that a string may hold any bytes and lone surrogates: a name in a recording
//! need not be UTF-8, and the event must not be lost because of it.
//!
//! On eslogger's output (70 short keys in random order in 2 KB, every slash escaped) the cost of reading
//! JSON is that of looking at tokens. `CONTRIBUTING.md` has the measurements against published readers.

#![allow(
    clippy::inline_always,
    reason = "measured: what is read most often must not be called"
)]

use std::fmt;

use bumpalo::Bump;
use wide::u8x16;

use super::escape::push_fmt;
use crate::model::event::Text;

/// An error in a text, and its place.
#[derive(Debug, PartialEq, Eq)]
pub struct Error {
    /// The offset in the text.
    pub at: usize,
    /// A description of the error: the token that was expected there, or the reason.
    pub what: &'static str,
    /// True if the value that was read is valid JSON, but of another type than requested.
    pub mismatch: bool,
}

impl Error {
    /// Creates an error for valid JSON that isn't of the expected type.
    pub fn mismatch(at: usize, what: &'static str) -> Box<Error> {
        Box::new(Error {
            at,
            what,
            mismatch: true,
        })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)
    }
}

/// The outcome of reading something. Errors are rare, so they are boxed to keep the result small.
pub type Result<T> = std::result::Result<T, Box<Error>>;

/// Reads JSON from the left to the right.
#[derive(Clone, Debug)]
pub struct Scanner<'m> {
    text: &'m [u8],
    at: usize,
    /// The buffer for keys that are written with escapes.
    keys: Option<&'m Bump>,
}

/// The inside of a string, as it is written.
#[derive(Clone, Copy, Debug)]
pub struct Str<'m> {
    /// The text between the quotes.
    pub inside: &'m [u8],
    /// True if there is an escape in it.
    pub escaped: bool,
}

impl<'m> Scanner<'m> {
    /// Creates a scanner that begins at the offset `at` of `text`.
    pub fn new(text: &'m [u8], at: usize) -> Self {
        Scanner {
            text,
            at,
            keys: None,
        }
    }

    /// Unescapes the keys that are written with escapes, and puts them into `arena`.
    pub fn unescape_keys(&mut self, arena: &'m Bump) {
        self.keys = Some(arena);
    }

    /// The offset of the next byte to be read.
    pub fn at(&self) -> usize {
        self.at
    }

    /// The text from `start` to the next byte to be read.
    pub fn since(&self, start: usize) -> &'m [u8] {
        &self.text[start..self.at]
    }

    /// Goes back to an offset that [`Scanner::at`] returned.
    pub fn go_back(&mut self, at: usize) {
        self.at = at;
    }

    #[cold]
    fn error<T>(&self, what: &'static str) -> Result<T> {
        let at = self.at;
        Err(Box::new(Error {
            at,
            what,
            mismatch: false,
        }))
    }

    #[cold]
    fn mismatch<T>(&self, what: &'static str) -> Result<T> {
        Err(Error::mismatch(self.at, what))
    }

    /// The first byte of the next token; 0 at the end of the text.
    #[inline(always)]
    pub fn peek(&mut self) -> u8 {
        loop {
            match self.text.get(self.at) {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                Some(byte) => return *byte,
                None => return 0,
            }
        }
    }

    /// Reads an object: calls `member` with each key, which must read or skip the value.
    #[inline(always)]
    pub fn object(
        &mut self,
        mut member: impl FnMut(&mut Self, Str<'m>) -> Result<()>,
    ) -> Result<()> {
        if self.peek() != b'{' {
            return self.mismatch("expected an object");
        }
        self.at += 1;
        if self.peek() == b'}' {
            self.at += 1;
            return Ok(());
        }
        loop {
            let key = self.key()?;
            member(self, key)?;
            match self.peek() {
                b',' => self.at += 1,
                b'}' => break,
                _ => return self.error("expected ',' or '}'"),
            }
        }
        self.at += 1;
        Ok(())
    }

    /// Reads an array: calls `element` before each element, which must read or skip it.
    #[inline]
    pub fn array(&mut self, mut element: impl FnMut(&mut Self) -> Result<()>) -> Result<()> {
        if self.peek() != b'[' {
            return self.mismatch("expected an array");
        }
        self.at += 1;
        if self.peek() == b']' {
            self.at += 1;
            return Ok(());
        }
        loop {
            element(self)?;
            match self.peek() {
                b',' => self.at += 1,
                b']' => break,
                _ => return self.error("expected ',' or ']'"),
            }
        }
        self.at += 1;
        Ok(())
    }

    /// Reads a string.
    #[inline(always)]
    pub fn string(&mut self) -> Result<Str<'m>> {
        if self.peek() != b'"' {
            return self.mismatch("expected a string");
        }
        let start = self.at + 1;
        match short_string(self.text, start) {
            Some(end) => {
                self.at = end + 1;
                Ok(Str {
                    inside: &self.text[start..end],
                    escaped: false,
                })
            }
            None => self.long_string(start),
        }
    }

    /// Reads the string whose inside begins at `start`.
    #[inline(never)]
    fn long_string(&mut self, start: usize) -> Result<Str<'m>> {
        let mut at = start;
        let mut escaped = false;
        loop {
            at += plain_bytes(&self.text[at..]);
            match self.text.get(at) {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    at += match self.text.get(at + 1) {
                        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 2,
                        Some(b'u') if self.text.get(at + 2..at + 6).is_some_and(is_hex) => 6,
                        Some(_) => {
                            self.at = at;
                            return self.error("wrong escape in a string");
                        }
                        None => 1,
                    };
                }
                Some(_) => {
                    self.at = at;
                    return self.error("control character in a string");
                }
                None => {
                    self.at = self.text.len();
                    return self.error("the text ends within a string");
                }
            }
        }
        self.at = at + 1;
        Ok(Str {
            inside: &self.text[start..at],
            escaped,
        })
    }

    /// Reads an integer, exactly.
    #[inline]
    pub fn integer(&mut self) -> Result<i128> {
        let start = match self.peek() {
            b'-' | b'0'..=b'9' => self.at,
            _ => return self.mismatch("expected an integer"),
        };
        let (negative, digits) = match self.number()? {
            [b'-', digits @ ..] => (true, digits),
            digits => (false, digits),
        };
        let add = |value: u64, digit: &u8| match digit {
            b'0'..=b'9' => value.checked_mul(10)?.checked_add(u64::from(digit - b'0')),
            _ => None,
        };
        let value = digits.iter().try_fold(0, add);
        let Some(value) = value.or_else(|| whole_number(digits)) else {
            self.at = start;
            return self.mismatch("expected an integer of 64 bits");
        };
        let value = i128::from(value);
        Ok(if negative { -value } else { value })
    }

    /// Reads an integer that fits into `T`.
    #[inline]
    pub fn integer_as<T: TryFrom<i128>>(&mut self) -> Result<T> {
        let start = self.at;
        let value = self.integer()?;
        T::try_from(value).or_else(|_| {
            self.at = start;
            self.mismatch("the number is out of range")
        })
    }

    /// Reads a number as it is written.
    #[inline]
    fn number(&mut self) -> Result<&'m [u8]> {
        let start = self.at;
        let first = start + usize::from(self.text.get(start) == Some(&b'-'));
        self.at = first + digits(self.text, first);
        if self.at == first {
            return self.error("expected a value");
        }
        if self.text[first] == b'0' && self.at > first + 1 {
            return self.error("a number begins with 0");
        }
        if let Some(b'.' | b'e' | b'E') = self.text.get(self.at) {
            self.fraction_and_exponent()?;
        }
        Ok(self.since(start))
    }

    #[cold]
    fn fraction_and_exponent(&mut self) -> Result<()> {
        if self.text[self.at] == b'.' {
            self.at += 1;
            self.some_digits()?;
        }
        if let Some(b'e' | b'E') = self.text.get(self.at) {
            self.at += 1;
            if let Some(b'+' | b'-') = self.text.get(self.at) {
                self.at += 1;
            }
            self.some_digits()?;
        }
        Ok(())
    }

    fn some_digits(&mut self) -> Result<()> {
        match digits(self.text, self.at) {
            0 => self.error("expected a digit"),
            count => {
                self.at += count;
                Ok(())
            }
        }
    }

    /// Reads `true` or `false`.
    pub fn boolean(&mut self) -> Result<bool> {
        match self.peek() {
            b't' => self.word(b"true").map(|()| true),
            b'f' => self.word(b"false").map(|()| false),
            _ => self.mismatch("expected true or false"),
        }
    }

    /// Reads `null` if it is next, and then returns true.
    #[inline]
    pub fn null(&mut self) -> Result<bool> {
        if self.peek() == b'n' {
            return self.word(b"null").map(|()| true);
        }
        Ok(false)
    }

    fn word(&mut self, word: &[u8]) -> Result<()> {
        if !self.text[self.at..].starts_with(word) {
            return self.error("expected a value");
        }
        self.at += word.len();
        Ok(())
    }

    /// Reads past the next value and returns true if it is written exactly like this.
    #[inline]
    pub fn is(&mut self, value: &[u8]) -> bool {
        self.peek();
        let is_so = self.text[self.at..].starts_with(value);
        if is_so {
            self.at += value.len();
        }
        is_so
    }

    /// Reads any value and returns it as it is written.
    pub fn value(&mut self) -> Result<&'m [u8]> {
        self.peek();
        let start = self.at;
        self.skip()?;
        Ok(self.since(start))
    }

    /// Reads past any value.
    pub fn skip(&mut self) -> Result<()> {
        // The open brackets, the innermost in the lowest bit: 1 for an object, 0 for an array.
        let mut open = 0_u128;
        let mut depth = 0;
        loop {
            match self.peek() {
                b'"' => self.skip_string()?,
                b'0'..=b'9' | b'-' => self.skip_number()?,
                bracket @ (b'{' | b'[') => {
                    let is_object = bracket == b'{';
                    self.at += 1;
                    if self.peek() == if is_object { b'}' } else { b']' } {
                        self.at += 1;
                    } else {
                        if depth == u128::BITS {
                            return self.error("nested too deep");
                        }
                        depth += 1;
                        open = open << 1 | u128::from(is_object);
                        if is_object {
                            self.skip_key()?;
                        }
                        continue;
                    }
                }
                b't' => self.word(b"true")?,
                b'f' => self.word(b"false")?,
                b'n' => self.word(b"null")?,
                _ => return self.error("expected a value"),
            }
            loop {
                if depth == 0 {
                    return Ok(());
                }
                let is_object = open & 1 == 1;
                match self.peek() {
                    b',' => {
                        self.at += 1;
                        if is_object {
                            self.skip_key()?;
                        }
                        break;
                    }
                    b'}' if is_object => self.at += 1,
                    b']' if !is_object => self.at += 1,
                    _ if is_object => return self.error("expected ',' or '}'"),
                    _ => return self.error("expected ',' or ']'"),
                }
                depth -= 1;
                open >>= 1;
            }
        }
    }

    /// Reads past a string, which is next.
    #[inline(always)]
    fn skip_string(&mut self) -> Result<()> {
        match short_string(self.text, self.at + 1) {
            Some(end) => {
                self.at = end + 1;
                Ok(())
            }
            None => self.long_string(self.at + 1).map(drop),
        }
    }

    /// Reads past a number, which is next.
    #[inline(always)]
    fn skip_number(&mut self) -> Result<()> {
        let end = self.at + digits(self.text, self.at);
        let is_short = self.text[self.at] > b'0' && matches!(self.text.get(end), Some(b',' | b'}'));
        if is_short {
            self.at = end;
            return Ok(());
        }
        self.number().map(drop)
    }

    /// Reads past a key and the colon after it.
    #[inline(always)]
    fn skip_key(&mut self) -> Result<()> {
        if self.peek() != b'"' {
            return self.error("expected a key");
        }
        self.skip_string()?;
        if self.peek() != b':' {
            return self.error("expected ':'");
        }
        self.at += 1;
        Ok(())
    }

    /// Reads a key and the colon after it.
    #[inline(always)]
    fn key(&mut self) -> Result<Str<'m>> {
        if self.peek() != b'"' {
            return self.error("expected a key");
        }
        let key = self.string()?;
        if self.peek() != b':' {
            return self.error("expected ':'");
        }
        self.at += 1;
        match self.keys {
            Some(arena) if key.escaped => Ok(unescaped(key, arena)),
            _ => Ok(key),
        }
    }
}

#[cold]
fn unescaped<'m>(key: Str<'m>, arena: &'m Bump) -> Str<'m> {
    Str {
        inside: arena.alloc_slice_copy(&Text::Json(key.inside).bytes()),
        escaped: false,
    }
}

/// Sixteen bytes that are looked at together.
struct Block(u8x16);

impl Block {
    #[inline]
    fn at(text: &[u8], at: usize) -> Option<Block> {
        let bytes = text.get(at..)?.first_chunk::<16>()?;
        Some(Block(u8x16::new(*bytes)))
    }

    /// The number of bytes at its start that aren't a quote, a backslash or a control character.
    #[inline]
    fn plain(&self) -> usize {
        let Block(bytes) = *self;
        let control = bytes.min(u8x16::splat(0x1f)).simd_eq(bytes);
        let special =
            bytes.simd_eq(u8x16::splat(b'"')) | bytes.simd_eq(u8x16::splat(b'\\')) | control;
        before_first(special)
    }

    /// The number of digits at its start.
    #[inline]
    fn digits(&self) -> usize {
        let values = self.0 - u8x16::splat(b'0');
        before_first(values.max(u8x16::splat(10)).simd_eq(values))
    }
}

/// The number of bytes before the first one that is set.
#[inline]
fn before_first(set: u8x16) -> usize {
    (set.to_bitmask() | 1 << 16).trailing_zeros() as usize
}

/// The end of the string whose inside begins at `start`, if it is short and has no escapes, as is usual for keys.
#[inline(always)]
fn short_string(text: &[u8], start: usize) -> Option<usize> {
    let end = start + Block::at(text, start)?.plain();
    (text.get(end) == Some(&b'"')).then_some(end)
}

/// The number of bytes at the start of `text` that aren't a quote, a backslash or a control character.
#[inline]
pub fn plain_bytes(text: &[u8]) -> usize {
    let mut at = 0;
    while let Some(block) = Block::at(text, at) {
        match block.plain() {
            16 => at += 16,
            count => return at + count,
        }
    }
    let is_plain = |byte: &&u8| **byte != b'"' && **byte != b'\\' && **byte >= 0x20;
    at + text[at..].iter().take_while(is_plain).count()
}

/// The number of digits from `at` on.
#[inline]
fn digits(text: &[u8], at: usize) -> usize {
    match Block::at(text, at).map(|block| block.digits()) {
        Some(count) if count < 16 => count,
        _ => text[at..]
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count(),
    }
}

/// The value of a number with a fraction or an exponent, if it is an integer of 64 bits.
#[cold]
fn whole_number(written: &[u8]) -> Option<u64> {
    let (mantissa, exponent) = match written.iter().position(|byte| b"eE".contains(byte)) {
        Some(at) => {
            let exponent = std::str::from_utf8(&written[at + 1..]).ok()?;
            (&written[..at], exponent.parse::<i32>().ok()?)
        }
        None => (written, 0),
    };
    let point = mantissa.iter().position(|byte| *byte == b'.');
    let (whole, fraction) = mantissa.split_at(point.unwrap_or(mantissa.len()));
    let fraction = fraction.get(1..).unwrap_or_default();
    let digits = [whole, fraction].concat();
    let zeros = digits.iter().rev().take_while(|digit| **digit == b'0');
    let zeros = zeros.count();
    let Some(digits) = digits
        .get(..digits.len() - zeros)
        .filter(|digits| !digits.is_empty())
    else {
        return Some(0);
    };
    let power =
        i64::from(exponent) - i64::try_from(fraction.len()).ok()? + i64::try_from(zeros).ok()?;
    let value = digits.iter().try_fold(0_u64, |value, digit| {
        value.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
    })?;
    value.checked_mul(10_u64.checked_pow(u32::try_from(power).ok()?)?)
}

fn is_hex(digits: &[u8]) -> bool {
    digits.iter().all(u8::is_ascii_hexdigit)
}

/// The depth to which the keys of objects are sorted: those of each level are read once more for it.
const SORTED: usize = 8;

/// Appends a JSON value that has been read, in a form that doesn't depend on how it was written: without white space or
/// escaped slashes, and with the keys of objects in alphabetical order, except for objects nested deeper than anything
/// that has a meaning.
pub fn push_canonical(out: &mut Vec<u8>, value: &[u8]) -> Result<()> {
    push_next(out, &mut Scanner::new(value, 0), 0)
}

fn push_next(out: &mut Vec<u8>, scanner: &mut Scanner<'_>, depth: usize) -> Result<()> {
    match scanner.peek() {
        b'{' if depth < SORTED => {
            let mut members = Vec::new();
            scanner.object(|scanner, key| {
                members.push((key, scanner.value()?));
                Ok(())
            })?;
            members.sort_by_key(|(key, _)| key.inside);
            for (at, (key, value)) in members.iter().enumerate() {
                out.push(if at == 0 { b'{' } else { b',' });
                push_written(out, key.inside);
                out.push(b':');
                push_next(out, &mut Scanner::new(value, 0), depth + 1)?;
            }
            out.extend_from_slice(if members.is_empty() { b"{}" } else { b"}" });
        }
        b'{' => {
            let mut separator = b'{';
            scanner.object(|scanner, key| {
                out.push(separator);
                separator = b',';
                push_written(out, key.inside);
                out.push(b':');
                push_next(out, scanner, depth + 1)
            })?;
            out.extend_from_slice(if separator == b'{' { b"{}" } else { b"}" });
        }
        b'[' => {
            let mut separator = b'[';
            scanner.array(|scanner| {
                out.push(separator);
                separator = b',';
                push_next(out, scanner, depth + 1)
            })?;
            out.extend_from_slice(if separator == b'[' { b"[]" } else { b"]" });
        }
        b'"' => push_written(out, scanner.string()?.inside),
        _ => out.extend_from_slice(scanner.value()?),
    }
    Ok(())
}

/// Appends a string that has been read, with slashes not escaped.
fn push_written(out: &mut Vec<u8>, inside: &[u8]) {
    out.push(b'"');
    let mut rest = inside;
    while let Some(backslash) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..backslash]);
        match rest.get(backslash + 1) {
            Some(b'/') => out.push(b'/'),
            Some(escape) => out.extend_from_slice(&[b'\\', *escape]),
            None => {}
        }
        rest = &rest[(backslash + 2).min(rest.len())..];
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

/// Appends a JSON string, escaped as eslogger does it: a slash gets a backslash, too, and a byte that isn't UTF-8
/// becomes a lone surrogate, which [`crate::model::event::Text`] reads back.
pub fn push_string(out: &mut Vec<u8>, text: &[u8]) {
    let escaped = |out: &mut Vec<u8>, unit: u32| push_fmt(out, format_args!("\\u{unit:04x}"));
    out.push(b'"');
    for chunk in text.utf8_chunks() {
        for byte in chunk.valid().bytes() {
            match byte {
                b'"' | b'\\' | b'/' => out.extend_from_slice(&[b'\\', byte]),
                b'\x08' => out.extend_from_slice(b"\\b"),
                b'\x0c' => out.extend_from_slice(b"\\f"),
                b'\n' => out.extend_from_slice(b"\\n"),
                b'\r' => out.extend_from_slice(b"\\r"),
                b'\t' => out.extend_from_slice(b"\\t"),
                ..0x20 => escaped(out, byte.into()),
                _ => out.push(byte),
            }
        }
        for byte in chunk.invalid() {
            escaped(out, 0xdc00 + u32::from(*byte));
        }
    }
    out.push(b'"');
}

/// Writes JSON, with commas where they belong.
pub struct Writer<'o> {
    out: &'o mut Vec<u8>,
}

impl<'o> Writer<'o> {
    /// Appends to `out`.
    pub fn new(out: &'o mut Vec<u8>) -> Self {
        Writer { out }
    }

    /// Appends an object with these members.
    pub fn object(&mut self, members: impl FnOnce(&mut Self)) {
        self.out.push(b'{');
        members(self);
        self.out.push(b'}');
    }

    /// Appends an array with these elements.
    pub fn array(&mut self, elements: impl FnOnce(&mut Self)) {
        self.out.push(b'[');
        elements(self);
        self.out.push(b']');
    }

    /// Begins a member of an object; its value follows.
    pub fn key(&mut self, key: &str) {
        self.element();
        push_string(self.out, key.as_bytes());
        self.out.push(b':');
    }

    /// Begins an element of an array.
    pub fn element(&mut self) {
        if !matches!(self.out.last(), None | Some(b'{' | b'[' | b':' | b'\n')) {
            self.out.push(b',');
        }
    }

    /// Appends a string.
    pub fn text(&mut self, text: &[u8]) {
        push_string(self.out, text);
    }

    /// Appends a member that is a string.
    pub fn string(&mut self, key: &str, text: &[u8]) {
        self.key(key);
        self.text(text);
    }

    /// Appends a member that is a number.
    pub fn number(&mut self, key: &str, number: impl fmt::Display) {
        self.key(key);
        push_fmt(self.out, format_args!("{number}"));
    }

    /// Appends a member that is null.
    pub fn null(&mut self, key: &str) {
        self.key(key);
        self.out.extend_from_slice(b"null");
    }
}

/// Appends an object that may span several lines as one line, without white space between tokens.
pub fn push_on_one_line(out: &mut Vec<u8>, object: &[u8]) {
    let mut in_string = false;
    let mut escaped = false;
    for byte in object {
        if in_string {
            in_string = escaped || *byte != b'"';
            escaped = !escaped && *byte == b'\\';
        } else if byte.is_ascii_whitespace() {
            continue;
        } else {
            in_string = *byte == b'"';
        }
        out.push(*byte);
    }
}
