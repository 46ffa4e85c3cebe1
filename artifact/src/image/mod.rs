//! The artifact as one ELF file.
//!
//! ```text
//! | ELF header | program headers | section headers | .shstrtab | .precast.header | .precast.module |
//! |------------------------------ the prefix: checked by every load -------------------------------|
//! | functions | elements | relocations | sites | exceptions | .symtab | .strtab | ...
//! | data | .text | images |
//! |-- the body: checked when an artifact crosses a border, searched where it lies by every load ----|
//! ```
//!
//! Two digests, both SHA-256: one over the prefix, in which the digest itself counts as zeros, and one
//! over the body. The prefix holds the body's, so it vouches for the whole file.

mod header;
mod read;
mod write;

pub use header::{FORMAT_VERSION, MAGIC};
pub use read::{FileRange, Image, ImageError, Sections, Symbols};
pub(crate) use write::machine;
pub use write::{ImageParts, Trampoline, write};

/// The largest page of a target's systems, in bytes: what code and memory images are aligned
/// to, so that they can be mapped.
pub fn page_size(architecture: &str) -> u64 {
    match architecture {
        "x86_64" => 4 << 10,
        _ => 64 << 10,
    }
}
