//! Who compiles what, when: one pipeline for any number of threads.
//!
//! Each worker takes a large piece of code that is left, compiles it with memory that it
//! keeps for the next, and puts the result aside under the piece's position. So the
//! result does not depend on the number of workers or on who was faster.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

use cranelift_codegen::FxHashMap;
use precast_artifact::index::DefinedFuncIndex;
use wasmparser::FuncValidatorAllocations;

use crate::backlog::{Backlog, Taken};
use crate::code::{CompiledFunction, ReferenceTarget};
use crate::error::FunctionName;
use crate::listing::Language;
use crate::parsed::ParsedModule;
use crate::reuse::{FunctionStore, TypeDigests};
use crate::stages::Stages;
use crate::symbol::Symbol;
use crate::translate::Environment;
use crate::worker::{Aids, Worker};
use crate::{CompileError, trampoline, translate};

/// Cranelift recurses over the shape of functions, and hostile ones are deep.
const STACK_SIZE: usize = 16 << 20;
/// Fewer pieces than this are not worth another thread.
const PIECES_PER_JOB: usize = 8;
/// A piece with more bytes leaves a worker with more memory than is worth keeping for smaller ones.
const LARGE: usize = 24 << 10;

/// How a compilation is carried out. Nothing of it changes the result.
#[derive(Clone, Copy)]
pub struct Schedule<'a> {
    /// How many threads compile at the same time; at least one does. Without the crate's
    /// feature `parallel`, exactly one does.
    pub jobs: usize,
    /// What is told how far the compilation is.
    pub progress: Option<&'a dyn Progress>,
    /// Ends the compilation with [`CompileError::Cancelled`], after the functions that are being
    /// compiled, when it becomes true.
    pub cancel: Option<&'a AtomicBool>,
    /// Where the code of functions comes from that did not change, and where that of others goes.
    pub functions: Option<&'a dyn FunctionStore>,
    /// What is told how long each stage takes.
    pub stages: Option<&'a Stages>,
}

impl Default for Schedule<'_> {
    /// One thread for each processor.
    fn default() -> Self {
        let jobs = std::thread::available_parallelism().map_or(1, usize::from);
        Schedule { jobs, progress: None, cancel: None, functions: None, stages: None }
    }
}

/// Wants to know how far a compilation is.
pub trait Progress: Sync {
    /// `done` of `total` functions are compiled. Several threads call this.
    fn functions(&self, done: usize, total: usize);
}

/// Compiles the pieces of code of a module; those that `waits` is true of, only when other code refers to them. The
/// result has the order of `pieces`.
pub(crate) fn compile_called(
    environment: Environment<'_>,
    pieces: &[Symbol],
    waits: impl Fn(Symbol) -> bool,
    schedule: &Schedule<'_>,
) -> Result<Vec<Option<CompiledFunction>>, CompileError> {
    let types = schedule.functions.map(|_| TypeDigests::new(&environment.module.module.types));
    let kept = schedule.functions.zip(types.as_ref());
    let aids = Aids { kept, stages: schedule.stages };
    let jobs = schedule.jobs.min(pieces.len() / PIECES_PER_JOB).max(1);
    let queue = Queue::new(environment, pieces, waits, jobs, schedule, aids);
    run(jobs, &|| queue.work())?;
    queue.finish()
}

/// Validates the bodies of functions.
pub(crate) fn validate(
    module: &ParsedModule<'_>,
    functions: impl Iterator<Item = Symbol>,
) -> Result<(), CompileError> {
    let mut allocations = FuncValidatorAllocations::default();
    for symbol in functions {
        if let Symbol::Function(index) = symbol {
            let mut validator = module.validation(index).into_validator(allocations);
            let body = &module.bodies[index.as_usize()];
            validator.validate(body)?;
            translate::check(body)?;
            allocations = validator.into_allocations();
        }
    }
    Ok(())
}

