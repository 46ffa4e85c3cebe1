//! The code of single functions, for people to read.

use std::path::Path;

use clap::Args;
use precast::compiler::Language;
use precast::settings::Settings;
use precast::{CodeBuilder, Config, Engine, Error, Result};

use crate::context::About;

/// Options that choose functions.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Code of single functions")]
pub(crate) struct ListingArgs {
    /// A function whose code `--emit asm` or `--emit clif` writes, by index, by name or by that of an
    /// export (repeatable)
    #[arg(long = "func", value_name = "NAME|INDEX")]
    functions: Vec<String>,
}

impl ListingArgs {
    /// Refuses the options where no code is listed.
    pub(crate) fn check_unused(&self) -> Result<()> {
        match self.functions.is_empty() {
            true => Ok(()),
            false => Err(Error::msg("--func is for the code of functions (--emit asm or clif)")),
        }
    }

    /// The code of the functions, with these settings.
    pub(crate) fn list(
        &self,
        module: &Path,
        settings: Settings,
        language: Language,
    ) -> Result<String> {
        if self.functions.is_empty() {
            return Err(Error::msg("say with --func whose code is to be shown"));
        }
        let engine = Engine::new(&Config::from_settings(settings.compiler, settings.runtime))?;
        CodeBuilder::file(&engine, module)?
            .list_functions(&self.functions, language)
            .about(module, |path| format!("cannot show code of `{path}`"))
    }
}
