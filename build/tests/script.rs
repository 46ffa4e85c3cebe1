//! A build script as cargo runs it.
#![allow(unsafe_code)] // Runs what was compiled.

use std::path::Path;
use std::process::Command;

use precast::{Engine, Instance, Module, Store};
use precast_build::Builder;

/// What a process that is a build script compiles: a module, and the processors for it.
const TASK: &str = "PRECAST_BUILD_TASK";

/// The build script. The other tests start it as a process of its own.
#[test]
fn as_a_build_script() {
    let Ok(task) = std::env::var(TASK) else { return };
    let mut words = task.split(' ');
    let mut builder = Builder::new(words.next().unwrap());
    words.for_each(|cpu| {
        builder.cpu(cpu);
    });
    builder.name("my plug-in").build();
}

fn run(directory: &Path, task: &str, variables: &[(&str, &str)]) -> (Option<i32>, Vec<String>) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "as_a_build_script", "--nocapture", "--quiet"]);
    command.current_dir(directory).env(TASK, task);
    command.env_remove("OUT_DIR").env_remove("TARGET").env("PRECAST_CONFIG", "");
    command.env("PRECAST_CACHE_DIR", directory.join("cache")).envs(variables.iter().copied());
    let output = command.output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    let instructions = stdout.lines().filter(|line| line.starts_with("cargo::"));
    (output.status.code(), instructions.map(str::to_owned).collect())
}

#[test]
fn a_module_becomes_an_artifact_that_cargo_knows() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let text = "(module (func (export \"f\") (result i32) (i32.const 7)))";
    std::fs::write(path.join("m.wat"), text).unwrap();
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let variables = [("OUT_DIR", path.to_str().unwrap()), ("TARGET", target.as_str())];
    let artifact = path.join("my plug-in.precast");
    for (task, cpu) in [("m.wat", None), ("m.wat baseline native", Some("native"))] {
        let (code, instructions) = run(path, task, &variables);
        let expected = [
            "cargo::rerun-if-changed=m.wat".to_owned(),
            "cargo::rerun-if-env-changed=PRECAST_CACHE_DIR".to_owned(),
            "cargo::rerun-if-env-changed=PRECAST_CONFIG".to_owned(),
            format!("cargo::rustc-env=PRECAST_MY_PLUG_IN={}", artifact.display()),
        ];
        assert_eq!((code, instructions), (Some(0), expected.to_vec()));
        let engine = Engine::default();
        // SAFETY: the script above made it.
        let module = unsafe { Module::deserialize_file(&engine, &artifact).unwrap() };
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let f = instance.get_typed_func::<(), i32>(&mut store, "f").unwrap();
        assert_eq!(f.call(&mut store, ()).unwrap(), 7);
        let contained = module.contained().map(|image| image.cpu.clone());
        assert_eq!(contained.as_deref(), cpu);
    }
}

#[test]
fn what_is_wrong_is_an_error_of_the_build() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    std::fs::write(path.join("wrong.wat"), "(module\n (func $f (result i32)))").unwrap();
    let variables = [("OUT_DIR", path.to_str().unwrap()), ("TARGET", "x86_64-unknown-linux-gnu")];
    for (task, variables, expected) in [
        ("wrong.wat", &variables[..], "cargo::error=cannot compile `wrong.wat`: "),
        ("missing.wasm", &variables, "cargo::error=cannot compile `missing.wasm`: cannot open"),
        ("wrong.wat", &[], "cargo::error=OUT_DIR is not set"),
    ] {
        let (code, instructions) = run(path, task, variables);
        assert_eq!(code, Some(1), "{instructions:?}");
        let [error] = instructions.as_slice() else { panic!("{instructions:?}") };
        assert!(error.starts_with(expected), "{error}");
    }
}
