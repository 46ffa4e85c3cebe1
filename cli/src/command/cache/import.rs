//! `precast cache import`: adds the entries of an archive.

use std::fs::File;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use precast::Result;
use precast::cache::{self, Key};
use serde_json::json;

use super::{Scope, print_warnings};
use crate::context::Context;
use crate::interrupt::{Deferred, Interruptible};
use crate::output::{Format, print_json, print_text, print_warning};

/// Add the entries of an archive that `precast cache export` wrote.
///
/// Each is compared with its digest and its key before it is added. That finds damage, not malice: runs
/// execute the code of entries, so import only what people made whom you trust. The exit code is 1
/// when an entry was refused.
#[derive(Args, Debug)]
pub(crate) struct Import {
    /// The archive
    archive: PathBuf,
}

impl Import {
    pub(super) fn execute(self, scope: &Scope) -> Result<ExitCode> {
        let cache = scope.cache()?;
        let path = self.archive.display();
        let file = File::open(&self.archive).context(|| format!("cannot read `{path}`"))?;
        let deferred = Deferred::begin();
        let imported = cache.import(&mut Interruptible(file));
        drop(deferred);
        print_warnings(&cache);
        let cache::Import { added, present, refused } =
            imported.context(|| format!("cannot import `{path}`"))?;
        match scope.format {
            Format::Json => {
                let keys = |keys: &[Key]| keys.iter().map(Key::to_string).collect::<Vec<_>>();
                let refused = refused
                    .iter()
                    .map(|(name, damage)| json!({ "name": name, "problem": damage.to_string() }));
                print_json(&json!({
                    "added": keys(&added),
                    "present": keys(&present),
                    "refused": refused.collect::<Vec<_>>(),
                }))?;
            }
            Format::Text => {
                for (name, damage) in &refused {
                    print_warning(&format!("`{name}` is not imported: {damage}"));
                }
                let (added, present) = (added.len(), present.len());
                print_text(&format!("{added} entries added, {present} were there already\n"))?;
            }
        }
        Ok(if refused.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
    }
}
