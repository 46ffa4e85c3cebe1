//! Structures, arrays and 31-bit integers in wasm.
#![cfg(all(feature = "compiler", feature = "wat"))]

mod instances;
mod outcomes;

use instances::{instance, try_instance};
use outcomes::{call, trap};
use precast::{
    AnyRef, Caller, Collector, Config, Engine, ErrorKind, Extern, Finality, Func, FuncType,
    HeapType, I31, Instance, Module, RefType, Store, Trap, Val, ValType,
};

#[test]
fn modules_share_types_by_structure() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    const LIST: &str = "(rec (type $list (sub (struct (field i32) (field (ref null $list))))))";
    let maker = instance(
        &mut store,
        &format!(
            r#"(module {LIST}
                (func (export "cons") (param i32 (ref null $list)) (result (ref $list))
                    (struct.new $list (local.get 0) (local.get 1))))"#
        ),
        &[],
    );
    let cons = maker.get_func(&mut store, "cons").unwrap();
    let user = |ty: &str| {
        format!(
            r#"(module (type (array i8)) {ty}
                (import "" "" (func $cons (param i32 (ref null $list)) (result (ref $list))))
                (func (export "f") (result i32)
                    (struct.get $list 0 (struct.get $list 1
                        (call $cons (i32.const 1) (call $cons (i32.const 7) (ref.null none)))))))"#
        )
    };
    let same = instance(&mut store, &user(LIST), &[cons.into()]);
    assert_eq!(call(&mut store, same, "f", &[]).unwrap().unwrap_i32(), 7);
    let is_final =
        LIST.replace("(sub (struct", "((struct").replace("((struct", "(sub final (struct");
    let error = try_instance(&mut store, &user(&is_final), &[cons.into()]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Link);
}

/// Types with more supertypes than are there without being asked for, and beside each a sibling.
#[test]
fn casts_are_exact_at_every_depth() {
    const DEPTH: usize = 12;
    let mut text = String::from("(module (type $t0 (sub (struct)))");
    for depth in 1..=DEPTH {
        let supertype = depth - 1;
        text += &format!("(type $t{depth} (sub $t{supertype} (struct)))");
        text += &format!("(type $s{depth} (sub $t{supertype} (struct (field i32))))");
    }
    for depth in 1..=DEPTH {
        for kind in ["t", "s"] {
            text += &format!(
                r#"(func (export "new_{kind}{depth}") (result anyref)
                    (struct.new_default ${kind}{depth}))
                (func (export "test_{kind}{depth}") (param anyref) (result i32)
                    (ref.test (ref ${kind}{depth}) (local.get 0)))"#
            );
        }
    }
    text += ")";
    let mut store = Store::<()>::default();
    let instance = instance(&mut store, &text, &[]);
    for made in 1..=DEPTH {
        for kind in ["t", "s"] {
            let object = call(&mut store, instance, &format!("new_{kind}{made}"), &[]).unwrap();
            for tested in 1..=DEPTH {
                let is = |store: &mut Store<()>, name: &str| {
                    let name = format!("test_{name}{tested}");
                    call(store, instance, &name, &[object]).unwrap().unwrap_i32() == 1
                };
                let above = tested < made || (tested == made && kind == "t");
                assert_eq!(is(&mut store, "t"), above, "{kind}{made} is t{tested}");
                assert_eq!(is(&mut store, "s"), tested == made && kind == "s");
            }
        }
    }
}

