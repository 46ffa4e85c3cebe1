//! The options that choose the cache.

use std::path::PathBuf;

use clap::Args;
use precast::settings::{CacheMode, CacheSettings};

/// Options that choose a cache and what it is used for.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Cache")]
pub(crate) struct CacheArgs {
    /// What the cache of compiled modules is used for: `on`; `read-only`, nothing is written;
    /// `require`, what is not in it is an error; `off` [default: on, or the settings file's]
    #[arg(long = "cache", value_name = "MODE")]
    mode: Option<CacheMode>,

    /// Compile without the cache, as with --cache=off
    #[arg(long, conflicts_with = "mode")]
    no_cache: bool,

    /// Neither use nor keep compiled functions: compile a module that changed as a whole
    #[arg(long)]
    no_reuse: bool,

    #[command(flatten)]
    directory: CacheDirArgs,
}

/// The option that chooses where the cache is.
#[derive(Args, Clone, Debug)]
pub(crate) struct CacheDirArgs {
    /// The directory below which the cache lies, in precast/v1
    /// [default: $PRECAST_CACHE_DIR, the settings file's, or the platform's]
    #[arg(long, value_name = "DIR", global = true)]
    pub(crate) cache_dir: Option<PathBuf>,
}

impl CacheArgs {
    /// Changes what the options ask for.
    pub(crate) fn apply(&self, settings: &mut CacheSettings) {
        let CacheArgs { mode, no_cache, no_reuse, directory } = self;
        if let Some(mode) = mode {
            settings.mode = *mode;
        }
        if *no_cache {
            settings.mode = CacheMode::Off;
        }
        settings.functions &= !no_reuse;
        directory.apply(settings);
    }
}

impl CacheDirArgs {
    /// Changes what the option asks for.
    pub(crate) fn apply(&self, settings: &mut CacheSettings) {
        if let Some(directory) = &self.cache_dir {
            settings.directory = Some(directory.clone());
        }
    }
}
