//! Compiles WebAssembly to a precast artifact with Cranelift.

mod error;
mod module;
mod parsed;
mod signature;
mod symbol;
mod target;
mod trap;

pub use error::{CompileError, FunctionName};
pub use target::{Processor, Setting, SettingKind, TargetInfo, processors, settings, targets};
