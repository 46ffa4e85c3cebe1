//! The part of a store that generated code and host functions reach by pointer.
#![allow(unsafe_code)] // The memory is shared with generated code.

use std::ffi::c_void;
use std::ptr::NonNull;
use std::sync::atomic::AtomicU64;

use precast_artifact::vmcontext::VMStoreContext;
use precast_config::RuntimeSettings;

use super::VmStore;
use crate::vm::VmHostCaller;

/// What a store has in a place of its own, for as long as it lives.
#[repr(C)]
struct StoreShared {
    /// First, so that `VMContextHeader::store` points to both.
    vm: VMStoreContext,
    /// What calls of the host pass for the VMContext of their caller.
    host_caller: VmHostCaller,
    /// The store, as whoever entered wasm last has borrowed it. Host functions and helpers borrow
    /// it on from there, so that no two exclusive references to it are ever in use.
    current: Option<NonNull<dyn VmStore>>,
    max_wasm_stack: usize,
    backtrace_frames: usize,
    /// Fuel that does not fit the counter of generated code.
    fuel_reserve: u64,
}

/// A pointer to that part. It is followed only while its store is alive: by the store, by
/// activations of wasm in it, and by its host functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shared(NonNull<StoreShared>);

// SAFETY: the memory belongs to the store, and is touched only by the thread that has
// borrowed it.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

/// What generated code keeps about its newest activation in a store.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Registers {
    pub(crate) stack_limit: usize,
    pub(crate) entry_fp: usize,
    pub(crate) entry_sp: usize,
    pub(crate) entry_handler: usize,
    pub(crate) exit_fp: usize,
}

impl Shared {
    /// Allocates the shared part of a store, which frees it with [`Shared::free`].
    /// `epoch` stays where it is as long as the store lives.
    pub(crate) fn new(settings: &RuntimeSettings, epoch: &AtomicU64) -> Shared {
        let RuntimeSettings { max_wasm_stack, backtrace_frames, .. } = *settings;
        let vm = VMStoreContext {
            stack_limit: usize::MAX,
            entry_fp: 0,
            entry_sp: 0,
            entry_handler: 0,
            exit_fp: 0,
            heap_base: std::ptr::null_mut(),
            heap_next: 0,
            heap_end: 0,
            listed_next: std::ptr::null_mut(),
            listed_end: std::ptr::null_mut(),
            fuel: 0,
            epoch_deadline: 0,
            epoch,
        };
        let shared = StoreShared {
            vm,
            host_caller: VmHostCaller::new(std::ptr::null_mut()),
            current: None,
            max_wasm_stack,
            backtrace_frames,
            fuel_reserve: 0,
        };
        let shared = Shared(NonNull::from(Box::leak(Box::new(shared))));
        // SAFETY: it was just made.
        unsafe { (*shared.0.as_ptr()).host_caller = VmHostCaller::new(shared.as_vm()) };
        shared
    }

    /// # Safety
    ///
    /// The store is being dropped, and nothing follows a copy of the pointer any more.
    pub(crate) unsafe fn free(self) {
        // SAFETY: leaked from a box in `new`; the caller promises the rest.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) })
    }

    /// The shared part that a VMContext points to.
    ///
    /// # Safety
    ///
    /// The pointer comes from the header of a VMContext that is alive.
    #[inline]
    pub(crate) unsafe fn from_vm(vm: *mut VMStoreContext) -> Shared {
        // SAFETY: headers are only ever given what `as_vm` returned.
        Shared(unsafe { NonNull::new_unchecked(vm.cast()) })
    }

    #[inline]
    pub(crate) fn as_vm(self) -> *mut VMStoreContext {
        self.0.as_ptr().cast()
    }

    /// What calls of the host pass for the VMContext of their caller.
    #[inline]
    pub(crate) fn host_caller(self) -> *mut c_void {
        // SAFETY: as in `current`; only the address is taken.
        unsafe { (&raw mut (*self.0.as_ptr()).host_caller).cast() }
    }

    #[inline]
    pub(crate) fn current(self) -> Option<NonNull<dyn VmStore>> {
        // SAFETY: alive while its store is, see the type.
        unsafe { (*self.0.as_ptr()).current }
    }

    #[inline]
    pub(crate) fn set_current(self, store: Option<NonNull<dyn VmStore>>) {
        // SAFETY: as above.
        unsafe { (*self.0.as_ptr()).current = store }
    }

