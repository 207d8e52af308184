//! A guard, which ends another program when this one has ended.

use std::io::{self, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use super::native::system;

/// A shell that waits until this program ends, for whatever reason, and then ends another one. It leads a process group
/// of its own, so that it survives when all of ours is killed.
#[derive(Debug)]
pub struct Guard(Child);

impl Guard {
    /// Starts it, with an empty environment. `end` are the shell's commands that end the process `$pid`.
    ///
    /// # Errors
    /// The shell can't be started.
    pub fn new(end: &str) -> io::Result<Guard> {
        // It reads from a pipe that nobody else holds; nothing more than the pid is ever written into it.
        let wait = format!("trap '' HUP INT TERM; read -r pid || exit; read -r _; {end}");
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", &wait]).process_group(0).env_clear();
        shell.stdin(Stdio::piped()).stdout(Stdio::null());
        shell.stderr(Stdio::null());
        system::without_inheriting(|| shell.spawn()).map(Guard)
    }

    /// Its process group.
    pub fn group(&self) -> i32 {
        self.0.id().cast_signed()
    }

    /// Sets the process to end.
    ///
    /// # Errors
    /// The guard has ended.
    pub fn watch(&mut self, pid: i32) -> io::Result<()> {
        match &mut self.0.stdin {
            Some(stdin) => writeln!(stdin, "{pid}"),
            None => Ok(()),
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
