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

use precast_artifact::index::TypeIndex;
use precast_artifact::types::EntityType;
use precast_artifact::vmcontext::{
    VMFuncRef, VMFunctionImport, VMHOST_MAGIC, VMHostContext, VMHostFunction, ValRaw,
};

use super::caller::Caller;
use crate::error::Result;
use crate::module::Module;
use crate::store::{StoreInner, StoreOpaque};
use crate::trap::{Failure, record};
use crate::types::{Found, FuncType};
use crate::vm::{VmFunc, caller_of};

/// A function for stores with data of type `T`. It belongs to none of them: where it is called, it
/// gets the store of whoever calls it.
pub(crate) struct HostFunc<T> {
    ty: FuncType,
    context: Arc<dyn Context>,
    /// The shim of the context casts stores to those of this type.
    data: PhantomData<fn(T)>,
}

/// What wasm knows as the VMContext of a host function.
#[repr(C)]
struct HostContext<F> {
    vm: VMHostContext,
    function: F,
}

/// A [`HostContext`], whatever its function is.
pub(crate) trait Context: Send + Sync {}

impl<F: Send + Sync> Context for HostContext<F> {}

/// A host function with a `VMFuncRef` of its own.
struct HostFuncRef {
    func_ref: VMFuncRef,
    _context: Arc<dyn Context>,
}

/// Functions of the host as a module imports them: what its instances in all stores are given. Its
/// pointers lead into itself and into the code of its module, so whoever follows them keeps it.
pub(crate) struct HostImports {
    /// For all imported functions, with zeros for those that are not the host's.
    imports: Box<[VMFunctionImport]>,
    /// Those that are the host's.
    _functions: Box<[HostFuncRef]>,
    _module: Module,
}

// SAFETY: the pointers are to what the same structure keeps, which nobody changes.
unsafe impl Send for HostImports {}
// SAFETY: as above.
unsafe impl Sync for HostImports {}

/// The functions of the host in a store.
#[derive(Default)]
pub(crate) struct HostFunctions {
    /// What instances were given.
    imports: Vec<Arc<HostImports>>,
    /// Those that the host has handles to. They stay where they are.
    own: Vec<OwnFuncRef>,
    /// Those that linkers share between stores, by the address of their context, which they keep
    /// alive.
    by_context: HashMap<usize, VmFunc, BuildHasherDefault<AddressHasher>>,
    /// Those that were given to wasm before there was a module with their signature.
    without_code: HashSet<VmFunc>,
}

/// A [`HostFuncRef`] that its store owns, and lets wasm change.
struct OwnFuncRef(NonNull<HostFuncRef>);

// SAFETY: it belongs to the store that owns this, whose rules decide.
unsafe impl Send for OwnFuncRef {}
// SAFETY: as above.
unsafe impl Sync for OwnFuncRef {}

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
        let vm = VMHostContext { magic: VMHOST_MAGIC, function: shim };
        HostFunc { ty, context: Arc::new(HostContext { vm, function }), data: PhantomData }
    }

    pub(crate) fn ty(&self) -> &FuncType {
        &self.ty
    }

    /// What it is for an import.
    pub(crate) fn found(&self) -> Found {
        Found { ty: EntityType::Func(TypeIndex(self.ty.id())), bounds: None }
    }

    /// The function in a store, for handles of the host; the same one each time.
    pub(crate) fn in_store(&self, store: &mut StoreInner<T>) -> VmFunc {
        let functions = &mut store.opaque.host_functions;
        let context = Arc::as_ptr(&self.context).addr();
        *functions.by_context.entry(context).or_insert_with(|| {
            let own = OwnFuncRef::new(HostFuncRef::new(self, std::ptr::null()));
            let func = own.func();
            functions.own.push(own);
            func
        })
    }
}

