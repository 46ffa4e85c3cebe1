//! Functions that become a part of their callers: nobody can tell, except by the clock.
#![cfg(all(feature = "compiler", feature = "wat"))]

use precast::{Collector, Config, Engine, Error, Instance, Module, Store};

fn engine(inlining: bool) -> Engine {
    let mut config = Config::new();
    config.inlining(inlining);
    Engine::new(&config).unwrap()
}

/// What happens when `run` is called with each of `args`: its result, or the error with its backtrace.
fn outcomes(wat: &str, inlining: bool, args: &[i32]) -> Vec<Result<i32, String>> {
    let engine = engine(inlining);
    let module = Module::new(&engine, wat).unwrap();
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let run = instance.get_typed_func::<i32, i32>(&mut store, "run").unwrap();
    args.iter().map(|&arg| run.call(&mut store, arg).map_err(|error| describe(&error))).collect()
}

fn describe(error: &Error) -> String {
    format!("{error}\n{}", error.wasm_backtrace().expect("a backtrace"))
}

#[track_caller]
fn assert_same(wat: &str, args: &[i32]) -> Vec<Result<i32, String>> {
    let with = outcomes(wat, true, args);
    assert_eq!(with, outcomes(wat, false, args));
    with
}

/// How many bytes an artifact of a module has.
fn artifact_len(wat: &str, inlining: bool) -> usize {
    Module::new(&engine(inlining), wat).unwrap().serialize().unwrap().len()
}

const CHAIN: &str = r#"(module $m
    (memory 1)
    (func $load (param i32) (result i32) (i32.load (local.get 0)))
    (func $twice (param $at i32) (result i32) (local $sum i32)
        (local.set $sum (call $load (local.get $at)))
        (i32.add (local.get $sum) (call $load (i32.mul (local.get $at) (i32.const 2)))))
    (func $early (param i32) (result i32)
        (if (i32.eqz (local.get 0)) (then (return (i32.const 7))))
        (call $twice (local.get 0)))
    (func (export "run") (param i32) (result i32)
        (i32.add (call $early (i32.const 0)) (call $early (local.get 0)))))"#;

#[test]
fn backtraces_name_every_function() {
    let outcomes = assert_same(CHAIN, &[0, 4, 65_536, 40_000]);
    assert_eq!(outcomes[..2], [Ok(14), Ok(7)]);
    for outcome in &outcomes[2..] {
        let text = outcome.as_ref().unwrap_err();
        let frames = ["m!load", "m!twice", "m!early", "m!<wasm function 3>"];
        let mut rest = text.as_str();
        for frame in frames {
            let at = rest.find(frame).unwrap_or_else(|| panic!("{frame} in\n{text}"));
            rest = &rest[at..];
        }
    }
    assert_ne!(outcomes[2], outcomes[3], "the two calls are told apart");
}

#[test]
fn locals_begin_as_zero_each_time() {
    let counter = r#"(module
        (func $count (param $to i32) (result i32) (local $n i32)
            (loop $again
                (local.set $n (i32.add (local.get $n) (i32.const 1)))
                (br_if $again (i32.lt_s (local.get $n) (local.get $to))))
            (local.get $n))
        (func (export "run") (param $n i32) (result i32) (local $sum i32)
            (loop $again
                (local.set $sum (i32.add (local.get $sum) (call $count (local.get $n))))
                (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
            (local.get $sum)))"#;
    assert_eq!(assert_same(counter, &[1, 4]), [Ok(1), Ok(10)]);
}

#[test]
fn recursion_and_tail_calls_stay_calls() {
    let recursive = r#"(module
        (func $even (param i32) (result i32)
            (if (result i32) (local.get 0)
                (then (call $odd (i32.sub (local.get 0) (i32.const 1)))) (else (i32.const 1))))
        (func $odd (param i32) (result i32)
            (if (result i32) (local.get 0)
                (then (call $even (i32.sub (local.get 0) (i32.const 1)))) (else (i32.const 0))))
        (func $down (param i32) (result i32)
            (if (result i32) (local.get 0)
                (then (return_call $down (i32.sub (local.get 0) (i32.const 1)))) (else (i32.const 5))))
        (func (export "run") (param i32) (result i32)
            (i32.add (call $even (i32.rem_u (local.get 0) (i32.const 100))) (call $down (local.get 0)))))"#;
    assert_eq!(assert_same(recursive, &[10, 11, 5_000_000]), [Ok(6), Ok(5), Ok(6)]);
}

