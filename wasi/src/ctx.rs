//! The state of one guest: its descriptors, arguments and environment.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use precast_runtime::MemoryView;

use crate::table::Descriptors;
use crate::{Errno, WasiCtxBuilder};

/// Everything that a guest can reach of the host.
///
/// Its methods are the functions of `wasi_snapshot_preview1`, one for each, with the
/// parameters of the interface: numbers, and addresses in the guest's memory. They
/// can be called without an instance, over a buffer (see [`MemoryView::from_slice`]).
/// A result goes to the address that the last parameters give.
///
/// Bad addresses are [`Errno::Fault`], unknown flags [`Errno::Inval`], descriptors that
/// are not open [`Errno::Badf`], lacking rights [`Errno::Notcapable`], paths that are
/// not UTF-8 [`Errno::Ilseq`] and paths that lead outside [`Errno::Perm`], in every
/// function. One that waits is [`Errno::Intr`] when a signal arrives meanwhile, and then has
/// done nothing; the functions that [`add_to_linker`](crate::add_to_linker) defines begin again.
#[derive(Debug)]
pub struct WasiCtx {
    pub(crate) table: Descriptors,
    pub(crate) arguments: Strings,
    pub(crate) environment: Strings,
    pub(crate) monotonic_start: u64,
    pub(crate) interrupted: Option<Arc<AtomicBool>>,
}

/// Strings, each with a zero byte at its end, in the form that guests copy.
#[derive(Clone, Debug, Default)]
pub(crate) struct Strings {
    bytes: Vec<u8>,
    starts: Vec<usize>,
}

impl Strings {
    pub(crate) fn push(&mut self, parts: &[&str]) {
        self.starts.push(self.bytes.len());
        for part in parts {
            self.bytes.extend_from_slice(part.as_bytes());
        }
        self.bytes.push(0);
    }

    fn store_sizes(&self, memory: MemoryView<'_>, count: u32, size: u32) -> Result<(), Errno> {
        for (at, value) in [(count, self.starts.len()), (size, self.bytes.len())] {
            let value = u32::try_from(value).map_err(|_| Errno::Overflow)?;
            memory.write(u64::from(at), &value.to_le_bytes())?;
        }
        Ok(())
    }

    fn store(&self, memory: MemoryView<'_>, pointers: u32, bytes: u32) -> Result<(), Errno> {
        memory.range(u64::from(pointers), self.starts.len() as u64 * 4)?;
        memory.write(u64::from(bytes), &self.bytes)?;
        for (index, start) in self.starts.iter().enumerate() {
            // Inside of the memory, so within 32 bits.
            let pointer = bytes.wrapping_add(*start as u32);
            memory.write(u64::from(pointers) + index as u64 * 4, &pointer.to_le_bytes())?;
        }
        Ok(())
    }
}

impl WasiCtx {
    /// Starts with no arguments, no environment, no directories, and standard
    /// streams that are empty and drop everything.
    pub fn builder() -> WasiCtxBuilder {
        WasiCtxBuilder::default()
    }

    /// Whether the host wants calls that wait to end.
    pub(crate) fn is_interrupted(&self) -> bool {
        self.interrupted.as_ref().is_some_and(|flag| flag.load(Ordering::Relaxed))
    }

    /// A context over the same descriptors, for another thread of the same guest: what one
    /// opens or closes, it does for all.
    pub fn share(&mut self) -> WasiCtx {
        WasiCtx {
            table: self.table.share(),
            arguments: self.arguments.clone(),
            environment: self.environment.clone(),
            monotonic_start: self.monotonic_start,
            interrupted: self.interrupted.clone(),
        }
    }

    /// Stores the arguments at `bytes` and the address of each at `pointers`.
    ///
    /// # Errors
    ///
    /// [`Errno::Fault`] when they do not fit into the memory.
    pub fn args_get(
        &mut self,
        memory: MemoryView<'_>,
        pointers: u32,
        bytes: u32,
    ) -> Result<(), Errno> {
        self.arguments.store(memory, pointers, bytes)
    }

    /// Stores how many arguments there are at `count`, and their bytes at `size`.
    ///
    /// # Errors
    ///
    /// [`Errno::Overflow`] when they do not fit into any memory.
    pub fn args_sizes_get(
        &mut self,
        memory: MemoryView<'_>,
        count: u32,
        size: u32,
    ) -> Result<(), Errno> {
        self.arguments.store_sizes(memory, count, size)
    }

    /// Stores the environment, `name=value`, at `bytes` and the address of each
    /// variable at `pointers`.
    ///
    /// # Errors
    ///
    /// [`Errno::Fault`] when it does not fit into the memory.
    pub fn environ_get(
        &mut self,
        memory: MemoryView<'_>,
        pointers: u32,
        bytes: u32,
    ) -> Result<(), Errno> {
        self.environment.store(memory, pointers, bytes)
    }

    /// Stores how many variables there are at `count`, and their bytes at `size`.
    ///
    /// # Errors
    ///
    /// [`Errno::Overflow`] when they do not fit into any memory.
    pub fn environ_sizes_get(
        &mut self,
        memory: MemoryView<'_>,
        count: u32,
        size: u32,
    ) -> Result<(), Errno> {
        self.environment.store_sizes(memory, count, size)
    }
}
