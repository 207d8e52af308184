//! Recordings, for `-w`: plain or compressed, in one file or in several.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{anyhow, bail};
use flate2::write::GzEncoder;

use super::FileId;
use super::create::{self, NamedBy, Place};
use crate::order::loss::Count;
use crate::select::duration_of;

/// The interval at which compressed data is made readable: if the program or the Mac crashes, no more is lost.
const FLUSH_EVERY: Duration = Duration::from_millis(500);

/// The limit at which the next file is begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotate {
    /// The size of a file, in bytes.
    Size(u64),
    /// The time from the beginning of a file.
    Time(Duration),
}

/// The units of sizes, in bytes.
const UNITS: [(&str, u64); 13] = [
    ("B", 1),
    ("K", 1_000),
    ("KB", 1_000),
    ("kB", 1_000),
    ("KiB", 1 << 10),
    ("M", 1_000_000),
    ("MB", 1_000_000),
    ("MiB", 1 << 20),
    ("G", 1_000_000_000),
    ("GB", 1_000_000_000),
    ("GiB", 1 << 30),
    ("T", 1_000_000_000_000),
    ("TB", 1_000_000_000_000),
];

impl Rotate {
    /// Reads a size, such as `500MB`, or a time, such as `1h`. Both need a unit.
    ///
    /// # Errors
    /// The text is neither, or 0.
    pub fn parse(text: &str) -> anyhow::Result<Rotate> {
        let expected = || anyhow!("expected a size such as 500MB or a time such as 1h");
        let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.');
        let (number, unit) = text.split_at(digits.ok_or_else(expected)?);
        let rotate = match UNITS.iter().find(|(name, _)| *name == unit) {
            Some((_, bytes)) => Rotate::Size(size(number, *bytes).ok_or_else(expected)?),
            None => Rotate::Time(duration_of(text).map_err(|_| expected())?),
        };
        match rotate {
            Rotate::Size(0) | Rotate::Time(Duration::ZERO) => bail!("expected more than 0"),
            rotate => Ok(rotate),
        }
    }
}

/// Reads a number of units, in bytes.
fn size(number: &str, unit: u64) -> Option<u64> {
    if let Ok(number) = number.parse::<u64>() {
        return number.checked_mul(unit);
    }
    // 1.5GB: such a size needn't be exact.
    let bytes = Duration::try_from_secs_f64(number.parse().ok()?).ok()?;
    bytes
        .as_millis()
        .checked_mul(unit.into())?
        .checked_div(1000)?
        .try_into()
        .ok()
}

/// The settings of a recording.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The path of the first file.
    pub path: PathBuf,
    /// The limit at which the next file is begun; None: there is only one.
    pub rotate: Option<Rotate>,
    /// The number of files that are kept; None: all.
    pub keep: Option<usize>,
    /// The files that are read or written otherwise, which must not be overwritten.
    pub others: Vec<FileId>,
}

/// A recording that is written.
#[derive(Debug)]
pub struct Recorder {
    state: Arc<Mutex<State>>,
    /// Ends the thread that flushes.
    _flusher: Option<Sender<()>>,
}

/// The reason why a recording can't go on, and what of it there is.
#[derive(Debug)]
pub struct Failure {
    /// The name of the file.
    pub path: PathBuf,
    /// The reason.
    pub error: io::Error,
    /// The number of events that the files hold. Of a compressed file, those that were flushed.
    pub kept: u64,
}

#[derive(Debug)]
struct State {
    settings: Settings,
    compression: Compression,
    current: Current,
    /// The places of the files that are kept, and how many events each had when the next one was begun.
    earlier: VecDeque<(Place, u64)>,
    /// The number of files so far.
    count: u64,
    /// The failure of a flush between two writes.
    failed: Option<Failure>,
}

/// The file that is written.
#[derive(Debug)]
struct Current {
    place: Place,
    path: PathBuf,
    encoder: Encoder,
    /// The number of bytes that the file has.
    size: Arc<AtomicU64>,
    begun: Instant,
    /// The number of events in it.
    events: u64,
    /// The number of those that can be read in any case.
    kept: u64,
}

/// The compression of a recording, according to the name of its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compression {
    Plain,
    Gzip,
    Zstd,
}

impl Compression {
    fn of(path: &Path) -> Compression {
        match path.extension().and_then(OsStr::to_str) {
            Some("gz") => Compression::Gzip,
            Some("zst") => Compression::Zstd,
            _ => Compression::Plain,
        }
    }
}

enum Encoder {
    Plain(Counted),
    Gzip(GzEncoder<Counted>),
    Zstd(zstd::Encoder<'static, Counted>),
}

impl std::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Encoder")
    }
}

