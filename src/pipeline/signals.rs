//! The signals that request the end, and those that request a report.

use std::sync::Arc;
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals;

use crate::exit::Exit;

/// The signals that request the end.
const ENDING: [i32; 3] = [SIGINT, SIGTERM, SIGHUP];

/// The signals that have an effect of their own unless they were ignored when the program started.
pub const HANDLED: [i32; 4] = [SIGINT, SIGTERM, SIGHUP, SIGXFSZ];

/// Calls `stop` at the first signal that requests the end, and ends the program at the second. A signal in `ignored`
/// stays ignored, as `nohup` and shells without job control expect.
pub(super) fn watch(ignored: &[i32], stop: impl FnOnce(i32) + Send + 'static) {
    let watched = ENDING.iter().filter(|signal| !ignored.contains(signal));
    // Without a handler a signal ends the program at once, which loses no event that was printed.
    let Ok(mut signals) = Signals::new(watched) else {
        return;
    };
    thread::spawn(move || {
        let mut signals = signals.forever();
        let Some(signal) = signals.next() else {
            return;
        };
        // This runs on a separate thread, because it may have to wait, and a second signal must be noticed in the
        // meantime.
        thread::spawn(move || stop(signal));
        if signals.next().is_some() {
            // A user who asks twice doesn't want to wait for the events that are still to be printed.
            std::process::exit(i32::from(Exit::Failed.code()));
        }
    });
}

/// Makes writing beyond a limit on the size of files (`ulimit -f`) an error like any other. Without a handler the
/// signal ends the program in the middle of a line. A command that is started doesn't inherit a handler.
pub(super) fn outlive_file_size_limit(ignored: &[i32]) {
    if !ignored.contains(&SIGXFSZ) {
        // If that fails, the signal has its usual effect.
        let _ = signal_hook::flag::register(SIGXFSZ, Arc::default());
    }
}

/// Calls `pass` with every signal that requests the end, and with SIGQUIT: their effect depends on the command.
pub(super) fn pass_on(ignored: &[i32], pass: Arc<dyn Fn(i32) + Send + Sync>) {
    let watched = ENDING.iter().chain(&[SIGQUIT]);
    let Ok(mut signals) = Signals::new(watched.filter(|signal| !ignored.contains(signal))) else {
        return;
    };
    thread::spawn(move || {
        for signal in signals.forever() {
            pass(signal);
        }
    });
}

/// Calls `ask` at each of the signals that request a report.
pub(super) fn watch_for_requests(asking: &[i32], ask: impl Fn() + Send + 'static) {
    // Without a handler a signal has its usual effect.
    if let Ok(mut signals) = Signals::new(asking) {
        thread::spawn(move || signals.forever().for_each(|_| ask()));
    }
}

/// Returns true if the signal is Ctrl-C.
pub(super) fn is_ctrl_c(signal: i32) -> bool {
    signal == SIGINT
}
