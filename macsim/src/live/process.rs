//! Processes as the kernel knows them and as messages show them: macOS's members from what Linux reports in `/proc`.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::Metadata;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use crate::builder::time;
use crate::json::Json;
use crate::settings;
use crate::system::identity::Credentials;

/// The audit session that everything from one login is in, as `mach::audit_token` has it.
pub const SESSION: u32 = 100_000;

/// launchd's audit token.
pub const LAUNCHD: [u32; 8] = [u32::MAX, 0, 0, 0, 0, 1, 100_005, 9];

/// A process's place among those that started it; reparenting doesn't change it.
pub struct Lineage {
    parent: Option<Rc<Lineage>>,
}

impl Lineage {
    /// The lineage of a child.
    pub fn child(parent: Option<&Rc<Lineage>>) -> Rc<Self> {
        let parent = parent.cloned();
        Rc::new(Lineage { parent })
    }

    /// Returns true if this is the other, or was started by it, directly or not.
    pub fn is_below(self: &Rc<Self>, other: &Rc<Lineage>) -> bool {
        let mut line = Some(self);
        while let Some(this) = line {
            if Rc::ptr_eq(this, other) {
                return true;
            }
            line = this.parent.as_ref();
        }
        false
    }
}

/// The program that a process executes.
#[derive(Clone, PartialEq, Debug)]
pub struct Image {
    /// The path, as the program sees it.
    pub path: PathBuf,
    /// The place of the file.
    pub file: PathBuf,
}

/// A process that the kernel traces, from its fork to its end.
pub struct Process {
    /// Its identifier, Linux's own.
    pub pid: i32,
    /// The number of processes and images that had begun, this one included.
    pub version: u32,
    pub lineage: Rc<Lineage>,
    pub original_parent: i32,
    pub start: Duration,
    pub credentials: Rc<Credentials>,
    pub image: Rc<Image>,
    /// True if it has a client of EndpointSecurity.
    pub is_client: bool,
    /// The group and session that it is shown with: those of its parent, until a `posix_spawn` is over.
    pub shown: Option<[i32; 2]>,
}

impl Process {
    /// Its audit token.
    pub fn token(&self) -> [u32; 8] {
        token_of(self.pid, self.version, &self.credentials)
    }
}

/// The parent, group, session and terminal of a process, as Linux has them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Status {
    pub parent: i32,
    pub group: i32,
    pub session: i32,
    terminal: u32,
}

impl Status {
    /// Reads the status of a process that is alive, or hasn't been waited for yet.
    pub fn of(pid: i32) -> Self {
        let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let rest = text.rsplit_once(") ").map_or("", |(_, rest)| rest);
        let mut numbers = rest
            .split(' ')
            .skip(1)
            .map(|field| field.parse().unwrap_or(0));
        let mut next = || numbers.next().unwrap_or(0);
        Status {
            parent: next(),
            group: next(),
            session: next(),
            terminal: next() as u32,
        }
    }
}

/// The time since 1970.
pub fn now() -> Duration {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or_default()
}

/// An object with these members.
pub fn object<const N: usize>(members: [(&str, Json); N]) -> Json {
    let member = |(name, value): (&str, Json)| (name.to_string(), value);
    Json::Object(members.into_iter().map(member).collect())
}

/// A whole number.
pub fn int(value: impl Into<i128>) -> Json {
    Json::Int(value.into())
}

/// A string.
pub fn string(value: impl AsRef<[u8]>) -> Json {
    Json::String(value.as_ref().to_vec())
}

/// An audit token, as eslogger writes it.
pub fn token(token: [u32; 8]) -> Json {
    let [auid, euid, egid, ruid, rgid, pid, asid, pidversion] = token.map(int);
    object([
        ("auid", auid),
        ("euid", euid),
        ("egid", egid),
        ("ruid", ruid),
        ("rgid", rgid),
        ("pid", pid),
        ("asid", asid),
        ("pidversion", pidversion),
    ])
}

/// The audit token of a process.
pub fn token_of(pid: i32, version: u32, of: &Credentials) -> [u32; 8] {
    let (user, group) = (of.users, of.groups);
    [
        settings::get().auid,
        user.effective,
        group.effective,
        user.real,
        group.real,
        pid as u32,
        SESSION,
        version,
    ]
}

/// `es_file_t`.
pub fn file(path: &Path, place: &Path) -> Json {
    let data = std::fs::metadata(place);
    object([
        ("path", string(path.as_os_str().as_bytes())),
        ("path_truncated", Json::Bool(false)),
        ("stat", data.map_or(Json::Null, |data| stat(&data))),
    ])
}

