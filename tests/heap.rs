//! How long values of the host live, with every collector: each is dropped exactly once, when
//! nothing refers to it any more.
#![cfg(all(feature = "compiler", feature = "wat"))]

mod instances;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use instances::{instance, module};
use precast::{
    AsContext, AsContextMut, Caller, Collector, CollectorChoice, Config, Engine, ExternRef, Func,
    FuncType, Global, GlobalType, Instance, LimitError, Module, Mutability, OwnedRooted, Ref,
    RootScope, Store, StoreLimits, StoreLimitsBuilder, Val, ValType,
};

const SETUPS: [(Collector, bool); 6] = [
    (Collector::Null, false),
    (Collector::Null, true),
    (Collector::Drc, false),
    (Collector::Drc, true),
    (Collector::Copying, false),
    (Collector::Copying, true),
];

fn engine(collector: Collector, stress: bool) -> Engine {
    let mut config = Config::new();
    config.collector(collector).collect_at_every_safe_point(stress);
    Engine::new(&config).unwrap()
}

/// Counts how often values are dropped, and checks that each is dropped once.
#[derive(Clone, Default)]
struct Drops(Arc<AtomicUsize>);

/// A value of the host.
struct Value {
    number: usize,
    alive: bool,
    drops: Drops,
}

impl Drops {
    fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    fn value(&self, number: usize) -> Value {
        Value { number, alive: true, drops: self.clone() }
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        assert!(std::mem::take(&mut self.alive), "a value is dropped once");
        self.drops.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn number(store: &impl AsContext, value: ExternRef) -> usize {
    value.data(store).unwrap().downcast_ref::<Value>().unwrap().number
}

/// A store whose data counts the drops of its values.
fn store(collector: Collector, stress: bool) -> (Store<Drops>, Drops) {
    let drops = Drops::default();
    (Store::new(&engine(collector, stress), drops.clone()), drops)
}

const KEEPER: &str = r#"(module
    (import "host" "gc" (func $gc))
    (import "host" "make" (func $make (param i32) (result externref)))
    (import "host" "number" (func $number (param externref) (result i32)))
    (table $table (export "table") 10 externref)
    (global $global (export "global") (mut externref) (ref.null extern))
    (tag $tag (param externref))
    (func (export "pass") (param externref) (result externref) (local.get 0))
    (func (export "keep") (param i32 externref)
        (table.set $table (local.get 0) (local.get 1))
        (global.set $global (table.get $table (local.get 0))))
    (func (export "forget") (param i32)
        (table.set $table (local.get 0) (ref.null extern))
        (global.set $global (ref.null extern)))
    (func (export "many") (param i32)
        (loop $more
            (drop (call $make (local.get 0)))
            (br_if $more (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))
    ;; Reads values whose last other reference goes while code holds them.
    (func (export "read") (result i32) (local $a externref) (local $b externref)
        (table.set $table (i32.const 0) (call $make (i32.const 1)))
        (global.set $global (call $make (i32.const 2)))
        (call $gc)
        (local.set $a (table.get $table (i32.const 0)))
        (local.set $b (global.get $global))
        (table.set $table (i32.const 0) (ref.null extern))
        (global.set $global (ref.null extern))
        (call $gc)
        (i32.add (call $number (local.get $a)) (call $number (local.get $b))))
    ;; Holds values in locals, operands, tables and exceptions across collections.
    (func (export "hold") (result i32) (local $a externref) (local $b externref) (local $e exnref)
        (local.set $a (call $make (i32.const 1)))
        (call $make (i32.const 2))
        (call $gc)
        (local.set $b)
        (table.set $table (i32.const 0) (call $make (i32.const 4)))
        (block $caught (result exnref)
            (try_table (catch_all_ref $caught) (throw $tag (call $make (i32.const 8))))
            unreachable)
        (local.set $e)
        (call $gc)
        (block $caught (result externref)
            (try_table (catch $tag $caught)
                (call $gc)
                (throw_ref (local.get $e)))
            unreachable)
        (call $gc)
        (table.fill $table (i32.const 1) (table.get $table (i32.const 0)) (i32.const 9))
        (table.set $table (i32.const 0) (ref.null extern))
        (table.copy $table $table (i32.const 0) (i32.const 1) (i32.const 5))
        (call $gc)
        (call $number)
        (i32.add (call $number (local.get $a)))
        (i32.add (call $number (local.get $b)))
        (i32.add (call $number (table.get $table (i32.const 4))))
        (table.fill $table (i32.const 0) (ref.null extern) (i32.const 10))))"#;

fn keeper(store: &mut Store<Drops>) -> Instance {
    let engine = store.engine().clone();
    let gc = Func::wrap(&mut *store, |mut caller: Caller<'_, Drops>| caller.gc());
    let make = Func::wrap(&mut *store, |mut caller: Caller<'_, Drops>, number: i32| {
        let value = caller.data().value(number as usize);
        Ok(Some(ExternRef::new(&mut caller, value)?))
    });
    let number = Func::wrap(&mut *store, |caller: Caller<'_, Drops>, value: Option<ExternRef>| {
        number(&caller, value.unwrap()) as i32
    });
    let module = module(&engine, KEEPER);
    Instance::new(store, &module, &[gc.into(), make.into(), number.into()]).unwrap()
}

/// How many of the unreachable values a collection finds.
fn found(collector: Collector, unreachable: usize) -> usize {
    if collector == Collector::Null { 0 } else { unreachable }
}

#[test]
fn values_that_pass_through_wasm_are_dropped_at_the_next_collection() {
    for (collector, stress) in SETUPS {
        let (mut store, drops) = store(collector, stress);
        let instance = keeper(&mut store);
        let pass = instance
            .get_typed_func::<Option<ExternRef>, Option<ExternRef>>(&mut store, "pass")
            .unwrap();
        {
            let mut scope = RootScope::new(&mut store);
            for i in 0..100 {
                let value = ExternRef::new(&mut scope, drops.value(i)).unwrap();
                let passed = pass.call(&mut scope, Some(value)).unwrap().unwrap();
                assert!(ExternRef::ref_eq(&scope, &value, &passed));
                assert_eq!(number(&scope, passed), i);
            }
            assert_eq!(drops.count(), 0, "{collector}");
        }
        store.gc();
        assert_eq!(drops.count(), found(collector, 100), "{collector}, stress {stress}");
        drop(store);
        assert_eq!(drops.count(), 100, "{collector}, stress {stress}");
    }
}

#[test]
fn tables_and_globals_keep_values() {
    for (collector, stress) in SETUPS {
        let (mut store, drops) = store(collector, stress);
        let instance = keeper(&mut store);
        let keep =
            instance.get_typed_func::<(i32, Option<ExternRef>), ()>(&mut store, "keep").unwrap();
        let forget = instance.get_typed_func::<i32, ()>(&mut store, "forget").unwrap();
        for i in 0..10 {
            let mut scope = RootScope::new(&mut store);
            let value = ExternRef::new(&mut scope, drops.value(i)).unwrap();
            keep.call(&mut scope, (i as i32, Some(value))).unwrap();
        }
        store.gc();
        assert_eq!(drops.count(), 0, "{collector}, stress {stress}");
        let table = instance.get_table(&mut store, "table").unwrap();
        for i in 0..10 {
            let mut scope = RootScope::new(&mut store);
            let kept = *table.get(&mut scope, i).unwrap().as_extern().unwrap().unwrap();
            assert_eq!(number(&scope, kept), i as usize);
        }
        // The global has the last one, too.
        for (i, gone) in [(0, 1), (9, 2), (3, 3)] {
            forget.call(&mut store, i).unwrap();
            store.gc();
            assert_eq!(drops.count(), found(collector, gone), "{collector}, stress {stress}");
        }
        // The host writes to the same places.
        table.set(&mut store, 1, Ref::Extern(None)).unwrap();
        table.fill(&mut store, 4, Ref::Extern(None), 2).unwrap();
        store.gc();
        assert_eq!(drops.count(), found(collector, 6), "{collector}, stress {stress}");
        drop(store);
        assert_eq!(drops.count(), 10, "{collector}, stress {stress}");
    }
}

#[test]
fn code_keeps_what_it_needs_across_collections() {
    for (collector, stress) in SETUPS {
        let (mut store, drops) = store(collector, stress);
        let instance = keeper(&mut store);
        let hold = instance.get_typed_func::<(), i32>(&mut store, "hold").unwrap();
        for round in 1..20 {
            assert_eq!(hold.call(&mut store, ()).unwrap(), 15, "{collector}, stress {stress}");
            store.gc();
            let gone = found(collector, round * 4);
            assert_eq!(drops.count(), gone, "{collector}, stress {stress}, round {round}");
        }
        drop(store);
        assert_eq!(drops.count(), 19 * 4);
    }
}

#[test]
fn what_is_read_stays_when_it_is_overwritten() {
    for (collector, stress) in SETUPS {
        let (mut store, drops) = store(collector, stress);
        let instance = keeper(&mut store);
        let read = instance.get_typed_func::<(), i32>(&mut store, "read").unwrap();
        for round in 1..5 {
            assert_eq!(read.call(&mut store, ()).unwrap(), 3, "{collector}, stress {stress}");
            store.gc();
            assert_eq!(drops.count(), found(collector, round * 2), "{collector}, stress {stress}");
        }
    }
}

#[test]
fn garbage_is_collected_unasked_when_there_is_much() {
    for (collector, stress) in
        SETUPS.into_iter().filter(|(collector, _)| *collector != Collector::Null)
    {
        let (mut store, drops) = store(collector, stress);
        let instance = keeper(&mut store);
        let count = if stress { 500 } else { 200_000 };
        let many = instance.get_typed_func::<i32, ()>(&mut store, "many").unwrap();
        many.call(&mut store, count as i32).unwrap();
        let left = count - drops.count();
        assert!(left < 100_000, "{collector}, stress {stress}: {left} values are still there");
        store.gc();
        assert_eq!(drops.count(), count, "{collector}, stress {stress}");
    }
}

/// The message with which something panics.
fn panic_of(what: impl FnOnce()) -> &'static str {
    let panic = catch_unwind(AssertUnwindSafe(what)).expect_err("it panics");
    *panic.downcast::<&str>().expect("the message is a text")
}

#[test]
fn handles_are_good_in_their_scope() {
    for (collector, stress) in SETUPS {
        let (mut store, drops) = store(collector, stress);
        let outer = ExternRef::new(&mut store, drops.value(1)).unwrap();
        let (inner, owned) = {
            let mut scope = RootScope::new(&mut store);
            let inner = ExternRef::new(&mut scope, drops.value(2)).unwrap();
            let owned = OwnedRooted::new(&mut scope, inner);
            (inner, owned)
        };
        let clone = owned.clone();
        drop(owned);
        store.gc();
        assert_eq!((drops.count(), number(&store, outer)), (0, 1));
        let message = panic_of(|| _ = inner.data(&store));
        assert!(message.starts_with("reference used after the scope"), "{message}");
        {
            let mut scope = RootScope::new(&mut store);
            let again = clone.to_rooted(&mut scope);
            drop(clone);
            scope.as_context_mut().gc();
            assert_eq!(number(&scope, again), 2);
        }
        store.gc();
        assert_eq!(drops.count(), found(collector, 1), "{collector}, stress {stress}");
    }
}

#[test]
fn handles_belong_to_their_store() {
    let (mut one, drops) = store(Collector::Drc, false);
    let (mut other, _) = store(Collector::Drc, false);
    let value = ExternRef::new(&mut one, drops.value(1)).unwrap();
    let owned = OwnedRooted::new(&mut one, value);
    for message in [
        panic_of(|| _ = value.data(&other)),
        panic_of(|| _ = owned.to_rooted(&mut other)),
        panic_of(|| _ = OwnedRooted::new(&mut other, value)),
    ] {
        assert_eq!(message, "object used with the wrong store: it belongs to another one");
    }
    // An owner that outlives its store keeps nothing.
    drop(one);
    assert_eq!(drops.count(), 1);
    drop(owned);
}

#[test]
fn host_functions_take_and_return_references() {
    for (collector, stress) in SETUPS {
        let (mut store, drops) = store(collector, stress);
        let ty = FuncType::new(store.engine(), [ValType::EXTERNREF], [ValType::EXTERNREF]);
        let dynamic = Func::new(&mut store, ty, |mut caller, params, results| {
            caller.gc();
            results[0] = params[0];
            Ok(())
        });
        let wrapped =
            Func::wrap(&mut store, |mut caller: Caller<'_, Drops>, value: Option<ExternRef>| {
                caller.gc();
                value
            });
        // No module is there that knows of references.
        for func in [dynamic, wrapped] {
            let mut scope = RootScope::new(&mut store);
            let value = ExternRef::new(&mut scope, drops.value(7)).unwrap();
            let mut results = [Val::I32(0)];
            func.call(&mut scope, &[Val::from(value)], &mut results).unwrap();
            let Val::ExternRef(Some(returned)) = results[0] else { panic!("{results:?}") };
            assert_eq!(number(&scope, returned), 7);
        }
        store.gc();
        assert_eq!(drops.count(), found(collector, 2), "{collector}, stress {stress}");
    }
}

