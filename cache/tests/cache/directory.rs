//! Directories that cannot or must not be used, layers, modes, and times.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, SystemTime};

use precast_cache::{
    Cache, Miss, Origin, Outcome, Refusal, Served, Stored, Tier, Unserved, Warning,
};
use precast_config::{CacheMode, CacheSettings, Promotion};

use crate::scene::{
    Scene, artifact, assert_clean, assert_hit, content, get, parts, put, serve, settings, wait,
};

#[test]
fn a_directory_that_others_can_write_is_refused_and_that_is_said_once() {
    let scene = Scene::new();
    put(&scene.cache(), 1);
    fs::set_permissions(scene.root(), fs::Permissions::from_mode(0o777)).unwrap();
    let cache = scene.cache();
    for _ in 0..3 {
        assert!(matches!(serve(&cache, 1), Served::Compiled { stored: Stored::Not, .. }));
    }
    let warnings = cache.take_warnings();
    assert!(
        matches!(warnings[..], [Warning::Refused(Refusal::Writable { mode: 0o777, .. })]),
        "{warnings:?}"
    );
    assert!(matches!(cache.list(), Err(precast_cache::CacheError::Refused(_))));
}

#[test]
fn a_directory_of_somebody_else_is_refused() {
    let scene = Scene::new();
    put(&scene.cache(), 1);
    if std::os::unix::fs::chown(scene.root(), Some(54321), None).is_err() {
        return println!("skipped: only root can give a directory away");
    }
    let cache = scene.cache();
    assert!(matches!(serve(&cache, 1), Served::Compiled { stored: Stored::Not, .. }));
    let warnings = cache.take_warnings();
    assert!(
        matches!(warnings[..], [Warning::Refused(Refusal::Owner { owner: 54321, .. })]),
        "{warnings:?}"
    );
}

#[test]
fn an_entry_of_somebody_else_is_not_used() {
    let scene = Scene::new();
    let cache = scene.cache();
    put(&cache, 1);
    for tier in [Tier::Hot, Tier::Packed] {
        if std::os::unix::fs::chown(scene.file(tier, 1), Some(54321), None).is_err() {
            return println!("skipped: only root can give a file away");
        }
    }
    assert!(matches!(get(&cache, 1), Outcome::Miss(Miss::Damaged(_))));
    assert!(matches!(serve(&cache, 1), Served::Compiled { stored: Stored::Hot(_), .. }));
    assert_hit(&cache, 1, Tier::Hot);
}

#[test]
fn a_directory_that_cannot_be_made_is_no_obstacle() {
    let scene = Scene::new();
    fs::write(scene.path().join("file"), "").unwrap();
    let cache = Cache::new(&settings(&scene.path().join("file")));
    assert!(matches!(serve(&cache, 1), Served::Compiled { stored: Stored::Not, .. }));
    assert!(matches!(serve(&cache, 1), Served::Compiled { stored: Stored::Not, .. }));
    assert_eq!(cache.take_warnings().len(), 1);
}

#[test]
fn the_directory_can_be_deleted_while_it_is_used() {
    let scene = Scene::new();
    let cache = scene.cache();
    let Stored::Hot(entry) = put(&cache, 1) else { panic!("it is kept") };
    fs::remove_dir_all(scene.path().join("precast")).unwrap();
    assert!(content(&entry) == artifact(1));
    assert!(matches!(get(&cache, 1), Outcome::Miss(Miss::Absent)));
    cache.reject(entry, "no matter");
    assert!(cache.list().unwrap().is_empty());
    assert_eq!(cache.housekeep().unwrap(), Some(precast_cache::Swept::default()));
    // While a module is compiled, too.
    let compile = || {
        fs::remove_dir_all(scene.path().join("precast"))?;
        Ok::<_, std::io::Error>(artifact(2))
    };
    let served = cache.compile_once(&parts(2), "2.wasm", wait, compile).unwrap();
    assert!(matches!(served, Served::Compiled { stored: Stored::Hot(_), .. }));
    assert_hit(&cache, 2, Tier::Hot);
    assert_clean(&cache);
}

#[test]
fn what_is_not_on_disk_as_a_whole_is_made_again() {
    for missing in ["hot", "packed", "tmp", "locks", "stat", "quarantine", "CACHEDIR.TAG"] {
        let scene = Scene::new();
        let cache = scene.cache();
        put(&cache, 1);
        let path = scene.root().join(missing);
        let _ = fs::remove_dir_all(&path).or_else(|_| fs::remove_file(&path));
        serve(&cache, 1);
        serve(&cache, 2);
        assert_hit(&cache, 2, Tier::Hot);
        cache.housekeep().unwrap();
        assert_clean(&cache);
    }
}

