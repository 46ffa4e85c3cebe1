//! Each command does what its help says.

mod support;

use std::fs;

use support::{PRECAST, Workspace, fixture};

#[test]
fn run_takes_modules_artifacts_and_text() {
    let work = Workspace::new();
    assert_eq!(work.precast(["run", &fixture("hello.wasm")]).stdout(), "Hello, world!\n");
    assert_eq!(work.precast(["run", &fixture("hello.wat")]).stdout(), "hello\n");
    work.precast(["compile", &fixture("hello.wasm"), "-o", "hello.precast"]).stdout();
    for options in [&[][..], &["--verify"], &["--copy"]] {
        let arguments = ["run"].iter().chain(options).chain(&["hello.precast"]);
        assert_eq!(work.precast(arguments).stdout(), "Hello, world!\n");
    }
}

#[test]
fn who_reads_the_output_may_stop() {
    let work = Workspace::new();
    work.precast(["compile", &fixture("hello.wasm"), "-o", "hello.precast"]).stdout();
    for arguments in [&["inspect", "hello.precast"][..], &["settings"], &["targets"], &["help"]] {
        // A pipe that nobody reads any more.
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let outcome = work.command(PRECAST).args(arguments).stdout(writer).output().unwrap();
        let said = String::from_utf8_lossy(&outcome.stderr);
        assert!(!said.contains("panicked"), "{arguments:?}: {said}");
    }
}

#[test]
fn stages_of_compiling_are_timed_on_request() {
    let work = Workspace::new();
    let stderr = |arguments: &[&str]| {
        let outcome = work.command(PRECAST).args(arguments).output().unwrap();
        assert!(outcome.status.success());
        String::from_utf8(outcome.stderr).unwrap()
    };
    let hello = fixture("hello.wasm");
    let said = stderr(&["run", "--time", &hello]);
    for stage in ["parse", "translate", "optimize", "generate", "link", "write", "begin to end"] {
        assert!(said.contains(stage), "{stage}: {said}");
    }
    // Nothing is compiled.
    assert_eq!(stderr(&["run", "--time", &hello]), "");
    let said = stderr(&["compile", "--no-cache", "--time=json", "-O", "none", &hello, "-o", "out"]);
    let times: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert!(times["wall"].as_f64() >= times["stages"]["parse"].as_f64(), "{said}");
    assert!(times["stages"]["generate"].as_f64() > Some(0.0), "{said}");
}

#[test]
fn compile_writes_beside_the_module() {
    let work = Workspace::new();
    fs::copy(fixture("hello.wasm"), work.path("hello.wasm")).unwrap();
    work.precast(["compile", "hello.wasm"]).stdout();
    let artifact = fs::read(work.path("hello.precast")).unwrap();
    for jobs in ["1", "8"] {
        work.precast(["compile", "--jobs", jobs, "hello.wasm", "-o", "again.precast"]).stdout();
        assert!(fs::read(work.path("again.precast")).unwrap() == artifact, "jobs {jobs}");
    }
    let names: Vec<_> = fs::read_dir(work.path(""))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "cache")
        .collect();
    assert_eq!(names.len(), 3, "nothing else is left behind: {names:?}");
}

#[test]
fn programs_get_arguments_environment_and_name() {
    let work = Workspace::new();
    let output = work
        .precast([
            "run",
            "--env",
            "A=1",
            "--env",
            "B=two words",
            "--argv0",
            "name",
            &fixture("args.wasm"),
            "--flag",
            "value",
        ])
        .stdout();
    for expected in ["name", "--flag", "value", "A=1", "B=two words"] {
        assert!(output.contains(expected), "{expected}: {output}");
    }
    assert!(!output.contains("PATH="), "the environment is not inherited: {output}");
}

#[test]
fn exit_codes_are_the_programs_own() {
    let work = Workspace::new();
    for code in [0, 1, 3, 42, 255] {
        let outcome = work.precast(["run", &fixture("exit.wasm"), &code.to_string()]);
        assert_eq!(outcome.code, Some(code), "{outcome:?}");
    }
}

