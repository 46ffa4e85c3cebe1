//! The types of values, functions, memories, tables and globals, as embedders see them.
//!
//! Inside the crate, types are those of `precast_artifact::types` with engine-wide type
//! indices: small, `Copy` where possible, and comparable without the engine. The types here
//! carry their engine with them instead.

mod defined;
mod describe;
mod external;
mod infos;
mod matching;
mod registry;
mod value;

pub use defined::{ArrayType, FieldType, Finality, FuncType, StorageType, StructType};
pub(crate) use describe::{describe_entity, describe_type};
pub use external::{
    ExportType, ExternType, GlobalType, ImportType, MemoryType, Mutability, TableType, TagType,
};
pub(crate) use matching::{Found, heap_matches, import_matches, val_matches};
pub(crate) use registry::{RegisteredType, TypeRegistry, map_ref_type, map_val_type};
pub use value::{HeapType, RefType, ValType};
