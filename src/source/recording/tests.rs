//! Properties: whatever the input, nothing panics, nothing good is lost, nothing harmful is printed.

#![allow(clippy::naive_bytecount, clippy::needless_for_each, reason = "short")]

use proptest::prelude::*;

use super::framing::Framer;
use super::{Chunk, Decoder, Prefilter, decode};
use crate::format::{Format, Json, Line, Style, Text};
use crate::order::damage::{Damage, MAX_WARNINGS};
use crate::order::loss::Tally;
use crate::pipeline::Buffers;
use crate::select::{Filter, OwnPipeline, Selection};
use crate::text::json::{Scanner, Str, push_canonical, push_on_one_line};

const EVENTS: &str = include_str!("../../../tests/data/events.jsonl");
const HOUR: &str = include_str!("../../../samples/developers-hour.jsonl");

/// The output of a recording in a format, and the number of its messages that were lost.
fn print(text: &[u8], format: &mut dyn Format) -> (Vec<u8>, usize) {
    let filter = Filter {
        selection: Selection::ALL,
        conditions: crate::select::Conditions::default(),
        own: OwnPipeline::default(),
        excluded_writers: Vec::new(),
    };
    let prefilter = Prefilter::new(&filter.need(&[], false));
    let mut out = Vec::new();
    let mut lost = 0;
    for chunk in chunks(&[text]) {
        let (decoder, mut tally) = (
            Decoder {
                env: true,
                redact: false,
                lineage: true,
                verbose: true,
            },
            Tally::new(),
        );
        let (damage, _) = decode(&chunk, decoder, &prefilter, &mut tally, |event| {
            format.event(event, &mut out);
        });
        lost += damage.iter().filter(|damage| damage.is_loss).count();
    }
    (out, lost)
}

fn chunks(pieces: &[&[u8]]) -> Vec<Chunk> {
    let mut chunks = Vec::new();
    let mut framer = Framer::new(&Buffers::default());
    for piece in pieces {
        let mut rest = *piece;
        while !rest.is_empty() {
            let read = framer.read(&mut rest, &mut |chunk| chunks.push(chunk));
            assert!(matches!(read, Ok(true)));
        }
    }
    framer.end(&mut |chunk| chunks.push(chunk));
    chunks
}

/// The style of formats: everything is printed, in UTC.
fn style() -> Style {
    Style {
        utc: true,
        verbose: true,
        ..Style::default()
    }
}

fn formats() -> [Box<dyn Format>; 3] {
    let style = style();
    [
        Box::new(Text::new(style)),
        Box::new(Line::new(style)),
        Box::new(Json {
            terminal: true,
            redact: false,
        }),
    ]
}

