//! References to anything that wasm can look into, and integers in their place.
#![allow(unsafe_code)] // Promises about the raw form of references.

use std::fmt;

use precast_artifact::index::TypeIndex;
use precast_artifact::object::I31_BIT;
use precast_artifact::types as raw;
use precast_artifact::vmcontext::ValRaw;

use super::{ArrayRef, StructRef, handle};
use crate::func::{ValueStore, WasmTy};
use crate::heap::{self, ExternRef, Root};
use crate::store::{AsContext, AsContextMut, StoreContextMut, StoreOpaque};
use crate::types::{HeapType, RefType, heap_matches};

/// A reference to a structure, an array, a 31-bit integer, or a value of the host that wasm has
/// converted: an `anyref` that is not null.
///
/// It is a handle like [`ExternRef`], good until the scope ends in which it was made.
///
/// ```
/// use precast_runtime::{AnyRef, ExternRef, I31, Store};
///
/// let mut store: Store<()> = Store::default();
/// let integer = AnyRef::from_i31(&mut store, I31::wrapping_u32(7));
/// assert_eq!(integer.as_i31(&store), Some(I31::wrapping_u32(7)));
/// let host = ExternRef::new(&mut store, "host")?;
/// let host = AnyRef::convert_extern(&mut store, host);
/// assert!(!host.is_eqref(&store));
/// let host = ExternRef::convert_any(&mut store, host);
/// assert_eq!(host.data(&store).unwrap().downcast_ref(), Some(&"host"));
/// # Ok::<(), precast_runtime::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct AnyRef(pub(super) Root);

/// A reference that can be compared with others: to a structure, an array or a 31-bit integer, an
/// `eqref` that is not null. It is a handle like [`AnyRef`].
#[derive(Clone, Copy, Debug)]
pub struct EqRef(pub(super) Root);

/// An integer of 31 bits, which stands in the place of a reference: an `i31ref`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct I31(u32);

handle!(AnyRef Any "object or integer");
handle!(EqRef Eq "object or integer");

impl AnyRef {
    /// An integer as a reference.
    pub fn from_i31(mut store: impl AsContextMut, value: I31) -> AnyRef {
        let StoreContextMut(store) = store.as_context_mut();
        AnyRef(Root::new(&mut store.opaque, value.to_reference()))
    }

    /// A value of the host as wasm's `any.convert_extern` has it.
    pub fn convert_extern(mut store: impl AsContextMut, reference: ExternRef) -> AnyRef {
        let StoreContextMut(store) = store.as_context_mut();
        let reference = reference.reference(&store.opaque);
        AnyRef(Root::new(&mut store.opaque, reference))
    }

    /// The most precise type that the reference is known to have: `any` for a value of the host.
    pub fn ty(&self, store: impl AsContext) -> HeapType {
        let store = store.as_context().opaque();
        let heap = heap_type(store, self.0.reference(store));
        RefType::from_raw(store.engine(), raw::RefType { nullable: false, heap })
            .heap_type()
            .clone()
    }

    /// Whether it is of a type.
    ///
    /// # Panics
    ///
    /// When the type belongs to another engine.
    pub fn matches_ty(&self, store: impl AsContext, ty: &HeapType) -> bool {
        self.ty(store).matches(ty)
    }

    /// Whether it can be compared: whether it is no value of the host.
    pub fn is_eqref(&self, store: impl AsContext) -> bool {
        self.as_eqref(store).is_some()
    }

    /// The reference as one that can be compared, if it can.
    pub fn as_eqref(&self, store: impl AsContext) -> Option<EqRef> {
        let store = store.as_context().opaque();
        let is_host = heap_type(store, self.0.reference(store)) == raw::HeapType::Any;
        (!is_host).then_some(EqRef(self.0))
    }

    /// Whether it is an integer.
    pub fn is_i31(&self, store: impl AsContext) -> bool {
        self.as_i31(store).is_some()
    }

    /// The integer, if it is one.
    pub fn as_i31(&self, store: impl AsContext) -> Option<I31> {
        I31::from_reference(self.0.reference(store.as_context().opaque()))
    }

    /// Whether it is a structure.
    pub fn is_struct(&self, store: impl AsContext) -> bool {
        self.as_struct(store).is_some()
    }

    /// The structure, if it is one.
    pub fn as_struct(&self, store: impl AsContext) -> Option<StructRef> {
        let store = store.as_context().opaque();
        let (_, ty) = store.object_type(self.0.reference(store))?;
        ty.composite.as_struct().map(|_| StructRef(self.0))
    }

    /// Whether it is an array.
    pub fn is_array(&self, store: impl AsContext) -> bool {
        self.as_array(store).is_some()
    }

    /// The array, if it is one.
    pub fn as_array(&self, store: impl AsContext) -> Option<ArrayRef> {
        let store = store.as_context().opaque();
        let (_, ty) = store.object_type(self.0.reference(store))?;
        ty.composite.as_array().map(|_| ArrayRef(self.0))
    }

    /// The reference in a raw value; `None` for null.
    pub(crate) fn from_raw(store: &mut StoreOpaque, reference: u32) -> Option<AnyRef> {
        (reference != 0).then(|| AnyRef(Root::new(store, reference)))
    }
}

impl EqRef {
    /// An integer as a reference.
    pub fn from_i31(store: impl AsContextMut, value: I31) -> EqRef {
        EqRef(AnyRef::from_i31(store, value).0)
    }

