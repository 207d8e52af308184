//! Mach-O files: their segments and sections, and the places of the fixups and of main.

use std::ops::Range;

/// Reads numbers from bytes that come from outside: reading past the end is an error, not a panic.
#[derive(Clone, Copy)]
pub struct Bytes<'a>(pub &'a [u8]);

impl<'a> Bytes<'a> {
    /// `size` bytes.
    pub fn slice(self, at: usize, size: usize) -> Result<&'a [u8], String> {
        let end = at.checked_add(size);
        end.and_then(|end| self.0.get(at..end))
            .ok_or_else(|| format!("the file ends before byte {}", at.wrapping_add(size)))
    }

    fn array<const N: usize>(self, at: usize) -> Result<[u8; N], String> {
        Ok(self.slice(at, N)?.try_into().expect("N bytes"))
    }

    /// A byte.
    pub fn u8(self, at: usize) -> Result<u8, String> {
        Ok(self.array::<1>(at)?[0])
    }

    /// Two bytes.
    pub fn u16(self, at: usize) -> Result<u16, String> {
        Ok(u16::from_le_bytes(self.array(at)?))
    }

    /// Four bytes.
    pub fn u32(self, at: usize) -> Result<u32, String> {
        Ok(u32::from_le_bytes(self.array(at)?))
    }

    /// Eight bytes.
    pub fn u64(self, at: usize) -> Result<u64, String> {
        Ok(u64::from_le_bytes(self.array(at)?))
    }

    /// A string that ends in a NUL.
    pub fn string(self, at: usize) -> Result<&'a str, String> {
        let rest = self.0.get(at..).unwrap_or_default();
        let end = rest
            .iter()
            .position(|&byte| byte == 0)
            .ok_or("a string has no end")?;
        std::str::from_utf8(&rest[..end]).map_err(|_| "a name isn't UTF-8".into())
    }
}

/// A segment.
#[derive(Debug, Clone)]
pub struct Segment {
    /// Such as `__TEXT`.
    pub name: String,
    /// The address that it prefers.
    pub address: u64,
    /// Its size in memory.
    pub size: u64,
    /// The part of the file that is mapped there.
    pub file: Range<usize>,
    /// `VM_PROT_READ` 1, `VM_PROT_WRITE` 2, `VM_PROT_EXECUTE` 4.
    pub protection: u32,
}

/// A section.
#[derive(Debug, Clone)]
pub struct Section {
    /// Such as `__eh_frame`.
    pub name: String,
    /// Its address in memory.
    pub address: u64,
    /// Its size.
    pub size: u64,
    /// Its type: the low byte of its flags.
    pub kind: u8,
}

/// Types of sections that a loader must know.
pub mod kind {
    /// Pointers to functions that run before main.
    pub const INIT_FUNCTIONS: u8 = 0x09;
    /// The initial values of a thread's variables.
    pub const THREAD_DATA: u8 = 0x11;
    /// Thread variables that begin as zero.
    pub const THREAD_ZERO: u8 = 0x12;
    /// Descriptors of thread variables.
    pub const THREAD_VARIABLES: u8 = 0x13;
}

/// An executable as its load commands describe it.
#[derive(Debug, Default)]
pub struct Executable {
    /// In the order of the file, by which fixups number them.
    pub segments: Vec<Segment>,
    /// All of them.
    pub sections: Vec<Section>,
    /// Classic binding: the ranges of opcodes in the file, including the lazy ones.
    pub bindings: Vec<Range<usize>>,
    /// Chained fixups, in the file.
    pub chained: Option<Range<usize>>,
    /// The offset of main in the file.
    pub entry: u64,
}

const MAGIC_64: u32 = 0xfeed_facf;
const CPU_X86_64: u32 = 0x0100_0007;
const EXECUTE: u32 = 2;

/// The `x86_64` slice of a file, universal or not.
pub fn slice(file: &[u8]) -> Result<&[u8], String> {
    let big =
        |at: usize| -> Result<u64, String> { Ok(u32::swap_bytes(Bytes(file).u32(at)?).into()) };
    let wide = match Bytes(file).u32(0).map(u32::swap_bytes) {
        Ok(0xcafe_babe) => false,
        Ok(0xcafe_babf) => true,
        _ => return Ok(file),
    };
    let entry = if wide { 32 } else { 20 };
    for index in 0..big(4)? as usize {
        let at = 8 + index * entry;
        if big(at)? == u64::from(CPU_X86_64) {
            let (offset, size) = if wide {
                (
                    (big(at + 8)? << 32) | big(at + 12)?,
                    (big(at + 16)? << 32) | big(at + 20)?,
                )
            } else {
                (big(at + 8)?, big(at + 12)?)
            };
            return Bytes(file).slice(offset as usize, size as usize);
        }
    }
    Err("a universal binary without an x86_64 slice".into())
}

