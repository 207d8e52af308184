//! From a JSON object in eslogger's shape to an [`Event`], by the rows of the catalogue.
//!
//! A message whose frame (its time, its process, which event it is) can't be read is no event. A member of
//! the event that has the wrong type is shown as JSON and complained of. A member that the catalogue
//! doesn't know is shown too: `PART.NAME` where it isn't the event's own.

use chrono::DateTime;

use crate::model::catalogue::{self, Kind, Member, Row};
use crate::model::event::{
    AuditToken, Event, EventType, Field, File, Label, Process, Text, Timestamp, Value,
};
use crate::source::values;
use crate::text::json::{Error, Result, Scanner, Str};
use crate::text::redact::REDACTED;

impl<'m> From<Str<'m>> for Text<'m> {
    fn from(string: Str<'m>) -> Self {
        if string.escaped {
            Text::Json(string.inside)
        } else {
            Text::Bytes(string.inside)
        }
    }
}

/// Reads messages.
#[derive(Clone, Copy, Debug, Default)]
pub struct Decoder {
    /// Whether the environment of programs is wanted.
    pub env: bool,
    /// Whether the values in it are to be replaced: what isn't one must not be shown as it is, either.
    pub redact: bool,
    /// Whether the tokens of a process's parent and of who is responsible for it are wanted.
    pub lineage: bool,
}

/// A message, and what in it was not as it should be.
#[derive(Debug)]
pub struct Message<'m> {
    /// The event.
    pub event: Event<'m>,
    /// The first member that had the wrong type, and where.
    pub complaint: Option<Complaint>,
}

/// A member of the wrong type.
#[derive(Debug)]
pub struct Complaint {
    /// Its name.
    pub member: &'static str,
    /// What was expected of it.
    pub error: Box<Error>,
}

impl Decoder {
    /// Reads the object that `scanner` is at.
    pub fn message<'m>(self, scanner: &mut Scanner<'m>) -> Result<Message<'m>> {
        scanner.peek();
        let start = scanner.at();
        let mut frame = Frame::default();
        let mut part = Part {
            decoder: self,
            fields: Vec::new(),
            complaint: None,
        };
        scanner.object(|scanner, key| match key.inside {
            b"time" => scanner.timestamp().map(|time| frame.time = Some(time)),
            b"event_type" => scanner.integer().map(|number| frame.number = Some(number)),
            b"thread" => scanner
                .thread_id()
                .map(|thread_id| frame.thread_id = thread_id),
            b"process" if scanner.null()? => Ok(()),
            b"process" => part
                .process(scanner, "process")
                .map(|process| frame.process = Some(process)),
            b"event" => part.event(scanner, &mut frame),
            b"seq_num" => scanner
                .integer_as()
                .map(|number| frame.seq_num = Some(number)),
            b"global_seq_num" => scanner
                .integer_as()
                .map(|number| frame.global_seq_num = Some(number)),
            b"schema_version" | b"version" | b"mach_time" | b"action_type" | b"action"
            | b"deadline" => scanner.skip(),
            _ => part.unknown(scanner, "message", key.into()),
        })?;
        let missing = |what| Error::mismatch(start, what);
        let name = frame
            .name
            .ok_or_else(|| missing("the object has no member \"event\""))?;
        let time = frame
            .time
            .ok_or_else(|| missing("the message has no member \"time\""))?;
        part.fields.sort_by(|a, b| a.label.compare(&b.label));
        let event_type = match frame.row {
            Some(row) => EventType::Known(row),
            None => EventType::Unknown {
                number: frame.number,
                name: name.into(),
            },
        };
        let event = Event {
            event_type,
            time,
            seq_num: frame.seq_num,
            global_seq_num: frame.global_seq_num,
            thread_id: frame.thread_id,
            process: frame.process,
            fields: part.fields,
            json: scanner.since(start),
        };
        Ok(Message {
            event,
            complaint: part.complaint,
        })
    }
}

