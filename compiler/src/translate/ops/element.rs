//! Elements of tables: where they are, and what stands in them.

use std::mem::offset_of;

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{BlockArg, InstBuilder, MemFlagsData, Type, Value, types};
use precast_artifact::helper::Helper;
use precast_artifact::index::{TableIndex, TypeIndex};
use precast_artifact::trap::Trap;
use precast_artifact::types::{HeapType, TableType, ValType};
use precast_artifact::vmcontext::{FUNC_REF_READ, VMTableDefinition};

use crate::signature::{POINTER, value_type};
use crate::translate::body::{Body, Width};
use crate::translate::instance::Location;
use crate::translate::regions::{Entity, Region};
use crate::trap::trap_code;

use super::calls::call_helper;
use super::heap::Slot;

/// A table, as far as it is known at compile time.
#[derive(Clone, Copy)]
pub(super) struct Table {
    index: TableIndex,
    ty: TableType,
}

/// An element that can be accessed.
pub(super) struct Element {
    /// Its address.
    pub(super) address: Value,
    /// The flags of an access.
    pub(super) flags: MemFlagsData,
}

impl Element {
    /// The element of a table that does not hold functions, as the heap's operators take it.
    pub(super) fn slot(&self, table: &Table) -> Slot {
        Slot { address: self.address, offset: 0, flags: self.flags, ty: table.ty.element }
    }
}

impl Table {
    /// The table at `index`.
    pub(super) fn new(body: &Body<'_>, index: u32) -> Table {
        let index = TableIndex(index);
        Table { index, ty: body.instance.module.module.tables[index.as_usize()] }
    }

    /// The width of its indices.
    pub(super) fn width(&self) -> Width {
        if self.ty.table64 { Width::Bits64 } else { Width::Bits32 }
    }

    /// Whether its elements are functions.
    pub(super) fn is_func(&self) -> bool {
        self.ty.element.is_func()
    }

    /// Whether its elements are null or have the function type `ty`.
    pub(super) fn holds_only(&self, ty: TypeIndex) -> bool {
        self.ty.element.heap == HeapType::ConcreteFunc(ty)
    }

    /// How a value of the table lies in a register.
    pub(super) fn value_type(&self) -> Type {
        value_type(ValType::Ref(self.ty.element))
    }

    /// Its current number of elements.
    pub(super) fn length(&self, body: &mut Body<'_>) -> Value {
        match self.fixed_length() {
            Some(length) => body.const64(length),
            None => {
                let location = self.definition(body).field(offset_of!(VMTableDefinition, length));
                let flags = Region::Definitions.trusted(body.builder.func);
                body.ins().load(types::I64, flags, location.base, location.offset)
            }
        }
    }

    /// The element at `index`, which is 64 bits wide. Code that goes on is sure to have an
    /// element; an index beyond the table is `trap`.
    pub(super) fn element(&self, body: &mut Body<'_>, index: Value, trap: Trap) -> Element {
        let length = self.length(body);
        let outside = body.ins().icmp(IntCC::UnsignedGreaterThanOrEqual, index, length);
        let spectre = body.instance.spectre.tables;
        if !spectre {
            body.ins().trapnz(outside, trap_code(trap));
        }
        let base = self.base(body);
        let size_log2 = self.value_type().bytes().ilog2();
        let offset = body.ins().ishl_imm_u(index, i64::from(size_log2));
        let mut address = body.ins().iadd(base, offset);
        if spectre {
            let null = body.const64(0);
            address = body.ins().select_spectre_guard(outside, null, address);
        }
        let entity = Entity::new(self.index.0, body.instance.module.module.imported.tables);
        let region = Region::Table(entity);
        let flags = if spectre {
            region.trapping(body.builder.func, trap).with_aligned()
        } else {
            region.trusted(body.builder.func)
        };
        Element { address, flags }
    }

    /// What stands at `index`, which is 64 bits wide, in a table of functions: a reference
    /// with [`FUNC_REF_READ`] added.
    pub(super) fn func_element(&self, body: &mut Body<'_>, index: Value, trap: Trap) -> Value {
        let element = self.element(body, index, trap);
        let value = body.ins().load(POINTER, element.flags, element.address, 0);
        let first_read = body.builder.create_block();
        let found = body.block_with_params(&[POINTER]);
        body.ins().brif(value, found, &[BlockArg::Value(value)], first_read, &[]);

        body.builder.set_cold_block(first_read);
        body.continue_in(first_read);
        let table = body.const32(self.index.0);
        let value = call_helper(body, Helper::TableFuncRef, &[table, index]);
        let value = mark_read(body, value);
        body.ins().jump(found, &[BlockArg::Value(value)]);

        body.continue_in(found);
        body.builder.block_params(found)[0]
    }

    fn base(&self, body: &mut Body<'_>) -> Value {
        let location = self.definition(body).field(offset_of!(VMTableDefinition, base));
        if self.fixed_length().is_some() {
            body.instance.invariant(&mut body.builder, POINTER, location)
        } else {
            let flags = Region::Definitions.trusted(body.builder.func);
            body.ins().load(POINTER, flags, location.base, location.offset)
        }
    }

    fn definition(&self, body: &mut Body<'_>) -> Location {
        let place = body.instance.module.offsets.table(self.index);
        body.instance.definition(&mut body.builder, place)
    }

    /// Its number of elements when it cannot change.
    fn fixed_length(&self) -> Option<u64> {
        let limits = self.ty.limits;
        (limits.max == Some(limits.min)).then_some(limits.min)
    }
}

/// A function reference as it stands in a table.
pub(super) fn mark_read(body: &mut Body<'_>, func_ref: Value) -> Value {
    body.ins().bor_imm_u(func_ref, FUNC_REF_READ as i64)
}
