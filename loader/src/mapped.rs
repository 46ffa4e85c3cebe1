//! An artifact in memory, and the order of steps that makes it executable.
#![allow(unsafe_code)] // Slices of the mapping that live beside it.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd};

use precast_artifact::description::BuildDescription;
use precast_artifact::image::{Image, Sections};
use precast_artifact::module::Module;
use precast_artifact::section::relocations::{self, LibCall, RelocationKind};
use rustix::fs::{MemfdFlags, SealFlags};

use crate::error::LoadError;
use crate::mapping::Mapping;

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
    /// The file that memory images can be mapped from, and where the artifact begins in it.
    file: Option<(File, u64)>,
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
    /// Maps the artifact that begins at `offset` of `file`, `len` bytes long (to the end of
    /// the file when there is no length).
    ///
    /// An offset that is not a multiple of the page size costs a copy.
    ///
    /// # Errors
    ///
    /// When the range holds no artifact that this machine can run, or the system refuses.
    pub fn from_file(
        file: &File,
        offset: u64,
        len: Option<u64>,
        placement: Placement,
    ) -> Result<Self, LoadError> {
        let metadata = file.metadata().map_err(LoadError::system("cannot read the file's size"))?;
        let file_len = metadata.len();
        let len = len.unwrap_or(file_len.saturating_sub(offset));
        let inside = len != 0 && offset.checked_add(len).is_some_and(|end| end <= file_len);
        let Some(length) = usize::try_from(len).ok().filter(|_| inside) else {
            return Err(LoadError::Range { offset, len, file_len });
        };
        let aligned = offset.is_multiple_of(rustix::param::page_size() as u64);
        if placement == Placement::Copy || !aligned {
            return Self::copied_from(file, offset, length);
        }
        // There are file systems whose files can only be read.
        let Ok(mapping) = Mapping::of_file(file, offset, length) else {
            return Self::copied_from(file, offset, length);
        };
        let file = file.try_clone().map_err(LoadError::system("cannot keep the file open"))?;
        let mut mapped = Self::new(mapping, Some((file, offset)))?;
        // A file system mounted `noexec` is found out now, while there is a way around it.
        match mapped.mapping.make_executable(mapped.state.text.clone()) {
            Ok(()) => Ok(mapped),
            Err(_) => match &mapped.file {
                Some((file, _)) => Self::copied_from(file, offset, length),
                None => Ok(mapped),
            },
        }
    }

    /// Loads an artifact from memory.
    ///
    /// # Errors
    ///
    /// As [`Mapped::from_file`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, LoadError> {
        match memory_file(bytes) {
            Ok(file) => Self::from_file(&file, 0, None, Placement::Map),
            // No file in memory: its images cannot be mapped, all else works.
            Err(_) => {
                let mut mapping = anonymous(bytes.len())?;
                mapping.write(0, bytes);
                Self::new(mapping, None)
            }
        }
    }

    fn copied_from(file: &File, offset: u64, len: usize) -> Result<Self, LoadError> {
        let reading = LoadError::system("cannot read the artifact");
        let mut source = file;
        source.seek(SeekFrom::Start(offset)).map_err(&reading)?;
        let mut bytes = Vec::with_capacity(len);
        source.take(len as u64).read_to_end(&mut bytes).map_err(&reading)?;
        let mut mapping = anonymous(len)?;
        mapping.write(0, &bytes);
        Self::new(mapping, None)
    }

    fn new(mapping: Mapping, file: Option<(File, u64)>) -> Result<Self, LoadError> {
        // SAFETY: the image stays in `state`, which is dropped before the mapping; the only
        // writes are those of `relocate`, for which the image is dropped first.
        let image = Image::parse(unsafe { mapping.bytes() })?;
        image.description.check_host()?;
        let text = image.sections.text;
        let text = text.offset as usize..text.offset as usize + text.bytes.len();
        let relocations = image.sections.relocations.to_vec();
        let image = relocations.is_empty().then_some(image);
        Ok(Mapped { state: Writable { image, text, relocations }, mapping, file })
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
        if self.file.is_none() {
            self.mapping.make_readable(0..self.mapping.len()).map_err(&sealing)?;
        }
        self.mapping.make_executable(start..end).map_err(&sealing)?;
        let image = match self.state.image.take() {
            Some(image) => image,
            // SAFETY: as in `new`, and from here on nobody writes.
            None => Image::parse(unsafe { self.mapping.bytes() })?,
        };
        Ok(Mapped { state: Sealed { image }, mapping: self.mapping, file: self.file })
    }
}

impl Mapped<Sealed> {
    /// What the artifact says it is.
    pub fn description(&self) -> &BuildDescription {
        &self.state.image.description
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
        let (file, offset) = self.file.as_ref()?;
        let offset = offset + self.state.image.sections.images.offset;
        let aligned = offset.is_multiple_of(rustix::param::page_size() as u64);
        aligned.then_some(ImageSource { file: file.as_fd(), offset })
    }

    /// The whole artifact, as it was before relocation except for relocated places.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: sealed pages are never written, and the borrow ends with `self`.
        unsafe { self.mapping.bytes() }
    }
}

fn anonymous(len: usize) -> Result<Mapping, LoadError> {
    Mapping::anonymous(len.max(1)).map_err(LoadError::system("cannot reserve memory"))
}

/// An anonymous file with these contents, which nobody can change any more.
fn memory_file(bytes: &[u8]) -> Result<File, std::io::Error> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let mut file = File::from(rustix::fs::memfd_create("precast", flags)?);
    file.write_all(bytes)?;
    let seals = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
    rustix::fs::fcntl_add_seals(&file, seals)?;
    Ok(file)
}
