//! Runs the command in a directory of its own.
#![allow(dead_code)] // Each test file uses its own part of it.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

/// The command.
pub(crate) const PRECAST: &str = env!("CARGO_BIN_EXE_precast");

/// A temporary directory in which the command runs.
pub(crate) struct Workspace(tempfile::TempDir);

/// What a run of the command did.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Outcome {
    /// Runs a command.
    pub(crate) fn of(command: &mut Command) -> Outcome {
        command.output().unwrap().into()
    }

    /// What a run that went well has printed; it had nothing to complain about.
    #[track_caller]
    pub(crate) fn stdout(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        assert_eq!(self.stderr, "", "{self:?}");
        self.stdout
    }
}

impl From<Output> for Outcome {
    fn from(output: Output) -> Outcome {
        Outcome {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Workspace {
    pub(crate) fn new() -> Workspace {
        Workspace(tempfile::tempdir().unwrap())
    }

    /// A path in the directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Runs the command.
    pub(crate) fn precast<I, S>(&self, arguments: I) -> Outcome
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        self.precast_with_stdin(Stdio::null(), arguments)
    }

    /// Runs the command with this standard input.
    pub(crate) fn precast_with_stdin<I, S>(&self, stdin: impl Into<Stdio>, arguments: I) -> Outcome
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        let mut command = self.command(PRECAST);
        Outcome::of(command.args(arguments).stdin(stdin))
    }

    /// A program that is run in the directory, with the cache there.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.0.path()).stdin(Stdio::null());
        command.env("PRECAST_CACHE_DIR", self.path("cache")).env("PRECAST_CONFIG", "");
        command
    }

    /// Compiles a fixture, and returns the artifact.
    pub(crate) fn compile(&self, name: &str) -> Vec<u8> {
        let path = self.path("compiled.precast");
        let outcome = self.precast([
            OsStr::new("compile"),
            fixture(name).as_ref(),
            "-o".as_ref(),
            path.as_ref(),
        ]);
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        std::fs::read(path).unwrap()
    }
}

/// The path of a fixture.
pub(crate) fn fixture(name: &str) -> String {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures");
    folder.join(name).to_str().unwrap().to_owned()
}

/// Fails where a tool is missing without which the test says nothing.
#[track_caller]
pub(crate) fn need(tool: &str) {
    let works = Command::new(tool).arg("--version").output().is_ok_and(|out| out.status.success());
    assert!(works, "this test needs `{tool}`: install the package of that name");
}
