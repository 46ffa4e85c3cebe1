//! A table as its store keeps it.
#![allow(unsafe_code)] // The definition that generated code reads.

use precast_artifact::module::ElementRange;
use precast_artifact::types::TableType;
use precast_artifact::vmcontext::{FUNC_REF_READ, VMTableDefinition};

use super::elements::{Elements, Width};
use crate::error::{Error, LimitError, Result};
use crate::limits::ResourceLimiter;
use crate::pool::{Kind, Slot};
use crate::store::{InstanceId, VmStore};
use crate::vm::{OwnDefinition, VmFunc, VmTable};

/// A table of functions or of heap references.
pub(crate) struct TableData {
    ty: TableType,
    elements: Elements,
    definition: VmTable,
    image: Option<TableImage>,
    /// Where the definition is when it is in no VMContext.
    _own: Option<OwnDefinition<VMTableDefinition>>,
    /// Its place in the engine's pool.
    slot: Option<Slot>,
}

/// Functions that apply to elements which nobody has read or written yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TableImage {
    /// Whose functions they are.
    pub(crate) instance: InstanceId,
    pub(crate) functions: ElementRange,
}

/// The value of an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Element {
    Func(Option<VmFunc>),
    Ref(u32),
}

/// What is stored in an element.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stored {
    Value(Element),
    /// The table's initial contents apply.
    Unread,
}

impl TableData {
    /// A table of zeros, which are unread functions or null references, with its definition in a
    /// VMContext or, if there is none, of its own.
    pub(crate) fn new(
        store: &mut dyn VmStore,
        ty: TableType,
        definition: Option<VmTable>,
    ) -> Result<TableData> {
        let (len, slot) = admit(store, &ty, definition.is_some())?;
        let too_large = || Error::from(LimitError::Table { elements: ty.limits.min });
        let width = if ty.element.is_func() { Width::Eight } else { Width::Four };
        let elements = Elements::new(width, len).ok_or_else(too_large)?;
        let (definition, own) = match definition {
            Some(definition) => (definition, None),
            None => {
                let empty = VMTableDefinition { base: std::ptr::null_mut(), length: 0 };
                let own = OwnDefinition::new(empty);
                // SAFETY: freed with this structure, which the store keeps until its end.
                (unsafe { VmTable::new(own.pointer()) }, Some(own))
            }
        };
        definition.set(elements.start(), elements.len() as u64);
        Ok(TableData { ty, elements, definition, image: None, _own: own, slot })
    }

    /// A table of an instance whose contents are among the code, so that it has none here.
    pub(crate) fn closed(
        store: &mut dyn VmStore,
        ty: TableType,
        definition: VmTable,
    ) -> Result<TableData> {
        let (_, slot) = admit(store, &ty, true)?;
        let nothing = || Error::from(LimitError::Table { elements: 0 });
        let elements = Elements::new(Width::Eight, 0).ok_or_else(nothing)?;
        definition.set(elements.start(), ty.limits.min);
        Ok(TableData { ty, elements, definition, image: None, _own: None, slot })
    }

    pub(crate) fn ty(&self) -> &TableType {
        &self.ty
    }

    pub(crate) fn definition(&self) -> VmTable {
        self.definition
    }

    pub(crate) fn len(&self) -> u64 {
        self.elements.len() as u64
    }

    pub(crate) fn image(&self) -> Option<TableImage> {
        self.image
    }

    /// Gives a table that was just made its initial contents.
    pub(crate) fn set_image(&mut self, image: TableImage) {
        self.image = Some(image);
    }

    /// The null of the table's elements.
    pub(crate) fn null(&self) -> Element {
        if self.ty.element.is_func() { Element::Func(None) } else { Element::Ref(0) }
    }

