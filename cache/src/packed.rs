//! An entry at rest: a header that says what it is, and the artifact as a zstd frame.
//!
//! ```text
//! | magic 8 | version 4 | metadata length 4 | key 32 | artifact length 8 | artifact SHA-256 32 |
//! | SHA-256 of all above and the metadata 32 | metadata | zstd frame with content checksum |
//! ```

use std::io::{self, BufReader, Read, Write};
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};
use zstd::stream::{read::Decoder, write::Encoder};

use crate::error::Damage;
use crate::key::{self, Key, KeyParts, Part};
use crate::root::Time;

const MAGIC: &[u8; 8] = b"precast\x01";
const VERSION: u32 = 1;
const FIXED: usize = 120;
/// Where the digest of the header stands in it.
const DIGEST_AT: usize = 88;
/// The most bytes of metadata: a name and some hundred short parts are far below.
const METADATA_LIMIT: usize = 1 << 20;

/// Everything about an entry but its artifact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) key: Key,
    /// The length of the artifact, in bytes.
    pub(crate) artifact_len: u64,
    pub(crate) artifact_sha256: [u8; 32],
    pub(crate) metadata: Metadata,
}

/// What people want to know about an entry, and what its key was made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Metadata {
    /// The name of the file that was compiled, or what else the caller says.
    pub(crate) source: String,
    pub(crate) compile_time: Duration,
    pub(crate) created: SystemTime,
    pub(crate) parts: KeyParts,
}

/// A packed entry that is open and whose header is sound.
pub(crate) struct Packed<R> {
    pub(crate) header: Header,
    reader: R,
}

/// Why a packed entry did not get unpacked.
#[derive(Debug)]
pub(crate) enum UnpackError {
    /// It is damaged.
    Damage(Damage),
    /// What it was unpacked into does not take it.
    Write(io::Error),
}

impl Header {
    /// The header of an artifact.
    pub(crate) fn new(artifact: &[u8], metadata: Metadata) -> Header {
        Header {
            key: metadata.parts.key(),
            artifact_len: artifact.len() as u64,
            artifact_sha256: Sha256::digest(artifact).into(),
            metadata,
        }
    }

    fn encode(&self) -> Vec<u8> {
        let Header { key, artifact_len, artifact_sha256, metadata } = self;
        let metadata = metadata.encode();
        let mut bytes = Vec::with_capacity(FIXED + metadata.len());
        bytes.extend(MAGIC);
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend((metadata.len() as u32).to_le_bytes());
        bytes.extend(key.0);
        bytes.extend(artifact_len.to_le_bytes());
        bytes.extend(artifact_sha256);
        let digest = Sha256::new().chain_update(&bytes).chain_update(&metadata).finalize();
        bytes.extend(digest);
        bytes.extend(metadata);
        bytes
    }

    fn read(reader: &mut impl Read) -> Result<Header, Damage> {
        let mut fixed = [0; FIXED];
        reader.read_exact(&mut fixed).map_err(unreadable)?;
        if fixed[..8] != *MAGIC {
            return Err(Damage::Magic);
        }
        let version = u32::from_le_bytes(array(&fixed, 8));
        if version != VERSION {
            return Err(Damage::Version(version));
        }
        let metadata_len = u32::from_le_bytes(array(&fixed, 12)) as usize;
        if metadata_len > METADATA_LIMIT {
            return Err(Damage::Header);
        }
        let mut metadata = vec![0; metadata_len];
        reader.read_exact(&mut metadata).map_err(unreadable)?;
        let digest =
            Sha256::new().chain_update(&fixed[..DIGEST_AT]).chain_update(&metadata).finalize();
        if digest[..] != fixed[DIGEST_AT..] {
            return Err(Damage::Header);
        }
        let key = Key(array(&fixed, 16));
        let metadata = Metadata::decode(&metadata).ok_or(Damage::Header)?;
        if metadata.parts.key() != key {
            return Err(Damage::Parts);
        }
        let artifact_len = u64::from_le_bytes(array(&fixed, 48));
        Ok(Header { key, artifact_len, artifact_sha256: array(&fixed, 56), metadata })
    }
}

impl Metadata {
    fn encode(&self) -> Vec<u8> {
        let Metadata { source, compile_time, created, parts } = self;
        let created = created.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let facts = [
            Part::new("source", source),
            Part::new("compile-ms", compile_time.as_millis().to_string()),
            Part::new("created", created.as_secs().to_string()),
        ];
        let mut bytes = key::encode(&facts);
        bytes.extend(key::encode(parts.parts()));
        bytes
    }

    fn decode(mut bytes: &[u8]) -> Option<Metadata> {
        let facts = key::decode(&mut bytes)?;
        let parts = key::decode(&mut bytes).filter(|_| bytes.is_empty())?;
        let fact = |name| facts.iter().find(|fact| fact.name == name).map(|fact| &fact.value);
        let seconds = fact("created")?.parse::<i64>().ok()?;
        Some(Metadata {
            source: fact("source")?.clone(),
            compile_time: Duration::from_millis(fact("compile-ms")?.parse().ok()?),
            created: Time(i128::from(seconds) * 1_000_000_000).into(),
            parts: KeyParts::new(parts),
        })
    }
}

/// Writes an entry.
pub(crate) fn write(
    out: &mut impl Write,
    header: &Header,
    artifact: &[u8],
    level: i32,
) -> io::Result<()> {
    out.write_all(&header.encode())?;
    let mut encoder = Encoder::new(out, level)?;
    encoder.include_checksum(true)?;
    encoder.set_pledged_src_size(Some(artifact.len() as u64))?;
    encoder.write_all(artifact)?;
    encoder.finish()?;
    Ok(())
}

