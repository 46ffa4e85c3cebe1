//! The `precast` command: compiles WebAssembly ahead of time, runs it, and looks into artifacts.
//!
//! No logic of its own: each command is one file in `command/` that reads its arguments and
//! calls the library. What several commands share is about the command line itself: settings
//! ([`settings_args`], [`cache_args`]), the engine made of them ([`session`]), printing ([`output`]).

mod cache_args;
mod command;
mod context;
mod interrupt;
mod output;
mod progress;
mod publish;
mod session;
mod settings_args;
mod watchdog;

use std::process::ExitCode;

use clap::Parser;

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

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match arguments.command.execute() {
        Ok(code) => code,
        Err(error) => {
            output::print_error(&error);
            ExitCode::from(1)
        }
    }
}
