//! `posix_spawn`: attributes, file actions, a start that waits for SIGCONT.

use std::ffi::{CStr, CString, c_char, c_int, c_short};
use std::ptr;

use super::errno::last;
use super::files::open_flags;
use super::signals::{from_mac, mask_from_mac};
use super::{Export, Rooted, functions, groups, processes};
use crate::live::{self, Spawn};

const RESET_IDS: c_short = 0x1;
const SET_GROUP: c_short = 0x2;
const SET_DEFAULT: c_short = 0x4;
const SET_MASK: c_short = 0x8;
const REPLACE: c_short = 0x40;
const START_SUSPENDED: c_short = 0x80;
const SET_SESSION: c_short = 0x400;
const CLOSE_BY_DEFAULT: c_short = 0x4000;

/// The data that a `posix_spawnattr_t` points to.
#[derive(Default)]
struct Attributes {
    flags: c_short,
    group: i32,
    default: u32,
    mask: u32,
}

/// The data that a `posix_spawn_file_actions_t` points to.
#[derive(Default)]
struct Actions(Vec<Action>);

enum Action {
    Dup2(c_int, c_int),
    Close(c_int),
    Inherit(c_int),
    Open(c_int, CString, c_int, u16),
    ChangeDirectory(CString),
    ChangeDirectoryTo(c_int),
}

extern "C" fn posix_spawnattr_init(attributes: *mut *mut Attributes) -> c_int {
    // SAFETY: the caller's variable.
    unsafe { attributes.write(Box::into_raw(Box::default())) };
    0
}

extern "C" fn posix_spawnattr_destroy(attributes: *mut *mut Attributes) -> c_int {
    // SAFETY: made by init, and not used again.
    drop(unsafe { Box::from_raw(*attributes) });
    0
}

/// The attributes behind the caller's variable.
fn attributes<'a>(attributes: *const *mut Attributes) -> &'a mut Attributes {
    // SAFETY: made by init, and used by one thread.
    unsafe { &mut **attributes }
}

extern "C" fn posix_spawnattr_setflags(attr: *mut *mut Attributes, flags: c_short) -> c_int {
    attributes(attr).flags = flags;
    0
}

extern "C" fn posix_spawnattr_setpgroup(attr: *mut *mut Attributes, group: i32) -> c_int {
    attributes(attr).group = groups::real(group);
    0
}

extern "C" fn posix_spawnattr_setsigdefault(attr: *mut *mut Attributes, mask: *const u32) -> c_int {
    // SAFETY: the caller's set.
    attributes(attr).default = unsafe { *mask };
    0
}

extern "C" fn posix_spawnattr_setsigmask(attr: *mut *mut Attributes, mask: *const u32) -> c_int {
    // SAFETY: the caller's set.
    attributes(attr).mask = unsafe { *mask };
    0
}

extern "C" fn posix_spawn_file_actions_init(actions: *mut *mut Actions) -> c_int {
    // SAFETY: the caller's variable.
    unsafe { actions.write(Box::into_raw(Box::default())) };
    0
}

extern "C" fn posix_spawn_file_actions_destroy(actions: *mut *mut Actions) -> c_int {
    // SAFETY: made by init, and not used again.
    drop(unsafe { Box::from_raw(*actions) });
    0
}

fn add(actions: *mut *mut Actions, action: Action) -> c_int {
    // SAFETY: made by init, and used by one thread.
    unsafe { &mut **actions }.0.push(action);
    0
}

extern "C" fn posix_spawn_file_actions_adddup2(
    actions: *mut *mut Actions,
    from: c_int,
    to: c_int,
) -> c_int {
    add(actions, Action::Dup2(from, to))
}

extern "C" fn posix_spawn_file_actions_addclose(
    actions: *mut *mut Actions,
    descriptor: c_int,
) -> c_int {
    add(actions, Action::Close(descriptor))
}

extern "C" fn posix_spawn_file_actions_addinherit_np(
    actions: *mut *mut Actions,
    descriptor: c_int,
) -> c_int {
    add(actions, Action::Inherit(descriptor))
}

