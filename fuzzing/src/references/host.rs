//! The host of a program, which compares what happens with the model.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use precast::{
    AsContext, Caller, Collector, Engine, ExternRef, Func, Instance, Module, RootScope, Store,
    ThrownException, Val,
};

use super::model::{Event, Model, Value};

/// A program that is about to run.
pub(super) struct Run {
    store: Store<Host>,
    instance: Instance,
    collector: Collector,
}

/// What the store knows of the host.
struct Host {
    model: Model,
    drops: Drops,
    made: usize,
}

/// How often each value was dropped.
#[derive(Clone, Default)]
struct Drops(Arc<Mutex<Vec<usize>>>);

/// A value of the host.
struct Tracked {
    number: usize,
    drops: Drops,
}

impl Drops {
    fn lock(&self) -> MutexGuard<'_, Vec<usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Checks that none of these values has been dropped.
    fn check_alive(&self, values: &BTreeSet<usize>) {
        let drops = self.lock();
        for &value in values {
            assert_eq!(drops[value], 0, "value {value} was dropped while it was needed");
        }
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        self.drops.lock()[self.number] += 1;
    }
}

impl Run {
    pub(super) fn new(engine: &Engine, module: &Module, model: Model, collector: Collector) -> Run {
        let drops = Drops(Arc::new(Mutex::new(vec![0; model.made])));
        let mut store = Store::new(engine, Host { model, drops, made: 0 });
        let make = Func::wrap(&mut store, make);
        let check = Func::wrap(&mut store, check);
        let collect = Func::wrap(&mut store, collect);
        let imports = [make.into(), check.into(), collect.into()];
        let instance = Instance::new(&mut store, module, &imports).expect("the imports fit");
        Run { store, instance, collector }
    }

    /// Runs the program, and checks what is left when it has ended, and when the store has.
    pub(super) fn finish(mut self) {
        self.run();
        self.compare_contents();
        self.store.gc();
        let Host { model, drops, made } = self.store.data();
        assert_eq!(model.made, *made);
        assert!(model.events.is_empty(), "the program has not done {:?}", model.events);
        let mut kept = model.kept();
        drops.check_alive(&kept);
        if self.collector == Collector::Drc {
            kept.extend(model.cells.held_by_circles());
        }
        if self.collector != Collector::Null {
            for (value, &count) in drops.lock().iter().enumerate() {
                let expected = usize::from(!kept.contains(&value));
                assert_eq!(count, expected, "drops of value {value} after the last collection");
            }
        }
        let drops = drops.clone();
        drop(self.store);
        assert!(drops.lock().iter().all(|&count| count == 1), "drops: {:?}", drops.lock());
    }

    fn run(&mut self) {
        let run = self.instance.get_func(&mut self.store, "run").expect("it is exported");
        let mut scope = RootScope::new(&mut self.store);
        let mut results = [Val::ExternRef(None)];
        let result = run.call(&mut scope, &[Val::ExternRef(None); 2], &mut results);
        let found = match result {
            Ok(()) => Ok(number(&scope, results[0].unwrap_extern_ref())),
            Err(error) => {
                let Some(thrown) = error.downcast_ref::<ThrownException>() else {
                    panic!("the program failed: {error:?}")
                };
                let value = thrown.field(&mut scope, 0).expect("the exception has a value");
                Err(number(&scope, value.unwrap_extern_ref()))
            }
        };
        assert_eq!(found, scope.as_context().data().model.result);
    }

    /// Compares what tables and globals hold.
    fn compare_contents(&mut self) {
        let mut scope = RootScope::new(&mut self.store);
        let Model { tables, globals, .. } = &scope.as_context().data().model;
        let (tables, globals) = (tables.clone(), globals.clone());
        for (index, expected) in tables.into_iter().enumerate() {
            let name = format!("t{index}");
            let table = self.instance.get_table(&mut scope, &name).expect("it is exported");
            assert_eq!(table.size(&scope), expected.len() as u64);
            for (element, expected) in expected.into_iter().enumerate() {
                let found = table.get(&mut scope, element as u64).expect("it is in bounds");
                let found = found.as_extern().expect("it is a table of externref").copied();
                assert_eq!(number(&scope, found), expected, "element {element} of {name}");
            }
        }
        for (index, expected) in globals.into_iter().enumerate() {
            let name = format!("g{index}");
            let global = self.instance.get_global(&mut scope, &name).expect("it is exported");
            let found = global.get(&mut scope).unwrap_extern_ref();
            assert_eq!(number(&scope, found), expected, "{name}");
        }
    }
}

fn make(mut caller: Caller<'_, Host>) -> precast::Result<Option<ExternRef>> {
    let host = caller.data_mut();
    assert!(matches!(host.model.events.pop_front(), Some(Event::Make)), "a value is not expected");
    let number = host.made;
    host.made += 1;
    let drops = host.drops.clone();
    Ok(Some(ExternRef::new(&mut caller, Tracked { number, drops })?))
}

fn check(mut caller: Caller<'_, Host>, value: Option<ExternRef>) {
    let found = number(&caller, value);
    match caller.data_mut().model.events.pop_front() {
        Some(Event::Check(expected)) => assert_eq!(found, expected),
        other => panic!("{found:?} is shown where the program does {other:?}"),
    }
}

fn collect(mut caller: Caller<'_, Host>) {
    let Some(Event::Collect(kept)) = caller.data_mut().model.events.pop_front() else {
        panic!("a collection is not expected");
    };
    caller.gc();
    caller.data().drops.check_alive(&kept);
}

/// The number of a value.
fn number(store: &impl AsContext, value: Option<ExternRef>) -> Value {
    let value = value?.data(store).expect("all values are the host's");
    let Tracked { number, drops } = value.downcast_ref().expect("all values are tracked");
    assert_eq!(drops.lock()[*number], 0, "value {number} is used after it was dropped");
    Some(*number)
}
