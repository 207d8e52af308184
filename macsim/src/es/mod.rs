//! The simulation of libEndpointSecurity.

mod client;
mod delivery;
mod filters;
mod lists;
mod live;
mod making;
mod message;
mod muting;
mod queue;
mod subscribing;

use std::fmt::Arguments;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::note::note;
use crate::settings;
use crate::system::{Export, xpc};

/// The number of calls to which macOS would respond with a crash, or not at all.
static MISUSED: AtomicU64 = AtomicU64::new(0);
/// The number of misuses that are described.
const DESCRIBED: u64 = 10;

/// Reports that the program did what it must not do.
pub fn misused(what: Arguments) {
    if MISUSED.fetch_add(1, Ordering::Relaxed) < DESCRIBED && settings::get().check {
        note(format_args!("{what}"));
    }
}

/// Prints what the settings ask for at the end. Returns another exit status if something was wrong.
pub fn report() -> Option<i32> {
    let settings = settings::get();
    if settings.time_handler
        && let Some((median, percentile)) = delivery::handler_times()
    {
        note(format_args!(
            "handler median {median} ns, 99th percentile {percentile} ns"
        ));
    }
    if !settings.check {
        return None;
    }
    let delivered = delivery::DELIVERED.load(Ordering::Relaxed);
    let dropped = delivery::DROPPED.load(Ordering::Relaxed);
    let objects = xpc::held();
    if objects > 0 {
        note(format_args!(
            "references to XPC objects that were never released: {objects}"
        ));
    }
    let (held, misused) = (message::held() + objects, MISUSED.load(Ordering::Relaxed));
    note(format_args!(
        "delivered {delivered} dropped {dropped} unreleased {held} misused {misused}"
    ));
    (held > 0 || misused > 0).then_some(125)
}

/// All functions of the library.
pub fn exports() -> Vec<Export> {
    let areas = [
        filters::exports(),
        lists::exports(),
        making::exports(),
        message::exports(),
        subscribing::exports(),
    ];
    areas.concat()
}

/// The number of messages to deliver.
pub fn count() -> u64 {
    message::records().len() as u64
}

/// The process groups and sessions of the messages of `--events`.
pub fn groups() -> impl Iterator<Item = i32> {
    let records = message::records().iter();
    records.flat_map(|record| record.groups.iter().copied())
}

/// Makes the messages that `--static` delivers.
pub fn prebuild() {
    if count() > 0 {
        message::Message::prebuilt(0);
    }
}
