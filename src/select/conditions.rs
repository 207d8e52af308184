//! Conditions: small values that are parsed once, each with one predicate.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::need::Needles;
use super::place::{Compare, Pattern, Place, Tree, literal};
use crate::model::event::{Event, EventType, File, Process, Text, Value};
use crate::order::fact::Chosen;

/// An alternative of a condition, as it was typed, and whether it has ever matched.
#[derive(Clone, Debug)]
pub struct Alternative<T> {
    /// The value that is compared.
    pub value: T,
    /// The option and its value as typed.
    typed: String,
    has_matched: Arc<AtomicBool>,
}

impl<T> Alternative<T> {
    /// Creates the alternative that was typed like this.
    pub fn new(value: T, typed: String) -> Self {
        Alternative {
            value,
            typed,
            has_matched: Arc::default(),
        }
    }
}

/// The alternatives of one kind of condition: one of them must match. If there are none, there is no condition.
#[derive(Clone, Debug)]
pub struct Kind<T>(pub Vec<Alternative<T>>);

impl<T> Default for Kind<T> {
    fn default() -> Self {
        Kind(Vec::new())
    }
}

impl<T> Kind<T> {
    /// Returns true if there is no condition.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value that is compared.
    pub fn values(&self) -> Vec<T>
    where
        T: Clone,
    {
        let value = |alternative: &Alternative<T>| alternative.value.clone();
        self.0.iter().map(value).collect()
    }

    /// Returns true if there is no condition, or an alternative matches.
    fn holds(&self, matches: impl FnMut(&T) -> bool) -> bool {
        self.0.is_empty() || self.matches(matches)
    }

    /// Returns true if an alternative matches.
    fn matches(&self, mut matches: impl FnMut(&T) -> bool) -> bool {
        let mut any = false;
        for alternative in &self.0 {
            let is_known = alternative.has_matched.load(Ordering::Relaxed);
            // Alternatives that haven't matched yet are checked even if another one matches, to report in the end which
            // never did.
            if (!any || !is_known) && matches(&alternative.value) {
                any = true;
                if !is_known {
                    alternative.has_matched.store(true, Ordering::Relaxed);
                }
            }
        }
        any
    }

    /// The alternatives that have never matched, as typed.
    fn unmatched(&self) -> impl Iterator<Item = &str> {
        self.0
            .iter()
            .filter(|alternative| !alternative.has_matched.load(Ordering::Relaxed))
            .map(|alternative| alternative.typed.as_str())
    }
}

/// Conditions on a process. All kinds must hold.
#[derive(Clone, Debug, Default)]
pub struct Who {
    /// `--pid`
    pub pids: Kind<i32>,
    /// `--user`: effective user ids.
    pub users: Kind<u32>,
    /// `--platform`, `--no-platform`
    pub platform: Option<bool>,
    /// `--team`; empty: no team.
    pub teams: Kind<Vec<u8>>,
    /// `-p`: the place of the executable.
    pub images: Kind<Tree>,
    /// `--name`: the last component of the executable.
    pub names: Kind<Pattern>,
    /// `--signing-id`
    pub signing_ids: Kind<Pattern>,
}

impl Who {
    /// Returns true if there are no conditions.
    pub fn is_empty(&self) -> bool {
        let Who {
            pids,
            users,
            platform,
            teams,
            images,
            names,
            signing_ids,
        } = self;
        pids.is_empty()
            && users.is_empty()
            && platform.is_none()
            && teams.is_empty()
            && images.is_empty()
            && names.is_empty()
            && signing_ids.is_empty()
    }

    /// Returns true if there are conditions on pids, and no others.
    pub fn is_pids_only(&self) -> bool {
        let others = Who {
            pids: Kind::default(),
            ..self.clone()
        };
        !self.pids.is_empty() && others.is_empty()
    }

    /// Returns true if the process meets all kinds. A script that it runs counts as its image, too.
    fn holds(&self, process: &Process<'_>, script: Option<File<'_>>, compare: Compare) -> bool {
        self.pids
            .holds(|pid| process.audit_token.pid() == Some(*pid))
            && self
                .users
                .holds(|uid| process.audit_token.euid() == Some(*uid))
            && self
                .platform
                .is_none_or(|platform| process.is_platform_binary == Some(platform))
            && self.teams.holds(|team| is_of_team(process, team))
            && self
                .images
                .holds(|tree| lies_in(process, script, tree, compare))
            && self.names.holds(|name| is_called(process, name))
            && self.signing_ids.holds(|id| is_signed_as(process, id))
    }

