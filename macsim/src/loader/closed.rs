//! Standard streams that are closed: Rust opens the null device in their place before `main`, macOS's dyld doesn't.

use std::sync::atomic::{AtomicU8, Ordering};

/// The streams that were closed at the start, as bits.
static CLOSED: AtomicU8 = AtomicU8::new(0);

/// Runs before anything else.
#[used]
#[unsafe(link_section = ".init_array")]
static NOTE: extern "C" fn() = {
    extern "C" fn note() {
        for stream in 0..3 {
            // SAFETY: asks only.
            if unsafe { libc::fcntl(stream, libc::F_GETFD) } == -1 {
                CLOSED.fetch_or(1 << stream, Ordering::Relaxed);
            }
        }
    }
    note
};

/// Closes them again, for the program.
pub fn close_again() {
    let closed = CLOSED.load(Ordering::Relaxed);
    for stream in (0..3).filter(|stream| closed >> stream & 1 == 1) {
        // SAFETY: the null device that Rust has opened; macsim itself only says something on standard error, which
        // nobody hears then.
        unsafe { libc::close(stream) };
    }
}
