//! Modules made to exhaust the compiler: each is compiled or refused, with bounded memory and stack.
//!
//! Each runs in a process of its own, with a limit on its address space and little stack, so that a crash is
//! noticed and what it takes does not depend on the others.

mod encode;

use std::env;
use std::process::{Command, ExitCode};

use encode::*;
use libtest_mimic::{Arguments, Failed, Trial};
use precast_compiler::{CompileError, Schedule, compile, limits};
use precast_config::CompilerSettings;

/// The address space of a process that compiles, in KiB.
const ADDRESS_SPACE: usize = 6 << 20;
/// The stack of the thread that calls the compiler, in bytes.
const STACK: usize = 256 << 10;
/// Says to a process of these tests what it is to compile.
const BOMB: &str = "PRECAST_TEST_BOMB";

const TRY: u8 = 0x06;
const CATCH: u8 = 0x07;
const TRY_TABLE: u8 = 0x1f;
const LOOP: [u8; 2] = [0x03, 0x40];
const IF: [u8; 2] = [0x04, 0x40];
const BR_IF: u8 = 0x0d;
const BR_TABLE: u8 = 0x0e;
const CALL: u8 = 0x10;
const DROP: u8 = 0x1a;
const GET: u8 = 0x20;
const SET: u8 = 0x21;
const LOAD: u8 = 0x28;
const CONST: u8 = 0x41;
const ADD: u8 = 0x6a;

/// `(i32) -> (i32)`
const UNARY: &[u8] = &[FUNC, 1, I32, 1, I32];

