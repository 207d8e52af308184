//! Opens recordings, decompresses them and reads them piece by piece.

use std::cell::Cell;
use std::fmt;
use std::fs::{File, Metadata};
use std::io::{self, BufRead, Cursor, Read};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use flate2::bufread::MultiGzDecoder;
use same_file::Handle;

use super::framing::{Chunk, Framer};
use crate::pipeline::{Buffers, Feed};
use crate::text::escape;

/// How much is read at once, in bytes. What is there is taken, so that an event never waits for another.
const READ_SIZE: usize = 512 << 10;

/// How often a followed file is looked at when there was nothing new.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The size of a page, or a part of it.
const PAGE: usize = 4096;

/// The first bytes of a gzip member (RFC 1952) and of a Zstandard frame (RFC 8878).
const GZIP: &[u8] = b"\x1f\x8b";
const ZSTD: &[u8] = b"\x28\xb5\x2f\xfd";

/// Where a recording is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// `-`
    Stdin,
    /// A file, to its end.
    File(PathBuf),
    /// A file that grows.
    Followed(PathBuf),
}

impl Input {
    /// Returns true if it is a file that can be read again.
    pub fn is_regular_file(&self) -> bool {
        let is_regular = |path: &PathBuf| path.metadata().is_ok_and(|metadata| metadata.is_file());
        matches!(self, Input::File(path) if is_regular(path))
    }

    /// Whether somebody waits for what comes next.
    pub fn is_live(&self) -> bool {
        !matches!(self, Input::File(_))
    }
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Input::Stdin => f.write_str("standard input"),
            Input::File(path) | Input::Followed(path) => f.write_str(&escape::name(path)),
        }
    }
}

/// Opens a recording.
///
/// # Errors
/// Those of open(2), and of its first bytes.
pub fn open(input: &Input) -> io::Result<Box<dyn BufRead>> {
    match input {
        Input::Stdin => decompressed(io::stdin().lock()),
        Input::File(path) => decompressed(File::open(path)?),
        Input::Followed(path) => Ok(Box::new(buffered(Followed::open(path)?))),
    }
}

/// Reads a recording to its end and gives its chunks as soon as their last line is there. Stops when no more is
/// wanted. A file that is followed ends where another one takes its place, or where it is emptied.
///
/// # Errors
/// It can't be read or decompressed. What came before the error has been given.
pub fn read(reader: Box<dyn BufRead>, feed: &Feed<Chunk>) -> io::Result<()> {
    read_from(reader, feed.buffers(), |chunk| feed.piece(chunk))
}

/// Reads what comes as a recording would, but never compressed.
///
/// # Errors
/// Those of `source`. What came before the error has been given.
#[cfg(target_os = "macos")]
pub fn read_live(source: impl Read, feed: &Feed<Chunk>) -> io::Result<()> {
    read_from(buffered(source), feed.buffers(), |chunk| feed.piece(chunk))
}

fn read_from(
    mut reader: impl BufRead,
    buffers: &Buffers,
    mut emit: impl FnMut(Chunk) -> bool,
) -> io::Result<()> {
    let mut framer = Framer::new(buffers);
    let wanted = Cell::new(true);
    let mut emit = |chunk| wanted.set(wanted.get() && emit(chunk));
    let result = loop {
        let data = match reader.fill_buf() {
            Ok([]) => break Ok(()),
            Ok(data) => data,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => break Err(error),
        };
        framer.push(data, &mut emit);
        let count = data.len();
        reader.consume(count);
        if !wanted.get() {
            return Ok(());
        }
    };
    framer.end(&mut emit);
    result
}

/// A file that grows, as `tail -F` reads it: what is there under its name.
struct Followed {
    path: PathBuf,
    file: Handle,
    read: u64,
    is_over: bool,
}

impl Followed {
    fn open(path: &Path) -> io::Result<Followed> {
        let mut head = Vec::new();
        File::open(path)?
            .take(ZSTD.len() as u64)
            .read_to_end(&mut head)?;
        if head.starts_with(GZIP) || head.starts_with(ZSTD) {
            return Err(io::Error::other(
                "it is compressed: only a plain file can be followed",
            ));
        }
        Ok(Followed {
            path: path.to_owned(),
            file: Handle::from_path(path)?,
            read: 0,
            is_over: false,
        })
    }

    /// Whether nothing more will come: another file has its name, or it is shorter than it was. Where its name
    /// is gone another file is still to come.
    fn is_replaced(&self) -> bool {
        let is_shorter = |metadata: Metadata| metadata.is_file() && metadata.len() < self.read;
        Handle::from_path(&self.path).is_ok_and(|now| now != self.file)
            || self.file.as_file().metadata().is_ok_and(is_shorter)
    }
}

impl Read for Followed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = self.file.as_file_mut().read(buffer)?;
            self.read += count as u64;
            if count > 0 || self.is_over {
                return Ok(count);
            }
            // What came before it was replaced is still read.
            self.is_over = self.is_replaced();
            if !self.is_over {
                thread::sleep(LOOK_EVERY);
            }
        }
    }
}

/// What `reader` gives, decompressed where it begins like something compressed.
fn decompressed<'r>(mut reader: impl Read + 'r) -> io::Result<Box<dyn BufRead + 'r>> {
    let mut head = Vec::new();
    while [GZIP, ZSTD]
        .iter()
        .any(|magic| head.len() < magic.len() && magic.starts_with(&head))
    {
        let mut byte = [0];
        match reader.read(&mut byte) {
            Ok(0) => break,
            Ok(_) => head.push(byte[0]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let kind = head.clone();
    let whole = buffered(Cursor::new(head).chain(reader));
    Ok(if kind == GZIP {
        Box::new(buffered(MultiGzDecoder::new(whole)))
    } else if kind == ZSTD {
        Box::new(buffered(zstd::Decoder::with_buffer(whole)?))
    } else {
        Box::new(whole)
    })
}

fn buffered<R: Read>(reader: R) -> Buffered<R> {
    let mut buffer = vec![0; READ_SIZE + PAGE];
    let start = buffer.as_ptr().align_offset(PAGE).min(PAGE);
    buffer.truncate(start + READ_SIZE);
    Buffered {
        reader,
        buffer,
        start,
        at: start,
        end: start,
    }
}

/// Like the standard library's, save that what is read goes to the beginning of a page: some processors
/// (AMD's, `rep movsb`) copy to a place shortly after it three times as slowly.
struct Buffered<R> {
    reader: R,
    buffer: Vec<u8>,
    start: usize,
    at: usize,
    end: usize,
}

impl<R: Read> Read for Buffered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}

impl<R: Read> BufRead for Buffered<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.at == self.end {
            let count = self.reader.read(&mut self.buffer[self.start..])?;
            (self.at, self.end) = (self.start, self.start + count);
        }
        Ok(&self.buffer[self.at..self.end])
    }

    fn consume(&mut self, count: usize) {
        self.at = (self.at + count).min(self.end);
    }
}
