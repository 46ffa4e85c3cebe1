//! Reads and validates a module, all but its function bodies.

mod boundary;
mod branch_hints;
mod closed_tables;
mod constant;
mod features;
mod identical;
mod memory_images;
mod names;
mod segments;
mod survey;
mod types;

use precast_artifact::index::{
    FuncIndex, FuncRefIndex, GlobalIndex, MemoryIndex, TableIndex, TagIndex, TypeIndex,
};
use precast_artifact::module::{
    Bounds, ConstExpr, ConstOp, Export, ExportItem, Import, MemoryPlan, Module,
};
use precast_artifact::object::ObjectLayout;
use precast_artifact::types::{EntityType, MemoryType};
use precast_artifact::vmcontext::VMOffsets;
use precast_config::{CompilerSettings, OptLevel};
use wasmparser::{
    BinaryReader, ExternalKind, FunctionBody, Parser, Payload, TableInit, ValidPayload, Validator,
    ValidatorResources, WasmFeatures,
};

use self::memory_images::MemoryImages;
use crate::callees::Callees;
use crate::parsed::{BulkData, ParsedModule};
use crate::{CompileError, limits};

pub(crate) use self::boundary::Boundary;
pub(crate) use self::branch_hints::{BranchHint, BranchHints};
pub(crate) use self::closed_tables::ClosedTables;
pub(crate) use self::features::{explain, first_error};
pub(crate) use self::survey::Survey;
pub(crate) use self::types::{TypeKinds, heap_type};

/// Takes a module apart.
///
/// `page_size` is the granularity of memory images: the largest page of the target. Up to `jobs` threads look
/// at the bodies.
pub(crate) fn parse<'wasm>(
    wasm: &'wasm [u8],
    settings: &CompilerSettings,
    page_size: u64,
    jobs: usize,
) -> Result<ParsedModule<'wasm>, CompileError> {
    check_kind(wasm)?;
    let accepted = features::accepted(&settings.features);
    let mut validator = Validator::new_with_features(accepted);
    let mut parser = Parser::new(0);
    parser.set_features(accepted);
    let mut reader = ModuleReader::new(settings, accepted, page_size);
    for payload in parser.parse_all(wasm) {
        let payload = payload?;
        match validator.payload(&payload)? {
            ValidPayload::Func(function, body) => {
                reader.resources.get_or_insert(function.resources);
                reader.bodies.push(body);
            }
            ValidPayload::Ok | ValidPayload::Parser(_) | ValidPayload::End(_) => {
                reader.section(payload)?;
            }
        }
    }
    let survey = Survey::of(&reader.bodies, reader.function_types.len(), jobs);
    let mut module = reader.finish(&survey)?;
    module.len = wasm.len();
    // Fuel is counted in the order in which functions are called.
    if settings.inlining && settings.opt_level != OptLevel::None && !settings.consume_fuel {
        module.callees = Callees::new(&module, &survey);
    }
    Ok(module)
}

/// Refuses what is no core module before the validator does so in its own words.
fn check_kind(wasm: &[u8]) -> Result<(), CompileError> {
    if !wasm.starts_with(b"\0asm") {
        return Err(CompileError::NotWasm);
    }
    // The upper half of the version says which kind of binary it is.
    if wasm.get(6..8) == Some(&[1, 0]) {
        return Err(CompileError::Component);
    }
    if wasm.len() > limits::MODULE_SIZE {
        let what = "it has too many bytes";
        return Err(CompileError::too_large(what, limits::MODULE_SIZE, limits::MODULE_SIZE));
    }
    Ok(())
}

/// What has been read so far.
struct ModuleReader<'wasm, 'settings> {
    settings: &'settings CompilerSettings,
    page_size: u64,
    module: Module,
    type_kinds: TypeKinds,
    function_types: Vec<TypeIndex>,
    /// Whether a reference to a function can exist, by function.
    escapes: Vec<bool>,
    bodies: Vec<FunctionBody<'wasm>>,
    resources: Option<ValidatorResources>,
    accepted: WasmFeatures,
    name_section: Option<BinaryReader<'wasm>>,
    branch_hints: Option<BinaryReader<'wasm>>,
    bulk: BulkData,
}

