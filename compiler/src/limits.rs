//! How large a module may be: every size at which this compiler refuses one.
//!
//! Most are the sizes on which the engines of the web have agreed
//! (<https://webassembly.github.io/spec/js-api/#limits>), so that what compiles here runs there, and the other
//! way round. The rest, which nobody has agreed on, bounds the time and the memory that a hostile module
//! can cost. A module that is larger is refused with an error that says which limit it is and where.
//!
//! Real programs stay far below the latter: of esbuild, CPython, SQLite and nextpnr, no function reaches 6 %
//! of [`FUNCTION_ENTITIES`], or 1 % of [`FUNCTION_LIVENESS`] and [`FUNCTION_LOOPS`].

/// Bytes of a module: offsets in it, which the artifact keeps, have 32 bits.
pub const MODULE_SIZE: usize = u32::MAX as usize;
/// Types. Held by the validator.
pub const TYPES: usize = 1_000_000;
/// Parameters of a function type. Held by the validator.
pub const PARAMS: usize = 1000;
/// Results of a function type. Held by the validator.
pub const RESULTS: usize = 1000;
/// Imports and exports together, of which functions also count their parameters and results. Held by the
/// validator.
pub const IMPORTS_AND_EXPORTS: usize = 999_998;
/// Functions, imported ones included. Held by the validator.
pub const FUNCTIONS: usize = 1_000_000;
/// Tables, imported ones included. Held by the validator.
pub const TABLES: usize = 100;
/// Memories, imported ones included. Held by the validator.
pub const MEMORIES: usize = 100;
/// Pages of 64 KiB of a memory with 32-bit addresses. Held by the validator.
pub const MEMORY32_PAGES: u64 = 1 << 16;
/// Pages of 64 KiB of a memory with 64-bit addresses. Held by the validator.
pub const MEMORY64_PAGES: u64 = 1 << 48;
/// Elements of a table with 32-bit indices. Held by the validator.
pub const TABLE32_SIZE: u64 = u32::MAX as u64;
/// Globals, imported ones included. Held by the validator.
pub const GLOBALS: usize = 1_000_000;
/// Exception tags, imported ones included. Held by the validator.
pub const TAGS: usize = 1_000_000;
/// Bytes of the name of an import or an export. Held by the validator.
pub const NAME_SIZE: usize = 100_000;
/// Element segments. Held by the validator.
pub const ELEMENT_SEGMENTS: usize = 100_000;
/// Elements of a segment. Held by the validator.
pub const SEGMENT_ELEMENTS: usize = 10_000_000;
/// Data segments. Held by the validator.
pub const DATA_SEGMENTS: usize = 100_000;
/// Bytes of the body of a function, its locals included. Held by the validator.
pub const FUNCTION_SIZE: usize = 7_654_321;
/// Locals of a function, its parameters included. Held by the validator.
pub const LOCALS: usize = 50_000;
/// Clauses of a `try_table`. Held by the validator.
pub const CATCHES: usize = 10_000;
/// Blocks that are open at the same time in a function, its body included.
pub const NESTING: usize = 100_000;
/// What a function may be translated to: values, blocks and values passed along branches, together. A
/// branch of two bytes can pass a thousand values, so that the size of a function does not bound them. The
/// code generator has registers for as many.
pub const FUNCTION_ENTITIES: usize = 1 << 21;
/// Locals and operands of a function, counted for each block of code: of each, the code
/// generator notes for each block what it is there.
pub const FUNCTION_LIVENESS: u64 = 1 << 26;
/// The squares of how many locals each loop of a function needs, together: the code generator
/// looks at each of them again for every one that turns out not to change.
pub const FUNCTION_LOOPS: u64 = 1 << 28;
/// Exception handlers around the calls of a function, counted for each call: what its exception table holds
/// could otherwise grow with the square of its size.
pub const FUNCTION_HANDLERS: usize = 1 << 22;
/// References that a function may hold, counted for each of its calls and blocks of code: what says
/// where frames hold references could otherwise grow with the square of its size.
pub const FUNCTION_REFERENCES: u64 = 1 << 23;
/// Bytes of machine code: displacements have 32 bits, of which veneers need some.
pub const CODE_SIZE: u64 = (2 << 30) - (64 << 20);
/// Elements of all segments and tables that an artifact holds.
pub const ELEMENTS: usize = u32::MAX as usize;
