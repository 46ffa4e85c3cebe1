//! Gives a stub the segment of a program. No linker is needed: one program header that the stub can
//! do without becomes that of the segment.

use object::LittleEndian as LE;
use object::elf::{self, FileHeader64, ProgramHeader64};
use object::read::elf::{FileHeader, ProgramHeader};

use super::{ALIGNMENT, Program};
use crate::container::{Container, ContainerError};
use crate::image::{FORMAT_VERSION, Image, ImageError};

/// The section by which a stub is known.
pub const STUB_SECTION: &str = ".precast.stub";

/// What that section holds: which artifacts the stub runs.
pub const STUB_MARK: [u8; 16] = {
    let mut mark = *b"precast stub....";
    let version = FORMAT_VERSION.to_le_bytes();
    let mut at = 0;
    while at < version.len() {
        mark[12 + at] = version[at];
        at += 1;
    }
    mark
};

/// The size of a program header, in bytes.
const HEADER_LEN: usize = size_of::<ProgramHeader64<LE>>();

/// A program in one file.
#[derive(Clone, Debug)]
pub struct Linked {
    /// The executable.
    pub executable: Vec<u8>,
    /// The program that must be on the system to start it, such as `/lib64/ld-linux-x86-64.so.2`;
    /// `None` when it needs nothing.
    pub interpreter: Option<String>,
}

/// Why a stub and an artifact make no program.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// The stub is another file.
    #[error("the stub is not a stub of precast")]
    NotAStub,
    /// The stub runs artifacts of another version.
    #[error(
        "the stub runs artifacts of format {found}, and these are of format {FORMAT_VERSION}: install a stub of the same version as the compiler"
    )]
    Version {
        /// The format that the stub runs.
        found: u32,
    },
    /// The stub is for another machine than the artifact.
    #[error("the stub is for another machine than the code, which is for {0}")]
    Machine(String),
    /// There is nothing that the stub can do without.
    #[error("the stub has no room for another segment: it was linked without notes")]
    Full,
    /// The artifact is none.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The container is none.
    #[error(transparent)]
    Container(#[from] ContainerError),
}

/// Makes an executable of a stub and a program.
///
/// # Errors
///
/// When the stub is none, or does not fit the artifact.
pub fn link(stub: &[u8], program: &Program<'_>) -> Result<Linked, LinkError> {
    let header = FileHeader64::<LE>::parse(stub).map_err(|_| LinkError::NotAStub)?;
    check_mark(header, stub)?;
    check_machine(header.e_machine(LE), program.artifact)?;
    let segments = header.program_headers(LE, stub).map_err(|_| LinkError::NotAStub)?;
    let is_load = |segment: &ProgramHeader64<LE>| segment.p_type(LE) == elf::PT_LOAD;
    let last_load = segments.iter().rposition(is_load).ok_or(LinkError::NotAStub)?;
    // Loaded segments stand in the order of their addresses, and this one's is the highest.
    let dispensable = |segment: &ProgramHeader64<LE>| {
        matches!(segment.p_type(LE), elf::PT_NOTE | elf::PT_GNU_PROPERTY)
    };
    let position = segments.iter().rposition(dispensable).filter(|&slot| slot > last_load);
    let slot = header.e_phoff.get(LE) as usize + position.ok_or(LinkError::Full)? * HEADER_LEN;
    let end_of = |segment: &ProgramHeader64<LE>| {
        segment.p_vaddr(LE).checked_add(segment.p_memsz(LE)).ok_or(LinkError::NotAStub)
    };
    let align = |end: u64| end.checked_next_multiple_of(ALIGNMENT as u64);
    let address = align(end_of(&segments[last_load])?).ok_or(LinkError::NotAStub)?;
    let offset = stub.len().next_multiple_of(ALIGNMENT);
    let interpreter = segments
        .iter()
        .find_map(|segment| segment.interpreter(LE, stub).ok().flatten())
        .map(|path| String::from_utf8_lossy(path).into_owned());

    let segment = program.encode();
    let mut executable = Vec::with_capacity(offset + segment.len());
    executable.extend_from_slice(stub);
    executable.resize(offset, 0);
    executable.extend_from_slice(&segment);
    let len = segment.len() as u64;
    let new = [offset as u64, address, address, len, len, ALIGNMENT as u64];
    let place = &mut executable[slot..slot + HEADER_LEN];
    place[..4].copy_from_slice(&elf::PT_LOAD.to_le_bytes());
    place[4..8].copy_from_slice(&elf::PF_R.to_le_bytes());
    for (field, value) in place[8..].chunks_exact_mut(8).zip(new) {
        field.copy_from_slice(&value.to_le_bytes());
    }
    Ok(Linked { executable, interpreter })
}

fn check_mark(header: &FileHeader64<LE>, stub: &[u8]) -> Result<(), LinkError> {
    let sections = header.sections(LE, stub).map_err(|_| LinkError::NotAStub)?;
    let (_, section) =
        sections.section_by_name(LE, STUB_SECTION.as_bytes()).ok_or(LinkError::NotAStub)?;
    let mark = object::read::elf::SectionHeader::data(section, LE, stub).ok();
    let mark = mark.and_then(|mark| mark.first_chunk::<16>()).ok_or(LinkError::NotAStub)?;
    let (name, version) = mark.split_at(12);
    match version.first_chunk() {
        Some(version) if name == &STUB_MARK[..12] => match u32::from_le_bytes(*version) {
            FORMAT_VERSION => Ok(()),
            found => Err(LinkError::Version { found }),
        },
        _ => Err(LinkError::NotAStub),
    }
}

/// All code must be for the stub's machine, or some of it would be of no use.
fn check_machine(machine: u16, artifact: &[u8]) -> Result<(), LinkError> {
    let targets = match Container::looks_like_container(artifact) {
        true => {
            let container = Container::parse(artifact, artifact.len() as u64)?;
            container.images().iter().map(|image| image.target.clone()).collect()
        }
        false => vec![Image::parse(artifact)?.description.target],
    };
    let other = |architecture: &str| crate::image::machine(architecture) != machine;
    match targets.into_iter().find(|target| other(&target.architecture)) {
        Some(target) => Err(LinkError::Machine(target.triple)),
        None => Ok(()),
    }
}
