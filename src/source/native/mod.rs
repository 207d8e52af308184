//! EndpointSecurity: messages from macOS itself, as they come.
//!
//! All unsafe code of the program is in here, each part with a `SAFETY` comment. [`c`] knows the C interface,
//! [`client`] subscribes, [`message`] keeps messages and returns their members, [`decode`] makes events from them and
//! [`json`] makes what eslogger would write.
//!
//! The handler does little: it counts a message, checks whether the process is one of our own, retains the message and
//! puts it into a queue. Everything else is done by the thread that takes it out. When the queue is full the handler
//! waits, and macOS counts the messages that it can't deliver in the meantime.

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
mod system;
mod tree;
pub mod users;

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use bumpalo::Bump;

pub use system::{
    ancestors, has_full_disk_access, is_entitled, is_ignored, is_root, macos_version,
    own_process_groups, running, sip_configuration, surroundings,
};

use super::queue::Queue;
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

/// The number of messages that may wait to be printed. A message takes a few kilobytes.
const QUEUE: usize = 1 << 18;

/// The maximum number of messages in a piece.
const PIECE: usize = 1024;

/// The time after a piece before the next one begins, unless it is full: printing each event by itself would cost more
/// than everything else when many come.
const MIN_PAUSE: Duration = Duration::from_millis(1);

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
    /// A message.
    Message(Message),
    /// A request to end.
    Stop,
    /// There is no more.
    End,
}

/// A running trace with a client of EndpointSecurity.
#[derive(Debug)]
pub struct Native {
    client: Option<Client>,
    queue: Arc<Queue<Item, Tally>>,
    decoder: Decoder,
}

impl Native {
    /// Begins a trace of the events that are needed and that the running macOS has.
    ///
    /// # Errors
    /// macOS refuses it, or has none of the events.
    pub fn start(need: &Need) -> Result<Native, Refusal> {
        let mutes_self = !need.excluded_groups.is_empty();
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
        new: impl FnOnce(Arc<Queue<Item, Tally>>) -> Result<Client, Refusal>,
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
        let queue = Arc::new(Queue::new(QUEUE, Tally::new()));
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
            client: Some(client),
            queue,
            decoder: Decoder {
                env: need.env,
                json: need.json,
                lineage: need.lineage || need.verbose,
                verbose: need.verbose,
            },
        })
    }

    /// Ends the trace. Messages that macOS has delivered still come out of the queue, then [`Item::End`].
    fn stop(&mut self) {
        let Some(client) = self.client.take() else {
            return;
        };
        let queue = Arc::clone(&self.queue);
        // This runs on a separate thread, because the handler may wait for room in the queue, and macOS for the
        // handler.
        thread::spawn(move || {
            // Deleting the client ends its subscriptions anyway.
            let _ = client.unsubscribe_all();
            drop(client);
            queue.push_at_once(Item::End);
        });
    }

    fn batch(&self, messages: Vec<Message>) -> Batch {
        Batch {
            messages,
            stretches: self.queue.with(Tally::take),
        }
    }
}

impl Drop for Native {
    fn drop(&mut self) {
        // The handler must not wait for room while macOS waits for it to delete the client.
        self.queue.close();
    }
}

/// Messages, and the numbers of all that came, shown or not.
#[derive(Debug)]
pub struct Batch {
    messages: Vec<Message>,
    stretches: Vec<Stretch>,
}

impl Piece for Batch {
    fn size(&self) -> usize {
        self.messages.len() << 10
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
        let queue = Arc::clone(&self.queue);
        Box::new(move || {
            queue.push_at_once(Item::Stop);
            true
        })
    }

    fn run(mut self, feed: &Feed<Batch>) {
        feed.begin(Origin::Native, true);
        let mut items = Vec::new();
        let mut messages = Vec::new();
        let mut passed = Instant::now();
        'trace: loop {
            self.queue.wait();
            if let Some(pause) = MIN_PAUSE.checked_sub(passed.elapsed()) {
                thread::sleep(pause);
            }
            self.queue.poll(&mut items);
            for item in items.drain(..) {
                match item {
                    Item::Message(message) => messages.push(message),
                    Item::Stop => self.stop(),
                    Item::End => break 'trace,
                }
                if messages.len() == PIECE {
                    let messages = std::mem::take(&mut messages);
                    let stretches = Vec::new();
                    feed.piece(Batch {
                        messages,
                        stretches,
                    });
                }
            }
            feed.piece(self.batch(std::mem::take(&mut messages)));
            passed = Instant::now();
        }
        feed.piece(self.batch(messages));
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
    queue: Arc<Queue<Item, Tally>>,
) -> impl Fn(&Delivered) + Send + Sync + 'static {
    let groups = need.excluded_groups.clone();
    // The handler isn't called by two threads at the same time.
    let members = members.map(Mutex::new);
    move |delivered| {
        queue.push(|tally| {
            let message = delivered.get();
            let (seq_num, global_seq_num) = message::numbers(message);
            let event_type = decode::event_type(message.event_type.0);
            let is_auth = message.action_type == c::es_action_type_t::ES_ACTION_TYPE_AUTH;
            tally.observe(event_type, is_auth, seq_num, global_seq_num);
            // A process that leaves the group must be seen again, and one that joins it must not: muting by audit token
            // would do neither.
            let is_own = |process: c::ProcessRef<'_>| groups.contains(&process.get().group_id);
            if delivered.process().is_some_and(is_own) {
                return None;
            }
            if let Some(members) = &members {
                let mut members = members.lock().unwrap_or_else(PoisonError::into_inner);
                if !members.concerns(delivered) {
                    return None;
                }
            }
            Some(Item::Message(delivered.retain()))
        });
    }
}
