//! Opens recordings, decompresses them and reads them piece by piece.

use std::cell::Cell;
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::PathBuf;

use super::buffer::READ_SIZE;
use super::compressed::{self, Compression, Decompressed};
use super::encoding::{Order, Utf16};
use super::followed::Growing;
use super::framing::{Chunk, Framer};
use crate::exit::{Stream, check_path, check_stream, patiently};
use crate::model::event::Text;
use crate::pipeline::{Buffers, Feed};
use crate::text::escape;

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
pub fn open(input: &Input) -> io::Result<Box<dyn Read>> {
    match input {
        Input::Stdin => {
            check_stream(Stream::Stdin)?;
            decompressed(Patient(io::stdin().lock()), input)
        }
        Input::File(path) | Input::Followed(path) => {
            check_path(path)?;
            decompressed(File::open(path)?, input)
        }
    }
}

/// A reader of a stream that may be non-blocking.
struct Patient<R>(R);

impl<R: Read> Read for Patient<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        patiently(|| self.0.read(buffer))
    }
}

/// Makes a reader of a file that grows.
pub fn growing(file: Growing) -> Box<dyn Read> {
    Box::new(file)
}

/// Reads a recording to its end and gives its chunks to `feed` as soon as their last line is there. Stops when no more
/// is wanted.
///
/// # Errors
/// The recording can't be read or decompressed. The chunks before the error have been given.
pub fn read(reader: Box<dyn Read>, feed: &Feed<Chunk>) -> io::Result<()> {
    read_chunks(reader, feed.buffers(), |chunk| feed.piece(chunk))
}

/// Reads `source` like a recording, but never decompresses it.
///
/// # Errors
/// Those of `source`. The chunks before the error have been given.
#[cfg(target_os = "macos")]
pub fn read_live(source: impl Read, feed: &Feed<Chunk>) -> io::Result<()> {
    read_chunks(source, feed.buffers(), |chunk| feed.piece(chunk))
}

/// Reads text that is neither compressed nor in UTF-16, and calls `emit` with its chunks, in their order, until it
/// returns false.
///
/// # Errors
/// Those of `reader`. The chunks before the error have been given.
pub fn read_chunks(
    mut reader: impl Read,
    buffers: &Buffers,
    mut emit: impl FnMut(Chunk) -> bool,
) -> io::Result<()> {
    let mut framer = Framer::new(buffers);
    let wanted = Cell::new(true);
    let mut emit = |chunk| wanted.set(wanted.get() && emit(chunk));
    let result = loop {
        match framer.read(&mut reader, &mut emit) {
            Ok(true) => {}
            Ok(false) => break Ok(()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => break Err(error),
        }
        if !wanted.get() {
            return Ok(());
        }
    };
    framer.end(&mut emit);
    result
}

/// The contents of `reader`, decompressed if they begin like something compressed, and in UTF-8.
fn decompressed<'r>(mut reader: impl Read + 'r, input: &Input) -> io::Result<Box<dyn Read + 'r>> {
    let head = compressed::beginning(&mut reader)?;
    let compression = Compression::of(&head);
    let order = Order::of(&head);
    let whole = Cursor::new(head).chain(reader);
    match compression {
        Some(Compression::Other(name, command)) => Err(not_read(input, name, command)),
        Some(_) => {
            let mut text = Decompressed::new(buffered(whole), input.to_string());
            let head = compressed::beginning(&mut text)?;
            let order = Order::of(&head);
            Ok(utf8(Cursor::new(head).chain(text), order))
        }
        None => Ok(utf8(whole, order)),
    }
}

fn utf8<'r>(reader: impl Read + 'r, order: Option<Order>) -> Box<dyn Read + 'r> {
    match order {
        Some(order) => Box::new(Utf16::new(buffered(reader), order)),
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

fn buffered(reader: impl Read) -> impl BufRead {
    BufReader::with_capacity(READ_SIZE, reader)
}
