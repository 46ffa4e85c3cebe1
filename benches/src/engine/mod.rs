//! What the benches ask of an engine; one file for each engine.

use std::path::Path;

use anyhow::{Result, bail};

mod heap;
#[cfg(feature = "precast")]
mod precast;
#[cfg(feature = "wasmtime")]
mod wasmtime;

pub use heap::{ALIVE, Heap, Work};

#[cfg(feature = "precast")]
pub use precast::warm;

/// Compiles through a cache, which needs precast.
///
/// # Errors
///
/// Always.
#[cfg(not(feature = "precast"))]
pub fn warm(_: &Path, _: bool, _: Option<usize>, _: &Path) -> Result<()> {
    bail!("this program was built without precast")
}

/// An engine with one configuration.
pub trait Engine {
    /// Its name in the tables and on the command line.
    fn name(&self) -> &'static str;

    /// Compiles the module in one file into an artifact in another.
    ///
    /// # Errors
    ///
    /// When the module is not accepted, or a file cannot be read or written.
    fn compile(&self, wasm: &Path, artifact: &Path) -> Result<()>;

    /// Loads an artifact that [`compile`](Engine::compile) of the same engine has written.
    ///
    /// # Errors
    ///
    /// When the artifact is refused.
    fn load(&self, artifact: &Path) -> Result<Box<dyn Program>>;
}

/// A module that can be instantiated.
pub trait Program {
    /// Makes what an embedder that serves requests makes beforehand: resolves the imports, all of which trap when
    /// they are called.
    ///
    /// # Errors
    ///
    /// When an import cannot be provided in this way.
    fn prepare(&self) -> Result<Box<dyn Instances + '_>>;

    /// Makes one instance for the calls of `calls.wat`.
    ///
    /// # Errors
    ///
    /// When the module is another one.
    fn calls(&self) -> Result<Box<dyn Calls + '_>>;

    /// Makes one instance of [`Work::module`], with the objects that are to be alive.
    ///
    /// # Errors
    ///
    /// When the module is another one.
    fn heap(&self, work: Work) -> Result<Box<dyn Heap + '_>>;

    /// Makes an instance as a WASI command that inherits the standard streams.
    ///
    /// # Errors
    ///
    /// When it imports what WASI preview 1 does not have.
    fn command(&self, arguments: &[String], directory: Option<&Path>) -> Result<Box<dyn RunOnce>>;
}

/// Instances of one module, one at a time.
pub trait Instances {
    /// Makes a store and an instance and drops both.
    ///
    /// # Errors
    ///
    /// When the module's own initialisation fails.
    fn one(&mut self) -> Result<()>;
}

/// An instance that runs once.
pub trait RunOnce {
    /// Runs `_start` to its end.
    ///
    /// # Errors
    ///
    /// When it traps or ends with an exit code other than 0.
    fn run(self: Box<Self>) -> Result<()>;
}

/// Calls between host and wasm.
pub trait Calls {
    /// Makes `n` calls of one kind.
    ///
    /// # Errors
    ///
    /// When a call traps.
    fn repeat(&mut self, call: Call, n: u32) -> Result<()>;
}

/// The kinds of calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// Host to wasm, no arguments, types known to Rust.
    In,
    /// Host to wasm, no arguments, types checked at run time.
    InUntyped,
    /// Host to wasm, three arguments and a result.
    InArguments,
    /// Host to wasm, an `externref` that comes back.
    InReference,
    /// Wasm to host, no arguments, types known to Rust.
    Out,
    /// Wasm to host, no arguments, types checked at run time.
    OutUntyped,
    /// Wasm to host, three arguments and a result.
    OutArguments,
    /// Wasm to host, an `externref` that comes back.
    OutReference,
}

impl Call {
    /// All kinds.
    pub const ALL: [Call; 8] = [
        Call::In,
        Call::InUntyped,
        Call::InArguments,
        Call::InReference,
        Call::Out,
        Call::OutUntyped,
        Call::OutArguments,
        Call::OutReference,
    ];

