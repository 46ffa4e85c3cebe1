//! `precast validate`: checks a module without compiling it.

use std::path::PathBuf;

use clap::Args;
use precast::settings::file::user_settings;
use precast::{CodeBuilder, Config, Engine, Result};

use crate::context::About;
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
        let mut settings = user_settings()?;
        self.settings.apply(&mut settings)?;
        let engine = Engine::new(&Config::from_settings(settings.compiler, settings.runtime))?;
        for path in &self.modules {
            CodeBuilder::file(&engine, path)?
                .validate()
                .about(path, |path| format!("`{path}` is not valid"))?;
        }
        Ok(())
    }
}
