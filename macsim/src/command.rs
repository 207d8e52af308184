//! The command line.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::note::note;
use crate::settings::Settings;
use crate::{bench, eslogger, live, loader, session, settings, universal};

/// Runs the macOS program on Linux, on a simulation of EndpointSecurity
#[derive(Parser)]
#[command(name = "macsim", version, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run a macOS executable for Intel, universal or not
    Run {
        #[command(flatten)]
        settings: Box<Settings>,
        /// The executable and its arguments
        #[arg(
            required = true,
            trailing_var_arg = true,
            allow_hyphen_values = true,
            value_name = "PROGRAM"
        )]
        program: Vec<OsString>,
        /// The name that the program finds as its first argument, where it isn't the path
        #[arg(long, hide = true, value_name = "NAME", allow_hyphen_values = true)]
        argv0: Option<OsString>,
    },
    /// Run a Linux program, such as a shell, in whose place and below which macOS programs run and are seen
    Session {
        #[command(flatten)]
        settings: Box<Settings>,
        /// The program and its arguments
        #[arg(
            required = true,
            trailing_var_arg = true,
            allow_hyphen_values = true,
            value_name = "PROGRAM"
        )]
        program: Vec<OsString>,
    },
    /// Stand in for /usr/bin/eslogger; so does macsim under the name eslogger
    Eslogger {
        /// eslogger's own arguments
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
    /// Join executables of different architectures, as lipo -create does
    Universal {
        /// The file to write
        out: PathBuf,
        /// The files to join
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Measure what the simulation itself costs
    Bench {
        /// Messages in eslogger's JSON
        events: PathBuf,
        /// The number of times to deliver them
        #[arg(long, default_value_t = 5000)]
        repeat: u64,
    },
}

/// Does what the command line says.
pub fn main() -> ExitCode {
    let mut args = std::env::args_os();
    let name = PathBuf::from(args.next().unwrap_or_default());
    match name.file_name().and_then(OsStr::to_str) {
        Some("eslogger") => return eslogger::main(args.collect()),
        Some("id") => return session::id(&args.collect::<Vec<_>>()),
        Some("sudo") => return session::sudo(args.collect()),
        _ => {}
    }
    match Cli::parse().command {
        Command::Run {
            settings,
            program,
            argv0,
        } => {
            if let Err(reason) = begin(*settings, &program) {
                note(format_args!("{reason}"));
            }
            match loader::run(&program, argv0) {
                Ok(never) => match never {},
                Err(reason) => failed(&reason),
            }
        }
        Command::Session { settings, program } => match begin(*settings, &program) {
            Ok(()) => failed(&session::execute(&program)),
            Err(reason) => failed(&reason),
        },
        Command::Eslogger { args } => eslogger::main(args),
        Command::Universal { out, files } => match universal::join(&out, &files) {
            Ok(()) => ExitCode::SUCCESS,
            Err(reason) => failed(&reason),
        },
        Command::Bench { events, repeat } => bench::run(&events, repeat),
    }
}

/// Sets the settings and starts the kernel.
fn begin(settings: Settings, program: &[OsString]) -> Result<(), String> {
    // What the program starts, such as a stand-in for eslogger, runs on the same system.
    // SAFETY: no other thread runs yet.
    unsafe {
        std::env::set_var("MACSIM_MACOS", settings.macos.to_string());
        std::env::set_var("MACSIM_EUID", settings.euid.to_string());
    }
    settings::set(settings);
    live::start(&PathBuf::from(&program[0]))
}

fn failed(reason: &str) -> ExitCode {
    note(format_args!("{reason}"));
    ExitCode::from(2)
}
