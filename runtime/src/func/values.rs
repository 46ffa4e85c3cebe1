//! Rust types that stand for wasm types, alone and in lists.
#![allow(unsafe_code)] // Raw values hold pointers to functions.

use precast_artifact::types as raw;
use precast_artifact::vmcontext::ValRaw;

use super::Func;
use crate::error::{Result, TypeError};
use crate::heap::ExternRef;
use crate::store::StoreOpaque;
use crate::types::{TypeRegistry, val_matches};
use crate::vm::VmFunc;

/// The longest list of parameters or results that has a Rust type.
pub(super) const MAX_VALUES: usize = 16;

/// A Rust type that stands for a wasm type.
///
/// # Safety
///
/// `from_raw` must accept every value of the type `ty`, and `into_raw` return one.
pub unsafe trait WasmTy: Sized + Send {
    #[doc(hidden)]
    fn ty() -> raw::ValType;

    #[doc(hidden)]
    fn into_raw(self, store: &mut ValueStore<'_>) -> ValRaw;

    /// # Safety
    ///
    /// The value must be of the type `ty` and come from this store.
    #[doc(hidden)]
    unsafe fn from_raw(store: &mut ValueStore<'_>, value: ValRaw) -> Self;
}

/// A list of [`WasmTy`]s: one of them, or a tuple.
///
/// # Safety
///
/// `load` reads and `store` writes exactly `COUNT` values, of the types that `types` names.
pub unsafe trait ValueList: Sized {
    #[doc(hidden)]
    const COUNT: usize;

    #[doc(hidden)]
    fn types() -> Vec<raw::ValType>;

    /// # Safety
    ///
    /// There must be room for `COUNT` values.
    #[doc(hidden)]
    unsafe fn store(self, store: &mut ValueStore<'_>, values: *mut ValRaw);

    /// # Safety
    ///
    /// `COUNT` values of the right types, from this store, must be there.
    #[doc(hidden)]
    unsafe fn load(store: &mut ValueStore<'_>, values: *const ValRaw) -> Self;
}

/// What a [`TypedFunc`](crate::TypedFunc) takes.
pub trait WasmParams: ValueList {}

impl<L: ValueList> WasmParams for L {}

/// What a [`TypedFunc`](crate::TypedFunc) returns.
pub trait WasmResults: ValueList {}

impl<L: ValueList> WasmResults for L {}

/// What a host function may return: values, or a [`Result`] of them.
pub trait WasmRet {
    #[doc(hidden)]
    type Values: ValueList;

    #[doc(hidden)]
    fn into_fallible(self) -> Result<Self::Values>;
}

impl<L: ValueList> WasmRet for L {
    type Values = L;

    #[inline]
    fn into_fallible(self) -> Result<L> {
        Ok(self)
    }
}

impl<L: ValueList> WasmRet for Result<L> {
    type Values = L;

    #[inline]
    fn into_fallible(self) -> Result<L> {
        self
    }
}

/// The store that values of a call belong to.
#[doc(hidden)]
pub struct ValueStore<'a>(pub(super) &'a mut StoreOpaque);

impl ValueStore<'_> {
    pub(crate) fn opaque(&mut self) -> &mut StoreOpaque {
        self.0
    }
}

macro_rules! numbers {
    ($($rust:ident $wasm:ident $write:ident $read:ident $as:ident)*) => {$(
        // SAFETY: every pattern of bits is a value of both types, which have the same size.
        unsafe impl WasmTy for $rust {
            fn ty() -> raw::ValType {
                raw::ValType::$wasm
            }

            #[inline]
            fn into_raw(self, _: &mut ValueStore<'_>) -> ValRaw {
                ValRaw::$write(self as $as)
            }

            #[inline]
            unsafe fn from_raw(_: &mut ValueStore<'_>, value: ValRaw) -> Self {
                value.$read() as $rust
            }
        }
    )*};
}

numbers! {
    i32 I32 i32 get_i32 i32
    u32 I32 i32 get_i32 i32
    i64 I64 i64 get_i64 i64
    u64 I64 i64 get_i64 i64
    f32 F32 f32 get_f32 f32
    f64 F64 f64 get_f64 f64
    u128 V128 u128 get_u128 u128
}

// SAFETY: `funcref` is a pointer to a function of the store, or null.
unsafe impl WasmTy for Option<Func> {
    fn ty() -> raw::ValType {
        raw::ValType::Ref(raw::RefType::FUNCREF)
    }

    #[inline]
    fn into_raw(self, store: &mut ValueStore<'_>) -> ValRaw {
        ValRaw::u64(self.map_or(0, |func| func.to_vm(store.0).to_raw()))
    }

    #[inline]
    unsafe fn from_raw(store: &mut ValueStore<'_>, value: ValRaw) -> Self {
        // SAFETY: the caller promises a reference of this store.
        let func = unsafe { VmFunc::from_raw(value.get_u64()) };
        func.map(|func| Func::from_vm(store.0, func))
    }
}

// SAFETY: a `(ref func)` is never null.
unsafe impl WasmTy for Func {
    fn ty() -> raw::ValType {
        raw::ValType::Ref(raw::RefType { nullable: false, heap: raw::HeapType::Func })
    }

    #[inline]
    fn into_raw(self, store: &mut ValueStore<'_>) -> ValRaw {
        Some(self).into_raw(store)
    }

    #[inline]
    unsafe fn from_raw(store: &mut ValueStore<'_>, value: ValRaw) -> Self {
        // SAFETY: the caller promises a reference of this store.
        let func = unsafe { Option::<Func>::from_raw(store, value) };
        func.expect("a reference that cannot be null is not null")
    }
}

// SAFETY: `externref` is a reference of the store's heap, or 0.
unsafe impl WasmTy for Option<ExternRef> {
    fn ty() -> raw::ValType {
        raw::ValType::Ref(raw::RefType::EXTERNREF)
    }

    #[inline]
    fn into_raw(self, store: &mut ValueStore<'_>) -> ValRaw {
        ValRaw::u32(self.map_or(0, |reference| reference.to_raw(store.0)))
    }

    #[inline]
    unsafe fn from_raw(store: &mut ValueStore<'_>, value: ValRaw) -> Self {
        ExternRef::from_raw(store.0, value.get_u32())
    }
}

// SAFETY: a `(ref extern)` is never null.
unsafe impl WasmTy for ExternRef {
    fn ty() -> raw::ValType {
        raw::ValType::Ref(raw::RefType { nullable: false, heap: raw::HeapType::Extern })
    }

    #[inline]
    fn into_raw(self, store: &mut ValueStore<'_>) -> ValRaw {
        Some(self).into_raw(store)
    }

    #[inline]
    unsafe fn from_raw(store: &mut ValueStore<'_>, value: ValRaw) -> Self {
        // SAFETY: the caller promises a reference of this store.
        let reference = unsafe { Option::<ExternRef>::from_raw(store, value) };
        reference.expect("a reference that cannot be null is not null")
    }
}

// SAFETY: one value.
unsafe impl<A: WasmTy> ValueList for A {
    const COUNT: usize = 1;

    fn types() -> Vec<raw::ValType> {
        vec![A::ty()]
    }

    #[inline]
    unsafe fn store(self, store: &mut ValueStore<'_>, values: *mut ValRaw) {
        let value = self.into_raw(store);
        // SAFETY: the caller promises room for one value.
        unsafe { values.write(value) }
    }

    #[inline]
    unsafe fn load(store: &mut ValueStore<'_>, values: *const ValRaw) -> Self {
        // SAFETY: the caller promises one value of this type and store.
        unsafe { A::from_raw(store, values.read()) }
    }
}

macro_rules! tuples {
    ($(($($ty:ident $index:tt),*))*) => {$(
        // SAFETY: each element has its own place, in order.
        unsafe impl<$($ty: WasmTy),*> ValueList for ($($ty,)*) {
            const COUNT: usize = 0 $(+ { let _ = $index; 1 })*;

            fn types() -> Vec<raw::ValType> {
                vec![$($ty::ty()),*]
            }

            #[inline]
            #[allow(unused_variables)] // The empty list has no values.
            unsafe fn store(self, store: &mut ValueStore<'_>, values: *mut ValRaw) {
                // SAFETY: the caller promises room for all of them.
                $(unsafe { values.add($index).write(self.$index.into_raw(store)) };)*
            }

            #[inline]
            #[allow(unused_variables, clippy::unused_unit)]
            unsafe fn load(store: &mut ValueStore<'_>, values: *const ValRaw) -> Self {
                // SAFETY: the caller promises values of these types and this store.
                ($(unsafe { $ty::from_raw(store, values.add($index).read()) },)*)
            }
        }
    )*};
}

tuples! {
    ()
    (A 0)
    (A 0, B 1)
    (A 0, B 1, C 2)
    (A 0, B 1, C 2, D 3)
    (A 0, B 1, C 2, D 3, E 4)
    (A 0, B 1, C 2, D 3, E 4, F 5)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11, M 12)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11, M 12, N 13)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11, M 12, N 13, O 14)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11, M 12, N 13, O 14, P 15)
}

/// Whether a function of type `found` can be called with these parameters and results.
pub(super) fn check<P: ValueList, R: ValueList>(
    types: &TypeRegistry,
    found: &raw::FuncType,
) -> Result<()> {
    let (params, results) = (P::types(), R::types());
    let matches = |sub: &[raw::ValType], sup: &[raw::ValType]| {
        sub.len() == sup.len()
            && sub.iter().zip(sup).all(|(&sub, &sup)| val_matches(types, sub, sup))
    };
    if matches(&params, &found.params) && matches(&found.results, &results) {
        return Ok(());
    }
    let expected = raw::FuncType { params, results };
    let (expected, found) = (format!("func {expected}"), format!("func {found}"));
    Err(TypeError::Mismatch { expected, found }.into())
}