extern "C" fn posix_spawn_file_actions_addopen(
    actions: *mut *mut Actions,
    descriptor: c_int,
    name: *const c_char,
    flags: c_int,
    mode: u16,
) -> c_int {
    let path = owned(name);
    add(
        actions,
        Action::Open(descriptor, path, open_flags(flags), mode),
    )
}

/// A copy of the caller's path, at its place under a root.
pub fn owned(name: *const c_char) -> CString {
    let rooted = Rooted::new(name);
    // SAFETY: a string that lives as long as `rooted`.
    unsafe { CStr::from_ptr(rooted.as_ptr()) }.to_owned()
}

extern "C" fn posix_spawn_file_actions_addchdir_np(
    actions: *mut *mut Actions,
    name: *const c_char,
) -> c_int {
    add(actions, Action::ChangeDirectory(owned(name)))
}

extern "C" fn posix_spawn_file_actions_addfchdir_np(
    actions: *mut *mut Actions,
    descriptor: c_int,
) -> c_int {
    add(actions, Action::ChangeDirectoryTo(descriptor))
}

/// An array of strings that ends in NULL.
pub type Strings = *const *const c_char;

/// The path of a command: the name itself if it has a slash, otherwise the first file of that name in `PATH`, if
/// there is one.
pub fn search(file: *const c_char) -> Option<CString> {
    // SAFETY: a string of the caller's.
    let name = unsafe { CStr::from_ptr(file) };
    if name.to_bytes().contains(&b'/') {
        return Some(owned(file));
    }
    let folders =
        std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin:/usr/sbin:/sbin".into());
    for folder in folders.as_encoded_bytes().split(|&byte| byte == b':') {
        let Ok(candidate) = CString::new([folder, b"/", name.to_bytes()].concat()) else {
            continue;
        };
        let candidate = owned(candidate.as_ptr());
        // SAFETY: a string of our own.
        if unsafe { libc::access(candidate.as_ptr(), libc::X_OK) } == 0 {
            return Some(candidate);
        }
    }
    None
}

extern "C" fn posix_spawnp(
    pid: *mut i32,
    file: *const c_char,
    actions: *const *mut Actions,
    attr: *const *mut Attributes,
    args: Strings,
    environment: Strings,
) -> c_int {
    match search(file) {
        Some(file) => spawn(pid, &file, actions, attr, args, environment),
        None => libc::ENOENT,
    }
}

extern "C" fn posix_spawn(
    pid: *mut i32,
    file: *const c_char,
    actions: *const *mut Actions,
    attr: *const *mut Attributes,
    args: Strings,
    environment: Strings,
) -> c_int {
    spawn(pid, &owned(file), actions, attr, args, environment)
}

