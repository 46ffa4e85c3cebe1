//! Arithmetic on integers of 128 bits, as two operands each, low half first.

use cranelift_codegen::ir::{InstBuilder, Opcode, Value, types};

use crate::translate::body::Body;

/// `i64.add128` and `i64.sub128`.
pub(in crate::translate) fn binary(body: &mut Body<'_>, opcode: Opcode) {
    let b = pop(body);
    let a = pop(body);
    let (inst, dfg) = body.ins().Binary(opcode, types::I128, a, b);
    let value = dfg.first_result(inst);
    push(body, value);
}

/// `i64.mul_wide_s` and `i64.mul_wide_u`; `extend` says which.
pub(in crate::translate) fn multiply(body: &mut Body<'_>, extend: Opcode) {
    let (a, b) = body.values.pop2();
    let mut wide = |value| {
        let (inst, dfg) = body.ins().Unary(extend, types::I128, value);
        dfg.first_result(inst)
    };
    let (a, b) = (wide(a), wide(b));
    let value = body.ins().imul(a, b);
    push(body, value);
}

fn pop(body: &mut Body<'_>) -> Value {
    let (low, high) = body.values.pop2();
    body.ins().iconcat(low, high)
}

fn push(body: &mut Body<'_>, value: Value) {
    let (low, high) = body.ins().isplit(value);
    body.values.extend(&[low, high]);
}
