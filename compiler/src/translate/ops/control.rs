//! Blocks and branches.
//!
//! The code behind a block's end is a code block of its own only when something branches
//! to it. A block is sealed as soon as nothing more can branch to it: at its first
//! instruction, except for the header of a loop, which is sealed at the loop's end, as are the places
//! that it chooses from.

use std::collections::BTreeMap;

use cranelift_codegen::ir::{Block, BlockCall, InstBuilder, JumpTableData, Type, Value};
use precast_artifact::trap::Trap;
use smallvec::SmallVec;
use wasmparser::{BlockType, BrTable};

use crate::module::BranchHint;
use crate::signature::value_type;
use crate::translate::body::Body;
use crate::translate::control::{Frame, FrameKind};
use crate::translate::{dispatch, interrupts};

use super::exceptions;

/// `unreachable`.
pub(in crate::translate) fn unreachable(body: &mut Body<'_>) {
    body.trap(Trap::Unreachable);
}

/// `block`.
pub(in crate::translate) fn block(body: &mut Body<'_>, ty: BlockType) {
    let height = body.values.len() - body.arity(ty).0;
    body.control.push(FrameKind::Block, ty, height);
}

/// `loop`.
pub(in crate::translate) fn loop_(body: &mut Body<'_>, ty: BlockType) {
    let (params, _) = body.arity(ty);
    let header = body.block_with_params(&param_types(body, ty));
    let args = body.branch_args(params);
    body.ins().jump(header, &args);
    body.switch_to(header);
    body.values.drop(params);
    push_block_params(body, header);
    let height = body.values.len() - params;
    body.control.push(FrameKind::Loop { header }, ty, height);
}

/// `if`.
pub(in crate::translate) fn if_(body: &mut Body<'_>, ty: BlockType) {
    let condition = body.pop_condition();
    let then = body.builder.create_block();
    let otherwise = body.builder.create_block();
    body.ins().brif(condition, then, &[], otherwise, &[]);
    body.builder.seal_block(otherwise);
    let hint = body.branch_hint();
    let cold = body.control.is_cold();
    body.control.set_cold(cold || hint == Some(BranchHint::NotTaken));
    body.continue_in(then);
    let (params, _) = body.arity(ty);
    let height = body.values.len() - params;
    body.values.duplicate(params);
    let cold = cold || hint == Some(BranchHint::Taken);
    body.control.push(FrameKind::If { otherwise, cold }, ty, height);
}

/// `else`, also of an `if` whose first branch does not reach it.
pub(in crate::translate) fn else_(body: &mut Body<'_>) {
    let &mut Frame { kind, ty, height, .. } = body.control.innermost();
    let FrameKind::If { otherwise, cold } = kind else { unreachable!("validation matches blocks") };
    if body.control.is_reachable() {
        leave(body);
    }
    body.values.truncate(height + body.arity(ty).0);
    body.control.forget_computed();
    body.control.innermost().kind = FrameKind::Else;
    body.control.set_reachable();
    body.control.set_cold(cold);
    body.switch_to(otherwise);
}

/// `end` or `delegate`, also of a block whose end is not reached from within.
pub(in crate::translate) fn end(body: &mut Body<'_>) {
    if let FrameKind::If { .. } = body.control.innermost().kind {
        // Without an `else`, the parameters are the results.
        else_(body);
    }
    let caught =
        body.control.innermost().kind == FrameKind::TryTable && body.control.handlers.are_used();
    if body.control.is_reachable() && (caught || body.control.innermost().next.is_some()) {
        leave(body);
    }
    if caught || body.control.innermost().next.is_some() {
        body.control.forget_computed();
    }
    let frame = body.control.pop();
    match frame.kind {
        FrameKind::Loop { header } => {
            body.extent.close_loop(body.builder.block_params(header).len());
            body.builder.seal_block(header);
            for target in body.control.dispatches.close(body.control.depth()) {
                body.extent.close_loop(body.builder.block_params(target).len());
                body.builder.seal_block(target);
            }
        }
        FrameKind::TryTable => exceptions::land(body),
        FrameKind::LegacyTry | FrameKind::LegacyCatch { .. } => {
            body.control.handlers.close();
        }
        FrameKind::Function
        | FrameKind::Inlined
        | FrameKind::Block
        | FrameKind::If { .. }
        | FrameKind::Else => {}
    }
    if let Some(next) = frame.next {
        body.control.set_cold(!frame.warm);
        match frame.is_dispatched {
            true => body.switch_to(next),
            false => body.continue_in(next),
        }
        body.control.set_reachable();
        body.values.truncate(frame.height);
        push_block_params(body, next);
    } else if !body.control.is_reachable() {
        body.values.truncate(frame.height);
    }
    if frame.kind == FrameKind::Function && body.control.is_reachable() {
        return_(body);
    }
}

/// `br`.
pub(in crate::translate) fn br(body: &mut Body<'_>, depth: u32) {
    if body.control.target(depth).kind == FrameKind::Function {
        return return_(body);
    }
    let (block, arity) = target(body, depth);
    let args = body.branch_args(arity);
    body.ins().jump(block, &args);
    body.control.set_unreachable();
}

