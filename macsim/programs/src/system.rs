//! The conversions of libSystem, as a program sees them: each check panics if something is wrong.

use std::cell::Cell;
use std::ffi::{CStr, CString, c_int, c_void};
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::os::unix::fs::{
    FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, RwLock, mpsc};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

const CHECKS: &[(&str, fn())] = &[
    ("errors", errors),
    ("files", files),
    ("flags", flags),
    ("memory", memory),
    ("signals", signals),
    ("terminal", terminal),
    ("commands", commands),
    ("suspended", suspended),
    ("processes", processes),
    ("threads", threads),
    ("locks", locks),
    ("locals", locals),
    ("time", time),
    ("panics", panics),
    ("waiting", waiting),
    ("identity", identity),
    ("users", users),
];

/// Runs a check.
pub fn main(name: &str, args: &[String]) {
    match CHECKS.iter().find(|(check, _)| *check == name) {
        Some((_, check)) => check(),
        None if name == "list" => CHECKS.iter().for_each(|(check, _)| println!("{check}")),
        None if name == "missing" => missing(),
        None if name == "who" => who(),
        None if name == "own-group" => own_group(),
        None if name == "careless" => careless(),
        None if name == "command" => {
            let status = Command::new(&args[0]).args(&args[1..]).status();
            println!(
                "{:?}",
                status
                    .map(|status| status.code())
                    .map_err(|error| error.kind())
            );
        }
        None => panic!("no check {name}"),
    }
}

/// A folder of this run.
pub fn folder() -> PathBuf {
    let path = std::env::temp_dir().join(format!("macsim-checks-{}", std::process::id()));
    fs::create_dir_all(&path).expect("a folder");
    path
}

#[track_caller]
fn error<T>(result: io::Result<T>) -> (Option<i32>, ErrorKind) {
    let error = result.err().expect("an error");
    (error.raw_os_error(), error.kind())
}

fn errno() -> c_int {
    io::Error::last_os_error().raw_os_error().expect("a number")
}

fn errors() {
    let folder = folder();
    assert_eq!(
        error(File::open(folder.join("none"))),
        (Some(2), ErrorKind::NotFound)
    );
    File::create(folder.join("a")).expect("a file");
    assert_eq!(
        error(fs::remove_dir(&folder)),
        (Some(66), ErrorKind::DirectoryNotEmpty)
    );
    assert_eq!(
        error(fs::create_dir(&folder)),
        (Some(17), ErrorKind::AlreadyExists)
    );
    let long = folder.join("x".repeat(300));
    assert_eq!(error(File::open(long)).0, Some(63));
    let (mut reader, _writer) = io::pipe().expect("a pipe");
    // SAFETY: the descriptor is open.
    assert_eq!(
        unsafe { libc::fcntl(reader.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) },
        0
    );
    assert_eq!(
        error(reader.read(&mut [0])),
        (Some(35), ErrorKind::WouldBlock)
    );
    assert_eq!(
        io::Error::from_raw_os_error(66).to_string(),
        "Directory not empty (os error 66)"
    );
    assert_eq!(
        io::Error::from_raw_os_error(35).to_string(),
        "Resource temporarily unavailable (os error 35)"
    );
    // A value that the program itself writes there stays.
    // SAFETY: this thread's errno.
    unsafe {
        *libc::__error() = 0;
        libc::close(-1);
        assert_eq!(errno(), 9);
        *libc::__error() = 0;
        assert_eq!(errno(), 0);
    }
    fs::remove_dir_all(&folder).expect("removed");
}