/// Returns true if there is only text and newlines.
fn is_safe(out: &[u8]) -> bool {
    let text = std::str::from_utf8(out).expect("what is printed is UTF-8");
    !text
        .chars()
        .any(|c| c != '\n' && (c.is_control() || crate::text::escape::is_unseen(c)))
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

/// A message with one of its values replaced, at a place chosen by `at`.
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

/// A message with white space between its tokens.
fn spaced(line: &str, spaces: &[String]) -> String {
    let mut out = String::new();
    let mut spaces = spaces.iter().cycle();
    let (mut in_string, mut escaped) = (false, false);
    for c in line.chars() {
        let is_token = !in_string && "{}[]:,".contains(c);
        let mut space = || {
            if is_token {
                spaces.next().map_or("", String::as_str)
            } else {
                ""
            }
        };
        let (before, after) = (space(), space());
        out.extend([before, c.encode_utf8(&mut [0; 4]), after]);
        in_string ^= c == '"' && !escaped;
        escaped = in_string && c == '\\' && !escaped;
    }
    out
}

/// The messages that `serde_json` accepts as well: it refuses lone surrogates.
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
    fn a_message_with_any_value_is_reported_or_shown(line in 0..1000_usize, at in any::<usize>(), value in any_json()) {
        let lines = strict_lines();
        let text = replaced(lines[line % lines.len()], at, &value);
        // If there are only brackets, there is no message to be shown or lost.
        prop_assume!(!text.bytes().all(super::walk::is_harmless));
        for mut format in formats() {
            let (out, lost) = print(text.as_bytes(), format.as_mut());
            prop_assert!(is_safe(&out));
            // Nothing disappears: each message is printed, or counted as lost.
            prop_assert_eq!(out.is_empty(), lost > 0, "{}", text);
        }
    }

    #[test]
    fn white_space_between_tokens_is_nothing(line in 0..1000_usize, spaces in prop::collection::vec("[ \t\r\n]{0,3}", 1..9)) {
        let lines = strict_lines();
        let line = lines[line % lines.len()];
        // At least a TAB, wherever there may be one.
        let spaces: Vec<_> = spaces.iter().map(|space| format!("{space}\t")).collect();
        let spaced = spaced(line, &spaces);
        for mut format in formats() {
            let (out, lost) = print(spaced.as_bytes(), format.as_mut());
            prop_assert!(is_safe(&out) && lost == 0, "{}", String::from_utf8_lossy(&out));
            prop_assert_eq!(out.iter().filter(|byte| **byte == b'\n').count(), print(line.as_bytes(), format.as_mut()).0.iter().filter(|byte| **byte == b'\n').count());
        }
        let mut json = Json { terminal: true, redact: false };
        let value = |text: &[u8]| serde_json::from_slice::<serde_json::Value>(text).expect("JSON");
        prop_assert_eq!(value(&print(spaced.as_bytes(), &mut json).0), value(line.as_bytes()));
    }

    #[test]
    fn no_name_forges_a_line(line in 0..1000_usize, name in any::<String>()) {
        // Every string of a message gets a harmful name: the number of printed lines stays the same.
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
        let objects = |chunks: Vec<Chunk>| -> Vec<u8> { chunks.into_iter().flat_map(|chunk| chunk.text.to_vec()).filter(|byte| *byte != b'\n').collect() };
        prop_assert_eq!(objects(chunks(&pieces)), objects(chunks(&[text.as_bytes()])));
        let mut format = Line::new(style());
        prop_assert_eq!(print(text.as_bytes(), &mut format).1, 0);
    }
}

