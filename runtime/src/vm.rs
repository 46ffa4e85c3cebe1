//! The memory that generated code shares with the runtime: the only file that reads and writes
//! VMContexts and the definitions in them.
//!
//! The types here are pointers into blocks that a store owns: VMContexts, host functions and
//! boxed definitions. None of them is freed before the store, and a pointer is only
//! followed by code that holds that store, which public handles prove by the store's
//! number. Generated code writes to the same memory only while the store is lent to it, so
//! everything here goes through raw pointers and never forms a lasting reference.
#![allow(unsafe_code)] // Casts between VMContext bytes and their structures.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ffi::c_void;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};

use precast_artifact::index::{
    FuncIndex, FuncRefIndex, GlobalIndex, MemoryIndex, TableIndex, TagIndex,
};
use precast_artifact::vmcontext::{
    Place, VMCONTEXT_MAGIC, VMContextHeader, VMFuncRef, VMFunctionImport, VMGlobalDefinition,
    VMHOST_MAGIC, VMMemoryDefinition, VMOffsets, VMStoreContext, VMTableDefinition,
    VMTagDefinition, ValRaw,
};

use crate::store::{InstanceId, Shared};

macro_rules! shared_pointers {
    ($($(#[$doc:meta])* $name:ident $target:ident)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub(crate) struct $name(NonNull<$target>);

        // SAFETY: the pointer is followed only by code that holds the store which owns
        // the target (see the top of this file), so the store's own rules decide.
        unsafe impl Send for $name {}
        // SAFETY: as above.
        unsafe impl Sync for $name {}

        impl $name {
            /// # Safety
            ///
            /// The target must be initialized, belong to a store and stay in place until that
            /// store is dropped.
            pub(crate) unsafe fn new(target: NonNull<$target>) -> $name {
                $name(target)
            }

            pub(crate) fn as_ptr(self) -> *mut $target {
                self.0.as_ptr()
            }
        }
    )*};
}

shared_pointers! {
    /// The definition of a memory.
    VmMemory VMMemoryDefinition
    /// The definition of a table.
    VmTable VMTableDefinition
    /// The definition of a global.
    VmGlobal VMGlobalDefinition
    /// The definition of an exception tag.
    VmTag VMTagDefinition
    /// A function.
    VmFunc VMFuncRef
}

impl VmMemory {
    /// The first byte and the size in bytes.
    pub(crate) fn get(self) -> (*mut u8, usize) {
        let definition = self.0.as_ptr();
        // SAFETY: the target is alive and initialized by the promise of `new`. Other threads
        // write only the length of a shared memory, with `set_length`.
        unsafe {
            let length = AtomicUsize::from_ptr(&raw mut (*definition).length);
            ((*definition).base, length.load(Ordering::Acquire))
        }
    }

    /// Raises the size in bytes of a shared memory, whose bytes there are already.
    pub(crate) fn set_length(self, length: usize) {
        // SAFETY: as in `get`: all accesses to it are atomic, those of generated code included.
        let place = unsafe { AtomicUsize::from_ptr(&raw mut (*self.0.as_ptr()).length) };
        place.store(length, Ordering::Release);
    }

    /// Sets both, of a memory that is not shared.
    pub(crate) fn set(self, base: *mut u8, length: usize) {
        // SAFETY: as in `get`; generated code is not running, or called the helper that
        // led here.
        unsafe { self.0.write(VMMemoryDefinition { base, length }) }
    }
}

impl VmTable {
    pub(crate) fn set(self, base: *mut c_void, length: u64) {
        // SAFETY: as for `VmMemory::set`.
        unsafe { self.0.write(VMTableDefinition { base, length }) }
    }
}

impl VmGlobal {
    pub(crate) fn get(self) -> ValRaw {
        // SAFETY: the target is alive and initialized by the promise of `new`.
        unsafe { (*self.0.as_ptr()).value }
    }

    pub(crate) fn set(self, value: ValRaw) {
        // SAFETY: as for `VmMemory::set`.
        unsafe { (*self.0.as_ptr()).value = value }
    }
}

impl VmTag {
    pub(crate) fn set(self, type_id: u32) {
        // SAFETY: as for `VmMemory::set`.
        unsafe { self.0.write(VMTagDefinition { type_id }) }
    }
}

impl VmFunc {
    #[inline]
    pub(crate) fn get(self) -> VMFuncRef {
        // SAFETY: the target is alive and initialized by the promise of `new`.
        unsafe { self.0.read() }
    }

    #[inline]
    pub(crate) fn type_index(self) -> u32 {
        // SAFETY: as above.
        unsafe { (*self.0.as_ptr()).type_id }
    }

    /// Whether it is a function of the host.
    #[inline]
    pub(crate) fn is_host(self) -> bool {
        // SAFETY: as above; both kinds of context begin with their magic.
        unsafe { is_host((*self.0.as_ptr()).vmctx) }
    }

    /// Whether wasm can call it: see `VMFuncRef::code`.
    #[inline]
    pub(crate) fn has_code(self) -> bool {
        // SAFETY: as above.
        unsafe { !(*self.0.as_ptr()).code.is_null() }
    }

    pub(crate) fn set_code(self, code: *const c_void) {
        // SAFETY: as for `VmMemory::set`.
        unsafe { (*self.0.as_ptr()).code = code }
    }

    /// The function that a raw function reference of the store points to, unless it is null.
    ///
    /// # Safety
    ///
    /// The pointer must come from the store's own wasm code, tables or globals.
    #[inline]
    pub(crate) unsafe fn from_raw(pointer: u64) -> Option<VmFunc> {
        NonNull::new(std::ptr::with_exposed_provenance_mut(pointer as usize)).map(VmFunc)
    }

    /// The form that function references have in a `ValRaw` and in tables.
    #[inline]
    pub(crate) fn to_raw(self) -> u64 {
        self.0.as_ptr().expose_provenance() as u64
    }
}

/// The VMContext of an instance.
#[derive(Debug)]
pub(crate) struct VmContext {
    start: NonNull<u8>,
    offsets: VMOffsets,
}

// SAFETY: the block belongs to the store that owns this, whose rules decide.
unsafe impl Send for VmContext {}
// SAFETY: as above.
unsafe impl Sync for VmContext {}

impl VmContext {
    /// A VMContext of zeros behind this header; `None` when there is no memory.
    pub(crate) fn new(offsets: VMOffsets, header: VMContextHeader) -> Option<VmContext> {
        let layout = Self::layout(&offsets);
        // SAFETY: the layout has the size of the header at least, so it is not empty.
        let start = NonNull::new(unsafe { alloc_zeroed(layout) })?;
        // SAFETY: the block begins with the header, and has its alignment.
        unsafe { start.cast::<VMContextHeader>().write(header) };
        Some(VmContext { start, offsets })
    }

    pub(crate) fn as_ptr(&self) -> *mut c_void {
        self.start.as_ptr().cast()
    }

    pub(crate) fn imported_function(&self, index: FuncIndex) -> VMFunctionImport {
        // SAFETY: `at` checked the bounds, and instantiation fills the array before it hands
        // the VMContext to anyone.
        unsafe { self.at::<VMFunctionImport>(self.offsets.imported_function(index)).read() }
    }

    /// An imported function as a reference.
    pub(crate) fn imported_func_ref(&self, index: FuncIndex) -> VmFunc {
        let pointer = self.imported_function(index).func_ref;
        VmFunc(NonNull::new(pointer).expect("instantiation fills the imports"))
    }

    pub(crate) fn set_imported_function(&mut self, index: FuncIndex, import: VMFunctionImport) {
        // SAFETY: `at` checked the bounds.
        unsafe { self.at(self.offsets.imported_function(index)).write(import) }
    }

    /// Sets all imported functions. Those that are zeros are set one by one before the VMContext is
    /// used.
    pub(crate) fn set_imported_functions(&mut self, imports: &[VMFunctionImport]) {
        let Some(last) = (imports.len() as u32).checked_sub(1) else { return };
        let first = self.at::<VMFunctionImport>(self.offsets.imported_function(FuncIndex(0)));
        self.at::<VMFunctionImport>(self.offsets.imported_function(FuncIndex(last)));
        // SAFETY: `at` checked the bounds of the first and the last one, between which the others
        // lie; nobody else knows the VMContext yet.
        unsafe { first.as_ptr().copy_from_nonoverlapping(imports.as_ptr(), imports.len()) }
    }

    /// The place of an own memory's definition that is not shared with other threads.
    pub(crate) fn own_memory(&self, index: MemoryIndex) -> Option<VmMemory> {
        self.own(self.offsets.memory(index, false)).map(VmMemory)
    }

    pub(crate) fn set_memory(&mut self, index: MemoryIndex, memory: VmMemory) {
        self.set_pointer(Place::Pointer(self.offsets.memory_pointer(index)), memory.as_ptr());
    }

    pub(crate) fn own_table(&self, index: TableIndex) -> Option<VmTable> {
        self.own(self.offsets.table(index)).map(VmTable)
    }

    pub(crate) fn set_imported_table(&mut self, index: TableIndex, table: VmTable) {
        self.set_pointer(self.offsets.table(index), table.as_ptr());
    }

    pub(crate) fn own_global(&self, index: GlobalIndex) -> Option<VmGlobal> {
        self.own(self.offsets.global(index)).map(VmGlobal)
    }

    pub(crate) fn set_imported_global(&mut self, index: GlobalIndex, global: VmGlobal) {
        self.set_pointer(self.offsets.global(index), global.as_ptr());
    }

    pub(crate) fn own_tag(&self, index: TagIndex) -> Option<VmTag> {
        self.own(self.offsets.tag(index)).map(VmTag)
    }

    pub(crate) fn set_imported_tag(&mut self, index: TagIndex, tag: VmTag) {
        self.set_pointer(self.offsets.tag(index), tag.as_ptr());
    }

    /// The `VMFuncRef` in a slot, made by `fill` if nobody asked for it before.
    pub(crate) fn func_ref(&self, slot: FuncRefIndex, fill: impl FnOnce() -> VMFuncRef) -> VmFunc {
        let target = self.at::<VMFuncRef>(self.offsets.func_ref(slot));
        // SAFETY: `at` checked the bounds; zeros are a `VMFuncRef` of null pointers.
        unsafe {
            if (*target.as_ptr()).vmctx.is_null() {
                target.write(fill());
            }
        }
        VmFunc(target)
    }

    fn own<T>(&self, place: Place) -> Option<NonNull<T>> {
        match place {
            Place::Inline(offset) => Some(self.at(offset)),
            Place::Pointer(_) => None,
        }
    }

    fn set_pointer<T>(&mut self, place: Place, pointer: *mut T) {
        match place {
            // SAFETY: `at` checked the bounds.
            Place::Pointer(offset) => unsafe { self.at::<*mut T>(offset).write(pointer) },
            Place::Inline(_) => unreachable!("only imported entities are set"),
        }
    }

    fn at<T>(&self, offset: u32) -> NonNull<T> {
        let end = offset as usize + size_of::<T>();
        assert!(end <= self.offsets.size() as usize, "VMContext offset out of bounds");
        // SAFETY: the offset lies inside the block; `VMOffsets` aligned it for what it holds.
        unsafe { self.start.add(offset as usize).cast() }
    }

    fn layout(offsets: &VMOffsets) -> Layout {
        let size = (offsets.size() as usize).max(size_of::<VMContextHeader>());
        Layout::from_size_align(size, 16).expect("a VMContext is smaller than 2 GiB")
    }
}

impl Drop for VmContext {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with the same layout; the store drops its VMContexts last.
        unsafe { dealloc(self.start.as_ptr(), Self::layout(&self.offsets)) }
    }
}

