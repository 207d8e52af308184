//! Making clients, refusing them, and deleting them.

use std::ptr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::client::{Client, ERROR, SUCCESS, clients, given};
use super::{live, message, misused};
use crate::settings::{self, First, Signature};
use crate::system::blocks::Block;
use crate::system::{Export, functions, identity};

/// `es_new_client_result_t`
const INVALID_ARGUMENT: u32 = 1;
const NOT_ENTITLED: u32 = 3;
const NOT_PRIVILEGED: u32 = 5;
const TOO_MANY_CLIENTS: u32 = 6;

fn new_client(
    output: *mut *const Client,
    handler: *mut Block,
    result: u32,
    is_descendants: bool,
) -> u32 {
    if output.is_null() || handler.is_null() {
        return INVALID_ARGUMENT;
    }
    // SAFETY: the caller's variable.
    unsafe { output.write(ptr::null()) };
    if result != SUCCESS {
        return result;
    }
    live::listen();
    let settings = settings::get();
    let allowed = if is_descendants {
        settings.descendants_clients
    } else {
        settings.clients
    };
    let mut clients = clients();
    let same = clients.values().filter(|same| **same == is_descendants);
    if same.count() >= allowed {
        return TOO_MANY_CLIENTS;
    }
    let client = Arc::new(Client::new(handler, is_descendants));
    let client = Arc::into_raw(client); // es_delete_client drops the reference
    clients.insert(client as usize, is_descendants);
    // SAFETY: as above.
    unsafe { output.write(client) };
    SUCCESS
}

/// The result for a program without the entitlement; `--new-client` can make the program such a one.
fn unless_entitled() -> u32 {
    let settings = settings::get();
    let forced = settings.new_client == Some(NOT_ENTITLED);
    if settings.signature != Signature::Entitled || forced {
        NOT_ENTITLED
    } else {
        SUCCESS
    }
}

extern "C" fn es_new_client(output: *mut *const Client, handler: *mut Block) -> u32 {
    let settings = settings::get();
    let unless_root = if identity::effective_user() == 0 {
        SUCCESS
    } else {
        NOT_PRIVILEGED
    };
    let refusals = match settings.refuse_first {
        First::Root => [unless_root, unless_entitled()],
        First::Entitlement => [unless_entitled(), unless_root],
    };
    let refusal = refusals.into_iter().find(|result| *result != SUCCESS);
    let result = settings.new_client.or(refusal).unwrap_or(SUCCESS);
    new_client(output, handler, result, false)
}

/// Checks neither for root nor for Full Disk Access.
extern "C" fn es_new_descendants_client(output: *mut *const Client, handler: *mut Block) -> u32 {
    let forced = settings::get().new_descendants_client;
    let result = forced.unwrap_or_else(unless_entitled);
    new_client(output, handler, result, true)
}

extern "C" fn es_delete_client(client: *const Client) -> u32 {
    let Some(found) = given(client, "es_delete_client") else {
        return ERROR;
    };
    found.stopped.store(true, Ordering::Release);
    let thread = {
        let mut state = found.state();
        found.wake.notify_all();
        state.thread.take()
    };
    // The handler itself may delete its client; it can't wait for its own thread.
    if let Some(thread) =
        thread.filter(|thread| thread.thread().id() != std::thread::current().id())
    {
        _ = thread.join();
    }
    found.end();
    if settings::get().check_deleted && message::held() > 0 {
        misused(format_args!(
            "es_delete_client: the program still has messages"
        ));
    }
    clients().remove(&(client as usize));
    // SAFETY: the reference that es_new_client gave away.
    drop(unsafe { Arc::from_raw(client) });
    SUCCESS
}

/// The functions that make and delete clients.
pub fn exports() -> Vec<Export> {
    functions![es_delete_client, es_new_client, es_new_descendants_client].to_vec()
}
