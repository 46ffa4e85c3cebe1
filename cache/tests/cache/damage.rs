//! Entries that are not what they should be.

use std::fs;
use std::path::Path;

use precast_cache::{Damage, Miss, Outcome, Problem, Served, Tier, Warning};

use crate::scene::{Scene, artifact, assert_clean, assert_hit, content, get, put, repaired, serve};

/// What happens to the first file, perhaps with the help of the second.
type Harm = fn(&Path, &Path);

/// Things that happen to files.
const HARMS: [(&str, Harm); 9] = [
    ("emptied", |file, _| fs::write(file, "").unwrap()),
    ("cut short by a byte", |file, _| shorten(file, 1)),
    ("cut in half", |file, _| shorten(file, fs::metadata(file).unwrap().len() / 2)),
    ("longer than it was", |file, _| {
        let mut bytes = fs::read(file).unwrap();
        bytes.push(0);
        fs::write(file, bytes).unwrap();
    }),
    ("zeroed", |file, _| {
        let len = fs::metadata(file).unwrap().len() as usize;
        fs::write(file, vec![0; len]).unwrap();
    }),
    ("swapped with another", |file, other| {
        let aside = file.with_extension("aside");
        fs::rename(file, &aside).unwrap();
        fs::rename(other, file).unwrap();
        fs::rename(&aside, other).unwrap();
    }),
    ("replaced by a folder", |file, _| {
        fs::remove_file(file).unwrap();
        fs::create_dir(file).unwrap();
    }),
    ("replaced by a link", |file, other| {
        fs::remove_file(file).unwrap();
        std::os::unix::fs::symlink(other, file).unwrap();
    }),
    ("writable by others", |file, _| {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(file, fs::Permissions::from_mode(0o666)).unwrap();
    }),
];

fn shorten(file: &Path, by: u64) {
    let file = fs::OpenOptions::new().write(true).open(file).unwrap();
    let len = file.metadata().unwrap().len();
    file.set_len(len - by).unwrap();
}

fn flip(file: &Path, position: usize) {
    let mut bytes = fs::read(file).unwrap();
    bytes[position] ^= 1;
    fs::write(file, bytes).unwrap();
}

#[test]
fn harm_to_a_hot_entry_costs_an_unpacking() {
    for (what, harm) in HARMS {
        let scene = Scene::new();
        let cache = scene.cache();
        put(&cache, 1);
        put(&cache, 2);
        harm(&scene.file(Tier::Hot, 1), &scene.file(Tier::Hot, 2));
        assert_hit(&cache, 1, Tier::Packed);
        let warnings = cache.take_warnings();
        let [Warning::Damaged { tier: Tier::Hot, .. }] = warnings[..] else {
            panic!("{what}: {warnings:?}")
        };
        assert_hit(&cache, 1, Tier::Hot);
        assert!(get(&cache, 2).hit().is_some_and(|entry| content(&entry) == artifact(2)));
        assert_clean(&cache);
    }
}

#[test]
fn harm_to_a_packed_entry_costs_a_compilation() {
    for (what, harm) in HARMS {
        let scene = Scene::new();
        let cache = scene.lazy_cache();
        put(&cache, 1);
        put(&cache, 2);
        harm(&scene.file(Tier::Packed, 1), &scene.file(Tier::Packed, 2));
        let Outcome::Miss(Miss::Damaged(_)) = get(&cache, 1) else { panic!("{what}: a hit") };
        let warnings = cache.take_warnings();
        let [Warning::Damaged { tier: Tier::Packed, .. }] = warnings[..] else {
            panic!("{what}: {warnings:?}")
        };
        assert!(matches!(get(&cache, 1), Outcome::Miss(Miss::Absent)));
        assert!(matches!(serve(&cache, 1), Served::Compiled { .. }));
        assert_hit(&cache, 1, Tier::Packed);
        serve(&cache, 2);
        assert_clean(&cache);
    }
}

#[test]
fn verify_finds_harm_and_repairs_it() {
    for (what, harm) in HARMS {
        for tier in [Tier::Hot, Tier::Packed] {
            let scene = Scene::new();
            let cache = scene.cache();
            put(&cache, 1);
            put(&cache, 2);
            harm(&scene.file(tier, 1), &scene.file(tier, 2));
            if what == "replaced by a folder" {
                // Nothing that the cache made, so nothing that it removes.
                let findings = cache.verify(precast_cache::Repair::Yes).unwrap().findings;
                assert_eq!(findings.len(), 1);
                assert!(findings[0].problem == Problem::Stray && !findings[0].repaired);
                continue;
            }
            let problems = repaired(&cache);
            assert!(!problems.is_empty(), "{what}");
            let of_tier =
                |found: &Problem| matches!(found, Problem::Entry(_, of, _) if *of == tier);
            assert!(problems.iter().all(of_tier), "{what}: {problems:?}");
            serve(&cache, 1);
            serve(&cache, 2);
            assert_clean(&cache);
        }
    }
}

