//! Every setting of precast that a user can choose, declared once.
//!
//! [`CompilerSettings`] holds what changes the code that is generated: all of it goes into
//! the artifact's description and into the cache key. [`RuntimeSettings`] holds the rest.
//! Whoever must see every setting takes the structures apart without `..`, so that a new
//! field is a compile error until it is dealt with there.

mod compiler;
mod features;
mod runtime;

pub use compiler::{CompilerSettings, CpuChoice, OptLevel};
pub use features::{UnknownProposal, WasmFeatures};
pub use runtime::RuntimeSettings;
