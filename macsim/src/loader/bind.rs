//! Fixups: pointers to the program's imports, in the two forms that linkers write.

use super::image::Image;
use super::macho::{Bytes, Segment};

/// Returns what an import is bound to: an address, or 0 if a weak import is absent. It gets the name, and whether the
/// import is weak.
pub type Resolve<'a> = dyn FnMut(&str, bool) -> u64 + 'a;

/// A reader of the numbers that opcodes carry.
struct Opcodes<'a> {
    bytes: Bytes<'a>,
    at: usize,
}

impl Opcodes<'_> {
    fn byte(&mut self) -> Result<u8, String> {
        self.at += 1;
        self.bytes.u8(self.at - 1)
    }

    fn uleb(&mut self) -> Result<u64, String> {
        let (mut value, mut shift) = (0, 0);
        loop {
            let byte = self.byte()?;
            if shift < 64 {
                value |= u64::from(byte & 0x7f) << shift;
            }
            shift += 7;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
    }

    fn sleb(&mut self) -> Result<i64, String> {
        let start = self.at;
        let value = self.uleb()? as i64;
        let unused = 64_usize.saturating_sub(7 * (self.at - start));
        Ok(value << unused >> unused)
    }
}

/// Runs classic binding opcodes.
pub fn opcodes(
    image: &mut Image,
    segments: &[Segment],
    opcodes: &[u8],
    resolve: &mut Resolve,
) -> Result<(), String> {
    let mut reader = Opcodes {
        bytes: Bytes(opcodes),
        at: 0,
    };
    let (mut name, mut weak) = ("", false);
    let (mut addend, mut address) = (0, 0_u64);
    while reader.at < opcodes.len() {
        let opcode = reader.byte()?;
        let immediate = opcode & 0x0f;
        let (mut count, mut skip) = (0, 0);
        match opcode & 0xf0 {
            // The library and the type of an import don't matter here.
            0x00 | 0x10 | 0x30 | 0x50 => {}
            0x20 => _ = reader.uleb()?,
            0x40 => {
                name = reader.bytes.string(reader.at)?;
                reader.at += name.len() + 1;
                weak = immediate & 1 != 0;
            }
            0x60 => addend = reader.sleb()?,
            0x70 => {
                let segment = segments
                    .get(usize::from(immediate))
                    .ok_or("a binding to no segment")?;
                address = segment.address.wrapping_add(reader.uleb()?);
            }
            0x80 => address = address.wrapping_add(reader.uleb()?),
            0x90 => count = 1,
            0xa0 => (count, skip) = (1, reader.uleb()?),
            0xb0 => (count, skip) = (1, u64::from(immediate) * 8),
            0xc0 => (count, skip) = (reader.uleb()?, reader.uleb()?),
            _ => return Err(format!("an unknown binding opcode: {opcode:#x}")),
        }
        for _ in 0..count {
            let value = match resolve(name, weak) {
                0 => 0,
                target => target.wrapping_add_signed(addend),
            };
            image.set_pointer(address, value)?;
            address = address.wrapping_add(8).wrapping_add(skip);
        }
    }
    Ok(())
}

/// Pointer formats in which the target of a rebase is an address, or an offset from the header.
const POINTER_64: u16 = 2;
const POINTER_64_OFFSET: u16 = 6;
/// A page without a fixup.
const NO_FIXUP: u16 = 0xffff;

/// Follows chained fixups.
pub fn chained(image: &mut Image, fixups: &[u8], resolve: &mut Resolve) -> Result<(), String> {
    let bytes = Bytes(fixups);
    let targets = imports(bytes, resolve)?;
    let starts = bytes.u32(4)? as usize;
    for segment in 0..bytes.u32(starts)? as usize {
        let offset = bytes.u32(starts + 4 + 4 * segment)? as usize;
        if offset == 0 {
            continue;
        }
        let at = starts + offset;
        let (page_size, format) = (bytes.u16(at + 4)?, bytes.u16(at + 6)?);
        if format != POINTER_64 && format != POINTER_64_OFFSET {
            return Err(format!("an unknown format of chained pointers: {format}"));
        }
        for page in 0..usize::from(bytes.u16(at + 20)?) {
            let start = bytes.u16(at + 22 + 2 * page)?;
            if start != NO_FIXUP {
                let offset =
                    bytes.u64(at + 8)? + page as u64 * u64::from(page_size) + u64::from(start);
                chain(image, image.base() + offset, format, &targets)?;
            }
        }
    }
    Ok(())
}

