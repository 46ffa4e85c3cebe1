//! `precast wast`: runs test scripts.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use precast::settings::Settings;
use precast::{Config, Result};
use precast_wast::{Print, Runner, Setup};
use serde_json::json;

use crate::context::Context;
use crate::output::{print_json, print_line};
use crate::settings_args::SettingsArgs;

/// Run WebAssembly test scripts, such as those of the specification.
///
/// Every failed assertion is printed with its place; the exit code is 1 if there was one.
#[derive(Args, Debug)]
pub(crate) struct Wast {
    /// Scripts
    #[arg(required = true)]
    scripts: Vec<PathBuf>,

    /// Load each module from an artifact file instead of from memory
    #[arg(long)]
    through_file: bool,

    /// Print the numbers as JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    settings: SettingsArgs,
}

impl Wast {
    pub(crate) fn execute(self) -> Result<ExitCode> {
        let setup = if self.through_file { Setup::ThroughFile } else { Setup::InMemory };
        // Scripts say what they expect: the user's settings file has no say.
        let mut settings = Settings::default();
        self.settings.apply(&mut settings)?;
        let config = Config::from_settings(settings.compiler, settings.runtime);
        let runner = Runner::new(config, setup)?.print(Print::Stdout);
        let (mut files, mut assertions, mut passed) = (0, 0, 0);
        for path in &self.scripts {
            let name = path.display().to_string();
            let text = std::fs::read_to_string(path).context(|| format!("cannot read `{name}`"))?;
            let outcome = runner.run(&name, &text);
            if !outcome.succeeded() {
                eprintln!("{outcome}");
            }
            files += usize::from(outcome.succeeded());
            assertions += outcome.assertions;
            passed += outcome.passed;
        }
        let total = self.scripts.len();
        if self.json {
            print_json(&json!({
                "files": total,
                "files_passed": files,
                "assertions": assertions,
                "assertions_passed": passed,
            }))?;
        } else {
            print_line!("{files} of {total} files passed, {passed} of {assertions} assertions");
        }
        Ok(if files == total { ExitCode::SUCCESS } else { ExitCode::from(1) })
    }
}
