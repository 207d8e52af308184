//! Opens recordings, decompresses them and reads them piece by piece.

use std::cell::Cell;
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use flate2::bufread::MultiGzDecoder;
use memchr::memrchr;

use super::framing::{Chunk, Framer, MAX_OBJECT};

/// How much is read at once, in bytes. What is there is taken, so that an event never waits for another.
const READ_SIZE: usize = 512 << 10;

/// How many buffers wait to be used again, at the most.
const KEPT: usize = 16;

/// The first bytes of a gzip member (RFC 1952) and of a Zstandard frame (RFC 8878).
const GZIP: &[u8] = b"\x1f\x8b";
const ZSTD: &[u8] = b"\x28\xb5\x2f\xfd";

/// Where a recording is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// `-`
    Stdin,
    /// A file.
    File(PathBuf),
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Input::Stdin => f.write_str("standard input"),
            // Its name may be as strange as any other.
            Input::File(path) => {
                let mut name = Vec::new();
                crate::escape::push_bytes(&mut name, path.as_os_str().as_encoded_bytes());
                f.write_str(&String::from_utf8_lossy(&name))
            }
        }
    }
}

/// Reads a recording to its end and gives its chunks as soon as their last line is there. Stops when `emit`
/// says false.
///
/// # Errors
/// The file can't be opened, read or decompressed. What came before the error has been given.
pub fn read(
    input: &Input,
    buffers: &Buffers,
    mut emit: impl FnMut(Chunk) -> bool,
) -> io::Result<()> {
    let file: Box<dyn Read> = match input {
        Input::Stdin => Box::new(io::stdin().lock()),
        Input::File(path) => Box::new(File::open(path)?),
    };
    let mut reader = decompressed(file)?;
    let mut framer = Framer::new();
    let wanted = Cell::new(true);
    let mut emit = |chunk| wanted.set(wanted.get() && emit(chunk));
    let mut text = buffers.take();
    let result = loop {
        let data = match reader.fill_buf() {
            Ok([]) => break Ok(()),
            Ok(data) => data,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => break Err(error),
        };
        let count = data.len();
        let (whole, rest) = data.split_at(memrchr(b'\n', data).map_or(0, |newline| newline + 1));
        text.extend_from_slice(whole);
        if !whole.is_empty() || text.len() > MAX_OBJECT {
            framer.push_buffer(&mut text, &mut emit);
            buffers.give(std::mem::replace(&mut text, buffers.take()));
        }
        text.extend_from_slice(rest);
        reader.consume(count);
        if !wanted.get() {
            return Ok(());
        }
    };
    framer.push(&text, &mut emit);
    framer.end(&mut emit);
    result
}

/// Buffers that go round: memory that is new costs more than what is read into it.
#[derive(Clone, Debug, Default)]
pub struct Buffers(Arc<Mutex<Vec<Vec<u8>>>>);

impl Buffers {
    /// A buffer with nothing in it.
    pub fn take(&self) -> Vec<u8> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop()
            .unwrap_or_default()
    }

    /// Takes a buffer back, unless it is too small to be of use or became too large to be kept.
    pub fn give(&self, mut buffer: Vec<u8>) {
        buffer.clear();
        let mut buffers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if (READ_SIZE / 4..=2 * READ_SIZE).contains(&buffer.capacity()) && buffers.len() < KEPT {
            buffers.push(buffer);
        }
    }
}

/// What `reader` gives, decompressed where it begins like something compressed.
fn decompressed(mut reader: Box<dyn Read>) -> io::Result<Box<dyn BufRead>> {
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

fn buffered<R: Read>(reader: R) -> BufReader<R> {
    BufReader::with_capacity(READ_SIZE, reader)
}
