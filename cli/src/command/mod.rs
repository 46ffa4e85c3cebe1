//! The commands, one file each.

mod cache;
mod compile;
mod completions;
mod config;
mod inspect;
mod keygen;
mod man;
pub(crate) mod run;
mod settings;
mod sign;
mod targets;
mod validate;
mod wast;

use std::process::ExitCode;

use clap::Subcommand;
use precast::Result;

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Run(run::Run),
    Compile(compile::Compile),
    Validate(validate::Validate),
    Inspect(inspect::Inspect),
    Keygen(keygen::Keygen),
    Completions(completions::Completions),
    Man(man::Man),
    Sign(sign::Sign),
    Targets(targets::Targets),
    Settings(settings::Settings),
    Cache(cache::Cache),
    Config(config::Config),
    Wast(wast::Wast),
}

impl Command {
    /// Does it. The exit code is the program's own when one was run.
    pub(crate) fn execute(self) -> Result<ExitCode> {
        match self {
            Command::Run(command) => {
                command.execute(run::compile).map(|code| code.unwrap_or(ExitCode::SUCCESS))
            }
            Command::Wast(command) => command.execute(),
            Command::Cache(command) => command.execute(),
            Command::Config(command) => command.execute().map(|()| ExitCode::SUCCESS),
            Command::Compile(command) => command.execute().map(|()| ExitCode::SUCCESS),
            Command::Validate(command) => command.execute().map(|()| ExitCode::SUCCESS),
            Command::Inspect(command) => command.execute().map(|()| ExitCode::SUCCESS),
            Command::Completions(command) => command.execute().map(|()| ExitCode::SUCCESS),
            Command::Man(command) => command.execute().map(|()| ExitCode::SUCCESS),
            Command::Keygen(command) => command.execute().map(|()| ExitCode::SUCCESS),
            Command::Sign(command) => command.execute().map(|()| ExitCode::SUCCESS),
            Command::Targets(command) => command.execute().map(|()| ExitCode::SUCCESS),
            Command::Settings(command) => command.execute().map(|()| ExitCode::SUCCESS),
        }
    }
}
