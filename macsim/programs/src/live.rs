//! Messages of real processes, as a client of EndpointSecurity sees them: each check panics if something is wrong.

use std::collections::HashMap;
use std::ffi::{CString, c_int, c_void};
use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;
use std::ptr::{self, NonNull};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};
use std::{fs, thread};

use endpoint_sec_sys::*;

use crate::es::{Block, newer, text};
use crate::system::{_NSGetEnviron, ended, folder, mach_task_self_, task_info};

const CHECKS: &[(&str, fn(&[String]))] = &[
    ("suspended", suspended),
    ("late-exec", late_exec),
    ("late-client", late_client),
    ("failed", failed),
    ("killed", killed),
    ("hangs", hangs),
    ("groups", groups),
    ("orphan", orphan),
    ("statuses", statuses),
    ("threads", threads),
    ("macos", macos),
    ("script", script),
    ("before-wait", before_wait),
    ("tree", tree),
    ("noise", noise),
    ("reused", reused),
    ("jitter", jitter),
    ("attributes", attributes),
    ("outlived", outlived),
];

/// Runs a check.
pub fn main(args: &[String]) {
    let (name, args) = args.split_first().expect("which check?");
    match name.as_str() {
        "child" => return child(args),
        "signals" => return print_signals(),
        _ => {}
    }
    let check = CHECKS.iter().find(|(check, _)| check == name);
    check.expect("a check").1(args);
}

const EXEC: u32 = 9;
const FORK: u32 = 11;
const EXIT: u32 = 15;

/// A process as a message shows it.
#[derive(Clone, Debug, PartialEq)]
struct Shown {
    token: [u32; 8],
    parent: i32,
    original_parent: i32,
    group: i32,
    session: i32,
    path: String,
    start: (i64, i32),
    parent_token: [u32; 8],
}

impl Shown {
    fn pid(&self) -> i32 {
        self.token[5].cast_signed()
    }

    fn version(&self) -> u32 {
        self.token[7]
    }
}

/// A message.
#[derive(Clone, Debug)]
struct Seen {
    event: u32,
    process: Shown,
    /// The child of a fork, or the target of an exec.
    other: Option<Shown>,
    /// The status of an exit.
    status: c_int,
    args: Vec<String>,
    script: String,
    global: u64,
    ticks: u64,
}

static SEEN: Mutex<Vec<Seen>> = Mutex::new(Vec::new());
static CHANGED: Condvar = Condvar::new();

fn seen() -> MutexGuard<'static, Vec<Seen>> {
    SEEN.lock().expect("no panic")
}

unsafe fn shown(process: *const es_process_t) -> Shown {
    // SAFETY: a process of a message; all members are read that have been there since version 4.
    unsafe {
        let process = &*process;
        let file = (&raw const process.executable)
            .cast::<*const es_file_t>()
            .read();
        Shown {
            token: process.audit_token.val,
            parent: process.ppid,
            original_parent: process.original_ppid,
            group: process.group_id,
            session: process.session_id,
            path: text(&(*file).path),
            start: (process.start_time.tv_sec, process.start_time.tv_usec),
            parent_token: process.parent_audit_token.val,
        }
    }
}

unsafe extern "C" fn handler(
    _: *const Block,
    _: *const es_client_t,
    message: NonNull<es_message_t>,
) {
    // SAFETY: the message is valid within the handler; an event's first member is its process.
    let message = unsafe {
        let message = message.as_ref();
        let process = (&raw const message.process)
            .cast::<*const es_process_t>()
            .read();
        let event: *const c_void = (&raw const message.event).cast();
        let number = message.event_type.0 as u32;
        let mut seen = Seen {
            event: number,
            process: shown(process),
            other: None,
            status: 0,
            args: Vec::new(),
            script: String::new(),
            global: message.global_seq_num,
            ticks: message.mach_time,
        };
        match number {
            EXIT => seen.status = event.cast::<c_int>().read(),
            _ => seen.other = Some(shown(event.cast::<*const es_process_t>().read())),
        }
        if number == EXEC {
            let exec = &*event.cast::<es_event_exec_t>();
            let args = 0..es_exec_arg_count(exec);
            seen.args = args.map(|index| text(&es_exec_arg(exec, index))).collect();
            let script = event.byte_add(24).cast::<*const es_file_t>().read();
            if let Some(script) = script.as_ref() {
                seen.script = text(&script.path);
            }
        }
        seen
    };
    self::seen().push(message);
    CHANGED.notify_all();
}

