//! Settings of the cache that keeps compiled modules.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use crate::section::section;
use crate::{UnknownChoice, choice};

section! {
    /// Where compiled modules are kept, and how many of them.
    pub struct CacheSettings as "cache" {
        /// What the cache is used for: `on` reads and fills it, `read-only` writes nothing,
        /// `require` makes a module that is not in it an error, `off` ignores it.
        mode: CacheMode as Choice = CacheMode::On;
        /// The directory below which the cache lies, in `precast/v1`. The platform's directory
        /// for caches when there is none.
        directory: Option<PathBuf> as Folder = None;
        /// A second cache, filled ahead of time, that is only read: for system images.
        system_directory: Option<PathBuf> as Folder = None;
        /// How hard to compress, from 1 (fast) to 22 (small).
        level: i32 as Level = 3;
        /// When a module's code is laid out uncompressed, ready to be mapped: `put` as soon as
        /// it is compiled, `hit` when it is used again.
        promotion: Promotion as Choice = Promotion::Put;
        /// The most disk space for uncompressed code.
        hot_budget: u64 as Size = 4 << 30;
        /// Whether compiled functions are kept as well, so that of a module that changed only what
        /// changed is compiled.
        functions: bool as Switch = true;
        /// The most disk space for compiled functions.
        functions_budget: u64 as Size = 1 << 30;
        /// The most disk space for everything in the cache.
        total_budget: u64 as Size = 10 << 30;
        /// Disk space that the cache leaves free for others.
        min_free: u64 as Size = 1 << 30;
        /// Modules that were not used for so long are dropped.
        max_unused: Duration as Span = Duration::from_secs(90 * 24 * 60 * 60);
        /// How long to wait for another process that compiles the same module before compiling
        /// it here too.
        lock_timeout: Duration as Span = Duration::from_secs(10 * 60);
    }
}

/// What the cache is used for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CacheMode {
    /// Modules are looked up and added.
    #[default]
    On,
    /// Modules are looked up; nothing is written.
    ReadOnly,
    /// A module that is not in the cache is an error.
    Require,
    /// There is no cache.
    Off,
}

/// When an artifact is laid out uncompressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Promotion {
    /// When it is added, so that the next run maps it.
    #[default]
    Put,
    /// When it is used for the first time after that.
    Hit,
}

impl CacheMode {
    const ALL: &[CacheMode] =
        &[CacheMode::On, CacheMode::ReadOnly, CacheMode::Require, CacheMode::Off];

    /// The name in the settings file and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            CacheMode::On => "on",
            CacheMode::ReadOnly => "read-only",
            CacheMode::Require => "require",
            CacheMode::Off => "off",
        }
    }
}

impl Promotion {
    const ALL: &[Promotion] = &[Promotion::Put, Promotion::Hit];

    /// The name in the settings file.
    pub fn name(self) -> &'static str {
        match self {
            Promotion::Put => "put",
            Promotion::Hit => "hit",
        }
    }
}

impl FromStr for CacheMode {
    type Err = UnknownChoice;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        choice(name, Self::ALL, |mode| mode.name())
    }
}

impl FromStr for Promotion {
    type Err = UnknownChoice;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        choice(name, Self::ALL, |promotion| promotion.name())
    }
}

impl fmt::Display for CacheMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Promotion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
