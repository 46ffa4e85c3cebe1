//! Values of wasm whose type is known only at run time.
#![allow(unsafe_code)] // Function references in raw values are pointers.

use precast_artifact::types as raw;
use precast_artifact::vmcontext::ValRaw;

use crate::error::{Result, TypeError};
use crate::exception::ExnRef;
use crate::func::Func;
use crate::gc::{self, AnyRef, ArrayRef, EqRef, StructRef};
use crate::heap::ExternRef;
use crate::heap::handle::Sealed;
use crate::store::StoreOpaque;
use crate::table::Element;
use crate::types::{HeapType, RefType, ValType};
use crate::vm::VmFunc;

/// A value.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Val {
    /// 32-bit integer.
    I32(i32),
    /// 64-bit integer.
    I64(i64),
    /// The bits of a 32-bit float.
    F32(u32),
    /// The bits of a 64-bit float.
    F64(u64),
    /// 128-bit vector.
    V128(u128),
    /// A function or null.
    FuncRef(Option<Func>),
    /// A value of the host or null.
    ExternRef(Option<ExternRef>),
    /// A structure, an array, a 31-bit integer, a value of the host that wasm has converted, or
    /// null.
    AnyRef(Option<AnyRef>),
    /// An exception or null.
    ExnRef(Option<ExnRef>),
}

/// A reference: an element of a table.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Ref {
    /// A function or null.
    Func(Option<Func>),
    /// A value of the host or null.
    Extern(Option<ExternRef>),
    /// A structure, an array, a 31-bit integer, a value of the host that wasm has converted, or
    /// null.
    Any(Option<AnyRef>),
    /// An exception or null.
    Exn(Option<ExnRef>),
}

