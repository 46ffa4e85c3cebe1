//! The operators on vectors.

use precast_config::{CompilerSettings, CpuChoice};

use super::operators::Signature;
use super::{AARCH64, X86_64, compile, compile_everywhere, settings};

const INTEGERS: [(&str, u8); 4] = [("i8x16", 15), ("i16x8", 7), ("i32x4", 3), ("i64x2", 1)];
const FLOATS: [(&str, &str, u8); 2] = [("f32x4", "f32", 3), ("f64x2", "f64", 1)];

/// All of them.
pub(super) fn operators() -> Vec<Signature> {
    let mut operators = Vec::new();
    // Where `names` have `@`, the operators have blanks.
    let mut add = |ty: &str, names: &str, params: &[&'static str], result: &'static str| {
        for name in names.split_whitespace() {
            operators.push((format!("{ty}.{}", name.replace('@', " ")), params.to_vec(), result));
        }
    };
    let unary: &[&str] = &["v128"];
    let binary: &[&str] = &["v128", "v128"];
    let ternary: &[&str] = &["v128", "v128", "v128"];

    let loads = "load load8x8_s load8x8_u load16x4_s load16x4_u load32x2_s load32x2_u
        load8_splat load16_splat load32_splat load64_splat load32_zero load64_zero
        load@offset=0x80000000";
    let access: &[&str] = &["i32", "v128"];
    add("v128", loads, &["i32"], "v128");
    add("v128", "store store@offset=9", access, "");
    add("v128", "load8_lane@15 load16_lane@7 load32_lane@3 load64_lane@1", access, "v128");
    add("v128", "store8_lane@15 store16_lane@7 store32_lane@3 store64_lane@1", access, "");
    add("v128", "const@i32x4@1@2@3@4", &[], "v128");
    add("v128", "not", unary, "v128");
    add("v128", "and andnot or xor", binary, "v128");
    add("v128", "bitselect", ternary, "v128");
    add("v128", "any_true", unary, "i32");
    for (ty, last) in INTEGERS {
        let lane = if ty == "i64x2" { "i64" } else { "i32" };
        add(ty, "splat", &[lane], "v128");
        add(ty, &format!("replace_lane@0 replace_lane@{last}"), &["v128", lane], "v128");
        let extract = match ty {
            "i8x16" | "i16x8" => format!("extract_lane_s@{last} extract_lane_u@{last}"),
            _ => format!("extract_lane@0 extract_lane@{last}"),
        };
        add(ty, &extract, unary, lane);
        add(ty, "eq ne lt_s gt_s le_s ge_s add sub", binary, "v128");
        if ty != "i64x2" {
            add(ty, "lt_u gt_u le_u ge_u min_s min_u max_s max_u", binary, "v128");
        }
        add(ty, "shl shr_s shr_u", &["v128", "i32"], "v128");
        add(ty, "abs neg", unary, "v128");
        add(ty, "all_true bitmask", unary, "i32");
        add(ty, "relaxed_laneselect", ternary, "v128");
    }
    for ty in ["i8x16", "i16x8"] {
        add(ty, "add_sat_s add_sat_u sub_sat_s sub_sat_u avgr_u", binary, "v128");
    }
    for (wide, narrow) in [("i16x8", "i8x16"), ("i32x4", "i16x8"), ("i64x2", "i32x4")] {
        add(wide, "mul", binary, "v128");
        for sign in ["s", "u"] {
            let halves = |name| format!("{name}_low_{narrow}_{sign} {name}_high_{narrow}_{sign}");
            add(wide, &halves("extend"), unary, "v128");
            add(wide, &halves("extmul"), binary, "v128");
            if wide != "i64x2" {
                add(wide, &format!("extadd_pairwise_{narrow}_{sign}"), unary, "v128");
                add(narrow, &format!("narrow_{wide}_{sign}"), binary, "v128");
            }
        }
    }
    for lanes in [
        "0@1@2@3@4@5@6@7@8@9@10@11@12@13@14@15",
        "31@0@30@1@29@2@28@3@27@4@26@5@25@6@24@7",
        "3@3@3@3@7@7@7@7@0@0@0@0@1@2@3@4",
    ] {
        add("i8x16", &format!("shuffle@{lanes}"), binary, "v128");
    }
    add("i8x16", "swizzle relaxed_swizzle", binary, "v128");
    add("i8x16", "popcnt", unary, "v128");
    add("i16x8", "q15mulr_sat_s relaxed_q15mulr_s relaxed_dot_i8x16_i7x16_s", binary, "v128");
    add("i32x4", "dot_i16x8_s", binary, "v128");
    add("i32x4", "relaxed_dot_i8x16_i7x16_add_s", ternary, "v128");
    for (ty, lane, last) in FLOATS {
        add(ty, "splat", &[lane], "v128");
        add(ty, &format!("replace_lane@0 replace_lane@{last}"), &["v128", lane], "v128");
        add(ty, &format!("extract_lane@0 extract_lane@{last}"), unary, lane);
        add(ty, "ceil floor trunc nearest abs neg sqrt", unary, "v128");
        add(ty, "add sub mul div min max pmin pmax eq ne lt gt le ge", binary, "v128");
        add(ty, "relaxed_min relaxed_max", binary, "v128");
        add(ty, "relaxed_madd relaxed_nmadd", ternary, "v128");
    }
    add("i32x4", "trunc_sat_f32x4_s trunc_sat_f32x4_u", unary, "v128");
    add("i32x4", "trunc_sat_f64x2_s_zero trunc_sat_f64x2_u_zero", unary, "v128");
    add("i32x4", "relaxed_trunc_f32x4_s relaxed_trunc_f32x4_u", unary, "v128");
    add("i32x4", "relaxed_trunc_f64x2_s_zero relaxed_trunc_f64x2_u_zero", unary, "v128");
    add("f32x4", "convert_i32x4_s convert_i32x4_u demote_f64x2_zero", unary, "v128");
    add("f64x2", "convert_low_i32x4_s convert_low_i32x4_u promote_low_f32x4", unary, "v128");
    operators
}

/// What every processor has is compiled for with all other operators.
#[test]
fn newer_processors_and_fixed_results_compile() {
    let text = super::operators::module_of(&operators());
    let cpu = |name: &str| CpuChoice::Named(name.to_owned());
    for relaxed_simd_deterministic in [false, true] {
        for level in ["x86-64-v2", "x86-64-v3", "x86-64-v4"] {
            let settings = CompilerSettings { cpu: cpu(level), ..settings(X86_64) };
            compile(&text, &CompilerSettings { relaxed_simd_deterministic, ..settings });
        }
        for target in [X86_64, AARCH64] {
            compile(&text, &CompilerSettings { relaxed_simd_deterministic, ..settings(target) });
        }
    }
}

#[test]
fn vectors_go_everywhere_with_any_lanes() {
    compile_everywhere(
        r#"(module
            (import "m" "g" (global $imported (mut v128)))
            (import "m" "f" (func $f (param v128 i32) (result i32 v128)))
            (global $const v128 (v128.const i32x4 1 2 3 4))
            (global $own (mut v128) (v128.const f64x2 nan -0))
            (table 1 funcref)
            (memory 1 1)
            (type $t (func (param v128 i32) (result i32 v128)))
            (func (param $a v128) (param $n i32) (result i32 v128) (local $x v128)
                (local.set $x (f32x4.add (local.get $a) (global.get $const)))
                (local.set $a (i64x2.add (i32x4.splat (local.get $n)) (local.get $x)))
                (global.set $own (i8x16.neg (local.tee $x (i16x8.neg (local.get $x)))))
                (global.set $imported (i16x8.neg (global.get $own)))
                (loop $l (result v128)
                    (block $b (result v128)
                        (br_if $b (f64x2.abs (local.get $x)) (local.get $n))
                        (drop)
                        (if (result v128) (i32x4.all_true (local.get $a))
                            (then (i64x2.neg (global.get $imported)))
                            (else
                                (select
                                    (i16x8.abs (local.get $a)) (f32x4.abs (local.get $x))
                                    (local.get $n)))))
                    (local.set $x)
                    (br_if $l (i32.const 0))
                    (f64x2.neg (local.get $x)))
                (call $f (local.get $n))
                (local.set $x)
                (drop)
                (i32x4.neg (local.get $x))
                (call_indirect (type $t) (i32.const 1) (i32.const 0))
                (local.set $x)
                (f32x4.neg (local.get $x))
                (return))
            (func (param v128) (result v128)
                (v128.load offset=0x10000 (i32.const 0)) (i8x16.neg)))"#,
    );
}
