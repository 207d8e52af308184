//! A command that is traced: its program, its user, and its way from the start to the end.
//!
//! It is started suspended, so that it doesn't run before its exec was seen. If it runs as another user, this program
//! is started as a helper, which becomes the user and then executes the command: the calls needed for that are safe
//! only after an exec.

use std::ffi::{CStr, CString, OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::fs::Access;

use super::guard::Guard;
use super::native::spawn::{self, Image};
use super::native::users::{self, User};
use crate::text::escape;

/// The first argument of this program as the helper that becomes a user. It is followed by the user's number, the file
/// to execute, and the command's arguments, its name first.
pub const HELPER: &str = "--become-user";
const HELPER_ARGUMENT: &CStr = c"--become-user";

/// The folders that are searched for programs if PATH isn't set.
const DEFAULT_PATH: &str = "/usr/bin:/bin:/usr/sbin:/sbin";

/// The reason why a command can't be started.
#[derive(Debug)]
pub struct NotStarted {
    /// The reason in words.
    pub reason: String,
    /// The status that shells use for it: 127 not found, 126 found but not executable.
    pub status: u8,
}

impl NotStarted {
    fn by(name: &OsStr, error: &io::Error) -> NotStarted {
        let is_missing = error.kind() == io::ErrorKind::NotFound;
        NotStarted {
            reason: format!("{}: {}", escape::name(name), crate::exit::reason(error)),
            status: if is_missing { 127 } else { 126 },
        }
    }
}

/// A command, ready to be started.
#[derive(Debug)]
pub struct Ready {
    image: Image,
    /// The shell that runs it instead, if the file turns out to be a script without `#!`.
    by_shell: Option<Image>,
    name: OsString,
    /// The number of programs that its process runs before the command.
    pub hidden_execs: usize,
}

impl Ready {
    /// Looks for the command and for the user: the given one, otherwise the one who runs this program or, under sudo,
    /// the one who called sudo.
    ///
    /// # Errors
    /// One of them doesn't exist, or the command may not be executed.
    pub fn new(command: &[OsString], user: Option<&str>) -> Result<Ready, NotStarted> {
        let usage = |reason: String| NotStarted { reason, status: 2 };
        let name = command
            .first()
            .ok_or_else(|| usage("no command".to_owned()))?;
        let path = find(name).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound if !has_slash(name) => NotStarted {
                reason: format!("{}: command not found", escape::name(name)),
                status: 127,
            },
            _ => NotStarted::by(name, &error),
        })?;
        let user = target(user).map_err(usage)?;
        let c_string = |text: &OsStr| CString::new(text.as_bytes());
        let strings = |texts: &[OsString]| -> Result<Vec<_>, _> {
            texts.iter().map(|text| c_string(text)).collect()
        };
        // Neither an argument of a process nor a path can contain a NUL.
        let nul = |_| usage("an argument with a NUL".to_owned());
        let arguments = strings(command).map_err(nul)?;
        let environment = environment(user.as_ref());
        let path = c_string(path.as_os_str()).map_err(nul)?;
        let is_root = rustix::process::geteuid().is_root();
        let helper = user.filter(|user| is_root && user.uid != 0);
        let hidden_execs = usize::from(helper.is_some());
        let image = Image {
            path,
            arguments,
            environment,
        };
        let (image, by_shell) = if let Some(user) = helper {
            let own = std::env::current_exe().map_err(|error| NotStarted::by(name, &error))?;
            let own = c_string(own.as_os_str()).map_err(nul)?;
            (by_helper(own, &user, image), None)
        } else {
            let by_shell = by_shell(&image);
            (image, Some(by_shell))
        };
        Ok(Ready {
            image,
            by_shell,
            name: name.clone(),
            hidden_execs,
        })
    }

    /// Starts the command, suspended.
    ///
    /// # Errors
    /// It can't be executed.
    pub fn start(&self) -> Result<Suspended, NotStarted> {
        let failed = |error: io::Error| NotStarted::by(&self.name, &error);
        let mut guard = Guard::new("kill -KILL \"$pid\"; kill -CONT \"$pid\"").map_err(failed)?;
        let pid = match (spawn::spawn_suspended(&self.image), &self.by_shell) {
            (Err(error), Some(by_shell)) if error.raw_os_error() == Some(libc::ENOEXEC) => {
                spawn::spawn_suspended(by_shell)
            }
            (spawned, _) => spawned,
        };
        let pid = pid.map_err(failed)?;
        if let Err(error) = guard.watch(pid) {
            spawn::kill_suspended(pid);
            return Err(failed(error));
        }
        Ok(Suspended {
            pid,
            guard: Some(guard),
        })
    }
}

/// This program as the helper that becomes the user and executes the image.
fn by_helper(own: CString, user: &User, image: Image) -> Image {
    let uid = CString::new(user.uid.to_string()).unwrap_or_default();
    let head = [own.clone(), HELPER_ARGUMENT.to_owned(), uid, image.path];
    Image {
        path: own,
        arguments: head.into_iter().chain(image.arguments).collect(),
        environment: image.environment,
    }
}

/// The shell that runs the image as a script.
fn by_shell(image: &Image) -> Image {
    let shell = c"/bin/sh".to_owned();
    let head = [shell.clone(), image.path.clone()];
    let rest = image.arguments.iter().skip(1).cloned();
    Image {
        path: shell,
        arguments: head.into_iter().chain(rest).collect(),
        environment: image.environment.clone(),
    }
}

