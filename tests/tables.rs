//! Tables, whose functions are looked up when someone asks for them.
#![cfg(all(feature = "compiler", feature = "wat"))]

mod instances;

use instances::{instance, try_instance};
use precast::{ErrorKind, ExternRef, Func, Instance, Ref, RefType, Store, Table, TableType, Trap};

const TABLES: &str = r#"(module
    (type $f (func (result i32)))
    (table $a (export "a") 10 20 funcref)
    (table $b (export "b") 10 funcref)
    (elem (table $a) (i32.const 2) func $one $two $three)
    (elem (table $b) (i32.const 0) func $four)
    (elem $passive func $three $two)
    (elem declare func $one)
    (func $one (result i32) (i32.const 1))
    (func $two (result i32) (i32.const 2))
    (func $three (result i32) (i32.const 3))
    (func $four (result i32) (i32.const 4))
    (func (export "a") (param i32) (result i32) (call_indirect $a (type $f) (local.get 0)))
    (func (export "b") (param i32) (result i32) (call_indirect $b (type $f) (local.get 0)))
    (func (export "copy_ab") (param i32 i32 i32)
        (table.copy $b $a (local.get 0) (local.get 1) (local.get 2)))
    (func (export "copy_aa") (param i32 i32 i32)
        (table.copy $a $a (local.get 0) (local.get 1) (local.get 2)))
    (func (export "init") (param i32 i32 i32)
        (table.init $a $passive (local.get 0) (local.get 1) (local.get 2)))
    (func (export "drop") (elem.drop $passive))
    (func (export "grow") (param i32) (result i32) (table.grow $a (ref.func $one) (local.get 0)))
    (func (export "grow_null") (param i32) (result i32)
        (table.grow $a (ref.null func) (local.get 0)))
    (func (export "fill") (param i32 i32) (table.fill $a (local.get 0) (ref.func $one) (local.get 1)))
    (func (export "clear") (param i32) (table.set $a (local.get 0) (ref.null func)))
    (func (export "is_null") (param i32) (result i32) (ref.is_null (table.get $a (local.get 0)))))"#;

/// What calling each element of a table returns; `-` for null.
fn contents(store: &mut Store<()>, instance: Instance, name: &str, len: i32) -> String {
    let call = instance.get_export(&mut *store, name);
    assert!(call.is_some());
    let table = instance.get_table(&mut *store, name);
    let table = match table {
        Some(table) => table,
        None => panic!("no table {name}"),
    };
    (0..len as u64)
        .map(|index| match table.get(&mut *store, index) {
            Some(Ref::Func(Some(func))) => {
                let func = func.typed::<(), i32>(&*store).unwrap();
                func.call(&mut *store, ()).unwrap().to_string()
            }
            Some(Ref::Func(None)) => "-".to_owned(),
            other => panic!("{other:?}"),
        })
        .collect()
}

fn call<P: precast::WasmParams>(store: &mut Store<()>, instance: Instance, name: &str, params: P) {
    instance.get_typed_func::<P, ()>(&mut *store, name).unwrap().call(store, params).unwrap();
}

fn try_call(
    store: &mut Store<()>,
    instance: Instance,
    name: &str,
    index: i32,
) -> Result<i32, Trap> {
    let func = instance.get_typed_func::<i32, i32>(&mut *store, name).unwrap();
    func.call(store, index).map_err(|error| *error.downcast_ref().unwrap())
}

