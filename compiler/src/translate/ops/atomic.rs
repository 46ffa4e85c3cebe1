//! Atomic accesses to linear memories, fences, and waiting.
//!
//! Accesses are as wide as the type that they are given here. What they read is extended with
//! zeros to the type of the operator, which is 32 or 64 bits wide.

use std::cmp::Ordering;

use cranelift_codegen::ir::{AtomicRmwOp, InstBuilder, Opcode, Type, Value, types};
use precast_artifact::helper::Helper;
use wasmparser::MemArg;

use crate::translate::body::Body;

use super::address::{Address, Memory};
use super::calls::call_helper;

/// `i32.atomic.load` and its relatives, which give a value of the type `result`.
pub(in crate::translate) fn load(body: &mut Body<'_>, memarg: &MemArg, access: Type, result: Type) {
    let Some(Place { address, pointer }) = place(body, memarg, access) else { return };
    let (inst, dfg) = body.ins().LoadNoOffset(Opcode::AtomicLoad, access, address.flags, pointer);
    let value = dfg.first_result(inst);
    push(body, value, result);
}

/// `i32.atomic.store` and its relatives.
pub(in crate::translate) fn store(body: &mut Body<'_>, memarg: &MemArg, access: Type) {
    let value = body.values.pop();
    let Some(Place { address, pointer }) = place(body, memarg, access) else { return };
    let value = narrow(body, value, access);
    body.ins().StoreNoOffset(Opcode::AtomicStore, access, address.flags, value, pointer);
}

/// `i32.atomic.rmw.add` and its relatives, except for compare-and-exchange.
pub(in crate::translate) fn rmw(
    body: &mut Body<'_>,
    memarg: &MemArg,
    op: AtomicRmwOp,
    access: Type,
) {
    let value = body.values.pop();
    let result = body.builder.func.dfg.value_type(value);
    let Some(Place { address, pointer }) = place(body, memarg, access) else { return };
    let value = narrow(body, value, access);
    let (inst, dfg) =
        body.ins().AtomicRmw(Opcode::AtomicRmw, access, address.flags, op, pointer, value);
    let old = dfg.first_result(inst);
    push(body, old, result);
}

/// `i32.atomic.rmw.cmpxchg` and its relatives.
pub(in crate::translate) fn compare_exchange(body: &mut Body<'_>, memarg: &MemArg, access: Type) {
    let (expected, replacement) = body.values.pop2();
    let result = body.builder.func.dfg.value_type(expected);
    let Some(Place { address, pointer }) = place(body, memarg, access) else { return };
    let stored = narrow(body, replacement, access);
    let compared = narrow(body, expected, access);
    let (inst, dfg) =
        body.ins().AtomicCas(Opcode::AtomicCas, access, address.flags, pointer, compared, stored);
    let old = dfg.first_result(inst);
    push(body, old, result);
}

/// `atomic.fence`.
pub(in crate::translate) fn fence(body: &mut Body<'_>) {
    body.ins().fence();
}

/// `memory.atomic.wait32` and `memory.atomic.wait64`, by `helper`.
pub(in crate::translate) fn wait(body: &mut Body<'_>, memarg: &MemArg, helper: Helper) {
    let (expected, timeout) = body.values.pop2();
    let address = Memory::new(body, memarg.memory).unchecked_address(body, memarg);
    let memory = body.const32(memarg.memory);
    let outcome = call_helper(body, helper, &[memory, address, expected, timeout]);
    push(body, outcome, types::I32);
}

/// `memory.atomic.notify`.
pub(in crate::translate) fn notify(body: &mut Body<'_>, memarg: &MemArg) {
    let count = body.values.pop();
    let address = Memory::new(body, memarg.memory).unchecked_address(body, memarg);
    let memory = body.const32(memarg.memory);
    let woken = call_helper(body, Helper::MemoryAtomicNotify, &[memory, address, count]);
    push(body, woken, types::I32);
}

/// Where an access goes.
struct Place {
    address: Address,
    pointer: Value,
}

/// Takes the index of an access; `None` when it always traps.
fn place(body: &mut Body<'_>, memarg: &MemArg, access: Type) -> Option<Place> {
    let memory = Memory::new(body, memarg.memory);
    let address = memory.atomic_access(body, memarg, access.bytes())?;
    let pointer = address.pointer(body);
    Some(Place { address, pointer })
}

fn narrow(body: &mut Body<'_>, value: Value, access: Type) -> Value {
    match body.builder.func.dfg.value_type(value) == access {
        true => value,
        false => body.ins().ireduce(access, value),
    }
}

fn push(body: &mut Body<'_>, value: Value, result: Type) {
    let bits = body.builder.func.dfg.value_type(value).bits();
    let value = match bits.cmp(&result.bits()) {
        Ordering::Less => body.ins().uextend(result, value),
        Ordering::Equal => value,
        Ordering::Greater => body.ins().ireduce(result, value),
    };
    body.values.push(value);
}
