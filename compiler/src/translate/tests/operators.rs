//! Every operator goes through translation, the verifier and the code generator.

use std::collections::BTreeSet;
use std::fmt::Write;

use wasmparser::{Parser, Payload};

use super::compile_everywhere;

/// An operator with its immediates, the types that it takes, and those that it gives.
pub(super) type Signature = (String, Vec<&'static str>, &'static str);

/// Operators on numbers.
fn numeric() -> Vec<Signature> {
    let mut operators = Vec::new();
    let mut add = |ty: &'static str, names: &str, params: usize, result: &'static str| {
        for name in names.split_whitespace() {
            operators.push((format!("{ty}.{name}"), vec![ty; params], result));
        }
    };
    for ty in ["i32", "i64"] {
        add(ty, "clz ctz popcnt extend8_s extend16_s", 1, ty);
        add(ty, "add sub mul div_s div_u rem_s rem_u and or xor", 2, ty);
        add(ty, "shl shr_s shr_u rotl rotr", 2, ty);
        add(ty, "eqz", 1, "i32");
        add(ty, "eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u", 2, "i32");
    }
    add("i64", "extend32_s", 1, "i64");
    for ty in ["f32", "f64"] {
        add(ty, "abs neg ceil floor trunc nearest sqrt", 1, ty);
        add(ty, "add sub mul div min max copysign", 2, ty);
        add(ty, "eq ne lt gt le ge", 2, "i32");
    }
    for (result, params, names) in [
        ("i32", ["i64"].as_slice(), ["wrap_i64"].as_slice()),
        ("i32", &["f32"], &["trunc_f32_s", "trunc_f32_u", "reinterpret_f32"]),
        ("i32", &["f64"], &["trunc_f64_s", "trunc_f64_u"]),
        ("i32", &["f32"], &["trunc_sat_f32_s", "trunc_sat_f32_u"]),
        ("i32", &["f64"], &["trunc_sat_f64_s", "trunc_sat_f64_u"]),
        ("i64", &["i32"], &["extend_i32_s", "extend_i32_u"]),
        ("i64", &["f32"], &["trunc_f32_s", "trunc_f32_u"]),
        ("i64", &["f64"], &["trunc_f64_s", "trunc_f64_u", "reinterpret_f64"]),
        ("i64", &["f32"], &["trunc_sat_f32_s", "trunc_sat_f32_u"]),
        ("i64", &["f64"], &["trunc_sat_f64_s", "trunc_sat_f64_u"]),
        ("f32", &["i32"], &["convert_i32_s", "convert_i32_u", "reinterpret_i32"]),
        ("f32", &["i64"], &["convert_i64_s", "convert_i64_u"]),
        ("f32", &["f64"], &["demote_f64"]),
        ("f64", &["i32"], &["convert_i32_s", "convert_i32_u"]),
        ("f64", &["i64"], &["convert_i64_s", "convert_i64_u", "reinterpret_i64"]),
        ("f64", &["f32"], &["promote_f32"]),
    ] {
        for name in names {
            operators.push((format!("{result}.{name}"), params.to_vec(), result));
        }
    }
    operators
}

