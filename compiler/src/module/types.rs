//! wasmparser's types as the artifact has them.

use precast_artifact::index::TypeIndex;
use precast_artifact::types::{
    CompositeType, EntityType, FuncType, GlobalType, HeapType, Limits, MemoryType, RefType,
    SubType, TableType, ValType,
};
use wasmparser::{AbstractHeapType, CompositeInnerType, UnpackedIndex};

use crate::CompileError;

type Result<T> = std::result::Result<T, CompileError>;

/// Validation refuses all that is not accepted, so what has no equivalent here is only met
/// when a proposal is accepted before everything in it is.
fn unsupported<T>(what: &'static str) -> Result<T> {
    Err(CompileError::Unsupported { what, offset: None })
}

/// A value type.
pub(crate) fn val_type(ty: wasmparser::ValType) -> Result<ValType> {
    Ok(match ty {
        wasmparser::ValType::I32 => ValType::I32,
        wasmparser::ValType::I64 => ValType::I64,
        wasmparser::ValType::F32 => ValType::F32,
        wasmparser::ValType::F64 => ValType::F64,
        wasmparser::ValType::V128 => ValType::V128,
        wasmparser::ValType::Ref(ty) => ValType::Ref(ref_type(ty)?),
    })
}

/// A reference type.
pub(crate) fn ref_type(ty: wasmparser::RefType) -> Result<RefType> {
    Ok(RefType { nullable: ty.is_nullable(), heap: heap_type(ty.heap_type())? })
}

/// A heap type.
pub(crate) fn heap_type(ty: wasmparser::HeapType) -> Result<HeapType> {
    let ty = match ty {
        wasmparser::HeapType::Abstract { shared: false, ty } => ty,
        wasmparser::HeapType::Abstract { shared: true, .. } => {
            return unsupported("shared references");
        }
        wasmparser::HeapType::Concrete(index) => return type_index(index).map(HeapType::Concrete),
        wasmparser::HeapType::Exact(_) => return unsupported("exact references"),
    };
    Ok(match ty {
        AbstractHeapType::Func => HeapType::Func,
        AbstractHeapType::NoFunc => HeapType::NoFunc,
        AbstractHeapType::Extern => HeapType::Extern,
        AbstractHeapType::NoExtern => HeapType::NoExtern,
        AbstractHeapType::Any => HeapType::Any,
        AbstractHeapType::Eq => HeapType::Eq,
        AbstractHeapType::I31 => HeapType::I31,
        AbstractHeapType::Struct => HeapType::Struct,
        AbstractHeapType::Array => HeapType::Array,
        AbstractHeapType::None => HeapType::None,
        AbstractHeapType::Exn => HeapType::Exn,
        AbstractHeapType::NoExn => HeapType::NoExn,
        AbstractHeapType::Cont | AbstractHeapType::NoCont => return unsupported("continuations"),
    })
}

/// An entry of the type section.
pub(crate) fn sub_type(ty: &wasmparser::SubType) -> Result<SubType> {
    let CompositeInnerType::Func(func) = &ty.composite_type.inner else {
        return unsupported("types other than function types");
    };
    if ty.composite_type.shared {
        return unsupported("shared types");
    }
    let list =
        |types: &[wasmparser::ValType]| types.iter().copied().map(val_type).collect::<Result<_>>();
    let supertype = ty.supertype_idx.map(|index| type_index(index.unpack())).transpose()?;
    Ok(SubType {
        is_final: ty.is_final,
        supertype,
        composite: CompositeType::Func(FuncType {
            params: list(func.params())?,
            results: list(func.results())?,
        }),
    })
}

/// A table type.
pub(crate) fn table_type(ty: &wasmparser::TableType) -> Result<TableType> {
    let wasmparser::TableType { element_type, table64, initial, maximum, shared } = *ty;
    if shared {
        return unsupported("shared tables");
    }
    Ok(TableType {
        element: ref_type(element_type)?,
        limits: Limits { min: initial, max: maximum },
        table64,
    })
}

/// A memory type.
pub(crate) fn memory_type(ty: &wasmparser::MemoryType) -> Result<MemoryType> {
    let wasmparser::MemoryType { memory64, shared, initial, maximum, page_size_log2 } = *ty;
    let page_size_log2 = match page_size_log2 {
        None | Some(16) => 16,
        Some(0) => 0,
        Some(_) => return unsupported("page sizes other than 1 and 65536 bytes"),
    };
    Ok(MemoryType {
        limits: Limits { min: initial, max: maximum },
        memory64,
        shared,
        page_size_log2,
    })
}

/// A global type.
pub(crate) fn global_type(ty: &wasmparser::GlobalType) -> Result<GlobalType> {
    let wasmparser::GlobalType { content_type, mutable, shared } = *ty;
    if shared {
        return unsupported("shared globals");
    }
    Ok(GlobalType { content: val_type(content_type)?, mutable })
}

/// The type of an import.
pub(crate) fn entity_type(ty: &wasmparser::TypeRef) -> Result<EntityType> {
    Ok(match ty {
        wasmparser::TypeRef::Func(index) => EntityType::Func(TypeIndex(*index)),
        wasmparser::TypeRef::Table(ty) => EntityType::Table(table_type(ty)?),
        wasmparser::TypeRef::Memory(ty) => EntityType::Memory(memory_type(ty)?),
        wasmparser::TypeRef::Global(ty) => EntityType::Global(global_type(ty)?),
        wasmparser::TypeRef::Tag(ty) => EntityType::Tag(TypeIndex(ty.func_type_idx)),
        wasmparser::TypeRef::FuncExact(_) => return unsupported("exact imports"),
    })
}

fn type_index(index: UnpackedIndex) -> Result<TypeIndex> {
    match index {
        UnpackedIndex::Module(index) => Ok(TypeIndex(index)),
        UnpackedIndex::RecGroup(_) | UnpackedIndex::Id(_) => {
            unsupported("types that have been made canonical")
        }
    }
}
