//! Everything that can be set, as an option of `macsim run` or as an environment variable.
//!
//! The environment variables are for running the program through something else: a test, a benchmark, a shell in
//! between.
//! The variables of the stand-in for eslogger are in [`crate::eslogger`].

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::OnceLock;

use clap::builder::FalseyValueParser;
use clap::{Args, ValueEnum};

use crate::system::accounts::{self, User};
use crate::versions::{EVENT_TYPES, EventType, Version};

/// The settings of the simulation.
#[derive(Args, Clone, Debug)]
pub struct Settings {
    /// Messages in eslogger's JSON that the program's clients get; repeat for more files, - for standard input
    #[arg(long, value_name = "FILE", env = "MACSIM_EVENTS")]
    pub events: Vec<PathBuf>,
    /// The macOS to simulate: newer functions are absent, newer event types are refused
    #[arg(
        long,
        value_name = "VERSION",
        env = "MACSIM_MACOS",
        default_value = "15.4"
    )]
    pub macos: Version,
    /// The macOS to report to the program instead: 16.0 since 26, where the program was built with an older SDK;
    /// 10.16 with `SYSTEM_VERSION_COMPAT=1`
    #[arg(long, value_name = "VERSION", env = "MACSIM_REPORTED_MACOS")]
    pub reported_macos: Option<Version>,
    /// Look for paths that the program opens, stats or spawns under DIR first; repeat for more
    #[arg(long, value_name = "DIR", env = "MACSIM_ROOT")]
    pub root: Vec<PathBuf>,
    /// Report leaks and misuse of libEndpointSecurity, and exit with status 125 if there are any
    #[arg(long, env = "MACSIM_CHECK", value_parser = FalseyValueParser::new())]
    pub check: bool,
    /// Print what clients subscribe to and mute on standard error
    #[arg(long, env = "MACSIM_LOG", value_parser = FalseyValueParser::new())]
    pub log: bool,
    /// The program's signature: with the entitlement for EndpointSecurity, without it, or none at all
    #[arg(
        long,
        value_name = "SIGNATURE",
        env = "MACSIM_SIGNATURE",
        value_enum,
        default_value = "entitled"
    )]
    pub signature: Signature,
    /// The condition that `es_new_client` checks first: root on 27; on older systems it isn't known
    #[arg(
        long,
        value_name = "WHAT",
        env = "MACSIM_REFUSE_FIRST",
        value_enum,
        default_value = "root"
    )]
    pub refuse_first: First,
    /// The result of `es_new_client`, 0 to 6; by default 0, or 3 for a program that isn't entitled, or 5 for one whose
    /// --euid isn't 0
    #[arg(long, value_name = "N", env = "MACSIM_NEW_CLIENT", value_parser = clap::value_parser!(u32).range(0..=6))]
    pub new_client: Option<u32>,
    /// The result of `es_new_descendants_client`, 0 to 6; by default 0, or 3 for a program that isn't entitled
    #[arg(long, value_name = "N", env = "MACSIM_NEW_DESCENDANTS_CLIENT", value_parser = clap::value_parser!(u32).range(0..=6))]
    pub new_descendants_client: Option<u32>,
    /// The number of clients that are allowed
    #[arg(long, value_name = "N", env = "MACSIM_CLIENTS", default_value_t = 48)]
    pub clients: usize,
    /// The number of descendants clients that are allowed
    #[arg(
        long,
        value_name = "N",
        env = "MACSIM_DESCENDANTS_CLIENTS",
        default_value_t = 192
    )]
    pub descendants_clients: usize,
    /// Let a descendants client mute the program itself; whether macOS allows that isn't known
    #[arg(long, env = "MACSIM_DESCENDANTS_MUTE_OWN", value_parser = FalseyValueParser::new())]
    pub descendants_mute_own: bool,
    /// With --check: count messages that the program still holds when it deletes a client as misuse
    #[arg(long, env = "MACSIM_CHECK_DELETED", value_parser = FalseyValueParser::new())]
    pub check_deleted: bool,
    /// Hand over messages of real processes when N of them wait
    #[arg(long, value_name = "N", env = "MACSIM_BATCH", default_value_t = 32)]
    pub batch: usize,
    /// Hand them over when one has waited for this time
    #[arg(long, value_name = "MS", env = "MACSIM_BATCH_MS", default_value_t = 1)]
    pub batch_ms: u64,
    /// Deliver the messages N times
    #[arg(long, value_name = "N", env = "MACSIM_REPEAT", default_value_t = 1)]
    pub repeat: u64,
    /// Messages due per second; by default, as fast as the handler takes them
    #[arg(long, value_name = "N", env = "MACSIM_RATE", default_value_t = 0)]
    pub rate: u64,
    /// With --rate: the number of messages that can wait; one more is dropped
    #[arg(
        long,
        value_name = "N",
        env = "MACSIM_QUEUE",
        default_value_t = 100_000
    )]
    pub queue: u64,
    /// Drop every Nth message, or every Nth of an event: 7, fork:1; repeat or use commas for more
    #[arg(
        long,
        value_name = "[EVENT:]N",
        env = "MACSIM_DROP",
        value_delimiter = ','
    )]
    pub drop: Vec<Drop>,
    /// The signal that the program gets when all messages of --events are delivered [default: INT, or NONE without
    /// --events]
    #[arg(
        long,
        value_name = "SIGNAL",
        env = "MACSIM_END",
        value_enum,
        ignore_case = true
    )]
    pub end: Option<End>,
    /// Wait for this time before the signal
    #[arg(
        long,
        value_name = "MS",
        env = "MACSIM_LINGER_MS",
        default_value_t = 300
    )]
    pub linger_ms: u64,
    /// Wait for this time after the first subscription before messages come
    #[arg(long, value_name = "MS", env = "MACSIM_START_MS", default_value_t = 0)]
    pub start_ms: u64,
    /// Deliver no messages of the real processes below the program
    #[arg(long, env = "MACSIM_NO_LIVE", value_parser = FalseyValueParser::new())]
    pub no_live: bool,
    /// Deliver messages of the files that these processes create, rename, remove and write, too
    #[arg(long, env = "MACSIM_FILES", value_parser = FalseyValueParser::new())]
    pub files: bool,
    /// Delay the message of each exec by this time while the process waits; `posix_spawn` has returned long before
    #[arg(
        long,
        value_name = "MS",
        env = "MACSIM_EXEC_DELAY_MS",
        default_value_t = 0
    )]
    pub exec_delay_ms: u64,
    /// The messages that a failing `posix_spawn` causes
    #[arg(
        long,
        value_name = "EVENTS",
        env = "MACSIM_FAILED_SPAWN",
        value_enum,
        default_value = "FORK",
        ignore_case = true
    )]
    pub failed_spawn: FailedSpawn,
    /// Before each message of a real process, deliver messages of FILE, as if other processes ran; FILE starts again
    /// at its end
    #[arg(long, value_name = "FILE", env = "MACSIM_NOISE")]
    pub noise: Vec<PathBuf>,
    /// With --noise: the number of messages
    #[arg(long, value_name = "N", env = "MACSIM_NOISE_EACH", default_value_t = 1)]
    pub noise_each: u64,
    /// After each exec, deliver messages of launchd acting on behalf of the process, and of a process that it starts
    #[arg(long, env = "MACSIM_LAUNCHD", value_parser = FalseyValueParser::new())]
    pub launchd: bool,
    /// Give the identifier of a process that has ended and been waited for to another one that launchd starts
    #[arg(long, env = "MACSIM_REUSE_PIDS", value_parser = FalseyValueParser::new())]
    pub reuse_pids: bool,
    /// Make every second message of a real process older by this time
    #[arg(long, value_name = "US", env = "MACSIM_JITTER_US", default_value_t = 0)]
    pub jitter_us: u64,
    /// Let a process that was started suspended and never continued survive SIGKILL until it is sent SIGCONT
    #[arg(long, env = "MACSIM_KILL_HANGS", value_parser = FalseyValueParser::new())]
    pub kill_hangs: bool,
    /// Deliver messages that are made beforehand and never copied, counted or wiped: for benchmarks
    #[arg(long = "static", env = "MACSIM_STATIC", value_parser = FalseyValueParser::new())]
    pub prebuilt: bool,
    /// Measure the time that the program's handler takes, and print the median and the 99th percentile at the end
    #[arg(long, env = "MACSIM_TIME_HANDLER", value_parser = FalseyValueParser::new())]
    pub time_handler: bool,
    /// In the messages, the process PID stands for the program's first child: its real pid replaces PID, and no
    /// message comes before the child runs
    #[arg(long, value_name = "PID", env = "MACSIM_CHILD_PID")]
    pub child_pid: Option<i32>,
    /// The process groups in the messages are real: keep the program's own group even if a message has the same
    #[arg(long, env = "MACSIM_REAL_GROUPS", value_parser = FalseyValueParser::new())]
    pub real_groups: bool,
    /// The user that the program runs as in the simulation: 0 as under sudo
    #[arg(long, value_name = "UID", env = "MACSIM_EUID", default_value_t = 0)]
    pub euid: u32,
    /// An account, NAME:UID:GID:HOME:SHELL[:GID,...]; repeat or use semicolons for more [default: root, daemon,
    /// nobody, and test, 501]
    #[arg(
        long,
        value_name = "ACCOUNT",
        env = "MACSIM_USERS",
        value_delimiter = ';',
        default_value = accounts::DEFAULT,
        hide_default_value = true
    )]
    pub user: Vec<User>,
    /// The user who logged in, in the program's audit token
    #[arg(long, value_name = "UID", env = "MACSIM_AUID", default_value_t = 501)]
    pub auid: u32,
    /// The version of the program's pid, in its audit token
    #[arg(long, value_name = "N", env = "MACSIM_PIDVERSION", default_value_t = 1)]
    pub pidversion: u32,
    /// The state of System Integrity Protection, as `csr_get_active_config` returns it; 0 means fully on
    #[arg(long, value_name = "N", env = "MACSIM_CSR", default_value_t = 0)]
    pub csr: u32,
    /// Print missing imports on standard error
    #[arg(long, env = "MACSIM_TRACE", value_parser = FalseyValueParser::new())]
    pub trace: bool,
}

