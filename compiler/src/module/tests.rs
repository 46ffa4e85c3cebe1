use precast_artifact::index::{DataIndex, DefinedFuncIndex, ElemIndex, TableIndex};
use precast_artifact::module::{
    DataMode, ElementItems, ElementMode, ElementRange, PageRun, TableImage,
};
use precast_config::WasmFeatures as Features;

use super::*;

fn settings() -> CompilerSettings {
    CompilerSettings::default()
}

fn wasm(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

fn parsed<T>(text: &str, look: impl FnOnce(ParsedModule<'_>) -> T) -> T {
    let wasm = wasm(text);
    look(parse(&wasm, &settings(), 4096, 2).unwrap())
}

/// What is said about a module, its functions included.
fn refusal(wasm: &[u8], features: &Features) -> String {
    let source = first_error(wasm, features).expect("the module is refused");
    explain(wasm, features, source).to_string()
}

#[test]
fn facts_are_taken_over() {
    let text = r#"(module $m
        (import "a" "f" (func $f (param i32)))
        (import "a" "g" (global $g i32))
        (import "a" "t" (table 1 funcref))
        (import "a" "m" (memory 1))
        (table $own 3 9 externref)
        (memory (export "mem") 2 5)
        (global (mut i64) (i64.const -7))
        (global funcref (ref.func $h))
        (func $h (export "h") (param i64) (result i64) local.get 0)
        (func $i)
        (start $i))"#;
    // Two memories need multi-memory, so the own one goes.
    let text = text.replace(r#"(memory (export "mem") 2 5)"#, "");
    parsed(&text, |parsed| {
        let ParsedModule { module, function_types, func_refs, bodies, .. } = &parsed;
        assert_eq!(module.name.as_deref(), Some("m"));
        let imported = module.imported;
        assert_eq!(
            [imported.functions, imported.globals, imported.tables, imported.memories],
            [1; 4]
        );
        assert_eq!(module.imports[1].name, "g");
        assert_eq!(module.defined_functions, 2);
        assert_eq!(bodies.len(), 2);
        assert_eq!(module.start, Some(FuncIndex(2)));
        assert_eq!(function_types.len(), 3);
        assert_eq!(func_refs[..], [None, Some(FuncRefIndex(0)), None]);
        assert_eq!((module.func_refs, &module.imported_func_refs[..]), (1, &[None][..]));
        assert_eq!(module.exports.len(), 1);
        assert_eq!(module.exports[0].item, ExportItem::Func(FuncIndex(1), function_types[1]));
        assert_eq!(module.tables[1].limits.max, Some(9));
        assert_eq!(module.table_initializers.len(), 1);
        assert_eq!(module.global_initializers[0].0, [ConstOp::I64(-7)]);
        assert_eq!(module.global_initializers[1].0, [ConstOp::RefFunc(FuncIndex(1))]);
        assert_eq!(parsed.function_name(FuncIndex(1)), Some("h"));
        assert_eq!(parsed.function_name(FuncIndex(9)), None);
        assert_eq!(parsed.function_at(bodies[1].range().start), Some(FuncIndex(2)));
        assert_eq!(parsed.function_at(8), None);
    });
}

#[test]
fn types_keep_their_groups() {
    parsed("(module (type (func)) (type (func (param i32) (result f64))))", |parsed| {
        let types = &parsed.module.types;
        assert_eq!(types.groups, [1, 1]);
        assert_eq!(types.func(TypeIndex(1)).unwrap().to_string(), "(i32) -> (f64)");
        assert!(types.types[0].is_final);
    });
}

#[test]
fn known_elements_become_an_image() {
    let text = r#"(module
        (import "a" "o" (global $o i32))
        (func $f) (func $g) (func $h)
        (table 10 funcref)
        (elem (i32.const 1) $f $g)
        (elem $passive func $h)
        (elem (offset (i32.add (i32.const 1) (i32.const 1))) funcref (ref.func $h) (ref.null func))
        (elem declare func $g)
        (elem (global.get $o) $f)
        (elem (i32.const 7) $f))"#;
    parsed(text, |parsed| {
        let module = &parsed.module;
        let range = |start, len| ElementRange { start, len };
        let [f, g, h] = [0, 1, 2].map(|index| Some(FuncIndex(index)));
        assert_eq!(
            module.table_images,
            [TableImage { table: TableIndex(0), functions: range(3, 4) }]
        );
        assert_eq!(parsed.bulk.elements, [h, f, f, None, f, h, None]);
        let [passive, global, constant] = &module.elements[..] else { panic!("three are left") };
        assert_eq!([passive, global, constant].map(|segment| segment.index.0), [1, 4, 5]);
        assert_eq!(passive.mode, ElementMode::Passive);
        assert!(matches!(global.mode, ElementMode::Active { .. }));
        assert!(matches!(constant.mode, ElementMode::Active { .. }));
        assert_eq!(constant.items, ElementItems::Functions(range(2, 1)));
        assert_eq!(module.element_position(passive.index), Some(0));
        assert_eq!(module.element_position(ElemIndex(2)), None);
        assert_eq!(parsed.func_refs.iter().flatten().count(), 3);
        let _ = g;
    });
}

#[test]
fn elements_that_may_not_fit_stay() {
    for text in [
        "(module (func $f) (table 1 funcref) (elem (i32.const 1) $f))",
        "(module (func $f) (table 1 funcref) (elem (i32.const -1) $f))",
        r#"(module (import "a" "t" (table 9 funcref)) (func $f) (elem (i32.const 0) $f))"#,
        // Ten million elements for one function.
        "(module (func $f) (table 9999999 funcref) (elem (i32.const 9999998) $f))",
        "(module (table 2 externref) (elem (i32.const 0) externref (ref.null extern)))",
    ] {
        parsed(text, |parsed| {
            assert!(parsed.module.table_images.is_empty(), "{text}");
            let mode = &parsed.module.elements[0].mode;
            assert!(matches!(mode, ElementMode::Active { .. }), "{text}");
        });
    }
}

#[test]
fn known_data_becomes_an_image() {
    let text = r#"(module
        (import "a" "o" (global $o i32))
        (memory 2)
        (data (i32.const 8) "abc")
        (data $passive "passive")
        (data (i32.const 0x10008) "de")
        (data (i32.const 131072) "")
        (data (global.get $o) "fg")
        (data (i32.const 0) "hi"))"#;
    parsed(text, |parsed| {
        let module = &parsed.module;
        assert_eq!(module.memory_images.len(), 1);
        assert_eq!(module.memory_images[0].runs, [PageRun { address: 0, start: 0, len: 0x11000 }]);
        assert_eq!(&parsed.bulk.images[8..11], b"abc");
        assert_eq!(&parsed.bulk.images[0x10008..0x1000a], b"de");
        assert_eq!(parsed.bulk.data, b"passivefghi");
        let [passive, global, constant] = &module.data[..] else { panic!("three are left") };
        assert_eq!([passive, global, constant].map(|segment| segment.index.0), [1, 4, 5]);
        assert_eq!(passive.mode, DataMode::Passive);
        assert_eq!((global.start, global.len), (7, 2));
        assert_eq!(module.data_position(constant.index), Some(2));
        assert_eq!(module.data_position(DataIndex(0)), None);
    });
}

