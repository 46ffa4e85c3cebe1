//! What there is to choose from: targets, processors and flags, for people to read.

use cranelift_codegen::isa;
use cranelift_codegen::settings;
use precast_config::CompilerSettings;
use target_lexicon::Triple;

use super::{flags, isa_builder, triple};
use crate::CompileError;

/// Targets that are tried; others of the same architectures work when their system does.
const TARGETS: &[&str] = &[
    "x86_64-unknown-linux-gnu",
    "x86_64-unknown-linux-musl",
    "x86_64-apple-darwin",
    "x86_64-unknown-freebsd",
    "aarch64-unknown-linux-gnu",
    "aarch64-unknown-linux-musl",
    "aarch64-apple-darwin",
];

/// A machine and system that code can be generated for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetInfo {
    /// The target triple.
    pub triple: String,
    /// Whether it is the architecture and system that this program runs on.
    pub host: bool,
}

/// A processor that can be chosen by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Processor {
    /// The name.
    pub name: &'static str,
    /// What it is.
    pub description: &'static str,
}

/// A flag of the code generator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The name.
    pub name: &'static str,
    /// What it does.
    pub description: &'static str,
    /// What values it takes.
    pub kind: SettingKind,
    /// The value that it has when the user does not set it; for processor features, without
    /// those of the chosen processor.
    pub default: String,
    /// Whether only this target has it.
    pub target_specific: bool,
    /// Why it cannot be set; `None` when it can.
    pub fixed: Option<&'static str>,
}

/// What values a flag takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingKind {
    /// `true` or `false`; `true` without a value.
    Bool,
    /// A number from 0 to 255.
    Number,
    /// One of these words.
    Choice(&'static [&'static str]),
}

/// The targets that code can be generated for, the host's architecture first.
pub fn targets() -> Vec<TargetInfo> {
    let host = Triple::host();
    let mut targets: Vec<(bool, TargetInfo)> = TARGETS
        .iter()
        .filter_map(|name| {
            let triple: Triple = name.parse().ok()?;
            let near = triple.architecture == host.architecture;
            Some((!near, TargetInfo { triple: (*name).to_owned(), host: triple == host }))
        })
        .collect();
    targets.sort_by_key(|&(far, _)| far);
    targets.into_iter().map(|(_, target)| target).collect()
}

/// The processors of a target, the host's when it is `None`.
///
/// # Errors
///
/// [`CompileError::Target`] when there is no such target.
pub fn processors(target: Option<&str>) -> Result<Vec<Processor>, CompileError> {
    let isa = isa_builder(&triple(target)?)?;
    Ok(presets(&isa)
        .map(|preset| Processor { name: preset.name, description: preset.description })
        .collect())
}

/// The code generator's flags for a target, the host's when it is `None`.
///
/// # Errors
///
/// [`CompileError::Target`] when there is no such target.
pub fn settings(target: Option<&str>) -> Result<Vec<Setting>, CompileError> {
    let mut isa = isa_builder(&triple(target)?)?;
    flags::fix_isa(&mut isa);
    let shared = flags::base(&CompilerSettings::default());
    let values = super::values(&super::finish(&isa, &shared)?);
    let list = shared.iter().map(|flag| (flag, false)).chain(isa.iter().map(|flag| (flag, true)));
    Ok(list
        .filter_map(|(flag, target_specific)| {
            let kind = match flag.kind {
                settings::SettingKind::Bool => SettingKind::Bool,
                settings::SettingKind::Num => SettingKind::Number,
                settings::SettingKind::Enum => SettingKind::Choice(flag.values?),
                settings::SettingKind::Preset => return None,
            };
            let fixed = flags::FIXED.iter().chain(flags::FIXED_ISA);
            Some(Setting {
                name: flag.name,
                description: flag.description,
                kind,
                default: values.iter().find(|value| value.0 == flag.name)?.1.clone(),
                target_specific,
                fixed: fixed.clone().find(|fixed| fixed.0 == flag.name).map(|fixed| fixed.2),
            })
        })
        .collect())
}

/// The processors that Cranelift knows by name.
pub(super) fn presets(isa: &isa::Builder) -> impl Iterator<Item = settings::Setting> {
    isa.iter().filter(|setting| setting.kind == settings::SettingKind::Preset)
}
