//! Random options.

use std::fmt;

use super::Random;
use super::stream::{BEGIN, DAEMON_PID, EVENTS, Stream, clock, day};

/// A point in time: as typed, and in nanoseconds of the day.
#[derive(Clone, Debug)]
pub struct Point {
    pub typed: String,
    pub at: u64,
}

/// A set of options.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub events: Vec<String>,
    pub pids: Vec<i32>,
    pub users: Vec<u32>,
    pub platform: Option<bool>,
    pub teams: Vec<String>,
    pub paths: Vec<String>,
    pub names: Vec<String>,
    pub signing_ids: Vec<String>,
    pub follows: bool,
    pub targets: Vec<String>,
    pub failed: bool,
    pub not_pids: Vec<i32>,
    pub not_users: Vec<u32>,
    pub not_teams: Vec<String>,
    pub not_paths: Vec<String>,
    pub not_names: Vec<String>,
    pub not_signing_ids: Vec<String>,
    pub not_targets: Vec<String>,
    pub since: Option<Point>,
    pub until: Option<Point>,
    pub limit: Option<usize>,
    /// True if they are for a live trace, which can't look at the events a second time to ignore case.
    pub is_live: bool,
}

/// The files of the streams that `%change` stands for.
const CHANGE: [&str; 16] = [
    "create",
    "exchangedata",
    "link",
    "rename",
    "setextattr",
    "setmode",
    "setowner",
    "unlink",
    "write",
    "file_provider_materialize",
    "file_provider_update",
    "truncate",
    "clone",
    "deleteextattr",
    "uipc_bind",
    "copyfile",
];

const PATHS: [&str; 19] = [
    "/",
    "/System",
    "/usr/libexec",
    "/Users/test",
    "/Users/test/",
    "/Users/te",
    "/Users/test/bin/tool",
    "/System/Volumes/Data/Users/test/bin",
    "/System/Volumes/Data",
    "/Applications",
    "/Applications/Lumen.app",
    "/Applications/Safari.app",
    "/System/Cryptexes",
    "/tmp",
    "/private/tmp",
    "/opt/c++ tools/c++",
    "/Users/test/Caf\u{e9}.app",
    "/Users/test/run.sh",
    "/Library/Developer/../Sync & Co",
];

/// The same paths in another case.
const OTHER_CASE: [&str; 4] = [
    "/users/TEST/BIN",
    "/APPLICATIONS",
    "/Users/test/CAF\u{c9}.app",
    "/Library/developer",
];

const PLACES: [&str; 27] = [
    "/",
    "/System",
    "/System/**",
    "/*/Library/**",
    "/Users/test",
    "/Users/test/src",
    "/Users/test/Library/LaunchAgents/com.example.agent.plist",
    "/System/Volumes/Data/Users/test",
    "/tmp/build",
    "/var",
    "/etc/hosts",
    "/Users/test/Documents/\u{dc}bersicht 2.pdf",
    "/Users/test/Documents/U\u{308}bersicht.pdf",
    "/usr/local",
    "*.plist",
    "*.{rs,pdf}",
    "\u{dc}*",
    "[ab].?",
    "/Users/*/Library/LaunchAgents/**",
    "/Users/*/src/*",
    "/Users/**/*.rs",
    "**/LaunchAgents/*",
    "/tmp/*/*.o",
    "/System/Volumes/Data/Users/te*/notes.txt",
    "/Users/test/a[*]b",
    "/Applications/*/Contents/**",
    "/private/*/build",
];

const NAMES: [&str; 12] = [
    "zsh",
    "sh",
    "make",
    "Lumen*",
    "*tool",
    "c++",
    "?sh",
    "[lz]s*",
    "Caf\u{e9}",
    "inst{alld,aller}",
    "nobody",
    "Make",
];

const SIGNING_IDS: [&str; 6] = [
    "com.apple.*",
    "com.example.lumen",
    "com.example.*",
    "tool",
    "*.zsh",
    "org.*",
];

const TEAMS: [&str; 5] = ["", "XMPL4BRWSR", "SYNCXMPL01", "CAFEXMPL01", "xmpl4brwsr"];

