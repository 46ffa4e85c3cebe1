//! What references other than functions point to: a store's heap.
//!
//! References are 32-bit offsets into address space of the store's own; 0 is null, and the low
//! bit marks integers of 31 bits. How room is found for objects, and when they are freed, is up to
//! the collector: see [`Collector`] and the files [`drc`] and [`copying`]. Code is compiled for
//! one, so a store has the same one all its life, from the time that the first code which handles
//! references, or the first reference of the host, comes to it.
//!
//! Only allocation and [`Store::gc`](crate::Store::gc) collect. A reference that Rust code holds
//! across either must be a [`Root`], in the store's own places, or be passed along.

mod allocation;
mod bump;
mod collection;
mod copying;
mod drc;
mod externref;
mod hosts;
mod layouts;
mod rooms;
mod roots;
mod space;

pub(crate) use allocation::allocate;
pub(crate) use collection::heap_references;
pub use externref::ExternRef;
pub(crate) use layouts::{EXCEPTION_LEN, EXCEPTION_TAG, EXCEPTION_VALUES, exception_size};
pub use roots::{Handle, OwnedRooted, RootScope};
pub(crate) use roots::{Root, Roots, handle};

use precast_artifact::description::Collector;
use precast_artifact::object::{HOST_OBJECT, I31_BIT, OBJECT_TYPE};

use self::bump::Bump;
use self::drc::Drc;
use self::hosts::{HostValue, HostValues};
use self::layouts::{HOST_NUMBER, Layouts, Shape};
use self::space::Space;
use crate::engine::Engine;
use crate::error::ModuleError;
use crate::store::{Shared, TagId};

/// The granularity in which a heap grows.
const PAGE: usize = 64 << 10;

/// Values of the host that nothing refers to any more. They are dropped by whoever gets them when
/// the heap is in order again: dropping them runs code of the host, which can panic.
pub(crate) type Garbage = Vec<HostValue>;

/// The objects of a store.
pub(crate) struct Heap {
    shared: Shared,
    /// Reserved when the first object needs it.
    space: Option<Space>,
    policy: Policy,
    hosts: HostValues,
    layouts: Layouts,
    /// Whether a collection happens wherever one can.
    stress: bool,
}

/// How the objects are managed.
enum Policy {
    /// That is open.
    Undecided,
    Null(Bump),
    Drc(Box<Drc>),
    Copying(Bump),
}

/// Whether a reference is one to an object: neither null nor an integer.
pub(crate) fn is_object(reference: u32) -> bool {
    reference != 0 && reference & I31_BIT == 0
}

impl Heap {
    /// A heap without objects, for the store with this shared part.
    pub(crate) fn new(shared: Shared, engine: &Engine) -> Heap {
        let mut heap = Heap {
            shared,
            space: None,
            policy: Policy::Undecided,
            hosts: HostValues::default(),
            layouts: Layouts::new(engine),
            stress: engine.config().is_stressed(),
        };
        if let Some(collector) = engine.config().fixed_collector() {
            heap.decide(collector);
        }
        heap
    }

    /// The collector, if it is known which one.
    pub(crate) fn collector(&self) -> Option<Collector> {
        match self.policy {
            Policy::Undecided => None,
            Policy::Null(_) => Some(Collector::Null),
            Policy::Drc(_) => Some(Collector::Drc),
            Policy::Copying(_) => Some(Collector::Copying),
        }
    }

    /// Has the references managed by this collector from now on, which code was compiled for.
    ///
    /// # Errors
    ///
    /// When they are managed by another one already.
    pub(crate) fn choose(&mut self, collector: Collector) -> Result<(), ModuleError> {
        match self.collector() {
            None => {
                self.decide(collector);
                Ok(())
            }
            Some(known) if known == collector => Ok(()),
            Some(known) => {
                let (artifact, store) = (collector.to_string(), known.to_string());
                Err(ModuleError::StoreCollector { artifact, store })
            }
        }
    }

    /// Has the references managed by this collector unless it is known by which one.
    pub(crate) fn prefer(&mut self, collector: Collector) {
        if self.collector().is_none() {
            self.decide(collector);
        }
    }

    fn decide(&mut self, collector: Collector) {
        let (shared, ask) = (self.shared, self.stress);
        self.policy = match collector {
            Collector::Null => Policy::Null(Bump::new(shared, false)),
            Collector::Drc => Policy::Drc(Box::new(Drc::new(shared, ask))),
            Collector::Copying => Policy::Copying(Bump::new(shared, ask)),
        };
    }

