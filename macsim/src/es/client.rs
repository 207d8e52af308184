//! Clients: their state, and those that there are.

use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use super::live::Live;
use super::misused;
use super::muting::Muting;
use super::queue::{Marker, Queue, Queued};
use crate::note::note;
use crate::settings;
use crate::system::blocks::{_Block_copy, _Block_release, Block};
use crate::versions::{self, EVENT_TYPES};

/// `es_client_t`
pub struct Client {
    /// Called for each message; a copy of the program's block.
    handler: *mut Block,
    /// True if the client sees only the program and the processes below it.
    pub is_descendants: bool,
    /// True for each event type that is subscribed, by its number.
    subscribed: Vec<AtomicBool>,
    subscriptions: AtomicU32,
    state: Mutex<State>,
    /// Counts the changes of `state.muting`.
    pub muting_changes: AtomicU32,
    /// True if something is in `state.queue`. It can be read without the lock, since delivery checks it before each
    /// message.
    is_queued: AtomicBool,
    /// True if the client is deleted: nothing is delivered any more.
    pub stopped: AtomicBool,
    /// Notified when there is something to do after the last message.
    pub wake: Condvar,
}

/// The state that several threads change.
#[derive(Default)]
pub struct State {
    /// The processes and paths that the client has muted.
    pub muting: Muting,
    /// The messages and markers that wait for the handler.
    pub queue: Queue,
    /// The thread that calls the handler, once something is subscribed.
    pub thread: Option<JoinHandle<()>>,
}

// SAFETY: the handler is only called by the delivery thread; all else is behind locks or atomic.
unsafe impl Send for Client {}
// SAFETY: as above.
unsafe impl Sync for Client {}

impl Client {
    /// A client that isn't subscribed to anything.
    pub fn new(handler: *mut Block, is_descendants: bool) -> Self {
        Self {
            handler: _Block_copy(handler),
            is_descendants,
            subscribed: (0..versions::known_types())
                .map(|_| AtomicBool::new(false))
                .collect(),
            subscriptions: AtomicU32::new(0),
            state: Mutex::new(State {
                muting: Muting::of_new_client(settings::get().macos),
                ..State::default()
            }),
            muting_changes: AtomicU32::new(0),
            is_queued: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
            wake: Condvar::new(),
        }
    }

    /// Locks the state that several threads change.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns true if an event type is delivered. An unknown type is delivered to every client that is subscribed to
    /// anything.
    pub fn wants(&self, event: u32) -> bool {
        match self.subscribed.get(event as usize) {
            Some(subscribed) => subscribed.load(Ordering::Relaxed),
            None => self.subscriptions.load(Ordering::Relaxed) > 0,
        }
    }

    /// Has an event type delivered.
    pub fn subscribe(&self, event: u32) {
        if !self.subscribed[event as usize].swap(true, Ordering::Relaxed) {
            self.subscriptions.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Has no event type delivered.
    pub fn unsubscribe_all(&self) {
        for subscribed in &self.subscribed {
            subscribed.store(false, Ordering::Relaxed);
        }
        self.subscriptions.store(0, Ordering::Relaxed);
    }

    /// Queues a block after all messages that came before.
    pub fn mark(&self, state: &mut State, marker: Marker) {
        state.queue.mark(marker);
        self.is_queued.store(true, Ordering::Release);
        self.wake.notify_all();
    }

    /// Returns true if the client's handler runs in this thread.
    pub fn is_handling(&self) -> bool {
        ptr::eq(HANDLES.get(), self)
    }

    /// Queues what a real process did, if the client wants it.
    fn queue(&self, message: &Arc<Live>) {
        if self.is_descendants && !message.related {
            return;
        }
        let mut state = self.state();
        if self.wants(message.record.event_type) && !state.muting.mutes(&message.record) {
            state.queue.push(message);
            self.is_queued.store(true, Ordering::Release);
            self.wake.notify_all();
        }
    }

    /// Takes the next batch for the handler, if one is due.
    pub fn batch(&self) -> Option<VecDeque<Queued>> {
        if !self.is_queued.load(Ordering::Acquire) {
            return None;
        }
        let mut state = self.state();
        let batch = state.queue.take()?;
        self.is_queued.store(false, Ordering::Release);
        Some(batch)
    }

    /// The handler block.
    pub fn handler(&self) -> *const Block {
        self.handler
    }

    /// Calls the handler.
    pub fn handle(&self, function: Handler, message: *const u8) {
        let outer = HANDLES.replace(self);
        function(self.handler, self, message);
        HANDLES.set(outer);
    }

    /// Calls the blocks that wait for messages which will never come.
    pub fn end(&self) {
        let markers = self.state().queue.end();
        markers.into_iter().for_each(Marker::call);
    }
}

/// `es_handler_block_t` as a function
pub type Handler = extern "C" fn(*const Block, *const Client, *const u8);

thread_local! {
    /// The client whose handler runs in this thread.
    static HANDLES: Cell<*const Client> = const { Cell::new(ptr::null()) };
}

impl Drop for Client {
    fn drop(&mut self) {
        _Block_release(self.handler);
    }
}

/// `es_return_t`
pub const SUCCESS: u32 = 0;
/// `es_return_t`
pub const ERROR: u32 = 1;

/// The clients that are not deleted; the value is true for a descendants client.
static CLIENTS: Mutex<BTreeMap<usize, bool>> = Mutex::new(BTreeMap::new());

/// The clients that are not deleted, by their addresses; the value is true for a descendants client.
pub fn clients() -> MutexGuard<'static, BTreeMap<usize, bool>> {
    CLIENTS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Queues what a real process did, for every client.
pub fn queue(message: &Arc<Live>) {
    for client in clients().keys() {
        // SAFETY: a client that isn't deleted, and isn't as long as this has the lock.
        unsafe { &*(*client as *const Client) }.queue(message);
    }
}

/// The client that the program passes; `None` is misuse.
pub fn given<'a>(client: *const Client, function: &str) -> Option<&'a Client> {
    if !clients().contains_key(&(client as usize)) {
        misused(format_args!(
            "{function}: this is no client, or it was deleted"
        ));
        return None;
    }
    // SAFETY: made by es_new_client, and not deleted yet.
    unsafe { client.as_ref() }
}

/// The event types that the caller passes; NULL means none.
pub fn events<'a>(events: *const u32, count: usize) -> &'a [u32] {
    if events.is_null() {
        return &[];
    }
    // SAFETY: an array of the caller's.
    unsafe { std::slice::from_raw_parts(events, count) }
}

/// Names of event types, for the log.
pub fn names(events: &[u32]) -> String {
    let name = |event: &u32| match EVENT_TYPES.get(*event as usize) {
        Some(row) => row.name.to_string(),
        None => event.to_string(),
    };
    events.iter().map(name).collect::<Vec<_>>().join(",")
}

/// Prints a line under `--log`.
pub fn log(text: std::fmt::Arguments) {
    if settings::get().log {
        note(text);
    }
}
