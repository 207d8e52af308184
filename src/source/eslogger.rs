//! macOS's own eslogger as a child process, for programs that aren't entitled: Apple signed it, so that root and Full
//! Disk Access are enough.
//!
//! It writes to a pseudo-terminal in raw mode. Into a pipe it would write in blocks, so that events would come late and
//! the last ones never, and a terminal that isn't raw cuts long lines. It has a process group of its own: it leaves out
//! the events of its own group, which are then missing in the sequence numbers. If it were in our group, the events of
//! our pipeline would be reported as lost. If this program is killed, a shell in that group ends eslogger: by itself it
//! would notice only at its next event, if at all, that the terminal has closed. Both get an empty environment, and none
//! of the descriptors that this program inherited: they run as root for as long as the trace.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Read};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};
use rustix::io::FdFlags;
use rustix::process::{Pid, Signal};
use rustix::pty::OpenptFlags;
use rustix::termios::OptionalActions;

use super::guard::Guard;
use super::native::system;
use super::queue::{self, Queue};
use super::recording::{self, Chunk, Objects};
use super::refusal::Refusal;
use crate::exit::{reason, warn};
use crate::model::catalogue::{self, Row};
use crate::model::event::EventType;
use crate::model::tables;
use crate::order::loss::Origin;
use crate::pipeline::{Buffers, Feed, Source};
use crate::select::{Need, Selection};
use crate::text::escape;

const PROGRAM: &str = "/usr/bin/eslogger";

/// The size of the blocks in which lines wait.
const BLOCK: usize = 64 << 10;

/// The length, in bytes, from which a line is passed on in parts: no event is that long.
const MAX_LINE: usize = 8 << 20;

/// The maximum length of a line on standard error that is passed on, in bytes.
const MAX_SAID: usize = 4 << 10;

/// The time for eslogger to end before it is killed.
const PATIENCE: Duration = Duration::from_secs(1);

/// The time after eslogger's end within which the signal that ended it may come: Ctrl-C goes to both.
const GRACE: Duration = Duration::from_millis(200);

/// The interval of checks for conditions that can't be waited for.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Returns true if this macOS has eslogger.
pub fn is_there() -> bool {
    Path::new(PROGRAM).exists()
}

/// eslogger's output, as a source.
pub struct Eslogger {
    child: Arc<Mutex<Child>>,
    waiting: Arc<Waiting>,
    is_stopped: Arc<AtomicBool>,
    need: Need,
    /// True if `write` is among its events.
    writes: bool,
}

/// The names of the events that the running eslogger has.
pub struct Listed(Vec<String>);

impl Listed {
    /// Asks eslogger.
    ///
    /// # Errors
    /// This process doesn't run as root, which eslogger needs, or eslogger fails.
    pub fn ask() -> Result<Listed, Refusal> {
        if !rustix::process::geteuid().is_root() {
            return Err(Refusal::NotPrivileged);
        }
        list_events().map(Listed).map_err(|error| failed(&error))
    }

    /// Returns true if eslogger has the event.
    pub fn has(&self, row: &Row) -> bool {
        self.0.iter().any(|name| name == row.name)
    }

    /// The names of the events that are needed.
    fn needed(&self, events: &Selection) -> Vec<String> {
        let is_needed = |name: &&String| {
            events.contains(match catalogue::by_name(name.as_bytes()) {
                Some(row) => EventType::Known(row),
                None => EventType::Unknown {
                    number: None,
                    name: "".into(),
                },
            })
        };
        self.0.iter().filter(is_needed).cloned().collect()
    }
}

impl Eslogger {
    /// Starts it for those of the listed events that are needed.
    ///
    /// # Errors
    /// It can't be started. If macOS refuses it a client, that turns out later, see [`Handle::end`].
    pub fn start(need: &Need, listed: &Listed) -> Result<(Eslogger, Handle), Refusal> {
        let events = listed.needed(&need.events);
        if events.is_empty() {
            return Err(Refusal::NoEvents);
        }
        let handle = Handle::spawn(&events).map_err(|error| failed(&error))?;
        let eslogger = Eslogger {
            child: Arc::clone(&handle.child),
            waiting: Arc::clone(&handle.waiting),
            is_stopped: Arc::clone(&handle.is_stopped),
            need: need.clone(),
            writes: events.iter().any(|name| name == "write"),
        };
        Ok((eslogger, handle))
    }
}

impl Source for Eslogger {
    type Piece = Chunk;
    type Decoder = Objects;

    fn decoder(&self, buffers: &Buffers) -> Objects {
        Objects::new(&self.need, buffers)
    }

