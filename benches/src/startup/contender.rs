//! A command that takes part, and how it comes to take part.

use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::process;

/// A command line that is measured, and what is done before each run of it.
#[derive(Clone, Debug)]
pub struct Contender {
    /// Its name in the table.
    pub name: String,
    /// The command line.
    pub line: Vec<OsString>,
    /// Environment variables.
    pub environment: Vec<(&'static str, OsString)>,
    /// What is removed before each run, outside the measured time.
    pub removed: Option<PathBuf>,
    /// Whether each run compiles.
    pub compiles: bool,
    /// What was compiled beforehand, if that is a file of its own.
    pub artifact: Option<PathBuf>,
}

impl Contender {
    /// A contender that needs nothing done before a run.
    pub fn new(
        name: impl Into<String>,
        line: impl IntoIterator<Item = impl Into<OsString>>,
    ) -> Contender {
        Contender {
            name: name.into(),
            line: line.into_iter().map(Into::into).collect(),
            environment: Vec::new(),
            removed: None,
            compiles: false,
            artifact: None,
        }
    }

    /// The command, to be run once.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.line[0]);
        command
            .args(&self.line[1..])
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Does what must be done before a run.
    ///
    /// # Errors
    ///
    /// When something is there and cannot be removed.
    pub fn reset(&self) -> Result<()> {
        let Some(path) = &self.removed else { return Ok(()) };
        match fs::remove_dir_all(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot remove {}", path.display()))
            }
            _ => Ok(()),
        }
    }

    /// Runs the command once, outside the measurement.
    ///
    /// # Errors
    ///
    /// When it fails, with what it said.
    pub fn try_out(self) -> Result<Contender> {
        process::succeed(&mut self.command())?;
        Ok(self)
    }
}

/// A contender that may turn out to be impossible here.
pub struct Candidate {
    /// Its name in the table, or among the skipped.
    pub name: String,
    /// Makes everything that its runs need and tries it out; the error is the reason for skipping it.
    pub prepare: Box<dyn FnOnce() -> Result<Contender>>,
}

impl Candidate {
    /// A candidate with this preparation.
    pub fn new(
        name: impl Into<String>,
        prepare: impl FnOnce() -> Result<Contender> + 'static,
    ) -> Candidate {
        Candidate { name: name.into(), prepare: Box::new(prepare) }
    }
}

/// A command line from its parts: a program, its own arguments, a module, the guest's arguments.
pub fn line(program: &Path, own: &[&str], module: &Path, guest: &[&str]) -> Vec<OsString> {
    let own = own.iter().map(OsString::from);
    let guest = guest.iter().map(OsString::from);
    [program.into()].into_iter().chain(own).chain([module.into()]).chain(guest).collect()
}
