//! What a host function learns about its caller.

use crate::engine::Engine;
use crate::instance::{Extern, Instance};
use crate::memory::MemoryView;
use crate::store::{
    AsContext, AsContextMut, InstanceId, StoreContext, StoreContextMut, StoreInner,
};

/// The store of a host function that is being called, and the instance that calls it.
pub struct Caller<'a, T: 'static> {
    pub(crate) store: &'a mut StoreInner<T>,
    instance: Option<InstanceId>,
}

impl<'a, T: 'static> Caller<'a, T> {
    #[inline]
    pub(super) fn new(store: &'a mut StoreInner<T>, instance: Option<InstanceId>) -> Caller<'a, T> {
        Caller { store, instance }
    }

    #[inline]
    pub(super) fn reborrow(&mut self) -> Caller<'_, T> {
        Caller { store: self.store, instance: self.instance }
    }

    #[inline]
    pub(super) fn store(&mut self) -> &mut StoreInner<T> {
        self.store
    }

    /// The host's data in the store.
    pub fn data(&self) -> &T {
        &self.store.data
    }

    /// The host's data in the store, to be changed.
    pub fn data_mut(&mut self) -> &mut T {
        &mut self.store.data
    }

    /// Frees garbage: see [`Store::gc`](crate::Store::gc).
    pub fn gc(&mut self) {
        drop(self.store.opaque.collect());
    }

    /// The store's engine.
    pub fn engine(&self) -> &Engine {
        self.store.opaque.engine()
    }

    /// The instance that calls; `None` when the host calls.
    pub fn instance(&self) -> Option<Instance> {
        Some(Instance::from_id(&self.store.opaque, self.instance?))
    }

    /// An export of the instance that calls.
    pub fn get_export(&mut self, name: &str) -> Option<Extern> {
        self.instance()?.get_export(self, name)
    }

    /// The memory that the calling instance exports as `memory`, and the host's data. The
    /// name was looked up when the instance was made.
    #[inline]
    pub fn memory_and_data_mut(&mut self) -> Option<(MemoryView<'_>, &mut T)> {
        let store = &mut *self.store;
        let memory = store.opaque.instances[self.instance?].exported_memory()?;
        Some((store.opaque.memories[memory].view(), &mut store.data))
    }
}

impl<T: 'static> AsContext for Caller<'_, T> {
    type Data = T;

    #[inline]
    fn as_context(&self) -> StoreContext<'_, T> {
        StoreContext(self.store)
    }
}

impl<T: 'static> AsContextMut for Caller<'_, T> {
    #[inline]
    fn as_context_mut(&mut self) -> StoreContextMut<'_, T> {
        StoreContextMut(self.store)
    }
}
