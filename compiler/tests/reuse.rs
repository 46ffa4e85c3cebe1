//! A changed module, of which only what changed is compiled, has the same code as one that is compiled
//! as a whole.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use precast_compiler::{FunctionKey, FunctionStore, Schedule, compile};
use precast_config::CompilerSettings;

/// Functions in memory.
#[derive(Default)]
struct Kept {
    records: Mutex<HashMap<FunctionKey, Vec<u8>>>,
    /// How many functions were not there.
    missed: AtomicUsize,
}

impl FunctionStore for Kept {
    fn get(&self, key: &FunctionKey, record: &mut Vec<u8>) -> bool {
        match self.records.lock().unwrap().get(key) {
            Some(kept) => record.extend(kept),
            None => {
                self.missed.fetch_add(1, Ordering::Relaxed);
                return false;
            }
        }
        true
    }

    fn put(&self, key: &FunctionKey, record: &[u8]) {
        self.records.lock().unwrap().insert(*key, record.to_owned());
    }
}

/// Modules on both kinds of machines.
const TARGETS: [&str; 2] = ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"];

/// Compiles a module and then a changed one with what is kept of the first, and returns how many
/// functions of the second had to be compiled: without inlining, and with it.
fn compiled_again_both(before: &str, after: &str) -> [usize; 2] {
    let [before, after] = [before, after].map(|text| wat::parse_str(text).unwrap());
    [false, true].map(|inlining| {
        let counts = TARGETS.map(|target| {
            let target = Some(target.to_owned());
            let settings = CompilerSettings { target, inlining, ..CompilerSettings::default() };
            let kept = Kept::default();
            let schedule = Schedule { functions: Some(&kept), ..Schedule::default() };
            let cold = |wasm| compile(wasm, &settings, &Schedule::default()).unwrap();
            assert!(compile(&before, &settings, &schedule).unwrap() == cold(&before));
            kept.missed.store(0, Ordering::Relaxed);
            let artifact = compile(&after, &settings, &schedule).unwrap();
            assert!(artifact == cold(&after), "other code, with inlining {inlining}");
            kept.missed.load(Ordering::Relaxed)
        });
        assert_eq!(counts[0], counts[1]);
        counts[0]
    })
}

/// As [`compiled_again_both`], without inlining.
fn compiled_again(before: &str, after: &str) -> usize {
    compiled_again_both(before, after)[0]
}

/// A module with functions that depend on different things: five of them.
const MODULE: &str = r#"(module $name
    (type $pair (func (result i32 i64)))
    (type $unary (func (param i32) (result i32)))
    (import "host" "log" (func $log (param i32)))
    (memory 1 2)
    (table $open (export "table") 4 4 funcref)
    (global $limit i32 (i32.const 100))
    (global $count (mut i32) (i32.const 0))
    (tag $error (param i32))
    (func $double (type $unary) (i32.mul (local.get 0) (i32.const 2)))
    (func $load (type $unary)
        (i32.add (i32.load offset=16 (local.get 0)) (call $double (local.get 0))))
    (func $indirect (export "indirect") (param i32) (result i32)
        (call_indirect $open (type $unary) (local.get 0) (local.get 0)))
    (func $globals (export "globals") (result i32)
        (global.set $count (i32.add (global.get $count) (i32.const 1)))
        (i32.add (global.get $limit) (call $load (global.get $count))))
    (func $exceptions (export "exceptions") (param i32)
        (block $caught (result i32)
            (try_table (catch $error $caught) (call $log (i32.const 1)) (throw $error (local.get 0)))
            (i32.const 0))
        (block $none (type $pair) (i32.const 1) (i64.const 2))
        (drop) (drop) (drop))
    (elem (table $open) (i32.const 0) func $double $load))"#;

/// What a change of the text of [`MODULE`] has compiled again.
fn after_change(from: &str, to: &str) -> usize {
    assert!(MODULE.contains(from), "{from}");
    compiled_again(MODULE, &MODULE.replacen(from, to, 1))
}

#[test]
fn a_module_that_did_not_change_is_not_compiled_again() {
    assert_eq!(compiled_again(MODULE, MODULE), 0);
}

#[test]
fn of_a_changed_function_only_that_is_compiled() {
    assert_eq!(after_change("(i32.const 2)))", "(i32.const 3)))"), 1);
    assert_eq!(after_change("offset=16", "offset=20"), 1);
}

#[test]
fn functions_can_be_added_anywhere() {
    let function = "(func $new (param f64) (result f64) (f64.add (local.get 0) (local.get 0)))";
    for place in ["(func $double", "(func $indirect", "(elem"] {
        // The type of the new function stands behind the others.
        assert_eq!(after_change(place, &format!("{function} {place}")), 1, "{place}");
    }
}

