//! Mach: a task's information about itself.

use std::ffi::{c_char, c_int};

use super::{Export, functions, identity};
use crate::{live, settings};

/// The name of this task's port.
static TASK: u32 = 0x103;

const SUCCESS: c_int = 0;
const INVALID_ARGUMENT: c_int = 4;
const AUDIT_TOKEN: u32 = 15;

/// This process's audit token.
pub fn audit_token() -> [u32; 8] {
    if let Some(token) = live::token() {
        return token;
    }
    let settings = settings::get();
    let [euid, ruid, egid, rgid] = identity::ids();
    [
        settings.auid,
        euid,
        egid,
        ruid,
        rgid,
        std::process::id(),
        100_000,
        settings.pidversion,
    ]
}

extern "C" fn task_info(_: u32, flavor: u32, output: *mut u32, count: *mut u32) -> c_int {
    let token = audit_token();
    // SAFETY: the caller's buffer, which has as many words as it says.
    unsafe {
        if flavor != AUDIT_TOKEN || (*count as usize) < token.len() {
            return INVALID_ARGUMENT;
        }
        output.copy_from_nonoverlapping(token.as_ptr(), token.len());
        count.write(token.len() as u32);
    }
    SUCCESS
}

extern "C" fn mach_task_self() -> u32 {
    TASK
}

extern "C" fn mach_error_string(_: c_int) -> *const c_char {
    c"a Mach error".as_ptr()
}

/// The functions and data of this area.
pub fn exports() -> Vec<Export> {
    let mut exports = functions![mach_error_string, mach_task_self, task_info].to_vec();
    exports.push(("mach_task_self_", &raw const TASK as usize));
    exports
}
