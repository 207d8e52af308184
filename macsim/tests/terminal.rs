//! Programs that a terminal controls: the test is at the other end.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod common;

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::fd::{FromRawFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use common::{Run, by_shell};

/// A pseudo-terminal: the user's end, and the programs' end. Programs of other tests get neither.
fn terminal() -> (File, OwnedFd) {
    let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
    let mut name = [0; 128];
    // SAFETY: a variable of our own, and descriptors that are new.
    unsafe {
        let main = libc::posix_openpt(flags);
        assert!(main >= 0);
        assert_eq!((libc::grantpt(main), libc::unlockpt(main)), (0, 0));
        assert_eq!(libc::ptsname_r(main, name.as_mut_ptr(), name.len()), 0);
        let other = libc::open(name.as_ptr(), flags);
        assert!(other >= 0);
        (File::from_raw_fd(main), OwnedFd::from_raw_fd(other))
    }
}

/// Starts a check as a job of a terminal's shell: a terminal can't stop the first process of a session.
fn start(name: &str, done: &Path) -> (Child, File) {
    let (main, other) = terminal();
    let run = Run::check(&["on-terminal", name]);
    let run = run.env("DONE", done.to_str().expect("UTF-8"));
    let (program, _folder) = run.command();
    let mut command = by_shell("/bin/sh", "set -m; \"$@\"; exit $?", &program);
    let copy = || other.try_clone().expect("a copy");
    command.stdin(copy()).stdout(copy()).stderr(copy());
    // SAFETY: nothing is done between fork and exec but this.
    unsafe {
        command.pre_exec(|| {
            if libc::setsid() == -1 || libc::ioctl(0, libc::TIOCSCTTY, 0) == -1 {
                return Err(std::io::Error::last_os_error());
            }
            Ok(())
        });
    }
    (command.spawn().expect("macsim starts"), main)
}

/// Waits until a condition holds.
#[track_caller]
fn wait_until(mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "it takes too long"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Types the keys that the check asks for.
#[track_caller]
fn check(name: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut child, main) = start(name, &folder.path().join("done"));
    let mut typist = main.try_clone().expect("a copy");
    let mut said = String::new();
    // The end is reported as an error, when no program has the terminal open any more.
    for line in BufReader::new(main).lines().map_while(Result::ok) {
        // Text that was typed before can be in the same line.
        let asked = line.trim_end_matches('\r').split_once("type: ");
        let key: &[u8] = match asked.map(|(_, key)| key) {
            Some("C") => &[3],
            Some("\\") => &[0x1c],
            Some("Z") => &[0x1a],
            Some("") => b"\n",
            _ => b"",
        };
        typist.write_all(key).expect("typed");
        said += &line;
        said.push('\n');
    }
    wait_until(|| child.try_wait().expect("a child").is_some());
    assert!(child.wait().expect("its end").success(), "{said}");
    assert!(said.contains("done"), "{said}");
}

#[test]
fn control_c_goes_to_the_group() {
    check("interrupt");
}

#[test]
fn control_z_stops_the_group() {
    check("stop");
}

#[test]
fn the_background_neither_reads_nor_writes() {
    check("background");
}

#[test]
fn without_a_terminal_only_what_ignores_it_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let done = folder.path().join("done");
    let (mut child, main) = start("hangup", &done);
    let mut lines = BufReader::new(main).lines();
    let asked = lines
        .by_ref()
        .map_while(Result::ok)
        .any(|line| line.contains("type: -"));
    assert!(asked);
    drop(lines);
    // The hangup ends the shell, and with it the session.
    wait_until(|| child.try_wait().expect("a child").is_some());
    wait_until(|| std::fs::read(&done).is_ok_and(|text| text == b"done"));
}
