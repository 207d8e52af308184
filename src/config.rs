//! The options, checked and resolved.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use same_file::is_same_file;

use crate::cli::{Cli, Color};
use crate::format::{Palette, Style};
use crate::live::Choice;
use crate::model::catalogue::Row;
use crate::pipeline::{Outputs, Run};
use crate::select::{self, Filter, Selection, Tree};
use crate::source::recording::Input;
use crate::text::escape;

/// What the program is to do.
pub enum Task {
    /// Print every event of the catalogue.
    ListEvents,
    /// Explain an event.
    Explain(&'static Row),
    /// Check what a live trace needs.
    Doctor,
    /// Show the events of recordings.
    Read(Vec<Input>, Run),
    /// Show events as they happen.
    Trace {
        /// Where they come from.
        choice: Choice,
        /// True if what the program itself and its pipeline do is shown, too.
        include_self: bool,
        /// What becomes of them.
        run: Run,
    },
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
            return select::named(name).map(Task::Explain);
        }
        let filter = filter(cli)?;
        let inputs = inputs(cli)?;
        let outputs = outputs(cli)?;
        let style = style(cli, outputs.is_terminal());
        let run = Run {
            filter,
            style,
            outputs,
            stages: Vec::new(),
            fail_on_drop: cli.fail_on_drop,
        };
        Ok(if cli.read.is_empty() {
            Task::Trace {
                choice: cli.source,
                include_self: cli.include_self,
                run,
            }
        } else {
            Task::Read(inputs, run)
        })
    }
}

fn filter(cli: &Cli) -> anyhow::Result<Filter> {
    let tree = if cli.read.is_empty() {
        Tree::live
    } else {
        Tree::recorded
    };
    let images = cli
        .path
        .iter()
        .map(|path| tree(path).with_context(|| format!("-p {}", escape::name(path))));
    Ok(Filter {
        selection: Selection::parse(&cli.events)?,
        images: images.collect::<anyhow::Result<_>>()?,
        left_out: Vec::new(),
    })
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

fn style(cli: &Cli, terminal: bool) -> Style {
    let colour = match cli.color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => {
            terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        }
    };
    Style {
        kind: cli.format,
        utc: cli.utc,
        palette: Palette(colour),
        env: cli.env,
        redact: cli.redact,
        terminal,
    }
}

fn outputs(cli: &Cli) -> anyhow::Result<Outputs> {
    let record = cli.write.as_deref();
    if record == Some(Path::new("-")) {
        bail!("-w - makes no sense: -F json prints the events as they are recorded");
    }
    for (option, path) in [("-o", cli.output.as_deref()), ("-w", record)] {
        if let Some(path) = path {
            check_output(cli, option, path)?;
        }
    }
    Ok(Outputs::new(cli.output.as_deref(), record))
}

/// Refuses a file to write to that would overwrite what is read or written otherwise.
fn check_output(cli: &Cli, option: &str, path: &Path) -> anyhow::Result<()> {
    let is_same = |other: &&PathBuf| *other == path || is_same_file(other, path).unwrap_or(false);
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
    Ok(())
}
