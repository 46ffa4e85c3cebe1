//! The memory of a table's elements.
#![allow(unsafe_code)] // Generated code reads and writes the same memory.

use std::alloc::{Layout, alloc_zeroed, dealloc, realloc};
use std::ffi::c_void;
use std::ptr::NonNull;

/// A growing array of words of 4 or 8 bytes.
#[derive(Debug)]
pub(super) struct Elements {
    start: NonNull<u8>,
    width: Width,
    len: usize,
    capacity: usize,
}

/// The size of an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Width {
    /// A heap reference.
    Four,
    /// A pointer to a `VMFuncRef`.
    Eight,
}

// SAFETY: the memory belongs to the owner of this, whose rules decide.
unsafe impl Send for Elements {}
// SAFETY: as above.
unsafe impl Sync for Elements {}

impl Elements {
    /// `len` words of zero; `None` when there is no memory.
    pub(super) fn new(width: Width, len: usize) -> Option<Elements> {
        let start = match len {
            0 => NonNull::<u64>::dangling().cast(),
            // SAFETY: the layout is not empty.
            _ => NonNull::new(unsafe { alloc_zeroed(width.layout(len)?) })?,
        };
        Some(Elements { start, width, len, capacity: len })
    }

    pub(super) fn start(&self) -> *mut c_void {
        self.start.as_ptr().cast()
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn get(&self, index: usize) -> u64 {
        let at = self.at(index);
        // SAFETY: `at` checked the bounds; everything up to `len` is initialized.
        unsafe {
            match self.width {
                Width::Four => at.cast::<u32>().read().into(),
                Width::Eight => at.cast::<u64>().read(),
            }
        }
    }

    pub(super) fn set(&mut self, index: usize, word: u64) {
        let at = self.at(index);
        // SAFETY: as in `get`.
        unsafe {
            match self.width {
                Width::Four => at.cast::<u32>().write(word as u32),
                Width::Eight => at.cast::<u64>().write(word),
            }
        }
    }

    /// The words, if they are those of heap references.
    pub(super) fn words_mut(&mut self) -> &mut [u32] {
        match self.width {
            // SAFETY: everything up to `len` is initialized; generated code is not running.
            Width::Four => unsafe {
                std::slice::from_raw_parts_mut(self.start.as_ptr().cast(), self.len)
            },
            Width::Eight => &mut [],
        }
    }

    /// Copies `len` words, which may overlap.
    pub(super) fn copy_within(&mut self, dst: usize, src: usize, len: usize) {
        self.check(dst, len);
        self.check(src, len);
        let width = self.width.bytes();
        let start = self.start.as_ptr();
        // SAFETY: both ranges are inside.
        unsafe { start.add(src * width).copy_to(start.add(dst * width), len * width) }
    }

    /// Makes the array `len` words long; the new ones are zero. `None` when there is no
    /// memory, and nothing has changed then.
    pub(super) fn grow(&mut self, len: usize) -> Option<()> {
        let width = self.width.bytes();
        if len > self.capacity {
            let capacity = len.max(self.capacity.saturating_mul(2)).max(16);
            self.reallocate(capacity).or_else(|| self.reallocate(len))?;
        }
        // SAFETY: the capacity is `len` at least.
        unsafe {
            self.start.as_ptr().add(self.len * width).write_bytes(0, (len - self.len) * width);
        }
        self.len = len;
        Some(())
    }

    fn reallocate(&mut self, capacity: usize) -> Option<()> {
        let layout = self.width.layout(capacity)?;
        // SAFETY: the layouts are not empty; `start` was allocated with the old one unless
        // that was empty.
        let start = unsafe {
            match self.capacity {
                0 => alloc_zeroed(layout),
                old => realloc(self.start.as_ptr(), self.width.layout(old)?, layout.size()),
            }
        };
        self.start = NonNull::new(start)?;
        self.capacity = capacity;
        Some(())
    }

    fn at(&self, index: usize) -> *mut u8 {
        self.check(index, 1);
        // SAFETY: checked.
        unsafe { self.start.as_ptr().add(index * self.width.bytes()) }
    }

    fn check(&self, index: usize, len: usize) {
        let inside = index.checked_add(len).is_some_and(|end| end <= self.len);
        assert!(inside, "table access out of bounds");
    }
}

impl Width {
    fn bytes(self) -> usize {
        match self {
            Width::Four => 4,
            Width::Eight => 8,
        }
    }

    fn layout(self, len: usize) -> Option<Layout> {
        Layout::from_size_align(len.checked_mul(self.bytes())?, 8).ok()
    }
}

impl Drop for Elements {
    fn drop(&mut self) {
        if self.capacity != 0
            && let Some(layout) = self.width.layout(self.capacity)
        {
            // SAFETY: allocated with this layout.
            unsafe { dealloc(self.start.as_ptr(), layout) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_elements_are_none() {
        for len in [usize::MAX, usize::MAX / 8, 1 << 47] {
            assert!(Elements::new(Width::Eight, len).is_none());
            let mut elements = Elements::new(Width::Eight, 3).unwrap();
            elements.set(2, 7);
            assert!(elements.grow(len).is_none());
            assert_eq!((elements.len(), elements.get(2)), (3, 7));
        }
    }

    #[test]
    fn elements_survive_growth() {
        for width in [Width::Four, Width::Eight] {
            let mut elements = Elements::new(width, 0).unwrap();
            elements.grow(3).unwrap();
            elements.set(2, 7);
            elements.grow(1000).unwrap();
            assert_eq!([elements.get(1), elements.get(2), elements.get(999)], [0, 7, 0]);
            elements.copy_within(0, 2, 3);
            assert_eq!(elements.get(0), 7);
        }
    }
}
