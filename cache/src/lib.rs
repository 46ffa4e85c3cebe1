//! Keeps compiled modules on disk, safe to share between processes and never in the way.
//!
//! ```text
//! settings --Recipe--> parts + SHA-256 of the module --KeyParts--> Key
//! Key --get--> hot/ab/<key> (mapped by the caller) | packed/ab/<key> (unpacked once) | miss
//! miss --compile_once--> artifact --put--> packed/ and hot/
//! open file --find_file--> Key, without reading the file
//! ```
//!
//! This crate knows keys and bytes. It compiles nothing and loads nothing; what an artifact holds is
//! between the compiler and the loader. Start reading at [`Cache`].
//!
//! A run of a file goes through it like this:
//!
//! ```
//! use std::{fs, fs::File, io, ops::ControlFlow};
//!
//! use precast_cache::{Cache, CompilerBuild, Host, Outcome, Recipe, Served, sha256};
//! use precast_config::{CacheSettings, CompilerSettings};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("app.wasm");
//! # fs::write(&path, "\0asm\x01\0\0\0")?;
//! # let directory = Some(directory.path().to_owned());
//! # fn compile(wasm: &[u8]) -> io::Result<Vec<u8>> { Ok(wasm.to_vec()) }
//! let cache = Cache::new(&CacheSettings { directory, ..CacheSettings::default() });
//! let build = CompilerBuild { format: 1, version: "1.0".into(), digest: [0; 32] };
//! let recipe = Recipe::new(&build, &Host::detect(), &CompilerSettings::default());
//!
//! let file = File::open(&path)?;
//! let lookup = cache.find_file(&file, &recipe);
//! if let Some(known) = lookup.known()
//!     && let Outcome::Hit(entry) = cache.get(&known.key)
//! {
//!     println!("map {} bytes of {}", entry.len(), entry.path().display());
//!     return Ok(());
//! }
//! let wasm = io::read_to_string(&file)?.into_bytes();
//! let digest = sha256(&wasm);
//! let parts = recipe.with_wasm(&digest);
//! let mut waits = false;
//! let on_wait = |holder: &precast_cache::Holder| {
//!     if !std::mem::replace(&mut waits, true) {
//!         eprintln!("waiting for {}", holder.description);
//!     }
//!     ControlFlow::Continue(())
//! };
//! match cache.compile_once(&parts, "app.wasm", on_wait, || compile(&wasm))? {
//!     Served::Cached(entry) => println!("map {}", entry.path().display()),
//!     Served::Compiled { artifact, .. } => println!("load {} bytes", artifact.len()),
//! }
//! cache.remember(&file, &lookup, &recipe, &digest);
//! // After the run, when nobody waits for it:
//! cache.housekeep_if_due();
//! for warning in cache.take_warnings() {
//!     eprintln!("warning: {warning}");
//! }
//! # Ok(())
//! # }
//! ```

mod archive;
mod cache;
mod catalog;
mod entry;
mod error;
mod functions;
mod hot;
mod housekeeping;
mod inventory;
mod key;
mod layer;
mod lock;
mod lookup;
mod packed;
mod prune;
mod put;
mod recipe;
mod root;
mod stat_index;
mod statistics;
mod temporary;
mod verify;

pub use archive::Import;
pub use cache::Cache;
pub use catalog::{Copy, Details, Explanation, Record, Usage};
pub use entry::{Entry, Miss, Outcome, Tier};
pub use error::{CacheError, Damage, Refusal, Warning};
pub use functions::Functions;
pub use housekeeping::Swept;
pub use key::{Difference, Key, KeyParts, NotAKey, Part};
pub use layer::Origin;
pub use lock::Holder;
pub use prune::Prune;
pub use put::{Addition, Served, Stored, Unserved};
pub use recipe::{CompilerBuild, Host, Recipe};
pub use stat_index::{FileLookup, Known};
pub use statistics::Statistics;
pub use verify::{Finding, Problem, Repair, Verification};

/// The SHA-256 of a module, as keys and artifacts have it.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes).into()
}
