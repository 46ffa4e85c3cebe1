//! References.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, Opcode, types};
use precast_artifact::helper::Helper;
use precast_artifact::object::I31_BIT;
use precast_artifact::trap::Trap;
use wasmparser::HeapType;

use crate::translate::body::Body;
use crate::trap::trap_code;

use super::calls::call_helper;

/// `ref.null`.
pub(in crate::translate) fn null(body: &mut Body<'_>, ty: HeapType) {
    let ty = body.instance.reference_type(ty);
    let value = body.zero(ty);
    body.values.push(value);
}

/// `ref.is_null`.
pub(in crate::translate) fn is_null(body: &mut Body<'_>) {
    let value = body.values.pop();
    let result = body.ins().icmp_imm_u(IntCC::Equal, value, 0);
    body.push_bool(result);
}

/// `ref.as_non_null`.
pub(in crate::translate) fn as_non_null(body: &mut Body<'_>) {
    let value = body.values.top(1)[0];
    body.ins().trapz(value, trap_code(Trap::NullReference));
}

/// `ref.eq`.
pub(in crate::translate) fn eq(body: &mut Body<'_>) {
    let (a, b) = body.values.pop2();
    let result = body.ins().icmp(IntCC::Equal, a, b);
    body.push_bool(result);
}

/// `ref.i31`.
pub(in crate::translate) fn i31(body: &mut Body<'_>) {
    let value = body.values.pop();
    let shifted = body.ins().ishl_imm_u(value, 1);
    let value = body.ins().bor_imm_u(shifted, i64::from(I31_BIT));
    body.values.push(value);
}

/// `i31.get_s` and `i31.get_u`, by the way in which the bits are shifted.
pub(in crate::translate) fn i31_get(body: &mut Body<'_>, shift: Opcode) {
    let reference = body.values.pop();
    body.ins().trapz(reference, trap_code(Trap::NullI31Reference));
    let one = body.const32(1);
    let (inst, dfg) = body.ins().Binary(shift, types::I32, reference, one);
    let value = dfg.first_result(inst);
    body.values.push(value);
}

/// `ref.func`.
pub(in crate::translate) fn func(body: &mut Body<'_>, index: u32) {
    let index = body.const32(index);
    let value = call_helper(body, Helper::RefFunc, &[index]);
    body.values.push(value);
}
