//! Instances whose imports were looked up and checked before.
#![cfg(all(feature = "compiler", feature = "wat"))]

use precast::{
    Caller, Engine, Func, LinkError, Linker, Memory, MemoryType, Module, Ref, RefType, Store,
    Table, TableType,
};

/// Counts in the store's data, and returns the sum.
fn count(mut caller: Caller<'_, u32>, more: u32) -> u32 {
    *caller.data_mut() += more;
    *caller.data()
}

fn counting(engine: &Engine) -> Linker<u32> {
    let mut linker = Linker::new(engine);
    linker.func_wrap("host", "count", count).unwrap();
    linker
}

#[test]
fn functions_of_the_host_get_the_store_that_calls_them() {
    let engine = Engine::default();
    let text = r#"(module (import "host" "count" (func $count (param i32) (result i32)))
        (export "count" (func $count))
        (func (export "twice") (param i32) (result i32)
            (drop (call $count (local.get 0))) (call $count (local.get 0))))"#;
    let pre = counting(&engine).instantiate_pre(&Module::new(&engine, text).unwrap()).unwrap();
    let mut stores = [Store::new(&engine, 100), Store::new(&engine, 1)];
    let mut functions = Vec::new();
    for store in &mut stores {
        let instance = pre.instantiate(&mut *store).unwrap();
        let twice = instance.get_typed_func::<u32, u32>(&mut *store, "twice").unwrap();
        // What was imported and exported again is called by the host, without wasm between.
        let once = instance.get_typed_func::<u32, u32>(&mut *store, "count").unwrap();
        functions.push((twice, once));
    }
    let [first, second] = &mut stores;
    assert_eq!(functions[0].0.call(&mut *first, 5).unwrap(), 110);
    assert_eq!(functions[1].1.call(&mut *second, 5).unwrap(), 6);
    assert_eq!(functions[0].1.call(&mut *first, 1).unwrap(), 111);
    assert_eq!((*first.data(), *second.data()), (111, 6));
}

#[test]
fn a_host_function_that_calls_another_store_comes_back_to_its_own() {
    let engine = Engine::default();
    let text = r#"(module (import "host" "count" (func $count (param i32) (result i32)))
        (func (export "f") (param i32) (result i32) (call $count (local.get 0))))"#;
    let inner = counting(&engine).instantiate_pre(&Module::new(&engine, text).unwrap()).unwrap();
    let mut linker = Linker::<u32>::new(&engine);
    linker
        .func_wrap("host", "count", move |mut caller: Caller<'_, u32>, more: u32| {
            let mut other = Store::new(caller.engine(), 1000);
            let f = inner.instantiate(&mut other)?.get_typed_func::<u32, u32>(&mut other, "f")?;
            let sum = f.call(&mut other, more)?;
            *caller.data_mut() += more;
            Ok::<_, precast::Error>(sum + *caller.data())
        })
        .unwrap();
    let mut store = Store::new(&engine, 10);
    let instance = linker.instantiate(&mut store, &Module::new(&engine, text).unwrap()).unwrap();
    let f = instance.get_typed_func::<u32, u32>(&mut store, "f").unwrap();
    assert_eq!(f.call(&mut store, 1).unwrap(), 1001 + 11);
    assert_eq!(f.call(&mut store, 1).unwrap(), 1001 + 12);
}

