//! The fixed part of a container's head.

use super::{ContainerError, MAGIC, MAX_SIGNATURES, VERSION};

/// A public key and what was signed with its secret half; not checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RawSignature {
    pub(super) key: [u8; 32],
    pub(super) signature: [u8; 64],
}

/// Stored in order of the fields behind [`MAGIC`] and the version, integers little-endian. There is
/// always room for all signatures, so that signing moves nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// The length of the index, in bytes.
    pub(super) index_len: u64,
    /// The length of the whole file, in bytes.
    pub(super) file_len: u64,
    /// The SHA-256 of the index.
    pub(super) index_digest: [u8; 32],
    /// At most [`MAX_SIGNATURES`].
    pub(super) signatures: Vec<RawSignature>,
}

impl RawSignature {
    const SIZE: usize = 96;
}

impl Header {
    /// Where the signatures begin.
    const SIGNATURES_AT: usize = 64;
    /// The encoded size, in bytes: the index follows.
    pub(super) const SIZE: usize = Self::SIGNATURES_AT + MAX_SIGNATURES * RawSignature::SIZE;

    pub(super) fn encode(&self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        let count = u32::try_from(self.signatures.len()).expect("at most MAX_SIGNATURES");
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[12..16].copy_from_slice(&count.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.index_len.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.file_len.to_le_bytes());
        bytes[32..64].copy_from_slice(&self.index_digest);
        let places = bytes[Self::SIGNATURES_AT..].chunks_exact_mut(RawSignature::SIZE);
        for (place, signature) in places.zip(&self.signatures) {
            place[..32].copy_from_slice(&signature.key);
            place[32..].copy_from_slice(&signature.signature);
        }
        bytes
    }

    /// Decodes what [`Header::encode`] wrote, from the beginning of a file.
    pub(super) fn parse(bytes: &[u8]) -> Result<Header, ContainerError> {
        fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
            let mut array = [0; N];
            array.copy_from_slice(&bytes[at..at + N]);
            array
        }
        if !bytes.starts_with(&MAGIC) {
            return Err(ContainerError::NotAContainer);
        }
        let bytes: &[u8; Self::SIZE] =
            bytes.first_chunk().ok_or(ContainerError::Index("is cut short"))?;
        let found = u32::from_le_bytes(array(bytes, 8));
        if found != VERSION {
            return Err(ContainerError::Version { found, supported: VERSION });
        }
        let count = u32::from_le_bytes(array(bytes, 12)) as usize;
        if count > MAX_SIGNATURES {
            return Err(ContainerError::Index("has too many signatures"));
        }
        let places = bytes[Self::SIGNATURES_AT..].chunks_exact(RawSignature::SIZE);
        let (used, free) = (places.clone().take(count), places.skip(count));
        if free.flatten().any(|&byte| byte != 0) {
            return Err(ContainerError::Index("has bytes where no signature is"));
        }
        Ok(Header {
            index_len: u64::from_le_bytes(array(bytes, 16)),
            file_len: u64::from_le_bytes(array(bytes, 24)),
            index_digest: array(bytes, 32),
            signatures: used
                .map(|place| RawSignature { key: array(place, 0), signature: array(place, 32) })
                .collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_round_trip() {
        let signature = RawSignature { key: [1; 32], signature: [2; 64] };
        for signatures in [vec![], vec![signature], vec![signature; MAX_SIGNATURES]] {
            let header = Header { index_len: 3, file_len: 4, index_digest: [5; 32], signatures };
            assert_eq!(Header::parse(&header.encode()), Ok(header));
        }
        assert_eq!(Header::parse(b"\x7fELF"), Err(ContainerError::NotAContainer));
        assert!(matches!(Header::parse(b"precast+"), Err(ContainerError::Index(_))));
    }
}
