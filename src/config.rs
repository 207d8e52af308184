//! The options, checked and resolved.

use std::io;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::catalogue::{self, ROWS, Row};
use crate::cli::{Cli, Color, Format, Source};
use crate::clock::Clock;
use crate::filter::{Filter, Selection, Tree, suggest};
use crate::format::{self, Palette};
use crate::output::Output;
use crate::source::recording::{Decoder, Input};

/// What the program is to do.
#[derive(Debug)]
pub enum Task {
    /// Print every event of the catalogue.
    ListEvents,
    /// Explain an event.
    Explain(&'static Row),
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
    format: Format,
    env: bool,
    utc: bool,
    palette: Palette,
    terminal: bool,
}

impl Task {
    /// What the options ask for.
    ///
    /// # Errors
    /// They are wrong.
    pub fn new(cli: &Cli) -> Result<Task> {
        if cli.list_events {
            return Ok(Task::ListEvents);
        }
        if let Some(name) = &cli.explain {
            let Some(row) = catalogue::by_name(name.as_bytes()) else {
                bail!(
                    "unknown event '{name}'{}; --list-events prints them all",
                    suggest(name, ROWS.iter().map(|row| row.name))
                );
            };
            return Ok(Task::Explain(row));
        }
        let selection = Selection::parse(&cli.events)?;
        let is_live = cli.read.is_empty();
        let tree = if is_live { Tree::live } else { Tree::recorded };
        let images = cli
            .path
            .iter()
            .map(|path| tree(path).with_context(|| format!("-p {}", path.display())));
        let filter = Filter {
            selection,
            images: images.collect::<Result<_>>()?,
        };
        let printing = Printing::new(cli, filter)?;
        if is_live {
            return Ok(Task::Trace(cli.source, printing));
        }
        let inputs = cli.read.iter().map(|path| input(path)).collect();
        Ok(Task::Read(inputs, printing))
    }
}

fn input(path: &Path) -> Input {
    if path == Path::new("-") {
        Input::Stdin
    } else {
        Input::File(path.to_owned())
    }
}

impl Printing {
    fn new(cli: &Cli, filter: Filter) -> Result<Printing> {
        let output = match &cli.output {
            Some(path) => Output::create(path).with_context(|| format!("-o {}", path.display()))?,
            None => Output::Stdout(io::stdout()),
        };
        let terminal = output.is_terminal();
        let colour = match cli.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => {
                terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            }
        };
        Ok(Printing {
            filter,
            output,
            fail_on_drop: cli.fail_on_drop,
            format: cli.format,
            env: cli.env,
            utc: cli.utc,
            palette: Palette(colour),
            terminal,
        })
    }

    /// The format.
    pub fn format(&self) -> Box<dyn format::Format> {
        let clock = Clock::new(self.utc);
        match self.format {
            Format::Text => Box::new(format::Text::new(clock, self.palette)),
            Format::Line => Box::new(format::Line::new(clock, self.palette)),
            Format::Json => Box::new(format::Json {
                terminal: self.terminal,
            }),
        }
    }

    /// What reads the members that the format shows.
    pub fn decoder(&self) -> Decoder {
        Decoder { env: self.env }
    }
}
