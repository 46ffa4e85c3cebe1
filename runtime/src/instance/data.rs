//! An instance as its store keeps it.

use precast_artifact::index::{
    DataIndex, DefinedFuncIndex, ElemIndex, FuncIndex, GlobalIndex, MemoryIndex, TableIndex,
    TagIndex,
};
use precast_artifact::module::ElementItems;
use precast_artifact::section::functions::FunctionEntry;
use precast_artifact::vmcontext::VMFuncRef;

use crate::module::Module;
use crate::pool::Slot;
use crate::store::{GlobalId, InstanceId, MemoryId, StoreOpaque, TableId, TagId};
use crate::table::Element;
use crate::vm::{VmContext, VmFunc};

/// A module with what its imports were given and what it owns.
pub(crate) struct InstanceData {
    pub(super) module: Module,
    pub(super) vmctx: VmContext,
    pub(super) memories: Vec<MemoryId>,
    pub(super) tables: Vec<TableId>,
    pub(super) globals: Vec<GlobalId>,
    pub(super) tags: Vec<TagId>,
    /// The elements of segments that are given by expressions, by position.
    pub(super) elements: Box<[Vec<Element>]>,
    /// The positions of element segments that are empty now, and of data segments.
    pub(super) dropped_elements: Box<[bool]>,
    pub(super) dropped_data: Box<[bool]>,
    pub(super) exported_memory: Option<MemoryId>,
    /// Its place in the engine's pool.
    pub(super) _slot: Option<Slot>,
}

impl InstanceData {
    pub(crate) fn module(&self) -> &Module {
        &self.module
    }

    pub(crate) fn memory(&self, index: MemoryIndex) -> Option<MemoryId> {
        self.memories.get(index.as_usize()).copied()
    }

    pub(crate) fn table(&self, index: TableIndex) -> Option<TableId> {
        self.tables.get(index.as_usize()).copied()
    }

    pub(crate) fn global(&self, index: GlobalIndex) -> Option<GlobalId> {
        self.globals.get(index.as_usize()).copied()
    }

    pub(crate) fn tag(&self, index: TagIndex) -> Option<TagId> {
        self.tags.get(index.as_usize()).copied()
    }

    /// The memory that it exports as `memory`.
    #[inline]
    pub(crate) fn exported_memory(&self) -> Option<MemoryId> {
        self.exported_memory
    }

    /// The position of an element segment among the module's; `None` after it was dropped.
    pub(crate) fn element_position(&self, index: ElemIndex) -> Option<usize> {
        let position = self.module.info().element_position(index)?;
        (!self.dropped_elements[position]).then_some(position)
    }

    /// The number of elements of a segment that was not dropped.
    pub(crate) fn element_count(&self, position: Option<usize>) -> u64 {
        match position.map(|position| &self.module.info().elements[position].items) {
            Some(ElementItems::Functions(functions)) => functions.len.into(),
            Some(ElementItems::Expressions(expressions)) => expressions.len() as u64,
            None => 0,
        }
    }

    /// An element that such a segment has.
    ///
    /// # Panics
    ///
    /// When it does not.
    pub(crate) fn element(&self, position: Option<usize>, index: usize) -> Element {
        let position = position.expect("a dropped segment has no elements");
        match &self.module.info().elements[position].items {
            ElementItems::Functions(functions) => {
                let elements = self.module.inner().sections().elements;
                let function = elements.get(*functions, index as u32);
                Element::Func(function.and_then(|index| self.func_ref(index)))
            }
            ElementItems::Expressions(_) => self.elements[position][index],
        }
    }

    /// The elements of segments that are references into the heap.
    pub(crate) fn element_references_mut(&mut self) -> impl Iterator<Item = &mut u32> {
        self.elements.iter_mut().flatten().filter_map(|element| match element {
            Element::Ref(reference) => Some(reference),
            Element::Func(_) => None,
        })
    }

    /// Drops a segment, and returns the elements that it refers to.
    fn drop_element(&mut self, index: ElemIndex) -> Vec<Element> {
        let Some(position) = self.module.info().element_position(index) else { return Vec::new() };
        self.dropped_elements[position] = true;
        std::mem::take(&mut self.elements[position])
    }

    /// The bytes of a data segment; none after it was dropped.
    pub(crate) fn data(&self, index: DataIndex) -> &[u8] {
        let bytes = || {
            let position = self.module.info().data_position(index)?;
            let segment = &self.module.info().data[position];
            if self.dropped_data[position] {
                return None;
            }
            let section = self.module.inner().sections().data;
            let rest = section.get(usize::try_from(segment.start).ok()?..)?;
            rest.get(..usize::try_from(segment.len).ok()?)
        };
        bytes().unwrap_or_default()
    }

    pub(crate) fn drop_data(&mut self, index: DataIndex) {
        if let Some(position) = self.module.info().data_position(index) {
            self.dropped_data[position] = true;
        }
    }

    /// A function as a reference; `None` when there is none, or its address cannot be taken.
    pub(crate) fn func_ref(&self, index: FuncIndex) -> Option<VmFunc> {
        if self.module.inner().is_imported(index) {
            return Some(self.vmctx.imported_func_ref(index));
        }
        let entry = self.entry(index)?;
        let slot = entry.func_ref.filter(|slot| slot.0 < self.module.info().func_refs)?;
        Some(self.vmctx.func_ref(slot, || self.make_func_ref(&entry)))
    }

    /// What a `VMFuncRef` to a function holds, whether it has a place for one or not.
    pub(super) fn temporary_func_ref(&self, index: FuncIndex) -> Option<VMFuncRef> {
        if self.module.inner().is_imported(index) {
            return Some(self.vmctx.imported_func_ref(index).get());
        }
        Some(self.make_func_ref(&self.entry(index)?))
    }

    fn entry(&self, index: FuncIndex) -> Option<FunctionEntry> {
        let defined = index.0.checked_sub(self.module.info().imported.functions)?;
        let entry = self.module.inner().sections().functions.get(DefinedFuncIndex(defined))?;
        (entry.ty.as_usize() < self.module.inner().type_ids().len()).then_some(entry)
    }

    fn make_func_ref(&self, entry: &FunctionEntry) -> VMFuncRef {
        let module = self.module.inner();
        VMFuncRef {
            code: module.code(entry.start),
            entry: module.entry(entry.ty),
            vmctx: self.vmctx.as_ptr(),
            type_id: module.type_ids()[entry.ty.as_usize()],
        }
    }
}

impl StoreOpaque {
    /// Drops an element segment of an instance.
    pub(crate) fn drop_element(&mut self, instance: InstanceId, index: ElemIndex) {
        for element in self.instances[instance].drop_element(index) {
            if let Element::Ref(reference) = element {
                let _garbage = self.heap.release(reference);
            }
        }
    }
}
