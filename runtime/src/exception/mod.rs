//! Exceptions: references to them, and the error that they are for the host.
//!
//! An exception that is caught without a reference never becomes an object: its values wait in
//! the store until the handler has read them. One that is caught by reference, or that reaches
//! the host, is an object of the store's heap.
#![allow(unsafe_code)] // Raw values hold pointers to functions.

mod pending;
mod thrown;

pub(crate) use pending::Pending;
pub use thrown::ThrownException;

use precast_artifact::object::EXCEPTION_OBJECT;
use precast_artifact::vmcontext::ValRaw;

use crate::error::{LimitError, Result, TypeError};
use crate::heap::{
    EXCEPTION_LEN, EXCEPTION_TAG, EXCEPTION_VALUES, Handle, Root, allocate, exception_size, handle,
};
use crate::store::{AsContext, AsContextMut, StoreContextMut, StoreOpaque, TagId, VmStore};
use crate::tag::Tag;
use crate::value::Val;

/// A reference to an exception: an `exnref` that is not null. It is a handle like
/// [`ExternRef`](crate::ExternRef), good until the scope ends in which it was made.
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
/// assert_eq!(exception.field(&mut store, 0)?.unwrap_i32(), 7);
/// # Ok::<(), precast_runtime::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ExnRef(Root);

impl Handle for ExnRef {}

impl handle::Sealed for ExnRef {
    fn from_root(root: Root) -> ExnRef {
        ExnRef(root)
    }

    fn root(self) -> Root {
        self.0
    }
}

impl ExnRef {
    /// A new exception with this tag and these values.
    ///
    /// # Errors
    ///
    /// When the values are not those that the tag asks for, or the store's heap is full.
    pub fn new(mut store: impl AsContextMut, tag: &Tag, fields: &[Val]) -> Result<ExnRef> {
        let StoreContextMut(store) = store.as_context_mut();
        let object = make(store, *tag, fields)?;
        Ok(ExnRef(Root::new(&mut store.opaque, object)))
    }

    /// The exception's tag.
    pub fn tag(&self, store: impl AsContext) -> Tag {
        let store = store.as_context().opaque();
        Tag::from_id(store, tag(store, self.0.reference(store)))
    }

    /// The value at `index`.
    ///
    /// # Errors
    ///
    /// When the exception has fewer values.
    pub fn field(&self, mut store: impl AsContextMut, index: usize) -> Result<Val> {
        let StoreContextMut(store) = store.as_context_mut();
        let object = self.0.reference(&store.opaque);
        field(&mut store.opaque, object, index)
    }

    /// Whether two references are to the same exception.
    pub fn ref_eq(store: impl AsContext, a: &ExnRef, b: &ExnRef) -> bool {
        let store = store.as_context().opaque();
        a.0.reference(store) == b.0.reference(store)
    }

    /// Throws the exception, for host functions: the error makes wasm look for a handler when the
    /// function returns it.
    ///
    /// # Errors
    ///
    /// Always.
    pub fn throw<R>(self, mut store: impl AsContextMut) -> Result<R, ThrownException> {
        let StoreContextMut(store) = store.as_context_mut();
        let object = self.0.reference(&store.opaque);
        Err(ThrownException::of(&mut store.opaque, object))
    }

    pub(crate) fn reference(self, store: &StoreOpaque) -> u32 {
        self.0.reference(store)
    }

    /// The reference in a raw value; `None` for null.
    pub(crate) fn from_raw(store: &mut StoreOpaque, reference: u32) -> Option<ExnRef> {
        (reference != 0).then(|| ExnRef(Root::new(store, reference)))
    }
}

/// What a handler gets of an exception: a reference, or 0 when it wants none, and the address of
/// the values, which are there until the store's next exception.
pub(crate) struct Payload {
    pub(crate) reference: u32,
    pub(crate) values: *const ValRaw,
}

impl StoreOpaque {
    /// An exception with these values is being thrown.
    pub(crate) fn throw_values(&mut self, tag: TagId, values: &[ValRaw]) {
        self.exceptions.begin(tag, self.tags[tag].references());
        self.exceptions.extend(values);
    }