/// What must come of a module.
enum Outcome {
    Compiled,
    /// It is refused, and these words are in the reason.
    Refused(&'static str),
}

use Outcome::{Compiled, Refused};

struct Bomb {
    name: &'static str,
    outcome: Outcome,
    module: fn() -> Vec<u8>,
}

const BOMBS: &[Bomb] = &[
    Bomb { name: "nested_blocks", outcome: Refused("nested too deeply"), module: nested_blocks },
    Bomb { name: "nested_loops_and_ifs", outcome: Compiled, module: nested_loops_and_ifs },
    Bomb { name: "unreachable_blocks", outcome: Compiled, module: unreachable_blocks },
    Bomb { name: "million_locals", outcome: Refused("too many locals"), module: million_locals },
    Bomb {
        name: "locals_in_loops",
        outcome: Refused("too many locals in too many loops"),
        module: locals_in_loops,
    },
    Bomb {
        name: "locals_after_blocks",
        outcome: Refused("too many locals"),
        module: locals_after_blocks,
    },
    Bomb {
        name: "operands_over_blocks",
        outcome: Refused("too many locals"),
        module: operands_over_blocks,
    },
    Bomb { name: "hundred_thousand_targets", outcome: Compiled, module: hundred_thousand_targets },
    Bomb { name: "targets_with_operands", outcome: Compiled, module: targets_with_operands },
    Bomb {
        name: "millions_of_targets",
        outcome: Refused("too much code"),
        module: millions_of_targets,
    },
    Bomb {
        name: "branches_with_operands",
        outcome: Refused("too much code"),
        module: branches_with_operands,
    },
    Bomb {
        name: "calls_with_results",
        outcome: Refused("too much code"),
        module: calls_with_results,
    },
    Bomb { name: "deep_expression", outcome: Compiled, module: deep_expression },
    Bomb { name: "long_expression", outcome: Compiled, module: long_expression },
    Bomb { name: "deep_constant", outcome: Compiled, module: deep_constant },
    Bomb { name: "large_function", outcome: Compiled, module: || loads(limits::FUNCTION_SIZE / 4) },
    Bomb {
        name: "largest_function",
        outcome: Refused("too much code"),
        module: || loads(limits::FUNCTION_SIZE),
    },
    Bomb {
        name: "largest_function_of_calls",
        outcome: Refused("too large"),
        module: largest_function_of_calls,
    },
    Bomb { name: "empty_large_function", outcome: Compiled, module: empty_large_function },
    Bomb { name: "wide_types", outcome: Compiled, module: wide_types },
    Bomb {
        name: "nested_handlers",
        outcome: Refused("exception handlers"),
        module: nested_handlers,
    },
    Bomb { name: "legacy_clauses", outcome: Refused("exception handlers"), module: legacy_clauses },
    Bomb { name: "lying_counts", outcome: Refused("invalid module"), module: lying_counts },
];

fn index(opcode: u8, index: usize) -> Vec<u8> {
    [vec![opcode], number(index as u64)].concat()
}

/// `count` locals of the type `i32`.
fn locals(count: usize) -> Vec<u8> {
    [vec![1], number(count as u64), vec![I32]].concat()
}

/// A million blocks in each other.
fn nested_blocks() -> Vec<u8> {
    function(PLAIN, &[0], &[BLOCK.repeat(1_000_000), vec![END; 1_000_000]].concat())
}

fn nested_loops_and_ifs() -> Vec<u8> {
    let depth = 20_000;
    let open = [&LOOP[..], &[GET, 0], &IF].concat().repeat(depth);
    let close = [GET, 0, BR_IF, 1, END, END].repeat(depth);
    function(UNARY, &[0], &[open, close, vec![GET, 0]].concat())
}

/// A million blocks where nothing is translated.
fn unreachable_blocks() -> Vec<u8> {
    let blocks = [BLOCK.repeat(1_000_000), vec![END; 1_000_000]].concat();
    function(PLAIN, &[0], &[vec![0], blocks].concat())
}

fn million_locals() -> Vec<u8> {
    function(PLAIN, &locals(1_000_000), &[])
}

/// Many locals are read in the innermost of many loops, so that each loop's head has to ask for it.
fn locals_in_loops() -> Vec<u8> {
    let depth = limits::NESTING / 100;
    let reads: Vec<u8> = (0..limits::LOCALS / 2)
        .flat_map(|local| [index(GET, local), vec![DROP]].concat())
        .collect();
    let close = [GET, 0, BR_IF, 0, END].repeat(depth);
    let operators = [LOOP.repeat(depth), reads, close].concat();
    function(PLAIN, &locals(limits::LOCALS), &operators)
}

/// Each local is written behind many blocks.
fn locals_after_blocks() -> Vec<u8> {
    let blocks = [CONST, 0, BR_IF, 0].repeat(500_000);
    let writes: Vec<u8> = (0..limits::LOCALS)
        .flat_map(|local| [vec![CONST, 0], index(SET, local)].concat())
        .collect();
    function(PLAIN, &locals(limits::LOCALS), &[&BLOCK[..], &blocks, &writes, &[END]].concat())
}

/// Half a million operands are needed again behind half a million branches.
fn operands_over_blocks() -> Vec<u8> {
    let count = 500_000;
    let load = [GET, 0, LOAD, 0, 0].repeat(count);
    let branches = [GET, 0, BR_IF, 0].repeat(count);
    let operators = [load, branches, vec![ADD; count - 1]].concat();
    with_memory(function_sections(UNARY, &[0], &operators))
}

fn hundred_thousand_targets() -> Vec<u8> {
    let depth = limits::NESTING - 1;
    let targets: Vec<u8> = (0..depth).flat_map(|label| number(label as u64)).collect();
    let table = [vec![GET, 0, BR_TABLE], number(depth as u64), targets, vec![0]].concat();
    let open = BLOCK.repeat(depth);
    function(UNARY, &[0], &[open, table, vec![END; depth], vec![GET, 0]].concat())
}

/// `[] -> [i32 x 1000]`, and a function of that type that begins with a thousand operands.
fn thousand_results(operators: &[u8]) -> Vec<u8> {
    let ty = [vec![FUNC, 0], vector(limits::RESULTS, &[I32])].concat();
    function(&ty, &[0], &[[CONST, 0].repeat(limits::RESULTS), operators.to_vec()].concat())
}

/// Ten thousand targets of which each takes a thousand operands.
fn targets_with_operands() -> Vec<u8> {
    let count = 10_000;
    thousand_results(&[vec![CONST, 0, BR_TABLE], vector(count, &[0]), vec![0]].concat())
}

fn millions_of_targets() -> Vec<u8> {
    let count = 7_000_000;
    function(PLAIN, &[0], &[vec![CONST, 0, BR_TABLE], vector(count, &[0]), vec![0]].concat())
}

fn branches_with_operands() -> Vec<u8> {
    thousand_results(&[CONST, 0, BR_IF, 0].repeat(1_000_000))
}

/// A function of a thousand parameters and results that calls itself with its results.
fn calls_with_results() -> Vec<u8> {
    let list = vector(limits::RESULTS, &[I32]);
    let ty = [vec![FUNC], list.clone(), list].concat();
    let gets: Vec<u8> = (0..limits::PARAMS).flat_map(|local| index(GET, local)).collect();
    function(&ty, &[0], &[gets, [CALL, 0].repeat(1_000_000)].concat())
}

/// All operands first, so that the last operator's operand is the deepest.
fn deep_expression() -> Vec<u8> {
    let count = 100_000;
    let load = [GET, 0, LOAD, 2, 0].repeat(count);
    with_memory(function_sections(UNARY, &[0], &[load, vec![ADD; count - 1]].concat()))
}

/// One operand after the other, so that the first operator is the deepest.
fn long_expression() -> Vec<u8> {
    let steps = [GET, 0, ADD, LOAD, 2, 0].repeat(100_000);
    with_memory(function_sections(UNARY, &[0], &[vec![GET, 0], steps].concat()))
}

/// A constant that is a sum of a million.
fn deep_constant() -> Vec<u8> {
    let count = 1_000_000;
    let sum = [[CONST, 1].repeat(count), vec![ADD; count - 1], vec![END]].concat();
    module(&[section(6, [vec![1, I32, 0], sum].concat())])
}

/// As many loads of what a loaded address leads to as fit into a function of this size.
fn loads(size: usize) -> Vec<u8> {
    let loads = [GET, 0, LOAD, 0, 0, LOAD, 0, 0, DROP].repeat(size / 9 - 2);
    with_memory(function_sections(&[FUNC, 1, I32, 0], &[0], &loads))
}

/// As many calls as fit into a function, each with a value that is needed at the end.
fn largest_function_of_calls() -> Vec<u8> {
    let count = limits::FUNCTION_SIZE / 5 - 2;
    let calls = [GET, 0, CALL, 0].repeat(count);
    function(UNARY, &[0], &[calls, vec![ADD; count - 1]].concat())
}

fn empty_large_function() -> Vec<u8> {
    function(PLAIN, &[0], &vec![NOP; limits::FUNCTION_SIZE - 2])
}

/// Many types with a thousand parameters and results, of which each gets its trampolines.
fn wide_types() -> Vec<u8> {
    let ty = |number: usize| {
        let mut params = vec![I32; limits::PARAMS];
        for (bit, param) in params.iter_mut().enumerate().take(16) {
            *param -= (number >> bit) as u8 & 1;
        }
        let list = [self::number(params.len() as u64), params].concat();
        [vec![FUNC], list.clone(), list].concat()
    };
    let types: Vec<u8> = (0..64).flat_map(ty).collect();
    module(&[section(1, [vec![64], types].concat())])
}

/// Calls inside of many `try_table`s: each call's table has them all.
fn nested_handlers() -> Vec<u8> {
    let depth = 5000;
    let tags: Vec<u8> = (0..depth)
        .flat_map(|tag| [vec![TRY_TABLE, 0x40, 1, 0], number(tag as u64), vec![0]].concat())
        .collect();
    let operators = [tags, [CALL, 0].repeat(depth), vec![END; depth]].concat();
    let body = sized([vec![0], operators, vec![END]].concat());
    module(&[
        section(1, vector(1, PLAIN)),
        section(3, vector(1, &[0])),
        section(13, vector(depth, &[0, 0])),
        section(10, [vec![1], body].concat()),
    ])
}

/// One `try` with a million clauses.
fn legacy_clauses() -> Vec<u8> {
    let operators = [vec![TRY, 0x40, CALL, 0], [CATCH, 0].repeat(1_000_000), vec![END]].concat();
    let body = sized([vec![0], operators, vec![END]].concat());
    module(&[
        section(1, vector(1, PLAIN)),
        section(3, vector(1, &[0])),
        section(13, vector(1, &[0, 0])),
        section(10, [vec![1], body].concat()),
    ])
}

/// Says that it has more of everything than there are bytes.
fn lying_counts() -> Vec<u8> {
    let many = number(u32::MAX.into());
    module(&[section(1, [many.clone(), vec![FUNC], many.clone()].concat()), section(3, many)])
}

fn with_memory(sections: [Vec<u8>; 3]) -> Vec<u8> {
    let [types, functions, code] = sections;
    module(&[types, functions, section(5, vec![1, 0, 1]), code])
}

/// Compiles one module, and says what came of it.
fn compile_bomb(bomb: &Bomb) -> ExitCode {
    let wasm = (bomb.module)();
    let schedule = Schedule { jobs: 2, ..Schedule::default() };
    let settings = CompilerSettings {
        target: Some("x86_64-unknown-linux".into()),
        ..CompilerSettings::default()
    };
    let outcome = std::thread::Builder::new()
        .stack_size(STACK)
        .spawn(move || compile(&wasm, &settings, &schedule));
    match (outcome.unwrap().join().unwrap(), &bomb.outcome) {
        (Ok(artifact), Compiled) => println!("compiled to {} bytes", artifact.as_bytes().len()),
        (Err(error), Refused(words)) if chain(&error).contains(words) => {
            println!("refused: {}", chain(&error))
        }
        (Ok(_), Refused(_)) => {
            println!("it was compiled");
            return ExitCode::FAILURE;
        }
        (Err(error), _) => {
            println!("refused, but because: {}", chain(&error));
            return ExitCode::FAILURE;
        }
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default();
    println!("{peak}");
    ExitCode::SUCCESS
}

/// An error and its sources.
fn chain(error: &CompileError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        text += &format!(": {error}");
        source = error.source();
    }
    text
}

/// Compiles a module in another process.
fn run(bomb: &Bomb) -> Result<(), Failed> {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -v $0 && exec \"$@\"", &ADDRESS_SPACE.to_string()]);
    command.arg(env::current_exe()?).env(BOMB, bomb.name);
    let output = command.output()?;
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    print!("{}: {said}", bomb.name);
    if output.status.success() { Ok(()) } else { Err(format!("{}: {said}", output.status).into()) }
}

fn main() -> ExitCode {
    if let Some(name) = env::var_os(BOMB) {
        let bomb = BOMBS.iter().find(|bomb| name == bomb.name).expect("the name of a bomb");
        return compile_bomb(bomb);
    }
    let mut arguments = Arguments::from_args();
    // Each may take gigabytes.
    arguments.test_threads = Some(1);
    let trials = BOMBS.iter().map(|bomb| Trial::test(bomb.name, move || run(bomb)));
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}
