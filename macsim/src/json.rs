//! A JSON reader that keeps what the messages need: the order of members, whole 64-bit numbers, and strings as bytes.
//!
//! A name that isn't UTF-8 comes as lone surrogates: `\udc80` to `\udcff` stand for the bytes 0x80 to 0xff.

use std::fmt;

/// A value; members of an object stay in their order.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A whole number; wide enough for `u64` and `i64`.
    Int(i128),
    /// Any other number.
    Float(f64),
    /// A string's bytes.
    String(Vec<u8>),
    /// An array.
    Array(Vec<Json>),
    /// An object.
    Object(Vec<(String, Json)>),
}

/// The place and the reason of a failure.
#[derive(Debug, PartialEq)]
pub struct Error {
    /// Offset into the text.
    pub at: usize,
    /// In words.
    pub reason: &'static str,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} at byte {}", self.reason, self.at)
    }
}

impl Json {
    /// The member of an object; null counts as absent.
    pub fn get(&self, key: &str) -> Option<&Json> {
        let Json::Object(members) = self else {
            return None;
        };
        let (_, value) = members.iter().find(|(name, _)| name == key)?;
        (*value != Json::Null).then_some(value)
    }

    /// The whole number; a boolean is 0 or 1.
    pub fn int(&self) -> Option<i128> {
        match self {
            Json::Int(number) => Some(*number),
            Json::Bool(value) => Some(i128::from(*value)),
            _ => None,
        }
    }

    /// The bytes of a string.
    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            Json::String(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The string, if it is UTF-8.
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(self.bytes()?).ok()
    }
}

/// Writes JSON as eslogger does: in one line, with `/` escaped, and bytes that aren't UTF-8 as lone surrogates.
impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let list = |f: &mut fmt::Formatter, index: usize| {
            if index > 0 { f.write_str(",") } else { Ok(()) }
        };
        match self {
            Json::Null => f.write_str("null"),
            Json::Bool(value) => write!(f, "{value}"),
            Json::Int(number) => write!(f, "{number}"),
            Json::Float(number) => write!(f, "{number}"),
            Json::String(bytes) => write_string(bytes, f),
            Json::Array(items) => {
                f.write_str("[")?;
                for (index, item) in items.iter().enumerate() {
                    list(f, index)?;
                    item.fmt(f)?;
                }
                f.write_str("]")
            }
            Json::Object(members) => {
                f.write_str("{")?;
                for (index, (name, value)) in members.iter().enumerate() {
                    list(f, index)?;
                    write_string(name.as_bytes(), f)?;
                    f.write_str(":")?;
                    value.fmt(f)?;
                }
                f.write_str("}")
            }
        }
    }
}

fn write_string(bytes: &[u8], f: &mut fmt::Formatter) -> fmt::Result {
    f.write_str("\"")?;
    for chunk in bytes.utf8_chunks() {
        for letter in chunk.valid().chars() {
            match letter {
                '"' | '\\' | '/' => write!(f, "\\{letter}")?,
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '\t' => f.write_str("\\t")?,
                '\0'..='\x1f' | '\x7f' => write!(f, "\\u{:04x}", u32::from(letter))?,
                _ => write!(f, "{letter}")?,
            }
        }
        for byte in chunk.invalid() {
            write!(f, "\\udc{byte:02x}")?;
        }
    }
    f.write_str("\"")
}

/// The values of a text, one after another: JSON lines or pretty-printed. After an error, reading continues at the
/// next line that starts with `{`.
pub fn values(text: &[u8]) -> impl Iterator<Item = Result<(usize, Json), Error>> {
    let mut reader = Reader { text, at: 0 };
    std::iter::from_fn(move || {
        reader.skip_space();
        let start = reader.at;
        if start >= text.len() {
            return None;
        }
        let result = reader.value(0);
        if result.is_err() {
            let next = text[start..].windows(2).position(|pair| pair == b"\n{");
            reader.at = next.map_or(text.len(), |next| start + next + 1);
        }
        Some(result.map(|value| (start, value)))
    })
}

