//! A message as eslogger writes it: the same keys, types and NULLs. Members that a message's version lacks are left
//! out.
//!
//! The keys are in a fixed order. Bytes that aren't UTF-8 are written as lone surrogates, which
//! [`crate::model::event::Text`] reads back, where eslogger writes U+FFFD.

use std::fmt::Write as _;

use super::c::{self, Raw};
use super::message::{FileParts as _, Message, Part, Structure};
use super::{acl, decode, entitlements};
use crate::model::catalogue::{Kind, Member};
use crate::model::event::{Decision, EventType, Timestamp, Word};
use crate::text::calendar;
use crate::text::clock::Clock;
use crate::text::json::push_string;

/// The seconds of the years 0 to 9999.
const FOUR_DIGITS: std::ops::RangeInclusive<i64> = -62_167_219_200..=253_402_300_799;

/// Appends a message as one line, without a newline.
pub fn push_message(out: &mut Vec<u8>, message: &Message) {
    let raw = message.get();
    let mut json = Json {
        out,
        clock: Clock::new(true),
        version: raw.version,
    };
    json.object(|json| {
        json.int("schema_version", 1);
        json.int("version", raw.version);
        json.key("time");
        json.time(c::time_of(raw.time), 9);
        json.int("mach_time", raw.mach_time);
        json.int("event_type", raw.event_type.0);
        json.int("action_type", raw.action_type.0);
        json.key("action");
        json.action(raw);
        let (seq_num, global_seq_num) = message.numbers();
        if let Some(number) = seq_num {
            json.int("seq_num", number);
        }
        if let Some(number) = global_seq_num {
            json.int("global_seq_num", number);
            json.key("thread");
            match message.thread_id() {
                Some(thread_id) => json.object(|json| json.int("thread_id", thread_id)),
                None => json.null(),
            }
        }
        json.key("process");
        match message.process() {
            Some(process) => json.process(process),
            None => json.null(),
        }
        json.key("event");
        json.object(|json| match decode::event_type(raw.event_type.0) {
            EventType::Known(row) => {
                json.key(row.name);
                json.structure(message.members(row.members));
            }
            EventType::Unknown { .. } => {
                json.key("unknown");
                json.object(|_| {});
            }
        });
    });
}

/// Bytes in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        // Writing to a string can't fail.
        let _ = write!(hex, "{byte:02X}");
        hex
    })
}

/// A UUID in its usual form.
pub fn uuid(uuid: &[u8; 16]) -> String {
    let hex = hex(uuid);
    [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ]
    .join("-")
}

/// Writes JSON.
struct Json<'o> {
    out: &'o mut Vec<u8>,
    clock: Clock,
    version: u32,
}