const REST: &str = r#"
    (import "host" "f" (func $imported (param i32 f64) (result i64 f32)))
    (import "host" "r" (func $imported_refs (param externref funcref) (result funcref)))
    (import "host" "g" (global $imported_const i32))
    (import "host" "m" (global $imported_mut (mut f64)))
    (import "host" "t" (table $imported_table 1 funcref))
    (type $pair (func (param i32) (result i32 i64)))
    (table $funcs 4 funcref)
    (table $fixed 4 4 funcref)
    (table $externs 2 externref)
    (memory $memory 1)
    (global $i (mut i32) (i32.const -1))
    (global $i64 (mut i64) (i64.const 5))
    (global $f (mut funcref) (ref.null func))
    (global $e (mut externref) (ref.null extern))
    (global $const_i32 i32 (i32.const -7))
    (global $const_i64 i64 (i64.const -7))
    (global $const_f32 f32 (f32.const nan))
    (global $const_f64 f64 (f64.const -0))
    (global $const_ref externref (ref.null extern))
    (global $const_func funcref (ref.func $constants))
    (global $copied i32 (global.get $imported_const))
    (elem $elem func $constants $memory)
    (elem declare func $memory)
    (data $data "bytes")

    (type $binary (func (param i32 i32) (result i32)))
    (table $typed 2 (ref null $binary))
    (table $full 2 (ref $binary) (ref.func $add))
    (global $binary (ref $binary) (ref.func $add))
    (elem declare func $add)
    (func $add (type $binary) local.get 0 local.get 1 i32.add)
    (func $references (param $f (ref null $binary)) (param $e externref) (result i32)
        (local $some (ref $binary)) (local $extern (ref extern))
        (local.set $some (ref.as_non_null (local.get $f)))
        (local.set $extern (ref.as_non_null (local.get $e)))
        (table.set $typed (i32.const 0) (local.get $some))
        (drop (call_indirect $typed (type $binary) (i32.const 1) (i32.const 2) (i32.const 0)))
        (drop (call_indirect $full (type $binary) (i32.const 1) (i32.const 2) (i32.const 0)))
        (drop (call_indirect $funcs (type $binary) (i32.const 1) (i32.const 2) (i32.const 0)))
        (drop (call_ref $binary (i32.const 1) (i32.const 2) (table.get $full (i32.const 1))))
        (drop (block $non_null (result (ref $binary))
            (br_on_non_null $non_null (local.get $f))
            (global.get $binary)))
        (block $null (result i32)
            (i32.const 1) (i32.const 7)
            (br_on_null $null (local.get $f))
            (call_ref $binary)
            (br_on_null $null (local.get $e))
            (drop)))
    (func $tail (param i32 i32) (result i32)
        (if (i32.eqz (local.get 0)) (then (return_call $tail (local.get 1) (local.get 0))))
        (if (local.get 1)
            (then (return_call_ref $binary (local.get 0) (local.get 1) (ref.func $add))))
        (block (br_if 0 (local.get 0))
            (return_call_indirect $typed (type $binary)
                (local.get 0) (local.get 1) (i32.const 0)))
        (return_call_indirect $funcs (type $binary) (local.get 0) (local.get 1) (i32.const 0)))
    (func $tail_import (param i32 f64) (result i64 f32)
        (return_call $imported (local.get 0) (local.get 1)))

    (func $constants (result i32 i64 f32 f64)
        i32.const -1 i64.const -1 f32.const nan:0x200000 f64.const -0)
    (func $memory (param i32 i64 f32 f64) (result i32)
        nop
        local.get 0 i32.load
        drop local.get 0 i64.load offset=8 drop
        local.get 0 f32.load offset=0x7fffffff drop
        local.get 0 f64.load offset=0x80000000 drop
        local.get 0 i32.load8_s drop local.get 0 i32.load8_u drop
        local.get 0 i32.load16_s drop local.get 0 i32.load16_u drop
        local.get 0 i64.load8_s drop local.get 0 i64.load8_u drop
        local.get 0 i64.load16_s drop local.get 0 i64.load16_u drop
        local.get 0 i64.load32_s drop local.get 0 i64.load32_u drop
        (i32.store (local.get 0) (local.get 0)) (i64.store (local.get 0) (local.get 1))
        (f32.store (local.get 0) (local.get 2)) (f64.store (local.get 0) (local.get 3))
        (i32.store8 (local.get 0) (local.get 0)) (i32.store16 (local.get 0) (local.get 0))
        (i64.store8 (local.get 0) (local.get 1)) (i64.store16 (local.get 0) (local.get 1))
        (i64.store32 (local.get 0) (local.get 1))
        (memory.init $data (i32.const 0) (i32.const 1) (i32.const 2)) (data.drop $data)
        (memory.copy (i32.const 0) (i32.const 1) (i32.const 2))
        (memory.fill (i32.const 0) (i32.const 1) (i32.const 2))
        memory.size memory.grow)
    (func $tables (param i32 funcref externref) (result i32)
        (table.set $funcs (local.get 0) (local.get 1))
        (table.set $externs (local.get 0) (local.get 2))
        (table.set $imported_table (local.get 0) (table.get $fixed (local.get 0)))
        (table.set $externs (i32.const 1) (table.get $externs (local.get 0)))
        (table.fill $funcs (local.get 0) (local.get 1) (i32.const 3))
        (table.fill $externs (local.get 0) (local.get 2) (i32.const 1))
        (table.init $funcs $elem (i32.const 0) (i32.const 1) (i32.const 1)) (elem.drop $elem)
        (table.copy $imported_table $funcs (i32.const 0) (i32.const 1) (i32.const 1))
        (drop (table.grow $funcs (ref.func $memory) (table.size $imported_table)))
        (drop (table.grow $externs (ref.null extern) (table.size $fixed)))
        (i32.add (ref.is_null (local.get 1)) (ref.is_null (local.get 2))))
    (func $globals (param externref) (result i32 i64 f32 f64)
        (global.set $i (i32.add (global.get $i) (global.get $imported_const)))
        (global.set $i64 (global.get $i64))
        (global.set $imported_mut (global.get $imported_mut))
        (global.set $f (global.get $const_func))
        (global.set $e (select (result externref)
            (global.get $const_ref) (local.get 0) (global.get $copied)))
        global.get $const_i32 global.get $const_i64 global.get $const_f32 global.get $const_f64)
    (func $calls (param i32 externref) (result i32 i64) (local i64 funcref)
        (call $imported (local.get 0) (f64.const 1)) drop local.set 2
        (local.set 3 (call $imported_refs (local.get 1) (local.get 3)))
        (call_indirect $funcs (type $pair) (call_indirect $imported_table (result i32) (i32.const 2)) (local.get 0))
        drop drop
        (call_indirect $fixed (type $pair) (i32.const 1) (i32.const 9)))
    (func $control (param i32 i64) (result i32 i64) (local $n i32)
        (block $out (result i32 i64)
            (loop $again (param) (result i32 i64)
                (if (i32.eqz (local.get $n)) (then (br $out (i32.const 1) (i64.const 2))))
                (br_if $again (i32.lt_u (local.tee $n (i32.add (local.get $n) (local.get 0))) (i32.const 9)))
                (local.get 0) (local.get 1)
                (br_table $out 2 1 $out 2 (local.get 0))))
        (if (param i32 i64) (result i32 i64) (local.get 0)
            (then (br_if 1 (i64.ne (local.get 1) (i64.const 0))))
            (else (drop) (drop) (return (i32.const 0) (i64.const 0))))
        (block (param i32 i64) (result i32 i64)
            (br_if 0 (i64.eqz (local.get 1)))
            (loop (param i32 i64) (result i32 i64) (br_if 0 (local.get $n))))
        (select (local.get 0) (i32.const 3) (local.get $n)) drop
        (if (local.get $n) (then unreachable)))
