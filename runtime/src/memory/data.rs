//! A memory as its store keeps it.
#![allow(unsafe_code)] // Slices of guest memory, and the definition that generated code reads.

use precast_artifact::module::{Bounds, PageRun};
use precast_artifact::trap::Trap;
use precast_artifact::types::MemoryType;
use precast_artifact::vmcontext::VMMemoryDefinition;
use precast_loader::ImageSource;

use super::paged::{PagedMemory, admit};
use super::wait::check_access;
use super::{ImageKey, MemoryView, SharedMemory};
use crate::error::{ModuleError, Result};
use crate::limits::ResourceLimiter;
use crate::pool::Kind;
use crate::store::VmStore;
use crate::vm::{OwnDefinition, VmMemory};

/// A memory that instances of a store use.
pub(crate) struct MemoryData {
    ty: MemoryType,
    bounds: Bounds,
    definition: VmMemory,
    backing: Backing,
}

enum Backing {
    /// It belongs to the store alone.
    Own {
        memory: PagedMemory,
        /// Where the definition is when it is in no VMContext.
        _definition: Option<OwnDefinition<VMMemoryDefinition>>,
    },
    /// Other threads use it, too.
    Shared(SharedMemory),
}

impl MemoryData {
    /// A memory of zeros of the host, with a definition of its own.
    pub(crate) fn new(
        store: &mut dyn VmStore,
        ty: MemoryType,
        bounds: Bounds,
    ) -> Result<MemoryData> {
        check_limits(store, &ty)?;
        let memory = PagedMemory::new(ty, bounds)?;
        let own = OwnDefinition::new(VMMemoryDefinition { base: std::ptr::null_mut(), length: 0 });
        // SAFETY: freed with this structure, which the store keeps until its end.
        let definition = unsafe { VmMemory::new(own.pointer()) };
        Ok(MemoryData::own(ty, bounds, definition, memory, Some(own)))
    }

    /// A memory of an instance, whose definition is in the VMContext. It holds zeros, or already the
    /// image that is to be applied.
    pub(crate) fn of_instance(
        store: &mut dyn VmStore,
        ty: MemoryType,
        bounds: Bounds,
        definition: VmMemory,
        image: Option<ImageKey>,
    ) -> Result<MemoryData> {
        check_limits(store, &ty)?;
        let memory = match store.opaque_mut().engine().pool() {
            Some(pool) => PagedMemory::pooled(pool.slot(Kind::Memory)?, ty, bounds, image)?,
            None => PagedMemory::new(ty, bounds)?,
        };
        Ok(MemoryData::own(ty, bounds, definition, memory, None))
    }

    fn own(
        ty: MemoryType,
        bounds: Bounds,
        definition: VmMemory,
        memory: PagedMemory,
        own: Option<OwnDefinition<VMMemoryDefinition>>,
    ) -> MemoryData {
        definition.set(memory.linear().base(), memory.linear().len());
        let backing = Backing::Own { memory, _definition: own };
        MemoryData { ty, bounds, definition, backing }
    }

    /// A new memory of zeros that the store can share with other threads.
    pub(crate) fn new_shared(
        store: &mut dyn VmStore,
        ty: MemoryType,
        bounds: Bounds,
    ) -> Result<MemoryData> {
        check_limits(store, &ty)?;
        Ok(MemoryData::from_shared(SharedMemory::with_bounds(ty, bounds)?))
    }

    /// A memory that exists already. It counts for no store.
    pub(crate) fn from_shared(memory: SharedMemory) -> MemoryData {
        let (ty, bounds, definition) = (memory.raw_ty(), memory.bounds(), memory.definition());
        MemoryData { ty, bounds, definition, backing: Backing::Shared(memory) }
    }

    pub(crate) fn ty(&self) -> MemoryType {
        self.ty
    }

    pub(crate) fn bounds(&self) -> Bounds {
        self.bounds
    }

    pub(crate) fn definition(&self) -> VmMemory {
        self.definition
    }

