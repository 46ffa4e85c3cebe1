//! Lays out a container.

use sha2::{Digest, Sha256};

use super::header::Header;
use super::{ContainedImage, ContainerError, HEAD_LEN};
use crate::image::Image;

/// An artifact that goes into a container.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    /// The processor or level that it was compiled for, as the user named it; may be empty.
    pub cpu: &'a str,
    /// The artifact.
    pub artifact: &'a [u8],
}

/// Puts artifacts into a container without signatures. The same parts give the same bytes.
///
/// # Errors
///
/// When a part is no artifact, when two need the same machine, and when there are too many.
pub fn write(parts: &[Part<'_>]) -> Result<Vec<u8>, ContainerError> {
    let mut images: Vec<ContainedImage> = Vec::with_capacity(parts.len());
    let mut end = HEAD_LEN as u64;
    for part in parts {
        let image = Image::parse(part.artifact)?;
        let image = ContainedImage {
            cpu: part.cpu.to_owned(),
            target: image.description.target,
            cpu_features: image.description.cpu_features,
            offset: end,
            len: part.artifact.len() as u64,
            digest: image.digest,
        };
        let same = |other: &&ContainedImage| {
            other.target == image.target && other.cpu_features == image.cpu_features
        };
        if let Some(other) = images.iter().find(same) {
            let (first, second) = (other.to_string(), image.to_string());
            return Err(ContainerError::Duplicate { first, second });
        }
        end = (end + image.len).next_multiple_of(HEAD_LEN as u64);
        images.push(image);
    }
    let Some(last) = images.last() else {
        return Err(ContainerError::Index("is empty"));
    };
    let index = postcard::to_allocvec(&images).expect("strings and numbers can be encoded");
    if Header::SIZE + index.len() > HEAD_LEN {
        return Err(ContainerError::Full("artifacts"));
    }
    let header = Header {
        index_len: index.len() as u64,
        file_len: last.offset + last.len,
        index_digest: Sha256::digest(&index).into(),
        signatures: Vec::new(),
    };
    let mut file = Vec::with_capacity(header.file_len as usize);
    file.extend_from_slice(&header.encode());
    file.extend_from_slice(&index);
    for (image, part) in images.iter().zip(parts) {
        file.resize(image.offset as usize, 0);
        file.extend_from_slice(part.artifact);
    }
    Ok(file)
}
