//! Audit tokens (libbsm), access control lists, random numbers, System Integrity Protection.

use std::ffi::{CStr, c_char, c_int, c_void};

use super::{Export, functions};
use crate::settings;

/// `audit_token_t`, passed by value as C does: in memory.
#[repr(C)]
struct Token([u32; 8]);

macro_rules! members {
    ($($name:ident = $index:literal;)*) => {
        $(extern "C" fn $name(token: Token) -> u32 {
            token.0[$index]
        })*
        fn members() -> Vec<Export> {
            functions![$($name),*].to_vec()
        }
    };
}

members! {
    audit_token_to_auid = 0;
    audit_token_to_euid = 1;
    audit_token_to_egid = 2;
    audit_token_to_ruid = 3;
    audit_token_to_rgid = 4;
    audit_token_to_pid = 5;
    audit_token_to_asid = 6;
    audit_token_to_pidversion = 7;
}

/// An access control list is its text here; a copy of it for the caller to free.
extern "C" fn acl_to_text(acl: *const c_char, length: *mut isize) -> *mut c_char {
    if acl.is_null() {
        super::errno::fail(libc::EINVAL);
        return std::ptr::null_mut();
    }
    // SAFETY: a string of the message's, and the caller's variable, NULL allowed.
    unsafe {
        if let Some(length) = length.as_mut() {
            *length = CStr::from_ptr(acl).count_bytes() as isize;
        }
        libc::strdup(acl)
    }
}

extern "C" fn acl_free(memory: *mut c_void) -> c_int {
    // SAFETY: what `acl_to_text` gave.
    unsafe { libc::free(memory) };
    0
}

#[allow(non_snake_case, reason = "C's name")]
extern "C" fn CCRandomGenerateBytes(buffer: *mut c_void, size: usize) -> c_int {
    // SAFETY: the caller's buffer.
    let given = unsafe { libc::getrandom(buffer, size, 0) };
    if given == size as isize { 0 } else { -1 }
}

extern "C" fn arc4random_buf(buffer: *mut c_void, size: usize) {
    CCRandomGenerateBytes(buffer, size);
}

extern "C" fn csr_get_active_config(config: *mut u32) -> c_int {
    // SAFETY: the caller's variable.
    unsafe { config.write(settings::get().csr) };
    0
}

/// The functions of this area.
pub fn exports() -> Vec<Export> {
    let mut exports = members();
    exports.extend(functions![acl_free, acl_to_text, arc4random_buf, csr_get_active_config, CCRandomGenerateBytes]);
    exports
}
