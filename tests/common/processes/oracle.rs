//! The events of a stream that are shown, according to the manual: the processes that an event belongs to, the
//! conditions that they and its files meet, and the exclusions.

use std::collections::HashMap;

use super::options::Options;
use super::stream::{Message, Other, Process, Stream};

/// The events that begin, change and end processes.
const LIVES: [&str; 3] = ["fork", "exec", "exit"];

/// The numbers of the messages that are shown.
pub fn shown(stream: &Stream, options: &Options) -> Vec<u64> {
    let exact = matching(stream, options, false);
    let has_paths = !options.paths.is_empty() || !options.targets.is_empty();
    if exact.is_empty() && has_paths && !options.is_live {
        return matching(stream, options, true);
    }
    exact
}

fn matching(stream: &Stream, options: &Options, folds: bool) -> Vec<u64> {
    let mut tree = Tree::default();
    let shown = stream.messages.iter().filter(|message| {
        let is_about = |places: &[String]| {
            let file = |file: &String| places.iter().any(|place| lies_in(file, place, folds));
            message.files.iter().any(file)
        };
        let is_selected = options.selects(message.event)
            && (!options.failed || message.is_failure)
            && (options.targets.is_empty() || is_about(&options.targets))
            && !is_about(&options.not_targets)
            && !is_hidden(options, message, folds);
        let chosen = processes(message)
            .into_iter()
            .filter(|who| is_chosen(options, who, folds))
            .map(|who| who.process);
        let belongs = if !options.follows {
            chosen.count() > 0
        } else if options.ends() && tree.is_over() {
            false
        } else if is_selected || LIVES.contains(&message.event) {
            // The other events that are shown depend on their processes' origin.
            tree.belongs(message, &chosen.collect::<Vec<_>>())
        } else {
            false
        };
        let (since, until) = (&options.since, &options.until);
        is_selected
            && belongs
            && since.as_ref().is_none_or(|since| message.time >= since.at)
            && until.as_ref().is_none_or(|until| message.time <= until.at)
    });
    let numbers = shown.map(|message| message.number);
    numbers.take(options.limit.unwrap_or(usize::MAX)).collect()
}

/// A process that an event belongs to.
struct Who<'m> {
    process: &'m Process,
    script: Option<&'m str>,
    /// True if nothing but its audit token is known.
    is_token: bool,
}

fn processes(message: &Message) -> Vec<Who<'_>> {
    let who = |process| Who {
        process,
        script: None,
        is_token: false,
    };
    let other = match &message.other {
        Other::None => None,
        Other::Child(process) | Other::Instigator(process) => Some(who(process)),
        Other::Target(process, script) => Some(Who {
            script: script.as_deref(),
            ..who(process)
        }),
        Other::Token(process) => Some(Who {
            is_token: true,
            ..who(process)
        }),
    };
    [Some(who(&message.process)), other]
        .into_iter()
        .flatten()
        .collect()
}

/// Returns true if the process meets a condition of every kind.
fn is_chosen(options: &Options, who: &Who<'_>, folds: bool) -> bool {
    let Who {
        process,
        script,
        is_token,
    } = who;
    let image = process.image;
    let kind = |is_empty: bool, needs_more: bool, meets: bool| {
        is_empty || meets && !(needs_more && *is_token)
    };
    let name = name_of(image.path);
    kind(
        options.pids.is_empty(),
        false,
        options.pids.contains(&process.pid),
    ) && kind(
        options.users.is_empty(),
        false,
        options.users.contains(&process.euid),
    ) && kind(
        options.platform.is_none(),
        true,
        options.platform == Some(image.is_platform),
    ) && kind(
        options.teams.is_empty(),
        true,
        options.teams.iter().any(|team| team == image.team),
    ) && kind(
        options.paths.is_empty(),
        true,
        options.paths.iter().any(|path| {
            lies_under(image.path, path, folds)
                || script.is_some_and(|script| lies_under(script, path, folds))
        }),
    ) && kind(
        options.names.is_empty(),
        true,
        options.names.iter().any(|glob| matches(glob, name)),
    ) && kind(
        options.signing_ids.is_empty(),
        true,
        options
            .signing_ids
            .iter()
            .any(|glob| matches(glob, image.signing_id)),
    )
}

