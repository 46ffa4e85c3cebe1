//! What a command works with: the user's settings, an engine, the cache.

use std::sync::Arc;

use precast::cache::{Cache, Warning};
use precast::settings::{CacheMode, Settings};
use precast::{CompilerSettings, Config, Engine, Error, Result, RuntimeSettings};

use crate::output;

/// An engine and the cache that it uses.
pub(crate) struct Session {
    pub(crate) engine: Engine,
    pub(crate) cache: Arc<Cache>,
}

impl Session {
    /// An engine with these settings.
    pub(crate) fn new(settings: Settings) -> Result<Session> {
        let Settings { compiler, runtime, cache } = settings;
        let wanted = cache.mode;
        let cache = Arc::new(Cache::new(&cache));
        if wanted == CacheMode::Require && cache.mode() != wanted {
            return Err(Error::msg("the cache is required and has no directory: use --cache-dir"));
        }
        let engine = engine_with(compiler, runtime, &cache)?;
        Ok(Session { engine, cache })
    }

    /// Says what went wrong with the cache since the last time.
    pub(crate) fn print_warnings(&self) {
        self.cache.take_warnings().iter().for_each(output::print_warning);
    }

    /// Leaves the work to another process, which will find out again what this one has to say,
    /// except for damage, which is out of the way now.
    pub(crate) fn hand_over(self) {
        let mut warnings = self.cache.take_warnings();
        warnings.retain(|warning| matches!(warning, Warning::Damaged { .. }));
        warnings.iter().for_each(output::print_warning);
        if warnings.is_empty() {
            self.cache.discard_statistics();
        }
    }

    /// Does what the cache leaves for when nobody waits: to be called after the work.
    pub(crate) fn finish(&self) {
        self.cache.housekeep_if_due();
        self.cache.flush_statistics();
        self.print_warnings();
    }
}

/// An engine that uses this cache.
pub(crate) fn engine_with(
    compiler: CompilerSettings,
    runtime: RuntimeSettings,
    cache: &Arc<Cache>,
) -> Result<Engine> {
    let mut config = Config::from_settings(compiler, runtime);
    config.cache(Some(Arc::clone(cache)));
    Engine::new(&config)
}
