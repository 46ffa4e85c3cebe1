//! Tables that nobody can change: their functions are called without looking at the table of an
//! instance.
#![cfg(all(feature = "compiler", feature = "wat"))]

mod instances;

use instances::instance;
use precast::{
    Caller, Engine, Extern, Func, Instance, Module, Store, StoreLimits, StoreLimitsBuilder, Trap,
};

const CLOSED: &str = r#"(module
    (type $same (func (param i32) (result i32)))
    (type $unary (func (param i32) (result i32)))
    (type $nullary (func (result i32)))
    (type $void (func))
    (import "host" "host" (func $host (type $unary)))
    (import "other" "double" (func $double (type $unary)))
    (memory (export "memory") 1)
    (table $table 8 funcref)
    (global $base (mut i32) (i32.const 100))
    (elem (table $table) (i32.const 1) func $add $host $double $seven $throw $again)
    (tag $tag (param i32))
    (func $add (type $same) (i32.add (local.get 0) (global.get $base)))
    (func $seven (type $nullary) (i32.const 7))
    (func $throw (type $void) (throw $tag (i32.const 5)))
    (func $again (type $unary)
        (return_call_indirect $table (type $unary) (local.get 0) (i32.const 1)))
    (func (export "unary") (param i32 i32) (result i32)
        (call_indirect $table (type $unary) (local.get 1) (local.get 0)))
    (func (export "nullary") (param i32) (result i32)
        (call_indirect $table (type $nullary) (local.get 0)))
    (func (export "catch") (param i32) (result i32)
        (block $caught (result i32)
            (try_table (catch $tag $caught)
                (call_indirect $table (type $void) (local.get 0)))
            (i32.const -1)))
    (func (export "size") (result i32) (table.size $table)))"#;

fn imports(store: &mut Store<()>) -> [Extern; 2] {
    let host = Func::wrap(&mut *store, |caller: Caller<'_, ()>, x: i32| {
        assert!(caller.instance().is_some(), "the instance that calls is known");
        -x
    });
    let other = r#"(module (func (export "double") (param i32) (result i32)
        (i32.shl (local.get 0) (i32.const 1))))"#;
    let other = instance(&mut *store, other, &[]);
    let double = other.get_func(&mut *store, "double").unwrap();
    [host.into(), double.into()]
}

fn closed_tables(module: &Module) -> usize {
    let artifact = module.serialize().unwrap();
    precast::artifact::image::Image::parse(&artifact).unwrap().module.closed_tables.len()
}

#[test]
fn functions_of_all_kinds_are_called() {
    let engine = Engine::default();
    let module = Module::new(&engine, CLOSED).unwrap();
    assert_eq!(closed_tables(&module), 1);
    let mut store = Store::new(&engine, ());
    let imports = imports(&mut store);
    let instance = Instance::new(&mut store, &module, &imports).unwrap();
    let unary = instance.get_typed_func::<(i32, i32), i32>(&mut store, "unary").unwrap();
    let mut call = |index| unary.call(&mut store, (index, 5)).unwrap();
    assert_eq!([1, 2, 3, 6].map(&mut call), [105, -5, 10, 105]);
    let nullary = instance.get_typed_func::<i32, i32>(&mut store, "nullary").unwrap();
    assert_eq!(nullary.call(&mut store, 4).unwrap(), 7);
    let catch = instance.get_typed_func::<i32, i32>(&mut store, "catch").unwrap();
    assert_eq!(catch.call(&mut store, 5).unwrap(), 5);
    let size = instance.get_typed_func::<(), i32>(&mut store, "size").unwrap();
    assert_eq!(size.call(&mut store, ()).unwrap(), 8);
}

#[test]
fn what_is_no_function_of_the_type_traps() {
    let mut store = Store::<()>::default();
    let imports = imports(&mut store);
    let instance = instance(&mut store, CLOSED, &imports);
    let unary = instance.get_typed_func::<(i32, i32), i32>(&mut store, "unary").unwrap();
    let mut trap = |index| {
        let error = unary.call(&mut store, (index, 5)).unwrap_err();
        *error.downcast_ref::<Trap>().unwrap()
    };
    assert_eq!([0, 7].map(&mut trap), [Trap::IndirectCallToNull; 2]);
    assert_eq!([4, 5].map(&mut trap), [Trap::BadSignature; 2]);
    assert_eq!([8, -1, i32::MIN].map(&mut trap), [Trap::UndefinedElement; 3]);
}

