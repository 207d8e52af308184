//! The way of the events of a recording: read and framed by one thread, decoded and formatted by several,
//! written in their order by the main one.
//!
//! What is in flight is bounded, by the number of chunks and by their size. A chunk is handed on as soon as
//! it is there, so that an event never waits for another one.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

use crate::config::Printing;
use crate::exit::{Exit, reason, warn};
use crate::filter::Filter;
use crate::format::Format;
use crate::loss::{Losses, Origin, Stretch, Tally};
use crate::source::recording::{self, Buffers, Chunk, Damage, Decoder, Input, Prefilter, TOLD};

/// How many chunks may wait to be decoded, and as many to be written, for each thread that decodes.
const QUEUE: usize = 2;

/// How many bytes may have been read and not yet been written, unless it is a single chunk.
const IN_FLIGHT: usize = 6 << 20;

/// What comes to the writer, in the order in which it was read.
enum Item {
    /// What follows is from this recording.
    Begin(Input),
    /// A chunk, as soon as somebody has decoded it.
    Chunk(Receiver<Decoded>),
    /// The end of the recording, or what went wrong with it.
    End(io::Result<()>),
    /// The end of the last one, or a signal to stop.
    Stop,
}

/// A chunk that is ready to be written.
struct Decoded {
    /// How large the chunk was.
    size: usize,
    text: Vec<u8>,
    damage: Vec<Damage>,
    stretches: Vec<Stretch>,
}

/// A chunk, and whom to give it to when it is decoded.
type Job = (Chunk, SyncSender<Decoded>);

/// Prints the events of recordings.
pub fn read(inputs: Vec<Input>, mut printing: Printing) -> Exit {
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
    let stop = items.clone();
    // Without a handler a signal ends the program at once, which loses no event that was printed.
    let _ = ctrlc::set_handler(move || {
        let _ = stop.send(Item::Stop);
    });
    let in_flight = Arc::new(InFlight::default());
    let (for_feed, read) = (buffers.clone(), Arc::clone(&in_flight));
    thread::spawn(move || feed(inputs, &for_feed, &read, &items, &jobs));
    write(&to_write, &buffers, &in_flight, &mut printing)
}

/// Reads the recordings, until nobody wants more.
fn feed(
    inputs: Vec<Input>,
    buffers: &Buffers,
    in_flight: &InFlight,
    items: &SyncSender<Item>,
    jobs: &SyncSender<Job>,
) {
    for input in inputs {
        if items.send(Item::Begin(input.clone())).is_err() {
            return;
        }
        let result = recording::read(&input, buffers, |chunk| {
            in_flight.add(chunk.text.len());
            let (done, decoded) = sync_channel(1);
            items.send(Item::Chunk(decoded)).is_ok() && jobs.send((chunk, done)).is_ok()
        });
        if items.send(Item::End(result)).is_err() {
            return;
        }
    }
    // Nobody may be left to receive it; then all is over anyway.
    let _ = items.send(Item::Stop);
}

/// Counts the bytes that have been read and not yet been written.
#[derive(Default)]
struct InFlight(Mutex<usize>, Condvar);

impl InFlight {
    /// Waits until there is room for a chunk.
    fn add(&self, size: usize) {
        let is_full = |bytes: &mut usize| *bytes > 0 && *bytes + size > IN_FLIGHT;
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *self
            .1
            .wait_while(bytes, is_full)
            .unwrap_or_else(PoisonError::into_inner) += size;
    }

    /// A chunk has been written.
    fn remove(&self, size: usize) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) -= size;
        self.1.notify_one();
    }
}

/// Decodes and formats.
struct Worker {
    jobs: Arc<Mutex<Receiver<Job>>>,
    filter: Filter,
    prefilter: Prefilter,
    decoder: Decoder,
    format: Box<dyn Format>,
    tally: Tally,
    buffers: Buffers,
}

impl Worker {
    fn new(printing: &Printing, jobs: Arc<Mutex<Receiver<Job>>>, buffers: Buffers) -> Worker {
        Worker {
            jobs,
            filter: printing.filter.clone(),
            prefilter: Prefilter::new(&printing.filter),
            decoder: printing.decoder(),
            format: printing.format(),
            tally: Tally::new(),
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
            let Ok((chunk, done)) = job else { return };
            let size = chunk.text.len();
            let mut text = self.buffers.take();
            let tally = &mut self.tally;
            let damage = recording::decode(&chunk, self.decoder, &self.prefilter, tally, |event| {
                if self.filter.passes(event) {
                    self.format.event(event, &mut text);
                }
            });
            self.buffers.give(chunk.text);
            // The writer may have gone, because nobody reads what it writes.
            let _ = done.send(Decoded {
                size,
                text,
                damage,
                stretches: self.tally.take(),
            });
        }
    }
}

/// Writes what has been decoded, and tells of what was damaged and what is missing.
fn write(
    items: &Receiver<Item>,
    buffers: &Buffers,
    in_flight: &InFlight,
    printing: &mut Printing,
) -> Exit {
    let mut exit = Exit::Done;
    let mut recording = None;
    while let Ok(item) = items.recv() {
        match item {
            Item::Begin(input) => recording = Some(Recording::new(&input)),
            Item::Chunk(decoded) => {
                let Ok(decoded) = decoded.recv() else {
                    warn(format_args!("a thread that decodes has died"));
                    return Exit::Failed;
                };
                if let Err(error) = printing.output.write_all(&decoded.text) {
                    return printing.output.failed(&error, exit);
                }
                buffers.give(decoded.text);
                in_flight.remove(decoded.size);
                if let Some(recording) = &mut recording {
                    recording.tell(&decoded.damage, &decoded.stretches);
                }
            }
            Item::End(result) => {
                if let Some(recording) = recording.take() {
                    exit = recording.end(&result, exit, printing.fail_on_drop);
                }
            }
            Item::Stop => break,
        }
    }
    match recording {
        Some(stopped) => stopped.end(&Ok(()), exit, printing.fail_on_drop),
        None => exit,
    }
}

/// What has to be told of the recording that is being read.
struct Recording {
    name: String,
    /// Whether somebody waits for what comes next.
    is_live: bool,
    warnings: Warnings,
    losses: Losses,
}

impl Recording {
    fn new(input: &Input) -> Recording {
        let name = input.to_string();
        Recording {
            is_live: *input == Input::Stdin,
            warnings: Warnings::default(),
            losses: Losses::new(Origin::Recording(name.clone())),
            name,
        }
    }

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

/// Counts damage in a recording.
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
