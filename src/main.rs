//! The program: parses the options and dispatches.

use std::io::{self, Write as _};

use clap::{CommandFactory as _, Parser as _};
use proctracer::cli::Cli;
use proctracer::config::Task;
use proctracer::exit::{Exit, reason, warn};
use proctracer::model::explain;
#[cfg(target_os = "macos")]
use proctracer::source::command;
use proctracer::source::recording::Recordings;
use proctracer::{live, pipeline};

fn main() -> Exit {
    #[cfg(target_os = "macos")]
    if std::env::args_os()
        .nth(1)
        .is_some_and(|first| first == command::HELPER)
    {
        let not_started = command::become_user_and_execute(std::env::args_os().skip(2).collect());
        warn(format_args!("{}", not_started.reason));
        return Exit::Command(not_started.status);
    }
    let help = std::env::args_os().len() <= 1;
    if help {
        return print(&Cli::command().render_help().to_string());
    }
    let cli = Cli::parse();
    match Task::new(&cli) {
        Ok(Task::ListEvents) => print(&explain::list()),
        Ok(Task::Explain(row)) => print(&explain::explain(row)),
        Ok(Task::Doctor) => match live::doctor() {
            Ok((report, exit)) => match print(&report) {
                Exit::Done => exit,
                failed => failed,
            },
            Err(exit) => exit,
        },
        Ok(Task::Read(inputs, run)) => pipeline::run(Recordings::new(inputs, run.need()), run),
        Ok(Task::Command {
            choice,
            command,
            user,
            run,
        }) => live::command(choice, &command, user.as_deref(), run),
        Ok(Task::Trace {
            choice,
            include_self,
            run,
        }) => live::trace(choice, include_self, run),
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
