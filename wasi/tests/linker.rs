//! Whole guests.

use precast_runtime::{Engine, Linker, Module, Store};
use precast_wasi::{I32Exit, MemoryOutput, WasiCtx, add_imports_to_linker, add_to_linker};

fn run(text: &str, output: &MemoryOutput) -> Result<(), precast_runtime::Error> {
    let engine = Engine::default();
    let module = Module::new(&engine, text)?;
    let mut linker = Linker::new(&engine);
    add_to_linker(&mut linker, |wasi| wasi)?;
    let wasi = WasiCtx::builder().stdout(output.clone()).build();
    let mut store = Store::new(&engine, wasi);
    let instance = linker.instantiate(&mut store, &module)?;
    instance.get_typed_func::<(), ()>(&mut store, "_start")?.call(&mut store, ())
}

#[test]
fn a_guest_writes_and_exits() {
    for module in ["wasi_snapshot_preview1", "wasi_unstable"] {
        let output = MemoryOutput::new(100);
        let text = format!(
            r#"(module
                (import "{module}" "fd_write"
                    (func $write (param i32 i32 i32 i32) (result i32)))
                (import "{module}" "proc_exit" (func $exit (param i32)))
                (memory (export "memory") 1)
                (data (i32.const 0) "\08\00\00\00\06\00\00\00hello\n")
                (func (export "_start")
                    (call $exit (i32.add (i32.const 7)
                        (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 64))))
                    unreachable))"#
        );
        let error = run(&text, &output).unwrap_err();
        assert_eq!(error.downcast_ref::<I32Exit>(), Some(&I32Exit(7)));
        assert_eq!(output.contents(), b"hello\n");
    }
}

#[test]
fn only_what_a_module_imports_is_defined_for_it() {
    let engine = Engine::default();
    let text = r#"(module
        (import "wasi_unstable" "sched_yield" (func (result i32)))
        (import "elsewhere" "sched_yield" (func)))"#;
    let module = Module::new(&engine, text).unwrap();
    let mut linker: Linker<WasiCtx> = Linker::new(&engine);
    add_imports_to_linker(&mut linker, &module, |wasi| wasi).unwrap();
    let mut store = Store::new(&engine, WasiCtx::builder().build());
    let mut defined = |from, name| linker.get(&mut store, from, name).is_some();
    assert!(defined("wasi_unstable", "sched_yield"));
    assert!(!defined("wasi_snapshot_preview1", "sched_yield"));
    assert!(!defined("elsewhere", "sched_yield"));
}

#[test]
fn without_a_memory_every_address_is_outside() {
    let output = MemoryOutput::new(100);
    let text = r#"(module
        (import "wasi_snapshot_preview1" "fd_write"
            (func $write (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (func (export "_start")
            (call $exit (call $write
                (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 64)))))"#;
    let error = run(text, &output).unwrap_err();
    assert_eq!(error.downcast_ref::<I32Exit>(), Some(&I32Exit(21)));
}
