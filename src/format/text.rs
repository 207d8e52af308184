//! The text layout: a block of rows for each event.

use super::{
    Format, Palette, Style, TimeStyle, Values, image_of, message_details, push_event_type,
    push_int, push_label,
};
use crate::model::event::{self, Event, Field, File, Process, Value, Word};
use crate::model::tables;
use crate::text::clock::Clock;
use crate::text::escape::{self, push_fmt};

/// The text layout, the default format.
pub struct Text {
    values: Values,
    palette: Palette,
    time: TimeStyle,
    verbose: bool,
    blocks: Vec<Block>,
}

/// The number of process blocks that are remembered.
const REMEMBERED: usize = 512;

/// The maximum total length of a process's texts for its block to be remembered, in bytes.
const MAX_TEXTS: usize = 1 << 10;

/// The block of a process that was written. Writing it again costs more than everything else in an event, and the same
/// processes appear again and again.
#[derive(Clone, Default)]
struct Block {
    /// The process, without its texts.
    process: Option<Process<'static>>,
    texts: [Option<(Vec<u8>, IsJson)>; TEXTS],
    text: Vec<u8>,
    /// The length of the rows that come before the thread's.
    ids: usize,
}

/// True if a text is written as in JSON.
type IsJson = bool;

impl Block {
    fn is_of(&self, process: &Process<'_>, verbose: bool) -> bool {
        let is_same = |(own, text): (&Option<(Vec<u8>, IsJson)>, Option<_>)| match (own, text) {
            (None, None) => true,
            (Some((own, is_json)), Some((text, is_text_json))) => {
                own == text && *is_json == is_text_json
            }
            _ => false,
        };
        let own = self.process.as_ref();
        own.is_some_and(|own| has_numbers_of(own, process, verbose))
            && self.texts.iter().zip(texts(process)).all(is_same)
    }

    fn become_of(&mut self, process: &Process<'_>) {
        self.process = Some(Process {
            signing_id: None,
            team_id: None,
            executable: process.executable.map(|file| File {
                path: event::Text::Known(""),
                ..file
            }),
            tty: None,
            cdhash: None,
            audit_token: process.audit_token,
            ppid: process.ppid,
            original_ppid: process.original_ppid,
            group_id: process.group_id,
            session_id: process.session_id,
            codesigning_flags: process.codesigning_flags,
            parent_audit_token: process.parent_audit_token,
            responsible_audit_token: process.responsible_audit_token,
            is_platform_binary: process.is_platform_binary,
            is_es_client: process.is_es_client,
            start_time: process.start_time,
            cs_validation_category: process.cs_validation_category,
        });
        self.texts =
            texts(process).map(|text| text.map(|(text, is_json)| (text.to_vec(), is_json)));
        self.text.clear();
    }

    /// Writes the block, with the thread between its rows.
    fn push(&self, out: &mut Vec<u8>, thread_id: Option<u64>) {
        let (ids, image) = self.text.split_at(self.ids);
        out.extend_from_slice(ids);
        push_thread_id(out, thread_id);
        out.extend_from_slice(image);
    }
}

/// Returns true if the block of a process isn't worth the memory that remembering it costs.
fn is_large(process: &Process<'_>) -> bool {
    let lengths = texts(process)
        .into_iter()
        .flatten()
        .map(|(text, _)| text.len());
    lengths.sum::<usize>() > MAX_TEXTS
}

/// Returns true if two processes are shown the same way except for their texts.
fn has_numbers_of(own: &Process<'_>, process: &Process<'_>, verbose: bool) -> bool {
    let is_truncated = |process: &Process<'_>| process.executable.map(|file| file.path_truncated);
    own.audit_token == process.audit_token
        && own.ppid == process.ppid
        && own.original_ppid == process.original_ppid
        && own.group_id == process.group_id
        && own.session_id == process.session_id
        && own.codesigning_flags == process.codesigning_flags
        && own.is_platform_binary == process.is_platform_binary
        && own.is_es_client == process.is_es_client
        && is_truncated(own) == is_truncated(process)
        && own.start_time == process.start_time
        && (!verbose
            || own.parent_audit_token == process.parent_audit_token
                && own.responsible_audit_token == process.responsible_audit_token
                && own.cs_validation_category == process.cs_validation_category)
}

