//! One process at a time.
//!
//! A lock is a file that its holder has locked through the system, so it goes with its holder. The
//! holder removes the file before it lets go; whoever then gets the lock of a file that has no name
//! any more has got nothing, and tries again with the file that has.

use std::fs::{File, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use crate::layer::LOCKS;
use crate::root::{Facts, Root};

/// The longest pause between two attempts.
const PAUSE: Duration = Duration::from_millis(50);

/// Who holds a lock that this process waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// What it wrote into the lock's file: its process number and what it does. Empty when it
    /// has not yet.
    pub description: String,
}

/// Why there is no lock.
#[derive(Debug)]
pub(crate) enum NoLock {
    /// Somebody else has it for too long.
    Timeout,
    /// Somebody else has it, and whoever waited does not want to any more.
    GivenUp,
    /// The system cannot lock.
    System(io::Error),
}

/// A lock that this process holds.
pub(crate) struct Lock<'r> {
    root: &'r Root,
    name: String,
    _file: File,
}

impl<'r> Lock<'r> {
    /// Waits for a lock. While somebody else holds it, `on_wait` is asked again and again whether
    /// to go on.
    pub(crate) fn acquire(
        root: &'r Root,
        name: &str,
        description: &str,
        timeout: Duration,
        mut on_wait: impl FnMut(&Holder) -> ControlFlow<()>,
    ) -> Result<Lock<'r>, NoLock> {
        let begin = Instant::now();
        let mut holder = None;
        loop {
            let file = match Lock::attempt(root, name, description)? {
                Ok(lock) => return Ok(lock),
                Err(file) => file,
            };
            if on_wait(holder.get_or_insert_with(|| Holder::of(file))).is_break() {
                return Err(NoLock::GivenUp);
            }
            // A system call that waits with a limit does not exist. Pauses grow with the wait,
            // so a short one is not made much longer and a long one costs nothing.
            let waited = begin.elapsed();
            let left = timeout.checked_sub(waited).ok_or(NoLock::Timeout)?;
            std::thread::sleep(left.min(PAUSE).min(waited / 8 + Duration::from_micros(200)));
        }
    }

    /// Takes a lock if nobody has it.
    pub(crate) fn try_acquire(
        root: &'r Root,
        name: &str,
        description: &str,
    ) -> Result<Option<Lock<'r>>, NoLock> {
        Lock::attempt(root, name, description).map(Result::ok)
    }

    /// Takes the lock, or gives its file when somebody else has it.
    fn attempt(
        root: &'r Root,
        name: &str,
        description: &str,
    ) -> Result<Result<Lock<'r>, File>, NoLock> {
        let name = format!("{LOCKS}/{name}");
        loop {
            let mut file = root.open_or_create(&name).map_err(NoLock::System)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(Err(file)),
                Err(TryLockError::Error(error)) => return Err(NoLock::System(error)),
            }
            let locked = Facts::of(&file).map_err(NoLock::System)?;
            match root.stat(&name).map_err(NoLock::System)? {
                Some(named) if named.is_same_file(&locked) => {
                    // For people; a lock without it is as good.
                    let _ = file.set_len(0);
                    let holder = format!("process {} {description}\n", std::process::id());
                    let _ = file.write_all(holder.as_bytes());
                    return Ok(Ok(Lock { root, name, _file: file }));
                }
                _ => continue,
            }
        }
    }
}

impl Drop for Lock<'_> {
    fn drop(&mut self) {
        let _ = self.root.unlink(&self.name);
    }
}

impl Holder {
    fn of(file: File) -> Holder {
        let mut description = String::new();
        // It may be half written, or of another program: it is shown, nothing depends on it.
        let _ = file.take(200).read_to_string(&mut description);
        Holder { description: description.trim_end().replace(char::is_control, " ") }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::layer::Layer;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn one_holder_at_a_time_and_no_file_is_left() {
        let directory = tempfile::tempdir().unwrap();
        let layer = Layer::below(directory.path());
        layer.create().unwrap();
        let (inside, entered) = (AtomicU32::new(0), AtomicU32::new(0));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let root = layer.open().unwrap().unwrap();
                    for _ in 0..50 {
                        let lock = Lock::acquire(&root, "key", "tests", LONG, |_| {
                            ControlFlow::Continue(())
                        })
                        .unwrap();
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                        entered.fetch_add(1, Ordering::SeqCst);
                        assert_eq!(inside.fetch_sub(1, Ordering::SeqCst), 1);
                        drop(lock);
                    }
                });
            }
        });
        assert_eq!(entered.into_inner(), 400);
        assert!(layer.open().unwrap().unwrap().list(LOCKS).unwrap().is_empty());
    }

    #[test]
    fn who_waits_is_told_for_whom_and_gives_up_in_the_end() {
        let directory = tempfile::tempdir().unwrap();
        let root = Layer::below(directory.path()).create().unwrap();
        let _held = Lock::try_acquire(&root, "key", "compiles app.wasm").unwrap().unwrap();
        assert!(Lock::try_acquire(&root, "key", "").unwrap().is_none());
        assert!(Lock::try_acquire(&root, "other", "").unwrap().is_some());
        let mut told = None;
        let tell = |holder: &Holder| {
            told = Some(holder.clone());
            ControlFlow::Continue(())
        };
        let lock = Lock::acquire(&root, "key", "", Duration::from_millis(20), tell);
        assert!(matches!(lock, Err(NoLock::Timeout)));
        let lock = Lock::acquire(&root, "key", "", LONG, |_| ControlFlow::Break(()));
        assert!(matches!(lock, Err(NoLock::GivenUp)));
        let expected = format!("process {} compiles app.wasm", std::process::id());
        assert_eq!(told.unwrap().description, expected);
    }
}
