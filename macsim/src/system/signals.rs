//! Signals: numbers, sets, handlers.

use std::ffi::{c_int, c_void};
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};

use super::errno::{fail, to_mac};
use super::{Export, functions, groups, processes};
use crate::{live, settings};

/// macOS's numbers and Linux's, where they differ.
const PAIRS: &[(c_int, c_int)] = &[
    (10, libc::SIGBUS),
    (12, libc::SIGSYS),
    (16, libc::SIGURG),
    (17, libc::SIGSTOP),
    (18, libc::SIGTSTP),
    (19, libc::SIGCONT),
    (20, libc::SIGCHLD),
    (23, libc::SIGIO),
    (29, libc::SIGPWR), // SIGINFO, which Linux lacks
    (30, libc::SIGUSR1),
    (31, libc::SIGUSR2),
    (7, libc::SIGSTKFLT), // SIGEMT, which Linux lacks
];

/// Linux's number for a macOS number.
pub fn from_mac(signal: c_int) -> c_int {
    let pair = PAIRS.iter().find(|(mac, _)| *mac == signal);
    pair.map_or(signal, |(_, linux)| *linux)
}

/// macOS's number for a Linux number.
pub fn number(signal: c_int) -> c_int {
    let pair = PAIRS.iter().find(|(_, linux)| *linux == signal);
    pair.map_or(signal, |(mac, _)| *mac)
}

/// macOS's `struct sigaction`.
#[repr(C)]
struct Action {
    handler: usize,
    mask: u32,
    flags: c_int,
}

/// macOS's `siginfo_t`.
#[repr(C)]
pub struct Info {
    pub signal: c_int,
    pub errno: c_int,
    pub code: c_int,
    pub pid: i32,
    pub uid: u32,
    pub status: c_int,
    pub address: *mut c_void,
    pub rest: [u64; 9],
}

const DEFAULT: usize = 0;
const IGNORE: usize = 1;
const WITH_INFO: c_int = 0x40;
/// macOS's flags of a handler and Linux's.
const FLAGS: &[(c_int, c_int)] = &[
    (0x1, libc::SA_ONSTACK),
    (0x2, libc::SA_RESTART),
    (0x4, libc::SA_RESETHAND),
    (0x8, libc::SA_NOCLDSTOP),
    (0x10, libc::SA_NODEFER),
    (0x20, libc::SA_NOCLDWAIT),
];

/// A handler of the program, with its flags; stored by Linux's number.
struct Handler {
    function: AtomicUsize,
    flags: AtomicI32,
}

static HANDLERS: [Handler; 65] = [const {
    Handler {
        function: AtomicUsize::new(0),
        flags: AtomicI32::new(0),
    }
}; 65];

/// A handler that gets more information.
type WithInfo = extern "C" fn(c_int, *mut Info, *mut c_void);

/// The handler that Linux calls: it calls the program's handler with macOS's values.
extern "C" fn handle(signal: c_int, info: *const libc::siginfo_t, context: *mut c_void) {
    let handler = &HANDLERS[signal as usize];
    let function = handler.function.load(Ordering::Relaxed);
    // SAFETY: the handler is the program's, of the type that its flags say. The kernel's info is valid, and has an address
    // for faults and a sender for what was sent.
    unsafe {
        if handler.flags.load(Ordering::Relaxed) & WITH_INFO == 0 {
            std::mem::transmute::<usize, extern "C" fn(c_int)>(function)(number(signal));
            return;
        }
        let fault = [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE].contains(&signal);
        let mut converted = Info {
            signal: number(signal),
            errno: 0,
            code: (*info).si_code,
            pid: if fault { 0 } else { (*info).si_pid() },
            uid: if fault { 0 } else { (*info).si_uid() },
            status: 0,
            address: if fault {
                (*info).si_addr()
            } else {
                std::ptr::null_mut()
            },
            rest: [0; 9],
        };
        std::mem::transmute::<usize, WithInfo>(function)(
            number(signal),
            &raw mut converted,
            context,
        );
    }
}

