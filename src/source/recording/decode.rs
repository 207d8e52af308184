//! From a JSON object in eslogger's shape to an [`Event`], by the rows of the catalogue.
//!
//! Every part of a message may be missing or null; only the name of its event is needed. A member of the event that has
//! the wrong type is shown as JSON, any other is left out, and both are reported. A member that the catalogue doesn't
//! know is shown as well, by its path unless it belongs to the event itself.

use bumpalo::Bump;

use super::time;
use crate::model::catalogue::{self, Kind, Member, Row};
use crate::model::event::{
    AUTH, AuditToken, Decision, Event, EventType, Field, File, Process, Text, Timestamp, Value,
    Word,
};
use crate::source::values;
use crate::text::escape;
use crate::text::json::{Error, Result, Scanner, Str};
use crate::text::redact::{self, REDACTED};

impl<'m> From<Str<'m>> for Text<'m> {
    fn from(string: Str<'m>) -> Self {
        if string.escaped {
            Text::Json(string.inside)
        } else {
            Text::Bytes(string.inside)
        }
    }
}

/// The number of names in the place of an object that the catalogue doesn't know beyond which it isn't checked for being
/// a file or a process: each level is read once more for it.
const MAX_NAMES: usize = 8;

/// The length of these names beyond which it isn't checked, in bytes: they are repeated before the name of each of its
/// members.
const MAX_PLACE: usize = 128;

/// The number of unknown members, elements of lists and complaints of a message after which the rest is left out, which
/// is reported. EndpointSecurity makes no message that comes near it.
const MAX_PARTS: usize = 16_384;

/// Reads messages.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is asked for by itself")]
pub struct Decoder {
    /// True if the environment of programs is needed.
    pub env: bool,
    /// True if the values in an environment are to be replaced. A value that isn't an environment must not be shown
    /// unchanged, either.
    pub redact: bool,
    /// True if the tokens of a process's parent and of its responsible process are needed.
    pub lineage: bool,
    /// True if the members that only `-v` shows are needed.
    pub verbose: bool,
}

/// A message, and the problems that were found in it.
#[derive(Debug)]
pub struct Message<'m> {
    /// The event.
    pub event: Event<'m>,
    /// The members that had the wrong type.
    pub complaints: Vec<Complaint>,
}

/// A member of the wrong type.
#[derive(Debug)]
pub struct Complaint {
    /// Its path in the message, escaped.
    pub member: String,
    /// The expected type.
    pub error: Box<Error>,
}

/// The place of a value in a message: its names in the message, the innermost first.
#[derive(Clone, Copy)]
struct Place<'p> {
    outer: Option<&'p Place<'p>>,
    name: Text<'p>,
}

/// The message itself, or the structure of its event, which have no name.
const ROOT: Place<'static> = Place {
    outer: None,
    name: Text::Known(""),
};

impl<'p> Place<'p> {
    /// The place of a member of the value at this place.
    fn member(&'p self, name: impl Into<Text<'p>>) -> Place<'p> {
        Place {
            outer: Some(self),
            name: name.into(),
        }
    }

    /// The names, the outermost first, separated by dots and escaped.
    fn path(&self) -> String {
        let mut path = Vec::new();
        self.push(&mut path);
        String::from_utf8_lossy(&path).into_owned()
    }

    /// Returns true if it isn't too deep or too long to be shown before the names of members.
    fn is_near(&self) -> bool {
        let places = || std::iter::successors(Some(self), |place| place.outer);
        let length = places().map(|place| place.name.written().0.len());
        places().count() <= MAX_NAMES && length.sum::<usize>() <= MAX_PLACE
    }

    fn push(&self, path: &mut Vec<u8>) {
        if let Some(outer) = self.outer {
            outer.push(path);
            if !path.is_empty() {
                path.push(b'.');
            }
        }
        escape::push(path, self.name);
    }
}

