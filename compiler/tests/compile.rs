//! Whole compilations: what must not change the result, and what must not break it.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use precast_artifact::image::Image;
use precast_artifact::index::{DefinedFuncIndex, TypeIndex};
use precast_artifact::section::relocations::decode;
use precast_artifact::trap::Trap;
use precast_compiler::{CompileError, Progress, Schedule, compile, validate};
use precast_config::{CompilerSettings, CpuChoice, OptLevel};

fn fixture(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn checked_settings() -> CompilerSettings {
    CompilerSettings { verify_ir: true, ..CompilerSettings::default() }
}

fn jobs(jobs: usize) -> Schedule<'static> {
    Schedule { jobs, ..Schedule::default() }
}

fn compile_with(wasm: &[u8], settings: &CompilerSettings) -> Vec<u8> {
    match compile(wasm, settings, &jobs(1)) {
        Ok(artifact) => artifact.into_bytes(),
        Err(error) => panic!("{}", chain(&error)),
    }
}

fn compile_text(text: &str) -> Vec<u8> {
    compile_with(&wat::parse_str(text).unwrap(), &checked_settings())
}

fn refusal(text: &str) -> String {
    let wasm = wat::parse_str(text).unwrap();
    chain(&compile(&wasm, &checked_settings(), &jobs(1)).unwrap_err())
}

/// An error and its sources.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text += &format!(": {error}");
        source = error.source();
    }
    text
}

#[test]
fn jobs_and_machine_do_not_change_the_artifact() {
    for name in ["files.wasm", "args.wasm"] {
        let wasm = fixture(name);
        let settings = CompilerSettings::default();
        let first = compile(&wasm, &settings, &jobs(1)).unwrap();
        for _ in 0..2 {
            assert!(compile(&wasm, &settings, &jobs(8)).unwrap() == first, "{name}");
        }
        Image::verify(first.as_bytes()).unwrap();
    }
}

#[test]
fn other_targets_can_be_compiled_for() {
    let wasm = fixture("files.wasm");
    let baseline = CpuChoice::Baseline;
    for target in ["aarch64-unknown-linux-gnu", "aarch64-apple-darwin", "x86_64-unknown-linux-gnu"]
    {
        for opt_level in [OptLevel::None, OptLevel::Speed, OptLevel::SpeedAndSize] {
            let target = Some(target.to_owned());
            let cpu = baseline.clone();
            let settings = CompilerSettings { target, cpu, opt_level, ..checked_settings() };
            let artifact = compile_with(&wasm, &settings);
            let image = Image::parse(&artifact).unwrap();
            assert_eq!(Some(&image.description.target.triple), settings.target.as_ref());
            assert!(image.description.cpu_features.is_empty());
        }
    }
}

#[test]
fn the_artifact_says_what_it_is() {
    let wasm = wat::parse_str(r#"(module (func $f (export "f")))"#).unwrap();
    let flags = vec![("enable_nan_canonicalization".to_owned(), "on".to_owned())];
    let settings = CompilerSettings { flags, ..checked_settings() };
    let artifact = compile_with(&wasm, &settings);
    let description = Image::parse(&artifact).unwrap().description;
    assert_eq!(description.compiler, env!("CARGO_PKG_VERSION"));
    assert_eq!(description.setting("opt_level"), Some("speed"));
    assert_eq!(description.setting("memory_guard"), Some("33554432"));
    assert_eq!(description.setting("flag.enable_nan_canonicalization"), Some("true"));
    assert!(description.wasm_features.is_sorted());
    assert!(description.wasm_features.contains(&"bulk-memory".to_owned()));
    assert_eq!(description.check_host(), Ok(()));
}

#[test]
fn functions_and_trampolines_are_found() {
    let artifact = compile_text(
        r#"(module
            (type $unused (func (param f64)))
            (import "a" "f" (func $f (param i32) (result i32)))
            (func $divide (export "divide") (param i32 i32) (result i32)
                (i32.div_s (call $f (local.get 0)) (local.get 1)))
            (func $alone (param externref i64))
            (func $same (param i32 i64))
            (table (export "functions of any type") 0 funcref))"#,
    );
    let image = Image::parse(&artifact).unwrap();
    let functions: Vec<_> = image.sections.functions.iter().collect();
    assert_eq!(functions.len(), 3);
    assert_eq!(functions[0].func_ref.map(|slot| slot.0), Some(0));
    assert_eq!(functions[1].func_ref, None);
    assert_eq!(image.sections.symbols.function_name(DefinedFuncIndex(0)), Some("divide"));

    let sites: Vec<_> = image.sections.sites.iter().collect();
    let code = functions[0].start..functions[1].start;
    let of_divide = sites.iter().filter(|site| code.contains(&site.code));
    let traps: Vec<_> = of_divide.map(|site| site.trap).collect();
    let expected = [Some(Trap::StackOverflow), None, Some(Trap::IntegerDivisionByZero)];
    assert!(expected.iter().all(|trap| traps.contains(trap)), "{traps:?}");

    let signature = |ty| *image.module.signature(TypeIndex(ty)).unwrap();
    assert_eq!(image.module.signatures.len(), 5);
    let distinct = [0, 1, 2, 3].map(|ty| signature(ty).entry);
    assert!(distinct.iter().enumerate().all(|(i, at)| !distinct[..i].contains(at)));
    // References to the host are 32-bit, as far as registers are concerned.
    assert_eq!(signature(3).entry, signature(4).entry);
    assert_eq!(signature(3).exit, signature(4).exit);
    let names: Vec<_> = image.sections.symbols.iter().filter_map(|symbol| symbol.0).collect();
    assert!(names.contains(&"wasm entry (i32, i32) -> (i32)"), "{names:?}");
    assert!(!names.iter().any(|name| name.starts_with("wasm helper")), "{names:?}");
}

