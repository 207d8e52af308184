//! From a message of EndpointSecurity to an [`Event`], by the rows of the catalogue.

use bumpalo::Bump;

use super::c::{self, ProcessRef, Raw, time_of};
use super::message::{Elements, FileParts as _, Message, Part, Structure};
use super::{acl, entitlements, json};
use crate::model::catalogue::{self, Kind, Member};
use crate::model::event::{
    AuditToken, Event, EventType, Field, File, Process, Text, Timestamp, Value,
};
use crate::source::values;

/// Reads messages.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is asked for by itself")]
pub struct Decoder {
    /// True if the environment of programs is needed.
    pub env: bool,
    /// True if the JSON that eslogger would write is needed.
    pub json: bool,
    /// True if the tokens of a process's parent and of its responsible process are needed.
    pub lineage: bool,
    /// True if the members that only `-v` shows are needed.
    pub verbose: bool,
}

impl Decoder {
    /// Reads a message. Memory for it is allocated in `arena`; its members are put into `fields`, which is empty.
    pub fn event<'m>(
        self,
        message: &'m Message,
        arena: &'m Bump,
        mut fields: Vec<Field<'m>>,
    ) -> Event<'m> {
        let raw = message.get();
        let version = raw.version;
        let (seq_num, global_seq_num) = message.numbers();
        let event_type = event_type(raw.event_type.0);
        if let EventType::Known(row) = event_type {
            let part = Fields {
                decoder: self,
                version,
                arena,
                fields: &mut fields,
            };
            part.read(message.members(row.members), "");
        }
        let action_type = Some(i128::from(raw.action_type.0));
        let decision = c::decision(raw);
        let row = match event_type {
            EventType::Known(row) => Some(row),
            EventType::Unknown { .. } => None,
        };
        values::push_action(&mut fields, row, action_type, decision);
        fields.sort_by(|a, b| a.label.compare(&b.label));
        let json = if self.json {
            let mut json = Vec::new();
            json::push_message(&mut json, message);
            arena.alloc_slice_copy(&json)
        } else {
            &mut []
        };
        Event {
            event_type,
            action_type,
            decision,
            time: Some(time_of(raw.time)),
            seq_num,
            global_seq_num,
            thread_id: message.thread_id(),
            version: self.verbose.then_some(version),
            mach_time: self.verbose.then_some(raw.mach_time),
            process: message
                .process()
                .map(|process| self.process(process, version, arena)),
            fields,
            json,
        }
    }
}

/// Returns an empty vector with the memory of a used one, so that none is allocated for each message.
pub fn emptied<'m>(mut fields: Vec<Field<'_>>) -> Vec<Field<'m>> {
    fields.clear();
    // Collecting from elements of the same layout reuses the memory.
    fields.into_iter().map(|_| unreachable!()).collect()
}

/// The event of a message.
pub fn event_type<'m>(number: u32) -> EventType<'m> {
    match catalogue::by_number(number) {
        Some(row) => EventType::Known(row),
        None => EventType::Unknown {
            number: Some(number.into()),
            name: "unknown".into(),
        },
    }
}

/// The parts of a message while it is read.
struct Fields<'m, 'f> {
    decoder: Decoder,
    version: u32,
    arena: &'m Bump,
    fields: &'f mut Vec<Field<'m>>,
}

