//! The properties that must hold for any input. Each target takes bytes that make all its decisions, so that a fuzzer
//! can steer it, and panics if a property doesn't hold. `tests/fuzz.rs` passes random bytes; the programs in
//! `fuzz_targets/` are for `cargo fuzz`.

#![allow(clippy::naive_bytecount, reason = "short")]

use std::io::{self, BufReader, Read};
use std::path::Path;
use std::sync::LazyLock;

use proctracer::format::{Kind, Style};
use proctracer::order::damage::{Damage, MAX_WARNINGS};
use proctracer::order::loss::{Losses, Origin, Tally};
use proctracer::pipeline::Buffers;
use proctracer::select::{
    Alternative, Conditions, Filter, OwnPipeline, Pattern, Place, Point, Selection, Tree,
    duration_of,
};
use proctracer::source::recording::{Chunk, Decoder, Prefilter, decode, read_chunks};
use proctracer::text::escape;
use serde_json::Value;

/// Messages that have nothing wrong with them.
static MESSAGES: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let events = include_str!("../data/events.jsonl");
    let hour = include_str!("../../samples/developers-hour.jsonl");
    let is_short = |line: &&str| (20..12_000).contains(&line.len());
    events
        .lines()
        .chain(hour.lines().step_by(7))
        .filter(is_short)
        .collect()
});

/// Decisions, one after the other; zeros when no bytes are left.
pub struct Choices<'b>(pub &'b [u8]);

impl Choices<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    /// A number below `bound`.
    fn below(&mut self, bound: usize) -> usize {
        let number = u32::from_le_bytes([self.byte(), self.byte(), self.byte(), 0]);
        number as usize % bound.max(1)
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    fn of<'o>(&mut self, options: &[&'o [u8]]) -> &'o [u8] {
        options[self.below(options.len())]
    }
}

/// Reads any bytes as a recording.
pub fn reader(bytes: &[u8]) {
    let (choices, text) = bytes.split_at(bytes.len().min(8));
    check(text, &[], &mut Choices(choices));
}

/// Reads messages that are changed in every way, among messages that have nothing wrong with them.
pub fn messages(bytes: &[u8]) {
    let mut choices = Choices(bytes);
    let (text, good) = recording(&mut choices);
    check(&text, &good, &mut choices);
}

/// A recording of messages, some of which are changed, and the markers in the others.
fn recording(choices: &mut Choices<'_>) -> (Vec<u8>, Vec<String>) {
    let mut text = Vec::new();
    let mut good = Vec::new();
    let share = 1 + choices.below(4);
    for number in 0..=choices.below(20) {
        let message = MESSAGES[choices.below(MESSAGES.len())];
        if choices.one_in(share) {
            let marker = format!("GOOD{number:04}");
            text.extend_from_slice(
                format!("{{\"marker\":\"{marker}\",{}", &message[1..]).as_bytes(),
            );
            good.push(marker);
        } else {
            text.extend_from_slice(&changed(message.as_bytes(), choices));
        }
        text.push(b'\n');
    }
    (text, good)
}

/// Parses any text as the value of an option.
pub fn options(bytes: &[u8]) {
    let typed = String::from_utf8_lossy(bytes);
    let lists: Vec<String> = typed.split(' ').map(str::to_owned).collect();
    let refusals = [
        Selection::parse(&lists).err(),
        Point::parse(&typed).err(),
        duration_of(&typed).err(),
        Pattern::of_path(&typed)
            .map(|pattern| pattern.matches_path(bytes, proctracer::select::Compare::default()))
            .err(),
        Pattern::of_name(&typed)
            .map(|pattern| pattern.matches(bytes, proctracer::select::Compare::default()))
            .err(),
        Place::parse(Path::new(&*typed), Tree::recorded)
            .map(|place| place.contains(bytes, proctracer::select::Compare::default()))
            .err(),
        Tree::recorded(Path::new(&*typed)).err(),
    ];
    for refusal in refusals.into_iter().flatten() {
        let refusal = format!("{refusal:#}");
        assert_eq!(unsafe_at(refusal.as_bytes()), None, "{refusal:?}");
    }
}

