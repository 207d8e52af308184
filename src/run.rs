//! The way of the events of a recording: read and framed by one thread, decoded and formatted by several,
//! written in their order by the main one.
//!
//! What is in flight is bounded. A chunk is handed on as soon as it is there, so that an event never waits
//! for another one.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::config::Printing;
use crate::exit::{Exit, reason, warn};
use crate::filter::Filter;
use crate::format::Format;
use crate::output::Output;
use crate::source::recording::{self, Buffers, Chunk, Damage, Decoder, Input, Prefilter};

/// How many chunks may wait to be decoded, and as many to be written, for each thread that decodes.
const QUEUE: usize = 2;

/// After so many warnings about a file, those that follow are only counted.
const WARNINGS: u64 = 50;

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
    text: Vec<u8>,
    damage: Vec<Damage>,
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
    let for_feed = buffers.clone();
    thread::spawn(move || feed(inputs, &for_feed, &items, &jobs));
    write(&to_write, &buffers, &mut printing.output)
}

/// Reads the recordings, until nobody wants more.
fn feed(inputs: Vec<Input>, buffers: &Buffers, items: &SyncSender<Item>, jobs: &SyncSender<Job>) {
    for input in inputs {
        if items.send(Item::Begin(input.clone())).is_err() {
            return;
        }
        let result = recording::read(&input, buffers, |chunk| {
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

/// Decodes and formats.
struct Worker {
    jobs: Arc<Mutex<Receiver<Job>>>,
    filter: Filter,
    prefilter: Prefilter,
    decoder: Decoder,
    format: Box<dyn Format>,
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
            let mut text = self.buffers.take();
            let damage = recording::decode(&chunk, self.decoder, &self.prefilter, |event| {
                if self.filter.passes(event) {
                    self.format.event(event, &mut text);
                }
            });
            self.buffers.give(chunk.text);
            // The writer may have gone, because nobody reads what it writes.
            let _ = done.send(Decoded { text, damage });
        }
    }
}

/// Writes what has been decoded, and tells of what was damaged.
fn write(items: &Receiver<Item>, buffers: &Buffers, output: &mut Output) -> Exit {
    let mut exit = Exit::Done;
    let mut name = String::new();
    let mut warnings = Warnings::default();
    while let Ok(item) = items.recv() {
        match item {
            Item::Begin(input) => {
                name = input.to_string();
                warnings = Warnings::default();
            }
            Item::Chunk(decoded) => {
                let Ok(decoded) = decoded.recv() else {
                    warn(format_args!("{name}: a thread that decodes has died"));
                    return Exit::Failed;
                };
                if let Err(error) = output.write_all(&decoded.text) {
                    return output.failed(&error, exit);
                }
                buffers.give(decoded.text);
                for damage in &decoded.damage {
                    warnings.tell(&name, damage);
                    exit = Exit::Failed;
                }
            }
            Item::End(result) => {
                warnings.sum_up(&name);
                if let Err(error) = result {
                    warn(format_args!("{name}: {}", reason(&error)));
                    exit = Exit::Failed;
                }
            }
            Item::Stop => break,
        }
    }
    exit
}

/// Counts damage in a recording.
#[derive(Default)]
struct Warnings {
    damaged: u64,
    lost: u64,
}

impl Warnings {
    fn tell(&mut self, name: &str, damage: &Damage) {
        self.damaged += 1;
        self.lost += u64::from(damage.is_loss);
        if self.damaged <= WARNINGS {
            warn(format_args!("{name}:{}: {}", damage.line, damage.reason));
        }
        if self.damaged == WARNINGS {
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
