//! How wasm stops: traps, stack overflow, backtraces, signals.
#![cfg(all(feature = "compiler", feature = "wat"))]

mod instances;

use std::process::Command;

use instances::{instance, module, try_instance};
use precast::{Caller, Config, Engine, Error, Func, Instance, Module, Store, Trap, WasmBacktrace};

fn trap_of(store: &mut Store<()>, instance: Instance, name: &str) -> (Trap, Error) {
    let func = instance.get_typed_func::<(), ()>(&mut *store, name).unwrap();
    let error = func.call(store, ()).unwrap_err();
    (*error.downcast_ref::<Trap>().unwrap(), error)
}

#[test]
fn every_trap_has_its_reason() {
    let mut store = Store::default();
    let instance = instance(
        &mut store,
        r#"(module
            (type $v (func)) (type $i (func (result i32)))
            (memory 1) (table 2 funcref) (elem (i32.const 0) $one)
            (func $one (result i32) (i32.const 1))
            (func (export "unreachable") unreachable)
            (func (export "load") (drop (i32.load (i32.const -4))))
            (func (export "store") (i64.store (i32.const 65529) (i64.const 1)))
            (func (export "zero") (drop (i32.div_s (i32.const 1) (i32.const 0))))
            (func (export "zero64") (drop (i64.rem_u (i64.const 1) (i64.const 0))))
            (func (export "overflow") (drop (i32.div_s (i32.const 0x80000000) (i32.const -1))))
            (func (export "nan") (drop (i32.trunc_f32_s (f32.const nan))))
            (func (export "big") (drop (i32.trunc_f64_u (f64.const 1e30))))
            (func (export "signature") (call_indirect (type $v) (i32.const 0)))
            (func (export "null") (call_indirect (type $v) (i32.const 1)))
            (func (export "element") (call_indirect (type $v) (i32.const 2)))
            (func (export "table") (drop (table.get (i32.const 2))))
            (func (export "fill") (memory.fill (i32.const 65535) (i32.const 0) (i32.const 2)))
            (func (export "copy") (memory.copy (i32.const 0) (i32.const 65535) (i32.const 2)))
            (func (export "table.fill")
                (table.fill (i32.const 1) (ref.null func) (i32.const 2))))"#,
        &[],
    );
    for (name, expected) in [
        ("unreachable", Trap::Unreachable),
        ("load", Trap::MemoryOutOfBounds),
        ("store", Trap::MemoryOutOfBounds),
        ("zero", Trap::IntegerDivisionByZero),
        ("zero64", Trap::IntegerDivisionByZero),
        ("overflow", Trap::IntegerOverflow),
        ("nan", Trap::BadConversionToInteger),
        ("big", Trap::IntegerOverflow),
        ("signature", Trap::BadSignature),
        ("null", Trap::IndirectCallToNull),
        ("element", Trap::UndefinedElement),
        ("table", Trap::TableOutOfBounds),
        ("fill", Trap::MemoryOutOfBounds),
        ("copy", Trap::MemoryOutOfBounds),
        ("table.fill", Trap::TableOutOfBounds),
    ] {
        for _ in 0..2 {
            assert_eq!(trap_of(&mut store, instance, name).0, expected, "{name}");
        }
    }
}

const RECURSE: &str = r#"(module
    (global $depth (export "depth") (mut i32) (i32.const 0))
    (func $f (export "f")
        (global.set $depth (i32.add (global.get $depth) (i32.const 1)))
        (call $f)))"#;

#[test]
fn endless_recursion_ends_at_the_limit() {
    let depth = |max_wasm_stack| {
        let mut config = Config::new();
        config.max_wasm_stack(max_wasm_stack);
        let mut store = Store::new(&Engine::new(&config).unwrap(), ());
        let instance = instance(&mut store, RECURSE, &[]);
        let (trap, error) = trap_of(&mut store, instance, "f");
        assert_eq!(trap, Trap::StackOverflow);
        assert_eq!(error.wasm_backtrace().unwrap().frames().len(), 64);
        let depth = instance.get_global(&mut store, "depth").unwrap();
        let first = depth.get(&mut store).unwrap_i32();
        // The limit is there again for the next call.
        assert_eq!(trap_of(&mut store, instance, "f").0, Trap::StackOverflow);
        assert!((depth.get(&mut store).unwrap_i32() - 2 * first).abs() < 10);
        first
    };
    let (small, large) = (depth(64 << 10), depth(512 << 10));
    assert!(small > 100 && large > 7 * small && large < 9 * small, "{small} {large}");
}

