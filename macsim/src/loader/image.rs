//! The program's memory: one block at the address that the file prefers.

use std::ops::Range;

use super::macho::{Executable, Segment};

/// The mapped program.
pub struct Image {
    base: u64,
    bytes: &'static mut [u8],
}

impl Image {
    /// Maps the segments, which are still writable.
    pub fn map(executable: &Executable, file: &[u8]) -> Result<Self, String> {
        let span = executable.span();
        let size = (span.end - span.start) as usize;
        // SAFETY: new memory; it is nobody else's, or the call fails.
        let place = unsafe {
            libc::mmap(
                span.start as *mut libc::c_void,
                size,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED_NOREPLACE,
                -1,
                0,
            )
        };
        if place as u64 != span.start || size == 0 {
            let error = std::io::Error::last_os_error();
            return Err(format!(
                "no memory at {:#x}, where the program wants to be: {error}",
                span.start
            ));
        }
        // SAFETY: just mapped, and never unmapped.
        let bytes = unsafe { std::slice::from_raw_parts_mut(place.cast::<u8>(), size) };
        let mut image = Image {
            base: span.start,
            bytes,
        };
        for segment in executable.mapped() {
            let data = file
                .get(segment.file.clone())
                .ok_or("the file ends within a segment")?;
            image
                .slice_mut(segment.address, data.len())?
                .copy_from_slice(data);
        }
        Ok(image)
    }

    /// An image made of these bytes, for tests.
    #[cfg(test)]
    pub fn of(base: u64, bytes: Vec<u8>) -> Self {
        Image {
            base,
            bytes: bytes.leak(),
        }
    }

    /// The address of the Mach-O header.
    pub fn base(&self) -> u64 {
        self.base
    }

    fn range(&self, address: u64, size: usize) -> Result<Range<usize>, String> {
        let start = address.wrapping_sub(self.base) as usize;
        let end = start
            .checked_add(size)
            .filter(|&end| end <= self.bytes.len());
        end.map(|end| start..end)
            .ok_or_else(|| format!("{address:#x} is outside of the program"))
    }

    /// The memory at an address.
    pub fn slice(&self, address: u64, size: usize) -> Result<&[u8], String> {
        Ok(&self.bytes[self.range(address, size)?])
    }

    /// The memory at an address.
    pub fn slice_mut(&mut self, address: u64, size: usize) -> Result<&mut [u8], String> {
        let range = self.range(address, size)?;
        Ok(&mut self.bytes[range])
    }

    /// The pointer at an address.
    pub fn pointer(&self, address: u64) -> Result<u64, String> {
        let bytes = self.slice(address, 8)?;
        Ok(u64::from_le_bytes(bytes.try_into().expect("8 bytes")))
    }

    /// Writes a pointer.
    pub fn set_pointer(&mut self, address: u64, value: u64) -> Result<(), String> {
        self.slice_mut(address, 8)?
            .copy_from_slice(&value.to_le_bytes());
        Ok(())
    }

    /// Gives a segment the protection that its file asks for.
    pub fn protect(segment: &Segment) -> Result<(), String> {
        let rights = [
            (1, libc::PROT_READ),
            (2, libc::PROT_WRITE),
            (4, libc::PROT_EXEC),
        ];
        let asked = rights
            .iter()
            .filter(|(bit, _)| segment.protection & bit != 0);
        let protection = asked.fold(0, |sum, (_, right)| sum | right);
        let size = segment.size.next_multiple_of(4096) as usize;
        // SAFETY: the segment is the program's own memory; nothing of macsim is in it.
        match unsafe { libc::mprotect(segment.address as *mut libc::c_void, size, protection) } {
            0 => Ok(()),
            _ => Err(format!(
                "{}: {}",
                segment.name,
                std::io::Error::last_os_error()
            )),
        }
    }
}
