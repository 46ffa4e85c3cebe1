//! Loads, stores, and the size of linear memories.

use cranelift_codegen::ir::{InstBuilder, Opcode, Type, Value};
use precast_artifact::helper::Helper;
use wasmparser::MemArg;

use crate::translate::body::Body;

use super::address::Memory;
use super::calls::call_helper;

/// A load of a value of the type `ty`; which bytes it takes says `opcode`.
pub(in crate::translate) fn load(body: &mut Body<'_>, memarg: &MemArg, opcode: Opcode, ty: Type) {
    if let Some(value) = load_value(body, memarg, opcode, ty) {
        body.values.push(value);
    }
}

/// A store; how much of the value it stores says `opcode`.
pub(in crate::translate) fn store(body: &mut Body<'_>, memarg: &MemArg, opcode: Opcode) {
    let value = body.values.pop();
    store_value(body, memarg, opcode, value);
}

/// `memory.size`.
pub(in crate::translate) fn size(body: &mut Body<'_>, index: u32) {
    let memory = Memory::new(body, index);
    let length = memory.size(body);
    let pages = body.ins().ushr_imm_u(length, i64::from(memory.page_size_log2()));
    body.push_index(pages, memory.width());
}

/// `memory.grow`.
pub(in crate::translate) fn grow(body: &mut Body<'_>, index: u32) {
    let width = Memory::new(body, index).width();
    let delta = body.pop_index(width);
    let memory = body.const32(index);
    let pages = call_helper(body, Helper::MemoryGrow, &[memory, delta]);
    body.push_index(pages, width);
}

/// A load's result; `None` when it always traps.
pub(super) fn load_value(
    body: &mut Body<'_>,
    memarg: &MemArg,
    opcode: Opcode,
    ty: Type,
) -> Option<Value> {
    let memory = Memory::new(body, memarg.memory);
    let address = memory.access(body, memarg, access_size(opcode, ty))?;
    let (inst, dfg) = body.ins().Load(opcode, ty, address.flags, address.offset, address.base);
    Some(dfg.first_result(inst))
}

/// Stores `value` to the index on the stack.
pub(super) fn store_value(body: &mut Body<'_>, memarg: &MemArg, opcode: Opcode, value: Value) {
    let ty = body.builder.func.dfg.value_type(value);
    let memory = Memory::new(body, memarg.memory);
    let Some(address) = memory.access(body, memarg, access_size(opcode, ty)) else { return };
    body.ins().Store(opcode, ty, address.flags, address.offset, value, address.base);
}

/// How many bytes of memory an instruction on values of the type `ty` accesses.
fn access_size(opcode: Opcode, ty: Type) -> u32 {
    match opcode {
        Opcode::Sload8 | Opcode::Uload8 | Opcode::Istore8 => 1,
        Opcode::Sload16 | Opcode::Uload16 | Opcode::Istore16 => 2,
        Opcode::Sload32 | Opcode::Uload32 | Opcode::Istore32 => 4,
        // These widen eight bytes to sixteen.
        Opcode::Sload8x8
        | Opcode::Uload8x8
        | Opcode::Sload16x4
        | Opcode::Uload16x4
        | Opcode::Sload32x2
        | Opcode::Uload32x2 => 8,
        _ => ty.bytes(),
    }
}
