//! Clients: the functions that the program calls on one.

use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use super::live::Live;
use super::muting::Muting;
use super::queue::{Marker, Queue, Queued};
use super::{delivery, live, message, misused};
use crate::note::note;
use crate::settings::{self, First, Signature};
use crate::system::blocks::{_Block_copy, _Block_release, Block};
use crate::system::{Export, functions, identity};
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
    thread: Option<JoinHandle<()>>,
}

// SAFETY: the handler is only called by the delivery thread; all else is behind locks or atomic.
unsafe impl Send for Client {}
// SAFETY: as above.
unsafe impl Sync for Client {}

impl Client {
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
/// `es_new_client_result_t`
const INVALID_ARGUMENT: u32 = 1;
const NOT_ENTITLED: u32 = 3;
const NOT_PRIVILEGED: u32 = 5;
const TOO_MANY_CLIENTS: u32 = 6;

/// The clients that are not deleted; the value is true for a descendants client.
static CLIENTS: Mutex<BTreeMap<usize, bool>> = Mutex::new(BTreeMap::new());

fn clients() -> MutexGuard<'static, BTreeMap<usize, bool>> {
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

fn new_client(
    output: *mut *const Client,
    handler: *mut Block,
    result: u32,
    is_descendants: bool,
) -> u32 {
    if output.is_null() || handler.is_null() {
        return INVALID_ARGUMENT;
    }
    // SAFETY: the caller's variable.
    unsafe { output.write(ptr::null()) };
    if result != SUCCESS {
        return result;
    }
    live::listen();
    let settings = settings::get();
    let allowed = if is_descendants {
        settings.descendants_clients
    } else {
        settings.clients
    };
    let mut clients = clients();
    let same = clients.values().filter(|same| **same == is_descendants);
    if same.count() >= allowed {
        return TOO_MANY_CLIENTS;
    }
    let client = Arc::new(Client {
        handler: _Block_copy(handler),
        is_descendants,
        subscribed: (0..versions::known_types())
            .map(|_| AtomicBool::new(false))
            .collect(),
        subscriptions: AtomicU32::new(0),
        state: Mutex::new(State {
            muting: Muting::of_new_client(settings.macos),
            ..State::default()
        }),
        muting_changes: AtomicU32::new(0),
        is_queued: AtomicBool::new(false),
        stopped: AtomicBool::new(false),
        wake: Condvar::new(),
    });
    let client = Arc::into_raw(client); // es_delete_client drops the reference
    clients.insert(client as usize, is_descendants);
    // SAFETY: as above.
    unsafe { output.write(client) };
    SUCCESS
}

/// The result for a program without the entitlement; `--new-client` can make the program such a one.
fn unless_entitled() -> u32 {
    let settings = settings::get();
    let forced = settings.new_client == Some(NOT_ENTITLED);
    if settings.signature != Signature::Entitled || forced {
        NOT_ENTITLED
    } else {
        SUCCESS
    }
}

extern "C" fn es_new_client(output: *mut *const Client, handler: *mut Block) -> u32 {
    let settings = settings::get();
    let unless_root = if identity::effective_user() == 0 {
        SUCCESS
    } else {
        NOT_PRIVILEGED
    };
    let refusals = match settings.refuse_first {
        First::Root => [unless_root, unless_entitled()],
        First::Entitlement => [unless_entitled(), unless_root],
    };
    let refusal = refusals.into_iter().find(|result| *result != SUCCESS);
    let result = settings.new_client.or(refusal).unwrap_or(SUCCESS);
    new_client(output, handler, result, false)
}

/// Checks neither for root nor for Full Disk Access.
extern "C" fn es_new_descendants_client(output: *mut *const Client, handler: *mut Block) -> u32 {
    let forced = settings::get().new_descendants_client;
    let result = forced.unwrap_or_else(unless_entitled);
    new_client(output, handler, result, true)
}

extern "C" fn es_delete_client(client: *const Client) -> u32 {
    let Some(found) = given(client, "es_delete_client") else {
        return ERROR;
    };
    found.stopped.store(true, Ordering::Release);
    let thread = {
        let mut state = found.state();
        found.wake.notify_all();
        state.thread.take()
    };
    // The handler itself may delete its client; it can't wait for its own thread.
    if let Some(thread) =
        thread.filter(|thread| thread.thread().id() != std::thread::current().id())
    {
        _ = thread.join();
    }
    found.end();
    if settings::get().check_deleted && message::held() > 0 {
        misused(format_args!(
            "es_delete_client: the program still has messages"
        ));
    }
    clients().remove(&(client as usize));
    // SAFETY: the reference that es_new_client gave away.
    drop(unsafe { Arc::from_raw(client) });
    SUCCESS
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

extern "C" fn es_subscribe(client: *const Client, types: *const u32, count: u32) -> u32 {
    let Some(found) = given(client, "es_subscribe") else {
        return ERROR;
    };
    let types = events(types, count as usize);
    let macos = settings::get().macos;
    let last = versions::last_type(macos);
    let newer = types.iter().find(|event| **event >= last);
    // macOS 27 ignores types that it doesn't have.
    if let Some(newer) = newer.filter(|_| macos.0[0] < 27) {
        misused(format_args!(
            "es_subscribe: macOS {macos} has no event type {newer} ({})",
            names(&[*newer])
        ));
        return ERROR;
    }
    log(format_args!("subscribe {}", names(types)));
    live::catch_up();
    for event in types.iter().filter(|event| **event < last) {
        if !found.subscribed[*event as usize].swap(true, Ordering::Relaxed) {
            found.subscriptions.fetch_add(1, Ordering::Relaxed);
        }
    }
    let mut state = found.state();
    if state.thread.is_none() {
        // SAFETY: the program's reference; the thread gets one of its own.
        let own = unsafe {
            Arc::increment_strong_count(client);
            Arc::from_raw(client)
        };
        match delivery::start(own) {
            Ok(thread) => state.thread = Some(thread),
            Err(_) => return ERROR,
        }
    }
    SUCCESS
}

extern "C" fn es_unsubscribe_all(client: *const Client) -> u32 {
    let Some(found) = given(client, "es_unsubscribe_all") else {
        return ERROR;
    };
    for subscribed in &found.subscribed {
        subscribed.store(false, Ordering::Relaxed);
    }
    found.subscriptions.store(0, Ordering::Relaxed);
    SUCCESS
}

/// Calls a block after all messages that came before.
extern "C" fn es_sync_client(client: *const Client, block: *mut Block) -> u32 {
    if block.is_null() {
        misused(format_args!("es_sync_client: no block"));
        return ERROR;
    }
    if client.is_null() {
        Marker::new(block).call();
        return SUCCESS;
    }
    let Some(found) = given(client, "es_sync_client") else {
        return ERROR;
    };
    if HANDLES.get() == client {
        misused(format_args!(
            "es_sync_client: called by the client's handler"
        ));
        return ERROR;
    }
    live::catch_up();
    let mut state = found.state();
    let marker = Marker::new(block);
    if state.thread.is_some() {
        state.queue.mark(marker);
        found.is_queued.store(true, Ordering::Release);
        found.wake.notify_all();
    } else {
        drop(state);
        marker.call();
    }
    SUCCESS
}

/// The functions on clients.
pub fn exports() -> Vec<Export> {
    functions![
        es_delete_client,
        es_new_client,
        es_new_descendants_client,
        es_subscribe,
        es_sync_client,
        es_unsubscribe_all,
    ]
    .to_vec()
}