extern "C" fn sigaction(signal: c_int, new: *const Action, old: *mut Action) -> c_int {
    let signal = from_mac(signal);
    let Some(handler) = HANDLERS.get(signal as usize).filter(|_| signal > 0) else {
        return fail(libc::EINVAL);
    };
    // SAFETY: the caller's structures, and variables of our own.
    unsafe {
        let mut current: libc::sigaction = std::mem::zeroed();
        if libc::sigaction(signal, std::ptr::null(), &raw mut current) != 0 {
            return -1;
        }
        if let Some(old) = old.as_mut() {
            old.handler = match current.sa_sigaction {
                libc::SIG_DFL => DEFAULT,
                libc::SIG_IGN => IGNORE,
                _ => handler.function.load(Ordering::Relaxed),
            };
            old.mask = mask_to_mac(&current.sa_mask);
            old.flags = handler.flags.load(Ordering::Relaxed);
        }
        let Some(new) = new.as_ref() else {
            return 0;
        };
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_mask = mask_from_mac(new.mask);
        let set = FLAGS.iter().filter(|(mac, _)| new.flags & mac != 0);
        action.sa_flags = set.fold(libc::SA_SIGINFO, |sum, (_, linux)| sum | linux);
        action.sa_sigaction = match new.handler {
            DEFAULT => libc::SIG_DFL,
            IGNORE => libc::SIG_IGN,
            function => {
                handler.function.store(function, Ordering::Relaxed);
                handle as *const () as usize
            }
        };
        handler.flags.store(new.flags, Ordering::Relaxed);
        libc::sigaction(signal, &raw const action, std::ptr::null_mut())
    }
}

extern "C" fn signal(number: c_int, handler: usize) -> usize {
    const RESTART: c_int = 2;
    let new = Action {
        handler,
        mask: 0,
        flags: RESTART,
    };
    let mut old = Action {
        handler: 0,
        mask: 0,
        flags: 0,
    };
    match sigaction(number, &raw const new, &raw mut old) {
        0 => old.handler,
        _ => usize::MAX,
    }
}

/// Converts a set of signals from macOS, where it is a number.
pub fn mask_from_mac(mask: u32) -> libc::sigset_t {
    // SAFETY: a variable of our own.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        for signal in (1..32).filter(|signal| mask >> (signal - 1) & 1 == 1) {
            libc::sigaddset(&raw mut set, from_mac(signal));
        }
        set
    }
}

fn mask_to_mac(set: &libc::sigset_t) -> u32 {
    // SAFETY: the set is initialised.
    let has = |signal: &c_int| unsafe { libc::sigismember(set, from_mac(*signal)) == 1 };
    (1..32)
        .filter(has)
        .fold(0, |mask, signal| mask | 1 << (signal - 1))
}

extern "C" fn pthread_sigmask(how: c_int, new: *const u32, old: *mut u32) -> c_int {
    // SAFETY: the caller's sets.
    unsafe {
        let set = new.as_ref().map(|mask| mask_from_mac(*mask));
        let set = set.as_ref().map_or(std::ptr::null(), |set| &raw const *set);
        let mut before = std::mem::zeroed();
        // macOS counts SIG_BLOCK, SIG_UNBLOCK, SIG_SETMASK from 1, Linux from 0.
        let result = libc::pthread_sigmask(how - 1, set, &raw mut before);
        if let Some(old) = old.as_mut() {
            *old = mask_to_mac(&before);
        }
        to_mac(result)
    }
}

extern "C" fn sigprocmask(how: c_int, new: *const u32, old: *mut u32) -> c_int {
    match pthread_sigmask(how, new, old) {
        0 => 0,
        _ => fail(libc::EINVAL),
    }
}

extern "C" fn sigemptyset(set: *mut u32) -> c_int {
    // SAFETY: the caller's set.
    unsafe { *set = 0 };
    0
}

extern "C" fn sigfillset(set: *mut u32) -> c_int {
    // SAFETY: the caller's set.
    unsafe { *set = u32::MAX };
    0
}

extern "C" fn sigaddset(set: *mut u32, signal: c_int) -> c_int {
    // SAFETY: the caller's set.
    unsafe { *set |= 1 << (signal - 1) };
    0
}

