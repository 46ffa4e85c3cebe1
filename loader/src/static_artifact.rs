//! Artifacts that are a part of the program.
#![allow(unsafe_code)] // A constructor whose caller makes a promise.

use std::fmt;

/// An artifact in the program's own pages, which stay as long as the program runs.
///
/// [`PageAligned`] makes one of bytes that are known at compile time.
#[derive(Clone, Copy)]
pub struct StaticArtifact(&'static [u8]);

/// A value on pages of its own: it begins where a page begins, and nothing else is on its last one.
#[cfg_attr(target_arch = "x86_64", repr(C, align(4096)))]
#[cfg_attr(not(target_arch = "x86_64"), repr(C, align(65536)))]
#[derive(Clone, Copy, Debug)]
pub struct PageAligned<T>(pub T);

impl StaticArtifact {
    /// The artifact in a static.
    pub const fn new<const N: usize>(artifact: &'static PageAligned<[u8; N]>) -> StaticArtifact {
        StaticArtifact(&artifact.0)
    }

    /// The artifact on pages that the program got in another way.
    ///
    /// # Safety
    ///
    /// The pages that hold the bytes hold nothing else that the program writes, and stay mapped as
    /// they are until the program ends. (Some of them become executable and lose the permission to
    /// be written.)
    pub const unsafe fn from_pages(bytes: &'static [u8]) -> StaticArtifact {
        StaticArtifact(bytes)
    }

    /// The bytes.
    pub fn bytes(self) -> &'static [u8] {
        self.0
    }

    /// A part of the bytes, which begins and ends where a page does or the whole does.
    pub(crate) fn narrow(self, part: &'static [u8]) -> StaticArtifact {
        debug_assert!(self.0.as_ptr_range().start <= part.as_ptr());
        debug_assert!(self.0.as_ptr_range().end >= part.as_ptr_range().end);
        StaticArtifact(part)
    }
}

impl fmt::Debug for StaticArtifact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StaticArtifact").field("len", &self.0.len()).finish_non_exhaustive()
    }
}
