//! References into the heap: what each collector makes of them.

use precast_artifact::description::Collector;
use precast_config::{CompilerSettings, OptLevel};

use super::*;

/// Objects and references in all places where they can be.
const MODULE: &str = r#"(module
    (type $node (struct (field i8) (field (mut (ref null $node))) (field (mut externref))))
    (type $nodes (array (mut (ref null $node))))
    (import "" "f" (func $f (param externref) (result externref)))
    (tag $tag (param externref))
    (table $table 3 externref)
    (global $global (mut externref) (ref.null extern))
    (func (param externref) (result externref)
        (global.set $global (table.get $table (i32.const 1)))
        (table.set $table (i32.const 2) (global.get $global))
        (block $caught (result externref)
            (try_table (catch $tag $caught) (return (call $f (local.get 0))))
            unreachable))
    (func (param i32 (ref null $node)) (result (ref $nodes)) (local $nodes (ref null $nodes))
        (local.set $nodes (array.new $nodes (local.get 1) (local.get 0)))
        (array.set $nodes (local.get $nodes) (i32.const 1)
            (struct.new $node (i32.const 5) (local.get 1) (global.get $global)))
        (struct.set $node 1 (array.get $nodes (local.get $nodes) (i32.const 0)) (local.get 1))
        (ref.as_non_null (local.get $nodes))))"#;

fn with_collector(target: &str, collector: Collector) -> CompilerSettings {
    CompilerSettings { collector: collector.into(), ..settings(target) }
}

#[test]
fn every_collector_has_code_for_every_target() {
    for target in [X86_64, AARCH64] {
        for &collector in Collector::ALL {
            for opt_level in [OptLevel::None, OptLevel::Speed] {
                let settings = with_collector(target, collector);
                let code = compile(MODULE, &CompilerSettings { opt_level, ..settings });
                assert_eq!(code.len(), 2, "{collector} for {target}");
            }
        }
    }
}

/// How often a text occurs in the code of a function.
fn occurrences(collector: Collector, body: &str, what: &str) -> usize {
    let text = format!(
        "(module (import \"\" \"f\" (func $f)) (global $g (mut externref) (ref.null extern))
            (func (param externref) (result externref) {body}))"
    );
    let functions = translate_with(&text, &with_collector(X86_64, collector), |_| ());
    functions.expect("a valid module")[0].display().to_string().matches(what).count()
}

#[test]
fn what_is_alive_during_a_call_is_found_there() {
    for (collector, expected) in
        [(Collector::Null, 0), (Collector::Drc, 1), (Collector::Copying, 1)]
    {
        let maps = |body| occurrences(collector, body, "stack_map=[i32");
        assert_eq!(maps("(call $f) (local.get 0)"), expected, "{collector}: a local");
        assert_eq!(maps("(local.get 0) (call $f)"), expected, "{collector}: an operand");
        assert_eq!(maps("(call $f) (ref.null extern)"), 0, "{collector}: nothing");
    }
}

#[test]
fn only_counting_has_a_price_where_references_are_stored() {
    for (collector, expected) in
        [(Collector::Null, 0), (Collector::Drc, 1), (Collector::Copying, 0)]
    {
        let calls = |body| occurrences(collector, body, "call fn");
        assert_eq!(calls("(global.set $g (local.get 0)) (local.get 0)"), expected, "{collector}");
        assert_eq!(calls("(global.get $g)"), expected, "{collector}");
        assert_eq!(calls("(local.set 0 (local.get 0)) (local.get 0)"), 0, "{collector}");
    }
}