#[test]
fn indirect_calls_accept_subtypes() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    const TYPES: &str = r#"
        (type $super (sub (func (result anyref))))
        (type $sub (sub final $super (func (result i31ref))))
        (type $plain (func (result anyref)))"#;
    let text = format!(
        r#"(module {TYPES}
            (import "" "" (func $host (type $super)))
            (table (export "table") 4 funcref)
            (elem (i32.const 0) func $own $host $plain)
            (func $own (type $sub) (ref.i31 (i32.const 5)))
            (func $plain (type $plain) (ref.null any))
            (func (export "call") (param i32) (result i32)
                (i31.get_u (ref.cast i31ref (call_indirect (type $super) (local.get 0)))))
            (func (export "call_sub") (param i32) (result i32)
                (i31.get_u (call_indirect (type $sub) (local.get 0)))))"#
    );
    let any = ValType::Ref(RefType::new(true, HeapType::Any));
    let i31 = ValType::Ref(RefType::new(true, HeapType::I31));
    let subtype = |supertype: Option<&FuncType>, result: &ValType| {
        let finality = if supertype.is_some() { Finality::Final } else { Finality::NonFinal };
        FuncType::with_finality_and_supertype(&engine, finality, supertype, [], [result.clone()])
    };
    let supertype = subtype(None, &any).unwrap();
    let sub = subtype(Some(&supertype), &i31).unwrap();
    let host = Func::new(&mut store, sub, |mut caller, _, results| {
        results[0] = AnyRef::from_i31(&mut caller, I31::wrapping_u32(6)).into();
        Ok(())
    });
    // The host's function is of a subtype of what is imported.
    let instance = instance(&mut store, &text, &[host.into()]);
    // Code does not have to know the type of what it calls.
    let unknown = subtype(Some(&supertype), &ValType::Ref(RefType::new(false, HeapType::I31)));
    let unknown = Func::new(&mut store, unknown.unwrap(), |mut caller, _, results| {
        results[0] = AnyRef::from_i31(&mut caller, I31::wrapping_u32(8)).into();
        Ok(())
    });
    let table = instance.get_table(&mut store, "table").unwrap();
    table.set(&mut store, 3, unknown.into()).unwrap();
    let result = call(&mut store, instance, "call", &[Val::I32(3)]);
    assert_eq!(result.unwrap().unwrap_i32(), 8);
    let mismatch = call(&mut store, instance, "call_sub", &[Val::I32(3)]);
    assert_eq!(trap(mismatch), Some(Trap::BadSignature));
    for name in ["call", "call_sub"] {
        for (index, expected) in [(0, 5), (1, 6)] {
            let result = call(&mut store, instance, name, &[Val::I32(index)]);
            assert_eq!(result.unwrap().unwrap_i32(), expected);
        }
        let mismatch = call(&mut store, instance, name, &[Val::I32(2)]);
        assert_eq!(trap(mismatch), Some(Trap::BadSignature));
    }
}

#[test]
fn wrong_accesses_trap() {
    let mut store = Store::<()>::default();
    let instance = instance(
        &mut store,
        r#"(module
            (type $bytes (array (mut i8)))
            (type $words (array (mut i64)))
            (data $data "abcd")
            (func (export "get") (param i32) (result i32)
                (array.get_u $bytes (array.new $bytes (i32.const 9) (i32.const 3)) (local.get 0)))
            (func (export "len") (result i32) (array.len (ref.null array)))
            (func (export "i31") (result i32) (i31.get_s (ref.null i31)))
            (func (export "new") (param i32) (result i32)
                (array.len (array.new_default $words (local.get 0))))
            (func (export "from_data") (param i32) (result i32)
                (array.len (array.new_data $bytes $data (i32.const 1) (local.get 0))))
            (func (export "fill") (param i32) (result i32)
                (array.fill $bytes (array.new_default $bytes (i32.const 3)) (i32.const 1)
                    (i32.const 0) (local.get 0))
                (i32.const 0))
            (func (export "copy") (param i32) (result i32)
                (array.copy $bytes $bytes (array.new_default $bytes (i32.const 3)) (i32.const 0)
                    (array.new_default $bytes (i32.const 2)) (i32.const 0) (local.get 0))
                (i32.const 0)))"#,
        &[],
    );
    let mut run = |name: &str, param: Option<i32>| {
        let params: Vec<Val> = param.into_iter().map(Val::I32).collect();
        call(&mut store, instance, name, &params)
    };
    assert_eq!(run("get", Some(2)).unwrap().unwrap_i32(), 9);
    assert_eq!(run("new", Some(5)).unwrap().unwrap_i32(), 5);
    assert_eq!(run("from_data", Some(3)).unwrap().unwrap_i32(), 3);
    for (name, param, expected) in [
        ("get", Some(3), Trap::ArrayOutOfBounds),
        ("get", Some(-1), Trap::ArrayOutOfBounds),
        ("len", None, Trap::NullArrayReference),
        ("i31", None, Trap::NullI31Reference),
        ("new", Some(-1), Trap::AllocationTooLarge),
        ("from_data", Some(4), Trap::MemoryOutOfBounds),
        ("from_data", Some(-1), Trap::MemoryOutOfBounds),
        ("fill", Some(3), Trap::ArrayOutOfBounds),
        ("fill", Some(-1), Trap::ArrayOutOfBounds),
        ("copy", Some(3), Trap::ArrayOutOfBounds),
    ] {
        assert_eq!(trap(run(name, param)), Some(expected), "{name} {param:?}");
    }
}

