//! Clients: what the program asks of one.

use std::collections::BTreeSet;
use std::ffi::{CStr, c_char, c_void};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use super::muting::{Muting, PathType};
use super::{delivery, misused};
use crate::settings;
use crate::system::blocks::{_Block_copy, _Block_release, Block};
use crate::system::{Export, functions};
use crate::versions::{self, EVENT_TYPES};

/// `es_client_t`
pub struct Client {
    /// Called for each message; a copy of the program's.
    handler: *mut Block,
    /// By event type.
    subscribed: Vec<AtomicBool>,
    subscriptions: AtomicU32,
    state: Mutex<State>,
    /// Counts the changes of `state.muting`.
    pub muting_changes: AtomicU32,
    /// Deleted: nothing is delivered any more.
    pub stopped: AtomicBool,
    /// Told when there is something to do after the last message.
    pub wake: Condvar,
}

/// What several threads change.
#[derive(Default)]
pub struct State {
    /// What is kept from the client.
    pub muting: Muting,
    /// Blocks of `es_sync_client` that wait for their turn.
    pub waiting: Vec<Sync>,
    thread: Option<JoinHandle<()>>,
}

/// A block to call between two messages.
pub struct Sync(pub *mut Block);

// SAFETY: blocks may be called and released by any thread.
unsafe impl Send for Sync {}
// SAFETY: the handler is only called by the delivery thread; all else is behind locks or atomic.
unsafe impl Send for Client {}
// SAFETY: as above.
unsafe impl std::marker::Sync for Client {}

impl Client {
    /// What several threads change.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether an event type is delivered: one that is subscribed, and one that nobody knows to whoever is subscribed to
    /// anything.
    pub fn wants(&self, event: u32) -> bool {
        match self.subscribed.get(event as usize) {
            Some(subscribed) => subscribed.load(Ordering::Relaxed),
            None => self.subscriptions.load(Ordering::Relaxed) > 0,
        }
    }

    /// The handler block.
    pub fn handler(&self) -> *const Block {
        self.handler
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        _Block_release(self.handler);
    }
}

const SUCCESS: u32 = 0;
const ERROR: u32 = 1;
/// `es_new_client_result_t`
const NOT_PRIVILEGED: u32 = 5;
const TOO_MANY_CLIENTS: u32 = 6;
const INVALID_ARGUMENT: u32 = 1;
/// As many clients as macOS allows.
const MAX_CLIENTS: usize = 48;

/// The clients that are not deleted.
static CLIENTS: Mutex<BTreeSet<usize>> = Mutex::new(BTreeSet::new());

fn clients() -> MutexGuard<'static, BTreeSet<usize>> {
    CLIENTS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The program's client; `None` is misuse.
fn given<'a>(client: *const Client, function: &str) -> Option<&'a Client> {
    if !clients().contains(&(client as usize)) {
        misused(format_args!(
            "{function}: this is no client, or it was deleted"
        ));
        return None;
    }
    // SAFETY: made by es_new_client, and not deleted yet.
    unsafe { client.as_ref() }
}

fn new_client(output: *mut *const Client, handler: *mut Block, result: u32) -> u32 {
    if output.is_null() || handler.is_null() {
        return INVALID_ARGUMENT;
    }
    // SAFETY: the caller's variable.
    unsafe { output.write(ptr::null()) };
    if result != SUCCESS {
        return result;
    }
    let mut clients = clients();
    if clients.len() >= MAX_CLIENTS {
        return TOO_MANY_CLIENTS;
    }
    let client = Arc::new(Client {
        handler: _Block_copy(handler),
        subscribed: (0..versions::known_types())
            .map(|_| AtomicBool::new(false))
            .collect(),
        subscriptions: AtomicU32::new(0),
        state: Mutex::new(State {
            muting: Muting::of_new_client(settings::get().macos),
            ..State::default()
        }),
        muting_changes: AtomicU32::new(0),
        stopped: AtomicBool::new(false),
        wake: Condvar::new(),
    });
    let client = Arc::into_raw(client); // es_delete_client drops the reference
    clients.insert(client as usize);
    // SAFETY: as above.
    unsafe { output.write(client) };
    SUCCESS
}

