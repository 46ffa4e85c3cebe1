//! Which compiler this is.

/// The version of this crate.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The version of the code generator.
pub const CRANELIFT_VERSION: &str = cranelift_codegen::VERSION;

/// A digest of everything that decides which code the compiler generates: its sources and, in a
/// clone of the repository, those of the artifact and the versions of all dependencies. Two
/// builds with this and the versions in common compile a module to the same bytes.
pub const BUILD_DIGEST: [u8; 32] = *include_bytes!(concat!(env!("OUT_DIR"), "/build-digest"));
