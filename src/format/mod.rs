//! Formats: text, line, JSON and timelines.
//!
//! A format appends an event to a buffer. A value looks the same in all formats for people; they differ in how they
//! arrange values.

mod json;
mod line;
mod text;
mod time;
pub mod timeline;

use clap::ValueEnum;

use crate::model::event::{
    self, AuditToken, Event, EventType, Field, File, Label, Process, Value, Word,
};
use crate::model::tables;
use crate::model::wait::Wait;
use crate::text::clock::Clock;
use crate::text::escape::{self, push_fmt};
use crate::text::{json as json_text, redact};

pub use json::Json;
pub use line::Line;
pub use text::Text;
pub use time::{Elapsed, TimeStyle};
pub use timeline::Timeline;

/// A format.
pub trait Format: Send {
    /// Appends an event and returns the position of its time in `out`.
    fn event(&mut self, event: &Event<'_>, out: &mut Vec<u8>) -> usize;
}

/// A format, as the option names it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// A block of rows for each event
    #[default]
    Text,
    /// One line an event, made for grep and awk
    Line,
    /// One JSON object a line, as eslogger writes them
    Json,
    /// A timeline for ui.perfetto.dev, in Perfetto's own format
    Perfetto,
    /// The same timeline as JSON, which Chrome and other viewers read
    Chrome,
}

/// The settings for how events are shown.
#[derive(Clone, Copy, Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "an option without a value is one"
)]
pub struct Style {
    /// The format.
    pub kind: Kind,
    /// True for times in UTC.
    pub utc: bool,
    /// The colours.
    pub palette: Palette,
    /// True if the environment of programs is shown.
    pub env: bool,
    /// True if the values in the environment are replaced.
    pub redact: bool,
    /// True if a terminal reads the output.
    pub terminal: bool,
    /// The style of times.
    pub time: TimeStyle,
    /// The number of characters after which a value is cut.
    pub string_limit: Option<usize>,
    /// True if details are shown as well.
    pub verbose: bool,
}

impl Style {
    /// Creates the format; each thread has its own.
    pub fn format(self) -> Box<dyn Format> {
        match self.kind {
            Kind::Text => Box::new(Text::new(self)),
            Kind::Line => Box::new(Line::new(self)),
            Kind::Json => Box::new(self.json(self.terminal)),
            Kind::Perfetto => Box::new(timeline::PerfettoEvents::new(self.timeline_values())),
            Kind::Chrome => Box::new(timeline::ChromeEvents::new(self.timeline_values())),
        }
    }

    /// The stage that draws a timeline, if the format is one.
    pub fn timeline(self) -> Option<Timeline> {
        match self.kind {
            Kind::Perfetto => Some(Timeline::perfetto(self.timeline_values())),
            Kind::Chrome => Some(Timeline::chrome(self.timeline_values())),
            Kind::Text | Kind::Line | Kind::Json => None,
        }
    }

    /// The writer of values in a timeline: as in a line, but never cut.
    fn timeline_values(self) -> Values {
        Values {
            string_limit: None,
            ..self.line_values()
        }
    }

    /// The writer of values in a line.
    fn line_values(self) -> Values {
        Values {
            clock: Clock::new(self.utc),
            redact: self.redact,
            numbers: false,
            separator: b",",
            string_limit: self.string_limit,
        }
    }

    /// The format of recorded events.
    pub fn recorder(self) -> Json {
        self.json(false)
    }

    /// Returns true if the format shows the JSON of a message.
    pub fn needs_json(self) -> bool {
        self.kind == Kind::Json
    }

    fn json(self, terminal: bool) -> Json {
        Json {
            terminal,
            redact: self.redact,
        }
    }
}

/// The colours of a terminal (ECMA-48, "SGR"), used only if this is true.
#[derive(Clone, Copy, Debug, Default)]
pub struct Palette(pub bool);

