//! Programs that run on macsim: each checks something that macsim converts or simulates. The first argument says which.

#[cfg(target_os = "macos")]
mod es;
#[cfg(target_os = "macos")]
mod layout;
#[cfg(target_os = "macos")]
mod system;

#[cfg(target_os = "macos")]
fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.split_first() {
        Some((name, args)) if name == "es" => es::main(args),
        Some((name, args)) => system::main(name, args),
        None => panic!("which check?"),
    }
}

#[cfg(not(target_os = "macos"))]
fn main() {
    panic!("this is a program for macOS");
}
