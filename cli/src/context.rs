//! Says of an error what was being done.

use precast::{Error, Result};

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
