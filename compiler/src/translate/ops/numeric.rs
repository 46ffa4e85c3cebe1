//! Constants, arithmetic, comparisons and conversions of numbers.
//!
//! The semantics of wasm and of the intermediate representation agree almost everywhere:
//! shifts count modulo the width, division and trapping conversions trap by themselves.

use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::immediates::{Ieee32, Ieee64};
use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Opcode, Type};

use crate::translate::body::Body;

/// An integer constant, as the unsigned bits of its type.
pub(in crate::translate) fn integer(body: &mut Body<'_>, ty: Type, bits: i64) {
    let value = body.ins().iconst(ty, bits);
    body.values.push(value);
}

/// `f32.const`.
pub(in crate::translate) fn float32(body: &mut Body<'_>, value: wasmparser::Ieee32) {
    let value = body.ins().f32const(Ieee32::with_bits(value.bits()));
    body.values.push(value);
}

/// `f64.const`.
pub(in crate::translate) fn float64(body: &mut Body<'_>, value: wasmparser::Ieee64) {
    let value = body.ins().f64const(Ieee64::with_bits(value.bits()));
    body.values.push(value);
}

/// An instruction from a value to one of the same type.
pub(in crate::translate) fn unary(body: &mut Body<'_>, opcode: Opcode) {
    let value = body.values.pop();
    let ty = body.builder.func.dfg.value_type(value);
    let (inst, dfg) = body.ins().Unary(opcode, ty, value);
    let value = dfg.first_result(inst);
    body.values.push(value);
}

/// An instruction from two values to one of the same type.
pub(in crate::translate) fn binary(body: &mut Body<'_>, opcode: Opcode) {
    let (a, b) = body.values.pop2();
    let ty = body.builder.func.dfg.value_type(a);
    let (inst, dfg) = body.ins().Binary(opcode, ty, a, b);
    let value = dfg.first_result(inst);
    body.values.push(value);
}

/// An instruction from a value to one of the type `to`.
pub(in crate::translate) fn convert(body: &mut Body<'_>, opcode: Opcode, to: Type) {
    let value = body.values.pop();
    let (inst, dfg) = body.ins().Unary(opcode, to, value);
    let value = dfg.first_result(inst);
    body.values.push(value);
}

/// The same bits as another type.
pub(in crate::translate) fn reinterpret(body: &mut Body<'_>, to: Type) {
    let value = body.values.pop();
    let value = body.ins().bitcast(to, MemFlagsData::new(), value);
    body.values.push(value);
}

/// The low bits of the width of `from`, extended with their sign to `to`.
pub(in crate::translate) fn sign_extend(body: &mut Body<'_>, from: Type, to: Type) {
    let value = body.values.pop();
    let narrow = body.ins().ireduce(from, value);
    let value = body.ins().sextend(to, narrow);
    body.values.push(value);
}

/// `i32.eqz` and `i64.eqz`.
pub(in crate::translate) fn eqz(body: &mut Body<'_>) {
    let value = body.pop_condition();
    let result = body.ins().icmp_imm_u(IntCC::Equal, value, 0);
    body.push_bool(result);
}

/// A comparison of integers.
pub(in crate::translate) fn compare_integers(body: &mut Body<'_>, condition: IntCC) {
    let (a, b) = body.values.pop2();
    let result = body.ins().icmp(condition, a, b);
    body.push_bool(result);
}

/// A comparison of floats.
pub(in crate::translate) fn compare_floats(body: &mut Body<'_>, condition: FloatCC) {
    let (a, b) = body.values.pop2();
    let result = body.ins().fcmp(condition, a, b);
    body.push_bool(result);
}
