//! EndpointSecurity: messages from macOS itself, as they come.
//!
//! All that is unsafe in the program is in here, each with a `SAFETY` comment. [`c`] knows the C interface,
//! [`client`] subscribes, [`message`] keeps messages and gives their members, [`decode`] makes events of them and
//! [`json`] what eslogger would write.
//!
//! The handler does little: it counts a message, looks whether the process is one of our own, retains the
//! message and puts it into a queue. All else is done by whoever takes it out. When the queue is full the
//! handler waits, and macOS counts what it can't deliver meanwhile.

#![allow(unsafe_code, reason = "the one place where C is called")]

mod acl;
pub mod c;
mod client;
mod decode;
mod entitlements;
mod json;
mod message;
mod system;

use std::sync::Arc;
use std::thread;

pub use c::Get;
pub(crate) use c::getter;
pub use decode::{Decoder, emptied};
pub use message::Message;
pub use system::{findings, macos_version, own_process_groups, responsible_app};

use crate::filter::Tree;
use crate::loss::{Stretch, Tally};
use crate::queue::Queue;
use crate::refusal::Refusal;
use client::{Client, Delivered};

/// How many messages may wait to be printed. A message is some kilobytes.
const QUEUE: usize = 1 << 18;

/// What a trace is to see.
#[derive(Debug)]
pub struct Plan {
    /// `es_event_type_t` of the events, all of which the running macOS has.
    pub events: Vec<u32>,
    /// Where the images of the processes lie. None: anywhere.
    pub images: Vec<Tree>,
    /// The process groups that are left out: those of the pipeline that this process is a part of. None: it is seen, too.
    pub left_out: Vec<i32>,
}

/// What comes out of the queue.
#[derive(Debug)]
pub enum Item {
    /// A message.
    Message(Message),
    /// Somebody asks for the end.
    Stop,
    /// There is no more.
    End,
}

/// A running trace.
#[derive(Debug)]
pub struct Source {
    client: Option<Client>,
    queue: Arc<Queue<Item, Tally>>,
}

/// Asks a trace for its end, from any thread.
pub struct Stopper(Arc<Queue<Item, Tally>>);

impl Stopper {
    /// Asks for the end.
    pub fn stop(&self) {
        self.0.push_at_once(Item::Stop);
    }
}

impl Source {
    /// Begins a trace.
    ///
    /// # Errors
    /// macOS refuses it.
    pub fn start(plan: &Plan) -> Result<Source, Refusal> {
        let queue = Arc::new(Queue::new(QUEUE, Tally::new()));
        let client = Client::new(handler(plan, Arc::clone(&queue)))?;
        let subscribed = client.unmute_all_paths().and_then(|()| {
            if !plan.left_out.is_empty()
                && let Some(token) = system::own_audit_token()
            {
                client.mute_process(&token)?;
            }
            push_down(&client, plan)?;
            client.subscribe(&plan.events)
        });
        subscribed.map_err(|function| Refusal::Other(format!("{function} failed")))?;
        Ok(Source {
            client: Some(client),
            queue,
        })
    }

    /// What asks for the end.
    pub fn stopper(&self) -> Stopper {
        Stopper(Arc::clone(&self.queue))
    }

    /// Takes over all that waits into `items`, which is empty; returns whether there was anything.
    pub fn poll(&self, items: &mut Vec<Item>) -> bool {
        self.queue.poll(items)
    }

    /// Waits until something is there.
    pub fn wait(&self) {
        self.queue.wait();
    }

    /// The numbers of the messages that have come since this was asked last.
    pub fn stretches(&self) -> Vec<Stretch> {
        self.queue.with(Tally::take)
    }

    /// Ends the trace. What macOS has delivered still comes out of the queue, then [`Item::End`].
    pub fn stop(&mut self) {
        let Some(client) = self.client.take() else {
            return;
        };
        let queue = Arc::clone(&self.queue);
        // On a thread of its own, because the handler may wait for room in the queue and macOS for the handler.
        thread::spawn(move || {
            // Deleting the client ends its subscriptions anyway.
            let _ = client.unsubscribe_all();
            drop(client);
            queue.push_at_once(Item::End);
        });
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        // The handler must not wait for room while macOS waits for it to delete the client.
        self.queue.close();
    }
}

/// What macOS calls with every message.
fn handler(
    plan: &Plan,
    queue: Arc<Queue<Item, Tally>>,
) -> impl Fn(&Delivered) + Send + Sync + 'static {
    let groups = plan.left_out.clone();
    move |delivered| {
        queue.push(|tally| {
            let message = delivered.get();
            let (seq_num, global_seq_num) = message::numbers(message);
            let event_type = decode::event_type(message.event_type.0);
            tally.observe(event_type, seq_num, global_seq_num);
            // A process that leaves the group must be seen again, and one that joins it not: muting it by
            // its audit token would do neither.
            let is_own = |process: &c::es_process_t| groups.contains(&process.group_id);
            if delivered.process().is_some_and(is_own) {
                return None;
            }
            Some(Item::Message(delivered.retain()))
        });
    }
}

/// Lets macOS do what it can of the filter: messages of other processes then don't come at all.
fn push_down(client: &Client, plan: &Plan) -> client::Result<()> {
    /// `ES_EVENT_TYPE_NOTIFY_EXEC`
    const EXEC: u32 = 9;
    let prefixes: Vec<_> = plan.images.iter().flat_map(Tree::prefixes).collect();
    // The root has everything below it, and processes without a path besides.
    if prefixes.is_empty() || prefixes.contains(&&b""[..]) {
        return Ok(());
    }
    for prefix in prefixes {
        client.mute_path(prefix, false, None)?;
        client.mute_path(&[prefix, b"/"].concat(), true, None)?;
    }
    if plan.events.contains(&EXEC) {
        // An exec is selected by the image that it goes to as well, whoever it comes from.
        client.mute_path(b"/", true, Some(&[EXEC]))?;
    }
    client.invert_path_muting()
}