/// The output for a recording.
#[derive(Default)]
struct Printed {
    events: usize,
    text: Vec<u8>,
    line: Vec<u8>,
    json: Vec<u8>,
    /// The JSON output for a terminal.
    terminal: Vec<u8>,
    /// The output with the values of the environment replaced.
    redacted: Vec<u8>,
    damage: Vec<String>,
    damaged: u64,
    lost: u64,
    missing: u64,
}

fn style(kind: Kind) -> Style {
    Style {
        kind,
        utc: true,
        verbose: true,
        env: true,
        ..Style::default()
    }
}

fn filter(events: &str, images: &[&str]) -> Filter {
    let mut conditions = Conditions::default();
    for image in images {
        let tree = Tree::recorded(Path::new(image)).expect("a path");
        let image = Alternative::new(tree, String::new());
        conditions.who.images.0.push(image);
    }
    Filter {
        selection: Selection::parse(&[events.to_owned()]).expect("names"),
        conditions,
        own: OwnPipeline::default(),
        excluded_writers: Vec::new(),
    }
}

/// A reader that returns a text in pieces of random sizes.
struct Pieces<'t>(&'t [u8], u64, usize);

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.1 = self
            .1
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let random = usize::try_from(self.1 >> 33).expect("31 bits");
        let size = if self.2 == 0 {
            buffer.len()
        } else {
            1 + random % self.2
        };
        let size = size.min(self.0.len()).min(buffer.len());
        buffer[..size].copy_from_slice(&self.0[..size]);
        self.0 = &self.0[size..];
        Ok(size)
    }
}

/// The chunks of a text that comes in pieces of at most this size; 0 means in one piece.
fn chunks(text: &[u8], size: usize) -> Vec<Chunk> {
    let mut chunks = Vec::new();
    let pieces = BufReader::with_capacity(1 << 20, Pieces(text, text.len() as u64, size));
    let read = read_chunks(pieces, &Buffers::default(), |chunk| {
        chunks.push(chunk);
        true
    });
    read.expect("nothing fails");
    chunks
}

fn printed(text: &[u8], size: usize) -> Printed {
    let mut printed = Printed::default();
    let all = filter("all", &[]);
    let prefilter = Prefilter::new(&all.need(&[], false));
    let decoder = Decoder {
        env: true,
        redact: false,
        lineage: true,
        verbose: true,
    };
    let mut formats = [Kind::Text, Kind::Line, Kind::Json].map(|kind| style(kind).format());
    let mut terminal = Style {
        terminal: true,
        ..style(Kind::Json)
    }
    .format();
    let redact = |kind| Style {
        redact: true,
        ..style(kind)
    };
    let mut redacted = [Kind::Text, Kind::Line, Kind::Json].map(|kind| redact(kind).format());
    let mut losses = Losses::new(Origin::Recording(String::new()));
    let mut tally = Tally::new();
    let mut damage: Vec<Damage> = Vec::new();
    for chunk in chunks(text, size) {
        let (found, _) = decode(&chunk, decoder, &prefilter, &mut tally, |event| {
            printed.events += 1;
            let outputs = [&mut printed.text, &mut printed.line, &mut printed.json];
            for (format, out) in formats.iter_mut().zip(outputs) {
                format.event(event, out);
            }
            terminal.event(event, &mut printed.terminal);
        });
        damage.extend(found);
        losses.append(&tally.take());
        let redacting = Decoder {
            redact: true,
            ..decoder
        };
        decode(&chunk, redacting, &prefilter, &mut tally, |event| {
            for format in &mut redacted {
                format.event(event, &mut printed.redacted);
            }
        });
        tally.take();
    }
    for damage in damage {
        if printed.damaged < MAX_WARNINGS {
            let Damage { line, reason, .. } = &damage;
            printed.damage.push(format!("{line}: {reason}"));
        }
        printed.damaged += damage.count;
        printed.lost += if damage.is_loss { damage.count } else { 0 };
    }
    printed.missing = losses.lost();
    printed
}

