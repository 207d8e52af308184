//! Events, independent of the source that they came from and of how they are printed.
//!
//! Everything here borrows from the message or the line that the event came in. A source fills an
//! [`Event`]; filters and formats read it. [`Value`] says what a member *is* (a file, a set of flags, a
//! wait status); how it looks is up to the format.

use std::borrow::Cow;
use std::cmp::Ordering;

use wide::u8x16;

use crate::model::catalogue::{Detail, Kind, Member, Row};
use crate::model::tables::{Enum, Flags};

/// Bytes from outside that represent text: a path, an argument, a signing id. Any byte can be in them.
#[derive(Clone, Copy, Debug)]
pub enum Text<'m> {
    /// The bytes themselves.
    Bytes(&'m [u8]),
    /// The inside of a JSON string whose escapes are well-formed.
    Json(&'m [u8]),
    /// A name from this program, in which nothing needs to be escaped.
    Known(&'static str),
}

impl<'m> Text<'m> {
    /// The bytes themselves. A lone surrogate from `\udc80` to `\udcff` stands for the byte that is its
    /// low half, as in Python's `surrogateescape`: JSON has no other way to carry a name that isn't UTF-8.
    pub fn bytes(self) -> Cow<'m, [u8]> {
        match self {
            Text::Bytes(bytes) => Cow::Borrowed(bytes),
            Text::Json(json) if memchr::memchr(b'\\', json).is_none() => Cow::Borrowed(json),
            Text::Json(json) => {
                let mut bytes = Vec::with_capacity(json.len());
                push_unescaped(json, &mut bytes);
                Cow::Owned(bytes)
            }
            Text::Known(name) => Cow::Borrowed(name.as_bytes()),
        }
    }

    /// The bytes as they are written, and true if they are escaped as in JSON.
    pub fn written(self) -> (&'m [u8], bool) {
        match self {
            Text::Bytes(bytes) => (bytes, false),
            Text::Json(json) => (json, true),
            Text::Known(name) => (name.as_bytes(), false),
        }
    }

    /// Appends the bytes themselves.
    pub fn push_to(self, out: &mut Vec<u8>) {
        match self {
            Text::Bytes(bytes) => out.extend_from_slice(bytes),
            Text::Json(json) => push_unescaped(json, out),
            Text::Known(name) => out.extend_from_slice(name.as_bytes()),
        }
    }

    /// The part after the last slash.
    #[must_use]
    pub fn file_name(self) -> Text<'m> {
        let after_slash = |bytes: &'m [u8]| match memchr::memrchr(b'/', bytes) {
            Some(slash) => &bytes[slash + 1..],
            None => bytes,
        };
        match self {
            Text::Bytes(bytes) => Text::Bytes(after_slash(bytes)),
            // A slash stands for itself or follows its backslash, so the cut is never within an escape.
            Text::Json(json) => Text::Json(after_slash(json)),
            Text::Known(name) => Text::Bytes(after_slash(name.as_bytes())),
        }
    }
}

impl From<&'static str> for Text<'_> {
    fn from(name: &'static str) -> Self {
        Text::Known(name)
    }
}

/// Appends the bytes that the inside of a JSON string stands for.
fn push_unescaped(json: &[u8], bytes: &mut Vec<u8>) {
    let mut rest = push_unescaping_slashes(json, bytes);
    while let [b'\\', escape, after @ ..] = rest {
        rest = after;
        match escape {
            b'b' => bytes.push(8),
            b'f' => bytes.push(12),
            b'n' => bytes.push(b'\n'),
            b'r' => bytes.push(b'\r'),
            b't' => bytes.push(b'\t'),
            b'u' => {
                let (unit, after) = code_unit(rest);
                rest = after;
                push_code_point(unit, &mut rest, bytes);
            }
            other => bytes.push(*other),
        }
        let plain = memchr::memchr(b'\\', rest).unwrap_or(rest.len());
        bytes.extend_from_slice(&rest[..plain]);
        rest = &rest[plain..];
    }
}

/// Appends the inside of a JSON string without the backslashes before slashes, up to the first other escape, and
/// returns what is left. Nearly every escape in eslogger's output is an escaped slash.
pub fn push_unescaping_slashes<'j>(json: &'j [u8], out: &mut Vec<u8>) -> &'j [u8] {
    out.reserve(json.len());
    let mut from = 0;
    for (at, mut found) in backslashes(json) {
        while found != 0 {
            let backslash = at + found.trailing_zeros() as usize;
            out.extend_from_slice(&json[from..backslash]);
            if json.get(backslash + 1) != Some(&b'/') {
                return &json[backslash..];
            }
            from = backslash + 1;
            found &= found - 1;
        }
    }
    out.extend_from_slice(&json[from..]);
    &[]
}

