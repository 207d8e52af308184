//! Recordings in UTF-16, as some editors and shells save text.

use std::io::{self, BufRead, Read};

/// The order of the bytes of a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The lower byte first.
    Little,
    /// The higher byte first.
    Big,
}

impl Order {
    /// The order of a text with this beginning: a byte-order mark, or the brace or bracket of JSON. None if it isn't
    /// UTF-16.
    pub fn of(beginning: &[u8]) -> Option<Order> {
        match beginning {
            [0xff, 0xfe, ..] | [b'{' | b'[', 0, ..] => Some(Order::Little),
            [0xfe, 0xff, ..] | [0, b'{' | b'[', ..] => Some(Order::Big),
            _ => None,
        }
    }

    /// Returns true if it depends on another byte.
    pub fn is_undecided(beginning: &[u8]) -> bool {
        matches!(beginning, [] | [0xff | 0xfe | b'{' | b'[' | 0])
    }
}

/// A text in UTF-16, converted to UTF-8. Half of a surrogate pair becomes U+FFFD.
pub struct Utf16<R> {
    reader: R,
    order: Order,
    /// The bytes of a unit or of a surrogate pair that isn't complete yet.
    begun: Vec<u8>,
    text: Vec<u8>,
    /// The number of bytes of it that have been read.
    at: usize,
}

impl<R: BufRead> Utf16<R> {
    /// Converts the text from `reader`.
    pub fn new(reader: R, order: Order) -> Utf16<R> {
        Utf16 {
            reader,
            order,
            begun: Vec::new(),
            text: Vec::new(),
            at: 0,
        }
    }

    /// Converts the next piece; returns false at the end.
    fn fill(&mut self) -> io::Result<bool> {
        self.text.clear();
        self.at = 0;
        let piece = self.reader.fill_buf()?;
        let count = piece.len();
        self.begun.extend_from_slice(piece);
        self.reader.consume(count);
        let (units, rest) = self.begun.as_chunks::<2>();
        let mut units: Vec<_> = units
            .iter()
            .map(|unit| match self.order {
                Order::Little => u16::from_le_bytes(*unit),
                Order::Big => u16::from_be_bytes(*unit),
            })
            .collect();
        let mut rest = rest.to_vec();
        if count > 0
            && let Some(high) = units.pop_if(|unit| (0xd800..0xdc00).contains(unit))
        {
            let bytes = match self.order {
                Order::Little => high.to_le_bytes(),
                Order::Big => high.to_be_bytes(),
            };
            rest.splice(0..0, bytes);
        }
        let chars = char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER));
        for c in chars {
            self.text
                .extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        }
        self.begun = rest;
        if count == 0 && !self.begun.is_empty() {
            self.begun.clear();
            self.text.extend_from_slice("\u{fffd}".as_bytes());
        }
        Ok(count > 0 || !self.text.is_empty())
    }
}

impl<R: BufRead> Read for Utf16<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.text.len() {
            if !self.fill()? {
                return Ok(0);
            }
        }
        let count = (&self.text[self.at..]).read(buffer)?;
        self.at += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utf8(bytes: &[u8], order: Order, piece: usize) -> String {
        let mut text = String::new();
        let reader = io::BufReader::with_capacity(piece, bytes);
        Utf16::new(reader, order)
            .read_to_string(&mut text)
            .expect("UTF-8");
        text
    }

    #[test]
    fn either_order_is_read_in_pieces_of_any_size() {
        let text = "\u{feff}{\"a\":\"\u{e9}\u{4e2d}\u{1f600}\u{1f600}\"}\n";
        let little: Vec<_> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<_> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        for piece in 1..9 {
            assert_eq!(utf8(&little, Order::Little, piece), text);
            assert_eq!(utf8(&big, Order::Big, piece), text);
        }
        assert_eq!(Order::of(&little), Some(Order::Little));
        assert_eq!(Order::of(&big[2..]), Some(Order::Big));
        assert_eq!(Order::of(b"{\"a\""), None);
    }

    #[test]
    fn what_is_not_whole_is_replaced() {
        for piece in 1..9 {
            assert_eq!(
                utf8(b"a\0\x3d\xd8b\0\0\xdcc", Order::Little, piece),
                "a\u{fffd}b\u{fffd}\u{fffd}"
            );
            assert_eq!(utf8(b"a\0\x3d\xd8", Order::Little, piece), "a\u{fffd}");
        }
    }
}
