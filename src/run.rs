//! The way of events: read and cut into pieces by one thread, decoded and formatted by several, written in
//! their order by the main one.
//!
//! What is in flight is bounded, by the number of pieces and by their size. A piece is handed on as soon as
//! it is there, so that an event never waits for another one.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

use crate::config::Printing;
use crate::exit::{Exit, reason, warn};
use crate::loss::{Losses, Origin, Stretch, Tally};
use crate::printer::Printer;
#[cfg(target_os = "macos")]
use crate::source::native::{self, Message};
use crate::source::recording::{self, Buffers, Chunk, Damage, Decoder, Input, Prefilter, TOLD};

/// How many pieces may wait to be decoded, and as many to be written, for each thread that decodes.
const QUEUE: usize = 2;

/// How many bytes may have been read and not yet been written, unless it is a single piece.
const IN_FLIGHT: usize = 6 << 20;

/// What comes to the writer, in the order in which it was read.
enum Item {
    /// What follows is from another source.
    Begin(Box<Stream>),
    /// A piece, as soon as somebody has decoded it.
    Piece(Receiver<Decoded>),
    /// The end of the source, or what went wrong with it.
    End(io::Result<()>),
    /// The end of the last one, or a signal to stop.
    Stop,
}

/// A part of a stream that can be decoded by itself.
enum Piece {
    /// Of a recording, or what eslogger has written.
    Json(Chunk),
    /// Of EndpointSecurity, and their numbers.
    #[cfg(target_os = "macos")]
    Messages(Vec<Message>, Vec<Stretch>),
}

impl Piece {
    /// About how much memory it and what becomes of it take, in bytes.
    fn size(&self) -> usize {
        match self {
            Piece::Json(chunk) => chunk.text.len(),
            #[cfg(target_os = "macos")]
            Piece::Messages(messages, _) => messages.len() << 10,
        }
    }
}

/// A piece that is ready to be written.
struct Decoded {
    /// How large the piece was.
    size: usize,
    text: Vec<u8>,
    record: Vec<u8>,
    damage: Vec<Damage>,
    stretches: Vec<Stretch>,
}

/// A piece, and whom to give it to when it is decoded.
type Job = (Piece, SyncSender<Decoded>);

/// Prints the events of recordings.
pub fn read(inputs: Vec<Input>, printing: Printing) -> Exit {
    let feed = |feed: &Feed| {
        for input in inputs {
            loop {
                if !feed.begin(Origin::Recording(input.to_string()), input.is_live()) {
                    return;
                }
                let result = recording::read(&input, &feed.buffers, |chunk| feed.chunk(chunk));
                let goes_on = result.is_ok() && matches!(input, Input::Followed(_));
                if !feed.end(result) {
                    return;
                }
                if !goes_on {
                    break;
                }
            }
        }
    };
    run(printing, feed, || false)
}

/// Prints the events that `source` feeds. At a signal, and when nothing can be written any more, `stop` is
/// called: it says whether it made the source end, so that what is on its way is to be waited for.
pub fn run(
    mut printing: Printing,
    source: impl FnOnce(&Feed) + Send + 'static,
    stop: impl Fn() -> bool + Send + Sync + 'static,
) -> Exit {
    let threads = thread::available_parallelism()
        .map_or(1, usize::from)
        .min(8);
    let (items, to_write) = sync_channel(QUEUE * threads);
    let (jobs, to_decode) = sync_channel::<Job>(QUEUE * threads);
    let to_decode = Arc::new(Mutex::new(to_decode));
    let buffers = Buffers::default();
    for _ in 0..threads {
        let mut worker = Worker::new(&printing, Arc::clone(&to_decode), buffers.clone());
        thread::spawn(move || worker.run());
    }
    let stop = Arc::new(stop);
    let at_signal = Arc::clone(&stop);
    let to_writer = items.clone();
    let mut is_first = true;
    // Without a handler a signal ends the program at once, which loses no event that was printed.
    let _ = ctrlc::set_handler(move || {
        if !std::mem::take(&mut is_first) {
            // Who asks twice doesn't want to wait for what is still to be printed.
            std::process::exit(Exit::Failed as i32);
        }
        if !at_signal() {
            let _ = to_writer.send(Item::Stop);
        }
    });
    let in_flight = Arc::new(InFlight::default());
    let feed = Feed {
        items,
        jobs,
        in_flight: Arc::clone(&in_flight),
        buffers: buffers.clone(),
    };
    thread::spawn(move || {
        source(&feed);
        // Nobody may be left to receive it; then all is over anyway.
        let _ = feed.items.send(Item::Stop);
    });
    write(&to_write, &buffers, &in_flight, &mut printing, &*stop)
}

