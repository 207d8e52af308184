//! Files: flags and structures of `open`, `stat`, `fcntl`, directories, memory maps.

use std::cell::UnsafeCell;
use std::ffi::{c_char, c_int, c_long, c_uint, c_void};

use super::errno::{fail, last};
use super::{Export, Rooted, functions};

/// macOS's flags of `open` and Linux's.
const OPEN_FLAGS: &[(c_int, c_int)] = &[
    (0x4, libc::O_NONBLOCK),
    (0x8, libc::O_APPEND),
    (0x40, libc::O_ASYNC),
    (0x80, libc::O_SYNC),
    (0x100, libc::O_NOFOLLOW),
    (0x200, libc::O_CREAT),
    (0x400, libc::O_TRUNC),
    (0x800, libc::O_EXCL),
    (0x2_0000, libc::O_NOCTTY),
    (0x10_0000, libc::O_DIRECTORY),
    (0x20_0000, libc::O_PATH | libc::O_NOFOLLOW), // O_SYMLINK
    (0x40_0000, libc::O_DSYNC),
    (0x100_0000, libc::O_CLOEXEC),
];

/// Linux's flags for `open` from macOS's.
pub fn open_flags(flags: c_int) -> c_int {
    let set = OPEN_FLAGS.iter().filter(|(mac, _)| flags & mac != 0);
    set.fold(flags & libc::O_ACCMODE, |sum, (_, linux)| sum | linux)
}

/// macOS's status flags of a descriptor from Linux's.
fn status_flags(flags: c_int) -> c_int {
    let status = [libc::O_NONBLOCK, libc::O_APPEND, libc::O_ASYNC];
    let set = OPEN_FLAGS
        .iter()
        .filter(|(_, linux)| status.contains(linux) && flags & linux != 0);
    set.fold(flags & libc::O_ACCMODE, |sum, (mac, _)| sum | mac)
}

/// The descriptor that stands for the working directory.
fn directory(descriptor: c_int) -> c_int {
    if descriptor == -2 {
        libc::AT_FDCWD
    } else {
        descriptor
    }
}

extern "C" fn open(path: *const c_char, flags: c_int, mode: c_uint) -> c_int {
    let path = Rooted::new(path);
    // SAFETY: as C asks of the caller.
    unsafe { libc::open(path.as_ptr(), open_flags(flags), mode) }
}

extern "C" fn openat(at: c_int, path: *const c_char, flags: c_int, mode: c_uint) -> c_int {
    let path = Rooted::new(path);
    // SAFETY: as C asks of the caller.
    unsafe { libc::openat(directory(at), path.as_ptr(), open_flags(flags), mode) }
}

extern "C" fn access(path: *const c_char, mode: c_int) -> c_int {
    let path = Rooted::new(path);
    // SAFETY: as C asks of the caller.
    unsafe { libc::access(path.as_ptr(), mode) }
}

extern "C" fn faccessat(at: c_int, path: *const c_char, mode: c_int, flags: c_int) -> c_int {
    let path = Rooted::new(path);
    let effective = if flags & 0x10 == 0 {
        0
    } else {
        libc::AT_EACCESS
    };
    // SAFETY: as C asks of the caller.
    unsafe { libc::faccessat(directory(at), path.as_ptr(), mode, effective) }
}

extern "C" fn unlinkat(at: c_int, path: *const c_char, flags: c_int) -> c_int {
    let remove = if flags & 0x80 == 0 {
        0
    } else {
        libc::AT_REMOVEDIR
    };
    // SAFETY: as C asks of the caller.
    unsafe { libc::unlinkat(directory(at), path, remove) }
}

extern "C" fn linkat(
    from: c_int,
    path: *const c_char,
    to: c_int,
    new: *const c_char,
    flags: c_int,
) -> c_int {
    let follow = if flags & 0x40 == 0 {
        0
    } else {
        libc::AT_SYMLINK_FOLLOW
    };
    // SAFETY: as C asks of the caller.
    unsafe { libc::linkat(directory(from), path, directory(to), new, follow) }
}

