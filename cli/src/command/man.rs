//! `precast man`: writes manual pages.

use std::path::PathBuf;

use clap::{Args, CommandFactory as _};
use precast::Result;

use crate::Arguments;
use crate::context::Context;

/// Write a manual page for each command, as precast.1, precast-run.1 and so on.
#[derive(Args, Debug)]
pub(crate) struct Man {
    /// An existing directory, such as ~/.local/share/man/man1
    directory: PathBuf,
}

impl Man {
    pub(crate) fn execute(self) -> Result<()> {
        clap_mangen::generate_to(Arguments::command(), &self.directory)
            .context(|| format!("cannot write manual pages to `{}`", self.directory.display()))
    }
}
