//! The effects of a terminal on the processes that it controls, as one of them sees them. The test is at the other
//! end: it types a letter when it reads `type:` and that letter.

use std::ffi::c_int;
use std::io::{Read as _, Write as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicI32, Ordering};

/// Runs a check.
pub fn main(args: &[String]) {
    match args[0].as_str() {
        "interrupt" => interrupt(),
        "stop" => stop(),
        "background" => background(),
        "hangup" => hangup(),
        name => panic!("no check {name}"),
    }
}

static CAUGHT: AtomicI32 = AtomicI32::new(0);

extern "C" fn note(signal: c_int) {
    CAUGHT.store(signal, Ordering::Relaxed);
}

fn catch(signal: c_int) {
    let note: extern "C" fn(c_int) = note;
    // SAFETY: the handler only writes an atomic.
    unsafe { libc::signal(signal, note as usize) };
}

fn say(text: &str) {
    println!("{text}");
    std::io::stdout().flush().expect("written");
}

/// Starts a child, and waits until it says that it is ready.
fn ready(command: &mut Command) -> Child {
    let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
    let mut byte = [0];
    let out = child.stdout.as_mut().expect("a pipe");
    out.read_exact(&mut byte).expect("a byte");
    child
}

fn shell(script: &str) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script]);
    command
}

/// Waits until a child stops; returns the signal that stopped it.
fn stopped(child: &Child) -> c_int {
    let mut status = 0;
    let pid = child.id().cast_signed();
    // SAFETY: a child that isn't waited for yet.
    let found = unsafe { libc::waitpid(pid, &raw mut status, libc::WUNTRACED) };
    assert!(found == pid && libc::WIFSTOPPED(status), "{status:#x}");
    libc::WSTOPSIG(status)
}

/// Ctrl-C goes to the whole group: to this program, which continues, and to a command.
fn interrupt() {
    catch(libc::SIGINT);
    let mut cat = ready(&mut shell("echo; exec cat"));
    say("type: C");
    let status = cat.wait().expect("its end");
    assert_eq!(status.signal(), Some(libc::SIGINT));
    assert_eq!(CAUGHT.load(Ordering::Relaxed), libc::SIGINT);
    // Ctrl-\ is SIGQUIT.
    catch(libc::SIGQUIT);
    let mut cat = ready(&mut shell("echo; exec cat"));
    say("type: \\");
    assert_eq!(cat.wait().expect("its end").signal(), Some(libc::SIGQUIT));
    say("done");
}

/// Ctrl-Z stops the whole group; SIGCONT to the group lets it continue.
fn stop() {
    catch(libc::SIGTSTP);
    let mut cat = ready(&mut shell("echo; exec cat"));
    say("type: Z");
    assert_eq!(stopped(&cat), libc::SIGTSTP);
    assert_eq!(CAUGHT.load(Ordering::Relaxed), libc::SIGTSTP);
    // SAFETY: as of each function's documentation.
    unsafe {
        assert_eq!(libc::kill(-libc::getpgrp(), libc::SIGCONT), 0);
        libc::kill(cat.id().cast_signed(), libc::SIGTERM);
    }
    assert_eq!(cat.wait().expect("its end").signal(), Some(libc::SIGTERM));
    say("done");
}

/// In the background, reading stops a process, and so does writing if the terminal is set so; in the foreground it
/// continues.
fn background() {
    // SAFETY: as of each function's documentation.
    unsafe {
        assert_eq!(libc::tcgetpgrp(0), libc::getpgrp());
        let mut reader = ready(shell("echo; read line; exit 3").process_group(0));
        let pid = reader.id().cast_signed();
        assert_eq!(stopped(&reader), libc::SIGTTIN);
        assert_eq!(libc::tcsetpgrp(0, pid), 0);
        assert_eq!(libc::tcgetpgrp(0), pid);
        assert_eq!(libc::kill(-pid, libc::SIGCONT), 0);

        // Now this process is in the background itself, and may take the terminal back only if it ignores SIGTTOU.
        libc::signal(libc::SIGTTOU, libc::SIG_IGN);
        say("type: \n");
        assert_eq!(reader.wait().expect("its end").code(), Some(3));
        assert_eq!(libc::tcsetpgrp(0, libc::getpgrp()), 0);
        libc::signal(libc::SIGTTOU, libc::SIG_DFL);

        let mut termios: libc::termios = std::mem::zeroed();
        assert_eq!(libc::tcgetattr(0, &raw mut termios), 0);
        termios.c_lflag |= libc::TOSTOP;
        assert_eq!(libc::tcsetattr(0, libc::TCSANOW, &raw const termios), 0);
        let mut writer = ready(shell("echo; echo out > /dev/tty; exit 4").process_group(0));
        assert_eq!(stopped(&writer), libc::SIGTTOU);
        termios.c_lflag &= !libc::TOSTOP;
        assert_eq!(libc::tcsetattr(0, libc::TCSANOW, &raw const termios), 0);
        assert_eq!(libc::killpg(writer.id().cast_signed(), libc::SIGCONT), 0);
        assert_eq!(writer.wait().expect("its end").code(), Some(4));
    }
    say("done");
}

/// When the terminal goes away, SIGHUP ends processes that don't ignore it, as nohup does.
fn hangup() {
    // SAFETY: as of each function's documentation.
    unsafe { libc::signal(libc::SIGHUP, libc::SIG_IGN) };
    let mut without = ready(&mut shell("echo; exec sleep 60"));
    let mut with = shell("echo; exec sleep 60");
    // SAFETY: nothing is done between fork and exec but this.
    unsafe {
        with.pre_exec(|| {
            libc::signal(libc::SIGHUP, libc::SIG_DFL);
            Ok(())
        });
    }
    let mut with = ready(&mut with);
    say("type: -");
    assert_eq!(with.wait().expect("its end").signal(), Some(libc::SIGHUP));
    let mut status = 0;
    // SAFETY: a child that isn't waited for yet.
    let found =
        unsafe { libc::waitpid(without.id().cast_signed(), &raw mut status, libc::WNOHANG) };
    assert_eq!(found, 0, "it has ended");
    without.kill().expect("killed");
    without.wait().expect("its end");
    // There is no terminal any more to print on.
    std::fs::write(std::env::var_os("DONE").expect("a path"), "done").expect("written");
}
