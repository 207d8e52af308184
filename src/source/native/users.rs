//! Users, and the change of a process to another user.

use std::ffi::{CStr, CString, c_char};
use std::io;
use std::mem::MaybeUninit;
use std::ptr;

/// A user, as in passwd(5).
#[derive(Clone, Debug)]
pub struct User {
    /// Its number.
    pub uid: u32,
    /// The number of its main group.
    pub gid: u32,
    /// Its name.
    pub name: CString,
    /// Its home folder.
    pub home: CString,
    /// Its shell.
    pub shell: CString,
}

/// The size of the buffer for the entry of a user, in bytes.
const MAX_ENTRY: usize = 16 << 10;

impl User {
    /// The user with this number, if there is one.
    pub fn by_uid(uid: u32) -> Option<User> {
        User::get(|entry, buffer, length, found| {
            // SAFETY: there is room for the entry, its texts and the result.
            unsafe { libc::getpwuid_r(uid, entry, buffer, length, found) }
        })
    }

    /// The user of this name, if there is one.
    pub fn by_name(name: &CStr) -> Option<User> {
        User::get(|entry, buffer, length, found| {
            // SAFETY: the name ends in NUL, and there is room for the entry, its texts and the result.
            unsafe { libc::getpwnam_r(name.as_ptr(), entry, buffer, length, found) }
        })
    }

    fn get(
        look_up: impl FnOnce(*mut libc::passwd, *mut c_char, usize, *mut *mut libc::passwd) -> i32,
    ) -> Option<User> {
        let mut entry = MaybeUninit::<libc::passwd>::uninit();
        let mut buffer: Vec<c_char> = vec![0; MAX_ENTRY];
        let mut found = ptr::null_mut();
        let error = look_up(
            entry.as_mut_ptr(),
            buffer.as_mut_ptr(),
            MAX_ENTRY,
            &raw mut found,
        );
        if error != 0 || found.is_null() {
            return None;
        }
        // SAFETY: the user was found, so the entry is filled in.
        let entry = unsafe { entry.assume_init() };
        let text = |text: *const c_char| {
            if text.is_null() {
                return CString::default();
            }
            // SAFETY: the texts of an entry end in NUL, and lie in the buffer, which is still there.
            unsafe { CStr::from_ptr(text) }.to_owned()
        };
        Some(User {
            uid: entry.pw_uid,
            gid: entry.pw_gid,
            name: text(entry.pw_name),
            home: text(entry.pw_dir),
            shell: text(entry.pw_shell),
        })
    }

    /// Makes this process run as the user, for good: sets its groups, then its group, then its user. The groups are set
    /// by initgroups(3), which macOS needs for users of more than 16 groups.
    ///
    /// # Errors
    /// Those of the three calls, or root's rights could be regained.
    pub fn become_for_good(&self) -> io::Result<()> {
        let group = i32::try_from(self.gid).map_err(io::Error::other)?;
        // SAFETY: the name ends in NUL; the others take numbers.
        unsafe {
            done(libc::initgroups(self.name.as_ptr(), group))?;
            done(libc::setgid(self.gid))?;
            done(libc::setuid(self.uid))?;
            let is_so = libc::getuid() == self.uid && libc::geteuid() == self.uid;
            if !is_so || self.uid != 0 && libc::setuid(0) == 0 {
                return Err(io::Error::other("root's privileges are still there"));
            }
        }
        Ok(())
    }
}

fn done(result: i32) -> io::Result<()> {
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// The folder for temporary files of the user that this process runs as, if macOS has one.
pub fn temporary_folder() -> Option<CString> {
    let mut buffer = vec![0_u8; 1024];
    // SAFETY: the buffer has that length.
    let length = unsafe {
        libc::confstr(
            libc::_CS_DARWIN_USER_TEMP_DIR,
            buffer.as_mut_ptr().cast(),
            buffer.len(),
        )
    };
    if length == 0 || length > buffer.len() {
        return None;
    }
    CStr::from_bytes_until_nul(&buffer).ok().map(CStr::to_owned)
}
