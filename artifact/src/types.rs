//! WebAssembly types as the artifact stores them.
//!
//! A concrete reference type names a [`TypeIndex`] of its own module; the runtime maps
//! these to engine-wide types, one recursion group at a time, when it loads an artifact.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::index::TypeIndex;

/// The type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RefType {
    /// Whether null is a value of the type.
    pub nullable: bool,
    /// What a reference that is not null points to.
    pub heap: HeapType,
}

/// What a reference points to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
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
    /// A value of one type of the module.
    Concrete(TypeIndex),
}

/// The type of a function.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FuncType {
    /// Parameter types.
    pub params: Vec<ValType>,
    /// Result types.
    pub results: Vec<ValType>,
}

/// What a defined type is made of.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum CompositeType {
    /// A function type.
    Func(FuncType),
}

/// One type of the type section.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SubType {
    /// Whether no other type can declare this one as its supertype.
    pub is_final: bool,
    /// The declared supertype.
    pub supertype: Option<TypeIndex>,
    /// The structure of the type.
    pub composite: CompositeType,
}

/// The type section: every type in order, cut into recursion groups.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TypeSection {
    /// All types, in index order.
    pub types: Vec<SubType>,
    /// The length of each recursion group; they add up to `types.len()`.
    pub groups: Vec<u32>,
}

/// Size limits of a table or a memory, in elements or pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Initial size.
    pub min: u64,
    /// Size that growth never exceeds.
    pub max: Option<u64>,
}

/// The type of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableType {
    /// The type of its elements.
    pub element: RefType,
    /// Its size in elements.
    pub limits: Limits,
    /// Whether it is indexed by `i64`.
    pub table64: bool,
}

/// The type of a linear memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryType {
    /// Its size in pages.
    pub limits: Limits,
    /// Whether it is addressed by `i64`.
    pub memory64: bool,
    /// Whether several threads may access it.
    pub shared: bool,
    /// Binary logarithm of the page size in bytes: 16, or 0 for one-byte pages.
    pub page_size_log2: u8,
}

/// The type of a global.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GlobalType {
    /// The type of its value.
    pub content: ValType,
    /// Whether it can be assigned.
    pub mutable: bool,
}

/// The type of an import or an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EntityType {
    /// A function.
    Func(TypeIndex),
    /// A table.
    Table(TableType),
    /// A linear memory.
    Memory(MemoryType),
    /// A global.
    Global(GlobalType),
    /// An exception tag, whose parameters are those of a function type.
    Tag(TypeIndex),
}

impl TypeSection {
    /// The function type at `index`, or `None` when there is no such function type.
    pub fn func(&self, index: TypeIndex) -> Option<&FuncType> {
        match &self.types.get(index.as_usize())?.composite {
            CompositeType::Func(ty) => Some(ty),
        }
    }
}

impl RefType {
    /// `(ref null func)`.
    pub const FUNCREF: RefType = RefType { nullable: true, heap: HeapType::Func };
    /// `(ref null extern)`.
    pub const EXTERNREF: RefType = RefType { nullable: true, heap: HeapType::Extern };

    /// Whether the reference is a pointer to a `VMFuncRef`; all others are 32-bit
    /// references into the store's heap. Only function types are defined types so far.
    pub fn is_func(self) -> bool {
        matches!(self.heap, HeapType::Func | HeapType::NoFunc | HeapType::Concrete(_))
    }
}

impl ValType {
    /// How many bytes a value takes in a global or a `ValRaw`.
    pub fn size(self) -> u32 {
        match self {
            ValType::I32 | ValType::F32 => 4,
            ValType::I64 | ValType::F64 => 8,
            ValType::V128 => 16,
            ValType::Ref(ty) if ty.is_func() => 8,
            ValType::Ref(_) => 4,
        }
    }
}

impl MemoryType {
    /// The page size in bytes.
    pub fn page_size(&self) -> u64 {
        1 << self.page_size_log2
    }
}

impl fmt::Display for HeapType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            HeapType::Func => "func",
            HeapType::NoFunc => "nofunc",
            HeapType::Extern => "extern",
            HeapType::NoExtern => "noextern",
            HeapType::Any => "any",
            HeapType::Eq => "eq",
            HeapType::I31 => "i31",
            HeapType::Struct => "struct",
            HeapType::Array => "array",
            HeapType::None => "none",
            HeapType::Exn => "exn",
            HeapType::NoExn => "noexn",
            HeapType::Concrete(index) => return write!(f, "{}", index.0),
        })
    }
}

impl fmt::Display for RefType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            RefType::FUNCREF => f.write_str("funcref"),
            RefType::EXTERNREF => f.write_str("externref"),
            RefType { nullable: true, heap } => write!(f, "(ref null {heap})"),
            RefType { nullable: false, heap } => write!(f, "(ref {heap})"),
        }
    }
}

impl fmt::Display for ValType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ValType::I32 => f.write_str("i32"),
            ValType::I64 => f.write_str("i64"),
            ValType::F32 => f.write_str("f32"),
            ValType::F64 => f.write_str("f64"),
            ValType::V128 => f.write_str("v128"),
            ValType::Ref(ty) => ty.fmt(f),
        }
    }
}

impl fmt::Display for FuncType {
    /// As in `(i32, i64) -> (f32)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, types: &[ValType]| {
            f.write_str("(")?;
            for (i, ty) in types.iter().enumerate() {
                write!(f, "{}{ty}", if i == 0 { "" } else { ", " })?;
            }
            f.write_str(")")
        };
        list(f, &self.params)?;
        f.write_str(" -> ")?;
        list(f, &self.results)
    }
}
