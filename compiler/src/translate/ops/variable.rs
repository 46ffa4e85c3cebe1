//! Locals, globals and the choice between two operands.

use cranelift_codegen::ir::immediates::{Ieee32, Ieee64};
use cranelift_codegen::ir::{InstBuilder, Value, types};
use precast_artifact::index::GlobalIndex;
use precast_artifact::module::ConstOp;
use precast_artifact::types::{GlobalType, RefType, ValType};

use crate::signature::{POINTER, VECTOR, value_type};
use crate::translate::body::Body;
use crate::translate::instance::Location;
use crate::translate::regions::{Entity, Region};

use super::heap::{self, Slot};

/// `select`.
pub(in crate::translate) fn select(body: &mut Body<'_>) {
    let condition = body.pop_condition();
    let (a, b) = body.values.pop2();
    let value = body.ins().select(condition, a, b);
    body.values.push(value);
}

/// `local.get`.
pub(in crate::translate) fn local_get(body: &mut Body<'_>, index: u32) {
    let local = body.local(index);
    let value = body.builder.use_var(local);
    body.control.dispatches.note_read(local, value);
    body.values.push(value);
}

/// `local.set`.
pub(in crate::translate) fn local_set(body: &mut Body<'_>, index: u32) {
    let value = body.values.pop();
    write_local(body, index, value);
}

/// `local.tee`.
pub(in crate::translate) fn local_tee(body: &mut Body<'_>, index: u32) {
    let value = body.values.top(1)[0];
    write_local(body, index, value);
}

fn write_local(body: &mut Body<'_>, index: u32, value: Value) {
    let local = body.local(index);
    body.builder.def_var(local, value);
    if let Some(block) = body.builder.current_block() {
        body.control.dispatches.note_written(local, value, block);
    }
}

/// `global.get`.
pub(in crate::translate) fn global_get(body: &mut Body<'_>, index: u32) {
    let index = GlobalIndex(index);
    let global = global_type(body, index);
    let ty = value_type(global.content);
    let value = if let Some(ty) = heap_reference(global) {
        let slot = slot(body, index, ty);
        match global.mutable {
            true => heap::read_reference(body, slot),
            // What it refers to lives as long as the global, but may be moved.
            false => body.ins().load(types::I32, slot.flags, slot.address, slot.offset),
        }
    } else if global.mutable {
        let location = location(body, index);
        let flags = region(body, index).trusted(body.builder.func);
        body.ins().load(ty, flags, location.base, location.offset)
    } else if let Some(value) = constant(body, index) {
        value
    } else {
        let location = location(body, index);
        body.instance.invariant(&mut body.builder, ty, location)
    };
    body.values.push(value);
}

/// `global.set`.
pub(in crate::translate) fn global_set(body: &mut Body<'_>, index: u32) {
    let index = GlobalIndex(index);
    let value = body.values.pop();
    if let Some(ty) = heap_reference(global_type(body, index)) {
        let slot = slot(body, index, ty);
        return heap::write_reference(body, slot, value);
    }
    let location = location(body, index);
    let flags = region(body, index).trusted(body.builder.func);
    body.ins().store(flags, value, location.base, location.offset);
}

fn global_type(body: &Body<'_>, index: GlobalIndex) -> GlobalType {
    body.instance.module.module.globals[index.as_usize()]
}

/// The type of the global's value when it is a reference into the heap.
fn heap_reference(global: GlobalType) -> Option<RefType> {
    match global.content {
        ValType::Ref(ty) if !ty.is_func() => Some(ty),
        _ => None,
    }
}

fn slot(body: &mut Body<'_>, index: GlobalIndex, ty: RefType) -> Slot {
    let Location { base, offset } = location(body, index);
    let flags = region(body, index).trusted(body.builder.func);
    Slot { address: base, offset, flags, ty }
}

fn location(body: &mut Body<'_>, index: GlobalIndex) -> Location {
    let place = body.instance.module.offsets.global(index);
    body.instance.definition(&mut body.builder, place)
}

fn region(body: &Body<'_>, index: GlobalIndex) -> Region {
    Region::Global(Entity::new(index.0, body.instance.module.module.imported.globals))
}

/// The value of an own global that never changes, when it is known now.
fn constant(body: &mut Body<'_>, index: GlobalIndex) -> Option<Value> {
    let module = &body.instance.module.module;
    let own = index.0.checked_sub(module.imported.globals)?;
    let &[op] = module.global_initializers[own as usize].0.as_slice() else { return None };
    Some(match op {
        ConstOp::I32(value) => body.const32(value.cast_unsigned()),
        ConstOp::I64(value) => body.const64(value.cast_unsigned()),
        ConstOp::F32(bits) => body.ins().f32const(Ieee32::with_bits(bits)),
        ConstOp::F64(bits) => body.ins().f64const(Ieee64::with_bits(bits)),
        ConstOp::V128(bits) => {
            let bytes = bits.to_le_bytes().as_slice().into();
            let constant = body.builder.func.dfg.constants.insert(bytes);
            body.ins().vconst(VECTOR, constant)
        }
        // Only functions come here.
        ConstOp::RefNull(_) => body.zero(POINTER),
        _ => return None,
    })
}
