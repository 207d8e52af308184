//! Text made safe to print, in one place.
//!
//! Escaped text never moves a terminal's cursor, never forges a line of output and never loses a byte: control
//! characters, DEL, line separators, characters that can't be recognised by sight and bytes that aren't UTF-8 are
//! written as `\n`, `\x1b`, `\u{202e}`, a backslash as `\\`, and everything else unchanged.

use std::ffi::OsStr;
use std::io::Write as _;

use unicode_properties::{GeneralCategory, UnicodeGeneralCategory as _};

use crate::model::event::{Text, push_unescaping_slashes};

/// Appends `text`, escaped.
pub fn push(out: &mut Vec<u8>, text: Text<'_>) {
    match text {
        Text::Known(name) => out.extend_from_slice(name.as_bytes()),
        Text::Bytes(bytes) => push_bytes(out, bytes),
        Text::Json(json) => {
            let start = out.len();
            // Nearly every escape in eslogger's output is an escaped slash; those are unescaped on the way.
            if !push_unescaping_slashes(json, out).is_empty() || !is_plain(&out[start..]) {
                out.truncate(start);
                push_bytes(out, &text.bytes());
            }
        }
    }
}

/// Appends `bytes`, escaped.
pub fn push_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    if is_plain(bytes) {
        out.extend_from_slice(bytes);
        return;
    }
    for chunk in bytes.utf8_chunks() {
        let mut plain = 0;
        for (at, c) in chunk.valid().char_indices() {
            if must_be_escaped(c) {
                out.extend_from_slice(&chunk.valid().as_bytes()[plain..at]);
                push_escape(out, c);
                plain = at + c.len_utf8();
            }
        }
        out.extend_from_slice(&chunk.valid().as_bytes()[plain..]);
        push_hex(out, chunk.invalid());
    }
}

/// Escapes `bytes` as a part of a message: a name that somebody typed may contain anything.
pub fn name(bytes: impl AsRef<OsStr>) -> String {
    let mut name = Vec::new();
    push_bytes(&mut name, bytes.as_ref().as_encoded_bytes());
    // Bytes that aren't UTF-8 have been escaped.
    String::from_utf8_lossy(&name).into_owned()
}

/// The first `limit` characters of a text, and the number of those that follow; each byte that isn't UTF-8 counts as
/// one.
pub fn cut(bytes: &[u8], limit: usize) -> (&[u8], usize) {
    let mut left = limit;
    let mut at = 0;
    for chunk in bytes.utf8_chunks() {
        let valid = chunk.valid();
        match valid.char_indices().nth(left) {
            Some((end, _)) => return (&bytes[..at + end], count(&bytes[at + end..])),
            None => left -= valid.chars().count(),
        }
        at += valid.len();
        let invalid = chunk.invalid().len();
        if invalid > left {
            return (&bytes[..at + left], count(&bytes[at + left..]));
        }
        left -= invalid;
        at += invalid;
    }
    (bytes, 0)
}

fn count(bytes: &[u8]) -> usize {
    let chunks = bytes.utf8_chunks();
    chunks
        .map(|chunk| chunk.valid().chars().count() + chunk.invalid().len())
        .sum()
}

/// Appends what `arguments` format to, which the caller knows to be safe.
pub fn push_fmt(out: &mut Vec<u8>, arguments: std::fmt::Arguments<'_>) {
    // Writing to a vector can't fail.
    let _ = out.write_fmt(arguments);
}

fn must_be_escaped(c: char) -> bool {
    matches!(c, '\0'..='\x1f' | '\x7f' | '\\') || is_unseen(c)
}

fn push_escape(out: &mut Vec<u8>, c: char) {
    match c {
        '\\' => out.extend_from_slice(b"\\\\"),
        '\n' => out.extend_from_slice(b"\\n"),
        '\r' => out.extend_from_slice(b"\\r"),
        '\t' => out.extend_from_slice(b"\\t"),
        '\0'..='\x1f' | '\x7f' => push_fmt(out, format_args!("\\x{:02x}", u32::from(c))),
        c => push_fmt(out, format_args!("\\u{{{:x}}}", u32::from(c))),
    }
}