#[test]
fn data_that_may_not_fit_stays() {
    for text in [
        r#"(module (memory 1) (data (i32.const 65535) "ab"))"#,
        r#"(module (memory 0) (data (i32.const 1) ""))"#,
        r#"(module (import "a" "m" (memory 1)) (data (i32.const 0) "ab"))"#,
    ] {
        parsed(text, |parsed| {
            assert!(parsed.module.memory_images.is_empty(), "{text}");
            assert!(matches!(parsed.module.data[0].mode, DataMode::Active { .. }), "{text}");
        });
    }
}

#[test]
fn a_byte_at_the_end_of_a_large_memory_is_one_page() {
    let text = r#"(module (memory 65536) (data (i32.const 0xf9999999) "x"))"#;
    parsed(text, |parsed| {
        assert_eq!(parsed.bulk.images.len(), 4096);
        assert_eq!(parsed.module.memory_images[0].runs[0].address, 0xf9999000);
    });
}

#[test]
fn other_binaries_are_refused() {
    let error = |wasm: &[u8]| parse(wasm, &settings(), 4096, 1).err().unwrap();
    let component = wasm("(component)");
    assert!(matches!(error(&component), CompileError::Component));
    assert!(error(&component).to_string().contains("wasm-tools component unbundle"));
    assert!(matches!(error(b"(module)"), CompileError::NotWasm));
    assert!(matches!(error(b""), CompileError::NotWasm));
    assert!(matches!(error(b"\0asm\x01"), CompileError::Invalid { .. }));
    assert!(matches!(error(b"\0asm\x63\0\0\0"), CompileError::Invalid { .. }));
}

