//! Memories that several threads use at the same time.
#![allow(unsafe_code)] // Reads of memory that other threads write, and cells of it.

use std::cell::UnsafeCell;
use std::fmt;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use precast_artifact::module::Bounds;
use precast_artifact::trap::Trap;
use precast_artifact::types as raw;
use precast_artifact::vmcontext::VMMemoryDefinition;

use super::paged::{PagedMemory, admit};
use super::wait::{WaitQueues, WaitResult, check_access};
use crate::engine::Engine;
use crate::error::{LimitError, Result, TypeError};
use crate::limits::ResourceLimiter;
use crate::store::{AsContextMut, StoreContextMut, VmStore};
use crate::types::{Found, MemoryType};
use crate::vm::{OwnDefinition, VmMemory};

/// A linear memory that several threads use at the same time, each with stores of its own.
///
/// It belongs to no store: it can be imported by instances of all stores of engines with the
/// same settings, and is there as long as any of them or any handle is. Cloning makes another
/// handle to the same memory. It never moves and never shrinks.
///
/// ```
/// use std::thread;
///
/// use precast_runtime::{Engine, MemoryType, SharedMemory, WaitResult};
///
/// let memory = SharedMemory::new(&Engine::default(), MemoryType::shared(1, 2))?;
/// let other = memory.clone();
/// let waiter = thread::spawn(move || other.atomic_wait32(8, 0, None));
/// while memory.atomic_notify(8, 1)? == 0 {
///     thread::yield_now();
/// }
/// assert_eq!(waiter.join().unwrap()?, WaitResult::Ok);
/// # Ok::<(), precast_runtime::Error>(())
/// ```
#[derive(Clone)]
pub struct SharedMemory(Arc<Shared>);

struct Shared {
    ty: raw::MemoryType,
    bounds: Bounds,
    /// What generated code reads; its length is written under the lock of `memory` only.
    definition: OwnDefinition<VMMemoryDefinition>,
    /// Locked to grow. Nobody needs it to access bytes.
    memory: Mutex<PagedMemory>,
    waiters: WaitQueues,
}

impl SharedMemory {
    /// A new memory of zeros.
    ///
    /// # Errors
    ///
    /// When the type is not that of a shared memory with a maximum, or the system does not
    /// have the address space for the maximum.
    pub fn new(engine: &Engine, ty: MemoryType) -> Result<SharedMemory> {
        let settings = engine.config().compiler_settings();
        let bounds = Bounds::new(&ty.0, settings.memory_reservation, settings.memory_guard);
        SharedMemory::with_bounds(ty.0, bounds)
    }

    /// As [`new`](Self::new), if the limiter of a store allows it.
    ///
    /// # Errors
    ///
    /// As there, and when the limiter does not.
    pub fn new_limited(mut store: impl AsContextMut, ty: MemoryType) -> Result<SharedMemory> {
        let StoreContextMut(store) = store.as_context_mut();
        let (store, limiter) = store.parts();
        admit(&ty.0, limiter)?;
        SharedMemory::new(store.engine(), ty)
    }

    pub(super) fn with_bounds(ty: raw::MemoryType, bounds: Bounds) -> Result<SharedMemory> {
        if !ty.shared || ty.limits.max.is_none() {
            let what = "shared memories whose type is not shared or has no maximum";
            return Err(TypeError::Unsupported(what).into());
        }
        let memory = PagedMemory::new(ty, bounds)?;
        let (base, length) = (memory.linear().base(), memory.linear().len());
        let definition = OwnDefinition::new(VMMemoryDefinition { base, length });
        let waiters = WaitQueues::default();
        let memory = Mutex::new(memory);
        Ok(SharedMemory(Arc::new(Shared { ty, bounds, definition, memory, waiters })))
    }

    /// Its type.
    pub fn ty(&self) -> MemoryType {
        MemoryType(self.0.ty)
    }

    /// The current size in pages.
    pub fn size(&self) -> u64 {
        self.data_size() as u64 >> self.0.ty.page_size_log2
    }

    /// The current size in bytes.
    pub fn data_size(&self) -> usize {
        self.definition().get().1
    }

    /// The size of a page in bytes.
    pub fn page_size(&self) -> u64 {
        self.0.ty.page_size()
    }

    /// The bytes that there are now. Other threads, wasm among them, may write them at any time,
    /// so they must be accessed atomically, or by means that Rust's rules do not apply to.
    pub fn data(&self) -> &[UnsafeCell<u8>] {
        let (base, len) = self.definition().get();
        // SAFETY: mapped as long as `self` is borrowed: the memory neither moves nor shrinks.
        // Cells may be written by others, and no reference to their insides is formed here.
        unsafe { std::slice::from_raw_parts(base.cast::<UnsafeCell<u8>>(), len) }
    }