extern "C" fn readlink(path: *const c_char, buffer: *mut c_char, size: usize) -> isize {
    let path = Rooted::new(path);
    // SAFETY: as C asks of the caller.
    unsafe { libc::readlink(path.as_ptr(), buffer, size) }
}

extern "C" fn readlinkat(
    at: c_int,
    path: *const c_char,
    buffer: *mut c_char,
    size: usize,
) -> isize {
    let path = Rooted::new(path);
    // SAFETY: as C asks of the caller.
    unsafe { libc::readlinkat(directory(at), path.as_ptr(), buffer, size) }
}

extern "C" fn realpath(path: *const c_char, resolved: *mut c_char) -> *mut c_char {
    // SAFETY: as C asks of the caller.
    unsafe { libc::realpath(path, resolved) }
}

const F_GETPATH: c_int = 50;

extern "C" fn fcntl(descriptor: c_int, command: c_int, argument: c_long) -> c_int {
    // SAFETY: the argument is a number, or for F_GETPATH a buffer of 1024 bytes.
    unsafe {
        match command {
            libc::F_DUPFD | libc::F_GETFD | libc::F_SETFD => {
                libc::fcntl(descriptor, command, argument)
            }
            libc::F_GETFL => match libc::fcntl(descriptor, libc::F_GETFL) {
                -1 => -1,
                flags => status_flags(flags),
            },
            libc::F_SETFL => libc::fcntl(descriptor, libc::F_SETFL, open_flags(argument as c_int)),
            67 => libc::fcntl(descriptor, libc::F_DUPFD_CLOEXEC, argument),
            51 | 85 => libc::fsync(descriptor), // F_FULLFSYNC, F_BARRIERFSYNC
            45 | 48 | 73 | 74 => 0, // F_RDAHEAD, F_NOCACHE, F_SETNOSIGPIPE, F_GETNOSIGPIPE
            F_GETPATH => {
                let link = format!("/proc/self/fd/{descriptor}\0");
                let buffer = argument as *mut c_char;
                let length = libc::readlink(link.as_ptr().cast(), buffer, 1023);
                if length < 0 {
                    return fail(libc::EBADF);
                }
                buffer.offset(length).write(0);
                0
            }
            _ => fail(libc::EINVAL),
        }
    }
}

/// macOS's `struct stat`.
#[repr(C)]
struct Stat {
    dev: i32,
    mode: u16,
    nlink: u16,
    ino: u64,
    uid: u32,
    gid: u32,
    rdev: i32,
    padding: i32,
    times: [libc::timespec; 4],
    size: i64,
    blocks: i64,
    blksize: i32,
    flags: u32,
    generation: u32,
    spare: i32,
    spares: [i64; 2],
}

/// macOS's device number: 8 bits major, 24 bits minor.
fn device(device: libc::dev_t) -> i32 {
    ((libc::major(device) << 24) | (libc::minor(device) & 0xff_ffff)) as i32
}

/// Runs a function of the `stat` family, and converts its result.
fn converted(output: *mut Stat, call: impl FnOnce(*mut libc::stat) -> c_int) -> c_int {
    // SAFETY: plain numbers, for which zero is a value.
    let mut stat: libc::stat = unsafe { std::mem::zeroed() };
    let result = call(&raw mut stat);
    if result != 0 {
        return result;
    }
    let time = |tv_sec, tv_nsec| libc::timespec { tv_sec, tv_nsec };
    let changed = time(stat.st_ctime, stat.st_ctime_nsec);
    let converted = Stat {
        dev: device(stat.st_dev),
        mode: stat.st_mode as u16,
        nlink: stat.st_nlink as u16,
        ino: stat.st_ino,
        uid: stat.st_uid,
        gid: stat.st_gid,
        rdev: device(stat.st_rdev),
        padding: 0,
        times: [
            time(stat.st_atime, stat.st_atime_nsec),
            time(stat.st_mtime, stat.st_mtime_nsec),
            changed,
            changed, // Linux's stat has no time of birth
        ],
        size: stat.st_size,
        blocks: stat.st_blocks,
        blksize: stat.st_blksize as i32,
        flags: 0,
        generation: 0,
        spare: 0,
        spares: [0; 2],
    };
    // SAFETY: the caller's structure.
    unsafe { output.write(converted) };
    0
}

