//! Makes messages in macOS's layout from messages in eslogger's JSON.
//!
//! A member that is newer than its message's version is filled with 0xa5, so a program that reads it shows garbage,
//! and one that follows it as a pointer crashes. A member that the JSON leaves out is zero.

pub mod image;
pub mod layout;
pub mod time;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use crate::json::{self, Json};
use crate::system::security::ACL_OF_MESSAGE;
use crate::versions::EVENT_TYPES;
use image::Image;
use layout::{Layout, Member};

/// The data that the functions on an exec event return lies behind the message, at these offsets from its start.
pub mod exec {
    /// Count and array of arguments.
    pub const ARGS: usize = 224;
    /// Count and array of the environment.
    pub const ENV: usize = ARGS + 16;
    /// Count and array of `es_fd_t`.
    pub const FDS: usize = ENV + 16;
    /// `sizeof` a message with all that.
    pub const END: usize = FDS + 16;
}

/// A message that is ready to be copied, and what the simulation needs to know about it.
#[derive(Debug)]
pub struct Record {
    /// `es_event_type_t`
    pub event_type: u32,
    /// The message's version.
    pub version: u32,
    /// Its bytes.
    pub image: Image,
    /// The path of the process's executable, for muting.
    pub executable: Vec<u8>,
    /// The process's audit token, for muting.
    pub token: Option<[u32; 8]>,
    /// The audit token of the process on whose behalf another one sent the event, for muting.
    pub instigator: Option<[u32; 8]>,
    /// The paths that the event concerns, for muting; `None` where muting by target paths doesn't support its type.
    pub targets: Option<Vec<Vec<u8>>>,
    /// exec's entitlements.
    pub entitlements: Option<Json>,
    /// The offsets of the process identifiers that stand for the program's first child.
    pub child_pids: Vec<u32>,
    /// The process groups and sessions in the message.
    pub groups: BTreeSet<i32>,
}

/// The messages of a file, and a sentence for each that can't be read.
pub fn read(path: &Path, child: Option<i32>) -> std::io::Result<(Vec<Record>, Vec<String>)> {
    let text = if path == Path::new("-") {
        let mut text = Vec::new();
        std::io::Read::read_to_end(&mut std::io::stdin(), &mut text)?;
        text
    } else {
        std::fs::read(path)?
    };
    let (mut records, mut failures) = (Vec::new(), Vec::new());
    for value in json::values(&text) {
        let line = |at: usize| {
            text[..at.min(text.len())]
                .iter()
                .filter(|&&byte| byte == b'\n')
                .count()
                + 1
        };
        match value {
            Ok((at, value)) => match message(&value, child) {
                Ok(record) => records.push(record),
                Err(reason) => failures.push(format!("{}:{}: {reason}", path.display(), line(at))),
            },
            Err(error) => failures.push(format!("{}:{}: {error}", path.display(), line(error.at))),
        }
    }
    Ok((records, failures))
}

/// Makes a message. `child` is the process identifier that stands for the program's first child.
pub fn message(json: &Json, child: Option<i32>) -> Result<Record, String> {
    let number = |name: &str, default: i128| json.get(name).and_then(Json::int).unwrap_or(default);
    let version = number("version", 7) as u32;
    let mut builder = Builder {
        image: Image::default(),
        version,
        child,
        child_pids: Vec::new(),
        groups: BTreeSet::new(),
    };
    let start = builder.image.allocate(exec::END, 8);
    debug_assert_eq!(start, 0);

    let Some(Json::Object(members)) = json.get("event") else {
        return Err("event: not an object".into());
    };
    let (name, event) = members.first().ok_or("event: empty")?;
    let row = EVENT_TYPES
        .iter()
        .find(|row| row.kind == "NOTIFY" && row.name == name);
    let event_type = match (json.get("event_type").and_then(Json::int), row) {
        (Some(number), _) => number as u32,
        (None, Some(row)) => row.number,
        (None, None) => {
            return Err(format!(
                "event: {name} is not known, and event_type is missing"
            ));
        }
    };

    builder.head(json, event_type)?;
    let place = layout::offset("es_message_t", "event");
    if let Some(member) = layout::of("es_events_t").member(name) {
        let context = |reason| format!("{name}.{reason}");
        match member.ctype.strip_suffix('*') {
            Some(structure) => builder.pointer(place, structure, event).map_err(context)?,
            None => builder
                .structure(place, layout::of(member.ctype), event)
                .map_err(context)?,
        }
    }
    if name == "exec" {
        builder.exec(event)?;
    }

    let process = json.get("process");
    Ok(Record {
        event_type,
        version,
        image: builder.image,
        executable: process
            .and_then(|process| path_of(process.get("executable")?))
            .unwrap_or_default(),
        token: process.and_then(|process| audit_token(process.get("audit_token")?)),
        instigator: instigator(event),
        targets: row
            .filter(|row| !row.targets.is_empty())
            .map(|row| targets(&row.targets, event)),
        entitlements: event.get("entitlements").filter(|_| version >= 11).cloned(),
        child_pids: builder.child_pids,
        groups: builder.groups,
    })
}

