//! Room for objects that are freed one by one.
//!
//! Rooms have sizes of a few classes, each with a list of those that are free. They lie one behind
//! the other without gaps, so that neighbours can be put together when there is no other way.

use precast_artifact::object::{OBJECT_COLLECTOR, OBJECT_TYPE};

use super::bump::Bump;
use super::layouts::Layouts;
use super::space::Space;
use crate::store::Shared;

/// The type of room that is free.
const FREE: u32 = 0;
/// Where such a room says which is the next one of its class; 0 for none.
const NEXT: u32 = OBJECT_COLLECTOR;
/// Where it says how large it is.
const SIZE: u32 = 8;
/// The smallest room.
const MIN_SIZE: u32 = 16;

/// Rooms, free or not.
pub(super) struct Rooms {
    bump: Bump,
    /// The first free room of each class; 0 for none.
    free: [u32; CLASSES],
}

impl Rooms {
    pub(super) fn new(shared: Shared) -> Rooms {
        Rooms { bump: Bump::new(shared, true), free: [0; CLASSES] }
    }

    /// Room for an object.
    pub(super) fn allocate(&mut self, space: &mut Space, size: u32) -> Option<u32> {
        let class = class(size);
        let size = class_size(class);
        if self.free[class] != 0 {
            return Some(self.pop(space, class));
        }
        if let Some(room) = self.bump.allocate(size) {
            return Some(room);
        }
        let larger = (class + 1..CLASSES).find(|&class| self.free[class] != 0)?;
        let room = self.pop(space, larger);
        self.push(space, room + size, class_size(larger) - size);
        Some(room)
    }

    /// Whether there is room for an object.
    pub(super) fn has_room(&self, size: u32) -> bool {
        let class = class(size);
        self.bump.has_room(class_size(class)) || self.free[class..].iter().any(|&room| room != 0)
    }

    /// Takes back the room of an object.
    pub(super) fn free(&mut self, space: &mut Space, object: u32, size: u32) {
        self.push(space, object, class_size(class(size)));
    }

    /// Makes room for an object where there is none.
    pub(super) fn grow(
        &mut self,
        space: &mut Space,
        layouts: &mut Layouts,
        size: u32,
        limit: usize,
    ) -> Option<()> {
        let room = class_size(class(size));
        if self.bump.grow(space, room, 2, limit).is_none() {
            self.coalesce(space, layouts);
        }
        self.has_room(size).then_some(())
    }

    /// Puts free neighbours together.
    fn coalesce(&mut self, space: &mut Space, layouts: &mut Layouts) {
        self.free = [0; CLASSES];
        let end = self.bump.next();
        let (mut at, mut free_from) = (self.bump.start(), self.bump.start());
        while at < end {
            if space.read(at + OBJECT_TYPE) == FREE {
                at += space.read(at + SIZE);
                continue;
            }
            self.push(space, free_from, at - free_from);
            at += class_size(class(layouts.shape(space, at).size));
            free_from = at;
        }
        self.bump.move_back(free_from);
    }

    fn pop(&mut self, space: &Space, class: usize) -> u32 {
        let room = self.free[class];
        self.free[class] = space.read(room + NEXT);
        room
    }

    /// Divides free space among rooms.
    fn push(&mut self, space: &mut Space, mut at: u32, mut size: u32) {
        while size >= MIN_SIZE {
            let mut class = class(size);
            if class_size(class) > size {
                class -= 1;
            }
            space.write(at + OBJECT_TYPE, FREE);
            space.write(at + NEXT, self.free[class]);
            space.write(at + SIZE, class_size(class));
            self.free[class] = at;
            at += class_size(class);
            size -= class_size(class);
        }
    }
}

/// How many classes there are: multiples of 16 up to 256 bytes, then four for each power of 2.
const CLASSES: usize = 16 + 23 * 4 + 1;

/// The class of rooms in which an object of a size fits.
fn class(size: u32) -> usize {
    let size = size.max(MIN_SIZE);
    if size <= 256 {
        return size.div_ceil(16) as usize - 1;
    }
    // The number of the last byte has its highest bit at `power`.
    let power = (size - 1).ilog2();
    let quarter = ((size - 1) >> (power - 2)) & 3;
    16 + (power as usize - 8) * 4 + quarter as usize
}

/// The size of the rooms of a class.
fn class_size(class: usize) -> u32 {
    match class.checked_sub(16) {
        None => (class as u32 + 1) * 16,
        Some(large) => {
            let power = 8 + large as u32 / 4;
            (5 + large as u32 % 4) << (power - 2)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rooms_are_as_large_as_needed_and_hardly_larger() {
        for size in (8..5000).chain([1 << 20, (1 << 20) + 8, (1 << 30) + 8, 1 << 31]) {
            let class = class(size);
            assert!(class < CLASSES, "{size}");
            let room = class_size(class);
            assert!(room >= size && room.is_multiple_of(MIN_SIZE), "{size} in {room}");
            assert!(room <= size.max(16) + (size / 4).max(15), "{size} in {room}");
        }
    }
}