    /// Ends eslogger, so that everything it has written can be printed. The second time there is nothing to wait for.
    fn stopper(&self) -> Box<dyn Fn() -> bool + Send + Sync> {
        let child = Arc::clone(&self.child);
        let is_stopped = Arc::clone(&self.is_stopped);
        Box::new(move || {
            let is_first = !is_stopped.swap(true, Ordering::Relaxed);
            if is_first {
                end(&child);
            }
            is_first
        })
    }

    fn run(self, feed: &Feed<Chunk>) {
        let lines = Lines {
            waiting: self.waiting,
            blocks: Vec::new().into_iter(),
            block: Vec::new(),
            at: 0,
        };
        let origin = Origin::Eslogger {
            writes: self.writes,
        };
        if feed.begin(origin, true) {
            let read = recording::read_live(lines, feed);
            feed.end(read);
        }
    }
}

/// eslogger, running. Ended on drop.
pub struct Handle {
    child: Arc<Mutex<Child>>,
    errors: Option<JoinHandle<Option<Refusal>>>,
    waiting: Arc<Waiting>,
    is_stopped: Arc<AtomicBool>,
    _guard: Guard,
}

impl Handle {
    fn spawn(events: &[String]) -> io::Result<Handle> {
        let (ours, its) = raw_terminal()?;
        let mut command = Command::new(PROGRAM);
        command
            .args(events)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(its)
            .stderr(Stdio::piped());
        let mut guard = Guard::new("kill \"$pid\"")?;
        command.process_group(guard.group());
        let mut child = system::without_inheriting(|| command.spawn())?;
        drop(command); // it holds the end of the terminal that is eslogger's
        let errors = child.stderr.take();
        let watched = guard.watch(child.id().cast_signed());
        let handle = Handle {
            child: Arc::new(Mutex::new(child)),
            errors: errors.map(|errors| thread::spawn(|| pass_on(errors))),
            waiting: Arc::new(Queue::new(queue::CAPACITY, IsOver(false))),
            is_stopped: Arc::default(),
            _guard: guard,
        };
        watched?;
        let waiting = Arc::clone(&handle.waiting);
        let is_stopped = Arc::clone(&handle.is_stopped);
        thread::spawn(move || read(File::from(ours), &waiting, &is_stopped));
        Ok(handle)
    }

    /// Ends it, unless it has ended.
    ///
    /// # Errors
    /// It had ended by itself: the reason.
    pub fn end(mut self) -> Result<(), Refusal> {
        let by_itself = self.waiting.with(|is_over| is_over.0);
        let status = end(&self.child);
        let refusal = self.errors.take().and_then(|errors| errors.join().ok());
        if !by_itself || self.is_stopped.load(Ordering::Relaxed) {
            return Ok(());
        }
        Err(match (refusal.flatten(), status) {
            (Some(refusal), _) => refusal,
            (None, Some(status)) => Refusal::Other(format!("eslogger has ended: {}", how(status))),
            (None, None) => Refusal::Other("eslogger has ended".to_owned()),
        })
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        end(&self.child);
    }
}

fn failed(error: &io::Error) -> Refusal {
    Refusal::Other(format!("{PROGRAM}: {}", reason(error)))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The events that the running eslogger has.
fn list_events() -> io::Result<Vec<String>> {
    let mut command = Command::new(PROGRAM);
    command.arg("--list-events").env_clear();
    let output = system::without_inheriting(|| command.output())?;
    if !output.status.success() {
        let said = format!("--list-events: {}", how(output.status));
        return Err(io::Error::other(said));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.split_whitespace().map(str::to_owned).collect())
}

/// A pseudo-terminal that passes every byte on unchanged: our end, and eslogger's.
fn raw_terminal() -> io::Result<(OwnedFd, OwnedFd)> {
    let ours = rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
    // If eslogger inherited this end as well, the terminal wouldn't close when we end.
    rustix::io::fcntl_setfd(&ours, FdFlags::CLOEXEC)?;
    rustix::pty::grantpt(&ours)?;
    rustix::pty::unlockpt(&ours)?;
    let name = rustix::pty::ptsname(&ours, Vec::new())?;
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let its = rustix::fs::open(name, flags, Mode::empty())?;
    let mut settings = rustix::termios::tcgetattr(&its)?;
    settings.make_raw();
    rustix::termios::tcsetattr(&its, OptionalActions::Now, &settings)?;
    Ok((ours, its))
}

/// Ends the child and waits for it.
fn end(child: &Mutex<Child>) -> Option<ExitStatus> {
    let mut child = lock(child);
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let asked = Instant::now();
    let mut is_asked = false;
    loop {
        match (child.try_wait(), pid) {
            (Ok(Some(status)), _) => return Some(status),
            // It has not been waited for, so the pid is still its own.
            (Ok(None), Some(pid)) if asked.elapsed() < PATIENCE => {
                if !is_asked {
                    is_asked = true;
                    let _ = rustix::process::kill_process(pid, Signal::TERM);
                }
                thread::sleep(LOOK_EVERY);
            }
            _ => {
                let _ = child.kill();
                return child.wait().ok();
            }
        }
    }
}

/// A description of how a process ended.
fn how(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => match tables::SIGNAL.name(signal.into()) {
            Some(name) => name.to_owned(),
            None => format!("signal {signal}"),
        },
        (None, None) => "of no known cause".to_owned(),
    }
}