#[test]
fn functions_that_do_not_look_at_the_limit_end_there_as_well() {
    // Each round of the recursion calls one that is small and calls nothing, and one whose frame is so large
    // that it looks at the limit although it calls nothing.
    let locals =
        |what: &str| (0..400).map(|i| what.replace('#', &i.to_string())).collect::<String>();
    let text = format!(
        r#"(module
            (memory 1)
            (func $small (param i32) (result i32) (i32.load (local.get 0)))
            (func $large (param i32) (result i64) {}
                {}
                (i64.store (i32.const 8) (i64.const 7))
                (i64.const 0) {})
            (func (export "f") (param i32) (result i32)
                (drop (call $large (local.get 0)))
                (i32.add (call $small (local.get 0))
                    (call 2 (i32.and (i32.add (local.get 0) (i32.const 1)) (i32.const 7))))))"#,
        locals("(local i64)"),
        locals("(local.set # (i64.load offset=# (local.get 0)))")
            .replace("local.set 0 ", "local.set 400 "),
        locals("(i64.add (local.get #))").replace("(local.get 0)", "(local.get 400)"),
    );
    for inlining in [true, false] {
        let mut config = Config::new();
        config.inlining(inlining).max_wasm_stack(64 << 10);
        let mut store = Store::new(&Engine::new(&config).unwrap(), ());
        let instance = instance(&mut store, &text, &[]);
        let f = instance.get_typed_func::<i32, i32>(&mut store, "f").unwrap();
        for _ in 0..3 {
            let error = f.call(&mut store, 0).unwrap_err();
            assert_eq!(error.downcast_ref::<Trap>(), Some(&Trap::StackOverflow));
        }
    }
}

#[test]
fn the_limit_holds_across_nested_calls() {
    let mut store = Store::default();
    let f = Func::wrap(&mut store, |mut caller: Caller<'_, ()>| {
        let g = caller.get_export("g").and_then(|export| export.into_func()).unwrap();
        g.typed::<(), ()>(&caller)?.call(&mut caller, ())
    });
    let text = r#"(module (import "" "f" (func $f)) (func (export "g") (call $f)))"#;
    let instance = instance(&mut store, text, &[f.into()]);
    assert_eq!(trap_of(&mut store, instance, "g").0, Trap::StackOverflow);
}

#[test]
fn backtraces_name_functions_and_offsets() {
    let mut store = Store::default();
    let text = r#"(module $app
        (import "" "host" (func $host))
        (func $inner (export "inner") unreachable)
        (func (export "middle") (call $host))
        (func $outer (export "outer") (call 2) (nop)))"#;
    let host = Func::wrap(&mut store, |mut caller: Caller<'_, ()>| {
        let inner = caller.get_export("inner").and_then(|export| export.into_func()).unwrap();
        assert_eq!(WasmBacktrace::capture(&caller).frames().len(), 2);
        inner.typed::<(), ()>(&caller)?.call(&mut caller, ())
    });
    let instance = instance(&mut store, text, &[host.into()]);
    let (_, error) = trap_of(&mut store, instance, "outer");
    let backtrace = error.wasm_backtrace().unwrap();
    let frames = backtrace.frames();
    let seen: Vec<_> = frames.iter().map(|f| (f.func_index(), f.func_name())).collect();
    assert_eq!(seen, [(1, Some("inner")), (2, None), (3, Some("outer"))]);
    assert!(frames.iter().all(|frame| frame.module().name() == Some("app")));
    let wasm = wat_bytes(text);
    let byte = |i: usize| wasm[frames[i].module_offset().unwrap()];
    // `unreachable` and two `call`s.
    assert_eq!([byte(0), byte(1), byte(2)], [0x00, 0x10, 0x10]);
    let printed = format!("{error:?}");
    let offset = frames[0].module_offset().unwrap();
    let expected = format!("unreachable\nwasm backtrace:\n    0: {offset:#6x} - app!inner\n");
    assert!(printed.starts_with(&expected), "{printed}");
    assert!(printed.contains(" - app!<wasm function 2>\n"), "{printed}");
}

