//! Exceptions: throwing, and the blocks that catch.
//!
//! A call inside of a `try` lists its handlers; what arrives at one is a reference to the
//! exception, where the handler wants one, and the address of the values, which are there until
//! the next call. The code of a handler loads them and goes to where wasm asks for.

use cranelift_codegen::ir::{
    Block, BlockArg, BlockCall, ExceptionTableItem, ExceptionTag, InstBuilder, Value, types,
};
use precast_artifact::helper::Helper;
use precast_artifact::index::TagIndex;
use precast_artifact::section::exceptions::Catch;
use precast_artifact::trap::Trap;
use precast_artifact::types::ValType;
use precast_artifact::vmcontext::ValRaw;
use smallvec::SmallVec;
use wasmparser::{BlockType, TryTable};

use crate::signature::{POINTER, value_flags, value_type};
use crate::translate::body::Body;
use crate::translate::control::FrameKind;
use crate::translate::{interrupts, references};
use crate::trap::trap_code;

use super::calls::call_throwing_helper;
use super::control::{br, leave};

/// `throw`.
pub(in crate::translate) fn throw(body: &mut Body<'_>, tag: u32) {
    let count = body.instance.tag_type(TagIndex(tag)).params.len();
    let slot = body.instance.values_slot(body.builder.func, count);
    let values = body.ins().stack_addr(POINTER, slot, 0);
    for index in 0..count {
        let value = body.values.top(count)[index];
        let offset = (index * size_of::<ValRaw>()) as i32;
        body.ins().store(value_flags(), value, values, offset);
    }
    let tag = body.const32(tag);
    call_throwing_helper(body, Helper::Throw, &[tag, values]);
}

/// `throw_ref`.
pub(in crate::translate) fn throw_ref(body: &mut Body<'_>) {
    let exception = body.values.pop();
    body.ins().trapz(exception, trap_code(Trap::NullExceptionReference));
    call_throwing_helper(body, Helper::ThrowRef, &[exception]);
}

/// `rethrow`.
pub(in crate::translate) fn rethrow(body: &mut Body<'_>, depth: u32) {
    let FrameKind::LegacyCatch { exception: Some(exception), .. } = body.control.target(depth).kind
    else {
        unreachable!("what is rethrown was caught with a reference")
    };
    call_throwing_helper(body, Helper::ThrowRef, &[exception]);
}

/// `try_table`.
pub(in crate::translate) fn try_table(body: &mut Body<'_>, table: &TryTable) {
    let catches = table.catches.iter().map(|catch| {
        let (tag, label, reference) = match *catch {
            wasmparser::Catch::One { tag, label } => (Some(TagIndex(tag)), label, false),
            wasmparser::Catch::OneRef { tag, label } => (Some(TagIndex(tag)), label, true),
            wasmparser::Catch::All { label } => (None, label, false),
            wasmparser::Catch::AllRef { label } => (None, label, true),
        };
        (Catch { tag, reference }, label)
    });
    let depth = body.control.depth();
    body.control.handlers.open(depth, catches);
    open(body, FrameKind::TryTable, table.ty);
}

/// The `end` of a `try_table`, after its frame was closed and nothing is left of its body to
/// translate: the code of its handlers.
pub(super) fn land(body: &mut Body<'_>) {
    for landing in body.control.handlers.close() {
        if let Some(block) = landing.block {
            let height = body.values.len();
            if let Some(exception) = arrive(body, block, landing.catch) {
                body.values.push(exception);
            }
            br(body, landing.label);
            body.values.truncate(height);
        }
    }
}

/// `try` of the older encoding.
pub(in crate::translate) fn legacy_try(body: &mut Body<'_>, ty: BlockType) {
    let depth = body.control.depth();
    let offset = body.offset();
    let control = &mut *body.control;
    let Some(this) = control.legacy_tries.at(offset) else {
        unreachable!("all `try`s of a function are read when the first is met")
    };
    match this.delegate {
        Some(label) => control.handlers.open_delegate(depth, depth - 1 - label as usize),
        None => control.handlers.open(depth, this.catches.iter().map(|&catch| (catch, 0))),
    }
    open(body, FrameKind::LegacyTry, ty);
}

/// `catch` and `catch_all` of the older encoding, also where what is before them does not reach
/// its end.
pub(in crate::translate) fn legacy_catch(body: &mut Body<'_>) {
    if body.control.is_reachable() {
        leave(body);
    }
    let number = match body.control.innermost().kind {
        FrameKind::LegacyCatch { number, .. } => number + 1,
        _ => {
            body.control.handlers.leave_body();
            0
        }
    };
    let height = body.control.innermost().height;
    body.values.truncate(height);
    body.control.forget_computed();
    let landing = body.control.handlers.landing(number);
    let exception = landing.block.and_then(|block| {
        body.control.set_reachable();
        arrive(body, block, landing.catch)
    });
    body.control.innermost().kind = FrameKind::LegacyCatch { number, exception };
}

/// The handlers that a call at this place lists.
pub(super) fn handlers(body: &mut Body<'_>) -> SmallVec<[ExceptionTableItem; 4]> {
    let active = body.control.handlers.active();
    let mut items = SmallVec::new();
    // Which tags the handlers mean is a matter of the instance.
    if active.iter().any(|&position| body.control.handlers.at(position).catch.tag.is_some()) {
        items.push(ExceptionTableItem::Context(body.instance.vmctx()));
    }
    for position in active {
        let landing = *body.control.handlers.at(position);
        let payload = payload(body, landing.catch);
        let block = landing.block.unwrap_or_else(|| {
            let block = body.block_with_params(&vec![types::I64; payload.len()]);
            body.control.handlers.set_block(position, block);
            block
        });
        let pool = &mut body.builder.func.dfg.value_lists;
        let tag = ExceptionTag::from_u32(landing.catch.code());
        items.push(ExceptionTableItem::Tag(tag, BlockCall::new(block, payload, pool)));
    }
    items
}

fn open(body: &mut Body<'_>, kind: FrameKind, ty: BlockType) {
    let height = body.values.len() - body.arity(ty).0;
    body.control.push(kind, ty, height);
}

/// What of an exception arrives at a handler: the reference, and the address of the values.
fn payload(body: &Body<'_>, catch: Catch) -> SmallVec<[BlockArg; 2]> {
    let has_values = catch.tag.is_some_and(|tag| !body.instance.tag_type(tag).params.is_empty());
    let reference = catch.reference.then_some(BlockArg::TryCallExn(0));
    let values = has_values.then_some(BlockArg::TryCallExn(1));
    reference.into_iter().chain(values).collect()
}

/// Begins the code of a handler: pushes the values of the exception and returns the reference to
/// it, if the handler wants one.
fn arrive(body: &mut Body<'_>, block: Block, catch: Catch) -> Option<Value> {
    body.control.set_cold(true);
    body.continue_in(block);
    interrupts::resume(body);
    let params: SmallVec<[Value; 2]> = body.builder.block_params(block).into();
    let exception = catch.reference.then(|| {
        let exception = body.ins().ireduce(types::I32, params[0]);
        references::declare(body, exception);
        exception
    });
    if let Some(tag) = catch.tag
        && let Some(&values) = params.get(usize::from(catch.reference))
    {
        for (index, &ty) in body.instance.tag_type(tag).params.iter().enumerate() {
            let offset = (index * size_of::<ValRaw>()) as i32;
            let value = body.ins().load(value_type(ty), value_flags(), values, offset);
            if let ValType::Ref(ty) = ty
                && !ty.is_func()
            {
                references::declare(body, value);
            }
            body.values.push(value);
        }
    }
    exception
}
