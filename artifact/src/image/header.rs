//! The fixed part of the header section.

use sha2::{Digest, Sha256};

/// The first bytes of the header section.
pub const MAGIC: [u8; 8] = *b"precast\0";

/// The version of everything that compiler and runtime must agree on: this format, the
/// VMContext layout, the helper table and the calling conventions.
pub const FORMAT_VERSION: u32 = 8;

/// The fixed part of the header section, which the encoded build description follows. Stored
/// in order of the fields behind [`MAGIC`], integers little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// [`FORMAT_VERSION`] of the compiler that wrote the file.
    pub(super) version: u32,
    /// The length of the build description, in bytes.
    pub(super) description_len: u32,
    /// The length of the prefix, in bytes.
    pub(super) prefix_len: u64,
    /// The length of the whole file, in bytes.
    pub(super) file_len: u64,
    /// The digest of the body.
    pub(super) body_digest: [u8; 32],
    /// The digest of the prefix, in which these 32 bytes count as zeros.
    pub(super) prefix_digest: [u8; 32],
}

impl Header {
    /// The encoded size, in bytes.
    pub(super) const SIZE: usize = 96;
    /// Where the prefix's digest stands in the encoded header.
    const DIGEST_AT: usize = 64;

    pub(super) fn encode(&self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&self.version.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.description_len.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.prefix_len.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.file_len.to_le_bytes());
        bytes[32..64].copy_from_slice(&self.body_digest);
        bytes[64..96].copy_from_slice(&self.prefix_digest);
        bytes
    }

    /// Decodes what [`Header::encode`] wrote; `None` without the magic.
    pub(super) fn decode(bytes: &[u8; Self::SIZE]) -> Option<Header> {
        fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
            let mut array = [0; N];
            array.copy_from_slice(&bytes[at..at + N]);
            array
        }
        (bytes[..8] == MAGIC).then(|| Header {
            version: u32::from_le_bytes(array(bytes, 8)),
            description_len: u32::from_le_bytes(array(bytes, 12)),
            prefix_len: u64::from_le_bytes(array(bytes, 16)),
            file_len: u64::from_le_bytes(array(bytes, 24)),
            body_digest: array(bytes, 32),
            prefix_digest: array(bytes, 64),
        })
    }

    /// The digest of a prefix whose header section begins at `header_at`; `None` when the
    /// header does not lie inside it.
    pub(super) fn digest_prefix(prefix: &[u8], header_at: usize) -> Option<[u8; 32]> {
        let digest_at = header_at.checked_add(Self::DIGEST_AT)?;
        let (before, rest) = prefix.split_at_checked(digest_at)?;
        let (_, after) = rest.split_first_chunk::<32>()?;
        let mut sha = Sha256::new();
        sha.update(before);
        sha.update([0; 32]);
        sha.update(after);
        Some(sha.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_round_trip() {
        let header = Header {
            version: 3,
            description_len: 4,
            prefix_len: 5,
            file_len: 6,
            body_digest: [7; 32],
            prefix_digest: [8; 32],
        };
        assert_eq!(Header::decode(&header.encode()), Some(header));
        assert_eq!(Header::decode(&[0; Header::SIZE]), None);
    }
}
