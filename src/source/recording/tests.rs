//! Properties: whatever comes, nothing panics, nothing good is lost, nothing harmful is printed.

#![allow(clippy::naive_bytecount, clippy::needless_for_each, reason = "short")]

use proptest::prelude::*;

use super::framing::Framer;
use super::{Chunk, Decoder, Prefilter, decode};
use crate::format::{Format, Json, Line, Palette, Text};
use crate::order::loss::Tally;
use crate::select::{Filter, Selection};
use crate::text::clock::Clock;
use crate::text::json::{Scanner, Str, push_canonical, push_on_one_line};

const EVENTS: &str = include_str!("../../../tests/data/events.jsonl");
const HOUR: &str = include_str!("../../../samples/developers-hour.jsonl");

/// What a recording prints in a format, and how many of its messages were lost.
fn print(text: &[u8], format: &mut dyn Format) -> (Vec<u8>, usize) {
    let filter = Filter {
        selection: Selection::ALL,
        conditions: crate::select::Conditions::default(),
        excluded_groups: Vec::new(),
    };
    let prefilter = Prefilter::new(&filter.need(&[], false));
    let mut out = Vec::new();
    let mut lost = 0;
    for chunk in chunks(&[text]) {
        let (decoder, mut tally) = (
            Decoder {
                env: true,
                redact: false,
                lineage: false,
            },
            Tally::new(),
        );
        let damage = decode(&chunk, decoder, &prefilter, &mut tally, |event| {
            format.event(event, &mut out);
        });
        lost += damage.iter().filter(|damage| damage.is_loss).count();
    }
    (out, lost)
}

fn chunks(pieces: &[&[u8]]) -> Vec<Chunk> {
    let mut chunks = Vec::new();
    let mut framer = Framer::new();
    for piece in pieces {
        framer.push(piece, &mut |chunk| chunks.push(chunk));
    }
    framer.end(&mut |chunk| chunks.push(chunk));
    chunks
}

fn formats() -> [Box<dyn Format>; 3] {
    [
        Box::new(Text::new(Clock::new(true), Palette(false), false)),
        Box::new(Line::new(Clock::new(true), Palette(false), false)),
        Box::new(Json {
            terminal: true,
            redact: false,
        }),
    ]
}

/// Nothing but text and newlines.
fn is_safe(out: &[u8]) -> bool {
    let text = std::str::from_utf8(out).expect("what is printed is UTF-8");
    !text
        .chars()
        .any(|c| c != '\n' && (c.is_control() || crate::text::escape::changes_layout(c)))
}

fn any_json() -> impl Strategy<Value = serde_json::Value> {
    use serde_json::Value;
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// A message with a value of it replaced, at a place chosen by `at`.
fn replaced(line: &str, at: usize, with: &serde_json::Value) -> String {
    fn places(value: &mut serde_json::Value) -> usize {
        1 + match value {
            serde_json::Value::Array(list) => list.iter_mut().map(places).sum(),
            serde_json::Value::Object(map) => map.values_mut().map(places).sum::<usize>(),
            _ => 0,
        }
    }
    fn replace(value: &mut serde_json::Value, at: &mut usize, with: &serde_json::Value) {
        if *at == 0 {
            *value = with.clone();
        }
        *at = at.wrapping_sub(1);
        match value {
            serde_json::Value::Array(list) => {
                list.iter_mut().for_each(|value| replace(value, at, with))
            }
            serde_json::Value::Object(map) => {
                map.values_mut().for_each(|value| replace(value, at, with))
            }
            _ => {}
        }
    }
    let mut value: serde_json::Value = serde_json::from_str(line).expect("a message");
    let mut at = at % places(&mut value);
    replace(&mut value, &mut at, with);
    value.to_string()
}

/// The messages that `serde_json` takes, too: it refuses lone surrogates.
fn strict_lines() -> Vec<&'static str> {
    EVENTS
        .lines()
        .filter(|line| serde_json::from_str::<serde_json::Value>(line).is_ok())
        .collect()
}