/// A client that is subscribed to forks, execs and exits.
fn client() -> *mut es_client_t {
    let block = Block::new(handler as *const () as *const c_void, ptr::null_mut());
    let mut client = ptr::null_mut();
    // SAFETY: the block is of the type that the function takes; it copies it.
    unsafe {
        assert_eq!(
            es_new_client(&raw mut client, &*(&raw const block).cast()).0,
            0
        );
        assert_eq!(es_unmute_all_paths(client).0, 0);
        let events = [EXEC, FORK, EXIT].map(|event| es_event_type_t(event as _));
        assert_eq!(es_subscribe(client, events.as_ptr(), 3).0, 0);
    }
    client
}

fn delete(client: *mut es_client_t) {
    // SAFETY: a client that isn't deleted.
    assert_eq!(unsafe { es_delete_client(client) }.0, 0);
}

/// Waits until such a message has come, and returns it.
#[track_caller]
fn wait_for(what: &str, is_it: impl Fn(&Seen) -> bool) -> Seen {
    let began = Instant::now();
    let mut seen = seen();
    loop {
        if let Some(found) = seen.iter().find(|seen| is_it(seen)) {
            return found.clone();
        }
        let left = Duration::from_secs(20).checked_sub(began.elapsed());
        let left = left.unwrap_or_else(|| panic!("no {what} in {seen:#?}"));
        seen = CHANGED.wait_timeout(seen, left).expect("no panic").0;
    }
}

#[track_caller]
fn fork_of(pid: i32) -> Seen {
    let is_it = |other: &Option<Shown>| other.as_ref().is_some_and(|other| other.pid() == pid);
    wait_for("fork", |seen| seen.event == FORK && is_it(&seen.other))
}

#[track_caller]
fn exec_of(pid: i32) -> Seen {
    wait_for("exec", |seen| {
        seen.event == EXEC && seen.process.pid() == pid
    })
}

#[track_caller]
fn exit_of(pid: i32) -> Seen {
    wait_for("exit", |seen| {
        seen.event == EXIT && seen.process.pid() == pid
    })
}

/// All messages so far, including those of everything that happened before the call.
fn all() -> Vec<Seen> {
    let probe = spawn(&["/bin/true"], 0, 0).expect("a probe");
    ended(probe);
    exit_of(probe);
    let of_probe = |seen: &Seen| {
        let other = seen.other.as_ref().map(Shown::pid);
        seen.process.pid() == probe || other == Some(probe)
    };
    let seen = seen();
    seen.iter()
        .filter(|seen| !of_probe(seen))
        .cloned()
        .collect()
}

const GROUP: c_int = 0x2;
const SUSPENDED: c_int = 0x80;
const SESSION: c_int = 0x400;

/// `posix_spawn` with flags and a process group.
fn spawn(command: &[&str], flags: c_int, group: i32) -> Result<i32, c_int> {
    let strings: Vec<_> = command
        .iter()
        .map(|text| CString::new(*text).expect("no NUL"))
        .collect();
    let mut args: Vec<_> = strings
        .iter()
        .map(|text| text.as_ptr().cast_mut())
        .collect();
    args.push(ptr::null_mut());
    let mut pid = 0;
    // SAFETY: as of each function's documentation.
    unsafe {
        let mut attributes = ptr::null_mut();
        assert_eq!(libc::posix_spawnattr_init(&raw mut attributes), 0);
        let flags = flags as i16;
        assert_eq!(
            libc::posix_spawnattr_setflags(&raw mut attributes, flags),
            0
        );
        assert_eq!(
            libc::posix_spawnattr_setpgroup(&raw mut attributes, group),
            0
        );
        let result = libc::posix_spawn(
            &raw mut pid,
            args[0],
            ptr::null(),
            &raw const attributes,
            args.as_ptr(),
            *_NSGetEnviron(),
        );
        libc::posix_spawnattr_destroy(&raw mut attributes);
        if result != 0 {
            return Err(result);
        }
    }
    Ok(pid)
}