impl Decoder {
    /// Reads the object that `scanner` is at. Memory for the event is allocated in `arena`.
    pub fn message<'m>(self, scanner: &mut Scanner<'m>, arena: &'m Bump) -> Result<Message<'m>> {
        scanner.peek();
        scanner.unescape_keys(arena);
        let start = scanner.at();
        let mut frame = Frame::default();
        let mut part = Part {
            decoder: self,
            arena,
            fields: Vec::new(),
            complaints: Vec::new(),
            parts: 0,
        };
        scanner.object(|scanner, key| {
            match key.inside {
                b"time" => frame.time = part.timestamp(scanner, &ROOT, "time")?,
                b"event_type" => {
                    frame.number_at = scanner.at();
                    frame.number = part.number(scanner, &ROOT, "event_type")?;
                }
                b"thread" => frame.thread_id = part.thread_id(scanner)?,
                b"process" => {
                    frame.process =
                        part.structure(scanner, &ROOT.member("process"), Part::process)?;
                }
                b"event" => part.event(scanner, &mut frame)?,
                b"seq_num" => frame.seq_num = part.number(scanner, &ROOT, "seq_num")?,
                b"global_seq_num" => {
                    frame.global_seq_num = part.number(scanner, &ROOT, "global_seq_num")?;
                }
                b"action_type" => {
                    frame.action_type = part.number(scanner, &ROOT, "action_type")?;
                }
                b"action" => frame.decision = part.action(scanner)?,
                b"version" if self.verbose => {
                    frame.version = part.number(scanner, &ROOT, "version")?;
                }
                b"mach_time" if self.verbose => {
                    frame.mach_time = part.number(scanner, &ROOT, "mach_time")?;
                }
                b"schema_version" | b"version" | b"mach_time" | b"deadline" => scanner.skip()?,
                b"telemetry_version" => {
                    frame.is_mac_monitors = true;
                    part.unknown(scanner, &ROOT.member("message"), key.into())?;
                }
                _ => part.unknown(scanner, &ROOT.member("message"), key.into())?,
            }
            Ok(())
        })?;
        let name = frame
            .name
            .ok_or_else(|| Error::mismatch(start, "the object has no member \"event\""))?;
        if frame.row.is_none() && frame.is_empty() {
            return Err(Error::mismatch(start, "the object is no message"));
        }
        // Mac Monitor adds this to what eslogger would write. Its objects have no other members: its published schema
        // excludes them.
        if frame.is_mac_monitors && !self.verbose {
            retain_known(&mut part.fields);
        }
        let action_type = frame.action_type();
        values::push_action(&mut part.fields, frame.row, action_type, frame.decision);
        part.fields.sort_by(|a, b| a.label.compare(&b.label));
        if !frame.number_fits() {
            let error = Error::mismatch(frame.number_at, "the number of another event");
            part.complain(&ROOT.member("event_type"), error);
        }
        let event_type = match frame.row {
            Some(row) => EventType::Known(row),
            None => EventType::Unknown {
                number: frame.number,
                name: name.into(),
            },
        };
        let event = Event {
            event_type,
            action_type,
            decision: frame.decision,
            time: frame.time,
            seq_num: frame.seq_num,
            global_seq_num: frame.global_seq_num,
            version: frame.version,
            mach_time: frame.mach_time,
            thread_id: frame.thread_id,
            process: frame.process,
            fields: part.fields,
            json: scanner.since(start),
        };
        Ok(Message {
            event,
            complaints: part.complaints,
        })
    }
}

/// The parts of a message around the event.
#[derive(Default)]
struct Frame<'m> {
    time: Option<Timestamp>,
    /// `es_event_type_t`, and its place.
    number: Option<i128>,
    number_at: usize,
    action_type: Option<i128>,
    decision: Option<Decision>,
    seq_num: Option<u64>,
    global_seq_num: Option<u64>,
    version: Option<u32>,
    mach_time: Option<u64>,
    thread_id: Option<u64>,
    process: Option<Process<'m>>,
    name: Option<Str<'m>>,
    row: Option<&'static Row>,
    /// True if it contains the version of Mac Monitor's telemetry.
    is_mac_monitors: bool,
}

