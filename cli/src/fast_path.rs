//! Runs what is compiled already, and starts the other program for everything else.
//!
//! Only what is reachable from here is linked into `precast`. It reads the arguments of `run` alone:
//! whatever does not look like a run of something that the cache or a file holds, wrong arguments
//! included, is for `precast-compiler` to understand or to explain.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::process::{self, ExitCode};

use clap::{Args as _, FromArgMatches as _};
use precast::{Error, Result};

use crate::command::run::{self, Run};
use crate::context::Context as _;
use crate::exit_code;

/// The program with the compiler, in the same directory.
const COMPILER: &str = "precast-compiler";

/// Does what the arguments of this process ask for: here if nothing has to be compiled.
pub fn start() -> ExitCode {
    match arguments_of_run().map(|run| run.execute(run::known_module)) {
        Some(Ok(Some(code))) => code,
        Some(Err(error)) => exit_code(Err(error)),
        Some(Ok(None)) | None => exit_code(Err(start_compiler())),
    }
}

fn arguments_of_run() -> Option<Run> {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next()? != "run" {
        return None;
    }
    let command = Run::augment_args(clap::Command::new("run").no_binary_name(true));
    Run::from_arg_matches(&command.try_get_matches_from(arguments).ok()?).ok()
}

/// Becomes the other program; returns only why that is not possible.
fn start_compiler() -> Error {
    let exec = || -> Result<()> {
        let program = std::env::current_exe()?.with_file_name(COMPILER);
        let mut arguments = std::env::args_os();
        let name = arguments.next().unwrap_or_else(|| OsString::from("precast"));
        let error = process::Command::new(&program).arg0(name).args(arguments).exec();
        Err(error).context(|| format!("cannot start `{}`", program.display()))
    };
    let missing = || format!("this needs the compiler, the program `{COMPILER}` beside this one");
    match exec().context(missing) {
        Err(error) => error,
        Ok(()) => unreachable!("a process that has become another program goes on here"),
    }
}
