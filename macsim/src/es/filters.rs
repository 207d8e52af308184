//! Muting: the functions that the program calls. Their meaning is in [`super::muting`].

use std::ffi::{CStr, c_char};
use std::sync::atomic::Ordering;

use super::client::{Client, ERROR, SUCCESS, events, given, log, names};
use super::misused;
use super::muting::{Muting, PathType};
use crate::system::{Export, functions};
use crate::{live, settings};

/// Changes what is muted; false is an error.
fn change(client: *const Client, function: &str, change: impl FnOnce(&mut Muting) -> bool) -> u32 {
    let Some(found) = given(client, function) else {
        return ERROR;
    };
    let changed = change(&mut found.state().muting);
    found.muting_changes.fetch_add(1, Ordering::Release);
    if changed { SUCCESS } else { ERROR }
}

/// A path from the caller; an empty one is refused, as on macOS.
fn path(path: *const c_char, kind: u32, function: &str) -> Option<(PathType, Vec<u8>)> {
    if path.is_null() || kind > 3 {
        misused(format_args!("{function}: no path, or no type of one"));
        return None;
    }
    // SAFETY: a string of the caller's.
    let bytes = unsafe { CStr::from_ptr(path) }.to_bytes();
    Some((PathType(kind), bytes.to_vec()))
}

fn mute_path(
    client: *const Client,
    text: *const c_char,
    kind: u32,
    types: Option<&[u32]>,
    function: &str,
) -> u32 {
    let Some(what) = path(text, kind, function) else {
        return ERROR;
    };
    let which = types.map_or("all".to_string(), names);
    log(format_args!(
        "mute path {kind} {} for {which}",
        String::from_utf8_lossy(&what.1)
    ));
    change(client, function, |muting| {
        muting.paths.mute(what, types);
        true
    })
}

extern "C" fn es_mute_path(client: *const Client, path: *const c_char, kind: u32) -> u32 {
    mute_path(client, path, kind, None, "es_mute_path")
}

extern "C" fn es_mute_path_events(
    client: *const Client,
    path: *const c_char,
    kind: u32,
    types: *const u32,
    count: usize,
) -> u32 {
    mute_path(
        client,
        path,
        kind,
        Some(events(types, count)),
        "es_mute_path_events",
    )
}

extern "C" fn es_unmute_path(client: *const Client, text: *const c_char, kind: u32) -> u32 {
    let Some(what) = path(text, kind, "es_unmute_path") else {
        return ERROR;
    };
    change(client, "es_unmute_path", |muting| {
        muting.paths.unmute(&what)
    })
}

extern "C" fn es_unmute_all_paths(client: *const Client) -> u32 {
    log(format_args!("unmute all paths"));
    change(client, "es_unmute_all_paths", |muting| {
        muting.unmute_all_paths(false);
        true
    })
}

extern "C" fn es_unmute_all_target_paths(client: *const Client) -> u32 {
    log(format_args!("unmute all target paths"));
    change(client, "es_unmute_all_target_paths", |muting| {
        muting.unmute_all_paths(true);
        true
    })
}

extern "C" fn es_mute_process(client: *const Client, token: *const [u32; 8]) -> u32 {
    // SAFETY: the caller's token.
    let Some(token) = (unsafe { token.as_ref() }) else {
        return ERROR;
    };
    log(format_args!("mute process {}", token[5]));
    let Some(found) = given(client, "es_mute_process") else {
        return ERROR;
    };
    if found.is_descendants && !is_muted_for_descendants(token) {
        return ERROR;
    }
    change(client, "es_mute_process", |muting| {
        muting.processes.insert(*token);
        true
    })
}

/// A descendants client mutes only living descendants; it isn't known whether it can mute the program itself.
fn is_muted_for_descendants(token: &[u32; 8]) -> bool {
    let is_own = token[5] == std::process::id();
    live::is_below(token) && (!is_own || settings::get().descendants_mute_own)
}

extern "C" fn es_invert_muting(client: *const Client, which: u32) -> u32 {
    log(format_args!("invert muting {which}"));
    change(client, "es_invert_muting", |muting| {
        match muting.inverted.get_mut(which as usize) {
            Some(inverted) => {
                *inverted = !*inverted;
                true
            }
            None => false,
        }
    })
}

extern "C" fn es_muting_inverted(client: *const Client, which: u32) -> u32 {
    const INVERTED: u32 = 0;
    const NOT_INVERTED: u32 = 1;
    const FAILED: u32 = 2;
    match given(client, "es_muting_inverted")
        .and_then(|client| client.state().muting.inverted.get(which as usize).copied())
    {
        Some(true) => INVERTED,
        Some(false) => NOT_INVERTED,
        None => FAILED,
    }
}

/// The functions on muting.
pub fn exports() -> Vec<Export> {
    functions![
        es_invert_muting,
        es_mute_path,
        es_mute_path_events,
        es_mute_process,
        es_muting_inverted,
        es_unmute_all_paths,
        es_unmute_all_target_paths,
        es_unmute_path,
    ]
    .to_vec()
}