fn files() {
    let folder = folder();
    let path = folder.join("file");
    fs::write(&path, "0123456789").expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("set");
    fs::hard_link(&path, folder.join("other")).expect("a link");
    std::os::unix::fs::symlink("file", folder.join("link")).expect("a link");
    let data = fs::metadata(&path).expect("data");
    assert_eq!((data.len(), data.mode(), data.nlink()), (10, 0o100_640, 2));
    assert_eq!(data.blksize() % 512, 0);
    let age = SystemTime::now().duration_since(data.modified().expect("a time"));
    assert!(age.expect("the past") < Duration::from_secs(60));
    assert!(
        fs::symlink_metadata(folder.join("link"))
            .expect("data")
            .is_symlink()
    );
    assert_eq!(
        fs::metadata(folder.join("link")).expect("data").ino(),
        data.ino()
    );
    assert_eq!(
        fs::read_link(folder.join("link")).expect("a link").to_str(),
        Some("file")
    );
    assert_eq!(
        fs::canonicalize(folder.join("link"))
            .expect("a path")
            .file_name(),
        path.file_name()
    );

    let null = fs::metadata("/dev/null").expect("data");
    assert!(null.file_type().is_char_device());
    assert_eq!(null.rdev(), 1 << 24 | 3); // Linux's numbers in macOS's form

    let mut names: Vec<_> = fs::read_dir(&folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry"))
        .collect();
    names.sort_by_key(fs::DirEntry::file_name);
    let kinds: Vec<_> = names
        .iter()
        .map(|entry| {
            (
                entry.file_name().to_string_lossy().into_owned(),
                entry.file_type().expect("a type").is_symlink(),
            )
        })
        .collect();
    assert_eq!(
        kinds,
        [
            ("file".into(), false),
            ("link".into(), true),
            ("other".into(), false)
        ]
    );

    fs::rename(&path, folder.join("new")).expect("renamed");
    assert_eq!(
        fs::read_to_string(folder.join("new")).expect("read"),
        "0123456789"
    );
    fs::remove_dir_all(&folder).expect("removed");
    assert!(!folder.exists());
}

fn flags() {
    let folder = folder();
    let path = folder.join("file");
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
        .expect("a new file");
    file.write_all(b"abc").expect("written");
    assert_eq!(
        error(OpenOptions::new().write(true).create_new(true).open(&path)).1,
        ErrorKind::AlreadyExists
    );
    let mut file = OpenOptions::new().append(true).open(&path).expect("a file");
    file.write_all(b"def").expect("written");
    assert_eq!(fs::read(&path).expect("read"), b"abcdef");
    let descriptor = file.as_raw_fd();
    let mut name = [0_u8; 1024];
    // SAFETY: the descriptor is open, and the name has room.
    unsafe {
        assert_eq!(libc::fcntl(descriptor, libc::F_GETFD), libc::FD_CLOEXEC);
        assert_eq!(
            libc::fcntl(descriptor, libc::F_GETFL),
            libc::O_WRONLY | libc::O_APPEND
        );
        assert_eq!(libc::fcntl(descriptor, libc::F_SETFL, libc::O_NONBLOCK), 0);
        assert_eq!(
            libc::fcntl(descriptor, libc::F_GETFL),
            libc::O_WRONLY | libc::O_NONBLOCK
        );
        assert_eq!(
            libc::fcntl(descriptor, libc::F_GETPATH, name.as_mut_ptr()),
            0
        );
        let copy = libc::fcntl(descriptor, libc::F_DUPFD_CLOEXEC, 100);
        assert!(copy >= 100);
        libc::close(copy);
        assert_eq!(libc::fcntl(descriptor, libc::F_FULLFSYNC), 0);
    }
    let name = CStr::from_bytes_until_nul(&name)
        .expect("a name")
        .to_str()
        .expect("UTF-8");
    assert_eq!(
        name,
        fs::canonicalize(&path)
            .expect("a path")
            .to_str()
            .expect("UTF-8")
    );
    drop(
        OpenOptions::new()
            .write(true)
            .truncate(true)
            .open(&path)
            .expect("a file"),
    );
    assert_eq!(fs::metadata(&path).expect("data").len(), 0);
    let link = folder.join("link");
    std::os::unix::fs::symlink("file", &link).expect("a link");
    let with = |flags: c_int| {
        OpenOptions::new()
            .read(true)
            .custom_flags(flags)
            .open(&link)
    };
    assert_eq!(error(with(libc::O_NOFOLLOW)).0, Some(62));
    assert_eq!(error(with(libc::O_DIRECTORY)).0, Some(20));
    fs::remove_dir_all(&folder).expect("removed");
}

fn memory() {
    let folder = folder();
    let path = folder.join("file");
    fs::write(&path, vec![7_u8; 10_000]).expect("written");
    let file = File::open(&path).expect("a file");
    // SAFETY: new memory.
    unsafe {
        let mapped = libc::mmap(
            ptr::null_mut(),
            10_000,
            libc::PROT_READ,
            libc::MAP_PRIVATE,
            file.as_raw_fd(),
            4096,
        );
        assert_ne!(mapped, libc::MAP_FAILED);
        assert_eq!(*mapped.cast::<u8>().add(5000), 7);
        assert_eq!(libc::munmap(mapped, 10_000), 0);
        let flags = libc::MAP_PRIVATE | libc::MAP_ANON;
        let memory = libc::mmap(
            ptr::null_mut(),
            16384,
            libc::PROT_READ | libc::PROT_WRITE,
            flags,
            -1,
            0,
        );
        assert_ne!(memory, libc::MAP_FAILED);
        memory.cast::<u8>().add(16383).write(1);
        assert_eq!(libc::mprotect(memory, 4096, libc::PROT_NONE), 0);
        assert_eq!(libc::munmap(memory, 16384), 0);
        assert_eq!(
            libc::mmap(ptr::null_mut(), 0, 0, flags, -1, 0),
            libc::MAP_FAILED
        );
        assert_eq!(errno(), libc::EINVAL);
        assert_eq!(libc::sysconf(libc::_SC_PAGESIZE), 4096);
    }
    let mut large = vec![1_u8; 50 << 20];
    large.resize(60 << 20, 2);
    assert_eq!(large[(55 << 20) + 1], 2);
    fs::remove_dir_all(&folder).expect("removed");
}

static SEEN: AtomicI32 = AtomicI32::new(0);

extern "C" fn note(signal: c_int) {
    SEEN.store(signal, Ordering::Relaxed);
}

extern "C" fn note_info(signal: c_int, info: *const libc::siginfo_t, _: *const c_void) {
    // SAFETY: the system's info.
    let info = unsafe { &*info };
    // SAFETY: the signal was sent by a process.
    let pid = unsafe { info.si_pid() };
    assert_eq!(
        (info.si_signo, pid),
        (signal, std::process::id().cast_signed())
    );
    SEEN.store(1000 + signal, Ordering::Relaxed);
}

fn handle(signal: c_int, handler: usize, flags: c_int) -> libc::sigaction {
    // SAFETY: the handlers only write an atomic.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler;
        action.sa_flags = flags;
        let mut old = std::mem::zeroed();
        assert_eq!(libc::sigaction(signal, &raw const action, &raw mut old), 0);
        old
    }
}

