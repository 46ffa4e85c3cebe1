//! Exception tags.
#![allow(unsafe_code)] // The definition that generated code reads.

use precast_artifact::index::TypeIndex;
use precast_artifact::types as raw;
use precast_artifact::vmcontext::VMTagDefinition;

use crate::engine::Engine;
use crate::heap::heap_references;
use crate::store::{AsContext, AsContextMut, StoreContextMut, StoreId, StoreOpaque, TagId};
use crate::types::{Found, FuncType, TagType};
use crate::vm::{OwnDefinition, VmTag};

/// A handle to an exception tag of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tag {
    store: StoreId,
    id: TagId,
}

/// A tag as its store keeps it.
pub(crate) struct TagData {
    type_id: u32,
    len: usize,
    /// Which values are references into the heap.
    references: Box<[usize]>,
    definition: VmTag,
    /// Where the definition is when it is in no VMContext.
    _own: Option<OwnDefinition<VMTagDefinition>>,
}

impl Tag {
    /// A new tag.
    pub fn new(mut store: impl AsContextMut, ty: &TagType) -> Tag {
        let StoreContextMut(store) = store.as_context_mut();
        let type_id = ty.ty().id();
        let own = OwnDefinition::new(VMTagDefinition { type_id });
        // SAFETY: freed with the data, which the store keeps until its end.
        let definition = unsafe { VmTag::new(own.pointer()) };
        let data = TagData { _own: Some(own), ..TagData::inline(ty.ty(), definition) };
        Tag { store: store.opaque.id(), id: store.opaque.tags.push(data) }
    }

    pub(crate) fn from_id(store: &StoreOpaque, id: TagId) -> Tag {
        Tag { store: store.id(), id }
    }

    pub(crate) fn id(self, store: &StoreOpaque) -> TagId {
        store.check(self.store);
        self.id
    }

    /// Its type.
    pub fn ty(&self, store: impl AsContext) -> TagType {
        let store = store.as_context().opaque();
        TagType::new(store.tags[self.id(store)].ty(store.engine()))
    }

    pub(crate) fn found(self, store: &StoreOpaque) -> Found {
        let type_id = store.tags[self.id(store)].type_id;
        Found { ty: raw::EntityType::Tag(TypeIndex(type_id)), bounds: None }
    }
}

impl TagData {
    /// A tag in a VMContext.
    pub(crate) fn inline(ty: &FuncType, definition: VmTag) -> TagData {
        let (type_id, params) = (ty.id(), &ty.raw().params);
        definition.set(type_id);
        let references = heap_references(params).collect();
        TagData { type_id, len: params.len(), references, definition, _own: None }
    }

    /// The function type whose parameters are the values of its exceptions.
    pub(crate) fn ty(&self, engine: &Engine) -> FuncType {
        FuncType::from_id(engine, self.type_id)
    }

    /// How many values its exceptions have.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Which of these are references into the heap.
    pub(crate) fn references(&self) -> &[usize] {
        &self.references
    }

    pub(crate) fn definition(&self) -> VmTag {
        self.definition
    }
}
