//! References to functions of a type, and references that are never null.
#![cfg(all(feature = "compiler", feature = "wat"))]

mod instances;

use instances::{instance, try_instance};
use precast::{ErrorKind, Func, Store, Trap, Val};

#[test]
fn functions_are_called_by_reference() {
    let mut store = Store::<()>::default();
    let instance = instance(
        &mut store,
        r#"(module
            (type $t (func (param i32) (result i32)))
            (elem declare func $double)
            (func $double (type $t) (i32.add (local.get 0) (local.get 0)))
            (func (export "double") (result (ref $t)) (ref.func $double))
            (func (export "call") (param (ref null $t) i32) (result i32)
                (call_ref $t (local.get 1) (local.get 0)))
            (func (export "call_or") (param (ref null $t) i32) (result i32)
                (block $null
                    (return (call_ref $t (local.get 1) (br_on_null $null (local.get 0)))))
                (i32.const -1)))"#,
        &[],
    );
    let double = instance.get_typed_func::<(), Func>(&mut store, "double").unwrap();
    let double = double.call(&mut store, ()).unwrap();
    let triple = Func::wrap(&mut store, |n: i32| 3 * n);
    let other = Func::wrap(&mut store, |n: i64| n);

    let mut call = |name: &str, function: Val| {
        let f = instance.get_func(&mut store, name).unwrap();
        let mut results = [Val::I32(0)];
        f.call(&mut store, &[function, Val::I32(7)], &mut results)?;
        Ok::<_, precast::Error>(results[0].unwrap_i32())
    };
    assert_eq!(call("call", double.into()).unwrap(), 14);
    // A function of the host gets its way into wasm when it is first given to it.
    assert_eq!(call("call", triple.into()).unwrap(), 21);
    assert_eq!(call("call_or", triple.into()).unwrap(), 21);
    assert_eq!(call("call_or", Val::FuncRef(None)).unwrap(), -1);
    let null = call("call", Val::FuncRef(None)).unwrap_err();
    assert_eq!(null.downcast_ref::<Trap>(), Some(&Trap::NullFuncReference));
    assert!(call("call", other.into()).is_err());
}

#[test]
fn tables_of_typed_functions_need_no_check_but_for_null() {
    let mut store = Store::<()>::default();
    let instance = instance(
        &mut store,
        r#"(module
            (type $t (func (result i32)))
            (table $full 3 (ref $t) (ref.func $one))
            (table $holes 3 (ref null $t))
            (elem (table $full) (i32.const 1) (ref $t) (ref.func $two))
            (elem (table $holes) (i32.const 1) (ref $t) (ref.func $two))
            (func $one (type $t) (i32.const 1))
            (func $two (type $t) (i32.const 2))
            (func (export "full") (param i32) (result i32)
                (call_indirect $full (type $t) (local.get 0)))
            (func (export "holes") (param i32) (result i32)
                (call_indirect $holes (type $t) (local.get 0))))"#,
        &[],
    );
    let mut call = |name: &str, index: i32| {
        let f = instance.get_typed_func::<i32, i32>(&mut store, name).unwrap();
        f.call(&mut store, index).map_err(|error| *error.downcast_ref::<Trap>().unwrap())
    };
    assert_eq!([0, 1, 2].map(|index| call("full", index)), [Ok(1), Ok(2), Ok(1)]);
    assert_eq!(call("full", 3), Err(Trap::UndefinedElement));
    assert_eq!(call("holes", 0), Err(Trap::IndirectCallToNull));
    assert_eq!(call("holes", 1), Ok(2));
}

#[test]
fn imports_are_of_subtypes() {
    let mut store = Store::<()>::default();
    let exporter = instance(
        &mut store,
        r#"(module
            (type $t (func (param i32)))
            (func $f (type $t))
            (global (export "g") (ref $t) (ref.func $f))
            (table (export "t") 1 (ref null $t)))"#,
        &[],
    );
    let global = exporter.get_global(&mut store, "g").unwrap();
    let table = exporter.get_table(&mut store, "t").unwrap();
    for (ty, fits) in [
        ("(ref $t)", true),
        ("(ref null $t)", true),
        ("(ref func)", true),
        ("funcref", true),
        ("(ref null $other)", false),
        ("externref", false),
    ] {
        let text = format!(
            r#"(module (type $other (func)) (type $t (func (param i32)))
                (import "" "g" (global {ty})))"#
        );
        let result = try_instance(&mut store, &text, &[global.into()]);
        assert_eq!(result.is_ok(), fits, "{ty}");
    }
    for (ty, fits) in [("(ref null $t)", true), ("funcref", false), ("(ref null $other)", false)] {
        let text = format!(
            r#"(module (type $other (func)) (type $t (func (param i32)))
                (import "" "t" (table 1 {ty})))"#
        );
        let result = try_instance(&mut store, &text, &[table.into()]);
        assert_eq!(result.is_ok(), fits, "{ty}");
        if let Err(error) = result {
            assert_eq!(error.kind(), ErrorKind::Link);
        }
    }
}
