//! References and objects.

use anyhow::Result;
use wasmtime::{ExternRef, Instance, Module, RootScope, Rooted, Store, TypedFunc};

use crate::engine::{Heap, Work};

/// An instance that works with its heap.
pub(super) struct Working {
    store: Store<()>,
    instance: Instance,
    take: Option<TypedFunc<Option<Rooted<ExternRef>>, ()>>,
}

impl Working {
    pub(super) fn new(module: &Module, work: Work) -> Result<Working> {
        let mut store = Store::new(module.engine(), ());
        let instance = Instance::new(&mut store, module, &[])?;
        let mut working = Working { store, instance, take: None };
        if work.module() == "references" {
            working.take = Some(instance.get_typed_func(&mut working.store, "take")?);
            let keep = instance
                .get_typed_func::<Option<Rooted<ExternRef>>, ()>(&mut working.store, "keep")?;
            for number in 0..work.alive() {
                let mut scope = RootScope::new(&mut working.store);
                let value = ExternRef::new(&mut scope, number)?;
                keep.call(&mut scope, Some(value))?;
            }
        } else if work.alive() != 0 {
            let keep = instance.get_typed_func::<u32, ()>(&mut working.store, "keep")?;
            keep.call(&mut working.store, work.alive())?;
        }
        Ok(working)
    }
}

impl Heap for Working {
    fn repeat(&mut self, work: Work, n: u32) -> Result<()> {
        let Working { store, instance, take } = self;
        match (work, take) {
            (Work::Value, Some(take)) => {
                for number in 0..n {
                    let mut scope = RootScope::new(&mut *store);
                    let value = ExternRef::new(&mut scope, number)?;
                    take.call(&mut scope, Some(value))?;
                }
            }
            (Work::Move, _) => {
                let mut scope = RootScope::new(store);
                let value = ExternRef::new(&mut scope, 7)?;
                let work = instance
                    .get_typed_func::<(u32, Option<Rooted<ExternRef>>), ()>(&mut scope, "work")?;
                work.call(&mut scope, (n, Some(value)))?;
            }
            (Work::CollectValues | Work::CollectStructures, _) => {
                for _ in 0..n {
                    store.gc(None)?;
                }
            }
            _ => instance.get_typed_func::<u32, ()>(&mut *store, "work")?.call(store, n)?,
        }
        Ok(())
    }
}
