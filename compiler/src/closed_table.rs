//! How the contents of closed tables lie among the code: for each element the number of its type, and
//! where its code begins, in bytes from the start of the table. Both have 32 bits.

/// Bytes per element.
pub(crate) const ENTRY: u32 = 8;

/// The number of no type: of null.
pub(crate) const NULL: u32 = u32::MAX;

/// The number of no type: of one that no function in the table has.
pub(crate) const ABSENT: u32 = u32::MAX - 1;