impl Frame<'_> {
    /// Returns true if only the event is there, as in any object that isn't a message.
    fn is_empty(&self) -> bool {
        self.time.is_none()
            && self.number.is_none()
            && self.seq_num.is_none()
            && self.process.is_none()
    }

    /// `es_action_type_t`; if that isn't there, it follows from the number of the event.
    fn action_type(&self) -> Option<i128> {
        let auth = self.row.and_then(|row| row.auth);
        let is_auth = |number| auth.map(i128::from) == Some(number);
        self.action_type
            .or_else(|| self.number.filter(|number| is_auth(*number)).map(|_| AUTH))
    }

    /// Returns false if the number is that of another event than the name.
    fn number_fits(&self) -> bool {
        let Some(number) = self.number else {
            return true;
        };
        let named = u32::try_from(number).ok().and_then(catalogue::by_number);
        match (self.row, named) {
            (Some(row), Some(named)) => std::ptr::eq(row, named),
            (row, named) => row.is_none() && named.is_none(),
        }
    }
}

/// The results that are collected while a message is read.
struct Part<'m> {
    decoder: Decoder,
    arena: &'m Bump,
    fields: Vec<Field<'m>>,
    complaints: Vec<Complaint>,
    /// The number of parts that count for [`MAX_PARTS`].
    parts: usize,
}

/// The point up to which results were collected.
#[derive(Clone, Copy)]
struct Mark {
    fields: usize,
    complaints: usize,
    parts: usize,
}

impl<'m> Part<'m> {
    fn mark(&self) -> Mark {
        Mark {
            fields: self.fields.len(),
            complaints: self.complaints.len(),
            parts: self.parts,
        }
    }

    /// Drops the results that were collected after `mark`.
    fn go_back(&mut self, mark: Mark) {
        self.fields.truncate(mark.fields);
        self.complaints.truncate(mark.complaints);
        self.parts = mark.parts;
    }

    /// Counts one more part of the value at `place`, and returns true if it may be kept.
    fn has_room(&mut self, place: &Place<'_>, at: usize) -> bool {
        self.parts += 1;
        // Only the first of those that are left out is reported.
        if self.parts == MAX_PARTS + 1 {
            let path = place.path();
            self.complaints.push(Complaint {
                member: if path.is_empty() {
                    "event".to_owned()
                } else {
                    path
                },
                error: Error::mismatch(at, TOO_MANY),
            });
        }
        self.parts <= MAX_PARTS
    }

    /// Reads a member. If it has the wrong type, only the member is lost. None for null, too.
    #[inline]
    fn optional<T>(
        &mut self,
        scanner: &mut Scanner<'m>,
        outer: &Place<'_>,
        name: &'static str,
        read: impl FnOnce(&mut Scanner<'m>) -> Result<T>,
    ) -> Result<Option<T>> {
        let start = scanner.at();
        match read(scanner) {
            Ok(value) => Ok(Some(value)),
            Err(error) => self.pass(scanner, start, &outer.member(name), error),
        }
    }

    /// Reads a member that is an object, or null.
    fn structure<T>(
        &mut self,
        scanner: &mut Scanner<'m>,
        place: &Place<'_>,
        read: impl FnOnce(&mut Self, &mut Scanner<'m>, &Place<'_>) -> Result<T>,
    ) -> Result<Option<T>> {
        if scanner.peek() == b'{' {
            return read(self, scanner, place).map(Some);
        }
        let error = Error::mismatch(scanner.at(), "expected an object");
        self.pass(scanner, scanner.at(), place, error)
    }

    /// Skips the value at `start`, which couldn't be read: null is not damage, another type is reported.
    #[cold]
    fn pass<T>(
        &mut self,
        scanner: &mut Scanner<'m>,
        start: usize,
        place: &Place<'_>,
        error: Box<Error>,
    ) -> Result<Option<T>> {
        if !error.mismatch {
            return Err(error);
        }
        scanner.go_back(start);
        if !scanner.null()? {
            scanner.skip()?;
            self.complain(place, error);
        }
        Ok(None)
    }

    fn complain(&mut self, place: &Place<'_>, error: Box<Error>) {
        if self.has_room(place, error.at) {
            self.complaints.push(Complaint {
                member: place.path(),
                error,
            });
        }
    }

    fn number<T: TryFrom<i128>>(
        &mut self,
        scanner: &mut Scanner<'m>,
        outer: &Place<'_>,
        name: &'static str,
    ) -> Result<Option<T>> {
        self.optional(scanner, outer, name, Scanner::integer_as)
    }

    fn boolean(
        &mut self,
        scanner: &mut Scanner<'m>,
        outer: &Place<'_>,
        name: &'static str,
    ) -> Result<Option<bool>> {
        self.optional(scanner, outer, name, Scanner::boolean)
    }

    fn text(
        &mut self,
        scanner: &mut Scanner<'m>,
        outer: &Place<'_>,
        name: &'static str,
    ) -> Result<Option<Text<'m>>> {
        let string = self.optional(scanner, outer, name, Scanner::string)?;
        Ok(string.map(Into::into))
    }

