//! `precast cache`: looks into the cache, and manages it.

mod clear;
mod explain;
mod export;
mod import;
mod ls;
mod path;
mod prune;
mod record;
mod show;
mod stats;
mod verify;
mod warm;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use precast::settings::file::user_settings;
use precast::settings::{CacheMode, Settings};
use precast::{Error, Result, cache};

use crate::cache_args::CacheDirArgs;
use crate::output::{Format, print_warning};

/// Look into the cache of compiled modules, and manage it.
///
/// `precast run` and `precast compile` keep compiled modules in a directory of the user, so that each
/// is compiled once. All of it can be compiled again: nothing is lost with an entry but time.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  precast cache ls --sort size                  what takes the space
  precast cache explain app.wasm                why a module is compiled again
  precast cache warm *.wasm                     compile ahead of the first run
  precast cache prune --older-than 30d          drop what nobody used for so long
  precast cache verify --repair                 read everything, and remove what is damaged
Exit codes: 0 done; 1 it could not be done, or `verify` found what is still wrong; 2 wrong usage.")]
pub(crate) struct Cache {
    #[command(flatten)]
    directory: CacheDirArgs,

    /// Print as JSON, with sizes in bytes
    #[arg(long, global = true)]
    json: bool,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Path(path::Path),
    Ls(ls::Ls),
    Stats(stats::Stats),
    Show(show::Show),
    Explain(explain::Explain),
    Verify(verify::Verify),
    Prune(prune::Prune),
    Clear(clear::Clear),
    Warm(warm::Warm),
    Export(export::Export),
    Import(import::Import),
}

/// What each command of the cache works with.
struct Scope {
    settings: Settings,
    directory: CacheDirArgs,
    format: Format,
}

impl Cache {
    pub(crate) fn execute(self) -> Result<ExitCode> {
        let mut settings = user_settings()?;
        self.directory.apply(&mut settings.cache);
        // The mode is about runs. These commands are asked for, and only a cache that is never
        // to be written binds them.
        if settings.cache.mode != CacheMode::ReadOnly {
            settings.cache.mode = CacheMode::On;
        }
        let format = if self.json { Format::Json } else { Format::Text };
        let scope = Scope { settings, directory: self.directory, format };
        let done = match self.command {
            Command::Verify(command) => return command.execute(&scope),
            Command::Warm(command) => return command.execute(scope),
            Command::Import(command) => return command.execute(&scope),
            Command::Path(command) => command.execute(&scope),
            Command::Ls(command) => command.execute(&scope),
            Command::Stats(command) => command.execute(&scope),
            Command::Show(command) => command.execute(&scope),
            Command::Explain(command) => command.execute(scope),
            Command::Prune(command) => command.execute(&scope),
            Command::Clear(command) => command.execute(&scope),
            Command::Export(command) => command.execute(&scope),
        };
        done.map(|()| ExitCode::SUCCESS)
    }
}

impl Scope {
    /// The cache that the command is about.
    fn cache(&self) -> Result<cache::Cache> {
        let cache = cache::Cache::new(&self.settings.cache);
        match cache.mode() {
            CacheMode::Off => {
                Err(Error::msg("there is no directory for the cache: name one with --cache-dir"))
            }
            _ => Ok(cache),
        }
    }
}

/// Says what went wrong without being in the way.
fn print_warnings(cache: &cache::Cache) {
    cache.take_warnings().iter().for_each(print_warning);
}
