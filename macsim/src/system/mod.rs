//! libSystem, as far as command-line programs in Rust need it; each module is one area.
//!
//! A function that is the same in glibc, in name, numbers and structures, is passed through; all others are here, under
//! their own names, and convert what differs. They are called by the program only, with what C asks of a caller; that is
//! the `SAFETY` of most blocks here.

pub mod accounts;
pub mod blocks;
pub mod dyld;
pub mod errno;
mod files;
mod foundation;
pub mod groups;
pub mod identity;
mod information;
mod mach;
mod passthrough;
pub mod processes;
pub mod security;
mod signals;
mod signing;
mod spawn;
mod terminal;
mod threads;
pub mod time;
pub mod xpc;

use std::collections::{BTreeMap, HashMap};
use std::ffi::{CStr, CString, c_char};
use std::io::Write as _;
use std::sync::{LazyLock, Mutex, PoisonError};

use crate::note::note;
use crate::{es, settings, versions};

/// A name as in C, without the underscore, and the address of the function or of the data.
pub type Export = (&'static str, usize);

/// Functions of a module, with their names.
macro_rules! functions {
    ($($name:ident),* $(,)?) => {
        [$((stringify!($name), $name as *const () as usize)),*]
    };
}
pub(crate) use functions;

/// All exports by name: the address, and true if the function sets `errno`.
static EXPORTS: LazyLock<HashMap<&str, (usize, bool)>> = LazyLock::new(|| {
    let plain: [Vec<Export>; 10] = [
        accounts::exports(),
        blocks::exports(),
        dyld::exports(),
        errno::exports(),
        es::exports(),
        foundation::exports(),
        mach::exports(),
        security::exports(),
        threads::exports(),
        xpc::exports(),
    ];
    let failing: [Vec<Export>; 10] = [
        groups::exports(),
        files::exports(),
        identity::exports(),
        information::exports(),
        processes::exports(),
        signals::exports(),
        signing::exports(),
        spawn::exports(),
        terminal::exports(),
        time::exports(),
    ];
    let with = |sets_errno| move |(name, address)| (name, (address, sets_errno));
    let plain = plain.into_iter().flatten().map(with(false));
    plain
        .chain(failing.into_iter().flatten().map(with(true)))
        .collect()
});

/// The address of a function or of data by its name in C, or 0.
pub fn find(name: &str) -> usize {
    static FOUND: Mutex<BTreeMap<String, usize>> = Mutex::new(BTreeMap::new());
    if versions::lacks(settings::get().macos, name) {
        return 0;
    }
    let mut found = FOUND.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(&address) = found.get(name) {
        return address;
    }
    let (address, sets_errno) = match EXPORTS.get(name) {
        Some(&export) => export,
        None => passthrough::find(name),
    };
    if address == 0 {
        return 0;
    }
    let address = if sets_errno {
        with_errno(address)
    } else {
        address
    };
    found.insert(name.to_string(), address);
    address
}

/// Makes a function that calls another one and takes over the error that it may have set. The program asks for the
/// address of its `errno` only once, so this can't wait until it asks.
fn with_errno(function: usize) -> usize {
    let mut code = vec![0x48, 0x83, 0xec, 0x08]; // sub rsp, 8
    call(&mut code, function);
    code.extend_from_slice(&[0x48, 0x89, 0x04, 0x24]); // mov [rsp], rax
    call(&mut code, errno::take_over as *const () as usize);
    code.extend_from_slice(&[0x48, 0x8b, 0x04, 0x24]); // mov rax, [rsp]
    code.extend_from_slice(&[0x48, 0x83, 0xc4, 0x08, 0xc3]); // add rsp, 8; ret
    machine_code(&code)
}

/// Appends `mov rax, function; call rax`.
fn call(code: &mut Vec<u8>, function: usize) {
    code.extend_from_slice(&[0x48, 0xb8]);
    code.extend_from_slice(&function.to_le_bytes());
    code.extend_from_slice(&[0xff, 0xd0]);
}

/// Copies code to memory where it can run.
fn machine_code(code: &[u8]) -> usize {
    const PAGE: usize = 65536;
    /// The page in use, and the number of bytes used in it.
    static USED: Mutex<(usize, usize)> = Mutex::new((0, PAGE));
    let mut used = USED.lock().unwrap_or_else(PoisonError::into_inner);
    if used.1 + code.len() > PAGE {
        let rights = libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: new memory of our own.
        let page = unsafe { libc::mmap(std::ptr::null_mut(), PAGE, rights, flags, -1, 0) };
        if page == libc::MAP_FAILED {
            note(format_args!("no memory that code can run in"));
            std::process::exit(125);
        }
        *used = (page as usize, 0);
    }
    let place = used.0 + used.1;
    // SAFETY: a part of the page that nothing is in yet.
    unsafe { (place as *mut u8).copy_from_nonoverlapping(code.as_ptr(), code.len()) };
    used.1 += code.len().next_multiple_of(16);
    place
}

/// The address that an import of the program is bound to; 0 for a weak one that is absent.
pub fn resolve(symbol: &str, weak: bool) -> usize {
    // `_stat$INODE64` is the `stat` with today's structures.
    let name = symbol.strip_prefix('_').unwrap_or(symbol);
    let name = name.split('$').next().unwrap_or(name);
    match find(name) {
        0 if weak => 0,
        0 if versions::lacks(settings::get().macos, name) => {
            eprintln!("dyld: Symbol not found: {symbol}");
            std::process::exit(134);
        }
        0 => {
            if settings::get().trace {
                note(format_args!("not implemented: {name}"));
            }
            missing(name)
        }
        address => address,
    }
}

/// Makes a function that ends the run with the name of the missing import. Programs import more than they call.
fn missing(name: &str) -> usize {
    let name = CString::new(name).unwrap_or_default().into_raw() as usize;
    let mut code = vec![0x48, 0x83, 0xe4, 0xf0, 0x48, 0xbf]; // and rsp, -16; mov rdi, name
    code.extend_from_slice(&name.to_le_bytes());
    call(&mut code, die as *const () as usize);
    machine_code(&code)
}

extern "C" fn die(name: *const c_char) -> ! {
    // SAFETY: the name that the stub was made with.
    let name = unsafe { CStr::from_ptr(name) }.to_string_lossy();
    _ = writeln!(
        std::io::stderr(),
        "macsim: call of an import that is not implemented: {name}"
    );
    // SAFETY: nothing of the program runs any more.
    unsafe { libc::_exit(126) }
}

/// A path from the program, which is looked up under the roots first.
pub struct Rooted {
    own: Option<CString>,
    path: *const c_char,
}

impl Rooted {
    /// Looks `path` up under the roots.
    pub fn new(path: *const c_char) -> Self {
        let roots = &settings::get().root;
        let mut rooted = Rooted { own: None, path };
        // SAFETY: a path that C passes is NULL or ends in a NUL.
        if roots.is_empty() || path.is_null() || unsafe { *path } != b'/' as c_char {
            return rooted;
        }
        // SAFETY: not NULL.
        let name = unsafe { CStr::from_ptr(path) }.to_bytes();
        // Files are looked up by descriptors from there on, also those that are under no root.
        if name == b"/" {
            return rooted;
        }
        for root in roots {
            let candidate = [root.as_os_str().as_encoded_bytes(), name].concat();
            let Ok(candidate) = CString::new(candidate) else {
                continue;
            };
            // SAFETY: a string of our own.
            if unsafe { libc::access(candidate.as_ptr(), libc::F_OK) } == 0 {
                rooted.own = Some(candidate);
                break;
            }
        }
        rooted
    }

    /// The path for a call of glibc, valid while `self` lives.
    pub fn as_ptr(&self) -> *const c_char {
        self.own.as_ref().map_or(self.path, |own| own.as_ptr())
    }
}

/// Copies a string with its NUL into the program's buffer; returns false if there is too little room.
pub fn put_string(buffer: *mut c_char, size: usize, text: &[u8]) -> bool {
    if buffer.is_null() || size < text.len() + 1 {
        return false;
    }
    // SAFETY: the program's buffer has `size` bytes.
    unsafe {
        buffer
            .cast::<u8>()
            .copy_from_nonoverlapping(text.as_ptr(), text.len());
        buffer.add(text.len()).write(0);
    }
    true
}
