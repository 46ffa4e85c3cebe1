//! Single lanes, and where lanes are.

use cranelift_codegen::ir::{InstBuilder, Opcode, Type, Value, types};

use crate::signature::VECTOR;
use crate::translate::body::Body;

/// `splat`.
pub(in crate::translate) fn splat(body: &mut Body<'_>, ty: Type) {
    let lane = pop_lane(body, ty);
    let value = body.ins().splat(ty, lane);
    body.push_vector(value);
}

/// `extract_lane` of a lane that is a value type.
pub(in crate::translate) fn extract(body: &mut Body<'_>, ty: Type, lane: u8) {
    let value = body.pop_vector(ty);
    let value = body.ins().extractlane(value, lane);
    body.values.push(value);
}

/// `extract_lane` of a lane that `extend` makes an `i32`.
pub(in crate::translate) fn extract_small(body: &mut Body<'_>, extend: Opcode, ty: Type, lane: u8) {
    let value = body.pop_vector(ty);
    let value = body.ins().extractlane(value, lane);
    let value = super::unary_value(body, extend, types::I32, value);
    body.values.push(value);
}

/// `replace_lane`.
pub(in crate::translate) fn replace(body: &mut Body<'_>, ty: Type, lane: u8) {
    let replacement = pop_lane(body, ty);
    let value = body.pop_vector(ty);
    let value = body.ins().insertlane(value, replacement, lane);
    body.push_vector(value);
}

/// `i8x16.shuffle`.
pub(in crate::translate) fn shuffle(body: &mut Body<'_>, lanes: &[u8; 16]) {
    let (a, b) = body.pop_vectors(VECTOR);
    let lanes = body.builder.func.dfg.immediates.push(lanes.as_slice().into());
    let value = body.ins().shuffle(a, b, lanes);
    body.push_vector(value);
}

/// `i8x16.swizzle`.
pub(in crate::translate) fn swizzle(body: &mut Body<'_>) {
    let (a, lanes) = body.pop_vectors(VECTOR);
    let value = body.ins().swizzle(a, lanes);
    body.push_vector(value);
}

/// Takes the value of a lane of `ty`: of small lanes, wasm has it as an `i32`.
fn pop_lane(body: &mut Body<'_>, ty: Type) -> Value {
    let value = body.values.pop();
    match ty.lane_type() {
        lane @ (types::I8 | types::I16) => body.ins().ireduce(lane, value),
        _ => value,
    }
}
