//! The ways in which a script's modules get from wasm to running code.
#![allow(unsafe_code, reason = "artifacts of this process's own making are loaded from a file")]

use precast::{Collector, Config, CpuChoice, Engine, Module, OptLevel, Result, Store};

/// How the modules of a script are compiled and loaded. A script must give the same outcome
/// in each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Setup {
    /// Compiled, with small functions a part of their callers, and run without leaving memory.
    /// References are counted.
    #[default]
    InMemory,
    /// Compiled, with every call a call, written to a file as an artifact, and loaded from that file.
    /// Objects are copied.
    ThroughFile,
    /// Compiled without optimisation for the oldest processor of the architecture, with results
    /// that are the same on all of them. No object is freed.
    Baseline,
    /// Compiled so that fuel and epochs can stop it, and run with plenty of both.
    Interruptible,
    /// With references that are counted, and a collection wherever one can happen.
    StressedDrc,
    /// With objects that are copied, and a collection wherever one can happen.
    StressedCopying,
}

impl Setup {
    /// Every setup.
    pub const ALL: &[Setup] = &[
        Setup::InMemory,
        Setup::ThroughFile,
        Setup::Baseline,
        Setup::Interruptible,
        Setup::StressedDrc,
        Setup::StressedCopying,
    ];

    /// The name that reports use.
    pub fn name(self) -> &'static str {
        match self {
            Setup::InMemory => "in-memory",
            Setup::ThroughFile => "through-file",
            Setup::Baseline => "baseline",
            Setup::Interruptible => "interruptible",
            Setup::StressedDrc => "stressed-drc",
            Setup::StressedCopying => "stressed-copying",
        }
    }

    /// Whether the setup has something to say about a script: collections matter only to those
    /// that have references.
    pub fn concerns(self, script: &str) -> bool {
        match self {
            Setup::StressedDrc | Setup::StressedCopying => script.contains("ref"),
            Setup::InMemory | Setup::ThroughFile | Setup::Baseline | Setup::Interruptible => true,
        }
    }

    /// Changes the settings that the setup is about.
    pub(crate) fn configure(self, config: &mut Config) {
        // One for all modules of a script, whatever each of them does.
        config.collector(match self {
            Setup::InMemory | Setup::StressedDrc => Collector::Drc,
            Setup::Baseline => Collector::Null,
            Setup::ThroughFile | Setup::Interruptible | Setup::StressedCopying => {
                Collector::Copying
            }
        });
        match self {
            Setup::InMemory => {
                config.inlining(true);
            }
            Setup::ThroughFile => {
                config.inlining(false);
            }
            Setup::StressedDrc | Setup::StressedCopying => {
                config.inlining(true).collect_at_every_safe_point(true);
            }
            Setup::Baseline => {
                config.cpu(CpuChoice::Baseline).cranelift_opt_level(OptLevel::None);
                config.relaxed_simd_deterministic(true);
            }
            Setup::Interruptible => {
                config.consume_fuel(true).epoch_interruption(true);
            }
        }
    }

    /// A store in which scripts can run for as long as they like.
    pub(crate) fn store(self, engine: &Engine) -> Result<Store<()>> {
        let mut store = Store::new(engine, ());
        if self == Setup::Interruptible {
            store.set_fuel(u64::MAX)?;
            store.set_epoch_deadline(1);
        }
        Ok(store)
    }

    pub(crate) fn load(self, engine: &Engine, wasm: &[u8]) -> Result<Module> {
        let module = Module::from_binary(engine, wasm)?;
        match self {
            Setup::InMemory
            | Setup::Baseline
            | Setup::Interruptible
            | Setup::StressedDrc
            | Setup::StressedCopying => Ok(module),
            Setup::ThroughFile => {
                let file = tempfile::NamedTempFile::new()?;
                std::fs::write(file.path(), module.serialize()?)?;
                // SAFETY: the bytes were made above, and nobody else writes to this file, whose
                // name is unpredictable; a mapping outlives the name.
                unsafe { Module::deserialize_file(engine, file.path()) }
            }
        }
    }
}
