//! A login session on the simulated Mac: `macsim session PROGRAM` runs a Linux program, such as a shell with a script,
//! that starts macOS programs and Linux programs alike; all of them are seen as processes of the Mac.
//!
//! Under the name `sudo`, macsim stands in for `/usr/bin/sudo`, under the name `id` for `id -u`, because users are
//! simulated. As macOS's (1.9.13p2, without `use_pty`), sudo
//! - keeps of the environment what macOS's sudoers keeps, and sets `SUDO_UID`, `SUDO_GID` and `SUDO_USER`;
//! - starts the command in its own process group, and waits for it;
//! - passes signals on, but none that comes from its own process group, or from the terminal: those the command gets
//!   itself.
//!
//! Environment variables set the rest:
//!
//! | variable | meaning |
//! |---|---|
//! | `MACSIM_EUID` | the user of the session, and 0 below sudo |
//! | `MACSIM_SUDO` | `password`: sudo asks for the password, which nobody types |

use std::ffi::OsString;
use std::mem::MaybeUninit;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};

use crate::live;
use crate::system::identity::{Credentials, Ids};

/// The variables that macOS's `/etc/sudoers` keeps of the environment, as far as programs here know it.
const KEPT: [&str; 11] = [
    "COLORS",
    "DISPLAY",
    "EDITOR",
    "HOME",
    "LANG",
    "LSCOLORS",
    "MAIL",
    "PATH",
    "SSH_AUTH_SOCK",
    "TERM",
    "TZ",
];

/// Replaces this process with the program; returns why that isn't possible.
pub fn execute(program: &[OsString]) -> String {
    let error = Command::new(&program[0]).args(&program[1..]).exec();
    format!("{}: {error}", program[0].display())
}

/// Stands in for `id -u`.
pub fn id(args: &[OsString]) -> ExitCode {
    if args != ["-u"] {
        eprintln!("id: only -u is known here");
        return ExitCode::FAILURE;
    }
    let Some(own) = live::credentials() else {
        eprintln!("id: this is no session");
        return ExitCode::FAILURE;
    };
    println!("{}", own.users.effective);
    ExitCode::SUCCESS
}

/// Stands in for sudo.
pub fn sudo(args: Vec<OsString>) -> ExitCode {
    let mut args = args.into_iter().peekable();
    let mut validates = false;
    while let Some(option) = args.next_if(|arg| arg.as_encoded_bytes().starts_with(b"-")) {
        match option.to_str() {
            Some("-n") => {}
            Some("-v") => validates = true,
            _ => return failed("only -n and -v are known here"),
        }
    }
    if std::env::var_os("MACSIM_SUDO").is_some_and(|value| value == "password") {
        return failed("a password is required");
    }
    let command: Vec<OsString> = args.collect();
    if command.is_empty() {
        return if validates {
            ExitCode::SUCCESS
        } else {
            failed("there is no command")
        };
    }
    let Some(own) = live::credentials() else {
        return failed("this is no session");
    };
    set_environment(&own, &command);
    run(&command)
}

fn failed(reason: &str) -> ExitCode {
    eprintln!("sudo: {reason}");
    ExitCode::FAILURE
}

fn set_environment(own: &Credentials, command: &[OsString]) {
    let is_kept =
        |name: &str| KEPT.contains(&name) || name.starts_with("LC_") || name.starts_with("MACSIM_");
    let old: Vec<_> = std::env::vars_os().map(|(name, _)| name).collect();
    // SAFETY: no other thread runs.
    unsafe {
        for name in old
            .iter()
            .filter(|name| !name.to_str().is_some_and(is_kept))
        {
            std::env::remove_var(name);
        }
        for (name, value) in [
            ("SUDO_UID", own.users.real.to_string()),
            ("SUDO_GID", own.groups.real.to_string()),
            (
                "SUDO_USER",
                std::env::var("USER").unwrap_or_else(|_| "test".into()),
            ),
            ("USER", "root".into()),
            ("LOGNAME", "root".into()),
            ("MACSIM_EUID", "0".into()),
        ] {
            std::env::set_var(name, value);
        }
        std::env::set_var("SUDO_COMMAND", &command[0]);
    }
}

/// Runs a command as root and waits for it.
fn run(command: &[OsString]) -> ExitCode {
    // SAFETY: variables of our own; there is one thread, so that the child may do anything.
    unsafe {
        let mut heeded = MaybeUninit::uninit();
        libc::sigemptyset(heeded.as_mut_ptr());
        for signal in [
            libc::SIGCHLD,
            libc::SIGHUP,
            libc::SIGINT,
            libc::SIGQUIT,
            libc::SIGTERM,
        ] {
            libc::sigaddset(heeded.as_mut_ptr(), signal);
        }
        let mut before = MaybeUninit::uninit();
        libc::sigprocmask(libc::SIG_BLOCK, heeded.as_ptr(), before.as_mut_ptr());
        let child = libc::fork();
        if child == 0 {
            libc::sigprocmask(libc::SIG_SETMASK, before.as_ptr(), std::ptr::null_mut());
            let root = Ids {
                effective: 0,
                real: 0,
                saved: 0,
            };
            live::set_credentials(&Credentials {
                users: root,
                groups: root,
                others: Vec::new(),
            });
            failed(&execute(command));
            libc::_exit(1);
        }
        loop {
            let mut signal: libc::siginfo_t = std::mem::zeroed();
            if libc::sigwaitinfo(heeded.as_ptr(), &raw mut signal) < 0 {
                continue;
            }
            if signal.si_signo != libc::SIGCHLD {
                let is_others = signal.si_code == libc::SI_USER
                    && libc::getpgid(signal.si_pid()) != libc::getpgrp();
                if is_others {
                    libc::kill(child, signal.si_signo);
                }
                continue;
            }
            let mut status = 0;
            if libc::waitpid(child, &raw mut status, libc::WNOHANG) != child {
                continue;
            }
            if libc::WIFSIGNALED(status) {
                // sudo ends as the command did.
                libc::signal(libc::WTERMSIG(status), libc::SIG_DFL);
                libc::sigprocmask(libc::SIG_UNBLOCK, heeded.as_ptr(), std::ptr::null_mut());
                libc::raise(libc::WTERMSIG(status));
            }
            return ExitCode::from(libc::WEXITSTATUS(status) as u8);
        }
    }
}
