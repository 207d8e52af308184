//! Facts: the parts of an event that the ordered side needs, kept beside its text until the writer has it in order.
//!
//! Workers decode and format the pieces of a stream in any order. If a stage needs it, they leave a small owned fact
//! for each event; the writer, which has the pieces in order, shows each as a [`Fact`] to the stages.

use std::ops::Range;

use bitflags::bitflags;

use crate::model::catalogue::ROWS;
use crate::model::event::{
    AuditToken, Event, EventType, PathRole, Process, Text, Timestamp, Value,
};

/// The length to which a text of a fact is cut, and the length of all arguments of a command together, in bytes. Paths
/// that macOS reports are shorter. Reports and timelines remember such texts, and anyone can make a recording that is
/// full of long ones.
const MAX_TEXT: usize = 16 << 10;

bitflags! {
    /// The parts of a fact that cost something to keep, each kept only if a stage asks for it.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Asks: u8 {
        /// The executable and the team of the process, and those of an exec's target or a fork's child.
        const IMAGE = 1;
        /// The files of the event, see [`Event::paths`].
        const FILES = 1 << 1;
        /// The command of an exec: its arguments, working directory, script and signing identifier.
        const COMMAND = 1 << 2;
        /// `XPC_SERVICE_NAME` in the environment of an exec: the label of the launchd job.
        const JOB = 1 << 3;
        /// The process that is responsible for the process, and its parent by a token: [`Actor::responsible`],
        /// [`Actor::parent`].
        const LINEAGE = 1 << 4;
    }
}

bitflags! {
    /// The processes of an event that meet the conditions on processes.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Chosen: u8 {
        /// The process that did it.
        const PROCESS = 1;
        /// The process on whose behalf it was done.
        const INSTIGATOR = 1 << 1;
        /// The image that an exec goes to, or the child of a fork.
        const OTHER = 1 << 2;
    }
}

/// One image of a process: `pidversion` grows at every fork and exec.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProcessId {
    /// Process id.
    pub pid: i32,
    /// `pidversion` of the audit token; 0 in a recording without it, where only the pid is known.
    pub version: i64,
}

impl ProcessId {
    /// The image that a token identifies; None if the token has no pid.
    pub fn of(token: &AuditToken) -> Option<ProcessId> {
        Some(ProcessId {
            pid: token.pid()?,
            version: token.pidversion().unwrap_or(0).into(),
        })
    }
}

/// A process of an event, with what is needed to find its place among other processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Actor {
    /// Its image.
    pub id: ProcessId,
    /// The pid of its current parent.
    pub ppid: Option<i32>,
    /// The image of its parent, if it is requested and the message has it (since message version 4).
    pub parent: Option<ProcessId>,
    /// Its parent at the time of the fork.
    pub original_ppid: Option<i32>,
    /// The process that is responsible for it, if it is requested and the message has it (since message version 4).
    pub responsible: Option<ProcessId>,
    /// The time of its fork, if the message has it (since message version 3).
    pub start: Option<Timestamp>,
    /// Effective user id.
    pub euid: Option<u32>,
}

impl Actor {
    /// The process of a message; None if it has no pid, because nothing else identifies it.
    pub fn of(process: &Process<'_>) -> Option<Actor> {
        let id_of = |token: &Option<AuditToken>| token.as_ref().and_then(ProcessId::of);
        Some(Actor {
            id: ProcessId::of(&process.audit_token)?,
            ppid: process.ppid,
            parent: id_of(&process.parent_audit_token),
            original_ppid: process.original_ppid,
            responsible: id_of(&process.responsible_audit_token),
            start: process.start_time,
            euid: process.audit_token.euid(),
        })
    }
}

/// The effect of an event on the life of its process.
#[derive(Clone, Copy, Debug)]
pub enum Life<'p> {
    /// None.
    None,
    /// It has forked this child.
    Fork(&'p Actor),
    /// It goes on as this image.
    Exec(&'p Actor),
    /// It has ended, with this wait status.
    Exit(Option<i128>),
}

/// The meaning of a text in a fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Part {
    /// The name of an event that this build doesn't know.
    Name,
    /// The team of the process.
    Team,
    /// A file of the event.
    File,
    /// The executable that an exec runs, or that a forked child has.
    TargetImage,
    /// The team of the image that an exec runs, or of a forked child.
    TargetTeam,
    /// The signing identifier of the image that an exec runs.
    SigningId,
    /// An argument of an exec.
    Argument,
    /// The working directory of an exec.
    WorkingDirectory,
    /// The script of an exec.
    Script,
    /// The label of the launchd job.
    Job,
}

