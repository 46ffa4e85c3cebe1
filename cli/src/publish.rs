//! Writes files so that others see all of one or nothing.

use std::fs::{File, Permissions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use precast::Result;

use crate::context::Context;
use crate::interrupt::Deferred;

/// Who may do what with a file, as the system's mode bits.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mode {
    /// Everyone may read it.
    Data = 0o644,
    /// Everyone may run it.
    Program = 0o755,
    /// Nobody but the owner may read it.
    Secret = 0o600,
}

/// What happens to a file that has the name already.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Existing {
    /// The new file takes its place.
    Replace,
    /// It is an error.
    Keep,
}

/// Has `write` fill a new file, and gives it its name when that is done, in place of what had the
/// name. A file that was not finished does not stay, not even when the process is interrupted.
pub(crate) fn publish<T>(path: &Path, write: impl FnOnce(&mut File) -> Result<T>) -> Result<T> {
    publish_as(path, Mode::Data, Existing::Replace, write)
}

/// Writes a file of these bytes in the same way, and says of an error which file it was.
pub(crate) fn publish_bytes(
    path: &Path,
    mode: Mode,
    existing: Existing,
    bytes: &[u8],
) -> Result<()> {
    publish_as(path, mode, existing, |file| Ok(file.write_all(bytes)?))
        .context(|| format!("cannot write `{}`", path.display()))
}

fn publish_as<T>(
    path: &Path,
    mode: Mode,
    existing: Existing,
    write: impl FnOnce(&mut File) -> Result<T>,
) -> Result<T> {
    let _deferred = Deferred::begin();
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut file = tempfile::Builder::new()
        .permissions(Permissions::from_mode(mode as u32))
        .tempfile_in(directory)?;
    let written = write(file.as_file_mut())?;
    match existing {
        Existing::Replace => file.persist(path)?,
        Existing::Keep => file.persist_noclobber(path)?,
    };
    Ok(written)
}
