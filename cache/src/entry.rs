//! What a look-up answers.

use std::fmt;
use std::fs::File;
use std::path::PathBuf;
use std::time::Duration;

use crate::{Damage, Key, Origin};

/// In which form an entry lies in the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tier {
    /// Uncompressed, to be mapped.
    Hot,
    /// Compressed.
    Packed,
}

/// The answer to a look-up.
#[derive(Debug)]
pub enum Outcome {
    /// The artifact is there.
    Hit(Entry),
    /// It is not.
    Miss(Miss),
}

/// Why there is no artifact.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Miss {
    /// The cache is off.
    #[error("the cache is off")]
    Off,
    /// It was never there, or is no longer.
    #[error("it is not in the cache")]
    Absent,
    /// It was there, but damaged.
    #[error("it was damaged in the cache: {0}")]
    Damaged(Damage),
}

/// An artifact of the cache, open to be mapped. It stays usable whatever happens to the cache.
///
/// The artifact begins at the file's begin and is [`Entry::len`] bytes long; the file may go on
/// after it. Whether its header is one that this machine and engine can use is the caller's to
/// check: if it is not, [`Cache::reject`](crate::Cache::reject) takes the entry out of the way.
#[derive(Debug)]
pub struct Entry {
    pub(crate) key: Key,
    pub(crate) tier: Tier,
    pub(crate) origin: Origin,
    pub(crate) file: File,
    pub(crate) len: u64,
    pub(crate) path: PathBuf,
    pub(crate) compile_time: Duration,
}

impl Outcome {
    /// The entry, if there is one.
    pub fn hit(self) -> Option<Entry> {
        match self {
            Outcome::Hit(entry) => Some(entry),
            Outcome::Miss(_) => None,
        }
    }
}

impl Entry {
    /// The key by which it was found.
    pub fn key(&self) -> Key {
        self.key
    }

    /// In which form it was found. A packed one has been checked completely.
    pub fn tier(&self) -> Tier {
        self.tier
    }

    /// Whose it is.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// The file that begins with the artifact.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// The length of the artifact, in bytes.
    #[allow(clippy::len_without_is_empty)] // There is no empty artifact.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Where it was found, for messages. It may no longer be there.
    pub fn path(&self) -> &std::path::Path {
        &self.path
    }

    /// How long it took to compile: what this hit saves.
    pub fn compile_time(&self) -> Duration {
        self.compile_time
    }

    /// The open file, without the rest.
    pub fn into_file(self) -> File {
        self.file
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.folder())
    }
}
