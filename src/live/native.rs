//! The way of messages from EndpointSecurity: taken out of the queue, decoded, filtered, printed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use bumpalo::Bump;

use super::tell_what_is_lacking;
use crate::catalogue::{MacOs, ROWS, Row};
use crate::config::Printing;
use crate::event::EventType;
use crate::exit::Exit;
use crate::loss::{Losses, Origin};
use crate::printer::Printer;
use crate::refusal::Refusal;
use crate::source::native::{self, Item, Message, Plan};

/// How many bytes are written at once when more events wait.
const WRITE_SIZE: usize = 256 << 10;

/// How often is looked whether macOS dropped anything.
const TELL_PAUSE: Duration = Duration::from_millis(100);

/// How long after a write the next one comes at the earliest, unless there is much to be written.
const MIN_PAUSE: Duration = Duration::from_millis(1);

/// The oldest macOS that this build runs on.
const OLDEST: MacOs = MacOs(13, 0, 0);

/// Prints events from EndpointSecurity itself.
///
/// # Errors
/// macOS refuses.
pub fn trace(printing: &mut Printing) -> Result<Exit, Refusal> {
    let source = native::Source::start(&plan(printing))?;
    let stop = source.stopper();
    let asked = AtomicBool::new(false);
    // Without a handler a signal ends the program at once, which loses no event that was printed.
    let _ = ctrlc::set_handler(move || {
        if asked.swap(true, Ordering::Relaxed) {
            // Who asks twice doesn't want to wait for what is still to be printed.
            std::process::exit(Exit::Failed as i32);
        }
        stop.stop();
    });
    Ok(Run::new(printing, source).run())
}

/// The selected events that the running macOS has: older systems have crashed on others.
fn plan(printing: &Printing) -> Plan {
    let version = native::macos_version().unwrap_or(OLDEST);
    let selection = &printing.filter.selection;
    let has = |row: &Row| row.since <= version;
    tell_what_is_lacking(selection, has);
    let is_wanted = |row: &&'static Row| has(row) && selection.contains(EventType::Known(row));
    let events = ROWS.iter().filter(is_wanted);
    Plan {
        events: events.map(|row| row.number).collect(),
        images: printing.filter.images.clone(),
        include_self: printing.include_self,
    }
}

/// What takes messages out of the queue and prints them.
struct Run<'p> {
    source: native::Source,
    printing: &'p mut Printing,
    decoder: native::Decoder,
    printer: Printer,
    losses: Losses,
    arena: Bump,
    text: Vec<u8>,
    record: Vec<u8>,
    flushed: Instant,
    told: Instant,
}

impl Run<'_> {
    fn new(printing: &mut Printing, source: native::Source) -> Run<'_> {
        Run {
            source,
            decoder: printing.native_decoder(),
            printer: printing.printer(),
            printing,
            losses: Losses::new(Origin::Native),
            arena: Bump::new(),
            text: Vec::new(),
            record: Vec::new(),
            flushed: Instant::now(),
            told: Instant::now(),
        }
    }

    fn run(mut self) -> Exit {
        if let Err(exit) = self.print() {
            return exit;
        }
        self.losses.append(&self.source.stretches());
        self.losses.sum_up();
        if self.printing.fail_on_drop {
            self.losses.exit(Exit::Done)
        } else {
            Exit::Done
        }
    }

    /// Prints until the end of the trace.
    fn print(&mut self) -> Result<(), Exit> {
        let mut items = Vec::new();
        loop {
            if !self.source.poll(&mut items) {
                self.pause()?;
            }
            for item in items.drain(..) {
                match item {
                    Item::Message(message) => self.event(&message)?,
                    Item::Stop => self.source.stop(),
                    Item::End => return self.flush(),
                }
            }
        }
    }

    /// Nothing waits: a person sees at once what there is, unless so much comes that to write each event
    /// by itself would cost more than all else.
    fn pause(&mut self) -> Result<(), Exit> {
        if let Some(pause) = MIN_PAUSE.checked_sub(self.flushed.elapsed()) {
            thread::sleep(pause);
            return Ok(());
        }
        self.flush()?;
        self.source.wait();
        Ok(())
    }

    fn event(&mut self, message: &Message) -> Result<(), Exit> {
        let event = self.decoder.event(message, &self.arena);
        self.printer.event(&event, &mut self.text, &mut self.record);
        drop(event);
        self.arena.reset();
        if self.text.len().max(self.record.len()) >= WRITE_SIZE {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Exit> {
        self.printing.write(&self.text, &self.record, Exit::Done)?;
        self.text.clear();
        self.record.clear();
        self.flushed = Instant::now();
        if self.told.elapsed() >= TELL_PAUSE {
            self.told = self.flushed;
            self.losses.append(&self.source.stretches());
            self.losses.tell();
        }
        Ok(())
    }
}
