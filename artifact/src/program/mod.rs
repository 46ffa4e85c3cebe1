//! Programs in one file: a stub that runs an artifact, and the artifact as a segment of it.
//!
//! ```text
//! | stub | zeros || header | manifest | zeros || artifact |
//! |             ||-- the segment, which the system maps --|
//! ```
//!
//! The segment and the artifact in it begin at multiples of 64 KiB, in the file as in memory.

mod link;

use serde::{Deserialize, Serialize};

pub use self::link::{LinkError, Linked, STUB_MARK, STUB_SECTION, link};

/// The first bytes of the segment.
const MAGIC: [u8; 8] = *b"precast>";

/// The version of the segment's format, the manifest included.
const VERSION: u32 = 1;

/// The size of the header, in bytes.
const HEADER_LEN: usize = 32;

/// What the segment, and the artifact in it, is aligned to, in bytes: the largest page of any
/// system.
pub const ALIGNMENT: usize = 64 << 10;

/// What the program is called and what it may use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Its name, for people.
    pub name: String,
    /// What it may use besides what is listed here.
    pub authority: Authority,
    /// The directories that it may use.
    pub directories: Vec<Directory>,
    /// The environment variables that it sees.
    pub environment: Vec<Variable>,
}

/// What a program may use besides what its manifest lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Authority {
    /// Nothing.
    #[default]
    Listed,
    /// What belongs to whoever starts it: the environment, the current directory, and the directories
    /// of what the command line names.
    Ambient,
}

/// A directory that a program may use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Directory {
    /// Where it is; when that is relative, from the directory in which the program is started.
    pub host: String,
    /// The name that the program knows it by.
    pub guest: String,
}

/// An environment variable that a program sees.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Its value; that of whoever starts the program when there is none here.
    pub value: Option<String>,
}

/// A program's segment, taken apart where it lies.
#[derive(Clone, Debug)]
pub struct Program<'a> {
    /// What it is called and what it may use.
    pub manifest: Manifest,
    /// The artifact, or a container of several.
    pub artifact: &'a [u8],
}

/// Bytes that are no program's segment of this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("damaged: the program holds no artifact that this version can run")]
pub struct NotAProgram;

impl<'a> Program<'a> {
    /// Whether the bytes begin as a program's segment does.
    pub fn looks_like_program(segment: &[u8]) -> bool {
        segment.starts_with(&MAGIC)
    }

    /// Takes a segment apart.
    ///
    /// # Errors
    ///
    /// When it is none, or one of another version.
    pub fn parse(segment: &'a [u8]) -> Result<Program<'a>, NotAProgram> {
        fn parse(segment: &[u8]) -> Option<Program<'_>> {
            let rest = segment.strip_prefix(&MAGIC)?;
            let (version, rest) = rest.split_first_chunk()?;
            let (manifest_len, rest) = rest.split_first_chunk()?;
            let (offset, rest) = rest.split_first_chunk()?;
            let (len, rest) = rest.split_first_chunk()?;
            if u32::from_le_bytes(*version) != VERSION {
                return None;
            }
            let manifest_len = u32::from_le_bytes(*manifest_len) as usize;
            let manifest = postcard::from_bytes(rest.get(..manifest_len)?).ok()?;
            let offset = usize::try_from(u64::from_le_bytes(*offset)).ok()?;
            let len = usize::try_from(u64::from_le_bytes(*len)).ok()?;
            let artifact = segment.get(offset..)?.get(..len)?;
            offset.is_multiple_of(ALIGNMENT).then_some(Program { manifest, artifact })
        }
        parse(segment).ok_or(NotAProgram)
    }

    /// The segment.
    pub fn encode(&self) -> Vec<u8> {
        let Program { manifest, artifact } = self;
        let manifest = postcard::to_allocvec(manifest).expect("strings can be encoded");
        let offset = (HEADER_LEN + manifest.len()).next_multiple_of(ALIGNMENT);
        let manifest_len = u32::try_from(manifest.len()).expect("a short manifest");
        let mut segment = Vec::with_capacity(offset + artifact.len());
        segment.extend_from_slice(&MAGIC);
        segment.extend_from_slice(&VERSION.to_le_bytes());
        segment.extend_from_slice(&manifest_len.to_le_bytes());
        segment.extend_from_slice(&(offset as u64).to_le_bytes());
        segment.extend_from_slice(&(artifact.len() as u64).to_le_bytes());
        segment.extend_from_slice(&manifest);
        segment.resize(offset, 0);
        segment.extend_from_slice(artifact);
        segment
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn manifest() -> Manifest {
        Manifest {
            name: "app".into(),
            authority: Authority::Ambient,
            directories: vec![Directory { host: ".".into(), guest: "/".into() }],
            environment: vec![Variable { name: "A".into(), value: None }],
        }
    }

    #[test]
    fn segments_round_trip() {
        let segment = Program { manifest: manifest(), artifact: &[7; 100] }.encode();
        let program = Program::parse(&segment).unwrap();
        assert_eq!(program.manifest, manifest());
        assert_eq!(program.artifact, [7; 100]);
        assert_eq!(program.artifact.as_ptr().addr() - segment.as_ptr().addr(), ALIGNMENT);
        for len in 0..segment.len() {
            assert!(Program::parse(&segment[..len]).is_err());
        }
    }

    proptest! {
        #[test]
        fn any_bytes_can_be_read(at in 8usize..64, byte: u8) {
            let mut segment = Program { manifest: manifest(), artifact: &[7; 100] }.encode();
            segment[at] = byte;
            if let Ok(program) = Program::parse(&segment) {
                prop_assert!(program.artifact.len() <= segment.len());
            }
        }
    }
}
