//! What generated code asks the host to do: one function for each helper of the contract.
//!
//! The shims that generated code calls are made from the contract's own table, so a helper
//! that is missing or has other parameters does not compile. Each borrows the store from
//! whoever entered wasm, calls the function of its name, and notes errors and panics.
#![allow(unsafe_code)] // Called by generated code.

mod array;
mod exceptions;
mod heap;
mod interrupts;
mod memory;
mod table;

use std::ffi::c_void;
use std::panic::{self, AssertUnwindSafe};
use std::ptr::NonNull;

use precast_artifact::for_each_helper;
use precast_artifact::helper::{FAILED, HelperTable};
use precast_artifact::routine::RoutineTable;
use precast_artifact::vmcontext::{VMFuncRef, ValRaw};

use crate::error::{ModuleError, Result};
use crate::store::{InstanceId, StoreOpaque, VmStore};
use crate::trap::{self, Failure};
use crate::vm::{self, VmFunc};

/// The addresses of the helpers.
pub(crate) fn table() -> *const HelperTable {
    &raw const TABLE.0
}

struct Table(HelperTable);

// SAFETY: it holds addresses of functions.
unsafe impl Sync for Table {}

/// Who calls a helper.
struct Context<'a> {
    store: &'a mut dyn VmStore,
    instance: InstanceId,
}

impl Context<'_> {
    fn opaque(&mut self) -> &mut StoreOpaque {
        self.store.opaque_mut()
    }
}

/// What a helper's function returns, as its shim returns it.
trait Outcome {
    type Raw;

    fn into_raw(self) -> Self::Raw;

    /// What says that an error was noted.
    const FAILED: Self::Raw;
}

impl Outcome for () {
    type Raw = bool;
    const FAILED: bool = false;

    fn into_raw(self) -> bool {
        true
    }
}

/// An old size, or "cannot grow".
impl Outcome for Option<u64> {
    type Raw = u64;
    const FAILED: u64 = FAILED;

    fn into_raw(self) -> u64 {
        self.unwrap_or(u64::MAX)
    }
}

/// How a wait ended, or how many threads were woken.
impl Outcome for u64 {
    type Raw = u64;
    const FAILED: u64 = FAILED;

    fn into_raw(self) -> u64 {
        self
    }
}

impl Outcome for Option<VmFunc> {
    type Raw = *mut VMFuncRef;
    const FAILED: *mut VMFuncRef = std::ptr::null_mut();

    fn into_raw(self) -> *mut VMFuncRef {
        self.map_or(std::ptr::null_mut(), VmFunc::as_ptr)
    }
}

/// Runs a helper's function.
///
/// # Safety
///
/// `vmctx` must be the VMContext of an instance that is calling the helper.
unsafe fn run<O: Outcome>(
    vmctx: *mut c_void,
    helper: impl FnOnce(Context<'_>) -> Result<O>,
) -> O::Raw {
    let outcome = panic::catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: the caller promises a VMContext; whoever entered wasm lent the store to it.
        let (store, instance) = unsafe {
            let (shared, instance) = vm::owner_of(vmctx);
            let mut store: NonNull<dyn VmStore> =
                shared.current().expect("helpers run in an entered store");
            (store.as_mut(), instance)
        };
        helper(Context { store, instance })
    }));
    match outcome {
        Ok(Ok(value)) => return value.into_raw(),
        Ok(Err(error)) => trap::record(Failure::Error(error)),
        Err(payload) => trap::record(Failure::Panic(payload)),
    }
    O::FAILED
}

/// The functions behind the shims.
mod functions {
    pub(super) use super::array::{
        array_copy, array_init_data, array_init_elem, array_new_data, array_new_elem,
    };
    pub(super) use super::exceptions::{throw, throw_ref};
    pub(super) use super::heap::{gc_allocate, gc_list, gc_release};
    pub(super) use super::interrupts::{new_epoch, out_of_fuel};
    pub(super) use super::memory::{
        data_drop, memory_atomic_notify, memory_atomic_wait32, memory_atomic_wait64, memory_copy,
        memory_fill, memory_grow, memory_init,
    };
    pub(super) use super::table::{
        elem_drop, ref_func, table_copy, table_fill_func, table_fill_ref, table_func_ref,
        table_grow_func, table_grow_ref, table_init,
    };
}

macro_rules! param {
    (U32) => { u32 };
    (U64) => { u64 };
    (FuncRef) => { *mut VMFuncRef };
    (Values) => { *const ValRaw };
}

macro_rules! argument {
    (FuncRef $value:ident) => {
        // Called in the shims' unsafe blocks: code passes function references of its store.
        VmFunc::from_raw($value.expose_provenance() as u64)
    };
    ($ty:ident $value:ident) => {
        $value
    };
}

macro_rules! result {
    (Success) => { bool };
    (ValueOrFailed) => { u64 };
    (FuncRef) => { *mut VMFuncRef };
}

macro_rules! shim {
    ($name:ident () -> Never) => {
        pub(super) unsafe extern "C" fn $name(_vmctx: *mut c_void) -> ! {
            // SAFETY: called by a trampoline, directly.
            unsafe { trap::raise() }
        }
    };
    ($name:ident ($($param:ident: $ty:ident),*) -> Failure) => {
        shim!($name ($($param: $ty),*) -> Nothing);
    };
    ($name:ident ($($param:ident: $ty:ident),*) -> Nothing) => {
        pub(super) unsafe extern "C" fn $name(vmctx: *mut c_void $(, $param: param!($ty))*) {
            // SAFETY: called by a trampoline with its instance.
            unsafe { run(vmctx, |context| functions::$name(context $(, argument!($ty $param))*)) };
        }
    };
    ($name:ident ($($param:ident: $ty:ident),*) -> $result:ident) => {
        pub(super) unsafe extern "C" fn $name(
            vmctx: *mut c_void $(, $param: param!($ty))*
        ) -> result!($result) {
            // SAFETY: called by a trampoline with its instance.
            unsafe { run(vmctx, |context| functions::$name(context $(, argument!($ty $param))*)) }
        }
    };
}

macro_rules! shims {
    ($($(#[$doc:meta])* $name:ident $variant:ident ($($param:ident: $ty:ident),*) -> $result:ident)*) => {
        mod shims {
            use super::*;

            $(shim!($name ($($param: $ty),*) -> $result);)*
        }

        static TABLE: Table = Table(HelperTable {
            $($name: shims::$name as *const c_void,)*
            routines: RoutineTable {
                r#move: libc::memmove as *const c_void,
                set: libc::memset as *const c_void,
            },
        });
    };
}

for_each_helper!(shims);

const DAMAGED: ModuleError = ModuleError::Damaged("code asks for items that do not exist");
