//! Exit statuses, and warnings on standard error.

use std::fmt::Arguments;
use std::io;
use std::path::Path;
use std::process::{ExitCode, Termination};
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;
use std::time::Duration;

/// The exit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// All that was asked for was done.
    Done,
    /// Something failed, or the input was damaged.
    Failed,
    /// The options are wrong.
    Usage,
    /// Events are missing, and `--fail-on-drop` was given.
    Dropped,
    /// macOS doesn't permit a live trace.
    #[cfg(any(target_os = "macos", test))]
    NotPermitted,
    /// The status of the command that was traced.
    Command(u8),
}

impl Exit {
    /// The number of the status.
    pub fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Dropped => 3,
            #[cfg(any(target_os = "macos", test))]
            Exit::NotPermitted => 4,
            Exit::Command(code) => code,
        }
    }
}

impl Termination for Exit {
    fn report(self) -> ExitCode {
        ExitCode::from(self.code())
    }
}

/// The interval of attempts to use a stream that isn't ready.
const TRY_EVERY: Duration = Duration::from_millis(2);

/// Reads or writes, again and again until the stream is ready. Another program with the same stream may have made it
/// non-blocking, as Node.js does with its pipes.
///
/// # Errors
/// Those of `attempt` but for [`io::ErrorKind::Interrupted`] and [`io::ErrorKind::WouldBlock`].
pub fn patiently<T>(mut attempt: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match attempt() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::sleep(TRY_EVERY),
            result => return result,
        }
    }
}

/// Writes everything to a stream that may be non-blocking.
///
/// # Errors
/// Those of `out`.
pub fn write_all(out: &mut impl io::Write, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match patiently(|| out.write(bytes))? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            count => bytes = &bytes[count..],
        }
    }
    patiently(|| out.flush())
}

/// Prints a warning on standard error. If that fails there is nowhere to report it.
pub fn warn(message: Arguments<'_>) {
    // In one piece, because other programs may write there as well.
    let line = format!("proctracer: {message}\n");
    let _ = write_all(&mut io::stderr(), line.as_bytes());
}

/// The text of an error of the system, without its number.
pub fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((text, _)) => text.to_owned(),
        None => text,
    }
}

/// A standard stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard input.
    Stdin,
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// The paths that lead to the standard streams.
const PATHS: [(&str, Stream); 6] = [
    ("/dev/stdin", Stream::Stdin),
    ("/dev/fd/0", Stream::Stdin),
    ("/dev/stdout", Stream::Stdout),
    ("/dev/fd/1", Stream::Stdout),
    ("/dev/stderr", Stream::Stderr),
    ("/dev/fd/2", Stream::Stderr),
];

/// The standard streams that were closed when the program started, a bit for each.
static CLOSED: AtomicU8 = AtomicU8::new(0);

/// Notes which standard streams are closed. The standard library opens the null device in their place before `main`,
/// so that what is written is lost without an error: this has to be called earlier.
pub fn note_closed_streams() {
    let closed = [
        (Stream::Stdin, rustix::stdio::stdin()),
        (Stream::Stdout, rustix::stdio::stdout()),
        (Stream::Stderr, rustix::stdio::stderr()),
    ]
    .into_iter()
    .filter(|(_, fd)| rustix::io::fcntl_getfd(fd) == Err(rustix::io::Errno::BADF))
    .fold(0, |bits, (stream, _)| bits | 1 << stream as u8);
    CLOSED.store(closed, Ordering::Relaxed);
}

/// Returns an error if a standard stream was closed when the program started.
pub fn check_stream(stream: Stream) -> io::Result<()> {
    if CLOSED.load(Ordering::Relaxed) & 1 << stream as u8 == 0 {
        Ok(())
    } else {
        Err(rustix::io::Errno::BADF.into())
    }
}

/// Returns an error if a path leads to a standard stream that was closed when the program started.
pub fn check_path(path: &Path) -> io::Result<()> {
    match PATHS.iter().find(|(name, _)| path == Path::new(name)) {
        Some((_, stream)) => check_stream(*stream),
        None => Ok(()),
    }
}

/// Prints text other than events on standard output, and returns the exit status.
pub fn print(text: &str) -> Exit {
    let written =
        check_stream(Stream::Stdout).and_then(|()| write_all(&mut io::stdout(), text.as_bytes()));
    match written {
        // A reader that has gone is not a failure.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            warn(format_args!("standard output: {}", reason(&error)));
            Exit::Failed
        }
        _ => Exit::Done,
    }
}
