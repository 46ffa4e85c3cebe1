//! Structures, arrays and 31-bit integers: references that wasm can look into.
//!
//! ```text
//! AnyRef --> EqRef --> I31
//!   ^          +-----> StructRef, of a StructType
//!   |          +-----> ArrayRef, of an ArrayType
//! ExternRef
//! ```
#![allow(unsafe_code)] // Values of objects come from their store.

mod anyref;
mod arrayref;
mod objects;
mod structref;

pub use anyref::{AnyRef, EqRef, I31};
pub(crate) use anyref::{describe, is_of_type};
pub use arrayref::{ArrayRef, ArrayRefPre};
pub(crate) use objects::{Array, Place, is_reference, new_array, new_struct};
pub use structref::{StructRef, StructRefPre};

use precast_artifact::types::StorageType;
use precast_artifact::vmcontext::ValRaw;

use crate::error::{Result, TypeError};
use crate::store::StoreOpaque;
use crate::value::Val;

impl StoreOpaque {
    /// The value of a place for the host; of packed ones, the upper bits are zero.
    fn host_value(&mut self, place: Place) -> Val {
        let value = self.read_place(place);
        // SAFETY: objects have values of their types, which come from their store.
        unsafe { Val::from_raw(self, place.storage.unpacked(), value) }
    }

    /// A value of the host as what is stored as `storage`.
    fn stored_value(&mut self, storage: StorageType, value: Val) -> Result<ValRaw> {
        value.to_raw(self, storage.unpacked())
    }
}

/// What is wrong with an index, if it is not below `len`.
fn check_index(what: &'static str, index: u64, len: u64) -> Result<(), TypeError> {
    match index < len {
        true => Ok(()),
        false => Err(TypeError::Index { what, index, len }),
    }
}

/// Implements what all handles to objects have in common.
macro_rules! handle {
    ($name:ident $heap:ident $what:literal) => {
        impl crate::heap::Handle for $name {}

        impl crate::heap::handle::Sealed for $name {
            fn from_root(root: crate::heap::Root) -> $name {
                $name(root)
            }

            fn root(self) -> crate::heap::Root {
                self.0
            }
        }

        impl $name {
            #[doc = concat!("Whether two references are to the same ", $what, ".")]
            pub fn ref_eq(store: impl crate::store::AsContext, a: &$name, b: &$name) -> bool {
                let store = store.as_context().opaque();
                a.0.reference(store) == b.0.reference(store)
            }
        }

        // SAFETY: such references are references of the store's heap, or 0.
        unsafe impl crate::func::WasmTy for Option<$name> {
            fn ty() -> precast_artifact::types::ValType {
                let heap = precast_artifact::types::HeapType::$heap;
                let ty = precast_artifact::types::RefType { nullable: true, heap };
                precast_artifact::types::ValType::Ref(ty)
            }

            #[inline]
            fn into_raw(
                self,
                store: &mut crate::func::ValueStore<'_>,
            ) -> precast_artifact::vmcontext::ValRaw {
                let reference = self.map_or(0, |handle| handle.0.to_raw(store.opaque()));
                precast_artifact::vmcontext::ValRaw::u32(reference)
            }

            #[inline]
            unsafe fn from_raw(
                store: &mut crate::func::ValueStore<'_>,
                value: precast_artifact::vmcontext::ValRaw,
            ) -> Self {
                let reference = value.get_u32();
                let store = store.opaque();
                (reference != 0).then(|| $name(crate::heap::Root::new(store, reference)))
            }
        }

        // SAFETY: as above, and never 0.
        unsafe impl crate::func::WasmTy for $name {
            fn ty() -> precast_artifact::types::ValType {
                let heap = precast_artifact::types::HeapType::$heap;
                let ty = precast_artifact::types::RefType { nullable: false, heap };
                precast_artifact::types::ValType::Ref(ty)
            }

            #[inline]
            fn into_raw(
                self,
                store: &mut crate::func::ValueStore<'_>,
            ) -> precast_artifact::vmcontext::ValRaw {
                Some(self).into_raw(store)
            }

            #[inline]
            unsafe fn from_raw(
                store: &mut crate::func::ValueStore<'_>,
                value: precast_artifact::vmcontext::ValRaw,
            ) -> Self {
                // SAFETY: the caller promises a reference of this store.
                let handle = unsafe { Option::<$name>::from_raw(store, value) };
                handle.expect("a reference that cannot be null is not null")
            }
        }
    };
}

use handle;
