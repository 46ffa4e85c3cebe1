//! Which types can stand in for which, by the rules of the specification. All indices
//! are engine-wide.

use precast_artifact::module::Bounds;
use precast_artifact::types::{
    CompositeType, EntityType, FieldType, GlobalType, HeapType, Limits, MemoryType, RefType,
    StorageType, TableType, ValType,
};

use super::TypeRegistry;

/// What an import was given: its type, with the current size as the minimum, and how roomy
/// it is if it is a memory.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) ty: EntityType,
    pub(crate) bounds: Option<Bounds>,
}

/// Whether a value of type `sub` can be used where a `sup` is expected.
pub(crate) fn val_matches(types: &TypeRegistry, sub: ValType, sup: ValType) -> bool {
    match (sub, sup) {
        (ValType::Ref(sub), ValType::Ref(sup)) => ref_matches(types, sub, sup),
        (sub, sup) => sub == sup,
    }
}

/// Whether something of type `found` can be given to an import of type `expected`, whose
/// code relies on `bounds` if it is a memory.
pub(crate) fn import_matches(
    types: &TypeRegistry,
    found: &Found,
    expected: &EntityType,
    bounds: Option<Bounds>,
) -> bool {
    match (&found.ty, expected) {
        (EntityType::Func(found), EntityType::Func(expected)) => {
            types.is_subtype(found.0, expected.0)
        }
        (EntityType::Tag(found), EntityType::Tag(expected)) => found == expected,
        (EntityType::Global(found), EntityType::Global(expected)) => {
            global_matches(types, found, expected)
        }
        (EntityType::Table(found), EntityType::Table(expected)) => {
            table_matches(types, found, expected)
        }
        (EntityType::Memory(ty), EntityType::Memory(expected)) => {
            memory_matches(ty, expected) && bounds_suffice(found.bounds, bounds)
        }
        _ => false,
    }
}

pub(crate) fn ref_matches(types: &TypeRegistry, sub: RefType, sup: RefType) -> bool {
    (sup.nullable || !sub.nullable) && heap_matches(types, sub.heap, sup.heap)
}

pub(crate) fn heap_matches(types: &TypeRegistry, sub: HeapType, sup: HeapType) -> bool {
    match (sub.type_index(), sup.type_index()) {
        (Some(sub), Some(sup)) => types.is_subtype(sub.0, sup.0),
        _ => family_matches(sub, sup),
    }
}

/// As [`heap_matches`], when one of the types at least is abstract.
pub(super) fn family_matches(sub: HeapType, sup: HeapType) -> bool {
    use HeapType::{
        Any, Array, ConcreteArray, ConcreteFunc, ConcreteStruct, Eq, Exn, Extern, Func, I31, NoExn,
        NoExtern, NoFunc, None, Struct,
    };
    match (sub, sup) {
        (ConcreteFunc(_) | NoFunc, Func) | (NoFunc, ConcreteFunc(_)) => true,
        (NoExtern, Extern) | (NoExn, Exn) => true,
        (None, ConcreteStruct(_) | ConcreteArray(_) | I31 | Struct | Array | Eq | Any) => true,
        (ConcreteStruct(_), Struct | Eq | Any) | (ConcreteArray(_), Array | Eq | Any) => true,
        (I31 | Struct | Array, Eq | Any) | (Eq, Any) => true,
        (sub, sup) => sub == sup,
    }
}

/// Whether a type that is made of `sub` may declare one that is made of `sup` as its supertype.
pub(super) fn composite_matches(
    types: &TypeRegistry,
    sub: &CompositeType,
    sup: &CompositeType,
) -> bool {
    let all = |subs: &[ValType], sups: &[ValType]| {
        let mut pairs = subs.iter().zip(sups);
        subs.len() == sups.len() && pairs.all(|(&sub, &sup)| val_matches(types, sub, sup))
    };
    match (sub, sup) {
        (CompositeType::Func(sub), CompositeType::Func(sup)) => {
            all(&sup.params, &sub.params) && all(&sub.results, &sup.results)
        }
        (CompositeType::Struct(sub), CompositeType::Struct(sup)) => {
            let mut pairs = sub.fields.iter().zip(&sup.fields);
            sub.fields.len() >= sup.fields.len()
                && pairs.all(|(&sub, &sup)| field_matches(types, sub, sup))
        }
        (CompositeType::Array(sub), CompositeType::Array(sup)) => {
            field_matches(types, sub.element, sup.element)
        }
        _ => false,
    }
}

fn field_matches(types: &TypeRegistry, sub: FieldType, sup: FieldType) -> bool {
    let storage = match (sub.storage, sup.storage) {
        (StorageType::Val(from), StorageType::Val(to)) if !sup.mutable => {
            val_matches(types, from, to)
        }
        (from, to) => from == to,
    };
    sub.mutable == sup.mutable && storage
}