    /// Makes the memory `delta` pages larger, and returns its old size in pages. Several
    /// threads can do that at the same time.
    ///
    /// # Errors
    ///
    /// When its type or the system do not allow it.
    pub fn grow(&self, delta: u64) -> Result<u64> {
        let grown = self.grow_within(delta, None)?;
        grown.ok_or_else(|| LimitError::Grow { what: "memory", delta }.into())
    }

    /// As [`grow`](Self::grow), if a limiter allows it; the limiter is asked under a lock.
    pub(super) fn grow_within(
        &self,
        delta: u64,
        limiter: Option<&mut (dyn ResourceLimiter + '_)>,
    ) -> Result<Option<u64>> {
        // What a limiter that panics leaves behind is the old size.
        let mut memory = self.0.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let old = memory.grow(delta, limiter)?;
        self.definition().set_length(memory.linear().len());
        Ok(old)
    }

    /// As `memory.atomic.notify`: wakes up to `count` threads that wait at `address`, and tells
    /// how many there were.
    ///
    /// # Errors
    ///
    /// When the address is no multiple of 4, or not inside.
    pub fn atomic_notify(&self, address: u64, count: u32) -> Result<u32, Trap> {
        check_access(self.data_size() as u64, address, 4)?;
        Ok(self.0.waiters.notify(address, count))
    }

    /// As `memory.atomic.wait32`: if the memory holds `expected` at `address`, waits until
    /// another thread notifies this one, `timeout` at most.
    ///
    /// # Errors
    ///
    /// When the address is no multiple of 4 or not inside; [`Trap::Interrupt`] when
    /// [`close`](Self::close) ends the wait.
    pub fn atomic_wait32(
        &self,
        address: u64,
        expected: u32,
        timeout: Option<Duration>,
    ) -> Result<WaitResult, Trap> {
        let pointer = self.atomic_pointer::<u32>(address)?;
        self.0.waiters.wait(address, timeout, || {
            // SAFETY: inside, aligned and mapped; the guest's accesses to it that may race are
            // atomic or not Rust's.
            let value = unsafe { AtomicU32::from_ptr(pointer.as_ptr()) };
            u32::from_le(value.load(Ordering::SeqCst)) == expected
        })
    }

    /// As `memory.atomic.wait64`: as [`atomic_wait32`](Self::atomic_wait32), for 64 bits.
    ///
    /// # Errors
    ///
    /// When the address is no multiple of 8 or not inside; [`Trap::Interrupt`] when
    /// [`close`](Self::close) ends the wait.
    pub fn atomic_wait64(
        &self,
        address: u64,
        expected: u64,
        timeout: Option<Duration>,
    ) -> Result<WaitResult, Trap> {
        let pointer = self.atomic_pointer::<u64>(address)?;
        self.0.waiters.wait(address, timeout, || {
            // SAFETY: as for 32 bits.
            let value = unsafe { AtomicU64::from_ptr(pointer.as_ptr()) };
            u64::from_le(value.load(Ordering::SeqCst)) == expected
        })
    }

    /// Ends every wait on the memory, those to come included, with [`Trap::Interrupt`]: for
    /// hosts that stop the threads of a program.
    pub fn close(&self) {
        self.0.waiters.close();
    }

    /// Whether both are handles to the same memory.
    pub fn same(a: &SharedMemory, b: &SharedMemory) -> bool {
        Arc::ptr_eq(&a.0, &b.0)
    }

    pub(crate) fn found(&self) -> Found {
        let mut ty = self.0.ty;
        ty.limits.min = self.size();
        Found { ty: raw::EntityType::Memory(ty), bounds: Some(self.0.bounds) }
    }

    pub(super) fn raw_ty(&self) -> raw::MemoryType {
        self.0.ty
    }

    pub(super) fn bounds(&self) -> Bounds {
        self.0.bounds
    }

    pub(super) fn definition(&self) -> VmMemory {
        // SAFETY: freed with the last handle; stores keep one for what they do with it.
        unsafe { VmMemory::new(self.0.definition.pointer()) }
    }

    /// The place of an atomic access to a `T`, which is inside and aligned.
    fn atomic_pointer<T>(&self, address: u64) -> Result<NonNull<T>, Trap> {
        let (base, len) = self.definition().get();
        check_access(len as u64, address, size_of::<T>() as u64)?;
        let pointer = NonNull::new(base.wrapping_add(address as usize).cast());
        pointer.ok_or(Trap::MemoryOutOfBounds)
    }
}

impl fmt::Debug for SharedMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedMemory").field("ty", &self.0.ty).finish_non_exhaustive()
    }
}
