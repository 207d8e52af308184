//! Unwinding: macOS's compact unwind information is rewritten as DWARF, so that libgcc unwinds the program's frames
//! and a panic there can be caught.

use std::collections::HashMap;

use super::image::Image;
use super::macho::{Bytes, Executable};

/// DWARF's numbers of `rbx`, `r12` to `r15` and `rbp`, as compact unwind counts them from 1.
const REGISTERS: [u8; 7] = [0, 3, 12, 13, 14, 15, 6];

const MODE: u32 = 0x0f00_0000;
const MODE_RBP_FRAME: u32 = 0x0100_0000;
const MODE_STACK_IMMEDIATE: u32 = 0x0200_0000;
const MODE_STACK_INDIRECT: u32 = 0x0300_0000;
const MODE_DWARF: u32 = 0x0400_0000;
const HAS_LSDA: u32 = 0x4000_0000;

unsafe extern "C" {
    /// Registers an `.eh_frame` that no ELF header points to with libgcc, which provides this.
    fn __register_frame(begin: *const u8);
}

/// Registers the program's frames.
pub fn register(image: &Image, executable: &Executable) -> Result<(), String> {
    let frames = frames(image, executable)?;
    if !frames.is_empty() {
        // SAFETY: frames are well-formed, end in a zero length, and are never freed.
        unsafe { __register_frame(frames.leak().as_ptr()) };
    }
    Ok(())
}

/// A function of the compact table, with addresses.
struct Function {
    start: u64,
    end: u64,
    encoding: u32,
    personality: u64,
    lsda: u64,
}

fn frames(image: &Image, executable: &Executable) -> Result<Vec<u8>, String> {
    let Some(section) = executable.section("__unwind_info") else {
        return Ok(Vec::new());
    };
    let table = Bytes(image.slice(section.address, section.size as usize)?);
    let mut output = Output::default();
    for function in functions(image, table)? {
        let instructions = match function.encoding & MODE {
            MODE_RBP_FRAME => rbp_frame(function.encoding),
            MODE_STACK_IMMEDIATE | MODE_STACK_INDIRECT => frameless(image, &function)?,
            MODE_DWARF => dwarf(image, executable, function.encoding & 0xff_ffff)?,
            _ => continue, // a leaf without a frame, or nothing is known
        };
        output.function(&function, &instructions);
    }
    output.bytes.extend_from_slice(&[0; 4]);
    Ok(output.bytes)
}

/// The entries of the two-level table.
fn functions(image: &Image, table: Bytes) -> Result<Vec<Function>, String> {
    let number = |at: usize| table.u32(at).map(|value| value as usize);
    let (common, common_count) = (number(4)?, number(8)?);
    let personalities = number(12)?;
    let (index, index_count) = (number(20)?, number(24)?);
    let Some(last) = index_count.checked_sub(1) else {
        return Ok(Vec::new());
    };

    let mut lsdas = HashMap::new();
    for at in (number(index + 8)?..number(index + 12 * last + 8)?).step_by(8) {
        lsdas.insert(table.u32(at)?, table.u32(at + 4)?);
    }

    let mut entries = Vec::new();
    for entry in 0..last {
        let (base, page) = (
            table.u32(index + 12 * entry)?,
            number(index + 12 * entry + 4)?,
        );
        if page == 0 {
            continue;
        }
        let (offset, count) = (
            usize::from(table.u16(page + 4)?),
            usize::from(table.u16(page + 6)?),
        );
        match table.u32(page)? {
            2 => {
                for at in (page + offset..).step_by(8).take(count) {
                    entries.push((table.u32(at)?, table.u32(at + 4)?));
                }
            }
            3 => {
                let own = page + usize::from(table.u16(page + 8)?);
                for at in (page + offset..).step_by(4).take(count) {
                    let entry = table.u32(at)?;
                    let kind = (entry >> 24) as usize;
                    let encoding = match kind.checked_sub(common_count) {
                        None => table.u32(common + 4 * kind)?,
                        Some(kind) => table.u32(own + 4 * kind)?,
                    };
                    entries.push((base + (entry & 0xff_ffff), encoding));
                }
            }
            kind => return Err(format!("an unknown kind of unwind page: {kind}")),
        }
    }

    let end = table.u32(index + 12 * last)?;
    let ends = entries.iter().skip(1).map(|(start, _)| *start).chain([end]);
    let mut functions = Vec::new();
    for ((start, encoding), end) in entries.iter().zip(ends) {
        let personality = match encoding >> 28 & 3 {
            0 => 0,
            index => {
                let slot = table.u32(personalities + 4 * (index as usize - 1))?;
                image.pointer(image.base() + u64::from(slot))?
            }
        };
        let lsda = if encoding & HAS_LSDA == 0 {
            None
        } else {
            lsdas.get(start)
        };
        functions.push(Function {
            start: image.base() + u64::from(*start),
            end: image.base() + u64::from(end),
            encoding: *encoding,
            personality,
            lsda: lsda.map_or(0, |lsda| image.base() + u64::from(*lsda)),
        });
    }
    Ok(functions)
}

