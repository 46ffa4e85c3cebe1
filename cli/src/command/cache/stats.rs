//! `precast cache stats`: says how much the cache is used.

use std::time::Duration;

use clap::Args;
use precast::Result;
use precast::cache::{Statistics, Usage};
use serde_json::json;

use super::Scope;
use crate::output::{Format, duration, print_json, print_text, size, table};

/// Show how much space the cache takes, and how much time it has saved.
///
/// Counted since the cache was made or cleared, over all processes of the user. A process that was
/// killed is not counted.
#[derive(Args, Debug)]
pub(crate) struct Stats {}

impl Stats {
    pub(super) fn execute(self, scope: &Scope) -> Result<()> {
        let cache = scope.cache()?;
        let (statistics, usage) = (cache.statistics()?, cache.usage()?);
        match scope.format {
            Format::Json => print_json(&as_json(&statistics, &usage)),
            Format::Text => print_text(&table(&rows(&statistics, &usage))),
        }
    }
}

fn as_json(statistics: &Statistics, usage: &Usage) -> serde_json::Value {
    json!({
        "entries": usage.entries,
        "hot_entries": usage.hot_entries,
        "hot_disk_bytes": usage.hot_disk,
        "packed_disk_bytes": usage.packed_disk,
        "function_packs": usage.function_packs,
        "functions": usage.functions,
        "functions_disk_bytes": usage.functions_disk,
        "other_disk_bytes": usage.other_disk,
        "hits": statistics.hits(),
        "hot_hits": statistics.hot_hits,
        "packed_hits": statistics.packed_hits,
        "misses": statistics.misses,
        "known_files": statistics.known_files,
        "unknown_files": statistics.unknown_files,
        "puts": statistics.puts,
        "damaged": statistics.damaged,
        "bytes_served": statistics.bytes_served,
        "bytes_added": statistics.bytes_added,
        "saved_ms": statistics.saved_ms,
        "function_hits": statistics.function_hits,
        "function_misses": statistics.function_misses,
    })
}

fn rows(statistics: &Statistics, usage: &Usage) -> Vec<[String; 2]> {
    let Statistics {
        hot_hits,
        packed_hits,
        misses,
        known_files,
        unknown_files,
        puts,
        damaged,
        bytes_served,
        bytes_added,
        saved_ms,
        function_hits,
        function_misses,
    } = *statistics;
    let rate = match statistics.hit_rate() {
        Some(rate) => format!(" ({:.0} % of look-ups)", rate * 100.0),
        None => String::new(),
    };
    let row = |name: &str, value: String| [format!("{name}:"), value];
    vec![
        row("entries", format!("{}, {} of them hot", usage.entries, usage.hot_entries)),
        row(
            "on disk",
            format!(
                "{}: {} hot, {} packed, {} functions, {} other",
                size(usage.disk()),
                size(usage.hot_disk),
                size(usage.packed_disk),
                size(usage.functions_disk),
                size(usage.other_disk)
            ),
        ),
        row(
            "hits",
            format!("{}{rate}: {hot_hits} mapped, {packed_hits} unpacked", statistics.hits()),
        ),
        row("misses", misses.to_string()),
        row("files", format!("{known_files} known without reading, {unknown_files} read")),
        row("served", size(bytes_served)),
        row("added", format!("{puts} modules, {}", size(bytes_added))),
        row("damaged", damaged.to_string()),
        row(
            "functions",
            format!(
                "{} in {} packs; {function_hits} used again, {function_misses} compiled",
                usage.functions, usage.function_packs
            ),
        ),
        row("saved", format!("{} of compiling", duration(Duration::from_millis(saved_ms)))),
    ]
}
