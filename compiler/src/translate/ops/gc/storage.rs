//! The fields and elements of objects.

use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Value, types};
use precast_artifact::trap::Trap;
use precast_artifact::types::{StorageType, ValType};

use crate::signature::value_type;
use crate::translate::body::Body;
use crate::translate::ops::heap::{self, Slot};
use crate::translate::regions::Region;

/// A field or an element of an object.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// The address of the object, or of a part of it.
    pub(super) address: Value,
    /// What is added to it.
    pub(super) offset: i32,
    /// How the value is stored.
    pub(super) storage: StorageType,
    /// What it means when the access faults, which it does when the object may be null and is.
    pub(super) null: Option<Trap>,
}

/// What becomes of the upper bits when a value is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::translate) enum Extension {
    /// There are none: the value is stored whole.
    None,
    /// They are copies of the sign.
    Signed,
    /// They are zero.
    Unsigned,
}

impl Place {
    /// Reads the value.
    pub(super) fn read(self, body: &mut Body<'_>, extension: Extension) -> Value {
        if let Some(slot) = self.slot(body) {
            return heap::read_reference(body, slot);
        }
        let Place { address, offset, storage, .. } = self;
        let flags = self.flags(body);
        let ins = body.ins();
        match (storage, extension) {
            (StorageType::I8, Extension::Signed) => ins.sload8(types::I32, flags, address, offset),
            (StorageType::I8, _) => ins.uload8(types::I32, flags, address, offset),
            (StorageType::I16, Extension::Signed) => {
                ins.sload16(types::I32, flags, address, offset)
            }
            (StorageType::I16, _) => ins.uload16(types::I32, flags, address, offset),
            (StorageType::Val(ty), _) => ins.load(value_type(ty), flags, address, offset),
        }
    }

    /// Writes a value over another one.
    pub(super) fn write(self, body: &mut Body<'_>, value: Value) {
        match self.slot(body) {
            Some(slot) => heap::write_reference(body, slot, value),
            None => self.store(body, value),
        }
    }

    /// Writes the first value.
    pub(super) fn initialize(self, body: &mut Body<'_>, value: Value) {
        match self.slot(body) {
            Some(slot) => heap::initialize_reference(body, slot, value),
            None => self.store(body, value),
        }
    }

    /// Writes zero or null as the first value.
    pub(super) fn initialize_default(self, body: &mut Body<'_>) {
        let zero = body.zero(value_type(self.storage.unpacked()));
        self.store(body, zero);
    }

    /// Writes what no collector needs to know of.
    fn store(self, body: &mut Body<'_>, value: Value) {
        let Place { address, offset, storage, .. } = self;
        let flags = self.flags(body);
        match storage {
            StorageType::I8 => body.ins().istore8(flags, value, address, offset),
            StorageType::I16 => body.ins().istore16(flags, value, address, offset),
            StorageType::Val(_) => body.ins().store(flags, value, address, offset),
        };
    }

    fn flags(self, body: &mut Body<'_>) -> MemFlagsData {
        match self.null {
            None => Region::Objects.trusted(body.builder.func),
            Some(trap) => Region::Objects.trapping(body.builder.func, trap),
        }
    }

    /// The place as the heap's operators take it, if it holds a reference into the heap.
    fn slot(self, body: &mut Body<'_>) -> Option<Slot> {
        match self.storage {
            StorageType::Val(ValType::Ref(ty)) if !ty.is_func() => Some(Slot {
                address: self.address,
                offset: self.offset,
                flags: self.flags(body),
                ty,
            }),
            _ => None,
        }
    }
}