    fn timestamp(
        &mut self,
        scanner: &mut Scanner<'m>,
        outer: &Place<'_>,
        name: &'static str,
    ) -> Result<Option<Timestamp>> {
        self.optional(scanner, outer, name, Reads::timestamp)
    }

    /// `{"thread_id":1}` or null
    fn thread_id(&mut self, scanner: &mut Scanner<'m>) -> Result<Option<u64>> {
        let mut thread_id = None;
        self.structure(scanner, &ROOT.member("thread"), |part, scanner, place| {
            scanner.object(|scanner, key| match key.inside {
                b"thread_id" => {
                    thread_id = part.number(scanner, place, "thread_id")?;
                    Ok(())
                }
                _ => part.unknown(scanner, place, key.into()),
            })
        })?;
        Ok(thread_id)
    }

    /// The decision: `{"result":{"result_type":0,"result":{"auth":0}}}`. A message that asks for an answer has `auth`
    /// in place of the outer `result`, and nothing in it that is known.
    fn action(&mut self, scanner: &mut Scanner<'m>) -> Result<Option<Decision>> {
        // Nearly all operations are allowed, and eslogger writes that in one of these forms.
        for (written, decision) in ALLOWED {
            if scanner.is(written) {
                return Ok(Some(decision));
            }
        }
        let mut decision = None;
        self.structure(scanner, &ROOT.member("action"), |part, scanner, place| {
            scanner.object(|scanner, key| {
                match key.inside {
                    // `notify` is the name of the arm in C.
                    b"result" | b"notify" => {
                        let place = place.member(key);
                        decision = part.structure(scanner, &place, Part::decision)?.flatten();
                    }
                    b"auth" => scanner.skip()?,
                    _ => part.unknown(scanner, place, key.into())?,
                }
                Ok(())
            })
        })?;
        Ok(decision)
    }

    /// `es_result_t`
    fn decision(
        &mut self,
        scanner: &mut Scanner<'m>,
        place: &Place<'_>,
    ) -> Result<Option<Decision>> {
        let mut result_type = None;
        let [mut auth, mut flags] = [None; 2];
        scanner.object(|scanner, key| {
            match key.inside {
                b"result_type" => result_type = self.number(scanner, place, "result_type")?,
                b"result" => {
                    self.structure(scanner, &place.member("result"), |part, scanner, place| {
                        scanner.object(|scanner, key| {
                            match key.inside {
                                b"auth" => {
                                    let number = part.number(scanner, place, "auth")?;
                                    auth = number.map(Decision::Auth);
                                }
                                b"flags" => {
                                    let word = part.word(scanner, place, "flags")?;
                                    flags = word.map(Decision::Flags);
                                }
                                _ => part.unknown(scanner, place, key.into())?,
                            }
                            Ok(())
                        })
                    })?;
                }
                _ => self.unknown(scanner, place, key.into())?,
            }
            Ok(())
        })?;
        // If all arms of a union are written, the type says which one is set.
        Ok(match result_type {
            Some(RESULT_TYPE_FLAGS) => flags.or(auth),
            _ => auth.or(flags),
        })
    }

    /// `"event":{"NAME":{…}}`
    fn event(&mut self, scanner: &mut Scanner<'m>, frame: &mut Frame<'m>) -> Result<()> {
        let start = scanner.at();
        scanner.object(|scanner, name| {
            // The columns of a table are all events in it.
            if scanner.null()? {
                return Ok(());
            }
            if frame.name.replace(name).is_some() {
                return Err(Error::mismatch(
                    start,
                    "the message has more than one event",
                ));
            }
            frame.row = catalogue::by_name(name.inside);
            let Some(row) = frame.row else {
                return self.members(scanner, &[], "", &ROOT);
            };
            let members = self.structure(scanner, &ROOT.member(row.name), |part, scanner, _| {
                part.members(scanner, row.members, "", &ROOT)
            });
            members.map(drop)
        })
    }

