//! Who compiles what, when: one pipeline for any number of threads.
//!
//! Each worker takes the largest piece of code that is left, compiles it with memory that it
//! keeps for the next, and puts the result aside under the piece's position. So the
//! result does not depend on the number of workers or on who was faster.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::isa::TargetIsa;
use cranelift_codegen::{CodegenError, CompiledCode, Context};
use cranelift_frontend::FunctionBuilderContext;
use precast_artifact::index::DefinedFuncIndex;
use precast_config::OptLevel;
use target_lexicon::Architecture;
use wasmparser::FuncValidatorAllocations;

use crate::code::{CompiledFunction, Translated};
use crate::error::FunctionName;
use crate::listing::Language;
use crate::parsed::ParsedModule;
use crate::reuse::{self, Footprints, FunctionStore, TypeDigests};
use crate::stages::{Stage, Stages, Stopwatch};
use crate::symbol::Symbol;
use crate::translate::{Environment, FunctionTranslator};
use crate::{CompileError, short_jumps, trampoline};

/// Cranelift recurses over the shape of functions, and hostile ones are deep.
const STACK_SIZE: usize = 16 << 20;
/// A function with a longer body leaves a worker with more memory than is worth keeping.
const LARGE_BODY: usize = 128 << 10;
/// The largest frame, in bytes, of a function that calls nothing and does not look at the stack limit. Below
/// the limit there is room for host functions, which need more.
const UNCHECKED_FRAME: u32 = 1 << 10;
/// Fewer pieces than this are not worth another thread.
const PIECES_PER_JOB: usize = 8;

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

/// Compiles every piece of code of a module. The result has the order of `pieces`.
pub(crate) fn compile_all(
    environment: Environment<'_>,
    pieces: &[Symbol],
    schedule: &Schedule<'_>,
) -> Result<Vec<CompiledFunction>, CompileError> {
    let types = schedule.functions.map(|_| TypeDigests::new(&environment.module.module.types));
    let kept = schedule.functions.zip(types.as_ref());
    let aids = Aids { kept, stages: schedule.stages };
    let queue = Queue::new(environment, pieces, schedule, aids);
    let jobs = schedule.jobs.min(pieces.len() / PIECES_PER_JOB).max(1);
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
            validator.validate(&module.bodies[index.as_usize()])?;
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

/// What changes nothing in the code that workers make.
#[derive(Clone, Copy, Default)]
struct Aids<'a> {
    kept: Option<Kept<'a>>,
    stages: Option<&'a Stages>,
}

/// Where the code of functions is kept, and what is in their keys of the module's types.
type Kept<'a> = (&'a dyn FunctionStore, &'a TypeDigests);

/// The work that is left, and what came of that which is done.
struct Queue<'a> {
    environment: Environment<'a>,
    aids: Aids<'a>,
    pieces: &'a [Symbol],
    /// Positions in `pieces`, largest piece first.
    order: Vec<u32>,
    next: AtomicUsize,
    progress: Option<&'a dyn Progress>,
    cancel: Option<&'a AtomicBool>,
    functions: usize,
    functions_done: AtomicUsize,
    stopped: AtomicBool,
    results: Mutex<Vec<Option<CompiledFunction>>>,
    /// Of the pieces that failed, the first in `pieces`.
    failure: Mutex<Option<(u32, CompileError)>>,
}

impl<'a> Queue<'a> {
    fn new(
        environment: Environment<'a>,
        pieces: &'a [Symbol],
        schedule: &Schedule<'a>,
        aids: Aids<'a>,
    ) -> Self {
        let size = |position: u32| match pieces[position as usize] {
            Symbol::Function(index) => environment.module.bodies[index.as_usize()].range().len(),
            _ => 0,
        };
        let mut order: Vec<u32> = (0..pieces.len() as u32).collect();
        order.sort_by_key(|&position| std::cmp::Reverse(size(position)));
        Queue {
            environment,
            aids,
            pieces,
            order,
            next: AtomicUsize::new(0),
            progress: schedule.progress,
            cancel: schedule.cancel,
            functions: pieces.iter().filter(|piece| matches!(piece, Symbol::Function(_))).count(),
            functions_done: AtomicUsize::new(0),
            stopped: AtomicBool::new(false),
            results: Mutex::new(pieces.iter().map(|_| None).collect()),
            failure: Mutex::new(None),
        }
    }