/// Returns true if a character beyond ASCII can't be recognised by sight, or changes the layout of the text around it:
/// the control characters of Latin 1, spaces other than U+0020, line and paragraph separators, characters that set the
/// writing direction, and all that leave no trace, such as tags and variation selectors.
pub fn is_unseen(c: char) -> bool {
    !c.is_ascii() && !is_common(c) && (has_unseen_category(c) || is_blank(c))
}

fn has_unseen_category(c: char) -> bool {
    matches!(
        c.general_category(),
        GeneralCategory::Control
            | GeneralCategory::Format
            | GeneralCategory::SpaceSeparator
            | GeneralCategory::LineSeparator
            | GeneralCategory::ParagraphSeparator
    )
}

/// Characters of common scripts, all of which are seen: looking up a category takes longer.
fn is_common(c: char) -> bool {
    matches!(c,
        '\u{c0}'..='\u{34e}'         // Latin, and the accents that macOS writes after a letter
        | '\u{370}'..='\u{5ff}'      // Greek, Cyrillic, Armenian, Hebrew
        | '\u{2010}'..='\u{2027}'    // dashes and quotes
        | '\u{3041}'..='\u{3163}'    // Hiragana, Katakana, Bopomofo, Hangul
        | '\u{4e00}'..='\u{9fff}'    // ideographs
        | '\u{ac00}'..='\u{d7a3}') // Hangul
}

/// The characters that are invisible although their category doesn't say so: the rest of `Default_Ignorable_Code_Point`
/// (Unicode's DerivedCoreProperties.txt), and two symbols that are blank.
fn is_blank(c: char) -> bool {
    matches!(c,
        '\u{34f}'                          // combining grapheme joiner
        | '\u{115f}' | '\u{1160}'          // Hangul fillers
        | '\u{17b4}' | '\u{17b5}'          // inherent vowels of Khmer
        | '\u{180b}'..='\u{180f}'          // Mongolian variation selectors
        | '\u{2060}'..='\u{206f}'
        | '\u{2800}'                       // Braille pattern blank
        | '\u{3164}'                       // Hangul filler
        | '\u{fe00}'..='\u{fe0f}'          // variation selectors
        | '\u{ffa0}'                       // halfwidth Hangul filler
        | '\u{fff0}'..='\u{fff8}'
        | '\u{1d159}'                      // musical symbol null notehead
        | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}') // tags, more variation selectors
}

/// Returns true if every byte is printable ASCII other than a backslash, so that nothing needs to be escaped.
fn is_plain(bytes: &[u8]) -> bool {
    // Eight bytes at a time and without an early exit: most texts are short and plain.
    let (words, rest) = bytes.as_chunks();
    let found = |found, word: &[u8; 8]| found | special(u64::from_le_bytes(*word));
    match bytes.last_chunk() {
        // The last eight may include bytes that were checked before, which costs less than checking the rest one by
        // one.
        Some(last) => words.iter().fold(found(0, last), found) == 0,
        None => rest
            .iter()
            .all(|byte| (0x20..0x7f).contains(byte) && *byte != b'\\'),
    }
}

/// Returns a number other than 0 if one of the eight bytes is below 0x20, a backslash, or 0x7f or above.
fn special(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 0xff;
    const HIGH: u64 = ONES << 7;
    let below = |word: u64, bound: u64| word.wrapping_sub(ONES * bound) & !word;
    let backslash = below(word ^ (ONES * 0x5c), 1);
    (below(word, 0x20) | backslash | word | word.wrapping_add(ONES)) & HIGH
}

/// Appends one line of JSON without anything that a terminal acts on. In strings, DEL and characters for which
/// [`is_unseen`] returns true are written as JSON escapes, which mean the same, and a byte that isn't UTF-8 as a lone
/// surrogate. White space between tokens is left out unless it is a space.
pub fn push_json_for_terminal(out: &mut Vec<u8>, json: &[u8]) {
    for chunk in json.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                // JSON strings have no control characters.
                '\0'..='\x1f' => {}
                c if c == '\x7f' || is_unseen(c) => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        push_fmt(out, format_args!("\\u{unit:04x}"));
                    }
                }
                c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        for byte in chunk.invalid() {
            push_fmt(out, format_args!("\\udc{byte:02x}"));
        }
    }
}