fn signals() {
    let note: extern "C" fn(c_int) = note;
    let note_info: extern "C" fn(c_int, *const libc::siginfo_t, *const c_void) = note_info;
    // SAFETY: as of each function's documentation.
    unsafe {
        for signal in [
            libc::SIGUSR1,
            libc::SIGUSR2,
            libc::SIGCHLD,
            libc::SIGURG,
            libc::SIGINFO,
            libc::SIGWINCH,
        ] {
            let old = handle(signal, note as usize, 0);
            assert_eq!(old.sa_sigaction, libc::SIG_DFL);
            libc::raise(signal);
            assert_eq!(SEEN.swap(0, Ordering::Relaxed), signal);
        }
        let old = handle(libc::SIGUSR1, note_info as usize, libc::SA_SIGINFO);
        assert_eq!(old.sa_sigaction, note as usize);
        libc::kill(libc::getpid(), libc::SIGUSR1);
        assert_eq!(SEEN.swap(0, Ordering::Relaxed), 1000 + libc::SIGUSR1);

        // A blocked signal waits.
        let mut set = 0;
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, libc::SIGUSR2);
        let mut old = 0;
        assert_eq!(
            libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, &raw mut old),
            0
        );
        assert_eq!(libc::sigismember(&raw const old, libc::SIGUSR2), 0);
        libc::kill(libc::getpid(), libc::SIGUSR2);
        assert_eq!(SEEN.load(Ordering::Relaxed), 0);
        let mut pending = 0;
        libc::sigpending(&raw mut pending);
        assert_eq!(pending, set);
        let mut found = 0;
        assert_eq!(libc::sigwait(&raw const set, &raw mut found), 0);
        assert_eq!(found, libc::SIGUSR2);
        assert_eq!(
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const old, ptr::null_mut()),
            0
        );

        // A handler without SA_RESTART interrupts.
        handle(libc::SIGALRM, note as usize, 0);
        let mut pipe = [0; 2];
        assert_eq!(libc::pipe(pipe.as_mut_ptr()), 0);
        libc::alarm(1);
        assert_eq!(libc::read(pipe[0], (&raw mut found).cast(), 1), -1);
        assert_eq!(
            (errno(), SEEN.load(Ordering::Relaxed)),
            (libc::EINTR, libc::SIGALRM)
        );
    }
}

fn terminal() {
    let (mut main, mut other) = (0, 0);
    let mut size = libc::winsize {
        ws_row: 33,
        ws_col: 99,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // SAFETY: as of each function's documentation.
    unsafe {
        assert_eq!(
            libc::openpty(
                &raw mut main,
                &raw mut other,
                ptr::null_mut(),
                ptr::null_mut(),
                &raw mut size
            ),
            0
        );
        assert_eq!((libc::isatty(other), libc::isatty(main)), (1, 1));
        let mut termios: libc::termios = std::mem::zeroed();
        assert_eq!(libc::tcgetattr(other, &raw mut termios), 0);
        let usual = libc::ICANON | libc::ECHO | libc::ISIG | libc::IEXTEN;
        assert_eq!(termios.c_lflag & usual, usual);
        assert_eq!(
            termios.c_oflag & (libc::OPOST | libc::ONLCR),
            libc::OPOST | libc::ONLCR
        );
        assert_eq!(termios.c_iflag & libc::ICRNL, libc::ICRNL);
        assert_eq!(termios.c_cflag & libc::CSIZE, libc::CS8);
        assert_eq!(
            (termios.c_cc[libc::VINTR], termios.c_cc[libc::VEOF]),
            (3, 4)
        );
        let mut found: libc::winsize = std::mem::zeroed();
        assert_eq!(libc::ioctl(other, libc::TIOCGWINSZ, &raw mut found), 0);
        assert_eq!((found.ws_row, found.ws_col), (33, 99));
        size.ws_row = 44;
        assert_eq!(libc::ioctl(main, libc::TIOCSWINSZ, &raw const size), 0);
        assert_eq!(libc::ioctl(other, libc::TIOCGWINSZ, &raw mut found), 0);
        assert_eq!(found.ws_row, 44);

        // By default a newline becomes two characters; raw, it stays.
        let mut buffer = [0_u8; 16];
        assert_eq!(libc::write(other, c"a\n".as_ptr().cast(), 2), 2);
        let length = libc::read(main, buffer.as_mut_ptr().cast(), 16);
        assert_eq!(&buffer[..length as usize], b"a\r\n");
        libc::cfmakeraw(&raw mut termios);
        assert_eq!(libc::tcsetattr(other, libc::TCSANOW, &raw const termios), 0);
        let mut raw: libc::termios = std::mem::zeroed();
        assert_eq!(libc::tcgetattr(other, &raw mut raw), 0);
        assert_eq!((raw.c_lflag & usual, raw.c_oflag & libc::OPOST), (0, 0));
        assert_eq!((raw.c_cc[libc::VMIN], raw.c_cc[libc::VTIME]), (1, 0));
        assert_eq!(libc::write(other, c"a\n".as_ptr().cast(), 2), 2);
        let length = libc::read(main, buffer.as_mut_ptr().cast(), 16);
        assert_eq!(&buffer[..length as usize], b"a\n");

        let second = libc::posix_openpt(libc::O_RDWR | libc::O_NOCTTY);
        assert!(second >= 0);
        assert_eq!((libc::grantpt(second), libc::unlockpt(second)), (0, 0));
        let mut name = [0_i8; 128];
        assert_eq!(libc::ioctl(second, 0x4080_7453, name.as_mut_ptr()), 0); // TIOCPTYGNAME
        let slave = libc::open(name.as_ptr(), libc::O_RDWR | libc::O_NOCTTY);
        assert!(slave >= 0);
        let mut again = [0_i8; 128];
        assert_eq!(libc::ttyname_r(slave, again.as_mut_ptr(), 128), 0);
        assert_eq!(name, again);
        let file = File::open("/dev/null").expect("a file");
        assert_eq!(libc::isatty(file.as_raw_fd()), 0);
        assert_eq!(libc::tcgetattr(file.as_raw_fd(), &raw mut termios), -1);
        assert_eq!(errno(), libc::ENOTTY);
    }
}

fn commands() {
    let output = Command::new("sh")
        .args(["-c", "echo $A; pwd; cat; exit 3"])
        .env("A", "b")
        .current_dir("/")
        .stdin(Stdio::null())
        .output()
        .expect("run");
    assert_eq!(
        (output.stdout.as_slice(), output.status.code()),
        (&b"b\n/\n"[..], Some(3))
    );
    assert_eq!(
        error(Command::new("no-such-command").status()).1,
        ErrorKind::NotFound
    );
    assert_eq!(
        error(Command::new("/dev/null").status()).1,
        ErrorKind::PermissionDenied
    );
    let mut child = Command::new("cat")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("run");
    child
        .stdin
        .take()
        .expect("a pipe")
        .write_all(b"hello")
        .expect("written");
    assert_eq!(child.wait_with_output().expect("its end").stdout, b"hello");
    let mut child = Command::new("sleep")
        .arg("30")
        .process_group(0)
        .spawn()
        .expect("run");
    let pid = child.id().cast_signed();
    // SAFETY: the child isn't waited for yet.
    unsafe {
        assert_eq!(libc::getpgid(pid), pid);
        assert_eq!(libc::kill(-pid, libc::SIGUSR2), 0);
    }
    let status = child.wait().expect("its end");
    assert_eq!((status.signal(), status.code()), (Some(31), None));
    let mut command = Command::new("sh");
    command.args(["-c", "kill -STOP $$; exit 5"]);
    let mut child = command.spawn().expect("run");
    let pid = child.id().cast_signed();
    let mut status = 0;
    // SAFETY: as above.
    unsafe {
        assert_eq!(libc::waitpid(pid, &raw mut status, libc::WUNTRACED), pid);
        assert!(libc::WIFSTOPPED(status));
        assert_eq!(libc::WSTOPSIG(status), libc::SIGSTOP);
        libc::kill(pid, libc::SIGCONT);
    }
    assert_eq!(child.wait().expect("its end").code(), Some(5));
    let mut command = Command::new("sh");
    command.args(["-c", "ps -o sid= -p $$; echo $$"]);
    // SAFETY: nothing is done between fork and exec but this.
    unsafe {
        command.pre_exec(|| match libc::setsid() {
            -1 => Err(io::Error::last_os_error()),
            _ => Ok(()),
        });
    }
    let output = command.output().expect("run");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if let [session, pid] = text.split_whitespace().collect::<Vec<_>>()[..] {
        assert_eq!(session, pid);
    }
}

/// Starts `sh -c script` with `posix_spawn` flags.
pub fn spawn(script: &str, flags: c_int) -> i32 {
    let strings = ["sh", "-c", script].map(|text| CString::new(text).expect("no NUL"));
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
        assert_eq!(
            libc::posix_spawnattr_setflags(&raw mut attributes, flags as i16),
            0
        );
        let mut actions = ptr::null_mut();
        assert_eq!(libc::posix_spawn_file_actions_init(&raw mut actions), 0);
        assert_eq!(
            libc::posix_spawn_file_actions_adddup2(&raw mut actions, 1, 1),
            0
        );
        let environment = *_NSGetEnviron();
        let path = c"/bin/sh".as_ptr();
        assert_eq!(
            libc::posix_spawn(
                &raw mut pid,
                path,
                &raw const actions,
                &raw const attributes,
                args.as_ptr(),
                environment
            ),
            0
        );
        libc::posix_spawnattr_destroy(&raw mut attributes);
        libc::posix_spawn_file_actions_destroy(&raw mut actions);
    }
    pid
}