    /// Compiles until nothing is left, or something failed.
    fn work(&self) {
        let mut worker = Worker::new(self.environment, self.aids);
        while !self.stopped.load(Ordering::Relaxed)
            && !self.is_cancelled()
            && let Some(&position) = self.order.get(self.next.fetch_add(1, Ordering::Relaxed))
        {
            let piece = self.pieces[position as usize];
            let result = catch_unwind(AssertUnwindSafe(|| worker.piece(piece)));
            let result = result.unwrap_or_else(|panic| {
                worker = Worker::new(self.environment, self.aids);
                let function = name(piece, self.environment.module);
                Err(CompileError::Internal { function, message: panic_message(&*panic) })
            });
            match result {
                Ok(code) => {
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
        }
    }

    fn is_cancelled(&self) -> bool {
        self.cancel.is_some_and(|cancel| cancel.load(Ordering::Relaxed))
    }

    fn report(&self, piece: Symbol) {
        if let (Some(progress), Symbol::Function(_)) = (self.progress, piece) {
            let done = self.functions_done.fetch_add(1, Ordering::Relaxed) + 1;
            progress.functions(done, self.functions);
        }
    }

    fn finish(self) -> Result<Vec<CompiledFunction>, CompileError> {
        // It may have been cancelled too late to matter.
        let is_left = self.next.load(Ordering::Relaxed) < self.pieces.len();
        let is_cancelled = self.is_cancelled() && is_left;
        let failure = self.failure.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, error)) = failure {
            return Err(error);
        }
        if is_cancelled {
            return Err(CompileError::Cancelled);
        }
        let results = self.results.into_inner().unwrap_or_else(PoisonError::into_inner);
        let missing = |position: usize| CompileError::Internal {
            function: name(self.pieces[position], self.environment.module),
            message: "nobody compiled it".into(),
        };
        let results = results.into_iter().enumerate();
        results.map(|(position, code)| code.ok_or_else(|| missing(position))).collect()
    }
}

/// The size of the frame of a function, in bytes.
fn frame_size(compiled: &CompiledCode) -> Option<u32> {
    Some(compiled.buffer.frame_layout()?.frame_to_fp_offset)
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

/// Whether machine code is written down for people as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Disassembly {
    Omitted,
    Kept,
}

/// Memory that is used for one piece of code after another.
struct Worker<'a> {
    environment: Environment<'a>,
    stages: Option<&'a Stages>,
    context: Context,
    /// The memory of the register allocator.
    registers: regalloc2::Ctx,
    translator: FunctionTranslator,
    validator: FuncValidatorAllocations,
    trampolines: FunctionBuilderContext,
    reuse: Option<Reuse<'a>>,
}

/// What finds the code of functions again.
struct Reuse<'a> {
    kept: Kept<'a>,
    footprints: Footprints<'a>,
    record: Vec<u8>,
}

impl<'a> Worker<'a> {
    fn new(environment: Environment<'a>, aids: Aids<'a>) -> Self {
        let Aids { kept, stages } = aids;
        let reuse = kept.map(|kept| Reuse {
            kept,
            footprints: Footprints::new(environment, kept.1),
            record: Vec::new(),
        });
        Worker {
            environment,
            stages,
            context: Context::new(),
            registers: regalloc2::Ctx::default(),
            translator: FunctionTranslator::new(),
            validator: FuncValidatorAllocations::default(),
            trampolines: FunctionBuilderContext::new(),
            reuse,
        }
    }

    /// The code of a piece: what is kept of it, or newly made.
    fn piece(&mut self, piece: Symbol) -> Result<CompiledFunction, CompileError> {
        let (Symbol::Function(index), Some(reuse)) = (piece, &mut self.reuse) else {
            return self.compile(piece);
        };
        let mut stopwatch = Stopwatch::start(self.stages);
        // A body without a key is not valid, which is for the translation to say.
        let Some(key) = reuse.footprints.key(index) else { return self.compile(piece) };
        let module = self.environment.module;
        let body = &module.bodies[index.as_usize()];
        let anchor = reuse.footprints.anchor(index);
        reuse.record.clear();
        if reuse.kept.0.get(&key, &mut reuse.record)
            && let Some(code) = reuse::decode(&reuse.record, &anchor)
        {
            let allocations = std::mem::take(&mut self.validator);
            let mut validator = module.validation(index).into_validator(allocations);
            validator.validate(body)?;
            self.validator = validator.into_allocations();
            stopwatch.lap(Stage::Reuse);
            return Ok(code);
        }
        stopwatch.lap(Stage::Reuse);
        let code = self.compile(piece)?;
        let mut stopwatch = Stopwatch::start(self.stages);
        if let Some(Reuse { kept: (store, _), footprints, record }) = &mut self.reuse {
            let anchor = footprints.anchor(index);
            record.clear();
            if reuse::encode(&code, &anchor, record).is_some() {
                store.put(&key, record);
            }
        }
        stopwatch.lap(Stage::Reuse);
        Ok(code)
    }