/// The positions of backslashes: for each sixteen bytes, a bit for each backslash, and where the sixteen begin. In a
/// path they are so close to each other that searching for one at a time costs more than everything else.
fn backslashes(json: &[u8]) -> impl Iterator<Item = (usize, u32)> {
    let (chunks, rest) = json.as_chunks();
    let mut last = [0; 16];
    last[..rest.len()].copy_from_slice(rest);
    let found = |bytes| u8x16::new(bytes).simd_eq(u8x16::splat(b'\\')).to_bitmask();
    let all = chunks.iter().copied().chain([last]).map(found);
    all.enumerate().map(|(at, found)| (at * 16, found))
}

/// The number that the first four hexadecimal digits of `text` stand for, and the rest of the text.
fn code_unit(text: &[u8]) -> (u32, &[u8]) {
    let (digits, rest) = text.split_at(text.len().min(4));
    let unit = digits.iter().fold(0, |unit, digit| {
        unit << 4 | char::from(*digit).to_digit(16).unwrap_or(0)
    });
    (unit, rest)
}

/// Appends the character of `unit`, with the low half of a surrogate pair taken from `rest`.
fn push_code_point(unit: u32, rest: &mut &[u8], bytes: &mut Vec<u8>) {
    if let 0xd800..=0xdbff = unit
        && let Some(after) = rest.strip_prefix(b"\\u")
        && let (low @ 0xdc00..=0xdfff, after) = code_unit(after)
    {
        *rest = after;
        let point = 0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
        push_char(point, bytes);
    } else if let 0xdc80..=0xdcff = unit {
        bytes.push((unit & 0xff) as u8);
    } else {
        push_char(unit, bytes);
    }
}

/// Appends a code point as UTF-8. A lone surrogate is encoded in the same way; the result isn't valid UTF-8, so it
/// stays visible.
fn push_char(point: u32, bytes: &mut Vec<u8>) {
    if let Some(c) = char::from_u32(point) {
        bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    } else {
        let continuation = |shift: u32| 0x80 | (point >> shift & 0x3f) as u8;
        bytes.extend_from_slice(&[
            0xe0 | (point >> 12 & 0xf) as u8,
            continuation(6),
            continuation(0),
        ]);
    }
}

/// A point in time, in seconds and nanoseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    /// Whole seconds.
    pub seconds: i64,
    /// 0 to 999,999,999.
    pub nanos: u32,
}

/// A word of an audit token, in the order of `audit_token_t.val` (`<bsm/libbsm.h>`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// Audit user id; 4294967295 where none is set.
    Auid,
    /// Effective user id.
    Euid,
    /// Effective group id.
    Egid,
    /// Real user id.
    Ruid,
    /// Real group id.
    Rgid,
    /// Process id.
    Pid,
    /// Audit session id.
    Asid,
    /// Counts the images that the process id has had.
    PidVersion,
}

impl Word {
    /// The words in the order of `audit_token_t.val`.
    pub const ALL: [Word; 8] = [
        Word::Auid,
        Word::Euid,
        Word::Egid,
        Word::Ruid,
        Word::Rgid,
        Word::Pid,
        Word::Asid,
        Word::PidVersion,
    ];

    /// The name that eslogger uses for it.
    pub fn name(self) -> &'static str {
        match self {
            Word::Auid => "auid",
            Word::Euid => "euid",
            Word::Egid => "egid",
            Word::Ruid => "ruid",
            Word::Rgid => "rgid",
            Word::Pid => "pid",
            Word::Asid => "asid",
            Word::PidVersion => "pidversion",
        }
    }

    /// The word for which eslogger uses this name.
    pub fn by_name(name: &[u8]) -> Option<Word> {
        Some(match name {
            b"auid" => Word::Auid,
            b"euid" => Word::Euid,
            b"egid" => Word::Egid,
            b"ruid" => Word::Ruid,
            b"rgid" => Word::Rgid,
            b"pid" => Word::Pid,
            b"asid" => Word::Asid,
            b"pidversion" => Word::PidVersion,
            _ => return None,
        })
    }
}

/// `audit_token_t`. A token from a recording may lack some of its words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AuditToken {
    words: [u32; 8],
    /// A bit for each word that is present.
    present: u8,
}

