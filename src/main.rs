//! The program: parses the options and dispatches.

use std::io::{self, IsTerminal, Write as _};

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory as _, Parser as _};
use proctracer::cli::{self, Cli, Generate, run_if_asked};
use proctracer::config::Task;
use proctracer::exit::{self, Exit, print, warn};
use proctracer::model::explain;
#[cfg(target_os = "macos")]
use proctracer::source::command;
use proctracer::source::recording::Recordings;
use proctracer::text::escape;
use proctracer::{live, pipeline};

ctor::declarative::ctor! {
    // SAFETY: what may be called before `main` is limited. This asks the system about three descriptors, and sets an atomic.
    #[ctor(unsafe)]
    fn before_main() {
        exit::note_closed_streams();
    }
}

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
    run_if_asked();
    let help = std::env::args_os().len() <= 1;
    if help {
        return print(&Cli::command().render_help().to_string());
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return explain_usage(error),
    };
    if let Some(what) = cli.generate {
        return generate(what);
    }
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

/// Prints the help or the version, or the error in the options, with anything typed made safe for a terminal.
fn explain_usage(mut error: clap::Error) -> Exit {
    let help = matches!(
        error.kind(),
        ErrorKind::DisplayHelp
            | ErrorKind::DisplayVersion
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    );
    if help {
        let text = error.render();
        return print(&if is_coloured(&io::stdout()) {
            text.ansi().to_string()
        } else {
            text.to_string()
        });
    }
    make_safe(&mut error);
    let text = error.render();
    // Nobody is left to be warned if this fails.
    let _ = if is_coloured(&io::stderr()) {
        write!(io::stderr(), "{}", text.ansi())
    } else {
        write!(io::stderr(), "{text}")
    };
    Exit::Usage
}

/// Escapes anything typed that an error shows.
fn make_safe(error: &mut clap::Error) {
    let mut safe = Vec::new();
    for (kind, value) in error.context() {
        let typed = match value {
            ContextValue::String(text) => std::slice::from_ref(text),
            ContextValue::Strings(texts) => texts,
            _ => continue,
        };
        let escaped: Vec<_> = typed.iter().map(escape::name).collect();
        if escaped != typed {
            let value = match value {
                ContextValue::String(_) => ContextValue::String(escaped.concat()),
                _ => ContextValue::Strings(escaped),
            };
            safe.push((kind, value));
        }
    }
    if !safe.is_empty() {
        // Tips repeat what was typed as styled text, which can't be distinguished from clap's own.
        safe.push((ContextKind::Suggested, ContextValue::None));
    }
    for (kind, value) in safe {
        error.insert(kind, value);
    }
}

/// Returns true if a person reads the stream and wants colours.
fn is_coloured(stream: &impl IsTerminal) -> bool {
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    stream.is_terminal() && !no_color
}

/// Prints the man page or the set-up of completions.
fn generate(what: Generate) -> Exit {
    let made = match what {
        Generate::Man => cli::page(),
        shell => cli::register(shell),
    };
    match made {
        Ok(text) => print(&String::from_utf8_lossy(&text)),
        Err(error) => {
            warn(format_args!("{}", exit::reason(&error)));
            Exit::Failed
        }
    }
}
