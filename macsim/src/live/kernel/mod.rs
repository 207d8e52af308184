//! The process that traces: it stops each process of the tree when something happens to it, sends the message, and
//! lets the process continue. It has one thread, because ptrace(2) accepts requests from the tracing thread alone.

use std::collections::HashMap;
use std::convert::Infallible;
use std::ffi::c_int;
use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

use self::files::Doing;
pub use self::files::stop_at_calls;
use self::noise::Noise;
use self::requests::Connection;
use super::process::{self, Lineage, Process, Status};
use super::{Spawn, wire};
use crate::settings;
use crate::system::accounts;
use crate::system::identity::Credentials;
use crate::versions;

mod files;
mod messages;
mod noise;
mod requests;
mod trace;

/// `es_event_type_t`
const EXEC: u32 = 9;
const FORK: u32 = 11;
const EXIT: u32 = 15;

/// The time that a new process waits for the message of its fork. If none has come by then, the process that forked
/// it was killed on the way.
const PATIENCE: Duration = Duration::from_millis(100);

/// Starts the kernel for this process, which still has only one thread.
pub fn start(program: &Path) -> Result<SocketAddr, String> {
    let noise = Noise::read(versions::message_version(settings::get().macos))?;
    seize(program, noise)
        .map_err(|error| format!("ptrace doesn't work here, so that no process is seen: {error}"))
}

fn seize(program: &Path, noise: Noise) -> io::Result<SocketAddr> {
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
                0 => run(root, program, noise, theirs),
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
fn run(root: i32, program: &Path, noise: Noise, mut ready: UnixStream) -> ! {
    detach(&mut ready);
    match Kernel::new(root, program, noise) {
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

/// Closes what belongs to the program: its terminal and its files.
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

/// A process, with state that only matters while it is traced.
struct Traced {
    process: Process,
    /// The `posix_spawn` that forked it, until that has returned.
    spawn: Option<Spawn>,
    /// True if it was started suspended and nobody has continued it.
    suspended: bool,
    /// True if a SIGKILL waits until it is continued.
    doomed: bool,
    /// The message of its fork, which is sent when it gets its image.
    fork: Option<Vec<u8>>,
    /// The message of its exec, which is sent late.
    late: Option<(Instant, Vec<u8>)>,
    /// True if only that message keeps it from running.
    parked: bool,
}

struct Kernel {
    root: i32,
    executable: PathBuf,
    listener: UnixListener,
    signals: OwnedFd,
    connections: Vec<Connection>,
    processes: HashMap<i32, Traced>,
    /// The process that each thread belongs to.
    threads: HashMap<i32, i32>,
    /// New threads and processes that stopped before their fork was reported.
    early: HashMap<i32, (c_int, Instant)>,
    /// The system calls, with `--files`, that threads are in.
    doing: HashMap<i32, Doing>,
    /// The next `posix_spawn` that a thread has announced.
    spawns: HashMap<i32, Spawn>,
    next_version: u32,
    message_version: u32,
    noise: Noise,
    /// The number of messages so far.
    sent: u64,
    /// The audit token of the process that started the program, which is also responsible for all processes.
    outside: [u32; 8],
}

impl Kernel {
    fn new(root: i32, program: &Path, noise: Noise) -> io::Result<Self> {
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
            | libc::PTRACE_O_TRACEEXEC
            | libc::PTRACE_O_TRACESECCOMP
            | libc::PTRACE_O_TRACESYSGOOD;
        trace::ptrace(libc::PTRACE_SEIZE, root, events as usize)?;
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
            doing: HashMap::new(),
            spawns: HashMap::new(),
            next_version: settings.pidversion + 5000,
            message_version: versions::message_version(settings.macos),
            noise,
            sent: 0,
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
            self.reuse_identifiers();
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

    /// Waits for a child's stop or end, a connection, or the time of a late message.
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
        let reused = (!self.noise.ended.is_empty()).then(|| Instant::now() + PATIENCE);
        let timeout = late.chain(early).chain(reused).min().map_or(-1, |due| {
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
            // The number of signals doesn't matter: all children are checked.
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
}
