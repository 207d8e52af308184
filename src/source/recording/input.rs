//! Opens recordings, decompresses them and reads them piece by piece.

use std::cell::Cell;
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, Cursor, Read};
use std::path::PathBuf;

use super::compressed::{self, Compression, Decompressed};
use super::encoding::{Order, Utf16};
use super::followed::Growing;
use super::framing::{Chunk, Framer};
use crate::exit::check_stdin;
use crate::model::event::Text;
use crate::pipeline::{Buffers, Feed};
use crate::text::escape;

/// The number of bytes to read at once. A read returns what is there, so that an event never waits for another.
const READ_SIZE: usize = 512 << 10;

/// The size of a page, or a part of it.
const PAGE: usize = 4096;

/// The place of a recording.
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

    /// Returns true if somebody waits for the next event.
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

/// Opens a recording. A recording that is followed is read up to its current end.
///
/// # Errors
/// Those of open(2), and of reading its first bytes.
pub fn open(input: &Input) -> io::Result<Box<dyn BufRead>> {
    match input {
        Input::Stdin => {
            check_stdin()?;
            decompressed(io::stdin().lock(), input)
        }
        Input::File(path) | Input::Followed(path) => decompressed(File::open(path)?, input),
    }
}

/// Makes a reader of a file that grows.
pub fn growing(file: Growing) -> Box<dyn BufRead> {
    Box::new(buffered(file))
}

/// Reads a recording to its end and gives its chunks to `feed` as soon as their last line is there. Stops when no more
/// is wanted.
///
/// # Errors
/// The recording can't be read or decompressed. The chunks before the error have been given.
pub fn read(reader: Box<dyn BufRead>, feed: &Feed<Chunk>) -> io::Result<()> {
    read_chunks(reader, feed.buffers(), |chunk| feed.piece(chunk))
}

/// Reads `source` like a recording, but never decompresses it.
///
/// # Errors
/// Those of `source`. The chunks before the error have been given.
#[cfg(target_os = "macos")]
pub fn read_live(source: impl Read, feed: &Feed<Chunk>) -> io::Result<()> {
    read_chunks(buffered(source), feed.buffers(), |chunk| feed.piece(chunk))
}

/// Reads text that is neither compressed nor in UTF-16, and calls `emit` with its chunks, in their order, until it
/// returns false.
///
/// # Errors
/// Those of `reader`. The chunks before the error have been given.
pub fn read_chunks(
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

/// The contents of `reader`, decompressed if they begin like something compressed, and in UTF-8.
fn decompressed<'r>(
    mut reader: impl Read + 'r,
    input: &Input,
) -> io::Result<Box<dyn BufRead + 'r>> {
    let head = compressed::beginning(&mut reader)?;
    let compression = Compression::of(&head);
    let order = Order::of(&head);
    let whole = buffered(Cursor::new(head).chain(reader));
    match compression {
        Some(Compression::Other(name, command)) => Err(not_read(input, name, command)),
        Some(_) => {
            let mut text = buffered(Decompressed::new(whole, input.to_string()));
            let head = compressed::beginning(&mut text)?;
            let order = Order::of(&head);
            Ok(utf8(Cursor::new(head).chain(text), order))
        }
        None => Ok(utf8(whole, order)),
    }
}

fn utf8<'r>(reader: impl BufRead + 'r, order: Option<Order>) -> Box<dyn BufRead + 'r> {
    match order {
        Some(order) => Box::new(buffered(Utf16::new(reader, order))),
        None => Box::new(reader),
    }
}

/// The error for a compressed file that isn't read, with what to do.
fn not_read(input: &Input, name: &str, command: &str) -> io::Error {
    io::Error::other(match input {
        Input::Stdin => format!("it is compressed with {name}: decompress it with {command}"),
        Input::File(path) | Input::Followed(path) => {
            let mut argument = Vec::new();
            let path = path.as_os_str().as_encoded_bytes();
            escape::push_argument(&mut argument, Text::Bytes(path));
            let argument = String::from_utf8_lossy(&argument);
            format!("it is compressed with {name}: {command} {argument} | proctracer -r -")
        }
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

/// Like the standard library's, except that data is read to the beginning of a page: some processors (AMD's, `rep
/// movsb`) copy three times as slowly to a place shortly after it.
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
