//! The attributes that events are counted by, and the columns of a table for each.

use clap::ValueEnum;

use super::super::columns::Column;
use super::super::words::{class_of, event_name};
use crate::order::fact::{Asks, Fact, Part};

/// The attribute that events are counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum By {
    /// Each event
    Event,
    /// The executable of the process
    Program,
    /// Each file of the event
    File,
    /// The process
    Process,
    /// The folder that a file of the event lies directly in
    Folder,
    /// The effective user of the process
    User,
    /// The team that signed the executable
    Team,
    /// The first class of the event
    Class,
}

impl By {
    /// Calls `each` once with each name by which an event is counted. The process is at `place`.
    pub(super) fn names(self, fact: &Fact<'_>, place: Option<usize>, each: &mut dyn FnMut(&[u8])) {
        match self {
            By::Event => each(&event_name(&fact.event)),
            By::Program => {
                if let Some(image) = fact.image {
                    each(image);
                }
            }
            By::File => each_once(&fact.texts(Part::File), each),
            By::Folder => each_once(&fact.texts(Part::File).map(folder), each),
            By::Process => {
                if let Some(place) = place {
                    each(&place.to_le_bytes());
                }
            }
            By::User => {
                if let Some(euid) = fact.process.and_then(|process| process.euid) {
                    each(euid.to_string().as_bytes());
                }
            }
            By::Team => {
                if fact.process.is_some() {
                    each(fact.text_of(Part::Team).unwrap_or_default());
                }
            }
            By::Class => each(class_of(&fact.event).as_bytes()),
        }
    }

    /// The parts of facts that contain the names.
    pub(super) fn asks(self) -> Asks {
        match self {
            By::Program | By::Team => Asks::IMAGE,
            By::Process => Asks::IMAGE | Asks::COMMAND,
            By::File | By::Folder => Asks::FILES,
            By::Event | By::User | By::Class => Asks::empty(),
        }
    }

    /// Returns true if a process that fails is counted for its name.
    pub(super) fn counts_failed(self) -> bool {
        self.columns().contains(&Cell::Failed)
    }

    /// The columns of a table in text.
    pub(super) fn columns(self) -> &'static [Cell] {
        match self {
            By::Event => &[
                Cell::Events,
                Cell::Percent,
                Cell::Processes,
                Cell::First,
                Cell::Last,
            ],
            By::Program | By::User | By::Team => {
                &[Cell::Events, Cell::Percent, Cell::Processes, Cell::Failed]
            }
            By::File => &[Cell::Events, Cell::Processes],
            By::Folder => &[Cell::Events, Cell::Files, Cell::Processes],
            By::Process => &[Cell::Events, Cell::Percent, Cell::Pid, Cell::Exit],
            By::Class => &[Cell::Events, Cell::Percent, Cell::Processes],
        }
    }

    /// The head of the names in text.
    pub(super) fn head(self) -> &'static str {
        match self {
            By::Event => "EVENT",
            By::Program => "PROGRAM",
            By::File => "FILE",
            By::Process => "COMMAND",
            By::Folder => "FOLDER",
            By::User => "USER",
            By::Team => "TEAM",
            By::Class => "CLASS",
        }
    }

    /// The singular, which is also the key in JSON.
    pub(super) fn one(self) -> &'static str {
        match self {
            By::Event => "event",
            By::Program => "program",
            By::File => "file",
            By::Process => "process",
            By::Folder => "folder",
            By::User => "user",
            By::Team => "team",
            By::Class => "class",
        }
    }

    /// The plural.
    pub(super) fn many(self) -> &'static str {
        match self {
            By::Event => "types of events",
            By::Program => "programs",
            By::File => "files",
            By::Process => "processes",
            By::Folder => "folders",
            By::User => "users",
            By::Team => "teams",
            By::Class => "classes",
        }
    }
}

/// The order of the rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum SortBy {
    /// Most events first
    #[default]
    Events,
    /// Most processes first
    Procs,
    /// Most failed processes first
    Failed,
    /// Earliest first event first
    First,
    /// Latest last event first
    Last,
    /// Alphabetical
    Name,
}

/// Calls `each` once with each of the names.
fn each_once<'n, N>(names: &N, each: &mut dyn FnMut(&[u8]))
where
    N: Iterator<Item = &'n [u8]> + Clone,
{
    for (at, name) in names.clone().enumerate() {
        if !names.clone().take(at).any(|other| other == name) {
            each(name);
        }
    }
}

/// The folder that a path lies directly in.
pub(super) fn folder(path: &[u8]) -> &[u8] {
    match memchr::memrchr(b'/', path) {
        Some(0) => b"/",
        Some(slash) => &path[..slash],
        None => b"",
    }
}

/// The content of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    Events,
    Percent,
    Processes,
    Failed,
    Files,
    First,
    Last,
    Pid,
    Exit,
}

impl Cell {
    /// Its head and its width.
    pub(super) fn column(self) -> Column {
        match self {
            Cell::Events => Column::right("EVENTS", 6),
            Cell::Percent => Column::right("%", 5),
            Cell::Processes => Column::right("PROCS", 6),
            Cell::Failed => Column::right("FAILED", 6),
            Cell::Files => Column::right("FILES", 6),
            Cell::First => Column::left("FIRST", 8),
            Cell::Last => Column::left("LAST", 8),
            Cell::Pid => Column::right("PID", 6),
            Cell::Exit => Column::right("EXIT", 7),
        }
    }
}