/// Checks that both parsers agree on whether a text is JSON.
fn same_verdict(text: &[u8]) -> Result<(), TestCaseError> {
    let mut scanner = Scanner::new(text, 0);
    let ours = scanner.skip().is_ok() && scanner.peek() == 0;
    let theirs = serde_json::from_slice::<serde_json::Value>(text);
    // Only our parser accepts lone surrogates; only `serde_json` refuses numbers beyond a double's range.
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

/// Reads a value with the scanner's own functions.
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
            // A floating-point number may be read as the equal integer.
            let is_int = !written.iter().any(|byte| b".eE".contains(byte));
            if let Some(int) = scanner.clone().integer().ok().filter(|_| is_int) {
                scanner.skip()?;
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

/// Checks that the scanner reads the values of a text as `serde_json` does, and reads all of it.
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
        // Lines that aren't JSON by themselves are refused by both.
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
        own: OwnPipeline::default(),
        excluded_writers: Vec::new(),
    };
    for row in crate::model::catalogue::ROWS {
        let selection = Selection::parse(&[row.name.to_owned()]).expect("a name");
        let filter = Filter {
            selection,
            conditions: crate::select::Conditions::default(),
            own: OwnPipeline::default(),
            excluded_writers: Vec::new(),
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

/// The printed text of chunks, and the reports on them.
fn reported(chunks: &[Chunk], prefilter: &Prefilter, filter: &Filter) -> (Vec<u8>, Vec<String>) {
    let mut format = Line::new(style());
    let (mut out, mut reports, mut all) = (Vec::new(), Vec::new(), Vec::new());
    let mut tally = Tally::new();
    for chunk in chunks {
        let (damage, _) = decode(chunk, Decoder::default(), prefilter, &mut tally, |event| {
            if filter.passes(event) {
                format.event(event, &mut out);
            }
        });
        all.extend(damage);
    }
    // As they are printed: the first ones one by one, the others counted.
    let [mut damaged, mut lost] = [0; 2];
    for Damage {
        line,
        reason,
        is_loss,
        count,
    } in all
    {
        if damaged < MAX_WARNINGS {
            reports.push(format!("{line}: {reason} ({is_loss})"));
        }
        damaged += count;
        lost += if is_loss { count } else { 0 };
    }
    if damaged > 0 {
        reports.push(format!("{damaged}, {lost}"));
    }
    (out, reports)
}

fn filter(events: &[&str], images: &[&str]) -> Filter {
    let events: Vec<_> = events.iter().map(ToString::to_string).collect();
    let mut conditions = crate::select::Conditions::default();
    for image in images {
        let tree = crate::select::Tree::recorded(std::path::Path::new(image)).expect("a path");
        let image = crate::select::Alternative::new(tree, String::new());
        conditions.who.images.0.push(image);
    }
    Filter {
        selection: Selection::parse(&events).expect("names"),
        conditions,
        own: OwnPipeline::default(),
        excluded_writers: Vec::new(),
    }
}

/// Layouts and damage of all kinds, of the messages of a few lines.
fn layouts() -> Vec<String> {
    let lines: Vec<_> = strict_lines().into_iter().step_by(41).collect();
    let values = lines
        .iter()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("a message"));
    let values: Vec<_> = values.collect();
    let pretty: Vec<_> = values.iter().map(|value| format!("{value:#}")).collect();
    let mut layouts = vec![
        lines.join("\n"),
        lines.join("\r\n"),
        lines.concat(),
        lines.join("\n\n \n"),
        lines.join("\n\u{1e}"),
        pretty.join("\n"),
        pretty.concat(),
        format!("[{}]", lines.join(",")),
        format!("[\n{}\n]\n", lines.join(",\n")),
        format!("{:#}", serde_json::Value::from(values.clone())),
        lines.join("\n").replace("},", "},\n"),
        lines.join("\n").replace("},", "}\n,"),
        lines.join("\n").replace('}', "}\n"),
        lines.join("\n").replace('{', "\n{"),
        lines.join("\n").replace('{', "{\n").replace(":{", ":\n{"),
        lines.join("\n").replace("}\n", "\n}\n") + "\n",
        format!("{{\"records\":[{}]}}", lines.join(",\n")),
        lines.join("\nMay  1 10:00:00 mac eslogger[99]: "),
        serde_json::json!({ "a": { "message": lines[0] }, "b": [lines[1], { "c": values[2] }] })
            .to_string(),
    ];
    for cut in [1, 20, 100, 300, 700, 1500] {
        for (at, whole) in [&lines[0..4].join("\n"), &pretty[0..4].join("\n")]
            .into_iter()
            .enumerate()
        {
            let begin = &whole[..cut];
            layouts.push(format!("{whole}\n{begin}\n{whole}\n"));
            layouts.push(format!("{whole}\n{begin}{whole}\n"));
            layouts.push(format!(
                "{begin}\nMay 1: {}\nMay 1: {}\n",
                lines[0],
                lines[1 + at]
            ));
            layouts.push(format!("{whole}\n{begin}"));
        }
    }
    layouts
        .push("{\n\"a\" : 01,\n  \"b\": {\n \"c\": [\n{\n}\n,\n{ } ] }\n}\n".to_owned() + lines[0]);
    // More than are reported one by one, of both kinds.
    let complaint = lines[0].replace("\"seq_num\":", "\"seq_num\":\"x\",\"a\":");
    layouts.push(format!("{complaint}\nx\n").repeat(40));
    layouts.push(format!("{complaint}\n{}\n{complaint}\n", "x\n".repeat(60)));
    layouts.push("{\"a\":\"\\u00g\"}{\"\n{\"a\":tru}\n".to_owned() + lines[0]);
    layouts
}

/// Reads a text in pieces whose sizes come from `size`.
fn read_in_pieces(text: &[u8], mut size: impl FnMut() -> usize) -> Vec<Chunk> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(size().clamp(1, rest.len()));
        pieces.push(piece);
        rest = after;
    }
    chunks(&pieces)
}

