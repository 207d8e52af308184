//! Live messages: what the real processes below the program do, in eslogger's JSON.
//!
//! `macsim run` starts a *kernel* beside the program: a process that traces the program and all that it starts, Linux
//! programs and those for macOS alike, by ptrace(2). A fork, an exec and an end stop the process that they happen to, until
//! the kernel has given the message to everybody who watches. So a message is queued before the call that it is of
//! returns, and an exit's before the parent's `waitpid` does.
//!
//! Programs find the kernel as the tracer of their own process, whatever their environment. [`Watch`] is how messages
//! reach a program: the clients of libEndpointSecurity (`es/live.rs`), or the stand-in for eslogger.
//!
//! | module | what |
//! |---|---|
//! | [`kernel`] | the process that traces: its loop |
//! | [`process`] | what it knows of a process, and how a message shows it |
//! | [`wire`] | how it and programs talk |

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

/// Starts the kernel, unless this process is below one already, or it isn't wanted. `program` is what runs in this
/// process. An error says why there are no live messages.
pub fn start(program: &Path) -> Result<(), String> {
    if !settings::get().live() || kernel().is_some() {
        return Ok(());
    }
    let address = kernel::start(program)?;
    KERNEL_STARTED.get_or_init(|| address);
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

/// The socket of the process that traces this one, if that is a kernel of ours.
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

/// Asks the kernel; `None` where there is none.
fn ask(kind: u8, payload: &[&[u8]]) -> Option<Vec<u8>> {
    let mut stream = UnixStream::connect_addr(kernel()?).ok()?;
    wire::send(&mut stream, kind, payload).ok()?;
    Some(wire::receive(&mut stream).ok()??.1)
}

/// Something that a program that watches gets.
pub enum News {
    /// Something happened.
    Message {
        /// The message, one line without its end, of which `seq_num` and `global_seq_num` are 0.
        json: Vec<u8>,
        /// The program that watches or one below it did it or had it done.
        related: bool,
    },
    /// All that had happened when this mark was asked for has come.
    Mark(u64),
}

/// A program's view of what happens from now on.
pub struct Watch {
    stream: UnixStream,
}

impl Watch {
    /// Begins to watch: what happens after the return comes, what happened before doesn't. `None` where there is no kernel.
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

    /// Waits for what comes next; `None` at the kernel's end.
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

    /// Asks for a mark.
    pub fn mark(&mut self, number: u64) -> io::Result<()> {
        wire::send(&mut self.stream, wire::MARK, &[&number.to_le_bytes()])
    }
}

/// The properties of a `posix_spawn` that the kernel must know before it happens.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spawn {
    /// The process stops once it has its image.
    pub suspended: bool,
    /// The caller is replaced: there is no fork.
    pub replaces: bool,
}

/// Announces that the next fork of this thread, or its exec, is a `posix_spawn`'s; false where there is no kernel.
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

/// Who this process runs as; `None` where there is no kernel.
pub fn credentials() -> Option<Credentials> {
    Credentials::of(&wire::numbers(&ask(wire::CREDENTIALS, &[])?))
}

/// Reports who this process runs as from now on.
pub fn set_credentials(credentials: &Credentials) {
    let numbers = credentials.numbers().into_iter();
    let bytes: Vec<u8> = numbers.flat_map(u32::to_le_bytes).collect();
    ask(wire::CREDENTIALS, &[&bytes]);
}

/// When a process was started, as messages have it: seconds and microseconds. `None` for one that isn't below the kernel.
pub fn start_of(pid: i32) -> Option<(u32, u32)> {
    match wire::numbers(&ask(wire::START, &[&pid.to_le_bytes()])?)[..] {
        [seconds, microseconds] => Some((seconds, microseconds)),
        _ => None,
    }
}

/// Returns true if a SIGKILL has no effect on a process yet, because it waits suspended and `--kill-hangs` says so.
pub fn kill_hangs(pid: i32) -> bool {
    ask(wire::KILL, &[&pid.to_le_bytes()]).is_some_and(|answer| answer == [1])
}

/// Returns true if an audit token is of this program or of a process below it that lives.
pub fn is_below(token: &[u32; 8]) -> bool {
    ask(wire::BELOW, &[&token.map(u32::to_le_bytes).concat()]).is_some_and(|answer| answer == [1])
}
