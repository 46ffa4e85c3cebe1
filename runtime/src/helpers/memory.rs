//! Helpers for memories and data segments.

use std::time::Duration;

use precast_artifact::index::{DataIndex, MemoryIndex};
use precast_artifact::trap::Trap;

use super::{Context, DAMAGED};
use crate::error::Result;
use crate::memory::{self, OutOfBounds};
use crate::store::MemoryId;

impl Context<'_> {
    fn memory(&mut self, index: u32) -> Result<MemoryId> {
        let instance = self.instance;
        let id = self.opaque().instances[instance].memory(MemoryIndex(index));
        Ok(id.ok_or(DAMAGED)?)
    }
}

pub(super) fn memory_grow(
    mut context: Context<'_>,
    memory: u32,
    delta: u64,
) -> Result<Option<u64>> {
    let memory = context.memory(memory)?;
    memory::grow(context.store, memory, delta)
}

pub(super) fn memory_copy(
    mut context: Context<'_>,
    dst_memory: u32,
    dst: u64,
    src_memory: u32,
    src: u64,
    len: u64,
) -> Result<()> {
    let (to, from) = (context.memory(dst_memory)?, context.memory(src_memory)?);
    let memories = &mut context.opaque().memories;
    match memories.pair_mut(to, from) {
        Some((to, from)) => to.view().copy_from(dst, &from.view(), src, len),
        None => memories[to].view().copy_within(dst, src, len),
    }
    .map_err(trap)
}

pub(super) fn memory_fill(
    mut context: Context<'_>,
    memory: u32,
    dst: u64,
    value: u32,
    len: u64,
) -> Result<()> {
    let memory = context.memory(memory)?;
    context.opaque().memories[memory].view().fill(dst, value as u8, len).map_err(trap)
}

pub(super) fn memory_init(
    mut context: Context<'_>,
    memory: u32,
    data: u32,
    dst: u64,
    src: u32,
    len: u32,
) -> Result<()> {
    let memory = context.memory(memory)?;
    let instance = context.instance;
    let store = context.opaque();
    let data = store.instances[instance].data(DataIndex(data));
    let bytes = data.get(src as usize..).and_then(|rest| rest.get(..len as usize));
    let bytes = bytes.ok_or(Trap::MemoryOutOfBounds)?;
    store.memories[memory].view().write(dst, bytes).map_err(trap)
}

pub(super) fn data_drop(mut context: Context<'_>, data: u32) -> Result<()> {
    let instance = context.instance;
    context.opaque().instances[instance].drop_data(DataIndex(data));
    Ok(())
}

pub(super) fn memory_atomic_wait32(
    mut context: Context<'_>,
    memory: u32,
    address: u64,
    expected: u32,
    timeout: u64,
) -> Result<u64> {
    let memory = context.memory(memory)?;
    let memory = context.opaque().memories[memory].for_wait(address, 4)?;
    Ok(memory.atomic_wait32(address, expected, duration(timeout))? as u64)
}

pub(super) fn memory_atomic_wait64(
    mut context: Context<'_>,
    memory: u32,
    address: u64,
    expected: u64,
    timeout: u64,
) -> Result<u64> {
    let memory = context.memory(memory)?;
    let memory = context.opaque().memories[memory].for_wait(address, 8)?;
    Ok(memory.atomic_wait64(address, expected, duration(timeout))? as u64)
}

pub(super) fn memory_atomic_notify(
    mut context: Context<'_>,
    memory: u32,
    address: u64,
    count: u32,
) -> Result<u64> {
    let memory = context.memory(memory)?;
    Ok(context.opaque().memories[memory].notify(address, count)?.into())
}

/// A timeout in nanoseconds; there is none when it is negative.
fn duration(timeout: u64) -> Option<Duration> {
    (timeout.cast_signed() >= 0).then(|| Duration::from_nanos(timeout))
}

fn trap(_: OutOfBounds) -> crate::Error {
    Trap::MemoryOutOfBounds.into()
}
