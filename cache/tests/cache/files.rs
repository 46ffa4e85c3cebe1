//! Modules in files, and when a file counts as unchanged.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use precast_cache::{Cache, Recipe, sha256};
use precast_config::{CacheMode, CacheSettings, CompilerSettings, OptLevel};

use crate::scene::{Scene, build, recipe};

/// Something that happens to a file.
type Change = fn(&Path);

/// Whether the file is known; if not, it is read and remembered as far as that is allowed.
fn is_known(cache: &Cache, recipe: &Recipe, path: &Path) -> bool {
    let mut file = File::open(path).unwrap();
    let lookup = cache.find_file(&file, recipe);
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).unwrap();
    let digest = sha256(&bytes);
    match lookup.known() {
        Some(known) => {
            assert_eq!(known.wasm_sha256, digest);
            assert_eq!(known.key, recipe.with_wasm(&digest).key());
            true
        }
        None => {
            cache.remember(&file, &lookup, recipe, &digest);
            false
        }
    }
}

/// Waits until a file counts as unchanged; `false` where files never do.
fn settle(cache: &Cache, path: &Path) -> bool {
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(20) {
        if is_known(cache, &recipe(), path) {
            return true;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    println!("skipped: this file system does not keep change times");
    false
}

#[test]
fn a_file_is_known_until_anything_about_it_changes() {
    let scene = Scene::new();
    let cache = scene.cache();
    let path = scene.path().join("app.wasm");
    let changes: [(&str, Change); 6] = [
        ("written in place, times restored", |path| {
            let modified = fs::metadata(path).unwrap().modified().unwrap();
            let mut file = fs::OpenOptions::new().write(true).open(path).unwrap();
            file.write_all(b"B").unwrap();
            file.set_modified(modified).unwrap();
        }),
        ("replaced by one of the same length and time", |path| {
            let modified = fs::metadata(path).unwrap().modified().unwrap();
            let new = path.with_extension("new");
            fs::write(&new, "C wasm").unwrap();
            File::options().write(true).open(&new).unwrap().set_modified(modified).unwrap();
            fs::rename(new, path).unwrap();
        }),
        ("linked under a second name", |path| {
            fs::hard_link(path, path.with_extension("link")).unwrap();
        }),
        ("replaced by a link to another", |path| {
            let target = path.with_extension("target");
            fs::write(&target, "D wasm").unwrap();
            fs::remove_file(path).unwrap();
            std::os::unix::fs::symlink(target, path).unwrap();
        }),
        ("dated into the future", |path| {
            let file = File::options().write(true).open(path).unwrap();
            file.set_modified(std::time::SystemTime::now() + Duration::from_secs(86400)).unwrap();
        }),
        ("extended", |path| {
            File::options().append(true).open(path).unwrap().write_all(b"!").unwrap();
        }),
    ];
    let file = |index: usize| path.with_file_name(format!("{index}.wasm"));
    (0..changes.len()).for_each(|index| fs::write(file(index), "A wasm").unwrap());
    for (index, (what, change)) in changes.iter().enumerate() {
        let path = file(index);
        if !settle(&cache, &path) {
            return;
        }
        assert!(is_known(&cache, &recipe(), &path));
        change(&path);
        assert!(!is_known(&cache, &recipe(), &path), "{what}");
        // It has just changed: not remembered yet either.
        assert!(!is_known(&cache, &recipe(), &path), "{what}");
    }
}

#[test]
fn what_is_known_of_a_file_depends_on_the_settings() {
    let scene = Scene::new();
    let cache = scene.cache();
    // A file that nobody has changed for a while.
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    if !settle(&cache, &path) {
        return;
    }
    let settings = CompilerSettings { opt_level: OptLevel::None, ..CompilerSettings::default() };
    let other = Recipe::new(&build(), &precast_cache::Host::detect(), &settings);
    assert!(!is_known(&cache, &other, &path));
    assert!(is_known(&cache, &other, &path));
    assert!(is_known(&cache, &recipe(), &path));
    // Another process, and one that may only read.
    assert!(is_known(&scene.cache(), &recipe(), &path));
    let reader = Cache::new(&CacheSettings { mode: CacheMode::ReadOnly, ..scene.settings() });
    assert!(is_known(&reader, &recipe(), &path));
    let off = Cache::new(&CacheSettings { mode: CacheMode::Off, ..scene.settings() });
    assert!(!is_known(&off, &recipe(), &path));
}

#[test]
fn damaged_records_cost_a_hash_and_are_repaired() {
    let scene = Scene::new();
    let cache = scene.cache();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    if !settle(&cache, &path) {
        return;
    }
    let record =
        || fs::read_dir(scene.root().join("stat")).unwrap().next().unwrap().unwrap().path();
    let mut bytes = fs::read(record()).unwrap();
    bytes[100] ^= 1;
    fs::write(record(), bytes).unwrap();
    assert_eq!(crate::scene::repaired(&cache), [precast_cache::Problem::Record]);
    assert!(!is_known(&cache, &recipe(), &path));
    assert!(is_known(&cache, &recipe(), &path));
    fs::write(record(), "").unwrap();
    assert!(!is_known(&cache, &recipe(), &path));
    assert!(is_known(&cache, &recipe(), &path));
}
