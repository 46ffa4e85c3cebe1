//! A store: everything that wasm instances own, and the host's data beside it.

mod context;
mod interrupts;
mod opaque;
mod shared;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

pub use context::{AsContext, AsContextMut, StoreContext, StoreContextMut};
pub use interrupts::UpdateDeadline;
pub(crate) use opaque::{GlobalId, InstanceId, MemoryId, StoreOpaque, TableId, TagId, check_count};
pub(crate) use shared::{Registers, Shared};

use crate::engine::Engine;
use crate::error::Result;
use crate::limits::ResourceLimiter;

/// All instances that can refer to each other, what they own, and a `T` of the host.
///
/// Nothing in a store is freed before the store is dropped. Functions, memories and the like are
/// handles: small values that are used together with their store.
///
/// A store is used by one thread at a time; it can move to another thread when `T` can, and while
/// it is used, `&mut Store` shows that nobody else does.
///
/// # Panics
///
/// Using a handle with a store that it does not belong to panics, everywhere.
pub struct Store<T: 'static> {
    inner: Box<StoreInner<T>>,
}

/// A store's number, unique in the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct StoreId(u64);

pub(crate) struct StoreInner<T: 'static> {
    pub(crate) opaque: StoreOpaque,
    limiter: Option<Limiter<T>>,
    epoch_callback: Option<interrupts::EpochCallback<T>>,
    pub(crate) data: T,
}

type Limiter<T> = Box<dyn FnMut(&mut T) -> &mut (dyn ResourceLimiter) + Send + Sync>;

/// A store whose data's type is not known.
pub(crate) trait VmStore {
    fn opaque_mut(&mut self) -> &mut StoreOpaque;

    /// The store and its limiter.
    fn parts(&mut self) -> (&mut StoreOpaque, Option<&mut dyn ResourceLimiter>);

    /// Decides what happens to wasm that has found its deadline reached; `Ok` lets it go on.
    fn epoch_reached(&mut self) -> Result<()>;
}

impl StoreId {
    fn next() -> StoreId {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        StoreId(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

impl<T: 'static> Store<T> {
    /// An empty store with this data.
    pub fn new(engine: &Engine, data: T) -> Store<T> {
        let opaque = StoreOpaque::new(StoreId::next(), engine);
        Store { inner: Box::new(StoreInner { opaque, limiter: None, epoch_callback: None, data }) }
    }

    /// The host's data.
    pub fn data(&self) -> &T {
        &self.inner.data
    }

    /// The host's data, to be changed.
    pub fn data_mut(&mut self) -> &mut T {
        &mut self.inner.data
    }

    /// Drops everything but the host's data.
    pub fn into_data(self) -> T {
        self.inner.data
    }

    /// The engine that it was made with.
    pub fn engine(&self) -> &Engine {
        self.inner.opaque.engine()
    }

    /// Frees what wasm and the host no longer refer to, as far as the collector can find that out.
    /// Values of the host that are part of it are dropped.
    pub fn gc(&mut self) {
        drop(self.inner.opaque.collect());
    }

    /// Asks the limiter that `limiter` finds in the data whenever something is created or
    /// grows from now on.
    pub fn limiter(
        &mut self,
        limiter: impl FnMut(&mut T) -> &mut (dyn ResourceLimiter) + Send + Sync + 'static,
    ) {
        self.inner.limiter = Some(Box::new(limiter));
    }
}

impl<T: 'static> VmStore for StoreInner<T> {
    fn opaque_mut(&mut self) -> &mut StoreOpaque {
        &mut self.opaque
    }

    fn parts(&mut self) -> (&mut StoreOpaque, Option<&mut dyn ResourceLimiter>) {
        let limiter = match &mut self.limiter {
            Some(limiter) => Some(limiter(&mut self.data)),
            None => None,
        };
        (&mut self.opaque, limiter)
    }

    fn epoch_reached(&mut self) -> Result<()> {
        self.update_deadline()
    }
}

impl<T: Default + 'static> Default for Store<T> {
    fn default() -> Store<T> {
        Store::new(&Engine::default(), T::default())
    }
}

impl<T: fmt::Debug + 'static> fmt::Debug for Store<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("data", &self.inner.data).finish_non_exhaustive()
    }
}
