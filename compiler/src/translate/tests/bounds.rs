//! What keeps accesses to memories inside, for each way that a memory can be laid out.

use precast_artifact::module::{Bounds, MemoryPlan};

use super::{X86_64, assert_code, settings, translate_with};

const FOUR_GIB: u64 = 4 << 30;
const GUARD: u64 = 32 << 20;

/// Translates an `i64.load` with `offset` from a memory with the text `limits`, after
/// `change` had its way with the plan, and compares the code. The index is `v1`, which is
/// extended to `v2` when it has 32 bits.
#[track_caller]
fn assert_access(limits: &str, offset: u64, change: impl FnOnce(&mut MemoryPlan), expected: &str) {
    assert_access_with_flags(&[], limits, offset, change, expected);
}

#[track_caller]
fn assert_access_with_flags(
    flags: &[(&str, &str)],
    limits: &str,
    offset: u64,
    change: impl FnOnce(&mut MemoryPlan),
    expected: &str,
) {
    let index = if limits.starts_with("i64") { "i64" } else { "i32" };
    let wat = format!(
        "(module (memory {limits})
            (func (param {index}) (result i64) (i64.load offset={offset} (local.get 0))))"
    );
    let mut settings = settings(X86_64);
    for &(name, value) in flags {
        settings.flags.push((name.to_owned(), value.to_owned()));
    }
    let functions =
        translate_with(&wat, &settings, |module| change(&mut module.module.memories[0]))
            .expect("a valid module");
    assert_code(
        &functions[0],
        &format!("block0(v0: i64, v1: {index}):\n{}", expected.trim_start()),
    );
}

fn explicit(guard: u64) -> impl FnOnce(&mut MemoryPlan) {
    move |plan| plan.bounds = Bounds::Explicit { guard }
}

fn guarded(reservation: u64, guard: u64) -> impl FnOnce(&mut MemoryPlan) {
    move |plan| plan.bounds = Bounds::Guard { reservation, guard }
}

const UNCHECKED: &str = "
    v3 = load.i64 notrap aligned readonly can_move v0+header+0
    v2 = uextend.i64 v1
    v4 = iadd v3, v2
    v5 = load.i64 user2 little region0 v4+OFFSET
    return v5";

const ALWAYS_OUTSIDE: &str = "
    v2 = uextend.i64 v1
    trap user2";

#[test]
fn what_the_guard_reaches_is_not_checked() {
    let last = GUARD - 8;
    let expected = UNCHECKED.replace("OFFSET", &format!("{last:#x}"));
    // As the code generator prints numbers.
    let expected = expected.replace("0x1fffff8", "0x01ff_fff8");
    assert_access("1", last, guarded(FOUR_GIB, GUARD), &expected);
}

#[test]
fn the_last_index_counts_too() {
    // The index 2^32 - 1 leaves one byte more than the guard has.
    assert_access(
        "1",
        GUARD - 7,
        guarded(FOUR_GIB, GUARD),
        &UNCHECKED.replace("OFFSET", "0x01ff_fff9"),
    );
    assert_access(
        "1",
        GUARD - 6,
        guarded(FOUR_GIB, GUARD),
        "
    v3 = iconst.i64 0xffff_fffe
    v5 = load.i64 notrap aligned readonly can_move v0+header+0
    v7 = iconst.i64 0x01ff_fffa
    v9 = iconst.i64 0
    v2 = uextend.i64 v1
    v4 = icmp ugt v2, v3
    v6 = iadd v5, v2
    v8 = iadd v6, v7
    v10 = select_spectre_guard v4, v9, v8
    v11 = load.i64 user2 little region0 v10
    return v11",
    );
}

#[test]
fn a_small_reservation_is_compared_with() {
    assert_access(
        "1 2",
        16,
        guarded(0x2_0000, 0x1_0000),
        "
    v3 = iconst.i64 0x0002_ffe8
    v5 = load.i64 notrap aligned readonly can_move v0+header+0
    v7 = iconst.i64 0
    v2 = uextend.i64 v1
    v4 = icmp ugt v2, v3
    v6 = iadd v5, v2
    v8 = select_spectre_guard v4, v7, v6
    v9 = load.i64 user2 little region0 v8+16
    return v9",
    );
}

#[test]
fn offsets_beyond_the_largest_size_always_trap() {
    assert_access("1 2", 0x2_0000 - 7, guarded(FOUR_GIB, GUARD), ALWAYS_OUTSIDE);
    assert_access("0 0", 0, guarded(FOUR_GIB, GUARD), ALWAYS_OUTSIDE);
    assert_access("1", FOUR_GIB - 4, guarded(FOUR_GIB, GUARD), ALWAYS_OUTSIDE);
    assert_access("1", FOUR_GIB - 4, explicit(0), ALWAYS_OUTSIDE);
    let bytes = |plan: &mut MemoryPlan| {
        plan.ty.page_size_log2 = 0;
        plan.bounds = Bounds::Explicit { guard: 0 };
    };
    assert_access("7 7", 0, bytes, ALWAYS_OUTSIDE);
}

