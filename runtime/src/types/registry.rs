//! The types of an engine: every type that one of its modules or its host uses, once.
//!
//! Two types are the same when their recursion groups have the same structure and they
//! stand at the same place in them. Types are kept until the engine goes, so a type's
//! number is never given out again; what a host can make it keep is bounded by the modules that
//! it loads, and by [`MAX_TYPES`].

use std::collections::HashMap;
use std::mem;
use std::ops::Deref;
use std::sync::{Arc, RwLock};

use precast_artifact::index::TypeIndex;
use precast_artifact::object::{FIRST_TYPE, MAX_TYPES, ObjectLayout};
use precast_artifact::types::{
    ArrayType, CompositeType, FieldType, FuncType, HeapType, RefType, StorageType, StructType,
    SubType, TypeSection, ValType,
};
use precast_artifact::vmcontext::{MAX_SUPERTYPES, VMTypeInfo};

use super::infos::{TypeInfo, TypeInfos};
use crate::error::ModuleError;

/// Marks a reference to a type of the same group in a group's key; engine-wide indices stay
/// below it.
const IN_GROUP: u32 = 1 << 31;

const NO_SUBTYPE: ModuleError =
    ModuleError::Damaged("one of its types cannot be a subtype of what it says");

/// All types of an engine. In the types that it returns, a [`TypeIndex`] is the
/// engine-wide index of a type.
#[derive(Debug, Default)]
pub(crate) struct TypeRegistry {
    types: RwLock<Types>,
    infos: TypeInfos,
}

/// A type of an engine.
#[derive(Debug)]
pub(crate) struct RegisteredType {
    ty: SubType,
    layout: Option<ObjectLayout>,
    info: TypeInfo,
}

#[derive(Debug, Default)]
struct Types {
    /// The index of a group's first type. In the key, references to types of the group itself
    /// are positions in it.
    groups: HashMap<Box<[SubType]>, u32>,
    /// From [`FIRST_TYPE`] on.
    types: Vec<Arc<RegisteredType>>,
}

impl RegisteredType {
    /// How its objects lie in memory; `None` for functions.
    pub(crate) fn layout(&self) -> Option<&ObjectLayout> {
        self.layout.as_ref()
    }

    /// Its supertypes, the one without a supertype first, and then itself.
    pub(crate) fn supertypes(&self) -> &[u32] {
        self.info.supertypes()
    }
}

impl Deref for RegisteredType {
    type Target = SubType;

    fn deref(&self) -> &SubType {
        &self.ty
    }
}

impl TypeRegistry {
    /// The engine-wide indices of a module's types, by type index.
    ///
    /// # Errors
    ///
    /// When the groups do not add up to the types, a type refers to one that comes later
    /// than its group or cannot be a subtype of what it says, or there are too many types.
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
                    let map = |index: TypeIndex| {
                        let position = index.as_usize();
                        match position.checked_sub(start) {
                            Some(inside) if position < end => {
                                Some(TypeIndex(IN_GROUP | inside as u32))
                            }
                            _ => ids.get(position).copied().map(TypeIndex),
                        }
                    };
                    map_type(ty, &|heap| section.has(heap).then(|| heap.map_index(map))?, &map)
                })
                .collect::<Option<Box<[SubType]>>>()
                .ok_or_else(damaged)?;
            let first = registry.group(key, &self.infos)?;
            ids.extend(first..first + len);
        }
        if ids.len() != section.types.len() {
            return Err(damaged());
        }
        Ok(ids.into_boxed_slice())
    }

    /// The engine-wide index of a type that is alone in its group. Concrete references in it
    /// are engine-wide.
    ///
    /// # Errors
    ///
    /// When it has too many supertypes, its objects were too large, or there are too many types.
    pub(crate) fn register_one(
        &self,
        ty: SubType,
    ) -> Result<(u32, Arc<RegisteredType>), ModuleError> {
        let mut registry = self.types.write().unwrap_or_else(|poisoned| poisoned.into_inner());
        let id = registry.group(Box::new([ty]), &self.infos)?;
        let ty = registry.get(id).expect("it was just registered");
        Ok((id, ty.clone()))
    }

    /// The type at an engine-wide index that this registry gave out.
    pub(crate) fn get(&self, id: u32) -> Arc<RegisteredType> {
        self.find(id).expect("the registry gave the index out")
    }

    /// The type at an engine-wide index; `None` when there is none.
    pub(crate) fn find(&self, id: u32) -> Option<Arc<RegisteredType>> {
        let registry = self.types.read().unwrap_or_else(|poisoned| poisoned.into_inner());
        registry.get(id).cloned()
    }

    /// Whether the type `sub` is `sup` or declares it as a supertype, directly or not.
    pub(crate) fn is_subtype(&self, sub: u32, sup: u32) -> bool {
        if sub == sup {
            return true;
        }
        let registry = self.types.read().unwrap_or_else(|poisoned| poisoned.into_inner());
        registry.get(sub).is_some_and(|ty| ty.info.supertypes().contains(&sup))
    }

    /// What generated code reads, by engine-wide index. It stays where it is as long as the
    /// registry.
    pub(crate) fn infos(&self) -> *const *const VMTypeInfo {
        self.infos.as_ptr()
    }
}

