//! How an artifact says what it is: the part of its header that people and loaders read.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What an artifact was made from, by what, and for what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildDescription {
    /// The version of the compiler, as its package has it.
    pub compiler: String,
    /// The target triple.
    pub target: Target,
    /// The processor features that the code may use, as [`crate::cpu`] names them, sorted.
    pub cpu_features: Vec<String>,
    /// The WebAssembly proposals that were accepted, sorted.
    pub wasm_features: Vec<String>,
    /// Every other setting that changes code, as name and value, sorted by name.
    pub settings: Vec<(String, String)>,
    /// How the code expects references to be managed; `None` when it handles none, so that it can
    /// run with every collector.
    pub collector: Option<Collector>,
    /// The SHA-256 of the WebAssembly module.
    pub wasm_sha256: [u8; 32],
}

/// The machine and system that an artifact is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The whole triple, such as `x86_64-unknown-linux-gnu`.
    pub triple: String,
    /// The architecture, as [`std::env::consts::ARCH`] spells it.
    pub architecture: String,
    /// The system, as [`std::env::consts::OS`] spells it.
    pub system: String,
}

/// How the references of a store are managed, and what they refer to is freed. Code that was compiled
/// for one collector cannot run in a store with another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Collector {
    /// Nothing is freed before the store.
    Null,
    /// References are counted, except for those that code holds in locals and operands: these are
    /// looked up when that matters. What refers to itself is not freed before the store.
    Drc,
    /// What can still be reached is copied to another place from time to time, and the rest is
    /// left behind.
    Copying,
}

/// Why an artifact's code cannot run on this machine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unfit {
    /// It is for another architecture.
    #[error("needs a {needed} machine; this one is {here}")]
    Architecture {
        /// What the artifact is for.
        needed: String,
        /// What this machine is.
        here: &'static str,
    },
    /// It is for another operating system.
    #[error("needs the system {needed}; this one is {here}")]
    System {
        /// What the artifact is for.
        needed: String,
        /// What this system is.
        here: &'static str,
    },
    /// The processor lacks features.
    #[error("needs {}; this CPU lacks {}", .0.join(", "), if .0.len() == 1 { "it" } else { "them" })]
    CpuFeatures(Vec<String>),
}

impl Target {
    /// Whether code for this target that uses these processor features can run on this machine.
    ///
    /// # Errors
    ///
    /// The first reason why it cannot.
    pub fn check_host(&self, cpu_features: &[String]) -> Result<(), Unfit> {
        let Target { architecture, system, triple: _ } = self;
        if architecture != std::env::consts::ARCH {
            let needed = architecture.clone();
            return Err(Unfit::Architecture { needed, here: std::env::consts::ARCH });
        }
        if system != std::env::consts::OS {
            return Err(Unfit::System { needed: system.clone(), here: std::env::consts::OS });
        }
        let host = crate::cpu::host_features();
        let lacks = |feature: &&String| !host.contains(&feature.as_str());
        let missing: Vec<String> = cpu_features.iter().filter(lacks).cloned().collect();
        if missing.is_empty() { Ok(()) } else { Err(Unfit::CpuFeatures(missing)) }
    }
}

impl BuildDescription {
    /// Whether the code can run on this machine.
    ///
    /// # Errors
    ///
    /// The first reason why it cannot.
    pub fn check_host(&self) -> Result<(), Unfit> {
        self.target.check_host(&self.cpu_features)
    }

    /// The value of a setting that changes code.
    pub fn setting(&self, name: &str) -> Option<&str> {
        let position = self.settings.binary_search_by(|(key, _)| key.as_str().cmp(name)).ok()?;
        Some(&self.settings[position].1)
    }
}

impl Collector {
    /// Every collector.
    pub const ALL: &[Collector] = &[Collector::Null, Collector::Drc, Collector::Copying];

    /// The name that settings and messages use.
    pub fn name(self) -> &'static str {
        match self {
            Collector::Null => "null",
            Collector::Drc => "drc",
            Collector::Copying => "copying",
        }
    }

    /// Whether it must find the references in the frames of functions.
    pub fn needs_stack_maps(self) -> bool {
        match self {
            Collector::Null => false,
            Collector::Drc | Collector::Copying => true,
        }
    }
}

impl fmt::Display for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_named() {
        let mut description = BuildDescription {
            compiler: "0".into(),
            target: Target {
                triple: "t".into(),
                architecture: std::env::consts::ARCH.into(),
                system: std::env::consts::OS.into(),
            },
            cpu_features: Vec::new(),
            wasm_features: Vec::new(),
            settings: vec![("a".into(), "1".into()), ("b".into(), "2".into())],
            collector: Some(Collector::Null),
            wasm_sha256: [0; 32],
        };
        assert_eq!(description.check_host(), Ok(()));
        assert_eq!(description.setting("b"), Some("2"));
        assert_eq!(description.setting("c"), None);
        description.cpu_features = vec!["warp".into()];
        let unfit = description.check_host().unwrap_err();
        assert_eq!(unfit.to_string(), "needs warp; this CPU lacks it");
        description.target.architecture = "pdp11".into();
        let unfit = description.check_host().unwrap_err();
        assert!(unfit.to_string().starts_with("needs a pdp11 machine; this one is"));
    }
}