    /// An object is being thrown.
    pub(crate) fn throw_object(&mut self, object: u32) {
        let values: Vec<ValRaw> =
            (0..len(self, object)).map(|at| value(self, object, at)).collect();
        self.throw_values(tag(self, object), &values);
        self.exceptions.set_object(object);
    }
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
    let store = store.opaque_mut();
    for reference in store.exceptions.references() {
        store.heap.list(reference);
    }
    store.exceptions.deliver();
    Ok(Payload { reference, values: store.exceptions.values().as_ptr() })
}

/// The exception that is being thrown, as an object.
fn pending_object(store: &mut dyn VmStore) -> Result<u32> {
    let exceptions = &store.opaque_mut().exceptions;
    if exceptions.object() != 0 {
        return Ok(exceptions.object());
    }
    let (tag, len) = (exceptions.tag(), exceptions.values().len());
    let object = empty(store, tag, len)?;
    let store = store.opaque_mut();
    // Their references were updated if anything was moved.
    for (index, value) in store.exceptions.values().to_vec().into_iter().enumerate() {
        initialize(store, object, index, value);
    }
    store.exceptions.set_object(object);
    Ok(object)
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
    let object = empty(store, tag, params.len())?;
    let opaque = store.opaque_mut();
    for (index, (&field, &ty)) in fields.iter().zip(params).enumerate() {
        // An object that is not finished has nulls, and is garbage.
        let value = field.to_raw(opaque, ty)?;
        initialize(opaque, object, index, value);
    }
    Ok(object)
}

/// A new object with values that are all 0.
fn empty(store: &mut dyn VmStore, tag: TagId, len: usize) -> Result<u32> {
    let opaque = store.opaque_mut();
    opaque.heap.add_tag(tag, opaque.tags[tag].references());
    let size = exception_size(len).ok_or(LimitError::AddressSpace { bytes: len as u64 })?;
    let object = allocate(store, EXCEPTION_OBJECT, size)?;
    let heap = &mut store.opaque_mut().heap;
    heap.write(object + EXCEPTION_TAG, tag.0);
    heap.write(object + EXCEPTION_LEN, len as u32);
    heap.write_bytes(object + EXCEPTION_VALUES, &vec![0; len * size_of::<ValRaw>()]);
    Ok(object)
}

/// Gives a new object one of its values.
fn initialize(store: &mut StoreOpaque, object: u32, index: usize, value: ValRaw) {
    if store.tags[tag(store, object)].references().contains(&index) {
        store.heap.retain(value.get_u32());
    }
    store.heap.write_bytes(place(object, index), &value.0);
}

fn tag(store: &StoreOpaque, object: u32) -> TagId {
    assert_eq!(store.heap.type_of(object), EXCEPTION_OBJECT, "the reference is to an exception");
    TagId(store.heap.read(object + EXCEPTION_TAG))
}

fn len(store: &StoreOpaque, object: u32) -> usize {
    store.heap.read(object + EXCEPTION_LEN) as usize
}

fn value(store: &StoreOpaque, object: u32, index: usize) -> ValRaw {
    let mut value = ValRaw::default();
    store.heap.read_bytes(place(object, index), &mut value.0);
    value
}

fn place(object: u32, index: usize) -> u32 {
    object + EXCEPTION_VALUES + (index * size_of::<ValRaw>()) as u32
}

/// A value of an object.
fn field(store: &mut StoreOpaque, object: u32, index: usize) -> Result<Val> {
    let ty = store.tags[tag(store, object)].ty(store.engine());
    match ty.raw().params.get(index) {
        // SAFETY: objects are only made with values of their tag's types.
        Some(&ty) => Ok(unsafe { Val::from_raw(store, ty, value(store, object, index)) }),
        None => {
            let (expected, found) = (index.saturating_add(1), len(store, object));
            Err(TypeError::Count { what: "values", expected, found }.into())
        }
    }
}
