//! Elements and the size of tables.

use cranelift_codegen::ir::InstBuilder;
use precast_artifact::helper::Helper;
use precast_artifact::trap::Trap;
use precast_artifact::vmcontext::FUNC_REF_READ;

use crate::translate::body::Body;

use super::calls::call_helper;
use super::element::{Table, mark_read};
use super::heap;

/// `table.get`.
pub(in crate::translate) fn get(body: &mut Body<'_>, index: u32) {
    let table = Table::new(body, index);
    let index = body.pop_index(table.width());
    let value = if table.is_func() {
        let marked = table.func_element(body, index, Trap::TableOutOfBounds);
        body.ins().iadd_imm_s(marked, -(FUNC_REF_READ as i64))
    } else {
        let element = table.element(body, index, Trap::TableOutOfBounds);
        heap::read_reference(body, element.slot(&table))
    };
    body.values.push(value);
}

/// `table.set`.
pub(in crate::translate) fn set(body: &mut Body<'_>, index: u32) {
    let table = Table::new(body, index);
    let value = body.values.pop();
    let index = body.pop_index(table.width());
    let element = table.element(body, index, Trap::TableOutOfBounds);
    if table.is_func() {
        let value = mark_read(body, value);
        body.ins().store(element.flags, value, element.address, 0);
    } else {
        heap::write_reference(body, element.slot(&table), value);
    }
}

/// `table.size`.
pub(in crate::translate) fn size(body: &mut Body<'_>, index: u32) {
    let table = Table::new(body, index);
    let length = table.length(body);
    body.push_index(length, table.width());
}

/// `table.grow`.
pub(in crate::translate) fn grow(body: &mut Body<'_>, index: u32) {
    let table = Table::new(body, index);
    let delta = body.pop_index(table.width());
    let init = body.values.pop();
    let helper = if table.is_func() { Helper::TableGrowFunc } else { Helper::TableGrowRef };
    let index = body.const32(index);
    let length = call_helper(body, helper, &[index, delta, init]);
    body.push_index(length, table.width());
}
