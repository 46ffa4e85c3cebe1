//! Where code can be stopped from outside: fuel and epochs.
//!
//! Both are looked at where a function begins and at the head of every loop, so that neither a
//! loop nor a recursion goes on for ever. Nothing else is executed more than once between two
//! such places, and functions are finite; fuel is looked at within long stretches as well.
//!
//! Fuel is counted upwards from a negative number; none is left at zero. What operators cost is
//! added up here, and only added in the code where branches meet; the sum is in a variable,
//! and in the store while other functions run. An operator that traps leaves the store with
//! the fuel of the last call or loop.

use std::mem::offset_of;

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, Value, types};
use cranelift_frontend::Variable;
use precast_artifact::helper::Helper;
use precast_artifact::vmcontext::{VMContextHeader, VMStoreContext};
use precast_config::CompilerSettings;
use wasmparser::Operator;

use crate::signature::POINTER;

use super::body::Body;
use super::instance::Location;
use super::ops::calls::call_helper_for_effect;
use super::regions::Region;

/// The most fuel that operators in a row cost before it is looked at.
const UNCHECKED_FUEL: i64 = 4096;

/// What a function that can be interrupted keeps at hand.
#[derive(Clone, Copy, Default)]
pub(super) struct Interrupts {
    fuel: Option<Fuel>,
    /// The epoch in which the function stops.
    deadline: Option<Variable>,
}

impl Interrupts {
    /// Whether anything can stop the function from outside.
    pub(super) fn are_possible(&self) -> bool {
        self.fuel.is_some() || self.deadline.is_some()
    }
}

#[derive(Clone, Copy)]
struct Fuel {
    /// What has been consumed.
    consumed: Variable,
    /// The cost of operators that has not been added yet.
    pending: i64,
}

/// What an operator does to the flow of control.
enum Flow {
    /// It goes on behind it.
    Straight,
    /// Branches part or meet.
    Branch,
    /// Another function runs, or none any more.
    Leave,
}

/// Begins a function, after its locals were declared: their numbers are those of wasm.
pub(super) fn enter(body: &mut Body<'_>, settings: &CompilerSettings) {
    if settings.consume_fuel {
        let consumed = body.builder.declare_var(types::I64);
        body.interrupts.fuel = Some(Fuel { consumed, pending: 0 });
        load_fuel(body);
    }
    if settings.epoch_interruption {
        body.interrupts.deadline = Some(body.builder.declare_var(types::I64));
        load_deadline(body);
    }
    check(body);
}

/// Counts an operator that is about to be translated.
pub(super) fn before(body: &mut Body<'_>, operator: &Operator<'_>) {
    let Some(fuel) = &mut body.interrupts.fuel else { return };
    fuel.pending += cost(operator);
    match flow(operator) {
        Flow::Straight if fuel.pending >= UNCHECKED_FUEL => {
            settle(body);
            check_fuel(body);
        }
        Flow::Straight => {}
        Flow::Branch => settle(body),
        Flow::Leave => leave(body),
    }
}

/// Finds out what happened during an operator that was translated.
pub(super) fn after(body: &mut Body<'_>, operator: &Operator<'_>) {
    match operator {
        Operator::Loop { .. } => check(body),
        Operator::Call { .. } | Operator::CallIndirect { .. } | Operator::CallRef { .. } => {
            resume(body);
        }
        _ => {}
    }
}

/// What comes next is reached in another way than by the operators that were counted.
pub(super) fn unreachable(body: &mut Body<'_>) {
    if let Some(fuel) = &mut body.interrupts.fuel {
        fuel.pending = 0;
    }
}

/// Leaves the function, for a while or for good.
pub(super) fn leave(body: &mut Body<'_>) {
    settle(body);
    if let Some(Fuel { consumed, .. }) = body.interrupts.fuel {
        let consumed = body.builder.use_var(consumed);
        let flags = Region::Interrupts.trusted(body.builder.func);
        let Location { base, offset } = store_field(body, offset_of!(VMStoreContext, fuel));
        body.ins().store(flags, consumed, base, offset);
    }
}

/// Goes on after others had their turn.
pub(super) fn resume(body: &mut Body<'_>) {
    if body.interrupts.fuel.is_some() {
        load_fuel(body);
    }
}

/// What an operator costs: nothing where it only shapes the code.
fn cost(operator: &Operator<'_>) -> i64 {
    match operator {
        Operator::Nop
        | Operator::Drop
        | Operator::Block { .. }
        | Operator::Loop { .. }
        | Operator::Else
        | Operator::End
        | Operator::TryTable { .. }
        | Operator::Try { .. }
        | Operator::Catch { .. }
        | Operator::CatchAll
        | Operator::Delegate { .. }
        | Operator::Unreachable
        | Operator::Return => 0,
        _ => 1,
    }
}

