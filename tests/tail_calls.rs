//! Calls that reuse the frame of their caller.
#![cfg(all(feature = "compiler", feature = "wat"))]

mod instances;

use instances::instance;
use precast::{Func, Store, Trap};

/// More than any stack holds as frames.
const DEEP: i32 = 2_000_000;

#[test]
fn tail_calls_take_no_stack() {
    let mut store = Store::<()>::default();
    let instance = instance(
        &mut store,
        r#"(module
            (type $t (func (param i32 i64) (result i64)))
            (table funcref (elem $by_table $direct))
            (elem declare func $by_reference)
            (func $direct (export "f") (type $t)
                (if (result i64) (i32.eqz (local.get 0))
                    (then (local.get 1))
                    (else
                        (return_call_indirect (type $t)
                            (i32.sub (local.get 0) (i32.const 1))
                            (i64.add (local.get 1) (i64.const 1))
                            (i32.const 0)))))
            (func $by_table (type $t)
                (return_call_ref $t (local.get 0) (local.get 1) (ref.func $by_reference)))
            (func $by_reference (type $t)
                (return_call $direct (local.get 0) (local.get 1))))"#,
        &[],
    );
    let f = instance.get_typed_func::<(i32, i64), i64>(&mut store, "f").unwrap();
    assert_eq!(f.call(&mut store, (DEEP, 5)).unwrap(), i64::from(DEEP) + 5);
}

#[test]
fn tail_calls_cross_modules_and_end_in_the_host() {
    let mut store = Store::<()>::default();
    let add = Func::wrap(&mut store, |a: i32, b: i32| a + b);
    let callee = instance(
        &mut store,
        r#"(module (import "" "add" (func $add (param i32 i32) (result i32)))
            (global $base i32 (i32.const 100))
            (func (export "f") (param i32) (result i32)
                (return_call $add (local.get 0) (global.get $base))))"#,
        &[add.into()],
    );
    let f = callee.get_func(&mut store, "f").unwrap();
    let caller = instance(
        &mut store,
        r#"(module (import "" "f" (func $f (param i32) (result i32)))
            (global $own i32 (i32.const 1))
            (func $again (param i32 i32) (result i32)
                (if (local.get 1)
                    (then (return_call $again (local.get 0) (i32.sub (local.get 1) (i32.const 1)))))
                (return_call $f (local.get 0)))
            (func (export "g") (param i32) (result i32)
                (i32.add (call $again (local.get 0) (i32.const 9)) (global.get $own))))"#,
        &[f.into()],
    );
    let g = caller.get_typed_func::<i32, i32>(&mut store, "g").unwrap();
    assert_eq!(g.call(&mut store, 7).unwrap(), 108);
}

/// Arguments and results that do not fit registers lie in the caller's frame, whose size
/// tail calls change.
#[test]
fn tail_calls_with_many_values() {
    let mut store = Store::<()>::default();
    let types = "i64 ".repeat(40);
    let instance = instance(
        &mut store,
        &format!(
            r#"(module
                (func $few (export "f") (param $n i32) (result {types})
                    {constants}
                    (return_call $many (local.get $n)))
                (func $many (param {types} i32) (result {types})
                    (if (local.get 40)
                        (then (return_call $few (i32.sub (local.get 40) (i32.const 1)))))
                    {gets})
                (func (export "sum") (param i32) (result i64) (local $sum i64)
                    (call $few (local.get 0))
                    {sum}))"#,
            constants = (0..40).map(|n| format!("(i64.const {})", 1u64 << n)).collect::<String>(),
            gets = (0..40).map(|n| format!("(local.get {n})")).collect::<String>(),
            sum = "i64.add ".repeat(39),
        ),
        &[],
    );
    let sum = instance.get_typed_func::<i32, i64>(&mut store, "sum").unwrap();
    assert_eq!(sum.call(&mut store, 1000).unwrap(), (1 << 40) - 1);
}

#[test]
fn frames_that_were_given_up_are_in_no_backtrace() {
    let mut store = Store::<()>::default();
    let instance = instance(
        &mut store,
        r#"(module
            (func $deep (param i32) (result i32)
                (if (i32.eqz (local.get 0)) (then unreachable))
                (return_call $deep (i32.sub (local.get 0) (i32.const 1))))
            (func $left (param i32) (result i32) (return_call $deep (local.get 0)))
            (func $waits (export "f") (param i32) (result i32)
                (i32.add (call $left (local.get 0)) (i32.const 1))))"#,
        &[],
    );
    let f = instance.get_typed_func::<i32, i32>(&mut store, "f").unwrap();
    let error = f.call(&mut store, 10).unwrap_err();
    assert_eq!(error.downcast_ref::<Trap>(), Some(&Trap::Unreachable));
    let backtrace = error.wasm_backtrace().unwrap();
    let names: Vec<_> = backtrace.frames().iter().map(|frame| frame.func_name()).collect();
    assert_eq!(names, [Some("deep"), Some("waits")]);
}

#[test]
fn tail_calls_check_what_calls_check() {
    let mut store = Store::<()>::default();
    let instance = instance(
        &mut store,
        r#"(module
            (type $t (func))
            (table 3 funcref)
            (elem (i32.const 0) $other)
            (func $other (param i32))
            (func (export "indirect") (param i32) (return_call_indirect (local.get 0)))
            (func (export "reference") (param i32) (return_call_ref $t (ref.null $t))))"#,
        &[],
    );
    for (name, argument, trap) in [
        ("indirect", 0, Trap::BadSignature),
        ("indirect", 1, Trap::IndirectCallToNull),
        ("indirect", 3, Trap::UndefinedElement),
        ("reference", 0, Trap::NullFuncReference),
    ] {
        let f = instance.get_typed_func::<i32, ()>(&mut store, name).unwrap();
        let error = f.call(&mut store, argument).unwrap_err();
        assert_eq!(error.downcast_ref::<Trap>(), Some(&trap), "{name}");
    }
}