/// What is around the event in a message.
#[derive(Default)]
struct Frame<'m> {
    time: Option<Timestamp>,
    number: Option<i128>,
    seq_num: Option<u64>,
    global_seq_num: Option<u64>,
    thread_id: Option<u64>,
    process: Option<Process<'m>>,
    name: Option<Str<'m>>,
    row: Option<&'static Row>,
}

/// What comes together while a message is read.
struct Part<'m> {
    decoder: Decoder,
    fields: Vec<Field<'m>>,
    complaint: Option<Complaint>,
}

impl<'m> Part<'m> {
    /// `"event":{"NAME":{…}}`
    fn event(&mut self, scanner: &mut Scanner<'m>, frame: &mut Frame<'m>) -> Result<()> {
        let start = scanner.at();
        scanner.object(|scanner, name| {
            if frame.name.replace(name).is_some() {
                return Err(Error::mismatch(
                    start,
                    "the message has more than one event",
                ));
            }
            frame.row = catalogue::by_name(name.inside);
            self.members(scanner, frame.row.map_or(&[], |row| row.members), "", "")
        })
    }

    /// The members of an object. They are shown as parts of `within`; those unknown as parts of `part`.
    fn members(
        &mut self,
        scanner: &mut Scanner<'m>,
        members: &'static [Member],
        within: &'static str,
        part: &'static str,
    ) -> Result<()> {
        let first = self.fields.len();
        scanner.object(|scanner, key| {
            match members
                .iter()
                .find(|member| member.name.as_bytes() == key.inside)
            {
                Some(member) => self.member(scanner, member, within),
                None => self.unknown(scanner, part, key.into()),
            }
        })?;
        values::name_by_siblings(members, &mut self.fields[first..]);
        Ok(())
    }

    /// A member that the catalogue knows.
    fn member(
        &mut self,
        scanner: &mut Scanner<'m>,
        member: &'static Member,
        within: &'static str,
    ) -> Result<()> {
        if scanner.null()? {
            return Ok(());
        }
        let start = scanner.clone();
        let fields = self.fields.len();
        let read = match member.kind {
            Kind::Struct(members) => self.members(scanner, members, member.label, member.label),
            Kind::Union(members) => self.members(scanner, members, within, member.label),
            Kind::Env if !self.decoder.env => scanner.skip(),
            ref kind => self.value(scanner, kind, member.label).map(|value| {
                let label = Label {
                    within,
                    name: member.label.into(),
                };
                self.fields.push(Field { label, value });
            }),
        };
        match read {
            Err(error) if error.mismatch => {
                *scanner = start;
                let json = scanner.value()?;
                let value = match member.kind {
                    Kind::Env if self.decoder.redact => Value::Text(REDACTED.into()),
                    _ => Value::Json(json),
                };
                self.complaint.get_or_insert(Complaint {
                    member: member.name,
                    error,
                });
                self.fields.truncate(fields);
                self.fields.push(Field {
                    label: Label {
                        within,
                        name: member.label.into(),
                    },
                    value,
                });
                Ok(())
            }
            read => read,
        }
    }