/// `struct stat`; Linux's numbers of devices are macOS's where they are small.
fn stat(data: &Metadata) -> Json {
    let time = |seconds: i64, nanoseconds: i64| {
        let since = Duration::new(seconds.max(0) as u64, nanoseconds as u32);
        string(time::format(since, 9))
    };
    let device = |device: u64| int((libc::major(device) << 24 | libc::minor(device)) as i32);
    let modified = time(data.mtime(), data.mtime_nsec());
    object([
        ("st_dev", device(data.dev())),
        ("st_mode", int(data.mode())),
        ("st_nlink", int(data.nlink())),
        ("st_ino", int(data.ino())),
        ("st_uid", int(data.uid())),
        ("st_gid", int(data.gid())),
        ("st_rdev", device(data.rdev())),
        ("st_atimespec", time(data.atime(), data.atime_nsec())),
        ("st_mtimespec", modified.clone()),
        ("st_ctimespec", time(data.ctime(), data.ctime_nsec())),
        ("st_birthtimespec", modified),
        ("st_size", int(data.size())),
        ("st_blocks", int(data.blocks())),
        ("st_blksize", int(data.blksize() as u32)),
        ("st_flags", int(0)),
        ("st_gen", int(0)),
    ])
}

/// A number computed from bytes, for members that look like a hash (FNV-1a).
fn digest(bytes: &[u8], seed: u64) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325 ^ seed, step)
}

/// The signature that an image is shown with: those in the system's folders are Apple's own.
struct Signature {
    is_platform: bool,
    flags: u32,
    category: u32,
    identifier: String,
    cdhash: String,
}

impl Signature {
    fn of(path: &Path) -> Self {
        const OWN: [&str; 6] = [
            "/bin/",
            "/sbin/",
            "/usr/bin/",
            "/usr/sbin/",
            "/usr/lib",
            "/System/",
        ];
        const VALID_PLATFORM: u32 = 0x2601_0001;
        const VALID_AD_HOC: u32 = 0x2000_0003;
        const PLATFORM: u32 = 1;
        const LOCAL: u32 = 7;
        let bytes = path.as_os_str().as_bytes();
        let is_platform = OWN
            .iter()
            .any(|folder| bytes.starts_with(folder.as_bytes()));
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let words = (0..4).map(|seed| format!("{:016X}", digest(bytes, seed)));
        Signature {
            is_platform,
            flags: if is_platform {
                VALID_PLATFORM
            } else {
                VALID_AD_HOC
            },
            category: if is_platform { PLATFORM } else { LOCAL },
            identifier: if is_platform {
                format!("com.apple.{name}")
            } else {
                name.into_owned()
            },
            cdhash: words.collect(),
        }
    }
}

/// A process as a message shows it: what the kernel knows, and what comes from outside.
pub struct Shown<'a> {
    pub token: [u32; 8],
    pub parent: i32,
    pub parent_token: [u32; 8],
    pub original_parent: i32,
    pub group: i32,
    pub session: i32,
    pub terminal: Option<u32>,
    pub start: Duration,
    pub image: &'a Image,
    pub responsible: [u32; 8],
    pub is_client: bool,
}

impl Shown<'_> {
    /// `es_process_t`, for a message of this version.
    pub fn json(&self, message_version: u32) -> Json {
        let signature = Signature::of(&self.image.path);
        let mut process = object([
            ("audit_token", token(self.token)),
            ("ppid", int(self.parent)),
            ("original_ppid", int(self.original_parent)),
            ("group_id", int(self.group)),
            ("session_id", int(self.session)),
            ("codesigning_flags", int(signature.flags)),
            ("is_platform_binary", Json::Bool(signature.is_platform)),
            ("is_es_client", Json::Bool(self.is_client)),
            ("cdhash", string(&signature.cdhash[..40])),
            ("signing_id", string(&signature.identifier)),
            ("team_id", Json::Null),
            ("executable", executable(self.image)),
            ("tty", self.terminal.map_or(Json::Null, terminal)),
            ("start_time", string(time::format(self.start, 6))),
            ("responsible_audit_token", token(self.responsible)),
            ("parent_audit_token", token(self.parent_token)),
        ]);
        if let Json::Object(members) = &mut process {
            let mut newer = |since: u32, name: &str, value: Json| {
                if message_version >= since {
                    members.push((name.into(), value));
                }
            };
            newer(10, "cs_validation_category", int(signature.category));
            newer(11, "cdhash_full", string(&signature.cdhash));
        }
        process
    }
}

impl Status {
    /// The controlling terminal, if there is one.
    pub fn terminal(&self) -> Option<u32> {
        (self.terminal != 0).then_some(self.terminal)
    }
}

