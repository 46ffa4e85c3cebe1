//! The command `precast-compiler`: all of `precast`, which starts it when something is to be compiled.

use std::process::ExitCode;

fn main() -> ExitCode {
    precast_cli::release_large_buffers();
    precast_cli::execute()
}
