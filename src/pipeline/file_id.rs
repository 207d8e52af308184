//! The identity of a file, independent of its name.

use std::fs::Metadata;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// The identity of a file: no two files have the same one while both exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    /// The file that a path leads to. It isn't opened, because the other end of a pipe would notice that.
    ///
    /// # Errors
    /// Those of stat(2).
    pub fn of(path: &Path) -> io::Result<FileId> {
        Ok(FileId::from(&path.metadata()?))
    }

    /// The file that a descriptor is open for, if data written to it can be read back: not a terminal, another device
    /// or a socket.
    pub fn of_stream(stream: impl AsFd) -> Option<FileId> {
        let file = std::fs::File::from(stream.as_fd().try_clone_to_owned().ok()?);
        FileId::if_shared(&file.metadata().ok()?)
    }

    /// The file that a path leads to, if data written to it can be read back.
    pub fn of_shared(path: &Path) -> Option<FileId> {
        FileId::if_shared(&path.metadata().ok()?)
    }

    fn if_shared(metadata: &Metadata) -> Option<FileId> {
        use std::os::unix::fs::FileTypeExt as _;
        let kind = metadata.file_type();
        (!kind.is_char_device() && !kind.is_socket()).then(|| FileId::from(metadata))
    }
}

impl From<&Metadata> for FileId {
    fn from(metadata: &Metadata) -> FileId {
        FileId {
            device: metadata.dev(),
            inode: metadata.ino(),
        }
    }
}
