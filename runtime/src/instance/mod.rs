//! Instances of modules.

pub(crate) mod const_expr;
mod data;
mod imports;
mod instantiate;
mod pre;

pub(crate) use data::InstanceData;
pub(crate) use pre::Given;
pub use pre::InstancePre;

use precast_artifact::module::ExportItem;

use self::imports::Imports;
use crate::error::{ModuleError, Result, TypeError};
use crate::func::{Func, TypedFunc, WasmParams, WasmResults};
use crate::global::Global;
use crate::memory::{Memory, SharedMemory};
use crate::module::Module;
use crate::store::{
    AsContext, AsContextMut, InstanceId, StoreContext, StoreContextMut, StoreId, StoreInner,
    StoreOpaque,
};
use crate::table::Table;
use crate::tag::Tag;
use crate::types::{ExternType, Found};

const DAMAGED: ModuleError = ModuleError::Damaged("it refers to items that it does not have");

/// A handle to an instance of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Instance {
    store: StoreId,
    id: InstanceId,
}

/// Something that can be imported and exported.
#[derive(Clone, Debug)]
pub enum Extern {
    /// A function.
    Func(Func),
    /// A global.
    Global(Global),
    /// A table.
    Table(Table),
    /// A linear memory of one store.
    Memory(Memory),
    /// A linear memory that threads share. It belongs to no store.
    SharedMemory(SharedMemory),
    /// An exception tag.
    Tag(Tag),
}

/// An export of an instance, under its name.
#[derive(Clone, Debug)]
pub struct Export<'instance> {
    name: &'instance str,
    item: Extern,
}

impl Instance {
    /// Makes an instance of a module whose imports are given in order.
    ///
    /// # Errors
    ///
    /// When the imports do not fit the module, the store's limits or the system do not allow what it
    /// needs, a segment does not fit, or its start function fails. What has been written to
    /// imported memories and tables by then stays.
    pub fn new(
        mut store: impl AsContextMut,
        module: &Module,
        imports: &[Extern],
    ) -> Result<Instance> {
        let StoreContextMut(store) = store.as_context_mut();
        Instance::with_imports(store, module, Imports::Externs(imports))
    }

    fn with_imports<T: 'static>(
        store: &mut StoreInner<T>,
        module: &Module,
        imports: Imports<'_>,
    ) -> Result<Instance> {
        let id = instantiate::instantiate(store, module, imports)?;
        Ok(Instance { store: store.opaque.id(), id })
    }

    pub(crate) fn from_id(store: &StoreOpaque, id: InstanceId) -> Instance {
        Instance { store: store.id(), id }
    }

    fn id(self, store: &StoreOpaque) -> InstanceId {
        store.check(self.store);
        self.id
    }

    /// Its module.
    pub fn module<'a, T: 'static>(&self, store: impl Into<StoreContext<'a, T>>) -> &'a Module {
        let store = store.into().opaque();
        store.instances[self.id(store)].module()
    }

    /// The export of this name.
    pub fn get_export(&self, mut store: impl AsContextMut, name: &str) -> Option<Extern> {
        let StoreContextMut(store) = store.as_context_mut();
        let store = &store.opaque;
        let instance = &store.instances[self.id(store)];
        let export = instance.module().inner().export(name)?;
        instance.export(store, export.item)
    }

    /// All exports, in order.
    pub fn exports<'a, T: 'static>(
        &self,
        store: impl Into<StoreContextMut<'a, T>>,
    ) -> impl Iterator<Item = Export<'a>> + 'a {
        let StoreContextMut(store) = store.into();
        let store = &store.opaque;
        let instance = &store.instances[self.id(store)];
        instance.module().info().exports.iter().filter_map(|export| {
            Some(Export { name: &export.name, item: instance.export(store, export.item)? })
        })
    }

    /// The exported function of this name.
    pub fn get_func(&self, store: impl AsContextMut, name: &str) -> Option<Func> {
        self.get_export(store, name)?.into_func()
    }

    /// The exported function of this name, with its Rust type.
    ///
    /// # Errors
    ///
    /// When there is none, or it is of another type.
    pub fn get_typed_func<P: WasmParams, R: WasmResults>(
        &self,
        mut store: impl AsContextMut,
        name: &str,
    ) -> Result<TypedFunc<P, R>> {
        let func = self.get_func(store.as_context_mut(), name);
        let no_export = || TypeError::NoExport { name: name.to_owned(), what: "function" };
        let typed = func.ok_or_else(no_export)?.typed(store.as_context());
        typed.map_err(|error| error.context(format_args!("export `{name}` has another type")))
    }

    /// The exported memory of this name, unless it is shared.
    pub fn get_memory(&self, store: impl AsContextMut, name: &str) -> Option<Memory> {
        self.get_export(store, name)?.into_memory()
    }

    /// The exported shared memory of this name.
    pub fn get_shared_memory(&self, store: impl AsContextMut, name: &str) -> Option<SharedMemory> {
        self.get_export(store, name)?.into_shared_memory()
    }

    /// The exported table of this name.
    pub fn get_table(&self, store: impl AsContextMut, name: &str) -> Option<Table> {
        self.get_export(store, name)?.into_table()
    }

    /// The exported global of this name.
    pub fn get_global(&self, store: impl AsContextMut, name: &str) -> Option<Global> {
        self.get_export(store, name)?.into_global()
    }
}

