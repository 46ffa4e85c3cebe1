//! What the host refers to.

use std::marker::PhantomData;
use std::sync::{Arc, Weak};

use super::Garbage;
use crate::store::{AsContext, AsContextMut, StoreContext, StoreContextMut, StoreId, StoreOpaque};

/// A handle of the host to an object, good until the scope ends in which it was made. It is no
/// reference itself: that is in the store, where collectors find it.
#[derive(Clone, Copy, Debug)]
pub struct Root {
    store: StoreId,
    position: u32,
    generation: u32,
}

/// Keeps an object alive until the last clone of this is dropped, whatever scopes end meanwhile.
///
/// Handles such as [`ExternRef`](crate::ExternRef) are good until the scope ends in which they
/// were made: the call of a host function, a [`RootScope`], or the store.
///
/// ```
/// use precast_runtime::{ExternRef, OwnedRooted, RootScope, Store};
///
/// let mut store: Store<()> = Store::default();
/// let kept = {
///     let mut scope = RootScope::new(&mut store);
///     let value = ExternRef::new(&mut scope, "kept")?;
///     OwnedRooted::new(&mut scope, value)
/// };
/// let value = kept.to_rooted(&mut store);
/// assert_eq!(value.data(&store).unwrap().downcast_ref(), Some(&"kept"));
/// # Ok::<(), precast_runtime::Error>(())
/// ```
#[derive(Debug)]
pub struct OwnedRooted<R> {
    store: StoreId,
    position: u32,
    alive: Arc<()>,
    handle: PhantomData<fn(R) -> R>,
}

/// Handles to objects: [`ExternRef`](crate::ExternRef), [`ExnRef`](crate::ExnRef).
pub trait Handle: Copy + handle::Sealed {}

pub(crate) mod handle {
    use super::Root;

    /// Handles are made here only.
    pub trait Sealed {
        #[doc(hidden)]
        fn from_root(root: Root) -> Self;

        #[doc(hidden)]
        fn root(self) -> Root;
    }
}

/// Lets go of all handles that are made in it when it ends.
///
/// It stands for the store until then. Without one, handles that are made outside of host
/// functions are good as long as the store, and what they refer to stays as long.
pub struct RootScope<C: AsContextMut> {
    store: C,
    height: usize,
}

/// The references of a store's handles.
#[derive(Default)]
pub(crate) struct Roots {
    scoped: Vec<Scoped>,
    /// Of what is put into `scoped` now: changes whenever something is taken out, so that handles
    /// to it are noticed. A handle would have to survive 2^32 scopes to be taken for another
    /// one, which then is another object of the same store.
    generation: u32,
    owned: Vec<Owned>,
    /// The positions in `owned` that nobody owns.
    free: Vec<u32>,
}

struct Scoped {
    reference: u32,
    generation: u32,
}

struct Owned {
    reference: u32,
    alive: Weak<()>,
}

impl Roots {
    /// How many handles there are in all scopes.
    #[inline]
    pub(crate) fn height(&self) -> usize {
        self.scoped.len()
    }

    fn push(&mut self, reference: u32) -> (u32, u32) {
        let position = u32::try_from(self.scoped.len()).expect("fewer than 2^32 handles");
        self.scoped.push(Scoped { reference, generation: self.generation });
        (position, self.generation)
    }

    /// Ends the scopes that began when there were more than `height` handles, and returns a
    /// reference that was let go of, as long as there is one.
    fn pop(&mut self, height: usize) -> Option<u32> {
        if self.scoped.len() <= height {
            return None;
        }
        self.generation = self.generation.wrapping_add(1);
        self.scoped.pop().map(|scoped| scoped.reference)
    }

    fn own(&mut self, reference: u32) -> (u32, Arc<()>) {
        let alive = Arc::new(());
        let owned = Owned { reference, alive: Arc::downgrade(&alive) };
        let position = match self.free.pop() {
            Some(position) => {
                self.owned[position as usize] = owned;
                position
            }
            None => {
                self.owned.push(owned);
                u32::try_from(self.owned.len() - 1).expect("fewer than 2^32 handles")
            }
        };
        (position, alive)
    }

    /// Whether there is no room for one more that is owned.
    fn is_full(&self) -> bool {
        self.free.is_empty() && self.owned.len() == self.owned.capacity()
    }

    /// Lets go of what nobody owns any more: the references to that.
    pub(super) fn take_ownerless(&mut self) -> Vec<u32> {
        let mut ownerless = Vec::new();
        for (position, owned) in self.owned.iter_mut().enumerate() {
            if owned.reference != 0 && owned.alive.strong_count() == 0 {
                ownerless.push(std::mem::take(&mut owned.reference));
                self.free.push(position as u32);
            }
        }
        ownerless
    }

