//! The families of operators. Each is a module of functions that take their operands from
//! the stack, generate code and push their results; they run only where code is reachable.

pub(super) mod atomic;
pub(super) mod bulk;
pub(super) mod bytes;
pub(super) mod calls;
pub(super) mod control;
pub(super) mod exceptions;
pub(super) mod gc;
pub(super) mod memory;
pub(super) mod numeric;
pub(super) mod reference;
pub(super) mod simd;
pub(super) mod table;
pub(super) mod variable;
pub(super) mod wide;

mod address;
mod closed_table;
mod element;
pub(super) mod heap;
