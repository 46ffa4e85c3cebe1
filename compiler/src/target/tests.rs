use std::collections::BTreeSet;

use precast_artifact::cpu;
use precast_config::{CompilerSettings, CpuChoice, OptLevel};

use super::*;

fn with_flag(name: &str, value: &str) -> CompilerSettings {
    CompilerSettings { flags: vec![(name.into(), value.into())], ..CompilerSettings::default() }
}

fn error(settings: &CompilerSettings) -> String {
    Target::new(settings).err().expect("the settings are refused").to_string()
}

fn for_target(target: &str, cpu: CpuChoice) -> Target {
    let target = Some(target.to_owned());
    Target::new(&CompilerSettings { target, cpu, ..CompilerSettings::default() }).unwrap()
}

#[test]
fn flags_that_the_contract_relies_on_are_refused() {
    for (name, value, _) in flags::FIXED {
        let message = error(&with_flag(name, value));
        assert!(message.starts_with(&format!("the flag `{name}` cannot be set: ")), "{message}");
    }
    let message = error(&with_flag("sign_return_address", ""));
    assert!(message.contains("return addresses"), "{message}");
}

#[test]
fn the_fixed_flags_have_their_values() {
    let target = Target::new(&CompilerSettings::default()).unwrap();
    let values = values(&target.isa);
    for &(name, value, _) in flags::FIXED {
        assert!(values.contains(&(name.to_owned(), value.to_owned())), "{name}");
    }
    let arm = for_target("aarch64-apple-darwin", CpuChoice::Native);
    assert!(
        arm.isa
            .isa_flags()
            .iter()
            .all(|flag| !flag.name.starts_with("sign") || flag.as_bool() == Some(false))
    );
}

#[test]
fn unknown_flags_get_a_suggestion() {
    let message = error(&with_flag("enable_nan_canonicalisation", "true"));
    assert_eq!(
        message,
        "the code generator has no flag `enable_nan_canonicalisation`; did you mean \
         `enable_nan_canonicalization`?"
    );
    assert_eq!(error(&with_flag("x", "")), "the code generator has no flag `x`");
    assert!(error(&with_flag("x86-64-v3", "")).contains("`cpu`"));
}

#[test]
fn values_are_checked() {
    let message = error(&with_flag("enable_nan_canonicalization", "maybe"));
    assert!(message.ends_with("it takes `true` or `false`"), "{message}");
    let message = error(&with_flag("regalloc_algorithm", "guess"));
    assert!(message.ends_with("it takes any among backtracking, single_pass"), "{message}");
    let message = error(&with_flag("regalloc_algorithm", ""));
    assert!(message.contains("needs a value"), "{message}");
    let message = error(&with_flag("log2_min_function_alignment", "99"));
    assert!(message.ends_with("from 0 to 12"), "{message}");
}

#[test]
fn the_last_flag_of_a_name_counts() {
    let mut settings = with_flag("enable_nan_canonicalization", "");
    let target = Target::new(&settings).unwrap();
    let on = ("enable_nan_canonicalization".to_owned(), "true".to_owned());
    assert_eq!(target.changed_flags, [on]);
    settings.flags.push(("enable_nan_canonicalization".into(), "off".into()));
    assert!(Target::new(&settings).unwrap().changed_flags.is_empty());
}

#[test]
fn optimisation_levels_are_the_code_generators() {
    for level in [OptLevel::None, OptLevel::Speed, OptLevel::SpeedAndSize] {
        let settings = CompilerSettings { opt_level: level, ..CompilerSettings::default() };
        let target = Target::new(&settings).unwrap();
        assert_eq!(target.isa.flags().opt_level().to_string(), level.name());
    }
}

#[test]
fn processors_have_names() {
    let cpu = |name: &str| CpuChoice::Named(name.to_owned());
    let baseline = for_target("x86_64-unknown-linux-gnu", CpuChoice::Baseline);
    assert_eq!(baseline.cpu_features(), [""; 0]);
    let v3 = for_target("x86_64", cpu("x86-64-v3")).cpu_features();
    assert!(["avx", "avx2", "fma", "sse42"].iter().all(|f| v3.contains(&(*f).to_owned())));
    let v4 = for_target("x86_64", cpu("x86-64-v4")).cpu_features();
    assert!(v4.contains(&"avx512f".to_owned()));
    let settings = CompilerSettings {
        target: Some("x86_64".into()),
        cpu: cpu("skylak"),
        ..CompilerSettings::default()
    };
    assert_eq!(error(&settings), "`x86_64` has no processor `skylak`; did you mean `skylake`?");
}

#[test]
fn targets_without_code_are_refused() {
    let settings = |target: &str| CompilerSettings {
        target: Some(target.to_owned()),
        ..CompilerSettings::default()
    };
    for (target, reason) in [
        ("riscv64gc-unknown-linux-gnu", "there is no code for riscv64gc"),
        ("i686-unknown-linux-gnu", "there is no code for i686"),
        ("aarch64_be-unknown-linux-gnu", "it is big-endian"),
        ("x86_64-unknown-linux-gnux32", "its pointers do not have 64 bits"),
        ("x86_64-pc-windows-msvc", "the system `windows` is not supported"),
        ("pdp11", "Unrecognized architecture: pdp11"),
    ] {
        let message = error(&settings(target));
        assert!(message.contains(reason), "{target}: {message}");
        assert!(message.contains("aarch64-unknown-linux-gnu"), "{message}");
    }
}

#[test]
fn native_code_needs_what_the_host_has() {
    let native = Target::new(&CompilerSettings::default()).unwrap();
    let needed: BTreeSet<String> = native.cpu_features().into_iter().collect();
    let host: BTreeSet<String> = cpu::host_features().into_iter().map(str::to_owned).collect();
    assert_eq!(needed, host);
    assert_eq!(native.describe().architecture, std::env::consts::ARCH);
    assert_eq!(native.describe().system, std::env::consts::OS);
}

#[test]
fn the_artifact_knows_every_feature_of_the_code_generator() {
    for (target, architecture) in [("x86_64", "x86_64"), ("aarch64", "aarch64")] {
        let settings = settings(Some(target)).unwrap();
        let features: BTreeSet<&str> =
            settings.iter().filter_map(|setting| setting.name.strip_prefix("has_")).collect();
        let known: BTreeSet<&str> = cpu::features_of(architecture).iter().copied().collect();
        assert_eq!(features, known);
    }
}

#[test]
fn everything_can_be_listed() {
    assert!(targets().iter().any(|target| target.host) || cfg!(not(target_os = "linux")));
    for target in targets() {
        let list = settings(Some(&target.triple)).unwrap();
        let pic = list.iter().find(|setting| setting.name == "is_pic").unwrap();
        assert!(pic.fixed.is_some() && pic.default == "false");
        let nan =
            list.iter().find(|setting| setting.name == "enable_nan_canonicalization").unwrap();
        assert!(nan.fixed.is_none() && nan.kind == SettingKind::Bool && !nan.target_specific);
    }
    assert!(processors(Some("x86_64")).unwrap().iter().any(|cpu| cpu.name == "znver4"));
    assert!(processors(Some("aarch64")).unwrap().is_empty());
}
