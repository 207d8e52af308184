//! Muting: processes, their paths and the paths that events concern are kept from a client; each of these can be
//! inverted.

use std::collections::BTreeSet;

use crate::builder::Record;
use crate::versions::{Version, last_type, table};

/// `es_mute_path_type_t`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathType(pub u32);

impl PathType {
    fn is_target(self) -> bool {
        self.0 >= 2
    }

    fn is_literal(self) -> bool {
        self.0 & 1 == 1
    }
}

/// A muted path, for these event types or for all.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The path and its type.
    pub what: MutedPath,
    /// `None` means all.
    pub events: Option<BTreeSet<u32>>,
}

impl Entry {
    fn covers(&self, event: u32) -> bool {
        self.events
            .as_ref()
            .is_none_or(|events| events.contains(&event))
    }
}

/// Muted paths, an entry for each.
#[derive(Clone, Debug, Default)]
pub struct Entries(pub Vec<Entry>);

impl Entries {
    /// Mutes for more event types, or for all.
    pub fn mute(&mut self, what: MutedPath, events: Option<&[u32]>) {
        let events = events.map(|events| events.iter().copied().collect::<BTreeSet<_>>());
        match self.0.iter_mut().find(|entry| entry.what == what) {
            Some(entry) => match (&mut entry.events, events) {
                (Some(old), Some(new)) => old.extend(new),
                (old, _) => *old = None,
            },
            None => self.0.push(Entry { what, events }),
        }
    }

    /// Unmutes for all event types; returns false if nothing was muted.
    pub fn unmute(&mut self, what: &MutedPath) -> bool {
        let before = self.0.len();
        self.0.retain(|entry| entry.what != *what);
        self.0.len() < before
    }
}

/// A muted path.
pub type MutedPath = (PathType, Vec<u8>);

/// Everything that a client has muted.
#[derive(Clone, Debug, Default)]
pub struct Muting {
    /// By the path of the process or of the target.
    pub paths: Entries,
    /// By audit token.
    pub processes: BTreeSet<[u32; 8]>,
    /// Process, path, target path: `es_mute_inversion_type_t`.
    pub inverted: [bool; 3],
    /// True if processes are muted by votes, in which instigators take part, too: since macOS 27.
    pub by_votes: bool,
}

impl Muting {
    /// The paths that are muted for every new client, from `data/muted.tsv`. macOS's own list isn't published and
    /// changes. This one is of the same kind, so that a program that wants everything must clear it here, too.
    pub fn of_new_client(macos: Version) -> Self {
        let mut muting = Muting {
            by_votes: macos.0[0] >= 27,
            ..Muting::default()
        };
        for columns in table(include_str!("../../data/muted.tsv")) {
            let kind = PathType(columns[0].parse().expect("a number"));
            let events = columns[2]
                .split_whitespace()
                .map(|number| number.parse().expect("a number"));
            let events: Vec<u32> = events.filter(|event| *event < last_type(macos)).collect();
            let events = (!events.is_empty()).then_some(events.as_slice());
            muting
                .paths
                .mute((kind, columns[1].as_bytes().to_vec()), events);
        }
        muting
    }

    /// Unmutes all paths of processes, or of targets.
    pub fn unmute_all_paths(&mut self, target: bool) {
        self.paths
            .0
            .retain(|entry| entry.what.0.is_target() != target);
    }

    /// Returns true if a message is kept from the client: if one of the three tests suppresses it (ESClient.h).
    pub fn mutes(&self, record: &Record) -> bool {
        let by_path = || self.has_path(&record.executable, false, record.event_type);
        self.mutes_processes(record) || by_path() != self.inverted[1] || self.mutes_targets(record)
    }

    /// Since macOS 27, the process that sent the event and the one on whose behalf it was sent both vote. A vote for
    /// suppressing the event wins, then one for delivering it; without any vote it is suppressed. Before macOS 27,
    /// the sender decides alone.
    fn mutes_processes(&self, record: &Record) -> bool {
        let instigator = record.instigator.filter(|_| self.by_votes);
        let voters = record.token.into_iter().chain(instigator);
        let mut listed = voters.map(|token| self.processes.contains(&token));
        // A listed process votes for suppressing, every other one for delivering. With inversion, a listed one votes
        // for delivering, and others don't vote.
        listed.any(|listed| listed) != self.inverted[0]
    }

    /// An event with several paths is muted if all of them are muted; with inversion, it is selected if any of them
    /// is. An event of a type that has no paths is delivered in either case.
    fn mutes_targets(&self, record: &Record) -> bool {
        let Some(targets) = &record.targets else {
            return false;
        };
        let mut muted = targets
            .iter()
            .map(|target| self.has_path(target, true, record.event_type));
        if self.inverted[2] {
            !muted.any(|muted| muted)
        } else {
            !targets.is_empty() && muted.all(|muted| muted)
        }
    }