    /// What is stored at `index`, which is in bounds.
    pub(crate) fn stored(&self, index: usize) -> Stored {
        let word = self.elements.get(index);
        if !self.ty.element.is_func() {
            return Stored::Value(Element::Ref(word as u32));
        }
        match word {
            0 => Stored::Unread,
            // SAFETY: elements of tables of functions are only ever written by `set`, by
            // generated code, and from functions of the same store.
            word => Stored::Value(Element::Func(unsafe {
                VmFunc::from_raw(word & !(FUNC_REF_READ as u64))
            })),
        }
    }

    /// Stores an element at `index`, which is in bounds.
    pub(crate) fn set(&mut self, index: usize, element: Element) {
        let word = match element {
            Element::Func(func) => func.map_or(0, VmFunc::to_raw) | FUNC_REF_READ as u64,
            Element::Ref(reference) => reference.into(),
        };
        self.elements.set(index, word);
    }

    /// The elements of a table of heap references; none for functions.
    pub(crate) fn references_mut(&mut self) -> &mut [u32] {
        self.elements.words_mut()
    }

    /// Copies elements that have all been read.
    pub(crate) fn copy_within(&mut self, dst: usize, src: usize, len: usize) {
        self.elements.copy_within(dst, src, len);
    }

    /// Copies elements of another table, which have all been read.
    pub(crate) fn copy_from(&mut self, dst: usize, other: &TableData, src: usize, len: usize) {
        for i in 0..len {
            self.elements.set(dst + i, other.elements.get(src + i));
        }
    }

    /// Makes the table `delta` elements larger and returns its old size; `None` when that is not
    /// possible.
    pub(crate) fn grow(
        &mut self,
        delta: u64,
        init: Element,
        mut limiter: Option<&mut (dyn ResourceLimiter + '_)>,
    ) -> Result<Option<u64>> {
        let old = self.elements.len();
        let pooled = self.slot.as_ref().map(|slot| slot.pool().table_elements());
        let max = max_len(&self.ty).into_iter().chain(pooled).min();
        let Some(len) = usize::try_from(delta).ok().and_then(|delta| old.checked_add(delta)) else {
            return Ok(None);
        };
        if let Some(limiter) = limiter.as_deref_mut()
            && !limiter.table_growing(old, len, max)?
        {
            return Ok(None);
        }
        let allowed = max.is_none_or(|max| len <= max);
        if !allowed || self.elements.grow(len).is_none() {
            if let Some(limiter) = limiter {
                limiter.table_grow_failed(LimitError::Grow { what: "table", delta }.into())?;
            }
            return Ok(None);
        }
        self.definition.set(self.elements.start(), len as u64);
        // A null function is stored as well: where nothing is, the initial contents apply.
        if init != Element::Ref(0) {
            for index in old..len {
                self.set(index, init);
            }
        }
        Ok(Some(old as u64))
    }
}

/// Whether a store may have one more table of this type, which is a host's or an instance's: its length,
/// and its place in the engine's pool.
fn admit(
    store: &mut dyn VmStore,
    ty: &TableType,
    of_instance: bool,
) -> Result<(usize, Option<Slot>)> {
    let (store, mut limiter) = store.parts();
    let count = store.tables.len();
    let limit = |limiter: &dyn ResourceLimiter| limiter.tables();
    crate::store::check_count(limiter.as_deref_mut(), "tables", limit, count, 1)?;
    let too_large = || Error::from(LimitError::Table { elements: ty.limits.min });
    let len = usize::try_from(ty.limits.min).map_err(|_| too_large())?;
    if let Some(limiter) = limiter
        && !limiter.table_growing(0, len, max_len(ty))?
    {
        return Err(too_large());
    }
    let slot = match store.engine().pool().filter(|_| of_instance) {
        Some(pool) if len > pool.table_elements() => return Err(too_large()),
        Some(pool) => Some(pool.slot(Kind::Table)?),
        None => None,
    };
    Ok((len, slot))
}

/// The length that a table's type never lets it exceed.
fn max_len(ty: &TableType) -> Option<usize> {
    let addressable = (!ty.table64).then_some(u64::from(u32::MAX));
    usize::try_from(ty.limits.max.into_iter().chain(addressable).min()?).ok()
}
