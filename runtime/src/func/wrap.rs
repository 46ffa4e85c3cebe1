//! Rust closures as host functions.
#![allow(unsafe_code)] // The shims that exit trampolines call.

use std::ffi::c_void;

use precast_artifact::types as raw;

use super::caller::Caller;
use super::host::{HostFunc, Values, call};
use super::values::{ValueList, ValueStore, WasmRet, WasmTy};
use crate::engine::Engine;
use crate::error::{Result, TypeError};
use crate::store::StoreOpaque;
use crate::types::{FuncType, ValType};
use crate::value::Val;

/// Closures that can be host functions of stores with data of type `T`: up to 16 parameters
/// that are [`WasmTy`]s, optionally a [`Caller`] before them, and a [`WasmRet`].
pub trait IntoFunc<T, Params, Results>: Send + Sync + 'static {
    #[doc(hidden)]
    fn into_func(self, engine: &Engine) -> HostFuncOf<T>;
}

/// A function that is not in a store yet.
#[doc(hidden)]
pub struct HostFuncOf<T>(pub(crate) HostFunc<T>);

fn func_type<R: ValueList>(engine: &Engine, params: &[raw::ValType]) -> FuncType {
    let list = |types: Vec<raw::ValType>| -> Vec<ValType> {
        types.into_iter().map(|ty| ValType::from_raw(engine, ty)).collect()
    };
    FuncType::new(engine, list(params.to_vec()), list(R::types()))
}

