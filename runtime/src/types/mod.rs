//! The types of values, functions, memories, tables and globals, as embedders see them.
//!
//! Inside the crate, types are those of `precast_artifact::types` with engine-wide type
//! indices: small, `Copy` where possible, and comparable without the engine. The types here
//! carry their engine with them instead.

mod defined;
mod describe;
mod infos;
mod matching;
mod registry;

use std::fmt;

use precast_artifact::index::TypeIndex;
use precast_artifact::types as raw;

use crate::engine::Engine;

pub use defined::{ArrayType, FieldType, Finality, FuncType, StorageType, StructType};
pub(crate) use describe::{describe_entity, describe_type};
pub(crate) use matching::{Found, heap_matches, import_matches, val_matches};
pub(crate) use registry::{RegisteredType, TypeRegistry, map_ref_type, map_val_type};

/// The type of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValType {
    /// 32-bit integer.
    I32,
    /// 64-bit integer.
    I64,
    /// 32-bit IEEE 754 float.
    F32,
    /// 64-bit IEEE 754 float.
    F64,
    /// 128-bit vector.
    V128,
    /// Reference.
    Ref(RefType),
}

/// The type of a reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefType {
    nullable: bool,
    heap_type: HeapType,
}

/// What a reference points to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeapType {
    /// Any function.
    Func,
    /// No function: the type of a null function reference.
    NoFunc,
    /// Any value of the host.
    Extern,
    /// No value of the host.
    NoExtern,
    /// Any internal value.
    Any,
    /// Internal values that can be compared.
    Eq,
    /// 31-bit integers.
    I31,
    /// Any structure.
    Struct,
    /// Any array.
    Array,
    /// No internal value.
    None,
    /// Any exception.
    Exn,
    /// No exception.
    NoExn,
    /// A function of one type.
    ConcreteFunc(FuncType),
    /// A structure of one type.
    ConcreteStruct(StructType),
    /// An array of one type.
    ConcreteArray(ArrayType),
}

/// The type of a linear memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryType(pub(crate) raw::MemoryType);

/// The type of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableType {
    element: RefType,
    minimum: u64,
    maximum: Option<u64>,
    is_64: bool,
}

/// Whether a global can be assigned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mutability {
    /// It cannot.
    Const,
    /// It can.
    Var,
}

/// The type of a global.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GlobalType {
    content: ValType,
    mutability: Mutability,
}

/// The type of an exception tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagType {
    ty: FuncType,
}

/// The type of an import or an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExternType {
    /// A function.
    Func(FuncType),
    /// A global.
    Global(GlobalType),
    /// A table.
    Table(TableType),
    /// A linear memory.
    Memory(MemoryType),
    /// An exception tag.
    Tag(TagType),
}

/// What a module asks for under a name.
#[derive(Clone, Debug)]
pub struct ImportType<'module> {
    pub(crate) module: &'module str,
    pub(crate) name: &'module str,
    pub(crate) ty: ExternType,
}

/// What a module offers under a name.
#[derive(Clone, Debug)]
pub struct ExportType<'module> {
    pub(crate) name: &'module str,
    pub(crate) ty: ExternType,
}

impl ValType {
    /// `funcref`: a function or null.
    pub const FUNCREF: ValType = ValType::Ref(RefType::FUNCREF);
    /// `externref`: a value of the host or null.
    pub const EXTERNREF: ValType = ValType::Ref(RefType::EXTERNREF);

    /// Whether the type is one of the integers or floats.
    pub fn is_num(&self) -> bool {
        matches!(self, ValType::I32 | ValType::I64 | ValType::F32 | ValType::F64)
    }

    /// Whether the type is a reference.
    pub fn is_ref(&self) -> bool {
        matches!(self, ValType::Ref(_))
    }

    /// Whether every value of this type is one of `other`.
    ///
    /// # Panics
    ///
    /// When they belong to different engines.
    pub fn matches(&self, other: &ValType) -> bool {
        match (self, other) {
            (ValType::Ref(this), ValType::Ref(other)) => this.matches(other),
            (this, other) => this == other,
        }
    }

