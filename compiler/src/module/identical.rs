//! Functions that are compiled once because they are the same: identical code folding.
//!
//! Bodies refer to what they use by its index, so the same bytes do the same. So do bodies that differ in nothing but
//! which functions they call, when these are the same in turn. To find them, all functions with
//! the same bytes around their calls are taken to be the same at first, and told apart where they call functions that are
//! told apart, until there are no more differences (partition refinement, as in the minimisation of
//! automata by E. F. Moore, 1956).

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{DefaultHasher, Hasher};

use cranelift_codegen::FxHashMap;
use precast_artifact::index::{DefinedFuncIndex, FuncIndex, TypeIndex};
use wasmparser::FunctionBody;

/// How often functions are told apart by what they call. Each time takes a look at all calls, and a chain of calls as long
/// as a module needs a time for each link; programs need ten.
const ROUNDS: usize = 32;

/// A call of a function by its index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    /// The position of the body that it is in.
    pub(crate) body: u32,
    /// Where in the body the operator begins and ends.
    pub(crate) start: u32,
    pub(crate) end: u32,
    /// What is called.
    pub(crate) callee: FuncIndex,
}

/// A hash of the bytes around the calls of a body. The same bytes have the same hash.
pub(crate) fn hash(body: &FunctionBody<'_>, calls: &[Call]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for part in around(body, calls) {
        hasher.write(part);
    }
    hasher.finish()
}

/// The bytes before, between and behind the calls of a body.
fn around<'a>(body: &FunctionBody<'a>, calls: &[Call]) -> impl Iterator<Item = &'a [u8]> {
    let bytes = body.as_bytes();
    let ends = calls.iter().map(|call| call.start as usize).chain([bytes.len()]);
    let starts = [0].into_iter().chain(calls.iter().map(|call| call.end as usize));
    starts.zip(ends).map(|(start, end)| &bytes[start..end])
}

/// For each function, the first one that is the same and has the same type, which may be itself.
///
/// `imported` functions come before those with `bodies`; `hashes` are the [`hash`]es of these, and `calls` all of theirs, by
/// body and place.
pub(crate) fn representatives(
    bodies: &[FunctionBody<'_>],
    types: &[TypeIndex],
    imported: usize,
    hashes: &[u64],
    calls: &[Call],
) -> Vec<DefinedFuncIndex> {
    let mut rest = calls;
    let calls: Vec<&[Call]> = (0..bodies.len() as u32)
        .map(|body| {
            let own = rest.iter().take_while(|call| call.body == body).count();
            rest.split_off(..own).unwrap_or_default()
        })
        .collect();
    let mut first = HashMap::with_capacity(bodies.len());
    let mut classes = Vec::with_capacity(bodies.len());
    // Those that are the same as an earlier one, and at first those.
    let mut shared = Vec::new();
    for (index, (body, &ty)) in bodies.iter().zip(types).enumerate() {
        let class = match first.entry((ty, hashes[index])) {
            Entry::Occupied(entry) => *entry.get(),
            Entry::Vacant(entry) => *entry.insert(index),
        };
        let same = calls[class].len() == calls[index].len()
            && around(&bodies[class], calls[class]).eq(around(body, calls[index]));
        classes.push(if same { class } else { index });
        if same && class != index {
            shared.push(class);
            shared.push(index);
        }
    }
    shared.sort_unstable();
    shared.dedup();
    for _ in 0..ROUNDS {
        let callee = |call: &Call| match (call.callee.as_usize()).checked_sub(imported) {
            // A body that is not valid can call what there is not.
            Some(defined) => {
                classes.get(defined).map_or(u32::MAX, |&class| (imported + class) as u32)
            }
            None => call.callee.0,
        };
        let refined = refine(&shared, &classes, &calls, callee);
        if refined == classes {
            return refined.into_iter().map(|class| DefinedFuncIndex(class as u32)).collect();
        }
        classes = refined;
    }
    // It is certain only of the same bytes now.
    let bytes = refine(&shared, &classes, &calls, |call| call.callee.0);
    bytes.into_iter().map(|class| DefinedFuncIndex(class as u32)).collect()
}

/// Tells those of each class apart whose calls are not of the same callees.
fn refine(
    shared: &[usize],
    classes: &[usize],
    calls: &[&[Call]],
    callee: impl Fn(&Call) -> u32,
) -> Vec<usize> {
    let mut first: FxHashMap<(usize, Vec<u32>), usize> = FxHashMap::default();
    let mut refined = classes.to_vec();
    for &index in shared {
        let callees = calls[index].iter().map(&callee).collect();
        refined[index] = *first.entry((classes[index], callees)).or_insert(index);
    }
    refined
}

/// Each function on its own.
pub(crate) fn distinct(count: usize) -> Vec<DefinedFuncIndex> {
    (0..count as u32).map(DefinedFuncIndex).collect()
}
