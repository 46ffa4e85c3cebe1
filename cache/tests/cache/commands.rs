//! What the commands of the cache ask for.

use std::fs;
use std::time::{Duration, SystemTime};

use precast_cache::{
    Addition, Cache, CacheError, CompilerBuild, Host, Outcome, Prune, Recipe, Tier, sha256,
};
use precast_config::{CompilerSettings, Promotion};

use crate::scene::{
    Scene, artifact, assert_clean, assert_hit, build, get, parts, put, recipe, serve,
};

#[test]
fn entries_are_listed_and_shown() {
    let scene = Scene::new();
    let cache = scene.cache();
    assert!(cache.list().unwrap().is_empty());
    put(&cache, 1);
    put(&scene.lazy_cache(), 2);
    let listed = cache.list().unwrap();
    assert_eq!(listed.len(), 2);
    let record = cache.show(&parts(1).key().to_string()[..12]).unwrap();
    assert!(record.hot.is_some() && record.packed.is_some());
    assert!(record.disk() > 300_000);
    assert_eq!(record.target(), parts(1).get("target"));
    let details = record.details.unwrap();
    assert_eq!((details.source.as_str(), details.artifact_len), ("1.wasm", 200_000));
    assert_eq!(details.artifact_sha256, sha256(&artifact(1)));
    assert_eq!(details.compile_time, Duration::from_millis(1500));
    assert_eq!(details.parts, parts(1));
    assert!(details.created.elapsed().unwrap() < Duration::from_secs(3600));
    assert!(matches!(cache.show("xyz"), Err(CacheError::NoSuchEntry(_))));
    assert!(matches!(cache.show(""), Err(CacheError::Ambiguous { count: 2, .. })));
    let usage = cache.usage().unwrap();
    assert_eq!((usage.entries, usage.hot_entries), (2, 1));
}

#[test]
fn an_explanation_names_exactly_what_differs() {
    let scene = Scene::new();
    let cache = scene.cache();
    put(&cache, 1);
    put(&cache, 2);
    let wasm = sha256(&1u32.to_le_bytes());
    let explanation = cache.explain(&recipe(), &wasm).unwrap();
    assert_eq!(explanation.found.unwrap().key, parts(1).key());
    assert!(explanation.others.is_empty());
    let flags = vec![("enable_nan_canonicalization".to_owned(), "true".to_owned())];
    let settings = CompilerSettings { flags, ..CompilerSettings::default() };
    let changed = Recipe::new(&build(), &Host::detect(), &settings);
    let explanation = cache.explain(&changed, &wasm).unwrap();
    assert!(explanation.found.is_none());
    let [(record, differences)] = &explanation.others[..] else { panic!("one entry") };
    assert_eq!(record.key, parts(1).key());
    assert_eq!(differences.len(), 1);
    assert_eq!(
        differences[0].to_string(),
        "flag.enable_nan_canonicalization: true instead of (none)"
    );
}

#[test]
fn statistics_add_up_over_processes() {
    let scene = Scene::new();
    serve(&scene.cache(), 1);
    serve(&scene.cache(), 1);
    let cache = scene.cache();
    put(&scene.lazy_cache(), 2);
    serve(&cache, 2);
    let statistics = cache.statistics().unwrap();
    assert_eq!((statistics.hot_hits, statistics.packed_hits, statistics.misses), (1, 1, 1));
    assert_eq!((statistics.puts, statistics.bytes_added), (2, 400_000));
    assert_eq!(statistics.bytes_served, 400_000);
    assert!(statistics.saved_ms >= 1500);
    assert_eq!(scene.cache().statistics().unwrap(), statistics);
}

#[test]
fn a_hit_writes_nothing() {
    let scene = Scene::new();
    let cache = scene.cache();
    put(&cache, 1);
    cache.flush_statistics();
    let before = scene.snapshot();
    for _ in 0..10 {
        assert_hit(&cache, 1, Tier::Hot);
    }
    assert!(scene.snapshot() == before);
}

