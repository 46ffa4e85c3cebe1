//! Path look-ups and directory listings of Linux.
//!
//! `openat2` resolves a whole path in one call and refuses to leave the directory it
//! starts from. Where the kernel or a system call filter lacks it, cap-std walks.

use std::ffi::{CStr, OsStr};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt};
use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, RawDir, ResolveFlags, SeekFrom, Stat, Timestamps, fstat,
    fstatfs, mkdirat, openat2, seek, statat, unlinkat, utimensat,
};
use rustix::io::Errno as HostErrno;

use crate::Errno;

/// How often a look-up is tried again that a rename elsewhere disturbed.
const ATTEMPTS: u32 = 4;

/// Opens `path` beneath `dir`; never something outside of it.
pub(crate) fn open_beneath(dir: &Dir, path: &CStr, flags: OFlags) -> Result<OwnedFd, Errno> {
    static MISSING: AtomicBool = AtomicBool::new(false);
    let mut flags = flags | OFlags::CLOEXEC;
    // Beside `PATH`, the system accepts few flags.
    flags.set(OFlags::NOCTTY, !flags.contains(OFlags::PATH));
    let mode = match flags.contains(OFlags::CREATE) {
        true => Mode::from_raw_mode(0o666),
        false => Mode::empty(),
    };
    if !MISSING.load(Ordering::Relaxed) {
        for _ in 0..ATTEMPTS {
            let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
            match openat2(dir, path, flags, mode, resolve) {
                Ok(fd) => return Ok(fd),
                Err(HostErrno::AGAIN | HostErrno::INTR) => {}
                // The path leads outside.
                Err(HostErrno::XDEV) => return Err(Errno::Perm),
                Err(HostErrno::NOSYS) => {
                    MISSING.store(true, Ordering::Relaxed);
                    break;
                }
                // Some filters answer this for calls that they do not know.
                Err(HostErrno::PERM) => break,
                Err(error) => return Err(error.into()),
            }
        }
    }
    open_walking(dir, path, flags)
}

fn open_walking(dir: &Dir, path: &CStr, flags: OFlags) -> Result<OwnedFd, Errno> {
    let mut options = OpenOptions::new();
    let access = flags & OFlags::RWMODE;
    options.read(access != OFlags::WRONLY).write(access != OFlags::RDONLY);
    match (flags.contains(OFlags::CREATE), flags.contains(OFlags::EXCL)) {
        (true, true) => options.create_new(true),
        (created, _) => options.create(created),
    };
    options.truncate(flags.contains(OFlags::TRUNC));
    let rest = flags.difference(
        OFlags::RWMODE | OFlags::CREATE | OFlags::EXCL | OFlags::TRUNC | OFlags::CLOEXEC,
    );
    options.custom_flags(rest.bits() as i32);
    Ok(dir.open_with(as_path(path), &options)?.into_std().into())
}

/// The attributes of what is at `path` beneath `dir`.
pub(crate) fn stat_beneath(dir: &Dir, path: &CStr, follow: OFlags) -> Result<Stat, Errno> {
    if is_plain_name(path) {
        let stat = statat(dir, path, AtFlags::SYMLINK_NOFOLLOW)?;
        let link = FileType::from_raw_mode(stat.st_mode) == FileType::Symlink;
        if follow.contains(OFlags::NOFOLLOW) || !link {
            return Ok(stat);
        }
    }
    let fd = open_beneath(dir, path, OFlags::PATH | follow)?;
    Ok(fstat(&fd)?)
}

/// Makes a directory at `path` beneath `dir`.
pub(crate) fn create_dir_beneath(dir: &Dir, path: &CStr) -> Result<(), Errno> {
    match is_plain_name(path) {
        true => Ok(mkdirat(dir, path, Mode::from_raw_mode(0o777))?),
        false => Ok(dir.create_dir(as_path(path))?),
    }
}

/// Removes the empty directory at `path` beneath `dir`.
pub(crate) fn remove_dir_beneath(dir: &Dir, path: &CStr) -> Result<(), Errno> {
    match is_plain_name(path) {
        true => Ok(unlinkat(dir, path, AtFlags::REMOVEDIR)?),
        false => Ok(dir.remove_dir(as_path(path))?),
    }
}

/// Removes what is at `path` beneath `dir` and is no directory.
pub(crate) fn remove_file_beneath(dir: &Dir, path: &CStr) -> Result<(), Errno> {
    match is_plain_name(path) {
        true => Ok(unlinkat(dir, path, AtFlags::empty())?),
        false => Ok(dir.remove_file(as_path(path))?),
    }
}

/// Whether this names something in the directory itself. That leads outside only where
/// the system follows symbolic links, which it never does to create or remove one.
fn is_plain_name(path: &CStr) -> bool {
    let bytes = path.to_bytes();
    !bytes.is_empty() && bytes != b"." && bytes != b".." && !bytes.contains(&b'/')
}

/// A path as the standard library and cap-std take it.
pub(crate) fn as_path(path: &CStr) -> &Path {
    Path::new(OsStr::from_bytes(path.to_bytes()))
}

/// Sets the times of what is at `path` beneath `dir`.
pub(crate) fn set_times_beneath(
    dir: &Dir,
    path: &CStr,
    times: &Timestamps,
    follow: OFlags,
) -> Result<(), Errno> {
    let fd = open_beneath(dir, path, OFlags::PATH | follow)?;
    Ok(utimensat(&fd, c"", times, AtFlags::EMPTY_PATH)?)
}

/// Whether all that matters about positions in this regular file is that they count its bytes: of
/// `/proc` and its like, where each file has its own idea of them, that is not known.
pub(crate) fn positions_only_count(file: impl AsFd) -> bool {
    fstatfs(file).is_ok_and(|found| {
        matches!(
            found.f_type,
            libc::BTRFS_SUPER_MAGIC
                | libc::EXT4_SUPER_MAGIC // And those before it.
                | libc::F2FS_SUPER_MAGIC
                | libc::FUSE_SUPER_MAGIC
                | libc::NFS_SUPER_MAGIC
                | libc::OVERLAYFS_SUPER_MAGIC
                | libc::TMPFS_MAGIC
                | libc::XFS_SUPER_MAGIC
        )
    })
}

/// One entry of a directory.
pub(crate) struct Entry<'a> {
    /// Where the next entry is found.
    pub(crate) next: u64,
    pub(crate) ino: u64,
    pub(crate) filetype: FileType,
    pub(crate) name: &'a [u8],
}

/// Hands the entries from `position` on to `each`, until it answers `false`.
///
/// Positions are the file system's own, so that entries which come and go during
/// a listing neither hide nor repeat the others.
pub(crate) fn list(
    dir: BorrowedFd<'_>,
    position: u64,
    mut each: impl FnMut(Entry<'_>) -> Result<bool, Errno>,
) -> Result<(), Errno> {
    // The system takes any number for a position, but not a negative one.
    if i64::try_from(position).is_err() {
        return Err(Errno::Inval);
    }
    seek(dir, SeekFrom::Start(position))?;
    let mut buffer = [MaybeUninit::uninit(); 8192];
    let mut entries = RawDir::new(dir.as_fd(), &mut buffer);
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let name = entry.file_name();
        let filetype = match entry.file_type() {
            // Some file systems do not keep it in the directory.
            FileType::Unknown => statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)
                .map_or(FileType::Unknown, |stat| FileType::from_raw_mode(stat.st_mode)),
            known => known,
        };
        let next = entry.next_entry_cookie();
        if !each(Entry { next, ino: entry.ino(), filetype, name: name.to_bytes() })? {
            break;
        }
    }
    Ok(())
}
