//! Loops that choose by a number where their body goes on do the same whether the compiler looks through the choice
//! or not.
#![cfg(all(feature = "compiler", feature = "wat"))]

use std::fmt::Write;

use precast::{Config, Engine, Instance, Module, OptLevel, Store};

/// The states of a machine.
const STATES: u64 = 6;
/// How many machines are made.
const MACHINES: u64 = 150;

/// Random numbers: a linear congruential generator, with the constants of Knuth's MMIX.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) % limit
    }
}

/// A function that goes from state to state, in all the ways in which a number can be chosen and branched on, until
/// its steps are used up.
fn machine(random: &mut Random) -> String {
    let mut text = String::from(
        "(module (func (export \"run\") (param $steps i32) (param $x i64) (result i64)
            (local $state i32) (local $a i64) (local $b i64) (local $other i32)\n",
    );
    // An operand below the blocks belongs to the loop and not to what comes before it.
    let operand = random.below(4) == 0;
    text.push_str("loop $again\n");
    if operand {
        text.push_str("local.get $a\n");
    }
    // What the head does to locals takes no instruction, and has to be done all the same.
    match random.below(5) {
        0 => text.push_str("local.get $a local.set $b\n"),
        1 => text.push_str("local.get $other local.set $state\n"),
        2 => text.push_str("local.get $state local.tee $other drop\n"),
        _ => {}
    }
    for state in (0..STATES).rev() {
        writeln!(text, "block $s{state}").unwrap();
    }
    text.push_str("local.get $state\nbr_table");
    for _ in 0..STATES {
        write!(text, " $s{}", random.below(STATES)).unwrap();
    }
    writeln!(text, " $s{}", random.below(STATES)).unwrap();
    for state in 0..STATES {
        writeln!(text, "end").unwrap();
        step(&mut text, random, state);
    }
    if operand {
        text.push_str("local.set $b\n");
    }
    text.push_str("end (i64.xor (local.get $x) (i64.add (local.get $a) (local.get $b)))))");
    text
}

/// What happens in a state, and where that leads.
fn step(text: &mut String, random: &mut Random, state: u64) {
    writeln!(
        text,
        "(if (i32.eqz (local.tee $steps (i32.sub (local.get $steps) (i32.const 1))))
            (then (return (i64.xor (local.get $x) (i64.sub (local.get $a) (local.get $b))))))
        (local.set $x (i64.add (i64.mul (local.get $x) (i64.const 6364136223846793005)) (i64.const {})))",
        state + 1
    )
    .unwrap();
    match random.below(3) {
        0 => text.push_str("(local.set $a (i64.rotl (local.get $x) (i64.const 7)))\n"),
        1 => text.push_str("(local.set $b (i64.xor (local.get $a) (local.get $x)))\n"),
        _ => text.push_str(
            "(local.set $other (i32.wrap_i64 (i64.shr_u (local.get $x) (i64.const 60))))\n",
        ),
    }
    // One more than there are states: the default.
    let next = format!("(i32.const {})", random.below(STATES + 1));
    let condition = "(i32.wrap_i64 (i64.shr_u (local.get $x) (i64.const 63)))";
    let computed = "(i32.wrap_i64 (i64.shr_u (local.get $x) (i64.const 61)))";
    let action = match random.below(10) {
        0 | 1 => format!("(local.set $state {next}) (br $again)"),
        2 => format!("(local.set $state {computed}) (br $again)"),
        3 => format!("(local.set $state {next}) (br_if $again {condition})"),
        4 => format!("(if {condition} (then (local.set $state {next}) (br $again)))"),
        5 => format!("(local.set $state {next}) (local.set $other (i32.const 3)) (br $again)"),
        6 => format!("(drop (local.tee $state {next})) (br $again)"),
        7 => format!(
            "(block $out (local.set $state {next}) (br_table $out $again (local.get $other)))"
        ),
        8 => format!(
            "(local.set $state {next}) (if {condition} (then (local.set $state (i32.const 1)))) (br $again)"
        ),
        _ => String::new(),
    };
    writeln!(text, "{action}").unwrap();
}

fn results(
    set: impl FnOnce(&mut Config) -> &mut Config,
    fuel: Option<u64>,
    text: &str,
) -> Vec<i64> {
    let mut config = Config::new();
    set(&mut config);
    let engine = Engine::new(&config).unwrap();
    let module = Module::new(&engine, text).unwrap();
    let mut store = Store::new(&engine, ());
    if let Some(fuel) = fuel {
        store.set_fuel(fuel).unwrap();
    }
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let run = instance.get_typed_func::<(i32, i64), i64>(&mut store, "run").unwrap();
    [(1, 0), (2, 5), (40, 1), (1000, 77)]
        .map(|arguments| run.call(&mut store, arguments).unwrap())
        .into()
}

#[test]
fn machines_go_through_the_same_states() {
    let mut random = Random(1);
    for number in 0..MACHINES {
        let text = machine(&mut random);
        // With fuel, the head of each loop is more than a choice.
        let expected = results(|config| config.consume_fuel(true), Some(1 << 40), &text);
        let optimised = results(|config| config, None, &text);
        assert_eq!(optimised, expected, "machine {number}: {text}");
        let unoptimised = results(|config| config.cranelift_opt_level(OptLevel::None), None, &text);
        assert_eq!(unoptimised, expected, "machine {number}: {text}");
    }
}
