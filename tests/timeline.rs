//! Timelines: the output is decoded and compared with the recording.

mod common;
#[path = "common/world.rs"]
mod world;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::Path;
use std::time::{Duration, Instant};

use proctracer::format::timeline::proto::{
    AnnotationValue, DebugAnnotation, InternedString, SEQ_INCREMENTAL_STATE_CLEARED,
    SEQ_NEEDS_INCREMENTAL_STATE, TYPE_COUNTER, TYPE_INSTANT, TYPE_SLICE_BEGIN, TYPE_SLICE_END,
    Trace, TracePacket,
};
use prost::Message as _;
use serde_json::{Value, json};
use world::{World, expected, whole_packets};

use common::{file, proctracer, read, run};

/// Something that is drawn.
#[derive(Clone, Debug, PartialEq)]
struct Drawn {
    phase: Phase,
    /// Nanoseconds since 1970.
    time: u64,
    /// The lane, or the process in Chrome's format.
    track: u64,
    name: String,
    categories: Vec<String>,
    details: BTreeMap<String, String>,
    /// The arrows that begin here, and those that end here.
    from: Vec<u64>,
    to: Vec<u64>,
    count: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Begin,
    End,
    Instant,
    Count,
}

/// The contents of a timeline.
#[derive(Debug, Default)]
struct Drawing {
    /// In the order of their times, as viewers sort them.
    all: Vec<Drawn>,
    /// The name of each track, and the one above it.
    tracks: BTreeMap<u64, (String, Option<u64>)>,
    /// The number of times that a sequence was cleared of its interned texts.
    clears: usize,
}

impl Drawing {
    /// The events of the recording: neither failures nor losses, which are no events.
    fn events(&self) -> Vec<&Drawn> {
        let is_event = |drawn: &&Drawn| {
            let extra = ["failed", "missing"].map(str::to_owned);
            drawn.phase == Phase::Instant
                && drawn
                    .categories
                    .iter()
                    .all(|category| !extra.contains(category))
        };
        self.all.iter().filter(is_event).collect()
    }

    fn of(&self, phase: Phase) -> Vec<&Drawn> {
        self.all
            .iter()
            .filter(|drawn| drawn.phase == phase)
            .collect()
    }

    fn named(&self, name: &str) -> Vec<&Drawn> {
        self.all.iter().filter(|drawn| drawn.name == name).collect()
    }
}

/// The interned texts of a sequence.
#[derive(Default)]
struct Interned {
    is_known: bool,
    categories: HashMap<u64, String>,
    names: HashMap<u64, String>,
    labels: HashMap<u64, String>,
    texts: HashMap<u64, String>,
}

impl Interned {
    fn add(&mut self, packet: &TracePacket) {
        let data = packet.interned_data.clone().unwrap_or_default();
        for (table, new) in [
            (&mut self.categories, data.event_categories),
            (&mut self.names, data.event_names),
            (&mut self.labels, data.debug_annotation_names),
            (&mut self.texts, data.debug_annotation_string_values),
        ] {
            for InternedString { iid, text } in new {
                assert_ne!(iid, 0);
                assert_eq!(table.insert(iid, text), None, "a number means one thing");
            }
        }
    }

    fn details(
        &self,
        within: &str,
        annotations: &[DebugAnnotation],
        all: &mut BTreeMap<String, String>,
    ) {
        for annotation in annotations {
            let name = match (&annotation.name, annotation.name_iid) {
                (Some(name), None) => name.clone(),
                (None, Some(iid)) => self.labels[&iid].clone(),
                other => panic!("{other:?}"),
            };
            let name = format!("{within}{name}");
            let value = match &annotation.value {
                Some(AnnotationValue::Bool(bool)) => bool.to_string(),
                Some(AnnotationValue::Int(int)) => int.to_string(),
                Some(AnnotationValue::Uint(uint)) => uint.to_string(),
                Some(AnnotationValue::String(text)) => text.clone(),
                Some(AnnotationValue::StringIid(iid)) => self.texts[iid].clone(),
                None => {
                    self.details(&format!("{name}."), &annotation.dict_entries, all);
                    continue;
                }
            };
            assert_eq!(
                all.insert(name.clone(), value),
                None,
                "{name} is there once"
            );
        }
    }
}

