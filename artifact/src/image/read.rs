//! Takes an artifact apart where it lies.

use object::LittleEndian;
use object::elf::{FileHeader64, SectionHeader64, Sym64};
use object::read::elf::{FileHeader, SectionHeader, SectionTable};
use sha2::{Digest, Sha256};

use super::header::{FORMAT_VERSION, Header};
use crate::description::BuildDescription;
use crate::index::DefinedFuncIndex;
use crate::module::Module;
use crate::section::elements::Elements;
use crate::section::exceptions::ExceptionTable;
use crate::section::functions::FunctionTable;
use crate::section::inline_frames::InlineFrames;
use crate::section::name;
use crate::section::sites::SiteTable;
use crate::section::stack_maps::StackMaps;

/// An artifact whose prefix was checked and decoded.
#[derive(Clone, Debug)]
pub struct Image<'a> {
    /// The SHA-256 of the prefix, which holds that of the body: it stands for the whole artifact.
    pub digest: [u8; 32],
    /// What the artifact says it is.
    pub description: BuildDescription,
    /// The decoded part.
    pub module: Module,
    /// What is read in place.
    pub sections: Sections<'a>,
}

/// The sections that are read in place.
#[derive(Clone, Copy, Debug)]
pub struct Sections<'a> {
    /// Where each function's code is.
    pub functions: FunctionTable<'a>,
    /// Function indices of element segments and table images.
    pub elements: Elements<'a>,
    /// The instructions that can trap, and the calls.
    pub sites: SiteTable<'a>,
    /// The calls whose callee became a part of the caller's code.
    pub inline_frames: InlineFrames<'a>,
    /// The exception handlers of each call that has any, by the return address as an offset in
    /// the text section.
    pub exceptions: ExceptionTable<'a>,
    /// Where frames hold references, by the return address of the call they are in, as an offset
    /// in the text section.
    pub stack_maps: StackMaps<'a>,
    /// The names of functions and trampolines.
    pub symbols: Symbols<'a>,
    /// What the loader must patch, encoded.
    pub relocations: &'a [u8],
    /// The bytes of data segments.
    pub data: &'a [u8],
    /// The code.
    pub text: FileRange<'a>,
    /// Pages of memory images.
    pub images: FileRange<'a>,
}

/// Bytes of the artifact that can be mapped from its file.
#[derive(Clone, Copy, Debug)]
pub struct FileRange<'a> {
    /// Where they begin, in bytes from the start of the artifact.
    pub offset: u64,
    /// The bytes.
    pub bytes: &'a [u8],
}

/// The symbol table: defined functions in index order, then trampolines.
#[derive(Clone, Copy, Debug)]
pub struct Symbols<'a> {
    symbols: &'a [Sym64<LittleEndian>],
    strings: &'a [u8],
}

/// Why bytes are not an artifact that can be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// The file is something else.
    #[error("not a precast artifact")]
    NotAnArtifact,
    /// The file was written by another version.
    #[error(
        "made by a precast with artifact format {found}; this one reads format {supported}: compile the module again"
    )]
    Version {
        /// The format of the file.
        found: u32,
        /// The format that is read here.
        supported: u32,
    },
    /// The file has another size than when it was written.
    #[error("damaged: the artifact is {found} bytes long and should be {expected}")]
    Length {
        /// The size now, in bytes.
        found: u64,
        /// The size it was written with, in bytes.
        expected: u64,
    },
    /// The header or the decoded part was changed.
    #[error("damaged: the header does not match its digest")]
    HeaderDigest,
    /// Code or tables were changed.
    #[error("damaged: code and tables do not match their digest")]
    BodyDigest,
    /// A section is missing or has no sense.
    #[error("damaged: section {section} {problem}")]
    Section {
        /// Its name.
        section: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
}

