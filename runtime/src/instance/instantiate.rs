//! From a module and its imports to a running instance, in the order of the specification.
#![allow(unsafe_code)] // Calls the start function.

use precast_artifact::index::{FuncIndex, GlobalIndex, MemoryIndex, TableIndex, TagIndex};
use precast_artifact::module::{DataMode, ElementItems, ElementMode};
use precast_artifact::trap::Trap;
use precast_artifact::types::EntityType;
use precast_artifact::vmcontext::{VMCONTEXT_MAGIC, VMContextHeader, VMFunctionImport};

use super::imports::{self, Imports};
use super::{DAMAGED, Extern, InstanceData, const_expr};
use crate::error::{Error, LimitError, Result};
use crate::func::{Func, invoke};
use crate::global::GlobalData;
use crate::helpers;
use crate::memory::{ImageKey, MemoryData};
use crate::module::Module;
use crate::pool::Kind;
use crate::store::{InstanceId, StoreInner, StoreOpaque, VmStore, check_count};
use crate::table::{Element, TableData, TableImage};
use crate::tag::TagData;
use crate::types::FuncType;
use crate::vm::{VmContext, instance_word};

/// Makes an instance and runs its start function.
pub(super) fn instantiate<T: 'static>(
    store: &mut StoreInner<T>,
    module: &Module,
    imports: Imports<'_>,
) -> Result<InstanceId> {
    imports::check(&store.opaque, module, imports)?;
    let id = build(store, module, imports)?;
    initialize(store, module, id)?;
    if let Some(start) = module.info().start {
        let func = store.opaque.instances[id].temporary_func_ref(start).ok_or(DAMAGED)?;
        // SAFETY: the function is the instance's; a start function has neither parameters nor
        // results, as validation has shown.
        unsafe { invoke(store, func, [].as_mut_ptr(), 0)? };
    }
    Ok(id)
}

/// Makes everything that the instance owns, with globals and initial contents but without
/// segments.
fn build(store: &mut dyn VmStore, module: &Module, imports: Imports<'_>) -> Result<InstanceId> {
    let (opaque, limiter) = store.parts();
    let count = opaque.instances.len();
    check_count(limiter, "instances", |limiter| limiter.instances(), count, 1)?;
    let slot = match opaque.engine().pool() {
        Some(pool) => {
            pool.check_instance_size(module.inner().offsets().size() as usize)?;
            Some(pool.slot(Kind::Instance)?)
        }
        None => None,
    };
    // From here on the module's code can be referred to from anywhere in the store, even if
    // instantiation fails.
    if let Some(collector) = module.description().collector {
        opaque.heap.choose(collector)?;
    }
    opaque.add_module(module);
    let id = opaque.instances.next();
    let info = module.info();
    let header = VMContextHeader {
        magic: VMCONTEXT_MAGIC,
        store: opaque.shared().as_vm(),
        helpers: helpers::table(),
        type_ids: module.inner().type_ids().as_ptr(),
        types: opaque.engine().types().infos(),
        instance: instance_word(id),
    };
    let no_memory =
        || Error::from(LimitError::AddressSpace { bytes: module.inner().offsets().size().into() });
    let vmctx = VmContext::new(module.inner().offsets(), header).ok_or_else(no_memory)?;
    let mut instance = InstanceData {
        module: module.clone(),
        vmctx,
        memories: Vec::with_capacity(info.memories.len()),
        tables: Vec::with_capacity(info.tables.len()),
        globals: Vec::with_capacity(info.globals.len()),
        tags: Vec::with_capacity(info.tags.len()),
        elements: vec![Vec::new(); info.elements.len()].into(),
        dropped_elements: vec![false; info.elements.len()].into(),
        dropped_data: vec![false; info.data.len()].into(),
        exported_memory: None,
        _slot: slot,
    };
    set_imports(opaque, &mut instance, imports)?;
    make_memories(store, &mut instance)?;
    make_tables(store, &mut instance, id)?;
    let opaque = store.opaque_mut();
    make_tags(opaque, &mut instance)?;
    let exported = module.inner().exported_memory();
    instance.exported_memory = exported.and_then(|index| instance.memory(index));
    let made = opaque.instances.push(instance);
    assert_eq!(made, id, "an instance makes no other");
    make_globals(store, module, id)?;
    initialize_tables(store, module, id)?;
    evaluate_elements(store, module, id)?;
    Ok(id)
}

