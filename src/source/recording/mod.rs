//! Recordings: messages in eslogger's JSON from a file or standard input, on any OS.
//!
//! [`input`] opens and decompresses, [`framing`] finds where objects begin and end, [`decode`] makes events
//! of them with the scanner in [`json`]. Framing goes from the first byte to the last; decoding takes the
//! [`framing::Chunk`]s in any order, so that it can be done by several threads.

mod decode;
mod framing;
mod input;
pub mod json;
mod prefilter;
#[cfg(test)]
mod tests;

use memchr::{memchr, memchr_iter, memmem, memrchr};

pub use decode::Decoder;
pub use framing::Chunk;
pub use input::{Buffers, Input, read};
pub use prefilter::Prefilter;

use crate::event::{Event, EventType};
use crate::loss::Tally;
use decode::Complaint;
use json::{Error, Scanner};

/// Something in a recording that was not as it should be.
#[derive(Debug)]
pub struct Damage {
    /// The line, counted from 1.
    pub line: u64,
    /// What is wrong.
    pub reason: String,
    /// Whether an event was lost by it, and not only the type of a member.
    pub is_loss: bool,
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
pub fn decode<'m>(
    chunk: &'m Chunk,
    decoder: Decoder,
    prefilter: &Prefilter,
    tally: &mut Tally,
    mut event: impl FnMut(&Event<'m>),
) -> Vec<Damage> {
    let mut reader = Reader {
        chunk,
        decoder,
        tally,
        damage: Vec::new(),
        counted: (0, chunk.first_line),
    };
    if chunk.is_regular && prefilter.rejects() {
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
            Some(numbers.seq_num),
            Some(numbers.global_seq_num),
        );
        true
    }

    /// Reads the objects between two offsets.
    fn objects(&mut self, start: usize, end: usize, event: &mut impl FnMut(&Event<'m>)) {
        let text = &self.chunk.text[..end];
        let mut at = start;
        while let Some(skipped) = text[at..].iter().position(|byte| !is_harmless(*byte)) {
            at += skipped;
            if text[at] != b'{' {
                at = self.no_object(text, at);
                continue;
            }
            // An object that was cut must not go on with the next line.
            let end = if self.chunk.is_regular || self.chunk.is_one_object {
                text.len()
            } else {
                end_of_line(text, at)
            };
            let mut scanner = Scanner::new(&text[..end], at);
            match self.decoder.message(&mut scanner) {
                Ok(message) => {
                    if let Some(complaint) = message.complaint {
                        self.complain(&complaint);
                    }
                    let message = message.event;
                    self.tally
                        .observe(message.event_type, message.seq_num, message.global_seq_num);
                    event(&message);
                    at = scanner.at();
                }
                Err(error) => at = self.broken_object(text, at, &error),
            }
        }
    }

    /// Tells of text that is no object, and returns where to go on: at an object later in the line.
    fn no_object(&mut self, text: &'m [u8], at: usize) -> usize {
        let line = &text[at..end_of_line(text, at)];
        self.lost(at, "no JSON object".to_owned());
        memchr(b'{', line).map_or(at + line.len(), |brace| at + brace)
    }

    /// Tells of an object that is no message, and returns where to go on.
    fn broken_object(&mut self, text: &'m [u8], at: usize, error: &Error) -> usize {
        let place = if self.chunk.is_one_object {
            error.at
        } else {
            error.at.min(end_of_line(text, at))
        };
        let line_start = memrchr(b'\n', &text[..place]).map_or(0, |newline| newline + 1);
        let column = place - line_start + 1;
        self.lost(place, format!("{error} (column {column})"));
        if error.mismatch {
            let mut scanner = Scanner::new(text, at);
            if scanner.skip().is_ok() {
                return scanner.at();
            }
        }
        if self.chunk.is_one_object {
            return text.len();
        }
        // The line was cut, and the newline with it: what follows may be whole.
        let end = end_of_line(text, at);
        let next = memmem::find_iter(&text[at + 1..end], b"{\"")
            .map(|brace| at + 1 + brace)
            .take(ATTEMPTS);
        let is_message = |at: &usize| self.decoder.message(&mut Scanner::new(text, *at)).is_ok();
        next.into_iter().find(is_message).unwrap_or(end)
    }

    fn complain(&mut self, complaint: &Complaint) {
        let reason = format!("member \"{}\": {}", complaint.member, complaint.error);
        let line = self.line_of(complaint.error.at);
        self.damage.push(Damage {
            line,
            reason,
            is_loss: false,
        });
    }

    fn lost(&mut self, at: usize, reason: String) {
        let line = self.line_of(at);
        self.damage.push(Damage {
            line,
            reason,
            is_loss: true,
        });
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

/// Whether a line is a message by itself.
pub(super) fn is_message(line: &[u8]) -> bool {
    let start = line
        .iter()
        .position(|byte| !is_harmless(*byte))
        .unwrap_or(line.len());
    Decoder::default()
        .message(&mut Scanner::new(line, start))
        .is_ok()
}
