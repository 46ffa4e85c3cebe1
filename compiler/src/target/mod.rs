//! The machine to generate code for: from settings to Cranelift's `TargetIsa`.

mod catalog;
mod flags;

use cranelift_codegen::isa::{self, OwnedTargetIsa};
use cranelift_codegen::settings::{self, Configurable, SetError};
use precast_artifact::description;
use precast_config::{CompilerSettings, CpuChoice};
use target_lexicon::{Architecture, Environment, OperatingSystem, Triple};

use crate::CompileError;

pub use self::catalog::{
    Processor, Setting, SettingKind, TargetInfo, processors, settings, targets,
};

/// A machine, and the code generator for it.
pub(crate) struct Target {
    /// The code generator.
    pub(crate) isa: OwnedTargetIsa,
    /// The flags that have another value than they would have without the user, sorted. Those
    /// that stand for processor features are not among them.
    pub(crate) changed_flags: Vec<(String, String)>,
}

/// What the instruction sets imply that processors' descriptions leave out: without the first,
/// the code generator would not use what the second allows.
const IMPLIED: &[(&str, &str)] =
    &[("has_avx512vl", "has_avx512f"), ("has_avx512f", "has_avx2"), ("has_avx2", "has_avx")];

impl Target {
    /// The machine that the settings ask for.
    ///
    /// # Errors
    ///
    /// When there is no such target or processor, or a flag is not known or not the user's.
    pub(crate) fn new(settings: &CompilerSettings) -> Result<Target, CompileError> {
        let triple = triple(settings.target.as_deref())?;
        let mut isa = isa_builder(&triple)?;
        choose_cpu(&mut isa, &settings.cpu)?;
        let mut shared = flags::base(settings);
        let before = values(&finish(&isa, &shared)?);
        for (name, value) in &settings.flags {
            flags::set(&mut shared, &mut isa, name, value)?;
        }
        let isa = finish(&isa, &shared)?;
        let after = values(&isa);
        let mut changed_flags: Vec<_> = after
            .into_iter()
            .filter(|flag| !flag.0.starts_with("has_") && !before.contains(flag))
            .collect();
        changed_flags.sort();
        Ok(Target { isa, changed_flags })
    }

    /// The processor features that code for this machine may use, as the artifact names
    /// them, sorted.
    pub(crate) fn cpu_features(&self) -> Vec<String> {
        let mut features: Vec<String> = self
            .isa
            .isa_flags()
            .into_iter()
            .filter(|flag| flag.as_bool() == Some(true))
            .filter_map(|flag| flag.name.strip_prefix("has_").map(str::to_owned))
            .collect();
        features.sort();
        features
    }

    /// The machine as an artifact describes it.
    pub(crate) fn describe(&self) -> description::Target {
        let triple = self.isa.triple();
        description::Target {
            triple: triple.to_string(),
            architecture: architecture_name(triple).to_owned(),
            system: system_name(triple).unwrap_or("none").to_owned(),
        }
    }

    /// The largest page of the target, in bytes.
    pub(crate) fn page_size(&self) -> u64 {
        match self.isa.triple().architecture {
            Architecture::X86_64 => 4 << 10,
            _ => 64 << 10,
        }
    }
}

/// The target of that name, or the host. A bare architecture stands for Linux on it.
fn triple(name: Option<&str>) -> Result<Triple, CompileError> {
    let Some(name) = name else { return checked(Triple::host(), "the host") };
    let full = match name.contains('-') {
        true => name.to_owned(),
        false => format!("{name}-unknown-linux-gnu"),
    };
    match full.parse::<Triple>() {
        Ok(triple) => checked(triple, name),
        Err(reason) => Err(refused(name, reason.to_string())),
    }
}

fn checked(triple: Triple, name: &str) -> Result<Triple, CompileError> {
    if !matches!(triple.architecture, Architecture::X86_64 | Architecture::Aarch64(_)) {
        return Err(refused(name, format!("there is no code for {}", triple.architecture)));
    }
    // The code relies on little-endian memory; the architecture alone does not say so.
    if triple.endianness() != Ok(target_lexicon::Endianness::Little) {
        return Err(refused(name, "it is big-endian".into()));
    }
    if triple.pointer_width() != Ok(target_lexicon::PointerWidth::U64) {
        return Err(refused(name, "its pointers do not have 64 bits".into()));
    }
    if system_name(&triple).is_none() {
        let system = triple.operating_system.to_string();
        return Err(refused(name, format!("the system `{system}` is not supported")));
    }
    Ok(triple)
}