    /// The members of an object at `place`, shown as parts of `within`.
    fn members(
        &mut self,
        scanner: &mut Scanner<'m>,
        members: &'static [Member],
        within: &'static str,
        place: &Place<'_>,
    ) -> Result<()> {
        let first = self.fields.len();
        let [mut present, mut absent] = [const { Vec::new() }; 2];
        scanner.object(|scanner, key| {
            if let Some(member) = find(members, key.inside)
                && insert(&mut present, member)
            {
                return self.member(scanner, member, within, place);
            }
            if let Some(member) = flagged(members, key.inside) {
                let start = scanner.at();
                if let Ok(is_there) = scanner.boolean() {
                    if !is_there {
                        insert(&mut absent, member);
                    }
                    return Ok(());
                }
                scanner.go_back(start);
            }
            // A member that is repeated is shown beside the first one, but has no meaning.
            self.unknown(scanner, place, key.into())
        })?;
        for member in absent {
            let is_it = |field: &Field<'_>| field.label.known() == Some(member.label);
            if let Some(at) = self.fields[first..].iter().position(is_it) {
                self.fields.remove(first + at);
            }
        }
        values::name_by_siblings(members, &mut self.fields[first..]);
        Ok(())
    }

    /// Reads a member that the catalogue knows.
    fn member(
        &mut self,
        scanner: &mut Scanner<'m>,
        member: &'static Member,
        within: &'static str,
        outer: &Place<'_>,
    ) -> Result<()> {
        if scanner.null()? {
            return Ok(());
        }
        let place = outer.member(member.name);
        let start = scanner.at();
        let mark = self.mark();
        let read = match member.kind {
            Kind::Struct(members) => self.members(scanner, members, member.label, &place),
            Kind::Union(members) => self.members(scanner, members, within, &place),
            Kind::Env if !self.decoder.env => scanner.skip(),
            ref kind => self.value(scanner, kind, &place).map(|value| {
                let field = |value| Field::known(member, within, value);
                self.fields.extend(value.map(field));
            }),
        };
        match read {
            Err(error) if error.mismatch => {
                scanner.go_back(start);
                // It is shown as a whole, including anything in it that was wrong.
                self.go_back(mark);
                let value = if let Some(value) = self.only_arm(scanner, member, &place) {
                    value
                } else {
                    scanner.go_back(start);
                    self.complain(&place, error);
                    let json = scanner.value()?;
                    match member.kind {
                        Kind::Env if self.decoder.redact => Value::Text(REDACTED.into()),
                        _ => Value::Json(json),
                    }
                };
                self.fields
                    .push(Field::other(within, member.label.into(), value));
                Ok(())
            }
            read => read,
        }
    }

