//! `precast config check`: says what is wrong with a settings file.

use std::path::PathBuf;

use clap::Args;
use precast::settings::file::{FILE_VARIABLE, load, location};
use precast::{Error, Result};

use crate::output::print_text;

/// Check a settings file.
///
/// Says of each line what is wrong with it, with the nearest known key for one that is not known; then
/// the exit code is 1.
#[derive(Args, Debug)]
pub(super) struct Check {
    /// The file [default: the user's, if there is one]
    file: Option<PathBuf>,
}

impl Check {
    pub(super) fn execute(self) -> Result<()> {
        let is_named = self.file.is_some();
        let Some(path) = self.file.or_else(location) else {
            return print_text(&format!("there is no settings file: ${FILE_VARIABLE} is empty\n"));
        };
        let path = path.as_path();
        if !path.exists() {
            let message = format!("there is no settings file {}", path.display());
            return if is_named { Err(Error::msg(message)) } else { print_text(&(message + "\n")) };
        }
        load(path)?;
        print_text(&format!("{} is in order\n", path.display()))
    }
}
