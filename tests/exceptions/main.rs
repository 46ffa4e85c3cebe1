//! Exceptions: between functions, modules and the host.
#![cfg(all(feature = "compiler", feature = "wat"))]

#[path = "../instances/mod.rs"]
mod instances;
mod lifetime;

use instances::{instance, module};
use precast::{
    AsContextMut, Caller, Error, ErrorKind, ExnRef, Func, FuncType, Instance, Linker, Store, Tag,
    TagType, ThrownException, Trap, Val, ValType,
};

fn call(mut store: impl AsContextMut, instance: Instance, name: &str, param: i32) -> i32 {
    try_call(&mut store, instance, name, param).unwrap_or_else(|error| panic!("{name}: {error:?}"))
}

fn try_call(
    mut store: impl AsContextMut,
    instance: Instance,
    name: &str,
    param: i32,
) -> Result<i32, Error> {
    instance.get_typed_func::<i32, i32>(&mut store, name).unwrap().call(&mut store, param)
}

fn new_tag<T: 'static>(store: &mut Store<T>, params: &[ValType]) -> Tag {
    let ty = TagType::new(FuncType::new(store.engine(), params.iter().cloned(), []));
    Tag::new(store, &ty)
}

fn thrown(error: &Error) -> &ThrownException {
    assert_eq!(error.kind(), ErrorKind::Exception, "{error:?}");
    error.downcast_ref().unwrap()
}

#[test]
fn values_of_every_type_reach_the_handler() {
    let mut store = Store::<()>::default();
    let instance = instance(
        &mut store,
        r#"(module
            (tag $many (param i32 i64 f32 f64 externref funcref exnref))
            (elem declare func $throw)
            (func $throw (param i32)
                (throw $many (local.get 0) (i64.const -2) (f32.const 3.5) (f64.const -4.5)
                    (ref.null extern) (ref.func $throw) (ref.null exn)))
            (func (export "f") (param i32) (result i32)
                    (local $exn exnref) (local $func funcref) (local $extern externref)
                    (local $f64 f64) (local $f32 f32) (local $i64 i64) (local $i32 i32)
                (block $caught (result i32 i64 f32 f64 externref funcref exnref)
                    (try_table (catch $many $caught) (call $throw (local.get 0)))
                    (return (i32.const -1)))
                (local.set $exn) (local.set $func) (local.set $extern)
                (local.set $f64) (local.set $f32) (local.set $i64) (local.set $i32)
                (i32.eq (local.get $i32) (local.get 0))
                (i32.and (i64.eq (local.get $i64) (i64.const -2)))
                (i32.and (f32.eq (local.get $f32) (f32.const 3.5)))
                (i32.and (f64.eq (local.get $f64) (f64.const -4.5)))
                (i32.and (ref.is_null (local.get $extern)))
                (i32.and (i32.eqz (ref.is_null (local.get $func))))
                (i32.and (ref.is_null (local.get $exn)))))"#,
        &[],
    );
    assert_eq!(call(&mut store, instance, "f", 77), 1);
}

/// `pick(n)` throws one of three tags at the bottom of `n` calls, and says which handler got it.
const HANDLERS: &str = r#"(module
    (tag $a (param i32)) (tag $b) (tag $c)
    (func $throw (param i32)
        (if (i32.eq (local.get 0) (i32.const 0)) (then (throw $a (i32.const 10))))
        (if (i32.eq (local.get 0) (i32.const 1)) (then (throw $b)))
        (if (i32.eq (local.get 0) (i32.const 2)) (then (throw $c)))
        (if (i32.eq (local.get 0) (i32.const 3)) (then unreachable)))
    (func $indirect (param i32)
        ;; Handlers of this frame are for others.
        (block $other (try_table (catch $unused $other) (call_indirect (param i32)
            (local.get 0) (i32.const 0))) (return))
        unreachable)
    (tag $unused) (table funcref (elem $throw))
    (func (export "pick") (param i32) (result i32)
        (block $all
            (block $b1
                (block $a1 (result i32)
                    (try_table (catch_all $all)
                        (try_table (catch $a $a1) (catch $b $b1) (catch $a $a1)
                            (call $indirect (local.get 0))))
                    (return (i32.const 0)))
                (return))
            (return (i32.const 20)))
        (i32.const 30))
    (func (export "local") (param i32) (result i32)
        (block $caught (result i32)
            (block $all
                (try_table (catch $a $caught) (catch_all $all)
                    (throw $a (i32.add (local.get 0) (i32.const 1)))))
            unreachable)))"#;