proptest! {
    #[test]
    fn any_bytes_are_survived(text in prop::collection::vec(any::<u8>(), 0..400)) {
        for mut format in formats() {
            prop_assert!(is_safe(&print(&text, format.as_mut()).0));
        }
    }

    #[test]
    fn text_that_looks_like_json_is_survived(text in "[{}\\[\\]:,\"a0 \\\\u\n-]{0,80}") {
        for mut format in formats() {
            prop_assert!(is_safe(&print(text.as_bytes(), format.as_mut()).0));
        }
    }

    #[test]
    fn a_message_with_wrong_bytes_is_survived(line in 0..1000_usize, changes in prop::collection::vec((any::<usize>(), any::<u8>()), 1..6)) {
        let lines: Vec<_> = EVENTS.lines().collect();
        let mut text = lines[line % lines.len()].as_bytes().to_vec();
        for (at, byte) in changes {
            let at = at % text.len();
            text[at] = byte;
        }
        for mut format in formats() {
            prop_assert!(is_safe(&print(&text, format.as_mut()).0));
        }
    }

    #[test]
    fn a_message_with_any_value_is_told_or_shown(line in 0..1000_usize, at in any::<usize>(), value in any_json()) {
        let lines = strict_lines();
        let text = replaced(lines[line % lines.len()], at, &value);
        // In brackets alone there is no message to be shown or lost.
        prop_assume!(!text.bytes().all(super::is_harmless));
        for mut format in formats() {
            let (out, lost) = print(text.as_bytes(), format.as_mut());
            prop_assert!(is_safe(&out));
            // Nothing disappears: it is printed, or counted as lost.
            prop_assert_eq!(out.is_empty(), lost > 0, "{}", text);
        }
    }

    #[test]
    fn no_name_forges_a_line(line in 0..1000_usize, name in any::<String>()) {
        // Every string of a message gets a name that means harm: as many lines come out as before.
        fn poison(value: &mut serde_json::Value, name: &str, in_event: bool) {
            match value {
                serde_json::Value::String(text) if in_event => *text = format!("{name}{text}"),
                serde_json::Value::Array(list) => list.iter_mut().for_each(|value| poison(value, name, in_event)),
                serde_json::Value::Object(map) => map.iter_mut().for_each(|(key, value)| {
                    poison(value, name, !key.starts_with("st_") && !["time", "start_time", "atime", "mtime"].contains(&key.as_str()));
                }),
                _ => {}
            }
        }
        let lines = strict_lines();
        let line = lines[line % lines.len()];
        let mut value: serde_json::Value = serde_json::from_str(line).expect("a message");
        poison(&mut value, &name, true);
        for mut format in formats() {
            let count = |text: &str, format: &mut dyn Format| print(text.as_bytes(), format).0.iter().filter(|byte| **byte == b'\n').count();
            prop_assert_eq!(count(line, format.as_mut()), count(&value.to_string(), format.as_mut()));
        }
    }

    #[test]
    fn the_scanner_takes_what_serde_json_takes(text in "[{}\\[\\]:,\"a0 1e.\\\\utrefalsn-]{0,40}") {
        same_verdict(text.as_bytes())?;
    }

    #[test]
    fn the_scanner_reads_any_json(value in any_json()) {
        let text = serde_json::to_string_pretty(&value).expect("JSON");
        same_values(text.as_bytes());
        for push in [canonical, on_one_line] {
            prop_assert!(!push(text.as_bytes()).contains(&b'\n'));
        }
        same_verdict(text.as_bytes())?;
        same_verdict(&text.as_bytes()[..text.len() - 1])?;
    }

    #[test]
    fn it_does_not_matter_how_a_recording_is_cut_into_pieces(cuts in prop::collection::vec(any::<usize>(), 0..8), pretty in any::<bool>()) {
        let text: String = strict_lines().iter().step_by(9).map(|line| {
            let value: serde_json::Value = serde_json::from_str(line).expect("a message");
            if pretty { format!("{value:#}\n") } else { format!("{line}\n") }
        }).collect();
        let ends: Vec<_> = text.match_indices('\n').map(|(at, _)| at + 1).collect();
        let mut cuts: Vec<_> = cuts.iter().map(|cut| ends[cut % ends.len()]).collect();
        cuts.extend([0, text.len()]);
        cuts.sort_unstable();
        let pieces: Vec<_> = cuts.windows(2).map(|cut| &text.as_bytes()[cut[0]..cut[1]]).collect();
        let objects = |chunks: Vec<Chunk>| -> Vec<u8> { chunks.into_iter().flat_map(|chunk| chunk.text).filter(|byte| *byte != b'\n').collect() };
        prop_assert_eq!(objects(chunks(&pieces)), objects(chunks(&[text.as_bytes()])));
        let mut format = Line::new(Clock::new(true), Palette(false), false);
        prop_assert_eq!(print(text.as_bytes(), &mut format).1, 0);
    }
}

/// Both say that a text is JSON, or both say that it isn't.
fn same_verdict(text: &[u8]) -> Result<(), TestCaseError> {
    let mut scanner = Scanner::new(text, 0);
    let ours = scanner.skip().is_ok() && scanner.peek() == 0;
    let theirs = serde_json::from_slice::<serde_json::Value>(text);
    // Lone surrogates are ours alone; numbers beyond a double's range are theirs to refuse.
    let is_excused = |error: &serde_json::Error| {
        ["surrogate", "hex escape", "out of range"]
            .iter()
            .any(|what| error.to_string().contains(what))
    };
    match theirs {
        Ok(_) => prop_assert!(ours, "{}", String::from_utf8_lossy(text)),
        Err(error) => prop_assert!(
            !ours || is_excused(&error),
            "{}: {error}",
            String::from_utf8_lossy(text)
        ),
    }
    Ok(())
}

