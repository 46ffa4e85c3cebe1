//! `precast cache prune`: removes entries on demand.

use std::time::Duration;

use bytesize::ByteSize;
use clap::Args;
use precast::cache::{Prune as Conditions, Swept};
use precast::{Error, Result, compiler_build};
use serde_json::json;

use super::Scope;
use crate::interrupt::Deferred;
use crate::output::{Format, print_json, print_text, size};

/// Remove entries, and what processes left that were killed.
///
/// Each option removes on its own. Without any, the cache is brought back within the budgets of the
/// settings, as runs do it from time to time. A process that runs an entry keeps it.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  precast cache prune --older-than 30d
  precast cache prune --max-size 2GiB --other-versions")]
pub(crate) struct Prune {
    /// Remove what was not used for longer than this, such as `30d` or `12h`
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    older_than: Option<Duration>,

    /// Remove what was not used for longest until the rest takes no more than this, such as `2GiB`
    #[arg(long, value_name = "SIZE")]
    max_size: Option<ByteSize>,

    /// Remove what other versions of precast have compiled
    #[arg(long)]
    other_versions: bool,
}

impl Prune {
    pub(super) fn execute(self, scope: &Scope) -> Result<()> {
        let cache = scope.cache()?;
        let Prune { older_than, max_size, other_versions } = self;
        let deferred = Deferred::begin();
        let swept = match (older_than, max_size, other_versions) {
            (None, None, false) => cache.housekeep(),
            _ => cache.prune(&Conditions {
                unused_for: older_than,
                max_size: max_size.map(|size| size.as_u64()),
                other_than: other_versions.then(compiler_build),
            }),
        };
        drop(deferred);
        let swept = swept?.ok_or_else(|| {
            Error::msg("another process tidies the cache up at this moment: try again")
        })?;
        print_swept(scope.format, &swept)
    }
}

/// Says what was removed.
pub(super) fn print_swept(format: Format, swept: &Swept) -> Result<()> {
    let Swept { demoted, evicted, packs, leftovers, records, freed } = *swept;
    match format {
        Format::Json => print_json(&json!({
            "removed_entries": evicted,
            "demoted_entries": demoted,
            "removed_function_packs": packs,
            "removed_leftovers": leftovers,
            "removed_records": records,
            "freed_bytes": freed,
        })),
        Format::Text => {
            let compressed = match demoted {
                0 => String::new(),
                count => format!(", {count} are only kept compressed"),
            };
            print_text(&format!("{evicted} entries removed{compressed}, {} freed\n", size(freed)))
        }
    }
}
