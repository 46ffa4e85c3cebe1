//! The collector that copies what can be reached to another place.
//!
//! It has two parts of the address space, one of which is empty. A collection copies the objects
//! that roots refer to into the empty part, then those that these refer to, in the order in
//! which they lie there; what remains in the other part is garbage.

use precast_artifact::object::{HOST_OBJECT, OBJECT_COLLECTOR, OBJECT_TYPE};

use super::bump::Bump;
use super::hosts::HostValues;
use super::layouts::{HOST_NUMBER, Layouts, Shape};
use super::space::Space;
use super::{Garbage, is_object};

/// The type of an object that has been copied.
const MOVED: u32 = 0;
/// Where such an object says where it is now.
const MOVED_TO: u32 = OBJECT_COLLECTOR;

/// A collection that is going on.
pub(super) struct Evacuation<'a> {
    space: &'a mut Space,
    layouts: &'a mut Layouts,
    hosts: &'a mut HostValues,
    from: std::ops::Range<u32>,
    to: u32,
    next: u32,
}

impl<'a> Evacuation<'a> {
    /// Begins a collection; `None` when there is no memory for the copies.
    pub(super) fn begin(
        bump: &Bump,
        space: &'a mut Space,
        layouts: &'a mut Layouts,
        hosts: &'a mut HostValues,
    ) -> Option<Evacuation<'a>> {
        let to = if bump.start() == Space::FIRST { Space::SECOND } else { Space::FIRST };
        space.commit(to, bump.used()).ok()?;
        hosts.clear_marks();
        Some(Evacuation { space, layouts, hosts, from: bump.start()..bump.next(), to, next: to })
    }

    /// Where the object of a root is from now on.
    pub(super) fn visit(&mut self, reference: u32) -> u32 {
        // A root that is found twice has been changed already.
        if !is_object(reference) || !self.from.contains(&reference) {
            return reference;
        }
        let ty = self.space.read(reference + OBJECT_TYPE);
        if ty == MOVED {
            return self.space.read(reference + MOVED_TO);
        }
        if ty == HOST_OBJECT {
            self.hosts.mark(self.space.read(reference + HOST_NUMBER));
        }
        let size = self.layouts.size(self.space, reference);
        let copy = self.next;
        self.space.copy(reference, copy, size);
        self.space.write(reference + OBJECT_TYPE, MOVED);
        self.space.write(reference + MOVED_TO, copy);
        self.next += size;
        copy
    }

    /// Copies the rest, after all roots were visited.
    pub(super) fn finish(mut self, bump: &mut Bump) -> Garbage {
        let mut object = self.to;
        while object < self.next {
            let Shape { size, references } = self.layouts.shape(self.space, object);
            for index in 0..references.len() {
                let place = object + references.at(index);
                let reference = self.space.read(place);
                let moved = self.visit(reference);
                if moved != reference {
                    self.space.write(place, moved);
                }
            }
            object += size;
        }
        bump.move_to(self.space, self.to, self.next);
        self.hosts.sweep()
    }
}