#[test]
fn flipped_bits_are_found() {
    let scene = Scene::new();
    let cache = scene.cache();
    put(&cache, 1);
    let packed = scene.file(Tier::Packed, 1);
    let hot = scene.file(Tier::Hot, 1);
    let (packed_len, hot_len) = (fs::read(&packed).unwrap().len(), fs::read(&hot).unwrap().len());
    for position in (0..packed_len).step_by(packed_len / 37) {
        fs::remove_file(&hot).unwrap();
        flip(&packed, position);
        assert!(matches!(get(&cache, 1), Outcome::Miss(Miss::Damaged(_))), "byte {position}");
        put(&cache, 1);
    }
    // In a hot entry a look-up sees its end; the rest is for the loader and for `verify`.
    for position in (0..hot_len).step_by(hot_len / 37) {
        flip(&hot, position);
        assert!(!repaired(&cache).is_empty(), "byte {position}");
        assert_hit(&cache, 1, Tier::Packed);
    }
    assert_clean(&cache);
}

#[test]
fn what_the_loader_rejects_comes_from_the_next_place() {
    let scene = Scene::new();
    let cache = scene.cache();
    put(&cache, 1);
    flip(&scene.file(Tier::Hot, 1), 1000);
    let entry = get(&cache, 1).hit().unwrap();
    assert!(entry.tier() == Tier::Hot && content(&entry) != artifact(1));
    cache.reject(entry, "its header is damaged");
    let entry = get(&cache, 1).hit().unwrap();
    assert!(entry.tier() == Tier::Packed && content(&entry) == artifact(1));
    // Were it the compiler that had made it so, it would go for good.
    cache.reject(entry, "it is for another machine");
    assert!(matches!(get(&cache, 1), Outcome::Miss(Miss::Absent)));
    let said: Vec<String> =
        cache.take_warnings().iter().map(|warning| warning.to_string()).collect();
    assert!(said[0].ends_with("(hot) is damaged: it was rejected: its header is damaged"));
    assert!(said[1].ends_with("(packed) is damaged: it was rejected: it is for another machine"));
    assert!(matches!(serve(&cache, 1), Served::Compiled { .. }));
    assert_hit(&cache, 1, Tier::Hot);
    assert_clean(&cache);
}

#[test]
fn rejecting_an_entry_leaves_its_successor_alone() {
    let scene = Scene::new();
    let cache = scene.cache();
    put(&cache, 1);
    let old = get(&cache, 1).hit().unwrap();
    put(&cache, 1);
    cache.reject(old, "late");
    assert_hit(&cache, 1, Tier::Hot);
}

#[test]
fn entries_of_another_version_are_compiled_again() {
    let scene = Scene::new();
    let cache = scene.lazy_cache();
    put(&cache, 1);
    let file = scene.file(Tier::Packed, 1);
    let mut bytes = fs::read(&file).unwrap();
    bytes[8] = 9;
    fs::write(&file, bytes).unwrap();
    assert!(matches!(get(&cache, 1), Outcome::Miss(Miss::Damaged(Damage::Version(9)))));
    serve(&cache, 1);
    assert_hit(&cache, 1, Tier::Packed);
}

#[test]
fn leftovers_are_reported_and_removed() {
    let scene = Scene::new();
    let cache = scene.cache();
    put(&cache, 1);
    fs::write(scene.root().join("tmp/1-2-3"), "half").unwrap();
    assert_eq!(repaired(&cache), [Problem::Leftover]);
    fs::write(scene.root().join("tmp/1-2-3"), "half").unwrap();
    fs::write(scene.root().join("locks/abc"), "process 1").unwrap();
    assert_eq!(cache.housekeep().unwrap().unwrap().leftovers, 2);
    assert_clean(&cache);
    assert_hit(&cache, 1, Tier::Hot);
}

#[test]
fn foreign_files_are_reported_and_left_alone() {
    let scene = Scene::new();
    let cache = scene.cache();
    put(&cache, 1);
    for stray in ["packed/notes.txt", "packed/zz", "hot/ab"] {
        let path = scene.root().join(stray);
        match stray {
            "hot/ab" => fs::create_dir_all(path.join("folder")).unwrap(),
            _ => fs::write(path, "mine").unwrap(),
        }
    }
    let findings = cache.verify(precast_cache::Repair::Yes).unwrap().findings;
    assert_eq!(findings.len(), 3);
    assert!(findings.iter().all(|found| found.problem == Problem::Stray && !found.repaired));
    cache.housekeep().unwrap();
    cache.clear().unwrap();
    assert!(scene.root().join("packed/notes.txt").exists());
}
