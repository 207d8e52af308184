//! Subscribing to types of events, and waiting for those that have come.

use std::sync::Arc;

use super::client::{Client, ERROR, SUCCESS, events, given, log, names};
use super::queue::Marker;
use super::{delivery, live, misused};
use crate::settings;
use crate::system::blocks::Block;
use crate::system::{Export, functions};
use crate::versions;

extern "C" fn es_subscribe(client: *const Client, types: *const u32, count: u32) -> u32 {
    let Some(found) = given(client, "es_subscribe") else {
        return ERROR;
    };
    let types = events(types, count as usize);
    let macos = settings::get().macos;
    let last = versions::last_type(macos);
    let newer = types.iter().find(|event| **event >= last);
    // macOS 27 ignores types that it doesn't have.
    if let Some(newer) = newer.filter(|_| macos.0[0] < 27) {
        misused(format_args!(
            "es_subscribe: macOS {macos} has no event type {newer} ({})",
            names(&[*newer])
        ));
        return ERROR;
    }
    log(format_args!("subscribe {}", names(types)));
    live::catch_up();
    for event in types.iter().filter(|event| **event < last) {
        found.subscribe(*event);
    }
    let mut state = found.state();
    if state.thread.is_none() {
        // SAFETY: the program's reference; the thread gets one of its own.
        let own = unsafe {
            Arc::increment_strong_count(client);
            Arc::from_raw(client)
        };
        match delivery::start(own) {
            Ok(thread) => state.thread = Some(thread),
            Err(_) => return ERROR,
        }
    }
    SUCCESS
}

extern "C" fn es_unsubscribe_all(client: *const Client) -> u32 {
    let Some(found) = given(client, "es_unsubscribe_all") else {
        return ERROR;
    };
    found.unsubscribe_all();
    SUCCESS
}

/// Calls a block after all messages that came before.
extern "C" fn es_sync_client(client: *const Client, block: *mut Block) -> u32 {
    if block.is_null() {
        misused(format_args!("es_sync_client: no block"));
        return ERROR;
    }
    if client.is_null() {
        Marker::new(block).call();
        return SUCCESS;
    }
    let Some(found) = given(client, "es_sync_client") else {
        return ERROR;
    };
    if found.is_handling() {
        misused(format_args!(
            "es_sync_client: called by the client's handler"
        ));
        return ERROR;
    }
    live::catch_up();
    let mut state = found.state();
    let marker = Marker::new(block);
    if state.thread.is_some() {
        found.mark(&mut state, marker);
    } else {
        drop(state);
        marker.call();
    }
    SUCCESS
}

/// The functions on subscriptions.
pub fn exports() -> Vec<Export> {
    functions![es_subscribe, es_sync_client, es_unsubscribe_all].to_vec()
}
