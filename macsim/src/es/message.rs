//! Messages as the program has them: copied, counted, and wiped when the last reference is released.

use std::alloc::{Layout, alloc, dealloc};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicI32, AtomicI64, AtomicU32, Ordering};
use std::sync::{LazyLock, Mutex, OnceLock, PoisonError};

use super::misused;
use crate::builder::{Record, exec, layout};
use crate::json::Json;
use crate::note::note;
use crate::settings;
use crate::system::{Export, functions, xpc};

/// The header before each message.
#[repr(C, align(16))]
struct Head {
    /// [`LIVE`], [`STATIC`] or [`RELEASED`].
    state: AtomicU32,
    references: AtomicI32,
    size: usize,
    /// The index of the record that the message was made from.
    record: usize,
}

const LIVE: u32 = 0x4d45_5353;
const STATIC: u32 = 0x5354_4154;
const RELEASED: u32 = 0xdddd_dddd;
/// The byte that fills a released message, so that no pointer, length or type in it is valid.
const WIPED: u8 = 0xdd;
/// The number of released messages that stay in memory, so that a program that still reads one reads [`WIPED`].
const QUARANTINE: usize = 1024;

/// Messages that the program still has after its handler has returned.
static HELD: AtomicI64 = AtomicI64::new(0);

/// The messages of this run.
pub fn records() -> &'static [Record] {
    static RECORDS: OnceLock<Vec<Record>> = OnceLock::new();
    RECORDS.get_or_init(|| {
        let settings = settings::get();
        let mut records = Vec::new();
        for path in &settings.events {
            match crate::builder::read(path, settings.child_pid) {
                Ok((read, failures)) => {
                    for failure in failures {
                        note(format_args!("{failure}"));
                    }
                    records.extend(read);
                }
                Err(error) => {
                    note(format_args!("{}: {error}", path.display()));
                    std::process::exit(125);
                }
            }
        }
        records
    })
}

/// A message on its way: the simulation holds one reference to a message that is delivered.
#[derive(Clone, Copy)]
pub struct Message(*mut u8);

// SAFETY: the memory is shared by reference counts.
unsafe impl Send for Message {}
// SAFETY: as above; nobody writes once it is delivered.
unsafe impl Sync for Message {}

fn memory(size: usize) -> Layout {
    Layout::from_size_align(size_of::<Head>() + size, align_of::<Head>())
        .expect("messages are small")
}

impl Message {
    /// Copies a record.
    pub fn new(index: usize, record: &Record, prebuilt: bool) -> Self {
        let size = record.image.bytes.len();
        // SAFETY: the size isn't zero; the head and the bytes fit.
        unsafe {
            let head = alloc(memory(size)).cast::<Head>();
            assert!(!head.is_null(), "no memory");
            head.write(Head {
                state: AtomicU32::new(if prebuilt { STATIC } else { LIVE }),
                references: AtomicI32::new(1),
                size,
                record: index,
            });
            let message = head.add(1).cast::<u8>();
            record.image.copy_to(message);
            Message(message)
        }
    }

    /// The message of a record, made once and kept.
    pub fn prebuilt(index: usize) -> Self {
        static MESSAGES: LazyLock<Vec<Message>> = LazyLock::new(|| {
            let records = records().iter().enumerate();
            records
                .map(|(index, record)| Message::new(index, record, true))
                .collect()
        });
        MESSAGES[index]
    }

    /// The pointer that the handler gets.
    pub fn as_ptr(self) -> *const u8 {
        self.0
    }

    /// Writes the sequence numbers, where the message's version has them.
    pub fn number(self, version: u32, sequence: u64, global: u64) {
        static PLACES: LazyLock<(usize, usize)> = LazyLock::new(|| {
            (
                layout::offset("es_message_t", "seq_num"),
                layout::offset("es_message_t", "global_seq_num"),
            )
        });
        let (own, all) = *PLACES;
        // SAFETY: both lie within the message, and it isn't delivered yet.
        unsafe {
            if version >= 2 {
                self.0.add(own).cast::<u64>().write(sequence);
            }
            if version >= 4 {
                self.0.add(all).cast::<u64>().write(global);
            }
        }
    }

    /// Writes a process identifier at the places that were found when the message was built.
    pub fn put_pid(self, places: &[u32], pid: i32) {
        for &place in places {
            // SAFETY: places lie within the message.
            unsafe {
                self.0
                    .add(place as usize)
                    .cast::<i32>()
                    .write_unaligned(pid)
            };
        }
    }

    fn head(self) -> *const Head {
        self.0.cast::<Head>().wrapping_sub(1)
    }

    /// Gives up the simulation's reference, after the handler has returned.
    pub fn delivered(self) {
        // SAFETY: the simulation still has its reference.
        let head = unsafe { &*self.head() };
        match head.state.load(Ordering::Relaxed) {
            STATIC => return,
            LIVE => _ = HELD.fetch_add(1, Ordering::Relaxed),
            _ => {
                return misused(format_args!(
                    "a handler released its message more often than it retained it"
                ));
            }
        }
        self.release();
    }

    fn release(self) {
        // SAFETY: the caller has a reference.
        let head = unsafe { &*self.head() };
        if head.references.fetch_sub(1, Ordering::AcqRel) == 1 {
            HELD.fetch_sub(1, Ordering::Relaxed);
            // SAFETY: nobody has a reference any more.
            unsafe { self.0.write_bytes(WIPED, head.size) };
            head.state.store(RELEASED, Ordering::Release);
            quarantine(self);
        }
    }

