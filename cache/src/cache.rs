//! The cache as a whole: which directories it has, and what it has to say.

use std::collections::HashSet;
use std::mem::{Discriminant, discriminant};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use precast_config::{CacheMode, CacheSettings};

use crate::error::{CacheError, Warning};
use crate::layer::{Layer, Origin};
use crate::root::Root;
use crate::statistics::Tally;
use crate::{Key, Tier};

/// Compiled modules on disk, shared between processes.
///
/// It is never in the way of a run: a directory that cannot be used, is full or damaged makes
/// misses, and [`Cache::take_warnings`] says why. Nothing that it holds is ever modified, so
/// what a process has open or mapped stays as it is.
#[derive(Debug)]
pub struct Cache {
    pub(crate) settings: CacheSettings,
    user: Option<Layer>,
    system: Option<Layer>,
    pub(crate) tally: Tally,
    /// Whether it holds more because of this process.
    grown: AtomicBool,
    state: Mutex<State>,
}

/// What a process remembers about its cache.
#[derive(Debug, Default)]
struct State {
    warnings: Vec<Warning>,
    said: HashSet<Discriminant<Warning>>,
    /// Damaged files that could not be moved out of the way.
    distrusted: HashSet<(Origin, Tier, Key)>,
}

impl Cache {
    /// The cache that the settings describe. Without a directory there is none. Touches no
    /// file yet.
    pub fn new(settings: &CacheSettings) -> Cache {
        let mut settings = settings.clone();
        let user = settings.directory.as_deref().map(Layer::below);
        let system = settings.system_directory.as_deref().map(Layer::below);
        if user.is_none() && system.is_none() {
            settings.mode = CacheMode::Off;
        }
        let (tally, grown, state) = (Tally::default(), AtomicBool::new(false), Mutex::default());
        Cache { settings, user, system, tally, grown, state }
    }

    /// A cache in which nothing is found or kept.
    pub fn off() -> Cache {
        Cache::new(&CacheSettings { mode: CacheMode::Off, ..CacheSettings::default() })
    }

    /// What it is used for.
    pub fn mode(&self) -> CacheMode {
        self.settings.mode
    }

    /// Where the user's entries are, if they are anywhere.
    pub fn path(&self) -> Option<&Path> {
        self.user.as_ref().map(Layer::path)
    }

    /// Where the entries are that were put there ahead of time.
    pub fn system_path(&self) -> Option<&Path> {
        self.system.as_ref().map(Layer::path)
    }

    /// What went wrong since the last call. One kind of trouble is reported once, damaged
    /// entries each.
    pub fn take_warnings(&self) -> Vec<Warning> {
        std::mem::take(&mut self.state().warnings)
    }

    pub(crate) fn warn(&self, warning: Warning) {
        let mut state = self.state();
        let repeats = !matches!(warning, Warning::Damaged { .. });
        if state.said.insert(discriminant(&warning)) || !repeats {
            state.warnings.push(warning);
        }
    }

    /// Notes that something was added.
    pub(crate) fn grow(&self) {
        self.grown.store(true, Ordering::Relaxed);
    }

    /// Whether something was added since the last call.
    pub(crate) fn take_grown(&self) -> bool {
        self.grown.swap(false, Ordering::Relaxed)
    }

    /// Whether runs may add to it.
    pub(crate) fn is_writable(&self) -> bool {
        matches!(self.mode(), CacheMode::On | CacheMode::Require) && self.user.is_some()
    }

    pub(crate) fn layer(&self, origin: Origin) -> Option<&Layer> {
        match origin {
            Origin::User => self.user.as_ref(),
            Origin::System => self.system.as_ref(),
        }
    }

    /// The open directory, if there is one and it is safe to use.
    pub(crate) fn open_layer(&self, origin: Origin) -> Option<Root> {
        if self.mode() == CacheMode::Off {
            return None;
        }
        let opened = self.layer(origin)?.open();
        opened.unwrap_or_else(|refusal| {
            self.warn(Warning::Refused(refusal));
            None
        })
    }

    /// The user's directory, made if need be and allowed.
    pub(crate) fn create_layer(&self) -> Option<Root> {
        if !self.is_writable() {
            return None;
        }
        match self.user.as_ref()?.create() {
            Ok(root) => Some(root),
            Err(refusal) => {
                self.warn(Warning::Refused(refusal));
                None
            }
        }
    }

    /// The directories for a command, which wants to know why there is none.
    pub(crate) fn open_all(&self) -> Result<Vec<(Origin, Root)>, CacheError> {
        if self.mode() == CacheMode::Off {
            return Err(CacheError::Off);
        }
        let mut roots = Vec::new();
        for origin in [Origin::User, Origin::System] {
            if let Some(layer) = self.layer(origin)
                && let Some(root) = layer.open()?
            {
                roots.push((origin, root));
            }
        }
        Ok(roots)
    }

    /// The user's directory for a command that changes it; `None` when it does not exist.
    pub(crate) fn open_to_change(&self) -> Result<Option<Root>, CacheError> {
        match self.mode() {
            CacheMode::Off => Err(CacheError::Off),
            CacheMode::ReadOnly => Err(CacheError::ReadOnly),
            CacheMode::On | CacheMode::Require => {
                Ok(self.user.as_ref().ok_or(CacheError::Off)?.open()?)
            }
        }
    }

    pub(crate) fn is_distrusted(&self, origin: Origin, tier: Tier, key: &Key) -> bool {
        self.state().distrusted.contains(&(origin, tier, *key))
    }

    pub(crate) fn distrust(&self, origin: Origin, tier: Tier, key: &Key) {
        self.state().distrusted.insert((origin, tier, *key));
    }

    pub(crate) fn trust_again(&self, tier: Tier, key: &Key) {
        self.state().distrusted.remove(&(Origin::User, tier, *key));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in it can be left half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Cache {
    fn drop(&mut self) {
        self.flush_statistics();
    }
}