impl HostFuncRef {
    fn new<T>(func: &HostFunc<T>, code: *const c_void) -> HostFuncRef {
        let context = func.context.clone();
        // Wasm passes it on and looks at nothing in it; the shim only reads it.
        let vmctx = Arc::as_ptr(&context).cast::<c_void>().cast_mut();
        let func_ref = VMFuncRef { code, entry: std::ptr::null(), vmctx, type_id: func.ty.id() };
        HostFuncRef { func_ref, _context: context }
    }
}

impl OwnFuncRef {
    fn new(func: HostFuncRef) -> OwnFuncRef {
        OwnFuncRef(NonNull::from(Box::leak(Box::new(func))))
    }

    fn func(&self) -> VmFunc {
        // SAFETY: it is initialized, and the store keeps it where it is.
        unsafe { VmFunc::new(NonNull::new_unchecked(&raw mut (*self.0.as_ptr()).func_ref)) }
    }
}

impl Drop for OwnFuncRef {
    fn drop(&mut self) {
        // SAFETY: leaked from a box in `new`; its store is going.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) })
    }
}

impl HostImports {
    /// What instances of `module` are given whose imported functions are these, with the exits
    /// that take wasm of the module to them. `None` are those that are not the host's.
    ///
    /// # Safety
    ///
    /// The types of the functions must fit the module's imports, and only instances in stores of
    /// `T` may be given this.
    pub(crate) unsafe fn new<T: 'static>(
        module: &Module,
        given: &[Option<(&HostFunc<T>, *const c_void)>],
    ) -> HostImports {
        let functions = given.iter().flatten();
        let functions: Box<[HostFuncRef]> =
            functions.map(|(func, exit)| HostFuncRef::new(func, *exit)).collect();
        let mut refs = functions.iter();
        let nothing = VMFunctionImport {
            code: std::ptr::null(),
            vmctx: std::ptr::null_mut(),
            func_ref: std::ptr::null_mut(),
        };
        let imports = given.iter().map(|given| match given.and_then(|_| refs.next()) {
            Some(HostFuncRef { func_ref, .. }) => VMFunctionImport {
                code: func_ref.code,
                vmctx: func_ref.vmctx,
                func_ref: std::ptr::from_ref(func_ref).cast_mut(),
            },
            None => nothing,
        });
        HostImports { imports: imports.collect(), _functions: functions, _module: module.clone() }
    }

    /// For all imported functions, with zeros for those that are not the host's.
    pub(crate) fn imports(&self) -> &[VMFunctionImport] {
        &self.imports
    }
}

impl HostFunctions {
    /// Keeps what an instance is given as long as the store.
    pub(crate) fn keep(&mut self, imports: &Arc<HostImports>) {
        // Instances of one module tend to be made in a row.
        if !self.imports.iter().rev().any(|known| Arc::ptr_eq(known, imports)) {
            self.imports.push(imports.clone());
        }
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
/// `callee` must be a context that `HostFunc::<T>::new` made with a function of type `F`, and `caller`
/// the VMContext of an instance in a store of `T` that was entered, or what such a store has in
/// place of one.
#[inline]
pub(super) unsafe fn call<T: 'static, F>(
    callee: *mut c_void,
    caller: *mut c_void,
    run: impl FnOnce(&F, Caller<'_, T>) -> Result<()>,
) -> bool {
    // SAFETY: the caller promises the type; the store keeps the context while it is entered, and
    // everything shares it.
    let function = unsafe { &(*callee.cast::<HostContext<F>>()).function };
    let outcome = panic::catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: the caller is alive while it calls.
        let (shared, instance) = unsafe { caller_of(caller) };
        let store = shared.current().expect("host functions run in an entered store");
        // SAFETY: the caller promises a store of `T`, and whoever entered wasm lent it to the
        // function until it returns.
        let store = unsafe { store.cast::<StoreInner<T>>().as_mut() };
        let height = store.opaque.roots.height();
        let scope = Scope { store, height };
        run(function, Caller::new(&mut *scope.store, instance))
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
