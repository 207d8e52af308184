//! Recordings: messages in eslogger's JSON from a file or standard input, on any OS.
//!
//! `input` opens and decompresses, `framing` finds where objects begin and end, `decode` makes events from them with
//! the scanner in [`crate::text::json`]. Framing goes from the first byte to the last; decoding takes the [`Chunk`]s in
//! any order, so that several threads can do it.

mod buffer;
mod compressed;
mod decode;
mod encoding;
mod followed;
mod framing;
mod input;
mod prefilter;
#[cfg(test)]
mod tests;
mod time;
mod walk;
mod wrapped;

use std::io::{self, Read};
use std::ops::Range;
use std::path::Path;

use bumpalo::Bump;
use memchr::{memchr, memchr_iter, memmem, memrchr};

pub use decode::Decoder;
use followed::Followed;
pub use framing::Chunk;
use framing::Shape;
#[cfg(target_os = "macos")]
pub use input::read_live;
pub use input::{Input, read_chunks};
pub use prefilter::Prefilter;

use crate::model::event::{Event, EventType};
use crate::order::damage::{Damage, MAX_WARNINGS, NO_OBJECT};
use crate::order::loss::{Origin, Tally};
use crate::pipeline::{Buffers, Decode, Feed, Found, Piece, Source};
use crate::select::Need;
use crate::text::json::{Error, Result, Scanner};
use crate::text::redact;
use decode::{Complaint, Message};
use walk::{Broken, Step, Walk, is_harmless};

/// Recordings, one after the other.
pub struct Recordings {
    inputs: Vec<Input>,
    need: Need,
}

impl Recordings {
    /// Creates a source of the recordings at `inputs`, for this need.
    pub fn new(inputs: Vec<Input>, need: Need) -> Recordings {
        Recordings { inputs, need }
    }
}

impl Source for Recordings {
    type Piece = Chunk;
    type Decoder = Objects;

    fn decoder(&self, buffers: &Buffers) -> Objects {
        Objects::new(&self.need, buffers)
    }

    /// Everything that was read is complete: nothing has to be waited for.
    fn stopper(&self) -> Box<dyn Fn() -> bool + Send + Sync> {
        Box::new(|| false)
    }

    fn again(&self) -> Option<Box<dyn FnOnce(Need) -> Self>> {
        let inputs = self.inputs.clone();
        let are_files = inputs.iter().all(Input::is_regular_file);
        are_files.then(|| {
            let again: Box<dyn FnOnce(Need) -> Self> =
                Box::new(move |need| Recordings::new(inputs, need));
            again
        })
    }

    fn run(self, feed: &Feed<Chunk>) {
        for input in &self.inputs {
            let goes_on = match input {
                Input::Followed(path) => follow(input, path, feed),
                Input::Stdin | Input::File(_) => read(input, input::open(input), feed),
            };
            if !goes_on {
                return;
            }
        }
    }
}

/// Gives a recording to the feed. Returns true if more is wanted.
fn read(input: &Input, reader: io::Result<Box<dyn Read>>, feed: &Feed<Chunk>) -> bool {
    let origin = Origin::Recording(input.to_string());
    match reader {
        Ok(reader) => feed.begin(origin, input.is_live()) && feed.end(input::read(reader, feed)),
        Err(error) => feed.failed(origin, error),
    }
}

/// Gives the files that have a name one after the other. Returns true if more is wanted, which is possible only if
/// there is no first file.
fn follow(input: &Input, path: &Path, feed: &Feed<Chunk>) -> bool {
    let mut followed = Followed::new(path);
    loop {
        let goes_on = read(input, followed.open().map(input::growing), feed);
        if !goes_on || !followed.has_begun() {
            return goes_on;
        }
    }
}

impl Piece for Chunk {
    fn size(&self) -> usize {
        self.text.len()
    }
}

/// Decodes chunks.
pub struct Objects {
    prefilter: Prefilter,
    decoder: Decoder,
    tally: Tally,
    buffers: Buffers,
}

impl Objects {
    /// Creates a decoder for this need, which returns the chunks' memory to `buffers`.
    pub fn new(need: &Need, buffers: &Buffers) -> Objects {
        Objects {
            prefilter: Prefilter::new(need),
            decoder: Decoder {
                env: need.env,
                redact: need.redact,
                lineage: need.lineage || need.verbose,
                verbose: need.verbose,
            },
            tally: Tally::new(),
            buffers: buffers.clone(),
        }
    }
}

