//! libSystem, as far as command-line programs in Rust need it, one module an area.
//!
//! A function that is the same in glibc, in name, numbers and structures, is passed through; all others are here, under
//! their own names, and convert what differs. They are called by the program only, with what C asks of a caller; that is
//! the `SAFETY` of most blocks here.

pub mod blocks;
pub mod dyld;
pub mod errno;
mod files;
mod foundation;
mod identity;
mod information;
mod mach;
mod passthrough;
pub mod processes;
mod security;
mod signals;
mod spawn;
mod terminal;
mod threads;
mod time;
pub mod xpc;

use std::collections::HashMap;
use std::ffi::{CStr, CString, c_char};
use std::io::Write as _;
use std::sync::LazyLock;

use crate::{es, settings, versions};

/// A name as C has it, without the underscore, and the address of the function or of the data.
pub type Export = (&'static str, usize);

/// Functions of a module, with their names.
macro_rules! functions {
    ($($name:ident),* $(,)?) => {
        [$((stringify!($name), $name as *const () as usize)),*]
    };
}
pub(crate) use functions;

static EXPORTS: LazyLock<HashMap<&str, usize>> = LazyLock::new(|| {
    let areas: [Vec<Export>; 17] = [
        blocks::exports(),
        dyld::exports(),
        errno::exports(),
        es::exports(),
        files::exports(),
        foundation::exports(),
        identity::exports(),
        information::exports(),
        mach::exports(),
        processes::exports(),
        security::exports(),
        signals::exports(),
        spawn::exports(),
        terminal::exports(),
        threads::exports(),
        time::exports(),
        xpc::exports(),
    ];
    areas.into_iter().flatten().collect()
});

/// The address of a function or of data by its name in C, or 0.
pub fn find(name: &str) -> usize {
    if versions::lacks(settings::get().macos, name) {
        return 0;
    }
    match EXPORTS.get(name) {
        Some(&address) => address,
        None => passthrough::find(name),
    }
}

/// What an import of the program is bound to; 0 for a weak one that is absent.
pub fn resolve(symbol: &str, weak: bool) -> usize {
    // `_stat$INODE64` is the `stat` of today's structures.
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
                eprintln!("macsim: not implemented: {name}");
            }
            missing(name)
        }
        address => address,
    }
}

/// A function that ends the run with the name of the missing import. Programs import more than they call.
fn missing(name: &str) -> usize {
    let name = CString::new(name).unwrap_or_default().into_raw() as u64;
    let mut code = vec![0x48, 0xbf]; // mov rdi, name
    code.extend_from_slice(&name.to_le_bytes());
    code.extend_from_slice(&[0x48, 0xb8]); // mov rax, die
    code.extend_from_slice(&(die as *const () as u64).to_le_bytes());
    code.extend_from_slice(&[0x48, 0x83, 0xe4, 0xf0, 0xff, 0xd0]); // and rsp, -16; call rax
    // SAFETY: new memory of our own, written before it is called.
    unsafe {
        let page = libc::mmap(
            std::ptr::null_mut(),
            4096,
            libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        );
        if page == libc::MAP_FAILED {
            eprintln!("macsim: no memory");
            std::process::exit(125);
        }
        page.cast::<u8>().copy_from_nonoverlapping(code.as_ptr(), code.len());
        page as usize
    }
}

extern "C" fn die(name: *const c_char) -> ! {
    // SAFETY: the name that the stub was made with.
    let name = unsafe { CStr::from_ptr(name) }.to_string_lossy();
    _ = writeln!(std::io::stderr(), "macsim: call of an import that is not implemented: {name}");
    // SAFETY: nothing of the program runs any more.
    unsafe { libc::_exit(126) }
}

/// A path of the program, looked for under the roots first.
pub struct Rooted {
    own: Option<CString>,
    path: *const c_char,
}

impl Rooted {
    /// Where `path` is to be looked for.
    pub fn new(path: *const c_char) -> Self {
        let roots = &settings::get().root;
        let mut rooted = Rooted { own: None, path };
        // SAFETY: a path that C passes is NULL or ends in a NUL.
        if roots.is_empty() || path.is_null() || unsafe { *path } != b'/' as c_char {
            return rooted;
        }
        // SAFETY: not NULL.
        let name = unsafe { CStr::from_ptr(path) }.to_bytes();
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

    /// For a call of glibc, while `self` lives.
    pub fn as_ptr(&self) -> *const c_char {
        self.own.as_ref().map_or(self.path, |own| own.as_ptr())
    }
}

/// Copies a string with its NUL into the program's buffer; false where there is no room.
pub fn put_string(buffer: *mut c_char, size: usize, text: &[u8]) -> bool {
    if buffer.is_null() || size < text.len() + 1 {
        return false;
    }
    // SAFETY: the program's buffer has `size` bytes.
    unsafe {
        buffer.cast::<u8>().copy_from_nonoverlapping(text.as_ptr(), text.len());
        buffer.add(text.len()).write(0);
    }
    true
}