extern "C" fn es_new_client(output: *mut *const Client, handler: *mut Block) -> u32 {
    let settings = settings::get();
    let unprivileged = if settings.euid == 0 {
        SUCCESS
    } else {
        NOT_PRIVILEGED
    };
    new_client(output, handler, settings.new_client.unwrap_or(unprivileged))
}

extern "C" fn es_new_descendants_client(output: *mut *const Client, handler: *mut Block) -> u32 {
    new_client(output, handler, settings::get().new_descendants_client)
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
    clients().remove(&(client as usize));
    // SAFETY: the reference that es_new_client gave away.
    drop(unsafe { Arc::from_raw(client) });
    SUCCESS
}

fn events<'a>(events: *const u32, count: usize) -> &'a [u32] {
    if events.is_null() {
        return &[];
    }
    // SAFETY: an array of the caller's.
    unsafe { std::slice::from_raw_parts(events, count) }
}

/// Names of event types, for the log.
fn names(events: &[u32]) -> String {
    let name = |event: &u32| match EVENT_TYPES.get(*event as usize) {
        Some(row) => row.name.to_string(),
        None => event.to_string(),
    };
    events.iter().map(name).collect::<Vec<_>>().join(",")
}

fn log(text: std::fmt::Arguments) {
    if settings::get().log {
        eprintln!("macsim: {text}");
    }
}

