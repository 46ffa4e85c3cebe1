//! How types read in messages.

use precast_artifact::types::{CompositeType, EntityType, Limits};

use super::TypeRegistry;

/// As in `func (i32) -> (i64)`, for an engine-wide type index.
pub(crate) fn describe_type(types: &TypeRegistry, id: u32) -> String {
    match &types.get(id).composite {
        CompositeType::Func(ty) => format!("func {ty}"),
        CompositeType::Struct(ty) => ty.to_string(),
        CompositeType::Array(ty) => ty.to_string(),
    }
}

/// A type with engine-wide indices as it reads in messages about imports.
pub(crate) fn describe_entity(types: &TypeRegistry, ty: &EntityType) -> String {
    match ty {
        EntityType::Func(id) => describe_type(types, id.0),
        EntityType::Tag(id) => describe_type(types, id.0).replacen("func", "tag", 1),
        EntityType::Table(ty) => {
            let wide = if ty.table64 { "i64 " } else { "" };
            format!("table {wide}{} {}", limits(&ty.limits), ty.element)
        }
        EntityType::Memory(ty) => {
            let wide = if ty.memory64 { "i64 " } else { "" };
            let shared = if ty.shared { " shared" } else { "" };
            let page = match ty.page_size_log2 {
                16 => String::new(),
                _ => format!(" (pagesize {})", ty.page_size()),
            };
            format!("memory {wide}{}{shared}{page}", limits(&ty.limits))
        }
        EntityType::Global(ty) if ty.mutable => format!("global (mut {})", ty.content),
        EntityType::Global(ty) => format!("global {}", ty.content),
    }
}

fn limits(limits: &Limits) -> String {
    match limits.max {
        Some(max) => format!("{} {max}", limits.min),
        None => limits.min.to_string(),
    }
}