#[test]
fn a_host_value_can_panic_when_it_is_dropped() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("dropped");
        }
    }
    for (collector, _) in SETUPS.into_iter().filter(|(collector, _)| *collector != Collector::Null)
    {
        let (mut store, drops) = store(collector, false);
        {
            let mut scope = RootScope::new(&mut store);
            ExternRef::new(&mut scope, drops.value(1)).unwrap();
            ExternRef::new(&mut scope, Bomb).unwrap();
            ExternRef::new(&mut scope, drops.value(2)).unwrap();
        }
        let caught = catch_unwind(AssertUnwindSafe(|| store.gc()));
        assert!(caught.is_err(), "{collector}");
        assert_eq!(drops.count(), 2, "{collector}");
        let value = ExternRef::new(&mut store, drops.value(3)).unwrap();
        store.gc();
        assert_eq!(number(&store, value), 3);
    }
}

#[test]
fn the_number_of_values_has_a_limit() {
    for collector in [Collector::Drc, Collector::Copying] {
        let limits = StoreLimitsBuilder::new().host_references(10).build();
        let mut store = Store::new(&engine(collector, false), limits);
        store.limiter(|limits: &mut StoreLimits| limits);
        for _ in 0..100 {
            // What is garbage does not count.
            let mut scope = RootScope::new(&mut store);
            ExternRef::new(&mut scope, 0).unwrap();
        }
        for _ in 0..10 {
            ExternRef::new(&mut store, 0).unwrap();
        }
        let error = ExternRef::new(&mut store, 0).unwrap_err();
        let limit = LimitError::Count { what: "host references", limit: 10 };
        assert_eq!(error.downcast_ref(), Some(&limit), "{collector}");
    }
}

