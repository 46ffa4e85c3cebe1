//! What an engine is made with.

mod proposals;

#[cfg(feature = "cache")]
use std::sync::Arc;

use precast_artifact::description::Collector;
#[cfg(feature = "cache")]
use precast_cache::Cache;
use precast_config::{CollectorChoice, CompilerSettings, CpuChoice, OptLevel, RuntimeSettings};

use crate::pool::InstanceAllocationStrategy;

/// The settings of an [`Engine`](crate::Engine). Those that change code matter only to modules
/// that the engine compiles.
#[derive(Clone, Debug, Default)]
pub struct Config {
    compiler: CompilerSettings,
    runtime: RuntimeSettings,
    signal_handlers: SignalHandlers,
    allocation_strategy: InstanceAllocationStrategy,
    #[cfg(feature = "cache")]
    cache: Option<Arc<Cache>>,
    stress: bool,
}

/// Whether faults of wasm code are caught by signal handlers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SignalHandlers {
    /// Handlers for SIGSEGV, SIGBUS, SIGILL and SIGFPE are installed once per process, when the
    /// first engine that wants them is made. What is not a fault of wasm code goes on to the
    /// handlers that were there before. A program that installs its own handlers later must
    /// call the earlier ones for faults that it does not know.
    #[default]
    Install,
    /// No handlers: a trap that the processor detects (most of them are) ends the program,
    /// unless the program has its own arrangement. For hosts that may not touch signals and run
    /// only code that they trust not to trap.
    Leave,
}

impl Config {
    /// The default settings.
    pub fn new() -> Config {
        Config::default()
    }

    /// Settings made elsewhere, from a file for example.
    pub fn from_settings(compiler: CompilerSettings, runtime: RuntimeSettings) -> Config {
        Config { compiler, runtime, ..Config::default() }
    }

    /// The settings that change code.
    pub fn compiler_settings(&self) -> &CompilerSettings {
        &self.compiler
    }

    /// The settings that change code, to be changed.
    pub fn compiler_settings_mut(&mut self) -> &mut CompilerSettings {
        &mut self.compiler
    }

    /// The settings that matter only while compiling or running.
    pub fn runtime_settings(&self) -> &RuntimeSettings {
        &self.runtime
    }

    /// The settings that matter only while compiling or running, to be changed.
    pub fn runtime_settings_mut(&mut self) -> &mut RuntimeSettings {
        &mut self.runtime
    }

    /// Whether faults of wasm code are caught.
    pub fn get_signal_handlers(&self) -> SignalHandlers {
        self.signal_handlers
    }

    /// Chooses whether faults of wasm code are caught by signal handlers.
    pub fn signal_handlers(&mut self, signal_handlers: SignalHandlers) -> &mut Config {
        self.signal_handlers = signal_handlers;
        self
    }

    /// How instances get their memories.
    pub fn get_allocation_strategy(&self) -> &InstanceAllocationStrategy {
        &self.allocation_strategy
    }

    /// Chooses how instances get their memories: reserved for each, which is the default, or from a
    /// pool.
    ///
    /// ```
    /// use precast_runtime::{Config, Engine, PoolingAllocationConfig};
    ///
    /// let mut pool = PoolingAllocationConfig::new();
    /// pool.total_memories(64).max_memory_size(256 << 20);
    /// let engine = Engine::new(Config::new().allocation_strategy(pool))?;
    /// # Ok::<(), precast_runtime::Error>(())
    /// ```
    pub fn allocation_strategy(
        &mut self,
        strategy: impl Into<InstanceAllocationStrategy>,
    ) -> &mut Config {
        self.allocation_strategy = strategy.into();
        self
    }

    /// The cache in which compiled modules are kept.
    #[cfg(feature = "cache")]
    pub fn get_cache(&self) -> Option<&Arc<Cache>> {
        self.cache.as_ref()
    }

    /// Keeps compiled modules in a cache. Without one, which is the default, every module is
    /// compiled.
    ///
    /// The cache's warnings and its housekeeping are left to the caller:
    /// [`Cache::take_warnings`], [`Cache::housekeep_if_due`].
    #[cfg(feature = "cache")]
    pub fn cache(&mut self, cache: Option<Arc<Cache>>) -> &mut Config {
        self.cache = cache;
        self
    }

    /// The target triple to compile for, instead of this machine's.
    pub fn target(&mut self, triple: &str) -> &mut Config {
        self.compiler.target = Some(triple.to_owned());
        self
    }

    /// The processor to compile for.
    pub fn cpu(&mut self, cpu: CpuChoice) -> &mut Config {
        self.compiler.cpu = cpu;
        self
    }

    /// How hard to optimise.
    pub fn cranelift_opt_level(&mut self, level: OptLevel) -> &mut Config {
        self.compiler.opt_level = level;
        self
    }