#[test]
fn missing_proposals_are_named() {
    for (proposal, text) in [
        ("custom-descriptors", "(type $t (struct)) (func (param (ref (exact $t))))"),
        ("stack-switching", "(type $f (func)) (type (cont $f))"),
    ] {
        let message = refusal(&wasm(&format!("(module {text})")), &Features::default());
        let expected = format!("this module needs the `{proposal}` proposal (at offset 0x");
        assert!(message.starts_with(&expected), "{text}: {message}");
        assert!(message.ends_with("which this version does not support"), "{message}");
    }
}

/// What needs a proposal, for every proposal that there is a setting for.
const NEEDS: &[(&str, &str)] = &[
    ("exceptions", "(tag (param i32))"),
    ("exceptions", "(func (param exnref))"),
    ("exceptions", "(func (block (try_table (catch_all 0))))"),
    ("legacy-exceptions", "(func try catch_all end)"),
    ("mutable-global", r#"(global (export "g") (mut i32) (i32.const 0))"#),
    ("saturating-float-to-int", "(func (drop (i32.trunc_sat_f32_s (f32.const 0))))"),
    ("sign-extension", "(func (drop (i32.extend8_s (i32.const 0))))"),
    ("multi-value", "(func (result i32 i32) unreachable)"),
    ("bulk-memory", "(memory 1) (func (memory.copy (i32.const 0) (i32.const 0) (i32.const 0)))"),
    ("bulk-memory", r#"(data "passive")"#),
    ("reference-types", "(func (param externref))"),
    ("reference-types", "(table 1 funcref) (table 1 funcref)"),
    ("extended-const", "(global i32 (i32.add (i32.const 0) (i32.const 0)))"),
    ("simd", "(func (drop (v128.const i64x2 0 0)))"),
    ("simd", "(func (param v128))"),
    ("relaxed-simd", "(func unreachable i8x16.relaxed_swizzle drop)"),
    ("tail-call", "(func return_call 0)"),
    ("function-references", "(type $t (func)) (func (param (ref null $t)))"),
    (
        "function-references",
        "(type $t (func)) (func (param funcref) (drop (ref.as_non_null (local.get 0))))",
    ),
    ("gc", "(type (struct))"),
    ("gc", "(rec (type (func)) (type (func)))"),
    ("gc", "(func (param i31ref))"),
    ("gc", "(func (drop (ref.test funcref (ref.null func))))"),
    (
        "wide-arithmetic",
        "(func (drop (drop (i64.add128 (i64.const 0) (i64.const 0) (i64.const 0) (i64.const 0)))))",
    ),
    ("memory64", "(memory i64 1)"),
    ("memory64", "(table i64 1 funcref)"),
    ("multi-memory", "(memory 1) (memory 1)"),
    ("multi-memory", "(memory 1) (func (drop (i32.load 0 (i32.const 0)))) (memory 1)"),
    ("custom-page-sizes", "(memory 1 (pagesize 1))"),
    ("threads", "(memory 1 1 shared)"),
    ("threads", "(memory 1) (func (drop (i32.atomic.load (i32.const 0))))"),
];

#[test]
fn every_setting_switches_its_proposal_off_and_on() {
    for &(proposal, text) in NEEDS {
        let wasm = wasm(&format!("(module {text})"));
        let mut features = Features::default();
        features.set(proposal, true).unwrap();
        assert!(first_error(&wasm, &features).is_none(), "{proposal}: {text}");

        features.set(proposal, false).unwrap();
        let source = first_error(&wasm, &features).expect("the module is refused");
        let error = explain(&wasm, &features, source);
        let offset = error.offset().expect("it is known where");
        assert!((8..wasm.len()).contains(&offset), "{text}: {offset}");
        assert_eq!(
            error.to_string(),
            format!(
                "this module needs the `{proposal}` proposal (at offset {offset:#x}), which is switched off"
            ),
            "{text}"
        );
    }
}

#[test]
fn every_setting_has_modules_that_need_it() {
    // Branch hints are in a custom section, which is valid without them.
    let mut missing = Features::NAMES.to_vec();
    missing.retain(|name| *name != "branch-hinting" && NEEDS.iter().all(|(need, _)| need != name));
    assert!(missing.is_empty(), "nothing in NEEDS needs {missing:?}");
}

#[test]
fn the_offset_is_that_of_the_first_need() {
    let text = "(module (memory 1) (func nop (drop (i32.extend8_s (i32.const 0))) (drop (i64.extend8_s (i64.const 0)))))";
    let wasm = wasm(text);
    let mut features = Features::default();
    features.set("sign-extension", false).unwrap();
    let source = first_error(&wasm, &features).unwrap();
    let offset = explain(&wasm, &features, source).offset().unwrap();
    // `i32.extend8_s`
    assert_eq!(wasm[offset], 0xc0);
}

#[test]
fn plain_mistakes_are_no_proposals() {
    let wasm = wasm("(module (func (result i32) i64.const 0))");
    assert_eq!(refusal(&wasm, &Features::default()), "invalid module");
}

#[test]
fn functions_are_the_same_when_what_they_call_is() {
    let text = r#"(module
        (import "a" "f" (func $f (result i32)))
        (import "a" "g" (func $g (result i32)))
        (func $one (result i32) (i32.const 1))
        (func $again (result i32) (i32.const 1))
        (func $two (result i32) (i32.const 2))
        (func $other_type (param i32) (result i32) (i32.const 1))
        (func $calls_one (result i32) (call $one))
        (func $calls_again (result i32) (call $again))
        (func $calls_two (result i32) (call $two))
        (func $calls_f (result i32) (call $f))
        (func $calls_g (result i32) (call $g))
        (func $calls_f_again (result i32) (call $f))
        (func $there (result i32) (call $back))
        (func $back (result i32) (call $there))
        (func $itself (result i32) (call $itself))
        (func $both (result i32) (i32.add (call $calls_one) (call $calls_again)))
        (func $both_again (result i32) (i32.add (call $calls_again) (call $calls_again)))
        (func $not_both (result i32) (i32.add (call $calls_again) (call $calls_two)))
        (func $tail (result i32) (return_call $one))
        (func $other_tail (result i32) (return_call $again)))"#;
    let expected = [0, 0, 2, 3, 4, 4, 6, 7, 8, 7, 10, 10, 10, 13, 13, 15, 16, 17];
    parsed(text, |parsed| {
        assert_eq!(parsed.representatives, expected.map(DefinedFuncIndex));
    });
}

/// A chain of calls in which every function differs from the next one, but only at its other end.
#[test]
fn in_a_long_chain_of_calls_only_the_same_bytes_count() {
    let last = 2000;
    let chain: String = (0..last)
        .map(|number| format!("(func (result i32) (call {}))", number + 1))
        .chain(["(func (result i32) (i32.const 1))".into()])
        .collect();
    let text = format!("(module {chain} (func (result i32) (call 2)))");
    let mut expected: Vec<_> = (0..=last).map(DefinedFuncIndex).collect();
    expected.push(DefinedFuncIndex(1));
    parsed(&text, |parsed| assert_eq!(parsed.representatives, expected));
}
