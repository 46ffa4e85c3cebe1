//! Tables.

mod data;
mod elements;

pub(crate) use data::{Element, Stored, TableData, TableImage};

use precast_artifact::index::ElemIndex;
use precast_artifact::trap::Trap;
use precast_artifact::types as raw;

use crate::error::{LimitError, Result, TypeError};
use crate::heap::Garbage;
use crate::store::{
    AsContext, AsContextMut, InstanceId, StoreContextMut, StoreId, StoreOpaque, TableId, VmStore,
};
use crate::types::{Found, TableType};
use crate::value::Ref;
use crate::vm::VmFunc;

/// A handle to a table of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Table {
    store: StoreId,
    id: TableId,
}

impl Table {
    /// A new table whose elements are all `init`.
    ///
    /// # Errors
    ///
    /// When `init` is no element of the type, or the store's limits do not allow it.
    pub fn new(mut store: impl AsContextMut, ty: TableType, init: Ref) -> Result<Table> {
        let StoreContextMut(store) = store.as_context_mut();
        let ty = ty.to_raw();
        let init = init.to_element(&mut store.opaque, ty.element)?;
        let data = TableData::new(store, ty, None)?;
        let len = data.len() as usize;
        let opaque = &mut store.opaque;
        let id = opaque.tables.push(data);
        if init != Element::Ref(0) {
            (0..len).for_each(|index| opaque.table_set(id, index, init));
        }
        Ok(Table { store: opaque.id(), id })
    }

    pub(crate) fn from_id(store: &StoreOpaque, id: TableId) -> Table {
        Table { store: store.id(), id }
    }

    pub(crate) fn id(self, store: &StoreOpaque) -> TableId {
        store.check(self.store);
        self.id
    }

    fn element(self, store: &mut StoreOpaque, value: Ref) -> Result<Element> {
        let ty = store.tables[self.id(store)].ty().element;
        value.to_element(store, ty)
    }

    /// Its type.
    pub fn ty(&self, store: impl AsContext) -> TableType {
        let store = store.as_context().opaque();
        TableType::from_raw(store.engine(), store.tables[self.id(store)].ty())
    }

    /// The type with the current size, for imports.
    pub(crate) fn found(self, store: &StoreOpaque) -> Found {
        let table = &store.tables[self.id(store)];
        let mut ty = *table.ty();
        ty.limits.min = table.len();
        Found { ty: raw::EntityType::Table(ty), bounds: None }
    }

    /// The number of elements.
    pub fn size(&self, store: impl AsContext) -> u64 {
        let store = store.as_context().opaque();
        store.tables[self.id(store)].len()
    }

    /// The element at `index`; `None` out of bounds.
    pub fn get(&self, mut store: impl AsContextMut, index: u64) -> Option<Ref> {
        let StoreContextMut(store) = store.as_context_mut();
        let id = self.id(&store.opaque);
        if index >= store.opaque.tables[id].len() {
            return None;
        }
        let element = store.opaque.table_get(id, index as usize);
        let ty = store.opaque.tables[id].ty().element;
        Some(Ref::from_element(&mut store.opaque, ty, element))
    }

    /// Stores an element.
    ///
    /// # Errors
    ///
    /// When the index is out of bounds, or the value is no element of the table's type.
    pub fn set(&self, mut store: impl AsContextMut, index: u64, value: Ref) -> Result<()> {
        let StoreContextMut(store) = store.as_context_mut();
        let id = self.id(&store.opaque);
        let element = self.element(&mut store.opaque, value)?;
        store.opaque.table_fill(id, index, element, 1)
    }

    /// Makes the table `delta` elements larger, with `init` in the new ones, and returns its
    /// old size.
    ///
    /// # Errors
    ///
    /// When its type or the store's limits do not allow it, or `init` is no element of its
    /// type.
    pub fn grow(&self, mut store: impl AsContextMut, delta: u64, init: Ref) -> Result<u64> {
        let StoreContextMut(store) = store.as_context_mut();
        let id = self.id(&store.opaque);
        let init = self.element(&mut store.opaque, init)?;
        let grown = grow(store, id, delta, init)?;
        grown.ok_or_else(|| LimitError::Grow { what: "table", delta }.into())
    }

    /// Stores `value` in `len` elements from `dst` on.
    ///
    /// # Errors
    ///
    /// When they are not all in the table, or the value is no element of its type; nothing is
    /// written then.
    pub fn fill(&self, mut store: impl AsContextMut, dst: u64, value: Ref, len: u64) -> Result<()> {
        let StoreContextMut(store) = store.as_context_mut();
        let id = self.id(&store.opaque);
        let element = self.element(&mut store.opaque, value)?;
        store.opaque.table_fill(id, dst, element, len)
    }

