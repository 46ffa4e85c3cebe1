//! Modules: artifacts in memory that instances are made of.

#[cfg(feature = "cache")]
mod cached;
mod compile;
mod deserialize;
mod libcalls;
#[cfg(feature = "compiler")]
mod source;

use std::ffi::c_void;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use precast_artifact::container::ContainedImage;
use precast_artifact::description::BuildDescription;
use precast_artifact::image::Sections;
use precast_artifact::index::{DefinedFuncIndex, FuncIndex, MemoryIndex, TypeIndex};
use precast_artifact::module::{Export, ExportItem, ImportCounts, Module as ModuleInfo};
use precast_artifact::types as raw;
use precast_artifact::vmcontext::VMOffsets;
use precast_config::CompilerSettings;
use precast_loader::{Mapped, Placement, Sealed, Writable};

#[cfg(feature = "cache")]
pub(crate) use cached::recipe;
#[cfg(feature = "cache")]
pub use cached::{Warmed, compiler_build};
#[cfg(feature = "compiler")]
pub use compile::CodeBuilder;
pub(crate) use compile::is_compile_error;
#[cfg(feature = "compiler")]
pub use source::SourceError;

use crate::engine::Engine;
use crate::error::{Error, ModuleError, Result};
use crate::trap::{self, CodeRange};
use crate::types::{ExportType, ExternType, ImportType, map_ref_type, map_val_type};

static NEXT_NUMBER: AtomicU64 = AtomicU64::new(0);

/// A compiled module.
///
/// Cloning it makes another handle to the same module. It can be used from all threads, and
/// instantiated any number of times in any stores of its engine.
#[derive(Clone)]
pub struct Module(Arc<ModuleInner>);

/// A module that is mapped and known to the engine.
pub(crate) struct ModuleInner {
    engine: Engine,
    number: u64,
    mapped: Mapped<Sealed>,
    offsets: VMOffsets,
    /// The engine-wide index of each of its types.
    type_ids: Box<[u32]>,
    /// The memory that it exports as `memory`.
    exported_memory: Option<MemoryIndex>,
    /// The positions of the exports in order of their names; made when someone asks for a name.
    exports: OnceLock<Box<[usize]>>,
    path: Option<PathBuf>,
}

/// How an artifact gets into memory, and how closely it is looked at before.
#[derive(Clone, Copy, Debug, Default)]
pub struct LoadOptions {
    /// Whether it is mapped or copied.
    pub placement: Placement,
    /// Whether all of it is compared with its digest, which reads all of it. What is always checked
    /// are the header and the part that is decoded.
    pub verify: bool,
}

impl Module {
    fn load(
        engine: &Engine,
        mapped: Mapped<Writable>,
        options: &LoadOptions,
        path: Option<PathBuf>,
    ) -> Result<Module> {
        let mapped = if options.verify { mapped.verify()? } else { mapped };
        let mapped = mapped.relocate(libcalls::address)?.seal()?;
        if let (Some(artifact), Some(engine)) =
            (mapped.description().collector, engine.config().fixed_collector())
            && artifact != engine
        {
            let (artifact, engine) = (artifact.to_string(), engine.to_string());
            return Err(ModuleError::Collector { artifact, engine }.into());
        }
        check_settings(engine, mapped.description())?;
        let info = mapped.module();
        let type_ids = engine.types().register(&info.types)?;
        let too_large = |_| ModuleError::Damaged("it declares more than an instance can hold");
        let offsets = VMOffsets::new(info).map_err(too_large)?;
        let exported_memory = info.exports.iter().find_map(|export| match export.item {
            ExportItem::Memory(index) if export.name == "memory" => Some(index),
            _ => None,
        });
        let (text, mapping) = (mapped.text(), mapped.bytes().as_ptr_range());
        let inner = Arc::new(ModuleInner {
            engine: engine.clone(),
            number: NEXT_NUMBER.fetch_add(1, Ordering::Relaxed),
            mapped,
            offsets,
            type_ids,
            exported_memory,
            exports: OnceLock::new(),
            path,
        });
        inner.check()?;
        let mapping = mapping.start.addr()..mapping.end.addr();
        trap::register(CodeRange { text, mapping, module: Arc::downgrade(&inner) });
        Ok(Module(inner))
    }

    pub(crate) fn from_inner(inner: Arc<ModuleInner>) -> Module {
        Module(inner)
    }

    pub(crate) fn inner(&self) -> &ModuleInner {
        &self.0
    }

    pub(crate) fn info(&self) -> &ModuleInfo {
        self.0.info()
    }

    /// Whether two handles are to the same module.
    pub fn same(a: &Module, b: &Module) -> bool {
        Arc::ptr_eq(&a.0, &b.0)
    }

    /// The engine that the module was made with.
    pub fn engine(&self) -> &Engine {
        &self.0.engine
    }

    /// The module's own name, from its name section.
    pub fn name(&self) -> Option<&str> {
        self.info().name.as_deref()
    }