fn global_matches(types: &TypeRegistry, found: &GlobalType, expected: &GlobalType) -> bool {
    let content = match expected.mutable {
        true => found.content == expected.content,
        false => val_matches(types, found.content, expected.content),
    };
    found.mutable == expected.mutable && content
}

fn table_matches(types: &TypeRegistry, found: &TableType, expected: &TableType) -> bool {
    found.table64 == expected.table64
        && limits_match(&found.limits, &expected.limits)
        && ref_matches(types, found.element, expected.element)
        && ref_matches(types, expected.element, found.element)
}

fn memory_matches(found: &MemoryType, expected: &MemoryType) -> bool {
    found.memory64 == expected.memory64
        && found.shared == expected.shared
        && found.page_size_log2 == expected.page_size_log2
        && limits_match(&found.limits, &expected.limits)
}

fn limits_match(found: &Limits, expected: &Limits) -> bool {
    let below_max = match (found.max, expected.max) {
        (_, None) => true,
        (Some(found), Some(expected)) => found <= expected,
        (None, Some(_)) => false,
    };
    found.min >= expected.min && below_max
}

/// Whether a memory with the bounds `found` is as roomy as code that relies on `needed` takes
/// for granted.
fn bounds_suffice(found: Option<Bounds>, needed: Option<Bounds>) -> bool {
    let (Some(found), Some(needed)) = (found, needed) else { return needed.is_none() };
    match (found, needed) {
        (
            Bounds::Guard { reservation, guard },
            Bounds::Guard { reservation: needed_reservation, guard: needed_guard },
        ) => {
            // Accesses reach from below the reservation into the guard behind it.
            let total = reservation.saturating_add(guard);
            reservation >= needed_reservation
                && total >= needed_reservation.saturating_add(needed_guard)
        }
        (
            Bounds::Guard { guard, .. } | Bounds::Explicit { guard },
            Bounds::Explicit { guard: needed },
        ) => guard >= needed,
        (Bounds::Explicit { .. }, Bounds::Guard { .. }) => false,
    }
}

#[cfg(test)]
mod tests {
    use precast_artifact::index::TypeIndex;

    use super::*;

    #[test]
    fn a_memory_must_be_as_roomy_as_the_code_expects() {
        let guard = |reservation, guard| Some(Bounds::Guard { reservation, guard });
        let explicit = |guard| Some(Bounds::Explicit { guard });
        assert!(bounds_suffice(guard(8, 4), guard(8, 4)));
        assert!(!bounds_suffice(guard(8, 2), guard(8, 4)));
        assert!(!bounds_suffice(guard(4, 8), guard(8, 4)));
        assert!(bounds_suffice(guard(8, 4), explicit(4)));
        assert!(!bounds_suffice(explicit(4), guard(0, 0)));
        assert!(!bounds_suffice(None, explicit(4)));
    }

    #[test]
    fn limits_follow_the_specification() {
        let limits = |min, max| Limits { min, max };
        assert!(limits_match(&limits(2, Some(3)), &limits(1, Some(3))));
        assert!(limits_match(&limits(2, Some(3)), &limits(1, None)));
        assert!(!limits_match(&limits(0, Some(3)), &limits(1, Some(3))));
        assert!(!limits_match(&limits(2, None), &limits(1, Some(3))));
        assert!(!limits_match(&limits(2, Some(4)), &limits(1, Some(3))));
    }

    #[test]
    fn null_references_fit_their_family() {
        let types = TypeRegistry::default();
        let reference = |nullable, heap| ValType::Ref(RefType { nullable, heap });
        let fits = |sub, sup| val_matches(&types, sub, sup);
        let funcref = ValType::Ref(RefType::FUNCREF);
        assert!(fits(reference(true, HeapType::NoFunc), funcref));
        assert!(fits(reference(false, HeapType::Func), funcref));
        assert!(!fits(funcref, reference(false, HeapType::Func)));
        assert!(!fits(reference(true, HeapType::NoExtern), funcref));
    }

    #[test]
    fn objects_have_one_hierarchy() {
        use HeapType::{Any, Array, Eq, Func, I31, None, Struct};
        let types = TypeRegistry::default();
        let fits = |sub, sup| heap_matches(&types, sub, sup);
        let (structure, array) =
            (HeapType::ConcreteStruct(TypeIndex(3)), HeapType::ConcreteArray(TypeIndex(4)));
        for (sub, sups) in [
            (None, &[Any, Eq, I31, Struct, Array, structure, array][..]),
            (structure, &[structure, Struct, Eq, Any]),
            (array, &[array, Array, Eq, Any]),
            (I31, &[I31, Eq, Any]),
            (Any, &[Any]),
        ] {
            for sup in [Any, Eq, I31, Struct, Array, None, structure, array, Func] {
                let expected = sups.contains(&sup) || (sub == None && sup == None);
                assert_eq!(fits(sub, sup), expected, "{sub} {sup}");
            }
        }
    }
}
