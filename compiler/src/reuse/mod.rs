//! Functions that need not be compiled again, because they did not change.
//!
//! ```text
//! body + what its indices mean --footprint--> FunctionKey --FunctionStore--> record --> CompiledFunction
//! ```
//!
//! The key of a function is made before it is translated, from everything that its code depends on:
//! see [`footprint`]. So code that was kept is the code that would be made, byte for byte. It refers to
//! other functions by the order in which bodies mention them, and to places in the wasm file by
//! their distance from the body: see [`record`]. A body is validated whether its code is kept or not.

mod facts;
mod footprint;
mod record;

use std::ops::Range;

use cranelift_codegen::FxHashMap;
use precast_artifact::index::DefinedFuncIndex;

pub(crate) use self::facts::TypeDigests;
pub(crate) use self::footprint::Footprints;
pub(crate) use self::record::{decode, encode};

/// What the code of a function is kept under: a digest of everything that it depends on, but for the
/// compiler and its settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FunctionKey(pub [u8; 32]);

/// Keeps the code of functions from one compilation to the next.
///
/// What a store gives back must come from a compilation by the same build of the compiler
/// ([`BUILD_DIGEST`](crate::BUILD_DIGEST)), with the same settings and for the same processor. The bytes become code
/// that is executed: a store must notice damage.
pub trait FunctionStore: Sync {
    /// Puts the record of a function into `record`, which is empty, and returns whether there is one. Several
    /// threads call this.
    fn get(&self, key: &FunctionKey, record: &mut Vec<u8>) -> bool;

    /// Keeps the record of a function, if that is possible. Several threads call this.
    fn put(&self, key: &FunctionKey, record: &[u8]);
}

/// The functions of the module that a function calls, or that those call which can become a part of it, in
/// the order in which that is first read.
#[derive(Debug, Default)]
pub(crate) struct Callees {
    callees: Vec<Callee>,
    numbers: FxHashMap<DefinedFuncIndex, usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Callee {
    function: DefinedFuncIndex,
    /// Where its body begins in the module, in bytes.
    body: u32,
    /// How many calls are between it and the function, which can all be inlined but for the last; none if
    /// it cannot be inlined itself.
    depth: Option<usize>,
}

impl Callees {
    fn clear(&mut self) {
        self.callees.clear();
        self.numbers.clear();
    }

    fn len(&self) -> usize {
        self.callees.len()
    }

    fn add(&mut self, callee: Callee) {
        self.numbers.insert(callee.function, self.callees.len());
        self.callees.push(callee);
    }

    fn number(&self, function: DefinedFuncIndex) -> Option<usize> {
        self.numbers.get(&function).copied()
    }

    fn get(&self, number: usize) -> Option<Callee> {
        self.callees.get(number).copied()
    }
}

/// What places and references in kept code are relative to.
#[derive(Clone, Debug)]
pub(crate) struct Anchor<'a> {
    /// Where the function's body is in the module, in bytes.
    body: Range<u32>,
    /// The length of the module, in bytes: from there on, places are in inlined code.
    module_len: u32,
    /// What the function calls.
    callees: &'a Callees,
}

impl Anchor<'_> {
    /// The distance of a place from the start of the body. Inlined code follows behind the body.
    fn distance(&self, place: u32) -> i64 {
        let Anchor { body, module_len, .. } = self;
        match place < *module_len {
            true => i64::from(place) - i64::from(body.start),
            false => i64::from(body.end - body.start) + 1 + i64::from(place - module_len),
        }
    }

    /// The place at a distance.
    fn place(&self, distance: i64) -> Option<u32> {
        let Anchor { body, module_len, .. } = self;
        let inlined = distance - i64::from(body.end - body.start) - 1;
        let place = match inlined < 0 {
            true => i64::from(body.start).checked_add(distance)?,
            false => i64::from(*module_len).checked_add(inlined)?,
        };
        place.try_into().ok()
    }
}
