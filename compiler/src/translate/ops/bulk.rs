//! Operators on ranges of tables, and on segments. Helpers do the work.

use precast_artifact::helper::Helper;

use crate::translate::body::{Body, Width};

use super::address::Memory;
use super::calls::call_helper_for_effect;
use super::element::Table;

/// `memory.init`.
pub(in crate::translate) fn memory_init(body: &mut Body<'_>, data: u32, memory: u32) {
    let (dst, src, len) = body.values.pop3();
    let dst = body.extend_index(dst, Memory::new(body, memory).width());
    let args = [body.const32(memory), body.const32(data), dst, src, len];
    call_helper_for_effect(body, Helper::MemoryInit, &args);
}

/// `data.drop`.
pub(in crate::translate) fn data_drop(body: &mut Body<'_>, data: u32) {
    let args = [body.const32(data)];
    call_helper_for_effect(body, Helper::DataDrop, &args);
}

/// `table.init`.
pub(in crate::translate) fn table_init(body: &mut Body<'_>, elem: u32, table: u32) {
    let (dst, src, len) = body.values.pop3();
    let dst = body.extend_index(dst, Table::new(body, table).width());
    let args = [body.const32(table), body.const32(elem), dst, src, len];
    call_helper_for_effect(body, Helper::TableInit, &args);
}

/// `elem.drop`.
pub(in crate::translate) fn elem_drop(body: &mut Body<'_>, elem: u32) {
    let args = [body.const32(elem)];
    call_helper_for_effect(body, Helper::ElemDrop, &args);
}

/// `table.copy`.
pub(in crate::translate) fn table_copy(body: &mut Body<'_>, dst_table: u32, src_table: u32) {
    let dst_width = Table::new(body, dst_table).width();
    let src_width = Table::new(body, src_table).width();
    let (dst, src, len) = body.values.pop3();
    let dst = body.extend_index(dst, dst_width);
    let src = body.extend_index(src, src_width);
    let len = body.extend_index(len, narrower(dst_width, src_width));
    let args = [body.const32(dst_table), dst, body.const32(src_table), src, len];
    call_helper_for_effect(body, Helper::TableCopy, &args);
}

/// `table.fill`.
pub(in crate::translate) fn table_fill(body: &mut Body<'_>, index: u32) {
    let table = Table::new(body, index);
    let (dst, value, len) = body.values.pop3();
    let dst = body.extend_index(dst, table.width());
    let len = body.extend_index(len, table.width());
    let helper = if table.is_func() { Helper::TableFillFunc } else { Helper::TableFillRef };
    let args = [body.const32(index), dst, value, len];
    call_helper_for_effect(body, helper, &args);
}

/// The width of the length of a copy.
pub(super) fn narrower(a: Width, b: Width) -> Width {
    if a == Width::Bits32 { a } else { b }
}
