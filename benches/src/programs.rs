//! Where the programs of the benches are.

use std::env;
use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// The folder of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("benches/ is a folder in the repository")
        .to_owned()
}

/// The module `name`.wasm (or .wat): a fixture, a real program or a program of the code bench.
///
/// # Errors
///
/// When it is nowhere; the message says which script gets it.
pub fn module(name: &str) -> Result<PathBuf> {
    let folders = ["target/bench-programs", "target/programs", "tests/fixtures"];
    let files = ["wasm", "wat"].map(|extension| format!("{name}.{extension}"));
    for folder in folders.map(|folder| root().join(folder)) {
        for file in &files {
            let path = folder.join(file);
            if path.is_file() {
                return Ok(path);
            }
        }
    }
    bail!("no {name}.wasm: run benches/programs/build --large and scripts/fetch-programs")
}

/// Maps a file, so that its bytes do not count as a compiler's own memory.
///
/// # Errors
///
/// When it cannot be opened or mapped.
#[allow(unsafe_code)] // Mapping a file that somebody may change is unsafe.
pub fn map(path: &Path) -> Result<memmap2::Mmap> {
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    // SAFETY: the programs are built before a bench and left alone while it runs.
    Ok(unsafe { memmap2::Mmap::map(&file)? })
}

/// The native build of a program of the code bench.
///
/// # Errors
///
/// When it has not been built.
pub fn native(name: &str) -> Result<PathBuf> {
    let path = root().join("target/bench-programs").join(name);
    if path.is_file() {
        Ok(path)
    } else {
        bail!("no native {name}: run benches/programs/build {name}")
    }
}

/// A command found along `PATH`.
pub fn on_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// A folder for scratch files: in memory where the system has such a file system, so that no disk is measured.
pub fn scratch() -> Result<tempfile::TempDir> {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { memory.to_owned() } else { env::temp_dir() };
    Ok(tempfile::Builder::new().prefix("precast-bench-").tempdir_in(folder)?)
}