impl Decode<Chunk> for Objects {
    fn decode(&mut self, chunk: Chunk, event: &mut impl FnMut(&Event<'_>)) -> Found {
        let (damage, has_messages) = decode(
            &chunk,
            self.decoder,
            &self.prefilter,
            &mut self.tally,
            event,
        );
        self.buffers.give(chunk.text.into_buffer());
        Found {
            damage,
            stretches: self.tally.take(),
            has_messages,
        }
    }
}

/// Reads the events of a chunk, in their order. `tally` also takes the numbers of messages that `prefilter` rejects for
/// reasons other than their type. Returns the damage, and true if there is a message in it.
pub fn decode(
    chunk: &Chunk,
    decoder: Decoder,
    prefilter: &Prefilter,
    tally: &mut Tally,
    mut event: impl FnMut(&Event<'_>),
) -> (Vec<Damage>, bool) {
    let arena = Bump::new();
    let mut reader = Reader {
        chunk,
        decoder,
        prefilter,
        arena: &arena,
        tally,
        event: &mut event,
        damage: Vec::new(),
        has_messages: false,
        counted: (0, chunk.first_line),
    };
    match &chunk.shape {
        Shape::Lines(odd) => {
            let mut at = 0;
            for stretch in odd {
                reader.plain_lines(at..stretch.start);
                let is_reported = stretch.start == 0 && chunk.is_reported;
                reader.stretch(stretch.clone(), is_reported);
                at = stretch.end;
            }
            reader.plain_lines(at..chunk.text.len());
        }
        Shape::Part => reader.part(),
        Shape::Inner => {
            // If it isn't a message, it is a part of the object around it.
            let _ = reader.object(0..chunk.text.len());
        }
    }
    (reader.damage, reader.has_messages)
}

/// Reads a chunk.
struct Reader<'m, 't, E> {
    chunk: &'m Chunk,
    decoder: Decoder,
    prefilter: &'t Prefilter,
    /// The memory for the events of the chunk.
    arena: &'m Bump,
    tally: &'t mut Tally,
    event: &'t mut E,
    damage: Vec<Damage>,
    has_messages: bool,
    /// An offset and its line, from which lines are counted on.
    counted: (usize, u64),
}

/// The findings in a line.
#[derive(Default)]
struct Line {
    /// The beginning of the first text that isn't an object and hasn't been reported.
    text: Option<usize>,
    has_event: bool,
    /// True if something was lost, and has been reported.
    is_reported: bool,
}

impl<'m, E: FnMut(&Event<'_>)> Reader<'m, '_, E> {
    /// Reads lines each of which begins and ends like an object, or is empty.
    fn plain_lines(&mut self, range: Range<usize>) {
        let mut at = range.start;
        if self.prefilter.rejects() {
            let text = &self.chunk.text[range.clone()];
            // Rejected messages are messages all the same.
            self.has_messages |= memmem::find(text, b"\"event\"").is_some();
            for (line, is_wanted) in self.prefilter.lines(text) {
                if is_wanted || !self.skim(&text[line.clone()]) {
                    self.plain_line(range.start + line.start, range.start + line.end);
                }
            }
        } else {
            while at < range.end {
                at = self.plain_line(at, range.end);
            }
        }
    }

    /// Reads the first line from `at` on that isn't empty, and returns its end.
    fn plain_line(&mut self, at: usize, end: usize) -> usize {
        let text = &self.chunk.text[..end];
        let mut scanner = Scanner::new(text, at);
        if scanner.peek() == 0 {
            return end;
        }
        let start = scanner.at();
        let message = self.message(&mut scanner);
        let after = scanner.at();
        work::add(after - at);
        let rest = text[after..]
            .iter()
            .position(|byte| !b" \t\r".contains(byte));
        let after = rest.map_or(end, |rest| after + rest);
        if let Ok(message) = message
            && matches!(text.get(after), None | Some(b'\n'))
        {
            self.give(&message, None);
            return end.min(after + 1);
        }
        let line_end = memchr(b'\n', &text[start..]).map_or(end, |newline| start + newline + 1);
        self.stretch(start..line_end, false);
        line_end
    }