fn refused(name: &str, reason: String) -> CompileError {
    let known = targets().into_iter().map(|target| target.triple).collect();
    CompileError::Target { triple: name.to_owned(), reason, known }
}

/// The name that Rust's standard library has for the architecture.
fn architecture_name(triple: &Triple) -> &'static str {
    match triple.architecture {
        Architecture::X86_64 => "x86_64",
        _ => "aarch64",
    }
}

/// The name that Rust's standard library has for the system, if it is a supported one.
fn system_name(triple: &Triple) -> Option<&'static str> {
    Some(match triple.operating_system {
        OperatingSystem::Linux if triple.environment == Environment::Android => "android",
        OperatingSystem::Linux => "linux",
        OperatingSystem::Darwin(_) | OperatingSystem::MacOSX(_) => "macos",
        OperatingSystem::Freebsd => "freebsd",
        OperatingSystem::Netbsd => "netbsd",
        OperatingSystem::Openbsd => "openbsd",
        _ => return None,
    })
}

fn isa_builder(triple: &Triple) -> Result<isa::Builder, CompileError> {
    isa::lookup(triple.clone()).map_err(|reason| refused(&triple.to_string(), reason.to_string()))
}

fn finish(isa: &isa::Builder, shared: &settings::Builder) -> Result<OwnedTargetIsa, CompileError> {
    isa.finish(settings::Flags::new(shared.clone())).map_err(CompileError::Flags)
}

/// Name and value of every flag.
fn values(isa: &OwnedTargetIsa) -> Vec<(String, String)> {
    let value = |flag: settings::Value| (flag.name.to_owned(), flag.value_string());
    isa.flags().iter().chain(isa.isa_flags()).map(value).collect()
}

fn choose_cpu(isa: &mut isa::Builder, cpu: &CpuChoice) -> Result<(), CompileError> {
    match cpu {
        CpuChoice::Baseline => {}
        CpuChoice::Native => {
            if isa.triple().architecture == Triple::host().architecture {
                let triple = isa.triple().to_string();
                cranelift_native::infer_native_flags(isa)
                    .map_err(|reason| refused(&triple, reason.to_owned()))?;
                flags::fix_isa(isa);
            }
        }
        CpuChoice::Named(name) => {
            let architecture = architecture_name(isa.triple());
            let Some(preset) = catalog::presets(isa).find(|preset| preset.name == name) else {
                let known = catalog::presets(isa).map(|preset| preset.name);
                return Err(CompileError::Cpu {
                    architecture: architecture.to_owned(),
                    name: name.clone(),
                    nearest: flags::nearest(name, known),
                });
            };
            isa.enable(preset.name).map_err(|error| flag_error(name, "", &error))?;
            let mut enabled = values(&finish(isa, &settings::builder())?);
            for &(this, that) in IMPLIED {
                if enabled.contains(&(this.to_owned(), "true".to_owned())) {
                    isa.enable(that).map_err(|error| flag_error(that, "", &error))?;
                    enabled.push((that.to_owned(), "true".to_owned()));
                }
            }
        }
    }
    Ok(())
}

fn flag_error(name: &str, value: &str, error: &SetError) -> CompileError {
    let reason = match error {
        SetError::BadName(_) => "there is no such flag".to_owned(),
        SetError::BadType => "it needs a value, as in `name=value`".to_owned(),
        SetError::BadValue(expected) if expected == "bool" => {
            "it takes `true` or `false`".to_owned()
        }
        SetError::BadValue(expected) if expected == "number" => {
            "it takes a number from 0 to 255".to_owned()
        }
        SetError::BadValue(expected) => format!("it takes {expected}"),
    };
    CompileError::FlagValue { name: name.to_owned(), value: value.to_owned(), reason }
}

#[cfg(test)]
mod tests;
