//! What is to be compiled, and where it comes from.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use precast_artifact::container::{self, Container};
use precast_artifact::image::Image;

use crate::error::Result;

/// A WebAssembly module that may not have been read yet.
pub(crate) enum Source<'a> {
    Binary(&'a [u8]),
    BinaryOrText(&'a [u8]),
    File { file: File, path: &'a Path },
}

/// Why a file gives no WebAssembly module.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// It cannot be opened.
    #[error("cannot open `{}`", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It cannot be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It is a directory.
    #[error("`{}` is a directory: name a WebAssembly module", .0.display())]
    Directory(PathBuf),
    /// There is nothing in it.
    #[error("`{}` is empty: it should be a WebAssembly module", .0.display())]
    Empty(PathBuf),
    /// It holds what has been compiled already: see
    /// [`Module::deserialize_file`](crate::Module::deserialize_file).
    #[error(
        "`{}` is an artifact; here the WebAssembly module is needed that it was made from",
        .0.display()
    )]
    Artifact(PathBuf),
}

impl<'a> Source<'a> {
    pub(crate) fn open(path: &'a Path) -> Result<Source<'a>, SourceError> {
        match File::open(path) {
            Ok(file) => Ok(Source::File { file, path }),
            Err(source) => Err(SourceError::Open { path: path.to_owned(), source }),
        }
    }

    /// The module in the binary format. A file is read from where it was read last.
    pub(crate) fn read(&self) -> Result<Cow<'_, [u8]>> {
        match self {
            Source::Binary(wasm) => Ok(Cow::Borrowed(wasm)),
            Source::BinaryOrText(bytes) => binary(Cow::Borrowed(bytes), None),
            Source::File { file, path } => binary(Cow::Owned(read(file, path)?), Some(path)),
        }
    }

    /// The open file.
    #[cfg(feature = "cache")]
    pub(crate) fn open_file(&self) -> Option<&File> {
        match self {
            Source::File { file, .. } => Some(file),
            Source::Binary(_) | Source::BinaryOrText(_) => None,
        }
    }

    /// What people know it by.
    #[cfg(feature = "cache")]
    pub(crate) fn name(&self) -> Cow<'_, str> {
        match self {
            Source::File { path, .. } => {
                path.file_name().unwrap_or(path.as_os_str()).to_string_lossy()
            }
            Source::Binary(_) | Source::BinaryOrText(_) => Cow::Borrowed("a module in memory"),
        }
    }
}

fn read(mut file: &File, path: &Path) -> Result<Vec<u8>, SourceError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::IsADirectory => SourceError::Directory(path.to_owned()),
        _ => SourceError::Read { path: path.to_owned(), source },
    };
    let mut bytes = Vec::new();
    // Artifacts can be large: no more of one is read than shows what it is.
    file.take(container::MAGIC.len() as u64).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.is_empty() {
        return Err(SourceError::Empty(path.to_owned()));
    }
    if Image::looks_like_artifact(&bytes) || Container::looks_like_container(&bytes) {
        return Err(SourceError::Artifact(path.to_owned()));
    }
    file.read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

#[cfg(feature = "wat")]
fn binary<'a>(bytes: Cow<'a, [u8]>, path: Option<&Path>) -> Result<Cow<'a, [u8]>> {
    let translated = match wat::Parser::new().parse_bytes(path, &bytes)? {
        Cow::Owned(wasm) => Some(wasm),
        Cow::Borrowed(_) => None,
    };
    Ok(translated.map_or(bytes, Cow::Owned))
}

#[cfg(not(feature = "wat"))]
fn binary<'a>(bytes: Cow<'a, [u8]>, _: Option<&Path>) -> Result<Cow<'a, [u8]>> {
    Ok(bytes)
}
