//! EndpointSecurity: messages from macOS itself, as they come.
//!
//! All unsafe code of the program is in here, each part with a `SAFETY` comment. [`c`] knows the C interface,
//! [`client`] subscribes, [`message`] keeps messages and returns their members, [`decode`] makes events from them and
//! [`json`] makes what eslogger would write.
//!
//! The handler does little: it counts a message, checks whether the process is one of our own, retains the message and
//! puts it into a queue. Everything else is done by the thread that takes it out. When the queue is full the handler
//! waits, and macOS counts the messages that it can't deliver in the meantime.
//!
//! At the end the program waits for the messages that macOS has queued, and deletes the client when the last of its
//! messages has been released.

#![allow(unsafe_code, reason = "the one place where C is called")]

mod acl;
pub mod c;
mod client;
mod decode;
mod entitlements;
mod json;
mod message;
mod push_down;
pub mod spawn;
pub mod system;
mod tree;
pub mod users;
mod weight;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use bumpalo::Bump;

pub use system::{
    ancestors, has_full_disk_access, is_entitled, is_ignored, is_root, macos_version, own_pipeline,
    running, sip_configuration, surroundings,
};

use super::queue::{self, Queue};
use super::refusal::Refusal;
use crate::model::catalogue::{OLDEST, ROWS, Row};
use crate::model::event::{Event, EventType};
use crate::order::loss::{Origin, Stretch, Tally};
use crate::pipeline::{Buffers, Decode, Feed, Found, Piece, Source};
use crate::select::Need;
use client::{Client, Delivered};
use decode::Decoder;
use message::Message;
use tree::Members;
use weight::Scale;

/// The maximum number of messages in a piece.
const PIECE: usize = 1024;

/// The weight of messages, in bytes, at which a piece ends.
const PIECE_WEIGHT: usize = 1 << 20;

/// The time after a piece before the next one begins, unless it is full: printing each event by itself would cost more
/// than everything else when many come.
const MIN_PAUSE: Duration = Duration::from_millis(1);

/// The time that macOS has at the end to deliver what it has queued, if it can mark the last of it.
const MAX_DRAIN: Duration = Duration::from_secs(5);

/// If it can't: the time without a message after which the queue is taken to be empty.
const QUIET: Duration = Duration::from_millis(50);

/// The maximum time to wait for such a pause.
const MAX_QUIET: Duration = Duration::from_millis(500);

/// The interval of checks for the end of what macOS has queued.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Returns true if the running macOS has the event: older systems have crashed on unknown ones.
pub fn has(row: &Row) -> bool {
    row.since <= macos_version().unwrap_or(OLDEST)
}

/// Makes a client and deletes it, to see whether macOS allows one.
///
/// # Errors
/// macOS refuses it.
pub fn try_client() -> Result<(), Refusal> {
    Client::new(|_| {}).map(drop)
}

/// An item of the queue.
#[derive(Debug)]
enum Item {
    /// A message and its weight.
    Message(Message, usize),
    /// There is no more. The client comes along, to be deleted after its last message.
    End(Client),
}

/// The notes that the handler takes of every message, whether it is printed or not.
#[derive(Debug)]
struct Noted {
    tally: Tally,
    /// The number of messages that have come.
    count: u64,
}

/// The queue that the handler fills.
type Waiting = Queue<Item, Noted>;

/// A running trace with a client of EndpointSecurity.
#[derive(Debug)]
pub struct Native {
    /// Until somebody ends the trace.
    client: Arc<Mutex<Option<Client>>>,
    queue: Arc<Waiting>,
    decoder: Decoder,
}

impl Native {
    /// Begins a trace of the events that are needed and that the running macOS has.
    ///
    /// # Errors
    /// macOS refuses it, or has none of the events.
    pub fn start(need: &Need) -> Result<Native, Refusal> {
        let mutes_self = !need.own.groups.is_empty();
        Native::start_by(need, mutes_self, |queue| {
            Client::new(handler(need, None, queue))
        })
    }

    /// Begins a trace of everything that this process starts, as [`Native::start`] does.
    ///
    /// # Errors
    /// macOS refuses it, or has none of the events.
    pub fn start_below(need: &Need) -> Result<Native, Refusal> {
        let members = Members::below(std::process::id().cast_signed());
        Native::start_by(need, true, |queue| {
            Client::new(handler(need, Some(members), queue))
        })
    }

