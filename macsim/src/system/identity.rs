//! Who the program runs as, and the accounts there are.

use std::ffi::{CStr, c_char, c_int};
use std::ptr;

use super::{Export, functions};
use crate::settings;

extern "C" fn geteuid() -> u32 {
    settings::get().euid
}

extern "C" fn getuid() -> u32 {
    settings::get().euid
}

extern "C" fn issetugid() -> c_int {
    0
}

/// macOS's `struct passwd`.
#[repr(C)]
struct Account {
    name: *mut c_char,
    password: *mut c_char,
    uid: u32,
    gid: u32,
    change: i64,
    class: *mut c_char,
    gecos: *mut c_char,
    directory: *mut c_char,
    shell: *mut c_char,
    expire: i64,
}

/// Writes an account with its strings in the caller's buffer.
fn account(
    found: *const libc::passwd,
    account: *mut Account,
    buffer: *mut c_char,
    size: usize,
    result: *mut *mut Account,
) -> c_int {
    // SAFETY: glibc's structure, which is valid until the next look-up, and the caller's.
    unsafe {
        result.write(ptr::null_mut());
        let Some(found) = found.as_ref() else {
            return 0;
        };
        let mut used = 0;
        let mut copy = |text: *const c_char| {
            let text = CStr::from_ptr(text).to_bytes_with_nul();
            let place = buffer.wrapping_add(used);
            used += text.len();
            if used <= size {
                place
                    .cast::<u8>()
                    .copy_from_nonoverlapping(text.as_ptr(), text.len());
            }
            place
        };
        let converted = Account {
            name: copy(found.pw_name),
            password: copy(c"********".as_ptr()),
            uid: found.pw_uid,
            gid: found.pw_gid,
            change: 0,
            class: copy(c"".as_ptr()),
            gecos: copy(found.pw_gecos),
            directory: copy(found.pw_dir),
            shell: copy(found.pw_shell),
            expire: 0,
        };
        if used > size {
            return libc::ERANGE;
        }
        account.write(converted);
        result.write(account);
        0
    }
}

extern "C" fn getpwuid_r(
    uid: u32,
    output: *mut Account,
    buffer: *mut c_char,
    size: usize,
    result: *mut *mut Account,
) -> c_int {
    // SAFETY: as C asks of the caller.
    account(unsafe { libc::getpwuid(uid) }, output, buffer, size, result)
}

extern "C" fn getpwnam_r(
    name: *const c_char,
    output: *mut Account,
    buffer: *mut c_char,
    size: usize,
    result: *mut *mut Account,
) -> c_int {
    // SAFETY: as C asks of the caller.
    account(
        unsafe { libc::getpwnam(name) },
        output,
        buffer,
        size,
        result,
    )
}

/// The functions that give a structure of their own are told apart by nothing but that.
struct Own {
    account: Account,
    buffer: [c_char; 4096],
}

/// Memory for one account, given away; programs look up few.
fn own(
    look_up: impl FnOnce(*mut Account, *mut c_char, usize, *mut *mut Account) -> c_int,
) -> *mut Account {
    let own = Box::leak(Box::new(Own {
        account: Account {
            name: ptr::null_mut(),
            password: ptr::null_mut(),
            uid: 0,
            gid: 0,
            change: 0,
            class: ptr::null_mut(),
            gecos: ptr::null_mut(),
            directory: ptr::null_mut(),
            shell: ptr::null_mut(),
            expire: 0,
        },
        buffer: [0; 4096],
    }));
    let mut result = ptr::null_mut();
    look_up(
        &raw mut own.account,
        own.buffer.as_mut_ptr(),
        own.buffer.len(),
        &raw mut result,
    );
    result
}

extern "C" fn getpwuid(uid: u32) -> *mut Account {
    own(|account, buffer, size, result| getpwuid_r(uid, account, buffer, size, result))
}

extern "C" fn getpwnam(name: *const c_char) -> *mut Account {
    own(|account, buffer, size, result| getpwnam_r(name, account, buffer, size, result))
}

/// The groups of an account; macOS's numbers are `int`.
extern "C" fn getgrouplist(
    name: *const c_char,
    group: c_int,
    groups: *mut c_int,
    count: *mut c_int,
) -> c_int {
    // SAFETY: as C asks of the caller.
    match unsafe { libc::getgrouplist(name, group as u32, groups.cast(), count) } {
        -1 => -1,
        _ => 0,
    }
}

/// The functions of this area.
pub fn exports() -> Vec<Export> {
    functions![
        getegid,
        geteuid,
        getgid,
        getgrouplist,
        getpwnam,
        getpwnam_r,
        getpwuid,
        getpwuid_r,
        getuid,
        issetugid
    ]
    .to_vec()
}

extern "C" fn getgid() -> u32 {
    group_of(settings::get().euid)
}

extern "C" fn getegid() -> u32 {
    group_of(settings::get().euid)
}

/// Who the program runs as when it starts: effective and real user, effective and real group.
pub fn ids() -> [u32; 4] {
    let user = settings::get().euid;
    let group = group_of(user);
    [user, user, group, group]
}

/// root's group is wheel, all others' is staff.
pub fn group_of(user: u32) -> u32 {
    if user == 0 { 0 } else { 20 }
}
