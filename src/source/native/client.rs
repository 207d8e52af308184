//! A client of EndpointSecurity.

use std::ffi::{CStr, CString};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::{self, NonNull};

use block2::{Block, RcBlock};

use super::c::{self, ProcessRef, es_event_type_t, es_mute_inversion_type_t, es_mute_path_type_t};
use super::message::{self, Message, Structure};
use super::system::symbol;
use crate::model::catalogue::Member;
use crate::source::refusal::Refusal;

/// A client. macOS gives it the messages that it has subscribed to, until it is dropped.
#[derive(Debug)]
pub struct Client(NonNull<c::es_client_t>);

// SAFETY: <EndpointSecurity/ESClient.h> allows all functions on a client to be called from any thread, and
// es_delete_client from any thread that has it to itself, as the one that drops it does.
unsafe impl Send for Client {}

/// The role of a muted path.
#[derive(Clone, Copy, Debug)]
pub enum What {
    /// The executable of the process that did it.
    Executable,
    /// A file that the event is about.
    Target,
}

/// Paths to mute.
#[derive(Clone, Copy, Debug)]
pub enum Paths<'p> {
    /// This one.
    One(&'p [u8]),
    /// All that begin like this, byte by byte.
    WithPrefix(&'p [u8]),
}

/// A message while the handler has it.
pub struct Delivered(NonNull<c::es_message_t>);

impl Delivered {
    /// Returns the message.
    pub fn get(&self) -> &c::es_message_t {
        // SAFETY: macOS keeps it until the handler returns, and `self` doesn't leave the handler.
        unsafe { self.0.as_ref() }
    }

    /// The process that did it.
    pub fn process(&self) -> Option<ProcessRef<'_>> {
        // SAFETY: a message keeps its process, which is NULL if it is long gone.
        unsafe { ProcessRef::new(self.get().process.as_ptr()) }
    }

    /// The event's members, which are those of the event's row.
    pub fn members(&self, members: &'static [Member]) -> Structure<'_> {
        // SAFETY: macOS keeps the message until the handler returns, and `self` doesn't leave the handler.
        unsafe { message::members(self.0, members) }
    }

    /// The child of a fork; None for other events.
    pub fn forked_child(&self) -> Option<&c::es_process_t> {
        let message = self.get();
        if message.event_type != es_event_type_t::ES_EVENT_TYPE_NOTIFY_FORK {
            return None;
        }
        // SAFETY: it is the arm of a fork, and a message keeps the child.
        unsafe { message.event.fork.child.as_opt() }
    }

    /// Retains the message, to keep it for longer.
    pub fn retain(&self) -> Message {
        // SAFETY: macOS has just given it to the handler.
        unsafe { Message::retain(self.0) }
    }
}

/// The function that makes a client for descendants.
const NEW_DESCENDANTS_CLIENT: &CStr = c"es_new_descendants_client";

/// `es_handler_block_t`
type Handler = Block<dyn Fn(NonNull<c::es_client_t>, NonNull<c::es_message_t>)>;

/// macOS refused a call that it has no good reason to refuse.
pub type Result<T> = std::result::Result<T, &'static str>;

impl Client {
    /// Creates a client that calls `handler` with every message, on a separate thread, one after the other. No panic
    /// leaves the handler.
    ///
    /// # Errors
    /// macOS refuses it.
    pub fn new(
        handler: impl Fn(&Delivered) + Send + Sync + 'static,
    ) -> std::result::Result<Client, Refusal> {
        Client::made_by(handler, |client, block| {
            // SAFETY: the client is written to memory with room for it. macOS copies the block, which may be called
            // from any thread because the handler is Send and Sync.
            unsafe { c::es_new_client(client, block) }
        })
    }

    /// Returns true if macOS has clients for descendants.
    pub fn has_descendants() -> bool {
        symbol(NEW_DESCENDANTS_CLIENT).is_some()
    }

    /// Creates a client for the actions of this process and all processes below it, since macOS 27: it needs the
    /// entitlement, but neither root nor Full Disk Access.
    ///
    /// # Errors
    /// macOS refuses it, or doesn't have it.
    pub fn for_descendants(
        handler: impl Fn(&Delivered) + Send + Sync + 'static,
    ) -> std::result::Result<Client, Refusal> {
        type New =
            unsafe extern "C" fn(*mut *mut c::es_client_t, &Handler) -> c::es_new_client_result_t;
        let Some(function) = symbol(NEW_DESCENDANTS_CLIENT) else {
            return Err(Refusal::Other(
                "this macOS has no clients for descendants".to_owned(),
            ));
        };
        // SAFETY: <EndpointSecurity/ESClient.h> of macOS 27 gives it the type of es_new_client.
        let new: New = unsafe { std::mem::transmute(function) };
        Client::made_by(handler, |client, block| {
            // SAFETY: as for es_new_client.
            unsafe { new(client, block) }
        })
    }

    fn made_by(
        handler: impl Fn(&Delivered) + Send + Sync + 'static,
        new: impl FnOnce(*mut *mut c::es_client_t, &Handler) -> c::es_new_client_result_t,
    ) -> std::result::Result<Client, Refusal> {
        let block = RcBlock::new(
            move |_: NonNull<c::es_client_t>, message: NonNull<c::es_message_t>| {
                // A panic must not continue into macOS's frames. It has been reported on standard error.
                let _ = catch_unwind(AssertUnwindSafe(|| handler(&Delivered(message))));
            },
        );
        let mut client = ptr::null_mut();
        let result = new(&raw mut client, &block);
        match (result.0, NonNull::new(client)) {
            (0, Some(client)) => Ok(Client(client)),
            (result, _) => Err(Refusal::of_new_client(result)),
        }
    }

    /// Asks for messages of these events (`es_event_type_t`).
    pub fn subscribe(&self, events: &[u32]) -> Result<()> {
        let events = event_types(events);
        let count = u32::try_from(events.len()).unwrap_or(u32::MAX);
        // SAFETY: the client is valid, and the array has that many elements.
        let result = unsafe { c::es_subscribe(self.0.as_ptr(), events.as_ptr(), count) };
        done(result, "es_subscribe")
    }

    /// Calls `done` when all messages that macOS has queued so far have been handled. Returns false if macOS can't
    /// do that, as it can't before macOS 27.
    pub fn sync(&self, done: impl Fn() + Send + Sync + 'static) -> bool {
        type SyncClient =
            unsafe extern "C" fn(*mut c::es_client_t, &Block<dyn Fn()>) -> c::es_return_t;
        let Some(function) = symbol(c"es_sync_client") else {
            return false;
        };
        // SAFETY: <EndpointSecurity/ESClient.h> of macOS 27 gives it this type.
        let sync: SyncClient = unsafe { std::mem::transmute(function) };
        let block = RcBlock::new(done);
        // SAFETY: the client is one. macOS copies the block, which may be called from any thread because what it calls
        // is Send and Sync.
        let result = unsafe { sync(self.0.as_ptr(), &block) };
        result == c::es_return_t::ES_RETURN_SUCCESS
    }

    /// Asks for no more messages.
    pub fn unsubscribe_all(&self) -> Result<()> {
        // SAFETY: the client is valid.
        let result = unsafe { c::es_unsubscribe_all(self.0.as_ptr()) };
        done(result, "es_unsubscribe_all")
    }

    /// Unmutes the paths that are muted from the start.
    pub fn unmute_all_paths(&self) -> Result<()> {
        // SAFETY: the client is valid.
        let result = unsafe { c::es_unmute_all_paths(self.0.as_ptr()) };
        done(result, "es_unmute_all_paths")?;
        // SAFETY: the client is valid.
        let result = unsafe { c::es_unmute_all_target_paths(self.0.as_ptr()) };
        done(result, "es_unmute_all_target_paths")
    }

    /// Asks for no messages about the actions of this process.
    pub fn mute_process(&self, token: &c::audit_token_t) -> Result<()> {
        // SAFETY: the client and the token are valid.
        let result = unsafe { c::es_mute_process(self.0.as_ptr(), token) };
        done(result, "es_mute_process")
    }

    /// Mutes the paths of `what`, for messages of all events, or of some.
    ///
    /// # Errors
    /// The path contains a NUL, or macOS refuses.
    pub fn mute_path(&self, what: What, path: &Paths<'_>, events: Option<&[u32]>) -> Result<()> {
        let (path, is_prefix) = match *path {
            Paths::One(path) => (path, false),
            Paths::WithPrefix(path) => (path, true),
        };
        let path = CString::new(path).map_err(|_| "a path with a NUL")?;
        let kind = match (what, is_prefix) {
            (What::Executable, true) => es_mute_path_type_t::ES_MUTE_PATH_TYPE_PREFIX,
            (What::Executable, false) => es_mute_path_type_t::ES_MUTE_PATH_TYPE_LITERAL,
            (What::Target, true) => es_mute_path_type_t::ES_MUTE_PATH_TYPE_TARGET_PREFIX,
            (What::Target, false) => es_mute_path_type_t::ES_MUTE_PATH_TYPE_TARGET_LITERAL,
        };
        let client = self.0.as_ptr();
        let result = match events.map(event_types) {
            // SAFETY: the client is valid, the path ends in NUL, and the array has that many elements.
            Some(events) => unsafe {
                c::es_mute_path_events(client, path.as_ptr(), kind, events.as_ptr(), events.len())
            },
            // SAFETY: the client is valid, and the path ends in NUL.
            None => unsafe { c::es_mute_path(client, path.as_ptr(), kind) },
        };
        done(result, "es_mute_path")
    }

    /// Inverts muting: messages come only for the muted paths, instead of for all others.
    pub fn invert_muting(&self, what: What) -> Result<()> {
        let kind = match what {
            What::Executable => es_mute_inversion_type_t::ES_MUTE_INVERSION_TYPE_PATH,
            What::Target => es_mute_inversion_type_t::ES_MUTE_INVERSION_TYPE_TARGET_PATH,
        };
        // SAFETY: the client is valid.
        let result = unsafe { c::es_invert_muting(self.0.as_ptr(), kind) };
        done(result, "es_invert_muting")
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // SAFETY: the client is valid, and nobody else has it. If this fails there is nothing to do.
        let _ = unsafe { c::es_delete_client(self.0.as_ptr()) };
    }
}

fn event_types(numbers: &[u32]) -> Vec<es_event_type_t> {
    numbers
        .iter()
        .map(|number| es_event_type_t(*number))
        .collect()
}

fn done(result: c::es_return_t, function: &'static str) -> Result<()> {
    if result == c::es_return_t::ES_RETURN_SUCCESS {
        Ok(())
    } else {
        Err(function)
    }
}
