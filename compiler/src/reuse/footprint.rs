//! What the code of a function depends on, as bytes that are hashed.
//!
//! A body is read once, before it is validated. Its bytes count as they are, and for every index in them what
//! the index means in this module: the type, the place in the VMContext, and so on. Only the indices
//! that leave no trace in the code are left out, since they change whenever something is added to a module:
//! those of called functions, and those of the types of blocks and indirect calls.
//!
//! The bodies of functions that can become a part of the code are read in the same way, whether they do
//! become one or not. Indices mean the same in all of them, so that each counts once.
//!
//! How the parts are put together can be taken apart again: from the bytes of the operators follows
//! which facts there are, and each has a length that is known.

mod mentions;

use std::ops::Range;

use cranelift_codegen::FxHashSet;
use precast_artifact::index::{DefinedFuncIndex, FuncIndex, TableIndex, TypeIndex};
use precast_artifact::types::{Limits, ValType as ArtifactValType};
use precast_artifact::vmcontext::Place;
use sha2::{Digest, Sha256};
use wasmparser::{BlockType, Operator, OperatorsReader, OperatorsReaderAllocations};

use crate::callees::{self, Inlining};
use crate::module::BranchHint;
use crate::translate::{Environment, inlined};

use super::facts::val_type;
use super::{Anchor, Callee, Callees, FunctionKey, TypeDigests};

/// Something that a body mentions by its index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Mention {
    Type(u32),
    Global(u32),
    Memory(u32),
    Table(u32),
    Tag(u32),
}

/// How many bytes of bodies are read that can become a part of a function: so many, and so many for each byte
/// of its own. One that would need more has no key.
const ROOM: usize = 16 << 10;
const ROOM_FACTOR: usize = 8;

/// A body that is read because it can become a part of a function, or is that function's.
#[derive(Clone, Copy)]
struct Caller {
    /// The function that it can become a part of.
    function: DefinedFuncIndex,
    /// How many bytes that may take in.
    room: usize,
    /// How many calls are in between.
    depth: usize,
    /// Whether that is the only place where its code can be, besides its own.
    is_once: bool,
}

/// Reads one function after another.
pub(crate) struct Footprints<'a> {
    environment: Environment<'a>,
    types: &'a TypeDigests,
    /// The operators, without the indices that do not matter.
    operators: Vec<u8>,
    /// What the indices mean.
    facts: Vec<u8>,
    /// What has been mentioned, but for functions.
    mentioned: FxHashSet<Mention>,
    callees: Callees,
    allocations: OperatorsReaderAllocations,
}