/// A definition of its own, for what the host makes. It is freed with this owner.
#[derive(Debug)]
pub(crate) struct OwnDefinition<T>(NonNull<T>);

// SAFETY: as for `VmContext`.
unsafe impl<T> Send for OwnDefinition<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for OwnDefinition<T> {}

impl<T> OwnDefinition<T> {
    pub(crate) fn new(value: T) -> OwnDefinition<T> {
        OwnDefinition(NonNull::from(Box::leak(Box::new(value))))
    }

    pub(crate) fn pointer(&self) -> NonNull<T> {
        self.0
    }
}

impl<T> Drop for OwnDefinition<T> {
    fn drop(&mut self) {
        // SAFETY: leaked from a box in `new`, and nobody else frees it.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) })
    }
}

/// The store and the instance of a VMContext.
///
/// # Safety
///
/// The pointer is to the VMContext of an instance that is alive.
pub(crate) unsafe fn owner_of(vmctx: *mut c_void) -> (Shared, InstanceId) {
    let header = vmctx.cast::<VMContextHeader>();
    // SAFETY: a VMContext begins with its header, whose pointers come from `Shared::as_vm` and
    // `instance_word`.
    unsafe { (Shared::from_vm((*header).store), InstanceId((*header).instance.addr() as u32)) }
}

