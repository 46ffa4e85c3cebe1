//! The types of what modules import and export.

use precast_artifact::types as raw;

use super::{FuncType, RefType, ValType};
use crate::engine::Engine;

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
