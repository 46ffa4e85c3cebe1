//! What a descriptor refers to.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Mutex;

use rustix::fs::OFlags;

use crate::abi::{FdFlags, FileStat, FileType};
use crate::position::Position;
use crate::{Errno, MemoryInput, MemoryOutput};

/// An open object.
#[derive(Debug)]
pub(crate) enum Object {
    /// A file, or whatever else the host opened.
    File(HostFile),
    /// A directory.
    Directory(Directory),
    /// A standard stream of the host process.
    Standard(BorrowedFd<'static>),
    /// A socket that accepts connections.
    Listener(OwnedFd),
    /// A connected socket.
    Connection(OwnedFd),
    /// Bytes that the embedder prepared.
    Input(MemoryInput),
    /// Bytes that the embedder collects.
    Output(MemoryOutput),
    /// Always at its end; takes and drops everything.
    Null,
}

/// A file of the host.
#[derive(Debug)]
pub(crate) struct HostFile {
    pub(crate) fd: OwnedFd,
    pub(crate) filetype: FileType,
    pub(crate) position: Position,
}

/// A directory of the host, from which paths are looked up.
#[derive(Debug)]
pub(crate) struct Directory {
    pub(crate) dir: cap_std::fs::Dir,
    /// The name under which the guest finds it, for a preopened directory.
    pub(crate) preopened_as: Option<String>,
    /// Held while entries are listed: the position of a listing belongs to the
    /// open directory, which contexts may share.
    pub(crate) listing: Mutex<()>,
}

impl Directory {
    pub(crate) fn new(fd: OwnedFd, preopened_as: Option<String>) -> Directory {
        let dir = cap_std::fs::Dir::from_std_file(std::fs::File::from(fd));
        Directory { dir, preopened_as, listing: Mutex::new(()) }
    }
}

impl HostFile {
    /// What was just opened with `flags`, and is nobody else's.
    pub(crate) fn opened(fd: OwnedFd, flags: OFlags) -> Result<HostFile, Errno> {
        let stat = rustix::fs::fstat(&fd)?;
        let filetype = rustix::fs::FileType::from_raw_mode(stat.st_mode).into();
        let position = match filetype {
            FileType::RegularFile if !flags.contains(OFlags::APPEND) => Position::exclusive(),
            _ => Position::shared(),
        };
        Ok(HostFile { fd, filetype, position })
    }

    /// What the embedder hands over and may have kept a duplicate of.
    pub(crate) fn given(fd: OwnedFd, filetype: FileType) -> HostFile {
        HostFile { fd, filetype, position: Position::shared() }
    }
}

impl Object {
    /// The descriptor of the host behind it.
    pub(crate) fn host_fd(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Object::File(file) => Some(file.fd.as_fd()),
            Object::Directory(directory) => Some(directory.dir.as_fd()),
            Object::Standard(fd) => Some(*fd),
            Object::Listener(fd) | Object::Connection(fd) => Some(fd.as_fd()),
            Object::Input(_) | Object::Output(_) | Object::Null => None,
        }
    }

    pub(crate) fn filetype(&self) -> FileType {
        match self {
            Object::File(file) => file.filetype,
            Object::Directory(_) => FileType::Directory,
            // Guests take a character device for a terminal; what else the host's
            // streams are is none of their business.
            Object::Standard(fd) if rustix::termios::isatty(fd) => FileType::CharacterDevice,
            Object::Listener(_) | Object::Connection(_) => FileType::SocketStream,
            Object::Standard(_) | Object::Input(_) | Object::Output(_) | Object::Null => {
                FileType::Unknown
            }
        }
    }

    pub(crate) fn flags(&self) -> Result<FdFlags, Errno> {
        match self {
            Object::File(HostFile { fd, .. }) | Object::Listener(fd) | Object::Connection(fd) => {
                Ok(host_flags(rustix::fs::fcntl_getfl(fd)?))
            }
            _ => Ok(FdFlags::empty()),
        }
    }

    pub(crate) fn stat(&self) -> Result<FileStat, Errno> {
        match self {
            Object::File(file) => Ok(FileStat::from(&rustix::fs::fstat(&file.fd)?)),
            Object::Directory(directory) => Ok(FileStat::from(&rustix::fs::fstat(&directory.dir)?)),
            other => Ok(FileStat::of_type(other.filetype())),
        }
    }
}

fn host_flags(host: OFlags) -> FdFlags {
    let mut flags = FdFlags::empty();
    flags.set(FdFlags::APPEND, host.contains(OFlags::APPEND));
    flags.set(FdFlags::NONBLOCK, host.contains(OFlags::NONBLOCK));
    flags.set(FdFlags::DSYNC, host.contains(OFlags::DSYNC));
    flags.set(FdFlags::SYNC, host.contains(OFlags::SYNC));
    flags.set(FdFlags::RSYNC, host.contains(OFlags::RSYNC));
    flags
}
