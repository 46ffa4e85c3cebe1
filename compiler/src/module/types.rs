//! wasmparser's types as the artifact has them.

use precast_artifact::index::TypeIndex;
use precast_artifact::types::{
    ArrayType, CompositeType, EntityType, FieldType, FuncType, GlobalType, HeapType, Limits,
    MemoryType, RefType, StorageType, StructType, SubType, TableType, ValType,
};
use wasmparser::{AbstractHeapType, CompositeInnerType, UnpackedIndex};

use crate::CompileError;

type Result<T> = std::result::Result<T, CompileError>;

/// Validation refuses all that is not accepted, so what has no equivalent here is only met
/// when a proposal is accepted before everything in it is.
fn unsupported<T>(what: &'static str) -> Result<T> {
    Err(CompileError::Unsupported { what, offset: None })
}

/// What each of a module's types is one of: references to them say so.
#[derive(Clone, Debug, Default)]
pub(crate) struct TypeKinds(Vec<fn(TypeIndex) -> HeapType>);

impl TypeKinds {
    /// Takes the kinds of a recursion group in, whose types may refer to each other.
    pub(crate) fn add_group(&mut self, group: &wasmparser::RecGroup) -> Result<()> {
        for ty in group.types() {
            self.0.push(match ty.composite_type.inner {
                CompositeInnerType::Func(_) => HeapType::ConcreteFunc,
                CompositeInnerType::Struct(_) => HeapType::ConcreteStruct,
                CompositeInnerType::Array(_) => HeapType::ConcreteArray,
                CompositeInnerType::Cont(_) => return unsupported("continuations"),
            });
        }
        Ok(())
    }

    /// What references to the type at `index`, which validation has seen, point to.
    pub(crate) fn heap_type(&self, index: TypeIndex) -> HeapType {
        self.0[index.as_usize()](index)
    }
}

/// A value type.
pub(crate) fn val_type(kinds: &TypeKinds, ty: wasmparser::ValType) -> Result<ValType> {
    Ok(match ty {
        wasmparser::ValType::I32 => ValType::I32,
        wasmparser::ValType::I64 => ValType::I64,
        wasmparser::ValType::F32 => ValType::F32,
        wasmparser::ValType::F64 => ValType::F64,
        wasmparser::ValType::V128 => ValType::V128,
        wasmparser::ValType::Ref(ty) => ValType::Ref(ref_type(kinds, ty)?),
    })
}

/// A reference type.
pub(crate) fn ref_type(kinds: &TypeKinds, ty: wasmparser::RefType) -> Result<RefType> {
    Ok(RefType { nullable: ty.is_nullable(), heap: heap_type(kinds, ty.heap_type())? })
}

/// A heap type.
pub(crate) fn heap_type(kinds: &TypeKinds, ty: wasmparser::HeapType) -> Result<HeapType> {
    let ty = match ty {
        wasmparser::HeapType::Abstract { shared: false, ty } => ty,
        wasmparser::HeapType::Abstract { shared: true, .. } => {
            return unsupported("shared references");
        }
        wasmparser::HeapType::Concrete(index) => return Ok(kinds.heap_type(type_index(index)?)),
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

/// An entry of the type section, whose group `kinds` knows.
pub(crate) fn sub_type(kinds: &TypeKinds, ty: &wasmparser::SubType) -> Result<SubType> {
    let composite = &ty.composite_type;
    if composite.shared {
        return unsupported("shared types");
    }
    if composite.descriptor_idx.is_some() || composite.describes_idx.is_some() {
        return unsupported("custom descriptors");
    }
    let list = |types: &[wasmparser::ValType]| {
        types.iter().map(|&ty| val_type(kinds, ty)).collect::<Result<_>>()
    };
    let composite = match &composite.inner {
        CompositeInnerType::Func(func) => CompositeType::Func(FuncType {
            params: list(func.params())?,
            results: list(func.results())?,
        }),
        CompositeInnerType::Struct(ty) => {
            let fields = ty.fields.iter().map(|ty| field_type(kinds, ty));
            CompositeType::Struct(StructType { fields: fields.collect::<Result<_>>()? })
        }
        CompositeInnerType::Array(ty) => {
            CompositeType::Array(ArrayType { element: field_type(kinds, &ty.0)? })
        }
        CompositeInnerType::Cont(_) => return unsupported("continuations"),
    };
    let supertype = ty.supertype_idx.map(|index| type_index(index.unpack())).transpose()?;
    Ok(SubType { is_final: ty.is_final, supertype, composite })
}

fn field_type(kinds: &TypeKinds, ty: &wasmparser::FieldType) -> Result<FieldType> {
    let storage = match ty.element_type {
        wasmparser::StorageType::I8 => StorageType::I8,
        wasmparser::StorageType::I16 => StorageType::I16,
        wasmparser::StorageType::Val(ty) => StorageType::Val(val_type(kinds, ty)?),
    };
    Ok(FieldType { storage, mutable: ty.mutable })
}

/// A table type.
pub(crate) fn table_type(kinds: &TypeKinds, ty: &wasmparser::TableType) -> Result<TableType> {
    let wasmparser::TableType { element_type, table64, initial, maximum, shared } = *ty;
    if shared {
        return unsupported("shared tables");
    }
    Ok(TableType {
        element: ref_type(kinds, element_type)?,
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
pub(crate) fn global_type(kinds: &TypeKinds, ty: &wasmparser::GlobalType) -> Result<GlobalType> {
    let wasmparser::GlobalType { content_type, mutable, shared } = *ty;
    if shared {
        return unsupported("shared globals");
    }
    Ok(GlobalType { content: val_type(kinds, content_type)?, mutable })
}

/// The type of an import.
pub(crate) fn entity_type(kinds: &TypeKinds, ty: &wasmparser::TypeRef) -> Result<EntityType> {
    Ok(match ty {
        wasmparser::TypeRef::Func(index) => EntityType::Func(TypeIndex(*index)),
        wasmparser::TypeRef::Table(ty) => EntityType::Table(table_type(kinds, ty)?),
        wasmparser::TypeRef::Memory(ty) => EntityType::Memory(memory_type(ty)?),
        wasmparser::TypeRef::Global(ty) => EntityType::Global(global_type(kinds, ty)?),
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
