//! Where the next read or write of a file happens.
//!
//! Nobody but the guest has the open file behind a descriptor that `path_open` made, so its
//! position can be kept here: a seek is then no system call, and reads and writes say
//! where. Until the first seek, which tells whether that is possible, the system keeps it.

use std::os::fd::AsFd;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::fs::SeekFrom;

use crate::Errno;
use crate::object::HostFile;
use crate::sys::{IoVecs, positions_only_count};

/// All file systems whose positions are kept have them up to this one (`MAX_NON_LFS` of Linux).
const VALID_EVERYWHERE: u64 = (1 << 31) - 1;

/// The position of an open file.
///
/// The lock is held while bytes are moved, as the system does with regular files, so
/// that threads which share a descriptor see every byte once.
#[derive(Debug)]
pub(crate) struct Position(Mutex<Keeper>);

/// Who keeps a position.
#[derive(Debug)]
enum Keeper {
    /// The system, until the first seek.
    SystemAtFirst,
    /// The system, forever.
    System,
    /// We do. The system allows positions up to `reached` at least, which grows as it
    /// accepts larger ones.
    Ours { at: u64, reached: u64 },
}

impl Position {
    /// Of an open file that others may have too, or that is more than bytes in a row.
    pub(crate) fn shared() -> Position {
        Position(Mutex::new(Keeper::System))
    }

    /// Of a regular file that was just opened, and not for appending.
    pub(crate) fn exclusive() -> Position {
        Position(Mutex::new(Keeper::SystemAtFirst))
    }

    fn lock(&self) -> MutexGuard<'_, Keeper> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HostFile {
    /// Reads at the position and moves it on.
    pub(crate) fn read(&self, buffers: &IoVecs<'_>) -> Result<u32, Errno> {
        self.transfer(|position| match position {
            Some(at) => buffers.read_at(self.fd.as_fd(), at),
            None => buffers.read(self.fd.as_fd()),
        })
    }

    /// Writes at the position and moves it on.
    pub(crate) fn write(&self, buffers: &IoVecs<'_>) -> Result<u32, Errno> {
        self.transfer(|position| match position {
            Some(at) => buffers.write_at(self.fd.as_fd(), at),
            None => buffers.write(self.fd.as_fd()),
        })
    }

    /// Moves bytes at the position that is given, or at the one that the system keeps.
    fn transfer(&self, call: impl FnOnce(Option<u64>) -> Result<u32, Errno>) -> Result<u32, Errno> {
        let mut keeper = self.position.lock();
        match &mut *keeper {
            Keeper::Ours { at, reached } => {
                let count = call(Some(*at))?;
                *at += u64::from(count);
                *reached = (*reached).max(*at);
                Ok(count)
            }
            // Under the lock, because a seek may take the position from the system.
            Keeper::SystemAtFirst => call(None),
            Keeper::System => {
                // A pipe can be read by one thread while another one writes to it.
                drop(keeper);
                call(None)
            }
        }
    }

    /// Moves the position and says where it is then.
    pub(crate) fn seek(&self, target: SeekFrom) -> Result<u64, Errno> {
        let mut keeper = self.position.lock();
        match &mut *keeper {
            Keeper::Ours { at, reached } => {
                let target = match target {
                    SeekFrom::Current(offset) => {
                        SeekFrom::Start(at.checked_add_signed(offset).ok_or(Errno::Inval)?)
                    }
                    other => other,
                };
                *at = match target {
                    SeekFrom::Start(start) if start <= *reached => start,
                    // The system knows where the file and where positions end.
                    unknown => rustix::fs::seek(&self.fd, unknown)?,
                };
                *reached = (*reached).max(*at);
                Ok(*at)
            }
            Keeper::SystemAtFirst => {
                let at = rustix::fs::seek(&self.fd, target)?;
                // Many programs ask for the position of each file that they open and then
                // read it from start to end.
                if !matches!(target, SeekFrom::Current(0)) {
                    *keeper = match positions_only_count(&self.fd) {
                        true => Keeper::Ours { at, reached: at.max(VALID_EVERYWHERE) },
                        false => Keeper::System,
                    };
                }
                Ok(at)
            }
            Keeper::System => Ok(rustix::fs::seek(&self.fd, target)?),
        }
    }

    /// Leaves the position to the system for good: where bytes are appended, nobody else knows.
    pub(crate) fn leave_position_to_system(&self) -> Result<(), Errno> {
        let mut keeper = self.position.lock();
        if let Keeper::Ours { at, .. } = *keeper {
            rustix::fs::seek(&self.fd, SeekFrom::Start(at))?;
        }
        *keeper = Keeper::System;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use rustix::fs::{OFlags, tell};

    use super::*;

    fn file(flags: OFlags) -> HostFile {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"0123456789").unwrap();
        HostFile::opened(file.into(), flags).unwrap()
    }

    #[test]
    fn the_system_is_told_where_to_begin_and_when_to_go_on() {
        let file = file(OFlags::RDWR);
        assert_eq!(file.seek(SeekFrom::Current(0)), Ok(10));
        assert!(matches!(*file.position.lock(), Keeper::SystemAtFirst));
        assert_eq!(file.seek(SeekFrom::Start(3)), Ok(3));
        assert_eq!(file.seek(SeekFrom::Start(7)), Ok(7));
        assert_eq!(file.seek(SeekFrom::Current(-2)), Ok(5));
        assert_eq!(tell(&file.fd), Ok(3));
        assert_eq!(file.leave_position_to_system(), Ok(()));
        assert_eq!(tell(&file.fd), Ok(5));
        assert_eq!(file.seek(SeekFrom::Start(8)), Ok(8));
        assert_eq!(tell(&file.fd), Ok(8));
    }

    #[test]
    fn what_is_appended_to_stays_with_the_system() {
        let file = file(OFlags::RDWR | OFlags::APPEND);
        assert_eq!(file.seek(SeekFrom::Start(3)), Ok(3));
        assert_eq!(file.seek(SeekFrom::Current(1)), Ok(4));
        assert_eq!(tell(&file.fd), Ok(4));
    }

    #[test]
    fn the_system_is_asked_about_large_positions_once() {
        let file = file(OFlags::RDWR);
        let large = VALID_EVERYWHERE + 10;
        for (target, system) in [(1, 1), (VALID_EVERYWHERE, 1), (large, large), (large - 5, large)]
        {
            assert_eq!(file.seek(SeekFrom::Start(target)), Ok(target));
            assert_eq!(tell(&file.fd), Ok(system));
        }
        for target in [SeekFrom::Current(i64::MAX), SeekFrom::Start(u64::MAX)] {
            assert_eq!(file.seek(target), Err(Errno::Inval));
        }
        assert_eq!(file.seek(SeekFrom::Current(0)), Ok(large - 5));
    }
}