extern "C" fn stat(path: *const c_char, output: *mut Stat) -> c_int {
    let path = Rooted::new(path);
    // SAFETY: as C asks of the caller.
    converted(output, |stat| unsafe { libc::stat(path.as_ptr(), stat) })
}

extern "C" fn lstat(path: *const c_char, output: *mut Stat) -> c_int {
    let path = Rooted::new(path);
    // SAFETY: as C asks of the caller.
    converted(output, |stat| unsafe { libc::lstat(path.as_ptr(), stat) })
}

extern "C" fn fstat(descriptor: c_int, output: *mut Stat) -> c_int {
    // SAFETY: as C asks of the caller.
    converted(output, |stat| unsafe { libc::fstat(descriptor, stat) })
}

extern "C" fn fstatat(at: c_int, path: *const c_char, output: *mut Stat, flags: c_int) -> c_int {
    let path = Rooted::new(path);
    let follow = if flags & 0x20 == 0 {
        0
    } else {
        libc::AT_SYMLINK_NOFOLLOW
    };
    // SAFETY: as C asks of the caller.
    converted(output, |stat| unsafe {
        libc::fstatat(directory(at), path.as_ptr(), stat, follow)
    })
}

/// macOS's `struct dirent`.
#[repr(C)]
struct Dirent {
    ino: u64,
    seekoff: u64,
    reclen: u16,
    namlen: u16,
    kind: u8,
    name: [u8; 1024],
}

extern "C" fn opendir(path: *const c_char) -> *mut libc::DIR {
    let path = Rooted::new(path);
    // SAFETY: as C asks of the caller.
    unsafe { libc::opendir(path.as_ptr()) }
}

extern "C" fn fdopendir(descriptor: c_int) -> *mut libc::DIR {
    // SAFETY: as C asks of the caller.
    unsafe { libc::fdopendir(descriptor) }
}

extern "C" fn readdir_r(
    directory: *mut libc::DIR,
    entry: *mut Dirent,
    result: *mut *mut Dirent,
) -> c_int {
    // SAFETY: as C asks of the caller; the entry is valid until the directory is read again.
    unsafe {
        fail(0);
        let found = libc::readdir(directory);
        if found.is_null() {
            result.write(std::ptr::null_mut());
            return last();
        }
        let name =
            std::ffi::CStr::from_ptr((&raw const (*found).d_name).cast()).to_bytes_with_nul();
        (*entry).ino = (*found).d_ino;
        (*entry).seekoff = 0;
        (*entry).reclen = size_of::<Dirent>() as u16;
        (*entry).namlen = name.len() as u16 - 1;
        (*entry).kind = (*found).d_type;
        (&raw mut (*entry).name)
            .cast::<u8>()
            .copy_from_nonoverlapping(name.as_ptr(), name.len());
        result.write(entry);
    }
    0
}

extern "C" fn readdir(directory: *mut libc::DIR) -> *mut Dirent {
    thread_local! {
        static ENTRY: UnsafeCell<Dirent> = const {
            UnsafeCell::new(Dirent { ino: 0, seekoff: 0, reclen: 0, namlen: 0, kind: 0, name: [0; 1024] })
        };
    }
    let mut result = std::ptr::null_mut();
    let error = readdir_r(directory, ENTRY.with(UnsafeCell::get), &raw mut result);
    if error != 0 {
        fail(error);
    }
    result
}

