//! The way of events: a source reads them and cuts the stream into pieces, several threads decode and format these, and
//! the main thread writes them in their order. That is where the [`Stage`]s look at them.
//!
//! The number and the size of pieces in flight are limited. A piece is handed on as soon as it is there, so that an
//! event never waits for another one.

mod buffers;
mod control;
mod create;
mod feed;
mod file_id;
pub mod output;
mod printer;
pub mod record;
pub mod signals;
mod writer;

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};

pub use buffers::Buffers;
pub use feed::Feed;
pub use file_id::FileId;
pub use output::Outputs;

use crate::exit::Exit;
use crate::format::Style;
use crate::model::event::Event;
use crate::order::damage::Damage;
use crate::order::fact::{Facts, Room};
use crate::order::loss::Stretch;
use crate::order::stage::Stage;
use crate::select::{Filter, Follow, Need};
use control::Control;
use feed::InFlight;
use printer::{Fate, Printer};
use writer::Writer;

/// For each thread that decodes, the number of pieces that may wait to be decoded, and also of those that may wait to
/// be written.
const QUEUE: usize = 6;

/// A source of events.
pub trait Source: Send + 'static {
    /// A part of a stream that can be decoded by itself.
    type Piece: Piece;
    /// The decoder of pieces; each thread has its own.
    type Decoder: Decode<Self::Piece>;

    /// Creates a decoder of pieces, which returns memory that it no longer needs to `buffers`.
    fn decoder(&self, buffers: &Buffers) -> Self::Decoder;

    /// Creates the function that a signal calls, and that is called when nothing can be written any more or nothing
    /// more is wanted. It returns true if it made the source end, so that the rest has to be waited for.
    fn stopper(&self) -> Box<dyn Fn() -> bool + Send + Sync>;

    /// Gives everything that comes to `feed`, until the end or until no more is wanted.
    fn run(self, feed: &Feed<Self::Piece>);

    /// Returns a function that makes a source of the same events again, for another need; None if they come only once.
    fn again(&self) -> Option<Box<dyn FnOnce(Need) -> Self>> {
        None
    }
}

/// A part of a stream that can be decoded by itself.
pub trait Piece: Send + 'static {
    /// The approximate memory that it and its results take, in bytes.
    fn size(&self) -> usize;
}

