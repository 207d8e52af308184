//! Programs that run on macsim: each checks something that macsim converts or simulates. The first argument names the
//! check.

#[cfg(target_os = "macos")]
mod es;
#[cfg(target_os = "macos")]
mod layout;
#[cfg(target_os = "macos")]
mod live;
#[cfg(target_os = "macos")]
mod system;
#[cfg(target_os = "macos")]
mod terminal;

#[cfg(target_os = "macos")]
fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.split_first() {
        Some((name, args)) if name == "es" => es::main(args),
        Some((name, args)) if name == "live" => live::main(args),
        Some((name, args)) if name == "on-terminal" => terminal::main(args),
        Some((name, args)) if name == "ready" => write_ready_made(args),
        Some((name, args)) => system::main(name, args),
        None => panic!("which check?"),
    }
}

/// `ready FILE TIMES`: writes a file's bytes TIMES times from a ready buffer, for the benchmark.
#[cfg(target_os = "macos")]
fn write_ready_made(args: &[String]) {
    use std::io::Write as _;
    let bytes = std::fs::read(&args[0]).expect("the file can be read");
    let times: usize = args[1].parse().expect("a number");
    let mut stdout = std::io::stdout().lock();
    for _ in 0..times {
        stdout.write_all(&bytes).expect("it can be written");
    }
}

#[cfg(not(target_os = "macos"))]
fn main() {
    panic!("this is a program for macOS");
}
