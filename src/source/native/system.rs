//! What the running system and this process are.

use std::ffi::{CStr, c_void};

use super::c::audit_token_t;
use crate::catalogue::MacOs;

/// The version of the running macOS; None where it doesn't tell.
pub fn macos_version() -> Option<MacOs> {
    let text = sysctl(c"kern.osproductversion")?;
    let mut parts = text.split('.').map(|part| part.trim().parse().ok());
    Some(MacOs(
        parts.next()??,
        parts.next().flatten().unwrap_or(0),
        parts.next().flatten().unwrap_or(0),
    ))
}

/// A text of sysctl(3).
fn sysctl(name: &CStr) -> Option<String> {
    let mut buffer = vec![0_u8; 64];
    let mut length = buffer.len();
    // SAFETY: the name ends in NUL, and the buffer has that length.
    let result = unsafe {
        libc::sysctlbyname(
            name.as_ptr(),
            buffer.as_mut_ptr().cast::<c_void>(),
            &raw mut length,
            std::ptr::null_mut(),
            0,
        )
    };
    if result != 0 {
        return None;
    }
    buffer.truncate(length);
    let text = CStr::from_bytes_until_nul(&buffer).ok()?;
    text.to_str().ok().map(str::to_owned)
}

/// The audit token of this process.
pub fn own_audit_token() -> Option<audit_token_t> {
    /// `<mach/task_info.h>`
    const TASK_AUDIT_TOKEN: u32 = 15;
    let mut token = audit_token_t::default();
    let mut count = 8;
    // SAFETY: the token has room for the eight words that the flavor gives.
    let result = unsafe {
        mach2::task::task_info(
            mach2::traps::mach_task_self(),
            TASK_AUDIT_TOKEN,
            token.val.as_mut_ptr().cast(),
            &raw mut count,
        )
    };
    (result == 0).then_some(token)
}

/// The process group of this process: the pipeline that it is a part of.
pub fn own_process_group() -> i32 {
    // SAFETY: it takes nothing and can't fail.
    unsafe { libc::getpgrp() }
}