    /// What the artifact says it was made from, by what, and for what.
    pub fn description(&self) -> &precast_artifact::description::BuildDescription {
        self.0.mapped.description()
    }

    /// Which of several artifacts it is, when it was loaded from a file or bytes that hold several:
    /// the one that makes the most of this machine.
    pub fn contained(&self) -> Option<&ContainedImage> {
        self.0.mapped.contained()
    }

    /// The artifact. Of several, the one that runs here.
    ///
    /// # Errors
    ///
    /// When it had to be changed to fit this process, so that its bytes fit no other.
    pub fn serialize(&self) -> Result<Vec<u8>> {
        if !self.0.sections().relocations.is_empty() {
            return Err(Error::msg("the artifact was relocated for this process"));
        }
        Ok(self.0.mapped.bytes().to_vec())
    }

    /// Its imports, in order.
    pub fn imports(&self) -> impl ExactSizeIterator<Item = ImportType<'_>> + '_ {
        self.info().imports.iter().map(|import| ImportType {
            module: &import.module,
            name: &import.name,
            ty: self.0.extern_type(&import.ty),
        })
    }

    /// Its exports, in order.
    pub fn exports(&self) -> impl ExactSizeIterator<Item = ExportType<'_>> + '_ {
        self.info()
            .exports
            .iter()
            .map(|export| ExportType { name: &export.name, ty: self.0.export_type(export) })
    }

    /// The type of an export.
    pub fn get_export(&self, name: &str) -> Option<ExternType> {
        Some(self.0.export_type(self.0.export(name)?))
    }
}

/// Refuses code that does not stop when the engine counts on it, and code that would stop
/// although nobody sets it any limits.
fn check_settings(engine: &Engine, artifact: &BuildDescription) -> Result<(), ModuleError> {
    let CompilerSettings { consume_fuel, epoch_interruption, .. } =
        engine.config().compiler_settings();
    for (setting, wanted) in
        [("consume_fuel", consume_fuel), ("epoch_interruption", epoch_interruption)]
    {
        let found = artifact.setting(setting) == Some("true");
        if found != *wanted {
            let [artifact, engine] = [found, *wanted].map(|on| if on { "on" } else { "off" });
            return Err(ModuleError::Setting { setting, artifact, engine });
        }
    }
    Ok(())
}

impl ModuleInner {
    /// Whether the decoded part fits together: what instantiation takes for granted.
    fn check(&self) -> Result<(), ModuleError> {
        let info = self.info();
        let mut counts = ImportCounts::default();
        for import in &info.imports {
            self.entity_type(&import.ty)?;
            *match import.ty {
                raw::EntityType::Func(_) => &mut counts.functions,
                raw::EntityType::Table(_) => &mut counts.tables,
                raw::EntityType::Memory(_) => &mut counts.memories,
                raw::EntityType::Global(_) => &mut counts.globals,
                raw::EntityType::Tag(_) => &mut counts.tags,
            } += 1;
        }
        let fits = |imported: u32, all: usize| imported as usize <= all;
        let consistent = counts == info.imported
            && fits(counts.tables, info.tables.len())
            && fits(counts.memories, info.memories.len())
            && fits(counts.globals, info.globals.len())
            && fits(counts.tags, info.tags.len())
            && info.exports.iter().all(|export| self.export_entity(export).is_some());
        if consistent {
            return Ok(());
        }
        Err(ModuleError::Damaged("its imports and exports do not fit what it consists of"))
    }

    pub(crate) fn info(&self) -> &ModuleInfo {
        self.mapped.module()
    }