#[test]
fn trampolines_are_for_what_can_cross_the_border() {
    let trampolines = |extra: &str| {
        let artifact = compile_text(&format!(
            r#"(module
                (import "a" "f" (func $f (param i32)))
                (table 2 funcref)
                (elem (i32.const 0) $f $inner)
                (func $inner (param f64) (result f64) (local.get 0))
                (func $start (call $f (i32.const 1)))
                (start $start)
                (func (export "g") (param i64) (call_indirect (param i32) (i32.const 2) (i32.const 0)))
                {extra})"#
        ));
        let image = Image::parse(&artifact).unwrap();
        let names = image.sections.symbols.iter().filter_map(|symbol| symbol.0);
        let is_border =
            |name: &&str| ["wasm entry", "wasm exit"].iter().any(|b| name.starts_with(b));
        names.filter(is_border).map(str::to_owned).collect::<Vec<_>>()
    };
    let expected = ["wasm entry () -> ()", "wasm entry (i64) -> ()", "wasm exit (i32) -> ()"];
    assert_eq!(trampolines(""), expected);
    // Each of these lets functions that are not exported get to the host, or back.
    for way_out in [
        r#"(export "table" (table 0))"#,
        r#"(global (export "global") funcref (ref.func $inner)) (elem declare func $inner)"#,
        r#"(func (export "get") (result funcref) (table.get (i32.const 1)))"#,
        r#"(tag (param funcref))"#,
        r#"(func (export "set") (param externref))"#,
    ] {
        let names = trampolines(way_out);
        for name in ["wasm entry (f64) -> (f64)", "wasm exit (f64) -> (f64)"] {
            assert!(names.iter().any(|found| found == name), "{way_out}: {names:?}");
        }
    }
}

#[test]
fn a_stripped_artifact_has_no_names() {
    let text = r#"(module $secret_module
        (func $secret_function (export "run") (param i32) (result i32)
            (i32.div_u (i32.const 1) (local.get 0))))"#;
    let wasm = wat::parse_str(text).unwrap();
    let kept = compile_with(&wasm, &checked_settings());
    let stripped = compile_with(&wasm, &CompilerSettings { strip: true, ..checked_settings() });
    let has = |bytes: &[u8], name: &[u8]| bytes.windows(name.len()).any(|part| part == name);
    for name in [&b"secret_module"[..], b"secret_function", b"wasm entry"] {
        assert!(has(&kept, name) && !has(&stripped, name), "{}", name.escape_ascii());
    }
    let image = Image::parse(&stripped).unwrap();
    assert_eq!(image.sections.symbols.iter().count(), 0);
    assert_eq!(image.sections.symbols.function_name(DefinedFuncIndex(0)), None);
    // Where code can trap is still known.
    let kept = Image::parse(&kept).unwrap();
    assert!(image.sections.sites.iter().eq(kept.sections.sites.iter()));
    assert_eq!(image.module.exports, kept.module.exports);
}

