//! Structures, for the host.
#![allow(unsafe_code)] // Promises about the raw form of references.

use std::iter;

use super::{AnyRef, EqRef, Place, check_index, handle, new_struct};
use crate::error::{Result, TypeError};
use crate::heap::Root;
use crate::store::{AsContext, AsContextMut, StoreContextMut, StoreOpaque};
use crate::types::StructType;
use crate::value::Val;

/// A reference to a structure: a `structref` that is not null. It is a handle like
/// [`AnyRef`].
///
/// ```
/// use precast_runtime::{
///     Engine, FieldType, Mutability, StorageType, Store, StructRef, StructRefPre, StructType, Val,
/// };
///
/// let engine = Engine::default();
/// let byte = FieldType::new(Mutability::Var, StorageType::I8);
/// let ty = StructType::new(&engine, [byte])?;
/// let mut store = Store::new(&engine, ());
/// let pre = StructRefPre::new(&mut store, ty);
/// let structure = StructRef::new(&mut store, &pre, &[Val::I32(0x1ff)])?;
/// assert_eq!(structure.field(&mut store, 0)?.unwrap_i32(), 0xff);
/// structure.set_field(&mut store, 0, Val::I32(7))?;
/// assert_eq!(structure.field(&mut store, 0)?.unwrap_i32(), 7);
/// # Ok::<(), precast_runtime::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct StructRef(pub(super) Root);

/// A type of structures, for a store to make some of.
#[derive(Clone, Debug)]
pub struct StructRefPre {
    ty: StructType,
}

handle!(StructRef Struct "structure");

impl StructRefPre {
    /// Prepares a store for structures of a type.
    ///
    /// # Panics
    ///
    /// When the type belongs to another engine than the store.
    pub fn new(store: impl AsContextMut, ty: StructType) -> StructRefPre {
        store.as_context().opaque().check_engine(ty.engine());
        StructRefPre { ty }
    }
}

impl StructRef {
    /// A new structure with these fields.
    ///
    /// # Errors
    ///
    /// When they are not those of the type, or the store's heap is full.
    ///
    /// # Panics
    ///
    /// When the type belongs to another engine, or a field to another store.
    pub fn new(
        mut store: impl AsContextMut,
        pre: &StructRefPre,
        fields: &[Val],
    ) -> Result<StructRef> {
        let StoreContextMut(store) = store.as_context_mut();
        store.opaque.check_engine(pre.ty.engine());
        let types = &pre.ty.raw().fields;
        if types.len() != fields.len() {
            let (expected, found) = (types.len(), fields.len());
            return Err(TypeError::Count { what: "fields", expected, found }.into());
        }
        let object = new_struct(store, pre.ty.id()).expect("the type is one of structures")?;
        let store = &mut store.opaque;
        for (index, &field) in fields.iter().enumerate() {
            let place = place(store, object, index)?;
            // An object that is not finished has nulls, and is garbage.
            let value = store.stored_value(place.storage, field)?;
            store.initialize_place(place, value);
        }
        Ok(StructRef(Root::new(store, object)))
    }

    /// Its type.
    pub fn ty(&self, store: impl AsContext) -> StructType {
        let store = store.as_context().opaque();
        let (id, _) = store.object_type(self.0.reference(store)).expect(A_STRUCTURE);
        StructType::from_id(store.engine(), id)
    }

    /// Whether it is of a type.
    ///
    /// # Panics
    ///
    /// When the type belongs to another engine.
    pub fn matches_ty(&self, store: impl AsContext, ty: &StructType) -> bool {
        self.ty(store).matches(ty)
    }

    /// The field at `index`; of packed ones, the upper bits are zero.
    ///
    /// # Errors
    ///
    /// When there is no such field.
    pub fn field(&self, mut store: impl AsContextMut, index: usize) -> Result<Val> {
        let StoreContextMut(store) = store.as_context_mut();
        let store = &mut store.opaque;
        let place = place(store, self.0.reference(store), index)?;
        Ok(store.host_value(place))
    }

    /// All fields, in order, as [`field`](Self::field) returns them.
    pub fn fields<'a>(
        &'a self,
        mut store: impl AsContextMut + 'a,
    ) -> impl Iterator<Item = Val> + 'a {
        let mut indices = 0..self.ty(&store).raw().fields.len();
        iter::from_fn(move || self.field(&mut store, indices.next()?).ok())
    }

    /// Assigns the field at `index`.
    ///
    /// # Errors
    ///
    /// When there is no such field, it is immutable, or the value is not of its type.
    ///
    /// # Panics
    ///
    /// When the value belongs to another store.
    pub fn set_field(&self, mut store: impl AsContextMut, index: usize, value: Val) -> Result<()> {
        let StoreContextMut(store) = store.as_context_mut();
        let store = &mut store.opaque;
        let object = self.0.reference(store);
        let place = place(store, object, index)?;
        let (_, ty) = store.object_type(object).expect(A_STRUCTURE);
        if !ty.composite.as_struct().expect(A_STRUCTURE).fields[index].mutable {
            return Err(TypeError::ImmutableField.into());
        }
        let value = store.stored_value(place.storage, value)?;
        let _garbage = store.write_place(place, value);
        Ok(())
    }

    /// The same reference as one that can be compared.
    pub fn to_eqref(self) -> EqRef {
        EqRef(self.0)
    }

    /// The same reference as one to anything.
    pub fn to_anyref(self) -> AnyRef {
        AnyRef(self.0)
    }
}

const A_STRUCTURE: &str = "the handle is to a structure";

fn place(store: &StoreOpaque, object: u32, index: usize) -> Result<Place> {
    let (_, ty) = store.object_type(object).expect(A_STRUCTURE);
    let len = ty.composite.as_struct().expect(A_STRUCTURE).fields.len();
    check_index("field", index as u64, len as u64)?;
    Ok(Place::field(&ty, object, index).expect("checked"))
}

impl From<StructRef> for EqRef {
    fn from(reference: StructRef) -> EqRef {
        reference.to_eqref()
    }
}

impl From<StructRef> for AnyRef {
    fn from(reference: StructRef) -> AnyRef {
        reference.to_anyref()
    }
}
