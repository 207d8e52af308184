//! Measures the cost of delivery itself: the messages are made beforehand, and the handler does nothing.

use std::ffi::c_void;
use std::path::Path;
use std::process::ExitCode;
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use clap::Parser;

use crate::settings::{self, Settings};
use crate::system;
use crate::versions::known_types;

#[derive(Parser)]
struct Options {
    #[command(flatten)]
    settings: Settings,
}

/// A block that captures nothing, as a compiler lays it out.
#[repr(C)]
struct GlobalBlock {
    isa: *const c_void,
    flags: i32,
    reserved: i32,
    invoke: extern "C" fn(*const c_void, *const c_void, *const c_void),
    descriptor: *const [usize; 2],
}

static RECEIVED: AtomicU64 = AtomicU64::new(0);

extern "C" fn handler(_: *const c_void, _: *const c_void, _: *const c_void) {
    RECEIVED.fetch_add(1, Ordering::Relaxed);
}

/// Calls a function of the simulation by its name, as the program does.
macro_rules! call {
    ($name:literal($($argument:expr => $kind:ty),*) -> $result:ty) => {{
        let address = system::find($name);
        // SAFETY: the function of this name has this type.
        let function = unsafe { std::mem::transmute::<usize, extern "C" fn($($kind),*) -> $result>(address) };
        function($($argument),*)
    }};
}

/// Delivers a file's messages to a handler, and prints the time that each took.
pub fn run(events: &Path, repeat: u64) -> ExitCode {
    let repeat = repeat.to_string();
    let mut options = Options::parse_from([
        "macsim",
        "--static",
        "--macos",
        "27.0",
        "--end",
        "NONE",
        "--linger-ms",
        "0",
        "--repeat",
        &repeat,
    ]);
    options.settings.events = vec![events.to_path_buf()];
    settings::set(options.settings);

    let size = [0, size_of::<GlobalBlock>()];
    let block = GlobalBlock {
        isa: ptr::null(),
        flags: 1 << 28,
        reserved: 0,
        invoke: handler,
        descriptor: &raw const size,
    };
    let mut client: *mut c_void = ptr::null_mut();
    let result = call!("es_new_client"(&raw mut client => *mut *mut c_void, &raw const block => *const GlobalBlock) -> u32);
    assert_eq!(result, 0, "es_new_client");
    call!("es_unmute_all_paths"(client => *mut c_void) -> u32);
    call!("es_unmute_all_target_paths"(client => *mut c_void) -> u32);
    let types: Vec<u32> = (0..known_types()).collect();
    let expected = crate::es::count() * settings::get().repeat;
    crate::es::prebuild();
    let began = Instant::now();
    call!("es_subscribe"(client => *mut c_void, types.as_ptr() => *const u32, types.len() as u32 => u32) -> u32);
    while RECEIVED.load(Ordering::Relaxed) < expected {
        std::thread::yield_now();
    }
    let nanoseconds = began.elapsed().as_nanos() as f64 / expected as f64;
    println!("{expected} messages, {nanoseconds:.1} ns each");
    call!("es_delete_client"(client => *mut c_void) -> u32);
    ExitCode::SUCCESS
}
