//! The options, as typed; completions and the man page, which are made from the same definitions.

#![allow(
    clippy::doc_markdown,
    rustdoc::broken_intra_doc_links,
    reason = "the comments of options are their help texts"
)]
#![allow(
    clippy::struct_excessive_bools,
    reason = "an option without a value is one"
)]

mod complete;
mod man;

pub use complete::{register, run_if_asked};
pub use man::page;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgAction, ArgGroup, Parser, ValueEnum};
use clap_complete::engine::ArgValueCompleter;

use crate::format::{Kind, TimeStyle};
use crate::live::Choice;
use crate::report::{By, CountBy, NestBy, SortBy};

/// Trace what happens on a Mac: processes, files, log-ins and more, from EndpointSecurity.
#[derive(Clone, Debug, Parser)]
#[command(version, about, max_term_width = 100, after_help = SHORT, after_long_help = EXAMPLES, override_usage = USAGE)]
#[command(disable_help_flag = true, disable_version_flag = true)]
#[command(group = ArgGroup::new("reports").multiple(true))]
pub struct Cli {
    /// Trace COMMAND and everything it starts
    ///
    /// The trace goes to standard error, so that COMMAND's output stays its own; -o FILE writes it elsewhere. The exit
    /// status is COMMAND's: 128+n if signal n ended it, 127 if it was not found, 126 if it could not be executed. Under
    /// sudo it runs as the user who called sudo. -p, --name, -P and the like narrow what is shown of it
    #[arg(trailing_var_arg = true, value_name = "COMMAND", conflicts_with_all = ["read", "doctor", "list_events", "explain"], help_heading = "Tracing", hide_short_help = true)]
    pub command: Vec<OsString>,

