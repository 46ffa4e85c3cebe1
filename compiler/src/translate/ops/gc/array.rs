//! Arrays, one element at a time, and how they are made.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, Value, types};
use precast_artifact::index::TypeIndex;
use precast_artifact::object::{ARRAY_LENGTH, ArrayLayout, OBJECT_ALIGN};
use precast_artifact::trap::Trap;
use precast_artifact::types::StorageType;
use smallvec::SmallVec;

use crate::translate::body::{Body, Width};
use crate::translate::ops::heap;
use crate::translate::regions::Region;
use crate::trap::trap_code;

use super::loops;
use super::storage::{Extension, Place};

/// An array type, as far as it is known at compile time.
#[derive(Clone, Copy)]
pub(super) struct Array {
    pub(super) ty: TypeIndex,
    pub(super) storage: StorageType,
    pub(super) layout: ArrayLayout,
}

/// An array that was just made.
struct NewArray {
    reference: Value,
    /// Its address.
    object: Value,
    /// Its size in bytes, of 32 bits.
    size: Value,
}

/// `array.new`.
pub(in crate::translate) fn new(body: &mut Body<'_>, ty: u32) {
    let array = Array::new(body, ty);
    let (value, len) = body.values.pop2();
    let NewArray { reference, object, .. } = array.allocate(body, len);
    let [first, end] = array.range(body, object, None, len);
    array.for_each(body, first, end, |body, place| place.initialize(body, value));
    body.values.push(reference);
}

/// `array.new_default`.
pub(in crate::translate) fn new_default(body: &mut Body<'_>, ty: u32) {
    let array = Array::new(body, ty);
    let len = body.values.pop();
    let NewArray { reference, object, size } = array.allocate(body, len);
    // The first word has been written with the length.
    let first = body.ins().iadd_imm_s(object, i64::from(ARRAY_LENGTH + OBJECT_ALIGN));
    let size = body.extend_index(size, Width::Bits32);
    let end = body.ins().iadd(object, size);
    loops::clear(body, first, end);
    body.values.push(reference);
}

/// `array.new_fixed`.
pub(in crate::translate) fn new_fixed(body: &mut Body<'_>, ty: u32, len: u32) {
    let array = Array::new(body, ty);
    let values = SmallVec::<[Value; 8]>::from_slice(body.values.top(len as usize));
    let len = body.const32(len);
    let NewArray { reference, object, .. } = array.allocate(body, len);
    for (&value, index) in values.iter().zip(0..) {
        let offset = array.layout.element(index) as i32;
        Place { address: object, offset, storage: array.storage, null: None }
            .initialize(body, value);
    }
    body.values.drop(values.len());
    body.values.push(reference);
}

/// `array.get`, `array.get_s` and `array.get_u`.
pub(in crate::translate) fn get(body: &mut Body<'_>, ty: u32, extension: Extension) {
    let array = Array::new(body, ty);
    let (reference, index) = body.values.pop2();
    let value = array.element(body, reference, index).read(body, extension);
    body.values.push(value);
}

/// `array.set`.
pub(in crate::translate) fn set(body: &mut Body<'_>, ty: u32) {
    let array = Array::new(body, ty);
    let (reference, index, value) = body.values.pop3();
    array.element(body, reference, index).write(body, value);
}

/// `array.len`.
pub(in crate::translate) fn len(body: &mut Body<'_>) {
    let reference = body.values.pop();
    let (_, len) = address_and_length(body, reference);
    body.values.push(len);
}

/// `array.fill`.
pub(in crate::translate) fn fill(body: &mut Body<'_>, ty: u32) {
    let array = Array::new(body, ty);
    let len = body.values.pop();
    let (reference, index, value) = body.values.pop3();
    let (object, length) = address_and_length(body, reference);
    let [wide_length, wide_index, wide_len] =
        [length, index, len].map(|value| body.extend_index(value, Width::Bits32));
    let end = body.ins().iadd(wide_index, wide_len);
    let outside = body.ins().icmp(IntCC::UnsignedGreaterThan, end, wide_length);
    body.ins().trapnz(outside, trap_code(Trap::ArrayOutOfBounds));
    let [first, end] = array.range(body, object, Some(index), len);
    array.for_each(body, first, end, |body, place| place.write(body, value));
}

