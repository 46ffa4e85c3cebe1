//! Constants, arithmetic, comparisons and conversions of numbers.
//!
//! The semantics of wasm and of the intermediate representation agree almost everywhere:
//! shifts count modulo the width, division and trapping conversions trap by themselves.

use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::immediates::{Ieee32, Ieee64};
use cranelift_codegen::ir::{
    InstBuilder, InstructionData, MemFlagsData, Opcode, Type, Value, types,
};

use crate::translate::body::Body;

/// An integer constant, as the unsigned bits of its type.
pub(in crate::translate) fn integer(body: &mut Body<'_>, ty: Type, bits: i64) {
    let value = body.integer(ty, bits);
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
    let value = if is_step(body, value) { widened(body, value) } else { value };
    let result = body.ins().icmp_imm_u(IntCC::Equal, value, 0);
    body.push_bool(result);
}

/// A comparison of integers.
pub(in crate::translate) fn compare_integers(body: &mut Body<'_>, condition: IntCC) {
    let (mut a, mut b) = body.values.pop2();
    let is_equality = matches!(condition, IntCC::Equal | IntCC::NotEqual);
    if is_equality && is_step(body, a) && (is_step(body, b) || is_small(body, b)) {
        (a, b) = (widened(body, a), widened(body, b));
    }
    let result = body.ins().icmp(condition, a, b);
    body.push_bool(result);
}

/// Whether a value of 32 bits is another one and a constant: mostly the next value of a loop's counter.
///
/// The code generator would compare the value before with the constant less the step, for which it keeps both in
/// registers, and each round of the loop moves one to the other. It does not see through an extension, which costs
/// nothing. Those who made the module have optimised the comparison where nothing else needs the sum.
fn is_step(body: &Body<'_>, value: Value) -> bool {
    let dfg = &body.builder.func.dfg;
    let value = dfg.resolve_aliases(value);
    let Some(inst) = dfg.value_def(value).inst() else { return false };
    match dfg.insts[inst] {
        InstructionData::Binary { opcode: Opcode::Iadd | Opcode::Isub, args } => {
            dfg.value_type(value) == types::I32 && body.constant(args[1]).is_some()
        }
        _ => false,
    }
}

/// Whether a value is a constant that instructions for 64 bits can hold.
fn is_small(body: &Body<'_>, value: Value) -> bool {
    body.constant(value).is_some_and(|bits| i32::try_from(bits).is_ok())
}

fn widened(body: &mut Body<'_>, value: Value) -> Value {
    match body.constant(value) {
        Some(bits) => body.const64(bits),
        None => body.ins().uextend(types::I64, value),
    }
}

/// A comparison of floats.
pub(in crate::translate) fn compare_floats(body: &mut Body<'_>, condition: FloatCC) {
    let (a, b) = body.values.pop2();
    let result = body.ins().fcmp(condition, a, b);
    body.push_bool(result);
}
