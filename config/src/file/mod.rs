//! The user's settings file: where it is, what it says, and how to write one.
//!
//! ```toml
//! [cache]
//! hot-budget = "8GiB"
//! max-unused = "30d"
//! ```
//!
//! The keys are the fields of the settings structures with `-` for `_`, one section for each
//! structure. A key that does not exist is an error, and so is a value of another kind; [`parse`]
//! reports all of them, with their lines.

mod error;
pub(crate) mod form;
mod location;
mod nearest;
mod parse;
mod project;
mod write;

use toml::de::DeValue;

pub use error::{FileError, Problem};
pub use location::{
    CACHE_VARIABLE, CacheOrigin, FILE_VARIABLE, cache_directory, location, location_from,
    user_cache_directory, user_settings,
};
pub use parse::{load, parse};
pub use project::{Emit, PROJECT_FILE, Project, Recipe, load_project};
pub use write::{init, show, template};

pub(crate) use form::Mismatch;

/// A structure of settings as a section of the file.
pub(crate) trait Section {
    /// The section's name.
    const NAME: &'static str;
    /// Its keys, in the order of the structure.
    const KEYS: &'static [Key];

    /// Sets a field to what the file says.
    fn set(&mut self, field: &str, value: &DeValue<'_>) -> Result<(), Mismatch>;

    /// A field's value as the file would say it; `None` when it is not set.
    fn show(&self, field: &str) -> Option<String>;
}

/// One setting.
pub(crate) struct Key {
    /// The field's name in the structure.
    pub(crate) field: &'static str,
    /// The lines of its documentation, each with a blank in front.
    pub(crate) docs: &'static [&'static str],
}

impl Key {
    /// The name in the file.
    pub(crate) fn name(&self) -> String {
        self.field.replace('_', "-")
    }
}

#[cfg(test)]
mod tests;
