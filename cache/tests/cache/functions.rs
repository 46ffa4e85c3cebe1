//! Compiled functions, which are kept in packs.

use std::fs;
use std::ops::Range;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use precast_cache::{Cache, CompilerBuild, Host, Problem, Prune, Recipe, Repair, Warning, sha256};
use precast_config::{CacheMode, CacheSettings, CompilerSettings};

use crate::scene::{Scene, assert_clean, build, recipe};

fn key(number: u32) -> [u8; 32] {
    sha256(&number.to_le_bytes())
}

/// The record of the function that has this number.
fn record(number: u32) -> Vec<u8> {
    (0..1000 + number).flat_map(|byte| (byte * number).to_le_bytes()).collect()
}

/// Adds functions that have these numbers, unless they are there.
pub(crate) fn keep(cache: &Cache, numbers: Range<u32>) {
    let recipe = recipe();
    let Some(functions) = cache.functions(&recipe) else { return };
    for number in numbers {
        let mut found = Vec::new();
        if functions.get(&key(number), &mut found) {
            assert!(found == record(number));
        } else {
            functions.put(&key(number), &record(number));
        }
    }
    functions.publish();
}

/// Which of the functions are there. Their content is checked.
fn found(cache: &Cache, numbers: Range<u32>) -> Vec<u32> {
    let recipe = recipe();
    let Some(functions) = cache.functions(&recipe) else { return Vec::new() };
    let is_there = |number: &u32| {
        let mut bytes = Vec::new();
        let found = functions.get(&key(*number), &mut bytes);
        assert!(!found || bytes == record(*number), "function {number} has other content");
        found
    };
    numbers.filter(is_there).collect()
}

pub(crate) fn assert_right_or_missing(cache: &Cache, numbers: Range<u32>) {
    found(cache, numbers);
}

/// The files of all packs.
fn packs(scene: &Scene) -> Vec<PathBuf> {
    let files = scene.snapshot().into_iter().map(|(path, _)| path);
    files.filter(|path| path.starts_with(scene.root().join("functions"))).collect()
}

#[test]
fn functions_are_there_for_later_compilations() {
    let scene = Scene::new();
    let cache = scene.cache();
    assert!(found(&cache, 0..10).is_empty());
    keep(&cache, 0..10);
    assert_eq!(found(&scene.cache(), 0..12), (0..10).collect::<Vec<_>>());
    let usage = cache.usage().unwrap();
    assert_eq!((usage.function_packs, usage.functions), (1, 10));
    assert!(usage.functions_disk > 0 && usage.disk() >= usage.functions_disk);
    // What is only looked for leaves no trace.
    let before = scene.snapshot();
    assert_eq!(found(&cache, 0..10).len(), 10);
    assert!(scene.snapshot() == before);
    assert_clean(&cache);
}

#[test]
fn what_is_not_published_is_not_there() {
    let scene = Scene::new();
    let (cache, recipe) = (scene.cache(), recipe());
    let functions = cache.functions(&recipe).unwrap();
    functions.put(&key(1), &record(1));
    drop(functions);
    assert!(found(&cache, 1..2).is_empty());
    assert_clean(&cache);
}

#[test]
fn large_and_empty_records_survive() {
    let scene = Scene::new();
    let (cache, recipe) = (scene.cache(), recipe());
    let functions = cache.functions(&recipe).unwrap();
    let large: Vec<u8> =
        (0..3 << 20).map(|number: u32| (number.wrapping_mul(number) >> 7) as u8).collect();
    functions.put(&key(1), &large);
    functions.put(&key(2), &[]);
    functions.put(&key(3), &record(3));
    functions.put(&key(3), &record(3));
    functions.publish();
    let functions = cache.functions(&recipe).unwrap();
    for (number, expected) in [(1, &large), (2, &Vec::new()), (3, &record(3))] {
        let mut bytes = Vec::new();
        assert!(functions.get(&key(number), &mut bytes) && bytes == *expected);
    }
    assert_eq!(cache.usage().unwrap().functions, 3);
}

#[test]
fn small_packs_become_one() {
    let scene = Scene::new();
    let cache = scene.cache();
    for number in 0..20 {
        keep(&cache, number..number + 1);
        assert_eq!(packs(&scene).len(), 1);
    }
    assert_eq!(found(&cache, 0..20).len(), 20);
    assert_eq!(cache.usage().unwrap().functions, 20);
    assert_clean(&cache);
}