/// The output for a recording, with the prefilter or without.
fn shown(text: &[u8], filter: &Filter, prefilter: &Prefilter) -> Vec<u8> {
    let mut format = style(Kind::Line).format();
    let mut out = Vec::new();
    let mut tally = Tally::new();
    for chunk in chunks(text, 0) {
        decode(&chunk, Decoder::default(), prefilter, &mut tally, |event| {
            if filter.passes(event) {
                format.event(event, &mut out);
            }
        });
    }
    out
}

/// The first place in a text that a terminal acts on, or that isn't UTF-8.
fn unsafe_at(out: &[u8]) -> Option<usize> {
    if out
        .iter()
        .all(|byte| *byte == b'\n' || (0x20..0x7f).contains(byte))
    {
        return None;
    }
    match std::str::from_utf8(out) {
        Err(error) => Some(error.valid_up_to()),
        Ok(text) => {
            let is_unsafe = |c: char| c != '\n' && (c.is_control() || escape::is_unseen(c));
            text.char_indices()
                .find(|(_, c)| is_unsafe(*c))
                .map(|(at, _)| at)
        }
    }
}

fn lines(out: &[u8]) -> impl Iterator<Item = &[u8]> {
    out.split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
}

/// Checks all properties of a recording in which these markers stand in messages that have nothing wrong with them.
fn check(text: &[u8], good: &[String], choices: &mut Choices<'_>) {
    let printed_whole = printed(text, 0);
    let Printed {
        events, line, json, ..
    } = &printed_whole;

    // Nothing in the output is acted on by a terminal, and each event is in its place.
    for (what, out) in [("text", &printed_whole.text), ("line", line)] {
        assert_eq!(
            unsafe_at(out),
            None,
            "{what}: {:?}",
            String::from_utf8_lossy(out)
        );
    }
    let tabs = |out: &[u8]| {
        out.iter()
            .map(|byte| if *byte == b'\t' { b' ' } else { *byte })
            .collect::<Vec<_>>()
    };
    assert_eq!(
        unsafe_at(&tabs(&printed_whole.terminal)),
        None,
        "JSON for a terminal"
    );
    for damage in &printed_whole.damage {
        assert_eq!(unsafe_at(damage.as_bytes()), None, "{damage:?}");
    }
    let newlines = |out: &[u8]| out.iter().filter(|byte| **byte == b'\n').count();
    for (what, out) in [
        ("line", line),
        ("JSON", json),
        ("JSON for a terminal", &printed_whole.terminal),
    ] {
        assert_eq!(newlines(out), *events, "{what}: lines");
    }
    let heads = lines(&printed_whole.text).filter(|line| line.starts_with(b"event : "));
    assert_eq!(heads.count(), *events, "text: blocks");
    for line in lines(line) {
        let columns: Vec<_> = line.splitn(5, |byte| *byte == b' ').collect();
        assert!(
            columns.len() >= 4 && columns.iter().take(4).all(|column| !column.is_empty()),
            "columns: {:?}",
            String::from_utf8_lossy(line)
        );
    }
    for object in lines(json).chain(lines(&printed_whole.terminal)) {
        if let Err(error) = serde_json::from_slice::<Value>(object) {
            let error = error.to_string();
            // proctracer may accept these, since they stand for what isn't UTF-8, or serde_json may refuse them.
            let excuses = [
                "surrogate",
                "hex escape",
                "unicode",
                "recursion",
                "out of range",
            ];
            assert!(
                excuses.iter().any(|excuse| error.contains(excuse)),
                "{error}: {:?}",
                String::from_utf8_lossy(object)
            );
        }
    }

    check_again(text, &printed_whole, choices);

    // Good neighbours are never lost, and stay in order.
    let mut from = 0;
    for marker in good {
        let at = memchr::memmem::find(&line[from..], marker.as_bytes());
        from += at.unwrap_or_else(|| panic!("{marker} is lost: {:?}", printed_whole.damage));
    }
}

