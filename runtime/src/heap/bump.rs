//! Objects one behind the other: how code allocates by itself.
//!
//! Where the next one goes is in the store's part that generated code sees.

use super::space::Space;
use crate::store::Shared;

/// How large a heap is at first, unless it may not be that large: it takes memory only as it fills.
const MIN_CAPACITY: usize = 1 << 20;

/// A part of the address space that is being filled.
pub(super) struct Bump {
    shared: Shared,
    /// Where the part begins.
    start: u32,
    /// How many bytes of it may be filled, and can be used.
    capacity: usize,
    /// Whether the code has to ask for each object.
    ask: bool,
}

impl Bump {
    pub(super) fn new(shared: Shared, ask: bool) -> Bump {
        let bump = Bump { shared, start: Space::FIRST, capacity: 0, ask };
        bump.set_next(bump.start);
        bump
    }

    /// Where the part begins.
    pub(super) fn start(&self) -> u32 {
        self.start
    }

    /// Where the next object goes.
    pub(super) fn next(&self) -> u32 {
        self.shared.heap_next()
    }

    /// How many bytes are filled.
    pub(super) fn used(&self) -> usize {
        (self.next() - self.start) as usize
    }

    /// Whether there is room for an object.
    pub(super) fn has_room(&self, size: u32) -> bool {
        self.used() + size as usize <= self.capacity
    }

    /// Room for an object; `None` when there is not enough.
    pub(super) fn allocate(&mut self, size: u32) -> Option<u32> {
        if !self.has_room(size) {
            return None;
        }
        let object = self.next();
        self.set_next(object + size);
        Some(object)
    }

    /// Makes room for objects of `size` bytes, and more if `limit` allows it, with as much room as
    /// `factor` times what is filled.
    pub(super) fn grow(
        &mut self,
        space: &mut Space,
        size: u32,
        factor: usize,
        limit: usize,
    ) -> Option<()> {
        let needed = self.used() + size as usize;
        let limit = limit.min(Space::part_size());
        if needed > limit {
            return None;
        }
        let wanted = needed.saturating_mul(factor).max(MIN_CAPACITY).min(limit);
        let wanted = wanted.next_multiple_of(super::PAGE).min(Space::part_size());
        if space.commit(self.start, wanted).is_err() {
            space.commit(self.start, needed).ok()?;
            self.set_capacity(needed);
        } else {
            self.set_capacity(wanted.min(limit));
        }
        Some(())
    }

    /// Takes back everything from `next` on.
    pub(super) fn move_back(&mut self, next: u32) {
        self.set_next(next);
    }

    /// Goes on in a part that begins at `start` and is filled up to `next`, as large as this one.
    pub(super) fn move_to(&mut self, space: &mut Space, start: u32, next: u32) {
        self.start = start;
        self.set_next(next);
        if space.commit(start, self.capacity).is_err() {
            self.capacity = self.used();
        }
        self.set_capacity(self.capacity);
    }

    fn set_capacity(&mut self, capacity: usize) {
        self.capacity = capacity;
        self.set_next(self.next());
    }

    fn set_next(&self, next: u32) {
        let end = if self.ask { 0 } else { self.start as usize + self.capacity };
        self.shared.set_heap_room(next, end);
    }
}
