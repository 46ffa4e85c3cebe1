//! Checking everything that lies in the cache.

use std::fmt;
use std::path::PathBuf;

use crate::error::{CacheError, Damage};
use crate::functions;
use crate::hot::Trailer;
use crate::inventory::{self, Inventory};
use crate::layer::STAT;
use crate::lookup::quarantine;
use crate::packed::{self, Packed, UnpackError};
use crate::root::{self, Facts, Root};
use crate::{Cache, Key, Origin, Tier, stat_index, temporary};

/// What to do about what is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repair {
    /// Nothing.
    No,
    /// Damaged entries go to the quarantine, leftovers are removed. Needs a cache that may be
    /// changed; the system's directory is left as it is.
    Yes,
}

/// What a check of the whole cache found.
#[derive(Clone, Debug, Default)]
pub struct Verification {
    /// How many files were sound.
    pub sound: usize,
    /// What was not.
    pub findings: Vec<Finding>,
}

/// Something that is wrong in the cache.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub problem: Problem,
    /// Whether it was put right.
    pub repaired: bool,
}

/// What can be wrong with a file of the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The entry is damaged.
    Entry(Key, Tier, Damage),
    /// A file with compiled functions is damaged.
    Functions(Damage),
    /// The record of a file is damaged.
    Record,
    /// A process left it half written.
    Leftover,
    /// It is nothing that the cache puts there.
    Stray,
}

impl Cache {
    /// Reads every entry, and compares it with its digest.
    ///
    /// # Errors
    ///
    /// When the cache cannot be used, or may not be changed and is to be repaired.
    pub fn verify(&self, repair: Repair) -> Result<Verification, CacheError> {
        if repair == Repair::Yes {
            self.open_to_change()?;
        }
        let mut verification = Verification::default();
        for (origin, root) in self.open_all()? {
            let repair = if origin == Origin::User { repair } else { Repair::No };
            let checking = CacheError::system("check the cache");
            Check { root: &root, repair, verification: &mut verification }
                .run()
                .map_err(checking)?;
        }
        Ok(verification)
    }
}

struct Check<'a> {
    root: &'a Root,
    repair: Repair,
    verification: &'a mut Verification,
}

impl Check<'_> {
    fn run(mut self) -> std::io::Result<()> {
        let inventory = Inventory::of(self.root)?;
        for (key, forms) in &inventory.entries {
            for tier in Tier::ALL {
                if forms.get(tier).is_some() {
                    self.entry(key, tier);
                }
            }
        }
        for pack in functions::packs(self.root)? {
            match functions::check(self.root, &pack.name) {
                Ok(()) => self.verification.sound += 1,
                Err(damage) => {
                    let problem = Problem::Functions(damage);
                    self.found(&pack.name, problem, |root| functions::quarantine(root, &pack.name));
                }
            }
        }
        for stray in inventory.strays {
            // Removing what somebody else put there is not the cache's business.
            self.found(&stray, Problem::Stray, |_| false);
        }
        for temporary in temporary::abandoned(self.root)? {
            let remove = |root: &Root| root.unlink(&temporary.name).is_ok();
            self.found(&temporary.name, Problem::Leftover, remove);
        }
        for (file, _) in inventory::files(self.root, STAT)? {
            let name = file.trim_start_matches(STAT).trim_start_matches('/');
            match stat_index::target(self.root, name) {
                Some(_) => self.verification.sound += 1,
                None => self.found(&file, Problem::Record, |root| root.unlink(&file).is_ok()),
            }
        }
        Ok(())
    }

    fn entry(&mut self, key: &Key, tier: Tier) {
        match check(self.root, key, tier) {
            Ok(()) => self.verification.sound += 1,
            Err(damage) => {
                let problem = Problem::Entry(*key, tier, damage);
                self.found(&tier.file(key), problem, |root| quarantine(root, tier, key));
            }
        }
    }

    fn found(&mut self, name: &str, problem: Problem, repair: impl FnOnce(&Root) -> bool) {
        let path = self.root.path_of(name);
        let repaired = self.repair == Repair::Yes && repair(self.root);
        self.verification.findings.push(Finding { path, problem, repaired });
    }
}

/// Reads a whole entry. One that has gone in the meantime is sound.
fn check(root: &Root, key: &Key, tier: Tier) -> Result<(), Damage> {
    let file = match root.read(&tier.file(key)) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        file => file.map_err(packed::unreadable)?,
    };
    let facts = Facts::of(&file).map_err(packed::unreadable)?;
    if facts.is_foreign(root::user()) {
        return Err(Damage::Foreign);
    }
    match tier {
        Tier::Hot => Trailer::read(&file, facts.len, key)?.verify(&file),
        Tier::Packed => match Packed::open_as(key, file)?.unpack(&mut std::io::sink()) {
            Ok(_) => Ok(()),
            Err(UnpackError::Damage(damage)) => Err(damage),
            Err(UnpackError::Write(error)) => Err(Damage::Unreadable(error.to_string())),
        },
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::Entry(_, tier, damage) => write!(f, "damaged entry ({tier}): {damage}"),
            Problem::Functions(damage) => write!(f, "damaged compiled functions: {damage}"),
            Problem::Record => write!(f, "damaged record of a file"),
            Problem::Leftover => write!(f, "left over by a process that was ended"),
            Problem::Stray => write!(f, "nothing that belongs there"),
        }
    }
}
