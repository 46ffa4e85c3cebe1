//! Finding out what is garbage.

use precast_artifact::types::ValType;
use precast_artifact::vmcontext::ValRaw;

use super::copying::Evacuation;
use super::drc::{self, Drc};
use super::space::Space;
use super::{Garbage, Heap, Policy};
use crate::store::StoreOpaque;
use crate::trap::{self, StackReference};

impl StoreOpaque {
    /// Frees what can be found to be unused. Code of the store may be running on this thread,
    /// and nowhere else, because a store is used by one thread at a time.
    ///
    /// Nothing happens when not all of the stack can be looked at.
    #[must_use = "what is dropped runs code of the host"]
    pub(crate) fn collect(&mut self) -> Garbage {
        let mut garbage = self.release_ownerless();
        let stack = || trap::stack_references(self.shared());
        match self.heap.policy {
            Policy::Undecided | Policy::Null(_) => {}
            Policy::Drc(_) => {
                if let Some(stack) = stack() {
                    garbage.extend(self.release_listed(&stack));
                }
            }
            Policy::Copying(_) => {
                if let Some(stack) = stack() {
                    garbage.extend(self.evacuate(&stack));
                }
            }
        }
        garbage
    }

    /// Where code of the host begins: when collections are to happen as often as possible, here is
    /// one. No reference may be held by Rust code other than as a handle.
    #[inline]
    pub(crate) fn safe_point(&mut self) {
        if self.heap.is_stressed() {
            self.collect_now();
        }
    }

    #[cold]
    fn collect_now(&mut self) {
        drop(self.collect());
    }

    /// Takes objects off the list of those that code holds references to, unless it does.
    fn release_listed(&mut self, stack: &[StackReference]) -> Garbage {
        let mut held: Vec<u32> = stack.iter().map(StackReference::get).collect();
        held.extend(self.exceptions.references());
        held.sort_unstable();
        held.dedup();
        let Heap { policy: Policy::Drc(drc), space: Some(space), .. } = &mut self.heap else {
            return Garbage::new();
        };
        let dead = unlist(drc, space, &held);
        dead.into_iter().flat_map(|object| self.heap.free(object)).collect()
    }

    /// Copies what can be reached.
    fn evacuate(&mut self, stack: &[StackReference]) -> Garbage {
        let Heap { policy: Policy::Copying(bump), space: Some(space), layouts, hosts, .. } =
            &mut self.heap
        else {
            return Garbage::new();
        };
        let Some(mut evacuation) = Evacuation::begin(bump, space, layouts, hosts) else {
            return Garbage::new();
        };
        for reference in stack {
            reference.set(evacuation.visit(reference.get()));
        }
        for reference in self.roots.references_mut() {
            *reference = evacuation.visit(*reference);
        }
        self.exceptions.update_references(|reference| evacuation.visit(reference));
        for global in self.globals.iter() {
            if global.ref_type().is_some_and(|ty| !ty.is_func()) {
                let definition = global.definition();
                definition.set(ValRaw::u32(evacuation.visit(definition.get().get_u32())));
            }
        }
        for table in self.tables.iter_mut() {
            for reference in table.references_mut() {
                *reference = evacuation.visit(*reference);
            }
        }
        for instance in self.instances.iter_mut() {
            for reference in instance.element_references_mut() {
                *reference = evacuation.visit(*reference);
            }
        }
        evacuation.finish(bump)
    }
}

/// What happens when values are stored where collectors find them.
impl StoreOpaque {
    /// Notes that a value of a type has been stored where none was before.
    pub(crate) fn retain(&mut self, ty: ValType, value: ValRaw) {
        if heap_references(&[ty]).next().is_some() {
            self.heap.retain(value.get_u32());
        }
    }

    /// Notes that a value of a type has been overwritten, after the new one was retained.
    #[must_use = "what is dropped runs code of the host"]
    pub(crate) fn release(&mut self, ty: ValType, value: ValRaw) -> Garbage {
        match heap_references(&[ty]).next() {
            Some(_) => self.heap.release(value.get_u32()),
            None => Garbage::new(),
        }
    }

    /// Notes that generated code gets hold of a value of a type.
    pub(crate) fn list(&mut self, ty: ValType, value: ValRaw) {
        if heap_references(&[ty]).next().is_some() {
            self.heap.list(value.get_u32());
        }
    }
}

/// Keeps those objects on the list that are among `held`, which is sorted. Of the others, returns
/// those that nothing refers to.
fn unlist(drc: &mut Drc, space: &mut Space, held: &[u32]) -> Vec<u32> {
    let is_held = |object: &u32| held.binary_search(object).is_ok();
    let (kept, dropped): (Vec<u32>, Vec<u32>) = drc.take_list().into_iter().partition(is_held);
    drc.keep_listed(&kept);
    dropped.into_iter().filter(|&object| drc::unlist(space, object)).collect()
}

/// The positions of references into the heap among values of these types.
pub(crate) fn heap_references(types: &[ValType]) -> impl Iterator<Item = usize> {
    let is_heap = |ty: &ValType| matches!(ty, ValType::Ref(ty) if !ty.is_func());
    types.iter().enumerate().filter(move |(_, ty)| is_heap(ty)).map(|(index, _)| index)
}
