//! Arrays, for the host.
#![allow(unsafe_code)] // Promises about the raw form of references.

use std::iter;

use super::{AnyRef, EqRef, Place, check_index, handle, new_array};
use crate::error::{Result, TypeError};
use crate::heap::Root;
use crate::store::{AsContext, AsContextMut, StoreContextMut, StoreOpaque, VmStore};
use crate::types::ArrayType;
use crate::value::Val;

/// A reference to an array: an `arrayref` that is not null. It is a handle like [`AnyRef`].
///
/// ```
/// use precast_runtime::{
///     ArrayRef, ArrayRefPre, ArrayType, Engine, FieldType, Mutability, Store, Val, ValType,
/// };
///
/// let engine = Engine::default();
/// let element = FieldType::new(Mutability::Var, ValType::I64.into());
/// let ty = ArrayType::new(&engine, element);
/// let mut store = Store::new(&engine, ());
/// let pre = ArrayRefPre::new(&mut store, ty);
/// let array = ArrayRef::new(&mut store, &pre, &Val::I64(7), 3)?;
/// array.set(&mut store, 1, Val::I64(8))?;
/// let elements: Vec<_> = array.elems(&mut store).map(|value| value.unwrap_i64()).collect();
/// assert_eq!(elements, [7, 8, 7]);
/// # Ok::<(), precast_runtime::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ArrayRef(pub(super) Root);

/// A type of arrays, for a store to make some of.
#[derive(Clone, Debug)]
pub struct ArrayRefPre {
    ty: ArrayType,
}

handle!(ArrayRef Array "array");

impl ArrayRefPre {
    /// Prepares a store for arrays of a type.
    ///
    /// # Panics
    ///
    /// When the type belongs to another engine than the store.
    pub fn new(store: impl AsContextMut, ty: ArrayType) -> ArrayRefPre {
        store.as_context().opaque().check_engine(ty.engine());
        ArrayRefPre { ty }
    }
}

impl ArrayRef {
    /// A new array of `len` elements that are all `element`.
    ///
    /// # Errors
    ///
    /// When that is no element of the type, or the store's heap is full.
    ///
    /// # Panics
    ///
    /// When the type belongs to another engine, or the element to another store.
    pub fn new(
        mut store: impl AsContextMut,
        pre: &ArrayRefPre,
        element: &Val,
        len: u32,
    ) -> Result<ArrayRef> {
        let StoreContextMut(store) = store.as_context_mut();
        make(store, pre, len, iter::repeat_n(*element, len as usize))
    }

    /// A new array of these elements.
    ///
    /// # Errors
    ///
    /// When they are no elements of the type, or the store's heap is full.
    ///
    /// # Panics
    ///
    /// When the type belongs to another engine, or an element to another store.
    pub fn new_fixed(
        mut store: impl AsContextMut,
        pre: &ArrayRefPre,
        elements: &[Val],
    ) -> Result<ArrayRef> {
        let StoreContextMut(store) = store.as_context_mut();
        let too_long = |_| TypeError::Unsupported("arrays of more than 2^32 elements");
        let len = u32::try_from(elements.len()).map_err(too_long)?;
        make(store, pre, len, elements.iter().copied())
    }

    /// Its type.
    pub fn ty(&self, store: impl AsContext) -> ArrayType {
        let store = store.as_context().opaque();
        let (id, _) = store.object_type(self.0.reference(store)).expect(AN_ARRAY);
        ArrayType::from_id(store.engine(), id)
    }

    /// Whether it is of a type.
    ///
    /// # Panics
    ///
    /// When the type belongs to another engine.
    pub fn matches_ty(&self, store: impl AsContext, ty: &ArrayType) -> bool {
        self.ty(store).matches(ty)
    }

    /// The number of its elements.
    pub fn len(&self, store: impl AsContext) -> u32 {
        let store = store.as_context().opaque();
        store.array(self.0.reference(store)).expect(AN_ARRAY).1
    }

    /// The element at `index`; of packed ones, the upper bits are zero.
    ///
    /// # Errors
    ///
    /// When there is no such element.
    pub fn get(&self, mut store: impl AsContextMut, index: u32) -> Result<Val> {
        let StoreContextMut(store) = store.as_context_mut();
        let store = &mut store.opaque;
        let place = place(store, self.0.reference(store), index)?;
        Ok(store.host_value(place))
    }

    /// All elements, in order, as [`get`](Self::get) returns them.
    pub fn elems<'a>(
        &'a self,
        mut store: impl AsContextMut + 'a,
    ) -> impl Iterator<Item = Val> + 'a {
        let mut indices = 0..self.len(&store);
        iter::from_fn(move || self.get(&mut store, indices.next()?).ok())
    }

    /// Assigns the element at `index`.
    ///
    /// # Errors
    ///
    /// When there is no such element, elements are immutable, or the value is not of their type.
    ///
    /// # Panics
    ///
    /// When the value belongs to another store.
    pub fn set(&self, mut store: impl AsContextMut, index: u32, value: Val) -> Result<()> {
        let StoreContextMut(store) = store.as_context_mut();
        let store = &mut store.opaque;
        let object = self.0.reference(store);
        let place = place(store, object, index)?;
        let (_, ty) = store.object_type(object).expect(AN_ARRAY);
        if !ty.composite.as_array().expect(AN_ARRAY).element.mutable {
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

const AN_ARRAY: &str = "the handle is to an array";

fn make(
    store: &mut dyn VmStore,
    pre: &ArrayRefPre,
    len: u32,
    elements: impl Iterator<Item = Val>,
) -> Result<ArrayRef> {
    store.opaque_mut().check_engine(pre.ty.engine());
    let object = new_array(store, pre.ty.id(), len).expect("the type is one of arrays")?;
    let store = store.opaque_mut();
    let (array, _) = store.array(object)?;
    for (element, index) in elements.zip(0..) {
        // An object that is not finished has nulls, and is garbage.
        let value = store.stored_value(array.storage, element)?;
        store.initialize_place(array.element(object, index), value);
    }
    Ok(ArrayRef(Root::new(store, object)))
}

fn place(store: &StoreOpaque, object: u32, index: u32) -> Result<Place> {
    let (array, len) = store.array(object)?;
    check_index("element", index.into(), len.into())?;
    Ok(array.element(object, index))
}

impl From<ArrayRef> for EqRef {
    fn from(reference: ArrayRef) -> EqRef {
        reference.to_eqref()
    }
}

impl From<ArrayRef> for AnyRef {
    fn from(reference: ArrayRef) -> AnyRef {
        reference.to_anyref()
    }
}