fn shell(script: &str, flags: c_int) -> i32 {
    spawn(&["/bin/sh", "-c", script], flags, 0).expect("it starts")
}

fn kill(pid: i32, signal: c_int) {
    // SAFETY: a child that isn't waited for yet.
    assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
}

pub fn own_token() -> [u32; 8] {
    let (mut token, mut count) = ([0; 8], 8);
    // SAFETY: the buffer has room.
    let result = unsafe { task_info(mach_task_self_, 15, token.as_mut_ptr(), &raw mut count) };
    assert_eq!(result, 0);
    token
}

fn own_pid() -> i32 {
    std::process::id().cast_signed()
}

/// The signal that stopped a child, if it has stopped.
fn stop_of(pid: i32) -> Option<c_int> {
    let mut status = 0;
    let options = libc::WNOHANG | libc::WUNTRACED;
    // SAFETY: a child of ours.
    let found = unsafe { libc::waitpid(pid, &raw mut status, options) };
    assert!(found == 0 || found == pid && libc::WIFSTOPPED(status));
    (found == pid).then(|| libc::WSTOPSIG(status))
}

/// A process that was started suspended: its fork and exec come before any of its code runs.
fn suspended(_: &[String]) {
    let client = client();
    let folder = folder();
    let mark = folder.join("mark");
    let command = format!("touch {}; exit 4", mark.display());
    let pid = shell(&command, SUSPENDED);
    let (fork, exec) = (fork_of(pid), exec_of(pid));
    assert!(fork.global < exec.global);
    let (child, target) = (fork.other.expect("a child"), exec.other.expect("a target"));
    let own = &fork.process;
    assert_eq!((own.token, own.pid()), (own_token(), own_pid()));
    assert_eq!(child.parent, own_pid());
    assert_eq!(child.parent_token, own_token());
    assert_eq!((&child.path, child.group), (&own.path, own.group));
    assert_eq!(exec.process, child);
    assert_eq!(target.path, sh());
    assert!(target.version() > child.version() && child.version() > own.version());
    assert_eq!((target.pid(), target.start), (pid, child.start));
    assert_eq!(exec.args, ["/bin/sh", "-c", &command]);
    thread::sleep(Duration::from_millis(100));
    assert!(!mark.exists(), "it runs already");
    assert_eq!((stop_of(pid), stop_of(pid)), (Some(0), None));
    kill(pid, libc::SIGCONT);
    let status = ended(pid);
    assert_eq!(libc::WEXITSTATUS(status), 4);
    let exit = exit_of(pid);
    assert_eq!((exit.status, exit.process.token), (status, target.token));
    assert!(mark.exists());
    fs::remove_dir_all(&folder).expect("removed");

    // A stop by a signal counts as one, whatever happened before.
    let pid = shell("kill -STOP $$; exit 5", SUSPENDED);
    kill(pid, libc::SIGCONT);
    let began = Instant::now();
    let stop = loop {
        match stop_of(pid) {
            None | Some(0) => assert!(began.elapsed() < Duration::from_secs(20)),
            stop => break stop,
        }
    };
    assert_eq!(stop, Some(libc::SIGSTOP));
    kill(pid, libc::SIGCONT);
    assert_eq!(libc::WEXITSTATUS(ended(pid)), 5);
    delete(client);
}

/// The real path of `/bin/sh`.
fn sh() -> String {
    fs::canonicalize("/bin/sh")
        .expect("a shell")
        .to_string_lossy()
        .into_owned()
}

/// The message of an exec comes long after `posix_spawn` has returned; none of the process's code runs before.
fn late_exec(_: &[String]) {
    let client = client();
    let folder = folder();
    for (number, flags) in [0, SUSPENDED].into_iter().enumerate() {
        let mark = folder.join(number.to_string());
        let pid = shell(&format!("touch {}", mark.display()), flags);
        let has_exec = || {
            seen()
                .iter()
                .any(|seen| seen.event == EXEC && seen.process.pid() == pid)
        };
        assert!(!has_exec(), "it comes at once");
        if flags != 0 {
            assert_eq!(stop_of(pid), Some(0));
            kill(pid, libc::SIGCONT);
        }
        let until = Instant::now() + Duration::from_millis(50);
        while Instant::now() < until {
            assert!(!mark.exists(), "it runs before its exec is reported");
            thread::sleep(Duration::from_millis(5));
        }
        assert!(!has_exec(), "it comes early");
        ended(pid);
        assert!(mark.exists());
        let (exec, exit) = (exec_of(pid), exit_of(pid));
        assert!(exec.global < exit.global);
    }
    fs::remove_dir_all(&folder).expect("removed");
    delete(client);
}

