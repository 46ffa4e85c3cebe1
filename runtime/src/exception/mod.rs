//! Exceptions: references to them, and the error that they are for the host.
//!
//! An exception that is caught without a reference never becomes an object: its values wait in
//! the store until the handler has read them. One that is caught by reference, or that reaches
//! the host, is an object of the store, which goes when nothing can refer to it any more.
#![allow(unsafe_code)] // Raw values hold pointers to functions.

mod objects;
mod roots;
mod thrown;

pub(crate) use objects::{Exceptions, Pending};
pub use thrown::ThrownException;

use precast_artifact::vmcontext::ValRaw;

use crate::error::{LimitError, Result, TypeError};
use crate::limits::DEFAULT_HEAP_SIZE;
use crate::store::{
    AsContext, AsContextMut, StoreContextMut, StoreId, StoreOpaque, TagId, VmStore,
};
use crate::tag::Tag;
use crate::value::Val;

/// A reference to an exception: an `exnref` that is not null. Once the host has it, the exception
/// stays as long as its store.
///
/// ```
/// use precast_runtime::{Engine, ExnRef, FuncType, Store, Tag, TagType, Val, ValType};
///
/// let engine = Engine::default();
/// let mut store = Store::new(&engine, ());
/// let ty = TagType::new(FuncType::new(&engine, [ValType::I32], []));
/// let tag = Tag::new(&mut store, &ty);
/// let exception = ExnRef::new(&mut store, &tag, &[Val::I32(7)])?;
/// assert_eq!(exception.tag(&store), tag);
/// assert_eq!(exception.field(&store, 0)?.unwrap_i32(), 7);
/// # Ok::<(), precast_runtime::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ExnRef {
    store: StoreId,
    reference: u32,
}

impl ExnRef {
    /// A new exception with this tag and these values.
    ///
    /// # Errors
    ///
    /// When the values are not those that the tag asks for, or the store's heap is full.
    pub fn new(mut store: impl AsContextMut, tag: &Tag, fields: &[Val]) -> Result<ExnRef> {
        let StoreContextMut(store) = store.as_context_mut();
        let reference = make(store, *tag, fields)?;
        Ok(ExnRef::pin(&store.opaque, reference))
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

    /// Throws the exception, for host functions: the error makes wasm look for a handler when the
    /// function returns it.
    ///
    /// # Errors
    ///
    /// Always.
    pub fn throw<R>(self, mut store: impl AsContextMut) -> Result<R, ThrownException> {
        let StoreContextMut(store) = store.as_context_mut();
        let reference = self.to_raw(&store.opaque);
        Err(ThrownException::of(&mut store.opaque, reference))
    }

    pub(crate) fn to_raw(self, store: &StoreOpaque) -> u32 {
        store.check(self.store);
        self.reference
    }

    /// The reference in a raw value; `None` for null.
    pub(crate) fn from_raw(store: &StoreOpaque, reference: u32) -> Option<ExnRef> {
        (reference != 0).then(|| ExnRef::pin(store, reference))
    }

    /// A handle to an object, which stays from now on.
    fn pin(store: &StoreOpaque, reference: u32) -> ExnRef {
        store.exceptions.pin(reference);
        ExnRef { store: store.id(), reference }
    }
}

/// A new object, which nothing refers to yet.
fn make(store: &mut dyn VmStore, tag: Tag, fields: &[Val]) -> Result<u32> {
    let opaque = store.opaque_mut();
    let tag = tag.id(opaque);
    let ty = opaque.tags[tag].ty(opaque.engine());
    let params = &ty.raw().params;
    if params.len() != fields.len() {
        let (expected, found) = (params.len(), fields.len());
        return Err(TypeError::Count { what: "values", expected, found }.into());
    }
    let mut values = Vec::with_capacity(fields.len());
    for (&field, &ty) in fields.iter().zip(params) {
        values.push(field.to_raw(opaque, ty)?);
    }
    insert(store, tag, values)
}

/// Makes an object of values of the tag's types, which nothing refers to yet.
fn insert(store: &mut dyn VmStore, tag: TagId, values: Vec<ValRaw>) -> Result<u32> {
    let (store, limiter) = store.parts();
    let limit = limiter.map_or(DEFAULT_HEAP_SIZE, |limiter| limiter.heap_size());
    let more = Exceptions::size_of(values.len());
    let full = |store: &StoreOpaque| store.exceptions.bytes().saturating_add(more) > limit;
    if store.exceptions.wants_collection() || full(store) {
        roots::collect(store, &values);
    }
    let error = LimitError::Count { what: "bytes of exceptions", limit };
    if full(store) {
        return Err(error.into());
    }
    Ok(store.exceptions.insert(tag, values.into()).ok_or(error)?)
}

/// A value of an object.
fn field(store: &StoreOpaque, reference: u32, index: usize) -> Result<Val> {
    let (tag, values) = store.exceptions.get(reference);
    let ty = store.tags[tag].ty(store.engine());
    match ty.raw().params.get(index) {
        // SAFETY: objects are only made with values of their tag's types.
        Some(&ty) => Ok(unsafe { Val::from_raw(store, ty, values[index]) }),
        None => {
            let (expected, found) = (index.saturating_add(1), values.len());
            Err(TypeError::Count { what: "values", expected, found }.into())
        }
    }
}

/// What a handler gets of an exception: a reference, or 0 when it wants none, and the address of
/// the values, which are there until the store's next exception.
pub(crate) struct Payload {
    pub(crate) reference: u32,
    pub(crate) values: *const ValRaw,
}

/// Hands the exception that is being thrown to a handler.
///
/// # Errors
///
/// When the handler wants a reference, and the store's heap is full.
pub(crate) fn deliver(store: &mut dyn VmStore, by_reference: bool) -> Result<Payload> {
    let reference = match by_reference {
        true => pending_object(store)?,
        false => 0,
    };
    let exceptions = &store.opaque_mut().exceptions;
    let values = match exceptions.pending() {
        Pending::Object(object) => exceptions.get(*object).1,
        Pending::Values(_, values) => values,
    };
    Ok(Payload { reference, values: values.as_ptr() })
}

/// The exception that is being thrown, as an object.
fn pending_object(store: &mut dyn VmStore) -> Result<u32> {
    let exceptions = &mut store.opaque_mut().exceptions;
    let (tag, values) = match exceptions.pending() {
        Pending::Object(object) => return Ok(*object),
        Pending::Values(tag, values) => (*tag, values.clone()),
    };
    let object = insert(store, tag, values)?;
    store.opaque_mut().exceptions.throw_object(object);
    Ok(object)
}
