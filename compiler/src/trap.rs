//! Traps as Cranelift knows them.

use std::num::NonZeroU8;

use cranelift_codegen::ir::TrapCode;
use precast_artifact::trap::Trap;

/// The code with which instructions are marked that stop with `trap`.
pub(crate) fn trap_code(trap: Trap) -> TrapCode {
    NonZeroU8::new(trap.code()).map_or(TrapCode::HEAP_OUT_OF_BOUNDS, TrapCode::from_raw)
}

/// The trap that a mark in finished code stands for: one of [`trap_code`]'s, or one of
/// those that Cranelift places itself.
pub(crate) fn from_trap_code(code: TrapCode) -> Option<Trap> {
    match code {
        TrapCode::STACK_OVERFLOW => Some(Trap::StackOverflow),
        TrapCode::HEAP_OUT_OF_BOUNDS => Some(Trap::MemoryOutOfBounds),
        TrapCode::INTEGER_OVERFLOW => Some(Trap::IntegerOverflow),
        TrapCode::INTEGER_DIVISION_BY_ZERO => Some(Trap::IntegerDivisionByZero),
        TrapCode::BAD_CONVERSION_TO_INTEGER => Some(Trap::BadConversionToInteger),
        code => Trap::from_code(code.as_raw().get()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_trap_survives_the_code_generator() {
        for &trap in Trap::ALL {
            assert_eq!(from_trap_code(trap_code(trap)), Some(trap));
        }
        for &code in TrapCode::non_user_traps() {
            assert!(from_trap_code(code).is_some());
        }
    }
}
