//! macsim: runs the macOS program on Linux, on a simulation of EndpointSecurity.
//!
//! EndpointSecurity exists on macOS only, and development happens on Linux, too. So the macOS binary itself, as it is
//! shipped, is loaded here and runs natively (both systems use the System V calling convention on `x86_64`), with
//! libSystem's functions standing on glibc's and libEndpointSecurity's on a simulation:
//!
//! ```text
//! eslogger's JSON  ->  es_message_t  ->  client's queue  ->  handler block of the program
//!     (json)           (builder)            (es)
//! ```
//!
//! - [`loader`] maps the Mach-O file, binds its imports, and sets up thread-locals and unwinding.
//! - [`system`] is libSystem, one module an area; what differs between the systems is converted there.
//! - [`es`] is libEndpointSecurity: clients, muting, delivery, messages that are counted and wiped.
//! - [`live`] makes messages of what real processes below the program do.
//! - [`builder`] makes messages in macOS's layout; the offsets are data, compiled from Apple's headers.
//! - [`settings`] has every option and environment variable.
//! - [`session`] runs a shell on the simulated Mac, with stand-ins for `sudo` and `id`.
//! - [`eslogger`] stands in for `/usr/bin/eslogger`, [`universal`] for `lipo -create`.
//!
//! It can't show how a real kernel times and orders events, nor TCC and code signing. It doesn't run arm64 code.

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod bench;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod builder;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod command;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod es;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod eslogger;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod json;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod live;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod loader;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod note;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod session;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod settings;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod system;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod universal;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod versions;

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn main() -> std::process::ExitCode {
    command::main()
}

/// Prints why there is nothing here.
#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
fn main() -> std::process::ExitCode {
    eprintln!(
        "macsim: runs x86_64 macOS programs on x86_64 Linux only; on a Mac, run the program itself"
    );
    std::process::ExitCode::from(2)
}