fn spawn(
    pid: *mut i32,
    file: &CStr,
    actions: *const *mut Actions,
    attr: *const *mut Attributes,
    args: Strings,
    environment: Strings,
) -> c_int {
    // SAFETY: the caller's variables, NULL allowed.
    let (actions, attributes) = unsafe {
        let actions = actions.as_ref().and_then(|actions| actions.as_ref());
        (actions, attr.as_ref().and_then(|attr| attr.as_ref()))
    };
    let none = Attributes::default();
    let attributes = attributes.unwrap_or(&none);
    let actions = actions.map_or(&[][..], |actions| &actions.0);
    let suspended = attributes.flags & START_SUSPENDED != 0;
    let replaces = attributes.flags & REPLACE != 0;
    // The kernel stops it once it has its image; without a kernel, it stops before.
    let stops_itself = !live::spawning(Spawn {
        suspended,
        replaces,
    }) && suspended;

    let settings = own_settings(environment);
    let environment = settings.as_ptr();
    // SAFETY: strings are the caller's; between fork and exec the child calls only what may be called there, and
    // allocates nothing.
    unsafe {
        if stops_itself && libc::access(file.as_ptr(), libc::X_OK) != 0 {
            return last(); // later nobody would listen
        }
        if replaces {
            let pipe = None;
            return prepare_and_execute(attributes, actions, file, args, environment, pipe);
        }
        let mut pipe = [0; 2];
        if libc::pipe2(pipe.as_mut_ptr(), libc::O_CLOEXEC) != 0 {
            return last();
        }
        let child = libc::fork();
        if child < 0 {
            return last();
        }
        if child == 0 {
            let suspend = stops_itself.then_some(pipe[1]);
            let error = prepare_and_execute(attributes, actions, file, args, environment, suspend);
            libc::write(pipe[1], (&raw const error).cast(), 4);
            libc::_exit(127);
        }
        libc::close(pipe[1]);
        let mut error = 0;
        let length = libc::read(pipe[0], (&raw mut error).cast(), 4);
        libc::close(pipe[0]);
        if length == 4 {
            libc::waitpid(child, ptr::null_mut(), 0);
            return error;
        }
        if suspended {
            // A SIGCONT works only after the process has stopped. The stop is left for the program to wait for.
            let mut info = std::mem::zeroed();
            let options = libc::WSTOPPED | libc::WEXITED | libc::WNOWAIT;
            while libc::waitid(libc::P_PID, child as u32, &raw mut info, options) != 0
                && *libc::__errno_location() == libc::EINTR
            {}
        }
        processes::spawned(child, suspended);
        if let Some(pid) = pid.as_mut() {
            *pid = child;
        }
    }
    0
}

/// The environment together with macsim's own settings, which a program that is started with a smaller environment
/// needs, too: without them it would be in another simulation.
fn own_settings(environment: Strings) -> Vec<*const c_char> {
    let mut all = Vec::new();
    let mut at = environment;
    // SAFETY: arrays of strings that end in NULL.
    unsafe {
        while !at.is_null() && !(*at).is_null() {
            all.push(*at);
            at = at.add(1);
        }
        let name = |variable: *const c_char| {
            let text = CStr::from_ptr(variable).to_bytes();
            text.split(|byte| *byte == b'=').next().unwrap_or_default()
        };
        let mut at = environ;
        while !at.is_null() && !(*at).is_null() {
            let own = name(*at);
            if own.starts_with(b"MACSIM_") && !all.iter().any(|given| name(*given) == own) {
                all.push(*at);
            }
            at = at.add(1);
        }
    }
    all.push(ptr::null());
    all
}

unsafe extern "C" {
    static environ: Strings;
}

/// In the child: does what was requested and becomes the command; returns macOS's number of an error.
unsafe fn prepare_and_execute(
    attributes: &Attributes,
    actions: &[Action],
    file: &CStr,
    args: Strings,
    environment: Strings,
    suspend: Option<c_int>,
) -> c_int {
    let has = |flag: c_short| attributes.flags & flag != 0;
    // SAFETY: as C asks of posix_spawn's caller.
    unsafe {
        if has(SET_SESSION) {
            libc::setsid();
        }
        if has(SET_GROUP) && libc::setpgid(0, attributes.group) != 0 {
            return last();
        }
        if has(RESET_IDS) {
            libc::setegid(libc::getgid());
            libc::seteuid(libc::getuid());
        }
        if has(SET_DEFAULT) {
            for signal in (1..32).filter(|signal| attributes.default >> (signal - 1) & 1 == 1) {
                libc::signal(from_mac(signal), libc::SIG_DFL);
            }
        }
        if has(SET_MASK) {
            libc::pthread_sigmask(
                libc::SIG_SETMASK,
                &mask_from_mac(attributes.mask),
                ptr::null_mut(),
            );
        }
        if has(CLOSE_BY_DEFAULT) {
            for descriptor in 0..1024 {
                libc::fcntl(descriptor, libc::F_SETFD, libc::FD_CLOEXEC);
            }
        }
        for action in actions {
            if !perform(action) {
                return last();
            }
        }
        if let Some(pipe) = suspend {
            libc::close(pipe);
            libc::raise(libc::SIGSTOP);
        }
        execute(file, args, environment);
        last()
    }
}

