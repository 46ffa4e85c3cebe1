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
    /// A function of one type of the module.
    ConcreteFunc(TypeIndex),
    /// A structure of one type of the module.
    ConcreteStruct(TypeIndex),
    /// An array of one type of the module.
    ConcreteArray(TypeIndex),
}

/// The type of a function.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FuncType {
    /// Parameter types.
    pub params: Vec<ValType>,
    /// Result types.
    pub results: Vec<ValType>,
}

/// How a field or an element of an object is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum StorageType {
    /// The low 8 bits of an `i32`.
    I8,
    /// The low 16 bits of an `i32`.
    I16,
    /// A whole value.
    Val(ValType),
}

/// The type of a field of a structure, or of the elements of an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FieldType {
    /// How it is stored.
    pub storage: StorageType,
    /// Whether it can be assigned.
    pub mutable: bool,
}

/// The type of a structure.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct StructType {
    /// Its fields.
    pub fields: Vec<FieldType>,
}

/// The type of an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ArrayType {
    /// The type of its elements.
    pub element: FieldType,
}

/// What a defined type is made of.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum CompositeType {
    /// A function type.
    Func(FuncType),
    /// A structure type.
    Struct(StructType),
    /// An array type.
    Array(ArrayType),
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
        self.types.get(index.as_usize())?.composite.as_func()
    }

    /// Whether there is a type of the right kind at the index that `ty` has, if it has one.
    pub fn has(&self, ty: HeapType) -> bool {
        ty.type_index().is_none_or(|index| {
            let found = self.types.get(index.as_usize());
            found.is_some_and(|found| found.composite.heap_type(index) == ty)
        })
    }
}

impl CompositeType {
    /// The function type, if it is one.
    pub fn as_func(&self) -> Option<&FuncType> {
        match self {
            CompositeType::Func(ty) => Some(ty),
            _ => None,
        }
    }

    /// The structure type, if it is one.
    pub fn as_struct(&self) -> Option<&StructType> {
        match self {
            CompositeType::Struct(ty) => Some(ty),
            _ => None,
        }
    }

    /// The array type, if it is one.
    pub fn as_array(&self) -> Option<&ArrayType> {
        match self {
            CompositeType::Array(ty) => Some(ty),
            _ => None,
        }
    }

    /// What references to the type at `index`, which is this one, point to.
    pub fn heap_type(&self, index: TypeIndex) -> HeapType {
        match self {
            CompositeType::Func(_) => HeapType::ConcreteFunc(index),
            CompositeType::Struct(_) => HeapType::ConcreteStruct(index),
            CompositeType::Array(_) => HeapType::ConcreteArray(index),
        }
    }
}

impl StorageType {
    /// How many bytes it takes in an object.
    pub fn size(self) -> u32 {
        match self {
            StorageType::I8 => 1,
            StorageType::I16 => 2,
            StorageType::Val(ty) => ty.size(),
        }
    }

    /// The type of the values that are read and written.
    pub fn unpacked(self) -> ValType {
        match self {
            StorageType::I8 | StorageType::I16 => ValType::I32,
            StorageType::Val(ty) => ty,
        }
    }
}

impl HeapType {
    /// The same with another index, if it has one; `None` when `map` knows none for it.
    pub fn map_index(self, map: impl FnOnce(TypeIndex) -> Option<TypeIndex>) -> Option<HeapType> {
        Some(match self {
            HeapType::ConcreteFunc(index) => HeapType::ConcreteFunc(map(index)?),
            HeapType::ConcreteStruct(index) => HeapType::ConcreteStruct(map(index)?),
            HeapType::ConcreteArray(index) => HeapType::ConcreteArray(map(index)?),
            abstract_type => abstract_type,
        })
    }

    /// The type of the module that it names, if it does.
    pub fn type_index(self) -> Option<TypeIndex> {
        match self {
            HeapType::ConcreteFunc(index)
            | HeapType::ConcreteStruct(index)
            | HeapType::ConcreteArray(index) => Some(index),
            _ => None,
        }
    }
}

impl RefType {
    /// `(ref null func)`.
    pub const FUNCREF: RefType = RefType { nullable: true, heap: HeapType::Func };
    /// `(ref null extern)`.
    pub const EXTERNREF: RefType = RefType { nullable: true, heap: HeapType::Extern };

    /// Whether the reference is a pointer to a `VMFuncRef`; all others are 32-bit
    /// references into the store's heap.
    pub fn is_func(self) -> bool {
        matches!(self.heap, HeapType::Func | HeapType::NoFunc | HeapType::ConcreteFunc(_))
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
            HeapType::ConcreteFunc(index)
            | HeapType::ConcreteStruct(index)
            | HeapType::ConcreteArray(index) => return write!(f, "{}", index.0),
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

impl fmt::Display for StorageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StorageType::I8 => f.write_str("i8"),
            StorageType::I16 => f.write_str("i16"),
            StorageType::Val(ty) => ty.fmt(f),
        }
    }
}

impl fmt::Display for FieldType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mutable {
            true => write!(f, "(mut {})", self.storage),
            false => self.storage.fmt(f),
        }
    }
}

impl fmt::Display for StructType {
    /// As in `struct (field i32 (mut i8))`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("struct (field")?;
        self.fields.iter().try_for_each(|field| write!(f, " {field}"))?;
        f.write_str(")")
    }
}

impl fmt::Display for ArrayType {
    /// As in `array (mut i8)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "array {}", self.element)
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
