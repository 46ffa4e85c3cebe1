//! From settings to the parts of a key: everything but the module itself.

use std::collections::BTreeMap;

use precast_config::{CompilerSettings, CpuChoice};
use sha2::{Digest, Sha256};
use target_lexicon::Triple;

use crate::key::{self, KeyParts, Part, WASM_PART};

/// Which compiler made, or would make, an artifact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompilerBuild {
    /// The version of the artifact's format.
    pub format: u32,
    /// The compiler's version.
    pub version: String,
    /// A digest of everything that the compiler was built from.
    pub digest: [u8; 32],
}

/// The machine that native code is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Its target triple.
    pub triple: Triple,
    /// The features of its processor, as the artifact's table names them.
    pub cpu_features: Vec<&'static str>,
}

/// Everything besides the module that decides what an artifact contains: compiler, machine and
/// settings. Made once, used for every module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe {
    parts: Vec<Part>,
    digest: [u8; 32],
}

impl Host {
    /// This machine.
    pub fn detect() -> Host {
        Host { triple: Triple::host(), cpu_features: precast_artifact::cpu::host_features() }
    }
}

impl CompilerBuild {
    /// Its parts of a key.
    pub(crate) fn parts(&self) -> Vec<Part> {
        let CompilerBuild { format, version, digest } = self;
        vec![
            Part::new("format", format.to_string()),
            Part::new("compiler", version),
            Part::new("compiler-build", key::hex(digest)),
        ]
    }
}

impl Recipe {
    /// What this compiler does with these settings on this machine.
    pub fn new(build: &CompilerBuild, host: &Host, settings: &CompilerSettings) -> Recipe {
        let CompilerSettings {
            target,
            cpu,
            opt_level,
            inlining,
            flags,
            features,
            relaxed_simd_deterministic,
            consume_fuel,
            epoch_interruption,
            collector,
            memory_reservation,
            memory_guard,
            memory_image_limit,
            strip,
            // Finds faults of the compiler; the code is the same with it.
            verify_ir: _,
        } = settings;
        let target = Target::named(target.as_deref(), host);
        let mut parts = build.parts();
        parts.extend([
            Part::new("target", target.name),
            Part::new("opt-level", opt_level.name()),
            Part::new("inlining", inlining.to_string()),
            Part::new("relaxed-simd-deterministic", relaxed_simd_deterministic.to_string()),
            Part::new("consume-fuel", consume_fuel.to_string()),
            Part::new("epoch-interruption", epoch_interruption.to_string()),
            Part::new("collector", collector.name()),
            Part::new("memory-reservation", memory_reservation.to_string()),
            Part::new("memory-guard", memory_guard.to_string()),
            Part::new("memory-image-limit", memory_image_limit.to_string()),
            Part::new("strip", strip.to_string()),
        ]);
        match cpu {
            CpuChoice::Native if target.may_be_host => {
                parts.push(Part::new("cpu", "native"));
                let feature = |name: &&str| Part::new(format!("cpu.{name}"), "true");
                parts.extend(host.cpu_features.iter().map(feature));
            }
            CpuChoice::Native | CpuChoice::Baseline => parts.push(Part::new("cpu", "baseline")),
            CpuChoice::Named(name) => parts.push(Part::new("cpu", name)),
        }
        let flag = |(name, value)| Part::new(format!("flag.{name}"), value);
        parts.extend(normalised(flags).into_iter().map(flag));
        let feature = |(name, accepted): (&str, bool)| {
            Part::new(format!("wasm.{name}"), accepted.to_string())
        };
        parts.extend(features.iter().map(feature));
        parts.sort();
        let digest = Sha256::digest(key::encode(&parts)).into();
        Recipe { parts, digest }
    }

    /// The parts of a module's key.
    pub fn with_wasm(&self, wasm_sha256: &[u8; 32]) -> KeyParts {
        let wasm = Part::new(WASM_PART, key::hex(wasm_sha256));
        KeyParts::new(self.parts.iter().cloned().chain([wasm]).collect())
    }

    /// The parts that do not depend on the module, sorted by name.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// A digest of the parts.
    pub(crate) fn digest(&self) -> &[u8; 32] {
        &self.digest
    }
}

struct Target {
    name: String,
    /// Whether native code for it depends on this machine's processor.
    may_be_host: bool,
}

impl Target {
    /// The same target has one name however it was asked for, as far as that can be told. What
    /// cannot be told costs an entry of its own, never a wrong one: the compiler refuses it, or
    /// the text stands for itself.
    fn named(name: Option<&str>, host: &Host) -> Target {
        let Some(name) = name else {
            return Target { name: host.triple.to_string(), may_be_host: true };
        };
        // The compiler takes a bare architecture for Linux on it.
        let full = match name.contains('-') {
            true => name.to_owned(),
            false => format!("{name}-unknown-linux-gnu"),
        };
        match full.parse::<Triple>() {
            Ok(triple) => Target {
                name: triple.to_string(),
                may_be_host: triple.architecture == host.triple.architecture,
            },
            Err(_) => Target { name: full, may_be_host: true },
        }
    }
}

/// Flags by name, the last of a name, and booleans in one spelling. A flag that takes a number
/// shares `true` and `false` with 1 and 0, and that is harmless: the compiler refuses the words
/// there, so no artifact comes of them.
fn normalised(flags: &[(String, String)]) -> BTreeMap<&str, &str> {
    let spelling = |value| match value {
        "" | "true" | "1" | "on" | "yes" => "true",
        "false" | "0" | "off" | "no" => "false",
        other => other,
    };
    flags.iter().map(|(name, value)| (name.as_str(), spelling(value))).collect()
}

#[cfg(test)]
mod tests;
