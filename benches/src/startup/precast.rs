//! `precast run`: with every state in which its cache can be, and on a file that was compiled beforehand.
//!
//! The cache's layout is part of its contract: `packed/` has every entry compressed, `hot/` those that are mapped.
//! A packed hit is what happens when `hot/` has been emptied.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::Case;
use super::contender::{Candidate, Contender, line};
use crate::{process, programs};

/// The variable that moves the cache.
const CACHE_VARIABLE: &str = "PRECAST_CACHE_DIR";

/// The `precast` command with and without its cache, and on an artifact.
pub fn candidates(
    command: Option<&Path>,
    case: &Case,
    module: &Path,
    scratch: &Path,
) -> Vec<Candidate> {
    let command = command.map(Path::to_owned).or_else(find);
    let made = |state: State| {
        let (command, module, scratch) = (command.clone(), module.to_owned(), scratch.to_owned());
        let arguments = case.arguments;
        Candidate::new(state.name(), move || {
            let command = command.context("no `precast` in target/release and none on PATH")?;
            prepare(state, &command, &module, arguments, &scratch)
        })
    };
    State::ALL.into_iter().map(made).collect()
}

fn find() -> Option<PathBuf> {
    let built = programs::root().join("target/release/precast");
    if built.is_file() { Some(built) } else { programs::on_path("precast") }
}

/// Where the code of a run comes from.
#[derive(Clone, Copy, Debug)]
enum State {
    Miss,
    Packed,
    Hot,
    File,
}

impl State {
    const ALL: [State; 4] = [State::Miss, State::Packed, State::Hot, State::File];

    fn name(self) -> &'static str {
        match self {
            State::Miss => "precast, miss",
            State::Packed => "precast, packed hit",
            State::Hot => "precast, hot hit",
            State::File => "precast, precompiled",
        }
    }
}

fn prepare(
    state: State,
    command: &Path,
    module: &Path,
    arguments: &[&str],
    scratch: &Path,
) -> Result<Contender> {
    if let State::File = state {
        let artifact = scratch.join("module.precast");
        process::succeed(
            Command::new(command).arg("compile").arg(module).arg("-o").arg(&artifact),
        )?;
        let mut contender =
            Contender::new(state.name(), line(command, &["run"], &artifact, arguments));
        contender.artifact = Some(artifact);
        return contender.try_out();
    }
    let cache = scratch.join(state.name().replace([' ', ','], "-"));
    fs::create_dir_all(&cache)?;
    let mut contender = Contender::new(state.name(), line(command, &["run"], module, arguments));
    contender.environment.push((CACHE_VARIABLE, OsString::from(&cache)));
    if let State::Miss = state {
        contender.removed = Some(cache);
        contender.compiles = true;
        return contender.try_out();
    }
    // The first run compiles, the second promotes what it finds packed, the third finds it hot.
    for _ in 0..3 {
        contender = contender.try_out()?;
    }
    let packed =
        folder(&cache, "packed").context("the command has left no packed entry in its cache")?;
    if let State::Packed = state {
        contender.removed = Some(packed.with_file_name("hot"));
    } else {
        folder(&cache, "hot").context("the command has promoted no entry of its cache")?;
    }
    Ok(contender)
}

/// The folder of this name, beneath `cache`, if there is a file in it.
fn folder(cache: &Path, name: &str) -> Option<PathBuf> {
    let mut folders = vec![cache.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).ok()?.flatten() {
            let path = entry.path();
            if !path.is_dir() {
                continue;
            }
            if path.file_name().is_some_and(|found| found == name) && has_file(&path) {
                return Some(path);
            }
            folders.push(path);
        }
    }
    None
}

fn has_file(folder: &Path) -> bool {
    let Ok(entries) = fs::read_dir(folder) else { return false };
    entries.flatten().map(|entry| entry.path()).any(|path| path.is_file() || has_file(&path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tier_counts_when_a_file_is_in_it() {
        let cache = tempfile::tempdir().unwrap();
        fs::create_dir_all(cache.path().join("precast/v1/hot")).unwrap();
        fs::create_dir_all(cache.path().join("precast/v1/packed/ab")).unwrap();
        assert_eq!(folder(cache.path(), "packed"), None);
        fs::write(cache.path().join("precast/v1/packed/ab/key"), "entry").unwrap();
        assert_eq!(folder(cache.path(), "packed"), Some(cache.path().join("precast/v1/packed")));
        assert_eq!(folder(cache.path(), "hot"), None);
    }
}