#[test]
fn the_first_handler_that_fits_gets_the_exception() {
    let mut store = Store::<()>::default();
    let instance = instance(&mut store, HANDLERS, &[]);
    for (param, expected) in [(0, 10), (1, 20), (2, 30), (4, 0)] {
        assert_eq!(call(&mut store, instance, "pick", param), expected);
    }
    assert_eq!(call(&mut store, instance, "local", 6), 7);
}

#[test]
fn traps_are_not_caught() {
    let mut store = Store::<()>::default();
    let instance = instance(&mut store, HANDLERS, &[]);
    let error = try_call(&mut store, instance, "pick", 3).unwrap_err();
    assert_eq!(error.downcast_ref::<Trap>(), Some(&Trap::Unreachable));

    let overflow = instances::instance(
        &mut store,
        r#"(module (func $f (export "f") (param i32) (result i32)
            (block $all
                (try_table (catch_all $all) (return (call $f (local.get 0)))))
            (i32.const 1)))"#,
        &[],
    );
    let error = try_call(&mut store, overflow, "f", 0).unwrap_err();
    assert_eq!(error.downcast_ref::<Trap>(), Some(&Trap::StackOverflow));
}

#[test]
fn a_tail_call_leaves_the_handlers_behind() {
    let mut store = Store::<()>::default();
    let instance = instance(
        &mut store,
        r#"(module (tag $t (param i32))
            (func $throw (param i32) (result i32) (throw $t (local.get 0)))
            (func $leave (param i32) (result i32)
                (block $all (try_table (catch_all $all) (return_call $throw (local.get 0))))
                (i32.const -1))
            (func (export "f") (param i32) (result i32)
                (block $caught (result i32)
                    (try_table (catch $t $caught) (drop (call $leave (local.get 0))))
                    unreachable)))"#,
        &[],
    );
    assert_eq!(call(&mut store, instance, "f", 4), 4);
}

#[test]
fn values_that_live_across_a_call_are_there_in_the_handler() {
    let mut store = Store::<()>::default();
    let sets = |from: i32| -> String {
        let set = |n: i32| {
            format!(
                "(local.set {} (i32.mul (local.get 0) (i32.const {})))
                 (local.set {} (f64.convert_i32_s (i32.mul (local.get 0) (i32.const {}))))",
                n * 2 + 1,
                n + from,
                n * 2 + 2,
                n + from,
            )
        };
        (0..20).map(set).collect()
    };
    let sum: String = (0..20)
        .map(|n| {
            format!(
                "(i32.add (local.get {})) (i32.add (i32.trunc_f64_s (local.get {})))",
                n * 2 + 1,
                n * 2 + 2
            )
        })
        .collect();
    let locals = "i32 f64 ".repeat(20);
    let text = format!(
        r#"(module (tag $t) (global $calls (mut i32) (i32.const 0))
            (func $noise (param i32) (result i32) (local {locals})
                {sets_noise}
                (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
                (if (i32.gt_s (global.get $calls) (i32.const 2)) (then (throw $t)))
                (i32.const 0) {sum})
            (func (export "f") (param i32) (result i32) (local {locals})
                {sets}
                (block $caught
                    (try_table (catch $t $caught)
                        (drop (call $noise (i32.const 3)))
                        (local.set 1 (i32.add (local.get 1) (i32.const 1000)))
                        (drop (call $noise (i32.const 4)))
                        (local.set 1 (i32.add (local.get 1) (i32.const 1000)))
                        (drop (call $noise (i32.const 5)))
                        (local.set 1 (i32.add (local.get 1) (i32.const 1000)))))
                (i32.const 0) {sum}))"#,
        sets = sets(1),
        sets_noise = sets(7),
    );
    let instance = instance(&mut store, &text, &[]);
    // Twice the sum of 1 to 20, and what was added before the third call.
    assert_eq!(call(&mut store, instance, "f", 1), 2 * 210 + 2000);
}

