//! What the runtime needs to know about a module: the part of an artifact that is decoded.
//!
//! It grows with the imports, exports, types and segments of a module, never with its
//! functions: those are in fixed-width tables that are read where they lie.

use serde::{Deserialize, Serialize};

use crate::index::{
    DataIndex, ElemIndex, FuncIndex, GlobalIndex, MemoryIndex, TableIndex, TagIndex, TypeIndex,
};
use crate::types::{EntityType, GlobalType, HeapType, MemoryType, RefType, TableType, TypeSection};

/// A compiled module, except for its code and its bulk data.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Module {
    /// The module's own name, from its name section.
    pub name: Option<String>,
    /// Its types.
    pub types: TypeSection,
    /// Its imports, in order.
    pub imports: Vec<Import>,
    /// How many imports there are of each kind.
    pub imported: ImportCounts,
    /// Its exports, in order.
    pub exports: Vec<Export>,
    /// The function that runs at instantiation.
    pub start: Option<FuncIndex>,
    /// How many functions the module defines.
    pub defined_functions: u32,
    /// How many functions, imported ones included, have a `VMFuncRef`.
    pub func_refs: u32,
    /// The `VMFuncRef` slots of imported functions that have one, by function.
    pub imported_func_refs: Vec<Option<u32>>,
    /// All tables, imports first.
    pub tables: Vec<TableType>,
    /// The initial value of each own table's elements.
    pub table_initializers: Vec<ConstExpr>,
    /// All memories, imports first.
    pub memories: Vec<MemoryPlan>,
    /// All globals, imports first.
    pub globals: Vec<GlobalType>,
    /// The initial value of each own global.
    pub global_initializers: Vec<ConstExpr>,
    /// The function types of all exception tags, imports first.
    pub tags: Vec<TypeIndex>,
    /// The initial contents of own tables that are known at compile time. They apply before
    /// any element segment.
    pub table_images: Vec<TableImage>,
    /// Own tables of functions whose contents the code holds, ascending: an instance has nothing for
    /// them but their length.
    pub closed_tables: Vec<TableIndex>,
    /// The element segments that can be used, in order of index: those that became part of a
    /// table image, and declarations, are left out.
    pub elements: Vec<ElementSegment>,
    /// The initial contents of own memories that are known at compile time. They apply
    /// before any data segment.
    pub memory_images: Vec<MemoryImage>,
    /// The data segments that can be used, in order of index: those that became part of a
    /// memory image are left out.
    pub data: Vec<DataSegment>,
    /// The trampolines of each function type, in order of type index. Types without
    /// trampolines are left out; types that are equal share them.
    pub signatures: Vec<Signature>,
}

/// An import.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Import {
    /// The module name.
    pub module: String,
    /// The field name.
    pub name: String,
    /// What is imported.
    pub ty: EntityType,
}

/// How many of a module's entities are imported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportCounts {
    /// Functions.
    pub functions: u32,
    /// Tables.
    pub tables: u32,
    /// Memories.
    pub memories: u32,
    /// Globals.
    pub globals: u32,
    /// Exception tags.
    pub tags: u32,
}

/// An export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Export {
    /// The field name, unique in the module.
    pub name: String,
    /// What is exported.
    pub item: ExportItem,
}

/// What an export gives access to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExportItem {
    /// A function and its type.
    Func(FuncIndex, TypeIndex),
    /// A table.
    Table(TableIndex),
    /// A linear memory.
    Memory(MemoryIndex),
    /// A global.
    Global(GlobalIndex),
    /// An exception tag.
    Tag(TagIndex),
}

/// A memory and how accesses to it are kept inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryPlan {
    /// Its type.
    pub ty: MemoryType,
    /// What the code relies on.
    pub bounds: Bounds,
}

/// How code keeps its accesses to a memory inside; a memory that is given to the code must
/// be at least as roomy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Bounds {
    /// The memory never moves, and `reservation` + `guard` bytes of address space from its
    /// start are either part of it or fault. Accesses below `reservation` are not checked.
    Guard {
        /// Address space that the memory can grow into, in bytes.
        reservation: u64,
        /// Inaccessible address space behind it, in bytes.
        guard: u64,
    },
    /// Every access is compared with the current length; the memory may move when it grows.
    /// Offsets below `guard` beyond a checked address are not checked again.
    Explicit {
        /// Inaccessible address space right behind the memory's current end, in bytes.
        guard: u64,
    },
}

/// An expression that is evaluated at instantiation: a program for a stack machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConstExpr(pub Vec<ConstOp>);

/// One instruction of a constant expression. Validation has shown that the stack never
/// underflows and that exactly one value remains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConstOp {
    /// `i32.const`.
    I32(i32),
    /// `i64.const`.
    I64(i64),
    /// `f32.const`, as bits.
    F32(u32),
    /// `f64.const`, as bits.
    F64(u64),
    /// `v128.const`, little-endian.
    V128(u128),
    /// `global.get`.
    GlobalGet(GlobalIndex),
    /// `ref.null`.
    RefNull(HeapType),
    /// `ref.func`.
    RefFunc(FuncIndex),
    /// `i32.add`.
    I32Add,
    /// `i32.sub`.
    I32Sub,
    /// `i32.mul`.
    I32Mul,
    /// `i64.add`.
    I64Add,
    /// `i64.sub`.
    I64Sub,
    /// `i64.mul`.
    I64Mul,
    /// `ref.i31`.
    RefI31,
    /// `struct.new`.
    StructNew(TypeIndex),
    /// `struct.new_default`.
    StructNewDefault(TypeIndex),
    /// `array.new`.
    ArrayNew(TypeIndex),
    /// `array.new_default`.
    ArrayNewDefault(TypeIndex),
    /// `array.new_fixed`, with the length.
    ArrayNewFixed(TypeIndex, u32),
}

