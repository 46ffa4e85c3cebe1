//! `precast cache ls`: lists the entries.

use std::cmp::Reverse;

use clap::{Args, ValueEnum};
use precast::Result;
use precast::cache::{Origin, Record};

use super::{Scope, record};
use crate::output::{Format, age, print_json, print_text, size, table};

/// List the entries, one compiled module each.
///
/// A `hot` entry lies ready to be mapped, a `packed` one is decompressed when it is used again. The
/// first digits of a key are enough for `precast cache show`.
#[derive(Args, Debug)]
pub(crate) struct Ls {
    /// What comes first
    #[arg(long, value_name = "BY", value_enum, default_value_t = Sort::Use)]
    sort: Sort,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Sort {
    /// What was used last
    Use,
    /// What takes the most space on disk
    Size,
}

impl Ls {
    pub(super) fn execute(self, scope: &Scope) -> Result<()> {
        let mut records = scope.cache()?.list()?;
        if self.sort == Sort::Size {
            records.sort_by_key(|record| Reverse(record.disk()));
        }
        if scope.format == Format::Json {
            return print_json(&records.iter().map(record::json).collect());
        }
        let disk = records.iter().map(Record::disk).sum();
        let entries = if records.len() == 1 { "entry" } else { "entries" };
        let head = ["KEY", "SIZE", "TIER", "USED", "COMPILED", "TARGET", "SOURCE"];
        let mut rows = vec![head.map(str::to_owned)];
        rows.extend(records.iter().map(row));
        let table = if records.is_empty() { String::new() } else { table(&rows) };
        print_text(&format!("{table}{} {entries}, {}\n", records.len(), size(disk)))
    }
}

fn row(record: &Record) -> [String; 7] {
    let details = record.details.as_ref();
    let unknown = || "?".to_owned();
    let source = details.map_or_else(unknown, |details| details.source.clone());
    let layer = if record.origin == Origin::System { " (system)" } else { "" };
    [
        record::short_key(record),
        size(record.disk()),
        record::tier(record).to_owned(),
        age(record.last_use),
        details.map_or_else(unknown, |details| age(details.created)),
        record.target().map_or_else(unknown, str::to_owned),
        format!("{source}{layer}"),
    ]
}
