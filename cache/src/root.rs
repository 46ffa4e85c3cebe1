//! One open directory, and what is done below it.
//!
//! Everything is opened relative to the directory that was checked, so nobody can put another
//! one in its place between the check and the use.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Timespec, Timestamps};

/// Neither a link nor a pipe in place of a file may lead or hold anybody.
const READ: OFlags =
    OFlags::RDONLY.union(OFlags::CLOEXEC).union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK);

/// An open directory.
pub(crate) struct Root {
    fd: OwnedFd,
    path: PathBuf,
}

/// What the system knows about a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) device: u64,
    pub(crate) inode: u64,
    /// Length in bytes.
    pub(crate) len: u64,
    /// Space on disk, in bytes.
    pub(crate) disk: u64,
    pub(crate) links: u64,
    pub(crate) owner: u32,
    pub(crate) mode: u32,
    pub(crate) modified: Time,
    pub(crate) changed: Time,
}

/// A time as files have it: nanoseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Time(pub(crate) i128);

impl Root {
    pub(crate) fn open(path: &Path) -> io::Result<Root> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = rustix::fs::open(path, flags, Mode::empty())?;
        Ok(Root { fd, path: path.to_owned() })
    }

    /// Where `name` is, for messages and for programs that want a path.
    pub(crate) fn path_of(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// What the system knows about the directory itself.
    pub(crate) fn facts(&self) -> io::Result<Facts> {
        Ok(Facts::from_stat(&rustix::fs::fstat(&self.fd)?))
    }

    pub(crate) fn read(&self, name: &str) -> io::Result<File> {
        Ok(rustix::fs::openat(&self.fd, name, READ, Mode::empty())?.into())
    }

    /// Makes a file that must not exist yet, to be read and written by its owner.
    pub(crate) fn create_new(&self, name: &str) -> io::Result<File> {
        self.open_private(name, OFlags::RDWR | OFlags::CREATE | OFlags::EXCL)
    }

    /// Opens a file to be read and written, and makes it if there is none.
    pub(crate) fn open_or_create(&self, name: &str) -> io::Result<File> {
        self.open_private(name, OFlags::RDWR | OFlags::CREATE)
    }

    /// Opens a file to add to its end, and makes it if there is none.
    pub(crate) fn append(&self, name: &str) -> io::Result<File> {
        self.open_private(name, OFlags::WRONLY | OFlags::CREATE | OFlags::APPEND)
    }

    /// Opens a file that exists, to be written or locked.
    pub(crate) fn write(&self, name: &str) -> io::Result<File> {
        self.open_private(name, OFlags::RDWR)
    }

    fn open_private(&self, name: &str, flags: OFlags) -> io::Result<File> {
        let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        Ok(rustix::fs::openat(&self.fd, name, flags, Mode::RUSR | Mode::WUSR)?.into())
    }

    /// Moves a file within the directory, in place of what had the new name. The folder that it
    /// goes to is made if need be.
    pub(crate) fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        match rustix::fs::renameat(&self.fd, from, &self.fd, to) {
            Err(rustix::io::Errno::NOENT) => {
                if let Some((folder, _)) = to.rsplit_once('/') {
                    self.create_folder(folder)?;
                }
                Ok(rustix::fs::renameat(&self.fd, from, &self.fd, to)?)
            }
            result => Ok(result?),
        }
    }

    pub(crate) fn unlink(&self, name: &str) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.fd, name, AtFlags::empty())?)
    }

    /// Makes a folder for its owner alone, if there is none.
    pub(crate) fn create_folder(&self, name: &str) -> io::Result<()> {
        match rustix::fs::mkdirat(&self.fd, name, Mode::RWXU) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// What the system knows about `name`; `None` when there is no such file.
    pub(crate) fn stat(&self, name: &str) -> io::Result<Option<Facts>> {
        match rustix::fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(Facts::from_stat(&stat))),
            Err(rustix::io::Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Sets the time by which the use of a file is judged.
    pub(crate) fn touch(&self, name: &str, time: Time) -> io::Result<()> {
        let time = time.to_timespec();
        let times = Timestamps { last_access: time, last_modification: time };
        Ok(rustix::fs::utimensat(&self.fd, name, &times, AtFlags::SYMLINK_NOFOLLOW)?)
    }

    /// The names in a folder, sorted; none when there is no such folder.
    pub(crate) fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let fd = match rustix::fs::openat(&self.fd, folder, flags, Mode::empty()) {
            Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => return Ok(Vec::new()),
            fd => fd?,
        };
        let mut names = Vec::new();
        for item in Dir::read_from(fd)? {
            // Whatever is not text was not put there by the cache; it stays where it is.
            if let Ok(name) = item?.file_name().to_str()
                && name != "."
                && name != ".."
            {
                names.push(name.to_owned());
            }
        }
        names.sort();
        Ok(names)
    }

    /// What this process can still write to the file system, in bytes.
    pub(crate) fn free_space(&self) -> io::Result<u64> {
        let system = rustix::fs::fstatvfs(&self.fd)?;
        Ok(system.f_bavail.saturating_mul(system.f_frsize))
    }
}

impl Facts {
    pub(crate) fn of(file: &File) -> io::Result<Facts> {
        Ok(Facts::from_stat(&rustix::fs::fstat(file)?))
    }