/// Lets the VMContext refer to what the module was given. Types are checked already.
fn set_imports(
    store: &mut StoreOpaque,
    instance: &mut InstanceData,
    imports: Imports<'_>,
) -> Result<()> {
    let InstanceData { module, vmctx, memories, tables, globals, tags, .. } = instance;
    if let Imports::Prepared { functions, .. } = imports {
        vmctx.set_imported_functions(functions.imports());
        store.host_functions.keep(functions);
    }
    let mut functions = 0;
    for (import, given) in imports.each(module) {
        if let EntityType::Func(ty) = import.ty {
            let index = FuncIndex(functions);
            functions += 1;
            match given {
                Some(&Extern::Func(func)) => {
                    vmctx.set_imported_function(index, function_import(store, module, func, ty)?);
                }
                Some(_) => return Err(DAMAGED.into()),
                None => {}
            }
            continue;
        }
        match given.ok_or(DAMAGED)? {
            Extern::Memory(memory) => {
                let id = memory.id(store);
                let index = MemoryIndex(memories.len() as u32);
                vmctx.set_memory(index, store.memories[id].definition());
                memories.push(id);
            }
            Extern::SharedMemory(memory) => {
                let memory = MemoryData::from_shared(memory.clone());
                vmctx.set_memory(MemoryIndex(memories.len() as u32), memory.definition());
                memories.push(store.memories.push(memory));
            }
            Extern::Table(table) => {
                let id = table.id(store);
                let index = TableIndex(tables.len() as u32);
                vmctx.set_imported_table(index, store.tables[id].definition());
                tables.push(id);
            }
            Extern::Global(global) => {
                let id = global.id(store);
                let index = GlobalIndex(globals.len() as u32);
                vmctx.set_imported_global(index, store.globals[id].definition());
                globals.push(id);
            }
            Extern::Tag(tag) => {
                let id = tag.id(store);
                let index = TagIndex(tags.len() as u32);
                vmctx.set_imported_tag(index, store.tags[id].definition());
                tags.push(id);
            }
            Extern::Func(_) => return Err(DAMAGED.into()),
        }
    }
    Ok(())
}

/// An imported function: wasm code as it is, a function of the host through the importing
/// module's own trampoline.
fn function_import(
    store: &StoreOpaque,
    module: &Module,
    func: Func,
    ty: precast_artifact::index::TypeIndex,
) -> Result<VMFunctionImport> {
    let vm = func.vm(store);
    let target = vm.get();
    let code = match vm.is_host() {
        false => target.code,
        true => {
            let code = module.inner().exit(ty).ok_or(DAMAGED)?;
            // The store keeps the module, so others can go through it as well.
            if target.code.is_null() {
                vm.set_code(code);
            }
            code
        }
    };
    Ok(VMFunctionImport { code, vmctx: target.vmctx, func_ref: vm.as_ptr() })
}

fn make_memories(store: &mut dyn VmStore, instance: &mut InstanceData) -> Result<()> {
    let module = instance.module.clone();
    let mapped = module.inner().mapped();
    let own = module.info().imported.memories as usize;
    for (index, plan) in module.info().memories.iter().enumerate().skip(own) {
        let index = MemoryIndex(index as u32);
        let definition = instance.vmctx.own_memory(index).ok_or(DAMAGED)?;
        let image = module.info().memory_images.iter().find(|image| image.memory == index);
        let key = ImageKey { module: module.inner().number(), memory: index };
        let wanted = image.map(|_| key);
        let mut memory = match plan.ty.shared {
            true => MemoryData::new_shared(store, plan.ty, plan.bounds)?,
            false => MemoryData::of_instance(store, plan.ty, plan.bounds, definition, wanted)?,
        };
        if let Some(image) = image {
            let images = module.inner().sections().images.bytes;
            memory.apply_image(key, &image.runs, images, mapped.image_source())?;
        }
        instance.vmctx.set_memory(index, memory.definition());
        instance.memories.push(store.opaque_mut().memories.push(memory));
    }
    Ok(())
}

fn make_tables(store: &mut dyn VmStore, instance: &mut InstanceData, id: InstanceId) -> Result<()> {
    let module = instance.module.clone();
    let own = module.info().imported.tables as usize;
    for (index, ty) in module.info().tables.iter().enumerate().skip(own) {
        let index = TableIndex(index as u32);
        let EntityType::Table(ty) = module.inner().entity_type(&EntityType::Table(*ty))? else {
            return Err(DAMAGED.into());
        };
        let definition = instance.vmctx.own_table(index).ok_or(DAMAGED)?;
        let mut table = match module.info().closed_tables.binary_search(&index) {
            Ok(_) => TableData::closed(store, ty, definition)?,
            Err(_) => TableData::new(store, ty, Some(definition))?,
        };
        if let Some(image) = module.info().table_images.iter().find(|i| i.table == index) {
            table.set_image(TableImage { instance: id, functions: image.functions });
        }
        instance.tables.push(store.opaque_mut().tables.push(table));
    }
    Ok(())
}

