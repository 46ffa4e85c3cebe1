//! What modules and stores share.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::config::{Config, SignalHandlers};
use crate::error::Result;
use crate::pool::{InstanceAllocationStrategy, Pool};
use crate::trap;
use crate::types::TypeRegistry;

/// Settings, and the types of all modules and host functions that were made with it.
///
/// Cloning it makes another handle to the same engine. Modules, linkers and stores work
/// together when they were made with the same engine. It can be used from all threads.
#[derive(Clone)]
pub struct Engine(Arc<EngineInner>);

struct EngineInner {
    config: Config,
    types: TypeRegistry,
    epoch: AtomicU64,
    pool: Option<Arc<Pool>>,
    /// Made when the first module is looked up.
    #[cfg(feature = "cache")]
    recipe: std::sync::OnceLock<precast_cache::Recipe>,
}

impl Engine {
    /// An engine with these settings.
    ///
    /// # Errors
    ///
    /// When the signal handlers cannot be installed.
    pub fn new(config: &Config) -> Result<Engine> {
        if config.get_signal_handlers() == SignalHandlers::Install {
            trap::install_signal_handlers()?;
        }
        Ok(Engine(Arc::new(EngineInner {
            config: config.clone(),
            types: TypeRegistry::default(),
            epoch: AtomicU64::new(0),
            pool: match config.get_allocation_strategy() {
                InstanceAllocationStrategy::OnDemand => None,
                InstanceAllocationStrategy::Pooling(config) => Some(Pool::new(config)),
            },
            #[cfg(feature = "cache")]
            recipe: Default::default(),
        })))
    }

    /// The settings that it was made with.
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// Everything besides the module that decides which entry of a cache is its.
    #[cfg(feature = "cache")]
    pub(crate) fn cache_recipe(&self) -> &precast_cache::Recipe {
        let settings = self.config().compiler_settings();
        self.0.recipe.get_or_init(|| crate::module::recipe(settings))
    }

    /// Whether two handles are to the same engine.
    pub fn same(a: &Engine, b: &Engine) -> bool {
        Arc::ptr_eq(&a.0, &b.0)
    }

    /// Begins the next epoch.
    ///
    /// Wasm that was compiled with [`Config::epoch_interruption`] compares the epoch with
    /// the deadline of its store where functions and rounds of loops begin, so that it stops soon
    /// after the deadline was reached. This may be called from any thread, and from signal
    /// handlers.
    pub fn increment_epoch(&self) {
        self.0.epoch.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn epoch(&self) -> &AtomicU64 {
        &self.0.epoch
    }

    /// What instances share, if they do.
    pub(crate) fn pool(&self) -> Option<&Arc<Pool>> {
        self.0.pool.as_ref()
    }

    pub(crate) fn types(&self) -> &TypeRegistry {
        &self.0.types
    }
}

impl Default for Engine {
    /// An engine with the default settings.
    ///
    /// # Panics
    ///
    /// When the signal handlers cannot be installed, which no supported system refuses.
    fn default() -> Engine {
        Engine::new(&Config::default()).expect("the default engine works everywhere")
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("config", self.config()).finish_non_exhaustive()
    }
}