    /// Takes only the numbers of a line; returns false if they can't be found easily.
    fn skim(&mut self, line: &[u8]) -> bool {
        let Some(numbers) = prefilter::numbers(line) else {
            return false;
        };
        self.tally.note(
            EventType::Known(numbers.row),
            numbers.is_auth,
            Some(numbers.seq_num),
            Some(numbers.global_seq_num),
            numbers.time,
        );
        true
    }

    /// Reads text that isn't plain lines.
    fn stretch(&mut self, range: Range<usize>, is_reported: bool) {
        let text = &self.chunk.text[range.clone()];
        let within = |inner: &Range<usize>| range.start + inner.start..range.start + inner.end;
        let mut walk = Walk::new(usize::MAX);
        let mut line = Line {
            is_reported,
            ..Line::default()
        };
        let mut at = 0;
        loop {
            let (taken, found) = walk.take(&text[at..]);
            at += taken;
            match found.or_else(|| walk.end()) {
                Some(Step::Text(text)) => self.text(within(&text), &mut line),
                Some(Step::Object(object)) => self.whole_object(within(&object), &mut line),
                Some(Step::Broken(broken)) => {
                    let inner = broken.inner.iter().map(within).collect();
                    let broken = Broken {
                        range: within(&broken.range),
                        at: range.start + broken.at,
                        inner,
                        ..broken
                    };
                    self.broken_object(&broken, &mut line);
                }
                Some(Step::LineEnd) => self.end_line(&mut line),
                // Only objects that are too large are split.
                Some(Step::Limit | Step::Inner(_) | Step::SplitEnd) => {}
                None => break,
            }
        }
        self.end_line(&mut line);
    }

    fn text(&mut self, text: Range<usize>, line: &mut Line) {
        // A terminal echoes this before eslogger's first line.
        let is_echo = self.chunk.text[text.clone()] == *b"^D\x08\x08";
        if !text.is_empty() && !is_echo {
            line.text.get_or_insert(text.start);
        }
    }

    fn whole_object(&mut self, object: Range<usize>, line: &mut Line) {
        match self.object(object.clone()) {
            Ok(()) => {
                if let Some(text) = line.text.take() {
                    self.damaged(text, false, || "text before an object".to_owned());
                }
                (line.has_event, line.is_reported) = (true, false);
            }
            Err(_) if wrapped::is_end_of_log(&self.chunk.text[object]) => {}
            Err(error) => self.lost(error.at, error.what, line),
        }
    }

    fn broken_object(&mut self, broken: &Broken, line: &mut Line) {
        let text = &self.chunk.text[broken.range.clone()];
        // In an object that was cut, the messages after the cut look like a part of it: they begin a line, or end it.
        // Within a message, nothing else is a message, whatever it looks like.
        let is_message = has_event(text);
        let reports = self.damage.len();
        work::add(text.len());
        let mut first = None;
        for inner in &broken.inner {
            let [before, after] = [broken.range.start..inner.start, inner.end..broken.range.end]
                .map(|around| &self.chunk.text[around]);
            let space = &before[before.trim_ascii_end().len()..];
            let begins_line = space.contains(&b'\n');
            let ends_it = after.iter().all(|byte| is_harmless(*byte));
            if (!is_message || begins_line || ends_it) && self.object(inner.clone()).is_ok() {
                first.get_or_insert(inner.start);
            }
        }
        let inner_reports = self.damage.len();
        match first {
            // The object was cut before that.
            Some(inner) => {
                let end = self.chunk.text[..inner].trim_ascii_end().len();
                self.lost(end, "expected a value", line);
            }
            None => self.lost(broken.at, broken.what, line),
        }
        // The object's own damage comes before the damage of those in it.
        if self.damage.len() > inner_reports {
            self.damage[reports..].rotate_right(1);
        }
        line.has_event |= first.is_some();
        line.is_reported = first.is_none();
        if text.ends_with(b"\n") {
            *line = Line::default();
        }
    }

    fn end_line(&mut self, line: &mut Line) {
        let line = std::mem::take(line);
        match line.text {
            Some(text) if line.has_event => {
                self.damaged(text, false, || "text after an object".to_owned());
            }
            Some(text) if !line.is_reported => {
                self.damaged(text, true, || NO_OBJECT.to_owned());
            }
            _ => {}
        }
    }