/// Appends one argument of a command as it has to be typed in a shell: unchanged, in single quotes, or in `$'…'` if it
/// has a quote or something that is escaped. zsh and bash, including macOS's bash 3.2, give the argument back exactly.
/// Characters that can't be seen are written by their bytes, because that bash doesn't know `\u`.
pub fn push_argument(out: &mut Vec<u8>, argument: Text<'_>) {
    let bytes = argument.bytes();
    let chunks = || bytes.utf8_chunks();
    let is_escaped = |c: char| c == '\'' || must_be_escaped(c);
    if chunks().any(|chunk| !chunk.invalid().is_empty() || chunk.valid().contains(is_escaped)) {
        out.extend_from_slice(b"$'");
        for chunk in chunks() {
            for c in chunk.valid().chars() {
                match c {
                    '\'' => out.extend_from_slice(b"\\'"),
                    c if c.is_ascii() && is_escaped(c) => push_escape(out, c),
                    c if is_escaped(c) => push_hex(out, c.encode_utf8(&mut [0; 4]).as_bytes()),
                    c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
                }
            }
            push_hex(out, chunk.invalid());
        }
        out.push(b'\'');
        return;
    }
    let is_bare = |byte: &u8| {
        byte.is_ascii_alphanumeric() || b"@%+=:,./_-".contains(byte) || !byte.is_ascii()
    };
    // zsh takes `=name` as the path of a command.
    if !bytes.is_empty() && bytes[0] != b'=' && bytes.iter().all(is_bare) {
        out.extend_from_slice(&bytes);
    } else {
        out.push(b'\'');
        out.extend_from_slice(&bytes);
        out.push(b'\'');
    }
}

