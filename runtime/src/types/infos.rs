//! What generated code knows of types.
#![allow(unsafe_code)] // A table of zeros that takes memory only where it is used.

use std::fmt;
use std::sync::atomic::{AtomicPtr, Ordering};

use precast_artifact::object::{FIRST_TYPE, MAX_TYPES};
use precast_artifact::types::CompositeType;
use precast_artifact::vmcontext::{SUPERTYPES_ALWAYS_THERE, VMTypeInfo, VMTypeKind};

/// The info of one type: a [`VMTypeInfo`] with as many supertypes as it takes.
#[derive(Debug)]
pub(super) struct TypeInfo(Box<[u32]>);

/// The infos of all types, by engine-wide index, and of objects that have no type.
///
/// The table has its full size from the start, so that it never moves; the system gives memory
/// to what is used of it. Types are only added.
pub(super) struct TypeInfos(Box<[AtomicPtr<u32>]>);

/// Where in a [`VMTypeInfo`] its supertypes are, in words.
const SUPERTYPES: usize = std::mem::offset_of!(VMTypeInfo, supertypes) / 4;

/// The info of objects without a type, which have a type's index that none has.
static NO_TYPE: [u32; SUPERTYPES + SUPERTYPES_ALWAYS_THERE] =
    [VMTypeKind::None as u32; SUPERTYPES + SUPERTYPES_ALWAYS_THERE];

impl TypeInfo {
    /// The info of a type that ends the list of its supertypes, outermost first.
    pub(super) fn new(ty: &CompositeType, supertypes: &[u32]) -> TypeInfo {
        let kind = match ty {
            CompositeType::Func(_) => VMTypeKind::Func,
            CompositeType::Struct(_) => VMTypeKind::Struct,
            CompositeType::Array(_) => VMTypeKind::Array,
        };
        let mut words = vec![kind as u32, supertypes.len() as u32 - 1];
        words.extend_from_slice(supertypes);
        words.resize(words.len().max(NO_TYPE.len()), 0);
        TypeInfo(words.into())
    }

    /// The supertypes, outermost first, and the type itself.
    pub(super) fn supertypes(&self) -> &[u32] {
        let [_, depth, supertypes @ ..] = &*self.0 else {
            unreachable!("an info has two words before the supertypes")
        };
        &supertypes[..=*depth as usize]
    }
}

impl TypeInfos {
    /// Lets code find the info of the type `id`.
    ///
    /// # Panics
    ///
    /// When `id` is not below [`MAX_TYPES`].
    pub(super) fn set(&self, id: u32, info: &TypeInfo) {
        // Code reads it only through objects that were made later, by whoever learned of the type
        // from this thread.
        self.0[id as usize].store(info.0.as_ptr().cast_mut(), Ordering::Release);
    }

    pub(super) fn as_ptr(&self) -> *const *const VMTypeInfo {
        self.0.as_ptr().cast()
    }
}

impl Default for TypeInfos {
    fn default() -> TypeInfos {
        let table = Box::<[AtomicPtr<u32>]>::new_zeroed_slice(MAX_TYPES as usize);
        // SAFETY: zeros are null pointers.
        let table = TypeInfos(unsafe { table.assume_init() });
        for place in &table.0[..FIRST_TYPE as usize] {
            place.store(NO_TYPE.as_ptr().cast_mut(), Ordering::Relaxed);
        }
        table
    }
}

impl fmt::Debug for TypeInfos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TypeInfos").finish_non_exhaustive()
    }
}