fn canonical(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    push_canonical(&mut out, text).expect("JSON");
    out
}

fn on_one_line(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    push_on_one_line(&mut out, text);
    out
}

/// A value, read by the scanner's own means.
fn read(scanner: &mut Scanner<'_>) -> crate::text::json::Result<serde_json::Value> {
    use serde_json::Value;
    Ok(match scanner.peek() {
        b'{' => {
            let mut map = serde_json::Map::new();
            scanner.object(|scanner, key| {
                map.insert(string(key), read(scanner)?);
                Ok(())
            })?;
            Value::Object(map)
        }
        b'[' => {
            let mut list = Vec::new();
            scanner.array(|scanner| {
                list.push(read(scanner)?);
                Ok(())
            })?;
            Value::Array(list)
        }
        b'"' => Value::String(string(scanner.string()?)),
        b't' | b'f' => Value::Bool(scanner.boolean()?),
        b'n' => {
            assert!(scanner.null()?);
            Value::Null
        }
        _ => {
            let written = scanner.clone().value()?;
            if let Ok(int) = scanner.integer() {
                u64::try_from(int)
                    .map(Value::from)
                    .or_else(|_| i64::try_from(int).map(Value::from))
                    .expect("64 bits")
            } else {
                scanner.skip()?;
                serde_json::from_slice(written).expect("a number")
            }
        }
    })
}

fn string(string: Str<'_>) -> String {
    let text = crate::model::event::Text::from(string);
    String::from_utf8(text.bytes().into_owned()).expect("UTF-8")
}

/// The scanner reads the values of a text as `serde_json` does, and in the end has read all of it.
fn same_values(text: &[u8]) {
    let mut scanner = Scanner::new(text, 0);
    for value in serde_json::Deserializer::from_slice(text).into_iter() {
        let value: serde_json::Value = value.expect("JSON");
        let mut skipping = scanner.clone();
        let written = skipping.value().expect("JSON");
        for push in [canonical, on_one_line] {
            let again: serde_json::Value = serde_json::from_slice(&push(written)).expect("JSON");
            assert_eq!(again, value);
        }
        assert_eq!(read(&mut scanner).expect("JSON"), value);
        assert_eq!(scanner.at(), skipping.at());
    }
    assert_eq!(scanner.peek(), 0);
}

#[test]
fn the_scanner_and_serde_json_agree_on_every_message() {
    let mut recordings = vec![strict_lines().join("\n"), HOUR.to_owned()];
    if let Some(folder) = std::env::var_os("PROCTRACER_CAPTURES") {
        for entry in std::fs::read_dir(folder).expect("the folder can be read") {
            let path = entry.expect("an entry").path();
            if path.extension().is_some_and(|end| end != "md") {
                recordings.push(std::fs::read_to_string(path).expect("text"));
            }
        }
    }
    for recording in &recordings {
        same_values(recording.as_bytes());
        // Lines that are no JSON by themselves are refused by both.
        for line in recording.lines() {
            same_verdict(line.as_bytes()).expect("the same verdict");
        }
    }
    for line in EVENTS.lines() {
        same_verdict(line.as_bytes()).expect("the same verdict");
    }
}

#[test]
fn the_prefilter_rejects_nothing_that_is_selected() {
    let chunk = chunks(&[EVENTS.as_bytes()]).remove(0);
    let count = |prefilter: &Prefilter, filter: &Filter| {
        let mut count = 0;
        let mut tally = Tally::new();
        decode(&chunk, Decoder::default(), prefilter, &mut tally, |event| {
            count += usize::from(filter.passes(event))
        });
        count
    };
    let all = Filter {
        selection: Selection::ALL,
        conditions: crate::select::Conditions::default(),
        excluded_groups: Vec::new(),
    };
    for row in crate::model::catalogue::ROWS {
        let selection = Selection::parse(&[row.name.to_owned()]).expect("a name");
        let filter = Filter {
            selection,
            conditions: crate::select::Conditions::default(),
            excluded_groups: Vec::new(),
        };
        let prefilter = Prefilter::new(&filter.need(&[], false));
        assert!(prefilter.rejects());
        assert_eq!(
            count(&prefilter, &filter),
            count(&Prefilter::new(&all.need(&[], false)), &filter),
            "{}",
            row.name
        );
        assert!(count(&prefilter, &filter) > 0, "{}", row.name);
    }
}
