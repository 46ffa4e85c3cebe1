//! What references other than functions point to: a store's heap of 32-bit references.
//!
//! 0 is null, and the low bit of a reference is reserved for 31-bit integers. How long a
//! value lives is up to the collector, which is part of what code is compiled for; there is one
//! so far, which never frees anything before the store goes.

mod null;

use std::any::Any;

pub(crate) use null::NullHeap as Heap;

use precast_artifact::description::Collector;

use crate::error::{LimitError, Result};
use crate::limits::DEFAULT_HOST_REFERENCES;
use crate::store::{AsContextMut, StoreContext, StoreContextMut, StoreId, StoreOpaque, VmStore};

/// The collector of this build's stores.
pub(crate) const COLLECTOR: Collector = Collector::Null;

/// A reference to a value of the host that wasm can hold but not look into: an `externref` that is
/// not null. It stays valid as long as its store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ExternRef {
    store: StoreId,
    reference: u32,
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
        let (store, limiter) = store.parts();
        let limit = limiter.map_or(DEFAULT_HOST_REFERENCES, |limiter| limiter.host_references());
        let limit = limit.min(DEFAULT_HOST_REFERENCES);
        let full = LimitError::Count { what: "host references", limit };
        if store.heap.len() >= limit {
            return Err(full.into());
        }
        let reference = store.heap.insert(Box::new(value)).ok_or(full)?;
        Ok(ExternRef { store: store.id(), reference })
    }

    /// The value.
    pub fn data<'a, T: 'static>(
        &self,
        store: impl Into<StoreContext<'a, T>>,
    ) -> &'a (dyn Any + Send + Sync) {
        let store = store.into().opaque();
        let value = store.heap.get(self.to_raw(store));
        value.expect("references of a store point to its values")
    }

    /// The value, to be changed.
    pub fn data_mut<'a, T: 'static>(
        &self,
        store: impl Into<StoreContextMut<'a, T>>,
    ) -> &'a mut (dyn Any + Send + Sync) {
        let StoreContextMut(store) = store.into();
        let reference = self.to_raw(&store.opaque);
        let value = store.opaque.heap.get_mut(reference);
        value.expect("references of a store point to its values")
    }

    pub(crate) fn to_raw(self, store: &StoreOpaque) -> u32 {
        store.check(self.store);
        self.reference
    }

    /// The reference in a raw value; `None` for null.
    pub(crate) fn from_raw(store: &StoreOpaque, reference: u32) -> Option<ExternRef> {
        (reference != 0).then_some(ExternRef { store: store.id(), reference })
    }
}
