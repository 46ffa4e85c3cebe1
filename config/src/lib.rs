//! Every setting of precast that a user can choose, declared once.
//!
//! [`CompilerSettings`] holds what changes the code that is generated: all of it goes into
//! the artifact's description and into the cache key. [`RuntimeSettings`] holds what matters
//! while compiling or running, [`CacheSettings`] where results are kept. Whoever must see every
//! setting takes the structures apart without `..`, so that a new field is a compile error
//! until it is dealt with there.
//!
//! With the feature `file`, module `file` reads all of them from the user's settings file, whose keys,
//! documentation and defaults come from the same declarations.

mod cache;
mod choice;
mod compiler;
mod features;
#[cfg(feature = "file")]
pub mod file;
mod runtime;
mod section;

pub use cache::{CacheMode, CacheSettings, Promotion};
pub use choice::UnknownChoice;
pub use compiler::{CollectorChoice, CompilerSettings, CpuChoice, OptLevel};
pub use features::{UnknownProposal, WasmFeatures};
pub use runtime::RuntimeSettings;

use choice::choice;

/// All settings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// What changes the code that is generated.
    pub compiler: CompilerSettings,
    /// What matters while compiling or running.
    pub runtime: RuntimeSettings,
    /// Where compiled modules are kept.
    pub cache: CacheSettings,
}
