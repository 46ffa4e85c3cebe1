//! Removing entries on demand.

use std::time::Duration;

use crate::error::CacheError;
use crate::functions::{self, PackFile};
use crate::housekeeping::{Budgets, Swept};
use crate::inventory::{self, Inventory};
use crate::layer::{QUARANTINE, STAT};
use crate::lookup::quarantine;
use crate::packed::Packed;
use crate::root::Root;
use crate::{Cache, CompilerBuild, Key, Tier, statistics, temporary};

/// What to remove. Each condition removes on its own; without any, only leftovers go.
#[derive(Clone, Debug, Default)]
pub struct Prune {
    /// Entries that were not used for longer than this.
    pub unused_for: Option<Duration>,
    /// The least recently used entries, until the rest takes no more than this many bytes.
    pub max_size: Option<u64>,
    /// Entries of other compilers than this one, and caches of other layouts.
    pub other_than: Option<CompilerBuild>,
}

impl Cache {
    /// Removes what the caller wants gone. `None` when another process tidies up right now.
    ///
    /// # Errors
    ///
    /// When the cache may not be changed, or the system refuses.
    pub fn prune(&self, prune: &Prune) -> Result<Option<Swept>, CacheError> {
        let Some(root) = self.open_to_change()? else { return Ok(Some(Swept::default())) };
        let mut swept = Swept::default();
        if let Some(build) = &prune.other_than {
            let removing = CacheError::system("remove entries of other versions");
            swept = remove_others(&root, build).map_err(removing)?;
            self.remove_other_layouts().map_err(CacheError::system("remove other layouts"))?;
        }
        let rest = self.sweep(Budgets {
            hot: u64::MAX,
            functions: u64::MAX,
            total: prune.max_size.unwrap_or(u64::MAX),
            min_free: 0,
            max_unused: prune.unused_for.unwrap_or(Duration::MAX),
        })?;
        Ok(rest.map(|rest| Swept {
            evicted: swept.evicted + rest.evicted,
            packs: swept.packs + rest.packs,
            freed: swept.freed + rest.freed,
            ..rest
        }))
    }

    /// Removes all entries and everything that is known about their use. What other processes
    /// are about to add is added.
    ///
    /// # Errors
    ///
    /// When the cache may not be changed, or the system refuses.
    pub fn clear(&self) -> Result<Swept, CacheError> {
        let mut swept = Swept::default();
        let Some(root) = self.open_to_change()? else { return Ok(swept) };
        let clearing = CacheError::system("clear the cache");
        let inventory = Inventory::of(&root).map_err(&clearing)?;
        for (key, forms) in &inventory.entries {
            remove_entry(&root, key, forms, &mut swept);
        }
        for pack in functions::packs(&root).map_err(&clearing)? {
            remove_pack(&root, &pack, &mut swept);
        }
        for temporary in temporary::abandoned(&root).map_err(&clearing)? {
            swept.leftovers += usize::from(root.unlink(&temporary.name).is_ok());
        }
        for (name, facts) in inventory::files(&root, QUARANTINE).map_err(&clearing)? {
            if root.unlink(&name).is_ok() {
                swept.leftovers += 1;
                swept.freed += facts.disk;
            }
        }
        for (name, _) in inventory::files(&root, STAT).map_err(&clearing)? {
            swept.records += usize::from(root.unlink(&name).is_ok());
        }
        statistics::reset(&root);
        Ok(swept)
    }

    /// Removes the directories of other versions of the layout: `v0`, `v2` and so on beside ours.
    fn remove_other_layouts(&self) -> std::io::Result<()> {
        let Some(layer) = self.layer(crate::Origin::User) else { return Ok(()) };
        let ours = layer.path().file_name();
        for item in std::fs::read_dir(layer.home())? {
            let item = item?;
            let name = item.file_name();
            let number = name.to_str().and_then(|name| name.strip_prefix('v'));
            let is_layout = number.is_some_and(|number| number.parse::<u32>().is_ok());
            if is_layout && Some(name.as_os_str()) != ours && item.file_type()?.is_dir() {
                std::fs::remove_dir_all(item.path())?;
            }
        }
        Ok(())
    }
}

fn remove_others(root: &Root, build: &CompilerBuild) -> std::io::Result<Swept> {
    let mut swept = Swept::default();
    let wanted = build.parts();
    for (key, forms) in &Inventory::of(root)?.entries {
        let Ok(file) = root.read(&Tier::Packed.file(key)) else { continue };
        match Packed::open_as(key, file) {
            Ok(packed) => {
                let parts = &packed.header.metadata.parts;
                let same = wanted.iter().all(|part| parts.get(&part.name) == Some(&part.value));
                if !same {
                    remove_entry(root, key, forms, &mut swept);
                }
            }
            Err(crate::Damage::Version(_)) => remove_entry(root, key, forms, &mut swept),
            Err(_) => {
                quarantine(root, Tier::Packed, key);
            }
        }
    }
    for pack in functions::packs(root)? {
        match functions::parts(root, &pack.name) {
            Ok(parts) if wanted.iter().all(|part| parts.contains(part)) => {}
            Ok(_) | Err(crate::Damage::Version(_)) => remove_pack(root, &pack, &mut swept),
            Err(_) => {
                functions::quarantine(root, &pack.name);
            }
        }
    }
    Ok(swept)
}

fn remove_pack(root: &Root, pack: &PackFile, swept: &mut Swept) {
    if root.unlink(&pack.name).is_ok() {
        swept.packs += 1;
        swept.freed += pack.facts.disk;
    }
}

fn remove_entry(root: &Root, key: &Key, forms: &inventory::Forms, swept: &mut Swept) {
    let mut gone = false;
    for tier in Tier::ALL {
        if let Some(facts) = forms.get(tier)
            && root.unlink(&tier.file(key)).is_ok()
        {
            swept.freed += facts.disk;
            gone = true;
        }
    }
    swept.evicted += usize::from(gone);
}
