//! `run --fuel`, `--timeout` and `--max-memory`.

mod support;

use std::fs;
use std::os::fd::OwnedFd;

use support::{Outcome, Workspace};

const TRAP: Option<i32> = Some(134);

/// A program of these functions and the imports that they need.
fn program(work: &Workspace, name: &str, body: &str) -> String {
    let text = format!(
        r#"(module
            (import "wasi_snapshot_preview1" "fd_read"
                (func $fd_read (param i32 i32 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "fd_write"
                (func $fd_write (param i32 i32 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "poll_oneoff"
                (func $poll_oneoff (param i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 1)
            {body})"#
    );
    fs::write(work.path(name), text).unwrap();
    name.to_owned()
}

const SPIN: &str = r#"(func (export "_start") (loop (br 0)))"#;

/// Waits for a clock, 100 seconds long.
const SLEEP: &str = r#"(func (export "_start")
    (i32.store (i32.const 16) (i32.const 1))
    (i64.store (i32.const 24) (i64.const 100_000_000_000))
    (drop (call $poll_oneoff (i32.const 0) (i32.const 100) (i32.const 1) (i32.const 200))))"#;

/// Reads the standard input, and tries again for ever.
const READ: &str = r#"(func (export "_start")
    (i32.store (i32.const 0) (i32.const 100)) (i32.store (i32.const 4) (i32.const 10))
    (loop (drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
        (br 0)))"#;

/// Writes to the standard output for ever.
const WRITE: &str = r#"(func (export "_start")
    (i32.store (i32.const 0) (i32.const 100)) (i32.store (i32.const 4) (i32.const 60000))
    (loop (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
        (br 0)))"#;

#[track_caller]
fn assert_stopped(outcome: &Outcome, message: &str, cause: &str) {
    assert_eq!(outcome.code, TRAP, "{outcome:?}");
    assert!(outcome.stderr.starts_with(&format!("error: {message}\n")), "{outcome:?}");
    assert!(outcome.stderr.contains(cause), "{outcome:?}");
}

#[test]
fn fuel_stops_a_program() {
    let work = Workspace::new();
    let spin = program(&work, "spin.wat", SPIN);
    let outcome = work.precast(["run", "--fuel", "100000", &spin]);
    assert_stopped(
        &outcome,
        "`spin.wat` has used up its fuel of 100000 (`--fuel`)",
        "all fuel consumed by WebAssembly",
    );
    let enough = program(&work, "enough.wat", r#"(func (export "_start") (drop (i32.const 1)))"#);
    assert_eq!(work.precast(["run", "--fuel", "2", &enough]).code, Some(0));
    assert_eq!(work.precast(["run", "--fuel", "0", &enough]).code, TRAP);
    let outcome = work.precast(["run", "--fuel", "much", &enough]);
    assert_eq!(outcome.code, Some(2), "{outcome:?}");
}

#[test]
fn the_time_limit_stops_code_and_calls_that_wait() {
    let work = Workspace::new();
    for (name, body) in [("spin.wat", SPIN), ("sleep.wat", SLEEP)] {
        let name = program(&work, name, body);
        let outcome = work.precast(["run", "--timeout", "50ms", &name]);
        assert_stopped(
            &outcome,
            &format!("`{name}` took longer than 50ms (`--timeout`)"),
            "interrupt",
        );
    }
    // Nobody writes to the pipe while the reader is open.
    let (reader, writer) = std::io::pipe().unwrap();
    let read = program(&work, "read.wat", READ);
    let outcome =
        work.precast_with_stdin(OwnedFd::from(reader), ["run", "--timeout", "50ms", &read]);
    assert_stopped(&outcome, "`read.wat` took longer than 50ms (`--timeout`)", "interrupt");
    drop(writer);
}

#[test]
fn a_program_that_is_in_time_ends_as_ever() {
    let work = Workspace::new();
    let hello = support::fixture("hello.wasm");
    let outcome = work.precast(["run", "--timeout", "1h", "--fuel", "1000000000", &hello]);
    assert_eq!((outcome.code, &*outcome.stdout), (Some(0), "Hello, world!\n"), "{outcome:?}");
    assert_eq!(outcome.stderr, "");
    for wrong in ["soon", "10", "-1s", ""] {
        let outcome = work.precast(["run", &format!("--timeout={wrong}"), &hello]);
        assert_eq!(outcome.code, Some(2), "{wrong}: {outcome:?}");
    }
}

#[test]
fn a_reader_that_stops_reading_does_not_hold_the_program() {
    let work = Workspace::new();
    let write = program(&work, "write.wat", WRITE);
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_precast"))
        .args(["run", "--timeout", "50ms", &write])
        .current_dir(work.path(""))
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // Its output is never read, and fills the pipe.
    assert_eq!(child.wait().unwrap().code(), TRAP);
}

#[test]
fn artifacts_must_have_been_compiled_for_limits() {
    let work = Workspace::new();
    let spin = program(&work, "spin.wat", SPIN);
    assert_eq!(work.precast(["compile", &spin, "-o", "plain.precast"]).code, Some(0));
    for (option, value, setting) in
        [("--fuel", "10", "consume_fuel"), ("--timeout", "10ms", "epoch_interruption")]
    {
        let outcome = work.precast(["run", option, value, "plain.precast"]);
        assert_eq!(outcome.code, Some(1), "{outcome:?}");
        assert!(outcome.stderr.contains(&format!("compiled with `{setting}` off")), "{outcome:?}");
    }
    let both = ["--consume-fuel", "--epoch-interruption"];
    let compile = ["compile", &spin, "-o", "limited.precast"];
    assert_eq!(work.precast(compile.iter().chain(&both)).code, Some(0));
    let fuel = ["run", "--fuel", "1000", both[1], "limited.precast"];
    assert_eq!(work.precast(fuel).code, TRAP);
    let timeout = ["run", "--timeout", "10ms", both[0], "limited.precast"];
    assert_eq!(work.precast(timeout).code, TRAP);
    let outcome = work.precast(["run", "limited.precast"]);
    assert!(outcome.stderr.contains("compiled with `consume_fuel` on"), "{outcome:?}");
}

#[test]
fn memory_is_limited_in_all() {
    let work = Workspace::new();
    let grow = r#"(memory $second 1) (table $table 1 funcref)
        (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
        (func (export "both") (param i32) (result i32)
            (drop (memory.grow (local.get 0))) (memory.grow $second (local.get 0)))
        (func (export "table") (param i32) (result i32)
            (table.grow $table (ref.null func) (local.get 0)))"#;
    let grow = program(&work, "grow.wat", grow);
    let run = |limit: &str, function: &str, argument: &str| {
        let outcome =
            work.precast(["run", "--max-memory", limit, "--invoke", function, &grow, argument]);
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        outcome.stdout.trim().to_owned()
    };
    assert_eq!(run("1MiB", "grow", "13"), "1");
    assert_eq!(run("1MiB", "grow", "14"), "-1");
    assert_eq!(run("1MiB", "both", "6"), "1");
    assert_eq!(run("1MiB", "both", "7"), "-1");
    assert_eq!(run("1MiB", "table", "100000"), "1");
    assert_eq!(run("1MiB", "table", "120000"), "-1");

    let outcome = work.precast(["run", "--max-memory", "100KiB", "--invoke", "grow", &grow, "0"]);
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(outcome.stderr.contains("exceeds memory limits"), "{outcome:?}");
    let outcome = work.precast(["run", "--max-memory", "lots", &grow]);
    assert_eq!(outcome.code, Some(2), "{outcome:?}");
}

/// A program with threads, of these functions.
fn threaded(work: &Workspace, name: &str, memory: &str, body: &str) -> String {
    let text = format!(
        r#"(module
            (import "wasi" "thread-spawn" (func $spawn (param i32) (result i32)))
            (import "env" "memory" (memory {memory} shared))
            (export "memory" (memory 0))
            (func $wait (drop (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const -1))))
            {body})"#
    );
    fs::write(work.path(name), text).unwrap();
    name.to_owned()
}

#[test]
fn time_is_over_for_all_threads() {
    let work = Workspace::new();
    let message = |name: &str| format!("`{name}` took longer than 200ms (`--timeout`)");
    for (name, thread, main) in [
        ("waiting.wat", "(call $wait)", "(call $wait)"),
        ("computing.wat", "(loop (br 0))", "(loop (br 0))"),
        ("mixed.wat", "(loop (br 0))", "(call $wait)"),
    ] {
        let body = format!(
            r#"(func (export "wasi_thread_start") (param i32 i32) {thread})
            (func (export "_start") (drop (call $spawn (i32.const 0))) {main})"#
        );
        let program = threaded(&work, name, "1 1", &body);
        let outcome = work.precast(["run", "--timeout", "200ms", &program]);
        assert_stopped(&outcome, &message(name), "interrupt");
    }
}

#[test]
fn threads_share_the_fuel() {
    let work = Workspace::new();
    let body = r#"(func (export "wasi_thread_start") (param i32 i32)
            (drop (call $spawn (i32.const 0))) (loop (br 0)))
        (func (export "_start") (drop (call $spawn (i32.const 0))) (call $wait))"#;
    let program = threaded(&work, "fuel.wat", "1 1", body);
    let outcome = work.precast(["run", "--fuel", "10000", &program]);
    let message = "`fuel.wat` has used up its fuel of 10000 (`--fuel`)";
    assert_stopped(&outcome, message, "all fuel consumed");
}

#[test]
fn threads_share_the_memory_limit() {
    let work = Workspace::new();
    let body = r#"(func (export "wasi_thread_start") (param i32 i32)
            (drop (memory.grow (i32.const 1)))
            (drop (i32.atomic.rmw.add (i32.const 0) (i32.const 1)))
            (drop (memory.atomic.notify (i32.const 0) (i32.const 1))))
        (func (export "_start") (local $done i32)
            (drop (call $spawn (i32.const 0))) (drop (call $spawn (i32.const 0)))
            (drop (call $spawn (i32.const 0)))
            (loop $again
                (local.set $done (i32.atomic.load (i32.const 0)))
                (drop (memory.atomic.wait32 (i32.const 0) (local.get $done) (i64.const 1000000)))
                (br_if $again (i32.lt_u (i32.atomic.load (i32.const 0)) (i32.const 3)))))
        (func (export "size") (result i32) (call $start) (memory.size))"#;
    let body = body.replace(r#"(func (export "_start")"#, r#"(func $start (export "_start")"#);
    let program = threaded(&work, "memory.wat", "1 100", &body);
    let size =
        |limit: &str| work.precast(["run", "--max-memory", limit, "--invoke", "size", &program]);
    assert_eq!(size("1MiB").stdout, "4\n");
    assert_eq!(size("192KiB").stdout, "3\n");
    let outcome = size("60KiB");
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(outcome.stderr.contains("memory minimum size of 65536 bytes"), "{outcome:?}");
}
