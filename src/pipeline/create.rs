//! Creates the files that events are written to.
//!
//! The program runs as root, also in folders such as `/tmp` that everyone may write to. macOS has no protection
//! against links that others leave there.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{self, AtFlags, CWD, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use rustix::process::{Gid, Uid};

use super::FileId;
use crate::exit::{check_path, reason, warn};
use crate::text::escape;

/// The mode of new files: events hold the arguments and the environments of all users.
const MODE: Mode = Mode::RUSR.union(Mode::WUSR);

/// The number of links that are followed in a path.
const MAX_LINKS: usize = 40;

/// The place of a file that is refused.
const OPEN_FOLDER: &str = " in a folder that everyone may write to";

/// The folders of devices. Their links, such as `/dev/stdout`, can only be followed by the system itself.
const DEVICES: [&str; 2] = ["/dev", "/proc"];

/// The user for whom root works: the one who called sudo.
#[derive(Clone, Copy, Debug)]
struct Caller {
    uid: u32,
    gid: Option<u32>,
}

impl Caller {
    fn of_sudo() -> Option<Caller> {
        let number = |name| std::env::var(name).ok()?.parse().ok();
        Some(Caller {
            uid: number("SUDO_UID")?,
            gid: number("SUDO_GID"),
        })
    }
}

/// A place for a file: a name in a folder.
#[derive(Debug)]
pub struct Place {
    /// The folder, if this program is root and the folder isn't one of devices.
    folder: Option<Folder>,
    /// The name in the folder, or the whole path.
    name: PathBuf,
    named_by: NamedBy,
}

#[derive(Debug)]
struct Folder {
    folder: OwnedFd,
    /// True if everyone may write to it.
    is_open_to_all: bool,
}

/// The origin of a file's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamedBy {
    /// Somebody typed the name.
    User,
    /// The program made it up. The programs that are traced can guess it, and may write to the folders of the user who
    /// called sudo: for root, such a name is no link, and no file of others or with another name.
    Program,
}

impl Folder {
    fn new(folder: OwnedFd) -> io::Result<Folder> {
        let mode = Mode::from_raw_mode(fs::fstat(&folder)?.st_mode);
        Ok(Folder {
            folder,
            is_open_to_all: mode.contains(Mode::WOTH),
        })
    }

    fn open(path: &str) -> io::Result<Folder> {
        Folder::new(fs::open(path, FOLDER, Mode::empty())?)
    }
}

const FOLDER: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

