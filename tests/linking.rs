//! Imports: by position, by name, and what is said when they do not fit.
#![cfg(all(feature = "compiler", feature = "wat"))]

mod instances;

use instances::{instance, module, try_instance};
use precast::{
    Engine, Error, ErrorKind, Func, Global, GlobalType, Instance, LinkError, Linker, Memory,
    MemoryType, Module, Mutability, Ref, RefType, Store, StoreLimits, StoreLimitsBuilder, Table,
    TableType, Val, ValType,
};

#[test]
fn what_does_not_fit_is_said() {
    let mut store = Store::<()>::default();
    let func = Func::wrap(&mut store, |_: i32| 1i64);
    let memory = Memory::new(&mut store, MemoryType::new(1, Some(3))).unwrap();
    let global =
        Global::new(&mut store, GlobalType::new(ValType::I32, Mutability::Const), Val::I32(1))
            .unwrap();
    let ty = TableType::new(RefType::FUNCREF, 1, None);
    let table = Table::new(&mut store, ty, Ref::Func(None)).unwrap();
    for (import, given, message) in [
        ("(func)", func.into(), "expected func () -> (), found func (i32) -> (i64)"),
        ("(memory 2)", memory.into(), "expected memory 2, found memory 1 3"),
        ("(memory 1 2)", memory.into(), "expected memory 1 2, found memory 1 3"),
        ("(memory 1)", func.into(), "expected memory 1, found func (i32) -> (i64)"),
        ("(global (mut i32))", global.into(), "expected global (mut i32), found global i32"),
        ("(global i64)", global.into(), "expected global i64, found global i32"),
        ("(table 1 externref)", table.into(), "expected table 1 externref, found table 1 funcref"),
        ("(table 1 1 funcref)", table.into(), "expected table 1 1 funcref, found table 1 funcref"),
    ] {
        let text = format!(r#"(module (import "env" "it" {import}))"#);
        let error = try_instance(&mut store, &text, &[given]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Link);
        let expected = format!("incompatible import type for `env::it`: {message}");
        assert_eq!(error.to_string(), expected);
    }
    let error = try_instance(&mut store, "(module)", &[func.into()]).unwrap_err();
    assert_eq!(error.to_string(), "expected 0 imports, found 1");
}

#[test]
fn sizes_count_as_they_are_now() {
    let mut store = Store::<()>::default();
    let memory = Memory::new(&mut store, MemoryType::new(1, None)).unwrap();
    let text = r#"(module (import "" "" (memory 2)))"#;
    assert!(try_instance(&mut store, text, &[memory.into()]).is_err());
    assert_eq!(memory.grow(&mut store, 1).unwrap(), 1);
    instance(&mut store, text, &[memory.into()]);
}

#[test]
fn a_linker_defines_names_once() {
    let engine = Engine::default();
    let mut linker: Linker<()> = Linker::new(&engine);
    linker.func_wrap("a", "f", || 1).unwrap();
    let error = linker.func_wrap("a", "f", || 2).unwrap_err();
    assert_eq!(error.to_string(), "import of `a::f` defined twice");
    linker.allow_shadowing(true).func_wrap("a", "f", || 3).unwrap();
    linker.alias("a", "f", "b", "g").unwrap();
    linker.alias_module("a", "c").unwrap();
    let mut store = Store::new(&engine, ());
    for (module, name) in [("a", "f"), ("b", "g"), ("c", "f")] {
        let func = linker.get(&mut store, module, name).unwrap().into_func().unwrap();
        assert_eq!(func.typed::<(), i32>(&store).unwrap().call(&mut store, ()).unwrap(), 3);
    }
    assert!(linker.get(&mut store, "a", "g").is_none());
}

#[test]
fn unknown_imports_are_named_or_replaced() {
    let engine = Engine::default();
    let text = r#"(module (import "env" "gone" (func $gone (param i32) (result i64)))
        (func (export "f") (result i64) (call $gone (i32.const 1))))"#;
    let module = module(&engine, text);
    let mut linker: Linker<()> = Linker::new(&engine);
    let mut store = Store::new(&engine, ());
    let error = linker.instantiate(&mut store, &module).unwrap_err();
    assert!(error.is::<LinkError>());
    assert_eq!(
        error.to_string(),
        "unknown import: `env::gone` has not been defined (expected func (i32) -> (i64))"
    );
    let call = |linker: &Linker<()>, store: &mut Store<()>| {
        let instance = linker.instantiate(&mut *store, &module).unwrap();
        instance.get_typed_func::<(), i64>(&mut *store, "f").unwrap().call(store, ())
    };
    let mut zeros = linker.clone();
    zeros.define_unknown_imports_as_default_values(&module).unwrap();
    assert_eq!(call(&zeros, &mut store).unwrap(), 0);
    linker.define_unknown_imports_as_traps(&module).unwrap();
    let error = call(&linker, &mut store).unwrap_err();
    assert_eq!(error.to_string(), "unknown import: `env::gone` has not been defined");
}

