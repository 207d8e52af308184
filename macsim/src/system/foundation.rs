//! CoreFoundation, as far as the name of the time zone needs it; also functions that fill memory, and the like.

#![allow(non_snake_case, reason = "C's names")]

use std::ffi::{CStr, c_char, c_void};

use super::{Export, functions};

/// The system's time zone; the program reads `TZ` itself. Strings and time zones are C strings here.
const TIME_ZONE: &CStr = c"UTC";

extern "C" fn CFTimeZoneCopySystem() -> *const c_char {
    TIME_ZONE.as_ptr()
}

extern "C" fn CFTimeZoneResetSystem() {}

extern "C" fn CFTimeZoneGetName(zone: *const c_char) -> *const c_char {
    zone
}

extern "C" fn CFStringGetCStringPtr(string: *const c_char, _: u32) -> *const c_char {
    string
}

extern "C" fn CFStringGetLength(string: *const c_char) -> isize {
    // SAFETY: made here.
    unsafe { CStr::from_ptr(string) }.count_bytes() as isize
}

extern "C" fn CFRelease(_: *const c_void) {}

extern "C" fn bzero(memory: *mut c_void, size: usize) {
    // SAFETY: the caller's memory.
    unsafe { libc::memset(memory, 0, size) };
}

extern "C" fn memset_pattern16(memory: *mut u8, pattern: *const [u8; 16], size: usize) {
    // SAFETY: the caller's memory and pattern.
    unsafe {
        let memory = std::slice::from_raw_parts_mut(memory, size);
        for chunk in memory.chunks_mut(16) {
            chunk.copy_from_slice(&(&*pattern)[..chunk.len()]);
        }
    }
}

extern "C" fn memset_pattern8(memory: *mut u8, pattern: *const [u8; 8], size: usize) {
    // SAFETY: the caller's pattern.
    let pattern = unsafe { *pattern };
    let twice: [u8; 16] = std::array::from_fn(|index| pattern[index % 8]);
    memset_pattern16(memory, &raw const twice, size);
}

extern "C" fn memset_pattern4(memory: *mut u8, pattern: *const [u8; 4], size: usize) {
    // SAFETY: the caller's pattern.
    let pattern = unsafe { *pattern };
    let often: [u8; 16] = std::array::from_fn(|index| pattern[index % 4]);
    memset_pattern16(memory, &raw const often, size);
}

/// The functions of this area.
pub fn exports() -> Vec<Export> {
    let mut exports = functions![
        bzero,
        memset_pattern16,
        memset_pattern4,
        memset_pattern8,
        CFRelease,
        CFStringGetCStringPtr,
        CFStringGetLength,
        CFTimeZoneCopySystem,
        CFTimeZoneGetName,
        CFTimeZoneResetSystem,
    ]
    .to_vec();
    exports.push(("__bzero", bzero as *const () as usize));
    exports
}