unsafe extern "C" {
    pub fn _NSGetEnviron() -> *const *const *mut libc::c_char;
    fn proc_pidpath(pid: c_int, buffer: *mut c_void, size: u32) -> c_int;
    fn proc_listpids(kind: u32, id: u32, buffer: *mut c_void, size: c_int) -> c_int;
    pub fn task_info(task: u32, flavor: u32, output: *mut u32, count: *mut u32) -> c_int;
    pub static mach_task_self_: u32;
    fn os_unfair_lock_lock(lock: *mut u32);
    fn os_unfair_lock_unlock(lock: *mut u32);
    fn mach_absolute_time() -> u64;
}

/// A flag of `posix_spawn`: the child waits for SIGCONT.
pub const SUSPENDED: c_int = 0x80;
const SESSION: c_int = 0x400;
const CLOSE_BY_DEFAULT: c_int = 0x4000;

pub fn ended(pid: i32) -> c_int {
    let mut status = 0;
    // SAFETY: a child of ours.
    assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
    status
}

fn suspended() {
    let folder = folder();
    let mark = folder.join("mark");
    let pid = spawn(&format!("touch {}; exit 4", mark.display()), SUSPENDED);
    thread::sleep(Duration::from_millis(200));
    assert!(!mark.exists(), "it runs already");
    let mut status = 0;
    // SAFETY: a child of ours.
    unsafe {
        // As in xnu's own test: it is stopped, but not by a signal, and the stop is reported once.
        let options = libc::WNOHANG | libc::WUNTRACED;
        assert_eq!(libc::waitpid(pid, &raw mut status, options), pid);
        assert!(libc::WIFSTOPPED(status));
        assert_eq!(libc::WSTOPSIG(status), 0);
        assert_eq!(libc::waitpid(pid, &raw mut status, options), 0);
        assert_eq!(libc::kill(pid, libc::SIGCONT), 0);
    }
    assert_eq!(libc::WEXITSTATUS(ended(pid)), 4);
    assert!(mark.exists());
    fs::remove_dir_all(&folder).expect("removed");

    let pid = spawn("exit 0", SUSPENDED | SESSION);
    // SAFETY: a child of ours.
    unsafe {
        assert_eq!(libc::getsid(pid), pid);
        libc::kill(pid, libc::SIGCONT);
    }
    ended(pid);

    // Standard output is inherited; everything else is closed.
    // SAFETY: a descriptor that the child would inherit.
    let open = unsafe { OwnedFd::from_raw_fd(libc::dup(2)) };
    let script = format!(
        "test -e /dev/fd/{} && exit 1; test -e /dev/fd/1",
        open.as_raw_fd()
    );
    assert_eq!(
        libc::WEXITSTATUS(ended(spawn(&script, CLOSE_BY_DEFAULT))),
        0
    );
    assert_eq!(libc::WEXITSTATUS(ended(spawn(&script, 0))), 1);
}

