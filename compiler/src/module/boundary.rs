//! What can cross the border between a module and its host: which trampolines are needed.

use std::collections::BTreeSet;

use precast_artifact::index::TypeIndex;
use precast_artifact::module::{ExportItem, Module};
use precast_artifact::types::{EntityType, FuncType, TypeSection, ValType};

use crate::trampoline;

/// The function types for which there are trampolines.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Boundary {
    /// Of functions that the host can call.
    pub(crate) entries: BTreeSet<TypeIndex>,
    /// Of functions of the host that code can call.
    pub(crate) exits: BTreeSet<TypeIndex>,
}

impl Boundary {
    /// The border of a module whose functions, imports first, have these types.
    ///
    /// Where no reference can cross it, the host calls what is exported, and the module what it
    /// imports. Otherwise any function can get to the other side.
    pub(crate) fn of(module: &Module, function_types: &[TypeIndex]) -> Boundary {
        if references_cross(module) {
            let all: BTreeSet<_> = trampoline::representatives(&module.types).into_keys().collect();
            return Boundary { entries: all.clone(), exits: all };
        }
        let exported = module.exports.iter().filter_map(|export| match export.item {
            ExportItem::Func(_, ty) => Some(ty),
            _ => None,
        });
        let start = module.start.and_then(|start| function_types.get(start.as_usize()).copied());
        let imported = module.imports.iter().filter_map(|import| match import.ty {
            EntityType::Func(ty) => Some(ty),
            _ => None,
        });
        Boundary { entries: exported.chain(start).collect(), exits: imported.collect() }
    }
}

/// Whether there is a way for references from the module to the outside, or back. Exceptions leave a
/// module with what they hold, whether their tag does or not.
fn references_cross(module: &Module) -> bool {
    let Module { types, imports, exports, tables, globals, tags, .. } = module;
    let imported = imports.iter().any(|import| match import.ty {
        EntityType::Func(ty) => has_references(types, ty),
        EntityType::Table(_) => true,
        EntityType::Global(ty) => is_reference(ty.content),
        EntityType::Memory(_) | EntityType::Tag(_) => false,
    });
    let exported = exports.iter().any(|export| match export.item {
        ExportItem::Func(_, ty) => has_references(types, ty),
        ExportItem::Table(index) => tables.get(index.as_usize()).is_some(),
        ExportItem::Global(index) => {
            globals.get(index.as_usize()).is_some_and(|ty| is_reference(ty.content))
        }
        ExportItem::Memory(_) | ExportItem::Tag(_) => false,
    });
    imported || exported || tags.iter().any(|&ty| has_references(types, ty))
}

fn has_references(types: &TypeSection, ty: TypeIndex) -> bool {
    types.func(ty).is_none_or(|FuncType { params, results }| {
        params.iter().chain(results).any(|&ty| is_reference(ty))
    })
}

fn is_reference(ty: ValType) -> bool {
    matches!(ty, ValType::Ref(_))
}