/// Decodes Perfetto's format; everything has to be defined before it is used.
fn perfetto(bytes: &[u8]) -> Drawing {
    let trace = Trace::decode(bytes).expect("packets");
    let mut drawing = Drawing::default();
    let mut sequences: HashMap<u32, Interned> = HashMap::new();
    let mut offset = None;
    for packet in &trace.packet {
        let sequence = sequences
            .entry(packet.trusted_packet_sequence_id)
            .or_default();
        assert_ne!(packet.trusted_packet_sequence_id, 0);
        let flags = packet.sequence_flags.unwrap_or(0);
        if flags & SEQ_INCREMENTAL_STATE_CLEARED != 0 {
            *sequence = Interned {
                is_known: true,
                ..Interned::default()
            };
            drawing.clears += 1;
        }
        assert!(sequence.is_known, "a sequence begins with nothing");
        if packet.interned_data.is_some() {
            assert_ne!(
                flags & (SEQ_INCREMENTAL_STATE_CLEARED | SEQ_NEEDS_INCREMENTAL_STATE),
                0
            );
        }
        sequence.add(packet);
        if let Some(snapshot) = &packet.clock_snapshot {
            let clock = |id| {
                snapshot
                    .clocks
                    .iter()
                    .find(|clock| clock.clock_id == id)
                    .expect("a clock")
                    .timestamp
            };
            offset = Some(clock(1) - clock(6));
        }
        if let Some(track) = &packet.track_descriptor {
            let above = track.parent_uuid;
            assert!(
                above.is_none_or(|above| drawing.tracks.contains_key(&above)),
                "{track:?}"
            );
            let known = drawing
                .tracks
                .insert(track.uuid, (track.name.clone(), above));
            assert_eq!(known, None, "a track is introduced once");
        }
        let Some(event) = &packet.track_event else {
            continue;
        };
        let iids = event
            .category_iids
            .iter()
            .map(|iid| sequence.categories[iid].clone());
        let mut details = BTreeMap::new();
        sequence.details("", &event.debug_annotations, &mut details);
        let lane = event.track_uuid.expect("a track");
        assert!(drawing.tracks.contains_key(&lane), "{event:?}");
        if event.name_iid.is_some() || !event.category_iids.is_empty() {
            assert_eq!(flags, SEQ_NEEDS_INCREMENTAL_STATE);
        }
        drawing.all.push(Drawn {
            phase: match event.r#type.expect("a type") {
                TYPE_SLICE_BEGIN => Phase::Begin,
                TYPE_SLICE_END => Phase::End,
                TYPE_INSTANT => Phase::Instant,
                TYPE_COUNTER => Phase::Count,
                other => panic!("type {other}"),
            },
            time: packet.timestamp.expect("a time") + offset.expect("the clocks come first"),
            track: lane,
            name: match (&event.name, event.name_iid) {
                (Some(name), None) => name.clone(),
                (None, Some(iid)) => sequence.names[&iid].clone(),
                (None, None) => String::new(),
                other => panic!("{other:?}"),
            },
            categories: iids.chain(event.categories.clone()).collect(),
            details,
            from: event.flow_ids.clone(),
            to: event.terminating_flow_ids.clone(),
            count: event.counter_value,
        });
    }
    drawing.all.sort_by_key(|drawn| drawn.time);
    drawing
}