/// A file that counts its bytes.
#[derive(Debug)]
struct Counted {
    file: File,
    size: Arc<AtomicU64>,
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.size.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Encoder {
    fn new(compression: Compression, file: Counted) -> io::Result<Encoder> {
        Ok(match compression {
            Compression::Plain => Encoder::Plain(file),
            Compression::Gzip => Encoder::Gzip(GzEncoder::new(file, flate2::Compression::fast())),
            Compression::Zstd => {
                Encoder::Zstd(zstd::Encoder::new(file, zstd::DEFAULT_COMPRESSION_LEVEL)?)
            }
        })
    }

    fn writer(&mut self) -> &mut dyn Write {
        match self {
            Encoder::Plain(file) => file,
            Encoder::Gzip(encoder) => encoder,
            Encoder::Zstd(encoder) => encoder,
        }
    }

    /// Writes the end of the compressed data.
    fn finish(&mut self) -> io::Result<()> {
        match self {
            Encoder::Plain(_) => Ok(()),
            Encoder::Gzip(encoder) => encoder.try_finish(),
            Encoder::Zstd(encoder) => encoder.do_finish(),
        }
    }
}

impl Recorder {
    /// Creates the first file.
    ///
    /// # Errors
    /// It can't be created.
    pub fn new(settings: Settings) -> io::Result<Recorder> {
        let compression = Compression::of(&settings.path);
        let place = Place::of(&settings.path, NamedBy::User)?;
        let path = settings.path.clone();
        let current = Current::begin(place, path, compression, &settings)?;
        let state = Arc::new(Mutex::new(State {
            settings,
            compression,
            current,
            earlier: VecDeque::new(),
            count: 1,
            failed: None,
        }));
        let flusher = (compression != Compression::Plain).then(|| flush_regularly(&state));
        Ok(Recorder {
            state,
            _flusher: flusher,
        })
    }

    /// Records events, each on a line.
    ///
    /// # Errors
    /// The recording can't go on.
    pub fn write(&self, lines: &[u8]) -> Result<(), Failure> {
        let mut state = self.lock();
        if let Some(failed) = state.failed.take() {
            return Err(failed);
        }
        state.write(lines)
    }

