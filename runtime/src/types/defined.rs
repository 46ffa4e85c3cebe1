//! The types of functions, structures and arrays: those that engines number.

use std::fmt;
use std::sync::Arc;

use precast_artifact::index::TypeIndex;
use precast_artifact::types as raw;
use precast_artifact::vmcontext::MAX_SUPERTYPES;

use super::{Mutability, RegisteredType, ValType};
use crate::engine::Engine;
use crate::error::{Result, TypeError};

/// The type of a function, in one engine. Equal types of one engine compare equal, whichever
/// modules they came from.
#[derive(Clone, PartialEq, Eq)]
pub struct FuncType(Defined);

/// The type of a structure, in one engine, as [`FuncType`].
#[derive(Clone, PartialEq, Eq)]
pub struct StructType(Defined);

/// The type of an array, in one engine, as [`FuncType`].
#[derive(Clone, PartialEq, Eq)]
pub struct ArrayType(Defined);

/// The type of a field of a structure, or of the elements of an array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldType {
    mutability: Mutability,
    element_type: StorageType,
}

/// How a field or an element is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StorageType {
    /// The low 8 bits of an `i32`.
    I8,
    /// The low 16 bits of an `i32`.
    I16,
    /// A whole value.
    ValType(ValType),
}

/// Whether other types can declare a type as their supertype.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Finality {
    /// They cannot.
    Final,
    /// They can.
    NonFinal,
}

/// A type that an engine has numbered.
#[derive(Clone)]
struct Defined {
    engine: Engine,
    id: u32,
    ty: Arc<RegisteredType>,
}

impl Defined {
    fn new(
        engine: &Engine,
        finality: Finality,
        supertype: Option<&Defined>,
        composite: raw::CompositeType,
    ) -> Result<Defined> {
        if let Some(supertype) = supertype {
            assert!(Engine::same(engine, &supertype.engine), "{OTHER_ENGINE}");
            supertype.check_subtype(&composite)?;
        }
        let supertype = supertype.map(|supertype| TypeIndex(supertype.id));
        let is_final = finality == Finality::Final;
        let (id, ty) =
            engine.types().register_one(raw::SubType { is_final, supertype, composite })?;
        Ok(Defined { engine: engine.clone(), id, ty })
    }

    /// Whether something of this structure can declare this type as its supertype.
    fn check_subtype(&self, sub: &raw::CompositeType) -> Result<(), TypeError> {
        let types = self.engine.types();
        let not = |reason| Err(TypeError::NoSubtype(reason));
        if self.ty.is_final {
            return not("the supertype is final");
        }
        if self.ty.supertypes().len() > MAX_SUPERTYPES {
            return not("it has too many supertypes");
        }
        match super::matching::composite_matches(types, sub, &self.ty.composite) {
            true => Ok(()),
            false => not("its parts do not match those of the supertype"),
        }
    }

    fn from_id(engine: &Engine, id: u32) -> Defined {
        Defined { engine: engine.clone(), id, ty: engine.types().get(id) }
    }

    fn supertype(&self) -> Option<Defined> {
        self.ty.supertype.map(|TypeIndex(id)| Defined::from_id(&self.engine, id))
    }

    fn finality(&self) -> Finality {
        if self.ty.is_final { Finality::Final } else { Finality::NonFinal }
    }

    fn matches(&self, other: &Defined) -> bool {
        assert!(Engine::same(&self.engine, &other.engine), "{OTHER_ENGINE}");
        self.engine.types().is_subtype(self.id, other.id)
    }
}

impl PartialEq for Defined {
    fn eq(&self, other: &Defined) -> bool {
        self.id == other.id && Engine::same(&self.engine, &other.engine)
    }
}

impl Eq for Defined {}

const OTHER_ENGINE: &str = "a type of another engine was used";

macro_rules! defined {
    ($($name:ident $as_raw:ident $raw:ident)*) => {$(
        impl $name {
            /// The type with an engine-wide index, which must be of this kind.
            pub(crate) fn from_id(engine: &Engine, id: u32) -> $name {
                let ty = $name(Defined::from_id(engine, id));
                ty.raw();
                ty
            }

            pub(crate) fn id(&self) -> u32 {
                self.0.id
            }

            pub(crate) fn raw(&self) -> &raw::$raw {
                self.0.ty.composite.$as_raw().expect("the kind is part of the type")
            }

            /// The engine that the type belongs to.
            pub fn engine(&self) -> &Engine {
                &self.0.engine
            }

            /// The supertype that it declares.
            pub fn supertype(&self) -> Option<$name> {
                self.0.supertype().map($name)
            }

            /// Whether other types can declare it as their supertype.
            pub fn finality(&self) -> Finality {
                self.0.finality()
            }

            /// Whether it is `other` or a subtype of it.
            ///
            /// # Panics
            ///
            /// When `other` belongs to another engine.
            pub fn matches(&self, other: &$name) -> bool {
                self.0.matches(&other.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self.raw(), f)
            }
        }
    )*};
}

