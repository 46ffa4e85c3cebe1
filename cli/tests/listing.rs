//! `precast compile --emit asm` and `clif` show the code of functions.

mod support;

use std::fs;

use support::Workspace;

const MODULE: &str = r#"(module
    (import "host" "log" (func $log (param i32)))
    (func $first (param i32) (result i32) (i32.mul (local.get 0) (i32.const 1234)))
    (func $twin (param i32) (result i32) (i32.mul (local.get 0) (i32.const 1234)))
    (func (export "second") (result i64) (i64.const 678)))"#;

fn workspace() -> Workspace {
    let work = Workspace::new();
    fs::write(work.path("app.wat"), MODULE).unwrap();
    work
}

#[test]
fn functions_are_found_by_index_and_by_name() {
    let work = workspace();
    let clif = |function: &str| {
        let arguments = ["compile", "--emit", "clif", "--func", function, "app.wat"];
        work.precast(arguments).stdout()
    };
    for first in ["1", "first"] {
        let text = clif(first);
        assert!(text.starts_with(";; function 1 first\n"), "{text}");
        assert!(text.contains("iconst.i32 1234"), "{text}");
    }
    assert!(clif("second").contains("iconst.i64 678"));
    assert!(clif("twin").starts_with(";; function 2 twin, the same as function 1\n"));
}

#[test]
fn machine_code_is_that_of_each_machine() {
    let work = workspace();
    let arguments = [
        "compile", "--emit", "asm", "--func", "first", "--func", "second", "--target", "x86_64",
        "--target", "aarch64", "app.wat", "-o", "app.s",
    ];
    assert_eq!(work.precast(arguments).stdout(), "");
    let text = fs::read_to_string(work.path("app.s")).unwrap();
    assert_eq!(text.matches(";; function ").count(), 4, "{text}");
    assert!(text.contains("imull") && text.contains("madd"), "{text}");
}

#[test]
fn what_cannot_be_shown_is_refused_with_a_reason() {
    let work = workspace();
    let refused = |options: &[&str], reason: &str| {
        let arguments = ["compile", "app.wat"].iter().chain(options);
        let outcome = work.precast(arguments);
        assert_eq!(outcome.code, Some(1), "{outcome:?}");
        assert!(outcome.stderr.contains(reason), "{}", outcome.stderr);
    };
    refused(&["--emit", "asm"], "--func");
    refused(&["--func", "first"], "--emit asm");
    refused(&["--emit", "asm", "--func", "third"], "no function `third`");
    refused(&["--emit", "asm", "--func", "4"], "no function `4`: it has 4");
    refused(&["--emit", "clif", "--func", "log"], "`log` is imported");
    refused(&["--emit", "clif", "--func", "first", "-o", "app.wat"], "would replace");
    refused(&["--emit", "clif", "--func", "first", "--sign-key", "key"], "only artifacts");
    assert!(!work.path("app.precast").exists());
}