/// A run of function indices in the artifact's element section, as little-endian `u32`;
/// [`NULL_ELEMENT`] stands for null.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ElementRange {
    /// The position of the first one, in elements.
    pub start: u32,
    /// Their number.
    pub len: u32,
}

/// A null in an [`ElementRange`].
pub const NULL_ELEMENT: u32 = u32::MAX;

/// Initial contents of an own table of functions, from element 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableImage {
    /// The table.
    pub table: TableIndex,
    /// The functions.
    pub functions: ElementRange,
}

/// An element segment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ElementSegment {
    /// Its index.
    pub index: ElemIndex,
    /// When it is used.
    pub mode: ElementMode,
    /// The type of its elements.
    pub ty: RefType,
    /// Its elements.
    pub items: ElementItems,
}

/// When an element segment is used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ElementMode {
    /// By `table.init`.
    Passive,
    /// Copied to a table at instantiation, then dropped.
    Active {
        /// The table.
        table: TableIndex,
        /// The index of the first element.
        offset: ConstExpr,
    },
}

/// The elements of a segment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ElementItems {
    /// Functions of the module.
    Functions(ElementRange),
    /// One expression each.
    Expressions(Vec<ConstExpr>),
}

/// A data segment. Its bytes are in the artifact's data section.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DataSegment {
    /// Its index.
    pub index: DataIndex,
    /// When it is used.
    pub mode: DataMode,
    /// Where its bytes begin in the data section.
    pub start: u64,
    /// The number of its bytes.
    pub len: u64,
}

/// When a data segment is used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum DataMode {
    /// By `memory.init`.
    Passive,
    /// Copied to a memory at instantiation, then dropped.
    Active {
        /// The memory.
        memory: MemoryIndex,
        /// The address of the first byte.
        offset: ConstExpr,
    },
}

/// Initial contents of an own memory that is not shared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryImage {
    /// The memory.
    pub memory: MemoryIndex,
    /// Runs of pages, ascending, without overlap; the rest of the memory is zero.
    pub runs: Vec<PageRun>,
}

/// A run of whole pages of a [`MemoryImage`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageRun {
    /// The address of the first byte in the memory, a multiple of the target's largest page.
    pub address: u64,
    /// Where the bytes begin in the image section, a multiple of the target's largest page.
    pub start: u64,
    /// The number of bytes, a multiple of the target's largest page except that the run may
    /// end with the memory.
    pub len: u64,
}

/// The trampolines of a function type, as offsets into the text section.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// The type.
    pub ty: TypeIndex,
    /// Host to wasm: a `VMEntry`. There is none when no function of the type can get to the host.
    pub entry: Option<u32>,
    /// Wasm to host: in the wasm convention, with a `VMHostContext` as callee. There is none when no
    /// function of the host that has the type can get into the module.
    pub exit: Option<u32>,
}

impl Bounds {
    /// How accesses to a memory are kept inside when `reservation` bytes of address space are
    /// reserved for a memory, with `guard` bytes behind it: by address space where the
    /// largest size that the memory can reach fits. Compilers decide so for the memories of
    /// modules, and runtimes for those of the host, so that one can stand in for the other.
    ///
    /// A memory whose own pages are not whole pages of the system has no guard: behind its
    /// end comes the rest of a page that can be accessed.
    pub fn new(ty: &MemoryType, reservation: u64, guard: u64) -> Bounds {
        let whole_pages = ty.page_size_log2 == 16;
        let largest = ty.limits.max.unwrap_or(1 << 16).saturating_mul(ty.page_size());
        if !whole_pages {
            Bounds::Explicit { guard: 0 }
        } else if !ty.memory64 && largest <= reservation {
            Bounds::Guard { reservation, guard }
        } else {
            Bounds::Explicit { guard }
        }
    }
}

impl Module {
    /// The position in [`Module::elements`] of the segment at `index`; `None` when it counts
    /// as dropped.
    pub fn element_position(&self, index: ElemIndex) -> Option<usize> {
        self.elements.binary_search_by_key(&index, |segment| segment.index).ok()
    }

    /// The position in [`Module::data`] of the segment at `index`; `None` when it counts as
    /// dropped.
    pub fn data_position(&self, index: DataIndex) -> Option<usize> {
        self.data.binary_search_by_key(&index, |segment| segment.index).ok()
    }

    /// The trampolines of the function type at `ty`.
    pub fn signature(&self, ty: TypeIndex) -> Option<&Signature> {
        let position = self.signatures.binary_search_by_key(&ty, |signature| signature.ty).ok()?;
        self.signatures.get(position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Limits;

    #[test]
    fn bounds_follow_the_reservation() {
        let memory = |max| MemoryType {
            limits: Limits { min: 1, max },
            memory64: false,
            shared: false,
            page_size_log2: 16,
        };
        let is_guard = |ty: &MemoryType, reservation| match Bounds::new(ty, reservation, 7) {
            Bounds::Guard { reservation: actual, guard: 7 } => actual == reservation,
            Bounds::Explicit { guard: 7 } => false,
            other => panic!("{other:?}"),
        };
        assert!(is_guard(&memory(None), 4 << 30) && is_guard(&memory(Some(3)), 4 << 30));
        assert!(!is_guard(&memory(None), 1 << 20));
        assert!(is_guard(&memory(Some(16)), 1 << 20) && !is_guard(&memory(Some(17)), 1 << 20));
        assert!(!is_guard(&MemoryType { memory64: true, ..memory(Some(3)) }, 4 << 30));
        let bytes = MemoryType { page_size_log2: 0, ..memory(Some(3)) };
        assert_eq!(Bounds::new(&bytes, 4 << 30, 7), Bounds::Explicit { guard: 0 });
    }
}