fn processes() {
    let own = std::process::id().cast_signed();
    let mut buffer = vec![0_u8; 4096];
    let mut pids = vec![0_i32; 100_000];
    // SAFETY: the buffers have room.
    unsafe {
        let length = proc_pidpath(own, buffer.as_mut_ptr().cast(), 4096);
        assert!(length > 0);
        let size = proc_listpids(1, 0, pids.as_mut_ptr().cast(), 400_000);
        assert!(pids[..size as usize / 4].contains(&own));
        assert_eq!(proc_pidpath(999_999, buffer.as_mut_ptr().cast(), 4096), 0);
        assert_eq!(errno(), libc::ESRCH);
        assert_eq!(libc::getpgrp(), libc::getpgid(0));
        // 0 where the session's leader lives outside of the container.
        assert_eq!(libc::getsid(0), libc::getsid(own));
        assert!(libc::getsid(0) >= 0);
    }
    let path = std::env::current_exe().expect("a path");
    assert_eq!(path.file_name().expect("a name"), "checks");
    let child = Command::new("sh")
        .args(["-c", "exit 7"])
        .spawn()
        .expect("run");
    // SAFETY: plain numbers, and the child isn't waited for yet.
    unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        let options = libc::WEXITED | libc::WNOWAIT;
        assert_eq!(
            libc::waitid(libc::P_PID, child.id(), &raw mut info, options),
            0
        );
        assert_eq!((info.si_signo, info.si_status()), (libc::SIGCHLD, 7));
        let mut usage: libc::rusage = std::mem::zeroed();
        let mut status = 0;
        assert_eq!(
            libc::wait4(child.id().cast_signed(), &raw mut status, 0, &raw mut usage),
            child.id().cast_signed()
        );
        assert_eq!(libc::WEXITSTATUS(status), 7);
        assert!(usage.ru_maxrss > 100_000, "bytes: {}", usage.ru_maxrss);
        assert!(
            libc::getrusage(libc::RUSAGE_SELF, &raw mut usage) == 0 && usage.ru_maxrss > 100_000
        );
    }
}

fn threads() {
    let total = Arc::new(Mutex::new(0_u64));
    let workers: Vec<_> = (0..4)
        .map(|_| {
            let total = Arc::clone(&total);
            thread::Builder::new()
                .name("worker with a long name".into())
                .spawn(move || {
                    for _ in 0..10_000 {
                        *total.lock().expect("no panic") += 1;
                    }
                    thread::current().name().map(str::len)
                })
        })
        .collect();
    for worker in workers {
        assert_eq!(
            worker.expect("a thread").join().expect("no panic"),
            Some(23)
        );
    }
    assert_eq!(*total.lock().expect("no panic"), 40_000);

    let (sender, receiver) = mpsc::sync_channel(4);
    let producer = thread::spawn(move || {
        (0..10_000_u64).for_each(|number| sender.send(number).expect("a receiver"))
    });
    assert_eq!(receiver.iter().sum::<u64>(), 49_995_000);
    producer.join().expect("no panic");

    let pair = (Mutex::new(false), Condvar::new());
    thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(Duration::from_millis(30));
            *pair.0.lock().expect("no panic") = true;
            pair.1.notify_all();
        });
        let mut ready = pair.0.lock().expect("no panic");
        while !*ready {
            ready = pair.1.wait(ready).expect("no panic");
        }
    });
    let began = Instant::now();
    let guard = pair.0.lock().expect("no panic");
    let (guard, timeout) = pair
        .1
        .wait_timeout(guard, Duration::from_millis(50))
        .expect("no panic");
    drop(guard);
    assert!(timeout.timed_out() && began.elapsed() >= Duration::from_millis(49));
    thread::park_timeout(Duration::ZERO); // takes what an earlier wake has left
    let began = Instant::now();
    thread::park_timeout(Duration::from_millis(50));
    assert!(began.elapsed() >= Duration::from_millis(49));
    let lock = RwLock::new(1);
    thread::scope(|scope| {
        let read = lock.read().expect("no panic");
        let writer = scope.spawn(|| *lock.write().expect("no panic") += 1);
        thread::sleep(Duration::from_millis(20));
        assert_eq!(*read, 1);
        drop(read);
        writer.join().expect("no panic");
    });
    assert_eq!(*lock.read().expect("no panic"), 2);
}

