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
        "block0(v0: i64, v1: i32):
        v3 = load.i64 notrap aligned readonly can_move v0+header+0
        v2 = uextend.i64 v1
        v4 = iadd v3, v2
        istore8 user2 little region0 v1, v4+8
        v5 = load.i32 user2 little region0 v4+16
        return v5",
    );
}

#[test]
fn what_is_loaded_to_be_an_address_is_extended_by_the_load() {
    assert_translation(
        "(module (memory 1) (func (param i32) (result i32) (local i32)
            (local.set 1 (i32.load (local.get 0)))
            (i32.store8 (local.get 1) (local.get 1))
            (i32.load (local.get 1))))",
        "block0(v0: i64, v1: i32):
        v4 = load.i64 notrap aligned readonly can_move v0+header+0
        v2 = iconst.i32 0
        v3 = uextend.i64 v1
        v5 = iadd v4, v3
        v7 = uload32 user2 little region0 v5
        v6 = ireduce.i32 v7
        v8 = iadd v4, v7
        istore8 user2 little region0 v6, v8
        v9 = load.i32 user2 little region0 v8
        return v9",
    );
}

#[test]
fn counters_are_compared_as_they_are_after_the_step() {
    assert_translation(
        "(module (func (param i32) (local i32)
            (loop
                (local.set 1 (i32.add (local.get 1) (i32.const 4)))
                (br_if 0 (i32.ne (local.get 1) (i32.const 64))))))",
        "block0(v0: i64, v1: i32):
        v4 = iconst.i32 4
        v6 = iconst.i32 64
        v8 = iconst.i64 64
        v2 = iconst.i32 0
        jump block1(v2)
        block1(v3: i32):
        v5 = iadd v3, v4
        v7 = uextend.i64 v5
        v9 = icmp ne v7, v8
        v10 = uextend.i32 v9
        brif v9, block1(v5), block2
        block2:
        return",
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
        "block0(v0: i64):
        v2 = iconst.i32 -1
        v4 = iconst.i64 2
        v5 = load.i64 notrap aligned readonly can_move v0+header+32
        v1 = load.i32 notrap aligned little region0 v0+header+0
        v3 = iadd v1, v2
        store notrap aligned little region0 v3, v0+header+0
        store notrap aligned little region1 v4, v5
        return",
    );
}

#[test]
fn indirect_calls_check_bounds_null_and_type() {
    assert_translation(
        "(module (table 4 funcref) (func (param i32) (result i64)
            (call_indirect (param i32) (result i64) (local.get 0) (local.get 0))))",
        "block0(v0: i64, v1: i32):
        v9 = iconst.i64 0
        v13 = iconst.i32 0
        v18 = load.i64 notrap aligned readonly can_move v0+24
        v19 = load.i32 notrap aligned readonly can_move v18
        v2 = uextend.i64 v1
        v3 = load.i64 notrap aligned little region0 v0+header+8
        v4 = icmp uge v2, v3
        v5 = load.i64 notrap aligned little region0 v0+header+0
        v6 = iconst.i64 3
        v7 = ishl v2, v6
        v8 = iadd v5, v7
        v10 = select_spectre_guard v4, v9, v8
        v11 = load.i64 user12 aligned little region1 v10
        brif v11, block2(v11), block1
        block1 cold:
        v14 = call fn0(v0, v13, v2)
        v15 = iconst.i64 1
        v16 = bor v14, v15
        jump block2(v16)
        block2(v12: i64):
        v17 = load.i32 user5 aligned readonly v12+23
        v20 = icmp eq v17, v19
        trapz v20, user6
        v21 = load.i64 notrap aligned readonly v12-1
        v22 = load.i64 notrap aligned readonly v12+15
        v23 = call_indirect sig1, v21(v22, v1, v0)
        return v23",
    );
}

#[test]
fn calls_pass_the_contexts_of_callee_and_caller() {
    assert_translation(
        r#"(module (import "m" "f" (func $imported (param f32)))
            (func $own (param f32))
            (func (param f32) (call $imported (local.get 0)) (call $own (local.get 0))))"#,
        "block0(v0: i64, v1: f32):
        v2 = load.i64 notrap aligned readonly can_move v0+header+0
        v3 = load.i64 notrap aligned readonly can_move v0+header+8
        call_indirect sig0, v2(v3, v1, v0)
        call fn0(v0, v1)
        return",
    );
}

