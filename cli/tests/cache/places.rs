//! Directories that cannot or must not be used: the run goes on, and that is said once.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;
use std::process::Command;

use crate::scene::{HELLO, Scene, need};
use crate::support::{Outcome, PRECAST, fixture};

/// Asserts that one warning was given, which says this.
#[track_caller]
fn assert_said_once(said: &str, expected: &str) {
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.starts_with("warning: ") && said.contains(expected), "{said}");
}

/// Asserts that commands do not use the directory, and why.
#[track_caller]
fn assert_refused(scene: &Scene, expected: &str) {
    for command in [&["cache", "ls"][..], &["cache", "verify"], &["cache", "clear", "--yes"]] {
        let refused = scene.precast(command);
        assert_eq!(refused.code, Some(1), "{refused:?}");
        assert!(refused.stderr.contains(expected), "{refused:?}");
    }
}

#[test]
fn a_directory_that_others_can_write_is_not_used() {
    let scene = Scene::new();
    scene.hello();
    fs::set_permissions(scene.root(), fs::Permissions::from_mode(0o777)).unwrap();
    assert_said_once(&scene.hello(), "can be written by others (mode 777)");
    assert_refused(&scene, "can be written by others (mode 777)");
    fs::set_permissions(scene.root(), fs::Permissions::from_mode(0o700)).unwrap();
    scene.hello_from_cache();
    scene.assert_clean();
}

#[test]
fn a_directory_of_another_user_is_not_used() {
    let scene = Scene::new();
    scene.hello();
    if chown(scene.root(), Some(54321), None).is_err() {
        return println!("skipped: only root can give a directory away");
    }
    assert_said_once(&scene.hello(), "belongs to user 54321");
    assert_refused(&scene, "belongs to user 54321");
    chown(scene.root(), Some(0), None).unwrap();
    scene.hello_from_cache();
    scene.assert_clean();
}

#[test]
fn a_file_in_place_of_the_directory_is_no_obstacle() {
    let scene = Scene::new();
    fs::write(scene.work.path("cache"), "mine").unwrap();
    assert_said_once(&scene.hello(), "the cache is not used");
    assert_refused(&scene, "cannot be used");
    assert_eq!(fs::read_to_string(scene.work.path("cache")).unwrap(), "mine");
}

#[test]
fn a_directory_that_is_deleted_is_made_again() {
    let scene = Scene::new();
    for gone in [
        "precast",
        "precast/v1/hot",
        "precast/v1/packed",
        "precast/v1/stat",
        "precast/v1/locks",
        "precast/v1/tmp",
    ] {
        scene.hello();
        fs::remove_dir_all(scene.work.path("cache").join(gone)).unwrap();
        assert_eq!(scene.hello(), "", "{gone}");
        scene.assert_clean();
        scene.hello_from_cache();
    }
}

/// A small file system of its own as the cache's directory, until it is dropped.
struct Disk<'s>(&'s Scene);

impl Disk<'_> {
    /// `None` where this user may not mount.
    fn mount<'s>(scene: &'s Scene, size: &str) -> Option<Disk<'s>> {
        let path = scene.work.path("cache");
        fs::create_dir(&path).unwrap();
        let options = format!("size={size},mode=700");
        if !mount(&["-t", "tmpfs", "-o", &options, "tmpfs"], &path) {
            println!("skipped: this user may not mount");
            return None;
        }
        Some(Disk(scene))
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.work.path("cache")).status();
    }
}

fn mount(arguments: &[&str], on: &Path) -> bool {
    let output = Command::new("mount").args(arguments).arg(on).output();
    output.is_ok_and(|output| output.status.success())
}

#[test]
fn a_full_disk_is_no_obstacle() {
    let scene = Scene::new();
    let Some(_disk) = Disk::mount(&scene, "256k") else { return };
    let ballast = scene.work.path("cache/others");
    fs::write(&ballast, vec![1; 240 << 10]).unwrap();
    for _ in 0..2 {
        assert_said_once(&scene.hello(), "the disk has only");
    }
    scene.assert_clean();
    fs::remove_file(ballast).unwrap();
    assert_eq!(scene.hello(), "");
    scene.hello_from_cache();
    scene.assert_clean();
}

#[test]
fn a_disk_that_fills_up_in_the_middle_of_a_put_is_no_obstacle() {
    need("strace");
    let scene = Scene::new();
    for (call, said) in
        [("fdatasync", "is not kept"), ("renameat", "is not kept"), ("ftruncate", "")]
    {
        let mut traced = scene.traced_by("strace");
        traced.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={call}")]);
        traced.args(["-e", &format!("inject={call}:error=ENOSPC"), PRECAST]);
        let outcome = Outcome::of(traced.args(["run", &fixture("hello.wasm")]));
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(0), HELLO), "{outcome:?}");
        assert!(outcome.stderr.contains(said), "{call}: {outcome:?}");
        assert!(scene.repair().is_empty(), "{call}");
    }
    assert_eq!(scene.hello(), "");
    scene.hello_from_cache();
}

#[test]
fn a_disk_that_can_only_be_read_serves_what_it_has() {
    let scene = Scene::new();
    let Some(_disk) = Disk::mount(&scene, "4m") else { return };
    scene.hello();
    assert!(mount(&["-o", "remount,ro"], &scene.work.path("cache")));
    scene.hello_from_cache();
    let other = scene.precast(&["run", &fixture("hello.wat")]);
    assert_eq!((other.code, other.stdout.as_str()), (Some(0), "hello\n"), "{other:?}");
    assert!(other.stderr.lines().all(|line| line.starts_with("warning: ")), "{other:?}");
    assert!(!other.stderr.is_empty());
    scene.assert_clean();
}
