//! A memory as its store keeps it.
#![allow(unsafe_code)] // Slices of guest memory, and the definition that generated code reads.

use precast_artifact::module::Bounds;
use precast_artifact::types::MemoryType;
use precast_artifact::vmcontext::VMMemoryDefinition;

use super::{LinearMemory, MemoryView};
use crate::error::{Error, LimitError, Result};
use crate::limits::ResourceLimiter;
use crate::store::VmStore;
use crate::vm::{OwnDefinition, VmMemory};

/// A memory that is not shared with other threads.
pub(crate) struct MemoryData {
    ty: MemoryType,
    bounds: Bounds,
    linear: LinearMemory,
    definition: VmMemory,
    /// Where the definition is when it is in no VMContext.
    _own: Option<OwnDefinition<VMMemoryDefinition>>,
}

impl MemoryData {
    /// A memory of zeros, whose definition is in a VMContext or, if there is none, of its own.
    pub(crate) fn new(
        store: &mut dyn VmStore,
        ty: MemoryType,
        bounds: Bounds,
        definition: Option<VmMemory>,
    ) -> Result<MemoryData> {
        let (store, mut limiter) = store.parts();
        let count = store.memories.len();
        crate::store::check_count(
            limiter.as_deref_mut(),
            "memories",
            |limiter| limiter.memories(),
            count,
            1,
        )?;
        let bytes = ty.limits.min.checked_mul(ty.page_size());
        let too_large = LimitError::Memory { bytes: bytes.unwrap_or(u64::MAX) };
        let bytes = bytes.and_then(|bytes| usize::try_from(bytes).ok()).ok_or(too_large.clone())?;
        if let Some(limiter) = limiter
            && !limiter.memory_growing(0, bytes, max_bytes(&ty))?
        {
            return Err(too_large.into());
        }
        let linear = LinearMemory::new(bounds, bytes, max_bytes(&ty))?;
        let (definition, own) = match definition {
            Some(definition) => (definition, None),
            None => {
                let own = OwnDefinition::new(VMMemoryDefinition {
                    base: std::ptr::null_mut(),
                    length: 0,
                });
                // SAFETY: freed with this structure, which the store keeps until its end.
                (unsafe { VmMemory::new(own.pointer()) }, Some(own))
            }
        };
        definition.set(linear.base(), linear.len());
        Ok(MemoryData { ty, bounds, linear, definition, _own: own })
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

    pub(crate) fn linear_mut(&mut self) -> &mut LinearMemory {
        &mut self.linear
    }

    /// The size in pages.
    pub(crate) fn pages(&self) -> u64 {
        self.linear.len() as u64 >> self.ty.page_size_log2
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: the memory is mapped, belongs to a borrowed store and to no other thread, so
        // nobody writes to it; `linear` stays as long as `self` does.
        unsafe { std::slice::from_raw_parts(self.linear.base(), self.linear.len()) }
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and the borrow is exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.linear.base(), self.linear.len()) }
    }

    /// A view. It borrows the memory for changes, though it could do without: so no
    /// slice of it exists meanwhile.
    pub(crate) fn view(&mut self) -> MemoryView<'_> {
        // SAFETY: mapped as long as `self` is borrowed; that borrow is exclusive.
        unsafe { MemoryView::from_raw_parts(self.linear.base(), self.linear.len()) }
    }

    /// Makes the memory `delta` pages larger and returns its old size in pages.
    pub(crate) fn grow(
        &mut self,
        delta: u64,
        mut limiter: Option<&mut (dyn ResourceLimiter + '_)>,
    ) -> Result<Option<u64>> {
        let old = self.pages();
        if delta == 0 {
            return Ok(Some(old));
        }
        let bytes = old.checked_add(delta).and_then(|pages| pages.checked_mul(self.ty.page_size()));
        let max = max_bytes(&self.ty);
        let Some(bytes) = bytes.and_then(|bytes| usize::try_from(bytes).ok()) else {
            return Ok(None);
        };
        if let Some(limiter) = limiter.as_deref_mut()
            && !limiter.memory_growing(self.linear.len(), bytes, max)?
        {
            return Ok(None);
        }
        let grown = match max.is_some_and(|max| bytes > max) {
            true => Err(Error::from(LimitError::Grow { what: "memory", delta })),
            false => self.linear.grow(bytes),
        };
        if let Err(error) = grown {
            if let Some(limiter) = limiter {
                limiter.memory_grow_failed(error)?;
            }
            return Ok(None);
        }
        self.definition.set(self.linear.base(), self.linear.len());
        Ok(Some(old))
    }
}

/// The size that a memory's type never lets it exceed, in bytes.
fn max_bytes(ty: &MemoryType) -> Option<usize> {
    let own = ty.limits.max.map(|max| max.saturating_mul(ty.page_size()));
    // The number of pages has 32 bits as well, which counts where a page is a byte.
    let pages = u64::from(u32::MAX).saturating_mul(ty.page_size());
    let addressable = (!ty.memory64).then_some(pages.min(1 << 32));
    let max = own.into_iter().chain(addressable).min()?;
    usize::try_from(max).ok()
}
