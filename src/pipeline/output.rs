//! The outputs that events are written to.

use std::fs::File;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use crate::exit::{Exit, check_stdout, reason, warn};
use crate::text::escape;

/// The outputs in which events are shown and recorded.
#[derive(Debug)]
pub struct Outputs {
    shown: Output,
    record: Option<Output>,
    has_failed: bool,
}

impl Outputs {
    /// Creates outputs: events are shown in `output`, otherwise on standard output or, beside a command, on standard
    /// error, and are recorded in `record`. No file is created yet.
    pub fn new(output: Option<&Path>, record: Option<&Path>, beside_command: bool) -> Outputs {
        Outputs {
            shown: match output {
                Some(path) => Output::Planned("-o", path.to_owned()),
                None if beside_command => Output::Stderr(io::stderr()),
                None => Output::Stdout(io::stdout()),
            },
            record: record.map(|path| Output::Planned("-w", path.to_owned())),
            has_failed: false,
        }
    }

    /// Creates the files; their previous contents are lost.
    ///
    /// # Errors
    /// A file couldn't be created, which has been reported: the exit status.
    pub fn open(&mut self) -> Result<(), Exit> {
        if let Output::Stdout(_) = &self.shown
            && let Err(error) = check_stdout()
        {
            self.has_failed = true;
            return Err(self.shown.failed(&error, Exit::Failed));
        }
        for output in [Some(&mut self.shown), self.record.as_mut()]
            .into_iter()
            .flatten()
        {
            if let Output::Planned(option, path) = output {
                let name = escape::name(&path);
                match File::create(&path) {
                    Ok(file) => *output = Output::File(file, name),
                    Err(error) => {
                        warn(format_args!("{option} {name}: {}", reason(&error)));
                        self.has_failed = true;
                        return Err(Exit::Usage);
                    }
                }
            }
        }
        Ok(())
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
        self.record.is_some()
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
        for (output, bytes) in [
            (Some(&mut self.shown), text),
            (self.record.as_mut(), record),
        ] {
            if let Some(output) = output
                && let Err(error) = output.write_all(bytes)
            {
                self.has_failed = true;
                return Err(output.failed(&error, exit));
            }
        }
        Ok(())
    }
}

/// An output.
#[derive(Debug)]
enum Output {
    /// Standard output.
    Stdout(io::Stdout),
    /// Standard error.
    Stderr(io::Stderr),
    /// A file that is created when the trace begins, and the option that names it.
    Planned(&'static str, PathBuf),
    /// A file, and its name.
    File(File, String),
}

impl Output {
    /// Its name in messages.
    fn name(&self) -> String {
        match self {
            Output::Stdout(_) => "standard output".to_owned(),
            Output::Stderr(_) => "standard error".to_owned(),
            Output::Planned(_, path) => escape::name(path),
            Output::File(_, name) => name.clone(),
        }
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Output::Stdout(stdout) => stdout.write_all(bytes).and_then(|()| stdout.flush()),
            Output::Stderr(stderr) => stderr.write_all(bytes),
            Output::File(file, _) => file.write_all(bytes),
            // Only files that were opened are written.
            Output::Planned(..) => Ok(()),
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
