//! Processes that are killed, and system calls that fail, at every step of an addition.

use std::ops::RangeInclusive;
use std::os::unix::process::ExitStatusExt as _;

use precast_cache::{Problem, Tier};

use crate::child::{self, DONE, Role};
use crate::functions;
use crate::scene::{Scene, assert_clean, assert_hit, assert_right_or_missing, repaired, serve};

#[test]
fn a_process_can_be_killed_before_every_step_of_an_addition() {
    child::need_trace();
    let scene = Scene::new();
    let cache = scene.cache();
    serve(&cache, 0);
    let mut number = 0;
    let changes =
        ["open", "mkdirat", "openat", "flock", "write", "fdatasync", "renameat", "unlinkat"];
    for step in changes.into_iter().chain(["close"]) {
        for count in steps(step) {
            number += 1;
            let inject = format!("{step}:signal=SIGKILL:when={count}");
            let child = child::injected(&inject, Role::Serve, scene.path(), number).status();
            let status = child.unwrap();
            if status.code() == Some(DONE) {
                // There are fewer steps where the folders exist already.
                break;
            }
            assert_eq!(status.signal(), Some(9), "{inject}");
            assert_right_or_missing(&cache, number);
            assert_only_leftovers(&repaired(&cache));
            serve(&cache, number);
            assert_hit(&cache, number, Tier::Hot);
        }
    }
    assert!(number > 40, "only {number} steps");
    let swept = cache.housekeep().unwrap().unwrap();
    assert_eq!(swept.evicted, 0);
    let empty = |folder: &str| std::fs::read_dir(scene.root().join(folder)).unwrap().count() == 0;
    assert!(empty("tmp") && empty("locks") && empty("quarantine"));
}

#[test]
fn a_process_can_be_killed_before_every_step_of_making_the_directory() {
    child::need_trace();
    for step in ["mkdir", "mkdirat", "open", "openat"] {
        for count in steps(step) {
            let scene = Scene::new();
            let inject = format!("{step}:signal=SIGKILL:when={count}");
            let child = child::injected(&inject, Role::Serve, scene.path(), 1).status();
            let status = child.unwrap();
            assert!(status.signal() == Some(9) || status.code() == Some(DONE), "{inject}");
            let cache = scene.cache();
            assert_only_leftovers(&repaired(&cache));
            serve(&cache, 1);
            assert_hit(&cache, 1, Tier::Hot);
        }
    }
}

#[test]
fn a_system_error_costs_no_entry() {
    child::need_trace();
    let scene = Scene::new();
    let cache = scene.cache();
    serve(&cache, 0);
    for (step, error) in [("open", "EMFILE"), ("openat", "EMFILE"), ("fstat", "ENOMEM")] {
        let first = steps(step).start().to_owned();
        for count in first..first + 6 {
            let inject = format!("{step}:error={error}:when={count}");
            let child = child::injected(&inject, Role::Serve, scene.path(), 0).status();
            assert_eq!(child.unwrap().code(), Some(DONE), "{inject}");
            assert_hit(&cache, 0, Tier::Hot);
        }
        assert_clean(&cache);
    }
    let quarantine = std::fs::read_dir(scene.root().join("quarantine")).unwrap();
    assert_eq!(quarantine.count(), 0);
}

#[test]
fn every_step_of_an_addition_can_fail() {
    child::need_trace();
    let scene = Scene::new();
    let cache = scene.cache();
    serve(&cache, 0);
    let mut number = 0;
    let failures = [
        ("openat", "EACCES"),
        ("flock", "ENOLCK"),
        ("write", "ENOSPC"),
        ("fdatasync", "EIO"),
        ("renameat", "EDQUOT"),
        ("mkdirat", "EROFS"),
        ("unlinkat", "EPERM"),
    ];
    for (step, error) in failures {
        for count in steps(step) {
            // Failing once, and failing from then on.
            for repeated in ["", "+"] {
                number += 1;
                let inject = format!("{step}:error={error}:when={count}{repeated}");
                let mut child = child::injected(&inject, Role::Serve, scene.path(), number);
                // The child checks what it is served.
                assert_eq!(child.status().unwrap().code(), Some(DONE), "{inject}");
                assert_right_or_missing(&cache, number);
            }
            assert_only_leftovers(&repaired(&cache));
        }
    }
    assert_hit(&cache, 0, Tier::Hot);
    assert_clean(&cache);
}

#[test]
fn functions_survive_every_step_of_an_addition_that_kills_or_fails() {
    child::need_trace();
    let scene = Scene::new();
    let cache = scene.cache();
    functions::keep(&cache, 0..5);
    let mut number = 10;
    for step in ["mkdirat", "openat", "flock", "write", "renameat", "unlinkat"] {
        let elsewhere = Scene::new();
        functions::keep(&elsewhere.cache(), 0..5);
        let count = |role| child::count(step, role, elsewhere.path(), 1);
        for count in count(Role::Nothing) + 1..=count(Role::Keep) {
            for what in ["signal=SIGKILL", "error=EIO"] {
                number += 10;
                let inject = format!("{step}:{what}:when={count}");
                let child = child::injected(&inject, Role::Keep, scene.path(), number).status();
                let status = child.unwrap();
                assert!(status.signal() == Some(9) || status.code() == Some(DONE), "{inject}");
                functions::assert_right_or_missing(&cache, number..number + 5);
                assert_only_leftovers(&repaired(&cache));
            }
        }
    }
    assert!(number > 100, "only {number} steps");
    let quarantine = std::fs::read_dir(scene.root().join("quarantine")).unwrap();
    assert_eq!(quarantine.count(), 0);
}

fn assert_only_leftovers(problems: &[Problem]) {
    assert!(problems.iter().all(|found| *found == Problem::Leftover), "{problems:?}");
}

/// Which calls of a process that makes an addition belong to that: those beyond what a process
/// makes anyway, which come first.
fn steps(step: &str) -> RangeInclusive<usize> {
    let elsewhere = Scene::new();
    let count = |role| child::count(step, role, elsewhere.path(), 1);
    let first = count(Role::Nothing) + 1;
    let last = count(Role::Serve);
    first..=last
}
