//! `precast cache clear`: removes all entries.

use std::io::{IsTerminal as _, stdin};
use std::path::Path;

use clap::Args;
use precast::{Error, Result};

use super::Scope;
use super::prune::print_swept;
use crate::output::{ask, size};

/// Remove all entries, and everything that is known about their use.
///
/// Asks before it does that. What the system's directory holds stays.
#[derive(Args, Debug)]
pub(crate) struct Clear {
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

impl Clear {
    pub(super) fn execute(self, scope: &Scope) -> Result<()> {
        let cache = scope.cache()?;
        if !self.yes {
            if !stdin().is_terminal() {
                return Err(Error::msg(
                    "nothing was removed: without a terminal to ask on, say so with --yes",
                ));
            }
            let usage = cache.usage()?;
            let disk = size(usage.disk());
            let path = cache.path().unwrap_or(Path::new("")).display();
            if !ask(&format!("Remove {} entries ({disk}) from {path}?", usage.entries))? {
                return Err(Error::msg("nothing was removed"));
            }
        }
        print_swept(scope.format, &cache.clear()?)
    }
}
