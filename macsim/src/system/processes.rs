//! Processes: their end, waiting for children, information about others.

use std::collections::BTreeSet;
use std::ffi::{c_char, c_int, c_void};
use std::ptr;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::dyld::environ;
use super::errno::fail;
use super::signals::{Info, number};
use super::spawn::{self, Strings};
use super::{Export, functions, groups, put_string, threads};
use crate::{es, live};

/// The program's first child, for which the messages' `--child-pid` stands.
#[derive(Clone, Copy)]
struct Child {
    pid: i32,
    runs: bool,
}

static CHILD: Mutex<Option<Child>> = Mutex::new(None);
static CHILD_CHANGED: Condvar = Condvar::new();

/// The children that were started suspended, and neither continued nor waited for.
static SUSPENDED: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());

fn suspended() -> MutexGuard<'static, BTreeSet<i32>> {
    SUSPENDED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Notes that a child was started.
pub fn spawned(pid: i32, is_suspended: bool) {
    if is_suspended {
        suspended().insert(pid);
    } else {
        suspended().remove(&pid);
    }
    let mut child = CHILD.lock().unwrap_or_else(PoisonError::into_inner);
    child.get_or_insert(Child {
        pid,
        runs: !is_suspended,
    });
    CHILD_CHANGED.notify_all();
}

/// Notes that a process, or a group given by a negative number or 0, was sent SIGCONT.
pub fn continued(pid: i32) {
    if pid > 0 {
        suspended().remove(&pid);
    } else {
        // SAFETY: always possible.
        let group = |pid| unsafe { libc::getpgid(pid) };
        let continued = if pid == 0 { group(0) } else { -pid };
        suspended().retain(|pid| group(*pid) != continued);
    }
    let mut child = CHILD.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(child) = child.as_mut().filter(|child| child.pid == pid) {
        child.runs = true;
    }
    CHILD_CHANGED.notify_all();
}

/// Waits until the program's first child runs, and returns its pid; `None` if `stop` says to give up.
pub fn wait_for_child(stop: impl Fn() -> bool) -> Option<i32> {
    let pause = std::time::Duration::from_millis(20);
    let mut child = CHILD.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        match *child {
            Some(child) if child.runs => return Some(child.pid),
            _ if stop() => return None,
            _ => {
                let wait = CHILD_CHANGED.wait_timeout(child, pause);
                child = wait.unwrap_or_else(PoisonError::into_inner).0;
            }
        }
    }
}

/// Ends the program: destructors, buffers, the simulation's last word.
pub extern "C" fn exit(status: c_int) -> ! {
    threads::run_destructors();
    let status = es::report().unwrap_or(status);
    // SAFETY: ends the process.
    unsafe { libc::exit(status) }
}

extern "C" fn atexit(function: extern "C" fn()) -> c_int {
    // SAFETY: as C asks of the caller.
    unsafe { libc::atexit(function) }
}

extern "C" fn _exit(status: c_int) -> ! {
    // SAFETY: ends the process.
    unsafe { libc::_exit(status) }
}

/// macOS's wait status for Linux's: the numbers of signals differ, and so does the status of a process that
/// continues.
pub fn wait_status(status: c_int) -> c_int {
    const CONTINUED: c_int = 0x13 << 8 | 0x7f;
    if libc::WIFCONTINUED(status) {
        CONTINUED
    } else if libc::WIFSTOPPED(status) {
        number(libc::WSTOPSIG(status)) << 8 | 0x7f
    } else if libc::WIFSIGNALED(status) {
        status & 0x80 | number(libc::WTERMSIG(status))
    } else {
        status
    }
}

fn wait_options(options: c_int) -> c_int {
    let pairs = [
        (0x1, libc::WNOHANG),
        (0x2, libc::WUNTRACED),
        (0x10, libc::WCONTINUED),
    ];
    let set = pairs.iter().filter(|(mac, _)| options & mac != 0);
    set.fold(0, |sum, (_, linux)| sum | linux)
}

extern "C" fn wait4(pid: i32, status: *mut c_int, options: c_int, usage: *mut libc::rusage) -> i32 {
    let pid = groups::real_target(pid);
    let mut found = 0;
    // SAFETY: the caller's variables, NULL allowed; the usage has the same members.
    unsafe {
        let result = libc::wait4(pid, &raw mut found, wait_options(options), usage);
        if result > 0 {
            if let Some(status) = status.as_mut() {
                *status = wait_status(found);
                // No signal stopped it: it was started suspended.
                if libc::WIFSTOPPED(found) && suspended().remove(&result) {
                    *status = 0x7f;
                }
            }
            in_bytes(usage);
        }
        result
    }
}

