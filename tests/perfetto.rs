//! Timelines as Perfetto's own trace processor reads them. `make test-timeline` runs this: it needs Node, and the
//! folder of a Perfetto UI in `PROCTRACER_PERFETTO`. Without that folder nothing is tested.

mod common;
#[path = "common/world.rs"]
mod world;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use proctracer::format::timeline::proto::{TYPE_INSTANT, TYPE_SLICE_BEGIN, Trace};
use prost::Message as _;
use serde_json::Value;
use world::{World, expected, whole_packets};

use common::{file, proctracer, read};

/// A timeline in a file.
struct Timeline {
    format: &'static str,
    path: PathBuf,
    _folder: tempfile::TempDir,
}

const FORMATS: [&str; 2] = ["perfetto", "chrome"];

/// The folder of the Perfetto UI.
fn ui() -> Option<PathBuf> {
    let ui = std::env::var_os("PROCTRACER_PERFETTO").map(PathBuf::from);
    if ui.is_none() {
        eprintln!("PROCTRACER_PERFETTO is not set: nothing to read timelines with");
    }
    ui
}

impl Timeline {
    fn of(recording: &str, format: &'static str) -> Timeline {
        let folder = tempfile::tempdir().expect("a folder");
        let input = folder.path().join("a.jsonl");
        std::fs::write(&input, recording).expect("the file can be written");
        let path = folder.path().join("timeline");
        let mut command = proctracer();
        command
            .args(["-F", format, "-r"])
            .arg(input)
            .arg("-o")
            .arg(&path);
        let status = command.status().expect("the program starts");
        assert!(status.success());
        Timeline {
            format,
            path,
            _folder: folder,
        }
    }

    /// The rows of each query.
    fn query(&self, ui: &Path, queries: &[&str]) -> Vec<Vec<Value>> {
        let mut node = Command::new("node");
        node.arg(file("tests/perfetto/query.mjs"))
            .arg(ui)
            .arg(&self.path);
        // Chrome's arguments have other names.
        let args = if self.format == "chrome" {
            "args."
        } else {
            "debug."
        };
        node.args(queries.iter().map(|query| query.replace("ARGS.", args)));
        let output = node.output().expect("Node starts");
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success() && err.is_empty(),
            "{}: {err}",
            self.format
        );
        let out = String::from_utf8(output.stdout).expect("UTF-8");
        let rows = |line: &str| serde_json::from_str(line).expect("rows");
        out.lines().map(rows).collect()
    }
}

/// The errors that the trace processor reports for a whole trace; there must be none.
const ERRORS: &str =
    "select name, value from stats where severity in ('error', 'data_loss') and value > 0";

const NONE: [Value; 0] = [];

/// Events, with their times; neither failures nor losses nor spans.
const EVENTS: &str = "select name, ts, to_realtime(ts) as realtime, depth from slice \
    where category not in ('failed', 'missing') and extract_arg(arg_set_id, 'ARGS.image') is null order by ts, id";

const SPANS: &str = "select dur < 0 as is_open, extract_arg(arg_set_id, 'ARGS.pid') as pid, \
    extract_arg(arg_set_id, 'ARGS.ended by') as how from slice \
    where extract_arg(arg_set_id, 'ARGS.image') is not null";

const COUNTS: &str = "select (select count(*) from flow) as arrows, \
    (select count(*) from slice where category = 'failed') as failed";

fn integer(value: &Value) -> i64 {
    // Large integers come as text.
    value
        .as_i64()
        .or_else(|| value.as_str()?.parse().ok())
        .expect("an integer")
}

/// Checks that timelines of a recording show all of it. Returns the number of events outside of every span.
fn check(ui: &Path, recording: &str) -> usize {
    let expected = expected(recording);
    let first = recording.lines().next().expect("an event");
    let first = world::expected(first).events[0].1;
    let second = 1_000_000_000;
    let origin = i64::try_from(first / second * second - second).expect("this century");
    let mut outside = 0;
    for format in FORMATS {
        let timeline = Timeline::of(recording, format);
        let rows = timeline.query(ui, &[ERRORS, EVENTS, SPANS, COUNTS]);
        let [errors, events, spans, counts] = &rows[..] else {
            panic!("four answers");
        };
        assert_eq!(errors, &NONE, "{format}");
        let mut times: Vec<_> = events
            .iter()
            .map(|event| {
                let time = match format {
                    "chrome" => integer(&event["ts"]) + origin,
                    _ => integer(&event["realtime"]),
                };
                let name = event["name"].as_str().expect("a name").to_owned();
                (name, u64::try_from(time).expect("after 1970"))
            })
            .collect();
        times.sort();
        assert_eq!(times, expected.events, "{format}");
        outside += events.iter().filter(|event| event["depth"] == 0).count();
        assert_eq!(spans.len(), expected.spans, "{format}");
        let is_open = |span: &&Value| match format {
            "chrome" => span["how"] == "end of the trace",
            _ => span["is_open"] == 1,
        };
        assert_eq!(
            spans.iter().filter(is_open).count(),
            expected.open,
            "{format}"
        );
        let pids: BTreeSet<_> = spans.iter().map(|span| integer(&span["pid"])).collect();
        assert_eq!(pids, expected.pids, "{format}");
        assert_eq!(counts[0]["arrows"], expected.arrows, "{format}");
        assert_eq!(counts[0]["failed"], expected.failed, "{format}");
    }
    outside
}

