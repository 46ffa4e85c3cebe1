//! Bad input gives one clear error and a non-zero exit code; nothing panics or crashes.

mod support;

use std::fs;

use precast::artifact::image::Image;

use support::{Outcome, Workspace, fixture};

/// A run that ended with an error of the command itself: code 1, one `error:` on stderr.
#[track_caller]
fn assert_refused(outcome: &Outcome, expected: &str) {
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(outcome.stderr.starts_with("error: "), "{outcome:?}");
    assert_eq!(outcome.stderr.matches("error: ").count(), 1, "{outcome:?}");
    assert!(!outcome.stderr.contains("panicked"), "{outcome:?}");
    assert!(outcome.stderr.contains(expected), "expected `{expected}` in {outcome:?}");
}

#[test]
fn files_that_cannot_be_read() {
    let work = Workspace::new();
    assert_refused(&work.precast(["run", "missing.wasm"]), "cannot open `missing.wasm`");
    fs::create_dir(work.path("folder")).unwrap();
    assert_refused(&work.precast(["run", "folder"]), "`folder` is a directory");
    fs::write(work.path("empty.wasm"), b"").unwrap();
    assert_refused(&work.precast(["run", "empty.wasm"]), "`empty.wasm` is empty");
    assert_refused(
        &work.precast(["run", "--dir", "nowhere", &fixture("hello.wasm")]),
        "the directory `nowhere` of `--dir`",
    );
    assert_refused(
        &work.precast(["compile", &fixture("hello.wasm"), "-o", "nowhere/hello.precast"]),
        "cannot write `nowhere/hello.precast`",
    );
}

#[test]
fn wrong_usage_is_2() {
    let work = Workspace::new();
    for arguments in [&["run"][..], &["frobnicate"], &["run", "--no-such-option", "x.wasm"]] {
        assert_eq!(work.precast(arguments).code, Some(2), "{arguments:?}");
    }
}

#[test]
fn wasm_that_is_damaged() {
    let work = Workspace::new();
    let wasm = fs::read(fixture("hello.wasm")).unwrap();
    // Few enough to be quick, odd enough to hit every section.
    for len in (1..wasm.len()).step_by(97) {
        fs::write(work.path("cut.wasm"), &wasm[..len]).unwrap();
        assert_refused(&work.precast(["validate", "cut.wasm"]), "cut.wasm");
        assert_refused(&work.precast(["compile", "cut.wasm"]), "cut.wasm");
    }
    for at in (0..wasm.len()).step_by(61) {
        let mut flipped = wasm.clone();
        flipped[at] ^= 0x11;
        fs::write(work.path("flipped.wasm"), &flipped).unwrap();
        let outcome = work.precast(["compile", "flipped.wasm"]);
        assert!(matches!(outcome.code, Some(0 | 1)), "flip at {at}: {outcome:?}");
        assert!(!outcome.stderr.contains("panicked"), "flip at {at}: {outcome:?}");
    }
}

#[test]
fn modules_that_are_not_supported_are_refused_by_name() {
    let work = Workspace::new();
    let component = b"\0asm\x0d\0\x01\0";
    fs::write(work.path("component.wasm"), component).unwrap();
    assert_refused(&work.precast(["run", "component.wasm"]), "component");
    for (text, proposal) in [
        ("(module (global (shared i32) (i32.const 0)))", "shared-everything-threads"),
        ("(module (type (func)) (type (cont 0)))", "stack-switching"),
    ] {
        fs::write(work.path("new.wat"), text).unwrap();
        assert_refused(&work.precast(["compile", "new.wat"]), &format!("`{proposal}`"));
    }
    fs::write(work.path("text.wat"), "(module (func (export").unwrap();
    assert_refused(&work.precast(["run", "text.wat"]), "text.wat");
}

#[test]
fn imports_that_nobody_provides() {
    let work = Workspace::new();
    let text = r#"(module (import "env" "f" (func $f (result i32)))
        (func (export "_start") (if (call $f) (then unreachable))))"#;
    fs::write(work.path("needs.wat"), text).unwrap();
    let refused = work.precast(["run", "needs.wat"]);
    assert_refused(&refused, "env");
    assert!(refused.stderr.contains("`f`") || refused.stderr.contains("::f"), "{refused:?}");
    assert_eq!(work.precast(["run", "--unknown-imports", "zero", "needs.wat"]).code, Some(0));
    let trapped = work.precast(["run", "--unknown-imports", "trap", "needs.wat"]);
    assert!(matches!(trapped.code, Some(1 | 134)), "{trapped:?}");
    assert!(trapped.stderr.contains("env"), "{trapped:?}");
}

