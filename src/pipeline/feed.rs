//! The feed, to which a source gives what it reads.

use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::{Buffers, Control, Decoded, Job, Piece};
use crate::order::loss::Origin;

/// The maximum number of bytes that have been read and not yet been written, unless they are a single piece.
const IN_FLIGHT: usize = 6 << 20;

/// An item for the writer, in the order in which it was read.
pub(super) enum Item {
    /// The next items are from another stream. If it is live, somebody waits for the next event.
    Begin { origin: Origin, is_live: bool },
    /// A piece, which is received as soon as it has been decoded.
    Piece(Receiver<Decoded>),
    /// The end of the stream, or the error that ended it.
    End(io::Result<()>),
    /// A stream that couldn't be begun.
    Failed(Origin, io::Error),
    /// The end of the last stream.
    Stop,
}

/// The feed, to which a source gives what it reads. Each method that gives something returns true if more is wanted.
pub struct Feed<P> {
    items: Sender<Item>,
    jobs: Sender<Job<P>>,
    in_flight: Arc<InFlight>,
    buffers: Buffers,
    control: Control,
}

impl<P: Piece> Feed<P> {
    pub(super) fn new(
        items: Sender<Item>,
        jobs: Sender<Job<P>>,
        in_flight: Arc<InFlight>,
        buffers: Buffers,
        control: Control,
    ) -> Self {
        Feed {
            items,
            jobs,
            in_flight,
            buffers,
            control,
        }
    }

    /// The buffers to read into; decoded pieces return them.
    pub fn buffers(&self) -> &Buffers {
        &self.buffers
    }

    /// Begins a stream. If it is live, somebody waits for the next event.
    pub fn begin(&self, origin: Origin, is_live: bool) -> bool {
        !self.control.is_stopped() && self.items.send(Item::Begin { origin, is_live }).is_ok()
    }

    /// Continues the stream.
    pub fn piece(&self, piece: P) -> bool {
        if self.control.is_stopped() {
            return false;
        }
        self.in_flight.add(piece.size());
        let (done, decoded) = bounded(1);
        self.items.send(Item::Piece(decoded)).is_ok() && self.jobs.send((piece, done)).is_ok()
    }

    /// Waits until all pieces have been decoded and taken by the writer.
    pub fn wait_until_empty(&self) {
        self.in_flight.wait_until_empty();
    }

    /// Ends the stream.
    pub fn end(&self, result: io::Result<()>) -> bool {
        self.items.send(Item::End(result)).is_ok()
    }

    /// Reports a stream that couldn't be begun.
    pub fn failed(&self, origin: Origin, error: io::Error) -> bool {
        self.items.send(Item::Failed(origin, error)).is_ok()
    }

    pub(super) fn stop(&self) {
        // There may be no receiver any more; then everything is over anyway.
        let _ = self.items.send(Item::Stop);
    }
}

/// Counts the bytes that have been read and not yet been written.
#[derive(Default)]
pub(super) struct InFlight(Mutex<usize>, Condvar);

impl InFlight {
    /// Waits until there is room for a piece.
    fn add(&self, size: usize) {
        let is_full = |bytes: &mut usize| *bytes > 0 && *bytes + size > IN_FLIGHT;
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *self
            .1
            .wait_while(bytes, is_full)
            .unwrap_or_else(PoisonError::into_inner) += size;
    }

    fn wait_until_empty(&self) {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.1.wait_while(bytes, |bytes| *bytes > 0));
    }

    /// Notes that a piece has been written.
    pub(super) fn remove(&self, size: usize) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) -= size;
        self.1.notify_one();
    }
}
