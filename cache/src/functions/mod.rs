//! Compiled functions, so that of a module that changed only what changed is compiled.
//!
//! ```text
//! functions/<digest of the recipe>/<digest>: a pack of functions that were compiled in the same way
//! ```
//!
//! A compilation that made functions which were not there publishes them as one new pack, and takes small older
//! packs into it, so that there are few. Like entries, packs appear with all of their content or not at
//! all, are never modified, and go by when they were used last.

mod inventory;
mod pack;

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use zstd::bulk::{Compressor, Decompressor};

use crate::error::{Damage, Warning};
use crate::layer::{FUNCTIONS, QUARANTINE};
use crate::lookup::is_due;
use crate::packed;
use crate::root::{self, Facts, Root, Time};
use crate::temporary::Durability;
use crate::{Cache, Origin, Recipe, key};

pub(crate) use self::inventory::{PackFile, check, count, packs, parts};
use self::pack::{Pack, PackWriter};

/// Packs below this many bytes are taken into the next one.
const SMALL: u64 = 8 << 20;
/// How hard records are compressed: a first compilation waits for it. Below 1, bytes are not coded by frequency, for which
/// each record, a few kilobytes, would need tables of its own.
const LEVEL: i32 = -1;

/// The functions that were compiled by one recipe: those that are there, and those that are new.
///
/// Like the cache, it is never in the way: what cannot be read or written is not there.
pub struct Functions<'a> {
    cache: &'a Cache,
    recipe: &'a Recipe,
    packs: Vec<OpenPack>,
    /// Where new ones go; `None` when nothing may be written, or nothing can be any more.
    root: Option<Arc<Root>>,
    writer: Mutex<Option<PackWriter<Arc<Root>>>>,
    failed: AtomicBool,
    scratch: Mutex<Vec<Scratch>>,
    hits: AtomicU64,
    misses: AtomicU64,
}

struct OpenPack {
    pack: Pack,
    origin: Origin,
    file: PackFile,
    is_used: AtomicBool,
    is_damaged: AtomicBool,
}

/// Memory of one thread for one record after the other.
struct Scratch {
    frame: Vec<u8>,
    compressor: Compressor<'static>,
    decompressor: Decompressor<'static>,
}

impl Cache {
    /// The functions that were compiled by a recipe. None when there are none and none can be kept,
    /// or the settings do not want any.
    pub fn functions<'a>(&'a self, recipe: &'a Recipe) -> Option<Functions<'a>> {
        if !self.settings.functions {
            return None;
        }
        let mut packs = Vec::new();
        for origin in [Origin::User, Origin::System] {
            if let Some(root) = self.open_layer(origin) {
                self.open_packs(&root, origin, recipe, &mut packs);
            }
        }
        let root = self.create_layer().filter(|root| self.has_space(root)).map(Arc::new);
        if root.is_none() && packs.is_empty() {
            return None;
        }
        Some(Functions {
            cache: self,
            recipe,
            packs,
            root,
            writer: Mutex::new(None),
            failed: AtomicBool::new(false),
            scratch: Mutex::default(),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        })
    }

    /// Whether functions may take more of the disk.
    fn has_space(&self, root: &Root) -> bool {
        self.settings.functions_budget > 0
            && root.free_space().is_ok_and(|free| free > self.settings.min_free)
    }

    fn open_packs(&self, root: &Root, origin: Origin, recipe: &Recipe, packs: &mut Vec<OpenPack>) {
        // A folder that cannot be listed has nothing.
        let files = inventory::packs_of(root, &folder(recipe)).unwrap_or_default();
        for file in files {
            match open(root, &file, recipe) {
                Ok(Some(pack)) => packs.push(OpenPack {
                    pack,
                    origin,
                    file,
                    is_used: AtomicBool::new(false),
                    is_damaged: AtomicBool::new(false),
                }),
                Ok(None) => {}
                Err(damage) => self.discard_pack(root, origin, &file, damage),
            }
        }
    }

    fn discard_pack(&self, root: &Root, origin: Origin, file: &PackFile, damage: Damage) {
        if origin == Origin::User && self.is_writable() {
            quarantine(root, &file.name);
        }
        self.tally.damaged();
        self.warn(Warning::DamagedFunctions { path: root.path_of(&file.name), damage });
    }
}