/// A client sees nothing that happened before it was made, not even of a process that waits.
fn late_client(_: &[String]) {
    let pid = shell("exit 6", SUSPENDED);
    let client = client();
    kill(pid, libc::SIGCONT);
    ended(pid);
    let events: Vec<_> = all().iter().map(|seen| seen.event).collect();
    assert_eq!(events, [EXIT]);
    delete(client);
}

/// Prints the messages of a `posix_spawn` that fails.
fn failed(_: &[String]) {
    let client = client();
    assert_eq!(spawn(&["/no/such/file"], SUSPENDED, 0), Err(libc::ENOENT));
    assert_eq!(spawn(&["/dev/null"], 0, 0), Err(libc::EACCES));
    let events: Vec<_> = all().iter().map(|seen| seen.event).collect();
    println!("{events:?}");
    delete(client);
}

/// One SIGKILL ends a process that waits.
fn killed(_: &[String]) {
    let pid = shell("exit 7", SUSPENDED);
    kill(pid, libc::SIGKILL);
    assert_eq!(libc::WTERMSIG(ended(pid)), libc::SIGKILL);
}

/// SIGKILL does nothing to a process that waits, until SIGCONT comes.
fn hangs(_: &[String]) {
    let client = client();
    let folder = folder();
    let mark = folder.join("mark");
    let pid = shell(&format!("touch {}", mark.display()), SUSPENDED);
    for _ in 0..3 {
        kill(pid, libc::SIGKILL);
        thread::sleep(Duration::from_millis(20));
        let mut status = 0;
        // SAFETY: a child of ours.
        let found = unsafe { libc::waitpid(pid, &raw mut status, libc::WNOHANG) };
        assert_eq!(found, 0, "it has ended");
    }
    kill(pid, libc::SIGCONT);
    let status = ended(pid);
    assert_eq!(libc::WTERMSIG(status), libc::SIGKILL);
    assert_eq!(exit_of(pid).status, status);
    assert!(!mark.exists(), "it has run");
    fs::remove_dir_all(&folder).expect("removed");
    // The same with a signal to its group.
    let group = shell("exit 0", SUSPENDED | GROUP);
    kill(-group, libc::SIGKILL);
    thread::sleep(Duration::from_millis(20));
    let mut status = 0;
    // SAFETY: a child of ours.
    let found = unsafe { libc::waitpid(group, &raw mut status, libc::WNOHANG) };
    assert_eq!(found, 0, "it has ended");
    kill(-group, libc::SIGCONT);
    assert_eq!(libc::WTERMSIG(ended(group)), libc::SIGKILL);
    // A process that runs is killed at once.
    let pid = shell("exec sleep 60", SUSPENDED);
    kill(pid, libc::SIGCONT);
    kill(pid, libc::SIGKILL);
    assert_eq!(libc::WTERMSIG(ended(pid)), libc::SIGKILL);
    delete(client);
}

/// Groups and sessions: in an exec, the process is still in the group of its parent, and the target in its own.
fn groups(_: &[String]) {
    let client = client();
    let own = |pid| {
        let process = fork_of(pid).process;
        (process.group, process.session)
    };
    // SAFETY: always possible.
    let (group, session) = unsafe { (libc::getpgrp(), libc::getsid(0)) };
    for (flags, new) in [
        (0, |_| None),
        (GROUP, |pid| Some((pid, None))),
        (SESSION, |pid| Some((pid, Some(pid)))),
    ] as [(c_int, fn(i32) -> Option<(i32, Option<i32>)>); 3]
    {
        let pid = shell("exit 0", flags);
        let expected = new(pid).map_or((group, session), |(group, new)| {
            (group, new.unwrap_or(session))
        });
        let exec = exec_of(pid);
        assert_eq!(own(pid), (group, session));
        let target = exec.other.expect("a target");
        assert_eq!((exec.process.group, exec.process.session), (group, session));
        assert_eq!((target.group, target.session), expected);
        ended(pid);
        let exit = exit_of(pid).process;
        assert_eq!((exit.group, exit.session), expected);
    }
    delete(client);
}

