//! How wasm stops: traps by signal, errors and panics of the host, and backtraces.
//!
//! ```text
//! fault    -> signals::handle -> land -+-> failure and backtrace noted -> resume at the entry
//! host fn, helper -> false -> raise ---+
//!                                      +-> exception -> handlers::catch -> resume at the handler
//! ```

mod activation;
mod backtrace;
mod code_registry;
mod handlers;
mod references;
mod signals;

pub(crate) use activation::{Failure, enter, raise, record};
pub use backtrace::{FrameInfo, WasmBacktrace};
pub(crate) use code_registry::{CodeRange, deregister, register};
pub(crate) use references::{StackReference, stack_references};
pub(crate) use signals::install as install_signal_handlers;
