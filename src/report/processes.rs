//! The processes of a trace, as far as its events show: who they are, who started them, how they ended.

use std::collections::VecDeque;

use hashbrown::HashMap;

use crate::model::event::{Text, Timestamp};
use crate::model::wait::Wait;
use crate::order::fact::{Actor, Fact, Life, Part};
use crate::text::escape;

/// Arguments of a command.
#[derive(Clone, Debug, Default)]
pub struct Arguments {
    bytes: Box<[u8]>,
    ends: Box<[usize]>,
}

impl Arguments {
    fn of<'a>(arguments: impl Iterator<Item = &'a [u8]>) -> Arguments {
        let mut bytes = Vec::new();
        let mut ends = Vec::new();
        for argument in arguments {
            bytes.extend_from_slice(argument);
            ends.push(bytes.len());
        }
        Arguments {
            bytes: bytes.into(),
            ends: ends.into(),
        }
    }

    /// Iterates over the arguments.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        self.ends.iter().map(move |end| {
            let argument = &self.bytes[start..*end];
            start = *end;
            argument
        })
    }
}

/// A process. It stays the same process through all its images.
#[derive(Debug, Default)]
pub struct Process<T> {
    /// Process id.
    pub pid: i32,
    /// The time of its fork, according to its messages.
    start: Option<Timestamp>,
    /// The time at which its fork was seen.
    pub forked: Option<Timestamp>,
    /// True if its fork was seen, with or without a time.
    pub is_forked: bool,
    /// The time of its first event.
    first: Option<Timestamp>,
    /// The place of the process that forked it, if the fork was seen.
    parent: Option<usize>,
    /// The pid of the process that forked it, according to its messages.
    pub ppid: Option<i32>,
    /// The pid of the process that is responsible for it.
    pub responsible: Option<i32>,
    /// Effective user id.
    pub euid: Option<u32>,
    /// The executable that it runs.
    pub image: Box<[u8]>,
    /// The arguments of its last exec; None if no exec was seen.
    pub arguments: Option<Arguments>,
    /// The label, if it is a launchd job.
    pub job: Option<Box<[u8]>>,
    /// `pidversion` of the image.
    version: i64,
    /// Its end, if it has ended.
    pub end: Option<End>,
    /// True if it did something that is shown, or was forked by a fork that is shown.
    pub is_seen: bool,
    /// True if it has ended, or another process has its pid.
    pub is_gone: bool,
    /// The counts that a report keeps for it.
    pub data: T,
}

/// The end of a process.
#[derive(Clone, Copy, Debug)]
pub struct End {
    /// The time of the end.
    pub time: Option<Timestamp>,
    /// The wait status.
    pub status: Option<i128>,
}

impl End {
    /// Returns true if it ended by a signal, or with another exit status than 0.
    pub fn is_failure(&self) -> bool {
        self.status.is_some_and(|status| status != 0)
    }

    /// The exit status, or the name of the signal.
    pub fn name(&self) -> String {
        match self.status.map(|status| (Wait::from(status), status)) {
            Some((Wait::Exited(code), _)) => code.to_string(),
            Some((Wait::Killed { signal, .. }, _)) => signal.to_owned(),
            Some((Wait::Other, status)) => format!("{status:#x}"),
            None => "?".to_owned(),
        }
    }
}

impl<T> Process<T> {
    /// The place of the process that forked it, if the fork was seen.
    pub fn parent(&self) -> Option<usize> {
        self.parent
    }

    /// The time at which it started: according to its messages, otherwise when its fork was seen.
    pub fn started(&self) -> Option<Timestamp> {
        self.start.or(self.forked)
    }

    /// The time at which it started or, if that isn't known, was first seen.
    pub fn appeared(&self) -> Option<Timestamp> {
        self.started().or(self.first)
    }

    /// Updates it from a message about it.
    fn update(&mut self, actor: &Actor, image: Option<&[u8]>) {
        self.start = self.start.or(actor.start);
        self.ppid = actor.original_ppid.or(actor.ppid).or(self.ppid);
        let responsible = actor.responsible.map(|process| process.pid);
        self.responsible = responsible.or(self.responsible);
        self.euid = actor.euid.or(self.euid);
        self.version = actor.id.version;
        if let Some(image) = image
            && *image != *self.image
        {
            // Its current image was begun by an exec that wasn't seen.
            self.arguments = None;
            self.job = None;
            self.image = image.into();
        }
    }

    /// The command as it would have to be typed in a shell. If no exec was seen, the path of the image, or `-` if that
    /// isn't known either.
    /// If `is_short`, only the last component of the first argument is included.
    pub fn command(&self, is_short: bool) -> String {
        let mut out = Vec::new();
        match &self.arguments {
            Some(arguments) => {
                for (at, argument) in arguments.iter().enumerate() {
                    let mut text = Text::Bytes(argument);
                    if at > 0 {
                        out.push(b' ');
                    } else if is_short && !text.file_name().bytes().is_empty() {
                        text = text.file_name();
                    }
                    escape::push_argument(&mut out, text);
                }
            }
            None if self.image.is_empty() => out.push(b'-'),
            None => escape::push_bytes(&mut out, &self.image),
        }
        // Bytes that aren't UTF-8 have been escaped.
        String::from_utf8_lossy(&out).into_owned()
    }
}

/// The processes of a trace, each at a place of its own. `T` is what a report counts for each.
#[derive(Debug)]
pub struct Processes<T> {
    all: Vec<Process<T>>,
    /// The number of processes that are remembered.
    limit: usize,
    /// The places of those that are gone, in the order in which they went.
    gone: VecDeque<usize>,
    /// The place of the next process to be forgotten if none is gone.
    next: usize,
    forgotten: Vec<Process<T>>,
    /// The place of the process that currently has a pid.
    by_pid: HashMap<i32, usize>,
    /// The place of a process by its pid and its start.
    by_start: HashMap<(i32, Timestamp), usize>,
}