impl InstanceData {
    fn export(&self, store: &StoreOpaque, item: ExportItem) -> Option<Extern> {
        Some(match item {
            ExportItem::Func(index, _) => Extern::Func(Func::from_vm(store, self.func_ref(index)?)),
            ExportItem::Table(index) => Extern::Table(Table::from_id(store, self.table(index)?)),
            ExportItem::Memory(index) => {
                let id = self.memory(index)?;
                match store.memories[id].shared() {
                    Some(memory) => Extern::SharedMemory(memory.clone()),
                    None => Extern::Memory(Memory::from_id(store, id)),
                }
            }
            ExportItem::Global(index) => {
                Extern::Global(Global::from_id(store, self.global(index)?))
            }
            ExportItem::Tag(index) => Extern::Tag(Tag::from_id(store, self.tag(index)?)),
        })
    }
}

impl Extern {
    /// The function, if it is one.
    pub fn into_func(self) -> Option<Func> {
        match self {
            Extern::Func(func) => Some(func),
            _ => None,
        }
    }

    /// The global, if it is one.
    pub fn into_global(self) -> Option<Global> {
        match self {
            Extern::Global(global) => Some(global),
            _ => None,
        }
    }

    /// The table, if it is one.
    pub fn into_table(self) -> Option<Table> {
        match self {
            Extern::Table(table) => Some(table),
            _ => None,
        }
    }

    /// The memory, if it is one that is not shared.
    pub fn into_memory(self) -> Option<Memory> {
        match self {
            Extern::Memory(memory) => Some(memory),
            _ => None,
        }
    }

    /// The shared memory, if it is one.
    pub fn into_shared_memory(self) -> Option<SharedMemory> {
        match self {
            Extern::SharedMemory(memory) => Some(memory),
            _ => None,
        }
    }

    /// The exception tag, if it is one.
    pub fn into_tag(self) -> Option<Tag> {
        match self {
            Extern::Tag(tag) => Some(tag),
            _ => None,
        }
    }

    /// Its type.
    pub fn ty(&self, store: impl AsContext) -> ExternType {
        let store = store.as_context().opaque();
        let ty = match self {
            // The minimum of a type stays what it was declared as, whatever the size is now.
            Extern::Table(table) => *store.tables[table.id(store)].ty(),
            Extern::Memory(memory) => {
                let ty = store.memories[memory.id(store)].ty();
                return ExternType::Memory(crate::types::MemoryType(ty));
            }
            Extern::SharedMemory(memory) => return ExternType::Memory(memory.ty()),
            _ => return ExternType::from_raw(store.engine(), &self.found(store).ty),
        };
        ExternType::Table(crate::types::TableType::from_raw(store.engine(), &ty))
    }

    /// What it is for an import.
    ///
    /// # Panics
    ///
    /// When it belongs to another store.
    pub(crate) fn found(&self, store: &StoreOpaque) -> Found {
        match self {
            Extern::Func(func) => func.found(store),
            Extern::Global(global) => global.found(store),
            Extern::Table(table) => table.found(store),
            Extern::Memory(memory) => memory.found(store),
            Extern::SharedMemory(memory) => memory.found(),
            Extern::Tag(tag) => tag.found(store),
        }
    }
}

impl<'instance> Export<'instance> {
    /// Its name.
    pub fn name(&self) -> &'instance str {
        self.name
    }

    /// What is exported.
    pub fn into_extern(self) -> Extern {
        self.item
    }
}

macro_rules! from {
    ($($ty:ident)*) => {$(
        impl From<$ty> for Extern {
            fn from(item: $ty) -> Extern {
                Extern::$ty(item)
            }
        }
    )*};
}

from!(Func Global Table Memory SharedMemory Tag);