/// Returns true if an exclusion matches the event's process; for an exec, either image.
fn is_hidden(options: &Options, message: &Message, folds: bool) -> bool {
    let is_met = |process: &Process| {
        let image = process.image;
        options.not_pids.contains(&process.pid)
            || options.not_users.contains(&process.euid)
            || options.not_teams.iter().any(|team| team == image.team)
            || options
                .not_paths
                .iter()
                .any(|path| lies_under(image.path, path, folds))
            || options
                .not_names
                .iter()
                .any(|glob| matches(glob, name_of(image.path)))
            || options
                .not_signing_ids
                .iter()
                .any(|glob| matches(glob, image.signing_id))
    };
    let target = match &message.other {
        Other::Target(process, _) => is_met(process),
        _ => true,
    };
    is_met(&message.process) && target
}

/// The processes that `-f` follows, by their keys.
#[derive(Default)]
struct Tree {
    /// The members, and the time when each became one, in microseconds.
    members: HashMap<usize, u64>,
    /// The key of the process that was last seen with a pid.
    seen: HashMap<i32, usize>,
    /// The exit time of each process whose exit was seen, in microseconds.
    exited: HashMap<usize, u64>,
}

impl Tree {
    /// Records an event, and returns true if one of its processes is a member.
    fn belongs(&mut self, message: &Message, chosen: &[&Process]) -> bool {
        let now = message.time / 1000;
        let mut belongs = false;
        for who in processes(message) {
            let process = who.process;
            let is_child =
                matches!(message.other, Other::Child(_)) && process.key != message.process.key;
            let is_chosen = chosen.iter().any(|chosen| chosen.key == process.key);
            if !is_child && !who.is_token && self.is_orphan(process) {
                self.join(process, process.start);
            } else if is_chosen || is_child && self.members.contains_key(&message.process.key) {
                self.join(process, now);
            }
            if !who.is_token {
                self.seen.insert(process.pid, process.key);
            }
            belongs |= self.members.contains_key(&process.key);
        }
        if message.event == "exit" {
            self.exited.insert(message.process.key, now);
        }
        belongs
    }

    /// Returns true if all members have exited.
    fn is_over(&self) -> bool {
        let has_exited = |member| self.exited.contains_key(member);
        !self.members.is_empty() && self.members.keys().all(has_exited)
    }

    fn join(&mut self, process: &Process, since: u64) {
        self.members.entry(process.key).or_insert(since);
    }

    /// Returns true if the fork of the process is missing, and its parent was a member by then. A parent is known by
    /// its pid; launchd takes over the children of others.
    fn is_orphan(&self, process: &Process) -> bool {
        let parent = (process.ppid != 1).then_some(process.ppid);
        let parents = parent.into_iter().chain([process.original_ppid]);
        let mut parents = parents.filter_map(|pid| self.seen.get(&pid));
        parents.any(|parent| {
            let since = self.members.get(parent);
            let exited = self.exited.get(parent);
            since.is_some_and(|since| process.start >= *since)
                && exited.is_none_or(|exited| process.start <= *exited)
        })
    }
}

