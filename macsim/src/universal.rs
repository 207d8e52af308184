//! Universal binaries: executables of several architectures in one file.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

const MAGIC_64: u32 = 0xfeed_facf;
const FAT_MAGIC: u32 = 0xcafe_babe;
const CPU_ARM64: u32 = 0x0100_000c;

/// Joins files, and makes the result executable.
pub fn join(out: &Path, files: &[PathBuf]) -> Result<(), String> {
    let context =
        |path: &Path, error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let mut slices = Vec::new();
    for file in files {
        slices.push((file, fs::read(file).map_err(|error| context(file, &error))?));
    }
    let slices: Vec<_> = slices
        .iter()
        .map(|(file, bytes)| (file.as_path(), bytes.as_slice()))
        .collect();
    let joined = universal(&slices)?;
    fs::write(out, joined).map_err(|error| context(out, &error))?;
    fs::set_permissions(out, fs::Permissions::from_mode(0o755))
        .map_err(|error| context(out, &error))
}

fn universal(slices: &[(&Path, &[u8])]) -> Result<Vec<u8>, String> {
    let mut header = [FAT_MAGIC, slices.len() as u32].to_vec();
    let mut body: Vec<u8> = Vec::new();
    let start = 8 + 20 * slices.len();
    for (path, bytes) in slices {
        let word = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        let (Some(MAGIC_64), Some(cpu), Some(subtype)) = (word(0), word(4), word(8)) else {
            return Err(format!(
                "{}: not a Mach-O file of one architecture",
                path.display()
            ));
        };
        if header[2..].chunks(5).any(|entry| entry[0] == cpu) {
            return Err(format!(
                "{}: this architecture is there already",
                path.display()
            ));
        }
        // A slice begins on a page; arm64's are larger.
        let align: u32 = if cpu == CPU_ARM64 { 14 } else { 12 };
        let offset = (start + body.len()).next_multiple_of(1 << align);
        body.resize(offset - start, 0);
        body.extend_from_slice(bytes);
        header.extend([cpu, subtype, offset as u32, bytes.len() as u32, align]);
    }
    let mut file: Vec<u8> = header.iter().flat_map(|word| word.to_be_bytes()).collect();
    file.extend(body);
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slice(cpu: u32, size: usize) -> Vec<u8> {
        let mut bytes: Vec<u8> = [MAGIC_64, cpu, 3]
            .iter()
            .flat_map(|word| word.to_le_bytes())
            .collect();
        bytes.resize(size, cpu as u8);
        bytes
    }

    #[test]
    fn slices_begin_on_pages() {
        let (intel, arm) = (slice(0x0100_0007, 5000), slice(CPU_ARM64, 100));
        let path = Path::new("x");
        let file = universal(&[(path, &intel), (path, &arm)]).expect("a file");
        assert_eq!(file[4096..9096], intel);
        assert_eq!(file[16384..], arm);
        assert!(universal(&[(path, &arm), (path, &arm)]).is_err());
        assert!(universal(&[(path, b"#!/bin/sh")]).is_err());
    }
}
