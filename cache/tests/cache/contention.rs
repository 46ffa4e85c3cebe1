//! Many processes that want something at the same time.

use std::process::{Child, Command};

use precast_cache::{Outcome, Served, Tier};
use precast_config::CacheSettings;

use crate::child::{self, DONE, Role, note, wait_for};
use crate::scene::{Scene, artifact, assert_clean, assert_hit, content, get, put, repaired, serve};

fn spawn(mut command: Command) -> Child {
    command.spawn().unwrap()
}

fn assert_done(children: Vec<Child>) {
    for mut child in children {
        assert_eq!(child.wait().unwrap().code(), Some(DONE));
    }
}

fn compilations(scene: &Scene, number: u32) -> usize {
    let prefix = format!("compiled-{number}-");
    let items = std::fs::read_dir(scene.path()).unwrap();
    let is_note = |name: std::ffi::OsString| name.to_string_lossy().starts_with(&prefix);
    items.filter(|item| is_note(item.as_ref().unwrap().file_name())).count()
}

#[test]
fn a_module_that_32_processes_want_is_compiled_once() {
    let scene = Scene::new();
    let contend = |_| spawn(child::command(Role::Contend, scene.path(), 1));
    assert_done((0..32).map(contend).collect());
    assert_eq!(compilations(&scene, 1), 1);
    assert_hit(&scene.cache(), 1, Tier::Hot);
    assert_clean(&scene.cache());
}

#[test]
fn different_modules_are_compiled_at_the_same_time() {
    let scene = Scene::new();
    let contend = |number| spawn(child::command(Role::Contend, scene.path(), number));
    assert_done((0..32).map(|index| contend(index % 8)).collect());
    for number in 0..8 {
        assert_eq!(compilations(&scene, number), 1);
        assert_hit(&scene.cache(), number, Tier::Hot);
    }
    assert_clean(&scene.cache());
}

#[test]
fn processes_that_add_use_and_tidy_up_do_not_disturb_each_other() {
    let scene = Scene::new();
    let churn = |number| spawn(child::command(Role::Churn, scene.path(), number));
    assert_done((0..8).map(churn).collect());
    let cache = scene.cache();
    assert_clean(&cache);
    assert!(cache.take_warnings().is_empty());
    let statistics = cache.statistics().unwrap();
    assert_eq!(statistics.damaged, 0);
    assert!(statistics.puts >= 12 && statistics.hot_hits + statistics.packed_hits > 0);
}

#[test]
fn a_holder_that_dies_frees_its_lock() {
    let scene = Scene::new();
    let mut holder = spawn(child::command(Role::Hang, scene.path(), 1));
    wait_for(&note(scene.path(), "hanging"));
    let directory = scene.path().to_owned();
    let mut waited = None;
    let cache = scene.cache();
    let on_wait = |other: &precast_cache::Holder| {
        waited = Some(other.description.clone());
        holder.kill().unwrap();
        std::ops::ControlFlow::Continue(())
    };
    let compile = || Ok::<_, ()>(artifact(1));
    let served = cache.compile_once(&crate::scene::parts(1), "mine.wasm", on_wait, compile);
    assert!(matches!(served, Ok(Served::Compiled { .. })));
    let expected = format!("process {} compiles test.wasm", holder.id());
    assert_eq!(waited.as_deref(), Some(expected.as_str()));
    holder.wait().unwrap();
    assert!(repaired(&cache).is_empty());
    assert!(directory.join("precast/v1/locks").read_dir().unwrap().next().is_none());
}

#[test]
fn a_holder_that_hangs_is_not_waited_for_without_end() {
    let scene = Scene::new();
    let mut holder = spawn(child::command(Role::Hang, scene.path(), 1));
    wait_for(&note(scene.path(), "hanging"));
    let lock_timeout = std::time::Duration::from_millis(50);
    let cache = precast_cache::Cache::new(&CacheSettings { lock_timeout, ..scene.settings() });
    assert!(matches!(serve(&cache, 1), Served::Compiled { .. }));
    let warnings = cache.take_warnings();
    assert!(matches!(warnings[..], [precast_cache::Warning::LockTimeout(_)]), "{warnings:?}");
    holder.kill().unwrap();
    holder.wait().unwrap();
    assert_hit(&cache, 1, Tier::Hot);
}

#[test]
fn an_entry_that_is_evicted_while_a_process_uses_it_stays_usable() {
    let scene = Scene::new();
    let cache = scene.cache();
    put(&cache, 1);
    let holder = spawn(child::command(Role::Hold, scene.path(), 1));
    wait_for(&note(scene.path(), "held"));
    let Outcome::Hit(mine) = get(&cache, 1) else { panic!("it has just been added") };
    let none = CacheSettings { total_budget: 0, ..scene.settings() };
    let swept = precast_cache::Cache::new(&none).housekeep().unwrap().unwrap();
    assert_eq!(swept.evicted, 1);
    assert!(matches!(get(&cache, 1), Outcome::Miss(_)));
    std::fs::write(note(scene.path(), "read"), "").unwrap();
    assert_done(vec![holder]);
    assert!(content(&mine) == artifact(1));
}