"#;

/// Operators on integers of 128 bits.
fn wide() -> Vec<Signature> {
    [("add128", 4), ("sub128", 4), ("mul_wide_s", 2), ("mul_wide_u", 2)]
        .map(|(name, params)| (format!("i64.{name}"), vec!["i64"; params], "i64 i64"))
        .to_vec()
}

fn module() -> String {
    let functions =
        [numeric(), super::atomic::operators(), super::simd::operators(), wide()].concat();
    format!("(module {REST} {})", functions_of(&functions))
}

/// A module with a function for each operator.
pub(super) fn module_of(operators: &[Signature]) -> String {
    format!("(module (memory 1) {})", functions_of(operators))
}

fn functions_of(operators: &[Signature]) -> String {
    let mut text = String::new();
    for (name, params, result) in operators {
        let types = params.join(" ");
        let gets: String = (0..params.len()).map(|index| format!("local.get {index} ")).collect();
        writeln!(text, "(func (param {types}) (result {result}) {gets}{name})")
            .expect("strings do not fail");
    }
    text
}

/// The names of all operators of the proposals that are translated.
fn supported() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    macro_rules! collect {
        ($(@$proposal:ident $operator:ident $({ $($payload:tt)* })? => $visit:ident ($($arity:tt)*))*) => {
            $(if matches!(
                stringify!($proposal),
                "mvp"
                    | "sign_extension"
                    | "saturating_float_to_int"
                    | "bulk_memory"
                    | "reference_types"
                    | "simd"
                    | "relaxed_simd"
                    | "tail_call"
                    | "function_references"
                    | "threads"
                    | "wide_arithmetic"
            ) {
                names.insert(stringify!($operator).to_owned());
            })*
        };
    }
    wasmparser::for_each_operator!(collect);
    // It can be read, but no module that has it is valid.
    names.remove("TypedSelectMulti");
    names
}

#[test]
fn every_operator_compiles() {
    let text = module();
    let wasm = wat::parse_str(&text).expect("the text of the test");
    let mut missing = supported();
    for payload in Parser::new(0).parse_all(&wasm) {
        if let Payload::CodeSectionEntry(body) = payload.expect("a module") {
            for operator in body.get_operators_reader().expect("a body") {
                let name = format!("{:?}", operator.expect("an operator"));
                missing.remove(name.split([' ', '{']).next().expect("a name"));
            }
        }
    }
    assert!(missing.is_empty(), "no test for {missing:?}");
    compile_everywhere(&text);
}

#[test]
fn unreachable_code_is_skipped() {
    compile_everywhere(
        "(module (memory 1 1)
            (func (result i32)
                unreachable
                if block loop end end unreachable else nop end
                i32.add)
            (func (result i32)
                (block (result i32) (br 0 (i32.const 1)) (br_if 0) (loop (br 0))))
            (func (param i32) (result i32)
                (if (result i32) (local.get 0) (then (return (i32.const 1))) (else unreachable)))
            (func (param i32) (result i32)
                (if (local.get 0) (then (return (i32.const 1))))
                (loop (br 0)) i32.const 1)
            (func (param i32) (result i32)
                (block (result i32) (i32.load offset=0x10000 (local.get 0)) (i32.const 1) i32.add)))",
    );
}