    // The widths of these fields differ from system to system.
    #[allow(clippy::unnecessary_cast)]
    fn from_stat(stat: &rustix::fs::Stat) -> Facts {
        let time = |seconds: i64, nanos: i64| {
            Time(i128::from(seconds) * 1_000_000_000 + i128::from(nanos))
        };
        Facts {
            device: stat.st_dev as u64,
            inode: stat.st_ino as u64,
            len: stat.st_size as u64,
            disk: (stat.st_blocks as u64).saturating_mul(512),
            links: stat.st_nlink as u64,
            owner: stat.st_uid as u32,
            mode: stat.st_mode as u32,
            modified: time(stat.st_mtime as i64, stat.st_mtime_nsec as i64),
            changed: time(stat.st_ctime as i64, stat.st_ctime_nsec as i64),
        }
    }

    /// Whether somebody other than `user` and root could have written it.
    pub(crate) fn is_foreign(&self, user: u32) -> bool {
        (self.owner != user && self.owner != 0) || self.mode & 0o022 != 0
    }

    pub(crate) fn is_folder(&self) -> bool {
        FileType::from_raw_mode(self.mode as _) == FileType::Directory
    }

    pub(crate) fn is_same_file(&self, other: &Facts) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }
}

impl Time {
    pub(crate) fn now() -> Time {
        SystemTime::now().into()
    }

    /// How long ago it is; `None` when it lies in the future.
    pub(crate) fn age(self) -> Option<Duration> {
        let nanos = Time::now().0.checked_sub(self.0).filter(|nanos| *nanos >= 0)?;
        Some(Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)))
    }

    fn to_timespec(self) -> Timespec {
        let (seconds, nanos) = (self.0.div_euclid(1_000_000_000), self.0.rem_euclid(1_000_000_000));
        Timespec { tv_sec: seconds as _, tv_nsec: nanos as _ }
    }
}

impl From<SystemTime> for Time {
    fn from(time: SystemTime) -> Time {
        match time.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(after) => Time(i128::try_from(after.as_nanos()).unwrap_or(i128::MAX)),
            Err(before) => {
                Time(i128::try_from(before.duration().as_nanos()).map_or(i128::MIN, |n| -n))
            }
        }
    }
}

impl From<Time> for SystemTime {
    fn from(time: Time) -> SystemTime {
        let span = Duration::from_nanos(u64::try_from(time.0.unsigned_abs()).unwrap_or(u64::MAX));
        let moved = match time.0 >= 0 {
            true => SystemTime::UNIX_EPOCH.checked_add(span),
            false => SystemTime::UNIX_EPOCH.checked_sub(span),
        };
        moved.unwrap_or(SystemTime::UNIX_EPOCH)
    }
}

/// Whether a file could not be opened because it is a symbolic link.
pub(crate) fn is_link(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error())
}

/// The user that this process runs for.
pub(crate) fn user() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// A file that has no name and goes with its last user.
#[cfg(target_os = "linux")]
pub(crate) fn nameless_file() -> io::Result<File> {
    Ok(rustix::fs::memfd_create("precast", rustix::fs::MemfdFlags::CLOEXEC)?.into())
}

/// A file that has no name and goes with its last user.
#[cfg(not(target_os = "linux"))]
pub(crate) fn nameless_file() -> io::Result<File> {
    let root = Root::open(&std::env::temp_dir())?;
    let name = format!("precast-{}-{}", std::process::id(), Time::now().0);
    let file = root.create_new(&name)?;
    root.unlink(&name)?;
    Ok(file)
}

/// Whether the file lies on a file system that is known to move the change time of a file with
/// every change: one on a local disk that also sees writes through mappings at once. (ZFS and
/// some versions of tmpfs see those late or never.)
#[cfg(target_os = "linux")]
pub(crate) fn keeps_change_times(file: &File) -> bool {
    const EXT: u64 = 0xef53;
    const XFS: u64 = 0x5846_5342;
    const BTRFS: u64 = 0x9123_683e;
    const F2FS: u64 = 0xf2f5_2010;
    const BCACHEFS: u64 = 0xca45_1a4e;
    const OVERLAY: u64 = 0x794c_7630;
    let Ok(system) = rustix::fs::fstatfs(file) else { return false };
    // The upper bits are another field's on systems that sign-extend.
    matches!(system.f_type as u64 & 0xffff_ffff, EXT | XFS | BTRFS | F2FS | BCACHEFS | OVERLAY)
}

/// Whether the file lies on a file system that is known to move the change time of a file with
/// every change. None is known here.
#[cfg(not(target_os = "linux"))]
pub(crate) fn keeps_change_times(_: &File) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_before_and_after_1970_survive() {
        for nanos in [0, 1, -1, 1_700_000_000_123_456_789, -5_000_000_001] {
            assert_eq!(Time::from(SystemTime::from(Time(nanos))), Time(nanos));
        }
        assert!(Time(i128::MAX).age().is_none());
        assert!(Time(0).age().is_some());
    }

    #[test]
    fn the_parent_of_a_new_name_is_made() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::open(directory.path()).unwrap();
        root.create_new("a").unwrap();
        root.rename("a", "folder/b").unwrap();
        assert_eq!(root.list("folder").unwrap(), ["b"]);
        assert_eq!(root.stat("folder/c").unwrap(), None);
        assert!(root.list("nothing").unwrap().is_empty());
        let time = Time(1_600_000_000_000_000_001);
        root.touch("folder/b", time).unwrap();
        assert_eq!(root.stat("folder/b").unwrap().unwrap().modified, time);
    }
}