    pub(crate) fn sections(&self) -> &Sections<'_> {
        self.mapped.sections()
    }

    pub(crate) fn mapped(&self) -> &Mapped<Sealed> {
        &self.mapped
    }

    /// Which module it is, among all that the process has loaded.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    pub(crate) fn offsets(&self) -> VMOffsets {
        self.offsets
    }

    pub(crate) fn type_ids(&self) -> &[u32] {
        &self.type_ids
    }

    pub(crate) fn exported_memory(&self) -> Option<MemoryIndex> {
        self.exported_memory
    }

    /// Where its code is.
    pub(crate) fn text(&self) -> Range<usize> {
        self.mapped.text()
    }

    /// The file that it was loaded from.
    pub(crate) fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// The export of this name.
    pub(crate) fn export(&self, name: &str) -> Option<&Export> {
        let exports = &self.info().exports;
        let by_name = self.exports.get_or_init(|| {
            let mut positions: Box<[usize]> = (0..exports.len()).collect();
            positions.sort_unstable_by_key(|&position| &exports[position].name);
            positions
        });
        let found = by_name.binary_search_by(|&position| exports[position].name.as_str().cmp(name));
        Some(&exports[by_name[found.ok()?]])
    }

    /// The address of code at an offset of the text section.
    pub(crate) fn code(&self, offset: u32) -> *const c_void {
        let text = self.text();
        assert!((offset as usize) < text.len(), "code outside of the text section");
        std::ptr::with_exposed_provenance(text.start + offset as usize)
    }

    /// The trampoline from the host to functions of a type; null when there is none.
    pub(crate) fn entry(&self, ty: TypeIndex) -> *const c_void {
        let signature = self.info().signature(ty);
        let entry = signature.and_then(|signature| signature.entry);
        entry.map_or(std::ptr::null(), |entry| self.code(entry))
    }

    /// The trampoline from wasm to host functions of a type of the module.
    pub(crate) fn exit(&self, ty: TypeIndex) -> Option<*const c_void> {
        self.info().signature(ty)?.exit.map(|exit| self.code(exit))
    }

    /// The trampoline from wasm to host functions of a type of the engine. Code that knows only a
    /// supertype can call them as well, by one of the same shape.
    pub(crate) fn exit_of(&self, type_id: u32) -> Option<*const c_void> {
        let types = self.engine.types();
        let mut exits = self.info().signatures.iter().filter_map(|signature| {
            let known = *self.type_ids.get(signature.ty.as_usize())?;
            signature.exit.filter(|_| types.is_subtype(type_id, known))
        });
        exits.next().map(|exit| self.code(exit))
    }

    /// What was active at a call, or an instruction that can trap, which is at an offset of the text
    /// section, innermost first: the functions, and where in the wasm module each was.
    pub(crate) fn frames_at(&self, offset: u32) -> Vec<(DefinedFuncIndex, Option<usize>)> {
        let sections = self.sections();
        let Some((own, _)) = sections.functions.find(offset) else { return Vec::new() };
        match sections.sites.get(offset) {
            Some(site) => {
                let frames = sections.inline_frames.resolve(site.wasm);
                frames.map(|(inlined, at)| (inlined.unwrap_or(own), Some(at as usize))).collect()
            }
            None => vec![(own, None)],
        }
    }

    /// A type of the module with engine-wide indices.
    ///
    /// # Errors
    ///
    /// When it refers to a type that the module does not have.
    pub(crate) fn entity_type(&self, ty: &raw::EntityType) -> Result<raw::EntityType, ModuleError> {
        let func = |index| match self.heap_type(raw::HeapType::ConcreteFunc(index)) {
            Some(raw::HeapType::ConcreteFunc(id)) => Some(id),
            _ => None,
        };
        let heap_type = |ty| self.heap_type(ty);
        let mapped = match *ty {
            raw::EntityType::Func(index) => func(index).map(raw::EntityType::Func),
            raw::EntityType::Tag(index) => func(index).map(raw::EntityType::Tag),
            raw::EntityType::Memory(ty) => Some(raw::EntityType::Memory(ty)),
            raw::EntityType::Table(ty) => map_ref_type(ty.element, &heap_type)
                .map(|element| raw::EntityType::Table(raw::TableType { element, ..ty })),
            raw::EntityType::Global(ty) => map_val_type(ty.content, &heap_type)
                .map(|content| raw::EntityType::Global(raw::GlobalType { content, ..ty })),
        };
        mapped.ok_or(ModuleError::Damaged("it refers to types that it does not have"))
    }

    /// The same with an engine-wide index, if it has an index; `None` when the module has no such
    /// type.
    pub(crate) fn heap_type(&self, ty: raw::HeapType) -> Option<raw::HeapType> {
        if !self.info().types.has(ty) {
            return None;
        }
        ty.map_index(|index| self.type_ids.get(index.as_usize()).copied().map(TypeIndex))
    }

    /// The type of an export, with engine-wide indices.
    pub(crate) fn export_entity(&self, export: &Export) -> Option<raw::EntityType> {
        let info = self.info();
        let ty = match export.item {
            ExportItem::Func(_, ty) => raw::EntityType::Func(ty),
            ExportItem::Table(index) => raw::EntityType::Table(*info.tables.get(index.as_usize())?),
            ExportItem::Memory(index) => {
                raw::EntityType::Memory(info.memories.get(index.as_usize())?.ty)
            }
            ExportItem::Global(index) => {
                raw::EntityType::Global(*info.globals.get(index.as_usize())?)
            }
            ExportItem::Tag(index) => raw::EntityType::Tag(*info.tags.get(index.as_usize())?),
        };
        self.entity_type(&ty).ok()
    }

    fn extern_type(&self, ty: &raw::EntityType) -> ExternType {
        let ty = self.entity_type(ty).expect("the module was checked when it was loaded");
        ExternType::from_raw(&self.engine, &ty)
    }

    fn export_type(&self, export: &Export) -> ExternType {
        let ty = self.export_entity(export).expect("the module was checked when it was loaded");
        ExternType::from_raw(&self.engine, &ty)
    }

    /// Whether a function is imported.
    pub(crate) fn is_imported(&self, index: FuncIndex) -> bool {
        index.0 < self.info().imported.functions
    }
}

impl Drop for ModuleInner {
    fn drop(&mut self) {
        trap::deregister(self.text().start);
    }
}

impl fmt::Debug for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Module")
            .field("name", &self.name())
            .field("path", &self.0.path)
            .finish_non_exhaustive()
    }
}
