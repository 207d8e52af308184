//! Reports from ptrace(2), and the messages that follow from them.

use std::ffi::{c_int, c_long};
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::super::process::{self, Executed, Lineage, Process, Status, int, object};
use super::{EXEC, EXIT, FORK, Kernel, PATIENCE, Traced};
use crate::settings::{self, FailedSpawn};
use crate::system::identity::Credentials;
use crate::system::processes;

/// Marks the stop at the end of a system call (`PTRACE_O_TRACESYSGOOD`).
const CALL: c_int = 0x80;

/// A request of ptrace(2).
pub fn ptrace(request: u32, pid: i32, data: usize) -> io::Result<()> {
    // SAFETY: none of these requests writes to our memory.
    match unsafe { libc::ptrace(request, pid, 0_usize, data) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Lets a process continue, with a signal or without. A process that was killed meanwhile doesn't need it.
fn resume(pid: i32, signal: c_int) {
    _ = ptrace(libc::PTRACE_CONT, pid, signal as usize);
}

/// The number that comes with an event: the new process, or the thread that called exec.
fn event_message(pid: i32) -> Option<i32> {
    let mut message: c_long = 0;
    // SAFETY: a variable of our own.
    let result = unsafe { libc::ptrace(libc::PTRACE_GETEVENTMSG, pid, 0, &raw mut message) };
    (result == 0).then_some(message as i32)
}

/// The process that a thread belongs to.
fn process_of(thread: i32) -> Option<i32> {
    let status = std::fs::read_to_string(format!("/proc/{thread}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("Tgid:"))?;
    line.trim().parse().ok()
}

impl Kernel {
    /// Handles a child that has stopped or ended; returns false if there is none.
    pub fn wait_for_one(&mut self) -> io::Result<bool> {
        // SAFETY: variables of our own.
        unsafe {
            let mut info: libc::siginfo_t = std::mem::zeroed();
            let looked =
                libc::WEXITED | libc::WSTOPPED | libc::WNOHANG | libc::WNOWAIT | libc::__WALL;
            if libc::waitid(libc::P_ALL, 0, &raw mut info, looked) != 0 {
                let error = io::Error::last_os_error();
                return match error.raw_os_error() {
                    Some(libc::ECHILD) => Ok(false),
                    _ => Err(error),
                };
            }
            let pid = info.si_pid();
            if pid == 0 {
                return Ok(false);
            }
            let code = info.si_status();
            let mut status = 0;
            match info.si_code {
                // A parent can wait for a process that has ended only after the tracer has waited for it.
                libc::CLD_EXITED => self.ended(pid, code << 8),
                libc::CLD_KILLED => self.ended(pid, code),
                libc::CLD_DUMPED => self.ended(pid, code | 0x80),
                _ => {
                    if libc::waitpid(pid, &raw mut status, libc::WNOHANG | libc::__WALL) == pid {
                        self.stopped(pid, status);
                    }
                    return Ok(true);
                }
            }
            libc::waitpid(pid, &raw mut status, libc::WNOHANG | libc::__WALL);
        }
        Ok(true)
    }

    fn stopped(&mut self, thread: i32, status: c_int) {
        let (signal, event) = (libc::WSTOPSIG(status), status >> 16);
        if !self.threads.contains_key(&thread) {
            self.early.insert(thread, (status, Instant::now()));
            return;
        }
        match event {
            0 if signal == libc::SIGTRAP | CALL => {
                self.called(thread);
                resume(thread, 0);
            }
            0 => resume(thread, signal),
            libc::PTRACE_EVENT_SECCOMP if self.calls(thread) => {
                _ = ptrace(libc::PTRACE_SYSCALL, thread, 0);
            }
            libc::PTRACE_EVENT_FORK | libc::PTRACE_EVENT_VFORK | libc::PTRACE_EVENT_CLONE => {
                if let Some(new) = event_message(thread) {
                    self.cloned(thread, new);
                }
                resume(thread, 0);
            }
            libc::PTRACE_EVENT_EXEC => {
                let former = event_message(thread).unwrap_or(thread);
                if former != thread {
                    self.threads.remove(&former);
                }
                if self.executed(thread, former) {
                    resume(thread, 0);
                }
            }
            libc::PTRACE_EVENT_STOP if signal == libc::SIGTRAP => self.goes_on(thread),
            // The stop of a whole process, which ends by SIGCONT.
            libc::PTRACE_EVENT_STOP => _ = ptrace(libc::PTRACE_LISTEN, thread, 0),
            _ => resume(thread, 0),
        }
    }

    /// A thread begins, or continues after a stop of the whole process.
    fn goes_on(&mut self, thread: i32) {
        if let Some(traced) = self.processes.get_mut(&thread) {
            traced.suspended = false;
            if traced.doomed {
                // SAFETY: a process that is traced, and hasn't been waited for.
                unsafe { libc::kill(thread, libc::SIGKILL) };
            } else if traced.late.is_some() {
                traced.parked = true;
                return;
            }
        }
        resume(thread, 0);
    }

    /// A thread has made another thread, or a process.
    fn cloned(&mut self, thread: i32, new: i32) {
        let parent = self.threads.get(&thread).copied().unwrap_or(thread);
        match process_of(new) {
            Some(process) if process != new => {
                self.threads.insert(new, process);
            }
            // If it is gone already, it was a process: a thread's end is reported later.
            _ => self.forked(parent, thread, new),
        }
        if let Some((status, _)) = self.early.remove(&new) {
            self.stopped(new, status);
        }
    }

    fn forked(&mut self, parent: i32, thread: i32, child: i32) {
        self.threads.insert(child, child);
        let spawn = self.spawns.remove(&thread);
        let version = self.version();
        let Some(traced) = self.processes.get(&parent) else {
            return;
        };
        let status = Status::of(parent);
        let by = &traced.process;
        let process = Process {
            pid: child,
            version,
            lineage: Lineage::child(Some(&by.lineage)),
            original_parent: parent,
            start: process::now(),
            credentials: Rc::clone(&by.credentials),
            image: Rc::clone(&by.image),
            is_client: false,
            shown: spawn.map(|_| [status.group, status.session]),
        };
        let lineage = Rc::clone(&process.lineage);
        let actor = self.shown(by);
        let event = object([(
            "child",
            self.shown_with(&process, by.token(), parent, status),
        )]);
        self.begin(process, spawn);
        if spawn.is_some() && settings::get().failed_spawn == FailedSpawn::None {
            let message = self.message(FORK, "fork", thread, actor, event);
            let traced = self.processes.get_mut(&child).expect("it has just begun");
            traced.fork = Some(message);
        } else {
            self.publish(&lineage, FORK, "fork", thread, actor, event);
        }
    }

    /// A process has another image; returns true if it may continue.
    fn executed(&mut self, pid: i32, thread: i32) -> bool {
        let version = self.version();
        let executed = Executed::of(pid, &self.executable);
        let Some(traced) = self.processes.get(&pid) else {
            return true;
        };
        let actor = self.shown(&traced.process);
        let traced = self.processes.get_mut(&pid).expect("it was there");
        traced.process.version = version;
        traced.process.image = Rc::new(executed.image.clone());
        traced.process.shown = None;
        Rc::make_mut(&mut traced.process.credentials).executed(executed.set_user());
        traced.process.is_client = false;
        let spawn = traced.spawn.take().unwrap_or_default();
        traced.suspended = spawn.suspended;
        let lineage = Rc::clone(&traced.process.lineage);
        if let Some(fork) = traced.fork.take() {
            self.send(&lineage, &fork);
        }
        let target = self.shown(&self.processes[&pid].process);
        let event = executed.json(target, self.message_version);
        if spawn.suspended {
            // It hasn't left the kernel: the stop comes before its first instruction.
            // SAFETY: a process that is stopped.
            unsafe { libc::syscall(libc::SYS_tgkill, pid, pid, libc::SIGSTOP) };
        }
        let delay = settings::get().exec_delay_ms;
        if delay == 0 {
            self.publish(&lineage, EXEC, "exec", thread, actor, event);
            self.delegate(pid);
            return true;
        }
        let message = self.message(EXEC, "exec", thread, actor, event);
        let traced = self.processes.get_mut(&pid).expect("it was there");
        let due = Instant::now() + Duration::from_millis(delay);
        traced.late = Some((due, message));
        traced.parked = !spawn.suspended;
        spawn.suspended
    }

    /// Sends the messages of execs whose time has come.
    pub fn send_late(&mut self) {
        let now = Instant::now();
        let is_due = |(_, traced): &(&i32, &Traced)| {
            traced.late.as_ref().is_some_and(|(due, _)| *due <= now)
        };
        let due: Vec<i32> = self
            .processes
            .iter()
            .filter(is_due)
            .map(|(pid, _)| *pid)
            .collect();
        for pid in due {
            self.send_late_of(pid);
        }
    }

    fn send_late_of(&mut self, pid: i32) {
        let Some(traced) = self.processes.get_mut(&pid) else {
            return;
        };
        let Some((_, message)) = traced.late.take() else {
            return;
        };
        let lineage = Rc::clone(&traced.process.lineage);
        let parked = std::mem::take(&mut traced.parked);
        self.send(&lineage, &message);
        self.delegate(pid);
        if parked {
            resume(pid, 0);
        }
    }

    /// Takes in processes whose fork was never reported, because the process that forked them was killed at once.
    pub fn adopt_early(&mut self) {
        let is_late = |(_, (_, since)): &(&i32, &(c_int, Instant))| since.elapsed() >= PATIENCE;
        let late: Vec<i32> = self
            .early
            .iter()
            .filter(is_late)
            .map(|(pid, _)| *pid)
            .collect();
        for new in late {
            let Some((status, _)) = self.early.remove(&new) else {
                continue;
            };
            match process_of(new) {
                Some(process) if process != new => drop(self.threads.insert(new, process)),
                _ => self.adopt(new),
            }
            self.stopped(new, status);
        }
    }

    /// Takes in a process of which only the program's own lineage is certain.
    fn adopt(&mut self, pid: i32) {
        self.threads.insert(pid, pid);
        let version = self.version();
        let parent = Status::of(pid).parent;
        let root = self.processes.get(&self.root).map(|root| &root.process);
        let process = Process {
            pid,
            version,
            lineage: Lineage::child(root.map(|root| &root.lineage)),
            original_parent: parent,
            start: process::now(),
            credentials: root.map_or_else(
                || Rc::new(Credentials::at_start()),
                |root| Rc::clone(&root.credentials),
            ),
            image: Rc::new(Executed::of(pid, &self.executable).image),
            is_client: false,
            shown: None,
        };
        self.begin(process, None);
    }

    /// A thread has ended. If it is the first thread, its process has ended, too: that thread is reported last.
    fn ended(&mut self, thread: i32, status: c_int) {
        self.early.remove(&thread);
        self.doing.remove(&thread);
        self.spawns.remove(&thread);
        if self.threads.remove(&thread) != Some(thread) {
            return;
        }
        self.send_late_of(thread);
        let Some(traced) = self.processes.get(&thread) else {
            return;
        };
        let lineage = Rc::clone(&traced.process.lineage);
        let is_failed_spawn = traced.spawn.is_some_and(|spawn| !spawn.replaces);
        if !is_failed_spawn || settings::get().failed_spawn == FailedSpawn::Exit {
            let actor = self.shown(&traced.process);
            let event = object([("stat", int(processes::wait_status(status)))]);
            self.publish(&lineage, EXIT, "exit", thread, actor, event);
        }
        self.processes.remove(&thread);
        self.connections
            .retain(|connection| connection.pid != thread);
        if settings::get().reuse_pids {
            self.noise.ended.push(thread);
        }
    }
}
