//! What a store owns, whatever its data is.
#![allow(unsafe_code)] // Frees the shared part when the store goes.

use crate::engine::Engine;
use crate::error::{LimitError, Result};
use crate::exception::Pending;
use crate::func::HostFunctions;
use crate::global::GlobalData;
use crate::heap::{Heap, Roots};
use crate::instance::InstanceData;
use crate::limits::ResourceLimiter;
use crate::memory::MemoryData;
use crate::module::Module;
use crate::table::TableData;
use crate::tag::TagData;

use super::{Shared, StoreId};

/// The part of a store that does not depend on the type of its data.
///
/// What it owns is in lists that only grow; public handles are the store's number and a
/// position in one of them.
pub(crate) struct StoreOpaque {
    id: StoreId,
    engine: Engine,
    shared: Shared,
    pub(crate) instances: Arena<InstanceId, InstanceData>,
    pub(crate) memories: Arena<MemoryId, MemoryData>,
    pub(crate) tables: Arena<TableId, TableData>,
    pub(crate) globals: Arena<GlobalId, GlobalData>,
    pub(crate) tags: Arena<TagId, TagData>,
    pub(crate) host_functions: HostFunctions,
    pub(crate) heap: Heap,
    /// What the host refers to.
    pub(crate) roots: Roots,
    /// The exception that is being thrown.
    pub(crate) exceptions: Pending,
    /// Modules whose code something in the store may run.
    modules: Vec<Module>,
}

/// A list that only grows, and is indexed by numbers of its own type.
pub(crate) struct Arena<I, D> {
    items: Vec<D>,
    index: std::marker::PhantomData<fn(I)>,
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub(crate) struct $name(pub(crate) u32);

        impl From<u32> for $name {
            fn from(index: u32) -> $name {
                $name(index)
            }
        }

        impl From<$name> for usize {
            fn from(id: $name) -> usize {
                id.0 as usize
            }
        }
    )*};
}

ids! {
    /// The number of an instance in its store.
    InstanceId
    /// The number of a memory in its store.
    MemoryId
    /// The number of a table in its store.
    TableId
    /// The number of a global in its store.
    GlobalId
    /// The number of an exception tag in its store.
    TagId
}

impl<I: From<u32> + Into<usize>, D> Arena<I, D> {
    fn new() -> Self {
        Arena { items: Vec::new(), index: std::marker::PhantomData }
    }

    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    /// The number that the next item will have.
    pub(crate) fn next(&self) -> I {
        I::from(u32::try_from(self.items.len()).expect("a store holds fewer than 2^32 items"))
    }

    pub(crate) fn push(&mut self, item: D) -> I {
        let id = self.next();
        self.items.push(item);
        id
    }

    pub(crate) fn iter(&self) -> std::slice::Iter<'_, D> {
        self.items.iter()
    }

    pub(crate) fn iter_mut(&mut self) -> std::slice::IterMut<'_, D> {
        self.items.iter_mut()
    }

    /// Two different items, to be changed both.
    pub(crate) fn pair_mut(&mut self, a: I, b: I) -> Option<(&mut D, &mut D)> {
        let [a, b] = self.items.get_disjoint_mut([a.into(), b.into()]).ok()?;
        Some((a, b))
    }
}

impl<I: Into<usize>, D> std::ops::Index<I> for Arena<I, D> {
    type Output = D;

    #[inline]
    fn index(&self, id: I) -> &D {
        &self.items[id.into()]
    }
}

impl<I: Into<usize>, D> std::ops::IndexMut<I> for Arena<I, D> {
    #[inline]
    fn index_mut(&mut self, id: I) -> &mut D {
        &mut self.items[id.into()]
    }
}

impl StoreOpaque {
    pub(super) fn new(id: StoreId, engine: &Engine) -> StoreOpaque {
        let settings = engine.config().runtime_settings();
        // The epoch belongs to the engine, which the store keeps.
        let shared = Shared::new(settings, engine.epoch());
        StoreOpaque {
            id,
            engine: engine.clone(),
            shared,
            instances: Arena::new(),
            memories: Arena::new(),
            tables: Arena::new(),
            globals: Arena::new(),
            tags: Arena::new(),
            host_functions: HostFunctions::default(),
            heap: Heap::new(shared, engine),
            roots: Roots::default(),
            exceptions: Pending::default(),
            modules: Vec::new(),
        }
    }

    #[inline]
    pub(crate) fn id(&self) -> StoreId {
        self.id
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    #[inline]
    pub(crate) fn shared(&self) -> Shared {
        self.shared
    }

    pub(crate) fn modules(&self) -> &[Module] {
        &self.modules
    }

    /// Keeps a module alive as long as the store.
    pub(crate) fn add_module(&mut self, module: &Module) {
        // Instances of one module tend to be made in a row.
        if self.modules.iter().rev().any(|known| Module::same(known, module)) {
            return;
        }
        self.modules.push(module.clone());
        self.complete_host_functions(module);
    }

    /// Checks that a handle is used with its own store.
    ///
    /// # Panics
    ///
    /// When it is not.
    #[inline]
    pub(crate) fn check(&self, id: StoreId) {
        if id != self.id {
            wrong_store();
        }
    }

    /// Checks that a type belongs to the store's engine.
    ///
    /// # Panics
    ///
    /// When it does not.
    pub(crate) fn check_engine(&self, engine: &Engine) {
        let same = Engine::same(self.engine(), engine);
        assert!(same, "a type of another engine than the store's was used");
    }
}

#[cold]
#[inline(never)]
fn wrong_store() -> ! {
    panic!("object used with the wrong store: it belongs to another one")
}

/// Whether there may be one more of something.
pub(crate) fn check_count(
    limiter: Option<&mut (dyn ResourceLimiter + '_)>,
    what: &'static str,
    limit: fn(&dyn ResourceLimiter) -> usize,
    count: usize,
    more: usize,
) -> Result<()> {
    let Some(limiter) = limiter else { return Ok(()) };
    let limit = limit(limiter);
    if count.saturating_add(more) > limit {
        return Err(LimitError::Count { what, limit }.into());
    }
    Ok(())
}

impl Drop for StoreOpaque {
    fn drop(&mut self) {
        // SAFETY: the store is not borrowed, so no call is active in it; what else has a copy
        // of the pointer (host functions, VMContexts) is dropped with the store and does not
        // follow it to do so.
        unsafe { self.shared.free() }
    }
}