#[test]
fn wide_indices_and_several_memories_compile() {
    let mut functions = String::new();
    for (memory, index) in [("$wide", "i64"), ("$other", "i32"), ("$imported", "i64")] {
        for (operator, ty) in [
            ("load", "i32"),
            ("load8_u", "i32"),
            ("load16_s", "i64"),
            ("load32_u", "i64"),
            ("load", "f64"),
        ] {
            for offset in ["0", "16", "0xffff_ff00"] {
                let address = format!("offset={offset} (local.get 0)");
                let store = if operator == "load" { "store" } else { "store8" };
                writeln!(
                    functions,
                    "(func (param {index}) (result {ty})
                        ({ty}.{store} {memory} {address} ({ty}.const 1))
                        ({ty}.{operator} {memory} {address}))"
                )
                .expect("strings take everything");
            }
        }
        writeln!(
            functions,
            "(func (param {index}) (result {index} {index})
                (memory.fill {memory} (local.get 0) (i32.const 1) (local.get 0))
                (memory.init {memory} $data (local.get 0) (i32.const 1) (i32.const 2))
                (memory.grow {memory} (local.get 0)) (memory.size {memory}))"
        )
        .expect("strings take everything");
    }
    compile_everywhere(&format!(
        "(module
            (import \"\" \"\" (memory $imported i64 1))
            (memory $wide i64 1 0x1_0000_0000_0000) (memory $other 1 1)
            (table $functions i64 1 9 funcref) (table $few 3 3 funcref)
            (table $references i64 4 externref)
            (type $f (func (param i64))) (data $data \"data\") (elem $elem func 0)
            {functions}
            (func (param i64 i32)
                (memory.copy $wide $other (local.get 0) (local.get 1) (local.get 1))
                (memory.copy $other $imported (local.get 1) (local.get 0) (local.get 1))
                (memory.copy $wide $imported (local.get 0) (local.get 0) (local.get 0))
                (table.copy $functions $few (local.get 0) (local.get 1) (local.get 1))
                (table.copy $functions $functions (local.get 0) (local.get 0) (local.get 0))
                (table.init $functions $elem (local.get 0) (local.get 1) (local.get 1))
                (table.fill $references (local.get 0) (ref.null extern) (local.get 0))
                (table.set $functions (local.get 0) (table.get $few (local.get 1)))
                (table.set $references (local.get 0) (table.get $references (local.get 0)))
                (drop (table.grow $references (ref.null extern) (table.size $functions)))
                (call_indirect $functions (type $f) (local.get 0) (local.get 0))))"
    ));
}

#[test]
fn more_results_than_registers_compile() {
    let types = "i32 i64 f32 f64 externref funcref ".repeat(10);
    compile_everywhere(&format!(
        "(module (type $many (func (param {types}) (result {types}))) (table 1 funcref)
            (func (type $many) {gets} call 0)
            (func (type $many) {gets} (call_indirect (type $many) (i32.const 0)))
            (func (type $many) {gets} (block (type $many) br 1)))",
        gets = (0..60).map(|n| format!("local.get {n} ")).collect::<String>(),
    ));
}

#[test]
fn deep_nesting_does_not_recurse() {
    let depth = 50_000;
    let text = format!("(module (func {} br 0 {}))", "block ".repeat(depth), "end ".repeat(depth));
    super::compile(&text, &super::settings(super::X86_64));
}

#[test]
fn large_tables_of_branches_compile() {
    let targets: String = (0..20_000).map(|n| if n % 3 == 0 { "0 " } else { "1 " }).collect();
    let text = format!(
        "(module (func (param i32) (result i32)
            (block (result i32) (block (result i32)
                (br_table {targets} 2 (i32.const 7) (local.get 0)))
                (drop) (i32.const 8))))"
    );
    super::compile(&text, &super::settings(super::X86_64));
}

#[test]
fn an_invalid_body_is_refused_and_the_next_one_translated() {
    let wat = "(module (func (result i32) (block (loop))) (func))";
    let error = super::translate_with(wat, &super::settings(super::X86_64), |_| ());
    assert!(error.expect_err("the first function has no result").offset().is_some());
}

#[test]
fn real_programs_compile() {
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures");
    for name in ["args", "cat", "files", "hello", "qsort", "primes"] {
        let wasm = std::fs::read(format!("{fixtures}/{name}.wasm")).expect("a fixture");
        for target in [super::X86_64, super::AARCH64] {
            super::translate_wasm(&wasm, &super::settings(target), |_| ()).expect("a valid module");
        }
    }
}
