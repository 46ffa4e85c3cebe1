//! Guests with threads.

mod support;

use std::sync::Arc;
use std::thread;

use precast_runtime::{
    Engine, Error, Instance, InstancePre, LinkError, Linker, Module, Store, Trap, TypeError,
};
use precast_wasi::{Errno, I32Exit, MemoryOutput, Threads, WasiCtx, add_to_linker};
use support::{Host, Ours, Outcome, guest};

/// What a store holds: the context, and something that tells whether the store is still there.
struct Data {
    wasi: WasiCtx,
    alive: Arc<()>,
}

/// A program that is about to run.
struct Program {
    threads: Threads<Data>,
    instance: InstancePre<Data>,
    store: Store<Data>,
}

/// A guest whose functions are given, with a shared memory and the imports that threads need.
fn program(alive: &Arc<()>, wasi: WasiCtx, functions: &str) -> Program {
    let text = format!(
        r#"(module
            (import "wasi" "thread-spawn" (func $spawn (param i32) (result i32)))
            (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
            (import "wasi_snapshot_preview1" "fd_write"
                (func $write (param i32 i32 i32 i32) (result i32)))
            (memory (export "memory") (import "env" "memory") 1 1 shared)
            (func $wait (drop (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const -1))))
            {functions})"#
    );
    let engine = Engine::default();
    let module = Module::new(&engine, text).unwrap();
    let mut linker: Linker<Data> = Linker::new(&engine);
    add_to_linker(&mut linker, |data| &mut data.wasi).unwrap();
    let mut store = Store::new(&engine, Data { wasi, alive: alive.clone() });
    let threads = Threads::add_to_linker(&mut linker, &mut store, &module, |mut parent| {
        let Data { wasi, alive } = parent.data_mut();
        let data = Data { wasi: wasi.share(), alive: alive.clone() };
        Ok(Store::new(parent.engine(), data))
    });
    let instance = linker.instantiate_pre(&module).unwrap();
    Program { threads: threads.unwrap(), instance, store }
}

fn start(store: &mut Store<Data>, instance: Instance) -> Result<(), Error> {
    instance.get_typed_func::<(), ()>(&mut *store, "_start")?.call(store, ())
}

/// Runs a guest, and waits until none of its stores is left.
fn run(functions: &str) -> Result<(), Error> {
    let alive = Arc::new(());
    let Program { threads, instance, store } =
        program(&alive, WasiCtx::builder().build(), functions);
    let result = threads.run(instance, store, start);
    while Arc::strong_count(&alive) > 1 {
        thread::yield_now();
    }
    result
}

