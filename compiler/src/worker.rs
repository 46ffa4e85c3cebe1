//! Makes the code of one piece after the other, with memory that is kept for the next.

use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::isa::TargetIsa;
use cranelift_codegen::{CodegenError, CompiledCode, Context};
use cranelift_frontend::FunctionBuilderContext;
use precast_artifact::index::DefinedFuncIndex;
use precast_config::OptLevel;
use target_lexicon::Architecture;
use wasmparser::FuncValidatorAllocations;

use crate::code::{CompiledFunction, Translated};
use crate::listing::Language;
use crate::reuse::{self, Footprints, FunctionStore, TypeDigests};
use crate::sink::sink;
use crate::stages::{Stage, Stages, Stopwatch};
use crate::symbol::Symbol;
use crate::translate::{Environment, FunctionTranslator};
use crate::work::name;
use crate::{CompileError, memory, short_jumps, trampoline};

/// The largest frame, in bytes, of a function that calls nothing and does not look at the stack limit. Below
/// the limit there is room for host functions, which need more.
const UNCHECKED_FRAME: u32 = 1 << 10;

/// What changes nothing in the code that workers make.
#[derive(Clone, Copy, Default)]
pub(crate) struct Aids<'a> {
    pub(crate) kept: Option<Kept<'a>>,
    pub(crate) stages: Option<&'a Stages>,
}

/// Where the code of functions is kept, and what is in their keys of the module's types.
pub(crate) type Kept<'a> = (&'a dyn FunctionStore, &'a TypeDigests);

/// Whether machine code is written down for people as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Disassembly {
    Omitted,
    Kept,
}

/// Memory that is used for one piece of code after another.
pub(crate) struct Worker<'a> {
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
    /// One that has not compiled anything.
    pub(crate) fn new(environment: Environment<'a>, aids: Aids<'a>) -> Self {
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
    pub(crate) fn piece(&mut self, piece: Symbol) -> Result<CompiledFunction, CompileError> {
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
        Ok(code)
    }

    /// Gives up the memory that larger pieces needed.
    pub(crate) fn shrink(&mut self) {
        let reuse = self.reuse.take();
        let aids = Aids { kept: None, stages: self.stages };
        *self = Worker { reuse, ..Worker::new(self.environment, aids) };
        memory::release();
    }

    /// Compiles a function, and writes down its code.
    pub(crate) fn list(
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
        self.clear();
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
            self.clear();
            self.translate(index)?;
            compiled = self.generate_translated(disassembly).map_err(failed)?;
        }
        Ok((compiled, translated))
    }

    /// Empties the context for the next piece.
    fn clear(&mut self) {
        self.context.clear();
        // Cranelift 0.135 leaves these, and looks through all of them in each function.
        self.context.func.dfg.exception_tables.clear();
    }

    /// What [`Context::compile`] does, stage by stage.
    fn generate_translated(
        &mut self,
        disassembly: Disassembly,
    ) -> Result<CompiledCode, CodegenError> {
        let mut stopwatch = Stopwatch::start(self.stages);
        let (isa, control) = (self.environment.isa, &mut ControlPlane::default());
        self.context.optimize(isa, control)?;
        if self.environment.settings.opt_level != OptLevel::None {
            sink(&mut self.context.func);
        }
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

/// The size of the frame of a function, in bytes.
fn frame_size(compiled: &CompiledCode) -> Option<u32> {
    Some(compiled.buffer.frame_layout()?.frame_to_fp_offset)
}
