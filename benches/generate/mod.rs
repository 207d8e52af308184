//! Makes a large recording from the project's own messages: events in the proportions of a busy Mac, processes in
//! runs, keys in random order, slashes escaped, as eslogger writes them.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use serde_json::{Value, json};

const EVENTS: &str = include_str!("../../tests/data/events.jsonl");
const HOUR: &str = include_str!("../../samples/developers-hour.jsonl");

/// The frequency of each event, per thousand.
const WEIGHTS: [(&str, usize); 15] = [
    ("open", 300),
    ("close", 220),
    ("lookup", 100),
    ("stat", 80),
    ("access", 60),
    ("mmap", 60),
    ("write", 50),
    ("getattrlist", 30),
    ("rename", 20),
    ("unlink", 20),
    ("create", 20),
    ("fork", 13),
    ("exec", 12),
    ("exit", 12),
    ("signal", 3),
];

/// Writes a recording of this many megabytes.
pub fn recording(path: &Path, megabytes: usize) -> std::io::Result<()> {
    let messages = |text: &'static str| {
        text.lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
    };
    let hour: Vec<_> = messages(HOUR).chain(messages(EVENTS)).collect();
    let events = WEIGHTS.map(|(name, weight)| {
        let of_name: Vec<_> = hour
            .iter()
            .filter(|message| message["event"].get(name).is_some())
            .collect();
        (weight, of_name)
    });
    let processes: Vec<_> = hour
        .iter()
        .map(|message| &message["process"])
        .filter(|process| !process.is_null())
        .collect();
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let mut process = processes[0];
    let mut out = BufWriter::new(File::create(path.with_extension("part"))?);
    let mut size = 0;
    let mut line = Vec::new();
    let mut of_type = [0_u64; WEIGHTS.len()];
    for number in 0_u64.. {
        if size >= megabytes * 1_000_000 {
            break;
        }
        if random.below(3) == 0 {
            process = processes[random.below(processes.len())];
        }
        let mut choice = random.below(1000);
        let event_type = events
            .iter()
            .position(|(weight, _)| {
                choice
                    .checked_sub(*weight)
                    .map(|rest| choice = rest)
                    .is_none()
            })
            .unwrap_or(0);
        let (_, of_name) = &events[event_type];
        let mut message = of_name[random.below(of_name.len())].clone();
        message["process"] = process.clone();
        message["global_seq_num"] = json!(number);
        message["seq_num"] = json!(of_type[event_type]);
        of_type[event_type] += 1;
        message["mach_time"] = json!(401_374_797_834 + number * 977);
        message["time"] = json!(format!(
            "2026-03-14T09:{:02}:{:02}.{:09}Z",
            number / 90_000 % 60,
            number / 1500 % 60,
            random.below(1_000_000_000)
        ));
        message["thread"] = json!({ "thread_id": random.below(10_000_000) });
        line.clear();
        push(&mut line, &message, &mut random);
        line.push(b'\n');
        out.write_all(&line)?;
        size += line.len();
    }
    out.flush()?;
    std::fs::rename(path.with_extension("part"), path)
}

fn push(out: &mut Vec<u8>, value: &Value, random: &mut Random) {
    match value {
        Value::Object(map) => {
            let mut members: Vec<_> = map.iter().collect();
            for at in (1..members.len()).rev() {
                members.swap(at, random.below(at + 1));
            }
            let mut separator = b'{';
            for (key, value) in members {
                out.push(separator);
                separator = b',';
                out.extend_from_slice(format!("\"{key}\":").as_bytes());
                push(out, value, random);
            }
            out.extend_from_slice(if separator == b'{' { b"{}" } else { b"}" });
        }
        Value::Array(list) => {
            out.push(b'[');
            for (at, value) in list.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                push(out, value, random);
            }
            out.push(b']');
        }
        Value::String(_) => out.extend_from_slice(value.to_string().replace('/', "\\/").as_bytes()),
        other => out.extend_from_slice(other.to_string().as_bytes()),
    }
}

/// Xorshift: the same recording every time.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap_or(0) % bound
    }
}
