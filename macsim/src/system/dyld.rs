//! The dynamic linker's information about the program.

#![allow(non_snake_case, reason = "C's names")]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Export, find, functions, put_string};
use crate::note::note;
use crate::settings;

unsafe extern "C" {
    /// glibc's environment, which is the program's.
    pub static mut environ: *mut *mut c_char;
}

struct Program {
    path: CString,
    count: c_int,
    args: *const *const c_char,
}

// SAFETY: the pointers are to memory that lives as long as the process and is not written.
unsafe impl Send for Program {}
// SAFETY: as above.
unsafe impl Sync for Program {}

static PROGRAM: OnceLock<Program> = OnceLock::new();

/// Sets the program that runs; called once.
pub fn set_program(path: &Path, count: c_int, args: &'static [*const c_char]) {
    let path = CString::new(path.as_os_str().as_bytes()).unwrap_or_default();
    let args = args.as_ptr();
    _ = PROGRAM.set(Program { path, count, args });
}

fn program() -> &'static Program {
    PROGRAM.get().expect("set before the program starts")
}

extern "C" fn _NSGetArgc() -> *const c_int {
    &raw const program().count
}

extern "C" fn _NSGetArgv() -> *const *const *const c_char {
    &raw const program().args
}

extern "C" fn _NSGetEnviron() -> *mut *mut *mut c_char {
    &raw mut environ
}

extern "C" fn _NSGetExecutablePath(buffer: *mut c_char, size: *mut u32) -> c_int {
    let path = program().path.to_bytes();
    // SAFETY: the caller's variable.
    let room = unsafe { *size } as usize;
    if put_string(buffer, room, path) {
        return 0;
    }
    // SAFETY: as above.
    unsafe { *size = path.len() as u32 + 1 };
    -1
}

extern "C" fn _dyld_image_count() -> u32 {
    1
}

/// The address where linkers put an executable; it isn't moved.
const BASE: usize = 0x1_0000_0000;

extern "C" fn _dyld_get_image_header(index: u32) -> *const c_void {
    if index == 0 {
        BASE as *const c_void
    } else {
        ptr::null()
    }
}

extern "C" fn _dyld_get_image_name(index: u32) -> *const c_char {
    if index == 0 {
        program().path.as_ptr()
    } else {
        ptr::null()
    }
}

extern "C" fn _dyld_get_image_vmaddr_slide(_: u32) -> isize {
    0
}

/// All libraries are one here.
const HANDLE: *mut c_void = ptr::dangling_mut();

/// The libraries that a program may open by name.
const LIBRARIES: [&str; 7] = [
    "libEndpointSecurity",
    "libSystem",
    "libbsm",
    "libproc",
    "libxpc",
    "CoreFoundation",
    "Foundation",
];

static FAILED: AtomicBool = AtomicBool::new(false);

extern "C" fn dlopen(path: *const c_char, _: c_int) -> *mut c_void {
    if path.is_null() {
        return HANDLE;
    }
    // SAFETY: a string of the caller's.
    let path = unsafe { CStr::from_ptr(path) }.to_string_lossy();
    if LIBRARIES.iter().any(|library| path.contains(library)) {
        return HANDLE;
    }
    FAILED.store(true, Ordering::Relaxed);
    ptr::null_mut()
}

extern "C" fn dlsym(_: *mut c_void, name: *const c_char) -> *mut c_void {
    // SAFETY: a string of the caller's.
    let name = unsafe { CStr::from_ptr(name) }.to_str().unwrap_or_default();
    let address = find(name);
    if address == 0 {
        FAILED.store(true, Ordering::Relaxed);
        if settings::get().trace {
            note(format_args!("dlsym finds no {name}"));
        }
    }
    address as *mut c_void
}

extern "C" fn dlclose(_: *mut c_void) -> c_int {
    0
}

extern "C" fn dlerror() -> *const c_char {
    if FAILED.swap(false, Ordering::Relaxed) {
        c"symbol or image not found".as_ptr()
    } else {
        ptr::null()
    }
}

extern "C" fn dladdr(_: *const c_void, _: *mut c_void) -> c_int {
    0
}

/// On macOS this binds lazily; here everything is bound before the start.
extern "C" fn dyld_stub_binder() -> ! {
    unreachable!("every import is bound")
}

/// The thunk of an image that isn't loaded yet; the loader has put ours in its place.
extern "C" fn _tlv_bootstrap() -> ! {
    unreachable!("every thread-local variable has its thunk")
}

#[repr(C)]
struct BuildVersion {
    platform: u32,
    version: u32,
}

extern "C" fn _availability_version_check(count: u32, versions: *const BuildVersion) -> bool {
    const MACOS: u32 = 1;
    let [major, minor, patch] = settings::get().macos.0;
    let running = major << 16 | minor << 8 | patch;
    // SAFETY: an array of the caller's.
    let versions = unsafe { std::slice::from_raw_parts(versions, count as usize) };
    let asked = versions.iter().find(|asked| asked.platform == MACOS);
    asked.is_none_or(|asked| running >= asked.version)
}

/// The functions of this area.
pub fn exports() -> Vec<Export> {
    functions![
        _NSGetArgc,
        _NSGetArgv,
        _NSGetEnviron,
        _NSGetExecutablePath,
        _availability_version_check,
        _dyld_get_image_header,
        _dyld_get_image_name,
        _dyld_get_image_vmaddr_slide,
        _dyld_image_count,
        _tlv_bootstrap,
        dladdr,
        dlclose,
        dlerror,
        dlopen,
        dlsym,
        dyld_stub_binder,
    ]
    .to_vec()
}