    fn compile(&mut self, piece: Symbol) -> Result<CompiledFunction, CompileError> {
        let module = self.environment.module;
        let (compiled, translated) = self.generate(piece, Disassembly::Omitted)?;
        let mut code = CompiledFunction::new(&compiled, &self.context.func, translated)
            .map_err(|message| CompileError::Internal { function: name(piece, module), message })?;
        if let Symbol::Function(_) = piece
            && self.environment.isa.triple().architecture == Architecture::X86_64
            && self.environment.settings.opt_level != OptLevel::None
        {
            short_jumps::shorten(&mut code, &compiled.bb_starts);
        }
        if let Symbol::Function(index) = piece
            && module.bodies[index.as_usize()].range().len() > LARGE_BODY
        {
            let reuse = self.reuse.take();
            let aids = Aids { kept: None, stages: self.stages };
            *self = Worker { reuse, ..Worker::new(self.environment, aids) };
        }
        Ok(code)
    }

    /// Compiles a function, and writes down its code.
    fn list(
        &mut self,
        function: DefinedFuncIndex,
        language: Language,
    ) -> Result<String, CompileError> {
        let (compiled, _) = self.generate(Symbol::Function(function), Disassembly::Kept)?;
        Ok(match language {
            Language::Assembly => compiled.vcode.unwrap_or_default(),
            Language::Clif => self.context.func.display().to_string(),
        })
    }

    /// Makes machine code of a piece of code.
    fn generate(
        &mut self,
        piece: Symbol,
        disassembly: Disassembly,
    ) -> Result<(CompiledCode, Option<Translated>), CompileError> {
        let Environment { module, isa, .. } = self.environment;
        self.context.clear();
        let translated = match piece {
            Symbol::Function(index) => Some(self.translate(index)?),
            _ => {
                self.build_trampoline(piece, isa);
                None
            }
        };
        let failed = |source| CompileError::Codegen { function: name(piece, module), source };
        let spared = self.spare_limit(translated.as_ref());
        let mut compiled = self.generate_translated(disassembly).map_err(failed)?;
        if let Symbol::Function(index) = piece
            && spared
            && frame_size(&compiled).is_none_or(|size| size > UNCHECKED_FRAME)
        {
            self.context.clear();
            self.translate(index)?;
            compiled = self.generate_translated(disassembly).map_err(failed)?;
        }
        Ok((compiled, translated))
    }

    /// What [`Context::compile`] does, stage by stage.
    fn generate_translated(
        &mut self,
        disassembly: Disassembly,
    ) -> Result<CompiledCode, CodegenError> {
        let mut stopwatch = Stopwatch::start(self.stages);
        let (isa, control) = (self.environment.isa, &mut ControlPlane::default());
        self.context.optimize(isa, control)?;
        stopwatch.lap(Stage::Optimize);
        let Context { func, domtree, .. } = &self.context;
        let wants_text = disassembly == Disassembly::Kept;
        let stencil =
            isa.compile_function(func, domtree, &mut self.registers, wants_text, control)?;
        let compiled = stencil.apply_params(&func.params);
        stopwatch.lap(Stage::Generate);
        Ok(compiled)
    }

    /// Takes the stack limit from a function of wasm that calls nothing, and says whether it did.
    fn spare_limit(&mut self, translated: Option<&Translated>) -> bool {
        let func = &mut self.context.func;
        // Nothing is called without a signature.
        let is_leaf = translated.is_some() && func.dfg.signatures.is_empty();
        is_leaf && func.stack_limit.take().is_some()
    }

    /// Validates and translates a function.
    fn translate(&mut self, index: DefinedFuncIndex) -> Result<Translated, CompileError> {
        let mut stopwatch = Stopwatch::start(self.stages);
        let module = self.environment.module;
        let body = &module.bodies[index.as_usize()];
        let allocations = std::mem::take(&mut self.validator);
        let mut validator = module.validation(index).into_validator(allocations);
        let func = &mut self.context.func;
        let translated =
            self.translator.translate(&self.environment, index, body, &mut validator, func);
        self.validator = validator.into_allocations();
        stopwatch.lap(Stage::Translate);
        translated
    }

    fn build_trampoline(&mut self, piece: Symbol, isa: &dyn TargetIsa) {
        let (context, func) = (&mut self.trampolines, &mut self.context.func);
        let module = self.environment.module;
        match piece {
            Symbol::Entry(ty) => {
                trampoline::entry(piece, module.func_type(ty), isa, context, func);
            }
            Symbol::Exit(ty) => {
                trampoline::exit(piece, module.func_type(ty), isa, context, func);
            }
            Symbol::Helper(helper) => trampoline::helper(helper, isa, context, func),
            Symbol::Import(function) => {
                let ty = module.function_type(function);
                let offset = module.offsets.imported_function(function);
                trampoline::import(piece, ty, offset, isa, context, func);
            }
            Symbol::Function(_) => unreachable!("functions are translated"),
            Symbol::Table(_) => unreachable!("tables are not compiled"),
        }
    }
}
