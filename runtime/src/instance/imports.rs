//! Whether what a module was given is what it imports: the one place where that is decided.

use std::sync::Arc;

use precast_artifact::module::{Bounds, Import};
use precast_artifact::types::EntityType;

use super::Extern;
use crate::engine::Engine;
use crate::error::{LinkError, Result};
use crate::func::HostImports;
use crate::module::Module;
use crate::store::StoreOpaque;
use crate::types::{Found, describe_entity, import_matches};

/// What the imports of a module are given.
#[derive(Clone, Copy)]
pub(crate) enum Imports<'a> {
    /// Something of the store each, in order.
    Externs(&'a [Extern]),
    /// Functions of the host whose types were checked.
    Prepared {
        functions: &'a Arc<HostImports>,
        /// What is no such function, by import; there is nothing behind the last one.
        others: &'a [Option<Extern>],
    },
}

impl<'a> Imports<'a> {
    /// The imports of a module, with what is no function of the host that was prepared. There may be
    /// nothing more behind the last one.
    pub(super) fn each(
        self,
        module: &Module,
    ) -> impl Iterator<Item = (&Import, Option<&'a Extern>)> {
        let given = move |position| match self {
            Imports::Externs(all) => all.get(position).map(Some),
            Imports::Prepared { others, .. } => others.get(position).map(Option::as_ref),
        };
        module.info().imports.iter().zip((0..).map_while(given))
    }
}

/// Checks all imports of a module, except for functions that were prepared.
///
/// # Errors
///
/// The first import that was not given what it asks for.
pub(super) fn check(store: &StoreOpaque, module: &Module, imports: Imports<'_>) -> Result<()> {
    if !Engine::same(store.engine(), module.engine()) {
        return Err(LinkError::OtherEngine.into());
    }
    let expected = &module.info().imports;
    if let Imports::Externs(all) = imports
        && expected.len() != all.len()
    {
        let (expected, found) = (expected.len(), all.len());
        return Err(LinkError::Count { expected, found }.into());
    }
    let mut memories = 0;
    for (import, given) in imports.each(module) {
        let bounds = bounds_of(module, import, &mut memories);
        if let Some(given) = given {
            check_import(module, import, bounds, &given.found(store))?;
        }
    }
    Ok(())
}

/// Checks one import.
///
/// # Errors
///
/// When what was found does not fit it.
pub(super) fn check_import(
    module: &Module,
    import: &Import,
    bounds: Option<Bounds>,
    found: &Found,
) -> Result<()> {
    let types = module.engine().types();
    let expected = module.inner().entity_type(&import.ty)?;
    if import_matches(types, found, &expected, bounds) {
        return Ok(());
    }
    let describe =
        |ty: &EntityType, bounds: Option<Bounds>| describe_entity(types, ty) + &room(bounds);
    // The room of a memory is worth mentioning only when all else fits.
    let same = import_matches(types, &Found { bounds: None, ..found.clone() }, &expected, None);
    let shown = |bounds: Option<Bounds>| bounds.filter(|_| same);
    Err(LinkError::Incompatible {
        module: import.module.clone(),
        name: import.name.clone(),
        expected: describe(&expected, shown(bounds)),
        found: describe(&found.ty, shown(found.bounds)),
    }
    .into())
}

/// What the code relies on, if the import is a memory; `memories` counts them.
fn bounds_of(module: &Module, import: &Import, memories: &mut usize) -> Option<Bounds> {
    if !matches!(import.ty, EntityType::Memory(_)) {
        return None;
    }
    let plan = module.info().memories.get(*memories);
    *memories += 1;
    plan.map(|plan| plan.bounds)
}

fn room(bounds: Option<Bounds>) -> String {
    match bounds {
        None => String::new(),
        Some(Bounds::Guard { reservation, guard }) => {
            format!(" with {reservation} bytes reserved and {guard} bytes of guard")
        }
        Some(Bounds::Explicit { guard }) => format!(" with {guard} bytes of guard, movable"),
    }
}
