//! Instantiates and runs precast artifacts.
//!
//! ```text
//! artifact --loader--> Module --Instance::new--> Instance in a Store --Func--> calls
//!                                  ^                                 |
//!                    Linker, Extern: imports              Trap, Error, WasmBacktrace
//! ```
//!
//! Names and shapes are those that embedders know from wasmtime. An [`Engine`] holds settings and
//! types; a [`Store`] owns instances and all that they use; [`Func`], [`Memory`], [`Table`] and
//! [`Global`] are handles into one. Where to start reading: `instance/instantiate.rs` for how a
//! module comes to life, `func/mod.rs` for calls, `trap/mod.rs` for how they end early,
//! `helpers/mod.rs` for what generated code asks for.
//!
//! With feature `compiler`, `Module::new` compiles, and with feature `cache` it keeps the result
//! when the engine's [`Config`] says where; without them, artifacts are loaded and no compiler is
//! linked:
//!
//! | from | with | because |
//! | --- | --- | --- |
//! | a file | [`Module::deserialize_file`] | `unsafe`: native code runs, so the caller trusts who can write it |
//! | bytes | [`Module::deserialize`] | `unsafe`, likewise |
//! | the program itself | [`Module::from_static`], [`include_artifact!`](crate::include_artifact!) | `unsafe`, likewise; nothing is copied |
//! | a signed file or bytes | `Module::from_signed_file`, `Module::from_signed` | safe: a trusted key vouches for it (feature `signatures`) |
//!
//! ```
//! use precast_runtime::{Caller, Engine, Func, Store};
//!
//! let engine = Engine::default();
//! let mut store = Store::new(&engine, Vec::new());
//! let log = Func::wrap(&mut store, |mut caller: Caller<'_, Vec<i32>>, value: i32| {
//!     caller.data_mut().push(value);
//! });
//! log.typed::<i32, ()>(&store)?.call(&mut store, 7)?;
//! assert_eq!(store.data()[..], [7]);
//! # Ok::<(), precast_runtime::Error>(())
//! ```

mod arch;
mod config;
mod engine;
pub mod error;
mod exception;
mod func;
mod gc;
mod global;
mod heap;
mod helpers;
mod instance;
mod limits;
mod linker;
mod memory;
mod module;
mod pool;
mod store;
mod table;
mod tag;
mod trap;
mod types;
mod value;
mod vm;

pub use config::{Config, SignalHandlers};
pub use engine::Engine;
pub use error::{Error, ErrorKind, LimitError, LinkError, ModuleError, Result, TypeError};
pub use exception::{ExnRef, ThrownException};
pub use func::{
    Caller, Func, IntoFunc, TypedFunc, ValueList, WasmParams, WasmResults, WasmRet, WasmTy,
};
#[doc(hidden)]
pub use func::{HostFuncOf, ValueStore};
pub use gc::{AnyRef, ArrayRef, ArrayRefPre, EqRef, I31, StructRef, StructRefPre};
pub use global::Global;
/// A handle that is good until its scope ends. Handles such as [`ExternRef`] are that by themselves; this
/// is the type under which programs for wasmtime know them.
pub type Rooted<T> = T;

pub use heap::{ExternRef, Handle, OwnedRooted, RootScope};
pub use instance::{Export, Extern, Instance, InstancePre};
pub use limits::{ResourceLimiter, StoreLimits, StoreLimitsBuilder};
pub use linker::Linker;
pub use memory::{
    GuestRange, Memory, MemoryAccessError, MemoryView, OutOfBounds, SharedMemory, WaitResult,
};
#[cfg(feature = "compiler")]
pub use module::{CodeBuilder, SourceError};
pub use module::{LoadOptions, Module};
#[cfg(feature = "cache")]
pub use module::{Warmed, compiler_build};
pub use pool::{InstanceAllocationStrategy, PoolingAllocationConfig};
pub use precast_artifact::container::{ContainedImage, NoneFits};
#[cfg(feature = "signatures")]
pub use precast_artifact::container::{KeyError, PublicKey, SecretKey, SignatureError};
pub use precast_artifact::description::Collector;
pub use precast_artifact::trap::Trap;
pub use precast_config::{
    CollectorChoice, CompilerSettings, CpuChoice, OptLevel, RuntimeSettings, WasmFeatures,
};
pub use precast_loader::{LoadError, PageAligned, Placement, StaticArtifact};
pub use store::{AsContext, AsContextMut, Store, StoreContext, StoreContextMut, UpdateDeadline};
pub use table::Table;
pub use tag::Tag;
pub use trap::{FrameInfo, WasmBacktrace};
pub use types::{
    ArrayType, ExportType, ExternType, FieldType, Finality, FuncType, GlobalType, HeapType,
    ImportType, MemoryType, Mutability, RefType, StorageType, StructType, TableType, TagType,
    ValType,
};
pub use value::{Ref, Val};

/// What is promised about threads, checked by the compiler.
const _: () = {
    const fn send_and_sync<T: Send + Sync>() {}
    send_and_sync::<Engine>();
    send_and_sync::<Module>();
    send_and_sync::<Linker<std::cell::Cell<u8>>>();
    send_and_sync::<InstancePre<std::cell::Cell<u8>>>();
    send_and_sync::<Store<u8>>();
    send_and_sync::<(OwnedRooted<ExternRef>, OwnedRooted<ExnRef>)>();
    send_and_sync::<(Instance, Func, Memory, Table, Global, Tag, ExternRef, Extern, Val, Ref)>();
    send_and_sync::<TypedFunc<Option<Func>, i32>>();
    send_and_sync::<Error>();
    const fn send<T: Send>() {}
    send::<Store<std::cell::Cell<u8>>>();
};
