//! Recordings of a made-up Mac on which processes start, act and end; and the expected timeline of any recording,
//! counted from its JSON.

#![allow(dead_code, reason = "each test program uses a part of it")]

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

/// 2026-03-14 09:00:00 UTC, in nanoseconds since 1970.
const MORNING: u64 = 1_773_478_800_000_000_000;

/// A process of a [`World`].
#[derive(Clone, Debug)]
pub struct Process {
    pub pid: i32,
    pub version: i64,
    pub ppid: i32,
    pub start: String,
    pub image: String,
}

/// A Mac, and the recording of its events.
pub struct World {
    random: u64,
    /// Nanoseconds since 1970.
    pub now: u64,
    pub processes: Vec<Process>,
    pids: i32,
    next_pid: i32,
    version: i64,
    /// The recording.
    pub lines: String,
    numbers: BTreeMap<String, u64>,
    number: u64,
}

impl World {
    /// A Mac on which launchd and a shell have run for a while, and on which this many pids are used again and again.
    pub fn new(seed: u64, pids: i32) -> World {
        let process = |pid, ppid, image: &str| Process {
            pid,
            version: pid.into(),
            ppid,
            start: time(MORNING - 3_600_000_000_000 + u64::from(pid.unsigned_abs()) * 1000),
            image: image.to_owned(),
        };
        World {
            random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            now: MORNING,
            processes: vec![process(1, 0, "/sbin/launchd"), process(90, 1, "/bin/zsh")],
            pids,
            next_pid: 100,
            version: 1000,
            lines: String::new(),
            numbers: BTreeMap::new(),
            number: 0,
        }
    }

    pub fn below(&mut self, bound: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        usize::try_from(self.random % bound as u64).expect("small")
    }

    fn message(&mut self, process: &Value, event: &str, members: &Value) -> String {
        let number = self.numbers.entry(event.to_owned()).or_insert(0);
        let message = json!({
            "schema_version": 1, "version": 8, "mach_time": 0, "action_type": 1,
            "action": {"result": {"result_type": 0, "result": {"auth": 0}}},
            "time": time(self.now), "seq_num": *number, "global_seq_num": self.number,
            "thread": {"thread_id": 4242}, "process": process,
            "event": {event: members},
        });
        *number += 1;
        self.number += 1;
        format!("{message}\n")
    }

    /// A process as messages have it.
    pub fn json(&self, process: &Process) -> Value {
        let token = |pid: i32, version: i64| {
            json!({"pid": pid, "pidversion": version, "auid": 501, "euid": 501, "egid": 20, "ruid": 501,
                   "rgid": 20, "asid": 100_000})
        };
        let parent = self
            .processes
            .iter()
            .find(|other| other.pid == process.ppid);
        json!({
            "audit_token": token(process.pid, process.version), "ppid": process.ppid,
            "parent_audit_token": token(process.ppid, parent.map_or(0, |parent| parent.version)),
            "original_ppid": process.ppid, "group_id": process.pid, "session_id": process.pid,
            "codesigning_flags": 0, "is_platform_binary": false, "is_es_client": false,
            "signing_id": "com.example", "team_id": "TEAM", "cdhash": "", "tty": null,
            "start_time": process.start, "executable": {"path": process.image, "path_truncated": false},
        })
    }

    /// A process causes an event.
    pub fn event(&mut self, at: usize, event: &str, members: &Value) {
        let process = self.json(&self.processes[at]);
        let line = self.message(&process, event, members);
        self.lines += &line;
    }

    /// A process forks a child; if `lost`, no message shows it.
    pub fn fork(&mut self, at: usize, lost: bool) -> usize {
        while self
            .processes
            .iter()
            .any(|process| process.pid == self.next_pid)
        {
            self.next_pid = 100 + (self.next_pid - 99) % self.pids;
        }
        self.version += 1;
        let child = Process {
            pid: self.next_pid,
            version: self.version,
            ppid: self.processes[at].pid,
            start: time(self.now / 1000 * 1000),
            image: self.processes[at].image.clone(),
        };
        self.next_pid = 100 + (self.next_pid - 99) % self.pids;
        let json = self.json(&child);
        if !lost {
            self.event(at, "fork", &json!({"child": json}));
        }
        self.processes.push(child);
        self.processes.len() - 1
    }

    /// A process execs another image.
    pub fn exec(&mut self, at: usize, image: &str, args: &[&str]) {
        self.version += 1;
        let mut target = self.processes[at].clone();
        target.version = self.version;
        image.clone_into(&mut target.image);
        let members = json!({"target": self.json(&target), "args": args, "cwd": {"path": "/tmp", "path_truncated": false}});
        self.event(at, "exec", &members);
        self.processes[at] = target;
    }

    /// A process ends.
    pub fn exit(&mut self, at: usize, stat: i32) {
        self.event(at, "exit", &json!({"stat": stat}));
        self.processes.remove(at);
    }

    pub fn open(&mut self, at: usize, path: &str) {
        self.event(
            at,
            "open",
            &json!({"fflag": 1, "file": {"path": path, "path_truncated": false}}),
        );
    }