    /// Run COMMAND as this user instead of the one who called sudo
    #[arg(
        short = 'u',
        long,
        value_name = "USER",
        requires = "command",
        help_heading = "Tracing"
    )]
    pub run_as: Option<String>,

    /// Show a recording instead of tracing; - for standard input; again for more
    ///
    /// A recording is eslogger's JSON, plain or compressed
    #[arg(short, long, value_name = "FILE", help_heading = "Tracing")]
    pub read: Vec<PathBuf>,

    /// Keep reading the last FILE as it grows, and the file that takes its place
    #[arg(
        long,
        requires = "read",
        help_heading = "Tracing",
        hide_short_help = true
    )]
    pub follow_file: bool,

    /// Take the events of a live trace from SOURCE
    #[arg(
        long,
        value_name = "SOURCE",
        value_enum,
        default_value_t,
        conflicts_with = "read",
        help_heading = "Tracing",
        hide_short_help = true
    )]
    pub source: Choice,

    /// In a live trace, also show what the program itself does, and those in the pipeline with it
    #[arg(long, help_heading = "Tracing", hide_short_help = true)]
    pub include_self: bool,

    /// End a live trace after this time: 30s, 5m, 1.5h
    #[arg(
        long,
        value_name = "TIME",
        help_heading = "Tracing",
        hide_short_help = true
    )]
    pub duration: Option<String>,

    /// End after N shown events
    #[arg(short = 'n', long, value_name = "N", help_heading = "Tracing")]
    pub limit: Option<u64>,

    /// Show these events: names, patterns (od_*), classes (%file), all; - removes
    ///
    /// The list is separated by commas and read from left to right; a leading - or ! removes. A list that starts with a
    /// removal starts from all. Names are also understood as in Apple's headers (ES_EVENT_TYPE_NOTIFY_EXEC). Without
    /// -e: all events
    #[arg(short, long, value_name = "LIST", allow_hyphen_values = true, add = ArgValueCompleter::new(complete::events), help_heading = "Selecting")]
    pub events: Vec<String>,

    /// Show processes whose executable is PATH or lies under it; again for more
    #[arg(short, long, value_name = "PATH", help_heading = "Selecting")]
    pub path: Vec<PathBuf>,

    /// Show processes with one of these pids
    #[arg(
        long,
        value_name = "PID,…",
        value_delimiter = ',',
        help_heading = "Selecting"
    )]
    pub pid: Vec<i32>,

    /// Show processes whose executable's last component matches: zsh, 'Google Chrome*'
    #[arg(long, value_name = "GLOB,…", help_heading = "Selecting")]
    pub name: Vec<String>,

    /// Show processes of these effective users, by name or number
    #[arg(
        long,
        value_name = "USER,…",
        value_delimiter = ',',
        help_heading = "Selecting",
        hide_short_help = true
    )]
    pub user: Vec<String>,

    /// Show processes signed by these teams; '' stands for none
    #[arg(
        long,
        value_name = "ID,…",
        value_delimiter = ',',
        help_heading = "Selecting",
        hide_short_help = true
    )]
    pub team: Vec<String>,

    /// Show processes whose signing identifier matches: 'com.apple.*'
    #[arg(
        long,
        value_name = "GLOB,…",
        help_heading = "Selecting",
        hide_short_help = true
    )]
    pub signing_id: Vec<String>,

    /// Show only Apple's own processes, those that are part of macOS
    #[arg(long, help_heading = "Selecting", hide_short_help = true)]
    pub platform: bool,

    /// Show only processes that are not part of macOS
    #[arg(
        long,
        conflicts_with = "platform",
        help_heading = "Selecting",
        hide_short_help = true
    )]
    pub no_platform: bool,

    /// Also show everything that a selected process starts, from then on
    ///
    /// With --pid alone also what runs below it already; a live trace ends when all of it has. COMMAND needs no -f
    #[arg(short, long, help_heading = "Selecting")]
    pub follow: bool,

    /// Show events about a file at or below PATH, or matching GLOB
    ///
    /// All files of an event count: both ends of a rename, directories joined with names, the executable, script and
    /// working directory of an exec. Without any of *?[{ it is a path; with them the rules are those of ripgrep's -g.
    /// Again for more
    #[arg(
        short = 'P',
        long,
        value_name = "PATH|GLOB",
        help_heading = "Selecting"
    )]
    pub target: Vec<PathBuf>,

    /// Show only events that report a failure
    #[arg(short = 'Z', long, help_heading = "Selecting")]
    pub failed: bool,

    /// Show events of a recording from TIME on
    ///
    /// TIME is HH:MM[:SS] on the day of the first event, YYYY-MM-DD [HH:MM[:SS]], or +90s after the first event
    #[arg(long, value_name = "TIME", help_heading = "Selecting")]
    pub since: Option<String>,

    /// Show events of a recording up to TIME
    #[arg(
        long,
        value_name = "TIME",
        help_heading = "Selecting",
        hide_short_help = true
    )]
    pub until: Option<String>,

    /// Leave out processes whose executable's last component matches
    #[arg(
        long,
        value_name = "GLOB,…",
        help_heading = "Selecting",
        hide_short_help = true
    )]
    pub not_name: Vec<String>,

    /// Leave out processes with one of these pids
    #[arg(
        long,
        value_name = "PID,…",
        value_delimiter = ',',
        help_heading = "Selecting",
        hide_short_help = true
    )]
    pub not_pid: Vec<i32>,

    /// Leave out processes whose executable is PATH or lies under it; again for more
    #[arg(
        long,
        value_name = "PATH",
        help_heading = "Selecting",
        hide_short_help = true
    )]
    pub not_path: Vec<PathBuf>,

    /// Leave out processes of these effective users
    #[arg(
        long,
        value_name = "USER,…",
        value_delimiter = ',',
        help_heading = "Selecting",
        hide_short_help = true
    )]
    pub not_user: Vec<String>,

    /// Leave out processes signed by these teams
    #[arg(
        long,
        value_name = "ID,…",
        value_delimiter = ',',
        help_heading = "Selecting",
        hide_short_help = true
    )]
    pub not_team: Vec<String>,

    /// Leave out processes whose signing identifier matches
    #[arg(
        long,
        value_name = "GLOB,…",
        help_heading = "Selecting",
        hide_short_help = true
    )]
    pub not_signing_id: Vec<String>,

    /// Leave out events with a file at or below PATH, or one that matches GLOB; again for more
    #[arg(
        long,
        value_name = "PATH|GLOB",
        help_heading = "Selecting",
        hide_short_help = true
    )]
    pub not_target: Vec<PathBuf>,

    /// Print events in FORMAT
    #[arg(
        short = 'F',
        long,
        value_name = "FORMAT",
        value_enum,
        default_value_t,
        help_heading = "Output",
        hide_default_value = true
    )]
    pub format: Kind,

    /// Show everything: details of processes and events
    ///
    /// Message numbers, details of processes, and the members that -F line leaves out
    #[arg(short, long, help_heading = "Output")]
    pub verbose: bool,

    /// Write to FILE instead of standard output
    ///
    /// With COMMAND, instead of standard error; - for standard output
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    pub output: Option<PathBuf>,

    /// Also record the events that are shown in FILE, as JSON that -r reads
    ///
    /// A FILE that ends in .zst or .gz is compressed, and flushed at least once a second
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    pub write: Option<PathBuf>,

    /// Begin a new file at a size, such as 500MB, or after a time, such as 1h: FILE, FILE.1 …
    ///
    /// The number comes before the ending: hour.jsonl.zst, hour.1.jsonl.zst, hour.2.jsonl.zst …
    #[arg(
        long,
        value_name = "SIZE|TIME",
        requires = "write",
        help_heading = "Output",
        hide_short_help = true
    )]
    pub rotate: Option<String>,

    /// Keep the newest N files of --rotate, and remove older ones
    #[arg(
        long,
        value_name = "N",
        requires = "rotate",
        value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..),
        help_heading = "Output",
        hide_short_help = true
    )]
    pub keep: Option<usize>,

    /// Replace the values of environment variables, which hold secrets, in whatever is shown or recorded
    #[arg(long, help_heading = "Output", hide_short_help = true)]
    pub redact: bool,

    /// Show the environment of programs that are run, too
    #[arg(long, help_heading = "Output", hide_short_help = true)]
    pub env: bool,

    /// Show times in STYLE
    #[arg(
        long,
        value_name = "STYLE",
        value_enum,
        default_value_t,
        help_heading = "Output",
        hide_default_value = true
    )]
    pub time: TimeStyle,

    /// Cut values after N characters: …(+123)
    #[arg(
        short = 's',
        long,
        value_name = "N",
        help_heading = "Output",
        hide_short_help = true
    )]
    pub string_limit: Option<usize>,

    /// Show times in UTC instead of the local time zone
    #[arg(long, help_heading = "Output", hide_short_help = true)]
    pub utc: bool,

    /// Colour the output
    #[arg(
        long,
        value_name = "WHEN",
        value_enum,
        default_value_t,
        help_heading = "Output",
        hide_short_help = true
    )]
    pub color: Color,

    /// Exit with status 3 if events are missing by their sequence numbers, and nothing worse happened
    #[arg(long, help_heading = "Output", hide_short_help = true)]
    pub fail_on_drop: bool,

    /// Print a summary instead of the events: by event, program and file
    #[arg(short = 'c', long, groups = ["summaries", "reports"], help_heading = "Answers")]
    pub summary_only: bool,

    /// Print the events, and then a summary of them
    #[arg(short = 'C', long, groups = ["summaries", "reports"], conflicts_with = "summary_only", help_heading = "Answers", hide_short_help = true)]
    pub summary: bool,

    /// The tables of a summary
    #[arg(
        long,
        value_name = "LIST",
        value_enum,
        value_delimiter = ',',
        default_value = "event,program,file",
        requires = "summaries",
        help_heading = "Answers",
        hide_short_help = true
    )]
    pub summary_by: Vec<By>,

    /// Sort the rows of a summary by KEY
    #[arg(
        short = 'S',
        long,
        value_name = "KEY",
        value_enum,
        default_value_t,
        requires = "summaries",
        help_heading = "Answers",
        hide_short_help = true
    )]
    pub summary_sort_by: SortBy,

    /// The number of rows of each table of a summary, 0 for all [default: 10; with -F json: all]
    #[arg(
        long,
        value_name = "N",
        requires = "summaries",
        help_heading = "Answers",
        hide_short_help = true
    )]
    pub top: Option<usize>,

    /// Print a tree of processes instead of the events
    ///
    /// Each stands below the one that started it, with the number of its events by class or by event
    #[arg(long, value_name = "COUNTS", value_enum, num_args = 0..=1, require_equals = true, default_missing_value = "classes", group = "reports", help_heading = "Answers")]
    pub tree: Option<CountBy>,

    /// Put each process of a tree below WHOM
    #[arg(
        long,
        value_name = "WHOM",
        value_enum,
        default_value_t,
        requires = "tree",
        help_heading = "Answers",
        hide_short_help = true
    )]
    pub tree_by: NestBy,

    /// Also print the summary or the tree so far on standard error, every so often: 10s, 5m. At any time, Ctrl-T on
    /// macOS and the signal USR1 do so
    #[arg(
        long,
        value_name = "DURATION",
        requires = "reports",
        help_heading = "Answers",
        hide_short_help = true
    )]
    pub summary_every: Option<String>,

    /// Check what a live trace needs and how to fix what is missing
    #[arg(long, help_heading = "Information")]
    pub doctor: bool,

    /// List every event
    #[arg(long, action = ArgAction::SetTrue, help_heading = "Information")]
    pub list_events: bool,

    /// Explain an event: its members, and when it comes
    #[arg(long, value_name = "EVENT", add = ArgValueCompleter::new(complete::event), help_heading = "Information")]
    pub explain: Option<String>,

    /// Print the man page or the set-up of a shell's completions
    #[arg(
        long,
        value_name = "WHAT",
        value_enum,
        help_heading = "Information",
        hide_short_help = true
    )]
    pub generate: Option<Generate>,

    /// Print a short help; --help explains every option
    #[arg(short, long, action = ArgAction::Help, help_heading = "Information")]
    help: Option<bool>,

    /// Print the version
    #[arg(short = 'V', long, action = ArgAction::Version, help_heading = "Information")]
    version: Option<bool>,
}