extern "C" fn mmap(
    place: *mut c_void,
    size: usize,
    protection: c_int,
    flags: c_int,
    descriptor: c_int,
    offset: i64,
) -> *mut c_void {
    let anonymous = if flags & 0x1000 == 0 {
        0
    } else {
        libc::MAP_ANONYMOUS
    };
    let flags = flags & (libc::MAP_SHARED | libc::MAP_PRIVATE | libc::MAP_FIXED) | anonymous;
    // SAFETY: as C asks of the caller.
    unsafe { libc::mmap(place, size, protection, flags, descriptor, offset) }
}

extern "C" fn madvise(place: *mut c_void, size: usize, advice: c_int) -> c_int {
    match advice {
        // SAFETY: as C asks of the caller.
        0..=4 => unsafe { libc::madvise(place, size, advice) },
        _ => 0,
    }
}

extern "C" fn poll(descriptors: *mut libc::pollfd, count: c_uint, timeout: c_int) -> c_int {
    // SAFETY: as C asks of the caller.
    unsafe { libc::poll(descriptors, count.into(), timeout) }
}

/// macOS's flags of `send` and `recv`, and Linux's.
const MESSAGE_FLAGS: &[(c_int, c_int)] = &[
    (0x2, libc::MSG_PEEK),
    (0x40, libc::MSG_WAITALL),
    (0x80, libc::MSG_DONTWAIT),
    (0x8_0000, libc::MSG_NOSIGNAL),
];

fn message_flags(flags: c_int) -> c_int {
    let set = MESSAGE_FLAGS.iter().filter(|(mac, _)| flags & mac != 0);
    set.fold(0, |all, (_, linux)| all | linux)
}

extern "C" fn send(socket: c_int, buffer: *const c_void, size: usize, flags: c_int) -> isize {
    // SAFETY: as C asks of the caller.
    unsafe { libc::send(socket, buffer, size, message_flags(flags)) }
}

extern "C" fn recv(socket: c_int, buffer: *mut c_void, size: usize, flags: c_int) -> isize {
    // SAFETY: as C asks of the caller.
    unsafe { libc::recv(socket, buffer, size, message_flags(flags)) }
}

/// macOS's `struct timeval`: four bytes of padding follow the microseconds.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Timeval {
    /// `tv_sec`
    pub seconds: i64,
    /// `tv_usec`
    pub microseconds: i32,
    padding: i32,
}

impl Timeval {
    /// Converts it to Linux's structure.
    pub fn linux(self) -> libc::timeval {
        libc::timeval {
            tv_sec: self.seconds,
            tv_usec: self.microseconds.into(),
        }
    }
}

type Set = *mut libc::fd_set;

extern "C" fn select(
    count: c_int,
    read: Set,
    write: Set,
    error: Set,
    timeout: *const Timeval,
) -> c_int {
    // SAFETY: as C asks of the caller; sets of descriptors have the same bits.
    unsafe {
        let mut limit = timeout.as_ref().map(|timeout| timeout.linux());
        let limit = limit
            .as_mut()
            .map_or(std::ptr::null_mut(), |limit| &raw mut *limit);
        libc::select(count, read, write, error, limit)
    }
}

/// The functions of this area.
pub fn exports() -> Vec<Export> {
    functions![
        access, faccessat, fcntl, fdopendir, fstat, fstatat, linkat, lstat, madvise, mmap, open,
        openat, opendir, poll, readdir, readdir_r, readlink, readlinkat, realpath, recv, select,
        send, stat, unlinkat,
    ]
    .to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_flags_go_there_and_back() {
        assert_eq!(
            open_flags(0x100_0601),
            libc::O_WRONLY | libc::O_CREAT | libc::O_TRUNC | libc::O_CLOEXEC
        );
        assert_eq!(
            status_flags(libc::O_RDWR | libc::O_NONBLOCK | libc::O_APPEND),
            2 | 4 | 8
        );
    }

    #[test]
    fn structures_have_macos_sizes() {
        assert_eq!(size_of::<Stat>(), 144);
        assert_eq!(std::mem::offset_of!(Stat, size), 96);
        assert_eq!(std::mem::offset_of!(Dirent, name), 21);
    }
}
