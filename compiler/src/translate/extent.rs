//! How much a function becomes while it is translated, and the end of that.

use cranelift_codegen::ir::{DataFlowGraph, Inst};

use crate::CompileError;
use crate::limits::{
    FUNCTION_ENTITIES, FUNCTION_HANDLERS, FUNCTION_LIVENESS, FUNCTION_LOOPS, FUNCTION_REFERENCES,
    NESTING,
};

use super::body::Body;

/// The part of the limits up to which calls are inlined.
const ROOM: usize = 8;

/// What a function has become so far.
///
/// Its bytes do not say: an operator of two bytes can branch with a thousand operands, or be
/// behind a thousand others that are still needed.
#[derive(Debug, Default)]
pub(super) struct Extent {
    /// The values that branches pass.
    passed: usize,
    /// The blocks of code that have been looked at.
    blocks: usize,
    /// For each of these, the locals and operands that there were, together.
    liveness: u64,
    /// The locals, parameters included.
    locals: usize,
    /// Those of them that a collector must find.
    reference_locals: usize,
    /// The instructions that have been looked at.
    instructions: usize,
    /// For each call and block, the locals and operands that can be such references, together.
    references: u64,
    /// The squares of how many values the loops get from outside or from their ends, together.
    loops: u64,
}

impl Extent {
    /// Whether the function is so far from its limits that more than its own body may become a part
    /// of it.
    pub(super) fn has_room(&self, dfg: &DataFlowGraph) -> bool {
        let entities = dfg.num_values() + dfg.num_blocks() + self.passed;
        entities < FUNCTION_ENTITIES / ROOM
            && self.liveness < FUNCTION_LIVENESS / ROOM as u64
            && self.loops < FUNCTION_LOOPS / ROOM as u64
    }

    /// Counts locals.
    pub(super) fn declare(&mut self, count: usize) {
        self.locals += count;
    }

    /// Counts locals that a collector must find.
    pub(super) fn declare_references(&mut self, count: usize) {
        self.reference_locals += count;
    }

    /// Counts a loop that is complete, with as many values in its head.
    pub(super) fn close_loop(&mut self, values: usize) {
        self.loops += (values * values) as u64;
    }

    /// Counts the values that a branch passes, or the targets that it has.
    pub(super) fn pass(&mut self, count: usize) {
        self.passed += count;
    }
}

/// Counts what the last operator became.
///
/// # Errors
///
/// When the function exceeds a limit with it.
pub(super) fn check(body: &mut Body<'_>) -> Result<(), CompileError> {
    let offset = body.offset();
    let too_large = |what, limit: u64| Err(CompileError::too_large(what, limit, offset));
    let (dfg, extent) = (&body.builder.func.dfg, &mut body.extent);
    let blocks = dfg.num_blocks();
    let live = extent.locals + body.values.len();
    extent.liveness += ((blocks - extent.blocks) * live) as u64;
    if body.references.handled && body.references.mapped {
        let new = extent.instructions..dfg.num_insts();
        let is_call = |at: &usize| dfg.insts[Inst::from_u32(*at as u32)].opcode().is_safepoint();
        let places = new.filter(is_call).count() + blocks - extent.blocks;
        extent.references += (places * (extent.reference_locals + body.values.len())) as u64;
    }
    extent.instructions = dfg.num_insts();
    extent.blocks = blocks;
    if dfg.num_values() + blocks + extent.passed > FUNCTION_ENTITIES {
        return too_large("a function has too much code", FUNCTION_ENTITIES as u64);
    }
    if extent.liveness > FUNCTION_LIVENESS {
        return too_large(
            "a function has too many locals and operands in too many blocks",
            FUNCTION_LIVENESS,
        );
    }
    if extent.loops > FUNCTION_LOOPS {
        return too_large("a function has too many locals in too many loops", FUNCTION_LOOPS);
    }
    if extent.references > FUNCTION_REFERENCES {
        let what = "a function holds too many references during too many calls";
        return too_large(what, FUNCTION_REFERENCES);
    }
    if body.control.depth() > NESTING {
        return too_large("blocks are nested too deeply", NESTING as u64);
    }
    if body.control.handlers.is_exhausted() {
        let what = "a function has too many calls inside of too many exception handlers";
        return too_large(what, FUNCTION_HANDLERS as u64);
    }
    Ok(())
}
