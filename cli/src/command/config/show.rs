//! `precast config show`: shows what is set.

use clap::Args;
use precast::Result;
use precast::settings::file::{show, user_settings};

use crate::output::print_text;

/// Print every setting in the form of the file: what that says, with the cache's directory as the
/// environment or the platform has it, and defaults for all else.
#[derive(Args, Debug)]
pub(super) struct Show {}

impl Show {
    pub(super) fn execute(self) -> Result<()> {
        print_text(&show(&user_settings()?))
    }
}
