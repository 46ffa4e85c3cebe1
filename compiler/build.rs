//! Digests everything that decides which code this compiler generates, so that caches can tell two
//! builds of one version apart. The result is the file `build-digest`, of 32 bytes.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

use sha2::{Digest, Sha256};

/// The crate itself, and what is beside it in a clone of the repository: a package that was
/// published has these as dependencies with versions of their own.
const SOURCES: &[&str] = &[
    "src",
    "build.rs",
    "../artifact/src",
    "../artifact/Cargo.toml",
    "Cargo.toml",
    "../Cargo.lock",
];

fn main() -> io::Result<()> {
    let directory = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let output = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    let mut digest = Sha256::new();
    for source in SOURCES {
        let path = directory.join(source);
        // Naming a path that does not exist would run this again for every build.
        if path.exists() {
            println!("cargo::rerun-if-changed={}", path.display());
            add(&mut digest, source, &path)?;
        }
    }
    fs::write(output.join("build-digest"), digest.finalize())
}

/// Adds a file, or all files below a directory in the order of their names.
fn add(digest: &mut Sha256, name: &str, path: &Path) -> io::Result<()> {
    if path.is_dir() {
        let mut names: Vec<_> = fs::read_dir(path)?
            .map(|entry| entry.map(|entry| entry.file_name()))
            .collect::<Result<_, _>>()?;
        names.sort();
        for file in names {
            let name = format!("{name}/{}", file.to_string_lossy());
            add(digest, &name, &path.join(file))?;
        }
        return Ok(());
    }
    let content = fs::read(path)?;
    // With their lengths, so that names and contents cannot run into each other.
    for bytes in [name.as_bytes(), &content] {
        digest.update((bytes.len() as u64).to_le_bytes());
        digest.update(bytes);
    }
    Ok(())
}
