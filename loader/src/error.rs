//! Why an artifact cannot be loaded.

use precast_artifact::container::{ContainerError, NoneFits};
use precast_artifact::description::Unfit;
use precast_artifact::image::ImageError;
use precast_artifact::section::relocations::RelocationError;

/// Why an artifact cannot be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The bytes are not an artifact of this version, or damaged.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The code cannot run on this machine.
    #[error("the artifact {0}: compile the module for this machine")]
    Unfit(#[from] Unfit),
    /// The file with several artifacts is damaged, or not of this version.
    #[error(transparent)]
    Container(#[from] ContainerError),
    /// None of several artifacts can run on this machine.
    #[error("the artifact {0}; compile the module for this machine")]
    NoneFits(#[from] NoneFits),
    /// An artifact in a container is not the one that the container's index describes.
    #[error("damaged: the container holds another artifact than its index says")]
    NotTheIndexed,
    /// Nobody who is trusted vouches for the artifact.
    #[cfg(feature = "signatures")]
    #[error("the artifact is not to be trusted: {0}")]
    Signature(#[from] precast_artifact::container::SignatureError),
    /// A relocation is not known or not in range.
    #[error("damaged: {0}")]
    Relocation(#[from] RelocationError),
    /// The range that was asked for is not inside the file.
    #[error("bytes {offset}.. of a file of {file_len} bytes hold no artifact of {len} bytes")]
    Range {
        /// Where the artifact should begin, in bytes.
        offset: u64,
        /// How long it should be, in bytes.
        len: u64,
        /// The length of the file, in bytes.
        file_len: u64,
    },
    /// The system refused memory or access to the file.
    #[error("{action}: {source}")]
    System {
        /// What was attempted.
        action: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
}

impl LoadError {
    /// Turns an error of the system into one that says what was attempted.
    pub(crate) fn system<E: Into<std::io::Error>>(action: &'static str) -> impl Fn(E) -> LoadError {
        move |source| LoadError::System { action, source: source.into() }
    }
}
