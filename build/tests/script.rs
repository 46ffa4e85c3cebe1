//! A build script as cargo runs it.
#![allow(unsafe_code)] // Runs what was compiled.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use precast::{Engine, Instance, Module, Store};

/// The program that cargo builds of `examples/script.rs` for tests.
fn script() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let script = tests.parent().unwrap().parent().unwrap().join("examples/script");
    assert!(script.exists(), "build the script first: cargo build --workspace --examples");
    script
}

fn run(directory: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(script());
    command.args(arguments).current_dir(directory);
    command.env_remove("OUT_DIR").env_remove("TARGET").env("PRECAST_CONFIG", "");
    command.env("PRECAST_CACHE_DIR", directory.join("cache")).envs(variables.iter().copied());
    command.output().unwrap()
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
    for cpus in [&[][..], &["baseline", "native"]] {
        let arguments = ["m.wat"].iter().chain(cpus).copied().collect::<Vec<_>>();
        let output = run(path, &arguments, &variables);
        assert!(output.status.success(), "{output:?}");
        let stdout = String::from_utf8(output.stdout).unwrap();
        let expected = [
            "cargo::rerun-if-changed=m.wat".to_owned(),
            "cargo::rerun-if-env-changed=PRECAST_CACHE_DIR".to_owned(),
            "cargo::rerun-if-env-changed=PRECAST_CONFIG".to_owned(),
            format!("cargo::rustc-env=PRECAST_MY_PLUG_IN={}", artifact.display()),
        ];
        assert_eq!(stdout.lines().collect::<Vec<_>>(), expected);
        let engine = Engine::default();
        // SAFETY: the script above made it.
        let module = unsafe { Module::deserialize_file(&engine, &artifact).unwrap() };
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let f = instance.get_typed_func::<(), i32>(&mut store, "f").unwrap();
        assert_eq!(f.call(&mut store, ()).unwrap(), 7);
        let contained = module.contained().map(|image| image.cpu.clone());
        assert_eq!(contained.as_deref(), cpus.last().copied());
    }
}

#[test]
fn what_is_wrong_is_an_error_of_the_build() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    std::fs::write(path.join("wrong.wat"), "(module\n (func $f (result i32)))").unwrap();
    let variables = [("OUT_DIR", path.to_str().unwrap()), ("TARGET", "x86_64-unknown-linux-gnu")];
    for (arguments, variables, expected) in [
        (&["wrong.wat"][..], &variables[..], "cargo::error=cannot compile `wrong.wat`: "),
        (&["missing.wasm"], &variables, "cargo::error=cannot compile `missing.wasm`: cannot open"),
        (&["wrong.wat"], &[], "cargo::error=OUT_DIR is not set"),
    ] {
        let output = run(path, arguments, variables);
        let stdout = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(1), "{stdout}");
        assert!(stdout.starts_with(expected) && stdout.lines().count() == 1, "{stdout}");
    }
}