    /// Begins a trace of everything that this process starts with a client for descendants. None if macOS doesn't have
    /// those.
    pub fn start_for_descendants(need: &Need) -> Option<Result<Native, Refusal>> {
        if !Client::has_descendants() {
            return None;
        }
        Some(Native::start_by(need, true, |queue| {
            Client::for_descendants(handler(need, None, queue))
        }))
    }

    fn start_by(
        need: &Need,
        mutes_self: bool,
        new: impl FnOnce(Arc<Waiting>) -> Result<Client, Refusal>,
    ) -> Result<Native, Refusal> {
        let version = macos_version().unwrap_or(OLDEST);
        let is_needed = |row: &&'static Row| {
            row.since <= version && need.events.contains(EventType::Known(row))
        };
        let events: Vec<_> = ROWS
            .iter()
            .filter(is_needed)
            .map(|row| row.number)
            .collect();
        if events.is_empty() {
            return Err(Refusal::NoEvents);
        }
        let noted = Noted {
            tally: Tally::new(),
            count: 0,
        };
        let queue = Arc::new(Queue::new(queue::CAPACITY, noted));
        let client = new(Arc::clone(&queue))?;
        let subscribed = client.unmute_all_paths().and_then(|()| {
            if mutes_self && let Some(token) = system::own_audit_token() {
                // A client for descendants may refuse this. It only saves work: our own events aren't shown anyway.
                let _ = client.mute_process(&token);
            }
            push_down::push_down(&client, need, &events)?;
            client.subscribe(&events)
        });
        subscribed.map_err(|function| Refusal::Other(format!("{function} failed")))?;
        Ok(Native {
            client: Arc::new(Mutex::new(Some(client))),
            queue,
            decoder: Decoder {
                env: need.env,
                json: need.json,
                lineage: need.lineage || need.verbose,
                verbose: need.verbose,
            },
        })
    }

    fn batch(&self, messages: Vec<Message>, weight: usize) -> Batch {
        Batch {
            messages,
            weight,
            stretches: self.queue.with(|noted| noted.tally.take()),
        }
    }
}

impl Drop for Native {
    fn drop(&mut self) {
        // The handler must not wait for room while macOS waits for it to delete the client.
        self.queue.close();
        drop(taken(&self.client));
    }
}