fn tables(store: &mut Store<()>) -> Instance {
    instance(
        store,
        &TABLES
            .replace(r#"(func (export "a")"#, r#"(func (export "call_a")"#)
            .replace(r#"(func (export "b")"#, r#"(func (export "call_b")"#),
        &[],
    )
}

#[test]
fn elements_are_read_when_asked_for() {
    let mut store = Store::default();
    let instance = tables(&mut store);
    assert_eq!(try_call(&mut store, instance, "call_a", 3), Ok(2));
    assert_eq!(try_call(&mut store, instance, "call_a", 3), Ok(2));
    assert_eq!(try_call(&mut store, instance, "call_a", 0), Err(Trap::IndirectCallToNull));
    assert_eq!(try_call(&mut store, instance, "call_a", 9), Err(Trap::IndirectCallToNull));
    assert_eq!(try_call(&mut store, instance, "call_a", 10), Err(Trap::UndefinedElement));
    assert_eq!(try_call(&mut store, instance, "call_a", -1), Err(Trap::UndefinedElement));
    assert_eq!(contents(&mut store, instance, "a", 10), "--123-----");
    assert_eq!(contents(&mut store, instance, "b", 10), "4---------");
    // The same function is the same reference, wherever it is read.
    let a = instance.get_table(&mut store, "a").unwrap();
    let [one, again] = [2, 2].map(|index| a.get(&mut store, index).unwrap());
    assert_eq!(one.as_func(), again.as_func());
    assert!(a.get(&mut store, 10).is_none());
}

#[test]
fn unread_elements_are_copied_as_what_they_are() {
    let mut store = Store::default();
    let instance = tables(&mut store);
    call(&mut store, instance, "copy_ab", (5, 1, 4));
    assert_eq!(contents(&mut store, instance, "b", 10), "4-----123-"[..10].to_string());
    call(&mut store, instance, "copy_aa", (3, 2, 3));
    assert_eq!(contents(&mut store, instance, "a", 10), "--1123----");
    call(&mut store, instance, "copy_aa", (2, 4, 3));
    assert_eq!(contents(&mut store, instance, "a", 10), "--23-3----");
}

#[test]
fn elements_are_written_filled_and_cleared() {
    let mut store = Store::default();
    let instance = tables(&mut store);
    call(&mut store, instance, "init", (8, 0, 2));
    call(&mut store, instance, "clear", 3);
    call(&mut store, instance, "fill", (0, 2));
    assert_eq!(contents(&mut store, instance, "a", 10), "111-3---32");
    assert_eq!(try_call(&mut store, instance, "is_null", 3), Ok(1));
    assert_eq!(try_call(&mut store, instance, "is_null", 4), Ok(0));
    assert_eq!(try_call(&mut store, instance, "is_null", 10), Err(Trap::TableOutOfBounds));
    call(&mut store, instance, "drop", ());
    let init = instance.get_typed_func::<(i32, i32, i32), ()>(&mut store, "init").unwrap();
    assert!(init.call(&mut store, (0, 0, 1)).is_err());
    init.call(&mut store, (10, 0, 0)).unwrap();
    assert!(init.call(&mut store, (11, 0, 0)).is_err());
}

#[test]
fn tables_grow() {
    let mut store = Store::default();
    let instance = tables(&mut store);
    assert_eq!(try_call(&mut store, instance, "grow", 2), Ok(10));
    assert_eq!(try_call(&mut store, instance, "grow_null", 2), Ok(12));
    assert_eq!(contents(&mut store, instance, "a", 14), "--123-----11--");
    assert_eq!(try_call(&mut store, instance, "call_a", 11), Ok(1));
    assert_eq!(try_call(&mut store, instance, "grow", 7), Ok(-1));
    assert_eq!(try_call(&mut store, instance, "grow", -1), Ok(-1));
    let a = instance.get_table(&mut store, "a").unwrap();
    assert_eq!(a.grow(&mut store, 6, Ref::Func(None)).unwrap(), 14);
    assert_eq!(a.size(&store), 20);
    assert_eq!(a.grow(&mut store, 1, Ref::Func(None)).unwrap_err().kind(), ErrorKind::Limit);
}

#[test]
fn host_functions_in_tables_are_called_indirectly() {
    let mut store = Store::<()>::default();
    let ty = TableType::new(RefType::FUNCREF, 3, None);
    let table = Table::new(&mut store, ty, Ref::Func(None)).unwrap();
    // One before any module knows its signature, one after.
    let early = Func::wrap(&mut store, || 40);
    table.set(&mut store, 0, early.into()).unwrap();
    let text = r#"(module (type $f (func (result i32)))
        (import "" "t" (table 3 funcref))
        (func (export "call") (param i32) (result i32) (call_indirect (type $f) (local.get 0))))"#;
    let instance = instance(&mut store, text, &[table.into()]);
    let late = Func::wrap(&mut store, || 41);
    table.set(&mut store, 1, late.into()).unwrap();
    let other = Func::wrap(&mut store, |_: i64| ());
    table.set(&mut store, 2, other.into()).unwrap();
    assert_eq!(try_call(&mut store, instance, "call", 0), Ok(40));
    assert_eq!(try_call(&mut store, instance, "call", 1), Ok(41));
    assert_eq!(try_call(&mut store, instance, "call", 2), Err(Trap::BadSignature));
    let other = instances::instance(&mut store, text, &[table.into()]);
    assert_eq!(try_call(&mut store, other, "call", 0), Ok(40));
}

#[test]
fn imported_functions_fill_tables_too() {
    let mut store = Store::<()>::default();
    let host = Func::wrap(&mut store, || 5);
    let instance = instance(
        &mut store,
        r#"(module (type $f (func (result i32)))
            (import "" "f" (func $host (result i32)))
            (table (export "t") 3 funcref) (elem (i32.const 1) func $host)
            (func (export "call") (param i32) (result i32)
                (call_indirect (type $f) (local.get 0))))"#,
        &[host.into()],
    );
    assert_eq!(try_call(&mut store, instance, "call", 1), Ok(5));
    let table = instance.get_table(&mut store, "t").unwrap();
    assert_eq!(table.get(&mut store, 1).unwrap().as_func(), Some(Some(&host)));
}

