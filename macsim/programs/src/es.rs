//! An EndpointSecurity client that does what its arguments say, in order, and prints what it gets:
//!
//! | argument | what it does |
//! |---|---|
//! | `new`, `new-descendants` | makes a client, or prints why it can't and ends with status 1 |
//! | `clients=N`, `descendants-clients=N` | makes N more clients, and prints the results |
//! | `signature` | prints what csops says of the entitlements, into buffers of several sizes |
//! | `unmute` | unmutes all paths |
//! | `mute=TYPE:PATH`, `mute-events=TYPE:PATH:EVENTS`, `unmute-path=TYPE:PATH` | mutes or unmutes a path |
//! | `mute-token=NUMBERS` | mutes the process of an audit token, and prints the result |
//! | `mute-own`, `mute-child` | mutes itself, or the process of the last exec, and prints the result |
//! | `invert=N` | inverts, and prints the new state |
//! | `list` | prints what is muted |
//! | `leak`, `release-too-often`, `read-after-release`, `slow`, `quiet` | changes the behaviour of the handler |
//! | `entitlements=leak`, `=retain`, `=release-twice`, `=release-part` | changes how entitlements are released (once by default) |
//! | `subscribe=EVENTS` | subscribes, and prints an error |
//! | `child`, `continue` | starts a command that waits, and lets it continue |
//! | `run=SCRIPT` | runs a shell script to its end |
//! | `sync` | asks to be called after all messages, and waits for it |
//! | `sync-late` | the same, but doesn't wait |
//! | `sync-null` | asks without a client |
//! | `sync-in-handler` | the handler asks for it, once |
//! | `stuck`, `entered` | the handler keeps the first message until the client is being deleted; waits for that message |
//! | `count` | prints the number of messages |
//! | `has=FUNCTION` | prints whether the system has a function |
//! | `wait`, `pause` | waits for SIGINT, or a moment |
//! | `delete` | deletes the client |

use std::ffi::{CString, c_char, c_int, c_void};
use std::ptr::{self, NonNull};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering};
use std::time::Duration;

use endpoint_sec_sys::*;

static LEAK: AtomicBool = AtomicBool::new(false);
static RELEASE_TOO_OFTEN: AtomicBool = AtomicBool::new(false);
static READ_AFTER_RELEASE: AtomicBool = AtomicBool::new(false);
static SLOW: AtomicBool = AtomicBool::new(false);
static QUIET: AtomicBool = AtomicBool::new(false);
static STUCK: AtomicBool = AtomicBool::new(false);
static SYNC_IN_HANDLER: AtomicBool = AtomicBool::new(false);
static SYNCHRONIZED: AtomicBool = AtomicBool::new(false);
/// The audit token of the target of the last exec.
static EXECUTED: Mutex<[u32; 8]> = Mutex::new([0; 8]);
static ENTITLEMENTS: Mutex<String> = Mutex::new(String::new());
static INTERRUPTED: AtomicBool = AtomicBool::new(false);
static COUNT: AtomicU64 = AtomicU64::new(0);
static KEPT: AtomicPtr<es_message_t> = AtomicPtr::new(ptr::null_mut());
static LINES: Mutex<String> = Mutex::new(String::new());

/// A block, as a compiler lays it out; it captures a pointer.
#[repr(C)]
pub struct Block {
    isa: *const c_void,
    flags: i32,
    reserved: i32,
    invoke: *const c_void,
    descriptor: *const [usize; 2],
    captured: *mut c_void,
}

static DESCRIPTOR: [usize; 2] = [0, size_of::<Block>()];

unsafe extern "C" {
    static _NSConcreteStackBlock: [usize; 32];
    fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void;
    fn acl_to_text(acl: *const c_void, length: *mut isize) -> *mut c_char;
    fn acl_size(acl: *const c_void) -> isize;
    fn acl_copy_ext(buffer: *mut u8, acl: *const c_void, size: isize) -> isize;
    fn acl_copy_int(buffer: *const u8) -> *mut c_void;
    fn acl_free(memory: *mut c_void) -> c_int;
    fn csops(pid: c_int, operation: u32, buffer: *mut u8, size: usize) -> c_int;
}