/// The signature of a program.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signature {
    /// with com.apple.developer.endpoint-security.client
    Entitled,
    /// without entitlements
    AdHoc,
    /// not at all, which Macs with Intel processors allow
    None,
}

/// The order in which what is missing is reported.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum First {
    /// root, then the entitlement
    Root,
    /// the entitlement, then root
    Entitlement,
}

/// The way in which the simulation ends the program.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
#[value(rename_all = "UPPER")]
pub enum End {
    /// `SIGINT`, as Ctrl-C does
    Int,
    /// `SIGTERM`
    Term,
    /// not at all
    None,
}

/// Messages to drop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drop {
    /// The `es_event_type_t`; all types together if `None`.
    pub event: Option<u32>,
    /// Every Nth message is dropped; at least 1.
    pub every: u64,
}

impl FromStr for Drop {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (event, every) = match text.split_once(':') {
            Some((name, every)) => {
                let is_it = |row: &&EventType| row.kind == "NOTIFY" && row.name == name;
                let row = EVENT_TYPES.iter().find(is_it);
                let row = row.ok_or_else(|| format!("{name}: no event of this name"))?;
                (Some(row.number), every)
            }
            None => (None, text),
        };
        let every = every.parse().ok().filter(|every| *every > 0);
        let every = every.ok_or_else(|| format!("{text}: not a number from 1"))?;
        Ok(Drop { event, every })
    }
}

/// The messages of a `posix_spawn` that fails.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
#[value(rename_all = "UPPER")]
pub enum FailedSpawn {
    /// a fork, and nothing more of the new process
    Fork,
    /// a fork and an exit
    Exit,
    /// nothing
    None,
}

impl Settings {
    /// Returns true if messages of real processes are delivered.
    pub fn live(&self) -> bool {
        !self.no_live && !self.prebuilt
    }

    /// The way in which the simulation ends the program.
    pub fn end(&self) -> End {
        self.end.unwrap_or(if self.events.is_empty() {
            End::None
        } else {
            End::Int
        })
    }
}

static SETTINGS: OnceLock<Settings> = OnceLock::new();

/// Sets what [`get`] returns; called once, before the program starts.
pub fn set(settings: Settings) {
    SETTINGS.set(settings).expect("settings are set once");
}

/// The settings of this run.
pub fn get() -> &'static Settings {
    SETTINGS
        .get()
        .expect("settings are set before the program starts")
}
