//! The tables of an artifact that grow with its functions.
//!
//! They are read where they lie, never decoded as a whole, and every look-up is total:
//! whatever the bytes are, the answer is a value or `None`. So a load does not have to check
//! them, and damaged ones can mislead but not break the reader.

pub mod block_table;
pub mod elements;
pub mod exceptions;
pub mod functions;
pub mod inline_frames;
pub mod relocations;
pub mod sites;
pub mod stack_maps;

mod bits;
mod leb128;

/// The names of an artifact's sections, as ELF has them.
pub mod name {
    /// Magic, version, digests and the build description.
    pub const HEADER: &str = ".precast.header";
    /// The decoded part: a [`Module`](crate::module::Module).
    pub const MODULE: &str = ".precast.module";
    /// One [`FunctionEntry`](super::functions::FunctionEntry) per defined function.
    pub const FUNCTIONS: &str = ".precast.functions";
    /// Function indices of element segments and table images.
    pub const ELEMENTS: &str = ".precast.elements";
    /// What the loader must patch; usually empty.
    pub const RELOCATIONS: &str = ".precast.relocations";
    /// Code offset, wasm offset and trap of each instruction that can trap, and of each call. In inlined
    /// code, the offset is one of the call's.
    pub const SITES: &str = ".precast.sites";
    /// One [`InlineFrame`](super::inline_frames::InlineFrame) per inlined call.
    pub const INLINE_FRAMES: &str = ".precast.inline_frames";
    /// The exception handlers of each call that has any.
    pub const EXCEPTIONS: &str = ".precast.exceptions";
    /// Where frames hold references during calls.
    pub const STACK_MAPS: &str = ".precast.stackmaps";
    /// The bytes of data segments.
    pub const DATA: &str = ".precast.data";
    /// Machine code.
    pub const TEXT: &str = ".text";
    /// Pages of initial memory contents.
    pub const IMAGES: &str = ".precast.images";
    /// Symbols of functions, in function order, then of trampolines.
    pub const SYMBOLS: &str = ".symtab";
    /// Names of symbols.
    pub const STRINGS: &str = ".strtab";
}
