//! Which rights a preopened directory grants, and which apply to what is opened.

use crate::Rights;

/// What the guest may do beneath a preopened directory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum DirAccess {
    /// Everything that the host process may.
    #[default]
    ReadWrite,
    /// Look at directories, files and their attributes, and change nothing.
    ReadOnly,
}

impl Rights {
    /// What can be done with a directory itself.
    pub(crate) const DIRECTORY: Rights = Rights::PATH_CREATE_DIRECTORY
        .union(Rights::PATH_CREATE_FILE)
        .union(Rights::PATH_LINK_SOURCE)
        .union(Rights::PATH_LINK_TARGET)
        .union(Rights::PATH_OPEN)
        .union(Rights::FD_READDIR)
        .union(Rights::PATH_READLINK)
        .union(Rights::PATH_RENAME_SOURCE)
        .union(Rights::PATH_RENAME_TARGET)
        .union(Rights::PATH_SYMLINK)
        .union(Rights::PATH_REMOVE_DIRECTORY)
        .union(Rights::PATH_UNLINK_FILE)
        .union(Rights::PATH_FILESTAT_GET)
        .union(Rights::PATH_FILESTAT_SET_SIZE)
        .union(Rights::PATH_FILESTAT_SET_TIMES)
        .union(Rights::FD_FILESTAT_GET)
        .union(Rights::FD_FILESTAT_SET_TIMES);

    /// What can be done with a file.
    pub(crate) const FILE: Rights = Rights::FD_DATASYNC
        .union(Rights::FD_READ)
        .union(Rights::FD_SEEK)
        .union(Rights::FD_FDSTAT_SET_FLAGS)
        .union(Rights::FD_SYNC)
        .union(Rights::FD_TELL)
        .union(Rights::FD_WRITE)
        .union(Rights::FD_ADVISE)
        .union(Rights::FD_ALLOCATE)
        .union(Rights::FD_FILESTAT_GET)
        .union(Rights::FD_FILESTAT_SET_SIZE)
        .union(Rights::FD_FILESTAT_SET_TIMES)
        .union(Rights::POLL_FD_READWRITE);

    /// What can be done with a stream that knows no positions.
    pub(crate) const STREAM: Rights = Rights::FD_DATASYNC
        .union(Rights::FD_READ)
        .union(Rights::FD_SYNC)
        .union(Rights::FD_WRITE)
        .union(Rights::FD_FILESTAT_GET)
        .union(Rights::POLL_FD_READWRITE);

    /// What can be done with a connection.
    pub(crate) const CONNECTION: Rights =
        Rights::STREAM.union(Rights::FD_FDSTAT_SET_FLAGS).union(Rights::SOCK_SHUTDOWN);

    /// What can be done with a listening socket.
    pub(crate) const LISTENER: Rights = Rights::FD_FDSTAT_SET_FLAGS
        .union(Rights::FD_FILESTAT_GET)
        .union(Rights::POLL_FD_READWRITE)
        .union(Rights::SOCK_ACCEPT);

    /// What changes a file or directory. Linking is among it: through the other
    /// name of a file, in a directory with more rights, it could be written.
    const CHANGING: Rights = Rights::PATH_CREATE_DIRECTORY
        .union(Rights::PATH_CREATE_FILE)
        .union(Rights::PATH_LINK_SOURCE)
        .union(Rights::PATH_LINK_TARGET)
        .union(Rights::PATH_RENAME_SOURCE)
        .union(Rights::PATH_RENAME_TARGET)
        .union(Rights::PATH_SYMLINK)
        .union(Rights::PATH_REMOVE_DIRECTORY)
        .union(Rights::PATH_UNLINK_FILE)
        .union(Rights::PATH_FILESTAT_SET_SIZE)
        .union(Rights::PATH_FILESTAT_SET_TIMES)
        .union(Rights::FD_WRITE)
        .union(Rights::FD_ALLOCATE)
        .union(Rights::FD_FILESTAT_SET_SIZE)
        .union(Rights::FD_FILESTAT_SET_TIMES);
}

impl DirAccess {
    /// The rights of the preopened directory, and what they hand down.
    pub(crate) fn rights(self) -> (Rights, Rights) {
        let allowed = match self {
            DirAccess::ReadWrite => Rights::all(),
            DirAccess::ReadOnly => Rights::CHANGING.complement(),
        };
        let base = Rights::DIRECTORY.intersection(allowed);
        (base, base.union(Rights::FILE.intersection(allowed)))
    }
}
