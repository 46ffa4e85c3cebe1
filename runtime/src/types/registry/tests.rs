use precast_artifact::types::RefType;

use super::*;

fn func(params: &[ValType], is_final: bool, supertype: Option<u32>) -> SubType {
    SubType {
        is_final,
        supertype: supertype.map(TypeIndex),
        composite: CompositeType::Func(FuncType { params: params.to_vec(), results: vec![] }),
    }
}

fn structure(fields: &[ValType], supertype: Option<u32>) -> SubType {
    let field = |&ty| FieldType { storage: StorageType::Val(ty), mutable: false };
    SubType {
        is_final: false,
        supertype: supertype.map(TypeIndex),
        composite: CompositeType::Struct(StructType { fields: fields.iter().map(field).collect() }),
    }
}

fn reference(heap: HeapType) -> ValType {
    ValType::Ref(RefType { nullable: true, heap })
}

fn func_reference(index: u32) -> ValType {
    reference(HeapType::ConcreteFunc(TypeIndex(index)))
}

#[test]
fn equal_groups_get_equal_indices() {
    let registry = TypeRegistry::default();
    let first = TypeSection {
        types: vec![
            func(&[ValType::I32], true, None),
            func(&[func_reference(2)], true, None),
            func(&[func_reference(1), func_reference(0)], true, None),
        ],
        groups: vec![1, 2],
    };
    // The same types, behind others.
    let second = TypeSection {
        types: vec![
            func(&[], true, None),
            func(&[ValType::I32], true, None),
            func(&[func_reference(3)], true, None),
            func(&[func_reference(2), func_reference(1)], true, None),
        ],
        groups: vec![1, 1, 2],
    };
    let first = registry.register(&first).unwrap();
    let second = registry.register(&second).unwrap();
    assert_eq!(first[..], second[1..]);
    assert!(!first.contains(&second[0]));
    let (id, _) = registry.register_one(func(&[ValType::I32], true, None)).unwrap();
    assert_eq!(id, first[0]);
}

#[test]
fn the_group_and_finality_are_part_of_the_identity() {
    let registry = TypeRegistry::default();
    let types = vec![func(&[], true, None), func(&[], false, None), func(&[], true, Some(1))];
    let apart = TypeSection { types: types.clone(), groups: vec![1, 1, 1] };
    let together = TypeSection { types, groups: vec![3] };
    let apart = registry.register(&apart).unwrap();
    let together = registry.register(&together).unwrap();
    assert!(apart.iter().all(|id| !together.contains(id)));
    assert!(apart[0] != apart[1] && apart[1] != apart[2]);
    assert!(registry.is_subtype(apart[2], apart[1]));
    assert!(!registry.is_subtype(apart[1], apart[2]));
    assert!(!registry.is_subtype(together[2], apart[1]));
}

#[test]
fn every_supertype_is_found_however_deep() {
    let registry = TypeRegistry::default();
    let depth = MAX_SUPERTYPES as u32;
    let chain = |depth: u32| -> Vec<SubType> {
        (0..=depth).map(|i| structure(&[], i.checked_sub(1))).collect()
    };
    let section = TypeSection { types: chain(depth), groups: vec![1; depth as usize + 1] };
    let ids = registry.register(&section).unwrap();
    for (i, &sub) in ids.iter().enumerate() {
        for (j, &sup) in ids.iter().enumerate() {
            assert_eq!(registry.is_subtype(sub, sup), j <= i, "{i} {j}");
        }
        assert!(!registry.is_subtype(sub, 0) && !registry.is_subtype(0, sub));
    }
    let in_one_group = TypeSection { types: chain(depth), groups: vec![depth + 1] };
    assert!(registry.register(&in_one_group).is_ok());
    let too_deep = TypeSection { types: chain(depth + 1), groups: vec![depth + 2] };
    assert!(registry.register(&too_deep).is_err());
}

#[test]
fn damaged_sections_are_refused() {
    let registry = TypeRegistry::default();
    let wrong_kind = reference(HeapType::ConcreteStruct(TypeIndex(0)));
    for section in [
        TypeSection { types: vec![func(&[], true, None)], groups: vec![] },
        TypeSection { types: vec![], groups: vec![u32::MAX] },
        TypeSection { types: vec![func(&[func_reference(1)], true, None)], groups: vec![1] },
        TypeSection { types: vec![func(&[wrong_kind], true, None)], groups: vec![1] },
        TypeSection { types: vec![structure(&[], Some(0))], groups: vec![1] },
        TypeSection { types: vec![structure(&[], Some(1)), structure(&[], None)], groups: vec![2] },
    ] {
        assert!(registry.register(&section).is_err());
    }
}
