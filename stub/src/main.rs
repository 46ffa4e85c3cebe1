//! Runs the artifact in this very file: what `precast compile --emit exe` makes programs of.
//!
//! No logic of its own: the system maps the artifact with the program ([`segment`]), the runtime
//! takes it from there, and the manifest beside it says what the guest may use ([`guest`]). Nothing is
//! opened, and neither /proc nor any other file is needed.

mod guest;
mod info;
mod segment;

use std::process::ExitCode;

use precast_artifact::program::Program;
use precast_runtime::{Error, Result};

/// The option that shows what the program is, when it is the only argument.
const INFO: &str = "--precast-info";

fn main() -> ExitCode {
    run().unwrap_or_else(|error| {
        eprintln!("error: {error:?}");
        ExitCode::from(1)
    })
}

fn run() -> Result<ExitCode> {
    let Some(segment) = segment::find() else {
        return Err(Error::msg(
            "this is only the stub of a program: `precast compile --emit exe` makes programs of it",
        ));
    };
    let program = Program::parse(segment)?;
    let mut arguments = std::env::args_os().skip(1);
    match (arguments.next(), arguments.next()) {
        (Some(only), None) if only == INFO => info::print(&program),
        _ => guest::run(&program.manifest, program.artifact),
    }
}
