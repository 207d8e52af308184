//! The event types and functions of each macOS, from the tables in `data/`.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

/// A macOS version: major, minor, patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub [u32; 3]);

impl FromStr for Version {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut version = [0; 3];
        let mut parts = text.split('.');
        for (place, part) in version.iter_mut().zip(&mut parts) {
            *place = part
                .parse()
                .map_err(|_| format!("{text}: not a macOS version such as 15.4"))?;
        }
        if parts.next().is_some() {
            return Err(format!("{text}: a macOS version has three numbers at most"));
        }
        Ok(Version(version))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let [major, minor, patch] = self.0;
        write!(f, "{major}.{minor}")?;
        if patch > 0 {
            write!(f, ".{patch}")?;
        }
        Ok(())
    }
}

/// A row of `data/events.tsv`.
#[derive(Debug)]
pub struct EventType {
    /// Its `es_event_type_t`.
    pub number: u32,
    /// The name that eslogger uses.
    pub name: &'static str,
    /// `AUTH`, `NOTIFY` or `RESERVED`.
    pub kind: &'static str,
    /// The first macOS that has it.
    pub since: Version,
    /// The members whose paths muting by target path looks at.
    pub targets: Vec<&'static str>,
}

/// `es_event_type_t`, in the order of the numbers.
pub static EVENT_TYPES: LazyLock<Vec<EventType>> = LazyLock::new(|| {
    let row = |columns: Vec<&'static str>| EventType {
        number: columns[0].parse().expect("a number"),
        name: columns[1],
        kind: columns[2],
        since: columns[3].parse().expect("a version"),
        targets: columns[4].split_whitespace().collect(),
    };
    table(include_str!("../data/events.tsv")).map(row).collect()
});

/// The number of event types that the headers of the newest macOS know.
pub fn known_types() -> u32 {
    EVENT_TYPES.len() as u32
}

/// The number of event types that a macOS knows: its `ES_EVENT_TYPE_LAST`.
pub fn last_type(macos: Version) -> u32 {
    let has = |event: &&EventType| event.since <= macos;
    EVENT_TYPES
        .iter()
        .rev()
        .find(has)
        .map_or(0, |event| event.number + 1)
}

/// The version of a macOS's messages.
pub fn message_version(macos: Version) -> u32 {
    match macos.0 {
        [..=12, ..] => 5,
        [13, ..] => 6,
        [14, ..] => 7,
        [15, ..4, _] => 8,
        [15..=25, ..] => 9,
        [26, ..] => 10,
        _ => 11,
    }
}

/// Returns true if a macOS lacks a function of libEndpointSecurity.
pub fn lacks(macos: Version, function: &str) -> bool {
    static SINCE: LazyLock<HashMap<&str, Version>> = LazyLock::new(|| {
        table(include_str!("../data/functions.tsv"))
            .map(|columns| (columns[0], columns[1].parse().expect("a version")))
            .collect()
    });
    SINCE.get(function).is_some_and(|since| *since > macos)
}

/// The rows of a table after its heading, split at the tabs.
pub fn table(text: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    text.lines().skip(1).map(|row| row.split('\t').collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        text.parse().expect("a version")
    }

    #[test]
    fn versions_are_read_and_compared() {
        assert!(version("15.4") > version("15.0.9"));
        assert!(version("26") < version("27.0"));
        assert_eq!(version("13.6.1").to_string(), "13.6.1");
        assert!("1.2.3.4".parse::<Version>().is_err());
        assert!("Sonoma".parse::<Version>().is_err());
    }

    #[test]
    fn event_types_are_numbered_without_a_gap() {
        for (index, event) in EVENT_TYPES.iter().enumerate() {
            assert_eq!(event.number as usize, index);
        }
    }

    #[test]
    fn older_systems_know_fewer_types_and_functions() {
        assert_eq!(last_type(version("13.0")), 126);
        assert_eq!(last_type(version("15.0")), 147);
        assert_eq!(last_type(version("15.4")), 148);
        assert_eq!(last_type(version("27.0")), known_types());
        assert!(lacks(version("12.6"), "es_invert_muting"));
        assert!(!lacks(version("13.0"), "es_invert_muting"));
        assert!(lacks(version("26.5"), "es_new_descendants_client"));
        assert!(!lacks(version("13.0"), "open"));
    }
}
