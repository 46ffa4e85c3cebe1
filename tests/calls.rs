//! Calls between host and wasm, both ways.
#![cfg(all(feature = "compiler", feature = "wat"))]

mod instances;

use std::panic::{AssertUnwindSafe, catch_unwind};

use instances::instance;
use precast::{
    AsContext, Caller, Engine, Error, ErrorKind, Extern, ExternRef, Func, FuncType, Instance,
    Store, Trap, TypeError, Val, ValType,
};

#[test]
fn wasm_is_called_with_values_of_every_type() {
    let mut store = Store::<()>::default();
    let instance = instance(
        &mut store,
        r#"(module (func (export "f") (param i32 i64 f32 f64) (result f64 f32 i64 i32)
            (local.get 3) (local.get 2) (local.get 1) (local.get 0)))"#,
        &[],
    );
    let f = instance
        .get_typed_func::<(i32, i64, f32, f64), (f64, f32, i64, i32)>(&mut store, "f")
        .unwrap();
    assert_eq!(f.call(&mut store, (-1, i64::MIN, 0.5, -2.0)).unwrap(), (-2.0, 0.5, i64::MIN, -1));

    let mut results = [Val::I32(0); 4];
    let params = [Val::I32(7), Val::I64(8), Val::from(1.5f32), Val::from(2.5f64)];
    f.func().call(&mut store, &params, &mut results).unwrap();
    assert_eq!(results.map(|value| format!("{value:?}"))[2..], ["I64(8)", "I32(7)"]);
    assert_eq!((results[0].unwrap_f64(), results[1].unwrap_f32()), (2.5, 1.5));
}

#[test]
fn host_functions_take_and_return_values_of_every_type() {
    let mut store = Store::<()>::default();
    let swap = Func::wrap(&mut store, |a: i32, b: i64, c: f32, d: f64| (d, c, b, a));
    let ty =
        FuncType::new(store.engine(), [ValType::I64, ValType::F64], [ValType::F64, ValType::I64]);
    let dynamic = Func::new(&mut store, ty, |_, params, results| {
        results[0] = params[1];
        results[1] = params[0];
        Ok(())
    });
    let instance = instance(
        &mut store,
        r#"(module
            (import "" "swap" (func $swap (param i32 i64 f32 f64) (result f64 f32 i64 i32)))
            (import "" "dynamic" (func $dynamic (param i64 f64) (result f64 i64)))
            (func (export "f") (result f64 f32 i64 i32)
                (call $swap (i32.const 1) (i64.const -2) (f32.const 3.5) (f64.const 4.5)))
            (func (export "g") (result f64 i64)
                (call $dynamic (i64.const 5) (f64.const 6.5))))"#,
        &[swap.into(), dynamic.into()],
    );
    let f = instance.get_typed_func::<(), (f64, f32, i64, i32)>(&mut store, "f").unwrap();
    assert_eq!(f.call(&mut store, ()).unwrap(), (4.5, 3.5, -2, 1));
    let g = instance.get_typed_func::<(), (f64, i64)>(&mut store, "g").unwrap();
    assert_eq!(g.call(&mut store, ()).unwrap(), (6.5, 5));
}

#[test]
fn the_host_calls_its_own_functions() {
    let mut store = Store::<i32>::default();
    let count = Func::wrap(&mut store, |mut caller: Caller<'_, i32>, by: i32| {
        assert!(caller.get_export("memory").is_none());
        *caller.data_mut() += by;
        *caller.data()
    });
    let count = count.typed::<i32, i32>(&store).unwrap();
    assert_eq!(count.call(&mut store, 3).unwrap(), 3);
    assert_eq!(count.call(&mut store, 4).unwrap(), 7);
    let fail = Func::wrap(&mut store, || -> precast::Result<()> { Err(Error::msg("no")) });
    let error = fail.call(&mut store, &[], &mut []).unwrap_err();
    assert_eq!(error.to_string(), "no");
    assert!(error.wasm_backtrace().is_none_or(|backtrace| backtrace.frames().is_empty()));
}

/// `down(n)` calls `host.step(n)`, which calls `down(n - 1)` or ends as it is told.
const LADDER: &str = r#"(module $ladder
    (import "host" "step" (func $step (param i32) (result i32)))
    (func $down (export "down") (param i32) (result i32)
        (i32.add (i32.const 1) (call $step (local.get 0)))))"#;

