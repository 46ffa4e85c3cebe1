//! A pack: compiled functions in one file.
//!
//! ```text
//! | records, each a zstd frame | index | metadata | magic 8 | version 4 | metadata length 4 |
//! | number of records 8 | recipe 32 | SHA-256 of all from the index on 32 |
//! index, ascending by key: | key 32 | where the record begins 8 | its length 4 |
//! | its length decompressed 4 | the first 16 bytes of its SHA-256 |
//! ```
//!
//! The name of the file is the SHA-256 at its end. Whoever opens it reads what is behind the records; each
//! record is compared with its own digest when it is read.

use std::fs::File;
use std::io::{self, Write};
use std::ops::Deref;
use std::os::unix::fs::FileExt as _;

use sha2::{Digest, Sha256};

use crate::error::Damage;
use crate::key::{self, Part};
use crate::packed::{array, unreadable};
use crate::root::Root;
use crate::temporary::Temporary;

const MAGIC: &[u8; 8] = b"precast\x04";
const VERSION: u32 = 1;
/// Bytes of the index per record.
const ENTRY: usize = 64;
/// Bytes behind the metadata.
const TRAILER: usize = 88;
/// Where the digest stands in these.
const DIGEST_AT: usize = 56;
/// The most bytes of metadata.
const METADATA_LIMIT: usize = 1 << 20;
/// How much is written at once.
const BUFFER: usize = 1 << 20;

/// A pack that is open and whose index is sound.
pub(super) struct Pack {
    file: File,
    index: Vec<u8>,
    /// The parts of the keys of what was compiled in the same way.
    pub(super) parts: Vec<Part>,
    pub(super) recipe: [u8; 32],
    /// The digest by which it is named.
    pub(super) digest: [u8; 32],
}

/// Where a record is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    pub(super) key: [u8; 32],
    start: u64,
    len: u32,
    /// Its length when it is decompressed, in bytes.
    pub(super) content_len: u32,
    checksum: [u8; 16],
}

impl Pack {
    /// Opens a pack of that length.
    pub(super) fn open(file: File, file_len: u64) -> Result<Pack, Damage> {
        let trailer_at = file_len.checked_sub(TRAILER as u64).ok_or(Damage::Truncated)?;
        let mut trailer = [0; TRAILER];
        file.read_exact_at(&mut trailer, trailer_at).map_err(unreadable)?;
        if trailer[..8] != *MAGIC {
            return Err(Damage::Magic);
        }
        let version = u32::from_le_bytes(array(&trailer, 8));
        if version != VERSION {
            return Err(Damage::Version(version));
        }
        let metadata_len = u32::from_le_bytes(array(&trailer, 12)) as usize;
        let count = u64::from_le_bytes(array(&trailer, 16));
        let index_len = count.checked_mul(ENTRY as u64).ok_or(Damage::Header)?;
        let start = index_len
            .checked_add(metadata_len as u64)
            .and_then(|len| trailer_at.checked_sub(len))
            .filter(|_| metadata_len <= METADATA_LIMIT)
            .ok_or(Damage::Header)?;
        let mut index = vec![0; (trailer_at - start) as usize];
        file.read_exact_at(&mut index, start).map_err(unreadable)?;
        let digest = Sha256::new().chain_update(&index).chain_update(&trailer[..DIGEST_AT]);
        let digest: [u8; 32] = digest.finalize().into();
        if digest[..] != trailer[DIGEST_AT..] {
            return Err(Damage::Header);
        }
        let mut metadata = &index[index_len as usize..];
        let parts = key::decode(&mut metadata).filter(|_| metadata.is_empty());
        let parts = parts.ok_or(Damage::Header)?;
        index.truncate(index_len as usize);
        Ok(Pack { file, index, parts, recipe: array(&trailer, 24), digest })
    }

    /// How many records there are.
    pub(super) fn len(&self) -> usize {
        self.index.len() / ENTRY
    }