/// `DW_CFA_offset`: a register is saved at CFA - 8 * `slots`.
fn saved(instructions: &mut Vec<u8>, register: u32, slots: u32) {
    if let Some(&register) = REGISTERS.get(register as usize).filter(|_| register > 0) {
        instructions.push(0x80 | register);
        uleb(instructions, slots.into());
    }
}

/// A frame based on `rbp`: one offset says where the five registers are saved.
fn rbp_frame(encoding: u32) -> Vec<u8> {
    let mut instructions = vec![0x0c, 6, 16, 0x86, 2]; // CFA is rbp + 16; rbp is saved at CFA - 16
    let offset = encoding >> 16 & 0xff;
    for slot in 0..5 {
        saved(
            &mut instructions,
            encoding >> (3 * slot) & 7,
            (2 + offset).saturating_sub(slot),
        );
    }
    instructions
}

/// A frame based on `rsp`: the number of a permutation says which registers are saved.
fn frameless(image: &Image, function: &Function) -> Result<Vec<u8>, String> {
    let encoding = function.encoding;
    let size = encoding >> 16 & 0xff;
    let size = if encoding & MODE == MODE_STACK_INDIRECT {
        // The instruction that makes room for the frame has the size as its operand.
        let operand = image.slice(function.start + u64::from(size), 4)?;
        let operand = u32::from_le_bytes(operand.try_into().expect("4 bytes"));
        operand.wrapping_add(8 * (encoding >> 13 & 7))
    } else {
        size * 8
    };
    let count = (encoding >> 10 & 7).min(6);
    let mut permutation = encoding & 0x3ff;
    let mut free: Vec<u32> = (1..=6).collect();
    let mut instructions = vec![0x0c, 7]; // CFA is rsp + size
    uleb(&mut instructions, size.into());
    for index in 0..count {
        let weight: u32 = (index + 1..count).map(|later| 6 - later).product();
        let pick = (permutation / weight) as usize;
        permutation %= weight;
        if pick < free.len() {
            saved(&mut instructions, free.remove(pick), 1 + count - index);
        }
    }
    Ok(instructions)
}

/// The instructions of a frame that compact unwind can't express: the file has it in DWARF.
fn dwarf(image: &Image, executable: &Executable, offset: u32) -> Result<Vec<u8>, String> {
    let section = executable
        .section("__eh_frame")
        .ok_or("DWARF frames without __eh_frame")?;
    let bytes = Bytes(image.slice(section.address, section.size as usize)?);
    let frame = offset as usize;
    let common = (frame + 4)
        .checked_sub(bytes.u32(frame + 4)? as usize)
        .ok_or("a frame without its head")?;
    let mut instructions = body(bytes, common, true)?;
    instructions.extend(body(bytes, frame, false)?);
    Ok(instructions)
}

