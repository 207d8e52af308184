//! proctracer: a process tracer for macOS on EndpointSecurity.
//!
//! The way of an event:
//!
//! ```text
//! source  ->  Event, borrowed  ->  filter  ->  format  ->  destination
//! ```
//!
//! - [`catalogue`] declares every event in one row; [`tables`] has the flags and enumerations by name.
//! - [`source`] reads messages and makes [`event::Event`]s of them by the catalogue's rows.
//! - [`filter`] says which are let through, [`format`] how they look; [`escape`] makes text safe to print.
//! - [`printer`] shows and records an event with these; [`redact`] takes secrets out.
//! - [`output`] is where it goes; [`loss`] tells what is missing.
//! - [`cli`] has the options as typed, [`config`] checked and resolved; [`run`] reads recordings,
//!   [`live`] traces what happens now.

mod catalogue;
mod cli;
mod clock;
mod config;
#[cfg(any(target_os = "macos", test))]
mod doctor;
mod escape;
mod event;
mod exit;
mod explain;
mod filter;
mod format;
mod live;
mod loss;
mod output;
mod printer;
#[cfg(any(target_os = "macos", test))]
mod queue;
mod redact;
#[cfg(any(target_os = "macos", test))]
mod refusal;
mod run;
mod source;
mod tables;

use std::io::{self, Write as _};

use clap::{CommandFactory as _, Parser as _};

use cli::Cli;
use config::Task;
use exit::{Exit, reason, warn};

fn main() -> Exit {
    let help = std::env::args_os().len() <= 1;
    if help {
        return print(&Cli::command().render_help().to_string());
    }
    let cli = Cli::parse();
    match Task::new(&cli) {
        Ok(Task::ListEvents) => print(&explain::list()),
        Ok(Task::Explain(row)) => print(&explain::explain(row)),
        Ok(Task::Doctor) => live::doctor(),
        Ok(Task::Read(inputs, printing)) => run::read(inputs, printing),
        Ok(Task::Trace(source, printing)) => live::trace(source, printing),
        Err(error) => {
            warn(format_args!("{error:#}"));
            Exit::Usage
        }
    }
}

/// Prints text that is not events.
fn print(text: &str) -> Exit {
    match io::stdout()
        .write_all(text.as_bytes())
        .and_then(|()| io::stdout().flush())
    {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            warn(format_args!("standard output: {}", reason(&error)));
            Exit::Failed
        }
        _ => Exit::Done,
    }
}
