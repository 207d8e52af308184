//! The process that traces: it stops each process of the tree where something happens to it, sends the message, and lets
//! it go on. It has one thread, because ptrace(2) takes requests of the tracing thread alone.

use std::collections::HashMap;
use std::convert::Infallible;
use std::ffi::{c_int, c_long};
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::Spawn;
use super::process::{self, Executed, LAUNCHD, Lineage, Process, Shown, Status, int, object};
use super::wire;
use crate::builder::time;
use crate::json::Json;
use crate::settings::{self, FailedSpawn};
use crate::system::identity::Credentials;
use crate::system::{accounts, processes};
use crate::versions;

/// `es_event_type_t`
const EXEC: u32 = 9;
const FORK: u32 = 11;
const EXIT: u32 = 15;

/// So long a new process waits for the message of its fork; then the process that forked was killed on the way.
const PATIENCE: Duration = Duration::from_millis(100);

/// Starts the kernel for this process, which has one thread as yet.
pub fn start(program: &Path) -> io::Result<SocketAddr> {
    let (mut own, theirs) = UnixStream::pair()?;
    let root = std::process::id().cast_signed();
    // SAFETY: there is one thread; the intermediate process does nothing but fork and end, so that the kernel is no child
    // of the program.
    unsafe {
        libc::prctl(libc::PR_SET_PTRACER, libc::PR_SET_PTRACER_ANY);
        let child = libc::fork();
        if child < 0 {
            return Err(io::Error::last_os_error());
        }
        if child == 0 {
            libc::setsid();
            match libc::fork() {
                0 => run(root, program, theirs),
                _ => libc::_exit(0),
            }
        }
        libc::waitpid(child, std::ptr::null_mut(), 0);
    }
    drop(theirs);
    match wire::receive(&mut own)? {
        Some((wire::DONE, pid)) => wire::address(wire::numbers(&pid)[0]),
        Some((_, error)) => {
            let number = wire::numbers(&error).first().map_or(0, |number| *number);
            Err(io::Error::from_raw_os_error(number.cast_signed()))
        }
        None => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// The kernel's process.
fn run(root: i32, program: &Path, mut ready: UnixStream) -> ! {
    detach(&mut ready);
    match Kernel::new(root, program) {
        Ok(mut kernel) => {
            let pid = std::process::id().to_le_bytes();
            if wire::send(&mut ready, wire::DONE, &[&pid]).is_ok() {
                drop(ready);
                _ = kernel.serve(); // there is nobody to report to; the tree goes on without it
            }
        }
        Err(error) => {
            let number = error.raw_os_error().unwrap_or(libc::EIO).to_le_bytes();
            _ = wire::send(&mut ready, 0, &[&number]);
        }
    }
    // SAFETY: ends the process.
    unsafe { libc::_exit(0) }
}

/// Leaves what is the program's alone: its terminal and its files.
fn detach(ready: &mut UnixStream) {
    const READY: c_int = 3;
    // SAFETY: this process has nothing else open that it needs.
    unsafe {
        libc::prctl(libc::PR_SET_NAME, c"macsim kernel".as_ptr());
        let null = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR);
        let moved = libc::fcntl(ready.as_raw_fd(), libc::F_DUPFD_CLOEXEC, READY + 1);
        (0..3).for_each(|descriptor| _ = libc::dup2(null, descriptor));
        libc::dup3(moved, READY, libc::O_CLOEXEC);
        libc::close_range(READY as u32 + 1, u32::MAX, 0);
        std::mem::forget(std::mem::replace(ready, UnixStream::from_raw_fd(READY)));
        libc::signal(libc::SIGCHLD, libc::SIG_DFL);
    }
}

/// A request of ptrace(2).
fn ptrace(request: u32, pid: i32, data: usize) -> io::Result<()> {
    // SAFETY: none of these requests writes to our memory.
    match unsafe { libc::ptrace(request, pid, 0_usize, data) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Lets a process go on, with a signal or without. One that was killed meanwhile doesn't need it.
fn resume(pid: i32, signal: c_int) {
    _ = ptrace(libc::PTRACE_CONT, pid, signal as usize);
}

/// What an event says: the new process, or who has executed.
fn event_message(pid: i32) -> Option<i32> {
    let mut message: c_long = 0;
    // SAFETY: a variable of our own.
    let result = unsafe { libc::ptrace(libc::PTRACE_GETEVENTMSG, pid, 0, &raw mut message) };
    (result == 0).then_some(message as i32)
}

/// The process that a thread is of.
fn process_of(thread: i32) -> Option<i32> {
    let status = std::fs::read_to_string(format!("/proc/{thread}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("Tgid:"))?;
    line.trim().parse().ok()
}

/// A program that talks to the kernel.
struct Connection {
    stream: UnixStream,
    pid: i32,
    lineage: Rc<Lineage>,
    watches: bool,
    read: Vec<u8>,
    /// What it hasn't taken yet.
    unsent: Vec<u8>,
}

impl Connection {
    fn send(&mut self, kind: u8, payload: &[&[u8]]) {
        self.unsent.extend(wire::frame(kind, payload));
        self.flush();
    }

    /// Writes as much as is taken: a program that is stopped must not stop the others.
    fn flush(&mut self) {
        while !self.unsent.is_empty() {
            match self.stream.write(&self.unsent) {
                Ok(length) => drop(self.unsent.drain(..length)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => return self.unsent.clear(), // its end is noticed when it is read
            }
        }
    }
}

/// A process with what is only of interest on its way.
struct Traced {
    process: Process,
    /// It was forked by a `posix_spawn` that isn't over.
    spawn: Option<Spawn>,
    /// It was started suspended, and nobody has continued it.
    suspended: bool,
    /// A SIGKILL waits for it to be continued.
    doomed: bool,
    /// The message of its fork, which is sent where it gets its image.
    fork: Option<Vec<u8>>,
    /// The message of its exec, which comes late.
    late: Option<(Instant, Vec<u8>)>,
    /// It could go on but for that message.
    parked: bool,
}

struct Kernel {
    root: i32,
    executable: PathBuf,
    listener: UnixListener,
    signals: OwnedFd,
    connections: Vec<Connection>,
    processes: HashMap<i32, Traced>,
    /// The process that each thread is of.
    threads: HashMap<i32, i32>,
    /// New threads and processes that stopped before their fork was reported.
    early: HashMap<i32, (c_int, Instant)>,
    /// What a thread has announced.
    spawns: HashMap<i32, Spawn>,
    next_version: u32,
    message_version: u32,
    /// The audit token of whoever has started the program, which is also responsible for all.
    outside: [u32; 8],
}

impl Kernel {
    fn new(root: i32, program: &Path) -> io::Result<Self> {
        let settings = settings::get();
        let listener = UnixListener::bind_addr(&wire::address(std::process::id())?)?;
        listener.set_nonblocking(true)?;
        // SAFETY: variables of our own; the descriptor is new.
        let signals = unsafe {
            let mut set = std::mem::zeroed();
            libc::sigemptyset(&raw mut set);
            libc::sigaddset(&raw mut set, libc::SIGCHLD);
            libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut());
            let flags = libc::SFD_CLOEXEC | libc::SFD_NONBLOCK;
            match libc::signalfd(-1, &raw const set, flags) {
                -1 => return Err(io::Error::last_os_error()),
                descriptor => OwnedFd::from_raw_fd(descriptor),
            }
        };
        let events = libc::PTRACE_O_TRACEFORK
            | libc::PTRACE_O_TRACEVFORK
            | libc::PTRACE_O_TRACECLONE
            | libc::PTRACE_O_TRACEEXEC;
        ptrace(libc::PTRACE_SEIZE, root, events as usize)?;
        let parent = Status::of(root).parent.max(1);
        let user = settings.auid;
        let group = accounts::group_of(user);
        let outside = [
            user,
            user,
            group,
            user,
            group,
            parent as u32,
            process::SESSION,
            4711,
        ];
        let mut kernel = Kernel {
            root,
            executable: std::fs::read_link("/proc/self/exe").unwrap_or_default(),
            listener,
            signals,
            connections: Vec::new(),
            processes: HashMap::new(),
            threads: HashMap::from([(root, root)]),
            early: HashMap::new(),
            spawns: HashMap::new(),
            next_version: settings.pidversion + 5000,
            message_version: versions::message_version(settings.macos),
            outside,
        };
        let process = Process {
            pid: root,
            version: settings.pidversion,
            lineage: Lineage::child(None),
            original_parent: parent,
            start: process::now(),
            credentials: Rc::new(Credentials::at_start()),
            image: Rc::new(process::seen(program.to_owned())),
            is_client: false,
            shown: None,
        };
        kernel.begin(process, None);
        Ok(kernel)
    }

    fn begin(&mut self, process: Process, spawn: Option<Spawn>) {
        let traced = Traced {
            spawn,
            fork: None,
            suspended: false,
            doomed: false,
            late: None,
            parked: false,
            process,
        };
        self.processes.insert(traced.process.pid, traced);
    }

    /// Serves until the program has ended and nobody watches.
    fn serve(&mut self) -> io::Result<Infallible> {
        loop {
            while self.wait_for_one()? {}
            self.send_late();
            self.adopt_early();
            let is_over = !self.processes.contains_key(&self.root)
                && self
                    .connections
                    .iter()
                    .all(|connection| !connection.watches);
            if self.processes.is_empty() || is_over {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.poll()?;
        }
    }

    /// Waits for a child's stop or end, a connection, or the time of something late.
    fn poll(&mut self) -> io::Result<()> {
        let descriptor = |fd: c_int, events: i16| libc::pollfd {
            fd,
            events,
            revents: 0,
        };
        let mut polled = vec![
            descriptor(self.signals.as_raw_fd(), libc::POLLIN),
            descriptor(self.listener.as_raw_fd(), libc::POLLIN),
        ];
        polled.extend(self.connections.iter().map(|connection| {
            let out = if connection.unsent.is_empty() {
                0
            } else {
                libc::POLLOUT
            };
            descriptor(connection.stream.as_raw_fd(), libc::POLLIN | out)
        }));
        let late = self
            .processes
            .values()
            .filter_map(|traced| Some(traced.late.as_ref()?.0));
        let early = self.early.values().map(|(_, since)| *since + PATIENCE);
        let timeout = late.chain(early).min().map_or(-1, |due| {
            due.saturating_duration_since(Instant::now()).as_millis() as c_int + 1
        });
        // SAFETY: an array of our own.
        let found = unsafe {
            let count = polled.len() as libc::nfds_t;
            libc::poll(polled.as_mut_ptr(), count, timeout)
        };
        if found < 0 {
            let error = io::Error::last_os_error();
            return if error.kind() == io::ErrorKind::Interrupted {
                Ok(())
            } else {
                Err(error)
            };
        }
        if polled[0].revents != 0 {
            // How many there were doesn't matter: all children are looked at.
            let mut information = [0_u8; 1024];
            // SAFETY: a buffer of our own.
            unsafe {
                libc::read(
                    self.signals.as_raw_fd(),
                    information.as_mut_ptr().cast(),
                    information.len(),
                )
            };
        }
        for index in (0..self.connections.len()).rev() {
            let ready = polled[index + 2].revents;
            if ready & libc::POLLOUT != 0 {
                self.connections[index].flush();
            }
            if ready & !libc::POLLOUT != 0 && !self.listen(index) {
                self.connections.swap_remove(index);
            }
        }
        if polled[1].revents != 0 {
            while let Ok((stream, _)) = self.listener.accept() {
                self.connect(stream);
            }
        }
        Ok(())
    }

    fn connect(&mut self, stream: UnixStream) {
        // SAFETY: variables of our own.
        let pid = unsafe {
            let mut peer: libc::ucred = std::mem::zeroed();
            let mut size = size_of::<libc::ucred>() as u32;
            libc::getsockopt(
                stream.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_PEERCRED,
                (&raw mut peer).cast(),
                &raw mut size,
            );
            peer.pid
        };
        let lineage = self
            .processes
            .get(&pid)
            .map(|traced| Rc::clone(&traced.process.lineage));
        if stream.set_nonblocking(true).is_ok() {
            self.connections.push(Connection {
                stream,
                pid,
                lineage: lineage.unwrap_or_else(|| Lineage::child(None)),
                watches: false,
                read: Vec::new(),
                unsent: Vec::new(),
            });
            // What it asks may be there already.
            let last = self.connections.len() - 1;
            if !self.listen(last) {
                self.connections.swap_remove(last);
            }
        }
    }

    /// Reads what a program asks and answers; false at its end.
    fn listen(&mut self, index: usize) -> bool {
        let mut buffer = [0; 4096];
        loop {
            match self.connections[index].stream.read(&mut buffer) {
                Ok(0) => return false,
                Ok(length) => self.connections[index]
                    .read
                    .extend_from_slice(&buffer[..length]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => return false,
            }
        }
        loop {
            match wire::take(&mut self.connections[index].read) {
                Ok(Some((kind, payload))) => {
                    let answer = self.answer(index, kind, &payload);
                    let connection = &mut self.connections[index];
                    match kind {
                        wire::MARK => connection.send(wire::MARK, &[&payload]),
                        _ => connection.send(wire::DONE, &[&answer]),
                    }
                }
                Ok(None) => return true,
                Err(_) => return false,
            }
        }
    }

    fn answer(&mut self, index: usize, kind: u8, payload: &[u8]) -> Vec<u8> {
        let numbers = wire::numbers(payload);
        let connection = &mut self.connections[index];
        let pid = connection.pid;
        let first = || numbers.first().map_or(0, |number| number.cast_signed());
        match kind {
            wire::WATCH => {
                connection.watches = true;
                if let Some(traced) = self.processes.get_mut(&pid) {
                    traced.process.is_client = true;
                }
                Vec::new()
            }
            wire::SPAWN => {
                let flags = payload.get(4).copied().unwrap_or(0);
                let spawn = Spawn {
                    suspended: flags & wire::SUSPENDED != 0,
                    replaces: flags & wire::REPLACES != 0,
                };
                if spawn.replaces {
                    if let Some(traced) = self.processes.get_mut(&pid) {
                        traced.spawn = Some(spawn);
                    }
                } else {
                    self.spawns.insert(first(), spawn);
                }
                Vec::new()
            }
            wire::TOKEN => {
                let traced = self.processes.get(&pid);
                let token = traced.map(|traced| traced.process.token());
                token.map_or(Vec::new(), |token| token.map(u32::to_le_bytes).concat())
            }
            wire::CREDENTIALS => {
                let Some(traced) = self.processes.get_mut(&pid) else {
                    return Vec::new();
                };
                if let Some(credentials) = Credentials::of(&numbers) {
                    traced.process.credentials = Rc::new(credentials);
                }
                let numbers = traced.process.credentials.numbers().into_iter();
                numbers.flat_map(u32::to_le_bytes).collect()
            }
            wire::KILL => {
                let traced = self.processes.get_mut(&first());
                let hangs = traced.filter(|traced| traced.suspended && settings::get().kill_hangs);
                vec![u8::from(hangs.is_some_and(|traced| {
                    traced.doomed = true;
                    true
                }))]
            }
            wire::BELOW => {
                let lineage = Rc::clone(&connection.lineage);
                let traced = numbers
                    .get(5)
                    .and_then(|pid| self.processes.get(&pid.cast_signed()));
                let below = traced.is_some_and(|traced| {
                    numbers.get(7) == Some(&traced.process.version)
                        && traced.process.lineage.is_below(&lineage)
                });
                vec![u8::from(below)]
            }
            _ => Vec::new(),
        }
    }

    /// Handles a child that has stopped or ended; false where there is none.
    fn wait_for_one(&mut self) -> io::Result<bool> {
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
                // A process that has ended is its parent's to wait for only after the tracer has.
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
            0 => resume(thread, signal),
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

    /// A thread begins, or goes on after a stop of the whole process.
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
            // One that is gone already was a process: a thread's end is reported later.
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

    /// A process has another image; true if it may go on.
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
    fn send_late(&mut self) {
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
        if parked {
            resume(pid, 0);
        }
    }

    /// Takes processes in whose fork was never reported, because who forked was killed at once.
    fn adopt_early(&mut self) {
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

    /// Takes a process in of which only the program's own lineage is sure.
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

    /// A thread has ended; its process with it, if it is the first one: that is reported last.
    fn ended(&mut self, thread: i32, status: c_int) {
        self.early.remove(&thread);
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
    }

    fn version(&mut self) -> u32 {
        self.next_version += 1;
        self.next_version
    }

    /// A process as it is now.
    fn shown(&self, process: &Process) -> Json {
        let status = Status::of(process.pid);
        let parent = self.processes.get(&status.parent);
        let (parent_token, parent) = match parent {
            Some(parent) if status.parent == process.original_parent => {
                (parent.process.token(), status.parent)
            }
            _ if process.pid == self.root && self.outside[5] == status.parent as u32 => {
                (self.outside, status.parent)
            }
            _ => (LAUNCHD, 1),
        };
        self.shown_with(process, parent_token, parent, status)
    }

    fn shown_with(
        &self,
        process: &Process,
        parent_token: [u32; 8],
        parent: i32,
        status: Status,
    ) -> Json {
        let [group, session] = process.shown.unwrap_or([status.group, status.session]);
        let shown = Shown {
            token: process.token(),
            parent,
            parent_token,
            original_parent: process.original_parent,
            group,
            session,
            terminal: status.terminal(),
            start: process.start,
            image: &process.image,
            responsible: self.outside,
            is_client: process.is_client,
        };
        shown.json(self.message_version)
    }

    fn message(&self, number: u32, name: &str, thread: i32, process: Json, event: Json) -> Vec<u8> {
        let result = object([
            ("result", object([("auth", int(0))])),
            ("result_type", int(0)),
        ]);
        let message = object([
            ("schema_version", int(1)),
            ("version", int(self.message_version)),
            ("time", process::string(time::format(process::now(), 9))),
            ("mach_time", int(crate::system::time::absolute())),
            ("event_type", int(number)),
            ("action_type", int(1)),
            ("action", object([("result", result)])),
            ("seq_num", int(0)),
            ("global_seq_num", int(0)),
            ("thread", object([("thread_id", int(thread))])),
            ("process", process),
            ("event", object([(name, event)])),
        ]);
        message.to_string().into_bytes()
    }

    fn publish(
        &mut self,
        lineage: &Rc<Lineage>,
        number: u32,
        name: &str,
        thread: i32,
        process: Json,
        event: Json,
    ) {
        if self.connections.iter().any(|connection| connection.watches) {
            let message = self.message(number, name, thread, process, event);
            self.send(lineage, &message);
        }
    }

    /// Queues a message for all who watch.
    fn send(&mut self, lineage: &Rc<Lineage>, message: &[u8]) {
        for connection in &mut self.connections {
            if connection.watches {
                let related = u8::from(lineage.is_below(&connection.lineage));
                connection.send(wire::MESSAGE, &[&[related], message]);
            }
        }
    }
}
