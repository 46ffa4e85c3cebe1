//! What can go wrong, apart by what somebody can do about it.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::{Key, Tier};

/// A command of the cache cannot do its work. Runs never see this: for them the cache is never
/// in the way, and says so by a [`Warning`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CacheError {
    /// There is no cache: it is off, or has no directory.
    #[error("the cache is off")]
    Off,
    /// The settings say that nothing is written.
    #[error("the cache is read-only")]
    ReadOnly,
    /// The directory is not safe to use, or cannot be used.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The system refuses.
    #[error("cannot {doing}")]
    System {
        /// What was to be done.
        doing: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// No entry has a key that begins so.
    #[error("no entry has a key that begins with `{0}`")]
    NoSuchEntry(String),
    /// Several entries have a key that begins so.
    #[error("{count} entries have keys that begin with `{prefix}`")]
    Ambiguous {
        /// The begin.
        prefix: String,
        /// How many there are.
        count: usize,
    },
}

/// Why a directory is not used as a cache.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Somebody else's: its code would run with the rights of whoever uses it.
    #[error("{} belongs to user {owner}, not to user {user} or root", path.display())]
    Owner {
        /// The directory.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Who this process runs for.
        user: u32,
    },
    /// Others can write into it.
    #[error("{} can be written by others (mode {mode:03o})", path.display())]
    Writable {
        /// The directory.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It cannot be opened or made.
    #[error("{} cannot be used: {source}", path.display())]
    System {
        /// The directory.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// What is wrong with a file of the cache.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Damage {
    /// It is shorter than its own description.
    #[error("it is cut short")]
    Truncated,
    /// It goes on after its end.
    #[error("it is longer than it should be")]
    TooLong,
    /// It is not a file of the cache.
    #[error("it does not begin or end as such a file does")]
    Magic,
    /// It is from another version.
    #[error("it has version {0} of the format")]
    Version(u32),
    /// It is another entry under this one's name.
    #[error("it is the entry {0}")]
    OtherKey(Key),
    /// Its header does not match its digest.
    #[error("its header does not match its digest")]
    Header,
    /// The parts of the key that it lists make another key.
    #[error("the parts of its key do not make its key")]
    Parts,
    /// It cannot be decompressed.
    #[error("it cannot be decompressed: {0}")]
    Frame(String),
    /// The artifact does not match its digest.
    #[error("the artifact does not match its digest")]
    Artifact,
    /// Others can write it, or it is somebody else's.
    #[error("others could have written it")]
    Foreign,
    /// Whoever was to use it says so.
    #[error("it was rejected: {0}")]
    Rejected(String),
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Unreadable(String),
}

/// Something that went wrong without being in the way. Each kind is said once.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Warning {
    /// A directory is not used.
    #[error("the cache is not used: {0}")]
    Refused(Refusal),
    /// An artifact could not be kept.
    #[error("the compiled module is not kept: {0}")]
    NotKept(io::Error),
    /// An artifact could not be laid out for later runs.
    #[error("the compiled module is not kept uncompressed: {0}")]
    NotPromoted(io::Error),
    /// There is too little disk space to keep artifacts.
    #[error("the compiled module is not kept: the disk has only {free} bytes left")]
    DiskFull {
        /// What is free, in bytes.
        free: u64,
    },
    /// An entry was damaged. It counts as not there.
    #[error("the cache entry {key} ({tier}) is damaged: {damage}")]
    Damaged {
        /// The entry.
        key: Key,
        /// In which form it is damaged.
        tier: Tier,
        /// What is wrong with it.
        damage: Damage,
    },
    /// Compiled functions could not be kept.
    #[error("the compiled functions are not kept: {0}")]
    FunctionsNotKept(io::Error),
    /// A file with compiled functions was damaged. They count as not there.
    #[error("the compiled functions in {} are damaged: {damage}", path.display())]
    DamagedFunctions {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        damage: Damage,
    },
    /// Another process did not finish compiling the same module.
    #[error("another process holds the compilation of this module for more than {0:?}")]
    LockTimeout(Duration),
    /// The file system has no locks, so modules may be compiled more than once.
    #[error("the cache cannot be locked: {0}")]
    NoLocks(io::Error),
}

impl CacheError {
    pub(crate) fn system(doing: &'static str) -> impl Fn(io::Error) -> CacheError {
        move |source| CacheError::System { doing, source }
    }
}
