//! A client of EndpointSecurity.

use std::ffi::CString;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::{self, NonNull};

use block2::RcBlock;

use super::c::{self, es_event_type_t, es_mute_inversion_type_t, es_mute_path_type_t};
use super::message::Message;
use crate::source::refusal::Refusal;

/// A client. macOS gives it the messages that it has subscribed to, until it is dropped.
#[derive(Debug)]
pub struct Client(NonNull<c::es_client_t>);

// SAFETY: <EndpointSecurity/ESClient.h> allows all functions on a client to be called from any thread, and
// es_delete_client from any that has it for itself, as who drops it has.
unsafe impl Send for Client {}

/// A message while the handler has it.
pub struct Delivered(NonNull<c::es_message_t>);

impl Delivered {
    /// The message.
    pub fn get(&self) -> &c::es_message_t {
        // SAFETY: macOS keeps it until the handler returns, and `self` doesn't leave the handler.
        unsafe { self.0.as_ref() }
    }

    /// The process that did it.
    pub fn process(&self) -> Option<&c::es_process_t> {
        // SAFETY: a message keeps its process, which is NULL where it is long gone.
        unsafe { self.get().process.as_opt() }
    }

    /// Keeps the message for longer.
    pub fn retain(&self) -> Message {
        // SAFETY: macOS has just given it to the handler.
        unsafe { Message::retain(self.0) }
    }
}

/// macOS refused what can't be refused for a good reason.
pub type Result<T> = std::result::Result<T, &'static str>;

impl Client {
    /// A client that calls `handler` with every message, on a thread of its own, one after the other. No
    /// panic leaves the handler.
    ///
    /// # Errors
    /// macOS refuses it.
    pub fn new(
        handler: impl Fn(&Delivered) + Send + Sync + 'static,
    ) -> std::result::Result<Client, Refusal> {
        let block = RcBlock::new(
            move |_: NonNull<c::es_client_t>, message: NonNull<c::es_message_t>| {
                // A panic must not go on into macOS's frames. It has been told of on standard error.
                let _ = catch_unwind(AssertUnwindSafe(|| handler(&Delivered(message))));
            },
        );
        let mut client = ptr::null_mut();
        // SAFETY: the client goes where there is room for it. macOS copies the block, which may be called
        // from any thread because the handler is Send and Sync.
        let result = unsafe { c::es_new_client(&raw mut client, &block) };
        match (result.0, NonNull::new(client)) {
            (0, Some(client)) => Ok(Client(client)),
            (result, _) => Err(Refusal::of_new_client(result)),
        }
    }

    /// Asks for messages of these events (`es_event_type_t`).
    pub fn subscribe(&self, events: &[u32]) -> Result<()> {
        let events = event_types(events);
        let count = u32::try_from(events.len()).unwrap_or(u32::MAX);
        // SAFETY: the client is one, and the array has that many elements.
        let result = unsafe { c::es_subscribe(self.0.as_ptr(), events.as_ptr(), count) };
        done(result, "es_subscribe")
    }

    /// Asks for no more messages.
    pub fn unsubscribe_all(&self) -> Result<()> {
        // SAFETY: the client is one.
        let result = unsafe { c::es_unsubscribe_all(self.0.as_ptr()) };
        done(result, "es_unsubscribe_all")
    }

    /// Gives up the paths that are muted from the start.
    pub fn unmute_all_paths(&self) -> Result<()> {
        // SAFETY: the client is one.
        let result = unsafe { c::es_unmute_all_paths(self.0.as_ptr()) };
        done(result, "es_unmute_all_paths")?;
        // SAFETY: the client is one.
        let result = unsafe { c::es_unmute_all_target_paths(self.0.as_ptr()) };
        done(result, "es_unmute_all_target_paths")
    }

    /// Asks for no messages of what this process does.
    pub fn mute_process(&self, token: &c::audit_token_t) -> Result<()> {
        // SAFETY: the client and the token are such.
        let result = unsafe { c::es_mute_process(self.0.as_ptr(), token) };
        done(result, "es_mute_process")
    }

    /// Names an executable, or all whose paths begin so, for messages of all events, or of some.
    ///
    /// # Errors
    /// The path has a NUL in it, or macOS refuses.
    pub fn mute_path(&self, path: &[u8], is_prefix: bool, events: Option<&[u32]>) -> Result<()> {
        let path = CString::new(path).map_err(|_| "a path with a NUL")?;
        let kind = if is_prefix {
            es_mute_path_type_t::ES_MUTE_PATH_TYPE_PREFIX
        } else {
            es_mute_path_type_t::ES_MUTE_PATH_TYPE_LITERAL
        };
        let client = self.0.as_ptr();
        let result = match events.map(event_types) {
            // SAFETY: the client is one, the path ends in NUL, and the array has that many elements.
            Some(events) => unsafe {
                c::es_mute_path_events(client, path.as_ptr(), kind, events.as_ptr(), events.len())
            },
            // SAFETY: the client is one, and the path ends in NUL.
            None => unsafe { c::es_mute_path(client, path.as_ptr(), kind) },
        };
        done(result, "es_mute_path")
    }

    /// Makes the named executables those that messages come from, instead of those that they don't.
    pub fn invert_path_muting(&self) -> Result<()> {
        let kind = es_mute_inversion_type_t::ES_MUTE_INVERSION_TYPE_PATH;
        // SAFETY: the client is one.
        let result = unsafe { c::es_invert_muting(self.0.as_ptr(), kind) };
        done(result, "es_invert_muting")
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // SAFETY: the client is one, and nobody else has it. What this returns can't be mended.
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