impl<R: Read> Packed<R> {
    /// Reads the header of an entry.
    pub(crate) fn open(mut reader: R) -> Result<Packed<R>, Damage> {
        Ok(Packed { header: Header::read(&mut reader)?, reader })
    }

    /// Reads the header of the entry that has this key.
    pub(crate) fn open_as(key: &Key, reader: R) -> Result<Packed<R>, Damage> {
        let packed = Packed::open(reader)?;
        match packed.header.key == *key {
            true => Ok(packed),
            false => Err(Damage::OtherKey(packed.header.key)),
        }
    }

    /// Decompresses the artifact and compares it with its digest. What was written counts only
    /// when this succeeds.
    pub(crate) fn unpack(self, out: &mut impl Write) -> Result<Header, UnpackError> {
        let Packed { header, reader } = self;
        let frame = |error: io::Error| UnpackError::Damage(Damage::Frame(error.to_string()));
        let mut decoder = Decoder::new(reader).map_err(frame)?.single_frame();
        let mut sha = Sha256::new();
        let mut left = header.artifact_len;
        let mut buffer = vec![0; 256 << 10];
        loop {
            let count = decoder.read(&mut buffer).map_err(frame)?;
            if count == 0 {
                break;
            }
            let Some(rest) = left.checked_sub(count as u64) else {
                return Err(UnpackError::Damage(Damage::TooLong));
            };
            left = rest;
            sha.update(&buffer[..count]);
            out.write_all(&buffer[..count]).map_err(UnpackError::Write)?;
        }
        if left != 0 {
            return Err(UnpackError::Damage(Damage::Truncated));
        }
        if sha.finalize()[..] != header.artifact_sha256 {
            return Err(UnpackError::Damage(Damage::Artifact));
        }
        let mut reader: BufReader<R> = decoder.finish();
        match reader.read(&mut buffer[..1]) {
            Ok(0) => Ok(header),
            Ok(_) => Err(UnpackError::Damage(Damage::TooLong)),
            Err(error) => Err(UnpackError::Damage(unreadable(error))),
        }
    }
}

/// What an error while reading says about the file.
pub(crate) fn unreadable(error: io::Error) -> Damage {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => Damage::Truncated,
        _ => Damage::Unreadable(error.to_string()),
    }
}

/// The `N` bytes at `at`; the caller's array is long enough.
pub(crate) fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(&bytes[at..at + N]);
    array
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(artifact: &[u8]) -> (Header, Vec<u8>) {
        let parts = KeyParts::new(vec![Part::new("a", "1"), Part::new("b", "2")]);
        let created = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let compile_time = Duration::from_millis(1234);
        let metadata = Metadata { source: "app.wasm".into(), compile_time, created, parts };
        let header = Header::new(artifact, metadata);
        let mut bytes = Vec::new();
        write(&mut bytes, &header, artifact, 3).unwrap();
        (header, bytes)
    }

    fn unpack(bytes: &[u8]) -> Result<Vec<u8>, UnpackError> {
        let mut artifact = Vec::new();
        Packed::open(bytes).map_err(UnpackError::Damage)?.unpack(&mut artifact)?;
        Ok(artifact)
    }

    fn artifact() -> Vec<u8> {
        (0..50_000u32).flat_map(|number| (number * number).to_le_bytes()).collect()
    }

    #[test]
    fn entries_round_trip() {
        for artifact in [artifact(), Vec::new()] {
            let (header, bytes) = entry(&artifact);
            assert_eq!(Packed::open(bytes.as_slice()).unwrap().header, header);
            assert_eq!(unpack(&bytes).unwrap(), artifact);
        }
    }

    #[test]
    fn every_flipped_byte_of_a_header_is_noticed() {
        let (_, bytes) = entry(&artifact());
        let header_len = FIXED + u32::from_le_bytes(array(&bytes, 12)) as usize;
        for position in 0..header_len {
            let mut damaged = bytes.clone();
            damaged[position] ^= 1;
            assert!(Packed::open(damaged.as_slice()).is_err(), "byte {position}");
        }
    }

    #[test]
    fn flipped_and_missing_bytes_of_the_frame_are_noticed() {
        let (_, bytes) = entry(&artifact());
        for position in (0..bytes.len()).rev().step_by(257).take(200) {
            let mut damaged = bytes.clone();
            damaged[position] ^= 0x10;
            assert!(matches!(unpack(&damaged), Err(UnpackError::Damage(_))), "byte {position}");
            let cut = &bytes[..position];
            assert!(matches!(unpack(cut), Err(UnpackError::Damage(_))), "length {position}");
        }
        let longer = [bytes.as_slice(), b"x"].concat();
        assert!(matches!(unpack(&longer), Err(UnpackError::Damage(Damage::TooLong))));
        let twice = [bytes.as_slice(), &bytes[FIXED..]].concat();
        assert!(matches!(unpack(&twice), Err(UnpackError::Damage(Damage::TooLong))));
    }

    #[test]
    fn another_entry_is_not_this_one() {
        let (header, bytes) = entry(b"artifact");
        let other = KeyParts::new(Vec::new()).key();
        let damage = Packed::open_as(&other, bytes.as_slice()).err();
        assert_eq!(damage, Some(Damage::OtherKey(header.key)));
        assert!(Packed::open_as(&header.key, bytes.as_slice()).is_ok());
    }

    #[test]
    fn an_output_that_is_full_is_no_damage() {
        let (_, bytes) = entry(&artifact());
        let mut small = [0; 100];
        let result = Packed::open(bytes.as_slice()).unwrap().unpack(&mut small.as_mut_slice());
        assert!(matches!(result, Err(UnpackError::Write(_))));
    }
}