/// The binary form: the data segment that the compiler would see.
#[test]
fn backtraces_name_all_functions_with_the_same_code() {
    let engine = Engine::default();
    let module = r#"(module $app
        (func $first (param i32) (result i32) (i32.div_u (i32.const 1) (local.get 0)))
        (func $other (param i64) (result i32) unreachable)
        (func $second (param i32) (result i32) (i32.div_u (i32.const 1) (local.get 0)))
        (func $third (param i32) (result i32) (i32.div_u (i32.const 1) (local.get 0)))
        (func (export "run") (call $third (i32.const 0)) drop))"#;
    let module = Module::new(&engine, module).unwrap();
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let run = instance.get_typed_func::<(), ()>(&mut store, "run").unwrap();
    let error = run.call(&mut store, ()).unwrap_err();
    let frames = error.wasm_backtrace().unwrap().frames();
    assert_eq!((frames[0].func_index(), frames[0].func_name()), (0, Some("first")));
    let aliases: Vec<_> = frames[0].aliases().collect();
    assert_eq!(aliases, [(2, Some("second")), (3, Some("third"))]);
    assert_eq!(frames[1].aliases().len(), 0);
    let printed = format!("{error:?}");
    assert!(printed.contains("app!first (or second, third)\n"), "{printed}");
}

fn wat_bytes(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

#[test]
fn backtraces_can_be_limited() {
    let with_frames = |frames| {
        let mut config = Config::new();
        config.wasm_backtrace_max_frames(frames);
        let mut store = Store::new(&Engine::new(&config).unwrap(), ());
        let instance = instance(
            &mut store,
            r#"(module (func $a unreachable) (func $b (call $a)) (func (export "c") (call $b)))"#,
            &[],
        );
        trap_of(&mut store, instance, "c").1
    };
    assert!(with_frames(0).wasm_backtrace().is_none());
    assert_eq!(with_frames(2).wasm_backtrace().unwrap().frames().len(), 2);
    assert_eq!(with_frames(9).wasm_backtrace().unwrap().frames().len(), 3);
}

#[test]
fn traps_of_several_modules_are_told_apart() {
    let mut store = Store::default();
    let callee = instance(&mut store, r#"(module $lib (func (export "f") unreachable))"#, &[]);
    let f = callee.get_export(&mut store, "f").unwrap();
    let caller = instance(
        &mut store,
        r#"(module $main (import "" "f" (func $f)) (func $run (export "run") (call $f)))"#,
        &[f],
    );
    let (_, error) = trap_of(&mut store, caller, "run");
    let backtrace = error.wasm_backtrace().unwrap();
    let names: Vec<_> = backtrace.frames().iter().map(|frame| frame.module().name()).collect();
    assert_eq!(names, [Some("lib"), Some("main")]);
}

#[test]
fn a_start_function_can_trap() {
    let mut store = Store::<()>::default();
    let error = try_instance(&mut store, "(module (func $f unreachable) (start $f))", &[]);
    assert_eq!(error.unwrap_err().downcast_ref::<Trap>(), Some(&Trap::Unreachable));
}

#[test]
fn threads_trap_on_their_own() {
    let engine = Engine::default();
    let module = module(
        &engine,
        r#"(module (memory 1) (func (export "f") (param i32) (result i32)
        (i32.load (local.get 0))))"#,
    );
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for round in 0..200 {
                    let mut store = Store::new(&engine, ());
                    let instance = Instance::new(&mut store, &module, &[]).unwrap();
                    let f = instance.get_typed_func::<u32, i32>(&mut store, "f").unwrap();
                    assert_eq!(f.call(&mut store, round).unwrap(), 0);
                    let error = f.call(&mut store, 1 << 20).unwrap_err();
                    assert_eq!(error.downcast_ref::<Trap>(), Some(&Trap::MemoryOutOfBounds));
                }
            });
        }
    });
}

