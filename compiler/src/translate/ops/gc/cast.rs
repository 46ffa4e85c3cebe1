//! What type a reference has at run time.
//!
//! An object says which type it has. Whether that is a subtype of another is found out in constant
//! time: each type has a list of its supertypes, in which one stands at the place that says
//! how many supertypes it has itself.

use std::mem::offset_of;

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{Block, InstBuilder, MemFlagsData, Value, types};
use precast_artifact::index::TypeIndex;
use precast_artifact::object::{I31_BIT, OBJECT_TYPE};
use precast_artifact::trap::Trap;
use precast_artifact::types::{HeapType, RefType};
use precast_artifact::vmcontext::{
    SUPERTYPES_ALWAYS_THERE, VMContextHeader, VMFuncRef, VMTypeInfo, VMTypeKind,
};

use wasmparser::AbstractHeapType;

use crate::signature::POINTER;
use crate::translate::body::Body;
use crate::translate::ops::{control, heap};
use crate::translate::regions::Region;
use crate::trap::trap_code;

/// `ref.test`.
pub(in crate::translate) fn test(body: &mut Body<'_>, to: RefType) {
    let reference = body.values.pop();
    let [matches, fails] = [(); 2].map(|()| body.builder.create_block());
    let done = body.block_with_params(&[types::I32]);
    branch(body, reference, to, matches, fails);
    for (block, result) in [(matches, 1), (fails, 0)] {
        body.continue_in(block);
        let result = body.const32(result);
        body.ins().jump(done, &[result.into()]);
    }
    body.continue_in(done);
    let result = body.builder.block_params(done)[0];
    body.values.push(result);
}

/// `ref.cast`.
pub(in crate::translate) fn cast(body: &mut Body<'_>, to: RefType) {
    let reference = body.values.top(1)[0];
    let [matches, fails] = [(); 2].map(|()| body.builder.create_block());
    branch(body, reference, to, matches, fails);
    body.builder.set_cold_block(fails);
    body.continue_in(fails);
    body.ins().trap(trap_code(Trap::CastFailure));
    body.continue_in(matches);
}

/// `br_on_cast`.
pub(in crate::translate) fn br_on_cast(body: &mut Body<'_>, depth: u32, to: RefType) {
    let reference = body.values.top(1)[0];
    let [matches, fails] = [(); 2].map(|()| body.builder.create_block());
    branch(body, reference, to, matches, fails);
    body.continue_in(matches);
    control::br(body, depth);
    body.control.set_reachable();
    body.continue_in(fails);
}

/// `br_on_cast_fail`.
pub(in crate::translate) fn br_on_cast_fail(body: &mut Body<'_>, depth: u32, to: RefType) {
    let reference = body.values.top(1)[0];
    let [matches, fails] = [(); 2].map(|()| body.builder.create_block());
    branch(body, reference, to, matches, fails);
    body.continue_in(fails);
    control::br(body, depth);
    body.control.set_reachable();
    body.continue_in(matches);
}

/// Goes to one of two blocks, to which nothing else goes, depending on whether the operand of a
/// cast is of the type `to`.
fn branch(body: &mut Body<'_>, reference: Value, to: RefType, matches: Block, fails: Block) {
    let null = if to.nullable { matches } else { fails };
    match to.heap {
        HeapType::Func | HeapType::Extern | HeapType::Any | HeapType::Exn => {
            body.ins().brif(reference, matches, &[], null, &[]);
        }
        HeapType::NoFunc | HeapType::NoExtern | HeapType::None | HeapType::NoExn => {
            body.ins().brif(reference, fails, &[], null, &[]);
        }
        HeapType::ConcreteFunc(ty) => {
            leave_if_null(body, reference, null);
            let type_id = offset_of!(VMFuncRef, type_id) as i32;
            let flags = MemFlagsData::trusted().with_readonly();
            let type_id = body.ins().load(types::I32, flags, reference, type_id);
            branch_on_type(body, type_id, ty, matches, fails);
        }
        HeapType::I31 => {
            leave_if_null(body, reference, null);
            let is_i31 = body.ins().band_imm_u(reference, i64::from(I31_BIT));
            body.ins().brif(is_i31, matches, &[], fails, &[]);
        }
        HeapType::Eq => {
            leave_if_null(body, reference, null);
            leave_if_i31(body, reference, matches);
            // Only values of the host are neither structures nor arrays.
            let kind = kind(body, reference);
            body.ins().brif(kind, matches, &[], fails, &[]);
        }
        HeapType::Struct | HeapType::Array => {
            leave_if_null(body, reference, null);
            leave_if_i31(body, reference, fails);
            let wanted = match to.heap {
                HeapType::Struct => VMTypeKind::Struct,
                _ => VMTypeKind::Array,
            };
            let kind = kind(body, reference);
            let is_wanted = body.ins().icmp_imm_u(IntCC::Equal, kind, wanted as i64);
            body.ins().brif(is_wanted, matches, &[], fails, &[]);
        }
        HeapType::ConcreteStruct(ty) | HeapType::ConcreteArray(ty) => {
            leave_if_null(body, reference, null);
            leave_if_i31(body, reference, fails);
            let type_id = object_type(body, reference);
            branch_on_type(body, type_id, ty, matches, fails);
        }
    }
}