/// Decodes Chrome's format. Its times are relative to the second before the first.
fn chrome(text: &str, origin: u64) -> Drawing {
    let objects: Vec<Value> = serde_json::from_str(text).expect("an array");
    let mut drawing = Drawing::default();
    for object in &objects {
        let ts = object["ts"].to_string();
        let (micros, nanos) = ts.split_once('.').expect("micros and nanos");
        let nanos = format!("{nanos:0<3}");
        let time =
            micros.parse::<u64>().expect("digits") * 1000 + nanos.parse::<u64>().expect("digits");
        let track = object["pid"].as_u64().expect("a pid");
        assert_eq!(object["tid"], object["pid"]);
        let text = |key: &str| object[key].as_str().unwrap_or_default().to_owned();
        let phase = match object["ph"].as_str().expect("a phase") {
            "M" => {
                let name = object["args"]["name"].as_str().expect("a name").to_owned();
                drawing.tracks.insert(track, (name, None));
                continue;
            }
            // Arrows are bound to what was drawn last on that track.
            arrow @ ("s" | "f") => {
                let id = object["id"].as_u64().expect("an id");
                let last = drawing.all.last_mut().expect("something");
                assert_eq!((last.track, last.time), (track, time + origin));
                if arrow == "s" {
                    last.from.push(id)
                } else {
                    last.to.push(id)
                }
                continue;
            }
            "B" => Phase::Begin,
            "E" => Phase::End,
            "i" => Phase::Instant,
            "C" => Phase::Count,
            other => panic!("{other}"),
        };
        assert!(drawing.tracks.contains_key(&track), "{object}");
        let details = object["args"].as_object().expect("an object");
        let detail = |(key, value): (&String, &Value)| {
            (
                key.clone(),
                value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned),
            )
        };
        drawing.all.push(Drawn {
            phase,
            time: time + origin,
            track,
            name: text("name"),
            categories: text("cat").split(',').map(str::to_owned).collect(),
            details: details.iter().map(detail).collect(),
            from: Vec::new(),
            to: Vec::new(),
            count: object["args"]["value"].as_i64(),
        });
    }
    drawing.all.sort_by_key(|drawn| drawn.time);
    drawing
}

