//! What can be asked of and done to any descriptor.

use precast_runtime::MemoryView;
use rustix::fs::OFlags;

use crate::abi::{Edition, FdFlags, FdStat, FileStat};
use crate::object::Object;
use crate::{Errno, Rights, WasiCtx};

impl WasiCtx {
    /// Closes a descriptor.
    ///
    /// # Errors
    ///
    /// [`Errno::Badf`] when it is not open.
    pub fn fd_close(&mut self, _memory: MemoryView<'_>, fd: u32) -> Result<(), Errno> {
        self.table.close(fd)
    }

    /// Stores type, flags and rights of a descriptor at `stat`.
    ///
    /// # Errors
    ///
    /// [`Errno::Badf`] when it is not open.
    pub fn fd_fdstat_get(
        &mut self,
        memory: MemoryView<'_>,
        fd: u32,
        stat: u32,
    ) -> Result<(), Errno> {
        let descriptor = self.table.get(fd)?;
        let found = FdStat {
            filetype: descriptor.object.filetype(),
            flags: descriptor.object.flags()?,
            base: descriptor.base,
            inheriting: descriptor.inheriting,
        };
        Ok(memory.write(u64::from(stat), &found.to_bytes())?)
    }

    /// Sets whether writes append and whether calls block.
    ///
    /// # Errors
    ///
    /// [`Errno::Inval`] for flags that cannot be changed; [`Errno::Badf`] for standard
    /// streams, whose flags the host shares with other processes.
    pub fn fd_fdstat_set_flags(
        &mut self,
        _memory: MemoryView<'_>,
        fd: u32,
        flags: u32,
    ) -> Result<(), Errno> {
        let flags = FdFlags::parse(flags)?;
        let descriptor = self.table.get(fd)?;
        let (host, settable) = match &*descriptor.object {
            Object::File(file) => (&file.fd, FdFlags::APPEND | FdFlags::NONBLOCK),
            Object::Listener(fd) | Object::Connection(fd) => (fd, FdFlags::NONBLOCK),
            _ => return Err(Errno::Badf),
        };
        descriptor.require(Rights::FD_FDSTAT_SET_FLAGS)?;
        if !settable.contains(flags) {
            return Err(Errno::Inval);
        }
        if let (Object::File(file), true) = (&*descriptor.object, flags.contains(FdFlags::APPEND)) {
            file.leave_position_to_system()?;
        }
        let mut wanted = rustix::fs::fcntl_getfl(host)?;
        wanted.set(OFlags::APPEND, flags.contains(FdFlags::APPEND));
        wanted.set(OFlags::NONBLOCK, flags.contains(FdFlags::NONBLOCK));
        Ok(rustix::fs::fcntl_setfl(host, wanted)?)
    }

    /// Gives up rights of a descriptor.
    ///
    /// # Errors
    ///
    /// [`Errno::Notcapable`] when it does not have all that are to stay.
    pub fn fd_fdstat_set_rights(
        &mut self,
        _memory: MemoryView<'_>,
        fd: u32,
        base: u64,
        inheriting: u64,
    ) -> Result<(), Errno> {
        let base = Rights::parse(base)?;
        let inheriting = Rights::parse(inheriting)?;
        self.table.restrict(fd, base, inheriting)
    }

    /// Stores the attributes of an open file at `stat`.
    ///
    /// # Errors
    ///
    /// What the system answers.
    pub fn fd_filestat_get(
        &mut self,
        memory: MemoryView<'_>,
        fd: u32,
        stat: u32,
    ) -> Result<(), Errno> {
        self.fd_filestat(memory, fd, stat, Edition::Preview1)
    }

    pub(crate) fn fd_filestat(
        &mut self,
        memory: MemoryView<'_>,
        fd: u32,
        stat: u32,
        edition: Edition,
    ) -> Result<(), Errno> {
        let descriptor = self.table.get(fd)?;
        descriptor.require(Rights::FD_FILESTAT_GET)?;
        let bytes = descriptor.object.stat()?.to_bytes(edition);
        Ok(memory.write(u64::from(stat), &bytes[..FileStat::size_in(edition)])?)
    }

    /// Gives the number `to`, which must be open and is closed, to what `fd` is.
    ///
    /// # Errors
    ///
    /// [`Errno::Badf`] when either is not open.
    pub fn fd_renumber(&mut self, _memory: MemoryView<'_>, fd: u32, to: u32) -> Result<(), Errno> {
        self.table.renumber(fd, to)
    }
}
