//! Files on their way into the cache.
//!
//! A temporary file is locked by whoever writes it. The lock goes with its holder, so a file that can
//! be locked has lost its writer and can be removed, whatever the clocks say and in whichever
//! container the writer ran.

use std::fs::{File, TryLockError};
use std::io;
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::layer::TMP;
use crate::root::{Facts, Root, Time};

/// Where the file system has no locks: how old a file is that nobody writes any more.
const ABANDONED: Duration = Duration::from_secs(24 * 60 * 60);

/// How hard to make sure that a file is on the disk before it gets its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Durability {
    /// After a crash it is there with its content, or it is not there.
    Synced,
    /// After a crash it may be there with any content, which its readers notice.
    Lazy,
}

/// A file that nobody else sees yet. Removed when it is dropped without being published.
pub(crate) struct Temporary<R: Deref<Target = Root>> {
    root: R,
    name: Option<String>,
    file: File,
}

impl<R: Deref<Target = Root>> Temporary<R> {
    pub(crate) fn create(root: R) -> io::Result<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        loop {
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let name = format!("{TMP}/{}-{:x}-{count}", std::process::id(), Time::now().0);
            let file = match root.create_new(&name) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                file => file?,
            };
            // Between the two calls somebody may have taken it for an abandoned one.
            match file.try_lock() {
                Err(TryLockError::WouldBlock) => continue,
                Ok(()) if Facts::of(&file)?.links == 0 => continue,
                // Without locks, age decides.
                Ok(()) | Err(TryLockError::Error(_)) => {
                    return Ok(Temporary { root, name: Some(name), file });
                }
            }
        }
    }

    pub(crate) fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Gives the file its name in the cache, and opens it to be read.
    pub(crate) fn publish(mut self, to: &str, durability: Durability) -> io::Result<File> {
        if durability == Durability::Synced {
            self.file.sync_data()?;
        }
        let Some(name) = &self.name else { return Err(io::ErrorKind::NotFound.into()) };
        // Opened by the name that only this process uses: afterwards another process may have
        // published the same entry.
        let reader = self.root.read(name)?;
        self.root.rename(name, to)?;
        self.name = None;
        Ok(reader)
    }
}

impl<R: Deref<Target = Root>> Drop for Temporary<R> {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            let _ = self.root.unlink(name);
        }
    }
}

/// Temporary files that lost their writers.
pub(crate) fn abandoned(root: &Root) -> io::Result<Vec<Abandoned>> {
    let names = root.list(TMP)?.into_iter().map(|name| format!("{TMP}/{name}"));
    Ok(names.filter_map(|name| Abandoned::check(root, name)).collect())
}

/// A temporary file without a writer, locked so that it stays so.
pub(crate) struct Abandoned {
    pub(crate) name: String,
    pub(crate) facts: Facts,
    _lock: File,
}

impl Abandoned {
    fn check(root: &Root, name: String) -> Option<Abandoned> {
        let file = root.write(&name).ok()?;
        let facts = Facts::of(&file).ok()?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return None,
            Err(TryLockError::Error(_)) => {
                facts.modified.age().filter(|age| *age > ABANDONED)?;
            }
        }
        Some(Abandoned { name, facts, _lock: file })
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;
    use crate::layer::Layer;

    #[test]
    fn files_are_published_or_vanish() {
        let directory = tempfile::tempdir().unwrap();
        let root = Layer::below(directory.path()).create().unwrap();
        let mut temporary = Temporary::create(&root).unwrap();
        temporary.file().write_all(b"content").unwrap();
        let mut file = temporary.publish("hot/ab/name", Durability::Synced).unwrap();
        let mut content = String::new();
        file.read_to_string(&mut content).unwrap();
        assert_eq!(content, "content");
        assert!(file.write_all(b"x").is_err());
        drop(Temporary::create(&root).unwrap());
        assert!(root.list(TMP).unwrap().is_empty());
        assert_eq!(root.list("hot/ab").unwrap(), ["name"]);
    }

    #[test]
    fn only_files_without_a_writer_are_abandoned() {
        let directory = tempfile::tempdir().unwrap();
        let root = Layer::below(directory.path()).create().unwrap();
        let _alive = Temporary::create(&root).unwrap();
        root.create_new("tmp/dead").unwrap();
        let names: Vec<String> =
            abandoned(&root).unwrap().into_iter().map(|file| file.name).collect();
        assert_eq!(names, ["tmp/dead"]);
    }
}