const PARTS: [Part; 10] = [
    Part::Name,
    Part::Team,
    Part::File,
    Part::TargetImage,
    Part::TargetTeam,
    Part::SigningId,
    Part::Argument,
    Part::WorkingDirectory,
    Part::Script,
    Part::Job,
];

/// An event, as the ordered side sees it.
#[derive(Clone, Copy, Debug)]
pub struct Fact<'p> {
    /// The event.
    pub event: EventType<'p>,
    /// The time at which it happened; None if a recording doesn't have it.
    pub time: Option<Timestamp>,
    /// The process that did it.
    pub process: Option<&'p Actor>,
    /// The executable of the process, kept only if requested.
    pub image: Option<&'p [u8]>,
    /// The process on whose behalf it was done.
    pub instigator: Option<&'p Actor>,
    /// Its effect on the life of the process.
    pub life: Life<'p>,
    /// True if it was done: neither denied nor merely asked about.
    pub done: bool,
    /// True if the conditions on the event hold (`-e`, `-P`, `-Z`, exclusions).
    pub selected: bool,
    /// True if they hold, but the process has joined the pipeline that a live trace prints into, which is left out.
    pub hidden: bool,
    /// The processes of the event that meet the conditions on processes.
    pub chosen: Chosen,
    /// The formatted text; empty if it can't be shown.
    pub text: &'p [u8],
    /// The place in the text where the time belongs, for a format that leaves it to the ordered side.
    pub time_at: usize,
    parts: &'p [u8],
}

impl<'p> Fact<'p> {
    /// The texts of a part, as raw bytes, in their order. Kept only if requested, see [`Asks`].
    pub fn texts(&self, part: Part) -> impl Iterator<Item = &'p [u8]> + Clone + use<'p> {
        Parts(self.parts).filter_map(move |(is, text)| (is == part).then_some(text))
    }

    /// The first text of a part.
    pub fn text_of(&self, part: Part) -> Option<&'p [u8]> {
        self.texts(part).next()
    }
}

/// The texts of a fact: a byte for the part, four for its length, then the text.
#[derive(Clone)]
struct Parts<'p>(&'p [u8]);

impl<'p> Iterator for Parts<'p> {
    type Item = (Part, &'p [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (part, rest) = self.0.split_first()?;
        let (length, rest) = rest.split_first_chunk()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let (text, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((*PARTS.get(usize::from(*part))?, text))
    }
}

/// A [`Life`], with the places of its processes instead of the processes.
#[derive(Clone, Copy, Debug)]
enum LifeAt {
    None,
    Fork(usize),
    Exec(usize),
    Exit(Option<i128>),
}

/// A fact without its texts.
#[derive(Debug)]
struct Head {
    /// The place of the event's row; None for an event that this build doesn't know.
    row: Option<usize>,
    number: Option<i128>,
    time: Option<Timestamp>,
    /// The places of its processes.
    process: Option<usize>,
    image: Option<Range<usize>>,
    instigator: Option<usize>,
    life: LifeAt,
    done: bool,
    selected: bool,
    hidden: bool,
    chosen: Chosen,
    time_at: usize,
    /// The ends of its text, its record and its parts.
    text_end: usize,
    record_end: usize,
    parts_end: usize,
}

/// The facts of a piece, in their order.
#[derive(Debug, Default)]
pub struct Facts {
    heads: Vec<Head>,
    actors: Vec<Actor>,
    /// The place of the process of the last fact, which often is that of the next one.
    last: Option<usize>,
    images: Images,
    parts: Vec<u8>,
}

/// The executables of processes. The same ones occur again and again.
#[derive(Debug, Default)]
struct Images {
    bytes: Vec<u8>,
    /// The last one as it was written in the message; `place` is where it is in `bytes`.
    written: Vec<u8>,
    is_json: bool,
    place: Option<Range<usize>>,
}

impl Images {
    fn place(&mut self, image: Text<'_>) -> Range<usize> {
        let (written, is_json) = image.written();
        match &self.place {
            Some(place) if self.is_json == is_json && self.written == written => place.clone(),
            _ => {
                let start = self.bytes.len();
                push_cut(&mut self.bytes, image, MAX_TEXT);
                let place = start..self.bytes.len();
                self.written.clear();
                self.written.extend_from_slice(written);
                self.is_json = is_json;
                self.place = Some(place.clone());
                place
            }
        }
    }
}

/// The amount of room that facts take.
#[derive(Clone, Copy, Debug, Default)]
pub struct Room {
    heads: usize,
    actors: usize,
    images: usize,
    parts: usize,
}

/// The conditions that an event meets, and the positions of what was written for it.
#[derive(Clone, Copy, Debug)]
pub struct Written {
    /// See [`Fact::selected`].
    pub selected: bool,
    /// See [`Fact::hidden`].
    pub hidden: bool,
    /// See [`Fact::chosen`].
    pub chosen: Chosen,
    /// See [`Fact::time_at`].
    pub time_at: usize,
    /// The end of the piece's text after this event.
    pub text_end: usize,
    /// The end of the piece's record after this event.
    pub record_end: usize,
}

/// Appends a text. If it is longer than `max` bytes, it is cut, and ends with `...`.
fn push_cut(out: &mut Vec<u8>, text: Text<'_>, max: usize) {
    let start = out.len();
    text.push_to(out);
    if out.len() - start > max {
        let continues = |byte: &u8| byte & 0xc0 == 0x80;
        let mut end = start + max;
        while end > start && out.get(end).is_some_and(continues) {
            end -= 1;
        }
        out.truncate(end);
        out.extend_from_slice(b"...");
    }
}

fn is_done(event: &Event<'_>) -> bool {
    !event.is_auth() && !event.is_denied()
}

impl Facts {
    /// Creates an empty set of facts with as much room as others took.
    pub fn with(room: Room) -> Facts {
        let images = Images {
            bytes: Vec::with_capacity(room.images),
            ..Images::default()
        };
        Facts {
            heads: Vec::with_capacity(room.heads),
            actors: Vec::with_capacity(room.actors),
            last: None,
            images,
            parts: Vec::with_capacity(room.parts),
        }
    }

