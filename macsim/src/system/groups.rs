//! Process groups and sessions. The numbers are Linux's, except where a message of `--events` happens to have the
//! same one: then the program gets a number that no message has, so that it doesn't take a foreign process for one of
//! its own.

use std::collections::BTreeSet;
use std::ffi::c_int;
use std::sync::LazyLock;

use super::{Export, functions};
use crate::json::Json;
use crate::{es, settings};

/// Numbers from this one on stand for the group or session whose number is smaller by this one. No system has that many
/// processes.
const MOVED: i32 = 1_000_000_000;

/// The groups and sessions of the messages, including those of the stand-in for eslogger.
static TAKEN: LazyLock<BTreeSet<i32>> = LazyLock::new(|| {
    if settings::get().real_groups {
        return BTreeSet::new();
    }
    let mut taken: BTreeSet<i32> = es::groups().collect();
    if let Some(path) = std::env::var_os("MACSIM_ESLOGGER_FILE") {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        for name in ["\"group_id\":", "\"session_id\":"] {
            taken.extend(text.split(name).skip(1).filter_map(|rest| {
                let end = rest.find(|letter: char| !letter.is_ascii_digit())?;
                rest[..end].parse::<i32>().ok()
            }));
        }
    }
    taken
});

/// The number that the program sees for a real group or session.
pub fn shown(real: i32) -> i32 {
    if real >= 0 && TAKEN.contains(&real) {
        MOVED + real
    } else {
        real
    }
}

/// The real group or session for a number that the program has.
pub fn real(shown: i32) -> i32 {
    if shown >= MOVED { shown - MOVED } else { shown }
}

/// The real number for an argument of `kill` and `waitpid`: a process, or a group as a negative number.
pub fn real_target(pid: i32) -> i32 {
    if pid < -1 {
        real(pid.saturating_neg()).saturating_neg()
    } else {
        pid
    }
}

/// Replaces the real numbers in a message of real processes with those that the program sees.
pub fn show(message: &mut Json) {
    match message {
        Json::Object(members) => {
            for (name, value) in members {
                match value {
                    Json::Int(number) if name == "group_id" || name == "session_id" => {
                        *number = shown(*number as i32).into();
                    }
                    _ => show(value),
                }
            }
        }
        Json::Array(items) => items.iter_mut().for_each(show),
        _ => {}
    }
}

extern "C" fn getpgrp() -> i32 {
    // SAFETY: always possible.
    shown(unsafe { libc::getpgrp() })
}

extern "C" fn getpgid(pid: i32) -> i32 {
    // SAFETY: as C asks of the caller.
    shown(unsafe { libc::getpgid(pid) })
}

extern "C" fn getsid(pid: i32) -> i32 {
    // SAFETY: as C asks of the caller.
    shown(unsafe { libc::getsid(pid) })
}

extern "C" fn setpgid(pid: i32, group: i32) -> c_int {
    // SAFETY: as C asks of the caller.
    unsafe { libc::setpgid(pid, real(group)) }
}

extern "C" fn setsid() -> i32 {
    // SAFETY: always possible.
    shown(unsafe { libc::setsid() })
}

extern "C" fn tcgetpgrp(descriptor: c_int) -> i32 {
    // SAFETY: as C asks of the caller.
    shown(unsafe { libc::tcgetpgrp(descriptor) })
}

extern "C" fn tcsetpgrp(descriptor: c_int, group: i32) -> c_int {
    // SAFETY: as C asks of the caller.
    unsafe { libc::tcsetpgrp(descriptor, real(group)) }
}

/// The functions of this area.
pub fn exports() -> Vec<Export> {
    functions![
        getpgid, getpgrp, getsid, setpgid, setsid, tcgetpgrp, tcsetpgrp
    ]
    .to_vec()
}