macro_rules! into_func {
    ($(($($ty:ident),*))*) => {$(
        impl<T: 'static, F, $($ty: WasmTy,)* R: WasmRet> IntoFunc<T, ($($ty,)*), R> for F
        where
            F: Fn($($ty),*) -> R + Send + Sync + 'static,
        {
            fn into_func(self, engine: &Engine) -> HostFuncOf<T> {
                #[allow(non_snake_case)] // Named like their types.
                let with_caller = move |_: Caller<'_, T>, $($ty: $ty),*| self($($ty),*);
                <_ as IntoFunc<T, (Caller<'_, T>, $($ty,)*), R>>::into_func(with_caller, engine)
            }
        }

        impl<T: 'static, F, $($ty: WasmTy,)* R: WasmRet> IntoFunc<T, (Caller<'_, T>, $($ty,)*), R>
            for F
        where
            F: Fn(Caller<'_, T>, $($ty),*) -> R + Send + Sync + 'static,
        {
            fn into_func(self, engine: &Engine) -> HostFuncOf<T> {
                #[allow(non_snake_case)] // Named like their types.
                unsafe extern "C" fn shim<T: 'static, F, $($ty: WasmTy,)* R: WasmRet>(
                    callee: *mut c_void,
                    caller: *mut c_void,
                    values: Values,
                    _len: usize,
                ) -> bool
                where
                    F: Fn(Caller<'_, T>, $($ty),*) -> R + Send + Sync + 'static,
                {
                    // SAFETY: exit trampolines pass a callee with this shim, which `into_func`
                    // made for this `T` and `F`, their instance, and values of its type.
                    unsafe {
                        call::<T, F>(callee, caller, |function, mut caller| {
                            let mut store = ValueStore(&mut caller.store().opaque);
                            let ($($ty,)*) = <($($ty,)*)>::load(&mut store, values);
                            caller.store().opaque.safe_point();
                            let result = function(caller.reborrow(), $($ty),*).into_fallible()?;
                            result.store(&mut ValueStore(&mut caller.store().opaque), values);
                            Ok(())
                        })
                    }
                }
                let ty = func_type::<R::Values>(engine, &[$($ty::ty()),*]);
                // SAFETY: the shim is for this type and closure.
                HostFuncOf(unsafe { HostFunc::new(ty, self, shim::<T, F, $($ty,)* R>) })
            }
        }
    )*};
}

into_func! {
    ()
    (A1)
    (A1, A2)
    (A1, A2, A3)
    (A1, A2, A3, A4)
    (A1, A2, A3, A4, A5)
    (A1, A2, A3, A4, A5, A6)
    (A1, A2, A3, A4, A5, A6, A7)
    (A1, A2, A3, A4, A5, A6, A7, A8)
    (A1, A2, A3, A4, A5, A6, A7, A8, A9)
    (A1, A2, A3, A4, A5, A6, A7, A8, A9, A10)
    (A1, A2, A3, A4, A5, A6, A7, A8, A9, A10, A11)
    (A1, A2, A3, A4, A5, A6, A7, A8, A9, A10, A11, A12)
    (A1, A2, A3, A4, A5, A6, A7, A8, A9, A10, A11, A12, A13)
    (A1, A2, A3, A4, A5, A6, A7, A8, A9, A10, A11, A12, A13, A14)
    (A1, A2, A3, A4, A5, A6, A7, A8, A9, A10, A11, A12, A13, A14, A15)
    (A1, A2, A3, A4, A5, A6, A7, A8, A9, A10, A11, A12, A13, A14, A15, A16)
}

/// A closure whose type is known only at run time.
struct Dynamic<F> {
    ty: FuncType,
    /// What the results are before the function sets them: zeros and nulls.
    results: Box<[Val]>,
    function: F,
}

/// A host function of type `ty` that gets its parameters and returns its results in slices.
pub(crate) fn dynamic<T: 'static>(
    ty: FuncType,
    function: impl Fn(Caller<'_, T>, &[Val], &mut [Val]) -> Result<()> + Send + Sync + 'static,
) -> HostFunc<T> {
    fn make<T: 'static, F>(ty: FuncType, function: F) -> HostFunc<T>
    where
        F: Fn(Caller<'_, T>, &[Val], &mut [Val]) -> Result<()> + Send + Sync + 'static,
    {
        let default = |ty: ValType| Val::default_for_ty(&ty).unwrap_or(Val::FuncRef(None));
        let results = ty.results().map(default).collect();
        let dynamic = Dynamic { ty: ty.clone(), results, function };
        // SAFETY: the shim is for this type and closure.
        unsafe { HostFunc::new(ty, dynamic, dynamic_shim::<T, F>) }
    }
    make(ty, function)
}

unsafe extern "C" fn dynamic_shim<T: 'static, F>(
    callee: *mut c_void,
    caller: *mut c_void,
    values: Values,
    _len: usize,
) -> bool
where
    F: Fn(Caller<'_, T>, &[Val], &mut [Val]) -> Result<()> + Send + Sync + 'static,
{
    // SAFETY: as for the shims of `into_func`.
    unsafe {
        call::<T, Dynamic<F>>(callee, caller, |dynamic, mut caller| {
            let ty = dynamic.ty.raw();
            let count = ty.params.len() + dynamic.results.len();
            let (mut few, mut many) = ([Val::I32(0); 8], Vec::new());
            let list = match few.get_mut(..count) {
                Some(few) => few,
                None => {
                    many.resize(count, Val::I32(0));
                    &mut many[..]
                }
            };
            let (params, results) = list.split_at_mut(ty.params.len());
            let loaded = load_values(&mut caller.store().opaque, &ty.params, values);
            params.iter_mut().zip(loaded).for_each(|(param, value)| *param = value);
            results.iter_mut().zip(&dynamic.results).for_each(|(result, zero)| *result = *zero);
            caller.store().opaque.safe_point();
            (dynamic.function)(caller.reborrow(), params, results)?;
            store_values(&mut caller.store().opaque, &ty.results, results, values)
        })
    }
}

/// # Safety
///
/// Values of these types and this store must be there, as long as the iterator is used.
#[inline]
pub(super) unsafe fn load_values(
    store: &mut StoreOpaque,
    types: &[raw::ValType],
    values: Values,
) -> impl Iterator<Item = Val> {
    let load = move |(i, &ty)| {
        // SAFETY: the caller promises a value of the type there.
        unsafe { Val::from_raw(&mut *store, ty, values.add(i).read()) }
    };
    types.iter().enumerate().map(load)
}

/// # Safety
///
/// There must be room for values of these types.
#[inline]
pub(super) unsafe fn store_values(
    store: &mut StoreOpaque,
    types: &[raw::ValType],
    list: &[Val],
    values: Values,
) -> Result<()> {
    if list.len() != types.len() {
        let (expected, found) = (types.len(), list.len());
        return Err(TypeError::Count { what: "values", expected, found }.into());
    }
    for (i, (&ty, &value)) in types.iter().zip(list).enumerate() {
        let value = value.to_raw(store, ty)?;
        store.list(ty, value);
        // SAFETY: the caller promises room for it.
        unsafe { values.add(i).write(value) };
    }
    Ok(())
}
