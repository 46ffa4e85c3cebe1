//! The descriptor table: numbers to open objects and the rights over them.

use std::borrow::Cow;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, PoisonError, RwLock};

use crate::object::{Directory, HostFile, Object};
use crate::{Errno, Rights};

/// One open descriptor.
///
/// The object is shared, its rights are the number's own: two tables may hold the
/// same file with different rights.
#[derive(Clone, Debug)]
pub(crate) struct Descriptor {
    pub(crate) object: Arc<Object>,
    pub(crate) base: Rights,
    pub(crate) inheriting: Rights,
}

/// The descriptors of a context: its own, until other threads get contexts over the same ones.
#[derive(Debug)]
pub(crate) enum Descriptors {
    /// Of one context.
    Own(DescriptorTable),
    /// Of several. The lock is held to look up and to change, never while a descriptor is
    /// used, which can take any time.
    Shared(Arc<RwLock<DescriptorTable>>),
}

/// Descriptors by number.
#[derive(Debug, Default)]
pub(crate) struct DescriptorTable {
    slots: Vec<Option<Descriptor>>,
    /// No number below this one is free.
    first_free: usize,
}

/// More numbers than this are not given out, whatever the host's own limit is.
const MAX_DESCRIPTORS: usize = 1 << 20;

impl Descriptors {
    /// An open descriptor, which stays open while it is used, whatever other threads do.
    pub(crate) fn get(&self, fd: u32) -> Result<Cow<'_, Descriptor>, Errno> {
        match self {
            Descriptors::Own(table) => table.get(fd).map(Cow::Borrowed),
            Descriptors::Shared(table) => {
                let table = table.read().unwrap_or_else(PoisonError::into_inner);
                table.get(fd).cloned().map(Cow::Owned)
            }
        }
    }

    /// Opens the lowest free number.
    pub(crate) fn push(&mut self, descriptor: Descriptor) -> Result<u32, Errno> {
        self.change(|table| table.push(descriptor))
    }

    pub(crate) fn close(&mut self, fd: u32) -> Result<(), Errno> {
        // What is closed is dropped without the lock.
        self.change(|table| table.take(fd)).map(drop)
    }

    /// Makes `to`, which is closed, the number of what `from` was.
    pub(crate) fn renumber(&mut self, from: u32, to: u32) -> Result<(), Errno> {
        self.change(|table| table.renumber(from, to)).map(drop)
    }

    /// Leaves a descriptor these rights, which must be among those that it has.
    pub(crate) fn restrict(
        &mut self,
        fd: u32,
        base: Rights,
        inheriting: Rights,
    ) -> Result<(), Errno> {
        self.change(|table| table.restrict(fd, base, inheriting))
    }

    /// The same descriptors for another thread.
    pub(crate) fn share(&mut self) -> Descriptors {
        let table = match self {
            Descriptors::Own(table) => Arc::new(RwLock::new(std::mem::take(table))),
            Descriptors::Shared(table) => table.clone(),
        };
        *self = Descriptors::Shared(table.clone());
        Descriptors::Shared(table)
    }

    fn change<R>(&mut self, change: impl FnOnce(&mut DescriptorTable) -> R) -> R {
        match self {
            Descriptors::Own(table) => change(table),
            Descriptors::Shared(table) => {
                change(&mut table.write().unwrap_or_else(PoisonError::into_inner))
            }
        }
    }
}

impl DescriptorTable {
    fn get(&self, fd: u32) -> Result<&Descriptor, Errno> {
        match self.slots.get(fd as usize) {
            Some(Some(descriptor)) => Ok(descriptor),
            _ => Err(Errno::Badf),
        }
    }

    fn get_mut(&mut self, fd: u32) -> Result<&mut Descriptor, Errno> {
        match self.slots.get_mut(fd as usize) {
            Some(Some(descriptor)) => Ok(descriptor),
            _ => Err(Errno::Badf),
        }
    }

    fn push(&mut self, descriptor: Descriptor) -> Result<u32, Errno> {
        let from = self.first_free.min(self.slots.len());
        let free = self.slots[from..].iter().position(Option::is_none);
        let fd = free.map_or(self.slots.len(), |offset| from + offset);
        if fd >= MAX_DESCRIPTORS {
            return Err(Errno::Mfile);
        }
        match self.slots.get_mut(fd) {
            Some(slot) => *slot = Some(descriptor),
            None => self.slots.push(Some(descriptor)),
        }
        self.first_free = fd + 1;
        Ok(fd as u32)
    }

    /// Returns what was closed.
    fn renumber(&mut self, from: u32, to: u32) -> Result<Option<Descriptor>, Errno> {
        self.get(from)?;
        self.get(to)?;
        if from == to {
            return Ok(None);
        }
        let moved = self.take(from)?;
        Ok(Some(std::mem::replace(self.get_mut(to)?, moved)))
    }

    fn restrict(&mut self, fd: u32, base: Rights, inheriting: Rights) -> Result<(), Errno> {
        let descriptor = self.get_mut(fd)?;
        if !descriptor.base.contains(base) || !descriptor.inheriting.contains(inheriting) {
            return Err(Errno::Notcapable);
        }
        descriptor.base = base;
        descriptor.inheriting = inheriting;
        Ok(())
    }

    fn take(&mut self, fd: u32) -> Result<Descriptor, Errno> {
        let slot = self.slots.get_mut(fd as usize).ok_or(Errno::Badf)?;
        let taken = slot.take().ok_or(Errno::Badf)?;
        self.first_free = self.first_free.min(fd as usize);
        Ok(taken)
    }
}

impl Descriptor {
    /// With all the rights that `object` can have among `rights`.
    pub(crate) fn new(object: Object, rights: Rights) -> Descriptor {
        Descriptor { object: Arc::new(object), base: rights, inheriting: Rights::empty() }
    }

    /// Checks for rights. Missing ones to read or write are what every system
    /// reports for a descriptor of the wrong mode, a bad descriptor.
    pub(crate) fn require(&self, rights: Rights) -> Result<(), Errno> {
        if self.base.contains(rights) {
            return Ok(());
        }
        let data = Rights::FD_READ | Rights::FD_WRITE;
        if rights.difference(self.base).intersects(data) {
            return Err(Errno::Badf);
        }
        Err(Errno::Notcapable)
    }

    /// The directory that this is.
    pub(crate) fn directory(&self, rights: Rights) -> Result<&Directory, Errno> {
        match &*self.object {
            Object::Directory(directory) => {
                self.require(rights)?;
                Ok(directory)
            }
            _ => Err(Errno::Badf),
        }
    }

    /// The connected socket that this is.
    pub(crate) fn connection(&self, rights: Rights) -> Result<BorrowedFd<'_>, Errno> {
        match &*self.object {
            Object::Connection(socket) => {
                self.require(rights)?;
                Ok(socket.as_fd())
            }
            _ => Err(Errno::Badf),
        }
    }

    /// The file that this is; standard streams and sockets are not.
    pub(crate) fn file(&self, rights: Rights) -> Result<&HostFile, Errno> {
        match &*self.object {
            Object::File(file) => {
                self.require(rights)?;
                Ok(file)
            }
            _ => Err(Errno::Badf),
        }
    }
}

impl FromIterator<Descriptor> for Descriptors {
    /// Numbers from 0 on.
    fn from_iter<I: IntoIterator<Item = Descriptor>>(descriptors: I) -> Descriptors {
        let slots: Vec<_> = descriptors.into_iter().map(Some).collect();
        Descriptors::Own(DescriptorTable { first_free: slots.len(), slots })
    }
}
