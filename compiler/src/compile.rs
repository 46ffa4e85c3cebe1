//! From wasm bytes to an artifact.

use std::collections::{BTreeSet, HashMap};

use cranelift_codegen::binemit::Reloc;
use precast_artifact::description::{BuildDescription, Collector};
use precast_artifact::helper::Helper;
use precast_artifact::image::{ImageParts, Trampoline, write};
use precast_artifact::index::{DefinedFuncIndex, FuncIndex, TypeIndex};
use precast_artifact::module::{Module, Signature};
use precast_artifact::section::functions::FunctionEntry;
use precast_artifact::types::CompositeType;
use precast_config::{CollectorChoice, CompilerSettings};
use sha2::{Digest, Sha256};

use crate::code::{CompiledFunction, Reference, ReferenceTarget};
use crate::error::{CompileError, FunctionName};
use crate::link::{LinkedCode, Place, link};
use crate::module::Boundary;
use crate::needed::compile_needed;
use crate::parsed::ParsedModule;
use crate::stages::{Stage, Stopwatch};
use crate::symbol::Symbol;
use crate::target::Target;
use crate::translate::Environment;
use crate::work::Schedule;
use crate::{closed_table, memory, module, trampoline, translate, work};

/// A compiled module: the bytes of one artifact.
#[derive(Clone, PartialEq, Eq)]
pub struct CompilationArtifacts {
    image: Vec<u8>,
}

/// Compiles a module.
///
/// The result depends on `wasm`, `settings` and, where these ask for it, the processor of
/// this machine; not on the schedule.
///
/// # Errors
///
/// When the module is not valid or needs what is not supported, when the settings make no
/// sense, and when the code generator reaches one of its limits.
pub fn compile(
    wasm: &[u8],
    settings: &CompilerSettings,
    schedule: &Schedule<'_>,
) -> Result<CompilationArtifacts, CompileError> {
    let mut stopwatch = Stopwatch::start(schedule.stages);
    let target = Target::new(settings)?;
    let parsed = module::parse(wasm, settings, target.page_size(), schedule.jobs)
        .map_err(|error| explain(wasm, settings, None, error))?;
    stopwatch.lap(Stage::Parse);
    let pieces = pieces(&parsed);
    let collector = collector(&parsed, settings.collector);
    let environment = Environment { module: &parsed, isa: &*target.isa, settings, collector };
    let (mut pieces, mut code) = compile_needed(environment, &pieces, schedule)
        .map_err(|error| explain(wasm, settings, Some(&parsed), error))?;
    memory::release();
    let mut stopwatch = Stopwatch::start(schedule.stages);
    let collector = code.iter().any(|code| code.handles_references).then_some(collector);
    for (table, functions) in parsed.closed_tables.iter() {
        pieces.push(Symbol::Table(table));
        code.push(table_code(&parsed, functions));
    }
    let name = |piece| work::name(piece, &parsed);
    let hash = || {
        let mut stopwatch = Stopwatch::start(schedule.stages);
        let hash = Sha256::digest(wasm).into();
        stopwatch.lap(Stage::Hash);
        hash
    };
    let link = || link(&*target.isa, &pieces, code, parsed.len, name);
    let (linked, wasm_sha256) = work::both(schedule.jobs, link, hash);
    let linked = linked?;
    stopwatch.lap(Stage::Link);
    let description = describe(wasm_sha256, settings, &target, collector);
    let image = assemble(&description, settings, parsed, &pieces, linked);
    stopwatch.lap(Stage::Write);
    Ok(CompilationArtifacts { image })
}

/// Checks that a module is valid and uses only accepted proposals, without compiling it.
///
/// # Errors
///
/// When it is not valid, or needs what is not accepted or supported.
pub fn validate(wasm: &[u8], settings: &CompilerSettings) -> Result<(), CompileError> {
    /// The granularity of memory images, which nobody will see.
    const PAGE_SIZE: u64 = 64 << 10;
    let parsed = module::parse(wasm, settings, PAGE_SIZE, 1)
        .map_err(|error| explain(wasm, settings, None, error))?;
    match module::first_error(wasm, &settings.features) {
        Some(source) => Err(explain(wasm, settings, Some(&parsed), source.into())),
        None => parsed.bodies.iter().try_for_each(translate::check),
    }
}

impl CompilationArtifacts {
    /// The artifact.
    pub fn as_bytes(&self) -> &[u8] {
        &self.image
    }

