//! `precast config path`: says where the settings file is.

use clap::Args;
use precast::Result;

use super::user_file;
use crate::output::print_text;

/// Print where the settings file is, or would be.
#[derive(Args, Debug)]
pub(super) struct Path {}

impl Path {
    pub(super) fn execute(self) -> Result<()> {
        print_text(&format!("{}\n", user_file()?.display()))
    }
}