    /// The same reference as one to anything.
    pub fn to_anyref(self) -> AnyRef {
        AnyRef(self.0)
    }

    /// The integer, if it is one.
    pub fn as_i31(&self, store: impl AsContext) -> Option<I31> {
        self.to_anyref().as_i31(store)
    }

    /// The structure, if it is one.
    pub fn as_struct(&self, store: impl AsContext) -> Option<StructRef> {
        self.to_anyref().as_struct(store)
    }

    /// The array, if it is one.
    pub fn as_array(&self, store: impl AsContext) -> Option<ArrayRef> {
        self.to_anyref().as_array(store)
    }
}

impl ExternRef {
    /// A reference as wasm's `extern.convert_any` has it.
    pub fn convert_any(mut store: impl AsContextMut, reference: AnyRef) -> ExternRef {
        let StoreContextMut(store) = store.as_context_mut();
        let reference = reference.0.reference(&store.opaque);
        let converted = ExternRef::from_raw(&mut store.opaque, reference);
        converted.expect("a handle is not null")
    }
}

impl From<EqRef> for AnyRef {
    fn from(reference: EqRef) -> AnyRef {
        reference.to_anyref()
    }
}

impl I31 {
    /// The integer, if it fits without a sign.
    pub fn new_u32(value: u32) -> Option<I31> {
        (value < 1 << 31).then_some(I31(value))
    }

    /// The integer, if it fits with its sign.
    pub fn new_i32(value: i32) -> Option<I31> {
        let wrapped = I31::wrapping_i32(value);
        (wrapped.get_i32() == value).then_some(wrapped)
    }

    /// The low 31 bits.
    pub fn wrapping_u32(value: u32) -> I31 {
        I31(value & (u32::MAX >> 1))
    }

    /// The low 31 bits.
    pub fn wrapping_i32(value: i32) -> I31 {
        I31::wrapping_u32(value.cast_unsigned())
    }

    /// The integer, taken as one without a sign.
    pub fn get_u32(self) -> u32 {
        self.0
    }

    /// The integer, taken as one with a sign.
    pub fn get_i32(self) -> i32 {
        (self.0 << 1).cast_signed() >> 1
    }

    fn to_reference(self) -> u32 {
        self.0 << 1 | I31_BIT
    }

    fn from_reference(reference: u32) -> Option<I31> {
        (reference & I31_BIT != 0).then_some(I31(reference >> 1))
    }
}

// SAFETY: an `i31ref` is an integer in the place of a reference, or 0.
unsafe impl WasmTy for Option<I31> {
    fn ty() -> raw::ValType {
        raw::ValType::Ref(raw::RefType { nullable: true, heap: raw::HeapType::I31 })
    }

    #[inline]
    fn into_raw(self, _: &mut ValueStore<'_>) -> ValRaw {
        ValRaw::u32(self.map_or(0, I31::to_reference))
    }

    #[inline]
    unsafe fn from_raw(_: &mut ValueStore<'_>, value: ValRaw) -> Self {
        I31::from_reference(value.get_u32())
    }
}

// SAFETY: as above, and never 0.
unsafe impl WasmTy for I31 {
    fn ty() -> raw::ValType {
        raw::ValType::Ref(raw::RefType { nullable: false, heap: raw::HeapType::I31 })
    }

    #[inline]
    fn into_raw(self, store: &mut ValueStore<'_>) -> ValRaw {
        Some(self).into_raw(store)
    }

    #[inline]
    unsafe fn from_raw(_: &mut ValueStore<'_>, value: ValRaw) -> Self {
        I31::from_reference(value.get_u32()).expect("a reference that cannot be null is not null")
    }
}

impl fmt::Debug for I31 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("I31").field(&self.get_u32()).finish()
    }
}

/// The most precise type of a reference that is not null.
fn heap_type(store: &StoreOpaque, reference: u32) -> raw::HeapType {
    if !heap::is_object(reference) {
        return raw::HeapType::I31;
    }
    match store.object_type(reference) {
        Some((id, ty)) => ty.composite.heap_type(TypeIndex(id)),
        None => raw::HeapType::Any,
    }
}

/// Whether a reference to anything, which is not null, is of a type.
pub(crate) fn is_of_type(store: &StoreOpaque, reference: u32, ty: raw::HeapType) -> bool {
    heap_matches(store.engine().types(), heap_type(store, reference), ty)
}

/// What a reference is, for messages.
pub(crate) fn describe(store: &StoreOpaque, reference: u32) -> String {
    match heap_type(store, reference).type_index() {
        Some(TypeIndex(id)) => crate::types::describe_type(store.engine().types(), id),
        None => heap_type(store, reference).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_have_31_bits() {
        assert_eq!(I31::new_u32(1 << 31), None);
        assert_eq!(I31::new_u32((1 << 31) - 1).unwrap().get_i32(), -1);
        assert_eq!(I31::new_i32(1 << 30), None);
        assert_eq!(I31::new_i32(-(1 << 30)).unwrap().get_u32(), 1 << 30);
        assert_eq!(I31::wrapping_i32(i32::MIN).get_i32(), 0);
        let minus_two = I31::wrapping_i32(-2);
        assert_eq!(I31::from_reference(minus_two.to_reference()), Some(minus_two));
        assert_eq!(I31::from_reference(8), None);
    }
}
