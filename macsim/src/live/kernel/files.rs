//! The operations of processes on files, with `--files`: they create, rename, remove and write.
//!
//! A seccomp(2) filter stops them at these system calls. What a call is about is read when it begins, and its message is
//! sent when it has succeeded, before it returns.

use std::ffi::{CStr, OsStr, c_long};
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::super::process::{self, int, object, string};
use super::Kernel;
use crate::json::Json;

/// A system call that is under way.
pub enum Doing {
    /// A file that isn't there yet is created.
    Create(PathBuf),
    /// Anything else: the number of its event, its name, and its members.
    Other(u32, &'static str, Json),
}

/// The system calls; for those that only create a file with `O_CREAT`, the number of the argument that has the flags.
const CALLS: [(c_long, Option<u32>); 14] = [
    (libc::SYS_open, Some(1)),
    (libc::SYS_openat, Some(2)),
    (libc::SYS_creat, None),
    (libc::SYS_mkdir, None),
    (libc::SYS_mkdirat, None),
    (libc::SYS_rename, None),
    (libc::SYS_renameat, None),
    (libc::SYS_renameat2, None),
    (libc::SYS_unlink, None),
    (libc::SYS_unlinkat, None),
    (libc::SYS_rmdir, None),
    (libc::SYS_write, None),
    (libc::SYS_writev, None),
    (libc::SYS_pwrite64, None),
];

/// Makes this process, and everything that it starts, stop at these system calls. They fail without a kernel.
pub fn stop_at_calls() -> io::Result<()> {
    const NUMBER: u32 = 0;
    const ARGUMENTS: u32 = 16;
    let (load, allow) = (
        libc::BPF_LD | libc::BPF_W | libc::BPF_ABS,
        libc::BPF_RET | libc::BPF_K,
    );
    let step = |code: u32, k: u32, jt: u8, jf: u8| libc::sock_filter {
        code: code as u16,
        jt,
        jf,
        k,
    };
    let mut steps = vec![step(load, NUMBER, 0, 0)];
    for (number, flags) in CALLS {
        let equal = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
        let stop = step(allow, libc::SECCOMP_RET_TRACE, 0, 0);
        let Some(argument) = flags else {
            steps.extend([step(equal, number as u32, 0, 1), stop]);
            continue;
        };
        steps.extend([
            step(equal, number as u32, 0, 4),
            step(load, ARGUMENTS + 8 * argument, 0, 0),
            step(
                libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K,
                libc::O_CREAT as u32,
                0,
                1,
            ),
            stop,
            step(allow, libc::SECCOMP_RET_ALLOW, 0, 0),
        ]);
    }
    steps.push(step(allow, libc::SECCOMP_RET_ALLOW, 0, 0));
    let filter = libc::sock_fprog {
        len: steps.len() as u16,
        filter: steps.as_mut_ptr(),
    };
    // SAFETY: a filter of our own.
    let result = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        libc::prctl(
            libc::PR_SET_SECCOMP,
            libc::SECCOMP_MODE_FILTER,
            &raw const filter,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// The registers of a process that is stopped.
fn registers(thread: i32) -> Option<libc::user_regs_struct> {
    // SAFETY: numbers; the request fills them.
    unsafe {
        let mut registers: libc::user_regs_struct = std::mem::zeroed();
        let result = libc::ptrace(libc::PTRACE_GETREGS, thread, 0, &raw mut registers);
        (result == 0).then_some(registers)
    }
}

/// The path that a system call names: its folder's real path, and the name in it.
fn path(thread: i32, folder: u64, name: u64) -> Option<PathBuf> {
    let memory = File::open(format!("/proc/{thread}/mem")).ok()?;
    let mut bytes = vec![0; libc::PATH_MAX as usize];
    let length = memory.read_at(&mut bytes, name).ok()?;
    let name = CStr::from_bytes_until_nul(&bytes[..length])
        .ok()?
        .to_bytes();
    let base = match folder as i32 {
        libc::AT_FDCWD => format!("/proc/{thread}/cwd"),
        descriptor => format!("/proc/{thread}/fd/{descriptor}"),
    };
    let name = Path::new(OsStr::from_bytes(name));
    let path = std::fs::read_link(base).ok()?.join(name);
    let parent = std::fs::canonicalize(path.parent()?).ok()?;
    Some(parent.join(path.file_name()?))
}

fn file(path: &Path) -> Json {
    process::file(path, path)
}

/// The operation of a system call, if macOS has an event for it.
fn doing(thread: i32) -> Option<Doing> {
    const RENAME: u32 = 25;
    const UNLINK: u32 = 32;
    const WRITE: u32 = 33;
    const HERE: u64 = libc::AT_FDCWD as u64;
    let registers = registers(thread)?;
    let [first, second, third, fourth] =
        [registers.rdi, registers.rsi, registers.rdx, registers.r10];
    let create = |folder, name| {
        let path = path(thread, folder, name)?;
        (!std::fs::exists(&path).ok()?).then_some(Doing::Create(path))
    };
    let rename = |from: Option<PathBuf>, to: Option<PathBuf>| {
        let (from, to) = (from?, to?);
        let exists = std::fs::exists(&to).ok()?;
        let destination = if exists {
            ("existing_file", file(&to))
        } else {
            let name = string(to.file_name()?.as_bytes());
            let new = object([("dir", file(to.parent()?)), ("filename", name)]);
            ("new_path", new)
        };
        let event = object([
            ("source", file(&from)),
            ("destination_type", int(u8::from(!exists))),
            ("destination", object([destination])),
        ]);
        Some(Doing::Other(RENAME, "rename", event))
    };
    let unlink = |folder, name| {
        let path = path(thread, folder, name)?;
        let event = object([
            ("target", file(&path)),
            ("parent_dir", file(path.parent()?)),
        ]);
        Some(Doing::Other(UNLINK, "unlink", event))
    };
    match registers.orig_rax as c_long {
        libc::SYS_open | libc::SYS_creat | libc::SYS_mkdir => create(HERE, first),
        libc::SYS_openat | libc::SYS_mkdirat => create(first, second),
        libc::SYS_rename => rename(path(thread, HERE, first), path(thread, HERE, second)),
        libc::SYS_renameat | libc::SYS_renameat2 => {
            rename(path(thread, first, second), path(thread, third, fourth))
        }
        libc::SYS_unlink | libc::SYS_rmdir => unlink(HERE, first),
        libc::SYS_unlinkat => unlink(first, second),
        libc::SYS_write | libc::SYS_writev | libc::SYS_pwrite64 => {
            let name = std::fs::read_link(format!("/proc/{thread}/fd/{first}")).ok()?;
            // Of terminals, only those of eslogger matter; its stand-in counts these writes itself.
            let is_file = std::fs::metadata(&name).is_ok_and(|data| data.is_file());
            let event = object([("target", file(&name))]);
            is_file.then_some(Doing::Other(WRITE, "write", event))
        }
        _ => None,
    }
}

impl Kernel {
    /// A thread has stopped because it calls the system; returns true if it has to stop again when the call returns.
    pub fn calls(&mut self, thread: i32) -> bool {
        self.doing.remove(&thread);
        if !self.is_watched() {
            return false;
        }
        let doing = doing(thread);
        let is_known = doing.is_some();
        self.doing.extend(doing.map(|doing| (thread, doing)));
        is_known
    }

    /// The call returns.
    pub fn called(&mut self, thread: i32) {
        const CREATE: u32 = 13;
        let result = registers(thread).map_or(-1, |registers| registers.rax.cast_signed());
        let Some(doing) = self.doing.remove(&thread).filter(|_| result >= 0) else {
            return;
        };
        let (number, name, event) = match doing {
            Doing::Create(path) => {
                let event = object([
                    ("destination_type", int(0)),
                    ("destination", object([("existing_file", file(&path))])),
                    ("acl", Json::Null),
                ]);
                (CREATE, "create", event)
            }
            Doing::Other(number, name, event) => (number, name, event),
        };
        let pid = self.threads.get(&thread).copied().unwrap_or(thread);
        if let Some(traced) = self.processes.get(&pid) {
            let lineage = Rc::clone(&traced.process.lineage);
            let actor = self.shown(&traced.process);
            self.publish(&lineage, number, name, thread, actor, event);
        }
    }
}
