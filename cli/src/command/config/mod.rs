//! `precast config`: the settings file.

mod check;
mod init;
mod path;
mod show;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use precast::settings::file::{FILE_VARIABLE, location};
use precast::{Error, Result};

/// Look into the settings file, and make one.
///
/// It is a TOML file with the sections `compiler`, `runtime` and `cache`. Options on the command line
/// come before what it says. $PRECAST_CONFIG names another file; when it is empty, there is none.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  precast config init                    make a file that explains every setting
  precast config show                    print what is set at the moment
  precast config check other.toml        check a file before it is used")]
pub(crate) struct Config {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Path(path::Path),
    Show(show::Show),
    Init(init::Init),
    Check(check::Check),
}

impl Config {
    pub(crate) fn execute(self) -> Result<()> {
        match self.command {
            Command::Path(command) => command.execute(),
            Command::Show(command) => command.execute(),
            Command::Init(command) => command.execute(),
            Command::Check(command) => command.execute(),
        }
    }
}

/// Where the settings file is or would be.
fn user_file() -> Result<PathBuf> {
    location().ok_or_else(|| {
        Error::msg(format!("there is no place for a settings file: name one with ${FILE_VARIABLE}"))
    })
}
