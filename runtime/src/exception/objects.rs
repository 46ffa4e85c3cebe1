//! The exceptions of a store.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use precast_artifact::vmcontext::ValRaw;

use crate::store::TagId;

/// Added to references, so that few other numbers on a stack look like one.
const BASE: u32 = 0xa700_0000;
/// How many objects there are references for.
const MAX_OBJECTS: usize = 1 << 23;
/// Heaps below this size, in bytes, are not worth a collection.
const SMALL: usize = 64 << 10;

/// The exceptions of a store: objects, and the one that is being thrown.
pub(crate) struct Exceptions {
    objects: Vec<Option<Object>>,
    free: Vec<u32>,
    bytes: usize,
    /// When the objects take this many bytes, those that nobody needs are looked for.
    collect_at: usize,
    pending: Pending,
}

/// The exception that is being thrown, or was last.
pub(crate) enum Pending {
    /// One that exists already.
    Object(u32),
    /// One that does not have to exist before a handler wants a reference.
    Values(TagId, Vec<ValRaw>),
}

struct Object {
    tag: TagId,
    values: Box<[ValRaw]>,
    marked: bool,
    /// Whether the host has a handle to it, which is good for the rest of the store's life.
    pinned: AtomicBool,
    /// Who else of the host needs it.
    held: Weak<Hold>,
}

/// Keeps an object as long as it is alive.
#[derive(Debug)]
pub(crate) struct Hold(());

impl Default for Exceptions {
    fn default() -> Self {
        Exceptions {
            objects: Vec::new(),
            free: Vec::new(),
            bytes: 0,
            collect_at: SMALL,
            pending: Pending::Object(0),
        }
    }
}

impl Exceptions {
    /// How many bytes an object with this many values takes.
    pub(super) fn size_of(values: usize) -> usize {
        size_of::<Option<Object>>() + values * size_of::<ValRaw>()
    }

    /// How many bytes all objects take.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether enough was made since the last collection to make another one worthwhile.
    pub(super) fn wants_collection(&self) -> bool {
        self.bytes >= self.collect_at
    }

    /// A new object; `None` when there are no more references.
    pub(super) fn insert(&mut self, tag: TagId, values: Box<[ValRaw]>) -> Option<u32> {
        self.bytes += Self::size_of(values.len());
        let pinned = AtomicBool::new(false);
        let object = Some(Object { tag, values, marked: false, pinned, held: Weak::new() });
        let position = match self.free.pop() {
            Some(position) => {
                self.objects[position as usize] = object;
                position
            }
            None if self.objects.len() < MAX_OBJECTS => {
                self.objects.push(object);
                self.objects.len() as u32 - 1
            }
            None => return None,
        };
        Some(BASE + position * 2)
    }

    /// The tag and the values of an object.
    ///
    /// # Panics
    ///
    /// When there is no such object.
    pub(crate) fn get(&self, reference: u32) -> (TagId, &[ValRaw]) {
        let object = self.object(reference);
        (object.tag, &object.values)
    }

    /// Keeps an object for the rest of the store's life.
    pub(super) fn pin(&self, reference: u32) {
        self.object(reference).pinned.store(true, Ordering::Relaxed);
    }

    /// Keeps an object as long as the result is alive.
    pub(super) fn hold(&mut self, reference: u32) -> Arc<Hold> {
        let object = position(reference).and_then(|position| self.objects.get_mut(position));
        let object = object.and_then(Option::as_mut).expect(ALIVE);
        object.held.upgrade().unwrap_or_else(|| {
            let hold = Arc::new(Hold(()));
            object.held = Arc::downgrade(&hold);
            hold
        })
    }

    /// The exception that is being thrown.
    pub(crate) fn pending(&self) -> &Pending {
        &self.pending
    }

    /// The tag of the exception that is being thrown.
    pub(crate) fn pending_tag(&self) -> TagId {
        match &self.pending {
            Pending::Object(object) => self.get(*object).0,
            Pending::Values(tag, _) => *tag,
        }
    }

    /// An object is being thrown.
    pub(crate) fn throw_object(&mut self, reference: u32) {
        self.pending = Pending::Object(reference);
    }

