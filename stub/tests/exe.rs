//! Programs in one file, made with the stub as it is built for tests.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use precast::artifact::container::{self, Part};
use precast::artifact::program::{
    Authority, Directory, LinkError, Manifest, Program, Variable, link,
};
use precast::{Config, CpuChoice, Engine};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures").join(name)
}

fn compile(name: &str, cpu: CpuChoice) -> Vec<u8> {
    let mut config = Config::new();
    config.cpu(cpu);
    let wasm = fs::read(fixture(name)).unwrap();
    Engine::new(&config).unwrap().precompile_module(&wasm).unwrap()
}

fn stub() -> Vec<u8> {
    fs::read(env!("CARGO_BIN_EXE_precast-stub")).unwrap()
}

/// A directory with a program in it.
struct Scene {
    directory: tempfile::TempDir,
    app: PathBuf,
}

impl Scene {
    fn new(manifest: Manifest, artifact: &[u8]) -> Scene {
        let directory = tempfile::tempdir().unwrap();
        let app = directory.path().join("app");
        let linked = link(&stub(), &Program { manifest, artifact }).unwrap();
        fs::write(&app, linked.executable).unwrap();
        fs::set_permissions(&app, fs::Permissions::from_mode(0o755)).unwrap();
        Scene { directory, app }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(&self.app);
        command.args(arguments).current_dir(self.directory.path()).env("GIVEN", "here");
        command.output().unwrap()
    }
}

fn named(name: &str) -> Manifest {
    Manifest { name: name.into(), ..Manifest::default() }
}

#[track_caller]
fn stdout(output: Output) -> String {
    assert!(output.status.success(), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_program_runs_and_gets_its_arguments_and_what_was_fixed() {
    let variable = |name: &str, value: Option<&str>| Variable {
        name: name.into(),
        value: value.map(Into::into),
    };
    let environment = vec![variable("GIVEN", None), variable("FIXED", Some("two words"))];
    let manifest = Manifest { environment, ..named("args") };
    let scene = Scene::new(manifest, &compile("args.wasm", CpuChoice::Native));
    let text = stdout(scene.run(&["--flag", "value"]));
    for expected in ["app", "--flag", "value", "GIVEN=here", "FIXED=two words"] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    assert!(!text.contains("PATH="), "{text}");
    let info = stdout(scene.run(&["--precast-info"]));
    for expected in
        ["args: a WebAssembly program", "no files", "your variable GIVEN", "FIXED=two words"]
    {
        assert!(info.contains(expected), "{expected}: {info}");
    }
    assert!(stdout(scene.run(&["--precast-info", "x"])).contains("--precast-info"));
}

#[test]
fn files_are_the_programs_when_they_were_given() {
    let artifact = compile("files.wasm", CpuChoice::Native);
    let none = Scene::new(named("files"), &artifact).run(&[]);
    assert!(!none.status.success(), "{none:?}");
    let directories = vec![Directory { host: ".".into(), guest: "data".into() }];
    let listed = Scene::new(Manifest { directories, ..named("files") }, &artifact);
    stdout(listed.run(&[]));
    let ambient = Manifest { authority: Authority::Ambient, ..named("cat") };
    let ambient = Scene::new(ambient, &compile("cat.wasm", CpuChoice::Native));
    fs::write(ambient.directory.path().join("text"), "some text\n").unwrap();
    assert!(stdout(ambient.run(&["text"])).contains("some text"));
    let absolute = ambient.directory.path().join("text");
    assert!(stdout(ambient.run(&[absolute.to_str().unwrap()])).contains("some text"));
}

#[test]
fn exit_codes_and_traps_are_those_of_a_run() {
    let exit = Scene::new(named("exit"), &compile("exit.wasm", CpuChoice::Native));
    for code in [0, 3, 255] {
        assert_eq!(exit.run(&[&code.to_string()]).status.code(), Some(code));
    }
    let trap = Scene::new(named("trap"), &compile("trap.wasm", CpuChoice::Native));
    let output = trap.run(&["divide-by-zero"]);
    assert_eq!(output.status.code(), Some(134), "{output:?}");
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("integer divide by zero") && text.contains("!outermost"), "{text}");
}

#[test]
fn programs_with_threads_and_with_code_for_several_processors_run() {
    let threads = Scene::new(named("t"), &compile("threads/threads.wasm", CpuChoice::Native));
    assert!(stdout(threads.run(&["8"])).ends_with("8 threads, right\n"));
    let (old, new) =
        (compile("hello.wasm", CpuChoice::Baseline), compile("hello.wasm", CpuChoice::Native));
    let parts = [Part { cpu: "baseline", artifact: &old }, Part { cpu: "better", artifact: &new }];
    for artifact in [old.clone(), container::write(&parts).unwrap()] {
        let scene = Scene::new(named("hello"), &artifact);
        assert_eq!(stdout(scene.run(&[])), "Hello, world!\n");
    }
}

#[test]
fn what_makes_no_program_is_refused() {
    let artifact = compile("hello.wasm", CpuChoice::Native);
    let program = Program { manifest: named("hello"), artifact: &artifact };
    let refused = |stub: &[u8], program| link(stub, program).unwrap_err();
    assert_eq!(refused(b"#!/bin/sh", &program), LinkError::NotAStub);
    let other = fs::read(std::env::current_exe().unwrap()).unwrap();
    assert_eq!(refused(&other, &program), LinkError::NotAStub);
    let wasm = Program { manifest: named("hello"), artifact: b"\0asm" };
    assert!(matches!(refused(&stub(), &wasm), LinkError::Image(_)));
    let linked = link(&stub(), &program).unwrap();
    assert!(linked.interpreter.is_none_or(|path| path.starts_with('/')));
    let output = Command::new(env!("CARGO_BIN_EXE_precast-stub")).output().unwrap();
    assert!(String::from_utf8(output.stderr).unwrap().contains("only the stub"));
}