defined! {
    FuncType as_func FuncType
    StructType as_struct StructType
    ArrayType as_array ArrayType
}

impl FuncType {
    /// The type of functions with these parameters and results.
    ///
    /// # Panics
    ///
    /// When one of the types belongs to another engine, or the engine holds as many types as it
    /// can.
    pub fn new(
        engine: &Engine,
        params: impl IntoIterator<Item = ValType>,
        results: impl IntoIterator<Item = ValType>,
    ) -> FuncType {
        let ty =
            FuncType::with_finality_and_supertype(engine, Finality::Final, None, params, results);
        ty.expect("a function type without supertype is always possible")
    }

    /// The type of functions with these parameters and results, below `supertype`.
    ///
    /// # Errors
    ///
    /// When it cannot be a subtype of `supertype`, or the engine holds as many types as it can.
    ///
    /// # Panics
    ///
    /// When one of the types belongs to another engine.
    pub fn with_finality_and_supertype(
        engine: &Engine,
        finality: Finality,
        supertype: Option<&FuncType>,
        params: impl IntoIterator<Item = ValType>,
        results: impl IntoIterator<Item = ValType>,
    ) -> Result<FuncType> {
        let to_raw = |ty: ValType| ty.to_raw_in(engine);
        let params = params.into_iter().map(to_raw).collect();
        let results = results.into_iter().map(to_raw).collect();
        let composite = raw::CompositeType::Func(raw::FuncType { params, results });
        Defined::new(engine, finality, supertype.map(|ty| &ty.0), composite).map(FuncType)
    }

    /// The parameter types.
    pub fn params(&self) -> impl ExactSizeIterator<Item = ValType> + '_ {
        self.raw().params.iter().map(|&ty| ValType::from_raw(self.engine(), ty))
    }

    /// The result types.
    pub fn results(&self) -> impl ExactSizeIterator<Item = ValType> + '_ {
        self.raw().results.iter().map(|&ty| ValType::from_raw(self.engine(), ty))
    }
}

impl StructType {
    /// The type of structures with these fields.
    ///
    /// # Errors
    ///
    /// When they are too large, or the engine holds as many types as it can.
    ///
    /// # Panics
    ///
    /// When one of the types belongs to another engine.
    pub fn new(engine: &Engine, fields: impl IntoIterator<Item = FieldType>) -> Result<StructType> {
        StructType::with_finality_and_supertype(engine, Finality::Final, None, fields)
    }

    /// The type of structures with these fields, below `supertype`.
    ///
    /// # Errors
    ///
    /// When they are too large, it cannot be a subtype of `supertype`, or the engine holds as many
    /// types as it can.
    ///
    /// # Panics
    ///
    /// When one of the types belongs to another engine.
    pub fn with_finality_and_supertype(
        engine: &Engine,
        finality: Finality,
        supertype: Option<&StructType>,
        fields: impl IntoIterator<Item = FieldType>,
    ) -> Result<StructType> {
        /// As many as modules may declare.
        const MAX_FIELDS: usize = 10_000;
        let fields: Vec<_> =
            fields.into_iter().take(MAX_FIELDS + 1).map(|ty| ty.to_raw_in(engine)).collect();
        if fields.len() > MAX_FIELDS {
            return Err(TypeError::Unsupported("structures with more than 10000 fields").into());
        }
        let composite = raw::CompositeType::Struct(raw::StructType { fields });
        Defined::new(engine, finality, supertype.map(|ty| &ty.0), composite).map(StructType)
    }

    /// The field at `index`.
    pub fn field(&self, index: usize) -> Option<FieldType> {
        let field = self.raw().fields.get(index)?;
        Some(FieldType::from_raw(self.engine(), *field))
    }

    /// The fields, in order.
    pub fn fields(&self) -> impl ExactSizeIterator<Item = FieldType> + '_ {
        self.raw().fields.iter().map(|&ty| FieldType::from_raw(self.engine(), ty))
    }
}

impl ArrayType {
    /// The type of arrays with elements of this type.
    ///
    /// # Panics
    ///
    /// When one of the types belongs to another engine, or the engine holds as many types as it
    /// can.
    pub fn new(engine: &Engine, element: FieldType) -> ArrayType {
        let ty = ArrayType::with_finality_and_supertype(engine, Finality::Final, None, element);
        ty.expect("an array type without supertype is always possible")
    }