    /// An exception with these values is being thrown.
    pub(crate) fn throw_values(&mut self, tag: TagId, values: &[ValRaw]) {
        match &mut self.pending {
            Pending::Values(last_tag, last_values) => {
                *last_tag = tag;
                last_values.clear();
                last_values.extend_from_slice(values);
            }
            Pending::Object(_) => self.pending = Pending::Values(tag, values.to_vec()),
        }
    }

    /// Marks what the host needs, and the exception that is being thrown.
    pub(super) fn mark_own(&mut self, marks: &mut Marks) {
        for position in 0..self.objects.len() {
            if let Some(object) = &mut self.objects[position]
                && (*object.pinned.get_mut() || object.held.strong_count() != 0)
            {
                marks.add(&mut self.objects, position);
            }
        }
        match &self.pending {
            &Pending::Object(reference) => self.mark(marks, reference),
            Pending::Values(_, values) => {
                for &value in &values.clone() {
                    self.mark(marks, value.get_u32());
                }
            }
        }
    }

    /// Marks the object that the number refers to, if it is a reference.
    pub(super) fn mark(&mut self, marks: &mut Marks, number: u32) {
        if let Some(position) = position(number) {
            marks.add(&mut self.objects, position);
        }
    }

    /// Marks what is referred to by marked objects, and frees the others.
    pub(super) fn sweep(&mut self, mut marks: Marks) {
        while let Some(at) = marks.new.pop() {
            let Some(values) = self.objects[at].as_ref().map(|object| object.values.clone()) else {
                continue;
            };
            for value in &values {
                self.mark(&mut marks, value.get_u32());
            }
        }
        for (position, slot) in self.objects.iter_mut().enumerate() {
            match slot {
                Some(object) if object.marked => object.marked = false,
                Some(object) => {
                    self.bytes -= Self::size_of(object.values.len());
                    *slot = None;
                    self.free.push(position as u32);
                }
                None => {}
            }
        }
        self.collect_at = (self.bytes * 2).max(SMALL);
    }

    fn object(&self, reference: u32) -> &Object {
        let object = position(reference).and_then(|position| self.objects.get(position));
        object.and_then(Option::as_ref).expect(ALIVE)
    }
}

const ALIVE: &str = "references of a store point to its exceptions";

/// The objects that were found to be needed, and not yet looked into.
#[derive(Default)]
pub(super) struct Marks {
    new: Vec<usize>,
}

impl Marks {
    fn add(&mut self, objects: &mut [Option<Object>], position: usize) {
        if let Some(Some(object)) = objects.get_mut(position)
            && !object.marked
        {
            object.marked = true;
            if !object.values.is_empty() {
                self.new.push(position);
            }
        }
    }
}

/// Where the object of a reference is.
fn position(reference: u32) -> Option<usize> {
    let offset = reference.checked_sub(BASE)?;
    (offset & 1 == 0).then_some(offset as usize / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_needs_is_freed() {
        let mut exceptions = Exceptions::default();
        let mut insert = |values: &[u32]| {
            let values = values.iter().map(|&value| ValRaw::u32(value)).collect();
            exceptions.insert(TagId(0), values).unwrap()
        };
        let inner = insert(&[5]);
        let outer = insert(&[1, inner]);
        let [pinned, held, thrown, lost] = [(); 4].map(|()| insert(&[]));
        exceptions.pin(pinned);
        let hold = exceptions.hold(held);
        exceptions.throw_object(thrown);
        let collect = |exceptions: &mut Exceptions, root: u32| {
            let mut marks = Marks::default();
            exceptions.mark_own(&mut marks);
            exceptions.mark(&mut marks, root);
            exceptions.sweep(marks);
            exceptions.objects.iter().filter(|object| object.is_some()).count()
        };
        assert_eq!(collect(&mut exceptions, outer), 5);
        assert_eq!(collect(&mut exceptions, inner), 4);
        drop(hold);
        exceptions.throw_values(TagId(0), &[ValRaw::u32(inner)]);
        assert_eq!(collect(&mut exceptions, 7), 2);
        assert_eq!(exceptions.get(inner).1[0].get_u32(), 5);
        assert_eq!(exceptions.bytes(), Exceptions::size_of(1) + Exceptions::size_of(0));
        let reused = exceptions.insert(TagId(0), Box::default()).unwrap();
        assert!([outer, held, thrown, lost].contains(&reused));
    }
}
