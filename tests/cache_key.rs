//! Which settings make another entry of the cache, and which do not.
#![cfg(feature = "cache")]

use std::sync::Arc;
use std::time::Duration;

use precast::cache::{Cache, Host, Key, KeyParts, Recipe};
use precast::compiler::{Setting, SettingKind, settings, targets};
use precast::settings::{CacheMode, CacheSettings, Promotion};
use precast::{CodeBuilder, CompilerSettings, Config, Engine, RuntimeSettings, compiler_build};

const MODULE: &[u8] = b"\0asm\x01\0\0\0";

/// A value that the flag does not have by default.
fn flipped(setting: &Setting) -> String {
    match setting.kind {
        SettingKind::Bool => (setting.default != "true").to_string(),
        SettingKind::Number => if setting.default == "7" { "8" } else { "7" }.to_owned(),
        SettingKind::Choice(words) => {
            words.iter().find(|word| **word != setting.default).unwrap().to_string()
        }
    }
}

#[test]
fn every_flag_of_every_code_generator_makes_another_key_and_is_named() {
    let parts = |settings: &CompilerSettings| -> KeyParts {
        Recipe::new(&compiler_build(), &Host::detect(), settings).with_wasm(&[1; 32])
    };
    let mut flags = 0;
    for target in targets() {
        let plain = CompilerSettings {
            target: Some(target.triple.to_string()),
            ..CompilerSettings::default()
        };
        for setting in settings(Some(&target.triple.to_string())).unwrap() {
            let mut changed = plain.clone();
            changed.flags.push((setting.name.to_string(), flipped(&setting)));
            let differences = parts(&plain).differences(&parts(&changed));
            let names: Vec<&str> = differences.iter().map(|found| found.name.as_str()).collect();
            assert_eq!(names, [format!("flag.{}", setting.name)]);
            flags += 1;
        }
    }
    assert!(flags > 60, "only {flags} flags");
}

/// The key that an engine with these settings looks for.
fn key(runtime: RuntimeSettings, cache: &CacheSettings) -> Key {
    let mut config = Config::from_settings(CompilerSettings::default(), runtime);
    config.cache(Some(Arc::new(Cache::new(cache))));
    let engine = Engine::new(&config).unwrap();
    CodeBuilder::binary(&engine, MODULE).explain().unwrap().parts.key()
}

#[test]
fn what_matters_only_at_run_time_makes_no_other_key() {
    let directory = tempfile::tempdir().unwrap();
    let directory = Some(directory.path().to_owned());
    let cache = CacheSettings { directory, ..CacheSettings::default() };
    let plain = RuntimeSettings::default();
    let expected = key(plain.clone(), &cache);
    // Taken apart so that a new option is missed here as little as elsewhere.
    let RuntimeSettings { jobs: _, max_wasm_stack, backtrace_frames } = plain.clone();
    for changed in [
        RuntimeSettings { jobs: Some(1), ..plain.clone() },
        RuntimeSettings { max_wasm_stack: max_wasm_stack / 2, ..plain.clone() },
        RuntimeSettings { backtrace_frames: backtrace_frames + 1, ..plain.clone() },
    ] {
        assert_eq!(key(changed.clone(), &cache), expected, "{changed:?}");
    }
    let CacheSettings {
        mode: _,
        directory: _,
        system_directory: _,
        level,
        promotion: _,
        hot_budget,
        functions,
        functions_budget,
        total_budget,
        min_free,
        max_unused,
        lock_timeout,
    } = cache.clone();
    let elsewhere = tempfile::tempdir().unwrap();
    let elsewhere = Some(elsewhere.path().to_owned());
    let second = Duration::from_secs(1);
    for changed in [
        CacheSettings { mode: CacheMode::ReadOnly, ..cache.clone() },
        CacheSettings { directory: elsewhere.clone(), ..cache.clone() },
        CacheSettings { system_directory: elsewhere, ..cache.clone() },
        CacheSettings { level: level + 1, ..cache.clone() },
        CacheSettings { promotion: Promotion::Hit, ..cache.clone() },
        CacheSettings { hot_budget: hot_budget + 1, ..cache.clone() },
        CacheSettings { functions: !functions, ..cache.clone() },
        CacheSettings { functions_budget: functions_budget + 1, ..cache.clone() },
        CacheSettings { total_budget: total_budget + 1, ..cache.clone() },
        CacheSettings { min_free: min_free + 1, ..cache.clone() },
        CacheSettings { max_unused: max_unused + second, ..cache.clone() },
        CacheSettings { lock_timeout: lock_timeout + second, ..cache.clone() },
    ] {
        assert_eq!(key(plain.clone(), &changed), expected, "{changed:?}");
    }
}
