//! Writes files so that others see all of one or nothing.

use std::fs::{File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use precast::Result;

use crate::interrupt::Deferred;

/// Has `write` fill a new file, and gives it its name when that is done, in place of what had the
/// name. A file that was not finished does not stay, not even when the process is interrupted.
pub(crate) fn publish<T>(path: &Path, write: impl FnOnce(&mut File) -> Result<T>) -> Result<T> {
    let _deferred = Deferred::begin();
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut file = tempfile::Builder::new()
        .permissions(Permissions::from_mode(0o644))
        .tempfile_in(directory)?;
    let written = write(file.as_file_mut())?;
    file.persist(path)?;
    Ok(written)
}
