//! `-e`: the selection of events.

use anyhow::{Result, anyhow, bail};

use crate::model::catalogue::{self, COUNT, Class, ROWS, Row};
use crate::model::event::EventType;
use crate::text::escape;

/// The events that `-e` selects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    known: [bool; COUNT],
    /// True if events unknown to this build are selected: they are if the selection starts from `all`.
    unknown: bool,
    /// The events that were selected by their own names: a missing one has to be reported.
    named: [bool; COUNT],
}

impl Selection {
    /// Every event.
    pub const ALL: Selection = Selection {
        known: [true; COUNT],
        unknown: true,
        named: [false; COUNT],
    };
    const NONE: Selection = Selection {
        known: [false; COUNT],
        unknown: false,
        named: [false; COUNT],
    };

    /// The selection of the lists given with `-e`, read from left to right: a name, a pattern with `*`, a
    /// `%class` or `all`; with `-` or `!` before it, what it names is removed. No list, or one that starts
    /// with a removal, starts from all.
    ///
    /// # Errors
    /// A term that names no event: the error suggests the nearest name.
    pub fn parse(lists: &[String]) -> Result<Selection> {
        let mut selection: Option<Selection> = None;
        for term in lists.iter().flat_map(|list| list.split(',')).map(str::trim) {
            let removed = term.strip_prefix(['-', '!']);
            let selected = selection.get_or_insert(match removed {
                Some(_) => Selection::ALL,
                None => Selection::NONE,
            });
            let name = removed.unwrap_or(term);
            if name == "all" {
                *selected = match removed {
                    Some(_) => Selection::NONE,
                    None => Selection {
                        named: selected.named,
                        ..Selection::ALL
                    },
                };
                continue;
            }
            let is_meant = matcher(name)?;
            let is_name = !name.contains('*') && !name.starts_with('%');
            for (index, row) in ROWS.iter().enumerate() {
                if is_meant(row) {
                    selected.known[index] = removed.is_none();
                    selected.named[index] = removed.is_none() && (selected.named[index] || is_name);
                }
            }
        }
        Ok(selection.unwrap_or(Selection::ALL))
    }

    /// Adds the event with this name to the selection.
    pub fn add(&mut self, name: &str) {
        if let Some(row) = catalogue::by_name(name.as_bytes()) {
            self.known[row.index()] = true;
        }
    }

    /// The events that are selected by their own names but that the system lacks. `has` returns true for the events
    /// that it has.
    #[cfg(any(target_os = "macos", test))]
    pub fn lacking(&self, has: impl Fn(&Row) -> bool) -> Vec<&'static Row> {
        let lacks = |row: &&Row| self.is_named(row) && !has(row);
        ROWS.iter().filter(lacks).collect()
    }

    /// Returns true if the event is selected.
    pub fn contains(&self, event_type: EventType<'_>) -> bool {
        match event_type {
            EventType::Known(row) => self.known[row.index()],
            EventType::Unknown { .. } => self.unknown,
        }
    }

    /// Returns true if the event is selected by its own name, and not only as one of a class, a pattern or all.
    #[cfg(any(target_os = "macos", test))]
    fn is_named(&self, row: &Row) -> bool {
        self.named[row.index()]
    }

    /// The names of the selected events, if all of them are known.
    pub fn names(&self) -> Option<Vec<&'static str>> {
        let selected = |(row, known): (&Row, &bool)| known.then_some(row.name);
        (!self.unknown).then(|| ROWS.iter().zip(&self.known).filter_map(selected).collect())
    }
}

/// Returns true if an event is one of those that a name stands for.
type Matcher<'n> = Box<dyn Fn(&Row) -> bool + 'n>;

/// Creates the test for the events that `name` stands for.
fn matcher(name: &str) -> Result<Matcher<'_>> {
    if name.is_empty() {
        bail!("an event's name is missing in the list of events");
    }
    if let Some(class) = name.strip_prefix('%') {
        let Some(class) = Class::by_name(class) else {
            let names: Vec<_> = Class::all().names().collect();
            bail!(
                "unknown class '{}'{}\nthe classes are {}",
                escape::name(name),
                suggest(name, names.iter().map(String::as_str)),
                names.join(" ")
            );
        };
        return Ok(Box::new(move |row| row.classes.contains(class)));
    }
    if name.contains('*') {
        let matches = move |row: &Row| matches_pattern(name.as_bytes(), row.name.as_bytes());
        if !ROWS.iter().any(matches) {
            bail!(
                "no event's name matches '{}' (--list-events prints them all)",
                escape::name(name)
            );
        }
        return Ok(Box::new(matches));
    }
    let named = named(name)?;
    Ok(Box::new(move |row| row.number == named.number))
}

/// The event that `name` stands for: its short name, or its name in `<EndpointSecurity/ESTypes.h>`, with or without the
/// prefix (`ES_EVENT_TYPE_NOTIFY_EXEC`, `NOTIFY_EXEC`, `EXEC`).
///
/// # Errors
/// There is no such event.
pub fn named(name: &str) -> Result<&'static Row> {
    let short = name.strip_prefix("ES_EVENT_TYPE_").unwrap_or(name);
    let short = short.strip_prefix("NOTIFY_").unwrap_or(short);
    let is_upper = !short.contains(|c: char| c.is_ascii_lowercase());
    let by_header = || catalogue::by_name(short.to_ascii_lowercase().as_bytes());
    let row = catalogue::by_name(name.as_bytes()).or_else(|| is_upper.then(by_header).flatten());
    row.ok_or_else(|| {
        anyhow!(
            "unknown event '{}'{} (--list-events prints them all)",
            escape::name(name),
            suggest(short, ROWS.iter().map(|row| row.name))
        )
    })
}