#[test]
fn indices_are_compared_with_the_length() {
    assert_access(
        "1",
        8,
        explicit(GUARD),
        "
    v7 = iconst.i64 0
    v2 = uextend.i64 v1
    v3 = load.i64 notrap aligned little region0 v0+header+8
    v4 = icmp ugt v2, v3
    v5 = load.i64 notrap aligned little region0 v0+header+0
    v6 = iadd v5, v2
    v8 = select_spectre_guard v4, v7, v6
    v9 = load.i64 user2 little region1 v8+8
    return v9",
    );
}

#[test]
fn without_a_guard_the_end_of_the_access_is_compared() {
    assert_access(
        "1",
        8,
        explicit(0),
        "
    v4 = iconst.i64 16
    v9 = iconst.i64 0
    v2 = uextend.i64 v1
    v3 = load.i64 notrap aligned little region0 v0+header+8
    v5 = isub v3, v4
    v6 = icmp ugt v2, v5
    v7 = load.i64 notrap aligned little region0 v0+header+0
    v8 = iadd v7, v2
    v10 = select_spectre_guard v6, v9, v8
    v11 = load.i64 user2 little region1 v10+8
    return v11",
    );
    assert_access(
        "0",
        4096,
        explicit(0),
        "
    v4 = iconst.i64 4104
    v9 = iconst.i64 4096
    v11 = iconst.i64 0
    v2 = uextend.i64 v1
    v3 = load.i64 notrap aligned little region0 v0+header+8
    v5 = iadd v2, v4
    v6 = icmp ugt v5, v3
    v7 = load.i64 notrap aligned little region0 v0+header+0
    v8 = iadd v7, v2
    v10 = iadd v8, v9
    v12 = select_spectre_guard v6, v11, v10
    v13 = load.i64 user2 little region1 v12
    return v13",
    );
}

#[test]
fn a_memory_that_cannot_grow_has_a_constant_length() {
    assert_access(
        "1 1",
        0,
        explicit(0),
        "
    v3 = iconst.i64 0x0001_0000
    v4 = iconst.i64 8
    v7 = load.i64 notrap aligned readonly can_move v0+header+0
    v9 = iconst.i64 0
    v2 = uextend.i64 v1
    v5 = isub v3, v4
    v6 = icmp ugt v2, v5
    v8 = iadd v7, v2
    v10 = select_spectre_guard v6, v9, v8
    v11 = load.i64 user2 little region0 v10
    return v11",
    );
}

#[test]
fn without_mitigation_checks_trap() {
    assert_access_with_flags(
        &[("enable_heap_access_spectre_mitigation", "false")],
        "1",
        8,
        explicit(GUARD),
        "
    v2 = uextend.i64 v1
    v3 = load.i64 notrap aligned little region0 v0+header+8
    v4 = icmp ugt v2, v3
    v5 = load.i64 notrap aligned little region0 v0+header+0
    v6 = iadd v5, v2
    trapnz v4, user2
    v7 = load.i64 user2 little region1 v6+8
    return v7",
    );
}

#[test]
fn indices_of_64_bits_are_compared_with_the_length() {
    assert_access(
        "i64 1",
        8,
        |_| (),
        "
    v6 = iconst.i64 0
    v2 = load.i64 notrap aligned little region0 v0+header+8
    v3 = icmp ugt v1, v2
    v4 = load.i64 notrap aligned little region0 v0+header+0
    v5 = iadd v4, v1
    v7 = select_spectre_guard v3, v6, v5
    v8 = load.i64 user2 little region1 v7+8
    return v8",
    );
    // The sum of index and offset can overflow.
    assert_access(
        "i64 1",
        GUARD,
        |_| (),
        "
    v3 = iconst.i64 0x0200_0008
    v8 = iconst.i64 0x0200_0000
    v10 = iconst.i64 0
    v2 = load.i64 notrap aligned little region0 v0+header+8
    v4 = uadd_overflow_trap v1, v3, user2
    v5 = icmp ugt v4, v2
    v6 = load.i64 notrap aligned little region0 v0+header+0
    v7 = iadd v6, v1
    v9 = iadd v7, v8
    v11 = select_spectre_guard v5, v10, v9
    v12 = load.i64 user2 little region1 v11
    return v12",
    );
    assert_access("i64 1", u64::MAX - 7, |_| (), "trap user2");
    assert_access("i64 1 2", 0x2_0000 - 7, |_| (), "trap user2");
}
