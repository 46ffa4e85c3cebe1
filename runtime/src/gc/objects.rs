//! Structures and arrays as the store's heap has them.

use precast_artifact::description::Collector;
use precast_artifact::object::{ARRAY_LENGTH, ArrayLayout, OBJECT_HEADER_SIZE, ObjectLayout};
use precast_artifact::trap::Trap;
use precast_artifact::types::{StorageType, ValType};
use precast_artifact::vmcontext::ValRaw;

use crate::error::Result;
use crate::heap::{self, Garbage};
use crate::store::{StoreOpaque, VmStore};
use crate::types::RegisteredType;

/// Where a value is in an object, and how.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// As an offset into the heap.
    pub(crate) at: u32,
    pub(crate) storage: StorageType,
}

/// An array type, as its objects need it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Array {
    pub(crate) storage: StorageType,
    pub(crate) layout: ArrayLayout,
}

/// A new structure of a type whose fields are all zero or null; `None` when the type is not one of
/// structures.
pub(crate) fn new_struct(store: &mut dyn VmStore, type_id: u32) -> Option<Result<u32>> {
    let ty = store.opaque_mut().engine().types().find(type_id)?;
    let Some(ObjectLayout::Struct(layout)) = ty.layout() else { return None };
    Some(allocate(store, type_id, layout.size).inspect(|&object| {
        let fields = object + OBJECT_HEADER_SIZE..object + layout.size;
        store.opaque_mut().heap.clear(fields);
    }))
}

/// A new array of a type whose elements are all zero or null; `None` when the type is not one of
/// arrays.
pub(crate) fn new_array(store: &mut dyn VmStore, type_id: u32, len: u32) -> Option<Result<u32>> {
    let ty = store.opaque_mut().engine().types().find(type_id)?;
    let Array { layout, .. } = Array::of(&ty)?;
    let Some(size) = layout.size(len) else { return Some(Err(Trap::AllocationTooLarge.into())) };
    Some(allocate(store, type_id, size).inspect(|&object| {
        let heap = &mut store.opaque_mut().heap;
        heap.clear(object + OBJECT_HEADER_SIZE..object + size);
        heap.write(object + ARRAY_LENGTH, len);
    }))
}

fn allocate(store: &mut dyn VmStore, type_id: u32, size: u32) -> Result<u32> {
    // As code would that makes such objects.
    store.opaque_mut().heap.prefer(Collector::Copying);
    heap::allocate(store, type_id, size)
}

impl Place {
    /// The place of a field; `None` when the type has none of this index.
    pub(crate) fn field(ty: &RegisteredType, object: u32, index: usize) -> Option<Place> {
        let Some(ObjectLayout::Struct(layout)) = ty.layout() else { return None };
        let storage = ty.composite.as_struct()?.fields.get(index)?.storage;
        Some(Place { at: object + layout.fields.get(index)?, storage })
    }
}

impl Array {
    /// The array type, if it is one.
    pub(crate) fn of(ty: &RegisteredType) -> Option<Array> {
        match (ty.composite.as_array(), ty.layout()) {
            (Some(ty), Some(&ObjectLayout::Array(layout))) => {
                Some(Array { storage: ty.element.storage, layout })
            }
            _ => None,
        }
    }

    /// The place of an element that the array has.
    pub(crate) fn element(self, object: u32, index: u32) -> Place {
        Place { at: object + self.layout.element(index), storage: self.storage }
    }
}

impl StoreOpaque {
    /// The value at a place; of packed ones, the upper bits are zero.
    pub(crate) fn read_place(&self, place: Place) -> ValRaw {
        let mut value = ValRaw::default();
        self.heap.read_bytes(place.at, &mut value.0[..place.storage.size() as usize]);
        value
    }

    /// Writes the first value of a place, where zero or null was.
    pub(crate) fn initialize_place(&mut self, place: Place, value: ValRaw) {
        if is_reference(place.storage) {
            self.heap.retain(value.get_u32());
        }
        self.heap.write_bytes(place.at, &value.0[..place.storage.size() as usize]);
    }

    /// Writes a value over another one.
    #[must_use = "what is dropped runs code of the host"]
    pub(crate) fn write_place(&mut self, place: Place, value: ValRaw) -> Garbage {
        let old = self.read_place(place);
        self.initialize_place(place, value);
        match is_reference(place.storage) {
            true => self.heap.release(old.get_u32()),
            false => Garbage::new(),
        }
    }

    /// The type of an object that is a structure or an array; `None` for others.
    pub(crate) fn object_type(
        &self,
        reference: u32,
    ) -> Option<(u32, std::sync::Arc<RegisteredType>)> {
        if !heap::is_object(reference) {
            return None;
        }
        let id = self.heap.type_of(reference);
        self.engine().types().find(id).map(|ty| (id, ty))
    }

    /// What array a reference is to, and its length.
    ///
    /// # Errors
    ///
    /// When it is null.
    pub(crate) fn array(&self, reference: u32) -> Result<(Array, u32)> {
        let ty = self.object_type(reference).and_then(|(_, ty)| Array::of(&ty));
        let array = ty.ok_or(Trap::NullArrayReference)?;
        Ok((array, self.heap.read(reference + ARRAY_LENGTH)))
    }
}

/// Whether values that are stored so are references into the heap.
pub(crate) fn is_reference(storage: StorageType) -> bool {
    matches!(storage, StorageType::Val(ValType::Ref(ty)) if !ty.is_func())
}
