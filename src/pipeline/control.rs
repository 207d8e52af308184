//! The state that the threads of a run share.

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
    /// True if a person reads what is shown and nothing is recorded: once the run is over, the rest need not be
    /// printed.
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

    /// Stops in good order, as a signal requests it: everything that has been read is still written, except that after
    /// Ctrl-C nobody waits for a terminal.
    pub(super) fn stop_by(&self, signal: i32) {
        if is_ctrl_c(signal) && self.0.may_hurry {
            self.0.hurries.store(true, Ordering::Relaxed);
        }
        self.stop();
    }

    /// Stops the source. Returns true if that makes it end, so that its remaining events have to be waited for.
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

    /// Requests a report of the stages on the trace so far.
    pub(super) fn ask(&self) {
        self.0.is_asked.store(true, Ordering::Relaxed);
        self.wake_writer();
    }

    /// Returns true if a report has been requested since the last call.
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