    /// This many events happen, in random order.
    pub fn live(&mut self, events: usize) {
        for _ in 0..events {
            self.now += self.below(3_000_000) as u64;
            if self.below(50) == 0 {
                self.now += 5_000_000_000;
            }
            let at = self.below(self.processes.len());
            let name = [
                "ls",
                "git",
                "clang",
                "a b",
                "\u{1b}[2J",
                "größe\\n",
                "\u{202e}x",
            ][self.below(7)];
            let is_many = self.processes.len() > 60;
            match self.below(10) {
                0 | 1 if !is_many => {
                    let lost = self.below(20) == 0;
                    self.fork(at, lost);
                }
                2 => self.exec(at, &format!("/usr/bin/{name}"), &[name, "-x", "it's"]),
                3 | 4 if at > 1 => {
                    let stat = [0, 0, 256, 9, 139][self.below(5)];
                    self.exit(at, stat);
                }
                5 => {
                    // As another processor saw it.
                    let now = self.now;
                    self.now -= self.below(2_000_000) as u64;
                    self.open(at, "/private/etc/hosts");
                    self.now = now;
                }
                _ => {
                    let path = format!("/Users/test/{name}/{}", self.below(200));
                    self.open(at, &path);
                }
            }
        }
    }
}

/// A time as eslogger writes it.
pub fn time(nanos: u64) -> String {
    let (seconds, rest) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
    let of_day = seconds % 86_400;
    assert_eq!(
        seconds / 86_400,
        MORNING / 1_000_000_000 / 86_400,
        "one day"
    );
    format!(
        "2026-03-14T{:02}:{:02}:{:02}.{rest:09}Z",
        of_day / 3600,
        of_day / 60 % 60,
        of_day % 60
    )
}

/// The time of a message, in nanoseconds since 1970.
fn nanos(time: &str) -> u64 {
    let number = |from: usize, to: usize| time[from..to].parse::<u64>().expect("digits");
    let (year, month, day) = (number(0, 4), number(5, 7), number(8, 10));
    // Days since 1970 by the civil calendar, with the year beginning in March.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let days =
        365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 - 719_468;
    let seconds = days * 86_400 + number(11, 13) * 3600 + number(14, 16) * 60 + number(17, 19);
    let fraction = time[19..].trim_start_matches('.').trim_end_matches('Z');
    seconds * 1_000_000_000 + format!("{fraction:0<9}").parse::<u64>().expect("digits")
}

/// The contents that a timeline must have.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// The name of every event with its time.
    pub events: Vec<(String, u64)>,
    /// The pids that have a span.
    pub pids: BTreeSet<i64>,
    /// The number of spans: one for each process and one for each exec.
    pub spans: usize,
    /// The number of spans that don't end.
    pub open: usize,
    /// The number of arrows.
    pub arrows: usize,
    /// The number of processes that failed.
    pub failed: usize,
}

/// The contents that a timeline of a recording must have. A process is identified by its pid and the time of its
/// fork.
pub fn expected(recording: &str) -> Expected {
    let mut expected = Expected::default();
    let mut processes = BTreeSet::new();
    let mut alive = BTreeSet::new();
    for line in recording.lines() {
        // A lone surrogate stands for a byte; serde_json doesn't take it.
        let message: Value = serde_json::from_str(&line.replace("\\ud", "\\u0")).expect("JSON");
        let (name, members) = message["event"]
            .as_object()
            .and_then(|event| event.iter().next())
            .expect("an event");
        let time = message["time"].as_str().expect("a time");
        expected.events.push((name.clone(), nanos(time)));
        let process = &message["process"];
        let mut meet = |process: &Value| {
            let Some(pid) = process["audit_token"]["pid"].as_i64() else {
                return false;
            };
            expected.pids.insert(pid);
            let start = process["start_time"].to_string();
            let is_new = processes.insert((pid, start.clone()));
            if is_new {
                // The previous process with this pid has ended.
                alive.retain(|(other, _)| *other != pid);
                alive.insert((pid, start));
            }
            is_new
        };
        meet(process);
        if name == "fork" && process["audit_token"]["pid"].is_i64() {
            expected.arrows += usize::from(meet(&members["child"]));
        }
        if name == "exec"
            && members["target"]["audit_token"]["pid"] == process["audit_token"]["pid"]
        {
            expected.spans += 1;
        }
        if name == "exit" {
            let pid = process["audit_token"]["pid"].as_i64().unwrap_or(0);
            alive.remove(&(pid, process["start_time"].to_string()));
            expected.failed += usize::from(members["stat"] != 0);
        }
    }
    expected.spans += processes.len();
    expected.open = alive.len();
    expected.events.sort();
    expected
}

/// The whole packets of a timeline in Perfetto's format that was cut.
pub fn whole_packets(timeline: &[u8]) -> &[u8] {
    let mut rest = timeline;
    // A packet is field 1 of the file, and a message.
    while let Some(mut packet) = rest.strip_prefix(&[0x0a]) {
        let Ok(length) = prost::decode_length_delimiter(&mut packet) else {
            break;
        };
        let Some(next) = packet.get(length..) else {
            break;
        };
        rest = next;
    }
    &timeline[..timeline.len() - rest.len()]
}
