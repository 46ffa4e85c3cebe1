//! Ours, with its defaults except for what [`Setup`] says.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use precast::cache::Cache;
use precast::settings::CacheSettings;
use precast::wasi::{DirAccess, I32Exit, WasiCtx};
use precast::{
    CodeBuilder, Collector, Config, CpuChoice, ExternRef, Func, FuncType, Instance, InstancePre,
    Linker, Module, OptLevel, PoolingAllocationConfig, Store, TypedFunc, Warmed,
};

use super::{
    Allocation, Call, Calls, Cpu, Effort, Engine, Heap, Inlining, Instances, Program, References,
    RunOnce, Setup, Work,
};

mod heap;

/// Its name in the tables.
pub(super) const NAME: &str = "precast";
/// Its name where every call is a call.
pub(super) const NAME_WITHOUT_INLINING: &str = "precast-no-inlining";
/// What it is called when it only compiles fast.
pub(super) const NAME_UNOPTIMIZED: &str = "precast-O0";

/// Makes the engine.
pub(super) fn engine(setup: Setup) -> Result<Box<dyn Engine>> {
    let mut config = Config::new();
    if setup.instances == Allocation::Pooled {
        let mut pool = PoolingAllocationConfig::new();
        pool.total_core_instances(super::SLOTS)
            .total_memories(super::SLOTS)
            .total_tables(super::SLOTS)
            .max_core_instance_size(super::INSTANCE_BYTES)
            .table_elements(super::TABLE_ELEMENTS);
        config.allocation_strategy(pool);
    }
    config.jobs(setup.jobs);
    config.collector(match setup.references {
        References::Counted => Collector::Drc,
        References::Copied => Collector::Copying,
    });
    if setup.cpu == Cpu::Baseline {
        config.cpu(CpuChoice::Baseline);
    }
    let name = match (setup.effort, setup.inlining) {
        (Effort::Default, Inlining::Default) => NAME,
        (Effort::Default, Inlining::Off) => {
            config.inlining(false);
            NAME_WITHOUT_INLINING
        }
        (Effort::Least, _) => {
            config.cranelift_opt_level(OptLevel::None);
            NAME_UNOPTIMIZED
        }
    };
    Ok(Box::new(Precast { name, engine: precast::Engine::new(&config).map_err(from)? }))
}

/// Compiles a module that is not in the cache in a folder, with or without the functions there.
///
/// # Errors
///
/// When the module is refused, or not kept.
pub fn warm(cache: &Path, functions: bool, jobs: Option<usize>, wasm: &Path) -> Result<()> {
    let directory = Some(cache.to_owned());
    let settings = CacheSettings { directory, functions, ..CacheSettings::default() };
    let cache = Arc::new(Cache::new(&settings));
    let mut config = Config::new();
    config.jobs(jobs).cache(Some(Arc::clone(&cache)));
    let engine = precast::Engine::new(&config).map_err(from)?;
    let wasm = crate::programs::map(wasm)?;
    let warmed = CodeBuilder::binary(&engine, &wasm).warm().map_err(from)?;
    anyhow::ensure!(warmed == Warmed::Compiled, "{:?}", cache.take_warnings());
    Ok(())
}

/// The engine's error as the benches pass it on.
fn from(error: precast::Error) -> anyhow::Error {
    anyhow!(error.into_boxed_dyn_error())
}

struct Precast {
    name: &'static str,
    engine: precast::Engine,
}

impl Engine for Precast {
    fn name(&self) -> &'static str {
        self.name
    }

    fn compile(&self, wasm: &Path, artifact: &Path) -> Result<()> {
        let bytes = self.engine.precompile_module(&crate::programs::map(wasm)?).map_err(from)?;
        fs::write(artifact, bytes).context("cannot write the artifact")
    }

    #[allow(unsafe_code)] // Runs native code from a file.
    fn load(&self, artifact: &Path) -> Result<Box<dyn Program>> {
        // SAFETY: the file was written by this engine, in a folder of this process's own.
        let module = unsafe { Module::deserialize_file(&self.engine, artifact) }.map_err(from)?;
        Ok(Box::new(Loaded { module }))
    }
}

struct Loaded {
    module: Module,
}

impl Program for Loaded {
    fn prepare(&self) -> Result<Box<dyn Instances + '_>> {
        let mut linker = Linker::<()>::new(self.module.engine());
        linker.define_unknown_imports_as_traps(&self.module).map_err(from)?;
        Ok(Box::new(Prepared { instance: linker.instantiate_pre(&self.module).map_err(from)? }))
    }

    fn calls(&self) -> Result<Box<dyn Calls + '_>> {
        Ok(Box::new(Callable::new(&self.module).map_err(from)?))
    }

    fn heap(&self, work: Work) -> Result<Box<dyn Heap + '_>> {
        Ok(Box::new(heap::Working::new(&self.module, work).map_err(from)?))
    }

    fn command(&self, arguments: &[String], directory: Option<&Path>) -> Result<Box<dyn RunOnce>> {
        let mut wasi = WasiCtx::builder();
        wasi.inherit_stdio().args(arguments);
        if let Some(directory) = directory {
            wasi.preopened_dir(directory, ".", DirAccess::ReadWrite)?;
        }
        Ok(Box::new(Command::new(&self.module, wasi.build()).map_err(from)?))
    }
}