#[test]
fn pruning_removes_what_it_is_told_to() {
    let scene = Scene::new();
    let cache = scene.cache();
    let old = CompilerBuild { version: "0.0.9".into(), ..build() };
    let old = Recipe::new(&old, &Host::detect(), &CompilerSettings::default());
    let of_old = old.with_wasm(&[1; 32]);
    let (bytes, compile_time) = (artifact(9), Duration::from_secs(1));
    cache.put(&of_old, &Addition { artifact: &bytes, source: "old.wasm", compile_time });
    put(&cache, 1);
    put(&cache, 2);
    fs::create_dir(scene.path().join("precast/v0")).unwrap();
    fs::write(scene.path().join("precast/v0/entry"), "").unwrap();
    fs::write(scene.path().join("precast/very-mine"), "").unwrap();

    let prune = |prune: Prune| cache.prune(&prune).unwrap().unwrap();
    assert_eq!(prune(Prune::default()).evicted, 0);
    let swept = prune(Prune { other_than: Some(build()), ..Prune::default() });
    assert_eq!(swept.evicted, 1);
    assert!(matches!(cache.get(&of_old.key()), Outcome::Miss(_)));
    assert!(!scene.path().join("precast/v0").exists());
    assert!(scene.path().join("precast/very-mine").exists());

    let long_ago = SystemTime::now() - Duration::from_secs(86400 * 10);
    for tier in [Tier::Hot, Tier::Packed] {
        fs::File::options()
            .write(true)
            .open(scene.file(tier, 1))
            .unwrap()
            .set_modified(long_ago)
            .unwrap();
    }
    let week = Duration::from_secs(86400 * 7);
    assert_eq!(prune(Prune { unused_for: Some(week), ..Prune::default() }).evicted, 1);
    assert_hit(&cache, 2, Tier::Hot);
    assert_eq!(prune(Prune { max_size: Some(0), ..Prune::default() }).evicted, 1);
    assert!(cache.list().unwrap().is_empty());
    assert_clean(&cache);
}

#[test]
fn clearing_leaves_an_empty_cache_that_works() {
    let scene = Scene::new();
    let cache = scene.cache();
    serve(&cache, 1);
    put(&scene.lazy_cache(), 2);
    cache.flush_statistics();
    let swept = cache.clear().unwrap();
    assert_eq!(swept.evicted, 2);
    assert!(swept.freed > 400_000);
    assert!(cache.list().unwrap().is_empty());
    assert_eq!(cache.statistics().unwrap(), precast_cache::Statistics::default());
    serve(&cache, 1);
    assert_hit(&cache, 1, Tier::Hot);
}

#[test]
fn entries_travel_in_an_archive() {
    let (from, to) = (Scene::new(), Scene::new());
    for number in 1..4 {
        put(&from.cache(), number);
    }
    let mut archive = Vec::new();
    let chosen = [parts(1).key(), parts(2).key()];
    let written = from.cache().export(Some(&chosen), &mut archive).unwrap();
    assert_eq!(written.len(), 2);
    let cache = to.cache();
    put(&cache, 2);
    let import = cache.import(&mut archive.as_slice()).unwrap();
    assert_eq!((import.added, import.present), (vec![parts(1).key()], vec![parts(2).key()]));
    assert!(import.refused.is_empty());
    assert_hit(&cache, 1, Tier::Packed);
    assert!(matches!(get(&cache, 3), Outcome::Miss(_)));
    let mut all = Vec::new();
    assert_eq!(from.cache().export(None, &mut all).unwrap().len(), 3);
    let mut again = Vec::new();
    from.cache().export(None, &mut again).unwrap();
    assert!(all == again);
}

#[test]
fn what_is_wrong_with_an_archive_is_not_imported() {
    let from = Scene::new();
    put(&from.cache(), 1);
    put(&from.cache(), 2);
    let mut archive = Vec::new();
    from.cache().export(None, &mut archive).unwrap();
    // Every part of the archive, damaged or cut: no panic, and nothing but right entries.
    for position in (0..archive.len()).step_by(archive.len() / 60) {
        for cut in [false, true] {
            let to = Scene::new();
            let cache = to.cache();
            let mut damaged = archive.clone();
            match cut {
                true => damaged.truncate(position),
                false => damaged[position] ^= 0x40,
            }
            let _ = cache.import(&mut damaged.as_slice());
            assert_clean(&cache);
            for number in [1, 2] {
                crate::scene::assert_right_or_missing(&cache, number);
            }
        }
    }
    // Names are keys, never paths.
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_size(4);
    builder.append_data(&mut header, "precast/v1/packed/ab/evil", &b"evil"[..]).unwrap();
    let evil = builder.into_inner().unwrap();
    let to = Scene::new();
    let import = to.cache().import(&mut evil.as_slice()).unwrap();
    assert_eq!(import.refused.len(), 1);
    assert!(to.cache().list().unwrap().is_empty());
}

#[test]
fn a_promotion_at_the_first_use_leaves_both_forms() {
    let scene = Scene::new();
    let settings = precast_config::CacheSettings { promotion: Promotion::Hit, ..scene.settings() };
    let cache = Cache::new(&settings);
    put(&cache, 1);
    assert!(!scene.file(Tier::Hot, 1).exists());
    assert_hit(&cache, 1, Tier::Packed);
    assert_hit(&cache, 1, Tier::Hot);
    assert!(scene.file(Tier::Packed, 1).exists());
    assert_clean(&cache);
}