#[test]
fn elements_of_function_tables_are_marked() {
    assert_translation(
        "(module (table 4 4 funcref) (func (param i32 funcref)
            (table.set (local.get 0) (local.get 1))))",
        "block0(v0: i64, v1: i32, v2: i64):
        v4 = iconst.i64 4
        v6 = load.i64 notrap aligned readonly can_move v0+header+0
        v10 = iconst.i64 0
        v3 = uextend.i64 v1
        v5 = icmp uge v3, v4
        v7 = iconst.i64 3
        v8 = ishl v3, v7
        v9 = iadd v6, v8
        v11 = select_spectre_guard v5, v10, v9
        v12 = iconst.i64 1
        v13 = bor v2, v12
        store user4 aligned little region0 v13, v11
        return",
    );
}

#[test]
fn branches_use_comparisons_directly_and_blocks_only_where_needed() {
    assert_translation(
        "(module (func (param i32 i32) (result i32)
            (block (block (br_if 1 (i32.lt_u (local.get 0) (local.get 1)))))
            (loop (result i32) (br_if 0 (i32.eqz (local.get 0))) (local.get 1))))",
        "block0(v0: i64, v1: i32, v2: i32):
        v5 -> v1
        v10 -> v1
        v9 -> v2
        v11 -> v2
        v3 = icmp ult v1, v2
        v4 = uextend.i32 v3
        brif v3, block1, block2
        block2:
        jump block1
        block1:
        jump block3
        block3:
        v6 = iconst.i32 0
        v7 = icmp.i32 eq v5, v6
        v8 = uextend.i32 v7
        brif v7, block3, block4
        block4:
        return v9",
    );
}

#[test]
fn vectors_keep_their_lanes_between_operators() {
    assert_translation(
        "(module (func (param v128 v128) (result v128)
            (i32x4.add (i32x4.mul (local.get 0) (v128.const i32x4 1 2 3 4))
                (f32x4.abs (local.get 1)))))",
        "block0(v0: i64, v1: i8x16, v2: i8x16):
        v3 = vconst.i8x16 const0
        v4 = vconst.i32x4 const0
        v5 = bitcast.i32x4 little v1
        v6 = imul v5, v4
        v7 = bitcast.i8x16 little v6
        v8 = bitcast.f32x4 little v2
        v9 = fabs v8
        v10 = bitcast.i8x16 little v9
        v11 = bitcast.i32x4 little v9
        v12 = iadd v6, v11
        v13 = bitcast.i8x16 little v12
        return v13",
    );
}

#[test]
fn tail_calls_pass_on_the_own_context() {
    assert_translation(
        r#"(module (import "m" "f" (func $imported (param i32) (result i32)))
            (func $own (param i32) (result i32) (local.get 0))
            (func (param i32) (result i32)
                (if (local.get 0) (then (return_call $own (local.get 0))))
                (return_call $imported (local.get 0))))"#,
        "block0(v0: i64, v1: i32):
        brif v1, block1, block2
        block1:
        return_call fn0(v0, v1)
        block2:
        v2 = load.i64 notrap aligned readonly can_move v0+header+0
        v3 = load.i64 notrap aligned readonly can_move v0+header+8
        return_call_indirect sig1, v2(v3, v1, v0)",
    );
}

#[test]
fn calls_through_typed_references_check_only_for_null() {
    assert_translation(
        "(module (type $t (func (param i32))) (table 4 4 (ref null $t))
            (func (param i32 (ref null $t)) (call_ref $t (local.get 0) (local.get 1))))",
        "block0(v0: i64, v1: i32, v2: i64):
        v3 = load.i64 user16 aligned readonly v2
        v4 = load.i64 notrap aligned readonly v2+16
        call_indirect sig0, v3(v4, v1, v0)
        return",
    );
    assert_translation(
        "(module (type $t (func)) (table 4 4 (ref null $t))
            (func (param i32) (call_indirect (type $t) (local.get 0))))",
        "block0(v0: i64, v1: i32):
        v3 = iconst.i64 4
        v5 = load.i64 notrap aligned readonly can_move v0+header+0
        v9 = iconst.i64 0
        v13 = iconst.i32 0
        v2 = uextend.i64 v1
        v4 = icmp uge v2, v3
        v6 = iconst.i64 3
        v7 = ishl v2, v6
        v8 = iadd v5, v7
        v10 = select_spectre_guard v4, v9, v8
        v11 = load.i64 user12 aligned little region0 v10
        brif v11, block2(v11), block1
        block1 cold:
        v14 = call fn0(v0, v13, v2)
        v15 = iconst.i64 1
        v16 = bor v14, v15
        jump block2(v16)
        block2(v12: i64):
        v17 = load.i64 user5 aligned readonly v12-1
        v18 = load.i64 notrap aligned readonly v12+15
        call_indirect sig1, v17(v18, v0)
        return",
    );
}