#[test]
fn defaults_are_zero_wherever_an_object_is() {
    // What was in the place of an object before is not zero.
    let structure = format!(
        r#"(module
            (type $words (array i64))
            (type $t (struct {}))
            (func (export "f") (param $rounds i32) (result i32)
                (local $sum i32) (local $object (ref null $t))
                (loop $again
                    (drop (array.new $words (i64.const -1) (i32.const 50)))
                    (local.set $object (struct.new_default $t))
                    (local.set $sum (i32.or (local.get $sum) (i32.or
                        (i32.eqz (ref.is_null (struct.get $t 23 (local.get $object))))
                        (v128.any_true (struct.get $t 24 (local.get $object))))))
                    (br_if $again
                        (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1)))))
                (local.get $sum)))"#,
        "(field i8) (field i64) (field f32) (field anyref) (field v128)".repeat(5)
    );
    for &collector in Collector::ALL {
        let engine = Engine::new(Config::new().collector(collector)).unwrap();
        let mut store = Store::new(&engine, ());
        let made = instance(&mut store, &structure, &[]);
        let sum = call(&mut store, made, "f", &[Val::I32(10_000)]).unwrap();
        assert_eq!(sum.unwrap_i32(), 0, "{collector}");
        for (storage, len) in [("i8", 0), ("i8", 1), ("i8", 13), ("i16", 3), ("i32", 5), ("i64", 7)]
        {
            let suffix = if matches!(storage, "i8" | "i16") { "_u" } else { "" };
            let widen = if storage == "i64" { "i32.wrap_i64" } else { "i32.or (i32.const 0)" };
            let array = format!(
                r#"(module
                    (type $words (array i64))
                    (type $t (array {storage}))
                    (func (export "f") (param $rounds i32) (result i32)
                        (local $sum i32) (local $i i32) (local $array (ref null $t))
                        (loop $again
                            (drop (array.new $words (i64.const -1) (i32.const 50)))
                            (local.set $array (array.new_default $t (i32.const {len})))
                            (local.set $sum (i32.or (local.get $sum)
                                (i32.ne (array.len (local.get $array)) (i32.const {len}))))
                            (local.set $i (i32.const {len}))
                            (block $done (loop $next
                                (br_if $done (i32.eqz (local.get $i)))
                                (local.set $i (i32.sub (local.get $i) (i32.const 1)))
                                (local.set $sum (i32.or (local.get $sum)
                                    ({widen} (array.get{suffix} $t (local.get $array) (local.get $i)))))
                                (br $next)))
                            (br_if $again
                                (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1)))))
                        (local.get $sum)))"#
            );
            let made = instance(&mut store, &array, &[]);
            let sum = call(&mut store, made, "f", &[Val::I32(10_000)]).unwrap();
            assert_eq!(sum.unwrap_i32(), 0, "{collector} {storage} {len}");
        }
    }
}

#[test]
fn elements_are_evaluated_once() {
    let mut store = Store::<()>::default();
    let instance = instance(
        &mut store,
        r#"(module
            (type $cell (struct (field (mut i32))))
            (type $cells (array (ref $cell)))
            (global $first (ref $cell) (struct.new $cell (i32.const 1)))
            (elem $cells (ref $cell) (global.get $first) (struct.new $cell (i32.const 2)))
            (func $cell (param i32) (result (ref $cell))
                (array.get $cells (array.new_elem $cells $cells (i32.const 0) (i32.const 2))
                    (local.get 0)))
            (func (export "same") (param i32) (result i32)
                (ref.eq (call $cell (local.get 0)) (call $cell (local.get 0))))
            (func (export "is_first") (result i32)
                (ref.eq (call $cell (i32.const 0)) (global.get $first)))
            (func (export "dropped") (result i32)
                (elem.drop $cells) (struct.get $cell 0 (call $cell (i32.const 0)))))"#,
        &[],
    );
    for index in [0, 1] {
        let same = call(&mut store, instance, "same", &[Val::I32(index)]);
        assert_eq!(same.unwrap().unwrap_i32(), 1);
    }
    assert_eq!(call(&mut store, instance, "is_first", &[]).unwrap().unwrap_i32(), 1);
    let dropped = call(&mut store, instance, "dropped", &[]);
    assert_eq!(trap(dropped), Some(Trap::TableOutOfBounds));
}