    /// Returns true if the process meets any alternative of any kind.
    fn meets_any(&self, process: &Process<'_>, compare: Compare) -> bool {
        self.pids
            .matches(|pid| process.audit_token.pid() == Some(*pid))
            || self
                .users
                .matches(|uid| process.audit_token.euid() == Some(*uid))
            || self.teams.matches(|team| is_of_team(process, team))
            || self
                .images
                .matches(|tree| lies_in(process, None, tree, compare))
            || self.names.matches(|name| is_called(process, name))
            || self.signing_ids.matches(|id| is_signed_as(process, id))
    }

    /// For each kind, in the order in which they are checked: the number of alternatives, and those that never matched,
    /// as typed.
    fn unmatched(&self) -> [(usize, Vec<&str>); 6] {
        fn of<T>(kind: &Kind<T>) -> (usize, Vec<&str>) {
            (kind.0.len(), kind.unmatched().collect())
        }
        [
            of(&self.pids),
            of(&self.users),
            of(&self.teams),
            of(&self.images),
            of(&self.names),
            of(&self.signing_ids),
        ]
    }
}

fn is_of_team(process: &Process<'_>, team: &[u8]) -> bool {
    match process.team_id {
        Some(own) => *own.bytes() == *team,
        // The team of a process that is known by its token alone isn't known.
        None => team.is_empty() && process.executable.is_some(),
    }
}

fn lies_in(process: &Process<'_>, script: Option<File<'_>>, tree: &Tree, compare: Compare) -> bool {
    let is_in = |path: Text<'_>| tree.contains(&path.bytes(), compare);
    process.image().is_some_and(is_in) || script.is_some_and(|script| is_in(script.path))
}

fn is_called(process: &Process<'_>, name: &Pattern) -> bool {
    let is_it = |path: Text<'_>| name.matches(&path.file_name().bytes(), Compare::Exact);
    process.image().is_some_and(is_it)
}

fn is_signed_as(process: &Process<'_>, id: &Pattern) -> bool {
    process
        .signing_id
        .is_some_and(|own| id.matches(&own.bytes(), Compare::Exact))
}

/// The exclusions, which take precedence over everything else.
#[derive(Clone, Debug, Default)]
pub struct Excluded {
    /// `--not-pid`, `--not-name` and the like: any alternative of any kind.
    pub who: Who,
    /// `--not-target`
    pub targets: Kind<Place>,
}

/// The conditions on an event and on its processes.
#[derive(Clone, Debug, Default)]
pub struct Conditions {
    /// The conditions on the processes that the event belongs to: one of them must meet all.
    pub who: Who,
    /// `-P`: the places of the files of the event.
    pub targets: Kind<Place>,
    /// `-Z`: only events that report a failure.
    pub failed: bool,
    /// The exclusions.
    pub excluded: Excluded,
    /// The way in which paths are compared.
    pub compare: Compare,
}

impl Conditions {
    /// Returns true if the conditions on the event itself hold.
    pub fn select(&self, event: &Event<'_>) -> bool {
        (!self.failed || event.is_failed())
            && self.targets.holds_for(event, self.compare)
            && !self.exclude(event)
    }

