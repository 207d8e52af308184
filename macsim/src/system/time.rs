//! Clocks and times.

use std::ffi::{c_int, c_long, c_uint};

use super::{Export, functions};

/// Linux's clock for a macOS clock.
fn clock(clock: c_int) -> libc::clockid_t {
    match clock {
        0 => libc::CLOCK_REALTIME,
        12 => libc::CLOCK_PROCESS_CPUTIME_ID,
        16 => libc::CLOCK_THREAD_CPUTIME_ID,
        _ => libc::CLOCK_MONOTONIC,
    }
}

/// The time of a clock in nanoseconds.
pub fn nanoseconds(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: a variable of our own.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

extern "C" fn clock_gettime(id: c_int, time: *mut libc::timespec) -> c_int {
    // SAFETY: as C asks of the caller.
    unsafe { libc::clock_gettime(clock(id), time) }
}

extern "C" fn gettimeofday(time: *mut libc::timeval, _: *mut u8) -> c_int {
    // SAFETY: as C asks of the caller; what Linux writes beyond macOS's microseconds is padding there.
    unsafe { libc::gettimeofday(time, std::ptr::null_mut()) }
}

/// The time that messages have as `mach_time`.
pub fn absolute() -> u64 {
    nanoseconds(libc::CLOCK_MONOTONIC)
}

extern "C" fn mach_absolute_time() -> u64 {
    absolute()
}

extern "C" fn mach_timebase_info(ratio: *mut [c_uint; 2]) -> c_int {
    // SAFETY: the caller's structure.
    unsafe { ratio.write([1, 1]) };
    0
}

extern "C" fn mach_wait_until(deadline: u64) -> c_int {
    let time = libc::timespec {
        tv_sec: (deadline / 1_000_000_000) as i64,
        tv_nsec: (deadline % 1_000_000_000) as c_long,
    };
    // SAFETY: a variable of our own.
    unsafe {
        libc::clock_nanosleep(
            libc::CLOCK_MONOTONIC,
            libc::TIMER_ABSTIME,
            &raw const time,
            std::ptr::null_mut(),
        )
    }
}

/// The functions of this area.
pub fn exports() -> Vec<Export> {
    let mut exports = functions![
        clock_gettime,
        gettimeofday,
        mach_absolute_time,
        mach_timebase_info,
        mach_wait_until,
    ]
    .to_vec();
    // The computer never sleeps here.
    let continuous = mach_absolute_time as *const () as usize;
    exports
        .extend(["mach_continuous_time", "mach_approximate_time"].map(|name| (name, continuous)));
    exports
}
