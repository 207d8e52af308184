//! The running system and this process.

use std::ffi::{CStr, CString, OsStr, c_int, c_void};
use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt as _;
use std::ptr;

use super::c::audit_token_t;
use crate::model::catalogue::MacOs;
use crate::model::event::Timestamp;
use crate::select::{OwnPipeline, Running};
use crate::source::refusal::Surroundings;
use crate::text::escape;

/// The version of the running macOS; None if it can't be read.
pub fn macos_version() -> Option<MacOs> {
    match version(c"kern.osproductversion")? {
        // There is no such macOS: 10.16 is reported if SYSTEM_VERSION_COMPAT is set, and 16 to programs that were built
        // with an SDK before 26. Darwin's own version is the same for all.
        MacOs(10, 16, _) | MacOs(16..=25, ..) => version(c"kern.osrelease").map(of_darwin),
        reported => Some(reported),
    }
}

/// The macOS that has a version of Darwin. The patch can't be known from it.
fn of_darwin(MacOs(major, minor, _): MacOs) -> MacOs {
    match major {
        // macOS 13.0 has Darwin 22.1.
        22 => MacOs(13, minor.saturating_sub(1), 0),
        ..=24 => MacOs(major.saturating_sub(9), minor, 0),
        25 => MacOs(26, minor, 0),
        _ => MacOs(major, minor, 0),
    }
}

fn version(name: &CStr) -> Option<MacOs> {
    let text = sysctl(name)?;
    let mut parts = text.split('.').map(|part| part.trim().parse().ok());
    Some(MacOs(
        parts.next()??,
        parts.next().flatten().unwrap_or(0),
        parts.next().flatten().unwrap_or(0),
    ))
}

/// A text of sysctl(3).
fn sysctl(name: &CStr) -> Option<String> {
    let mut buffer = vec![0_u8; 64];
    let mut length = buffer.len();
    // SAFETY: the name ends in NUL, and the buffer has that length.
    let result = unsafe {
        libc::sysctlbyname(
            name.as_ptr(),
            buffer.as_mut_ptr().cast::<c_void>(),
            &raw mut length,
            std::ptr::null_mut(),
            0,
        )
    };
    if result != 0 {
        return None;
    }
    buffer.truncate(length);
    let text = CStr::from_bytes_until_nul(&buffer).ok()?;
    text.to_str().ok().map(str::to_owned)
}

/// The audit token of this process.
pub fn own_audit_token() -> Option<audit_token_t> {
    /// `<mach/task_info.h>`
    const TASK_AUDIT_TOKEN: u32 = 15;
    let mut token = audit_token_t::default();
    let mut count = 8;
    // SAFETY: the token has room for the eight words that the flavor gives.
    let result = unsafe {
        mach2::task::task_info(
            mach2::traps::mach_task_self(),
            TASK_AUDIT_TOKEN,
            token.val.as_mut_ptr().cast(),
            &raw mut count,
        )
    };
    (result == 0).then_some(token)
}

/// The pipeline that this process is a part of: the process group of this process and those of sudo, which since 1.9.14
/// runs a command in a group of its own, while the rest of the pipeline stays in the group of sudo itself.
pub fn own_pipeline() -> OwnPipeline {
    // SAFETY: they take no arguments and can't fail.
    let (own, mut above) = unsafe { (libc::getpgrp(), libc::getppid()) };
    let mut groups = vec![own];
    while let Some((name, group, parent)) = process(above)
        && name.as_c_str() == c"sudo"
    {
        groups.push(group);
        above = parent;
    }
    let is_member = |pid: &i32| process(*pid).is_some_and(|(_, group, _)| groups.contains(&group));
    let pids = all_pids().into_iter().filter(is_member).collect();
    OwnPipeline {
        groups,
        pids,
        pid: std::process::id().cast_signed(),
    }
}

/// The pids of all processes.
fn all_pids() -> Vec<i32> {
    // SAFETY: without a buffer it returns the number of processes.
    let count = unsafe { libc::proc_listallpids(ptr::null_mut(), 0) };
    // More may have been started in the meantime.
    let mut pids = vec![0_i32; usize::try_from(count).unwrap_or(0) + 256];
    let size = c_int::try_from(size_of_val(&*pids)).unwrap_or(c_int::MAX);
    // SAFETY: the buffer has that size in bytes.
    let count = unsafe { libc::proc_listallpids(pids.as_mut_ptr().cast(), size) };
    pids.truncate(usize::try_from(count).unwrap_or(0));
    pids
}

