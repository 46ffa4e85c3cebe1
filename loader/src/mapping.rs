//! Memory that holds an artifact: the only file of this crate that touches raw pages.
#![allow(unsafe_code)] // mmap, mprotect, and slices of mapped memory.

use std::ops::Range;
use std::os::fd::AsFd;
use std::ptr::{self, NonNull};

use rustix::io::Errno;
use rustix::mm::{self, MapFlags, MprotectFlags, ProtFlags};

use crate::StaticArtifact;

/// Pages of this process.
#[derive(Debug)]
pub(crate) struct Mapping {
    start: NonNull<u8>,
    len: usize,
    origin: Origin,
}

/// Where the pages come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// They are a file's, and read-only from the beginning.
    File,
    /// They were made here, and can be written at first.
    Anonymous,
    /// The program has them as long as it runs, read-only from the beginning.
    Program,
}

// SAFETY: a mapping is plain memory that belongs to its owner. Shared access reads it, and
// writing takes `&mut self`.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps `len` bytes of a file read-only and privately. The offset is a multiple of the
    /// system's page size; `len` is not 0.
    pub(crate) fn of_file(file: impl AsFd, offset: u64, len: usize) -> Result<Self, Errno> {
        // SAFETY: the system chooses the address, so no existing mapping is replaced.
        let start = unsafe {
            mm::mmap(ptr::null_mut(), len, ProtFlags::READ, MapFlags::PRIVATE, file, offset)?
        };
        let start = NonNull::new(start.cast()).ok_or(Errno::NOMEM)?;
        Ok(Mapping { start, len, origin: Origin::File })
    }

    /// Maps `len` bytes of zeros that can be written. `len` is not 0.
    pub(crate) fn anonymous(len: usize) -> Result<Self, Errno> {
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: as in `of_file`.
        let start = unsafe { mm::mmap_anonymous(ptr::null_mut(), len, access, MapFlags::PRIVATE)? };
        let start = NonNull::new(start.cast()).ok_or(Errno::NOMEM)?;
        Ok(Mapping { start, len, origin: Origin::Anonymous })
    }

    /// Pages that the program has as long as it runs, and that hold nothing but these bytes.
    pub(crate) fn of_program(artifact: StaticArtifact) -> Mapping {
        let bytes = artifact.bytes();
        Mapping { start: NonNull::from(bytes).cast(), len: bytes.len(), origin: Origin::Program }
    }

    /// Where the pages come from.
    pub(crate) fn origin(&self) -> Origin {
        self.origin
    }

    /// The bytes, for as long as the caller says.
    ///
    /// # Safety
    ///
    /// The caller keeps the mapping alive for `'a`, and nobody writes to the bytes meanwhile.
    /// (A file that another process changes shows through; whoever loads an artifact trusts
    /// those who can write its file.)
    pub(crate) unsafe fn bytes<'a>(&self) -> &'a [u8] {
        // SAFETY: the pages are mapped readable over the whole length since they were made,
        // and the caller promises the rest.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }

    /// Copies `bytes` to `at`. The pages are writable.
    pub(crate) fn write(&mut self, at: usize, bytes: &[u8]) {
        assert!(at.checked_add(bytes.len()).is_some_and(|end| end <= self.len), "write in range");
        // SAFETY: the range was checked, `&mut self` excludes other access through this
        // mapping, and the caller made the pages writable (or the system stops the program).
        unsafe {
            self.start.as_ptr().add(at).copy_from_nonoverlapping(bytes.as_ptr(), bytes.len())
        };
    }

    /// Makes the pages that hold `range` readable and writable, and not executable.
    pub(crate) fn make_writable(&mut self, range: Range<usize>) -> Result<(), Errno> {
        self.protect(range, MprotectFlags::READ | MprotectFlags::WRITE)
    }

    /// Makes the pages that hold `range` read-only.
    pub(crate) fn make_readable(&mut self, range: Range<usize>) -> Result<(), Errno> {
        self.protect(range, MprotectFlags::READ)
    }

    /// Makes the pages that hold `range` readable and executable, and not writable.
    pub(crate) fn make_executable(&mut self, range: Range<usize>) -> Result<(), Errno> {
        self.protect(range, MprotectFlags::READ | MprotectFlags::EXEC)
    }

    /// The address of the first byte.
    pub(crate) fn address(&self) -> usize {
        self.start.as_ptr() as usize
    }

    /// The number of bytes.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    fn protect(&mut self, range: Range<usize>, access: MprotectFlags) -> Result<(), Errno> {
        assert!(range.start <= range.end && range.end <= self.len, "protected range in mapping");
        let page = rustix::param::page_size();
        let start = range.start / page * page;
        if range.is_empty() {
            return Ok(());
        }
        // SAFETY: the range lies in this mapping, whose pages nobody borrows while it is
        // borrowed mutably.
        unsafe { mm::mprotect(self.start.as_ptr().add(start).cast(), range.end - start, access) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        if self.origin == Origin::Program {
            return;
        }
        // SAFETY: the pages were mapped by the constructors with this length, and whoever
        // borrowed them beyond `self` promised to keep it alive.
        let unmapped = unsafe { mm::munmap(self.start.as_ptr().cast(), self.len) };
        debug_assert!(unmapped.is_ok(), "unmapping our own pages: {unmapped:?}");
    }
}
