//! Which entry belongs to an unchanged file, without reading the file.
//!
//! A record is found by device, inode, length, modification and change time of the file and by the
//! digest of the settings. It is believed when all of that is equal; it is written only when no
//! later change could leave all of it equal:
//!
//! - the file lies on a file system that moves the change time with every change,
//! - nothing moved while the file was read,
//! - both times were a few seconds old when the reading began, so that a change in the same tick
//!   of the clock is excluded,
//! - no time lies in the future, as after a clock that was set back.
//!
//! A doubt costs a hash. One thing escapes: a program that keeps on writing through a shared
//! mapping it wrote through before moves no time until the system writes the pages back.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::layer::STAT;
use crate::lookup::is_due;
use crate::packed::array;
use crate::root::{self, Facts, Root, Time};
use crate::temporary::{Durability, Temporary};
use crate::{Cache, Key, Origin, Recipe};

const MAGIC: &[u8; 8] = b"precast\x03";
const VERSION: u32 = 1;
/// The length of a record, in bytes.
const LEN: usize = 12 + Stamp::LEN + 32 + 32 + 32 + 32;
/// How old the times of a file must be. Kernels tick every 10 ms at worst, but there are file
/// systems that store whole seconds, and one that stores even ones.
const SETTLED: Duration = Duration::from_secs(4);

/// What is known about a file without reading it.
#[derive(Debug)]
pub struct FileLookup {
    known: Option<Known>,
    stamp: Option<Stamp>,
}

/// A module that was identified without being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// The key of its entry.
    pub key: Key,
    /// The SHA-256 of the module: what the artifact's description must have.
    pub wasm_sha256: [u8; 32],
}

/// What moves when a file changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    len: u64,
    modified: Time,
    changed: Time,
}

impl FileLookup {
    /// The module, if it is known.
    pub fn known(&self) -> Option<&Known> {
        self.known.as_ref()
    }
}

impl Cache {
    /// Looks up which entry belongs to an open file. To be called before the file is read, with
    /// the handle that it would be read through.
    ///
    /// A file that is unchanged by all that the system tells is taken for unchanged. It tells
    /// nothing, for up to half a minute, of a program that goes on writing through a shared
    /// mapping of the file that it has written through before. Whoever must exclude that reads
    /// and hashes the file instead of asking.
    pub fn find_file(&self, file: &File, recipe: &Recipe) -> FileLookup {
        let stamp = Stamp::settled(file);
        let known = stamp.and_then(|stamp| {
            let root = self.open_layer(Origin::User)?;
            read(&root, &stamp, recipe, self.is_writable())
        });
        self.tally.index(known.is_some());
        FileLookup { known, stamp }
    }

    /// Remembers which module a file holds that has been read since [`Cache::find_file`],
    /// unless it changed in between or could change unseen.
    pub fn remember(
        &self,
        file: &File,
        lookup: &FileLookup,
        recipe: &Recipe,
        wasm_sha256: &[u8; 32],
    ) {
        let Some(stamp) = lookup.stamp else { return };
        if Stamp::settled(file) != Some(stamp) {
            return;
        }
        let Some(root) = self.create_layer() else { return };
        let key = recipe.with_wasm(wasm_sha256).key();
        let known = Known { key, wasm_sha256: *wasm_sha256 };
        // Without the record the file is read again: no reason to bother anybody.
        let _ = write(&root, &stamp, recipe, &known);
    }
}

impl Stamp {
    const LEN: usize = 56;

    /// The stamp of a file whose times can be relied on.
    fn settled(file: &File) -> Option<Stamp> {
        let facts = Facts::of(file).ok()?;
        let settled = |time: Time| time.age().is_some_and(|age| age > SETTLED);
        let Facts { device, inode, len, modified, changed, .. } = facts;
        let reliable = settled(modified) && settled(changed) && root::keeps_change_times(file);
        reliable.then_some(Stamp { device, inode, len, modified, changed })
    }

    fn encode(&self) -> [u8; Stamp::LEN] {
        let Stamp { device, inode, len, modified, changed } = self;
        let mut bytes = [0; Stamp::LEN];
        bytes[..8].copy_from_slice(&device.to_le_bytes());
        bytes[8..16].copy_from_slice(&inode.to_le_bytes());
        bytes[16..24].copy_from_slice(&len.to_le_bytes());
        bytes[24..40].copy_from_slice(&modified.0.to_le_bytes());
        bytes[40..56].copy_from_slice(&changed.0.to_le_bytes());
        bytes
    }
}

/// The name of the record: the digest of what it is found by.
fn name(stamp: &Stamp, recipe: &Recipe) -> String {
    let digest =
        Sha256::new().chain_update(stamp.encode()).chain_update(recipe.digest()).finalize();
    format!("{STAT}/{}", crate::key::hex(&digest))
}

fn encode(stamp: &Stamp, recipe: &Recipe, known: &Known) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(LEN);
    bytes.extend(MAGIC);
    bytes.extend(VERSION.to_le_bytes());
    bytes.extend(stamp.encode());
    bytes.extend(recipe.digest());
    bytes.extend(known.key.0);
    bytes.extend(known.wasm_sha256);
    let digest = Sha256::digest(&bytes);
    bytes.extend(digest);
    bytes
}