    /// The memory as a handle that other threads can use, if it is shared.
    pub(crate) fn shared(&self) -> Option<&SharedMemory> {
        match &self.backing {
            Backing::Own { .. } => None,
            Backing::Shared(memory) => Some(memory),
        }
    }

    /// The size in pages.
    pub(crate) fn pages(&self) -> u64 {
        self.definition.get().1 as u64 >> self.ty.page_size_log2
    }

    /// The bytes.
    ///
    /// # Panics
    ///
    /// When the memory is shared, which no handle that asks for this leads to.
    pub(crate) fn bytes(&self) -> &[u8] {
        let Backing::Own { memory, .. } = &self.backing else { slice_of_shared() };
        // SAFETY: the memory is mapped, belongs to a borrowed store and to no other thread, so
        // nobody writes to it; `memory` stays as long as `self` does.
        unsafe { std::slice::from_raw_parts(memory.linear().base(), memory.linear().len()) }
    }

    /// The bytes, to be changed.
    ///
    /// # Panics
    ///
    /// As [`bytes`](Self::bytes).
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        let Backing::Own { memory, .. } = &mut self.backing else { slice_of_shared() };
        // SAFETY: as above, and the borrow is exclusive.
        unsafe { std::slice::from_raw_parts_mut(memory.linear().base(), memory.linear().len()) }
    }

    /// A view. It borrows the memory for changes, though it could do without: so no
    /// slice of it exists meanwhile.
    pub(crate) fn view(&mut self) -> MemoryView<'_> {
        let (base, len) = self.definition.get();
        // SAFETY: mapped as long as `self` is borrowed, since a shared memory neither moves nor
        // shrinks; slices are made of other memories only, and the borrow excludes them.
        unsafe { MemoryView::from_raw_parts(base, len) }
    }

    /// Gives a memory that was just made its initial contents.
    pub(crate) fn apply_image(
        &mut self,
        key: ImageKey,
        runs: &[PageRun],
        images: &[u8],
        source: Option<ImageSource<'_>>,
    ) -> Result<()> {
        match &mut self.backing {
            Backing::Own { memory, .. } => {
                memory.linear_mut().apply_image(key, runs, images, source)
            }
            Backing::Shared(_) => Err(ModuleError::Damaged("it has an image of a shared memory"))?,
        }
    }

    /// Makes the memory `delta` pages larger and returns its old size in pages.
    pub(crate) fn grow(
        &mut self,
        delta: u64,
        limiter: Option<&mut (dyn ResourceLimiter + '_)>,
    ) -> Result<Option<u64>> {
        match &mut self.backing {
            Backing::Own { memory, .. } => {
                let old = memory.grow(delta, limiter)?;
                self.definition.set(memory.linear().base(), memory.linear().len());
                Ok(old)
            }
            Backing::Shared(memory) => memory.grow_within(delta, limiter),
        }
    }

    /// The memory for a wait of `size` bytes at `address`, which only a shared one can have: on
    /// another, nobody could end it.
    pub(crate) fn for_wait(&self, address: u64, size: u64) -> Result<&SharedMemory, Trap> {
        check_access(u64::MAX, address, size)?;
        self.shared().ok_or(Trap::AtomicWaitNonShared)
    }

    /// Wakes up to `count` threads that wait at `address`, and tells how many.
    pub(crate) fn notify(&self, address: u64, count: u32) -> Result<u32, Trap> {
        match &self.backing {
            Backing::Own { memory, .. } => {
                check_access(memory.linear().len() as u64, address, 4)?;
                Ok(0)
            }
            Backing::Shared(memory) => memory.atomic_notify(address, count),
        }
    }
}

/// Whether a store may have one more memory of this type.
fn check_limits(store: &mut dyn VmStore, ty: &MemoryType) -> Result<()> {
    let (store, mut limiter) = store.parts();
    let count = store.memories.len();
    let limit = |limiter: &dyn ResourceLimiter| limiter.memories();
    crate::store::check_count(limiter.as_deref_mut(), "memories", limit, count, 1)?;
    admit(ty, limiter)
}

#[cold]
fn slice_of_shared() -> ! {
    unreachable!("handles to memories of a store never lead to a shared one")
}
