//! How long exceptions live.

use precast::{Engine, Error, LimitError, Store, StoreLimits, StoreLimitsBuilder, Val};

use crate::instances::instance;
use crate::{call, thrown, try_call};

const MANY: &str = r#"(module
    (tag $t (param i32)) (tag $link (param exnref i32))
    (global $list (export "list") (mut exnref) (ref.null exn))
    (func $make (param i32) (result exnref)
        (block $caught (result exnref)
            (try_table (catch_all_ref $caught) (throw $t (local.get 0)))
            unreachable))
    (func $value (param exnref) (result i32)
        (block $caught (result i32)
            (try_table (catch $t $caught) (throw_ref (local.get 0)))
            unreachable))
    (func (export "lose") (param i32) (result i32) (local $first exnref)
        (local.set $first (call $make (i32.const 1234)))
        (loop $more
            (drop (call $make (local.get 0)))
            (br_if $more (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
        (call $value (local.get $first)))
    (func (export "keep") (param i32) (result i32)
        (loop $more
            (block $caught (result exnref)
                (try_table (catch_all_ref $caught)
                    (throw $link (global.get $list) (local.get 0)))
                unreachable)
            (global.set $list)
            (br_if $more (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
        (i32.const 0))
    (func (export "sum") (param i32) (result i32) (local $exn exnref)
        (local.set $exn (global.get $list))
        (block $done
            (loop $more
                (br_if $done (ref.is_null (local.get $exn)))
                (block $caught (result exnref i32)
                    (try_table (catch $link $caught) (throw_ref (local.get $exn)))
                    unreachable)
                (local.set 0 (i32.add (local.get 0)))
                (local.set $exn)
                (br $more)))
        (local.get 0)))"#;

fn limited(heap_size: usize) -> Store<StoreLimits> {
    let limits = StoreLimitsBuilder::new().heap_size(heap_size).build();
    let mut store = Store::new(&Engine::default(), limits);
    store.limiter(|limits| limits);
    store
}

#[test]
fn exceptions_go_when_nothing_refers_to_them() {
    let mut store = limited(256 << 10);
    let instance = instance(&mut store, MANY, &[]);
    assert_eq!(call(&mut store, instance, "lose", 200_000), 1234);
    call(&mut store, instance, "keep", 1000);
    assert_eq!(call(&mut store, instance, "lose", 20_000), 1234);
    assert_eq!(call(&mut store, instance, "sum", 0), 1000 * 1001 / 2);
}

#[test]
fn the_heap_has_a_limit() {
    let mut store = limited(100 << 10);
    let instance = instance(&mut store, MANY, &[]);
    let error = try_call(&mut store, instance, "keep", 100_000).unwrap_err();
    let limit = LimitError::Heap { size: 48, limit: 100 << 10 };
    assert_eq!(error.downcast_ref::<LimitError>(), Some(&limit));
    let message = "resource limit exceeded: an object of 48 bytes does not fit the heap, which may \
                   hold 102400 bytes at most";
    assert_eq!(error.to_string(), message);
    let list = instance.get_global(&mut store, "list").unwrap();
    list.set(&mut store, Val::ExnRef(None)).unwrap();
    assert_eq!(call(&mut store, instance, "lose", 10_000), 1234);
}

#[test]
fn errors_keep_their_exceptions() {
    let mut store = limited(256 << 10);
    let text = r#"(module (tag $t (param i32))
        (func (export "f") (param i32) (result i32) (throw $t (local.get 0))))"#;
    let instance = instance(&mut store, text, &[]);
    let kept: Vec<Error> =
        (0..100).map(|n| try_call(&mut store, instance, "f", n).unwrap_err()).collect();
    for n in 0..20_000 {
        try_call(&mut store, instance, "f", n).unwrap_err();
    }
    for (n, error) in (0..).zip(&kept) {
        assert_eq!(thrown(error).field(&mut store, 0).unwrap().unwrap_i32(), n);
    }
}
