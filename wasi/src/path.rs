//! The functions that take paths, except the one that opens them.
//!
//! Every look-up goes through cap-std or `openat2`, which resolve symbolic links and
//! `..` themselves and never leave the directory that they start from. A name in that
//! directory itself needs no look-up.

use std::ffi::CStr;
use std::path::Path;

use precast_runtime::MemoryView;
use rustix::fs::OFlags;
use smallvec::SmallVec;

use crate::abi::{Edition, FileStat, LookupFlags};
use crate::file::timestamps;
use crate::sys;
use crate::{Errno, Rights, WasiCtx};

/// The longest path of Linux, with the zero byte at its end.
const PATH_MAX: u32 = 4096;

/// A path that the guest passed, copied so that it cannot change while it is used.
pub(crate) struct GuestPath {
    /// Ends with a zero byte and has no other.
    bytes: SmallVec<[u8; 256]>,
}

impl GuestPath {
    pub(crate) fn read(memory: MemoryView<'_>, address: u32, len: u32) -> Result<Self, Errno> {
        memory.range(u64::from(address), u64::from(len))?;
        if len >= PATH_MAX {
            return Err(Errno::Nametoolong);
        }
        let mut bytes = SmallVec::new();
        bytes.resize(len as usize + 1, 0);
        let end = bytes.len() - 1;
        memory.read(u64::from(address), &mut bytes[..end])?;
        if std::str::from_utf8(&bytes).is_err() {
            return Err(Errno::Ilseq);
        }
        if bytes[..end].contains(&0) {
            return Err(Errno::Inval);
        }
        Ok(GuestPath { bytes })
    }

    pub(crate) fn as_c_str(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.bytes).unwrap_or_default()
    }

    fn as_path(&self) -> &Path {
        sys::as_path(self.as_c_str())
    }
}

impl LookupFlags {
    pub(crate) fn to_host(self) -> OFlags {
        match self.contains(LookupFlags::SYMLINK_FOLLOW) {
            true => OFlags::empty(),
            false => OFlags::NOFOLLOW,
        }
    }
}

impl WasiCtx {
    /// Creates a directory.
    ///
    /// # Errors
    ///
    /// What the path look-up or the system answers.
    pub fn path_create_directory(
        &mut self,
        memory: MemoryView<'_>,
        fd: u32,
        path: u32,
        path_len: u32,
    ) -> Result<(), Errno> {
        let descriptor = self.table.get(fd)?;
        let directory = descriptor.directory(Rights::PATH_CREATE_DIRECTORY)?;
        let path = GuestPath::read(memory, path, path_len)?;
        sys::create_dir_beneath(&directory.dir, path.as_c_str())
    }

    /// Stores the attributes of a file or directory at `stat`.
    ///
    /// # Errors
    ///
    /// What the path look-up or the system answers.
    pub fn path_filestat_get(
        &mut self,
        memory: MemoryView<'_>,
        fd: u32,
        flags: u32,
        path: u32,
        path_len: u32,
        stat: u32,
    ) -> Result<(), Errno> {
        let at = (path, path_len);
        self.path_filestat(memory, fd, flags, at, stat, Edition::Preview1)
    }

    pub(crate) fn path_filestat(
        &mut self,
        memory: MemoryView<'_>,
        fd: u32,
        flags: u32,
        (path, path_len): (u32, u32),
        stat: u32,
        edition: Edition,
    ) -> Result<(), Errno> {
        let flags = LookupFlags::parse(flags)?;
        let descriptor = self.table.get(fd)?;
        let directory = descriptor.directory(Rights::PATH_FILESTAT_GET)?;
        let path = GuestPath::read(memory, path, path_len)?;
        let found = sys::stat_beneath(&directory.dir, path.as_c_str(), flags.to_host())?;
        let bytes = FileStat::from(&found).to_bytes(edition);
        Ok(memory.write(u64::from(stat), &bytes[..FileStat::size_in(edition)])?)
    }

    /// Sets the times of a file or directory.
    ///
    /// # Errors
    ///
    /// [`Errno::Inval`] when a time is to be both given and now; what the path
    /// look-up or the system answers.
    #[expect(clippy::too_many_arguments, reason = "the interface has them")]
    pub fn path_filestat_set_times(
        &mut self,
        memory: MemoryView<'_>,
        fd: u32,
        flags: u32,
        path: u32,
        path_len: u32,
        atim: u64,
        mtim: u64,
        times: u32,
    ) -> Result<(), Errno> {
        let flags = LookupFlags::parse(flags)?;
        let times = timestamps(atim, mtim, times)?;
        let descriptor = self.table.get(fd)?;
        let directory = descriptor.directory(Rights::PATH_FILESTAT_SET_TIMES)?;
        let path = GuestPath::read(memory, path, path_len)?;
        sys::set_times_beneath(&directory.dir, path.as_c_str(), &times, flags.to_host())
    }

