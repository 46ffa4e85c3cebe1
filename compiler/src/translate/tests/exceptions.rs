//! Handlers of exceptions: which calls list which, and what they find there.

use super::{
    AARCH64, X86_64, assert_code, compile, compile_everywhere, settings, translate_wasm,
    translate_with,
};
use crate::error::CompileError;

#[test]
fn calls_inside_of_a_try_list_its_handlers() {
    let wat = "(module (tag $t (param i32)) (tag $u) (func $f)
        (func (result i32)
            (call $f)
            (block $all
                (block $caught (result i32)
                    (try_table (catch $t $caught) (catch $u $all) (catch_all $all) (call $f))
                    (return (i32.const 1)))
                (return))
            (i32.const 2)))";
    let functions = translate_with(wat, &settings(X86_64), |_| ()).expect("a valid module");
    assert_code(functions.last().expect("a function"),
        "block0(v0: i64):
        v4 = iconst.i32 1
        v5 = iconst.i32 2
        call fn0(v0)
        try_call fn0(v0), sig0, block4, [ context v0, tag2: block1(exn1), tag4: block2, tag0: block3 ]
        block4:
        jump block5
        block1(v1: i64) cold:
        v2 = load.i32 notrap aligned little v1
        jump block6(v2)
        block2 cold:
        jump block7
        block3 cold:
        jump block7
        block5:
        return v4
        block6(v3: i32) cold:
        return v3
        block7 cold:
        return v5",
    );
}

#[test]
fn every_operator_compiles() {
    compile_everywhere(
        r#"(module
            (import "m" "t" (tag $imported (param i64 externref)))
            (import "m" "f" (func $host (param i32) (result f64)))
            (tag $t (param i32 f64)) (tag $v) (tag $exn (param exnref))
            (table $funcs 2 funcref) (table $exns 2 exnref)
            (global $g (mut exnref) (ref.null exn))
            (type $pair (func (result i32 f64)))
            (func $throw (param i32 f64) (throw $t (local.get 0) (local.get 1)))
            (func (param i32) (result i32 f64)
                (block $caught (type $pair)
                    (try_table (type $pair) (catch $t $caught)
                        (call $throw (local.get 0) (f64.const 1))
                        (drop (call $host (local.get 0)))
                        (i32.const 1) (f64.const 2))))
            (func (param exnref) (result exnref)
                (block $all (result exnref)
                    (block $wide (result i64 externref exnref)
                        (try_table (catch_ref $imported $wide) (catch_all_ref $all)
                            (loop $again
                                (try_table (catch $v $again) (throw_ref (local.get 0)))))
                        unreachable)
                    (global.set $g) (drop) (drop) (global.get $g))
                (local.set 0)
                (table.set $exns (i32.const 0) (local.get 0))
                (throw $exn (local.get 0)))
            (func (result i32)
                (block $out
                    (try_table (catch_all $out) (throw $v))
                    (drop (try_table (result i32) (catch_all $out) (i32.const 1)))
                    (try_table (catch_all $out)
                        (call_indirect (type $pair) (i32.const 0)) (drop) (drop))
                    (try_table (catch_all $out)))
                (i32.const 3))
            ;; Handlers that are the function's end, and tries that nothing reaches.
            (func (param i32)
                (try_table (catch_all 0) (call $throw (i32.const 0) (f64.const 0)))
                (block (br 0) (try_table (catch_all 0) (call $throw (i32.const 0) (f64.const 0))))
                (if (local.get 0) (then (try_table (catch_all 1) (throw $v))))))"#,
    );
}

#[test]
fn the_older_encoding_compiles() {
    let fixture = "/../tests/fixtures/legacy-exceptions/tries.wasm";
    let wasm = std::fs::read(format!("{}{fixture}", env!("CARGO_MANIFEST_DIR"))).expect("a file");
    for target in [X86_64, AARCH64] {
        translate_wasm(&wasm, &settings(target), |_| ()).expect("a valid module");
    }
}

#[test]
fn handlers_of_calls_have_a_limit() {
    // The n-th clause is compared with those before it, so that each call looks at
    // 2,100 * 2,101 / 2 clauses: half of what is allowed, and some more.
    let tags = "(tag)".repeat(2_100);
    let catches: String = (0..2_100).map(|tag| format!("(catch {tag} 0)")).collect();
    let module = |calls: usize| {
        let calls = "(call 0)".repeat(calls);
        format!("(module {tags} (func) (func (block (try_table {catches} {calls}))))")
    };
    compile(&module(1), &settings(X86_64));
    let refused = translate_with(&module(2), &settings(X86_64), |_| ());
    assert!(matches!(refused, Err(CompileError::TooLarge { .. })));
}
