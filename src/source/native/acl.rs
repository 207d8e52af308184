//! Access control lists as text.

use std::ffi::{c_char, c_int, c_void};

use super::c::acl_t;

// <sys/acl.h>, which the libc crate doesn't declare for macOS.
unsafe extern "C" {
    fn acl_size(acl: acl_t) -> isize;
    fn acl_copy_ext(buffer: *mut c_void, acl: acl_t, size: isize) -> isize;
    fn acl_copy_int(buffer: *const c_void) -> acl_t;
    fn acl_to_text(acl: acl_t, length: *mut isize) -> *mut c_char;
    fn acl_free(object: *mut c_void) -> c_int;
}

/// The text of an ACL in a message, as `acl_to_text(3)` writes it; None if that fails.
///
/// The functions of `<sys/acl.h>` may change an ACL, but the one in a message must not be changed: ESMessage.h says to
/// copy it by `acl_copy_ext(3)` and `acl_copy_int(3)`.
pub fn text(acl: acl_t) -> Option<Vec<u8>> {
    // SAFETY: the ACL belongs to a message, and these two functions may be called with such an ACL.
    let size = unsafe { acl_size(acl) };
    let mut external = vec![0_u8; usize::try_from(size).ok()?];
    // SAFETY: as before; the buffer has the given size.
    if unsafe { acl_copy_ext(external.as_mut_ptr().cast(), acl, size) } < 0 {
        return None;
    }
    // SAFETY: the buffer holds an ACL in its external form.
    let copy = unsafe { acl_copy_int(external.as_ptr().cast()) };
    if copy.is_null() {
        return None;
    }
    let mut length = 0;
    // SAFETY: the copy is an ACL of our own.
    let text = unsafe { acl_to_text(copy, &raw mut length) };
    let owned = (!text.is_null()).then(|| {
        // SAFETY: the text has that length.
        unsafe { std::slice::from_raw_parts(text.cast::<u8>(), length.unsigned_abs()) }.to_vec()
    });
    // SAFETY: both belong to us, and are not used any more. acl_free(3) accepts NULL, too.
    unsafe {
        acl_free(text.cast());
        acl_free(copy.cast());
    }
    owned
}
