//! `precast validate`: checks a module without compiling it.

use std::path::PathBuf;

use clap::Args;
use precast::{Engine, Module, Result};

use crate::context::Context;
use crate::input;
use crate::settings_args::SettingsArgs;

/// Check that a module is valid and uses only proposals that are accepted.
#[derive(Args, Debug)]
pub(crate) struct Validate {
    /// WebAssembly modules, binary or text
    #[arg(required = true)]
    modules: Vec<PathBuf>,

    #[command(flatten)]
    settings: SettingsArgs,
}

impl Validate {
    pub(crate) fn execute(self) -> Result<()> {
        let engine = Engine::new(&self.settings.config()?)?;
        for path in &self.modules {
            let bytes = input::read_module(path)?;
            Module::validate(&engine, &bytes)
                .context(|| format!("`{}` is not valid", path.display()))?;
        }
        Ok(())
    }
}
