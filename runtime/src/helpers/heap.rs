//! Helpers of the heap.

use super::Context;
use crate::error::Result;
use crate::heap;

pub(super) fn gc_allocate(context: Context<'_>, type_id: u32, size: u32) -> Result<u64> {
    Ok(heap::allocate(context.store, type_id, size)?.into())
}

pub(super) fn gc_list(mut context: Context<'_>, reference: u32) -> Result<()> {
    let store = context.opaque();
    // First, because what the code has read it from may be gone after the collection.
    store.heap.list(reference);
    let _garbage = store.collect();
    Ok(())
}

pub(super) fn gc_release(mut context: Context<'_>, reference: u32) -> Result<()> {
    let _garbage = context.opaque().heap.free(reference);
    Ok(())
}
