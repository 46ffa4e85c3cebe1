//! Keeps compiled modules on disk, in a directory of the program's own.

use std::sync::Arc;

use precast::cache::Cache;
use precast::settings::CacheSettings;
use precast::{Config, Engine, Module, Result};

pub(crate) fn main() -> Result<()> {
    let directory = tempfile::tempdir()?;
    // `precast::settings::file::user_settings` gives what the user's settings file says, which is
    // what the command uses; here the program decides.
    let settings = CacheSettings {
        directory: Some(directory.path().to_owned()),
        min_free: 0,
        ..CacheSettings::default()
    };
    let cache = Arc::new(Cache::new(&settings));
    let mut config = Config::new();
    config.cache(Some(cache.clone()));
    let engine = Engine::new(&config)?;

    let text = r#"(module (func (export "f") (result i32) (i32.const 1)))"#;
    // Compiled, and kept.
    Module::new(&engine, text)?;
    // Found.
    Module::new(&engine, text)?;

    // A cache is never in the way: what goes wrong with it is a warning, and the module is compiled.
    for warning in cache.take_warnings() {
        eprintln!("warning: {warning}");
    }
    // What nobody waits for.
    cache.housekeep_if_due();
    println!("kept below {}", cache.path().expect("it has a directory").display());
    Ok(())
}
