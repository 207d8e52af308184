//! Everything that can be set, as an option of `macsim run` or as an environment variable.
//!
//! The environment variables are for whoever runs the program through something else: a test, a benchmark, a shell in between.
//! What the stand-in for eslogger reads is in [`crate::eslogger`].

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::OnceLock;

use clap::builder::FalseyValueParser;
use clap::{Args, ValueEnum};

use crate::system::accounts::{self, User};
use crate::versions::{EVENT_TYPES, EventType, Version};

/// What the simulation is told.
#[derive(Args, Clone, Debug)]
pub struct Settings {
    /// Messages in eslogger's JSON that the program's clients get; again for more files, - for standard input
    #[arg(long, value_name = "FILE", env = "MACSIM_EVENTS")]
    pub events: Vec<PathBuf>,
    /// The macOS that is simulated: newer functions are absent, newer event types refused
    #[arg(
        long,
        value_name = "VERSION",
        env = "MACSIM_MACOS",
        default_value = "15.4"
    )]
    pub macos: Version,
    /// The macOS that is reported to the program instead: 16.0 since 26, where it was built with an older SDK; 10.16 with
    /// `SYSTEM_VERSION_COMPAT=1`
    #[arg(long, value_name = "VERSION", env = "MACSIM_REPORTED_MACOS")]
    pub reported_macos: Option<Version>,
    /// Look for the paths that the program opens, stats or spawns under DIR first; again for more
    #[arg(long, value_name = "DIR", env = "MACSIM_ROOT")]
    pub root: Vec<PathBuf>,
    /// Report leaks and misuse of libEndpointSecurity, and end with status 125 where there are any
    #[arg(long, env = "MACSIM_CHECK", value_parser = FalseyValueParser::new())]
    pub check: bool,
    /// Say on standard error what clients subscribe to and mute
    #[arg(long, env = "MACSIM_LOG", value_parser = FalseyValueParser::new())]
    pub log: bool,
    /// How the program is signed: with the entitlement for EndpointSecurity, without, or not at all
    #[arg(
        long,
        value_name = "SIGNATURE",
        env = "MACSIM_SIGNATURE",
        value_enum,
        default_value = "entitled"
    )]
    pub signature: Signature,
    /// What `es_new_client` looks at first: on 27 it is root, on older systems it isn't known
    #[arg(
        long,
        value_name = "WHAT",
        env = "MACSIM_REFUSE_FIRST",
        value_enum,
        default_value = "root"
    )]
    pub refuse_first: First,
    /// What `es_new_client` returns, 0 to 6; without it 0, 3 for a program that isn't entitled, or 5 where --euid isn't 0
    #[arg(long, value_name = "N", env = "MACSIM_NEW_CLIENT", value_parser = clap::value_parser!(u32).range(0..=6))]
    pub new_client: Option<u32>,
    /// What `es_new_descendants_client` returns, 0 to 6; without it 0, or 3 for a program that isn't entitled
    #[arg(long, value_name = "N", env = "MACSIM_NEW_DESCENDANTS_CLIENT", value_parser = clap::value_parser!(u32).range(0..=6))]
    pub new_descendants_client: Option<u32>,
    /// So many clients are allowed
    #[arg(long, value_name = "N", env = "MACSIM_CLIENTS", default_value_t = 48)]
    pub clients: usize,
    /// So many descendants clients are allowed
    #[arg(
        long,
        value_name = "N",
        env = "MACSIM_DESCENDANTS_CLIENTS",
        default_value_t = 192
    )]
    pub descendants_clients: usize,
    /// A descendants client can mute the program itself; whether macOS allows that isn't known
    #[arg(long, env = "MACSIM_DESCENDANTS_MUTE_OWN", value_parser = FalseyValueParser::new())]
    pub descendants_mute_own: bool,
    /// With --check: messages that the program still has when it deletes a client are misuse
    #[arg(long, env = "MACSIM_CHECK_DELETED", value_parser = FalseyValueParser::new())]
    pub check_deleted: bool,
    /// Hand messages of real processes over when N of them wait
    #[arg(long, value_name = "N", env = "MACSIM_BATCH", default_value_t = 32)]
    pub batch: usize,
    /// Hand them over when one has waited so long
    #[arg(long, value_name = "MS", env = "MACSIM_BATCH_MS", default_value_t = 1)]
    pub batch_ms: u64,
    /// Deliver the messages N times
    #[arg(long, value_name = "N", env = "MACSIM_REPEAT", default_value_t = 1)]
    pub repeat: u64,
    /// Messages a second come into being; without it, as fast as the handler takes them
    #[arg(long, value_name = "N", env = "MACSIM_RATE", default_value_t = 0)]
    pub rate: u64,
    /// With --rate: so many messages can wait, one more is dropped
    #[arg(
        long,
        value_name = "N",
        env = "MACSIM_QUEUE",
        default_value_t = 100_000
    )]
    pub queue: u64,
    /// Drop every Nth message, or every Nth of an event: 7, fork:1; again or with commas for more
    #[arg(
        long,
        value_name = "[EVENT:]N",
        env = "MACSIM_DROP",
        value_delimiter = ','
    )]
    pub drop: Vec<Drop>,
    /// The signal that the program gets when all messages of --events are delivered [default: INT, or NONE without --events]
    #[arg(
        long,
        value_name = "SIGNAL",
        env = "MACSIM_END",
        value_enum,
        ignore_case = true
    )]
    pub end: Option<End>,
    /// Wait so long before the signal
    #[arg(
        long,
        value_name = "MS",
        env = "MACSIM_LINGER_MS",
        default_value_t = 300
    )]
    pub linger_ms: u64,
    /// Wait so long after the first subscription before messages come
    #[arg(long, value_name = "MS", env = "MACSIM_START_MS", default_value_t = 0)]
    pub start_ms: u64,
    /// Deliver no messages of the real processes below the program
    #[arg(long, env = "MACSIM_NO_LIVE", value_parser = FalseyValueParser::new())]
    pub no_live: bool,
    /// The message of an exec comes so late, and the process waits for it; `posix_spawn` has returned long before
    #[arg(
        long,
        value_name = "MS",
        env = "MACSIM_EXEC_DELAY_MS",
        default_value_t = 0
    )]
    pub exec_delay_ms: u64,
    /// The messages of a `posix_spawn` that fails
    #[arg(
        long,
        value_name = "EVENTS",
        env = "MACSIM_FAILED_SPAWN",
        value_enum,
        default_value = "FORK",
        ignore_case = true
    )]
    pub failed_spawn: FailedSpawn,
    /// Before each message of a real process, messages of FILE, as of others that run; from the start again at the end
    #[arg(long, value_name = "FILE", env = "MACSIM_NOISE")]
    pub noise: Vec<PathBuf>,
    /// With --noise: so many
    #[arg(long, value_name = "N", env = "MACSIM_NOISE_EACH", default_value_t = 1)]
    pub noise_each: u64,
    /// After each exec, what launchd does on behalf of the process, and a process that it starts
    #[arg(long, env = "MACSIM_LAUNCHD", value_parser = FalseyValueParser::new())]
    pub launchd: bool,
    /// When a process has ended and was waited for, another one that launchd starts gets its identifier
    #[arg(long, env = "MACSIM_REUSE_PIDS", value_parser = FalseyValueParser::new())]
    pub reuse_pids: bool,
    /// Every second message of a real process is so much older than it should be
    #[arg(long, value_name = "US", env = "MACSIM_JITTER_US", default_value_t = 0)]
    pub jitter_us: u64,
    /// A process that was started suspended and never continued survives SIGKILL until it is sent SIGCONT
    #[arg(long, env = "MACSIM_KILL_HANGS", value_parser = FalseyValueParser::new())]
    pub kill_hangs: bool,
    /// Deliver messages that are made beforehand and never copied, counted or wiped: for benchmarks
    #[arg(long = "static", env = "MACSIM_STATIC", value_parser = FalseyValueParser::new())]
    pub prebuilt: bool,
    /// Measure the time that the program's handler takes, and say median and 99th percentile at the end
    #[arg(long, env = "MACSIM_TIME_HANDLER", value_parser = FalseyValueParser::new())]
    pub time_handler: bool,
    /// In the messages, the process PID stands for the program's first child: its real pid is put in, and no message comes before it runs
    #[arg(long, value_name = "PID", env = "MACSIM_CHILD_PID")]
    pub child_pid: Option<i32>,
    /// The process groups of the messages are real ones: don't give the program another one where it has the same
    #[arg(long, env = "MACSIM_REAL_GROUPS", value_parser = FalseyValueParser::new())]
    pub real_groups: bool,
    /// The user that the program believes to run as: 0 as under sudo
    #[arg(long, value_name = "UID", env = "MACSIM_EUID", default_value_t = 0)]
    pub euid: u32,
    /// An account, NAME:UID:GID:HOME:SHELL[:GID,...]; again or with semicolons for more [default: root, daemon, nobody, and test, 501]
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
    /// The state of System Integrity Protection, as `csr_get_active_config` gives it; 0 is all of it on
    #[arg(long, value_name = "N", env = "MACSIM_CSR", default_value_t = 0)]
    pub csr: u32,
    /// Say on standard error which imports are missing
    #[arg(long, env = "MACSIM_TRACE", value_parser = FalseyValueParser::new())]
    pub trace: bool,
}

/// How a program is signed.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signature {
    /// with com.apple.developer.endpoint-security.client
    Entitled,
    /// without entitlements
    AdHoc,
    /// not at all, which Macs with Intel processors allow
    None,
}

/// What is missing may be seen in this order.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum First {
    /// root, then the entitlement
    Root,
    /// the entitlement, then root
    Entitlement,
}

/// How the simulation ends the program.
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

/// Messages that are lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drop {
    /// Of this `es_event_type_t`, or of all together.
    pub event: Option<u32>,
    /// Every Nth; at least 1.
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
    /// Returns true if there are to be messages of real processes.
    pub fn live(&self) -> bool {
        !self.no_live && !self.prebuilt
    }

    /// How the simulation ends the program.
    pub fn end(&self) -> End {
        self.end.unwrap_or(if self.events.is_empty() {
            End::None
        } else {
            End::Int
        })
    }
}

static SETTINGS: OnceLock<Settings> = OnceLock::new();

/// Sets what [`get`] gives; once, before the program starts.
pub fn set(settings: Settings) {
    SETTINGS.set(settings).expect("settings are set once");
}

/// The settings of this run.
pub fn get() -> &'static Settings {
    SETTINGS
        .get()
        .expect("settings are set before the program starts")
}