/// The locks of C, from their static initialisers.
fn locks() {
    struct Locks {
        mutex: libc::pthread_mutex_t,
        condition: libc::pthread_cond_t,
        rwlock: libc::pthread_rwlock_t,
        unfair: u32,
        value: u64,
    }
    for round in 0..50 {
        let mut locks = Locks {
            mutex: libc::PTHREAD_MUTEX_INITIALIZER,
            condition: libc::PTHREAD_COND_INITIALIZER,
            rwlock: libc::PTHREAD_RWLOCK_INITIALIZER,
            unfair: 0,
            value: 0,
        };
        let address = &raw mut locks as usize;
        let run = move || {
            let locks = address as *mut Locks;
            // SAFETY: the locks outlive the threads, and guard the value.
            unsafe {
                for _ in 0..100 {
                    assert_eq!(libc::pthread_mutex_lock(&raw mut (*locks).mutex), 0);
                    (*locks).value += 1;
                    libc::pthread_cond_signal(&raw mut (*locks).condition);
                    assert_eq!(libc::pthread_mutex_unlock(&raw mut (*locks).mutex), 0);
                    libc::pthread_rwlock_wrlock(&raw mut (*locks).rwlock);
                    os_unfair_lock_lock(&raw mut (*locks).unfair);
                    os_unfair_lock_unlock(&raw mut (*locks).unfair);
                    libc::pthread_rwlock_unlock(&raw mut (*locks).rwlock);
                }
            }
        };
        let threads: Vec<_> = (0..3).map(|_| thread::spawn(run)).collect();
        // SAFETY: as above.
        unsafe {
            libc::pthread_mutex_lock(&raw mut locks.mutex);
            while (&raw const locks.value).read_volatile() < 300 {
                libc::pthread_cond_wait(&raw mut locks.condition, &raw mut locks.mutex);
            }
            assert_eq!(
                libc::pthread_mutex_trylock(&raw mut locks.mutex),
                libc::EBUSY,
                "round {round}"
            );
            libc::pthread_mutex_unlock(&raw mut locks.mutex);
        }
        threads
            .into_iter()
            .for_each(|thread| thread.join().expect("no panic"));
    }
    // SAFETY: variables of our own.
    unsafe {
        let mut attributes = std::mem::zeroed();
        libc::pthread_mutexattr_init(&raw mut attributes);
        libc::pthread_mutexattr_settype(&raw mut attributes, libc::PTHREAD_MUTEX_RECURSIVE);
        let mut mutex = libc::PTHREAD_MUTEX_INITIALIZER;
        libc::pthread_mutex_init(&raw mut mutex, &raw const attributes);
        assert_eq!(
            (
                libc::pthread_mutex_lock(&raw mut mutex),
                libc::pthread_mutex_lock(&raw mut mutex)
            ),
            (0, 0)
        );
        assert_eq!(
            (
                libc::pthread_mutex_unlock(&raw mut mutex),
                libc::pthread_mutex_unlock(&raw mut mutex)
            ),
            (0, 0)
        );
        let mut condition = libc::PTHREAD_COND_INITIALIZER;
        libc::pthread_mutex_lock(&raw mut mutex);
        let past = libc::timespec {
            tv_sec: 1,
            tv_nsec: 0,
        };
        assert_eq!(
            libc::pthread_cond_timedwait(&raw mut condition, &raw mut mutex, &raw const past),
            libc::ETIMEDOUT
        );
    }
}

static DROPPED: AtomicUsize = AtomicUsize::new(0);

