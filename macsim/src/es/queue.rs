//! The queue for a client's handler. Messages are handed over in batches: when there are enough of them, when the
//! oldest has waited long enough, or when `es_sync_client` asks for it.

use std::collections::VecDeque;
use std::ffi::c_void;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::live::Live;
use crate::settings;
use crate::system::blocks::{_Block_copy, _Block_release, Block};

/// Something in a queue.
pub enum Queued {
    /// Something that a real process did.
    Message(Arc<Live>),
    /// The place of a block of `es_sync_client`.
    Marker(Marker),
}

/// A block without arguments, which is called once.
pub struct Marker(*mut Block);

// SAFETY: blocks may be called and released by any thread.
unsafe impl Send for Marker {}

impl Marker {
    /// Copies the program's block.
    pub fn new(block: *mut Block) -> Self {
        Marker(_Block_copy(block))
    }

    /// Calls the block and releases it.
    pub fn call(self) {
        type Function = extern "C" fn(*const Block);
        // SAFETY: the program's block, of the type that es_sync_client takes.
        let function =
            unsafe { std::mem::transmute::<*const c_void, Function>((*self.0).invoke()) };
        function(self.0);
        _Block_release(self.0);
    }
}

/// The messages and markers that wait, in order.
#[derive(Default)]
pub struct Queue {
    items: VecDeque<Queued>,
    /// The time when the first of them came.
    since: Option<Instant>,
    /// True if a marker is among them.
    is_marked: bool,
}

impl Queue {
    /// Appends a message.
    pub fn push(&mut self, message: &Arc<Live>) {
        self.since.get_or_insert_with(Instant::now);
        self.items.push_back(Queued::Message(Arc::clone(message)));
    }

    /// Appends a marker, so that everything that waits is handed over at once.
    pub fn mark(&mut self, marker: Marker) {
        self.is_marked = true;
        self.items.push_back(Queued::Marker(marker));
    }

    /// Puts back the rest of a batch whose client was deleted.
    pub fn put_back(&mut self, rest: VecDeque<Queued>) {
        for item in rest.into_iter().rev() {
            self.items.push_front(item);
        }
    }

    /// The time to wait before the next batch; `None` if nothing waits.
    pub fn wait(&self) -> Option<Duration> {
        let settings = settings::get();
        if self.is_marked || self.items.len() >= settings.batch {
            return Some(Duration::ZERO);
        }
        let due = self.since? + Duration::from_millis(settings.batch_ms);
        Some(due.saturating_duration_since(Instant::now()))
    }

    /// Takes everything that waits as a batch, if one is due.
    pub fn take(&mut self) -> Option<VecDeque<Queued>> {
        self.wait().filter(Duration::is_zero)?;
        self.since = None;
        self.is_marked = false;
        Some(std::mem::take(&mut self.items))
    }

    /// Takes the markers from what will never be handed over.
    pub fn end(&mut self) -> Vec<Marker> {
        let marker = |item| match item {
            Queued::Marker(marker) => Some(marker),
            Queued::Message(_) => None,
        };
        self.items.drain(..).filter_map(marker).collect()
    }
}
