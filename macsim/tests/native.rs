//! proctracer as a client of EndpointSecurity: the same messages are read natively and as a recording.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod common;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use common::{Output, Run, own_group, read};
use serde_json::{Map, Value};

const EVENTS: &str = "tests/data/events.jsonl";
const HOUR: &str = "samples/developers-hour.jsonl";

/// A process of another group, which isn't running.
const OTHER: (u32, u32) = (4_000_001, 4_000_000);

/// Members and events that only JSON can have, because the C interface lacks them.
const BEYOND_C: [&str; 4] = [
    "\"quantum_entangle\"",
    "\"reserved_4\"",
    "\"provenance\"",
    "\"boot_session\"",
];

fn native(args: &[&str], events: &str) -> Run {
    Run::new(&[&["--source", "native"], args].concat())
        .events(events)
        .env("MACSIM_MACOS", "27.0")
}

/// The output for a recording of the same lines.
fn recorded(args: &[&str], lines: &str) -> Output {
    Run::new(&[args, &["-r", "-"]].concat()).input(lines).run()
}

/// Nothing was printed on standard error, and nothing is left.
#[track_caller]
fn is_well(run: &Output, messages: usize) {
    assert_eq!((run.err.as_str(), run.status), ("", 0), "{}", run.said);
    let end = format!("macsim: delivered {messages} dropped 0 unreleased 0 misused 0\n");
    assert!(run.said.ends_with(&end), "{}", run.said);
}

#[track_caller]
fn is_same(native: &str, recorded: &str) {
    let differ = |(native, recorded): &(&str, &str)| native != recorded;
    if let Some((native, recorded)) = native.lines().zip(recorded.lines()).find(differ) {
        assert_eq!(native, recorded);
    }
    assert_eq!(native.lines().count(), recorded.lines().count());
}

/// A table of the C interface: the second column and what belongs to it.
fn table(name: &str, value: usize) -> HashMap<String, String> {
    let text = read(name);
    let rows = text
        .lines()
        .skip(1)
        .map(|line| line.split('\t').collect::<Vec<_>>());
    rows.map(|row| {
        let key = row[usize::from(value != 1)];
        (key.to_owned(), row[value].to_owned())
    })
    .collect()
}

/// The members that messages before `version` don't have, among those that a row of a table lists.
fn newer(members: &str, version: u64) -> impl Iterator<Item = &str> {
    members.split(' ').filter_map(move |member| {
        let (name, rest) = member.split_once(':')?;
        let since: u64 = rest.split_once("@v")?.1.parse().ok()?;
        (since > version).then_some(name)
    })
}

/// A message as macOS would have sent it in this version.
fn in_version(message: &Value, version: u64, events: &HashMap<String, String>) -> Value {
    fn processes(value: &mut Value, version: u64) {
        if let Value::Object(object) = value {
            if object.contains_key("audit_token") && object.contains_key("executable") {
                for (name, since) in [("cs_validation_category", 10), ("cdhash_full", 11)] {
                    if version < since {
                        object.remove(name);
                    }
                }
            }
            object
                .values_mut()
                .for_each(|value| processes(value, version));
        }
    }
    let mut message = message.clone();
    message["version"] = version.into();
    processes(&mut message, version);
    let event = message["event"].as_object_mut().expect("an event");
    for (name, members) in event {
        let Value::Object(object) = members else {
            continue;
        };
        for member in newer(&events[name], version) {
            object.remove(member);
        }
        if version < 11 {
            object.remove("entitlements");
        }
        let arms = object.get_mut("data").and_then(Value::as_object_mut);
        for arm in arms.into_iter().flat_map(Map::values_mut) {
            if let (..8, Some(arm)) = (version, arm.as_object_mut()) {
                arm.remove("instigator_token");
            }
        }
    }
    message
}