/// Checks the output when the recording is read again: as it was recorded, in other pieces, with a prefilter.
fn check_again(text: &[u8], printed_whole: &Printed, choices: &mut Choices<'_>) {
    let Printed {
        events, line, json, ..
    } = printed_whole;
    let newlines = |out: &[u8]| out.iter().filter(|byte| **byte == b'\n').count();

    // A recorded trace reads back the same.
    for recorded in [json, &printed_whole.terminal] {
        let again = printed(recorded, 0);
        assert_eq!(
            (again.events, again.lost),
            (*events, 0),
            "read back: {:?}",
            again.damage
        );
    }
    let again = printed(json, 0);
    assert!(
        again.json == *json && again.line == *line && again.text == printed_whole.text,
        "read back"
    );

    // The same bytes give the same output.
    let size = [1, 7, 61, 1000, 4096][choices.below(5)];
    let pieces = printed(text, size);
    assert!(
        pieces.line == *line,
        "pieces of {size}: events {events} and {}",
        pieces.events
    );
    assert_eq!(pieces.damage, printed_whole.damage, "pieces of {size}");
    assert_eq!(
        (pieces.damaged, pieces.lost, pieces.missing),
        (
            printed_whole.damaged,
            printed_whole.lost,
            printed_whole.missing
        )
    );

    // The prefilter rejects nothing that is selected.
    let nothing = Prefilter::new(&filter("all", &[]).need(&[], false));
    for filter in [
        filter("exec,open,close", &[]),
        filter("stat,signal,get_task", &[]),
        filter("all", &["/usr", "/System/Library", "/Library/Developer"]),
    ] {
        let prefilter = Prefilter::new(&filter.need(&[], false));
        let [with, without] =
            [&prefilter, &nothing].map(|prefilter| shown(text, &filter, prefilter));
        let differs = lines(&with)
            .zip(lines(&without).chain(std::iter::repeat(&b""[..])))
            .find(|(with, without)| with != without)
            .map(|(with, without)| [with, without].map(String::from_utf8_lossy));
        assert!(
            with == without,
            "the prefilter: {} of {} lines, {differs:?}",
            newlines(&with),
            newlines(&without),
        );
    }
}

const VALUES: &[&[u8]] = &[
    b"null", b"true", b"false", b"0", b"-0", b"1E5", b"1e400", b"-1e-400", b"1.5", b"700.0", b"1.6777218e+07", b"01", b"-",
    b"+1", b".5", b"1.", b"1e", b"9223372036854775807", b"9223372036854775808", b"18446744073709551615",
    b"18446744073709551616", b"-9223372036854775808", b"-18446744073709551615", b"4294967296", b"-1", b"2147483648", b"\"\"",
    b"\"x\"", b"[]", b"{}", b"[{}]", b"[[]]", b"[null]", b"[1,2,3]", b"[\"a\",1]", b"{\"path\":\"/x\"}", b"{\"path\":5}",
    b"{\"path\":\"\\ud800\",\"path_truncated\":true,\"a\":{\"path\":\"q\"}}", b"{\"uid\":501}",
    b"{\"audit_token\":[1,2,3,4,5,6,7,8],\"executable\":{\"path\":\"/p\"}}", b"{\"audit_token\":[1,2,3]}", b"NaN",
    b"undefined", b"nul", b"'a'", b"0x10", b"\"\\u0000\\u001b[2J\\u202e\\udc80\\udcff\\ud83d\\ude00\\ud83d\"",
    b"\"\\n\\r\\t\\b\\f\\/\\\\\\\"\"", b"\"\\x\"", b"\"\\u12\"", b"\"\xff\xfe\xc3\x28\"", b"\"\xed\xa0\x80\"",
    b"\"\xe2\x80\xae\xc2\x9b\x7f\"", b"\"\x1b[31m\"", b"\"9999-12-31T23:59:59.999999999Z\"", b"\"2026-05-01 09:59:00.000001+02\"",
    b"\"+292277026596-12-04T15:30:07Z\"", b"\"2016-12-31T23:59:60.5Z\"", b"1777629540123", b"\"A=B\"",
    b"{\"env\":[\"A=SECRET\"]}", b"\"{\\\"event\\\":{\\\"exit\\\":{\\\"stat\\\":0}},\\\"time\\\":\\\"2026-05-01T09:59:00Z\\\"}\"",
];