impl Array {
    /// The array type at `ty`.
    pub(super) fn new(body: &Body<'_>, ty: u32) -> Array {
        let ty = TypeIndex(ty);
        let (array, layout) = body.instance.module.array_type(ty);
        Array { ty, storage: array.element.storage, layout }
    }

    /// A new array of which only the length is initialized, and what is in one word with it.
    fn allocate(self, body: &mut Body<'_>, len: Value) -> NewArray {
        let max = body.const32(self.layout.max_len());
        let too_large = body.ins().icmp(IntCC::UnsignedGreaterThan, len, max);
        body.ins().trapnz(too_large, trap_code(Trap::AllocationTooLarge));
        let elements = body.ins().ishl_imm_u(len, i64::from(self.layout.element_size_log2));
        let align = i64::from(OBJECT_ALIGN) - 1;
        let size = body.ins().iadd_imm_u(elements, i64::from(self.layout.elements) + align);
        let size = body.ins().band_imm_s(size, !align);
        let type_id = body.instance.type_id(&mut body.builder, self.ty);
        let reference = heap::allocate(body, type_id, size);
        let object = heap::object_address(body, reference);
        let flags = Region::Objects.trusted(body.builder.func);
        let word = body.extend_index(len, Width::Bits32);
        body.ins().store(flags, word, object, ARRAY_LENGTH as i32);
        NewArray { reference, object, size }
    }

    /// The element at `index`, which is inside of the array when the code goes on.
    fn element(self, body: &mut Body<'_>, reference: Value, index: Value) -> Place {
        let (object, length) = address_and_length(body, reference);
        let inside = body.ins().icmp(IntCC::UnsignedLessThan, index, length);
        body.ins().trapz(inside, trap_code(Trap::ArrayOutOfBounds));
        let index = body.extend_index(index, Width::Bits32);
        let distance = body.ins().ishl_imm_u(index, i64::from(self.layout.element_size_log2));
        let address = body.ins().iadd(object, distance);
        let offset = self.layout.elements as i32;
        Place { address, offset, storage: self.storage, null: None }
    }

    /// The addresses of the element at `start`, which is 0 at first, and of the end of `len`
    /// elements.
    fn range(
        self,
        body: &mut Body<'_>,
        object: Value,
        start: Option<Value>,
        len: Value,
    ) -> [Value; 2] {
        let shift = i64::from(self.layout.element_size_log2);
        let bytes = |body: &mut Body<'_>, count: Value| {
            let count = body.extend_index(count, Width::Bits32);
            body.ins().ishl_imm_u(count, shift)
        };
        let mut first = body.ins().iadd_imm_s(object, i64::from(self.layout.elements));
        if let Some(start) = start {
            let distance = bytes(body, start);
            first = body.ins().iadd(first, distance);
        }
        let len = bytes(body, len);
        let end = body.ins().iadd(first, len);
        [first, end]
    }

    /// Does the same with every element from one address to another, which must not make the
    /// collector move anything.
    fn for_each(
        self,
        body: &mut Body<'_>,
        first: Value,
        end: Value,
        each: impl FnOnce(&mut Body<'_>, Place),
    ) {
        loops::for_each(body, first, end, self.layout.element_size(), |body, address| {
            each(body, Place { address, offset: 0, storage: self.storage, null: None });
        });
    }
}

/// The address of an array that may be null, and its length. Of null there is no length to read:
/// nothing can be accessed where the heap begins.
fn address_and_length(body: &mut Body<'_>, reference: Value) -> (Value, Value) {
    let object = heap::object_address(body, reference);
    let flags = Region::Objects.trapping(body.builder.func, Trap::NullArrayReference);
    let length = body.ins().load(types::I32, flags, object, ARRAY_LENGTH as i32);
    (object, length)
}
