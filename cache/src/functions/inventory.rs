//! Which packs there are, and what is in them.

use std::io;

use crate::error::Damage;
use crate::key::Part;
use crate::layer::FUNCTIONS;
use crate::root::{Facts, Root};

use super::open_any;

/// A file with functions.
#[derive(Clone, Debug)]
pub(crate) struct PackFile {
    /// Its name below the directory of the cache.
    pub(crate) name: String,
    pub(crate) facts: Facts,
}

/// All packs, the one that was not used for longest first.
pub(crate) fn packs(root: &Root) -> io::Result<Vec<PackFile>> {
    let mut files = Vec::new();
    for recipe in root.list(FUNCTIONS)? {
        files.extend(packs_of(root, &format!("{FUNCTIONS}/{recipe}"))?);
    }
    files.sort_by_key(|file| file.facts.modified);
    Ok(files)
}

/// The packs in a folder, the one that was used last first.
pub(super) fn packs_of(root: &Root, folder: &str) -> io::Result<Vec<PackFile>> {
    let files = crate::inventory::files(root, folder)?.into_iter();
    let mut files: Vec<PackFile> = files.map(|(name, facts)| PackFile { name, facts }).collect();
    files.sort_by_key(|file| std::cmp::Reverse(file.facts.modified));
    Ok(files)
}

/// How many functions a pack has; none when it cannot be read.
pub(crate) fn count(root: &Root, name: &str) -> usize {
    open_any(root, name).ok().flatten().map_or(0, |pack| pack.len())
}

/// What the functions of a pack were compiled with.
pub(crate) fn parts(root: &Root, name: &str) -> Result<Vec<Part>, Damage> {
    Ok(open_any(root, name)?.map(|pack| pack.parts).unwrap_or_default())
}

/// Reads a whole pack. One that has gone in the meantime is sound.
pub(crate) fn check(root: &Root, name: &str) -> Result<(), Damage> {
    let Some(pack) = open_any(root, name)? else { return Ok(()) };
    let mut frame = Vec::new();
    pack.slots().try_for_each(|slot| pack.read(&slot, &mut frame))
}
