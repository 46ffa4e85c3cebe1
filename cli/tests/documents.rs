//! What is made of the command's own definitions.

mod support;

use std::fs;

use support::Workspace;

#[test]
fn shells_complete_every_command() {
    let work = Workspace::new();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = work.precast(["completions", shell]).stdout();
        for expected in ["precast", "compile", "inspect", "trust-key"] {
            assert!(script.contains(expected), "{shell}: {expected}");
        }
    }
    assert_eq!(work.precast(["completions", "cmd"]).code, Some(2));
}

#[test]
fn every_command_has_a_manual_page() {
    let work = Workspace::new();
    fs::create_dir(work.path("man")).unwrap();
    work.precast(["man", "man"]).stdout();
    for page in ["precast.1", "precast-run.1", "precast-compile.1", "precast-cache-warm.1"] {
        let text = fs::read_to_string(work.path("man").join(page)).unwrap();
        assert!(text.contains(".SH SYNOPSIS"), "{page}");
    }
    let outcome = work.precast(["man", "missing"]);
    assert!(outcome.stderr.contains("cannot write manual pages to `missing`"), "{outcome:?}");
}