/// Where a source gives what it reads. Each way to give says whether more is wanted.
pub struct Feed {
    items: SyncSender<Item>,
    jobs: SyncSender<Job>,
    in_flight: Arc<InFlight>,
    /// What is decoded comes back here.
    pub buffers: Buffers,
}

impl Feed {
    /// Begins a stream. If it is live, somebody waits for what comes next.
    pub fn begin(&self, origin: Origin, is_live: bool) -> bool {
        let stream = Stream {
            name: origin.to_string(),
            is_live,
            warnings: Warnings::default(),
            losses: Losses::new(origin),
        };
        self.items.send(Item::Begin(Box::new(stream))).is_ok()
    }

    /// Goes on with the stream.
    pub fn chunk(&self, chunk: Chunk) -> bool {
        self.piece(Piece::Json(chunk))
    }

    /// Goes on with the stream: with messages, and with the numbers of those that came, shown or not.
    #[cfg(target_os = "macos")]
    pub fn messages(&self, messages: Vec<Message>, stretches: Vec<Stretch>) -> bool {
        self.piece(Piece::Messages(messages, stretches))
    }

    fn piece(&self, piece: Piece) -> bool {
        self.in_flight.add(piece.size());
        let (done, decoded) = sync_channel(1);
        self.items.send(Item::Piece(decoded)).is_ok() && self.jobs.send((piece, done)).is_ok()
    }

    /// Ends the stream.
    pub fn end(&self, result: io::Result<()>) -> bool {
        self.items.send(Item::End(result)).is_ok()
    }
}

/// Counts the bytes that have been read and not yet been written.
#[derive(Default)]
struct InFlight(Mutex<usize>, Condvar);

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

    /// A piece has been written.
    fn remove(&self, size: usize) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) -= size;
        self.1.notify_one();
    }
}

/// Decodes and formats.
struct Worker {
    jobs: Arc<Mutex<Receiver<Job>>>,
    prefilter: Prefilter,
    decoder: Decoder,
    printer: Printer,
    tally: Tally,
    #[cfg(target_os = "macos")]
    native: native::Decoder,
    #[cfg(target_os = "macos")]
    arena: bumpalo::Bump,
    buffers: Buffers,
}

impl Worker {
    fn new(printing: &Printing, jobs: Arc<Mutex<Receiver<Job>>>, buffers: Buffers) -> Worker {
        Worker {
            jobs,
            prefilter: Prefilter::new(&printing.filter),
            decoder: printing.decoder(),
            printer: printing.printer(),
            tally: Tally::new(),
            #[cfg(target_os = "macos")]
            native: printing.native_decoder(),
            #[cfg(target_os = "macos")]
            arena: bumpalo::Bump::new(),
            buffers,
        }
    }

    fn run(&mut self) {
        loop {
            let job = self
                .jobs
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .recv();
            let Ok((piece, done)) = job else { return };
            // The writer may have gone, because nobody reads what it writes.
            let _ = done.send(self.decode(piece));
        }
    }

