//! Live messages: the actions of the real processes below the program, in eslogger's JSON.
//!
//! `macsim run` starts a *kernel* beside the program: a process that uses ptrace(2) to trace the program and
//! everything that it starts, Linux programs and those for macOS alike. A fork, an exec or an end stops its process
//! until the kernel has sent the message to everyone who watches. So a message is queued before the call that it
//! reports returns, and the message of an exit before the parent's `waitpid` does.
//!
//! Programs find the kernel as the tracer of their own process, whatever their environment. Messages reach a program
//! through a [`Watch`]: the clients of libEndpointSecurity (`es/live.rs`), or the stand-in for eslogger.
//!
//! | module | contents |
//! |---|---|
//! | [`kernel`] | the process that traces: its loop |
//! | [`process`] | what the kernel knows about a process, and how a message shows it |
//! | [`wire`] | the protocol between the kernel and programs |

mod kernel;
mod process;
mod wire;

use std::io;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::path::Path;
use std::sync::OnceLock;

use crate::settings;
use crate::system::identity::Credentials;

/// The socket of this process's kernel.
static KERNEL: OnceLock<Option<SocketAddr>> = OnceLock::new();

/// Starts the kernel, unless this process already runs under one or none is wanted. `program` is the program that
/// runs in this process. An error says why there are no live messages.
pub fn start(program: &Path) -> Result<(), String> {
    if !settings::get().live() || kernel().is_some() {
        return Ok(());
    }
    let address = kernel::start(program)?;
    KERNEL_STARTED.get_or_init(|| address);
    if settings::get().files {
        kernel::stop_at_calls().map_err(|error| format!("seccomp doesn't work here: {error}"))?;
    }
    Ok(())
}

/// The kernel that this process has started itself.
static KERNEL_STARTED: OnceLock<SocketAddr> = OnceLock::new();

/// The socket of the kernel that this process runs on.
fn kernel() -> Option<&'static SocketAddr> {
    KERNEL_STARTED
        .get()
        .or_else(|| KERNEL.get_or_init(found).as_ref())
}

/// The socket of the process that traces this one, if that is one of macsim's kernels.
fn found() -> Option<SocketAddr> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("TracerPid:"))?;
    let tracer = line.trim().parse().ok().filter(|tracer| *tracer != 0)?;
    let address = wire::address(tracer).ok()?;
    UnixStream::connect_addr(&address).ok()?;
    Some(address)
}

/// Asks the kernel; `None` if there is none.
fn ask(kind: u8, payload: &[&[u8]]) -> Option<Vec<u8>> {
    let mut stream = UnixStream::connect_addr(kernel()?).ok()?;
    wire::send(&mut stream, kind, payload).ok()?;
    Some(wire::receive(&mut stream).ok()??.1)
}

/// Something that a watching program receives.
pub enum News {
    /// Something happened.
    Message {
        /// The message: one line without its line end, in which `seq_num` and `global_seq_num` are 0.
        json: Vec<u8>,
        /// True if the program that watches or a process below it did it or had it done.
        related: bool,
    },
    /// Everything that had happened when this mark was requested has arrived.
    Mark(u64),
}

/// A program's view of what happens from now on.
pub struct Watch {
    stream: UnixStream,
}

impl Watch {
    /// Begins to watch: what happens after the return arrives, what happened before doesn't. `None` if there is no
    /// kernel.
    pub fn open() -> io::Result<Option<Self>> {
        let Some(address) = kernel() else {
            return Ok(None);
        };
        let mut watch = Watch {
            stream: UnixStream::connect_addr(address)?,
        };
        wire::send(&mut watch.stream, wire::WATCH, &[])?;
        match wire::receive(&mut watch.stream)? {
            Some((wire::DONE, _)) => Ok(Some(watch)),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    /// A second handle, for a thread that asks for marks while another one waits for news.
    pub fn try_clone(&self) -> io::Result<Self> {
        let stream = self.stream.try_clone()?;
        Ok(Watch { stream })
    }

    /// Waits for the next news; `None` at the kernel's end.
    pub fn next(&mut self) -> io::Result<Option<News>> {
        loop {
            let Some((kind, payload)) = wire::receive(&mut self.stream)? else {
                return Ok(None);
            };
            match (kind, payload.split_first()) {
                (wire::MESSAGE, Some((related, json))) => {
                    return Ok(Some(News::Message {
                        json: json.to_vec(),
                        related: *related != 0,
                    }));
                }
                (wire::MARK, _) => {
                    let number = payload.try_into().map_or(0, u64::from_le_bytes);
                    return Ok(Some(News::Mark(number)));
                }
                _ => {} // the kernel says nothing else
            }
        }
    }

    /// Requests a mark.
    pub fn mark(&mut self, number: u64) -> io::Result<()> {
        wire::send(&mut self.stream, wire::MARK, &[&number.to_le_bytes()])
    }
}

/// The properties of a `posix_spawn` that the kernel must know before it happens.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spawn {
    /// True if the process stops once it has its image.
    pub suspended: bool,
    /// True if the caller is replaced: there is no fork.
    pub replaces: bool,
}

/// Announces that the next fork or exec of this thread is part of a `posix_spawn`. Returns false if there is no
/// kernel.
pub fn spawning(spawn: Spawn) -> bool {
    // SAFETY: always possible.
    let thread = unsafe { libc::gettid() };
    let suspended = if spawn.suspended { wire::SUSPENDED } else { 0 };
    let replaces = if spawn.replaces { wire::REPLACES } else { 0 };
    let flags = [suspended | replaces];
    ask(wire::SPAWN, &[&thread.to_le_bytes(), &flags]).is_some()
}

/// This process's audit token, as messages have it.
pub fn token() -> Option<[u32; 8]> {
    wire::numbers(&ask(wire::TOKEN, &[])?).try_into().ok()
}

/// The identity that this process runs as; `None` if there is no kernel.
pub fn credentials() -> Option<Credentials> {
    Credentials::of(&wire::numbers(&ask(wire::CREDENTIALS, &[])?))
}

/// Reports the identity that this process runs as from now on.
pub fn set_credentials(credentials: &Credentials) {
    let numbers = credentials.numbers().into_iter();
    let bytes: Vec<u8> = numbers.flat_map(u32::to_le_bytes).collect();
    ask(wire::CREDENTIALS, &[&bytes]);
}

/// The start time of a process, as messages have it: seconds and microseconds. `None` if the process isn't below the
/// kernel.
pub fn start_of(pid: i32) -> Option<(u32, u32)> {
    match wire::numbers(&ask(wire::START, &[&pid.to_le_bytes()])?)[..] {
        [seconds, microseconds] => Some((seconds, microseconds)),
        _ => None,
    }
}

/// Returns true if a SIGKILL has no effect on a process yet, because it waits suspended and `--kill-hangs` is set.
pub fn kill_hangs(pid: i32) -> bool {
    ask(wire::KILL, &[&pid.to_le_bytes()]).is_some_and(|answer| answer == [1])
}

/// Returns true if an audit token belongs to this program or to a living process below it.
pub fn is_below(token: &[u32; 8]) -> bool {
    ask(wire::BELOW, &[&token.map(u32::to_le_bytes).concat()]).is_some_and(|answer| answer == [1])
}