fn some<T: Clone>(random: &mut Random, from: &[T]) -> Vec<T> {
    let count = *random.pick(&[1, 1, 1, 2, 3]);
    (0..count).map(|_| random.pick(from).clone()).collect()
}

fn some_text(random: &mut Random, from: &[&str]) -> Vec<String> {
    some(random, from).into_iter().map(str::to_owned).collect()
}

impl Options {
    /// Options that select among what is in the stream.
    pub fn random(random: &mut Random, stream: &Stream, is_live: bool) -> Options {
        let mut options = Options {
            is_live,
            ..Options::default()
        };
        let pids: Vec<_> = [1, DAEMON_PID, 99_999]
            .into_iter()
            .chain(stream.messages.iter().map(|message| message.process.pid))
            .collect();
        if !is_live && random.percent(5) {
            // By a path in another case alone: the case of other comparisons isn't of interest here.
            options.paths = some_text(random, &OTHER_CASE);
            options.follows = random.percent(50);
            return options;
        }
        let users = [0, 501, 501, 502, 99];
        for _ in 0..*random.pick(&[0, 1, 1, 1, 2, 2, 3]) {
            match random.below(7) {
                0 => options.pids = some(random, &pids),
                1 => options.users = some(random, &users),
                2 => options.platform = Some(random.percent(50)),
                3 => options.teams = some_text(random, &TEAMS),
                4 => options.paths = some_text(random, &PATHS),
                5 => options.names = some_text(random, &NAMES),
                _ => options.signing_ids = some_text(random, &SIGNING_IDS),
            }
        }
        options.follows = options.has_who() && random.percent(60);
        for _ in 0..*random.pick(&[0, 0, 0, 1, 1, 2]) {
            match random.below(7) {
                0 => options.not_pids = some(random, &pids),
                1 => options.not_users = some(random, &users),
                2 => options.not_teams = some_text(random, &TEAMS),
                3 => options.not_paths = some_text(random, &PATHS[1..]),
                4 => options.not_names = some_text(random, &NAMES),
                5 => options.not_signing_ids = some_text(random, &SIGNING_IDS),
                _ => options.not_targets = some_text(random, &PLACES[1..]),
            }
        }
        if random.percent(30) {
            options.targets = some_text(random, &PLACES);
        }
        options.failed = random.percent(10);
        if random.percent(50) {
            options.events = lists(random);
            // A live trace that selects nothing is refused.
            if is_live && !EVENTS.iter().any(|(_, event)| options.selects(event)) {
                options.events.clear();
            }
        }
        if random.percent(15) {
            options.limit = Some(random.below(30));
        }
        if !is_live && random.percent(20) {
            options.since = Some(point(random, stream));
        }
        if !is_live && random.percent(20) {
            options.until = Some(point(random, stream));
        }
        options
    }

    /// Returns true if an option selects processes.
    pub fn has_who(&self) -> bool {
        !(self.pids.is_empty()
            && self.users.is_empty()
            && self.platform.is_none()
            && self.teams.is_empty()
            && self.paths.is_empty()
            && self.names.is_empty()
            && self.signing_ids.is_empty())
    }

    /// Returns true if the trace ends with its processes: a live one of pids alone, and the processes that they
    /// start.
    pub fn ends(&self) -> bool {
        let others = Options {
            pids: Vec::new(),
            ..self.clone()
        };
        self.is_live && self.follows && !self.pids.is_empty() && !others.has_who()
    }

    /// Returns true if `-e` selects the event.
    pub fn selects(&self, event: &str) -> bool {
        let is_removal = |term: &str| term.starts_with(['-', '!']);
        let mut terms = self
            .events
            .iter()
            .flat_map(|list| list.split(','))
            .peekable();
        let mut is_selected = terms.peek().is_none_or(|term| is_removal(term));
        for term in terms {
            let name = term.trim_start_matches(['-', '!']);
            let name = name
                .trim_start_matches("ES_EVENT_TYPE_")
                .trim_start_matches("NOTIFY_");
            let is_meant = match name {
                "all" => true,
                "%change" => CHANGE.contains(&event),
                "*attr" => event.ends_with("attr"),
                "s*" => event.starts_with('s'),
                name => name.to_lowercase() == event,
            };
            if is_meant {
                is_selected = !is_removal(term);
            }
        }
        is_selected
    }