#[test]
fn a_trap_while_starting() {
    let work = Workspace::new();
    fs::write(work.path("start.wat"), "(module (func $main unreachable) (start $main))").unwrap();
    let outcome = work.precast(["run", "start.wat"]);
    assert_eq!(outcome.code, Some(134), "{outcome:?}");
    assert!(outcome.stderr.contains("unreachable"), "{outcome:?}");
    assert!(outcome.stderr.contains("main"), "{outcome:?}");
}

#[test]
fn an_artifact_that_is_cut_short() {
    let work = Workspace::new();
    let artifact = work.compile("hello.wasm");
    let borders: Vec<usize> = section_borders(&artifact);
    assert!(borders.len() > 10, "{borders:?}");
    for border in borders {
        for len in [border.saturating_sub(1), border, border + 1] {
            if len >= artifact.len() {
                continue;
            }
            fs::write(work.path("cut.precast"), &artifact[..len]).unwrap();
            let outcome = work.precast(["run", "cut.precast"]);
            assert_refused(&outcome, "cut.precast");
        }
    }
}

#[test]
fn an_artifact_that_was_edited() {
    let work = Workspace::new();
    let artifact = work.compile("hello.wasm");
    let prefix =
        u64::from_le_bytes(artifact[header_at(&artifact) + 16..][..8].try_into().unwrap()) as usize;
    for at in (1..prefix).step_by(41) {
        let mut edited = artifact.clone();
        edited[at] ^= 0x20;
        fs::write(work.path("edited.precast"), &edited).unwrap();
        assert_refused(&work.precast(["run", "edited.precast"]), "edited.precast");
    }
    for at in (prefix..artifact.len()).step_by(artifact.len() / 40) {
        let mut edited = artifact.clone();
        edited[at] ^= 0x20;
        fs::write(work.path("edited.precast"), &edited).unwrap();
        let outcome = work.precast(["run", "--verify", "edited.precast"]);
        assert_refused(&outcome, "do not match their digest");
        search_everything(&edited);
    }
}

/// Looks everything up that a run would: whatever the tables say, nothing is out of bounds.
fn search_everything(artifact: &[u8]) {
    let image = Image::parse(artifact).expect("the body is not checked by a load");
    let sections = image.sections;
    for pc in (0..sections.text.bytes.len() as u32 + 64).step_by(3) {
        let _ = sections.functions.find(pc);
        let _ = sections.sites.get(pc);
    }
    assert!(sections.functions.iter().count() == image.module.defined_functions as usize);
    let _ = sections.symbols.iter().count();
    let _ = sections.sites.iter().count();
}

#[test]
fn an_artifact_that_does_not_fit() {
    let work = Workspace::new();
    let hello = fixture("hello.wasm");
    let other = if cfg!(target_arch = "x86_64") { "aarch64" } else { "x86_64" };
    let triple = format!("{other}-unknown-linux-gnu");
    assert_eq!(
        work.precast(["compile", "--target", &triple, &hello, "-o", "other.precast"]).code,
        Some(0)
    );
    assert_refused(&work.precast(["run", "other.precast"]), &format!("needs a {other} machine"));

    let mut version = work.compile("hello.wasm");
    let at = header_at(&version) + 8;
    version[at] = 250;
    fs::write(work.path("version.precast"), &version).unwrap();
    assert_refused(&work.precast(["run", "version.precast"]), "artifact format 250");

    fs::copy(std::env::current_exe().unwrap(), work.path("elf.precast")).unwrap();
    assert_refused(&work.precast(["run", "elf.precast"]), "not a precast artifact");
    assert_refused(&work.precast(["compile", "elf.precast"]), "elf.precast");
}

fn header_at(artifact: &[u8]) -> usize {
    artifact.windows(8).position(|window| window == b"precast\0").expect("a header")
}

/// Where sections begin or end.
fn section_borders(artifact: &[u8]) -> Vec<usize> {
    let sections = Image::section_sizes(artifact).unwrap();
    let total: u64 = sections.iter().map(|section| section.1).sum();
    assert!(total <= artifact.len() as u64);
    // Sections stand in file order, aligned; their first bytes are found by walking down from
    // the section table, which the sizes come from.
    let headers = u64::from_le_bytes(artifact[40..48].try_into().unwrap()) as usize;
    let count = u16::from_le_bytes(artifact[60..62].try_into().unwrap()) as usize;
    let mut borders: Vec<usize> = (1..count)
        .flat_map(|index| {
            let field = |at: usize| {
                let start = headers + index * 64 + at;
                u64::from_le_bytes(artifact[start..start + 8].try_into().unwrap()) as usize
            };
            [field(24), field(24) + field(32)]
        })
        .collect();
    borders.sort_unstable();
    borders.dedup();
    borders
}