fn ladder(store: &mut Store<()>, end: fn() -> precast::Result<i32>) -> Instance {
    let step = Func::wrap(&mut *store, move |mut caller: Caller<'_, ()>, n: i32| match n {
        0 => end(),
        _ => {
            let down = caller.get_export("down").and_then(|export| export.into_func()).unwrap();
            down.typed::<i32, i32>(&caller)?.call(&mut caller, n - 1)
        }
    });
    instance(store, LADDER, &[step.into()])
}

#[test]
fn calls_nest_both_ways() {
    let mut store = Store::default();
    let ladder = ladder(&mut store, || Ok(100));
    let down = ladder.get_typed_func::<i32, i32>(&mut store, "down").unwrap();
    assert_eq!(down.call(&mut store, 10).unwrap(), 111);
}

#[test]
fn errors_of_the_host_pass_through_wasm() {
    let mut store = Store::default();
    let ladder = ladder(&mut store, || Err(std::io::Error::other("disk on fire").into()));
    let down = ladder.get_typed_func::<i32, i32>(&mut store, "down").unwrap();
    for _ in 0..3 {
        let error = down.call(&mut store, 4).unwrap_err();
        assert!(error.is::<std::io::Error>());
        assert_eq!(error.to_string(), "disk on fire");
        let frames = error.wasm_backtrace().unwrap().frames();
        assert_eq!(frames.len(), 5);
        assert!(frames.iter().all(|frame| frame.func_name() == Some("down")));
    }
}

#[test]
fn traps_pass_through_host_functions() {
    let mut store = Store::default();
    let trap = instance(&mut store, r#"(module (func (export "t") unreachable))"#, &[]);
    let trap = trap.get_typed_func::<(), ()>(&mut store, "t").unwrap();
    let step = Func::wrap(&mut store, move |mut caller: Caller<'_, ()>, n: i32| {
        let error = trap.call(&mut caller, ()).unwrap_err();
        assert_eq!(error.downcast_ref::<Trap>(), Some(&Trap::Unreachable));
        match n {
            0 => Err(error),
            _ => Ok(n),
        }
    });
    let ladder = instance(&mut store, LADDER, &[step.into()]);
    let down = ladder.get_typed_func::<i32, i32>(&mut store, "down").unwrap();
    // A trap that the host handles leaves the outer call intact.
    assert_eq!(down.call(&mut store, 5).unwrap(), 6);
    let error = down.call(&mut store, 0).unwrap_err();
    assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Trap, "unreachable"));
    assert_eq!(error.wasm_backtrace().unwrap().frames().len(), 2);
    assert_eq!(down.call(&mut store, 1).unwrap(), 2);
}

#[test]
fn panics_of_the_host_pass_through_wasm() {
    let mut store = Store::default();
    let ladder = ladder(&mut store, || std::panic::panic_any("oh no"));
    let down = ladder.get_typed_func::<i32, i32>(&mut store, "down").unwrap();
    for _ in 0..2 {
        let panic = catch_unwind(AssertUnwindSafe(|| down.call(&mut store, 3)));
        assert_eq!(*panic.unwrap_err().downcast::<&str>().unwrap(), "oh no");
    }
}

#[test]
fn stores_nest_on_one_thread() {
    let engine = Engine::default();
    let mut outer = Store::new(&engine, Some(Store::new(&engine, 0u32)));
    let text = r#"(module (import "" "f" (func $f)) (func (export "g") (call $f)))"#;
    let inner_func = {
        let inner = outer.data_mut().as_mut().unwrap();
        let f = Func::wrap(&mut *inner, |mut caller: Caller<'_, u32>| {
            *caller.data_mut() += 1;
            if *caller.data() > 1 { Err(Error::msg("twice")) } else { Ok(()) }
        });
        let instance = instance(&mut *inner, text, &[f.into()]);
        instance.get_typed_func::<(), ()>(&mut *inner, "g").unwrap()
    };
    let f = Func::wrap(&mut outer, move |mut caller: Caller<'_, Option<Store<u32>>>| {
        let mut inner = caller.data_mut().take().unwrap();
        let result = inner_func.call(&mut inner, ());
        *caller.data_mut() = Some(inner);
        result
    });
    let instance = instance(&mut outer, text, &[f.into()]);
    let g = instance.get_typed_func::<(), ()>(&mut outer, "g").unwrap();
    g.call(&mut outer, ()).unwrap();
    let error = g.call(&mut outer, ()).unwrap_err();
    assert_eq!(error.to_string(), "twice");
    assert_eq!(error.wasm_backtrace().unwrap().frames().len(), 2);
}

