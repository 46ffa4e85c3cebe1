//! Finding entries, and laying packed ones out to be mapped.

use std::fs::File;
use std::ops::ControlFlow;
use std::time::Duration;

use crate::error::{Damage, Warning};
use crate::hot::Trailer;
use crate::layer::QUARANTINE;
use crate::lock::{Lock, NoLock};
use crate::packed::{self, Packed, UnpackError};
use crate::root::{self, Facts, Root, Time};
use crate::temporary::{Durability, Temporary};
use crate::{Cache, Entry, Key, Miss, Origin, Outcome, Tier};

/// How exact the time of the last use is.
const TOUCH_INTERVAL: Duration = Duration::from_secs(60 * 60);

/// Whether the caller holds the lock of the key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyLock {
    Held,
    Free,
}

impl Cache {
    /// Looks an entry up. One that is ready to be mapped costs five system calls and reads 96
    /// bytes; a packed one is decompressed, checked and laid out for the next time.
    pub fn get(&self, key: &Key) -> Outcome {
        let outcome = self.find(key, KeyLock::Free);
        self.tally.count(&outcome);
        outcome
    }

    /// Takes an entry out of the way that does not load, or is not what its key promises; the
    /// next look-up finds another copy of it or none. After a hot one that is the packed form,
    /// after that a miss.
    pub fn reject(&self, entry: Entry, reason: impl Into<String>) {
        let damage = Damage::Rejected(reason.into());
        let Entry { key, tier, origin, file, .. } = entry;
        if tier == Tier::Packed
            && let Some(root) = self.open_layer(Origin::User)
            && let Ok(Some(named)) = root.stat(&Tier::Hot.file(&key))
            && Facts::of(&file).is_ok_and(|facts| facts.is_same_file(&named))
        {
            self.discard(&root, Origin::User, Tier::Hot, &key);
        }
        let Some(root) = self.open_layer(origin) else { return };
        if tier == Tier::Hot {
            // Somebody else may have replaced it in the meantime.
            let named = root.stat(&tier.file(&key)).ok().flatten();
            let same =
                |named: Facts| Facts::of(&file).is_ok_and(|facts| facts.is_same_file(&named));
            if !named.is_some_and(same) {
                return;
            }
        }
        self.discard(&root, origin, tier, &key);
        self.tally.damaged();
        self.warn(Warning::Damaged { key, tier, damage });
    }

    pub(crate) fn find(&self, key: &Key, lock: KeyLock) -> Outcome {
        if self.mode() == precast_config::CacheMode::Off {
            return Outcome::Miss(Miss::Off);
        }
        let mut miss = Miss::Absent;
        let mut roots = Vec::new();
        for origin in [Origin::User, Origin::System] {
            let Some(root) = self.open_layer(origin) else { continue };
            match self.find_hot(&root, origin, key) {
                Ok(Some(entry)) => return Outcome::Hit(entry),
                Ok(None) => {}
                Err(damage) => miss = self.damaged(&root, origin, Tier::Hot, key, damage),
            }
            roots.push((origin, root));
        }
        for (origin, root) in &roots {
            match self.find_packed(root, *origin, key, lock) {
                Ok(Some(entry)) => return Outcome::Hit(entry),
                Ok(None) => {}
                Err(damage) => miss = self.damaged(root, *origin, Tier::Packed, key, damage),
            }
        }
        Outcome::Miss(miss)
    }

    fn find_hot(&self, root: &Root, origin: Origin, key: &Key) -> Result<Option<Entry>, Damage> {
        let Some((file, facts)) = self.open_file(root, origin, Tier::Hot, key)? else {
            return Ok(None);
        };
        let trailer = Trailer::read(&file, facts.len, key)?;
        self.used(root, origin, key, &facts);
        Ok(Some(entry(root, origin, Tier::Hot, &trailer, file)))
    }

    fn find_packed(
        &self,
        root: &Root,
        origin: Origin,
        key: &Key,
        lock: KeyLock,
    ) -> Result<Option<Entry>, Damage> {
        let Some((file, _)) = self.open_file(root, origin, Tier::Packed, key)? else {
            return Ok(None);
        };
        let packed = Packed::open_as(key, file)?;
        if let Some(user) = self.create_layer()
            && self.has_room(&user, packed.header.artifact_len)
        {
            let _lock = match lock {
                KeyLock::Held => None,
                KeyLock::Free => {
                    let lock = self
                        .lock_key(&user, key, "unpacks a module", |_| ControlFlow::Continue(()));
                    // Who waited here waited for somebody who did the same.
                    if !self.is_distrusted(Origin::User, Tier::Hot, key)
                        && let Ok(Some(entry)) = self.find_hot(&user, Origin::User, key)
                    {
                        return Ok(Some(entry));
                    }
                    lock
                }
            };
            match promote(&user, packed) {
                Ok((trailer, file)) => {
                    self.trust_again(Tier::Hot, key);
                    self.grow();
                    return Ok(Some(entry(root, origin, Tier::Packed, &trailer, file)));
                }
                Err(UnpackError::Damage(damage)) => return Err(damage),
                Err(UnpackError::Write(error)) => self.warn(Warning::NotPromoted(error)),
            }
        }
        // The entry is good, there is only no place for it.
        let Some((file, _)) = self.open_file(root, origin, Tier::Packed, key)? else {
            return Ok(None);
        };
        let packed = Packed::open_as(key, file)?;
        match unpack_nameless(packed) {
            Ok((trailer, file)) => Ok(Some(entry(root, origin, Tier::Packed, &trailer, file))),
            Err(UnpackError::Damage(damage)) => Err(damage),
            Err(UnpackError::Write(error)) => {
                self.warn(Warning::NotPromoted(error));
                Ok(None)
            }
        }
    }

