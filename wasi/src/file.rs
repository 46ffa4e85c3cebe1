//! Reading, writing and everything else about the contents of open files.

use std::num::NonZeroU64;
use std::os::fd::AsFd;

use precast_runtime::MemoryView;
use rustix::fs::{FallocateFlags, SeekFrom, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT};

use crate::abi::{Advice, TimeFlags, Whence};
use crate::object::{HostFile, Object};
use crate::sys::IoVecs;
use crate::{Errno, Rights, WasiCtx};

impl WasiCtx {
    /// Announces how a part of a file will be used.
    ///
    /// # Errors
    ///
    /// What the system answers.
    pub fn fd_advise(
        &mut self,
        _memory: MemoryView<'_>,
        fd: u32,
        offset: u64,
        len: u64,
        advice: u32,
    ) -> Result<(), Errno> {
        let advice = match Advice::parse(advice)? {
            Advice::Normal => rustix::fs::Advice::Normal,
            Advice::Sequential => rustix::fs::Advice::Sequential,
            Advice::Random => rustix::fs::Advice::Random,
            Advice::WillNeed => rustix::fs::Advice::WillNeed,
            Advice::DontNeed => rustix::fs::Advice::DontNeed,
            Advice::NoReuse => rustix::fs::Advice::NoReuse,
        };
        let descriptor = self.table.get(fd)?;
        let file = descriptor.file(Rights::FD_ADVISE)?;
        Ok(rustix::fs::fadvise(&file.fd, offset, NonZeroU64::new(len), advice)?)
    }

    /// Reserves space, and makes the file at least `offset + len` bytes long.
    ///
    /// # Errors
    ///
    /// What the system answers; [`Errno::Notsup`] when the file system cannot.
    pub fn fd_allocate(
        &mut self,
        _memory: MemoryView<'_>,
        fd: u32,
        offset: u64,
        len: u64,
    ) -> Result<(), Errno> {
        let descriptor = self.table.get(fd)?;
        let file = descriptor.file(Rights::FD_ALLOCATE)?;
        Ok(rustix::fs::fallocate(&file.fd, FallocateFlags::empty(), offset, len)?)
    }

    /// Writes the contents of a file to its device.
    ///
    /// # Errors
    ///
    /// What the system answers.
    pub fn fd_datasync(&mut self, _memory: MemoryView<'_>, fd: u32) -> Result<(), Errno> {
        self.synchronize(fd, Rights::FD_DATASYNC, |file| rustix::fs::fdatasync(file))
    }

    /// Writes the contents and attributes of a file to its device.
    ///
    /// # Errors
    ///
    /// What the system answers.
    pub fn fd_sync(&mut self, _memory: MemoryView<'_>, fd: u32) -> Result<(), Errno> {
        self.synchronize(fd, Rights::FD_SYNC, |file| rustix::fs::fsync(file))
    }

    fn synchronize(
        &self,
        fd: u32,
        rights: Rights,
        flush: fn(&std::os::fd::OwnedFd) -> rustix::io::Result<()>,
    ) -> Result<(), Errno> {
        let descriptor = self.table.get(fd)?;
        match &*descriptor.object {
            Object::File(file) => {
                descriptor.require(rights)?;
                Ok(flush(&file.fd)?)
            }
            Object::Directory(_) => Err(Errno::Badf),
            // Nothing is held back on the way to any other object.
            _ => Ok(()),
        }
    }

    /// Cuts or extends a file to `size` bytes.
    ///
    /// # Errors
    ///
    /// What the system answers.
    pub fn fd_filestat_set_size(
        &mut self,
        _memory: MemoryView<'_>,
        fd: u32,
        size: u64,
    ) -> Result<(), Errno> {
        let descriptor = self.table.get(fd)?;
        let file = descriptor.file(Rights::FD_FILESTAT_SET_SIZE)?;
        Ok(rustix::fs::ftruncate(&file.fd, size)?)
    }

