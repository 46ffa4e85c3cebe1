//! Which settings make another key, and which do not.

use precast_artifact::description::Collector;
use precast_config::{OptLevel, RuntimeSettings, Settings, WasmFeatures};

use super::*;
use crate::Key;

fn build() -> CompilerBuild {
    CompilerBuild { format: 1, version: "0.1.0".into(), digest: [7; 32] }
}

fn host() -> Host {
    let triple = "x86_64-unknown-linux-gnu".parse().unwrap();
    Host { triple, cpu_features: vec!["avx", "avx2"] }
}

fn recipe(settings: &CompilerSettings) -> Recipe {
    Recipe::new(&build(), &host(), settings)
}

fn key(settings: &CompilerSettings) -> Key {
    recipe(settings).with_wasm(&[1; 32]).key()
}

/// The names of the parts that a change of the settings changes.
fn changed(change: impl FnOnce(&mut CompilerSettings)) -> Vec<String> {
    let before = CompilerSettings::default();
    let mut after = before.clone();
    change(&mut after);
    let parts = |settings| recipe(settings).with_wasm(&[1; 32]);
    let differences = parts(&before).differences(&parts(&after));
    assert_eq!(differences.is_empty(), key(&before) == key(&after));
    differences.into_iter().map(|difference| difference.name).collect()
}

fn flag(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

#[test]
fn every_setting_that_changes_code_changes_the_key_and_is_named() {
    // Taken apart so that a new field is missed here as little as in the key.
    let CompilerSettings {
        target: _,
        cpu: _,
        opt_level: _,
        flags: _,
        features: _,
        inlining: _,
        relaxed_simd_deterministic: _,
        consume_fuel: _,
        epoch_interruption: _,
        collector: _,
        memory_reservation: _,
        memory_guard: _,
        memory_image_limit: _,
        strip: _,
        verify_ir: _,
    } = CompilerSettings::default();
    assert_eq!(changed(|s| s.target = Some("x86_64-unknown-freebsd".into())), ["target"]);
    assert_eq!(
        changed(|s| s.cpu = CpuChoice::Named("native2".into())),
        ["cpu", "cpu.avx", "cpu.avx2"]
    );
    assert_eq!(changed(|s| s.opt_level = OptLevel::None), ["opt-level"]);
    assert_eq!(changed(|s| s.flags.push(flag("x", "5"))), ["flag.x"]);
    assert_eq!(changed(|s| s.inlining = false), ["inlining"]);
    assert_eq!(changed(|s| s.relaxed_simd_deterministic = true), ["relaxed-simd-deterministic"]);
    assert_eq!(changed(|s| s.consume_fuel = true), ["consume-fuel"]);
    assert_eq!(changed(|s| s.epoch_interruption = true), ["epoch-interruption"]);
    assert_eq!(changed(|s| s.collector = Collector::Drc.into()), ["collector"]);
    assert_eq!(changed(|s| s.memory_reservation += 1), ["memory-reservation"]);
    assert_eq!(changed(|s| s.memory_guard += 1), ["memory-guard"]);
    assert_eq!(changed(|s| s.memory_image_limit += 1), ["memory-image-limit"]);
    assert_eq!(changed(|s| s.strip = true), ["strip"]);
    assert!(changed(|s| s.verify_ir = true).is_empty());
}

#[test]
fn every_proposal_changes_the_key_and_is_named() {
    for (name, accepted) in WasmFeatures::default().iter() {
        let found = changed(|settings| settings.features.set(name, !accepted).unwrap());
        assert_eq!(found, [format!("wasm.{name}")]);
    }
}

#[test]
fn every_processor_feature_changes_the_key() {
    let settings = CompilerSettings::default();
    for architecture in ["x86_64", "aarch64"] {
        let triple: Triple = format!("{architecture}-unknown-linux-gnu").parse().unwrap();
        let all = precast_artifact::cpu::features_of(architecture);
        let key = |cpu_features: Vec<&'static str>| {
            let host = Host { triple: triple.clone(), cpu_features };
            Recipe::new(&build(), &host, &settings).with_wasm(&[1; 32])
        };
        let complete = key(all.to_vec());
        for missing in all {
            let others = all.iter().copied().filter(|feature| feature != missing).collect();
            let found = complete.differences(&key(others));
            assert_eq!(found.len(), 1);
            assert_eq!(found[0].name, format!("cpu.{missing}"));
        }
    }
}

