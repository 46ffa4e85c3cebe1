//! Helpers for arrays.

use std::ops::Range;

use precast_artifact::index::{DataIndex, ElemIndex};
use precast_artifact::trap::Trap;
use precast_artifact::vmcontext::ValRaw;

use super::{Context, DAMAGED};
use crate::error::Result;
use crate::gc::{self, Array};
use crate::heap::Garbage;
use crate::store::StoreOpaque;
use crate::table::Element;
use crate::vm::VmFunc;

impl Context<'_> {
    /// A new array of a type of the module.
    fn new_array(&mut self, ty: u32, len: u32) -> Result<(u32, Array)> {
        let instance = self.instance;
        let type_ids = self.opaque().instances[instance].module().inner().type_ids();
        let type_id = *type_ids.get(ty as usize).ok_or(DAMAGED)?;
        let object = gc::new_array(self.store, type_id, len).ok_or(DAMAGED)??;
        let (array, _) = self.opaque().array(object)?;
        Ok((object, array))
    }
}

pub(super) fn array_new_data(
    mut context: Context<'_>,
    ty: u32,
    data: u32,
    start: u32,
    len: u32,
) -> Result<u64> {
    let instance = context.instance;
    let type_ids = context.opaque().instances[instance].module().inner().type_ids();
    let type_id = *type_ids.get(ty as usize).ok_or(DAMAGED)?;
    let array = context.opaque().engine().types().find(type_id).and_then(|ty| Array::of(&ty));
    let size = array.ok_or(DAMAGED)?.layout.element_size();
    // Before there is an array, which may be too large.
    let bytes = context.opaque().instances[instance].data(DataIndex(data));
    let source = range(start, u64::from(len) * u64::from(size), bytes.len() as u64);
    let source = source.ok_or(Trap::MemoryOutOfBounds)?;
    let (object, array) = context.new_array(ty, len)?;
    let StoreOpaque { heap, instances, .. } = context.opaque();
    let bytes = &instances[instance].data(DataIndex(data))[source];
    heap.write_bytes(array.element(object, 0).at, bytes);
    Ok(object.into())
}

pub(super) fn array_new_elem(
    mut context: Context<'_>,
    ty: u32,
    elem: u32,
    start: u32,
    len: u32,
) -> Result<u64> {
    let instance = context.instance;
    let segment = context.opaque().instances[instance].element_position(ElemIndex(elem));
    let available = context.opaque().instances[instance].element_count(segment);
    let source = range(start, len.into(), available).ok_or(Trap::TableOutOfBounds)?;
    let (object, array) = context.new_array(ty, len)?;
    let store = context.opaque();
    for (position, index) in source.zip(0..) {
        let element = raw(store.instances[instance].element(segment, position));
        store.initialize_place(array.element(object, index), element);
    }
    Ok(object.into())
}

pub(super) fn array_init_data(
    mut context: Context<'_>,
    array: u32,
    index: u32,
    data: u32,
    start: u32,
    len: u32,
) -> Result<()> {
    let instance = context.instance;
    let StoreOpaque { instances, .. } = context.opaque();
    let available = instances[instance].data(DataIndex(data)).len() as u64;
    let (object, target) = (array, context.opaque().array(array)?);
    let (array, length) = target;
    range(index, len.into(), length.into()).ok_or(Trap::ArrayOutOfBounds)?;
    let size = u64::from(len) * u64::from(array.layout.element_size());
    let source = range(start, size, available).ok_or(Trap::MemoryOutOfBounds)?;
    if source.is_empty() {
        return Ok(());
    }
    let StoreOpaque { heap, instances, .. } = context.opaque();
    let bytes = &instances[instance].data(DataIndex(data))[source];
    heap.write_bytes(array.element(object, index).at, bytes);
    Ok(())
}

pub(super) fn array_init_elem(
    mut context: Context<'_>,
    array: u32,
    index: u32,
    elem: u32,
    start: u32,
    len: u32,
) -> Result<()> {
    let instance = context.instance;
    let store = context.opaque();
    let segment = store.instances[instance].element_position(ElemIndex(elem));
    let available = store.instances[instance].element_count(segment);
    let object = array;
    let (array, length) = store.array(object)?;
    range(index, len.into(), length.into()).ok_or(Trap::ArrayOutOfBounds)?;
    let source = range(start, len.into(), available).ok_or(Trap::TableOutOfBounds)?;
    let mut garbage = Garbage::new();
    for (position, index) in source.zip(index..) {
        let element = raw(store.instances[instance].element(segment, position));
        garbage.extend(store.write_place(array.element(object, index), element));
    }
    Ok(())
}

pub(super) fn array_copy(
    mut context: Context<'_>,
    dst_array: u32,
    dst: u32,
    src_array: u32,
    src: u32,
    len: u32,
) -> Result<()> {
    let store = context.opaque();
    let (target, target_len) = store.array(dst_array)?;
    let (source, source_len) = store.array(src_array)?;
    range(dst, len.into(), target_len.into()).ok_or(Trap::ArrayOutOfBounds)?;
    range(src, len.into(), source_len.into()).ok_or(Trap::ArrayOutOfBounds)?;
    if source.layout.element_size() != target.layout.element_size() {
        return Err(DAMAGED.into());
    }
    if len == 0 {
        return Ok(());
    }
    let references = |array: Array, object, first: u32| -> Vec<u32> {
        let places = (first..first + len).map(|index| array.element(object, index).at);
        places.map(|at| store.heap.read(at)).collect()
    };
    let (mut new, mut old) = (Vec::new(), Vec::new());
    if source.layout.references && store.heap.counts_references() {
        new = references(source, src_array, src);
        old = references(target, dst_array, dst);
    }
    new.into_iter().for_each(|reference| store.heap.retain(reference));
    let [from, to] = [source.element(src_array, src), target.element(dst_array, dst)];
    store.heap.copy_within(from.at, to.at, len << source.layout.element_size_log2);
    let _garbage: Garbage =
        old.into_iter().flat_map(|reference| store.heap.release(reference)).collect();
    Ok(())
}

/// An element of a segment as a value.
fn raw(element: Element) -> ValRaw {
    match element {
        Element::Func(func) => ValRaw::u64(func.map_or(0, VmFunc::to_raw)),
        Element::Ref(reference) => ValRaw::u32(reference),
    }
}

/// `len` positions from `start` on, if they are among the first `available`.
fn range(start: u32, len: u64, available: u64) -> Option<Range<usize>> {
    let end = u64::from(start).checked_add(len).filter(|&end| end <= available)?;
    Some(start as usize..usize::try_from(end).ok()?)
}
