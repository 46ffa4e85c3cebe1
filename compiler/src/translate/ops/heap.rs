//! The heap: how references are read, written and made, as the collector wants it.
//!
//! With *null* and *copying*, references are words like others, and objects are allocated by moving
//! a pointer. *drc* counts how often an object is referred to from globals, tables and other
//! objects. What code gets hold of goes on a list first, which counts as one more reference;
//! that the code has let go of it is found out later, by looking at stack maps.

use std::mem::offset_of;

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{Block, BlockArg, InstBuilder, MemFlagsData, Value, types};
use precast_artifact::description::Collector;
use precast_artifact::helper::Helper;
use precast_artifact::object::{MAX_OBJECT_SIZE, OBJECT_COLLECTOR, OBJECT_TYPE};
use precast_artifact::types::{HeapType, RefType};
use precast_artifact::vmcontext::{COUNT_SATURATED, LISTED, VMContextHeader, VMStoreContext};

use crate::signature::POINTER;
use crate::translate::body::Body;
use crate::translate::instance::Location;
use crate::translate::references;
use crate::translate::regions::Region;

use super::calls::{call_helper, call_helper_for_effect};

/// Where a reference is stored: in a global, a table or an object.
#[derive(Clone, Copy)]
pub(super) struct Slot {
    /// A pointer.
    pub(super) address: Value,
    /// What is added to it.
    pub(super) offset: i32,
    /// The flags of an access. Only the first one may trap.
    pub(super) flags: MemFlagsData,
    /// The type of the reference.
    pub(super) ty: RefType,
}

/// The address of an object whose reference is neither null nor an `i31`.
pub(super) fn object_address(body: &mut Body<'_>, reference: Value) -> Value {
    let store = store(body);
    let flags = Region::Definitions.trusted(body.builder.func);
    let base = offset_of!(VMStoreContext, heap_base) as i32;
    let base = body.ins().load(POINTER, flags, store, base);
    let reference = body.ins().uextend(POINTER, reference);
    body.ins().iadd(base, reference)
}

/// Reads a reference, for code to use it.
pub(super) fn read_reference(body: &mut Body<'_>, slot: Slot) -> Value {
    let Slot { address, offset, flags, ty } = slot;
    let value = body.ins().load(types::I32, flags, address, offset);
    if body.counts(ty) {
        list(body, value);
    }
    value
}

/// Writes a reference over another one.
pub(super) fn write_reference(body: &mut Body<'_>, slot: Slot, value: Value) {
    let Slot { address, offset, flags, ty } = slot;
    if !body.counts(ty) {
        body.ins().store(flags, value, address, offset);
        return;
    }
    let old = body.ins().load(types::I32, flags, address, offset);
    retain(body, value);
    body.ins().store(flags, value, address, offset);
    release(body, old);
}

/// Writes a reference to where none was before: to a field of a new object.
pub(super) fn initialize_reference(body: &mut Body<'_>, slot: Slot, value: Value) {
    let Slot { address, offset, flags, ty } = slot;
    if body.counts(ty) {
        retain(body, value);
    }
    body.ins().store(flags, value, address, offset);
}

/// Allocates an object of a type, which is the engine's number for it and may not be known before
/// the code runs, and of a size in bytes, which has 32 bits. What it holds is undefined: its
/// fields must all be initialized before the next call.
pub(super) fn allocate(body: &mut Body<'_>, type_id: Value, size: Value) -> Value {
    if body.collector == Collector::Drc {
        let reference = allocate_by_helper(body, type_id, size);
        references::declare(body, reference);
        return reference;
    }
    let store = store(body);
    let flags = Region::Collector.trusted(body.builder.func);
    let next_field = offset_of!(VMStoreContext, heap_next) as i32;
    let next = body.ins().load(POINTER, flags, store, next_field);
    let size_64 = body.ins().uextend(POINTER, size);
    let end = body.ins().iadd(next, size_64);
    let limit = offset_of!(VMStoreContext, heap_end) as i32;
    let limit = body.ins().load(POINTER, flags, store, limit);
    let full = body.ins().icmp(IntCC::UnsignedGreaterThan, end, limit);

    let [by_helper, inline] = [(); 2].map(|()| body.builder.create_block());
    let done = body.block_with_params(&[types::I32]);
    body.builder.set_cold_block(by_helper);
    body.ins().brif(full, by_helper, &[], inline, &[]);

    body.builder.switch_to_block(by_helper);
    body.builder.seal_block(by_helper);
    let reference = allocate_by_helper(body, type_id, size);
    body.ins().jump(done, &[BlockArg::Value(reference)]);

    body.continue_in(inline);
    body.ins().store(flags, end, store, next_field);
    let reference = body.ins().ireduce(types::I32, next);
    let object = object_address(body, reference);
    let flags = Region::Objects.trusted(body.builder.func);
    body.ins().store(flags, type_id, object, OBJECT_TYPE as i32);
    body.ins().jump(done, &[BlockArg::Value(reference)]);

    body.continue_in(done);
    let reference = body.builder.block_params(done)[0];
    references::declare(body, reference);
    reference
}

fn allocate_by_helper(body: &mut Body<'_>, type_id: Value, size: Value) -> Value {
    const { assert!(MAX_OBJECT_SIZE < u32::MAX) };
    let reference = call_helper(body, Helper::GcAllocate, &[type_id, size]);
    body.ins().ireduce(types::I32, reference)
}

