//! Compressed recordings: gzip members and Zstandard frames, one after the other.

use std::io::{self, BufRead, Read};

use flate2::bufread::GzDecoder;

use crate::exit::warn;

/// How something is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// A gzip member (RFC 1952).
    Gzip,
    /// A Zstandard frame (RFC 8878).
    Zstd,
}

/// How many bytes say how something is compressed.
pub const BEGINNING: usize = 4;

impl Compression {
    /// How something is compressed that begins so.
    pub fn of(beginning: &[u8]) -> Option<Compression> {
        match beginning {
            [0x1f, 0x8b, ..] => Some(Compression::Gzip),
            // A frame, or one to skip, which other tools put before or between them.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => {
                Some(Compression::Zstd)
            }
            _ => None,
        }
    }

    /// Returns true if it depends on more bytes.
    pub fn is_undecided(beginning: &[u8]) -> bool {
        matches!(
            beginning,
            [] | [0x1f | 0x28 | 0x50..=0x5f]
                | [0x28, 0xb5]
                | [0x28, 0xb5, 0x2f]
                | [0x50..=0x5f, 0x2a]
                | [0x50..=0x5f, 0x2a, 0x4d]
        )
    }
}

/// The first bytes of what `reader` gives, as many as say how it is compressed.
///
/// # Errors
/// Those of `reader`.
pub fn beginning(reader: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    while Compression::is_undecided(&head) {
        let mut byte = [0];
        match reader.read(&mut byte) {
            Ok(0) => break,
            Ok(_) => head.push(byte[0]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(head)
}

/// What a reader gives, decompressed.
///
/// Zeros may follow, as where a file is padded to whole blocks. Anything else is ignored with a warning, as gzip(1)
/// does, because all events are there.
pub struct Decompressed<R: BufRead> {
    /// What is read, in warnings.
    name: String,
    state: State<R>,
}

enum State<R: BufRead> {
    Gzip(Box<GzDecoder<Returned<R>>>),
    Zstd(zstd::Decoder<'static, Returned<R>>),
    Between(Returned<R>),
    Over,
}

impl<R: BufRead> Decompressed<R> {
    /// What `reader` gives under a name.
    pub fn new(reader: R, name: String) -> Decompressed<R> {
        let reader = Returned {
            bytes: Vec::new(),
            reader,
        };
        Decompressed {
            name,
            state: State::Between(reader),
        }
    }

    /// Goes on with what comes next.
    fn begin(&mut self, mut reader: Returned<R>) -> io::Result<State<R>> {
        let mut has_padding = false;
        loop {
            let buffer = reader.fill_buf()?;
            let count = buffer.len();
            let zeros = buffer.iter().take_while(|byte| **byte == 0).count();
            reader.consume(zeros);
            has_padding |= zeros > 0;
            if count == 0 {
                return Ok(State::Over);
            }
            if zeros < count {
                break;
            }
        }
        let head = beginning(&mut reader)?;
        let compression = Compression::of(&head);
        reader.bytes = head;
        Ok(match compression {
            Some(Compression::Gzip) => State::Gzip(Box::new(GzDecoder::new(reader))),
            Some(Compression::Zstd) => {
                State::Zstd(zstd::Decoder::with_buffer(reader)?.single_frame())
            }
            None => {
                let what = if has_padding {
                    "padding"
                } else {
                    "compressed data"
                };
                warn(format_args!(
                    "{}: ignored what follows the {what}",
                    self.name
                ));
                State::Over
            }
        })
    }
}

impl<R: BufRead> Read for Decompressed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = match &mut self.state {
                State::Gzip(decoder) => decoder.read(buffer)?,
                State::Zstd(decoder) => decoder.read(buffer)?,
                State::Between(_) => 0,
                State::Over => return Ok(0),
            };
            if count > 0 || buffer.is_empty() {
                return Ok(count);
            }
            let reader = match std::mem::replace(&mut self.state, State::Over) {
                State::Gzip(decoder) => decoder.into_inner(),
                State::Zstd(decoder) => decoder.finish(),
                State::Between(reader) => reader,
                State::Over => return Ok(0),
            };
            self.state = self.begin(reader)?;
        }
    }
}

/// A reader, and bytes that were read from it and are to be read again.
struct Returned<R> {
    bytes: Vec<u8>,
    reader: R,
}

impl<R: BufRead> Read for Returned<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}

impl<R: BufRead> BufRead for Returned<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.bytes.is_empty() {
            self.reader.fill_buf()
        } else {
            Ok(&self.bytes)
        }
    }

    fn consume(&mut self, count: usize) {
        if self.bytes.is_empty() {
            self.reader.consume(count);
        } else {
            self.bytes.drain(..count);
        }
    }
}
