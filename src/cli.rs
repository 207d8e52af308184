//! The options, as typed.

#![allow(
    clippy::doc_markdown,
    reason = "the comments of options are their help texts"
)]
#![allow(
    clippy::struct_excessive_bools,
    reason = "an option without a value is one"
)]

use std::path::PathBuf;

use clap::{ArgAction, Parser, ValueEnum};

use crate::format::Kind;
use crate::live::Choice;

/// Trace what happens on a Mac: processes, files, log-ins and more, from EndpointSecurity.
#[derive(Debug, Parser)]
#[command(version, about, max_term_width = 100, after_help = EXAMPLES)]
pub struct Cli {
    /// The events to show: names, patterns (od_*), classes (%file) or all, separated by commas and read
    /// from left to right; a leading - or ! removes. A list that starts with a removal starts from all
    #[arg(short, long, value_name = "LIST", allow_hyphen_values = true)]
    pub events: Vec<String>,

    /// Show processes whose executable is PATH or lies under it; again for more
    #[arg(short, long, value_name = "PATH")]
    pub path: Vec<PathBuf>,

    /// Read a recording in eslogger's JSON instead of tracing: a file, plain or compressed with gzip or
    /// zstd, or - for standard input; again for more
    #[arg(short, long, value_name = "FILE")]
    pub read: Vec<PathBuf>,

    /// Go on with the last FILE that is read as it grows, and with what takes its place
    #[arg(long, requires = "read")]
    pub follow_file: bool,

    /// Where the events of a live trace come from
    #[arg(
        long,
        value_name = "SOURCE",
        value_enum,
        default_value_t,
        conflicts_with = "read"
    )]
    pub source: Choice,

    /// In a live trace, also show what the program itself does, and those in the pipeline with it
    #[arg(long)]
    pub include_self: bool,

    /// How events are printed
    #[arg(short = 'F', long, value_name = "FORMAT", value_enum, default_value_t)]
    pub format: Kind,

    /// Write to FILE instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Record the events that are shown in FILE, too, as JSON that -r reads
    #[arg(short, long, value_name = "FILE")]
    pub write: Option<PathBuf>,

    /// Replace the values of environment variables, which hold secrets, in whatever is shown or recorded
    #[arg(long)]
    pub redact: bool,

    /// Exit with status 3 if events are missing by their sequence numbers, and nothing worse happened
    #[arg(long)]
    pub fail_on_drop: bool,

    /// Show the environment of programs that are run, too
    #[arg(long)]
    pub env: bool,

    /// Show times in UTC instead of the local time zone
    #[arg(long)]
    pub utc: bool,

    /// Colour the output
    #[arg(long, value_name = "WHEN", value_enum, default_value_t)]
    pub color: Color,

    /// Tell what a live trace takes, what of it is missing here, and how to mend that
    #[arg(long)]
    pub doctor: bool,

    /// List every event: its classes, the first macOS that has it, and what it is
    #[arg(long, action = ArgAction::SetTrue)]
    pub list_events: bool,

    /// Explain an event: its members, and when it comes and when it doesn't
    #[arg(long, value_name = "EVENT")]
    pub explain: Option<String>,
}

/// When to use colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

const EXAMPLES: &str = "\
Examples:
  sudo proctracer -e exec,open                  what runs on this Mac, and what is opened
  sudo eslogger exec | proctracer -r -          what macOS's own tool sees, readable
  proctracer -r hour.jsonl -e open,close,fork   these events of a recording
  proctracer -r hour.jsonl -e all,-mprotect -p /Users/test
  proctracer -r hour.jsonl.gz -F line | grep LaunchAgents

Exit status: 0 done, 1 something failed or a line of the input was damaged, 2 wrong usage,
3 events are missing and --fail-on-drop was given, 4 macOS doesn't permit a live trace.";
