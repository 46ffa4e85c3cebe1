//! Entries that are not what they should be: a run finds another copy or compiles again, and says so.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::scene::{HELLO, Scene};
use crate::support::fixture;

/// What happens to a file, perhaps with the help of another entry's.
type Harm = fn(&Path, &Path);

const HARMS: [(&str, Harm); 5] = [
    ("truncated", |file, _| {
        let len = fs::metadata(file).unwrap().len();
        fs::File::options().write(true).open(file).unwrap().set_len(len / 2).unwrap();
    }),
    ("flipped", |file, _| flip(file, 100)),
    ("emptied", |file, _| fs::write(file, "").unwrap()),
    ("swapped", |file, other| {
        let aside = file.with_extension("aside");
        fs::rename(file, &aside).unwrap();
        fs::rename(other, file).unwrap();
        fs::rename(aside, other).unwrap();
    }),
    ("of another version", |file, _| {
        // Packed entries have it behind their magic, hot ones in front of their last 84 bytes.
        let is_hot = file.to_string_lossy().contains("/hot/");
        let len = fs::metadata(file).unwrap().len() as usize;
        flip(file, if is_hot { len - 96 + 8 } else { 8 });
    }),
];

fn flip(file: &Path, position: usize) {
    let mut bytes = fs::read(file).unwrap();
    bytes[position] ^= 0x40;
    fs::write(file, bytes).unwrap();
}

/// Two entries, and their files in a tier: that of the program first.
fn two_entries(scene: &Scene, tier: &str) -> [PathBuf; 2] {
    let (hello, other) = (fixture("hello.wasm"), fixture("exit.wasm"));
    scene.precast(&["cache", "warm", &hello, &other]).stdout();
    let key = scene.json(&["cache", "explain", &hello])["key"].as_str().unwrap().to_owned();
    let mut files = scene.files(tier);
    files.sort_by_key(|file| !file.ends_with(&key));
    files.try_into().unwrap()
}

#[test]
fn harm_to_a_hot_entry_is_said_and_costs_an_unpacking() {
    for (what, harm) in HARMS {
        let scene = Scene::new();
        let [file, other] = two_entries(&scene, "hot");
        harm(&file, &other);
        let said = scene.hello();
        assert!(
            said.starts_with("warning: the cache entry ") && said.contains("(hot) is damaged"),
            "{what}: {said}"
        );
        assert_eq!(said.lines().count(), 1, "{what}: {said}");
        assert_eq!(scene.precast(&["run", &fixture("exit.wasm"), "7"]).code, Some(7), "{what}");
        scene.assert_clean();
        scene.hello_from_cache();
    }
}

#[test]
fn harm_to_a_packed_entry_is_said_and_costs_a_compilation() {
    for (what, harm) in HARMS {
        let scene = Scene::new();
        let [file, other] = two_entries(&scene, "packed");
        fs::remove_dir_all(scene.root().join("hot")).unwrap();
        harm(&file, &other);
        let said = scene.hello();
        assert!(
            said.starts_with("warning: the cache entry ") && said.contains("(packed) is damaged"),
            "{what}: {said}"
        );
        assert_eq!(scene.precast(&["run", &fixture("exit.wasm"), "7"]).code, Some(7), "{what}");
        scene.assert_clean();
        scene.hello_from_cache();
    }
}

#[test]
fn verify_finds_harm_says_what_and_repairs_it() {
    for (what, harm) in HARMS {
        for tier in ["hot", "packed"] {
            let scene = Scene::new();
            let [file, other] = two_entries(&scene, tier);
            harm(&file, &other);
            let found = scene.precast(&["cache", "verify"]);
            assert_eq!(found.code, Some(1), "{what}: {found:?}");
            let line = format!("{}: damaged entry ({tier}): ", file.display());
            assert!(found.stdout.contains(&line), "{what}: {found:?}");
            assert!(found.stdout.contains("verify --repair"), "{found:?}");
            let repaired = scene.repair();
            assert_eq!(repaired.len(), if what == "swapped" { 2 } else { 1 }, "{what}");
            assert_eq!(scene.hello(), "", "{what}");
            assert_eq!(scene.precast(&["run", &fixture("exit.wasm"), "7"]).code, Some(7), "{what}");
            scene.assert_clean();
        }
    }
}

#[test]
fn a_flip_anywhere_in_a_hot_entry_is_found_by_verify_and_by_a_run_that_verifies() {
    let scene = Scene::new();
    let [file, _] = two_entries(&scene, "hot");
    let sound = fs::read(&file).unwrap();
    let run = ["run", "--verify", &fixture("hello.wasm")];
    for position in (0..sound.len()).step_by(sound.len() / 16) {
        flip(&file, position);
        assert_eq!(scene.precast(&["cache", "verify"]).code, Some(1), "byte {position}");
        let outcome = scene.precast(&run);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(0), HELLO), "byte {position}");
        assert!(outcome.stderr.contains("(hot) is damaged"), "byte {position}: {outcome:?}");
        scene.assert_clean();
        assert!(fs::read(&file).unwrap() == sound, "byte {position}");
    }
}

#[test]
fn what_a_killed_process_left_is_no_obstacle_and_goes() {
    let scene = Scene::new();
    scene.hello();
    fs::write(scene.root().join("tmp/1-2-3"), "half an entry").unwrap();
    fs::write(scene.root().join("locks/abc"), "process 1 compiles app.wasm\n").unwrap();
    assert_eq!(scene.hello(), "");
    assert_eq!(scene.repair(), ["left over by a process that was ended"]);
    assert_eq!(scene.json(&["cache", "prune"])["removed_leftovers"], 1);
    scene.hello_from_cache();
}

#[test]
fn entries_of_other_versions_are_not_used_and_can_be_pruned() {
    let scene = Scene::new();
    let [file, _] = two_entries(&scene, "packed");
    fs::remove_dir_all(scene.root().join("hot")).unwrap();
    flip(&file, 8);
    fs::create_dir(scene.work.path("cache/precast/v0")).unwrap();
    assert_eq!(scene.json(&["cache", "prune", "--other-versions"])["removed_entries"], 1);
    assert!(!file.exists() && !scene.work.path("cache/precast/v0").exists());
    assert_eq!(scene.hello(), "");
    scene.assert_clean();
}

#[test]
fn a_clock_that_was_set_back_changes_nothing() {
    let scene = Scene::new();
    scene.hello();
    let future = SystemTime::now() + Duration::from_secs(1 << 28);
    for folder in ["hot", "packed", "stat"] {
        for file in scene.files(folder) {
            fs::File::options().write(true).open(file).unwrap().set_modified(future).unwrap();
        }
    }
    let text = scene.precast(&["cache", "ls"]).stdout();
    assert!(text.contains("just now"), "{text}");
    scene.hello_from_cache();
    assert_eq!(scene.hello(), "");
    assert_eq!(scene.json(&["cache", "prune", "--older-than", "1d"])["removed_entries"], 0);
    for file in scene.files("hot") {
        let used = fs::metadata(file).unwrap().modified().unwrap();
        assert!(used < future - Duration::from_secs(3600));
    }
    scene.assert_clean();
}
