//! Ahead-of-time WebAssembly: compile once, start at once.
//!
//! ```text
//! wasm --Engine::precompile_module--> artifact --Module::deserialize_file--> Module
//! wasm --Module::new----------------------------------------------------^
//! Module --Linker, Instance--> Store --TypedFunc--> calls
//! ```
//!
//! This crate is `precast-runtime` with its compiler, and [`wasi`]. A program that only runs
//! artifacts can switch the feature `compiler` off.
//!
//! ```
//! # #[cfg(all(feature = "compiler", feature = "wat"))] {
//! use precast::{Engine, Linker, Module, Store};
//!
//! let engine = Engine::default();
//! let module = Module::new(&engine, r#"
//!     (module
//!         (import "host" "double" (func $double (param i32) (result i32)))
//!         (func (export "run") (result i32) (call $double (i32.const 21))))
//! "#)?;
//! let mut linker = Linker::new(&engine);
//! linker.func_wrap("host", "double", |x: i32| x * 2)?;
//! let mut store = Store::new(&engine, ());
//! let instance = linker.instantiate(&mut store, &module)?;
//! let run = instance.get_typed_func::<(), i32>(&mut store, "run")?;
//! assert_eq!(run.call(&mut store, ())?, 42);
//! # }
//! # Ok::<(), precast::Error>(())
//! ```

pub use precast_artifact as artifact;
#[cfg(feature = "cache")]
pub use precast_cache as cache;
#[cfg(feature = "compiler")]
pub use precast_compiler as compiler;
pub use precast_config as settings;
pub use precast_runtime::*;

/// The WebAssembly system interface, preview 1.
#[cfg(feature = "wasi")]
pub mod wasi {
    pub use precast_wasi::*;
}
