//! `precast config init`: makes a settings file.

use clap::Args;
use precast::Result;
use precast::settings::file::init;

use super::user_file;
use crate::output::print_text;

/// Make a settings file that explains every setting and changes none.
///
/// A file that is there already stays as it is, and is an error.
#[derive(Args, Debug)]
pub(super) struct Init {}

impl Init {
    pub(super) fn execute(self) -> Result<()> {
        let path = user_file()?;
        init(&path)?;
        print_text(&format!("wrote {}\n", path.display()))
    }
}
