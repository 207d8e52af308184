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

/// The first byte of the ACL of a message. An access control list is its text here. The functions that may change one
/// don't accept that of a message: it has to be copied with `acl_copy_ext` and `acl_copy_int` (ESMessage.h).
pub const ACL_OF_MESSAGE: u8 = 1;

/// The text of an ACL.
///
/// # Safety
/// It must be one.
unsafe fn acl_text<'a>(acl: *const c_char) -> &'a [u8] {
    // SAFETY: an ACL is a string here.
    let text = unsafe { CStr::from_ptr(acl) }.to_bytes();
    text.strip_prefix(&[ACL_OF_MESSAGE]).unwrap_or(text)
}

extern "C" fn acl_size(acl: *const c_char) -> isize {
    // SAFETY: the caller's ACL, or a message's.
    unsafe { acl_text(acl) }.len() as isize + 1
}

extern "C" fn acl_copy_ext(buffer: *mut u8, acl: *const c_char, size: isize) -> isize {
    // SAFETY: the caller's ACL, or a message's.
    let text = unsafe { acl_text(acl) };
    if size <= text.len() as isize {
        super::errno::fail(libc::ERANGE);
        return -1;
    }
    // SAFETY: the buffer has room for the text and its end.
    unsafe {
        buffer.copy_from(text.as_ptr(), text.len());
        buffer.add(text.len()).write(0);
    }
    text.len() as isize + 1
}

extern "C" fn acl_copy_int(buffer: *const c_char) -> *mut c_char {
    // SAFETY: what `acl_copy_ext` wrote.
    unsafe { libc::strdup(buffer) }
}

/// Returns a copy of the text, which the caller frees.
extern "C" fn acl_to_text(acl: *const c_char, length: *mut isize) -> *mut c_char {
    // SAFETY: the caller's ACL, or a message's.
    if acl.is_null() || unsafe { *acl.cast::<u8>() } == ACL_OF_MESSAGE {
        super::errno::fail(libc::EINVAL);
        return std::ptr::null_mut();
    }
    // SAFETY: the caller's ACL, and the caller's variable, NULL allowed.
    unsafe {
        if let Some(length) = length.as_mut() {
            *length = CStr::from_ptr(acl).count_bytes() as isize;
        }
        libc::strdup(acl)
    }
}

extern "C" fn acl_free(memory: *mut c_void) -> c_int {
    // SAFETY: what `acl_to_text` or `acl_copy_int` gave.
    unsafe { libc::free(memory) };
    0
}

#[allow(non_snake_case, reason = "C's name")]
extern "C" fn CCRandomGenerateBytes(buffer: *mut c_void, size: usize) -> c_int {
    // SAFETY: the caller's buffer.
    let given = unsafe { libc::getrandom(buffer, size, 0) };
    if given == size as isize { 0 } else { -1 }
}

extern "C" fn csr_get_active_config(config: *mut u32) -> c_int {
    // SAFETY: the caller's variable.
    unsafe { config.write(settings::get().csr) };
    0
}

/// The functions of this area.
pub fn exports() -> Vec<Export> {
    let mut exports = members();
    exports.extend(functions![
        acl_copy_ext,
        acl_copy_int,
        acl_free,
        acl_size,
        acl_to_text,
        csr_get_active_config,
        CCRandomGenerateBytes
    ]);
    exports
}