    /// All records, in the order of their keys.
    pub(super) fn slots(&self) -> impl Iterator<Item = Slot> {
        self.index.chunks_exact(ENTRY).map(Slot::read)
    }

    /// The record with this key.
    pub(super) fn find(&self, key: &[u8; 32]) -> Option<Slot> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            let entry = &self.index[middle * ENTRY..][..ENTRY];
            match entry[..32].cmp(key) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return Some(Slot::read(entry)),
            }
        }
        None
    }

    /// Reads a record as it lies there, into `frame`.
    pub(super) fn read(&self, slot: &Slot, frame: &mut Vec<u8>) -> Result<(), Damage> {
        frame.resize(slot.len as usize, 0);
        self.file.read_exact_at(frame, slot.start).map_err(unreadable)?;
        match checksum(frame) == slot.checksum {
            true => Ok(()),
            false => Err(Damage::Artifact),
        }
    }
}

impl Slot {
    fn read(entry: &[u8]) -> Slot {
        Slot {
            key: array(entry, 0),
            start: u64::from_le_bytes(array(entry, 32)),
            len: u32::from_le_bytes(array(entry, 40)),
            content_len: u32::from_le_bytes(array(entry, 44)),
            checksum: array(entry, 48),
        }
    }

    fn write(&self, index: &mut Vec<u8>) {
        let Slot { key, start, len, content_len, checksum } = self;
        index.extend(key);
        index.extend(start.to_le_bytes());
        index.extend(len.to_le_bytes());
        index.extend(content_len.to_le_bytes());
        index.extend(checksum);
    }
}

fn checksum(frame: &[u8]) -> [u8; 16] {
    array(&Sha256::digest(frame), 0)
}

/// A pack that is being written.
pub(super) struct PackWriter<R: Deref<Target = Root>> {
    temporary: Temporary<R>,
    buffer: Vec<u8>,
    /// How many bytes of records there are.
    pub(super) records_len: u64,
    slots: Vec<Slot>,
}

impl<R: Deref<Target = Root>> PackWriter<R> {
    /// An empty one.
    pub(super) fn new(root: R) -> io::Result<Self> {
        let temporary = Temporary::create(root)?;
        Ok(PackWriter { temporary, buffer: Vec::new(), records_len: 0, slots: Vec::new() })
    }

    /// Adds a record, compressed to `frame`.
    pub(super) fn add(&mut self, key: &[u8; 32], frame: &[u8], content_len: u32) -> io::Result<()> {
        let (start, len) = (self.records_len, frame.len() as u32);
        self.slots.push(Slot { key: *key, start, len, content_len, checksum: checksum(frame) });
        self.buffer.extend(frame);
        self.records_len += frame.len() as u64;
        if self.buffer.len() >= BUFFER {
            self.temporary.file().write_all(&self.buffer)?;
            self.buffer.clear();
        }
        Ok(())
    }

    /// Writes what is behind the records, and returns the file and the digest to name it by.
    pub(super) fn finish(
        mut self,
        recipe: &[u8; 32],
        parts: &[Part],
    ) -> io::Result<(Temporary<R>, [u8; 32])> {
        self.slots.sort_by_key(|slot| slot.key);
        // Two threads may have compiled the same.
        self.slots.dedup_by_key(|slot| slot.key);
        let mut end = Vec::with_capacity(self.slots.len() * ENTRY + (4 << 10));
        self.slots.iter().for_each(|slot| slot.write(&mut end));
        let metadata = key::encode(parts);
        end.extend(&metadata);
        end.extend(MAGIC);
        end.extend(VERSION.to_le_bytes());
        end.extend((metadata.len() as u32).to_le_bytes());
        end.extend((self.slots.len() as u64).to_le_bytes());
        end.extend(recipe);
        let digest: [u8; 32] = Sha256::digest(&end).into();
        end.extend(digest);
        let file = self.temporary.file();
        file.write_all(&self.buffer)?;
        file.write_all(&end)?;
        Ok((self.temporary, digest))
    }
}