impl<'a> Image<'a> {
    /// Checks sizes, section borders and the digest of the prefix, and decodes it.
    ///
    /// The body is not read: see [`Image::verify`].
    ///
    /// # Errors
    ///
    /// The first thing that is wrong.
    pub fn parse(bytes: &'a [u8]) -> Result<Image<'a>, ImageError> {
        let file = ElfFile::parse(bytes)?;
        let (header, header_at) = file.header()?;
        let prefix_len = usize::try_from(header.prefix_len).unwrap_or(usize::MAX);
        let prefix = bytes.get(..prefix_len).ok_or(ImageError::HeaderDigest)?;
        if Header::digest_prefix(prefix, header_at) != Some(header.prefix_digest) {
            return Err(ImageError::HeaderDigest);
        }
        let description = file.section(name::HEADER)?;
        let description = description.get(Header::SIZE..).unwrap_or_default();
        let description = decode(description, name::HEADER)?;
        let module = decode(file.section(name::MODULE)?, name::MODULE)?;
        let sections = file.sections()?;
        check_counts(&module, &sections)?;
        Ok(Image { digest: header.prefix_digest, description, module, sections })
    }

    /// Compares the body of an artifact with its digest. Reads all of it.
    ///
    /// # Errors
    ///
    /// What [`Image::parse`] finds, or [`ImageError::BodyDigest`].
    pub fn verify(bytes: &'a [u8]) -> Result<(), ImageError> {
        Image::parse(bytes)?;
        let (header, _) = ElfFile::parse(bytes)?.header()?;
        let body = &bytes[header.prefix_len as usize..];
        let digest: [u8; 32] = Sha256::digest(body).into();
        if digest == header.body_digest { Ok(()) } else { Err(ImageError::BodyDigest) }
    }

    /// The name and size in bytes of every section, in file order.
    ///
    /// # Errors
    ///
    /// [`ImageError::NotAnArtifact`] when the bytes are no ELF file.
    pub fn section_sizes(bytes: &[u8]) -> Result<Vec<(String, u64)>, ImageError> {
        let file = ElfFile::parse(bytes)?;
        let sizes = file.table.iter().filter(|section| section.sh_type(LittleEndian) != 0);
        Ok(sizes
            .map(|section| {
                let name = file.table.section_name(LittleEndian, section).unwrap_or_default();
                let name = String::from_utf8_lossy(name).into_owned();
                (name, section.sh_size(LittleEndian))
            })
            .collect())
    }

    /// Whether the bytes begin as an artifact does, so that it is worth telling the user what
    /// is wrong with it.
    pub fn looks_like_artifact(bytes: &[u8]) -> bool {
        bytes.starts_with(&object::elf::ELFMAG)
    }
}

impl<'a> Symbols<'a> {
    /// The name of a defined function, if it has one that is UTF-8.
    pub fn function_name(&self, index: DefinedFuncIndex) -> Option<&'a str> {
        // The first symbol of an ELF symbol table is empty.
        self.name(index.as_usize().checked_add(1)?)
    }

    /// Name, address in the artifact and size of every symbol.
    pub fn iter(&self) -> impl Iterator<Item = (Option<&'a str>, u64, u64)> + 'a {
        let symbols = *self;
        (1..symbols.symbols.len()).map(move |index| {
            let symbol = &symbols.symbols[index];
            let (value, size) =
                (symbol.st_value.get(LittleEndian), symbol.st_size.get(LittleEndian));
            (symbols.name(index), value, size)
        })
    }

    fn name(&self, index: usize) -> Option<&'a str> {
        let start = self.symbols.get(index)?.st_name.get(LittleEndian) as usize;
        let rest = self.strings.get(start..)?;
        let end = rest.iter().position(|&byte| byte == 0)?;
        std::str::from_utf8(&rest[..end]).ok().filter(|name| !name.is_empty())
    }
}

/// An ELF file and its section table.
struct ElfFile<'a> {
    bytes: &'a [u8],
    table: SectionTable<'a, FileHeader64<LittleEndian>>,
}

impl<'a> ElfFile<'a> {
    fn parse(bytes: &'a [u8]) -> Result<Self, ImageError> {
        if !bytes.starts_with(&object::elf::ELFMAG) {
            return Err(ImageError::NotAnArtifact);
        }
        let table = FileHeader64::<LittleEndian>::parse(bytes)
            .and_then(|header| header.sections(LittleEndian, bytes))
            .map_err(|_| ImageError::NotAnArtifact)?;
        Ok(ElfFile { bytes, table })
    }

