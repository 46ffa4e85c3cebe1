//! Loops that choose with a `br_table`, before anything else, where their body goes on.
//!
//! Compilers that know other jumps than wasm has, Go's among them, number the places that are jumped to, set a local to
//! such a number, and branch to a loop around all of them. When it is known which number, the branch goes
//! to the place itself. That saves the jump through a table, and all that is alive at any of the places
//! need not be passed through the head of the loop.

use cranelift_codegen::ir::{Block, Value};
use cranelift_frontend::Variable;
use wasmparser::{BlockType, BrTable};

use super::body::Body;
use super::control::FrameKind;

/// The open loops that begin with a choice.
#[derive(Default)]
pub(super) struct Dispatches {
    /// Outermost first.
    loops: Vec<Dispatch>,
    /// The local that was read last, and its value.
    read: Option<(Variable, Value)>,
    /// The local that was written last, its value, and where that was.
    written: Option<(Variable, Value, Block)>,
}

struct Dispatch {
    /// The position of the loop among the open blocks.
    frame: usize,
    /// The local that says where the body goes on.
    selector: Variable,
    /// Where that is for each value, and for all others.
    targets: Vec<Block>,
    default: Block,
}

impl Dispatches {
    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.loops.clear();
        self.read = None;
        self.written = None;
    }

    /// Notes that a local is read.
    pub(super) fn note_read(&mut self, local: Variable, value: Value) {
        self.read = Some((local, value));
    }

    /// Notes that a local is written in a block of code.
    pub(super) fn note_written(&mut self, local: Variable, value: Value, block: Block) {
        self.written = Some((local, value, block));
    }

    /// The places to which a loop that has just been closed, `frame`, went on; nothing more branches to them.
    pub(super) fn close(&mut self, frame: usize) -> Vec<Block> {
        let Some(closed) = self.loops.pop_if(|dispatch| dispatch.frame == frame) else {
            return Vec::new();
        };
        let mut targets = closed.targets;
        targets.push(closed.default);
        targets.sort_unstable();
        targets.dedup();
        targets
    }
}

/// The loop, by its position among the open blocks, that does nothing before a `br_table` on `index`, and the local
/// that `index` is.
///
/// Between it and the table there are only blocks that neither take nor leave operands, and the table leads to ends of
/// these: so whatever is alive at one of them comes from locals, or from before the loop.
pub(super) fn find(
    body: &Body<'_>,
    index: Value,
    table: &BrTable<'_>,
) -> Option<(usize, Variable)> {
    let dispatches = &body.control.dispatches;
    let (local, value) = dispatches.read?;
    let block = body.builder.current_block()?;
    // To copy one local to another takes no instruction, but is something, too.
    let writes = dispatches.written.is_some_and(|(.., written)| written == block);
    let is_first = body.builder.func.layout.first_inst(block).is_none() && !writes;
    // Interrupts are looked for in the heads of loops.
    if value != index || !is_first || body.interrupts.are_possible() {
        return None;
    }
    let frames = body.control.frames();
    let position = frames.iter().rposition(|frame| frame.kind != FrameKind::Block)?;
    let height = frames[position].height;
    let is_plain = frames[position].kind == FrameKind::Loop { header: block }
        && frames[position..]
            .iter()
            .all(|frame| frame.ty == BlockType::Empty && frame.height == height);
    let innermost = frames.len() - 1;
    let mut depths = table.targets().map_while(Result::ok).chain([table.default()]);
    let stays_inside = depths.all(|depth| innermost - (depth as usize) > position);
    (is_plain && stays_inside).then_some((position, local))
}

/// Opens a choice: the loop at `frame` goes on at `targets`, or else at `default`, by the value of `selector`.
pub(super) fn open(
    body: &mut Body<'_>,
    (frame, selector): (usize, Variable),
    table: &BrTable<'_>,
    targets: Vec<Block>,
    default: Block,
) {
    for depth in table.targets().map_while(Result::ok).chain([table.default()]) {
        body.control.target(depth).is_dispatched = true;
    }
    body.control.dispatches.loops.push(Dispatch { frame, selector, targets, default });
}

/// Where the loop with the given depth goes on for certain when a branch repeats it now.
pub(super) fn target(body: &Body<'_>, depth: u32) -> Option<Block> {
    let dispatches = &body.control.dispatches;
    let frame = body.control.depth() - 1 - depth as usize;
    let dispatch = dispatches.loops.iter().rev().find(|dispatch| dispatch.frame == frame)?;
    let (local, value, block) = dispatches.written?;
    if local != dispatch.selector || body.builder.current_block() != Some(block) {
        return None;
    }
    let number = usize::try_from(body.constant(value)?).ok()?;
    Some(dispatch.targets.get(number).copied().unwrap_or(dispatch.default))
}
