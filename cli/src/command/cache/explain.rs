//! `precast cache explain`: says why a module is, or is not, in the cache.

use std::path::PathBuf;

use clap::Args;
use precast::cache::Explanation;
use precast::{CodeBuilder, Result};
use serde_json::json;

use super::{Scope, record};
use crate::context::About;
use crate::output::{Format, age, print_json, print_text, size, table};
use crate::session::Session;
use crate::settings_args::SettingsArgs;

/// Explain why a module is, or is not, in the cache.
///
/// An entry is found by its key, which is made of the module's SHA-256, the compiler and every setting
/// that changes code. Give the options that the run has: when the module is not there, the parts are
/// named that differ in the entries that are there of it.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  precast cache explain app.wasm
  precast cache explain -O none --set enable_nan_canonicalization app.wasm
`run --fuel` compiles with `--consume-fuel`, and `run --timeout` with `--epoch-interruption`.")]
pub(crate) struct Explain {
    /// A WebAssembly module, binary or text
    file: PathBuf,

    #[command(flatten)]
    settings: SettingsArgs,
}

impl Explain {
    pub(super) fn execute(self, scope: Scope) -> Result<()> {
        let Scope { mut settings, format, .. } = scope;
        self.settings.apply(&mut settings)?;
        let session = Session::new(settings)?;
        let explanation = CodeBuilder::file(&session.engine, &self.file)?
            .explain()
            .about(&self.file, |path| format!("cannot explain `{path}`"))?;
        match format {
            Format::Json => print_json(&as_json(&explanation)),
            Format::Text => print_text(&self.text(&explanation)),
        }
    }

    fn text(&self, explanation: &Explanation) -> String {
        let file = self.file.display();
        let mut text = match &explanation.found {
            Some(found) => format!(
                "`{file}` is in the cache: {}, {}, used {}.\n",
                record::tier(found),
                size(found.disk()),
                age(found.last_use)
            ),
            None => format!("`{file}` is not in the cache.\n"),
        };
        if explanation.found.is_none() {
            if explanation.others.is_empty() {
                text.push_str("There is no entry of the same module.\n");
            }
            for (other, differences) in &explanation.others {
                let key = record::short_key(other);
                text.push_str(&format!("\nThe entry {key} of the same module differs in:\n"));
                for difference in differences {
                    text.push_str(&format!("  {difference}\n"));
                }
            }
        }
        text.push_str(&format!("\nkey: {}\nmade of:\n", explanation.parts.key()));
        let row = |part: &precast::cache::Part| [format!("  {}", part.name), part.value.clone()];
        text + &table(&explanation.parts.parts().iter().map(row).collect::<Vec<_>>())
    }
}

fn as_json(explanation: &Explanation) -> serde_json::Value {
    let others = explanation.others.iter().map(|(other, differences)| {
        let differences: Vec<_> = differences.iter().map(record::difference).collect();
        json!({ "key": other.key.to_string(), "differences": differences })
    });
    json!({
        "key": explanation.parts.key().to_string(),
        "found": explanation.found.as_ref().map(record::json),
        "parts": record::parts(&explanation.parts),
        "others": others.collect::<Vec<_>>(),
    })
}