    /// Frees a message that was never delivered.
    pub fn discard(self) {
        // SAFETY: the only reference.
        unsafe {
            let head = self.head().cast_mut();
            if (*head).state.load(Ordering::Relaxed) != STATIC {
                dealloc(head.cast(), memory((*head).size));
            }
        }
    }
}

/// Keeps a released message for a while, and frees the one that was kept the longest.
fn quarantine(message: Message) {
    static KEPT: Mutex<VecDeque<Message>> = Mutex::new(VecDeque::new());
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    kept.push_back(message);
    if kept.len() > QUARANTINE
        && let Some(oldest) = kept.pop_front()
    {
        drop(kept);
        // SAFETY: released long ago; its head is still whole.
        unsafe {
            let head = oldest.head().cast_mut();
            dealloc(head.cast(), memory((*head).size));
        }
    }
}

/// The number of messages that the program holds and never released.
pub fn held() -> i64 {
    HELD.load(Ordering::Relaxed).max(0)
}

/// The header of a message that the program passes, if the program may still use it.
fn live<'a>(message: *const u8, function: &str) -> Option<&'a Head> {
    if message.is_null() {
        misused(format_args!("{function}: the message is NULL"));
        return None;
    }
    // SAFETY: the program passes what a handler was given; the head stays for a while after the release.
    let head = unsafe { &*Message(message.cast_mut()).head() };
    match head.state.load(Ordering::Acquire) {
        LIVE | STATIC => Some(head),
        RELEASED => {
            misused(format_args!("{function}: the message was released before"));
            None
        }
        _ => {
            misused(format_args!("{function}: this is no message"));
            None
        }
    }
}

extern "C" fn es_retain_message(message: *const u8) {
    if let Some(head) =
        live(message, "es_retain_message").filter(|head| head.state.load(Ordering::Relaxed) == LIVE)
    {
        head.references.fetch_add(1, Ordering::Relaxed);
    }
}

extern "C" fn es_release_message(message: *const u8) {
    if let Some(head) = live(message, "es_release_message")
        .filter(|head| head.state.load(Ordering::Relaxed) == LIVE)
    {
        if head.references.load(Ordering::Relaxed) <= 0 {
            misused(format_args!("es_release_message: released too often"));
        } else {
            Message(message.cast_mut()).release();
        }
    }
}

/// `es_string_token_t`, which C returns in registers.
#[repr(C)]
#[derive(Clone, Copy)]
struct Token {
    length: usize,
    data: *const u8,
}

const EMPTY: Token = Token {
    length: 0,
    data: c"".as_ptr().cast(),
};

/// The message that an exec event is in, if the program may still use it.
fn message_of(event: *const u8, function: &str) -> Option<(*const u8, &'static Head)> {
    static EVENT: LazyLock<usize> = LazyLock::new(|| layout::offset("es_message_t", "event"));
    let message = event.wrapping_sub(*EVENT);
    live(message, function).map(|head| (message, head))
}

/// The count and the array of what lies behind an exec message.
fn array(event: *const u8, place: usize, function: &str) -> (u32, *const u8) {
    let Some((message, _)) = message_of(event, function) else {
        return (0, std::ptr::null());
    };
    // SAFETY: every message has room for these.
    unsafe {
        let count = message.add(place).cast::<u64>().read();
        (
            count as u32,
            message.add(place + 8).cast::<*const u8>().read(),
        )
    }
}

/// An element of 16 bytes, or NULL if the array is shorter.
fn element(event: *const u8, place: usize, index: u32, function: &str) -> *const u8 {
    let (count, array) = array(event, place, function);
    if index >= count {
        misused(format_args!("{function}: {index} of {count}"));
        return std::ptr::null();
    }
    array.wrapping_add(16 * index as usize)
}

fn token(event: *const u8, place: usize, index: u32, function: &str) -> Token {
    // SAFETY: an element of an array of tokens, or NULL.
    unsafe {
        element(event, place, index, function)
            .cast::<Token>()
            .as_ref()
    }
    .copied()
    .unwrap_or(EMPTY)
}

extern "C" fn es_exec_arg_count(event: *const u8) -> u32 {
    array(event, exec::ARGS, "es_exec_arg_count").0
}

extern "C" fn es_exec_arg(event: *const u8, index: u32) -> Token {
    token(event, exec::ARGS, index, "es_exec_arg")
}

extern "C" fn es_exec_env_count(event: *const u8) -> u32 {
    array(event, exec::ENV, "es_exec_env_count").0
}

extern "C" fn es_exec_env(event: *const u8, index: u32) -> Token {
    token(event, exec::ENV, index, "es_exec_env")
}

extern "C" fn es_exec_fd_count(event: *const u8) -> u32 {
    array(event, exec::FDS, "es_exec_fd_count").0
}

extern "C" fn es_exec_fd(event: *const u8, index: u32) -> *const u8 {
    element(event, exec::FDS, index, "es_exec_fd")
}

/// Returns the entitlements as an XPC object, a new one at each call, which the caller releases.
extern "C" fn es_exec_entitlements(event: *const u8) -> *const xpc::Object {
    let Some((_, head)) = message_of(event, "es_exec_entitlements") else {
        return std::ptr::null();
    };
    let record = records().get(head.record);
    match record.and_then(|record| record.entitlements.as_ref()) {
        Some(json @ Json::Object(_)) => xpc::give_away(json),
        _ => std::ptr::null(),
    }
}

/// The functions on messages.
pub fn exports() -> Vec<Export> {
    functions![
        es_exec_arg,
        es_exec_arg_count,
        es_exec_entitlements,
        es_exec_env,
        es_exec_env_count,
        es_exec_fd,
        es_exec_fd_count,
        es_release_message,
        es_retain_message,
    ]
    .to_vec()
}