/// Runs with every collector, and with each also so that it collects wherever it can.
fn with_every_collector(mut run: impl FnMut(&mut Store<()>)) {
    for &collector in Collector::ALL {
        for stress in [false, true] {
            let mut config = Config::new();
            config.collector(collector).collect_at_every_safe_point(stress);
            run(&mut Store::new(&Engine::new(&config).unwrap(), ()));
        }
    }
}

#[test]
fn what_is_read_stays_when_what_it_was_read_from_goes() {
    with_every_collector(|store| {
        let instance = instance(
            &mut *store,
            r#"(module
                (type $leaf (struct (field i32)))
                (type $node (struct (field (ref $leaf))))
                (type $nodes (array (ref $leaf)))
                (func $leaf (param i32) (result (ref $leaf)) (struct.new $leaf (local.get 0)))
                (func $churn
                    (drop (call $leaf (i32.const -1))) (drop (call $leaf (i32.const -2)))
                    (drop (call $leaf (i32.const -3))))
                (func $node (param i32) (result (ref $node))
                    (struct.new $node (call $leaf (local.get 0))))
                (func $nodes (param i32) (result (ref $nodes))
                    (array.new $nodes (call $leaf (local.get 0)) (i32.const 3)))
                (func (export "field") (param i32) (result i32)
                    (local $node (ref null $node)) (local $leaf (ref null $leaf))
                    (local.set $node (call $node (local.get 0)))
                    (call $churn)
                    (local.set $leaf (struct.get $node 0 (local.get $node)))
                    (call $churn)
                    (struct.get $leaf 0 (local.get $leaf)))
                (func (export "element") (param i32) (result i32)
                    (local $nodes (ref null $nodes)) (local $leaf (ref null $leaf))
                    (local.set $nodes (call $nodes (local.get 0)))
                    (call $churn)
                    (local.set $leaf (array.get $nodes (local.get $nodes) (i32.const 2)))
                    (call $churn)
                    (struct.get $leaf 0 (local.get $leaf))))"#,
            &[],
        );
        for name in ["field", "element"] {
            for number in 0..10 {
                let read = call(store, instance, name, &[Val::I32(number)]).unwrap();
                assert_eq!(read.unwrap_i32(), number);
            }
        }
    });
}

#[test]
fn a_real_program_prints_the_same_with_every_collector() {
    for &collector in Collector::ALL {
        let engine = Engine::new(Config::new().collector(collector)).unwrap();
        let wasm = include_bytes!("fixtures/moonbit/objects.wasm");
        let module = Module::new(&engine, wasm).unwrap();
        let mut store = Store::new(&engine, Vec::new());
        let write = |mut caller: Caller<'_, Vec<u8>>, _: i32, vector: u32, count: u32, _: i32| {
            assert_eq!(count, 1);
            let memory = caller.get_export("memory").and_then(Extern::into_memory).unwrap();
            let word = |at: u32| {
                let mut bytes = [0; 4];
                memory.read(&caller, at as usize, &mut bytes).unwrap();
                u32::from_le_bytes(bytes)
            };
            let mut line = vec![0; word(vector + 4) as usize];
            let start = word(vector) as usize;
            memory.read(&caller, start, &mut line).unwrap();
            caller.data_mut().extend(line);
            0
        };
        let write = Func::wrap(&mut store, write);
        let instance = Instance::new(&mut store, &module, &[write.into()]).unwrap();
        let start = instance.get_typed_func::<(), ()>(&mut store, "_start").unwrap();
        start.call(&mut store, ()).unwrap();
        let expected = include_str!("programs/expected/moonbit-objects.stdout");
        assert_eq!(String::from_utf8_lossy(store.data()), expected, "{collector}");
    }
}
