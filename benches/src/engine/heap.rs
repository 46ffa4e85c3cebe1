//! What the benches do with references and objects.

use anyhow::Result;

/// An instance of a module of [`Work::module`].
pub trait Heap {
    /// Does one kind of work `n` times.
    ///
    /// # Errors
    ///
    /// When a call traps.
    fn repeat(&mut self, work: Work, n: u32) -> Result<()>;
}

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// The host makes a value, gives it to wasm, and forgets it.
    Value,
    /// Wasm moves a reference between a table and a global: three reads and three writes.
    Move,
    /// A collection while many values are alive.
    CollectValues,
    /// Wasm makes a structure and forgets it.
    Structure,
    /// A collection while many structures are alive.
    CollectStructures,
}

/// How many objects are alive during the collections that are measured: a megabyte of ours, of which each has 16 bytes.
pub const ALIVE: u32 = 1 << 16;

impl Work {
    /// All of it.
    pub const ALL: [Work; 5] =
        [Work::Value, Work::Move, Work::CollectValues, Work::Structure, Work::CollectStructures];

    /// What the table calls it.
    pub fn name(self) -> &'static str {
        match self {
            Work::Value => "make a value of the host",
            Work::Move => "move an externref, 3 reads and 3 writes",
            Work::CollectValues => "collect, 65536 values of the host alive",
            Work::Structure => "make a structure",
            Work::CollectStructures => "collect, 65536 structures alive",
        }
    }

    /// The module that it is about, in `programs/`.
    pub fn module(self) -> &'static str {
        match self {
            Work::Value | Work::Move | Work::CollectValues => "references",
            Work::Structure | Work::CollectStructures => "objects",
        }
    }

    /// How many objects are alive meanwhile.
    pub fn alive(self) -> u32 {
        match self {
            Work::Value | Work::Move | Work::Structure => 0,
            Work::CollectValues | Work::CollectStructures => ALIVE,
        }
    }
}
