//! Functions, of wasm and of the host, and calls of them.
//!
//! ```text
//! host -- TypedFunc::call, Func::call --> invoke --> entry trampoline --> wasm
//! wasm --> exit trampoline --> shim (wrap.rs) --> host::call --> closure
//! ```
#![allow(unsafe_code)] // Calls into generated code.

mod caller;
mod host;
mod typed;
mod values;
mod wrap;

use std::ffi::c_void;
use std::ptr::NonNull;

use precast_artifact::index::TypeIndex;
use precast_artifact::types as raw;
use precast_artifact::vmcontext::{VMEntry, VMFuncRef, VMHostContext, ValRaw};
use smallvec::SmallVec;

pub use caller::Caller;
pub(crate) use host::{HostFunc, HostFunctions, HostImports};
pub use typed::TypedFunc;
#[doc(hidden)]
pub use values::ValueStore;
pub use values::{ValueList, WasmParams, WasmResults, WasmRet, WasmTy};
#[doc(hidden)]
pub use wrap::HostFuncOf;
pub use wrap::IntoFunc;
pub(crate) use wrap::dynamic;

use crate::error::{ModuleError, Result, TypeError};
use crate::store::{
    AsContext, AsContextMut, StoreContextMut, StoreId, StoreInner, StoreOpaque, VmStore,
};
use crate::trap;
use crate::types::{Found, FuncType};
use crate::value::Val;
use crate::vm::{VmFunc, is_host};

/// A handle to a function of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Func {
    store: StoreId,
    func: VmFunc,
}

impl Func {
    /// A host function of type `ty` that gets its parameters and returns its results in slices.
    pub fn new<T: 'static>(
        mut store: impl AsContextMut<Data = T>,
        ty: FuncType,
        func: impl Fn(Caller<'_, T>, &[Val], &mut [Val]) -> Result<()> + Send + Sync + 'static,
    ) -> Func {
        let StoreContextMut(store) = store.as_context_mut();
        Func::from_host(store, &dynamic(ty, func))
    }