#[test]
fn threads_get_their_number_and_argument() {
    run(r#"
        (func (export "wasi_thread_start") (param $tid i32) (param $argument i32)
            (i32.atomic.store (i32.const 8) (local.get $tid))
            (i32.atomic.store (i32.const 12) (local.get $argument))
            (drop (memory.atomic.notify (i32.const 12) (i32.const 1))))
        (func (export "_start") (local $tid i32)
            (local.set $tid (call $spawn (i32.const -5)))
            (if (i32.le_s (local.get $tid) (i32.const 0)) (then unreachable))
            (drop (memory.atomic.wait32 (i32.const 12) (i32.const 0) (i64.const -1)))
            (if (i32.ne (i32.atomic.load (i32.const 8)) (local.get $tid)) (then unreachable))
            (if (i32.ne (i32.atomic.load (i32.const 12)) (i32.const -5)) (then unreachable)))"#)
    .unwrap();
}

#[test]
fn threads_can_start_threads() {
    // Each of 100 threads starts the next, the last one wakes the first.
    run(r#"
        (func (export "wasi_thread_start") (param i32) (param $left i32)
            (if (local.get $left)
                (then (if (i32.le_s (call $spawn (i32.sub (local.get $left) (i32.const 1)))
                    (i32.const 0)) (then unreachable)))
                (else
                    (i32.atomic.store (i32.const 8) (i32.const 1))
                    (drop (memory.atomic.notify (i32.const 8) (i32.const 1))))))
        (func (export "_start")
            (drop (call $spawn (i32.const 99)))
            (drop (memory.atomic.wait32 (i32.const 8) (i32.const 0) (i64.const -1))))"#)
    .unwrap();
}

#[test]
fn the_first_thread_ends_the_program_by_returning() {
    run(r#"
        (func (export "wasi_thread_start") (param i32 i32) (call $wait))
        (func (export "_start")
            (drop (call $spawn (i32.const 0))) (drop (call $spawn (i32.const 0))))"#)
    .unwrap();
}

#[test]
fn any_thread_ends_the_program_by_exiting() {
    let error = run(r#"
        (func (export "wasi_thread_start") (param $tid i32) (param $argument i32)
            (if (local.get $argument) (then (call $exit (i32.const 9))))
            (call $wait))
        (func (export "_start")
            (drop (call $spawn (i32.const 0))) (drop (call $spawn (i32.const 1)))
            (call $wait))"#);
    assert_eq!(error.unwrap_err().downcast_ref(), Some(&I32Exit(9)));
}

#[test]
fn any_thread_ends_the_program_by_trapping() {
    let error = run(r#"
        (func (export "wasi_thread_start") (param i32 i32) unreachable)
        (func (export "_start") (drop (call $spawn (i32.const 0))) (call $wait))"#);
    assert_eq!(error.unwrap_err().downcast_ref(), Some(&Trap::Unreachable));
}

#[test]
fn a_program_that_has_ended_gets_no_more_threads() {
    // The thread goes on to ask for threads after the first one has returned.
    run(r#"
        (func (export "wasi_thread_start") (param $tid i32) (param $argument i32)
            (if (local.get $argument) (then return))
            (loop $again (drop (call $spawn (i32.const 1))) (br $again)))
        (func (export "_start") (drop (call $spawn (i32.const 0))))"#)
    .unwrap();
}

#[test]
fn a_guest_without_the_start_of_threads_fails_at_the_first() {
    let error = run(r#"(func (export "_start") (drop (call $spawn (i32.const 0))) (call $wait))"#);
    assert!(matches!(error.unwrap_err().downcast(), Ok(TypeError::NoExport { .. })));
}

#[test]
fn hostile_guests_get_a_limited_number_of_threads() {
    // Spawns until that fails; the threads wait.
    let error = run(r#"
        (func (export "wasi_thread_start") (param i32 i32) (call $wait))
        (func (export "_start") (local $tid i32)
            (loop $again
                (local.set $tid (call $spawn (i32.const 0)))
                (br_if $again (i32.gt_s (local.get $tid) (i32.const 0))))
            (call $exit (i32.sub (i32.const 0) (local.get $tid))))"#);
    assert_eq!(error.unwrap_err().downcast_ref(), Some(&I32Exit(Errno::Again.raw().into())));
}

#[test]
fn threads_write_to_the_same_streams() {
    let alive = Arc::new(());
    let output = MemoryOutput::new(1 << 10);
    let wasi = WasiCtx::builder().stdout(output.clone()).build();
    let Program { threads, instance, store } = program(
        &alive,
        wasi,
        r#"
        (data (i32.const 64) "\60\00\00\00\01\00\00\00")
        (data (i32.const 96) "x")
        (func $print
            (if (call $write (i32.const 1) (i32.const 64) (i32.const 1) (i32.const 80))
                (then unreachable))
            (drop (i32.atomic.rmw.add (i32.const 8) (i32.const 1)))
            (drop (memory.atomic.notify (i32.const 8) (i32.const 1))))
        (func (export "wasi_thread_start") (param i32 i32) (call $print))
        (func (export "_start") (local $done i32)
            (drop (call $spawn (i32.const 0))) (drop (call $spawn (i32.const 0)))
            (call $print)
            (loop $again
                (local.set $done (i32.atomic.load (i32.const 8)))
                (drop (if (result i32) (i32.lt_u (local.get $done) (i32.const 3))
                    (then (memory.atomic.wait32 (i32.const 8) (local.get $done) (i64.const -1)))
                    (else (i32.const 0))))
                (br_if $again (i32.lt_u (local.get $done) (i32.const 3)))))"#,
    );
    threads.run(instance, store, start).unwrap();
    assert_eq!(output.contents(), b"xxx");
}

#[test]
fn a_panic_of_the_host_comes_out_of_the_run() {
    let alive = Arc::new(());
    let functions = r#"(func (export "_start"))"#;
    let Program { threads, instance, store } =
        program(&alive, WasiCtx::builder().build(), functions);
    let run = thread::spawn(move || threads.run(instance, store, |_, _| panic!("on purpose")));
    let panic = run.join().unwrap_err();
    assert_eq!(panic.downcast_ref(), Some(&"on purpose"));
}

#[test]
fn what_is_defined_already_stays() {
    let engine = Engine::default();
    let text = r#"(module (import "env" "memory" (memory 1 1 shared))
        (import "wasi" "thread-spawn" (func (param i32) (result i32))))"#;
    let module = Module::new(&engine, text).unwrap();
    let mut linker: Linker<()> = Linker::new(&engine);
    let mut store = Store::new(&engine, ());
    let new_store = |_: precast_runtime::StoreContextMut<'_, ()>| Err(Error::msg("none"));
    Threads::add_to_linker(&mut linker, &mut store, &module, new_store).unwrap();
    let memory = linker.get(&mut store, "env", "memory").unwrap().into_shared_memory().unwrap();
    let error = Threads::add_to_linker(&mut linker, &mut store, &module, new_store);
    let Err(error) = error else { panic!("thread-spawn is defined twice") };
    assert!(matches!(error.downcast(), Ok(LinkError::Duplicate { .. })));
    let same = linker.get(&mut store, "env", "memory").unwrap().into_shared_memory().unwrap();
    assert!(precast_runtime::SharedMemory::same(&memory, &same));
}

#[test]
fn contexts_share_what_is_opened_and_closed() {
    let folder = tempfile::tempdir().unwrap();
    let mut wasi = WasiCtx::builder()
        .preopened_dir(folder.path(), "/", precast_wasi::DirAccess::ReadWrite)
        .unwrap()
        .build();
    let mut other = Ours::new(wasi.share());
    let mut third = Ours::new(other.ctx.share());
    let mut one = Ours::new(wasi);
    let fd = guest::open(&mut one, 3, "file", guest::CREAT).unwrap();
    assert_eq!(guest::write(&mut other, fd, b"together"), Outcome::Errno(0));
    let second = guest::open(&mut third, 3, "file", 0).unwrap();
    assert_eq!(second, fd + 1);
    assert_eq!(guest::read(&mut one, second, 20).unwrap(), b"together");
    // Rights that one gives up are gone for all.
    let read_only = [second.into(), guest::FD_READ, 0];
    assert_eq!(other.call("fd_fdstat_set_rights", &read_only), Outcome::Errno(0));
    assert_eq!(guest::write(&mut one, second, b"x"), Outcome::Errno(Errno::Badf.raw()));
    assert_eq!(third.call("fd_renumber", &[second.into(), fd.into()]), Outcome::Errno(0));
    assert_eq!(guest::read(&mut one, second, 1), Err(Errno::Badf.raw()));
    assert_eq!(one.call("fd_close", &[fd.into()]), Outcome::Errno(0));
    assert_eq!(other.call("fd_close", &[fd.into()]), Outcome::Errno(Errno::Badf.raw()));
}

#[test]
fn threads_use_the_table_at_the_same_time() {
    let folder = tempfile::tempdir().unwrap();
    let mut wasi = WasiCtx::builder()
        .preopened_dir(folder.path(), "/", precast_wasi::DirAccess::ReadWrite)
        .unwrap()
        .build();
    thread::scope(|scope| {
        for number in 0..4 {
            let mut own = Ours::new(wasi.share());
            scope.spawn(move || {
                for round in 0..100 {
                    let name = format!("{number}-{round}");
                    let fd = guest::open(&mut own, 3, &name, guest::CREAT).unwrap();
                    assert_eq!(guest::write(&mut own, fd, name.as_bytes()), Outcome::Errno(0));
                    assert_eq!(own.call("fd_close", &[fd.into()]), Outcome::Errno(0));
                }
            });
        }
    });
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        assert_eq!(std::fs::read(path).unwrap(), name.as_bytes());
    }
}