fn name_of(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

/// A path in the form in which APFS compares it, as far as the streams need it.
fn normal(path: &str, folds: bool) -> String {
    let composed = path
        .replace("e\u{301}", "\u{e9}")
        .replace("U\u{308}", "\u{dc}");
    if folds {
        composed.to_lowercase()
    } else {
        composed
    }
}

const DATA: &str = "/System/Volumes/Data";
/// The folders of the data volume that are seen at the root.
const FIRM: [&str; 6] = [
    "/Users",
    "/Applications",
    "/Library",
    "/private",
    "/opt",
    "/usr/local",
];
/// Links that every Mac has.
const LINKS: [(&str, &str); 6] = [
    ("/tmp", "/private/tmp"),
    ("/var", "/private/var"),
    ("/etc", "/private/etc"),
    (
        "/Applications/Safari.app",
        "/System/Cryptexes/App/System/Applications/Safari.app",
    ),
    (
        "/System/Cryptexes/App",
        "/System/Volumes/Preboot/Cryptexes/App",
    ),
    (
        "/System/Cryptexes/OS",
        "/System/Volumes/Preboot/Cryptexes/OS",
    ),
];

fn is_under(path: &str, tree: &str) -> bool {
    let tree = tree.trim_end_matches('/');
    path.strip_prefix(tree)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// All names of a path: its names through links, and on the data volume.
fn names(path: &str) -> Vec<String> {
    let mut names = vec![path.to_owned()];
    let mut at = 0;
    while let Some(name) = names.get(at).cloned() {
        at += 1;
        let mut others = Vec::new();
        for (link, target) in LINKS {
            others.extend(is_under(&name, target).then(|| name.replacen(target, link, 1)));
            others.extend(is_under(&name, link).then(|| name.replacen(link, target, 1)));
        }
        if FIRM.iter().any(|root| is_under(&name, root)) {
            others.push(format!("{DATA}{name}"));
        }
        if let Some(rest) = name.strip_prefix(DATA) {
            others.extend(
                FIRM.iter()
                    .any(|root| is_under(rest, root))
                    .then(|| rest.to_owned()),
            );
        }
        for other in others {
            if !names.contains(&other) {
                names.push(other);
            }
        }
    }
    names
}

/// Returns true if the path is the tree's root or lies under it. A path on the data volume doesn't count as lying
/// under `/System`, where that is mounted.
fn lies_under(path: &str, tree: &str, folds: bool) -> bool {
    let mut whole = Vec::new();
    for component in tree.split('/').filter(|component| !component.is_empty()) {
        if component == ".." {
            whole.pop();
        } else {
            whole.push(component);
        }
    }
    let tree = normal(&format!("/{}", whole.join("/")), folds);
    names_for(path, &tree)
        .iter()
        .any(|name| is_under(&normal(name, folds), &tree))
}

fn names_for(path: &str, place: &str) -> Vec<String> {
    let is_data = place.to_lowercase().starts_with(&DATA.to_lowercase());
    let mut names = names(path);
    names.retain(|name| !name.starts_with(DATA) || is_data || *name == path);
    names
}

/// Returns true if the path lies in a place as `-P` takes it: a tree or a pattern.
fn lies_in(path: &str, place: &str, folds: bool) -> bool {
    if !place.contains(['*', '?', '[', '{']) {
        return lies_under(path, place, folds);
    }
    let place = normal(place, folds);
    if place.contains('/') {
        names_for(path, &place)
            .iter()
            .any(|name| matches(&place, &normal(name, folds)))
    } else {
        matches(&place, &normal(name_of(path), folds))
    }
}

/// Returns true if the whole text matches the pattern, by the rules of ripgrep's `-g`.
fn matches(pattern: &str, text: &str) -> bool {
    if let Some((before, rest)) = pattern.split_once('{') {
        let (alternatives, after) = rest.split_once('}').expect("it is closed");
        let mut alternatives = alternatives.split(',');
        return alternatives.any(|part| matches(&format!("{before}{part}{after}"), text));
    }
    let chars = |text: &str| normal(text, false).chars().collect::<Vec<_>>();
    let pattern = chars(pattern.strip_prefix("**/").map_or(pattern, |_| pattern));
    glob(&pattern, &chars(text), true)
}

fn glob(pattern: &[char], text: &[char], is_start: bool) -> bool {
    match pattern {
        [] => text.is_empty(),
        ['*', '*', '/', rest @ ..] if is_start => {
            glob(rest, text, false)
                || (0..text.len()).any(|at| text[at] == '/' && glob(rest, &text[at + 1..], false))
        }
        ['/', '*', '*'] => text.len() > 1 && text[0] == '/',
        ['/', '*', '*', '/', ..] => {
            text.first() == Some(&'/')
                && (0..text.len())
                    .any(|at| text[at] == '/' && glob(&pattern[3..], &text[at..], false))
        }
        ['*', rest @ ..] => {
            let stop = text.iter().position(|c| *c == '/').unwrap_or(text.len());
            (0..=stop).any(|at| glob(rest, &text[at..], false))
        }
        ['?', rest @ ..] => {
            text.first().is_some_and(|c| *c != '/') && glob(rest, &text[1..], false)
        }
        ['[', rest @ ..] => {
            let close = rest.iter().position(|c| *c == ']').expect("it is closed");
            text.first().is_some_and(|c| rest[..close].contains(c))
                && glob(&rest[close + 1..], &text[1..], false)
        }
        [c, rest @ ..] => text.first() == Some(c) && glob(rest, &text[1..], false),
    }
}
