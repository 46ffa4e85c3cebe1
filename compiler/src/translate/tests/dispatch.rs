//! Loops that choose where their body goes on.

use cranelift_codegen::flowgraph::ControlFlowGraph;
use cranelift_codegen::ir::{Function, Opcode};
use precast_config::CompilerSettings;

use super::{X86_64, compile_everywhere, settings, translate_with};

/// A function with a loop that chooses among three places; `first` is what the first of them does.
fn machine(first: &str) -> String {
    format!(
        "(module (func (param $state i32) (param $x i32) (result i32) (local $y i32)
            loop $again
                block $c block $b block $a
                    local.get $state
                    br_table $a $b $c
                end
                {first}
                end
                (local.set $x (i32.mul (local.get $x) (local.get $x)))
                (local.set $state (i32.const 0))
                (br_if $again (local.get $x))
                end
            end
            local.get $x))"
    )
}

/// From how many places the block of the `br_table` is reached.
fn ways_to_choice(wat: &str, settings: &CompilerSettings) -> usize {
    let functions = translate_with(wat, settings, |_| ()).expect("a valid module");
    let func: &Function = &functions[0];
    let chooses = |&block: &_| {
        let last = func.layout.last_inst(block).expect("a block that is complete");
        func.dfg.insts[last].opcode() == Opcode::BrTable
    };
    let choice = func.layout.blocks().find(chooses).expect("a br_table");
    ControlFlowGraph::with_function(func).pred_iter(choice).count()
}

#[track_caller]
fn assert_ways(first: &str, expected: usize) {
    let wat = machine(first);
    assert_eq!(ways_to_choice(&wat, &settings(X86_64)), expected, "{wat}");
    compile_everywhere(&wat);
}

#[test]
fn a_known_choice_goes_to_its_place() {
    assert_ways("", 1);
    assert_ways("(local.set $state (i32.const 2)) br $again", 1);
    assert_ways("(local.set $state (i32.const 77)) br $again", 1);
    assert_ways("(drop (local.tee $state (i32.const 1))) br $again", 1);
    assert_ways("(local.set $state (i32.const 1)) (br_if $again (local.get $x))", 1);
}

#[test]
fn other_choices_go_through_the_table() {
    assert_ways("(local.set $state (local.get $x)) br $again", 2);
    assert_ways("(local.set $state (i32.const 1)) (local.set $y (i32.const 2)) br $again", 2);
    assert_ways("br $again", 2);
    // In another block, the local may have another value.
    assert_ways("(local.set $state (i32.const 1)) (if (local.get $x) (then br $again))", 2);
}

#[test]
fn a_head_that_copies_a_local_is_not_passed_by() {
    for copy in ["(local.set $y (local.get $x))", "(local.set $state (local.get $x))"] {
        let wat = machine("").replace("loop $again", &format!("loop $again {copy}"));
        assert_eq!(ways_to_choice(&wat, &settings(X86_64)), 2, "{wat}");
        compile_everywhere(&wat);
    }
}

#[test]
fn loops_that_can_be_interrupted_are_left_alone() {
    let wat = machine("");
    let with_fuel = CompilerSettings { consume_fuel: true, ..settings(X86_64) };
    assert_eq!(ways_to_choice(&wat, &settings(X86_64)), 1);
    assert_eq!(ways_to_choice(&wat, &with_fuel), 2);
}