#[test]
fn exceptions_from_inlined_code_are_caught_around_the_call() {
    let throwing = r#"(module
        (tag $t (param i32))
        (func $throw (param i32) (throw $t (local.get 0)))
        (func $maybe (param i32) (if (local.get 0) (then (call $throw (local.get 0)))))
        (func (export "run") (param i32) (result i32)
            (block $caught (result i32)
                (try_table (catch $t $caught) (call $maybe (local.get 0)))
                (i32.const -1))))"#;
    assert_eq!(assert_same(throwing, &[0, 9]), [Ok(-1), Ok(9)]);
}

#[test]
fn code_behind_a_callee_that_never_returns_is_left_out() {
    let trapping = r#"(module
        (func $fail (result i32) (unreachable))
        (func (export "run") (param i32) (result i32)
            (if (result i32) (local.get 0) (then (i32.add (call $fail) (i32.const 1))) (else (i32.const 3)))))"#;
    let outcomes = assert_same(trapping, &[0, 1]);
    assert_eq!(outcomes[0], Ok(3));
    assert!(outcomes[1].as_ref().unwrap_err().contains("unreachable"));
}

#[test]
fn bodies_that_are_not_valid_are_refused_wherever_they_are_met() {
    for inlining in [true, false] {
        let wat = r#"(module
            (func (export "run") (result i32) (call $wrong))
            (func $wrong (result i32) (i64.const 1)))"#;
        let error = Module::new(&engine(inlining), wat).unwrap_err().to_string();
        assert!(error.contains("wrong"), "{error}");
    }
}

#[test]
fn growth_is_bounded() {
    // Each function calls the one before it twice: inlined without bound, code doubles each time.
    let mut wat =
        String::from("(module (memory 1) (func $f0 (i32.store (i32.const 0) (i32.const 1)))");
    for index in 1..400 {
        let callee = index - 1;
        wat += &format!("(func $f{index} (call $f{callee}) (call $f{callee}))");
    }
    wat += ")";
    let (with, without) = (artifact_len(&wat, true), artifact_len(&wat, false));
    assert!(with < without * 6, "{with} bytes instead of {without}");
}

#[test]
fn collectors_find_the_references_of_inlined_code() {
    let boxes = r#"(module
        (type $box (struct (field $value i32)))
        (func $make (param i32) (result (ref $box)) (struct.new $box (local.get 0)))
        (func $sum (param $a (ref $box)) (param $b (ref $box)) (result i32) (local $c (ref null $box))
            (local.set $c (call $make (i32.const 100)))
            (i32.add (struct.get $box $value (local.get $a))
                (i32.add (struct.get $box $value (local.get $b)) (struct.get $box $value (local.get $c)))))
        (func (export "run") (param i32) (result i32)
            (call $sum (call $make (local.get 0)) (call $make (i32.const 10)))))"#;
    for collector in [Collector::Null, Collector::Drc, Collector::Copying] {
        for inlining in [true, false] {
            let mut config = Config::new();
            config.inlining(inlining).collector(collector).collect_at_every_safe_point(true);
            let engine = Engine::new(&config).unwrap();
            let module = Module::new(&engine, boxes).unwrap();
            let mut store = Store::new(&engine, ());
            let instance = Instance::new(&mut store, &module, &[]).unwrap();
            let run = instance.get_typed_func::<i32, i32>(&mut store, "run").unwrap();
            for _ in 0..3 {
                assert_eq!(run.call(&mut store, 5).unwrap(), 115, "{collector}, {inlining}");
            }
        }
    }
}