/// `br_if`.
pub(in crate::translate) fn br_if(body: &mut Body<'_>, depth: u32) {
    let condition = body.pop_condition();
    let hint = body.branch_hint();
    let (block, arity) = hinted_target(body, depth, hint);
    let args = body.branch_args(arity);
    let fall_through = body.builder.create_block();
    body.ins().brif(condition, block, &args, fall_through, &[]);
    if hint == Some(BranchHint::Taken) {
        body.control.set_cold(true);
    }
    body.continue_in(fall_through);
}

/// `br_on_null`.
pub(in crate::translate) fn br_on_null(body: &mut Body<'_>, depth: u32) {
    let reference = body.values.pop();
    let (block, arity) = target(body, depth);
    let args = body.branch_args(arity);
    let fall_through = body.builder.create_block();
    body.ins().brif(reference, fall_through, &[], block, &args);
    body.continue_in(fall_through);
    body.values.push(reference);
}

/// `br_on_non_null`.
pub(in crate::translate) fn br_on_non_null(body: &mut Body<'_>, depth: u32) {
    let reference = body.values.top(1)[0];
    let (block, arity) = target(body, depth);
    let args = body.branch_args(arity);
    let fall_through = body.builder.create_block();
    body.ins().brif(reference, block, &args, fall_through, &[]);
    body.continue_in(fall_through);
    body.values.drop(1);
}

/// `br_table`.
pub(in crate::translate) fn br_table(body: &mut Body<'_>, table: &BrTable<'_>) {
    let index = body.values.pop();
    let dispatched = dispatch::find(body, index, table);
    let mut edges = Edges::new();
    let mut call = |depth| {
        let (block, arity) = target(body, depth);
        // Many targets are usually the same: they share the branch that passes operands on.
        let block = match arity {
            0 => block,
            _ => {
                edges.entry(depth).or_insert_with(|| (body.builder.create_block(), block, arity)).0
            }
        };
        body.extent.pass(1);
        BlockCall::new(block, [], &mut body.builder.func.dfg.value_lists)
    };
    let default = call(table.default());
    // The validator has read them already.
    let targets: Vec<BlockCall> = table.targets().map_while(Result::ok).map(call).collect();
    let jump_table = body.builder.create_jump_table(JumpTableData::new(default, &targets));
    body.ins().br_table(index, jump_table);
    if let Some(dispatched) = dispatched {
        let pool = &body.builder.func.dfg.value_lists;
        let blocks = targets.iter().map(|target| target.block(pool)).collect();
        let default = default.block(pool);
        dispatch::open(body, dispatched, table, blocks, default);
    }
    for (edge, block, arity) in edges.into_values() {
        body.continue_in(edge);
        let args = body.branch_args(arity);
        body.ins().jump(block, &args);
    }
    body.control.set_unreachable();
}

/// By label: the block that a `br_table` goes to instead, the label's block, and how many operands that takes.
type Edges = BTreeMap<u32, (Block, Block, usize)>;

/// `return`.
pub(in crate::translate) fn return_(body: &mut Body<'_>) {
    if body.inlined.is_open() {
        let depth = body.control.inlined_depth();
        return br(body, depth);
    }
    interrupts::leave(body);
    let count = body.builder.func.signature.returns.len();
    let results = SmallVec::<[Value; 4]>::from_slice(body.values.top(count));
    body.ins().return_(&results);
    body.control.set_unreachable();
}

/// Where a branch with the given depth goes, and how many operands it takes along.
fn target(body: &mut Body<'_>, depth: u32) -> (Block, usize) {
    hinted_target(body, depth, None)
}

/// The same of a branch about which the module may say something.
fn hinted_target(body: &mut Body<'_>, depth: u32, hint: Option<BranchHint>) -> (Block, usize) {
    let cold = body.control.is_cold() || hint == Some(BranchHint::NotTaken);
    let frame = body.control.target(depth);
    frame.warm |= !cold;
    let &mut Frame { kind, ty, next, .. } = frame;
    let (params, results) = body.arity(ty);
    if let FrameKind::Loop { header } = kind {
        return (dispatch::target(body, depth).unwrap_or(header), params);
    }
    let next = next.unwrap_or_else(|| {
        let next = body.block_with_params(&result_types(body, ty));
        body.control.target(depth).next = Some(next);
        next
    });
    (next, results)
}

/// Goes from within the innermost block, which is not a loop, to the code behind its end.
pub(super) fn leave(body: &mut Body<'_>) {
    let (next, results) = target(body, 0);
    let args = body.branch_args(results);
    body.ins().jump(next, &args);
    body.control.set_unreachable();
}

fn push_block_params(body: &mut Body<'_>, block: Block) {
    body.values.extend(body.builder.block_params(block));
}

fn param_types(body: &Body<'_>, ty: BlockType) -> SmallVec<[Type; 4]> {
    match ty {
        BlockType::Empty | BlockType::Type(_) => SmallVec::new(),
        BlockType::FuncType(index) => {
            body.instance.func_type(index).params.iter().map(|&ty| value_type(ty)).collect()
        }
    }
}

fn result_types(body: &Body<'_>, ty: BlockType) -> SmallVec<[Type; 4]> {
    match ty {
        BlockType::Empty => SmallVec::new(),
        BlockType::Type(ty) => SmallVec::from_slice(&[body.instance.value_type(ty)]),
        BlockType::FuncType(index) => {
            body.instance.func_type(index).results.iter().map(|&ty| value_type(ty)).collect()
        }
    }
}