#[test]
fn modules_link_to_each_other() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let lib = instance(
        &mut store,
        r#"(module
            (memory (export "memory") 1)
            (global (export "base") i32 (i32.const 64))
            (global $calls (export "calls") (mut i32) (i32.const 0))
            (table (export "table") 4 funcref)
            (func (export "put") (param i32 i32)
                (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
                (i32.store (local.get 0) (local.get 1))))"#,
        &[],
    );
    let mut linker = Linker::new(&engine);
    linker.instance(&mut store, "lib", lib).unwrap();
    let main = module(
        &engine,
        r#"(module
            (type $f (func (result i32)))
            (import "lib" "put" (func $put (param i32 i32)))
            (import "lib" "memory" (memory 1))
            (import "lib" "base" (global $base i32))
            (import "lib" "calls" (global $calls (mut i32)))
            (import "lib" "table" (table 4 funcref))
            (global $here i32 (i32.add (global.get $base) (i32.const 8)))
            (data (i32.add (global.get $base) (i32.const 8)) "\2a")
            (elem (i32.const 1) $own)
            (func $own (result i32) (i32.load (global.get $here)))
            (func (export "run") (result i32 i32 i32)
                (call $put (global.get $base) (i32.const 7))
                (i32.load (global.get $base))
                (call_indirect (type $f) (i32.const 1))
                (global.get $calls)))"#,
    );
    let main = linker.instantiate(&mut store, &main).unwrap();
    let run = main.get_typed_func::<(), (i32, i32, i32)>(&mut store, "run").unwrap();
    assert_eq!(run.call(&mut store, ()).unwrap(), (7, 42, 1));
    let calls = lib.get_global(&mut store, "calls").unwrap();
    assert_eq!(calls.get(&mut store).unwrap_i32(), 1);
    calls.set(&mut store, Val::I32(10)).unwrap();
    assert_eq!(run.call(&mut store, ()).unwrap().2, 11);
    let base = lib.get_global(&mut store, "base").unwrap();
    assert_eq!(
        base.set(&mut store, Val::I32(1)).unwrap_err().to_string(),
        "the global is immutable"
    );
    assert!(calls.set(&mut store, Val::I64(1)).is_err());
}

#[test]
fn imported_functions_can_be_exported_again() {
    let mut store = Store::<()>::default();
    let host = Func::wrap(&mut store, |x: i32| x + 1);
    let text = r#"(module (import "" "f" (func $f (param i32) (result i32)))
        (export "f" (func $f)))"#;
    let one = instance(&mut store, text, &[host.into()]);
    let f = one.get_func(&mut store, "f").unwrap();
    assert_eq!(f, host);
    assert_eq!(f.typed::<i32, i32>(&store).unwrap().call(&mut store, 1).unwrap(), 2);
    let caller = instance(
        &mut store,
        r#"(module (import "" "f" (func $f (param i32) (result i32)))
            (func (export "g") (result i32) (call $f (i32.const 4))))"#,
        &[f.into()],
    );
    let g = caller.get_typed_func::<(), i32>(&mut store, "g").unwrap();
    assert_eq!(g.call(&mut store, ()).unwrap(), 5);
}

#[test]
fn one_linker_serves_many_threads() {
    let engine = Engine::default();
    let mut linker: Linker<u32> = Linker::new(&engine);
    linker
        .func_wrap("", "add", |mut caller: precast::Caller<'_, u32>, x: u32| {
            *caller.data_mut() += x;
        })
        .unwrap();
    let text = r#"(module (import "" "add" (func $add (param i32)))
        (func (export "f") (param i32) (call $add (local.get 0))))"#;
    let pre = linker.instantiate_pre(&module(&engine, text)).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut store = Store::new(&engine, 0);
                let instance = pre.instantiate(&mut store).unwrap();
                let f = instance.get_typed_func::<u32, ()>(&mut store, "f").unwrap();
                (0..1000).for_each(|i| f.call(&mut store, i).unwrap());
                assert_eq!(*store.data(), 499_500);
            });
        }
    });
}