    fn decode(&mut self, piece: Piece) -> Decoded {
        let size = piece.size();
        let mut text = self.buffers.take();
        let mut record = Vec::new();
        let printer = &mut self.printer;
        let (damage, stretches) = match piece {
            Piece::Json(chunk) => {
                let (prefilter, tally) = (&self.prefilter, &mut self.tally);
                let damage = recording::decode(&chunk, self.decoder, prefilter, tally, |event| {
                    printer.event(event, &mut text, &mut record)
                });
                self.buffers.give(chunk.text);
                (damage, self.tally.take())
            }
            #[cfg(target_os = "macos")]
            Piece::Messages(messages, stretches) => {
                let mut fields = Vec::new();
                for message in messages {
                    let empty = native::emptied(fields);
                    let event = self.native.event(&message, &self.arena, empty);
                    printer.event(&event, &mut text, &mut record);
                    fields = native::emptied(event.fields);
                    self.arena.reset();
                }
                (Vec::new(), stretches)
            }
        };
        Decoded {
            size,
            text,
            record,
            damage,
            stretches,
        }
    }
}

/// Writes what has been decoded, and tells of what was damaged and what is missing.
fn write(
    items: &Receiver<Item>,
    buffers: &Buffers,
    in_flight: &InFlight,
    printing: &mut Printing,
    stop: &dyn Fn() -> bool,
) -> Exit {
    let mut exit = Exit::Done;
    let mut stream = None;
    let mut failed = None;
    while let Ok(item) = items.recv() {
        match item {
            Item::Begin(another) => stream = Some(another),
            Item::Piece(decoded) => {
                let Ok(decoded) = decoded.recv() else {
                    warn(format_args!("a thread that decodes has died"));
                    return Exit::Failed;
                };
                in_flight.remove(decoded.size);
                if failed.is_some() {
                    continue;
                }
                if let Err(exit) = printing.write(&decoded.text, &decoded.record, exit) {
                    if !stop() {
                        return exit;
                    }
                    failed = Some(exit);
                }
                buffers.give(decoded.text);
                if let Some(stream) = &mut stream {
                    stream.tell(&decoded.damage, &decoded.stretches);
                }
            }
            Item::End(result) => {
                if let Some(stream) = stream.take().filter(|_| failed.is_none()) {
                    exit = stream.end(&result, exit, printing.fail_on_drop);
                }
            }
            Item::Stop => break,
        }
    }
    if let Some(exit) = failed {
        return exit;
    }
    match stream {
        Some(stopped) => stopped.end(&Ok(()), exit, printing.fail_on_drop),
        None => exit,
    }
}

/// What has to be told of a stream.
struct Stream {
    name: String,
    is_live: bool,
    warnings: Warnings,
    losses: Losses,
}

impl Stream {
    fn tell(&mut self, damage: &[Damage], stretches: &[Stretch]) {
        for damage in damage {
            self.warnings.tell(&self.name, damage);
        }
        self.losses.append(stretches);
        if self.is_live {
            self.losses.tell();
        }
    }

    /// Tells the totals and returns the exit status.
    fn end(self, result: &io::Result<()>, exit: Exit, fail_on_drop: bool) -> Exit {
        self.warnings.sum_up(&self.name);
        self.losses.sum_up();
        if let Err(error) = result {
            warn(format_args!("{}: {}", self.name, reason(error)));
        }
        if result.is_err() || self.warnings.damaged > 0 {
            Exit::Failed
        } else if fail_on_drop {
            self.losses.exit(exit)
        } else {
            exit
        }
    }
}

/// Counts damage in a stream.
#[derive(Default)]
struct Warnings {
    damaged: u64,
    lost: u64,
}

impl Warnings {
    fn tell(&mut self, name: &str, damage: &Damage) {
        let before = self.damaged;
        self.damaged += damage.count;
        self.lost += if damage.is_loss { damage.count } else { 0 };
        if before < TOLD {
            warn(format_args!("{name}:{}: {}", damage.line, damage.reason));
        }
        if before <= TOLD && self.damaged > TOLD {
            warn(format_args!("{name}: further warnings are only counted"));
        }
    }

    fn sum_up(&self, name: &str) {
        if self.damaged > 0 {
            let Warnings { damaged, lost } = self;
            warn(format_args!(
                "{name}: {damaged} damaged, {lost} of them skipped"
            ));
        }
    }
}
