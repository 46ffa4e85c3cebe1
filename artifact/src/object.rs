//! How objects of a store's heap lie in memory: what references other than those to
//! functions point to.
//!
//! A reference is a 32-bit offset from `VMStoreContext::heap_base`. 0 is null; with the low
//! bit set it is no offset but an `i31`, in the other 31 bits. Objects begin at multiples
//! of [`OBJECT_ALIGN`] with a header:
//!
//! | offset | | |
//! | --- | --- | --- |
//! | 0 | `u32` | the engine-wide index of the object's type, or a number reserved for what has none |
//! | 4 | `u32` | the collector's |
//! | 8 | | fields in declared order, or an array's length as `u32` and its elements |
//!
//! Fields and elements are little-endian and aligned to their size, 8 at most. Packed ones
//! stay packed; references take 4 bytes, and those to functions 8.

use crate::types::{ArrayType, CompositeType, FieldType, StorageType, StructType, ValType};

/// Objects begin at multiples of this, and their sizes are multiples of it.
pub const OBJECT_ALIGN: u32 = 8;
/// Where an object's type is.
pub const OBJECT_TYPE: u32 = 0;
/// Where the collector keeps what it needs to know of an object.
pub const OBJECT_COLLECTOR: u32 = 4;
/// Where the fields of a structure begin.
pub const OBJECT_HEADER_SIZE: u32 = 8;
/// Where the length of an array is.
pub const ARRAY_LENGTH: u32 = 8;

/// Instead of a type: a value of the host.
pub const HOST_OBJECT: u32 = 1;
/// Instead of a type: an exception.
pub const EXCEPTION_OBJECT: u32 = 2;
/// The first engine-wide index of a type.
pub const FIRST_TYPE: u32 = 3;
/// Engine-wide indices of types are below this.
pub const MAX_TYPES: u32 = 1 << 22;

/// What is set in a reference that is an `i31`.
pub const I31_BIT: u32 = 1;

/// The largest object, in bytes.
pub const MAX_OBJECT_SIZE: u32 = 1 << 31;

/// Where the parts of an object of one type are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ObjectLayout {
    /// A structure.
    Struct(StructLayout),
    /// An array.
    Array(ArrayLayout),
}

/// Where the fields of a structure are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StructLayout {
    /// The size of the object in bytes.
    pub size: u32,
    /// The offset of each field.
    pub fields: Box<[u32]>,
    /// The offsets of the fields that are references into the heap.
    pub references: Box<[u32]>,
}

/// Where the elements of an array are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArrayLayout {
    /// The offset of the first element.
    pub elements: u32,
    /// The size of an element in bytes, as a binary logarithm.
    pub element_size_log2: u8,
    /// Whether the elements are references into the heap.
    pub references: bool,
}

impl ObjectLayout {
    /// The layout of objects of a type; `None` when it has no objects, because it is that of
    /// functions, or when they would be larger than [`MAX_OBJECT_SIZE`].
    pub fn new(ty: &CompositeType) -> Option<ObjectLayout> {
        match ty {
            CompositeType::Func(_) => None,
            CompositeType::Struct(ty) => StructLayout::new(ty).map(ObjectLayout::Struct),
            CompositeType::Array(ty) => Some(ObjectLayout::Array(ArrayLayout::new(ty))),
        }
    }
}

impl StructLayout {
    /// The layout of a structure; `None` when it is larger than [`MAX_OBJECT_SIZE`].
    pub fn new(ty: &StructType) -> Option<StructLayout> {
        let mut end = OBJECT_HEADER_SIZE;
        let mut fields = Vec::with_capacity(ty.fields.len());
        let mut references = Vec::new();
        for field in &ty.fields {
            let size = field.storage.size();
            let offset = end.next_multiple_of(size.min(OBJECT_ALIGN));
            end = offset + size;
            if end > MAX_OBJECT_SIZE {
                return None;
            }
            fields.push(offset);
            if is_reference(field) {
                references.push(offset);
            }
        }
        Some(StructLayout {
            size: end.next_multiple_of(OBJECT_ALIGN),
            fields: fields.into(),
            references: references.into(),
        })
    }
}