/// Runs one of the ignored tests below in a process of its own, and returns how it ended.
fn run_alone(name: &str) -> (std::process::ExitStatus, String) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", name, "--nocapture", "--test-threads=1"])
        .output()
        .unwrap();
    (output.status, String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn other_faults_reach_the_handler_that_was_there_before() {
    let (status, stderr) = run_alone("alone_handler");
    assert_eq!(status.code(), Some(17), "{stderr}");
}

#[test]
fn a_fault_of_the_host_still_ends_the_process() {
    use std::os::unix::process::ExitStatusExt;
    let (status, stderr) = run_alone("alone_host_fault");
    assert_eq!(status.signal(), Some(libc::SIGSEGV), "{stderr}");
}

#[test]
fn a_file_that_is_cut_short_is_named() {
    use std::os::unix::process::ExitStatusExt;
    let (status, stderr) = run_alone("alone_truncated_file");
    assert_eq!(status.signal(), Some(libc::SIGBUS), "{stderr}");
    assert!(stderr.contains("cut short"), "{stderr}");
    assert!(stderr.contains("truncated.precast"), "{stderr}");
}

#[test]
fn without_handlers_a_trap_ends_the_process() {
    use std::os::unix::process::ExitStatusExt;
    let (status, stderr) = run_alone("alone_without_handlers");
    assert!([libc::SIGILL, libc::SIGTRAP].map(Some).contains(&status.signal()), "{stderr}");
}

fn fault() {
    // SAFETY: it is not, that is the point: the process ends.
    #[allow(unsafe_code)]
    unsafe {
        std::ptr::without_provenance_mut::<u8>(8).write_volatile(1);
    }
}

#[test]
#[ignore = "run by other_faults_reach_the_handler_that_was_there_before"]
fn alone_handler() {
    extern "C" fn handler(_: libc::c_int) {
        // SAFETY: allowed in signal handlers.
        #[allow(unsafe_code)]
        unsafe {
            libc::_exit(17)
        }
    }
    // SAFETY: the handler has the signature that is asked for.
    #[allow(unsafe_code)]
    unsafe {
        libc::signal(libc::SIGSEGV, handler as *const () as usize);
    }
    let mut store = Store::default();
    let f = Func::wrap(&mut store, fault);
    let text = r#"(module (import "" "f" (func $f)) (memory 1)
        (func (export "trap") (drop (i32.load (i32.const -1))))
        (func (export "f") (call $f)))"#;
    let instance = instance(&mut store, text, &[f.into()]);
    assert_eq!(trap_of(&mut store, instance, "trap").0, Trap::MemoryOutOfBounds);
    let _ = instance.get_typed_func::<(), ()>(&mut store, "f").unwrap().call(&mut store, ());
    std::process::exit(1);
}

#[test]
#[ignore = "run by a_fault_of_the_host_still_ends_the_process"]
fn alone_host_fault() {
    let mut store = Store::<()>::default();
    let f = Func::wrap(&mut store, fault);
    let _ = f.call(&mut store, &[], &mut []);
    std::process::exit(1);
}

#[test]
#[ignore = "run by without_handlers_a_trap_ends_the_process"]
fn alone_without_handlers() {
    let mut config = Config::new();
    config.signal_handlers(precast::SignalHandlers::Leave);
    let mut store = Store::new(&Engine::new(&config).unwrap(), ());
    let instance = instance(&mut store, r#"(module (func (export "f") unreachable))"#, &[]);
    let _ = instance.get_typed_func::<(), ()>(&mut store, "f").unwrap().call(&mut store, ());
    std::process::exit(1);
}

#[test]
#[ignore = "run by a_file_that_is_cut_short_is_named"]
fn alone_truncated_file() {
    let engine = Engine::default();
    let artifact = engine
        .precompile_module(br#"(module (func (export "f") (result i32) (i32.const 1)))"#)
        .unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("truncated.precast");
    std::fs::write(&path, artifact).unwrap();
    // SAFETY: the artifact is our own; that its file changes is what is tested.
    #[allow(unsafe_code)]
    let module = unsafe { precast::Module::deserialize_file(&engine, &path) }.unwrap();
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let f = instance.get_typed_func::<(), i32>(&mut store, "f").unwrap();
    assert_eq!(f.call(&mut store, ()).unwrap(), 1);
    std::fs::File::options().write(true).open(&path).unwrap().set_len(0).unwrap();
    let _ = f.call(&mut store, ());
    std::process::exit(1);
}
