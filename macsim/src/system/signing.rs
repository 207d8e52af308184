//! The kernel's information about a program's signature.

use std::ffi::{c_int, c_uint};

use super::errno::fail;
use super::{Export, functions};
use crate::settings::{self, Signature};

/// `CS_OPS_ENTITLEMENTS_BLOB`
const ENTITLEMENTS_BLOB: c_uint = 7;
/// `CSMAGIC_EMBEDDED_ENTITLEMENTS`
const MAGIC: u32 = 0xfade_7171;

/// The program's entitlements as they are in its signature: a header of eight bytes, then a property list.
fn blob() -> Vec<u8> {
    let text = include_bytes!("../../../entitlements.plist");
    let length = text.len() as u32 + 8;
    [&MAGIC.to_be_bytes()[..], &length.to_be_bytes(), text].concat()
}

/// As in `bsd/kern/kern_cs.c` and `kern_proc.c` of xnu: a program that isn't signed is refused, one without
/// entitlements gets a header of zeros, and a buffer that is too small gets the header with the length that is
/// needed.
extern "C" fn csops(pid: i32, operation: c_uint, buffer: *mut u8, size: usize) -> c_int {
    // SAFETY: it takes nothing.
    if ![0, unsafe { libc::getpid() }].contains(&pid) {
        return fail(libc::ESRCH);
    }
    let blob = match settings::get().signature {
        _ if operation != ENTITLEMENTS_BLOB => return fail(libc::EINVAL),
        Signature::None => return fail(libc::EINVAL),
        Signature::AdHoc => vec![0; 8],
        Signature::Entitled => blob(),
    };
    let too_small = size < blob.len();
    let mut copied = blob.as_slice();
    let head = [&[0; 4], &(blob.len() as u32).to_be_bytes()[..]].concat();
    if too_small {
        copied = if size < head.len() { &[] } else { &head };
    }
    // SAFETY: the caller's buffer has `size` bytes.
    unsafe { buffer.copy_from_nonoverlapping(copied.as_ptr(), copied.len()) };
    if too_small { fail(libc::ERANGE) } else { 0 }
}

/// The functions of this area.
pub fn exports() -> Vec<Export> {
    functions![csops].to_vec()
}