/// The processes that are running.
pub fn running() -> Vec<Running> {
    let process = |pid: i32| {
        let info = info(pid)?;
        let micros = u32::try_from(info.pbi_start_tvusec).ok()?;
        Some(Running {
            pid,
            ppid: info.pbi_ppid.cast_signed(),
            start: Timestamp {
                seconds: info.pbi_start_tvsec.cast_signed(),
                nanos: micros * 1000,
            },
        })
    };
    all_pids().into_iter().filter_map(process).collect()
}

/// The information that macOS has about a process; None if there is none.
fn info(pid: i32) -> Option<libc::proc_bsdinfo> {
    let whole = c_int::try_from(size_of::<libc::proc_bsdinfo>()).ok()?;
    // SAFETY: it consists of numbers, which may all be 0.
    let mut info: libc::proc_bsdinfo = unsafe { std::mem::zeroed() };
    // SAFETY: the flavor returns such a structure, for which there is room.
    let size = unsafe {
        let info = (&raw mut info).cast();
        libc::proc_pidinfo(pid, libc::PROC_PIDTBSDINFO, 0, info, whole)
    };
    (size == whole).then_some(info)
}

/// The name of a process, its group and its parent.
fn process(pid: i32) -> Option<(CString, i32, i32)> {
    let info = info(pid)?;
    let name: Vec<u8> = info
        .pbi_comm
        .iter()
        .map(|byte| byte.cast_unsigned())
        .collect();
    let name = CStr::from_bytes_until_nul(&name).ok()?.to_owned();
    Some((
        name,
        info.pbi_pgid.cast_signed(),
        info.pbi_ppid.cast_signed(),
    ))
}

/// Returns true if this process runs as root.
pub fn is_root() -> bool {
    // SAFETY: it takes no arguments and can't fail.
    unsafe { libc::geteuid() == 0 }
}

/// Returns true if the signal is currently ignored, according to sigaction(2).
pub fn is_ignored(signal: i32) -> bool {
    // SAFETY: it consists of a number, a mask and flags, which may all be 0.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: nothing is set, and there is room for the current action.
    let result = unsafe { libc::sigaction(signal, std::ptr::null(), &raw mut action) };
    result == 0 && action.sa_sigaction == libc::SIG_IGN
}

/// The path of the app whose permissions macOS checks for this process: the terminal, the program that lets users in
/// over the network, or this program itself. None if macOS doesn't say.
fn responsible_app() -> Option<String> {
    let function = symbol(c"responsibility_get_pid_responsible_for_pid")?;
    // SAFETY: `pid_t responsibility_get_pid_responsible_for_pid(pid_t)`, which has no header, but which Activity
    // Monitor and browsers rely on since macOS 10.12.
    let responsible: unsafe extern "C" fn(libc::pid_t) -> libc::pid_t =
        unsafe { std::mem::transmute(function) };
    let mut path = [0_u8; libc::PROC_PIDPATHINFO_MAXSIZE as usize];
    // SAFETY: processes are plain numbers, and the buffer has that size.
    let length = unsafe {
        let pid = responsible(libc::getpid());
        libc::proc_pidpath(
            pid,
            path.as_mut_ptr().cast(),
            libc::PROC_PIDPATHINFO_MAXSIZE as u32,
        )
    };
    let path = path.get(..usize::try_from(length).ok()?)?;
    (!path.is_empty()).then(|| escape::name(OsStr::from_bytes(bundle(path))))
}

/// The application bundle that contains a program, or the program itself.
fn bundle(path: &[u8]) -> &[u8] {
    let inside = b".app/";
    match path.windows(inside.len()).position(|part| part == inside) {
        Some(at) => &path[..at + inside.len() - 1],
        None => path,
    }
}

/// The address that dlsym(3) finds for this name.
pub fn symbol(name: &CStr) -> Option<*mut c_void> {
    // SAFETY: the name ends in NUL.
    let address = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    (!address.is_null()).then_some(address)
}

/// Returns true if macOS lets this process read what needs Full Disk Access.
pub fn has_full_disk_access(root: bool) -> Option<bool> {
    match File::open("/Library/Application Support/com.apple.TCC/TCC.db") {
        Ok(_) => Some(true),
        Err(error) if error.kind() == ErrorKind::PermissionDenied && root => Some(false),
        Err(_) => None,
    }
}