fn make_tags(store: &mut StoreOpaque, instance: &mut InstanceData) -> Result<()> {
    let own = instance.module.info().imported.tags as usize;
    for index in own..instance.module.info().tags.len() {
        let definition = instance.vmctx.own_tag(TagIndex(index as u32)).ok_or(DAMAGED)?;
        let ty = instance.module.info().tags[index];
        let type_id = *instance.module.inner().type_ids().get(ty.as_usize()).ok_or(DAMAGED)?;
        let ty = FuncType::from_id(store.engine(), type_id);
        instance.tags.push(store.tags.push(TagData::inline(&ty, definition)));
    }
    Ok(())
}

fn make_globals(store: &mut dyn VmStore, module: &Module, id: InstanceId) -> Result<()> {
    let own = module.info().imported.globals as usize;
    let globals = module.info().globals.iter().enumerate().skip(own);
    for ((index, ty), initial) in globals.zip(&module.info().global_initializers) {
        let value = const_expr::evaluate(store, id, initial)?;
        let store = store.opaque_mut();
        let EntityType::Global(ty) = module.inner().entity_type(&EntityType::Global(*ty))? else {
            return Err(DAMAGED.into());
        };
        let index = GlobalIndex(index as u32);
        let definition = store.instances[id].vmctx.own_global(index).ok_or(DAMAGED)?;
        definition.set(value);
        store.retain(ty.content, value);
        let global = store.globals.push(GlobalData::inline(ty, definition));
        store.instances[id].globals.push(global);
    }
    Ok(())
}

/// Writes initial values of tables that are not null. Table images apply over them, so their
/// elements stay unread.
fn initialize_tables(store: &mut dyn VmStore, module: &Module, id: InstanceId) -> Result<()> {
    let own = module.info().imported.tables as usize;
    for (initial, index) in module.info().table_initializers.iter().zip(own..) {
        let opaque = store.opaque_mut();
        let table = opaque.instances[id].table(TableIndex(index as u32)).ok_or(DAMAGED)?;
        let null = opaque.tables[table].null();
        let value = const_expr::element(store, id, initial, null)?;
        let store = store.opaque_mut();
        if value != null {
            let data = &store.tables[table];
            let image = data.image().map_or(0, |image| u64::from(image.functions.len));
            let uncovered = image.min(data.len())..data.len();
            uncovered.for_each(|i| store.table_set(table, i as usize, value));
        }
    }
    Ok(())
}

/// Finds out what elements are that are given by expressions.
fn evaluate_elements(store: &mut dyn VmStore, module: &Module, id: InstanceId) -> Result<()> {
    for (position, segment) in module.info().elements.iter().enumerate() {
        let ElementItems::Expressions(expressions) = &segment.items else { continue };
        let null = if segment.ty.is_func() { Element::Func(None) } else { Element::Ref(0) };
        for expression in expressions {
            let element = const_expr::element(store, id, expression, null)?;
            let store = store.opaque_mut();
            if let Element::Ref(reference) = element {
                store.heap.retain(reference);
            }
            store.instances[id].elements[position].push(element);
        }
    }
    Ok(())
}

/// Copies active segments to tables and memories.
fn initialize(store: &mut dyn VmStore, module: &Module, id: InstanceId) -> Result<()> {
    let info = module.info();
    for segment in &info.elements {
        let index = segment.index;
        match &segment.mode {
            ElementMode::Passive => continue,
            ElementMode::Active { table, offset } => {
                let is_64 = info.tables.get(table.as_usize()).is_some_and(|ty| ty.table64);
                let offset = const_expr::offset(store, id, offset, is_64)?;
                let store = store.opaque_mut();
                let table = store.instances[id].table(*table).ok_or(DAMAGED)?;
                let position = store.instances[id].element_position(index);
                let len = store.instances[id].element_count(position);
                store.table_init(table, id, index, offset, 0, len)?;
            }
        }
        store.opaque_mut().drop_element(id, index);
    }
    for segment in &info.data {
        let index = segment.index;
        match &segment.mode {
            DataMode::Passive => continue,
            DataMode::Active { memory, offset } => {
                let is_64 = info.memories.get(memory.as_usize()).is_some_and(|m| m.ty.memory64);
                let offset = const_expr::offset(store, id, offset, is_64)?;
                let store = store.opaque_mut();
                let memory = store.instances[id].memory(*memory).ok_or(DAMAGED)?;
                let bytes = store.instances[id].data(index);
                let written = store.memories[memory].view().write(offset, bytes);
                written.map_err(|_| Trap::MemoryOutOfBounds)?;
            }
        }
        store.opaque_mut().instances[id].drop_data(index);
    }
    Ok(())
}