    /// Sets the times of a file or directory.
    ///
    /// # Errors
    ///
    /// [`Errno::Inval`] when a time is to be both given and now; what the system
    /// answers.
    pub fn fd_filestat_set_times(
        &mut self,
        _memory: MemoryView<'_>,
        fd: u32,
        atim: u64,
        mtim: u64,
        times: u32,
    ) -> Result<(), Errno> {
        let times = timestamps(atim, mtim, times)?;
        let descriptor = self.table.get(fd)?;
        let host = match &*descriptor.object {
            object @ (Object::File(_) | Object::Directory(_)) => object.host_fd(),
            _ => None,
        };
        let host = host.ok_or(Errno::Badf)?;
        descriptor.require(Rights::FD_FILESTAT_SET_TIMES)?;
        Ok(rustix::fs::futimens(host, &times)?)
    }

    /// Reads into the buffers listed at `iovs` and stores the count at `nread`.
    ///
    /// # Errors
    ///
    /// What the system answers.
    pub fn fd_read(
        &mut self,
        memory: MemoryView<'_>,
        fd: u32,
        iovs: u32,
        iovs_len: u32,
        nread: u32,
    ) -> Result<(), Errno> {
        let descriptor = self.table.get(fd)?;
        descriptor.require(Rights::FD_READ)?;
        memory.range(u64::from(nread), 4)?;
        let buffers = IoVecs::parse(memory, iovs, iovs_len)?;
        let count = match &*descriptor.object {
            _ if buffers.total() == 0 => 0,
            Object::Input(input) => input.read(&buffers),
            Object::Null => 0,
            Object::File(file) => file.read(&buffers)?,
            object => buffers.read(object.host_fd().ok_or(Errno::Badf)?)?,
        };
        Ok(memory.write(u64::from(nread), &count.to_le_bytes())?)
    }

    /// Reads at `offset`, without moving the position of the file.
    ///
    /// # Errors
    ///
    /// [`Errno::Spipe`] for what has no positions; what the system answers.
    pub fn fd_pread(
        &mut self,
        memory: MemoryView<'_>,
        fd: u32,
        iovs: u32,
        iovs_len: u32,
        offset: u64,
        nread: u32,
    ) -> Result<(), Errno> {
        let descriptor = self.table.get(fd)?;
        let file = descriptor.positioned(Rights::FD_READ | Rights::FD_SEEK)?;
        memory.range(u64::from(nread), 4)?;
        let buffers = IoVecs::parse(memory, iovs, iovs_len)?;
        let count = match buffers.total() {
            0 => 0,
            _ => buffers.read_at(file.fd.as_fd(), offset)?,
        };
        Ok(memory.write(u64::from(nread), &count.to_le_bytes())?)
    }

    /// Writes the buffers listed at `iovs` and stores the count at `nwritten`.
    ///
    /// # Errors
    ///
    /// What the system answers.
    pub fn fd_write(
        &mut self,
        memory: MemoryView<'_>,
        fd: u32,
        iovs: u32,
        iovs_len: u32,
        nwritten: u32,
    ) -> Result<(), Errno> {
        let descriptor = self.table.get(fd)?;
        descriptor.require(Rights::FD_WRITE)?;
        memory.range(u64::from(nwritten), 4)?;
        let buffers = IoVecs::parse(memory, iovs, iovs_len)?;
        let count = match &*descriptor.object {
            Object::Output(output) => output.write(&buffers)?,
            Object::Null => u32::try_from(buffers.total()).unwrap_or(u32::MAX),
            // A signal would end the host where a peer is gone.
            Object::Connection(socket) => buffers.send(socket.as_fd())?,
            Object::File(file) => file.write(&buffers)?,
            object => buffers.write(object.host_fd().ok_or(Errno::Badf)?)?,
        };
        Ok(memory.write(u64::from(nwritten), &count.to_le_bytes())?)
    }