/// A command that doesn't run yet. Killed on drop.
#[derive(Debug)]
pub struct Suspended {
    /// Its process.
    pub pid: i32,
    guard: Option<Guard>,
}

impl Suspended {
    /// Lets it run.
    pub fn resume(mut self) {
        spawn::resume(self.pid);
        self.guard = None;
    }
}

impl Drop for Suspended {
    fn drop(&mut self) {
        if self.guard.is_some() {
            spawn::kill_suspended(self.pid);
        }
    }
}

/// Starts a program that does nothing and waits for its end: everything that has happened before comes before its
/// events. Returns its pid.
///
/// # Errors
/// It can't be started.
pub fn probe() -> io::Result<i32> {
    let mut probe = Command::new("/usr/bin/true")
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let pid = probe.id().cast_signed();
    probe.wait()?;
    Ok(pid)
}

fn has_slash(name: &OsStr) -> bool {
    name.as_bytes().contains(&b'/')
}

/// The file that a shell would execute.
fn find(name: &OsStr) -> io::Result<PathBuf> {
    if has_slash(name) {
        let path = PathBuf::from(name);
        return executable(&path).map(|()| path);
    }
    let path = std::env::var_os("PATH").unwrap_or_else(|| DEFAULT_PATH.into());
    let mut error = io::Error::from(io::ErrorKind::NotFound);
    for folder in path.as_bytes().split(|byte| *byte == b':') {
        let folder = if folder.is_empty() { b"." } else { folder };
        let path = Path::new(OsStr::from_bytes(folder)).join(name);
        match executable(&path) {
            Ok(()) => return Ok(path),
            Err(why) if why.kind() == io::ErrorKind::PermissionDenied && path.is_file() => {
                error = why
            }
            Err(_) => {}
        }
    }
    Err(error)
}

fn executable(path: &Path) -> io::Result<()> {
    if path.metadata()?.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    Ok(rustix::fs::access(path, Access::EXEC_OK)?)
}

/// The user that a command runs as, if that isn't the user who runs this program.
fn target(user: Option<&str>) -> Result<Option<User>, String> {
    let is_root = rustix::process::geteuid().is_root();
    match user {
        Some(_) if !is_root => Err("-u needs root: use sudo".to_owned()),
        Some(name) => {
            let by_name = CString::new(name.as_bytes()).ok();
            let user = by_name.and_then(|name| User::by_name(&name));
            let user = user.or_else(|| name.parse().ok().and_then(User::by_uid));
            user.map(Some)
                .ok_or_else(|| format!("-u {}: no such user", escape::name(name)))
        }
        None if is_root => Ok(caller_of_sudo()),
        None => Ok(None),
    }
}

/// The user who called sudo, unless it is root.
fn caller_of_sudo() -> Option<User> {
    let uid: u32 = std::env::var("SUDO_UID").ok()?.parse().ok()?;
    User::by_uid(uid).filter(|user| user.uid != 0)
}

/// The environment of a command that runs as this user, or as the user who runs this program.
fn environment(user: Option<&User>) -> Vec<CString> {
    let own = std::env::vars_os();
    let Some(user) = user else {
        return own
            .filter_map(|(name, value)| variable(&name, value.as_bytes()))
            .collect();
    };
    let set: [(&str, &CStr); 4] = [
        ("HOME", &user.home),
        ("SHELL", &user.shell),
        ("USER", &user.name),
        ("LOGNAME", &user.name),
    ];
    let is_kept = |name: &OsStr| {
        !name.as_bytes().starts_with(b"SUDO_") && set.iter().all(|(other, _)| name != *other)
    };
    let kept = own
        .filter(|(name, _)| is_kept(name))
        .filter_map(|(name, value)| variable(&name, value.as_bytes()));
    let set = set
        .iter()
        .filter_map(|(name, value)| variable(OsStr::new(name), value.to_bytes()));
    kept.chain(set).collect()
}

fn variable(name: &OsStr, value: &[u8]) -> Option<CString> {
    CString::new([name.as_bytes(), b"=", value].concat()).ok()
}

/// The helper: becomes the user and executes the command. Returns only if that fails, with the reason.
pub fn become_user_and_execute(arguments: Vec<OsString>) -> NotStarted {
    let mut arguments = arguments.into_iter();
    let (Some(uid), Some(path), Some(name)) =
        (arguments.next(), arguments.next(), arguments.next())
    else {
        return NotStarted {
            reason: format!("{HELPER} is for the program itself"),
            status: 2,
        };
    };
    let user = uid
        .to_str()
        .and_then(|uid| uid.parse().ok())
        .and_then(User::by_uid);
    let Some(user) = user else {
        return NotStarted {
            reason: format!("no user {}", escape::name(uid)),
            status: 126,
        };
    };
    if let Err(error) = user.become_for_good() {
        let who = OsString::from_vec(user.name.to_bytes().to_vec());
        return NotStarted {
            reason: format!("can't become {}: {error}", escape::name(who)),
            status: 126,
        };
    }
    let mut command = Command::new(&path);
    command.arg0(&name).args(arguments.as_slice());
    if let Some(folder) = users::temporary_folder() {
        command.env("TMPDIR", OsStr::from_bytes(folder.to_bytes()));
    }
    let mut error = command.exec();
    if error.raw_os_error() == Some(libc::ENOEXEC) {
        error = Command::new("/bin/sh")
            .arg(&path)
            .args(arguments.as_slice())
            .exec();
    }
    NotStarted::by(&name, &error)
}