    /// As [`to_raw`](Self::to_raw), for the use in types of `engine`.
    ///
    /// # Panics
    ///
    /// When it belongs to another engine.
    fn to_raw_in(&self, engine: &Engine) -> raw::ValType {
        if let ValType::Ref(ty) = self
            && let Some(own) = ty.heap_type.engine()
        {
            assert!(Engine::same(engine, own), "a type of another engine was used");
        }
        self.to_raw()
    }

    pub(crate) fn to_raw(&self) -> raw::ValType {
        match self {
            ValType::I32 => raw::ValType::I32,
            ValType::I64 => raw::ValType::I64,
            ValType::F32 => raw::ValType::F32,
            ValType::F64 => raw::ValType::F64,
            ValType::V128 => raw::ValType::V128,
            ValType::Ref(ty) => raw::ValType::Ref(ty.to_raw()),
        }
    }

    pub(crate) fn from_raw(engine: &Engine, ty: raw::ValType) -> ValType {
        match ty {
            raw::ValType::I32 => ValType::I32,
            raw::ValType::I64 => ValType::I64,
            raw::ValType::F32 => ValType::F32,
            raw::ValType::F64 => ValType::F64,
            raw::ValType::V128 => ValType::V128,
            raw::ValType::Ref(ty) => ValType::Ref(RefType::from_raw(engine, ty)),
        }
    }
}

impl RefType {
    /// `funcref`: a function or null.
    pub const FUNCREF: RefType = RefType { nullable: true, heap_type: HeapType::Func };
    /// `externref`: a value of the host or null.
    pub const EXTERNREF: RefType = RefType { nullable: true, heap_type: HeapType::Extern };

    /// The type of references to `heap_type`, and null if `nullable`.
    pub fn new(nullable: bool, heap_type: HeapType) -> RefType {
        RefType { nullable, heap_type }
    }

    /// Whether null is a value of the type.
    pub fn is_nullable(&self) -> bool {
        self.nullable
    }

    /// What a reference that is not null points to.
    pub fn heap_type(&self) -> &HeapType {
        &self.heap_type
    }

    /// Whether every reference of this type is one of `other`.
    ///
    /// # Panics
    ///
    /// When they belong to different engines.
    pub fn matches(&self, other: &RefType) -> bool {
        (other.nullable || !self.nullable) && self.heap_type.matches(&other.heap_type)
    }

    pub(crate) fn to_raw(&self) -> raw::RefType {
        let heap = match &self.heap_type {
            HeapType::Func => raw::HeapType::Func,
            HeapType::NoFunc => raw::HeapType::NoFunc,
            HeapType::Extern => raw::HeapType::Extern,
            HeapType::NoExtern => raw::HeapType::NoExtern,
            HeapType::Any => raw::HeapType::Any,
            HeapType::Eq => raw::HeapType::Eq,
            HeapType::I31 => raw::HeapType::I31,
            HeapType::Struct => raw::HeapType::Struct,
            HeapType::Array => raw::HeapType::Array,
            HeapType::None => raw::HeapType::None,
            HeapType::Exn => raw::HeapType::Exn,
            HeapType::NoExn => raw::HeapType::NoExn,
            HeapType::ConcreteFunc(ty) => raw::HeapType::ConcreteFunc(TypeIndex(ty.id())),
            HeapType::ConcreteStruct(ty) => raw::HeapType::ConcreteStruct(TypeIndex(ty.id())),
            HeapType::ConcreteArray(ty) => raw::HeapType::ConcreteArray(TypeIndex(ty.id())),
        };
        raw::RefType { nullable: self.nullable, heap }
    }

