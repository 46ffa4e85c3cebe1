//! `precast cache path`: says where the cache is.

use clap::Args;
use precast::Result;
use precast::settings::file::user_cache_directory;
use serde_json::json;

use super::Scope;
use crate::output::{Format, print_json, print_text};

/// Print where the cache is.
///
/// The directory is that of --cache-dir, else of $PRECAST_CACHE_DIR, else of the settings file, else
/// of the platform; the cache lies below it, in precast/v1. With --json also who chose it, and where
/// the entries of the system are.
#[derive(Args, Debug)]
pub(crate) struct Path {}

impl Path {
    pub(super) fn execute(self, scope: &Scope) -> Result<()> {
        let cache = scope.cache()?;
        let path = cache.path().map(|path| path.display().to_string());
        match scope.format {
            Format::Json => {
                let chosen = user_cache_directory(scope.directory.cache_dir.as_deref())?;
                print_json(&json!({
                    "path": path,
                    "chosen_by": chosen.map(|(_, origin)| origin.to_string()),
                    "exists": cache.path().is_some_and(|path| path.is_dir()),
                    "system_path": cache.system_path(),
                }))
            }
            Format::Text => print_text(&format!("{}\n", path.unwrap_or_default())),
        }
    }
}
