//! Delivery: each client has one thread, which calls its handler for one message after another.

use std::arch::x86_64::_rdtsc;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::client::{Client, Handler};
use super::message::{Message, records};
use super::queue::Queued;
use crate::builder::Record;
use crate::live;
use crate::note::note;
use crate::settings::{self, Drop, End};
use crate::system::processes;

/// Messages that handlers were called for.
pub static DELIVERED: AtomicU64 = AtomicU64::new(0);
/// Messages that were lost.
pub static DROPPED: AtomicU64 = AtomicU64::new(0);
/// Clients that still have messages to come.
static BUSY: AtomicU32 = AtomicU32::new(0);
/// The duration of each call of a handler, in ticks, where it is measured; and the clock to convert ticks by.
static TIMES: Mutex<Vec<u32>> = Mutex::new(Vec::new());
static CLOCK: Mutex<Option<(Instant, u64)>> = Mutex::new(None);

/// Starts a client's thread.
pub fn start(client: Arc<Client>) -> std::io::Result<JoinHandle<()>> {
    BUSY.fetch_add(1, Ordering::Relaxed);
    thread::Builder::new()
        .name("es delivery".into())
        .spawn(move || run(&client))
}

fn run(client: &Client) {
    let settings = settings::get();
    pause(client, settings.start_ms);
    let mut delivery = Delivery::new(client);
    'all: for _ in 0..settings.repeat {
        for (index, record) in records().iter().enumerate() {
            delivery.deliver_queued();
            if client.stopped.load(Ordering::Acquire) {
                break 'all;
            }
            delivery.offer(index, record);
        }
    }
    if settings.check && !settings.events.is_empty() {
        let (delivered, seconds) = (delivery.delivered, delivery.began.elapsed().as_secs_f64());
        note(format_args!(
            "all delivered: {delivered} messages in {seconds:.3} s, {:.0} a second",
            delivered as f64 / seconds
        ));
    }
    TIMES
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .append(&mut delivery.times);
    let linger = Duration::from_millis(settings.linger_ms);
    delivery.serve(Some(Instant::now() + linger));
    // The program ends when the last client has had its messages.
    if BUSY.fetch_sub(1, Ordering::AcqRel) == 1 && !client.stopped.load(Ordering::Acquire) {
        let signal = match settings.end() {
            End::Int => libc::SIGINT,
            End::Term => libc::SIGTERM,
            End::None => 0,
        };
        // SAFETY: 0 does nothing.
        unsafe { libc::kill(libc::getpid(), signal) };
    }
    delivery.serve(None);
    client.end();
}

/// Waits, but stops as soon as the client is deleted.
fn pause(client: &Client, milliseconds: u64) {
    let waits = |_: &mut _| !client.stopped.load(Ordering::Acquire);
    let duration = Duration::from_millis(milliseconds);
    drop(
        client
            .wake
            .wait_timeout_while(client.state(), duration, waits),
    );
}

struct Delivery<'a> {
    client: &'a Client,
    handler: Handler,
    began: Instant,
    /// The number of messages meant for the client; the next field counts those that were delivered.
    counted: u64,
    delivered: u64,
    /// The messages meant for the client, by event type.
    of_type: HashMap<u32, u64>,
    /// Messages of `--events` so far.
    offered: u64,
    /// True if the next message finds the queue full.
    overdue: bool,
    sequences: HashMap<u32, u64>,
    known: Vec<u64>,
    global: u64,
    /// For each record, true if it is muted; valid until muting is changed.
    muted: Vec<Option<bool>>,
    changes: u32,
    /// For each process, true if it is the program or below it.
    below: HashMap<[u32; 8], bool>,
    times: Vec<u32>,
}

impl<'a> Delivery<'a> {
    fn new(client: &'a Client) -> Self {
        // SAFETY: the client holds the block.
        let function = unsafe { (*client.handler()).invoke() };
        // SAFETY: the program's block, of the type that es_new_client takes.
        let handler = unsafe { std::mem::transmute::<*const std::ffi::c_void, Handler>(function) };
        if settings::get().time_handler {
            let mut clock = CLOCK.lock().unwrap_or_else(PoisonError::into_inner);
            clock.get_or_insert_with(|| (Instant::now(), ticks()));
        }
        Delivery {
            client,
            handler,
            began: Instant::now(),
            counted: 0,
            delivered: 0,
            of_type: HashMap::new(),
            offered: 0,
            overdue: false,
            sequences: HashMap::new(),
            known: vec![0; crate::versions::known_types() as usize],
            global: 0,
            muted: vec![None; records().len()],
            changes: 0,
            below: HashMap::new(),
            times: Vec::new(),
        }
    }

    /// Delivers what real processes do, and calls the blocks that wait for it, until the given time or until the
    /// client is deleted.
    fn serve(&mut self, until: Option<Instant>) {
        let client = self.client;
        while !client.stopped.load(Ordering::Acquire) {
            self.deliver_queued();
            let state = client.state();
            if client.stopped.load(Ordering::Acquire) {
                return;
            }
            let rest = until.map(|until| until.saturating_duration_since(Instant::now()));
            match (rest, state.queue.wait()) {
                (Some(Duration::ZERO), _) => return,
                (_, Some(Duration::ZERO)) => {}
                (None, None) => drop(client.wake.wait(state)),
                (rest, batch) => {
                    let wait = rest.into_iter().chain(batch).min().unwrap_or_default();
                    drop(client.wake.wait_timeout(state, wait));
                }
            }
        }
    }