    /// Ends the recording.
    ///
    /// # Errors
    /// Its last part couldn't be written.
    pub fn finish(self) -> Result<(), Failure> {
        let mut state = self.lock();
        if let Some(failed) = state.failed.take() {
            return Err(failed);
        }
        state.finish()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Flushes compressed data at an interval, also while the writer waits for a reader of its other output, until the
/// sender is dropped.
fn flush_regularly(state: &Arc<Mutex<State>>) -> Sender<()> {
    let (sender, receiver) = channel();
    let state = Arc::downgrade(state);
    thread::spawn(move || {
        while receiver.recv_timeout(FLUSH_EVERY) == Err(RecvTimeoutError::Timeout)
            && let Some(state) = state.upgrade()
        {
            let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
            if state.failed.is_none()
                && let Err(error) = state.current.flush()
            {
                state.failed = Some(state.failure(error));
            }
        }
    });
    sender
}

impl State {
    fn write(&mut self, mut lines: &[u8]) -> Result<(), Failure> {
        if let Some(Rotate::Time(time)) = self.settings.rotate
            && !lines.is_empty()
            && self.current.begun.elapsed() >= time
        {
            self.rotate()?;
        }
        let Some(Rotate::Size(max)) = self.settings.rotate else {
            return self
                .current
                .write(lines)
                .map_err(|error| self.failure(error));
        };
        while !lines.is_empty() {
            let fitting = self.current.fitting(lines, max);
            if fitting == 0 {
                self.rotate()?;
                continue;
            }
            let (now, rest) = lines.split_at(fitting);
            self.current
                .write(now)
                .map_err(|error| self.failure(error))?;
            lines = rest;
        }
        Ok(())
    }

    /// Begins the next file.
    fn rotate(&mut self) -> Result<(), Failure> {
        self.finish()?;
        let path = numbered(&self.settings.path, self.count);
        let next = Place::of(&path, NamedBy::Program).and_then(|place| {
            Current::begin(place, path.clone(), self.compression, &self.settings)
        });
        let next = next.map_err(|error| Failure {
            path,
            ..self.failure(error)
        })?;
        self.count += 1;
        let last = std::mem::replace(&mut self.current, next);
        self.earlier.push_back((last.place, last.events));
        // The current one counts.
        while self
            .settings
            .keep
            .is_some_and(|keep| self.earlier.len() >= keep)
            && let Some((place, _)) = self.earlier.pop_front()
        {
            match place.remove() {
                // Somebody else has removed it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                removed => removed.map_err(|error| self.failure(error))?,
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Failure> {
        self.current.finish().map_err(|error| self.failure(error))
    }

    fn failure(&self, error: io::Error) -> Failure {
        let earlier = self.earlier.iter().map(|(_, events)| events);
        Failure {
            path: self.current.path.clone(),
            error,
            kept: earlier.sum::<u64>() + self.current.kept,
        }
    }
}

impl Current {
    fn begin(
        place: Place,
        path: PathBuf,
        compression: Compression,
        settings: &Settings,
    ) -> io::Result<Current> {
        if settings.rotate.is_some() {
            // Later files would be put beside a device or a pipe, and `--keep` would remove it.
            place.require_regular()?;
        }
        let file = place.open(&settings.others)?;
        create::empty(&file)?;
        let size = Arc::default();
        let file = Counted {
            file,
            size: Arc::clone(&size),
        };
        Ok(Current {
            place,
            path,
            encoder: Encoder::new(compression, file)?,
            size,
            begun: Instant::now(),
            events: 0,
            kept: 0,
        })
    }

    /// The length of the first lines that fit into a file of this size: at least one into a new file, whatever its
    /// length. How much a compressed line takes isn't known before, so one fits as long as the size isn't reached.
    fn fitting(&self, lines: &[u8], max: u64) -> usize {
        let is_plain = matches!(self.encoder, Encoder::Plain(_));
        let size = self.size.load(Ordering::Relaxed);
        let mut end = 0;
        for newline in memchr::memchr_iter(b'\n', lines) {
            let next = if is_plain {
                size + newline as u64 + 1
            } else {
                size + 1
            };
            if next > max && (end > 0 || self.events > 0) {
                break;
            }
            end = newline + 1;
            if !is_plain {
                break;
            }
        }
        // Without a newline it is a part of a line, which must not go into a new file again and again.
        if end == 0 && self.events == 0 {
            return lines.len();
        }
        end
    }

    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        let events = memchr::memchr_iter(b'\n', lines).count() as u64;
        let before = self.size.load(Ordering::Relaxed);
        let written = self.encoder.writer().write_all(lines);
        if let Encoder::Plain(counted) = &self.encoder {
            match &written {
                Ok(()) => self.kept += events,
                Err(_) => self.kept += cut(counted, before, lines),
            }
        }
        self.events += events;
        written
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.kept < self.events {
            self.encoder.writer().flush()?;
            self.kept = self.events;
        }
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        self.encoder.finish()?;
        self.kept = self.events;
        Ok(())
    }
}

/// Removes a line of which only a part could be written, and returns the number of whole ones.
fn cut(counted: &Counted, before: u64, lines: &[u8]) -> u64 {
    let size = counted.size.load(Ordering::Relaxed);
    let written = usize::try_from(size - before).unwrap_or(usize::MAX);
    let written = &lines[..written.min(lines.len())];
    let whole = memchr::memrchr(b'\n', written).map_or(0, |newline| newline + 1);
    // A pipe or a device has no length. A reader of a recording takes a cut last line for what it is.
    let _ = counted.file.set_len(before + whole as u64);
    memchr::memchr_iter(b'\n', &written[..whole]).count() as u64
}

/// The name of a later file: `hour.1.jsonl` after `hour.jsonl`, `hour.1.jsonl.zst` after `hour.jsonl.zst`.
fn numbered(path: &Path, number: u64) -> PathBuf {
    let ending = |name: &mut PathBuf| -> Option<OsString> {
        let extension = name.extension()?.to_owned();
        name.set_extension("");
        Some(extension)
    };
    let mut stem = PathBuf::from(path.file_name().unwrap_or_default());
    let compression = match Compression::of(path) {
        Compression::Plain => None,
        _ => ending(&mut stem),
    };
    let kind = ending(&mut stem);
    let mut name = stem.into_os_string();
    name.push(format!(".{number}"));
    for ending in [kind, compression].into_iter().flatten() {
        name.push(".");
        name.push(ending);
    }
    path.with_file_name(name)
}

impl Failure {
    /// The failure as a message says it, without the name of the file.
    pub fn message(&self) -> String {
        let events = if self.kept == 1 { "event" } else { "events" };
        format!(
            "{}; {} {events} kept",
            crate::exit::reason(&self.error),
            Count(self.kept)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_have_units() {
        for (text, rotate) in [
            ("500MB", Some(Rotate::Size(500_000_000))),
            ("1.5GB", Some(Rotate::Size(1_500_000_000))),
            ("64KiB", Some(Rotate::Size(1 << 16))),
            ("10M", Some(Rotate::Size(10_000_000))),
            ("10m", Some(Rotate::Time(Duration::from_secs(600)))),
            ("1h", Some(Rotate::Time(Duration::from_secs(3600)))),
            ("250ms", Some(Rotate::Time(Duration::from_millis(250)))),
            ("500", None),
            ("", None),
            ("MB", None),
            ("1.2.3MB", None),
            ("0MB", None),
            ("0s", None),
            ("0.0001B", None),
            ("-1MB", None),
            ("1e3MB", None),
            ("99999999999999999999GB", None),
            ("18446744073709551615GB", None),
        ] {
            assert_eq!(Rotate::parse(text).ok(), rotate, "{text}");
        }
    }

    #[test]
    fn later_files_are_numbered_before_their_endings() {
        for (first, second) in [
            ("hour.jsonl", "hour.1.jsonl"),
            ("/tmp/hour.jsonl.zst", "/tmp/hour.1.jsonl.zst"),
            ("hour.gz", "hour.1.gz"),
            ("a.b.json.gz", "a.b.1.json.gz"),
            ("hour", "hour.1"),
            (".hour", ".hour.1"),
            ("a.d/hour", "a.d/hour.1"),
        ] {
            assert_eq!(numbered(Path::new(first), 1), Path::new(second));
        }
    }
}