struct Prepared {
    instance: InstancePre<()>,
}

impl Instances for Prepared {
    fn one(&mut self) -> Result<()> {
        let mut store = Store::new(self.instance.module().engine(), ());
        self.instance.instantiate(&mut store).map_err(from)?;
        Ok(())
    }
}

struct Command {
    store: Store<WasiCtx>,
    start: TypedFunc<(), ()>,
}

impl Command {
    fn new(module: &Module, wasi: WasiCtx) -> precast::Result<Command> {
        let mut linker = Linker::new(module.engine());
        precast::wasi::add_to_linker(&mut linker, |wasi| wasi)?;
        let mut store = Store::new(module.engine(), wasi);
        let instance = linker.instantiate(&mut store, module)?;
        let start = instance.get_typed_func(&mut store, "_start")?;
        Ok(Command { store, start })
    }
}

impl RunOnce for Command {
    fn run(mut self: Box<Self>) -> Result<()> {
        match self.start.call(&mut self.store, ()) {
            Err(error) if error.downcast_ref::<I32Exit>().is_some_and(|exit| exit.0 == 0) => Ok(()),
            result => result.map_err(from),
        }
    }
}

struct Callable {
    store: Store<()>,
    nop: TypedFunc<(), ()>,
    nop_untyped: Func,
    add: TypedFunc<(i32, i64, f64), i64>,
    keep: TypedFunc<Option<ExternRef>, Option<ExternRef>>,
    nop_loop: TypedFunc<u32, ()>,
    nop_untyped_loop: TypedFunc<u32, ()>,
    add_loop: TypedFunc<u32, ()>,
    keep_loop: TypedFunc<(u32, Option<ExternRef>), ()>,
}

impl Callable {
    fn new(module: &Module) -> precast::Result<Callable> {
        let engine = module.engine();
        let mut linker = Linker::<()>::new(engine);
        linker.func_wrap("host", "nop", || {})?;
        linker.func_wrap("host", "add", |a: i32, b: i64, _: f64| b + i64::from(a))?;
        linker.func_new("host", "nop_untyped", FuncType::new(engine, [], []), |_, _, _| Ok(()))?;
        linker.func_wrap("host", "keep", |value: Option<ExternRef>| value)?;
        let mut store = Store::new(engine, ());
        let instance = linker.instantiate(&mut store, module)?;
        Callable::of(store, &instance)
    }

    fn of(mut owned: Store<()>, instance: &Instance) -> precast::Result<Callable> {
        let store = &mut owned;
        let nop = instance.get_typed_func(&mut *store, "nop")?;
        Ok(Callable {
            nop_untyped: *nop.func(),
            nop,
            add: instance.get_typed_func(&mut *store, "add")?,
            keep: instance.get_typed_func(&mut *store, "keep")?,
            nop_loop: instance.get_typed_func(&mut *store, "nop_loop")?,
            nop_untyped_loop: instance.get_typed_func(&mut *store, "nop_untyped_loop")?,
            add_loop: instance.get_typed_func(&mut *store, "add_loop")?,
            keep_loop: instance.get_typed_func(&mut *store, "keep_loop")?,
            store: owned,
        })
    }

    fn call(&mut self, call: Call, n: u32) -> precast::Result<()> {
        let store = &mut self.store;
        match call {
            Call::In => {
                for _ in 0..n {
                    self.nop.call(&mut *store, ())?;
                }
            }
            Call::InUntyped => {
                for _ in 0..n {
                    self.nop_untyped.call(&mut *store, &[], &mut [])?;
                }
            }
            Call::InArguments => {
                let mut sum = 0;
                for i in 0..n {
                    sum = self.add.call(&mut *store, (i.cast_signed(), sum, 1.0))?;
                }
            }
            Call::InReference => {
                let value = Some(ExternRef::new(&mut *store, 7)?);
                for _ in 0..n {
                    self.keep.call(&mut *store, value)?;
                }
            }
            Call::Out => self.nop_loop.call(store, n)?,
            Call::OutUntyped => self.nop_untyped_loop.call(store, n)?,
            Call::OutArguments => self.add_loop.call(store, n)?,
            Call::OutReference => {
                let value = Some(ExternRef::new(&mut *store, 7)?);
                self.keep_loop.call(store, (n, value))?;
            }
        }
        Ok(())
    }
}

impl Calls for Callable {
    fn repeat(&mut self, call: Call, n: u32) -> Result<()> {
        self.call(call, n).map_err(from)
    }
}