/// A message without the members that the stream sets, and with all tokens in the same form.
fn comparable(line: &str) -> Value {
    fn tokens(value: &mut Value) {
        match value {
            Value::Object(object) => object.values_mut().for_each(tokens),
            Value::Array(words) if words.len() == 8 && words.iter().all(Value::is_i64) => {
                let names = [
                    "auid",
                    "euid",
                    "egid",
                    "ruid",
                    "rgid",
                    "pid",
                    "asid",
                    "pidversion",
                ];
                let words = names.map(str::to_owned).into_iter().zip(words.clone());
                *value = Value::Object(words.collect());
            }
            Value::Array(list) => list.iter_mut().for_each(tokens),
            _ => {}
        }
    }
    let mut value: Value = serde_json::from_str(line).expect("JSON");
    tokens(&mut value);
    for number in ["seq_num", "global_seq_num"] {
        value.as_object_mut().expect("an object").remove(number);
    }
    value
}

fn all_events() -> Vec<Value> {
    let text = read(EVENTS);
    let lines = text.lines().take(table("tests/data/events.tsv", 3).len());
    lines
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

#[test]
fn the_example_of_the_description_is_printed_natively() {
    let run = native(&["-e", "all"], "tests/data/seed.jsonl").run();
    is_same(&run.out, &read("tests/data/seed.text"));
    is_well(&run, 7);
}

#[test]
fn every_event_in_every_version_is_the_same_as_from_a_recording() {
    let events = table("tests/data/events.tsv", 3);
    for version in 4..=11 {
        let mut lines = String::new();
        let mut whole = String::new();
        for message in all_events() {
            _ = writeln!(lines, "{}", in_version(&message, version, &events));
            // macOS doesn't send members that the version lacks: there is garbage in their place.
            let mut message = message;
            message["version"] = version.into();
            _ = writeln!(whole, "{message}");
        }
        for args in [&["--env"][..], &["--env", "-F", "line"]] {
            let run = native(args, &whole).run();
            is_same(&run.out, &recorded(args, &lines).out);
            is_well(&run, events.len());
        }
        let json = native(&["-F", "json"], &whole).run();
        is_well(&json, events.len());
        for (native, recorded) in json.out.lines().zip(lines.lines()) {
            assert_eq!(comparable(native), comparable(recorded));
        }
        // When it is read back, it prints the same again, including the numbers that the client counted.
        is_same(
            &recorded(&["--env"], &json.out).out,
            &recorded(&["--env"], &lines).out,
        );
        for args in [&["-v"][..], &["-v", "-F", "line"]] {
            let run = native(args, &whole).run();
            is_same(&run.out, &recorded(args, &json.out).out);
            is_well(&run, events.len());
        }
    }
}

#[test]
fn what_was_decided_is_the_same_as_from_a_recording() {
    let lines = read("tests/data/decided.jsonl");
    is_same(
        &native(&[], "tests/data/decided.jsonl").run().out,
        &read("tests/data/decided.text"),
    );
    for args in [&["-F", "line"][..], &["-Z"], &["-Z", "-F", "line"]] {
        let run = native(args, &lines).run();
        is_same(&run.out, &recorded(args, &lines).out);
        assert!(run.out.contains("ES_AUTH_RESULT_DENY"), "{}", run.out);
    }
    let json = native(&["-F", "json"], &lines).run();
    is_well(&json, lines.lines().count());
    for (native, recorded) in json.out.lines().zip(lines.lines()) {
        assert_eq!(comparable(native), comparable(recorded));
    }
}

#[test]
fn whatever_is_in_a_message_is_the_same_as_from_a_recording() {
    let text = read(EVENTS);
    let lines: String = text
        .split_inclusive('\n')
        .filter(|line| !BEYOND_C.iter().any(|name| line.contains(name)))
        .collect();
    for args in [&["--env"][..], &["--env", "-F", "line"]] {
        let run = native(args, &lines).run();
        is_same(&run.out, &recorded(args, &lines).out);
        assert_eq!(run.status, 0);
        assert!(
            run.said.ends_with("unreleased 0 misused 0\n"),
            "{}",
            run.said
        );
    }
    let json = native(&["-F", "json"], &lines).run().out;
    is_same(
        &recorded(&["--env"], &json).out,
        &recorded(&["--env"], &lines).out,
    );
}

#[test]
fn times_of_any_year_are_read_back() {
    // Any user can give a file such a time.
    let events = read(EVENTS);
    let utimes = events
        .lines()
        .find(|line| line.contains("\"utimes\":"))
        .expect("the event");
    let mut message: Value = serde_json::from_str(utimes).expect("JSON");
    for (time, written) in [
        (
            "12345-01-01T00:00:00.5Z",
            "+012345-01-01T00:00:00.500000000Z",
        ),
        (
            "292277026596-12-04T15:30:07.0Z",
            "+292277026596-12-04T15:30:07.000000000Z",
        ),
        (
            "9999-12-31T23:59:59.999999999Z",
            "9999-12-31T23:59:59.999999999Z",
        ),
    ] {
        message["event"]["utimes"]["atime"] = time.into();
        let lines = format!("{message}\n");
        let json = native(&["-F", "json"], &lines).run();
        assert!(
            json.out.contains(&format!("\"atime\":\"{written}\"")),
            "{}",
            json.out
        );
        for args in [&["-F", "line"][..], &[]] {
            let run = native(args, &lines).run();
            is_same(&run.out, &recorded(args, &json.out).out);
            is_well(&run, 1);
            assert_eq!(recorded(args, &json.out).err, "");
        }
    }
}

#[test]
fn an_hour_is_the_same_as_from_its_recording() {
    let run = native(&[], HOUR).run();
    is_same(&run.out, &recorded(&[], &read(HOUR)).out);
    is_well(&run, read(HOUR).lines().count());
}

#[test]
fn real_messages_are_the_same_as_from_their_recordings() {
    let Some(folder) = std::env::var_os("PROCTRACER_CAPTURES") else {
        return;
    };
    let mut messages = 0;
    for entry in std::fs::read_dir(folder).expect("the folder").flatten() {
        let path = entry.path();
        let name = path.to_string_lossy().into_owned();
        let is_text = path.extension().is_some_and(|extension| extension == "md");
        if is_text || name.ends_with("keys.json") {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("the file");
        let json = recorded(&["-F", "json"], &text).out;
        for args in [&["--env"][..], &["-F", "line"]] {
            let run = native(args, &json).run();
            is_same(&run.out, &recorded(args, &json).out);
            is_well(&run, json.lines().count());
        }
        messages += json.lines().count();
    }
    assert_eq!(messages, 24);
}

#[test]
fn only_what_the_running_macos_has_is_subscribed() {
    let since = table("tests/data/events.tsv", 2);
    let events = table("tests/data/events.tsv", 3);
    for (macos, version) in [
        ("13.0", 6),
        ("14.0", 7),
        ("15.4", 9),
        ("26.0", 10),
        ("27.0", 11),
    ] {
        let number = |version: &str| version.parse::<f64>().expect("a version");
        let there = |line: &&str| {
            let name = since
                .keys()
                .find(|name| line.contains(&format!("\"event\":{{\"{name}\":")));
            let since = &since[name.expect("an event")];
            // All others are of three parts, and older.
            since.matches('.').count() > 1 || number(since) <= number(macos)
        };
        let all: Vec<_> = all_events()
            .iter()
            .map(|message| format!("{}\n", in_version(message, version, &events)))
            .collect();
        let lines: String = all.iter().map(String::as_str).filter(there).collect();
        let head = all.concat();
        let run = native(&[], &head).macos(macos).run();
        is_same(&run.out, &recorded(&[], &lines).out);
        is_well(&run, lines.lines().count());
    }
    let run = native(&["-e", "tcc_modify,exit"], EVENTS)
        .macos("14.0")
        .run();
    let said = "proctracer: this macOS has no event 'tcc_modify', which comes with macOS 15.4\n";
    assert_eq!((run.err.as_str(), run.status), (said, 0));
    assert!(run.out.starts_with("event : exit\n"));
    let run = native(&["-e", "tcc_modify"], EVENTS).macos("14.0").run();
    let none = format!("{said}proctracer: this macOS has none of the selected events\n");
    assert_eq!((run.err, run.status), (none, 1));
}

/// Some programs get a version that no macOS has.
#[test]
fn a_version_for_compatibility_is_not_taken_for_the_real_one() {
    for (macos, reported, version) in [
        ("13.0", "10.16", "13.0"),
        ("13.4", "10.16", "13.4"),
        ("14.2", "10.16", "14.2"),
        ("15.4", "10.16", "15.4"),
        ("26.0", "16.0", "26.0"),
        ("26.4.1", "16.0", "26.4"),
        ("27.0", "16.0", "27.0"),
        ("27.1", "17.1", "27.1"),
    ] {
        let with = |run: Run| {
            run.macos(macos)
                .option("--reported-macos")
                .option(reported)
                .run()
        };
        let doctor = with(Run::new(&["--doctor"]));
        let line = format!("macOS                       ok: {version}\n");
        assert!(doctor.out.starts_with(&line), "{macos}: {}", doctor.out);
        let run = with(native(&["-F", "line"], EVENTS));
        let all = native(&["-F", "line"], EVENTS).macos(macos).run();
        is_same(&run.out, &all.out);
    }
}

#[test]
fn a_refusal_says_what_to_do() {
    for (result, said) in [
        (1, "invalid argument"),
        (2, "internal error"),
        (3, "com.apple.developer.endpoint-security.client"),
        (4, "Full Disk Access"),
        (5, "use sudo"),
        (6, "no room for another client"),
    ] {
        let run = native(&["-e", "open"], EVENTS)
            .option("--new-client")
            .option(result.to_string())
            .run();
        assert!(run.err.contains(said), "{result}: {}", run.err);
        assert_eq!(run.err.lines().count(), 1 + usize::from(result == 4));
        let status = if result < 3 { 1 } else { 4 };
        assert_eq!((run.out.as_str(), run.status), ("", status));
    }
    let run = native(&["-e", "open"], EVENTS).option("--euid=501").run();
    assert!(run.err.contains("use sudo"), "{}", run.err);
    assert_eq!(run.status, 4);
}

/// macOS asks for the permission of the app that a program was started from, so that app must be allowed.
#[test]
fn full_disk_access_is_asked_of_the_app_by_name() {
    for args in [&["-e", "open"][..], &["--doctor"]] {
        let (run, folder) = native(args, EVENTS)
            .option("--new-client=4")
            .started_by("My Terminal.app/Contents/MacOS/terminal", "\"$@\"; exit $?");
        let access = format!(
            "Full Disk Access for {}/My Terminal.app: turn it on in System Settings > Privacy & Security",
            folder.display()
        );
        let said = run.out + &run.err;
        assert!(said.contains(&access), "{said}");
        assert_eq!(run.status, 4);
    }
}

/// Over SSH the switch is another one, and what runs in tmux has the permissions of its server.
#[test]
fn full_disk_access_over_ssh_and_in_tmux_is_asked_for_in_other_words() {
    let ssh = "Remote Login (i) > \"Allow full disk access for remote users\", then log in again";
    let tmux = "; in tmux, end its server, too: tmux kill-server";
    let refused = |source: &str| match source {
        "native" => native(&["-e", "open"], EVENTS).option("--new-client=4"),
        _ => Run::new(&["--source", "eslogger", "-e", "open"])
            .eslogger(EVENTS)
            .env("MACSIM_ESLOGGER_REFUSE", "permitted"),
    };
    let has = |output: common::Output| {
        assert_eq!(output.status, 4, "{output:?}");
        let app = output.err.contains("Privacy_AllFiles");
        (output.err.contains(ssh), output.err.contains(tmux), app)
    };
    for source in ["native", "eslogger"] {
        let by_ssh = refused(source).env("SSH_CONNECTION", "203.0.113.7 50000 203.0.113.8 22");
        assert_eq!(has(by_ssh.run()), (true, false, false), "{source}");
        let in_tmux = refused(source).env("TMUX", "/private/tmp/tmux-501/default,702,0");
        assert_eq!(has(in_tmux.run()), (false, true, true), "{source}");
        // sudo removes these variables: the names of the processes above remain.
        for (name, expected) in [
            ("sshd-session", (true, false, false)),
            ("tmux", (false, true, true)),
        ] {
            let (output, _) = refused(source).started_by(name, "\"$@\"; exit $?");
            assert_eq!(has(output), expected, "{source} {name}");
        }
    }
}

#[test]
fn the_doctor_reports_what_is_missing() {
    let doctor = |options: &[&str]| {
        let run = Run::new(&["--doctor"]).macos("15.4").eslogger("");
        options.iter().fold(run, Run::option).run()
    };
    let run = doctor(&[]);
    assert!(
        run.out
            .starts_with("macOS                       ok: 15.4\nroot                        ok\n")
    );
    assert!(run.out.ends_with(
        "\nLive traces work, with EndpointSecurity directly: sudo proctracer -e exec,open\n"
    ));
    is_well(&run, 0);
    let run = doctor(&["--new-client=3"]);
    assert!(
        run.out
            .contains("entitlement                 missing: this copy is not entitled")
    );
    assert!(
        run.out
            .ends_with("\nLive traces work, through eslogger: sudo proctracer -e exec,open\n")
    );
    assert_eq!(run.status, 0);
    for (option, missing) in [
        ("--new-client=4", "Full Disk Access"),
        ("--new-client=6", "client"),
        ("--euid=501", "root"),
    ] {
        let run = doctor(&[option]);
        let lines = run.out.lines().filter(|line| line.contains("missing: "));
        let missing_lines: Vec<_> = lines.collect();
        assert!(
            missing_lines.iter().any(|line| line.starts_with(missing)),
            "{}",
            run.out
        );
        assert_eq!((run.err.as_str(), run.status), ("", 4));
    }
}

#[test]
fn what_macos_does_not_know_yet_is_shown() {
    let unknown = r#"{"version":11,"event_type":170,"action_type":1,"time":"2026-01-01T00:00:00.5Z","process":null,"thread":null,"event":{"future":{}}}"#;
    let run = native(&[], &format!("{unknown}\n")).run();
    assert_eq!(
        run.out,
        "event : unknown (170)\n  time: 2026-01-01 00:00:00.500000000\n process: (null)\n\n"
    );
    is_well(&run, 1);
    let json = native(&["-F", "json"], &format!("{unknown}\n")).run().out;
    assert!(
        json.ends_with("\"process\":null,\"event\":{\"unknown\":{}}}\n"),
        "{json}"
    );
}

#[test]
fn what_macos_drops_is_counted_to_the_last() {
    let hour = read(HOUR);
    let count = hour.lines().count();
    let run = native(&["-F", "line"], HOUR)
        .option("--drop=7")
        .option("--repeat=20")
        .run();
    let dropped = count * 20 / 7;
    let last = run.err.lines().last().expect("the totals");
    let thousands = |number: usize| {
        if number < 1000 {
            number.to_string()
        } else {
            format!("{},{:03}", number / 1000, number % 1000)
        }
    };
    assert!(
        last.starts_with(&format!(
            "proctracer: in all, macOS dropped {} of {} events: ",
            thousands(dropped),
            thousands(count * 20)
        )),
        "{last}"
    );
    let by_type = last.rsplit_once(": ").expect("the types").1.split(", ");
    let sum: usize = by_type
        .map(|part| {
            let number = part.rsplit_once(' ').expect("a number").1.replace(',', "");
            number.parse::<usize>().expect("a number")
        })
        .sum();
    assert_eq!(sum, dropped);
    assert_eq!(run.out.lines().count(), count * 20 - dropped);
    assert_eq!(run.status, 0);
    let failed = native(&["--fail-on-drop"], HOUR).option("--drop=7").run();
    assert_eq!(failed.status, 3);
    let whole = native(&["--fail-on-drop"], HOUR).run();
    assert_eq!(whole.status, 0);
}

#[test]
fn two_million_messages_are_printed_and_released() {
    let head: String = read(HOUR).split_inclusive('\n').take(200).collect();
    let run = native(&["-o", "/dev/null"], &head)
        .option("--repeat=10000")
        .run();
    is_well(&run, 2_000_000);
}

/// Reads a run's output line by line until it ends well: everything delivered has been printed and released. `at` is
/// called with the process id and the number of each line. Returns the number of lines.
#[track_caller]
fn stream(run: Run, mut at: impl FnMut(u32, usize)) -> usize {
    let (mut command, _folder) = run.command();
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("macsim starts");
    let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let mut count = 0;
    for line in lines {
        line.expect("UTF-8");
        count += 1;
        at(child.id(), count);
    }
    let mut said = String::new();
    let mut stderr = child.stderr.take().expect("a pipe");
    stderr.read_to_string(&mut said).expect("UTF-8");
    assert_eq!(child.wait().expect("it ends").code(), Some(0), "{said}");
    let end = format!("macsim: delivered {count} dropped 0 unreleased 0 misused 0\n");
    assert!(said.ends_with(&end), "{count} lines, {said}");
    count
}

#[test]
fn a_signal_in_full_flow_loses_nothing_that_was_delivered() {
    for signal in ["INT", "TERM", "HUP"] {
        let run = native(&["-F", "line"], HOUR)
            .option("--repeat=100000")
            .option("--rate=200000")
            .option("--queue=1000000");
        stream(run, |pid, count| {
            if count == 30_000 {
                let pid = pid.to_string();
                let kill = Command::new("kill").args(["-s", signal, &pid]).status();
                assert!(kill.expect("kill runs").success());
            }
        });
    }
}

#[test]
fn a_reader_that_pauses_costs_nothing() {
    // In this time 60,000 messages come: as many as fit into 64 MiB and the simulated kernel's queue.
    let run = native(&["-F", "line"], HOUR)
        .option("--repeat=400")
        .option("--rate=40000")
        .option("--queue=20000");
    let count = read(HOUR).lines().count() * 400;
    let printed = stream(run, |_, number| {
        if number == 1 {
            thread::sleep(Duration::from_millis(1500));
        }
    });
    assert_eq!(printed, count);
}

/// An exec with nearly the longest arguments that macOS allows, again and again.
fn execs_with_long_arguments(args: &[&str]) -> Run {
    let exec = read(HOUR)
        .lines()
        .find(|line| line.contains(r#""exec":"#))
        .expect("an exec")
        .to_owned();
    let mut exec: Value = serde_json::from_str(&exec).expect("JSON");
    let mut arguments = vec![Value::from("/bin/x")];
    arguments.extend((0..7).map(|_| Value::from("A".repeat(131_000))));
    exec["event"]["exec"]["args"] = arguments.into();
    native(args, &format!("{exec}\n")).option("--repeat=3000")
}

#[test]
fn a_reader_that_does_not_read_does_not_take_memory() {
    let (mut command, _folder) = execs_with_long_arguments(&[]).command();
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("macsim starts");
    let status = format!("/proc/{}/status", child.id());
    let mib = |name: &str| {
        let status = std::fs::read_to_string(&status).expect("it runs");
        let row = status
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .expect("the row");
        row.trim()
            .strip_suffix(" kB")
            .expect("kilobytes")
            .parse::<u64>()
            .expect("a number")
            >> 10
    };
    // Until it takes no more.
    let mut last = 0;
    for _ in 0..100 {
        thread::sleep(Duration::from_millis(300));
        let now = mib("VmRSS:");
        if now == last && now > 64 {
            break;
        }
        last = now;
    }
    let peak = mib("VmHWM:");
    assert!((65..300).contains(&peak), "{peak} MiB");
    drop(child.stdout.take());
    let output = common::wait(child);
    assert_eq!((output.err.as_str(), output.status), ("", 0));
    assert!(
        output.said.ends_with("unreleased 0 misused 0\n"),
        "{}",
        output.said
    );
}

#[test]
fn a_closed_pipe_and_a_full_disk_end_it_without_a_leak() {
    let (mut command, _folder) = native(&[], HOUR).option("--repeat=1000").command();
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("macsim starts");
    drop(child.stdout.take());
    let output = common::wait(child);
    assert_eq!((output.err.as_str(), output.status), ("", 0));
    assert!(output.said.ends_with("unreleased 0 misused 0\n"));
    let full = native(&["-o", "/dev/full"], HOUR)
        .option("--repeat=1000")
        .run();
    assert_eq!(
        (full.err.as_str(), full.status),
        ("proctracer: /dev/full: No space left on device\n", 1)
    );
    assert!(full.said.ends_with("unreleased 0 misused 0\n"));
}

/// The place of the images of some of the hour's processes.
const PLACE: &str = "/usr/bin";

#[test]
fn processes_are_selected_in_the_kernel_as_they_are_here() {
    for path in [
        PLACE,
        "/usr/bin/",
        "/usr/bin/git",
        "/usr/b",
        "/",
        "/Users/test",
    ] {
        for events in ["all", "exec,open,fork", "-exec"] {
            let args = ["-p", path, "-e", events];
            let run = native(&args, HOUR).run();
            is_same(&run.out, &recorded(&args, &read(HOUR)).out);
            let said = if path == "/usr/b" {
                "proctracer: -p /usr/b matched nothing\n"
            } else {
                ""
            };
            assert_eq!((run.err.as_str(), run.status), (said, 0));
        }
    }
    // Messages of other processes aren't delivered at all, except for exec and for actions on somebody's behalf.
    let run = native(&["-p", PLACE, "-e", "open,close"], HOUR).run();
    let delivered = format!("macsim: delivered {} ", run.out.matches("event : ").count());
    assert!(run.said.contains(&delivered), "{}", run.said);
}

/// Two messages: of this test's process group, and of one that exists nowhere.
/// The messages of processes: the pid and the group of each.
fn of_processes(processes: &[(u32, u32)]) -> String {
    let line = read(EVENTS).lines().nth(1).expect("a line").to_owned();
    let mut message: Value = serde_json::from_str(&line).expect("JSON");
    let mut lines = String::new();
    for (number, (pid, group)) in processes.iter().enumerate() {
        message["process"]["group_id"] = (*group).into();
        message["process"]["audit_token"]["pid"] = (*pid).into();
        message["seq_num"] = number.into();
        message["global_seq_num"] = number.into();
        _ = writeln!(lines, "{message}");
    }
    lines
}

/// Messages of a process of the pipeline that proctracer is a part of, and of another one.
fn of_two_groups() -> String {
    of_processes(&[(std::process::id(), own_group()), OTHER])
}

#[test]
fn files_and_exclusions_are_selected_in_the_kernel_as_they_are_here() {
    for args in [
        &["-P", "/Users/test/Library/LaunchAgents"][..],
        &["-P", "/Users/test/Documents", "-P", "/Users/test/src"],
        &["-P", "/Users/*/src/**"],
        &["-P", "/private/tmp/**", "-P", "*.plist"],
        &["-P", "/Users/test", "--not-target", "/Users/test/src"],
        &["--not-target", "/Users", "--not-target", "*.c"],
        &["-e", "exec,unlink,rename,lookup", "-P", "/Users/test"],
        &["-P", "/Users/test/Documents/Übersicht – 2026.pdf"],
        &["--not-path", "/usr/bin", "--not-path", "/bin/zsh"],
        &["-f", "--name", "installd", "-e", "%change"],
        &[
            "-f",
            "--name",
            "make",
            "-P",
            "/Users/test/src",
            "-e",
            "open,close",
        ],
        &["-p", "/usr/bin", "-P", "/Users/test", "--not-name", "make"],
    ] {
        let run = native(args, HOUR).run();
        let recorded = recorded(args, &read(HOUR));
        is_same(&run.out, &recorded.out);
        assert!(!run.out.is_empty() || args.contains(&"*.plist"), "{args:?}");
        assert_eq!((run.err.as_str(), run.status), (recorded.err.as_str(), 0));
    }
    // Messages about other files aren't delivered at all.
    let args = [
        "-P",
        "/Users/test/Library/LaunchAgents",
        "-e",
        "open,close,clone,setowner",
    ];
    let run = native(&args, HOUR).run();
    let delivered = format!("macsim: delivered {} ", run.out.matches("event : ").count());
    assert!(run.said.contains(&delivered), "{}", run.said);
}

#[test]
fn its_own_pipeline_is_left_out() {
    let lines = of_two_groups();
    let line = &["-F", "line"][..];
    let run = native(line, &lines).real_groups().run();
    assert_eq!(run.out.lines().count(), 1);
    is_well(&run, 2);
    let all = native(&["-F", "line", "--include-self"], &lines);
    assert_eq!(all.real_groups().run().out.lines().count(), 2);
    // A group that only happens to have the same number isn't its own.
    assert_eq!(native(line, &lines).run().out.lines().count(), 2);
}

#[test]
fn who_joins_its_own_pipeline_is_left_out_and_counted() {
    let (known, joined) = ((std::process::id(), own_group()), (OTHER.0, own_group()));
    let lines = of_processes(&[known, joined, OTHER, joined]);
    let left_out = "proctracer: 2 events of processes that joined this trace's process group after it started are \
                    left out (see --include-self)\n";
    let one = left_out
        .replace("2 events", "1 event")
        .replace(" are ", " is ");
    for (args, count, said) in [
        (&["-F", "line"][..], 1, left_out),
        (&["-F", "line", "--pid", "4000001"], 1, left_out),
        (&["-F", "line", "-n", "1"], 1, &one),
        (&["-F", "line", "-f", "-p", "/System"], 1, left_out),
        (&["-F", "line", "-f", "-p", "/usr"], 0, ""),
        (&["-c"], 0, left_out),
        (&["--tree"], 0, left_out),
        (&["-F", "line", "--pid", "4000002"], 0, ""),
        (&["-F", "line", "-e", "exit"], 0, ""),
        (&["-F", "line", "--include-self"], 4, ""),
    ] {
        let native = native(args, &lines);
        let by_eslogger = Run::new(&[&["--source", "eslogger"], args].concat()).eslogger(&lines);
        for run in [native, by_eslogger.env("MACSIM_ESLOGGER_END", "0")] {
            let run = run.real_groups().run();
            let shown = run.out.matches(" mds_stores[").count();
            assert_eq!(shown, count, "{args:?} {run:?}");
            // eslogger's end, and what it may have written itself, are reported as well.
            let of_groups = |line: &&str| line.contains("process group");
            let reported: String = run.err.split_inclusive('\n').filter(of_groups).collect();
            assert_eq!(reported, said, "{args:?}");
        }
    }
}

/// sudo gives a command a process group of its own; the rest of the pipeline is in sudo's group.
#[test]
fn the_pipeline_of_sudo_is_left_out() {
    let lines = of_two_groups();
    let by_eslogger = |args: &[&str]| {
        let run = Run::new(args).option("--new-client=3").eslogger(&lines);
        run.env("MACSIM_ESLOGGER_END", "0")
    };
    let args = &["-F", "line"][..];
    let all = &["-F", "line", "--include-self"][..];
    for (run, starter, count) in [
        (native(args, &lines), "sudo", 1),
        (by_eslogger(args), "sudo", 1),
        (native(args, &lines), "zsh", 2),
        (by_eslogger(args), "zsh", 2),
        (native(all, &lines), "sudo", 2),
        (by_eslogger(all), "sudo", 2),
    ] {
        let run = run.real_groups();
        let (output, _) = run.started_by(starter, "setsid \"$@\"; exit $?");
        assert_eq!(output.out.lines().count(), count, "{starter} {output:?}");
    }
}