/// The instance with this VMContext; `None` when it belongs to no instance.
///
/// # Safety
///
/// The pointer is null, or to a VMContext, a `VMHostContext` or a [`VmHostCaller`] that is alive.
#[inline]
pub(crate) unsafe fn instance_of(vmctx: *mut c_void) -> Option<InstanceId> {
    if vmctx.is_null() {
        return None;
    }
    // SAFETY: all kinds of context begin with their magic, and an instance's with the
    // whole header.
    unsafe {
        if *vmctx.cast::<u32>() != VMCONTEXT_MAGIC {
            return None;
        }
        Some(InstanceId((*vmctx.cast::<VMContextHeader>()).instance.addr() as u32))
    }
}

/// Whether a function's VMContext is that of a function of the host.
///
/// # Safety
///
/// The pointer is to a VMContext or a `VMHostContext` that is alive.
#[inline]
pub(crate) unsafe fn is_host(vmctx: *mut c_void) -> bool {
    // SAFETY: both begin with their magic.
    unsafe { *vmctx.cast::<u32>() == VMHOST_MAGIC }
}

/// What the host passes for the VMContext of a caller when it calls a function itself. It has the
/// fields that [`VMContextHeader`] begins with.
#[repr(C)]
pub(crate) struct VmHostCaller {
    magic: u32,
    store: *mut VMStoreContext,
}

impl VmHostCaller {
    /// The host as it calls functions of a store.
    pub(crate) fn new(store: *mut VMStoreContext) -> VmHostCaller {
        VmHostCaller { magic: VMHOST_MAGIC, store }
    }
}

/// The store from which a host function is called, and the instance that calls it unless it is the
/// host.
///
/// # Safety
///
/// The pointer is to a VMContext or a [`VmHostCaller`] that is alive.
#[inline]
pub(crate) unsafe fn caller_of(caller: *mut c_void) -> (Shared, Option<InstanceId>) {
    // SAFETY: both have a store that comes from `Shared::as_vm`, at the same place.
    unsafe { (Shared::from_vm((*caller.cast::<VmHostCaller>()).store), instance_of(caller)) }
}

/// What `VMContextHeader::instance` holds: the instance's number, not an address.
pub(crate) fn instance_word(id: InstanceId) -> *mut c_void {
    std::ptr::without_provenance_mut(id.0 as usize)
}
