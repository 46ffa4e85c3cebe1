//! Functions of the host: how wasm gets from an exit trampoline to a closure.
#![allow(unsafe_code)] // Called by generated code with raw pointers.

use std::any::Any;
use std::collections::{HashMap, HashSet};
use std::ffi::c_void;
use std::hash::{BuildHasherDefault, Hasher};
use std::marker::PhantomData;
use std::panic::{self, AssertUnwindSafe};
use std::ptr::NonNull;
use std::sync::Arc;

use precast_artifact::vmcontext::{VMFuncRef, VMHOST_MAGIC, VMHostContext, VMHostFunction, ValRaw};

use super::caller::Caller;
use crate::error::Result;
use crate::module::Module;
use crate::store::{Shared, StoreInner, StoreOpaque};
use crate::trap::{Failure, record};
use crate::types::FuncType;
use crate::vm::{VmFunc, instance_of};

/// A function for stores with data of type `T`; not of any store yet.
pub(crate) struct HostFunc<T> {
    ty: FuncType,
    body: Arc<dyn AnyBody>,
    /// The shim of the body casts stores to those of this type.
    data: PhantomData<fn(T)>,
}

/// What one function of the host consists of, whatever store calls it.
struct Body<F> {
    function: F,
    shim: VMHostFunction,
}

trait AnyBody: Send + Sync {
    fn make_context(self: Arc<Self>, store: Shared, type_id: u32) -> OwnContext;
}

/// A function of the host in a store: what wasm knows as its VMContext.
#[repr(C)]
struct HostContext<F> {
    vm: VMHostContext,
    func_ref: VMFuncRef,
    store: Shared,
    body: Arc<Body<F>>,
}

/// A [`HostContext`] that its store owns.
struct OwnContext {
    context: NonNull<c_void>,
    func: VmFunc,
    drop: unsafe fn(NonNull<c_void>),
}

// SAFETY: contexts hold a pointer to the store that owns them and a body that is `Send + Sync`.
unsafe impl Send for OwnContext {}
// SAFETY: as above.
unsafe impl Sync for OwnContext {}

/// The functions of the host in a store.
#[derive(Default)]
pub(crate) struct HostFunctions {
    contexts: Vec<OwnContext>,
    /// Those that linkers share between stores, by the address of their body, which the context
    /// keeps alive.
    by_body: HashMap<usize, VmFunc, BuildHasherDefault<AddressHasher>>,
    /// Those that were given to wasm before there was a module with their signature.
    without_code: HashSet<VmFunc>,
}

/// Hashes one address. Nobody chooses those of functions, so nothing stronger is needed.
#[derive(Default)]
struct AddressHasher(u64);

impl Hasher for AddressHasher {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.write_usize(byte.into()));
    }

    fn write_usize(&mut self, address: usize) {
        // The golden ratio spreads what lies close together over the high bits.
        self.0 = (self.0 ^ address as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn finish(&self) -> u64 {
        // The table looks at the lowest bits as well.
        self.0.rotate_left(26)
    }
}

impl HostFunctions {
    /// Makes room for so many more functions.
    pub(crate) fn reserve(&mut self, more: usize) {
        self.contexts.reserve(more);
        self.by_body.reserve(more);
    }
}

impl<T: 'static> HostFunc<T> {
    /// A function whose shim is `shim`.
    ///
    /// # Safety
    ///
    /// The shim must call [`call`] with `T` and `F`, and treat the values as this type says.
    pub(super) unsafe fn new<F: Send + Sync + 'static>(
        ty: FuncType,
        function: F,
        shim: VMHostFunction,
    ) -> HostFunc<T> {
        HostFunc { ty, body: Arc::new(Body { function, shim }), data: PhantomData }
    }

    pub(crate) fn ty(&self) -> &FuncType {
        &self.ty
    }

    /// The function in a store; the same one each time.
    pub(crate) fn in_store(&self, store: &mut StoreInner<T>) -> VmFunc {
        let store = &mut store.opaque;
        let body = Arc::as_ptr(&self.body).addr();
        if let Some(&func) = store.host_functions.by_body.get(&body) {
            return func;
        }
        let context = self.body.clone().make_context(store.shared(), self.ty.id());
        let func = context.func;
        store.host_functions.contexts.push(context);
        store.host_functions.by_body.insert(body, func);
        func
    }
}

