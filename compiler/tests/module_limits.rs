//! Every limit: a module that reaches it is accepted, one that goes a step further is refused, by name.

mod encode;

use precast_compiler::{CompileError, Schedule, compile, limits, validate};
use precast_config::CompilerSettings;

use encode::*;

/// Functions of the type `ty` that are imported.
fn imports(count: usize, ty: &[u8]) -> Vec<u8> {
    module(&[section(1, vector(1, ty)), section(2, vector(count, &[0, 0, 0, 0]))])
}

fn functions(imported: usize, defined: usize) -> Vec<u8> {
    module(&[
        section(1, vector(1, PLAIN)),
        section(2, vector(imported, &[0, 0, 0, 0])),
        section(3, vector(defined, &[0])),
        section(10, vector(defined, &[2, 0, END])),
    ])
}

fn imported_globals(count: usize) -> Vec<u8> {
    module(&[section(2, vector(count, &[0, 0, 3, I32, 0]))])
}

fn exports(count: usize) -> Vec<u8> {
    let export = |index: usize| {
        let name = format!("{index:x}").into_bytes();
        [sized(name), vec![3, 0]].concat()
    };
    let exports = (0..count).flat_map(export).collect();
    let global = [I32, 0, 0x41, 0, END];
    module(&[section(6, vector(1, &global)), section(7, [number(count as u64), exports].concat())])
}

fn import_named(size: usize) -> Vec<u8> {
    let import = [vec![0], sized(vec![b'a'; size]), vec![3, I32, 0]].concat();
    module(&[section(2, vector(1, &import))])
}

fn memory(flags: u8, pages: usize) -> Vec<u8> {
    module(&[section(5, [vec![1, flags], number(pages as u64)].concat())])
}

fn table(size: usize) -> Vec<u8> {
    module(&[section(4, [vec![1, FUNCREF, 0], number(size as u64)].concat())])
}

fn segment_of(elements: usize) -> Vec<u8> {
    let segment = [vec![1, 1, 0], vector(elements, &[0])].concat();
    module(&[
        section(1, vector(1, PLAIN)),
        section(2, vector(1, &[0, 0, 0, 0])),
        section(9, segment),
    ])
}

fn catches(count: usize) -> Vec<u8> {
    // `catch_all`, to the body of the function.
    let table = [vec![0x1f, 0x40], vector(count, &[2, 0]), vec![END]].concat();
    function(PLAIN, &[0], &table)
}

fn nested(depth: usize) -> Vec<u8> {
    let inner = depth - 1;
    function(PLAIN, &[0], &[BLOCK.repeat(inner), vec![END; inner]].concat())
}

/// As many locals as there may be in so many blocks of code.
fn locals_in_blocks(blocks: usize) -> Vec<u8> {
    let locals = [vec![1], number(limits::LOCALS as u64), vec![I32]].concat();
    // One block is the function's first, one is the target of the branches, and one comes after each.
    let branch = [0x41, 0, 0x0d, 0];
    let operators = [BLOCK.to_vec(), branch.repeat(blocks - 2), vec![END]].concat();
    function(PLAIN, &locals, &operators)
}

/// The locals of [`references_in_calls`].
const REFERENCES: usize = 1 << 10;

/// A function that has references in its locals while it calls.
fn references_in_calls(calls: usize) -> Vec<u8> {
    let locals = [vec![1], number(REFERENCES as u64), vec![EXTERNREF]].concat();
    // The function's first block counts like a call.
    function(PLAIN, &locals, &[0x10, 0].repeat(calls - 1))
}

struct Case {
    name: &'static str,
    limit: usize,
    /// A module with so many of them.
    module: Box<dyn Fn(usize) -> Vec<u8>>,
    /// What is said of one more.
    message: &'static str,
}

