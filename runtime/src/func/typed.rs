//! Functions whose Rust type was checked once.
#![allow(unsafe_code)] // Raw values on the stack.

use std::marker::PhantomData;
use std::mem::MaybeUninit;

use precast_artifact::vmcontext::ValRaw;

use super::values::{MAX_VALUES, ValueStore};
use super::{Func, WasmParams, WasmResults, invoke};
use crate::error::Result;
use crate::store::{AsContextMut, StoreContextMut};

/// A function whose parameters and results are known to be `P` and `R`: single values or tuples.
pub struct TypedFunc<P, R> {
    func: Func,
    ty: PhantomData<fn(P) -> R>,
}

impl<P: WasmParams, R: WasmResults> TypedFunc<P, R> {
    /// # Safety
    ///
    /// The function must have been checked to be of this type.
    pub(super) unsafe fn new(func: Func) -> TypedFunc<P, R> {
        TypedFunc { func, ty: PhantomData }
    }

    /// The function without its Rust type.
    pub fn func(&self) -> &Func {
        &self.func
    }

    /// Calls the function.
    ///
    /// # Errors
    ///
    /// A trap, or the error of a host function that the call led to.
    ///
    /// # Panics
    ///
    /// With the panic of such a host function.
    #[inline]
    pub fn call(&self, mut store: impl AsContextMut, params: P) -> Result<R> {
        let StoreContextMut(store) = store.as_context_mut();
        store.opaque.check(self.func.store);
        let mut values = [const { MaybeUninit::<ValRaw>::uninit() }; MAX_VALUES];
        let values: *mut ValRaw = values.as_mut_ptr().cast();
        let len = const {
            assert!(P::COUNT <= MAX_VALUES && R::COUNT <= MAX_VALUES);
            if P::COUNT > R::COUNT { P::COUNT } else { R::COUNT }
        };
        // SAFETY: there is room for both lists; the function's type was checked by whoever
        // called `new`, so it reads the parameters and writes results of these types.
        unsafe {
            params.store(&mut ValueStore(&mut store.opaque), values);
            invoke(store, self.func.func.get(), values, len)?;
            Ok(R::load(&mut ValueStore(&mut store.opaque), values))
        }
    }
}

impl<P, R> Clone for TypedFunc<P, R> {
    fn clone(&self) -> Self {
        TypedFunc { func: self.func, ty: PhantomData }
    }
}

impl<P, R> std::fmt::Debug for TypedFunc<P, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("TypedFunc").field(&self.func).finish()
    }
}