    /// The value of a union in C that has one arm, and is written as a structure: `"to_uid":{"uid":501}`.
    fn only_arm(
        &mut self,
        scanner: &mut Scanner<'m>,
        member: &'static Member,
        place: &Place<'_>,
    ) -> Option<Value<'m>> {
        let start = scanner.at();
        let mark = self.mark();
        let mut value = None;
        let mut arms = 0;
        let read = scanner.object(|scanner, key| {
            arms += 1;
            if !member.name.as_bytes().ends_with(key.inside) {
                return Err(Error::mismatch(start, "not the arm of the union"));
            }
            value = self.value(scanner, &member.kind, place)?;
            Ok(())
        });
        let is_right = read.is_ok() && arms == 1 && self.complaints.len() == mark.complaints;
        if !is_right {
            self.go_back(mark);
            return None;
        }
        value
    }

    /// Reads a value of the given kind; None if nothing of it is there.
    fn value(
        &mut self,
        scanner: &mut Scanner<'m>,
        kind: &'static Kind,
        place: &Place<'_>,
    ) -> Result<Option<Value<'m>>> {
        Ok(Some(match kind {
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
            Kind::Token => Value::Token(self.audit_token(scanner, place)?),
            Kind::Text | Kind::Path | Kind::Hex => Value::Text(scanner.string()?.into()),
            Kind::File | Kind::Directory(_) => {
                return Ok(self.file(scanner, place)?.map(Value::File));
            }
            Kind::Process => Value::Process(Box::new(self.process(scanner, place)?)),
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
                    if !self.has_room(place, scanner.at()) {
                        return Err(Error::mismatch(scanner.at(), TOO_LONG));
                    }
                    let first = self.fields.len();
                    self.members(scanner, members, "", &ROOT)?;
                    let mut structure = self.fields.split_off(first);
                    structure.sort_by(|a, b| a.label.compare(&b.label));
                    list.push(structure);
                    Ok(())
                })?;
                Value::List(list)
            }
            Kind::Either(arms) => return self.either(scanner, arms, place),
            Kind::Json | Kind::Struct(_) | Kind::Union(_) => Value::Json(scanner.value()?),
        }))
    }

    /// A union that is written as the arm that is set, or as an object with the name of the arm.
    fn either(
        &mut self,
        scanner: &mut Scanner<'m>,
        arms: &'static [Member],
        place: &Place<'_>,
    ) -> Result<Option<Value<'m>>> {
        let start = scanner.at();
        if scanner.peek() == b'{' {
            let mut value = None;
            let named = scanner.object(|scanner, key| {
                match arms.iter().find(|arm| arm.name.as_bytes() == key.inside) {
                    Some(arm) => value = self.value(scanner, &arm.kind, place)?,
                    None => scanner.skip()?,
                }
                Ok(())
            });
            match (named, value) {
                (Ok(()), Some(value)) => return Ok(Some(value)),
                (Err(error), _) if !error.mismatch => return Err(error),
                _ => scanner.go_back(start),
            }
        }
        let mut mismatch = Error::mismatch(start, "none of the union's types");
        for arm in arms {
            match self.value(scanner, &arm.kind, place) {
                Err(error) if error.mismatch => mismatch = error,
                read => return read,
            }
            scanner.go_back(start);
        }
        Err(mismatch)
    }

    /// Reads a member of the value at `outer` that the catalogue doesn't know: files and processes as such, everything
    /// else as it is written.
    #[cold]
    fn unknown(
        &mut self,
        scanner: &mut Scanner<'m>,
        outer: &Place<'_>,
        name: Text<'m>,
    ) -> Result<()> {
        let place = outer.member(name);
        let kind = match scanner.peek() {
            b'n' => return scanner.skip(),
            _ if !self.has_room(outer, scanner.at()) => return scanner.skip(),
            _ if redact::is_env(name) && !self.decoder.env => return scanner.skip(),
            _ if redact::is_env(name) => &Kind::Env,
            b'"' => &Kind::Text,
            b't' | b'f' => &Kind::Bool,
            b'{' if place.is_near() => shape(scanner.clone())?,
            b'{' | b'[' => &Kind::Json,
            _ => &Kind::Int,
        };
        let start = scanner.at();
        let mark = self.mark();
        let read = self.value(scanner, kind, &place);
        // An unknown member has no expected type.
        let value = match read {
            Ok(value) if self.complaints.len() == mark.complaints => value,
            _ => {
                scanner.go_back(start);
                self.go_back(mark);
                let json = scanner.value()?;
                Some(match kind {
                    Kind::Env if self.decoder.redact => Value::Text(REDACTED.into()),
                    _ => Value::Json(json),
                })
            }
        };
        if let Some(value) = value {
            let within = self.arena.alloc_str(&outer.path());
            self.fields.push(Field::other(within, name, value));
        }
        Ok(())
    }

    /// `es_file_t`. None if its path isn't there: nothing else of it is shown.
    fn file(&mut self, scanner: &mut Scanner<'m>, place: &Place<'_>) -> Result<Option<File<'m>>> {
        let mut path = None;
        let mut path_truncated = None;
        scanner.object(|scanner, key| {
            match key.inside {
                b"path" => path = self.text(scanner, place, "path")?,
                b"path_truncated" => {
                    path_truncated = self.boolean(scanner, place, "path_truncated")?;
                }
                b"stat" => scanner.skip()?,
                _ => self.unknown(scanner, place, key.into())?,
            }
            Ok(())
        })?;
        Ok(path.map(|path| File {
            path,
            path_truncated: path_truncated.unwrap_or(false),
        }))
    }

    /// A file that is a member, or null.
    fn optional_file(
        &mut self,
        scanner: &mut Scanner<'m>,
        place: &Place<'_>,
    ) -> Result<Option<File<'m>>> {
        let file = self.structure(scanner, place, Part::file)?;
        Ok(file.flatten())
    }

    /// An audit token that is a member, or null.
    fn optional_token(
        &mut self,
        scanner: &mut Scanner<'m>,
        place: &Place<'_>,
    ) -> Result<Option<AuditToken>> {
        let start = scanner.at();
        let mark = self.mark();
        match self.audit_token(scanner, place) {
            Ok(token) => Ok(Some(token)),
            Err(error) => {
                self.go_back(mark);
                self.pass(scanner, start, place, error)
            }
        }
    }

    /// `es_process_t`
    fn process(&mut self, scanner: &mut Scanner<'m>, place: &Place<'_>) -> Result<Process<'m>> {
        let mut process = Process::default();
        scanner.object(|scanner, key| {
            let at = |name: &'static str| place.member(name);
            match key.inside {
                b"audit_token" => {
                    let token = self.optional_token(scanner, &at("audit_token"))?;
                    process.audit_token = token.unwrap_or_default();
                }
                b"executable" => {
                    process.executable = self.optional_file(scanner, &at("executable"))?;
                }
                b"signing_id" | b"team_id" | b"tty" if scanner.null()? => {}
                b"signing_id" => process.signing_id = self.text(scanner, place, "signing_id")?,
                b"team_id" => process.team_id = self.text(scanner, place, "team_id")?,
                b"tty" => process.tty = self.optional_file(scanner, &at("tty"))?,
                b"start_time" => {
                    process.start_time = self.timestamp(scanner, place, "start_time")?
                }
                b"ppid" => process.ppid = self.number(scanner, place, "ppid")?,
                b"original_ppid" => {
                    process.original_ppid = self.number(scanner, place, "original_ppid")?;
                }
                b"group_id" => process.group_id = self.number(scanner, place, "group_id")?,
                b"session_id" => process.session_id = self.number(scanner, place, "session_id")?,
                b"codesigning_flags" => {
                    process.codesigning_flags = self.number(scanner, place, "codesigning_flags")?;
                }
                b"is_platform_binary" => {
                    process.is_platform_binary =
                        self.boolean(scanner, place, "is_platform_binary")?;
                }
                b"is_es_client" => {
                    process.is_es_client = self.boolean(scanner, place, "is_es_client")?;
                }
                b"parent_audit_token" if self.decoder.lineage => {
                    process.parent_audit_token =
                        self.optional_token(scanner, &at("parent_audit_token"))?;
                }
                b"responsible_audit_token" if self.decoder.lineage => {
                    process.responsible_audit_token =
                        self.optional_token(scanner, &at("responsible_audit_token"))?;
                }
                b"cdhash" if self.decoder.verbose => {
                    process.cdhash = self.text(scanner, place, "cdhash")?;
                }
                b"cs_validation_category" if self.decoder.verbose => {
                    process.cs_validation_category =
                        self.number(scanner, place, "cs_validation_category")?;
                }
                b"cdhash"
                | b"cdhash_full"
                | b"cs_validation_category"
                | b"parent_audit_token"
                | b"responsible_audit_token" => scanner.skip()?,
                _ => self.unknown(scanner, place, key.into())?,
            }
            Ok(())
        })?;
        Ok(process)
    }

    /// Reads an object, or an array of the words in the order of `audit_token_t.val`, as a beta of macOS 26 wrote it.
    fn audit_token(&mut self, scanner: &mut Scanner<'m>, place: &Place<'_>) -> Result<AuditToken> {
        let mut token = AuditToken::default();
        if scanner.peek() == b'[' {
            let start = scanner.at();
            let mut words = Word::ALL.into_iter();
            scanner.array(|scanner| {
                let Some(word) = words.next() else {
                    return Err(Error::mismatch(start, NOT_A_TOKEN));
                };
                if let Some(value) = self.word(scanner, place, word.name())? {
                    token.set(word, value);
                }
                Ok(())
            })?;
            if words.next().is_some() {
                return Err(Error::mismatch(start, NOT_A_TOKEN));
            }
        } else {
            scanner.object(|scanner, key| {
                let Some(word) = Word::by_name(key.inside) else {
                    return self.unknown(scanner, place, key.into());
                };
                if let Some(value) = self.word(scanner, place, word.name())? {
                    token.set(word, value);
                }
                Ok(())
            })?;
        }
        Ok(token)
    }

    /// Reads 32 bits. Writers differ in whether all ones are -1 or 4294967295.
    fn word(
        &mut self,
        scanner: &mut Scanner<'m>,
        outer: &Place<'_>,
        name: &'static str,
    ) -> Result<Option<u32>> {
        self.optional(scanner, outer, name, |scanner| {
            let start = scanner.at();
            let number = scanner.integer()?;
            u32::try_from(number)
                .or_else(|_| i32::try_from(number).map(i32::cast_unsigned))
                .map_err(|_| Error::mismatch(start, "the number is out of range"))
        })
    }
}