#[test]
fn traps_are_134_with_a_backtrace() {
    let work = Workspace::new();
    for (kind, message) in [
        ("unreachable", "unreachable"),
        ("divide-by-zero", "integer divide by zero"),
        ("out-of-bounds", "out of bounds memory access"),
        ("signature", "indirect call type mismatch"),
        ("null-function", "uninitialized element"),
        ("table-out-of-bounds", "undefined element"),
    ] {
        let outcome = work.precast(["run", &fixture("trap.wasm"), kind]);
        assert_eq!(outcome.code, Some(134), "{outcome:?}");
        assert!(outcome.stderr.contains(message), "{kind}: {outcome:?}");
        let frames = ["innermost", "middle", "outermost", "main", "_start"];
        let positions: Vec<_> = frames
            .iter()
            .map(|frame| outcome.stderr.find(&format!("!{frame}\n")).unwrap_or(usize::MAX))
            .collect();
        assert!(positions.is_sorted() && positions[4] != usize::MAX, "{kind}: {outcome:?}");
    }
    let outcome = work.precast(["run", &fixture("recurse.wasm")]);
    assert_eq!(outcome.code, Some(134), "{outcome:?}");
    assert!(outcome.stderr.contains("call stack exhausted"), "{outcome:?}");
}

#[test]
fn directories_are_the_programs_only_when_given() {
    let work = Workspace::new();
    fs::create_dir(work.path("given")).unwrap();
    let files = fixture("files.wasm");
    let given = work.precast(["run", "--dir", "given::data", &files]);
    assert_eq!(given.code, Some(0), "{given:?}");
    let not_given = work.precast(["run", &files]);
    assert_ne!(not_given.code, Some(0), "{not_given:?}");
}

#[test]
fn invoke_calls_an_export() {
    let work = Workspace::new();
    let exports = fixture("exports.wat");
    let call = |arguments: &[&str]| {
        let all = ["run", "--invoke"].iter().chain(&arguments[..1]).copied();
        work.precast(all.chain([exports.as_str()]).chain(arguments[1..].iter().copied()))
    };
    assert_eq!(call(&["add", "40", "2"]).stdout(), "42\n");
    assert_eq!(call(&["add", "4294967295", "-1"]).stdout(), "-2\n");
    assert_eq!(call(&["factorial", "20"]).stdout(), "2432902008176640000\n");
    assert_eq!(call(&["swap", "1", "-2"]).stdout(), "-2\n1\n");
    assert_eq!(call(&["hypotenuse", "3", "4"]).stdout(), "5\n");
    for wrong in [&["add", "1"][..], &["add", "1", "x"], &["nothing"]] {
        assert_eq!(call(wrong).code, Some(1), "{wrong:?}");
    }
}

#[test]
fn inspect_shows_what_an_artifact_is() {
    let work = Workspace::new();
    work.compile("hello.wasm");
    let text = work.precast(["inspect", "--functions", "compiled.precast"]).stdout();
    for expected in ["runs here:     yes", "wasi_snapshot_preview1::fd_write", "_start", ".text"] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    let json = work.precast(["inspect", "--json", "compiled.precast"]).stdout();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["unfit"], serde_json::Value::Null);
    assert!(json["functions"].as_array().unwrap().len() > 3);
    assert_eq!(json["wasm_sha256"].as_str().unwrap().len(), 64);
}

#[test]
fn scripts_are_run_and_failures_are_placed() {
    let work = Workspace::new();
    let module = r#"(module (func (export "one") (result i32) (i32.const 1)))"#;
    let script = format!("{module}\n(assert_return (invoke \"one\") (i32.const 1))\n");
    fs::write(work.path("good.wast"), &script).unwrap();
    let wrong = format!("{script}(assert_return (invoke \"one\") (i32.const 2))\n");
    fs::write(work.path("wrong.wast"), wrong).unwrap();
    let output = work.precast(["wast", "good.wast"]).stdout();
    assert_eq!(output, "1 of 1 files passed, 1 of 1 assertions\n");
    let outcome = work.precast(["wast", "--through-file", "good.wast", "wrong.wast"]);
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(outcome.stderr.contains("wrong.wast:3:2"), "{outcome:?}");
    assert!(outcome.stdout.contains("1 of 2 files passed, 2 of 3 assertions"), "{outcome:?}");
}