/// `: did you mean 'NAME'?`, if a name is similar.
fn suggest<'n>(name: &str, names: impl Iterator<Item = &'n str>) -> String {
    let distance = |known: &str| strsim::damerau_levenshtein(&name.to_lowercase(), known);
    names
        .map(|known| (distance(known), known))
        .min()
        .filter(|(distance, known)| *distance <= known.len().max(3) / 3)
        .map_or_else(String::new, |(_, known)| {
            format!(": did you mean '{known}'?")
        })
}

/// Returns true if `name` matches `pattern`, in which `*` stands for any bytes.
fn matches_pattern(pattern: &[u8], name: &[u8]) -> bool {
    match pattern.split_first() {
        None => name.is_empty(),
        Some((b'*', rest)) => (0..=name.len()).any(|at| matches_pattern(rest, &name[at..])),
        Some((byte, rest)) => name.first() == Some(byte) && matches_pattern(rest, &name[1..]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selected(lists: &[&str]) -> Vec<&'static str> {
        let lists: Vec<_> = lists.iter().map(ToString::to_string).collect();
        let selection = Selection::parse(&lists).expect("the list is right");
        let names = ROWS
            .iter()
            .zip(selection.known)
            .filter_map(|(row, known)| known.then_some(row.name));
        names.collect()
    }

    fn refused(list: &str) -> String {
        Selection::parse(&[list.to_owned()])
            .expect_err("the list is wrong")
            .to_string()
    }

    #[test]
    fn lists_are_read_from_left_to_right() {
        assert_eq!(selected(&["open,close,fork"]), ["open", "fork", "close"]);
        assert_eq!(selected(&["open", "close"]), ["open", "close"]);
        assert_eq!(selected(&["open,-open,open"]), ["open"]);
        assert_eq!(selected(&["open,close,-open"]), ["close"]);
        assert_eq!(selected(&[" open , close "]), ["open", "close"]);
        assert_eq!(
            selected(&["ES_EVENT_TYPE_NOTIFY_EXEC,NOTIFY_OPEN,CLOSE"]),
            ["exec", "open", "close"]
        );
        assert_eq!(selected(&["EXEC,EXIT,-NOTIFY_EXIT"]), ["exec"]);
        assert_eq!(selected(&["all,-all"]), [""; 0]);
        assert_eq!(selected(&["all"]).len(), COUNT);
        assert_eq!(selected(&[]).len(), COUNT);
    }

    #[test]
    fn a_list_that_starts_with_a_removal_starts_from_all() {
        assert_eq!(selected(&["-mprotect"]), selected(&["all,!mprotect"]));
        assert_eq!(selected(&["!mprotect"]).len(), COUNT - 1);
        assert!(!selected(&["-%file,-od_*", "-exec"]).contains(&"open"));
        assert_eq!(selected(&["-all", "open"]), ["open"]);
    }

    #[test]
    fn patterns_and_classes_stand_for_many() {
        assert_eq!(
            selected(&["get_task*"]),
            [
                "get_task",
                "get_task_name",
                "get_task_read",
                "get_task_inspect"
            ]
        );
        assert_eq!(selected(&["*_bind,uipc_*t"]), ["uipc_bind", "uipc_connect"]);
        assert_eq!(selected(&["%memory"]), ["mmap", "mprotect"]);
        assert_eq!(selected(&["%memory,-m*p"]), ["mprotect"]);
        assert_eq!(selected(&["*"]).len(), COUNT);
    }

    #[test]
    fn events_that_are_not_known_belong_to_all() {
        let unknown = |list: &str| {
            Selection::parse(&[list.to_owned()])
                .expect("the list is right")
                .unknown
        };
        assert!(unknown("all") && unknown("-open") && unknown("open,all"));
        assert!(!unknown("open") && !unknown("*") && !unknown("all,-all,%file"));
    }

    #[test]
    fn what_was_named_is_known() {
        let named = |list: &str| -> Vec<_> {
            let selection = Selection::parse(&[list.to_owned()]).expect("the list is right");
            let named = ROWS.iter().filter(|row| selection.is_named(row));
            named.map(|row| row.name).collect()
        };
        assert_eq!(named("%process,get_*,all"), [""; 0]);
        assert_eq!(named("open,exec,%process,all"), ["exec", "open"]);
        assert_eq!(named("open,-all,fork"), ["fork"]);
        assert_eq!(named("all,open,exec,-open"), ["exec"]);
        assert_eq!(named("-open,fork"), ["fork"]);
    }

    #[test]
    fn a_misspelt_name_is_refused_with_the_nearest() {
        assert!(refused("opne").contains("unknown event 'opne': did you mean 'open'?"));
        assert!(refused("exec,-Exit").contains("did you mean 'exit'?"));
        assert!(refused("%flie").contains("did you mean '%file'?"));
        assert!(refused("%FILE").contains("did you mean '%file'?"));
        assert!(refused("xyzzyplugh").contains("unknown event 'xyzzyplugh' (--list-events"));
        assert!(refused("zz*").contains("no event's name matches 'zz*'"));
        assert!(refused("open,,close").contains("missing"));
        assert!(refused("").contains("missing"));
        assert!(refused("-").contains("missing"));
    }
}