impl AuditToken {
    /// The token with these words, in the order of `audit_token_t.val`.
    pub fn new(words: [u32; 8]) -> AuditToken {
        AuditToken {
            words,
            present: u8::MAX,
        }
    }

    /// Sets a word.
    pub fn set(&mut self, word: Word, value: u32) {
        self.words[word as usize] = value;
        self.present |= 1 << word as u8;
    }

    /// The raw value of a word, if it is present.
    pub fn word(&self, word: Word) -> Option<u32> {
        (self.present & 1 << word as u8 != 0).then_some(self.words[word as usize])
    }

    /// The value of a word, if it is present. Only a process id is signed.
    pub fn get(&self, word: Word) -> Option<i64> {
        match word {
            Word::Pid => self.pid().map(i64::from),
            word => self.word(word).map(i64::from),
        }
    }

    /// Process id.
    pub fn pid(&self) -> Option<i32> {
        self.word(Word::Pid).map(u32::cast_signed)
    }

    /// Counts the images that the process id has had.
    pub fn pidversion(&self) -> Option<u32> {
        self.word(Word::PidVersion)
    }

    /// Effective user id.
    pub fn euid(&self) -> Option<u32> {
        self.word(Word::Euid)
    }
}

/// `es_file_t`, as far as it is printed.
#[derive(Clone, Copy, Debug)]
pub struct File<'m> {
    /// Absolute and resolved.
    pub path: Text<'m>,
    /// True if the path was longer than ES gives.
    pub path_truncated: bool,
}

/// `es_process_t`, as far as it is printed. In a live trace nearly all of it is always present; a recording may lack
/// any of it.
#[derive(Clone, Debug, Default)]
pub struct Process<'m> {
    /// Its identity, and the user that it runs as.
    pub audit_token: AuditToken,
    /// The parent now.
    pub ppid: Option<i32>,
    /// The parent at the time of the fork.
    pub original_ppid: Option<i32>,
    /// Process group.
    pub group_id: Option<i32>,
    /// Session.
    pub session_id: Option<i32>,
    /// `CS_*`, see [`crate::model::tables::CODESIGNING_FLAGS`].
    pub codesigning_flags: Option<u32>,
    /// The parent, since message version 4; read only if requested.
    pub parent_audit_token: Option<AuditToken>,
    /// The process that is responsible for it, since message version 4; read only if requested.
    pub responsible_audit_token: Option<AuditToken>,
    /// True if it is signed by Apple as a part of the system.
    pub is_platform_binary: Option<bool>,
    /// True if it is an EndpointSecurity client.
    pub is_es_client: Option<bool>,
    /// The identifier in the code signature, which need not be a valid one.
    pub signing_id: Option<Text<'m>>,
    /// The team in the code signature.
    pub team_id: Option<Text<'m>>,
    /// The image that it runs.
    pub executable: Option<File<'m>>,
    /// Its controlling terminal.
    pub tty: Option<File<'m>>,
    /// The time of its fork; messages before version 3 don't have it.
    pub start_time: Option<Timestamp>,
    /// The code directory hash in hexadecimal; read only if requested.
    pub cdhash: Option<Text<'m>>,
    /// `es_cs_validation_category_t`, since message version 10; read only if requested.
    pub cs_validation_category: Option<u32>,
}

impl<'m> Process<'m> {
    /// The path of the image that it runs.
    pub fn image(&self) -> Option<Text<'m>> {
        self.executable.map(|file| file.path)
    }
}