/// The audit token's eight numbers, from an object or an array.
fn audit_token(json: &Json) -> Option<[u32; 8]> {
    const NAMES: [&str; 8] = [
        "auid",
        "euid",
        "egid",
        "ruid",
        "rgid",
        "pid",
        "asid",
        "pidversion",
    ];
    let mut token = [0; 8];
    for (index, name) in NAMES.iter().enumerate() {
        let value = match json {
            Json::Array(items) => items.get(index),
            _ => json.get(name),
        };
        token[index] = value?.int()? as u32;
    }
    Some(token)
}

/// The audit token of an event's instigator, which is alive and in the event, or has ended and left its token; that of
/// `authentication` is in the arm of its union.
fn instigator(event: &Json) -> Option<[u32; 8]> {
    let arm = match event.get("data") {
        Some(Json::Object(arms)) => arms.first().map(|(_, arm)| arm),
        _ => None,
    };
    let of = |json: &Json| {
        let process = json.get("instigator").and_then(|it| it.get("audit_token"));
        audit_token(process.or_else(|| json.get("instigator_token"))?)
    };
    of(event).or_else(|| of(arm?))
}

fn path_of(file: &Json) -> Option<Vec<u8>> {
    Some(file.get("path")?.bytes()?.to_vec())
}

/// The paths that the members named in `data/events.tsv` hold: `member`, `process.executable`, `directory/name`, and
/// `destination`, which is a file or a directory and a name.
fn targets(expressions: &[&str], event: &Json) -> Vec<Vec<u8>> {
    let joined = |directory: &Json, name: &Json| {
        Some([&path_of(directory)?, b"/".as_slice(), name.bytes()?].concat())
    };
    let target = |expression: &&str| {
        if *expression == "destination" {
            let destination = event.get("destination")?;
            if let Some(file) = destination.get("existing_file") {
                return path_of(file);
            }
            let new = destination.get("new_path")?;
            joined(new.get("dir")?, new.get("filename")?)
        } else if let Some((directory, name)) = expression.split_once('/') {
            joined(event.get(directory)?, event.get(name)?)
        } else if let Some((process, executable)) = expression.split_once('.') {
            path_of(event.get(process)?.get(executable)?)
        } else {
            path_of(event.get(expression)?)
        }
    };
    expressions.iter().filter_map(target).collect()
}

/// The byte that fills a member newer than the message.
const GARBAGE: u8 = 0xa5;

struct Builder {
    image: Image,
    version: u32,
    child: Option<i32>,
    child_pids: Vec<u32>,
    groups: BTreeSet<i32>,
}

type Built = Result<(), String>;

impl Builder {
    fn head(&mut self, json: &Json, event_type: u32) -> Built {
        let layout = layout::of("es_message_t");
        for member in &layout.members {
            let value = match member.name {
                "event_type" => Some(&Json::Int(event_type.into())),
                "event" | "opaque" | "action" => continue,
                "action.notify" => {
                    let result = json.get("action").and_then(|action| action.get("result"));
                    self.result(member.offset, result);
                    continue;
                }
                name if name.contains('.') => continue,
                name => json.get(name),
            };
            self.versioned(layout, 0, member, value)?;
        }
        Ok(())
    }

    /// `es_result_t`: eslogger writes only the live arm of its union.
    fn result(&mut self, at: usize, json: Option<&Json>) {
        let layout = layout::of("es_result_t");
        for name in ["result_type", "result.auth", "result.flags"] {
            let value = name
                .split('.')
                .try_fold(json, |json, key| Some(json?.get(key)));
            if let (Some(member), Some(value)) =
                (layout.member(name), value.flatten().and_then(Json::int))
            {
                self.image.put_int(at + member.offset, member.size, value);
            }
        }
    }

    fn exec(&mut self, event: &Json) -> Built {
        for (place, name) in [(exec::ARGS, "args"), (exec::ENV, "env")] {
            if let Some(value) = event.get(name) {
                let count = self
                    .strings(place + 8, value)
                    .map_err(|reason| format!("exec.{name}: {reason}"))?;
                self.image.put_int(place, 8, count as i128);
            }
        }
        if let Some(value) = event.get("fds") {
            let count = self
                .structures(exec::FDS + 8, layout::of("es_fd_t"), value)
                .map_err(|reason| format!("exec.fds: {reason}"))?;
            self.image.put_int(exec::FDS, 8, count as i128);
        }
        Ok(())
    }

