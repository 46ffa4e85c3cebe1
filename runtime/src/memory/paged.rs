//! A linear memory that is counted in pages and grows as its type and a store's limits allow.

use precast_artifact::module::Bounds;
use precast_artifact::types::MemoryType;

use super::{ImageKey, LinearMemory};
use crate::error::{Error, LimitError, Result};
use crate::limits::ResourceLimiter;
use crate::pool::Slot;

/// The bytes of a memory with its type.
#[derive(Debug)]
pub(super) struct PagedMemory {
    ty: MemoryType,
    linear: LinearMemory,
}

impl PagedMemory {
    /// A memory of zeros, of the smallest size of its type. One that is shared never moves.
    pub(super) fn new(ty: MemoryType, bounds: Bounds) -> Result<PagedMemory> {
        let (bytes, max) = (min_bytes(&ty)?, max_bytes(&ty));
        let linear = match ty.shared {
            true => LinearMemory::new_in_place(bounds, bytes, max.unwrap_or(usize::MAX))?,
            false => LinearMemory::new(bounds, bytes, max)?,
        };
        Ok(PagedMemory { ty, linear })
    }

    /// As [`new`](Self::new), from a pool: see [`LinearMemory::pooled`].
    pub(super) fn pooled(
        slot: Slot,
        ty: MemoryType,
        bounds: Bounds,
        image: Option<ImageKey>,
    ) -> Result<PagedMemory> {
        let linear = LinearMemory::pooled(slot, bounds, min_bytes(&ty)?, max_bytes(&ty), image)?;
        Ok(PagedMemory { ty, linear })
    }

    pub(super) fn linear(&self) -> &LinearMemory {
        &self.linear
    }

    pub(super) fn linear_mut(&mut self) -> &mut LinearMemory {
        &mut self.linear
    }

    /// Makes the memory `delta` pages larger and returns its old size in pages.
    pub(super) fn grow(
        &mut self,
        delta: u64,
        mut limiter: Option<&mut (dyn ResourceLimiter + '_)>,
    ) -> Result<Option<u64>> {
        let old = self.linear.len() as u64 >> self.ty.page_size_log2;
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
        Ok(Some(old))
    }
}

/// Asks a limiter for a new memory of this type.
pub(super) fn admit(
    ty: &MemoryType,
    limiter: Option<&mut (dyn ResourceLimiter + '_)>,
) -> Result<()> {
    let bytes = min_bytes(ty)?;
    if let Some(limiter) = limiter
        && !limiter.memory_growing(0, bytes, max_bytes(ty))?
    {
        return Err(LimitError::Memory { bytes: bytes as u64 }.into());
    }
    Ok(())
}

fn min_bytes(ty: &MemoryType) -> Result<usize> {
    let bytes = ty.limits.min.checked_mul(ty.page_size());
    let too_large = LimitError::Memory { bytes: bytes.unwrap_or(u64::MAX) };
    Ok(bytes.and_then(|bytes| usize::try_from(bytes).ok()).ok_or(too_large)?)
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