    /// The amount of room that they take.
    pub fn room(&self) -> Room {
        Room {
            heads: self.heads.len(),
            actors: self.actors.len(),
            images: self.images.bytes.len(),
            parts: self.parts.len(),
        }
    }

    /// Appends the fact of an event; `written` describes what was written for it.
    pub fn push(&mut self, event: &Event<'_>, asks: Asks, written: Written) {
        let (row, number) = match event.event_type {
            EventType::Known(row) => (Some(row.index()), None),
            EventType::Unknown { number, name } => {
                self.text(Part::Name, name);
                (None, number)
            }
        };
        let life = self.life(event, asks);
        let process = event.process.as_ref().and_then(Actor::of);
        let process = process.map(|actor| self.actor(actor));
        self.last = process.or(self.last);
        let instigator = event.instigator();
        let instigator = instigator.and_then(|process| Actor::of(&process));
        let instigator = instigator.map(|actor| self.actor(actor));
        let mut image = None;
        if let Some(process) = event
            .process
            .as_ref()
            .filter(|_| asks.contains(Asks::IMAGE))
        {
            image = process.image().map(|image| self.images.place(image));
            if let Some(team) = process.team_id {
                self.text(Part::Team, team);
            }
        }
        if asks.contains(Asks::FILES) {
            event.paths(&mut |role, path| {
                if role == PathRole::Subject {
                    self.text(Part::File, path);
                }
            });
        }
        self.heads.push(Head {
            row,
            number,
            time: event.time,
            process,
            image,
            instigator,
            life,
            done: is_done(event),
            selected: written.selected,
            hidden: written.hidden,
            chosen: written.chosen,
            time_at: written.time_at,
            text_end: written.text_end,
            record_end: written.record_end,
            parts_end: self.parts.len(),
        });
    }

    /// Keeps a process and returns its place.
    fn actor(&mut self, actor: Actor) -> usize {
        match self.last {
            Some(last) if self.actors.get(last) == Some(&actor) => last,
            _ => {
                self.actors.push(actor);
                self.actors.len() - 1
            }
        }
    }