/// Becomes another program; macsim runs one for macOS, too. Returns only on failure, and allocates nothing.
///
/// # Safety
/// As execve(2) asks of the caller.
pub unsafe fn execute(file: &CStr, args: Strings, environment: Strings) -> c_int {
    // SAFETY: the caller promises it; the strings that are put before are static.
    unsafe {
        let result = libc::execve(file.as_ptr(), args, environment);
        if *libc::__errno_location() != libc::ENOEXEC || !is_for_macos(file) {
            return result;
        }
        let mut all = [ptr::null(); 1024];
        // `live::process` recognises a macOS program by these.
        all[..3].copy_from_slice(&[c"macsim".as_ptr(), c"run".as_ptr(), c"--argv0".as_ptr()]);
        all[3] = if (*args).is_null() {
            file.as_ptr()
        } else {
            *args
        };
        all[4..6].copy_from_slice(&[c"--".as_ptr(), file.as_ptr()]);
        let mut count = 1;
        while !(*args.add(count - 1)).is_null() && !(*args.add(count)).is_null() {
            if count + 6 == all.len() {
                *libc::__errno_location() = libc::E2BIG;
                return -1;
            }
            all[count + 5] = *args.add(count);
            count += 1;
        }
        libc::execve(c"/proc/self/exe".as_ptr(), all.as_ptr(), environment)
    }
}

/// Returns true if a file begins as executables for macOS do: for Intel, or universal.
unsafe fn is_for_macos(file: &CStr) -> bool {
    let mut magic = [0_u8; 4];
    // SAFETY: a string, and a buffer of that size.
    unsafe {
        let descriptor = libc::open(file.as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC);
        let length = libc::read(descriptor, magic.as_mut_ptr().cast(), magic.len());
        libc::close(descriptor);
        length == 4 && matches!(magic, [0xcf, 0xfa, 0xed, 0xfe] | [0xca, 0xfe, 0xba, 0xbe])
    }
}

unsafe fn perform(action: &Action) -> bool {
    // SAFETY: strings of our own; nothing is allocated.
    unsafe {
        match action {
            Action::Dup2(from, to) if from == to => libc::fcntl(*to, libc::F_SETFD, 0) != -1,
            Action::Dup2(from, to) => libc::dup2(*from, *to) != -1,
            Action::Close(descriptor) => {
                libc::close(*descriptor);
                true
            }
            Action::Inherit(descriptor) => libc::fcntl(*descriptor, libc::F_SETFD, 0) != -1,
            Action::Open(descriptor, path, flags, mode) => {
                let opened = libc::open(path.as_ptr(), *flags, u32::from(*mode));
                if opened == -1 || opened == *descriptor {
                    return opened != -1;
                }
                let moved = libc::dup2(opened, *descriptor) != -1;
                libc::close(opened);
                moved
            }
            Action::ChangeDirectory(path) => libc::chdir(path.as_ptr()) == 0,
            Action::ChangeDirectoryTo(descriptor) => libc::fchdir(*descriptor) == 0,
        }
    }
}

extern "C" fn fork() -> i32 {
    // SAFETY: as C asks of the caller.
    let pid = unsafe { libc::fork() };
    if pid > 0 {
        processes::spawned(pid, false);
    }
    pid
}

/// The functions of this area.
pub fn exports() -> Vec<Export> {
    functions![
        fork,
        posix_spawn,
        posix_spawn_file_actions_addchdir_np,
        posix_spawn_file_actions_addclose,
        posix_spawn_file_actions_adddup2,
        posix_spawn_file_actions_addfchdir_np,
        posix_spawn_file_actions_addinherit_np,
        posix_spawn_file_actions_addopen,
        posix_spawn_file_actions_destroy,
        posix_spawn_file_actions_init,
        posix_spawnattr_destroy,
        posix_spawnattr_init,
        posix_spawnattr_setflags,
        posix_spawnattr_setpgroup,
        posix_spawnattr_setsigdefault,
        posix_spawnattr_setsigmask,
        posix_spawnp,
    ]
    .to_vec()
}