impl ArrayLayout {
    /// The layout of an array.
    pub fn new(ty: &ArrayType) -> ArrayLayout {
        let size = ty.element.storage.size();
        ArrayLayout {
            elements: (ARRAY_LENGTH + 4).next_multiple_of(size.min(OBJECT_ALIGN)),
            element_size_log2: size.ilog2() as u8,
            references: is_reference(&ty.element),
        }
    }

    /// The size of an element in bytes.
    pub fn element_size(&self) -> u32 {
        1 << self.element_size_log2
    }

    /// The offset of the element at `index` in an array that has it.
    pub fn element(&self, index: u32) -> u32 {
        self.elements + (index << self.element_size_log2)
    }

    /// The size of an array of `len` elements in bytes; `None` when it is larger than
    /// [`MAX_OBJECT_SIZE`].
    pub fn size(&self, len: u32) -> Option<u32> {
        let elements = u64::from(len) << self.element_size_log2;
        let size = (u64::from(self.elements) + elements).next_multiple_of(OBJECT_ALIGN.into());
        u32::try_from(size).ok().filter(|&size| size <= MAX_OBJECT_SIZE)
    }

    /// The largest number of elements for which there is a [`size`](Self::size).
    pub fn max_len(&self) -> u32 {
        (MAX_OBJECT_SIZE - self.elements) >> self.element_size_log2
    }
}

/// Whether a field holds a reference into the heap.
fn is_reference(field: &FieldType) -> bool {
    matches!(field.storage, StorageType::Val(ValType::Ref(ty)) if !ty.is_func())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::RefType;

    fn field(storage: StorageType) -> FieldType {
        FieldType { storage, mutable: true }
    }

    #[test]
    fn fields_are_in_order_and_aligned() {
        let storages = [
            StorageType::I8,
            StorageType::I16,
            StorageType::Val(ValType::Ref(RefType::EXTERNREF)),
            StorageType::I8,
            StorageType::Val(ValType::Ref(RefType::FUNCREF)),
            StorageType::Val(ValType::F32),
            StorageType::Val(ValType::V128),
        ];
        let ty = StructType { fields: storages.map(field).into() };
        let layout = StructLayout::new(&ty).unwrap();
        assert_eq!(layout.fields[..], [8, 10, 12, 16, 24, 32, 40]);
        assert_eq!(layout.size, 56);
        assert_eq!(layout.references[..], [12]);
        let empty = StructLayout::new(&StructType { fields: Vec::new() }).unwrap();
        assert_eq!(empty.size, OBJECT_HEADER_SIZE);
    }

    #[test]
    fn arrays_begin_behind_their_length() {
        let layout = |storage| ArrayLayout::new(&ArrayType { element: field(storage) });
        let bytes = layout(StorageType::I8);
        assert_eq!((bytes.elements, bytes.size(0), bytes.size(5)), (12, Some(16), Some(24)));
        let wide = layout(StorageType::Val(ValType::I64));
        assert_eq!((wide.elements, wide.element(3), wide.size(1)), (16, 40, Some(24)));
        let references = layout(StorageType::Val(ValType::Ref(RefType::EXTERNREF)));
        assert!(references.references && !bytes.references);
        let functions = layout(StorageType::Val(ValType::Ref(RefType::FUNCREF)));
        assert!(!functions.references && functions.element_size() == 8);
        let vectors = layout(StorageType::Val(ValType::V128));
        for layout in [bytes, wide, references, functions, vectors] {
            assert!(layout.size(layout.max_len()).is_some());
            assert_eq!(layout.size(layout.max_len() + 1), None);
            assert_eq!(layout.size(u32::MAX), None);
        }
    }
}