    /// The arguments of the program.
    pub fn args(&self) -> Vec<String> {
        let mut args = Vec::new();
        let mut list = |option: &str, values: Vec<String>| {
            if !values.is_empty() {
                args.extend([option.to_owned(), values.join(",")]);
            }
        };
        let numbers = |numbers: &[i32]| numbers.iter().map(ToString::to_string).collect::<Vec<_>>();
        let users = |users: &[u32]| users.iter().map(ToString::to_string).collect::<Vec<_>>();
        list("--pid", numbers(&self.pids));
        list("--user", users(&self.users));
        list("--not-pid", numbers(&self.not_pids));
        list("--not-user", users(&self.not_users));
        for (option, values) in [
            ("-e", &self.events),
            ("--team", &self.teams),
            ("-p", &self.paths),
            ("--name", &self.names),
            ("--signing-id", &self.signing_ids),
            ("-P", &self.targets),
            ("--not-team", &self.not_teams),
            ("--not-path", &self.not_paths),
            ("--not-name", &self.not_names),
            ("--not-signing-id", &self.not_signing_ids),
            ("--not-target", &self.not_targets),
        ] {
            for value in values {
                args.extend([option.to_owned(), value.clone()]);
            }
        }
        for (option, is_given) in [
            ("--platform", self.platform == Some(true)),
            ("--no-platform", self.platform == Some(false)),
            ("-f", self.follows),
            ("-Z", self.failed),
        ] {
            args.extend(is_given.then(|| option.to_owned()));
        }
        for (option, point) in [("--since", &self.since), ("--until", &self.until)] {
            args.extend(
                point
                    .iter()
                    .flat_map(|point| [option.to_owned(), point.typed.clone()]),
            );
        }
        if let Some(limit) = self.limit {
            args.extend(["-n".to_owned(), limit.to_string()]);
        }
        args
    }
}

/// The options as they would be typed.
impl fmt::Display for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let args = self.args();
        let quoted = args.iter().map(|arg| format!("'{arg}'"));
        f.write_str(&quoted.collect::<Vec<_>>().join(" "))
    }
}

/// Lists of events for `-e`.
fn lists(random: &mut Random) -> Vec<String> {
    let mut term = |is_first: bool| {
        let (_, name) = random.pick(&EVENTS);
        let term = match random.below(10) {
            0 | 1 => "%change".to_owned(),
            2 => (*random.pick(&["all", "*attr", "s*"])).to_owned(),
            3 => format!("NOTIFY_{}", name.to_uppercase()),
            4 => format!("ES_EVENT_TYPE_NOTIFY_{}", name.to_uppercase()),
            _ => (*name).to_owned(),
        };
        let removes = random.percent(if is_first { 20 } else { 30 });
        let sign = if removes {
            *random.pick(&["-", "!"])
        } else {
            ""
        };
        format!("{sign}{term}")
    };
    let mut lists = vec![[term(true), term(false), term(false), term(false)].join(",")];
    if random.percent(30) {
        lists.push(
            random
                .pick(&["exec", "-open", "open,close", "all"])
                .to_string(),
        );
    }
    lists
}

/// A point in time within the stream, to the second.
fn point(random: &mut Random, stream: &Stream) -> Point {
    const SECOND: u64 = 1_000_000_000;
    let (first, last) = (
        &stream.messages[0],
        &stream.messages[stream.messages.len() - 1],
    );
    let after = random
        .below(usize::try_from((last.time - first.time) / SECOND).expect("it is short") + 1)
        as u64;
    let second = BEGIN / SECOND + after;
    let (typed, at) = match random.below(4) {
        0 => (format!("+{after}s"), first.time + after * SECOND),
        1 => (
            format!("+{after}.5s"),
            first.time + after * SECOND + SECOND / 2,
        ),
        2 => (clock(second), second * SECOND),
        _ => (format!("{} {}", day(), clock(second)), second * SECOND),
    };
    Point { typed, at }
}