impl Executable {
    /// Reads the load commands of a slice.
    pub fn parse(file: &[u8]) -> Result<Self, String> {
        let bytes = Bytes(file);
        let header = (bytes.u32(0), bytes.u32(4), bytes.u32(12));
        if header != (Ok(MAGIC_64), Ok(CPU_X86_64), Ok(EXECUTE)) {
            return Err("not an x86_64 Mach-O executable".into());
        }
        let mut executable = Executable::default();
        let mut at = 32;
        for _ in 0..bytes.u32(16)? {
            let (command, size) = (bytes.u32(at)?, bytes.u32(at + 4)? as usize);
            executable.command(Bytes(bytes.slice(at, size)?), command)?;
            at += size;
        }
        Ok(executable)
    }

    fn command(&mut self, bytes: Bytes, command: u32) -> Result<(), String> {
        let range = |at: usize| -> Result<Range<usize>, String> {
            let start = bytes.u32(at)? as usize;
            Ok(start..start + bytes.u32(at + 4)? as usize)
        };
        match command & 0x7fff_ffff {
            0x19 => self.segment(bytes)?,
            // LC_DYLD_INFO: rebase, bind, weak bind, lazy bind. Nothing slides here, so nothing has to be rebased.
            0x22 => self.bindings = vec![range(16)?, range(24)?, range(32)?],
            0x34 => self.chained = Some(range(8)?),
            0x28 => self.entry = bytes.u64(8)?,
            _ => {}
        }
        Ok(())
    }

    fn segment(&mut self, bytes: Bytes) -> Result<(), String> {
        let name = |at: usize| -> Result<String, String> {
            let name = bytes.slice(at, 16)?;
            let end = name.iter().position(|&byte| byte == 0).unwrap_or(16);
            Ok(String::from_utf8_lossy(&name[..end]).into_owned())
        };
        let start = bytes.u64(40)? as usize;
        self.segments.push(Segment {
            name: name(8)?,
            address: bytes.u64(24)?,
            size: bytes.u64(32)?,
            file: start..start + bytes.u64(48)? as usize,
            protection: bytes.u32(60)?,
        });
        for index in 0..bytes.u32(64)? as usize {
            let at = 72 + 80 * index;
            self.sections.push(Section {
                name: name(at)?,
                address: bytes.u64(at + 32)?,
                size: bytes.u64(at + 40)?,
                kind: bytes.u32(at + 64)? as u8,
            });
        }
        Ok(())
    }

    /// The segments that take memory.
    pub fn mapped(&self) -> impl Iterator<Item = &Segment> {
        self.segments
            .iter()
            .filter(|segment| segment.name != "__PAGEZERO" && segment.size > 0)
    }

    /// The addresses from the first mapped segment to the end of the last.
    pub fn span(&self) -> Range<u64> {
        let start = self
            .mapped()
            .map(|segment| segment.address)
            .min()
            .unwrap_or(0);
        let end = self
            .mapped()
            .map(|segment| segment.address + segment.size)
            .max();
        start..end.unwrap_or(0)
    }

    /// The sections of this type.
    pub fn of_kind(&self, kind: u8) -> impl Iterator<Item = &Section> {
        self.sections
            .iter()
            .filter(move |section| section.kind == kind)
    }

    /// The section of this name.
    pub fn section(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|section| section.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_executable_is_refused() {
        for file in [
            &b""[..],
            b"\x7fELF",
            &[0xcf, 0xfa, 0xed, 0xfe, 7, 0, 0, 1, 0, 0, 0, 0, 6],
        ] {
            assert!(Executable::parse(file).is_err());
        }
    }

    #[test]
    fn the_x86_64_slice_of_a_universal_binary_is_taken() {
        let mut file = vec![0; 4096];
        let put = |file: &mut Vec<u8>, at: usize, value: u32| {
            file[at..at + 4].copy_from_slice(&value.to_be_bytes())
        };
        put(&mut file, 0, 0xcafe_babe);
        put(&mut file, 4, 2);
        put(&mut file, 8, 0x0100_000c);
        put(&mut file, 28, CPU_X86_64);
        put(&mut file, 36, 1000);
        put(&mut file, 40, 3);
        file[1000..1003].copy_from_slice(b"abc");
        assert_eq!(slice(&file), Ok(&b"abc"[..]));
        put(&mut file, 28, 18);
        assert!(slice(&file).is_err());
        assert_eq!(slice(b"plain"), Ok(&b"plain"[..]));
    }
}