#[test]
fn a_store_has_one_collector() {
    let references = "(module (func (param externref) (result externref) (local.get 0)))";
    let numbers = "(module (func (param i32) (result i32) (local.get 0)))";
    let auto = Engine::default();
    let artifact = |collector: Collector, text| {
        Module::new(&engine(collector, false), text).unwrap().serialize().unwrap()
    };
    let load = |engine: &Engine, bytes: &[u8]| {
        // SAFETY: made above.
        #[allow(unsafe_code)]
        unsafe {
            Module::deserialize(engine, bytes)
        }
    };
    let copying = load(&auto, &artifact(Collector::Copying, references)).unwrap();
    let neutral = load(&auto, &artifact(Collector::Copying, numbers)).unwrap();
    let mut store = Store::new(&auto, ());
    Instance::new(&mut store, &neutral, &[]).unwrap();
    instance(&mut store, references, &[]);
    let error = Instance::new(&mut store, &copying, &[]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the module was compiled for the collector `copying`; the references of this store are \
         managed by `drc`: choose one collector for all modules of the store"
    );
    Instance::new(&mut store, &neutral, &[]).unwrap();

    let drc = engine(Collector::Drc, false);
    let error = load(&drc, &artifact(Collector::Copying, references)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the artifact was compiled for the collector `copying`; this engine uses `drc`"
    );
    load(&drc, &artifact(Collector::Null, numbers)).unwrap();
    assert_eq!(auto.config().compiler_settings().collector, CollectorChoice::Auto);
}