fn flow(operator: &Operator<'_>) -> Flow {
    match operator {
        Operator::Block { .. }
        | Operator::Loop { .. }
        | Operator::If { .. }
        | Operator::Else
        | Operator::End
        | Operator::Br { .. }
        | Operator::BrIf { .. }
        | Operator::BrTable { .. }
        | Operator::BrOnNull { .. }
        | Operator::BrOnNonNull { .. }
        | Operator::BrOnCast { .. }
        | Operator::BrOnCastFail { .. }
        | Operator::TryTable { .. }
        | Operator::Try { .. }
        | Operator::Catch { .. }
        | Operator::CatchAll
        | Operator::Delegate { .. }
        | Operator::Return => Flow::Branch,
        Operator::Call { .. }
        | Operator::CallIndirect { .. }
        | Operator::CallRef { .. }
        | Operator::ReturnCall { .. }
        | Operator::ReturnCallIndirect { .. }
        | Operator::ReturnCallRef { .. }
        | Operator::Throw { .. }
        | Operator::ThrowRef
        | Operator::Rethrow { .. }
        | Operator::Unreachable => Flow::Leave,
        _ => Flow::Straight,
    }
}

/// Adds what operators cost so far to what was consumed.
fn settle(body: &mut Body<'_>) {
    if let Some(Fuel { consumed, pending }) = &mut body.interrupts.fuel
        && *pending != 0
    {
        let (consumed, cost) = (*consumed, std::mem::take(pending));
        let before = body.builder.use_var(consumed);
        let after = body.ins().iadd_imm_s(before, cost);
        body.builder.def_var(consumed, after);
    }
}

fn check(body: &mut Body<'_>) {
    check_fuel(body);
    check_epoch(body);
}

fn check_fuel(body: &mut Body<'_>) {
    let Some(Fuel { consumed, .. }) = body.interrupts.fuel else { return };
    let consumed = body.builder.use_var(consumed);
    let empty = body.ins().icmp_imm_s(IntCC::SignedGreaterThanOrEqual, consumed, 0);
    unlikely(body, empty, |body| {
        leave(body);
        call_helper_for_effect(body, Helper::OutOfFuel, &[]);
        load_fuel(body);
    });
}

fn check_epoch(body: &mut Body<'_>) {
    let Some(deadline) = body.interrupts.deadline else { return };
    let counter = store_field(body, offset_of!(VMStoreContext, epoch));
    let counter = body.instance.invariant(&mut body.builder, POINTER, counter);
    // The call behind the branch keeps the optimiser from taking what was loaded earlier.
    let flags = Region::Interrupts.trusted(body.builder.func);
    let epoch = body.ins().load(types::I64, flags, counter, 0);
    let deadline = body.builder.use_var(deadline);
    let reached = body.ins().icmp(IntCC::UnsignedGreaterThanOrEqual, epoch, deadline);
    unlikely(body, reached, |body| {
        leave(body);
        call_helper_for_effect(body, Helper::NewEpoch, &[]);
        load_deadline(body);
        resume(body);
    });
}

/// Does something out of line if `condition` holds.
fn unlikely(body: &mut Body<'_>, condition: Value, something: impl FnOnce(&mut Body<'_>)) {
    let (cold, go_on) = (body.builder.create_block(), body.builder.create_block());
    body.ins().brif(condition, cold, &[], go_on, &[]);
    body.builder.set_cold_block(cold);
    body.continue_in(cold);
    something(body);
    body.ins().jump(go_on, &[]);
    body.continue_in(go_on);
}

fn load_fuel(body: &mut Body<'_>) {
    if let Some(Fuel { consumed, .. }) = body.interrupts.fuel {
        let value = load(body, offset_of!(VMStoreContext, fuel));
        body.builder.def_var(consumed, value);
    }
}

fn load_deadline(body: &mut Body<'_>) {
    if let Some(deadline) = body.interrupts.deadline {
        let value = load(body, offset_of!(VMStoreContext, epoch_deadline));
        body.builder.def_var(deadline, value);
    }
}

fn load(body: &mut Body<'_>, field: usize) -> Value {
    let flags = Region::Interrupts.trusted(body.builder.func);
    let Location { base, offset } = store_field(body, field);
    body.ins().load(types::I64, flags, base, offset)
}

fn store_field(body: &mut Body<'_>, field: usize) -> Location {
    let store = body.instance.location(offset_of!(VMContextHeader, store) as u32);
    let base = body.instance.invariant(&mut body.builder, POINTER, store);
    Location { base, offset: field as i32 }
}