extern "C" fn waitpid(pid: i32, status: *mut c_int, options: c_int) -> i32 {
    wait4(pid, status, options, std::ptr::null_mut())
}

extern "C" fn waitid(kind: c_int, id: u32, info: *mut Info, options: c_int) -> c_int {
    let id = groups::real(id.cast_signed()).cast_unsigned();
    let pairs = [
        (0x1, libc::WNOHANG),
        (0x4, libc::WEXITED),
        (0x8, libc::WSTOPPED),
        (0x10, libc::WCONTINUED),
        (0x20, libc::WNOWAIT),
    ];
    let set = pairs.iter().filter(|(mac, _)| options & mac != 0);
    // SAFETY: the caller's structure, and one of our own; that a child ended fills the members that are read.
    unsafe {
        let mut found: libc::siginfo_t = std::mem::zeroed();
        let options = set.fold(0, |sum, (_, linux)| sum | linux);
        let result = libc::waitid(kind as libc::idtype_t, id, &raw mut found, options);
        if let (0, Some(info)) = (result, info.as_mut()) {
            let status = found.si_status();
            let exited = found.si_code == libc::CLD_EXITED;
            let stopped = found.si_code == libc::CLD_STOPPED;
            // No signal stopped it: it was started suspended.
            let started_so = stopped && suspended().contains(&found.si_pid());
            if started_so && options & libc::WNOWAIT == 0 {
                suspended().remove(&found.si_pid());
            }
            let signal = if started_so { 0 } else { number(status) };
            *info = Info {
                signal: if found.si_signo == 0 {
                    0
                } else {
                    number(found.si_signo)
                },
                errno: 0,
                code: found.si_code,
                pid: found.si_pid(),
                uid: found.si_uid(),
                status: if exited { status } else { signal },
                address: ptr::null_mut(),
                rest: [0; 9],
            };
        }
        result
    }
}

/// Linux counts the largest resident size in KiB, macOS in bytes.
unsafe fn in_bytes(usage: *mut libc::rusage) {
    // SAFETY: the caller's structure, NULL allowed.
    if let Some(usage) = unsafe { usage.as_mut() } {
        usage.ru_maxrss *= 1024;
    }
}

extern "C" fn getrusage(who: c_int, usage: *mut libc::rusage) -> c_int {
    // SAFETY: as C asks of the caller; what Linux writes beyond macOS's microseconds is padding there.
    unsafe {
        let result = libc::syscall(libc::SYS_getrusage, who, usage) as c_int;
        if result == 0 {
            in_bytes(usage);
        }
        result
    }
}

extern "C" fn execve(path: *const c_char, args: Strings, environment: Strings) -> c_int {
    // SAFETY: as C asks of the caller.
    unsafe { spawn::execute(&spawn::owned(path), args, environment) }
}

extern "C" fn execvp(file: *const c_char, args: Strings) -> c_int {
    let Some(file) = spawn::search(file) else {
        return fail(libc::ENOENT);
    };
    // SAFETY: as C asks of the caller.
    unsafe { spawn::execute(&file, args, environ.cast()) }
}

/// Writes the path of a process's executable; returns its length, or 0.
extern "C" fn proc_pidpath(pid: c_int, buffer: *mut c_char, size: u32) -> c_int {
    let Ok(path) = std::fs::read_link(format!("/proc/{pid}/exe")) else {
        fail(libc::ESRCH);
        return 0;
    };
    let path = path.as_os_str().as_encoded_bytes();
    if put_string(buffer, size as usize, path) {
        return path.len() as c_int;
    }
    fail(libc::ENOMEM);
    0
}

extern "C" fn proc_name(pid: c_int, buffer: *mut c_char, size: u32) -> c_int {
    let name = std::fs::read(format!("/proc/{pid}/comm")).unwrap_or_default();
    let name = name.trim_ascii_end();
    if put_string(buffer, size as usize, name) {
        name.len() as c_int
    } else {
        0
    }
}

/// The numbers of `/proc/PID/stat` after the name: state, parent, group, session and so on.
fn status(pid: i32) -> Option<(u8, Vec<i64>)> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = text.get(text.rfind(')')? + 2..)?.split(' ');
    let state = *fields.next()?.as_bytes().first()?;
    Some((
        state,
        fields
            .map(|field| field.trim_end().parse().unwrap_or(0))
            .collect(),
    ))
}

/// The processes of a real group.
pub fn of_group(group: i32) -> impl Iterator<Item = i32> {
    let is_in = move |pid: &i32| status(*pid).is_some_and(|(_, fields)| fields[1] == group.into());
    all().filter(is_in)
}

fn all() -> impl Iterator<Item = i32> {
    let directory = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    directory.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
}