const ALLOWED: [(&[u8], Decision); 4] = [
    (
        br#"{"result":{"result_type":0,"result":{"auth":0}}}"#,
        Decision::Auth(0),
    ),
    (
        br#"{"result":{"result":{"auth":0},"result_type":0}}"#,
        Decision::Auth(0),
    ),
    (
        br#"{"result":{"result_type":1,"result":{"flags":4294967295}}}"#,
        Decision::Flags(u32::MAX),
    ),
    (
        br#"{"result":{"result":{"flags":4294967295},"result_type":1}}"#,
        Decision::Flags(u32::MAX),
    ),
];

const TOO_MANY: &str = "more than 16384 members; the rest are left out";
const TOO_LONG: &str = "more than 16384 elements; shown as JSON";

/// `ES_RESULT_TYPE_FLAGS`
const RESULT_TYPE_FLAGS: i128 = 1;

/// Keeps only the members that the catalogue describes.
fn retain_known(fields: &mut Vec<Field<'_>>) {
    fields.retain_mut(|field| {
        if let Value::List(list) = &mut field.value {
            list.iter_mut().for_each(retain_known);
        }
        field.label.known().is_some()
    });
}

/// The member with this name. Other producers leave out the name of a union in C, or the name of its arm.
fn find(members: &'static [Member], name: &[u8]) -> Option<&'static Member> {
    let direct = members.iter().find(|member| member.name.as_bytes() == name);
    direct.or_else(|| {
        members.iter().find_map(|member| match member.kind {
            Kind::Union(arms) => find(arms, name),
            _ => None,
        })
    })
}

/// Adds a member, and returns true if it wasn't there.
fn insert(members: &mut Vec<&'static Member>, member: &'static Member) -> bool {
    let is_new = !members.iter().any(|other| std::ptr::eq(*other, member));
    members.extend(is_new.then_some(member));
    is_new
}

/// The member whose presence a flag in C says, `has_NAME`; eslogger doesn't write the flag.
fn flagged(members: &'static [Member], flag: &[u8]) -> Option<&'static Member> {
    find(members, flag.strip_prefix(b"has_")?)
}

/// The kind that an object unknown to the catalogue looks like.
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

/// Readers of values with a form of their own.
trait Reads<'m> {
    fn timestamp(&mut self) -> Result<Timestamp>;
    fn strings(&mut self) -> Result<Vec<Text<'m>>>;
}

impl<'m> Reads<'m> for Scanner<'m> {
    /// `"2021-02-20T19:53:54.423783425Z"`, or another form that [`time`] knows.
    fn timestamp(&mut self) -> Result<Timestamp> {
        let first = self.peek();
        let at = self.at();
        let time = if let b'0'..=b'9' = first {
            time::since_1970(self.value()?)
        } else {
            let text = self.string()?.inside;
            eslogger_timestamp(text).or_else(|| time::parse(text))
        };
        time.ok_or_else(|| Error::mismatch(at, "expected a time"))
    }

    fn strings(&mut self) -> Result<Vec<Text<'m>>> {
        let mut strings = Vec::new();
        self.array(|scanner| scanner.string().map(|string| strings.push(string.into())))?;
        Ok(strings)
    }
}

const NOT_A_TOKEN: &str = "expected the 8 words of an audit token";

/// `YYYY-MM-DDThh:mm:ss.fZ` with a fraction of one to nine digits, the form of nearly every time.
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