/// A process whose parent has ended becomes a child of launchd.
fn orphan(_: &[String]) {
    let client = client();
    let folder = folder();
    let fifo = folder.join("fifo");
    let path = fifo.display();
    let pid = shell(
        &format!("mkfifo {path}; (read line < {path}; exit 3) & exit 0"),
        0,
    );
    ended(pid);
    fs::write(&fifo, "go\n").expect("written");
    let exit = wait_for("exit of the orphan", |seen| {
        seen.event == EXIT && seen.status == 3 << 8
    });
    let process = exit.process;
    assert_eq!((process.parent, process.original_parent), (1, pid));
    assert_eq!((process.parent_token[5], process.parent_token[1]), (1, 0));
    let fork = fork_of(process.pid()).other.expect("a child");
    assert_eq!((fork.parent, fork.original_parent), (pid, pid));
    assert_eq!(fork.start, process.start);
    fs::remove_dir_all(&folder).expect("removed");
    delete(client);
}

/// The status of an exit is the one that the parent's wait returns, with macOS's numbers of signals.
fn statuses(_: &[String]) {
    let client = client();
    for script in [
        "exit 0",
        "exit 255",
        "kill -KILL $$",
        "kill -USR1 $$",
        "kill -BUS $$",
        "kill -STOP $$; exit 1",
    ] {
        let pid = shell(script, 0);
        if script.contains("STOP") {
            while stop_of(pid).is_none() {
                thread::sleep(Duration::from_millis(5));
            }
            kill(pid, libc::SIGCONT);
        }
        let status = ended(pid);
        assert_eq!(exit_of(pid).status, status, "{script}");
        if script.contains("USR1") {
            assert_eq!(status, 30);
        }
    }
    delete(client);
}

/// Many processes at once: each has one fork, one exec and one exit, in this order.
fn threads(_: &[String]) {
    let client = client();
    let workers: Vec<_> = (0..6)
        .map(|_| {
            thread::spawn(|| {
                let run = |_| {
                    let mut child = Command::new("/bin/true").spawn().expect("it starts");
                    let pid = child.id().cast_signed();
                    assert_eq!(child.wait().expect("its end").into_raw(), 0);
                    pid
                };
                (0..20).map(run).collect::<Vec<_>>()
            })
        })
        .collect();
    let pids: Vec<i32> = workers
        .into_iter()
        .flat_map(|worker| worker.join().expect("no panic"))
        .collect();
    let mut of_pid: HashMap<i32, Vec<u32>> = HashMap::new();
    let mut versions = Vec::new();
    for seen in all() {
        let pid = match (&seen.other, seen.event) {
            (Some(child), FORK) => child.pid(),
            _ => seen.process.pid(),
        };
        versions.extend(seen.other.map(|other| other.version()));
        of_pid.entry(pid).or_default().push(seen.event);
    }
    for pid in &pids {
        assert_eq!(of_pid[pid], [FORK, EXEC, EXIT], "{pid}");
    }
    assert_eq!(of_pid.len(), pids.len());
    assert!(versions.is_sorted(), "versions only grow");
    delete(client);
}

/// A program for macOS below this one is seen by its own path, and knows its own token.
fn macos(_: &[String]) {
    let client = client();
    let own = std::env::current_exe().expect("a path");
    let own = own.to_str().expect("UTF-8");
    let folder = folder();
    let out = folder.join("out");
    let out = out.to_str().expect("UTF-8");
    let pid = spawn(&[own, "live", "child", out], SUSPENDED, 0).expect("it starts");
    let target = exec_of(pid).other.expect("a target");
    assert_eq!(target.path, own);
    assert_eq!(exec_of(pid).args, [own, "live", "child", out]);
    kill(pid, libc::SIGCONT);
    assert_eq!(libc::WEXITSTATUS(ended(pid)), 9);
    assert_eq!(
        fs::read_to_string(out).expect("written"),
        format!("{:?}", target.token)
    );
    // The processes that it started are seen, too.
    let fork = wait_for("its fork", |seen| {
        seen.event == FORK && seen.process.pid() == pid
    });
    let grandchild = fork.other.expect("a child");
    assert_eq!(exec_of(grandchild.pid()).args, ["sh", "-c", "exit 9"]);
    assert_eq!(exit_of(grandchild.pid()).status, 9 << 8);
    fs::remove_dir_all(&folder).expect("removed");
    delete(client);
}

