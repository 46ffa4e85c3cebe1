//! Vectors: arithmetic and comparisons lane by lane; memory, lanes, conversions and the
//! relaxed operators in the files below.
//!
//! Each function takes the type of the lanes that the operator works on: see
//! [`Body::pop_vector`].

pub(in crate::translate) mod lanes;
pub(in crate::translate) mod memory;
pub(in crate::translate) mod relaxed;
pub(in crate::translate) mod width;

use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::{InstBuilder, Opcode, Type, Value, types};

use crate::signature::VECTOR;
use crate::translate::body::Body;

/// `v128.const`.
pub(in crate::translate) fn constant(body: &mut Body<'_>, value: wasmparser::V128) {
    let constant = body.builder.func.dfg.constants.insert(value.bytes().as_slice().into());
    let value = body.ins().vconst(VECTOR, constant);
    body.values.push(value);
}

/// An instruction from a vector to one of the same lanes.
pub(in crate::translate) fn unary(body: &mut Body<'_>, opcode: Opcode, ty: Type) {
    convert(body, opcode, ty, ty);
}

/// An instruction from a vector of the type `from` to one of the type `to`.
pub(in crate::translate) fn convert(body: &mut Body<'_>, opcode: Opcode, from: Type, to: Type) {
    let value = body.pop_vector(from);
    let value = unary_value(body, opcode, to, value);
    body.push_vector(value);
}

/// An instruction from two vectors.
pub(in crate::translate) fn binary(body: &mut Body<'_>, opcode: Opcode, ty: Type) {
    let (a, b) = body.pop_vectors(ty);
    let value = binary_value(body, opcode, a, b);
    body.push_vector(value);
}

/// `extend_low` and `extend_high` of lanes of the type `ty`; which half says `opcode`.
pub(in crate::translate) fn widen(body: &mut Body<'_>, opcode: Opcode, ty: Type) {
    let value = body.pop_vector(ty);
    let value = unary_value(body, opcode, ty, value);
    body.push_vector(value);
}

/// `v128.andnot`.
pub(in crate::translate) fn and_not(body: &mut Body<'_>) {
    let (a, b) = body.pop_vectors(VECTOR);
    let b = body.ins().bnot(b);
    let value = body.ins().band(a, b);
    body.push_vector(value);
}

/// `v128.bitselect`.
pub(in crate::translate) fn bitselect(body: &mut Body<'_>) {
    let mask = body.pop_vector(VECTOR);
    let (a, b) = body.pop_vectors(VECTOR);
    let value = body.ins().bitselect(mask, a, b);
    body.push_vector(value);
}

/// A shift of every lane by the same count, which counts modulo the width of a lane in
/// wasm and in the intermediate representation.
pub(in crate::translate) fn shift(body: &mut Body<'_>, opcode: Opcode, ty: Type) {
    let count = body.values.pop();
    let value = body.pop_vector(ty);
    let value = binary_value(body, opcode, value, count);
    body.push_vector(value);
}

/// A comparison of integers.
pub(in crate::translate) fn compare_integers(body: &mut Body<'_>, condition: IntCC, ty: Type) {
    let (a, b) = body.pop_vectors(ty);
    let mask = body.ins().icmp(condition, a, b);
    body.push_vector(mask);
}

/// A comparison of floats.
pub(in crate::translate) fn compare_floats(body: &mut Body<'_>, condition: FloatCC, ty: Type) {
    let (a, b) = body.pop_vectors(ty);
    let mask = body.ins().fcmp(condition, a, b);
    body.push_vector(mask);
}

/// `pmin`: the second operand where it is less than the first.
pub(in crate::translate) fn pseudo_min(body: &mut Body<'_>, ty: Type) {
    let (a, b) = body.pop_vectors(ty);
    let less = body.ins().fcmp(FloatCC::LessThan, b, a);
    select_lanes(body, less, b, a, ty);
}

/// `pmax`: the second operand where the first is less than it.
pub(in crate::translate) fn pseudo_max(body: &mut Body<'_>, ty: Type) {
    let (a, b) = body.pop_vectors(ty);
    let less = body.ins().fcmp(FloatCC::LessThan, a, b);
    select_lanes(body, less, b, a, ty);
}

/// `any_true` and `all_true`.
pub(in crate::translate) fn test(body: &mut Body<'_>, opcode: Opcode, ty: Type) {
    let value = body.pop_vector(ty);
    let result = unary_value(body, opcode, ty, value);
    body.push_bool(result);
}

/// `bitmask`.
pub(in crate::translate) fn bitmask(body: &mut Body<'_>, ty: Type) {
    let value = body.pop_vector(ty);
    let mask = body.ins().vhigh_bits(types::I32, value);
    body.values.push(mask);
}

/// Pushes the lanes of `a` where `mask` is set and those of `b` elsewhere.
fn select_lanes(body: &mut Body<'_>, mask: Value, a: Value, b: Value, ty: Type) {
    let mask = body.cast_vector(mask, ty);
    let value = body.ins().bitselect(mask, a, b);
    body.push_vector(value);
}

/// The result of an instruction with one operand; `ty` is what its type depends on.
fn unary_value(body: &mut Body<'_>, opcode: Opcode, ty: Type, value: Value) -> Value {
    let (inst, dfg) = body.ins().Unary(opcode, ty, value);
    dfg.first_result(inst)
}

/// The result of an instruction with two operands, whose type depends on the first.
fn binary_value(body: &mut Body<'_>, opcode: Opcode, a: Value, b: Value) -> Value {
    let ty = body.builder.func.dfg.value_type(a);
    let (inst, dfg) = body.ins().Binary(opcode, ty, a, b);
    dfg.first_result(inst)
}
