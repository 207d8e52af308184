//! The way of events: read and cut into pieces by a source, decoded and formatted by several threads, written in
//! their order by the main one, which is where the [`Stage`]s look at them.
//!
//! What is in flight is bounded, by the number of pieces and by their size. A piece is handed on as soon as
//! it is there, so that an event never waits for another one.

mod buffers;
mod control;
mod feed;
mod file_id;
pub mod output;
mod printer;
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
use printer::Printer;
use writer::Writer;

/// How many pieces may wait to be decoded, and as many to be written, for each thread that decodes.
const QUEUE: usize = 2;

/// Where events come from.
pub trait Source: Send + 'static {
    /// A part of a stream that can be decoded by itself.
    type Piece: Piece;
    /// What decodes pieces; each thread has its own.
    type Decoder: Decode<Self::Piece>;

    /// What decodes pieces, which gives memory that it no longer needs back to `buffers`.
    fn decoder(&self, buffers: &Buffers) -> Self::Decoder;

    /// What a signal is to do, and what is to be done when nothing can be written any more or nothing more is wanted.
    /// It returns true if it made the source end, so that what is on its way is to be waited for.
    fn stopper(&self) -> Box<dyn Fn() -> bool + Send + Sync>;

    /// Gives all that comes to `feed`, until the end, or until no more is wanted.
    fn run(self, feed: &Feed<Self::Piece>);

    /// What makes a source that gives the same events once more, for another need; None where they come only once.
    fn again(&self) -> Option<Box<dyn FnOnce(Need) -> Self>> {
        None
    }
}

/// A part of a stream that can be decoded by itself.
pub trait Piece: Send + 'static {
    /// About how much memory it and what becomes of it take, in bytes.
    fn size(&self) -> usize;
}

/// Decodes pieces.
pub trait Decode<P>: Send + 'static {
    /// Calls `event` with each event of a piece, in their order, and returns what else was found.
    fn decode(&mut self, piece: P, event: &mut impl FnMut(&Event<'_>)) -> Found;
}

/// What is found in a piece besides its events.
#[derive(Debug, Default)]
pub struct Found {
    /// What wasn't as it should be.
    pub damage: Vec<Damage>,
    /// The numbers of its messages, shown or not.
    pub stretches: Vec<Stretch>,
    /// True if there is a message in it, shown or not.
    pub has_messages: bool,
}

/// What looks at the events in their order, one after the other.
pub type Stages = Vec<Box<dyn Stage>>;

/// What becomes of the events of a source.
pub struct Run {
    /// Which are shown.
    pub filter: Filter,
    /// How they look.
    pub style: Style,
    /// Where they go.
    pub outputs: Outputs,
    /// The tree of processes whose events belong to the trace, if it isn't the conditions alone that say so.
    pub follow: Option<Follow>,
    /// What looks at them in their order.
    pub stages: Stages,
    /// Makes the tree and the stages new, for a second look at the events.
    pub renew: Box<dyn Fn() -> (Option<Follow>, Stages) + Send>,
    /// When a live trace ends by itself.
    pub duration: Option<Duration>,
    /// The signals by which somebody asks for a report of the stages before the end.
    pub asking_signals: &'static [i32],
    /// How often they report by themselves.
    pub report_every: Option<Duration>,
    /// True if a run in which events were lost has failed.
    pub fail_on_drop: bool,
    /// What gets the signals that ask for the end where a command is traced: they don't end the trace by themselves.
    pub command_signals: Option<Arc<dyn Fn(i32) + Send + Sync>>,
    /// The signals that were ignored when the program started, and stay so.
    pub ignored_signals: Vec<i32>,
}

impl Run {
    /// Returns true if something looks at the events in their order.
    fn is_ordered(&self) -> bool {
        self.follow.is_some() || !self.stages.is_empty()
    }

    /// What has to be asked of the source.
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
    /// How large the piece was.
    size: usize,
    /// How many events pass the filter.
    events: u64,
    text: Vec<u8>,
    record: Vec<u8>,
    facts: Facts,
    found: Found,
}

/// A piece, and whom to give it to when it is decoded.
type Job<P> = (P, Sender<Decoded>);

/// Shows the events of a source, and returns how that went.
pub fn run<S: Source>(source: S, run: Run) -> Exit {
    let (wake, woken) = bounded(1);
    let may_hurry = run.outputs.is_terminal() && !run.outputs.is_recording();
    let control = Control::new(source.stopper(), wake, may_hurry);
    let of_signals = control.clone();
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
    match result {
        Ok(()) => writer.end(),
        Err(exit) => exit,
    }
}

/// Lets the writer have all that a source gives.
fn pass<S: Source>(source: S, writer: &mut Writer, woken: &Receiver<()>) -> Result<(), Exit> {
    let threads = thread::available_parallelism()
        .map_or(1, usize::from)
        .min(8);
    let (items, to_write) = bounded(QUEUE * threads);
    let (jobs, to_decode) = bounded(QUEUE * threads);
    let buffers = Buffers::default();
    let control = &writer.control;
    for _ in 0..threads {
        let mut worker = Worker {
            jobs: to_decode.clone(),
            decoder: source.decoder(&buffers),
            printer: Printer::new(&writer.run, control.clone()),
            buffers: buffers.clone(),
            room: Room::default(),
        };
        thread::spawn(move || worker.run());
    }
    let in_flight = Arc::new(InFlight::default());
    let feed = Feed::new(
        items,
        jobs,
        Arc::clone(&in_flight),
        buffers.clone(),
        control.clone(),
    );
    thread::spawn(move || {
        source.run(&feed);
        feed.stop();
    });
    writer.items(&to_write, woken, &in_flight, &buffers)
}

/// Decodes and formats.
struct Worker<P, D> {
    jobs: Receiver<Job<P>>,
    decoder: D,
    printer: Printer,
    buffers: Buffers,
    /// How much room the facts of the last piece took.
    room: Room,
}

impl<P: Piece, D: Decode<P>> Worker<P, D> {
    fn run(&mut self) {
        while let Ok((piece, done)) = self.jobs.recv() {
            // The writer may have gone, because nobody reads what it writes.
            let _ = done.send(self.decode(piece));
        }
    }

    fn decode(&mut self, piece: P) -> Decoded {
        let size = piece.size();
        let mut text = self.printer.buffer(&self.buffers);
        let mut record = Vec::new();
        let mut facts = Facts::with(self.room);
        let mut events = 0;
        let printer = &mut self.printer;
        let found = self.decoder.decode(piece, &mut |event| {
            let passes = printer.event(event, &mut text, &mut record, &mut facts);
            events += u64::from(passes);
        });
        self.room = facts.room();
        Decoded {
            size,
            events,
            text,
            record,
            facts,
            found,
        }
    }
}