/// A program that writes its token to a file, and exits with the status of a shell that it starts.
fn child(args: &[String]) {
    fs::write(&args[0], format!("{:?}", own_token())).expect("written");
    let status = Command::new("sh").args(["-c", "exit 9"]).status();
    std::process::exit(status.expect("run").code().expect("a status"));
}

/// A script is executed by its interpreter, and the message names it.
fn script(_: &[String]) {
    use std::os::unix::fs::PermissionsExt as _;
    let client = client();
    let folder = folder();
    let path = folder.join("script");
    fs::write(&path, "#!/bin/sh\nexit 8\n").expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("set");
    let name = path.to_str().expect("UTF-8");
    let pid = spawn(&[name, "arg"], 0, 0).expect("it starts");
    assert_eq!(libc::WEXITSTATUS(ended(pid)), 8);
    let exec = exec_of(pid);
    assert_eq!(
        (exec.script.as_str(), exec.other.expect("a target").path),
        (name, sh())
    );
    assert_eq!(exec.args, ["/bin/sh", name, "arg"]);
    fs::remove_dir_all(&folder).expect("removed");
    delete(client);
}

/// When `waitpid` returns, the exit is already queued: `es_sync_client` waits for no more than that.
fn before_wait(_: &[String]) {
    let client = client();
    for _ in 0..50 {
        let pid = spawn(&["/bin/true"], 0, 0).expect("it starts");
        ended(pid);
        static DONE: Mutex<bool> = Mutex::new(false);
        unsafe extern "C" fn synchronized(_: *const Block) {
            *DONE.lock().expect("no panic") = true;
            CHANGED.notify_all();
        }
        *DONE.lock().expect("no panic") = false;
        let block = Block::new(synchronized as *const () as *const c_void, ptr::null_mut());
        type Synchronize = unsafe extern "C" fn(*mut es_client_t, *const Block) -> es_return_t;
        // SAFETY: the function's type, and a client that isn't deleted.
        unsafe {
            let function = newer("es_sync_client").expect("a function of 27.0");
            let function: Synchronize = std::mem::transmute(function);
            assert_eq!(function(client, &raw const block).0, 0);
        }
        while !*DONE.lock().expect("no panic") {
            thread::yield_now();
        }
        let seen = seen();
        let events: Vec<_> = seen
            .iter()
            .filter(|seen| {
                seen.process.pid() == pid
                    || seen.other.as_ref().is_some_and(|other| other.pid() == pid)
            })
            .map(|seen| seen.event)
            .collect();
        assert_eq!(events, [FORK, EXEC, EXIT]);
    }
    delete(client);
}

/// Messages of other processes lie between those of a tree; none of them has a process of the tree.
fn noise(_: &[String]) {
    let client = client();
    let pid = shell("/bin/true; /bin/true", 0);
    ended(pid);
    let seen = all();
    let is_foreign = |seen: &&Seen| seen.process.pid() == 1 || seen.process.pid() >= 200_000_000;
    let (foreign, own): (Vec<_>, Vec<_>) = seen.iter().partition(is_foreign);
    let events: Vec<_> = own.iter().map(|seen| seen.event).collect();
    assert_eq!(
        events,
        [FORK, EXEC, FORK, EXEC, EXIT, FORK, EXEC, EXIT, EXIT]
    );
    assert!(foreign.len() > own.len(), "{}", foreign.len());
    let own_pids: Vec<_> = own.iter().map(|seen| seen.process.pid()).collect();
    for seen in foreign {
        let others = [
            seen.process.parent,
            seen.process.original_parent,
            seen.process.group,
        ];
        assert!(
            others.iter().all(|other| !own_pids.contains(other)),
            "{seen:?}"
        );
    }
    delete(client);
}

