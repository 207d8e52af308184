//! What several threads of a run have to know of each other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam_channel::Sender;

use super::signals::is_ctrl_c;

/// Ends a run, or makes it hurry.
#[derive(Clone)]
pub(super) struct Control(Arc<State>);

struct State {
    /// Makes a live source end.
    stop_source: Box<dyn Fn() -> bool + Send + Sync>,
    /// Wakes the writer, which may be waiting for the next piece.
    wake_writer: Sender<()>,
    /// A person reads what is shown, and nothing is recorded: what isn't printed yet needn't be, once it is over.
    may_hurry: bool,
    is_stopped: AtomicBool,
    is_asked: AtomicBool,
    hurries: AtomicBool,
}

impl Control {
    pub(super) fn new(
        stop_source: Box<dyn Fn() -> bool + Send + Sync>,
        wake_writer: Sender<()>,
        may_hurry: bool,
    ) -> Control {
        Control(Arc::new(State {
            stop_source,
            wake_writer,
            may_hurry,
            is_stopped: AtomicBool::new(false),
            is_asked: AtomicBool::new(false),
            hurries: AtomicBool::new(false),
        }))
    }

    /// Stops in good order, as a signal asks for it: what has been read is still written, except that nobody waits
    /// for a terminal after Ctrl-C.
    pub(super) fn stop_by(&self, signal: i32) {
        if is_ctrl_c(signal) && self.0.may_hurry {
            self.0.hurries.store(true, Ordering::Relaxed);
        }
        self.stop();
    }

    /// Stops the source. Returns true if it ends by that, and what it still has is to be waited for.
    pub(super) fn stop(&self) -> bool {
        let ends = (self.0.stop_source)();
        if !ends {
            self.0.is_stopped.store(true, Ordering::Relaxed);
            self.wake_writer();
        }
        ends
    }

    fn wake_writer(&self) {
        // There may be a message already.
        let _ = self.0.wake_writer.try_send(());
    }

    /// Asks for what the stages have to say so far.
    pub(super) fn ask(&self) {
        self.0.is_asked.store(true, Ordering::Relaxed);
        self.wake_writer();
    }

    /// Returns true if that was asked for since this was called last.
    pub(super) fn is_asked(&self) -> bool {
        let is_asked = &self.0.is_asked;
        is_asked.load(Ordering::Relaxed) && is_asked.swap(false, Ordering::Relaxed)
    }

    /// Returns true if nothing more is taken from the source.
    pub(super) fn is_stopped(&self) -> bool {
        self.0.is_stopped.load(Ordering::Relaxed)
    }

    /// Returns true if no event is to be formatted or written any more.
    pub(super) fn hurries(&self) -> bool {
        self.0.hurries.load(Ordering::Relaxed)
    }
}