impl<F: Send + Sync + 'static> AnyBody for Body<F> {
    fn make_context(self: Arc<Self>, store: Shared, type_id: u32) -> OwnContext {
        unsafe fn free<F>(context: NonNull<c_void>) {
            // SAFETY: made by `Box::into_raw` below, with the same `F`.
            drop(unsafe { Box::from_raw(context.as_ptr().cast::<HostContext<F>>()) })
        }
        let (code, entry) = (std::ptr::null(), std::ptr::null());
        let context = Box::into_raw(Box::new(HostContext {
            vm: VMHostContext { magic: VMHOST_MAGIC, function: self.shim },
            func_ref: VMFuncRef { code, entry, vmctx: std::ptr::null_mut(), type_id },
            store,
            body: self,
        }));
        // SAFETY: the context is alive until the store drops it.
        let func = unsafe {
            (*context).func_ref.vmctx = context.cast();
            VmFunc::new(NonNull::new_unchecked(&raw mut (*context).func_ref))
        };
        let context = NonNull::new(context.cast()).expect("boxes are not null");
        OwnContext { context, func, drop: free::<F> }
    }
}

impl Drop for OwnContext {
    fn drop(&mut self) {
        // SAFETY: `drop` was made for this context; its store is going.
        unsafe { (self.drop)(self.context) }
    }
}

impl StoreOpaque {
    /// Sees to it that wasm can call a function that is about to be given to it other than as
    /// an import: through any module of the store that knows its signature, as soon as there
    /// is one.
    pub(crate) fn ensure_code(&mut self, func: VmFunc) {
        if func.has_code() {
            return;
        }
        let exits = self.modules().iter();
        match exits.filter_map(|module| module.inner().exit_of(func.type_index())).next() {
            Some(code) => func.set_code(code),
            // Only a module that knows the signature can call it.
            None => {
                self.host_functions.without_code.insert(func);
            }
        }
    }

    /// Lets the functions that wait for a module with their signature use this one, which the
    /// store keeps.
    pub(crate) fn complete_host_functions(&mut self, module: &Module) {
        self.host_functions.without_code.retain(|func| {
            match module.inner().exit_of(func.type_index()) {
                Some(code) => {
                    func.set_code(code);
                    false
                }
                None => true,
            }
        });
    }
}

/// Calls the closure behind a host function's VMContext and notes its error or panic.
///
/// # Safety
///
/// `callee` must be a context that `HostFunc::<T>::new` made with a function of type `F`, in a store
/// that was entered, and `caller` null or the VMContext of the instance that calls.
#[inline]
pub(super) unsafe fn call<T: 'static, F>(
    callee: *mut c_void,
    caller: *mut c_void,
    run: impl FnOnce(&F, Caller<'_, T>) -> Result<()>,
) -> bool {
    // SAFETY: the caller promises the type; the store keeps the context while it is entered.
    let context = unsafe { &*callee.cast::<HostContext<F>>() };
    let outcome = panic::catch_unwind(AssertUnwindSafe(|| {
        let store = context.store.current().expect("host functions run in an entered store");
        // SAFETY: a `HostFunc<T>` is only put into stores of `T`, and whoever entered wasm lent
        // the store to it until it returns. The instance is alive while it calls.
        let (store, instance) =
            unsafe { (store.cast::<StoreInner<T>>().as_mut(), instance_of(caller)) };
        let height = store.opaque.roots.height();
        let scope = Scope { store, height };
        run(&context.body.function, Caller::new(&mut *scope.store, instance))
    }));
    match outcome {
        Ok(Ok(())) => true,
        failed => note(failed),
    }
}

/// The scope of the handles that a host function gets and makes.
struct Scope<'a, T: 'static> {
    store: &'a mut StoreInner<T>,
    /// How many handles there were before.
    height: usize,
}

impl<T: 'static> Drop for Scope<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.store.opaque.end_scope(self.height);
    }
}

#[cold]
fn note(outcome: Result<Result<()>, Box<dyn Any + Send>>) -> bool {
    record(match outcome {
        Ok(Ok(())) => return true,
        Ok(Err(error)) => Failure::Error(error),
        Err(payload) => Failure::Panic(payload),
    });
    false
}

/// Where the values of a call lie.
pub(super) type Values = *mut ValRaw;
