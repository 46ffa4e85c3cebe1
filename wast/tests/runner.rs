//! The runner itself: that a script which must fail does fail, where and why.

use precast::Config;
use precast_wast::{Failure, Outcome, Runner, Setup};

fn run(script: &str) -> Outcome {
    let runner = Runner::new(Config::new(), Setup::InMemory).expect("the engine can be made");
    runner.run("script.wast", script)
}

fn only_failure(script: &str) -> Failure {
    let outcome = run(script);
    let [failure] = &outcome.failures[..] else { panic!("expected one failure:\n{outcome}") };
    failure.clone()
}

const MODULE: &str = r#"(module $m
  (global (export "g") i32 (i32.const 7))
  (func (export "id") (param i32) (result i32) (local.get 0))
  (func (export "nan") (result f32) (f32.const nan:0x1))
  (func (export "extern") (param externref) (result externref) (local.get 0))
  (func (export "trap") (result i32) (unreachable))
  (func $forever (export "forever") (call $forever)))
"#;

#[test]
fn a_failure_tells_where_and_what() {
    let failure = only_failure(&format!(
        "{MODULE}\n  (assert_return (invoke $m \"id\" (i32.const 1)) (i32.const 2))"
    ));
    assert_eq!(
        failure.to_string(),
        "script.wast:9:4: assert_return (invoke $m \"id\" (i32.const 1))\n  \
           expected: (i32.const 2)\n       \
                got: (i32.const 1)"
    );
}

#[test]
fn what_holds_is_counted() {
    let outcome = run(&format!(
        r#"{MODULE}
           (assert_return (invoke "id" (i32.const 1)) (i32.const 1))
           (assert_return (get "g") (i32.const 7))
           (assert_return (invoke "extern" (ref.extern 5)) (ref.extern 5))
           (assert_return (invoke "extern" (ref.null extern)) (ref.null extern))
           (assert_return (invoke "id" (i32.const 3)) (either (i32.const 2) (i32.const 3)))
           (assert_return (module))
           (assert_trap (invoke "trap") "unreachable")
           (assert_trap (module (func $f (unreachable)) (start $f)) "unreachable")
           (assert_exhaustion (invoke "forever") "call stack exhausted")
           (assert_invalid (module (func (result i32) (i64.const 0))) "type mismatch")
           (assert_malformed (module quote "(module (func (i32.konst 0)))") "unknown operator")
           (assert_malformed (module binary "") "unexpected end")
           (assert_unlinkable (module (import "no" "thing" (func))) "unknown import")
           (invoke "id" (i32.const 1))"#
    ));
    assert!(outcome.succeeded(), "{outcome}");
    assert_eq!((outcome.assertions, outcome.passed), (13, 13));
}

/// Each of these must fail: the assertion does not hold.
#[test]
fn what_does_not_hold_fails() {
    let wrong = [
        r#"(assert_return (invoke "id" (i32.const 1)) (i64.const 1))"#,
        r#"(assert_return (invoke "id" (i32.const 1)))"#,
        r#"(assert_return (invoke "id" (i32.const 1)) (i32.const 1) (i32.const 1))"#,
        r#"(assert_return (invoke "id" (i32.const 1)) (either (i32.const 2) (i32.const 3)))"#,
        r#"(assert_return (invoke "nan") (f32.const nan:canonical))"#,
        r#"(assert_return (invoke "nan") (f32.const nan:arithmetic))"#,
        r#"(assert_return (invoke "extern" (ref.extern 5)) (ref.extern 6))"#,
        r#"(assert_return (invoke "extern" (ref.null extern)) (ref.extern))"#,
        r#"(assert_return (invoke "trap") (i32.const 0))"#,
        r#"(assert_return (get "g") (i32.const 8))"#,
        r#"(assert_return (get "none") (i32.const 8))"#,
        r#"(assert_return (invoke "none"))"#,
        r#"(assert_return (invoke $none "id" (i32.const 1)) (i32.const 1))"#,
        r#"(assert_trap (invoke "id" (i32.const 1)) "unreachable")"#,
        r#"(assert_trap (invoke "trap") "integer overflow")"#,
        r#"(assert_trap (invoke "forever") "call stack exhausted")"#,
        r#"(assert_trap (module (import "no" "thing" (func))) "unknown import")"#,
        r#"(assert_exhaustion (invoke "trap") "unreachable")"#,
        r#"(assert_exception (invoke "trap"))"#,
        r#"(assert_unlinkable (module) "unknown import")"#,
        r#"(assert_unlinkable (module (func $f (unreachable)) (start $f)) "unreachable")"#,
        r#"(assert_unlinkable (module (import "no" "thing" (func))) "incompatible import type")"#,
        r#"(assert_invalid (module) "type mismatch")"#,
        r#"(assert_invalid (module (func (result i32) (i64.const 0))) "unknown local")"#,
        r#"(assert_malformed (module quote "(module)") "unexpected token")"#,
        r#"(assert_suspension (invoke "trap") "unhandled")"#,
    ];
    for script in wrong {
        let outcome = run(&format!("{MODULE}{script}"));
        assert_eq!(outcome.failures.len(), 1, "{script}\n{outcome}");
        assert_eq!((outcome.assertions, outcome.passed), (1, 0), "{script}");
    }
}

#[test]
fn directives_that_are_no_assertions_fail_too() {
    for script in [
        r#"(invoke "trap")"#,
        r#"(register "m" $none)"#,
        "(module (func (result i32)))",
        r#"(module (import "no" "thing" (func)))"#,
        "(module instance $a $none)",
        "(wait $none)",
    ] {
        let outcome = run(&format!("{MODULE}{script}"));
        assert_eq!(outcome.failures.len(), 1, "{script}\n{outcome}");
        assert_eq!(outcome.assertions, 0, "{script}");
    }
}

#[test]
fn a_module_that_fails_is_not_replaced_by_an_earlier_one() {
    let outcome = run(&format!(
        r#"{MODULE}
           (module (func (export "id") (result i32)))
           (assert_return (invoke "id" (i32.const 1)) (i32.const 1))"#
    ));
    assert_eq!(outcome.failures.len(), 2, "{outcome}");
}

#[test]
fn a_script_that_cannot_be_read_is_a_failure() {
    let failure = only_failure("(module)\n(assert_nothing)");
    assert_eq!((failure.location.line, failure.location.column), (2, 2));
    let failure = only_failure("(module)\n\"");
    assert_eq!(failure.directive, "script");
}

#[test]
fn threads_run_and_what_fails_in_them_counts() {
    let outcome = run(r#"(module)
        (thread $t
          (module (func (export "one") (result i32) (i32.const 1)))
          (assert_return (invoke "one") (i32.const 1))
          (assert_return (invoke "one") (i32.const 2)))
        (wait $t)
        (thread $left_running
          (module (func (export "two") (result i32) (i32.const 2)))
          (assert_return (invoke "two") (i32.const 2)))"#);
    assert_eq!((outcome.assertions, outcome.passed), (3, 2));
    assert_eq!(outcome.failures.len(), 1, "{outcome}");
    assert_eq!(outcome.failures[0].location.line, 5);
}