#[test]
fn read_only_writes_nothing() {
    let scene = Scene::new();
    put(&scene.cache(), 1);
    put(&scene.lazy_cache(), 2);
    drop(scene.cache());
    fs::remove_file(scene.file(Tier::Hot, 1)).unwrap();
    fs::write(scene.file(Tier::Hot, 1), "damaged").unwrap();
    let before = scene.snapshot();
    let cache = Cache::new(&CacheSettings { mode: CacheMode::ReadOnly, ..scene.settings() });
    for _ in 0..2 {
        assert_hit(&cache, 1, Tier::Packed);
        assert_hit(&cache, 2, Tier::Packed);
        assert!(matches!(serve(&cache, 3), Served::Compiled { stored: Stored::Not, .. }));
    }
    // The damaged one is looked at once, since it cannot be taken away.
    assert_eq!(cache.take_warnings().len(), 1);
    cache.housekeep_if_due();
    assert!(matches!(cache.housekeep(), Err(precast_cache::CacheError::ReadOnly)));
    drop(cache);
    assert!(scene.snapshot() == before);
}

#[test]
fn require_makes_a_miss_an_error() {
    let scene = Scene::new();
    put(&scene.lazy_cache(), 1);
    let cache = Cache::new(&CacheSettings { mode: CacheMode::Require, ..scene.settings() });
    assert_hit(&cache, 1, Tier::Packed);
    let compile = || -> Result<Vec<u8>, ()> { panic!("nothing is compiled") };
    let served = cache.compile_once(&parts(2), "2.wasm", wait, compile);
    assert!(matches!(served, Err(Unserved::Required(Miss::Absent))));
}

#[test]
fn off_is_off() {
    let scene = Scene::new();
    put(&scene.cache(), 1);
    let cache = Cache::new(&CacheSettings { mode: CacheMode::Off, ..scene.settings() });
    assert!(matches!(get(&cache, 1), Outcome::Miss(Miss::Off)));
    assert!(matches!(serve(&cache, 1), Served::Compiled { stored: Stored::Not, .. }));
    assert!(matches!(serve(&Cache::off(), 1), Served::Compiled { stored: Stored::Not, .. }));
    assert!(cache.take_warnings().is_empty());
}

#[test]
fn the_systems_entries_serve_below_the_users() {
    let (system, user) = (Scene::new(), Scene::new());
    put(&system.cache(), 1);
    put(&system.lazy_cache(), 2);
    let before = system.snapshot();
    let system_directory = Some(system.path().to_owned());
    let cache = Cache::new(&CacheSettings { system_directory, ..user.settings() });
    let entry = get(&cache, 1).hit().unwrap();
    assert_eq!((entry.tier(), entry.origin()), (Tier::Hot, Origin::System));
    // What lies packed there is unpacked to here.
    let entry = get(&cache, 2).hit().unwrap();
    assert_eq!((entry.tier(), entry.origin()), (Tier::Packed, Origin::System));
    let entry = get(&cache, 2).hit().unwrap();
    assert_eq!((entry.tier(), entry.origin()), (Tier::Hot, Origin::User));
    assert!(content(&entry) == artifact(2));
    serve(&cache, 3);
    assert!(system.snapshot() == before);
    assert_eq!(cache.list().unwrap().len(), 4);
    // One that is rejected there is not asked for again, and not touched.
    let entry = get(&cache, 1).hit().unwrap();
    cache.reject(entry, "test");
    let entry = get(&cache, 1).hit().unwrap();
    assert_eq!((entry.tier(), entry.origin()), (Tier::Packed, Origin::System));
    assert!(system.snapshot() == before);
}

#[test]
fn a_system_directory_alone_is_enough_to_read() {
    let system = Scene::new();
    put(&system.cache(), 1);
    let system_directory = Some(system.path().to_owned());
    let cache = Cache::new(&CacheSettings { system_directory, ..CacheSettings::default() });
    assert_hit(&cache, 1, Tier::Hot);
    assert!(matches!(serve(&cache, 2), Served::Compiled { stored: Stored::Not, .. }));
}

