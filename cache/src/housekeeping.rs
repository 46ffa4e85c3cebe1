//! Keeping the cache within its budgets.
//!
//! One process at a time does it, and none in the way of a run. What is removed loses its name
//! only: whoever has it open or mapped keeps it.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::time::Duration;

use crate::error::CacheError;
use crate::functions::{self, PackFile};
use crate::inventory::{self, Forms, Inventory};
use crate::layer::{LOCKS, QUARANTINE, STAT};
use crate::lock::{Lock, NoLock};
use crate::root::{Facts, Root, Time};
use crate::{Cache, Key, Origin, Tier, stat_index, statistics, temporary};

/// How often it is done at most, by whoever adds entries.
const INTERVAL: Duration = Duration::from_secs(5 * 60);
/// The file whose time says when it was done last.
const DONE: &str = "housekept";
const LOCK: &str = "housekeeping";
/// How long damaged files are kept to be looked at.
const QUARANTINED: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// How long records of files are kept that nobody asks for.
const UNUSED_RECORD: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Who is over a budget goes this far below it, in percent of it, so as not to be back soon.
const GOAL: u64 = 90;

/// What housekeeping did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Entries that lost their uncompressed form.
    pub demoted: usize,
    /// Entries that are gone.
    pub evicted: usize,
    /// Files with compiled functions that are gone.
    pub packs: usize,
    /// Left-over temporary files, locks and damaged files that are gone.
    pub leftovers: usize,
    /// Records of files that are gone.
    pub records: usize,
    /// Disk space that became free, in bytes, when nobody has it mapped.
    pub freed: u64,
}

/// What entries may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budgets {
    pub(crate) hot: u64,
    pub(crate) functions: u64,
    pub(crate) total: u64,
    pub(crate) min_free: u64,
    pub(crate) max_unused: Duration,
}

impl Cache {
    /// Brings the cache back within its budgets, if this process added something and that has not
    /// been done in the last minutes. To be called after a run, when its time matters to nobody.
    pub fn housekeep_if_due(&self) {
        if !self.take_grown() {
            return;
        }
        let Some(root) = self.create_layer() else { return };
        let done = root.stat(DONE).ok().flatten();
        let recent = |facts: Facts| facts.modified.age().is_some_and(|age| age < INTERVAL);
        if !done.is_some_and(recent) {
            let _ = self.housekeep();
        }
    }

    /// Brings the cache back within its budgets, and removes what others left behind. `None`
    /// when another process is at it.
    ///
    /// # Errors
    ///
    /// When the cache may not be changed, or the system refuses.
    pub fn housekeep(&self) -> Result<Option<Swept>, CacheError> {
        self.sweep(self.budgets())
    }

    /// Makes that much free disk space, unless the whole cache would not be enough.
    pub(crate) fn free_up(&self, needed: u64) -> Result<(), CacheError> {
        let (usage, Some(root)) = (self.usage()?, self.open_to_change()?) else { return Ok(()) };
        let free = root.free_space().map_err(CacheError::system("measure the disk"))?;
        if free.saturating_add(usage.disk()) >= needed {
            self.sweep(Budgets { min_free: needed, ..self.budgets() })?;
        }
        Ok(())
    }

    fn budgets(&self) -> Budgets {
        let settings = &self.settings;
        Budgets {
            hot: settings.hot_budget,
            functions: settings.functions_budget,
            total: settings.total_budget,
            min_free: settings.min_free,
            max_unused: settings.max_unused,
        }
    }

    pub(crate) fn sweep(&self, budgets: Budgets) -> Result<Option<Swept>, CacheError> {
        let Some(root) = self.open_to_change()? else { return Ok(Some(Swept::default())) };
        let tidying = CacheError::system("tidy the cache up");
        let lock = match Lock::try_acquire(&root, LOCK, "tidies the cache up") {
            Ok(Some(lock)) => Some(lock),
            Ok(None) => return Ok(None),
            // Twice at the same time does no harm.
            Err(NoLock::Timeout | NoLock::GivenUp | NoLock::System(_)) => None,
        };
        let system = self.open_layer(Origin::System);
        let sweep = Sweep::new(&root, system.as_ref(), budgets);
        let swept = sweep.and_then(Sweep::run).map_err(&tidying)?;
        let _ = root.append(DONE).and_then(|_| root.touch(DONE, Time::now()));
        drop(lock);
        Ok(Some(swept))
    }
}