    /// Reads the whole objects in a part of one that is too large.
    fn part(&mut self) {
        let mut walk = Walk::new(usize::MAX);
        walk.take(&self.chunk.text);
        let mut has_event = false;
        if let Some(Step::Broken(broken)) = walk.end() {
            for inner in broken.inner {
                has_event |= self.object(inner).is_ok();
            }
        }
        if !has_event {
            self.damaged(0, true, || "an object of more than 8 MiB".to_owned());
        }
    }

    /// Reads the message that an object is, or the messages in it.
    fn object(&mut self, object: Range<usize>) -> Result<()> {
        let text = &self.chunk.text[..object.end];
        work::add(object.len());
        let error = match self.message(&mut Scanner::new(text, object.start)) {
            Ok(message) => {
                self.give(&message, None);
                return Ok(());
            }
            Err(error) => error,
        };
        let start = object.start;
        let has_found = wrapped::search(&text[start..], self.arena, &mut |inner| {
            work::add(inner.len());
            let message = self.message(&mut Scanner::new(inner, 0));
            message.is_ok_and(|message| {
                self.give(&message, Some(start));
                true
            })
        });
        if has_found { Ok(()) } else { Err(error) }
    }

    /// Reads the next message, if it can be shown.
    fn message(&self, scanner: &mut Scanner<'m>) -> Result<Message<'m>> {
        let start = scanner.at();
        let message = self.decoder.message(scanner, self.arena)?;
        if self.decoder.redact {
            let redacted = redact::push_json(&mut Vec::new(), message.event.json);
            redacted.map_err(|error| Error::mismatch(start, error.what))?;
        }
        Ok(message)
    }

    /// Gives the event of a message, which may be in the object at `outer`.
    fn give(&mut self, message: &Message<'_>, outer: Option<usize>) {
        for Complaint { member, error } in &message.complaints {
            self.damaged(outer.unwrap_or(error.at), false, || {
                format!("member \"{member}\": {error}")
            });
        }
        let event = &message.event;
        self.has_messages = true;
        self.tally.note(
            event.event_type,
            event.is_auth(),
            event.seq_num,
            event.global_seq_num,
            event.time,
        );
        (self.event)(event);
    }

    /// Reports a loss, once per line.
    fn lost(&mut self, at: usize, what: &str, line: &mut Line) {
        if !line.is_reported {
            let before = &self.chunk.text[..at];
            let line_start = memrchr(b'\n', before).map_or(0, |newline| newline + 1);
            self.damaged(at, true, || {
                format!("{what} (column {})", at - line_start + 1)
            });
        }
        line.text = None;
        line.is_reported = true;
    }

    fn damaged(&mut self, at: usize, is_loss: bool, reason: impl FnOnce() -> String) {
        // The first ones are reported one by one; further ones are counted after them.
        let most = usize::try_from(MAX_WARNINGS).unwrap_or(usize::MAX);
        if let Some(further) = self.damage.get_mut(most..)
            && let Some(alike) = further.iter_mut().find(|damage| damage.is_loss == is_loss)
        {
            alike.count += 1;
            return;
        }
        let damage = Damage {
            line: self.line_of(at),
            reason: reason(),
            is_loss,
            count: 1,
        };
        self.damage.push(damage);
    }

    fn line_of(&mut self, at: usize) -> u64 {
        let (from, line) = self.counted;
        // A report on a line may be about an earlier place than the last report on it.
        let (from, line) = if from <= at {
            (from, line)
        } else {
            (0, self.chunk.first_line)
        };
        let newlines = memchr_iter(b'\n', &self.chunk.text[from..at]).count() as u64;
        self.counted = (at, line + newlines);
        line + newlines
    }
}

/// Counts, in tests, the bytes that are looked at to find objects and messages.
mod work {
    #[cfg(test)]
    thread_local!(static BYTES: std::cell::Cell<u64> = const { std::cell::Cell::new(0) });

    #[cfg(test)]
    pub fn add(bytes: usize) {
        BYTES.set(BYTES.get() + bytes as u64);
    }

    #[cfg(not(test))]
    pub fn add(_: usize) {}

    /// The count since the last call.
    #[cfg(test)]
    pub fn take() -> u64 {
        BYTES.take()
    }
}

/// Returns true if an object, up to its first error, has a member `event`.
fn has_event(object: &[u8]) -> bool {
    let mut has_event = false;
    // The error in it is known.
    let _ = Scanner::new(object, 0).object(|scanner, key| {
        has_event |= key.inside == b"event";
        scanner.skip()
    });
    has_event
}
