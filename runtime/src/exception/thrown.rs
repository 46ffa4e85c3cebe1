//! An exception as an error.

use std::fmt;
use std::sync::Arc;

use super::objects::Hold;
use super::{ExnRef, field, make, pending_object};
use crate::error::Result;
use crate::store::{AsContext, AsContextMut, StoreContextMut, StoreId, StoreOpaque, VmStore};
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
    store: StoreId,
    reference: u32,
    ty: TagType,
    _hold: Arc<Hold>,
}

impl ThrownException {
    /// A new exception with this tag and these values.
    ///
    /// # Errors
    ///
    /// When the values are not those that the tag asks for, or the store's heap is full.
    pub fn new(mut store: impl AsContextMut, tag: &Tag, fields: &[Val]) -> Result<ThrownException> {
        let StoreContextMut(store) = store.as_context_mut();
        let reference = make(store, *tag, fields)?;
        Ok(ThrownException::of(&mut store.opaque, reference))
    }

    /// The exception's tag.
    pub fn tag(&self, store: impl AsContext) -> Tag {
        let store = store.as_context().opaque();
        let (tag, _) = store.exceptions.get(self.to_raw(store));
        Tag::from_id(store, tag)
    }

    /// The value at `index`.
    ///
    /// # Errors
    ///
    /// When the exception has fewer values.
    pub fn field(&self, store: impl AsContext, index: usize) -> Result<Val> {
        let store = store.as_context().opaque();
        field(store, self.to_raw(store), index)
    }

    /// A reference to the exception, which from now on stays as long as its store.
    pub fn exception(&self, store: impl AsContext) -> ExnRef {
        let store = store.as_context().opaque();
        ExnRef::pin(store, self.to_raw(store))
    }

    pub(super) fn of(store: &mut StoreOpaque, reference: u32) -> ThrownException {
        let hold = store.exceptions.hold(reference);
        let (tag, _) = store.exceptions.get(reference);
        let ty = TagType::new(store.tags[tag].ty(store.engine()));
        ThrownException { store: store.id(), reference, ty, _hold: hold }
    }

    /// The exception that is being thrown.
    ///
    /// # Errors
    ///
    /// When it does not exist yet, and the store's heap is full.
    pub(crate) fn pending(store: &mut dyn VmStore) -> Result<ThrownException> {
        let reference = pending_object(store)?;
        Ok(ThrownException::of(store.opaque_mut(), reference))
    }

    /// The object, if it is one of this store.
    pub(crate) fn of_store(&self, store: &StoreOpaque) -> Option<u32> {
        (self.store == store.id()).then_some(self.reference)
    }

    fn to_raw(&self, store: &StoreOpaque) -> u32 {
        store.check(self.store);
        self.reference
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