    /// Whether a collection happens wherever one can.
    #[inline]
    pub(crate) fn is_stressed(&self) -> bool {
        self.stress
    }

    /// Says which values of exceptions with a tag are references into the heap, before there is
    /// such an exception.
    pub(crate) fn add_tag(&mut self, tag: TagId, references: &[usize]) {
        self.layouts.add_tag(tag, references);
    }

    /// The type of an object: an engine-wide index, or one of the reserved numbers.
    pub(crate) fn type_of(&self, object: u32) -> u32 {
        self.read(object + OBJECT_TYPE)
    }

    /// The word at a place of an object.
    pub(crate) fn read(&self, at: u32) -> u32 {
        self.objects().read(at)
    }

    /// Writes a word that is no reference.
    pub(crate) fn write(&mut self, at: u32, value: u32) {
        self.objects_mut().write(at, value);
    }

    /// Reads bytes of an object.
    pub(crate) fn read_bytes(&self, at: u32, bytes: &mut [u8]) {
        self.objects().read_bytes(at, bytes);
    }

    /// Writes bytes of an object that are no reference.
    pub(crate) fn write_bytes(&mut self, at: u32, bytes: &[u8]) {
        self.objects_mut().write_bytes(at, bytes);
    }

    /// Makes a range of places zero that hold no reference.
    pub(crate) fn clear(&mut self, range: std::ops::Range<u32>) {
        self.objects_mut().clear(range.start, range.len());
    }

    /// Copies bytes between places that may overlap; references among them must be counted.
    pub(crate) fn copy_within(&mut self, from: u32, to: u32, len: u32) {
        self.objects_mut().copy_within(from, to, len);
    }

    /// Whether references that are stored must be counted.
    pub(crate) fn counts_references(&self) -> bool {
        matches!(self.policy, Policy::Drc(_))
    }

    /// Notes that a reference has been stored where none was before.
    #[inline]
    pub(crate) fn retain(&mut self, reference: u32) {
        if let Policy::Drc(_) = self.policy
            && is_object(reference)
        {
            drc::retain(self.objects_mut(), reference);
        }
    }

    /// Notes that a reference has been stored in `count` places where none was before.
    pub(crate) fn retain_times(&mut self, reference: u32, count: u64) {
        if let Policy::Drc(_) = self.policy
            && is_object(reference)
        {
            drc::retain_times(self.objects_mut(), reference, count);
        }
    }

    /// Notes that a reference has been overwritten, after another one was retained in its place.
    #[inline]
    #[must_use]
    pub(crate) fn release(&mut self, reference: u32) -> Garbage {
        if let Policy::Drc(_) = self.policy
            && is_object(reference)
            && drc::release(self.objects_mut(), reference)
        {
            return self.free(reference);
        }
        Garbage::new()
    }

    /// Notes that generated code gets hold of a reference.
    #[inline]
    pub(crate) fn list(&mut self, reference: u32) {
        if let (Policy::Drc(drc), Some(space)) = (&mut self.policy, &mut self.space)
            && is_object(reference)
        {
            drc.list(space, reference);
        }
    }

    /// Frees an object that is counted and that nothing refers to, and what only it referred to.
    pub(crate) fn free(&mut self, object: u32) -> Garbage {
        let mut garbage = Garbage::new();
        let (Policy::Drc(drc), Some(space)) = (&mut self.policy, &mut self.space) else {
            return garbage;
        };
        let mut dead = vec![object];
        while let Some(object) = dead.pop() {
            let Shape { size, references } = self.layouts.shape(space, object);
            if space.read(object + OBJECT_TYPE) == HOST_OBJECT {
                garbage.extend(self.hosts.remove(space.read(object + HOST_NUMBER)));
            }
            for index in 0..references.len() {
                let reference = space.read(object + references.at(index));
                if is_object(reference) && drc::release(space, reference) {
                    dead.push(reference);
                }
            }
            drc.rooms.free(space, object, size);
        }
        garbage
    }

    fn objects(&self) -> &Space {
        self.space.as_ref().expect(NO_OBJECTS)
    }

    fn objects_mut(&mut self) -> &mut Space {
        self.space.as_mut().expect(NO_OBJECTS)
    }
}

const NO_OBJECTS: &str = "there are no references to objects before there is an object";