#[test]
fn a_thousand_instances_fit_one_store() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let text = r#"(module (memory 1) (table 8 funcref) (global $g (mut i32) (i32.const 0))
        (elem (i32.const 3) $next)
        (func $next (export "next") (result i32)
            (global.set $g (i32.add (global.get $g) (i32.const 1))) (global.get $g)))"#;
    let module = module(&engine, text);
    let instances: Vec<_> =
        (0..1000).map(|_| Instance::new(&mut store, &module, &[]).unwrap()).collect();
    for instance in instances {
        let next = instance.get_typed_func::<(), i32>(&mut store, "next").unwrap();
        assert_eq!([(); 2].map(|()| next.call(&mut store, ()).unwrap()), [1, 2]);
    }
}

#[test]
fn stores_can_be_limited() {
    let engine = Engine::default();
    let limited = |limits: StoreLimitsBuilder| {
        let mut store = Store::new(&engine, limits.build());
        store.limiter(|limits: &mut StoreLimits| limits);
        store
    };
    let fails = |limits, text: &str, what| {
        let mut store = limited(limits);
        Instance::new(&mut store, &module(&engine, text), &[]).unwrap();
        let error = Instance::new(&mut store, &module(&engine, text), &[]).unwrap_err();
        let message = format!("resource limit exceeded: the store may hold 1 {what} at most");
        assert_eq!((error.kind(), error.to_string()), (ErrorKind::Limit, message));
    };
    fails(StoreLimitsBuilder::new().instances(1), "(module)", "instances");
    fails(StoreLimitsBuilder::new().memories(1), "(module (memory 0))", "memories");
    fails(StoreLimitsBuilder::new().tables(1), "(module (table 0 funcref))", "tables");

    let mut store = limited(StoreLimitsBuilder::new().memory_size(65536).table_elements(4));
    let text = "(module (memory 2))";
    let error = Instance::new(&mut store, &module(&engine, text), &[]).unwrap_err();
    assert_eq!(error.to_string(), "memory minimum size of 131072 bytes exceeds memory limits");
    let text = "(module (table 5 funcref))";
    let error = Instance::new(&mut store, &module(&engine, text), &[]).unwrap_err();
    assert_eq!(error.to_string(), "table minimum size of 5 elements exceeds table limits");

    let mut store = limited(StoreLimitsBuilder::new().host_references(1));
    precast::ExternRef::new(&mut store, 1).unwrap();
    assert!(precast::ExternRef::new(&mut store, 2).is_err());
}

#[test]
fn artifacts_go_through_bytes_and_files() {
    let engine = Engine::default();
    let text = r#"(module $m (import "a" "b" (func (param i32))) (memory (export "memory") 1 2)
        (data (i32.const 0) "data") (func (export "f") (result i32) (i32.load8_u (i32.const 1))))"#;
    let module = module(&engine, text);
    let bytes = module.serialize().unwrap();
    assert_eq!(bytes, engine.precompile_module(text.as_bytes()).unwrap());
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("m.precast");
    std::fs::write(&path, &bytes).unwrap();
    // SAFETY: our own artifact.
    #[allow(unsafe_code)]
    let (from_bytes, from_file) = unsafe {
        (
            Module::deserialize(&engine, &bytes).unwrap(),
            Module::deserialize_file(&engine, &path).unwrap(),
        )
    };
    for module in [&module, &from_bytes, &from_file] {
        assert_eq!(module.name(), Some("m"));
        let imports: Vec<_> = module
            .imports()
            .map(|i| format!("{}::{} {:?}", i.module(), i.name(), i.ty()))
            .collect();
        assert_eq!(imports, ["a::b Func((i32) -> ())"]);
        let exports: Vec<_> = module.exports().map(|export| export.name()).collect();
        assert_eq!(exports, ["memory", "f"]);
        assert_eq!(module.get_export("memory").unwrap().memory().unwrap().maximum(), Some(2));
        let mut store = Store::new(&engine, ());
        let import = Func::wrap(&mut store, |_: i32| ());
        let instance = Instance::new(&mut store, module, &[import.into()]).unwrap();
        let f = instance.get_typed_func::<(), i32>(&mut store, "f").unwrap();
        assert_eq!(f.call(&mut store, ()).unwrap(), i32::from(b'a'));
    }
    let mut damaged = bytes.clone();
    damaged.truncate(bytes.len() - 1);
    // SAFETY: it is refused.
    #[allow(unsafe_code)]
    let error: Error = unsafe { Module::deserialize(&engine, &damaged) }.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Load);
    let error = Module::new(&engine, "(module (func (result i32)))").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Compile);
    let error = Module::new(&engine, "(module").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Compile);
}

#[test]
fn engines_do_not_mix() {
    let module = module(&Engine::default(), "(module)");
    let mut store = Store::<()>::default();
    let error = Instance::new(&mut store, &module, &[]).unwrap_err();
    assert_eq!(error.downcast_ref::<LinkError>(), Some(&LinkError::OtherEngine));
}