    fn life(&mut self, event: &Event<'_>, asks: Asks) -> LifeAt {
        let EventType::Known(row) = event.event_type else {
            return LifeAt::None;
        };
        if !is_done(event) {
            return LifeAt::None;
        }
        match row.name {
            "fork" => self
                .other(event, "child", asks)
                .map_or(LifeAt::None, LifeAt::Fork),
            "exec" => {
                if asks.intersects(Asks::COMMAND | Asks::JOB) {
                    self.command(event, asks);
                }
                self.other(event, "target", asks)
                    .map_or(LifeAt::None, LifeAt::Exec)
            }
            "exit" => LifeAt::Exit(event.fields.iter().find_map(|field| match field.value {
                Value::WaitStatus(status) => Some(status),
                _ => None,
            })),
            _ => LifeAt::None,
        }
    }

    /// Keeps the process in the member `label`, with its texts if requested, and returns its place.
    fn other(&mut self, event: &Event<'_>, label: &str, asks: Asks) -> Option<usize> {
        let process = event.process_of(label)?;
        if asks.contains(Asks::IMAGE) {
            if let Some(image) = process.image() {
                self.text(Part::TargetImage, image);
            }
            if let Some(team) = process.team_id {
                self.text(Part::TargetTeam, team);
            }
        }
        if asks.contains(Asks::COMMAND)
            && let Some(signing_id) = process.signing_id
        {
            self.text(Part::SigningId, signing_id);
        }
        Actor::of(process).map(|actor| self.actor(actor))
    }

    fn command(&mut self, event: &Event<'_>, asks: Asks) {
        for field in &event.fields {
            match (&field.value, field.label.name) {
                (Value::Args(args), _) if asks.contains(Asks::COMMAND) => {
                    let start = self.parts.len();
                    for argument in args {
                        if self.parts.len() - start > MAX_TEXT {
                            self.text(Part::Argument, Text::Known("..."));
                            break;
                        }
                        self.text(Part::Argument, *argument);
                    }
                }
                (Value::File(file), Text::Known("cwd")) if asks.contains(Asks::COMMAND) => {
                    self.text(Part::WorkingDirectory, file.path);
                }
                (Value::File(file), Text::Known("script")) if asks.contains(Asks::COMMAND) => {
                    self.text(Part::Script, file.path);
                }
                (Value::Env(env), _) if asks.contains(Asks::JOB) => {
                    for variable in env {
                        if let Some(job) = variable.bytes().strip_prefix(b"XPC_SERVICE_NAME=") {
                            self.text(Part::Job, Text::Bytes(job));
                        }
                    }
                }
                _ => {}
            }
        }
    }

    fn text(&mut self, part: Part, text: Text<'_>) {
        self.parts.push(part as u8);
        let at = self.parts.len();
        self.parts.extend_from_slice(&[0; 4]);
        push_cut(&mut self.parts, text, MAX_TEXT);
        let length = self.parts.len() - at - 4;
        // It has been cut to far less.
        let length = u32::try_from(length).unwrap_or(0);
        self.parts[at..at + 4].copy_from_slice(&length.to_le_bytes());
    }

    /// The facts, each with its text and its record.
    pub fn iter<'p>(
        &'p self,
        text: &'p [u8],
        record: &'p [u8],
    ) -> impl Iterator<Item = (Fact<'p>, &'p [u8])> {
        let [mut text_at, mut record_at, mut parts_at] = [0; 3];
        self.heads.iter().map(move |head| {
            let text = &text[text_at..head.text_end];
            let record = &record[record_at..head.record_end];
            let parts = &self.parts[parts_at..head.parts_end];
            [text_at, record_at, parts_at] = [head.text_end, head.record_end, head.parts_end];
            let event = match head.row.and_then(|row| ROWS.get(row)) {
                Some(row) => EventType::Known(row),
                None => EventType::Unknown {
                    number: head.number,
                    name: Parts(parts)
                        .find_map(|(part, name)| (part == Part::Name).then_some(Text::Bytes(name)))
                        .unwrap_or(Text::Known("unknown")),
                },
            };
            let actor = |at: usize| &self.actors[at];
            let fact = Fact {
                event,
                time: head.time,
                process: head.process.map(actor),
                image: head.image.clone().map(|place| &self.images.bytes[place]),
                instigator: head.instigator.map(actor),
                life: match head.life {
                    LifeAt::None => Life::None,
                    LifeAt::Fork(at) => Life::Fork(actor(at)),
                    LifeAt::Exec(at) => Life::Exec(actor(at)),
                    LifeAt::Exit(status) => Life::Exit(status),
                },
                done: head.done,
                selected: head.selected,
                hidden: head.hidden,
                chosen: head.chosen,
                text,
                time_at: head.time_at,
                parts,
            };
            (fact, record)
        })
    }
}
