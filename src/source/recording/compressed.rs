//! Compressed recordings: gzip members, Zstandard frames and bzip2 streams, one after the other.

use std::io::{self, BufRead, Read};

use bzip2::bufread::BzDecoder;
use flate2::bufread::GzDecoder;

use super::encoding::Order;
use crate::exit::warn;

/// The compression of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// A gzip member (RFC 1952).
    Gzip,
    /// A Zstandard frame (RFC 8878).
    Zstd,
    /// A bzip2 stream.
    Bzip2,
    /// Another one, which isn't read here: its name, and the command that decompresses a file to standard output.
    Other(&'static str, &'static str),
}

/// The first bytes of each kind of compressed file.
const BEGINNINGS: [(&[u8], Compression); 15] = [
    (b"\x1f\x8b", Compression::Gzip),
    (b"\x28\xb5\x2f\xfd", Compression::Zstd),
    (b"BZh", Compression::Bzip2),
    (b"\xfd7zXZ\0", Compression::Other("xz", "xz -dc")),
    (b"\x04\x22\x4d\x18", Compression::Other("lz4", "lz4 -dc")),
    (b"\x02\x21\x4c\x18", Compression::Other("lz4", "lz4 -dc")),
    (b"PK\x03\x04", Compression::Other("zip", "unzip -p")),
    (b"PK\x05\x06", Compression::Other("zip", "unzip -p")),
    (
        b"7z\xbc\xaf\x27\x1c",
        Compression::Other("7-Zip", "7z x -so"),
    ),
    (b"LZIP", Compression::Other("lzip", "lzip -dc")),
    (b"\x1f\x9d", Compression::Other("compress", "uncompress -c")),
    (b"bvx1", LZFSE),
    (b"bvx2", LZFSE),
    (b"bvxn", LZFSE),
    (b"bvx-", LZFSE),
];

const LZFSE: Compression = Compression::Other("LZFSE", "compression_tool -decode -i");

/// The end of the first four bytes of a skippable Zstandard frame, which other tools put before or between others; the
/// first byte is 0x50 to 0x5f.
const SKIPPABLE: &[u8] = b"\x2a\x4d\x18";

/// The maximum number of bytes needed to recognise the compression.
pub const BEGINNING: usize = 6;

impl Compression {
    /// The compression of a file with this beginning.
    pub fn of(beginning: &[u8]) -> Option<Compression> {
        if let [0x50..=0x5f, rest @ ..] = beginning
            && rest.starts_with(SKIPPABLE)
        {
            return Some(Compression::Zstd);
        }
        let mut all = BEGINNINGS.into_iter();
        all.find_map(|(magic, compression)| beginning.starts_with(magic).then_some(compression))
    }

    /// Returns true if it depends on further bytes.
    pub fn is_undecided(beginning: &[u8]) -> bool {
        let goes_on = |magic: &[u8], beginning: &[u8]| {
            magic.len() > beginning.len() && magic.starts_with(beginning)
        };
        BEGINNINGS
            .iter()
            .any(|(magic, _)| goes_on(magic, beginning))
            || matches!(beginning, [0x50..=0x5f, rest @ ..] if goes_on(SKIPPABLE, rest))
    }
}

/// Reads the first bytes from `reader`, as many as it takes to recognise the compression and UTF-16.
///
/// # Errors
/// Those of `reader`.
pub fn beginning(reader: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    while Compression::is_undecided(&head) || Order::is_undecided(&head) {
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

/// The decompressed contents of a reader.
///
/// Zeros may follow, for example if a file is padded to whole blocks. Anything else is ignored with a warning, as
/// gzip(1) does, because all events are there.
pub struct Decompressed<R: BufRead> {
    /// The name of the input, for warnings.
    name: String,
    state: State<R>,
}

enum State<R: BufRead> {
    Gzip(Box<GzDecoder<Returned<R>>>),
    Zstd(zstd::Decoder<'static, Returned<R>>),
    Bzip2(Box<BzDecoder<Returned<R>>>),
    Between(Returned<R>),
    Over,
}

impl<R: BufRead> Decompressed<R> {
    /// Decompresses the contents of `reader`, with this name.
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

    /// Begins the next compressed part.
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
            Some(Compression::Bzip2) => State::Bzip2(Box::new(BzDecoder::new(reader))),
            Some(Compression::Other(..)) | None => {
                let what = if has_padding {
                    "padding"
                } else {
                    "compressed data"
                };
                warn(format_args!(
                    "{}: ignored the data after the {what}",
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
                State::Bzip2(decoder) => decoder.read(buffer)?,
                State::Between(_) => 0,
                State::Over => return Ok(0),
            };
            if count > 0 || buffer.is_empty() {
                return Ok(count);
            }
            let reader = match std::mem::replace(&mut self.state, State::Over) {
                State::Gzip(decoder) => decoder.into_inner(),
                State::Zstd(decoder) => decoder.finish(),
                State::Bzip2(decoder) => decoder.into_inner(),
                State::Between(reader) => reader,
                State::Over => return Ok(0),
            };
            self.state = self.begin(reader)?;
        }
    }
}

/// A reader, and bytes that were read from it and will be read again.
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