#[test]
fn only_used_helpers_have_trampolines() {
    let artifact = compile_text("(module (memory 1) (func (drop (memory.grow (i32.const 1)))))");
    let image = Image::parse(&artifact).unwrap();
    let helpers = image.sections.symbols.iter().filter_map(|symbol| symbol.0);
    let helpers: Vec<_> = helpers.filter(|name| name.starts_with("wasm helper")).collect();
    assert_eq!(helpers, ["wasm helper memory_grow"]);
}

#[test]
fn signatures_of_all_sizes_have_trampolines() {
    let list = |count: usize| {
        ["i32", "f64", "i64", "externref", "funcref", "f32"]
            .into_iter()
            .cycle()
            .take(count)
            .collect::<Vec<_>>()
            .join(" ")
    };
    for (params, results) in [(0, 0), (1, 1), (20, 0), (0, 20), (40, 40), (1000, 1000)] {
        let (params, results) = (list(params), list(results));
        let text = format!(
            r#"(module (import "a" "f" (func (param {params}) (result {results})))
                (func (param {params}) (result {results}) unreachable))"#
        );
        let wasm = wat::parse_str(&text).unwrap();
        for target in ["x86_64", "aarch64"] {
            let target = Some(target.to_owned());
            compile_with(&wasm, &CompilerSettings { target, ..checked_settings() });
        }
    }
}

#[test]
fn processors_without_rounding_need_the_loader() {
    let wasm = wat::parse_str("(module (func (param f64) (result f64) (f64.floor (local.get 0))))");
    let wasm = wasm.unwrap();
    for (cpu, relocations) in [("x86-64", 1), ("x86-64-v2", 0)] {
        let target = Some("x86_64".to_owned());
        let cpu = CpuChoice::Named(cpu.to_owned());
        let artifact = compile_with(&wasm, &CompilerSettings { target, cpu, ..checked_settings() });
        let image = Image::parse(&artifact).unwrap();
        let table = image.sections.relocations;
        let decoded = decode(table, image.sections.text.bytes.len() as u64);
        let decoded: Result<Vec<_>, _> = decoded.collect();
        assert_eq!(decoded.unwrap().len(), relocations);
    }
}

#[test]
fn empty_modules_compile() {
    let artifact = compile_text("(module)");
    let image = Image::parse(&artifact).unwrap();
    assert!(image.sections.functions.is_empty());
    assert!(image.module.signatures.is_empty());
}

#[test]
fn errors_say_where() {
    let text = r#"(module
        (func $fine)
        (func $wrong (result i32) (i64.const 0))
        (func $worse (drop)))"#;
    let wasm = wat::parse_str(text).unwrap();
    for count in [1, 8] {
        let error = compile(&wasm, &checked_settings(), &jobs(count)).unwrap_err();
        let function = error.function().expect("it is in a function");
        assert_eq!(
            (function.index.map(|f| f.0), function.name.as_deref()),
            (Some(1), Some("wrong"))
        );
        assert!(error.offset().is_some());
        assert!(chain(&error).starts_with("invalid module, function 1 `wrong`: type mismatch"));
    }
    let wide = refusal("(module (func unreachable i64.add128 drop drop))");
    let expected = "this module needs the `wide-arithmetic` proposal (at offset 0x";
    assert!(wide.starts_with(expected), "{wide}");
    assert!(matches!(
        compile(&wat::parse_str("(component)").unwrap(), &checked_settings(), &jobs(1)),
        Err(CompileError::Component)
    ));
}

