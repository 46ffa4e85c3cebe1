//! Says of an error what was being done.

use std::path::Path;

use precast::{Error, Result, SourceError};

/// Results whose errors can be told what was being done.
pub(crate) trait Context<T> {
    /// Puts what was being done before the error.
    fn context(self, describe: impl FnOnce() -> String) -> Result<T>;
}

impl<T, E: Into<Error>> Context<T> for std::result::Result<T, E> {
    fn context(self, describe: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|error| error.into().context(describe()))
    }
}

/// Results about a module in a file.
pub(crate) trait About<T> {
    /// Puts what went wrong before the error, unless that is about the file and names it.
    fn about(
        self,
        path: &Path,
        describe: impl FnOnce(std::path::Display<'_>) -> String,
    ) -> Result<T>;
}

impl<T> About<T> for Result<T> {
    fn about(
        self,
        path: &Path,
        describe: impl FnOnce(std::path::Display<'_>) -> String,
    ) -> Result<T> {
        self.map_err(|error| match error.is::<SourceError>() {
            true => error,
            false => error.context(describe(path.display())),
        })
    }
}