/// The number of texts that are shown for a process.
const TEXTS: usize = 5;

fn texts<'m>(process: &Process<'m>) -> [Option<(&'m [u8], IsJson)>; TEXTS] {
    let texts = [
        process.image(),
        process.tty.map(|tty| tty.path),
        process.signing_id,
        process.team_id,
        process.cdhash,
    ];
    texts.map(|text| text.map(event::Text::written))
}

impl Text {
    /// The text layout in this style.
    pub fn new(style: Style) -> Self {
        Text {
            values: Values {
                clock: Clock::new(style.utc),
                redact: style.redact,
                numbers: true,
                separator: b", ",
                string_limit: style.string_limit,
            },
            palette: style.palette,
            time: style.time,
            verbose: style.verbose,
            blocks: vec![Block::default(); REMEMBERED],
        }
    }

    fn process(&mut self, out: &mut Vec<u8>, process: &Process<'_>, thread_id: Option<u64>) {
        let token = &process.audit_token;
        let pid = token.pid().map_or(0, i32::cast_unsigned);
        let place = (pid ^ token.pidversion().unwrap_or(0)) as usize % REMEMBERED;
        if is_large(process) {
            let mut block = Block::default();
            self.render(&mut block, process);
            block.push(out, thread_id);
            return;
        }
        if !self.blocks[place].is_of(process, self.verbose) {
            let mut block = std::mem::take(&mut self.blocks[place]);
            block.become_of(process);
            self.render(&mut block, process);
            self.blocks[place] = block;
        }
        self.blocks[place].push(out, thread_id);
    }

    /// Writes the rows of a process before and after its thread's row. A member that is missing has no row.
    fn render(&mut self, block: &mut Block, process: &Process<'_>) {
        let out = &mut block.text;
        let token = &process.audit_token;
        let different = |word, from| {
            token
                .get(word)
                .filter(|_| token.get(word) != token.get(from))
        };
        let mut number = |label: &[u8], number: Option<i64>| {
            if let Some(number) = number {
                out.extend_from_slice(label);
                push_int(out, number);
                out.push(b'\n');
            }
        };
        let verbose = |word| token.get(word).filter(|_| self.verbose);
        number(b"        PID : ", token.get(Word::Pid));
        number(b" pidversion : ", verbose(Word::PidVersion));
        number(b"       EUID : ", token.get(Word::Euid));
        number(b"       EGID : ", token.get(Word::Egid));
        number(b"       PPID : ", process.ppid.map(Into::into));
        number(b"       RUID : ", different(Word::Ruid, Word::Euid));
        number(b"       RGID : ", different(Word::Rgid, Word::Egid));
        let original_ppid = process.original_ppid;
        let original_ppid = original_ppid.filter(|_| original_ppid != process.ppid);
        number(b"      OPPID : ", original_ppid.map(Into::into));
        number(b"       AUID : ", verbose(Word::Auid));
        number(b"       ASID : ", verbose(Word::Asid));
        number(b"        GID : ", process.group_id.map(Into::into));
        number(b"        SID : ", process.session_id.map(Into::into));
        for (label, token) in [
            (b"     parent : ", process.parent_audit_token),
            (b"responsible : ", process.responsible_audit_token),
        ] {
            if let Some(token) = token.filter(|_| self.verbose) {
                out.extend_from_slice(label);
                self.values.push(out, &image_of(token));
                out.push(b'\n');
            }
        }
        push_text(out, b"        tty : ", process.tty.map(|tty| tty.path));
        block.ids = out.len();
        if let Some(image) = process.image() {
            out.extend_from_slice(b"       path : ");
            self.palette
                .paint(out, Palette::PROCESS, |out| escape::push(out, image));
            out.push(b'\n');
        }
        if let Some(flags) = process.codesigning_flags {
            out.extend_from_slice(b"    csflags : ");
            self.values
                .push_flags(out, &tables::CODESIGNING_FLAGS, flags.into());
            out.push(b'\n');
        }
        push_text(out, b"    sign_id : ", process.signing_id);
        push_text(out, b"     cdhash : ", process.cdhash);
        if let Some(category) = process.cs_validation_category {
            out.extend_from_slice(b" validation : ");
            let category = Value::Enum(&tables::CS_VALIDATION_CATEGORY, category.into());
            self.values.push(out, &category);
            out.push(b'\n');
        }
        if let Some(start_time) = process.start_time {
            out.extend_from_slice(b"    started : ");
            self.values.clock.push_second(out, start_time);
            out.push(b'\n');
        }
        push_extra(out, process);
        push_text(out, b"    team_id : ", process.team_id);
    }
}

fn push_text(out: &mut Vec<u8>, label: &[u8], text: Option<event::Text<'_>>) {
    if let Some(text) = text {
        out.extend_from_slice(label);
        escape::push(out, text);
        out.push(b'\n');
    }
}

/// Appends the row of a process's other properties, or nothing if none of them is known.
fn push_extra(out: &mut Vec<u8>, process: &Process<'_>) {
    let is_truncated = process.executable.is_some_and(|file| file.path_truncated);
    let [is_platform_binary, is_es_client] = [process.is_platform_binary, process.is_es_client];
    if is_platform_binary.is_none() && is_es_client.is_none() && !is_truncated {
        return;
    }
    out.extend_from_slice(b"      extra : ");
    for (is_so, word) in [
        (is_platform_binary, &b"(platform_binary) "[..]),
        (is_es_client, b"(es_client) "),
        (Some(is_truncated), b"(path_truncated) "),
    ] {
        if is_so == Some(true) {
            out.extend_from_slice(word);
        }
    }
    out.push(b'\n');
}

impl Format for Text {
    fn event(&mut self, event: &Event<'_>, out: &mut Vec<u8>) -> usize {
        out.extend_from_slice(b"event : ");
        self.palette.paint(out, Palette::EVENT, |out| {
            push_event_type(out, event.event_type)
        });
        out.push(b'\n');
        let mut time_at = out.len();
        if self.time != TimeStyle::None {
            out.extend_from_slice(b"  time: ");
            time_at = out.len();
            match event.time {
                Some(time) => self.time.push(out, &mut self.values.clock, time),
                None if self.time.stage().is_none() => out.extend_from_slice(b"(null)"),
                None => {}
            }
            out.push(b'\n');
        }
        if self.verbose {
            for (name, number) in message_details(event) {
                if let Some(number) = number {
                    push_fmt(out, format_args!("  {name} : {number}\n"));
                }
            }
        }
        for field in &event.fields {
            if !matches!(field.value, Value::Process(_)) {
                out.extend_from_slice(b"  ");
                push_label(out, field.label);
                out.extend_from_slice(b" : ");
                self.values.push(out, &field.value);
                out.push(b'\n');
            }
        }
        for Field { label, value, .. } in &event.fields {
            if let Value::Process(process) = value {
                out.push(b' ');
                push_label(out, *label);
                out.extend_from_slice(b":\n");
                self.process(out, process, None);
            }
        }
        if let Some(process) = &event.process {
            out.extend_from_slice(b" process:\n");
            self.process(out, process, event.thread_id);
        } else {
            out.extend_from_slice(b" process: (null)\n");
            push_thread_id(out, event.thread_id);
        }
        out.push(b'\n');
        time_at
    }
}

fn push_thread_id(out: &mut Vec<u8>, thread_id: Option<u64>) {
    if let Some(thread_id) = thread_id {
        out.extend_from_slice(b"   threadid : ");
        push_int(out, thread_id);
        out.push(b'\n');
    }
}
