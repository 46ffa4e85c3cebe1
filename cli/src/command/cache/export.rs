//! `precast cache export`: writes entries into an archive.

use std::fs::File;
use std::path::PathBuf;

use clap::Args;
use precast::Result;
use precast::cache::Key;
use serde_json::json;

use super::Scope;
use crate::context::Context;
use crate::interrupt::Interruptible;
use crate::output::{Format, print_json, print_text};
use crate::publish::publish;

/// Write entries into one archive file, to take them to another machine.
///
/// Entries go there compressed; damaged ones stay here. The same entries make the same bytes.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  precast cache export app.tar            all entries
  precast cache export app.tar 3fae12cd   the entry whose key begins so
  precast cache import app.tar            on the other machine")]
pub(crate) struct Export {
    /// Where to write the archive
    archive: PathBuf,

    /// Keys, or as many of their first digits as only one entry has [default: all entries]
    #[arg(value_name = "KEY")]
    keys: Vec<String>,
}

impl Export {
    pub(super) fn execute(self, scope: &Scope) -> Result<()> {
        let cache = scope.cache()?;
        let key = |prefix: &String| cache.show(prefix).map(|record| record.key);
        let keys = self.keys.iter().map(key).collect::<Result<Vec<Key>, _>>()?;
        let chosen = (!keys.is_empty()).then_some(keys.as_slice());
        let path = self.archive.display();
        let write = |file: &mut File| Ok(cache.export(chosen, &mut Interruptible(file))?);
        let written = publish(&self.archive, write).context(|| format!("cannot write `{path}`"))?;
        match scope.format {
            Format::Json => {
                let keys: Vec<String> = written.iter().map(Key::to_string).collect();
                print_json(&json!({ "archive": self.archive, "entries": keys }))
            }
            Format::Text => print_text(&format!("{} entries written to {path}\n", written.len())),
        }
    }
}