fn read(root: &Root, stamp: &Stamp, recipe: &Recipe, touch: bool) -> Option<Known> {
    let name = name(stamp, recipe);
    let file = root.read(&name).ok()?;
    let facts = Facts::of(&file).ok().filter(|facts| !facts.is_foreign(root::user()))?;
    let bytes = whole(&file)?;
    let known = decode(&bytes)?;
    // The name is a digest of the rest, but names can be changed.
    if bytes != encode(stamp, recipe, &known)[..] {
        return None;
    }
    if touch && is_due(&facts) {
        let _ = root.touch(&name, Time::now());
    }
    Some(known)
}

fn write(root: &Root, stamp: &Stamp, recipe: &Recipe, known: &Known) -> std::io::Result<()> {
    let mut temporary = Temporary::create(root)?;
    temporary.file().write_all(&encode(stamp, recipe, known))?;
    temporary.publish(&name(stamp, recipe), Durability::Lazy)?;
    Ok(())
}

fn whole(mut file: &File) -> Option<[u8; LEN]> {
    let mut bytes = [0; LEN];
    file.read_exact(&mut bytes).ok()?;
    Some(bytes)
}

/// What a record says, if it is sound.
fn decode(bytes: &[u8; LEN]) -> Option<Known> {
    let (content, digest) = bytes.split_at(LEN - 32);
    let sound = bytes[..8] == *MAGIC
        && u32::from_le_bytes(array(bytes, 8)) == VERSION
        && Sha256::digest(content)[..] == *digest;
    sound.then(|| Known { key: Key(array(bytes, LEN - 96)), wasm_sha256: array(bytes, LEN - 64) })
}

/// The entry that a record leads to; `None` when the record is damaged.
pub(crate) fn target(root: &Root, name: &str) -> Option<Key> {
    let file = root.read(&format!("{STAT}/{name}")).ok()?;
    Some(decode(&whole(&file)?)?.key)
}

#[cfg(test)]
mod tests {
    use precast_config::{CacheSettings, CompilerSettings};

    use super::*;
    use crate::{CompilerBuild, Host};

    const WASM: [u8; 32] = [9; 32];

    fn recipe(version: &str) -> Recipe {
        let build = CompilerBuild { format: 1, version: version.into(), digest: [0; 32] };
        Recipe::new(&build, &Host::detect(), &CompilerSettings::default())
    }

    fn stamp() -> Stamp {
        Stamp { device: 1, inode: 2, len: 3, modified: Time(4), changed: Time(5) }
    }

    fn known(recipe: &Recipe) -> Known {
        Known { key: recipe.with_wasm(&WASM).key(), wasm_sha256: WASM }
    }

    fn root(directory: &tempfile::TempDir) -> Root {
        crate::layer::Layer::below(directory.path()).create().unwrap()
    }

    #[test]
    fn records_are_found_by_everything_that_went_into_them() {
        let directory = tempfile::tempdir().unwrap();
        let (root, recipe) = (root(&directory), recipe("1"));
        write(&root, &stamp(), &recipe, &known(&recipe)).unwrap();
        assert_eq!(read(&root, &stamp(), &recipe, true), Some(known(&recipe)));
        let others = [
            Stamp { device: 0, ..stamp() },
            Stamp { inode: 0, ..stamp() },
            Stamp { len: 0, ..stamp() },
            Stamp { modified: Time(0), ..stamp() },
            Stamp { changed: Time(0), ..stamp() },
        ];
        for other in others {
            assert_eq!(read(&root, &other, &recipe, true), None);
        }
        assert_eq!(read(&root, &stamp(), &self::recipe("2"), true), None);
    }

    #[test]
    fn damaged_and_renamed_records_are_none() {
        let directory = tempfile::tempdir().unwrap();
        let (root, recipe) = (root(&directory), recipe("1"));
        write(&root, &stamp(), &recipe, &known(&recipe)).unwrap();
        let record = encode(&stamp(), &recipe, &known(&recipe));
        let path = root.path_of(&name(&stamp(), &recipe));
        for position in 0..record.len() {
            let mut damaged = record.clone();
            damaged[position] ^= 1;
            std::fs::write(&path, damaged).unwrap();
            assert_eq!(read(&root, &stamp(), &recipe, true), None);
            std::fs::write(&path, &record[..position]).unwrap();
            assert_eq!(read(&root, &stamp(), &recipe, true), None);
        }
        std::fs::write(&path, &record).unwrap();
        let other = Stamp { len: 0, ..stamp() };
        root.rename(&name(&stamp(), &recipe), &name(&other, &recipe)).unwrap();
        assert_eq!(read(&root, &other, &recipe, true), None);
    }

    #[test]
    fn a_file_that_has_just_changed_is_not_remembered() {
        let directory = tempfile::tempdir().unwrap();
        let settings =
            CacheSettings { directory: Some(directory.path().into()), ..CacheSettings::default() };
        let (cache, recipe) = (Cache::new(&settings), recipe("1"));
        let path = directory.path().join("app.wasm");
        std::fs::write(&path, "wasm").unwrap();
        let file = File::open(&path).unwrap();
        let lookup = cache.find_file(&file, &recipe);
        cache.remember(&file, &lookup, &recipe, &WASM);
        assert_eq!(cache.find_file(&file, &recipe).known(), None);
        assert_eq!(lookup.stamp, None);
    }
}
