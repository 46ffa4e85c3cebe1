//! The ways in which a script's modules get from wasm to running code.
#![allow(unsafe_code, reason = "artifacts of this process's own making are loaded from a file")]

use precast::{Config, CpuChoice, Engine, Module, OptLevel, Result, Store};

/// How the modules of a script are compiled and loaded. A script must give the same outcome
/// in each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Setup {
    /// Compiled, and run without leaving memory.
    #[default]
    InMemory,
    /// Compiled, written to a file as an artifact, and loaded from that file.
    ThroughFile,
    /// Compiled without optimisation for the oldest processor of the architecture, with results
    /// that are the same on all of them.
    Baseline,
    /// Compiled so that fuel and epochs can stop it, and run with plenty of both.
    Interruptible,
}

impl Setup {
    /// Every setup.
    pub const ALL: &[Setup] =
        &[Setup::InMemory, Setup::ThroughFile, Setup::Baseline, Setup::Interruptible];

    /// The name that reports use.
    pub fn name(self) -> &'static str {
        match self {
            Setup::InMemory => "in-memory",
            Setup::ThroughFile => "through-file",
            Setup::Baseline => "baseline",
            Setup::Interruptible => "interruptible",
        }
    }

    /// Changes the settings that the setup is about.
    pub(crate) fn configure(self, config: &mut Config) {
        match self {
            Setup::InMemory | Setup::ThroughFile => {}
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
            Setup::InMemory | Setup::Baseline | Setup::Interruptible => Ok(module),
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