    /// The artifact.
    pub fn into_bytes(self) -> Vec<u8> {
        self.image
    }
}

impl std::fmt::Debug for CompilationArtifacts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CompilationArtifacts").field("len", &self.image.len()).finish()
    }
}

/// All code that a module can need, in the order in which it is linked.
fn pieces(parsed: &ParsedModule<'_>) -> Vec<Symbol> {
    let functions = (0..parsed.module.defined_functions).map(DefinedFuncIndex);
    let shared = trampoline::representatives(&parsed.module.types);
    let boundary = Boundary::of(&parsed.module, &parsed.function_types);
    let [entries, exits] = [&boundary.entries, &boundary.exits].map(|types| {
        types.iter().filter_map(|ty| shared.get(ty)).copied().collect::<BTreeSet<TypeIndex>>()
    });
    functions
        .filter(|&index| parsed.representative(index) == index)
        .map(Symbol::Function)
        .chain(entries.into_iter().map(Symbol::Entry))
        .chain(exits.into_iter().map(Symbol::Exit))
        .chain(
            parsed
                .closed_tables
                .imports(parsed.module.imported.functions)
                .into_iter()
                .map(Symbol::Import),
        )
        .chain(Helper::ALL.iter().map(|&helper| Symbol::Helper(helper)))
        .collect()
}

/// The collector that the code is for.
pub(crate) fn collector(parsed: &ParsedModule<'_>, choice: CollectorChoice) -> Collector {
    match choice {
        CollectorChoice::Fixed(collector) => collector,
        CollectorChoice::Auto => {
            let mut types = parsed.module.types.types.iter();
            match types.any(|ty| !matches!(ty.composite, CompositeType::Func(_))) {
                true => Collector::Copying,
                false => Collector::Drc,
            }
        }
    }
}

/// The contents of a closed table, as [`closed_table`](crate::closed_table) describes them.
fn table_code(parsed: &ParsedModule<'_>, functions: &[Option<FuncIndex>]) -> CompiledFunction {
    let mut bytes = Vec::with_capacity(functions.len() * closed_table::ENTRY as usize);
    let mut references = Vec::new();
    for function in functions {
        let ty = function.map(|function| parsed.function_types[function.as_usize()]);
        let number = ty.and_then(|ty| parsed.closed_tables.type_number(ty));
        bytes.extend(number.unwrap_or(closed_table::NULL).to_le_bytes());
        let offset = bytes.len() as u32;
        bytes.extend([0; 4]);
        let Some(function) = *function else { continue };
        let symbol = match parsed.defined(function) {
            Some(defined) => Symbol::Function(parsed.representative(defined)),
            None => Symbol::Import(function),
        };
        references.push(Reference {
            offset,
            // A distance from the start of the table, not from the place itself.
            kind: Reloc::X86PCRel4,
            addend: offset.into(),
            target: ReferenceTarget::Symbol(symbol),
        });
    }
    CompiledFunction::data(bytes, closed_table::ENTRY, references)
}

/// Says of an error of the validator which proposal or function is behind it. For an error in
/// a function, that is the first one in the module, whichever was met first.
pub(crate) fn explain(
    wasm: &[u8],
    settings: &CompilerSettings,
    parsed: Option<&ParsedModule<'_>>,
    error: CompileError,
) -> CompileError {
    let CompileError::Invalid { function: None, source } = error else { return error };
    let first = parsed.and_then(|_| module::first_error(wasm, &settings.features));
    let source = first.unwrap_or(source);
    let function = parsed.and_then(|parsed| {
        let index = parsed.function_at(source.offset())?;
        let name = parsed.function_name(index).map(str::to_owned);
        Some(FunctionName { index: Some(index), name })
    });
    match module::explain(wasm, &settings.features, source) {
        CompileError::Invalid { function: None, source } => {
            CompileError::Invalid { function, source }
        }
        explained => explained,
    }
}