struct Noisy(&'static str);

impl Drop for Noisy {
    fn drop(&mut self) {
        DROPPED.fetch_add(1, Ordering::Relaxed);
        println!("dropped {}", self.0);
    }
}

#[repr(align(64))]
struct Line(Cell<u64>);

thread_local! {
    static NOISY: Cell<Option<Noisy>> = const { Cell::new(None) };
    static LATE: Noisy = const { Noisy("late") };
    static LINE: Line = const { Line(Cell::new(41)) };
    static LAZY: Vec<u8> = vec![1, 2, 3];
}

fn locals() {
    let use_all = || {
        LINE.with(|line| {
            assert_eq!(ptr::from_ref(line) as usize % 64, 0);
            line.0.set(line.0.get() + 1);
            assert_eq!(line.0.get(), 42);
        });
        assert_eq!(LAZY.with(Vec::len), 3);
    };
    use_all();
    for _ in 0..3 {
        thread::spawn(move || {
            use_all();
            NOISY.set(Some(Noisy("with its thread")));
            LATE.with(|_| ());
        })
        .join()
        .expect("no panic");
    }
    assert_eq!(DROPPED.load(Ordering::Relaxed), 6);
    NOISY.set(Some(Noisy("at the end")));
}

fn time() {
    let before = Instant::now();
    thread::sleep(Duration::from_millis(20));
    assert!(before.elapsed() >= Duration::from_millis(20));
    assert!(SystemTime::UNIX_EPOCH.elapsed().expect("later").as_secs() > 1_700_000_000);
    // SAFETY: variables of our own.
    unsafe {
        let mut spec: libc::timespec = std::mem::zeroed();
        for clock in [
            libc::CLOCK_REALTIME,
            libc::CLOCK_MONOTONIC,
            libc::CLOCK_PROCESS_CPUTIME_ID,
            libc::CLOCK_UPTIME_RAW,
        ] {
            assert_eq!(libc::clock_gettime(clock, &raw mut spec), 0);
            assert!(spec.tv_sec > 0 || spec.tv_nsec > 0);
        }
        let mut of_day: libc::timeval = std::mem::zeroed();
        assert_eq!(libc::gettimeofday(&raw mut of_day, ptr::null_mut()), 0);
        assert!(of_day.tv_sec > 1_700_000_000);
        let mut broken: libc::tm = std::mem::zeroed();
        let seconds = 1_767_225_600; // 2026-01-01T00:00:00Z
        assert!(!libc::localtime_r(&raw const seconds, &raw mut broken).is_null());
        assert_eq!(
            (broken.tm_year, broken.tm_hour, broken.tm_gmtoff),
            (126, 3, 10_800)
        ); // TZ is three hours east
        let (first, second) = (mach_absolute_time(), mach_absolute_time());
        assert!(second >= first);
    }
}

fn panics() {
    std::panic::set_hook(Box::new(|_| {}));
    let caught = std::panic::catch_unwind(|| {
        let _noisy = Noisy("while unwinding");
        deep(10)
    });
    let payload = caught.expect_err("a panic");
    assert_eq!(
        payload.downcast_ref::<String>().map(String::as_str),
        Some("at the bottom: 55")
    );
    assert_eq!(DROPPED.load(Ordering::Relaxed), 1);
    assert!(thread::spawn(|| panic!("in a thread")).join().is_err());
    let poisoned = Arc::new(Mutex::new(0));
    let other = Arc::clone(&poisoned);
    let result = thread::spawn(move || {
        let _guard = other.lock().expect("no panic yet");
        let values: Vec<i32> = Vec::new();
        values[std::hint::black_box(3)]
    });
    assert!(result.join().is_err() && poisoned.is_poisoned());
    let again = std::panic::catch_unwind(|| {
        let inner = std::panic::catch_unwind(|| std::panic::panic_any(17_u8));
        std::panic::resume_unwind(inner.expect_err("a panic"))
    });
    assert_eq!(again.expect_err("a panic").downcast_ref::<u8>(), Some(&17));
}

#[inline(never)]
fn deep(level: u64) -> u64 {
    // Enough variables for frames of different kinds.
    let numbers: Vec<u64> = (0..=std::hint::black_box(level)).collect();
    let text = format!("{numbers:?}");
    if level == 0 {
        panic!("at the bottom: {}", (0..=10_u64).sum::<u64>());
    }
    let below = deep(level - 1);
    below + text.len() as u64
}

fn waiting() {
    let (mut reader, mut writer) = io::pipe().expect("a pipe");
    let mut poll = libc::pollfd {
        fd: reader.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: variables of our own.
    unsafe {
        assert_eq!(libc::poll(&raw mut poll, 1, 10), 0);
        writer.write_all(b"x").expect("written");
        assert_eq!(libc::poll(&raw mut poll, 1, 1000), 1);
        assert_eq!(poll.revents, libc::POLLIN);
        let mut set: libc::fd_set = std::mem::zeroed();
        libc::FD_SET(reader.as_raw_fd(), &raw mut set);
        let mut limit = libc::timeval {
            tv_sec: 1,
            tv_usec: 0,
        };
        let ready = libc::select(
            reader.as_raw_fd() + 1,
            &raw mut set,
            ptr::null_mut(),
            ptr::null_mut(),
            &raw mut limit,
        );
        assert_eq!(ready, 1);
        let mut available: c_int = 0;
        assert_eq!(
            libc::ioctl(reader.as_raw_fd(), libc::FIONREAD, &raw mut available),
            0
        );
        assert_eq!(available, 1);
        reader.read_exact(&mut [0]).expect("read");
        drop(writer);
        poll.revents = 0;
        assert_eq!(libc::poll(&raw mut poll, 1, 1000), 1);
        assert_eq!(poll.revents & libc::POLLHUP, libc::POLLHUP);
        let mut pair = [0; 2];
        assert_eq!(
            libc::socketpair(libc::AF_UNIX, libc::SOCK_STREAM, 0, pair.as_mut_ptr()),
            0
        );
        assert_eq!(libc::write(pair[0], c"y".as_ptr().cast(), 1), 1);
    }
}

fn identity() {
    let mut token = [0_u32; 8];
    let mut count = 8;
    // SAFETY: the buffers have room.
    unsafe {
        assert_eq!(
            task_info(mach_task_self_, 15, token.as_mut_ptr(), &raw mut count),
            0
        );
        assert_eq!((token[5], token[1]), (std::process::id(), libc::geteuid()));
        println!(
            "auid {} euid {} pidversion {}",
            token[0], token[1], token[7]
        );
        let mut account: libc::passwd = std::mem::zeroed();
        let mut buffer = [0_i8; 1024];
        let mut result = ptr::null_mut();
        assert_eq!(
            libc::getpwnam_r(
                c"root".as_ptr(),
                &raw mut account,
                buffer.as_mut_ptr(),
                1024,
                &raw mut result
            ),
            0
        );
        assert_eq!(
            (account.pw_uid, CStr::from_ptr(account.pw_dir)),
            (0, c"/var/root")
        );
        assert_eq!(
            libc::getpwnam_r(
                c"root".as_ptr(),
                &raw mut account,
                buffer.as_mut_ptr(),
                8,
                &raw mut result
            ),
            libc::ERANGE
        );
        assert_eq!(
            libc::getpwnam_r(
                c"no-such-user".as_ptr(),
                &raw mut account,
                buffer.as_mut_ptr(),
                1024,
                &raw mut result
            ),
            0
        );
        assert!(result.is_null());
        let mut version = [0_u8; 32];
        let mut size = version.len();
        let name = c"kern.osproductversion".as_ptr();
        assert_eq!(
            libc::sysctlbyname(
                name,
                version.as_mut_ptr().cast(),
                &raw mut size,
                ptr::null_mut(),
                0
            ),
            0
        );
        println!(
            "macOS {}",
            CStr::from_bytes_until_nul(&version)
                .expect("a text")
                .to_string_lossy()
        );
        assert_eq!(
            libc::sysctlbyname(
                c"no.such.name".as_ptr(),
                ptr::null_mut(),
                &raw mut size,
                ptr::null_mut(),
                0
            ),
            -1
        );
        assert_eq!(errno(), libc::ENOENT);
        let mut limit: libc::rlimit = std::mem::zeroed();
        assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit), 0);
        assert!(limit.rlim_cur >= 64 && limit.rlim_max <= libc::RLIM_INFINITY);
        limit.rlim_cur -= 1;
        assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit), 0);
    }
    assert!(thread::available_parallelism().expect("a number").get() >= 1);
    let mut random = [0_u8; 16];
    // SAFETY: the buffer has room.
    assert_eq!(
        unsafe { libc::CCRandomGenerateBytes(random.as_mut_ptr().cast(), 16) },
        0
    );
    assert_ne!(random, [0; 16]);
}

