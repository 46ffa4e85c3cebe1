//! Reads what the user names on the command line.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use precast::{Error, Result};

use crate::context::Context;

/// What a file holds.
#[derive(Debug)]
pub(crate) enum Input {
    /// A WebAssembly module, as a binary or as text.
    Module(Vec<u8>),
    /// An artifact; its bytes are left to the loader.
    Artifact,
}

/// Tells what the file at `path` holds, and reads it if it is a module.
///
/// Anything that is no ELF file counts as a module: text has no mark of its own.
pub(crate) fn read(path: &Path) -> Result<Input> {
    let mut file = open(path)?;
    let mut start = [0; 4];
    let mut filled = 0;
    while filled < start.len() {
        match file.read(&mut start[filled..]).context(|| cannot_read(path))? {
            0 => break,
            count => filled += count,
        }
    }
    if start == *b"\x7fELF" {
        return Ok(Input::Artifact);
    }
    let mut bytes = start[..filled].to_vec();
    file.read_to_end(&mut bytes).context(|| cannot_read(path))?;
    if bytes.is_empty() {
        let path = path.display();
        return Err(Error::msg(format!(
            "`{path}` is empty: it should be a WebAssembly module or an artifact"
        )));
    }
    Ok(Input::Module(bytes))
}

/// Reads a module, and refuses an artifact.
pub(crate) fn read_module(path: &Path) -> Result<Vec<u8>> {
    match read(path)? {
        Input::Module(bytes) => Ok(bytes),
        Input::Artifact => Err(Error::msg(format!(
            "`{}` is an artifact; this command needs the WebAssembly module that it was made from",
            path.display()
        ))),
    }
}

fn open(path: &Path) -> Result<File> {
    let file = File::open(path).context(|| format!("cannot open `{}`", path.display()))?;
    if file.metadata().is_ok_and(|metadata| metadata.is_dir()) {
        let path = path.display();
        return Err(Error::msg(format!(
            "`{path}` is a directory: name a WebAssembly module or an artifact"
        )));
    }
    Ok(file)
}

fn cannot_read(path: &Path) -> String {
    format!("cannot read `{}`", path.display())
}