impl<'m> Fields<'m, '_> {
    /// The members of a structure, shown as parts of `within`.
    fn read(self, structure: Structure<'m>, within: &'static str) {
        let first = self.fields.len();
        for (member, part) in structure.parts() {
            let nested = Fields {
                fields: &mut *self.fields,
                ..self
            };
            match part {
                Part::Struct(structure) => nested.read(structure, member.label),
                Part::Union(arms) => nested.read(arms, within),
                part => {
                    if let Some(value) = self.value(member, part) {
                        self.fields.push(Field::known(member, within, value));
                    }
                }
            }
        }
        values::name_by_siblings(structure.members(), &mut self.fields[first..]);
    }

    /// The value of a part; None if there is nothing to be shown.
    fn value(&self, member: &'static Member, part: Part<'m>) -> Option<Value<'m>> {
        match part {
            Part::Null | Part::Struct(_) | Part::Union(_) => None,
            Part::Either(arms) => {
                let (arm, part) = arms.parts().next()?;
                self.value(arm, part)
            }
            Part::List(_) if matches!(member.kind, Kind::Env) && !self.decoder.env => None,
            Part::List(elements) => Some(self.list(&member.kind, elements)),
            Part::Value(raw) => self.plain(&member.kind, raw),
        }
    }

    fn list(&self, kind: &'static Kind, elements: Elements<'m>) -> Value<'m> {
        if let Kind::List(_) = kind {
            let structure = |part| match part {
                Part::Struct(structure) => Some(self.structure(structure)),
                _ => None,
            };
            return Value::List(elements.parts().filter_map(structure).collect());
        }
        let text = |part| match part {
            Part::Value(raw) => self.text(raw),
            _ => None,
        };
        let mut texts = Vec::with_capacity(elements.len());
        texts.extend(elements.parts().filter_map(text));
        match kind {
            Kind::Args => Value::Args(texts),
            Kind::Env => Value::Env(texts),
            _ => Value::Strings(texts),
        }
    }

    fn structure(&self, structure: Structure<'m>) -> Vec<Field<'m>> {
        let mut fields = Vec::new();
        let part = Fields {
            fields: &mut fields,
            ..*self
        };
        part.read(structure, "");
        fields.sort_by(|a, b| a.label.compare(&b.label));
        fields
    }

    fn plain(&self, kind: &'static Kind, raw: Raw<'m>) -> Option<Value<'m>> {
        Some(match raw {
            Raw::Bool(bool) => Value::Bool(bool),
            Raw::Int(int) => values::integer(kind, int),
            Raw::Time(time) => Value::Time(time),
            Raw::Token(token) => Value::Token(audit_token(token)),
            Raw::File(raw) => Value::File(file(raw)),
            Raw::Process(raw) => Value::Process(Box::new(self.decoder.process(
                raw,
                self.version,
                self.arena,
            ))),
            Raw::Ints(ints) => Value::Ints(ints.iter().map(|int| i128::from(*int)).collect()),
            Raw::Entitlements(exec) => {
                let mut json = Vec::new();
                // SAFETY: a getter returned the exec of this message.
                if !unsafe { entitlements::push(&mut json, exec) } {
                    return None;
                }
                Value::Json(self.arena.alloc_slice_copy(&json))
            }
            raw => Value::Text(self.text(raw)?),
        })
    }

    /// The text of a value that is shown as text.
    fn text(&self, raw: Raw<'m>) -> Option<Text<'m>> {
        let made = |text: &[u8]| Some(Text::Bytes(self.arena.alloc_slice_copy(text)));
        match raw {
            Raw::Text(text) => Some(Text::Bytes(text)),
            Raw::Bytes(bytes) => made(json::hex(bytes).as_bytes()),
            Raw::Uuid(uuid) => made(json::uuid(uuid).as_bytes()),
            Raw::Acl(acl) => made(&acl::text(acl)?),
            _ => None,
        }
    }
}

fn file(raw: &c::es_file_t) -> File<'_> {
    File {
        path: Text::Bytes(raw.path()),
        path_truncated: raw.path_truncated,
    }
}

impl Decoder {
    #[expect(
        clippy::inline_always,
        reason = "measured: a process is large, and would be copied twice more"
    )]
    #[inline(always)]
    fn process<'m>(self, process: ProcessRef<'m>, version: u32, arena: &'m Bump) -> Process<'m> {
        let raw = process.get();
        let lineage = self.lineage && version >= 4;
        let token = |raw| lineage.then(|| audit_token(raw));
        let cdhash = || Text::Bytes(arena.alloc_slice_copy(json::hex(&raw.cdhash).as_bytes()));
        Process {
            audit_token: audit_token(&raw.audit_token),
            ppid: Some(raw.ppid),
            original_ppid: Some(raw.original_ppid),
            group_id: Some(raw.group_id),
            session_id: Some(raw.session_id),
            codesigning_flags: Some(raw.codesigning_flags),
            parent_audit_token: token(&raw.parent_audit_token),
            responsible_audit_token: token(&raw.responsible_audit_token),
            is_platform_binary: Some(raw.is_platform_binary),
            is_es_client: Some(raw.is_es_client),
            signing_id: Some(Text::Bytes(process.signing_id().unwrap_or_default())),
            team_id: process.team_id().map(Text::Bytes),
            executable: process.image().map(file),
            tty: process.terminal(version).flatten().map(file),
            start_time: start_time(raw, version),
            cdhash: self.verbose.then(cdhash),
            cs_validation_category: if self.verbose {
                process.cs_validation_category(version)
            } else {
                None
            },
        }
    }
}

/// The time at which a process was forked, since message version 3.
pub fn start_time(raw: &c::es_process_t, version: u32) -> Option<Timestamp> {
    (version >= 3).then(|| Timestamp {
        seconds: raw.start_time.tv_sec,
        nanos: u32::try_from(raw.start_time.tv_usec).unwrap_or(0) * 1000,
    })
}

/// An audit token.
pub fn audit_token(raw: &c::audit_token_t) -> AuditToken {
    AuditToken::new(raw.val)
}
