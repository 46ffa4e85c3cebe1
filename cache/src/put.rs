//! Adding entries, and compiling each module once.

use std::io::Write as _;
use std::ops::ControlFlow;
use std::time::{Duration, Instant, SystemTime};

use precast_config::{CacheMode, Promotion};

use crate::error::Warning;
use crate::hot::Trailer;
use crate::lock::Holder;
use crate::lookup::KeyLock;
use crate::packed::{self, Header, Metadata};
use crate::root::Root;
use crate::temporary::{Durability, Temporary};
use crate::{Cache, Entry, KeyParts, Miss, Origin, Outcome, Tier};

/// An artifact to be added.
#[derive(Clone, Copy, Debug)]
pub struct Addition<'a> {
    /// The artifact.
    pub artifact: &'a [u8],
    /// The name of the module's file, or what else tells people what it is.
    pub source: &'a str,
    /// How long it took to compile.
    pub compile_time: Duration,
}

/// What became of an addition.
#[derive(Debug)]
pub enum Stored {
    /// It is kept, and ready to be mapped.
    Hot(Entry),
    /// It is kept, compressed.
    Packed,
    /// It is not kept; [`Cache::take_warnings`] says why, unless the settings do.
    Not,
}

/// Where a module's code comes from.
#[derive(Debug)]
pub enum Served {
    /// It was in the cache.
    Cached(Entry),
    /// It has just been compiled.
    Compiled {
        /// The artifact.
        artifact: Vec<u8>,
        /// What became of it in the cache.
        stored: Stored,
    },
}

/// There is no code.
#[derive(Debug, thiserror::Error)]
pub enum Unserved<E> {
    /// It is not in the cache, and the settings require that it is.
    #[error("the settings require that the module is in the cache: {0}")]
    Required(Miss),
    /// It cannot be compiled.
    #[error("{0}")]
    Compile(E),
}

impl Cache {
    /// Adds an artifact, in place of one with the same key. Entries appear with their whole
    /// content or not at all, whenever the process or the system ends.
    ///
    /// An entry may be lost with the power; none is damaged by that.
    pub fn put(&self, parts: &KeyParts, addition: &Addition<'_>) -> Stored {
        let Some(root) = self.create_layer() else { return Stored::Not };
        let Addition { artifact, source, compile_time } = *addition;
        if !self.makes_room(&root, artifact.len() as u64) {
            return Stored::Not;
        }
        let created = SystemTime::now();
        let metadata =
            Metadata { source: source.to_owned(), compile_time, created, parts: parts.clone() };
        let header = Header::new(artifact, metadata);
        if let Err(error) = self.put_packed(&root, &header, artifact) {
            self.warn(Warning::NotKept(error));
            return Stored::Not;
        }
        self.tally.put(artifact.len() as u64);
        self.grow();
        let at_once = self.settings.promotion == Promotion::Put;
        if !at_once || !self.has_room(&root, artifact.len() as u64) {
            return Stored::Packed;
        }
        match self.put_hot(&root, &header, artifact) {
            Ok(entry) => Stored::Hot(entry),
            Err(error) => {
                self.warn(Warning::NotPromoted(error));
                Stored::Packed
            }
        }
    }

    /// Looks a module up, and compiles it if it is not there: once, however many processes want
    /// it at the same time. The others wait; `on_wait` is told for whom, again and again, and says
    /// whether to go on waiting. Who does not compiles too.
    ///
    /// A compiler that fails is run by each of them, and a holder that takes longer than the
    /// settings allow is no longer waited for.
    ///
    /// # Errors
    ///
    /// What the compiler says, or that the settings do not allow to compile.
    pub fn compile_once<E>(
        &self,
        parts: &KeyParts,
        source: &str,
        on_wait: impl FnMut(&Holder) -> ControlFlow<()>,
        compile: impl FnOnce() -> Result<Vec<u8>, E>,
    ) -> Result<Served, Unserved<E>> {
        let key = parts.key();
        let served = |entry: Entry| {
            self.tally.hit(&entry);
            Ok(Served::Cached(entry))
        };
        let miss = match self.find(&key, KeyLock::Free) {
            Outcome::Hit(entry) => return served(entry),
            Outcome::Miss(miss) => miss,
        };
        if self.mode() == CacheMode::Require {
            self.tally.miss();
            return Err(Unserved::Required(miss));
        }
        let root = self.create_layer();
        let description = format!("compiles {source}");
        let lock = root.as_ref().and_then(|root| self.lock_key(root, &key, &description, on_wait));
        if lock.is_some()
            && let Outcome::Hit(entry) = self.find(&key, KeyLock::Held)
        {
            // Another process has compiled it in the meantime.
            return served(entry);
        }
        self.tally.miss();
        let begin = Instant::now();
        let artifact = compile().map_err(Unserved::Compile)?;
        let compile_time = begin.elapsed();
        let addition = Addition { artifact: &artifact, source, compile_time };
        let stored = self.put(parts, &addition);
        Ok(Served::Compiled { artifact, stored })
    }

    /// Whether there is disk space for an artifact, perhaps after making some.
    fn makes_room(&self, root: &Root, len: u64) -> bool {
        let needed = self.settings.min_free.saturating_add(len);
        let free = || root.free_space().unwrap_or(u64::MAX);
        if free() >= needed {
            return true;
        }
        // What cannot be tidied up shows in the space that is left.
        let _ = self.free_up(needed);
        let free = free();
        if free < needed {
            self.warn(Warning::DiskFull { free });
        }
        free >= needed
    }

    fn put_packed(&self, root: &Root, header: &Header, artifact: &[u8]) -> std::io::Result<()> {
        let mut temporary = Temporary::create(root)?;
        packed::write(temporary.file(), header, artifact, self.settings.level)?;
        temporary.publish(&Tier::Packed.file(&header.key), Durability::Synced)?;
        self.trust_again(Tier::Packed, &header.key);
        Ok(())
    }

    fn put_hot(&self, root: &Root, header: &Header, artifact: &[u8]) -> std::io::Result<Entry> {
        let mut temporary = Temporary::create(root)?;
        temporary.file().write_all(artifact)?;
        Trailer::of(header).write(temporary.file())?;
        let name = Tier::Hot.file(&header.key);
        let file = temporary.publish(&name, Durability::Synced)?;
        self.trust_again(Tier::Hot, &header.key);
        Ok(Entry {
            key: header.key,
            tier: Tier::Hot,
            origin: Origin::User,
            file,
            len: header.artifact_len,
            path: root.path_of(&name),
            compile_time: header.metadata.compile_time,
        })
    }
}