#[test]
fn references_can_be_thrown_again() {
    let mut store = Store::<()>::default();
    let instance = instance(
        &mut store,
        r#"(module (tag $t (param i32))
            (func $throw (param i32) (throw $t (local.get 0)))
            (func $again (param i32)
                (throw_ref (block $any (result exnref)
                    (try_table (catch_all_ref $any) (call $throw (local.get 0)))
                    unreachable)))
            (func (export "again") (param i32) (result i32) (local $exn exnref)
                (block $caught (result i32 exnref)
                    (try_table (catch_ref $t $caught) (call $again (local.get 0)))
                    unreachable)
                (local.set $exn)
                (drop)
                (block $caught (result i32)
                    (try_table (catch $t $caught) (throw_ref (local.get $exn)))
                    unreachable))
            (func (export "null") (param i32) (result i32)
                (block $all
                    (try_table (catch_all $all) (throw_ref (ref.null exn))))
                (i32.const 1)))"#,
        &[],
    );
    assert_eq!(call(&mut store, instance, "again", 42), 42);
    let error = try_call(&mut store, instance, "null", 0).unwrap_err();
    assert_eq!(error.downcast_ref::<Trap>(), Some(&Trap::NullExceptionReference));
}

#[test]
fn what_nothing_catches_is_an_error_with_its_values() {
    let mut store = Store::<()>::default();
    let instance = instance(
        &mut store,
        r#"(module $m (tag $t (export "t") (param i32 f64)) (tag $none)
            (func $inner (throw $t (i32.const 5) (f64.const 0.5)))
            (func $outer (export "f") (block $n (try_table (catch $none $n) (call $inner)))))"#,
        &[],
    );
    let func = instance.get_func(&mut store, "f").unwrap();
    let error = func.call(&mut store, &[], &mut []).unwrap_err();
    assert_eq!(error.to_string(), "uncaught exception with values of type i32, f64");
    let names: Vec<_> = error.wasm_backtrace().unwrap().frames().iter().collect();
    assert_eq!(names.iter().filter_map(|f| f.func_name()).collect::<Vec<_>>(), ["inner", "outer"]);

    let exception = thrown(&error).clone();
    let tag = instance.get_export(&mut store, "t").unwrap().into_tag().unwrap();
    assert_eq!(exception.tag(&store), tag);
    assert_eq!(exception.field(&mut store, 0).unwrap().unwrap_i32(), 5);
    assert_eq!(exception.field(&mut store, 1).unwrap().unwrap_f64(), 0.5);
    assert!(exception.field(&mut store, 2).is_err());
    let reference = exception.exception(&mut store);
    drop((error, exception));
    assert_eq!(reference.field(&mut store, 0).unwrap().unwrap_i32(), 5);
}

#[test]
fn a_tag_is_the_same_only_where_it_was_imported() {
    let mut store = Store::<()>::default();
    let thrower = module(
        store.engine(),
        r#"(module (tag $t (export "tag") (param i32))
            (func (export "throw") (param i32) (throw $t (local.get 0))))"#,
    );
    let catcher = r#"(module
        (import "" "tag" (tag $t (param i32)))
        (import "" "throw" (func $throw (param i32)))
        (tag $own (param i32))
        (func (export "f") (param i32) (result i32)
            (block $all
                (block $imported (result i32)
                    (block $own (result i32)
                        (try_table (catch $own $own) (catch $t $imported) (catch_all $all)
                            (call $throw (local.get 0)))
                        unreachable)
                    unreachable)
                (return))
            (i32.const -1)))"#;
    let [one, other] = [(); 2].map(|()| Instance::new(&mut store, &thrower, &[]).unwrap());
    let mut export = |instance: Instance, name| instance.get_export(&mut store, name).unwrap();
    let (tag, throw, other_throw) =
        (export(one, "tag"), export(one, "throw"), export(other, "throw"));
    let same = instance(&mut store, catcher, &[tag.clone(), throw]);
    let different = instance(&mut store, catcher, &[tag, other_throw]);
    assert_eq!(call(&mut store, same, "f", 9), 9);
    assert_eq!(call(&mut store, different, "f", 9), -1);
}

