//! What is compiled already runs without the program that holds the compiler.

mod support;

use std::fs;
use std::process::Command;

use support::{Workspace, fixture};

/// The command without its other half.
fn alone(work: &Workspace) -> Command {
    let program = work.path("precast");
    if !program.exists() {
        fs::copy(env!("CARGO_BIN_EXE_precast"), &program).unwrap();
    }
    let mut command = Command::new(program);
    command.env("PRECAST_CACHE_DIR", work.path("cache")).env_remove("PRECAST_CONFIG");
    command
}

#[test]
fn hits_and_artifacts_need_no_compiler() {
    let work = Workspace::new();
    // A file that was just made is not believed to be unchanged: its times may still move.
    let module = fixture("hello.wasm");
    for _ in 0..2 {
        assert_eq!(work.precast(["run", &module]).stdout, "Hello, world!\n");
    }
    work.compile("hello.wasm");
    let artifact = work.path("compiled.precast").to_str().unwrap().to_owned();
    for program in [&module, &artifact] {
        let output = alone(&work).arg("run").arg(program).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "Hello, world!\n", "{output:?}");
    }
}

#[test]
fn everything_else_says_what_is_missing() {
    let work = Workspace::new();
    let module = fixture("hello.wasm");
    for arguments in [&["run", &module][..], &["compile", &module], &["run", "--bogus"], &[]] {
        let output = alone(&work).args(arguments).output().unwrap();
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {message}");
        assert!(message.contains("precast-compiler"), "{arguments:?}: {message}");
    }
}