    /// Delivers what real processes have done, as far as it is due.
    fn deliver_queued(&mut self) {
        while let Some(mut batch) = self.client.batch() {
            while let Some(item) = batch.pop_front() {
                if self.client.stopped.load(Ordering::Acquire) {
                    batch.push_front(item);
                    return self.client.state().queue.put_back(batch);
                }
                match item {
                    Queued::Marker(marker) => marker.call(),
                    Queued::Message(message) => {
                        // It belongs to no record that stays: entitlements aren't made up.
                        let copy = Message::new(usize::MAX, &message.record, false);
                        self.deliver(copy, &message.record);
                    }
                }
            }
        }
    }

    fn offer(&mut self, index: usize, record: &Record) {
        if !self.client.wants(record.event_type) || !self.sees(record) || self.mutes(index, record)
        {
            return;
        }
        let settings = settings::get();
        let message = if settings.prebuilt {
            Message::prebuilt(index)
        } else {
            Message::new(index, record, false)
        };
        if !record.child_pids.is_empty() {
            let stopped = || self.client.stopped.load(Ordering::Acquire);
            match processes::wait_for_child(stopped) {
                Some(pid) => message.put_pid(&record.child_pids, pid),
                None => return message.discard(),
            }
        }
        self.wait_for_its_time();
        self.deliver(message, record);
    }

    /// Numbers a message and calls the handler, unless the message is lost.
    fn deliver(&mut self, message: Message, record: &Record) {
        let settings = settings::get();
        let (sequence, global) = self.sequence(record.event_type, record.version);
        message.number(record.version, sequence, global);
        if self.is_dropped(record.event_type) {
            DROPPED.fetch_add(1, Ordering::Relaxed);
            return message.discard();
        }
        self.delivered += 1;
        DELIVERED.fetch_add(1, Ordering::Relaxed);
        let before = settings.time_handler.then(ticks);
        self.client.handle(self.handler, message.as_ptr());
        if let Some(before) = before {
            self.times.push(ticks().wrapping_sub(before) as u32);
        }
        message.delivered();
    }

    /// Returns true unless the client is a descendants client and neither the sender of the message nor the process
    /// on whose behalf it was sent is a descendant.
    fn sees(&mut self, record: &Record) -> bool {
        if !self.client.is_descendants {
            return true;
        }
        let child = settings::get().child_pid.map(|pid| pid as u32);
        let mut processes = record.token.into_iter().chain(record.instigator);
        // A process that was once seen not to be a descendant never becomes one.
        processes.any(|token| {
            let below = || Some(token[5]) == child || live::is_below(&token);
            *self.below.entry(token).or_insert_with(below)
        })
    }

    fn mutes(&mut self, index: usize, record: &Record) -> bool {
        let changes = self.client.muting_changes.load(Ordering::Acquire);
        if changes != self.changes {
            self.changes = changes;
            self.muted.fill(None);
        }
        let client = self.client;
        *self.muted[index].get_or_insert_with(|| client.state().muting.mutes(record))
    }

    /// The next numbers of this type and of all types, dropped messages included. A message of a version that lacks a
    /// number isn't counted for it: systems have one version, but a file can have several.
    fn sequence(&mut self, event: u32, version: u32) -> (u64, u64) {
        let next = match self.known.get_mut(event as usize) {
            Some(next) => next,
            None => self.sequences.entry(event).or_default(),
        };
        let numbers = (*next, self.global);
        *next += u64::from(version >= 2);
        self.global += u64::from(version >= 4);
        numbers
    }

    /// Waits until the next message of `--events` is due: the Nth message comes after N times the pause between two.
    fn wait_for_its_time(&mut self) {
        let rate = settings::get().rate;
        let born = (self.offered + 1) * 1_000_000_000;
        self.offered += 1;
        self.overdue = false;
        if let Some(born) = born.checked_div(rate).map(Duration::from_nanos) {
            let due = self.began + born;
            if Instant::now() < due {
                self.serve(Some(due));
            } else {
                // The messages that came due since then wait in the queue.
                let waiting = due.elapsed().as_nanos() as u64 * rate / 1_000_000_000;
                self.overdue = waiting > settings::get().queue;
            }
        }
    }

    /// Returns true if a message is lost: every Nth of its type or of all types is lost, and one that finds the queue
    /// full.
    fn is_dropped(&mut self, event: u32) -> bool {
        let drops = &settings::get().drop;
        if drops.is_empty() {
            return std::mem::take(&mut self.overdue);
        }
        self.counted += 1;
        let of_type = self.of_type.entry(event).or_default();
        *of_type += 1;
        let (of_type, of_all) = (*of_type, self.counted);
        let hits = |drop: &Drop| match drop.event {
            Some(only) => only == event && of_type.is_multiple_of(drop.every),
            None => of_all.is_multiple_of(drop.every),
        };
        std::mem::take(&mut self.overdue) || drops.iter().any(hits)
    }
}

/// The processor's time stamp.
fn ticks() -> u64 {
    // SAFETY: every x86_64 has it.
    unsafe { _rdtsc() }
}

/// The median and the 99th percentile of the handlers' durations, in nanoseconds.
pub fn handler_times() -> Option<(u64, u64)> {
    let mut times = std::mem::take(&mut *TIMES.lock().unwrap_or_else(PoisonError::into_inner));
    let (began, first) = CLOCK
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take()?;
    let passed = ticks().wrapping_sub(first).max(1);
    let scale = began.elapsed().as_nanos() as f64 / passed as f64;
    times.sort_unstable();
    let at =
        |percent: usize| Some((f64::from(*times.get(times.len() * percent / 100)?) * scale) as u64);
    Some((at(50)?, at(99)?))
}