impl Palette {
    /// The colour of an event's name.
    pub const EVENT: &'static [u8] = b"\x1b[1;36m";
    /// The colour of the text that identifies a process.
    pub const PROCESS: &'static [u8] = b"\x1b[32m";
    /// The colour of a failure.
    pub const FAILURE: &'static [u8] = b"\x1b[31m";
    /// The colour of less important text.
    pub const DIM: &'static [u8] = b"\x1b[2m";
    const RESET: &'static [u8] = b"\x1b[0m";

    /// Appends what `push` writes, in `colour`.
    pub fn paint(self, out: &mut Vec<u8>, colour: &[u8], push: impl FnOnce(&mut Vec<u8>)) {
        if self.0 {
            out.extend_from_slice(colour);
        }
        push(out);
        if self.0 {
            out.extend_from_slice(Self::RESET);
        }
    }
}

/// Writes values.
struct Values {
    clock: Clock,
    /// True if the values of environment variables are replaced.
    redact: bool,
    /// True if a name is followed by its number in parentheses.
    numbers: bool,
    /// The separator of the members of a structure and of the elements of a list.
    separator: &'static [u8],
    /// The number of characters after which a text is cut.
    string_limit: Option<usize>,
}

impl Values {
    fn push(&mut self, out: &mut Vec<u8>, value: &Value<'_>) {
        match value {
            Value::Bool(bool) => out.extend_from_slice(if *bool { b"true" } else { b"false" }),
            Value::Int(int) => push_int(out, *int),
            Value::Address(address) => push_hex(out, *address),
            Value::Flags(table, bits) => self.push_flags(out, table, *bits),
            Value::Enum(table, number) => self.push_named(out, table.name(*number), *number),
            Value::Mode(mode) => push_mode(out, *mode),
            Value::Device(dev) => push_device(out, *dev),
            Value::WaitStatus(status) => self.push_wait_status(out, *status),
            Value::Time(time) => self.clock.push_exact(out, *time),
            Value::Token(token) => self.push_token(out, token),
            Value::Text(text) => self.push_text(out, *text, escape::push),
            Value::File(file) => self.push_file(out, *file),
            Value::Process(process) => push_process(out, process, push_file),
            Value::Args(args) => self.push_arguments(out, args),
            Value::Env(env) if self.redact => push_arguments(out, env, |out, variable| {
                if let Some(name) = redact::name(variable) {
                    escape::push_argument(out, name);
                    out.push(b'=');
                }
                out.extend_from_slice(redact::REDACTED.as_bytes());
            }),
            Value::Env(env) => self.push_arguments(out, env),
            Value::Strings(strings) => self.push_list(out, strings, |values, out, string| {
                values.push_text(out, *string, escape::push_argument)
            }),
            Value::Ints(ints) => self.push_list(out, ints, |_, out, int| push_int(out, *int)),
            Value::List(list) => self.push_list(out, list, |values, out, fields| {
                values.push_struct(out, fields)
            }),
            Value::Json(json) => {
                let mut canonical = Vec::new();
                // The JSON was parsed before, so this can't fail.
                if json_text::push_canonical(&mut canonical, json).is_err() {
                    canonical = json.to_vec();
                }
                if self.redact {
                    let mut redacted = Vec::new();
                    canonical = match redact::push_json(&mut redacted, &canonical) {
                        Ok(()) => redacted,
                        Err(_) => redact::REDACTED.into(),
                    };
                }
                escape::push_bytes(out, &canonical);
            }
        }
    }