#[test]
fn types_are_checked() {
    let mut store = Store::<()>::default();
    let instance = instance(
        &mut store,
        r#"(module (func (export "f") (param i32) (result i64) (i64.const 1)))"#,
        &[],
    );
    let error = instance.get_typed_func::<i32, i32>(&mut store, "f").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Type);
    assert_eq!(
        format!("{error:#}"),
        "export `f` has another type: type mismatch: expected func (i32) -> (i32), \
         found func (i32) -> (i64)"
    );
    let error = instance.get_typed_func::<(), ()>(&mut store, "g").unwrap_err();
    assert_eq!(error.to_string(), "no export `g` that is a function");
    let f = instance.get_func(&mut store, "f").unwrap();
    let error = f.call(&mut store, &[Val::I64(1)], &mut [Val::I64(0)]).unwrap_err();
    assert_eq!(error.to_string(), "type mismatch: expected i32, found i64");
    let error = f.call(&mut store, &[], &mut [Val::I64(0)]).unwrap_err();
    assert_eq!(error.to_string(), "expected 1 arguments, found 0");
    let error = f.call(&mut store, &[Val::I32(1)], &mut []).unwrap_err();
    assert!(error.is::<TypeError>());
}

#[test]
fn host_references_pass_through_wasm() {
    let mut store = Store::<()>::default();
    let instance = instance(
        &mut store,
        r#"(module
            (table $t 3 externref)
            (global $g (mut externref) (ref.null extern))
            (func (export "keep") (param externref)
                (table.set $t (i32.const 1) (local.get 0))
                (global.set $g (local.get 0)))
            (func (export "kept") (result externref externref)
                (table.get $t (i32.const 1)) (global.get $g))
            (func (export "is_null") (param externref) (result i32)
                (ref.is_null (local.get 0))))"#,
        &[],
    );
    let value = ExternRef::new(&mut store, String::from("host value")).unwrap();
    let keep = instance.get_typed_func::<Option<ExternRef>, ()>(&mut store, "keep").unwrap();
    let kept = instance
        .get_typed_func::<(), (Option<ExternRef>, Option<ExternRef>)>(&mut store, "kept")
        .unwrap();
    let is_null = instance.get_typed_func::<Option<ExternRef>, i32>(&mut store, "is_null").unwrap();
    assert!(matches!(kept.call(&mut store, ()), Ok((None, None))));
    keep.call(&mut store, Some(value)).unwrap();
    let (Some(a), Some(b)) = kept.call(&mut store, ()).unwrap() else { panic!("both are kept") };
    assert!([a, b].iter().all(|kept| ExternRef::ref_eq(&store, kept, &value)));
    assert_eq!(is_null.call(&mut store, Some(value)).unwrap(), 0);
    assert_eq!(is_null.call(&mut store, None).unwrap(), 1);
    assert_eq!(value.data(&store).unwrap().downcast_ref::<String>().unwrap(), "host value");
    value.data_mut(&mut store).unwrap().downcast_mut::<String>().unwrap().push('!');
    assert_eq!(value.data(&store).unwrap().downcast_ref::<String>().unwrap(), "host value!");
}

#[test]
fn functions_pass_through_wasm() {
    let mut store = Store::<()>::default();
    let instance = instance(
        &mut store,
        r#"(module
            (type $f (func (result i32)))
            (table $t 1 funcref)
            (func (export "same") (param funcref) (result funcref) (local.get 0))
            (func (export "call") (param funcref) (result i32)
                (table.set $t (i32.const 0) (local.get 0))
                (call_indirect $t (type $f) (i32.const 0)))
            (func $seven (export "seven") (result i32) (i32.const 7))
            (func (export "get") (result funcref) (ref.func $seven)))"#,
        &[],
    );
    let host = Func::wrap(&mut store, || 42);
    let same = instance.get_typed_func::<Option<Func>, Option<Func>>(&mut store, "same").unwrap();
    let call = instance.get_typed_func::<Option<Func>, i32>(&mut store, "call").unwrap();
    let get = instance.get_typed_func::<(), Option<Func>>(&mut store, "get").unwrap();
    let seven = instance.get_func(&mut store, "seven").unwrap();
    assert_eq!(same.call(&mut store, None).unwrap(), None);
    assert_eq!(same.call(&mut store, Some(host)).unwrap(), Some(host));
    assert_eq!(get.call(&mut store, ()).unwrap(), Some(seven));
    assert_eq!(call.call(&mut store, Some(host)).unwrap(), 42);
    assert_eq!(call.call(&mut store, Some(seven)).unwrap(), 7);
    let error = call.call(&mut store, None).unwrap_err();
    assert_eq!(error.downcast_ref::<Trap>(), Some(&Trap::IndirectCallToNull));
}