/// Compiles functions one after the other, and writes down their code.
pub(crate) fn list(
    environment: Environment<'_>,
    functions: &[DefinedFuncIndex],
    language: Language,
) -> Result<Vec<String>, CompileError> {
    let result = Mutex::new(Ok(Vec::new()));
    run_one(&|| {
        let mut worker = Worker::new(environment, Aids::default());
        let list = |&function: &DefinedFuncIndex| {
            let listing = catch_unwind(AssertUnwindSafe(|| worker.list(function, language)));
            listing.unwrap_or_else(|panic| {
                let function = name(Symbol::Function(function), environment.module);
                Err(CompileError::Internal { function, message: panic_message(&*panic) })
            })
        };
        *lock(&result) = functions.iter().map(list).collect();
    })?;
    result.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// Runs `work` on `jobs` threads with room for recursion.
#[cfg(feature = "parallel")]
fn run(jobs: usize, work: &(dyn Fn() + Sync)) -> Result<(), CompileError> {
    if jobs == 1 {
        return run_one(work);
    }
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(jobs)
        .stack_size(STACK_SIZE)
        .thread_name(|index| format!("precast-{index}"))
        .build()
        .map_err(|error| CompileError::Thread(error.into()))?;
    pool.broadcast(|_| work());
    Ok(())
}

/// Runs `work` on a thread with room for recursion.
#[cfg(not(feature = "parallel"))]
fn run(_jobs: usize, work: &(dyn Fn() + Sync)) -> Result<(), CompileError> {
    run_one(work)
}

/// Does two things, at the same time where there is more than one thread.
pub(crate) fn both<A, B: Send>(
    jobs: usize,
    here: impl FnOnce() -> A,
    there: impl Fn() -> B + Sync,
) -> (A, B) {
    let there = &there;
    std::thread::scope(|scope| {
        let parallel = cfg!(feature = "parallel") && jobs > 1;
        let thread = parallel.then(|| std::thread::Builder::new().spawn_scoped(scope, there).ok());
        let here = here();
        let there = match thread.flatten().map(|thread| thread.join()) {
            Some(Ok(there)) => there,
            Some(Err(panic)) => resume_unwind(panic),
            None => there(),
        };
        (here, there)
    })
}

fn run_one(work: &(dyn Fn() + Sync)) -> Result<(), CompileError> {
    std::thread::scope(|scope| {
        let builder = std::thread::Builder::new().stack_size(STACK_SIZE).name("precast".into());
        let thread = builder
            .spawn_scoped(scope, work)
            .map_err(|error| CompileError::Thread(error.into()))?;
        // Workers catch the panics of what they call.
        let _ = thread.join();
        Ok(())
    })
}

/// The work that is left, and what came of that which is done.
struct Queue<'a> {
    environment: Environment<'a>,
    aids: Aids<'a>,
    pieces: &'a [Symbol],
    left: Mutex<Left>,
    /// Tells threads without work that there is some again, or that there will be none.
    changed: Condvar,
    progress: Option<&'a dyn Progress>,
    cancel: Option<&'a AtomicBool>,
    functions: AtomicUsize,
    functions_done: AtomicUsize,
    stopped: AtomicBool,
    results: Mutex<Vec<Option<CompiledFunction>>>,
    /// Of the pieces that failed, the first in `pieces`.
    failure: Mutex<Option<(u32, CompileError)>>,
}

/// The work that is left, as positions in `pieces`.
struct Left {
    backlog: Backlog,
    /// What is compiled when code refers to it.
    waiting: FxHashMap<Symbol, u32>,
    /// How many pieces are being compiled.
    under_way: usize,
}

impl<'a> Queue<'a> {
    fn new(
        environment: Environment<'a>,
        pieces: &'a [Symbol],
        waits: impl Fn(Symbol) -> bool,
        jobs: usize,
        schedule: &Schedule<'a>,
        aids: Aids<'a>,
    ) -> Self {
        let (waiting, now): (Vec<_>, Vec<_>) =
            pieces.iter().copied().zip(0..).partition(|&(piece, _)| waits(piece));
        let sizes = now.iter().map(|&(piece, position)| (size(environment, piece), position));
        let left = Left {
            backlog: Backlog::new(sizes, jobs),
            waiting: waiting.into_iter().collect(),
            under_way: 0,
        };
        let functions = now.iter().filter(|(piece, _)| matches!(piece, Symbol::Function(_)));
        Queue {
            environment,
            aids,
            pieces,
            left: Mutex::new(left),
            changed: Condvar::new(),
            progress: schedule.progress,
            cancel: schedule.cancel,
            functions: AtomicUsize::new(functions.count()),
            functions_done: AtomicUsize::new(0),
            stopped: AtomicBool::new(false),
            results: Mutex::new(pieces.iter().map(|_| None).collect()),
            failure: Mutex::new(None),
        }
    }

