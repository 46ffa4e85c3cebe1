//! Loads and stores of parts of vectors.

use cranelift_codegen::ir::{InstBuilder, Opcode, Type};
use wasmparser::MemArg;

use crate::translate::body::Body;
use crate::translate::ops::memory::{load_value, store_value};

/// A load of half a vector whose lanes are extended to those of `ty`.
pub(in crate::translate) fn load_extended(
    body: &mut Body<'_>,
    memarg: &MemArg,
    opcode: Opcode,
    ty: Type,
) {
    if let Some(value) = load_value(body, memarg, opcode, ty) {
        body.push_vector(value);
    }
}

/// A load of one lane into all lanes.
pub(in crate::translate) fn load_splat(body: &mut Body<'_>, memarg: &MemArg, ty: Type) {
    if let Some(lane) = load_value(body, memarg, Opcode::Load, ty.lane_type()) {
        let value = body.ins().splat(ty, lane);
        body.push_vector(value);
    }
}

/// A load of one lane into the first, with zeros in the others.
pub(in crate::translate) fn load_zero(body: &mut Body<'_>, memarg: &MemArg, ty: Type) {
    if let Some(lane) = load_value(body, memarg, Opcode::Load, ty.lane_type()) {
        let value = body.ins().scalar_to_vector(ty, lane);
        body.push_vector(value);
    }
}

/// A load of one lane of a vector that has the others.
pub(in crate::translate) fn load_lane(body: &mut Body<'_>, memarg: &MemArg, ty: Type, lane: u8) {
    let value = body.pop_vector(ty);
    if let Some(loaded) = load_value(body, memarg, Opcode::Load, ty.lane_type()) {
        let value = body.ins().insertlane(value, loaded, lane);
        body.push_vector(value);
    }
}

/// A store of one lane.
pub(in crate::translate) fn store_lane(body: &mut Body<'_>, memarg: &MemArg, ty: Type, lane: u8) {
    let value = body.pop_vector(ty);
    let value = body.ins().extractlane(value, lane);
    store_value(body, memarg, Opcode::Store, value);
}