#[test]
fn what_hints_call_unlikely_is_cold() {
    assert_translation(
        r#"(module (func (param i32 i32) (result i32)
            (block $unlikely
                (local.get 0)
                (@metadata.code.branch_hint "\00") (br_if $unlikely)
                (local.get 1)
                (@metadata.code.branch_hint "\01")
                (if (then (return (i32.const 1))) (else (br $unlikely)))
                (return (i32.const 2)))
            (loop (br_if 0 (local.get 1)))
            (i32.const 3)))"#,
        "block0(v0: i64, v1: i32, v2: i32):
        v4 -> v2
        v5 -> v2
        v3 = iconst.i32 1
        v6 = iconst.i32 3
        brif v1, block1, block2
        block2:
        brif.i32 v2, block3, block4
        block3:
        return v3
        block4 cold:
        jump block1
        block1 cold:
        jump block5
        block5 cold:
        brif.i32 v4, block5, block6
        block6 cold:
        return v6",
    );
}

#[test]
fn a_branch_without_a_hint_keeps_its_target_warm() {
    assert_translation(
        r#"(module (func (param i32)
            (block $out
                (local.get 0)
                (@metadata.code.branch_hint "\00") (br_if $out)
                (br_if $out (local.get 0))
                (local.get 0)
                (@metadata.code.branch_hint "\01") (br_if $out)
                (drop (i32.const 1)))))"#,
        "block0(v0: i64, v1: i32):
        v2 = iconst.i32 1
        brif v1, block1, block2
        block2:
        brif.i32 v1, block1, block3
        block3:
        brif.i32 v1, block1, block4
        block4 cold:
        jump block1
        block1:
        return",
    );
}

#[test]
fn hints_that_are_not_accepted_change_nothing() {
    let mut settings = settings(X86_64);
    settings.features.branch_hinting = false;
    let wat = r#"(module (func (param i32)
        (local.get 0) (@metadata.code.branch_hint "\00") (if (then (nop)))))"#;
    let functions = translate_with(wat, &settings, |_| ()).expect("a valid module");
    assert!(!functions[0].display().to_string().contains("cold"));
}

#[test]
fn atomic_accesses_check_their_alignment_first() {
    assert_translation(
        "(module (memory 1 2 shared) (func (param i32 i64) (result i64)
            (i64.atomic.rmw16.add_u offset=5 (local.get 0) (local.get 1))))",
        "block0(v0: i64, v1: i32, v2: i64):
        v8 = load.i64 notrap aligned readonly can_move v0+header+16
        v9 = load.i64 notrap aligned readonly can_move v8
        v3 = iconst.i32 1
        v4 = iadd v1, v3
        v5 = iconst.i32 1
        v6 = band v4, v5
        trapnz v6, user3
        v7 = uextend.i64 v1
        v10 = iadd v9, v7
        v11 = iconst.i64 5
        v12 = iadd v10, v11
        v13 = ireduce.i16 v2
        v14 = atomic_rmw.i16 add v12, v13
        v15 = uextend.i64 v14
        return v15",
    );
}

#[test]
fn the_size_of_a_shared_memory_is_read_atomically() {
    assert_translation(
        "(module (memory 1 2 shared) (func (result i32) memory.size))",
        "block0(v0: i64):
        v1 = load.i64 notrap aligned readonly can_move v0+header+16
        v2 = iconst.i64 8
        v3 = iadd v1, v2
        v4 = atomic_load.i64 notrap aligned little region0 v3
        v5 = iconst.i64 16
        v6 = ushr v4, v5
        v7 = ireduce.i32 v6
        return v7",
    );
}