/// Appends bytes as `\xe2\x80\xae`.
fn push_hex(out: &mut Vec<u8>, bytes: &[u8]) {
    for byte in bytes {
        push_fmt(out, format_args!("\\x{byte:02x}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_characters_are_seen() {
        let common = (char::MIN..=char::MAX).filter(|c| is_common(*c));
        for c in common {
            assert!(!has_unseen_category(c) && !is_blank(c), "{c}");
        }
    }

    #[test]
    fn texts_are_cut_between_characters() {
        assert_eq!(cut(b"abc", 3), (&b"abc"[..], 0));
        assert_eq!(cut(b"abc", 0), (&b""[..], 3));
        assert_eq!(cut("äöü".as_bytes(), 2), ("äö".as_bytes(), 1));
        assert_eq!(cut(b"a\xff\xfeb", 2), (&b"a\xff"[..], 2));
        assert_eq!(cut(b"a\xffbc", 3), (&b"a\xffb"[..], 1));
        assert_eq!(cut(b"", 0), (&b""[..], 0));
    }

    fn shown(text: Text<'_>) -> String {
        let mut out = Vec::new();
        push(&mut out, text);
        String::from_utf8(out).expect("what is printed is UTF-8")
    }

    fn argument(bytes: &[u8]) -> String {
        let mut out = Vec::new();
        push_argument(&mut out, Text::Bytes(bytes));
        String::from_utf8(out).expect("what is printed is UTF-8")
    }

    #[test]
    fn plain_text_is_left_alone() {
        for text in [
            "",
            "/bin/ls",
            "Übersicht – 2026 日本 😀",
            &"long ".repeat(50),
        ] {
            assert_eq!(shown(Text::Bytes(text.as_bytes())), text);
        }
    }

    #[test]
    fn what_could_move_the_cursor_is_escaped() {
        assert_eq!(
            shown(Text::Bytes(b"a\x1b[2J\nb\r\t\0\x7f\\")),
            r"a\x1b[2J\nb\r\t\x00\x7f\\"
        );
        assert_eq!(
            shown(Text::Bytes(
                "\u{85}\u{202e}\u{2028}\u{2066}\u{61c}".as_bytes()
            )),
            r"\u{85}\u{202e}\u{2028}\u{2066}\u{61c}"
        );
        assert_eq!(
            shown(Text::Bytes(b"\xff\xc3(\xe2\x80")),
            r"\xff\xc3(\xe2\x80"
        );
    }

    #[test]
    fn every_byte_is_seen_wherever_it_stands() {
        for byte in 0..=u8::MAX {
            let is_special = !matches!(byte, b' '..=b'~') || byte == b'\\';
            for text in ["/usr/lib/libz.dylib", "/usr/bin", "/bin"] {
                for at in 0..text.len() {
                    let mut bytes = text.as_bytes().to_vec();
                    bytes[at] = byte;
                    assert_eq!(is_plain(&bytes), !is_special, "{byte:#x} at {at}");
                }
            }
        }
    }

    #[test]
    fn json_text_is_unescaped_first() {
        assert_eq!(shown(Text::Json(br"\/usr\/bin")), "/usr/bin");
        assert_eq!(shown(Text::Json(br"\/a\\b\n\u001b")), r"/a\\b\n\x1b");
        assert_eq!(shown(Text::Json("\\/é\u{7f}".as_bytes())), r"/é\x7f");
        assert_eq!(shown(Text::Json(br"\udcff\udcc3\udca9")), r"\xffé");
    }

    #[test]
    fn what_cannot_be_seen_is_escaped() {
        // A character of each kind: a space, a joiner, a variation selector, a tag, fillers.
        for (c, shown_as) in [
            ('\u{a0}', r"\u{a0}"),
            ('\u{3000}', r"\u{3000}"),
            ('\u{ad}', r"\u{ad}"),
            ('\u{200b}', r"\u{200b}"),
            ('\u{200d}', r"\u{200d}"),
            ('\u{feff}', r"\u{feff}"),
            ('\u{fe0f}', r"\u{fe0f}"),
            ('\u{e0041}', r"\u{e0041}"),
            ('\u{e0100}', r"\u{e0100}"),
            ('\u{3164}', r"\u{3164}"),
            ('\u{2800}', r"\u{2800}"),
            ('\u{34f}', r"\u{34f}"),
        ] {
            let text = format!("a{c}b");
            let expected = format!("a{shown_as}b");
            assert_eq!(shown(Text::Bytes(text.as_bytes())), expected);
            assert_eq!(shown(Text::Json(text.as_bytes())), expected);
        }
    }

    #[test]
    fn no_character_that_is_white_or_control_is_left() {
        let all = ('\u{80}'..=char::MAX).filter(|c| !is_unseen(*c));
        for c in all {
            assert!(!c.is_whitespace() && !c.is_control(), "{:#x}", u32::from(c));
        }
        // Visible characters stay: letters, combining marks, emoji, ideographs.
        for c in "é\u{301}ü日本שלום😀☂\u{fffd}…–".chars() {
            assert!(!is_unseen(c), "{c}");
        }
    }

    #[test]
    fn arguments_are_quoted_where_a_shell_needs_it() {
        assert_eq!(argument(b"-O2"), "-O2");
        assert_eq!(argument(b""), "''");
        assert_eq!(argument(b"a b"), "'a b'");
        assert_eq!(argument(b"$HOME"), "'$HOME'");
        assert_eq!(argument(b"a=b"), "a=b");
        assert_eq!(argument(b"=ls"), "'=ls'");
        assert_eq!(argument("é".as_bytes()), "é");
        assert_eq!(argument(b"it's"), r"$'it\'s'");
        assert_eq!(argument(b"a\nb\\"), r"$'a\nb\\'");
        assert_eq!(
            argument("\u{202e}é\u{a0}".as_bytes()),
            r"$'\xe2\x80\xaeé\xc2\xa0'"
        );
        assert_eq!(argument(b"\xff'\x1b"), r"$'\xff\'\x1b'");
    }

    #[test]
    fn json_for_a_terminal_means_the_same() {
        let terminal = |json: &str| {
            let mut out = Vec::new();
            push_json_for_terminal(&mut out, json.as_bytes());
            String::from_utf8(out).expect("UTF-8")
        };
        assert_eq!(
            terminal("{\"a\":\"\u{7f}\u{202e}é\u{e0041}\"}"),
            "{\"a\":\"\\u007f\\u202eé\\udb40\\udc41\"}"
        );
        assert_eq!(
            terminal("{\"a\":\t1,\r\n \"b\"\t:[\t]}"),
            "{\"a\":1, \"b\":[]}"
        );
    }
}
