//! Functions that are taken from the cache when the rest of their module has changed.
#![cfg(all(feature = "cache", feature = "wat"))]

use std::sync::Arc;

use precast::cache::Cache;
use precast::settings::CacheSettings;
use precast::{CodeBuilder, Config, Engine, Instance, Module, Store};

/// An engine with a cache in that directory, for which every function is compiled by itself.
fn engine(settings: &CacheSettings) -> (Engine, Arc<Cache>) {
    let cache = Arc::new(Cache::new(settings));
    let mut config = Config::new();
    config.cache(Some(Arc::clone(&cache))).inlining(false);
    (Engine::new(&config).unwrap(), cache)
}

fn module(constant: i32) -> String {
    format!(
        "(module
            (memory (export \"memory\") 1)
            (func $double (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2)))
            (func $count (result i32) (i32.const {constant}))
            (func $large (param i32) (result i32) {} (local.get 0))
            (func (export \"run\") (param i32) (result i32)
                (i32.add (call $large (call $double (local.get 0))) (call $count))))",
        "(i32.store (local.get 0) (i32.const 1))".repeat(50)
    )
}

fn run(engine: &Engine, text: &str) -> i32 {
    let module = Module::new(engine, text).unwrap();
    let mut store = Store::new(engine, ());
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    instance.get_typed_func::<i32, i32>(&mut store, "run").unwrap().call(&mut store, 20).unwrap()
}

#[test]
fn of_a_changed_module_only_what_changed_is_compiled() {
    let directory = tempfile::tempdir().unwrap();
    let directory = Some(directory.path().to_owned());
    let settings = CacheSettings { directory, min_free: 0, ..CacheSettings::default() };
    let (engine_before, cache) = engine(&settings);
    assert_eq!(run(&engine_before, &module(2)), 42);
    let statistics = cache.statistics().unwrap();
    assert_eq!((statistics.function_hits, statistics.function_misses), (0, 4));

    // Another process, as far as anyone can tell.
    let (engine_after, cache) = engine(&settings);
    assert_eq!(run(&engine_after, &module(3)), 43);
    let statistics = cache.statistics().unwrap();
    assert!(statistics.function_hits >= 2, "{statistics:?}");
    let wasm = wat::parse_str(module(3)).unwrap();
    let kept = CodeBuilder::binary(&engine_after, &wasm).compile_module_serialized().unwrap();
    let without_cache = Engine::new(Config::new().inlining(false)).unwrap();
    let whole = without_cache.precompile_module(&wasm).unwrap();
    assert!(kept == whole, "the code is not that of a whole compilation");

    let off = CacheSettings { functions: false, ..settings };
    let (engine_off, cache) = engine(&off);
    let before = cache.statistics().unwrap();
    assert_eq!(run(&engine_off, &module(4)), 44);
    let after = cache.statistics().unwrap();
    assert_eq!(before.function_hits, after.function_hits);
    assert_eq!(before.function_misses, after.function_misses);
}
