//! Messages of what real processes do: one thread gets them from the kernel and queues them for every client.

use std::process;
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use super::client;
use crate::builder::{self, Record};
use crate::json;
use crate::live::{News, Watch};
use crate::note::note;
use crate::system::groups;

/// A message that waits for clients.
pub struct Live {
    /// The message.
    pub record: Record,
    /// True if the program or a process below it did it or had it done: a descendants client gets only these.
    pub related: bool,
}

/// The listening thread, as other threads see it.
struct Listener {
    /// The process that the thread is in: a child of fork(2) has no such thread.
    pid: u32,
    watch: Mutex<Watch>,
    marks: Mutex<Marks>,
    changed: Condvar,
}

#[derive(Default)]
struct Marks {
    asked: u64,
    /// All marks up to this one have come.
    reached: u64,
}

static LISTENER: OnceLock<Option<Listener>> = OnceLock::new();

/// Begins to listen, once: what happens from now on is queued for the clients that exist at that time.
pub fn listen() {
    static STARTED: OnceLock<()> = OnceLock::new();
    let listener = LISTENER.get_or_init(|| match Watch::open() {
        Ok(watch) => watch.map(|watch| Listener {
            pid: process::id(),
            watch: Mutex::new(watch),
            marks: Mutex::default(),
            changed: Condvar::new(),
        }),
        Err(error) => {
            note(format_args!("no messages of real processes: {error}"));
            None
        }
    });
    if let Some(listener) = listener {
        STARTED.get_or_init(|| {
            let watch = lock(&listener.watch).try_clone();
            let thread = std::thread::Builder::new().name("live messages".into());
            let started = watch.and_then(|watch| thread.spawn(move || run(watch, listener)));
            if let Err(error) = started {
                note(format_args!("no messages of real processes: {error}"));
                reach(listener, u64::MAX);
            }
        });
    }
}

/// Waits until everything that has happened so far is in the clients' queues.
pub fn catch_up() {
    let Some(listener) = LISTENER.get().and_then(Option::as_ref) else {
        return;
    };
    if listener.pid != process::id() {
        return;
    }
    let mark = {
        let mut marks = lock(&listener.marks);
        marks.asked += 1;
        // While the lock is held, so that marks are requested in their order.
        if lock(&listener.watch).mark(marks.asked).is_err() {
            return;
        }
        marks.asked
    };
    let waits = |marks: &mut Marks| marks.reached < mark;
    drop(listener.changed.wait_while(lock(&listener.marks), waits));
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn reach(listener: &Listener, mark: u64) {
    lock(&listener.marks).reached = mark;
    listener.changed.notify_all();
}

fn run(mut watch: Watch, listener: &Listener) {
    loop {
        match watch.next() {
            Ok(Some(News::Message { json, related })) => queue(&json, related),
            Ok(Some(News::Mark(mark))) => reach(listener, mark),
            Ok(None) => break,
            Err(error) => {
                note(format_args!("no more messages of real processes: {error}"));
                break;
            }
        }
    }
    reach(listener, u64::MAX);
}

/// Makes the message, and queues it for the clients that want it.
fn queue(text: &[u8], related: bool) {
    let value = json::values(text).next();
    let made = match value {
        Some(Ok((_, mut value))) => {
            groups::show(&mut value);
            builder::message(&value, None)
        }
        _ => Err("no JSON".into()),
    };
    match made {
        Ok(record) => client::queue(&std::sync::Arc::new(Live { record, related })),
        Err(reason) => note(format_args!("a message of a real process: {reason}")),
    }
}