    /// A value of the given kind; `part` is what it is the value of.
    fn value(
        &mut self,
        scanner: &mut Scanner<'m>,
        kind: &'static Kind,
        part: &'static str,
    ) -> Result<Value<'m>> {
        Ok(match kind {
            Kind::Bool => Value::Bool(scanner.boolean()?),
            Kind::Int
            | Kind::Flavor
            | Kind::CpuSubtype
            | Kind::Address
            | Kind::Flags(_)
            | Kind::Enum(_)
            | Kind::Mode
            | Kind::Device
            | Kind::WaitStatus => values::integer(kind, scanner.integer()?),
            Kind::Time => Value::Time(scanner.timestamp()?),
            Kind::Token => Value::Token(scanner.audit_token()?),
            Kind::Text | Kind::Path | Kind::Hex => Value::Text(scanner.string()?.into()),
            Kind::File | Kind::Directory(_) => Value::File(self.file(scanner, part)?),
            Kind::Process => Value::Process(Box::new(self.process(scanner, part)?)),
            Kind::Args => Value::Args(scanner.strings()?),
            Kind::Env => Value::Env(scanner.strings()?),
            Kind::Strings => Value::Strings(scanner.strings()?),
            Kind::Ints => {
                let mut ints = Vec::new();
                scanner.array(|scanner| scanner.integer().map(|int| ints.push(int)))?;
                Value::Ints(ints)
            }
            Kind::List(members) => {
                let mut list = Vec::new();
                scanner.array(|scanner| {
                    let first = self.fields.len();
                    self.members(scanner, members, "", "")?;
                    let mut structure = self.fields.split_off(first);
                    structure.sort_by(|a, b| a.label.compare(&b.label));
                    list.push(structure);
                    Ok(())
                })?;
                Value::List(list)
            }
            Kind::Either(arms) => return self.either(scanner, arms, part),
            Kind::Json | Kind::Struct(_) | Kind::Union(_) => Value::Json(scanner.value()?),
        })
    }

    /// A union that is written as the arm that is set, or as an object with the name of the arm.
    fn either(
        &mut self,
        scanner: &mut Scanner<'m>,
        arms: &'static [Member],
        part: &'static str,
    ) -> Result<Value<'m>> {
        let start = scanner.clone();
        if scanner.peek() == b'{' {
            let mut value = None;
            let named = scanner.object(|scanner, key| {
                match arms.iter().find(|arm| arm.name.as_bytes() == key.inside) {
                    Some(arm) => value = Some(self.value(scanner, &arm.kind, part)?),
                    None => scanner.skip()?,
                }
                Ok(())
            });
            match (named, value) {
                (Ok(()), Some(value)) => return Ok(value),
                (Err(error), _) if !error.mismatch => return Err(error),
                _ => *scanner = start.clone(),
            }
        }
        let mut mismatch = Error::mismatch(scanner.at(), "none of the union's types");
        for arm in arms {
            match self.value(scanner, &arm.kind, part) {
                Err(error) if error.mismatch => mismatch = error,
                read => return read,
            }
            *scanner = start.clone();
        }
        Err(mismatch)
    }

    /// A member that the catalogue doesn't know: files and processes as such, all else as it is written.
    fn unknown(
        &mut self,
        scanner: &mut Scanner<'m>,
        within: &'static str,
        name: Text<'m>,
    ) -> Result<()> {
        let start = scanner.clone();
        let fields = self.fields.len();
        let kind = match scanner.peek() {
            b'n' => return scanner.skip(),
            b'"' => &Kind::Text,
            b't' | b'f' => &Kind::Bool,
            b'{' => shape(scanner.clone())?,
            b'[' => &Kind::Json,
            _ => &Kind::Int,
        };
        let value = self.value(scanner, kind, "").or_else(|_| {
            *scanner = start;
            self.fields.truncate(fields);
            scanner.value().map(Value::Json)
        })?;
        self.fields.push(Field {
            label: Label { within, name },
            value,
        });
        Ok(())
    }

    /// `es_file_t`
    fn file(&mut self, scanner: &mut Scanner<'m>, part: &'static str) -> Result<File<'m>> {
        let start = scanner.at();
        let mut path = None;
        let mut path_truncated = false;
        scanner.object(|scanner, key| match key.inside {
            b"path" => scanner.string().map(|string| path = Some(string.into())),
            b"path_truncated" => scanner
                .boolean()
                .map(|truncated| path_truncated = truncated),
            b"stat" => scanner.skip(),
            _ => self.unknown(scanner, part, key.into()),
        })?;
        match path {
            Some(path) => Ok(File {
                path,
                path_truncated,
            }),
            None => Err(Error::mismatch(start, "the file has no member \"path\"")),
        }
    }

    /// `es_process_t`
    fn process(&mut self, scanner: &mut Scanner<'m>, part: &'static str) -> Result<Process<'m>> {
        let start = scanner.at();
        let mut audit_token = None;
        let mut executable = None;
        let mut signing_id = Text::Bytes(b"");
        let mut team_id = None;
        let mut tty = None;
        let mut start_time = None;
        let [mut parent_audit_token, mut responsible_audit_token] = [None; 2];
        let [mut ppid, mut original_ppid, mut group_id, mut session_id] = [0; 4];
        let mut codesigning_flags = 0;
        let [mut is_platform_binary, mut is_es_client] = [false; 2];
        scanner.object(|scanner, key| {
            match key.inside {
                b"audit_token" => audit_token = Some(scanner.audit_token()?),
                b"executable" => executable = Some(self.file(scanner, part)?),
                b"signing_id" | b"team_id" | b"tty" | b"start_time" if scanner.null()? => {}
                b"signing_id" => signing_id = scanner.string()?.into(),
                b"team_id" => team_id = Some(scanner.string()?.into()),
                b"tty" => tty = Some(self.file(scanner, part)?),
                b"start_time" => start_time = Some(scanner.timestamp()?),
                b"ppid" => ppid = scanner.integer_as()?,
                b"original_ppid" => original_ppid = scanner.integer_as()?,
                b"group_id" => group_id = scanner.integer_as()?,
                b"session_id" => session_id = scanner.integer_as()?,
                b"codesigning_flags" => codesigning_flags = scanner.integer_as()?,
                b"is_platform_binary" => is_platform_binary = scanner.boolean()?,
                b"is_es_client" => is_es_client = scanner.boolean()?,
                b"parent_audit_token" if self.decoder.lineage && !scanner.null()? => {
                    parent_audit_token = Some(scanner.audit_token()?);
                }
                b"responsible_audit_token" if self.decoder.lineage && !scanner.null()? => {
                    responsible_audit_token = Some(scanner.audit_token()?);
                }
                b"parent_audit_token" | b"responsible_audit_token" if self.decoder.lineage => {}
                b"cdhash"
                | b"cdhash_full"
                | b"cs_validation_category"
                | b"parent_audit_token"
                | b"responsible_audit_token" => scanner.skip()?,
                _ => self.unknown(scanner, part, key.into())?,
            }
            Ok(())
        })?;
        let missing = |what| Error::mismatch(start, what);
        Ok(Process {
            audit_token: audit_token
                .ok_or_else(|| missing("the process has no member \"audit_token\""))?,
            ppid,
            original_ppid,
            group_id,
            session_id,
            codesigning_flags,
            parent_audit_token,
            responsible_audit_token,
            is_platform_binary,
            is_es_client,
            signing_id,
            team_id,
            executable: executable
                .ok_or_else(|| missing("the process has no member \"executable\""))?,
            tty,
            start_time,
        })
    }
}

