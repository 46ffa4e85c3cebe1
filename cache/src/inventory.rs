//! What lies in a directory.

use std::collections::BTreeMap;
use std::io;

use crate::layer::{LOCKS, QUARANTINE, STAT, TMP};
use crate::root::{Facts, Root, Time};
use crate::{Key, Tier};

/// All entries of a directory, and what is no entry.
#[derive(Default)]
pub(crate) struct Inventory {
    pub(crate) entries: BTreeMap<Key, Forms>,
    /// Files where entries lie that are none.
    pub(crate) strays: Vec<String>,
}

/// In which forms an entry lies there.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Forms {
    pub(crate) hot: Option<Facts>,
    pub(crate) packed: Option<Facts>,
}

impl Inventory {
    pub(crate) fn of(root: &Root) -> io::Result<Inventory> {
        let mut inventory = Inventory::default();
        for tier in Tier::ALL {
            for shard in root.list(tier.folder())? {
                let folder = format!("{}/{shard}", tier.folder());
                if root.stat(&folder)?.is_some_and(|facts| !facts.is_folder()) {
                    inventory.strays.push(folder);
                    continue;
                }
                for name in root.list(&folder)? {
                    inventory.add(root, tier, format!("{folder}/{name}"), &name)?;
                }
            }
        }
        Ok(inventory)
    }

    fn add(&mut self, root: &Root, tier: Tier, file: String, name: &str) -> io::Result<()> {
        // Gone again: another process tidies up too.
        let Some(facts) = root.stat(&file)? else { return Ok(()) };
        match name.parse::<Key>().ok().filter(|key| tier.file(key) == file) {
            Some(key) if !facts.is_folder() => {
                let forms = self.entries.entry(key).or_default();
                match tier {
                    Tier::Hot => forms.hot = Some(facts),
                    Tier::Packed => forms.packed = Some(facts),
                }
            }
            _ => self.strays.push(file),
        }
        Ok(())
    }
}

impl Forms {
    pub(crate) fn get(&self, tier: Tier) -> Option<&Facts> {
        match tier {
            Tier::Hot => self.hot.as_ref(),
            Tier::Packed => self.packed.as_ref(),
        }
    }

    /// The space on disk, in bytes.
    pub(crate) fn disk(&self) -> u64 {
        let disk = |facts: &Option<Facts>| facts.map_or(0, |facts| facts.disk);
        disk(&self.hot).saturating_add(disk(&self.packed))
    }

    /// When it was used last. What lies in the future after a clock was set back counts as now.
    pub(crate) fn last_use(&self) -> Time {
        let modified = |facts: &Option<Facts>| facts.map(|facts| facts.modified);
        modified(&self.hot).max(modified(&self.packed)).unwrap_or(Time(0)).min(Time::now())
    }
}

/// The files of a folder that holds nothing but files, with what is known about them.
pub(crate) fn files(root: &Root, folder: &str) -> io::Result<Vec<(String, Facts)>> {
    let mut files = Vec::new();
    for name in root.list(folder)? {
        let file = format!("{folder}/{name}");
        if let Some(facts) = root.stat(&file)?.filter(|facts| !facts.is_folder()) {
            files.push((file, facts));
        }
    }
    Ok(files)
}

/// The space on disk of everything that is no entry, in bytes.
pub(crate) fn other_disk(root: &Root) -> io::Result<u64> {
    let mut disk = 0u64;
    for folder in [STAT, LOCKS, TMP, QUARANTINE] {
        disk = files(root, folder)?.iter().fold(disk, |sum, file| sum.saturating_add(file.1.disk));
    }
    Ok(disk)
}