    /// Writes at `offset`, without moving the position of the file.
    ///
    /// # Errors
    ///
    /// [`Errno::Spipe`] for what has no positions; what the system answers.
    pub fn fd_pwrite(
        &mut self,
        memory: MemoryView<'_>,
        fd: u32,
        iovs: u32,
        iovs_len: u32,
        offset: u64,
        nwritten: u32,
    ) -> Result<(), Errno> {
        let descriptor = self.table.get(fd)?;
        let file = descriptor.positioned(Rights::FD_WRITE | Rights::FD_SEEK)?;
        memory.range(u64::from(nwritten), 4)?;
        let buffers = IoVecs::parse(memory, iovs, iovs_len)?;
        let count = match buffers.total() {
            0 => 0,
            _ => buffers.write_at(file.fd.as_fd(), offset)?,
        };
        Ok(memory.write(u64::from(nwritten), &count.to_le_bytes())?)
    }

    /// Moves the position of a file and stores the new one at `position`.
    ///
    /// # Errors
    ///
    /// [`Errno::Inval`] for a position before the start; [`Errno::Spipe`] for what has
    /// no positions; what the system answers.
    pub fn fd_seek(
        &mut self,
        memory: MemoryView<'_>,
        fd: u32,
        offset: i64,
        whence: u32,
        position: u32,
    ) -> Result<(), Errno> {
        self.seek(memory, fd, offset, Whence::parse(whence)?, position)
    }

    pub(crate) fn seek(
        &mut self,
        memory: MemoryView<'_>,
        fd: u32,
        offset: i64,
        whence: Whence,
        position: u32,
    ) -> Result<(), Errno> {
        let (target, rights) = match whence {
            Whence::Set => {
                let start = u64::try_from(offset).map_err(|_| Errno::Inval)?;
                (SeekFrom::Start(start), Rights::FD_SEEK)
            }
            Whence::Current if offset == 0 => (SeekFrom::Current(0), Rights::empty()),
            Whence::Current => (SeekFrom::Current(offset), Rights::FD_SEEK),
            Whence::End => (SeekFrom::End(offset), Rights::FD_SEEK),
        };
        let descriptor = self.table.get(fd)?;
        let file = descriptor.positioned(rights)?;
        if rights.is_empty() && !descriptor.base.intersects(Rights::FD_SEEK | Rights::FD_TELL) {
            return Err(Errno::Notcapable);
        }
        memory.range(u64::from(position), 8)?;
        let moved = file.seek(target)?;
        Ok(memory.write(u64::from(position), &moved.to_le_bytes())?)
    }

    /// Stores the position of a file at `position`.
    ///
    /// # Errors
    ///
    /// [`Errno::Spipe`] for what has no positions; what the system answers.
    pub fn fd_tell(&mut self, memory: MemoryView<'_>, fd: u32, position: u32) -> Result<(), Errno> {
        self.seek(memory, fd, 0, Whence::Current, position)
    }
}

impl crate::table::Descriptor {
    /// The file behind it, for calls that need positions.
    fn positioned(&self, rights: Rights) -> Result<&HostFile, Errno> {
        match &*self.object {
            Object::File(file) => {
                self.require(rights)?;
                Ok(file)
            }
            Object::Directory(_) => Err(Errno::Badf),
            // Which direction a stream has comes before that it has no positions.
            _ => {
                self.require(rights & (Rights::FD_READ | Rights::FD_WRITE))?;
                Err(Errno::Spipe)
            }
        }
    }
}

/// What the times of a call mean to the system.
pub(crate) fn timestamps(atim: u64, mtim: u64, flags: u32) -> Result<Timestamps, Errno> {
    let flags = TimeFlags::parse(flags)?;
    let one = |nanoseconds: u64, set: TimeFlags, now: TimeFlags| {
        let (tv_sec, tv_nsec) = match (flags.contains(set), flags.contains(now)) {
            (true, true) => return Err(Errno::Inval),
            (true, false) => {
                ((nanoseconds / 1_000_000_000) as i64, (nanoseconds % 1_000_000_000) as i64)
            }
            (false, true) => (0, UTIME_NOW),
            (false, false) => (0, UTIME_OMIT),
        };
        Ok(Timespec { tv_sec, tv_nsec })
    };
    Ok(Timestamps {
        last_access: one(atim, TimeFlags::ATIM, TimeFlags::ATIM_NOW)?,
        last_modification: one(mtim, TimeFlags::MTIM, TimeFlags::MTIM_NOW)?,
    })
}
