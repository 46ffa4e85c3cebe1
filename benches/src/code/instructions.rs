//! Counts instructions with valgrind's callgrind: what a noisy machine cannot disturb.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::child::{Step, Task};
use crate::programs;

/// What stands before a command line to have its instructions counted.
const VALGRIND: [&str; 4] =
    ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", "--"];

/// Says whether instructions can be counted here.
///
/// # Errors
///
/// When valgrind is not there.
pub fn available() -> Result<()> {
    programs::on_path(VALGRIND[0]).map(drop).context("no `valgrind` on PATH")
}

/// The instructions of a native program, all of them.
///
/// # Errors
///
/// When it fails.
pub fn native(program: &mut Command) -> Result<u64> {
    let mut command = Command::new(VALGRIND[0]);
    command.args(&VALGRIND[1..]).arg(program.get_program()).args(program.get_args());
    if let Some(folder) = program.get_current_dir() {
        command.current_dir(folder);
    }
    counted(&mut command)
}

/// The instructions of a guest: those of a child that runs it, less those of a child that only makes it ready.
///
/// # Errors
///
/// When a child fails under valgrind.
pub fn guest(task: impl Fn(Step) -> Result<Task>) -> Result<u64> {
    let run = counted(&mut task(Step::Run)?.command(&VALGRIND)?)?;
    let load = counted(&mut task(Step::Load)?.command(&VALGRIND)?)?;
    Ok(run.saturating_sub(load))
}

fn counted(command: &mut Command) -> Result<u64> {
    let output = command.stdin(Stdio::null()).output().context("cannot start valgrind")?;
    let text = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        let said = text.lines().find(|line| !line.starts_with("==")).unwrap_or("nothing");
        bail!("ended with {} under valgrind: {said}", output.status);
    }
    collected(&text).context("callgrind has counted nothing")
}

/// The number in callgrind's line `==PID== Collected : N`.
fn collected(text: &str) -> Option<u64> {
    let line = text.lines().rev().find_map(|line| line.split_once("Collected :"))?;
    line.1.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_found() {
        assert_eq!(
            collected("==7== Events    : Ir\n==7== Collected : 123456\n==7== \n"),
            Some(123_456)
        );
        assert_eq!(collected("==7== I refs: 5\n"), None);
    }
}
