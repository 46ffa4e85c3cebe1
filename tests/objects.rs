//! Objects that wasm makes: how they make room for each other, and what happens when there is none.
#![cfg(all(feature = "compiler", feature = "wat"))]

mod instances;

use instances::instance;
use precast::{
    Collector, Config, Engine, Instance, LimitError, Store, StoreLimits, StoreLimitsBuilder,
    UpdateDeadline,
};

fn engine(collector: Collector) -> Engine {
    Engine::new(Config::new().collector(collector)).unwrap()
}

const OBJECTS: &str = r#"(module
    (type $node (struct (field i32) (field (mut (ref null $node)))))
    (type $bytes (array (mut i8)))
    (global $list (mut (ref null $node)) (ref.null $node))
    (func (export "lose") (param i32) (local $first (ref $node))
        (local.set $first (struct.new $node (i32.const 77) (ref.null $node)))
        (loop $more
            (drop (struct.new $node (local.get 0) (local.get $first)))
            (br_if $more (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
        (if (i32.ne (struct.get $node 0 (local.get $first)) (i32.const 77)) (then unreachable)))
    (func (export "circle") (param i32) (local $node (ref $node))
        (loop $more
            (local.set $node (struct.new $node (local.get 0) (ref.null $node)))
            (struct.set $node 1 (local.get $node) (local.get $node))
            (br_if $more (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))
    (func (export "keep") (param i32)
        (loop $more
            (global.set $list (struct.new $node (local.get 0) (global.get $list)))
            (br_if $more (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))
    (func (export "sum") (result i32) (local $node (ref null $node)) (local $sum i32)
        (local.set $node (global.get $list))
        (block $done
            (loop $more
                (br_if $done (ref.is_null (local.get $node)))
                (local.set $sum (i32.add (local.get $sum) (struct.get $node 0 (local.get $node))))
                (local.set $node (struct.get $node 1 (local.get $node)))
                (br $more)))
        (local.get $sum))
    (func (export "clear") (param i32) (global.set $list (ref.null $node)))
    (func (export "array") (param i32)
        (drop (array.new_default $bytes (local.get 0)))))"#;

/// A store with a small heap, and an instance that fills it.
fn small_heap(collector: Collector, limit: usize) -> (Store<StoreLimits>, Instance) {
    let limits = StoreLimitsBuilder::new().heap_size(limit).build();
    let mut store = Store::new(&engine(collector), limits);
    store.limiter(|limits: &mut StoreLimits| limits);
    let instance = instance(&mut store, OBJECTS, &[]);
    (store, instance)
}

fn try_call(
    store: &mut Store<StoreLimits>,
    instance: Instance,
    name: &str,
    param: i32,
) -> Result<(), LimitError> {
    let func = instance.get_typed_func::<i32, ()>(&mut *store, name).unwrap();
    func.call(store, param).map_err(|error| error.downcast_ref::<LimitError>().unwrap().clone())
}

#[test]
fn objects_that_are_lost_make_room_for_others() {
    for collector in [Collector::Drc, Collector::Copying] {
        let (mut store, instance) = small_heap(collector, 256 << 10);
        try_call(&mut store, instance, "lose", 300_000).unwrap();
        try_call(&mut store, instance, "keep", 1000).unwrap();
        try_call(&mut store, instance, "lose", 300_000).unwrap();
        for size in 1..200 {
            try_call(&mut store, instance, "array", size * 997).unwrap();
        }
        let sum = instance.get_typed_func::<(), i32>(&mut store, "sum").unwrap();
        assert_eq!(sum.call(&mut store, ()).unwrap(), 1000 * 1001 / 2, "{collector}");
    }
}

#[test]
fn a_full_heap_is_an_error_and_can_be_emptied() {
    for collector in Collector::ALL {
        let (mut store, instance) = small_heap(*collector, 256 << 10);
        let full = LimitError::Heap { size: 16, limit: 256 << 10 };
        assert_eq!(try_call(&mut store, instance, "keep", 100_000), Err(full));
        let sum = instance.get_typed_func::<(), i32>(&mut store, "sum").unwrap();
        // All but the room that the collector itself needs.
        assert!(sum.call(&mut store, ()).unwrap() > 0);
        if *collector != Collector::Null {
            try_call(&mut store, instance, "clear", 0).unwrap();
            try_call(&mut store, instance, "keep", 10_000).unwrap();
            assert_eq!(sum.call(&mut store, ()).unwrap(), 10_000 * 10_001 / 2, "{collector}");
        }
        let (mut store, instance) = small_heap(*collector, 256 << 10);
        let size = 300_016;
        let too_large = LimitError::Heap { size, limit: 256 << 10 };
        assert_eq!(try_call(&mut store, instance, "array", 300_000), Err(too_large));
        try_call(&mut store, instance, "array", 200_000).unwrap();
    }
}

#[test]
fn circles_are_found_by_the_copying_collector() {
    let (mut store, instance) = small_heap(Collector::Copying, 256 << 10);
    try_call(&mut store, instance, "circle", 300_000).unwrap();
    let (mut store, instance) = small_heap(Collector::Drc, 256 << 10);
    assert!(try_call(&mut store, instance, "circle", 300_000).is_err());
}

#[test]
fn the_host_can_collect_while_code_is_interrupted() {
    for collector in Collector::ALL {
        let mut config = Config::new();
        config.collector(*collector).epoch_interruption(true);
        let mut store = Store::new(&Engine::new(&config).unwrap(), 0);
        store.epoch_deadline_callback(|mut context| {
            *context.data_mut() += 1;
            context.gc();
            Ok(UpdateDeadline::Continue(0))
        });
        let instance = instance(&mut store, OBJECTS, &[]);
        let [lose, keep] = ["lose", "keep"]
            .map(|name| instance.get_typed_func::<i32, ()>(&mut store, name).unwrap());
        keep.call(&mut store, 100).unwrap();
        lose.call(&mut store, 1000).unwrap();
        let sum = instance.get_typed_func::<(), i32>(&mut store, "sum").unwrap();
        assert_eq!(sum.call(&mut store, ()).unwrap(), 100 * 101 / 2, "{collector}");
        assert!(*store.data() > 1000, "each round of a loop is interrupted");
    }
}
