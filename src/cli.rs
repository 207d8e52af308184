//! The options, as typed.

#![allow(
    clippy::doc_markdown,
    rustdoc::broken_intra_doc_links,
    reason = "the comments of options are their help texts"
)]
#![allow(
    clippy::struct_excessive_bools,
    reason = "an option without a value is one"
)]

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgAction, ArgGroup, Parser, ValueEnum};

use crate::format::{Kind, TimeStyle};
use crate::live::Choice;
use crate::report::{By, CountBy, NestBy, SortBy};

/// Trace what happens on a Mac: processes, files, log-ins and more, from EndpointSecurity.
#[derive(Clone, Debug, Parser)]
#[command(version, about, max_term_width = 100, after_help = EXAMPLES)]
#[command(group = ArgGroup::new("reports").multiple(true))]
pub struct Cli {
    /// Trace COMMAND and everything it starts, and exit with its status; the trace goes to standard error
    #[arg(trailing_var_arg = true, value_name = "COMMAND", conflicts_with_all = ["read", "doctor", "list_events", "explain"])]
    pub command: Vec<OsString>,

    /// Run COMMAND as this user instead of the one who called sudo
    #[arg(short = 'u', long, value_name = "USER", requires = "command")]
    pub run_as: Option<String>,

    /// The events to show: names, patterns (od_*), classes (%file) or all, separated by commas and read
    /// from left to right; a leading - or ! removes. A list that starts with a removal starts from all
    #[arg(short, long, value_name = "LIST", allow_hyphen_values = true)]
    pub events: Vec<String>,

    /// Show processes whose executable is PATH or lies under it; again for more
    #[arg(short, long, value_name = "PATH")]
    pub path: Vec<PathBuf>,

    /// Show processes with one of these pids
    #[arg(long, value_name = "PID,…", value_delimiter = ',')]
    pub pid: Vec<i32>,

    /// Show processes whose executable's last component matches: zsh, 'Google Chrome*'
    #[arg(long, value_name = "GLOB,…")]
    pub name: Vec<String>,

    /// Show processes of these effective users, by name or number
    #[arg(long, value_name = "USER,…", value_delimiter = ',')]
    pub user: Vec<String>,

    /// Show processes signed by these teams; '' stands for none
    #[arg(long, value_name = "ID,…", value_delimiter = ',')]
    pub team: Vec<String>,

    /// Show processes whose signing identifier matches: 'com.apple.*'
    #[arg(long, value_name = "GLOB,…")]
    pub signing_id: Vec<String>,

    /// Show only Apple's own processes, those that are part of macOS
    #[arg(long)]
    pub platform: bool,

    /// Show only processes that are not part of macOS
    #[arg(long, conflicts_with = "platform")]
    pub no_platform: bool,

    /// Also show everything that a selected process starts, from then on
    #[arg(short, long)]
    pub follow: bool,

    /// Show events with a file at or below PATH, or one that matches GLOB; again for more
    #[arg(short = 'P', long, value_name = "PATH|GLOB")]
    pub target: Vec<PathBuf>,

    /// Show only events that report a failure
    #[arg(short = 'Z', long)]
    pub failed: bool,

    /// Leave out processes with one of these pids
    #[arg(long, value_name = "PID,…", value_delimiter = ',')]
    pub not_pid: Vec<i32>,

    /// Leave out processes whose executable's last component matches
    #[arg(long, value_name = "GLOB,…")]
    pub not_name: Vec<String>,

    /// Leave out processes whose executable is PATH or lies under it; again for more
    #[arg(long, value_name = "PATH")]
    pub not_path: Vec<PathBuf>,

    /// Leave out processes of these effective users
    #[arg(long, value_name = "USER,…", value_delimiter = ',')]
    pub not_user: Vec<String>,

    /// Leave out processes signed by these teams
    #[arg(long, value_name = "ID,…", value_delimiter = ',')]
    pub not_team: Vec<String>,

    /// Leave out processes whose signing identifier matches
    #[arg(long, value_name = "GLOB,…")]
    pub not_signing_id: Vec<String>,

    /// Leave out events with a file at or below PATH, or one that matches GLOB; again for more
    #[arg(long, value_name = "PATH|GLOB")]
    pub not_target: Vec<PathBuf>,

    /// Show events of a recording from TIME on: HH:MM[:SS], a date and time, or +90s after the first event
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,

    /// Show events of a recording up to TIME
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,

    /// End a live trace after this time: 30s, 5m, 1.5h
    #[arg(long, value_name = "TIME")]
    pub duration: Option<String>,

    /// End after N shown events
    #[arg(short = 'n', long, value_name = "N")]
    pub limit: Option<u64>,

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

    /// Print a summary instead of the events: how many there were, by event, by program and by file
    #[arg(short = 'c', long, groups = ["summaries", "reports"])]
    pub summary_only: bool,

    /// Print the events, and then a summary of them
    #[arg(short = 'C', long, groups = ["summaries", "reports"], conflicts_with = "summary_only")]
    pub summary: bool,

    /// The tables of a summary, separated by commas
    #[arg(
        long,
        value_name = "LIST",
        value_enum,
        value_delimiter = ',',
        default_value = "event,program,file",
        requires = "summaries"
    )]
    pub summary_by: Vec<By>,

    /// What the rows of a summary are sorted by
    #[arg(
        short = 'S',
        long,
        value_name = "KEY",
        value_enum,
        default_value_t,
        requires = "summaries"
    )]
    pub summary_sort_by: SortBy,

    /// The number of rows of each table of a summary, 0 for all [default: 10; with -F json: all]
    #[arg(long, value_name = "N", requires = "summaries")]
    pub top: Option<usize>,

    /// Print the processes instead of the events, each below the one that started it, with the number of its events
    /// by class or by event
    #[arg(
        long,
        value_name = "COUNTS",
        value_enum,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "classes",
        group = "reports"
    )]
    pub tree: Option<CountBy>,

    /// What processes stand below in a tree
    #[arg(
        long,
        value_name = "WHOM",
        value_enum,
        default_value_t,
        requires = "tree"
    )]
    pub tree_by: NestBy,

    /// Also print the summary or the tree so far on standard error, every so often: 10s, 5m. At any time, Ctrl-T on
    /// macOS and the signal USR1 do so
    #[arg(long, value_name = "DURATION", requires = "reports")]
    pub summary_every: Option<String>,

    /// Show everything: message numbers, details of processes, and the members that -F line leaves out
    #[arg(short, long)]
    pub verbose: bool,

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

    /// How the times of events are shown
    #[arg(long, value_name = "STYLE", value_enum, default_value_t)]
    pub time: TimeStyle,

    /// Cut values after N characters; what is left out is counted: …(+123)
    #[arg(short = 's', long, value_name = "N")]
    pub string_limit: Option<usize>,

    /// Show times in UTC instead of the local time zone
    #[arg(long)]
    pub utc: bool,

    /// Colour the output
    #[arg(long, value_name = "WHEN", value_enum, default_value_t)]
    pub color: Color,

    /// Check what a live trace needs and how to fix what is missing
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
  proctracer -r hour.jsonl -e %file -c          which files, and how often
  proctracer -r hour.jsonl --tree               who started whom, and what came of it

Exit status: 0 done, 1 something failed or a line of the input was damaged, 2 wrong usage,
3 events are missing and --fail-on-drop was given, 4 macOS doesn't permit a live trace.";