    /// All references.
    pub(super) fn references_mut(&mut self) -> impl Iterator<Item = &mut u32> {
        let scoped = self.scoped.iter_mut().map(|scoped| &mut scoped.reference);
        let owned = self.owned.iter_mut().map(|owned| &mut owned.reference);
        scoped.chain(owned.filter(|reference| **reference != 0))
    }
}

impl Root {
    /// A handle, in the innermost scope, to an object whose reference is not null.
    pub(crate) fn new(store: &mut StoreOpaque, reference: u32) -> Root {
        store.heap.retain(reference);
        let (position, generation) = store.roots.push(reference);
        Root { store: store.id(), position, generation }
    }

    /// The reference.
    ///
    /// # Panics
    ///
    /// When the scope of the handle has ended, or it belongs to another store.
    #[inline]
    pub(crate) fn reference(self, store: &StoreOpaque) -> u32 {
        store.check(self.store);
        match store.roots.scoped.get(self.position as usize) {
            Some(scoped) if scoped.generation == self.generation => scoped.reference,
            _ => out_of_scope(),
        }
    }

    /// The reference, for generated code to hold.
    #[inline]
    pub(crate) fn to_raw(self, store: &mut StoreOpaque) -> u32 {
        let reference = self.reference(store);
        store.heap.list(reference);
        reference
    }
}

#[cold]
#[inline(never)]
fn out_of_scope() -> ! {
    panic!("reference used after the scope in which it was made: keep it in an `OwnedRooted`")
}

impl StoreOpaque {
    /// Lets go of all handles but the first `height` ones.
    #[inline]
    pub(crate) fn end_scope(&mut self, height: usize) {
        if self.roots.height() > height {
            self.release_scope(height);
        }
    }

    fn release_scope(&mut self, height: usize) {
        let mut garbage = Garbage::new();
        while let Some(reference) = self.roots.pop(height) {
            garbage.extend(self.heap.release(reference));
        }
    }

    /// Lets go of what nobody owns any more.
    pub(super) fn release_ownerless(&mut self) -> Garbage {
        let ownerless = self.roots.take_ownerless();
        ownerless.into_iter().flat_map(|reference| self.heap.release(reference)).collect()
    }
}

impl<R: Handle> OwnedRooted<R> {
    /// Keeps what a handle refers to.
    ///
    /// # Panics
    ///
    /// When the scope of the handle has ended, or it belongs to another store.
    pub fn new(mut store: impl AsContextMut, handle: R) -> OwnedRooted<R> {
        let StoreContextMut(store) = store.as_context_mut();
        let reference = handle.root().reference(&store.opaque);
        OwnedRooted::of(&mut store.opaque, reference)
    }

    pub(crate) fn of(store: &mut StoreOpaque, reference: u32) -> OwnedRooted<R> {
        if store.roots.is_full() {
            drop(store.release_ownerless());
        }
        store.heap.retain(reference);
        let (position, alive) = store.roots.own(reference);
        OwnedRooted { store: store.id(), position, alive, handle: PhantomData }
    }

    /// A handle to the object, in the innermost scope.
    ///
    /// # Panics
    ///
    /// When the object belongs to another store.
    pub fn to_rooted(&self, mut store: impl AsContextMut) -> R {
        let StoreContextMut(store) = store.as_context_mut();
        let reference = self.reference(&store.opaque);
        R::from_root(Root::new(&mut store.opaque, reference))
    }

    pub(crate) fn reference(&self, store: &StoreOpaque) -> u32 {
        store.check(self.store);
        store.roots.owned[self.position as usize].reference
    }

    pub(crate) fn store(&self) -> StoreId {
        self.store
    }
}

impl<R> Clone for OwnedRooted<R> {
    fn clone(&self) -> Self {
        let OwnedRooted { store, position, alive, handle } = self;
        OwnedRooted { store: *store, position: *position, alive: alive.clone(), handle: *handle }
    }
}

impl<C: AsContextMut> RootScope<C> {
    /// Begins a scope.
    pub fn new(mut store: C) -> RootScope<C> {
        let StoreContextMut(inner) = store.as_context_mut();
        let height = inner.opaque.roots.height();
        RootScope { store, height }
    }
}

impl<C: AsContextMut> AsContext for RootScope<C> {
    type Data = C::Data;

    fn as_context(&self) -> StoreContext<'_, C::Data> {
        self.store.as_context()
    }
}

impl<C: AsContextMut> AsContextMut for RootScope<C> {
    fn as_context_mut(&mut self) -> StoreContextMut<'_, C::Data> {
        self.store.as_context_mut()
    }
}

impl<C: AsContextMut> Drop for RootScope<C> {
    fn drop(&mut self) {
        let StoreContextMut(inner) = self.store.as_context_mut();
        inner.opaque.end_scope(self.height);
    }
}
