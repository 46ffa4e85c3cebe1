//! An artifact in memory, and the order of steps that makes it executable.
#![allow(unsafe_code)] // Slices of the mapping that live beside it.

use std::fs::File;
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd};

use precast_artifact::container::ContainedImage;
use precast_artifact::description::BuildDescription;
use precast_artifact::image::{Image, Sections};
use precast_artifact::module::Module;
use precast_artifact::section::relocations::{self, LibCall, RelocationKind};

use crate::error::LoadError;
use crate::mapping::{Mapping, Origin};

/// How an artifact gets into memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Placement {
    /// Mapped from its file; copied where the system does not allow that.
    #[default]
    Map,
    /// Copied into anonymous memory.
    Copy,
}

/// An artifact whose code cannot run yet.
#[derive(Debug)]
pub struct Writable {
    /// `None` while relocations wait: the pages that it borrows are about to be written.
    image: Option<Image<'static>>,
    text: Range<usize>,
    relocations: Vec<u8>,
}

/// An artifact whose code can run and whose pages can no longer be written.
#[derive(Debug)]
pub struct Sealed {
    image: Image<'static>,
}

/// An artifact in memory. See the crate's documentation for its states.
#[derive(Debug)]
pub struct Mapped<State> {
    // The state borrows the mapping, so it stands first and is dropped first.
    state: State,
    mapping: Mapping,
    /// The file that memory images can be mapped from, and where these begin in it.
    images: Option<(File, u64)>,
    /// What the index of the container says of the artifact, when it comes from one.
    contained: Option<ContainedImage>,
}

/// Where memory images can be mapped from, copy-on-write.
#[derive(Clone, Copy, Debug)]
pub struct ImageSource<'a> {
    /// The file.
    pub file: BorrowedFd<'a>,
    /// Where the artifact's image section begins in it, in bytes; a multiple of the page size.
    pub offset: u64,
}

impl Mapped<Writable> {
    /// Parses an artifact on pages of its own. With `indexed`, it is the one that a container's
    /// index describes, or refused. Memory images can be mapped from `file`, where the artifact
    /// begins at that offset.
    pub(crate) fn new(
        mapping: Mapping,
        file: Option<(File, u64)>,
        indexed: Option<&ContainedImage>,
    ) -> Result<Self, LoadError> {
        // SAFETY: the image stays in `state`, which is dropped before the mapping; the only
        // writes are those of `relocate`, for which the image is dropped first.
        let image = Image::parse(unsafe { mapping.bytes() })?;
        if indexed.is_some_and(|indexed| indexed.digest != image.digest) {
            return Err(LoadError::NotTheIndexed);
        }
        image.description.check_host()?;
        let text = image.sections.text;
        let text = text.offset as usize..text.offset as usize + text.bytes.len();
        let relocations = image.sections.relocations.to_vec();
        let images_at = image.sections.images.offset;
        let images = file.map(|(file, offset)| (file, offset + images_at));
        let image = relocations.is_empty().then_some(image);
        let state = Writable { image, text, relocations };
        Ok(Mapped { state, mapping, images, contained: indexed.cloned() })
    }

    /// Makes the code executable, to see whether the system lets that happen.
    pub(crate) fn try_executable(&mut self) -> Result<(), LoadError> {
        let sealing = LoadError::system("cannot make the code executable");
        self.mapping.make_executable(self.state.text.clone()).map_err(sealing)
    }

    /// Whether library routines have to be written into the code.
    pub(crate) fn has_relocations(&self) -> bool {
        !self.state.relocations.is_empty()
    }

    /// The bytes of memory images, while the artifact is as it was made.
    pub(crate) fn images(&self) -> &[u8] {
        self.state.image.as_ref().map_or(&[], |image| image.sections.images.bytes)
    }

    /// Says that memory images can be mapped from a file, where they begin at `offset`.
    pub(crate) fn set_images(&mut self, file: File, offset: u64) {
        self.images = Some((file, offset));
    }

    /// Compares code and tables with their digest. Reads the whole artifact.
    ///
    /// # Errors
    ///
    /// When they were changed after the artifact was made.
    pub fn verify(self) -> Result<Self, LoadError> {
        // SAFETY: the bytes are not borrowed beyond this call.
        Image::verify(unsafe { self.mapping.bytes() })?;
        Ok(self)
    }

    /// Writes the addresses of library routines into the code that needs them.
    ///
    /// # Errors
    ///
    /// When a relocation is not known or not in range.
    pub fn relocate(mut self, resolve: impl Fn(LibCall) -> usize) -> Result<Self, LoadError> {
        if self.state.relocations.is_empty() {
            return Ok(self);
        }
        let text = self.state.text.clone();
        let writing = LoadError::system("cannot make the code writable");
        self.mapping.make_writable(text.clone()).map_err(writing)?;
        for relocation in relocations::decode(&self.state.relocations, text.len() as u64) {
            let relocation = relocation?;
            match relocation.kind {
                RelocationKind::Absolute64 => {
                    let address = resolve(relocation.target) as u64;
                    let value = address.wrapping_add_signed(relocation.addend);
                    let at = text.start + relocation.offset as usize;
                    self.mapping.write(at, &value.to_le_bytes());
                }
            }
        }
        self.state.relocations.clear();
        Ok(self)
    }

    /// Makes the code executable and everything read-only, for good.
    ///
    /// # Panics
    ///
    /// When the artifact has relocations and [`Mapped::relocate`] was not called.
    ///
    /// # Errors
    ///
    /// When the system refuses.
    pub fn seal(mut self) -> Result<Mapped<Sealed>, LoadError> {
        assert!(self.state.relocations.is_empty(), "relocate before sealing");
        let Range { start, end } = self.state.text.clone();
        let sealing = LoadError::system("cannot make the code executable");
        if self.mapping.origin() == Origin::Anonymous {
            self.mapping.make_readable(0..self.mapping.len()).map_err(&sealing)?;
        }
        self.mapping.make_executable(start..end).map_err(&sealing)?;
        let image = match self.state.image.take() {
            Some(image) => image,
            // SAFETY: as in `new`, and from here on nobody writes.
            None => Image::parse(unsafe { self.mapping.bytes() })?,
        };
        let Mapped { mapping, images, contained, .. } = self;
        Ok(Mapped { state: Sealed { image }, mapping, images, contained })
    }
}

impl Mapped<Sealed> {
    /// What the artifact says it is.
    pub fn description(&self) -> &BuildDescription {
        &self.state.image.description
    }

    /// Which of the artifacts in a container it is; `None` when it comes from none.
    pub fn contained(&self) -> Option<&ContainedImage> {
        self.contained.as_ref()
    }

    /// The decoded part.
    pub fn module(&self) -> &Module {
        &self.state.image.module
    }

    /// What is read in place.
    pub fn sections(&self) -> &Sections<'_> {
        &self.state.image.sections
    }

    /// The addresses of the code.
    pub fn text(&self) -> Range<usize> {
        let text = self.state.image.sections.text;
        let start = self.mapping.address() + text.offset as usize;
        start..start + text.bytes.len()
    }

    /// Where memory images can be mapped from; `None` when they have to be copied.
    pub fn image_source(&self) -> Option<ImageSource<'_>> {
        let (file, offset) = self.images.as_ref()?;
        let offset = *offset;
        let aligned = offset.is_multiple_of(rustix::param::page_size() as u64);
        aligned.then_some(ImageSource { file: file.as_fd(), offset })
    }

    /// The whole artifact, as it was before relocation except for relocated places.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: sealed pages are never written, and the borrow ends with `self`.
        unsafe { self.mapping.bytes() }
    }
}
