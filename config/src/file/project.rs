//! A project's manifest: which modules become which artifacts.
//!
//! ```toml
//! [[artifact]]
//! module = "plugins/greet.wasm"
//! cpu = ["x86-64-v2", "x86-64-v4"]
//!
//! [compiler]
//! opt-level = "speed_and_size"
//! ```
//!
//! Paths are relative to the manifest's directory. The sections of the settings file can be in it,
//! too, and come before the user's.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use super::FileError;
use super::parse::parse_project;
use crate::section::section;
use crate::{Settings, UnknownChoice, choice};

/// The manifest's name.
pub const PROJECT_FILE: &str = "precast.toml";

section! {
    /// A module of a project, and what becomes of it.
    pub struct Recipe as "artifact" {
        /// The WebAssembly module.
        module: Option<String> as Text = None;
        /// Where the result goes; beside the module when there is none.
        output: Option<String> as Text = None;
        /// Target triples; this machine's when there are none.
        target: Vec<String> as Texts = Vec::new();
        /// Processors, such as `x86-64-v3`; the settings' when there are none.
        cpu: Vec<String> as Texts = Vec::new();
        /// The file of a secret key that signs the artifact.
        sign_key: Option<String> as Text = None;
        /// What to make: `artifact`, or `exe` for a program in one file.
        emit: Emit as Choice = Emit::Artifact;
        /// Directories that the program may use, as `HOST` or `HOST::GUEST`.
        dir: Vec<String> as Texts = Vec::new();
        /// Environment variables that the program sees, as `NAME` or `NAME=VALUE`.
        env: Vec<String> as Texts = Vec::new();
        /// Whether the program may use the environment and current directory of whoever starts it, and
        /// the directories of what its arguments name.
        ambient: bool as Switch = false;
    }
}

/// What is made of a module.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Emit {
    /// An artifact, which the runtime loads.
    #[default]
    Artifact,
    /// A program in one file.
    Exe,
}

/// What a manifest says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Project {
    /// The settings: the manifest's, and what it does not set as it was before.
    pub settings: Settings,
    /// What to make.
    pub recipes: Vec<Recipe>,
}

/// What the manifest at `path` says, over the user's settings.
///
/// # Errors
///
/// When it cannot be read, or says something that it cannot say.
pub fn load_project(path: &Path, settings: Settings) -> Result<Project, FileError> {
    match std::fs::read_to_string(path) {
        Ok(text) => parse_project(&text, path, settings),
        Err(source) => Err(FileError::Read { path: path.to_owned(), source }),
    }
}

impl Emit {
    fn name(self) -> &'static str {
        match self {
            Emit::Artifact => "artifact",
            Emit::Exe => "exe",
        }
    }
}

impl FromStr for Emit {
    type Err = UnknownChoice;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        choice(name, &[Emit::Artifact, Emit::Exe], Emit::name)
    }
}

impl fmt::Display for Emit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::OptLevel;

    fn parse(text: &str) -> Result<Project, String> {
        let mut settings = Settings::default();
        settings.compiler.consume_fuel = true;
        parse_project(text, Path::new("precast.toml"), settings).map_err(|error| error.to_string())
    }

    #[test]
    fn a_manifest_says_what_to_make_and_how() {
        let project = parse(
            "[[artifact]]\nmodule = \"a.wasm\"\ncpu = [\"x86-64-v2\", \"native\"]\n\
             [[artifact]]\nmodule = \"b.wasm\"\nemit = \"exe\"\nambient = true\n\
             [compiler]\nopt-level = \"none\"\n",
        )
        .unwrap();
        assert_eq!(project.recipes.len(), 2);
        assert_eq!(project.recipes[0].cpu, ["x86-64-v2", "native"]);
        assert_eq!(project.recipes[1].emit, Emit::Exe);
        assert!(project.recipes[1].ambient);
        assert_eq!(project.settings.compiler.opt_level, OptLevel::None);
        assert!(project.settings.compiler.consume_fuel, "what it does not set stays");
    }

    #[test]
    fn all_that_is_wrong_is_reported_with_its_line() {
        let wrong = parse(
            "[[artifact]]\nmodul = \"a.wasm\"\n[[artifact]]\nmodule = \"b\"\ncpu = \"native\"\n\
             [[artifact]]\n[artefact]\n",
        )
        .unwrap_err();
        for expected in [
            "precast.toml:2: unknown key `modul` in `artifact`; did you mean `module`?",
            "precast.toml:5: `cpu` takes a list of texts in quotes, not \"native\"",
            "precast.toml:6: an `artifact` needs a `module`",
            "precast.toml:7: unknown section `artefact`",
        ] {
            assert!(wrong.contains(expected), "{expected}\n{wrong}");
        }
        let nothing = parse("").unwrap_err();
        assert!(nothing.contains("names no `[[artifact]]`"), "{nothing}");
        let table = parse("[artifact]\nmodule = \"a.wasm\"\n").unwrap_err();
        assert!(table.contains("write `[[artifact]]`"), "{table}");
    }
}