    /// A host function whose type is that of a Rust closure.
    ///
    /// ```
    /// use precast_runtime::{Caller, Func, Store};
    ///
    /// let mut store: Store<u32> = Store::default();
    /// let add = Func::wrap(&mut store, |mut caller: Caller<'_, u32>, a: i32, b: i32| {
    ///     *caller.data_mut() += 1;
    ///     a.wrapping_add(b)
    /// });
    /// let add = add.typed::<(i32, i32), i32>(&store)?;
    /// assert_eq!(add.call(&mut store, (2, 3))?, 5);
    /// assert_eq!(*store.data(), 1);
    /// # Ok::<(), precast_runtime::Error>(())
    /// ```
    pub fn wrap<T: 'static, Params, Results>(
        mut store: impl AsContextMut<Data = T>,
        func: impl IntoFunc<T, Params, Results>,
    ) -> Func {
        let StoreContextMut(store) = store.as_context_mut();
        let HostFuncOf(func) = func.into_func(store.opaque.engine());
        Func::from_host(store, &func)
    }

    /// # Panics
    ///
    /// When the function's type belongs to another engine than the store.
    pub(crate) fn from_host<T: 'static>(store: &mut StoreInner<T>, func: &HostFunc<T>) -> Func {
        let same = crate::Engine::same(func.ty().engine(), store.opaque.engine());
        assert!(same, "the function's type belongs to another engine than the store");
        let func = func.in_store(store);
        Func::from_vm(&store.opaque, func)
    }

    #[inline]
    pub(crate) fn from_vm(store: &StoreOpaque, func: VmFunc) -> Func {
        Func { store: store.id(), func }
    }

    /// The function, for generated code to call other than as an import.
    pub(crate) fn to_vm(self, store: &mut StoreOpaque) -> VmFunc {
        let func = self.vm(store);
        store.ensure_code(func);
        func
    }

    /// The function as it is.
    #[inline]
    pub(crate) fn vm(self, store: &StoreOpaque) -> VmFunc {
        store.check(self.store);
        self.func
    }

    /// Its type.
    pub fn ty(&self, store: impl AsContext) -> FuncType {
        let store = store.as_context().opaque();
        FuncType::from_id(store.engine(), self.vm(store).type_index())
    }

    pub(crate) fn found(self, store: &StoreOpaque) -> Found {
        let type_id = self.vm(store).type_index();
        Found { ty: raw::EntityType::Func(TypeIndex(type_id)), bounds: None }
    }

    /// The function with its Rust type, which is checked now and never again.
    ///
    /// # Errors
    ///
    /// When it is of another type.
    pub fn typed<P: WasmParams, R: WasmResults>(
        &self,
        store: impl AsContext,
    ) -> Result<TypedFunc<P, R>> {
        let store = store.as_context().opaque();
        let types = store.engine().types();
        values::check::<P, R>(
            types,
            FuncType::from_id(store.engine(), self.vm(store).type_index()).raw(),
        )?;
        // SAFETY: checked.
        Ok(unsafe { TypedFunc::new(*self) })
    }

    /// Calls the function, with as many results as it has.
    ///
    /// # Errors
    ///
    /// A trap, the error of a host function that the call led to, or values that do not fit the
    /// function's type.
    ///
    /// # Panics
    ///
    /// With the panic of such a host function.
    pub fn call(
        &self,
        mut store: impl AsContextMut,
        params: &[Val],
        results: &mut [Val],
    ) -> Result<()> {
        let StoreContextMut(store) = store.as_context_mut();
        let func = self.vm(&store.opaque);
        let ty = store.opaque.engine().types().get(func.type_index());
        let ty = ty.composite.as_func().expect("functions have function types");
        let count = |what, expected: &[raw::ValType], found| match expected.len() == found {
            true => Ok(()),
            false => Err(TypeError::Count { what, expected: expected.len(), found }),
        };
        count("arguments", &ty.params, params.len())?;
        count("results", &ty.results, results.len())?;
        let mut values: SmallVec<[ValRaw; 8]> = SmallVec::new();
        values.resize(params.len().max(results.len()), ValRaw::default());
        // SAFETY: the values are checked to be of the function's type.
        unsafe {
            wrap::store_values(&mut store.opaque, &ty.params, params, values.as_mut_ptr())?;
            invoke(store, func.get(), values.as_mut_ptr(), values.len())?;
            let loaded = wrap::load_values(&mut store.opaque, &ty.results, values.as_mut_ptr());
            results.iter_mut().zip(loaded).for_each(|(result, value)| *result = value);
        }
        Ok(())
    }
}

/// Calls a function with its parameters in `values`, where its results are afterwards.
///
/// # Safety
///
/// The function must belong to the store, and `values` have room for `len` values, the larger
/// count of its parameters and results; the parameters must be of its type.
#[inline]
pub(crate) unsafe fn invoke<T: 'static>(
    store: &mut StoreInner<T>,
    func: VMFuncRef,
    values: *mut ValRaw,
    len: usize,
) -> Result<()> {
    let VMFuncRef { code, entry, vmctx, type_id: _ } = func;
    let shared = store.opaque.shared();
    let store: &mut dyn VmStore = store;
    let caller = shared.host_caller();
    // SAFETY: the function's VMContext is alive as long as the store.
    if entry.is_null() && !unsafe { is_host(vmctx) } {
        return Err(ModuleError::Damaged("a function has no code for calls of the host").into());
    }
    // SAFETY: the store is lent to the call and not used until it returns. Host functions
    // have no entry trampoline, catch panics, and begin with a `VMHostContext`; all others
    // have the entry trampoline of their signature. The caller promises the values.
    unsafe {
        trap::enter(NonNull::from(store), shared, || {
            if entry.is_null() {
                let host = vmctx.cast::<VMHostContext>();
                ((*host).function)(vmctx, caller, values, len)
            } else {
                let entry = std::mem::transmute::<*const c_void, VMEntry>(entry);
                entry(code, vmctx, caller, values, len)
            }
        })
    }
}