    fn has_path(&self, path: &[u8], target: bool, event: u32) -> bool {
        self.paths.0.iter().any(|entry| {
            let (kind, muted) = &entry.what;
            kind.is_target() == target
                && entry.covers(event)
                && if kind.is_literal() {
                    path == muted.as_slice()
                } else {
                    path.starts_with(muted)
                }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builder::message;
    use crate::json;

    const PREFIX: PathType = PathType(0);
    const LITERAL: PathType = PathType(1);
    const TARGET_PREFIX: PathType = PathType(2);

    fn macos(version: &str) -> Version {
        version.parse().expect("a version")
    }

    fn parsed(text: &str) -> Record {
        let values: Vec<_> = json::values(text.as_bytes()).collect();
        message(&values[0].as_ref().expect("JSON").1, None).expect("a message")
    }

    fn record() -> Record {
        parsed(
            r#"{"process":{"executable":{"path":"/usr/bin/tool"},"audit_token":[1,2,3,4,5,6,7,8]},
            "event":{"clone":{"source":{"path":"/a/b"},"target_dir":{"path":"/c"},"target_name":"d"}}}"#,
        )
    }

    const CLONE: u32 = 61;

    #[test]
    fn paths_are_muted_by_prefix_or_as_a_whole_and_for_some_events() {
        let record = record();
        let mut muting = Muting::default();
        assert!(!muting.mutes(&record));
        muting.paths.mute((LITERAL, b"/usr/bin".to_vec()), None);
        assert!(!muting.mutes(&record));
        muting
            .paths
            .mute((PREFIX, b"/usr/b".to_vec()), Some(&[CLONE + 1]));
        assert!(!muting.mutes(&record));
        muting
            .paths
            .mute((PREFIX, b"/usr/b".to_vec()), Some(&[CLONE]));
        assert!(muting.mutes(&record));
        assert!(muting.paths.unmute(&(PREFIX, b"/usr/b".to_vec())));
        assert!(!muting.mutes(&record));
        assert!(!muting.paths.unmute(&(PREFIX, b"/other".to_vec())));
    }

    #[test]
    fn an_event_with_two_targets_is_muted_where_both_are() {
        let record = record();
        let mut muting = Muting::default();
        muting.paths.mute((TARGET_PREFIX, b"/a".to_vec()), None);
        assert!(!muting.mutes(&record));
        muting.inverted[2] = true;
        assert!(!muting.mutes(&record));
        muting.inverted[2] = false;
        muting.paths.mute((TARGET_PREFIX, b"/c/d".to_vec()), None);
        assert!(muting.mutes(&record));
        muting.unmute_all_paths(true);
        assert!(!muting.mutes(&record));
        muting.inverted[2] = true;
        assert!(muting.mutes(&record));
    }

    #[test]
    fn processes_are_muted_or_selected() {
        let record = record();
        let mut muting = Muting::default();
        muting.processes.insert([1, 2, 3, 4, 5, 6, 7, 8]);
        assert!(muting.mutes(&record));
        muting.inverted[0] = true;
        assert!(!muting.mutes(&record));
        assert!(muting.processes.remove(&[1, 2, 3, 4, 5, 6, 7, 8]));
        assert!(muting.mutes(&record));
    }

    #[test]
    fn events_without_targets_pass_whatever_targets_are_selected() {
        let exit = parsed(r#"{"process":null,"event":{"exit":{"stat":0}}}"#);
        let mut muting = Muting::default();
        muting.inverted[2] = true;
        assert!(!muting.mutes(&exit));
        // An event of a type that has targets, but has none in this message, isn't selected.
        let check = parsed(r#"{"process":null,"event":{"proc_check":{"target":null}}}"#);
        assert!(muting.mutes(&check));
        muting.inverted[2] = false;
        assert!(!muting.mutes(&check));
    }

    #[test]
    fn an_exec_is_selected_by_its_executable_alone() {
        let exec = parsed(
            r#"{"process":null,"event":{"exec":{"target":{"executable":{"path":"/bin/sh"}},
                "script":{"path":"/a/script"},"cwd":{"path":"/a"},"args":["/a/script"]}}}"#,
        );
        let mut muting = Muting::default();
        muting.inverted[2] = true;
        muting.paths.mute((TARGET_PREFIX, b"/a".to_vec()), None);
        assert!(muting.mutes(&exec));
        muting.paths.mute((TARGET_PREFIX, b"/bin".to_vec()), None);
        assert!(!muting.mutes(&exec));
    }

    #[test]
    fn since_27_the_instigator_votes_too() {
        const SENDER: [u32; 8] = [0, 0, 0, 0, 0, 1, 0, 1];
        const INSTIGATOR: [u32; 8] = [501, 501, 20, 501, 20, 9, 100, 5];
        for event in [
            r#""bootstrap_look_up":{"instigator":{"audit_token":[501,501,20,501,20,9,100,5]}}"#,
            r#""od_create_user":{"instigator":null,"instigator_token":[501,501,20,501,20,9,100,5]}"#,
            r#""authentication":{"data":{"od":{"instigator":{"audit_token":[501,501,20,501,20,9,100,5]}}}}"#,
        ] {
            let record = parsed(&format!(
                r#"{{"process":{{"audit_token":[0,0,0,0,0,1,0,1]}},"event":{{{event}}}}}"#
            ));
            let mutes = |muted: &[[u32; 8]], inverted, version| {
                let mut muting = Muting::of_new_client(macos(version));
                muting.processes.extend(muted);
                muting.inverted[0] = inverted;
                muting.mutes(&record)
            };
            for version in ["26.4", "27.0"] {
                assert!(!mutes(&[], false, version), "{event}");
                assert!(mutes(&[SENDER], false, version), "{event}");
                assert!(mutes(&[], true, version), "{event}");
                assert!(!mutes(&[SENDER], true, version), "{event}");
            }
            assert!(!mutes(&[INSTIGATOR], false, "26.4"), "{event}");
            assert!(mutes(&[INSTIGATOR], false, "27.0"), "{event}");
            assert!(mutes(&[INSTIGATOR], true, "26.4"), "{event}");
            assert!(!mutes(&[INSTIGATOR], true, "27.0"), "{event}");
        }
    }

    #[test]
    fn a_new_client_has_muted_paths() {
        let mut muting = Muting::of_new_client(macos("15.4"));
        assert!(!muting.paths.0.is_empty());
        muting.unmute_all_paths(false);
        muting.unmute_all_paths(true);
        assert!(muting.paths.0.is_empty());
    }
}