impl Block {
    pub fn new(invoke: *const c_void, captured: *mut c_void) -> Self {
        Block {
            isa: (&raw const _NSConcreteStackBlock).cast(),
            flags: 0,
            reserved: 0,
            invoke,
            descriptor: &raw const DESCRIPTOR,
            captured,
        }
    }
}

/// A function or data that not every system has.
pub fn newer(name: &str) -> Option<NonNull<c_void>> {
    const DEFAULT: *mut c_void = -2_isize as *mut c_void;
    let name = CString::new(name).expect("no NUL");
    // SAFETY: a string.
    NonNull::new(unsafe { dlsym(DEFAULT, name.as_ptr()) })
}

pub fn text(token: &es_string_token_t) -> String {
    // SAFETY: the token is valid as long as its message.
    let bytes = unsafe { std::slice::from_raw_parts(token.data.cast::<u8>(), token.length) };
    bytes.escape_ascii().to_string()
}

unsafe extern "C" fn handler(
    _: *const Block,
    client: *const es_client_t,
    message: NonNull<es_message_t>,
) {
    COUNT.fetch_add(1, Ordering::Relaxed);
    while STUCK.load(Ordering::Relaxed) {
        std::thread::yield_now();
    }
    if SYNC_IN_HANDLER.swap(false, Ordering::Relaxed) {
        println!("in the handler: {}", synchronize(client.cast_mut()));
    }
    if SLOW.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(1));
    }
    if QUIET.load(Ordering::Relaxed) {
        return;
    }
    // SAFETY: the message is valid within the handler; members are read as its version allows.
    unsafe {
        let kept = KEPT.swap(ptr::null_mut(), Ordering::Relaxed);
        if !kept.is_null() {
            println!("released type {:#x}", (*kept).event_type.0);
        }
        if LEAK.load(Ordering::Relaxed) {
            es_retain_message(message.as_ref());
        }
        if READ_AFTER_RELEASE.swap(false, Ordering::Relaxed) {
            KEPT.store(message.as_ptr(), Ordering::Relaxed);
        }
        let mut line = describe(message.as_ref());
        line.push('\n');
        LINES.lock().expect("no panic").push_str(&line);
        if RELEASE_TOO_OFTEN.swap(false, Ordering::Relaxed) {
            es_release_message(message.as_ref());
        }
    }
}

unsafe fn describe(message: &es_message_t) -> String {
    // SAFETY: as of the handler; the pointers that the crate wraps may be NULL.
    unsafe {
        let process: *const es_process_t = (&raw const message.process)
            .cast::<*const es_process_t>()
            .read();
        let mut line = format!("{} v{}", message.event_type.0, message.version);
        if message.version >= 4 {
            line += &format!(" {}/{}", message.seq_num, message.global_seq_num);
            match message.thread.as_ref() {
                Some(thread) => line += &format!(" thread {}", thread.thread_id),
                None => line += " thread NULL",
            }
        }
        match process.as_ref() {
            Some(process) => {
                let file = (&raw const process.executable)
                    .cast::<*const es_file_t>()
                    .read();
                line += &format!(
                    " {}[{}]",
                    text(&(*file).path),
                    audit_token_to_pid(process.audit_token)
                );
            }
            None => line += " NULL",
        }
        let event: *const c_void = (&raw const message.event).cast();
        if message.event_type == es_event_type_t::ES_EVENT_TYPE_NOTIFY_EXEC {
            let target = event.cast::<*const es_process_t>().read();
            if let Some(target) = target.as_ref() {
                *EXECUTED.lock().expect("no panic") = target.audit_token.val;
            }
            exec(&*event.cast(), &mut line);
        }
        if message.event_type == es_event_type_t::ES_EVENT_TYPE_NOTIFY_CREATE
            && message.version >= 2
        {
            let acl = event.byte_add(56).cast::<*const c_void>().read();
            if !acl.is_null() {
                // A message's list can only be copied.
                assert!(acl_to_text(acl, ptr::null_mut()).is_null());
                let mut copy = vec![0; acl_size(acl) as usize];
                assert!(acl_copy_ext(copy.as_mut_ptr(), acl, copy.len() as isize) > 0);
                let own = acl_copy_int(copy.as_ptr());
                let mut length = 0;
                let converted = acl_to_text(own, &raw mut length);
                let bytes = std::slice::from_raw_parts(converted.cast::<u8>(), length as usize);
                line += &format!(" acl {}", bytes.escape_ascii());
                acl_free(converted.cast());
                acl_free(own);
            }
        }
        line
    }
}

