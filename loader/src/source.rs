//! Where artifacts come from: a file, bytes, the program itself.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt as _;

use precast_artifact::container::{ContainedImage, Container, HEAD_LEN};
use rustix::fs::{MemfdFlags, SealFlags};

use crate::error::LoadError;
use crate::mapped::{Mapped, Placement, Writable};
use crate::mapping::Mapping;
use crate::static_artifact::StaticArtifact;

/// A part of a file, inside of it.
#[derive(Clone, Copy)]
struct Piece<'a> {
    file: &'a File,
    offset: u64,
    len: u64,
}

impl Mapped<Writable> {
    /// Maps the artifact that begins at `offset` of `file`, `len` bytes long (to the end of
    /// the file when there is no length). Of a container, the artifact that makes the most of this
    /// machine.
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
        let piece = Piece::new(file, offset, len)?;
        match piece.container()? {
            None => piece.load(placement, None),
            Some(container) => {
                let image = container.best()?;
                piece.within(image)?.load(placement, Some(image))
            }
        }
    }

    /// Loads an artifact from memory, and of a container the one that makes the most of this
    /// machine.
    ///
    /// # Errors
    ///
    /// As [`Mapped::from_file`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, LoadError> {
        let (artifact, image) = choose(bytes)?;
        let (mapping, file) = copy(artifact)?;
        Self::new(mapping, file.map(|file| (file, 0)), image.as_ref())
    }

    /// Takes an artifact where it lies in the program, and of a container the one that makes the
    /// most of this machine.
    ///
    /// Nothing is copied but memory images, once, so that they can be mapped into each instance. All
    /// of it is copied when the code has relocations, when the linker or the system did not align
    /// the program's pages, and when the system does not let these become executable.
    ///
    /// # Errors
    ///
    /// As [`Mapped::from_file`].
    pub fn from_static(artifact: StaticArtifact) -> Result<Self, LoadError> {
        let (bytes, image) = choose(artifact.bytes())?;
        let in_place = artifact.narrow(bytes);
        if !in_place.bytes().as_ptr().addr().is_multiple_of(rustix::param::page_size()) {
            return Self::from_bytes(bytes);
        }
        let mut mapped = Self::new(Mapping::of_program(in_place), None, image.as_ref())?;
        if mapped.has_relocations() || mapped.try_executable().is_err() {
            return Self::from_bytes(bytes);
        }
        // Where there are no files in memory, each instance copies its images.
        if let images @ [_, ..] = mapped.images()
            && let Ok(file) = memory_file(|file| file.write_all(images))
        {
            mapped.set_images(file, 0);
        }
        Ok(mapped)
    }

    /// Loads a signed artifact from a file.
    ///
    /// What is checked is a copy that nobody else can write, and the copy is what is mapped.
    ///
    /// # Errors
    ///
    /// When no trusted key vouches for it, it was changed, or as [`Mapped::from_file`]. Then none of
    /// it was executable at any time.
    #[cfg(feature = "signatures")]
    pub fn from_signed_file(
        file: &File,
        trusted: &[precast_artifact::container::PublicKey],
    ) -> Result<Self, LoadError> {
        let piece = Piece::new(file, 0, None)?;
        let Some(container) = piece.container()? else { return Err(not_signed(&piece.head()?)) };
        container.verify(trusted)?;
        let image = container.best()?;
        let piece = piece.within(image)?;
        match memory_file(|copy| piece.copy_to(copy)) {
            Ok(copy) => {
                let mapping = Mapping::of_file(&copy, 0, piece.mapped_len()?);
                let mapping = mapping.map_err(LoadError::system("cannot map the artifact"))?;
                Self::checked(mapping, Some((copy, 0)), image)
            }
            Err(_) => Self::checked(piece.copy()?, None, image),
        }
    }

    /// Loads a signed artifact from memory.
    ///
    /// # Errors
    ///
    /// As [`Mapped::from_signed_file`].
    #[cfg(feature = "signatures")]
    pub fn from_signed_bytes(
        bytes: &[u8],
        trusted: &[precast_artifact::container::PublicKey],
    ) -> Result<Self, LoadError> {
        if !Container::looks_like_container(bytes) {
            return Err(not_signed(bytes));
        }
        let container = Container::parse(bytes, bytes.len() as u64)?;
        container.verify(trusted)?;
        let image = container.best()?;
        let (mapping, file) = copy(within(bytes, image)?)?;
        Self::checked(mapping, file.map(|file| (file, 0)), image)
    }

    /// Takes a private copy of what a signed index describes, if it is that.
    #[cfg(feature = "signatures")]
    fn checked(
        mapping: Mapping,
        file: Option<(File, u64)>,
        image: &ContainedImage,
    ) -> Result<Self, LoadError> {
        Self::new(mapping, file, Some(image))?.verify()
    }
}

#[cfg(feature = "signatures")]
fn not_signed(bytes: &[u8]) -> LoadError {
    use precast_artifact::container::SignatureError;
    use precast_artifact::image::{Image, ImageError};
    match Image::looks_like_artifact(bytes) {
        true => SignatureError::Missing.into(),
        false => ImageError::NotAnArtifact.into(),
    }
}

