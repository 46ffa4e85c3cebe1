//! Random bytes.

use precast_runtime::MemoryView;

use crate::{Errno, WasiCtx, sys};

impl WasiCtx {
    /// Fills `buffer` with random bytes of cryptographic quality.
    ///
    /// # Errors
    ///
    /// [`Errno::Fault`] when the buffer leaves the memory.
    pub fn random_get(
        &mut self,
        memory: MemoryView<'_>,
        buffer: u32,
        buffer_len: u32,
    ) -> Result<(), Errno> {
        sys::fill_random(memory.range(u64::from(buffer), u64::from(buffer_len))?)
    }
}