/// The bytes of a timeline of a recording.
fn draw(recording: &Path, args: &[&str]) -> Vec<u8> {
    let output = proctracer()
        .arg("-r")
        .arg(recording)
        .args(args)
        .output()
        .expect("the program starts");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

/// Both timelines of a recording.
fn both(recording: &str, args: &[&str]) -> [Drawing; 2] {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.jsonl");
    std::fs::write(&path, recording).expect("the file can be written");
    let first = perfetto(&draw(&path, &[&["-F", "perfetto"], args].concat()));
    let json = draw(&path, &[&["-F", "chrome"], args].concat());
    let all = expected(recording).events;
    let origin = recording
        .lines()
        .next()
        .map_or(0, |line| expected(line).events[0].1);
    assert!(!all.is_empty());
    let origin = origin - origin % 1_000_000_000 - 1_000_000_000;
    [
        first,
        chrome(std::str::from_utf8(&json).expect("UTF-8"), origin),
    ]
}

/// Checks what every timeline must fulfil.
fn check(drawing: &Drawing) {
    let mut open: HashMap<u64, &Drawn> = HashMap::new();
    let (mut from, mut to) = (HashSet::new(), HashSet::new());
    for drawn in &drawing.all {
        match drawn.phase {
            Phase::Begin => {
                let before = open.insert(drawn.track, drawn);
                assert_eq!(before, None, "{drawn:?} begins in another");
            }
            Phase::End => {
                assert!(
                    open.remove(&drawn.track).is_some(),
                    "{drawn:?} ends nothing"
                );
                assert!(drawn.details.contains_key("ended by"));
            }
            Phase::Instant => {
                if !drawn.from.is_empty() {
                    assert!(
                        open.contains_key(&drawn.track),
                        "{drawn:?} isn't within a span"
                    );
                }
            }
            Phase::Count => assert!(drawn.count.is_some()),
        }
        assert!(drawn.to.is_empty() || drawn.phase == Phase::Begin);
        for arrow in &drawn.from {
            assert!(from.insert(*arrow), "an arrow begins once");
        }
        for arrow in &drawn.to {
            assert!(
                from.contains(arrow) && to.insert(*arrow),
                "an arrow ends once, after it began"
            );
        }
    }
    assert_eq!(from, to, "arrows end");
}

/// Checks that both timelines show all of a recording.
fn check_whole(recording: &str) -> [Drawing; 2] {
    let drawings = both(recording, &[]);
    let expected = expected(recording);
    for (drawing, has_open_ends) in drawings.iter().zip([true, false]) {
        check(drawing);
        let mut events: Vec<_> = drawing
            .events()
            .iter()
            .map(|drawn| (drawn.name.clone(), drawn.time))
            .collect();
        events.sort();
        assert_eq!(events, expected.events);
        let spans = drawing.of(Phase::Begin);
        let ends = drawing.of(Phase::End);
        assert_eq!(spans.len(), expected.spans);
        if has_open_ends {
            assert_eq!(spans.len() - ends.len(), expected.open);
        } else {
            let at_the_end = |end: &&&Drawn| end.details["ended by"] == "end of the trace";
            assert_eq!(ends.len(), spans.len());
            assert_eq!(ends.iter().filter(at_the_end).count(), expected.open);
        }
        let pids: BTreeSet<i64> = spans
            .iter()
            .map(|span| span.details["pid"].parse().expect("a pid"))
            .collect();
        assert_eq!(pids, expected.pids);
        let arrows = drawing
            .all
            .iter()
            .map(|drawn| drawn.from.len())
            .sum::<usize>();
        assert_eq!(arrows, expected.arrows);
        let failed = |drawn: &&Drawn| drawn.categories == ["failed"];
        assert_eq!(drawing.all.iter().filter(failed).count(), expected.failed);
    }
    drawings
}

#[test]
fn the_sample_is_drawn_whole() {
    let [drawing, _] = check_whole(&read("samples/developers-hour.jsonl"));
    // The lanes below the shell are used again and again.
    let name = |track: &u64| drawing.tracks[track].0.as_str();
    let lanes: Vec<_> = drawing
        .tracks
        .keys()
        .filter(|track| **track >= 1000)
        .collect();
    let blank = lanes.iter().filter(|track| name(track) == " ").count();
    assert_eq!((blank, lanes.len() - blank), (13, 27));
    // The program that ran for five minutes until it was killed.
    let of_hello = |drawn: &&&Drawn| drawn.phase == Phase::Begin && drawn.details["pid"] == "21916";
    let spans = drawing.of(Phase::Begin);
    let hello = spans.iter().rfind(of_hello).expect("it is there");
    assert_eq!(hello.name, "hello");
    let is_end = |drawn: &&&Drawn| drawn.track == hello.track && drawn.time > hello.time;
    let ends = drawing.of(Phase::End);
    let end = ends.iter().find(is_end).expect("it ends");
    assert_eq!(
        (
            end.details["stat"].as_str(),
            (end.time - hello.time) / 1_000_000_000
        ),
        ("SIGTERM", 299)
    );
}

#[test]
fn every_event_is_drawn() {
    let recording = read("tests/data/events.jsonl");
    let [first, second] = both(&recording, &["--env"]);
    check(&first);
    check(&second);
    let expected = expected(&recording).events;
    for drawing in [&first, &second] {
        let events = drawing.events();
        assert_eq!(events.len(), expected.len());
    }
    // Both have the same text for each event as the line format.
    let lines = run(&[
        "-v",
        "-F",
        "line",
        "--env",
        "-r",
        file("tests/data/events.jsonl").to_str().expect("UTF-8"),
    ])
    .out;
    for (one, other) in first.events().iter().zip(second.events()) {
        assert_eq!(
            (&one.name, &one.categories, one.time),
            (&other.name, &other.categories, other.time)
        );
        assert_eq!(one.details, other.details);
        for (label, value) in one
            .details
            .iter()
            .filter(|(label, _)| *label != "thread" && *label != "time" && *label != "pid")
        {
            let shown = value.replace('"', "\\\"");
            let is_there = lines.contains(&format!(" {label}={shown}"))
                || lines.contains(&format!(" {label}=\"{shown}\""));
            assert!(is_there, "{}: {label}={value}", one.name);
        }
    }
}

#[test]
fn made_up_macs_are_drawn_whole() {
    for seed in 1..=20 {
        let mut world = World::new(seed, 80);
        world.live(400);
        check_whole(&world.lines);
    }
}

/// The spans of a pid by name, each with its end.
fn lives(drawing: &Drawing, pid: i32) -> Vec<(&str, Option<&str>)> {
    let mut lives = Vec::new();
    for (at, span) in drawing.all.iter().enumerate() {
        if span.phase == Phase::Begin && span.details["pid"] == pid.to_string() {
            let is_end = |drawn: &&Drawn| drawn.track == span.track && drawn.phase == Phase::End;
            let end = drawing.all[at..].iter().find(is_end);
            lives.push((
                span.name.as_str(),
                end.map(|end| end.details["ended by"].as_str()),
            ));
        }
    }
    lives
}

#[test]
fn execs_are_spans_one_after_the_other() {
    let mut world = World::new(1, 1000);
    let child = world.fork(1, false);
    for image in ["/usr/bin/env", "/usr/bin/git", "/opt/git"] {
        world.now += 1000;
        world.exec(child, image, &["git", "it's"]);
    }
    world.now += 1000;
    world.exit(child, 11);
    let [drawing, other] = check_whole(&world.lines);
    for drawing in [&drawing, &other] {
        let by = |how| Some(how);
        let expected = [
            ("zsh", by("exec")),
            ("env", by("exec")),
            ("git", by("exec")),
            ("git", by("exit")),
        ];
        assert_eq!(lives(drawing, 100), expected);
        let span = drawing.named("env")[0];
        assert_eq!(span.details["command"], "git $'it\\'s'");
        assert_eq!(
            (
                span.details["cwd"].as_str(),
                span.details["team_id"].as_str()
            ),
            ("/tmp", "TEAM")
        );
        assert_eq!(drawing.named("failed: SIGSEGV").len(), 1);
    }
}

#[test]
fn a_pid_that_is_used_again_is_another_process() {
    let mut world = World::new(1, 1);
    for lost in [false, false, true] {
        let child = world.fork(1, lost);
        world.now += 1000;
        world.open(child, "/a");
        world.now += 1000;
        // The exit of the second process isn't in the recording.
        if world.lines.lines().count() == 5 {
            world.processes.remove(child);
        } else {
            world.exit(child, 0);
        }
    }
    let drawings = check_whole(&world.lines);
    let ends: Vec<_> = lives(&drawings[0], 100)
        .into_iter()
        .filter_map(|(_, end)| end)
        .collect();
    assert_eq!(ends, ["exit", "exit, which is missing", "exit"]);
    let tracks = |drawing: &Drawing| {
        drawing
            .named("zsh")
            .iter()
            .filter(|span| span.details.get("pid") == Some(&"100".to_owned()))
            .map(|span| span.track)
            .collect::<Vec<_>>()
    };
    assert_eq!(tracks(&drawings[1]), [100, 100_100, 200_100]);
    let lanes: BTreeSet<_> = tracks(&drawings[0]).into_iter().collect();
    assert_eq!(lanes.len(), 1, "one lane is enough");
}

#[test]
fn a_child_whose_fork_is_lost_hangs_below_its_parent() {
    let mut world = World::new(1, 1000);
    world.open(1, "/before");
    world.now += 1_000_000;
    let child = world.fork(1, true);
    let born = world.now;
    world.now += 1_000_000;
    world.open(child, "/a");
    world.now += 1_000_000;
    world.exit(child, 0);
    let [drawing, _] = check_whole(&world.lines);
    let [shell, child] = drawing.of(Phase::Begin)[..] else {
        panic!("two spans");
    };
    assert_eq!(drawing.tracks[&child.track].1, Some(shell.track));
    assert_eq!(child.time, born, "since when it runs is known");
    assert!(child.to.is_empty());
}

#[test]
fn an_exec_that_is_lost_is_seen_afterwards() {
    let mut world = World::new(1, 1000);
    world.open(1, "/a");
    world.now += 1000;
    world.processes[1].version += 7;
    world.processes[1].image = "/bin/ls".to_owned();
    world.open(1, "/b");
    let [drawing, _] = both(&world.lines, &[]);
    check(&drawing);
    assert_eq!(
        lives(&drawing, 90),
        [("zsh", Some("exec, which is missing")), ("ls", None)]
    );
}

#[test]
fn children_of_launchd_stand_at_the_top_by_the_name_of_their_job() {
    let mut world = World::new(1, 1000);
    for _ in 0..2 {
        let job = world.fork(0, false);
        world.now += 1000;
        world.exec(
            job,
            "/usr/libexec/xpcproxy",
            &["xpcproxy", "com.example.job"],
        );
        world.now += 1000;
        world.exec(job, "/usr/libexec/jobd", &["/usr/libexec/jobd"]);
        world.now += 1000;
        world.exit(job, 0);
    }
    let [drawing, _] = check_whole(&world.lines);
    let lanes: BTreeSet<_> = drawing
        .named("jobd")
        .iter()
        .map(|span| span.track)
        .collect();
    let [lane] = lanes.into_iter().collect::<Vec<_>>()[..] else {
        panic!("both are on the same lane");
    };
    let (name, above) = &drawing.tracks[&lane];
    assert_eq!(name, "com.example.job");
    assert_eq!(drawing.tracks[&above.expect("a lane above")].0, "Processes");
}

#[test]
fn times_may_go_back() {
    let mut world = World::new(1, 1000);
    let start = world.now;
    world.open(1, "/first");
    world.now = start - 1_500_000_000;
    world.open(1, "/earlier");
    let child = world.fork(1, false);
    world.now = start - 3_000_000_000;
    world.exec(child, "/bin/ls", &["ls"]);
    world.exit(child, 0);
    let drawings = both(&world.lines, &[]);
    let [exact, limited] = &drawings;
    check(exact);
    check(limited);
    let mut events: Vec<_> = exact
        .events()
        .iter()
        .map(|drawn| (drawn.name.clone(), drawn.time))
        .collect();
    events.sort();
    assert_eq!(events, expected(&world.lines).events);
    // An event that can't be drawn at its time says when it happened.
    let late = limited.named("exec")[0];
    assert_eq!(
        (late.time, late.details["time"].as_str()),
        (start, "2026-03-14 08:59:57.000000000")
    );
}

#[test]
fn events_without_a_process_or_a_time_are_drawn() {
    let mut world = World::new(1, 1000);
    world.open(1, "/a");
    let mut no_process: Value = serde_json::from_str(&world.lines).expect("JSON");
    no_process["process"] = Value::Null;
    let mut no_time: Value = serde_json::from_str(&world.lines).expect("JSON");
    no_time.as_object_mut().expect("an object").remove("time");
    let mut far: Value = serde_json::from_str(&world.lines).expect("JSON");
    far["time"] = json!("1969-07-20T20:17:40.000000000Z");
    let recording = format!("{}{no_process}\n{no_time}\n{far}\n", world.lines);
    let [drawing, _] = both(&world.lines, &[]);
    assert_eq!(drawing.events().len(), 1);
    for format in ["perfetto", "chrome"] {
        let mut command = proctracer();
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.jsonl");
        std::fs::write(&path, &recording).expect("the file can be written");
        let output = command
            .args(["-F", format, "-r"])
            .arg(&path)
            .output()
            .expect("the program starts");
        let drawing = match format {
            "perfetto" => perfetto(&output.stdout),
            _ => chrome(
                std::str::from_utf8(&output.stdout).expect("UTF-8"),
                world.now - 1_000_000_000,
            ),
        };
        check(&drawing);
        let events = drawing.events();
        assert_eq!(events.len(), 4);
        assert_eq!(drawing.tracks[&events[1].track].0, "unknown process");
        let times: Vec<_> = events
            .iter()
            .map(|event| event.details.get("time").map(String::as_str))
            .collect();
        assert_eq!(
            times,
            [None, None, Some("-"), Some("1969-07-20 20:17:40.000000000")]
        );
        assert!(events.iter().all(|event| event.time == world.now));
    }
}

#[test]
fn what_is_missing_has_a_track_of_its_own() {
    let gaps = read("tests/data/gaps.jsonl");
    for drawing in both(&gaps, &[]) {
        check(&drawing);
        let [mark] = drawing.named("1,281 missing")[..] else {
            panic!("one mark");
        };
        assert_eq!(mark.details["events"], "open 1,199, close 82");
        assert_eq!(drawing.tracks[&mark.track].0, "missing events");
        let counts: Vec<_> = drawing.all.iter().filter_map(|drawn| drawn.count).collect();
        assert!(counts.contains(&1281));
    }
}

#[test]
fn unknown_events_and_odd_values_are_drawn() {
    let message = json!({
        "schema_version": 1, "version": 8, "time": "2026-03-14T09:00:00.000000001Z", "event_type": 999,
        "thread": {"thread_id": u64::MAX}, "action_type": 1,
        "process": serde_json::from_str::<Value>(&common::message("open")).expect("JSON")["process"],
        "event": {"new\u{1b}": {"big": u64::MAX, "low": i64::MIN, "text": "\u{202e}\"\\", "none": null, "in": {"x": [1]}}},
    });
    for drawing in both(&format!("{message}\n"), &[]) {
        check(&drawing);
        let [event] = drawing.events()[..] else {
            panic!("one event");
        };
        assert_eq!(event.name, "new\\x1b (999)");
        assert_eq!(event.categories, ["unknown"]);
        assert_eq!(event.details["big"], "18446744073709551615");
        assert_eq!(event.details["low"], "-9223372036854775808");
        assert_eq!(event.details["thread"], "18446744073709551615");
        assert!(event.details["text"].contains("\\u{202e}"), "{event:?}");
    }
}

#[test]
fn names_that_are_not_utf_8_are_escaped() {
    let mut world = World::new(1, 1000);
    world.exec(1, "/tmp/NAME", &["NAME"]);
    world.open(1, "/tmp/NAME");
    let recording = world.lines.replace("NAME", "\\udcff\\u001b[2J\\n\\\"");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.jsonl");
    std::fs::write(&path, recording).expect("the file can be written");
    let one = perfetto(&draw(&path, &["-F", "perfetto"]));
    let json = draw(&path, &["-F", "chrome"]);
    let other = chrome(
        std::str::from_utf8(&json).expect("UTF-8"),
        world.now - 1_000_000_000,
    );
    assert!(json.iter().all(|byte| *byte == b'\n' || *byte >= b' '));
    for drawing in [one, other] {
        check(&drawing);
        assert_eq!(drawing.named("\\xff\\x1b[2J\\n\"").len(), 1);
        assert_eq!(
            drawing.named("open")[0].details["filename"],
            "/tmp/\\xff\\x1b[2J\\n\""
        );
    }
}

#[test]
fn only_what_is_shown_is_drawn_with_those_above() {
    let mut world = World::new(1, 1000);
    let make = world.fork(1, false);
    world.exec(make, "/usr/bin/make", &["make"]);
    let clang = world.fork(make, false);
    world.exec(clang, "/usr/bin/clang", &["clang"]);
    let other = world.fork(1, false);
    world.exec(other, "/bin/ls", &["ls"]);
    world.open(other, "/a");
    world.now += 1000;
    world.open(clang, "/b");
    for drawing in both(&world.lines, &["-e", "open", "--name", "clang"]) {
        check(&drawing);
        assert_eq!(drawing.events().len(), 1);
        let spans: Vec<_> = drawing
            .of(Phase::Begin)
            .iter()
            .map(|span| span.name.clone())
            .collect();
        assert_eq!(spans, ["zsh", "zsh", "make", "make", "clang"]);
        assert!(drawing.all.iter().all(|drawn| drawn.from.is_empty()));
    }
    // A hidden event may have introduced a name that comes again.
    let limited = draw_lines(&world.lines, &["-F", "perfetto", "-n", "3"]);
    let drawing = perfetto(&limited);
    assert_eq!(drawing.events().len(), 3);
    assert_eq!(
        drawing.named("ls").len(),
        0,
        "nothing is drawn after the limit"
    );
    let recorded = tempfile::NamedTempFile::new().expect("a file");
    let path = recorded.path().to_str().expect("UTF-8");
    draw_lines(&world.lines, &["-F", "perfetto", "-e", "open", "-w", path]);
    assert_eq!(
        std::fs::read_to_string(path)
            .expect("UTF-8")
            .lines()
            .count(),
        2
    );
}

fn draw_lines(recording: &str, args: &[&str]) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.jsonl");
    std::fs::write(&path, recording).expect("the file can be written");
    draw(&path, args)
}

