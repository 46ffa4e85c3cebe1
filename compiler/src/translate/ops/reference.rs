//! References.

use cranelift_codegen::ir::InstBuilder;
use cranelift_codegen::ir::condcodes::IntCC;
use precast_artifact::helper::Helper;
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

/// `ref.func`.
pub(in crate::translate) fn func(body: &mut Body<'_>, index: u32) {
    let index = body.const32(index);
    let value = call_helper(body, Helper::RefFunc, &[index]);
    body.values.push(value);
}