unsafe fn exec(event: &es_event_exec_t, line: &mut String) {
    // SAFETY: the event is in a message.
    unsafe {
        for index in 0..es_exec_arg_count(event) {
            *line += &format!(" arg={}", text(&es_exec_arg(event, index)));
        }
        for index in 0..es_exec_env_count(event) {
            *line += &format!(" env={}", text(&es_exec_env(event, index)));
        }
        for index in 0..es_exec_fd_count(event) {
            let fd = es_exec_fd(event, index);
            let fd: *const es_fd_t = (&raw const fd).cast::<*const es_fd_t>().read();
            *line += &format!(" fd={}:{}", (*fd).fd, (*fd).fdtype);
        }
        if let Some(function) = newer("es_exec_entitlements") {
            type Entitlements = unsafe extern "C" fn(*const es_event_exec_t) -> *const c_void;
            let function: Entitlements = std::mem::transmute(function);
            *line += " entitlements=";
            let object = function(event);
            xpc(object, line);
            if !object.is_null() {
                release(object);
            }
        }
    }
}

/// Releases entitlements, or does what the argument says instead.
fn release(object: *const c_void) {
    type Of<T> = unsafe extern "C" fn(*const c_void) -> T;
    let function = |name: &str| newer(name).expect("a function of XPC");
    // SAFETY: the functions' types, and an object that the program has to release.
    unsafe {
        let release = std::mem::transmute::<_, Of<()>>(function("xpc_release"));
        let retain = std::mem::transmute::<_, Of<*const c_void>>(function("xpc_retain"));
        match ENTITLEMENTS.lock().expect("no panic").as_str() {
            "leak" => return,
            "retain" => _ = retain(object),
            "release-twice" => release(object),
            "release-part" => {
                type Apply = unsafe extern "C" fn(*const c_void, *const Block) -> bool;
                let apply: Apply = std::mem::transmute(function("xpc_dictionary_apply"));
                let block = Block::new(release_part as *const () as *const c_void, ptr::null_mut());
                apply(object, &raw const block);
            }
            _ => {}
        }
        release(object);
    }
}

/// Releases a value that belongs to its dictionary.
unsafe extern "C" fn release_part(_: *const Block, _: *const c_char, part: *const c_void) -> bool {
    // SAFETY: the function's type; that the reference isn't its own is what is tried.
    unsafe {
        let release = newer("xpc_release").expect("a function of XPC");
        std::mem::transmute::<_, unsafe extern "C" fn(*const c_void)>(release)(part);
    }
    true
}