    #[inline]
    pub(crate) fn max_wasm_stack(self) -> usize {
        // SAFETY: as above.
        unsafe { (*self.0.as_ptr()).max_wasm_stack }
    }

    pub(crate) fn backtrace_frames(self) -> usize {
        // SAFETY: as above.
        unsafe { (*self.0.as_ptr()).backtrace_frames }
    }

    #[inline]
    pub(crate) fn registers(self) -> Registers {
        // SAFETY: as above.
        let VMStoreContext {
            stack_limit,
            entry_fp,
            entry_sp,
            entry_handler,
            exit_fp,
            heap_base: _,
            heap_next: _,
            heap_end: _,
            listed_next: _,
            listed_end: _,
            fuel: _,
            epoch_deadline: _,
            epoch: _,
        } = unsafe { &(*self.0.as_ptr()).vm };
        Registers {
            stack_limit: *stack_limit,
            entry_fp: *entry_fp,
            entry_sp: *entry_sp,
            entry_handler: *entry_handler,
            exit_fp: *exit_fp,
        }
    }

    #[inline]
    pub(crate) fn set_registers(self, registers: Registers) {
        // SAFETY: as above.
        let vm = unsafe { &mut (*self.0.as_ptr()).vm };
        vm.stack_limit = registers.stack_limit;
        vm.entry_fp = registers.entry_fp;
        vm.entry_sp = registers.entry_sp;
        vm.entry_handler = registers.entry_handler;
        vm.exit_fp = registers.exit_fp;
    }

    /// Sets the start of the heap.
    pub(crate) fn set_heap_base(self, base: *mut u8) {
        // SAFETY: as above.
        unsafe { (*self.0.as_ptr()).vm.heap_base = base }
    }

    /// Where the next object goes, as an offset into the heap.
    pub(crate) fn heap_next(self) -> u32 {
        // SAFETY: as above. Code does not go beyond the end, which is below 4 GiB.
        unsafe { (*self.0.as_ptr()).vm.heap_next as u32 }
    }

    /// Sets where the next object goes and where the room for objects ends.
    pub(crate) fn set_heap_room(self, next: u32, end: usize) {
        // SAFETY: as above.
        unsafe {
            (*self.0.as_ptr()).vm.heap_next = next as usize;
            (*self.0.as_ptr()).vm.heap_end = end;
        }
    }

    /// Where the next object of the list goes of those that code holds references to.
    pub(crate) fn listed_next(self) -> *mut u32 {
        // SAFETY: as above.
        unsafe { (*self.0.as_ptr()).vm.listed_next }
    }

    /// Sets where the next object of the list goes, and where the room for it ends.
    pub(crate) fn set_listed(self, next: *mut u32, end: *mut u32) {
        // SAFETY: as above.
        unsafe {
            (*self.0.as_ptr()).vm.listed_next = next;
            (*self.0.as_ptr()).vm.listed_end = end;
        }
    }

    /// What is left of the fuel.
    pub(crate) fn fuel(self) -> u64 {
        // SAFETY: as above.
        let (consumed, reserve) =
            unsafe { ((*self.0.as_ptr()).vm.fuel, (*self.0.as_ptr()).fuel_reserve) };
        // Code may have consumed a little more than there was.
        reserve.saturating_add_signed(consumed.saturating_neg())
    }

    pub(crate) fn set_fuel(self, fuel: u64) {
        let counted = fuel.min(i64::MAX as u64);
        // SAFETY: as above.
        unsafe {
            (*self.0.as_ptr()).vm.fuel = -(counted as i64);
            (*self.0.as_ptr()).fuel_reserve = fuel - counted;
        }
    }

    /// The first epoch in which wasm stops.
    pub(crate) fn epoch_deadline(self) -> u64 {
        // SAFETY: as above.
        unsafe { (*self.0.as_ptr()).vm.epoch_deadline }
    }

    pub(crate) fn set_epoch_deadline(self, epoch: u64) {
        // SAFETY: as above.
        unsafe { (*self.0.as_ptr()).vm.epoch_deadline = epoch }
    }

    #[inline]
    pub(crate) fn set_stack_limit(self, limit: usize) {
        // SAFETY: as above.
        unsafe { (*self.0.as_ptr()).vm.stack_limit = limit }
    }
}
