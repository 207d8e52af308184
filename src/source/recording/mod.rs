//! Recordings: messages in eslogger's JSON from a file or standard input, on any OS.
//!
//! `input` opens and decompresses, `framing` finds where objects begin and end, `decode` makes events
//! of them with the scanner in [`crate::text::json`]. Framing goes from the first byte to the last; decoding takes the
//! [`Chunk`]s in any order, so that it can be done by several threads.

mod decode;
mod framing;
mod input;
mod prefilter;
#[cfg(test)]
mod tests;

use bumpalo::Bump;
use memchr::{memchr, memchr_iter, memmem, memrchr};

pub use decode::Decoder;
pub use framing::Chunk;
use framing::Shape;
pub use input::Input;
#[cfg(target_os = "macos")]
pub use input::read_live;
pub use prefilter::Prefilter;

use crate::model::event::{Event, EventType};
use crate::order::damage::{Damage, MAX_WARNINGS};
use crate::order::loss::{Origin, Tally};
use crate::pipeline::{Buffers, Decode, Feed, Found, Piece, Source};
use crate::select::Need;
use crate::text::json::{Error, Scanner};
use decode::Complaint;

/// Recordings, one after the other.
pub struct Recordings {
    inputs: Vec<Input>,
    need: Need,
}

impl Recordings {
    /// The recordings at `inputs`, of which that is needed.
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

    /// What was read is whole: nothing has to be waited for.
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
            loop {
                let origin = Origin::Recording(input.to_string());
                let reader = match input::open(input) {
                    Ok(reader) => reader,
                    Err(error) => {
                        if !feed.failed(origin, error) {
                            return;
                        }
                        break;
                    }
                };
                if !feed.begin(origin, input.is_live()) {
                    return;
                }
                let result = input::read(reader, feed);
                let goes_on = result.is_ok() && matches!(input, Input::Followed(_));
                if !feed.end(result) {
                    return;
                }
                if !goes_on {
                    break;
                }
            }
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
    /// Decodes what is needed, and gives the chunks' memory back to `buffers`.
    pub fn new(need: &Need, buffers: &Buffers) -> Objects {
        Objects {
            prefilter: Prefilter::new(need),
            decoder: Decoder {
                env: need.env,
                redact: need.redact,
                lineage: need.lineage,
            },
            tally: Tally::new(),
            buffers: buffers.clone(),
        }
    }
}

