//! Helpers for tables, element segments and function references.

use precast_artifact::index::{ElemIndex, FuncIndex, TableIndex};

use super::{Context, DAMAGED};
use crate::error::Result;
use crate::store::TableId;
use crate::table::{self, Element};
use crate::vm::VmFunc;

impl Context<'_> {
    fn table(&mut self, index: u32) -> Result<TableId> {
        let instance = self.instance;
        Ok(self.opaque().instances[instance].table(TableIndex(index)).ok_or(DAMAGED)?)
    }
}

pub(super) fn table_func_ref(
    mut context: Context<'_>,
    table: u32,
    index: u64,
) -> Result<Option<VmFunc>> {
    let table = context.table(table)?;
    match context.opaque().table_get(table, index as usize) {
        Element::Func(func) => Ok(func),
        Element::Ref(_) => Err(DAMAGED.into()),
    }
}

pub(super) fn table_grow_func(
    mut context: Context<'_>,
    table: u32,
    delta: u64,
    init: Option<VmFunc>,
) -> Result<Option<u64>> {
    let table = context.table(table)?;
    table::grow(context.store, table, delta, Element::Func(init))
}

pub(super) fn table_grow_ref(
    mut context: Context<'_>,
    table: u32,
    delta: u64,
    init: u32,
) -> Result<Option<u64>> {
    let table = context.table(table)?;
    table::grow(context.store, table, delta, Element::Ref(init))
}

pub(super) fn table_fill_func(
    mut context: Context<'_>,
    table: u32,
    dst: u64,
    value: Option<VmFunc>,
    len: u64,
) -> Result<()> {
    let table = context.table(table)?;
    context.opaque().table_fill(table, dst, Element::Func(value), len)
}

pub(super) fn table_fill_ref(
    mut context: Context<'_>,
    table: u32,
    dst: u64,
    value: u32,
    len: u64,
) -> Result<()> {
    let table = context.table(table)?;
    context.opaque().table_fill(table, dst, Element::Ref(value), len)
}

pub(super) fn table_copy(
    mut context: Context<'_>,
    dst_table: u32,
    dst: u64,
    src_table: u32,
    src: u64,
    len: u64,
) -> Result<()> {
    let (to, from) = (context.table(dst_table)?, context.table(src_table)?);
    context.opaque().table_copy(to, dst, from, src, len)
}

pub(super) fn table_init(
    mut context: Context<'_>,
    table: u32,
    elem: u32,
    dst: u64,
    src: u32,
    len: u32,
) -> Result<()> {
    let table = context.table(table)?;
    let instance = context.instance;
    let store = context.opaque();
    store.table_init(table, instance, ElemIndex(elem), dst, src.into(), len.into())
}

pub(super) fn elem_drop(mut context: Context<'_>, elem: u32) -> Result<()> {
    let instance = context.instance;
    context.opaque().drop_element(instance, ElemIndex(elem));
    Ok(())
}

pub(super) fn ref_func(mut context: Context<'_>, func: u32) -> Result<Option<VmFunc>> {
    let instance = context.instance;
    Ok(context.opaque().instances[instance].func_ref(FuncIndex(func)))
}
