//! The way of messages from EndpointSecurity, out of their queue and into the pieces that are printed.

use std::thread;
use std::time::{Duration, Instant};

use super::tell_what_is_lacking;
use crate::catalogue::{ROWS, Row};
use crate::config::Printing;
use crate::doctor::OLDEST;
use crate::event::EventType;
use crate::exit::Exit;
use crate::loss::Origin;
use crate::refusal::Refusal;
use crate::run::{self, Feed};
use crate::source::native::{self, Item, Plan, Source};

/// How many messages a piece has at the most.
const PIECE: usize = 1024;

/// How long after a piece the next one begins at the earliest, unless it is full: to print each event by
/// itself would cost more than all else when many come.
const MIN_PAUSE: Duration = Duration::from_millis(1);

/// Begins a trace of the selected events that the running macOS has: older systems have crashed on others.
///
/// # Errors
/// macOS refuses, or has none of the selected events.
pub fn start(printing: &Printing) -> Result<Source, Refusal> {
    let version = native::macos_version().unwrap_or(OLDEST);
    let selection = &printing.filter.selection;
    let has = |row: &Row| row.since <= version;
    let is_wanted = |row: &&'static Row| has(row) && selection.contains(EventType::Known(row));
    let events = ROWS.iter().filter(is_wanted);
    let plan = Plan {
        events: events.map(|row| row.number).collect(),
        images: printing.filter.images.clone(),
        left_out: printing.filter.left_out.clone(),
    };
    let source = if plan.events.is_empty() {
        Err(Refusal::no_events())
    } else {
        Source::start(&plan)
    };
    // Where the program isn't entitled, another source may go on, and tells it.
    if source.as_ref().err() != Some(&Refusal::NotEntitled) {
        tell_what_is_lacking(selection, has);
    }
    source
}

/// Prints the events of a trace.
pub fn print(source: Source, printing: Printing) -> Exit {
    let stopper = source.stopper();
    run::run(
        printing,
        move |feed| pass_on(source, feed),
        move || {
            stopper.stop();
            true
        },
    )
}

/// Passes on what comes, until the trace has ended.
fn pass_on(mut source: Source, feed: &Feed) {
    feed.begin(Origin::Native, true);
    let mut items = Vec::new();
    let mut messages = Vec::new();
    let mut passed = Instant::now();
    'trace: loop {
        source.wait();
        if let Some(pause) = MIN_PAUSE.checked_sub(passed.elapsed()) {
            thread::sleep(pause);
        }
        source.poll(&mut items);
        for item in items.drain(..) {
            match item {
                Item::Message(message) => messages.push(message),
                Item::Stop => source.stop(),
                Item::End => break 'trace,
            }
            if messages.len() == PIECE {
                feed.messages(std::mem::take(&mut messages), Vec::new());
            }
        }
        feed.messages(std::mem::take(&mut messages), source.stretches());
        passed = Instant::now();
    }
    feed.messages(messages, source.stretches());
    feed.end(Ok(()));
}