/// The configuration of System Integrity Protection, as csrutil(8) reads it: a bit for each part that is off
/// (`bsd/sys/csr.h` of xnu).
pub fn sip_configuration() -> Option<u32> {
    let function = symbol(c"csr_get_active_config")?;
    // SAFETY: `int csr_get_active_config(csr_config_t *)`, a 32-bit number.
    let csr_get_active_config: unsafe extern "C" fn(*mut u32) -> c_int =
        unsafe { std::mem::transmute(function) };
    let mut config = 0;
    // SAFETY: there is room for the number.
    let result = unsafe { csr_get_active_config(&raw mut config) };
    (result == 0).then_some(config)
}

/// Returns true if this program is signed with the entitlement that a client of EndpointSecurity needs; None if macOS
/// doesn't say.
pub fn is_entitled() -> Option<bool> {
    /// `CS_OPS_ENTITLEMENTS_BLOB` of xnu's `bsd/sys/codesign.h`.
    const ENTITLEMENTS: u32 = 7;
    /// The magic number and the length, which precede the property list.
    const HEAD: usize = 8;
    const KEY: &[u8] = b"<key>com.apple.developer.endpoint-security.client</key>";
    let function = symbol(c"csops")?;
    // SAFETY: `int csops(pid_t, unsigned int, void *, size_t)`, xnu's `bsd/sys/codesign.h`.
    let csops: unsafe extern "C" fn(libc::pid_t, u32, *mut c_void, usize) -> c_int =
        unsafe { std::mem::transmute(function) };
    let mut blob = vec![0_u8; 64 << 10];
    // SAFETY: the buffer has that size.
    let result = unsafe {
        let buffer = blob.as_mut_ptr().cast();
        csops(libc::getpid(), ENTITLEMENTS, buffer, blob.len())
    };
    if result != 0 {
        // A program without a signature has no entitlements.
        let error = std::io::Error::last_os_error().raw_os_error();
        return (error == Some(libc::EINVAL)).then_some(false);
    }
    let text = blob.get(HEAD..)?;
    let Some(at) = memchr::memmem::find(text, KEY) else {
        return Some(false);
    };
    Some(
        text[at + KEY.len()..]
            .trim_ascii_start()
            .starts_with(b"<true/>"),
    )
}

/// The processes above this one, from its parent up: the pid and the name of each.
pub fn ancestors() -> Vec<(i32, CString)> {
    // SAFETY: it takes no arguments and can't fail.
    let mut pid = unsafe { libc::getppid() };
    let mut all = Vec::new();
    while let Some((name, _, parent)) = process(pid).filter(|_| pid > 1 && all.len() < 100) {
        all.push((pid, name));
        pid = parent;
    }
    all
}

/// The surroundings of this program, as far as advice depends on them. sudo may have removed the variables that reveal
/// them, so the names of the processes above count as well.
pub fn surroundings() -> Surroundings {
    let names: Vec<_> = ancestors().into_iter().map(|(_, name)| name).collect();
    let has = |start: &[u8]| names.iter().any(|name| name.to_bytes().starts_with(start));
    let is_set = |name: &str| std::env::var_os(name).is_some();
    Surroundings {
        app: responsible_app(),
        ssh: is_set("SSH_CONNECTION") || has(b"sshd"),
        tmux: is_set("TMUX") || has(b"tmux"),
    }
}

/// Calls `start`, and keeps the programs that it starts from inheriting any descriptor but the standard streams. Those
/// that this program inherited itself are for the command that is traced.
pub fn without_inheriting<R>(start: impl FnOnce() -> R) -> R {
    let descriptors = std::fs::read_dir("/dev/fd").into_iter().flatten();
    let descriptors =
        descriptors.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let closes = |descriptor: i32| {
        // SAFETY: F_GETFD takes any number, and fails for one that is not open.
        let flags = unsafe { libc::fcntl(descriptor, libc::F_GETFD) };
        flags < 0 || flags & libc::FD_CLOEXEC != 0
    };
    let set = |descriptor: i32, flags: i32| {
        // SAFETY: F_SETFD takes any number, and fails for one that is not open. Only what exec does with it changes.
        unsafe { libc::fcntl(descriptor, libc::F_SETFD, flags) };
    };
    let inherited: Vec<i32> = descriptors
        .filter(|descriptor| *descriptor > libc::STDERR_FILENO && !closes(*descriptor))
        .collect();
    for descriptor in &inherited {
        set(*descriptor, libc::FD_CLOEXEC);
    }
    let result = start();
    for descriptor in &inherited {
        set(*descriptor, 0);
    }
    result
}