#[test]
fn tables_of_host_references() {
    let mut store = Store::<()>::default();
    let value = ExternRef::new(&mut store, 1u8).unwrap();
    let ty = TableType::new(RefType::EXTERNREF, 2, Some(4));
    let table = Table::new(&mut store, ty, value.into()).unwrap();
    let instance = instance(
        &mut store,
        r#"(module (import "" "t" (table $t 2 externref))
            (func (export "grow") (param i32) (result i32)
                (table.grow $t (table.get $t (i32.const 0)) (local.get 0)))
            (func (export "is_null") (param i32) (result i32)
                (ref.is_null (table.get $t (local.get 0))))
            (func (export "fill") (table.fill $t (i32.const 1) (ref.null extern) (i32.const 2))))"#,
        &[table.into()],
    );
    assert_eq!(try_call(&mut store, instance, "grow", 2), Ok(2));
    call(&mut store, instance, "fill", ());
    let nulls = [0, 1, 2, 3].map(|i| try_call(&mut store, instance, "is_null", i).unwrap());
    assert_eq!(nulls, [0, 1, 1, 0]);
    let last = table.get(&mut store, 3).unwrap();
    assert!(ExternRef::ref_eq(&store, last.as_extern().unwrap().unwrap(), &value));
    let error = table.set(&mut store, 0, Ref::Func(None)).unwrap_err();
    assert_eq!(error.to_string(), "type mismatch: expected externref, found funcref");
    assert!(table.set(&mut store, 4, Ref::Extern(None)).is_err());
}

#[test]
fn segments_that_do_not_fit_trap_after_those_that_do() {
    let mut store = Store::<()>::default();
    let ty = TableType::new(RefType::FUNCREF, 2, None);
    let table = Table::new(&mut store, ty, Ref::Func(None)).unwrap();
    let text = r#"(module (import "" "t" (table 2 funcref)) (func $f (result i32) (i32.const 9))
        (elem (i32.const 0) func $f) (elem (i32.const 2) func $f))"#;
    let error = try_instance(&mut store, text, &[table.into()]).unwrap_err();
    assert_eq!(error.downcast_ref::<Trap>(), Some(&Trap::TableOutOfBounds));
    // What was written stays, and its instance with it.
    let func = *table.get(&mut store, 0).unwrap().as_func().unwrap().unwrap();
    assert_eq!(func.typed::<(), i32>(&store).unwrap().call(&mut store, ()).unwrap(), 9);
    let mut other = Table::new(&mut store, TableType::new(RefType::FUNCREF, 2, None), func.into());
    let other = other.as_mut().unwrap();
    Table::copy(&mut store, other, 1, &table, 1, 1).unwrap();
    assert!(other.get(&mut store, 1).unwrap().is_null());
    assert!(!other.get(&mut store, 0).unwrap().is_null());
    other.fill(&mut store, 0, Ref::Func(None), 2).unwrap();
    assert!(other.get(&mut store, 0).unwrap().is_null());
}

#[test]
fn tables_that_no_memory_holds_are_refused() {
    let mut store = Store::<()>::default();
    for limits in ["i64 0xffff_ffff_ffff", "i64 0xffff_ffff_ffff_ffff", "i64 0x2000_0000_0000_0000"]
    {
        for element in ["funcref", "externref"] {
            let error =
                try_instance(&mut store, &format!("(module (table {limits} {element}))"), &[]);
            let error = error.expect_err("nobody has so much memory");
            assert_eq!(error.kind(), ErrorKind::Limit, "{error:?}");
        }
    }
}