#[test]
fn processor_flags_of_the_user_change_the_key() {
    for feature in precast_artifact::cpu::features_of("x86_64") {
        let name = format!("has_{feature}");
        assert_eq!(changed(|s| s.flags.push(flag(&name, "false"))), [format!("flag.{name}")]);
    }
}

#[test]
fn what_matters_only_at_run_time_is_not_in_the_key() {
    // A key is made of the compiler's settings alone. Were a setting to move from one structure
    // to the other, this would no longer compile.
    let Settings { compiler, runtime, cache: _ } = Settings::default();
    let RuntimeSettings { jobs: _, max_wasm_stack: _, backtrace_frames: _ } = runtime;
    assert_eq!(key(&compiler), key(&CompilerSettings::default()));
}

#[test]
fn compiler_and_module_change_the_key() {
    let settings = CompilerSettings::default();
    let parts = |build: &CompilerBuild, wasm: u8| {
        Recipe::new(build, &host(), &settings).with_wasm(&[wasm; 32])
    };
    let base = parts(&build(), 1);
    let named = |other: &KeyParts| -> Vec<String> {
        base.differences(other).into_iter().map(|difference| difference.name).collect()
    };
    assert_eq!(named(&parts(&build(), 2)), ["wasm-sha256"]);
    assert_eq!(named(&parts(&CompilerBuild { format: 2, ..build() }, 1)), ["format"]);
    let version = "0.2.0".to_owned();
    assert_eq!(named(&parts(&CompilerBuild { version, ..build() }, 1)), ["compiler"]);
    assert_eq!(named(&parts(&CompilerBuild { digest: [8; 32], ..build() }, 1)), ["compiler-build"]);
}

#[test]
fn flags_that_mean_the_same_make_the_same_key() {
    let with = |flags: &[(&str, &str)]| {
        let flags = flags.iter().map(|(name, value)| flag(name, value)).collect();
        key(&CompilerSettings { flags, ..CompilerSettings::default() })
    };
    assert_eq!(with(&[("a", "1"), ("b", "off")]), with(&[("b", "no"), ("a", "")]));
    assert_eq!(with(&[("a", "1"), ("a", "7")]), with(&[("a", "7")]));
    assert_ne!(with(&[("a", "7"), ("a", "1")]), with(&[("a", "7")]));
    assert_ne!(with(&[("a", "true")]), with(&[("a", "false")]));
}

#[test]
fn a_target_has_one_name() {
    let to = |target: &str| {
        key(&CompilerSettings { target: Some(target.into()), ..CompilerSettings::default() })
    };
    assert_eq!(to("x86_64-unknown-linux-gnu"), key(&CompilerSettings::default()));
    assert_eq!(to("x86_64"), key(&CompilerSettings::default()));
    assert_ne!(to("x86_64-unknown-linux-musl"), key(&CompilerSettings::default()));
}

#[test]
fn native_code_for_another_architecture_does_not_depend_on_this_machine() {
    let settings =
        CompilerSettings { target: Some("aarch64".into()), ..CompilerSettings::default() };
    let other = Host { cpu_features: vec!["avx512f"], ..host() };
    let key = |host| Recipe::new(&build(), host, &settings).with_wasm(&[1; 32]).key();
    assert_eq!(key(&host()), key(&other));
    // What is no target at all counts as if it could be this machine.
    let unknown = CompilerSettings { target: Some("?-?".into()), ..CompilerSettings::default() };
    let key = |host| Recipe::new(&build(), host, &unknown).with_wasm(&[1; 32]).key();
    assert_ne!(key(&host()), key(&other));
}
