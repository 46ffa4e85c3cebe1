//! Runs WebAssembly test scripts, the `.wast` files of the specification's test suite.
//!
//! A script's text is parsed into directives; a session runs them one after the other against
//! one store and keeps the script's modules and instances by name; what it compares and finds
//! different becomes a [`Failure`], and the run goes on with the next directive. An
//! [`Outcome`] holds the failures and the number of assertions.
//!
//! Start reading in `session.rs`. Everything that touches the engine's API is in `world.rs`
//! and `spectest.rs`; the rest compares plain values.
//!
//! ```
//! use precast_wast::{Runner, Setup};
//!
//! let runner = Runner::new(precast::Config::new(), Setup::InMemory)?;
//! let outcome = runner.run(
//!     "add.wast",
//!     r#"(module
//!          (func (export "add") (param i32 i32) (result i32)
//!            (i32.add (local.get 0) (local.get 1))))
//!        (assert_return (invoke "add" (i32.const 1) (i32.const 2)) (i32.const 3))"#,
//! );
//! assert!(outcome.succeeded());
//! assert_eq!(outcome.assertions, 1);
//! # Ok::<(), precast::Error>(())
//! ```

mod message;
mod outcome;
mod pattern;
mod runner;
mod session;
mod setup;
mod spectest;
mod value;
mod world;

pub use outcome::{Failure, Location, Outcome};
pub use runner::Runner;
pub use setup::Setup;
pub use spectest::Print;