impl Decode<Chunk> for Objects {
    fn decode(&mut self, chunk: Chunk, event: &mut impl FnMut(&Event<'_>)) -> Found {
        let damage = decode(
            &chunk,
            self.decoder,
            &self.prefilter,
            &mut self.tally,
            event,
        );
        self.buffers.give(chunk.text);
        Found {
            damage,
            stretches: self.tally.take(),
        }
    }
}

/// How often an object is looked for in the rest of a damaged line.
const ATTEMPTS: usize = 64;

/// What may stand around an object without any harm: white space, the brackets and commas of an array of
/// objects, a byte-order mark, and the `^D\b\b` that a terminal echoes before eslogger's first line.
pub(super) fn is_harmless(byte: u8) -> bool {
    b" \t\r\n[,]^D\x04\x08\xef\xbb\xbf".contains(&byte)
}

/// Reads the events of a chunk, in their order. `tally` takes the numbers of those that `prefilter` rejects
/// for other reasons than their type, too.
pub fn decode(
    chunk: &Chunk,
    decoder: Decoder,
    prefilter: &Prefilter,
    tally: &mut Tally,
    mut event: impl FnMut(&Event<'_>),
) -> Vec<Damage> {
    let arena = Bump::new();
    let mut reader = Reader {
        chunk,
        decoder,
        arena: &arena,
        tally,
        damage: Vec::new(),
        counted: (0, chunk.first_line),
    };
    if chunk.shape == Shape::Regular && prefilter.rejects() {
        let mut at = 0;
        while let Some((line, is_wanted)) = prefilter.next_line(&chunk.text, at) {
            at = line.end;
            if is_wanted || !reader.skim(&chunk.text[line.clone()]) {
                reader.objects(line.start, line.end, &mut event);
            }
        }
    } else {
        reader.objects(0, chunk.text.len(), &mut event);
    }
    reader.damage
}

/// What is read of a chunk.
struct Reader<'m, 't> {
    chunk: &'m Chunk,
    decoder: Decoder,
    /// What has to be made for the events of the chunk.
    arena: &'m Bump,
    tally: &'t mut Tally,
    damage: Vec<Damage>,
    /// An offset, and the line that it is in: lines are counted on from there.
    counted: (usize, u64),
}

impl<'m> Reader<'m, '_> {
    /// Takes only the numbers of a line; false where it isn't plain what they are.
    fn skim(&mut self, line: &[u8]) -> bool {
        let Some(numbers) = prefilter::numbers(line) else {
            return false;
        };
        self.tally.observe(
            EventType::Known(numbers.row),
            numbers.is_auth,
            Some(numbers.seq_num),
            Some(numbers.global_seq_num),
        );
        true
    }

    /// Reads the objects between two offsets.
    fn objects(&mut self, start: usize, end: usize, event: &mut impl FnMut(&Event<'_>)) {
        let text = &self.chunk.text[..end];
        let mut at = start;
        // Where the line ends: looked for only where something is wrong, and once.
        let mut known = start;
        let mut line_end = |at: usize| {
            if at >= known {
                known = end_of_line(text, at);
            }
            known
        };
        while let Some(skipped) = text[at..].iter().position(|byte| !is_harmless(*byte)) {
            at += skipped;
            if text[at] != b'{' {
                self.lost(at, || "no JSON object".to_owned());
                let end = line_end(at);
                at = memchr(b'{', &text[at..end]).map_or(end, |brace| at + brace);
                continue;
            }
            // An object that was cut must not go on with the next line.
            let within = match self.chunk.shape {
                Shape::Regular | Shape::Object => text,
                Shape::Cut if self.damage.is_empty() => text.trim_ascii_end(),
                Shape::Cut | Shape::Mixed => &text[..line_end(at)],
            };
            let mut scanner = Scanner::new(within, at);
            match self.decoder.message(&mut scanner, self.arena) {
                Ok(message) => {
                    for complaint in &message.complaints {
                        self.complain(complaint);
                    }
                    let message = message.event;
                    self.tally.observe(
                        message.event_type,
                        message.is_auth(),
                        message.seq_num,
                        message.global_seq_num,
                    );
                    event(&message);
                    at = scanner.at();
                }
                Err(error) => at = self.broken_object(text, at, line_end(at), &error),
            }
        }
    }

    /// Tells of an object that is no message, and returns where to go on.
    fn broken_object(
        &mut self,
        text: &'m [u8],
        at: usize,
        line_end: usize,
        error: &Error,
    ) -> usize {
        let place = match self.chunk.shape {
            Shape::Object | Shape::Cut => error.at,
            Shape::Regular | Shape::Mixed => error.at.min(line_end),
        };
        self.lost(place, || {
            let line_start = memrchr(b'\n', &text[..place]).map_or(0, |newline| newline + 1);
            format!("{error} (column {})", place - line_start + 1)
        });
        if error.mismatch {
            let mut scanner = Scanner::new(text, at);
            if scanner.skip().is_ok() {
                return scanner.at();
            }
        }
        if self.chunk.shape == Shape::Object {
            return text.len();
        }
        // The line was cut, and the newline with it: what follows may be whole.
        let next = memmem::find_iter(&text[at + 1..line_end], b"{\"")
            .map(|brace| at + 1 + brace)
            .take(ATTEMPTS);
        let is_message = |at: &usize| {
            let mut scanner = Scanner::new(text, *at);
            self.decoder.message(&mut scanner, self.arena).is_ok()
        };
        next.into_iter().find(is_message).unwrap_or(line_end)
    }

    fn complain(&mut self, complaint: &Complaint) {
        let Complaint { member, error } = complaint;
        self.damaged(error.at, false, || format!("member \"{member}\": {error}"));
    }

    fn lost(&mut self, at: usize, reason: impl FnOnce() -> String) {
        // The lines of an object that was cut are one loss.
        if self.chunk.shape != Shape::Cut || self.damage.is_empty() {
            self.damaged(at, true, reason);
        }
    }

    fn damaged(&mut self, at: usize, is_loss: bool, reason: impl FnOnce() -> String) {
        let alike = |damage: &&mut Damage| damage.is_loss == is_loss;
        if self.damage.len() as u64 >= MAX_WARNINGS
            && let Some(last) = self.damage.iter_mut().rfind(alike)
        {
            last.count += 1;
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
        // What is told of a line may lie before what was told of it last.
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

fn end_of_line(text: &[u8], at: usize) -> usize {
    memchr(b'\n', &text[at..]).map_or(text.len(), |newline| at + newline)
}

/// Whether a text is a message.
pub(super) fn is_message(text: &[u8]) -> bool {
    Decoder::default()
        .message(&mut Scanner::new(text, 0), &Bump::new())
        .is_ok()
}