impl<T: Default> Processes<T> {
    /// Creates an empty collection of at most `limit` processes. Beyond that, a new process takes the place of the one
    /// that has been gone for the longest time. [`Process::parent`] may then be the place of another process.
    pub fn new(limit: usize) -> Processes<T> {
        Processes {
            all: Vec::new(),
            limit,
            gone: VecDeque::new(),
            next: 0,
            forgotten: Vec::new(),
            by_pid: HashMap::new(),
            by_start: HashMap::new(),
        }
    }

    /// The place of the process that went after `count` others that are remembered.
    pub fn gone(&self, count: usize) -> Option<usize> {
        self.gone.get(count).copied()
    }

    /// The processes that have been forgotten since the last call.
    pub fn take_forgotten(&mut self) -> impl Iterator<Item = Process<T>> {
        self.forgotten.drain(..)
    }

    /// Iterates over all processes.
    pub fn iter(&self) -> impl Iterator<Item = &Process<T>> {
        self.all.iter()
    }

    /// Iterates over all processes.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Process<T>> {
        self.all.iter_mut()
    }

    /// The process at a place that was returned before.
    pub fn get(&self, place: usize) -> Option<&Process<T>> {
        self.all.get(place)
    }

    /// The process at a place that was returned before.
    pub fn get_mut(&mut self, place: usize) -> Option<&mut Process<T>> {
        self.all.get_mut(place)
    }

    /// Notes an event, and returns the place of the process that did it.
    pub fn observe(&mut self, fact: &Fact<'_>, shown: bool) -> Option<usize> {
        let time = fact.time;
        let actor = fact.process.as_ref()?;
        let found = self.find(actor);
        let place = found.unwrap_or_else(|| self.add(actor, time, None));
        self.all[place].update(actor, fact.image);
        self.all[place].is_seen |= shown;
        match &fact.life {
            Life::None => {}
            Life::Fork(child) => self.fork(place, child, fact, shown),
            Life::Exec(target) => {
                let process = &mut self.all[place];
                process.update(target, fact.text_of(Part::TargetImage));
                process.arguments = Some(Arguments::of(fact.texts(Part::Argument)));
                // "0": no job.
                let job = fact.text_of(Part::Job).filter(|job| *job != b"0");
                process.job = job.map(Into::into);
            }
            Life::Exit(status) => {
                self.all[place].end = Some(End {
                    time,
                    status: *status,
                });
                self.goes(place);
            }
        }
        Some(place)
    }

    fn fork(&mut self, parent: usize, child: &Actor, fact: &Fact<'_>, shown: bool) {
        let time = fact.time;
        let known = child
            .start
            .and_then(|start| self.by_start.get(&(child.id.pid, start)));
        let known = known.copied();
        let place = known.unwrap_or_else(|| self.add(child, time, Some(parent)));
        let process = &mut self.all[place];
        process.update(child, fact.text_of(Part::TargetImage));
        process.is_forked = true;
        process.forked = time;
        process.is_seen |= shown;
        if parent != place {
            process.parent = Some(parent);
        }
    }

    /// The place of a process, if it is known: the one with the same pid and start. If a message has no start, it is
    /// the process that currently has the pid, unless that one has ended and this is another image.
    fn find(&mut self, actor: &Actor) -> Option<usize> {
        let pid = actor.id.pid;
        let place = *self.by_pid.get(&pid)?;
        let process = &self.all[place];
        match (process.start, actor.start) {
            (Some(own), Some(start)) if own == start => Some(place),
            (Some(_), Some(start)) => self.by_start.get(&(pid, start)).copied(),
            _ if process.end.is_some() && process.version != actor.id.version => None,
            (None, Some(start)) => {
                self.by_start.insert((pid, start), place);
                Some(place)
            }
            _ => Some(place),
        }
    }

    /// Adds a process, which doesn't take the place of its parent.
    fn add(&mut self, actor: &Actor, time: Option<Timestamp>, parent: Option<usize>) -> usize {
        let process = Process {
            pid: actor.id.pid,
            start: actor.start,
            first: time,
            ..Process::default()
        };
        let mut place = self.all.len();
        if place < self.limit {
            self.all.push(process);
        } else {
            place = self.forget(parent);
            self.all[place] = process;
        }
        if let Some(earlier) = self.by_pid.insert(actor.id.pid, place) {
            self.goes(earlier);
        }
        if let Some(start) = actor.start {
            self.by_start.insert((actor.id.pid, start), place);
        }
        place
    }

    /// Notes that a process has ended, or that another one has its pid.
    fn goes(&mut self, place: usize) {
        let process = &mut self.all[place];
        if !std::mem::replace(&mut process.is_gone, true) {
            self.gone.push_back(place);
        }
    }

    /// Forgets a process that isn't at the place `kept`, and returns its place, which is to be used again.
    fn forget(&mut self, kept: Option<usize>) -> usize {
        let at = self.gone.iter().position(|place| Some(*place) != kept);
        let place = at.and_then(|at| self.gone.remove(at)).unwrap_or_else(|| {
            let is_kept = kept == Some(self.next % self.all.len());
            let place = (self.next + usize::from(is_kept)) % self.all.len();
            self.next = place + 1;
            place
        });
        let process = std::mem::take(&mut self.all[place]);
        if self.by_pid.get(&process.pid) == Some(&place) {
            self.by_pid.remove(&process.pid);
        }
        if let Some(start) = process.start
            && self.by_start.get(&(process.pid, start)) == Some(&place)
        {
            self.by_start.remove(&(process.pid, start));
        }
        self.forgotten.push(process);
        place
    }
}