#[test]
fn the_same_bytes_give_the_same_whatever_the_pieces() {
    let mut seed = 1_u64;
    let mut random = move || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(seed >> 33).expect("31 bits")
    };
    for (at, layout) in layouts().into_iter().enumerate() {
        for filter in [
            filter(&["all"], &[]),
            filter(&["open,exit,exec"], &[]),
            filter(&["open"], &["/usr/sbin"]),
        ] {
            let prefilter = Prefilter::new(&filter.need(&[], false));
            let whole = reported(&chunks(&[layout.as_bytes()]), &prefilter, &filter);
            for size in [1, 7, 64, 1000, 4096, 0] {
                let size = || if size == 0 { random() % 4096 } else { size };
                let pieces = read_in_pieces(layout.as_bytes(), size);
                assert_eq!(reported(&pieces, &prefilter, &filter), whole, "layout {at}");
            }
        }
    }
}

#[test]
fn whole_objects_are_read_in_every_layout() {
    let all = filter(&["all"], &[]);
    let prefilter = Prefilter::new(&all.need(&[], false));
    let layouts = layouts();
    let count = strict_lines().into_iter().step_by(41).count();
    let expected = reported(&chunks(&[layouts[0].as_bytes()]), &prefilter, &all);
    assert_eq!(expected.1, [""; 0]);
    for (at, layout) in layouts[..17].iter().enumerate() {
        let (out, reports) = reported(&chunks(&[layout.as_bytes()]), &prefilter, &all);
        assert_eq!(reports, [""; 0], "layout {at}");
        assert_eq!(
            out.split(|byte| *byte == b'\n').count(),
            count + 1,
            "layout {at}"
        );
        assert!(out == expected.0, "layout {at}");
    }
}

/// A message with some of its characters written as escapes.
fn re_escaped(line: &str, random: &mut impl FnMut() -> usize, every: usize) -> String {
    let mut out = String::new();
    let mut in_string = false;
    let mut after_backslash = false;
    for c in line.chars() {
        if after_backslash {
            after_backslash = false;
            // A slash needs no escape.
            if c == '/' && random().is_multiple_of(2) {
                out.pop();
            }
            out.push(c);
            continue;
        }
        match c {
            '"' => in_string = !in_string,
            '\\' => after_backslash = true,
            _ if in_string && random().is_multiple_of(every) => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let digits = format!("{unit:04x}");
                    out.push_str("\\u");
                    out.push_str(&if random().is_multiple_of(2) {
                        digits.to_uppercase()
                    } else {
                        digits
                    });
                }
                continue;
            }
            _ => {}
        }
        out.push(c);
    }
    out
}

#[test]
fn the_prefilter_is_a_superset() {
    let mut seed = 7_u64;
    let mut random = move || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(seed >> 33).expect("31 bits")
    };
    let filters = [
        filter(&["exec,open"], &[]),
        filter(&["stat,get_task,signal,fork"], &[]),
        filter(
            &["all"],
            &[
                "/usr/sbin",
                "/opt/c++",
                "/Applications/K & <'Caf\u{e9}'>.app",
            ],
        ),
        filter(&["exit,close"], &["/usr/bin", "/bin"]),
    ];
    let nothing = Prefilter::new(&filter(&["all"], &[]).need(&[], false));
    let paths = [
        "/usr/sbin",
        "/opt/c++",
        "/Applications/\u{212a} & <'Cafe\u{301}'>.app",
        "/bin",
        "/usr/bin",
    ];
    for line in strict_lines().into_iter().step_by(7) {
        let value: serde_json::Value = serde_json::from_str(line).expect("a message");
        let path = paths[random() % paths.len()];
        let mut moved = value.clone();
        moved["process"]["executable"]["path"] = path.into();
        let name = value["event"]
            .as_object()
            .and_then(|event| event.keys().next())
            .expect("an event");
        let siblings =
            format!("\"event\": {{\"exec\" :null, \"stat\":null ,\n\"{name}\":").replace('\n', "");
        let variants = [
            line.to_owned(),
            moved.to_string(),
            line.replace(&format!("\"event\":{{\"{name}\":"), &siblings),
            serde_json::json!({ "message": moved.to_string() }).to_string(),
            serde_json::json!({ "a": { "b": value } }).to_string(),
            serde_json::json!({ "log": serde_json::json!({ "m": line }).to_string() }).to_string(),
            line.replace("\":", "\" : ").replace('{', "{ "),
        ];
        for variant in variants {
            for every in [usize::MAX, 200, 15, 2] {
                let text = re_escaped(&variant, &mut random, every);
                let chunks = chunks(&[text.as_bytes(), b"\n{}\n"]);
                for filter in &filters {
                    let prefilter = Prefilter::new(&filter.need(&[], false));
                    assert!(prefilter.rejects());
                    assert_eq!(
                        reported(&chunks, &prefilter, filter).0,
                        reported(&chunks, &nothing, filter).0,
                        "{text}"
                    );
                }
            }
        }
    }
}

