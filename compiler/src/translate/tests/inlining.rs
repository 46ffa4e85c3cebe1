//! Calls whose callee is translated in place.

use cranelift_codegen::ir::Function;
use precast_config::CompilerSettings;

use super::{AARCH64, X86_64, compile, settings, translate_with};

fn inlining(target: &str) -> CompilerSettings {
    CompilerSettings { inlining: true, ..settings(target) }
}

fn calls(func: &Function) -> usize {
    let blocks = func.layout.blocks();
    let insts = blocks.flat_map(|block| func.layout.block_insts(block));
    insts.filter(|&inst| func.dfg.insts[inst].opcode().is_call()).count()
}

/// How many calls are left in the last function of a module.
fn calls_left(wat: &str) -> usize {
    let functions = translate_with(wat, &inlining(X86_64), |_| ()).expect("a valid module");
    compile(wat, &inlining(AARCH64));
    calls(functions.last().expect("a function"))
}

#[test]
fn small_functions_are_inlined_through_each_other() {
    let wat = "(module (memory 1)
        (func $store (param i32) (i32.store (local.get 0) (i32.const 1)))
        (func $both (param i32) (call $store (local.get 0)) (call $store (i32.const 8)))
        (func (param i32) (call $both (local.get 0)) (call $both (local.get 0))))";
    assert_eq!(calls_left(wat), 0);
}

#[test]
fn larger_functions_are_inlined_where_their_only_call_is() {
    let body = "(i32.store (local.get 0) (i32.const 1))".repeat(30);
    let once = format!(
        "(module (memory 1) (func $f (param i32) {body}) (func (param i32) (call $f (local.get 0))))"
    );
    assert_eq!(calls_left(&once), 0);
    let twice = format!(
        "(module (memory 1) (func $f (param i32) {body})
            (func (param i32) (call $f (local.get 0)) (call $f (i32.const 0))))"
    );
    assert_eq!(calls_left(&twice), 2);
}

#[test]
fn in_loops_a_call_is_worth_more_code() {
    let body = "(i32.store (local.get 0) (i32.const 1))".repeat(8);
    let module = |calls: &str| {
        format!("(module (memory 1) (func $f (param i32) {body}) (func (param i32) {calls}))")
    };
    let calls = "(call $f (local.get 0)) (call $f (i32.const 0))";
    assert_eq!(calls_left(&module(calls)), 2);
    assert_eq!(calls_left(&module(&format!("(loop {calls} (br_if 0 (local.get 0)))"))), 0);
    assert_eq!(calls_left(&module(&format!("(loop (br_if 0 (local.get 0))) {calls}"))), 2);
}

#[test]
fn what_cannot_be_inlined_is_called() {
    let tail_call = "(module (func $f (return_call $g)) (func $g) (func (call $f)))";
    assert_eq!(calls_left(tail_call), 1);
    let recursive = "(module (func $f (call $f)))";
    assert_eq!(calls_left(recursive), 1);
    let locals =
        "(module (func $f (local i32) (local i64) (local f32) (local v128)) (func (call $f)))";
    assert_eq!(calls_left(locals), 0);
    let many_locals = format!("(module (func $f (local{})) (func (call $f)))", " i32".repeat(1000));
    assert_eq!(calls_left(&many_locals), 1);
}

#[test]
fn every_way_out_of_a_callee_leads_to_its_caller() {
    let wat = "(module
        (func $f (param i32) (result i32 i64)
            (block (br_if 1 (i32.const 1) (i64.const 2) (local.get 0)) (drop) (drop))
            (return (i32.const 5) (i64.const 6)))
        (func (param i32) (result i64)
            (call $f (local.get 0)) (drop) (drop) (call $f (i32.const 7))
            (drop) (i64.extend_i32_u)))";
    assert_eq!(calls_left(wat), 0);
}

#[test]
fn code_keeps_the_calls_it_came_from() {
    let wat = "(module (memory 1)
        (func $store (param i32) (i32.store (local.get 0) (i32.const 1)))
        (func (param i32) (call $store (local.get 0)) (call $store (i32.const 8))))";
    let len = wat::parse_str(wat).expect("the text of the test").len() as u32;
    let functions = translate_with(wat, &inlining(X86_64), |_| ()).expect("a valid module");
    let func = functions.last().expect("a function");
    let insts = func.layout.blocks().flat_map(|block| func.layout.block_insts(block));
    let places = insts.map(|inst| func.srcloc(inst)).filter(|place| !place.is_default());
    let mut places: Vec<u32> = places.map(|place| place.bits()).collect();
    places.retain(|&place| place >= len);
    places.dedup();
    // Of each of the two stores, one place that no other has.
    assert!(places.len() >= 2 && places.is_sorted_by(|a, b| a < b), "{places:?}");
}