    /// What the table calls it.
    pub fn name(self) -> &'static str {
        match self {
            Call::In => "host to wasm",
            Call::InUntyped => "host to wasm, untyped",
            Call::InArguments => "host to wasm, (i32 i64 f64) -> i64",
            Call::InReference => "host to wasm, externref there and back",
            Call::Out => "wasm to host",
            Call::OutUntyped => "wasm to host, untyped",
            Call::OutArguments => "wasm to host, (i32 i64 f64) -> i64",
            Call::OutReference => "wasm to host, externref there and back",
        }
    }
}

/// How an engine is set up.
#[derive(Clone, Copy, Debug, Default)]
pub struct Setup {
    /// Where instances come from.
    pub instances: Allocation,
    /// How references are managed.
    pub references: References,
    /// For which CPU it compiles.
    pub cpu: Cpu,
    /// Whether functions can become a part of their callers.
    pub inlining: Inlining,
    /// How hard it optimises.
    pub effort: Effort,
    /// Threads that compile; `None` for as many as there are CPUs.
    pub jobs: Option<usize>,
}

/// Where instances come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Allocation {
    /// Memory is reserved for each and released with it.
    #[default]
    Fresh,
    /// Slots are reserved once and reset for the next instance.
    Pooled,
}

/// How references are managed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum References {
    /// They are counted.
    #[default]
    Counted,
    /// What they refer to is copied.
    Copied,
}

/// Slots of a pool, and what fits into one: enough for every program of the benches.
#[cfg(any(feature = "precast", feature = "wasmtime"))]
const SLOTS: u32 = 16;
/// Bytes of an instance without its memories and tables.
#[cfg(any(feature = "precast", feature = "wasmtime"))]
const INSTANCE_BYTES: usize = 32 << 20;
/// Elements of a table.
#[cfg(any(feature = "precast", feature = "wasmtime"))]
const TABLE_ELEMENTS: usize = 1 << 18;

/// For which CPU code is compiled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cpu {
    /// This machine's.
    #[default]
    Host,
    /// The least one of its architecture, which valgrind can run.
    Baseline,
}

/// Whether functions can become a part of their callers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Inlining {
    /// As the engine has it without being asked.
    #[default]
    Default,
    /// Every call is a call.
    Off,
}

/// How hard an engine optimises.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Effort {
    /// As the engine does without being asked.
    #[default]
    Default,
    /// As little as it can.
    Least,
}

/// The engines of this build, ours first.
pub const NAMES: &[&str] = &[
    #[cfg(feature = "precast")]
    precast::NAME,
    #[cfg(feature = "wasmtime")]
    wasmtime::NAME,
];

/// The engines whose code is compared, ours first.
pub const COMPILERS: &[&str] = &[
    #[cfg(feature = "precast")]
    precast::NAME,
    #[cfg(feature = "precast")]
    precast::NAME_WITHOUT_INLINING,
    #[cfg(feature = "wasmtime")]
    wasmtime::NAME,
];

/// Engines that are measured when they are asked for by name.
pub const ON_REQUEST: &[&str] = &[
    #[cfg(feature = "precast")]
    precast::NAME_UNOPTIMIZED,
];

/// The engine that others are compared with.
pub const BASE: &str = "wasmtime";

/// Makes an engine.
///
/// # Errors
///
/// When there is none of this name, or it cannot be set up like this.
#[cfg_attr(not(any(feature = "precast", feature = "wasmtime")), expect(unused_variables))]
pub fn by_name(name: &str, setup: Setup) -> Result<Box<dyn Engine>> {
    match name {
        #[cfg(feature = "precast")]
        precast::NAME => precast::engine(setup),
        #[cfg(feature = "precast")]
        precast::NAME_WITHOUT_INLINING => {
            precast::engine(Setup { inlining: Inlining::Off, ..setup })
        }
        #[cfg(feature = "precast")]
        precast::NAME_UNOPTIMIZED => precast::engine(Setup { effort: Effort::Least, ..setup }),
        #[cfg(feature = "wasmtime")]
        wasmtime::NAME => wasmtime::engine(setup),
        _ => bail!("this build has no engine `{name}`"),
    }
}