/// Most messages concern a few images, so what was found out about their files is kept.
fn executable(image: &Image) -> Json {
    /// The file's inode and the time when it was last changed, and its JSON.
    type Known = (Option<(u64, i64, i64)>, Json);
    thread_local! {
        static KNOWN: RefCell<BTreeMap<PathBuf, Known>> = const { RefCell::new(BTreeMap::new()) };
    }
    let data = std::fs::metadata(&image.file).ok();
    let state = data.map(|data| (data.ino(), data.ctime(), data.ctime_nsec()));
    KNOWN.with_borrow_mut(|known| {
        if let Some((then, json)) = known.get(&image.path)
            && *then == state
        {
            return json.clone();
        }
        let json = file(&image.path, &image.file);
        known.insert(image.path.clone(), (state, json.clone()));
        json
    })
}

/// The file of a terminal; macOS's have other names.
fn terminal(device: u32) -> Json {
    const FIRST_SLAVE: u32 = 136;
    let device = u64::from(device);
    let (major, minor) = (libc::major(device), libc::minor(device));
    let number = major.saturating_sub(FIRST_SLAVE) * 256 + minor;
    file(
        Path::new(&format!("/dev/ttys{number:03}")),
        Path::new(&format!("/dev/pts/{number}")),
    )
}

/// The strings of a list in which each ends in a NUL.
fn strings(bytes: &[u8]) -> Vec<Vec<u8>> {
    let text = bytes.strip_suffix(b"\0").unwrap_or(bytes);
    if text.is_empty() && bytes.is_empty() {
        return Vec::new();
    }
    text.split(|&byte| byte == 0).map(<[u8]>::to_vec).collect()
}

/// Everything that an exec gives to a process.
pub struct Executed {
    pub image: Image,
    pub args: Vec<Vec<u8>>,
    env: Vec<Vec<u8>>,
    script: Option<PathBuf>,
    cwd: PathBuf,
    fds: Vec<Json>,
    last_fd: i32,
}

impl Executed {
    /// The user that a set-user-ID file gives to the process that executes it.
    pub fn set_user(&self) -> Option<u32> {
        let data = std::fs::metadata(&self.image.file).ok()?;
        (data.mode() & libc::S_ISUID != 0).then(|| data.uid())
    }

    /// Reads everything about the image of a process.
    pub fn of(pid: i32, own: &Path) -> Self {
        let read = |name: &str| std::fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
        let link =
            |name: &str| std::fs::read_link(format!("/proc/{pid}/{name}")).unwrap_or_default();
        let mut args = strings(&read("cmdline"));
        let file = link("exe");
        let cwd = link("cwd");
        let (mut image, mut script) = (seen(file.clone()), None);
        if file == own {
            // macsim itself is no process on the simulated Mac.
            if let Some((program, rest)) = program_of(&args) {
                image = seen(cwd.join(program));
                args = rest;
            } else if let Some(path) = args.first().and_then(|name| tool(name)) {
                image.path = path.into();
            }
        } else if let Some(name) = executed_name(pid) {
            let place = cwd.join(&name);
            let begins = std::fs::read(&place).is_ok_and(|text| text.starts_with(b"#!"));
            script = begins.then_some(place);
        }
        let mut env = strings(&read("environ"));
        env.retain(|variable| !variable.starts_with(b"MACSIM_"));
        let (fds, last_fd) = descriptors(pid);
        Executed {
            image,
            args,
            env,
            script,
            cwd,
            fds,
            last_fd,
        }
    }

    /// `es_event_exec_t`, with the data that its functions return.
    pub fn json(&self, target: Json, message_version: u32) -> Json {
        const X86_64: i32 = 0x100_0007;
        const ANY: i32 = 3;
        let list = |items: &[Vec<u8>]| Json::Array(items.iter().map(string).collect());
        let mut event = object([
            ("target", target),
            ("args", list(&self.args)),
            ("env", list(&self.env)),
            (
                "script",
                self.script
                    .as_ref()
                    .map_or(Json::Null, |path| file(path, path)),
            ),
            ("cwd", file(&self.cwd, &self.cwd)),
            ("last_fd", int(self.last_fd)),
            ("fds", Json::Array(self.fds.clone())),
            ("image_cputype", int(X86_64)),
            ("image_cpusubtype", int(ANY)),
        ]);
        if let Json::Object(members) = &mut event {
            let path = string(self.image.path.as_os_str().as_bytes());
            if message_version >= 7 {
                members.push(("dyld_exec_path".into(), path));
            }
            if message_version >= 11 {
                members.push(("entitlements".into(), Json::Null));
            }
        }
        event
    }
}

/// The path of the program that macsim stands in for under a name.
fn tool(name: &[u8]) -> Option<&'static str> {
    let is_it =
        |path: &&str| Path::new(OsStr::from_bytes(name)).file_name() == Path::new(path).file_name();
    ["/usr/bin/eslogger", "/usr/bin/id", "/usr/bin/sudo"]
        .into_iter()
        .find(is_it)
}