impl<'a> Piece<'a> {
    fn new(file: &'a File, offset: u64, len: Option<u64>) -> Result<Self, LoadError> {
        let metadata = file.metadata().map_err(LoadError::system("cannot read the file's size"))?;
        let file_len = metadata.len();
        let len = len.unwrap_or(file_len.saturating_sub(offset));
        let inside = len != 0 && offset.checked_add(len).is_some_and(|end| end <= file_len);
        match inside && usize::try_from(len).is_ok() {
            true => Ok(Piece { file, offset, len }),
            false => Err(LoadError::Range { offset, len, file_len }),
        }
    }

    /// Where the artifact of a container lies in the file.
    fn within(&self, image: &ContainedImage) -> Result<Piece<'a>, LoadError> {
        Piece::new(self.file, self.offset.saturating_add(image.offset), Some(image.len))
    }

    /// The container that it is, if it is one.
    fn container(&self) -> Result<Option<Container>, LoadError> {
        let mut magic = [0; 8];
        let read = self.file.read_at(&mut magic, self.offset).map_err(reading())?;
        if !Container::looks_like_container(&magic[..read]) {
            return Ok(None);
        }
        Ok(Some(Container::parse(&self.head()?, self.len)?))
    }

    /// Its beginning.
    fn head(&self) -> Result<Vec<u8>, LoadError> {
        let mut head = vec![0; (HEAD_LEN as u64).min(self.len) as usize];
        self.file.read_exact_at(&mut head, self.offset).map_err(reading())?;
        Ok(head)
    }

    fn load(
        &self,
        placement: Placement,
        image: Option<&ContainedImage>,
    ) -> Result<Mapped<Writable>, LoadError> {
        let aligned = self.offset.is_multiple_of(rustix::param::page_size() as u64);
        if placement == Placement::Copy || !aligned {
            return Mapped::new(self.copy()?, None, image);
        }
        // There are file systems whose files can only be read.
        let Ok(mapping) = Mapping::of_file(self.file, self.offset, self.mapped_len()?) else {
            return Mapped::new(self.copy()?, None, image);
        };
        let file = self.file.try_clone().map_err(LoadError::system("cannot keep the file open"))?;
        let mut mapped = Mapped::new(mapping, Some((file, self.offset)), image)?;
        // A file system mounted `noexec` is found out now, while there is a way around it.
        match mapped.try_executable() {
            Ok(()) => Ok(mapped),
            Err(_) => Mapped::new(self.copy()?, None, image),
        }
    }

    fn mapped_len(&self) -> Result<usize, LoadError> {
        let Piece { offset, len, .. } = *self;
        usize::try_from(len).map_err(|_| LoadError::Range { offset, len, file_len: len })
    }

    /// A copy in anonymous memory.
    fn copy(&self) -> Result<Mapping, LoadError> {
        let mut bytes = Vec::with_capacity(self.mapped_len()?);
        self.copy_to(&mut bytes).map_err(reading())?;
        let mut mapping = anonymous(bytes.len())?;
        mapping.write(0, &bytes);
        Ok(mapping)
    }

    fn copy_to(&self, to: &mut impl Write) -> std::io::Result<()> {
        let mut source = self.file;
        source.seek(SeekFrom::Start(self.offset))?;
        match std::io::copy(&mut source.take(self.len), to)? == self.len {
            true => Ok(()),
            false => Err(std::io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

/// The artifact in these bytes: all of them, or a part when they are a container.
fn choose(bytes: &[u8]) -> Result<(&[u8], Option<ContainedImage>), LoadError> {
    if !Container::looks_like_container(bytes) {
        return Ok((bytes, None));
    }
    let container = Container::parse(bytes, bytes.len() as u64)?;
    let image = container.best()?;
    Ok((within(bytes, image)?, Some(image.clone())))
}

fn within<'a>(bytes: &'a [u8], image: &ContainedImage) -> Result<&'a [u8], LoadError> {
    let &ContainedImage { offset, len, .. } = image;
    let range = usize::try_from(offset).ok().zip(usize::try_from(len).ok());
    range.and_then(|(offset, len)| bytes.get(offset..)?.get(..len)).ok_or(LoadError::Range {
        offset,
        len,
        file_len: bytes.len() as u64,
    })
}

/// A copy of an artifact, in a file in memory where there are such.
fn copy(bytes: &[u8]) -> Result<(Mapping, Option<File>), LoadError> {
    if let Ok(file) = memory_file(|file| file.write_all(bytes))
        && let Ok(mapping) = Mapping::of_file(&file, 0, bytes.len())
    {
        return Ok((mapping, Some(file)));
    }
    // Its images cannot be mapped, all else works.
    let mut mapping = anonymous(bytes.len())?;
    mapping.write(0, bytes);
    Ok((mapping, None))
}

fn anonymous(len: usize) -> Result<Mapping, LoadError> {
    Mapping::anonymous(len.max(1)).map_err(LoadError::system("cannot reserve memory"))
}

/// An anonymous file with these contents, which nobody can change any more.
fn memory_file(
    fill: impl FnOnce(&mut File) -> std::io::Result<()>,
) -> Result<File, std::io::Error> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let mut file = File::from(rustix::fs::memfd_create("precast", flags)?);
    fill(&mut file)?;
    let seals = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
    rustix::fs::fcntl_add_seals(&file, seals)?;
    Ok(file)
}

fn reading() -> impl Fn(std::io::Error) -> LoadError {
    LoadError::system("cannot read the artifact")
}
