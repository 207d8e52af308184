//! Error numbers: up to 34, Linux's and macOS's are the same except for two; above that they differ.

use std::cell::Cell;
use std::ffi::{c_char, c_int};

use super::{Export, functions, put_string};

/// Linux's number and macOS's.
const PAIRS: &[(c_int, c_int)] = &[
    (libc::EDEADLK, 11),
    (libc::EAGAIN, 35),
    (libc::EINPROGRESS, 36),
    (libc::EALREADY, 37),
    (libc::ENOTSOCK, 38),
    (libc::EDESTADDRREQ, 39),
    (libc::EMSGSIZE, 40),
    (libc::EPROTOTYPE, 41),
    (libc::ENOPROTOOPT, 42),
    (libc::EPROTONOSUPPORT, 43),
    (libc::ESOCKTNOSUPPORT, 44),
    (libc::EOPNOTSUPP, 102),
    (libc::EPFNOSUPPORT, 46),
    (libc::EAFNOSUPPORT, 47),
    (libc::EADDRINUSE, 48),
    (libc::EADDRNOTAVAIL, 49),
    (libc::ENETDOWN, 50),
    (libc::ENETUNREACH, 51),
    (libc::ENETRESET, 52),
    (libc::ECONNABORTED, 53),
    (libc::ECONNRESET, 54),
    (libc::ENOBUFS, 55),
    (libc::EISCONN, 56),
    (libc::ENOTCONN, 57),
    (libc::ESHUTDOWN, 58),
    (libc::ETOOMANYREFS, 59),
    (libc::ETIMEDOUT, 60),
    (libc::ECONNREFUSED, 61),
    (libc::ELOOP, 62),
    (libc::ENAMETOOLONG, 63),
    (libc::EHOSTDOWN, 64),
    (libc::EHOSTUNREACH, 65),
    (libc::ENOTEMPTY, 66),
    (libc::EUSERS, 68),
    (libc::EDQUOT, 69),
    (libc::ESTALE, 70),
    (libc::EREMOTE, 71),
    (libc::ENOLCK, 77),
    (libc::ENOSYS, 78),
    (libc::EOVERFLOW, 84),
    (libc::ECANCELED, 89),
    (libc::EIDRM, 90),
    (libc::ENOMSG, 91),
    (libc::EILSEQ, 92),
    (libc::ENODATA, 93), // ENOATTR: what a missing extended attribute gives
    (libc::EBADMSG, 94),
    (libc::EMULTIHOP, 95),
    (libc::ENOLINK, 97),
    (libc::ENOSR, 98),
    (libc::ENOSTR, 99),
    (libc::EPROTO, 100),
    (libc::ETIME, 101),
    (libc::ENOTRECOVERABLE, 104),
    (libc::EOWNERDEAD, 105),
];

/// macOS's number for a Linux error number.
pub fn to_mac(error: c_int) -> c_int {
    let pair = PAIRS.iter().find(|(linux, _)| *linux == error);
    pair.map_or(error, |(_, mac)| *mac)
}

fn from_mac(error: c_int) -> c_int {
    let pair = PAIRS.iter().find(|(_, mac)| *mac == error);
    pair.map_or(error, |(linux, _)| *linux)
}

thread_local! {
    /// The program's `errno`.
    static ERRNO: Cell<c_int> = const { Cell::new(0) };
}

fn glibc() -> *mut c_int {
    // SAFETY: always valid.
    unsafe { libc::__errno_location() }
}

/// Sets the error of a function that fails here, and returns the value that the function returns; `error` is Linux's
/// number.
pub fn fail(error: c_int) -> c_int {
    // SAFETY: this thread's errno.
    unsafe { *glibc() = error };
    -1
}

/// The error number that a glibc function has just set, as functions that return one do.
pub fn last() -> c_int {
    // SAFETY: this thread's errno.
    to_mac(unsafe { *glibc() })
}

/// Takes over glibc's error and clears it, so that the number that the program writes to its own stays until the next
/// failure.
pub extern "C" fn take_over() {
    // SAFETY: this thread's errno.
    let error = unsafe { glibc().replace(0) };
    if error != 0 {
        ERRNO.set(to_mac(error));
    }
}

/// Returns the address of the program's error number, which is always the same for a thread.
extern "C" fn __error() -> *mut c_int {
    take_over();
    ERRNO.with(Cell::as_ptr)
}

extern "C" fn strerror_r(error: c_int, buffer: *mut c_char, size: usize) -> c_int {
    let text = std::io::Error::from_raw_os_error(from_mac(error)).to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    if put_string(buffer, size, text.as_bytes()) {
        0
    } else {
        libc::ERANGE
    }
}

extern "C" fn strerror(error: c_int) -> *mut c_char {
    // SAFETY: any number has a text.
    unsafe { libc::strerror(from_mac(error)) }
}

/// The functions of this area.
pub fn exports() -> Vec<Export> {
    functions![__error, strerror, strerror_r].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_there_and_back() {
        assert_eq!((to_mac(libc::ENOENT), to_mac(libc::EAGAIN)), (2, 35));
        assert_eq!((to_mac(libc::EDEADLK), to_mac(libc::ENOTEMPTY)), (11, 66));
        for &(linux, mac) in PAIRS {
            assert_eq!((to_mac(linux), from_mac(mac)), (mac, linux));
        }
    }

    #[test]
    fn what_the_program_writes_stays() {
        fail(libc::ENOTEMPTY);
        let errno = __error();
        // SAFETY: this thread's.
        unsafe {
            assert_eq!(*errno, 66);
            *errno = 0;
            assert_eq!(*__error(), 0);
        }
    }
}