const BYTES: &[&[u8]] = &[
    b"\0",
    b"\x1b",
    b"\n",
    b"\r\n",
    b"\r",
    b"\t",
    b" ",
    b"\xef\xbb\xbf",
    b"\xff",
    b"\xc3",
    b"\xe2\x80\xae",
    b"\xe2\x80\xa8",
    b"\xc2\x85",
    b"\x7f",
    b"\\",
    b"\"",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"^D\x08\x08",
    b"\x1e",
    b"\x0c",
    b"{\"",
    b"\"}",
    b"\\u",
    b"\\ud83d",
    b"\\udc80",
    b"\\u0000",
    b"\\u0065",
    b"},\n{",
    b"]}",
    b"null,",
    b"May  1 10:00:00 mac: ",
];

const KEYS: &[&[u8]] = &[
    b"\"time\"",
    b"\"event\"",
    b"\"process\"",
    b"\"path\"",
    b"\"env\"",
    b"\"args\"",
    b"\"audit_token\"",
    b"\"executable\"",
    b"\"seq_num\"",
    b"\"global_seq_num\"",
    b"\"event_type\"",
    b"\"thread\"",
    b"\"target\"",
    b"\"\"",
    b"\"a b=c\"",
    b"\"\\u001b[2J\\n\"",
    b"\"\xe2\x80\xae\xff\"",
    b"\"\\u0065nv\"",
    b"\"stat\"",
    b"\"exec\"",
    b"\"open\"",
    b"\"\\u0065vent\"",
    b"\"start_time\"",
    b"\"tty\"",
    b"\"has_uid\"",
    b"\"message\"",
    b"\"telemetry_version\"",
    b"\"action\"",
    b"\"new_path\"",
];

/// A token of a text that looks like JSON: its start and end, and its kind.
#[derive(Clone, Copy)]
struct Token {
    start: usize,
    end: usize,
    is_key: bool,
}

