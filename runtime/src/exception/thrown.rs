//! An exception as an error.

use std::fmt;

use super::{ExnRef, field, make, pending_object, tag};
use crate::error::Result;
use crate::heap::OwnedRooted;
use crate::store::{AsContext, AsContextMut, StoreContextMut, StoreOpaque, VmStore};
use crate::tag::Tag;
use crate::types::TagType;
use crate::value::Val;

/// An exception that no handler has caught yet: the error of a call into wasm that ends with it.
///
/// A host function that returns it, or an error made from it, throws the exception on into the
/// wasm code that called the function.
///
/// ```
/// use precast_runtime::{Caller, Error, FuncType, Store, Tag, TagType, ThrownException, Val};
///
/// fn host(mut caller: Caller<'_, Tag>) -> Result<(), Error> {
///     let tag = *caller.data();
///     Err(ThrownException::new(&mut caller, &tag, &[])?.into())
/// }
/// ```
#[derive(Clone)]
pub struct ThrownException {
    object: OwnedRooted<ExnRef>,
    ty: TagType,
}

impl ThrownException {
    /// A new exception with this tag and these values.
    ///
    /// # Errors
    ///
    /// When the values are not those that the tag asks for, or the store's heap is full.
    pub fn new(mut store: impl AsContextMut, tag: &Tag, fields: &[Val]) -> Result<ThrownException> {
        let StoreContextMut(store) = store.as_context_mut();
        let object = make(store, *tag, fields)?;
        Ok(ThrownException::of(&mut store.opaque, object))
    }

    /// The exception's tag.
    pub fn tag(&self, store: impl AsContext) -> Tag {
        let store = store.as_context().opaque();
        Tag::from_id(store, tag(store, self.object.reference(store)))
    }

    /// The value at `index`.
    ///
    /// # Errors
    ///
    /// When the exception has fewer values.
    pub fn field(&self, mut store: impl AsContextMut, index: usize) -> Result<Val> {
        let StoreContextMut(store) = store.as_context_mut();
        let object = self.object.reference(&store.opaque);
        field(&mut store.opaque, object, index)
    }

    /// A reference to the exception.
    pub fn exception(&self, store: impl AsContextMut) -> ExnRef {
        self.object.to_rooted(store)
    }

    pub(super) fn of(store: &mut StoreOpaque, object: u32) -> ThrownException {
        let ty = TagType::new(store.tags[tag(store, object)].ty(store.engine()));
        ThrownException { object: OwnedRooted::of(store, object), ty }
    }

    /// The exception that is being thrown.
    ///
    /// # Errors
    ///
    /// When it does not exist yet, and the store's heap is full.
    pub(crate) fn pending(store: &mut dyn VmStore) -> Result<ThrownException> {
        let object = pending_object(store)?;
        let store = store.opaque_mut();
        let thrown = ThrownException::of(store, object);
        store.exceptions.deliver();
        Ok(thrown)
    }

    /// The object, if it is one of this store.
    pub(crate) fn of_store(&self, store: &StoreOpaque) -> Option<u32> {
        (self.object.store() == store.id()).then(|| self.object.reference(store))
    }
}

impl fmt::Display for ThrownException {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("uncaught exception")?;
        for (i, ty) in self.ty.ty().params().enumerate() {
            write!(f, "{}{ty}", if i == 0 { " with values of type " } else { ", " })?;
        }
        Ok(())
    }
}

impl fmt::Debug for ThrownException {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThrownException").field("ty", &self.ty).finish_non_exhaustive()
    }
}

impl std::error::Error for ThrownException {}
