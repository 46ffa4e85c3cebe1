//! How accesses and calls look in the intermediate representation.

use super::{X86_64, assert_code, settings, translate_with};

/// Compares the code of the last function of a module.
#[track_caller]
fn assert_translation(wat: &str, expected: &str) {
    let functions = translate_with(wat, &settings(X86_64), |_| ()).expect("a valid module");
    assert_code(functions.last().expect("a function"), expected);
}

#[test]
fn offsets_are_part_of_the_access() {
    assert_translation(
        "(module (memory 1) (func (param i32) (result i32)
            (i32.store8 offset=8 (local.get 0) (local.get 0)) (i32.load offset=16 (local.get 0))))",
        "block0(v0: i64, v1: i64, v2: i32):
        v4 = load.i64 notrap aligned readonly can_move v0+header+16
        v3 = uextend.i64 v2
        v5 = iadd v4, v3
        istore8 user2 little region0 v2, v5+8
        v6 = uextend.i64 v2
        v7 = iadd v4, v6
        v8 = load.i32 user2 little region0 v7+16
        return v8",
    );
}

#[test]
fn globals_lie_in_the_context_or_are_constants() {
    assert_translation(
        r#"(module
            (import "m" "g" (global $imported (mut i64)))
            (global $own (mut i32) (i32.const 1)) (global $const i32 (i32.const -1))
            (func (global.set $own (i32.add (global.get $own) (global.get $const)))
                (global.set $imported (i64.const 2))))"#,
        "block0(v0: i64, v1: i64):
        v6 = load.i64 notrap aligned readonly can_move v0+header+0
        v2 = load.i32 notrap aligned little region0 v0+header+16
        v3 = iconst.i32 -1
        v4 = iadd v2, v3
        store notrap aligned little region0 v4, v0+header+16
        v5 = iconst.i64 2
        store notrap aligned little region1 v5, v6
        return",
    );
}

#[test]
fn indirect_calls_check_bounds_null_and_type() {
    assert_translation(
        "(module (table 4 funcref) (func (param i32) (result i64)
            (call_indirect (param i32) (result i64) (local.get 0) (local.get 0))))",
        "block0(v0: i64, v1: i64, v2: i32):
        v18 = load.i64 notrap aligned readonly can_move v0+24
        v19 = load.i32 notrap aligned readonly can_move v18
        v3 = uextend.i64 v2
        v4 = load.i64 notrap aligned little region0 v0+header+8
        v5 = icmp uge v3, v4
        v6 = load.i64 notrap aligned little region0 v0+header+0
        v7 = iconst.i64 3
        v8 = ishl v3, v7
        v9 = iadd v6, v8
        v10 = iconst.i64 0
        v11 = select_spectre_guard v5, v10, v9
        v12 = load.i64 user12 aligned little region1 v11
        brif v12, block2(v12), block1
        block1 cold:
        v14 = iconst.i32 0
        v15 = call fn0(v0, v14, v3)
        v16 = iconst.i64 1
        v17 = bor v15, v16
        jump block2(v17)
        block2(v13: i64):
        v20 = load.i32 user5 aligned readonly v13+23
        v21 = icmp eq v20, v19
        trapz v21, user6
        v22 = load.i64 notrap aligned readonly v13-1
        v23 = load.i64 notrap aligned readonly v13+15
        v24 = call_indirect sig1, v22(v23, v0, v2)
        return v24",
    );
}

#[test]
fn calls_pass_the_contexts_of_callee_and_caller() {
    assert_translation(
        r#"(module (import "m" "f" (func $imported (param f32)))
            (func $own (param f32))
            (func (param f32) (call $imported (local.get 0)) (call $own (local.get 0))))"#,
        "block0(v0: i64, v1: i64, v2: f32):
        v3 = load.i64 notrap aligned readonly can_move v0+header+0
        v4 = load.i64 notrap aligned readonly can_move v0+header+8
        call_indirect sig0, v3(v4, v0, v2)
        call fn0(v0, v0, v2)
        return",
    );
}

#[test]
fn elements_of_function_tables_are_marked() {
    assert_translation(
        "(module (table 4 4 funcref) (func (param i32 funcref)
            (table.set (local.get 0) (local.get 1))))",
        "block0(v0: i64, v1: i64, v2: i32, v3: i64):
        v7 = load.i64 notrap aligned readonly can_move v0+header+0
        v4 = uextend.i64 v2
        v5 = iconst.i64 4
        v6 = icmp uge v4, v5
        v8 = iconst.i64 3
        v9 = ishl v4, v8
        v10 = iadd v7, v9
        v11 = iconst.i64 0
        v12 = select_spectre_guard v6, v11, v10
        v13 = iconst.i64 1
        v14 = bor v3, v13
        store user4 aligned little region0 v14, v12
        return",
    );
}

#[test]
fn branches_use_comparisons_directly_and_blocks_only_where_needed() {
    assert_translation(
        "(module (func (param i32 i32) (result i32)
            (block (block (br_if 1 (i32.lt_u (local.get 0) (local.get 1)))))
            (loop (result i32) (br_if 0 (i32.eqz (local.get 0))) (local.get 1))))",
        "block0(v0: i64, v1: i64, v2: i32, v3: i32):
        v6 -> v2
        v11 -> v2
        v10 -> v3
        v12 -> v3
        v4 = icmp ult v2, v3
        v5 = uextend.i32 v4
        brif v4, block1, block2
        block2:
        jump block1
        block1:
        jump block3
        block3:
        v7 = iconst.i32 0
        v8 = icmp.i32 eq v6, v7
        v9 = uextend.i32 v8
        brif v8, block3, block4
        block4:
        return v10",
    );
}