unsafe extern "C" {
    fn confstr(name: c_int, buffer: *mut libc::c_char, size: usize) -> usize;
}

/// The user's own folder for temporary files.
fn temporary_folder() -> String {
    const USER_TEMP_DIR: c_int = 65537;
    let mut buffer = [0_u8; 1024];
    // SAFETY: the buffer has room.
    let length = unsafe { confstr(USER_TEMP_DIR, buffer.as_mut_ptr().cast(), buffer.len()) };
    assert_eq!(buffer[length - 1], 0);
    String::from_utf8(buffer[..length - 1].to_vec()).expect("UTF-8")
}

/// The groups of this process.
fn own_groups() -> Vec<u32> {
    let mut groups = vec![0; 64];
    // SAFETY: the list has room.
    let count = unsafe { libc::getgroups(64, groups.as_mut_ptr()) };
    groups.truncate(usize::try_from(count).expect("no error"));
    groups
}

/// Root becomes a user: groups, group and user, in this order, and for good.
fn users() {
    // SAFETY: variables of our own; strings that live long enough.
    unsafe {
        let account = &*libc::getpwuid(501);
        assert_eq!(CStr::from_ptr(account.pw_name), c"test");
        assert_eq!(CStr::from_ptr(account.pw_shell), c"/bin/zsh");
        assert!(libc::getpwuid(502).is_null());
        let mut groups = [0; 64];
        let mut count = 4;
        let list = groups.as_mut_ptr();
        assert_eq!(
            libc::getgrouplist(account.pw_name, 20, list, &raw mut count),
            -1
        );
        count = 64;
        assert_eq!(
            libc::getgrouplist(account.pw_name, 20, list, &raw mut count),
            0
        );
        assert!(count > 16 && groups[0] == 20);
        let too_many: Vec<u32> = (0..17).collect();
        assert_eq!(libc::setgroups(17, too_many.as_ptr()), -1);
        assert_eq!(errno(), libc::EINVAL);

        let before = temporary_folder();
        assert_eq!(own_groups()[0], 0);
        assert_eq!(libc::initgroups(account.pw_name, 20), 0);
        assert_eq!((own_groups().len(), own_groups()[0]), (16, 20));
        assert_eq!((libc::setgid(20), libc::setuid(501)), (0, 0));
        assert_eq!((libc::getuid(), libc::geteuid()), (501, 501));
        assert_eq!((libc::getgid(), libc::getegid()), (20, 20));
        for back in [libc::setuid, libc::seteuid, libc::setgid, libc::setegid] {
            assert_eq!((back(0), errno()), (-1, libc::EPERM));
        }
        assert_eq!((libc::setreuid(0, 0), errno()), (-1, libc::EPERM));
        assert_eq!(
            (libc::setgroups(0, ptr::null()), errno()),
            (-1, libc::EPERM)
        );
        assert_eq!(
            (libc::initgroups(account.pw_name, 0), errno()),
            (-1, libc::EPERM)
        );
        let after = temporary_folder();
        assert!(before != after && fs::metadata(after).expect("a folder").is_dir());
    }
    // A process that it starts is that user's, too.
    let own = std::env::current_exe().expect("a path");
    let output = Command::new(own).arg("who").output().expect("run");
    print!("{}", String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success());
}

/// Prints the identity of this process.
fn who() {
    let mut token = [0_u32; 8];
    let mut count = 8;
    // SAFETY: the buffer has room.
    unsafe {
        assert_eq!(
            task_info(mach_task_self_, 15, token.as_mut_ptr(), &raw mut count),
            0
        );
        println!(
            "user {} {} group {} {} of {} token {:?} sudo {:?}",
            libc::geteuid(),
            libc::getuid(),
            libc::getegid(),
            libc::getgid(),
            own_groups().len(),
            &token[..5],
            std::env::var("SUDO_USER")
        );
    }
}

/// Gives root's rights up, but not its group.
fn careless() {
    // SAFETY: always possible.
    unsafe {
        assert_eq!(libc::setuid(501), 0);
        assert_eq!((libc::setgid(20), errno()), (-1, libc::EPERM));
    }
}

/// Process groups work as usual, whatever their numbers; prints the group of this process.
fn own_group() {
    // SAFETY: as of each function's documentation; children that aren't waited for yet.
    unsafe {
        let group = libc::getpgrp();
        assert_eq!((libc::getpgid(0), libc::kill(-group, 0)), (group, 0));
        let child = spawn("kill -STOP $$; exit 5", 0);
        assert_eq!(libc::getpgid(child), group);
        let mut status = 0;
        assert_eq!(
            libc::waitpid(-group, &raw mut status, libc::WUNTRACED),
            child
        );
        assert!(libc::WIFSTOPPED(status));
        let mut pids = [0_i32; 1000];
        let size = proc_listpids(2, group as u32, pids.as_mut_ptr().cast(), 4000);
        assert!(pids[..size as usize / 4].contains(&child));
        libc::kill(child, libc::SIGCONT);
        assert_eq!(libc::WEXITSTATUS(ended(child)), 5);
        println!("{group}");
    }
}

/// Calls a function that macsim doesn't have.
fn missing() {
    unsafe extern "C" {
        fn getfsstat(buffer: *mut c_void, size: c_int, flags: c_int) -> c_int;
    }
    // SAFETY: nothing is written.
    unsafe { getfsstat(ptr::null_mut(), 0, 0) };
}