/// Lists all processes, or those of a group (2) or of a parent (6).
extern "C" fn proc_listpids(kind: u32, id: u32, buffer: *mut i32, size: c_int) -> c_int {
    let group = i64::from(groups::real(id.cast_signed()));
    let wanted = |pid: &i32| match kind {
        2 => status(*pid).is_some_and(|(_, fields)| fields[1] == group),
        6 => status(*pid).is_some_and(|(_, fields)| fields[0] == i64::from(id)),
        _ => true,
    };
    let pids: Vec<i32> = all().filter(wanted).collect();
    if buffer.is_null() {
        return (pids.len() * 4) as c_int;
    }
    let count = pids.len().min(size.max(0) as usize / 4);
    // SAFETY: the caller's buffer has `size` bytes.
    unsafe { buffer.copy_from_nonoverlapping(pids.as_ptr(), count) };
    (count * 4) as c_int
}

extern "C" fn proc_listallpids(buffer: *mut i32, size: c_int) -> c_int {
    proc_listpids(1, 0, buffer, size) / 4
}

/// `struct proc_bsdinfo`
#[repr(C)]
struct BsdInfo {
    flags: u32,
    status: u32,
    xstatus: u32,
    pid: u32,
    ppid: u32,
    ids: [u32; 6],
    reserved: u32,
    comm: [u8; 16],
    name: [u8; 32],
    nfiles: u32,
    pgid: u32,
    pjobc: u32,
    tdev: u32,
    tpgid: u32,
    nice: i32,
    start_seconds: u64,
    start_microseconds: u64,
}

/// Information about a process; only `PROC_PIDTBSDINFO` (3).
extern "C" fn proc_pidinfo(
    pid: c_int,
    flavor: c_int,
    _: u64,
    buffer: *mut c_void,
    size: c_int,
) -> c_int {
    const BSD_INFO: c_int = 3;
    let Some((state, fields)) = status(pid) else {
        fail(libc::ESRCH);
        return 0;
    };
    if flavor != BSD_INFO || (size as usize) < size_of::<BsdInfo>() {
        fail(libc::EINVAL);
        return 0;
    }
    let mut info = BsdInfo {
        flags: 0,
        status: match state {
            b'T' | b't' => 4,
            b'Z' => 5,
            b'S' => 3,
            _ => 2,
        },
        xstatus: 0,
        pid: pid as u32,
        ppid: fields[0] as u32,
        ids: [0; 6],
        reserved: 0,
        comm: [0; 16],
        name: [0; 32],
        nfiles: 0,
        pgid: groups::shown(fields[1] as i32).cast_unsigned(),
        pjobc: 0,
        tdev: fields[3] as u32,
        tpgid: groups::shown(fields[4] as i32).cast_unsigned(),
        nice: fields[15] as i32,
        start_seconds: fields[18] as u64 / 100,
        start_microseconds: fields[18] as u64 % 100 * 10_000,
    };
    if let Some((seconds, microseconds)) = live::start_of(pid) {
        info.start_seconds = seconds.into();
        info.start_microseconds = microseconds.into();
    }
    proc_name(pid, (&raw mut info.comm).cast(), 16);
    proc_name(pid, (&raw mut info.name).cast(), 32);
    // SAFETY: the caller's buffer is large enough.
    unsafe { buffer.cast::<BsdInfo>().write(info) };
    size_of::<BsdInfo>() as c_int
}

/// Returns the process that is responsible for another one in privacy settings: on macOS the terminal that it was
/// started from; here, the process that started it.
extern "C" fn responsibility_get_pid_responsible_for_pid(pid: i32) -> i32 {
    status(pid).map_or(-1, |(_, fields)| fields[0] as i32)
}

/// The functions of this area.
pub fn exports() -> Vec<Export> {
    functions![
        _exit,
        atexit,
        execve,
        execvp,
        exit,
        getrusage,
        proc_listallpids,
        proc_listpids,
        proc_name,
        proc_pidinfo,
        proc_pidpath,
        responsibility_get_pid_responsible_for_pid,
        wait4,
        waitid,
        waitpid,
    ]
    .to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wait_status_has_macos_signals() {
        assert_eq!(wait_status(3 << 8), 3 << 8);
        assert_eq!(wait_status(libc::SIGUSR1), 30);
        assert_eq!(wait_status(libc::SIGSEGV | 0x80), 0x8b);
        assert_eq!(wait_status(libc::SIGSTOP << 8 | 0x7f), 17 << 8 | 0x7f);
        assert_eq!(wait_status(0xffff), 0x13 << 8 | 0x7f);
        assert_eq!(size_of::<BsdInfo>(), 136);
    }
}
