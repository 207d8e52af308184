//! Buffers that are reused: new memory costs more than what is read into it.

use std::sync::{Arc, Mutex, PoisonError};

/// The maximum number of buffers that wait to be used again.
const KEPT: usize = 16;

/// The size of buffers that are worth keeping, in bytes.
const SIZE: usize = 512 << 10;

/// Buffers that are reused.
#[derive(Clone, Debug, Default)]
pub struct Buffers(Arc<Mutex<Vec<Vec<u8>>>>);

impl Buffers {
    /// Returns an empty buffer.
    pub fn take(&self) -> Vec<u8> {
        let mut buffer = self.take_used();
        buffer.clear();
        buffer
    }

    /// Returns a buffer with anything in it: it need not be filled with zeros to be read into.
    pub fn take_used(&self) -> Vec<u8> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop()
            .unwrap_or_default()
    }

    /// Takes a buffer back, unless it is too small to be of use or has become too large to be kept.
    pub fn give(&self, buffer: Vec<u8>) {
        let mut buffers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if (SIZE / 4..=2 * SIZE).contains(&buffer.capacity()) && buffers.len() < KEPT {
            buffers.push(buffer);
        }
    }
}
