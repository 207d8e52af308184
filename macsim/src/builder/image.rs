//! The bytes of one message and of all that it points to.

/// Memory that can be moved: its pointers are offsets into it until `copy_to` puts it in place.
#[derive(Debug, Default)]
pub struct Image {
    /// The message itself comes first.
    pub bytes: Vec<u8>,
    /// The offsets of the pointers.
    pub pointers: Vec<u32>,
}

impl Image {
    /// Makes room for `size` zero bytes; returns their offset.
    pub fn allocate(&mut self, size: usize, align: usize) -> usize {
        let start = self.bytes.len().next_multiple_of(align);
        self.bytes.resize(start + size, 0);
        start
    }

    /// Writes bytes.
    pub fn put(&mut self, at: usize, bytes: &[u8]) {
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
    }

    /// Writes the low bytes of a number.
    pub fn put_int(&mut self, at: usize, size: usize, value: i128) {
        self.put(at, &value.to_le_bytes()[..size]);
    }

    /// Writes a pointer to what lies at `target`.
    pub fn point(&mut self, at: usize, target: usize) {
        self.put_int(at, 8, target as i128);
        self.pointers.push(at as u32);
    }

    /// Writes an `es_string_token_t` or `es_token_t`; the data ends in a NUL that isn't counted, as on macOS.
    pub fn put_token(&mut self, at: usize, data: &[u8]) {
        let target = self.put_data(data);
        self.put_int(at, 8, data.len() as i128);
        self.point(at + 8, target);
    }

    /// Appends data and a NUL; returns its offset.
    pub fn put_data(&mut self, data: &[u8]) -> usize {
        let target = self.allocate(data.len() + 1, 1);
        self.put(target, data);
        target
    }

    /// Copies the image to `place` and makes its pointers real.
    ///
    /// # Safety
    ///
    /// `place` has room for all the bytes and is aligned for pointers.
    pub unsafe fn copy_to(&self, place: *mut u8) {
        // SAFETY: the caller's promise; a Vec's memory doesn't overlap it.
        unsafe { place.copy_from_nonoverlapping(self.bytes.as_ptr(), self.bytes.len()) };
        for &at in &self.pointers {
            // SAFETY: pointers lie within the bytes; in a structure they are aligned.
            unsafe {
                let pointer = place.add(at as usize).cast::<u64>();
                pointer.write(pointer.read() + place as u64);
            }
        }
    }
}
