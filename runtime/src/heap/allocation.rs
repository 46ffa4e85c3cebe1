//! Room for new objects.

use precast_artifact::description::Collector;
use precast_artifact::object::{OBJECT_COLLECTOR, OBJECT_TYPE};

use super::space::Space;
use super::{Heap, Policy};
use crate::error::{Error, LimitError, Result};
use crate::limits::DEFAULT_HEAP_SIZE;
use crate::store::VmStore;

/// Allocates an object of a type, which is an engine-wide index or one of the reserved numbers, and
/// of a size in bytes that is a multiple of 8. Its header is set, and everything else undefined:
/// its references must be initialized before anything else is allocated.
///
/// When there is no room, garbage is collected; if that does not help, the heap grows.
///
/// # Errors
///
/// When the heap has reached its limit, or there is no memory.
pub(crate) fn allocate(store: &mut dyn VmStore, type_id: u32, size: u32) -> Result<u32> {
    let (store, limiter) = store.parts();
    let limit = limiter.map_or(DEFAULT_HEAP_SIZE, |limiter| limiter.heap_size());
    let heap = &mut store.heap;
    heap.prepare()?;
    let mut found = None;
    if !heap.stress && !heap.wants_collection() {
        found = heap.find_room(size);
    }
    let object = match found {
        Some(object) => object,
        None => {
            // Dropped at the end, when the heap is in order.
            let _garbage = store.collect();
            let heap = &mut store.heap;
            let collected = heap.reserve_room(size, limit).and_then(|()| heap.find_room(size));
            let object = collected.ok_or_else(|| Error::from(LimitError::Heap { size, limit }))?;
            heap.initialize(object, type_id);
            return Ok(object);
        }
    };
    heap.initialize(object, type_id);
    Ok(object)
}

impl Heap {
    /// Makes sure that objects can be allocated at all.
    fn prepare(&mut self) -> Result<()> {
        // No code cares, so the references are the host's.
        self.prefer(Collector::Drc);
        if self.space.is_none() {
            let space =
                Space::reserve().map_err(|_| LimitError::AddressSpace { bytes: 4 << 30 })?;
            self.shared.set_heap_base(space.base());
            self.space = Some(space);
        }
        Ok(())
    }

    fn wants_collection(&self) -> bool {
        matches!(&self.policy, Policy::Drc(drc) if drc.wants_collection())
    }

    fn find_room(&mut self, size: u32) -> Option<u32> {
        match (&mut self.policy, &mut self.space) {
            (Policy::Drc(drc), Some(space)) => drc.rooms.allocate(space, size),
            (Policy::Null(bump) | Policy::Copying(bump), _) => bump.allocate(size),
            _ => None,
        }
    }

    /// Makes sure that there is room for an object, after a collection.
    fn reserve_room(&mut self, size: u32, limit: usize) -> Option<()> {
        let space = self.space.as_mut()?;
        match &mut self.policy {
            Policy::Undecided => None,
            Policy::Null(bump) => match bump.has_room(size) {
                true => Some(()),
                false => bump.grow(space, size, 2, limit),
            },
            Policy::Copying(bump) => bump.grow(space, size, 3, limit),
            Policy::Drc(drc) => match drc.rooms.has_room(size) {
                true => Some(()),
                false => drc.rooms.grow(space, &mut self.layouts, size, limit),
            },
        }
    }

    fn initialize(&mut self, object: u32, type_id: u32) {
        let space = self.objects_mut();
        space.write(object + OBJECT_TYPE, type_id);
        space.write(object + OBJECT_COLLECTOR, 0);
        // Whoever has asked for it holds it.
        self.list(object);
    }
}