/// Describes an XPC object.
fn xpc(object: *const c_void, line: &mut String) {
    macro_rules! call {
        ($name:literal -> $result:ty) => {{
            let function = newer($name).expect($name);
            // SAFETY: the function's type, and an object that it takes.
            unsafe {
                std::mem::transmute::<_, unsafe extern "C" fn(*const c_void) -> $result>(function)(
                    object,
                )
            }
        }};
    }
    if object.is_null() {
        *line += "NULL";
        return;
    }
    let kind = call!("xpc_get_type" -> *mut c_void);
    let is = |name: &str| {
        newer(&format!("_xpc_type_{name}")).is_some_and(|symbol| symbol.as_ptr() == kind)
    };
    if is("dictionary") {
        *line += &format!("{}{{", call!("xpc_dictionary_get_count" -> usize));
        let block = Block::new(
            member as *const () as *const c_void,
            ptr::from_mut(line).cast(),
        );
        type Apply = unsafe extern "C" fn(*const c_void, *const Block) -> bool;
        // SAFETY: the function's type.
        unsafe {
            let apply: Apply =
                std::mem::transmute(newer("xpc_dictionary_apply").expect("a function"));
            apply(object, &raw const block);
        }
        *line += "}";
    } else if is("array") {
        *line += "[";
        for index in 0..call!("xpc_array_get_count" -> usize) {
            type Get = unsafe extern "C" fn(*const c_void, usize) -> *const c_void;
            // SAFETY: the function's type.
            let item = unsafe {
                let get: Get =
                    std::mem::transmute(newer("xpc_array_get_value").expect("a function"));
                get(object, index)
            };
            xpc(item, line);
            *line += ",";
        }
        *line += "]";
    } else if is("string") {
        let pointer = call!("xpc_string_get_string_ptr" -> *const u8);
        let length = call!("xpc_string_get_length" -> usize);
        // SAFETY: the data has this many bytes.
        *line += &unsafe { std::slice::from_raw_parts(pointer, length) }
            .escape_ascii()
            .to_string();
    } else if is("bool") {
        *line += &call!("xpc_bool_get_value" -> bool).to_string();
    } else if is("int64") {
        *line += &call!("xpc_int64_get_value" -> i64).to_string();
    } else if is("uint64") {
        *line += &format!("u{}", call!("xpc_uint64_get_value" -> u64));
    } else if is("double") {
        *line += &call!("xpc_double_get_value" -> f64).to_string();
    } else if is("data") {
        let pointer = call!("xpc_data_get_bytes_ptr" -> *const u8);
        let length = call!("xpc_data_get_length" -> usize);
        // SAFETY: the data has this many bytes.
        *line += &format!("{:02x?}", unsafe {
            std::slice::from_raw_parts(pointer, length)
        });
    } else if is("date") {
        *line += &format!("@{}", call!("xpc_date_get_value" -> i64));
    } else if is("null") {
        *line += "null";
    } else {
        *line += "?";
    }
}

unsafe extern "C" fn member(block: *const Block, key: *const c_char, value: *const c_void) -> bool {
    // SAFETY: the block has a line, and the key is a string.
    let (line, key) = unsafe {
        (
            &mut *(*block).captured.cast::<String>(),
            std::ffi::CStr::from_ptr(key),
        )
    };
    *line += &format!("{}:", key.to_string_lossy());
    xpc(value, line);
    *line += ",";
    true
}

unsafe extern "C" fn synchronized(_: *const Block) {
    println!("synchronized after {}", COUNT.load(Ordering::Relaxed));
    SYNCHRONIZED.store(true, Ordering::Relaxed);
}

/// Asks to be called after all messages.
fn synchronize(client: *mut es_client_t) -> u32 {
    type Synchronize = unsafe extern "C" fn(*mut es_client_t, *const Block) -> es_return_t;
    SYNCHRONIZED.store(false, Ordering::Relaxed);
    let block = Block::new(synchronized as *const () as *const c_void, ptr::null_mut());
    let function = newer("es_sync_client").expect("a function of 27.0");
    // SAFETY: the function's type; it copies the block.
    unsafe {
        let function = std::mem::transmute::<NonNull<c_void>, Synchronize>(function);
        function(client, &raw const block).0
    }
}

extern "C" fn interrupt(_: c_int) {
    INTERRUPTED.store(true, Ordering::Relaxed);
}