impl Functions<'_> {
    /// Puts the record with this key into `record`, which is empty, and returns whether there is one.
    pub fn get(&self, key: &[u8; 32], record: &mut Vec<u8>) -> bool {
        let found = self.find(key, record);
        let counter = if found { &self.hits } else { &self.misses };
        counter.fetch_add(1, Ordering::Relaxed);
        found
    }

    fn find(&self, key: &[u8; 32], record: &mut Vec<u8>) -> bool {
        for open in &self.packs {
            if open.is_damaged.load(Ordering::Relaxed) {
                continue;
            }
            let Some(slot) = open.pack.find(key) else { continue };
            match self.read(&open.pack, &slot, record) {
                Ok(()) => {
                    open.is_used.store(true, Ordering::Relaxed);
                    return true;
                }
                Err(damage) => {
                    record.clear();
                    if !open.is_damaged.swap(true, Ordering::Relaxed)
                        && let Some(root) = self.cache.open_layer(open.origin)
                    {
                        self.cache.discard_pack(&root, open.origin, &open.file, damage);
                    }
                }
            }
        }
        false
    }

    fn read(&self, pack: &Pack, slot: &pack::Slot, record: &mut Vec<u8>) -> Result<(), Damage> {
        let frame = |error: io::Error| Damage::Frame(error.to_string());
        let mut scratch = self.scratch().map_err(frame)?;
        pack.read(slot, &mut scratch.frame)?;
        record.reserve(slot.content_len as usize);
        let Scratch { frame: bytes, decompressor, .. } = &mut scratch;
        let len = decompressor.decompress_to_buffer(bytes, record).map_err(frame)?;
        self.done(scratch);
        match len == slot.content_len as usize {
            true => Ok(()),
            false => Err(Damage::Truncated),
        }
    }

    /// Adds a record to those that are published later.
    pub fn put(&self, key: &[u8; 32], record: &[u8]) {
        let Some(root) = &self.root else { return };
        if self.failed.load(Ordering::Relaxed) {
            return;
        }
        if let Err(error) = self.add(root, key, record) {
            self.failed.store(true, Ordering::Relaxed);
            self.cache.warn(Warning::FunctionsNotKept(error));
        }
    }

    fn add(&self, root: &Arc<Root>, key: &[u8; 32], record: &[u8]) -> io::Result<()> {
        let Ok(content_len) = u32::try_from(record.len()) else { return Ok(()) };
        let mut scratch = self.scratch()?;
        let Scratch { frame, compressor, .. } = &mut scratch;
        frame.clear();
        frame.reserve(zstd::zstd_safe::compress_bound(record.len()));
        compressor.compress_to_buffer(record, frame)?;
        let mut writer = lock(&self.writer);
        let writer = match &mut *writer {
            Some(writer) => writer,
            none => none.insert(PackWriter::new(Arc::clone(root))?),
        };
        if writer.records_len + frame.len() as u64 <= self.cache.settings.functions_budget {
            writer.add(key, frame, content_len)?;
        }
        self.done(scratch);
        Ok(())
    }

    /// Makes the new functions available to later compilations. Without this, they are lost.
    pub fn publish(self) {
        let cache = self.cache;
        cache
            .tally
            .functions(self.hits.load(Ordering::Relaxed), self.misses.load(Ordering::Relaxed));
        let Some(root) = &self.root else { return };
        for open in self.packs.iter().filter(|open| open.origin == Origin::User) {
            if open.is_used.load(Ordering::Relaxed) && is_due(&open.file.facts) {
                let _ = root.touch(&open.file.name, Time::now());
            }
        }
        let writer = lock(&self.writer).take();
        let Some(writer) = writer.filter(|_| !self.failed.load(Ordering::Relaxed)) else { return };
        if !cache.has_space(root) {
            return;
        }
        if let Err(error) = self.write(root, writer) {
            cache.warn(Warning::FunctionsNotKept(error));
        }
    }

    fn write(&self, root: &Root, mut writer: PackWriter<Arc<Root>>) -> io::Result<()> {
        let small = |open: &&OpenPack| {
            open.origin == Origin::User
                && open.file.facts.len < SMALL
                && !open.is_damaged.load(Ordering::Relaxed)
        };
        let mut taken = Vec::new();
        let mut frame = Vec::new();
        for open in self.packs.iter().filter(small) {
            // What is damaged is found when it is asked for.
            for slot in open.pack.slots() {
                if open.pack.read(&slot, &mut frame).is_ok() {
                    writer.add(&slot.key, &frame, slot.content_len)?;
                }
            }
            taken.push(&open.file.name);
        }
        let (temporary, digest) = writer.finish(self.recipe.digest(), self.recipe.parts())?;
        let name = format!("{}/{}", folder(self.recipe), key::hex(&digest));
        // Readers notice whatever a crash leaves of it.
        temporary.publish(&name, Durability::Lazy)?;
        self.cache.grow();
        for old in taken.into_iter().filter(|old| **old != name) {
            // Whoever has it open keeps it.
            let _ = root.unlink(old);
        }
        Ok(())
    }

    fn scratch(&self) -> io::Result<Scratch> {
        match lock(&self.scratch).pop() {
            Some(scratch) => Ok(scratch),
            None => Ok(Scratch {
                frame: Vec::new(),
                compressor: Compressor::new(LEVEL)?,
                decompressor: Decompressor::new()?,
            }),
        }
    }

    fn done(&self, scratch: Scratch) {
        lock(&self.scratch).push(scratch);
    }
}

/// Where the packs of a recipe are.
fn folder(recipe: &Recipe) -> String {
    format!("{FUNCTIONS}/{}", key::hex(recipe.digest()))
}

/// Opens a pack of a recipe. None when it has gone, or the system has no handle for it.
fn open(root: &Root, file: &PackFile, recipe: &Recipe) -> Result<Option<Pack>, Damage> {
    let Some(pack) = open_any(root, &file.name)? else { return Ok(None) };
    match pack.recipe == *recipe.digest() {
        true => Ok(Some(pack)),
        false => Err(Damage::Parts),
    }
}

/// Opens a pack, whose name must be right.
fn open_any(root: &Root, name: &str) -> Result<Option<Pack>, Damage> {
    let file = match root.read(name) {
        Ok(file) => file,
        Err(error) if root::is_link(&error) => return Err(packed::unreadable(error)),
        Err(_) => return Ok(None),
    };
    let Ok(facts) = Facts::of(&file) else { return Ok(None) };
    if facts.is_foreign(root::user()) {
        return Err(Damage::Foreign);
    }
    let pack = Pack::open(file, facts.len)?;
    match name.ends_with(&key::hex(&pack.digest)) {
        true => Ok(Some(pack)),
        false => Err(Damage::Header),
    }
}

/// Moves a pack out of the way, for somebody to look at.
pub(crate) fn quarantine(root: &Root, name: &str) -> bool {
    let last = name.rsplit('/').next().unwrap_or_default();
    let aside = format!("{QUARANTINE}/{last}-functions-{:x}", Time::now().0);
    root.rename(name, &aside).is_ok() || root.unlink(name).is_ok()
}

/// A panic while a lock is held leaves nothing half done here.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
