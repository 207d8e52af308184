//! `-f`: everything that a selected process starts, from then on.
//!
//! A process is identified by its pid and its start, and one of its images by pid and pidversion. A member stays a
//! member through every exec until it exits; its children are members from their fork on. If a fork is missing, a child
//! is adopted by the parent that its messages name, if it was started after its parent became a member.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::exit::warn;
use crate::model::event::Timestamp;
use crate::order::fact::{Actor, Chosen, Fact, Life};
use crate::order::loss::Count;

/// A process of the tree. It is remembered after its exit until its pid is used again, because events on its behalf by
/// daemons, and children whose fork is missing, may come later.
#[derive(Debug)]
struct Member {
    /// The first of its images that was seen, and the latest: those between them are its own, too. None until one is
    /// seen.
    versions: Option<(i64, i64)>,
    /// The time of its fork.
    start: Option<Timestamp>,
    /// The time at which it became a member.
    since: Option<Timestamp>,
    /// The time of its exit.
    exited: Option<Timestamp>,
}

/// A process that was running when the trace began.
#[derive(Clone, Copy, Debug)]
pub struct Running {
    /// Process id.
    pub pid: i32,
    /// Its parent.
    pub ppid: i32,
    /// The time of its start, to the microsecond.
    pub start: Timestamp,
}

/// State shared by the thread that runs a command and the side that sees events in their order.
#[derive(Debug)]
pub struct Link {
    state: Mutex<LinkState>,
    changed: Condvar,
    own_pid: i32,
    /// Returns true if there is a process with this pid.
    is_there: fn(i32) -> bool,
}

/// The progress of the command.
#[derive(Debug, Default, PartialEq, Eq)]
enum Course {
    /// It isn't started yet.
    #[default]
    Before,
    /// It is being started: its pid isn't known yet, but its events may come.
    Starting,
    /// It was started.
    Started,
    /// It has ended.
    Ended,
}

#[derive(Debug, Default)]
struct LinkState {
    course: Course,
    /// The pid of the command.
    root: Option<i32>,
    /// True if the first exec of the command has been seen.
    has_run: bool,
    /// True if the command runs, but its first exec hasn't been seen.
    exec_is_missing: bool,
    /// Our own children whose ends have been seen.
    ended: Vec<i32>,
    /// True if no more events are looked at.
    is_over: bool,
}

impl Link {
    /// Creates a link for the process with this pid, which starts the command. `is_there` returns true if there is a
    /// process with a pid.
    pub fn new(own_pid: i32, is_there: fn(i32) -> bool) -> Arc<Link> {
        Arc::new(Link {
            state: Mutex::default(),
            changed: Condvar::new(),
            own_pid,
            is_there,
        })
    }

    /// Calls `start`, which starts the command, and notes its pid.
    ///
    /// # Errors
    /// Those of `start`.
    pub fn start<E>(&self, start: impl FnOnce() -> Result<i32, E>) -> Result<i32, E> {
        self.lock().course = Course::Starting;
        let started = start();
        let mut state = self.lock();
        state.course = Course::Started;
        state.root = started.as_ref().ok().copied();
        drop(state);
        self.changed.notify_all();
        started
    }

    /// Waits until the first exec of the command has been seen. If it isn't seen within that time, or at all, the tree
    /// begins with whatever the command does next.
    pub fn wait_for_exec(&self, patience: Duration) {
        let is_seen = self.wait(patience, |state| state.has_run);
        self.lock().exec_is_missing = !is_seen;
    }

    /// Notes that the command has ended.
    pub fn command_ended(&self) {
        self.lock().course = Course::Ended;
    }

    /// Waits until the end of one of these children of ours has been seen. Returns false if it isn't seen within that
    /// time, or at all.
    pub fn wait_for_end(&self, pids: &[i32], patience: Duration) -> bool {
        self.wait(patience, |state| {
            pids.iter().any(|pid| state.ended.contains(pid))
        })
    }

    /// Notes that no more events are looked at.
    pub fn close(&self) {
        self.lock().is_over = true;
        self.changed.notify_all();
    }

    /// Returns true if no more events are looked at.
    pub fn is_over(&self) -> bool {
        self.lock().is_over
    }

