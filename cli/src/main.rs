//! The command `precast`: what runs at once, without the compiler.

use std::process::ExitCode;

fn main() -> ExitCode {
    precast_cli::start()
}