#[test]
fn functions_can_be_removed_and_swapped() {
    let text = MODULE.replace("(func $indirect", "(func (drop (i32.const 77))) (func $indirect");
    assert_eq!(compiled_again(&text, MODULE), 0);
    let double = "(func $double (type $unary) (i32.mul (local.get 0) (i32.const 2)))";
    let swapped = MODULE.replace(double, "").replace("(elem", &format!("{double} (elem"));
    assert_eq!(compiled_again(MODULE, &swapped), 0);
}

#[test]
fn a_type_that_is_added_in_front_concerns_those_that_have_its_number_in_their_code() {
    let ty = "(type $new (func (param f32))) (type $pair";
    assert_eq!(after_change("(type $pair", ty), 1);
}

#[test]
fn globals_concern_those_that_use_them() {
    // Tables and imports are behind globals in the VMContext.
    assert_eq!(after_change("(tag ", "(global $new (mut i64) (i64.const 0)) (tag "), 2);
    assert_eq!(
        after_change("(global $limit", "(global $new (mut i64) (i64.const 0)) (global $limit"),
        3
    );
    assert_eq!(after_change("(i32.const 100)", "(i32.const 101)"), 1);
    assert_eq!(after_change("$limit i32", "$limit (mut i32)"), 1);
    // What a global holds at first is not in the code.
    assert_eq!(after_change("$count (mut i32) (i32.const 0)", "$count (mut i32) (i32.const 9)"), 0);
}

#[test]
fn names_and_data_concern_no_code() {
    assert_eq!(after_change("$name", "$other"), 0);
    assert_eq!(compiled_again(MODULE, &MODULE.replace("$load", "$loader")), 0);
    assert_eq!(after_change("(elem", "(data (i32.const 3) \"abc\") (elem"), 0);
    assert_eq!(after_change("\"globals\"", "\"renamed\""), 0);
}

#[test]
fn memories_and_tables_concern_those_that_use_them() {
    assert_eq!(after_change("(memory 1 2)", "(memory 1 2 shared)"), 1);
    assert_eq!(after_change("4 4 funcref", "4 5 funcref"), 1);
    // Closed tables are in the code section, and others move in the VMContext.
    assert_eq!(after_change("(table $open (export \"table\")", "(table $open"), 1);
    let before = "(table $new 10 funcref) (table $open";
    assert_eq!(after_change("(table $open", before), 2);
}

#[test]
fn an_import_concerns_those_that_call_what_is_behind_it() {
    let import = "(import \"host\" \"new\" (func)) (import \"host\" \"log\"";
    assert_eq!(after_change("(import \"host\" \"log\"", import), 1);
}

#[test]
fn a_callee_of_another_type_concerns_its_callers() {
    // The same bytes call a function of another type.
    let [before, after] = ["i32", "f32"].map(|ty| {
        format!("(module (func $f (param {ty}) (result {ty}) (local.get 0)) (func (result {ty}) unreachable (call $f)))")
    });
    assert_eq!(compiled_again(&before, &after), 2);
}

#[test]
fn functions_that_become_the_same_are_told_apart() {
    let body = |constant| {
        format!(
            "(module (import \"\" \"\" (global $g i32))
                (func $f (result i32) (i32.const 1)) (func $g (result i32) (i32.const {constant}))
                (func (result i32) (i32.add (call $f) (call $g))))"
        )
    };
    assert_eq!(compiled_again(&body(2), &body(1)), 1);
    assert_eq!(compiled_again(&body(1), &body(2)), 2);
}

