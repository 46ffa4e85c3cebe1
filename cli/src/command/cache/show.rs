//! `precast cache show`: shows one entry.

use clap::Args;
use precast::Result;
use precast::cache::{Copy, Record};

use super::{Scope, record};
use crate::output::{Format, age, duration, hex, print_json, print_text, size, table};

/// Show what an entry is, and everything that its key is made of.
#[derive(Args, Debug)]
pub(crate) struct Show {
    /// The entry's key, or as many of its first digits as only this one has
    key: String,
}

impl Show {
    pub(super) fn execute(self, scope: &Scope) -> Result<()> {
        let record = scope.cache()?.show(&self.key)?;
        match scope.format {
            Format::Json => print_json(&record::json(&record)),
            Format::Text => print_text(&table(&rows(&record))),
        }
    }
}

fn rows(record: &Record) -> Vec<[String; 2]> {
    let row = |name: &str, value: String| [format!("{name}:"), value];
    let copy = |copy: Option<Copy>| match copy {
        Some(Copy { len, disk }) => format!("{}, {} on disk", size(len), size(disk)),
        None => "no".to_owned(),
    };
    let mut rows = vec![
        row("key", record.key.to_string()),
        row("hot", copy(record.hot)),
        row("packed", copy(record.packed)),
        row("used", age(record.last_use)),
    ];
    match &record.details {
        None => rows.push(row("details", "not known: the packed form is not there".to_owned())),
        Some(details) => {
            rows.push(row("source", details.source.clone()));
            rows.push(row("compiled", age(details.created)));
            rows.push(row("took", duration(details.compile_time)));
            rows.push(row("artifact", size(details.artifact_len)));
            rows.push(row("sha-256", hex(&details.artifact_sha256)));
            rows.push(row("parts of the key", String::new()));
            let part =
                |part: &precast::cache::Part| [format!("  {}", part.name), part.value.clone()];
            rows.extend(details.parts.parts().iter().map(part));
        }
    }
    rows
}
