//! One file that holds several artifacts, or says who vouches for them.
//!
//! ```text
//! | header | signatures | index | zeros || artifact | zeros || artifact | ...
//! |------ the head: 64 KiB -------------||-- each at a multiple of 64 KiB ---
//! ```
//!
//! The index says of each artifact which machine it needs, so that the best one for a machine is
//! found without a look at the others, and what its digest is. A signature covers the index and so
//! all of the artifacts: code, target and settings. An artifact in a container is the same bytes as
//! in a file of its own.

mod header;
#[cfg(feature = "signatures")]
mod signature;
mod write;

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use self::header::Header;
#[cfg(feature = "signatures")]
pub use self::signature::{KeyError, PublicKey, SecretKey, SignatureError};
pub use self::write::{Part, write};
use crate::description::{Target, Unfit};
use crate::image::ImageError;

/// The first bytes of a container.
pub const MAGIC: [u8; 8] = *b"precast+";

/// The version of the container's format. The artifacts in it have their own.
pub const VERSION: u32 = 1;

/// The size of everything before the first artifact, in bytes.
pub const HEAD_LEN: usize = 64 << 10;

/// The most signatures that a container can hold.
pub const MAX_SIGNATURES: usize = 8;

/// The head of a container, checked and decoded.
#[derive(Clone, Debug)]
pub struct Container {
    images: Vec<ContainedImage>,
    signatures: Vec<header::RawSignature>,
    index_digest: [u8; 32],
    len: u64,
}

/// An artifact in a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainedImage {
    /// The processor or level that it was compiled for, as whoever compiled it named that; empty
    /// when they did not.
    pub cpu: String,
    /// The machine and system that it is for.
    pub target: Target,
    /// The processor features that it needs.
    pub cpu_features: Vec<String>,
    /// Where it begins, in bytes from the start of the container.
    pub offset: u64,
    /// Its length, in bytes.
    pub len: u64,
    /// What [`Image::digest`](crate::image::Image::digest) of it is.
    pub digest: [u8; 32],
}

/// Why bytes are no container that can be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ContainerError {
    /// The file is something else.
    #[error("not a container of precast artifacts")]
    NotAContainer,
    /// The file was written by another version.
    #[error(
        "made by a precast with container format {found}; this one reads format {supported}: compile the modules again"
    )]
    Version {
        /// The format of the file.
        found: u32,
        /// The format that is read here.
        supported: u32,
    },
    /// The file has another size than when it was written.
    #[error("damaged: the container is {found} bytes long and should be {expected}")]
    Length {
        /// The size now, in bytes.
        found: u64,
        /// The size it was written with, in bytes.
        expected: u64,
    },
    /// The head was changed.
    #[error("damaged: the container's index {0}")]
    Index(&'static str),
    /// What is to become a part of a container is no artifact.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// Two parts need the same machine.
    #[error("{first} and {second} need the same processor features: one of them is enough")]
    Duplicate {
        /// One.
        first: String,
        /// The other.
        second: String,
    },
    /// There are more parts or signatures than a container can hold.
    #[error("a container has no room for so many {0}")]
    Full(&'static str),
}

/// Why no artifact in a container can run on this machine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("holds code for {}, none of which fits: {}", list(.0, |image| image.0.clone()), list(.0, |image| format!("{} {}", image.0, image.1)))]
pub struct NoneFits(pub Vec<(String, Unfit)>);

impl Container {
    /// Whether the bytes begin as a container does.
    pub fn looks_like_container(bytes: &[u8]) -> bool {
        bytes.starts_with(&MAGIC)
    }

    /// Checks and decodes the head of a container that is `len` bytes long. Of `bytes`, which begin
    /// where it begins, at most [`HEAD_LEN`] are read.
    ///
    /// The artifacts are not looked at. What the index says of them holds when their digests are
    /// those of the index.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong.
    pub fn parse(bytes: &[u8], len: u64) -> Result<Container, ContainerError> {
        let header = Header::parse(bytes)?;
        if header.file_len != len {
            return Err(ContainerError::Length { found: len, expected: header.file_len });
        }
        let index = usize::try_from(header.index_len)
            .ok()
            .and_then(|len| Header::SIZE.checked_add(len))
            .filter(|&end| end <= HEAD_LEN)
            .and_then(|end| bytes.get(Header::SIZE..end))
            .ok_or(ContainerError::Index("reaches beyond its place"))?;
        let index_digest: [u8; 32] = Sha256::digest(index).into();
        if index_digest != header.index_digest {
            return Err(ContainerError::Index("does not match its digest"));
        }
        let images: Vec<ContainedImage> = match postcard::take_from_bytes(index) {
            Ok((images, [])) => images,
            _ => return Err(ContainerError::Index("cannot be decoded")),
        };
        let in_place = |image: &ContainedImage| {
            let end = image.offset.checked_add(image.len);
            image.offset != 0
                && image.offset.is_multiple_of(HEAD_LEN as u64)
                && end.is_some_and(|end| end <= len)
        };
        if images.is_empty() || !images.iter().all(in_place) {
            return Err(ContainerError::Index("does not fit the file"));
        }
        Ok(Container { images, signatures: header.signatures, index_digest, len })
    }

    /// The artifacts, in the order in which they were put in.
    pub fn images(&self) -> &[ContainedImage] {
        &self.images
    }

    /// The length of the container, in bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether it holds nothing, which no container does.
    pub fn is_empty(&self) -> bool {
        self.images.is_empty()
    }

    /// The SHA-256 of the index, which stands for the whole container.
    pub fn digest(&self) -> [u8; 32] {
        self.index_digest
    }

    /// The public keys whose signatures it carries, valid or not, in hexadecimal digits.
    pub fn signed_by(&self) -> Vec<String> {
        self.signatures.iter().map(|signature| hex(&signature.key)).collect()
    }

    /// The artifact that makes the most of this machine: of those that can run here the one that
    /// uses the most processor features, and of equals the first.
    ///
    /// # Errors
    ///
    /// Why each of them cannot run here.
    pub fn best(&self) -> Result<&ContainedImage, NoneFits> {
        let mut unfit = Vec::new();
        let mut best: Option<&ContainedImage> = None;
        for image in &self.images {
            match image.target.check_host(&image.cpu_features) {
                Ok(()) if best.is_none_or(|best| image.richer_than(best)) => best = Some(image),
                Ok(()) => {}
                Err(reason) => unfit.push((image.to_string(), reason)),
            }
        }
        best.ok_or(NoneFits(unfit))
    }
}

impl ContainedImage {
    fn richer_than(&self, other: &ContainedImage) -> bool {
        self.cpu_features.len() > other.cpu_features.len()
    }
}

impl fmt::Display for ContainedImage {
    /// The target triple, and the processor when it was named.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.target.triple)?;
        match self.cpu.as_str() {
            "" => Ok(()),
            cpu => write!(f, " {cpu}"),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn list<T>(items: &[T], show: impl Fn(&T) -> String) -> String {
    items.iter().map(show).collect::<Vec<_>>().join("; ")
}
