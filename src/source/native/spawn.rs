//! Starts programs suspended, and waits for their end.

use std::ffi::{CString, c_char, c_int, c_short};
use std::io;
use std::ptr;

/// A program with its arguments and environment.
#[derive(Clone, Debug)]
pub struct Image {
    /// The file that is executed.
    pub path: CString,
    /// Its arguments, its name first.
    pub arguments: Vec<CString>,
    /// Its environment, `NAME=VALUE` each.
    pub environment: Vec<CString>,
}

/// Attributes of `posix_spawn(2)`, freed on drop.
struct Attributes(libc::posix_spawnattr_t);

impl Attributes {
    /// The attributes for a program that is stopped before its first instruction, with the signals that Rust ignores
    /// set to their defaults.
    fn suspended() -> io::Result<Attributes> {
        let mut attributes = ptr::null_mut();
        // SAFETY: there is room for the attributes.
        done(unsafe { libc::posix_spawnattr_init(&raw mut attributes) })?;
        let mut attributes = Attributes(attributes);
        let mut defaults: libc::sigset_t = 0;
        let flags = libc::POSIX_SPAWN_START_SUSPENDED | libc::POSIX_SPAWN_SETSIGDEF;
        let flags = c_short::try_from(flags).map_err(io::Error::other)?;
        // SAFETY: the set and the attributes are initialised.
        unsafe {
            libc::sigemptyset(&raw mut defaults);
            libc::sigaddset(&raw mut defaults, libc::SIGPIPE);
            let set = &raw mut attributes.0;
            done(libc::posix_spawnattr_setsigdefault(
                set,
                &raw const defaults,
            ))?;
            done(libc::posix_spawnattr_setflags(set, flags))?;
        }
        Ok(attributes)
    }
}

impl Drop for Attributes {
    fn drop(&mut self) {
        // SAFETY: they are initialised. An error of this call can't be handled.
        let _ = unsafe { libc::posix_spawnattr_destroy(&raw mut self.0) };
    }
}

/// Starts a program in our process group and terminal, stopped before its first instruction, and returns its pid. It
/// inherits everything that isn't marked close-on-exec.
///
/// # Errors
/// Those of `posix_spawn(2)`: the file doesn't exist or can't be executed.
pub fn spawn_suspended(image: &Image) -> io::Result<i32> {
    let attributes = Attributes::suspended()?;
    let arguments = pointers(&image.arguments);
    let environment = pointers(&image.environment);
    let mut pid = 0;
    // SAFETY: path, arguments and environment are C strings, the arrays end with NULL, and the attributes are
    // initialised.
    done(unsafe {
        libc::posix_spawn(
            &raw mut pid,
            image.path.as_ptr(),
            ptr::null(),
            &raw const attributes.0,
            arguments.as_ptr(),
            environment.as_ptr(),
        )
    })?;
    Ok(pid)
}

/// The array that C expects.
fn pointers(strings: &[CString]) -> Vec<*mut c_char> {
    let pointers = strings.iter().map(|string| string.as_ptr().cast_mut());
    pointers.chain([ptr::null_mut()]).collect()
}

/// Converts the result of `posix_spawn(2)` and its relatives, which return the error.
fn done(error: c_int) -> io::Result<()> {
    match error {
        0 => Ok(()),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}

/// Sends a signal to a process, which may be gone.
pub fn kill(pid: i32, signal: i32) {
    // SAFETY: only numbers are passed.
    let _ = unsafe { libc::kill(pid, signal) };
}

/// Returns true if there is a process with this pid.
pub fn is_there(pid: i32) -> bool {
    // SAFETY: only numbers are passed; the signal 0 only checks.
    let result = unsafe { libc::kill(pid, 0) };
    result == 0 || io::Error::last_os_error().raw_os_error() == Some(libc::EPERM)
}

/// Keeps children that have ended until they are waited for, even if SIGCHLD was ignored when this program started.
pub fn keep_ended_children() {
    // SAFETY: it consists of a handler, a mask and flags, which may all be 0.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = libc::SIG_DFL;
    // SAFETY: the action is complete. The call fails only for signals that can't be caught.
    let _ = unsafe { libc::sigaction(libc::SIGCHLD, &raw const action, ptr::null_mut()) };
}

/// Lets a suspended program run.
pub fn resume(pid: i32) {
    kill(pid, libc::SIGCONT);
}

/// Ends a suspended program. A single SIGKILL may leave it suspended, so it is resumed afterwards, several times if
/// needed.
pub fn kill_suspended(pid: i32) {
    for _ in 0..100 {
        kill(pid, libc::SIGKILL);
        kill(pid, libc::SIGCONT);
        if let Ok(None) = wait(pid, libc::WNOHANG) {
            std::thread::sleep(std::time::Duration::from_millis(10));
        } else {
            return;
        }
    }
}

/// Waits for the end of a child, and returns the status that a shell reports for it: its own, or 128 plus the signal
/// that ended it.
///
/// # Errors
/// Those of waitpid(2): it isn't a child.
pub fn wait_for(pid: i32) -> io::Result<u8> {
    loop {
        if let Some(status) = wait(pid, 0)? {
            return Ok(status);
        }
    }
}

fn wait(pid: i32, options: c_int) -> io::Result<Option<u8>> {
    let mut status = 0;
    // SAFETY: there is room for the status.
    match unsafe { libc::waitpid(pid, &raw mut status, options) } {
        0 => Ok(None),
        -1 => {
            let error = io::Error::last_os_error();
            match error.kind() {
                io::ErrorKind::Interrupted => Ok(None),
                _ => Err(error),
            }
        }
        _ => {
            let code = if libc::WIFSIGNALED(status) {
                128 + libc::WTERMSIG(status)
            } else {
                libc::WEXITSTATUS(status)
            };
            Ok(u8::try_from(code).ok())
        }
    }
}