/// launchd's next process gets the identifier of one that has ended, but another version and start time; a process
/// that it starts is no descendant.
fn reused(_: &[String]) {
    let client = client();
    let pid = shell("exit 0", 0);
    let first = exec_of(pid).other.expect("a target");
    ended(pid);
    let fork = wait_for("other fork", |seen| {
        let is_it = |child: &Shown| child.pid() == pid && child.version() > first.version();
        seen.event == FORK && seen.other.as_ref().is_some_and(is_it)
    });
    assert!(fork.global > exit_of(pid).global);
    assert_eq!(
        (fork.process.pid(), fork.process.path.as_str()),
        (1, "/sbin/launchd")
    );
    let second = fork.other.expect("a child");
    assert!(second.start > first.start);
    assert_eq!((second.parent, second.original_parent), (1, 1));
    let below = wait_for("its child", |seen| {
        let child = seen.other.as_ref();
        seen.event == FORK && child.is_some_and(|child| child.parent == pid)
    });
    assert!(below.process.version() > second.version());
    delete(client);
}

/// The time of messages runs backwards between neighbours.
fn jitter(_: &[String]) {
    let client = client();
    ended(shell("/bin/true; /bin/true", 0));
    let seen = all();
    let backwards = seen.windows(2).filter(|pair| pair[1].ticks < pair[0].ticks);
    assert!(backwards.count() > 0);
    assert!(seen.windows(2).all(|pair| pair[1].global > pair[0].global));
    delete(client);
}

/// The signals that are ignored and those that are blocked, in macOS's numbers.
fn print_signals() {
    let mut ignored = Vec::new();
    let (mut blocked, mut mask) = (Vec::new(), 0);
    // SAFETY: variables of our own.
    unsafe {
        libc::pthread_sigmask(libc::SIG_BLOCK, ptr::null(), &raw mut mask);
        for signal in (1..32).filter(|signal| *signal != libc::SIGPIPE) {
            let mut action: libc::sigaction = std::mem::zeroed();
            if libc::sigaction(signal, ptr::null(), &raw mut action) == 0
                && action.sa_sigaction == libc::SIG_IGN
            {
                ignored.push(signal);
            }
            if libc::sigismember(&raw const mask, signal) == 1 {
                blocked.push(signal);
            }
        }
    }
    print!("{ignored:?} {blocked:?}");
}

