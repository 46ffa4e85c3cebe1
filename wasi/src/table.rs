//! The descriptor table: numbers to open objects and the rights over them.

use std::sync::Arc;

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

/// Descriptors by number.
#[derive(Debug, Default)]
pub(crate) struct DescriptorTable {
    slots: Vec<Option<Descriptor>>,
    /// No number below this one is free.
    first_free: usize,
}

/// More numbers than this are not given out, whatever the host's own limit is.
const MAX_DESCRIPTORS: usize = 1 << 20;

impl DescriptorTable {
    pub(crate) fn get(&self, fd: u32) -> Result<&Descriptor, Errno> {
        match self.slots.get(fd as usize) {
            Some(Some(descriptor)) => Ok(descriptor),
            _ => Err(Errno::Badf),
        }
    }

    pub(crate) fn get_mut(&mut self, fd: u32) -> Result<&mut Descriptor, Errno> {
        match self.slots.get_mut(fd as usize) {
            Some(Some(descriptor)) => Ok(descriptor),
            _ => Err(Errno::Badf),
        }
    }

    /// Opens the lowest free number.
    pub(crate) fn push(&mut self, descriptor: Descriptor) -> Result<u32, Errno> {
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

    pub(crate) fn close(&mut self, fd: u32) -> Result<(), Errno> {
        self.take(fd).map(drop)
    }

    /// Makes `to`, which is closed, the number of what `from` was.
    pub(crate) fn renumber(&mut self, from: u32, to: u32) -> Result<(), Errno> {
        self.get(from)?;
        self.get(to)?;
        if from != to {
            let moved = self.take(from)?;
            *self.get_mut(to)? = moved;
        }
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

impl FromIterator<Descriptor> for DescriptorTable {
    /// Numbers from 0 on.
    fn from_iter<I: IntoIterator<Item = Descriptor>>(descriptors: I) -> DescriptorTable {
        let slots: Vec<_> = descriptors.into_iter().map(Some).collect();
        DescriptorTable { first_free: slots.len(), slots }
    }
}