#[test]
fn interned_names_are_dropped_when_there_are_many() {
    let mut world = World::new(1, 1000);
    for number in 0..12_000 {
        world.open(
            1,
            &format!("/Users/test/a/folder/with/a/long/name/and/a/number/{number}"),
        );
    }
    let drawing = perfetto(&draw_lines(&world.lines, &["-F", "perfetto"]));
    check(&drawing);
    let paths: HashSet<_> = drawing
        .events()
        .iter()
        .map(|event| event.details["filename"].clone())
        .collect();
    assert_eq!(paths.len(), 12_000);
    // A megabyte holds some 8,000 of them; each of at most 8 workers, and the ordered side, begins with nothing.
    assert!((3..20).contains(&drawing.clears), "{}", drawing.clears);
}

#[test]
fn rates_are_counted_by_the_second() {
    let mut world = World::new(1, 1000);
    for gap in [0, 1_000_000, 1_000_000_000, 10_000_000_000] {
        world.now += gap;
        world.open(1, "/a");
    }
    for drawing in both(&world.lines, &["-e", "open"]) {
        let counts = drawing.of(Phase::Count);
        let total = |drawn: &&&Drawn| {
            drawn.name == "events/s"
                || drawn.name.is_empty() && drawing.tracks[&drawn.track].0 == "events/s"
        };
        let second = |drawn: &&Drawn| {
            (
                drawn.time / 1_000_000_000 - 1_773_478_800,
                drawn.count.expect("a count"),
            )
        };
        let counts: Vec<_> = counts.iter().filter(total).map(second).collect();
        assert_eq!(counts, [(0, 2), (1, 1), (2, 0), (11, 1), (12, 0)]);
    }
}