    /// Compiles until nothing is left, or something failed.
    fn work(&self) {
        let mut worker = Worker::new(self.environment, self.aids);
        let mut done = None;
        let mut largest = 0;
        while let Some(taken) = self.next(done.take()) {
            // What a thread keeps is added to what the others need by then.
            if largest > LARGE && taken.size < largest / 3 * 2 {
                worker.shrink();
                largest = 0;
            }
            largest = largest.max(taken.size);
            let position = taken.position;
            let piece = self.pieces[position as usize];
            let result = catch_unwind(AssertUnwindSafe(|| worker.piece(piece)));
            let result = result.unwrap_or_else(|panic| {
                worker = Worker::new(self.environment, self.aids);
                let function = name(piece, self.environment.module);
                Err(CompileError::Internal { function, message: panic_message(&*panic) })
            });
            match result {
                Ok(code) => {
                    self.call(&code);
                    lock(&self.results)[position as usize] = Some(code);
                    self.report(piece);
                }
                Err(error) => {
                    self.stopped.store(true, Ordering::Relaxed);
                    let mut failure = lock(&self.failure);
                    if failure.as_ref().is_none_or(|&(first, _)| position < first) {
                        *failure = Some((position, error));
                    }
                }
            }
            done = Some(taken);
        }
    }

    /// The next piece for a thread that has done another one. Waits while there is none, but what others compile
    /// may need more.
    fn next(&self, done: Option<Taken>) -> Option<Taken> {
        let mut left = lock(&self.left);
        if let Some(done) = done {
            left.under_way -= 1;
            left.backlog.finish(done);
        }
        loop {
            if self.stopped.load(Ordering::Relaxed) || self.is_cancelled() {
                break;
            }
            if let Some(taken) = left.backlog.next() {
                left.under_way += 1;
                return Some(taken);
            }
            if left.under_way == 0 {
                break;
            }
            left = self.changed.wait(left).unwrap_or_else(PoisonError::into_inner);
        }
        self.changed.notify_all();
        None
    }

    /// Adds to the work what waited for code that refers to it.
    fn call(&self, code: &CompiledFunction) {
        let mut left = lock(&self.left);
        for reference in &code.references {
            if let ReferenceTarget::Symbol(symbol) = reference.target
                && let Some(position) = left.waiting.remove(&symbol)
            {
                left.backlog.add(size(self.environment, symbol), position);
                self.functions.fetch_add(1, Ordering::Relaxed);
                self.changed.notify_one();
            }
        }
    }

    fn is_cancelled(&self) -> bool {
        self.cancel.is_some_and(|cancel| cancel.load(Ordering::Relaxed))
    }

    fn report(&self, piece: Symbol) {
        if let (Some(progress), Symbol::Function(_)) = (self.progress, piece) {
            let done = self.functions_done.fetch_add(1, Ordering::Relaxed) + 1;
            progress.functions(done, self.functions.load(Ordering::Relaxed));
        }
    }

    fn finish(self) -> Result<Vec<Option<CompiledFunction>>, CompileError> {
        // It may have been cancelled too late to matter.
        let is_left = !lock(&self.left).backlog.is_empty();
        let is_cancelled = self.is_cancelled() && is_left;
        let failure = self.failure.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, error)) = failure {
            return Err(error);
        }
        if is_cancelled {
            return Err(CompileError::Cancelled);
        }
        let left = self.left.into_inner().unwrap_or_else(PoisonError::into_inner);
        let results = self.results.into_inner().unwrap_or_else(PoisonError::into_inner);
        let missing = results
            .iter()
            .zip(self.pieces)
            .find(|(code, piece)| code.is_none() && !left.waiting.contains_key(piece));
        match missing {
            None => Ok(results),
            Some((_, &piece)) => Err(CompileError::Internal {
                function: name(piece, self.environment.module),
                message: "nobody compiled it".into(),
            }),
        }
    }
}

/// How much there is to compile, in bytes of wasm.
fn size(environment: Environment<'_>, piece: Symbol) -> usize {
    match piece {
        Symbol::Function(index) => environment.module.bodies[index.as_usize()].range().len(),
        _ => 0,
    }
}

/// A panic while a lock is held leaves nothing half done here.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("it panicked").to_owned()
}

/// A piece of code, the way messages name it.
pub(crate) fn name(piece: Symbol, module: &ParsedModule<'_>) -> FunctionName {
    match piece {
        Symbol::Function(index) => {
            let index = module.function_index(index);
            let name = module.function_name(index).map(str::to_owned);
            FunctionName { index: Some(index), name }
        }
        _ => {
            FunctionName { index: None, name: Some(trampoline::name(piece, &module.module.types)) }
        }
    }
}