/// `posix_spawn` sets signals, group and files of a Linux program and of one for macOS.
fn attributes(_: &[String]) {
    const DEFAULTS: i16 = 0x4;
    const MASK: i16 = 0x8;
    let folder = folder();
    let own = std::env::current_exe().expect("a path");
    let own = own.to_str().expect("UTF-8");
    // Signals as Linux numbers them: HUP 1 is ignored, USR1 10 isn't any more, USR2 12 is blocked.
    let linux = "sed -n 's/^Sig\\(Blk\\|Ign\\):[^0-9a-f]*//p' /proc/self/status | tr '\n' ' '; cat; pwd; ps -o pgid= -p $$";
    let commands: [(&[&str], &str); 2] = [
        (&["/bin/sh", "-c", linux], ""),
        (&[own, "live", "signals"], "[1] [31]"),
    ];
    // SAFETY: as of each function's documentation.
    unsafe {
        for signal in [libc::SIGHUP, libc::SIGUSR1] {
            libc::signal(signal, libc::SIG_IGN);
        }
    }
    for (command, expected) in commands {
        let strings: Vec<_> = command
            .iter()
            .map(|text| CString::new(*text).expect("no NUL"))
            .collect();
        let mut args: Vec<_> = strings
            .iter()
            .map(|text| text.as_ptr().cast_mut())
            .collect();
        args.push(ptr::null_mut());
        let (input, output) = (folder.join("input"), folder.join("output"));
        fs::write(&input, "the input\n").expect("written");
        let path =
            |path: &std::path::Path| CString::new(path.to_str().expect("UTF-8")).expect("no NUL");
        let (input, out) = (path(&input), path(&output));
        let mut pid = 0;
        // SAFETY: as of each function's documentation.
        unsafe {
            let mut attributes = ptr::null_mut();
            libc::posix_spawnattr_init(&raw mut attributes);
            libc::posix_spawnattr_setflags(&raw mut attributes, DEFAULTS | MASK | GROUP as i16);
            libc::posix_spawnattr_setpgroup(&raw mut attributes, 0);
            let mut set = 0;
            libc::sigemptyset(&raw mut set);
            libc::sigaddset(&raw mut set, libc::SIGUSR1);
            libc::posix_spawnattr_setsigdefault(&raw mut attributes, &raw const set);
            libc::sigemptyset(&raw mut set);
            libc::sigaddset(&raw mut set, libc::SIGUSR2);
            libc::posix_spawnattr_setsigmask(&raw mut attributes, &raw const set);
            let mut actions = ptr::null_mut();
            libc::posix_spawn_file_actions_init(&raw mut actions);
            let write = libc::O_WRONLY | libc::O_CREAT | libc::O_TRUNC;
            libc::posix_spawn_file_actions_addopen(&raw mut actions, 0, input.as_ptr(), 0, 0);
            libc::posix_spawn_file_actions_addopen(&raw mut actions, 9, out.as_ptr(), write, 0o600);
            libc::posix_spawn_file_actions_adddup2(&raw mut actions, 9, 1);
            libc::posix_spawn_file_actions_addclose(&raw mut actions, 9);
            posix_spawn_file_actions_addchdir_np(&raw mut actions, c"/".as_ptr());
            let result = libc::posix_spawn(
                &raw mut pid,
                args[0],
                &raw const actions,
                &raw const attributes,
                args.as_ptr(),
                *_NSGetEnviron(),
            );
            assert_eq!(result, 0);
            libc::posix_spawnattr_destroy(&raw mut attributes);
            libc::posix_spawn_file_actions_destroy(&raw mut actions);
        }
        assert_eq!(ended(pid), 0);
        let written = fs::read_to_string(&output).expect("written");
        if expected.is_empty() {
            let words: Vec<_> = written.split_whitespace().collect();
            let [blocked, ignored, "the", "input", "/", group] = words[..] else {
                panic!("{written}");
            };
            let bits = |text| u64::from_str_radix(text, 16).expect("a number");
            assert_eq!(bits(blocked), 1 << 11, "{written}");
            assert_eq!(bits(ignored) & (1 | 1 << 9), 1, "{written}");
            assert_eq!(group, pid.to_string());
        } else {
            assert_eq!(written, expected);
        }
    }
    fs::remove_dir_all(&folder).expect("removed");
}

unsafe extern "C" {
    fn posix_spawn_file_actions_addchdir_np(
        actions: *mut libc::posix_spawn_file_actions_t,
        path: *const libc::c_char,
    ) -> c_int;
}

/// Leaves a process behind, which ends on its own.
fn outlived(_: &[String]) {
    let client = client();
    ended(shell("sleep 0.3 < /dev/null > /dev/null 2>&1 &", 0));
    delete(client);
}

/// Runs a shell script, and prints its forks, execs and exits and those of everything below it. Processes are
/// numbered by their forks: `?` is one whose fork was lost, and whose parent is known. With `after-others` it first
/// waits for a message.
fn tree(args: &[String]) {
    let client = client();
    if args.get(1).is_some_and(|arg| arg == "after-others") {
        wait_for("message", |_| true);
    }
    let status = ended(shell(&args[0], 0));
    let own = own_token();
    // The number of each process by its pid and version.
    let mut members = HashMap::from([((own[5].cast_signed(), own[7]), "0".to_string())]);
    let mut last = 0;
    for seen in all() {
        let process = &seen.process;
        let key = |shown: &Shown| (shown.pid(), shown.version());
        let parent = (
            process.parent_token[5].cast_signed(),
            process.parent_token[7],
        );
        let is_lost = !members.contains_key(&key(process)) && members.contains_key(&parent);
        if is_lost {
            members.insert(key(process), "?".into());
        }
        let Some(number) = members.get(&key(process)).cloned() else {
            continue;
        };
        match (seen.event, &seen.other) {
            (FORK, Some(child)) => {
                last += 1;
                members.insert(key(child), last.to_string());
                println!("{number} fork {last}");
            }
            (EXEC, Some(target)) => {
                members.insert(key(target), number.clone());
                println!("{number} exec {}", seen.args.join(" "));
            }
            _ => println!("{number} exit {}", seen.status),
        }
    }
    println!("status {status}");
    delete(client);
}
