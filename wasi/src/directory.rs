//! Preopened directories and directory listings.

use std::os::fd::AsFd;
use std::sync::PoisonError;

use precast_runtime::MemoryView;

use crate::abi::FileType;
use crate::object::{Directory, Object};
use crate::sys::{self, Entry};
use crate::{Errno, Rights, WasiCtx};

/// The size of `dirent`, which stands before each name.
const ENTRY_SIZE: usize = 24;

impl WasiCtx {
    /// Stores at `prestat` that a descriptor is a preopened directory, and the length
    /// of its name.
    ///
    /// # Errors
    ///
    /// [`Errno::Badf`] for what is no directory, which ends a guest's search;
    /// [`Errno::Notsup`] for a directory that the guest opened.
    pub fn fd_prestat_get(
        &mut self,
        memory: MemoryView<'_>,
        fd: u32,
        prestat: u32,
    ) -> Result<(), Errno> {
        let Object::Directory(directory) = &*self.table.get(fd)?.object else {
            return Err(Errno::Badf);
        };
        let name = directory.preopened_as.as_ref().ok_or(Errno::Notsup)?;
        let len = u32::try_from(name.len()).map_err(|_| Errno::Overflow)?;
        // A tag, which is 0 for directories, and the length.
        let mut bytes = [0; 8];
        bytes[4..].copy_from_slice(&len.to_le_bytes());
        Ok(memory.write(u64::from(prestat), &bytes)?)
    }

    /// Stores the name of a preopened directory at `path`.
    ///
    /// # Errors
    ///
    /// [`Errno::Notdir`] for what is no directory; [`Errno::Notsup`] for a directory
    /// that the guest opened; [`Errno::Nametoolong`] when the name is longer than
    /// `path_len`.
    pub fn fd_prestat_dir_name(
        &mut self,
        memory: MemoryView<'_>,
        fd: u32,
        path: u32,
        path_len: u32,
    ) -> Result<(), Errno> {
        let Ok(descriptor) = self.table.get(fd) else { return Err(Errno::Notdir) };
        let Object::Directory(directory) = &*descriptor.object else {
            return Err(Errno::Notdir);
        };
        let name = directory.preopened_as.as_ref().ok_or(Errno::Notsup)?;
        if name.len() > path_len as usize {
            return Err(Errno::Nametoolong);
        }
        Ok(memory.write(u64::from(path), name.as_bytes())?)
    }

    /// Lists a directory into `buffer`, from the position `cookie` on, and stores how
    /// many bytes that took at `used`. The last entry may be cut short; less than
    /// `buffer_len` means that the directory ended.
    ///
    /// # Errors
    ///
    /// What the system answers; [`Errno::Ilseq`] for a name that is not UTF-8.
    pub fn fd_readdir(
        &mut self,
        memory: MemoryView<'_>,
        fd: u32,
        buffer: u32,
        buffer_len: u32,
        cookie: u64,
        used: u32,
    ) -> Result<(), Errno> {
        let descriptor = self.table.get(fd)?;
        let directory = descriptor.directory(Rights::FD_READDIR)?;
        memory.range(u64::from(buffer), u64::from(buffer_len))?;
        memory.range(u64::from(used), 4)?;
        let count = list(directory, memory, buffer, buffer_len, cookie)?;
        Ok(memory.write(u64::from(used), &count.to_le_bytes())?)
    }
}

fn list(
    directory: &Directory,
    memory: MemoryView<'_>,
    buffer: u32,
    buffer_len: u32,
    cookie: u64,
) -> Result<u32, Errno> {
    let host = directory.dir.as_fd();
    let _turn = directory.listing.lock().unwrap_or_else(PoisonError::into_inner);
    let mut used = 0;
    // Fills up to the end of the buffer, and says whether all of `bytes` fit.
    let mut append = |bytes: &[u8]| -> Result<bool, Errno> {
        let len = bytes.len().min((buffer_len - used) as usize);
        memory.write(u64::from(buffer) + u64::from(used), &bytes[..len])?;
        used += len as u32;
        Ok(len == bytes.len())
    };
    let mut own_number = None;
    sys::list(host, cookie, |entry| {
        if std::str::from_utf8(entry.name).is_err() {
            return Err(Errno::Ilseq);
        }
        let ino = match entry.name {
            // Nothing is told about the directory above: it may lie outside.
            b".." => match own_number {
                Some(number) => number,
                None => *own_number.insert(rustix::fs::fstat(host)?.st_ino),
            },
            _ => entry.ino,
        };
        Ok(append(&header(&entry, ino))? && append(entry.name)?)
    })?;
    Ok(used)
}

fn header(entry: &Entry<'_>, ino: u64) -> [u8; ENTRY_SIZE] {
    let mut bytes = [0; ENTRY_SIZE];
    bytes[0..8].copy_from_slice(&entry.next.to_le_bytes());
    bytes[8..16].copy_from_slice(&ino.to_le_bytes());
    bytes[16..20].copy_from_slice(&(entry.name.len() as u32).to_le_bytes());
    bytes[20] = FileType::from(entry.filetype) as u8;
    bytes
}