/// The instructions of a CIE or an FDE.
fn body(bytes: Bytes, start: usize, common: bool) -> Result<Vec<u8>, String> {
    let end = start + 4 + bytes.u32(start)? as usize;
    let mut at = start + 8;
    if common {
        let augmentation = bytes.string(at + 1)?;
        at += 1 + augmentation.len() + 1;
        let alignments = bytes.slice(at, 3)?;
        if !augmentation.starts_with('z') || alignments != [1, 0x78, 16] {
            return Err(format!("DWARF frames of an unknown form: {augmentation}"));
        }
        at += 3;
    } else {
        at += 16; // where the function begins and how long it is, which the compact table says, too
    }
    let extra = bytes.u8(at)?; // less than 128
    at += 1 + usize::from(extra);
    Ok(bytes.slice(at, end.saturating_sub(at))?.to_vec())
}

fn uleb(output: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        output.push(value as u8 | 0x80);
        value >>= 7;
    }
    output.push(value as u8);
}

/// An `.eh_frame` being built; all its pointers are absolute.
#[derive(Default)]
struct Output {
    bytes: Vec<u8>,
    /// The offset of each personality's CIE.
    heads: HashMap<u64, usize>,
}

impl Output {
    /// Appends an entry, padded and with its length in front.
    fn entry(&mut self, mut body: Vec<u8>) {
        while !(body.len() + 4).is_multiple_of(8) {
            body.push(0); // DW_CFA_nop
        }
        self.bytes
            .extend_from_slice(&(body.len() as u32).to_le_bytes());
        self.bytes.extend_from_slice(&body);
    }

    fn head(&mut self, personality: u64) -> usize {
        if let Some(&at) = self.heads.get(&personality) {
            return at;
        }
        let at = self.bytes.len();
        let mut body = vec![0, 0, 0, 0, 1];
        if personality == 0 {
            body.extend_from_slice(b"zR\0\x01\x78\x10\x01\x00");
        } else {
            body.extend_from_slice(b"zPLR\0\x01\x78\x10\x0b\x00");
            body.extend_from_slice(&personality.to_le_bytes());
            body.extend_from_slice(&[0, 0]);
        }
        body.extend_from_slice(&[0x0c, 7, 8, 0x90, 1]); // CFA is rsp + 8; the return address is at CFA - 8
        self.entry(body);
        self.heads.insert(personality, at);
        at
    }

    fn function(&mut self, function: &Function, instructions: &[u8]) {
        let head = self.head(function.personality);
        let mut body = ((self.bytes.len() + 4 - head) as u32)
            .to_le_bytes()
            .to_vec();
        body.extend_from_slice(&function.start.to_le_bytes());
        body.extend_from_slice(&(function.end - function.start).to_le_bytes());
        if function.personality == 0 {
            body.push(0);
        } else {
            body.push(8);
            body.extend_from_slice(&function.lsda.to_le_bytes());
        }
        body.extend_from_slice(instructions);
        self.entry(body);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compact_encodings_become_instructions() {
        // rbx at the lowest slot, r14 and r15 above it, 3 slots below rbp
        let encoding = MODE_RBP_FRAME | 3 << 16 | 1 | 4 << 3 | 5 << 6;
        assert_eq!(
            rbp_frame(encoding),
            [0x0c, 6, 16, 0x86, 2, 0x83, 5, 0x8e, 4, 0x8f, 3]
        );

        let function = |encoding| Function {
            start: 0,
            end: 0,
            encoding,
            personality: 0,
            lsda: 0,
        };
        let image = Image::of(0, vec![0; 8]);
        // a frame of 4 words with rbx and r14 saved: permutation 0, then the third of those left
        let encoding = MODE_STACK_IMMEDIATE | 4 << 16 | 2 << 10 | 2;
        assert_eq!(
            frameless(&image, &function(encoding)),
            Ok(vec![0x0c, 7, 32, 0x83, 3, 0x8e, 2])
        );
    }
}