/// `f(n)` calls the host and gives what an exception with the imported tag carries, or -2 for
/// another one.
const CALLS_HOST: &str = r#"(module
    (import "host" "tag" (tag $t (param i32)))
    (import "host" "call" (func $host (param i32) (result i32)))
    (tag $own (export "own"))
    (func (export "throw") (param i32) (result i32)
        (if (i32.lt_s (local.get 0) (i32.const 0)) (then (throw $own)))
        (throw $t (local.get 0)))
    (func (export "f") (param i32) (result i32)
        (block $all
            (block $caught (result i32)
                (try_table (catch $t $caught) (catch_all $all)
                    (return (call $host (local.get 0))))
                unreachable)
            (return))
        (i32.const -2)))"#;

#[test]
fn exceptions_pass_through_host_functions() {
    let mut store = Store::<Vec<String>>::default();
    let tag = new_tag(&mut store, &[ValType::I32]);
    let mut linker = Linker::new(store.engine());
    linker.define(&store, "host", "tag", tag).unwrap();
    let host = |mut caller: Caller<'_, Vec<String>>, param: i32| -> Result<i32, Error> {
        let throw = caller.get_export("throw").unwrap().into_func().unwrap();
        let throw = throw.typed::<i32, i32>(&caller)?;
        let error = throw.call(&mut caller, param).unwrap_err();
        let exception = thrown(&error).clone();
        let values = exception.tag(&caller).ty(&caller).ty().params().len();
        caller.data_mut().push(format!("{error:#}, {values}"));
        match param {
            0 => Ok(100),
            1 => Err(error),
            2 => Err(error.context("in the host")),
            3 => Err(exception.into()),
            4 => exception.exception(&mut caller).throw(&mut caller)?,
            5 => Err(Error::msg("something else")),
            _ => Err(error),
        }
    };
    linker.func_wrap("host", "call", host).unwrap();
    let module = module(store.engine(), CALLS_HOST);
    let instance = linker.instantiate(&mut store, &module).unwrap();
    for (param, expected) in [(0, 100), (1, 1), (2, 2), (3, 3), (4, 4), (-1, -2)] {
        assert_eq!(call(&mut store, instance, "f", param), expected);
    }
    let error = try_call(&mut store, instance, "f", 5).unwrap_err();
    assert_eq!(error.to_string(), "something else");
    assert_eq!(store.data()[0], "uncaught exception with values of type i32, 1");
    assert_eq!(store.data().len(), 7);
}

#[test]
fn the_host_throws() {
    let mut store = Store::<()>::default();
    let tag = new_tag(&mut store, &[ValType::I32]);
    let host = Func::wrap(&mut store, move |mut caller: Caller<'_, ()>, param: i32| {
        Err::<i32, Error>(ThrownException::new(&mut caller, &tag, &[Val::I32(param * 2)])?.into())
    });
    let instance = instance(&mut store, CALLS_HOST, &[tag.into(), host.into()]);
    assert_eq!(call(&mut store, instance, "f", 8), 16);

    // A host function that the host calls has nobody to catch it.
    let error = host.typed::<i32, i32>(&store).unwrap().call(&mut store, 3).unwrap_err();
    assert_eq!(thrown(&error).field(&mut store, 0).unwrap().unwrap_i32(), 6);
    let wrong = ThrownException::new(&mut store, &tag, &[]).unwrap_err();
    assert_eq!(wrong.to_string(), "expected 1 values, found 0");
    assert!(ExnRef::new(&mut store, &tag, &[Val::I64(1)]).is_err());
}

