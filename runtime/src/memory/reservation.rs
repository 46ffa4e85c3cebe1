//! Address space of this process: the only file of the runtime that maps memory.
#![allow(unsafe_code)] // mmap and mprotect.

use std::ops::Range;
use std::os::fd::BorrowedFd;
use std::ptr::{self, NonNull};

use rustix::io::Errno;
use rustix::mm::{self, Advice, MapFlags, MprotectFlags, ProtFlags};

/// A range of address space whose first part can be used; the rest faults.
#[derive(Debug)]
pub(crate) struct Reservation {
    start: NonNull<u8>,
    len: usize,
    accessible: usize,
}

// SAFETY: the memory belongs to the owner of this, whose rules decide.
unsafe impl Send for Reservation {}
// SAFETY: as above.
unsafe impl Sync for Reservation {}

impl Reservation {
    /// Reserves `len` bytes, of which the first `accessible` can be used and are zero. Both are
    /// rounded up to whole pages.
    pub(crate) fn new(len: usize, accessible: usize) -> Result<Reservation, Errno> {
        let accessible = round_up(accessible).ok_or(Errno::NOMEM)?;
        let len = round_up(len).ok_or(Errno::NOMEM)?.max(accessible).max(page_size());
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
        // SAFETY: the system chooses the address, so no existing mapping is replaced.
        let start = unsafe { mm::mmap_anonymous(ptr::null_mut(), len, ProtFlags::empty(), flags)? };
        let start = NonNull::new(start.cast()).ok_or(Errno::NOMEM)?;
        let mut reservation = Reservation { start, len, accessible: 0 };
        reservation.make_accessible(accessible)?;
        Ok(reservation)
    }

    /// No address space at all.
    pub(super) fn none() -> Reservation {
        Reservation { start: NonNull::dangling(), len: 0, accessible: 0 }
    }

    pub(crate) fn start(&self) -> *mut u8 {
        self.start.as_ptr()
    }

    /// The size of the whole range, in bytes.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Makes the first `bytes` usable, rounded up to whole pages.
    pub(super) fn make_accessible(&mut self, bytes: usize) -> Result<(), Errno> {
        let end = round_up(bytes).filter(|&end| end <= self.len).ok_or(Errno::NOMEM)?;
        if end > self.accessible {
            let flags = MprotectFlags::READ | MprotectFlags::WRITE;
            // SAFETY: the pages lie inside of the reservation.
            unsafe {
                let start = self.start.as_ptr().add(self.accessible);
                mm::mprotect(start.cast(), end - self.accessible, flags)?;
            }
            self.accessible = end;
        }
        Ok(())
    }

    /// Forgets what was written: usable pages hold again what is mapped there, or zeros.
    pub(super) fn reset(&mut self) -> Result<(), Errno> {
        // SAFETY: pages of this reservation only; `&mut self` shows that nobody uses their contents.
        unsafe { mm::madvise(self.start.as_ptr().cast(), self.accessible, Advice::LinuxDontNeed) }
    }

    /// Makes all but the first `bytes` unusable, rounded up to whole pages.
    pub(super) fn limit_accessible(&mut self, bytes: usize) -> Result<(), Errno> {
        let end = round_up(bytes).ok_or(Errno::NOMEM)?;
        if end < self.accessible {
            // SAFETY: as in `make_accessible`.
            unsafe {
                let start = self.start.as_ptr().add(end);
                mm::mprotect(start.cast(), self.accessible - end, MprotectFlags::empty())?;
            }
            self.accessible = end;
        }
        Ok(())
    }

    /// Makes everything unusable, and takes away what is mapped there.
    pub(super) fn clear(&mut self) -> Result<(), Errno> {
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE | MapFlags::FIXED;
        if self.accessible != 0 {
            // SAFETY: as in `map_file`.
            unsafe {
                let (start, len) = (self.start.as_ptr().cast(), self.accessible);
                mm::mmap_anonymous(start, len, ProtFlags::empty(), flags)?;
            }
            self.accessible = 0;
        }
        Ok(())
    }

    /// Makes a range usable whose borders are rounded outwards to whole pages. It does not count as
    /// the first part, which the other functions are about.
    pub(crate) fn make_range_accessible(&mut self, range: Range<usize>) -> Result<(), Errno> {
        let start = range.start - range.start % page_size();
        let end = round_up(range.end).filter(|&end| end <= self.len).ok_or(Errno::NOMEM)?;
        let flags = MprotectFlags::READ | MprotectFlags::WRITE;
        // SAFETY: the pages lie inside of the reservation.
        unsafe { mm::mprotect(self.start.as_ptr().add(start).cast(), end - start, flags) }
    }

    /// Replaces the usable pages from `at` on by `len` bytes of a file, copy-on-write. `at`, `len`
    /// and `offset` are multiples of the page size.
    pub(super) fn map_file(
        &mut self,
        at: usize,
        len: usize,
        file: BorrowedFd<'_>,
        offset: u64,
    ) -> Result<(), Errno> {
        let inside = at.checked_add(len).is_some_and(|end| end <= self.accessible);
        if !inside || !at.is_multiple_of(page_size()) || !len.is_multiple_of(page_size()) {
            return Err(Errno::INVAL);
        }
        if len == 0 {
            return Ok(());
        }
        let access = ProtFlags::READ | ProtFlags::WRITE;
        let flags = MapFlags::PRIVATE | MapFlags::FIXED;
        // SAFETY: replaces pages of this reservation only; `&mut self` shows that nobody
        // uses their contents.
        unsafe {
            mm::mmap(self.start.as_ptr().add(at).cast(), len, access, flags, file, offset)?;
        }
        Ok(())
    }

    /// Copies `bytes` to usable memory at `at`.
    pub(super) fn write(&mut self, at: usize, bytes: &[u8]) {
        let inside = at.checked_add(bytes.len()).is_some_and(|end| end <= self.accessible);
        assert!(inside, "write inside of the accessible part");
        // SAFETY: checked above; the reservation is no Rust object, so they do not overlap.
        unsafe {
            self.start.as_ptr().add(at).copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
        }
    }

    /// Copies the first `len` usable bytes of another reservation to this one.
    pub(super) fn copy_from(&mut self, other: &Reservation, len: usize) {
        assert!(len <= self.accessible && len <= other.accessible, "copy of accessible bytes");
        // SAFETY: checked above; two reservations do not overlap.
        unsafe { self.start.as_ptr().copy_from_nonoverlapping(other.start.as_ptr(), len) };
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if self.len == 0 {
            return;
        }
        // SAFETY: the range belongs to this reservation; the store that owned it is going.
        let _ = unsafe { mm::munmap(self.start.as_ptr().cast(), self.len) };
    }
}

/// The size of the system's pages, in bytes.
pub(super) fn page_size() -> usize {
    rustix::param::page_size()
}

fn round_up(bytes: usize) -> Option<usize> {
    bytes.checked_next_multiple_of(page_size())
}
