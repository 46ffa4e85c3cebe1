//! A cache, programs that run through it, and what must hold after whatever happened to it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

pub(crate) use crate::support::need;
use crate::support::{Outcome, PRECAST, Workspace, fixture};

/// What a program prints when nothing is wrong.
pub(crate) const HELLO: &str = "Hello, world!\n";

/// The options of a run whose cache does not depend on how full this machine's disk is.
const SETTINGS: &str = "[cache]\nmin-free = 0\n";

pub(crate) struct Scene {
    pub(crate) work: Workspace,
}

impl Scene {
    pub(crate) fn new() -> Scene {
        let work = Workspace::new();
        fs::write(work.path("settings.toml"), SETTINGS).unwrap();
        Scene { work }
    }

    /// The command with these arguments.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.traced_by(PRECAST);
        command.args(arguments);
        command
    }

    /// Another command, which may run ours.
    pub(crate) fn traced_by(&self, program: &str) -> Command {
        let mut command = self.work.command(program);
        command.env("PRECAST_CONFIG", self.work.path("settings.toml"));
        command
    }

    pub(crate) fn precast(&self, arguments: &[&str]) -> Outcome {
        Outcome::of(&mut self.command(arguments))
    }

    /// What a command prints as JSON.
    #[track_caller]
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let arguments: Vec<&str> = arguments.iter().copied().chain(["--json"]).collect();
        serde_json::from_str(&self.precast(&arguments).stdout()).unwrap()
    }

    /// The program runs with the right output; gives what was said about the cache.
    #[track_caller]
    pub(crate) fn hello(&self) -> String {
        let outcome = self.precast(&["run", &fixture("hello.wasm")]);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(0), HELLO), "{outcome:?}");
        outcome.stderr
    }

    /// The program runs from an entry that is there, and nothing is said.
    #[track_caller]
    pub(crate) fn hello_from_cache(&self) {
        let outcome = self.precast(&["run", "--cache", "require", &fixture("hello.wasm")]);
        assert_eq!(outcome.stdout(), HELLO);
    }

    /// What a check of the cache finds and puts right; then there is nothing to find.
    #[track_caller]
    pub(crate) fn repair(&self) -> Vec<String> {
        let found = self.json(&["cache", "verify", "--repair"]);
        self.assert_clean();
        let findings = found["findings"].as_array().unwrap();
        findings.iter().map(|finding| finding["problem"].as_str().unwrap().to_owned()).collect()
    }

    #[track_caller]
    pub(crate) fn assert_clean(&self) {
        let found = self.json(&["cache", "verify"]);
        assert_eq!(found["findings"], Value::Array(Vec::new()));
    }

    /// The directory of the cache.
    pub(crate) fn root(&self) -> PathBuf {
        self.work.path("cache/precast/v1")
    }

    /// The files of all entries in a tier.
    pub(crate) fn files(&self, tier: &str) -> Vec<PathBuf> {
        files(&self.root().join(tier))
    }
}

/// All files below a folder, sorted.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(items) = fs::read_dir(folder) else { return found };
    for item in items {
        let path = item.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push(path),
        }
    }
    found.sort();
    found
}