    /// Copies `len` elements from one table to another, or within one.
    ///
    /// # Errors
    ///
    /// When they are not all in the tables, or the tables' types differ.
    pub fn copy(
        mut store: impl AsContextMut,
        dst_table: &Table,
        dst: u64,
        src_table: &Table,
        src: u64,
        len: u64,
    ) -> Result<()> {
        let StoreContextMut(store) = store.as_context_mut();
        let store = &mut store.opaque;
        let (to, from) = (dst_table.id(store), src_table.id(store));
        let types = [to, from].map(|id| store.tables[id].ty().element);
        let [expected, found] = types.map(raw::ValType::Ref);
        if !crate::types::val_matches(store.engine().types(), found, expected) {
            let (expected, found) = (expected.to_string(), found.to_string());
            return Err(TypeError::Mismatch { expected, found }.into());
        }
        store.table_copy(to, dst, from, src, len)
    }
}

/// Makes a table `delta` elements larger and returns its old size, or `None` when that is
/// not possible.
pub(crate) fn grow(
    store: &mut dyn VmStore,
    id: TableId,
    delta: u64,
    init: Element,
) -> Result<Option<u64>> {
    let (store, limiter) = store.parts();
    let grown = store.tables[id].grow(delta, init, limiter)?;
    if let (Some(_), Element::Ref(reference)) = (grown, init) {
        store.heap.retain_times(reference, delta);
    }
    Ok(grown)
}

/// Operations on elements, where initial contents count as if they had been there from the start.
impl StoreOpaque {
    /// The element at `index`, which is in bounds.
    pub(crate) fn table_get(&mut self, id: TableId, index: usize) -> Element {
        match self.tables[id].stored(index) {
            Stored::Value(element) => element,
            Stored::Unread => {
                let element = Element::Func(self.initial_func(id, index));
                self.tables[id].set(index, element);
                element
            }
        }
    }

    /// Stores an element at `index`, which is in bounds.
    pub(crate) fn table_set(&mut self, id: TableId, index: usize, element: Element) {
        let Element::Ref(reference) = element else {
            return self.tables[id].set(index, element);
        };
        self.heap.retain(reference);
        let old = self.tables[id].stored(index);
        self.tables[id].set(index, element);
        if let Stored::Value(Element::Ref(old)) = old {
            let _garbage = self.heap.release(old);
        }
    }

    fn initial_func(&self, id: TableId, index: usize) -> Option<VmFunc> {
        let TableImage { instance, functions } = self.tables[id].image()?;
        let instance = &self.instances[instance];
        let elements = instance.module().inner().sections().elements;
        instance.func_ref(elements.get(functions, u32::try_from(index).ok()?)?)
    }

    pub(crate) fn table_fill(
        &mut self,
        id: TableId,
        dst: u64,
        element: Element,
        len: u64,
    ) -> Result<()> {
        for index in range(dst, len, self.tables[id].len())? {
            self.table_set(id, index, element);
        }
        Ok(())
    }

    pub(crate) fn table_copy(
        &mut self,
        to: TableId,
        dst: u64,
        from: TableId,
        src: u64,
        len: u64,
    ) -> Result<()> {
        let src = range(src, len, self.tables[from].len())?;
        let dst = range(dst, len, self.tables[to].len())?;
        for index in src.clone() {
            self.table_get(from, index);
        }
        let new = self.tables[from].references_mut().get(src.clone()).unwrap_or_default();
        new.iter().for_each(|&reference| self.heap.retain(reference));
        let old = self.tables[to].references_mut().get(dst.clone()).unwrap_or_default().to_vec();
        match self.tables.pair_mut(to, from) {
            Some((to, from)) => to.copy_from(dst.start, from, src.start, src.len()),
            None => self.tables[to].copy_within(dst.start, src.start, src.len()),
        }
        let release = |reference| self.heap.release(reference);
        let _garbage: Garbage = old.into_iter().flat_map(release).collect();
        Ok(())
    }

    /// Copies elements of an instance's segment to a table.
    pub(crate) fn table_init(
        &mut self,
        id: TableId,
        instance: InstanceId,
        segment: ElemIndex,
        dst: u64,
        src: u64,
        len: u64,
    ) -> Result<()> {
        let position = self.instances[instance].element_position(segment);
        let src = range(src, len, self.instances[instance].element_count(position))?;
        let dst = range(dst, len, self.tables[id].len())?;
        for (from, to) in src.zip(dst) {
            let element = self.instances[instance].element(position, from);
            self.table_set(id, to, element);
        }
        Ok(())
    }
}

/// The positions of `len` elements from `start` on, checked to be among the first `available`.
fn range(start: u64, len: u64, available: u64) -> Result<std::ops::Range<usize>> {
    match start.checked_add(len) {
        // Both fit `usize`: a table of that size is in memory.
        Some(end) if end <= available => Ok(start as usize..end as usize),
        _ => Err(Trap::TableOutOfBounds.into()),
    }
}