fn new_client(descendants: bool) -> Result<*mut es_client_t, u32> {
    let block = Block::new(handler as *const () as *const c_void, ptr::null_mut());
    let mut client = ptr::null_mut();
    // SAFETY: the block is of the type that both functions take; they copy it.
    let result = unsafe {
        if descendants {
            type New =
                unsafe extern "C" fn(*mut *mut es_client_t, *const Block) -> es_new_client_result_t;
            let new = newer("es_new_descendants_client").expect("a function of 27.0");
            std::mem::transmute::<NonNull<c_void>, New>(new)(&raw mut client, &raw const block)
        } else {
            es_new_client(&raw mut client, &*(&raw const block).cast())
        }
    };
    if result.0 == 0 {
        Ok(client)
    } else {
        Err(result.0)
    }
}

fn events(list: &str) -> Vec<es_event_type_t> {
    list.split(',')
        .map(|number| es_event_type_t(number.parse().expect("a number")))
        .collect()
}

/// Does what the arguments say.
pub fn main(args: &[String]) {
    let mut client = ptr::null_mut();
    let mut child = 0;
    let handler: extern "C" fn(c_int) = interrupt;
    // SAFETY: the handler only sets a flag.
    unsafe { libc::signal(libc::SIGINT, handler as usize) };
    for arg in args {
        let (name, value) = arg.split_once('=').unwrap_or((arg, ""));
        let mut parts = value.splitn(3, ':');
        let mut part = || parts.next().expect("a part");
        // SAFETY: the client is alive until it is deleted.
        unsafe {
            match name {
                "new" | "new-descendants" => match new_client(name != "new") {
                    Ok(new) => client = new,
                    Err(result) => {
                        println!("no client: {result}");
                        std::process::exit(1);
                    }
                },
                "clients" | "descendants-clients" => {
                    let results = (0..part().parse::<u32>().expect("a number"))
                        .map(|_| new_client(name != "clients").err().unwrap_or(0));
                    println!("{name} {:?}", results.collect::<Vec<_>>());
                }
                "signature" => {
                    for size in [4, 8, 4096] {
                        let mut buffer = vec![0; size];
                        let result = csops(0, 7, buffer.as_mut_ptr(), size);
                        let error = std::io::Error::last_os_error().raw_os_error();
                        let error = error.filter(|_| result != 0).unwrap_or(0);
                        let length = buffer.get(4..8).map(<[u8]>::to_vec).unwrap_or_default();
                        let text = String::from_utf8_lossy(&buffer);
                        let granted = text.contains("endpoint-security.client</key>");
                        println!("csops {size}: {error} {length:?} {granted}");
                    }
                }
                "unmute" => {
                    es_unmute_all_paths(NonNull::new(client).expect("a client").as_ptr());
                    es_unmute_all_target_paths(client);
                }
                "mute" | "mute-events" | "unmute-path" => {
                    let kind = es_mute_path_type_t(part().parse().expect("a number"));
                    let path = CString::new(part()).expect("no NUL");
                    let result = match name {
                        "mute" => es_mute_path(client, path.as_ptr(), kind),
                        "unmute-path" => es_unmute_path(client, path.as_ptr(), kind),
                        _ => {
                            let events = events(part());
                            es_mute_path_events(
                                client,
                                path.as_ptr(),
                                kind,
                                events.as_ptr(),
                                events.len(),
                            )
                        }
                    };
                    println!("{name} {}", result.0);
                }
                "mute-token" => {
                    let mut token = audit_token_t { val: [0; 8] };
                    for (place, number) in token.val.iter_mut().zip(value.split(',')) {
                        *place = number.parse().expect("a number");
                    }
                    println!("{name} {}", es_mute_process(client, &raw const token).0);
                }
                "mute-own" | "mute-child" => {
                    let token = if name == "mute-own" {
                        crate::live::own_token()
                    } else {
                        *EXECUTED.lock().expect("no panic")
                    };
                    let token = audit_token_t { val: token };
                    println!("{name} {}", es_mute_process(client, &raw const token).0);
                }
                "invert" => {
                    let which = es_mute_inversion_type_t(part().parse().expect("a number"));
                    let result = es_invert_muting(client, which);
                    println!(
                        "invert {} {}",
                        result.0,
                        es_muting_inverted(client, which).0
                    );
                }
                "list" => list(client),
                "leak" => LEAK.store(true, Ordering::Relaxed),
                "release-too-often" => RELEASE_TOO_OFTEN.store(true, Ordering::Relaxed),
                "read-after-release" => READ_AFTER_RELEASE.store(true, Ordering::Relaxed),
                "entitlements" => *ENTITLEMENTS.lock().expect("no panic") = value.to_string(),
                "slow" => SLOW.store(true, Ordering::Relaxed),
                "pause" => std::thread::sleep(Duration::from_millis(200)),
                "quiet" => QUIET.store(true, Ordering::Relaxed),
                "subscribe" => {
                    let events = events(value);
                    let result = es_subscribe(client, events.as_ptr(), events.len() as u32);
                    if result.0 != 0 {
                        println!("subscribe {}", result.0);
                    }
                }
                "sync" | "sync-late" | "sync-null" => {
                    let of = if name == "sync-null" {
                        ptr::null_mut()
                    } else {
                        client
                    };
                    println!("{name} {}", synchronize(of));
                    while name == "sync" && !SYNCHRONIZED.load(Ordering::Relaxed) {
                        std::thread::yield_now();
                    }
                }
                "sync-in-handler" => SYNC_IN_HANDLER.store(true, Ordering::Relaxed),
                "stuck" => STUCK.store(true, Ordering::Relaxed),
                "entered" => {
                    while COUNT.load(Ordering::Relaxed) == 0 {
                        std::thread::yield_now();
                    }
                }
                "count" => println!("{} so far", COUNT.load(Ordering::Relaxed)),
                "run" => {
                    let pid = crate::system::spawn(value, 0);
                    println!("run {pid}");
                    crate::system::ended(pid);
                }
                "child" => {
                    child = crate::system::spawn("exit 0", crate::system::SUSPENDED);
                    println!("child {child}");
                }
                "continue" => {
                    println!("before {}", COUNT.load(Ordering::Relaxed));
                    libc::kill(child, libc::SIGCONT);
                }
                "has" => println!("{value} {}", newer(value).is_some()),
                "wait" => {
                    while !INTERRUPTED.load(Ordering::Relaxed) {
                        std::thread::sleep(Duration::from_millis(5));
                    }
                }
                "delete" => {
                    // The client is deleted as soon as that is called, and the deletion then waits for the handler.
                    std::thread::spawn(|| {
                        std::thread::sleep(Duration::from_millis(200));
                        STUCK.store(false, Ordering::Relaxed);
                    });
                    println!("delete {}", es_delete_client(client).0);
                }
                _ => panic!("{arg}: not known"),
            }
        }
    }
    print!("{}", LINES.lock().expect("no panic"));
    println!("{} messages", COUNT.load(Ordering::Relaxed));
}

/// `es_muted_processes_t`, whose members the crate keeps private.
#[repr(C)]
struct MutedProcesses {
    count: usize,
    processes: *const es_muted_process_t,
}

unsafe fn list(client: *mut es_client_t) {
    // SAFETY: the lists are valid until they are released.
    unsafe {
        let mut paths = ptr::null_mut();
        es_muted_paths_events(client, &raw mut paths);
        for index in 0..(*paths).count {
            let path = &*(*paths).paths.add(index);
            println!(
                "muted {} {} for {}",
                path.type_.0,
                text(&path.path),
                path.event_count
            );
        }
        es_release_muted_paths(paths);
        let mut processes = ptr::null_mut();
        es_muted_processes_events(client, &raw mut processes);
        let list = processes.cast::<MutedProcesses>();
        for index in 0..(*list).count {
            let process = &*(*list).processes.add(index);
            println!(
                "muted process {} for {}",
                process.audit_token.val[5], process.event_count
            );
        }
        es_release_muted_processes(processes);
    }
}