/// Goes to one of two blocks, depending on whether the type with the number `type_id` is `ty` or a
/// subtype.
fn branch_on_type(
    body: &mut Body<'_>,
    type_id: Value,
    ty: TypeIndex,
    matches: Block,
    fails: Block,
) {
    let expected = body.instance.type_id(&mut body.builder, ty);
    let same = body.ins().icmp(IntCC::Equal, type_id, expected);
    if is_final(body, ty) {
        body.ins().brif(same, matches, &[], fails, &[]);
        return;
    }
    let other = body.builder.create_block();
    body.ins().brif(same, matches, &[], other, &[]);
    body.continue_in(other);
    let depth = body.instance.module.depth(ty);
    let info = type_info(body, type_id);
    if depth >= SUPERTYPES_ALWAYS_THERE {
        let own_depth = offset_of!(VMTypeInfo, depth) as i32;
        let own_depth = body.ins().load(types::I32, info_flags(), info, own_depth);
        let deep =
            body.ins().icmp_imm_u(IntCC::UnsignedGreaterThanOrEqual, own_depth, depth as i64);
        let deep_enough = body.builder.create_block();
        body.ins().brif(deep, deep_enough, &[], fails, &[]);
        body.continue_in(deep_enough);
    }
    let place = offset_of!(VMTypeInfo, supertypes) + depth * size_of::<u32>();
    let supertype = body.ins().load(types::I32, info_flags(), info, place as i32);
    let same = body.ins().icmp(IntCC::Equal, supertype, expected);
    body.ins().brif(same, matches, &[], fails, &[]);
}

/// Traps unless the type with the number `type_id` is the function type `ty` or a subtype.
pub(in crate::translate::ops) fn check_signature(
    body: &mut Body<'_>,
    type_id: Value,
    ty: TypeIndex,
) {
    if is_final(body, ty) {
        let expected = body.instance.type_id(&mut body.builder, ty);
        let same = body.ins().icmp(IntCC::Equal, type_id, expected);
        body.ins().trapz(same, trap_code(Trap::BadSignature));
        return;
    }
    let [matches, fails] = [(); 2].map(|()| body.builder.create_block());
    branch_on_type(body, type_id, ty, matches, fails);
    body.builder.set_cold_block(fails);
    body.continue_in(fails);
    body.ins().trap(trap_code(Trap::BadSignature));
    body.continue_in(matches);
}

/// Whether a type has no subtypes.
fn is_final(body: &Body<'_>, ty: TypeIndex) -> bool {
    body.instance.module.module.types.types[ty.as_usize()].is_final
}

/// Goes to `null` when the operand of a cast is null.
fn leave_if_null(body: &mut Body<'_>, reference: Value, null: Block) {
    if body.cast_operand.is_none_or(|ty| ty.is_nullable()) {
        let object = body.builder.create_block();
        body.ins().brif(reference, object, &[], null, &[]);
        body.continue_in(object);
    }
}

/// Goes to `i31` when the operand of a cast is an `i31`.
fn leave_if_i31(body: &mut Body<'_>, reference: Value, i31: Block) {
    use AbstractHeapType::{Any, Eq, I31};
    let may_be_i31 = |ty: wasmparser::RefType| {
        let heap = ty.heap_type();
        matches!(heap, wasmparser::HeapType::Abstract { ty: Any | Eq | I31, .. })
    };
    if body.cast_operand.is_none_or(may_be_i31) {
        let object = body.builder.create_block();
        let is_i31 = body.ins().band_imm_u(reference, i64::from(I31_BIT));
        body.ins().brif(is_i31, i31, &[], object, &[]);
        body.continue_in(object);
    }
}

/// The number of an object's type, or what an object without a type has instead.
fn object_type(body: &mut Body<'_>, reference: Value) -> Value {
    let object = heap::object_address(body, reference);
    let flags = Region::Objects.trusted(body.builder.func);
    body.ins().load(types::I32, flags, object, OBJECT_TYPE as i32)
}

/// What an object is: 0 for one without a type.
fn kind(body: &mut Body<'_>, reference: Value) -> Value {
    const { assert!(VMTypeKind::None as u32 == 0) };
    let type_id = object_type(body, reference);
    let info = type_info(body, type_id);
    body.ins().load(types::I32, info_flags(), info, offset_of!(VMTypeInfo, kind) as i32)
}

/// The address of what is known of the type with the number `type_id`.
fn type_info(body: &mut Body<'_>, type_id: Value) -> Value {
    let table = body.instance.location(offset_of!(VMContextHeader, types) as u32);
    let table = body.instance.invariant(&mut body.builder, POINTER, table);
    let index = body.ins().uextend(POINTER, type_id);
    let offset = body.ins().ishl_imm_u(index, i64::from(POINTER.bytes().ilog2()));
    let place = body.ins().iadd(table, offset);
    body.ins().load(POINTER, info_flags(), place, 0)
}

/// Flags for what is known of a type, which never changes, but is there only after it was found
/// that something has the type.
fn info_flags() -> MemFlagsData {
    MemFlagsData::trusted().with_readonly()
}