#[test]
fn whatever_can_change_or_show_a_table_keeps_it_open() {
    let engine = Engine::default();
    let tables = |more: &str| {
        let text = format!(
            r#"(module (table $t 4 funcref) (func $f) (elem $passive func $f)
                (elem (table $t) (i32.const 0) func $f)
                (func (param i32) (call_indirect $t (local.get 0)))
                {more})"#
        );
        closed_tables(&Module::new(&engine, text).unwrap())
    };
    assert_eq!(tables(""), 1);
    assert_eq!(tables("(func (result i32) (table.size $t))"), 1);
    for open in [
        r#"(export "t" (table $t))"#,
        "(func (result funcref) (table.get $t (i32.const 0)))",
        "(func (table.set $t (i32.const 0) (ref.null func)))",
        "(func (result i32) (table.grow $t (ref.null func) (i32.const 1)))",
        "(func (table.fill $t (i32.const 0) (ref.null func) (i32.const 1)))",
        "(func (table.init $t $passive (i32.const 0) (i32.const 0) (i32.const 1)))",
        "(func (table.copy $t $t (i32.const 0) (i32.const 1) (i32.const 1)))",
        "(table $u 4 funcref) (func (table.copy $u $t (i32.const 0) (i32.const 1) (i32.const 1)))",
        "(elem (table $t) (i32.const 4) func $f)",
    ] {
        assert_eq!(tables(open), 0, "{open}");
    }
}

#[test]
fn functions_of_a_closed_table_can_still_be_referred_to() {
    let mut store = Store::<()>::default();
    let text = r#"(module
        (table $t 2 funcref)
        (elem (table $t) (i32.const 0) func $one $two)
        (func $one (result i32) (i32.const 1))
        (func $two (result i32) (i32.const 2))
        (func (export "call") (param i32) (result i32) (call_indirect $t (result i32) (local.get 0)))
        (func (export "two") (result funcref) (ref.func $two)))"#;
    let instance = instance(&mut store, text, &[]);
    let two = instance.get_typed_func::<(), Option<Func>>(&mut store, "two").unwrap();
    let two = two.call(&mut store, ()).unwrap().unwrap();
    assert_eq!(two.typed::<(), i32>(&store).unwrap().call(&mut store, ()).unwrap(), 2);
    let call = instance.get_typed_func::<i32, i32>(&mut store, "call").unwrap();
    assert_eq!(call.call(&mut store, 1).unwrap(), 2);
}

#[test]
fn types_that_are_more_than_they_look_keep_a_table_open() {
    let engine = Engine::default();
    let table = |ty: &str| {
        let text = format!(
            r#"(module {ty} (table $t 4 funcref) (func $f (type $f))
                (elem (table $t) (i32.const 0) func $f)
                (func (param i32) unreachable (call_indirect $t (type $f))))"#
        );
        closed_tables(&Module::new(&engine, text).unwrap())
    };
    assert_eq!(table("(type $f (func))"), 1);
    assert_eq!(table("(type $g (func)) (type $f (func (param (ref null $g))))"), 0);
}

#[test]
fn the_limits_of_a_store_count_them() {
    let engine = Engine::default();
    let text = "(module (table $t 4 funcref) (func $f) (elem (table $t) (i32.const 0) func $f))";
    let module = Module::new(&engine, text).unwrap();
    assert_eq!(closed_tables(&module), 1);
    let instantiate = |limits: StoreLimits| {
        let mut store = Store::new(&engine, limits);
        store.limiter(|limits| limits);
        Instance::new(&mut store, &module, &[]).map(drop)
    };
    assert!(instantiate(StoreLimitsBuilder::new().table_elements(4).tables(1).build()).is_ok());
    assert!(instantiate(StoreLimitsBuilder::new().table_elements(3).build()).is_err());
    assert!(instantiate(StoreLimitsBuilder::new().tables(0).build()).is_err());
}
