//! The collector that counts references.
//!
//! A count is the number of references from globals, tables, objects and the host, and one more
//! while the object is on the list of those that code may hold references to. Such an object is
//! taken off the list when a walk over the stack has not found it there; one whose count is 0 is
//! freed at once.
#![allow(unsafe_code)] // Generated code puts objects on the list.

use precast_artifact::object::OBJECT_COLLECTOR;
use precast_artifact::vmcontext::{COUNT_SATURATED, LISTED};

use super::rooms::Rooms;
use super::space::Space;
use crate::store::Shared;

/// How many objects are on the list before it is worth a walk over the stack.
const MIN_LISTED: usize = 1 << 10;
/// Room for objects, and the list of those that code may hold references to.
pub(super) struct Drc {
    pub(super) rooms: Rooms,
    list: List,
}

/// The list, whose end generated code moves.
struct List {
    shared: Shared,
    objects: Box<[u32]>,
    /// How many objects are on it before a collection is worthwhile.
    enough: usize,
    /// Whether the code has to ask for each object.
    ask: bool,
}

impl Drc {
    pub(super) fn new(shared: Shared, ask: bool) -> Drc {
        let mut list = List { shared, objects: Box::default(), enough: MIN_LISTED, ask };
        list.set_len(0);
        Drc { rooms: Rooms::new(shared), list }
    }

    /// Puts an object on the list, unless it is there.
    pub(super) fn list(&mut self, space: &mut Space, object: u32) {
        let count = space.read(object + OBJECT_COLLECTOR);
        if count & LISTED == 0 {
            space.write(object + OBJECT_COLLECTOR, up(count) | LISTED);
            self.list.push(object);
        }
    }

    /// Whether the list is so long that a collection is worthwhile.
    pub(super) fn wants_collection(&self) -> bool {
        self.list.len() >= self.list.enough
    }

    /// The objects on the list, which is empty afterwards.
    pub(super) fn take_list(&mut self) -> Vec<u32> {
        let objects = self.list.objects[..self.list.len()].to_vec();
        self.list.set_len(0);
        objects
    }

    /// Puts the objects on the list back that the stack still has. They are still marked.
    pub(super) fn keep_listed(&mut self, objects: &[u32]) {
        self.list.enough = (objects.len() * 2).max(MIN_LISTED);
        objects.iter().for_each(|&object| self.list.push(object));
        self.list.set_len(objects.len());
    }
}

/// Counts one more reference to an object.
pub(super) fn retain(space: &mut Space, object: u32) {
    let count = space.read(object + OBJECT_COLLECTOR);
    space.write(object + OBJECT_COLLECTOR, up(count));
}

/// Counts so many more references to an object.
pub(super) fn retain_times(space: &mut Space, object: u32, times: u64) {
    let count = space.read(object + OBJECT_COLLECTOR);
    let listed = count & LISTED;
    let sum = u64::from(count & !LISTED).saturating_add(times).min(COUNT_SATURATED.into());
    space.write(object + OBJECT_COLLECTOR, sum as u32 | listed);
}

/// Counts one reference to an object less. Whether that was the last one.
pub(super) fn release(space: &mut Space, object: u32) -> bool {
    let count = down(space.read(object + OBJECT_COLLECTOR));
    space.write(object + OBJECT_COLLECTOR, count);
    count == 0
}

/// Notes that an object is not on the list any more. Whether nothing else refers to it.
pub(super) fn unlist(space: &mut Space, object: u32) -> bool {
    let count = down(space.read(object + OBJECT_COLLECTOR) & !LISTED);
    space.write(object + OBJECT_COLLECTOR, count);
    count == 0
}

/// Generated code counts in the same way.
fn up(count: u32) -> u32 {
    if count & COUNT_SATURATED == 0 { count + 1 } else { count }
}

fn down(count: u32) -> u32 {
    if count & COUNT_SATURATED == 0 { count - 1 } else { count }
}

impl List {
    fn len(&self) -> usize {
        let start = self.objects.as_ptr().addr();
        (self.shared.listed_next().addr() - start) / size_of::<u32>()
    }

    fn push(&mut self, object: u32) {
        let len = self.len();
        if len == self.objects.len() {
            let larger = (len * 2).max(self.enough);
            let mut objects = std::mem::take(&mut self.objects).into_vec();
            objects.resize(larger, 0);
            self.objects = objects.into();
        }
        self.objects[len] = object;
        self.set_len(len + 1);
    }

    fn set_len(&mut self, len: usize) {
        let end = if self.ask { len } else { self.objects.len().min(self.enough).max(len) };
        let range = self.objects.as_mut_ptr_range();
        // SAFETY: both are at most the number of objects that there is room for.
        let [next, end] = [len, end].map(|len| unsafe { range.start.add(len) });
        self.shared.set_listed(next, end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_that_is_too_large_stays() {
        assert_eq!((up(0), down(1)), (1, 0));
        let last = COUNT_SATURATED - 1;
        assert_eq!(up(last), COUNT_SATURATED);
        assert_eq!([up(COUNT_SATURATED), down(COUNT_SATURATED)], [COUNT_SATURATED; 2]);
        assert_eq!(down(last | LISTED), (last - 1) | LISTED);
    }
}