#[test]
fn a_recording_without_events_is_a_timeline_without_events() {
    let [drawing, json] = ["perfetto", "chrome"].map(|format| draw_lines("", &["-F", format]));
    assert_eq!(perfetto(&drawing).all, []);
    let drawing = chrome(std::str::from_utf8(&json).expect("UTF-8"), 0);
    assert_eq!(drawing.all, []);
    assert_eq!(drawing.tracks.len(), 1);
}

#[test]
fn what_was_written_can_be_read_wherever_it_is_cut() {
    let recording = read("samples/developers-hour.jsonl");
    let json = String::from_utf8(draw_lines(&recording, &["-F", "chrome"])).expect("UTF-8");
    let lines: Vec<_> = json.lines().collect();
    assert_eq!((lines[0], lines[lines.len() - 1]), ("[", "]"));
    for line in &lines[1..lines.len() - 1] {
        let object = line.trim_end_matches(',');
        assert!(
            serde_json::from_str::<Value>(object).is_ok_and(|object| object.is_object()),
            "{line}"
        );
    }
}

#[test]
fn a_command_leaves_no_place_for_a_timeline_but_a_file() {
    let reason = "proctracer: a timeline can't go where COMMAND writes, too: give -o FILE\n";
    for args in [
        &["-F", "chrome", "true"][..],
        &["-F", "chrome", "-o", "-", "true"],
    ] {
        let run = run(args);
        assert_eq!(
            (run.err.as_str(), run.out.as_str(), run.status),
            (reason, "", 2)
        );
    }
}

