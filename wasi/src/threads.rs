//! wasi-threads: guests with several threads.

use std::collections::HashSet;
use std::fmt;
use std::mem::ManuallyDrop;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak, mpsc};
use std::thread;

use precast_runtime::{
    AsContextMut, Caller, Engine, Error, ExternType, Instance, InstancePre, Linker, Module,
    SharedMemory, Store, StoreContextMut, Trap,
};

use crate::Errno;

const MODULE: &str = "wasi";
const SPAWN: &str = "thread-spawn";
const START: &str = "wasi_thread_start";

/// The largest number that a thread can have.
const MAX_TID: u32 = 0x1fff_ffff;

/// A guest that asks for more threads than this at the same time gets none.
const MAX_THREADS: usize = 4096;

/// What a thread's stack has beyond what wasm may use: room for functions of the host.
const HOST_STACK: usize = 2 << 20;

/// The threads of a guest, as wasi-threads describes them.
///
/// The guest imports a shared memory and the function `thread-spawn` of the module `wasi`, which
/// makes an instance of the guest in a store of its own, over the same memory, on a new
/// thread, and calls its export `wasi_thread_start`. The program ends when the function that
/// started it returns, and as soon as any thread exits or traps.
///
/// For a guest that imports no such function, this does nothing but run it.
///
/// ```
/// use precast_runtime::{Engine, Linker, Module, Store};
/// use precast_wasi::{Threads, WasiCtx, add_to_linker};
///
/// fn run(engine: &Engine, module: &Module, wasi: WasiCtx) -> precast_runtime::Result<()> {
///     let mut linker: Linker<WasiCtx> = Linker::new(engine);
///     add_to_linker(&mut linker, |wasi| wasi)?;
///     let mut store = Store::new(engine, wasi);
///     let threads = Threads::add_to_linker(&mut linker, &mut store, module, |mut parent| {
///         let wasi = parent.data_mut().share();
///         Ok(Store::new(parent.engine(), wasi))
///     })?;
///     threads.run(linker.instantiate_pre(module)?, store, |store, instance| {
///         instance.get_typed_func::<(), ()>(&mut *store, "_start")?.call(store, ())
///     })
/// }
/// # let _ = run;
/// ```
pub struct Threads<T: 'static>(Option<Arc<Program<T>>>);

/// Stops a program, on whatever thread it runs.
pub struct Stopper<T: 'static>(Weak<Program<T>>);

/// How the thread that ended the program came back: a result, or a panic of the host.
type Outcome = thread::Result<Result<(), Error>>;

type NewStore<T> = dyn Fn(StoreContextMut<'_, T>) -> Result<Store<T>, Error> + Send + Sync;

/// What all threads of a program have in common.
struct Program<T: 'static> {
    instance: OnceLock<InstancePre<T>>,
    new_store: Box<NewStore<T>>,
    memories: Vec<SharedMemory>,
    tids: Mutex<Tids>,
    /// Where to tell how the program ended; taken by the thread that ended it.
    end: Mutex<Option<mpsc::Sender<Outcome>>>,
}

/// The numbers of the threads that there are.
#[derive(Default)]
struct Tids {
    last: u32,
    used: HashSet<u32>,
}

impl<T: Send + 'static> Threads<T> {
    /// Defines `thread-spawn` if the guest imports it, and each shared memory that it imports
    /// and that has no definition, within the limits of the store.
    ///
    /// `new_store` makes the store of a new thread from that of the thread that asks for it.
    /// What else the guest imports must be functions that the linker defines itself: nothing
    /// of one store is of use in another.
    ///
    /// # Errors
    ///
    /// When a shared memory cannot be made, or `thread-spawn` is defined already.
    pub fn add_to_linker(
        linker: &mut Linker<T>,
        mut store: impl AsContextMut<Data = T>,
        module: &Module,
        new_store: impl Fn(StoreContextMut<'_, T>) -> Result<Store<T>, Error> + Send + Sync + 'static,
    ) -> Result<Threads<T>, Error> {
        let mut memories = Vec::new();
        for import in module.imports() {
            let ExternType::Memory(ty) = import.ty() else { continue };
            if ty.is_shared() && linker.get_by_import(store.as_context_mut(), &import).is_none() {
                let memory = SharedMemory::new_limited(store.as_context_mut(), ty)?;
                memories.push(memory.clone());
                linker.define(store.as_context_mut(), import.module(), import.name(), memory)?;
            }
        }
        if !module.imports().any(|import| (import.module(), import.name()) == (MODULE, SPAWN)) {
            return Ok(Threads(None));
        }
        let program = Arc::new(Program {
            instance: OnceLock::new(),
            new_store: Box::new(new_store),
            memories,
            tids: Mutex::default(),
            end: Mutex::default(),
        });
        // Only a running program keeps itself alive.
        let weak = Arc::downgrade(&program);
        linker.func_wrap(MODULE, SPAWN, move |mut caller: Caller<'_, T>, argument: u32| {
            spawn(&weak, caller.as_context_mut(), argument)
        })?;
        Ok(Threads(Some(program)))
    }

    /// What can stop the program from another thread of the host while it runs.
    pub fn stopper(&self) -> Stopper<T> {
        Stopper(self.0.as_ref().map_or_else(Weak::new, Arc::downgrade))
    }

    /// Makes an instance in `store` and runs the program: `main` calls the function that starts it.
    ///
    /// A guest with threads runs on threads of its own, the first one included. When the program
    /// has ended, its threads are stopped when they wait on the memory that was made for them
    /// or ask for another thread; one that computes on can be stopped by an epoch of the engine, or
    /// runs until the process ends.
    ///
    /// # Errors
    ///
    /// What ended the program, if that was not `main`'s return: in particular an
    /// [`I32Exit`](crate::I32Exit) or a trap of any thread.
    ///
    /// # Panics
    ///
    /// When a function of the host panicked in any thread.
    pub fn run(
        self,
        instance: InstancePre<T>,
        mut store: Store<T>,
        main: impl FnOnce(&mut Store<T>, Instance) -> Result<(), Error> + Send + 'static,
    ) -> Result<(), Error> {
        let Threads(Some(program)) = self else {
            let instance = instance.instantiate(&mut store)?;
            return main(&mut store, instance);
        };
        let builder = thread_builder(store.engine(), "wasi-main");
        let first = program.instance.get_or_init(|| instance).clone();
        let (sender, ended) = mpsc::channel();
        *program.end() = Some(sender);
        builder.spawn({
            let program = program.clone();
            move || {
                let outcome = catch(|| {
                    let instance = first.instantiate(&mut store)?;
                    main(&mut store, instance)
                });
                program.finish(outcome);
            }
        })?;
        // The first thread keeps the program, and with it the sender, until it has sent.
        match ended.recv()? {
            Ok(result) => result,
            Err(panic) => panic::resume_unwind(panic),
        }
    }

    /// As [`Threads::run`], for a process that ends with the program: what the store owns is left for
    /// the system to take back. Nothing of it is dropped, the data of the host included.
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Panics
    ///
    /// As there.
    pub fn run_to_exit(
        self,
        instance: InstancePre<T>,
        store: Store<T>,
        main: impl FnOnce(&mut Store<T>, Instance) -> Result<(), Error> + Send + 'static,
    ) -> Result<(), Error> {
        if self.0.is_some() {
            return self.run(instance, store, main);
        }
        let mut store = ManuallyDrop::new(store);
        let instance = instance.instantiate(&mut *store)?;
        main(&mut store, instance)
    }
}