/// The program that a macsim process runs for macOS, and its arguments (`spawn::execute` starts it so).
fn program_of(args: &[Vec<u8>]) -> Option<(PathBuf, Vec<Vec<u8>>)> {
    let rest = args.strip_prefix(&[b"macsim".to_vec(), b"run".to_vec(), b"--argv0".to_vec()])?;
    let [name, _, file, rest @ ..] = rest else {
        return None;
    };
    let args = [std::slice::from_ref(name), rest].concat();
    Some((OsString::from_vec(file.clone()).into(), args))
}

/// An image at its place under the roots, as the program sees it.
pub fn seen(file: PathBuf) -> Image {
    let file = std::fs::canonicalize(&file).unwrap_or(file);
    let roots = settings::get().root.iter();
    let mut places = roots.filter_map(|root| {
        let root = std::fs::canonicalize(root).ok()?;
        Some(Path::new("/").join(file.strip_prefix(root).ok()?))
    });
    let path = places.next().unwrap_or_else(|| file.clone());
    Image { path, file }
}

/// The name that was passed to execve(2): the script's name if a script was executed.
fn executed_name(pid: i32) -> Option<PathBuf> {
    const AT_EXECFN: u64 = 31;
    let auxiliary = std::fs::read(format!("/proc/{pid}/auxv")).ok()?;
    let word = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().unwrap_or_default());
    let mut pairs = auxiliary.chunks_exact(16);
    let place = word(&pairs.find(|pair| word(&pair[..8]) == AT_EXECFN)?[8..]);
    let memory = std::fs::File::open(format!("/proc/{pid}/mem")).ok()?;
    let mut name = vec![0; 4096];
    let length = std::os::unix::fs::FileExt::read_at(&memory, &mut name, place).ok()?;
    name.truncate(name[..length].iter().position(|&byte| byte == 0)?);
    Some(OsString::from_vec(name).into())
}

/// The open descriptors with macOS's types, and the number of the last one.
fn descriptors(pid: i32) -> (Vec<Json>, i32) {
    const FILE: i32 = 1;
    const SOCKET: i32 = 2;
    const PIPE: i32 = 6;
    const QUEUE: i32 = 5;
    let directory = std::fs::read_dir(format!("/proc/{pid}/fd"))
        .into_iter()
        .flatten();
    let mut numbers: Vec<(i32, PathBuf)> = directory
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let number = entry.file_name().to_str()?.parse().ok()?;
            Some((number, std::fs::read_link(entry.path()).ok()?))
        })
        .collect();
    numbers.sort();
    let last = numbers.last().map_or(-1, |(number, _)| *number);
    let one = |(number, target): &(i32, PathBuf)| {
        let target = target.to_string_lossy();
        let (kind, rest) = target.split_once(":[").unwrap_or(("", ""));
        let kind = match kind {
            "pipe" => PIPE,
            "socket" => SOCKET,
            "" if target.starts_with("anon_inode:") => QUEUE,
            _ => FILE,
        };
        let mut fd = vec![
            ("fd".to_string(), int(*number)),
            ("fdtype".into(), int(kind)),
        ];
        if let (PIPE, Ok(number)) = (kind, rest.trim_end_matches(']').parse::<u64>()) {
            fd.push(("pipe".into(), object([("pipe_id", int(number))])));
        }
        Json::Object(fd)
    };
    (numbers.iter().map(one).collect(), last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_strings_keep_empty_ones() {
        let none: [&[u8]; 0] = [];
        assert_eq!(strings(b""), none);
        assert_eq!(strings(b"\0"), [b""]);
        assert_eq!(strings(b"a\0\0b\0"), [&b"a"[..], b"", b"b"]);
    }

    #[test]
    fn a_macos_program_is_seen_instead_of_macsim() {
        let args = ["macsim", "run", "--argv0", "name", "--", "/tool", "x"];
        let args = args.map(|arg| arg.as_bytes().to_vec());
        let (file, rest) = program_of(&args).expect("a program");
        assert_eq!(file, Path::new("/tool"));
        assert_eq!(rest, [b"name".to_vec(), b"x".to_vec()]);
        assert_eq!(program_of(&args[..3]), None);
    }

    #[test]
    fn descent_is_by_fork() {
        let root = Lineage::child(None);
        let child = Lineage::child(Some(&root));
        let grandchild = Lineage::child(Some(&child));
        let other = Lineage::child(Some(&root));
        assert!(grandchild.is_below(&root) && grandchild.is_below(&grandchild));
        assert!(!grandchild.is_below(&other) && !root.is_below(&child));
    }
}
