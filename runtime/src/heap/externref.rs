//! Values of the host that wasm can hold.

use std::any::Any;

use precast_artifact::object::HOST_OBJECT;

use super::layouts::{HOST_NUMBER, HOST_SIZE};
use super::{Handle, Root, allocate, handle};
use crate::error::{LimitError, Result};
use crate::limits::DEFAULT_HOST_REFERENCES;
use crate::store::{AsContext, AsContextMut, StoreContext, StoreContextMut, StoreOpaque, VmStore};

/// A reference to a value of the host that wasm can hold but not look into: an `externref` that is
/// not null.
///
/// It is a handle that is good until the scope ends in which it was made: that of the host
/// function that got or made it, a [`RootScope`](crate::RootScope), or else the store. Put it
/// into an [`OwnedRooted`](crate::OwnedRooted) to keep the value longer. The value is dropped when neither
/// wasm nor the host refers to it any more, once the collector finds out, and at the latest
/// with the store.
///
/// # Panics
///
/// Using it after its scope, or with another store than its own, panics, everywhere.
#[derive(Clone, Copy, Debug)]
pub struct ExternRef(Root);

impl Handle for ExternRef {}

impl handle::Sealed for ExternRef {
    fn from_root(root: Root) -> ExternRef {
        ExternRef(root)
    }

    fn root(self) -> Root {
        self.0
    }
}

impl ExternRef {
    /// Gives a value to the store, and returns a reference to it.
    ///
    /// # Errors
    ///
    /// When the store holds as many as it may.
    pub fn new(
        mut store: impl AsContextMut,
        value: impl Any + Send + Sync + 'static,
    ) -> Result<ExternRef> {
        let StoreContextMut(store) = store.as_context_mut();
        let (opaque, limiter) = store.parts();
        let limit = limiter.map_or(DEFAULT_HOST_REFERENCES, |limiter| limiter.host_references());
        let limit = limit.min(DEFAULT_HOST_REFERENCES);
        if opaque.heap.hosts.len() >= limit {
            // Some of them may be garbage.
            drop(opaque.collect());
        }
        let full = LimitError::Count { what: "host references", limit };
        if opaque.heap.hosts.len() >= limit {
            return Err(full.into());
        }
        let object = allocate(store, HOST_OBJECT, HOST_SIZE)?;
        let heap = &mut store.opaque.heap;
        // So that it is no value at all if there is no number.
        heap.write(object + HOST_NUMBER, u32::MAX);
        let number = heap.hosts.insert(Box::new(value)).ok_or(full)?;
        heap.write(object + HOST_NUMBER, number);
        Ok(ExternRef(Root::new(&mut store.opaque, object)))
    }

    /// The value; `None` when the reference is an `anyref` of wasm in disguise.
    pub fn data<'a, T: 'static>(
        &self,
        store: impl Into<StoreContext<'a, T>>,
    ) -> Option<&'a (dyn Any + Send + Sync)> {
        let store = store.into().opaque();
        self.number(store).and_then(|number| store.heap.hosts.get(number))
    }

    /// The value, to be changed.
    pub fn data_mut<'a, T: 'static>(
        &self,
        store: impl Into<StoreContextMut<'a, T>>,
    ) -> Option<&'a mut (dyn Any + Send + Sync)> {
        let StoreContextMut(store) = store.into();
        let number = self.number(&store.opaque)?;
        store.opaque.heap.hosts.get_mut(number)
    }

    /// Whether two references are to the same value.
    pub fn ref_eq(store: impl AsContext, a: &ExternRef, b: &ExternRef) -> bool {
        let store = store.as_context().opaque();
        a.0.reference(store) == b.0.reference(store)
    }

    /// The number of the value, if there is one.
    fn number(self, store: &StoreOpaque) -> Option<u32> {
        let reference = self.0.reference(store);
        let is_host = super::is_object(reference) && store.heap.type_of(reference) == HOST_OBJECT;
        is_host.then(|| store.heap.read(reference + HOST_NUMBER))
    }

    pub(crate) fn reference(self, store: &StoreOpaque) -> u32 {
        self.0.reference(store)
    }

    /// The reference, for generated code to hold.
    pub(crate) fn to_raw(self, store: &mut StoreOpaque) -> u32 {
        self.0.to_raw(store)
    }

    /// The reference in a raw value; `None` for null.
    pub(crate) fn from_raw(store: &mut StoreOpaque, reference: u32) -> Option<ExternRef> {
        (reference != 0).then(|| ExternRef(Root::new(store, reference)))
    }
}
