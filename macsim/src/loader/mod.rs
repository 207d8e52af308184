//! Loads an executable and runs it in this process.

mod bind;
mod closed;
mod image;
mod macho;
mod tlv;
mod unwind;

use std::convert::Infallible;
use std::ffi::{CString, OsString, c_char, c_int};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::Path;
use std::ptr;

use crate::system::{self, dyld};
use image::Image;
use macho::{Executable, kind};

/// Runs a program, with `argv0` as its first argument if it is given. The end of the program ends this process.
pub fn run(program: &[OsString], argv0: Option<OsString>) -> Result<Infallible, String> {
    let name = program.first().ok_or("no program")?;
    let context = |reason: String| format!("{}: {reason}", name.display());
    let path = std::fs::canonicalize(name).map_err(|error| context(error.to_string()))?;
    let file = std::fs::read(&path).map_err(|error| context(error.to_string()))?;
    let file = macho::slice(&file).map_err(context)?;
    let executable = Executable::parse(file).map_err(context)?;
    let (entry, initializers) = load(&executable, file).map_err(context)?;
    let mut program = program.to_vec();
    program[0] = argv0.unwrap_or_else(|| program[0].clone());
    start(&path, &program, entry, &initializers)
}

/// Maps, binds and protects; returns the addresses of main and of the functions that run before it.
fn load(executable: &Executable, file: &[u8]) -> Result<(u64, Vec<u64>), String> {
    let mut image = Image::map(executable, file)?;
    let mut resolve = |name: &str, weak: bool| system::resolve(name, weak) as u64;
    for range in &executable.bindings {
        let opcodes = file
            .get(range.clone())
            .ok_or("the file ends within its bindings")?;
        bind::opcodes(&mut image, &executable.segments, opcodes, &mut resolve)?;
    }
    if let Some(range) = &executable.chained {
        let fixups = file
            .get(range.clone())
            .ok_or("the file ends within its fixups")?;
        bind::chained(&mut image, fixups, &mut resolve)?;
    }
    tlv::set_up(&mut image, executable)?;
    unwind::register(&image, executable)?;
    let mut initializers = Vec::new();
    for section in executable.of_kind(kind::INIT_FUNCTIONS) {
        for index in 0..section.size / 8 {
            initializers.push(image.pointer(section.address + 8 * index)?);
        }
    }
    for segment in executable.mapped() {
        Image::protect(segment)?;
    }
    Ok((image.base() + executable.entry, initializers))
}

type Main =
    extern "C" fn(c_int, *const *const c_char, *const *const c_char, *const *const c_char) -> c_int;

fn start(path: &Path, program: &[OsString], entry: u64, initializers: &[u64]) -> ! {
    let string = |text: &[u8]| {
        CString::new(text)
            .expect("arguments have no NUL")
            .into_raw()
            .cast_const()
    };
    let mut args: Vec<_> = program
        .iter()
        .map(|arg| string(&arg.clone().into_vec()))
        .collect();
    args.push(ptr::null());
    let args = args.leak();
    let apple = [string(path.as_os_str().as_bytes()), ptr::null()]
        .to_vec()
        .leak();
    dyld::set_program(path, program.len() as c_int, args);
    let call = |address: u64| {
        // SAFETY: the file says that there is a function of this type. It runs as if it were linked with this program.
        let function = unsafe { std::mem::transmute::<u64, Main>(address) };
        // SAFETY: glibc's own; no thread changes the environment yet.
        let environment = unsafe { system::dyld::environ };
        function(
            program.len() as c_int,
            args.as_ptr(),
            environment.cast_const().cast(),
            apple.as_ptr(),
        )
    };
    // SAFETY: Rust ignores SIGPIPE from the start; the program begins as one that a shell starts.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    closed::close_again();
    for &initializer in initializers {
        call(initializer);
    }
    system::processes::exit(call(entry))
}