struct Sweep<'r> {
    root: &'r Root,
    /// The directory below, whose entries are not ours to count but may be pointed at.
    system: Option<&'r Root>,
    budgets: Budgets,
    entries: BTreeMap<Key, Forms>,
    /// The files with compiled functions, the one that was not used for longest first.
    packs: VecDeque<PackFile>,
    swept: Swept,
}

impl<'r> Sweep<'r> {
    fn new(root: &'r Root, system: Option<&'r Root>, budgets: Budgets) -> io::Result<Self> {
        let entries = Inventory::of(root)?.entries;
        let packs = functions::packs(root)?.into();
        Ok(Sweep { root, system, budgets, entries, packs, swept: Swept::default() })
    }

    fn run(mut self) -> io::Result<Swept> {
        self.leftovers()?;
        self.unused();
        self.functions_budget();
        self.hot_budget();
        self.total_budget()?;
        self.min_free()?;
        self.future();
        self.records()?;
        // Statistics are no reason to stop.
        let _ = statistics::fold(self.root);
        Ok(self.swept)
    }

    fn leftovers(&mut self) -> io::Result<()> {
        for temporary in temporary::abandoned(self.root)? {
            self.swept.leftovers += usize::from(self.remove(&temporary.name, &temporary.facts));
        }
        for (name, _) in inventory::files(self.root, LOCKS)? {
            let name = name.trim_start_matches(LOCKS).trim_start_matches('/');
            if name != LOCK && matches!(Lock::try_acquire(self.root, name, ""), Ok(Some(_))) {
                self.swept.leftovers += 1;
            }
        }
        for (name, facts) in inventory::files(self.root, QUARANTINE)? {
            // The change time: moving a file there moves it, the time of its last use stays.
            if facts.changed.age().is_some_and(|age| age > QUARANTINED) {
                self.swept.leftovers += usize::from(self.remove(&name, &facts));
            }
        }
        Ok(())
    }

    fn unused(&mut self) {
        let limit = self.budgets.max_unused;
        let old = |forms: &Forms| forms.last_use().age().is_some_and(|age| age > limit);
        for key in self.by_last_use() {
            if self.entries.get(&key).is_some_and(old) {
                self.evict(&key);
            }
        }
    }

    fn functions_budget(&mut self) {
        let limit = self.budgets.max_unused;
        let old = |pack: &PackFile| pack.facts.modified.age().is_some_and(|age| age > limit);
        while self.packs.front().is_some_and(old) {
            self.remove_pack();
        }
        if self.functions_disk() > self.budgets.functions {
            while self.functions_disk() > goal(self.budgets.functions) {
                self.remove_pack();
            }
        }
        for pack in self.packs.iter().filter(|pack| pack.facts.modified.age().is_none()) {
            let _ = self.root.touch(&pack.name, Time::now());
        }
    }

    fn functions_disk(&self) -> u64 {
        self.packs.iter().fold(0, |sum, pack| sum.saturating_add(pack.facts.disk))
    }

    /// Removes the pack that was not used for longest, and returns what it took on disk, in bytes.
    fn remove_pack(&mut self) -> Option<u64> {
        let PackFile { name, facts } = self.packs.pop_front()?;
        self.swept.packs += usize::from(self.remove(&name, &facts));
        Some(facts.disk)
    }

    fn hot_budget(&mut self) {
        let hot = |forms: &Forms| forms.hot.map_or(0, |facts| facts.disk);
        let mut used: u64 = self.entries.values().map(hot).sum();
        if used <= self.budgets.hot {
            return;
        }
        for key in self.by_last_use() {
            if used <= goal(self.budgets.hot) {
                break;
            }
            used = used.saturating_sub(self.entries.get(&key).map_or(0, hot));
            self.demote(&key);
        }
    }

    fn total_budget(&mut self) -> io::Result<()> {
        let other = inventory::other_disk(self.root)?;
        let mut used = self.entries.values().map(Forms::disk).sum::<u64>();
        used = used.saturating_add(other).saturating_add(self.functions_disk());
        if used <= self.budgets.total {
            return Ok(());
        }
        // Damaged files first: nobody runs them.
        for (name, facts) in inventory::files(self.root, QUARANTINE)? {
            if self.remove(&name, &facts) {
                used = used.saturating_sub(facts.disk);
                self.swept.leftovers += 1;
            }
        }
        // Then functions: without them, a compilation takes longer, but no run compiles.
        while used > goal(self.budgets.total)
            && let Some(freed) = self.remove_pack()
        {
            used = used.saturating_sub(freed);
        }
        for key in self.by_last_use() {
            if used <= goal(self.budgets.total) {
                break;
            }
            used = used.saturating_sub(self.entries.get(&key).map_or(0, Forms::disk));
            self.evict(&key);
        }
        Ok(())
    }