    /// The type of arrays with elements of this type, below `supertype`.
    ///
    /// # Errors
    ///
    /// When it cannot be a subtype of `supertype`, or the engine holds as many types as it can.
    ///
    /// # Panics
    ///
    /// When one of the types belongs to another engine.
    pub fn with_finality_and_supertype(
        engine: &Engine,
        finality: Finality,
        supertype: Option<&ArrayType>,
        element: FieldType,
    ) -> Result<ArrayType> {
        let element = element.to_raw_in(engine);
        let composite = raw::CompositeType::Array(raw::ArrayType { element });
        Defined::new(engine, finality, supertype.map(|ty| &ty.0), composite).map(ArrayType)
    }

    /// The type of the elements, and whether they can be assigned.
    pub fn field_type(&self) -> FieldType {
        FieldType::from_raw(self.engine(), self.raw().element)
    }

    /// How an element is stored.
    pub fn element_type(&self) -> StorageType {
        self.field_type().element_type
    }

    /// Whether elements can be assigned.
    pub fn mutability(&self) -> Mutability {
        self.field_type().mutability
    }
}

impl FieldType {
    /// A field that is stored so.
    pub fn new(mutability: Mutability, element_type: StorageType) -> FieldType {
        FieldType { mutability, element_type }
    }

    /// Whether it can be assigned.
    pub fn mutability(&self) -> Mutability {
        self.mutability
    }

    /// How it is stored.
    pub fn element_type(&self) -> &StorageType {
        &self.element_type
    }

    fn to_raw_in(&self, engine: &Engine) -> raw::FieldType {
        let storage = match &self.element_type {
            StorageType::I8 => raw::StorageType::I8,
            StorageType::I16 => raw::StorageType::I16,
            StorageType::ValType(ty) => raw::StorageType::Val(ty.to_raw_in(engine)),
        };
        raw::FieldType { storage, mutable: self.mutability == Mutability::Var }
    }

    fn from_raw(engine: &Engine, ty: raw::FieldType) -> FieldType {
        let element_type = match ty.storage {
            raw::StorageType::I8 => StorageType::I8,
            raw::StorageType::I16 => StorageType::I16,
            raw::StorageType::Val(ty) => StorageType::ValType(ValType::from_raw(engine, ty)),
        };
        let mutability = if ty.mutable { Mutability::Var } else { Mutability::Const };
        FieldType { mutability, element_type }
    }
}

impl StorageType {
    /// The type of the values that are read and written.
    pub fn unpack(&self) -> &ValType {
        match self {
            StorageType::I8 | StorageType::I16 => &ValType::I32,
            StorageType::ValType(ty) => ty,
        }
    }
}

impl From<ValType> for StorageType {
    fn from(ty: ValType) -> StorageType {
        StorageType::ValType(ty)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{HeapType, RefType};
    use super::*;

    fn field(mutability: Mutability, ty: impl Into<StorageType>) -> FieldType {
        FieldType::new(mutability, ty.into())
    }

    #[test]
    fn host_types_are_those_of_the_same_shape() {
        let engine = Engine::default();
        let make = || StructType::new(&engine, [field(Mutability::Var, ValType::I32)]).unwrap();
        assert_eq!(make(), make());
        assert_eq!(make().to_string(), "struct (field (mut i32))");
        let array = ArrayType::new(&engine, field(Mutability::Const, StorageType::I8));
        assert_eq!(array.element_type().unpack(), &ValType::I32);
        assert_ne!(array, ArrayType::new(&engine, field(Mutability::Var, StorageType::I8)));
        let other = Engine::default();
        assert_ne!(make(), StructType::new(&other, make().fields()).unwrap());
    }

    #[test]
    fn subtypes_are_checked() {
        let engine = Engine::default();
        let sub = |finality, supertype: Option<&StructType>, fields: &[FieldType]| {
            let fields = fields.iter().cloned();
            StructType::with_finality_and_supertype(&engine, finality, supertype, fields)
        };
        let any = ValType::Ref(RefType::new(true, HeapType::Any));
        let i31 = ValType::Ref(RefType::new(true, HeapType::I31));
        let top = sub(Finality::NonFinal, None, &[field(Mutability::Const, any.clone())]).unwrap();
        let narrower = [field(Mutability::Const, i31), field(Mutability::Var, ValType::I64)];
        let leaf = sub(Finality::Final, Some(&top), &narrower).unwrap();
        assert!(leaf.matches(&top) && !top.matches(&leaf));
        assert_eq!(leaf.supertype(), Some(top.clone()));
        assert!(sub(Finality::Final, Some(&leaf), &narrower).is_err());
        assert!(sub(Finality::Final, Some(&top), &[]).is_err());
        assert!(sub(Finality::Final, Some(&top), &[field(Mutability::Var, any)]).is_err());
        let concrete = RefType::new(true, HeapType::ConcreteStruct(leaf));
        assert!(concrete.matches(&RefType::new(true, HeapType::Struct)));
        assert!(concrete.matches(&RefType::new(true, HeapType::ConcreteStruct(top))));
        assert!(!concrete.matches(&RefType::new(false, HeapType::Eq)));
    }
}