fn tokens(text: &[u8]) -> Vec<Token> {
    let mut tokens: Vec<Token> = Vec::new();
    let mut open = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let start = at;
        match text[at] {
            b'"' => {
                at += 1;
                while at < text.len() && text[at] != b'"' {
                    at += 1 + usize::from(text[at] == b'\\');
                }
                at = (at + 1).min(text.len());
                let is_key = text.get(at) == Some(&b':');
                tokens.push(Token {
                    start,
                    end: at,
                    is_key,
                });
                continue;
            }
            b'{' | b'[' => {
                open.push(tokens.len());
                tokens.push(Token {
                    start,
                    end: text.len(),
                    is_key: false,
                });
            }
            b'}' | b']' => {
                if let Some(token) = open.pop() {
                    tokens[token].end = at + 1;
                }
            }
            b'0'..=b'9' | b'-' | b't' | b'f' | b'n' => {
                while at < text.len() && !b",]}:".contains(&text[at]) {
                    at += 1;
                }
                tokens.push(Token {
                    start,
                    end: at,
                    is_key: false,
                });
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    tokens
}

/// A value that is large or deep, or from another message.
fn large_value(choices: &mut Choices<'_>) -> Vec<u8> {
    let count = 1 + choices.below(300);
    let nested =
        |begin: &[u8], end: &[u8]| [&begin.repeat(count), &b"1"[..], &end.repeat(count)].concat();
    match choices.below(8) {
        0 => nested(b"[", b"]"),
        1 => nested(b"{\"a\":", b"}"),
        2 => nested(b"{\"path\":\"x\",\"a\":", b"}"),
        3 => nested(
            b"{\"audit_token\":{},\"executable\":{\"path\":\"x\"},\"a\":",
            b"}",
        ),
        4 => [b"\"", &choices.of(BYTES).repeat(count)[..], b"\""].concat(),
        5 => MESSAGES[choices.below(MESSAGES.len())].as_bytes().to_vec(),
        6 => serde_json::to_vec(MESSAGES[choices.below(MESSAGES.len())]).expect("a string"),
        _ => {
            let other = MESSAGES[choices.below(MESSAGES.len())].as_bytes();
            let tokens = tokens(other);
            let token = tokens[choices.below(tokens.len())];
            other[token.start..token.end].to_vec()
        }
    }
}

/// A message with a few changes.
fn changed(message: &[u8], choices: &mut Choices<'_>) -> Vec<u8> {
    let mut text = message.to_vec();
    for _ in 0..=choices.below(4) {
        change(&mut text, choices);
        text.truncate(100_000);
    }
    text
}

fn change(text: &mut Vec<u8>, choices: &mut Choices<'_>) {
    let tokens = tokens(text);
    let [keys, values]: [Vec<Token>; 2] = [true, false].map(|is_key| {
        tokens
            .iter()
            .copied()
            .filter(|token| token.is_key == is_key)
            .collect()
    });
    let any = choices.below(text.len() + 1);
    match choices.below(20) {
        0..=4 if !values.is_empty() => {
            let Token { start, end, .. } = values[choices.below(values.len())];
            let value = if choices.one_in(4) {
                large_value(choices)
            } else {
                choices.of(VALUES).to_vec()
            };
            text.splice(start..end, value);
        }
        5 => text.truncate(any),
        6 => drop(text.drain(any..(any + choices.below(40)).min(text.len()))),
        7..=9 => drop(text.splice(any..any, choices.of(BYTES).iter().copied())),
        10 if any < text.len() => text[any] ^= 1 << choices.below(8),
        11 if any < text.len() => text[any] = choices.byte(),
        12..=13 if !keys.is_empty() => {
            let Token { start, end, .. } = keys[choices.below(keys.len())];
            text.splice(start..end, choices.of(KEYS).iter().copied());
        }
        // A member that comes twice, or elsewhere.
        14 if !keys.is_empty() && !values.is_empty() => {
            let [key, place] = [0; 2].map(|_| keys[choices.below(keys.len())]);
            let value = values[choices.below(values.len())];
            let member = [
                &text[key.start..key.end],
                b":",
                &text[value.start..value.end],
                b",",
            ]
            .concat();
            text.splice(place.start..place.start, member);
        }
        15 => {
            // Over several lines.
            let newline: &[u8] = if choices.one_in(3) {
                b"\r\n  "
            } else {
                b"\n  "
            };
            let breaks = choices.of(&[b",", b"{", b",{[", b"}", b"{}[],"]);
            let mut in_string = false;
            let mut escaped = false;
            let mut broken = Vec::new();
            for byte in text.iter() {
                broken.push(*byte);
                if in_string {
                    in_string = escaped || *byte != b'"';
                    escaped = !escaped && *byte == b'\\';
                } else {
                    in_string = *byte == b'"';
                    if breaks.contains(byte) {
                        broken.extend_from_slice(newline);
                    }
                }
            }
            *text = broken;
        }
        16 => {
            let other = MESSAGES[choices.below(MESSAGES.len())].as_bytes();
            let cut = choices.below(other.len());
            if choices.one_in(2) {
                text.extend_from_slice(&other[cut..]);
            } else {
                text.splice(0..0, other[..cut].iter().copied());
            }
        }
        17 if choices.one_in(4) => {
            let bytes = (0..choices.below(64)).map(|_| choices.byte()).collect();
            *text = bytes;
        }
        18 => {
            let count = 1 + choices.below(200);
            let bytes = choices
                .of(&[b"[", b"{", b"}", b"]", b"\"", b" ", b"{\"a\":"])
                .repeat(count);
            text.splice(any..any, bytes);
        }
        _ => {
            // Within another object.
            let object = String::from_utf8_lossy(text).into_owned();
            *text = match choices.below(3) {
                0 => serde_json::json!({ "message": object })
                    .to_string()
                    .into_bytes(),
                1 => [b"{\"a\":{\"b\":", &text[..], b"}}"].concat(),
                _ => serde_json::json!({ "log": serde_json::json!({ "m": object }).to_string() })
                    .to_string()
                    .into_bytes(),
            };
        }
    }
}
