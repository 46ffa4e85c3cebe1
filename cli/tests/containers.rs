//! Artifacts for several machines, and signed ones.

mod support;

use std::fs;
use std::process::Command;

use support::{Workspace, fixture, need};

#[test]
fn one_file_holds_code_for_several_machines() {
    let work = Workspace::new();
    let hello = fixture("hello.wasm");
    let compile = |cpus: &[&str]| {
        let cpus = cpus.iter().flat_map(|cpu| ["--cpu", cpu]);
        let targets =
            ["--target", "x86_64-unknown-linux-gnu", "--target", "aarch64-unknown-linux-gnu"];
        let all = ["compile", &hello, "-o", "hello.precast"].into_iter().chain(targets).chain(cpus);
        assert_eq!(work.precast(all).stdout(), "");
        fs::read(work.path("hello.precast")).unwrap()
    };
    let bytes = compile(&["baseline", "x86-64-v2"]);
    assert!(bytes == compile(&["baseline", "x86-64-v2"]), "the same options give the same bytes");
    for options in [&[][..], &["--verify"], &["--copy"]] {
        let arguments = ["run"].iter().chain(options).chain(&["hello.precast"]);
        assert_eq!(work.precast(arguments).stdout(), "Hello, world!\n");
    }
    let text = work.precast(["inspect", "hello.precast"]).stdout();
    for expected in [
        "x86_64-unknown-linux-gnu baseline",
        "x86_64-unknown-linux-gnu x86-64-v2",
        "aarch64-unknown-linux-gnu baseline",
        "this machine takes it",
        "signed by:     nobody",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    let json = work.precast(["inspect", "--json", "hello.precast"]).stdout();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let artifacts = json["artifacts"].as_array().unwrap();
    let taken: Vec<_> = artifacts.iter().filter(|artifact| artifact["taken"] == true).collect();
    assert_eq!((artifacts.len(), taken.len()), (3, 1));
    let cpu = if cfg!(target_arch = "x86_64") { "x86-64-v2" } else { "baseline" };
    assert_eq!(taken[0]["cpu"], cpu);
}

#[test]
fn a_file_without_code_for_this_machine_says_what_it_has_and_what_is_missing() {
    let work = Workspace::new();
    let other = if cfg!(target_arch = "x86_64") { "aarch64" } else { "x86_64" };
    let hello = fixture("hello.wasm");
    let arguments = ["compile", "--target", other, "--sign-key", "key", &hello, "-o", "a.precast"];
    work.precast(["keygen", "key"]).stdout();
    work.precast(arguments).stdout();
    let outcome = work.precast(["run", "a.precast"]);
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    let has = format!("holds code for {other}-unknown-linux-gnu baseline, none of which fits");
    let missing = format!("needs a {other} machine; this one is {}", std::env::consts::ARCH);
    for expected in [has, missing] {
        assert!(outcome.stderr.contains(&expected), "{expected}: {outcome:?}");
    }
}

#[test]
fn many_modules_are_compiled_beside_themselves() {
    let work = Workspace::new();
    for name in ["hello.wasm", "exit.wasm"] {
        fs::copy(fixture(name), work.path(name)).unwrap();
    }
    assert_eq!(work.precast(["compile", "hello.wasm", "exit.wasm"]).stdout(), "");
    assert_eq!(work.precast(["run", "hello.precast"]).stdout(), "Hello, world!\n");
    assert_eq!(work.precast(["run", "exit.precast", "3"]).code, Some(3));
    let outcome = work.precast(["compile", "hello.wasm", "exit.wasm", "-o", "x.precast"]);
    assert!(outcome.stderr.contains("several modules"), "{outcome:?}");
    let outcome = work.precast(["compile", "--cpu", "x86-64-v9", "hello.wasm"]);
    assert!(outcome.stderr.contains("x86-64-v9"), "{outcome:?}");
}

#[test]
fn what_is_signed_runs_where_the_key_is_trusted() {
    let work = Workspace::new();
    let hello = fixture("hello.wasm");
    let public = work.precast(["keygen", "one.key"]).stdout();
    work.precast(["keygen", "two.key"]).stdout();
    assert_eq!(work.precast(["keygen", "one.key"]).code, Some(1), "a key is never replaced");
    work.precast(["compile", "--sign-key", "one.key", &hello, "-o", "a.precast"]).stdout();
    work.precast(["compile", &hello, "-o", "plain.precast"]).stdout();
    work.precast(["sign", "--key", "one.key", "plain.precast", "-o", "b.precast"]).stdout();
    for artifact in ["a.precast", "b.precast"] {
        for key in ["one.key.pub", public.trim()] {
            let output = work.precast(["run", "--trust-key", key, artifact]).stdout();
            assert_eq!(output, "Hello, world!\n");
        }
        assert_eq!(work.precast(["run", artifact]).stdout(), "Hello, world!\n");
        let text = work.precast(["inspect", "--trust-key", "one.key.pub", artifact]).stdout();
        assert!(text.contains(&format!("signed by:     {}, which is trusted", public.trim())));
    }
    work.precast(["sign", "--key", "two.key", "a.precast"]).stdout();
    for key in ["one.key.pub", "two.key.pub"] {
        work.precast(["run", "--trust-key", key, "a.precast"]).stdout();
    }
    let refused = |key: &str, artifact: &str, expected: &str| {
        let outcome = work.precast(["run", "--trust-key", key, artifact]);
        assert_ne!(outcome.code, Some(0), "{outcome:?}");
        assert_eq!(outcome.stdout, "");
        assert!(outcome.stderr.contains(expected), "{expected}: {outcome:?}");
    };
    refused("two.key.pub", "b.precast", "is not trusted");
    refused("one.key.pub", "plain.precast", "it is not signed");
    refused("one.key.pub", &hello, "not a precast artifact");
    refused("one.key", "a.precast", "this is a secret key");
}

/// The system calls of a refused run say that no page of the artifact was ever executable.
#[test]
fn what_is_refused_was_never_executable() {
    let work = Workspace::new();
    need("strace");
    work.precast(["keygen", "one.key"]).stdout();
    work.precast(["keygen", "two.key"]).stdout();
    let hello = fixture("hello.wasm");
    work.precast(["compile", &hello, "-o", "unsigned.precast"]).stdout();
    work.precast(["compile", "--sign-key", "one.key", &hello, "-o", "good.precast"]).stdout();
    work.precast(["compile", "--sign-key", "two.key", &hello, "-o", "foreign.precast"]).stdout();
    let mut bytes = fs::read(work.path("good.precast")).unwrap();
    let text = bytes.len() - 5000;
    bytes[text] ^= 1;
    fs::write(work.path("flipped.precast"), bytes).unwrap();
    // What is executable after the program has begun: mprotect calls, and maps of files by number.
    let executable = |artifact: &str| {
        let output = Command::new("strace")
            .args(["-f", "-y", "-e", "trace=mmap,mprotect", "-o"])
            .arg(work.path("trace"))
            .arg(env!("CARGO_BIN_EXE_precast"))
            .args(["run", "--trust-key", "one.key.pub", artifact])
            .current_dir(work.path(""))
            .output()
            .unwrap();
        let trace = fs::read_to_string(work.path("trace")).unwrap();
        let calls = trace.lines().filter(|line| line.contains("PROT_EXEC")).filter(|line| {
            line.contains("mprotect(") || line.contains("memfd:") || line.contains(".precast")
        });
        (output.status.code(), calls.count())
    };
    let (code, calls) = executable("good.precast");
    assert!(code == Some(0) && calls > 0, "the trace shows what it should: {code:?} {calls}");
    for artifact in ["unsigned.precast", "foreign.precast", "flipped.precast"] {
        assert_eq!(executable(artifact), (Some(1), 0), "{artifact}");
    }
}