/// script(1) of Linux runs a command on a terminal of its own.
#[cfg(target_os = "linux")]
#[test]
fn a_terminal_is_refused() {
    let hour = file("samples/developers-hour.jsonl");
    for format in ["perfetto", "chrome"] {
        let command = format!(
            "{} -r {} -F {format}",
            env!("CARGO_BIN_EXE_proctracer"),
            hour.display()
        );
        let output = std::process::Command::new("script")
            .args(["-qec", &command, "/dev/null"])
            .output();
        let output = output.expect("script starts");
        let shown = String::from_utf8_lossy(&output.stdout);
        assert_eq!(
            shown.trim_end(),
            "proctracer: a timeline is not for a terminal: give -o FILE"
        );
        assert_eq!(output.status.code(), Some(2));
    }
}

/// Far longer than anything here takes; it only ends a test that hangs.
const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn a_timeline_can_be_read_while_it_is_written() {
    let mut world = World::new(1, 1000);
    let folder = tempfile::tempdir().expect("a folder");
    let (input, output) = (
        folder.path().join("a.jsonl"),
        folder.path().join("a.pftrace"),
    );
    std::fs::write(&input, "").expect("the file can be written");
    let mut command = proctracer();
    command
        .args(["-F", "perfetto", "--follow-file", "-r"])
        .arg(&input)
        .arg("-o")
        .arg(&output);
    let mut child = command.spawn().expect("the program starts");
    let start = Instant::now();
    for count in 1..4 {
        world.now += 1000;
        world.open(1, "/a");
        std::fs::write(&input, &world.lines).expect("the file can be written");
        let events = || {
            let bytes = std::fs::read(&output).unwrap_or_default();
            let drawing = perfetto(whole_packets(&bytes));
            check(&drawing);
            drawing.events().len()
        };
        while events() < count {
            assert!(start.elapsed() < PATIENCE, "{count} events don't come");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    // Without warning, as in a power failure.
    child.kill().expect("it can be killed");
    child.wait().expect("it ends");
    assert_eq!(
        perfetto(&std::fs::read(&output).expect("a file"))
            .events()
            .len(),
        3
    );
}