extern "C" fn es_subscribe(client: *const Client, types: *const u32, count: u32) -> u32 {
    let Some(found) = given(client, "es_subscribe") else {
        return ERROR;
    };
    let types = events(types, count as usize);
    let macos = settings::get().macos;
    let last = versions::last_type(macos);
    if let Some(newer) = types.iter().find(|event| **event >= last) {
        misused(format_args!(
            "es_subscribe: macOS {macos} has no event type {newer} ({})",
            names(&[*newer])
        ));
        return ERROR;
    }
    log(format_args!("subscribe {}", names(types)));
    for event in types {
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

extern "C" fn es_unsubscribe(client: *const Client, types: *const u32, count: u32) -> u32 {
    let Some(found) = given(client, "es_unsubscribe") else {
        return ERROR;
    };
    for event in events(types, count as usize) {
        if let Some(subscribed) = found.subscribed.get(*event as usize)
            && subscribed.swap(false, Ordering::Relaxed)
        {
            found.subscriptions.fetch_sub(1, Ordering::Relaxed);
        }
    }
    SUCCESS
}

extern "C" fn es_unsubscribe_all(client: *const Client) -> u32 {
    let all: Vec<u32> = (0..versions::known_types()).collect();
    es_unsubscribe(client, all.as_ptr(), all.len() as u32)
}

/// Numbers in memory that the caller frees.
fn given_away<T: Copy>(items: &[T]) -> *mut T {
    // SAFETY: new memory of the right size.
    unsafe {
        let memory = libc::malloc(size_of_val(items).max(1)).cast::<T>();
        if !memory.is_null() {
            memory.copy_from_nonoverlapping(items.as_ptr(), items.len());
        }
        memory
    }
}

extern "C" fn es_subscriptions(
    client: *const Client,
    count: *mut usize,
    output: *mut *mut u32,
) -> u32 {
    let Some(found) = given(client, "es_subscriptions") else {
        return ERROR;
    };
    let subscribed: Vec<u32> = (0..versions::known_types())
        .filter(|event| found.wants(*event))
        .collect();
    // SAFETY: the caller's variables.
    unsafe {
        count.write(subscribed.len());
        output.write(given_away(&subscribed));
    }
    SUCCESS
}

/// Changes what is muted; false is an error.
fn change(client: *const Client, function: &str, change: impl FnOnce(&mut Muting) -> bool) -> u32 {
    let Some(found) = given(client, function) else {
        return ERROR;
    };
    let changed = change(&mut found.state().muting);
    found.muting_changes.fetch_add(1, Ordering::Release);
    if changed { SUCCESS } else { ERROR }
}

/// A path of the caller's; an empty one is refused, as macOS does.
fn path(path: *const c_char, kind: u32, function: &str) -> Option<(PathType, Vec<u8>)> {
    if path.is_null() || kind > 3 {
        misused(format_args!("{function}: no path, or no type of one"));
        return None;
    }
    // SAFETY: a string of the caller's.
    let bytes = unsafe { CStr::from_ptr(path) }.to_bytes();
    Some((PathType(kind), bytes.to_vec()))
}

fn mute_path(
    client: *const Client,
    text: *const c_char,
    kind: u32,
    types: Option<&[u32]>,
    function: &str,
) -> u32 {
    let Some(what) = path(text, kind, function) else {
        return ERROR;
    };
    let which = types.map_or("all".to_string(), names);
    log(format_args!(
        "mute path {kind} {} for {which}",
        String::from_utf8_lossy(&what.1)
    ));
    change(client, function, |muting| {
        muting.paths.mute(what, types);
        true
    })
}

extern "C" fn es_mute_path(client: *const Client, path: *const c_char, kind: u32) -> u32 {
    mute_path(client, path, kind, None, "es_mute_path")
}

extern "C" fn es_mute_path_events(
    client: *const Client,
    path: *const c_char,
    kind: u32,
    types: *const u32,
    count: usize,
) -> u32 {
    mute_path(
        client,
        path,
        kind,
        Some(events(types, count)),
        "es_mute_path_events",
    )
}

extern "C" fn es_mute_path_prefix(client: *const Client, path: *const c_char) -> u32 {
    mute_path(client, path, 0, None, "es_mute_path_prefix")
}

extern "C" fn es_mute_path_literal(client: *const Client, path: *const c_char) -> u32 {
    mute_path(client, path, 1, None, "es_mute_path_literal")
}

extern "C" fn es_unmute_path(client: *const Client, text: *const c_char, kind: u32) -> u32 {
    let Some(what) = path(text, kind, "es_unmute_path") else {
        return ERROR;
    };
    change(client, "es_unmute_path", |muting| {
        muting.paths.unmute(&what, None)
    })
}

extern "C" fn es_unmute_path_events(
    client: *const Client,
    text: *const c_char,
    kind: u32,
    types: *const u32,
    count: usize,
) -> u32 {
    let Some(what) = path(text, kind, "es_unmute_path_events") else {
        return ERROR;
    };
    let types = events(types, count);
    change(client, "es_unmute_path_events", |muting| {
        muting.paths.unmute(&what, Some(types))
    })
}

extern "C" fn es_unmute_all_paths(client: *const Client) -> u32 {
    log(format_args!("unmute all paths"));
    change(client, "es_unmute_all_paths", |muting| {
        muting.unmute_all_paths(false);
        true
    })
}

extern "C" fn es_unmute_all_target_paths(client: *const Client) -> u32 {
    log(format_args!("unmute all target paths"));
    change(client, "es_unmute_all_target_paths", |muting| {
        muting.unmute_all_paths(true);
        true
    })
}

fn mute_process(
    client: *const Client,
    token: *const [u32; 8],
    types: Option<&[u32]>,
    function: &str,
) -> u32 {
    // SAFETY: the caller's token.
    let Some(token) = (unsafe { token.as_ref() }) else {
        return ERROR;
    };
    log(format_args!(
        "mute process {} for {}",
        token[5],
        types.map_or("all".to_string(), names)
    ));
    change(client, function, |muting| {
        muting.processes.mute(*token, types);
        true
    })
}

extern "C" fn es_mute_process(client: *const Client, token: *const [u32; 8]) -> u32 {
    mute_process(client, token, None, "es_mute_process")
}

extern "C" fn es_mute_process_events(
    client: *const Client,
    token: *const [u32; 8],
    types: *const u32,
    count: usize,
) -> u32 {
    mute_process(
        client,
        token,
        Some(events(types, count)),
        "es_mute_process_events",
    )
}

fn unmute_process(
    client: *const Client,
    token: *const [u32; 8],
    types: Option<&[u32]>,
    function: &str,
) -> u32 {
    // SAFETY: the caller's token.
    let Some(token) = (unsafe { token.as_ref() }) else {
        return ERROR;
    };
    change(client, function, |muting| {
        muting.processes.unmute(token, types)
    })
}

extern "C" fn es_unmute_process(client: *const Client, token: *const [u32; 8]) -> u32 {
    unmute_process(client, token, None, "es_unmute_process")
}

extern "C" fn es_unmute_process_events(
    client: *const Client,
    token: *const [u32; 8],
    types: *const u32,
    count: usize,
) -> u32 {
    unmute_process(
        client,
        token,
        Some(events(types, count)),
        "es_unmute_process_events",
    )
}

extern "C" fn es_invert_muting(client: *const Client, which: u32) -> u32 {
    log(format_args!("invert muting {which}"));
    change(client, "es_invert_muting", |muting| {
        match muting.inverted.get_mut(which as usize) {
            Some(inverted) => {
                *inverted = !*inverted;
                true
            }
            None => false,
        }
    })
}

extern "C" fn es_muting_inverted(client: *const Client, which: u32) -> u32 {
    const INVERTED: u32 = 0;
    const NOT_INVERTED: u32 = 1;
    const FAILED: u32 = 2;
    match given(client, "es_muting_inverted")
        .and_then(|client| client.state().muting.inverted.get(which as usize).copied())
    {
        Some(true) => INVERTED,
        Some(false) => NOT_INVERTED,
        None => FAILED,
    }
}

/// `es_string_token_t`
#[repr(C)]
#[derive(Clone, Copy)]
struct Token {
    length: usize,
    data: *const u8,
}

/// `es_muted_path_t`
#[repr(C)]
#[derive(Clone, Copy)]
struct MutedPath {
    kind: u32,
    event_count: usize,
    events: *const u32,
    path: Token,
}

/// `es_muted_process_t`
#[repr(C)]
#[derive(Clone, Copy)]
struct MutedProcess {
    token: [u32; 8],
    event_count: usize,
    events: *const u32,
}

/// `es_muted_paths_t`, `es_muted_processes_t`
#[repr(C)]
#[derive(Clone, Copy)]
struct List<T> {
    count: usize,
    items: *mut T,
}

/// The types that an entry is for; all, where it is muted altogether.
fn event_list(events: Option<&BTreeSet<u32>>) -> (usize, *const u32) {
    let all = || (0..versions::last_type(settings::get().macos)).collect::<Vec<_>>();
    let list = events.map_or_else(all, |events| events.iter().copied().collect());
    (list.len(), given_away(&list))
}

extern "C" fn es_muted_paths_events(
    client: *const Client,
    output: *mut *mut List<MutedPath>,
) -> u32 {
    let Some(found) = given(client, "es_muted_paths_events") else {
        return ERROR;
    };
    let state = found.state();
    let items = state.muting.paths.0.iter().map(|entry| {
        let (event_count, events) = event_list(entry.events.as_ref());
        let (kind, path) = &entry.what;
        let text = [path.as_slice(), b"\0"].concat();
        MutedPath {
            kind: kind.0,
            event_count,
            events,
            path: Token {
                length: path.len(),
                data: given_away(&text),
            },
        }
    });
    give_list(output, &items.collect::<Vec<_>>())
}

extern "C" fn es_muted_processes_events(
    client: *const Client,
    output: *mut *mut List<MutedProcess>,
) -> u32 {
    let Some(found) = given(client, "es_muted_processes_events") else {
        return ERROR;
    };
    let state = found.state();
    let items = state.muting.processes.0.iter().map(|entry| {
        let (event_count, events) = event_list(entry.events.as_ref());
        MutedProcess {
            token: entry.what,
            event_count,
            events,
        }
    });
    give_list(output, &items.collect::<Vec<_>>())
}

fn give_list<T: Copy>(output: *mut *mut List<T>, items: &[T]) -> u32 {
    let list = List {
        count: items.len(),
        items: given_away(items),
    };
    // SAFETY: the caller's variable.
    unsafe { output.write(given_away(&[list])) };
    SUCCESS
}

/// Frees a list, and what `parts` says of each item.
fn release<T: Copy>(list: *mut List<T>, parts: impl Fn(&T) -> [*const c_void; 2]) {
    // SAFETY: made by `give_list`, and not used again.
    unsafe {
        let Some(found) = list.as_ref() else {
            return;
        };
        for index in 0..found.count {
            for part in parts(&*found.items.add(index)) {
                libc::free(part.cast_mut());
            }
        }
        libc::free(found.items.cast());
        libc::free(list.cast());
    }
}

extern "C" fn es_release_muted_paths(list: *mut List<MutedPath>) {
    release(list, |item| [item.events.cast(), item.path.data.cast()]);
}

extern "C" fn es_release_muted_processes(list: *mut List<MutedProcess>) {
    release(list, |item| [item.events.cast(), ptr::null()]);
}

extern "C" fn es_muted_processes(
    client: *const Client,
    count: *mut usize,
    output: *mut *mut [u32; 8],
) -> u32 {
    let Some(found) = given(client, "es_muted_processes") else {
        return ERROR;
    };
    let tokens: Vec<_> = found
        .state()
        .muting
        .processes
        .0
        .iter()
        .map(|entry| entry.what)
        .collect();
    // SAFETY: the caller's variables.
    unsafe {
        count.write(tokens.len());
        output.write(given_away(&tokens));
    }
    SUCCESS
}

/// Calls a block after all messages that came before.
extern "C" fn es_sync_client(client: *const Client, block: *mut Block) -> u32 {
    let Some(found) = given(client, "es_sync_client").filter(|_| !block.is_null()) else {
        return ERROR;
    };
    let mut state = found.state();
    let block = Sync(_Block_copy(block));
    if state.thread.is_some() {
        state.waiting.push(block);
        found.wake.notify_all();
    } else {
        drop(state);
        delivery::call(&block);
    }
    SUCCESS
}

extern "C" fn es_clear_cache(client: *const Client) -> u32 {
    given(client, "es_clear_cache").map_or(ERROR, |_| SUCCESS)
}

extern "C" fn es_respond_auth_result(_: *const Client, _: *const u8, _: u32, _: bool) -> u32 {
    SUCCESS
}

extern "C" fn es_respond_flags_result(_: *const Client, _: *const u8, _: u32, _: bool) -> u32 {
    SUCCESS
}

/// The functions on clients.
pub fn exports() -> Vec<Export> {
    functions![
        es_clear_cache,
        es_delete_client,
        es_invert_muting,
        es_mute_path,
        es_mute_path_events,
        es_mute_path_literal,
        es_mute_path_prefix,
        es_mute_process,
        es_mute_process_events,
        es_muted_paths_events,
        es_muted_processes,
        es_muted_processes_events,
        es_muting_inverted,
        es_new_client,
        es_new_descendants_client,
        es_release_muted_paths,
        es_release_muted_processes,
        es_respond_auth_result,
        es_respond_flags_result,
        es_subscribe,
        es_subscriptions,
        es_sync_client,
        es_unmute_all_paths,
        es_unmute_all_target_paths,
        es_unmute_path,
        es_unmute_path_events,
        es_unmute_process,
        es_unmute_process_events,
        es_unsubscribe,
        es_unsubscribe_all,
    ]
    .to_vec()
}