impl Body<'_> {
    /// Whether references of a type are counted.
    fn counts(&mut self, ty: RefType) -> bool {
        self.references.handled = true;
        let may_be_object = !matches!(
            ty.heap,
            HeapType::I31 | HeapType::None | HeapType::NoExtern | HeapType::NoExn
        );
        self.collector == Collector::Drc && may_be_object
    }
}

/// Goes on in a new block when the reference is to an object, with its address, and otherwise in
/// `otherwise`.
fn if_object(body: &mut Body<'_>, reference: Value, otherwise: Block) -> Value {
    let is_null = body.ins().icmp_imm_u(IntCC::Equal, reference, 0);
    let is_null = body.ins().uextend(types::I32, is_null);
    let i31 = body.ins().band_imm_u(reference, 1);
    let nothing = body.ins().bor(is_null, i31);
    let object = body.builder.create_block();
    body.ins().brif(nothing, otherwise, &[], object, &[]);
    body.continue_in(object);
    object_address(body, reference)
}

/// Puts an object that code gets hold of on the list, unless it is there already.
fn list(body: &mut Body<'_>, reference: Value) {
    let done = body.builder.create_block();
    let object = if_object(body, reference, done);
    let collector = Region::Collector.trusted(body.builder.func);
    let count = body.ins().load(types::I32, collector, object, OBJECT_COLLECTOR as i32);
    // The mark is the highest bit.
    const { assert!(LISTED == 1 << 31) };
    let listed = body.ins().icmp_imm_s(IntCC::SignedLessThan, count, 0);
    let unlisted = body.builder.create_block();
    body.ins().brif(listed, done, &[], unlisted, &[]);

    body.continue_in(unlisted);
    let store = store(body);
    let next_field = offset_of!(VMStoreContext, listed_next) as i32;
    let end_field = offset_of!(VMStoreContext, listed_end) as i32;
    let next = body.ins().load(POINTER, collector, store, next_field);
    let end = body.ins().load(POINTER, collector, store, end_field);
    let full = body.ins().icmp(IntCC::Equal, next, end);
    let [by_helper, inline] = [(); 2].map(|()| body.builder.create_block());
    body.builder.set_cold_block(by_helper);
    body.ins().brif(full, by_helper, &[], inline, &[]);

    body.builder.switch_to_block(by_helper);
    body.builder.seal_block(by_helper);
    call_helper_for_effect(body, Helper::GcList, &[reference]);
    body.ins().jump(done, &[]);

    body.continue_in(inline);
    let count = counted_up(body, count);
    let count = body.ins().bor_imm_u(count, i64::from(LISTED));
    body.ins().store(collector, count, object, OBJECT_COLLECTOR as i32);
    body.ins().store(collector, reference, next, 0);
    let next = body.ins().iadd_imm_s(next, size_of::<u32>() as i64);
    body.ins().store(collector, next, store, next_field);
    body.ins().jump(done, &[]);
    body.continue_in(done);
}

/// Counts one more reference to an object.
fn retain(body: &mut Body<'_>, reference: Value) {
    let done = body.builder.create_block();
    let object = if_object(body, reference, done);
    let flags = Region::Collector.trusted(body.builder.func);
    let count = body.ins().load(types::I32, flags, object, OBJECT_COLLECTOR as i32);
    let count = counted_up(body, count);
    body.ins().store(flags, count, object, OBJECT_COLLECTOR as i32);
    body.ins().jump(done, &[]);
    body.continue_in(done);
}

/// Counts one reference to an object less, and frees it if that was the last one.
fn release(body: &mut Body<'_>, reference: Value) {
    let done = body.builder.create_block();
    let object = if_object(body, reference, done);
    let flags = Region::Collector.trusted(body.builder.func);
    let count = body.ins().load(types::I32, flags, object, OBJECT_COLLECTOR as i32);
    let one = one_unless_saturated(body, count);
    let count = body.ins().isub(count, one);
    let [alive, dead] = [(); 2].map(|()| body.builder.create_block());
    body.builder.set_cold_block(dead);
    body.ins().brif(count, alive, &[], dead, &[]);

    body.builder.switch_to_block(dead);
    body.builder.seal_block(dead);
    call_helper_for_effect(body, Helper::GcRelease, &[reference]);
    body.ins().jump(done, &[]);

    body.continue_in(alive);
    body.ins().store(flags, count, object, OBJECT_COLLECTOR as i32);
    body.ins().jump(done, &[]);
    body.continue_in(done);
}

fn counted_up(body: &mut Body<'_>, count: Value) -> Value {
    let one = one_unless_saturated(body, count);
    body.ins().iadd(count, one)
}

/// What a count changes by. One that has become too large for its bits stays what it is, and
/// the object with the store.
fn one_unless_saturated(body: &mut Body<'_>, count: Value) -> Value {
    const { assert!(COUNT_SATURATED == 1 << 30) };
    let saturated = body.ins().ushr_imm_u(count, 30);
    let saturated = body.ins().band_imm_u(saturated, 1);
    body.ins().bxor_imm_u(saturated, 1)
}

/// The store's state.
fn store(body: &mut Body<'_>) -> Value {
    let vmctx = body.instance.vmctx();
    let store = Location { base: vmctx, offset: offset_of!(VMContextHeader, store) as i32 };
    body.instance.invariant(&mut body.builder, POINTER, store)
}
