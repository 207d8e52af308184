//! The accounts of the simulated Mac: those of `--user`, or those that every Mac has and a person's.

use std::ffi::{CStr, CString, c_char, c_int};
use std::ptr;
use std::str::FromStr;

use super::{Export, functions};
use crate::settings;

/// An account, as `--user` gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    name: CString,
    uid: u32,
    gid: u32,
    home: CString,
    shell: CString,
    /// The other groups that it is in.
    groups: Vec<u32>,
}

impl FromStr for User {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text}: not NAME:UID:GID:HOME:SHELL[:GID,...]");
        let mut parts = text.split(':');
        let mut part = || parts.next().ok_or_else(wrong);
        let number = |text: &str| text.parse::<u32>().map_err(|_| wrong());
        let string = |text: &str| CString::new(text).map_err(|_| wrong());
        let user = User {
            name: string(part()?)?,
            uid: number(part()?)?,
            gid: number(part()?)?,
            home: string(part()?)?,
            shell: string(part()?)?,
            groups: match part() {
                Ok(groups) => groups.split(',').map(number).collect::<Result<_, _>>()?,
                Err(_) => Vec::new(),
            },
        };
        parts.next().map_or(Ok(user), |_| Err(wrong()))
    }
}

/// The accounts without `--user`.
pub const DEFAULT: &str = "\
    root:0:0:/var/root:/bin/sh:1,2,3,4,5,8,9,12,20,29,61,80;\
    daemon:1:1:/var/root:/usr/bin/false:12,61;\
    nobody:4294967294:4294967294:/var/empty:/usr/bin/false:12,61;\
    test:501:20:/Users/test:/bin/zsh:12,61,79,80,81,98,33,100,204,250,395,398,399,400,701,702,703,704";

fn user(is_it: impl Fn(&User) -> bool) -> Option<&'static User> {
    settings::get().user.iter().find(|user| is_it(user))
}

fn of_uid(uid: u32) -> Option<&'static User> {
    user(|user| user.uid == uid)
}

fn of_name(name: *const c_char) -> Option<&'static User> {
    // SAFETY: a string of the caller's.
    let name = unsafe { CStr::from_ptr(name) };
    user(|user| user.name.as_c_str() == name)
}

/// The group of a user's processes: the account's group, or staff.
pub fn group_of(uid: u32) -> u32 {
    const STAFF: u32 = 20;
    of_uid(uid).map_or(STAFF, |user| user.gid)
}

/// All groups of an account, `group` first; `group` alone for an unknown account.
pub fn groups_of(name: *const c_char, group: u32) -> Vec<u32> {
    let mut groups = vec![group];
    if let Some(user) = of_name(name) {
        for group in [user.gid].iter().chain(&user.groups) {
            if !groups.contains(group) {
                groups.push(*group);
            }
        }
    }
    groups
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
    found: Option<&User>,
    account: *mut Account,
    buffer: *mut c_char,
    size: usize,
    result: *mut *mut Account,
) -> c_int {
    // SAFETY: the caller's variables and buffer.
    unsafe {
        result.write(ptr::null_mut());
        let Some(found) = found else {
            return 0;
        };
        let mut used = 0;
        let mut copy = |text: &CStr| {
            let text = text.to_bytes_with_nul();
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
            name: copy(&found.name),
            password: copy(c"********"),
            uid: found.uid,
            gid: found.gid,
            change: 0,
            class: copy(c""),
            gecos: copy(&found.name),
            directory: copy(&found.home),
            shell: copy(&found.shell),
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
    account(of_uid(uid), output, buffer, size, result)
}

extern "C" fn getpwnam_r(
    name: *const c_char,
    output: *mut Account,
    buffer: *mut c_char,
    size: usize,
    result: *mut *mut Account,
) -> c_int {
    account(of_name(name), output, buffer, size, result)
}

/// The memory of a structure that a function returns.
struct Own {
    account: Account,
    buffer: [c_char; 4096],
}

/// Allocates memory for one account, which is never freed; programs look up few.
fn own(found: Option<&User>) -> *mut Account {
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
    account(
        found,
        &raw mut own.account,
        own.buffer.as_mut_ptr(),
        own.buffer.len(),
        &raw mut result,
    );
    result
}

extern "C" fn getpwuid(uid: u32) -> *mut Account {
    own(of_uid(uid))
}

extern "C" fn getpwnam(name: *const c_char) -> *mut Account {
    own(of_name(name))
}

/// Gets the groups of an account, which are `int` on macOS. Returns -1 if there is too little room, after filling it.
extern "C" fn getgrouplist(
    name: *const c_char,
    group: c_int,
    output: *mut c_int,
    count: *mut c_int,
) -> c_int {
    let groups = groups_of(name, group.cast_unsigned());
    // SAFETY: the caller's variable, and as much room as it says.
    unsafe {
        let room = usize::try_from(*count).unwrap_or(0);
        let given = groups.len().min(room);
        output
            .cast::<u32>()
            .copy_from_nonoverlapping(groups.as_ptr(), given);
        count.write(given as c_int);
        if given < groups.len() { -1 } else { 0 }
    }
}

/// The functions of this area.
pub fn exports() -> Vec<Export> {
    functions![getgrouplist, getpwnam, getpwnam_r, getpwuid, getpwuid_r].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_read() {
        for text in DEFAULT.split(';') {
            let user: User = text.parse().expect("a user");
            assert!(!user.groups.is_empty());
        }
        let user: User = "a:7:8:/a:/bin/sh".parse().expect("a user");
        assert_eq!((user.uid, user.gid, user.groups), (7, 8, vec![]));
        for wrong in [
            "a",
            "a:x:8:/a:/bin/sh",
            "a:7:8:/a:/bin/sh:1:2",
            "a:7:8:/a:/s:x",
        ] {
            assert!(wrong.parse::<User>().is_err(), "{wrong}");
        }
    }
}