    fn wait(&self, patience: Duration, is_so: impl Fn(&LinkState) -> bool) -> bool {
        let until = Instant::now() + patience;
        let mut state = self.lock();
        while !is_so(&state) && !state.is_over {
            let Some(left) = until.checked_duration_since(Instant::now()) else {
                break;
            };
            let waited = self.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        is_so(&state)
    }

    /// The pid of the command, if this child of ours may be it. While the command is being started, waits until its pid
    /// is known.
    fn root(&self, actor: &Actor) -> Option<i32> {
        let is_ours = actor.ppid == Some(self.own_pid) || actor.original_ppid == Some(self.own_pid);
        let mut state = self.lock();
        while is_ours && state.course == Course::Starting {
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        state.root
    }

    fn exec_is_missing(&self) -> bool {
        self.lock().exec_is_missing
    }

    fn has_run(&self) {
        self.lock().has_run = true;
        self.changed.notify_all();
    }

    fn has_ended(&self, actor: &Actor) {
        if actor.ppid == Some(self.own_pid) || actor.original_ppid == Some(self.own_pid) {
            self.lock().ended.push(actor.id.pid);
            self.changed.notify_all();
        }
    }

    fn lock(&self) -> MutexGuard<'_, LinkState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The command whose tree is followed.
#[derive(Debug)]
struct Command {
    link: Arc<Link>,
    root: Option<i32>,
    /// The number of execs of the root that still come before that of the command itself.
    hidden_execs: usize,
    /// The image of the last program before it.
    hidden: Option<i64>,
    /// True if the command is a member.
    has_begun: bool,
}

/// The tree of processes that is followed.
#[derive(Debug, Default)]
pub struct Follow {
    members: HashMap<i32, Member>,
    /// The number of members that have not exited.
    alive: usize,
    /// The number of processes that were adopted because their fork is missing.
    adopted: u64,
    /// True if the trace ends when all members have exited.
    ends: bool,
    /// The command whose tree it is. Conditions on processes then narrow what is shown, instead of selecting roots.
    command: Option<Command>,
    /// The processes that are still to be added.
    later: Option<Later>,
    /// The time at which the processes that were already running were added.
    seeded: Option<Timestamp>,
}

/// Processes to add at the first event, with those that are running below them then.
struct Later {
    pids: Vec<i32>,
    list: Box<dyn FnOnce() -> Vec<Running> + Send>,
}

impl fmt::Debug for Later {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Later").field(&self.pids).finish()
    }
}

impl Follow {
    /// Creates the tree of the processes that the conditions choose. If `ends`, the trace is over when all of them have
    /// exited.
    pub fn new(ends: bool) -> Follow {
        Follow {
            ends,
            ..Follow::default()
        }
    }

    /// Creates the tree of a command. The first `hidden_execs` programs that its process runs come before the command
    /// itself.
    pub fn of_command(link: Arc<Link>, hidden_execs: usize) -> Follow {
        Follow {
            command: Some(Command {
                link,
                root: None,
                hidden_execs,
                hidden: None,
                has_begun: false,
            }),
            ..Follow::default()
        }
    }

    /// Returns true if the trace ends when all members have exited.
    pub fn ends(&self) -> bool {
        self.ends
    }

    /// Adds the processes `pids` and all that are running below them, as listed by `list`, as soon as there is an
    /// event: from then on no process is missed.
    pub fn seed_later(
        &mut self,
        pids: Vec<i32>,
        list: impl FnOnce() -> Vec<Running> + Send + 'static,
    ) {
        let list = Box::new(list);
        self.later = Some(Later { pids, list });
    }

    /// Adds the processes `pids` and all that are running below them. Events of the trace must have been coming already
    /// when `running` was listed.
    pub fn seed(&mut self, pids: &[i32], running: &[Running]) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        self.seeded = now.ok().map(|now| Timestamp {
            seconds: i64::try_from(now.as_secs()).unwrap_or(i64::MAX),
            nanos: now.subsec_nanos(),
        });
        let mut tree: Vec<i32> = pids.to_vec();
        let mut at = 0;
        while let Some(pid) = tree.get(at).copied() {
            at += 1;
            let children = running.iter().filter(|process| process.ppid == pid);
            for child in children {
                if !tree.contains(&child.pid) {
                    tree.push(child.pid);
                }
            }
        }
        for process in running.iter().filter(|process| tree.contains(&process.pid)) {
            self.insert(process.pid, None, Some(process.start), Some(process.start));
        }
    }

    /// Returns true if the trace is over: it ends with its processes, and all of them have exited.
    pub fn is_over(&self) -> bool {
        self.ends && self.alive == 0 && (self.seeded.is_some() || !self.members.is_empty())
    }

    /// Notes an event, and returns true if it belongs to the tree.
    pub fn belongs(&mut self, fact: &Fact<'_>) -> bool {
        if let Some(Later { pids, list }) = self.later.take() {
            self.seed(&pids, &list());
        }
        // Other events are there for a stage only, or not from every source, so they must not change what is shown.
        let matters = fact.selected || fact.hidden || !matches!(fact.life, Life::None);
        if !matters || self.is_over() {
            return false;
        }
        let time = fact.time;
        let mut belongs = false;
        let narrows = self.command.is_some();
        self.watch_command(fact);
        if let Some(actor) = &fact.process {
            let is_chosen = fact.chosen.contains(Chosen::PROCESS) && !narrows;
            belongs |= self.takes(actor, is_chosen, time);
        }
        if let Some(instigator) = &fact.instigator {
            let is_chosen = fact.chosen.contains(Chosen::INSTIGATOR) && !narrows;
            belongs |= self.takes(instigator, is_chosen, time);
        }
        let other_is_chosen = fact.chosen.contains(Chosen::OTHER) && !narrows;
        match &fact.life {
            Life::None => {}
            Life::Fork(child) => {
                let is_of_member = fact
                    .process
                    .as_ref()
                    .is_some_and(|actor| self.is_member(actor));
                if is_of_member || other_is_chosen {
                    self.join(child, time);
                    belongs = true;
                } else {
                    // The pid belonged to another process before.
                    self.forget(child);
                }
            }
            Life::Exec(target) => {
                if other_is_chosen {
                    self.join(target, time);
                }
                if let Some(member) = self.members.get_mut(&target.id.pid)
                    && (belongs || other_is_chosen)
                {
                    member.saw(target.id.version);
                    belongs = true;
                }
            }
            Life::Exit(_) => {
                if belongs && let Some(actor) = &fact.process {
                    self.exit(actor, time);
                }
            }
        }
        belongs && (!narrows || !fact.chosen.is_empty())
    }

    /// Looks for the command's own exec, with which its tree begins, and for the ends of our children. If that exec is
    /// missing, the tree begins with whatever the command does next.
    fn watch_command(&mut self, fact: &Fact<'_>) {
        let (Some(command), Some(actor)) = (&mut self.command, &fact.process) else {
            return;
        };
        if let Life::Exit(_) = &fact.life {
            command.link.has_ended(actor);
        }
        if command.has_begun {
            return;
        }
        command.root = command.root.or_else(|| command.link.root(actor));
        if command.root != Some(actor.id.pid) {
            return;
        }
        let root = match &fact.life {
            Life::Exec(target) if command.hidden_execs > 0 => {
                command.hidden_execs -= 1;
                command.hidden = Some(target.id.version);
                None
            }
            Life::Exec(target) => Some(Actor {
                id: actor.id,
                ..**target
            }),
            _ => {
                let is_other = |version| version != actor.id.version;
                let begins = command.hidden.is_some_and(is_other) || command.link.exec_is_missing();
                begins.then_some(**actor)
            }
        };
        if let Life::Exec(_) = &fact.life {
            command.link.has_run();
        }
        if let Some(root) = root {
            command.has_begun = true;
            self.join(&root, fact.time);
        }
    }

    /// Reports what is missing from the tree.
    pub fn end(&self) {
        let left = self.left_running();
        if left > 0 {
            let (count, are) = match left {
                1 => ("1 process".to_owned(), "is"),
                count => (format!("{} processes", Count(count as u64)), "are"),
            };
            warn(format_args!(
                "{count} that the command started {are} still running"
            ));
        }
        if self.adopted > 0 {
            let (count, were) = match self.adopted {
                1 => ("1 process".to_owned(), "was recognised by its parent"),
                count => (
                    format!("{} processes", Count(count)),
                    "were recognised by their parents",
                ),
            };
            warn(format_args!(
                "fork events are missing: {count} {were}, others may be missing"
            ));
        }
    }

    /// The number of processes that have outlived the command. The system is asked as well, because exits may be
    /// missing.
    fn left_running(&self) -> usize {
        let Some(Command { link, .. }) = &self.command else {
            return 0;
        };
        if link.lock().course != Course::Ended {
            return 0;
        }
        let runs =
            |(pid, member): &(&i32, &Member)| member.exited.is_none() && (link.is_there)(**pid);
        self.members.iter().filter(runs).count()
    }

    fn insert(
        &mut self,
        pid: i32,
        version: Option<i64>,
        start: Option<Timestamp>,
        since: Option<Timestamp>,
    ) {
        let member = Member {
            versions: version.map(|version| (version, version)),
            start,
            since,
            exited: None,
        };
        let before = self.members.insert(pid, member);
        if before.is_none_or(|before| before.exited.is_some()) {
            self.alive += 1;
        }
    }

    /// Makes a process a member, if it isn't one.
    fn join(&mut self, actor: &Actor, time: Option<Timestamp>) {
        if !self.is_member(actor) {
            self.insert(actor.id.pid, Some(actor.id.version), actor.start, time);
        }
    }

    /// Returns true if the process is a member, possibly from now on. A child of a member is a member since its start,
    /// whether it meets the conditions or not.
    fn takes(&mut self, actor: &Actor, is_chosen: bool, time: Option<Timestamp>) -> bool {
        let is_known = self.recognise(actor);
        if is_chosen && !is_known {
            self.join(actor, time);
        }
        is_known || is_chosen
    }

    /// Returns true if the process is a member, or is adopted as one.
    fn recognise(&mut self, actor: &Actor) -> bool {
        if self.is_member(actor) {
            if let Some(member) = self.members.get_mut(&actor.id.pid) {
                // An exec may be missing.
                member.saw(actor.id.version);
                member.start = member.start.or(actor.start);
            }
            return true;
        }
        self.forget(actor);
        if self.is_child_of_member(actor) {
            // A process that was started before and has ended since is not a loss.
            let is_loss = |seeded| {
                actor
                    .start
                    .is_none_or(|start| micros(start) >= micros(seeded))
            };
            self.adopted += u64::from(self.seeded.is_none_or(is_loss));
            self.insert(
                actor.id.pid,
                Some(actor.id.version),
                actor.start,
                actor.start,
            );
            return true;
        }
        false
    }

    /// Returns true if the process is a member: it has the same pid, and the same start if that is known; otherwise it
    /// is one of its images.
    fn is_member(&self, actor: &Actor) -> bool {
        let Some(member) = self.members.get(&actor.id.pid) else {
            return false;
        };
        match (member.start, actor.start) {
            (Some(own), Some(start)) => own == start,
            _ => member
                .versions
                .is_none_or(|(first, now)| (first..=now).contains(&actor.id.version)),
        }
    }

    /// Forgets a member whose pid now belongs to another process.
    fn forget(&mut self, actor: &Actor) {
        let Some(member) = self.members.get(&actor.id.pid) else {
            return;
        };
        // Messages about the process that had the pid before come late.
        let is_reused = match (member.start, actor.start) {
            (Some(own), Some(start)) => micros(own) < micros(start),
            (None, None) => member
                .versions
                .is_some_and(|(_, now)| now < actor.id.version),
            _ => false,
        };
        if is_reused
            && let Some(member) = self.members.remove(&actor.id.pid)
            && member.exited.is_none()
        {
            self.alive -= 1;
        }
    }

    /// Returns true if the process names a member as its parent that was already one when the process was started.
    fn is_child_of_member(&self, actor: &Actor) -> bool {
        let Some(start) = actor.start else {
            return false;
        };
        let started_by = |pid: i32| {
            self.members.get(&pid).is_some_and(|member| {
                let since = member.since.map(micros);
                let is_later = since.is_some_and(|since| micros(start) >= since);
                is_later
                    && member
                        .exited
                        .is_none_or(|exited| micros(start) <= micros(exited))
            })
        };
        // A process whose parent has exited is now a child of launchd, which starts few processes by itself.
        let parent = actor.ppid.filter(|pid| *pid > 1);
        let mut parents = parent.into_iter().chain(actor.original_ppid);
        parents.any(|pid| pid != actor.id.pid && started_by(pid))
    }

    fn exit(&mut self, actor: &Actor, time: Option<Timestamp>) {
        if let Some(member) = self.members.get_mut(&actor.id.pid)
            && member.exited.is_none()
        {
            self.alive -= 1;
            member.exited = time;
            // Without a start or an image of its own, it can't be distinguished from the next process with its pid.
            if time.is_none() || member.start.is_none() && actor.id.version == 0 {
                self.members.remove(&actor.id.pid);
            }
        }
    }
}

impl Member {
    /// Notes one of its images.
    fn saw(&mut self, version: i64) {
        let (first, now) = self.versions.unwrap_or((version, version));
        self.versions = Some((first, now.max(version)));
    }
}

/// A time in microseconds, the precision of a process's start.
fn micros(time: Timestamp) -> i128 {
    i128::from(time.seconds) * 1_000_000 + i128::from(time.nanos / 1000)
}