/// Whether an object that the catalogue doesn't know looks like a file or a process.
fn shape(mut scanner: Scanner<'_>) -> Result<&'static Kind> {
    let mut kind = &Kind::Json;
    scanner.object(|scanner, key| {
        match key.inside {
            b"path" => kind = &Kind::File,
            b"audit_token" => kind = &Kind::Process,
            _ => {}
        }
        scanner.skip()
    })?;
    Ok(kind)
}

/// Readers of what is written in a way of its own.
trait Reads<'m> {
    fn timestamp(&mut self) -> Result<Timestamp>;
    fn thread_id(&mut self) -> Result<Option<u64>>;
    fn audit_token(&mut self) -> Result<AuditToken>;
    fn strings(&mut self) -> Result<Vec<Text<'m>>>;
}

impl<'m> Reads<'m> for Scanner<'m> {
    /// `"2021-02-20T19:53:54.423783425Z"`
    fn timestamp(&mut self) -> Result<Timestamp> {
        self.peek();
        let at = self.at();
        timestamp(self.string()?.inside).ok_or_else(|| Error::mismatch(at, "expected a time"))
    }

    /// `{"thread_id":1}` or null
    fn thread_id(&mut self) -> Result<Option<u64>> {
        let mut thread_id = None;
        if !self.null()? {
            self.object(|scanner, key| match key.inside {
                b"thread_id" => scanner.integer_as().map(|id| thread_id = Some(id)),
                _ => scanner.skip(),
            })?;
        }
        Ok(thread_id)
    }

    /// An object, or an array of the words in the order of `audit_token_t.val`, as a beta of macOS 26 wrote.
    fn audit_token(&mut self) -> Result<AuditToken> {
        let mut token = AuditToken::default();
        if self.peek() == b'[' {
            let start = self.at();
            let mut words = AUDIT_TOKEN.iter();
            self.array(|scanner| match words.next() {
                Some(word) => token.read(scanner, word),
                None => Err(Error::mismatch(start, NOT_A_TOKEN)),
            })?;
            if words.next().is_some() {
                return Err(Error::mismatch(start, NOT_A_TOKEN));
            }
        } else {
            self.object(|scanner, key| token.read(scanner, key.inside))?;
        }
        Ok(token)
    }

    fn strings(&mut self) -> Result<Vec<Text<'m>>> {
        let mut strings = Vec::new();
        self.array(|scanner| scanner.string().map(|string| strings.push(string.into())))?;
        Ok(strings)
    }
}