#[test]
fn validate_compiles_nothing_and_says_nothing() {
    let work = Workspace::new();
    assert_eq!(
        work.precast(["validate", &fixture("hello.wasm"), &fixture("exports.wat")]).stdout(),
        ""
    );
}

#[test]
fn targets_and_settings_are_listed() {
    let work = Workspace::new();
    let targets = work.precast(["targets"]).stdout();
    assert!(
        targets.contains("aarch64-unknown-linux-gnu") && targets.contains("x86-64-v3"),
        "{targets}"
    );
    let settings = work.precast(["settings"]).stdout();
    assert!(settings.contains("opt_level") && settings.contains("has_avx2"), "{settings}");
    for command in ["targets", "settings"] {
        let json = work.precast([command, "--json"]).stdout();
        serde_json::from_str::<serde_json::Value>(&json).unwrap();
    }
}

#[test]
fn flags_reach_the_code_generator_unless_the_contract_needs_them() {
    let work = Workspace::new();
    let hello = fixture("hello.wasm");
    let set = |flag: &str| work.precast(["compile", "--set", flag, &hello, "-o", "set.precast"]);
    assert_eq!(set("enable_nan_canonicalization").code, Some(0));
    let inspected = work.precast(["inspect", "set.precast"]).stdout();
    assert!(inspected.contains("enable_nan_canonicalization = true"), "{inspected}");
    for (flag, expected) in [
        ("preserve_frame_pointers=false", "preserve_frame_pointers"),
        ("enable_nan_canonicalisation", "enable_nan_canonicalization"),
    ] {
        let outcome = set(flag);
        assert_eq!(outcome.code, Some(1), "{outcome:?}");
        assert!(outcome.stderr.contains(expected), "{outcome:?}");
    }
}

#[test]
fn baseline_code_rounds_without_rounding_instructions() {
    let work = Workspace::new();
    let text = r#"(module (func (export "f") (param f64) (result f64 f64 f64 f64)
        (f64.ceil (local.get 0)) (f64.floor (local.get 0))
        (f64.trunc (local.get 0)) (f64.nearest (local.get 0))))"#;
    fs::write(work.path("round.wat"), text).unwrap();
    work.precast(["compile", "--cpu", "baseline", "round.wat"]).stdout();
    for program in ["round.wat", "round.precast"] {
        let output = work.precast(["run", "--invoke", "f", program, "2.5"]).stdout();
        assert_eq!(output, "3\n2\n2\n2\n");
    }
}

#[test]
fn run_gives_programs_their_threads() {
    let work = Workspace::new();
    let program = fixture("threads/threads.wasm");
    work.precast(["compile", &program, "-o", "threads.precast"]).stdout();
    for count in [1, 8, 64] {
        let output = work.precast(["run", "threads.precast", &count.to_string()]).stdout();
        let dots = ".".repeat(count);
        assert_eq!(output, format!("{dots}\nsum 499999500000 in {count} threads, right\n"));
    }
    assert!(work.precast(["run", &program]).stdout().ends_with("8 threads, right\n"));
}

#[test]
fn any_thread_can_end_a_program() {
    let work = Workspace::new();
    let program = fixture("threads/threads.wasm");
    assert_eq!(work.precast(["run", &program, "exit"]).code, Some(7));
    let outcome = work.precast(["run", &program, "trap"]);
    assert_eq!(outcome.code, Some(134));
    for expected in ["unreachable", "thread_main", "wasi_thread_start"] {
        assert!(outcome.stderr.contains(expected), "{outcome:?}");
    }
}