impl Place {
    /// The place that a path leads to. For root, links in folders that everyone may write to lead nowhere.
    ///
    /// # Errors
    /// There is no such folder, a link is refused, or it is a standard stream that is closed.
    pub fn of(path: &Path, named_by: NamedBy) -> io::Result<Place> {
        check_path(path)?;
        if !rustix::process::geteuid().is_root() || is_device(path) {
            return Ok(Place {
                folder: None,
                name: path.to_owned(),
                named_by,
            });
        }
        if path.as_os_str().as_bytes().ends_with(b"/") {
            return Err(Errno::ISDIR.into());
        }
        let mut folder = Folder::open(".")?;
        let mut rest = Vec::new();
        let mut links = 0;
        push_components(&mut rest, path);
        while let Some(name) = rest.pop() {
            if name == "/" {
                folder = Folder::open("/")?;
                continue;
            }
            match fs::readlinkat(&folder.folder, &name, Vec::new()) {
                Ok(_) if folder.is_open_to_all => {
                    return Err(io::Error::other(format!(
                        "a link{OPEN_FOLDER}, which root does not follow"
                    )));
                }
                Ok(_) if rest.is_empty() && named_by == NamedBy::Program => {
                    return Err(io::Error::other("a link, which root does not follow"));
                }
                Ok(_) if links == MAX_LINKS => return Err(Errno::LOOP.into()),
                Ok(target) => {
                    links += 1;
                    push_components(&mut rest, Path::new(OsStr::from_bytes(target.as_bytes())));
                }
                // It isn't a link, or isn't there.
                Err(Errno::INVAL | Errno::NOENT) if rest.is_empty() => {
                    return Ok(Place {
                        folder: Some(folder),
                        name: name.into(),
                        named_by,
                    });
                }
                Err(Errno::INVAL) => {
                    let next = fs::openat(&folder.folder, &name, FOLDER, Mode::empty())?;
                    folder = Folder::new(next)?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(Errno::ISDIR.into())
    }

    /// Creates the file, or opens the one that is there, which must not be one of `others`. It keeps its contents, see
    /// [`empty`].
    ///
    /// # Errors
    /// Those of open(2), or the file that is there is refused.
    pub fn open(&self, others: &[FileId]) -> io::Result<File> {
        let flags = OFlags::WRONLY | OFlags::CLOEXEC;
        let new = flags | OFlags::CREATE | OFlags::EXCL;
        match self.open_with(new) {
            Ok(file) => {
                self.give_to_caller(&file);
                return Ok(file.into());
            }
            Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        let file = match &self.folder {
            Some(folder) => {
                // Before it is opened, because opening a FIFO waits for a reader.
                let stat = fs::statat(&folder.folder, &self.name, AtFlags::SYMLINK_NOFOLLOW)?;
                self.check(&stat)?;
                self.open_with(flags | OFlags::NOFOLLOW)?
            }
            // A link to a file that isn't there yet.
            None => self.open_with(flags | OFlags::CREATE)?,
        };
        let stat = fs::fstat(&file)?;
        self.check(&stat)?;
        let file = File::from(file);
        let id = FileId::from(&file.metadata()?);
        if is_regular(&stat) && others.contains(&id) {
            return Err(io::Error::other(
                "a file that is already being read or written",
            ));
        }
        Ok(file)
    }

    /// Refuses what is there unless it is a regular file. It isn't opened, because opening a FIFO waits for a reader.
    ///
    /// # Errors
    /// Those of stat(2), except that nothing has to be there, or it is refused.
    pub fn require_regular(&self) -> io::Result<()> {
        // Links among devices lead to what is open; the others have been followed, or may be by anyone but root.
        let flags = if self.folder.is_some() || is_device(&self.name) {
            AtFlags::SYMLINK_NOFOLLOW
        } else {
            AtFlags::empty()
        };
        let stat = match &self.folder {
            Some(folder) => fs::statat(&folder.folder, &self.name, flags),
            None => fs::statat(CWD, &self.name, flags),
        };
        match stat {
            Ok(stat) if is_regular(&stat) => Ok(()),
            Ok(_) => Err(io::Error::other("not a regular file, as --rotate needs")),
            Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes the file.
    ///
    /// # Errors
    /// Those of unlink(2).
    pub fn remove(&self) -> io::Result<()> {
        let removed = match &self.folder {
            Some(folder) => fs::unlinkat(&folder.folder, &self.name, AtFlags::empty()),
            None => fs::unlinkat(CWD, &self.name, AtFlags::empty()),
        };
        Ok(removed?)
    }

    fn open_with(&self, flags: OFlags) -> rustix::io::Result<OwnedFd> {
        match &self.folder {
            Some(folder) => fs::openat(&folder.folder, &self.name, flags, MODE),
            None => fs::openat(CWD, &self.name, flags, MODE),
        }
    }

    /// Refuses a file that others may have left there.
    fn check(&self, stat: &Stat) -> io::Result<()> {
        let where_it_is = match &self.folder {
            Some(folder) if folder.is_open_to_all => OPEN_FOLDER,
            Some(_) if self.named_by == NamedBy::Program => "",
            _ => return Ok(()),
        };
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Symlink => return Err(Errno::LOOP.into()),
            FileType::Directory => return Err(Errno::ISDIR.into()),
            _ => {}
        }
        let is_callers = Caller::of_sudo().is_some_and(|caller| caller.uid == stat.st_uid);
        if stat.st_uid != 0 && !is_callers {
            return Err(io::Error::other(format!(
                "a file of another user{where_it_is}, which root does not change"
            )));
        }
        if stat.st_nlink > 1 {
            return Err(io::Error::other(format!(
                "a file with several names{where_it_is}, which root does not change"
            )));
        }
        Ok(())
    }

    /// Gives a new file to the user who called sudo. Some file systems have no owners.
    fn give_to_caller(&self, file: &OwnedFd) {
        let caller = Caller::of_sudo().filter(|_| rustix::process::geteuid().is_root());
        let Some(Caller { uid, gid }) = caller else {
            return;
        };
        if let Err(error) = fs::fchown(file, Some(Uid::from_raw(uid)), gid.map(Gid::from_raw)) {
            let (name, reason) = (escape::name(&self.name), reason(&error.into()));
            warn(format_args!("{name}: still belongs to root: {reason}"));
        }
    }
}

fn is_device(path: &Path) -> bool {
    DEVICES.iter().any(|folder| path.starts_with(folder))
}

fn is_regular(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
}

/// Empties a file. A pipe or a device has nothing to empty.
///
/// # Errors
/// Those of ftruncate(2).
pub fn empty(file: &File) -> io::Result<()> {
    if is_regular(&fs::fstat(file)?) {
        file.set_len(0)?;
    }
    Ok(())
}

/// Pushes the components of a path in reverse order, so that the first is popped first.
fn push_components(rest: &mut Vec<OsString>, path: &Path) {
    let components = path
        .components()
        .filter(|component| *component != Component::CurDir);
    rest.extend(
        components
            .rev()
            .map(|component| component.as_os_str().to_owned()),
    );
}