impl<T> Stopper<T> {
    /// Ends the program as if a thread had trapped with [`Trap::Interrupt`]: see
    /// [`Threads::run`] about what its threads do then. A guest without threads is not
    /// affected, it has none but the caller's.
    pub fn stop(&self) {
        if let Some(program) = self.0.upgrade() {
            program.finish(Ok(Err(Trap::Interrupt.into())));
        }
    }
}

impl<T> fmt::Debug for Threads<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Threads").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Stopper<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stopper").finish_non_exhaustive()
    }
}

/// `thread-spawn`: the number of the new thread, or a negative errno.
fn spawn<T: Send + 'static>(
    program: &Weak<Program<T>>,
    parent: StoreContextMut<'_, T>,
    argument: u32,
) -> Result<i32, Error> {
    let again = -i32::from(Errno::Again.raw());
    let Some(program) = program.upgrade() else { return Ok(again) };
    let Some(instance) = program.instance.get().cloned() else { return Ok(again) };
    if program.end().is_none() {
        return Err(Trap::Interrupt.into());
    }
    let mut store = (program.new_store)(parent)?;
    let Some(tid) = program.tids().take() else { return Ok(again) };
    let builder = thread_builder(store.engine(), &format!("wasi-{tid}"));
    let spawned = builder.spawn({
        let program = program.clone();
        move || {
            let outcome = catch(|| {
                let instance = instance.instantiate(&mut store)?;
                let start = instance.get_typed_func::<(u32, u32), ()>(&mut store, START)?;
                start.call(&mut store, (tid, argument))
            });
            drop(store);
            program.tids().release(tid);
            if !matches!(outcome, Ok(Ok(()))) {
                program.finish(outcome);
            }
        }
    });
    match spawned {
        // Below 2^29.
        Ok(_) => Ok(tid as i32),
        Err(_) => {
            program.tids().release(tid);
            Ok(again)
        }
    }
}

fn catch(run: impl FnOnce() -> Result<(), Error>) -> Outcome {
    // What a panic left half done is dropped, or is behind locks.
    panic::catch_unwind(AssertUnwindSafe(run))
}

/// A thread with enough stack for wasm and the host.
fn thread_builder(engine: &Engine, name: &str) -> thread::Builder {
    let wasm = engine.config().runtime_settings().max_wasm_stack;
    thread::Builder::new().name(name.to_owned()).stack_size(wasm.saturating_add(HOST_STACK))
}

impl<T> Program<T> {
    /// Ends the program, unless another thread has done so.
    fn finish(&self, outcome: Outcome) {
        let Some(sender) = self.end().take() else { return };
        self.memories.iter().for_each(SharedMemory::close);
        // Nobody receives only if the receiver has panicked.
        let _ = sender.send(outcome);
    }

    fn end(&self) -> MutexGuard<'_, Option<mpsc::Sender<Outcome>>> {
        self.end.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tids(&self) -> MutexGuard<'_, Tids> {
        self.tids.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tids {
    /// A number that no thread has.
    fn take(&mut self) -> Option<u32> {
        if self.used.len() >= MAX_THREADS {
            return None;
        }
        loop {
            self.last = self.last % MAX_TID + 1;
            if self.used.insert(self.last) {
                return Some(self.last);
            }
        }
    }

    fn release(&mut self, tid: u32) {
        self.used.remove(&tid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_threads_are_unique_and_come_back() {
        let mut tids = Tids::default();
        assert_eq!((tids.take(), tids.take()), (Some(1), Some(2)));
        tids.release(1);
        assert_eq!(tids.take(), Some(3));
        tids.last = MAX_TID - 1;
        assert_eq!((tids.take(), tids.take(), tids.take()), (Some(MAX_TID), Some(1), Some(4)));
        while tids.take().is_some() {}
        assert_eq!(tids.used.len(), MAX_THREADS);
        tids.release(7);
        assert!(tids.take().is_some());
    }
}