#[test]
fn functions_outlive_the_linker_and_what_it_prepared() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, 0);
    let table = Table::new(&mut store, TableType::new(RefType::FUNCREF, 1, None), Ref::Func(None));
    let table = table.unwrap();
    {
        let mut linker = counting(&engine);
        linker.define(&store, "host", "table", table).unwrap();
        let text = r#"(module (import "host" "count" (func $count (param i32) (result i32)))
            (import "host" "table" (table 1 funcref))
            (elem (i32.const 0) $count))"#;
        let pre = linker.instantiate_pre(&Module::new(&engine, text).unwrap()).unwrap();
        pre.instantiate(&mut store).unwrap();
    }
    // Neither the linker nor the handle to the module is there any more.
    let mut linker = Linker::new(&engine);
    linker.define(&store, "host", "table", table).unwrap();
    let text = r#"(module (import "host" "table" (table 1 funcref))
        (type $count (func (param i32) (result i32)))
        (func (export "f") (param i32) (result i32)
            (call_indirect (type $count) (local.get 0) (i32.const 0))))"#;
    let instance = linker.instantiate(&mut store, &Module::new(&engine, text).unwrap()).unwrap();
    let f = instance.get_typed_func::<u32, u32>(&mut store, "f").unwrap();
    assert_eq!(f.call(&mut store, 3).unwrap(), 3);
    let Some(Ref::Func(Some(func))) = table.get(&mut store, 0) else { panic!("a function") };
    assert_eq!(func.typed::<u32, u32>(&store).unwrap().call(&mut store, 4).unwrap(), 7);
}

#[test]
fn functions_of_the_host_and_imports_of_stores_mix() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, 0);
    let memory = Memory::new(&mut store, MemoryType::new(1, None)).unwrap();
    let own = Func::wrap(&mut store, |x: u32| x * 2);
    let mut linker = counting(&engine);
    linker.define(&store, "host", "memory", memory).unwrap();
    linker.define(&store, "host", "double", own).unwrap();
    linker.func_wrap("host", "zero", || 0u32).unwrap();
    let text = r#"(module (import "host" "count" (func $count (param i32) (result i32)))
        (import "host" "memory" (memory 1))
        (import "host" "double" (func $double (param i32) (result i32)))
        (import "host" "zero" (func $zero (result i32)))
        (func (export "f") (param i32)
            (i32.store (call $zero) (call $double (call $count (local.get 0))))))"#;
    let pre = linker.instantiate_pre(&Module::new(&engine, text).unwrap()).unwrap();
    for sum in [3, 6] {
        let instance = pre.instantiate(&mut store).unwrap();
        let f = instance.get_typed_func::<u32, ()>(&mut store, "f").unwrap();
        f.call(&mut store, 3).unwrap();
        assert_eq!(memory.data(&store)[0], 2 * sum);
    }
    // What belongs to a store is checked with each instance.
    let text = r#"(module (import "host" "count" (func (param i32) (result i32)))
        (import "host" "memory" (memory 2)))"#;
    let pre = linker.instantiate_pre(&Module::new(&engine, text).unwrap()).unwrap();
    let error = pre.instantiate(&mut store).unwrap_err();
    assert!(error.to_string().contains("expected memory 2, found memory 1"), "{error}");
    memory.grow(&mut store, 1).unwrap();
    pre.instantiate(&mut store).unwrap();
}

#[test]
fn a_function_of_another_type_is_refused_before_there_is_a_store() {
    let engine = Engine::default();
    let linker = counting(&engine);
    for import in ["(func (param i32))", "(memory 1)", "(func (param i64) (result i32))"] {
        let text = format!(r#"(module (import "host" "count" {import}))"#);
        let error = linker.instantiate_pre(&Module::new(&engine, &text).unwrap()).unwrap_err();
        assert!(
            matches!(error.downcast_ref(), Some(LinkError::Incompatible { .. })),
            "{import}: {error}"
        );
    }
    let other = Engine::default();
    let error = linker.instantiate_pre(&Module::new(&other, "(module)").unwrap()).unwrap_err();
    assert_eq!(error.downcast_ref(), Some(&LinkError::OtherEngine));
    let pre = linker.instantiate_pre(&Module::new(&engine, "(module)").unwrap()).unwrap();
    let error = pre.instantiate(Store::new(&other, 0)).unwrap_err();
    assert_eq!(error.downcast_ref(), Some(&LinkError::OtherEngine));
}