    fn structure(&mut self, at: usize, layout: &'static Layout, json: &Json) -> Built {
        let own =
            |member: &&Member| !member.name.contains('.') && !member.name.starts_with("reserved");
        for member in layout.members.iter().filter(own) {
            self.versioned(layout, at, member, json.get(member.name))?;
            if matches!(member.ctype, "union{}") && member.since <= self.version {
                self.union(layout, at, member, json)?;
            }
        }
        Ok(())
    }

    /// A member, or garbage where the message is too old for it.
    fn versioned(
        &mut self,
        layout: &'static Layout,
        at: usize,
        member: &Member,
        value: Option<&Json>,
    ) -> Built {
        let place = at + member.offset;
        if member.since > self.version {
            self.image.bytes[place..place + member.size].fill(GARBAGE);
            return Ok(());
        }
        match value {
            Some(value) if member.ctype != "union{}" => {
                self.member(layout, at, member, value).map_err(|reason| {
                    let mut text = member.name.to_string();
                    let joint = if reason.contains(": ") { "." } else { ": " };
                    write!(text, "{joint}{reason}").expect("a String takes all");
                    text
                })
            }
            _ => Ok(()),
        }
    }

    fn member(
        &mut self,
        layout: &'static Layout,
        base: usize,
        member: &Member,
        value: &Json,
    ) -> Built {
        let at = base + member.offset;
        match member.ctype {
            "es_string_token_t" => self.image.put_token(at, bytes(value)?),
            "es_string_token_t*" => {
                let count = self.strings(at, value)?;
                self.count(layout, base, member.name, count);
            }
            "audit_token_t" => self.audit_token(at, value)?,
            "audit_token_t*" => {
                let target = self.image.allocate(32, 8);
                self.image.point(at, target);
                self.audit_token(target, value)?;
            }
            "es_cdhash_t" => self.fixed(at, member.size, &hex(value)?),
            "es_sha256_t*" => {
                let target = self.image.allocate(32, 1);
                self.image.point(at, target);
                self.fixed(target, 32, &hex(value)?);
            }
            "es_token_t" => self.image.put_token(at, &hex(value)?),
            "acl_t" => {
                let acl = [&[ACL_OF_MESSAGE], bytes(value)?].concat();
                let target = self.image.put_data(&acl);
                self.image.point(at, target);
            }
            "struct timespec" | "struct timeval" => {
                let time = value.text().and_then(time::parse);
                let (seconds, nanoseconds) = time.ok_or("not a time")?;
                let fraction = if member.ctype == "struct timeval" {
                    nanoseconds / 1000
                } else {
                    nanoseconds
                };
                self.image.put_int(at, 8, seconds.into());
                self.image
                    .put_int(at + 8, member.size.min(12) - 8, fraction.into());
            }
            "fsid_t" => {
                let Some(Json::Array(numbers)) = value.get("val").or(Some(value)) else {
                    return Err("not two numbers".into());
                };
                for (index, number) in numbers.iter().take(2).enumerate() {
                    self.image.put_int(at + 4 * index, 4, int(number)?);
                }
            }
            "struct{}" => self.arms(layout, base, member.name, value)?,
            ctype if ctype.starts_with("char[") => {
                let text = bytes(value)?;
                self.fixed(at, member.size - 1, text);
            }
            ctype => match (ctype.strip_suffix('*'), value) {
                (Some(name), Json::Array(_)) => {
                    let target = layout::find(name).ok_or("an array of what is no structure")?;
                    let count = self.structures(at, target, value)?;
                    self.count(layout, base, member.name, count);
                }
                (Some(name), _) => self.pointer(at, name, value)?,
                (None, _) => match layout::find(ctype) {
                    Some(nested) => self.structure(at, nested, value)?,
                    None => self.int(at, member, int(value)?),
                },
            },
        }
        Ok(())
    }

    fn int(&mut self, at: usize, member: &Member, value: i128) {
        self.image.put_int(at, member.size, value);
        if matches!(
            member.name,
            "ppid" | "original_ppid" | "group_id" | "session_id"
        ) {
            self.pid(at, value);
        }
        if matches!(member.name, "group_id" | "session_id") {
            self.groups.insert(value as i32);
        }
    }

    fn pid(&mut self, at: usize, value: i128) {
        if self.child.map(i128::from) == Some(value) {
            self.child_pids.push(at as u32);
        }
    }

    fn audit_token(&mut self, at: usize, value: &Json) -> Built {
        let token = audit_token(value).ok_or("not an audit token")?;
        for (index, number) in token.into_iter().enumerate() {
            self.image.put_int(at + 4 * index, 4, number.into());
        }
        self.pid(at + 20, i128::from(token[5] as i32));
        Ok(())
    }