fn set_time(scene: &Scene, number: u32, time: SystemTime) {
    for tier in [Tier::Hot, Tier::Packed] {
        let file = fs::OpenOptions::new().write(true).open(scene.file(tier, number));
        if let Ok(file) = file {
            file.set_modified(time).unwrap();
        }
    }
}

fn last_use(scene: &Scene, tier: Tier, number: u32) -> SystemTime {
    fs::metadata(scene.file(tier, number)).unwrap().modified().unwrap()
}

#[test]
fn the_time_of_the_last_use_is_kept_to_the_hour() {
    const HOUR: Duration = Duration::from_secs(3600);
    let scene = Scene::new();
    let cache = scene.cache();
    put(&cache, 1);
    let now = SystemTime::now();
    let recent = now - HOUR / 2;
    set_time(&scene, 1, recent);
    assert_hit(&cache, 1, Tier::Hot);
    assert_eq!(last_use(&scene, Tier::Hot, 1), recent);
    // Long ago, and in the future after a clock was set back.
    for time in [now - 30 * HOUR, now + 30 * HOUR] {
        set_time(&scene, 1, time);
        assert_hit(&cache, 1, Tier::Hot);
        for tier in [Tier::Hot, Tier::Packed] {
            let found = last_use(&scene, tier, 1);
            assert!(found >= now && found < now + HOUR);
        }
    }
}

#[test]
fn the_least_recently_used_go_first_and_hot_before_packed() {
    let scene = Scene::new();
    let cache = scene.cache();
    let now = SystemTime::now();
    for number in 0..6 {
        put(&cache, number);
        set_time(&scene, number, now - Duration::from_secs(60 * u64::from(60 - number)));
    }
    // Each takes about 204 KB hot and 104 KB packed.
    let hot_budget = 700 << 10;
    let smaller = Cache::new(&CacheSettings { hot_budget, ..scene.settings() });
    let swept = smaller.housekeep().unwrap().unwrap();
    assert_eq!((swept.demoted, swept.evicted), (3, 0));
    for number in 0..6 {
        assert_eq!(scene.file(Tier::Hot, number).exists(), number >= 3);
        assert!(scene.file(Tier::Packed, number).exists());
    }
    // A use moves an entry to the end of the line.
    set_time(&scene, 0, now);
    let total_budget = 800 << 10;
    let smaller = Cache::new(&CacheSettings { total_budget, ..scene.settings() });
    let swept = smaller.housekeep().unwrap().unwrap();
    assert!(swept.evicted >= 3 && swept.freed > 300 << 10, "{swept:?}");
    assert!(scene.file(Tier::Packed, 0).exists() && !scene.file(Tier::Packed, 1).exists());
    assert_clean(&cache);
    assert!(cache.usage().unwrap().hot_disk + cache.usage().unwrap().packed_disk <= 800 << 10);
}

#[test]
fn entries_from_the_future_do_not_live_for_ever() {
    let scene = Scene::new();
    let cache = scene.cache();
    put(&cache, 1);
    let now = SystemTime::now();
    set_time(&scene, 1, now + Duration::from_secs(1 << 30));
    cache.housekeep().unwrap();
    assert!(last_use(&scene, Tier::Hot, 1) < now + Duration::from_secs(3600));
    assert_hit(&cache, 1, Tier::Hot);
}

#[test]
fn unused_entries_go_after_their_time() {
    let scene = Scene::new();
    let cache = scene.cache();
    put(&cache, 1);
    put(&cache, 2);
    set_time(&scene, 1, SystemTime::now() - Duration::from_secs(91 * 86400));
    assert_eq!(cache.housekeep().unwrap().unwrap().evicted, 1);
    assert!(matches!(get(&cache, 1), Outcome::Miss(Miss::Absent)));
    assert_hit(&cache, 2, Tier::Hot);
}

#[test]
fn an_artifact_beyond_the_hot_budget_is_served_all_the_same() {
    let scene = Scene::new();
    let small = CacheSettings { hot_budget: 1 << 10, ..scene.settings() };
    let cache = Cache::new(&small);
    assert!(matches!(put(&cache, 1), Stored::Packed));
    for _ in 0..2 {
        assert_hit(&cache, 1, Tier::Packed);
    }
    assert!(!scene.file(Tier::Hot, 1).exists());
    let at_hit = CacheSettings { promotion: Promotion::Hit, ..scene.settings() };
    assert_hit(&Cache::new(&at_hit), 1, Tier::Packed);
    assert!(scene.file(Tier::Hot, 1).exists());
}
