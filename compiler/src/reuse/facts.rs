//! What types mean, whatever their index.

use precast_artifact::index::TypeIndex;
use precast_artifact::types::{
    CompositeType, FieldType, HeapType, RefType, StorageType, SubType, TypeSection, ValType,
};
use sha2::{Digest, Sha256};

/// For each type of a module, a digest that equal types have, and only those: types are equal when
/// their recursion groups have the same structure and they stand at the same place of these.
#[derive(Debug)]
pub(crate) struct TypeDigests(Vec<[u8; 32]>);

impl TypeDigests {
    /// The digests of these types.
    pub(crate) fn new(types: &TypeSection) -> TypeDigests {
        let mut digests = TypeDigests(Vec::with_capacity(types.types.len()));
        let mut bytes = Vec::new();
        for &len in &types.groups {
            let start = digests.0.len();
            let group = &types.types[start..][..len as usize];
            bytes.clear();
            for ty in group {
                sub_type(&mut bytes, ty, &mut |bytes, index| match digests.get(index) {
                    Some(digest) => {
                        bytes.push(0);
                        bytes.extend(digest);
                    }
                    // Of the same group, since groups only refer to earlier ones.
                    None => {
                        bytes.push(1);
                        bytes.extend((index.0 - start as u32).to_le_bytes());
                    }
                });
            }
            let group_digest = Sha256::digest(&bytes);
            for position in 0..len {
                let digest = Sha256::new()
                    .chain_update(group_digest)
                    .chain_update(position.to_le_bytes())
                    .finalize();
                digests.0.push(digest.into());
            }
        }
        digests
    }

    /// The digest of a type, if there is such a type.
    pub(super) fn get(&self, index: TypeIndex) -> Option<&[u8; 32]> {
        self.0.get(index.as_usize())
    }
}

/// Takes a type that another one refers to.
type OnType<'a> = dyn FnMut(&mut Vec<u8>, TypeIndex) + 'a;

fn sub_type(bytes: &mut Vec<u8>, ty: &SubType, on_type: &mut OnType<'_>) {
    let SubType { is_final, supertype, composite } = ty;
    bytes.push(u8::from(*is_final));
    bytes.push(u8::from(supertype.is_some()));
    if let Some(supertype) = *supertype {
        on_type(bytes, supertype);
    }
    match composite {
        CompositeType::Func(ty) => {
            bytes.push(0);
            for list in [&ty.params, &ty.results] {
                bytes.extend((list.len() as u32).to_le_bytes());
                list.iter().for_each(|&ty| val_type(bytes, ty, on_type));
            }
        }
        CompositeType::Struct(ty) => {
            bytes.push(1);
            bytes.extend((ty.fields.len() as u32).to_le_bytes());
            ty.fields.iter().for_each(|&ty| field_type(bytes, ty, on_type));
        }
        CompositeType::Array(ty) => {
            bytes.push(2);
            field_type(bytes, ty.element, on_type);
        }
    }
}

fn field_type(bytes: &mut Vec<u8>, ty: FieldType, on_type: &mut OnType<'_>) {
    let FieldType { storage, mutable } = ty;
    bytes.push(u8::from(mutable));
    match storage {
        StorageType::I8 => bytes.push(0),
        StorageType::I16 => bytes.push(1),
        StorageType::Val(ty) => {
            bytes.push(2);
            val_type(bytes, ty, on_type);
        }
    }
}

/// Writes a type of values; `on_type` writes the types of the module that it refers to.
pub(super) fn val_type(bytes: &mut Vec<u8>, ty: ValType, on_type: &mut OnType<'_>) {
    match ty {
        ValType::I32 => bytes.push(0),
        ValType::I64 => bytes.push(1),
        ValType::F32 => bytes.push(2),
        ValType::F64 => bytes.push(3),
        ValType::V128 => bytes.push(4),
        ValType::Ref(RefType { nullable, heap }) => {
            bytes.extend([5, u8::from(nullable)]);
            heap_type(bytes, heap, on_type);
        }
    }
}

fn heap_type(bytes: &mut Vec<u8>, ty: HeapType, on_type: &mut OnType<'_>) {
    let code = match ty {
        HeapType::Func => 0,
        HeapType::NoFunc => 1,
        HeapType::Extern => 2,
        HeapType::NoExtern => 3,
        HeapType::Any => 4,
        HeapType::Eq => 5,
        HeapType::I31 => 6,
        HeapType::Struct => 7,
        HeapType::Array => 8,
        HeapType::None => 9,
        HeapType::Exn => 10,
        HeapType::NoExn => 11,
        HeapType::ConcreteFunc(_) => 12,
        HeapType::ConcreteStruct(_) => 13,
        HeapType::ConcreteArray(_) => 14,
    };
    bytes.push(code);
    if let Some(index) = ty.type_index() {
        on_type(bytes, index);
    }
}

#[cfg(test)]
mod tests {
    use precast_artifact::types::{ArrayType, FuncType};

    use super::*;

    fn func(params: Vec<ValType>) -> SubType {
        let composite = CompositeType::Func(FuncType { params, results: Vec::new() });
        SubType { is_final: true, supertype: None, composite }
    }

    fn reference(heap: HeapType) -> ValType {
        ValType::Ref(RefType { nullable: true, heap })
    }

    #[test]
    fn equal_types_have_one_digest_wherever_they_stand() {
        let to = |index| func(vec![reference(HeapType::ConcreteFunc(TypeIndex(index)))]);
        let types = vec![
            func(vec![]),
            func(vec![ValType::I32]),
            func(vec![]),
            to(0),
            to(2),
            to(1),
            // Two groups of two types that refer to each other, and one that is different.
            to(7),
            to(6),
            to(9),
            to(8),
            to(10),
            to(11),
        ];
        let section = TypeSection { types, groups: vec![1, 1, 1, 1, 1, 1, 2, 2, 2] };
        let TypeDigests(digests) = TypeDigests::new(&section);
        assert_eq!(digests.len(), 12);
        assert_eq!(digests[0], digests[2]);
        assert_ne!(digests[0], digests[1]);
        assert_eq!(digests[3], digests[4]);
        assert_ne!(digests[3], digests[5]);
        assert_eq!(digests[6], digests[8]);
        assert_eq!(digests[7], digests[9]);
        assert_ne!(digests[6], digests[7]);
        assert_ne!(digests[6], digests[10]);
    }

    #[test]
    fn every_part_of_a_type_counts() {
        let field = |storage, mutable| {
            let composite =
                CompositeType::Array(ArrayType { element: FieldType { storage, mutable } });
            SubType { is_final: true, supertype: None, composite }
        };
        let open = SubType { is_final: false, ..field(StorageType::I8, false) };
        let below = SubType { supertype: Some(TypeIndex(4)), ..field(StorageType::I8, false) };
        let types = vec![
            field(StorageType::I8, false),
            field(StorageType::I8, true),
            field(StorageType::I16, false),
            field(StorageType::Val(ValType::I32), false),
            open,
            below,
            func(vec![reference(HeapType::Any)]),
            func(vec![reference(HeapType::Eq)]),
        ];
        let groups = vec![1; types.len()];
        let TypeDigests(mut digests) = TypeDigests::new(&TypeSection { types, groups });
        digests.sort();
        digests.dedup();
        assert_eq!(digests.len(), 8);
    }
}