/// Decodes pieces.
pub trait Decode<P>: Send + 'static {
    /// Calls `event` with each event of a piece, in their order, and returns what else was found.
    fn decode(&mut self, piece: P, event: &mut impl FnMut(&Event<'_>)) -> Found;
}

/// The findings in a piece besides its events.
#[derive(Debug, Default)]
pub struct Found {
    /// The damage in it.
    pub damage: Vec<Damage>,
    /// The numbers of its messages, shown or not.
    pub stretches: Vec<Stretch>,
    /// True if there is a message in it, shown or not.
    pub has_messages: bool,
}

/// The stages that look at the events in their order, one after the other.
pub type Stages = Vec<Box<dyn Stage>>;

/// The settings of a run: what happens to the events of a source.
pub struct Run {
    /// The filter of the events that are shown.
    pub filter: Filter,
    /// The style in which they are shown.
    pub style: Style,
    /// The outputs that they are written to.
    pub outputs: Outputs,
    /// The tree of processes whose events belong to the trace, unless the conditions alone decide that.
    pub follow: Option<Follow>,
    /// The stages that look at them in their order.
    pub stages: Stages,
    /// Creates the tree and the stages again, for a second look at the events.
    pub renew: Box<dyn Fn() -> (Option<Follow>, Stages) + Send>,
    /// The time after which a live trace ends by itself.
    pub duration: Option<Duration>,
    /// The signals that request a report of the stages before the end.
    pub asking_signals: &'static [i32],
    /// The interval at which the stages report by themselves.
    pub report_every: Option<Duration>,
    /// True if a run in which events were lost counts as failed.
    pub fail_on_drop: bool,
    /// The function that gets the signals that request the end if a command is traced: they don't end the trace by
    /// themselves.
    pub command_signals: Option<Arc<dyn Fn(i32) + Send + Sync>>,
    /// The signals that were ignored when the program started, and stay so.
    pub ignored_signals: Vec<i32>,
}

impl Run {
    /// Returns true if a stage or the tree looks at the events in their order.
    fn is_ordered(&self) -> bool {
        self.follow.is_some() || !self.stages.is_empty()
    }

    /// The demands on the source.
    pub fn need(&self) -> Need {
        let mut need = self.filter.need(&self.stages, self.follow.is_some());
        need.env |= self.style.env;
        need.redact = self.style.redact;
        need.verbose = self.style.verbose;
        need.json = self.formats() && self.style.needs_json() || self.outputs.is_recording();
        need
    }

    /// Returns true if events are formatted, because no stage takes their place.
    fn formats(&self) -> bool {
        !self.stages.iter().any(|stage| stage.replaces_events())
    }
}

/// A piece that is ready to be written.
struct Decoded {
    /// The size of the piece.
    size: usize,
    /// The number of events that pass the filter.
    events: u64,
    /// The number of events of processes that have joined the own pipeline.
    hidden: u64,
    text: Vec<u8>,
    record: Vec<u8>,
    facts: Facts,
    found: Found,
}

/// A piece, and the channel for the result of decoding it.
type Job<P> = (P, Sender<Decoded>);

/// Shows the events of a source, and returns the exit status.
pub fn run<S: Source>(source: S, run: Run) -> Exit {
    let (wake, woken) = bounded(1);
    let may_hurry = run.outputs.is_terminal() && !run.outputs.is_recording();
    let control = Control::new(source.stopper(), wake, may_hurry);
    let of_signals = control.clone();
    signals::outlive_file_size_limit(&run.ignored_signals);
    match &run.command_signals {
        Some(pass) => signals::pass_on(&run.ignored_signals, Arc::clone(pass)),
        None => signals::watch(&run.ignored_signals, move |signal| {
            of_signals.stop_by(signal);
        }),
    }
    if let Some(duration) = run.duration {
        let control = control.clone();
        thread::spawn(move || {
            thread::sleep(duration);
            control.stop();
        });
    }
    if run.stages.iter().any(|stage| stage.reports()) {
        let of_signals = control.clone();
        signals::watch_for_requests(run.asking_signals, move || of_signals.ask());
        if let Some(every) = run.report_every {
            let control = control.clone();
            thread::spawn(move || {
                loop {
                    thread::sleep(every);
                    control.ask();
                }
            });
        }
    }
    let again = source.again();
    let mut writer = Writer::new(run, control);
    let mut result = pass(source, &mut writer, &woken);
    if let (Ok(()), Some(again)) = (result, again)
        && writer.looks_again()
    {
        result = pass(again(writer.run.need()), &mut writer, &woken);
    }
    let exit = match result {
        Ok(()) => writer.end(),
        Err(exit) => exit,
    };
    writer.run.outputs.finish(exit)
}

/// Passes everything that a source gives on to the writer.
fn pass<S: Source>(source: S, writer: &mut Writer, woken: &Receiver<()>) -> Result<(), Exit> {
    let threads = thread::available_parallelism()
        .map_or(1, usize::from)
        .min(8);
    let (items, to_write) = bounded(QUEUE * threads);
    let (jobs, to_decode) = bounded(QUEUE * threads);
    // Buffers to read into must stay filled, and those of printed text are emptied.
    let [to_read_into, for_text] = [Buffers::default(), Buffers::default()];
    let control = &writer.control;
    for _ in 0..threads {
        let mut worker = Worker {
            jobs: to_decode.clone(),
            decoder: source.decoder(&to_read_into),
            printer: Printer::new(&writer.run, control.clone()),
            buffers: for_text.clone(),
            room: Room::default(),
        };
        thread::spawn(move || worker.run());
    }
    let in_flight = Arc::new(InFlight::default());
    let feed = Feed::new(
        items,
        jobs,
        Arc::clone(&in_flight),
        to_read_into,
        control.clone(),
    );
    thread::spawn(move || {
        source.run(&feed);
        feed.stop();
    });
    writer.items(&to_write, woken, &in_flight, &for_text)
}

/// Decodes and formats.
struct Worker<P, D> {
    jobs: Receiver<Job<P>>,
    decoder: D,
    printer: Printer,
    /// The buffers for printed text.
    buffers: Buffers,
    /// The room that the facts of the last piece took.
    room: Room,
}

impl<P: Piece, D: Decode<P>> Worker<P, D> {
    fn run(&mut self) {
        while let Ok((piece, done)) = self.jobs.recv() {
            // The writer may have gone, because nobody reads its output.
            let _ = done.send(self.decode(piece));
        }
    }

    fn decode(&mut self, piece: P) -> Decoded {
        let size = piece.size();
        let mut text = self.printer.buffer(&self.buffers);
        let mut record = Vec::new();
        let mut facts = Facts::with(self.room);
        let (mut events, mut hidden) = (0, 0);
        let printer = &mut self.printer;
        let found = self.decoder.decode(piece, &mut |event| match printer.event(
            event,
            &mut text,
            &mut record,
            &mut facts,
        ) {
            Fate::Shown => events += 1,
            Fate::Hidden => hidden += 1,
            Fate::Other => {}
        });
        self.room = facts.room();
        Decoded {
            size,
            events,
            hidden,
            text,
            record,
            facts,
            found,
        }
    }
}