    /// Sets a flag of the code generator. Unknown flags, and those that the runtime relies on,
    /// are refused when a module is compiled.
    pub fn cranelift_flag_set(&mut self, name: &str, value: &str) -> &mut Config {
        self.compiler.flags.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Whether the code generator checks its own intermediate code.
    pub fn cranelift_debug_verifier(&mut self, enable: bool) -> &mut Config {
        self.compiler.verify_ir = enable;
        self
    }

    /// Accepts a WebAssembly proposal, or no longer does.
    ///
    /// # Errors
    ///
    /// When there is no proposal of that name.
    pub fn wasm_feature(&mut self, name: &str, accept: bool) -> crate::Result<&mut Config> {
        self.compiler.features.set(name, accept)?;
        Ok(self)
    }

    /// Whether the operators of the `relaxed-simd` proposal have the same results on every
    /// processor, at the price of slower code.
    pub fn relaxed_simd_deterministic(&mut self, enable: bool) -> &mut Config {
        self.compiler.relaxed_simd_deterministic = enable;
        self
    }

    /// Whether wasm counts the operators that it executes and stops when its store has no fuel
    /// left. Each costs one unit of fuel, except those that only shape the code: `nop`, `drop`,
    /// `block`, `loop`, `else`, `end`, `return` and `unreachable`.
    ///
    /// Stores have no fuel at first: see [`Store::set_fuel`](crate::Store::set_fuel). Fuel is looked
    /// at where functions and rounds of loops begin, and within long stretches in between: wasm
    /// can consume a few thousand units more than there are before it stops.
    ///
    /// An engine refuses artifacts that were compiled with another choice.
    pub fn consume_fuel(&mut self, enable: bool) -> &mut Config {
        self.compiler.consume_fuel = enable;
        self
    }

    /// Whether small functions, and those with one call, become a part of those that call them: code is faster
    /// then. Backtraces are the same. On by default; code that counts fuel has no inlined calls.
    pub fn inlining(&mut self, enable: bool) -> &mut Config {
        self.compiler.inlining = enable;
        self
    }

    /// Whether artifacts leave out the names of functions and of the module, and the symbols of code:
    /// they are smaller then. Backtraces show the indices of functions. Off by default.
    pub fn strip(&mut self, enable: bool) -> &mut Config {
        self.compiler.strip = enable;
        self
    }

    /// Whether wasm stops when the epoch of its engine reaches the deadline of its store: see
    /// [`Engine::increment_epoch`](crate::Engine::increment_epoch) and
    /// [`Store::set_epoch_deadline`](crate::Store::set_epoch_deadline). It costs less than fuel,
    /// and when it happens is a matter of time and not of what was executed.
    ///
    /// An engine refuses artifacts that were compiled with another choice.
    pub fn epoch_interruption(&mut self, enable: bool) -> &mut Config {
        self.compiler.epoch_interruption = enable;
        self
    }

    /// How references are managed. With [`CollectorChoice::Auto`], which is the default, modules
    /// get the collector that suits them, and a store the one of the first module in it that handles
    /// references; choose one to have modules work together in a store that Auto keeps apart.
    ///
    /// An engine with a choice refuses artifacts that were compiled for another collector, unless
    /// they handle no references.
    pub fn collector(&mut self, collector: impl Into<CollectorChoice>) -> &mut Config {
        self.compiler.collector = collector.into();
        self
    }

    /// The collector of all stores, if that was chosen.
    pub(crate) fn fixed_collector(&self) -> Option<Collector> {
        match self.compiler.collector {
            CollectorChoice::Auto => None,
            CollectorChoice::Fixed(collector) => Some(collector),
        }
    }

    /// Whether a collection happens wherever one can, which is slow, and finds faults.
    #[doc(hidden)]
    pub fn collect_at_every_safe_point(&mut self, enable: bool) -> &mut Config {
        self.stress = enable;
        self
    }

    pub(crate) fn is_stressed(&self) -> bool {
        self.stress
    }

    /// Address space that is reserved for a 32-bit memory, in bytes.
    pub fn memory_reservation(&mut self, bytes: u64) -> &mut Config {
        self.compiler.memory_reservation = bytes;
        self
    }

    /// Inaccessible address space behind a memory, in bytes.
    pub fn memory_guard_size(&mut self, bytes: u64) -> &mut Config {
        self.compiler.memory_guard = bytes;
        self
    }

    /// Stack that wasm may use on the caller's thread, in bytes. The thread must have more than
    /// that: host functions run on what is left.
    pub fn max_wasm_stack(&mut self, bytes: usize) -> &mut Config {
        self.runtime.max_wasm_stack = bytes;
        self
    }

    /// The most frames that a backtrace keeps; 0 for no backtraces.
    pub fn wasm_backtrace_max_frames(&mut self, frames: usize) -> &mut Config {
        self.runtime.backtrace_frames = frames;
        self
    }

    /// Threads that compile at the same time; as many as there are processors when `None`.
    pub fn jobs(&mut self, jobs: Option<usize>) -> &mut Config {
        self.runtime.jobs = jobs;
        self
    }
}