/// The address and the addend of each import.
fn imports(bytes: Bytes, resolve: &mut Resolve) -> Result<Vec<(u64, u64)>, String> {
    let (table, symbols) = (bytes.u32(8)? as usize, bytes.u32(12)? as usize);
    let (count, format) = (bytes.u32(16)? as usize, bytes.u32(20)?);
    let mut targets = Vec::new();
    for index in 0..count {
        let (name, weak, addend) = match format {
            1 | 2 => {
                let at = table + index * if format == 1 { 4 } else { 8 };
                let import = bytes.u32(at)?;
                let addend = if format == 1 {
                    0
                } else {
                    bytes.u32(at + 4)? as i32
                };
                (import >> 9, import & 0x100 != 0, i64::from(addend) as u64)
            }
            3 => {
                let at = table + index * 16;
                let import = bytes.u64(at)?;
                (
                    (import >> 32) as u32,
                    import & 0x1_0000 != 0,
                    bytes.u64(at + 8)?,
                )
            }
            _ => return Err(format!("an unknown format of imports: {format}")),
        };
        let name = bytes.string(symbols + name as usize)?;
        targets.push((resolve(name, weak), addend));
    }
    Ok(targets)
}

/// Follows a chain: each pointer holds the distance to the next one.
fn chain(image: &mut Image, start: u64, format: u16, targets: &[(u64, u64)]) -> Result<(), String> {
    let mut address = start;
    loop {
        let pointer = image.pointer(address)?;
        let value = if pointer >> 63 == 1 {
            let index = (pointer & 0xff_ffff) as usize;
            let (target, addend) = targets.get(index).ok_or("a fixup of no import")?;
            match target {
                0 => 0,
                _ => target
                    .wrapping_add(*addend)
                    .wrapping_add(pointer >> 24 & 0xff),
            }
        } else {
            let base = if format == POINTER_64_OFFSET {
                image.base()
            } else {
                0
            };
            base.wrapping_add(pointer & 0xf_ffff_ffff) | (pointer >> 36 & 0xff) << 56
        };
        image.set_pointer(address, value)?;
        match pointer >> 51 & 0xfff {
            0 => return Ok(()),
            next => address += next * 4,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: u64 = 0x1_0000_0000;

    fn resolve(name: &str, weak: bool) -> u64 {
        match name {
            "_open" => 0x1000,
            "_close" => 0x2000,
            _ => {
                assert!(weak, "{name}");
                0
            }
        }
    }

    #[test]
    fn classic_opcodes_bind_names_with_addends() {
        let mut image = Image::of(BASE, vec![0xff; 64]);
        let segment = |address| Segment {
            name: "__DATA".into(),
            address,
            size: 64,
            file: 0..0,
            protection: 3,
        };
        let segments = [segment(0), segment(BASE)];
        let mut text = b"\x11\x40_open\0\x51\x71\x08\x60\x7f\x90".to_vec(); // segment 1, offset 8, addend -1
        text.extend_from_slice(b"\x40_close\0\x60\x00\xc0\x02\x08"); // twice, 8 bytes apart
        text.extend_from_slice(b"\x41_absent\0\xb0\x00");
        opcodes(&mut image, &segments, &text, &mut resolve).expect("bound");
        let pointers: Vec<_> = (0..8)
            .map(|index| image.pointer(BASE + 8 * index).expect("inside"))
            .collect();
        assert_eq!(pointers[1..4], [0xfff, 0x2000, u64::MAX]);
        assert_eq!(pointers[4..7], [0x2000, u64::MAX, 0]);
        assert!(opcodes(&mut image, &segments, b"\x7f\x00", &mut resolve).is_err());
        assert!(opcodes(&mut image, &segments, b"\xf0", &mut resolve).is_err());
    }

    #[test]
    fn chained_fixups_bind_and_rebase() {
        let mut memory = vec![0; 64];
        let mut put =
            |at: usize, value: u64| memory[at..at + 8].copy_from_slice(&value.to_le_bytes());
        put(8, 1 << 63 | 4 << 51 | 5 << 24); // _open + 5, the next one 16 bytes on
        put(24, 2 << 51 | 0xab << 36 | 0x30); // the header + 0x30, tagged; the next one 8 bytes on
        put(32, 1 << 63 | 1); // the weak one
        let mut image = Image::of(BASE, memory);

        let mut fixups = Vec::new();
        let words = |fixups: &mut Vec<u8>, words: &[u32]| {
            fixups.extend(words.iter().flat_map(|word| word.to_le_bytes()));
        };
        words(&mut fixups, &[0, 28, 64, 72, 2, 1, 0]); // starts at 28, imports at 64, names at 72
        words(&mut fixups, &[1, 8]); // one segment, 8 bytes from here
        fixups.extend_from_slice(&24_u32.to_le_bytes());
        fixups.extend_from_slice(&[0, 16, 6, 0]); // pages of 4096, offsets
        fixups.extend_from_slice(&[0; 12]);
        fixups.extend_from_slice(&[1, 0, 8, 0]); // one page, its first fixup at 8
        fixups.resize(64, 0);
        words(&mut fixups, &[1 << 9, 7 << 9 | 0x100]);
        fixups.extend_from_slice(b"\0_open\0_absent\0");
        chained(&mut image, &fixups, &mut resolve).expect("fixed");
        assert_eq!(image.pointer(BASE + 8), Ok(0x1005));
        assert_eq!(image.pointer(BASE + 24), Ok((BASE + 0x30) | 0xab << 56));
        assert_eq!(image.pointer(BASE + 32), Ok(0));
    }
}
