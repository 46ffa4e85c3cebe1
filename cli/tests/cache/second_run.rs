//! A second run does not read the module, and neither loads nor initialises the compiler.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::scene::{Scene, need};
use crate::support::{Outcome, PRECAST, fixture};

/// Programs of all kinds: C, Rust, threads, text; what they are run with; the exit code.
const PROGRAMS: [(&str, &[&str], i32); 8] = [
    ("hello.wasm", &[], 0),
    ("hello.wat", &[], 0),
    ("args.wasm", &["a", "b"], 0),
    ("exit.wasm", &["7"], 7),
    ("trap.wasm", &["unreachable"], 134),
    ("qsort.wasm", &[], 0),
    ("rust.wasm", &["words"], 0),
    ("threads/threads.wasm", &["1"], 0),
];

#[test]
fn a_second_run_does_not_read_the_module() {
    need("strace");
    let scene = Scene::new();
    for (name, arguments, code) in PROGRAMS {
        let module = fixture(name);
        let first = Outcome::of(scene.command(&["run", &module]).args(arguments));
        settle(&scene, &module);
        let log = scene.work.path("strace.log");
        let mut traced = scene.traced_by("strace");
        traced.args(["-f", "-y", "-qq", "-o"]).arg(&log);
        traced.args(["-e", "trace=openat,open,read,pread64,readv,preadv,mmap,execve,clone,clone3"]);
        let second = Outcome::of(traced.args([PRECAST, "run", &module]).args(arguments));
        assert_eq!(
            (second.code, &second.stdout),
            (Some(code), &first.stdout),
            "{name}: {second:?}"
        );
        let log = fs::read_to_string(log).unwrap();
        let calls = |calls: &[&str], file: &str| -> Vec<&str> {
            let is = |line: &&str| calls.iter().any(|call| line.contains(&format!(" {call}(")));
            log.lines().filter(is).filter(|line| line.contains(file)).collect()
        };
        // It is opened, to see that it is the same file, and then let alone.
        assert_eq!(calls(&["openat", "open"], &module).len(), 1, "{name}: {log}");
        let contents = ["read", "pread64", "readv", "preadv", "mmap"];
        assert_eq!(calls(&contents, &module), [""; 0], "{name}");
        assert!(!calls(&["mmap"], "/hot/").is_empty(), "{name}: {log}");
        // Nothing but the program itself starts a thread, and it is the only program.
        assert_eq!(calls(&["execve"], "").len(), 1, "{name}: {log}");
        if !name.contains("threads") {
            assert_eq!(calls(&["clone", "clone3"], ""), [""; 0], "{name}");
        }
    }
}

#[test]
fn a_second_run_executes_nothing_of_the_compiler() {
    need("valgrind");
    let scene = Scene::new();
    let module = fixture("hello.wasm");
    // Valgrind does not know the newest processors.
    let options = ["run", "--cpu", "baseline", &module];
    let executed = |program: &str, name: &str| {
        let profile = scene.work.path(name);
        let mut traced = scene.traced_by("valgrind");
        traced.args(["--quiet", "--tool=callgrind"]);
        traced.arg(format!("--callgrind-out-file={}", profile.display()));
        let outcome = Outcome::of(traced.arg(program).args(options));
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(0), crate::scene::HELLO));
        compiler_functions(&profile)
    };
    let first = executed(env!("CARGO_BIN_EXE_precast-compiler"), "first");
    assert!(first.len() > 500, "only {} functions of the compiler were seen", first.len());
    let second = executed(PRECAST, "second");
    assert_eq!(second, [""; 0]);
}

/// The functions of the code generator, the translator and the validator in a profile.
fn compiler_functions(profile: &Path) -> Vec<String> {
    let text = fs::read_to_string(profile).unwrap();
    let names = text.lines().filter_map(|line| line.strip_prefix("fn=")?.split_once(") "));
    let of_compiler = |name: &&str| {
        ["cranelift", "regalloc2", "wasmparser", "precast_compiler"]
            .iter()
            .any(|part| name.contains(part))
    };
    names.map(|(_, name)| name).filter(of_compiler).map(str::to_owned).collect()
}

/// Waits until the file counts as unchanged: one that has just been written does not.
fn settle(scene: &Scene, module: &str) {
    let known = || scene.json(&["cache", "stats"])["known_files"].as_u64().unwrap();
    let begin = Instant::now();
    loop {
        let before = known();
        let run =
            scene.command(&["run", module]).stdout(Stdio::null()).stderr(Stdio::null()).status();
        run.unwrap();
        if known() > before {
            return;
        }
        let waited = begin.elapsed();
        assert!(
            waited < Duration::from_secs(30),
            "{module} is never known: does its file system keep change times?"
        );
        std::thread::sleep(Duration::from_millis(200));
    }
}
