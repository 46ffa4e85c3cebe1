//! Wider and narrower lanes, and arithmetic whose results have them.

use cranelift_codegen::ir::{InstBuilder, Opcode, Type, Value, types};

use crate::translate::body::Body;

use super::{binary_value, unary_value};

/// How the lanes of a vector are made twice as wide: the instructions for the lower and for
/// the upper half of them.
#[derive(Clone, Copy)]
pub(in crate::translate) struct Widening {
    low: Opcode,
    high: Opcode,
}

/// Lanes are signed.
pub(in crate::translate) const SIGNED: Widening =
    Widening { low: Opcode::SwidenLow, high: Opcode::SwidenHigh };
/// Lanes are unsigned.
pub(in crate::translate) const UNSIGNED: Widening =
    Widening { low: Opcode::UwidenLow, high: Opcode::UwidenHigh };

impl Widening {
    /// Both halves of a vector.
    pub(super) fn halves(self, body: &mut Body<'_>, value: Value) -> (Value, Value) {
        let ty = body.builder.func.dfg.value_type(value);
        (unary_value(body, self.low, ty, value), unary_value(body, self.high, ty, value))
    }
}

/// `extmul_low` and `extmul_high` of lanes of the type `ty`.
pub(in crate::translate) fn extended_multiply(body: &mut Body<'_>, widen: Opcode, ty: Type) {
    let (a, b) = body.pop_vectors(ty);
    let a = unary_value(body, widen, ty, a);
    let b = unary_value(body, widen, ty, b);
    let value = body.ins().imul(a, b);
    body.push_vector(value);
}

/// `extadd_pairwise` of lanes of the type `ty`.
pub(in crate::translate) fn extended_add(body: &mut Body<'_>, widening: Widening, ty: Type) {
    let value = body.pop_vector(ty);
    let value = pair_sums(body, widening, value);
    body.push_vector(value);
}

/// `i32x4.dot_i16x8_s`.
pub(in crate::translate) fn dot(body: &mut Body<'_>) {
    let (a, b) = body.pop_vectors(types::I16X8);
    let (low, high) = products(body, a, b);
    let value = body.ins().iadd_pairwise(low, high);
    body.push_vector(value);
}

/// `i32x4.trunc_sat_f64x2_s_zero` and its unsigned variant: `truncate` to 64 bits, and
/// `narrow` to 32.
pub(in crate::translate) fn truncate_doubles(
    body: &mut Body<'_>,
    truncate: Opcode,
    narrow: Opcode,
) {
    let value = body.pop_vector(types::F64X2);
    let value = unary_value(body, truncate, types::I64X2, value);
    push_narrowed(body, narrow, value);
}

/// `f64x2.convert_low_i32x4`.
pub(in crate::translate) fn convert_to_doubles(
    body: &mut Body<'_>,
    widen: Opcode,
    convert: Opcode,
) {
    let value = body.pop_vector(types::I32X4);
    let value = unary_value(body, widen, types::I32X4, value);
    let value = unary_value(body, convert, types::F64X2, value);
    body.push_vector(value);
}

/// Pushes two lanes of 64 bits as the lower two of four with 32 bits; the others are zero.
pub(super) fn push_narrowed(body: &mut Body<'_>, narrow: Opcode, value: Value) {
    let zero = body.zero(types::I64X2);
    let value = binary_value(body, narrow, value, zero);
    body.push_vector(value);
}

/// The sums of each two neighbouring lanes, in lanes that are twice as wide.
pub(super) fn pair_sums(body: &mut Body<'_>, widening: Widening, value: Value) -> Value {
    let (low, high) = widening.halves(body, value);
    body.ins().iadd_pairwise(low, high)
}

/// The products of signed lanes, in lanes that are twice as wide: those of the lower half of
/// the lanes and those of the upper half.
pub(super) fn products(body: &mut Body<'_>, a: Value, b: Value) -> (Value, Value) {
    let (a_low, a_high) = SIGNED.halves(body, a);
    let (b_low, b_high) = SIGNED.halves(body, b);
    (body.ins().imul(a_low, b_low), body.ins().imul(a_high, b_high))
}