    /// Creates a hard link.
    ///
    /// # Errors
    ///
    /// [`Errno::Inval`] when symbolic links are to be followed, which is not
    /// supported; what the path look-ups or the system answer.
    #[expect(clippy::too_many_arguments, reason = "the interface has them")]
    pub fn path_link(
        &mut self,
        memory: MemoryView<'_>,
        old_fd: u32,
        old_flags: u32,
        old_path: u32,
        old_path_len: u32,
        new_fd: u32,
        new_path: u32,
        new_path_len: u32,
    ) -> Result<(), Errno> {
        let flags = LookupFlags::parse(old_flags)?;
        let old_descriptor = self.table.get(old_fd)?;
        let old = old_descriptor.directory(Rights::PATH_LINK_SOURCE)?;
        let new_descriptor = self.table.get(new_fd)?;
        let new = new_descriptor.directory(Rights::PATH_LINK_TARGET)?;
        if flags.contains(LookupFlags::SYMLINK_FOLLOW) {
            return Err(Errno::Inval);
        }
        let old_path = GuestPath::read(memory, old_path, old_path_len)?;
        let new_path = GuestPath::read(memory, new_path, new_path_len)?;
        Ok(old.dir.hard_link(old_path.as_path(), &new.dir, new_path.as_path())?)
    }

    /// Stores the target of a symbolic link at `buffer`, cut to `buffer_len`, and
    /// its length at `used`.
    ///
    /// # Errors
    ///
    /// [`Errno::Perm`] for a target that is an absolute path; what the path look-up
    /// or the system answers.
    #[expect(clippy::too_many_arguments, reason = "the interface has them")]
    pub fn path_readlink(
        &mut self,
        memory: MemoryView<'_>,
        fd: u32,
        path: u32,
        path_len: u32,
        buffer: u32,
        buffer_len: u32,
        used: u32,
    ) -> Result<(), Errno> {
        let descriptor = self.table.get(fd)?;
        let directory = descriptor.directory(Rights::PATH_READLINK)?;
        let path = GuestPath::read(memory, path, path_len)?;
        let target = directory.dir.read_link(path.as_path())?;
        let target = target.to_str().ok_or(Errno::Ilseq)?.as_bytes();
        let len = target.len().min(buffer_len as usize);
        memory.write(u64::from(buffer), &target[..len])?;
        Ok(memory.write(u64::from(used), &(len as u32).to_le_bytes())?)
    }

    /// Removes an empty directory.
    ///
    /// # Errors
    ///
    /// What the path look-up or the system answers.
    pub fn path_remove_directory(
        &mut self,
        memory: MemoryView<'_>,
        fd: u32,
        path: u32,
        path_len: u32,
    ) -> Result<(), Errno> {
        let descriptor = self.table.get(fd)?;
        let directory = descriptor.directory(Rights::PATH_REMOVE_DIRECTORY)?;
        let path = GuestPath::read(memory, path, path_len)?;
        sys::remove_dir_beneath(&directory.dir, path.as_c_str())
    }

    /// Renames a file or directory, also from one directory to another.
    ///
    /// # Errors
    ///
    /// What the path look-ups or the system answer.
    #[expect(clippy::too_many_arguments, reason = "the interface has them")]
    pub fn path_rename(
        &mut self,
        memory: MemoryView<'_>,
        old_fd: u32,
        old_path: u32,
        old_path_len: u32,
        new_fd: u32,
        new_path: u32,
        new_path_len: u32,
    ) -> Result<(), Errno> {
        let old_descriptor = self.table.get(old_fd)?;
        let old = old_descriptor.directory(Rights::PATH_RENAME_SOURCE)?;
        let new_descriptor = self.table.get(new_fd)?;
        let new = new_descriptor.directory(Rights::PATH_RENAME_TARGET)?;
        let old_path = GuestPath::read(memory, old_path, old_path_len)?;
        let new_path = GuestPath::read(memory, new_path, new_path_len)?;
        Ok(old.dir.rename(old_path.as_path(), &new.dir, new_path.as_path())?)
    }

    /// Creates a symbolic link with the text at `old_path` as its target.
    ///
    /// # Errors
    ///
    /// [`Errno::Perm`] for a target that is an absolute path; what the path look-up
    /// or the system answers.
    pub fn path_symlink(
        &mut self,
        memory: MemoryView<'_>,
        old_path: u32,
        old_path_len: u32,
        fd: u32,
        new_path: u32,
        new_path_len: u32,
    ) -> Result<(), Errno> {
        let descriptor = self.table.get(fd)?;
        let directory = descriptor.directory(Rights::PATH_SYMLINK)?;
        let target = GuestPath::read(memory, old_path, old_path_len)?;
        let link = GuestPath::read(memory, new_path, new_path_len)?;
        Ok(directory.dir.symlink(target.as_path(), link.as_path())?)
    }

    /// Removes a file.
    ///
    /// # Errors
    ///
    /// What the path look-up or the system answers.
    pub fn path_unlink_file(
        &mut self,
        memory: MemoryView<'_>,
        fd: u32,
        path: u32,
        path_len: u32,
    ) -> Result<(), Errno> {
        let descriptor = self.table.get(fd)?;
        let directory = descriptor.directory(Rights::PATH_UNLINK_FILE)?;
        let path = GuestPath::read(memory, path, path_len)?;
        sys::remove_file_beneath(&directory.dir, path.as_c_str())
    }
}
