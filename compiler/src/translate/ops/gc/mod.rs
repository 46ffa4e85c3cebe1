//! Structures, arrays, and what type a reference has at run time.

pub(in crate::translate) mod array;
pub(in crate::translate) mod array_bulk;
pub(in crate::translate) mod cast;
pub(in crate::translate) mod structure;

pub(in crate::translate) mod storage;

mod loops;
