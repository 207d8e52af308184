//! Lists of what is muted, which the program gets and releases.

use std::collections::BTreeSet;
use std::ffi::c_void;
use std::ptr;

use super::client::{Client, ERROR, SUCCESS, given};
use crate::settings;
use crate::system::{Export, functions};
use crate::versions;

/// `es_string_token_t`
#[repr(C)]
#[derive(Clone, Copy)]
struct Token {
    length: usize,
    data: *const u8,
}

/// `es_muted_path_t`
#[repr(C)]
#[derive(Clone, Copy)]
struct MutedPath {
    kind: u32,
    event_count: usize,
    events: *const u32,
    path: Token,
}

/// `es_muted_process_t`
#[repr(C)]
#[derive(Clone, Copy)]
struct MutedProcess {
    token: [u32; 8],
    event_count: usize,
    events: *const u32,
}

/// `es_muted_paths_t`, `es_muted_processes_t`
#[repr(C)]
#[derive(Clone, Copy)]
struct List<T> {
    count: usize,
    items: *mut T,
}

/// Copies numbers to memory that the caller frees.
fn given_away<T: Copy>(items: &[T]) -> *mut T {
    // SAFETY: new memory of the right size.
    unsafe {
        let memory = libc::malloc(size_of_val(items).max(1)).cast::<T>();
        if !memory.is_null() {
            memory.copy_from_nonoverlapping(items.as_ptr(), items.len());
        }
        memory
    }
}

/// The event types that an entry is for; all types if it is muted altogether.
fn event_list(events: Option<&BTreeSet<u32>>) -> (usize, *const u32) {
    let all = || (0..versions::last_type(settings::get().macos)).collect::<Vec<_>>();
    let list = events.map_or_else(all, |events| events.iter().copied().collect());
    (list.len(), given_away(&list))
}

extern "C" fn es_muted_paths_events(
    client: *const Client,
    output: *mut *mut List<MutedPath>,
) -> u32 {
    let Some(found) = given(client, "es_muted_paths_events") else {
        return ERROR;
    };
    let state = found.state();
    let items = state.muting.paths.0.iter().map(|entry| {
        let (event_count, events) = event_list(entry.events.as_ref());
        let (kind, path) = &entry.what;
        let text = [path.as_slice(), b"\0"].concat();
        MutedPath {
            kind: kind.0,
            event_count,
            events,
            path: Token {
                length: path.len(),
                data: given_away(&text),
            },
        }
    });
    give_list(output, &items.collect::<Vec<_>>())
}

extern "C" fn es_muted_processes_events(
    client: *const Client,
    output: *mut *mut List<MutedProcess>,
) -> u32 {
    let Some(found) = given(client, "es_muted_processes_events") else {
        return ERROR;
    };
    let state = found.state();
    let items = state.muting.processes.iter().map(|token| {
        let (event_count, events) = event_list(None);
        MutedProcess {
            token: *token,
            event_count,
            events,
        }
    });
    give_list(output, &items.collect::<Vec<_>>())
}

fn give_list<T: Copy>(output: *mut *mut List<T>, items: &[T]) -> u32 {
    let list = List {
        count: items.len(),
        items: given_away(items),
    };
    // SAFETY: the caller's variable.
    unsafe { output.write(given_away(&[list])) };
    SUCCESS
}

/// Frees a list, and what `parts` returns for each item.
fn release<T: Copy>(list: *mut List<T>, parts: impl Fn(&T) -> [*const c_void; 2]) {
    // SAFETY: made by `give_list`, and not used again.
    unsafe {
        let Some(found) = list.as_ref() else {
            return;
        };
        for index in 0..found.count {
            for part in parts(&*found.items.add(index)) {
                libc::free(part.cast_mut());
            }
        }
        libc::free(found.items.cast());
        libc::free(list.cast());
    }
}

extern "C" fn es_release_muted_paths(list: *mut List<MutedPath>) {
    release(list, |item| [item.events.cast(), item.path.data.cast()]);
}

extern "C" fn es_release_muted_processes(list: *mut List<MutedProcess>) {
    release(list, |item| [item.events.cast(), ptr::null()]);
}

/// The functions on these lists.
pub fn exports() -> Vec<Export> {
    functions![
        es_muted_paths_events,
        es_muted_processes_events,
        es_release_muted_paths,
        es_release_muted_processes,
    ]
    .to_vec()
}
