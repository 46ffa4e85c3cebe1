//! The types of an engine: every function type that one of its modules or host functions
//! uses, once.
//!
//! Two types are the same when their recursion groups have the same structure and they
//! stand at the same place in them. Types are kept until the engine goes, so a type's
//! number is never given out again; what a host can make it keep is bounded by the modules that
//! it loads.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use precast_artifact::index::TypeIndex;
use precast_artifact::types::{CompositeType, FuncType, HeapType, SubType, TypeSection, ValType};

use crate::error::ModuleError;

/// Marks a reference to a type of the same group in a group's key; engine-wide indices stay
/// below it.
const IN_GROUP: u32 = 1 << 31;

/// All types of an engine. In the types that it returns, a [`TypeIndex`] is the
/// engine-wide index of a type.
#[derive(Debug, Default)]
pub(crate) struct TypeRegistry {
    types: RwLock<Types>,
}

#[derive(Debug, Default)]
struct Types {
    /// The index of a group's first type. In the key, references to types of the group itself
    /// are positions in it.
    groups: HashMap<Box<[SubType]>, u32>,
    types: Vec<Arc<SubType>>,
}

impl TypeRegistry {
    /// The engine-wide indices of a module's types, by type index.
    ///
    /// # Errors
    ///
    /// When the groups do not add up to the types, or a type refers to one that comes later
    /// than its group.
    pub(crate) fn register(&self, section: &TypeSection) -> Result<Box<[u32]>, ModuleError> {
        let damaged = || ModuleError::Damaged("its types refer to types that do not exist");
        let mut ids: Vec<u32> = Vec::with_capacity(section.types.len());
        let mut registry = self.types.write().unwrap_or_else(|poisoned| poisoned.into_inner());
        for &len in &section.groups {
            let start = ids.len();
            let end = start.checked_add(len as usize).ok_or_else(damaged)?;
            let group = section.types.get(start..end).ok_or_else(damaged)?;
            let key = group
                .iter()
                .map(|ty| {
                    map_type(ty, &|index| {
                        let position = index.as_usize();
                        match position.checked_sub(start) {
                            Some(inside) if position < end => Some(IN_GROUP | inside as u32),
                            _ => ids.get(position).copied(),
                        }
                    })
                })
                .collect::<Option<Box<[SubType]>>>()
                .ok_or_else(damaged)?;
            let first = registry.group(key);
            ids.extend(first..first + len);
        }
        if ids.len() != section.types.len() {
            return Err(damaged());
        }
        Ok(ids.into_boxed_slice())
    }

    /// The engine-wide index of a final function type without supertype, alone in its group.
    /// Concrete references in it are engine-wide.
    pub(crate) fn register_func(&self, ty: FuncType) -> (u32, Arc<SubType>) {
        let mut registry = self.types.write().unwrap_or_else(|poisoned| poisoned.into_inner());
        let key = SubType { is_final: true, supertype: None, composite: CompositeType::Func(ty) };
        let id = registry.group(Box::new([key]));
        (id, registry.types[id as usize].clone())
    }

    /// The type at an engine-wide index that this registry gave out.
    pub(crate) fn get(&self, id: u32) -> Arc<SubType> {
        let registry = self.types.read().unwrap_or_else(|poisoned| poisoned.into_inner());
        registry.types[id as usize].clone()
    }

    /// Whether the type `sub` is `sup` or declares it as a supertype, directly or not.
    pub(crate) fn is_subtype(&self, sub: u32, sup: u32) -> bool {
        if sub == sup {
            return true;
        }
        let registry = self.types.read().unwrap_or_else(|poisoned| poisoned.into_inner());
        let mut id = sub;
        while let Some(index) = registry.types[id as usize].supertype {
            if index.0 == sup {
                return true;
            }
            // Only earlier types can be supertypes, so this ends; a damaged artifact must
            // not make it loop.
            if index.0 >= id {
                return false;
            }
            id = index.0;
        }
        false
    }
}

impl Types {
    fn group(&mut self, key: Box<[SubType]>) -> u32 {
        if let Some(&first) = self.groups.get(&key) {
            return first;
        }
        let first = self.types.len() as u32;
        assert!(self.types.len() + key.len() < IN_GROUP as usize, "an engine holds 2^31 types");
        let absolute = |index: TypeIndex| match index.0 & IN_GROUP {
            0 => Some(index.0),
            _ => Some(first + (index.0 & !IN_GROUP)),
        };
        for ty in &key {
            let ty = map_type(ty, &absolute).expect("every index has an absolute form");
            self.types.push(Arc::new(ty));
        }
        self.groups.insert(key, first);
        first
    }
}

/// `ty` with every type index replaced; `None` when one has no replacement.
fn map_type(ty: &SubType, map: &dyn Fn(TypeIndex) -> Option<u32>) -> Option<SubType> {
    let CompositeType::Func(func) = &ty.composite;
    let list = |types: &[ValType]| {
        types.iter().map(|&ty| map_val_type(ty, map)).collect::<Option<Vec<_>>>()
    };
    Some(SubType {
        is_final: ty.is_final,
        supertype: match ty.supertype {
            Some(index) => Some(TypeIndex(map(index)?)),
            None => None,
        },
        composite: CompositeType::Func(FuncType {
            params: list(&func.params)?,
            results: list(&func.results)?,
        }),
    })
}

/// `ty` with its type index replaced, if it has one.
pub(crate) fn map_val_type(ty: ValType, map: &dyn Fn(TypeIndex) -> Option<u32>) -> Option<ValType> {
    Some(match ty {
        ValType::Ref(mut reference) => {
            if let HeapType::Concrete(index) = reference.heap {
                reference.heap = HeapType::Concrete(TypeIndex(map(index)?));
            }
            ValType::Ref(reference)
        }
        other => other,
    })
}

#[cfg(test)]
mod tests {
    use precast_artifact::types::RefType;

    use super::*;

    fn func(params: &[ValType], is_final: bool, supertype: Option<u32>) -> SubType {
        SubType {
            is_final,
            supertype: supertype.map(TypeIndex),
            composite: CompositeType::Func(FuncType { params: params.to_vec(), results: vec![] }),
        }
    }

    fn reference(index: u32) -> ValType {
        ValType::Ref(RefType { nullable: true, heap: HeapType::Concrete(TypeIndex(index)) })
    }

    #[test]
    fn equal_groups_get_equal_indices() {
        let registry = TypeRegistry::default();
        let first = TypeSection {
            types: vec![
                func(&[ValType::I32], true, None),
                func(&[reference(2)], true, None),
                func(&[reference(1), reference(0)], true, None),
            ],
            groups: vec![1, 2],
        };
        // The same types, behind others.
        let second = TypeSection {
            types: vec![
                func(&[], true, None),
                func(&[ValType::I32], true, None),
                func(&[reference(3)], true, None),
                func(&[reference(2), reference(1)], true, None),
            ],
            groups: vec![1, 1, 2],
        };
        let first = registry.register(&first).unwrap();
        let second = registry.register(&second).unwrap();
        assert_eq!(first[..], second[1..]);
        assert!(!first.contains(&second[0]));
        let (id, _) =
            registry.register_func(FuncType { params: vec![ValType::I32], results: vec![] });
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
    fn damaged_sections_are_refused() {
        let registry = TypeRegistry::default();
        for section in [
            TypeSection { types: vec![func(&[], true, None)], groups: vec![] },
            TypeSection { types: vec![], groups: vec![u32::MAX] },
            TypeSection { types: vec![func(&[reference(1)], true, None)], groups: vec![1] },
        ] {
            assert!(registry.register(&section).is_err());
        }
    }
}