/// Takes the client, if it is still there.
fn taken(client: &Mutex<Option<Client>>) -> Option<Client> {
    client.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// Waits for the messages that macOS has queued, ends the subscriptions, and puts the client into the queue.
fn end(client: Client, queue: &Waiting) {
    let has_markers = wait_for_marker(&client, queue);
    // Deleting the client ends its subscriptions anyway.
    let _ = client.unsubscribe_all();
    // Messages that came before the subscriptions were ended.
    if !has_markers || !wait_for_marker(&client, queue) {
        let mut last = (queue.with(|noted| noted.count), Instant::now());
        wait_for(queue, MAX_QUIET, || {
            let count = queue.with(|noted| noted.count);
            if count != last.0 || queue.is_full() {
                last = (count, Instant::now());
            }
            last.1.elapsed() >= QUIET
        });
    }
    queue.push_at_once(Item::End(client));
}

/// Waits until macOS has delivered what it has queued now. Returns false if it can't mark the last of it.
fn wait_for_marker(client: &Client, queue: &Waiting) -> bool {
    let is_reached = Arc::new(AtomicBool::new(false));
    let marker = Arc::clone(&is_reached);
    let is_set = client.sync(move || marker.store(true, Ordering::Relaxed));
    if is_set {
        wait_for(queue, MAX_DRAIN, || is_reached.load(Ordering::Relaxed));
    }
    is_set
}

/// Waits for a condition, but no longer than `limit`. The time during which the handler waits for room doesn't count:
/// macOS still has messages behind it.
fn wait_for(queue: &Waiting, limit: Duration, mut is_so: impl FnMut() -> bool) {
    let mut waited = Duration::ZERO;
    let mut pause = Duration::from_micros(50);
    while !is_so() && waited < limit {
        thread::sleep(pause);
        pause = LOOK_EVERY.min(pause * 2);
        if !queue.is_full() {
            waited += pause;
        }
    }
}

/// Messages, and the numbers of all that came, shown or not.
#[derive(Debug)]
pub struct Batch {
    messages: Vec<Message>,
    weight: usize,
    stretches: Vec<Stretch>,
}

impl Piece for Batch {
    fn size(&self) -> usize {
        self.weight
    }
}

impl Source for Native {
    type Piece = Batch;
    type Decoder = Messages;

    fn decoder(&self, _: &Buffers) -> Messages {
        Messages {
            decoder: self.decoder,
            arena: Bump::new(),
        }
    }

    fn stopper(&self) -> Box<dyn Fn() -> bool + Send + Sync> {
        let client = Arc::clone(&self.client);
        let queue = Arc::clone(&self.queue);
        Box::new(move || {
            if let Some(client) = taken(&client) {
                let queue = Arc::clone(&queue);
                thread::spawn(move || end(client, &queue));
            }
            true
        })
    }

    fn run(self, feed: &Feed<Batch>) {
        feed.begin(Origin::Native, true);
        let mut items = Vec::new();
        let mut messages = Vec::new();
        let mut weight = 0;
        let mut passed = Instant::now();
        let client = 'trace: loop {
            self.queue.wait();
            if let Some(pause) = MIN_PAUSE.checked_sub(passed.elapsed()) {
                thread::sleep(pause);
            }
            self.queue.poll(&mut items);
            for item in items.drain(..) {
                match item {
                    Item::Message(message, its_weight) => {
                        messages.push(message);
                        weight += its_weight;
                    }
                    Item::End(client) => break 'trace client,
                }
                if messages.len() == PIECE || weight >= PIECE_WEIGHT {
                    feed.piece(Batch {
                        messages: std::mem::take(&mut messages),
                        weight,
                        stretches: Vec::new(),
                    });
                    self.queue.release(std::mem::take(&mut weight));
                }
            }
            feed.piece(self.batch(std::mem::take(&mut messages), weight));
            self.queue.release(std::mem::take(&mut weight));
            passed = Instant::now();
        };
        feed.piece(self.batch(messages, weight));
        // No document says that a message outlives its client.
        feed.wait_until_empty();
        drop(client);
        feed.end(Ok(()));
    }
}

/// Decodes batches of messages.
pub struct Messages {
    decoder: Decoder,
    arena: Bump,
}

impl Decode<Batch> for Messages {
    fn decode(&mut self, batch: Batch, event: &mut impl FnMut(&Event<'_>)) -> Found {
        let mut fields = Vec::new();
        for message in batch.messages {
            let empty = decode::emptied(fields);
            let read = self.decoder.event(&message, &self.arena, empty);
            event(&read);
            fields = decode::emptied(read.fields);
            self.arena.reset();
        }
        Found {
            damage: Vec::new(),
            stretches: batch.stretches,
            has_messages: true,
        }
    }
}

/// The function that macOS calls with every message.
fn handler(
    need: &Need,
    members: Option<Members>,
    queue: Arc<Waiting>,
) -> impl Fn(&Delivered) + Send + Sync + 'static {
    let own = need.own.clone();
    let scale = Scale::new();
    // The handler isn't called by two threads at the same time.
    let members = members.map(Mutex::new);
    move |delivered| {
        queue.push(|noted| {
            let message = delivered.get();
            let (seq_num, global_seq_num) = message::numbers(message);
            let event_type = decode::event_type(message.event_type.0);
            let is_auth = message.action_type == c::es_action_type_t::ES_ACTION_TYPE_AUTH;
            noted.count += 1;
            noted
                .tally
                .observe(event_type, is_auth, seq_num, global_seq_num);
            // A process that leaves the group must be seen again: muting by audit token wouldn't do that. One that joins
            // it is counted later.
            let is_own = |process: c::ProcessRef<'_>| {
                let process = process.get();
                own.has_group(process.group_id)
                    && decode::audit_token(&process.audit_token)
                        .pid()
                        .is_some_and(|pid| own.has_process(pid, process.ppid))
            };
            if delivered.process().is_some_and(is_own) {
                return None;
            }
            if let Some(members) = &members {
                let mut members = members.lock().unwrap_or_else(PoisonError::into_inner);
                if !members.concerns(delivered) {
                    return None;
                }
            }
            let weight = scale.weight(event_type, delivered);
            Some((Item::Message(delivered.retain(), weight), weight))
        });
    }
}
