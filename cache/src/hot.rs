//! An entry that is ready to be mapped: the artifact, and behind it who it is.
//!
//! ```text
//! | artifact | magic 8 | version 4 | zero 4 | key 32 | artifact length 8 | artifact SHA-256 32 | compile time in ms 8 |
//! ```
//!
//! A run reads these last 96 bytes and maps the rest. They tell an entry under another's name, one that
//! is cut short and one that was never finished from the right one; the artifact's own header is for
//! the loader to check, and its code for `verify`.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt as _;
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::Key;
use crate::error::Damage;
use crate::packed::{Header, array, unreadable};

const MAGIC: &[u8; 8] = b"precast\x02";
const VERSION: u32 = 1;
const LEN: usize = 96;

/// What stands behind the artifact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Trailer {
    pub(crate) key: Key,
    /// The length of the artifact, in bytes.
    pub(crate) artifact_len: u64,
    pub(crate) artifact_sha256: [u8; 32],
    pub(crate) compile_time: Duration,
}

impl Trailer {
    pub(crate) fn of(header: &Header) -> Trailer {
        let Header { key, artifact_len, artifact_sha256, metadata } = header;
        Trailer {
            key: *key,
            artifact_len: *artifact_len,
            artifact_sha256: *artifact_sha256,
            compile_time: metadata.compile_time,
        }
    }

    /// Writes it behind the artifact.
    pub(crate) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let Trailer { key, artifact_len, artifact_sha256, compile_time } = self;
        let mut bytes = Vec::with_capacity(LEN);
        bytes.extend(MAGIC);
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend([0; 4]);
        bytes.extend(key.0);
        bytes.extend(artifact_len.to_le_bytes());
        bytes.extend(artifact_sha256);
        bytes.extend((compile_time.as_millis() as u64).to_le_bytes());
        out.write_all(&bytes)
    }

    /// Reads what stands at the end of a file of that length, which must be the entry `key`.
    pub(crate) fn read(file: &File, file_len: u64, key: &Key) -> Result<Trailer, Damage> {
        let expected_len = file_len.checked_sub(LEN as u64).ok_or(Damage::Truncated)?;
        let mut bytes = [0; LEN];
        file.read_exact_at(&mut bytes, expected_len).map_err(unreadable)?;
        if bytes[..8] != *MAGIC || bytes[12..16] != [0; 4] {
            return Err(Damage::Magic);
        }
        let version = u32::from_le_bytes(array(&bytes, 8));
        if version != VERSION {
            return Err(Damage::Version(version));
        }
        let trailer = Trailer {
            key: Key(array(&bytes, 16)),
            artifact_len: u64::from_le_bytes(array(&bytes, 48)),
            artifact_sha256: array(&bytes, 56),
            compile_time: Duration::from_millis(u64::from_le_bytes(array(&bytes, 88))),
        };
        if trailer.key != *key {
            return Err(Damage::OtherKey(trailer.key));
        }
        match trailer.artifact_len == expected_len {
            true => Ok(trailer),
            false => Err(Damage::Truncated),
        }
    }

    /// Compares the whole artifact with its digest.
    pub(crate) fn verify(&self, file: &File) -> Result<(), Damage> {
        let mut sha = Sha256::new();
        let mut buffer = vec![0; 256 << 10];
        let mut position = 0;
        while position < self.artifact_len {
            let left = usize::try_from(self.artifact_len - position).unwrap_or(usize::MAX);
            let chunk = left.min(buffer.len());
            let chunk = &mut buffer[..chunk];
            file.read_exact_at(chunk, position).map_err(unreadable)?;
            sha.update(&*chunk);
            position += chunk.len() as u64;
        }
        match sha.finalize()[..] == self.artifact_sha256 {
            true => Ok(()),
            false => Err(Damage::Artifact),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::root::nameless_file;

    const TRAILER: Trailer = Trailer {
        key: Key([1; 32]),
        artifact_len: 8,
        artifact_sha256: [0; 32],
        compile_time: Duration::from_millis(77),
    };

    fn file(content: &[u8]) -> File {
        let mut file = nameless_file().unwrap();
        file.write_all(content).unwrap();
        file
    }

    fn content() -> Vec<u8> {
        let mut content = b"artifact".to_vec();
        let trailer = Trailer { artifact_sha256: Sha256::digest(&content).into(), ..TRAILER };
        trailer.write(&mut content).unwrap();
        content
    }

    fn read(content: &[u8], key: &Key) -> Result<Trailer, Damage> {
        Trailer::read(&file(content), content.len() as u64, key)
    }

    #[test]
    fn trailers_round_trip_and_damage_has_a_name() {
        let content = content();
        let trailer = read(&content, &TRAILER.key).unwrap();
        assert_eq!(Trailer { artifact_sha256: [0; 32], ..trailer }, TRAILER);
        assert_eq!(read(&content, &Key([2; 32])), Err(Damage::OtherKey(TRAILER.key)));
        assert_eq!(read(&content[1..], &TRAILER.key), Err(Damage::Truncated));
        assert_eq!(read(&content[..99], &TRAILER.key), Err(Damage::Magic));
        assert_eq!(read(&[], &TRAILER.key), Err(Damage::Truncated));
        assert_eq!(read(&[0; 200], &TRAILER.key), Err(Damage::Magic));
    }

    #[test]
    fn a_flipped_byte_anywhere_is_found_by_verify() {
        for position in 0..content().len() - 8 {
            let mut content = content();
            content[position] ^= 1;
            let found = read(&content, &TRAILER.key);
            let found = found.and_then(|trailer| trailer.verify(&file(&content)));
            assert!(found.is_err(), "byte {position}");
        }
    }
}
