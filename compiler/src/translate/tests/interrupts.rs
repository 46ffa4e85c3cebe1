//! Code that fuel and epochs can stop.

use precast_config::CompilerSettings;

use super::{AARCH64, X86_64, assert_code, compile, settings, translate_with};

fn interruptible(target: &str) -> CompilerSettings {
    CompilerSettings { consume_fuel: true, epoch_interruption: true, ..settings(target) }
}

#[test]
fn every_way_of_going_on_compiles() {
    let text = "(module
        (type $f (func (param i32) (result i32)))
        (import \"\" \"\" (func $import (type $f)))
        (table 4 funcref) (tag $tag (param i32)) (memory 1)
        (func $f (type $f)
            (loop $again (result i32)
                (block (br_table 0 1 (local.get 0)))
                (if (local.get 0)
                    (then (br $again)) (else (local.set 0 (call $import (local.get 0)))))
                (br_if $again (i32.load (local.get 0)))
                (call_indirect (type $f) (local.get 0) (local.get 0))))
        (func (type $f) (return_call $f (local.get 0)))
        (func (type $f) (return_call_indirect (type $f) (local.get 0) (local.get 0)))
        (func (type $f)
            (loop $again
                (block $caught (result i32)
                    (try_table (catch $tag $caught) (catch_all $again)
                        (drop (call $f (local.get 0))) (throw $tag (local.get 0)))
                    (return (i32.const 1)))
                (br_if $again))
            (unreachable))
        (func (loop (br 0)))
        (func (loop unreachable))
        (func (i32.load offset=0xffffffff (i32.const 0)) (drop) (loop (br 0))))";
    for target in [X86_64, AARCH64] {
        assert_eq!(compile(text, &interruptible(target)).len(), 7);
    }
}

#[test]
fn fuel_is_added_where_branches_meet_and_saved_at_the_end() {
    let settings = CompilerSettings { consume_fuel: true, ..settings(X86_64) };
    let text = "(module (func (result i32) (i32.add (i32.const 1) (i32.const 2))))";
    let functions = translate_with(text, &settings, |_| ()).expect("a valid module");
    assert_code(
        &functions[0],
        "block0(v0: i64):
    v1 = load.i64 notrap aligned readonly can_move v0+8
    v6 = iconst.i32 1
    v7 = iconst.i32 2
    v2 = load.i64 notrap aligned little region0 v1+80
    v3 = iconst.i64 0
    v4 = icmp sge v2, v3
    brif v4, block1, block2(v2)
    block1 cold:
    store.i64 notrap aligned little region0 v2, v1+80
    call fn0(v0)
    v5 = load.i64 notrap aligned little region0 v1+80
    jump block2(v5)
    block2(v9: i64):
    v8 = iadd.i32 v6, v7
    v10 = iconst.i64 3
    v11 = iadd v9, v10
    store notrap aligned little region0 v11, v1+80
    return v8",
    );
}

#[test]
fn loops_load_the_epoch_each_time() {
    let settings = CompilerSettings { epoch_interruption: true, ..settings(X86_64) };
    let text = "(module (func (loop (br 0))))";
    let functions = translate_with(text, &settings, |_| ()).expect("a valid module");
    let target = crate::target::Target::new(&settings).expect("the target of the test");
    let mut context = cranelift_codegen::Context::for_function(functions[0].clone());
    context.optimize(&*target.isa, &mut Default::default()).expect("it can be optimised");
    let text = context.func.display().to_string();
    let (_, body) = text.split_once("block3").expect("a loop");
    assert!(body.contains("load.i64 notrap aligned little region0"), "{text}");
}