#[test]
fn a_caller_knows_its_instance() {
    let mut store = Store::<Vec<u8>>::default();
    let read = Func::wrap(&mut store, |mut caller: Caller<'_, Vec<u8>>, at: u32| {
        let (memory, data) = caller.memory_and_data_mut().expect("a memory");
        data.extend(memory.read_array::<2>(at.into())?);
        precast::Result::Ok(())
    });
    let instance = instance(
        &mut store,
        r#"(module (import "" "read" (func $read (param i32)))
            (memory (export "memory") 1) (data (i32.const 65534) "hi")
            (func (export "f") (param i32) (call $read (local.get 0))))"#,
        &[read.into()],
    );
    let f = instance.get_typed_func::<u32, ()>(&mut store, "f").unwrap();
    f.call(&mut store, 65534).unwrap();
    assert_eq!(store.data(), b"hi");
    let error = f.call(&mut store, 65535).unwrap_err();
    assert_eq!(error.to_string(), "guest memory access out of bounds: 2 bytes at address 0xffff");
    assert!(store.as_context().data().len() == 2);
}

#[test]
fn handles_of_another_store_are_refused() {
    let engine = Engine::default();
    let mut one = Store::new(&engine, ());
    let mut other = Store::new(&engine, ());
    let func = Func::wrap(&mut one, || 1);
    let typed = func.typed::<(), i32>(&one).unwrap();
    let refused = |result: std::thread::Result<()>| {
        let message = *result.unwrap_err().downcast::<&str>().unwrap();
        assert!(message.contains("wrong store"), "{message}");
    };
    refused(catch_unwind(AssertUnwindSafe(|| drop(typed.call(&mut other, ())))));
    refused(catch_unwind(AssertUnwindSafe(|| drop(func.ty(&other)))));
    refused(catch_unwind(AssertUnwindSafe(|| {
        let text = r#"(module (import "" "f" (func (result i32))))"#;
        drop(instances::try_instance(&mut other, text, &[func.into()]));
    })));
    assert_eq!(typed.call(&mut one, ()).unwrap(), 1);
}

/// A module whose functions call `f` of the host, and the same function of its own, in each way that there is.
fn calls_in_each_way(params: &str, results: &str, args: &str, id: i32) -> String {
    let drops = "(drop)".repeat(results.split_whitespace().count());
    format!(
        r#"(module
            (type $t (func (param {params}) (result {results})))
            (import "" "f" (func $f (type $t)))
            (global (export "id") i32 (i32.const {id}))
            (table $closed 2 2 funcref) (elem (table $closed) (i32.const 0) func $f $own)
            (table $open (export "table") 2 2 funcref) (elem (table $open) (i32.const 0) func $f $own)
            (elem declare func $f $own)
            (func $own (type $t) {args} (call $f))
            (func $last (type $t) {args} (return_call $f))
            (func $last_indirect (type $t) {args} (return_call_indirect $open (type $t) (i32.const 1)))
            (func (export "run")
                {args} (call $f) {drops}
                {args} (call $own) {drops}
                {args} (call $last) {drops}
                {args} (call $last_indirect) {drops}
                {args} (call_indirect $closed (type $t) (i32.const 0)) {drops}
                {args} (call_indirect $closed (type $t) (i32.const 1)) {drops}
                {args} (call_indirect $open (type $t) (i32.const 0)) {drops}
                {args} (call_indirect $open (type $t) (i32.const 1)) {drops}
                {args} (call_ref $t (ref.func $f)) {drops}
                {args} (call_ref $t (ref.func $own)) {drops})
            (func (export "cross") (param $other i32)
                {args} (call_indirect $open (type $t) (local.get $other)) {drops}))"#
    )
}