/// The value of a member.
#[derive(Clone, Debug)]
pub enum Value<'m> {
    /// `bool`.
    Bool(bool),
    /// An integer that is a count, an id or a size.
    Int(i128),
    /// An address in user space.
    Address(i128),
    /// A set of flags.
    Flags(&'static Flags, i128),
    /// An enumeration.
    Enum(&'static Enum, i128),
    /// `mode_t`.
    Mode(i128),
    /// `dev_t`.
    Device(i128),
    /// A status as wait(2) gives it.
    WaitStatus(i128),
    /// A point in time.
    Time(Timestamp),
    /// A process by its audit token.
    Token(AuditToken),
    /// Text that is neither a path nor an argument.
    Text(Text<'m>),
    /// A file.
    File(File<'m>),
    /// A process.
    Process(Box<Process<'m>>),
    /// The arguments of a program.
    Args(Vec<Text<'m>>),
    /// The environment of a program, `NAME=VALUE` each.
    Env(Vec<Text<'m>>),
    /// A list of strings.
    Strings(Vec<Text<'m>>),
    /// A list of integers.
    Ints(Vec<i128>),
    /// A list of structures, each as its members.
    List(Vec<Vec<Field<'m>>>),
    /// A value that the catalogue doesn't describe, as JSON.
    Json(&'m [u8]),
}

/// The label of a member.
#[derive(Clone, Copy, Debug)]
pub struct Label<'m> {
    /// The structure that it is a part of, escaped; empty for a member of the event itself.
    pub within: &'m str,
    /// Its own name.
    pub name: Text<'m>,
}

impl Label<'_> {
    /// The name, if it comes from the catalogue.
    pub fn known(&self) -> Option<&'static str> {
        match self.name {
            Text::Known(name) => Some(name),
            _ => None,
        }
    }

    /// Compares labels alphabetically, as they are printed.
    pub fn compare(&self, other: &Self) -> Ordering {
        if let (Text::Known(mine), Text::Known(theirs)) = (self.name, other.name) {
            let are_outermost = self.within.is_empty() && other.within.is_empty();
            return if are_outermost || self.within == other.within {
                // Most differ in the first byte, which is compared faster than memcmp(3) is called.
                let first = |name: &str| name.bytes().next();
                first(mine)
                    .cmp(&first(theirs))
                    .then_with(|| mine.cmp(theirs))
            } else {
                path(self.within, mine).cmp(path(other.within, theirs))
            };
        }
        self.to_bytes().cmp(&other.to_bytes())
    }

    fn to_bytes(self) -> Vec<u8> {
        let mut bytes = self.within.as_bytes().to_vec();
        if !bytes.is_empty() {
            bytes.push(b'.');
        }
        bytes.extend_from_slice(&self.name.bytes());
        bytes
    }
}

/// The bytes of a label as it is printed.
fn path<'l>(within: &'l str, name: &'l str) -> impl Iterator<Item = u8> {
    let dot = if within.is_empty() { "" } else { "." };
    within.bytes().chain(dot.bytes()).chain(name.bytes())
}

/// A member of an event and its value. A member that is NULL has no field.
#[derive(Clone, Debug)]
pub struct Field<'m> {
    /// Its label.
    pub label: Label<'m>,
    /// Its value.
    pub value: Value<'m>,
    /// Its description in the catalogue; None if the catalogue doesn't have it, or if the value has another type.
    pub member: Option<&'static Member>,
}

impl<'m> Field<'m> {
    /// A member of the catalogue, shown as a part of `within`.
    pub fn known(member: &'static Member, within: &'m str, value: Value<'m>) -> Self {
        Field {
            label: Label {
                within,
                name: Text::Known(member.label),
            },
            value,
            member: Some(member),
        }
    }

    /// A member that the catalogue doesn't describe.
    pub fn other(within: &'m str, name: Text<'m>, value: Value<'m>) -> Self {
        Field {
            label: Label { within, name },
            value,
            member: None,
        }
    }

    /// Returns true if it is a detail in the presence of these fields.
    pub fn is_detail(&self, fields: &[Field<'_>]) -> bool {
        match self.member.map_or(Detail::No, |member| member.detail) {
            Detail::No => false,
            // A value without a name is unexpected, so it is always shown.
            Detail::Yes => match self.value {
                Value::Enum(table, number) => table.name(number).is_some(),
                _ => true,
            },
            Detail::Zero => matches!(self.value, Value::Int(0) | Value::Flags(_, 0)),
            Detail::Beside(label) => fields.iter().any(|other| {
                other.label.known() == Some(label)
                    && other.label.within == self.label.within
                    && other.value.is_known()
            }),
        }
    }
}

impl Value<'_> {
    /// Returns false if it is a process without a pid, which can't be identified.
    fn is_known(&self) -> bool {
        match self {
            Value::Process(process) => process.audit_token.pid().is_some(),
            _ => true,
        }
    }
}

/// The type of an event.
#[derive(Clone, Copy, Debug)]
pub enum EventType<'m> {
    /// A type in the catalogue.
    Known(&'static Row),
    /// A type unknown to this build.
    Unknown {
        /// `es_event_type_t`.
        number: Option<i128>,
        /// The name that the source gives it.
        name: Text<'m>,
    },
}

/// The decision about an operation: `es_result_t`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// `es_auth_result_t`.
    Auth(i128),
    /// The flags that were granted; all ones if the operation was fully allowed.
    Flags(u32),
}

impl Decision {
    /// Returns true if the operation was fully allowed.
    pub fn is_allowed(self) -> bool {
        matches!(self, Decision::Auth(ALLOW) | Decision::Flags(u32::MAX))
    }
}

/// `ES_AUTH_RESULT_ALLOW`
const ALLOW: i128 = 0;
/// `ES_AUTH_RESULT_DENY`
const DENY: i128 = 1;

/// `es_action_type_t` of a message that asks for an answer.
pub const AUTH: i128 = 0;
/// `es_action_type_t` of a message that reports what has been done.
pub const NOTIFY: i128 = 1;

/// A message.
#[derive(Debug)]
pub struct Event<'m> {
    /// The event.
    pub event_type: EventType<'m>,
    /// `es_action_type_t`: [`AUTH`] or [`NOTIFY`].
    pub action_type: Option<i128>,
    /// The decision about it. If the operation wasn't fully allowed, it is among the fields, too.
    pub decision: Option<Decision>,
    /// The time at which it happened; a recording may lack it.
    pub time: Option<Timestamp>,
    /// Counts the messages of this type that were meant for the client, including those that macOS dropped.
    pub seq_num: Option<u64>,
    /// Counts the messages of all types that were meant for the client; messages before version 4 don't
    /// have it.
    pub global_seq_num: Option<u64>,
    /// The version of `es_message_t`; read only if requested.
    pub version: Option<u32>,
    /// The time at which it happened, in ticks of the machine; read only if requested.
    pub mach_time: Option<u64>,
    /// The thread that did it.
    pub thread_id: Option<u64>,
    /// The process that did it; NULL if it is long gone.
    pub process: Option<Process<'m>>,
    /// The members, in the alphabetical order of their labels.
    pub fields: Vec<Field<'m>>,
    /// The object of a recording, unchanged.
    pub json: &'m [u8],
}

/// The role of a path in an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathRole {
    /// A file that the event is about; of an exec, the executable that runs.
    Subject,
    /// The script of an exec, or its working directory.
    Context,
}

impl<'m> Event<'m> {
    /// Calls `path` with every path that the event's row describes, with directories joined to the names that they
    /// locate. The executable of the process that did it is not among them.
    pub fn paths(&self, path: &mut dyn FnMut(PathRole, Text<'_>)) {
        let is_exec = matches!(self.event_type, EventType::Known(row) if row.name == "exec");
        for field in &self.fields {
            match &field.value {
                Value::File(file) => match directory(field) {
                    Some("") => {}
                    Some(name) => {
                        let joined = self.joined(*file, field, name);
                        path(PathRole::Subject, Text::Bytes(&joined));
                    }
                    None if is_exec => path(PathRole::Context, file.path),
                    None => path(PathRole::Subject, file.path),
                },
                Value::Process(target) if is_exec => {
                    if let Some(image) = target.image() {
                        path(PathRole::Subject, image);
                    }
                }
                Value::Text(text) if is_path(field) => {
                    path(PathRole::Subject, *text);
                }
                _ => {}
            }
        }
    }

    fn joined(&self, directory: File<'_>, field: &Field<'_>, name: &str) -> Vec<u8> {
        let mut path = directory.path.bytes().into_owned();
        let sibling = self.fields.iter().find_map(|other| match other.value {
            Value::Text(text)
                if other.label.within == field.label.within
                    && other.label.known() == Some(name) =>
            {
                Some(text.bytes())
            }
            _ => None,
        });
        match sibling.as_deref() {
            None | Some(b"" | b".") => {}
            Some(absolute @ [b'/', ..]) => path = absolute.to_vec(),
            Some(name) => {
                if path.last() != Some(&b'/') {
                    path.push(b'/');
                }
                path.extend_from_slice(name);
            }
        }
        path
    }

    /// The process in the member with this label, wherever the member is.
    pub fn process_of(&self, label: &str) -> Option<&Process<'m>> {
        self.fields.iter().find_map(|field| match &field.value {
            Value::Process(process) if field.label.known() == Some(label) => Some(&**process),
            _ => None,
        })
    }

    /// Returns true if it begins or ends a process or one of its images: a fork, an exec or an exit.
    pub fn is_life(&self) -> bool {
        matches!(self.event_type, EventType::Known(row) if matches!(row.name, "fork" | "exec" | "exit"))
    }

    /// Returns true if a client is asked whether it may be done: nothing has happened yet.
    pub fn is_auth(&self) -> bool {
        self.action_type == Some(AUTH)
    }

    /// Returns true if the decision denies the operation, or a flag that was requested.
    pub fn is_denied(&self) -> bool {
        match self.decision {
            Some(Decision::Auth(result)) => result == DENY,
            Some(Decision::Flags(granted)) => {
                let requested = self.fields.iter().find_map(|field| match field.value {
                    Value::Flags(_, flags) if field.label.known() == Some("fflag") => Some(flags),
                    _ => None,
                });
                match requested {
                    Some(flags) => flags & i128::from(!granted) != 0,
                    None => granted == 0,
                }
            }
            None => false,
        }
    }

    /// Returns true if the event reports a failure: a denial, an exit status other than 0, a signal that ended the
    /// process, `success` that is false, or a result or error code that isn't a success.
    pub fn is_failed(&self) -> bool {
        self.is_denied()
            || self.fields.iter().any(|field| match field.value {
                Value::WaitStatus(status) => status != 0,
                Value::Bool(success) => !success && field.label.known() == Some("success"),
                Value::Enum(table, result) => {
                    matches!(field.label.known(), Some("result_type" | "return_code"))
                        && !table.is_success(result)
                }
                Value::Int(code) => code != 0 && field.label.known() == Some("error_code"),
                _ => false,
            })
    }

    /// The process on whose behalf it was done, if the event has one. If that process has exited, only its audit token
    /// may be left.
    pub fn instigator(&self) -> Option<Cow<'_, Process<'m>>> {
        if let EventType::Known(row) = self.event_type
            && !row.has_instigator()
        {
            return None;
        }
        let token = || {
            self.fields.iter().find_map(|field| match field.value {
                Value::Token(token) if field.label.known() == Some("instigator_token") => {
                    Some(token)
                }
                _ => None,
            })
        };
        let process = self.process_of("instigator").map(Cow::Borrowed);
        process.or_else(|| {
            Some(Cow::Owned(Process {
                audit_token: token()?,
                ..Process::default()
            }))
        })
    }
}

/// The label of the member that a directory locates; None if the file isn't such a directory.
fn directory(field: &Field<'_>) -> Option<&'static str> {
    match field.member?.kind {
        Kind::Directory(name) => Some(name),
        _ => None,
    }
}

/// Returns true if the text is the path of a file.
fn is_path(field: &Field<'_>) -> bool {
    field.member.is_some_and(|member| match member.kind {
        Kind::Path => true,
        // In a union that is shown under its own name, a text is the value of the arm that is text.
        Kind::Either(arms) => arms.iter().any(|arm| matches!(arm.kind, Kind::Path)),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn unescapes(json: &str, bytes: &[u8]) {
        assert_eq!(Text::Json(json.as_bytes()).bytes(), bytes);
    }

    #[test]
    fn json_strings_are_unescaped() {
        unescapes("", b"");
        unescapes(r"\/usr\/bin\/a b", b"/usr/bin/a b");
        unescapes(r#"\"\\\b\f\n\r\t"#, b"\"\\\x08\x0c\n\r\t");
        unescapes(r"\u00e9\u20AC\ud83d\ude00!", "é€😀!".as_bytes());
    }

    #[test]
    fn lone_surrogates_stand_for_bytes() {
        unescapes(r"a\udcff\udc80", b"a\xff\x80");
        unescapes(r"\udcc3\udca9", "é".as_bytes());
        unescapes(r"\ud800x", b"\xed\xa0\x80x");
        unescapes(r"\ud800\u0041", b"\xed\xa0\x80A");
        unescapes(r"\udc00", b"\xed\xb0\x80");
    }

    #[test]
    fn the_name_of_a_file_is_its_last_component() {
        assert_eq!(Text::Bytes(b"/bin/ls").file_name().bytes(), &b"ls"[..]);
        assert_eq!(
            Text::Json(br"\/bin\/a\nb").file_name().bytes(),
            &b"a\nb"[..]
        );
        assert_eq!(Text::Bytes(b"ls").file_name().bytes(), &b"ls"[..]);
    }

    #[test]
    fn labels_are_ordered_as_printed() {
        let label = |within, name: &'static str| Label {
            within,
            name: name.into(),
        };
        assert!(label("", "item").compare(&label("item", "uid")).is_lt());
        assert!(label("item", "uid").compare(&label("", "items")).is_lt());
        assert!(label("", "mode").compare(&label("", "acl")).is_gt());
    }
}
