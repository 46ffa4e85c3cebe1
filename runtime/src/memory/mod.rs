//! Linear memories.

mod data;
mod linear;
mod paged;
mod reservation;
mod shared;
mod view;
mod wait;

pub(crate) use data::MemoryData;
pub(crate) use linear::{ImageKey, LinearMemory};
pub(crate) use reservation::Reservation;
pub use shared::SharedMemory;
pub use view::{GuestRange, MemoryView, OutOfBounds};
pub use wait::WaitResult;

use precast_artifact::module::Bounds;
use precast_artifact::types as raw;

use crate::error::{LimitError, Result, TypeError};
use crate::store::{
    AsContext, AsContextMut, MemoryId, StoreContext, StoreContextMut, StoreId, StoreOpaque, VmStore,
};
use crate::types::{Found, MemoryType};

/// A handle to a linear memory of a store. Memories that threads share are
/// [`SharedMemory`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Memory {
    store: StoreId,
    id: MemoryId,
}

/// An access that left its memory.
pub type MemoryAccessError = OutOfBounds;

impl Memory {
    /// A new memory of zeros.
    ///
    /// # Errors
    ///
    /// When the store's limits or the system do not allow it, or the type is that of a
    /// shared memory.
    pub fn new(mut store: impl AsContextMut, ty: MemoryType) -> Result<Memory> {
        let store = store.as_context_mut();
        if ty.is_shared() {
            return Err(TypeError::Unsupported("shared memories in one store").into());
        }
        let settings = store.0.opaque.engine().config().compiler_settings();
        let bounds = Bounds::new(&ty.0, settings.memory_reservation, settings.memory_guard);
        let data = MemoryData::new(store.0, ty.0, bounds)?;
        let opaque = &mut store.0.opaque;
        Ok(Memory { store: opaque.id(), id: opaque.memories.push(data) })
    }

    /// A memory of the store that is not shared.
    pub(crate) fn from_id(store: &StoreOpaque, id: MemoryId) -> Memory {
        Memory { store: store.id(), id }
    }

    pub(crate) fn id(self, store: &StoreOpaque) -> MemoryId {
        store.check(self.store);
        self.id
    }

    fn get(self, store: &StoreOpaque) -> &MemoryData {
        &store.memories[self.id(store)]
    }

    /// Its type.
    pub fn ty(&self, store: impl AsContext) -> MemoryType {
        MemoryType(self.get(store.as_context().opaque()).ty())
    }

    /// The type with the current size, for imports.
    pub(crate) fn found(self, store: &StoreOpaque) -> Found {
        let memory = self.get(store);
        let mut ty = memory.ty();
        ty.limits.min = memory.pages();
        Found { ty: raw::EntityType::Memory(ty), bounds: Some(memory.bounds()) }
    }

    /// The current size in pages.
    pub fn size(&self, store: impl AsContext) -> u64 {
        self.get(store.as_context().opaque()).pages()
    }

    /// The current size in bytes.
    pub fn data_size(&self, store: impl AsContext) -> usize {
        self.get(store.as_context().opaque()).definition().get().1
    }

    /// The size of a page in bytes.
    pub fn page_size(&self, store: impl AsContext) -> u64 {
        self.get(store.as_context().opaque()).ty().page_size()
    }

    /// The address of the first byte. It can change whenever the memory grows.
    pub fn data_ptr(&self, store: impl AsContext) -> *mut u8 {
        self.get(store.as_context().opaque()).definition().get().0
    }

    /// The bytes.
    pub fn data<'a, T: 'static>(&self, store: impl Into<StoreContext<'a, T>>) -> &'a [u8] {
        let store = store.into();
        self.get(store.opaque()).bytes()
    }

    /// The bytes, to be changed.
    pub fn data_mut<'a, T: 'static>(
        &self,
        store: impl Into<StoreContextMut<'a, T>>,
    ) -> &'a mut [u8] {
        self.data_and_store_mut(store).0
    }

    /// The bytes and the host's data, to be changed.
    pub fn data_and_store_mut<'a, T: 'static>(
        &self,
        store: impl Into<StoreContextMut<'a, T>>,
    ) -> (&'a mut [u8], &'a mut T) {
        let StoreContextMut(store) = store.into();
        let id = self.id(&store.opaque);
        (store.opaque.memories[id].bytes_mut(), &mut store.data)
    }

    /// A window on the bytes that copies instead of lending them out.
    pub fn view<'a, T: 'static>(&self, store: impl Into<StoreContextMut<'a, T>>) -> MemoryView<'a> {
        let StoreContextMut(store) = store.into();
        let id = self.id(&store.opaque);
        store.opaque.memories[id].view()
    }

    /// Copies the bytes from `offset` on to `buffer`.
    ///
    /// # Errors
    ///
    /// When they are not all inside the memory; nothing is copied then.
    pub fn read(
        &self,
        store: impl AsContext,
        offset: usize,
        buffer: &mut [u8],
    ) -> Result<(), MemoryAccessError> {
        let store = store.as_context();
        let data = self.get(store.opaque()).bytes();
        let len = buffer.len();
        let bytes = data.get(offset..).and_then(|rest| rest.get(..len));
        let error = OutOfBounds { address: offset as u64, len: len as u64 };
        buffer.copy_from_slice(bytes.ok_or(error)?);
        Ok(())
    }

    /// Copies `buffer` to the bytes from `offset` on.
    ///
    /// # Errors
    ///
    /// When they are not all inside the memory; nothing is written then.
    pub fn write(
        &self,
        mut store: impl AsContextMut,
        offset: usize,
        buffer: &[u8],
    ) -> Result<(), MemoryAccessError> {
        self.view(store.as_context_mut()).write(offset as u64, buffer)
    }

    /// Makes the memory `delta` pages larger, and returns its old size in pages.
    ///
    /// # Errors
    ///
    /// When its type, the store's limits or the system do not allow it.
    pub fn grow(&self, mut store: impl AsContextMut, delta: u64) -> Result<u64> {
        let StoreContextMut(store) = store.as_context_mut();
        let id = self.id(&store.opaque);
        let grown = grow(store, id, delta)?;
        grown.ok_or_else(|| LimitError::Grow { what: "memory", delta }.into())
    }
}

/// Makes a memory `delta` pages larger and returns its old size in pages, or `None` when that is
/// not possible.
pub(crate) fn grow(store: &mut dyn VmStore, id: MemoryId, delta: u64) -> Result<Option<u64>> {
    let (store, limiter) = store.parts();
    store.memories[id].grow(delta, limiter)
}
