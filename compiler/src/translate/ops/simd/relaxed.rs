//! The operators of `relaxed-simd`: where they may differ between processors, one
//! instruction does what would take several otherwise.

use cranelift_codegen::ir::types::{F32X4, F64X2, I16X8, I32X4, I64X2};
use cranelift_codegen::ir::{InstBuilder, Opcode, Type, Value};
use target_lexicon::Architecture;

use crate::signature::VECTOR;
use crate::translate::body::Body;
use crate::translate::instance::Relaxed;

use super::unary_value;
use super::width::{self, SIGNED};

impl Relaxed<'_> {
    /// Whether operators may do what they do on x86-64.
    fn x86(&self) -> bool {
        !self.deterministic && self.isa.triple().architecture == Architecture::X86_64
    }
}

/// `i8x16.relaxed_swizzle`.
pub(in crate::translate) fn swizzle(body: &mut Body<'_>) {
    let relaxed = body.instance.relaxed;
    if relaxed.x86() && relaxed.isa.has_x86_pshufb_lowering() {
        let (a, lanes) = body.pop_vectors(VECTOR);
        let value = body.ins().x86_pshufb(a, lanes);
        body.push_vector(value);
    } else {
        super::lanes::swizzle(body);
    }
}

/// `i32x4.relaxed_trunc_f32x4_s`. Unsigned, nothing is gained over `trunc_sat`.
pub(in crate::translate) fn truncate_floats(body: &mut Body<'_>) {
    let opcode = truncation(body);
    super::convert(body, opcode, F32X4, I32X4);
}

/// `i32x4.relaxed_trunc_f64x2_s_zero`.
pub(in crate::translate) fn truncate_doubles(body: &mut Body<'_>) {
    let value = body.pop_vector(F64X2);
    let opcode = truncation(body);
    let value = unary_value(body, opcode, I64X2, value);
    width::push_narrowed(body, Opcode::Snarrow, value);
}

fn truncation(body: &Body<'_>) -> Opcode {
    if body.instance.relaxed.x86() { Opcode::X86Cvtt2dq } else { Opcode::FcvtToSintSat }
}

/// `relaxed_madd`: a sum with a product.
pub(in crate::translate) fn multiply_add(body: &mut Body<'_>, ty: Type) {
    let (a, b, c) = pop_vectors3(body, ty);
    push_multiply_add(body, a, b, c);
}

/// `relaxed_nmadd`: a difference to a product.
pub(in crate::translate) fn negative_multiply_add(body: &mut Body<'_>, ty: Type) {
    let (a, b, c) = pop_vectors3(body, ty);
    let a = body.ins().fneg(a);
    push_multiply_add(body, a, b, c);
}

fn push_multiply_add(body: &mut Body<'_>, a: Value, b: Value, c: Value) {
    let Relaxed { isa, deterministic } = body.instance.relaxed;
    // Without an instruction for it, the fused operation is a call for each lane.
    let value = if deterministic || isa.has_native_fma() {
        body.ins().fma(a, b, c)
    } else {
        let product = body.ins().fmul(a, b);
        body.ins().fadd(product, c)
    };
    body.push_vector(value);
}

/// `relaxed_laneselect`.
pub(in crate::translate) fn laneselect(body: &mut Body<'_>, ty: Type) {
    let (a, b, mask) = pop_vectors3(body, ty);
    let relaxed = body.instance.relaxed;
    let value = if !relaxed.deterministic && relaxed.isa.has_blendv_lowering(ty) {
        body.ins().blendv(mask, a, b)
    } else {
        body.ins().bitselect(mask, a, b)
    };
    body.push_vector(value);
}

/// `relaxed_min`.
pub(in crate::translate) fn min(body: &mut Body<'_>, ty: Type) {
    if body.instance.relaxed.x86() {
        super::pseudo_min(body, ty);
    } else {
        super::binary(body, Opcode::Fmin, ty);
    }
}

/// `relaxed_max`.
pub(in crate::translate) fn max(body: &mut Body<'_>, ty: Type) {
    if body.instance.relaxed.x86() {
        super::pseudo_max(body, ty);
    } else {
        super::binary(body, Opcode::Fmax, ty);
    }
}

/// `i16x8.relaxed_q15mulr_s`.
pub(in crate::translate) fn q15_multiply(body: &mut Body<'_>) {
    let relaxed = body.instance.relaxed;
    if relaxed.x86() && relaxed.isa.has_x86_pmulhrsw_lowering() {
        super::binary(body, Opcode::X86Pmulhrsw, I16X8);
    } else {
        super::binary(body, Opcode::SqmulRoundSat, I16X8);
    }
}

/// `i16x8.relaxed_dot_i8x16_i7x16_s`.
pub(in crate::translate) fn dot(body: &mut Body<'_>) {
    let (a, b) = body.pop_vectors(VECTOR);
    let value = if multiplies_bytes(body) {
        body.ins().x86_pmaddubsw(a, b)
    } else {
        let (low, high) = width::products(body, a, b);
        body.ins().iadd_pairwise(low, high)
    };
    body.push_vector(value);
}

/// `i32x4.relaxed_dot_i8x16_i7x16_add_s`.
pub(in crate::translate) fn dot_add(body: &mut Body<'_>) {
    let addend = body.pop_vector(I32X4);
    let (a, b) = body.pop_vectors(VECTOR);
    let sums = if multiplies_bytes(body) {
        let sums = body.ins().x86_pmaddubsw(a, b);
        width::pair_sums(body, SIGNED, sums)
    } else {
        // Sums of two products do not always fit 16 bits.
        let (low, high) = width::products(body, a, b);
        let low = width::pair_sums(body, SIGNED, low);
        let high = width::pair_sums(body, SIGNED, high);
        body.ins().iadd_pairwise(low, high)
    };
    let value = body.ins().iadd(sums, addend);
    body.push_vector(value);
}

fn multiplies_bytes(body: &Body<'_>) -> bool {
    let relaxed = body.instance.relaxed;
    relaxed.x86() && relaxed.isa.has_x86_pmaddubsw_lowering()
}

fn pop_vectors3(body: &mut Body<'_>, ty: Type) -> (Value, Value, Value) {
    let c = body.pop_vector(ty);
    let (a, b) = body.pop_vectors(ty);
    (a, b, c)
}