#[test]
fn no_input_costs_more_than_its_size() {
    const SIZE: usize = 600 << 10;
    let line = strict_lines()[0];
    let big = "x".repeat(SIZE / 4);
    let inputs = [
        ",".repeat(SIZE),
        "D".repeat(SIZE),
        "[".repeat(SIZE),
        "{".repeat(SIZE),
        "\"".repeat(SIZE),
        "\n".repeat(SIZE),
        "}".repeat(SIZE),
        "\u{0}".repeat(SIZE),
        "{\n".repeat(SIZE / 2),
        "{\"".repeat(SIZE / 2),
        "{\"a\":".repeat(SIZE / 5),
        "{\"a\":\n".repeat(SIZE / 6),
        "{\"a\":1,".repeat(SIZE / 7),
        "{\"a\":[1,{\"event\":".repeat(SIZE / 18),
        "{\"a\":\"".repeat(SIZE / 6),
        "{}\n".repeat(SIZE / 3),
        "{\"a\":{}".repeat(SIZE / 7),
        "{}".repeat(SIZE / 2),
        format!("{{\"a\":[{}", "{\"event\":{\"x\":{}}},".repeat(SIZE / 22)),
        format!(
            "{{\"event\":[{}",
            "{\"event\":{\"x\":{}}}\n,".repeat(SIZE / 23)
        ),
        format!(
            "{{\"a\":[{}]}}",
            "{\"event\":{\"x\":{}}},".repeat(SIZE / 22) + "{}"
        ),
        format!("{line}\n").repeat(SIZE / line.len()),
        line.repeat(SIZE / line.len()),
        line[..line.len() - 1].repeat(SIZE / line.len()),
        format!("{}\n", &line[..line.len() - 1]).repeat(SIZE / line.len()),
        format!("{}}}\n", &line[..line.len() / 2]).repeat(2 * SIZE / line.len()),
        "{\"a\":\"{\" ".repeat(SIZE / 9),
        format!("{{\"a\":\"{big}\",{{\"").repeat(4),
        format!("{{\"a\":1}}{}", "\n".repeat(SIZE)),
        format!("{{\"a\":{{}}{}", "\n".repeat(SIZE)),
        serde_json::json!({ "a": { "b": { "event": line.repeat(SIZE / line.len()) } } })
            .to_string(),
        "hello ".repeat(SIZE / 6),
        "a {\"b\": 1} c\n".repeat(SIZE / 13),
    ];
    let all = filter(&["all"], &[]);
    let prefilter = Prefilter::new(&all.need(&[], false));
    for input in inputs {
        for size in [64 << 10, 512 << 10, usize::MAX] {
            super::work::take();
            reported(&read_in_pieces(input.as_bytes(), || size), &prefilter, &all);
            let work = super::work::take();
            let most = 12 * input.len() as u64;
            assert!(work <= most, "{work} of {most}: {size} {:?}", &input[..60]);
        }
    }
    // The smaller the pieces, the shorter the input: each is checked in full.
    for input in ["{\"a\":{}}\n", "{\"a\":{}\n", ",", "x"] {
        let input = input.repeat((64 << 10) / input.len()) + &"\n".repeat(64 << 10);
        super::work::take();
        reported(&read_in_pieces(input.as_bytes(), || 1), &prefilter, &all);
        assert!(super::work::take() <= 12 * input.len() as u64);
    }
}
