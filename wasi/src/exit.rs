//! How a guest ends itself.

/// The error with which a guest that exits leaves the call it was in.
///
/// It comes out of the function that entered the guest; look for it with
/// `downcast_ref`. Code 0 is success.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("exited with code {0}")]
pub struct I32Exit(
    /// The code that the guest gave.
    pub i32,
);