#[test]
fn functions_of_other_settings_are_others() {
    let scene = Scene::new();
    let cache = scene.cache();
    keep(&cache, 0..3);
    let settings = CompilerSettings { consume_fuel: true, ..CompilerSettings::default() };
    let other = Recipe::new(&build(), &Host::detect(), &settings);
    let functions = cache.functions(&other).unwrap();
    assert!(!functions.get(&key(0), &mut Vec::new()));
    functions.put(&key(0), b"other");
    functions.publish();
    assert_eq!(packs(&scene).len(), 2);
    assert_eq!(found(&cache, 0..3).len(), 3);
}

#[test]
fn a_pack_under_another_name_is_none() {
    let scene = Scene::new();
    let cache = scene.cache();
    keep(&cache, 0..3);
    let pack = packs(&scene).remove(0);
    let other = Recipe::new(
        &CompilerBuild { digest: [9; 32], ..build() },
        &Host::detect(),
        &CompilerSettings::default(),
    );
    let functions = cache.functions(&other).unwrap();
    functions.put(&key(0), b"other");
    functions.publish();
    let folder = packs(&scene).into_iter().find(|path| path.parent() != pack.parent()).unwrap();
    fs::rename(&pack, folder.with_file_name(pack.file_name().unwrap())).unwrap();
    let functions = cache.functions(&other).unwrap();
    assert!(!functions.get(&key(1), &mut Vec::new()));
    assert!(matches!(cache.take_warnings()[..], [Warning::DamagedFunctions { .. }]));
}

#[test]
fn every_damage_is_noticed_and_costs_functions_only() {
    let scene = Scene::new();
    let cache = scene.cache();
    keep(&cache, 0..4);
    let pack = packs(&scene).remove(0);
    let bytes = fs::read(&pack).unwrap();
    let damage = |bytes: &[u8]| {
        fs::write(&pack, bytes).unwrap();
        let cache = scene.cache();
        let is_whole = found(&cache, 0..4).len() == 4;
        assert!(!is_whole, "damage was not noticed");
        assert!(matches!(cache.take_warnings()[..], [Warning::DamagedFunctions { .. }]));
        // It is out of the way.
        assert!(!pack.exists());
        assert!(found(&cache, 0..4).is_empty() && cache.take_warnings().is_empty());
    };
    for position in (0..bytes.len()).step_by(37).chain(bytes.len() - 400..bytes.len()) {
        let mut changed = bytes.clone();
        changed[position] ^= 0x40;
        damage(&changed);
        let cut = position.min(bytes.len() - 1);
        damage(&bytes[..cut]);
    }
    damage(&[&bytes[..], b"x"].concat());
    fs::write(&pack, &bytes).unwrap();
    assert_eq!(found(&cache, 0..4).len(), 4);
    fs::set_permissions(&pack, fs::Permissions::from_mode(0o666)).unwrap();
    assert!(found(&cache, 0..4).is_empty());
}

#[test]
fn verify_finds_damaged_packs() {
    let scene = Scene::new();
    let cache = scene.cache();
    keep(&cache, 0..4);
    assert_eq!(cache.verify(Repair::No).unwrap().sound, 1);
    let pack = packs(&scene).remove(0);
    let mut bytes = fs::read(&pack).unwrap();
    bytes[100] ^= 1;
    fs::write(&pack, bytes).unwrap();
    let findings = cache.verify(Repair::Yes).unwrap().findings;
    assert!(matches!(findings[0].problem, Problem::Functions(_)) && findings[0].repaired);
    assert!(!pack.exists());
    assert_clean(&cache);
}

#[test]
fn settings_say_whether_functions_are_kept() {
    let scene = Scene::new();
    let without = Cache::new(&CacheSettings { functions: false, ..scene.settings() });
    assert!(without.functions(&recipe()).is_none());
    let mode = |mode| Cache::new(&CacheSettings { mode, ..scene.settings() });
    assert!(mode(CacheMode::Off).functions(&recipe()).is_none());
    assert!(mode(CacheMode::ReadOnly).functions(&recipe()).is_none());
    assert!(!scene.root().exists());
    keep(&scene.cache(), 0..3);
    let before = scene.snapshot();
    keep(&mode(CacheMode::ReadOnly), 0..6);
    keep(&without, 0..6);
    assert_eq!(found(&mode(CacheMode::ReadOnly), 0..6), [0, 1, 2]);
    assert!(scene.snapshot() == before);
    // Nothing is kept on a disk that is full.
    keep(&Cache::new(&CacheSettings { min_free: u64::MAX, ..scene.settings() }), 0..6);
    assert_eq!(found(&scene.cache(), 0..6), [0, 1, 2]);
}