extern "C" fn sigdelset(set: *mut u32, signal: c_int) -> c_int {
    // SAFETY: the caller's set.
    unsafe { *set &= !(1 << (signal - 1)) };
    0
}

extern "C" fn sigismember(set: *const u32, signal: c_int) -> c_int {
    // SAFETY: the caller's set.
    unsafe { (*set >> (signal - 1) & 1) as c_int }
}

extern "C" fn sigwait(mask: *const u32, signal: *mut c_int) -> c_int {
    // SAFETY: the caller's set and variable.
    unsafe {
        let set = mask_from_mac(*mask);
        let mut found = 0;
        let result = libc::sigwait(&raw const set, &raw mut found);
        signal.write(number(found));
        to_mac(result)
    }
}

extern "C" fn sigpending(mask: *mut u32) -> c_int {
    // SAFETY: the caller's set.
    unsafe {
        let mut set = std::mem::zeroed();
        let result = libc::sigpending(&raw mut set);
        mask.write(mask_to_mac(&set));
        result
    }
}

extern "C" fn kill(pid: i32, signal: c_int) -> c_int {
    let (pid, signal) = (groups::real_target(pid), from_mac(signal));
    if signal == libc::SIGKILL && settings::get().kill_hangs {
        if pid < -1 {
            let members = processes::of_group(-pid);
            let results = members.map(|pid| kill(pid, libc::SIGKILL));
            return results.min().unwrap_or_else(|| fail(libc::ESRCH));
        }
        if live::kill_hangs(pid) {
            return 0;
        }
    }
    // SAFETY: as C asks of the caller.
    let result = unsafe { libc::kill(pid, signal) };
    if signal == libc::SIGCONT {
        processes::continued(pid);
    }
    result
}

extern "C" fn killpg(group: i32, signal: c_int) -> c_int {
    kill(-group, signal)
}

extern "C" fn raise(signal: c_int) -> c_int {
    // SAFETY: as C asks of the caller.
    unsafe { libc::raise(from_mac(signal)) }
}

/// macOS's `stack_t`.
#[repr(C)]
struct Stack {
    place: *mut c_void,
    size: usize,
    flags: c_int,
}

extern "C" fn sigaltstack(new: *const Stack, old: *mut Stack) -> c_int {
    // A stack in use is 1 on both; no stack is 4 on macOS.
    const DISABLE: c_int = 4;
    let convert =
        |flags: c_int, from: c_int, to: c_int| flags & 1 | if flags & from == 0 { 0 } else { to };
    // SAFETY: the caller's structures.
    unsafe {
        let stack = new.as_ref().map(|new| libc::stack_t {
            ss_sp: new.place,
            ss_flags: convert(new.flags, DISABLE, libc::SS_DISABLE),
            ss_size: new.size,
        });
        let stack = stack
            .as_ref()
            .map_or(std::ptr::null(), |stack| &raw const *stack);
        let mut before: libc::stack_t = std::mem::zeroed();
        let result = libc::sigaltstack(stack, &raw mut before);
        if let Some(old) = old.as_mut() {
            old.place = before.ss_sp;
            old.size = before.ss_size;
            old.flags = convert(before.ss_flags, libc::SS_DISABLE, DISABLE);
        }
        result
    }
}

/// The functions of this area.
pub fn exports() -> Vec<Export> {
    functions![
        kill,
        killpg,
        pthread_sigmask,
        raise,
        sigaction,
        sigaddset,
        sigaltstack,
        sigdelset,
        sigemptyset,
        sigfillset,
        sigismember,
        signal,
        sigpending,
        sigprocmask,
        sigwait,
    ]
    .to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_sets_go_there_and_back() {
        assert_eq!(
            (from_mac(15), from_mac(20), from_mac(19)),
            (15, libc::SIGCHLD, libc::SIGCONT)
        );
        for signal in 1..32 {
            assert_eq!(number(from_mac(signal)), signal);
        }
        let mask = 1 << 19 | 1 << 1;
        assert_eq!(mask_to_mac(&mask_from_mac(mask)), mask);
        assert_eq!(size_of::<Info>(), 104);
    }
}