/// What the artifact says it was made from.
fn describe(
    wasm_sha256: [u8; 32],
    settings: &CompilerSettings,
    target: &Target,
    collector: Option<Collector>,
) -> BuildDescription {
    let CompilerSettings {
        // These are described as the target that they chose.
        target: _,
        cpu: _,
        flags: _,
        opt_level,
        inlining,
        features,
        relaxed_simd_deterministic,
        consume_fuel,
        epoch_interruption,
        // The description has a place of its own for the one that it chose.
        collector: _,
        memory_reservation,
        memory_guard,
        memory_image_limit,
        strip,
        // It changes nothing in the code.
        verify_ir: _,
    } = settings;
    let accepted = features.iter().filter(|&(_, accepted)| accepted);
    let mut wasm_features: Vec<String> = accepted.map(|(name, _)| name.to_owned()).collect();
    wasm_features.sort();
    let mut described = vec![
        ("opt_level".to_owned(), opt_level.name().to_owned()),
        ("inlining".to_owned(), inlining.to_string()),
        ("relaxed_simd_deterministic".to_owned(), relaxed_simd_deterministic.to_string()),
        ("consume_fuel".to_owned(), consume_fuel.to_string()),
        ("epoch_interruption".to_owned(), epoch_interruption.to_string()),
        ("memory_reservation".to_owned(), memory_reservation.to_string()),
        ("memory_guard".to_owned(), memory_guard.to_string()),
        ("memory_image_limit".to_owned(), memory_image_limit.to_string()),
        ("strip".to_owned(), strip.to_string()),
    ];
    let flags = target.changed_flags.iter();
    described.extend(flags.map(|(name, value)| (format!("flag.{name}"), value.clone())));
    described.sort();
    BuildDescription {
        compiler: crate::VERSION.to_owned(),
        target: target.describe(),
        cpu_features: target.cpu_features(),
        wasm_features,
        settings: described,
        collector,
        wasm_sha256,
    }
}

/// Puts everything into one image.
fn assemble(
    description: &BuildDescription,
    settings: &CompilerSettings,
    mut parsed: ParsedModule<'_>,
    pieces: &[Symbol],
    linked: LinkedCode,
) -> Vec<u8> {
    let bulk = std::mem::take(&mut parsed.bulk);
    if settings.strip {
        parsed.module.name = None;
    }
    let placed = pieces.iter().zip(&linked.places);
    let placed = placed.filter_map(|(&piece, place)| Some((piece, (*place)?)));
    let trampolines = placed.clone().filter(|(piece, _)| !matches!(piece, Symbol::Function(_)));
    let mut trampolines: Vec<_> = trampolines
        .map(|(piece, Place { start, len })| {
            let name = trampoline::name(piece, &parsed.module.types);
            Trampoline { name, start, len }
        })
        .collect();
    let places: HashMap<Symbol, Place> = placed.collect();
    parsed.module.signatures = signatures(&parsed.module, &places);
    let mut end = 0;
    let mut functions = Vec::with_capacity(parsed.bodies.len());
    let mut function_names = Vec::with_capacity(parsed.bodies.len());
    for (&code, index) in parsed.representatives.iter().zip(0..) {
        let own = DefinedFuncIndex(index);
        let index = parsed.function_index(own);
        // What became a part of all its callers has no code.
        let none = Place { start: end, len: 0 };
        let Place { start, len } = *places.get(&Symbol::Function(code)).unwrap_or(&none);
        if code == own {
            end = start + len;
        }
        functions.push(FunctionEntry {
            start,
            len,
            ty: parsed.function_types[index.as_usize()],
            func_ref: parsed.func_refs[index.as_usize()],
            same_as: (code != own).then_some(code),
        });
        function_names.push(parsed.function_name(index));
    }
    if settings.strip {
        function_names.clear();
        trampolines.clear();
    }
    write(ImageParts {
        description,
        module: &parsed.module,
        text: linked.text,
        functions,
        function_names,
        trampolines,
        sites: linked.sites,
        inline_frames: linked.inline_frames,
        exceptions: linked.exceptions,
        stack_maps: linked.stack_maps,
        elements: bulk.elements,
        data: bulk.data,
        images: bulk.images,
        relocations: linked.relocations,
    })
}

/// Where the trampolines of each function type are.
fn signatures(module: &Module, places: &HashMap<Symbol, Place>) -> Vec<Signature> {
    trampoline::representatives(&module.types)
        .into_iter()
        .filter_map(|(ty, shared)| {
            let entry = places.get(&Symbol::Entry(shared)).map(|place| place.start);
            let exit = places.get(&Symbol::Exit(shared)).map(|place| place.start);
            (entry.is_some() || exit.is_some()).then_some(Signature { ty, entry, exit })
        })
        .collect()
}
