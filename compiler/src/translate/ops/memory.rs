//! Loads, stores, and the size of linear memories.

use cranelift_codegen::ir::{InstBuilder, Opcode, Type};
use precast_artifact::helper::Helper;
use wasmparser::MemArg;

use crate::translate::body::Body;

use super::address::Memory;
use super::calls::call_helper;

/// A load of a value of the type `ty`; which bytes it takes says `opcode`.
pub(in crate::translate) fn load(body: &mut Body<'_>, memarg: &MemArg, opcode: Opcode, ty: Type) {
    let memory = Memory::new(body, memarg.memory);
    let Some(address) = memory.access(body, memarg, access_size(opcode, ty)) else { return };
    let (inst, dfg) = body.ins().Load(opcode, ty, address.flags, address.offset, address.base);
    let value = dfg.first_result(inst);
    body.values.push(value);
}

/// A store; how much of the value it stores says `opcode`.
pub(in crate::translate) fn store(body: &mut Body<'_>, memarg: &MemArg, opcode: Opcode) {
    let value = body.values.pop();
    let ty = body.builder.func.dfg.value_type(value);
    let memory = Memory::new(body, memarg.memory);
    let Some(address) = memory.access(body, memarg, access_size(opcode, ty)) else { return };
    body.ins().Store(opcode, ty, address.flags, address.offset, value, address.base);
}

/// `memory.size`.
pub(in crate::translate) fn size(body: &mut Body<'_>, index: u32) {
    let memory = Memory::new(body, index);
    let length = memory.length(body);
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

/// How many bytes of memory an instruction on values of the type `ty` accesses.
fn access_size(opcode: Opcode, ty: Type) -> u32 {
    match opcode {
        Opcode::Sload8 | Opcode::Uload8 | Opcode::Istore8 => 1,
        Opcode::Sload16 | Opcode::Uload16 | Opcode::Istore16 => 2,
        Opcode::Sload32 | Opcode::Uload32 | Opcode::Istore32 => 4,
        _ => ty.bytes(),
    }
}
