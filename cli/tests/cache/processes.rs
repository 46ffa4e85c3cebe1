//! Processes that share a cache, and processes that are killed.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::scene::{Scene, need};
use crate::support::{Outcome, PRECAST, fixture};

/// Says `ready`, waits for a byte, and says `done`.
const WAITS: &str = r#"(module
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\20\00\00\00\01\00\00\00\30\00\00\00\06\00\00\00\40\00\00\00\05\00\00\00")
  (data (i32.const 48) "ready\n")
  (data (i32.const 64) "done\n")
  (func (export "_start")
    (drop (call $fd_write (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 28)))
    (drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 28)))
    (drop (call $fd_write (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 28)))))"#;

/// How the output of [`lua`] ends.
const SOLVED: &str = "92 solutions for 8 queens\n";

/// A program that takes a moment to compile.
fn lua(scene: &Scene) -> Command {
    let scripts = format!("{}::/", fixture("lua"));
    scene.command(&["run", "--dir", &scripts, &fixture("lua.wasm"), "queens.lua"])
}

/// A program that runs and waits.
struct Waiting {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Waiting {
    fn start(scene: &Scene) -> Waiting {
        fs::write(scene.work.path("waits.wat"), WAITS).unwrap();
        let mut command = scene.command(&["run", "waits.wat"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut waiting = Waiting { output: BufReader::new(child.stdout.take().unwrap()), child };
        assert_eq!(waiting.line(), "ready\n");
        waiting
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line
    }

    fn go_on(mut self) {
        self.child.stdin.take().unwrap().write_all(b"!").unwrap();
        assert_eq!(self.line(), "done\n");
        assert!(self.child.wait().unwrap().success());
    }
}

#[test]
fn a_module_that_32_processes_want_is_compiled_once() {
    let scene = Scene::new();
    // Large enough that the last one comes before the first one is done.
    let mut run = lua(&scene);
    run.stdout(Stdio::piped()).stderr(Stdio::piped());
    let children: Vec<Child> = (0..32).map(|_| run.spawn().unwrap()).collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(
            output.status.success() && output.stdout.ends_with(SOLVED.as_bytes()),
            "{output:?}"
        );
        assert!(output.stderr.is_empty(), "{output:?}");
    }
    let stats = scene.json(&["cache", "stats"]);
    for (name, count) in [("puts", 1), ("entries", 1), ("misses", 1), ("hits", 31)] {
        assert_eq!(stats[name], count, "{name}: {stats}");
    }
    scene.assert_clean();
}

#[test]
fn processes_that_want_different_modules_do_not_disturb_each_other() {
    let scene = Scene::new();
    let programs = ["hello.wasm", "hello.wat", "args.wasm", "qsort.wasm"];
    let run = |index: usize| {
        let mut run = scene.command(&["run", &fixture(programs[index % 4])]);
        run.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let children: Vec<Child> = (0..32).map(run).collect();
    let outputs: Vec<_> =
        children.into_iter().map(|child| child.wait_with_output().unwrap()).collect();
    for (index, output) in outputs.iter().enumerate() {
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        assert_eq!(output.stdout, outputs[index % 4].stdout);
    }
    assert_eq!(scene.json(&["cache", "stats"])["puts"], 4);
    scene.assert_clean();
}

#[test]
fn an_entry_that_is_evicted_while_a_process_runs_it_stays_usable() {
    let scene = Scene::new();
    // The second one runs from the file of the cache, as the first one may not.
    Waiting::start(&scene).go_on();
    let waiting = Waiting::start(&scene);
    assert_eq!(scene.json(&["cache", "prune", "--max-size", "0"])["removed_entries"], 1);
    assert!(scene.files("hot").is_empty());
    waiting.go_on();
    scene.hello();
    scene.assert_clean();
}

#[test]
fn the_directory_can_be_deleted_while_a_process_runs_from_it() {
    let scene = Scene::new();
    for _ in 0..2 {
        // Once while the module has just been compiled, once while it runs from the cache.
        let waiting = Waiting::start(&scene);
        fs::remove_dir_all(scene.work.path("cache")).unwrap();
        waiting.go_on();
        Waiting::start(&scene).go_on();
    }
    scene.hello();
    scene.assert_clean();
}

#[test]
fn a_process_can_be_killed_before_every_step_of_a_run_that_fills_the_cache() {
    need("strace");
    let mut killed = 0;
    for call in
        ["mkdir", "mkdirat", "flock", "write", "fdatasync", "renameat", "unlinkat", "openat"]
    {
        let scene = Scene::new();
        for count in 1.. {
            let mut traced = scene.traced_by("strace");
            traced.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={call}")]);
            traced.args(["-e", &format!("inject={call}:signal=SIGKILL:when={count}"), PRECAST]);
            traced.args(["run", &fixture("hello.wasm")]);
            traced.stdout(Stdio::null()).stderr(Stdio::null());
            let status = traced.status().unwrap();
            if status.success() {
                // There are fewer steps.
                break;
            }
            assert_eq!(status.signal(), Some(9), "{call} {count}");
            killed += 1;
            let problems = scene.repair();
            let is_leftover = |problem: &String| problem == "left over by a process that was ended";
            assert!(problems.iter().all(is_leftover), "{call} {count}: {problems:?}");
            assert_eq!(scene.hello(), "", "{call} {count}");
            scene.hello_from_cache();
            scene.assert_clean();
            scene.precast(&["cache", "clear", "--yes"]).stdout();
        }
    }
    assert!(killed > 40, "only {killed} steps");
}

#[test]
fn a_process_that_is_killed_while_it_compiles_keeps_nobody_waiting() {
    let scene = Scene::new();
    let mut first = lua(&scene).stdout(Stdio::null()).spawn().unwrap();
    while scene.files("locks").is_empty() && scene.files("hot").is_empty() {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    first.kill().unwrap();
    first.wait().unwrap();
    let second = Outcome::of(&mut lua(&scene));
    assert!(second.stdout().ends_with(SOLVED));
    scene.repair();
    assert_eq!(scene.hello(), "");
}