#[test]
fn objects_keep_the_numbers_of_their_types() {
    let text = "(module
        (type $node (sub (struct (field $value i32) (field $next (ref null $node)))))
        (func (export \"new\") (param (ref null $node)) (result (ref $node))
            (struct.new $node (i32.const 1) (local.get 0)))
        (func (export \"get\") (param (ref $node)) (result i32)
            (struct.get $node $value (local.get 0)))
        (func (export \"test\") (param anyref) (result i32)
            (ref.test (ref $node) (local.get 0)))
        (func (export \"plain\") (param i32) (result i32) (local.get 0)))";
    assert_eq!(compiled_again(text, text), 0);
    let open = text.replace("(sub (struct", "(sub final (struct");
    assert_eq!(compiled_again(text, &open), 3);
    let wider = text.replace("$value i32", "$value (mut i32)");
    assert_eq!(compiled_again(text, &wider), 3);
    let behind = text.replace("(type $node", "(type $first (struct)) (type $node");
    assert_eq!(compiled_again(text, &behind), 3);
}

#[test]
fn hints_of_branches_are_part_of_a_function() {
    let text = |hint: &str| {
        format!(
            "(module (import \"\" \"f\" (func $f))
                (func (param i32) {hint} (if (local.get 0) (then (call $f)) (else (call $f) (call $f))))
                (func (param i64)))"
        )
    };
    let hints =
        ["", r#"(@metadata.code.branch_hint "\00")"#, r#"(@metadata.code.branch_hint "\01")"#];
    for before in hints {
        for after in hints {
            let expected = usize::from(before != after);
            assert_eq!(compiled_again(&text(before), &text(after)), expected, "{before} {after}");
        }
    }
}

#[test]
fn what_is_kept_is_validated_too() {
    // The body is the same, but the second module does not declare that its function is referred to.
    let text =
        |declared| format!("(module (func $f) {declared} (func (result funcref) (ref.func $f)))");
    let [declared, undeclared] =
        ["(elem declare func $f)", ""].map(|text_| wat::parse_str(text(text_)).unwrap());
    let kept = Kept::default();
    let schedule = Schedule { functions: Some(&kept), ..Schedule::default() };
    let settings = CompilerSettings::default();
    compile(&declared, &settings, &schedule).unwrap();
    compile(&undeclared, &settings, &schedule).unwrap_err();
}

/// Of functions that call each other, each with a body that nothing else has.
fn chain(constants: [i32; 4]) -> String {
    let [a, b, c, d] = constants;
    let large = "(drop (i32.load (local.get 0)))".repeat(20);
    format!(
        "(module (memory 1)
            (func $a (param i32) (result i32) (i32.add (local.get 0) (i32.const {a})))
            (func $b (param i32) (result i32) (i32.mul (call $a (local.get 0)) (i32.const {b})))
            (func $c (param i32) (result i32) (i32.xor (call $b (local.get 0)) (i32.const {c})))
            (func (export \"c\") (param i32) (result i32) {large} (call $c (local.get 0)))
            (func (export \"d\") (param i32) (result i32) {large} (i32.const {d})))"
    )
}

#[test]
fn a_function_depends_on_what_can_become_a_part_of_it() {
    let before = chain([1, 2, 3, 4]);
    let again = |constants| compiled_again_both(&before, &chain(constants));
    assert_eq!(again([1, 2, 3, 4]), [0, 0]);
    // All of them became a part of the one that is exported, and have no code of their own.
    assert_eq!(again([9, 2, 3, 4]), [1, 1]);
    assert_eq!(again([1, 9, 3, 4]), [1, 1]);
    assert_eq!(again([1, 2, 9, 4]), [1, 1]);
    assert_eq!(again([1, 2, 3, 9]), [1, 1]);
}

#[test]
fn inlined_code_follows_its_function_to_another_place() {
    let before = chain([1, 2, 3, 4]);
    for place in ["(func $a", "(func $c", "(func (export"] {
        let function =
            "(func (param i64) (result i64) (i64.add (local.get 0) (i64.const 1234567)))";
        let after = before.replacen(place, &format!("{function} {place}"), 1);
        assert_eq!(compiled_again_both(&before, &after), [1, 1], "{place}");
    }
    // One of the callers is removed.
    let other = "(func (export \"other\") (result i32) (call $c (i32.const 5)))";
    let before = before.replace("(func $a", &format!("{other} (func $a"));
    assert_eq!(compiled_again_both(&before, &chain([1, 2, 3, 4])), [0, 0]);
}

#[test]
fn that_a_call_is_no_longer_the_only_one_concerns_the_caller() {
    let body = "(i32.store (local.get 0) (i32.const 1))".repeat(20);
    let module = |more: &str| {
        format!(
            "(module (memory 1) (func $f (param i32) {body})
                (func (export \"f\") (param i32) (call $f (local.get 0)) (call $f (i32.const 7)))
                (func (export \"g\") (param i32) (local i32) (call $once (local.get 0)))
                (func $once (param i32) (local i64) {body}) {more})"
        )
    };
    let more = "(func (export \"h\") (call $once (i32.const 1)))";
    // It then has code of its own, too.
    assert_eq!(compiled_again_both(&module(""), &module(more)), [1, 3]);
    assert_eq!(compiled_again_both(&module(more), &module("")), [0, 1]);
}

#[test]
fn functions_that_call_thousands_of_others_are_kept_too() {
    // All of these can be inlined.
    let small: String = (0..3000)
        .map(|number| {
            format!("(func $f{number} (result i32) (i32.add (i32.const {number}) (i32.const 1)))")
        })
        .collect();
    let calls: String = (0..3000).map(|number| format!("(drop (call $f{number}))")).collect();
    let module = format!("(module {small} (func $all {calls}) (func (call $all)))");
    assert_eq!(compiled_again_both(&module, &module), [0, 0]);
}