impl<'wasm, 'settings> ModuleReader<'wasm, 'settings> {
    fn new(settings: &'settings CompilerSettings, accepted: WasmFeatures, page_size: u64) -> Self {
        ModuleReader {
            settings,
            page_size,
            module: Module::default(),
            type_kinds: TypeKinds::default(),
            function_types: Vec::new(),
            escapes: Vec::new(),
            bodies: Vec::new(),
            resources: None,
            accepted,
            name_section: None,
            branch_hints: None,
            bulk: BulkData::default(),
        }
    }

    /// Takes over a section that has been validated.
    fn section(&mut self, payload: Payload<'wasm>) -> Result<(), CompileError> {
        let module = &mut self.module;
        match payload {
            Payload::TypeSection(section) => {
                for group in section {
                    let group = group?;
                    self.type_kinds.add_group(&group)?;
                    module.types.groups.push(group.types().len() as u32);
                    for ty in group.types() {
                        module.types.types.push(types::sub_type(&self.type_kinds, ty)?);
                    }
                }
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import?;
                    self.import(
                        import.module,
                        import.name,
                        types::entity_type(&self.type_kinds, &import.ty)?,
                    );
                }
            }
            Payload::FunctionSection(section) => {
                for ty in section {
                    self.function(TypeIndex(ty?));
                    self.module.defined_functions += 1;
                }
            }
            Payload::TableSection(section) => {
                for table in section {
                    let table = table?;
                    let ty = types::table_type(&self.type_kinds, &table.ty)?;
                    let initial = match &table.init {
                        TableInit::RefNull => ConstExpr(vec![ConstOp::RefNull(ty.element.heap)]),
                        TableInit::Expr(expression) => self.constant(expression)?,
                    };
                    self.module.tables.push(ty);
                    self.module.table_initializers.push(initial);
                }
            }
            Payload::MemorySection(section) => {
                for ty in section {
                    let ty = types::memory_type(&ty?)?;
                    self.memory(ty);
                }
            }
            Payload::TagSection(section) => {
                for ty in section {
                    module.tags.push(TypeIndex(ty?.func_type_idx));
                }
            }
            Payload::GlobalSection(section) => {
                for global in section {
                    let global = global?;
                    let initial = self.constant(&global.init_expr)?;
                    let ty = types::global_type(&self.type_kinds, &global.ty)?;
                    self.module.globals.push(ty);
                    self.module.global_initializers.push(initial);
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    self.export(export?);
                }
            }
            Payload::StartSection { func, range: _ } => module.start = Some(FuncIndex(func)),
            Payload::ElementSection(section) => {
                let escapes = &mut self.escapes;
                let escape = |index: FuncIndex| escapes[index.as_usize()] = true;
                segments::read_elements(section, &self.type_kinds, module, &mut self.bulk, escape)?;
            }
            Payload::DataSection(section) => {
                let images = MemoryImages::new(self.page_size, self.settings.memory_image_limit);
                segments::read_data(section, &self.type_kinds, module, &mut self.bulk, images)?;
            }
            Payload::CustomSection(section)
                if section.name() == "name" && self.name_section.is_none() =>
            {
                self.name_section = Some(BinaryReader::new(section.data(), section.data_offset()));
            }
            Payload::CustomSection(section)
                if section.name() == "metadata.code.branch_hint"
                    && self.settings.features.branch_hinting
                    && self.branch_hints.is_none() =>
            {
                self.branch_hints = Some(BinaryReader::new(section.data(), section.data_offset()));
            }
            // What remains says nothing that is not said elsewhere, or is not for us.
            _ => {}
        }
        Ok(())
    }

    fn import(&mut self, module: &str, name: &str, ty: EntityType) {
        let imported = &mut self.module.imported;
        match ty {
            EntityType::Func(ty) => {
                imported.functions += 1;
                self.function(ty);
            }
            EntityType::Table(ty) => {
                imported.tables += 1;
                self.module.tables.push(ty);
            }
            EntityType::Memory(ty) => {
                imported.memories += 1;
                self.memory(ty);
            }
            EntityType::Global(ty) => {
                imported.globals += 1;
                self.module.globals.push(ty);
            }
            EntityType::Tag(ty) => {
                imported.tags += 1;
                self.module.tags.push(ty);
            }
        }
        let (module, name) = (module.to_owned(), name.to_owned());
        self.module.imports.push(Import { module, name, ty });
    }

    fn export(&mut self, export: wasmparser::Export<'_>) {
        let index = export.index;
        let item = match export.kind {
            ExternalKind::Func | ExternalKind::FuncExact => {
                self.escapes[index as usize] = true;
                ExportItem::Func(FuncIndex(index), self.function_types[index as usize])
            }
            ExternalKind::Table => ExportItem::Table(TableIndex(index)),
            ExternalKind::Memory => ExportItem::Memory(MemoryIndex(index)),
            ExternalKind::Global => ExportItem::Global(GlobalIndex(index)),
            ExternalKind::Tag => ExportItem::Tag(TagIndex(index)),
        };
        self.module.exports.push(Export { name: export.name.to_owned(), item });
    }

    fn function(&mut self, ty: TypeIndex) {
        self.function_types.push(ty);
        self.escapes.push(false);
    }

    fn memory(&mut self, ty: MemoryType) {
        let CompilerSettings { memory_reservation, memory_guard, .. } = *self.settings;
        let bounds = Bounds::new(&ty, memory_reservation, memory_guard);
        self.module.memories.push(MemoryPlan { ty, bounds });
    }

    fn constant(
        &mut self,
        expression: &wasmparser::ConstExpr<'_>,
    ) -> Result<ConstExpr, CompileError> {
        let expression = constant::read(&self.type_kinds, expression)?;
        for function in constant::functions(&expression) {
            self.escapes[function.as_usize()] = true;
        }
        Ok(expression)
    }

    fn finish(self, survey: &Survey) -> Result<ParsedModule<'wasm>, CompileError> {
        let mut module = self.module;
        let mut escapes = self.escapes;
        let closed_tables = ClosedTables::find(
            &mut module,
            survey,
            &self.function_types,
            &self.bulk.elements,
            |function| escapes[function.as_usize()] = true,
        );
        let mut slots = 0;
        let func_refs: Vec<Option<FuncRefIndex>> = escapes
            .iter()
            .map(|&escapes| {
                escapes.then(|| {
                    slots += 1;
                    FuncRefIndex(slots - 1)
                })
            })
            .collect();
        module.func_refs = slots;
        let imported = &func_refs[..module.imported.functions as usize];
        module.imported_func_refs = imported.iter().map(|slot| slot.map(|slot| slot.0)).collect();
        let names = self
            .name_section
            .map(|section| names::read(section, self.function_types.len()))
            .unwrap_or_default();
        module.name = names.module;
        let branch_hints = self
            .branch_hints
            .map(|section| BranchHints::read(section, module.imported.functions, &self.bodies))
            .unwrap_or_default();
        let imported = module.imported.functions as usize;
        let representatives = match branch_hints.is_empty() {
            true => identical::representatives(
                &self.bodies,
                &self.function_types[imported..],
                imported,
                &survey.hashes,
                &survey.calls,
            ),
            // Hints belong to one function.
            false => identical::distinct(self.bodies.len()),
        };
        Ok(ParsedModule {
            representatives,
            closed_tables,
            offsets: VMOffsets::new(&module)?,
            layouts: module.types.types.iter().map(|ty| ObjectLayout::new(&ty.composite)).collect(),
            module,
            type_kinds: self.type_kinds,
            function_types: self.function_types,
            func_refs,
            bodies: self.bodies,
            resources: self.resources,
            accepted: self.accepted,
            function_names: names.functions,
            branch_hints,
            callees: Callees::default(),
            len: 0,
            bulk: self.bulk,
        })
    }
}

#[cfg(test)]
mod tests;
