//! Functions that are compiled once because they are the same.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use precast_artifact::index::{DefinedFuncIndex, TypeIndex};
use wasmparser::FunctionBody;

/// For each function, the first one with the same body and type, which may be itself. A call in both is
/// a call of the same function, since bodies refer to what they use by its index.
pub(crate) fn representatives(
    bodies: &[FunctionBody<'_>],
    types: &[TypeIndex],
) -> Vec<DefinedFuncIndex> {
    let mut first = HashMap::with_capacity(bodies.len());
    let functions = bodies.iter().zip(types).zip(0..);
    functions
        .map(|((body, &ty), index)| match first.entry((ty, body.as_bytes())) {
            Entry::Occupied(entry) => *entry.get(),
            Entry::Vacant(entry) => *entry.insert(DefinedFuncIndex(index)),
        })
        .collect()
}

/// Each function on its own.
pub(crate) fn distinct(count: usize) -> Vec<DefinedFuncIndex> {
    (0..count as u32).map(DefinedFuncIndex).collect()
}