    /// The fixed header, with its version and the length of the file checked, and where it is.
    fn header(&self) -> Result<(Header, usize), ImageError> {
        let (_, section) = self
            .table
            .section_by_name(LittleEndian, name::HEADER.as_bytes())
            .ok_or(ImageError::NotAnArtifact)?;
        let data = section.data(LittleEndian, self.bytes).map_err(|_| ImageError::NotAnArtifact)?;
        let fixed = data.first_chunk::<{ Header::SIZE }>().ok_or(ImageError::NotAnArtifact)?;
        let header = Header::decode(fixed).ok_or(ImageError::NotAnArtifact)?;
        if header.version != FORMAT_VERSION {
            return Err(ImageError::Version { found: header.version, supported: FORMAT_VERSION });
        }
        let found = self.bytes.len() as u64;
        if header.file_len != found {
            return Err(ImageError::Length { found, expected: header.file_len });
        }
        Ok((header, section.sh_offset(LittleEndian) as usize))
    }

    fn find(&self, name: &'static str) -> Result<&'a SectionHeader64<LittleEndian>, ImageError> {
        let missing = ImageError::Section { section: name, problem: "is missing" };
        let found = self.table.section_by_name(LittleEndian, name.as_bytes());
        found.map(|(_, section)| section).ok_or(missing)
    }

    fn section(&self, name: &'static str) -> Result<&'a [u8], ImageError> {
        let outside = ImageError::Section { section: name, problem: "reaches beyond the file" };
        self.find(name)?.data(LittleEndian, self.bytes).map_err(|_| outside)
    }

    fn range(&self, name: &'static str) -> Result<FileRange<'a>, ImageError> {
        let offset = self.find(name)?.sh_offset(LittleEndian);
        Ok(FileRange { offset, bytes: self.section(name)? })
    }

    fn sections(&self) -> Result<Sections<'a>, ImageError> {
        let unaligned = |_| ImageError::Section { section: name::SYMBOLS, problem: "is malformed" };
        let symbols = self.find(name::SYMBOLS)?;
        let symbols = symbols.data_as_array(LittleEndian, self.bytes).map_err(unaligned)?;
        let text = self.range(name::TEXT)?;
        if text.bytes.len() > i32::MAX as usize {
            return Err(ImageError::Section { section: name::TEXT, problem: "exceeds 2 GiB" });
        }
        Ok(Sections {
            functions: FunctionTable::new(self.section(name::FUNCTIONS)?),
            elements: Elements::new(self.section(name::ELEMENTS)?),
            sites: SiteTable::new(self.section(name::SITES)?),
            inline_frames: InlineFrames::new(self.section(name::INLINE_FRAMES)?),
            exceptions: ExceptionTable::new(self.section(name::EXCEPTIONS)?),
            stack_maps: StackMaps::new(self.section(name::STACK_MAPS)?),
            symbols: Symbols { symbols, strings: self.section(name::STRINGS)? },
            relocations: self.section(name::RELOCATIONS)?,
            data: self.section(name::DATA)?,
            text,
            images: self.range(name::IMAGES)?,
        })
    }
}

fn decode<T: serde::de::DeserializeOwned>(
    bytes: &[u8],
    section: &'static str,
) -> Result<T, ImageError> {
    let problem = "cannot be decoded";
    match postcard::take_from_bytes(bytes) {
        Ok((value, [])) => Ok(value),
        _ => Err(ImageError::Section { section, problem }),
    }
}

/// What must agree between the decoded part and the tables.
fn check_counts(module: &Module, sections: &Sections<'_>) -> Result<(), ImageError> {
    let damaged = |section, problem| Err(ImageError::Section { section, problem });
    if sections.functions.len() != module.defined_functions as usize {
        return damaged(name::FUNCTIONS, "has another length than the module has functions");
    }
    let data_len = sections.data.len() as u64;
    if module
        .data
        .iter()
        .any(|data| data.start.checked_add(data.len).is_none_or(|end| end > data_len))
    {
        return damaged(name::DATA, "is shorter than the module's data segments");
    }
    let images_len = sections.images.bytes.len() as u64;
    let runs = module.memory_images.iter().flat_map(|image| &image.runs);
    if { runs }.any(|run| run.start.checked_add(run.len).is_none_or(|end| end > images_len)) {
        return damaged(name::IMAGES, "is shorter than the module's memory images");
    }
    let text_len = sections.text.bytes.len();
    let inside = |offset: u32| (offset as usize) < text_len;
    let mut trampolines = module.signatures.iter().flat_map(|ty| [ty.entry, ty.exit]).flatten();
    if !trampolines.all(inside) {
        return damaged(name::TEXT, "does not hold the module's trampolines");
    }
    Ok(())
}
