//! Maps a precast artifact into executable memory.
//!
//! ```text
//! file or bytes --Mapped<Writable>--> relocated --Mapped<Sealed>--> look-ups, code addresses
//! ```
//!
//! A file is mapped, never read: its code runs from the pages of the file, which all processes
//! share. Bytes become an anonymous file first, so that both go the same way; an artifact that is a
//! part of the program stays where it is. Of a container, the artifact is taken that makes the most
//! of this machine. What is signed is copied first, and the copy is checked and mapped. Where the system
//! refuses executable mappings of a file, and on request, the artifact is copied into
//! anonymous memory. No page is ever writable and executable at the same time: [`Mapped`]
//! goes from [`Writable`] to [`Sealed`] and never back.
//!
//! ```no_run
//! use precast_loader::{Mapped, Placement};
//!
//! let file = std::fs::File::open("app.precast")?;
//! let mapped = Mapped::from_file(&file, 0, None, Placement::Map)?;
//! # fn address_of(_: precast_artifact::section::relocations::LibCall) -> usize { 0 }
//! let sealed = mapped.relocate(address_of)?.seal()?;
//! println!("{} bytes of code", sealed.text().len());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod error;
mod mapped;
mod mapping;
mod source;
mod static_artifact;

pub use error::LoadError;
pub use mapped::{ImageSource, Mapped, Placement, Sealed, Writable};
pub use static_artifact::{PageAligned, StaticArtifact};