    pub(crate) fn from_raw(engine: &Engine, ty: raw::RefType) -> RefType {
        let heap_type = match ty.heap {
            raw::HeapType::Func => HeapType::Func,
            raw::HeapType::NoFunc => HeapType::NoFunc,
            raw::HeapType::Extern => HeapType::Extern,
            raw::HeapType::NoExtern => HeapType::NoExtern,
            raw::HeapType::Any => HeapType::Any,
            raw::HeapType::Eq => HeapType::Eq,
            raw::HeapType::I31 => HeapType::I31,
            raw::HeapType::Struct => HeapType::Struct,
            raw::HeapType::Array => HeapType::Array,
            raw::HeapType::None => HeapType::None,
            raw::HeapType::Exn => HeapType::Exn,
            raw::HeapType::NoExn => HeapType::NoExn,
            raw::HeapType::ConcreteFunc(id) => {
                HeapType::ConcreteFunc(FuncType::from_id(engine, id.0))
            }
            raw::HeapType::ConcreteStruct(id) => {
                HeapType::ConcreteStruct(StructType::from_id(engine, id.0))
            }
            raw::HeapType::ConcreteArray(id) => {
                HeapType::ConcreteArray(ArrayType::from_id(engine, id.0))
            }
        };
        RefType { nullable: ty.nullable, heap_type }
    }
}

impl HeapType {
    /// Whether everything of this type is of the type `other`.
    ///
    /// # Panics
    ///
    /// When they belong to different engines.
    pub fn matches(&self, other: &HeapType) -> bool {
        let raw = |ty: &HeapType| RefType::new(true, ty.clone()).to_raw().heap;
        let (this, that) = (raw(self), raw(other));
        match (self.engine(), other.engine()) {
            (Some(engine), Some(other)) => {
                assert!(Engine::same(engine, other), "a type of another engine was used");
                matching::heap_matches(engine.types(), this, that)
            }
            _ => matching::family_matches(this, that),
        }
    }

    /// The engine that the type belongs to; `None` when it belongs to all.
    fn engine(&self) -> Option<&Engine> {
        match self {
            HeapType::ConcreteFunc(ty) => Some(ty.engine()),
            HeapType::ConcreteStruct(ty) => Some(ty.engine()),
            HeapType::ConcreteArray(ty) => Some(ty.engine()),
            _ => None,
        }
    }
}

impl fmt::Display for ValType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.to_raw(), f)
    }
}

impl fmt::Display for RefType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.to_raw(), f)
    }
}

impl MemoryType {
    /// A memory of `minimum` to `maximum` pages of 64 KiB, addressed by `i32`.
    pub fn new(minimum: u32, maximum: Option<u32>) -> MemoryType {
        MemoryType(raw::MemoryType {
            limits: raw::Limits { min: minimum.into(), max: maximum.map(u64::from) },
            memory64: false,
            shared: false,
            page_size_log2: 16,
        })
    }

    /// A memory of `minimum` to `maximum` pages of 64 KiB, addressed by `i64`.
    pub fn new64(minimum: u64, maximum: Option<u64>) -> MemoryType {
        MemoryType(raw::MemoryType {
            limits: raw::Limits { min: minimum, max: maximum },
            memory64: true,
            shared: false,
            page_size_log2: 16,
        })
    }

    /// A memory of `minimum` to `maximum` pages of 64 KiB, addressed by `i32`, that several
    /// threads may access.
    pub fn shared(minimum: u32, maximum: u32) -> MemoryType {
        let MemoryType(ty) = MemoryType::new(minimum, Some(maximum));
        MemoryType(raw::MemoryType { shared: true, ..ty })
    }

    /// The smallest size, in pages.
    pub fn minimum(&self) -> u64 {
        self.0.limits.min
    }

    /// The largest size, in pages.
    pub fn maximum(&self) -> Option<u64> {
        self.0.limits.max
    }

    /// Whether it is addressed by `i64`.
    pub fn is_64(&self) -> bool {
        self.0.memory64
    }

    /// Whether several threads may access it.
    pub fn is_shared(&self) -> bool {
        self.0.shared
    }

    /// The size of a page, in bytes.
    pub fn page_size(&self) -> u64 {
        self.0.page_size()
    }
}

impl TableType {
    /// A table of `minimum` to `maximum` elements, indexed by `i32`.
    pub fn new(element: RefType, minimum: u32, maximum: Option<u32>) -> TableType {
        let (minimum, maximum) = (minimum.into(), maximum.map(u64::from));
        TableType { element, minimum, maximum, is_64: false }
    }

    /// A table of `minimum` to `maximum` elements, indexed by `i64`.
    pub fn new64(element: RefType, minimum: u64, maximum: Option<u64>) -> TableType {
        TableType { element, minimum, maximum, is_64: true }
    }

