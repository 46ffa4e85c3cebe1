//! Structures.

use cranelift_codegen::ir::{InstBuilder, Value};
use precast_artifact::index::TypeIndex;
use precast_artifact::object::OBJECT_HEADER_SIZE;
use precast_artifact::trap::Trap;
use smallvec::SmallVec;

use crate::translate::body::Body;
use crate::translate::ops::address::NULL_PAGE;
use crate::translate::ops::heap;
use crate::trap::trap_code;

use super::loops;
use super::storage::{Extension, Place};

/// Structures with more fields are cleared by a loop, so that there is no more code than what asks for
/// it.
const MAX_SINGLE_STORES: usize = 16;

/// `struct.new`.
pub(in crate::translate) fn new(body: &mut Body<'_>, ty: u32) {
    let ty = TypeIndex(ty);
    let count = body.instance.module.struct_type(ty).0.fields.len();
    let values = SmallVec::<[Value; 8]>::from_slice(body.values.top(count));
    let reference = allocate(body, ty);
    let object = heap::object_address(body, reference);
    for (index, &value) in values.iter().enumerate() {
        field(body, ty, index, object).initialize(body, value);
    }
    body.values.drop(count);
    body.values.push(reference);
}

/// `struct.new_default`.
pub(in crate::translate) fn new_default(body: &mut Body<'_>, ty: u32) {
    let ty = TypeIndex(ty);
    let (structure, layout) = body.instance.module.struct_type(ty);
    let reference = allocate(body, ty);
    let object = heap::object_address(body, reference);
    if structure.fields.len() <= MAX_SINGLE_STORES {
        for index in 0..structure.fields.len() {
            field(body, ty, index, object).initialize_default(body);
        }
    } else {
        let first = body.ins().iadd_imm_s(object, i64::from(OBJECT_HEADER_SIZE));
        let end = body.ins().iadd_imm_s(object, i64::from(layout.size));
        loops::clear(body, first, end);
    }
    body.values.push(reference);
}

/// `struct.get`, `struct.get_s` and `struct.get_u`.
pub(in crate::translate) fn get(body: &mut Body<'_>, ty: u32, index: u32, extension: Extension) {
    let reference = body.values.pop();
    let value = checked_field(body, ty, index, reference).read(body, extension);
    body.values.push(value);
}

/// `struct.set`.
pub(in crate::translate) fn set(body: &mut Body<'_>, ty: u32, index: u32) {
    let (reference, value) = body.values.pop2();
    checked_field(body, ty, index, reference).write(body, value);
}

/// A new structure, of which nothing is initialized.
fn allocate(body: &mut Body<'_>, ty: TypeIndex) -> Value {
    let type_id = body.instance.type_id(&mut body.builder, ty);
    let size = body.const32(body.instance.module.struct_type(ty).1.size);
    heap::allocate(body, type_id, size)
}

/// A field of a structure that may be null. Null is the address of where the heap begins, where
/// nothing can be accessed; without a heap it is that of the process.
fn checked_field(body: &mut Body<'_>, ty: u32, index: u32, reference: Value) -> Place {
    let object = heap::object_address(body, reference);
    let place = field(body, TypeIndex(ty), index as usize, object);
    let end = place.offset as u64 + u64::from(place.storage.size());
    if end <= NULL_PAGE {
        return Place { null: Some(Trap::NullStructReference), ..place };
    }
    body.ins().trapz(reference, trap_code(Trap::NullStructReference));
    place
}

fn field(body: &Body<'_>, ty: TypeIndex, index: usize, object: Value) -> Place {
    let (ty, layout) = body.instance.module.struct_type(ty);
    Place {
        address: object,
        offset: layout.fields[index] as i32,
        storage: ty.fields[index].storage,
        null: None,
    }
}