    fn min_free(&mut self) -> io::Result<()> {
        // First what is good for compilations only, then what can be had back from the packed form.
        while self.root.free_space()? < self.budgets.min_free && self.remove_pack().is_some() {}
        for key in self.by_last_use() {
            if self.root.free_space()? >= self.budgets.min_free {
                return Ok(());
            }
            self.demote(&key);
        }
        for key in self.by_last_use() {
            if self.root.free_space()? >= self.budgets.min_free {
                return Ok(());
            }
            self.evict(&key);
        }
        Ok(())
    }

    /// Entries from the future, as a clock that was set back makes them, would be the last to
    /// go for all time.
    fn future(&mut self) {
        for (key, forms) in &self.entries {
            for tier in Tier::ALL {
                if forms.get(tier).is_some_and(|facts| facts.modified.age().is_none()) {
                    let _ = self.root.touch(&tier.file(key), Time::now());
                }
            }
        }
    }

    fn records(&mut self) -> io::Result<()> {
        for (file, facts) in inventory::files(self.root, STAT)? {
            let name = file.trim_start_matches(STAT).trim_start_matches('/');
            let unused = facts.modified.age().is_some_and(|age| age > UNUSED_RECORD);
            let leads_nowhere = || {
                let key = stat_index::target(self.root, name);
                key.is_none_or(|key| !self.entries.contains_key(&key) && !self.is_below(&key))
            };
            // What it leads to may be younger than the list of entries.
            let young = facts.modified.age().is_some_and(|age| age < INTERVAL);
            if unused || (!young && leads_nowhere()) {
                self.swept.records += usize::from(self.remove(&file, &facts));
            }
        }
        Ok(())
    }

    /// Whether the system's directory has the entry.
    fn is_below(&self, key: &Key) -> bool {
        let has = |tier: Tier| self.system?.stat(&tier.file(key)).ok()?;
        Tier::ALL.into_iter().any(|tier| has(tier).is_some())
    }

    /// All keys, the one that was not used for longest first.
    fn by_last_use(&self) -> Vec<Key> {
        let mut keys: Vec<(Time, Key)> =
            self.entries.iter().map(|(key, forms)| (forms.last_use(), *key)).collect();
        keys.sort();
        keys.into_iter().map(|(_, key)| key).collect()
    }

    fn remove(&mut self, name: &str, facts: &Facts) -> bool {
        let removed = self.root.unlink(name).is_ok();
        if removed {
            self.swept.freed += facts.disk;
        }
        removed
    }

    /// Removes the uncompressed form of an entry that also lies there packed.
    fn demote(&mut self, key: &Key) {
        let Some(Forms { hot: Some(hot), packed: Some(packed) }) = self.entries.get(key).copied()
        else {
            return self.evict_hot_only(key);
        };
        if packed.modified < hot.modified {
            let _ = self.root.touch(&Tier::Packed.file(key), hot.modified);
        }
        if self.remove(&Tier::Hot.file(key), &hot) {
            self.swept.demoted += 1;
        }
        if let Some(forms) = self.entries.get_mut(key) {
            forms.hot = None;
            forms.packed = Some(Facts { modified: packed.modified.max(hot.modified), ..packed });
        }
    }

    /// Without its packed form, an entry that loses the other is gone.
    fn evict_hot_only(&mut self, key: &Key) {
        if self.entries.get(key).is_some_and(|forms| forms.hot.is_some()) {
            self.evict(key);
        }
    }

    fn evict(&mut self, key: &Key) {
        let Some(forms) = self.entries.remove(key) else { return };
        let mut gone = false;
        for tier in Tier::ALL {
            if let Some(facts) = forms.get(tier) {
                gone |= self.remove(&tier.file(key), facts);
            }
        }
        self.swept.evicted += usize::from(gone);
    }
}

fn goal(budget: u64) -> u64 {
    budget / 100 * GOAL
}
