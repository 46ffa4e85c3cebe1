//! Tests of the settings file.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::*;
use crate::{CacheMode, CacheSettings, CpuChoice, OptLevel, Promotion, Settings};

fn problems(text: &str) -> Vec<String> {
    let error = parse(text, Path::new("c")).expect_err("it has problems");
    error.to_string().lines().map(str::to_owned).collect()
}

#[test]
fn every_kind_of_value_is_read() {
    let text = r#"
        [compiler]
        target = "aarch64-unknown-linux-gnu"
        cpu = "x86-64-v3"
        opt-level = "speed_and_size"
        memory-guard = "64MiB"
        verify-ir = true
        flags = { enable_nan_canonicalization = true, log2_min_function_alignment = 5 }
        features.bulk-memory = false
        [runtime]
        jobs = 3
        max-wasm-stack = 1_000_000
        [cache]
        mode = "read-only"
        directory = "/srv/cache"
        promotion = "hit"
        level = 19
        max-unused = "30d"
        hot-budget = "1.5 GiB"
    "#;
    let Settings { compiler, runtime, cache } = parse(text, Path::new("c")).unwrap();
    assert_eq!(compiler.target.as_deref(), Some("aarch64-unknown-linux-gnu"));
    assert_eq!(compiler.cpu, CpuChoice::Named("x86-64-v3".into()));
    assert_eq!(compiler.opt_level, OptLevel::SpeedAndSize);
    assert_eq!(compiler.memory_guard, 64 << 20);
    assert!(compiler.verify_ir && !compiler.features.bulk_memory);
    let flag = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let alignment = flag("log2_min_function_alignment", "5");
    assert_eq!(compiler.flags, [flag("enable_nan_canonicalization", "true"), alignment]);
    assert_eq!((runtime.jobs, runtime.max_wasm_stack), (Some(3), 1_000_000));
    assert_eq!((cache.mode, cache.promotion), (CacheMode::ReadOnly, Promotion::Hit));
    assert_eq!(cache.directory, Some(PathBuf::from("/srv/cache")));
    assert_eq!((cache.level, cache.hot_budget), (19, 3 << 29));
    assert_eq!(cache.max_unused, Duration::from_secs(30 * 86400));
}

#[test]
fn unknown_keys_come_with_the_nearest_known_one() {
    let text = "[cache]\nhot-buget = 1\n[compilr]\n[runtime]\ncolour = 1\n[compiler]\n\
        features.bulk-memry = true\n";
    assert_eq!(
        problems(text),
        [
            "c:2: unknown key `hot-buget` in `cache`; did you mean `hot-budget`?",
            "c:3: unknown section `compilr`; did you mean `compiler`?",
            "c:5: unknown key `colour` in `runtime`",
            "c:7: `features` has no such proposal: unknown WebAssembly proposal `bulk-memry`; \
             did you mean `bulk-memory`?",
        ]
    );
}

#[test]
fn wrong_values_say_what_is_wanted() {
    let text = "[cache]\nmode = \"maybe\"\nlevel = 23\ntotal-budget = \"much\"\nmax-unused = 3\n\
        directory = \"here\"\n[runtime]\njobs = -1\n";
    assert_eq!(
        problems(text),
        [
            "c:2: `mode` has no such choice: `maybe` is none of on, read-only, require, off",
            "c:3: `level` takes a number from 1 to 22, not 23",
            "c:4: `total-budget` takes a size such as \"4GiB\", not \"much\"",
            "c:5: `max-unused` takes a length of time such as \"30d\", not 3",
            "c:6: `directory` takes an absolute path, not \"here\"",
            "c:8: `jobs` takes a number, not -1",
        ]
    );
    assert_eq!(problems("cache = 3"), ["c:1: `cache` is a section"]);
    assert!(problems("[cache").len() == 1);
}

#[test]
fn what_is_shown_reads_back() {
    let mut settings = Settings::default();
    assert_eq!(parse(&show(&settings), Path::new("c")).unwrap(), settings);
    settings.compiler.flags.push(("odd \"name\"".into(), "a\\b\n".into()));
    settings.compiler.target = Some("t".into());
    settings.runtime.jobs = Some(7);
    settings.cache.max_unused = Duration::from_millis(1500);
    settings.cache.total_budget = 12345;
    settings.cache.directory = Some("/x".into());
    assert_eq!(parse(&show(&settings), Path::new("c")).unwrap(), settings);
}

#[test]
fn the_template_sets_nothing_and_its_keys_exist() {
    let template = template();
    assert_eq!(parse(&template, Path::new("c")).unwrap(), Settings::default());
    let is_row = |line: &&str| line.starts_with('[') || line.contains(" = ");
    let rows = template.lines().map(|line| line.trim_start_matches('#')).filter(is_row);
    let uncommented: Vec<&str> = rows.filter(|line| !line.starts_with(' ')).collect();
    assert_eq!(parse(&uncommented.join("\n"), Path::new("c")).unwrap(), Settings::default());
}

#[test]
fn a_missing_file_holds_the_defaults_and_init_does_not_overwrite() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("new").join("config.toml");
    assert_eq!(load(&path).unwrap(), Settings::default());
    init(&path).unwrap();
    assert_eq!(load(&path).unwrap(), Settings::default());
    assert!(matches!(init(&path), Err(FileError::Write { .. })));
    assert!(matches!(load(directory.path()), Err(FileError::Read { .. })));
}

#[test]
fn the_first_to_choose_the_caches_directory_wins() {
    let mut settings = CacheSettings::default();
    let chosen = |explicit: Option<&str>, variable: Option<&str>, settings: &CacheSettings| {
        cache_directory(explicit.map(Path::new), variable.map(Into::into), settings)
    };
    settings.directory = Some("/file".into());
    let from = |path: &str, origin| Some((PathBuf::from(path), origin));
    assert_eq!(chosen(Some("/cli"), Some("/env"), &settings), from("/cli", CacheOrigin::Explicit));
    assert_eq!(chosen(None, Some("/env"), &settings), from("/env", CacheOrigin::Environment));
    assert_eq!(chosen(None, Some(""), &settings), from("/file", CacheOrigin::File));
    assert_eq!(location_from(Some("/x".into())), Some("/x".into()));
    assert_eq!(location_from(Some("".into())), None);
}