fn case(
    name: &'static str,
    limit: usize,
    message: &'static str,
    module: impl Fn(usize) -> Vec<u8> + 'static,
) -> Case {
    Case { name, limit, module: Box::new(module), message }
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

fn check(cases: Vec<Case>, accept: impl Fn(&[u8]) -> Result<(), CompileError>) {
    for Case { name, limit, module, message } in cases {
        if let Err(error) = accept(&module(limit)) {
            panic!("{limit} {name}: {}", chain(&error));
        }
        let error = accept(&module(limit + 1)).expect_err(name);
        let text = chain(&error);
        assert!(text.contains(message), "{name}: {text}");
        assert!(error.offset().is_some(), "{name}: {text}");
    }
}

#[test]
fn sections_may_reach_the_limits_and_not_exceed_them() {
    let plain = |id| {
        move |count| module(&[section(1, vector(1, PLAIN)), section(id, vector(count, &[0, 0]))])
    };
    let cases = vec![
        case("types", limits::TYPES, "types", |n| module(&[section(1, vector(n, PLAIN))])),
        case("parameters", limits::PARAMS, "params", |n| {
            imports(1, &[vec![FUNC], vector(n, &[I32]), vec![0]].concat())
        }),
        case("results", limits::RESULTS, "returns", |n| {
            imports(1, &[vec![FUNC, 0], vector(n, &[I32])].concat())
        }),
        case("imports", limits::IMPORTS_AND_EXPORTS, "effective type size", imported_globals),
        case("functions", limits::FUNCTIONS, "functions", |n| functions(3, n - 3)),
        case("tables", limits::TABLES, "tables", |n| {
            module(&[section(4, vector(n, &[FUNCREF, 0, 0]))])
        }),
        case("memories", limits::MEMORIES, "memories", |n| {
            module(&[section(5, vector(n, &[0, 0]))])
        }),
        case("pages", limits::MEMORY32_PAGES as usize, "memory size", |n| memory(0, n)),
        case("pages", limits::MEMORY64_PAGES as usize, "memory size", |n| memory(4, n)),
        case("elements of a table", limits::TABLE32_SIZE as usize, "table", table),
        case("tags", limits::TAGS, "tags", plain(13)),
        case("globals", limits::GLOBALS, "globals", |n| {
            module(&[section(6, vector(n, &[I32, 0, 0x41, 0, END]))])
        }),
        case("exports", limits::IMPORTS_AND_EXPORTS, "effective type size", exports),
        case("bytes of a name", limits::NAME_SIZE, "string size", import_named),
        case("element segments", limits::ELEMENT_SEGMENTS, "element segments", |n| {
            module(&[section(9, vector(n, &[1, 0, 0]))])
        }),
        case("elements", limits::SEGMENT_ELEMENTS, "number of elements", segment_of),
        case("data segments", limits::DATA_SEGMENTS, "data segments", |n| {
            module(&[section(11, vector(n, &[1, 0]))])
        }),
        case("bytes of a body", limits::FUNCTION_SIZE, "function body size", |n| {
            function(PLAIN, &[0], &vec![NOP; n - 2])
        }),
        case("locals", limits::LOCALS, "too many locals", |n| {
            let locals = [vec![1], number(n as u64 - 1), vec![I32]].concat();
            function(&[FUNC, 1, I32, 0], &locals, &[])
        }),
        case("clauses", limits::CATCHES, "catches", catches),
    ];
    check(cases, |wasm| validate(wasm, &CompilerSettings::default()));
}

#[test]
fn functions_may_reach_the_limits_and_not_exceed_them() {
    let blocks = limits::FUNCTION_LIVENESS as usize / limits::LOCALS;
    let calls = limits::FUNCTION_REFERENCES as usize / REFERENCES;
    let cases = vec![
        case("open blocks", limits::NESTING, "nested too deeply", nested),
        case("blocks", blocks, "too many locals and operands in too many blocks", locals_in_blocks),
        case("calls", calls, "too many references during too many calls", references_in_calls),
    ];
    check(cases, |wasm| {
        compile(wasm, &CompilerSettings::default(), &Schedule::default()).map(|_| ())
    });
}
