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
use crate::loss::{Losses, Origin, Stretch, Tally};
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
    let for_feed = buffers.clone();
    thread::spawn(move || feed(inputs, &for_feed, &items, &jobs));
    write(&to_write, &buffers, &mut printing)
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
                text,
                damage,
                stretches: self.tally.take(),
            });
        }
    }
}

/// Writes what has been decoded, and tells of what was damaged and what is missing.
fn write(items: &Receiver<Item>, buffers: &Buffers, printing: &mut Printing) -> Exit {
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