#[test]
fn the_directory_that_was_filled_ahead_of_time_has_functions_too() {
    let (system, scene) = (Scene::new(), Scene::new());
    keep(&system.cache(), 0..3);
    let before = system.snapshot();
    let settings =
        CacheSettings { system_directory: Some(system.path().to_owned()), ..scene.settings() };
    let cache = Cache::new(&settings);
    keep(&cache, 0..5);
    assert_eq!(found(&cache, 0..5).len(), 5);
    assert_eq!(found(&scene.cache(), 0..5), [3, 4]);
    assert!(system.snapshot() == before);
}

#[test]
fn packs_stay_within_the_budget_and_the_oldest_go_first() {
    let scene = Scene::new();
    let cache = scene.cache();
    let recipes: Vec<Recipe> = (0..4)
        .map(|digest| {
            let build = CompilerBuild { digest: [digest; 32], ..build() };
            Recipe::new(&build, &Host::detect(), &CompilerSettings::default())
        })
        .collect();
    let noise: Vec<u8> = (0..100_000u32).flat_map(|number| sha256(&number.to_le_bytes())).collect();
    let now = SystemTime::now();
    let mut known = Vec::new();
    for (recipe, age) in recipes.iter().zip(0..) {
        let functions = cache.functions(recipe).unwrap();
        functions.put(&key(0), &noise);
        functions.publish();
        let new = packs(&scene).into_iter().find(|path| !known.contains(path)).unwrap();
        let file = fs::File::options().write(true).open(&new).unwrap();
        file.set_modified(now - Duration::from_secs(7200 * (4 - age))).unwrap();
        known.push(new);
    }
    // A use makes a pack young.
    let functions = cache.functions(&recipes[0]).unwrap();
    assert!(functions.get(&key(0), &mut Vec::new()));
    functions.publish();
    let smaller = CacheSettings { functions_budget: 8 << 20, ..scene.settings() };
    let swept = Cache::new(&smaller).housekeep().unwrap().unwrap();
    assert_eq!((swept.packs, swept.evicted), (2, 0));
    let left: Vec<bool> = known.iter().map(|path| path.exists()).collect();
    assert_eq!(left, [true, false, false, true]);
    let total_budget = 4 << 20;
    let smaller = Cache::new(&CacheSettings { total_budget, ..scene.settings() });
    assert_eq!(smaller.housekeep().unwrap().unwrap().packs, 1);
    let nothing = CacheSettings { functions_budget: 0, ..scene.settings() };
    keep(&Cache::new(&nothing), 0..3);
    assert_eq!(packs(&scene).len(), 1);
    let old = Prune { unused_for: Some(Duration::ZERO), ..Prune::default() };
    assert_eq!(cache.prune(&old).unwrap().unwrap().packs, 1);
}

#[test]
fn other_compilers_functions_can_be_removed() {
    let scene = Scene::new();
    let cache = scene.cache();
    keep(&cache, 0..3);
    let ours = Prune { other_than: Some(build()), ..Prune::default() };
    assert_eq!(cache.prune(&ours).unwrap().unwrap().packs, 0);
    let newer = CompilerBuild { version: "0.2.0".into(), ..build() };
    let others = Prune { other_than: Some(newer), ..Prune::default() };
    assert_eq!(cache.prune(&others).unwrap().unwrap().packs, 1);
    assert!(packs(&scene).is_empty());
}

#[test]
fn clearing_removes_functions_and_counters_count_them() {
    let scene = Scene::new();
    let cache = scene.cache();
    keep(&cache, 0..3);
    keep(&cache, 0..5);
    let statistics = cache.statistics().unwrap();
    assert_eq!((statistics.function_hits, statistics.function_misses), (3, 5));
    let swept = cache.clear().unwrap();
    assert!(swept.packs == 1 && swept.freed > 0);
    assert!(packs(&scene).is_empty() && found(&cache, 0..5).is_empty());
}
