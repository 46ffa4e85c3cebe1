//! Compiles WebAssembly to a precast artifact with Cranelift.
//!
//! ```text
//! &[u8] --module--> ParsedModule --work--> CompiledFunction, each --link--> LinkedCode
//!       --compile--> CompilationArtifacts: one ELF image
//! work: function body --translate--> ir::Function --Cranelift--> machine code
//!       function type --trampoline-> ir::Function --Cranelift--> machine code
//! ```
//!
//! [`compile()`] is all of it, and the place to start reading. What a compilation produces
//! depends on the module and the settings only: threads change how long it takes. What
//! generated code and the runtime must agree on is in `precast-artifact`.
//!
//! ```
//! use precast_compiler::{Schedule, compile};
//! use precast_config::CompilerSettings;
//!
//! let wasm = wat::parse_str(r#"(module (func (export "f")))"#)?;
//! let artifact = compile(&wasm, &CompilerSettings::default(), &Schedule::default())?;
//! assert!(artifact.as_bytes().starts_with(b"\x7fELF"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod backlog;
mod build;
mod callees;
mod closed_table;
mod code;
mod compile;
mod error;
pub mod limits;
mod link;
mod listing;
mod memory;
mod module;
mod needed;
mod parsed;
mod reuse;
mod short_jumps;
mod signature;
mod sink;
mod stages;
mod symbol;
mod target;
mod trampoline;
mod translate;
mod trap;
mod work;
mod worker;

pub use build::{BUILD_DIGEST, CRANELIFT_VERSION, VERSION};
pub use compile::{CompilationArtifacts, compile, validate};
pub use error::{CompileError, FunctionName};
pub use listing::{Language, list};
pub use reuse::{FunctionKey, FunctionStore};
pub use stages::{Stage, Stages};
pub use target::{Processor, Setting, SettingKind, TargetInfo, processors, settings, targets};
pub use work::{Progress, Schedule};
