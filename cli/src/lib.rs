//! The `precast` command: compiles WebAssembly ahead of time, runs it, and looks into artifacts.
//!
//! No logic of its own: each command is one file in `command/` that reads its arguments and
//! calls the library. What several commands share is about the command line itself: settings
//! (`settings_args`, `cache_args`, `variants`, `keys`), the engine made of them (`session`), printing
//! and writing (`output`, `publish`).
//!
//! There are two programs. `precast` runs what is compiled already and holds no compiler, since the
//! pages and relocations of one take longer to load than most artifacts; everything else it leaves
//! to `precast-compiler`, which lies beside it and takes the same arguments: see `fast_path`.

mod allocator;
mod cache_args;
mod command;
mod context;
mod exe;
mod fast_path;
mod interrupt;
mod keys;
mod listing;
mod output;
mod progress;
mod publish;
mod session;
mod settings_args;
mod time_args;
mod variants;
mod watchdog;

pub use allocator::release_large_buffers;
pub use fast_path::start;

use std::process::ExitCode;

use clap::Parser;
use precast::Result;

/// Ahead-of-time WebAssembly compiler and runtime.
///
/// `precast compile app.wasm` makes a native artifact, `app.precast`; `precast run` runs either.
#[derive(Debug, Parser)]
#[command(name = "precast", version, max_term_width = 100)]
#[command(after_help = "Examples:
  precast run --dir . app.wasm input.txt     run a WASI program that may use this directory
  precast compile app.wasm                   compile it to app.precast
  precast run app.precast                    run what was compiled, without compiling
  precast inspect app.precast                show what an artifact is and what it needs
  precast cache ls                           list what is kept of earlier runs")]
struct Arguments {
    #[command(subcommand)]
    command: command::Command,
}

/// Does what the arguments of this process ask for, whatever it is.
pub fn execute() -> ExitCode {
    exit_code(Arguments::parse().command.execute())
}

/// What the process ends with; an error is printed.
fn exit_code(result: Result<ExitCode>) -> ExitCode {
    result.unwrap_or_else(|error| {
        output::print_error(&error);
        ExitCode::from(1)
    })
}
