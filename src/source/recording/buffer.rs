//! The memory that a recording is read into.

use std::fmt;
use std::io::{self, Read};
use std::ops::Deref;

/// The number of bytes to read at once. A read returns what is there, so that an event never waits for another.
pub const READ_SIZE: usize = 512 << 10;

/// The least room for a read, in bytes.
const LEAST: usize = 64 << 10;

/// The size of a page, or a part of it.
const PAGE: usize = 4096;

/// Text that is read piece by piece. The first piece begins at the beginning of a page: some processors (AMD's, `rep
/// movsb`) copy three times as slowly to a place shortly after it.
pub struct Text {
    /// The text is at `start..end`; the rest is anything.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl Text {
    /// Begins a text with what has been read before, in a buffer with anything in it.
    pub fn new(mut buffer: Vec<u8>, begin: &[u8]) -> Text {
        let room = begin.len().next_multiple_of(PAGE);
        let size = PAGE + room + READ_SIZE;
        if buffer.capacity() < size {
            // Pages of new memory that aren't used cost nothing.
            buffer = vec![0; size];
        } else if buffer.len() < size {
            buffer.resize(size, 0);
        }
        let end = room + buffer.as_ptr().align_offset(PAGE).min(PAGE);
        let start = end - begin.len();
        buffer[start..end].copy_from_slice(begin);
        Text { buffer, start, end }
    }

    /// Appends what a single read returns, and returns the number of bytes.
    ///
    /// # Errors
    /// Those of `reader`.
    pub fn read(&mut self, reader: &mut impl Read) -> io::Result<usize> {
        if self.buffer.len() < self.end + LEAST {
            self.buffer.resize(self.end + READ_SIZE, 0);
        }
        let to = self.buffer.len().min(self.end + READ_SIZE);
        let count = reader.read(&mut self.buffer[self.end..to])?;
        self.end = to.min(self.end + count);
        Ok(count)
    }

    /// Keeps only the first bytes.
    pub fn truncate(&mut self, length: usize) {
        self.end = self.end.min(self.start + length);
    }

    /// The memory, to be used again.
    pub fn into_buffer(self) -> Vec<u8> {
        self.buffer
    }
}

impl Deref for Text {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Text) -> bool {
        **self == **other
    }
}

impl Eq for Text {}
