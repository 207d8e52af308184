//! The options, checked and resolved.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use same_file::is_same_file;

use crate::catalogue::Row;
use crate::cli::{Cli, Color, Format, Source};
use crate::clock::Clock;
use crate::escape;
use crate::exit::{Exit, reason};
use crate::filter::{self, Filter, Selection, Tree};
use crate::format::{self, Palette};
use crate::output::Output;
use crate::printer::Printer;
#[cfg(target_os = "macos")]
use crate::source::native;
use crate::source::recording::{Decoder, Input};

/// What the program is to do.
#[derive(Debug)]
pub enum Task {
    /// Print every event of the catalogue.
    ListEvents,
    /// Explain an event.
    Explain(&'static Row),
    /// Tell what a live trace takes, and what of it is missing.
    Doctor,
    /// Print the events of recordings.
    Read(Vec<Input>, Printing),
    /// Print events as they happen.
    Trace(Source, Printing),
}

/// Which events are printed, how, and where.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "an option without a value is one"
)]
pub struct Printing {
    /// What is let through.
    pub filter: Filter,
    /// Where it goes.
    pub output: Output,
    /// Whether a run in which events were lost has failed.
    pub fail_on_drop: bool,
    /// Where it is recorded.
    record: Option<Output>,
    /// Whether a live trace shows what the program and its pipeline do, too.
    #[cfg_attr(
        not(target_os = "macos"),
        expect(dead_code, reason = "a live trace takes macOS")
    )]
    pub include_self: bool,
    format: Format,
    env: bool,
    redact: bool,
    utc: bool,
    palette: Palette,
    terminal: bool,
}

impl Task {
    /// What the options ask for.
    ///
    /// # Errors
    /// They are wrong.
    pub fn new(cli: &Cli) -> anyhow::Result<Task> {
        if cli.list_events {
            return Ok(Task::ListEvents);
        }
        if cli.doctor {
            return Ok(Task::Doctor);
        }
        if let Some(name) = &cli.explain {
            return filter::named(name).map(Task::Explain);
        }
        let selection = Selection::parse(&cli.events)?;
        let is_live = cli.read.is_empty();
        let tree = if is_live { Tree::live } else { Tree::recorded };
        let images = cli
            .path
            .iter()
            .map(|path| tree(path).with_context(|| format!("-p {}", escape::name(path))));
        let filter = Filter {
            selection,
            images: images.collect::<anyhow::Result<_>>()?,
            left_out: Vec::new(),
        };
        let inputs = inputs(cli)?;
        let printing = Printing::new(cli, filter)?;
        Ok(if is_live {
            Task::Trace(cli.source, printing)
        } else {
            Task::Read(inputs, printing)
        })
    }
}

fn inputs(cli: &Cli) -> anyhow::Result<Vec<Input>> {
    let input = |path: &PathBuf| match path {
        path if path == Path::new("-") => Input::Stdin,
        path => Input::File(path.clone()),
    };
    let mut inputs: Vec<_> = cli.read.iter().map(input).collect();
    if cli.follow_file
        && let Some(last) = inputs.last_mut()
    {
        match last {
            Input::File(path) => *last = Input::Followed(std::mem::take(path)),
            _ => bail!("--follow-file takes a file: standard input is read as it comes anyway"),
        }
    }
    Ok(inputs)
}

impl Printing {
    fn new(cli: &Cli, filter: Filter) -> anyhow::Result<Printing> {
        let output = match &cli.output {
            Some(path) => create(cli, "-o", path)?,
            None => Output::Stdout(io::stdout()),
        };
        let record = cli.write.as_deref();
        if record == Some(Path::new("-")) {
            bail!("-w - makes no sense: -F json prints the events as they are recorded");
        }
        let terminal = output.is_terminal();
        let colour = match cli.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => {
                terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            }
        };
        let record = record.map(|path| create(cli, "-w", path)).transpose()?;
        Ok(Printing {
            filter,
            output,
            fail_on_drop: cli.fail_on_drop,
            record,
            include_self: cli.include_self,
            format: cli.format,
            env: cli.env,
            redact: cli.redact,
            utc: cli.utc,
            palette: Palette(colour),
            terminal,
        })
    }

    /// What shows and records an event.
    pub fn printer(&self) -> Printer {
        let clock = Clock::new(self.utc);
        let format: Box<dyn format::Format> = match self.format {
            Format::Text => Box::new(format::Text::new(clock, self.palette, self.redact)),
            Format::Line => Box::new(format::Line::new(clock, self.palette, self.redact)),
            Format::Json => Box::new(self.json(self.terminal)),
        };
        Printer {
            filter: self.filter.clone(),
            format,
            recorder: self.record.is_some().then(|| self.json(false)),
        }
    }

    fn json(&self, terminal: bool) -> format::Json {
        format::Json {
            terminal,
            redact: self.redact,
        }
    }

    /// What reads the members of a message that are shown.
    #[cfg(target_os = "macos")]
    pub fn native_decoder(&self) -> native::Decoder {
        native::Decoder {
            env: self.env,
            json: self.format == Format::Json || self.record.is_some(),
        }
    }

    /// What reads the members that the format shows.
    pub fn decoder(&self) -> Decoder {
        Decoder {
            env: self.env,
            redact: self.redact,
        }
    }

    /// Writes what was shown and what was recorded.
    ///
    /// # Errors
    /// It couldn't be written, which has been told: the exit status of a run that had `exit` so far.
    pub fn write(&mut self, text: &[u8], record: &[u8], exit: Exit) -> Result<(), Exit> {
        for (output, bytes) in [
            (Some(&mut self.output), text),
            (self.record.as_mut(), record),
        ] {
            if let Some(output) = output
                && let Err(error) = output.write_all(bytes)
            {
                return Err(output.failed(&error, exit));
            }
        }
        Ok(())
    }
}

/// Creates a file to write to, unless that would overwrite what is read or written otherwise.
fn create(cli: &Cli, option: &str, path: &Path) -> anyhow::Result<Output> {
    let is_same = |other: &&PathBuf| is_same_file(other, path).unwrap_or(false);
    if let Some(read) = cli.read.iter().find(is_same) {
        bail!(
            "{option} {} would overwrite -r {}",
            escape::name(path),
            escape::name(read)
        );
    }
    if option == "-w" && cli.output.iter().any(|output| is_same(&output)) {
        bail!("-o and -w {} are the same file", escape::name(path));
    }
    Output::create(path)
        .map_err(|error| anyhow!("{option} {}: {}", escape::name(path), reason(&error)))
}