#[test]
fn an_exception_of_another_store_is_an_error_like_others() {
    let mut other = Store::<()>::default();
    let foreign = new_tag(&mut other, &[]);
    let foreign = ThrownException::new(&mut other, &foreign, &[]).unwrap();
    let mut store = Store::<()>::default();
    let tag = new_tag(&mut store, &[ValType::I32]);
    let host = Func::wrap(&mut store, move |_: i32| Err::<i32, Error>(foreign.clone().into()));
    let instance = instance(&mut store, CALLS_HOST, &[tag.into(), host.into()]);
    let error = try_call(&mut store, instance, "f", 8).unwrap_err();
    assert_eq!(error.to_string(), "uncaught exception");
}

#[test]
fn references_pass_between_host_and_wasm() {
    let mut store = Store::<()>::default();
    let tag = new_tag(&mut store, &[ValType::I32]);
    let instance = instance(
        &mut store,
        r#"(module (import "" "" (tag $t (param i32)))
            (table (export "table") 2 exnref)
            (func (export "catch") (param i32) (result exnref)
                (block $caught (result exnref)
                    (try_table (catch_all_ref $caught) (throw $t (local.get 0)))
                    unreachable))
            (func (export "open") (param exnref) (result i32)
                (block $caught (result i32)
                    (try_table (catch $t $caught) (throw_ref (local.get 0)))
                    unreachable)))"#,
        &[tag.into()],
    );
    let [catch, open] = ["catch", "open"].map(|name| instance.get_func(&mut store, name).unwrap());
    let mut result = [Val::I32(0)];
    catch.call(&mut store, &[Val::I32(3)], &mut result).unwrap();
    let reference = result[0].unwrap_exn_ref().unwrap();
    assert_eq!(reference.tag(&store), tag);
    assert_eq!(reference.field(&mut store, 0).unwrap().unwrap_i32(), 3);

    let own = ExnRef::new(&mut store, &tag, &[Val::I32(4)]).unwrap();
    open.call(&mut store, &[Val::ExnRef(Some(own))], &mut result).unwrap();
    assert_eq!(result[0].unwrap_i32(), 4);
    let error = open.call(&mut store, &[Val::ExnRef(None)], &mut result).unwrap_err();
    assert_eq!(error.downcast_ref::<Trap>(), Some(&Trap::NullExceptionReference));
    assert!(open.call(&mut store, &[Val::ExternRef(None)], &mut result).is_err());

    let table = instance.get_table(&mut store, "table").unwrap();
    table.set(&mut store, 1, precast::Ref::Exn(Some(own))).unwrap();
    let element = table.get(&mut store, 1).unwrap();
    assert!(
        matches!(element, precast::Ref::Exn(Some(found)) if ExnRef::ref_eq(&store, &found, &own))
    );
    assert!(table.get(&mut store, 0).unwrap().is_null());
}

#[test]
fn deep_stacks_are_crossed() {
    let mut store = Store::<()>::default();
    let instance = instance(
        &mut store,
        r#"(module (tag $t (param i32)) (tag $other)
            (func $down (param i32)
                (if (i32.eqz (local.get 0)) (then (throw $t (i32.const 1))))
                (block $none
                    (try_table (catch $other $none)
                        (call $down (i32.sub (local.get 0) (i32.const 1))))))
            (func (export "f") (param i32) (result i32) (local $n i32)
                (loop $more
                    (block $caught (result i32)
                        (try_table (catch $t $caught) (call $down (local.get 0)))
                        unreachable)
                    (local.set $n (i32.add (local.get $n)))
                    (br_if $more (i32.lt_s (local.get $n) (i32.const 10))))
                (local.get $n)))"#,
        &[],
    );
    assert_eq!(call(&mut store, instance, "f", 3000), 10);
}

/// `lose(n)` catches `n` exceptions by reference and keeps the last in a local; `keep(n)` makes a
/// list of them, which the global holds.
#[test]
fn the_start_function_can_throw() {
    let mut store = Store::<()>::default();
    let text = "(module (tag $t) (func $f (throw $t)) (start $f))";
    let error = instances::try_instance(&mut store, text, &[]).unwrap_err();
    thrown(&error);
}
