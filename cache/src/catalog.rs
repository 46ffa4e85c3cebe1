//! Questions about entries: which there are, what one is, why there is none.

use std::time::{Duration, SystemTime};

use crate::error::CacheError;
use crate::functions;
use crate::inventory::{self, Forms, Inventory};
use crate::key::{Difference, Key, KeyParts, WASM_PART};
use crate::packed::{Metadata, Packed};
use crate::root::{Facts, Root};
use crate::{Cache, Origin, Recipe, Tier};

/// What is known about an entry.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Record {
    /// The entry's key.
    pub key: Key,
    /// Whose it is.
    pub origin: Origin,
    /// The uncompressed form, if it lies there.
    pub hot: Option<Copy>,
    /// The compressed form, if it lies there.
    pub packed: Option<Copy>,
    /// When it was used last, give or take an hour.
    pub last_use: SystemTime,
    /// What the compressed form says; `None` without one that can be read.
    pub details: Option<Details>,
}

/// One form of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copy {
    /// Its length, in bytes.
    pub len: u64,
    /// Its space on disk, in bytes.
    pub disk: u64,
}

/// What an entry says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Details {
    /// What was compiled, by the name that it had.
    pub source: String,
    /// When.
    pub created: SystemTime,
    /// How long it took.
    pub compile_time: Duration,
    /// The length of the artifact, in bytes.
    pub artifact_len: u64,
    /// The SHA-256 of the artifact.
    pub artifact_sha256: [u8; 32],
    /// What its key was made of.
    pub parts: KeyParts,
}

/// What the user's cache takes on disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// How many entries there are.
    pub entries: usize,
    /// How many of them lie there uncompressed.
    pub hot_entries: usize,
    /// Space on disk of the uncompressed ones, in bytes.
    pub hot_disk: u64,
    /// Space on disk of the compressed ones, in bytes.
    pub packed_disk: u64,
    /// How many files with compiled functions there are.
    pub function_packs: usize,
    /// How many functions they have.
    pub functions: usize,
    /// Space on disk of these, in bytes.
    pub functions_disk: u64,
    /// Space on disk of what is no entry: records, damaged and temporary files, in bytes.
    pub other_disk: u64,
}

/// Why a module is or is not in the cache.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Explanation {
    /// What its key is made of.
    pub parts: KeyParts,
    /// The entry, if there is one.
    pub found: Option<Record>,
    /// Other entries of the same module, and what is different there: first what is wanted, then what
    /// the entry has. The most similar one comes first.
    pub others: Vec<(Record, Vec<Difference>)>,
}

impl Usage {
    /// Space on disk of everything, in bytes.
    pub fn disk(&self) -> u64 {
        let parts = [self.hot_disk, self.packed_disk, self.functions_disk, self.other_disk];
        parts.into_iter().fold(0, u64::saturating_add)
    }
}

impl Record {
    /// Its space on disk, in bytes.
    pub fn disk(&self) -> u64 {
        [self.hot, self.packed].into_iter().flatten().map(|copy| copy.disk).sum()
    }

    /// The target triple, if the entry says so.
    pub fn target(&self) -> Option<&str> {
        self.details.as_ref()?.parts.get("target")
    }
}

impl Cache {
    /// All entries, the one that was used last first.
    ///
    /// # Errors
    ///
    /// When the cache is off, or its directory cannot be used.
    pub fn list(&self) -> Result<Vec<Record>, CacheError> {
        let mut records = Vec::new();
        for (origin, root) in self.open_all()? {
            let listing = CacheError::system("list the cache");
            let inventory = Inventory::of(&root).map_err(listing)?;
            let record = |(key, forms): (&Key, &Forms)| Record::read(&root, origin, key, forms);
            records.extend(inventory.entries.iter().map(record));
        }
        records.sort_by_key(|record| (std::cmp::Reverse(record.last_use), record.key));
        Ok(records)
    }

    /// The one entry whose key begins so. The user's comes before the system's.
    ///
    /// # Errors
    ///
    /// When there is none, or several.
    pub fn show(&self, prefix: &str) -> Result<Record, CacheError> {
        let mut found = self.list()?;
        found.retain(|record| record.key.to_string().starts_with(prefix));
        found.sort_by_key(|record| (record.key, record.origin == Origin::System));
        found.dedup_by_key(|record| record.key);
        let count = found.len();
        match found.pop() {
            None => Err(CacheError::NoSuchEntry(prefix.to_owned())),
            Some(record) if count == 1 => Ok(record),
            Some(_) => Err(CacheError::Ambiguous { prefix: prefix.to_owned(), count }),
        }
    }

    /// What the user's cache takes on disk.
    ///
    /// # Errors
    ///
    /// When the cache is off, or its directory cannot be used.
    pub fn usage(&self) -> Result<Usage, CacheError> {
        let mut usage = Usage::default();
        for (origin, root) in self.open_all()? {
            if origin == Origin::User {
                let listing = CacheError::system("list the cache");
                for forms in Inventory::of(&root).map_err(&listing)?.entries.into_values() {
                    usage.entries += 1;
                    usage.hot_entries += usize::from(forms.hot.is_some());
                    usage.hot_disk += forms.hot.map_or(0, |facts| facts.disk);
                    usage.packed_disk += forms.packed.map_or(0, |facts| facts.disk);
                }
                for pack in functions::packs(&root).map_err(&listing)? {
                    usage.function_packs += 1;
                    usage.functions += functions::count(&root, &pack.name);
                    usage.functions_disk += pack.facts.disk;
                }
                usage.other_disk = inventory::other_disk(&root).map_err(&listing)?;
            }
        }
        Ok(usage)
    }

    /// What decides about a module, and what of that is different in the other entries of it.
    ///
    /// # Errors
    ///
    /// When the cache is off, or its directory cannot be used.
    pub fn explain(
        &self,
        recipe: &Recipe,
        wasm_sha256: &[u8; 32],
    ) -> Result<Explanation, CacheError> {
        let parts = recipe.with_wasm(wasm_sha256);
        let mut explanation = Explanation { parts, found: None, others: Vec::new() };
        for record in self.list()? {
            let parts = &explanation.parts;
            if record.key == parts.key() {
                explanation.found.get_or_insert(record);
                continue;
            }
            let Some(details) = &record.details else { continue };
            if details.parts.get(WASM_PART) == parts.get(WASM_PART) {
                let differences = parts.differences(&details.parts);
                explanation.others.push((record, differences));
            }
        }
        explanation.others.sort_by_key(|(_, differences)| differences.len());
        Ok(explanation)
    }
}

impl Record {
    pub(crate) fn read(root: &Root, origin: Origin, key: &Key, forms: &Forms) -> Record {
        let copy = |facts: Facts| Copy { len: facts.len, disk: facts.disk };
        let header = || {
            let file = root.read(&Tier::Packed.file(key)).ok()?;
            Some(Packed::open_as(key, file).ok()?.header)
        };
        let details = header().map(|header| {
            let Metadata { source, compile_time, created, parts } = header.metadata;
            let (artifact_len, artifact_sha256) = (header.artifact_len, header.artifact_sha256);
            Details { source, created, compile_time, artifact_len, artifact_sha256, parts }
        });
        Record {
            key: *key,
            origin,
            hot: forms.hot.map(copy),
            packed: forms.packed.map(copy),
            last_use: forms.last_use().into(),
            details,
        }
    }
}
