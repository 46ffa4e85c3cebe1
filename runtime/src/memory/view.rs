//! A window on one linear memory, for host code.
//!
//! Other threads may write a shared memory at any moment, so no Rust reference to its bytes is
//! ever formed: every access copies plain bytes through raw pointers, once, and what was
//! copied is looked at only in host memory. Where a copy races with another thread, which the
//! guest alone can bring about, the bytes are any mixture of old and new ones, as the
//! specification has it; no value of the host depends on what they are.
#![allow(unsafe_code)] // Copies to and from guest memory.

use std::fmt;
use std::marker::PhantomData;

/// A bounds-checked window on the bytes of one linear memory.
///
/// Addresses and lengths are in bytes, counted from the start of the memory. The
/// view borrows its store, so the memory does not go away under it, and grows only if it is
/// shared; the view keeps the size that it was made with.
#[derive(Clone, Copy)]
pub struct MemoryView<'a> {
    base: *mut u8,
    len: usize,
    memory: PhantomData<&'a mut [u8]>,
}

/// A range of guest bytes whose bounds were checked when it was made.
///
/// For system calls that read or write guest memory in place.
#[derive(Clone, Copy)]
pub struct GuestRange<'a> {
    start: *mut u8,
    len: usize,
    memory: PhantomData<&'a mut [u8]>,
}

/// A guest address range that does not lie inside its memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("guest memory access out of bounds: {len} bytes at address {address:#x}")]
pub struct OutOfBounds {
    /// Where the access began, in bytes.
    pub address: u64,
    /// How many bytes were asked for.
    pub len: u64,
}

impl<'a> MemoryView<'a> {
    /// A view of a host buffer, for code that is tested without an instance.
    pub fn from_slice(bytes: &'a mut [u8]) -> Self {
        MemoryView { base: bytes.as_mut_ptr(), len: bytes.len(), memory: PhantomData }
    }

    /// A view of `len` bytes at `base`.
    ///
    /// # Safety
    ///
    /// For the whole of `'a` the bytes must stay mapped readable and writable, and
    /// no Rust reference to any of them may exist except to cells.
    pub(crate) unsafe fn from_raw_parts(base: *mut u8, len: usize) -> Self {
        MemoryView { base, len, memory: PhantomData }
    }

    /// The size of the memory in bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the memory has no pages.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The `len` bytes at `address`, checked to lie inside the memory.
    ///
    /// # Errors
    ///
    /// [`OutOfBounds`] when any of them does not.
    pub fn range(&self, address: u64, len: u64) -> Result<GuestRange<'a>, OutOfBounds> {
        match address.checked_add(len) {
            Some(end) if end <= self.len as u64 => Ok(GuestRange {
                start: self.base.wrapping_add(address as usize),
                len: len as usize,
                memory: PhantomData,
            }),
            _ => Err(OutOfBounds { address, len }),
        }
    }

    /// Copies guest bytes at `address` into `into`.
    ///
    /// # Errors
    ///
    /// [`OutOfBounds`] when the range leaves the memory; nothing is copied then.
    pub fn read(&self, address: u64, into: &mut [u8]) -> Result<(), OutOfBounds> {
        let range = self.range(address, into.len() as u64)?;
        // SAFETY: `range` checked the guest side against this view, whose maker
        // promised that it stays mapped; `into` is host memory, so they are disjoint. For
        // other threads see the top of this file.
        unsafe { range.start.copy_to_nonoverlapping(into.as_mut_ptr(), into.len()) };
        Ok(())
    }

    /// Reads `N` guest bytes at `address`; little-endian integers come from here.
    ///
    /// # Errors
    ///
    /// [`OutOfBounds`] when the range leaves the memory.
    pub fn read_array<const N: usize>(&self, address: u64) -> Result<[u8; N], OutOfBounds> {
        let mut bytes = [0; N];
        self.read(address, &mut bytes)?;
        Ok(bytes)
    }

    /// Copies `bytes` to guest memory at `address`.
    ///
    /// # Errors
    ///
    /// [`OutOfBounds`] when the range leaves the memory; nothing is written then.
    pub fn write(&self, address: u64, bytes: &[u8]) -> Result<(), OutOfBounds> {
        let range = self.range(address, bytes.len() as u64)?;
        // SAFETY: as in `read`.
        unsafe { range.start.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        Ok(())
    }

    /// Sets `len` guest bytes at `address` to `byte`.
    ///
    /// # Errors
    ///
    /// [`OutOfBounds`] when the range leaves the memory; nothing is written then.
    pub fn fill(&self, address: u64, byte: u8, len: u64) -> Result<(), OutOfBounds> {
        let range = self.range(address, len)?;
        // SAFETY: `range` checked the bounds; see `read` for the rest.
        unsafe { range.start.write_bytes(byte, range.len) };
        Ok(())
    }

    /// Copies `len` guest bytes at `src` to `dst`; they may overlap.
    ///
    /// # Errors
    ///
    /// [`OutOfBounds`] when one of the ranges leaves the memory; nothing is written then.
    pub fn copy_within(&self, dst: u64, src: u64, len: u64) -> Result<(), OutOfBounds> {
        self.copy_from(dst, self, src, len)
    }

    /// Copies `len` guest bytes at `src` of another memory, or the same, to `dst` of this one.
    ///
    /// # Errors
    ///
    /// [`OutOfBounds`] when one of the ranges leaves its memory; nothing is written then.
    pub fn copy_from(
        &self,
        dst: u64,
        other: &MemoryView<'_>,
        src: u64,
        len: u64,
    ) -> Result<(), OutOfBounds> {
        let (from, to) = (other.range(src, len)?, self.range(dst, len)?);
        // SAFETY: both ranges are checked; `copy_to` allows overlap.
        unsafe { from.start.copy_to(to.start, to.len) };
        Ok(())
    }

    /// Copies `len` guest bytes at `address` into a new vector.
    ///
    /// # Errors
    ///
    /// [`OutOfBounds`] when the range leaves the memory; nothing is allocated then.
    pub fn read_vec(&self, address: u64, len: u64) -> Result<Vec<u8>, OutOfBounds> {
        self.range(address, len)?;
        let mut bytes = vec![0; len as usize];
        self.read(address, &mut bytes)?;
        Ok(bytes)
    }
}

impl GuestRange<'_> {
    /// The first byte. Valid for reads and writes of `len` bytes while the view
    /// lives, but other wasm threads may touch the same bytes at any time.
    pub fn as_ptr(&self) -> *mut u8 {
        self.start
    }

    /// The length in bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the range holds no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl fmt::Debug for MemoryView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryView").field("len", &self.len).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_access_is_checked() {
        let mut bytes = *b"0123456789";
        let view = MemoryView::from_slice(&mut bytes);
        assert_eq!(view.read_array::<2>(8), Ok(*b"89"));
        assert_eq!(view.read_array::<2>(9), Err(OutOfBounds { address: 9, len: 2 }));
        assert!(view.write(u64::MAX, b"x").is_err());
        assert!(view.range(10, 0).is_ok());
        assert!(view.range(11, 0).is_err());
        view.write(0, b"ab").unwrap();
        assert_eq!(view.read_vec(0, 3).unwrap(), b"ab2");
        assert!(view.read_vec(1, u64::MAX).is_err());
        view.copy_within(1, 0, 3).unwrap();
        view.fill(8, b'!', 2).unwrap();
        assert!(view.fill(9, 0, 2).is_err() && view.copy_within(9, 0, 2).is_err());
        assert_eq!(view.read_vec(0, 10).unwrap(), b"aab24567!!");
    }
}
