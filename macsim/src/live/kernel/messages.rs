//! Messages, and the programs that get them.

use std::rc::Rc;
use std::time::Duration;

use super::super::process::{self, LAUNCHD, Lineage, Process, Shown, Status, int, object};
use super::super::wire;
use super::Kernel;
use super::noise::Draft;
use crate::builder::time;
use crate::json::Json;
use crate::settings;

impl Kernel {
    pub fn version(&mut self) -> u32 {
        self.next_version += 1;
        self.next_version
    }

    /// A process as it is now.
    pub fn shown(&self, process: &Process) -> Json {
        let status = Status::of(process.pid);
        let parent = self.processes.get(&status.parent);
        let (parent_token, parent) = match parent {
            Some(parent) if status.parent == process.original_parent => {
                (parent.process.token(), status.parent)
            }
            _ if process.pid == self.root && self.outside[5] == status.parent as u32 => {
                (self.outside, status.parent)
            }
            _ => (LAUNCHD, 1),
        };
        self.shown_with(process, parent_token, parent, status)
    }

    pub fn shown_with(
        &self,
        process: &Process,
        parent_token: [u32; 8],
        parent: i32,
        status: Status,
    ) -> Json {
        let [group, session] = process.shown.unwrap_or([status.group, status.session]);
        let shown = Shown {
            token: process.token(),
            parent,
            parent_token,
            original_parent: process.original_parent,
            group,
            session,
            terminal: status.terminal(),
            start: process.start,
            image: &process.image,
            responsible: self.outside,
            is_client: process.is_client,
        };
        shown.json(self.message_version)
    }

    pub fn message(
        &self,
        number: u32,
        name: &str,
        thread: i32,
        process: Json,
        event: Json,
    ) -> Vec<u8> {
        let result = object([
            ("result", object([("auth", int(0))])),
            ("result_type", int(0)),
        ]);
        let (now, ticks) = self.now();
        let message = object([
            ("schema_version", int(1)),
            ("version", int(self.message_version)),
            ("time", process::string(time::format(now, 9))),
            ("mach_time", int(ticks)),
            ("event_type", int(number)),
            ("action_type", int(1)),
            ("action", object([("result", result)])),
            ("seq_num", int(0)),
            ("global_seq_num", int(0)),
            ("thread", object([("thread_id", int(thread))])),
            ("process", process),
            ("event", object([(name, event)])),
        ]);
        message.to_string().into_bytes()
    }

    pub fn publish(
        &mut self,
        lineage: &Rc<Lineage>,
        number: u32,
        name: &str,
        thread: i32,
        process: Json,
        event: Json,
    ) {
        if self.is_watched() {
            let message = self.message(number, name, thread, process, event);
            self.send(lineage, &message);
        }
    }

    /// Queues a message of a process for all programs that watch, after any messages of `--noise`.
    pub fn send(&mut self, lineage: &Rc<Lineage>, message: &[u8]) {
        self.reuse_identifiers();
        if self.noise.is_some() {
            for _ in 0..settings::get().noise_each {
                let (now, ticks) = self.now();
                if let Some(message) = self.noise.next(now, ticks) {
                    self.queue(None, message.as_bytes());
                }
            }
        }
        self.queue(Some(lineage), message);
    }

    /// Queues a message; one without a lineage is related to no program.
    fn queue(&mut self, lineage: Option<&Rc<Lineage>>, message: &[u8]) {
        self.sent += 1;
        for connection in &mut self.connections {
            if connection.watches {
                let own = |lineage: &Rc<Lineage>| lineage.is_below(&connection.lineage);
                let related = u8::from(lineage.is_some_and(own));
                connection.send(wire::MESSAGE, &[&[related], message]);
            }
        }
    }

    /// The time of the next message: every second message is older by `--jitter-us`, as processors' clocks differ.
    fn now(&self) -> (Duration, u64) {
        let jitter = Duration::from_micros(settings::get().jitter_us);
        let back = if self.sent % 2 == 1 {
            jitter
        } else {
            Duration::ZERO
        };
        let ticks = crate::system::time::absolute();
        (
            process::now().saturating_sub(back),
            ticks.saturating_sub(back.as_nanos() as u64),
        )
    }

    /// With `--launchd`: sends the messages of what launchd does on behalf of a process that has a new image.
    pub fn delegate(&mut self, pid: i32) {
        if !settings::get().launchd || !self.is_watched() {
            return;
        }
        let Some(traced) = self.processes.get(&pid) else {
            return;
        };
        let lineage = Rc::clone(&traced.process.lineage);
        let token = traced.process.token();
        let instigator = self.shown(&traced.process);
        let next = &mut self.next_version;
        let drafts = self.noise.delegated(&instigator, token, || {
            *next += 1;
            *next
        });
        for draft in drafts {
            let instigated = !["fork", "exec", "exit"].contains(&draft.1);
            self.send_draft(instigated.then_some(&lineage), draft);
        }
    }

    /// With `--reuse-pids`: launchd's next processes get the identifiers of those that have ended and been waited
    /// for.
    pub fn reuse_identifiers(&mut self) {
        let is_free = |pid: &i32| !std::fs::exists(format!("/proc/{pid}")).unwrap_or(true);
        let (free, rest) = std::mem::take(&mut self.noise.ended)
            .into_iter()
            .partition::<Vec<_>, _>(is_free);
        self.noise.ended = rest;
        for pid in free {
            let next = &mut self.next_version;
            let drafts = self.noise.life_of(pid, || {
                *next += 1;
                *next
            });
            for draft in drafts {
                self.send_draft(None, draft);
            }
        }
    }

    fn send_draft(&mut self, lineage: Option<&Rc<Lineage>>, (number, name, process, event): Draft) {
        const THREAD: i32 = 1;
        if self.is_watched() {
            let message = self.message(number, name, THREAD, process, event);
            self.queue(lineage, &message);
        }
    }

    pub fn is_watched(&self) -> bool {
        self.connections.iter().any(|connection| connection.watches)
    }
}