/// However a function is called and whatever it takes, the host learns which instance calls it.
#[test]
fn the_host_knows_its_caller() {
    let list = |ty: &str, count: usize| vec![ty.to_owned(); count];
    let mut shapes = Vec::new();
    for integers in 0..9 {
        shapes.push(list("i64", integers));
        shapes.push([list("i32", integers), list("f32", 10 - integers)].concat());
        shapes.push([list("f64", 9), list("i32", integers), list("v128", 2)].concat());
    }
    for (params, result_count) in shapes.iter().zip([0, 1, 2, 6, 20].into_iter().cycle()) {
        let results = vec!["i32"; result_count].join(" ");
        let constant = |(number, ty): (usize, &String)| match &**ty {
            "v128" => format!("(v128.const i32x4 0 {number} 0 0)"),
            ty => format!("({ty}.const {number})"),
        };
        let args: String = params.iter().enumerate().map(constant).collect();
        let wat = |id| calls_in_each_way(&params.join(" "), &results, &args, id);
        // The calls that the host has seen, each as the `id` of its caller.
        let mut store = Store::new(&Engine::default(), Vec::new());
        let value_type = |ty: &String| match &**ty {
            "i32" => ValType::I32,
            "i64" => ValType::I64,
            "f32" => ValType::F32,
            "f64" => ValType::F64,
            _ => ValType::V128,
        };
        let ty = FuncType::new(
            store.engine(),
            params.iter().map(value_type),
            vec![ValType::I32; result_count],
        );
        let f = Func::new(&mut store, ty, |mut caller: Caller<'_, Vec<i32>>, params, results| {
            for (number, param) in params.iter().enumerate() {
                let seen = match *param {
                    Val::I32(value) => value as usize,
                    Val::I64(value) => value as usize,
                    Val::F32(bits) => f32::from_bits(bits) as usize,
                    Val::F64(bits) => f64::from_bits(bits) as usize,
                    Val::V128(value) => (value >> 32) as usize,
                    _ => panic!("there are no others"),
                };
                assert_eq!(seen, number);
            }
            results.fill(Val::I32(7));
            let id = caller.get_export("id").and_then(Extern::into_global).unwrap();
            let id = id.get(&mut caller).unwrap_i32();
            caller.data_mut().push(id);
            Ok(())
        });
        let first = instance(&mut store, &wat(1), &[f.into()]);
        let second = instance(&mut store, &wat(2), &[f.into()]);
        let run = |store: &mut Store<Vec<i32>>, of: Instance| {
            of.get_typed_func::<(), ()>(&mut *store, "run").unwrap().call(store, ()).unwrap();
        };
        run(&mut store, first);
        assert_eq!(std::mem::take(store.data_mut()), [1; 10], "{params:?}");
        // The first one's own function in a table of the second one: the caller is whose code it is.
        let theirs = first.get_table(&mut store, "table").unwrap().get(&mut store, 1).unwrap();
        let table = second.get_table(&mut store, "table").unwrap();
        table.set(&mut store, 0, theirs).unwrap();
        let cross = second.get_typed_func::<i32, ()>(&mut store, "cross").unwrap();
        cross.call(&mut store, 0).unwrap();
        cross.call(&mut store, 1).unwrap();
        assert_eq!(std::mem::take(store.data_mut()), [1, 2], "{params:?}");
    }
}

/// Functions that are the same but for which of the same functions they call are compiled once.
#[test]
fn functions_that_are_compiled_once_do_what_each_does() {
    let mut seed = 1_u32;
    let mut random = |below: u32| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 16) % below
    };
    let mut values: Vec<i32> = Vec::new();
    let mut wat = String::from("(module");
    for number in 0..300 {
        let constant = random(2) as i32;
        let export = format!("(func $f{number} (export \"{number}\") (result i32)");
        if number < 4 {
            values.push(constant);
            wat += &format!("{export} (i32.const {constant}))");
            continue;
        }
        let [a, b] = [random(number.min(12)), random(number)];
        values.push(constant + 3 * values[a as usize] % 5 - values[b as usize] % 7);
        wat += &format!(
            "{export} (i32.sub (i32.add (i32.const {constant})
                (i32.rem_s (i32.mul (i32.const 3) (call $f{a})) (i32.const 5)))
                (i32.rem_s (call $f{b}) (i32.const 7))))"
        );
    }
    wat += ")";
    let mut store = Store::<()>::default();
    let instance = instance(&mut store, &wat, &[]);
    for (number, &value) in values.iter().enumerate() {
        let f = instance.get_typed_func::<(), i32>(&mut store, &number.to_string()).unwrap();
        assert_eq!(f.call(&mut store, ()).unwrap(), value, "function {number}");
    }
}