macro_rules! accessors {
    ($($(#[$doc:meta])* $get:ident $unwrap:ident $ty:ty: $pattern:pat => $value:expr;)*) => {
        impl Val {
            $(
                $(#[$doc])*
                pub fn $get(&self) -> Option<$ty> {
                    match *self { $pattern => Some($value), _ => None }
                }

                #[doc = concat!("As [`Val::", stringify!($get), "`].")]
                ///
                /// # Panics
                ///
                /// When the value is of another type.
                pub fn $unwrap(&self) -> $ty {
                    match self.$get() {
                        Some(value) => value,
                        None => panic!(concat!("expected ", stringify!($get), ", found {:?}"), self),
                    }
                }
            )*
        }
    };
}

accessors! {
    /// The integer, if it is an `i32`.
    i32 unwrap_i32 i32: Val::I32(value) => value;
    /// The integer, if it is an `i64`.
    i64 unwrap_i64 i64: Val::I64(value) => value;
    /// The number, if it is an `f32`.
    f32 unwrap_f32 f32: Val::F32(bits) => f32::from_bits(bits);
    /// The number, if it is an `f64`.
    f64 unwrap_f64 f64: Val::F64(bits) => f64::from_bits(bits);
    /// The vector, if it is a `v128`.
    v128 unwrap_v128 u128: Val::V128(value) => value;
    /// The function or null, if it is a function reference.
    func_ref unwrap_func_ref Option<Func>: Val::FuncRef(func) => func;
    /// The value of the host or null, if it is an `externref`.
    extern_ref unwrap_extern_ref Option<ExternRef>: Val::ExternRef(reference) => reference;
    /// The reference or null, if it is an `anyref`.
    any_ref unwrap_any_ref Option<AnyRef>: Val::AnyRef(reference) => reference;
    /// The exception or null, if it is an `exnref`.
    exn_ref unwrap_exn_ref Option<ExnRef>: Val::ExnRef(reference) => reference;
}

impl Val {
    /// The zero or null of a type; `None` for references that cannot be null.
    pub fn default_for_ty(ty: &ValType) -> Option<Val> {
        Some(match ty {
            ValType::I32 => Val::I32(0),
            ValType::I64 => Val::I64(0),
            ValType::F32 => Val::F32(0),
            ValType::F64 => Val::F64(0),
            ValType::V128 => Val::V128(0),
            ValType::Ref(ty) if ty.is_nullable() => Ref::null(ty.heap_type()).into(),
            ValType::Ref(_) => return None,
        })
    }

    /// The raw form of a value that must be of type `ty`. Before code gets it, a reference must be
    /// put on the heap's list.
    #[inline]
    pub(crate) fn to_raw(self, store: &mut StoreOpaque, ty: raw::ValType) -> Result<ValRaw> {
        Ok(match (self, ty) {
            (Val::I32(value), raw::ValType::I32) => ValRaw::i32(value),
            (Val::I64(value), raw::ValType::I64) => ValRaw::i64(value),
            (Val::F32(bits), raw::ValType::F32) => ValRaw::u32(bits),
            (Val::F64(bits), raw::ValType::F64) => ValRaw::u64(bits),
            (Val::V128(value), raw::ValType::V128) => ValRaw::u128(value),
            (_, raw::ValType::Ref(ty)) if let Some(reference) = self.reference() => {
                match reference.to_element(store, ty)? {
                    Element::Func(func) => ValRaw::u64(func.map_or(0, VmFunc::to_raw)),
                    Element::Ref(reference) => ValRaw::u32(reference),
                }
            }
            _ => return Err(mismatch(ty, self.type_name())),
        })
    }

    /// The value in a raw one.
    ///
    /// # Safety
    ///
    /// It must be a value of this type that comes from the same store.
    #[inline]
    pub(crate) unsafe fn from_raw(store: &mut StoreOpaque, ty: raw::ValType, value: ValRaw) -> Val {
        match ty {
            raw::ValType::I32 => Val::I32(value.get_i32()),
            raw::ValType::I64 => Val::I64(value.get_i64()),
            raw::ValType::F32 => Val::F32(value.get_u32()),
            raw::ValType::F64 => Val::F64(value.get_u64()),
            raw::ValType::V128 => Val::V128(value.get_u128()),
            raw::ValType::Ref(ty) => {
                let element = match ty.is_func() {
                    // SAFETY: the caller promises a function reference of this store.
                    true => Element::Func(unsafe { VmFunc::from_raw(value.get_u64()) }),
                    false => Element::Ref(value.get_u32()),
                };
                Ref::from_element(store, ty, element).into()
            }
        }
    }

    fn reference(self) -> Option<Ref> {
        match self {
            Val::FuncRef(func) => Some(Ref::Func(func)),
            Val::ExternRef(reference) => Some(Ref::Extern(reference)),
            Val::AnyRef(reference) => Some(Ref::Any(reference)),
            Val::ExnRef(reference) => Some(Ref::Exn(reference)),
            _ => None,
        }
    }

    fn type_name(self) -> &'static str {
        match self {
            Val::I32(_) => "i32",
            Val::I64(_) => "i64",
            Val::F32(_) => "f32",
            Val::F64(_) => "f64",
            Val::V128(_) => "v128",
            Val::FuncRef(_) => "funcref",
            Val::ExternRef(_) => "externref",
            Val::AnyRef(_) => "anyref",
            Val::ExnRef(_) => "exnref",
        }
    }
}

impl Ref {
    /// The null of a family of references.
    pub fn null(heap_type: &HeapType) -> Ref {
        match RefType::new(true, heap_type.clone()).to_raw().heap {
            raw::HeapType::Func | raw::HeapType::NoFunc | raw::HeapType::ConcreteFunc(_) => {
                Ref::Func(None)
            }
            raw::HeapType::Extern | raw::HeapType::NoExtern => Ref::Extern(None),
            raw::HeapType::Exn | raw::HeapType::NoExn => Ref::Exn(None),
            raw::HeapType::Any
            | raw::HeapType::Eq
            | raw::HeapType::I31
            | raw::HeapType::Struct
            | raw::HeapType::Array
            | raw::HeapType::ConcreteStruct(_)
            | raw::HeapType::ConcreteArray(_)
            | raw::HeapType::None => Ref::Any(None),
        }
    }

    /// Whether it is null.
    pub fn is_null(&self) -> bool {
        match self {
            Ref::Func(func) => func.is_none(),
            Ref::Extern(reference) => reference.is_none(),
            Ref::Exn(reference) => reference.is_none(),
            Ref::Any(reference) => reference.is_none(),
        }
    }

    /// The function or null, if it is a function reference.
    pub fn as_func(&self) -> Option<Option<&Func>> {
        match self {
            Ref::Func(func) => Some(func.as_ref()),
            _ => None,
        }
    }

    /// The value of the host or null, if it is an `externref`.
    pub fn as_extern(&self) -> Option<Option<&ExternRef>> {
        match self {
            Ref::Extern(reference) => Some(reference.as_ref()),
            _ => None,
        }
    }

    /// The reference or null, if it is an `anyref`.
    pub fn as_any(&self) -> Option<Option<&AnyRef>> {
        match self {
            Ref::Any(reference) => Some(reference.as_ref()),
            _ => None,
        }
    }

    /// The element for a table of type `ty`.
    pub(crate) fn to_element(self, store: &mut StoreOpaque, ty: raw::RefType) -> Result<Element> {
        let family = match ty.heap {
            raw::HeapType::Func | raw::HeapType::NoFunc | raw::HeapType::ConcreteFunc(_) => {
                "funcref"
            }
            raw::HeapType::Extern | raw::HeapType::NoExtern => "externref",
            raw::HeapType::Exn | raw::HeapType::NoExn => "exnref",
            _ => "anyref",
        };
        let found = Val::from(self).type_name();
        if found != family {
            return Err(mismatch(raw::ValType::Ref(ty), found));
        }
        if self.is_null() && !ty.nullable {
            return Err(mismatch(raw::ValType::Ref(ty), "null"));
        }
        Ok(match self {
            Ref::Func(None) => Element::Func(None),
            Ref::Func(Some(func)) => {
                let func = func.to_vm(store);
                let suits = match ty.heap {
                    raw::HeapType::ConcreteFunc(id) => {
                        store.engine().types().is_subtype(func.type_index(), id.0)
                    }
                    heap => heap == raw::HeapType::Func,
                };
                if !suits {
                    let found =
                        crate::types::describe_type(store.engine().types(), func.type_index());
                    return Err(mismatch(raw::ValType::Ref(ty), &found));
                }
                Element::Func(Some(func))
            }
            Ref::Extern(Some(_)) if ty.heap == raw::HeapType::NoExtern => {
                return Err(mismatch(raw::ValType::Ref(ty), found));
            }
            Ref::Extern(reference) => {
                Element::Ref(reference.map_or(0, |reference| reference.reference(store)))
            }
            Ref::Exn(Some(_)) if ty.heap == raw::HeapType::NoExn => {
                return Err(mismatch(raw::ValType::Ref(ty), found));
            }
            Ref::Exn(reference) => {
                Element::Ref(reference.map_or(0, |reference| reference.reference(store)))
            }
            Ref::Any(None) => Element::Ref(0),
            Ref::Any(Some(any)) => {
                let reference = any.root().reference(store);
                if !gc::is_of_type(store, reference, ty.heap) {
                    let found = gc::describe(store, reference);
                    return Err(mismatch(raw::ValType::Ref(ty), &found));
                }
                Element::Ref(reference)
            }
        })
    }

    /// The reference in an element of type `ty`.
    pub(crate) fn from_element(store: &mut StoreOpaque, ty: raw::RefType, element: Element) -> Ref {
        match (element, ty.heap) {
            (Element::Func(func), _) => Ref::Func(func.map(|func| Func::from_vm(store, func))),
            (Element::Ref(reference), raw::HeapType::Extern | raw::HeapType::NoExtern) => {
                Ref::Extern(ExternRef::from_raw(store, reference))
            }
            (Element::Ref(reference), raw::HeapType::Exn | raw::HeapType::NoExn) => {
                Ref::Exn(ExnRef::from_raw(store, reference))
            }
            (Element::Ref(reference), _) => Ref::Any(AnyRef::from_raw(store, reference)),
        }
    }
}

fn mismatch(expected: raw::ValType, found: &str) -> crate::Error {
    TypeError::Mismatch { expected: expected.to_string(), found: found.to_owned() }.into()
}

impl From<Ref> for Val {
    fn from(reference: Ref) -> Val {
        match reference {
            Ref::Func(func) => Val::FuncRef(func),
            Ref::Extern(reference) => Val::ExternRef(reference),
            Ref::Any(reference) => Val::AnyRef(reference),
            Ref::Exn(reference) => Val::ExnRef(reference),
        }
    }
}

impl From<i32> for Val {
    fn from(value: i32) -> Val {
        Val::I32(value)
    }
}

impl From<i64> for Val {
    fn from(value: i64) -> Val {
        Val::I64(value)
    }
}

impl From<f32> for Val {
    fn from(value: f32) -> Val {
        Val::F32(value.to_bits())
    }
}

impl From<f64> for Val {
    fn from(value: f64) -> Val {
        Val::F64(value.to_bits())
    }
}

impl From<Func> for Val {
    fn from(func: Func) -> Val {
        Val::FuncRef(Some(func))
    }
}

impl From<Option<Func>> for Val {
    fn from(func: Option<Func>) -> Val {
        Val::FuncRef(func)
    }
}

impl From<ExternRef> for Val {
    fn from(reference: ExternRef) -> Val {
        Val::ExternRef(Some(reference))
    }
}

impl From<Option<ExternRef>> for Val {
    fn from(reference: Option<ExternRef>) -> Val {
        Val::ExternRef(reference)
    }
}

macro_rules! from_objects {
    ($($name:ident)*) => {$(
        impl From<$name> for Val {
            fn from(reference: $name) -> Val {
                Val::AnyRef(Some(reference.into()))
            }
        }

        impl From<Option<$name>> for Val {
            fn from(reference: Option<$name>) -> Val {
                Val::AnyRef(reference.map(Into::into))
            }
        }

        impl From<$name> for Ref {
            fn from(reference: $name) -> Ref {
                Ref::Any(Some(reference.into()))
            }
        }
    )*};
}

from_objects!(AnyRef EqRef StructRef ArrayRef);

impl From<Func> for Ref {
    fn from(func: Func) -> Ref {
        Ref::Func(Some(func))
    }
}

impl From<Option<Func>> for Ref {
    fn from(func: Option<Func>) -> Ref {
        Ref::Func(func)
    }
}

impl From<Option<ExternRef>> for Ref {
    fn from(reference: Option<ExternRef>) -> Ref {
        Ref::Extern(reference)
    }
}

impl From<ExternRef> for Ref {
    fn from(reference: ExternRef) -> Ref {
        Ref::Extern(Some(reference))
    }
}