impl<'a> Footprints<'a> {
    /// For the functions of a module whose types have these digests.
    pub(crate) fn new(environment: Environment<'a>, types: &'a TypeDigests) -> Footprints<'a> {
        Footprints {
            environment,
            types,
            operators: Vec::new(),
            facts: Vec::new(),
            mentioned: FxHashSet::default(),
            callees: Callees::default(),
            allocations: OperatorsReaderAllocations::default(),
        }
    }

    /// The key of a function. None when its body cannot be read or refers to what there is not, so
    /// that it is not valid.
    pub(crate) fn key(&mut self, index: DefinedFuncIndex) -> Option<FunctionKey> {
        self.operators.clear();
        self.facts.clear();
        self.mentioned.clear();
        self.callees.clear();
        self.facts.push(self.environment.collector as u8);
        self.function(index)?;
        let digest = Sha256::new()
            .chain_update((self.operators.len() as u64).to_le_bytes())
            .chain_update(&self.operators)
            .chain_update(&self.facts)
            .finalize();
        Some(FunctionKey(digest.into()))
    }

    /// What the code is relative to of the function that had a key last.
    pub(crate) fn anchor(&self, index: DefinedFuncIndex) -> Anchor<'_> {
        let module = self.environment.module;
        // Modules beyond 4 GiB have been refused.
        let Range { start, end } = module.bodies[index.as_usize()].range();
        let body = start as u32..end as u32;
        Anchor { body, module_len: module.len as u32, callees: &self.callees }
    }

    /// Reads a function and what can become a part of it.
    fn function(&mut self, index: DefinedFuncIndex) -> Option<()> {
        let module = self.environment.module;
        let len = module.bodies[index.as_usize()].range().len();
        let root = Caller { function: index, room: callees::budget(len), depth: 0, is_once: true };
        self.body(index, root)?;
        let mut left = ROOM + len * ROOM_FACTOR;
        let mut number = 0;
        while let Some(Callee { function, depth, .. }) = self.callees.get(number) {
            number += 1;
            let Some(depth) = depth else { continue };
            left = left.checked_sub(module.bodies[function.as_usize()].range().len())?;
            let is_once = module.callees.get(function) == Inlining::Once;
            self.body(function, Caller { depth, is_once, ..root })?;
        }
        Some(())
    }

    fn body(&mut self, index: DefinedFuncIndex, caller: Caller) -> Option<()> {
        let module = self.environment.module;
        let body = &module.bodies[index.as_usize()];
        let (bytes, start) = (body.as_bytes(), body.range().start);
        self.number(bytes.len());
        self.function_type(module.function_index(index))?;
        let hints = module.branch_hints.within(body.range());
        self.number(hints.len());
        for &(offset, hint) in hints {
            self.number(offset as usize - start);
            self.facts.push(u8::from(hint == BranchHint::Taken));
        }

        let mut locals = body.get_locals_reader().ok()?;
        for _ in 0..locals.get_count() {
            let (_, ty) = locals.read().ok()?;
            self.ty(ty)?;
        }
        let allocations = std::mem::take(&mut self.allocations);
        let mut reader = OperatorsReader::new_with_allocs(locals.get_binary_reader(), allocations);
        // What of the bytes is not taken over yet.
        let mut rest = 0;
        while !reader.eof() {
            let from = reader.original_position() - start;
            let operator = reader.read().ok()?;
            let to = reader.original_position() - start;
            if self.by_meaning(&operator, caller)? {
                self.operators.extend(&bytes[rest..from]);
                // How long it was decides where the others are.
                self.operators.extend([bytes[from], (to - from) as u8]);
                rest = to;
            } else {
                self.mention(&operator)?;
            }
        }
        self.operators.extend(&bytes[rest..]);
        self.allocations = reader.into_allocations();
        Some(())
    }

    /// Takes over an operator whose immediates matter by what they mean only, and says whether it is
    /// one.
    fn by_meaning(&mut self, operator: &Operator<'_>, caller: Caller) -> Option<bool> {
        match *operator {
            Operator::Call { function_index } | Operator::ReturnCall { function_index } => {
                self.callee(FuncIndex(function_index), caller)?;
            }
            Operator::CallIndirect { type_index, table_index }
            | Operator::ReturnCallIndirect { type_index, table_index } => {
                self.table(&table_index)?;
                self.number(table_index as usize);
                let module = self.environment.module;
                self.digest(type_index)?;
                let number = match module.closed_tables.length(TableIndex(table_index)) {
                    Some(_) => module.closed_tables.type_number(TypeIndex(type_index)),
                    // The number is where the VMContext has the type.
                    None => Some(type_index),
                };
                self.facts.push(u8::from(number.is_some()));
                self.number(number.unwrap_or_default() as usize);
            }
            Operator::Block { blockty: BlockType::FuncType(index) }
            | Operator::Loop { blockty: BlockType::FuncType(index) }
            | Operator::If { blockty: BlockType::FuncType(index) }
            | Operator::Try { blockty: BlockType::FuncType(index) } => self.digest(index)?,
            _ => return Some(false),
        }
        Some(true)
    }

    fn callee(&mut self, index: FuncIndex, caller: Caller) -> Option<()> {
        let module = self.environment.module;
        let Some(defined) = module.defined(index) else {
            self.facts.push(0);
            self.facts.extend(module.offsets.imported_function(index).to_le_bytes());
            return self.function_type(index);
        };
        let code = *module.representatives.get(defined.as_usize())?;
        self.facts.push(1);
        let known = self.callees.number(code);
        self.number(known.unwrap_or(self.callees.len()));
        if known.is_some() {
            return Some(());
        }
        self.function_type(index)?;
        // What follows from this about inlining is in the facts, or in the bodies.
        let body = module.bodies[code.as_usize()].range();
        let choice = module.callees.get(code);
        let may_be_inlined = match choice {
            Inlining::Never => false,
            Inlining::Always | Inlining::InLoops => body.len() <= caller.room,
            Inlining::Once => caller.is_once,
        };
        let is_recursive = code == caller.function;
        self.facts.extend([choice as u8, u8::from(is_recursive)]);
        self.number(body.len());
        let depth = caller.depth + 1;
        let depth = (may_be_inlined && !is_recursive && depth <= inlined::DEPTH).then_some(depth);
        self.callees.add(Callee { function: code, body: body.start as u32, depth });
        Some(())
    }

    fn number(&mut self, number: usize) {
        self.facts.extend((number as u64).to_le_bytes());
    }

    fn function_type(&mut self, index: FuncIndex) -> Option<()> {
        let ty = *self.environment.module.function_types.get(index.as_usize())?;
        self.digest(ty.0)
    }

    fn digest(&mut self, ty: u32) -> Option<()> {
        self.facts.extend(self.types.get(TypeIndex(ty))?);
        Some(())
    }

    fn is_new(&mut self, mention: Mention) -> bool {
        self.mentioned.insert(mention)
    }

    fn place(&mut self, place: Place) {
        let (code, offset) = match place {
            Place::Inline(offset) => (0, offset),
            Place::Pointer(offset) => (1, offset),
        };
        self.facts.push(code);
        self.facts.extend(offset.to_le_bytes());
    }

    fn limits(&mut self, limits: Limits) {
        let Limits { min, max } = limits;
        self.facts.extend(min.to_le_bytes());
        self.facts.push(u8::from(max.is_some()));
        self.facts.extend(max.unwrap_or_default().to_le_bytes());
    }

    /// A type of what the module declares, with the indices of the types in it.
    fn declared_type(&mut self, ty: ArtifactValType) -> Option<()> {
        let mut known = true;
        val_type(&mut self.facts, ty, &mut |facts, index| {
            facts.extend(index.0.to_le_bytes());
            match self.types.get(index) {
                Some(digest) => facts.extend(digest),
                None => known = false,
            }
        });
        known.then_some(())
    }
}