    fn open_file(
        &self,
        root: &Root,
        origin: Origin,
        tier: Tier,
        key: &Key,
    ) -> Result<Option<(File, Facts)>, Damage> {
        if self.is_distrusted(origin, tier, key) {
            return Ok(None);
        }
        // Too many open files and the like say nothing about the entry: it stays, unused.
        let file = match root.read(&tier.file(key)) {
            Ok(file) => file,
            Err(error) if root::is_link(&error) => return Err(packed::unreadable(error)),
            Err(_) => return Ok(None),
        };
        let Ok(facts) = Facts::of(&file) else { return Ok(None) };
        match facts.is_foreign(root::user()) {
            true => Err(Damage::Foreign),
            false => Ok(Some((file, facts))),
        }
    }

    /// Notes that an entry is used, if that is not known well enough.
    fn used(&self, root: &Root, origin: Origin, key: &Key, facts: &Facts) {
        if origin != Origin::User || !self.is_writable() || !is_due(facts) {
            return;
        }
        // Both, so that what is demoted keeps its place in the order. No harm in failing.
        for tier in Tier::ALL {
            let _ = root.touch(&tier.file(key), Time::now());
        }
    }

    /// Whether an uncompressed artifact may be added.
    pub(crate) fn has_room(&self, root: &Root, len: u64) -> bool {
        len <= self.settings.hot_budget
            && root
                .free_space()
                .is_ok_and(|free| free >= self.settings.min_free.saturating_add(len))
    }

    /// The lock of a key; none when it cannot be had, which costs double work at worst.
    pub(crate) fn lock_key<'r>(
        &self,
        root: &'r Root,
        key: &Key,
        description: &str,
        on_wait: impl FnMut(&crate::Holder) -> ControlFlow<()>,
    ) -> Option<Lock<'r>> {
        let timeout = self.settings.lock_timeout;
        match Lock::acquire(root, &key.to_string(), description, timeout, on_wait) {
            Ok(lock) => Some(lock),
            Err(NoLock::GivenUp) => None,
            Err(NoLock::Timeout) => {
                self.warn(Warning::LockTimeout(timeout));
                None
            }
            Err(NoLock::System(error)) => {
                self.warn(Warning::NoLocks(error));
                None
            }
        }
    }

    fn damaged(&self, root: &Root, origin: Origin, tier: Tier, key: &Key, damage: Damage) -> Miss {
        self.discard(root, origin, tier, key);
        self.tally.damaged();
        self.warn(Warning::Damaged { key: *key, tier, damage: damage.clone() });
        Miss::Damaged(damage)
    }

    /// Moves a file to where nobody finds it, or at least does not look at it again.
    fn discard(&self, root: &Root, origin: Origin, tier: Tier, key: &Key) {
        let moved = origin == Origin::User && self.is_writable() && quarantine(root, tier, key);
        if !moved {
            self.distrust(origin, tier, key);
        }
    }
}

/// Whether the time of a file says too little about its last use: it is old, or in the future.
pub(crate) fn is_due(facts: &Facts) -> bool {
    facts.modified.age().is_none_or(|age| age > TOUCH_INTERVAL)
}

/// Moves a file of an entry out of the way, for somebody to look at.
pub(crate) fn quarantine(root: &Root, tier: Tier, key: &Key) -> bool {
    let name = tier.file(key);
    let aside = format!("{QUARANTINE}/{key}-{tier}-{:x}", Time::now().0);
    root.rename(&name, &aside).is_ok() || root.unlink(&name).is_ok()
}

/// Lays an artifact out in the hot tier.
fn promote(root: &Root, packed: Packed<File>) -> Result<(Trailer, File), UnpackError> {
    let mut temporary = Temporary::create(root).map_err(UnpackError::Write)?;
    let header = packed.unpack(temporary.file())?;
    let trailer = Trailer::of(&header);
    trailer.write(temporary.file()).map_err(UnpackError::Write)?;
    let name = Tier::Hot.file(&header.key);
    let file = temporary.publish(&name, Durability::Synced).map_err(UnpackError::Write)?;
    Ok((trailer, file))
}

fn unpack_nameless(packed: Packed<File>) -> Result<(Trailer, File), UnpackError> {
    let mut file = root::nameless_file().map_err(UnpackError::Write)?;
    let header = packed.unpack(&mut file)?;
    Ok((Trailer::of(&header), file))
}

fn entry(root: &Root, origin: Origin, tier: Tier, trailer: &Trailer, file: File) -> Entry {
    Entry {
        key: trailer.key,
        tier,
        origin,
        file,
        len: trailer.artifact_len,
        path: root.path_of(&tier.file(&trailer.key)),
        compile_time: trailer.compile_time,
    }
}