#[test]
fn casts_to_exact_types_are_refused() {
    for cast in [
        "(ref.test (ref (exact $t)) (local.get 0))",
        "(ref.test (ref null (exact $t)) (local.get 0))",
        "(ref.cast (ref (exact $t)) (local.get 0))",
        "(ref.cast (ref null (exact $t)) (local.get 0))",
        "(block (result anyref) (br_on_cast 0 anyref (ref (exact $t)) (local.get 0)))",
        "(block (result anyref) (br_on_cast_fail 0 anyref (ref (exact $t)) (local.get 0)))",
    ] {
        let text = format!("(module (type $t (struct)) (func (param anyref) (drop {cast})))");
        let message = refusal(&text);
        assert!(message.contains("`custom-descriptors`"), "{cast}: {message}");
        let wasm = wat::parse_str(&text).unwrap();
        let error = validate(&wasm, &CompilerSettings::default()).unwrap_err();
        assert!(error.to_string().contains("`custom-descriptors`"), "{cast}: {error}");
        // Where nothing can call it, it is not translated.
        let text = format!(
            "(module (type $t (struct)) (func $f (param anyref) (drop {cast}))
                (func (export \"g\") unreachable (call $f (ref.null any))))"
        );
        let message = refusal(&text);
        assert!(message.contains("`custom-descriptors`"), "{cast}: {message}");
    }
}

#[test]
fn progress_counts_every_function() {
    #[derive(Default)]
    struct Count(AtomicUsize, AtomicUsize);
    impl Progress for Count {
        fn functions(&self, done: usize, total: usize) {
            assert!(done >= 1 && done <= total);
            self.0.fetch_add(1, Ordering::Relaxed);
            self.1.store(total, Ordering::Relaxed);
        }
    }
    let count = Count::default();
    let schedule = Schedule { progress: Some(&count), ..jobs(4) };
    compile(&fixture("args.wasm"), &CompilerSettings::default(), &schedule).unwrap();
    assert!(count.1.load(Ordering::Relaxed) > 0);
    assert_eq!(count.0.into_inner(), count.1.into_inner());
}

#[test]
fn a_compilation_can_be_cancelled_at_any_time() {
    /// Cancels after so many functions.
    struct After<'a>(usize, &'a AtomicBool);
    impl Progress for After<'_> {
        fn functions(&self, done: usize, _: usize) {
            self.1.fetch_or(done >= self.0, Ordering::Relaxed);
        }
    }
    let (wasm, settings) = (fixture("args.wasm"), CompilerSettings::default());
    let expected = compile(&wasm, &settings, &jobs(4)).unwrap();
    for after in [0, 1, 2, 5, 10] {
        for count in [1, 4] {
            let cancel = AtomicBool::new(after == 0);
            let progress = After(after, &cancel);
            let schedule =
                Schedule { progress: Some(&progress), cancel: Some(&cancel), ..jobs(count) };
            match compile(&wasm, &settings, &schedule) {
                Ok(artifact) => assert!(after > 0 && artifact == expected),
                Err(error) => assert!(matches!(error, CompileError::Cancelled), "{error}"),
            }
        }
    }
    // Nothing has asked for it before the first function, and not after the last one.
    let never = AtomicBool::new(false);
    let schedule = Schedule { cancel: Some(&never), ..jobs(1) };
    assert!(compile(&wasm, &settings, &schedule).unwrap() == expected);
}

/// Cuts and flips bits of a real module: the answer is an artifact or an error, no panic.
#[test]
fn damaged_modules_are_errors() {
    let wasm = fixture("exit.wasm");
    let settings = CompilerSettings { opt_level: OptLevel::None, ..CompilerSettings::default() };
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = |bound: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % bound as u64) as usize
    };
    let check = |bytes: &[u8]| {
        if let Err(error) = compile(bytes, &settings, &jobs(1)) {
            assert!(!matches!(error, CompileError::Internal { .. }), "{error}");
        }
    };
    for _ in 0..150 {
        check(&wasm[..next(wasm.len())]);
    }
    for _ in 0..150 {
        let mut bytes = wasm.clone();
        for _ in 0..=next(3) {
            let at = next(bytes.len());
            bytes[at] ^= 1 << next(8);
        }
        check(&bytes);
    }
}

#[test]
fn hostile_modules_are_bounded() {
    // Nesting, and one block parameter list after another.
    let deep = format!("(module (func {} {}))", "block ".repeat(20_000), "end ".repeat(20_000));
    compile_text(&deep);
    let chain = "i32.eqz ".repeat(50_000);
    compile_text(&format!("(module (func (param i32) (result i32) local.get 0 {chain}))"));
    // A sum whose operands all stay alive.
    let wide = format!(
        "(module (func (param i32) (result i32) {} {}))",
        "local.get 0 ".repeat(5_000),
        "i32.add ".repeat(4_999)
    );
    compile_text(&wide);
    // One byte at the end of each megabyte of a large memory.
    let data: String =
        (1..4000u32).map(|i| format!(r#"(data (i32.const {}) "x")"#, (i << 20) - 1)).collect();
    let artifact = compile_text(&format!("(module (memory 65536) {data})"));
    assert!(artifact.len() < 4 << 20, "{}", artifact.len());
    let locals = "(local i64)".repeat(49_999);
    compile_text(&format!("(module (func {locals}))"));
}