#[test]
fn the_sample_is_read_whole() {
    let Some(ui) = ui() else { return };
    assert_eq!(check(&ui, &read("samples/developers-hour.jsonl")), 0);
}

#[test]
fn made_up_macs_are_read_whole() {
    let Some(ui) = ui() else { return };
    for (seed, pids, events) in [(1, 1000, 8000), (2, 70, 3000), (3, 70, 3000)] {
        let mut world = World::new(seed, pids);
        world.live(events);
        check(&ui, &world.lines);
    }
}

#[test]
fn long_chains_of_processes_are_read() {
    let Some(ui) = ui() else { return };
    let mut world = World::new(1, 1000);
    let mut at = 1;
    for _ in 0..100 {
        world.now += 1_000_000;
        at = world.fork(at, false);
        world.exec(at, "/bin/sh", &["sh"]);
    }
    assert_eq!(check(&ui, &world.lines), 0);
}

#[test]
fn every_event_is_read() {
    let Some(ui) = ui() else { return };
    let recording = read("tests/data/events.jsonl");
    let names = expected(&recording)
        .events
        .into_iter()
        .map(|(name, _)| name);
    let mut names: Vec<_> = names.collect();
    names.sort();
    for format in FORMATS {
        let rows = Timeline::of(&recording, format).query(&ui, &[ERRORS, EVENTS]);
        assert_eq!(rows[0], NONE);
        // In one message, the image of the process is not known; an unknown event has its number beside its name.
        let names_read = rows[1].iter().filter_map(|event| event["name"].as_str());
        let names_read = names_read.filter(|name| *name != "?");
        let plain = |name: &str| name.split(" (").next().map(str::to_owned);
        let mut read: Vec<_> = names_read.filter_map(plain).collect();
        read.sort();
        assert_eq!(read, names, "{format}");
    }
}

#[test]
fn what_is_missing_is_read() {
    let Some(ui) = ui() else { return };
    for format in FORMATS {
        let timeline = Timeline::of(&read("tests/data/gaps.jsonl"), format);
        let missing = "select name, extract_arg(arg_set_id, 'ARGS.events') as events from slice where category = 'missing'";
        let counter = "select max(value) as missing from counter join track on track.id = track_id where track.name like 'missing%'";
        let rows = timeline.query(&ui, &[ERRORS, missing, counter]);
        assert_eq!(rows[0], NONE);
        assert_eq!(rows[1][0]["name"], "1,281 missing");
        assert_eq!(rows[1][0]["events"], "open 1,199, close 82");
        assert_eq!(rows[2][0]["missing"].as_f64(), Some(1281.0));
    }
}

#[test]
fn a_recording_without_events_is_read() {
    let Some(ui) = ui() else { return };
    for format in FORMATS {
        let timeline = Timeline::of("", format);
        let rows = timeline.query(&ui, &[ERRORS, "select count(*) as slices from slice"]);
        assert_eq!((rows[0].len(), &rows[1][0]["slices"]), (0, &Value::from(0)));
    }
}

/// The number of spans and events in the whole packets, or the whole lines, of a timeline.
fn slices(format: &str, bytes: &[u8]) -> usize {
    if format == "chrome" {
        let lines = bytes.split(|byte| *byte == b'\n');
        let object = |line: &[u8]| {
            serde_json::from_slice::<Value>(line.strip_suffix(b",").unwrap_or(line)).ok()
        };
        let is_slice = |object: &Value| object["ph"] == "B" || object["ph"] == "i";
        return lines.filter_map(object).filter(is_slice).count();
    }
    let trace = Trace::decode(whole_packets(bytes)).expect("whole packets");
    let types = trace
        .packet
        .iter()
        .filter_map(|packet| packet.track_event.as_ref()?.r#type);
    types
        .filter(|kind| [TYPE_SLICE_BEGIN, TYPE_INSTANT].contains(kind))
        .count()
}

#[test]
fn what_was_written_before_a_cut_is_read() {
    let Some(ui) = ui() else { return };
    for format in FORMATS {
        let timeline = Timeline::of(&read("samples/developers-hour.jsonl"), format);
        let whole = std::fs::read(&timeline.path).expect("the timeline");
        let mut counts = Vec::new();
        for length in [
            whole.len() / 3,
            whole.len() / 2,
            whole.len() / 2 + 1,
            whole.len() - 3,
        ] {
            std::fs::write(&timeline.path, &whole[..length]).expect("the file can be written");
            let rows = timeline.query(&ui, &[ERRORS, "select count(*) as slices from slice"]);
            assert_eq!(rows[0], NONE, "{format}, cut after {length} bytes");
            let slices = slices(format, &whole[..length]);
            assert_eq!(
                rows[1][0]["slices"], slices,
                "{format}, cut after {length} bytes"
            );
            counts.push(slices);
        }
        assert!(counts[0] > 100 && counts[0] < counts[3], "{counts:?}");
    }
}
