//! The address space of a heap: what references are offsets into.
#![allow(unsafe_code)] // Accesses memory that generated code shares.

use rustix::io::Errno;

use crate::memory::Reservation;

/// What 32 bits can refer to.
const SIZE: usize = 1 << 32;
/// What is never used behind it, so that an object at its end can be accessed at any field.
const GUARD: usize = 64 << 10;

/// Address space of 4 GiB, of which two parts can be used: from [`Space::FIRST`] on and from
/// [`Space::SECOND`] on. The rest faults, null included.
pub(super) struct Space {
    reservation: Reservation,
    /// Where what can be used of both parts ends.
    ends: [u32; 2],
}

impl Space {
    /// Where the first part begins.
    pub(super) const FIRST: u32 = 64 << 10;
    /// Where the second part begins.
    pub(super) const SECOND: u32 = 1 << 31;

    pub(super) fn reserve() -> Result<Space, Errno> {
        let reservation = Reservation::new(SIZE + GUARD, 0)?;
        Ok(Space { reservation, ends: [Space::FIRST, Space::SECOND] })
    }

    pub(super) fn base(&self) -> *mut u8 {
        self.reservation.start()
    }

    /// The number of bytes that a part can have.
    pub(super) fn part_size() -> usize {
        (Space::SECOND - Space::FIRST) as usize
    }

    /// Makes the first `len` bytes usable of the part that begins at `start`. What was not before is
    /// zero.
    pub(super) fn commit(&mut self, start: u32, len: usize) -> Result<(), Errno> {
        assert!(len <= Space::part_size(), "a part is smaller than 2 GiB");
        let end = start + len as u32;
        let usable = &mut self.ends[usize::from(start == Space::SECOND)];
        if end > *usable {
            self.reservation.make_range_accessible(*usable as usize..end as usize)?;
            *usable = end;
        }
        Ok(())
    }

    pub(super) fn read(&self, at: u32) -> u32 {
        let at = self.place(at, size_of::<u32>());
        // SAFETY: `place` checked the bounds. Generated code is not running.
        unsafe { at.cast::<u32>().read() }
    }

    pub(super) fn write(&mut self, at: u32, value: u32) {
        let at = self.place(at, size_of::<u32>());
        // SAFETY: as in `read`.
        unsafe { at.cast::<u32>().write(value) }
    }

    pub(super) fn read_bytes(&self, at: u32, bytes: &mut [u8]) {
        let at = self.place(at, bytes.len());
        // SAFETY: as in `read`; the heap is no Rust object, so they do not overlap.
        unsafe { at.copy_to_nonoverlapping(bytes.as_mut_ptr(), bytes.len()) }
    }

    pub(super) fn write_bytes(&mut self, at: u32, bytes: &[u8]) {
        let at = self.place(at, bytes.len());
        // SAFETY: as in `read_bytes`.
        unsafe { at.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) }
    }

    /// Copies `len` bytes between places that do not overlap.
    pub(super) fn copy(&mut self, from: u32, to: u32, len: u32) {
        assert!(from.abs_diff(to) >= len, "objects do not overlap");
        let [from, to] = [from, to].map(|at| self.place(at, len as usize));
        // SAFETY: `place` checked the bounds; they do not overlap.
        unsafe { to.copy_from_nonoverlapping(from, len as usize) }
    }

    /// Copies `len` bytes between places that may overlap.
    pub(super) fn copy_within(&mut self, from: u32, to: u32, len: u32) {
        let [from, to] = [from, to].map(|at| self.place(at, len as usize));
        // SAFETY: `place` checked the bounds.
        unsafe { to.copy_from(from, len as usize) }
    }

    /// Makes `len` bytes zero.
    pub(super) fn clear(&mut self, at: u32, len: usize) {
        let at = self.place(at, len);
        // SAFETY: `place` checked the bounds.
        unsafe { at.write_bytes(0, len) }
    }

    /// # Panics
    ///
    /// When the place is none that can be used, which only a heap that was damaged leads to.
    fn place(&self, at: u32, len: usize) -> *mut u8 {
        let start = if at < Space::SECOND { Space::FIRST } else { Space::SECOND };
        let usable = self.ends[usize::from(start == Space::SECOND)];
        let inside = at >= start && at as usize + len <= usable as usize;
        assert!(inside, "access outside of the heap");
        // SAFETY: inside of the reservation.
        unsafe { self.reservation.start().add(at as usize) }
    }
}
