//! A file that grows, followed by its name as `tail -F` does.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::compressed::{BEGINNING, Compression};
use crate::exit::check_path;
use crate::pipeline::FileId;

/// The interval of checks for something new.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A name, and the files that have it one after the other.
pub struct Followed {
    path: PathBuf,
    last: Option<Last>,
    /// The reason why the current file of this name can't be followed, if that has been reported.
    reported: Option<String>,
}

/// The file that was read last.
struct Last {
    id: FileId,
    /// The file stays open, so that no other file gets its identity.
    _file: File,
    was_emptied: Arc<AtomicBool>,
}

impl Followed {
    /// Follows the files with this name.
    pub fn new(path: &Path) -> Followed {
        Followed {
            path: path.to_owned(),
            last: None,
            reported: None,
        }
    }

    /// Returns true if a file has been opened.
    pub fn has_begun(&self) -> bool {
        self.last.is_some()
    }

    /// Opens the file that has the name. After the first file, waits until another file has the name, or the same one
    /// was emptied.
    ///
    /// # Errors
    /// The file can't be opened or followed. After the first file that isn't the end: another one may still come.
    pub fn open(&mut self) -> io::Result<Growing> {
        loop {
            match self.look() {
                Ok(Some(file)) => {
                    self.reported = None;
                    return Ok(file);
                }
                Ok(None) => {}
                Err(error) if !self.has_begun() => return Err(error),
                // The file is gone for a moment.
                Err(error) if error.kind() == io::ErrorKind::NotFound => self.reported = None,
                Err(error) => {
                    let reason = Some(error.to_string());
                    if self.reported != reason {
                        self.reported = reason;
                        return Err(error);
                    }
                }
            }
            thread::sleep(LOOK_EVERY);
        }
    }

    /// Opens the file that currently has the name, unless it has been read.
    fn look(&mut self) -> io::Result<Option<Growing>> {
        let is_new = |id: FileId| match &self.last {
            Some(last) => id != last.id || last.was_emptied.load(Ordering::Relaxed),
            None => true,
        };
        // Opening a pipe would wait for its other end; stat doesn't.
        if !is_new(FileId::of(&self.path)?) {
            return Ok(None);
        }
        check_path(&self.path)?;
        let file = File::open(&self.path)?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        if metadata.is_file() {
            let mut head = [0; BEGINNING];
            let count = file.read_at(&mut head, 0)?;
            check(&head[..count])?;
        }
        let was_emptied = Arc::new(AtomicBool::new(false));
        let growing = Growing {
            path: self.path.clone(),
            id: FileId::from(&metadata),
            file: file.try_clone()?,
            read: 0,
            is_over: false,
            was_emptied: Arc::clone(&was_emptied),
        };
        self.last = Some(Last {
            id: growing.id,
            _file: file,
            was_emptied,
        });
        Ok(Some(growing))
    }
}

/// Refuses compressed data, because its events would come only when its writer fills a block.
fn check(head: &[u8]) -> io::Result<()> {
    match Compression::of(head) {
        Some(_) => Err(io::Error::other(
            "it is compressed: only a plain file can be followed",
        )),
        None => Ok(()),
    }
}

/// A file that may still grow. It ends when another file has its name, or when it is emptied.
pub struct Growing {
    path: PathBuf,
    id: FileId,
    file: File,
    read: u64,
    is_over: bool,
    was_emptied: Arc<AtomicBool>,
}

impl Growing {
    /// Returns true if nothing more will come. If its name is gone, another file is still to come.
    fn is_replaced(&self) -> bool {
        let is_shorter = self
            .file
            .metadata()
            .is_ok_and(|metadata| metadata.is_file() && metadata.len() < self.read);
        if is_shorter {
            self.was_emptied.store(true, Ordering::Relaxed);
        }
        is_shorter || FileId::of(&self.path).is_ok_and(|now| now != self.id)
    }
}

impl Read for Growing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = self.file.read(buffer)?;
            if self.read == 0 {
                check(&buffer[..count])?;
            }
            self.read += count as u64;
            if count > 0 || self.is_over {
                return Ok(count);
            }
            // Data from before the replacement is still read.
            self.is_over = self.is_replaced();
            if !self.is_over {
                thread::sleep(LOOK_EVERY);
            }
        }
    }
}