/// Passes on eslogger's standard error, except for a refusal, which is returned.
fn pass_on(errors: ChildStderr) -> Option<Refusal> {
    let mut refusal = None;
    let mut errors = BufReader::new(errors);
    while let Some(line) = next_said(&mut errors) {
        let text = String::from_utf8_lossy(&line);
        match Refusal::said(&text) {
            Some(said) => refusal = Some(said),
            None if line.trim_ascii().is_empty() => {}
            None => {
                let said = line.strip_prefix(b"eslogger: ").unwrap_or(&line);
                let said = escape::name(OsStr::from_bytes(said));
                warn(format_args!("eslogger: {said}"));
            }
        }
    }
    refusal
}

/// Returns the next line, cut if it is too long, or nothing at the end.
fn next_said(errors: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut line = Vec::new();
    let count = errors
        .take(MAX_SAID as u64)
        .read_until(b'\n', &mut line)
        .ok()?;
    if line.pop_if(|last| *last == b'\n').is_none() && count == MAX_SAID {
        line.extend_from_slice(b"...");
        errors.skip_until(b'\n').ok()?;
    }
    (count > 0).then_some(line)
}

/// Lines that have not been taken yet, in blocks. An empty block is the end.
type Waiting = Queue<Vec<u8>, IsOver>;

/// True if eslogger has closed its end.
struct IsOver(bool);

/// Takes the lines out of `lines`, and waits only if the queue is full.
fn push(waiting: &Waiting, lines: &mut Vec<u8>) {
    waiting.push_by(lines.len(), |blocks| match blocks.last_mut() {
        Some(last) if last.len() + lines.len() <= BLOCK => last.append(lines),
        _ => blocks.push(std::mem::take(lines)),
    });
    // A closed queue has not taken them.
    lines.clear();
}

/// Reads eslogger's output as soon as it is written, until eslogger has ended.
fn read(mut terminal: File, waiting: &Waiting, is_stopped: &AtomicBool) {
    let mut buffer = vec![0; BLOCK];
    let mut lines = Vec::new();
    loop {
        match terminal.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => {
                let read = &buffer[..count];
                let whole = memchr::memrchr(b'\n', read).map_or(0, |newline| newline + 1);
                lines.extend_from_slice(&read[..whole]);
                if whole > 0 {
                    push(waiting, &mut lines);
                }
                lines.extend_from_slice(&read[whole..]);
                if lines.len() > MAX_LINE {
                    push(waiting, &mut lines);
                }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // eslogger has closed its end.
            Err(_) => break,
        }
    }
    let ended = Instant::now();
    let stopped = || is_stopped.load(Ordering::Relaxed);
    while !stopped() && ended.elapsed() < GRACE {
        thread::sleep(LOOK_EVERY);
    }
    // A line that it was still writing when we ended it is not damage.
    if !stopped() && !lines.is_empty() {
        push(waiting, &mut lines);
    }
    waiting.with(|is_over| is_over.0 = true);
    waiting.push_at_once(Vec::new());
}

/// The waiting lines as a reader.
struct Lines {
    waiting: Arc<Waiting>,
    blocks: std::vec::IntoIter<Vec<u8>>,
    block: Vec<u8>,
    at: usize,
}

impl Lines {
    /// The block that has waited longest.
    fn next_block(&mut self) -> Vec<u8> {
        loop {
            if let Some(block) = self.blocks.next() {
                return block;
            }
            let mut blocks = Vec::new();
            self.waiting.wait();
            self.waiting.poll(&mut blocks);
            self.blocks = blocks.into_iter();
        }
    }
}

impl Read for Lines {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == self.block.len() {
            self.waiting.release(self.block.len());
            self.block = self.next_block();
            self.at = 0;
        }
        let count = (&self.block[self.at..]).read(buffer)?;
        self.at += count;
        Ok(count)
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        self.waiting.close();
    }
}
