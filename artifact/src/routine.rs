//! Routines of the C library that generated code calls itself.
//!
//! They take neither a VMContext nor a trampoline: they cannot fail, call nothing of the host, and nothing
//! looks for the frame that wasm was left in while they run.

use std::ffi::c_void;

/// A routine, by its position in the [`RoutineTable`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Routine {
    /// `memmove(to, from, length)`: both ranges are valid, and may overlap.
    Move,
    /// `memset(to, value, length)`: the range is valid, and the value an `int`.
    Set,
}

/// The addresses of the routines, all of the C calling convention of the target.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct RoutineTable {
    /// [`Routine::Move`].
    pub r#move: *const c_void,
    /// [`Routine::Set`].
    pub set: *const c_void,
}

impl Routine {
    /// The offset of the routine's address in the [`RoutineTable`], in bytes.
    pub fn offset(self) -> u32 {
        self as u32 * size_of::<*const c_void>() as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_those_of_the_table() {
        assert_eq!(std::mem::offset_of!(RoutineTable, r#move), Routine::Move.offset() as usize);
        assert_eq!(std::mem::offset_of!(RoutineTable, set), Routine::Set.offset() as usize);
    }
}