    /// The processes that the event belongs to and that meet the conditions: the process that did it, the one on whose
    /// behalf it was done, the image that an exec goes to, the child of a fork.
    pub fn choose(&self, event: &Event<'_>) -> Chosen {
        if self.who.is_empty() {
            return Chosen::all();
        }
        let holds = |process: Option<&Process<'_>>, script, chosen| match process {
            Some(process) if self.who.holds(process, script, self.compare) => chosen,
            _ => Chosen::empty(),
        };
        let name = match event.event_type {
            EventType::Known(row) => row.name,
            EventType::Unknown { .. } => "",
        };
        let process = holds(event.process.as_ref(), None, Chosen::PROCESS);
        match name {
            "exec" => process | holds(event.process_of("target"), script(event), Chosen::OTHER),
            "fork" => process | holds(event.process_of("child"), None, Chosen::OTHER),
            _ => process | holds(event.instigator().as_deref(), None, Chosen::INSTIGATOR),
        }
    }

    /// Returns true if the event is excluded, and then notes the conditions that it would meet.
    fn exclude(&self, event: &Event<'_>) -> bool {
        let is_excluded = self.is_excluded(event);
        if is_excluded {
            let _ = self.choose(event);
        }
        is_excluded
    }

    /// Returns true if the event is excluded. Exclusions look at the event's process alone, and hide an exec only if
    /// both images match.
    fn is_excluded(&self, event: &Event<'_>) -> bool {
        let Excluded { who, targets } = &self.excluded;
        if !targets.is_empty() && targets.matches_in(event, self.compare) {
            return true;
        }
        if who.is_empty() {
            return false;
        }
        let meets = |process: Option<&Process<'_>>| {
            process.is_some_and(|process| who.meets_any(process, self.compare))
        };
        let is_exec = matches!(event.event_type, EventType::Known(row) if row.name == "exec");
        meets(event.process.as_ref()) && (!is_exec || meets(event.process_of("target")))
    }

    /// The conditions that never matched anything, as typed, up to the first kind that never matched at all: later
    /// kinds were hardly checked. Also true if they were checked for only a part of the events, because there are other
    /// conditions.
    pub fn unmatched(&self) -> (Vec<&str>, bool) {
        let targets = (self.targets.0.len(), self.targets.unmatched().collect());
        let kinds: Vec<_> = std::iter::once(targets)
            .chain(self.who.unmatched())
            .collect();
        let asked = kinds.iter().filter(|(count, _)| *count > 0).count();
        let is_narrowed = self.failed || self.who.platform.is_some() || asked > 1;
        let mut all = Vec::new();
        for (count, unmatched) in kinds {
            let is_dead_end = count > 0 && unmatched.len() == count;
            all.extend(unmatched);
            if is_dead_end {
                break;
            }
        }
        (all, is_narrowed)
    }

    /// For each kind of condition, texts one of which stands literally in the JSON of every event that meets it. Kinds
    /// without such texts are left out.
    pub fn needles(&self) -> Vec<Needles> {
        fn of<T>(
            kind: &Kind<T>,
            compare: Compare,
            needles: impl Fn(&T, Compare) -> Option<Vec<Vec<u8>>>,
        ) -> Needles {
            let of_each = |alternative: &Alternative<T>| needles(&alternative.value, compare);
            let all: Option<Vec<_>> = kind.0.iter().map(of_each).collect();
            Needles {
                texts: all.unwrap_or_default().concat(),
                any_case: compare == Compare::WithoutCase,
            }
        }
        let team = |team: &Vec<u8>, compare| {
            let text = std::str::from_utf8(team).ok()?;
            Some(vec![literal(text, compare)?])
        };
        let mut kinds = vec![
            of(&self.who.teams, Compare::Exact, team),
            of(&self.who.names, Compare::Exact, Pattern::needles),
            of(&self.who.signing_ids, Compare::Exact, Pattern::needles),
            of(&self.who.images, self.compare, Tree::needles),
            of(&self.targets, self.compare, Place::needles),
        ];
        kinds.retain(|needles| !needles.texts.is_empty());
        kinds
    }

    /// The same conditions with names compared without case, if a path among them never matched exactly.
    pub fn without_case(&self) -> Option<Conditions> {
        let never = |unmatched: usize, all: usize| all > 0 && unmatched == all;
        let images = &self.who.images;
        let has_paths = never(images.unmatched().count(), images.0.len())
            || never(self.targets.unmatched().count(), self.targets.0.len());
        (has_paths && self.compare == Compare::Exact).then(|| Conditions {
            compare: Compare::WithoutCase,
            ..self.clone()
        })
    }
}

impl Kind<Place> {
    fn holds_for(&self, event: &Event<'_>, compare: Compare) -> bool {
        self.is_empty() || self.matches_in(event, compare)
    }

    /// Returns true if any path of the event lies in one of the places.
    fn matches_in(&self, event: &Event<'_>, compare: Compare) -> bool {
        let mut any = false;
        event.paths(&mut |_, path| {
            let path = path.bytes();
            any |= self.matches(|place| place.contains(&path, compare));
        });
        any
    }
}

fn script<'m>(event: &Event<'m>) -> Option<File<'m>> {
    event.fields.iter().find_map(|field| match field.value {
        Value::File(file) if field.label.known() == Some("script") => Some(file),
        _ => None,
    })
}