    /// The type of the elements.
    pub fn element(&self) -> &RefType {
        &self.element
    }

    /// The smallest size, in elements.
    pub fn minimum(&self) -> u64 {
        self.minimum
    }

    /// The largest size, in elements.
    pub fn maximum(&self) -> Option<u64> {
        self.maximum
    }

    /// Whether it is indexed by `i64`.
    pub fn is_64(&self) -> bool {
        self.is_64
    }

    pub(crate) fn to_raw(&self) -> raw::TableType {
        raw::TableType {
            element: self.element.to_raw(),
            limits: raw::Limits { min: self.minimum, max: self.maximum },
            table64: self.is_64,
        }
    }

    pub(crate) fn from_raw(engine: &Engine, ty: &raw::TableType) -> TableType {
        TableType {
            element: RefType::from_raw(engine, ty.element),
            minimum: ty.limits.min,
            maximum: ty.limits.max,
            is_64: ty.table64,
        }
    }
}

impl GlobalType {
    /// A global that holds a `content`.
    pub fn new(content: ValType, mutability: Mutability) -> GlobalType {
        GlobalType { content, mutability }
    }

    /// The type of the value.
    pub fn content(&self) -> &ValType {
        &self.content
    }

    /// Whether it can be assigned.
    pub fn mutability(&self) -> Mutability {
        self.mutability
    }

    pub(crate) fn to_raw(&self) -> raw::GlobalType {
        let mutable = self.mutability == Mutability::Var;
        raw::GlobalType { content: self.content.to_raw(), mutable }
    }

    pub(crate) fn from_raw(engine: &Engine, ty: raw::GlobalType) -> GlobalType {
        let mutability = if ty.mutable { Mutability::Var } else { Mutability::Const };
        GlobalType { content: ValType::from_raw(engine, ty.content), mutability }
    }
}

impl TagType {
    /// The type of tags of exceptions that carry the parameters of `ty`.
    pub fn new(ty: FuncType) -> TagType {
        TagType { ty }
    }

    /// The function type whose parameters are the values that an exception carries.
    pub fn ty(&self) -> &FuncType {
        &self.ty
    }
}

impl ExternType {
    /// The public form of a type with engine-wide indices.
    pub(crate) fn from_raw(engine: &Engine, ty: &raw::EntityType) -> ExternType {
        match ty {
            raw::EntityType::Func(id) => ExternType::Func(FuncType::from_id(engine, id.0)),
            raw::EntityType::Table(ty) => ExternType::Table(TableType::from_raw(engine, ty)),
            raw::EntityType::Memory(ty) => ExternType::Memory(MemoryType(*ty)),
            raw::EntityType::Global(ty) => ExternType::Global(GlobalType::from_raw(engine, *ty)),
            raw::EntityType::Tag(id) => {
                ExternType::Tag(TagType { ty: FuncType::from_id(engine, id.0) })
            }
        }
    }

    /// The function type, if it is one.
    pub fn func(&self) -> Option<&FuncType> {
        match self {
            ExternType::Func(ty) => Some(ty),
            _ => None,
        }
    }

    /// The memory type, if it is one.
    pub fn memory(&self) -> Option<&MemoryType> {
        match self {
            ExternType::Memory(ty) => Some(ty),
            _ => None,
        }
    }

    /// The table type, if it is one.
    pub fn table(&self) -> Option<&TableType> {
        match self {
            ExternType::Table(ty) => Some(ty),
            _ => None,
        }
    }

    /// The global type, if it is one.
    pub fn global(&self) -> Option<&GlobalType> {
        match self {
            ExternType::Global(ty) => Some(ty),
            _ => None,
        }
    }
}

impl<'module> ImportType<'module> {
    /// The module name.
    pub fn module(&self) -> &'module str {
        self.module
    }

    /// The field name.
    pub fn name(&self) -> &'module str {
        self.name
    }

    /// What is imported.
    pub fn ty(&self) -> ExternType {
        self.ty.clone()
    }
}

impl<'module> ExportType<'module> {
    /// The field name.
    pub fn name(&self) -> &'module str {
        self.name
    }

    /// What is exported.
    pub fn ty(&self) -> ExternType {
        self.ty.clone()
    }
}