    /// Appends a text as `push` writes it. If the text is longer than the limit, the rest is cut and `…(+123)` follows.
    fn push_text(
        &self,
        out: &mut Vec<u8>,
        text: event::Text<'_>,
        push: impl Fn(&mut Vec<u8>, event::Text<'_>),
    ) {
        let Some(limit) = self.string_limit else {
            return push(out, text);
        };
        let bytes = text.bytes();
        let (head, rest) = escape::cut(&bytes, limit);
        push(out, event::Text::Bytes(head));
        if rest > 0 {
            push_fmt(out, format_args!("…(+{rest})"));
        }
    }

    fn push_file(&self, out: &mut Vec<u8>, file: File<'_>) {
        self.push_text(out, file.path, |out, path| {
            push_file(out, File { path, ..file })
        });
    }

    fn push_arguments(&self, out: &mut Vec<u8>, arguments: &[event::Text<'_>]) {
        push_arguments(out, arguments, |out, argument| {
            self.push_text(out, argument, escape::push_argument)
        });
    }

    fn push_list<T>(
        &mut self,
        out: &mut Vec<u8>,
        list: &[T],
        mut push: impl FnMut(&mut Self, &mut Vec<u8>, &T),
    ) {
        out.push(b'[');
        for (at, element) in list.iter().enumerate() {
            if at > 0 {
                out.extend_from_slice(self.separator);
            }
            push(self, out, element);
        }
        out.push(b']');
    }

    fn push_struct(&mut self, out: &mut Vec<u8>, fields: &[Field<'_>]) {
        out.push(b'{');
        for (at, field) in fields.iter().enumerate() {
            if at > 0 {
                out.extend_from_slice(self.separator);
            }
            push_label(out, field.label);
            out.push(b'=');
            self.push(out, &field.value);
        }
        out.push(b'}');
    }

    fn push_token(&self, out: &mut Vec<u8>, token: &AuditToken) {
        const ORDER: [Word; 8] = [
            Word::Pid,
            Word::PidVersion,
            Word::Auid,
            Word::Euid,
            Word::Egid,
            Word::Ruid,
            Word::Rgid,
            Word::Asid,
        ];
        out.push(b'{');
        let start = out.len();
        for word in ORDER {
            if let Some(value) = token.get(word) {
                if out.len() > start {
                    out.extend_from_slice(self.separator);
                }
                out.extend_from_slice(word.name().as_bytes());
                out.push(b'=');
                push_int(out, value);
            }
        }
        out.push(b'}');
    }

    /// `A|B|0x40 (67)`; if no bit is set, the name of the empty set or `0`.
    fn push_flags(&self, out: &mut Vec<u8>, table: &tables::Flags, number: i128) {
        let start = out.len();
        let rest = table.names(bits_of(number), |name| {
            if out.len() > start {
                out.push(b'|');
            }
            out.extend_from_slice(name.as_bytes());
        });
        if rest != 0 {
            if out.len() > start {
                out.push(b'|');
            }
            push_hex(out, rest.into());
        }
        if out.len() == start {
            match table.zero {
                Some(zero) => out.extend_from_slice(zero.as_bytes()),
                None => return push_int(out, number),
            }
        }
        self.push_number(out, number);
    }

    /// `NAME (number)`, or the number alone if it has no name.
    fn push_named(&self, out: &mut Vec<u8>, name: Option<&str>, number: i128) {
        match name {
            Some(name) => {
                out.extend_from_slice(name.as_bytes());
                self.push_number(out, number);
            }
            None => push_int(out, number),
        }
    }

    /// `exited 1 (256)`, `SIGKILL (9)`, `SIGSEGV core dumped (139)`.
    fn push_wait_status(&self, out: &mut Vec<u8>, status: i128) {
        match Wait::from(status) {
            Wait::Exited(code) => push_fmt(out, format_args!("exited {code}")),
            Wait::Killed { signal, has_core } => {
                out.extend_from_slice(signal.as_bytes());
                if has_core {
                    out.extend_from_slice(b" core dumped");
                }
            }
            Wait::Other => return push_int(out, status),
        }
        self.push_number(out, status);
    }

    fn push_number(&self, out: &mut Vec<u8>, number: i128) {
        if self.numbers {
            out.extend_from_slice(b" (");
            push_int(out, number);
            out.push(b')');
        }
    }
}

/// The bits of a C integer. A negative one has 32 bits, because no set of flags is a signed long.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the bits are what is wanted"
)]
fn bits_of(number: i128) -> u64 {
    if number < 0 && number >= i128::from(i32::MIN) {
        u64::from(number as u32)
    } else {
        number as u64
    }
}

fn push_int(out: &mut Vec<u8>, int: impl itoa::Integer) {
    out.extend_from_slice(itoa::Buffer::new().format(int).as_bytes());
}

/// Appends the name. For an event unknown to this build: its name, if it came with one, and its number.
fn push_event_type(out: &mut Vec<u8>, event_type: EventType<'_>) {
    match event_type {
        EventType::Known(row) => out.extend_from_slice(row.name.as_bytes()),
        EventType::Unknown { number, name } => {
            escape::push(out, name);
            if let Some(number) = number {
                out.extend_from_slice(b" (");
                push_int(out, number);
                out.push(b')');
            }
        }
    }
}

fn push_hex(out: &mut Vec<u8>, number: i128) {
    push_fmt(out, format_args!("{:#x}", bits_of(number)));
}

/// `S_IFREG|0644`, as strace writes it.
fn push_mode(out: &mut Vec<u8>, mode: i128) {
    const S_IFMT: i128 = 0o170_000;
    if !(0..=0xffff).contains(&mode) {
        return push_int(out, mode);
    }
    match tables::FILE_TYPE.name(mode & S_IFMT) {
        Some(name) => push_fmt(out, format_args!("{name}|0{:03o}", mode & !S_IFMT)),
        None => push_fmt(out, format_args!("0{mode:03o}")),
    }
}

/// `major,minor`, by `<sys/types.h>` of macOS.
fn push_device(out: &mut Vec<u8>, dev: i128) {
    let dev = bits_of(dev);
    push_fmt(out, format_args!("{},{}", dev >> 24, dev & 0xff_ffff));
}

fn push_file(out: &mut Vec<u8>, file: File<'_>) {
    escape::push(out, file.path);
    if file.path_truncated {
        out.extend_from_slice(b" (truncated)");
    }
}

/// `IMAGE[PID]`, with `-` for a part that is missing; `-` alone if both are.
fn push_process(
    out: &mut Vec<u8>,
    process: &Process<'_>,
    push_image: impl FnOnce(&mut Vec<u8>, File<'_>),
) {
    match process.executable {
        Some(image) => push_image(out, image),
        None => out.push(b'-'),
    }
    match process.audit_token.pid() {
        Some(pid) => {
            out.push(b'[');
            push_int(out, pid);
            out.push(b']');
        }
        None if process.executable.is_some() => out.extend_from_slice(b"[-]"),
        None => {}
    }
}

/// The image that a token identifies, without its user: `{pid=1, pidversion=2}`.
fn image_of(token: AuditToken) -> Value<'static> {
    let mut image = AuditToken::default();
    for word in [Word::Pid, Word::PidVersion] {
        if let Some(value) = token.word(word) {
            image.set(word, value);
        }
    }
    Value::Token(image)
}

/// The numbers of a message that `-v` adds, with their names.
fn message_details(event: &Event<'_>) -> [(&'static str, Option<u64>); 4] {
    [
        ("version", event.version.map(Into::into)),
        ("seq_num", event.seq_num),
        ("global_seq_num", event.global_seq_num),
        ("mach_time", event.mach_time),
    ]
}

fn push_arguments<'m>(
    out: &mut Vec<u8>,
    arguments: &[event::Text<'m>],
    push: impl Fn(&mut Vec<u8>, event::Text<'m>),
) {
    for (at, argument) in arguments.iter().enumerate() {
        if at > 0 {
            out.push(b' ');
        }
        push(out, *argument);
    }
}

fn push_label(out: &mut Vec<u8>, label: Label<'_>) {
    if !label.within.is_empty() {
        out.extend_from_slice(label.within.as_bytes());
        out.push(b'.');
    }
    escape::push(out, label.name);
}

/// Puts a backslash before every quote from `start` on.
fn escape_quotes(out: &mut Vec<u8>, start: usize) {
    if memchr::memchr(b'"', &out[start..]).is_some() {
        let quoted = out.split_off(start);
        for byte in quoted {
            if byte == b'"' {
                out.push(b'\\');
            }
            out.push(byte);
        }
    }
}