impl Types {
    fn get(&self, id: u32) -> Option<&Arc<RegisteredType>> {
        self.types.get(id.checked_sub(FIRST_TYPE)? as usize)
    }

    fn group(&mut self, key: Box<[SubType]>, infos: &TypeInfos) -> Result<u32, ModuleError> {
        if let Some(&first) = self.groups.get(&key) {
            return Ok(first);
        }
        let first = FIRST_TYPE + self.types.len() as u32;
        if self.types.len() + key.len() > (MAX_TYPES - FIRST_TYPE) as usize {
            return Err(ModuleError::TooManyTypes);
        }
        let absolute = |index: TypeIndex| match index.0 & IN_GROUP {
            0 => Some(index),
            _ => Some(TypeIndex(first + (index.0 & !IN_GROUP))),
        };
        let mut types: Vec<Arc<RegisteredType>> = Vec::with_capacity(key.len());
        for (ty, id) in key.iter().zip(first..) {
            let ty = map_type(ty, &|heap| heap.map_index(absolute), &absolute);
            let ty = ty.expect("every index has an absolute form");
            let mut supertypes = Vec::new();
            if let Some(TypeIndex(supertype)) = ty.supertype {
                // Only earlier types can be supertypes.
                let supertype = match supertype.checked_sub(first) {
                    None => self.get(supertype),
                    Some(inside) => types.get(inside as usize),
                };
                let supertype = supertype.ok_or(NO_SUBTYPE)?;
                if mem::discriminant(&supertype.composite) != mem::discriminant(&ty.composite) {
                    return Err(NO_SUBTYPE);
                }
                supertypes.extend_from_slice(supertype.info.supertypes());
            }
            if supertypes.len() > MAX_SUPERTYPES {
                return Err(NO_SUBTYPE);
            }
            supertypes.push(id);
            let layout = ObjectLayout::new(&ty.composite);
            if layout.is_none() && ty.composite.as_func().is_none() {
                return Err(ModuleError::Damaged("a type's objects are too large"));
            }
            let info = TypeInfo::new(&ty.composite, &supertypes);
            types.push(Arc::new(RegisteredType { ty, layout, info }));
        }
        for (ty, id) in types.iter().zip(first..) {
            infos.set(id, &ty.info);
        }
        self.types.extend(types);
        self.groups.insert(key, first);
        Ok(first)
    }
}

type MapHeap<'a> = &'a dyn Fn(HeapType) -> Option<HeapType>;

/// `ty` with every type index replaced; `None` when one has no replacement.
fn map_type(
    ty: &SubType,
    heap: MapHeap<'_>,
    index: &dyn Fn(TypeIndex) -> Option<TypeIndex>,
) -> Option<SubType> {
    let list = |types: &[ValType]| {
        types.iter().map(|&ty| map_val_type(ty, heap)).collect::<Option<Vec<_>>>()
    };
    Some(SubType {
        is_final: ty.is_final,
        supertype: match ty.supertype {
            Some(supertype) => Some(index(supertype)?),
            None => None,
        },
        composite: match &ty.composite {
            CompositeType::Func(func) => CompositeType::Func(FuncType {
                params: list(&func.params)?,
                results: list(&func.results)?,
            }),
            CompositeType::Struct(ty) => {
                let fields = ty.fields.iter().map(|&field| map_field_type(field, heap));
                CompositeType::Struct(StructType { fields: fields.collect::<Option<_>>()? })
            }
            CompositeType::Array(ty) => {
                CompositeType::Array(ArrayType { element: map_field_type(ty.element, heap)? })
            }
        },
    })
}

fn map_field_type(ty: FieldType, heap: MapHeap<'_>) -> Option<FieldType> {
    let storage = match ty.storage {
        StorageType::Val(val) => StorageType::Val(map_val_type(val, heap)?),
        packed => packed,
    };
    Some(FieldType { storage, ..ty })
}

/// `ty` with its type index replaced, if it has one.
pub(crate) fn map_val_type(ty: ValType, heap: MapHeap<'_>) -> Option<ValType> {
    Some(match ty {
        ValType::Ref(ty) => ValType::Ref(map_ref_type(ty, heap)?),
        other => other,
    })
}

/// `ty` with its type index replaced, if it has one.
pub(crate) fn map_ref_type(ty: RefType, heap: MapHeap<'_>) -> Option<RefType> {
    Some(RefType { heap: heap(ty.heap)?, ..ty })
}

#[cfg(test)]
mod tests;
