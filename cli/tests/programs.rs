//! Programs in one file, and projects.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use support::{Outcome, PRECAST, Workspace, fixture};

/// The stub that is built with the workspace.
fn stub() -> String {
    let stub = Path::new(PRECAST).with_file_name("precast-stub");
    assert!(stub.exists(), "build the stub first: cargo build -p precast-stub");
    stub.to_str().unwrap().to_owned()
}

fn start(work: &Workspace, program: &str, arguments: &[&str]) -> Outcome {
    let program: PathBuf = work.path(program);
    Outcome::of(Command::new(program).args(arguments).current_dir(work.path("")).env("GIVEN", "1"))
}

#[test]
fn a_module_becomes_a_program() {
    let work = Workspace::new();
    let (stub, args) = (stub(), fixture("args.wasm"));
    let options = ["--env", "GIVEN", "--env", "FIXED=2", "--cpu", "baseline", "--cpu", "native"];
    let all = ["compile", "--emit", "exe", "--stub", &stub, "-o", "app", &args];
    let outcome = work.precast(all.into_iter().chain(options));
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    let output = start(&work, "app", &["an argument"]).stdout();
    for expected in ["an argument", "GIVEN=1", "FIXED=2"] {
        assert!(output.contains(expected), "{expected}: {output}");
    }
    let info = start(&work, "app", &["--precast-info"]).stdout();
    assert!(info.contains("baseline") && info.contains("native"), "{info}");
}

#[test]
fn options_that_make_no_sense_are_refused() {
    let work = Workspace::new();
    let hello = fixture("hello.wasm");
    for (options, expected) in [
        (&["--dir", "."][..], "are for programs in one file"),
        (&["--emit", "exe", "--stub", "none"], "cannot read the stub `none`: install it with"),
        (&["--emit", "exe", "--stub", &hello], "the stub is not a stub of precast"),
        (&["--emit", "exe", "--consume-fuel"], "has no limits"),
        (&["--emit", "exe", "--sign-key", "key"], "is not signed"),
    ] {
        let all = ["compile", "-o", "app", &hello].into_iter().chain(options.iter().copied());
        let outcome = work.precast(all);
        assert_eq!(outcome.code, Some(1), "{options:?} {outcome:?}");
        assert!(outcome.stderr.contains(expected), "{expected}: {outcome:?}");
    }
    let outcome = work.precast(["compile"]);
    assert!(outcome.stderr.contains("list some in `precast.toml`"), "{outcome:?}");
}

#[test]
fn a_project_lists_what_is_made() {
    let work = Workspace::new();
    for name in ["hello.wasm", "exit.wasm"] {
        fs::copy(fixture(name), work.path(name)).unwrap();
    }
    let manifest = "[[artifact]]\nmodule = \"hello.wasm\"\ncpu = [\"baseline\", \"native\"]\n\
                    sign-key = \"key\"\n\
                    [[artifact]]\nmodule = \"exit.wasm\"\noutput = \"exit\"\nemit = \"exe\"\n\
                    [compiler]\nopt-level = \"none\"\n";
    fs::write(work.path("precast.toml"), manifest).unwrap();
    work.precast(["keygen", "key"]).stdout();
    let outcome = work.precast(["compile", "--stub", &stub()]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    let run = work.precast(["run", "--trust-key", "key.pub", "hello.precast"]);
    assert_eq!(run.stdout(), "Hello, world!\n");
    let inspected = work.precast(["inspect", "hello.precast"]).stdout();
    assert!(inspected.contains("opt_level = none"), "{inspected}");
    assert_eq!(start(&work, "exit", &["5"]).code, Some(5));
    fs::write(work.path("precast.toml"), "[[artifact]]\nmodul = \"x\"\n").unwrap();
    let outcome = work.precast(["compile"]);
    assert!(outcome.stderr.contains("precast.toml:2: unknown key `modul`"), "{outcome:?}");
}