#[test]
fn globals_of_the_host_keep_values() {
    for (collector, stress) in SETUPS {
        let (mut store, drops) = store(collector, stress);
        let [constant, variable] = [Mutability::Const, Mutability::Var].map(|mutability| {
            let mut scope = RootScope::new(&mut store);
            let value = ExternRef::new(&mut scope, drops.value(5)).unwrap();
            let ty = GlobalType::new(ValType::EXTERNREF, mutability);
            Global::new(&mut scope, ty, value.into()).unwrap()
        });
        let instance = instance(
            &mut store,
            r#"(module (import "" "c" (global $c externref)) (global $copy externref (global.get $c))
                (table $t 2 externref (global.get $c))
                (elem (table $t) (i32.const 1) externref (item global.get $c))
                (func (export "f") (result externref externref externref)
                    (global.get $copy) (table.get $t (i32.const 0)) (table.get $t (i32.const 1))))"#,
            &[constant.into()],
        );
        store.gc();
        assert_eq!(drops.count(), 0);
        variable.set(&mut store, Val::ExternRef(None)).unwrap();
        store.gc();
        assert_eq!(drops.count(), found(collector, 1), "{collector}, stress {stress}");
        type Three = (Option<ExternRef>, Option<ExternRef>, Option<ExternRef>);
        let f = instance.get_typed_func::<(), Three>(&mut store, "f").unwrap();
        let mut scope = RootScope::new(&mut store);
        let (a, b, c) = f.call(&mut scope, ()).unwrap();
        assert_eq!([a, b, c].map(|value| number(&scope, value.unwrap())), [5; 3]);
    }
}
