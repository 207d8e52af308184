//! The signals that ask for the end, and those that ask for a report.

use std::sync::Arc;
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::exit::Exit;

/// The signals that ask for the end.
pub const ENDING: [i32; 3] = [SIGINT, SIGTERM, SIGHUP];

/// Calls `stop` with the first signal that asks for the end, and ends the program at the second. A signal that is
/// in `ignored` stays so, as `nohup` and shells without job control want it.
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
        // On a thread of its own, because it may have to wait, and a second signal must be heard meanwhile.
        thread::spawn(move || stop(signal));
        if signals.next().is_some() {
            // Who asks twice doesn't want to wait for what is still to be printed.
            std::process::exit(i32::from(Exit::Failed.code()));
        }
    });
}

/// Calls `pass` with every signal that asks for the end, and with SIGQUIT: what they do depends on the command.
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

/// Calls `ask` at each of the signals by which somebody asks for a report.
pub(super) fn watch_for_requests(asking: &[i32], ask: impl Fn() + Send + 'static) {
    // Without a handler a signal does what it does to any program.
    if let Ok(mut signals) = Signals::new(asking) {
        thread::spawn(move || signals.forever().for_each(|_| ask()));
    }
}

/// Returns true if the signal is Ctrl-C.
pub(super) fn is_ctrl_c(signal: i32) -> bool {
    signal == SIGINT
}