/// The use of colour.
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

/// The outputs of `--generate`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Generate {
    /// The man page, proctracer(1)
    Man,
    /// For bash
    CompleteBash,
    /// For zsh
    CompleteZsh,
    /// For fish
    CompleteFish,
}

const USAGE: &str = "\
proctracer [OPTIONS] COMMAND [ARG]...   trace a command and everything it starts
       proctracer [OPTIONS] -e LIST            trace this Mac
       proctracer [OPTIONS] -r FILE            show a recording";

const SHORT: &str = "More options, among them --user, --not-name and --not-path: --help and man proctracer explain all";

const EXAMPLES: &str = "\
Examples:
  sudo proctracer -o trace.txt make install     a command and everything it starts
  sudo proctracer -e exec,open                  what runs on this Mac, and what is opened
  sudo eslogger exec | proctracer -r -          what macOS's own tool sees, readable
  proctracer -r hour.jsonl -e open,close,fork   these events of a recording
  proctracer -r hour.jsonl -e all,-mprotect -p /Users/test
  proctracer -r hour.jsonl.gz -F line | grep LaunchAgents
  proctracer -r hour.jsonl -e %file -c          which files, and how often
  proctracer -r hour.jsonl --tree               who started whom, and what came of it

Exit status: 0 done, 1 something failed or a line of the input was damaged, 2 wrong usage,
3 events are missing and --fail-on-drop was given, 4 macOS doesn't permit a live trace. With COMMAND, its own
where that is not 0.";