    fn fixed(&mut self, at: usize, size: usize, data: &[u8]) {
        self.image.put(at, &data[..data.len().min(size)]);
    }

    fn pointer(&mut self, at: usize, name: &str, value: &Json) -> Built {
        let layout = layout::find(name).ok_or_else(|| format!("no rule for {name} *"))?;
        let target = self.image.allocate(layout.size, 8);
        self.image.point(at, target);
        self.structure(target, layout, value)
    }

    fn structures(
        &mut self,
        at: usize,
        layout: &'static Layout,
        value: &Json,
    ) -> Result<usize, String> {
        let items = array(value)?;
        let start = self.image.allocate(layout.size * items.len().max(1), 8);
        self.image.point(at, start);
        for (index, item) in items.iter().enumerate() {
            self.structure(start + index * layout.size, layout, item)?;
        }
        Ok(items.len())
    }

    fn strings(&mut self, at: usize, value: &Json) -> Result<usize, String> {
        let items = array(value)?;
        let start = self.image.allocate(16 * items.len().max(1), 8);
        self.image.point(at, start);
        for (index, item) in items.iter().enumerate() {
            self.image.put_token(start + 16 * index, bytes(item)?);
        }
        Ok(items.len())
    }

    /// Writes the length of an array to the member that holds it.
    fn count(&mut self, layout: &Layout, base: usize, array: &str, count: usize) {
        let name = match array {
            "argv" => "argc",
            "env" => "env_count",
            "rights" => "right_count",
            "results" => "result_count",
            "attribute_values" => "attribute_value_count",
            _ => "member_count",
        };
        if let Some(member) = layout.member(name) {
            self.image
                .put_int(base + member.offset, member.size, count as i128);
        }
    }

    fn union(
        &mut self,
        layout: &'static Layout,
        base: usize,
        union: &Member,
        json: &Json,
    ) -> Built {
        let Some(value) = json.get(union.name) else {
            return Ok(());
        };
        let at = base + union.offset;
        let by_name = json.get("member_type").and_then(Json::int) == Some(0);
        match (union.name, value) {
            ("file", Json::String(path)) => self.image.put_token(at, path),
            ("file", _) => self.pointer(at, "es_file_t", value)?,
            ("uid" | "from_uid" | "to_uid", _) => {
                self.image.put_int(at, union.size, int(value)?);
                if let Some(has) = layout.member(&format!("has_{}", union.name)) {
                    self.image.put_int(base + has.offset, 1, 1);
                }
            }
            ("member_value", _) if by_name => self.image.put_token(at, bytes(value)?),
            ("member_value", _) => self.fixed(at, 16, &hex(value)?),
            ("member_array", _) => {
                let items = array(value)?;
                if by_name {
                    self.strings(at, value)?;
                } else {
                    let start = self.image.allocate(16 * items.len().max(1), 1);
                    self.image.point(at, start);
                    for (index, item) in items.iter().enumerate() {
                        self.fixed(start + 16 * index, 16, &hex(item)?);
                    }
                }
                self.count(layout, base, union.name, items.len());
            }
            (name, _) => self.arms(layout, base, name, value)?,
        }
        Ok(())
    }

    /// The members of a nested structure or union that the JSON has.
    fn arms(&mut self, layout: &'static Layout, base: usize, prefix: &str, value: &Json) -> Built {
        let Json::Object(members) = value else {
            return Err("not an object".into());
        };
        for (key, value) in members.iter().filter(|(_, value)| *value != Json::Null) {
            if let Some(member) = layout.member(&format!("{prefix}.{key}")) {
                self.member(layout, base, member, value)
                    .map_err(|reason| format!("{key}: {reason}"))?;
            }
        }
        Ok(())
    }
}

fn bytes(value: &Json) -> Result<&[u8], String> {
    value.bytes().ok_or_else(|| "not a string".into())
}

fn int(value: &Json) -> Result<i128, String> {
    value.int().ok_or_else(|| "not a whole number".into())
}

fn array(value: &Json) -> Result<&[Json], String> {
    match value {
        Json::Array(items) => Ok(items),
        _ => Err("not an array".into()),
    }
}

/// The bytes that hexadecimal digits stand for; a UUID's hyphens are left out.
pub fn hex(value: &Json) -> Result<Vec<u8>, String> {
    let digits: Vec<u8> = bytes(value)?
        .iter()
        .copied()
        .filter(|&byte| byte != b'-')
        .collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    digits
        .chunks(2)
        .map(byte)
        .collect::<Option<_>>()
        .ok_or_else(|| "not hexadecimal digits".into())
}

#[cfg(test)]
mod tests;
