//! The peer: the `wasmtime` crate, with its defaults except for what [`Setup`] says.

use std::path::Path;
use std::{env, fs};

use anyhow::{Context, Result};
use wasmtime::{
    Collector, Config, ExternRef, Func, FuncType, Instance, InstanceAllocationStrategy,
    InstancePre, Linker, Module, PoolingAllocationConfig, RootScope, Rooted, Store, TypedFunc,
};
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::{FsPerms, I32Exit, WasiCtxBuilder};

use super::{
    Allocation, Call, Calls, Cpu, Engine, Heap, Instances, Program, References, RunOnce, Setup,
    Work,
};

mod heap;

/// Its name in the tables.
pub(super) const NAME: &str = super::BASE;

/// Makes the engine.
pub(super) fn engine(setup: Setup) -> Result<Box<dyn Engine>> {
    let mut config = Config::new();
    if setup.cpu == Cpu::Baseline {
        // A target that is given by name is compiled for without looking at this machine.
        config.target(&format!("{}-unknown-linux-gnu", env::consts::ARCH))?;
    }
    config.wasm_gc(true).collector(match setup.references {
        References::Counted => Collector::DeferredReferenceCounting,
        References::Copied => Collector::Copying,
    });
    match setup.jobs {
        Some(1) => drop(config.parallel_compilation(false)),
        Some(jobs) => anyhow::ensure!(
            env::var("RAYON_NUM_THREADS").is_ok_and(|set| set == jobs.to_string()),
            "wasmtime takes its number of threads from RAYON_NUM_THREADS"
        ),
        None => {}
    }
    if setup.instances == Allocation::Pooled {
        let mut pool = PoolingAllocationConfig::new();
        pool.total_core_instances(super::SLOTS)
            .total_memories(super::SLOTS)
            .total_tables(super::SLOTS)
            .total_gc_heaps(super::SLOTS)
            .max_core_instance_size(super::INSTANCE_BYTES)
            .table_elements(super::TABLE_ELEMENTS);
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    }
    Ok(Box::new(Wasmtime { engine: wasmtime::Engine::new(&config)? }))
}

struct Wasmtime {
    engine: wasmtime::Engine,
}

impl Engine for Wasmtime {
    fn name(&self) -> &'static str {
        NAME
    }

    fn compile(&self, wasm: &Path, artifact: &Path) -> Result<()> {
        let artifact_bytes = self.engine.precompile_module(&crate::programs::map(wasm)?)?;
        fs::write(artifact, artifact_bytes).context("cannot write the artifact")
    }

    #[allow(unsafe_code)] // Runs native code from a file.
    fn load(&self, artifact: &Path) -> Result<Box<dyn Program>> {
        // SAFETY: the file was written by this engine, in a folder of this process's own.
        let module = unsafe { Module::deserialize_file(&self.engine, artifact)? };
        Ok(Box::new(Loaded { module }))
    }
}

struct Loaded {
    module: Module,
}

impl Program for Loaded {
    fn prepare(&self) -> Result<Box<dyn Instances + '_>> {
        let mut linker = Linker::<()>::new(self.module.engine());
        linker.define_unknown_imports_as_traps(&self.module)?;
        Ok(Box::new(Prepared { instance: linker.instantiate_pre(&self.module)? }))
    }

    fn calls(&self) -> Result<Box<dyn Calls + '_>> {
        let engine = self.module.engine();
        let mut linker = Linker::<()>::new(engine);
        linker.func_wrap("host", "nop", || {})?;
        linker.func_wrap("host", "add", |a: i32, b: i64, _: f64| b + i64::from(a))?;
        linker.func_new("host", "nop_untyped", FuncType::new(engine, [], []), |_, _, _| Ok(()))?;
        linker.func_wrap("host", "keep", |value: Option<Rooted<ExternRef>>| value)?;
        let mut store = Store::new(engine, ());
        let instance = linker.instantiate(&mut store, &self.module)?;
        Ok(Box::new(Callable::new(store, &instance)?))
    }

    fn heap(&self, work: Work) -> Result<Box<dyn Heap + '_>> {
        Ok(Box::new(heap::Working::new(&self.module, work)?))
    }

    fn command(&self, arguments: &[String], directory: Option<&Path>) -> Result<Box<dyn RunOnce>> {
        let mut linker = Linker::<WasiP1Ctx>::new(self.module.engine());
        wasmtime_wasi::p1::add_to_linker_sync(&mut linker, |wasi| wasi)?;
        let mut wasi = WasiCtxBuilder::new();
        // What its own command does: files are used on this thread, without a hand-over.
        wasi.inherit_stdio().args(arguments).allow_blocking_current_thread(true);
        if let Some(directory) = directory {
            wasi.preopened_dir(directory, ".", FsPerms::ReadWrite)?;
        }
        let mut store = Store::new(self.module.engine(), wasi.build_p1());
        let instance = linker.instantiate(&mut store, &self.module)?;
        let start = instance.get_typed_func(&mut store, "_start")?;
        Ok(Box::new(Command { store, start }))
    }
}

struct Prepared {
    instance: InstancePre<()>,
}

impl Instances for Prepared {
    fn one(&mut self) -> Result<()> {
        let mut store = Store::new(self.instance.module().engine(), ());
        self.instance.instantiate(&mut store)?;
        Ok(())
    }
}

struct Command {
    store: Store<WasiP1Ctx>,
    start: TypedFunc<(), ()>,
}

impl RunOnce for Command {
    fn run(mut self: Box<Self>) -> Result<()> {
        match self.start.call(&mut self.store, ()) {
            Err(error) if error.downcast_ref::<I32Exit>().is_some_and(|exit| exit.0 == 0) => Ok(()),
            result => Ok(result?),
        }
    }
}

struct Callable {
    store: Store<()>,
    nop: TypedFunc<(), ()>,
    nop_untyped: Func,
    add: TypedFunc<(i32, i64, f64), i64>,
    keep: TypedFunc<Option<Rooted<ExternRef>>, Option<Rooted<ExternRef>>>,
    nop_loop: TypedFunc<u32, ()>,
    nop_untyped_loop: TypedFunc<u32, ()>,
    add_loop: TypedFunc<u32, ()>,
    keep_loop: TypedFunc<(u32, Option<Rooted<ExternRef>>), ()>,
}

impl Callable {
    fn new(mut store: Store<()>, instance: &Instance) -> Result<Callable> {
        let store_ref = &mut store;
        let nop = instance.get_typed_func(&mut *store_ref, "nop")?;
        Ok(Callable {
            nop_untyped: *nop.func(),
            nop,
            add: instance.get_typed_func(&mut *store_ref, "add")?,
            keep: instance.get_typed_func(&mut *store_ref, "keep")?,
            nop_loop: instance.get_typed_func(&mut *store_ref, "nop_loop")?,
            nop_untyped_loop: instance.get_typed_func(&mut *store_ref, "nop_untyped_loop")?,
            add_loop: instance.get_typed_func(&mut *store_ref, "add_loop")?,
            keep_loop: instance.get_typed_func(&mut *store_ref, "keep_loop")?,
            store,
        })
    }
}

impl Calls for Callable {
    fn repeat(&mut self, call: Call, n: u32) -> Result<()> {
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
                    let mut scope = RootScope::new(&mut *store);
                    self.keep.call(&mut scope, value)?;
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