/// The words of `audit_token_t.val`, by eslogger's names.
const AUDIT_TOKEN: [&[u8]; 8] = [
    b"auid",
    b"euid",
    b"egid",
    b"ruid",
    b"rgid",
    b"pid",
    b"asid",
    b"pidversion",
];

const NOT_A_TOKEN: &str = "expected the 8 words of an audit token";

impl AuditToken {
    /// Reads the word that is called so.
    fn read(&mut self, scanner: &mut Scanner<'_>, word: &[u8]) -> Result<()> {
        match word {
            b"auid" => self.auid = scanner.integer_as()?,
            b"euid" => self.euid = scanner.integer_as()?,
            b"egid" => self.egid = scanner.integer_as()?,
            b"ruid" => self.ruid = scanner.integer_as()?,
            b"rgid" => self.rgid = scanner.integer_as()?,
            b"pid" => self.pid = scanner.integer_as()?,
            b"asid" => self.asid = scanner.integer_as()?,
            b"pidversion" => self.pidversion = scanner.integer_as()?,
            _ => scanner.skip()?,
        }
        Ok(())
    }
}

/// A time as eslogger writes it, or in another form of RFC 3339.
fn timestamp(text: &[u8]) -> Option<Timestamp> {
    if let Some(timestamp) = eslogger_timestamp(text) {
        return Some(timestamp);
    }
    let time = DateTime::parse_from_rfc3339(std::str::from_utf8(text).ok()?).ok()?;
    Some(Timestamp {
        seconds: time.timestamp(),
        nanos: time.timestamp_subsec_nanos(),
    })
}

/// `YYYY-MM-DDThh:mm:ss.fZ` with a fraction of one to nine digits, which is what nearly every time looks like.
fn eslogger_timestamp(text: &[u8]) -> Option<Timestamp> {
    let number = |digits: &[u8]| {
        digits.iter().try_fold(0_u32, |number, digit| {
            digit
                .is_ascii_digit()
                .then(|| number * 10 + u32::from(digit - b'0'))
        })
    };
    let (head, fraction) = text.split_at_checked(20)?;
    let fraction = fraction
        .strip_suffix(b"Z")
        .filter(|digits| (1..=9).contains(&digits.len()))?;
    let nanos = number(fraction)? * 10_u32.pow(9 - u32::try_from(fraction.len()).ok()?);
    let [
        y1,
        y2,
        y3,
        y4,
        b'-',
        m1,
        m2,
        b'-',
        d1,
        d2,
        b'T',
        h1,
        h2,
        b':',
        i1,
        i2,
        b':',
        s1,
        s2,
        b'.',
    ] = *head
    else {
        return None;
    };
    let date = chrono::NaiveDate::from_ymd_opt(
        i32::try_from(number(&[y1, y2, y3, y4])?).ok()?,
        number(&[m1, m2])?,
        number(&[d1, d2])?,
    )?;
    let time = date.and_hms_opt(number(&[h1, h2])?, number(&[i1, i2])?, number(&[s1, s2])?)?;
    Some(Timestamp {
        seconds: time.and_utc().timestamp(),
        nanos,
    })
}
