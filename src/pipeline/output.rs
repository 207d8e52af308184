//! The outputs that events are written to.

use std::fs::File;
use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};

use super::FileId;
use super::create::{self, NamedBy, Place};
use super::record::{Failure, Recorder, Settings};
use crate::exit::{Exit, Stream, check_stream, reason, warn, write_all};
use crate::text::escape;

/// The outputs in which events are shown and recorded.
#[derive(Debug)]
pub struct Outputs {
    shown: Output,
    record: Record,
    /// The files that are read, which must not be overwritten.
    read: Vec<FileId>,
    has_failed: bool,
}

/// The recording.
#[derive(Debug)]
enum Record {
    None,
    /// It begins when the trace begins.
    Planned(Settings),
    Begun(Recorder),
}

impl Outputs {
    /// Creates outputs: events are shown in `output`, otherwise on standard output or, beside a command, on standard
    /// error, and are recorded as `record` says. No file is created yet. The files `read` are not overwritten.
    pub fn new(
        output: Option<&Path>,
        record: Option<Settings>,
        read: Vec<FileId>,
        beside_command: bool,
    ) -> Outputs {
        Outputs {
            shown: match output {
                Some(path) => Output::Planned(path.to_owned()),
                None if beside_command => Output::Stderr(io::stderr()),
                None => Output::Stdout(io::stdout()),
            },
            record: record.map_or(Record::None, Record::Planned),
            read,
            has_failed: false,
        }
    }

    /// Creates the files. If one can't be created, the other keeps its contents; otherwise previous contents are lost.
    ///
    /// # Errors
    /// A file couldn't be created, which has been reported: the exit status.
    pub fn open(&mut self) -> Result<(), Exit> {
        if let Output::Stdout(_) = &self.shown
            && let Err(error) = check_stream(Stream::Stdout)
        {
            self.has_failed = true;
            return Err(self.shown.failed(&error, Exit::Failed));
        }
        if let Output::Planned(path) = &self.shown {
            let path = path.clone();
            let file = Place::of(&path, NamedBy::User).and_then(|place| place.open(&self.read));
            let file = file.map_err(|error| self.refused("-o", &path, &error))?;
            self.read.extend(FileId::of_stream(&file));
            self.shown = Output::File(file, escape::name(&path));
        }
        if let Record::Planned(settings) = &mut self.record {
            settings.others.append(&mut self.read);
            let settings = settings.clone();
            let path = settings.path.clone();
            let recorder = Recorder::new(settings);
            let recorder = recorder.map_err(|error| self.refused("-w", &path, &error))?;
            self.record = Record::Begun(recorder);
        }
        if let Output::File(file, name) = &self.shown
            && let Err(error) = create::empty(file)
        {
            warn(format_args!("-o {name}: {}", reason(&error)));
            self.has_failed = true;
            return Err(Exit::Usage);
        }
        Ok(())
    }

    /// Reports that a file couldn't be created, and returns the exit status.
    fn refused(&mut self, option: &str, path: &Path, error: &io::Error) -> Exit {
        warn(format_args!(
            "{option} {}: {}",
            escape::name(path),
            reason(error)
        ));
        self.has_failed = true;
        Exit::Usage
    }

    /// Ends the recording, and returns the exit status of a run that had `exit` so far.
    pub fn finish(&mut self, exit: Exit) -> Exit {
        match std::mem::replace(&mut self.record, Record::None) {
            Record::Begun(recorder) => match recorder.finish() {
                Ok(()) => exit,
                Err(failure) => failed(&failure, exit),
            },
            _ => exit,
        }
    }

    /// Returns true if events are shown on a terminal, which acts on control characters.
    pub fn is_terminal(&self) -> bool {
        match &self.shown {
            Output::Stdout(stdout) => stdout.is_terminal(),
            Output::Stderr(stderr) => stderr.is_terminal(),
            _ => false,
        }
    }

    /// Returns true if events are recorded.
    pub fn is_recording(&self) -> bool {
        !matches!(self.record, Record::None)
    }

    /// Returns true if nothing more can be written.
    pub fn has_failed(&self) -> bool {
        self.has_failed
    }

    /// Writes the text that is shown and the text that is recorded.
    ///
    /// # Errors
    /// The text couldn't be written, which has been reported: the exit status of a run that had `exit` so far.
    pub fn write(&mut self, text: &[u8], record: &[u8], exit: Exit) -> Result<(), Exit> {
        if let Err(error) = self.shown.write_all(text) {
            self.has_failed = true;
            return Err(self.shown.failed(&error, exit));
        }
        if let Record::Begun(recorder) = &self.record
            && let Err(failure) = recorder.write(record)
        {
            self.has_failed = true;
            // What it had when it failed is what there is.
            self.record = Record::None;
            return Err(failed(&failure, exit));
        }
        Ok(())
    }
}

/// Reports that a recording can't go on, and returns the exit status of a run that had `exit` so far. A reader that has
/// gone is not a failure.
fn failed(failure: &Failure, exit: Exit) -> Exit {
    if failure.error.kind() == io::ErrorKind::BrokenPipe {
        return exit;
    }
    let name = escape::name(&failure.path);
    warn(format_args!("{name}: {}", failure.message()));
    Exit::Failed
}

/// An output.
#[derive(Debug)]
enum Output {
    /// Standard output.
    Stdout(io::Stdout),
    /// Standard error.
    Stderr(io::Stderr),
    /// A file that is created when the trace begins.
    Planned(PathBuf),
    /// A file, and its name.
    File(File, String),
}

impl Output {
    /// Its name in messages.
    fn name(&self) -> String {
        match self {
            Output::Stdout(_) => "standard output".to_owned(),
            Output::Stderr(_) => "standard error".to_owned(),
            Output::Planned(path) => escape::name(path),
            Output::File(_, name) => name.clone(),
        }
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Output::Stdout(stdout) => write_all(stdout, bytes),
            Output::Stderr(stderr) => write_all(stderr, bytes),
            Output::File(file, _) => write_all(file, bytes),
            // Only files that were opened are written.
            Output::Planned(_) => Ok(()),
        }
    }

    /// The exit status after writing has failed. A reader that has gone is not a failure.
    fn failed(&self, error: &io::Error, exit: Exit) -> Exit {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return exit;
        }
        warn(format_args!("{}: {}", self.name(), reason(error)));
        Exit::Failed
    }
}