impl Json<'_> {
    fn object(&mut self, members: impl FnOnce(&mut Self)) {
        self.out.push(b'{');
        members(self);
        self.out.push(b'}');
    }

    fn key(&mut self, key: &str) {
        self.comma();
        push_string(self.out, key.as_bytes());
        self.out.push(b':');
    }

    /// Appends a comma, unless the object or the array has just begun.
    fn comma(&mut self) {
        if !matches!(self.out.last(), Some(b'{' | b'[')) {
            self.out.push(b',');
        }
    }

    fn null(&mut self) {
        self.out.extend_from_slice(b"null");
    }

    fn bool(&mut self, key: &str, bool: bool) {
        self.key(key);
        self.push_bool(bool);
    }

    fn push_bool(&mut self, bool: bool) {
        self.out
            .extend_from_slice(if bool { b"true" } else { b"false" });
    }

    fn int(&mut self, key: &str, int: impl itoa::Integer) {
        self.key(key);
        self.push_int(int);
    }

    fn push_int(&mut self, int: impl itoa::Integer) {
        self.out
            .extend_from_slice(itoa::Buffer::new().format(int).as_bytes());
    }

    fn text(&mut self, key: &str, text: Option<&[u8]>) {
        self.key(key);
        match text {
            Some(text) => push_string(self.out, text),
            None => self.null(),
        }
    }

    /// Appends a time in UTC, with this many digits of its fraction.
    fn time(&mut self, time: Timestamp, digits: usize) {
        self.out.push(b'"');
        if !FOUR_DIGITS.contains(&time.seconds) {
            calendar::push(self.out, time, digits);
            self.out.push(b'"');
            return;
        }
        let start = self.out.len();
        self.clock.push_exact(self.out, time);
        if let Some(space) = self.out.get_mut(start + 10) {
            *space = b'T';
        }
        self.out.truncate(self.out.len() + digits - 9);
        self.out.extend_from_slice(b"Z\"");
    }

    /// Appends the decision.
    fn action(&mut self, message: &c::es_message_t) {
        self.object(|json| {
            let Some(decision) = c::decision(message) else {
                return;
            };
            let (result_type, arm, value) = match decision {
                Decision::Auth(result) => (0, "auth", result),
                Decision::Flags(granted) => (1, "flags", granted.into()),
            };
            json.key("result");
            json.object(|json| {
                json.int("result_type", result_type);
                json.key("result");
                json.object(|json| json.int(arm, value));
            });
        });
    }

    fn structure(&mut self, structure: Structure<'_>) {
        self.object(|json| {
            for (member, part) in structure.parts() {
                json.key(member.name);
                json.part(member, part);
            }
        });
    }

    fn part(&mut self, member: &'static Member, part: Part<'_>) {
        match part {
            Part::Null => self.null(),
            Part::Struct(structure) => self.structure(structure),
            Part::Union(arms) => self.structure(arms),
            Part::Either(arms) => match (arms.members(), arms.parts().next()) {
                (_, None) => self.null(),
                // A union of one arm is written with its name, like every union that isn't a choice between types.
                ([_], Some(_)) => self.structure(arms),
                (_, Some((arm, part))) => self.part(arm, part),
            },
            Part::List(elements) => {
                self.out.push(b'[');
                for part in elements.parts() {
                    self.comma();
                    self.part(member, part);
                }
                self.out.push(b']');
            }
            Part::Value(raw) => self.value(&member.kind, raw),
        }
    }

    fn value(&mut self, kind: &'static Kind, raw: Raw<'_>) {
        match raw {
            Raw::Bool(bool) => self.push_bool(bool),
            Raw::Int(int) => self.push_int(int),
            Raw::Text(text) => push_string(self.out, text),
            Raw::Bytes(bytes) => push_string(self.out, hex(bytes).as_bytes()),
            Raw::Uuid(bytes) => push_string(self.out, uuid(bytes).as_bytes()),
            Raw::Acl(acl) => match acl::text(acl) {
                Some(text) => push_string(self.out, &text),
                None => self.null(),
            },
            Raw::File(file) => self.file(file),
            Raw::Process(process) => self.process(process),
            Raw::Token(token) => self.token(token),
            Raw::Time(time) => self.time(time, 9),
            Raw::Ints(ints) => {
                self.out.push(b'[');
                for int in ints {
                    self.comma();
                    self.push_int(*int);
                }
                self.out.push(b']');
            }
            Raw::Entitlements(exec) => {
                // SAFETY: a getter returned the exec of this message.
                if !unsafe { entitlements::push(self.out, exec) } {
                    self.null();
                }
            }
            Raw::Null | Raw::Absent | Raw::Struct(_) | Raw::List(_) => {
                debug_assert!(false, "{kind:?} is no value");
                self.null();
            }
        }
    }

    fn token(&mut self, token: &c::audit_token_t) {
        let token = decode::audit_token(token);
        self.object(|json| {
            for word in Word::ALL {
                if let Some(value) = token.get(word) {
                    json.int(word.name(), value);
                }
            }
        });
    }

    fn process(&mut self, process: c::ProcessRef<'_>) {
        let version = self.version;
        let raw = process.get();
        self.object(|json| {
            json.key("audit_token");
            json.token(&raw.audit_token);
            json.int("ppid", raw.ppid);
            json.int("original_ppid", raw.original_ppid);
            json.int("group_id", raw.group_id);
            json.int("session_id", raw.session_id);
            json.int("codesigning_flags", raw.codesigning_flags);
            json.bool("is_platform_binary", raw.is_platform_binary);
            json.bool("is_es_client", raw.is_es_client);
            json.text("cdhash", Some(hex(&raw.cdhash).as_bytes()));
            json.text("signing_id", Some(process.signing_id().unwrap_or_default()));
            json.text("team_id", process.team_id());
            json.key("executable");
            json.file_or_null(process.image());
            if let Some(tty) = process.terminal(version) {
                json.key("tty");
                json.file_or_null(tty);
            }
            if let Some(time) = decode::start_time(raw, version) {
                json.key("start_time");
                json.time(time, 6);
            }
            if version >= 4 {
                json.key("responsible_audit_token");
                json.token(&raw.responsible_audit_token);
                json.key("parent_audit_token");
                json.token(&raw.parent_audit_token);
            }
            if let Some(category) = process.cs_validation_category(version) {
                json.int("cs_validation_category", category);
            }
            if let Some(cdhash) = process.cdhash_full(version) {
                let hex = cdhash.map(hex);
                json.text("cdhash_full", hex.as_ref().map(String::as_bytes));
            }
        });
    }

    fn file_or_null(&mut self, file: Option<&c::es_file_t>) {
        match file {
            Some(file) => self.file(file),
            None => self.null(),
        }
    }

    fn file(&mut self, file: &c::es_file_t) {
        self.object(|json| {
            json.text("path", Some(file.path()));
            json.bool("path_truncated", file.path_truncated);
            json.key("stat");
            json.stat(&file.stat);
        });
    }

    /// `struct stat`, `<sys/stat.h>`.
    fn stat(&mut self, stat: &c::stat) {
        self.object(|json| {
            json.int("st_dev", stat.st_dev);
            json.int("st_ino", stat.st_ino);
            json.int("st_mode", stat.st_mode);
            json.int("st_nlink", stat.st_nlink);
            json.int("st_uid", stat.st_uid);
            json.int("st_gid", stat.st_gid);
            json.int("st_rdev", stat.st_rdev);
            json.int("st_size", stat.st_size);
            json.int("st_blocks", stat.st_blocks);
            json.int("st_blksize", stat.st_blksize);
            json.int("st_flags", stat.st_flags);
            json.int("st_gen", stat.st_gen);
            for (key, seconds, nanos) in [
                ("st_atimespec", stat.st_atime, stat.st_atime_nsec),
                ("st_mtimespec", stat.st_mtime, stat.st_mtime_nsec),
                ("st_ctimespec", stat.st_ctime, stat.st_ctime_nsec),
                (
                    "st_birthtimespec",
                    stat.st_birthtime,
                    stat.st_birthtime_nsec,
                ),
            ] {
                json.key(key);
                let nanos = u32::try_from(nanos).unwrap_or(0);
                json.time(Timestamp { seconds, nanos }, 9);
            }
        });
    }
}