/// Deeper nesting is refused, so that the stack doesn't overflow.
const MAX_DEPTH: usize = 200;

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn error<T>(&self, reason: &'static str) -> Result<T, Error> {
        Err(Error {
            at: self.at,
            reason,
        })
    }

    fn peek(&self) -> u8 {
        self.text.get(self.at).copied().unwrap_or(0)
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), b' ' | b'\t' | b'\r' | b'\n') {
            self.at += 1;
        }
    }

    fn expect(&mut self, literal: &'static str, value: Json) -> Result<Json, Error> {
        if self.text[self.at..].starts_with(literal.as_bytes()) {
            self.at += literal.len();
            return Ok(value);
        }
        self.error("not a value")
    }

    fn value(&mut self, depth: usize) -> Result<Json, Error> {
        if depth > MAX_DEPTH {
            return self.error("nested too deeply");
        }
        self.skip_space();
        match self.peek() {
            b'{' => self.object(depth),
            b'[' => self.array(depth),
            b'"' => Ok(Json::String(self.string()?)),
            b't' => self.expect("true", Json::Bool(true)),
            b'f' => self.expect("false", Json::Bool(false)),
            b'n' => self.expect("null", Json::Null),
            _ => self.number(),
        }
    }

    fn object(&mut self, depth: usize) -> Result<Json, Error> {
        let mut members = Vec::new();
        self.at += 1;
        self.skip_space();
        if self.peek() == b'}' {
            self.at += 1;
            return Ok(Json::Object(members));
        }
        loop {
            self.skip_space();
            if self.peek() != b'"' {
                return self.error("a member's name is missing");
            }
            let name = String::from_utf8_lossy(&self.string()?).into_owned();
            self.skip_space();
            if self.peek() != b':' {
                return self.error("':' is missing");
            }
            self.at += 1;
            members.push((name, self.value(depth + 1)?));
            if self.ends(b'}')? {
                return Ok(Json::Object(members));
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<Json, Error> {
        let mut items = Vec::new();
        self.at += 1;
        self.skip_space();
        if self.peek() == b']' {
            self.at += 1;
            return Ok(Json::Array(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            if self.ends(b']')? {
                return Ok(Json::Array(items));
            }
        }
    }

    /// Skips a comma or the end of the container; returns true at the end.
    fn ends(&mut self, end: u8) -> Result<bool, Error> {
        self.skip_space();
        let found = self.peek();
        if found != b',' && found != end {
            return self.error("',' or the end of an object or array is missing");
        }
        self.at += 1;
        Ok(found == end)
    }

    fn number(&mut self) -> Result<Json, Error> {
        let start = self.at;
        while matches!(self.peek(), b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E') {
            self.at += 1;
        }
        let text = std::str::from_utf8(&self.text[start..self.at]).unwrap_or_default();
        if let Ok(number) = text.parse() {
            return Ok(Json::Int(number));
        }
        match text.parse() {
            Ok(number) => Ok(Json::Float(number)),
            Err(_) => self.error("not a value"),
        }
    }

    fn string(&mut self) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        self.at += 1;
        loop {
            let Some(&byte) = self.text.get(self.at) else {
                return self.error("a string has no end");
            };
            self.at += 1;
            match byte {
                b'"' => return Ok(bytes),
                b'\\' => self.escape(&mut bytes)?,
                _ => bytes.push(byte),
            }
        }
    }

    fn escape(&mut self, bytes: &mut Vec<u8>) -> Result<(), Error> {
        let letter = self.peek();
        self.at += 1;
        bytes.push(match letter {
            b'"' | b'\\' | b'/' => letter,
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => return self.unicode(bytes),
            _ => return self.error("an unknown escape"),
        });
        Ok(())
    }

    fn unicode(&mut self, bytes: &mut Vec<u8>) -> Result<(), Error> {
        let mut unit = self.hex4()?;
        if (0xd800..0xdc00).contains(&unit) && self.text[self.at..].starts_with(b"\\u") {
            let before = self.at;
            self.at += 2;
            let low = self.hex4()?;
            if (0xdc00..0xe000).contains(&low) {
                unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
            } else {
                self.at = before;
            }
        }
        match (unit, char::from_u32(unit)) {
            (0xdc80..=0xdcff, _) => bytes.push((unit - 0xdc00) as u8),
            (_, Some(letter)) => {
                bytes.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
            }
            _ => bytes.extend_from_slice("\u{fffd}".as_bytes()),
        }
        Ok(())
    }

    fn hex4(&mut self) -> Result<u32, Error> {
        let digits = self.text.get(self.at..self.at + 4).unwrap_or_default();
        let digits = std::str::from_utf8(digits).unwrap_or_default();
        match u32::from_str_radix(digits, 16) {
            Ok(unit) => {
                self.at += 4;
                Ok(unit)
            }
            Err(_) => self.error("not four hexadecimal digits"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<Result<Json, Error>> {
        let values = values(text.as_bytes());
        values.map(|value| value.map(|(_, value)| value)).collect()
    }

    #[test]
    fn order_and_whole_numbers_are_kept() {
        let text =
            r#"{"z":18446744073709551615,"a":-9223372036854775808,"f":0.5,"n":null,"t":[true,[]]}"#;
        let expected = Json::Object(vec![
            ("z".into(), Json::Int(u64::MAX.into())),
            ("a".into(), Json::Int(i64::MIN.into())),
            ("f".into(), Json::Float(0.5)),
            ("n".into(), Json::Null),
            (
                "t".into(),
                Json::Array(vec![Json::Bool(true), Json::Array(vec![])]),
            ),
        ]);
        assert_eq!(read(text), [Ok(expected)]);
    }

    #[test]
    fn surrogates_are_pairs_or_raw_bytes() {
        let text = r#""\ud83c\udf89 \udcff\udc80\u00fc\/""#;
        let expected = ["\u{1f389} ".as_bytes(), b"\xff\x80", "ü/".as_bytes()].concat();
        assert_eq!(read(text), [Ok(Json::String(expected))]);
    }

    #[test]
    fn what_is_written_is_read_again() {
        let text = r#"{"a":[1,-2,0.5,true,null],"b/\"":"\/\u0001\udcff\n\\ü"}"#;
        let Ok(value) = &read(text)[0] else {
            panic!("not read");
        };
        let written = value.to_string();
        assert_eq!(written, text.replace("b/", "b\\/"));
        assert_eq!(read(&written), [Ok(value.clone())]);
    }

    #[test]
    fn after_a_broken_line_the_next_is_read() {
        let values = read("{\"a\":\n{\"b\":1}\n");
        assert_eq!(values.len(), 2, "{values:?}");
        assert!(values[0].is_err() && values[1].is_ok(), "{values:?}");
    }

    #[test]
    fn pretty_printed_values_follow_each_other() {
        assert_eq!(read(" {\n }\n{\n}\n").len(), 2);
    }
}
