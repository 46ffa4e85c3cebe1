//! Says of an error what was being done.

use std::fmt::Display;

use super::{Error, Result};

/// Adds to results and options what was being done, for the error that they may hold.
///
/// ```
/// use precast_runtime::error::Context as _;
///
/// fn first(numbers: &str) -> precast_runtime::Result<i32> {
///     let number = numbers.split(' ').next().context("there is no number")?;
///     number.parse().with_context(|| format!("`{number}` is no number"))
/// }
/// assert_eq!(first("7 8").unwrap(), 7);
/// let error = first("x 8").unwrap_err();
/// assert_eq!(format!("{error:#}"), "`x` is no number: invalid digit found in string");
/// ```
pub trait Context<T> {
    /// Puts what was being done before the error.
    ///
    /// # Errors
    ///
    /// The error that there is, or for `None` one that only says this.
    fn context(self, context: impl Display) -> Result<T>;

    /// As [`Context::context`]; made only when there is an error.
    ///
    /// # Errors
    ///
    /// As [`Context::context`].
    fn with_context<C: Display>(self, context: impl FnOnce() -> C) -> Result<T>;
}

impl<T, E: Into<Error>> Context<T> for std::result::Result<T, E> {
    fn context(self, context: impl Display) -> Result<T> {
        self.map_err(|error| error.into().context(context))
    }

    fn with_context<C: Display>(self, context: impl FnOnce() -> C) -> Result<T> {
        self.map_err(|error| error.into().context(context()))
    }
}

impl<T> Context<T> for Option<T> {
    fn context(self, context: impl Display) -> Result<T> {
        self.ok_or_else(|| Error::msg(context))
    }

    fn with_context<C: Display>(self, context: impl FnOnce() -> C) -> Result<T> {
        self.ok_or_else(|| Error::msg(context()))
    }
}

/// An [`Error`](crate::Error) that has this message, which is written as for [`format!`].
#[macro_export]
macro_rules! format_err {
    ($($message:tt)*) => {
        $crate::Error::msg(::std::format!($($message)*))
    };
}

/// Returns from the function with an error that has this message.
#[macro_export]
macro_rules! bail {
    ($($message:tt)*) => {
        return ::std::result::Result::Err($crate::format_err!($($message)*))
    };
}

/// Returns from the function with an error that has this message, unless the condition holds.
///
/// ```
/// fn half(number: i32) -> precast_runtime::Result<i32> {
///     precast_runtime::ensure!(number % 2 == 0, "{number} is odd");
///     Ok(number / 2)
/// }
/// assert_eq!(half(4).unwrap(), 2);
/// assert_eq!(half(3).unwrap_err().to_string(), "3 is odd");
/// ```
#[macro_export]
macro_rules! ensure {
    ($condition:expr, $($message:tt)*) => {
        if !$condition {
            $crate::bail!($($message)*);
        }
    };
}
